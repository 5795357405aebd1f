"""SLATM of structures and of atoms against qmllib, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from typing import Any

import limits
import numpy as np
from molecules import PREPARE as MOLECULES
from molecules import molecules, same, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import SLATM
from qmlstudio.representations._slatm_terms import BLOCK, constants

PREPARE = """
from qmllib.representations import generate_slatm, get_slatm_mbtypes
types = get_slatm_mbtypes([np.repeat(all_z, all_n)])
flat = np.array([list(t) + [0] * (3 - len(t)) for t in types])
"""
GLOBAL = "result = np.array([generate_slatm(z, r, types) for z, r in zip(numbers, angstrom)])"
LOCAL = "result = np.concatenate([generate_slatm(z, r, types, local=True) for z, r in zip(numbers, angstrom)])"


def content(structures: Structures, cutoff: float) -> tuple[int, int]:
    """Pairs and triangles within the cutoff."""
    pairs = triangles = 0
    for structure in structures:
        near = np.linalg.norm(structure.positions[:, None] - structure.positions, axis=2) < cutoff
        upper = np.triu(near, 1).astype(float)
        pairs, triangles = pairs + int(upper.sum()), triangles + int((upper @ upper * upper).sum())
    return pairs, triangles


def least_seconds(representation: SLATM, pairs: int, triangles: int, rows: int, columns: int, item: int) -> float:
    """What exponentials, multiply-adds and writing take at the machine's best."""
    fixed = constants(
        representation.rcut,
        representation.sigma2,
        representation.sigma3,
        representation.d2,
        representation.d3,
        representation.rpower,
        representation.local,
    )
    exponentials = 4 * (pairs + 3 * triangles)
    twice = 2 if representation.local else 1
    points = 2 * BLOCK * (fixed.blocks[0] * pairs * twice + fixed.blocks[1] * 3 * triangles)
    # three operations at each point: the power, the weight, the sum
    return float(
        exponentials / limits.exp_rate()
        + 3 * points / limits.stream_rate() / 2
        + rows * columns * item / limits.write_rate()
    )


def run(peers_python: str | None) -> list[Row]:
    """One row each for structures and atoms, in double and single precision; and how much two threads give."""
    _, whole = molecules()
    species = whole.species
    rows = []
    for average, count, code, title in (("sum", 400, GLOBAL, "SLATM"), ("off", 80, LOCAL, "SLATM of atoms")):
        name, structures = some(count)
        representation = SLATM(average=average)
        columns = representation.size(species)
        shape = (representation.rows(structures), columns)
        pairs, triangles = content(structures, representation.rcut)
        out = {kind: np.zeros(shape, dtype=kind) for kind in (np.float64, np.float32)}
        work = f"{title}: {name}, {count} molecules, each"

        def ours(kind: Any, r: SLATM = representation, s: Structures = structures, o: Any = out, t: int = 1) -> Any:
            return lambda: r.compute(s, species=species, out=o[kind], threads=t)

        if peers_python is not None:
            with Peer(peers_python) as peer:
                peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
                peer.send(all_z=np.array(species.numbers), all_n=np.array(species.counts))
                peer.run(MOLECULES + PREPARE)
                version = peer.version("qmllib")
                timing = paired(ours(np.float64), peer.task(code))
                single = paired(ours(np.float32), peer.task(code), 3)
                peer.run(code)
                theirs, kinds = peer.fetch("result"), peer.fetch("flat")
            agreement = same(out[np.float64], theirs[:, matched(representation, kinds, species)])
            for kind, measured, note in ((np.float64, timing, ""), (np.float32, single, "ours in float32")):
                limit = least_seconds(representation, pairs, triangles, *shape, np.dtype(kind).itemsize)
                rows.append(
                    measured.row(
                        work,
                        version,
                        count,
                        agreement=agreement if kind is np.float64 else "",
                        demand=8.0,
                        columns=columns,
                        bound=limits.bound(measured.ours, limit, "exp, multiply-adds, writing"),
                        note=note,
                    )
                )
        timing = paired(ours(np.float64, t=2), ours(np.float64))
        rows.append(timing.row(f"{work}: two threads against one", "ours, one thread", count, demand=1.7))
        if not representation.local:
            few = structures.take(slice(0, 40))
            gradients = representation.gradient(few, species=species, threads=1).array
            timing = paired(
                lambda r=representation, few=few, g=gradients: r.gradient(few, species=species, out=g, threads=1),
                lambda g=gradients: g.fill(0.0),
            )
            rows.append(
                timing.row(
                    f"SLATM, dense gradients: {name}, 40 molecules, each",
                    "filling the same memory",
                    len(few),
                    columns=columns,
                    note=f"{gradients.nbytes / len(few) / 1e6:.1f} MB each",
                )
            )
    return rows


def matched(representation: SLATM, kinds: Any, species: Any) -> Any:
    """The peer's columns in our order: a type and its reverse are the same."""
    sizes = {1: 1, 2: len(representation.distances()), 3: len(representation.angles())}
    place: dict[tuple[int, ...], Any] = {}
    at = 0
    for row in kinds:
        kind = tuple(int(z) for z in row if z)
        place[min(kind, kind[::-1])] = np.arange(at, at + sizes[len(kind)])
        at += sizes[len(kind)]
    return np.concatenate([place[kind.elements] for kind in representation.types(species)])
