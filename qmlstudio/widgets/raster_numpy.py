"""The loops of :mod:`qmlstudio.widgets.raster_loops` in NumPy: for the first frames, until those are loaded.

Arguments and results are theirs. Points that do not overlap give the same pixels; where stamps overlap, blending keeps
the last one of each pixel only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
Lanes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

MISSING, DIMMED, INDEX, STAMP_SHIFT, PHASES = 1 << 16, 1 << 17, 0xFFFF, 18, 4
_COUNT_SHIFT = np.uint64(40)
_SUM = np.uint64((1 << 40) - 1)
_LANES = np.uint64(0x00FF00FF00FF00FF)


def spread(words: Words) -> Lanes:
    """ARGB words with one channel in each 16-bit lane."""
    w = words.astype(np.uint64)
    return (w | (w << np.uint64(24))) & _LANES


def pack(lanes: Lanes) -> Words:
    """Inverse of :func:`spread`."""
    return ((lanes | (lanes >> np.uint64(24))) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _chosen(spans: Ints) -> Ints:
    return np.concatenate([np.arange(a, b) for a, b in spans]) if len(spans) else np.zeros(0, np.int64)


def draw_stamps(
    image: Words,
    xs: Floats,
    ys: Floats,
    codes: Words,
    spans: Ints,
    transform: Floats,
    fills: Lanes,
    edges: Lanes,
    stamps: NDArray[np.uint32],
    extent: Ints,
    layer: int,
) -> int:
    """Blend the stamps of one layer's points into `image`; returns how many of them have their centre in it."""
    height, width = image.shape
    chosen, t = _chosen(spans), transform
    code = codes[chosen]
    dimmed, missing = (code & DIMMED) > 0, (code & MISSING) > 0
    of_layer = dimmed if layer == 0 else (~dimmed & missing if layer == 1 else ~dimmed & ~missing)
    x, y = t[0] * xs[chosen] + t[1], t[2] * ys[chosen] + t[3]
    r = (stamps.shape[-1] - 1) // 2
    near = of_layer & (x >= -r) & (x < width + r) & (y >= -r) & (y < height + r)
    x, y, code, dimmed, missing = x[near], y[near], code[near], dimmed[near], missing[near]
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    px, py = ((x - left) * PHASES).astype(np.int64), ((y - top) * PHASES).astype(np.int64)
    variant = (code >> STAMP_SHIFT).astype(np.int64) + len(stamps) // 2 * missing
    index = np.where(missing, fills.shape[1] - 1, code & INDEX).astype(np.int64)
    fill, edge = fills[dimmed.astype(np.int64), index], edges[dimmed.astype(np.int64), index]
    flat = image.reshape(-1)
    for v in range(-r, r + 1):
        for u in range(-r, r + 1):
            cover = stamps[variant, py, px, r + v, r + u].astype(np.uint64)
            row, column = top + v, left + u
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            hit = np.flatnonzero(inside & (cover > 0))
            a, b, at = cover[hit] & np.uint64(0xFFFF), cover[hit] >> np.uint64(16), row[hit] * width + column[hit]
            new = fill[hit] * a + edge[hit] * b + spread(flat[at]) * (np.uint64(256) - a - b)
            flat[at] = pack((new >> np.uint64(8)) & _LANES)
    return int(np.count_nonzero((left >= 0) & (left < width) & (top >= 0) & (top < height)))


def _pixels(
    shape: tuple[int, ...], xs: Floats, ys: Floats, codes: Words, spans: Ints, t: Floats
) -> tuple[Ints, Words, Ints]:
    """Flat pixel, code and place of the points whose centre is in the picture."""
    height, width = shape[-2:]
    chosen = _chosen(spans)
    x, y = t[0] * xs[chosen] + t[1], t[2] * ys[chosen] + t[3]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    chosen = chosen[inside]
    return y[inside].astype(np.int64) * width + x[inside].astype(np.int64), codes[chosen], chosen


def accumulate_mean(cells: Lanes, xs: Floats, ys: Floats, codes: Words, spans: Ints, transform: Floats) -> int:
    """Add points to pixels (count and sum of colour indices); returns how many fell into the image."""
    pixel, code, _ = _pixels(cells.shape, xs, ys, codes, spans, transform)
    plane = np.where(code & DIMMED, 0, np.where(code & MISSING, 1, 2))
    for p in range(3):
        here, flat = plane == p, cells[p].reshape(-1)
        counts = np.bincount(pixel[here], minlength=flat.size).astype(np.uint64)
        sums = np.bincount(pixel[here], weights=code[here] & INDEX, minlength=flat.size).astype(np.uint64)
        flat += (counts << _COUNT_SHIFT) + sums
    return len(pixel)


