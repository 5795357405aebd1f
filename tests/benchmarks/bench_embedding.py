"""UMAP against umap-learn: the built-in set, QM7 (where ../shared/data is), and 50,000 × 100; its variants; the other
methods against scikit-learn and openTSNE.

Both sides run in processes of their own with equal numbers of threads. Agreement is trustworthiness with 15
neighbours, ours / theirs, means over the seeds; "fresh" counts from the start of the interpreter, with our loops' cache
on disk as after any earlier start (umap-learn has none for most of its own), and a first start states what compiling
costs once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from table import Peer, Row, Timing, environment, paired

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.readers import open_dataset
from qmlstudio.learning.quality import trustworthiness
from qmlstudio.representations.coulomb import CoulombMatrix

ROOT = Path(__file__).resolve().parents[2]
QM7 = ROOT.parent / "shared" / "data" / "qm7" / "qm7.tar.gz"
SEEDS = (0, 1, 2)
SMALL = 4096
"""Below so many rows umap-learn calls its metric from Python for every pair, three times slower than its search by
descent: it is asked for the latter, so that the ratio is against its best."""

OURS_IMPORT = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom qmlstudio.learning.embedding import UMAP\n"
OURS = (
    "m = UMAP(n_epochs={epochs}, seed={seed})\n"
    "y = m.layout(m.neighbors(x, threads={threads}), threads={threads}).points\n"
)
PEER_IMPORT = "import warnings; warnings.simplefilter('ignore')\nimport umap\n"
PEER = "y = umap.UMAP(n_epochs={epochs}, random_state={seed}{more}).fit_transform(x)\n"


@dataclass(frozen=True)
class Fresh:
    """A script in a new interpreter, timed from its start to its end."""

    python: str
    code: str
    threads: int = 1
    cache: str | None = None

    def seconds(self, repeat: int) -> float:
        """Seconds for `repeat` runs."""
        variables = environment(self.threads) | ({"NUMBA_CACHE_DIR": self.cache} if self.cache else {})
        began = time.perf_counter()
        for _ in range(repeat):
            subprocess.run([self.python, "-c", self.code], env=variables, check=True, capture_output=True)
        return time.perf_counter() - began


def features() -> dict[str, np.ndarray]:
    """Sorted Coulomb matrices of the sets that are there."""
    sets = {"QM9 ≤ 7 heavy atoms": load_builtin("qm9_7").structures}
    if QM7.exists():
        sets["QM7"] = open_dataset(QM7).structures
    return {name: CoulombMatrix().compute(structures, threads=1).array for name, structures in sets.items()}


def mixture(n: int = 50_000, d: int = 100) -> np.ndarray:
    """Sixty bent clusters of twelve dimensions, with noise in all."""
    rng = np.random.default_rng(0)
    inner = 4.0 * rng.standard_normal((60, 12))[rng.integers(0, 60, n)] + rng.standard_normal((n, 12))
    return np.tanh(inner @ rng.standard_normal((12, d)) / 6.0) + 0.05 * rng.standard_normal((n, d))


def fastest(n: int) -> str:
    """The peer's further arguments for `n` rows."""
    return ", force_approximation_algorithm=True" if n < SMALL else ""


def versus(
    x: np.ndarray, peers_python: str, threads: int, epochs: int | None, seeded: bool, pairs: int
) -> tuple[Timing, str, str]:
    """Paired times of the whole embedding, warm, both trustworthinesses, and the peer's version."""
    values = {"epochs": epochs, "threads": threads, "more": fastest(len(x))}
    seeds = SEEDS if len(x) <= 10_000 else SEEDS[:1]
    with Peer(sys.executable, threads) as ours, Peer(peers_python, threads) as peer:
        ours.send(x=x)
        peer.send(x=x)
        ours.run(OURS_IMPORT)
        peer.run(PEER_IMPORT)
        timing = paired(
            ours.task(OURS.format(seed=0, **values)),
            peer.task(PEER.format(seed=0 if seeded else None, **values)),
            pairs,
        )
        scores: tuple[list[float], list[float]] = ([], [])
        for seed in seeds:
            for side, code, score in ((ours, OURS, scores[0]), (peer, PEER, scores[1])):
                side.run(code.format(seed=seed if seeded or side is ours else None, **values))
                score.append(trustworthiness(x, side.fetch("y"), 15))
        version = peer.version("umap-learn")
    worst = min(scores[0]) - max(scores[1])
    text = f"{np.mean(scores[0]):.4f} / {np.mean(scores[1]):.4f}, worst Δ {worst:+.4f}"
    return timing, text, version


