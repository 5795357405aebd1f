"""Dump files of LAMMPS in text (``dump … custom``, ``dump … atom``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.elements import MASSES, atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.inputs import note
from qmlstudio.chem.readers.batches import collected, plain_stem
from qmlstudio.chem.readers.builder import Builder, with_problems
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.frames import RUN_ATOMS
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream, line_blocks, lines_of
from qmlstudio.chem.readers.trajectories import TOPOLOGIES, companion, finite_cell, topology_numbers
from qmlstudio.chem.units import BOHR
from qmlstudio.progress import SILENT, Progress

ENDINGS = (".lammpstrj", ".dump", ".lammpsdump")
HEEDS = frozenset({"every", "first"})

_DATA = (".data", ".lmp", ".lammps-data", ".lammps")
_MOST_ATOMS = 50_000_000
# what LAMMPS calls its systems of units: Å in its length, unit of its forces
_UNITS = {
    "real": (1.0, "kcal/mol/Å"),
    "metal": (1.0, "eV/Å"),
    "lj": (1.0, ""),
    "electron": (BOHR, "Ha/bohr"),
    "nano": (10.0, ""),
    "micro": (1e4, ""),
    "si": (1e10, ""),
    "cgs": (1e8, ""),
}
_PLACES = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_TRIPLES = {"forces": ("fx", "fy", "fz"), "velocities": ("vx", "vy", "vz"), "dipoles": ("mux", "muy", "muz")}
_NAMES = {"q": "charge"}
_TAKEN = {"id", "element", "ix", "iy", "iz", *(c for triple in _PLACES for c in triple)}


def is_dump(head: bytes) -> bool:
    """Whether text begins as a dump of LAMMPS does."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*ITEM: (?:TIMESTEP|UNITS|TIME)\b", head) is not None


