"""Columns on their way into a store: they grow in files of their own, in little memory."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.texts import (
    BLOCK,
    CodedTexts,
    CountedTexts,
    PackedTexts,
    Texts,
    counted_runs,
    distinct_texts,
    packed,
)

MOST_NAMES = 1 << 17
"""Distinct texts up to which a column is kept as codes."""
PROBE = 4096
"""Texts by which it is decided how a column is kept."""
Words = NDArray[np.str_]


class Spool:
    """An array that grows at its end, in a file.

    Parameters
    ----------
    path : Path
        A file that does not exist yet.
    dtype : dtype
    item : tuple of int
        Shape of one row.
    """

    def __init__(self, path: Path, dtype: Any, item: tuple[int, ...] = ()) -> None:
        self.path, self.dtype, self.item = path, np.dtype(dtype), item
        self.rows = 0
        self._file: IO[bytes] | None = path.open("wb")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        return (self.rows, *self.item)

    def append(self, values: NDArray[Any]) -> None:
        """Write rows at the end."""
        assert self._file is not None
        values = np.ascontiguousarray(values, dtype=self.dtype)
        if values.shape[1:] != self.item:
            raise ValueError(f"rows of shape {values.shape[1:]}, expected {self.item}")
        if len(values):
            self._file.write(values.reshape(-1).view(np.uint8).data)
            self.rows += len(values)

    def fill(self, value: Any, count: int) -> None:
        """Write the same row many times."""
        for start in range(0, count, BLOCK):
            self.append(np.full((min(BLOCK, count - start), *self.item), value, self.dtype))

    def close(self) -> None:
        """What was written can be read now; harmless when repeated."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> NDArray[Any]:
        """The whole array, in memory."""
        self.close()
        return np.fromfile(self.path, self.dtype).reshape(self.shape)


class NumberColumn:
    """Float64 numbers, with `item` numbers for each row."""

    kind = "number"

    def __init__(self, base: Path, item: tuple[int, ...] = ()) -> None:
        self._values = Spool(base.with_suffix(".values"), np.float64, item)

    @property
    def item(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self._values.item

    def __len__(self) -> int:
        return self._values.rows

    def append(self, values: NDArray[Any]) -> None:
        """Rows of the next batch."""
        self._values.append(values)

    def skip(self, count: int) -> None:
        """Rows without a value."""
        self._values.fill(np.nan, count)

    def finish(self) -> tuple[str, dict[str, Any], dict[str, Spool]]:
        """The kind, what else is to be known, and the arrays."""
        return self.kind, {}, {"values": self._values}

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        self._values.close()


class TextColumn:
    """Texts, kept in whichever way is smallest: codes, counters or UTF-8.

    Parameters
    ----------
    base : Path
        Where the files lie; endings are added.
    counters : bool
        Whether to look for beginnings with counters: identifiers often are such.
    """

    item: tuple[int, ...] = ()

    def __init__(self, base: Path, counters: bool = False) -> None:
        self._base, self._counters = base, counters
        self._rows = 0
        self._way: _Way | None = None
        self._skipped = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, values: Any) -> None:
        """Rows of the next batch, an array or :class:`Texts`."""
        for start in range(0, len(values), BLOCK):
            self._append(np.asarray(values[start : start + BLOCK], dtype=np.str_))

    def skip(self, count: int) -> None:
        """Rows without a text."""
        for start in range(0, count, BLOCK):
            self._append(np.zeros(min(BLOCK, count - start), "<U1"))

    def _append(self, words: Words) -> None:
        if self._way is None:
            self._way = self._chosen(words)
        if not self._way.append(words):
            self._way = self._packed(self._way)
            self._way.append(words)
        self._rows += len(words)

    def _chosen(self, words: Words) -> _Way:
        few = words[:PROBE]
        if self._counters and len(few) and len(counted_runs(few)[0]) * 8 <= len(few) + 8:
            return _Counted(self._base)
        if len(distinct_texts(few)[0]) * 4 <= 3 * len(few) + 16:
            return _Coded(self._base)
        return _Packed(self._base)

    def _packed(self, former: _Way) -> _Way:
        """The other way, for a column that has too many distinct texts after all."""
        way = _Packed(self._base)
        for _, part in former.texts().blocks():
            way.append(part)
        former.drop()
        return way

    def finish(self) -> tuple[str, dict[str, Any], dict[str, Spool]]:
        """The kind, what else is to be known, and the arrays."""
        self._way = self._way or _Packed(self._base)
        return self._way.kind, self._way.about(), self._way.arrays()

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        if self._way is not None:
            self._way.close()


class _Way:
    """How texts are kept."""

    kind = ""

    def append(self, words: Words) -> bool:
        """Add texts; False, with nothing added, when this way does not suit them."""
        raise NotImplementedError

    def texts(self) -> Texts:
        """What was added so far."""
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        """Besides the arrays."""
        return {}

    def arrays(self) -> dict[str, Spool]:
        """Everything, as arrays; nothing can be added any more."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the files that are written to."""
        for value in vars(self).values():
            if isinstance(value, Spool):
                value.close()

    def drop(self) -> None:
        """Remove the files."""
        self.close()
        for value in vars(self).values():
            if isinstance(value, Spool):
                value.path.unlink()


