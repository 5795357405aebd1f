"""The loops of :mod:`qmlstudio.widgets.raster_bin_loops` in NumPy: for the first frames, until those are loaded.

Arguments and results are theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets.raster_numpy import DIMMED, INDEX, MISSING, chosen_of, pack, spread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
Lanes = NDArray[np.uint64]

_COUNT_SHIFT = np.uint64(40)
_SUM = np.uint64((1 << 40) - 1)


def _hexagons(x: Floats, y: Floats) -> tuple[Ints, Ints]:
    """Column and row of the hexagons at (x, y), in bin coordinates."""
    i, m, j, k = np.floor(x), np.floor(y + 0.25), np.floor(x - 0.5), np.floor(y - 0.25)
    near = (x - i - 0.5) ** 2 + 3 * (y - m - 0.25) ** 2
    other = (x - j - 1.0) ** 2 + 3 * (y - k - 0.75) ** 2
    second = other < near
    return np.where(second, j, i).astype(np.int64), np.where(second, 2 * k + 1, 2 * m).astype(np.int64)


def _bins(columns: int, xs: Floats, ys: Floats, spans: Ints, grid: Floats, window: Ints) -> tuple[Ints, Ints]:
    """Flat bin and place of the points in the window."""
    chosen = chosen_of(spans)
    with np.errstate(invalid="ignore", over="ignore"):
        x, y = grid[0] * xs[chosen] + grid[1], grid[2] * ys[chosen] + grid[3]
    legal = (abs(x) < 1e6) & (abs(y) < 1e6)
    chosen, x, y = chosen[legal], x[legal], y[legal]
    column, row = _hexagons(x, y) if window[4] else (np.floor(x).astype(np.int64), np.floor(y).astype(np.int64))
    inside = (column >= window[0]) & (column < window[1]) & (row >= window[2]) & (row < window[3])
    return row[inside] * columns + column[inside], chosen[inside]


def add_counts(
    cells: Words, xs: Floats, ys: Floats, codes: Words, spans: Ints, grid: Floats, window: Ints, layered: int
) -> int:
    """Count points by bin: dimmed, others."""
    at, place = _bins(cells.shape[2], xs, ys, spans, grid, window)
    dimmed = (codes[place] & DIMMED) > 0 if layered else np.zeros(len(place), np.bool_)
    for plane, here in ((0, dimmed), (1, ~dimmed)):
        flat = cells[plane].reshape(-1)
        flat += np.bincount(at[here], minlength=flat.size).astype(np.uint32)
    return 0


def add_indices(cells: Lanes, xs: Floats, ys: Floats, codes: Words, spans: Ints, grid: Floats, window: Ints) -> int:
    """Count points and sum their colour indices by bin: dimmed, missing, others."""
    at, place = _bins(cells.shape[2], xs, ys, spans, grid, window)
    code = codes[place]
    plane = np.where(code & DIMMED, 0, np.where(code & MISSING, 1, 2))
    for p in range(3):
        here, flat = plane == p, cells[p].reshape(-1)
        counts = np.bincount(at[here], minlength=flat.size).astype(np.uint64)
        sums = np.bincount(at[here], weights=code[here] & INDEX, minlength=flat.size).astype(np.uint64)
        flat += (counts << _COUNT_SHIFT) + sums
    return 0


def add_samples(cells: Words, xs: Floats, ys: Floats, codes: Words, spans: Ints, grid: Floats, window: Ints) -> int:
    """Let one point of each bin stand for it."""
    at, place = _bins(cells.shape[2], xs, ys, spans, grid, window)
    code = codes[place]
    layer = np.where(code & DIMMED, 1, np.where(code & MISSING, 2, 3)).astype(np.uint64)
    mixed = (place.astype(np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    key = (layer << np.uint64(30)) | ((mixed >> np.uint64(18)) << np.uint64(16)) | (code & INDEX).astype(np.uint64)
    np.maximum.at(cells.reshape(-1), at, key.astype(np.uint32))
    return 0


def add_values(
    cells: Floats,
    missing: Words,
    xs: Floats,
    ys: Floats,
    codes: Words,
    values: Floats,
    spans: Ints,
    grid: Floats,
    window: Ints,
    kind: int,
    shift: float,
) -> int:
    """Gather the values of each bin (see the compiled one for `kind`)."""
    at, place = _bins(cells.shape[2], xs, ys, spans, grid, window)
    code, v = codes[place], values[place]
    empty = ((code & MISSING) > 0) | np.isnan(v)
    dimmed = (code & DIMMED) > 0
    for plane, here in ((0, dimmed), (1, ~dimmed)):
        flat, holes = cells[plane].reshape(-1, cells.shape[3]), missing[plane].reshape(-1)
        holes += np.bincount(at[here & empty], minlength=len(holes)).astype(np.uint32)
        bins, own = at[here & ~empty], v[here & ~empty]
        if kind in (1, 2):
            first = flat[:, 0] == 0
            flat[first, 1] = np.inf if kind == 1 else -np.inf
            (np.minimum if kind == 1 else np.maximum).at(flat[:, 1], bins, own)
        else:
            own = own - shift
            with np.errstate(invalid="ignore"):
                flat[:, 1] += np.bincount(bins, own, len(flat))
                if kind == 3:
                    flat[:, 2] += np.bincount(bins, own * own, len(flat))
        flat[:, 0] += np.bincount(bins, minlength=len(flat))
    return 0


def statistics(result: Floats, cells: Floats, missing: Words, kind: int, shift: float) -> None:
    """What :func:`add_values` found in one plane as numbers: NaN where there is no point."""
    n = cells[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = cells[..., 1].copy()
        if kind == 0:
            value = value / n + shift
        elif kind == 3:
            value = np.where(n > 1, np.sqrt(np.maximum(cells[..., 2] / n - (value / n) ** 2, 0.0)), np.nan)
    missing[(n > 0) & np.isnan(value)] += 1
    result[:] = np.where(n > 0, value, np.nan)


def shade_values(
    image: Words, front: Floats, back: Floats, missing: Words, words: Words, ends: Floats, scale: int
) -> None:
    """Colour each bin by its value: undimmed points first, then those without a value, then dimmed ones."""
    colors = words.shape[1] - 1
    from_back = np.isnan(front) & (missing[1] == 0)
    value, row = np.where(from_back, back, front), from_back.astype(np.int64)
    none = np.isnan(value) & (missing == 0).all(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == 1:
            value = np.where(value > 0, np.log10(value), np.nan)
        elif scale == 2:
            value = np.sign(value) * np.log10(1.0 + abs(value) / ends[2])
        width = ends[1] - ends[0]
        at = (value - ends[0]) * (colors / width) if width > 0 else np.where(np.isnan(value), np.nan, 0.5 * colors)
    index = np.where(np.isnan(at), colors, np.clip(np.nan_to_num(at, nan=0.0), 0, colors - 1)).astype(np.int64)
    image[:] = np.where(none, 0, words[row, index])


def shade_counts(image: Words, cells: Words, words: Words, factors: Floats, is_log: int) -> None:
    """Colour each bin by its count."""
    row = (cells[1] == 0).astype(np.int64)
    n = np.where(row, cells[0], cells[1]).astype(np.float64)
    size = factors[1 - row] * (np.log(1.0 + n) if is_log else n) + 0.5
    index = np.minimum(size.astype(np.int64), words.shape[1] - 2)
    image[:] = np.where(n > 0, words[row, index], 0)


def shade_indices(image: Words, cells: Lanes, words: Words) -> None:
    """Colour each bin by the mean index of its topmost layer."""
    colors = words.shape[1] - 1
    counts = (cells >> _COUNT_SHIFT).astype(np.int64)
    image[:] = 0
    for plane, row in ((0, 1), (1, 0), (2, 0)):
        some = counts[plane] > 0
        index = (cells[plane][some] & _SUM).astype(np.int64) // counts[plane][some]
        image[some] = words[row, colors] if plane == 1 else words[row, index]


def shade_samples(image: Words, cells: Words, words: Words) -> None:
    """Colour each bin by its representative."""
    layer = cells[0] >> 30
    index = np.where(layer == 2, words.shape[1] - 1, cells[0] & INDEX).astype(np.int64)
    image[:] = np.where(cells[0] > 0, words[(layer == 1).astype(np.int64), np.where(cells[0] > 0, index, 0)], 0)


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


def _places(image: Words, place: Floats) -> tuple[Floats, Floats]:
    """Bin coordinates of the pixels' columns and rows."""
    height, width = image.shape
    return place[0] * (np.arange(width) + 0.5) + place[1], place[2] * (np.arange(height) + 0.5) + place[3]


