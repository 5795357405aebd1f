"""Frames of xyz text, parsed in bulk.

A frame is cut out of the text without looking at its numbers; some thousand atoms of frames with the same columns are
then split and converted in one go. Only when that fails are frames looked at one by one, to say what is wrong where.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import NUMBERS, atomic_number
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.columns import Column, Floats
from qmlstudio.chem.structures import Structures

LEAST_COMPILED = 256
"""Lines of a run that are worth a compiled loop."""
RUN_ATOMS = 8192
"""Atoms parsed in one go: some 5 ms, the longest time in which the reader holds the interpreter."""

SPECIES_NAMES = {"species", "element", "elements", "symbol", "symbols", "type", "types"}
POSITION_NAMES = {"pos", "position", "positions", "coords", "coordinates", "r"}
NUMBER_NAMES = {"z", "numbers", "atomic_numbers", "atomic_number"}


class FrameError(ValueError):
    """What is wrong with a frame; `atom` counts its atom lines from 0."""

    def __init__(self, message: str, remedy: str = "", atom: int | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.atom = atom


@dataclass(frozen=True)
class Layout:
    """The columns of atom lines.

    Attributes
    ----------
    width : int
        Columns in a line.
    species, position : int
        Where they start.
    numeric : tuple of (name, start, count)
        Further columns of numbers; `start` counts all columns.
    text : tuple of (name, start)
        Further columns of texts or truth values.
    named : bool
        Whether the file itself names its columns (``Properties=``).
    """

    width: int
    species: int
    position: int
    numeric: tuple[tuple[str, int, int], ...] = ()
    text: tuple[tuple[str, int], ...] = ()
    named: bool = False


@lru_cache(maxsize=256)
def layout_of_properties(specification: str) -> Layout:
    """The layout that ``Properties=species:S:1:pos:R:3:…`` describes; FrameError when it cannot be understood."""
    parts = specification.split(":")
    if len(parts) % 3:
        raise FrameError(f"Properties={specification} is not made of name:kind:count", "mend the comment line")
    at, species, position = 0, -1, -1
    numeric: list[tuple[str, int, int]] = []
    text: list[tuple[str, int]] = []
    for name, kind, count in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if not count.isdecimal() or not 0 < int(count) <= 1000 or kind.upper() not in {"S", "R", "I", "L"}:
            raise FrameError(f"Properties: {name}:{kind}:{count} cannot be understood", "kinds are S, R, I and L")
        n = int(count)
        low = name.lower()
        if low in POSITION_NAMES and n == 3 and position < 0:
            position = at
        elif (low in SPECIES_NAMES or (low in NUMBER_NAMES and species < 0)) and n == 1:
            species = at
        elif kind.upper() in "RI":
            numeric.append((name, at, n))
        else:
            text += [(name if n == 1 else f"{name}_{k + 1}", at + k) for k in range(n)]
        at += n
    if species < 0 or position < 0:
        raise FrameError("Properties names no species:S:1 or no pos:R:3", "both are needed")
    return Layout(at, species, position, tuple(numeric), tuple(text), True)


@lru_cache(maxsize=256)
def _plain_layout(kinds: str, charges: bool) -> Layout:
    numeric: tuple[tuple[str, int, int], ...] = ()
    if charges and len(kinds) >= 5 and kinds[4] == "R":
        numeric = (("charge", 4, 1),)
    elif len(kinds) > 4 and set(kinds[4:]) == {"R"}:
        numeric = tuple((f"column {j + 1}", j, 1) for j in range(4, len(kinds)))
    return Layout(len(kinds), 0, 1, numeric)


def plain_layout(line: str, charges: bool = False) -> Layout:
    """The layout of plain xyz: element, x, y, z; what follows is taken when it is numbers."""
    tokens = line.split()
    if len(tokens) == 4:
        return _plain_layout("SRRR", charges)
    kinds = "SRRR" + "".join("R" if columns.is_number(t) else "S" for t in tokens[4:64])
    return _plain_layout(kinds + "S" * (len(tokens) - 64), charges)


class _Numbers(dict[str, int]):
    """Atomic numbers by what people write: symbols, numbers, labels such as "C12"."""

    def __missing__(self, key: str) -> int:
        try:
            z = atomic_number(key)
        except ValueError:
            label = re.fullmatch(r"([A-Za-z]{1,2})\d{1,5}", key)
            if label is None:
                raise
            z = atomic_number(label[1])
        if len(self) < 10_000:
            self[key] = z
        return z


SYMBOLS = _Numbers({s: z for s, z in NUMBERS.items() if z})
"""Atomic numbers by what people write; ValueError for what is no element."""


@dataclass
class Frame:
    """One frame, cut out and not yet parsed: where it stands, its atom lines, its values, its lattice."""

    where: str
    line: int
    index: int
    atoms: list[str]
    layout: Layout
    values: dict[str, str]
    lattice: NDArray[np.float64] | None = None
    identifier: str = ""


@dataclass
class Part:
    """A run of frames with the same columns, parsed."""

    numbers: NDArray[np.uint8]
    positions: Floats
    sizes: NDArray[np.int64]
    cells: Floats | None
    atoms: dict[str, Column]
    values: dict[str, Column]
    identifiers: list[str]

    def without(self, bad: list[int]) -> Part:
        """The same without some of its frames."""
        good = np.ones(len(self.sizes), bool)
        good[bad] = False
        atoms = np.repeat(good, self.sizes)

        def kept(column: Column, mask: NDArray[np.bool_]) -> Column:
            return list(compress(column, mask)) if isinstance(column, list) else column[mask]

        return Part(
            self.numbers[atoms],
            self.positions[atoms],
            self.sizes[good],
            None if self.cells is None else self.cells[good],
            {k: kept(v, atoms) for k, v in self.atoms.items()},
            {k: kept(v, good) for k, v in self.values.items()},
            list(compress(self.identifiers, good)),
        )


class Collector:
    """Takes frames, parses them in runs and joins them into a data set."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.units: dict[str, str] = {}  # as the file itself gives them; "text" keeps digits as text
        self.dialect = ""
        self._run: list[Frame] = []
        self._atoms = 0
        self._parts: list[Part] = []

    def add(self, frame: Frame) -> None:
        """Take a frame; parses what was gathered when it is enough or the columns change."""
        if self._run and (frame.layout is not self._run[0].layout or self._atoms >= RUN_ATOMS):
            self.flush()
        self._run.append(frame)
        self._atoms += len(frame.atoms)

    def flush(self) -> None:
        """Parse what was gathered."""
        run, self._run, self._atoms = self._run, [], 0
        if run:
            self._parse(run)

    def take(self, part: Part) -> None:
        """Take frames that were parsed elsewhere; they stand behind all that was taken before."""
        self.flush()
        if len(part.sizes):
            self._parts.append(part)

    @property
    def count(self) -> int:
        """Structures so far, those not yet parsed included."""
        return sum(len(p.sizes) for p in self._parts) + len(self._run)

    def _parse(self, frames: list[Frame]) -> None:
        layout = frames[0].layout
        try:
            numbers, numeric, texts = _bulk([line for f in frames for line in f.atoms], layout)
        except ValueError:
            if len(frames) > 1:  # halve until the bad ones stand alone
                middle = len(frames) // 2
                self._parse(frames[:middle])
                self._parse(frames[middle:])
                return
            try:
                layout, numbers, numeric, texts = _careful(frames[0].atoms, layout)
            except FrameError as error:
                self._reject(frames[0], error)
                return
        self._keep(frames, layout, numbers, numeric, texts)

    def _reject(self, frame: Frame, error: FrameError) -> None:
        line = frame.line + (0 if error.atom is None else 2 + error.atom)
        self.problems.add(frame.where, str(error), error.remedy, line, frame.index)

    def _keep(
        self,
        frames: list[Frame],
        layout: Layout,
        numbers: NDArray[np.uint8],
        numeric: Floats,
        texts: dict[str, list[str]],
    ) -> None:
        sizes = np.array([len(f.atoms) for f in frames], dtype=np.int64)
        kept = np.arange(layout.width)
        kept = kept[~np.isin(kept, [layout.species, *(c for _, c in layout.text)])] if layout.named else kept[1:]
        at = {int(c): j for j, c in enumerate(kept)}
        p = at[layout.position]
        positions = np.ascontiguousarray(numeric[:, p : p + 3])
        bad = faults(positions, sizes)
        if bad:
            for fault in bad:
                self._reject(frames[fault.structure], FrameError(fault.message, fault.remedy, fault.atom))
            good = np.ones(len(frames), bool)
            good[[fault.structure for fault in bad]] = False
            atoms = np.repeat(good, sizes)
            numbers, numeric, positions, sizes = numbers[atoms], numeric[atoms], positions[atoms], sizes[good]
            texts = {k: [t for t, ok in zip(v, atoms, strict=True) if ok] for k, v in texts.items()}
            frames = [f for f, ok in zip(frames, good, strict=True) if ok]
            if not frames:
                return
        atom_columns: dict[str, Column] = {}
        for name, start, count in layout.numeric:
            block = numeric[:, at[start] : at[start] + count]
            if count in (1, 3):
                atom_columns[name] = np.ascontiguousarray(block[:, 0] if count == 1 else block)
            else:
                atom_columns |= {f"{name}_{k + 1}": np.ascontiguousarray(block[:, k]) for k in range(count)}
        for name, tokens in texts.items():
            atom_columns[name] = columns.convert(tokens)
        cells = None
        if any(f.lattice is not None for f in frames):
            cells = np.array([np.zeros((3, 3)) if f.lattice is None else f.lattice for f in frames])
        keys = dict.fromkeys(k for f in frames for k in f.values)
        values: dict[str, Column] = {}
        for k in keys:
            given = [f.values.get(k) for f in frames]
            is_text = self.units.get(k) == "text"
            values[k] = [t or "" for t in given] if is_text else columns.convert(given)
        names = [f.identifier for f in frames]
        self._parts.append(Part(numbers, positions, sizes, cells, atom_columns, values, names))

    def dataset(
        self,
        name: str,
        source: Source,
        convention: Callable[[str, str, str], tuple[str, str, str]],
    ) -> Dataset:
        """Join everything.

        Parameters
        ----------
        convention : callable (name, target, dialect) -> (name, unit, description)
            What a column is called and measured in, unless the file itself says so.

        Raises
        ------
        DataError
            No structure is left.
        """
        self.flush()
        parts = self._parts
        if not parts:
            self.problems.raise_first(source.path or name)
        self._parts = []
        sizes = np.concatenate([p.sizes for p in parts])
        total = int(sizes.sum())
        numbers, positions = np.empty(total, np.uint8), np.empty((total, 3))
        given = self.units
        properties: dict[str, Property] = {}
        names = [n for p in parts for n in p.identifiers]
        identifiers = columns.text_array([n or str(i + 1) for i, n in enumerate(names)])
        cells = None
        if any(p.cells is not None for p in parts):
            cells = np.concatenate([np.zeros((len(p.sizes), 3, 3)) if p.cells is None else p.cells for p in parts])
        for key in dict.fromkeys(k for p in parts for k in p.values):
            column = columns.join((len(p.sizes), p.values.pop(key, None)) for p in parts)
            title, unit, text = convention(key, "structure", self.dialect)
            unit = given.get(key, unit)
            if unit == "text":
                column, unit = columns.as_texts(column), ""
            columns.add_column(properties, title, column, unit, text)
        for key in dict.fromkeys(k for p in parts for k in p.atoms):
            column = columns.join((int(p.sizes.sum()), p.atoms.pop(key, None)) for p in parts)
            title, unit, text = convention(key, "atom", self.dialect)
            array = columns.text_array(column) if isinstance(column, list) else column
            title = columns.unique_name(title, properties)
            properties[title] = Property(array, "atom", given.get(key, unit), text)
        at = 0
        parts.reverse()
        while parts:  # each part is given back as soon as it is copied: one copy at a time
            part = parts.pop()
            numbers[at : at + len(part.numbers)] = part.numbers
            positions[at : at + len(part.numbers)] = part.positions
            at += len(part.numbers)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        structures = Structures(numbers, positions, offsets, cells)
        problems = self.problems.listed(source.path or name)
        return Dataset(name, structures, properties, identifiers, source, problems, structures.is_uniform)


