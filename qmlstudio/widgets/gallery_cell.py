"""How one cell of the gallery is painted: ground, picture, captions, and the marks of what it is to the others."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from qmlstudio.widgets.theme import mix, theme

PADDING: Final = 5
TILES: Final = 500
"""Painted cells that are kept: some screens of them."""
_ASPECT: Final = 0.74
"""Height of a picture by its width."""


@dataclass(frozen=True)
class Cell:
    """What one cell shows.

    Attributes
    ----------
    image : QImage or None
    title : str
        In the place of a picture that is not there.
    waits : bool
        Whether the picture will come.
    lines : tuple of str
        Captions, elided; the first is the name.
    is_selected, is_active, is_hovered, is_dimmed : bool
    pin : int
        Number of the pin; 0: not pinned.
    has_focus : bool
        Whether the keyboard is the gallery's.
    """

    image: QImage | None
    title: str
    waits: bool
    lines: tuple[str, ...]
    is_selected: bool = False
    is_active: bool = False
    is_hovered: bool = False
    is_dimmed: bool = False
    pin: int = 0
    has_focus: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """Two cells of one structure with equal keys look alike, as long as size, captions and colours stay."""
        return (
            0 if self.image is None else self.image.cacheKey(),
            self.waits,
            self.is_selected,
            self.is_active,
            self.is_hovered,
            self.is_dimmed,
            self.pin,
            self.has_focus and self.is_active,
        )


class CellPainter:
    """Keeps fonts, measures and colours, and the cells painted last: a scrolled one costs one copy of pixels.

    `begin`, any number of cells, `end`.
    """

    def __init__(self) -> None:
        self._colors = theme(False)
        self._highlight = QColor("#2f7ad1")
        self._font, self._small = QFont(), QFont()
        self._metrics = self._small_metrics = QFontMetrics(self._font)
        self._width = 100
        self._painter: QPainter | None = None
        self._tiles: OrderedDict[int, tuple[tuple[object, ...], QPixmap]] = OrderedDict()
        self.picture = QSize(100, 74)
        self.height = 100

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._colors = theme(dark)
        self.forget()

    def forget(self) -> None:
        """Captions or structures are others now."""
        self._tiles.clear()

    def prepare(self, font: QFont, size: int, width: int, lines: int) -> None:
        """Measure: pictures for cells of `size` pixels, which may be `width` wide, with `lines` captions."""
        self.forget()
        self._font = QFont(font)
        self._small = QFont(font)
        if font.pointSizeF() > 0:
            self._small.setPointSizeF(max(font.pointSizeF() * 0.9, 6.5))
        self._metrics, self._small_metrics = QFontMetrics(self._font), QFontMetrics(self._small)
        self._width = width
        inner = size - 2 * PADDING
        self.picture = QSize(inner, round(_ASPECT * inner))
        self.height = (
            2 * PADDING
            + self.picture.height()
            + (self._metrics.height() if lines else 0)
            + max(lines - 1, 0) * self._small_metrics.height()
            + 2
        )

    def elided(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """Captions cut to the width of a cell."""
        room, right = self._width - 2 * PADDING, Qt.TextElideMode.ElideRight
        return tuple(
            (self._small_metrics if k else self._metrics).elidedText(line, right, room) for k, line in enumerate(lines)
        )

    def begin(self, widget: QWidget, area: QRect) -> None:
        """Start on a widget; everything in `area` is painted over."""
        self._painter = QPainter(widget)
        highlight = widget.palette().color(QPalette.ColorRole.Highlight)
        if highlight != self._highlight:
            self._highlight = highlight
            self.forget()
        self._painter.fillRect(area, QColor(self._colors.background))

    def end(self) -> None:
        """Done with the widget."""
        if self._painter is not None:
            self._painter.end()
            self._painter = None

    def message(self, area: QRect, text: str) -> None:
        """A text in the middle of an empty gallery."""
        painter = self._painter
        assert painter is not None
        painter.setPen(QColor(self._colors.muted))
        painter.setFont(self._font)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(area.adjusted(12, 8, -12, -8), flags, text)

    def cell(self, rect: QRect, index: int, cell: Cell) -> None:
        """One cell, that of structure `index`."""
        painter = self._painter
        assert painter is not None
        key = cell.key
        known = self._tiles.get(index)
        if known is not None and known[0] == key:
            self._tiles.move_to_end(index)
            painter.drawPixmap(rect.topLeft(), known[1])
            return
        ratio = painter.device().devicePixelRatio()
        tile = QPixmap(rect.size() * ratio)
        tile.setDevicePixelRatio(ratio)
        tile.fill(QColor(self._colors.background))
        self._painter = QPainter(tile)
        self._paint(QRect(QPoint(0, 0), rect.size()), cell)
        self._painter.end()
        self._painter = painter
        painter.drawPixmap(rect.topLeft(), tile)
        self._tiles[index] = key, tile
        self._tiles.move_to_end(index)
        while len(self._tiles) > TILES:
            self._tiles.popitem(last=False)

    def _paint(self, rect: QRect, cell: Cell) -> None:
        painter, colors = self._painter, self._colors
        assert painter is not None
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = colors.surface
        if cell.is_selected:
            ground = mix(ground, self._highlight.name(), 0.16)
        box = QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5)
        if cell.is_active:
            pen = QPen(QColor(colors.accent), 3.0 if cell.has_focus else 2.2)
            box = QRectF(rect).adjusted(1.5, 1.5, -1.5, -1.5)
        elif cell.is_hovered:
            pen = QPen(QColor(colors.foreground), 1.4)
        else:
            pen = QPen(self._highlight if cell.is_selected else QColor(mix(colors.border, ground, 0.35)), 1.0)
        painter.setPen(pen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(box, 5.0, 5.0)
        self._picture(rect, cell)
        self._captions(rect, cell)
        if cell.is_selected:
            self._tick(rect)
        if cell.pin:
            self._badge(rect, str(cell.pin))

    def _picture(self, rect: QRect, cell: Cell) -> None:
        painter = self._painter
        assert painter is not None
        size = self.picture
        area = QRect(
            rect.left() + (rect.width() - size.width()) // 2, rect.top() + PADDING, size.width(), size.height()
        )
        if cell.image is None:
            painter.setFont(self._font)
            painter.setPen(QColor(self._colors.muted))
            text = cell.title if cell.waits else f"{cell.title}\n∅"
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
            return
        if cell.is_dimmed:
            painter.setOpacity(1.0 - 0.8 * self._colors.dim)
        ratio = cell.image.devicePixelRatio()
        if round(cell.image.width() / ratio) == size.width() and round(cell.image.height() / ratio) == size.height():
            painter.drawImage(area.topLeft(), cell.image)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, cell.image)
        painter.setOpacity(1.0)

    def _captions(self, rect: QRect, cell: Cell) -> None:
        painter, colors = self._painter, self._colors
        assert painter is not None
        y = rect.top() + PADDING + self.picture.height() + 1
        strong, weak = colors.foreground, colors.muted
        if cell.is_dimmed:
            strong = weak = mix(colors.muted, colors.surface, 0.4)
        for k, line in enumerate(cell.lines):
            metrics = self._small_metrics if k else self._metrics
            painter.setFont(self._small if k else self._font)
            painter.setPen(QColor(weak if k else strong))
            x = rect.left() + max((rect.width() - metrics.horizontalAdvance(line)) // 2, PADDING)
            painter.drawText(x, y + metrics.ascent(), line)
            y += metrics.height()

    def _tick(self, rect: QRect) -> None:
        painter = self._painter
        assert painter is not None
        at = QPointF(rect.left() + 11.0, rect.top() + 11.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._highlight)
        painter.drawEllipse(at, 6.5, 6.5)
        painter.setPen(QPen(QColor("#ffffff"), 1.7, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPolyline([at + QPointF(-3.0, 0.2), at + QPointF(-0.8, 2.4), at + QPointF(3.2, -2.4)])

    def _badge(self, rect: QRect, text: str) -> None:
        """The pin's number, as beside its ring on the map."""
        painter, colors = self._painter, self._colors
        assert painter is not None
        font = QFont(self._font)
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        width = max(17.0, painter.fontMetrics().horizontalAdvance(text) + 9.0)
        flag = QRectF(rect.right() - width - 3.0, rect.top() + 4.0, width, 16.0)
        painter.setPen(QPen(QColor(colors.background), 1.0))
        painter.setBrush(QColor(colors.pin))
        painter.drawRoundedRect(flag, 7.0, 7.0)
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, text)
