"""The honest ladder on QM7 (../shared/data), whole, against the same with qmllib's features and kernels.

Both do all of it on one thread: features, σ and λ chosen on training structures, the fit to all N, the prediction of
the test molecules. qmllib's kernels are computed once for each σ, as its functions allow; its own solver solves. Times
are those of the processor, which other work on the machine does not lengthen.
``python tests/benchmarks/bench_ladder.py [--size N] [--peers PYTHON] [NAME…]`` measures another size: qmllib's local
kernel takes minutes from N = 1,000 on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from molecules import PREPARE as MOLECULES
from molecules import QM7
from table import Peer, Row, aligned, environment

SIZE, TESTED = 300, 200
RUNGS = ("coulomb", "bags", "slatm", "fchl19")
PREPARE = """
import time
from qmllib.representations import generate_bob, generate_coulomb_matrix, generate_fchl19, generate_slatm
from qmllib.representations import get_slatm_mbtypes
from qmllib.kernels import (gaussian_kernel, gaussian_kernel_symmetric, get_local_kernel, get_local_symmetric_kernel,
    laplacian_kernel, laplacian_kernel_symmetric)
from qmllib.solvers import cho_solve
counts = {}
for n in numbers:
    for e in set(n.tolist()):
        counts[e] = max(counts.get(e, 0), int((n == e).sum()))
symbols = {1: "H", 6: "C", 7: "N", 8: "O", 16: "S"}
asize = {symbols[e]: c for e, c in counts.items()}
"""
FEATURES = {
    "coulomb": "x = np.array([generate_coulomb_matrix(z, r / bohr, size=n_max) for z, r in zip(numbers, angstrom)])",
    "bags": "names = [[symbols[k] for k in z] for z in numbers]; x = np.array([generate_bob(z, r / bohr, s, "
    "size=n_max, asize=asize) for z, r, s in zip(numbers, angstrom, names)])",
    "slatm": "types = get_slatm_mbtypes(numbers); "
    "x = np.array([generate_slatm(z, r, types) for z, r in zip(numbers, angstrom)])",
    "fchl19": "x = np.array([generate_fchl19(z, r, elements=elements, pad=n_max) for z, r in zip(numbers, angstrom)])",
}
CLIMB = """
def among(i, sigma):
    if kind == "local":
        return get_local_symmetric_kernel(x[i], [numbers[k] for k in i], sigma)
    return (laplacian_kernel_symmetric if kind == "laplacian" else gaussian_kernel_symmetric)(x[i], sigma)

def between(i, j, sigma):
    if kind == "local":
        return get_local_kernel(x[j], x[i], [numbers[k] for k in j], [numbers[k] for k in i], sigma)
    return (laplacian_kernel if kind == "laplacian" else gaussian_kernel)(x[i], x[j], sigma)

def predicted(k, across, i, ridge):
    mean = 0.0 if kind == "local" else y[i].mean()
    try:
        return across @ cho_solve(k, y[i] - mean, l2reg=ridge) + mean
    except Exception:
        return np.full(len(across), np.nan)

began = time.process_time()
FEATURES
train, test = order[:-tested], order[-tested:]
cut = 2 * len(train) // 3
fit, check = train[:cut], train[cut:]
best = (np.inf, 0.0, 0.0)
for sigma in sigmas:
    k, across = among(fit, sigma), between(check, fit, sigma)
    scale = np.mean(np.diag(k))
    for ridge in lambdas:
        error = np.abs(predicted(k, across, fit, ridge * scale) - y[check]).mean()
        if error < best[0]:
            best = (error, sigma, ridge * scale)
k, across = among(train, best[1]), between(test, train, best[1])
mae = float(np.abs(predicted(k, across, train, best[2]) - y[test]).mean())
seconds = time.process_time() - began
"""
OURS = """
import json, sys, tempfile, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from qmlstudio.chem.readers import open_dataset
from qmlstudio.learning.evaluation.folds import HoldOut
from qmlstudio.session.bench.ladders import qm7
from qmlstudio.session.bench.runner import run
rung, size, tested = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
whole = open_dataset(Path(sys.argv[4]))
data = whole.take(np.linspace(0, len(whole) - 1, size + tested).astype(int))
spec = qm7(data, [rung])
spec = replace(spec, sizes=(size,), repeats=1, split=spec.split.with_values(n_test=tested))
found = []
for repeat in range(3):  # the first one compiles; of the others the quicker one counts
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        result = run(spec, data, None, folder, threads=1)
        found.append(time.process_time() - began)
