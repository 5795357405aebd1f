"""Compiled loops that draw lines through ordered points. Import only through :func:`overlay_backend.warm_up`.

As in :mod:`qmlstudio.widgets.raster_loops` every loop releases the GIL, is cached on disk and has an explicit
signature, so that nothing is ever compiled in the window's thread.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_LANES = np.uint64(0x00FF00FF00FF00FF)
_COMPILE: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}

LAST_X, LAST_Y, PEN, WAY, SKIPPED = 0, 1, 2, 3, 4
"""Places of what :func:`draw_path` carries from one slice to the next."""


@numba.njit("void(uint32[::1], int64, uint64, uint64)", inline="always", **_COMPILE)
def _blend(pixels, at, lanes, cover):  # type: ignore[no-untyped-def]
    w = np.uint64(pixels[at])
    old = (w | (w << np.uint64(24))) & _LANES
    new = ((lanes * cover + old * (np.uint64(256) - cover)) >> np.uint64(8)) & _LANES
    pixels[at] = np.uint32((new | (new >> np.uint64(24))) & np.uint64(0xFFFFFFFF))


@numba.njit("int64(uint32[:, ::1], float64, float64, float64, float64, uint64, float64)", **_COMPILE)
def draw_segment(image, x0, y0, x1, y1, lanes, half):  # type: ignore[no-untyped-def]
    """Blend an anti-aliased line into `image`; returns the number of steps along it that lie in the picture.

    image : (H, W) uint32, premultiplied ARGB
    x0, y0, x1, y1 : float, pixels (pixel i spans i … i + 1)
    lanes : uint64
        Opaque colour with one channel in each 16-bit lane.
    half : float
        Half the line's width in pixels.
    """
    height, width = image.shape
    pixels = image.reshape(-1)
    steep = abs(y1 - y0) > abs(x1 - x0)
    if steep:
        a0, b0, a1, b1, along, across = y0, x0, y1, x1, height, width
    else:
        a0, b0, a1, b1, along, across = x0, y0, x1, y1, width, height
    if a0 > a1:
        a0, b0, a1, b1 = a1, b1, a0, b0
    length = a1 - a0
    slope = (b1 - b0) / length if length > 1e-9 else 0.0
    shorter = 1.0 / np.sqrt(1.0 + slope * slope)
    reach = (half + 0.5) / shorter
    # the ends stand out by half the width: without that, a point that has hardly moved would vanish
    a0 -= half * shorter
    b0 -= half * shorter * slope
    a1 += half * shorter
    first, last = max(a0, 0.0), min(a1, float(along))
    # where the line is between the picture's edges across
    if slope > 1e-12:
        first, last = max(first, a0 + (-reach - b0) / slope), min(last, a0 + (across + reach - b0) / slope)
    elif slope < -1e-12:
        first, last = max(first, a0 + (across + reach - b0) / slope), min(last, a0 + (-reach - b0) / slope)
    elif b0 < -reach or b0 > across + reach:
        return 0
    if not first < last:
        return 0
    steps = 0
    stop = int(last) + 1
    if stop > along:
        stop = along
    for a in range(int(first), stop):
        ends = min(a + 1.0, a1) - max(float(a), a0)
        if ends <= 0.0:
            continue
        ends = min(ends, 1.0)
        middle = b0 + (a + 0.5 - a0) * slope
        low = max(int(np.floor(middle - reach)), 0)
        high = min(int(np.floor(middle + reach)) + 1, across)
        for b in range(low, high):
            cover = half + 0.5 - abs(b + 0.5 - middle) * shorter
            if cover > 0.0:
                weight = np.uint64(256.0 * min(cover, 1.0) * ends)
                _blend(pixels, b * width + a if not steep else a * width + b, lanes, weight)
        steps += 1
    return steps


@numba.njit(
    "int64(uint32[:, ::1], float64[:, :], int64[::1], boolean[::1], uint16[::1], uint64[::1], float64[::1],"
    " float64[::1], float64[::1], float64[:, ::1], int64[::1])",
    **_COMPILE,
)
def draw_path(image, xy, order, joined, colors, table, transform, look, state, arrows, part):  # type: ignore[no-untyped-def]
    """Draw part of a line through points; returns the steps drawn (see :func:`draw_segment`).

    A point within half a pixel of the last corner is passed over: the pixels are the same.

    Parameters
    ----------
    image : (H, W) uint32
    xy : (n, 2) float64
        NaN lifts the pen.
    order : (m,) int64
        Points in the order of the line.
    joined : (m,) bool
        Whether the line goes on from the one before.
    colors : (m,) uint16
        Index into `table` of the piece that ends here.
    table : (k,) uint64
        Opaque colours, spread.
    transform : (4,) float64
        Pixel of (x, y): ``t0 x + t1, t2 y + t3``.
    look : (3,) float64
        Half the line's width, least distance between arrows along the line, least distance passed over; all in pixels.
    state : (5,) float64, changed in place
        Last corner x, y, whether the pen is down, way since the last arrow, number of points passed over.
    arrows : (r, 4) float64, filled: x, y and unit direction; row by row as far as there is room
    part : (4,) int64
        First and last + 1 place in `order`; draw only every so many-th stretch of 64; arrows so far (changed).
    """
    height, width = image.shape
    t0, t1, t2, t3 = transform[0], transform[1], transform[2], transform[3]
    half, spacing, least = look[0], look[1], look[2]
    every = part[2]
    steps = 0
    for k in range(part[0], part[1]):
        if every > 1 and (k >> 6) % every != 0:
            state[PEN] = 0.0
            continue
        x = t0 * xy[order[k], 0] + t1
        y = t2 * xy[order[k], 1] + t3
        if not (np.isfinite(x) and np.isfinite(y)):
            state[PEN] = 0.0
            continue
        if not joined[k] or state[PEN] == 0.0:
            state[LAST_X], state[LAST_Y], state[PEN], state[WAY] = x, y, 1.0, 0.5 * spacing
            continue
        dx, dy = x - state[LAST_X], y - state[LAST_Y]
        if abs(dx) < least and abs(dy) < least:
            state[SKIPPED] += 1.0
            continue
        drawn = draw_segment(image, state[LAST_X], state[LAST_Y], x, y, table[colors[k]], half)
        steps += drawn + 1
        if drawn > 0:
            length = np.sqrt(dx * dx + dy * dy)
            state[WAY] += min(length, float(width + height))
            u, v = state[LAST_X] + 0.5 * dx, state[LAST_Y] + 0.5 * dy
            if state[WAY] >= spacing and part[3] < arrows.shape[0] and 0 <= u < width and 0 <= v < height:
                arrows[part[3], 0], arrows[part[3], 1] = u, v
                arrows[part[3], 2], arrows[part[3], 3] = dx / length, dy / length
                part[3] += 1
                state[WAY] = 0.0
        state[LAST_X], state[LAST_Y] = x, y
    return steps
