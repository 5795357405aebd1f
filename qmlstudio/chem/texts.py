"""Long columns of texts that are not spelled out in memory: read-only, and used like arrays of texts.

An array of NumPy keeps every text in the width of the longest, four bytes a letter: gigabytes for millions of rows.
What stands here keeps codes and the distinct texts, or UTF-8 and where each text ends, or beginnings and counters; a
piece becomes an ordinary array when somebody asks for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Texts that are spelled out at a time."""

Rows = NDArray[np.int64]
Words = NDArray[np.str_]
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_NO_NUMBER = -1


class Texts(ABC):
    """A read-only sequence of n texts that behaves like an array of texts of one dimension.

    An index gives a text, a slice, a mask or an array of indices an ordinary array of the common width;
    ``texts == "C"`` compares without spelling all of them out. ``np.asarray(texts)`` does spell them out.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def width(self) -> int:
        """Letters of the longest text."""

    @abstractmethod
    def _spelled(self, rows: slice | Rows) -> Words:
        """(m,) texts of some rows: a slice of step 1 within bounds, or indices that are not negative."""

    @property
    def dtype(self) -> np.dtype[np.str_]:
        """Of the arrays that are handed out."""
        return np.dtype(f"<U{max(self.width, 1)}")

    @property
    def shape(self) -> tuple[int]:
        """(n,)"""
        return (len(self),)

    @property
    def ndim(self) -> int:
        """1"""
        return 1

    @property
    def size(self) -> int:
        """n"""
        return len(self)

    @property
    def nbytes(self) -> int:
        """Bytes of the array that all of them spelled out would be."""
        return len(self) * self.dtype.itemsize

    def __getitem__(self, index: Any) -> Any:
        n = len(self)
        if isinstance(index, (int, np.integer)):
            if not -n <= index < n:
                raise IndexError(f"text {index} of {n}")
            return self._spelled(np.array([index % n], dtype=np.int64))[0]
        if isinstance(index, slice):
            start, stop, step = index.indices(n)
            if step == 1:
                return self._array(slice(start, max(start, stop)))
            return self._array(np.arange(start, stop, step, dtype=np.int64))
        rows = np.asarray(index)
        if rows.dtype == np.bool_:
            if rows.shape != (n,):
                raise IndexError(f"a mask of shape {rows.shape} for {n} texts")
            return self._array(np.flatnonzero(rows))
        if rows.size == 0:
            return np.zeros(rows.shape, self.dtype)
        if rows.dtype.kind not in "iu":
            raise IndexError("texts are chosen by integers, a slice or a mask")
        rows = rows.astype(np.int64, copy=False)
        if int(rows.min()) < -n or int(rows.max()) >= n:
            raise IndexError(f"text {int(rows.max())} of {n}")
        found = self._array(np.where(rows < 0, rows + n, rows).reshape(-1))
        return found.reshape(rows.shape)

    def _array(self, rows: slice | Rows) -> Words:
        return self._spelled(rows).astype(self.dtype, copy=False)

    def blocks(self) -> Iterator[tuple[int, Words]]:
        """Yield ``(start, texts)`` over all rows, :data:`BLOCK` at a time (fewer of very long texts)."""
        step = max(1, min(BLOCK, (1 << 24) // max(self.width, 1)))
        for start in range(0, len(self), step):
            yield start, self._array(slice(start, min(start + step, len(self))))

    def __iter__(self) -> Iterator[str]:
        for _, part in self.blocks():
            yield from part.tolist()

    def tolist(self) -> list[str]:
        """All texts."""
        return list(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("texts that are not spelled out cannot become an array without a copy")
        result = np.empty(len(self), self.dtype)
        for start, part in self.blocks():
            result[start : start + len(part)] = part
        return result if dtype is None else result.astype(dtype, copy=False)

    def astype(self, dtype: Any, copy: bool = True) -> NDArray[Any]:
        """As an array of another type."""
        return self.__array__(dtype)

    def copy(self) -> Texts:
        """The same object: nothing can change it."""
        return self

    def __eq__(self, other: object) -> Any:
        result = np.zeros(len(self), dtype=bool)
        if isinstance(other, str):
            if len(other) <= self.width:
                self._equal(other, result)
            return result
        if not isinstance(other, (Texts, np.ndarray)):
            return NotImplemented
        if len(other) != len(self):
            raise ValueError(f"{len(self)} texts compared with {len(other)}")
        for start, part in self.blocks():
            result[start : start + len(part)] = part == other[start : start + len(part)]
        return result

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else np.logical_not(equal, out=equal)

    __hash__ = None  # type: ignore[assignment]  # as arrays have none

    def sort_keys(self) -> NDArray[Any]:
        """(n,) values that sort as the texts do, in less memory than these take: their UTF-8."""
        keys = [np.char.encode(part, "utf-8", "surrogatepass") for _, part in self.blocks()]
        return np.concatenate(keys) if keys else np.zeros(0, "S1")

    def _equal(self, text: str, result: NDArray[np.bool_]) -> None:
        """Mark the rows that are equal to a text."""
        for start, part in self.blocks():
            result[start : start + len(part)] = part == text


def lazy(values: object) -> Texts | None:
    """Values of a column if they are not spelled out, else None."""
    return values if isinstance(values, Texts) else None


def coded(values: object) -> CodedTexts | None:
    """Values of a column if they are kept as codes, else None."""
    return values if isinstance(values, CodedTexts) else None


class CodedTexts(Texts):
    """Texts with few distinct values.

    Parameters
    ----------
    codes : (n,) uint8, uint16 or int32
    names : (k,) str
        The distinct texts.
    counts : (k,) int64, optional
        How often each of them occurs; counted when it is not given.
    """

    def __init__(self, codes: NDArray[Any], names: Words, counts: Rows | None = None) -> None:
        self.codes, self.names = codes, names
        self._counts = counts

    @property
    def counts(self) -> Rows:
        """(k,) how often each of the names occurs."""
        if self._counts is None:
            counts = np.zeros(len(self.names), np.int64)
            for start in range(0, len(self.codes), BLOCK):
                counts += np.bincount(self.codes[start : start + BLOCK], minlength=len(self.names))
            self._counts = counts
        return self._counts

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def width(self) -> int:
        return self.names.dtype.itemsize // 4

    def sort_keys(self) -> NDArray[np.int32]:
        """(n,) the place of each text in alphabetic order."""
        rank = np.empty(len(self.names), np.int32)
        rank[np.argsort(self.names, kind="stable")] = np.arange(len(self.names), dtype=np.int32)
        result: NDArray[np.int32] = rank[self.codes]
        return result

    def _spelled(self, rows: slice | Rows) -> Words:
        found: Words = self.names[self.codes[rows]]
        return found

    def _equal(self, text: str, result: NDArray[np.bool_]) -> None:
        for code in np.flatnonzero(self.names == text).tolist():
            result |= self.codes == code


class PackedTexts(Texts):
    """Any texts: their UTF-8, one behind the other.

    Parameters
    ----------
    data : (B,) uint8
    ends : (n,) int64
        Where in `data` each text ends.
    width : int
        Letters of the longest.
    """

    def __init__(self, data: NDArray[np.uint8], ends: Rows, width: int) -> None:
        self.data, self.ends, self._width = data, ends, width

    @classmethod
    def of(cls, texts: Any) -> PackedTexts:
        """Pack an array or a list of texts."""
        words = np.asarray(texts, dtype=np.str_) if len(texts) else np.zeros(0, np.str_)
        data, lengths, width = packed(words)
        return cls(data, np.cumsum(lengths), width)

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def width(self) -> int:
        return self._width

    def _spelled(self, rows: slice | Rows) -> Words:
        if isinstance(rows, slice):
            if rows.start >= rows.stop:
                return np.zeros(0, self.dtype)
            first = int(self.ends[rows.start - 1]) if rows.start else 0
            ends = self.ends[rows]
            return unpacked(self.data[first : int(ends[-1])], np.diff(ends, prepend=first), self.dtype)
        starts = np.where(rows > 0, self.ends[rows - 1], 0) if len(self.ends) else rows
        lengths = self.ends[rows] - starts
        places = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
        return unpacked(self.data[places], lengths, self.dtype)


class CountedTexts(Texts):
    """Texts that are a beginning and a number: "s08-1234 567".

    Parameters
    ----------
    starts : (r + 1,) int64
        Rows of run k are ``starts[k]:starts[k + 1]``: they have the same beginning and evenly spaced numbers.
    prefix : (r,) int32
        Row of `prefixes` of each run.
    first, step : (r,) int64
        The run's first number, and by how much it grows; no number stands behind the text where `first` is -1.
    prefixes : Texts or (p,) str
    width : int
        Letters of the longest text.
    """

    def __init__(
        self, starts: Rows, prefix: NDArray[np.int32], first: Rows, step: Rows, prefixes: Any, width: int
    ) -> None:
        self.starts, self.prefix, self.first, self.step, self.prefixes = starts, prefix, first, step, prefixes
        self._width = width

    @classmethod
    def counter(cls, count: int, first: int = 1, prefix: str = "") -> CountedTexts:
        """The beginning and the numbers `first`, `first` + 1, …"""
        one = np.zeros(1, np.int64)
        width = len(prefix) + len(str(first + max(count - 1, 0)))
        names = np.array([prefix], dtype=np.str_)
        return cls(np.array([0, count]), np.zeros(1, np.int32), one + first, one + 1, names, width)

    def __len__(self) -> int:
        return int(self.starts[-1]) if len(self.starts) else 0

    @property
    def width(self) -> int:
        return self._width

    def _spelled(self, rows: slice | Rows) -> Words:
        rows = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        if not len(rows):
            return np.zeros(0, self.dtype)
        run = np.searchsorted(self.starts, rows, side="right") - 1
        texts: Words = np.asarray(self.prefixes[self.prefix[run]])
        first = self.first[run]
        numbers = (first + self.step[run] * (rows - self.starts[run])).astype(np.str_)
        numbers[first == _NO_NUMBER] = ""
        return np.char.add(texts, numbers)


# -- texts and bytes


def letters_of(words: Words) -> NDArray[np.uint32]:
    """(n, width) code points, 0 behind the end of each text; nothing is copied where that is not necessary."""
    width = max(words.dtype.itemsize // 4, 1)
    words = np.ascontiguousarray(words.astype(f"<U{width}", copy=False))
    return words.view(np.uint32).reshape(len(words), width)


def lengths_of(letters: NDArray[np.uint32]) -> Rows:
    """(n,) letters of each text."""
    width = letters.shape[1]
    there = letters != 0
    found = width - np.argmax(there[:, ::-1], axis=1)
    return np.where(there.any(axis=1), found, 0).astype(np.int64)


def packed(words: Words) -> tuple[NDArray[np.uint8], Rows, int]:
    """UTF-8 of texts one behind the other, bytes of each, letters of the longest. Works in blocks."""
    parts, sizes, longest = [np.zeros(0, np.uint8)], [np.zeros(0, np.int64)], 0
    for start in range(0, len(words), BLOCK):
        letters = letters_of(words[start : start + BLOCK])
        lengths = lengths_of(letters)
        flat = letters[np.arange(letters.shape[1]) < lengths[:, None]]
        longest = max(longest, int(lengths.max(initial=0)))
        if flat.max(initial=0) < 0x80:
            parts.append(flat.astype(np.uint8))
        else:
            each = 1 + (flat >= 0x80).astype(np.int64) + (flat >= 0x800) + (flat >= 0x10000)
            before = np.concatenate([[0], np.cumsum(each)])
            stops = np.cumsum(lengths)
            lengths = before[stops] - before[stops - lengths]
            text = flat.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
            parts.append(np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8))
        sizes.append(lengths)
    return np.concatenate(parts), np.concatenate(sizes), longest


def unpacked(data: NDArray[np.uint8], lengths: Rows, dtype: np.dtype[np.str_]) -> Words:
    """Inverse of :func:`packed`: texts of the given type from UTF-8 and the bytes of each."""
    letters = np.zeros((len(lengths), dtype.itemsize // 4), np.uint32)
    flat: NDArray[Any] = data
    if data.max(initial=0) >= 0x80:
        begins = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
        stops = np.cumsum(lengths)
        lengths = begins[stops] - begins[stops - lengths]
        text = data.tobytes().decode("utf-8", "surrogatepass")
        flat = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    letters[np.arange(letters.shape[1]) < lengths[:, None]] = flat
    result: Words = letters.view(dtype).reshape(-1)
    return result


def text_hashes(words: Words) -> NDArray[np.uint64]:
    """64 bits of each text, which depend on the width of the array, too."""
    letters = letters_of(words)
    h = np.zeros(len(words), np.uint64)
    for k in range(letters.shape[1]):
        h = (h ^ letters[:, k]) * _PRIME
        h ^= h >> np.uint64(29)
    return h


def distinct_texts(words: Words) -> tuple[Words, Rows]:
    """Distinct texts and the row of each text among them; by hashes, since sorting texts takes ten times as long."""
    if not len(words):
        return words, np.zeros(0, np.int64)
    hashes = text_hashes(words)
    ordered = np.sort(hashes)
    keep = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=keep[1:])
    codes = np.searchsorted(ordered[keep], hashes)
    first = np.empty(int(keep.sum()), np.int64)
    first[codes[::-1]] = np.arange(len(words) - 1, -1, -1)
    found = words[first]
    if not np.array_equal(found[codes], words):  # two texts with the same hash
        found, codes = np.unique(words, return_inverse=True)
    return found, codes


def counted_runs(words: Words) -> tuple[Rows, Words, Rows, Rows]:
    """Texts as runs of a beginning with evenly spaced numbers; the parts of :class:`CountedTexts`.

    Returns
    -------
    starts : (r,) int64
    prefixes : (r,) str
    first, step : (r,) int64
    """
    letters = letters_of(words)
    n, width = letters.shape
    lengths = lengths_of(letters)
    column = np.arange(width)
    digit = (letters >= 48) & (letters <= 57)
    # the last letter that is no digit, counted from the front
    last = np.where((~digit) & (column < lengths[:, None]), column + 1, 0).max(axis=1, initial=0)
    # a number begins with no zero (unless it is one) and fits into an integer
    begin = np.maximum(last, lengths - 15)
    for _ in range(width):
        inside = begin < lengths - 1
        zero = inside & (letters[np.arange(n), np.minimum(begin, width - 1)] == 48)
        if not zero.any():
            break
        begin = begin + zero
    number = np.zeros(n, np.int64)
    for k in range(width):
        use = (column[k] >= begin) & (column[k] < lengths)
        number = np.where(use, number * 10 + (letters[:, k].astype(np.int64) - 48), number)
    number[begin >= lengths] = _NO_NUMBER
    prefix = np.where(column < begin[:, None], letters, 0).astype(np.uint32)
    same = np.zeros(n, dtype=bool)
    same[1:] = (prefix[1:] == prefix[:-1]).all(axis=1) & (number[1:] >= 0) & (number[:-1] >= 0)
    growth = np.zeros(n, np.int64)
    growth[1:] = number[1:] - number[:-1]
    # a row goes on with a run when it grows as the row before did, or stands right behind a change of the beginning
    follows = same.copy()
    follows[2:] &= ~same[1:-1] | (growth[2:] == growth[1:-1])
    starts = np.flatnonzero(~follows)
    # a run's own pace comes with its second row
    step = np.ones(len(starts), np.int64)
    longer = np.diff(np.append(starts, n)) > 1
    step[longer] = growth[starts[longer] + 1]
    names = np.ascontiguousarray(prefix[starts]).view(f"<U{width}").reshape(-1)
    return starts, names, number[starts], step