ParseLines = Callable[[list[str], int, int], tuple[list[str], NDArray[np.int64], Floats]]
"""(lines, words in a line, which of them is the element) → different elements, each line's element and numbers;
ValueError for lines that do not fit."""
_compiled: list[Callable[[], ParseLines]] = []


def use_compiled(load: Callable[[], ParseLines]) -> None:
    """Let long files be parsed by a compiled loop, which `load` imports when it is first needed.

    Readers do without a compiler; whoever has one lends them its loop.
    """
    _compiled[:] = [load]


def _is_worthwhile(lines: int) -> bool:
    """Importing the compiler takes longer than parsing a short file."""
    return bool(_compiled) and lines >= LEAST_COMPILED and "numba" in sys.modules


def _bulk(lines: list[str], layout: Layout) -> tuple[NDArray[np.uint8], Floats, dict[str, list[str]]]:
    """Atomic numbers (A,), numbers (A, k) and texts of atom lines; ValueError if any line does not fit."""
    whole = not layout.text and (layout.named or bool(layout.numeric) or layout.width == 4)
    if whole and _is_worthwhile(len(lines)):
        try:
            elements, which, numeric = _compiled[0]()(lines, layout.width, layout.species)
        except ValueError:
            pass  # an odd line, or a way of writing numbers that only Python knows
        else:
            table = np.fromiter(map(SYMBOLS.__getitem__, elements), np.uint8, len(elements))
            return table[which], numeric, {}
    text = " ".join(lines)
    if "*^" in text:
        text = text.replace("*^", "e")
    tokens = text.split()
    width = layout.width
    if len(tokens) != width * len(lines):
        raise ValueError("ragged lines")
    symbols = tokens[layout.species :: width]
    numbers = np.fromiter(map(SYMBOLS.__getitem__, symbols), np.uint8, len(symbols))
    texts = {name: tokens[c::width] for name, c in layout.text}
    for c in sorted([layout.species, *(c for _, c in layout.text)], reverse=True):
        del tokens[c::width]
        width -= 1
    if not layout.named and not layout.numeric and width > 3:  # unknown texts behind plain coordinates
        tokens = [t for j in range(len(lines)) for t in tokens[j * width : j * width + 3]]
        width = 3
    if "_" in text and any("_" in t for t in tokens):  # 1_000 is a number for Python only
        raise ValueError("not a number")
    return numbers, np.fromiter(map(float, tokens), np.float64, len(tokens)).reshape(-1, width), texts


