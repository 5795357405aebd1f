"""Compiled loops of the map's raster. Import only through :func:`qmlstudio.widgets.raster.warm_up`.

Every loop is serial, releases the GIL, is cached on disk and has an explicit signature: it is compiled when the module
is imported, in the warm-up job, and can never be compiled by surprise in the window's thread. Large frames are split
into two halves of the picture, one for each thread.

A *code* (uint32) says how a point looks: bits 0–15 the index into the colour table, bit 16 missing value, bit 17
dimmed, bits 18–20 the shape, 21–24 the size class, 25 hollow. A colour of the image is a premultiplied ARGB word; a
colour of a table is the same word spread over four 16-bit lanes, so that one multiplication blends all channels.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

MISSING = np.uint32(1 << 16)
DIMMED = np.uint32(1 << 17)
INDEX = np.uint32(0xFFFF)
STAMP_SHIFT = np.uint32(18)
SHAPE_BITS = np.uint32(3)
HOLLOW = np.uint32(1 << 25)
SLOTS = 128

PHASES = 4
"""Stamps exist for 4 × 4 positions within a pixel: points are placed to 1/8 of a pixel."""

BLOCK = 1024
"""Points whose pixels are found together."""

FARTHEST = 1e100
"""Coordinates beyond it are nowhere: their squares are no numbers."""

_LANES = np.uint64(0x00FF00FF00FF00FF)
_COMPILE: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}


@numba.njit("uint64(uint32)", inline="always", **_COMPILE)
def _spread(word):  # type: ignore[no-untyped-def]
    w = np.uint64(word)
    return (w | (w << np.uint64(24))) & _LANES


@numba.njit("uint32(uint64)", inline="always", **_COMPILE)
def _pack(lanes):  # type: ignore[no-untyped-def]
    return np.uint32((lanes | (lanes >> np.uint64(24))) & np.uint64(0xFFFFFFFF))


@numba.njit(
    "int64(uint32[:, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1], uint64[:, ::1],"
    " uint64[:, ::1], uint32[::1], int64[::1], int64[::1], int64[:, :, :, ::1], int64[::1])",
    **_COMPILE,
)
def draw_stamps(image, xs, ys, codes, spans, transform, fills, edges, cover, starts, sizes, extent, part):  # type: ignore[no-untyped-def]
    """Blend the stamps of one layer's points into `image`; returns how many of them have their centre in it.

    Parameters
    ----------
    image : (H, W) uint32, premultiplied ARGB, changed in place
    xs, ys : (n,) float64
    codes : (n,) uint32
    spans : (m, 2) int64
        Ranges of points to look at.
    transform : (4,) float64
        Pixel of (x, y): ``t0 x + t1, t2 y + t3``.
    fills, edges : (2, k) uint64
        Spread colours of normal and dimmed points by colour index; the last column is the missing value's.
    cover, starts, sizes, extent
        As in :class:`raster_stamps.StampTable`.
    part : (5,) int64
        Layer (0 dimmed, 1 missing values, 2 all others), size class (−1: any), first and last + 1 row of the picture
        that may be changed, how far the largest stamp reaches. Only points whose centre is in those rows are counted.
    """
    # everything that stays the same is a local: the compiler cannot know that the picture is not one of the tables
    width = image.shape[1]
    t0, t1, t2, t3 = transform[0], transform[1], transform[2], transform[3]
    layer, only, low, high, reach = part[0], part[1], part[2], part[3], part[4]
    last = fills.shape[1] - 1
    count = 0
    pixels = image.reshape(-1)
    full = np.uint64(256)
    eight = np.uint64(8)
    for s in range(spans.shape[0]):
        start, stop = spans[s, 0], spans[s, 1]
        for i in range(start, stop):
            code = codes[i]
            dimmed = 1 if code & DIMMED else 0
            missing = 1 if code & MISSING else 0
            if dimmed:
                if layer != 0:
                    continue
            elif layer != 2 - missing:
                continue
            slot = np.int64((code >> STAMP_SHIFT) & np.uint32(SLOTS - 1))
            if only >= 0 and (slot >> 3) != only:
                continue
            x = t0 * xs[i] + t1
            y = t2 * ys[i] + t3
            # written so that NaN fails
            if not (x >= -reach and x < width + reach and y >= low - reach and y < high + reach):
                continue
            if code & (MISSING | HOLLOW):
                slot += SLOTS
            left = np.int64(np.floor(x))
            top = np.int64(np.floor(y))
            px = np.int64((x - left) * PHASES)
            py = np.int64((y - top) * PHASES)
            if left >= 0 and left < width and top >= low and top < high:
                count += 1
            index = last if missing else np.int64(code & INDEX)
            fill = fills[dimmed, index]
            edge = edges[dimmed, index]
            solid = _pack(fill)
            size = sizes[slot]
            middle = (size - 1) // 2
            u0, u1 = max(extent[slot, 0, px, 0], -left), min(extent[slot, 0, px, 1] + 1, width - left)
            v0, v1 = max(extent[slot, 1, py, 0], low - top), min(extent[slot, 1, py, 1] + 1, high - top)
            stamp = starts[slot] + (py * PHASES + px) * size * size
            for v in range(v0, v1):
                row = np.uint64((top + v) * width + left + u0)
                at = np.uint64(stamp + (middle + v) * size + middle + u0)
                for _ in range(u0, u1):
                    both = np.uint64(cover[at])
                    if both == full:
                        pixels[row] = solid
                    elif both:
                        a, b = both & np.uint64(0xFFFF), both >> np.uint64(16)
                        old = _spread(pixels[row])
                        pixels[row] = _pack(((fill * a + edge * b + old * (full - a - b)) >> eight) & _LANES)
                    row += np.uint64(1)
                    at += np.uint64(1)
    return count


@numba.njit(
    "int64(float64[::1], float64[::1], int64[:, ::1], float64[::1], float64, float64, float64, float64)", **_COMPILE
)
def count_inside(xs, ys, spans, transform, u0, u1, v0, v1):  # type: ignore[no-untyped-def]
    """How many points have their pixel in [u0, u1) × [v0, v1)."""
    t0, t1, t2, t3 = transform[0], transform[1], transform[2], transform[3]
    count = 0
    for s in range(spans.shape[0]):
        x_part, y_part = xs[spans[s, 0] : spans[s, 1]], ys[spans[s, 0] : spans[s, 1]]
        for k in range(x_part.shape[0]):
            x = t0 * x_part[k] + t1
            y = t2 * y_part[k] + t3
            count += 1 if (x >= u0) & (x < u1) & (y >= v0) & (y < v1) else 0
    return count


@numba.njit("void(float64[::1], float64[::1], float64[:, :], float64[::1], int64[::1])", **_COMPILE)
def split_columns(xs, ys, xy, bounds, part):  # type: ignore[no-untyped-def]
    """Copy the columns of rows part[0] … part[1] and widen `bounds` (x0, x1, y0, y1) by those that have a place.

    The others (NaN, infinite, beyond FARTHEST) become NaN.

    part : (3,) int64
        The last is raised by the number of rows without a place.
    """
    x0, x1, y0, y1 = bounds[0], bounds[1], bounds[2], bounds[3]
    lost = 0
    for i in range(part[0], part[1]):
        x = xy[i, 0]
        y = xy[i, 1]
        if abs(x) <= FARTHEST and abs(y) <= FARTHEST:
            xs[i], ys[i] = x, y
            x0, x1 = min(x0, x), max(x1, x)
            y0, y1 = min(y0, y), max(y1, y)
        else:
            xs[i] = ys[i] = np.nan
            lost += 1
    bounds[0], bounds[1], bounds[2], bounds[3] = x0, x1, y0, y1
    part[2] += lost


@numba.njit("void(uint32[::1], uint32[::1], int32[::1], boolean[::1], int64, int64)", **_COMPILE)
def dim_codes(codes, plain, order, dimmed, start, stop):  # type: ignore[no-untyped-def]
    """``codes = plain | dimmed`` for places start … stop, where point ``order[place]`` is dimmed."""
    for k in range(start, stop):
        codes[k] = plain[k] | (DIMMED if dimmed[order[k]] else np.uint32(0))


@numba.njit(
    [
        "void(float64[::1], float64[::1], int32[::1], int64, int64)",
        "void(uint32[::1], uint32[::1], int32[::1], int64, int64)",
    ],
    **_COMPILE,
)
def gather(target, source, order, start, stop):  # type: ignore[no-untyped-def]
    """``target = source[order]`` for places start … stop."""
    for k in range(start, stop):
        target[k] = source[order[k]]


@numba.njit(
    "void(float64[::1], float64[::1], float64[::1], int64[::1], int32[::1], int64[::1], int64, int64)", **_COMPILE
)
def count_cells(xs, ys, frame, shape, owners, counts, start, stop):  # type: ignore[no-untyped-def]
    """Cell of points start … stop and how many each cell has.

    frame : (4,) float64
        Lower corner and inverse cell sizes: ``x0, y0, 1/dx, 1/dy``.
    shape : (2,) int64
        Cells in x and in y.
    owners : (n,) int32, out
        Cell ``iy * nx + ix``, or −1 where a coordinate is not finite.
    counts : (cells + 1,) int64, in and out
        ``counts[cell + 1]`` is raised.
    """
    nx, ny = shape
    for i in range(start, stop):
        x = (xs[i] - frame[0]) * frame[2]
        y = (ys[i] - frame[1]) * frame[3]
        if not (x > -1.0 and x < nx + 1.0 and y > -1.0 and y < ny + 1.0):
            owners[i] = -1
            continue
        ix = min(max(np.int64(x), 0), nx - 1)
        iy = min(max(np.int64(y), 0), ny - 1)
        cell = iy * nx + ix
        owners[i] = cell
        counts[cell + 1] += 1


@numba.njit(
    "void(float64[::1], float64[::1], int32[::1], int64[::1], int32[::1], float64[::1], float64[::1], int64, int64)",
    **_COMPILE,
)
def fill_cells(xs, ys, owners, cursor, order, sorted_xs, sorted_ys, start, stop):  # type: ignore[no-untyped-def]
    """Scatter points start … stop to their cells; `cursor` is each cell's next free place."""
    for i in range(start, stop):
        cell = owners[i]
        if cell < 0:
            continue
        place = cursor[cell]
        cursor[cell] = place + 1
        order[place] = i
        sorted_xs[place] = xs[i]
        sorted_ys[place] = ys[i]


