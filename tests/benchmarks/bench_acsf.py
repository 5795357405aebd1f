"""Symmetry functions against DScribe, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from typing import Any

import numpy as np
from limits import bound, exp_rate, flop_rate
from molecules import PREPARE as MOLECULES
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import ACSF

MANY, FEW = 1000, 20
LISTS = {
    "g2_params": [[0.9, 0.8 + 0.7 * k] for k in range(8)],
    "g4_params": [[0.01, zeta, sign] for zeta in (1.0, 2.0, 4.0, 16.0) for sign in (1.0, -1.0)],
}
WIDE = LISTS | {
    "g3_params": [1.0, 2.0],
    "g5_params": [[eta, zeta, sign] for eta in (0.01, 0.1) for zeta in (1.0, 3.0, 8.0) for sign in (1.0, -1.0)],
}
PREPARE = """
from dscribe.descriptors import ACSF
def rows(descriptor):
    return np.concatenate([descriptor.create(a) for a in atoms])
"""
DIFFERENCES = """
for a in atoms:
    descriptor.derivatives(a, method="numerical", attach=True, return_descriptor=False)
"""


def arithmetic(structures: Structures, r_cut: float, gaussians: int, exponentials: int, functions: int) -> float:
    """Seconds that the machine needs at least: exponentials, and 25 + 4 operations for triples and their functions."""
    pairs = triples = 0
    for structure in structures:
        x = structure.positions
        near = ((x[:, None] - x[None]) ** 2).sum(axis=2) < r_cut**2
        counts = near.sum(axis=1) - 1
        pairs += int(counts.sum())
        triples += int((counts * (counts - 1) // 2).sum())
    flops = 30.0 * pairs + (25.0 + 4.0 * functions) * triples
    return (pairs * gaussians + triples * exponentials) / exp_rate() + flops / flop_rate()


def run(peers_python: str | None) -> list[Row]:
    """Rows against DScribe; gradients against DScribe's differences; two threads against one."""
    name, structures = some(MANY)
    cases: list[tuple[str, dict[str, Any], float | None, tuple[int, int, int]]] = [
        ("symmetry functions, 8 G2 + 8 G4", LISTS, 8.0, (8, 1, 8)),
        ("symmetry functions, 8 G2 + 2 G3 + 8 G4 + 12 G5", WIDE, None, (8, 3, 20)),
    ]
    rows = []
    if peers_python is not None:
        with Peer(peers_python) as peer:
            peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
            peer.run(MOLECULES + PREPARE)
            for work, lists, demand, counts in cases:
                representation = ACSF(average="off", r_cut=6.0, n_radial=0, angular="none", **lists)
                columns = representation.size(structures.species)
                out = np.zeros((representation.rows(structures), columns))
                peer.run(f"descriptor = ACSF(r_cut=6.0, species=elements, **{lists!r})")
                code = "result = rows(descriptor)"
                timing = paired(
                    lambda r=representation, out=out: r.compute(structures, out=out, threads=1), peer.task(code)
                )
                peer.run(code)
                least = arithmetic(structures, 6.0, *counts)
                rows.append(
                    timing.row(
                        f"{work}, 6 Å: {name}, {MANY:,} molecules, each",
                        peer.version("dscribe"),
                        MANY,
                        agreement=same(out, peer.fetch("result")),
                        demand=demand,
                        columns=columns,
                        bound=bound(timing.ours, least, "exp and flops"),
                    )
                )
            few = structures.take(np.linspace(0, MANY - 1, FEW).astype(int))
            peer.send(z=few.numbers, r=few.positions, o=few.offsets)
            peer.run(MOLECULES + f"descriptor = ACSF(r_cut=6.0, species=elements, **{LISTS!r})")
            representation = ACSF(average="off", r_cut=6.0, **LISTS)
            buffer = representation.gradient(few).array
            timing = paired(
                lambda: representation.gradient(few, out=buffer, threads=1),
                peer.task(DIFFERENCES),
            )
            note = "analytical against numerical"
            work = f"gradients of symmetry functions, 8 G2 + 8 G4: {name}, {FEW} molecules, each"
            rows.append(timing.row(work, peer.version("dscribe"), FEW, note=note))
    representation = ACSF(average="off", r_cut=6.0, **LISTS)
    copies = structures.take(np.tile(np.arange(MANY), 5))
    out = np.zeros((representation.rows(copies), representation.size(copies.species)))
    timing = paired(
        lambda: representation.compute(copies, out=out, threads=2),
        lambda: representation.compute(copies, out=out, threads=1),
    )
    work = f"symmetry functions: two threads against one, {len(copies):,} molecules, each"
    rows.append(timing.row(work, "ours, one thread", len(copies), demand=1.7))
    return rows
