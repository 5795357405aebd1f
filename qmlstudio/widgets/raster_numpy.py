"""The loops of :mod:`qmlstudio.widgets.raster_loops` in NumPy: for the first frames, until those are loaded.

Arguments and results are theirs. Points that do not overlap give the same pixels; where stamps overlap, blending keeps
the last one of each pixel only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
Lanes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

MISSING, DIMMED, INDEX, STAMP_SHIFT, PHASES = 1 << 16, 1 << 17, 0xFFFF, 18, 4
SHAPE_BITS, HOLLOW, SLOTS = 3, 1 << 25, 128
FARTHEST = 1e100
_LANES = np.uint64(0x00FF00FF00FF00FF)


def spread(words: Words) -> Lanes:
    """ARGB words with one channel in each 16-bit lane."""
    w = words.astype(np.uint64)
    return (w | (w << np.uint64(24))) & _LANES


def pack(lanes: Lanes) -> Words:
    """Inverse of :func:`spread`."""
    return ((lanes | (lanes >> np.uint64(24))) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def chosen_of(spans: Ints) -> Ints:
    """All places in the spans."""
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
    cover: Words,
    starts: Ints,
    sizes: Ints,
    extent: Ints,
    part: Ints,
) -> int:
    """Blend the stamps of one layer's points into `image`; returns how many of them have their centre in it."""
    width = image.shape[1]
    layer, only, low, high, r = (int(p) for p in part)
    chosen, t = chosen_of(spans), transform
    code = codes[chosen]
    dimmed, missing = (code & DIMMED) > 0, (code & MISSING) > 0
    wanted = dimmed if layer == 0 else (~dimmed & missing if layer == 1 else ~dimmed & ~missing)
    slot = (code >> STAMP_SHIFT).astype(np.int64) & (SLOTS - 1)
    if only >= 0:
        wanted &= (slot >> SHAPE_BITS) == only
    with np.errstate(invalid="ignore", over="ignore"):
        x, y = t[0] * xs[chosen] + t[1], t[2] * ys[chosen] + t[3]
    near = wanted & (x >= -r) & (x < width + r) & (y >= low - r) & (y < high + r)
    x, y, code, dimmed, missing, slot = x[near], y[near], code[near], dimmed[near], missing[near], slot[near]
    slot = slot + SLOTS * ((code & (MISSING | HOLLOW)) > 0)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    px, py = ((x - left) * PHASES).astype(np.int64), ((y - top) * PHASES).astype(np.int64)
    size = sizes[slot]
    middle = (size - 1) // 2
    begin = starts[slot] + (py * PHASES + px) * size * size
    index = np.where(missing, fills.shape[1] - 1, code & INDEX).astype(np.int64)
    fill, edge = fills[dimmed.astype(np.int64), index], edges[dimmed.astype(np.int64), index]
    flat = image.reshape(-1)
    for v in range(-r, r + 1):
        for u in range(-r, r + 1):
            inside = (abs(u) <= middle) & (abs(v) <= middle)
            at = np.where(inside, begin + (middle + v) * size + middle + u, 0)
            row, column = top + v, left + u
            inside &= (row >= low) & (row < high) & (column >= 0) & (column < width)
            both = np.where(inside, cover[at], 0).astype(np.uint64)
            hit = np.flatnonzero(both)
            a, b, place = both[hit] & np.uint64(0xFFFF), both[hit] >> np.uint64(16), row[hit] * width + column[hit]
            new = fill[hit] * a + edge[hit] * b + spread(flat[place]) * (np.uint64(256) - a - b)
            flat[place] = pack((new >> np.uint64(8)) & _LANES)
    return int(np.count_nonzero((left >= 0) & (left < width) & (top >= low) & (top < high)))


def count_inside(xs: Floats, ys: Floats, spans: Ints, t: Floats, u0: float, u1: float, v0: float, v1: float) -> int:
    """How many points have their pixel in [u0, u1) × [v0, v1)."""
    chosen = chosen_of(spans)
    with np.errstate(invalid="ignore", over="ignore"):
        x, y = t[0] * xs[chosen] + t[1], t[2] * ys[chosen] + t[3]
    return int(np.count_nonzero((x >= u0) & (x < u1) & (y >= v0) & (y < v1)))


def split_columns(xs: Floats, ys: Floats, xy: Floats, bounds: Floats, part: Ints) -> None:
    """Copy the columns of rows part[0] … part[1] and widen `bounds` (x0, x1, y0, y1) by those that have a place."""
    rows = xy[part[0] : part[1]]
    placed = (abs(rows) <= FARTHEST).all(axis=1)
    xs[part[0] : part[1]], ys[part[0] : part[1]] = (np.where(placed, rows[:, k], np.nan) for k in (0, 1))
    finite = rows[placed]
    part[2] += len(rows) - len(finite)
    if len(finite):
        for k in (0, 1):
            # column by column: reducing a long thin array along its first axis is slow
            bounds[2 * k] = min(bounds[2 * k], finite[:, k].min())
            bounds[2 * k + 1] = max(bounds[2 * k + 1], finite[:, k].max())


def dim_codes(codes: Words, plain: Words, order: NDArray[np.int32], dimmed: Bools, start: int, stop: int) -> None:
    """``codes = plain | dimmed`` for places start … stop, where point ``order[place]`` is dimmed."""
    part = slice(start, stop)
    codes[part] = plain[part] | np.multiply(dimmed[order[part]], np.uint32(DIMMED), dtype=np.uint32)


def gather(target: NDArray[Any], source: NDArray[Any], order: NDArray[np.int32], start: int, stop: int) -> None:
    """``target = source[order]`` for places start … stop."""
    target[start:stop] = source[order[start:stop]]


def nearest_sized(
    xs: Floats, ys: Floats, codes: Words, spans: Ints, x: float, y: float, ax: float, ay: float, reach: Floats
) -> int:
    """The point whose symbol is hit best at (x, y): least distance in units of its own reach, below 1; or −1."""
    chosen = chosen_of(spans)
    r = reach[(codes[chosen] >> 21) & 15]
    with np.errstate(invalid="ignore"):
        d = ((xs[chosen] - x) * ax / r) ** 2 + ((ys[chosen] - y) * ay / r) ** 2
    d[np.isnan(d)] = np.inf
    if not len(d) or d.min() >= 1.0:
        return -1
    return int(chosen[np.argmin(d)])


def nearest(xs: Floats, ys: Floats, spans: Ints, x: float, y: float, rx: float, ry: float) -> int:
    """The point nearest to (x, y) within the ellipse with half axes rx, ry (and in that metric), or −1."""
    chosen = chosen_of(spans)
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
    chosen = chosen_of(spans)
    x, y = xs[chosen], ys[chosen]
    near = (x >= frame[0]) & (x <= frame[1]) & (y >= frame[2]) & (y <= frame[3])
    chosen, x, y = chosen[near], x[near], y[near]
    inside = np.zeros(len(chosen), np.bool_)
    for (xa, ya), (xb, yb) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ya > y) != (yb > y)
        inside[crosses] ^= x[crosses] < xa + (y[crosses] - ya) * (xb - xa) / (yb - ya)
    mask[chosen] = inside
