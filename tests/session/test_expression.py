import re

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.expression import ExpressionError, evaluate, parse, pointed, quoted

X = np.array([0.1, 0.2, np.nan, -1.0, np.inf, 3.0])
Y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
NAMES = np.array(["CH4", "C4H5N", "", "C4H5N", "N2", "CO"])


@pytest.fixture(scope="module")
def columns() -> Columns:
    structures = Structures(
        np.array([6, 1, 7, 7, 1, 8, 1, 1, 6, 6], np.uint8), np.zeros((10, 3)), [0, 2, 3, 4, 6, 8, 10]
    )
    properties = {
        "x": Property(X, unit="Ha"),
        "y": Property(Y),
        "formula": Property(NAMES),
        "odd name (a)": Property(Y * 2, unit="eV"),
        "min": Property(Y),
        "in": Property(Y),
    }
    return Columns(Dataset("six", structures, properties))


CONDITIONS = [
    ("x < 0.2", X < 0.2),
    ("x <= 0.2 and y > 1", (X <= 0.2) & (Y > 1)),
    ("x < 0 or y == 5", (X < 0) | (Y == 5)),
    ("not x < 0.2", ~(X < 0.2)),
    ("0.1 < x <= 0.2", (X > 0.1) & (X <= 0.2)),
    ("1 < y < x + 1 < 5", (Y > 1) & (Y < X + 1) & (X + 1 < 5)),
    ("x != 0.1", (X != 0.1) & ~np.isnan(X)),
    ("x is missing", np.isnan(X)),
    ("x is not missing", ~np.isnan(X)),
    ("isnan(x) or isnan(y)", np.isnan(X) | np.isnan(Y)),
    ("formula is missing", NAMES == ""),
    ('formula == ""', NAMES == ""),
    ('formula == "C4H5N"', NAMES == "C4H5N"),
    ("formula != 'C4H5N'", (NAMES != "C4H5N") & (NAMES != "")),
    ('"N" in formula', np.char.find(NAMES, "N") >= 0),
    ('"N" not in formula', np.char.find(NAMES, "N") < 0),
    ('formula in ["CO", "N2"]', np.isin(NAMES, ["CO", "N2"])),
    ('formula not in ["CO"]', NAMES != "CO"),
    ("y in [1, 3, -4]", np.isin(Y, [1, 3])),
    ("y in [" + ", ".join(str(k) for k in range(2, 40)) + "]", Y >= 2),
    ("x * y - 1 > -x / 2", X * Y - 1 > -X / 2),
    ("y % 2 == 1", Y % 2 == 1),
    ("2 ** 3 ** 2 == 512 and -2 ** 2 == -4", np.ones(6, bool)),
    ("(x + 1) ** 2 >= 4", (X + 1) ** 2 >= 4),
    ("abs(x) == 1", abs(X) == 1),
    ("sqrt(y) == 2 or log10(y * 20) > 2", (Y == 4) | (np.log10(Y * 20) > 2)),
    ("log(x) < 0", np.array([True, True, False, False, False, False])),
    ("exp(x) < 1", X < 0),
    ("max(x, y, 2.5) == 2.5", np.array([True, True, False, False, False, False])),
    ("min(x, y) < 0", X < 0),
    ("round(x) == 0", np.array([True, True, False, False, False, False])),
    ("y / 0 > 1", ~np.isnan(Y)),
    ("`x / Ha` < 0.2", X < 0.2),
    ("`odd name (a)` == 4 or `odd name (a) / eV` == 6", (Y == 2) | (Y == 3)),
    ("`in` == 1 and min == 1", Y == 1),
    ("x ≤ 0.2 and y ≠ 2", (X <= 0.2) & (Y != 2) & ~np.isnan(Y)),
    ("x − 1 < 1 × 0", X < 1),
    ("n_N >= 1", np.array([False, True, True, False, False, False])),
    ("1 < 2", np.ones(6, bool)),
    ("1e-1 == .1 and 1. == 1", np.ones(6, bool)),
    ("not not (x < 0.2)", X < 0.2),
]


