"""How the points of a map look: colour, symbol, size, missing, selected; turned into codes for the raster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmlstudio.widgets import raster
from qmlstudio.widgets.raster_numpy import HOLLOW, MISSING, SHAPE_BITS, STAMP_SHIFT
from qmlstudio.widgets.theme import Theme, mix, rgb

Bools = NDArray[np.bool_]
Codes = NDArray[np.uint32]
Floats = NDArray[np.float64]
DENSITY_COLORS = 256
MOST_COLORS = 1 << 16
LARGEST_DIAMETER = 60.0


class PointLooks:
    """Looks of `count` points. Setters check; the codes and palettes are what the raster takes.

    Attributes
    ----------
    crowd : "mean", "index", "sample" or "density"
        What a pixel with several points shows by itself when there are too many for stamps.
    palette : raster.Palette
        Of single points and of statistics.
    density_palette : raster.Palette
        Of counts.
    values : Values or None
        The numbers behind the colours, in the order of the data.
    density_lut : (k, 3) uint8
        Its colours.
    radii : (16,) float64 or None
        Radius by size class in pixels, ascending, when points have sizes of their own.
    shape_count : int
        The symbols in use are the first so many.
    """

    def __init__(self, count: int, colors: Theme) -> None:
        self.count = count
        self.values: raster.Values | None = None
        self.radii: Floats | None = None
        self.shape_count = 1
        self._theme = colors
        self._index: Codes | None = None
        self._lut: NDArray[np.uint8] | None = None
        self._categorical = False
        self._missing: Bools | None = None
        self._shapes: Codes | None = None
        self._sizes: Codes | None = None
        self._selection: Bools | None = None
        self._dimmed: Bools | None = None
        self._plain: Codes | None = None
        self._all_dimmed: Bools | None = None
        self._make_palettes()

    @property
    def crowd(self) -> raster.Mode:
        """What a crowded pixel shows in the mode "auto"."""
        if self._index is None:
            return "density"
        if self._categorical:
            return "sample"
        return "index" if self.values is None else "mean"

    @property
    def lut(self) -> NDArray[np.uint8]:
        """(k, 3) colours of the points."""
        return np.array([rgb(self._theme.point)], np.uint8) if self._lut is None else self._lut

    @property
    def is_categorical(self) -> bool:
        """Whether the colours are names, not numbers."""
        return self._categorical

    @property
    def has_missing(self) -> bool:
        """Whether any point has no value."""
        return self._missing is not None

    @property
    def has_dimmed(self) -> bool:
        """Whether any point is dimmed."""
        return self.dimmed() is not None

    def set_theme(self, colors: Theme) -> None:
        """Light or dark colours."""
        self._theme = colors
        self._make_palettes()

    def set_colors(
        self, indices: ArrayLike | None, lut: ArrayLike | None, missing: ArrayLike | None, categorical: bool
    ) -> None:
        """As :meth:`ScatterMap.set_colors`; ValueError leaves everything as it was."""
        table = None if lut is None else np.asarray(lut, dtype=np.uint8)
        if table is not None and categorical:
            # more names than colours: nobody can tell them apart, and the colours come round again
            table = table[:MOST_COLORS]
        codes = None
        if indices is not None:
            if table is None:
                raise ValueError("indices need a colour table")
            given = self._per_point(indices)
            if given.size and int(given.min()) < 0:
                raise ValueError(f"colour {int(given.min())} of a table of {len(table)}")
            if categorical and given.size and len(table) and int(given.max()) >= len(table):
                given = given % len(table)
            codes = np.array(given, dtype=np.uint32)
            if codes.size and int(codes.max()) >= len(table):
                raise ValueError(f"colour {int(codes.max())} of a table of {len(table)}")
        hollow = _some(self._mask(missing))
        before, self._lut = self._lut, table
        try:
            self._make_palettes(named=indices is not None)
        except ValueError:
            self._lut = before
            raise
        self._index, self._missing, self._categorical = codes, hollow, categorical and indices is not None
        self.values = None
        self._plain = None

    def set_values(self, values: ArrayLike | None, low: float, high: float, scale: raster.Scale) -> None:
        """As :meth:`ScatterMap.set_values`."""
        if values is None:
            self.values = None
            return
        if scale not in ("linear", "log", "symlog"):
            raise ValueError(f"{scale!r} is none of linear, log, symlog")
        if not (np.isfinite(low) and np.isfinite(high) and low <= high) or (scale == "log" and low <= 0):
            raise ValueError(f"a {scale} scale cannot go from {low} to {high}")
        numbers = np.ascontiguousarray(self._per_point(values), dtype=np.float64)
        # the same rule as the colour bar's
        turn = max(abs(low), abs(high)) * 1e-2 or 1.0
        self.values = raster.Values(numbers, float(low), float(high), scale, (low + high) / 2.0, turn)

    def set_shapes(self, shapes: ArrayLike | None) -> None:
        """Symbol numbers (n,) into :data:`raster.SHAPES`."""
        numbers = None if shapes is None else np.array(self._per_point(shapes), dtype=np.uint32)
        most = int(numbers.max()) if numbers is not None and numbers.size else 0
        if most >= len(raster.SHAPES):
            raise ValueError(f"shape {most} of {len(raster.SHAPES)}")
        self._shapes, self.shape_count, self._plain = numbers, most + 1, None

    def set_sizes(self, diameters: ArrayLike | None) -> None:
        """Diameters (n,) in pixels, rounded to 16 classes between the least and the largest; NaN: least, hollow."""
        if diameters is None:
            self._sizes, self.radii, self._plain = None, None, None
            return
        sizes = np.asarray(self._per_point(diameters), dtype=np.float64)
        known = np.isfinite(sizes)
        if known.any() and not (sizes[known].min() > 0 and sizes[known].max() <= LARGEST_DIAMETER):
            raise ValueError(f"diameters are between 0 and {LARGEST_DIAMETER:g} pixels")
        least, most = (float(f(sizes[known])) for f in (np.min, np.max)) if known.any() else (4.0, 4.0)
        last = raster.SIZE_CLASSES - 1
        place = np.where(known, sizes - least, 0.0) * (last / (most - least) if most > least else 0.0)
        classes = np.rint(place).astype(np.uint32)
        self._sizes = classes << np.uint32(STAMP_SHIFT + SHAPE_BITS)
        self._sizes |= np.multiply(~known, np.uint32(HOLLOW), dtype=np.uint32)
        self.radii = np.linspace(least, most, raster.SIZE_CLASSES) / 2.0
        self._plain = None

    def set_selection(self, mask: ArrayLike | None) -> None:
        """Points outside the mask (n,) are dimmed."""
        self._selection = self._mask(mask)
        self._all_dimmed = None

    def set_dimmed(self, mask: ArrayLike | None) -> None:
        """Points in the mask (n,) are dimmed, too."""
        self._dimmed = self._mask(mask)
        self._all_dimmed = None

    def dimmed(self) -> Bools | None:
        """(n,) mask of what is dimmed for whatever reason; None if nothing is."""
        if self._selection is None and self._dimmed is None:
            return None
        if self._all_dimmed is None:
            dimmed = self._dimmed
            if self._selection is not None:
                dimmed = ~self._selection if dimmed is None else dimmed | ~self._selection
            assert dimmed is not None
            self._all_dimmed = dimmed
        return self._all_dimmed if self._all_dimmed.any() else None

    def plain_codes(self) -> Codes:
        """(n,) codes of all but what is dimmed, in the order of the data; another array whenever they change."""
        if self._plain is None:
            if self._index is None:
                # the last colour of a table of density is the full one
                codes = np.full(self.count, self.palette.words.shape[1] - 2, np.uint32)
            else:
                codes = self._index.copy()
            if self._missing is not None:
                codes |= np.multiply(self._missing, np.uint32(MISSING), dtype=np.uint32)
            if self._shapes is not None:
                codes |= self._shapes << np.uint32(STAMP_SHIFT)
            if self._sizes is not None:
                codes |= self._sizes
            self._plain = codes
        return self._plain

    def _make_palettes(self, named: bool | None = None) -> None:
        if named is None:
            named = self._index is not None
        if self._lut is not None:
            self.palette = raster.Palette.of(self._lut, self._theme)
        # a colour of the property must not be mistaken for a density
        self.density_lut = _density_lut(self._theme) if self._lut is None or named else self._lut
        self.density_palette = raster.Palette.of(self.density_lut, self._theme)
        if self._lut is None:
            self.palette = raster.Palette.of(self.lut, self._theme)

    def _mask(self, values: ArrayLike | None) -> Bools | None:
        return None if values is None else self._per_point(values).astype(np.bool_)

    def _per_point(self, values: ArrayLike) -> NDArray[Any]:
        array: NDArray[Any] = np.asarray(values)
        if array.shape != (self.count,):
            raise ValueError(f"expected one value for each of {self.count} points, not shape {array.shape}")
        return array


def _some(mask: Bools | None) -> Bools | None:
    return mask if mask is not None and bool(mask.any()) else None


def _density_lut(colors: Theme) -> NDArray[np.uint8]:
    """From near the background over the points' colour to near the foreground: lightness alone tells the order."""
    stops = [
        rgb(mix(colors.background, colors.point, 0.35)),
        rgb(colors.point),
        rgb(mix(colors.point, "#ffffff" if colors.dark else "#06122b", 0.75)),
    ]
    at = np.linspace(0, len(stops) - 1, DENSITY_COLORS)
    columns = [np.interp(at, range(len(stops)), [stop[k] for stop in stops]) for k in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)
