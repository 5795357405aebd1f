"""Enumeration: seconds of each size, and GDB-11's recall and precision, before and after the filters.

    python tests/benchmarks/bench_enumeration.py [largest size = 7] [elements = "C N O"]

GDB-11 is looked for in ../shared/data/gdb11; sizes that are not there are only timed.
"""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path

from qmlstudio.chem.enumeration.graphs import COUNTS, geng, graphs, grown
from qmlstudio.chem.enumeration.stages import Counts, Enumeration, enumerate_molecules

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gdb11"


def known(size: int, symbols: set[str]) -> set[str]:
    """GDB-11's molecules of a size of these elements; empty where the file is not there."""
    from rdkit import Chem

    found = set()
    for name in ("gdb11_le7.smi.gz", "gdb11_size08.smi.gz"):
        if (size == 8) != ("08" in name) or not (FOLDER / name).is_file():
            continue
        with gzip.open(FOLDER / name, "rt") as file:
            for line in file:
                molecule = Chem.MolFromSmiles(line.split()[0])
                if molecule.GetNumAtoms() == size and {a.GetSymbol() for a in molecule.GetAtoms()} <= symbols:
                    found.add(Chem.MolToSmiles(molecule))
    return found


def main() -> None:
    """Print the table."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    elements = sys.argv[2] if len(sys.argv) > 2 else "C N O"
    began = time.perf_counter()
    for level in grown(max(largest, 9)):
        n = level.shape[1]
        print(f"own graphs of {n:2} vertices: {len(level):6} of {COUNTS[n - 1]:6} {time.perf_counter() - began:7.2f} s")
    if geng():
        began = time.perf_counter()
        total = sum(len(block) for block in graphs(10))
        print(f"geng up to 10 vertices: {total} of {sum(COUNTS[:10])} in {time.perf_counter() - began:.2f} s")
    for without in ("all", ""):
        print("without filters" if without else "with filters")
        for size in range(1, largest + 1):
            spec = Enumeration(n_heavy=size, smallest=size, elements=elements, without=without)
            counts = Counts()
            began = time.perf_counter()
            found = {m.smiles for m in enumerate_molecules(spec, counts, program="")}
            spent = time.perf_counter() - began
            gdb = known(size, set(elements.split()))
            hits = len(found & gdb)
            text = f"recall {hits / len(gdb):.4f}, precision {hits / max(len(found), 1):.4f}" if gdb else "no reference"
            made = counts.total("molecules")
            print(f"{size} heavy atoms: {made:8,} made, {len(found):7,} left of {len(gdb):6,}, {text}, {spent:.2f} s")


if __name__ == "__main__":
    main()
