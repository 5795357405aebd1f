"""Tasks: what is subtracted and divided out comes from training rows alone, and every step is taken back."""

import json

import numpy as np
import pytest

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor
from qmlstudio.learning.evaluation.advice import advise
from qmlstudio.learning.evaluation.tasks import Task, Transform, dressed_atoms

ENERGY = {1: -0.6, 6: -38.0, 7: -54.7, 8: -75.1}


def made(n: int = 60, seed: int = 0) -> tuple[Structures, dict[str, Property], np.ndarray]:
    """Structures of 2…12 atoms with an energy that is a sum of atoms and some noise, and a rough baseline of it."""
    rng = np.random.default_rng(seed)
    numbers = [rng.choice([1, 1, 6, 7, 8], rng.integers(2, 13)).astype(np.uint8) for _ in range(n)]
    structures = Structures.from_lists(numbers, [rng.normal(size=(len(z), 3)) for z in numbers])
    counts = np.array([[(z == e).sum() for e in ENERGY] for z in numbers])
    energy = counts @ np.array(list(ENERGY.values())) + rng.normal(scale=0.1, size=n)
    columns = {
        "E": Property(energy, unit="Ha"),
        "rough": Property((energy + rng.normal(scale=0.01, size=n)) * factor("Ha", "eV"), unit="eV"),
        "gap": Property(rng.normal(size=n), unit="eV"),
        "plain": Property(rng.normal(size=n)),
        "name": Property(np.array(["a"] * n)),
        "charge": Property(rng.normal(size=len(structures.numbers)), target="atom"),
    }
    return structures, columns, counts


@pytest.mark.parametrize("normalisation", ["none", "per_atom", "composition"])
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("baseline", ["", "rough"])
@pytest.mark.parametrize("errors_per", ["structure", "atom"])
def test_every_step_is_taken_back(normalisation: str, standardise: bool, baseline: str, errors_per: str) -> None:
    structures, columns, _ = made()
    task = Task(
        target="E", baseline=baseline, normalisation=normalisation, standardise=standardise, errors_per=errors_per,
        unit="kcal/mol", more=(("E", ""),),
    )  # fmt: skip
    target = task.prepare(columns, structures)
    train, test = target.rows[:40], target.rows[40:]
    transform = target.transform(train)
    learned = transform.apply(test)
    np.testing.assert_allclose(transform.invert(learned, test), target.truth(test), rtol=1e-11)
    expected = columns["E"].values[test] * factor("Ha", "kcal/mol")
    if errors_per == "atom":
        expected = expected / structures.sizes[test]
        assert target.units == ("kcal/mol/atom",) * 2
    np.testing.assert_allclose(target.truth(test)[:, 1], expected, rtol=1e-12)
    # an error of what is learned has the size that invert_deviation says
    moved = transform.invert(learned + 0.3, test) - target.truth(test)
    np.testing.assert_allclose(transform.invert_deviation(np.full(learned.shape, 0.3), test), moved, rtol=1e-6)
    if standardise:
        inside = transform.apply(train)
        np.testing.assert_allclose(inside.mean(axis=0), 0.0, atol=1e-9)
        np.testing.assert_allclose(inside.std(axis=0), 1.0, rtol=1e-9)
    again = Transform.from_dict(json.loads(json.dumps(transform.to_dict())))
    counts = None if target.counts is None else target.counts[test]
    back = again.backward(learned, target.sizes[test], target.elements, counts, target.baseline[test])
    np.testing.assert_array_equal(back, transform.invert(learned, test))


