"""Bins of the picture: pixels, squares or hexagons that stay with the data while the map is moved.

When the map is moved by whole pixels (or, for bins larger than a pixel, by anything), what has been gathered is shifted
and only the points of the new strips are looked at. The result is that of a full pass: cells are integers, or sums of
the same numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.widgets import raster_backend
from qmlstudio.widgets.raster_points import Points

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHIFT_ERROR = 1e-3
"""Pixels that the scale may have drifted by across the picture in a mere shift."""

SPLIT_POINTS = 100_000
"""Points from which on two threads are worth their start."""


@dataclass(frozen=True)
class Bins:
    """Size of the bins in pixels, their shape, and how many are kept around the picture."""

    pixels: float = 1.0
    hexagons: bool = False
    margin: int = 0

    @property
    def is_pixel(self) -> bool:
        """One bin is one pixel of the picture: nothing has to be enlarged."""
        return self.pixels == 1.0 and not self.hexagons and self.margin == 0

    @property
    def periods(self) -> tuple[float, float]:
        """Pixels after which the pattern repeats, along x and y."""
        return self.pixels, self.pixels * (np.sqrt(3.0) if self.hexagons else 1.0)

    @property
    def rows(self) -> int:
        """Rows in one period along y."""
        return 2 if self.hexagons else 1

    def shape(self, width: int, height: int) -> tuple[int, int]:
        """(rows, columns) that cover a picture wherever they begin."""
        if self.is_pixel:
            return height, width
        px, py = self.periods
        around = 2 * (self.margin + 1)
        return self.rows * (int(np.ceil(height / py)) + around), int(np.ceil(width / px)) + around

    def grid(self, transform: Floats) -> Floats:
        """Data to bin coordinates: a corner of the pattern is at the origin of the data."""
        if self.is_pixel:
            return transform.copy()
        px, py = self.periods
        first = self.margin + 1.0
        return np.array(
            [
                transform[0] / px,
                np.floor(transform[1] / px) + first,
                transform[2] / py,
                np.floor(transform[3] / py) + first,
            ]
        )

    def place(self, grid: Floats, transform: Floats) -> Floats:
        """Pixels to bin coordinates (4,): a pixel's column and row are the whole parts of ``p0 u + p1, p2 v + p3``."""
        px, py = self.periods
        return np.array([1.0 / px, grid[1] - transform[1] / px, 1.0 / py, grid[3] - transform[3] / py])

    def moved(self, grid: Floats, new: Floats, width: int, height: int) -> tuple[int, int] | None:
        """Periods that the pattern moves along x and y up to another transform; None if it is not a mere move.

        Parameters
        ----------
        grid : (4,) float64
            What the bins were gathered with.
        new : (4,) float64
            The transform from data to pixels now.
        """
        shifts = []
        for k, size, period in ((0, width, self.periods[0]), (2, height, self.periods[1])):
            if self.is_pixel:
                steps = float(np.round(-(grid[k] * (-new[k + 1] / new[k]) + grid[k + 1])))
                offset = grid[k + 1] + steps
            else:
                steps = float(np.floor(new[k + 1] / period) + self.margin + 1.0 - grid[k + 1])
                offset = new[k + 1]
            for edge in (0.0, float(size)):
                at = (edge - new[k + 1]) / new[k]
                if abs(grid[k] * period * at + offset - edge) > SHIFT_ERROR:
                    return None
            shifts.append(int(steps))
        return shifts[0], shifts[1]


Add = Callable[[Ints, Floats, Ints], int]
"""Adds the points in spans (s, 2) to the bins of a window, with a grid."""


