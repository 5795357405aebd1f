"""Kernel matrices of 5,000 rows against qmllib's and scikit-learn's, symmetric, on one thread, into a used array.

The rows are of 276 columns, as sorted Coulomb matrices of QM7 have, and of 1,000. qmllib's times come from its
functions for symmetric matrices, scikit-learn's from ``pairwise``, which finds out itself. Agreement is the largest
difference of two elements. Single precision is compared with our own double precision.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from table import Peer, Row, paired

from qmlstudio.learning.kernels import Gaussian, Kernel, Laplacian, RationalQuadratic, distance_matrix
from qmlstudio.learning.rows import Rows

ROOT = Path(__file__).resolve().parents[2]
N = 5000
QMLLIB = "from qmllib.kernels import gaussian_kernel_symmetric, laplacian_kernel_symmetric\n"
SKLEARN = "from sklearn.metrics.pairwise import rbf_kernel, laplacian_kernel\n"


def rows_of(d: int, n: int = N) -> np.ndarray:
    """Numbers that decay as the entries of sorted Coulomb matrices do."""
    return np.random.default_rng(0).normal(size=(n, d)) * np.linspace(3.0, 0.1, d) + 5.0


def versus(kernel: Kernel, x: np.ndarray, python: str, package: str, code: str, demand: float, pairs: int) -> Row:
    """One matrix against a peer's."""
    rows, out = Rows(x), np.empty((len(x), len(x)))
    with Peer(python) as peer:
        peer.send(x=x)
        peer.run(QMLLIB if package == "qmllib" else SKLEARN)
        timing = paired(lambda: kernel.matrix(rows, out=out, threads=1), peer.task(f"k = {code}"), pairs)
        apart = np.abs(out - peer.fetch("k")).max()
        version = peer.version("qmllib" if package == "qmllib" else "scikit-learn")
    work = f"{kernel.title} matrix, {len(x):,}² of {x.shape[1]:,}"
    return timing.row(work, version, agreement=f"max |Δ| {apart:.0e}", demand=demand, columns=x.shape[1])


def single(kernel: Kernel, x: np.ndarray, demand: float | None) -> Row:
    """Single precision, where "peer" is our own double one."""
    doubles, singles = Rows(x), Rows(x.astype(np.float32))
    out, narrow = np.empty((len(x), len(x))), np.empty((len(x), len(x)), np.float32)
    timing = paired(
        lambda: kernel.matrix(singles, out=narrow, threads=1), lambda: kernel.matrix(doubles, out=out, threads=1), 5
    )
    work = f"{kernel.title} matrix, {len(x):,}² of {x.shape[1]:,}, float32"
    agreement = f"max |Δ| {np.abs(out - narrow).max():.0e}"
    return timing.row(work, "our float64", agreement=agreement, demand=demand, columns=x.shape[1])


def scan(x: np.ndarray, python: str) -> Row:
    """Eight widths of a Laplacian kernel from one matrix of distances."""
    rows, out, distances = Rows(x), np.empty((len(x), len(x))), np.empty((len(x), len(x)))
    sigmas = [2.0**k for k in range(3, 11)]

    def ours() -> None:
        distance_matrix("l1", rows, out=distances, threads=1)
        for sigma in sigmas:
            Laplacian(sigma=sigma).from_distances(distances, out, threads=1)

    with Peer(python) as peer:
        peer.send(x=x)
        peer.run(QMLLIB)
        timing = paired(ours, peer.task(f"for s in {sigmas}:\n    k = laplacian_kernel_symmetric(x, s)"), 1)
        apart = np.abs(out - peer.fetch("k")).max()
        version = peer.version("qmllib")
    work = f"Laplacian matrices of 8 widths, {len(x):,}² of {x.shape[1]:,}"
    return timing.row(work, version, agreement=f"max |Δ| {apart:.0e}", demand=10.0, columns=x.shape[1])


def rational(x: np.ndarray, python: str) -> Row:
    """The dearest of our functions."""
    rows, out = Rows(x), np.empty((len(x), len(x)))
    kernel = RationalQuadratic(sigma=20.0, alpha=1.5)
    with Peer(python) as peer:
        peer.send(x=x)
        peer.run("from sklearn.gaussian_process.kernels import RationalQuadratic\n")
        code = "k = RationalQuadratic(length_scale=20.0, alpha=1.5)(x)"
        timing = paired(lambda: kernel.matrix(rows, out=out, threads=1), peer.task(code), 3)
        apart = np.abs(out - peer.fetch("k")).max()
        version = peer.version("scikit-learn")
    work = f"Rational quadratic matrix, {len(x):,}² of {x.shape[1]:,}"
    return timing.row(work, version, agreement=f"max |Δ| {apart:.0e}", demand=4.0, columns=x.shape[1])


def run(peers_python: str | None) -> list[Row]:
    """The table's rows; those against qmllib need the peers' environment."""
    python = peers_python or sys.executable
    rows = []
    for d, pairs in ((276, 3), (1000, 1)):
        x = rows_of(d)
        gaussian, laplacian = Gaussian(sigma=20.0), Laplacian(sigma=300.0)
        if peers_python is not None:
            code = "laplacian_kernel_symmetric(x, 300.0)"
            rows.append(versus(laplacian, x, python, "qmllib", code, 4.0, pairs))
            code = "gaussian_kernel_symmetric(x, 20.0)"
            rows.append(versus(gaussian, x, python, "qmllib", code, 8.0, pairs))
        rows.append(versus(laplacian, x, python, "sklearn", "laplacian_kernel(x, gamma=1 / 300.0)", 7.0, pairs))
        rows.append(versus(gaussian, x, python, "sklearn", "rbf_kernel(x, gamma=0.5 / 400.0)", 1.0, 5))
        rows += [single(gaussian, x, 1.8), single(laplacian, x, None)]
    if peers_python is not None:
        rows.append(scan(rows_of(276, 3000), python))
    rows.append(rational(rows_of(276, 3000), python))
    return rows


if __name__ == "__main__":
    default = ROOT / ".venv-peers" / "bin" / "python"
    for row in run(sys.argv[1] if len(sys.argv) > 1 else str(default) if default.exists() else None):
        times = f"{row.ours_us / 1e6:.3f} s, {row.peer} {row.peer_us / 1e6:.3f} s, ×{row.ratio:.2f}"
        print(f"{row.work}: {times} (≥ {row.demand}), {row.agreement}", flush=True)
