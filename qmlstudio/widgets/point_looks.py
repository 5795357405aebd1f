"""How the points of a map look: colour, symbol, missing, selected; turned into codes for the raster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmlstudio.widgets import raster
from qmlstudio.widgets.raster_numpy import DIMMED, MISSING, STAMP_SHIFT
from qmlstudio.widgets.theme import Theme, rgb

Bools = NDArray[np.bool_]
Codes = NDArray[np.uint32]
DENSITY_COLORS = 64


class PointLooks:
    """Looks of `count` points. Setters check; :meth:`codes` and `palette` are what the raster takes.

    Attributes
    ----------
    mode : "mean", "sample" or "density"
        What a pixel with several points shows when there are too many for stamps.
    palette : raster.Palette
    has_dimmed, has_missing : bool
        Whether any point is, as of the last :meth:`codes`.
    """

    def __init__(self, count: int, colors: Theme) -> None:
        self.count = count
        self.mode: raster.Mode = "density"
        self.has_dimmed = self.has_missing = False
        self._theme = colors
        self._index: Codes | None = None
        self._lut: NDArray[np.uint8] | None = None
        self._missing: Bools | None = None
        self._shapes: Codes | None = None
        self._selection: Bools | None = None
        self._dimmed: Bools | None = None
        self.palette = self._make_palette()

    def set_theme(self, colors: Theme) -> None:
        """Light or dark colours."""
        self._theme = colors
        self.palette = self._make_palette()

    def set_colors(
        self, indices: ArrayLike | None, lut: ArrayLike | None, missing: ArrayLike | None, categorical: bool
    ) -> None:
        """As :meth:`ScatterMap.set_colors`; ValueError leaves everything as it was."""
        table = None if lut is None else np.asarray(lut, dtype=np.uint8)
        codes = None
        if indices is not None:
            if table is None:
                raise ValueError("indices need a colour table")
            codes = np.array(self._per_point(indices), dtype=np.uint32)
            if codes.size and int(codes.max()) >= len(table):
                raise ValueError(f"colour {int(codes.max())} of a table of {len(table)}")
        hollow = self._mask(missing)
        before, self._lut = self._lut, table
        try:
            self.palette = self._make_palette()
        except ValueError:
            self._lut = before
            raise
        self._index, self._missing = codes, hollow
        self.mode = "density" if indices is None else ("sample" if categorical else "mean")

    def set_shapes(self, shapes: ArrayLike | None) -> None:
        """Symbol numbers (n,) into :data:`raster.SHAPES`."""
        if shapes is None:
            self._shapes = None
            return
        numbers = np.array(self._per_point(shapes), dtype=np.uint32)
        if numbers.size and int(numbers.max()) >= len(raster.SHAPES):
            raise ValueError(f"shape {int(numbers.max())} of {len(raster.SHAPES)}")
        self._shapes = numbers

    def set_selection(self, mask: ArrayLike | None) -> None:
        """Points outside the mask (n,) are dimmed."""
        self._selection = self._mask(mask)

    def set_dimmed(self, mask: ArrayLike | None) -> None:
        """Points in the mask (n,) are dimmed, too."""
        self._dimmed = self._mask(mask)

    def codes(self) -> Codes:
        """(n,) codes in the order of the data, as :meth:`raster.Canvas.draw` takes them."""
        if self._index is None:
            # the last colour of a table of density is the full one
            codes = np.full(self.count, self.palette.words.shape[1] - 2, np.uint32)
        else:
            codes = self._index.copy()
        dimmed = None if self._selection is None else ~self._selection
        if self._dimmed is not None:
            dimmed = self._dimmed if dimmed is None else dimmed | self._dimmed
        self.has_missing = self._missing is not None and bool(self._missing.any())
        self.has_dimmed = dimmed is not None and bool(dimmed.any())
        if self._missing is not None and self.has_missing:
            codes |= np.multiply(self._missing, np.uint32(MISSING), dtype=np.uint32)
        if dimmed is not None and self.has_dimmed:
            codes |= np.multiply(dimmed, np.uint32(DIMMED), dtype=np.uint32)
        if self._shapes is not None:
            codes |= self._shapes << np.uint32(STAMP_SHIFT)
        return codes

    def _make_palette(self) -> raster.Palette:
        if self._lut is not None:
            return raster.Palette.of(self._lut, self._theme)
        point, background = (np.array(rgb(c), np.float64) for c in (self._theme.point, self._theme.background))
        steps = np.linspace(0.35, 1.0, DENSITY_COLORS)[:, None]
        return raster.Palette.of(np.rint(background + (point - background) * steps).astype(np.uint8), self._theme)

    def _mask(self, values: ArrayLike | None) -> Bools | None:
        return None if values is None else self._per_point(values).astype(np.bool_)

    def _per_point(self, values: ArrayLike) -> NDArray[Any]:
        array: NDArray[Any] = np.asarray(values)
        if array.shape != (self.count,):
            raise ValueError(f"expected one value for each of {self.count} points, not shape {array.shape}")
        return array