class Gatherer:
    """Arrays of bins and what they hold.

    Attributes
    ----------
    arrays : list of arrays (planes, rows, columns, …)
    grid : (4,) float64
        From data to bin coordinates.
    """

    def __init__(self) -> None:
        self.arrays: list[NDArray[Any]] = []
        self.grid: Floats = np.zeros(4)
        self.shifted = 0
        self._key: tuple[object, ...] = ()
        self._bins = Bins()

    def forget(self) -> None:
        """The next call of :meth:`gather` begins anew."""
        self._key = ()

    def gather(
        self,
        of: tuple[object, ...],
        make: Callable[[int, int], list[NDArray[Any]]],
        add: Add,
        points: Points,
        bins: Bins,
        size: tuple[int, int],
        transform: Floats,
    ) -> None:
        """Make `arrays` hold what is in the picture.

        Parameters
        ----------
        of : tuple
            What the bins depend on, compared by identity: if it is the same and the map has merely been moved, the old
            bins are shifted.
        make : callable
            Zeroed arrays for (rows, columns).
        add : Add
        points : Points
        bins : Bins
        size : (height, width)
        transform : (4,) float64
            From data to pixels.
        """
        height, width = size
        rows, columns = bins.shape(width, height)
        moved = None
        same = self._bins == bins and len(of) == len(self._key) and all(map(operator.is_, of, self._key))
        if same and self.arrays and self.arrays[0].shape[1:3] == (rows, columns):
            moved = bins.moved(self.grid, transform, width, height)
        self._key, self._bins = of, bins
        if moved is not None:
            du, dv = moved[0], moved[1] * bins.rows
            if 2 * abs(du) < columns and 2 * abs(dv) < rows:
                windows = self._shift(du, dv, rows, columns)
                self.grid = self.grid + np.array([0.0, moved[0], 0.0, moved[1]])
                self.shifted += 1
                self._add(windows, add, points, bins, transform)
                return
        if self.arrays and self.arrays[0].shape[1:3] == (rows, columns) and self._fits(make):
            for array in self.arrays:
                array[:] = 0
        else:
            self.arrays = make(rows, columns)
        self.grid = bins.grid(transform)
        self._add([(0, columns, 0, rows)], add, points, bins, transform)

    def _fits(self, make: Callable[[int, int], list[NDArray[Any]]]) -> bool:
        wanted = make(1, 1)
        return [(a.dtype, len(a), a.shape[3:]) for a in wanted] == [(a.dtype, len(a), a.shape[3:]) for a in self.arrays]

    def _shift(self, du: int, dv: int, rows: int, columns: int) -> list[tuple[int, int, int, int]]:
        """Move the cells and return the windows that are empty now."""
        if not du and not dv:
            return []
        to_u, from_u = slice(max(du, 0), columns + min(du, 0)), slice(max(-du, 0), columns + min(-du, 0))
        to_v, from_v = slice(max(dv, 0), rows + min(dv, 0)), slice(max(-dv, 0), rows + min(-dv, 0))
        for k, old in enumerate(self.arrays):
            new = np.zeros_like(old)
            new[:, to_v, to_u] = old[:, from_v, from_u]
            self.arrays[k] = new
        windows = []
        if dv:
            windows.append((0, columns, 0, dv) if dv > 0 else (0, columns, rows + dv, rows))
        if du:
            first, last = (0, du) if du > 0 else (columns + du, columns)
            windows.append((first, last, to_v.start, to_v.stop))
        return windows

    def _add(
        self, windows: list[tuple[int, int, int, int]], add: Add, points: Points, bins: Bins, transform: Floats
    ) -> None:
        place = bins.place(self.grid, transform)
        for window in windows:
            tasks = []
            for u0, u1, v0, v1 in _halves(window, points, bins, place, transform):
                spans = _spans((u0, u1, v0, v1), points, bins, place, transform)
                part = np.array([u0, u1, v0, v1, bins.hexagons], np.int64)
                tasks.append(partial(add, spans, self.grid, part))
            raster_backend.run(tasks)


def _spans(window: tuple[int, int, int, int], points: Points, bins: Bins, place: Floats, transform: Floats) -> Ints:
    """Spans of the points that may be in a window, a pixel more on each side."""
    u0, u1, v0, v1 = window
    # a hexagon reaches half a column and a third of a row further than its cell
    wide = 1.0 if bins.hexagons else 0.0
    u = (np.array([u0 - wide, u1 + wide]) - place[1]) / place[0]
    v = (np.array([v0, v1]) / bins.rows + np.array([-wide, wide]) - place[3]) / place[2]
    return points.spans_of_pixels(u[0] - 1.0, u[1] + 1.0, v[0] - 1.0, v[1] + 1.0, transform)


def _halves(
    window: tuple[int, int, int, int], points: Points, bins: Bins, place: Floats, transform: Floats
) -> list[tuple[int, int, int, int]]:
    """A window, or two with about as many points each: they share no bin, so that two threads may fill them."""
    u0, u1, v0, v1 = window
    # without an order in space the threads would write to the same memory's neighbourhood: slower than one alone
    if raster_backend.threads() < 2 or v1 - v0 < 2 or not points.is_sorted:
        return [window]
    spans = _spans(window, points, bins, place, transform)
    if int((spans[:, 1] - spans[:, 0]).sum()) < SPLIT_POINTS:
        return [window]
    row = points.middle_row(spans, transform)
    at = int((row * place[2] + place[3]) * bins.rows)
    at = min(max(at, v0 + 1), v1 - 1)
    return [(u0, u1, v0, at), (u0, u1, at, v1)]