point = result.points[0]
kernel = point.model["kernel"]
grid = spec.series[0].grid or spec.grid
print(json.dumps({"seconds": min(found[1:]), "mae": point.mae(), "sigma": kernel["sigma"],
    "factors": grid.all_factors, "lambdas": grid.all_lambdas, "steps": point.seconds}))
"""


def climb(rung: str, size: int, tested: int, python: str) -> Row:
    """One representation, ours and qmllib's."""
    from qmlstudio.chem.readers import open_dataset
    from qmlstudio.learning.kernels import median_distance
    from qmlstudio.learning.rows import Rows
    from qmlstudio.session.bench.ladders import qm7

    arguments = [sys.executable, "-c", OURS, rung, str(size), str(tested), str(QM7)]
    ours = json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment(1)).stdout)
    whole = open_dataset(QM7)
    data = whole.take(np.linspace(0, len(whole) - 1, size + tested).astype(int))
    series = qm7(data, [rung]).series[0]
    order = np.random.default_rng(1).permutation(len(data))
    kind = "local" if rung == "fchl19" else "gaussian" if rung == "slatm" else "laplacian"
    if kind == "local":
        from qmlstudio.learning.kernels.local import LocalSum

        few = data.structures.take(np.sort(order[: 2 * size // 3]))
        made: Any = series.representation.compute(few, species=data.structures.species)  # type: ignore[union-attr]
        typical = LocalSum().fitted(Rows.of(made, few)).sigma
    else:
        few = data.structures.take(np.sort(order[: 2 * size // 3]))
        made = series.representation.compute(few, species=data.structures.species)  # type: ignore[union-attr]
        typical = median_distance(Rows.of(made, few), "l1" if kind == "laplacian" else "l2")
    sigmas = typical * np.array(ours["factors"])
    with Peer(python) as peer:
        s = data.structures
        peer.send(z=s.numbers, r=s.positions, o=s.offsets, order=order, sigmas=sigmas, lambdas=ours["lambdas"])
        peer.send(y=data.properties["atomization_energy_pbe0"].values)
        peer.run(MOLECULES + PREPARE + f"kind = {kind!r}\ntested = {tested}\n")
        peer.run(CLIMB.replace("FEATURES", FEATURES[rung]))
        seconds, mae = float(peer.fetch("seconds")), float(peer.fetch("mae"))
        version = peer.version("qmllib")
    return Row(
        work=f"ladder, {series.label}: QM7, N = {size:,}, {tested} tested",
        peer=version,
        agreement=f"MAE {ours['mae']:.2f} / {mae:.2f} kcal/mol",
        ours_us=ours["seconds"] * 1e6,
        peer_us=seconds * 1e6,
        ratio=seconds / ours["seconds"],
    )


def whole(rows: list[Row], size: int) -> Row:
    """All of it."""
    ours, peer = sum(r.ours_us for r in rows), sum(r.peer_us for r in rows)
    return Row(
        work=f"ladder, all {len(rows)}: N = {size:,}",
        peer=rows[0].peer,
        ours_us=ours,
        peer_us=peer,
        ratio=peer / ours,
        demand=10.0,
    )


def run(peers_python: str | None) -> list[Row]:
    """Four representations and their sum."""
    if peers_python is None or not QM7.exists():
        return []
    rows = [climb(rung, SIZE, TESTED, peers_python) for rung in RUNGS]
    return [*rows, whole(rows, SIZE)]


def main() -> int:
    """Another size, or some rungs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNGS))
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--tested", type=int, default=TESTED)
    parser.add_argument("--peers", default=str(Path(__file__).resolve().parents[2] / ".venv-peers" / "bin" / "python"))
    options = parser.parse_args()
    rows = [climb(name, options.size, options.tested, options.peers) for name in options.names or RUNGS]
    print(aligned([*rows, whole(rows, options.size)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