def largest_count(cells: Lanes) -> int:
    """Most points in one pixel, all planes together."""
    return int((cells >> _COUNT_SHIFT).sum(axis=0).max(initial=0))


def shade_mean(image: Words, cells: Lanes, words: Words, density: float) -> None:
    """Colour each pixel by the mean index of its topmost plane, or by log density."""
    colors = words.shape[1] - 1
    counts = (cells >> _COUNT_SHIFT).astype(np.int64)
    image[:] = 0
    if density > 0.0:
        for row, n in ((1, counts[0]), (0, counts[1] + counts[2])):
            some = n > 0
            index = np.log(1.0 + n[some]) * density * (colors - 1) + 0.5
            image[some] = words[row, np.minimum(index.astype(np.int64), colors - 1)]
        return
    for plane, row in ((0, 1), (1, 0), (2, 0)):
        some = counts[plane] > 0
        index = (cells[plane][some] & _SUM).astype(np.int64) // counts[plane][some]
        image[some] = words[row, colors] if plane == 1 else words[row, index]


def accumulate_sample(cells: Words, xs: Floats, ys: Floats, codes: Words, spans: Ints, transform: Floats) -> int:
    """Let one point of each pixel stand for it; returns how many fell into the image."""
    pixel, code, place = _pixels(cells.shape, xs, ys, codes, spans, transform)
    layer = np.where(code & DIMMED, 1, np.where(code & MISSING, 2, 3)).astype(np.uint64)
    mixed = (place.astype(np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    key = (layer << np.uint64(30)) | ((mixed >> np.uint64(18)) << np.uint64(16)) | (code & INDEX).astype(np.uint64)
    np.maximum.at(cells.reshape(-1), pixel, key.astype(np.uint32))
    return len(pixel)


def shade_sample(image: Words, cells: Words, words: Words) -> None:
    """Colour each pixel by its representative."""
    layer = cells >> 30
    index = np.where(layer == 2, words.shape[1] - 1, cells & INDEX).astype(np.int64)
    image[:] = np.where(cells > 0, words[(layer == 1).astype(np.int64), np.where(cells > 0, index, 0)], 0)


def spread_pixels(source: Words, image: Words) -> None:
    """Copy `source` to `image`; an empty pixel takes the colour of its upper, lower, left or right neighbour."""
    image[:] = source
    whole, head, tail = slice(None), slice(None, -1), slice(1, None)
    for target, origin in (
        ((tail, whole), (head, whole)),
        ((head, whole), (tail, whole)),
        ((whole, tail), (whole, head)),
        ((whole, head), (whole, tail)),
    ):
        empty = image[target] == 0
        image[target][empty] = source[origin][empty]


def nearest(xs: Floats, ys: Floats, spans: Ints, x: float, y: float, rx: float, ry: float) -> int:
    """The point nearest to (x, y) within the ellipse with half axes rx, ry (and in that metric), or −1."""
    chosen = _chosen(spans)
    with np.errstate(invalid="ignore"):
        d = ((xs[chosen] - x) / rx) ** 2 + ((ys[chosen] - y) / ry) ** 2
    d[np.isnan(d)] = np.inf
    if not len(d) or d.min() >= 1.0:
        return -1
    return int(chosen[np.argmin(d)])


def inside_polygon(
    xs: Floats,
    ys: Floats,
    spans: Ints,
    polygon: Floats,
    frame: Floats,
    slab_starts: Ints,
    slab_edges: Ints,
    mask: Bools,
) -> None:
    """Even-odd rule for many points, edge by edge."""
    chosen = _chosen(spans)
    x, y = xs[chosen], ys[chosen]
    near = (x >= frame[0]) & (x <= frame[1]) & (y >= frame[2]) & (y <= frame[3])
    chosen, x, y = chosen[near], x[near], y[near]
    inside = np.zeros(len(chosen), np.bool_)
    for (xa, ya), (xb, yb) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ya > y) != (yb > y)
        inside[crosses] ^= x[crosses] < xa + (y[crosses] - ya) * (xb - xa) / (yb - ya)
    mask[chosen] = inside
