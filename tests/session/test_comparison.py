"""Sets side by side: counts, fits and coverage against direct NumPy; the ANI-1 figure in numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import HARTREE, KCAL_PER_MOL
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY
from qmlstudio.session.comparison import (
    ComparisonSpec,
    CoverageSpec,
    DataPart,
    SetMeasures,
    comparison,
    coverage,
    joint_dataset,
    measures,
)
from qmlstudio.session.comparison.composition import element_bars, size_bars
from qmlstudio.session.comparison.coverage import distance_bins
from qmlstudio.session.comparison.labels import place_labels
from qmlstudio.session.comparison.literature import KNOWN
from qmlstudio.session.comparison.measures import force_edges
from qmlstudio.session.comparison.result import smoothed
from qmlstudio.session.comparison.sets import energy_column, energy_columns, force_column
from qmlstudio.session.stages import TooLargeError

ANI = Path(__file__).resolve().parents[3] / "shared" / "data" / "ani1" / "ani_gdb_s01.h5"
SPEC = ComparisonSpec()


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 500))


@pytest.fixture(scope="module")
def ethanol() -> Dataset:
    return load_builtin("ethanol_500K").take(slice(0, 200))


def measured(*parts: tuple[str, Dataset], spec: ComparisonSpec = SPEC) -> list[SetMeasures]:
    return [measures(DataPart(name, dataset), spec) for name, dataset in parts]


def dataset_of(numbers: Any, positions: Any, **properties: Property) -> Dataset:
    return Dataset("made", Structures.from_lists(numbers, positions), properties)


# -- what is counted


def test_composition_is_what_the_structures_have(qm9: Dataset) -> None:
    (found,) = measured(("QM9", qm9))
    c = found.composition
    for z, share, mean in zip(c.elements, c.containing, c.mean, strict=True):
        counts = np.array([np.count_nonzero(m.numbers == z) for m in qm9.structures])
        assert share == np.count_nonzero(counts) / len(qm9)
        assert mean == pytest.approx(counts.mean(), rel=1e-14)
    np.testing.assert_array_equal(c.atoms, np.bincount(qm9.structures.sizes))
    heavy = [np.count_nonzero(m.numbers > 1) for m in qm9.structures]
    np.testing.assert_array_equal(c.heavy, np.bincount(heavy))


def test_a_mask_is_measured_like_the_set_taken_by_it(qm9: Dataset, ethanol: Dataset) -> None:
    for dataset in (qm9, ethanol):
        mask = np.arange(len(dataset)) % 3 == 1
        one = measures(DataPart("a", dataset, mask), SPEC)
        two = measures(DataPart("a", dataset.take(mask)), SPEC)
        assert (one.structures, one.molecules, one.molecules_by) == (two.structures, two.molecules, two.molecules_by)
        np.testing.assert_array_equal(one.composition.atoms, two.composition.atoms)
        assert all((one.geometry.distances[k] == v).all() for k, v in two.geometry.distances.items())
        assert one.energies is not None
        assert two.energies is not None
        np.testing.assert_array_equal(one.energies.values, two.energies.values)
        np.testing.assert_array_equal(one.energies.counts, two.energies.counts)
        if dataset is ethanol:
            assert one.forces is not None
            assert two.forces is not None
            np.testing.assert_array_equal(one.forces.counts, two.forces.counts)


def test_molecules_are_told_apart_by_smiles_names_order_or_bonds(qm9: Dataset, ethanol: Dataset) -> None:
    texts = np.array(["CO", "OC", "C/C=C/C", r"C/C=C\C", ""])
    smiles = qm9.take(slice(0, 5))
    smiles = replace(smiles, properties={"smiles": Property(texts)})
    named = replace(smiles, properties={"molecule": Property(np.array(["a", "b", "a", "a", "b"]))})
    plain = replace(qm9, properties={})
    repeated = replace(
        plain, structures=plain.structures.take(np.repeat(np.arange(20), 3)), identifiers=np.zeros(0, "U")
    )
    expected = {"SMILES": (smiles, 2), "names": (named, 2), "one trajectory": (ethanol, 1), "bonds": (repeated, 20)}
    for how, (dataset, count) in expected.items():
        found = measures(DataPart("a", dataset), SPEC)
        assert (found.molecules, found.molecules_by) == (count, how)


def test_the_known_sizes_are_consistent() -> None:
    names = [k.name for k in KNOWN]
    assert len(set(names)) == len(names)
    assert all(k.molecules is None or 1 <= k.molecules <= k.conformations for k in KNOWN)
    assert all("doi:10." in k.reference for k in KNOWN)
    assert {k.name: k.conformations for k in KNOWN}["QM9"] == 133_885


# -- energies and forces


def test_the_likeliest_energies_and_forces_are_chosen(qm9: Dataset, ethanol: Dataset) -> None:
    assert energy_column(qm9) == "U0"
    assert energy_columns(qm9)[-1] in ("gap", "homo", "lumo", "zpve")
    assert energy_column(ethanol) == "energy"
    assert energy_column(replace(qm9, properties={"gap": qm9.properties["gap"]})) == ""
    found = force_column(ethanol)
    assert found is not None
    assert found[0] == "forces"
    assert force_column(qm9) is None


def test_energies_are_residuals_of_a_fit_in_common_units(qm9: Dataset) -> None:
    u0 = qm9.properties["U0"].values
    other = replace(qm9, properties={"energy": Property(u0 * HARTREE / KCAL_PER_MOL, unit="kcal/mol")})
    result = comparison(measured(("a", qm9), ("b", other)), SPEC)
    assert result.energies is not None
    one, two = result.energies.histograms
    # kcal/mol and hartree give the same but for rounding at the edges of bins
    assert np.abs(one.counts - two.counts).sum() <= 4
    elements = sorted(set(qm9.structures.numbers.tolist()))
    counts = np.array([[np.count_nonzero(m.numbers == z) for z in elements] for m in qm9.structures], float)
    energies = u0 * HARTREE
    rest = (energies - counts @ np.linalg.lstsq(counts, energies, rcond=None)[0]) / counts.sum(axis=1)
    assert np.abs(np.histogram(rest, result.energies.edges)[0] - one.counts).sum() <= 4
    assert "a: U0, b: energy" in result.energies.note


def test_atomization_and_total_energies_fall_together_with_a_fit_to_each(qm9: Dataset) -> None:
    atomization = replace(qm9, properties={"energy": qm9.properties["U0_atomization"]})
    sets = measured(("total", qm9), ("atomization", atomization))
    each = comparison(sets, SPEC).energies
    plain = comparison(sets, SPEC.with_values(fit="none")).energies
    union = comparison(sets, SPEC.with_values(fit="union")).energies
    assert each is not None
    assert plain is not None
    assert union is not None
    width = each.edges[-1] - each.edges[0]
    one, two = each.histograms
    assert np.abs(np.cumsum(one.counts) - np.cumsum(two.counts)).max() <= 0.01 * len(qm9)
    assert plain.edges[-1] - plain.edges[0] > 50 * width
    assert union.edges[-1] - union.edges[0] > 50 * width


def test_one_molecule_has_energies_about_their_mean(ethanol: Dataset) -> None:
    result = comparison(measured(("a", ethanol)), SPEC)
    values = ethanol.properties["energy"].values
    assert result.energies is not None
    counts = np.histogram((values - values.mean()) / 9, result.energies.edges)[0]
    assert np.abs(counts - result.energies.histograms[0].counts).sum() <= 2


def test_forces_are_norms_on_a_logarithmic_axis(ethanol: Dataset) -> None:
    p = ethanol.properties["forces"]
    converted = Property(p.values / KCAL_PER_MOL, target="atom", unit="kcal/mol/Å")
    other = replace(ethanol, properties={"forces": converted})
    sets = measured(("a", ethanol), ("b", other))
    norms = np.linalg.norm(p.values, axis=1)
    for s in sets:
        assert s.forces is not None
        assert s.forces.mean == pytest.approx(norms.mean(), rel=1e-12)
        assert np.abs(np.histogram(norms, force_edges())[0] - s.forces.counts).sum() <= 4
    curves = comparison(sets, SPEC).forces
    assert curves is not None
    density = curves.histograms[0].density(curves.edges, log=True)
    assert (density * np.diff(np.log10(curves.edges))).sum() == pytest.approx(1.0)


def test_missing_values_are_counted_not_drawn() -> None:
    energies = np.array([1.0, np.nan, np.inf, 2.0])
    forces = np.zeros((8, 3))
    forces[0, 0], forces[1] = 1.0, np.nan
    dataset = dataset_of(
        [[1, 1]] * 4,
        [[[0, 0, 0], [0, 0, 0.74 + 0.1 * k]] for k in range(4)],
        energy=Property(energies, unit="eV"),
        forces=Property(forces, target="atom", unit="eV/Å"),
    )
    (found,) = measured(("a", dataset))
    assert found.energies is not None
    assert found.energies.missing == 2
    assert found.energies.values.tolist() == [1.0, 2.0]
    assert found.forces is not None
    assert (found.forces.missing, found.forces.outside, found.forces.counts.sum()) == (1, 6, 1)
    result = comparison([found], SPEC)
    assert result.forces is not None
    assert "zero, or beyond the axis: 6" in result.forces.note


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_single_and_identical_structures_are_legal(count: int) -> None:
    dataset = dataset_of([[8, 1, 1]] * count, [np.eye(3)] * count, energy=Property(np.full(count, -1.0), unit="Ha"))
    found = measured(("a", dataset), ("b", dataset))
    result = comparison(found, SPEC)
    assert found[0].molecules == min(count, 1)
    assert (result.energies is None) == (count == 0)
    assert bool(result.distances) == (count > 0)
    if result.energies is not None:
        assert np.isfinite(result.energies.edges).all()
        assert result.energies.histograms[0].counts.sum() == count
    covered = coverage([DataPart("a", dataset), DataPart("b", dataset)], REGISTRY["coulomb_matrix"](), CoverageSpec())
    assert np.isnan(covered.outside).all() == (count < 2)
    if count >= 2:
        assert (covered.outside == 0).all()


def test_large_sets_are_thinned_evenly_and_that_is_said(qm9: Dataset) -> None:
    large = qm9.take(np.arange(1500) % len(qm9))
    found = measures(DataPart("a", large), SPEC.with_values(limit=1000))
    assert (found.structures, found.looked_at) == (1500, 1000)
    assert found.geometry.structures == 1000
    assert found.composition.atoms.sum() == 1500
    assert any("1,000 of 1,500" in note for note in found.notes)


def test_smoothing_keeps_the_sum() -> None:
    counts = np.array([5.0, 0, 0, 1, 0, 0, 0, 3])
    for sigma in (0.0, 0.7, 2.0, 30.0):
        assert smoothed(counts, sigma).sum() == pytest.approx(9.0)
    assert smoothed(counts, 2.0).max() < 5


def test_can_be_cancelled(qm9: Dataset) -> None:
    with pytest.raises(Cancelled):
        measures(DataPart("a", qm9), SPEC, Progress(is_cancelled=lambda: True))


def test_numbers_can_be_written(qm9: Dataset, ethanol: Dataset) -> None:
    import json

    result = comparison(measured(("a", qm9), ("b", ethanol)), SPEC)
    read = json.loads(json.dumps(result.to_dict()))
    assert [s["name"] for s in read["sets"]] == ["a", "b"]
    assert sum(read["distances"]["C–H"]["sets"][0]["counts"]) == read["distances"]["C–H"]["sets"][0]["total"]
    assert result.frequent("angles")[0] in ("H–C–H", "C–C–H")


# -- coverage


def test_coverage_is_that_of_all_distances(qm9: Dataset) -> None:
    mask = np.zeros(len(qm9), bool)
    mask[:200] = True
    parts = [DataPart("a", qm9, mask), DataPart("b", qm9, ~mask)]
    representation = REGISTRY["coulomb_matrix"]()
    found = coverage(parts, representation, CoverageSpec(quantile=0.9))
    rows = representation.compute(qm9.structures).array
    table = cdist(rows, rows)
    np.fill_diagonal(table, np.inf)
    own = table[:200, :200].min(axis=1)
    there = table[200:, :200].min(axis=1)
    np.testing.assert_allclose(found.nearest[0][1], there, rtol=1e-9)
    np.testing.assert_allclose(found.nearest[0][0], own, rtol=1e-9)
    threshold = np.sort(own)[int(np.ceil(0.9 * 200)) - 1]
    assert found.threshold[0] == pytest.approx(threshold, rel=1e-9)
    assert found.outside[0, 1] == np.count_nonzero(found.nearest[0][1] > found.threshold[0]) / 300
    assert "of b lie farther from a than 90 % of a" in found.sentence(0, 1)


def test_a_set_covers_itself_to_its_quantile_and_all_of_its_part(qm9: Dataset) -> None:
    part = np.arange(len(qm9)) < 100
    found = coverage([DataPart("all", qm9), DataPart("part", qm9, part)], REGISTRY["coulomb_matrix"](), CoverageSpec())
    assert found.outside[0, 0] <= 0.05
    assert found.outside[0, 1] == 0.0
    assert found.outside[1, 0] > 0.3


def test_samples_are_seeded_and_told(qm9: Dataset) -> None:
    parts = [DataPart("a", qm9), DataPart("b", qm9)]
    representation = REGISTRY["composition"]()
    one, two = (coverage(parts, representation, CoverageSpec(sample=50, seed=3)) for _ in range(2))
    assert [r.tolist() for r in one.rows] == [r.tolist() for r in two.rows]
    assert all(len(r) == 50 for r in one.rows)
    assert "50 of 500 of a" in one.note


def test_features_beyond_the_budget_are_refused(qm9: Dataset) -> None:
    with pytest.raises(TooLargeError, match="fewer structures"):
        coverage([DataPart("a", qm9)] * 2, REGISTRY["coulomb_matrix"](), CoverageSpec(), memory_budget=1000)


def test_bins_of_distances_are_logarithmic_only_for_far_sets() -> None:
    near, far = np.linspace(0.01, 0.1, 50), np.linspace(50, 90, 50)
    edges, log = distance_bins([near, np.append(near, 0.0)])
    assert not log
    assert edges[0] == 0.0
    edges, log = distance_bins([near, far, np.full(3, np.nan)])
    assert log
    assert edges[0] < 0.011
    assert edges[-1] > 90
    assert len(distance_bins([np.zeros(4)])[0]) == 0


def test_the_joint_set_has_names_distances_and_the_columns_of_all(qm9: Dataset, ethanol: Dataset) -> None:
    parts = [DataPart("A", qm9), DataPart("B", ethanol)]
    covered = coverage(parts, REGISTRY["coulomb_matrix"](), CoverageSpec(sample=60))
    both = joint_dataset(parts, covered)
    assert len(both) == 120
    assert both.properties["set"].values.tolist() == ["A"] * 60 + ["B"] * 60
    np.testing.assert_array_equal(both.properties["distance to A"].values[60:], covered.nearest[0][1])
    outside = both.properties["outside A"].values
    assert outside[60:].mean() == covered.outside[0, 1]
    # of another unit in each: both are kept under names of their own
    np.testing.assert_array_equal(both.properties["gap [A]"].values[:60], qm9.properties["gap"].values[covered.rows[0]])
    assert np.isnan(both.properties["gap [B]"].values[:60]).all()
    assert both.properties["charge"].values.shape == (len(both.structures.numbers),)
    row = int(covered.rows[1][7])
    np.testing.assert_array_equal(both.structures[67].positions, ethanol.structures[row].positions)


# -- for the drawings


def test_sizes_become_bars_of_shares() -> None:
    labels, shares = size_bars([np.array([0, 0, 3, 1]), np.array([0, 0, 0, 0, 2])])
    assert labels == ["2", "3", "4"]
    np.testing.assert_allclose(shares, [[75, 25, 0], [0, 0, 100]])
    wide = np.ones(301, np.int64)
    labels, shares = size_bars([wide])
    assert labels[0] == "0–5"
    assert shares.sum() == pytest.approx(100)
    assert size_bars([np.zeros(1, np.int64)])[0] == []


def test_of_many_elements_the_frequent_are_shown(qm9: Dataset) -> None:
    sets = [m.composition for m in measured(("a", qm9))]
    elements, containing, mean = element_bars(sets, most=2)
    assert elements == (1, 6)
    assert containing.shape == mean.shape == (1, 2)


def test_labels_cover_neither_each_other_nor_points() -> None:
    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in rng.uniform(100, 200, (12, 2))]
    places = place_labels(points, [(40.0, 10.0)] * 12, (0, 0, 400, 400))
    boxes = [(*p, 40.0, 10.0) for p in places if p is not None]
    assert len(boxes) >= 10
    for i, a in enumerate(boxes):
        assert all(not (a[0] < x < a[0] + 40 and a[1] < y < a[1] + 10) for x, y in points)
        for b in boxes[:i]:
            assert a[0] + 40 <= b[0] or b[0] + 40 <= a[0] or a[1] + 10 <= b[1] or b[1] + 10 <= a[1]


# -- equilibrium against off-equilibrium


@pytest.mark.shared
@pytest.mark.skipif(not ANI.exists(), reason="needs the first file of ANI-1")
def test_conformers_of_methane_are_far_broader_than_equilibrium_geometries(qm9: Dataset) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(ANI) as file:
        group = file["gdb11_s01/gdb11_s01-0"]
        positions, energies = group["coordinates"][::5].astype(float), group["energies"][::5]
        numbers = [{b"C": 6, b"H": 1}[s] for s in group["species"]]
    methane = dataset_of([numbers] * len(positions), positions, energy=Property(energies, unit="Ha"))
    result = comparison(measured(("ANI-1 CH4", methane), ("QM9", qm9)), SPEC)
    bonds = result.distances["C–H"]
    spread = []
    for h in bonds.histograms:
        inside = (bonds.centers > 0.7) & (bonds.centers < 1.5)
        weights, x = h.counts[inside], bonds.centers[inside]
        spread.append(float(np.sqrt(np.average((x - np.average(x, weights=weights)) ** 2, weights=weights))))
    lengths = np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=2)
    assert spread[0] == pytest.approx(lengths.std(), rel=0.02)
    assert spread[0] > 3 * spread[1]
    h_c_h = result.angles["H–C–H"]
    wide = [np.count_nonzero(h.counts > 0.001 * h.total) for h in h_c_h.histograms]
    assert wide[0] > 3 * wide[1]
    assert result.energies is not None
    low = result.energies.histograms[0].counts
    assert low.sum() == pytest.approx(len(energies), rel=0.002)