def fresh_rows(name: str, x: np.ndarray, peers_python: str, pairs: int) -> list[Row]:
    """Process start to finished map, warm cache and no cache."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "x.npy"
        np.save(path, x)
        load = f"import numpy as np; x = np.load({str(path)!r})\n"
        values = {"epochs": 500, "seed": 0, "threads": 1, "more": fastest(len(x))}
        ours = OURS_IMPORT + load + OURS.format(**values)
        peer = PEER_IMPORT + load + PEER.format(**values)
        # a cache folder of its own: the usual one is renewed whenever a source file changes
        own = Fresh(sys.executable, ours, cache=str(Path(folder) / "cache"))
        cold = own.seconds(1)
        # not paired(): its calibration would run the peer twice more for nothing
        other = Fresh(peers_python, peer)
        times = [(own.seconds(1), other.seconds(1)) for _ in range(pairs)]
    first, second, ratio = (median(column) for column in zip(*((a, b, b / a) for a, b in times), strict=True))
    timing = Timing(first, second, ratio)
    note = f"median of {pairs} pairs; our loops compiled before; compiling them first: {cold:.1f} s in all"
    return [timing.row(f"UMAP {name}, fresh process, 500 epochs", "umap-learn", demand=10, note=note)]


def variant_rows(name: str, x: np.ndarray, peers_python: str) -> list[Row]:
    """Supervised maps, maps that keep densities, and maps in three dimensions, all with the peer's own defaults."""
    target = np.abs(x).sum(axis=1)
    variants = (
        ("supervised by a number", "", "target=t", "target_metric='l2'", "t"),
        ("densMAP", "dens_map=True", "", "densmap=True", "None"),
        ("three dimensions", "n_components=3", "", "n_components=3", "None"),
    )
    rows = []
    for title, ours_more, layout_more, peer_more, y in variants:
        ours_code = (
            f"m = UMAP(n_epochs=300, {ours_more})\n"
            f"y = m.layout(m.neighbors(x, threads=1), threads=1, {layout_more}).points\n"
        )
        peer_code = f"y = umap.UMAP(n_epochs=300, random_state=0, {peer_more}{fastest(len(x))}).fit_transform(x, {y})\n"
        with Peer(sys.executable, 1) as ours, Peer(peers_python, 1) as peer:
            for side, imports in ((ours, OURS_IMPORT), (peer, PEER_IMPORT)):
                side.send(x=x, t=target)
                side.run(imports)
            timing = paired(ours.task(ours_code), peer.task(peer_code), 3)
            scores = []
            for side, code in ((ours, ours_code), (peer, peer_code)):
                side.run(code)
                points = side.fetch("y")
                score = radii_kept(x, points) if title == "densMAP" else trustworthiness(x, points, 15)
                scores.append(score)
            version = peer.version("umap-learn")
        what = "correlation of radii" if title == "densMAP" else "trustworthiness"
        agreement = f"{what} {scores[0]:.4f} / {scores[1]:.4f}"
        rows.append(
            timing.row(f"UMAP {title}, {name}, 300 epochs, one thread", version, agreement=agreement, demand=1.0)
        )
    return rows


def radii_kept(x: np.ndarray, points: np.ndarray) -> float:
    """Correlation of the logarithms of local radii (15 neighbours) in the features with those on the map."""
    from qmlstudio.learning.embedding import UMAP

    logs = [np.log(1e-8 + np.mean(UMAP().neighbors(y).distances[:, 1:] ** 2, axis=1)) for y in (x, points)]
    return float(np.corrcoef(logs[0], logs[1])[0, 1])


