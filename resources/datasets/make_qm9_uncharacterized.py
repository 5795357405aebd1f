"""Makes qm9_uncharacterized.txt: QM9's molecules whose relaxed geometry is not that of their SMILES.

They are the gdb indices from 1 to 133,885 that the tables of the package qm9pack (CC0), by QM9's first author, lack.
Run from the project's root: python resources/datasets/make_qm9_uncharacterized.py
"""

from __future__ import annotations

import csv
import textwrap
from pathlib import Path

from qmlstudio.chem.readers.qm9_package import PARTS, package_folder

ALL = 133_885
HEAD = """\
# QM9's 3,054 uncharacterised molecules: gdb indices, each as its difference from the one before (the first from 0).
# Made by make_qm9_uncharacterized.py; the set: Ramakrishnan et al., Sci. Data 1, 140022 (2014), CC0.
"""


def main() -> None:
    folder = package_folder()
    if folder is None:
        raise SystemExit("the package qm9pack is not installed")
    csv.field_size_limit(1 << 24)
    there: set[int] = set()
    for part in PARTS:
        with (folder / part).open(newline="", encoding="utf-8") as file:
            there |= {int(row["Index"]) for row in csv.DictReader(file)}
    missing = sorted(set(range(1, ALL + 1)) - there)
    steps = [b - a for a, b in zip([0, *missing], missing, strict=False)]
    text = HEAD + textwrap.fill(" ".join(map(str, steps)), 120) + "\n"
    Path(__file__).with_name("qm9_uncharacterized.txt").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
