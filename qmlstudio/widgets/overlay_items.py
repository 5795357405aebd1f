"""What lies over the points of a map: hulls, links between points, the chip that explains them.

Every item is a child of the view box and paints in its pixels; corners and ends are indices of points, so that they
follow wherever the points go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsObject, QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets import hulls
from qmlstudio.widgets.theme import Theme, mix, rgb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LinkKind = Literal["feature", "map", "false", "path", "raises", "lowers"]

MOST_LINKS = 200
REST_MS = 120
DEAR_MS = 8.0
LINK_KINDS: tuple[LinkKind, ...] = ("feature", "map", "false", "path", "raises", "lowers")

WEIGHTED = ("raises", "lowers")
"""Kinds that are drawn by their weight."""

# blue, grey, vermilion, purple of Okabe and Ito, for light and dark; the patterns differ as well
_LINK_COLORS: dict[str, tuple[str, str]] = {
    "feature": ("#0072b2", "#56b4e9"),
    "map": ("#5c636b", "#b4bac2"),
    "false": ("#c04f00", "#ff8f3f"),
    "path": ("#a0437c", "#e79ac4"),
    "raises": ("#c04f00", "#ff8f3f"),
    "lowers": ("#0072b2", "#56b4e9"),
}
_PEN_STYLES = {
    "feature": Qt.PenStyle.SolidLine,
    "map": Qt.PenStyle.DotLine,
    "false": Qt.PenStyle.DashLine,
    "path": Qt.PenStyle.SolidLine,
    "raises": Qt.PenStyle.SolidLine,
    "lowers": Qt.PenStyle.DashLine,
}
_HULL_PENS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DotLine)
_PADDING = 6.0


@dataclass(frozen=True)
class Link:
    """A line from point `start` to point `end`; several of kind "path" are steps in the order in which they come.

    `weight`, from 0 to 1, makes lines of the kinds "raises" and "lowers" thicker and stronger.
    """

    start: int
    end: int
    kind: LinkKind
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in LINK_KINDS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(LINK_KINDS)}")


class BoxItem(QGraphicsObject):
    """An item that covers the view box and paints in its pixels; `points` (n, 2) are the coordinates as drawn now."""

    def __init__(self, box: pg.ViewBox, colors: Theme, z: float) -> None:
        super().__init__(box)
        self.box = box
        self.colors = colors
        self.points: Floats = np.zeros((0, 2))
        self.setZValue(z)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        box.sigResized.connect(self.fit)
        # mypy sees no signature in pyqtgraph's signal
        box.sigRangeChanged.connect(self._on_box_range_changed)

    def fit(self) -> None:
        """Take the view box's new size."""
        self.prepareGeometryChange()
        self.update()

    def _on_box_range_changed(self) -> None:
        self.update()

    def set_points(self, points: Floats) -> None:
        """The points are somewhere else."""
        self.points = points
        self.update()

    def set_theme(self, colors: Theme) -> None:
        """Light or dark colours."""
        self.colors = colors
        self.update()

    def boundingRect(self) -> QRectF:
        return QRectF(self.box.rect())

    def pixels(self, indices: Ints) -> Floats:
        """Where points (k,) are drawn, (k, 2) pixels of the box; NaN for those that have no place."""
        t = self.box.childTransform()
        chosen = self.points[indices]
        at: Floats = chosen * (t.m11(), t.m22()) + (t.dx(), t.dy())
        # far outside, lines to a point look the same and Qt's dash patterns need for ever
        return np.where(np.isfinite(at), np.clip(at, -2e4, 2e4), np.nan)


