"""The files of a tar archive as a stream: ustar, GNU and pax headers, as far as regular files need them.

The standard library spends more time on the header of a small file than its whole content takes to be parsed: archives
of a hundred thousand molecules are why this is here. What it does not know it says; nothing is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from qmlstudio.chem.readers.streams import ByteStream

BLOCK = 512
_READ = 1 << 20
_REGULAR = b"0\0" + b"7"
_LONGEST_HEADER = 1 << 20
_ZEROS = bytes(BLOCK)


class TarError(ValueError):
    """The archive cannot be read on; the text says why."""


def _octal(field: bytes) -> int:
    """A number of a header: octal digits, or base 256 when the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise TarError("a header of the archive is no tar header") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", errors="surrogateescape")


def _pax(data: bytes) -> dict[str, str]:
    """The records "LENGTH KEY=VALUE\\n" of an extended header; what is malformed is left out."""
    found: dict[str, str] = {}
    at = 0
    while match := re.compile(rb"(\d{1,9}) ([^=]+)=").match(data, at):
        end = at + int(match[1])
        if end > len(data) or end <= match.end():
            break
        found[match[2].decode("utf-8", "replace")] = data[match.end() : end - 1].decode("utf-8", "surrogateescape")
        at = end
    return found


class _Buffer:
    """Reads a stream in large pieces and hands out small ones."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._data = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """`count` bytes, fewer at the end of the stream."""
        stop = self._at + count
        if stop > len(self._data):
            rest = self._data[self._at :]
            self._data = rest + self._stream.read(max(_READ, count - len(rest)))
            self._at, stop = 0, count
        out = self._data[self._at : stop]
        self._at = min(stop, len(self._data))
        return out

    def skip(self, count: int) -> bool:
        """Pass over `count` bytes; False when the stream ends before."""
        while count > 0:
            got = len(self.take(min(count, _READ)))
            if not got:
                return False
            count -= got
        return True


def tar_members(stream: ByteStream, wants: Callable[[str, int], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the regular files for which ``wants(name, size)`` holds.

    Raises
    ------
    TarError
        The archive is damaged or breaks off; what was yielded before is good.
    """
    buffer = _Buffer(stream)
    name, size_given = "", -1
    ended = False
    while head := buffer.take(BLOCK):
        if len(head) < BLOCK:
            raise TarError("its end is missing")
        if head == _ZEROS:
            ended = True
            break
        if _octal(head[148:156]) != sum(head) - sum(head[148:156]) + 256:
            raise TarError("a header of the archive is no tar header")
        kind = head[156:157]
        size = _octal(head[124:136])
        padded = -(-size // BLOCK) * BLOCK
        if kind in b"LKxg":
            if size > _LONGEST_HEADER:
                raise TarError("a header of the archive is no tar header")
            data = buffer.take(padded)
            if len(data) < padded:
                raise TarError("its end is missing")
            if kind == b"L":
                name = _text(data[:size])
            elif kind == b"x":
                records = _pax(data[:size])
                name = records.get("path", name)
                given = records.get("size", "")
                size_given = int(given) if given.isdecimal() and len(given) < 16 else -1
                if any(key.startswith("GNU.sparse") for key in records):
                    raise TarError("it has sparse files, which cannot be read here")
            continue
        if not name:
            name = _text(head[:100])
            if head[257:263] == b"ustar\0" and head[345]:
                name = f"{_text(head[345:500])}/{name}"
        if size_given >= 0:
            size, padded = size_given, -(-size_given // BLOCK) * BLOCK
        if kind == b"S":
            raise TarError("it has sparse files, which cannot be read here")
        if kind in b"123456":  # links, devices and folders have no content, whatever their header says
            padded = 0
        elif kind in _REGULAR and not name.endswith("/") and wants(name, size):
            data = buffer.take(padded)
            if len(data) < size:
                raise TarError(f"{name} breaks off")
            yield name, data[:size]
            padded = 0
        if not buffer.skip(padded):
            raise TarError("its end is missing")
        name, size_given = "", -1
    if not ended:
        raise TarError("its end is missing")
