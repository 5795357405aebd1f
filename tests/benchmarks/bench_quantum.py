"""Reference properties: all of QM7 at GFN2-xTB through the computing processes, against tblite's own ASE calculator.

The peer computes the same structures one after another in one process, as a script would; ours run in as many processes
as processors. Then what the machinery costs: a second run, which finds everything on disk, and structures that take no
time at all to compute.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from table import Row

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT
from qmlstudio.quantum import pool
from qmlstudio.quantum.batch import Calculation, Outcome, compute
from qmlstudio.quantum.methods import GFN2
from qmlstudio.quantum.pool import processors
from qmlstudio.quantum.records import Records

ROOT = Path(__file__).resolve().parents[2]
QM7 = ROOT.parent / "shared" / "data" / "qm7" / "qm7.tar.gz"
QM7_SECONDS = 90.0
"""Demand for all of QM7 on two processors."""
SAMPLE = 200
QUICK = 5000
WANTED = Calculation(quantities=("energy", "forces", "homo", "lumo", "gap", "dipole", "charges"))


def _peer(dataset: Dataset, rows: Any) -> tuple[list[float], float]:
    """Energies (eV) by tblite's ASE calculator, and seconds for one structure."""
    from ase import Atoms
    from tblite.ase import TBLite

    energies, began = [], time.perf_counter()
    for i in rows:
        structure = dataset.structures[int(i)]
        atoms = Atoms(numbers=structure.numbers, positions=structure.positions)
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        energies.append(float(atoms.get_potential_energy()))
        atoms.get_forces()
    return energies, (time.perf_counter() - began) / len(energies)


def _quick() -> tuple[float, int]:
    """Seconds for one structure that takes no time."""
    script = ROOT / "tests" / "quantum" / "faulty_worker.py"
    former, pool.command = pool.command, lambda: [sys.executable, str(script)]
    rng = np.random.default_rng(0)
    numbers = [np.full(15, 6)] * QUICK
    dataset = Dataset("quick", Structures.from_lists(numbers, list(rng.normal(size=(QUICK, 15, 3)))))
    try:
        outcome = compute(dataset, slice(None), Calculation(quantities=("energy", "charges")), workers=1)
    finally:
        pool.command = former
    return outcome.seconds / QUICK, outcome.done


def _said(outcome: Outcome) -> str:
    return (
        f"{outcome.seconds:.1f} s, {outcome.cpu_seconds:.1f} s of processors; "
        f"load {os.getloadavg()[0]:.1f}; {len(outcome.failures)} failed"
    )


def run(_peers_python: str | None) -> list[Row]:
    """Called by run.py."""
    rows: list[Row] = []
    if not GFN2.is_available():
        return rows
    seconds, done = _quick()
    rows.append(Row(work=f"a structure without any work ({done:,}), 1 process", ours_us=seconds * 1e6, note="overhead"))
    if not QM7.exists():
        return rows
    dataset = open_dataset(QM7, SILENT)
    chosen = np.linspace(0, len(dataset) - 1, SAMPLE).astype(int)
    energies, peer = _peer(dataset, chosen)
    with tempfile.TemporaryDirectory() as folder, Records(Path(folder) / "results.sqlite") as records:
        first = compute(dataset, slice(None), WANTED, records=records)
        again = compute(dataset, slice(None), WANTED, records=records)
    from ase.units import Hartree

    apart = np.abs(first.numbers["energy"][chosen] * Hartree - np.array(energies)).max()
    ours = first.seconds / len(dataset)
    rows.append(
        Row(
            work=f"QM7 ({len(dataset):,}), GFN2-xTB energies and forces, {processors()} processes; peer: 1",
            peer="tblite.ase",
            agreement=f"max |ΔE| {apart:.1e} eV",
            ours_us=ours * 1e6,
            peer_us=peer * 1e6,
            ratio=peer / ours,
            note=f"{_said(first)}; asked for: {QM7_SECONDS:.0f} s on two processors",
        )
    )
    rows.append(
        Row(work="the same, from disk", ours_us=again.seconds / len(dataset) * 1e6, note=f"{again.seconds:.2f} s")
    )
    return rows