def paint_bins(image: Words, colors: Words, place: Floats, window: Ints) -> None:
    """Enlarge bins to pixels."""
    x, y = _places(image, place)
    if window[4]:
        u, v = np.meshgrid(x, y)
        column, row = _hexagons(u, v)
        inside = (column >= window[0]) & (column < window[1]) & (row >= window[2]) & (row < window[3])
        image[:] = np.where(inside, colors[np.where(inside, row, 0), np.where(inside, column, 0)], 0)
        return
    columns = np.clip(np.floor(x).astype(np.int64), 0, colors.shape[1] - 1)
    rows = np.clip(np.floor(y).astype(np.int64), 0, colors.shape[0] - 1)
    image[:] = colors[rows[:, None], columns]


def _corners(field: Floats, x: Floats, y: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    i = np.clip((x - 0.5).astype(np.int64), 0, field.shape[1] - 2)
    j = np.clip((y - 0.5).astype(np.int64), 0, field.shape[0] - 2)
    return i, j, x - 0.5 - i, y - 0.5 - j


def _between(field: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear interpolation in a field given at the middles of bins; (x, y) in bin coordinates."""
    i, j, a, b = _corners(field, x, y)
    upper = field[j, i] + (field[j, i + 1] - field[j, i]) * a
    lower = field[j + 1, i] + (field[j + 1, i + 1] - field[j + 1, i]) * a
    return np.asarray(upper + (lower - upper) * b)


def paint_field(image: Words, field: Floats, place: Floats, words: Words, levels: Floats, ink: int, bands: int) -> None:
    """Colour the pixels where a field is at least levels[0]; others stay as they are."""
    u, v = np.meshgrid(*_places(image, place))
    f = _between(field, u, v)
    least, most, step = levels
    top = len(words) - 1
    scale = top / max(most - least, 1e-9)
    k = np.floor((f - least) / step)
    at = (k + 0.5) * step * scale if bands else (f - least) * scale + 0.5
    inside = f >= least
    image[inside] = words[np.minimum(at[inside].astype(np.int64), top)]
    if not bands:
        return
    nearest = np.maximum(np.floor((f - least) / step + 0.5), 0.0) * step + least
    i, j, a, b = _corners(field, u, v)
    slope = field[1:] - field[:-1]
    upper = field[j, i] + slope[j, i] * b
    rise = field[j, i + 1] + slope[j, i + 1] * b - upper
    down = slope[j, i] + (slope[j, i + 1] - slope[j, i]) * a
    steep = np.hypot(rise * place[0], down * place[2])
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(steep > 0, 1.0 - abs(f - nearest) / steep, 0.0)
    drawn = cover > 0
    part = (256 * cover[drawn]).astype(np.uint64)
    pen = spread(np.array([ink], np.uint32))
    new = pen * part + spread(image[drawn]) * (np.uint64(256) - part)
    image[drawn] = pack((new >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF))


def find_sparse(
    out_xs: Floats,
    out_ys: Floats,
    out_codes: Words,
    xs: Floats,
    ys: Floats,
    codes: Words,
    spans: Ints,
    grid: Floats,
    front: Floats,
    back: Floats,
    covered: NDArray[np.bool_],
    least: float,
) -> int:
    """Copy the points that lie where neither they nor what covers them is dense; returns how many."""
    window = np.array([0, front.shape[1], 0, front.shape[0], 0], np.int64)
    _, place = _bins(front.shape[1], xs, ys, spans, grid, window)
    x, y = grid[0] * xs[place] + grid[1], grid[2] * ys[place] + grid[3]
    dense = (_between(front, x, y) >= least) | (((codes[place] & DIMMED) > 0) & (_between(back, x, y) >= least))
    place = place[~dense][: len(out_xs)]
    for target, source in ((out_xs, xs), (out_ys, ys), (out_codes, codes)):
        target[: len(place)] = source[place]
    return len(place)
