"""Molecules against records of data sets, both logarithmic, among those of the literature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from qmlstudio.session.comparison.labels import place_labels
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import mix, theme

_DECADES = 12
_BIG, _SMALL = 8.0, 4.0
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class SizePoint:
    """One set.

    Attributes
    ----------
    name : str
    molecules : int or None
        None: a line across, since the number is unknown.
    records : int
    text : str
        For the tooltip.
    style : SetStyle or None
        None: one of the literature's, grey.
    """

    name: str
    molecules: int | None
    records: int
    text: str
    style: SetStyle | None = None


class SizeChart(QWidget):
    """The present sets as big marks, those of the literature small and grey; the tooltip has the citation."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._points: list[SizePoint] = []
        self._cursor = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Sizes: molecules against structures"))

    def set_points(self, points: Sequence[SizePoint]) -> None:
        """Draw these; sets without a structure are left out."""
        self._points = [p for p in points if p.records > 0]
        self._cursor = -1
        own = [p.text.replace("\n", ", ") for p in self._points if p.style is not None]
        self.setAccessibleDescription("; ".join(own))
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    @property
    def points(self) -> tuple[SizePoint, ...]:
        """What is drawn."""
        return tuple(self._points)

    # -- places

    def _area(self) -> QRectF:
        line = self.fontMetrics().height()
        left = line + self.fontMetrics().horizontalAdvance("10¹²") + 14
        return QRectF(self.rect()).adjusted(left, 8, -10, -2 * line - 12)

    def _top(self) -> float:
        largest = max((max(p.records, p.molecules or 1) for p in self._points), default=1)
        return max(float(_DECADES), math.ceil(math.log10(largest) + 0.2))

    def place(self, point: SizePoint) -> QPointF:
        """Where a set is drawn; of one whose molecules are unknown, the right end of its line."""
        area, top = self._area(), self._top()
        across = math.log10(point.molecules) if point.molecules else top
        x = area.left() + area.width() * (across + 0.4) / (top + 0.4)
        y = area.bottom() - area.height() * (math.log10(point.records) + 0.2) / (top + 0.2)
        return QPointF(min(x, area.right()), y)

    def _point_at(self, at: QPointF) -> int:
        best, found = 14.0, -1
        for k, point in enumerate(self._points):
            there = self.place(point)
            away = (
                abs(there.y() - at.y()) + 6
                if point.molecules is None
                else math.hypot(there.x() - at.x(), there.y() - at.y())
            )
            away -= 6 if point.style is not None else 0
            if away < best:
                best, found = away, k
        return found

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            k = self._point_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self._points[k].text if k >= 0 else "", self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._points:
            step = 1 if event.key() == Qt.Key.Key_Right else -1
            self._cursor = (self._cursor + step) % len(self._points)
            point = self._points[self._cursor]
            QToolTip.showText(self.mapToGlobal(self.place(point).toPoint()), point.text, self)
            self.update()
            return
        super().keyPressEvent(event)

    # -- painting

    def sizeHint(self) -> QSize:
        return QSize(640, 460)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, 220)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colors, area = QPainter(self), self._theme, self._area()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(colors.background))
        self._paint_axes(painter, area)
        painter.setClipRect(QRectF(self.rect()))
        small = QFont(painter.font())
        small.setPointSizeF(max(7.0, 0.85 * small.pointSizeF()))
        bold = QFont(painter.font())
        bold.setBold(True)
        # the sets' own names find a place first
        order = sorted(range(len(self._points)), key=lambda k: self._points[k].style is None)
        places = [self.place(self._points[k]) for k in order]
        fonts = [bold if self._points[k].style is not None else small for k in order]
        texts, sizes = [], []
        for k, font in zip(order, fonts, strict=True):
            metrics = QFontMetricsF(font)
            texts.append(metrics.elidedText(self._points[k].name, Qt.TextElideMode.ElideMiddle, 0.4 * area.width()))
            sizes.append((metrics.horizontalAdvance(texts[-1]) + 2, metrics.height()))
        bounds = (area.left() + 1, area.top(), area.width() - 1, area.height())
        # the name of a line across stands above it
        raised = [0.0 if self._points[k].molecules else size[1] / 2 + 2 for k, size in zip(order, sizes, strict=True)]
        marks = [(p.x(), p.y() - rise) for p, rise in zip(places, raised, strict=True)]
        labels = place_labels(marks, sizes, bounds, gap=_BIG + 2)
        for k, at in reversed(list(zip(order, places, strict=True))):
            self._paint_point(painter, self._points[k], at, area, k == self._cursor)
        for k, label, text, font, size in zip(order, labels, texts, fonts, sizes, strict=True):
            if label is None:
                continue
            painter.setFont(font)
            own = self._points[k].style is not None
            painter.setPen(QColor(colors.foreground if own else colors.muted))
            painter.drawText(QPointF(label[0], label[1] + QFontMetricsF(font).ascent()), text)
            if self._points[k].molecules is not None:
                self._paint_leader(painter, label, size, self.place(self._points[k]))
        painter.end()

    def _paint_leader(
        self, painter: QPainter, label: tuple[float, float], size: tuple[float, float], at: QPointF
    ) -> None:
        """A thin line from a label to its point where it stands away from it."""
        x = min(max(at.x(), label[0]), label[0] + size[0])
        y = min(max(at.y(), label[1] + 2), label[1] + size[1] - 2)
        if math.hypot(x - at.x(), y - at.y()) > 1.6 * _BIG:
            painter.setPen(QPen(QColor(mix(self._theme.background, self._theme.muted, 0.6)), 0.8))
            painter.drawLine(QPointF(x, y), at)

    def _paint_point(self, painter: QPainter, point: SizePoint, at: QPointF, area: QRectF, marked: bool) -> None:
        colors = self._theme
        if marked:
            painter.setPen(QPen(QColor(colors.accent), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, _BIG + 4, _BIG + 4)
        if point.molecules is None:
            painter.setPen(QPen(QColor(colors.muted), 1.0, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(area.left(), at.y()), QPointF(area.right(), at.y()))
        elif point.style is not None:
            point.style.paint_mark(painter, at, _BIG, QColor(colors.background))
        else:
            painter.setPen(QPen(QColor(colors.background), 1.0))
            painter.setBrush(QColor(colors.muted))
            painter.drawEllipse(at, _SMALL, _SMALL)

    def _paint_axes(self, painter: QPainter, area: QRectF) -> None:
        colors, metrics, top = self._theme, painter.fontMetrics(), self._top()
        every = 2 if area.width() < 40 * top else 1
        for decade in range(0, int(top) + 1, every):
            x = area.left() + area.width() * (decade + 0.4) / (top + 0.4)
            y = area.bottom() - area.height() * (decade + 0.2) / (top + 0.2)
            text = _power(decade)
            painter.setPen(QPen(QColor(colors.grid), 1.0))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colors.foreground))
            wide = metrics.horizontalAdvance(text) + 8
            box = QRectF(min(x - wide / 2, self.width() - wide), area.bottom() + 4, wide, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
            box = QRectF(area.left() - wide - 4, y - metrics.height() / 2, wide, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        # one record for each molecule
        painter.setPen(QPen(QColor(mix(colors.background, colors.muted, 0.5)), 1.0, Qt.PenStyle.DashLine))
        ends = [self.place(SizePoint("", round(10**d), round(10**d), "")) for d in (0, top)]
        painter.setClipRect(area)
        painter.drawLine(ends[0], ends[1])
        painter.setClipping(False)
        painter.setPen(QPen(QColor(colors.muted), 1.0))
        painter.drawRect(area)
        painter.setPen(QColor(colors.foreground))
        below = QRectF(area.left(), area.bottom() + metrics.height() + 5, area.width(), metrics.height() + 2)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.tr("different molecules"))
        painter.save()
        painter.translate(2, area.center().y())
        painter.rotate(-90)
        side = QRectF(-area.height() / 2, 0, area.height(), metrics.height() + 2)
        painter.drawText(side, Qt.AlignmentFlag.AlignCenter, self.tr("structures (conformations)"))
        painter.restore()


def _power(decade: int) -> str:
    if decade == 0:
        return "1"
    return "10" if decade == 1 else f"10{str(decade).translate(_SUPERSCRIPTS)}"
