"""Tiles of a symmetric matrix, coloured when first drawn; the oldest go."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, qRgb

from qmlstudio.session.coloring import palette
from qmlstudio.session.kernel_picture import TILE, TileKey

Tile = NDArray[np.float32]

KEPT = 512
"""Tiles in memory: 32 MB of numbers, and 8 MB of colours."""
MISSING = 255
"""Of the colour table: what is not a number."""


class TileCache:
    """Only tiles on and above the diagonal are kept; those below are their mirror images."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[TileKey, Tile] = OrderedDict()
        self._images: dict[TileKey, QImage] = {}
        self.low, self.high, self.log = 0.0, 1.0, False
        lut = palette("viridis")[np.linspace(0, 255, MISSING).round().astype(int)]
        self._table = [qRgb(*(int(v) for v in color)) for color in lut] + [qRgb(128, 128, 128)]

    def __contains__(self, key: TileKey) -> bool:
        return _upper(key) in self._tiles

    def __len__(self) -> int:
        return len(self._tiles)

    def clear(self) -> None:
        """Forget all."""
        self._tiles.clear()
        self._images.clear()

    def set_range(self, low: float, high: float, log: bool) -> None:
        """Values of the first and the last colour."""
        self.low, self.high, self.log = low, high, log
        self._images.clear()

    def put(self, tiles: dict[TileKey, Tile]) -> None:
        """Add tiles."""
        for key, values in tiles.items():
            upper = _upper(key)
            self._tiles[upper] = values if upper == key else values.T
            self._tiles.move_to_end(upper)
            self._images.pop(key, None)
            self._images.pop((key[0], key[2], key[1]), None)
        while len(self._tiles) > KEPT:
            old, _ = self._tiles.popitem(last=False)
            self._images.pop(old, None)
            self._images.pop((old[0], old[2], old[1]), None)

    def values(self, key: TileKey) -> Tile | None:
        """(≤ TILE, ≤ TILE); None when it is not there."""
        upper = _upper(key)
        found = self._tiles.get(upper)
        return found if found is None or upper == key else found.T

    def value(self, key: TileKey, row: int, column: int) -> float:
        """One sample; NaN when it is not there."""
        found = self.values(key)
        if found is None or row >= found.shape[0] or column >= found.shape[1]:
            return float("nan")
        return float(found[row, column])

    def image(self, key: TileKey) -> QImage | None:
        """A tile in colours, TILE pixels wide and high whatever it holds; None when it is not there."""
        values = self.values(key)
        if values is None:
            return None
        self._tiles.move_to_end(_upper(key))
        image = self._images.get(key)
        if image is None:
            colors = np.full((TILE, TILE), MISSING, dtype=np.uint8)
            colors[: values.shape[0], : values.shape[1]] = self.colors(values)
            image = QImage(colors.data, TILE, TILE, TILE, QImage.Format.Format_Indexed8).copy()
            image.setColorTable(self._table)
            self._images[key] = image
        return image

    def nearest(self, key: TileKey, top: int) -> tuple[QImage, QRectF] | None:
        """The finest tile there is that shows a place, and which part of it that is; None when there is none."""
        level, i, j = key
        for up in range(max(top - level, 0) + 1):
            image = self.image((level + up, i >> up, j >> up))
            if image is not None:
                side = TILE / (1 << up)
                mask = (1 << up) - 1
                return image, QRectF((j & mask) * side, (i & mask) * side, side, side)
        return None

    def colors(self, values: Tile) -> NDArray[np.uint8]:
        """Places in the colour table."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            if self.log:
                low, high = math.log10(self.low), math.log10(self.high)
                # what is not positive is below all
                shares = np.log10(np.maximum(values.astype(np.float64), self.low * 1e-3))
                shares = np.where(np.isnan(values), np.nan, shares)
            else:
                low, high = self.low, self.high
                shares = values.astype(np.float64)
            shares = (shares - low) / (high - low) if high > low else np.where(np.isnan(shares), np.nan, 0.5)
        places = np.clip(np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0) * (MISSING - 1)
        result: NDArray[np.uint8] = np.where(np.isnan(shares), MISSING, places.round()).astype(np.uint8)
        return result


def _upper(key: TileKey) -> TileKey:
    return key if key[1] <= key[2] else (key[0], key[2], key[1])
