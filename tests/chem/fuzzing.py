"""Spoiling files as copying, editing and other programs do, and what every reader owes to what it is given then.

``spoiled(data)`` is a hypothesis strategy of bytes made from a valid file by a few edits: cut off, bytes changed, lines
lost, doubled or swapped, numbers made huge, negative or no numbers, NUL, other encodings and line ends. :func:`check`
opens such bytes: a DataError that says in one line what is wrong, or a data set that is sound; never another exception.
"""

from __future__ import annotations

import os
import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset

_LONG = int(os.environ.get("QMLSTUDIO_FUZZ", "0"))
"""Examples of a long run by hand, other ones every time."""

BOUNDED = settings(
    max_examples=_LONG or 60,
    derandomize=not _LONG,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
"""A short run that is the same every time."""
FEW = settings(BOUNDED, max_examples=_LONG or 25)
"""The same for readers that take milliseconds for a file."""

SECONDS, MEMORY = 10.0, 100 << 20
"""Bounds that no spoiled file of a few kB may exceed, with a wide margin for busy machines."""

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?")
_NUMBERS = (
    b"999999999999999999999",
    b"2147483648",
    b"-7",
    b"0",
    b"nan",
    b"inf",
    b"1e400",
    b"1_0",
    b"",
    b"x",
    b"\xc2\xb2",
    b"0x1p3",
    b"1.0*^-6",
    b"1D3",
)
_BYTES = (
    b"\0",
    b"\0" * 4,
    b"\xff",
    b"\xfe\xff",
    b"\r",
    b"\n",
    b"\n\n\n",
    b"\t",
    b'"',
    b"'",
    b"{",
    b"[",
    b"=",
    b" " * 40,
)


@st.composite
def spoiled(draw: st.DrawFn, data: bytes, edits: int = 3) -> bytes:
    """Bytes of a valid file after one to `edits` edits."""
    for _ in range(draw(st.integers(1, edits))):
        if not data:
            return data
        kind = draw(st.integers(0, 8))
        at = draw(st.integers(0, len(data) - 1))
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + draw(st.sampled_from(_BYTES)) + data[at:]
        elif kind == 3:
            data = data[:at] + data[at + draw(st.integers(1, 50)) :]
        elif kind in (4, 5, 6):
            lines = data.split(b"\n")
            i, j = at % len(lines), draw(st.integers(0, len(lines) - 1))
            if kind == 4:
                del lines[i]
            elif kind == 5:
                lines.insert(i, lines[j])
            else:
                lines[i], lines[j] = lines[j], lines[i]
            data = b"\n".join(lines)
        elif kind == 7:
            found = list(_NUMBER.finditer(data))
            if found:
                match = found[at % len(found)]
                data = data[: match.start()] + draw(st.sampled_from(_NUMBERS)) + data[match.end() :]
        else:
            how = draw(st.integers(0, 4))
            text = data.decode("latin-1")
            data = (
                data.replace(b"\n", b"\r\n"),
                data.replace(b"\n", b"\r"),
                b"\xef\xbb\xbf" + data,
                text.encode("utf-16"),
                text.encode("utf-16-be"),
            )[how]
    return data


def check(path: Path, data: bytes) -> Dataset | None:
    """Write `data`, open it, and hold the reader to what it owes; the data set, or None when it was refused."""
    path.write_bytes(data)
    begun = time.monotonic()
    tracemalloc.start()
    found, refused = None, ""
    try:
        found = open_dataset(path)
    except DataError as error:
        refused = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.monotonic() - begun < SECONDS
    assert peak < MEMORY
    if found is None:
        assert path.name in refused
        assert "\n" not in refused
        return None
    assert len(found) > 0
    assert np.isfinite(found.structures.positions).all()
    assert (found.structures.numbers > 0).all()
    assert (found.structures.sizes > 0).all()
    if found.structures.cells is not None:
        assert np.isfinite(found.structures.cells).all()
    assert len(found.identifiers) == len(found)
    for name, p in found.properties.items():
        assert name
        assert len(p.values) == (len(found) if p.target == "structure" else len(found.structures.numbers))
    for problem in found.problems:
        assert problem.message
        assert "\n" not in str(problem)
    return found
