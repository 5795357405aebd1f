"""Make qm9_7.npz: the QM9 molecules with at most seven heavy atoms, from the PyPI package qm9pack.

Usage: ``pip install qm9pack`` beside QML Studio, then ``python resources/datasets/make_qm9_7.py``. The package's
tables are read as text, so that every number has exactly the digits of the source and neither pandas nor setuptools is
needed.
The molecules that the authors of QM9 found uncharacterised (3,054 of 133,885) are not in the package.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from decimals import write

from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor

LARGEST = 7
"""Heavy atoms."""
COLUMNS = {
    "A": "RotA_GHz",
    "B": "RotB_GHz",
    "C": "RotC_GHz",
    "mu": "Dipole_debye",
    "alpha": "Polarizability_bohr3",
    "homo": "HOMO_au",
    "lumo": "LUMO_au",
    "gap": "HOMO_LUMO_gap_au",
    "r2": "R2_bohr2",
    "zpve": "ZPVE_au",
    "U0": "InternalEnergy_0K_au",
    "U": "InternalEnergy_298K_au",
    "H": "Enthalphy_298K_au",
    "G": "GibbsFreeEnergy_298K_au",
    "Cv": "Heatcapacity_Cv_cal_mol_K",
}
"""Property: column of qm9pack (its spelling)."""


ATOM_U0 = {1: -0.500273, 6: -37.846772, 7: -54.583861, 8: -75.064579, 9: -99.718730}
"""Ha; internal energies at 0 K of the free atoms at the same level, as published with QM9."""


def items(text: str) -> list[str]:
    """The entries of a printed (nested) list; not JSON: numbers may end in a point, texts have single quotes."""
    return text.translate(str.maketrans("", "", "[]' ")).split(",")


def rows() -> Iterator[dict[str, str]]:
    """Rows of the package's three tables, in the order of the gdb index."""
    spec = find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("qm9pack is not installed: pip install qm9pack")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    for part in (1, 2, 3):
        with (folder / f"qm9_part{part}.csv").open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("qm9_7.npz"))
    out: Path = parser.parse_args().out

    numbers: list[list[int]] = []
    positions: list[list[float]] = []
    charges: list[float] = []
    indices: list[int] = []
    smiles: list[str] = []
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    total = 0
    for row in rows():
        total += 1
        z = [atomic_number(symbol) for symbol in items(row["Elements"])]
        if sum(number > 1 for number in z) > LARGEST:
            continue
        numbers.append(z)
        positions.append([float(x) for x in items(row["XYZ_Ang"])])
        charges += [float(q) for q in items(row["Mulliken_pop"])]
        indices.append(int(row["Index"]))
        smiles.append(row["SMILES"])
        for name, column in COLUMNS.items():
            columns[name].append(float(row[column]))

    structures = Structures.from_lists(numbers, positions)
    bound = np.array(columns["U0"]) - [sum(ATOM_U0[number] for number in z) for z in numbers]
    about = {
        "source": f"qm9pack {version('qm9pack')}, {total} molecules",
        "script": Path(__file__).name,
        "numpy": np.__version__,
    }
    arrays = {
        "numbers": structures.numbers,
        "positions": structures.positions,
        "offsets": structures.offsets.astype(np.int32),
        "identifiers": np.array([f"gdb {index}" for index in indices]),
        "formula": np.array(structures.formulas()),
        "smiles": np.array(smiles),
        "charge": np.array(charges),
        "n_heavy": np.array([sum(number > 1 for number in z) for z in numbers], dtype=np.int16),
        "n_atoms": structures.sizes.astype(np.int16),
        # rounded, so that the file does not depend on the order of a sum
        "U0_atomization": np.round(bound * factor("Ha", "kcal/mol"), 4),
        **{name: np.array(values) for name, values in columns.items()},
    }
    write(out, arrays, about)
    print(f"{out}: {len(structures)} of {total} molecules, {len(structures.numbers)} atoms, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
