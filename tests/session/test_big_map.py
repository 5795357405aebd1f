"""Maps of landmarks with the rest placed on them: chunks change nothing, memory stays within the budget."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA, UMAP, KernelPCA
from qmlstudio.learning.embedding_base import Coordinates, Embedding
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY
from qmlstudio.session import big_map as module
from qmlstudio.session.big_map import BigMap, big_map, plan
from qmlstudio.session.stages import TooLargeError

FEW = Landmarks(count=150, candidates=300)


def some(n: int = 1500) -> Structures:
    structures = load_builtin("qm9_7").structures
    return structures.take(slice(len(structures) - n, None))


def made(embedding: Embedding, n: int = 1500, **more: Any) -> BigMap:
    return big_map(REGISTRY["coulomb_matrix"](), some(n), embedding, FEW, threads=1, **more)


@pytest.mark.parametrize("method", [UMAP(n_epochs=50), PCA(n_components=3), KernelPCA()])
def test_chunks_do_not_change_the_result(method: Embedding) -> None:
    representation, structures = REGISTRY["coulomb_matrix"](), some()
    row = 4 * representation.size(structures.species)
    small = 4 * 256 * row
    assert plan(representation, structures, method, FEW, small).chunk == 256
    assert plan(representation, structures, method, FEW, 2**31).chunk >= 1280
    one, many = made(method, budget=2**31), made(method, budget=small)
    assert (one.landmarks == many.landmarks).all()
    assert (one.coordinates.points == many.coordinates.points).all()
    assert np.isfinite(one.coordinates.points).all()
    assert (len(one.landmarks), one.projected, one.unplaced) == (150, 1350, 0)


@pytest.mark.parametrize("name", ["atomic_coulomb_matrix", "bag_of_bonds"])
def test_rows_of_atoms_and_of_structures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    representation, structures = REGISTRY[name](), some(400)
    if name == "atomic_coulomb_matrix":
        representation = representation.with_values(average="off")
    assert representation.local == (name == "atomic_coulomb_matrix")
    few = Landmarks(count=60, candidates=100)
    one = big_map(representation, structures, PCA(), few, threads=1)
    monkeypatch.setattr(module, "CHUNK_BYTES", 2**18)
    many = big_map(representation, structures, PCA(), few, threads=1)
    assert (one.coordinates.points == many.coordinates.points).all()
    # the map of landmarks is that of their features, and the others are placed by theirs
    features = representation.compute(structures, threads=1, dtype=np.float32).per_structure()
    neighbors = PCA().neighbors(features[one.landmarks])
    expected = PCA().project_linear(neighbors, features)
    assert expected is not None
    assert np.abs(one.coordinates.points - expected).max() < 1e-5 * np.abs(expected).max()


def test_memory_stays_within_the_budget() -> None:
    structures, representation = some().take(np.arange(20_000) % 1500), REGISTRY["coulomb_matrix"]()
    need = representation.memory(structures, np.float32)
    budget = need // 2
    # compiled and imported before it is measured
    big_map(representation, structures.take(slice(0, 60)), PCA(), Landmarks(count=20, candidates=30), threads=1)
    _ = structures.species
    tracemalloc.start()
    try:
        found = big_map(representation, structures, PCA(), FEW, budget, threads=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.isfinite(found.coordinates.points).all()
    assert peak < budget


def test_too_small_a_budget_says_what_is_needed() -> None:
    with pytest.raises(TooLargeError, match="even of a few landmarks"):
        made(PCA(), budget=100_000)


def test_short_memory_means_fewer_candidates_and_landmarks() -> None:
    representation, structures = REGISTRY["coulomb_matrix"](), some(1500)
    row = 4 * representation.size(structures.species)
    division = plan(representation, structures, UMAP(), Landmarks(), 2000 * row)
    assert (division.candidates, division.landmarks) == (1000, 1000)
    division = plan(representation, structures, KernelPCA(), Landmarks(), 32 * 700**2)
    assert (division.candidates, division.landmarks) == (1500, 700)


def test_details_and_quality() -> None:
    found = made(UMAP(n_epochs=50))
    details = found.coordinates.details
    assert (details["landmarks"], details["projected"]) == (150, 1350)
    assert found.quality.trustworthiness > 0.9
    spread = details["quality"].distortion
    assert len(spread) == 1500
    assert (spread[found.landmarks] == found.quality.distortion).all()
    assert np.isnan(np.delete(spread, found.landmarks)).all()


def test_similar_molecules_are_placed_together() -> None:
    from sklearn.manifold import trustworthiness

    features = REGISTRY["coulomb_matrix"]().compute(some(), threads=1).array
    points = made(UMAP(n_epochs=200)).coordinates.points
    assert trustworthiness(features, points, n_neighbors=15) > 0.95


def test_partial_maps_progress_and_cancel() -> None:
    seen: list[Coordinates] = []
    fractions: list[float] = []
    progress = Progress(lambda f, _: fractions.append(f), partial=seen.append, interval=0.0)
    found = made(UMAP(n_epochs=50), progress=progress)
    assert seen
    assert all(isinstance(value, Coordinates) and value.points.shape == (1500, 2) for value in seen)
    known = np.isfinite(seen[0].points).all(axis=1)
    assert known.sum() == 150
    assert known[found.landmarks].all()
    assert fractions[-1] == 1.0
    assert np.diff(fractions).min() > -1e-9
    asked = 0

    def after_some() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(Cancelled):
        made(UMAP(n_epochs=50), progress=Progress(is_cancelled=after_some))
    assert asked == 41


def test_supervised_by_a_property() -> None:
    target = np.arange(1500.0)
    target[::5] = np.nan
    found = made(UMAP(n_epochs=50, supervised_by="x"), target=target)
    assert np.isfinite(found.coordinates.points).all()
    assert (found.coordinates.points != made(UMAP(n_epochs=50)).coordinates.points).any()


@pytest.mark.parametrize("n", [1, 2, 3, 20])
@pytest.mark.parametrize("method", [UMAP(n_epochs=20), PCA()])
def test_few_structures(n: int, method: Embedding) -> None:
    found = made(method, n)
    assert found.coordinates.points.shape == (n, 2)
    assert np.isfinite(found.coordinates.points).all()
    assert (len(found.landmarks), found.projected) == (n, 0)


def test_equal_structures_lie_in_one_place() -> None:
    structures = Structures.from_lists([[8, 1, 1]] * 60, [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]] * 60)
    found = big_map(REGISTRY["coulomb_matrix"](), structures, UMAP(), FEW, threads=1)
    assert len(found.landmarks) == 1
    assert (found.coordinates.points == found.coordinates.points[0]).all()
    assert "too few" in found.quality.reason
