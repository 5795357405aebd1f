"""Local kernels against qmllib, DScribe, double loops and brute force; extensivity; cancelling; odd inputs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.kernels import _local_tiles
from qmlstudio.learning.kernels.atom_similarity import INNER, median_distance
from qmlstudio.learning.kernels.local import (
    BestMatch,
    FCHL18Kernel,
    GlobalFromLocal,
    LocalAverage,
    LocalSum,
    REMatch,
)
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations.fchl18 import FCHL18
from qmlstudio.representations.fchl19 import FCHL19

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "local_kernels.json").read_text(encoding="utf-8"))
SUMS = (LocalSum, LocalAverage)
ALL = (*SUMS, BestMatch, REMatch)


def golden_rows() -> Rows:
    offsets = np.concatenate([[0], np.cumsum(GOLDEN["sizes"])])
    return Rows(np.array(GOLDEN["rows"]), offsets, np.array(GOLDEN["numbers"], dtype=np.uint8))


def golden(name: str) -> np.ndarray:
    return np.array(GOLDEN["matrices"][name])


def random_rows(n: int, seed: int = 0, d: int = 7, most: int = 6, elements: Any = (1, 6, 8)) -> Rows:
    """Structures of some atoms; each element has columns of its own that vanish for the others, as in real features."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most + 1, size=n)
    numbers = rng.choice(elements, size=sizes.sum()).astype(np.uint8)
    array = rng.uniform(-0.3, 1.0, size=(sizes.sum(), d))
    array[numbers == 1, : d // 3] = 0.0
    return Rows(array, np.concatenate([[0], np.cumsum(sizes)]), numbers, sizes)


def atom_kernel(kernel: Any, x: np.ndarray, y: np.ndarray) -> float:
    r, s = float(np.sqrt(((x - y) ** 2).sum())), kernel.sigma
    if kernel.inner == "dot":
        size = np.linalg.norm(x) * np.linalg.norm(y)
        return float((x @ y / size) ** kernel.zeta) if size else 0.0
    if kernel.inner == "gaussian":
        return float(np.exp(-(r**2) / (2 * s**2)))
    if kernel.inner == "laplacian":
        return float(np.exp(-np.abs(x - y).sum() / s))
    if kernel.inner == "matern-1/2":
        return float(np.exp(-r / s))
    if kernel.inner == "matern-3/2":
        return float((1 + np.sqrt(3) * r / s) * np.exp(-np.sqrt(3) * r / s))
    return float((1 + np.sqrt(5) * r / s + 5 * r**2 / (3 * s**2)) * np.exp(-np.sqrt(5) * r / s))


def environment(kernel: Any, a: Rows, i: int, b: Rows, j: int) -> np.ndarray:
    """(N, M) similarities of the atoms of two structures, one by one."""
    for rows in (a, b):
        assert rows.offsets is not None
        assert rows.numbers is not None
    mine, others = range(a.offsets[i], a.offsets[i + 1]), range(b.offsets[j], b.offsets[j + 1])
    found = np.zeros((len(mine), len(others)))
    for k, p in enumerate(mine):
        for t, q in enumerate(others):
            if a.numbers[p] == b.numbers[q] or not kernel.match_elements:
                found[k, t] = atom_kernel(kernel, a.array[p], b.array[q])
    return found


def direct(kernel: Any, a: Rows, b: Rows, value: Any) -> np.ndarray:
    return np.array([[value(environment(kernel, a, i, b, j)) for j in range(len(b))] for i in range(len(a))])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles and blocks so small that few atoms need many of them."""
    for name, value in {
        "TILE": (3, 5),
        "BLOCK_ATOMS": 14,
        "MATCH_ATOMS": 12,
        "PANEL": 4,
        "SPARSE_ATOMS": 1,
        "FEW_ATOMS": 0,
    }.items():
        monkeypatch.setattr(_local_tiles, name, value)


def test_qmllib_values() -> None:
    rows, sigma = golden_rows(), GOLDEN["sigma"]
    found = LocalSum(sigma=sigma).matrix(rows)
    assert np.abs(found / golden("sum") - 1.0).max() < 1e-12
    assert np.abs(found / golden("symmetric") - 1.0).max() < 1e-12
    assert np.abs(LocalSum(sigma=sigma).matrix(rows, rows) / golden("sum") - 1.0).max() < 1e-12
    for inner in ("gaussian", "laplacian"):
        every = LocalSum(inner=inner, sigma=sigma, match_elements=False).matrix(rows)
        assert np.abs(every / golden(f"every element, {inner}") - 1.0).max() < 1e-12
    whole = GlobalFromLocal(sigma=GOLDEN["wide"])
    assert np.abs(whole.matrix(rows) / golden("global") - 1.0).max() < 1e-12
    part = whole.matrix(rows.take([2]), rows.take([1, 3]))
    assert np.abs(part[0] / golden("global")[2, [1, 3]] - 1.0).max() < 1e-12
    assert whole.diagonal(rows).tolist() == [1.0] * 4


def test_dscribe_values() -> None:
    rows = golden_rows()
    power = REMatch(inner="dot", zeta=2, gamma=0.1, match_elements=False, tolerance=1e-13)
    assert np.abs(power.matrix(rows) - golden("rematch, power")).max() < 1e-8
    assert np.abs(power.matrix(rows, rows) - golden("rematch, power")).max() < 1e-8
    smooth = REMatch(sigma=GOLDEN["sigma"], gamma=0.5, match_elements=False, tolerance=1e-13, normalise=False)
    assert np.abs(smooth.matrix(rows) - golden("rematch, gaussian")).max() < 1e-8
    assert np.abs(smooth.diagonal(rows) - np.diag(golden("rematch, gaussian"))).max() < 1e-8


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("match", [True, False])
@pytest.mark.parametrize("inner", [name for name, _ in INNER])
def test_sums_equal_double_loops(inner: str, match: bool) -> None:
    a, b = random_rows(11), random_rows(8, seed=1, elements=(1, 8, 16))
    kernel = LocalSum(inner=inner, sigma=0.8, zeta=3, match_elements=match)
    expected, symmetric = direct(kernel, a, b, np.sum), direct(kernel, a, a, np.sum)
    scale = symmetric.max()
    assert np.abs(kernel.matrix(a, b) - expected).max() < 1e-12 * scale
    found = kernel.matrix(a)
    assert np.abs(found - symmetric).max() < 1e-12 * scale
    assert np.array_equal(found, found.T)
    assert np.abs(kernel.diagonal(a) - np.diag(symmetric)).max() < 1e-12 * scale
    single = kernel.matrix(a, b, dtype=np.float32, threads=2)
    assert single.dtype == np.float32
    assert np.abs(single - expected).max() < 1e-5 * scale
    mean = LocalAverage(inner=inner, sigma=0.8, zeta=3, match_elements=match)
    assert np.abs(mean.matrix(a, b) - direct(kernel, a, b, np.mean)).max() < 1e-12
    assert np.abs(mean.diagonal(b) - np.diag(direct(kernel, b, b, np.mean))).max() < 1e-12


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", SUMS)
def test_series_is_the_matrices_one_by_one(kind: Any) -> None:
    a, b = random_rows(9), random_rows(5, seed=3)
    for inner in ("gaussian", "laplacian", "matern-3/2"):
        kernel = kind(inner=inner)
        for other in (None, b):
            found = kernel.series((0.3, 1.0, 20.0), a, other)
            for sigma, matrix in zip((0.3, 1.0, 20.0), found, strict=True):
                expected = kernel.with_values(sigma=sigma).matrix(a, other)
                assert np.abs(matrix - expected).max() < 1e-12 * expected.max()
    with pytest.raises(ValueError, match="no width"):
        kind(inner="dot").series((1.0,), a)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("match", [True, False])
@pytest.mark.parametrize("inner", ["gaussian", "dot"])
def test_best_match_equals_brute_force(inner: str, match: bool) -> None:
    def best(similar: np.ndarray) -> float:
        if similar.shape[0] > similar.shape[1]:
            similar = similar.T
        positive, n = np.maximum(similar, 0.0), len(similar)
        return max(positive[range(n), list(p)].sum() for p in itertools.permutations(range(similar.shape[1]), n))

    a, b = random_rows(9, most=5), random_rows(7, seed=2, most=5)
    kernel = BestMatch(inner=inner, sigma=0.5, zeta=1, match_elements=match, normalise=False)
    expected = direct(kernel, a, b, best)
    assert np.abs(kernel.matrix(a, b) - expected).max() < 1e-12
    assert np.abs(kernel.matrix(a) - direct(kernel, a, a, best)).max() < 1e-12
    sizes = np.diff(a.offsets), np.diff(b.offsets)
    assert kernel.diagonal(a) == pytest.approx(sizes[0])
    normal = kernel.with_values(normalise=True)
    assert np.abs(normal.matrix(a, b) - expected / np.sqrt(np.outer(*sizes))).max() < 1e-12
    assert np.diag(normal.matrix(a)) == pytest.approx(1.0) == normal.diagonal(a)


def test_assignment_equals_scipy() -> None:
    from scipy.optimize import linear_sum_assignment

    from qmlstudio.learning.kernels import _match_loops

    rng = np.random.default_rng(5)
    for n, m in ((40, 40), (13, 60), (60, 13), (1, 9)):
        similar = rng.uniform(size=(n + 2, m + 3)).round(2)
        inside = similar[2:, 3:]
        expected = inside[linear_sum_assignment(inside, maximize=True)].sum()
        assert _match_loops.best_sum(similar, 2, n + 2, 3, m + 3) == pytest.approx(expected, abs=1e-10)


@pytest.mark.usefixtures("small_blocks")
def test_rematch_lies_between_best_match_and_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    # pairs are left and taken up again in the middle of their iterations
    monkeypatch.setattr(_local_tiles, "STEP_ATOMS", 50)
    rows = random_rows(8)
    wide = REMatch(sigma=0.6, gamma=1e6, normalise=False).matrix(rows)
    assert np.abs(wide - LocalAverage(sigma=0.6).matrix(rows)).max() < 1e-5
    alike = Rows(np.random.default_rng(1).uniform(size=(24, 5)), np.arange(0, 25, 4), np.ones(24, dtype=np.uint8))
    narrow = REMatch(sigma=0.6, gamma=0.005, normalise=False).matrix(alike)
    best = BestMatch(sigma=0.6, normalise=False).matrix(alike) / 4.0
    assert np.abs(narrow - best).max() < 0.01
    monkeypatch.setattr(_local_tiles, "STEP_ATOMS", 2_000_000)
    kernel = REMatch(sigma=0.6, gamma=0.05)
    whole = kernel.matrix(rows)
    monkeypatch.setattr(_local_tiles, "STEP_ATOMS", 3)
    assert np.array_equal(kernel.matrix(rows), whole)
    assert np.diag(whole) == pytest.approx(1.0)


def molecules() -> Structures:
    rng = np.random.default_rng(0)
    numbers = [[8, 1, 1], [6, 1, 1, 1, 1], [6, 8, 1, 1], [7, 6, 1], [16, 1, 1], [6, 6, 1, 1]]
    return Structures.from_lists(numbers, [rng.uniform(-1.5, 1.5, size=(len(z), 3)) for z in numbers])


def test_is_extensive() -> None:
    """Two molecules far apart are twice as like anything as one, and as like on average."""
    once = molecules()
    parts = [once[i] for i in range(len(once))]
    numbers = [np.tile(s.numbers, 2) for s in parts]
    twice = Structures.from_lists(numbers, [np.vstack([s.positions, s.positions + 100.0]) for s in parts])
    representation = FCHL19(average="off")
    a, b = (Rows.of(representation.compute(s), s) for s in (once, twice))
    kernel = LocalSum(sigma=2.0)
    single = kernel.matrix(a)
    assert np.abs(kernel.matrix(b, a) / 2.0 - single).max() < 1e-12 * single.max()
    assert np.abs(kernel.matrix(b) / 4.0 - single).max() < 1e-12 * single.max()
    mean = LocalAverage(sigma=2.0)
    assert np.abs(mean.matrix(b, a) - mean.matrix(a)).max() < 1e-13


@pytest.mark.parametrize("kind", [*SUMS, REMatch, GlobalFromLocal])
def test_is_positive_semidefinite(kind: Any) -> None:
    rows = random_rows(60, d=12)
    inners = [{}] if kind is GlobalFromLocal else [{"inner": name} for name, _ in INNER]
    # the entropy's plan depends on the pair, so REMatch is not positive in general: it must be nearly so
    worst = 1e-2 if kind is REMatch else 1e-10
    for values in inners:
        eigenvalues = np.linalg.eigvalsh(kind(sigma=0.5, **values).matrix(rows))
        assert eigenvalues[0] > -worst * eigenvalues[-1]


@pytest.mark.parametrize("kind", SUMS)
@pytest.mark.parametrize("inner", [name for name, _ in INNER])
def test_few_atoms_with_many(inner: str, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pass over the others' rows gives what blocks do."""
    few, many = random_rows(3), random_rows(40, seed=1, elements=(1, 8, 16))
    for match in (True, False):
        kernel = kind(inner=inner, sigma=0.8, match_elements=match)
        monkeypatch.setattr(_local_tiles, "FEW_ATOMS", 64)
        found = kernel.matrix(few, many)
        monkeypatch.setattr(_local_tiles, "FEW_ATOMS", 0)
        expected = kernel.matrix(few, many)
        assert np.abs(found - expected).max() < 1e-13 * expected.max()


def test_small_differences_of_large_rows() -> None:
    """Products of rows of 1e5 know nothing of their differences of 1: the mean is taken out."""
    rows = random_rows(10)
    moved = Rows(rows.array + 1e5, rows.offsets, rows.numbers)
    for inner in ("gaussian", "matern-1/2", "matern-5/2", "laplacian"):
        kernel = LocalSum(inner=inner, sigma=0.5)
        assert np.abs(kernel.matrix(moved) - kernel.matrix(rows)).max() < 1e-8
        assert np.abs(kernel.matrix(moved, moved) - kernel.matrix(rows)).max() < 1e-8


def test_equal_atoms_are_alike_to_the_last_figure() -> None:
    """A root of what cancelling leaves of a distance would be off by 1e-8."""
    row = np.random.default_rng(3).uniform(size=(1, 50))
    rows = Rows(np.repeat(row, 6, axis=0), np.array([0, 2, 6]), np.full(6, 6, dtype=np.uint8))
    found = LocalSum(inner="matern-1/2", sigma=1e-3).matrix(rows)
    assert found.tolist() == [[4.0, 8.0], [8.0, 16.0]]


@pytest.mark.parametrize("kind", ALL)
def test_odd_sets(kind: Any) -> None:
    kernel = kind(sigma=1.0)
    none = Rows(np.empty((0, 4)), np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint8))
    assert kernel.matrix(none).shape == (0, 0)
    # the second structure has no atoms
    some = Rows(np.ones((3, 4)), np.array([0, 1, 1, 3]), np.array([6, 6, 1], dtype=np.uint8))
    assert kernel.matrix(some, none).shape == (3, 0)
    found = kernel.matrix(some)
    assert np.isfinite(found).all()
    assert found[1].tolist() == [0.0, 0.0, 0.0]
    assert np.diag(found) == pytest.approx(kernel.diagonal(some))
    stranger = Rows(np.ones((2, 4)), np.array([0, 2]), np.array([9, 9], dtype=np.uint8))
    if kind is not REMatch:  # its plan distributes atoms that are like nothing, to no effect
        assert kernel.matrix(some, stranger).tolist() == [[0.0], [0.0], [0.0]]
    assert np.isfinite(kernel.with_values(inner="dot").matrix(Rows(np.zeros((3, 4)), some.offsets, some.numbers))).all()
    broken = Rows(np.full((3, 4), np.nan), some.offsets, some.numbers)
    with pytest.raises(ValueError, match="not finite"):
        kernel.matrix(broken)
    with pytest.raises(ValueError, match="columns"):
        kernel.matrix(some, Rows(np.ones((1, 5)), np.array([0, 1]), np.array([6], dtype=np.uint8)))
    with pytest.raises(ValueError, match="row for each atom"):
        kernel.matrix(Rows(np.ones((3, 4))))
    with pytest.raises(ValueError, match="match"):
        kernel.matrix(Rows(np.ones((3, 4)), some.offsets))
    assert np.isfinite(kernel.with_values(match_elements=False).matrix(Rows(np.ones((3, 4)), some.offsets))).all()
    with pytest.raises(ValueError, match="fitted"):
        kind().matrix(some)
    with pytest.raises(ValueError, match="shape"):
        kernel.matrix(some, out=np.empty((2, 2)))


