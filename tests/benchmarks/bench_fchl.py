"""FCHL19 and FCHL18 against qmllib, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from typing import Any

import limits
import numpy as np
from molecules import PREPARE as MOLECULES
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations.fchl18 import FCHL18
from qmlstudio.representations.fchl19 import FCHL19

PREPARE = """
from qmllib.representations import generate_fchl18, generate_fchl19
from qmllib.representations.fchl import get_local_symmetric_kernels
"""
VALUES = "result = [generate_fchl19(n, p, elements=elements) for n, p in zip(numbers, angstrom)]"
GRADIENTS = "result = [generate_fchl19(n, p, elements=elements, gradients=True) for n, p in zip(numbers, angstrom)]"
ROWS = "rows = np.array([generate_fchl18(n, p, max_size=n_max) for n, p in zip(numbers, angstrom)])"
KERNEL = 'result = get_local_symmetric_kernels(rows, alchemy="{}")[0]'


def values_limit(structures: Structures, representation: FCHL19) -> float:
    """Seconds that the exponentials and the multiply-adds of the values take at best."""
    n = structures.sizes.astype(float)
    pairs, triples = (n * (n - 1) / 2).sum(), (n * (n - 1) * (n - 2) / 2).sum()
    exponentials = pairs * (representation.nRs2 + 4) + triples
    # for each grid point the product of two tables and its share of cosine and sine; 55 operations for the weight
    flops = triples * (5 * representation.nRs3 + 55)
    return float(exponentials / limits.exp_rate() + flops / limits.flop_rate())


def values_rows(peer: Peer, structures: Structures, name: str) -> list[Row]:
    """Values of FCHL19, for each atom and summed."""
    rows = []
    n = len(structures)
    for average, what in (("off", "a row for each atom"), ("sum", "summed")):
        representation = FCHL19(average=average)
        out = representation.compute(structures, threads=1).array
        timing = paired(lambda r=representation, o=out: r.compute(structures, out=o, threads=1), peer.task(VALUES))
        peer.run(VALUES + "; result = np.vstack(result)")
        theirs = peer.fetch("result")
        if average == "sum":
            theirs = np.add.reduceat(theirs, structures.offsets[:-1], axis=0)
        limit = values_limit(structures, representation)
        rows.append(
            timing.row(
                f"FCHL19, {what}: {name}, {n:,} molecules, each",
                peer.version("qmllib"),
                n,
                agreement=same(out, theirs),
                demand=6.0,
                columns=out.shape[1],
                bound=limits.bound(timing.ours, limit, "exponentials and products"),
            )
        )
    return rows


def gradient_row(peer: Peer, structures: Structures, name: str) -> Row:
    """Values and dense gradients of FCHL19, into buffers that are there."""
    representation = FCHL19(average="off")
    out = representation.compute(structures, threads=1).array
    gradients = representation.gradient(structures, threads=1)

    def both() -> None:
        representation.compute(structures, out=out, threads=1)
        representation.gradient(structures, out=gradients.array, threads=1)

    n = len(structures)
    timing = paired(both, peer.task(GRADIENTS))
    peer.run(GRADIENTS + "; result = np.concatenate([np.moveaxis(g, 1, 3).ravel() for _, g in result])")
    theirs = peer.fetch("result")
    difference = np.abs(gradients.array - theirs).max() / np.abs(theirs).max()
    return timing.row(
        f"FCHL19 with dense gradients: {name}, {n:,} molecules, each",
        peer.version("qmllib"),
        n,
        agreement=f"max |Δ|/max {difference:.0e}",
        demand=3.5,
        columns=out.shape[1],
        bound=limits.bound(timing.ours, gradients.array.nbytes / limits.write_rate(), "writing the blocks"),
        note=f"{gradients.array.nbytes / n / 1e6:.1f} MB for each molecule",
    )


def kernel_rows(peer: Peer, structures: Structures, name: str) -> list[Row]:
    """Rows and kernels of FCHL18."""
    n = len(structures)
    rows = []
    representation = FCHL18()
    timing = paired(lambda: representation.compute(structures, threads=1), peer.task(ROWS))
    note = "ours with the three-body terms, which qmllib makes in the kernel"
    rows.append(timing.row(f"FCHL18: {name}, {n:,} molecules, each", peer.version("qmllib"), n, note=note))
    peer.run(ROWS)
    for alchemy in ("off", "periodic-table"):
        kernel = FCHL18(alchemy=alchemy)
        code = KERNEL.format(alchemy)
        timing = paired(lambda k=kernel: k.kernel(structures, threads=1), peer.task(code), pairs=3)
        peer.run(code)
        agreement = same(kernel.kernel(structures), peer.fetch("result"))
        title = f"FCHL18 kernel, alchemy {alchemy}: {name}, {n} × {n} molecules, each element"
        rows.append(timing.row(title, peer.version("qmllib"), n * n, agreement=agreement, demand=3.0))
    return rows


def run(peers_python: str | None) -> list[Row]:
    """One row for each pair; and how much two threads give."""
    rows: list[Row] = []
    name, values = some(300)
    _, gradients = some(40)
    _, kernels = some(60)
    if peers_python is not None:
        cases: list[tuple[Structures, Any]] = [
            (values, values_rows),
            (gradients, lambda *a: [gradient_row(*a)]),
            (kernels, kernel_rows),
        ]
        for structures, measure in cases:
            with Peer(peers_python) as peer:
                peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
                peer.run(MOLECULES + PREPARE)
                rows += measure(peer, structures, name)
    copies = values.take(np.tile(np.arange(len(values)), 10))
    representation = FCHL19()
    out = representation.compute(copies).array
    timing = paired(
        lambda: representation.compute(copies, out=out, threads=2),
        lambda: representation.compute(copies, out=out, threads=1),
    )
    title = f"FCHL19: two threads against one, {len(copies):,} molecules, each"
    rows.append(timing.row(title, "ours, one thread", len(copies), demand=1.7))
    return rows
