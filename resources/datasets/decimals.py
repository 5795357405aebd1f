"""Write decimal numbers as integers: exact, and half the size of compressed doubles.

An array ``x`` whose entries have at most k decimals is stored as ``x@k``, the integers ``x * 10**k``. Integer and power
of ten being exact doubles, their quotient is rounded once and so is the double that reading the decimal text gives.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 10
"""Decimals tried."""


def as_integers(values: NDArray[np.float64]) -> tuple[NDArray[np.signedinteger[Any]], int]:
    """Integers and number of decimals that give `values` back bit for bit; ValueError if ten decimals do not."""
    for digits in range(MOST + 1):
        scaled = np.rint(values * 10.0**digits).astype(np.int64)
        if np.array_equal(scaled / 10.0**digits, values):
            largest = int(np.abs(scaled).max(initial=0))
            kind = next(t for t in (np.int16, np.int32, np.int64) if largest <= np.iinfo(t).max)
            return scaled.astype(kind), digits
    raise ValueError(f"more than {MOST} decimals, or not finite")


def write(path: Path, arrays: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> None:
    """Write a compressed npz with the floats as integers, and `metadata` as JSON text under "metadata"."""
    packed: dict[str, Any] = {}
    for name, values in arrays.items():
        if values.dtype.kind == "f":
            integers, digits = as_integers(values)
            packed[f"{name}@{digits}"] = integers
        else:
            packed[name] = values
    np.savez_compressed(path, metadata=np.array(json.dumps(metadata)), **packed)
