"""Local kernels against qmllib and DScribe on QM7 (../shared/data) or random molecules, and what charges are learnt to.

qmllib's kernel of 1,000 molecules takes minutes: it is timed with 200, and ours with as many; for 1,000 its time is
scaled by the pairs of atoms of one element, of which both do the same work.
"""

from __future__ import annotations

import sys
from typing import Any

import limits
import numpy as np
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.learning.kernels.atomic import AtomicKernelRidge
from qmlstudio.learning.kernels.local import LocalSum, REMatch
from qmlstudio.learning.rows import Rows
from qmlstudio.representations.fchl19 import FCHL19
from qmlstudio.representations.soap import SOAP
from qmlstudio.session.scripting import open_dataset

SIGMA = 20.0
PREPARE = """
import numpy as np
from qmllib.kernels import get_local_symmetric_kernel, get_local_kernel
counts = np.diff(o)
x = np.zeros((len(counts), counts.max(), a.shape[1]))
for i, (p, q) in enumerate(zip(o[:-1], o[1:])):
    x[i, : q - p] = a[p:q]
charges = [z[p:q].astype(int) for p, q in zip(o[:-1], o[1:])]
"""
MATCHES = """
import numpy as np
from dscribe.kernels import REMatchKernel
kernel = REMatchKernel(metric="polynomial", degree=2, gamma=1, coef0=0, alpha=0.1, threshold=1e-18)
unit = a / np.linalg.norm(a, axis=1)[:, None]
parts = [unit[p:q] for p, q in zip(o[:-1], o[1:])]
"""


def rows_of(count: int, representation: Any) -> tuple[str, Rows]:
    """Features of every k-th molecule, in the order of the file."""
    name, structures = some(count)
    return name, Rows.of(representation.compute(structures), structures)


def pairs_of(rows: Rows) -> float:
    """Pairs of atoms of one element, each counted once."""
    return float((np.unique(rows.numbers, return_counts=True)[1].astype(float) ** 2).sum() / 2.0)


def best(work: Any, repeats: int = 4) -> float:
    """Least seconds of some calls."""
    import time

    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def sums(python: str) -> list[Row]:
    """FCHL19, symmetric: 200 molecules in pairs A B A B; 1,000 against qmllib's time scaled."""
    representation = FCHL19(average="off")
    name, rows = rows_of(200, representation)
    kernel = LocalSum(sigma=SIGMA)
    with Peer(python) as peer:
        peer.send(a=rows.array, o=rows.offsets, z=rows.numbers)
        peer.run(PREPARE)
        work = f"result = get_local_symmetric_kernel(x, charges, {SIGMA})"
        timing = paired(lambda: kernel.matrix(rows, threads=1), peer.task(work), pairs=3)
        agreement, version = same(kernel.matrix(rows), peer.fetch("result")), peer.version("qmllib")
    first = timing.row(f"FCHL19 kernel, 200 × 200 molecules of {name}, each element", version, agreement=agreement)
    _, many = rows_of(1000, representation)
    ours = best(lambda: kernel.matrix(many, threads=1))
    single = best(lambda: kernel.matrix(many, threads=1, dtype=np.float32))
    theirs = timing.peer * pairs_of(many) / pairs_of(rows)
    bound = 2.0 * pairs_of(many) * many.array.shape[1] / limits.flop_rate()
    note = f"{version}'s time scaled from 200; products of all columns would take {bound:.2f} s; float32 {single:.2f} s"
    second = Row(
        work=f"FCHL19 kernel, 1,000 × 1,000 molecules of {name}",
        peer=version,
        ours_us=ours * 1e6,
        peer_us=theirs * 1e6,
        ratio=theirs / ours,
        demand=50.0,
        bound=f"{ours / bound:.1f}",
        note=note,
    )
    return [first, second]


def matches(python: str) -> Row:
    """REMatch of SOAP, to the same tolerance."""
    name, rows = rows_of(40, SOAP(average="off"))
    kernel = REMatch(inner="dot", zeta=2, gamma=0.1, match_elements=False)
    with Peer(python) as peer:
        peer.send(a=rows.array, o=rows.offsets)
        peer.run(MATCHES)
        timing = paired(lambda: kernel.matrix(rows, threads=1), peer.task("result = kernel.create(parts)"), pairs=3)
        agreement, version = same(kernel.matrix(rows), peer.fetch("result")), peer.version("dscribe")
    return timing.row(f"REMatch of SOAP, 40 × 40 molecules of {name}", version, agreement=agreement)


def charges() -> list[Row]:
    """Mulliken charges of the built-in set: the error of 800 molecules for more and more atoms of an element.

    The width and λ were chosen among 1,500 and 500 of the other molecules.
    """
    data = open_dataset("builtin:qm9_7")
    structures, order = data.structures, np.random.default_rng(0).permutation(len(data.structures))
    rows = Rows.of(FCHL19(average="off").compute(structures), structures)
    values = np.asarray(data.properties["charge"].values, dtype=np.float64)
    owners = np.repeat(np.arange(len(structures)), structures.sizes)
    test, train = np.sort(order[:800]), np.sort(order[800:])
    truth, known = values[np.isin(owners, test)], values[np.isin(owners, train)]
    found = []
    for count in (125, 250, 500, 1000, 2000, 4000):
        spec = AtomicKernelRidge(kernel=LocalSum(sigma=3.0), lambda_=1e-4, atoms=count)
        model = spec.fit(rows.take(train), known, threads=1)
        predicted = model.predict(rows.take(test), threads=1).values[:, 0]
        error = np.abs(predicted - truth).mean()
        seconds = sum(model.seconds.values())
        work = f"charges from at most {count:,} atoms of an element ({model.n_train:,} in all)"
        found.append(Row(work=work, ours_us=seconds * 1e6, agreement=f"MAE {error:.4f} e", note="time of the fit"))
    return found


def run(peers_python: str | None) -> list[Row]:
    """The table's rows."""
    python = peers_python or sys.executable
    return [*sums(python), matches(python), *charges()]


if __name__ == "__main__":
    for row in run(sys.argv[1] if len(sys.argv) > 1 else None):
        print(
            f"{row.work}: {row.ours_us / 1e3:.1f} ms, {row.peer} {row.peer_us / 1e3:.1f} ms, ×{row.ratio:.1f};", end=" "
        )
        print(row.agreement, row.bound, row.note)
