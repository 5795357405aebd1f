"""SOAP against DScribe, its derivatives against featomic too, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

from typing import Any

import numpy as np
from limits import bound, flop_rate, write_rate
from molecules import PREPARE as MOLECULES
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import SOAP

MANY, SOME, FEW = 1000, 200, 20
PREPARE = """
from dscribe.descriptors import SOAP
def descriptor(average, rbf="gto"):
    return SOAP(r_cut=5.0, n_max=8, l_max=6, sigma=1.0, rbf=rbf, average=average, species=elements)
def rows(made):
    return np.concatenate([np.atleast_2d(made.create(a)) for a in atoms])
"""
FEATOMIC = """
import os
os.environ["RAYON_NUM_THREADS"] = "1"
from featomic import SoapPowerSpectrum
calculator = SoapPowerSpectrum(
    cutoff={"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    density={"type": "Gaussian", "width": 1.0},
    basis={"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
)
"""
SLOPES = 'calculator.compute(atoms, gradients=["positions"])'
ANALYTICAL = """
for a in atoms:
    made.derivatives(a, method="analytical", return_descriptor=False)
"""


def arithmetic(structures: Structures, soap: SOAP) -> float:
    """Seconds that the machine needs at least for multiplications and additions: look-ups, sums, products."""
    n, rows = soap.n_max, (soap.l_max + 1) ** 2
    flops = 0.0
    for structure in structures:
        x = structure.positions
        near = int((((x[:, None] - x[None]) ** 2).sum(axis=2) < soap.reach**2).sum()) - len(structure)
        functions = n * len(set(structure.numbers.tolist()))
        product = rows * functions * (functions + 1)
        # every pair once: polynomials of degree 7; expanded from both ends unless averaged before
        flops += near / 2 * 14 * n * (soap.l_max + 1)
        flops += near / (2 if soap.average == "inner" else 1) * 2 * n * rows
        flops += product * (1 if soap.average == "inner" else len(structure))
    return flops / flop_rate()


def run(peers_python: str | None) -> list[Row]:
    """Rows against DScribe, derivatives against DScribe and featomic, two threads against one."""
    name, structures = some(MANY)
    fewer = structures.take(np.linspace(0, MANY - 1, SOME).astype(int))
    least = structures.take(np.linspace(0, MANY - 1, FEW).astype(int))
    inner, local = SOAP(), SOAP(average="off")
    columns = inner.size(structures.species)
    rows = []
    if peers_python is not None:
        with Peer(peers_python) as peer:
            cases: list[tuple[str, SOAP, Structures, bool, str, float]] = [
                ("SOAP, inner average", inner, structures, False, 'rows(descriptor("inner"))', 14.0),
                ("SOAP, each atom, new array", local, fewer, False, 'rows(descriptor("off"))', 9.0),
                ("SOAP, each atom, array used again", local, fewer, True, 'rows(descriptor("off"))', 15.0),
                (
                    "SOAP, polynomial, inner average",
                    SOAP(rbf="polynomial"),
                    fewer,
                    False,
                    'rows(descriptor("inner", "polynomial"))',
                    50.0,
                ),
            ]
            for work, soap, chosen, again, code, demand in cases:
                peer.send(z=chosen.numbers, r=chosen.positions, o=chosen.offsets)
                peer.run(MOLECULES + PREPARE)
                out = np.zeros((soap.rows(chosen), columns)) if again else None

                def ours(soap: SOAP = soap, chosen: Structures = chosen, out: Any = out) -> Any:
                    return soap.compute(chosen, species=structures.species, out=out, threads=1)

                timing = paired(ours, peer.task(f"result = {code}"))
                result = ours().array
                limit = arithmetic(chosen, soap) + result.nbytes / write_rate()
                rows.append(
                    timing.row(
                        f"{work}: {name}, {len(chosen):,} molecules, each",
                        peer.version("dscribe"),
                        len(chosen),
                        agreement=same(result, peer.fetch("result")),
                        demand=demand,
                        columns=columns,
                        bound=bound(timing.ours, limit, "flops and bytes"),
                    )
                )
            peer.send(z=least.numbers, r=least.positions, o=least.offsets)
            peer.run(MOLECULES + PREPARE + FEATOMIC + 'made = descriptor("off")')
            buffer = local.gradient(least, species=structures.species).array
            limit = buffer.nbytes / write_rate()
            for work, package, code, demand, out in (
                ("array used again", "featomic", SLOPES, 10.0, buffer),
                ("new array", "featomic", SLOPES, None, None),
                ("array used again", "dscribe", ANALYTICAL, None, buffer),
            ):
                timing = paired(
                    lambda out=out: local.gradient(least, species=structures.species, out=out, threads=1),
                    peer.task(code),
                )
                rows.append(
                    timing.row(
                        f"SOAP, each atom, derivatives, {work}: {FEW} molecules, each",
                        peer.version(package),
                        FEW,
                        demand=demand,
                        columns=columns,
                        bound=bound(timing.ours, limit, "bytes written"),
                        note="featomic's has no columns of absent elements" if package == "featomic" else "",
                    )
                )
    copies = structures.take(np.tile(np.arange(MANY), 4))
    for soap, chosen in ((inner, copies), (local, fewer)):
        out = np.zeros((soap.rows(chosen), columns))
        timing = paired(
            lambda soap=soap, chosen=chosen, out=out: soap.compute(chosen, out=out, threads=2),
            lambda soap=soap, chosen=chosen, out=out: soap.compute(chosen, out=out, threads=1),
        )
        title = f"SOAP, {soap.average}: two threads against one, {len(chosen):,} molecules, each"
        rows.append(timing.row(title, "ours, one thread", len(chosen), demand=1.7, columns=columns))
    return rows