def test_nothing_is_learned_from_other_rows() -> None:
    structures, columns, _ = made()
    task = Task(target="E", normalisation="composition", standardise=True)
    train = np.arange(30)
    before = task.prepare(columns, structures).transform(train)
    values = columns["E"].values.copy()
    values[30:] += 1000.0
    after = task.prepare({**columns, "E": Property(values, unit="Ha")}, structures).transform(train)
    for name in ("atoms", "shift", "scale"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_dressed_atoms_are_found() -> None:
    _, columns, counts = made(400)
    atoms = dressed_atoms(counts, columns["E"].values[:, None])
    np.testing.assert_allclose(atoms[:, 0], list(ENERGY.values()), atol=0.05)
    # with one oxygen to each carbon nothing tells them apart: their sum is right all the same
    twins = np.array([[1, 1], [2, 2], [3, 3]])
    np.testing.assert_allclose(twins @ dressed_atoms(twins, twins.sum(axis=1)[:, None] * 5.0), [[10], [20], [30]])


def test_an_element_that_was_not_learned_is_told() -> None:
    structures, columns, _ = made()
    target = Task(target="E", normalisation="composition").prepare(columns, structures)
    without = np.array([i for i in range(60) if 8 not in structures[i].numbers])
    transform = target.transform(without)
    assert transform.elements == (1, 6, 7)
    strange = transform.unknown(target.elements, target.counts)
    assert set(np.flatnonzero(~strange)) == set(without)


def test_what_is_missing_or_excluded_is_left_out_and_counted() -> None:
    structures, columns, _ = made()
    values = columns["gap"].values.copy()
    values[[3, 5]] = np.nan
    values[7] = np.inf
    excluded = np.zeros(60, dtype=bool)
    excluded[[5, 9, 10]] = True
    target = Task(target="gap").prepare({"gap": Property(values, unit="eV")}, structures, excluded)
    assert not set(target.rows) & {3, 5, 7, 9, 10}
    assert len(target.rows) == 55
    assert target.notes[0].startswith("3 of 60 structures")
    assert target.notes[1].startswith("2 structures are excluded")
    with pytest.raises(ValueError, match="no finite value"):
        target.transform(np.array([1, 3]))
    with pytest.raises(ValueError, match="no structures to learn"):
        target.transform(np.zeros(60, dtype=bool))


def test_units_and_columns_that_cannot_be() -> None:
    structures, columns, _ = made()
    with pytest.raises(ValueError, match="no conversion"):
        Task(target="gap", unit="Å").prepare(columns, structures)
    for name, reason in (("name", "texts"), ("charge", "each atom"), ("none", "no column"), ("", "choose")):
        with pytest.raises(ValueError, match=reason):
            Task(target=name).prepare(columns, structures)
    found = Task(target="gap", baseline="plain").prepare(columns, structures)
    assert found.notes == ("'plain' has no unit: it is taken as eV",)
    np.testing.assert_array_equal(found.baseline[:, 0], columns["plain"].values)


def test_a_task_goes_to_json_and_back() -> None:
    task = Task(target="E", baseline="rough", normalisation="per_atom", more=(("gap", ""), ("plain", "gap")))
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert task.targets == ("E", "gap", "plain")
    assert task.label == "E − rough, gap, plain − gap, per atom"
    with pytest.raises(ValueError, match="no parameter"):
        Task.from_dict({"name": "task", "colour": 1})


def test_shuffling_deals_value_and_baseline_together() -> None:
    structures, columns, _ = made()
    target = Task(target="E", baseline="rough").prepare(columns, structures)
    dealt = target.shuffled(3)
    assert not np.array_equal(dealt.values, target.values)
    pairs = {(a, b) for a, b in zip(target.values[:, 0], target.baseline[:, 0], strict=True)}
    assert pairs == {(a, b) for a, b in zip(dealt.values[:, 0], dealt.baseline[:, 0], strict=True)}


def test_advice() -> None:
    structures, columns, counts = made(300)
    sizes = structures.sizes
    rng = np.random.default_rng(0)
    assert advise(-3.0 * sizes + rng.normal(size=300), sizes).kind == "extensive"
    assert advise(columns["E"].values, sizes, counts).normalisation == "composition"
    found = advise(columns["gap"].values, sizes, counts)
    assert found.kind == "intensive"
    assert found.normalisation == "none"
    # grows by chance with the size, but is far from proportional to it
    assert advise(100.0 + 0.1 * sizes, sizes).kind == "between"
    same = advise(rng.normal(size=300), np.full(300, 9))
    assert same.kind == "unknown"
    assert "9 atoms" in same.text
    assert advise(np.full(300, 2.0), sizes).kind == "unknown"
    assert advise(np.array([np.nan, 1.0]), np.array([1, 2])).kind == "unknown"