class HullItem(BoxItem):
    """Outlines and light fills of groups."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 12.0)
        self.hulls: list[hulls.Hull] = []
        self.tints: list[str] = []
        self.convex = True
        self._cost = 0.0
        self._moving = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._on_rest_timeout)

    def set_hulls(self, found: list[hulls.Hull], tints: list[str], convex: bool) -> None:
        """Show these, each in its colour ``#rrggbb``."""
        self.hulls, self.tints, self.convex = found, tints, convex
        self.update()

    def set_points(self, points: Floats) -> None:
        super().set_points(points)
        self._hurry()

    def _on_box_range_changed(self) -> None:
        super()._on_box_range_changed()
        self._hurry()

    def _hurry(self) -> None:
        """Many large outlines take their time: while they move they are drawn plainly."""
        if self.hulls and self._cost > DEAR_MS:
            self._moving = True
            self._rest.start()

    def _on_rest_timeout(self) -> None:
        self._moving = False
        self.update()

    def polygons(self, hull: hulls.Hull) -> list[Floats]:
        """Rings (k, 2) of a hull in pixels, a little larger than the group where that is possible."""
        if len(hull.corners):
            at = self.pixels(hull.corners)
            at = at[np.isfinite(at).all(axis=1)]
            return [hulls.padded(at, _PADDING)] if len(at) else []
        rings = []
        for ring in hull.rings:
            at = self.pixels(ring)
            at = at[np.isfinite(at).all(axis=1)]
            if len(at):
                rings.append(hulls.padded(at, _PADDING) if self.convex or len(at) < 3 else at)
        return rings

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        clock = QElapsedTimer()
        clock.start()
        fine = not self._moving
        area = self.boundingRect()
        ink = "#ffffff" if self.colors.dark else "#000000"
        for number, (hull, tint) in enumerate(zip(self.hulls, self.tints, strict=True)):
            path = QPainterPath()
            path.setFillRule(Qt.FillRule.OddEvenFill)
            for ring in self.polygons(hull):
                path.addPolygon(_polygon(ring))
                path.closeSubpath()
            if not path.boundingRect().intersects(area):
                continue
            fill = QColor(tint)
            fill.setAlpha(34 if self.colors.dark else 26)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.fillPath(path, fill)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, fine)
            color = QColor(mix(tint, ink, 0.25))
            if fine:
                rim = QColor(self.colors.background)
                rim.setAlpha(170)
                painter.setPen(QPen(rim, 3.4))
                painter.drawPath(path)
            # neighbouring groups differ by pattern, too
            painter.setPen(QPen(color, 1.6, _HULL_PENS[number % len(_HULL_PENS)]) if fine else QPen(color, 0))
            painter.drawPath(path)
        if fine:
            self._cost = clock.nsecsElapsed() / 1e6