@numba.njit("int64(float64[::1], float64[::1], int64[:, ::1], float64, float64, float64, float64)", **_COMPILE)
def nearest(xs, ys, spans, x, y, rx, ry):  # type: ignore[no-untyped-def]
    """The point nearest to (x, y) within the ellipse with half axes rx, ry (and in that metric), or −1."""
    best = 1.0
    found = -1
    ax, ay = 1.0 / rx, 1.0 / ry
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            x_part, y_part = xs[start:stop], ys[start:stop]
            close = 0
            # without branches: vectorised; blocks that hold the point are looked at again
            for k in range(stop - start):
                u = (x_part[k] - x) * ax
                v = (y_part[k] - y) * ay
                close += 1 if u * u + v * v < best else 0
            if close:
                for k in range(stop - start):
                    u = (x_part[k] - x) * ax
                    v = (y_part[k] - y) * ay
                    d = u * u + v * v
                    if d < best:
                        best = d
                        found = start + k
    return found


@numba.njit(
    "int64(float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64, float64, float64, float64, float64[::1])",
    **_COMPILE,
)
def nearest_sized(xs, ys, codes, spans, x, y, ax, ay, reach):  # type: ignore[no-untyped-def]
    """The point whose symbol is hit best at (x, y): least distance in units of its own reach, below 1; or −1.

    ax, ay : pixels per unit of x and y. reach : (16,) float64, pixels by size class.
    """
    best = 1.0
    found = -1
    for s in range(spans.shape[0]):
        for i in range(spans[s, 0], spans[s, 1]):
            r = reach[np.int64((codes[i] >> np.uint32(21)) & np.uint32(15))]
            u = (xs[i] - x) * ax / r
            v = (ys[i] - y) * ay / r
            d = u * u + v * v
            if d < best:
                best = d
                found = i
    return found


