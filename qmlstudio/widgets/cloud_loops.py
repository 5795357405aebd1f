"""Compiled loops that turn, order and hit the points of a cloud. Import only through :func:`overlay_backend.warm_up`.

Everything here has its NumPy counterpart in :mod:`qmlstudio.widgets.cloud_numpy`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_COMPILE: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}


@numba.njit("void(float64[:, :], float64[:, ::1], float64[::1], float64, float64[:, ::1], float64[::1])", **_COMPILE)
def project(xyz, matrix, center, distance, xy, depth):  # type: ignore[no-untyped-def]
    """View coordinates of points: ``matrix @ (xyz - center)``, x and y enlarged by d / (d - z) in perspective.

    xyz : (n, 3) float64; matrix : (3, 3); center : (3,)
    distance : float
        From the eye to the centre; 0: orthographic.
    xy : (n, 2), depth : (n,) float64, out
        Depth grows towards the viewer.
    """
    for i in range(xyz.shape[0]):
        x, y, z = xyz[i, 0] - center[0], xyz[i, 1] - center[1], xyz[i, 2] - center[2]
        u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z
        v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z
        w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z
        if distance > 0.0:
            near = distance / max(distance - w, 0.05 * distance)
            u *= near
            v *= near
        xy[i, 0] = u
        xy[i, 1] = v
        depth[i] = w


@numba.njit(
    "void(float64[:, :], float64[::1], float64, int64, int64[::1], int32[::1], float64[::1], float64[::1])", **_COMPILE
)
def sort_by_depth(xy, depth, radius, buckets, starts, order, xs, ys):  # type: ignore[no-untyped-def]
    """Order points from back to front, by counting, in `buckets` equal steps from −radius to radius.

    starts : (buckets + 1,) int64, out
        Where each step begins.
    order : (n,) int32, out
        The points' numbers; `xs`, `ys` (n,) their coordinates in that order. Points without a place are left out: only
        the first ``starts[-1]`` are filled.
    """
    n = xy.shape[0]
    starts[:] = 0
    scale = buckets / (2.0 * radius)
    step = np.empty(n, np.int32)
    for i in range(n):
        if np.isfinite(xy[i, 0]) and np.isfinite(xy[i, 1]) and np.isfinite(depth[i]):
            b = int(min(max((depth[i] + radius) * scale, 0.0), buckets - 1.0))
            step[i] = b
            starts[b + 1] += 1
        else:
            step[i] = -1
    for b in range(buckets):
        starts[b + 1] += starts[b]
    cursor = starts[:-1].copy()
    for i in range(n):
        b = step[i]
        if b >= 0:
            at = cursor[b]
            cursor[b] = at + 1
            order[at] = i
            xs[at] = xy[i, 0]
            ys[at] = xy[i, 1]


@numba.njit(
    "int64(float64[:, :], float64[::1], float64, float64, float64, float64, float64)",
    **_COMPILE,
)
def front_most(xy, depth, x, y, rx, ry, core):  # type: ignore[no-untyped-def]
    """The point that is seen at (x, y): of those within `core` of it the nearest to the viewer, else the next one.

    rx, ry : half axes of the ellipse that is searched, the unit of length; core : share of it that a symbol covers.
    """
    front, found = -np.inf, -1
    best, other = 1.0, -1
    inner = core * core
    for i in range(xy.shape[0]):
        u = (xy[i, 0] - x) / rx
        v = (xy[i, 1] - y) / ry
        d = u * u + v * v
        if d < inner:
            if depth[i] >= front:
                front, found = depth[i], i
        elif d < best:
            best, other = d, i
    return found if found >= 0 else other
