import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmlstudio.session.text_loops import parse_lines

WAYS = ("{!r}", "{:.8f}", "{:+.3e}", "{:.17g}", "{:e}", "{:.0f}", " {:12.6f} ", "{:.25f}")
NUMBERS = st.floats(-1e300, 1e300, allow_nan=False) | st.floats(-100, 100) | st.sampled_from([0.0, -0.0, 1e-320, 1e22])


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.sampled_from(WAYS)), min_size=3, max_size=3))
def test_every_number_is_the_nearest_to_its_decimal(written: list[tuple[float, str]]) -> None:
    words = [way.format(x) for x, way in written]
    elements, which, numbers = parse_lines([f"Cl {' '.join(words)}\t", f"{'  H'} {' '.join(words)}\r"], 4, 0)
    assert sorted(elements) == ["Cl", "H"]
    assert [elements[k] for k in which] == ["Cl", "H"]
    expected = np.array([float(w) for w in words])
    assert np.array_equal(numbers[0], expected)
    assert np.array_equal(np.signbit(numbers[1]), np.signbit(expected))


@pytest.mark.parametrize("word", ["nan", "-inf", "Infinity", "1e400", "000000000000000000001.5", ".5", "5.", "-.5e-3"])
def test_what_python_alone_knows(word: str) -> None:
    _, _, numbers = parse_lines([f"1.0 {word} C"], 3, 2)
    assert np.array_equal(numbers[0], [1.0, float(word)], equal_nan=True)


@pytest.mark.parametrize(
    "line",
    ["C 0 0", "C 0 0 0 0", "", "C 0 0 x", "C 0 0 1_0", "C 0 0 1.2.3", "C 0 0 --1", "C 0 0 e5", "C 0 0 -", "C 0 0 ."],
)
def test_lines_that_do_not_fit(line: str) -> None:
    with pytest.raises(ValueError):
        parse_lines(["C 0 0 0", line, "C 0 0 0"], 4, 0)
