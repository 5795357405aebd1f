"""Writes QM9 in its original layout (dsgdb9nsd.xyz.tar.bz2) from the tables of the package qm9pack.

The numbers have the digits of the tables, which are the original's, ``*^`` exponents included. In place of the 3,054
uncharacterised molecules, which the package lacks, the one before stands again: so the archive has as many files, and
about as many bytes, as the original. Usage: python tests/benchmarks/make_qm9_tar.py FILE.tar.bz2 [MOLECULES]
"""

from __future__ import annotations

import csv
import io
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from qmlstudio.chem.readers.qm9_package import COLUMNS, PARTS, package_folder

ALL = 133_885


def number(text: str) -> str:
    """A number as Mathematica wrote it: 1.0e-05 → 1.0*^-5, "0." → 0."""
    text = re.sub(r"[eE]([+-])0*(\d+)", lambda m: f"*^{m[1].replace('+', '')}{m[2]}", text.strip())
    return text.removesuffix(".")


def rows() -> Iterator[dict[str, str]]:
    folder = package_folder()
    if folder is None:
        raise SystemExit("the package qm9pack is not installed")
    csv.field_size_limit(1 << 24)
    for part in PARTS:
        with (folder / part).open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def as_file(row: dict[str, str], index: int) -> bytes:
    """The text of one molecule's file."""
    symbols = re.findall(r"[A-Z][a-z]?", row["Elements"])
    positions = re.findall(r"[-+.\deE]+", row["XYZ_Ang"])
    charges = re.findall(r"[-+.\deE]+", row["Mulliken_pop"])
    frequencies = re.findall(r"[-+.\deE]+", row["Harmonic_Freq_cmi"])
    values = "\t".join(number(row[heading]) for heading in COLUMNS.values())
    lines = [str(len(symbols)), f"gdb {index}\t{values}\t"]
    for k, symbol in enumerate(symbols):
        numbers = [number(t) for t in (*positions[3 * k : 3 * k + 3], charges[k])]
        lines.append("\t".join([symbol, *(t if t.startswith("-") else " " + t for t in numbers)]))
    lines.append("\t".join(number(t) for t in frequencies))
    lines += [f"{row['SMILES']}\t{row['SMILES']}\t", f"{row['InChi']}\t{row['InChi']}", ""]
    return "\n".join(lines).encode()


def write(path: Path, count: int = ALL) -> None:
    with tarfile.open(path, "w:bz2", format=tarfile.USTAR_FORMAT) as tar:
        index = 0
        for row in rows():
            own = int(row["Index"])
            while index < min(own, count):
                index += 1
                data = as_file(row, index)
                info = tarfile.TarInfo(f"dsgdb9nsd_{index:06d}.xyz")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            if index >= count:
                return


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ALL)
