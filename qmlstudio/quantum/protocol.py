"""Messages between the program and its computing processes: JSON and plain numbers, never code.

A message is the length of its head (four bytes, little endian), the head (JSON, UTF-8) and the bytes of its arrays one
after another; the head's "arrays" says their names, types and shapes. The same bytes are kept on disk.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

TYPES = ("|u1", "<i8", "<f8")
"""Types of numbers that may travel."""
MAX_HEAD = 1 << 24
MAX_ARRAY = 1 << 32


class ProtocolError(ValueError):
    """The bytes are no message: cut off, damaged, or of another program."""


def encode(head: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> bytes:
    """The message as bytes; arrays are taken as ``uint8``, ``int64`` or ``float64``."""
    described, parts = [], []
    for name, given in (arrays or {}).items():
        array = np.ascontiguousarray(given)
        if array.dtype.kind == "f":
            array = array.astype("<f8", copy=False)
        elif array.dtype != np.uint8:
            array = array.astype("<i8", copy=False)
        described.append([name, array.dtype.str, list(np.shape(given))])
        parts.append(array.tobytes())
    text = json.dumps({**head, "arrays": described}, separators=(",", ":")).encode()
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def decode(data: bytes | memoryview) -> tuple[dict[str, Any], Arrays]:
    """Inverse of :func:`encode`; raises :class:`ProtocolError`."""
    view = memoryview(data)
    if len(view) < 4:
        raise ProtocolError("a message without a head")
    (length,) = struct.unpack("<I", view[:4])
    head = _head(bytes(view[4 : 4 + length]), length)
    arrays: Arrays = {}
    place = 4 + length
    for name, kind, shape, size in _described(head):
        part = view[place : place + size]
        if len(part) != size:
            raise ProtocolError("a message is cut off")
        arrays[name] = np.frombuffer(part, dtype=kind).reshape(shape).copy()
        place += size
    return head, arrays


def read(stream: IO[bytes]) -> tuple[dict[str, Any], Arrays] | None:
    """The next message of a blocking stream; None at its end. Raises :class:`ProtocolError`."""
    first = stream.read(4)
    if not first:
        return None
    if len(first) < 4:
        raise ProtocolError("a message is cut off")
    (length,) = struct.unpack("<I", first)
    if length > MAX_HEAD:
        raise ProtocolError(f"a head of {length:,} bytes")
    head = _head(stream.read(length), length)
    arrays: Arrays = {}
    for name, kind, shape, size in _described(head):
        part = stream.read(size) if size else b""
        if len(part) != size:
            raise ProtocolError("a message is cut off")
        arrays[name] = np.frombuffer(part, dtype=kind).reshape(shape).copy()
    return head, arrays


def _head(text: bytes, length: int) -> dict[str, Any]:
    if len(text) != length:
        raise ProtocolError("a message is cut off")
    try:
        head = json.loads(text)
    except ValueError:
        raise ProtocolError("a head is no JSON") from None
    if not isinstance(head, dict):
        raise ProtocolError("a head is no table")
    return head


def _described(head: dict[str, Any]) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Name, type, shape and bytes of each array; they are taken out of the head."""
    found = []
    try:
        for name, kind, shape in head.pop("arrays", []):
            numbers = tuple(int(k) for k in shape)
            size = math.prod(numbers) * np.dtype(kind).itemsize if kind in TYPES else -1
            if size < 0 or size > MAX_ARRAY or min(numbers, default=0) < 0:
                raise ProtocolError(f"an array of type {kind} and shape {numbers}")
            found.append((str(name), str(kind), numbers, size))
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"a damaged head: {error}") from None
    return found
