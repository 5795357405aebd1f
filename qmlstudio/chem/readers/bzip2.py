"""bzip2 on several cores: the blocks of a file are independent of each other, only not aligned to bytes.

Every block begins with the same 48 bits and ends where the next (or the end of the stream) begins. Each is cut out,
shifted to whole bytes, given a header and an end of its own and decompressed by the standard library, which checks its
CRC and lets other threads run meanwhile. So bzip2's own program recovers damaged files (bzip2recover).
"""

from __future__ import annotations

import bz2
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import IO

import numpy as np

BLOCK, END = 0x314159265359, 0x177245385090
"""The 48 bits before a block (π) and before the end of a stream (√π)."""

_CHUNK = 1 << 21
_LONGEST = 1 << 23
"""Compressed bytes without a mark after which a file is damaged: a block has 900 kB before compression."""

_BROKEN_OFF = "Compressed file ended before the end-of-stream marker was reached"


def _patterns() -> list[tuple[bytes, int, int, bool]]:
    """For each mark and shift: the five bytes that lie whole in it, shift, and whether a block begins there."""
    found = []
    for mark, is_block in ((BLOCK, True), (END, False)):
        for shift in range(8):
            whole = (mark << (8 - shift)).to_bytes(7, "big")[1:6] if shift else mark.to_bytes(6, "big")[:5]
            found.append((whole, shift, mark, is_block))
    return found


_PATTERNS = _patterns()


def marks(data: bytes, start: int = 0) -> list[tuple[int, bool]]:
    """Where blocks begin (True) and streams end (False): bits from the beginning of `data`, in rising order."""
    found = []
    for whole, shift, mark, is_block in _PATTERNS:
        at = data.find(whole, start)
        while at >= 0:
            first = at if shift == 0 else at - 1
            if first >= 0:
                window = int.from_bytes(data[first : first + 7].ljust(7, b"\0"), "big")
                if first + 6 + (shift > 0) <= len(data) and (window >> (8 - shift)) & ((1 << 48) - 1) == mark:
                    found.append((8 * first + shift, is_block))
            at = data.find(whole, at + 1)
    return sorted(found)


def _inflate(data: bytes, begin: int, end: int) -> bytes:
    """The bytes of the block in the bits `begin` … `end` of `data`; OSError, EOFError or ValueError when damaged."""
    first, shift = divmod(begin, 8)
    raw = np.frombuffer(data, np.uint8, min((end + 7) // 8 + 1, len(data)) - first, first)
    bits = end - begin
    size = (bits + 7) // 8
    if shift:
        raw = np.append(raw, np.uint8(0))
        raw = np.asarray((raw[:-1] << shift) | (raw[1:] >> (8 - shift)), np.uint8)
    body = raw[:size].tobytes()
    crc = int.from_bytes(body[6:10], "big")  # of the block; that of a stream of one block is the same
    trailer, over = (END << 32) | crc, bits % 8
    if over:
        kept = body[-1] >> (8 - over)
        last = ((kept << 80) | trailer) << (8 - over)
        body = body[:-1] + last.to_bytes(11, "big")
    else:
        body += trailer.to_bytes(10, "big")
    machine = bz2.BZ2Decompressor()
    out = machine.decompress(b"BZh9" + body)
    if not machine.eof:
        raise EOFError(_BROKEN_OFF)
    return out


class ParallelBZ2:
    """A bzip2 file read forwards, its blocks decompressed ahead in several threads.

    Parameters
    ----------
    raw : binary file
        At its beginning.
    threads : int, optional
        As many as there are cores, at least two and at most eight.
    """

    def __init__(self, raw: IO[bytes], threads: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
        self._raw = raw
        self._threads = threads or min(max(cores, 2), 8)
        self._pool: ThreadPoolExecutor | None = None
        self._pieces = self._decompressed()
        self._left = b""

    def read1(self, count: int) -> bytes:
        """Some bytes, at most `count`; none at the end. OSError or EOFError where the file is damaged."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = piece
        out, self._left = self._left[:count], self._left[count:]
        return out

    def close(self) -> None:
        """Stop the threads."""
        self._pieces.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _decompressed(self) -> Generator[bytes, None, None]:
        waiting: deque[Future[bytes]] = deque()
        blocks = self._blocks()
        damage: OSError | EOFError | None = None
        more = True
        while more or waiting:
            while more and len(waiting) < 2 * self._threads:
                try:
                    block = next(blocks, None)
                except (OSError, EOFError) as error:  # told after what is whole was handed out
                    block, damage = None, error
                if block is None:
                    more = False
                    break
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(self._threads, "bzip2")
                waiting.append(self._pool.submit(_inflate, *block))
            if waiting:
                yield waiting.popleft().result()
        if damage is not None:
            raise damage

    def _blocks(self) -> Iterator[tuple[bytes, int, int]]:
        """Blocks as (bytes, first bit, last bit); EOFError when the file does not end with an end."""
        held = self._raw.read(_CHUNK)
        if not held.startswith(b"BZh"):
            raise OSError("Invalid data stream")
        looked, ended = 0, False
        found: list[tuple[int, bool]] = []
        while True:
            found += [m for m in marks(held, looked) if not found or m[0] > found[-1][0]]
            for (begin, is_block), (end, _) in pairwise(found):
                if is_block:
                    yield held, begin, end
            ended = bool(found) and not found[-1][1]
            keep = found[-1][0] // 8 if found else max(len(held) - 8, 0)
            if len(held) - keep > _LONGEST:
                raise OSError("Invalid data stream")
            held = held[keep:]
            found = [(found[-1][0] - 8 * keep, found[-1][1])] if found else []
            looked = max(len(held) - 8, 0)
            chunk = self._raw.read(_CHUNK)
            if not chunk:
                break
            held += chunk
        if not ended or 8 * len(held) < found[-1][0] + 80:
            raise EOFError(_BROKEN_OFF)
