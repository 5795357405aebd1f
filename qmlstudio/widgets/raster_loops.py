"""Compiled loops of the map's raster. Import only through :func:`qmlstudio.widgets.raster.warm_up`.

Every loop is serial, releases the GIL, is cached on disk and has an explicit signature: it is compiled when the module
is imported, in the warm-up job, and can never be compiled by surprise in the window's thread.

A *code* (uint32) says how a point looks: bits 0–15 the index into the colour table, bit 16 missing value, bit 17
dimmed, bits 18–23 the stamp. A colour of the image is a premultiplied ARGB word; a colour of a table is the same word
spread over four 16-bit lanes, so that one multiplication blends all channels.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

MISSING = np.uint32(1 << 16)
DIMMED = np.uint32(1 << 17)
INDEX = np.uint32(0xFFFF)
STAMP_SHIFT = np.uint32(18)
STAMP_MASK = np.uint32(0x3F)

PHASES = 4
"""Stamps exist for 4 × 4 positions within a pixel: points are placed to 1/8 of a pixel."""

COUNT_SHIFT = np.uint64(40)
"""A cell of the mean raster: count in the upper 24 bits, sum of colour indices in the lower 40 (2^24 points × 2^16)."""

BLOCK = 1024
"""Points whose pixels are found together."""

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
    " uint64[:, ::1], uint32[:, :, :, :, ::1], int64[:, :, :, ::1], int64)",
    **_COMPILE,
)
def draw_stamps(image, xs, ys, codes, spans, transform, fills, edges, stamps, extent, layer):  # type: ignore[no-untyped-def]
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
    stamps : (variants, 4, 4, size, size) uint32
        Coverage (0 … 256) of fill in the lower and of edge in the upper 16 bits, by stamp, phase in y, phase in x. The
        first half of the variants is solid, the second half hollow.
    extent : (variants, 2, 4, 2) int64
        First and last column (axis 0) and row (axis 1) that a stamp touches, by phase, from the point's pixel.
    layer : int
        0 dimmed, 1 missing values, 2 all others.
    """
    # everything that stays the same is a local: the compiler cannot know that the picture is not one of the tables
    height, width = image.shape
    t0, t1, t2, t3 = transform[0], transform[1], transform[2], transform[3]
    hollow = stamps.shape[0] // 2
    size = stamps.shape[3]
    middle = (size - 1) // 2
    last = fills.shape[1] - 1
    count = 0
    pixels = image.reshape(-1)
    cover = stamps.reshape(-1)
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
            x = t0 * xs[i] + t1
            y = t2 * ys[i] + t3
            variant = np.int64((code >> STAMP_SHIFT) & STAMP_MASK) + hollow * missing
            # written so that NaN fails
            if not (x >= -middle and x < width + middle and y >= -middle and y < height + middle):
                continue
            left = np.int64(np.floor(x))
            top = np.int64(np.floor(y))
            px = np.int64((x - left) * PHASES)
            py = np.int64((y - top) * PHASES)
            if left >= 0 and left < width and top >= 0 and top < height:
                count += 1
            index = last if missing else np.int64(code & INDEX)
            fill = fills[dimmed, index]
            edge = edges[dimmed, index]
            solid = _pack(fill)
            u0, u1 = max(extent[variant, 0, px, 0], -left), min(extent[variant, 0, px, 1] + 1, width - left)
            v0, v1 = max(extent[variant, 1, py, 0], -top), min(extent[variant, 1, py, 1] + 1, height - top)
            stamp = ((variant * PHASES + py) * PHASES + px) * size * size
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
    "void(int32[::1], float64[::1], float64[::1], int64, int64, float64[::1], int64, int64)",
    inline="always",
    **_COMPILE,
)
def _locate(pixels, xs, ys, start, stop, transform, width, height):  # type: ignore[no-untyped-def]
    """Flat pixel of points start … stop, −1 outside: without branches, so that it is vectorised (1.2 ns a point)."""
    t0, t1, t2, t3 = transform[0], transform[1], transform[2], transform[3]
    w, h = np.float64(width), np.float64(height)
    stride = np.int32(width)
    x_part, y_part = xs[start:stop], ys[start:stop]
    for k in range(stop - start):
        x = t0 * x_part[k] + t1
        y = t2 * y_part[k] + t3
        inside = (x >= 0.0) & (x < w) & (y >= 0.0) & (y < h)
        at = np.int32(y) * stride + np.int32(x)
        pixels[k] = at if inside else np.int32(-1)


@numba.njit(
    "int64(uint64[:, :, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1])",
    **_COMPILE,
)
def accumulate_mean(cells, xs, ys, codes, spans, transform):  # type: ignore[no-untyped-def]
    """Add points to pixels (count and sum of colour indices); returns how many fell into the image.

    cells : (3, H, W) uint64, zeroed by the caller: dimmed, missing, others.
    """
    height, width = cells.shape[1], cells.shape[2]
    size = np.uint64(height * width)
    flat = cells.reshape(-1)
    pixels = np.empty(BLOCK, np.int32)
    count = 0
    one = np.uint64(1) << COUNT_SHIFT
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(pixels, xs, ys, start, stop, transform, width, height)
            part = codes[start:stop]
            for k in range(stop - start):
                if pixels[k] >= 0:
                    code = part[k]
                    at = np.uint64(pixels[k])
                    if not code & DIMMED:
                        at += size if code & MISSING else size + size
                    flat[at] += one + np.uint64(code & INDEX)
                    count += 1
    return count


