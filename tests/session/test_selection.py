import numpy as np
import pytest

from qmlstudio.session.selection import Selection


def of(*indices: int, n: int = 6, active: int | None = None) -> Selection:
    mask = np.zeros(n, dtype=bool)
    mask[list(indices)] = True
    return Selection(mask, active, f"{indices}")


def chosen(selection: Selection) -> list[int]:
    return np.flatnonzero(selection.mask).tolist()


def test_algebra() -> None:
    a, b = of(0, 1, 2), of(2, 3)
    assert chosen(a & b) == [2]
    assert chosen(a | b) == [0, 1, 2, 3]
    assert chosen(a ^ b) == [0, 1, 3]
    assert chosen(~a) == [3, 4, 5]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("replace", [2, 3]), ("add", [0, 1, 2, 3]), ("subtract", [0, 1]), ("intersect", [2])],
)
def test_gestures_combine_and_keep_the_active_structure(operation: str, expected: list[int]) -> None:
    result = of(0, 1, 2, active=5).combine(of(2, 3).mask, operation, "lasso")
    assert chosen(result) == expected
    assert result.active == 5
    assert "lasso" in result.origin


def test_subtracting_from_nothing_selects_nothing() -> None:
    assert chosen(Selection.none(6).combine(of(1).mask, "subtract", "lasso")) == []
    assert chosen(Selection.none(6).combine(of(1).mask, "add", "lasso")) == [1]


def test_unknown_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="replace, add"):
        Selection.none(3).combine(np.ones(3, bool), "divide", "")


def test_mask_cannot_be_changed_from_outside() -> None:
    mask = np.zeros(3, dtype=bool)
    selection = Selection(mask)
    mask[0] = True
    assert selection.count == 0
    with pytest.raises(ValueError, match="read-only"):
        selection.mask[0] = True


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_round_trip(n: int) -> None:
    rng = np.random.default_rng(n)
    selection = Selection(rng.random(n) < 0.3, active=0 if n else None, origin="lasso")
    again = Selection.from_dict(selection.to_dict())
    assert again == selection


def test_active_must_exist() -> None:
    with pytest.raises(ValueError, match="active structure 3 of 3"):
        Selection(np.zeros(3, dtype=bool), active=3)
    with pytest.raises(ValueError, match="shorter"):
        Selection.from_dict({"n": 100, "mask": "gA==", "active": None, "origin": ""})