class _Packed(_Way):
    kind = "utf8"

    def __init__(self, base: Path) -> None:
        self._data = Spool(base.with_suffix(".utf8"), np.uint8)
        self._ends = Spool(base.with_suffix(".ends"), np.int64)
        self._width = 0

    def append(self, words: Words) -> bool:
        data, sizes, width = packed(words)
        self._ends.append(self._data.rows + np.cumsum(sizes))
        self._data.append(data)
        self._width = max(self._width, width)
        return True

    def texts(self) -> Texts:
        return PackedTexts(self._data.read(), self._ends.read(), self._width)

    def about(self) -> dict[str, Any]:
        return {"width": self._width}

    def arrays(self) -> dict[str, Spool]:
        return {"utf8": self._data, "ends": self._ends}


class _Coded(_Way):
    kind = "codes"

    def __init__(self, base: Path) -> None:
        self._base = base
        self._codes = Spool(base.with_suffix(".codes"), np.int32)
        self._of: dict[str, int] = {}
        self._counts = np.zeros(0, np.int64)

    def append(self, words: Words) -> bool:
        found, rows = distinct_texts(words)
        names = found.tolist()
        if sum(name not in self._of for name in names) + len(self._of) > MOST_NAMES:
            return False
        codes = np.array([self._of.setdefault(name, len(self._of)) for name in names], np.int32)
        more = np.zeros(len(self._of), np.int64)
        more[: len(self._counts)] = self._counts
        more[codes] += np.bincount(rows, minlength=len(names))
        self._counts = more
        self._codes.append(codes[rows])
        return True

    def _names(self) -> Words:
        return np.array(list(self._of), dtype=np.str_) if self._of else np.zeros(0, "<U1")

    def texts(self) -> Texts:
        return CodedTexts(self._codes.read(), self._names(), self._counts)

    def about(self) -> dict[str, Any]:
        return {"width": self._names().dtype.itemsize // 4}

    def arrays(self) -> dict[str, Spool]:
        utf8, sizes, _ = packed(self._names())
        spools = {"codes": self._narrow()}
        for name, values in (("utf8", utf8), ("ends", np.cumsum(sizes)), ("counts", self._counts)):
            spools[name] = Spool(self._base.with_suffix(f".names_{name}"), values.dtype)
            spools[name].append(values)
        return spools

    def _narrow(self) -> Spool:
        """The codes in as many bytes as they need."""
        dtype = np.uint8 if len(self._of) <= 1 << 8 else np.uint16
        if len(self._of) > 1 << 16:
            return self._codes
        narrow = Spool(self._base.with_suffix(".narrow"), dtype)
        self._codes.close()
        with self._codes.path.open("rb") as file:
            while len(part := np.fromfile(file, np.int32, BLOCK)):
                narrow.append(part)
        self._codes.path.unlink()
        return narrow


class _Counted(_Way):
    kind = "counted"

    def __init__(self, base: Path) -> None:
        self._base = base
        self._starts = Spool(base.with_suffix(".starts"), np.int64)
        self._prefix = Spool(base.with_suffix(".prefix"), np.int32)
        self._first = Spool(base.with_suffix(".first"), np.int64)
        self._step = Spool(base.with_suffix(".step"), np.int64)
        self._of: dict[str, int] = {}
        self._rows = self._width = 0

    def append(self, words: Words) -> bool:
        starts, prefixes, first, step = counted_runs(words)
        if (self._starts.rows + len(starts)) * 3 > self._rows + len(words) + PROBE:
            return False
        self._starts.append(starts + self._rows)
        self._prefix.append(np.array([self._of.setdefault(p, len(self._of)) for p in prefixes.tolist()], np.int32))
        self._first.append(first)
        self._step.append(step)
        self._rows += len(words)
        self._width = max(self._width, packed(words)[2])
        return True

    def _names(self) -> Words:
        return np.array(list(self._of), dtype=np.str_) if self._of else np.zeros(0, "<U1")

    def texts(self) -> Texts:
        starts = np.append(self._starts.read(), self._rows)
        runs = (self._prefix.read(), self._first.read(), self._step.read())
        return CountedTexts(starts, *runs, self._names(), self._width)

    def about(self) -> dict[str, Any]:
        return {"width": self._width}

    def arrays(self) -> dict[str, Spool]:
        self._starts.append(np.array([self._rows]))
        utf8, sizes, _ = packed(self._names())
        spools = {"starts": self._starts, "prefix": self._prefix, "first": self._first, "step": self._step}
        for name, values in (("utf8", utf8), ("ends", np.cumsum(sizes))):
            spools[name] = Spool(self._base.with_suffix(f".names_{name}"), values.dtype)
            spools[name].append(values)
        return spools


def column_texts(kind: str, width: int, arrays: dict[str, NDArray[Any]]) -> Texts:
    """Texts from the arrays that a column gave."""
    if kind == "utf8":
        return PackedTexts(arrays["utf8"], arrays["ends"], width)
    names = PackedTexts(arrays["utf8"], arrays["ends"], width)
    if kind == "codes":
        return CodedTexts(arrays["codes"], np.asarray(names), arrays["counts"])
    runs = (arrays["prefix"], arrays["first"], arrays["step"])
    return CountedTexts(arrays["starts"], *runs, names, width)