def other_rows(name: str, x: np.ndarray, peers_python: str) -> list[Row]:
    """Kernel PCA, t-SNE and metric scaling."""
    ours_import = OURS_IMPORT.replace("import UMAP", "import MDS, TSNE, KernelPCA")
    threads = "threads=1"
    kernel = f"m = KernelPCA(sigma=300.0); y = m.layout(m.neighbors(x, {threads})).points\n"
    sklearn_kernel = (
        "y = KernelPCA(n_components=10, kernel='rbf', gamma=0.5/300.0**2, eigen_solver='arpack').fit_transform(x)\n"
    )
    tsne = f"m = TSNE(); y = m.layout(m.neighbors(x, {threads}), {threads}).points\n"
    scaling = f"m = MDS(n_iter=50); y = m.layout(m.neighbors(x[:1500], {threads}), {threads}).points\n"
    smacof = "y = smacof(cdist(x[:1500], x[:1500]), init=x[:1500, :2], n_init=1, max_iter=50)[0]\n"
    works = (
        ("Kernel PCA, Gaussian, 10 components", kernel, "from sklearn.decomposition import KernelPCA\n", sklearn_kernel,
         "scikit-learn", 1.0, 3),
        ("t-SNE, 750 iterations", tsne, "import openTSNE\n", "y = openTSNE.TSNE(n_jobs=1, random_state=0).fit(x)\n",
         "openTSNE", 0.9, 1),
        ("Metric scaling of 1,500 rows, 50 steps at most", scaling,
         "import warnings; warnings.simplefilter('ignore')\nfrom sklearn.manifold import smacof\n"
         "from scipy.spatial.distance import cdist\n", smacof, "scikit-learn", 1.0, 3),
    )  # fmt: skip
    rows = []
    for title, ours_code, peer_import, peer_code, package, demand, pairs in works:
        with Peer(sys.executable, 1) as ours, Peer(peers_python, 1) as peer:
            for side, imports in ((ours, ours_import), (peer, peer_import)):
                side.send(x=x)
                side.run(imports)
            timing = paired(ours.task(ours_code), peer.task(peer_code), pairs)
            ours.run(ours_code)
            peer.run(peer_code)
            mine, theirs = np.asarray(ours.fetch("y")), np.asarray(peer.fetch("y"))
            if package == "scikit-learn" and len(mine) == len(x):
                turn = np.sign(np.sum(mine * theirs[:, :2], axis=0))
                agreement = f"max |Δ| {np.abs(mine * turn - theirs[:, :2]).max():.1e}"
            else:
                rows_of = x[: len(mine)]
                scores = [trustworthiness(rows_of, points, 15) for points in (mine, theirs)]
                agreement = f"trustworthiness {scores[0]:.4f} / {scores[1]:.4f}"
            version = peer.version(package)
        rows.append(timing.row(f"{title}, {name}, one thread", version, agreement=agreement, demand=demand))
    return rows


def run(peers_python: str | None) -> list[Row]:
    """The table's rows; umap-learn of our own environment serves when there is no other."""
    python = peers_python or sys.executable
    rows = []
    for name, x in features().items():
        size = f"{name}, {len(x):,} × {x.shape[1]}"
        if name != "QM7":
            # scikit-learn and openTSNE are of our own environment
            rows += variant_rows(size, x, python) + other_rows(size, x, sys.executable)
        if name == "QM7" or not QM7.exists():
            rows += fresh_rows(size, x, python, pairs=3)
        for threads, seeded, demand in ((1, True, 3.0), (2, False, 2.5)):
            timing, agreement, version = versus(x, python, threads, 500, seeded, pairs=5)
            kind = "seeded, one thread" if seeded else "peer unseeded, two threads"
            notes = ["ours is seeded"] * (not seeded) + ["peer's approximate search"] * (len(x) < SMALL)
            rows.append(
                timing.row(
                    f"UMAP {size}, warm, {kind}", version, agreement=agreement, demand=demand, note="; ".join(notes)
                )
            )
    x = mixture()
    timing, agreement, version = versus(x, python, 2, None, False, pairs=3)
    work = "UMAP mixture, 50,000 × 100, warm, peer unseeded, two threads"
    rows.append(timing.row(work, version, agreement=agreement, demand=3.0, note="median of 3 pairs"))
    return rows
