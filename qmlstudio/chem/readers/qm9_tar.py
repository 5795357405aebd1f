"""QM9 as distributed: 133,885 files in the original layout, in the tar.bz2, a zip or a folder.

A file of the layout (doi:10.1038/sdata.2014.22): number of atoms; "gdb", index and 15 properties; a line for each atom
(element, x, y, z, Mulliken charge); harmonic frequencies; SMILES of GDB-17 and of the relaxed geometry; both InChI.
Numbers may be written as Mathematica does (``6.2688*^-6``). Several hundred files are split and converted in one go;
a file that does not fit is left to the reader of single xyz files, which says what is wrong with it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.checks import faults
from qmlstudio.chem.readers.columns import Column
from qmlstudio.chem.readers.frames import SYMBOLS, Collector, Part
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import lines_of
from qmlstudio.chem.readers.xyz import QM9_COLUMNS, Framer
from qmlstudio.resources_path import resources

ALL = 133_885
"""Molecules of the whole set."""

_RUN_ATOMS = 8192
_N = len(QM9_COLUMNS)
_TEXTS = ("smiles", "smiles_relaxed", "inchi")


@cache
def uncharacterized() -> frozenset[int]:
    """The gdb indices of the 3,054 molecules whose relaxed geometry is not that of their SMILES."""
    path = resources() / "datasets" / "qm9_uncharacterized.txt"
    steps = [int(t) for line in path.read_text("ascii").splitlines() if line[:1] != "#" for t in line.split()]
    return frozenset(np.cumsum(steps).tolist())


def is_qm9_file(data: bytes) -> bool:
    """Whether the content of a file begins as one of QM9 does."""
    return data[data.find(b"\n", 0, 32) + 1 :][:4] in (b"gdb ", b"gdb\t")


class Qm9Files:
    """Takes files of QM9's layout one by one and hands them to a collector in bulk.

    Parameters
    ----------
    where : str
        Archive or folder, for messages.
    collector : Collector
    options : ReadOptions
        `uncharacterized` keeps the molecules that are left out otherwise.
    """

    def __init__(self, where: str, collector: Collector, options: ReadOptions = DEFAULT) -> None:
        self.left_out = 0
        self._where = where
        self._out = collector
        self._skipped = frozenset[int]() if options.uncharacterized else uncharacterized()
        self._clear()

    def _clear(self) -> None:
        self._tokens: list[str] = []
        self._values: list[str] = []
        self._sizes: list[int] = []
        self._frequencies: list[str] = []
        self._texts: tuple[list[str], list[str], list[str]] = ([], [], [])
        self._names: list[str] = []
        self._tags: list[str] = []
        self._raw: list[bytes] = []

    def add(self, name: str, data: bytes) -> None:
        """Take a file for which :func:`is_qm9_file` holds."""
        text = data.decode("latin-1")
        try:
            head, comment, rest = text.split("\n", 2)
            values = comment.split()
            if int(values[1]) in self._skipped:
                self.left_out += 1
                return
            if len(values) != _N + 2 or "\r" in head or "_" in text:
                raise ValueError("not as the others")
            if rest[-1] != "\n":
                rest += "\n"
            atoms, frequencies, smiles, inchi, end = rest.rsplit("\n", 4)
            tokens = atoms.split()
            size = int(head)
            if len(tokens) != 5 * size or atoms.count("\n") != size - 1 or end:
                raise ValueError("not as the others")
            given, relaxed = smiles.split()
            first, *last = frequencies.split(None, 1)
            lowest, highest = first, (last[0].rsplit(None, 1)[-1] if last else first)
            label = inchi.split(None, 1)[0]
        except (ValueError, IndexError):
            self.flush()
            self._alone(name, data)
            return
        self._tokens += tokens
        self._values += values[2:]
        self._sizes.append(size)
        self._frequencies += (lowest, highest)
        for column, value in zip(self._texts, (given, relaxed, label), strict=True):
            column.append(value)
        self._names.append(name)
        self._tags.append(f"gdb {values[1]}")
        self._raw.append(data)
        if len(self._tokens) >= 5 * _RUN_ATOMS:
            self.flush()

    def _alone(self, name: str, data: bytes) -> None:
        Framer(f"{self._where}/{name}", self._out, name).feed(lines_of(data), final=True)

    def flush(self) -> None:
        """Convert what was gathered."""
        if not self._sizes:
            return
        self._out.flush()
        names, raw = self._names, self._raw
        try:
            part, bad = self._converted()
        except (ValueError, KeyError, OverflowError):  # one of them: each by itself then
            self._clear()
            for name, data in zip(names, raw, strict=True):
                self._alone(name, data)
            return
        self._clear()
        self._out.dialect = self._out.dialect or "QM9"
        self._out.take(part)
        for k in bad:
            self._alone(names[k], raw[k])

    def _converted(self) -> tuple[Part, list[int]]:
        """What was gathered without the structures that cannot be, and which those are."""
        tokens = self._tokens
        numbers = np.fromiter(map(SYMBOLS.__getitem__, tokens[::5]), np.uint8, len(tokens) // 5)
        del tokens[::5]
        numeric = _floats(tokens).reshape(-1, 4)
        values = _floats(self._values).reshape(-1, _N)
        frequencies = _floats(self._frequencies).reshape(-1, 2)
        sizes = np.array(self._sizes, np.int64)
        positions = np.ascontiguousarray(numeric[:, :3])
        charges = np.ascontiguousarray(numeric[:, 3])
        named: dict[str, Column] = {name: values[:, k].copy() for k, (name, _, _) in enumerate(QM9_COLUMNS)}
        named |= {"frequency_lowest": frequencies[:, 0].copy(), "frequency_highest": frequencies[:, 1].copy()}
        named |= dict(zip(_TEXTS, self._texts, strict=True))
        part = Part(numbers, positions, sizes, None, {"charge": charges}, named, self._names)
        bad = [fault.structure for fault in faults(positions, sizes)]
        return (part.without(bad) if bad else part), bad


def _floats(texts: list[str]) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return np.array([columns.number(t) for t in texts])
