"""The loops of :mod:`qmlstudio.widgets.cloud_loops` in NumPy: for the first frames, until those are loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def project(xyz: Floats, matrix: Floats, center: Floats, distance: float, xy: Floats, depth: Floats) -> None:
    """View coordinates of points."""
    view = (xyz - center) @ matrix.T
    if distance > 0.0:
        with np.errstate(invalid="ignore"):
            view[:, :2] *= (distance / np.maximum(distance - view[:, 2], 0.05 * distance))[:, None]
    xy[:], depth[:] = view[:, :2], view[:, 2]


def sort_by_depth(
    xy: Floats,
    depth: Floats,
    radius: float,
    buckets: int,
    starts: NDArray[np.int64],
    order: NDArray[np.int32],
    xs: Floats,
    ys: Floats,
) -> None:
    """Order points from back to front."""
    good = np.flatnonzero(np.isfinite(xy).all(axis=1) & np.isfinite(depth))
    step = ((depth[good] + radius) * (buckets / (2.0 * radius))).clip(0, buckets - 1).astype(np.int64)
    starts[0] = 0
    starts[1:] = np.cumsum(np.bincount(step, minlength=buckets))
    chosen = good[np.argsort(step, kind="stable")]
    order[: len(chosen)], xs[: len(chosen)], ys[: len(chosen)] = chosen, xy[chosen, 0], xy[chosen, 1]


def front_most(xy: Floats, depth: Floats, x: float, y: float, rx: float, ry: float, core: float) -> int:
    """The point that is seen at (x, y)."""
    with np.errstate(invalid="ignore"):
        d = ((xy[:, 0] - x) / rx) ** 2 + ((xy[:, 1] - y) / ry) ** 2
        hit = np.flatnonzero(d < core * core)
    if len(hit):
        # of equal depths the last is drawn on top
        return int(hit[len(hit) - 1 - np.argmax(depth[hit][::-1])])
    d[np.isnan(d)] = np.inf
    return int(np.argmin(d)) if len(d) and d.min() < 1.0 else -1
