"""Matrices between rows in tiles that stay in a core's cache, by some threads, cancelled between any two slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._threads import SERIAL, team, thread_count
from qmlstudio.learning.kernels._distance_loops import (
    city_tile,
    finish_squares,
    mend_squares,
    mirror_tile,
    panels_of,
    transpose_tile,
)
from qmlstudio.learning.kernels._vectors import BYTES, width
from qmlstudio.progress import SILENT, Progress, slices

Array = NDArray[Any]
Floats = NDArray[np.float64]

TILE = 256
"""Rows and columns of an ordinary tile: half a megabyte, a whole number of panels in either precision."""
PANEL_BYTES = 1 << 28
"""Of the rows of one side that are prepared (moved, sorted, turned) at a time."""
SMALL = 10**7
"""Multiplications up to which starting threads costs more than it gives."""
_ORIGIN_SAMPLE = 1000
_BLOCK = 1 << 20
"""Numbers that are prepared between two questions whether to go on."""
_SLICE = 2 * 10**8
"""Multiplications in about 0.02 s: what each thread does before the first question whether to go on."""

SOURCES = ("dot", "l2sq", "l1", "w1", "w2sq")
"""What tiles can be made of: products, squared distances, city-block distances, Wasserstein-1 distances and squared
Wasserstein-2 distances of sorted rows."""
_VARIANTS = {"dot": "plain", "l2sq": "centred", "l1": "plain", "w1": "sorted", "w2sq": "sorted, centred"}


class Source(Protocol):
    """What fills the tiles: a kernel that compares single rows, or a distance."""

    def uses(self) -> Counter[str]:
        """How often each of :data:`SOURCES` is taken for one tile."""

    def prepare(self, side: Side) -> None:
        """Compute what the tiles want to know of each row beside the sources (norms)."""

    def evaluate(self, tile: Tile) -> Array:
        """The values of a tile, (m, k), in memory of the tile."""


class Side:
    """Some of the rows of either side, as the sources need them. Prepared first, only read by the tiles.

    Parameters
    ----------
    rows : (n, d) array
    first : int
        Number of the first one among all, for messages.
    origins : dict of str to (d,) float64
        What is subtracted, for each variant that is moved.
    dtype : float64 or float32
        Of what is prepared.
    """

    def __init__(self, rows: Array, first: int, origins: dict[str, Floats], dtype: Any, progress: Progress) -> None:
        self._given = rows
        self._first = first
        self._origins = origins
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._progress = progress
        self._found: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self._given)

    @property
    def columns(self) -> int:
        """Columns of the rows."""
        return int(self._given.shape[1])

    def kept(self, key: str, make: Callable[[], Array]) -> Array:
        """What `make` gives, remembered under `key`."""
        if key not in self._found:
            self._found[key] = make()
        return self._found[key]

    def rows(self, variant: str = "plain") -> Array:
        """(n, d) rows: "plain", "centred", "sorted" or "sorted, centred"; ValueError where one is not finite."""
        return self.kept(variant, lambda: self._make_rows(variant))

    def _make_rows(self, variant: str) -> Array:
        n, d = self._given.shape
        origin = self._origins.get(variant)
        is_same = origin is None and not variant.startswith("sorted")
        is_same = is_same and self._given.dtype == self.dtype and self._given.flags.c_contiguous
        found = self._given if is_same else np.empty((n, d), self.dtype)
        step = max(1, _BLOCK // max(d, 1))
        for start in range(0, n, step):
            self._progress.check()
            block = self._given[start : start + step]
            if variant.startswith("sorted"):
                block = np.sort(block, axis=1)
            if origin is not None:
                found[start : start + step] = block - origin
            elif not is_same:
                # what is beyond the smaller precision becomes infinite, and is refused below
                with np.errstate(over="ignore"):
                    found[start : start + step] = block
            self._check(found[start : start + step], start)
        return found

    def _check(self, block: Array, start: int) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum(dtype=np.float64)):
                return
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            row = self._first + start + int(np.argmax(bad))
            raise ValueError(f"the features of row {row} (counted from 0) are not all finite")

    def squares(self, variant: str = "plain") -> Array:
        """(n,) sums of the squares of the rows; ValueError where they overflow."""
        return self.kept(f"squares, {variant}", lambda: self._make_squares(variant))

    def _make_squares(self, variant: str) -> Array:
        rows = self.rows(variant)
        found = np.empty(len(rows), self.dtype)
        step = max(1, _BLOCK // max(self.columns, 1))
        for start in range(0, len(rows), step):
            self._progress.check()
            block = rows[start : start + step]
            with np.errstate(over="ignore"):
                found[start : start + step] = np.einsum("ij,ij->i", block, block)
        if not np.isfinite(found).all():
            # the mean, which was subtracted, may have made others as large
            row = self._first + int(np.argmax(np.abs(rows).max(axis=1)))
            raise ValueError(f"the features of row {row} (counted from 0) are too large to be squared")
        return found

    def sums(self) -> Array:
        """(n,) sums of the plain rows; ValueError where a number is negative."""

        def make() -> Array:
            rows = self.rows()
            if self.columns and len(rows) and float(rows.min()) < 0.0:
                row = self._first + int(np.argmax(rows.min(axis=1) < 0.0))
                raise ValueError(f"the features of row {row} (counted from 0) are no counts: one is negative")
            found: Array = rows.sum(axis=1, dtype=self.dtype)
            return found

        return self.kept("sums", make)

    def panels(self, variant: str) -> Array:
        """The rows side by side, as :func:`city_tile` reads them."""
        return self.kept(f"panels, {variant}", lambda: self._make_panels(variant))

    def _make_panels(self, variant: str) -> Array:
        return panels_of(self.rows(variant), width(self.dtype.itemsize), self._progress.check)

    def flat(self, variant: str) -> Array:
        """The rows one after the other."""
        return self.rows(variant).reshape(-1)

    def prepare(self, source: str) -> None:
        """Compute all that tiles of this source need."""
        variant = _VARIANTS[source]
        if source == "dot":
            self.rows(variant)
        elif source in ("l1", "w1"):
            self.panels(variant)
            if variant != "plain":
                self._found.pop(variant, None)
        else:
            self.squares(variant)


class Tile:
    """A rectangle of the matrix, with memory for its values."""

    def __init__(
        self, left: Side, right: Side, bounds: tuple[int, int, int, int], uses: Counter[str], memory: list[Array]
    ) -> None:
        self.left, self.right = left, right
        self.top, self.bottom, self.first, self.last = bounds
        self.is_diagonal = left is right and self.top == self.first and self.bottom == self.last
        self._uses = Counter(uses)
        self._made: dict[str, Array] = {}
        self._memory = memory
        self._dtype = left.dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.last - self.first

    def of_rows(self, values: Array) -> Array:
        """What belongs to the tile's rows, of something for all of the left side."""
        return values[self.top : self.bottom]

    def of_columns(self, values: Array) -> Array:
        """What belongs to the tile's columns, of something for all of the right side."""
        return values[self.first : self.last]

    def spare(self) -> Array:
        """(m, k) memory, to be given back."""
        m, k = self.shape
        try:
            flat = self._memory.pop()
        except IndexError:
            # one size for all tiles, and some room for whole panels at the margins
            flat = np.empty((2 * TILE + 64) ** 2, self._dtype)
        return flat[: m * k].reshape(m, k)

    def give_back(self, values: Array) -> None:
        """Let memory of :meth:`spare` or :meth:`take` be used again."""
        if isinstance(values.base, np.ndarray):
            self._memory.append(values.base)

    def take(self, source: str) -> Array:
        """(m, k) values of a source, which the caller may change and then give back."""
        if source not in self._made:
            self._made[source] = self._make(source)
        self._uses[source] -= 1
        if self._uses[source] <= 0:
            return self._made.pop(source)
        copy = self.spare()
        copy[:] = self._made[source]
        return copy

    def _make(self, source: str) -> Array:
        variant = _VARIANTS[source]
        if source in ("l1", "w1"):
            values = self._city(variant)
        else:
            values = self.spare()
            a, b = self.of_rows(self.left.rows(variant)), self.of_columns(self.right.rows(variant))
            np.matmul(a, b.T, out=values)
            if source != "dot":
                self._finish(values, variant)
        if source in ("w1", "w2sq"):
            values /= self._dtype.type(max(self.left.columns, 1))
        if self.is_diagonal and source != "dot":
            np.fill_diagonal(values, 0.0)
        return values

    def _city(self, variant: str) -> Array:
        (m, k), panel = self.shape, width(self._dtype.itemsize)
        values = self.spare()
        flat = values.base
        assert flat is not None
        a, b = self.left.panels(variant), self.right.panels(variant)
        city_tile(a, self.top, m, b, self.first, k, panel, self.left.columns, flat)
        wide = -(-k // panel) * panel
        if wide == k:
            return values
        # at the right margin the rows of whole panels are longer than the tile's
        narrow = self.spare()
        narrow[:] = flat[: m * wide].reshape(m, wide)[:, :k]
        self.give_back(values)
        return narrow

    def _finish(self, values: Array, variant: str) -> None:
        squares = self.of_rows(self.left.squares(variant)), self.of_columns(self.right.squares(variant))
        least = self._dtype.type(1e-4 if self._dtype == np.float64 else 1e-3)
        close = np.empty(len(values), np.int64)
        flat = values.reshape(-1)
        if finish_squares(flat, *squares, least, close):
            lanes, d = BYTES // self._dtype.itemsize, self.left.columns
            rows = self.left.flat(variant), self.right.flat(variant)
            mend_squares(flat, *squares, least, close, rows[0], self.top, rows[1], self.first, d, lanes)


def origins_of(rows: Array, uses: Counter[str]) -> dict[str, Floats]:
    """What is subtracted from all rows first: about their mean, since what cancels loses its figures to it."""
    found = {}
    for variant in {_VARIANTS[source] for source in uses}:
        if variant.endswith("centred"):
            sample = np.asarray(rows[:: -(-len(rows) // _ORIGIN_SAMPLE) or 1], dtype=np.float64)
            if variant.startswith("sorted"):
                sample = np.sort(sample, axis=1)
            origin = sample.mean(axis=0) if len(sample) else np.zeros(rows.shape[1])
            # a row that is not finite is named when its turn comes
            found[variant] = np.where(np.isfinite(origin), origin, 0.0)
    return found


def fill(
    source: Source,
    a: Array,
    b: Array | None,
    out: Array,
    progress: Progress = SILENT,
    *,
    diagonal: Floats | None = None,
    threads: int | None = None,
    message: str = "Kernel matrix",
    kept: dict[int, Side] | None = None,
) -> Array:
    """The values of `source` for all rows of `a` (n, d) with all of `b` (m, d), or among those of `a`, into `out`.

    Parameters
    ----------
    out : (n, m) or (n, n) float64 or float32
        Its precision is that of the arithmetic.
    diagonal : (n,) float64, optional
        Exact values for the diagonal of a symmetric matrix.
    kept : dict, optional
        Remembers the prepared rows of `b` between calls with the same one, when they are not too many.
    """
    other = a if b is None else b
    if out.shape != (len(a), len(other)):
        raise ValueError(f"the matrix has shape {out.shape}, expected {(len(a), len(other))}")
    if out.dtype not in (np.float64, np.float32):
        raise ValueError(f"the matrix is of {out.dtype}, expected float64 or float32")
    if a.shape[1] != other.shape[1]:
        raise ValueError(f"rows of {a.shape[1]} and of {other.shape[1]} features cannot be compared")
    uses = source.uses()
    progress(0.0, message)
    origins = origins_of(other, uses)
    width_of_tiles = _tile_width(a.shape[1], uses, out.itemsize)
    step = max(TILE, PANEL_BYTES // max(a.shape[1] * out.itemsize, 1) // TILE * TILE)
    rows, columns = _parts(0, len(a), step), _parts(0, len(other), step)
    pairs = [(i, j) for i in range(len(rows)) for j in range(len(columns)) if b is not None or i <= j]

    def side(given: Array, part: tuple[int, int]) -> Side:
        made = Side(given[part[0] : part[1]], part[0], origins, out.dtype, progress)
        for name in uses:
            made.prepare(name)
        source.prepare(made)
        return made

    workers = thread_count(threads)
    # to start threads, or to ask BLAS for none, would take longer
    is_small = len(a) * len(other) * max(a.shape[1], 1) < SMALL
    memory: list[Array] = []
    left: Side | None = None
    left_of = -1
    for done, (i, j) in enumerate(pairs):
        if left is None or left_of != i:
            left, left_of = side(a, rows[i]), i
        right = left if b is None and i == j else (kept or {}).get(j) or side(other, columns[j])
        if kept is not None and b is not None and len(columns) == 1:
            kept[j] = right
        bounds = _bounds(len(left), len(right), left is right, width_of_tiles)

        def work(
            tile_bounds: tuple[int, int, int, int],
            left: Side = left,
            right: Side = right,
            top: int = rows[i][0],
            first: int = columns[j][0],
        ) -> None:
            tile = Tile(left, right, tile_bounds, uses, memory)
            values = source.evaluate(tile)
            if tile.is_diagonal:
                mirror_tile(values.reshape(-1), len(values))
            if tile.is_diagonal and diagonal is not None:
                np.fill_diagonal(values, diagonal[top + tile.top : top + tile.bottom])
            r, c = slice(top + tile.top, top + tile.bottom), slice(first + tile.first, first + tile.last)
            out[r, c] = values
            if b is None and not tile.is_diagonal:
                turned = tile.spare().reshape(-1)
                transpose_tile(values.reshape(-1), *tile.shape, turned)
                out[c, r] = turned.reshape(tile.shape[::-1])
                tile.give_back(turned)
            tile.give_back(values)

        part = progress.part(done / len(pairs), (done + 1) / len(pairs))
        if is_small:
            for start, stop in slices(len(bounds), part, message, first=16):
                SERIAL.run(work, bounds[start:stop])
            continue
        # the first slice shall already occupy everybody, but not for long
        begin = max(workers, min(len(bounds), workers * int(_SLICE // (width_of_tiles**2 * max(a.shape[1], 200)))))
        with team(workers) as members:
            for start, stop in slices(len(bounds), part, message, first=begin):
                members.run(work, bounds[start:stop])
    progress(1.0, message)
    return out


def _tile_width(d: int, uses: Counter[str], itemsize: int) -> int:
    """Rows and columns of a tile: a whole number of panels."""
    if d > 1 << 14:
        # a tile of very long rows would keep a cancel waiting
        return TILE // (4 if d > 1 << 16 else 2)
    if "l1" in uses or "w1" in uses:
        return TILE
    # products of long rows gain more from larger tiles than what follows loses, and single precision has the room
    return TILE * (2 + (d >= 512) + (itemsize == 4)) // 2


def _parts(low: int, high: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(start + step, high)) for start in range(low, high, step)]


def _bounds(n: int, m: int, upper: bool, step: int) -> list[tuple[int, int, int, int]]:
    rows, columns = _parts(0, n, step), _parts(0, m, step)
    return [(*row, *column) for row in rows for column in columns if not upper or row <= column]
