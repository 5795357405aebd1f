"""JSON files of chemiscope: structures with properties of structures and atoms.

Fraux, Cersonsky, Ceriotti, J. Open Source Softw. 5, 2117 (2020). The format is documented at https://chemiscope.org/docs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import atomic_number
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.batches import plain_stem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import BLOCK, ByteStream, decode
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress

LARGEST = 1 << 31
"""Bytes of text above which a file is refused: it must be held in memory whole."""

WIDEST = 9
"""Numbers of a property of several dimensions up to which each becomes a column."""

NAMES = ("identifier", "name", "id")
"""Columns of texts that name the structures."""

LICENCE = "Licence: "
"""How the description of a file of ours begins."""

_SPACE = re.compile(r"[ \t\n\r]*")
_LABEL = re.compile(r"([A-Za-z]{1,2})\d{1,5}")
_CALL_EVERY = 256
_MOST_ATOMS = 1_000_000


def is_chemiscope(head: bytes) -> bool:
    """Whether text begins as a chemiscope file does."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and (
        b'"structures"' in head or (b'"properties"' in head and b'"target"' in head)
    )


def read_chemiscope(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a chemiscope file, compressed or not.

    Properties of several dimensions become columns, one for each number (three for each atom stay together); those of
    more than nine are left out and told of. Properties of the environments belong to their central atoms. Shapes and
    settings are not read.

    Raises
    ------
    DataError
        Not such a file, or none of its structures can be used.
    """
    where = str(stream.path)
    parts: list[bytes] = []
    size = 0
    while block := stream.read(BLOCK):
        progress(0.3 * stream.fraction(), f"Reading {stream.path.name}")
        parts.append(block)
        size += len(block)
        if size > LARGEST:
            raise DataError(Problem(where, "the file is too large to be read whole", "split it"))
    text = decode(b"".join(parts)).removeprefix("\ufeff")
    del parts
    file = _File(stream, progress.part(0.3, 1.0))
    file.problems.append(stream.damage_problem())
    try:
        _Walker(text).members(file.take)
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        line = text.count("\n", 0, getattr(error, "pos", 0)) + 1 if isinstance(error, json.JSONDecodeError) else None
        file.problems.add(where, f"not JSON from here on: {said}", "write or download it again", line)
    return file.dataset()


class _Walker:
    """Goes through a JSON text piece by piece: decoding all at once would hold up every other thread."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next sign that is no space; "" at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, sign: str) -> None:
        if self.peek() != sign:
            raise json.JSONDecodeError(f"{sign!r} is expected", self._text, self._at)
        self._at += 1

    def value(self) -> Any:
        """The next value, decoded."""
        self.peek()
        found, self._at = self._decoder.raw_decode(self._text, self._at)
        return found

    def members(self, take: Callable[[str, _Walker], None]) -> None:
        """Call `take` with each key of the object here; it must consume the value."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise json.JSONDecodeError("a key is expected", self._text, self._at)
            key = self.value()
            self._expect(":")
            take(key, self)
            if self.peek() == "}":
                self._at += 1
                return
            self._expect(",")

    def elements(self, take: Callable[[Any], None]) -> None:
        """Call `take` with each element of the array here."""
        self._expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            take(self.value())
            if self.peek() == "]":
                self._at += 1
                return
            self._expect(",")


class _File:
    """What was read of a file so far."""

    def __init__(self, stream: ByteStream, progress: Progress) -> None:
        self.where = str(stream.path)
        self.problems = Problems()
        self._stream = stream
        self._progress = progress
        self._meta: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {}
        self._numbers: list[NDArray[np.uint8] | None] = []
        self._positions: list[NDArray[np.float64]] = []
        self._cells: list[NDArray[np.float64] | None] = []
        self._sizes: list[int] = []  # as the file has them, of bad structures, too
        self._raw: dict[str, Any] = {}
        self._centers: list[tuple[int, int]] | None = None

    def take(self, key: str, walker: _Walker) -> None:
        """Read one member of the outermost object."""
        if key == "structures" and walker.peek() == "[":
            walker.elements(self._structure)
        elif key == "properties" and walker.peek() == "{":
            walker.members(self._property)
        elif key == "environments" and walker.peek() == "[":
            self._centers = []
            walker.elements(self._environment)
        elif key == "shapes" and walker.peek() == "{":
            walker.members(lambda _, inner: inner.value() and None)
        else:
            value = walker.value()
            if key == "meta" and isinstance(value, dict):
                self._meta = value
            elif key == "parameters" and isinstance(value, dict):
                self._parameters = value

    def _property(self, name: str, walker: _Walker) -> None:
        self._progress(0.5, f"Reading {self._stream.path.name}: {name}")
        self._raw[name] = walker.value()

    def _environment(self, item: Any) -> None:
        assert self._centers is not None
        if len(self._centers) % (16 * _CALL_EVERY) == 0:
            self._progress.check()
        try:
            structure, center = int(item["structure"]), int(item["center"])
            known = 0 <= structure < 2**31 and 0 <= center < 2**31
            self._centers.append((structure, center) if known else (-1, -1))
        except (TypeError, KeyError, ValueError, OverflowError):
            self._centers.append((-1, -1))

    def _structure(self, item: Any) -> None:
        k = len(self._numbers)
        if k % _CALL_EVERY == 0:
            self._progress(0.2, f"Reading {self._stream.path.name}: structures")
        size = 0
        numbers: NDArray[np.uint8] | None = None
        positions: NDArray[np.float64] = np.zeros((0, 3))
        cell: NDArray[np.float64] | None = None
        try:
            if isinstance(item, dict) and "data" in item and "x" not in item:
                size = int(item.get("size", 0))
                item = self._external(item["data"])
            names = item.get("names", item.get("elements"))
            size = int(item.get("size", len(names)))
            numbers = np.array([_element(n) for n in names], np.uint8)
            positions = np.array([item["x"], item["y"], item["z"]], np.float64).T
            if positions.shape != (len(numbers), 3) or size != len(numbers):
                raise ValueError(f"{len(numbers)} names, size {size} and coordinates of shape {positions.shape}")
            if not size:
                raise ValueError("it has no atoms")
            if item.get("cell") is not None:
                cell = np.array(item["cell"], np.float64).reshape(-1)
                if len(cell) != 9 or not np.isfinite(cell).all():
                    raise ValueError("the cell is not nine numbers")
                cell = cell.reshape(3, 3)
        except (DataError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            text = f"{error} is missing" if isinstance(error, KeyError) else said
            self.problems.add(self.where, text, "mend or delete the structure", index=k)
            numbers = None
            # the values of its atoms are passed over later: a size that cannot be must not become an array's
            size = size if 0 <= size <= _MOST_ATOMS else 0
        self._numbers.append(numbers)
        self._positions.append(positions)
        self._cells.append(cell)
        self._sizes.append(size)

    def _external(self, name: Any) -> Any:
        """A structure in a file of its own, beside or below the file; never elsewhere."""
        path = PurePosixPath(str(name))
        if path.is_absolute() or ".." in path.parts or "\\" in str(name) or ":" in str(name):
            raise ValueError(f"the structure is in {str(name)[:80]!r}, which is not beside the file")
        with ByteStream(self._stream.path.parent / path) as file:
            return json.loads(decode(file.read(1 << 26)))

    def dataset(self) -> Dataset:
        """Everything put together; DataError when there is no structure."""
        where, n = self.where, len(self._numbers)
        self._drop_faulty()
        kept = np.array([k for k, z in enumerate(self._numbers) if z is not None], np.int64)
        if not len(kept):
            self.problems.raise_first(where)
        structures = Structures.from_lists(
            [self._numbers[k] for k in kept], [self._positions[k] for k in kept], [self._cells[k] for k in kept]
        )
        sizes = np.array(self._sizes, np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        good = np.zeros(n, bool)
        good[kept] = True
        self._atoms = np.repeat(good, sizes)
        self._rows = self._environment_rows(starts)
        properties: dict[str, Property] = {}
        for done, name in enumerate(self._raw):
            self._progress(0.6 + 0.4 * done / len(self._raw), f"Reading {name}")
            self._add(properties, name, self._raw[name], n, kept, int(starts[-1]))
        identifiers = np.array([str(k + 1) for k in kept], np.str_)
        for name in NAMES:
            p = properties.get(name)
            if p is not None and p.is_text and p.target == "structure":
                identifiers = properties.pop(name).values
                break
        meta = self._meta
        about = str(meta.get("description") or "")
        licence = about.removeprefix(LICENCE) if about.startswith(LICENCE) else ""
        lists = ["" if licence else about, *_texts(meta.get("authors")), *_texts(meta.get("references"))]
        reference = "; ".join(" ".join(str(t).split()) for t in lists if t)
        title = meta.get("name") if isinstance(meta.get("name"), str) else ""
        name = title if title and title != "<unknown>" else plain_stem(self._stream.path.name)
        source = Source(where, "chemiscope JSON", licence, reference)
        return Dataset(name, structures, properties, identifiers, source, self.problems.listed(where))

    def _drop_faulty(self) -> None:
        there = [k for k, z in enumerate(self._numbers) if z is not None]
        if not there:
            return
        sizes = np.array([len(self._positions[k]) for k in there], np.int64)
        for fault in faults(np.concatenate([self._positions[k] for k in there]), sizes):
            k = there[fault.structure]
            self.problems.add(self.where, f"{fault.message}, atom {fault.atom + 1}", fault.remedy, index=k)
            self._numbers[k] = None

    def _environment_rows(self, starts: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """For each environment its atom among all of the file, -1 where there is none; None: one for each atom."""
        if self._centers is None:
            return None
        table = np.array(self._centers, np.int64).reshape(-1, 2)
        structure, center = table[:, 0], table[:, 1]
        inside = (structure >= 0) & (structure < len(starts) - 1)
        sizes = np.diff(starts)[np.where(inside, structure, 0)] if len(starts) > 1 else np.zeros(len(table), np.int64)
        inside &= (center >= 0) & (center < sizes)
        if not inside.all():
            text = f"{int((~inside).sum())} environments have a center that is no atom"
            self.problems.add(self.where, text, "their values are left out")
        return np.where(inside, starts[np.where(inside, structure, 0)] + center, -1)

    def _add(
        self, properties: dict[str, Property], name: str, raw: Any, n: int, kept: NDArray[np.int64], atoms: int
    ) -> None:
        remedy = "write the file again"
        if isinstance(raw, list):
            raw = {"values": raw, "target": "structure" if len(raw) == n else "atom"}
        if not isinstance(raw, dict) or not isinstance(raw.get("values"), list):
            self.problems.add(self.where, f"property {name!r} has no values", remedy)
            return
        per_atom = raw.get("target") == "atom"
        values = raw["values"]
        expected = n if not per_atom else atoms if self._rows is None else len(self._rows)
        if len(values) != expected:
            text = f"property {name!r} has {len(values)} values where {expected} are expected"
            self.problems.add(self.where, text, remedy)
            return
        unit = columns.unit_name(str(raw.get("units") or ""))
        about = str(raw.get("description") or "")
        array = _array(values)
        if array is None:
            self.problems.add(self.where, f"property {name!r} has values of different kinds or lengths", remedy)
            return
        if array.ndim == 2 and array.shape[1] > WIDEST:
            text = f"property {name!r} has {array.shape[1]} numbers for each {'atom' if per_atom else 'structure'}"
            self.problems.notice(self.where, f"{text}: it is left out")
            return
        if not per_atom:
            array = array[kept]
            if array.dtype.kind == "U":
                properties[columns.unique_name(name, properties)] = Property(array, "structure", unit, about)
            else:
                columns.add_column(properties, name, array, unit, about)
            return
        if array.dtype.kind != "U" and self._rows is not None:
            spread = np.full((atoms, *array.shape[1:]), np.nan)
            spread[self._rows[self._rows >= 0]] = array[self._rows >= 0]
            array = spread
        elif self._rows is not None:
            texts = np.zeros(atoms, array.dtype)
            texts[self._rows[self._rows >= 0]] = array[self._rows >= 0]
            array = texts
        array = array[self._atoms]
        if array.ndim == 1 or array.shape[1] == 3:
            properties[columns.unique_name(name, properties)] = Property(array, "atom", unit, about)
            return
        for j in range(array.shape[1]):
            title = columns.unique_name(f"{name}_{j + 1}", properties)
            properties[title] = Property(np.ascontiguousarray(array[:, j]), "atom", unit, about)


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _element(name: Any) -> int:
    text = str(name).strip()
    try:
        return atomic_number(text)
    except ValueError:
        label = _LABEL.fullmatch(text)
        if label is None:
            raise ValueError(f"unknown element {text[:20]!r}") from None
        return atomic_number(label[1])


def _array(values: list[Any]) -> NDArray[Any] | None:
    """(n,) or (n, k) numbers or (n,) texts; None when they are neither."""
    first = next((v for v in values if v is not None), None)
    try:
        if isinstance(first, str):
            return columns.text_array(["" if v is None else str(v) for v in values])
        if isinstance(first, list):
            array = np.array(
                [[np.nan] * len(first) if row is None else [_number(x) for x in row] for row in values], np.float64
            )
            return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array if array.ndim == 2 else None
        return np.array([_number(v) for v in values], np.float64)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
