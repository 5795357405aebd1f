"""Compiled loops that gather points in pixels and bins and turn what they found into colours.

Import only through :func:`qmlstudio.widgets.raster.warm_up`; rules and codes are those of :mod:`raster_loops`.

A *grid* (4,) maps data to bin coordinates, ``g0 x + g1, g2 y + g3``: column and row are their whole parts. Hexagons:
one unit of y holds two rows; their centres are at (i + 1/2, m + 1/4) for row 2m and (i + 1, m + 3/4) for row 2m + 1,
and a point belongs to the nearest centre where a unit of y is √3 units of x. A *window* (5,) is the first and last + 1
column, first and last + 1 row of the bins that may be changed, and 1 for hexagons.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

MISSING = np.uint32(1 << 16)
DIMMED = np.uint32(1 << 17)
INDEX = np.uint32(0xFFFF)
COUNT_SHIFT = np.uint64(40)
"""A cell of the index mean: count in the upper 24 bits, sum of colour indices in the lower 40 (2^24 points × 2^16)."""

BLOCK = 1024
"""Points whose bins are found together."""

TABLE = 1024
"""Counts whose colour is looked up."""

_LANES = np.uint64(0x00FF00FF00FF00FF)
_COMPILE: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False, "error_model": "numpy"}


@numba.njit("int64(float64, float64, int64[::1])", inline="always", **_COMPILE)
def _hexagon(x, y, window):  # type: ignore[no-untyped-def]
    """Row and column as ``row << 32 | column`` of the hexagon at (x, y), −1 outside the window."""
    if not (x > -1e6 and x < 1e6 and y > -1e6 and y < 1e6):
        return np.int64(-1)
    i, m = np.floor(x), np.floor(y + 0.25)
    column, row = np.int64(i), 2 * np.int64(m)
    j, k = np.floor(x - 0.5), np.floor(y - 0.25)
    du, dv = x - i - 0.5, y - m - 0.25
    eu, ev = x - j - 1.0, y - k - 0.75
    if eu * eu + 3.0 * ev * ev < du * du + 3.0 * dv * dv:
        column, row = np.int64(j), 2 * np.int64(k) + 1
    if column >= window[0] and column < window[1] and row >= window[2] and row < window[3]:
        return (row << 32) | column
    return np.int64(-1)


@numba.njit(
    "void(int32[::1], float64[::1], float64[::1], int64, int64, float64[::1], int64[::1], int64)",
    inline="always",
    **_COMPILE,
)
def _locate(cells, xs, ys, start, stop, grid, window, columns):  # type: ignore[no-untyped-def]
    """Flat bin of points start … stop, −1 outside: for squares without branches, so that it is vectorised."""
    g0, g1, g2, g3 = grid[0], grid[1], grid[2], grid[3]
    x_part, y_part = xs[start:stop], ys[start:stop]
    stride = np.int32(columns)
    if window[4]:
        for k in range(stop - start):
            at = _hexagon(g0 * x_part[k] + g1, g2 * y_part[k] + g3, window)
            cells[k] = np.int32(-1) if at < 0 else np.int32((at >> 32) * columns + (at & 0xFFFFFFFF))
        return
    i0, i1 = np.float64(window[0]), np.float64(window[1])
    j0, j1 = np.float64(window[2]), np.float64(window[3])
    for k in range(stop - start):
        x = g0 * x_part[k] + g1
        y = g2 * y_part[k] + g3
        inside = (x >= i0) & (x < i1) & (y >= j0) & (y < j1)
        at32 = np.int32(y) * stride + np.int32(x)
        cells[k] = at32 if inside else np.int32(-1)


@numba.njit(
    "int64(uint32[:, :, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1], int64[::1], int64)",
    **_COMPILE,
)
def add_counts(cells, xs, ys, codes, spans, grid, window, layered):  # type: ignore[no-untyped-def]
    """Count points by bin. cells : (2, rows, columns) uint32: dimmed, others. Without `layered` all are others."""
    columns = cells.shape[2]
    size = np.uint64(cells.shape[1] * columns)
    flat = cells.reshape(-1)
    found = np.empty(BLOCK, np.int32)
    one = np.uint32(1)
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(found, xs, ys, start, stop, grid, window, columns)
            if layered:
                part = codes[start:stop]
                for k in range(stop - start):
                    if found[k] >= 0:
                        flat[np.uint64(found[k]) + (np.uint64(0) if part[k] & DIMMED else size)] += one
            else:
                for k in range(stop - start):
                    if found[k] >= 0:
                        flat[np.uint64(found[k]) + size] += one
    return 0


@numba.njit(
    "int64(uint64[:, :, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1], int64[::1])",
    **_COMPILE,
)
def add_indices(cells, xs, ys, codes, spans, grid, window):  # type: ignore[no-untyped-def]
    """Count points and sum their colour indices by bin. cells : (3, rows, columns): dimmed, missing, others."""
    columns = cells.shape[2]
    size = np.uint64(cells.shape[1] * columns)
    flat = cells.reshape(-1)
    found = np.empty(BLOCK, np.int32)
    one = np.uint64(1) << COUNT_SHIFT
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(found, xs, ys, start, stop, grid, window, columns)
            part = codes[start:stop]
            for k in range(stop - start):
                if found[k] >= 0:
                    code = part[k]
                    at = np.uint64(found[k])
                    if not code & DIMMED:
                        at += size if code & MISSING else size + size
                    flat[at] += one + np.uint64(code & INDEX)
    return 0


@numba.njit(
    "int64(uint32[:, :, ::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1], float64[::1], int64[::1])",
    **_COMPILE,
)
def add_samples(cells, xs, ys, codes, spans, grid, window):  # type: ignore[no-untyped-def]
    """Let one point of each bin stand for it.

    The topmost layer wins, within it the point with the largest hash of its place: a fair sample of the bin's points
    that does not change while the map is moved. cells : (1, rows, columns): layer (1 dimmed, 2 missing, 3 others) in
    bits 30–31, hash in 16–29, colour index in 0–15.
    """
    columns = cells.shape[2]
    flat = cells.reshape(-1)
    found = np.empty(BLOCK, np.int32)
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(found, xs, ys, start, stop, grid, window, columns)
            part = codes[start:stop]
            for k in range(stop - start):
                if found[k] >= 0:
                    code = part[k]
                    layer = np.uint64(1) if code & DIMMED else (np.uint64(2) if code & MISSING else np.uint64(3))
                    mixed = (np.uint64(start + k) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
                    key = np.uint32(
                        (layer << np.uint64(30)) | ((mixed >> np.uint64(18)) << np.uint64(16)) | np.uint64(code & INDEX)
                    )
                    at = np.uint64(found[k])
                    flat[at] = max(flat[at], key)
    return 0


@numba.njit(
    "int64(float64[:, :, :, ::1], uint32[:, :, ::1], float64[::1], float64[::1], uint32[::1], float64[::1],"
    " int64[:, ::1], float64[::1], int64[::1], int64, float64)",
    **_COMPILE,
)
def add_values(cells, missing, xs, ys, codes, values, spans, grid, window, kind, shift):  # type: ignore[no-untyped-def]
    """Gather the values of each bin.

    cells : (2, rows, columns, K) float64, dimmed and others
        Count; then sum of ``v − shift`` (kind 0), least (1) or largest value (2), sum and sum of squares (3).
    missing : (2, rows, columns) uint32
        Points without a value, dimmed and others.
    """
    columns = cells.shape[2]
    width = np.uint64(cells.shape[3])
    size = np.uint64(cells.shape[1] * columns)
    flat, holes = cells.reshape(-1), missing.reshape(-1)
    found = np.empty(BLOCK, np.int32)
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(found, xs, ys, start, stop, grid, window, columns)
            part, own = codes[start:stop], values[start:stop]
            for k in range(stop - start):
                if found[k] >= 0:
                    code, v = part[k], own[k]
                    at = np.uint64(found[k]) + (np.uint64(0) if code & DIMMED else size)
                    if code & MISSING or v != v:
                        holes[at] += np.uint32(1)
                        continue
                    at *= width
                    if kind == 1:
                        if flat[at] == 0.0 or v < flat[at + np.uint64(1)]:
                            flat[at + np.uint64(1)] = v
                    elif kind == 2:
                        if flat[at] == 0.0 or v > flat[at + np.uint64(1)]:
                            flat[at + np.uint64(1)] = v
                    else:
                        v -= shift
                        flat[at + np.uint64(1)] += v
                        if kind == 3:
                            flat[at + np.uint64(2)] += v * v
                    flat[at] += 1.0
    return 0


@numba.njit("void(float64[:, ::1], float64[:, :, ::1], uint32[:, ::1], int64, float64)", **_COMPILE)
def statistics(result, cells, missing, kind, shift):  # type: ignore[no-untyped-def]
    """What :func:`add_values` found in one plane as numbers (see there for `kind`): NaN where there is no point.

    Where there are points and still no number (the mean of ∞ and −∞, the deviation of one) `missing` is raised.
    """
    for v in range(result.shape[0]):
        for u in range(result.shape[1]):
            n = cells[v, u, 0]
            value = np.nan
            if n > 0.0:
                value = cells[v, u, 1]
                if kind == 0:
                    value = value / n + shift
                elif kind == 3:
                    mean = value / n
                    square = cells[v, u, 2] / n - mean * mean
                    # max() would hide a NaN; a single value has no spread
                    value = np.sqrt(square) if square > 0.0 else (0.0 if square <= 0.0 else np.nan)
                    value = value if n > 1.0 else np.nan
                if value != value:
                    missing[v, u] += np.uint32(1)
            result[v, u] = value


@numba.njit(
    "void(uint32[:, ::1], float64[:, ::1], float64[:, ::1], uint32[:, :, ::1], uint32[:, ::1], float64[::1], int64)",
    **_COMPILE,
)
def shade_values(image, front, back, missing, words, ends, scale):  # type: ignore[no-untyped-def]
    """Colour each bin by its value: undimmed points first, then those without a value, then dimmed ones.

    words : (2, k + 1) uint32, premultiplied ARGB of normal and dimmed points, the last column the missing value's.
    ends : (3,) float64
        Values of the first and the last colour, on the scale, and where symlog turns linear.
    scale : 0 linear, 1 log, 2 symlog.
    """
    colors = words.shape[1] - 1
    low, high, turn = ends[0], ends[1], ends[2]
    factor = colors / (high - low) if high > low else 0.0
    for v in range(image.shape[0]):
        for u in range(image.shape[1]):
            value, row = front[v, u], 0
            if value != value and missing[1, v, u] == 0:
                value, row = back[v, u], 1
            if value != value:
                none = missing[1, v, u] == 0 and missing[0, v, u] == 0
                image[v, u] = np.uint32(0) if none else words[row, colors]
                continue
            if scale == 1:
                value = np.log10(value) if value > 0.0 else np.nan
            elif scale == 2:
                size = np.log10(1.0 + abs(value) / turn)
                value = size if value > 0.0 else -size
            if value != value:
                image[v, u] = words[row, colors]
                continue
            at = (value - low) * factor if factor > 0.0 else 0.5 * colors
            image[v, u] = words[row, np.int64(min(max(at, 0.0), colors - 1.0))]


@numba.njit("void(uint32[:, ::1], uint32[:, :, ::1], uint32[:, ::1], float64[::1], int64)", **_COMPILE)
def shade_counts(image, cells, words, factors, is_log):  # type: ignore[no-untyped-def]
    """Colour each bin by its count n: index ``factor · n`` or ``factor · log(1 + n)``, rounded.

    factors : (2,) float64, of dimmed points and of others.
    """
    last = words.shape[1] - 2
    table = np.empty((2, TABLE), np.int32)
    for row in range(2):
        for n in range(TABLE):
            size = np.log(1.0 + n) if is_log else float(n)
            table[row, n] = min(np.int64(factors[1 - row] * size + 0.5), last)
    for v in range(image.shape[0]):
        for u in range(image.shape[1]):
            n, row = cells[1, v, u], 0
            if n == 0:
                n, row = cells[0, v, u], 1
            if n == 0:
                image[v, u] = np.uint32(0)
            elif n < TABLE:
                image[v, u] = words[row, table[row, n]]
            else:
                size = np.log(1.0 + n) if is_log else float(n)
                image[v, u] = words[row, min(np.int64(factors[1 - row] * size + 0.5), last)]


@numba.njit("void(uint32[:, ::1], uint64[:, :, ::1], uint32[:, ::1])", **_COMPILE)
def shade_indices(image, cells, words):  # type: ignore[no-untyped-def]
    """Colour each bin by the mean index of its topmost layer (`words` as in :func:`shade_values`)."""
    colors = words.shape[1] - 1
    low = (np.uint64(1) << COUNT_SHIFT) - np.uint64(1)
    for v in range(image.shape[0]):
        for u in range(image.shape[1]):
            word = np.uint32(0)
            cell = cells[2, v, u]
            if cell:
                word = words[0, np.int64((cell & low) // (cell >> COUNT_SHIFT))]
            elif cells[1, v, u]:
                word = words[0, colors]
            elif cells[0, v, u]:
                cell = cells[0, v, u]
                word = words[1, np.int64((cell & low) // (cell >> COUNT_SHIFT))]
            image[v, u] = word


@numba.njit("void(uint32[:, ::1], uint32[:, :, ::1], uint32[:, ::1])", **_COMPILE)
def shade_samples(image, cells, words):  # type: ignore[no-untyped-def]
    """Colour each bin by its representative (`words` as in :func:`shade_values`)."""
    last = words.shape[1] - 1
    for v in range(image.shape[0]):
        for u in range(image.shape[1]):
            key = cells[0, v, u]
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


@numba.njit("void(uint32[:, ::1], uint32[:, ::1], float64[::1], int64[::1])", **_COMPILE)
def paint_bins(image, colors, place, window):  # type: ignore[no-untyped-def]
    """Enlarge bins to pixels. place : (4,) float64, a pixel's bin coordinates ``p0 u + p1, p2 v + p3``."""
    height, width = image.shape
    columns = np.empty(width, np.int64)
    for u in range(width):
        columns[u] = min(max(np.int64(place[0] * (u + 0.5) + place[1]), 0), colors.shape[1] - 1)
    for v in range(height):
        y = place[2] * (v + 0.5) + place[3]
        if window[4]:
            for u in range(width):
                at = _hexagon(place[0] * (u + 0.5) + place[1], y, window)
                image[v, u] = np.uint32(0) if at < 0 else colors[at >> 32, at & 0xFFFFFFFF]
        else:
            row = min(max(np.int64(y), 0), colors.shape[0] - 1)
            for u in range(width):
                image[v, u] = colors[row, columns[u]]


