"""Many panels as small multiples under headings: curves, bars and matrices that fill the width and scroll."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from qmlstudio.widgets.descriptor_bars import GROUPS
from qmlstudio.widgets.descriptor_data import DescriptorData
from qmlstudio.widgets.descriptor_panels import LEFT, RIGHT, Panel, Style
from qmlstudio.widgets.descriptor_scale import Scale, diverging, number
from qmlstudio.widgets.descriptor_tiles import FOOT, TITLE, BarsTile, MatrixTile, Tile, make_tile
from qmlstudio.widgets.theme import mix

Array = NDArray[Any]
OVERVIEW = 12.0
"""Height of the strip in which every panel is a field, px."""
_GAP = 10.0
_HEADING = 18.0
_NARROWEST = 112.0
"""Of curves, px."""
_CURVE = 54.0
_TALLEST = 150.0
_SIDES = (280.0, 210.0, 160.0, 120.0, 92.0, 72.0)
"""Sides of matrices that are tried, px: the largest with which nothing need be scrolled."""


@dataclass(eq=False)
class _Block:
    """Panels of one kind that follow each other under one heading and share a scale."""

    title: str
    kind: str
    scale: Scale
    axis: str
    tiles: list[Tile]
    heading_number: int = 0
    lut: Array | None = None
    heading: QRectF = field(default_factory=QRectF)
    margin: float = 0.0
    rows: list[list[Tile]] = field(default_factory=list)


class GridPanel(Panel):
    """Panels in rows. Coordinates run over the whole height; :attr:`height` says how much that is."""

    def __init__(self, blocks: list[_Block], style: Style) -> None:
        self._blocks = blocks
        self._style = style
        self._area = QRectF()
        self._height = 0.0
        self._part: Array | None = None
        self.tiles = [tile for block in blocks for tile in block.tiles]
        self.is_empty = not self.tiles
        self._boxes = np.zeros((0, 4))
        size = max((int(t.columns.max(initial=-1)) + 1 for t in self.tiles), default=0)
        self._tile_of = np.full(size, -1, dtype=np.int64)
        for k, tile in enumerate(self.tiles):
            own = tile.columns
            self._tile_of[own[self._tile_of[own] < 0]] = k

    @classmethod
    def of(cls, values: Array, data: DescriptorData, style: Style, reference: Array | None) -> GridPanel:
        """From a row of features; panels that the structure (and the reference) leaves empty are left out."""
        values = np.where(np.isfinite(values), values, 0.0)
        filled = data.values != 0
        if reference is not None:
            filled = filled | (reference != 0)
        counts = np.concatenate([[0], np.cumsum(filled)])
        blocks: list[_Block] = []
        headings = 0
        for panel in data.panels:
            if panel.stop <= panel.start or counts[panel.stop] == counts[panel.start]:
                continue
            tile = make_tile(panel, values, style)
            new = not blocks or blocks[-1].tiles[-1].panel.group != panel.group
            headings += new
            # under one heading what is alike stands together, whatever the order
            under = [] if new else [b for b in blocks if b.heading_number == headings]
            block = next((b for b in under if b.kind == tile.kind), None)
            if block is None:
                title = panel.group if new else ""
                block = _Block(title, tile.kind, Scale("linear", 0, 1), "", [], heading_number=headings)
                blocks.append(block)
            block.tiles.append(tile)
            tile.color = GROUPS[(headings - 1) % len(GROUPS)]
        for block in blocks:
            _scale(block, style)
        return cls(blocks, style)

    @property
    def height(self) -> float:
        return self._height

    def set_part(self, part: Array | None) -> None:
        if part is None or self._style.difference:
            self._part = None
        else:
            self._part = np.where(np.isfinite(part), part, 0.0)

    # layout

    def lay_out(self, area: QRectF) -> None:
        if area == self._area or self.is_empty:
            return
        self._area = QRectF(area)
        sides = _SIDES if any(block.kind == "matrix" for block in self._blocks) else _SIDES[-1:]
        for side in sides:
            used = self._place(area, side, _CURVE)
            if used <= area.height():
                break
        rows = sum(len(b.rows) for b in self._blocks if b.kind != "matrix")
        if rows and used < area.height():
            tallest = max(_TALLEST, 0.45 * area.height())
            used = self._place(area, side, min(_CURVE + (area.height() - used) / rows, tallest))
        self._height = used
        self._boxes = np.array(
            [(t.box.left(), t.box.top(), t.box.right(), t.box.bottom()) for t in self.tiles], dtype=np.float64
        )

    def _place(self, area: QRectF, side: float, curve: float) -> float:
        y = area.top()
        for block in self._blocks:
            has_heading = bool(block.title or block.kind == "matrix" or self._axes(block))
            if block is not self._blocks[0] and block.title:
                y += 6
            block.heading = QRectF(area.left(), y, area.width(), _HEADING if has_heading else 0.0)
            y += block.heading.height() + (2 if has_heading else 0)
            place = self._place_matrices if block.kind == "matrix" else self._place_plots
            y = place(block, area, y, side if block.kind == "matrix" else curve)
        return y - area.top()

    def _place_plots(self, block: _Block, area: QRectF, y: float, height: float) -> float:
        metrics = QFontMetricsF(self._style.sized(9))
        # how many there will be, the height of the plots decides, which is not known yet
        numbers = [number(t) for count in (3, 5, 8, 12) for t in block.scale.ticks(count)]
        block.margin = max((metrics.horizontalAdvance(n) for n in numbers), default=10.0) + 7
        room = area.width() - block.margin - 2
        if block.kind == "bars":
            wants = [max(18.0 * (t.panel.stop - t.panel.start), 60.0) for t in block.tiles]
        else:
            wants = [_NARROWEST] * len(block.tiles)
        block.rows = _rows(block.tiles, wants, room)
        most = max((len(row) for row in block.rows), default=1)
        left = area.left() + block.margin
        for row in block.rows:
            # a last row that is not full keeps the widths of the others; bars share by their number
            if block.kind == "curve":
                widths = [(room - _GAP * (most - 1)) / most] * len(row)
            else:
                shares = [float(t.panel.stop - t.panel.start) for t in row]
                widths = [max((room - _GAP * (len(row) - 1)) * s / sum(shares), 24.0) for s in shares]
                if len(row) == 1 and shares[0] * 46 < widths[0]:
                    widths[0] = shares[0] * 46
            feet = [
                tile.lay_out_names(wide) if isinstance(tile, BarsTile) else FOOT
                for tile, wide in zip(row, widths, strict=True)
            ]
            foot, x = max(feet), left
            for tile, wide in zip(row, widths, strict=True):
                tile.plot = QRectF(x, y + TITLE, wide, height)
                tile.box = QRectF(x - 3, y, wide + 6, TITLE + height + foot)
                x += wide + _GAP
            y += TITLE + height + foot + 4
        return y

    def _place_matrices(self, block: _Block, area: QRectF, y: float, side: float) -> float:
        room = area.width() - 4
        widest = max(t.cells.shape[1] for t in block.tiles if isinstance(t, MatrixTile))
        tallest = max(t.cells.shape[0] for t in block.tiles if isinstance(t, MatrixTile))
        cell = min(side / max(widest, tallest), room / widest, 26.0)
        most = max(1, min(int((room + _GAP) / (cell * widest + _GAP)), len(block.tiles)))
        if most < len(block.tiles):
            # more rows follow: the width is used up
            cell = min(((room + _GAP) / most - _GAP) / widest, 26.0)
        block.rows = [block.tiles[k : k + most] for k in range(0, len(block.tiles), most)]
        for row in block.rows:
            x = area.left() + 2
            for tile in row:
                assert isinstance(tile, MatrixTile)
                rows, columns = tile.cells.shape
                tile.plot = QRectF(x, y + TITLE, cell * columns, cell * rows)
                tile.box = QRectF(x, y, max(cell * columns, 20.0), TITLE + cell * rows)
                x += cell * widest + _GAP
            y += TITLE + max(t.plot.height() for t in row) + 6
        return y

    # painting

    def paint(self, painter: QPainter, atoms: frozenset[int], matching: list[int]) -> None:
        visible = painter.clipBoundingRect() if painter.hasClipping() else self._area.adjusted(0, 0, 0, 1e6)
        for block in self._blocks:
            if block.heading.intersects(visible):
                self._paint_heading(painter, block)
            for row in block.rows:
                top, bottom = row[0].box.top(), max(t.box.bottom() for t in row)
                if bottom < visible.top() or top > visible.bottom():
                    continue
                if block.kind != "matrix":
                    self._paint_values(painter, block, row[0])
                for tile in row:
                    tile.paint(painter, self._part)

    def _paint_heading(self, painter: QPainter, block: _Block) -> None:
        colors, box = self._style.colors, block.heading
        if box.height() <= 0:
            return
        bold = self._style.sized(11)
        bold.setWeight(QFont.Weight.DemiBold)
        metrics, small = QFontMetricsF(bold), QFontMetricsF(self._style.sized(9))
        if block is not self._blocks[0] and block.title:
            painter.setPen(QPen(QColor(colors.grid), 1))
            painter.drawLine(box.topLeft() - QPointF(0, 2), box.topRight() - QPointF(0, 2))
        right = box.right() - 2
        if block.kind == "matrix":
            right = self._paint_ramp(painter, block, box) - 8
        painter.setFont(self._style.sized(9))
        painter.setPen(QColor(colors.muted))
        words = self._axes(block)
        title = metrics.horizontalAdvance(block.title) + 12 if block.title else 0.0
        shown = small.elidedText(words, Qt.TextElideMode.ElideRight, max(right - box.left() - title, 0.0))
        painter.drawText(QRectF(box.left(), box.top(), right - box.left(), box.height()), RIGHT, shown)
        painter.setFont(bold)
        painter.setPen(QColor(colors.foreground))
        room = right - box.left() - (small.horizontalAdvance(shown) + 8 if shown else 0.0)
        painter.drawText(box, LEFT, metrics.elidedText(block.title, Qt.TextElideMode.ElideRight, room))

    def _axes(self, block: _Block) -> str:
        """What the axes are, in a few signs."""
        if block.kind == "matrix":
            panel = block.tiles[0].panel
            words = [f"{panel.row_axis} ↓" if panel.row_axis else "", f"{panel.axis} →" if panel.axis else ""]
        else:
            scale = self._style.scale_title(block.scale)
            words = [f"{block.axis} →" if block.axis else "", f"↑ {scale}" if scale else ""]
        return "   ".join(w for w in words if w)

    def _paint_ramp(self, painter: QPainter, block: _Block, box: QRectF) -> float:
        """The colours' scale at the right of a heading; returns its left end."""
        colors = self._style.colors
        painter.setFont(self._style.sized(9))
        metrics = QFontMetricsF(painter.font())
        low, high = number(block.scale.low), number(block.scale.high)
        title = self._style.scale_title(block.scale)
        high += f" {title}" if title else ""
        wide = metrics.horizontalAdvance(high)
        ramp = np.full((1, 256, 4), 255, dtype=np.uint8)
        ramp[0, :, :3] = (self._style.lut if block.lut is None else block.lut)[:, ::-1]
        bar = QRectF(box.right() - 2 - wide - 4 - 56, box.center().y() - 4, 56, 8)
        painter.drawImage(bar, QImage(ramp.tobytes(), 256, 1, 1024, QImage.Format.Format_RGB32))
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(bar)
        painter.setPen(QColor(colors.muted))
        painter.drawText(QRectF(bar.right() + 4, box.top(), wide + 2, box.height()), LEFT, high)
        start = bar.left() - 4 - metrics.horizontalAdvance(low)
        painter.drawText(QRectF(start - 2, box.top(), bar.left() - start - 2, box.height()), RIGHT, low)
        return start

    def _paint_values(self, painter: QPainter, block: _Block, tile: Tile) -> None:
        """Numbers at the left of a row."""
        painter.setFont(self._style.sized(9))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(self._style.colors.muted))
        plot, last = tile.plot, np.inf
        for value in block.scale.ticks(max(3, int(plot.height() / 20))):
            y = plot.bottom() - float(block.scale(value)) * plot.height()
            if y > last - metrics.height() + 3:
                continue
            last = y
            area = QRectF(plot.left() - block.margin, y - metrics.height() / 2, block.margin - 5, metrics.height())
            painter.drawText(area, RIGHT, number(value))

    # overview

    def paint_overview(self, painter: QPainter, box: QRectF, top: float, bottom: float) -> None:
        """Every panel as a field of the strip, as bright as its largest value; what is on screen is underlined."""
        colors, style = self._style.colors, self._style
        strengths = np.array([t.strength for t in self.tiles])
        ground = QColor(mix(colors.grid, colors.background, 0.2))
        pixels = np.full((1, len(strengths), 4), 255, dtype=np.uint8)
        raised = np.sqrt(strengths / max(float(strengths.max()), 1e-300))
        if style.difference:
            raised = 0.5 + 0.5 * raised
        shades = style.lut[np.rint(255 * raised).astype(np.intp)]
        pixels[0, :, :3] = shades[:, ::-1]
        painter.fillRect(box, ground)
        strip = box.adjusted(0, 0, 0, -4)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(
            strip, QImage(pixels.tobytes(), len(strengths), 1, 4 * len(strengths), QImage.Format.Format_RGB32)
        )
        on_screen = np.flatnonzero((self._boxes[:, 3] > top) & (self._boxes[:, 1] < bottom))
        if len(on_screen):
            step = box.width() / len(strengths)
            x, end = box.left() + step * on_screen[0], box.left() + step * (on_screen[-1] + 1)
            painter.fillRect(QRectF(x, strip.bottom() + 1, max(end - x, 3.0), 3.0), QColor(colors.accent))

    def overview_hit(self, box: QRectF, x: float) -> Tile:
        """The tile whose field of the strip is at x."""
        k = int((x - box.left()) / max(box.width(), 1.0) * len(self.tiles))
        return self.tiles[min(max(k, 0), len(self.tiles) - 1)]

    def heading_of(self, tile: Tile) -> str:
        """Under which heading a tile stands, and its title."""
        return " · ".join(t for t in (tile.panel.group, tile.panel.title) if t)

    # what is where

    def tile_of(self, column: int) -> Tile | None:
        """The tile that draws a column."""
        if not 0 <= column < len(self._tile_of) or self._tile_of[column] < 0:
            return None
        return self.tiles[int(self._tile_of[column])]

    def boxes(self, column: int) -> list[QRectF]:
        tile = self.tile_of(column)
        return [] if tile is None else tile.boxes(column)

    def hit(self, position: QPointF) -> int:
        if not len(self._boxes):
            return -1
        x, y = position.x(), position.y()
        inside = (self._boxes[:, 0] <= x) & (x <= self._boxes[:, 2]) & (self._boxes[:, 1] <= y)
        for k in np.flatnonzero(inside & (y <= self._boxes[:, 3])):
            column = self.tiles[int(k)].hit(position)
            if column >= 0:
                return column
        return -1

    def neighbour(self, column: int, rows: int, columns: int) -> int:
        tile = self.tile_of(column)
        if tile is None:
            return int(self.tiles[0].columns[0])
        inside = tile.step(column, rows, columns)
        if inside >= 0:
            return inside
        at = self.tiles.index(tile)
        if columns:
            to = at + (1 if columns > 0 else -1)
            if not 0 <= to < len(self.tiles):
                return column
            own = self.tiles[to].columns
            return int(own[0] if columns > 0 else own[-1])
        place = tile.boxes(column)[-1].center()
        lines = [row for block in self._blocks for row in block.rows]
        here = next(k for k, row in enumerate(lines) if tile in row)
        to = here + (1 if rows > 0 else -1)
        if not 0 <= to < len(lines):
            return column
        nearest = min(lines[to], key=lambda t: abs(t.plot.center().x() - place.x()))
        return nearest.entry(place.x())


