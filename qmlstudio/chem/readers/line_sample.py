"""A random sample of the lines of a text file of any length, taken in one pass.

Line ends are found by NumPy in blocks of bytes and only lines that enter the sample are ever cut out: hundreds of
millions of lines cost little more than reading (and decompressing) the file.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.streams import LONGEST_LINE, decode
from qmlstudio.progress import Progress

_BLOCK = 1 << 20
_NEWLINE, _HASH = ord("\n"), ord("#")


class Readable(Protocol):
    """What has bytes to be read."""

    def read(self, count: int, /) -> bytes:
        """The next bytes, at most `count`; none at the end."""
        ...


@dataclass(frozen=True)
class Sample:
    """Lines taken from a file.

    Attributes
    ----------
    lines : list of (int, str)
        Number of the line in its file, from 1, and its text, in the order of the file.
    parts : list of int
        Which of the files each line is from.
    total : int
        Lines that there are, blank ones, comments and headings not counted.
    """

    lines: list[tuple[int, str]]
    parts: list[int]
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether no line was left out."""
        return len(self.lines) == self.total

    def thinned(self, size: int, seed: int) -> Sample:
        """A random sample of this sample, in the same order."""
        if size >= len(self.lines):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self.lines), size, replace=False)).tolist()
        return Sample([self.lines[k] for k in rows], [self.parts[k] for k in rows], self.total)


class Reservoir:
    """Which items of a stream of unknown length are a uniform random sample of it.

    Algorithm L of K.-H. Li, ACM Trans. Math. Softw. 20, 481 (1994): the number of items to be passed over before the
    next one is taken is drawn, so that the cost grows with the logarithm of the stream's length.

    Parameters
    ----------
    size : int
        Items in the sample; 0 takes all.
    seed : int
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._log_w = 0.0
        self._next = 0
        if size:
            self._advance(size - 1)

    def _advance(self, taken: int) -> None:
        # 1 - random() is in (0, 1]: its logarithm is finite
        self._log_w += math.log(1.0 - self._random.random()) / self.size
        stay = math.log1p(-math.exp(self._log_w)) if self._log_w < 0 else -math.inf
        skip = math.log(1.0 - self._random.random()) / stay if stay < 0 else math.inf
        self._next = taken + 1 + (int(skip) if skip < 2**62 else 2**62)

    def take(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield (item, slot) for those of the next `count` items (0-based) that enter the sample, and where."""
        first, stop = self.seen, self.seen + count
        self.seen = stop
        filled = stop if not self.size else min(stop, self.size)
        for item in range(first, filled):
            yield item - first, item
        while self.size and self._next < stop:
            item = self._next
            yield item - first, int(self._random.integers(self.size))
            self._advance(item)


def sample_lines(
    files: Iterable[Readable],
    where: str,
    progress: Progress,
    size: int,
    seed: int = 0,
    every: int = 1,
    first: int = 0,
    headings: tuple[str, ...] = (),
) -> Sample:
    """Lines of files in succession, as if they were one.

    Parameters
    ----------
    files : iterable of Readable
    where : str
        Their name for messages.
    progress : Progress
        Only asked whether it was cancelled; who reads knows the fraction.
    size, seed : int
        Lines of the sample (0: all) and the seed of the choice.
    every, first : int
        Only each k-th line; only so many (0: all).
    headings : tuple of str
        First words (in small letters) of a first line that is a heading.

    Raises
    ------
    DataError
        No line break for 16 MB: not a text file.
    """
    reservoir = Reservoir(size, seed)
    kept: dict[int, tuple[int, int, int, bytes]] = {}
    valid_before = 0
    for part, file in enumerate(files):
        line = 0
        for block in _blocks(file, where):
            progress.check()
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
            starts = np.concatenate([[0], ends[:-1] + 1])
            chosen = _valid(block, starts, ends)
            if line == 0 and len(chosen) and headings:
                words = block[starts[chosen[0]] : ends[chosen[0]]].split(None, 1)
                if words and decode(words[0]).lower() in headings:
                    chosen = chosen[1:]
            count = len(chosen)
            if every > 1:
                chosen = chosen[-valid_before % every :: every]
            valid_before += count
            if first:
                chosen = chosen[: first - reservoir.seen]
            before = reservoir.seen
            for item, slot in reservoir.take(len(chosen)):
                k = int(chosen[item])
                kept[slot] = (before + item, part, line + k + 1, block[starts[k] : ends[k]])
            line += len(ends)
            if first and reservoir.seen >= first:
                break
        if first and reservoir.seen >= first:
            break
    ordered = sorted(kept.values())
    return Sample(
        [(number, decode(text).rstrip("\r")) for _, _, number, text in ordered],
        [part for _, part, _, _ in ordered],
        reservoir.seen,
    )


def _valid(block: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines of a block that are neither blank nor comments."""
    bytes_ = np.frombuffer(block, np.uint8)
    begin = bytes_[starts]
    # a line that begins with a space or sign below it may be blank: those few are looked at one by one
    good = (begin != _HASH) & (begin > 32)
    for k in np.flatnonzero((begin <= 32) & (ends > starts)):
        good[k] = bool(block[starts[k] : ends[k]].strip())
    return np.flatnonzero(good)


def _blocks(file: Readable, where: str) -> Iterator[bytes]:
    """Blocks of whole lines that end with a line feed, whatever the file's line ends are."""
    tail = file.read(_BLOCK)
    utf16 = None
    if tail[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        utf16 = codecs.getincrementaldecoder("utf-16")(errors="replace")
        tail = utf16.decode(tail).encode()
    tail = tail.removeprefix(codecs.BOM_UTF8)
    more = True
    while more:
        block = file.read(_BLOCK)
        more = bool(block)
        block = tail + (utf16.decode(block, final=not more).encode() if utf16 else block)
        if not more and block and not block.endswith((b"\n", b"\r")):
            block += b"\n"
        held = b""
        if b"\r" in block:
            if more and block.endswith(b"\r"):  # its \n may come with the next block
                block, held = block[:-1], b"\r"
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        cut = block.rfind(b"\n") + 1
        tail = block[cut:] + held
        if cut:
            yield block[:cut]
        elif len(tail) > LONGEST_LINE:
            raise DataError(Problem(where, "no line breaks: this is not a text file", "check the format"))
