"""Stamps: the anti-aliased symbols of the map, made for every radius and sub-pixel position that a frame needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets.raster_numpy import PHASES, SHAPE_BITS, SLOTS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]

SHAPES = ("circle", "square", "triangle", "diamond", "plus", "cross")
"""Shapes of stamps, by number."""

SIZE_CLASSES = 16
"""Sizes that points with sizes of their own are rounded to."""

LEAST_RADIUS, LARGEST_RADIUS = 1.15, 5.0
_RADIUS_STEP = 0.05


def auto_radius(count: int, width: float, height: float, zoom: float) -> float:
    """Radius in pixels for `count` points on an area of pixels, `zoom` times enlarged.

    It depends on nothing that changes while the map is merely moved.
    """
    spacing = float(np.sqrt(max(width * height, 1.0) / max(count, 1)))
    return float(np.clip(0.30 * spacing * max(zoom, 1.0) ** 0.7, LEAST_RADIUS, LARGEST_RADIUS))


def stamp_pixels(radius: float) -> int:
    """Pixels that one stamp touches: the price of a point in :data:`raster.STAMP_BUDGET`."""
    return (2 * _reach(radius) + 1) ** 2


def _reach(radius: float) -> int:
    return int(np.ceil(radius + 0.5))


def _distance(shape: str, x: Floats, y: Floats, r: float) -> Floats:
    """Signed distance from a shape's outline; areas are about equal. y points down."""
    if shape == "square":
        return np.asarray(np.maximum(abs(x), abs(y)) - 0.88 * r)
    if shape == "diamond":
        return np.asarray((abs(x) + abs(y)) * np.sqrt(0.5) - 0.88 * r)
    if shape == "triangle":
        return np.asarray(np.maximum(0.866 * abs(x) - 0.5 * y, y) - 0.72 * r)
    if shape in ("plus", "cross"):
        if shape == "cross":
            x, y = (x + y) * np.sqrt(0.5), (x - y) * np.sqrt(0.5)
        a, b = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
        return np.asarray(np.maximum(a - 1.1 * r, b - 0.40 * r))
    return np.asarray(np.hypot(x, y) - r)


@lru_cache(maxsize=256)
def _stamp(shape: str, radius: float) -> tuple[Words, Words, Ints]:
    """Coverage of the solid and of the hollow stamp (4, 4, size, size), and their extent (2, 4, 2)."""
    # the triangle is the longest
    reach = _reach(1.44 * radius if shape == "triangle" else 1.25 * radius)
    at = np.arange(-reach, reach + 1, dtype=np.float64)
    # the point lies (i + 1/2)/PHASES into its pixel, whose middle is at 1/2
    phase = (np.arange(PHASES) + 0.5) / PHASES
    along = at + 0.5 - phase[:, None]
    x, y = np.broadcast_arrays(along[None, :, None, :], along[:, None, :, None])
    d = _distance(shape, x, y, radius)
    whole = np.rint(256 * np.clip(0.5 - d, 0.0, 1.0))
    outline = min(0.9, 0.3 * radius) if radius >= 2.0 else 0.0
    found = []
    for is_hollow, width in ((False, outline), (True, max(0.9, 0.32 * radius))):
        inner = np.rint(256 * np.clip(0.5 - (d + width), 0.0, 1.0)) if width else whole
        fill = np.zeros_like(inner) if is_hollow else inner
        found.append(fill.astype(np.uint32) | (whole - inner).astype(np.uint32) << np.uint32(16))
    extent = np.zeros((2, PHASES, 2), np.int64)
    for axis, others in ((0, (0, 2)), (1, (1, 3))):
        touched = np.asarray((whole > 0).any(axis=others))
        extent[axis, :, 0] = np.argmax(touched, axis=-1) - reach
        extent[axis, :, 1] = reach - np.argmax(touched[:, ::-1], axis=-1)
    return found[0], found[1], extent


@dataclass(frozen=True, eq=False)
class StampTable:
    """All stamps of a frame as :func:`raster_loops.draw_stamps` takes them.

    A *slot* is ``shape + 8 · size class``, and 128 more for the hollow variant.

    Attributes
    ----------
    cover : (total,) uint32
        Coverage (0 … 256) of the fill in the lower and of the edge in the upper 16 bits; stamp after stamp, each
        (4, 4, size, size) by phase in y, phase in x, row, column.
    starts, sizes : (256,) int64
        Where a slot's stamp begins in `cover`, and its size.
    extent : (256, 2, 4, 2) int64
        First and last column (axis 0) and row (axis 1) that it touches, by phase, from the point's pixel.
    reach : int
        Half the size of the largest stamp: how far a stamp reaches.
    """

    cover: Words
    starts: Ints
    sizes: Ints
    extent: Ints
    reach: int

    def stamp(self, slot: int) -> Words:
        """(4, 4, size, size) coverage of one slot."""
        start, size = int(self.starts[slot]), int(self.sizes[slot])
        return self.cover[start : start + PHASES * PHASES * size * size].reshape(PHASES, PHASES, size, size)


@lru_cache(maxsize=32)
def _table(radii: tuple[float, ...], shapes: int) -> StampTable:
    parts: list[Words] = []
    starts, sizes = np.zeros(2 * SLOTS, np.int64), np.ones(2 * SLOTS, np.int64)
    extent = np.zeros((2 * SLOTS, 2, PHASES, 2), np.int64)
    # slots that no point should have draw nothing: an empty extent
    extent[..., 1] = -1
    total = 0
    for k, radius in enumerate(radii):
        for s in range(shapes):
            solid, hollow, touched = _stamp(SHAPES[s], radius)
            for slot, cover in ((s + (k << SHAPE_BITS), solid), (s + (k << SHAPE_BITS) + SLOTS, hollow)):
                starts[slot], sizes[slot], extent[slot] = total, cover.shape[-1], touched
                parts.append(cover.ravel())
                total += cover.size
    return StampTable(np.concatenate(parts), starts, sizes, extent, (int(sizes.max()) - 1) // 2)


def stamp_table(radii: tuple[float, ...], shapes: int = len(SHAPES)) -> StampTable:
    """Stamps of the first `shapes` shapes in up to 16 radii (pixels), which are rounded to 1/20 of a pixel."""
    return _table(tuple(max(_RADIUS_STEP, round(r / _RADIUS_STEP) * _RADIUS_STEP) for r in radii), shapes)