@numba.njit("uint64(uint32)", inline="always", **_COMPILE)
def _lanes(word):  # type: ignore[no-untyped-def]
    w = np.uint64(word)
    return (w | (w << np.uint64(24))) & _LANES


@numba.njit("float64(float64[:, ::1], float64, float64)", inline="always", **_COMPILE)
def _between(field, x, y):  # type: ignore[no-untyped-def]
    """Bilinear interpolation in a field given at the middles of bins; (x, y) in bin coordinates."""
    x, y = x - 0.5, y - 0.5
    i = min(max(np.int64(x), 0), field.shape[1] - 2)
    j = min(max(np.int64(y), 0), field.shape[0] - 2)
    a, b = x - i, y - j
    upper = field[j, i] + (field[j, i + 1] - field[j, i]) * a
    lower = field[j + 1, i] + (field[j + 1, i + 1] - field[j + 1, i]) * a
    return upper + (lower - upper) * b


@numba.njit("void(uint32[:, ::1], float64[:, ::1], float64[::1], uint32[::1], float64[::1], uint32, int64)", **_COMPILE)
def paint_field(image, field, place, words, levels, ink, bands):  # type: ignore[no-untyped-def]
    """Colour the pixels where a field (log2 of density) is at least levels[0]; others stay as they are.

    place : (4,) float64
        As in :func:`paint_bins`.
    words : (k,) uint32
        Colours from levels[0] to levels[1].
    levels : (3,) float64
        Least level, largest level, step from contour to contour.
    ink : uint32
        Colour of the contour lines (anti-aliased, 1 pixel).
    bands : int64
        0: the colour follows the field, without lines. 1: one colour from contour to contour, with lines.
    """
    height, width = image.shape
    least, most, step = levels[0], levels[1], levels[2]
    top = np.int64(words.shape[0] - 1)
    scale = top / max(most - least, 1e-9)
    pen = _lanes(ink)
    upper, slope = np.empty(field.shape[1]), np.empty(field.shape[1])
    for v in range(height):
        y = place[2] * (v + 0.5) + place[3] - 0.5
        j = min(max(np.int64(y), 0), field.shape[0] - 2)
        b = y - j
        for i in range(field.shape[1]):
            slope[i] = field[j + 1, i] - field[j, i]
            upper[i] = field[j, i] + slope[i] * b
        for u in range(width):
            x = place[0] * (u + 0.5) + place[1] - 0.5
            i = min(max(np.int64(x), 0), field.shape[1] - 2)
            a = x - i
            rise = upper[i + 1] - upper[i]
            f = upper[i] + rise * a
            if not bands:
                if f >= least:
                    image[v, u] = words[min(np.int64((f - least) * scale + 0.5), top)]
                continue
            k = np.floor((f - least) / step)
            if k >= 0.0:
                image[v, u] = words[min(np.int64((k + 0.5) * step * scale), top)]
            # distance in pixels to the nearest contour, by the field's slope
            nearest = max(np.floor((f - least) / step + 0.5), 0.0) * step + least
            du = rise * place[0]
            dv = (slope[i] + (slope[i + 1] - slope[i]) * a) * place[2]
            off = abs(f - nearest)
            steep = np.sqrt(du * du + dv * dv)
            cover = 1.0 - off / steep if steep > 0.0 else 0.0
            if cover > 0.0:
                part = np.uint64(256.0 * cover)
                old = _lanes(image[v, u])
                both = ((pen * part + old * (np.uint64(256) - part)) >> np.uint64(8)) & _LANES
                image[v, u] = np.uint32((both | (both >> np.uint64(24))) & np.uint64(0xFFFFFFFF))