def read_dump(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a dump: positions (wrapped, unwrapped or scaled), cells, charges, forces and further columns.

    Elements come from the column ``element``; else from ``mass``; else from the masses of a data file of the same stem
    (``md.data``), or the atoms of a structure (``md.xyz``, ``md.pdb``, ``md.gro``) beside it.

    Raises
    ------
    DataError
        Nothing tells the elements, or no frame can be used.
    """
    return collected(dump_batches(stream, progress, options), str(stream.path))


def dump_batches(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Iterator[Dataset]:
    """The frames of a dump in parts, as :func:`read_dump`."""
    where = str(stream.path)
    problems = Problems()
    reader = _Dump(stream, problems, progress, options)
    yield from with_problems(reader.parts(), problems, where)


class _FrameError(ValueError):
    """What is wrong with a frame."""

    def __init__(self, text: str, remedy: str = "mend or delete the frame") -> None:
        super().__init__(text)
        self.remedy = remedy


class _Lines:
    """Lines of a stream, some at a time, with their number."""

    def __init__(self, stream: ByteStream, progress: Progress) -> None:
        self._blocks = line_blocks(stream)
        self._stream, self._progress = stream, progress
        self._lines: list[str] = []
        self._at = 0
        self.number = 0

    def _fill(self) -> bool:
        self._progress(self._stream.fraction(), f"Reading {self._stream.path.name}")
        block = next(self._blocks, None)
        if block is None:
            return False
        self._lines, self._at = self._lines[self._at :] + block, 0
        return True

    def next(self) -> str | None:
        """One line; None at the end."""
        while self._at >= len(self._lines):
            if not self._fill():
                return None
        self._at += 1
        self.number += 1
        return self._lines[self._at - 1]

    def peek(self) -> str | None:
        """The next line without taking it; None at the end."""
        while self._at >= len(self._lines):
            if not self._fill():
                return None
        return self._lines[self._at]

    def take(self, count: int) -> list[str]:
        """So many lines, fewer before the next frame or at the end."""
        found: list[str] = []
        while len(found) < count:
            if self.peek() is None:
                break
            part = self._lines[self._at : self._at + count - len(found)]
            stop = next((k for k, line in enumerate(part) if line.startswith("ITEM:")), len(part))
            found += part[:stop]
            self._at += stop
            self.number += stop
            if stop < len(part):
                break
        return found


class _Dump:
    """Reads the frames one by one."""

    def __init__(self, stream: ByteStream, problems: Problems, progress: Progress, options: ReadOptions) -> None:
        self._stream, self._problems, self._progress, self._options = stream, problems, progress, options
        self._where = str(stream.path)
        self._lines = _Lines(stream, progress)
        self._units = ""
        self._beside: dict[int, int] | NDArray[np.uint8] | None = None
        self._meanings: dict[str, tuple[str, str]] = {
            "charge": ("e", "atomic charges"),
            "forces": ("", "forces"),
            "velocities": ("", "velocities"),
            "timestep": ("", "step of the simulation"),
        }

    def parts(self) -> Iterator[Dataset | None]:
        """Data sets of the good frames."""
        source = Source(path=self._where, format="LAMMPS dump")
        builder = Builder(plain_stem(self._stream.path.name), source, self._problems, self._meanings)
        index = taken = 0
        run: list[dict[str, Any]] = []
        while True:
            line = self._lines.peek()
            if line is None:
                break
            if not line.strip():
                self._lines.next()
                continue
            begun = self._lines.number + 1
            try:
                frame = self._frame()
                if frame is not None and index % self._options.every == 0:
                    frame["index"], frame["line"] = index, begun
                    if run and (frame["columns"] != run[0]["columns"] or sum(f["count"] for f in run) > RUN_ATOMS):
                        self._add(builder, run)
                        run = []
                    run.append(frame)
                    taken += 1
            except (ValueError, OverflowError) as error:
                self._reject(error, begun, index)
                self._skip()
            index += 1
            if builder.is_full:
                yield builder.take()
            if self._options.first and taken >= self._options.first:
                break
        if run:
            self._add(builder, run)
        self._problems.append(self._stream.damage_problem())
        yield builder.take()

    def _reject(self, error: Exception, line: int, index: int) -> None:
        remedy = error.remedy if isinstance(error, _FrameError) else "mend it"
        text = str(error) if isinstance(error, _FrameError) else f"the frame cannot be read: {error}"
        self._problems.add(self._where, text, remedy, line, index)

    def _skip(self) -> None:
        """Go on to the next frame."""
        while (line := self._lines.peek()) is not None and not line.startswith(("ITEM: TIMESTEP", "ITEM: UNITS")):
            self._lines.next()

    def _frame(self) -> dict[str, Any] | None:
        """The headers and atom lines of the next frame."""
        frame: dict[str, Any] = {}
        while True:
            line = self._lines.next()
            if line is None:
                if frame:
                    raise _FrameError("the file breaks off", "copy it again; the frames before it are kept")
                return None
            if not line.strip():
                continue
            if not line.startswith("ITEM:"):
                raise _FrameError(f"{line[:40]!r} where a line ITEM: … is expected")
            title = line[5:].strip()
            if title == "UNITS":
                self._units = (self._lines.next() or "").strip()
            elif title in ("TIMESTEP", "TIME"):
                frame[title] = float(self._lines.next() or "nan")
            elif title == "NUMBER OF ATOMS":
                text = (self._lines.next() or "").strip()
                if not text.isdecimal() or int(text) > _MOST_ATOMS:
                    raise _FrameError(f"{text[:20]!r} is no number of atoms")
                frame["count"] = int(text)
            elif title.startswith("BOX BOUNDS"):
                frame["box"] = title.split()[2:]
                frame["bounds"] = self._lines.take(3)
            elif title.startswith("ATOMS"):
                if "count" not in frame:
                    raise _FrameError("ITEM: NUMBER OF ATOMS is missing")
                frame["columns"] = title.split()[1:]
                frame["rows"] = self._lines.take(frame["count"])
                if len(frame["rows"]) < frame["count"]:
                    text = f"{len(frame['rows'])} atoms where {frame['count']} are announced"
                    raise _FrameError(text, "copy the file again; the other frames are kept")
                return frame

    def _add(self, builder: Builder, frames: list[dict[str, Any]]) -> None:
        """Parse frames with the same columns together; one by one when they do not all fit."""
        try:
            self._parse(builder, frames)
        except (ValueError, OverflowError) as error:
            if len(frames) == 1:
                self._reject(error, frames[0]["line"], frames[0]["index"])
                return
            for frame in frames:
                self._add(builder, [frame])

    def _parse(self, builder: Builder, frames: list[dict[str, Any]]) -> None:
        names = frames[0]["columns"]
        width = len(names)
        tokens = " ".join([" ".join(f["rows"]) for f in frames]).split()
        counts = np.array([len(f["rows"]) for f in frames], np.int64)
        if not counts.all() or len(tokens) != width * counts.sum():
            raise _FrameError(f"its lines do not have {width} columns, or there are none")
        place = next((p for p in _PLACES if set(p) <= set(names)), None)
        if place is None:
            raise _FrameError("no columns of coordinates (x y z, xu yu zu, xs ys zs)", "write them with dump custom")
        texts = {n: tokens[j::width] for j, n in enumerate(names)}
        order: Any = slice(None)
        if "id" in texts:
            order = np.lexsort((_floats(texts["id"]), np.repeat(np.arange(len(frames)), counts)))
        scale, force = _UNITS.get(self._units, (1.0, ""))
        if force:
            self._meanings["forces"] = (force, "forces")
        positions = np.stack([_floats(texts[c]) for c in place], axis=1)[order]
        numbers = self._numbers(texts, counts)[order]
        columns = self._columns(texts, names, order)
        ends = np.cumsum(counts).tolist()
        ready: list[tuple[Any, ...]] = []
        for frame, end, count in zip(frames, ends, counts.tolist(), strict=True):
            mine = slice(end - count, end)
            cell, origin, periodic = _box(frame)
            where = positions[mine]
            if place[0].startswith("xs"):
                if cell is None:
                    raise _FrameError("scaled coordinates without a box", "write x y z with dump custom")
                where = origin + where @ cell
            values = {k: frame[title] for title, k in (("TIMESTEP", "timestep"), ("TIME", "time")) if title in frame}
            box = finite_cell(cell * scale) if cell is not None and periodic else None
            atoms = {k: v[mine] for k, v in columns.items()}
            ready.append((numbers[mine], where * scale, box, values, atoms, frame["index"]))
        for one in ready:
            builder.add(*one)

    @staticmethod
    def _columns(texts: dict[str, list[str]], names: list[str], order: Any) -> dict[str, NDArray[Any]]:
        """Further columns of the atoms: numbers where all are, else texts."""
        found: dict[str, NDArray[Any]] = {}
        used = set(_TAKEN)
        for key, triple in _TRIPLES.items():
            if set(triple) <= set(names):
                found[key] = np.stack([_floats(texts[c]) for c in triple], axis=1)[order]
                used |= set(triple)
        for name in names:
            if name in used:
                continue
            try:
                found[_NAMES.get(name, name)] = _floats(texts[name])[order]
            except ValueError:
                found[_NAMES.get(name, name)] = np.array(texts[name], np.str_)[order]
        return found

    def _numbers(self, texts: dict[str, list[str]], counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Atomic numbers in the order of the lines."""
        if "element" in texts:
            found = {t: _element(t) for t in set(texts["element"])}
            return np.array([found[t] for t in texts["element"]], np.int64)
        if "mass" in texts:
            found = {t: _of_mass(float(t)) for t in set(texts["mass"])}
            return np.array([found[t] for t in texts["mass"]], np.int64)
        if self._beside is None:
            self._beside = self._look_beside()
        if isinstance(self._beside, dict):
            if "type" not in texts:
                raise _FrameError("neither a column of elements nor one of types")
            types = {t: self._beside.get(int(float(t)), 0) for t in set(texts["type"])}
            return np.array([types[t] for t in texts["type"]], np.int64)
        size = len(self._beside)
        if (counts != size).any():
            raise _FrameError(f"{counts.max()} atoms where the file beside it has {size}")
        z = self._beside.astype(np.int64)
        if "id" not in texts:
            return np.tile(z, len(counts))
        # the structure has them in the order of their numbers
        ids = _floats(texts["id"]).reshape(-1, size)
        return z[np.argsort(np.argsort(ids, axis=1, kind="stable"), axis=1, kind="stable")].reshape(-1)

    def _look_beside(self) -> dict[int, int] | NDArray[np.uint8]:
        path = self._stream.path
        stem = plain_stem(path.name)
        for ending in _DATA:
            data = path.with_name(stem + ending)
            note(data)
            if data.is_file() and (masses := _masses(data)):
                return masses
        structure = companion(path, TOPOLOGIES)
        if structure is not None:
            return topology_numbers(structure)
        text = "the dump has types of atoms, but nothing tells their elements"
        remedy = f'write it with "dump_modify element", or put {stem}.data or {stem}.xyz into its folder'
        raise DataError(Problem(self._where, text, remedy))


def _floats(texts: list[str]) -> NDArray[np.float64]:
    return np.fromiter(map(float, texts), np.float64, len(texts))


def _element(text: str) -> int:
    try:
        return atomic_number(text)
    except ValueError:
        return 0


def _of_mass(mass: float) -> int:
    """The element whose weight is nearest; 0 when none is within half a mass unit."""
    table = np.array(MASSES)
    if not np.isfinite(mass) or mass <= 0:
        return 0
    nearest = int(np.argmin(np.abs(table - mass)))
    return nearest if abs(table[nearest] - mass) < 0.5 else 0


def _masses(path: Path) -> dict[int, int]:
    """Elements of the types of a LAMMPS data file, by its section of masses."""
    with ByteStream(path) as stream:
        lines = lines_of(stream.read(1 << 20))
    start = next((k for k, line in enumerate(lines) if line.split("#")[0].strip() == "Masses"), None)
    found: dict[int, int] = {}
    for line in lines[start + 1 :] if start is not None else []:
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            found[int(words[0])] = _of_mass(float(words[1]))
        except (ValueError, IndexError):
            break
    return found


def _box(frame: dict[str, Any]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64], bool]:
    """Lattice vectors in rows (None without a box), origin, and whether it is periodic at all."""
    if "bounds" not in frame:
        return None, np.zeros(3), False
    words, rows = frame["box"], [line.split() for line in frame["bounds"]]
    periodic = any(w.startswith("p") or w.endswith("p") for w in words if len(w) == 2 and w not in ("xy", "xz", "yz"))
    if len(rows) != 3 or any(len(r) < 2 for r in rows):
        raise _FrameError("the box has no three lines of bounds")
    numbers = [[float(w) for w in r] for r in rows]
    if "abc" in words:
        if any(len(r) < 4 for r in numbers):
            raise _FrameError("the lines of the box have no origin")
        return np.array([r[:3] for r in numbers]), np.array([r[3] for r in numbers]), periodic
    low, high = np.array([r[0] for r in numbers]), np.array([r[1] for r in numbers])
    xy = xz = yz = 0.0
    if "xy" in words:
        if any(len(r) < 3 for r in numbers):
            raise _FrameError("the box is tilted, but the lines have no tilt")
        xy, xz, yz = (r[2] for r in numbers)
        # what is written are the bounds of the tilted box: howto_triclinic of the LAMMPS manual
        low = low - np.array([min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0])
        high = high - np.array([max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0])
    lengths = high - low
    cell = np.array([[lengths[0], 0.0, 0.0], [xy, lengths[1], 0.0], [xz, yz, lengths[2]]])
    return cell, low, periodic