@numba.njit(
    "void(float64[::1], float64[::1], int64[:, ::1], float64[:, ::1], float64[::1], int64[::1], int64[::1],"
    " boolean[::1])",
    **_COMPILE,
)
def inside_polygon(xs, ys, spans, polygon, frame, slab_starts, slab_edges, mask):  # type: ignore[no-untyped-def]
    """Even-odd rule for many points; edges are looked up by horizontal slab.

    spans : (m, 2) int64
        Ranges of points that may be inside.
    polygon : (m, 2) float64, closed implicitly
    frame : (5,) float64
        Bounding box ``x0, x1, y0, y1`` and the number of slabs per unit of y.
    slab_starts, slab_edges : int64
        Edges (by their first corner) that touch slab k: ``slab_edges[slab_starts[k]:slab_starts[k + 1]]``.
    mask : (n,) bool, raised where a point is inside
    """
    m = polygon.shape[0]
    x0, x1, y0, y1, per_unit = frame[0], frame[1], frame[2], frame[3], frame[4]
    slabs = slab_starts.shape[0] - 1
    for s in range(spans.shape[0]):
        first, last = spans[s, 0], spans[s, 1]
        for i in range(first, last):
            x = xs[i]
            y = ys[i]
            if x >= x0 and x <= x1 and y >= y0 and y <= y1:
                inside = False
                slab = min(np.int64((y - y0) * per_unit), slabs - 1)
                for e in range(slab_starts[slab], slab_starts[slab + 1]):
                    a = slab_edges[e]
                    b = a + 1 if a + 1 < m else 0
                    ya = polygon[a, 1]
                    yb = polygon[b, 1]
                    if (ya > y) != (yb > y):
                        xa = polygon[a, 0]
                        if x < xa + (y - ya) * (polygon[b, 0] - xa) / (yb - ya):
                            inside = not inside
                mask[i] = inside