def _scale(block: _Block, style: Style) -> None:
    """One scale for a block's tiles, and the axis that they share."""
    own = np.concatenate([t.own_values() for t in block.tiles])
    if block.kind == "curve":
        # curves fall to nothing smoothly: a logarithm would show only where they are not
        block.scale = Scale.linear(own, symmetric=style.difference).from_zero()
    elif block.kind == "bars":
        scale = Scale.of(own, symmetric=style.difference).from_zero()
        if scale.kind == "symlog" and not style.difference:
            # no room for what is not there: few of many signs may be negative
            scale = Scale("symlog", min(float(own.min()), 0.0), max(float(own.max()), 0.0), scale.width)
        block.scale = scale
    else:
        signed = bool(own.min(initial=0.0) < 0 < own.max(initial=0.0))
        block.scale = Scale.of(own, symmetric=style.difference or signed)
        if signed and not style.difference:
            # zero in the middle, in the colour of nothing
            block.lut = diverging(style.colors.dark)
            for tile in block.tiles:
                tile.style = replace(style, lut=block.lut)
    axes = {t.panel.axis for t in block.tiles}
    block.axis = axes.pop() if len(axes) == 1 else ""
    for tile in block.tiles:
        tile.own_axis = "" if block.axis or block.kind == "matrix" else tile.panel.axis
        tile.set_scale(block.scale)


def _rows(tiles: list[Tile], wants: list[float], room: float) -> list[list[Tile]]:
    """Tiles, in order, into rows."""
    rows: list[list[Tile]] = []
    used = np.inf
    for tile, want in zip(tiles, wants, strict=True):
        if used + want > room:
            rows.append([])
            used = 0.0
        rows[-1].append(tile)
        used += want + _GAP
    return rows