def _careful(lines: list[str], layout: Layout) -> tuple[Layout, NDArray[np.uint8], Floats, dict[str, list[str]]]:
    """As :func:`_bulk` line by line, forgiving ragged ends of plain lines; FrameError says which line is wrong."""
    rows = [line.split() for line in lines]
    if not layout.named and any(len(r) != layout.width for r in rows):
        layout = _plain_layout("SRRR", False)
        rows = [r[:4] for r in rows]
    skip = {c for _, c in layout.text} | {layout.species}
    taken = [c for c in range(layout.width) if c not in skip]
    if not layout.named and not layout.numeric:
        taken = taken[:3]
    numbers = np.empty(len(rows), np.uint8)
    numeric = np.empty((len(rows), len(taken)))
    for i, row in enumerate(rows):
        if len(row) != layout.width:
            message = f"{len(row)} columns where {layout.width} are expected"
            raise FrameError(message, "mend the line, or the number of atoms above it", i)
        try:
            numbers[i] = SYMBOLS[row[layout.species]]
        except ValueError:
            message = f"unknown element {row[layout.species][:20]!r}"
            raise FrameError(message, "write an element's symbol or atomic number", i) from None
        for j, c in enumerate(taken):
            try:
                numeric[i, j] = columns.number(row[c])
            except ValueError:
                raise FrameError(f"{row[c][:20]!r} is not a number", "mend the line", i) from None
    return layout, numbers, numeric, {name: [row[c] for row in rows] for name, c in layout.text}
