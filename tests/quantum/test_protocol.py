"""Messages: what goes in comes out, and damage is noticed."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from qmlstudio.quantum.protocol import MAX_HEAD, ProtocolError, decode, encode, read


def test_what_goes_in_comes_out() -> None:
    arrays = {
        "numbers": np.array([1, 8], dtype=np.uint8),
        "wide": np.array([[1, -2]], dtype=np.int32),
        "positions": np.linspace(0, 1, 6).reshape(2, 3)[::-1],
        "nothing": np.zeros((0, 3)),
        "one": np.float64(2.5),
    }
    data = encode({"type": "item", "smiles": "C#N μ", "gap": None}, arrays)
    for head, back in (decode(data), read(io.BytesIO(data)) or ({}, {})):
        assert head == {"type": "item", "smiles": "C#N μ", "gap": None}
        assert list(back) == list(arrays)
        for name, array in arrays.items():
            assert back[name].shape == np.shape(array)
            np.testing.assert_array_equal(back[name], array)
        assert back["numbers"].dtype == np.uint8
        assert back["wide"].dtype == np.int64


def test_several_in_a_stream_and_its_end() -> None:
    stream = io.BytesIO(b"".join(encode({"k": k}, {"a": np.arange(k)}) for k in range(3)))
    found = []
    while (message := read(stream)) is not None:
        found.append((message[0]["k"], len(message[1]["a"])))
    assert found == [(0, 0), (1, 1), (2, 2)]


def test_a_cut_message_is_noticed() -> None:
    for cut in (2, 10, -1):
        data = encode({"type": "x"}, {"a": np.arange(5.0)})[:cut]
        with pytest.raises(ProtocolError, match=r"cut off|head"):
            decode(data)
        with pytest.raises(ProtocolError, match=r"cut off|head"):
            read(io.BytesIO(data))


DAMAGED = (
    b"no json",
    b"[1]",
    b'{"arrays": [["a", "|O", [1]]]}',
    b'{"arrays": [["a", "<f8", [-1]]]}',
    b'{"arrays": [["a", "<f8", [99999999999]]]}',
    b'{"arrays": 3}',
    b'{"arrays": [["a"]]}',
)


def test_a_damaged_head_is_noticed() -> None:
    for head in DAMAGED:
        data = struct.pack("<I", len(head)) + head + bytes(16)
        with pytest.raises(ProtocolError):
            decode(data)
        with pytest.raises(ProtocolError):
            read(io.BytesIO(data))


def test_an_absurd_length_asks_for_no_memory() -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        read(io.BytesIO(struct.pack("<I", MAX_HEAD + 1)))
