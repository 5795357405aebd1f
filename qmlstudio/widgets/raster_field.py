"""Smoothed density: bands between contour lines, and which points are drawn themselves because they are alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import raster_backend
from qmlstudio.widgets.raster_backend import bin_loops
from qmlstudio.widgets.raster_grid import Bins, Gatherer
from qmlstudio.widgets.raster_points import Points, halves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint32]

MOST_CONTOURS = 10
_FLOOR = 1e-4
"""Density (points per bin) that stands for none."""
_BEYOND = 64.0
"""Pixels around the picture from which a symbol may reach into it."""
_SPARE = 4.0


@dataclass(frozen=True)
class Field:
    """How density is smoothed.

    Attributes
    ----------
    pixels : float
        Size of the bins.
    width : float
        Standard deviation of the Gaussian, in bins.
    least : float
        Points per bin from which on density is drawn instead of points.
    """

    pixels: float = 4.0
    width: float = 1.75
    least: float = 1.0

    @property
    def reach(self) -> int:
        """Bins in which a point is felt."""
        return int(np.ceil(3.0 * self.width))

    @property
    def bins(self) -> Bins:
        """With a margin from which points are felt in the picture."""
        return Bins(self.pixels, False, self.reach)


@dataclass(frozen=True, eq=False)
class Sparse:
    """The points that are drawn themselves, and the densities (points per bin) of the first and last colour."""

    x: Floats
    y: Floats
    codes: Words
    shown: tuple[float, float]


def smooth(counts: NDArray[np.uint32], width: float, reach: int) -> Floats:
    """Counts (rows, columns) folded with a Gaussian that adds up to 1, cut off after `reach` bins; outside is none."""
    at = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (at / width) ** 2)
    kernel /= kernel.sum()
    result: Floats = counts.astype(np.float64)
    for axis in (0, 1):
        padded = np.pad(result, [(reach, reach) if k == axis else (0, 0) for k in (0, 1)])
        size = result.shape[axis]
        result = np.zeros_like(result)
        for k, weight in enumerate(kernel):
            result += weight * (padded[k : k + size] if axis == 0 else padded[:, k : k + size])
    return result


class FieldDrawer:
    """Draws density as bands or shades; keeps nothing but memory for the sparse points."""

    def __init__(self) -> None:
        none = (np.empty(0), np.empty(0), np.empty(0, np.uint32))
        self._memory: list[tuple[Floats, Floats, Words]] = [none, none]

    def draw(
        self,
        image: Words,
        what: tuple[Points, Words, Floats],
        gatherer: Gatherer,
        colors: tuple[Words, tuple[int, int]],
        field: Field,
        bands: bool,
        has_dimmed: bool,
    ) -> Sparse:
        """Draw the dense places into an empty picture; returns what is left to be drawn as points.

        Parameters
        ----------
        image : (H, W) uint32
        what : (points, codes, transform)
            As in :meth:`raster.Canvas.draw`.
        gatherer : Gatherer
        colors : ((2, k + 1) uint32, (int, int))
            Words of the palette and the ink of lines, normal and dimmed.
        field : Field
        bands : bool
            Contour lines, with one colour in between.
        has_dimmed : bool
        """
        points, codes, transform = what
        words, inks = colors
        run, bins = bin_loops(), field.bins

        def make(rows: int, columns: int) -> list[NDArray[np.uint32]]:
            return [np.zeros((2, rows, columns), np.uint32)]

        def add(spans: Ints, grid: Floats, window: Ints) -> int:
            layered = int(has_dimmed)
            return int(run.add_counts(gatherer.arrays[0], points.x, points.y, codes, spans, grid, window, layered))

        key = (points.x, codes if has_dimmed else None, "field")
        gatherer.gather(key, make, add, points, bins, (image.shape[0], image.shape[1]), transform)
        place = bins.place(gatherer.grid, transform)
        counts = gatherer.arrays[0]
        layers = []
        for plane in (0, 1):
            some = bool(plane or has_dimmed)
            density = smooth(counts[plane], field.width, field.reach) if some else np.zeros(counts.shape[1:])
            layers.append(np.log2(np.maximum(density, _FLOOR)))
        back, front = layers
        # whole powers of two: contours stay where they are while the map is moved
        least = float(np.floor(np.log2(field.least) + 0.5))
        tops = [max(float(np.ceil(layer.max())), least + 1.0) for layer in layers]
        shown = 1 if front.max() >= least or not has_dimmed else 0
        for plane, layer in enumerate(layers):
            if plane or has_dimmed:
                # as for counts: what is dimmed has a scale of its own
                step = float(np.ceil((tops[plane] - least) / MOST_CONTOURS)) if bands else 1.0
                levels = np.array([least, tops[plane], step])
                own = np.ascontiguousarray(words[1 - plane, :-1])
                run.paint_field(image, layer, place, own, levels, np.uint32(inks[1 - plane]), int(bands))
        sparse = self._sparse(image, points, codes, transform, gatherer.grid, (front, back, least))
        return Sparse(*sparse, (2.0**least, 2.0 ** tops[shown]))

    def _sparse(
        self,
        image: Words,
        points: Points,
        codes: Words,
        transform: Floats,
        grid: Floats,
        fields: tuple[Floats, Floats, float],
    ) -> tuple[Floats, Floats, Words]:
        height, width = image.shape
        spans = points.spans_of_pixels(-_BEYOND, width + _BEYOND, -_BEYOND, height + _BEYOND, transform)
        front, back, least = fields
        covered = _covered(front, least)
        run = bin_loops()
        parts = halves(spans) if raster_backend.threads() > 1 else [spans]
        outs = []
        for k, part in enumerate(parts):
            # smoothing keeps the number of points: no more than about `least` for each bin can be sparse
            most = min(int((part[:, 1] - part[:, 0]).sum()), int(front.size * (2.0**least + 1.0) * _SPARE))
            if len(self._memory[k][0]) < most:
                self._memory[k] = (np.empty(most), np.empty(most), np.empty(most, np.uint32))
            outs.append(self._memory[k])
        found = [0] * len(parts)

        def find(k: int) -> int:
            own = (points.x, points.y, codes, parts[k], grid, front, back, covered, least)
            found[k] = int(run.find_sparse(*outs[k], *own))
            return found[k]

        raster_backend.run([partial(find, k) for k in range(len(parts))])
        join = [slice(0, n) for n in found]
        xs = [out[0][part] for out, part in zip(outs, join, strict=True)]
        ys = [out[1][part] for out, part in zip(outs, join, strict=True)]
        own = [out[2][part] for out, part in zip(outs, join, strict=True)]
        return np.concatenate(xs), np.concatenate(ys), np.concatenate(own)


def _covered(field: Floats, least: float) -> NDArray[np.bool_]:
    """Bins in which the interpolated field is nowhere below `least`: they and their neighbours are not."""
    inside = field >= least
    result = np.zeros_like(inside)
    result[1:-1, 1:-1] = inside[1:-1, 1:-1]
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            rows, columns = inside.shape
            result[1:-1, 1:-1] &= inside[1 + dv : rows - 1 + dv, 1 + du : columns - 1 + du]
    return result
