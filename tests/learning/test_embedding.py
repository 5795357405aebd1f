"""The embeddings against scikit-learn and umap-learn, streamed, cancelled, and on degenerate features."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.learning.embedding import PCA, REGISTRY, UMAP, from_dict
from qmlstudio.learning.embedding_base import Coordinates, Neighbors
from qmlstudio.progress import Cancelled, Progress

ROOT = Path(__file__).resolve().parents[2]


def quiet_umap() -> Any:
    """umap-learn, whose import and use warn about things that are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap
    return umap


def blobs(n: int = 600, d: int = 20, groups: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Well separated Gaussian clusters, and the cluster of each row."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % groups
    return 12.0 * rng.standard_normal((groups, d))[label] + rng.standard_normal((n, d)), label


def correlated(n: int, d: int, seed: int = 1) -> np.ndarray:
    """Rows that vary along few directions, as features of molecules do."""
    rng = np.random.default_rng(seed)
    scales = np.maximum(0.7 ** np.arange(d), 1e-3)
    return rng.standard_normal((n, d)) * scales @ np.linalg.qr(rng.standard_normal((d, d)))[0] + 3.0


class Recorder:
    """Collects what a computation reports; cancels after some questions."""

    def __init__(self, allowed: int | None = None) -> None:
        self.partials: list[Coordinates] = []
        self.fractions: list[float] = []
        self.asked = 0
        self._allowed = allowed
        self.progress = Progress(lambda f, _: self.fractions.append(f), self._ask, self.partials.append, interval=0.0)

    def _ask(self) -> bool:
        self.asked += 1
        return self._allowed is not None and self.asked > self._allowed


# --- registry


@pytest.mark.parametrize("name", REGISTRY)
def test_round_trip(name: str) -> None:
    method = REGISTRY[name]()
    assert method.name == name
    assert from_dict(method.to_dict()) == method


def test_from_dict_refuses_unknown() -> None:
    with pytest.raises(ValueError, match="there is no embedding 'tsne2'"):
        from_dict({"name": "tsne2"})
    with pytest.raises(ValueError, match="has no parameter perplexity"):
        from_dict({"name": "umap", "perplexity": 30})


def test_stages_divide_the_parameters() -> None:
    base = UMAP()
    moved = UMAP(min_dist=0.4, spread=2.0, n_epochs=50, negative_sample_rate=3, seed=5)
    assert base.stage_values("neighbors") == moved.stage_values("neighbors") == {"n_neighbors": 15}
    assert "n_neighbors" not in base.stage_values("layout")
    assert PCA().stage_values("neighbors") == {}


def test_min_dist_must_not_exceed_spread() -> None:
    with pytest.raises(ValueError, match="min_dist"):
        UMAP(min_dist=1.5, spread=1.0)


def test_import_stays_light() -> None:
    code = (
        "import sys, qmlstudio.learning.embedding, qmlstudio.learning.alignment, qmlstudio.learning.quality\n"
        "print([m for m in ('numba', 'scipy', 'sklearn', 'umap', 'pynndescent') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- principal components


@pytest.mark.parametrize(("n", "d"), [(300, 40), (60, 200), (50, 3), (5, 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pca_equals_sklearn(n: int, d: int, dtype: type) -> None:
    from sklearn import decomposition

    features = correlated(n, d).astype(dtype)
    found = PCA().neighbors(features)
    p = min(n - 1, d, 10)
    reference = decomposition.PCA(n_components=p, svd_solver="full").fit(features.astype(np.float64))
    expected = reference.transform(features.astype(np.float64))
    scale = np.abs(expected).max()
    assert np.abs(found.components[:, :p] - expected).max() < 1e-10 * scale
    assert np.abs(found.variance[:p] - reference.explained_variance_ratio_).max() < 1e-12


def test_pca_of_large_matrix_by_lanczos(monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.learning import _pca

    features = correlated(400, 150)
    direct = _pca.principal_components(features, 10)
    monkeypatch.setattr(_pca, "DENSE_LIMIT", 50)
    lanczos = _pca.principal_components(features, 10)
    assert np.abs(lanczos.scores - direct.scores).max() < 1e-9
    rough = _pca.principal_components(features, 10, exact=False)
    assert np.abs(rough.axes.T @ rough.axes - np.eye(10)).max() < 1e-12
    assert np.abs(rough.variance - direct.variance).max() < 1e-3


def test_pca_reads_memory_maps_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.learning import _pca

    features = correlated(500, 30)
    np.save(tmp_path / "features.npy", features)
    whole = PCA().neighbors(features)
    original = _pca.row_blocks
    monkeypatch.setattr(_pca, "row_blocks", lambda matrix: original(matrix, 1000))
    mapped = PCA().neighbors(np.load(tmp_path / "features.npy", mmap_mode="r"))
    assert np.abs(mapped.components - whole.components).max() < 1e-12


def test_pca_layout_chooses_components() -> None:
    found = PCA().neighbors(correlated(50, 6))
    map_ = PCA(component_x=3, component_y=1).layout(found)
    assert np.array_equal(map_.points, found.components[:, [2, 0]])
    assert map_.axes[0] == f"PC 3 ({100 * found.variance[2]:.1f} %)"
    # a component that six columns do not have
    beyond = PCA(component_x=1, component_y=9).layout(found)
    assert not beyond.points[:, 1].any()


# --- neighbours


def check_against_sklearn(features: np.ndarray, found: Neighbors, k: int) -> None:
    from sklearn.neighbors import NearestNeighbors

    wide = features.astype(np.float64)
    wide = wide - wide.mean(axis=0)
    reference = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(wide)
    _, expected = reference.kneighbors(wide)
    exact = np.linalg.norm(wide[:, None, :] - wide[expected], axis=2)
    own = np.linalg.norm(wide[:, None, :] - wide[found.indices], axis=2)
    assert np.array_equal(found.indices[:, 0], np.arange(len(features)))
    assert np.abs(found.distances - own).max() <= 1e-6 * own.max()
    assert np.abs(np.sort(exact, axis=1) - found.distances).max() <= 1e-5 * exact.max()
    recall = np.mean([len(set(a) & set(b)) / k for a, b in zip(expected, found.indices, strict=True)])
    assert recall >= 0.9999


@pytest.mark.parametrize(
    ("n", "d", "k"), [(1500, 60, 15), (1200, 300, 10), (700, 5, 30), (300, 1, 5), (130, 40, 2), (40, 2000, 15)]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_neighbours_equal_brute_force(n: int, d: int, k: int, dtype: type) -> None:
    features = (correlated(n, d) if d <= 300 else np.random.default_rng(0).standard_normal((n, d))).astype(dtype)
    check_against_sklearn(features, UMAP(n_neighbors=k).neighbors(features), k)


def test_neighbours_far_from_the_origin() -> None:
    """Two tight clusters far apart: single-precision products alone would see nothing of their inside."""
    rng = np.random.default_rng(4)
    features = rng.standard_normal((800, 12)) + 1e5 * (np.arange(800) % 2)[:, None]
    found = UMAP(n_neighbors=8).neighbors(features)
    for start in (0, 1):
        part = features[start::2]
        distances = np.sort(np.linalg.norm(part[:, None] - part[None], axis=2), axis=1)[:, :8]
        assert np.abs(found.distances[start::2] - distances).max() < 1e-5


def test_neighbours_do_not_depend_on_threads() -> None:
    features = correlated(5000, 30)
    one, two = UMAP().neighbors(features, threads=1), UMAP().neighbors(features, threads=3)
    assert np.array_equal(one.indices, two.indices)
    assert np.array_equal(one.distances, two.distances)


def test_near_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit most neighbours are still found, and the result says that it is not exact."""
    from qmlstudio.learning import _neighbors, embedding

    features = correlated(6000, 40)
    exact = UMAP().neighbors(features)
    monkeypatch.setattr(_neighbors, "EXACT_LIMIT", 1000)
    monkeypatch.setattr(_neighbors, "NEAR_BLOCKS", 14)
    rough = embedding.UMAP().neighbors(features)
    assert exact.exact
    assert not rough.exact
    recall = np.mean([len(set(a) & set(b)) / 15 for a, b in zip(exact.indices, rough.indices, strict=True)])
    assert 0.9 < recall < 1.0


# --- fuzzy set and curve


@pytest.mark.parametrize("duplicates", [False, True])
def test_fuzzy_set_equals_umap_learn(duplicates: bool) -> None:
    from qmlstudio.learning._fuzzy import fuzzy_set

    umap = quiet_umap()
    features = correlated(400, 10)
    if duplicates:
        features[100:140] = features[100]
        features[200:203] = features[200]
    found = UMAP(n_neighbors=12).neighbors(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _, _ = umap.umap_.fuzzy_simplicial_set(
            features, 12, np.random.RandomState(0), "euclidean", knn_indices=found.indices, knn_dists=found.distances
        )
    graph = fuzzy_set(found.indices, found.distances)
    own = np.zeros((400, 400))
    for i in range(400):
        row = slice(graph.offsets[i], graph.offsets[i + 1])
        assert (np.diff(graph.tails[row]) > 0).all()
        own[i, graph.tails[row]] = graph.weights[row]
    assert np.abs(own - expected.toarray()).max() < 1e-5


@pytest.mark.parametrize("values", [(0.1, 1.0), (0.0, 1.0), (0.5, 1.0), (0.99, 1.0), (0.05, 0.3), (0.5, 3.0)])
def test_curve_equals_umap_learn(values: tuple[float, float]) -> None:
    from qmlstudio.learning._curve import curve_parameters

    umap = quiet_umap()
    min_dist, spread = values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = umap.umap_.find_ab_params(spread, min_dist)
    assert curve_parameters(min_dist, spread) == pytest.approx(expected, abs=1e-4)


def test_tables_follow_the_formula() -> None:
    from qmlstudio.learning import _layout_loops as _layout

    a, b = 1.577, 0.895
    tables = _layout.coefficient_tables(a, b)
    for d in (1e-2, 0.3, 1.0, 4.2, 50.0):
        place = int((np.float32(d * d).view(np.int32) >> _layout._SHIFT) - _layout._BASE)
        attraction = -2 * a * b * d ** (2 * b - 2) / (1 + a * d ** (2 * b))
        repulsion = 2 * b / ((0.001 + d * d) * (1 + a * d ** (2 * b)))
        assert tables[0, place] == pytest.approx(attraction, rel=0.01)
        assert tables[1, place] == pytest.approx(repulsion, rel=0.01)


# --- the map


def test_same_seed_same_map_in_every_process_and_number_of_threads() -> None:
    features = blobs(4400, 8)[0]
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1])\n"
        "import test_embedding as t\n"
        "from qmlstudio.learning.embedding import UMAP\n"
        "m = UMAP(n_epochs=20, seed=3); f = t.blobs(4400, 8)[0]\n"
        "print(m.layout(m.neighbors(f, threads=1), threads=1).points.tobytes().hex())"
    )
    method = UMAP(n_epochs=20, seed=3)
    found = method.neighbors(features, threads=2)
    one, two = method.layout(found, threads=1).points, method.layout(found, threads=2).points
    assert one.tobytes() == two.tobytes()
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, check=True)
    assert bytes.fromhex(done.stdout.strip()) == one.tobytes()
    assert not np.array_equal(method.with_values(seed=4).layout(found).points, one)


def test_clusters_stay_apart() -> None:
    features, label = blobs()
    method = UMAP()
    points = method.layout(method.neighbors(features)).points
    centres = np.array([points[label == g].mean(axis=0) for g in range(4)])
    radius = max(np.linalg.norm(points[label == g] - centres[g], axis=1).max() for g in range(4))
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)[~np.eye(4, dtype=bool)]
    # no point is nearer to another cluster's centre than to its own
    nearest = np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1)
    assert np.array_equal(nearest, label)
    assert gaps.min() > radius


@pytest.mark.parametrize("kind", ["swiss roll", "blobs"])
def test_as_trustworthy_as_umap_learn(kind: str) -> None:
    from qmlstudio.learning.quality import trustworthiness

    umap = quiet_umap()
    if kind == "blobs":
        features = blobs(500)[0]
    else:
        rng = np.random.default_rng(2)
        t, height = 1.5 * np.pi * (1 + 2 * rng.random(800)), 20 * rng.random(800)
        features = np.stack([t * np.cos(t), height, t * np.sin(t)], axis=1)
    method = UMAP()
    ours = trustworthiness(features, method.layout(method.neighbors(features)).points)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = trustworthiness(features, umap.UMAP(random_state=0).fit_transform(features))
    assert ours > theirs - 0.01


def test_partial_maps_come_in_order_and_end_with_the_result() -> None:
    recorder = Recorder()
    method = UMAP(n_epochs=400)
    found = method.neighbors(correlated(2500, 10))
    result = method.layout(found, recorder.progress)
    epochs = [c.epoch for c in recorder.partials]
    assert epochs[0] == 0
    assert epochs[-1] == result.epoch == result.n_epochs == 400
    assert len(epochs) > 3
    assert epochs == sorted(set(epochs))
    assert np.array_equal(recorder.partials[-1].points, result.points)
    # the first is the principal components, only scaled
    start = recorder.partials[0].points
    assert abs(np.corrcoef(start[:, 0], found.components[:, 0])[0, 1]) > 0.999999
    assert len({id(c.points) for c in recorder.partials}) == len(epochs)
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == 1.0


def test_nothing_is_copied_for_nobody() -> None:
    method = UMAP(n_epochs=30)
    found = method.neighbors(blobs(200)[0])
    assert np.array_equal(method.layout(found).points, method.layout(found, Recorder().progress).points)


@pytest.mark.parametrize("allowed", [0, 3, 12])
def test_cancel(allowed: int) -> None:
    recorder = Recorder(allowed)
    method = UMAP(n_epochs=10_000)
    found = method.neighbors(blobs(2000)[0])
    with pytest.raises(Cancelled):
        method.layout(found, recorder.progress)
    assert recorder.asked == allowed + 1
    assert max((c.epoch for c in recorder.partials), default=0) < 5000


@pytest.mark.parametrize("method", [PCA(), UMAP()])
def test_cancel_of_neighbours(method: Any) -> None:
    with pytest.raises(Cancelled):
        method.neighbors(blobs(1000)[0], Recorder(1).progress)


def test_start_is_continued() -> None:
    features, _ = blobs()
    method = UMAP(n_epochs=60)
    found = method.neighbors(features)
    old = method.layout(found).points
    recorder = Recorder()
    again = method.layout(found, recorder.progress, start=1000.0 * old + 5.0).points
    # the first partial is the given map, shifted and scaled as a whole
    first = recorder.partials[0].points
    assert np.ptp(first, axis=0).max() == pytest.approx(10.0, abs=0.01)
    assert np.ptp(first, axis=0) / np.ptp(old, axis=0) == pytest.approx(
        np.full(2, 10 / np.ptp(old, axis=0).max()), 0.01
    )
    assert np.isfinite(again).all()
    with pytest.raises(ValueError, match="start"):
        method.layout(found, start=old[:-1])


# --- degenerate features


@pytest.mark.parametrize("method", [PCA(), UMAP(n_epochs=20)])
@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (2, 5), (3, 5), (4, 1), (10, 0), (16, 3), (30, 3000)])
@pytest.mark.parametrize("kind", ["random", "constant"])
def test_degenerate(method: Any, shape: tuple[int, int], kind: str) -> None:
    features = np.random.default_rng(0).standard_normal(shape) if kind == "random" else np.full(shape, 2.5)
    recorder = Recorder()
    found = method.neighbors(features, recorder.progress)
    map_ = method.layout(found, recorder.progress)
    assert map_.points.shape == (shape[0], 2)
    assert np.isfinite(map_.points).all()
    assert np.isfinite(found.variance).all()
    if isinstance(method, UMAP):
        assert found.indices.shape == (shape[0], min(15, shape[0]))
        assert np.array_equal(np.sort(found.distances, axis=1), found.distances)


def test_many_duplicates() -> None:
    features = np.repeat(correlated(20, 6), 40, axis=0)
    method = UMAP(n_epochs=50)
    found = method.neighbors(features)
    assert not found.distances.any()
    assert all(len(set(row)) == 15 for row in found.indices.tolist())
    points = method.layout(found).points
    assert len(np.unique(points, axis=0)) > 700


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", [PCA(), UMAP()])
def test_bad_values_are_named(method: Any, bad: float) -> None:
    features = correlated(50, 4)
    features[17, 2] = bad
    with pytest.raises(ValueError, match="row 17"):
        method.neighbors(features)


def test_whole_numbers_and_strides_are_legal() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (60, 8))
    plain = UMAP().neighbors(counts.astype(np.float64))
    assert np.array_equal(UMAP().neighbors(counts).indices, plain.indices)
    assert np.array_equal(UMAP().neighbors(np.asfortranarray(counts.astype(np.float64))).indices, plain.indices)
