"""Selections in writing, and masks that need no gesture."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.readers import read_text
from qmlstudio.session.selection import Selection
from qmlstudio.session.selection_sources import every, missing, random_of, same_formula, same_value, spread
from qmlstudio.session.selection_text import SelectionTextError, check, complete, evaluate, quoted, steps_of

N = 16
INDEX = np.arange(N)
MASKS = {
    "a": (INDEX & 1) > 0,
    "b": (INDEX & 2) > 0,
    "c": (INDEX & 4) > 0,
    "low gap": (INDEX & 8) > 0,
    "not": INDEX == 0,
}


def value(text: str) -> list[int]:
    return np.flatnonzero(evaluate(text, MASKS, N)[0]).tolist()


A, B, C, D = MASKS["a"], MASKS["b"], MASKS["c"], MASKS["low gap"]


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("a", A),
        ("a & b", A & B),
        ("a ∩ b ∪ c", (A & B) | C),
        ("a & b | ~c", (A & B) | ~C),
        ("a | b & c", A | (B & C)),
        ("(a | b) & c", (A | B) & C),
        ("a - b & c", A & ~B & C),
        ("a & b - c", A & B & ~C),
        ("a - b - c", A & ~B & ~C),
        ("a - (b - c)", A & ~(B & ~C)),
        ("a ^ b | c", (A ^ B) | C),
        ("a △ b", A ^ B),
        ("a + b − c", A | (B & ~C)),
        ("NOT a and b or c", (~A & B) | C),
        ("~~a", A),
        ("low gap & a", D & A),
        ("`low gap`&a", D & A),
        ('"low gap" minus a', D & ~A),
        ("`not` | a", MASKS["not"] | A),
    ],
)
def test_values(text: str, mask: np.ndarray) -> None:
    assert value(text) == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    "text", ["a & b | ~c", "(a | b) & c", "a - (b - c)", "~(a ^ b) - low gap", "(a-b)-c", "a^(b^c)"]
)
def test_what_is_said_means_the_same(text: str) -> None:
    mask, said = evaluate(text, MASKS, N)
    assert value(said) == np.flatnonzero(mask).tolist()
    assert len(steps_of(f"({said})")) == 1


@pytest.mark.parametrize(
    ("text", "start", "what"),
    [
        ("", 0, "nothing"),
        ("a b", 2, "operator is missing"),
        ("a &", 3, "name is missing"),
        ("& a", 0, "before “&”"),
        ("(a | b", 0, "never closed"),
        ("a)", 1, "never opened"),
        ("a & low gab", 4, "no selection"),
        ("a & lowgap", 4, "do you mean `low gap`"),
        ("a % b", 2, "means nothing"),
        ("a & `b", 4, "never closed"),
        ("(" * 500 + "a", 100, "too many"),
        ("~" * 500 + "a", 100, "too many"),
    ],
)
def test_errors_say_what_and_where(text: str, start: int, what: str) -> None:
    with pytest.raises(SelectionTextError, match=what) as caught:
        evaluate(text, MASKS, N)
    assert caught.value.start == start
    with pytest.raises(SelectionTextError):
        check(text, tuple(MASKS))


def test_a_mask_of_another_set() -> None:
    with pytest.raises(ValueError, match="3 entries"):
        evaluate("a", {"a": np.ones(3, bool)}, 4)
    check("a | b", ["a", "b"])
    assert quoted("not") == "`not`"


def test_completion() -> None:
    names = {"pyrrole": "12", "low gap": "8", "all": ""}
    assert [c.text for c in complete("", 0, names)] == ["pyrrole", "`low gap`", "all"]
    assert [(c.text, c.start, c.end) for c in complete("pyrrole & l", 11, names)] == [
        ("`low gap`", 10, 11),
        ("pyrrole", 10, 11),
        ("all", 10, 11),
    ]
    assert [c.text for c in complete("pyrrole ", 8, names)] == ["& ", "| ", "- ", "^ "]
    assert complete("pyrrole", 7, names) == ()
    (candidate,) = complete("~`low", 5, names)
    assert (candidate.text, candidate.start) == ("`low gap`", 1)
    assert complete("'open", 5, names) == ()


def test_steps() -> None:
    selection = Selection.none(3)
    for operation, origin in (
        ("replace", "lasso"),
        ("add", "(a − b)"),
        ("intersect", "filter (0.1 ≤ gap + x)"),
        ("subtract", "search “C − C”"),
    ):
        selection = selection.combine(np.array([True, True, operation != "subtract"]), operation, origin)
    steps = steps_of(selection.origin)
    assert [s.sign for s in steps] == ["", "+", "∩", "−"]
    assert [s.text for s in steps] == ["lasso", "(a − b)", "filter (0.1 ≤ gap + x)", "search “C − C”"]
    assert steps[1].origin == "lasso + (a − b)"
    assert steps[-1].origin == selection.origin
    assert steps_of("") == ()


def test_same_formula_and_value() -> None:
    data = load_builtin("qm9_7").take(slice(0, 500))
    mask = same_formula(data, 99)
    formula = data.structures[99].formula
    assert np.flatnonzero(mask).tolist() == [i for i, f in enumerate(data.structures.formulas()) if f == formula]
    assert same_value(data.properties["gap"], 3)[3]
    p = Property(np.array([1.0, np.nan, np.inf, np.nan, 1.0]))
    assert same_value(p, 0).tolist() == [True, False, False, False, True]
    assert same_value(p, 1).tolist() == missing(p).tolist() == [False, True, False, True, False]
    assert missing(Property(np.array(["x", ""]))).tolist() == [False, True]
    assert same_value(Property(np.array(["x", "y", "x"])), 2).tolist() == [True, False, True]


def test_samples() -> None:
    pool = np.zeros(1000, dtype=bool)
    pool[100:200] = True
    chosen = random_of(pool, 10, 3)
    assert chosen.sum() == 10
    assert not (chosen & ~pool).any()
    assert (chosen == random_of(pool, 10, 3)).all()
    assert (random_of(pool, 5000, 1) == pool).all()
    assert np.flatnonzero(every(pool, 25)).tolist() == [100, 125, 150, 175]
    assert not every(np.zeros(4, bool), 3).any()
    points = np.random.default_rng(0).normal(size=(1000, 3))
    far = spread(points, pool, 5)
    assert far.sum() == 5
    assert not (far & ~pool).any()


def test_sources_of_small_sets() -> None:
    data = read_text("O")
    assert same_formula(data, 0).tolist() == [True]
    empty = Dataset("empty", data.structures.take(slice(0, 0)))
    assert missing(Property(np.zeros(0))).tolist() == []
    assert len(empty) == 0