def test_output_is_filled_in_place(tmp_path: Path) -> None:
    rows, kernel = random_rows(9), LocalSum(sigma=1.0)
    mapped = np.memmap(tmp_path / "k", dtype=np.float32, mode="w+", shape=(9, 9))
    assert kernel.matrix(rows, out=mapped) is mapped
    expected = kernel.matrix(rows)
    assert np.abs(mapped - expected).max() < 1e-5 * expected.max()
    found = np.concatenate([block.copy() for _, _, block in kernel.blocks(rows, block_bytes=3 * 9 * 8)])
    assert np.abs(found - expected).max() < 1e-13 * expected.max()


def test_automatic_width_is_the_median_distance() -> None:
    rows = random_rows(40)
    assert rows.numbers is not None
    for inner, city in (("gaussian", False), ("laplacian", True)):
        fitted = LocalSum(inner=inner).fitted(rows)
        pairs = []
        for z in (1, 6, 8):
            part = rows.array[rows.numbers == z]
            difference = part[:, None] - part
            distance = np.abs(difference).sum(axis=2) if city else np.sqrt((difference**2).sum(axis=2))
            pairs.append(distance[np.triu_indices(len(part), 1)])
        assert fitted.sigma == pytest.approx(np.median(np.concatenate(pairs)), rel=0.05)
        assert fitted.fitted(random_rows(5, seed=9)) is fitted
    assert median_distance(rows.take([0]), False, True) > 0.0
    assert median_distance(Rows(np.ones((4, 2)), np.array([0, 4]), np.ones(4, dtype=np.uint8)), False, True) == 1.0
    assert LocalSum(inner="dot").fitted(rows) == LocalSum(inner="dot")
    assert GlobalFromLocal().fitted(rows).is_fitted


