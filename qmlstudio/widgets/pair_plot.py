"""Points by two columns, with straight lines through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets.histogram_painter import small
from qmlstudio.widgets.map_canvas import MapCanvas
from qmlstudio.widgets.overlay_items import BoxItem
from qmlstudio.widgets.scatter import ScatterMap


@dataclass(frozen=True)
class FitLine:
    """y = slope · x + intercept.

    Attributes
    ----------
    name : str
        What the legend says.
    slope, intercept : float
    role : "all", "selected" or "robust"
        The first is solid, the second dashed, the third dotted.
    """

    name: str
    slope: float
    intercept: float
    role: str


_STYLES = {"all": Qt.PenStyle.SolidLine, "selected": Qt.PenStyle.DashLine, "robust": Qt.PenStyle.DotLine}


class LinesItem(BoxItem):
    """The lines across the whole view, with a legend in the corner at the top right."""

    lines: tuple[FitLine, ...] = ()

    def set_lines(self, lines: Sequence[FitLine]) -> None:
        """Draw these lines in place of the former."""
        self.lines = tuple(lines)
        self.update()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if not self.lines:
            return
        painter.setClipRect(self.boundingRect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        (x0, x1), (y0, y1) = self.box.viewRange()
        t = self.box.childTransform()
        found = []
        for line in self.lines:
            ends = _visible(line, x0, x1, y0, y1)
            if ends is not None:
                found.append((line, t.map(QPointF(*ends[0])), t.map(QPointF(*ends[1]))))
        # rims keep the lines visible on any points; all of them first, since a line may lie on another
        painter.setPen(QPen(QColor(self.colors.background), 4.0))
        for _, a, b in found:
            painter.drawLine(a, b)
        for line, a, b in found:
            painter.setPen(self._pen(line))
            painter.drawLine(a, b)
        self._paint_legend(painter)

    def _pen(self, line: FitLine) -> QPen:
        color = self.colors.point if line.role == "selected" else self.colors.foreground
        return QPen(QColor(color), 2.0, _STYLES.get(line.role, Qt.PenStyle.SolidLine))

    def _paint_legend(self, painter: QPainter) -> None:
        painter.setFont(small(painter.font()))
        metrics, whole = QFontMetricsF(painter.font()), self.boundingRect()
        room = whole.width() * 0.5 - 40
        texts = [metrics.elidedText(line.name, Qt.TextElideMode.ElideRight, max(room, 40)) for line in self.lines]
        width = max(metrics.horizontalAdvance(text) for text in texts) + 38
        height = len(texts) * metrics.height() + 6
        frame = QRectF(whole.right() - width - 4, whole.top() + 4, width, height)
        ground = QColor(self.colors.surface)
        ground.setAlpha(225)
        painter.setPen(QPen(QColor(self.colors.border), 1.0))
        painter.setBrush(ground)
        painter.drawRoundedRect(frame, 4.0, 4.0)
        y = frame.top() + 3
        for line, text in zip(self.lines, texts, strict=True):
            painter.setPen(self._pen(line))
            middle = y + metrics.height() / 2
            painter.drawLine(QPointF(frame.left() + 6, middle), QPointF(frame.left() + 26, middle))
            painter.setPen(QColor(self.colors.foreground))
            painter.drawText(QPointF(frame.left() + 31, y + metrics.ascent()), text)
            y += metrics.height()


def _visible(
    line: FitLine, x0: float, x1: float, y0: float, y1: float
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Where a line enters and leaves the view: pixels far outside are beyond what a painter can draw."""
    if not (math.isfinite(line.slope) and math.isfinite(line.intercept)):
        return None
    low, high = x0, x1
    if line.slope != 0.0:
        cuts = sorted((y - line.intercept) / line.slope for y in (y0, y1))
        low, high = max(x0, cuts[0]), min(x1, cuts[1])
    if not low <= high:
        return None
    a, b = line.slope * low + line.intercept, line.slope * high + line.intercept
    margin = (y1 - y0) * 0.01
    if not (y0 - margin <= a <= y1 + margin and y0 - margin <= b <= y1 + margin):
        return None
    return (low, a), (high, b)


class PairPlot(ScatterMap):
    """The map's points with axes of their own and lines over them."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        self._lines: LinesItem | None = None
        super().__init__(parent, dark)
        self._lines = LinesItem(self.box, self.colors, 15.0)
        self.set_equal_aspect(False)
        self.setAccessibleName(self.tr("Two columns against each other"))

    def set_lines(self, lines: Sequence[FitLine]) -> None:
        """Draw these lines in place of the former."""
        assert self._lines is not None
        self._lines.set_lines(lines)

    def show_hover(self, index: int) -> None:
        """Mark a point that is under the mouse somewhere else; −1: none. Nothing is emitted."""
        MapCanvas._set_hover(self, index if index < self.count else -1)

    @property
    def lines(self) -> tuple[FitLine, ...]:
        """The lines that are drawn."""
        return () if self._lines is None else self._lines.lines

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        if self._lines is not None:
            self._lines.set_theme(self.colors)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 110)