@pytest.mark.parametrize(("text", "expected"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
def test_conditions(columns: Columns, text: str, expected: np.ndarray) -> None:
    found = evaluate(text, columns)
    assert found.dtype == bool
    assert found.tolist() == expected.tolist()


ERRORS = [
    ("", 0, "nothing is asked"),
    ("gpa < 1 or xx == 2", 0, "no column gpa"),
    ("Formula == 'CO'", 0, "did you mean formula?"),
    ("x", 0, "a number, not a condition"),
    ("formula", 0, "a text, not a condition"),
    ("x = 0.2", 2, "write =="),
    ("x < 1 && y < 2", 6, "write and"),
    ("x < 1 | y < 2", 6, "write or"),
    ("!x", 0, "write not"),
    ("x ^ 2 < 1", 2, r"write \*\*"),
    ("x < 0,2", 5, "with a point"),
    ("x < 0.2 Ha", 8, "units are not written"),
    ("x < 0.2 adn y < 1", 8, "did you mean and?"),
    ("formula == CO2", 11, 'in quotes: "CO2"'),
    ("formula < 'a'", 8, "== and != only"),
    ("x == 'a'", 5, "a number and a text"),
    ("formula == 3", 11, "a number and a text"),
    ("x in ['a']", 6, "a number and a text"),
    ("x in []", 6, "the list is empty"),
    ("x in [y]", 6, "numbers or texts only"),
    ("x in 3", 5, "in needs a list"),
    ("x in [1 2]", 8, "between two values"),
    ("(x < 1", 0, "never closed"),
    ("abs(x < 1", 6, r"\) is missing"),
    ("abs(x", 0, "never closed"),
    ("x < 1)", 5, "closes nothing"),
    ("x <", 3, "something is missing"),
    ("x < 1 and", 9, "something is missing"),
    ("x < 1 and y", 10, "needs a condition"),
    ("not x", 4, "needs a condition"),
    ("(x < 1) + 1 == 2", 1, "needs a number"),
    ("(x < 1) == 1", 1, "cannot be compared"),
    ("formula + 1 == 2", 0, "needs a number"),
    ("-formula == 1", 1, "needs a number"),
    ("lgo(x) < 1", 0, "did you mean log?"),
    ("sin(x) < 1", 0, "there is no function sin"),
    ("sqrt(x, y) < 1", 0, "takes 1 value, not 2"),
    ("max(x) < 1", 0, "2 values or more"),
    ('formula == "CO', 11, "no closing"),
    ("`x < 1", 0, "no closing"),
    ("x # 1", 2, "means nothing"),
    ("x is 3", 5, "only missing may stand"),
    ("x not 3", 6, "in is missing"),
    ("x < in", 4, "`in`"),
    ("(" * 80 + "x", 50, "too many nested"),
    ("-" * 80 + "x < 1", 50, "too many nested"),
    ("not " * 80 + "x < 1", 200, "too many nested"),
]


@pytest.mark.parametrize(("text", "place", "message"), ERRORS, ids=[text[:20] for text, *_ in ERRORS])
def test_errors_say_what_and_where(columns: Columns, text: str, place: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, columns)
    assert re.search(message, caught.value.message)
    assert caught.value.start == place
    assert caught.value.start <= caught.value.end <= len(text)


def test_carets_stand_under_the_fault() -> None:
    text = "gap < 0.2 and gpa < 3"
    assert pointed(text, ExpressionError("", 14, 17)) == f"{text}\n              ^^^"
    long = "a" * 60 + " bad " + "c" * 60
    first, second = pointed(long, ExpressionError("", 61, 64), 30).splitlines()
    assert len(first) == 30
    assert first.startswith("…")
    assert first.endswith("…")
    assert first[second.index("^") : second.rindex("^") + 1] == "bad"
    assert pointed("x <", ExpressionError("", 3, 3)) == "x <\n   ^"


def test_names_columns_once(columns: Columns) -> None:
    assert parse("x < 1 and (x > 0 or y < 2)", columns).names == ("x", "y")
    assert quoted("x") == "x"
    assert quoted("in") == "`in`"
    assert quoted("odd name") == "`odd name`"


def test_many_rows_are_chunked_and_can_be_cancelled() -> None:
    n = 100_000
    data = Dataset(
        "many", Structures(np.ones(n, np.uint8), np.zeros((n, 3)), np.arange(n + 1)), {"x": Property(np.arange(n))}
    )
    columns = Columns(data)
    assert evaluate("10 <= x < 99_990".replace("_", ""), columns).sum() == 99_980

    with pytest.raises(Cancelled):
        evaluate("x < 3", columns, Progress(is_cancelled=lambda: True))


def test_no_rows() -> None:
    columns = Columns(
        Dataset("none", Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), [0]), {"x": Property(np.zeros(0))})
    )
    assert evaluate("x < 1 and 1 < 2", columns).shape == (0,)