class LinkItem(BoxItem):
    """Lines between points: neighbours among the features, on the map, false ones, steps of a path."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 15.0)
        self.links: list[Link] = []

    def set_links(self, links: list[Link]) -> None:
        """Show these."""
        self.links = links
        self.update()

    @property
    def kinds(self) -> list[LinkKind]:
        """Which kinds there are, in the order of :data:`LINK_KINDS`."""
        present = {link.kind for link in self.links}
        return [kind for kind in LINK_KINDS if kind in present]

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if not self.links:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        start = self.pixels(np.array([link.start for link in self.links], np.int64))
        end = self.pixels(np.array([link.end for link in self.links], np.int64))
        good = np.flatnonzero(np.isfinite(np.hstack([start, end])).all(axis=1)).tolist()
        shown = [(self.links[k], QPointF(*start[k]), QPointF(*end[k])) for k in good]
        # the plainest first: what is marked lies on top
        for kind in ("map", "feature", "false", "path"):
            of_kind = [(a, b) for link, a, b in shown if link.kind == kind]
            for a, b in of_kind:
                paint_link(painter, a, b, kind, self.colors)
            if kind == "path" and of_kind:
                for number, at in enumerate([of_kind[0][0], *(b for _, b in of_kind)], 1):
                    _paint_step(painter, at, number, self.colors)
        weighted = [(link, a, b) for link, a, b in shown if link.kind in WEIGHTED]
        for link, a, b in sorted(weighted, key=lambda found: found[0].weight):
            paint_link(painter, a, b, link.kind, self.colors, link.weight)
            _paint_end(painter, b, link, self.colors)


class LegendItem(BoxItem):
    """The chip in the upper left corner: what the lines mean."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 30.0)
        self.rows: list[tuple[str, str]] = []

    def set_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """(kind of link or "trail" or "", text) from top to bottom; none: no chip."""
        self.rows = list(rows)
        self.update()

    def frame(self) -> QRectF:
        """The chip's rectangle in the box's pixels; empty without rows."""
        if not self.rows:
            return QRectF()
        metrics = QFontMetricsF(_font())
        width = max((34.0 if kind else 0.0) + metrics.horizontalAdvance(text) for kind, text in self.rows) + 16.0
        return QRectF(6.0, 6.0, min(width, self.boundingRect().width() - 12.0), 16.0 * len(self.rows) + 8.0)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        frame = self.frame()
        if frame.isEmpty():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        surface = QColor(self.colors.surface)
        surface.setAlpha(235)
        painter.setPen(QPen(QColor(self.colors.border), 1.0))
        painter.setBrush(surface)
        painter.drawRoundedRect(frame, 4.0, 4.0)
        painter.setFont(_font())
        metrics = QFontMetricsF(_font())
        for row, (kind, text) in enumerate(self.rows):
            left, y = frame.left() + 8.0, frame.top() + 12.0 + 16.0 * row
            if kind in LINK_KINDS:
                paint_link(painter, QPointF(left, y), QPointF(left + 24.0, y), kind, self.colors)
            elif kind:
                painter.setPen(QPen(QColor(self.colors.foreground), 1.6))
                painter.drawLine(QPointF(left, y), QPointF(left + 24.0, y))
                paint_arrow(painter, QPointF(left + 15.0, y), (1.0, 0.0), self.colors.foreground, self.colors)
            left += 34.0 if kind else 0.0
            painter.setPen(QColor(self.colors.foreground))
            place = QRectF(left, y - 8.0, frame.right() - 6.0 - left, 16.0)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, place.width() + 1.0)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def paint_link(painter: QPainter, a: QPointF, b: QPointF, kind: str, colors: Theme, weight: float = 0.4) -> None:
    """One line in the manner of its kind, with a rim in the background's colour."""
    color = QColor(_LINK_COLORS[kind][colors.dark])
    width = 3.6 if kind == "path" else 1.8
    rim = QColor(colors.background)
    rim.setAlpha(190)
    if kind in WEIGHTED:
        width = 0.8 + 3.2 * weight
        color.setAlphaF(0.45 + 0.55 * weight)
        rim.setAlphaF(0.35 + 0.4 * weight)
    painter.setPen(QPen(rim, width + 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    painter.drawLine(a, b)
    painter.setPen(QPen(color, width, _PEN_STYLES[kind], Qt.PenCapStyle.FlatCap))
    painter.drawLine(a, b)
    if kind == "false":
        for pen in (QPen(rim, 4.6), QPen(color, 2.0)):
            painter.setPen(pen)
            painter.drawLine(b + QPointF(-4, -4), b + QPointF(4, 4))
            painter.drawLine(b + QPointF(-4, 4), b + QPointF(4, -4))


def paint_arrow(painter: QPainter, tip: QPointF, along: tuple[float, float], fill: str, colors: Theme) -> None:
    """A small filled arrow head, its direction a unit vector."""
    x, y = along
    back = tip - QPointF(8.0 * x, 8.0 * y)
    side = QPointF(-3.6 * y, 3.6 * x)
    painter.setPen(QPen(QColor(colors.background), 1.0))
    painter.setBrush(QColor(fill))
    painter.drawPolygon(QPolygonF([tip, back + side, back - side]))


def _paint_end(painter: QPainter, at: QPointF, link: Link, colors: Theme) -> None:
    """A ring about a training structure, as large as its weight."""
    radius = 3.0 + 4.0 * link.weight
    for color, width in ((colors.background, 3.4), (_LINK_COLORS[link.kind][colors.dark], 1.6)):
        painter.setPen(QPen(QColor(color), width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, radius, radius)


def _paint_step(painter: QPainter, at: QPointF, number: int, colors: Theme) -> None:
    color = QColor(_LINK_COLORS["path"][colors.dark])
    font = _font()
    font.setBold(True)
    painter.setFont(font)
    width = max(16.0, QFontMetricsF(font).horizontalAdvance(str(number)) + 8.0)
    frame = QRectF(at.x() - width / 2, at.y() - 8.0, width, 16.0)
    painter.setPen(QPen(QColor(colors.background), 1.5))
    painter.setBrush(color)
    painter.drawRoundedRect(frame, 8.0, 8.0)
    painter.setPen(QColor(ink_on(color.name())))
    painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, str(number))


def ink_on(color: str) -> str:
    """Black or white, whichever is read better on a colour."""
    red, green, blue = rgb(color)
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def _font() -> QFont:
    font = QFont()
    font.setPixelSize(11)
    return font


def _polygon(ring: Floats) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in ring.tolist()])
