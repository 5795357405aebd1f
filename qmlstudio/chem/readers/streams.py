"""Files as streams: decompressed on the way, cut into lines, with the fraction read known at every moment."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.inputs import note
from qmlstudio.chem.readers.bzip2 import ParallelBZ2

BLOCK = 1 << 19
"""Bytes read at once: about 10 ms of parsing, so that a cancel is answered at once and the window breathes."""

LONGEST_LINE = 1 << 24
"""Bytes without a line break after which a file is not taken for text."""

_SMALL = 1 << 20
"""Bytes of a bzip2 file up to which one thread is enough."""

_MAGIC: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", lambda raw: ParallelBZ2(raw) if os.fstat(raw.fileno()).st_size > _SMALL else bz2.BZ2File(raw)),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)


class ByteStream:
    """A file read forwards, decompressed when it is gzip, bzip2 or xz (told by its first bytes, not its name).

    A compressed file that breaks off gives what could be decompressed; :attr:`damage` then says what is wrong.

    Raises
    ------
    DataError
        The file is missing, unreadable or empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage = ""
        note(path)
        try:
            self._raw: IO[bytes] = path.open("rb")
            self.size = path.stat().st_size
            magic = self._raw.read(6)
            self._raw.seek(0)
        except OSError as error:
            remedy = "check the name" if isinstance(error, FileNotFoundError) else "check the file's permissions"
            raise DataError(Problem(str(path), error.strerror or str(error), remedy)) from error
        opener = next((make for start, make in _MAGIC if magic.startswith(start)), None)
        self.is_compressed = opener is not None
        self._data: Any = opener(self._raw) if opener else self._raw
        self._ahead = b""
        if not self.head(1):
            self.close()
            message = f"damaged: {self.damage}" if self.damage else "the file is empty"
            raise DataError(Problem(str(path), message, "copy or download it again"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        if self._data is not self._raw:
            self._data.close()
        self._raw.close()

    def _more(self, count: int) -> bytes:
        try:
            # read1 hands out what one step decompressed: nothing before a damage is lost
            return bytes(self._data.read1(count) if self.is_compressed else self._data.read(count))
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            self.damage = self.damage or str(error) or type(error).__name__
            return b""

    def head(self, count: int) -> bytes:
        """The next bytes, at most `count`, without consuming them."""
        while len(self._ahead) < count and (more := self._more(count)):
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, exactly `count` except at the end (all that is left when negative)."""
        parts, have = [self._ahead], len(self._ahead)
        if 0 <= count <= have:
            self._ahead = parts[0][count:]
            return parts[0][:count]
        self._ahead = b""
        while (count < 0 or have < count) and (more := self._more(BLOCK if count < 0 else count - have)):
            parts.append(more)
            have += len(more)
        return b"".join(parts)

    def fraction(self) -> float:
        """Fraction of the file (of its compressed bytes) that was read, in [0, 1]."""
        return self._raw.tell() / self.size if self.size else 1.0

    def left(self) -> int | None:
        """Bytes still to come; None when unknown because the file is compressed."""
        return None if self.is_compressed else self.size - self._raw.tell() + len(self._ahead)

    def damage_problem(self) -> Problem | None:
        """What to tell when the compressed file broke off, else None."""
        if not self.damage:
            return None
        remedy = "copy or download it again; what was read before the damage is kept"
        return Problem(str(self.path), f"the compressed file is damaged: {self.damage}", remedy)


def decode(data: bytes) -> str:
    """Text from bytes: UTF-8 if it is, else Latin-1 (in which every byte is a character)."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines_of(data: bytes) -> list[str]:
    """The lines of a whole small file, whatever its line ends; a byte-order mark is dropped."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        data = data.decode("utf-16", errors="replace").encode()
    lines = decode(data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def line_blocks(stream: ByteStream) -> Iterator[list[str]]:
    """Yield the lines of a text file (without their ends) in lists of about :data:`BLOCK` bytes.

    Raises
    ------
    DataError
        No line break for 16 MB: not a text file.
    """
    start = stream.head(3)
    utf16 = None
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        utf16 = codecs.getincrementaldecoder("utf-16")(errors="replace")
    elif start == codecs.BOM_UTF8:
        stream.read(3)
    tail = b""
    while block := stream.read(BLOCK):
        block = tail + (utf16.decode(block).encode() if utf16 else block)
        held = b""
        if b"\r" in block:
            if block.endswith(b"\r"):  # its \n may come with the next block
                block, held = block[:-1], b"\r"
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        cut = block.rfind(b"\n") + 1
        tail = block[cut:] + held
        if cut:
            yield decode(block[: cut - 1]).split("\n")
        elif len(tail) > LONGEST_LINE:
            raise DataError(Problem(str(stream.path), "no line breaks: this is not a text file", "check the format"))
    if tail.rstrip(b"\r"):
        yield [decode(tail.rstrip(b"\r"))]
