"""The data doctor: planted faults of each kind are found, and clean data are left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem import units
from qmlstudio.chem.bonds import _components, bonded_pairs
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.doctor import ERROR, INFO, REGISTRY, WARNING, Extra, Findings, examine, quick
from qmlstudio.session.doctor.energy_checks import dressed_atoms
from qmlstudio.session.doctor.findings import Ragged, worst_column
from qmlstudio.session.doctor.sameness import same_geometries
from qmlstudio.session.doctor.survey import survey_of


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7")


@pytest.fixture(scope="module")
def ethanol() -> Dataset:
    return load_builtin("ethanol_500K")


def check(name: str, dataset: Dataset, extra: Extra | None = None, **values: Any) -> Findings:
    return REGISTRY[name](**values).run(dataset, Columns(dataset), Progress(), extra or Extra())


def moved(dataset: Dataset, change: Any) -> Dataset:
    """The set with other positions: `change` gets (A, 3) and offsets."""
    positions = np.array(dataset.structures.positions)
    change(positions, dataset.structures.offsets)
    old = dataset.structures
    return replace(dataset, structures=Structures(old.numbers, positions, old.offsets, old.cells))


def with_column(dataset: Dataset, name: str, values: Any, **details: Any) -> Dataset:
    return replace(dataset, properties={**dataset.properties, name: Property(np.asarray(values), **details)})


# -- clean data


@pytest.mark.parametrize("name", ["qm9_7", "ethanol_500K"])
def test_built_in_sets_are_clean(name: str) -> None:
    dataset = load_builtin(name)
    found = examine(dataset, Columns(dataset))
    assert [f.check for f in found] == list(REGISTRY)
    assert not any(f.error for f in found)
    assert all(f.worst < ERROR for f in found)
    # QM9 is known for some molecules that relaxed to one and the same
    allowed = {"same_geometry": 4} if name == "qm9_7" else {}
    assert {f.check: f.counts[1] for f in found if f.counts[1]} == allowed


def test_empty_and_tiny_sets() -> None:
    empty = Dataset("empty", Structures.from_lists([], []))
    one = Dataset("one", Structures.from_lists([[1]], [[[0.0, 0.0, 0.0]]]), {"energy": Property(np.array([-0.5]))})
    odd = Dataset(
        "odd",
        Structures.from_lists([[], [6], [6, 1]], [[], [[0, 0, 0]], [[0, 0, 0], [np.nan, 0, 0]]]),
        {"energy": Property(np.full(3, np.nan)), "e": Property(np.array([1.0, np.inf, -np.inf]), unit="eV")},
    )
    for dataset in (empty, one, odd):
        found = examine(dataset)
        assert not any(f.error for f in found), [f.error for f in found]
    texts = [f.text(k) for f in examine(odd) for k in range(len(f))]
    assert "there are no atoms" in texts
    assert "energy: all values are missing" in texts


# -- the survey


def test_the_survey_sees_the_bonds_that_are_drawn(qm9: Dataset) -> None:
    stretched = moved(qm9.take(slice(0, 400)), lambda r, _: np.multiply(r, 1.12, out=r))
    survey = survey_of(stretched.structures)
    for i, structure in enumerate(stretched.structures):
        pairs = bonded_pairs(structure.numbers, structure.positions)
        assert survey.parts[i] == len(np.unique(_components(len(structure), pairs)))


def test_graph_hashes_do_not_depend_on_the_order_of_atoms(qm9: Dataset) -> None:
    some = qm9.take(slice(0, 60))
    rng = np.random.default_rng(1)
    orders = [rng.permutation(n) for n in some.structures.sizes]
    shuffled = Structures.from_lists(
        [s.numbers[o] for s, o in zip(some.structures, orders, strict=True)],
        [s.positions[o] for s, o in zip(some.structures, orders, strict=True)],
    )
    one, two = survey_of(some.structures), survey_of(shuffled)
    assert np.array_equal(one.graphs, two.graphs)
    assert np.array_equal(one.composition, two.composition)
    assert len(np.unique(one.graphs[:, 0])) == len(some)


def test_graphs_with_equal_neighbourhoods_differ() -> None:
    from rdkit import Chem

    from qmlstudio.chem.readers.geometries import embed

    # colour refinement alone cannot tell these apart
    made = [embed(Chem.MolFromSmiles(text)) for text in ("C1CCC2CCCCC2C1", "C1CCCC1C1CCCC1")]
    structures = Structures.from_lists([z for z, _ in made], [r for _, r in made])
    survey = survey_of(structures)
    assert survey.composition[0] == survey.composition[1]
    assert survey.graphs[0, 1] != survey.graphs[1, 1]


def test_a_large_molecule_is_swept() -> None:
    n = 500
    chain = np.zeros((n, 3))
    chain[:, 0] = 1.5 * np.arange(n)
    chain[400:] += 50.0
    survey = survey_of(Structures.from_lists([[6] * n], [chain]))
    assert survey.parts[0] == 2
    assert survey.lonely[0] == pytest.approx(1.5)


# -- geometry


def test_planted_clash(qm9: Dataset) -> None:
    def change(r: Any, offsets: Any) -> None:
        r[offsets[50] + 3] = r[offsets[50]] + 0.1

    found = check("clashes", moved(qm9, change))
    assert found.structure.tolist() == [50]
    assert found[0].severity == "error"
    assert set(found[0].atoms) == {0, 3}
    assert found[0].numbers["distance"] == pytest.approx(0.1 * np.sqrt(3), abs=1e-6)


def test_planted_fragments_and_lonely_atoms(qm9: Dataset) -> None:
    def change(r: Any, offsets: Any) -> None:
        r[offsets[11] - 1] += [0, 0, 9.0]

    broken = moved(qm9, change)
    fragments, isolated = check("fragments", broken), check("isolated", broken)
    last = int(qm9.structures.sizes[10]) - 1
    assert fragments.structure.tolist() == isolated.structure.tolist() == [10]
    assert fragments[0].atoms == isolated[0].atoms == (last,)


def test_sets_of_complexes_are_told_once() -> None:
    pair = np.array([[0, 0, 0], [0, 0, 0.74], [0, 0, 3.5], [0, 0, 4.24]])
    dataset = Dataset("pairs", Structures.from_lists([[1] * 4] * 5, [pair] * 5))
    found = check("fragments", dataset)
    assert found.counts == (1, 0, 0)
    assert found.structure.tolist() == [-1]


def test_planted_coordinates_and_elements(qm9: Dataset) -> None:
    numbers = np.array(qm9.structures.numbers)
    numbers[qm9.structures.offsets[7] + 2] = 0
    numbers[qm9.structures.offsets[9]] = 130
    positions = np.array(qm9.structures.positions)
    positions[qm9.structures.offsets[21] + 1, 2] = np.inf
    dataset = replace(qm9, structures=Structures(numbers, positions, qm9.structures.offsets))
    found = REGISTRY["elements"]().run(dataset, dataset.per_structure)
    assert {int(s): found.text(k) for k, s in enumerate(found.structure)} == {
        7: "atom 3 is a dummy",
        9: "atom 1: there is no element 130",
    }
    assert set(found.severity.tolist()) == {ERROR}
    coordinates = REGISTRY["coordinates"]().run(dataset, dataset.per_structure)
    assert coordinates.structure.tolist() == [21]
    assert coordinates[0].atoms == (1,)
    # and nothing else falls over them
    assert not any(f.error for f in examine(dataset))


def test_planted_valence() -> None:
    from rdkit import Chem

    from qmlstudio.chem.readers.geometries import embed

    z, r = embed(Chem.MolFromSmiles("C"))
    more = np.vstack([r, r[0] + np.array([0.0, 0.0, 1.05])])
    dataset = Dataset("CH5", Structures.from_lists([z, [*z, 1]], [r, more]))
    found = check("valences", dataset)
    assert found.structure.tolist() == [1]
    assert "C1 has 5 neighbours" in {f.text(k) for f in [found] for k in range(len(f))} or found[0].atoms != ()


def test_crystals_are_seen_across_their_faces() -> None:
    cell = np.diag([4.0, 4.0, 4.0])
    good = [[0.0, 0, 0], [2.0, 2, 2]]
    near = [[0.1, 0, 0], [3.6, 0, 0]]  # 0.5 Å apart through the face
    dataset = Dataset("cells", Structures.from_lists([[55, 17]] * 2, [good, near], [cell, cell]))
    found = check("clashes", dataset)
    assert found.structure.tolist() == [1]
    assert found[0].numbers["distance"] == pytest.approx(0.5)


# -- sameness


def test_planted_duplicates_are_found_whatever_their_order_and_place(qm9: Dataset) -> None:
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    base = qm9.take(slice(600, 1000))
    z, r, want = [], [], []
    for k in (3, 40, 77, 200):
        s = base.structures[k]
        order = rng.permutation(len(s))
        turn = Rotation.random(random_state=rng).as_matrix()
        z.append(s.numbers[order])
        r.append(s.positions[order] @ turn.T + rng.normal(size=3) + rng.normal(scale=2e-4, size=(len(s), 3)))
        want.append(k)
    s = base.structures[300]
    z.append(s.numbers)
    r.append(s.positions * [1, 1, -1])
    structures = Structures.from_lists(
        [*(s.numbers for s in base.structures), *z], [*(s.positions for s in base.structures), *r]
    )
    dataset = Dataset("planted", structures)
    found = check("same_geometry", dataset)
    partners = {int(s): found.related[k].tolist() for k, s in enumerate(found.structure) if s >= len(base)}
    assert partners == {len(base) + j: [k] for j, k in enumerate([*want, 300])}
    assert found.excludable().min() > 3
    # nothing of this kind is found with a threshold below the noise
    tight = check("same_geometry", dataset, threshold=2e-5)
    assert not set(tight.structure.tolist()) & {len(base) + j for j in range(4)}


def test_many_equal_ones_are_all_found() -> None:
    water = [[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]
    dataset = Dataset("copies", Structures.from_lists([[8, 1, 1]] * 300, [water] * 300))
    found = check("same_geometry", dataset)
    assert len(found) == 299
    assert len(found.excludable()) == 299
    assert set(found.severity.tolist()) == {WARNING}


def test_rmsd_is_that_of_a_superposition(ethanol: Dataset) -> None:
    from scipy.spatial.transform import Rotation

    from qmlstudio.learning._same_loops import rmsd

    a, b = (ethanol.structures[i].positions for i in (0, 700))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    _, residual = Rotation.align_vectors(a, b)
    assert rmsd(a, b, False) == pytest.approx(residual / np.sqrt(len(a)), rel=1e-6)
    assert rmsd(a, -a, True) == pytest.approx(0.0, abs=1e-6)


def test_frames_of_a_trajectory_are_no_duplicates(ethanol: Dataset) -> None:
    assert len(check("same_geometry", ethanol)) == 0
    found = check("same_molecule", ethanol)
    assert found.text(0) == "2,000 conformers of 1 molecule"
    assert found.counts == (1, 0, 0)


def test_same_molecule(qm9: Dataset) -> None:
    some = qm9.take([*range(100, 150), 120, 121, 120])
    found = check("same_molecule", some)
    assert {int(s): found.related[k].tolist() for k, s in enumerate(found.structure)} == {20: [50, 52], 21: [51]}
    assert found.excludable().tolist() == [50, 51, 52]


def test_search_can_be_cancelled(qm9: Dataset) -> None:
    calls = []

    def is_cancelled() -> bool:
        calls.append(1)
        return len(calls) > 3

    fresh = moved(qm9, lambda r, _: None)
    with pytest.raises(Cancelled):
        same_geometries(fresh.structures, 0.01, Progress(is_cancelled=is_cancelled))


# -- columns


def test_planted_gaps_and_constants(qm9: Dataset) -> None:
    gap = np.array(qm9.properties["gap"].values)
    gap[[4, 9]] = np.nan
    gap[12] = -np.inf
    dataset = with_column(with_column(qm9, "gap", gap, unit="Ha"), "level", np.full(len(qm9), 3.0))
    dataset = with_column(dataset, "words", np.full(len(qm9), "B3LYP"))
    charges = np.array(dataset.properties["charge"].values)
    charges[dataset.structures.offsets[30]] = np.nan
    dataset = with_column(dataset, "charge", charges, target="atom")
    found = check("missing", dataset)
    rows = {f.text(k): f.related[k].tolist() for f in [found] for k in range(len(f))}
    assert [v for t, v in rows.items() if "gap: missing" in t] == [[4, 9]]
    assert [v for t, v in rows.items() if "gap: infinite" in t] == [[12]]
    assert [v for t, v in rows.items() if "charge" in t] == [[30]]
    assert found.excludable().tolist() == [4, 9, 12, 30]
    constant = check("constant", dataset)
    assert {constant.text(k) for k in range(len(constant))} == {"level: always 3", "words: always B3LYP"}
    assert not len(constant.excludable())


# -- energies, forces, units


def test_planted_energy_outlier(qm9: Dataset) -> None:
    u0 = np.array(qm9.properties["U0"].values)
    u0[777] += 0.4
    found = check("energies", with_column(qm9, "U0", u0, unit="Ha"))
    assert found.structure.tolist() == [777]
    assert found[0].numbers["column"] == "U0"
    assert found[0].numbers["off"] == pytest.approx(0.4, abs=0.15)


def test_planted_outlier_among_conformers(ethanol: Dataset) -> None:
    energy = np.array(ethanol.properties["energy"].values)
    energy[123] += 3.0
    found = check("energies", with_column(ethanol, "energy", energy, unit="eV"))
    assert found.structure.tolist() == [123]
    assert "conformers" in found.text(0)


def test_one_enormous_energy_does_not_hide_itself(qm9: Dataset) -> None:
    u0 = np.array(qm9.properties["U0"].values)
    u0[5] = 1e9
    found = check("energies", with_column(qm9, "U0", u0, unit="Ha"))
    assert found.structure.tolist() == [5]


def test_dressed_atoms_are_recovered() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, (300, 3)).astype(float)
    energies = counts @ [-1.0, -2.0, -3.5] + rng.normal(scale=0.01, size=300)
    energies[::50] += 40
    energies[7] = np.nan
    elements, residuals = dressed_atoms(counts, energies)
    assert elements == pytest.approx([-1.0, -2.0, -3.5], abs=0.01)
    assert residuals[50] == pytest.approx(40, abs=0.1)
    assert np.isnan(residuals[7])


def test_planted_net_force(ethanol: Dataset) -> None:
    forces = np.array(ethanol.properties["forces"].values)
    offsets = ethanol.structures.offsets
    forces[offsets[8] : offsets[9], 0] += 0.5
    # a pair of forces turns without pushing
    forces[offsets[90]] += [0, 6.0, 0]
    forces[offsets[90] + 1] -= [0, 6.0, 0]
    found = check("forces", with_column(ethanol, "forces", forces, target="atom", unit="eV/Å"))
    texts = {int(s): found.text(k) for k, s in enumerate(found.structure)}
    assert set(texts) == {8, 90}
    assert "net force" in texts[8]
    assert "turn" in texts[90]


@pytest.mark.parametrize("said", ["eV", "kcal/mol", "kJ/mol"])
def test_wrong_units_of_total_energies(qm9: Dataset, said: str) -> None:
    values = qm9.properties["U0"].values
    found = check("units", with_column(qm9, "U0", values, unit=said))
    assert len(found) == 1
    assert found[0].severity == "error"
    assert found[0].numbers["guess"] == "Ha"
    right = with_column(qm9, "U0", values * units.factor("Ha", said), unit=said)
    assert len(check("units", right)) == 0


def test_other_wrong_units(qm9: Dataset, ethanol: Dataset) -> None:
    some = with_column(qm9, "U0_atomization", qm9.properties["U0_atomization"].values, unit="eV")
    some = with_column(some, "homo", qm9.properties["homo"].values, unit="eV")
    found = check("units", some)
    assert {f"{n['column']} {n['guess']}" for n in map(found.evidence, range(len(found)))} == {
        "U0_atomization kcal/mol",
        "homo Ha",
    }
    tight_binding = check("units", with_column(ethanol, "energy", ethanol.properties["energy"].values, unit="Ha"))
    assert tight_binding[0].numbers["guess"] == "eV"
    unnamed = check("units", with_column(qm9, "U0", qm9.properties["U0"].values))
    assert unnamed.counts == (1, 0, 0)
    assert "look like Ha" in unnamed.text(0)


@pytest.mark.parametrize(("factor", "word"), [(1 / units.BOHR, "bohr"), (0.1, "nm"), (100.0, "pm")])
def test_wrong_lengths(qm9: Dataset, factor: float, word: str) -> None:
    found = check("units", moved(qm9, lambda r, _: np.multiply(r, factor, out=r)))
    assert found[0].numbers["guess"] == word
    assert found[0].severity == "error"


# -- SMILES


def test_planted_smiles(qm9: Dataset) -> None:
    some = qm9.take(slice(0, 900))
    text = np.array(some.smiles, dtype="<U40")
    assert len(check("smiles", some)) == 0
    other = next(k for k in range(899) if some.structures[200].formula == some.structures[k].formula and k != 200)
    text[200], text[5], text[7], text[9] = text[other], "not a SMILES", "CCCCCC", ""
    hydroxy = next(k for k, t in enumerate(text) if t == "CC=O")
    text[hydroxy] = "C=CO"
    found = check("smiles", with_column(some, "smiles", text))
    said = {int(s): found.text(k) for k, s in enumerate(found.structure)}
    assert set(said) == {200, 5, 7, hydroxy}
    assert "makes no sense" in said[5]
    assert "other atoms" in said[7]
    assert "other bonds" in said[200]
    assert "hydrogens elsewhere" in said[hydroxy]
    assert "1 structures have no SMILES" in found.note


def test_ions_radicals_and_nitro_groups() -> None:
    texts = np.array(["[NH4+]", "[CH3]", "C[N+](=O)[O-]", "O=N(=O)C", "C", "[O]"])
    dataset = Dataset("ions", Structures.from_lists([[1]] * 6, [np.zeros((1, 3))] * 6), {"smiles": Property(texts)})
    found = check("charges", dataset)
    assert {int(s): found.text(k) for k, s in enumerate(found.structure)} == {
        0: "a net charge of +1",
        1: "1 unpaired electrons",
        5: "2 unpaired electrons",
    }
    assert "makes no sense" not in " ".join(check("smiles", dataset).text(k) for k in range(5))


# -- leakage


def test_leakage_by_geometry_and_bonds(qm9: Dataset) -> None:
    some = qm9.take([*range(100, 300), 150, 160])
    split = np.array(["train"] * 200 + ["test"] * 2)
    split[:20] = "test"
    found = check("leakage", with_column(some, "split", split))
    assert {int(s): found.related[k].tolist() for k, s in enumerate(found.structure)} == {200: [50], 201: [60]}
    assert set(found.severity.tolist()) == {ERROR}
    assert "nearness is not looked at" in found.note
    numbers = with_column(some, "fold", np.where(split == "train", 0.0, 1.0))
    assert check("leakage", numbers).structure.tolist() == [200, 201]
    assert "no column" in check("leakage", some).note


def test_leakage_by_features(qm9: Dataset) -> None:
    some = qm9.take(slice(300, 500))
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 30))
    features[180] = features[20] + 1e-3
    features[190] = np.nan
    masks = np.arange(200) < 150, np.arange(200) >= 150
    extra = Extra(features, (("Training", masks[0]), ("test", masks[1])))
    found = check("leakage", some, extra)
    assert found.structure.tolist() == [180]
    assert found.related[0].tolist() == [20]
    assert found.counts == (0, 1, 0)


# -- what findings are


def test_findings_join_and_columns() -> None:
    one = Findings.make("a", "x {v:.1f}", [3, 5], ERROR, v=np.array([1.0, 2.0]), atoms=Ragged.table([[0, 1], [2, 3]]))
    two = Findings.make("a", "y {other} {count}", [-1], INFO, related=Ragged.lists([[7, 8]]), drops="related")
    joined = Findings.join("a", [one, two], "note")
    assert len(joined) == 3
    assert [joined.text(k, list("abcdefghi")) for k in range(3)] == ["x 1.0", "x 2.0", "y h 2"]
    assert joined.counts == (1, 0, 2)
    assert joined.structures().tolist() == [3, 5, 7, 8]
    assert joined.excludable([1, 2]).tolist() == [5, 7, 8]
    assert joined[1].atoms == (2, 3)
    assert "v" not in joined[2].numbers
    column = worst_column([joined], {"a": "A"}, 9)
    assert column.values.tolist() == ["", "", "", "A", "", "A", "", "A", "A"]


def test_a_broken_check_stops_no_other(qm9: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Findings:
        raise RuntimeError("planted")

    monkeypatch.setattr(REGISTRY["clashes"], "run", fail)
    parts: list[Any] = []
    checks = [REGISTRY["clashes"](), REGISTRY["elements"]()]
    found = examine(qm9, checks=checks, progress=Progress(partial=parts.append))
    assert found[0].error == "RuntimeError: planted"
    assert found[1].error == ""
    assert [len(p) for p in parts] == [1, 2]


def test_only_quick_checks_of_large_sets_run_by_themselves(qm9: Dataset) -> None:
    assert {c.name for c in quick(qm9.take(slice(0, 100)))} == set(REGISTRY)
    n = 2_000_000
    large = Dataset(
        "large",
        Structures(np.full(5 * n, 6, np.uint8), np.zeros((5 * n, 3)), 5 * np.arange(n + 1)),
        {"energy": Property(np.zeros(n), unit="eV")},
        np.zeros(n, dtype="<U1"),
    )
    names = {c.name for c in quick(large)}
    assert "missing" in names
    assert not names & {"clashes", "same_geometry", "energies"}