@numba.njit("int64(uint64[:, :, ::1])", **_COMPILE)
def largest_count(cells):  # type: ignore[no-untyped-def]
    """Most points in one pixel, all planes together."""
    best = np.uint64(0)
    for v in range(cells.shape[1]):
        for u in range(cells.shape[2]):
            total = (cells[0, v, u] >> COUNT_SHIFT) + (cells[1, v, u] >> COUNT_SHIFT) + (cells[2, v, u] >> COUNT_SHIFT)
            best = max(best, total)
    return np.int64(best)


@numba.njit("void(uint32[:, ::1], uint64[:, :, ::1], uint32[:, ::1], float64)", **_COMPILE)
def shade_mean(image, cells, words, density):  # type: ignore[no-untyped-def]
    """Colour each pixel by the mean index of its topmost plane, or by log density.

    words : (2, k + 1) uint32, premultiplied ARGB of normal and dimmed points, the last column the missing value's.
    density : float
        0 for the mean. Otherwise 1 / log(1 + largest count): the index grows with the logarithm of the pixel's count.
    """
    height, width = image.shape
    colors = words.shape[1] - 1
    low = (np.uint64(1) << COUNT_SHIFT) - np.uint64(1)
    for v in range(height):
        for u in range(width):
            word = np.uint32(0)
            if density > 0.0:
                front = (cells[1, v, u] >> COUNT_SHIFT) + (cells[2, v, u] >> COUNT_SHIFT)
                back = cells[0, v, u] >> COUNT_SHIFT
                row = 0 if front else 1
                n = front if front else back
                if n:
                    index = np.int64(np.log(1.0 + np.float64(n)) * density * (colors - 1) + 0.5)
                    word = words[row, min(index, colors - 1)]
            else:
                cell = cells[2, v, u]
                if cell:
                    word = words[0, np.int64((cell & low) // (cell >> COUNT_SHIFT))]
                elif cells[1, v, u]:
                    word = words[0, colors]
                elif cells[0, v, u]:
                    cell = cells[0, v, u]
                    word = words[1, np.int64((cell & low) // (cell >> COUNT_SHIFT))]
            image[v, u] = word


@numba.njit(
    "int64(uint32[:, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1])",
    **_COMPILE,
)
def accumulate_sample(cells, xs, ys, codes, spans, transform):  # type: ignore[no-untyped-def]
    """Let one point of each pixel stand for it; returns how many fell into the image.

    The topmost layer wins, within it the point with the largest hash of its number: a fair sample of the pixel's points
    that does not change while the map is moved. cells : (H, W) uint32, zeroed: layer (1 dimmed, 2 missing, 3 others) in
    bits 30–31, hash in 16–29, colour index in 0–15.
    """
    height, width = cells.shape
    flat = cells.reshape(-1)
    pixels = np.empty(BLOCK, np.int32)
    count = 0
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(pixels, xs, ys, start, stop, transform, width, height)
            part = codes[start:stop]
            for k in range(stop - start):
                if pixels[k] >= 0:
                    code = part[k]
                    layer = np.uint64(1) if code & DIMMED else (np.uint64(2) if code & MISSING else np.uint64(3))
                    mixed = (np.uint64(start + k) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
                    key = np.uint32(
                        (layer << np.uint64(30)) | ((mixed >> np.uint64(18)) << np.uint64(16)) | np.uint64(code & INDEX)
                    )
                    at = np.uint64(pixels[k])
                    flat[at] = max(flat[at], key)
                    count += 1
    return count


@numba.njit("void(uint32[:, ::1], uint32[:, ::1], uint32[:, ::1])", **_COMPILE)
def shade_sample(image, cells, words):  # type: ignore[no-untyped-def]
    """Colour each pixel by its representative (`words` as in :func:`shade_mean`)."""
    height, width = image.shape
    last = words.shape[1] - 1
    for v in range(height):
        for u in range(width):
            key = cells[v, u]
            word = np.uint32(0)
            if key:
                layer = key >> np.uint32(30)
                index = last if layer == 2 else np.int64(key & INDEX)
                word = words[1 if layer == 1 else 0, index]
            image[v, u] = word


@numba.njit("void(uint32[:, ::1], uint32[:, ::1])", **_COMPILE)
def spread_pixels(source, image):  # type: ignore[no-untyped-def]
    """Copy `source` to `image`; an empty pixel takes the colour of its left, right, upper or lower neighbour.

    A point alone is a small plus instead of a single pixel, which the eye would miss.
    """
    height, width = source.shape
    for v in range(height):
        up = v - 1 if v > 0 else v
        down = v + 1 if v < height - 1 else v
        for u in range(width):
            word = source[v, u]
            if word == 0:
                word = source[up, u]
                if word == 0:
                    word = source[down, u]
                if word == 0 and u > 0:
                    word = source[v, u - 1]
                if word == 0 and u < width - 1:
                    word = source[v, u + 1]
            image[v, u] = word


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
