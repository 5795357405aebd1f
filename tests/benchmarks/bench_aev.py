"""ANI's environment vectors against TorchANI, on molecules of H, C, N and O of QM7 (../shared/data) or random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from limits import bound, exp_rate, flop_rate, write_rate
from molecules import molecules, same
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import AEV

BATCH, MANY = 250, 1000
PREPARE = """
import numpy as np, torch, warnings
warnings.simplefilter("ignore")
from torchani.aev import AEVComputer
torch.set_num_threads(1)
sizes = np.diff(o)
order = [1, 6, 7, 8]
kinds = torch.full((len(sizes), int(sizes.max())), -1)
places = torch.zeros(len(sizes), int(sizes.max()), 3)
for k, (a, b) in enumerate(zip(o[:-1], o[1:])):
    kinds[k, : b - a] = torch.tensor([order.index(n) for n in z[a:b]])
    places[k, : b - a] = torch.tensor(r[a:b])
batches = list(zip(kinds.split(250), places.split(250)))
def rows(computer):
    with torch.no_grad():
        return [computer(*batch) for batch in batches]
def flat(found):
    return np.concatenate([f[k[:] >= 0].numpy() for f, (k, _) in zip(found, batches)]).astype(float)
"""
MAKE = {
    "ani1x": "computer = AEVComputer.like_1x(num_species=4)",
    "ani2x": "computer = AEVComputer.like_2x(num_species=7); order = [1, 6, 7, 8, 16, 9, 17]",
}


def hydrogen_to_oxygen(count: int) -> tuple[str, Structures]:
    """Molecules of the elements of ANI-1x."""
    name, structures = molecules()
    fits = [k for k in range(len(structures)) if set(structures[k].numbers.tolist()) <= {1, 6, 7, 8}]
    return name, structures.take(np.array(fits)[np.linspace(0, len(fits) - 1, count).astype(int)])


def least(structures: Structures, representation: AEV) -> float:
    """Seconds that the machine needs at least: exponentials, operations, and the rows written once."""
    c = representation.constants
    pairs = triples = 0
    for structure in structures:
        x = structure.positions
        distances = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
        pairs += int((distances < c.Rcr).sum()) - len(x)
        inner = (distances < c.Rca).sum(axis=1) - 1
        triples += int((inner * (inner - 1) // 2).sum())
    angles, distances = len(c.ShfZ), len(c.ShfA)
    powers = 0 if c.Zeta.is_integer() else 2 * angles
    exponentials = pairs * len(c.ShfR) + triples * (distances + powers)
    flops = 30.0 * pairs + triples * (20.0 + 10.0 * angles + 2.0 * angles * distances)
    written = representation.memory(structures)
    return exponentials / exp_rate() + flops / flop_rate() + written / write_rate()


def run(peers_python: str | None) -> list[Row]:
    """Rows against TorchANI in single precision, as its networks use it; gradients; two threads against one."""
    name, structures = hydrogen_to_oxygen(MANY)
    rows = []
    title = f"{name}, {MANY:,} molecules in batches of {BATCH}, each"
    if peers_python is not None:
        with Peer(peers_python) as peer:
            peer.send(z=structures.numbers, r=structures.positions, o=structures.offsets)
            peer.run(PREPARE)
            for preset, work, demand in (("ani1x", "ANI-1x", 5.0), ("ani2x", "ANI-2x", None)):
                representation = AEV(average="off", preset=preset, elements="preset")
                columns = representation.size(structures.species)
                out = np.zeros((representation.rows(structures), columns))
                peer.run(MAKE[preset])
                timing = paired(
                    lambda r=representation, out=out: r.compute(structures, out=out, threads=1),
                    peer.task("result = rows(computer)"),
                )
                peer.run("result = flat(rows(computer))")
                rows.append(
                    timing.row(
                        f"environment vectors of {work}: {title}",
                        peer.version("torchani"),
                        MANY,
                        agreement=same(out, peer.fetch("result")),
                        demand=demand,
                        columns=columns,
                        bound=bound(timing.ours, least(structures, representation), "exp, flops, bytes"),
                        note="ours in double, theirs in single precision",
                    )
                )
    representation = AEV(average="off")
    copies = structures.take(np.tile(np.arange(MANY), 2))
    out: Any = np.zeros((representation.rows(copies), representation.size(copies.species)))
    timing = paired(
        lambda: representation.compute(copies, out=out, threads=2),
        lambda: representation.compute(copies, out=out, threads=1),
    )
    work = f"environment vectors: two threads against one, {len(copies):,} molecules, each"
    rows.append(timing.row(work, "ours, one thread", len(copies), demand=1.7))
    return rows