def test_cancel_and_progress() -> None:
    rows = random_rows(50)
    said: list[float] = []
    LocalSum(sigma=1.0).matrix(rows, progress=Progress(lambda fraction, _: said.append(fraction), interval=0.0))
    assert said[-1] == 1.0
    assert said == sorted(said)
    for kind in ALL:
        with pytest.raises(Cancelled):
            kind(sigma=1.0).matrix(rows, progress=Progress(is_cancelled=lambda: True), threads=2)


def test_fchl18_is_the_representation_s_own() -> None:
    structures = molecules()
    representation = FCHL18(cut_distance=6.0)
    features = representation.compute(structures)
    rows, kernel = Rows.of(features, structures), FCHL18Kernel(sigma=2.0)
    expected = representation.kernel(features, sigma=2.0)
    assert np.array_equal(kernel.matrix(rows), expected)
    part = kernel.matrix(rows.take(slice(0, 2)), rows.take([1, 4, 5]))
    assert np.abs(part - expected[:2][:, [1, 4, 5]]).max() < 1e-12 * expected.max()
    assert np.abs(kernel.diagonal(rows) / np.diag(expected) - 1.0).max() < 1e-12
    with pytest.raises(ValueError, match="FCHL18"):
        kernel.matrix(random_rows(3))
    with pytest.raises(ValueError, match="its own kernel"):
        LocalSum(sigma=1.0).matrix(rows)
    out = np.empty(expected.shape, dtype=np.float32)
    assert kernel.matrix(rows, out=out) is out
    with pytest.raises(ValueError, match="shape"):
        kernel.matrix(rows, out=np.empty((1, 1)))
