"""Results that a session file carries along, so that a map is there at once when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.learning.quality import Quality

Arrays = dict[str, NDArray[Any]]
_SCORES = tuple(f.name for f in fields(Quality) if f.name != "distortion")


def to_storage(results: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """JSON-able descriptions and arrays of maps ("map", "map:1", …) and their qualities; anything else is left out.

    A layout that was still moving is left out, too.
    """
    data: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, value in results.items():
        place = f"results/{name.replace(':', '-')}"
        if isinstance(value, Coordinates) and value.epoch == value.n_epochs:
            data[name] = {"axes": list(value.axes), "epoch": value.epoch, "n_epochs": value.n_epochs}
            arrays[f"{place}/points"] = value.points
        elif isinstance(value, Quality):
            data[name] = {k: getattr(value, k) for k in _SCORES}
            arrays[f"{place}/distortion"] = value.distortion
    return data, arrays


def from_storage(data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], n: int) -> dict[str, Any]:
    """Inverse of :func:`to_storage`; what does not fit `n` structures or is of another version is left out."""
    results: dict[str, Any] = {}
    for name, meta in data.items():
        place = f"results/{name.replace(':', '-')}"
        points, distortion = arrays.get(f"{place}/points"), arrays.get(f"{place}/distortion")
        if not isinstance(meta, dict):
            continue
        if points is not None and points.ndim == 2 and len(points) == n and points.shape[1] in (2, 3):
            results[name] = Coordinates(points, tuple(meta["axes"]), int(meta["epoch"]), int(meta["n_epochs"]))
        elif distortion is not None and distortion.shape == (n,) and set(meta) == set(_SCORES):
            results[name] = Quality(**meta, distortion=np.asarray(distortion, dtype=np.float32))
    return results