@numba.njit(
    "int64(float64[::1], float64[::1], uint32[::1], float64[::1], float64[::1], uint32[::1], int64[:, ::1],"
    " float64[::1], float64[:, ::1], float64[:, ::1], boolean[:, ::1], float64)",
    **_COMPILE,
)
def find_sparse(out_xs, out_ys, out_codes, xs, ys, codes, spans, grid, front, back, covered, least):  # type: ignore[no-untyped-def]
    """Copy the points that lie where neither they nor what covers them is dense; returns how many.

    A dimmed point is left out where either field is at least `least`, another one where `front` is, which is known to
    be so in all of the bins that are `covered`.
    """
    g0, g1, g2, g3 = grid[0], grid[1], grid[2], grid[3]
    rows, columns = front.shape
    window = np.array([0, columns, 0, rows, 0])
    hidden = covered.reshape(-1)
    found = np.empty(BLOCK, np.int32)
    count = 0
    for s in range(spans.shape[0]):
        for start in range(spans[s, 0], spans[s, 1], BLOCK):
            stop = min(start + BLOCK, spans[s, 1])
            _locate(found, xs, ys, start, stop, grid, window, columns)
            for k in range(stop - start):
                if found[k] < 0 or hidden[np.uint64(found[k])]:
                    continue
                i = start + k
                x = g0 * xs[i] + g1
                y = g2 * ys[i] + g3
                if _between(front, x, y) >= least or (codes[i] & DIMMED and _between(back, x, y) >= least):
                    continue
                if count == out_xs.shape[0]:
                    return count
                out_xs[count] = xs[i]
                out_ys[count] = ys[i]
                out_codes[count] = codes[i]
                count += 1
    return count
