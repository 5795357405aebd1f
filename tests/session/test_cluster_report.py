"""What sets a group apart: statistics against scipy, wording, and sets without anything to compare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session import cluster_report as module
from qmlstudio.session.cluster_names import carried_over, full_names, renamed
from qmlstudio.session.cluster_report import (
    Difference,
    cluster_column,
    cluster_report,
    set_report,
    shift_text,
    with_article,
)
from qmlstudio.session.columns import Columns


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 900))


def report(dataset: Dataset, mask: Any, **derived: Property) -> Any:
    return set_report(dataset, Columns(dataset, derived), np.asarray(mask))


def test_differences_are_scipys(qm9: Dataset) -> None:
    from scipy.stats import ks_2samp, mannwhitneyu

    mask = qm9.properties["gap"].values < 0.2
    found = {d.name: d for d in report(qm9, mask).properties}
    assert "gap" in found
    for name, d in found.items():
        values = qm9.properties[name].values
        a, b = values[mask], values[~mask]
        assert d.distance == pytest.approx(ks_2samp(a, b).statistic)
        u = mannwhitneyu(a, b).statistic
        assert d.rank_biserial == pytest.approx(2 * u / len(a) / len(b) - 1)
        assert d.inside == pytest.approx(np.median(a))
        assert d.outside == pytest.approx(np.median(b))
        assert d.p < 1e-3
    assert found["gap"].shift < -2
    assert found["gap"].unit == "Ha"


def test_shift_is_cohens_d_of_clipped_values() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1.0, 1.0, 3000), rng.normal(0.0, 1.0, 3000)])
    values[::500] = 1e9  # what a few linear molecules do to rotational constants
    structures = Structures.from_lists([[6]] * 6000, [np.zeros((1, 3))] * 6000)
    dataset = Dataset("two", structures, {"x": Property(values)})
    (difference,) = report(dataset, np.arange(6000) < 3000).properties
    assert difference.shift == pytest.approx(1.0, abs=0.1)


def test_properties_that_say_the_same_are_named_together(qm9: Dataset) -> None:
    found = report(qm9, qm9.properties["U0"].values > np.median(qm9.properties["U0"].values)).properties
    by_name = {d.name: d for d in found}
    assert set(by_name["U0"].alike) >= {"U", "H", "G"}
    assert not {"U", "H", "G"} & set(by_name)


def test_groups_and_scaffolds_of_a_set(qm9: Dataset) -> None:
    from rdkit import Chem
    from scipy.stats import fisher_exact

    smiles = qm9.smiles
    assert smiles is not None
    pattern = Chem.MolFromSmarts("[CX2]#[NX1]")
    has = np.array([Chem.MolFromSmiles(str(s)).HasSubstructMatch(pattern) for s in smiles])
    mask = has.copy()
    mask[np.flatnonzero(~has)[:20]] = True
    found = report(qm9, mask)
    top = found.groups[0]
    assert top.name == "nitrile"
    assert top.inside == pytest.approx(has.sum() / mask.sum())
    assert top.outside == 0.0
    assert np.isinf(top.enrichment)
    table = [[has.sum(), 20], [0, (~mask).sum()]]
    assert top.p == pytest.approx(fisher_exact(table, alternative="greater")[1], rel=1e-6, abs=1e-300)
    assert f"{100 * top.inside:.0f} % have a nitrile (0 % elsewhere)" in found.summary
    assert all(s.inside > s.outside for s in found.groups)
    assert all(s.inside < s.outside for s in found.lacking)
    rings = report(qm9, np.array(["1" in str(s) for s in smiles]))
    assert rings.scaffolds
    assert rings.scaffolds[0].inside > rings.scaffolds[0].outside
    assert "1" in rings.scaffolds[0].name


def test_composition_is_counted(qm9: Dataset) -> None:
    mask = np.arange(900) % 7 == 0
    found = report(qm9, mask)
    formulas = np.array(qm9.structures.formulas())
    _, counts = np.unique(formulas[mask], return_counts=True)
    assert found.formulas[0].inside == pytest.approx(counts.max() / mask.sum())
    for share in found.formulas:
        assert share.inside == pytest.approx(np.mean(formulas[mask] == share.name))
        assert share.outside == pytest.approx(np.mean(formulas[~mask] == share.name))
    columns = Columns(qm9)
    for symbol, inside, outside in found.elements:
        values = columns[f"n_{symbol}"].values
        assert inside == pytest.approx(values[mask].mean())
        assert outside == pytest.approx(values[~mask].mean())
    assert found.heavy_atoms[0] == pytest.approx(columns["n_heavy"].values[mask].mean())


def test_chance_is_no_difference(qm9: Dataset) -> None:
    mask = np.random.default_rng(4).random(900) < 0.3
    found = report(qm9, mask)
    assert found.properties == found.groups == found.lacking == ()
    assert "nothing in particular sets this set apart" in found.summary


def test_sets_without_a_rest(qm9: Dataset) -> None:
    assert report(qm9, np.zeros(900, bool)).summary == "Nothing is in this set."
    whole = report(qm9, np.ones(900, bool))
    assert "nothing else to compare with" in whole.summary
    assert whole.groups[0].inside > 0.1
    one = report(qm9, np.arange(900) == 5)
    assert one.count == 1
    assert one.summary.startswith("1 structure (")
    with pytest.raises(ValueError, match="a mask of shape"):
        report(qm9, np.zeros(3, bool))


def test_odd_values_are_legal() -> None:
    n = 60
    structures = Structures.from_lists([[1]] * n, [np.zeros((1, 3))] * n)
    mask = np.arange(n) < 30
    gone = np.where(mask, np.nan, 1.0)
    apart = np.where(mask, 1.0, 2.0)
    mixed = np.arange(n, dtype=float)
    mixed[[3, 40]] = np.inf, np.nan
    properties = {
        "constant": Property(np.ones(n)),
        "gone": Property(gone),
        "nothing": Property(np.full(n, np.nan)),
        "apart": Property(apart, unit="eV"),
        "huge": Property(apart * 1e300),
        "mixed": Property(mixed),
        "text": Property(np.array(["a"] * n)),
    }
    found = report(Dataset("odd", structures, properties), mask)
    by_name = {d.name: d for d in found.properties}
    assert set(by_name) <= {"apart", "mixed", "huge"}
    assert by_name["apart"].shift == -np.inf
    assert "huge" in by_name["apart"].alike
    assert np.isfinite(by_name["mixed"].shift)
    assert "apart 1 eV, lower (2 elsewhere)" in found.summary


def test_no_atoms_at_all() -> None:
    nothing = Dataset("empty", Structures.from_lists([], []))
    assert report(nothing, np.zeros(0, bool)).summary == "Nothing is in this set."


def test_crystals_have_composition_only() -> None:
    n = 40
    cells = np.repeat(np.eye(3)[None] * 5.0, n, axis=0)
    numbers = [[11, 17] if k < 20 else [3, 9] for k in range(n)]
    structures = Structures.from_lists(numbers, [np.array([[0.0, 0, 0], [2.5, 0, 0]])] * n)
    structures = replace(structures, cells=cells)
    found = report(Dataset("salts", structures), np.arange(n) < 20)
    assert found.formulas[0].name == "ClNa"
    assert "substructures are not known" in found.note
    assert "no Li" in found.summary


def test_large_sets_are_sampled(qm9: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_LIMIT", 200)
    monkeypatch.setattr(module, "VALUES_LIMIT", 300)
    found = report(qm9, qm9.properties["gap"].values < 0.25)
    assert "substructures: 100 inside and 100 others, at random" in found.note
    assert "properties: 150 inside and 150 others, at random" in found.note
    assert found.properties[0].name == "gap"


def test_cluster_is_its_mask(qm9: Dataset) -> None:
    labels = (np.arange(900) % 3 - 1).astype(np.int32)
    column = cluster_column(labels, ("a", "b"))
    columns = Columns(qm9, {"cluster": column})
    assert cluster_report(qm9, columns, labels, 1) == set_report(qm9, columns, labels == 1)
    with pytest.raises(Cancelled):
        cluster_report(qm9, columns, labels, 1, Progress(is_cancelled=lambda: True))


def test_wording() -> None:
    assert [with_article(w) for w in ("pyrrole ring", "ether", "urea", "fused or bridged rings", "chlorine")] == [
        "a pyrrole ring",
        "an ether",
        "a urea",
        "fused or bridged rings",
        "chlorine",
    ]
    d = Difference("gap", "Ha", 0.24, 0.3, -1.31, 0.0, 0.5, 0.0)
    assert shift_text(d) == "0.24 Ha, lower by 1.3 σ"


def test_column_of_names() -> None:
    labels = np.array([0, 0, 1, -1, 2, 2, 1, 0], np.int32)
    column = cluster_column(labels, ("cluster 1", "azoles", "cluster 3"))
    assert column.values.tolist() == [
        "cluster 1",
        "cluster 1",
        "azoles",
        "",
        "cluster 3",
        "cluster 3",
        "azoles",
        "cluster 1",
    ]
    # the order of the labels, which is not that of the alphabet
    assert column.categories == ("cluster 1", "azoles", "cluster 3")
    merged = cluster_column(labels, ("x", "y", "y"))
    assert merged.categories == ("y", "x")
    assert set(merged.categories) == set(Property(merged.values).categories)
    assert cluster_column(np.full(3, -1, np.int32), ()).values.tolist() == ["", "", ""]


def test_names() -> None:
    names = renamed((), 2, "azoles")
    assert full_names(names, 3) == ("cluster 1", "cluster 2", "azoles")
    assert renamed(names, 2, "") == ()
    assert renamed(names, 2, "cluster 3") == ()
    assert renamed(renamed(names, 0, "b"), 2, "c") == ((0, "b"), (2, "c"))


def test_names_follow_their_structures() -> None:
    old = np.array([0] * 10 + [1] * 6 + [2] * 4 + [-1] * 2, np.int32)
    new = np.array([1] * 10 + [0] * 6 + [0] * 4 + [2] * 2, np.int32)
    assert carried_over(((0, "big"), (1, "middle"), (2, "small")), old, new) == ((0, "middle"), (1, "big"))
    assert carried_over(((0, "big"),), old, np.full(22, -1, np.int32)) == ()
    assert carried_over(((0, "big"),), old, new[:5]) == ()
