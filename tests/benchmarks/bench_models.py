"""Models against SciPy's Cholesky in place and scikit-learn's models, all on one thread, warm.

The note of the factorisation tells the longest time between two questions whether to go on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from table import Peer, Row, paired

ROOT = Path(__file__).resolve().parents[2]
OURS_IMPORT = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import time
import numpy as np
from qmlstudio.learning.kernels import Gaussian
from qmlstudio.learning.models import GaussianProcess, KernelRidge
from qmlstudio.learning.models.cholesky import Cholesky
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Progress
"""
DATA = """
import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=({n}, {d}))
y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
new = rng.normal(size=(1000, {d}))
"""
MATRIX = """
import numpy as np
rng = np.random.default_rng(0)
a = rng.normal(size=({n}, 300))
original = a @ a.T / 300
original[np.diag_indices({n})] += 1.0
k = original.copy()
right = rng.normal(size=(3, {n}))
"""
GAPS = """
gaps, last = [0.0], [time.perf_counter()]
def asked():
    now = time.perf_counter()
    gaps.append(now - last[0])
    last[0] = now
    return False
np.copyto(k, original)
last[0] = time.perf_counter()
Cholesky(k, 1e-8, Progress(is_cancelled=asked))
gap = np.array(max(gaps))
"""


def factorisation(n: int) -> Row:
    """A factor and three right sides; both copy the matrix into the same memory first."""
    with Peer(sys.executable) as ours, Peer(sys.executable) as peer:
        ours.run(OURS_IMPORT + MATRIX.format(n=n))
        peer.run("from scipy.linalg import cho_factor, cho_solve" + MATRIX.format(n=n) + "k = np.asfortranarray(k)")
        timing = paired(
            ours.task("np.copyto(k, original); found = Cholesky(k, 0.0).solve(right)"),
            peer.task(
                "np.copyto(k, original)\n"
                "factor = cho_factor(k, lower=True, overwrite_a=True, check_finite=False)\n"
                "found = cho_solve(factor, right.T, check_finite=False).T"
            ),
        )
        apart = np.abs(ours.fetch("found") - peer.fetch("found")).max()
        ours.run(GAPS)
        note = f"longest time without a question whether to go on: {float(ours.fetch('gap')) * 1e3:.0f} ms"
        version = peer.version("scipy")
    return timing.row(
        f"Cholesky of {n:,}² in place, 3 right sides", version, agreement=f"max |Δ| {apart:.0e}", demand=0.9, note=note
    )


def ridge(n: int, d: int, python: str) -> Row:
    """Kernel ridge regression from features to weights; the peer does not tell a domain."""
    with Peer(sys.executable) as ours, Peer(python) as peer:
        ours.run(OURS_IMPORT + DATA.format(n=n, d=d))
        ours.run("spec = KernelRidge(kernel=Gaussian(sigma=20.0), lambda_=1e-6, centre=False); rows = Rows(x)")
        peer.run(DATA.format(n=n, d=d) + "from sklearn.kernel_ridge import KernelRidge\n")
        peer.run("m = KernelRidge(kernel='rbf', gamma=0.5 / 400.0, alpha=1e-6)")
        timing = paired(ours.task("m = spec.fit(rows, y, threads=1)"), peer.task("m.fit(x, y)"), pairs=3)
        ours.run("found = m.predict(Rows(new), threads=1).values[:, 0]")
        peer.run("found = m.predict(new)")
        apart = np.abs(ours.fetch("found") - peer.fetch("found")).max()
        version = peer.version("scikit-learn")
    return timing.row(f"kernel ridge regression, {n:,} × {d}", version, agreement=f"max |Δ| {apart:.0e}", demand=1.0)


def process(n: int, d: int, python: str) -> Row:
    """Means and deviations of 1,000 structures by a Gaussian process with given scales."""
    with Peer(sys.executable) as ours, Peer(python) as peer:
        ours.run(OURS_IMPORT + DATA.format(n=n, d=d))
        ours.run("spec = GaussianProcess(kernel=Gaussian(sigma=20.0), amplitude=1.0, noise=1e-2, optimise=False)")
        ours.run("m = spec.fit(Rows(x), y, threads=1); rows = Rows(new)")
        peer.run(DATA.format(n=n, d=d))
        peer.run(
            "from sklearn.gaussian_process import GaussianProcessRegressor\n"
            "from sklearn.gaussian_process.kernels import RBF\n"
            "m = GaussianProcessRegressor(RBF(20.0), alpha=1e-4, optimizer=None, normalize_y=True).fit(x, y)"
        )
        timing = paired(
            ours.task("p = m.predict(rows, deviation=True, threads=1); found = p.values[:, 0]"),
            peer.task("found, deviation = m.predict(new, return_std=True)"),
            pairs=3,
        )
        apart = np.abs(ours.fetch("found") - peer.fetch("found")).max()
        version = peer.version("scikit-learn")
    return timing.row(
        f"1,000 predictions with deviations, process of {n:,}",
        version,
        agreement=f"max |Δ| {apart:.0e}",
        demand=1.0,
    )


def run(peers_python: str | None) -> list[Row]:
    """The table's rows; our own environment's packages serve when there is no other."""
    python = peers_python or sys.executable
    return [factorisation(5000), ridge(4000, 276, python), process(3000, 276, python)]


if __name__ == "__main__":
    for row in run(sys.argv[1] if len(sys.argv) > 1 else None):
        print(f"{row.work}: {row.ours_us / 1e3:.0f} ms, {row.peer} {row.peer_us / 1e3:.0f} ms, ×{row.ratio:.2f};")
        print("   ", row.agreement, row.note)
