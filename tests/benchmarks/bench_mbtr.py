"""The many-body tensor and its local form against DScribe, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from typing import Any

import limits
import numpy as np
from molecules import PREPARE as MOLECULES
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations._bins import DEGREE, Grid
from qmlstudio.representations.lmbtr import LMBTR
from qmlstudio.representations.mbtr import MBTR

PAIRS: dict[str, Any] = {"k2_min": 0.0, "k2_max": 1.0, "k2_n": 100, "k2_sigma": 0.1, "k2_scale": 0.5}
ANGLES: dict[str, Any] = {"k3_min": 0.0, "k3_max": 180.0, "k3_n": 100, "k3_sigma": 5.0, "k3_scale": 0.5}
COSINES: dict[str, Any] = {**ANGLES, "k3_geometry": "cosine", "k3_min": -1.0, "k3_max": 1.0, "k3_sigma": 0.1}

PREPARE = """
known = elements
from dscribe.descriptors import LMBTR, MBTR
weight = {"function": "exp", "scale": 0.5, "threshold": 1e-3}
more = {"species": known, "periodic": False, "normalization": "none", "weighting": weight}
pairs = MBTR(geometry={"function": "inverse_distance"}, grid={"min": 0, "max": 1, "n": 100, "sigma": 0.1}, **more)
angle_grid = {"min": 0, "max": 180, "n": 100, "sigma": 5}
angles = MBTR(geometry={"function": "angle"}, grid=angle_grid, **more)
cosines = MBTR(geometry={"function": "cosine"}, grid={"min": -1, "max": 1, "n": 100, "sigma": 0.1}, **more)
local = LMBTR(geometry={"function": "angle"}, grid=angle_grid, **more)
"""


def table_load(grid: Grid) -> float:
    """Multiply-adds for one Gaussian whose centre is anywhere on the grid, on average."""
    places = np.arange(grid.n)
    reached = np.minimum(places + grid.half + 1, grid.n) - np.maximum(places - grid.half, 0)
    return float(reached.mean()) * (DEGREE + 2)


def loads(structures: Structures, order: int, grid: Grid) -> float:
    """Multiply-adds of all pairs or angles."""
    n = structures.sizes.astype(float)
    count = (n * (n - 1) / 2).sum() if order == 2 else (n * (n - 1) * (n - 2) / 2).sum()
    return float(count) * table_load(grid)


def centre_blocks(elements: int, n: int) -> Any:
    """The peer's columns that are ours: those where the centre X stands twice are left out."""
    with_x = elements + 1
    middle = [i * with_x - i * (i + 1) // 2 + k for i in range(1, with_x) for k in range(i, with_x)]
    first = with_x * (with_x + 1) // 2
    ends = [first + (j - 1) * with_x + k for j in range(1, with_x) for k in range(1, with_x)]
    return (np.array(middle + ends)[:, None] * n + np.arange(n)).ravel()


def run(peers_python: str | None) -> list[Row]:
    """A row for each pair; and how much two threads give."""
    name, structures = some(200)
    n = len(structures)
    rows = []
    cases: list[tuple[str, MBTR, str, int]] = [
        ("MBTR k = 2, inverse distance", MBTR(k1=False, k3=False, normalization="none", **PAIRS), "pairs", 2),
        ("MBTR k = 3, angle", MBTR(k1=False, k2=False, normalization="none", **ANGLES), "angles", 3),
        ("MBTR k = 3, cosine", MBTR(k1=False, k2=False, normalization="none", **COSINES), "cosines", 3),
    ]
    local = LMBTR(k2=False, average="off", normalization="none", **ANGLES)
    if peers_python is not None:
        with Peer(peers_python) as peer:
            peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
            peer.run(MOLECULES + PREPARE)
            for work, tensor, variable, order in cases:
                out = np.zeros((n, tensor.size(structures.species)))
                code = f"result = np.array([{variable}.create(a) for a in atoms])"
                timing = paired(lambda t=tensor, o=out: t.compute(structures, out=o, threads=1), peer.task(code))
                peer.run(code)
                agreement = same(tensor.compute(structures).array, peer.fetch("result"))
                least = loads(structures, order, tensor.grid(order)) / limits.stream_rate()
                least += out.nbytes / limits.write_rate()
                rows.append(
                    timing.row(
                        f"{work}: {name}, {n} molecules, each",
                        peer.version("dscribe"),
                        n,
                        agreement=agreement,
                        demand=6.0,
                        columns=out.shape[1],
                        bound=limits.bound(timing.ours, least, "accumulation"),
                    )
                )
            few = structures.take(slice(0, n, 20))
            peer.send(z=few.numbers, r=few.positions, o=few.offsets)
            peer.run(MOLECULES + PREPARE.replace("= elements", f"= {list(structures.species.numbers)}"))
            out = np.zeros((len(few.numbers), local.size(structures.species)))
            code = "result = np.concatenate([local.create(a) for a in atoms])"
            timing = paired(lambda: local.compute(few, species=structures.species, out=out, threads=1), peer.task(code))
            peer.run(code)
            chosen = centre_blocks(len(structures.species.numbers), local.k3_n)
            theirs = peer.fetch("result")[:, chosen]
            least = loads(few, 3, local.grid(3)) * (DEGREE + 1 + 3) / (DEGREE + 2) / limits.stream_rate()
            least += out.nbytes / limits.write_rate()
            rows.append(
                timing.row(
                    f"LMBTR k = 3, angle, a row for each atom: {name}, {len(few)} molecules, each",
                    peer.version("dscribe"),
                    len(few),
                    agreement=same(out, theirs),
                    demand=200.0,
                    columns=out.shape[1],
                    bound=limits.bound(timing.ours, least, "accumulation, writing"),
                )
            )
    many = structures.take(np.tile(np.arange(n), 10))
    whole = MBTR()
    result = np.zeros((len(many), whole.size(many.species)))
    timing = paired(
        lambda: whole.compute(many, out=result, threads=2), lambda: whole.compute(many, out=result, threads=1)
    )
    rows.append(
        timing.row(
            f"MBTR k = 1, 2, 3: two threads against one, {len(many):,} molecules, each",
            "ours, one thread",
            len(many),
            demand=1.7,
            columns=result.shape[1],
        )
    )
    return rows
