"""Categories of the map: swatch, symbol, name and count, each switched on and off by a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QAbstractButton, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from qmlstudio.widgets.theme import Theme, theme


@dataclass(frozen=True)
class Category:
    """One entry: `name`, `color` (three bytes), number of points, and the number of its symbol in ``raster.SHAPES``."""

    name: str
    color: tuple[int, int, int]
    count: int
    shape: int = 0


def symbol_path(shape: int, at: QPointF, r: float) -> QPainterPath:
    """Outline of a map symbol, drawn like the map's own stamps."""
    path = QPainterPath()
    if shape == 1:
        path.addRect(at.x() - 0.88 * r, at.y() - 0.88 * r, 1.76 * r, 1.76 * r)
    elif shape == 2:
        corners = [QPointF(0, -1.44 * r), QPointF(1.25 * r, 0.72 * r), QPointF(-1.25 * r, 0.72 * r)]
        path.addPolygon(QPolygonF([at + c for c in corners]))
        path.closeSubpath()
    elif shape == 3:
        s = 1.25 * r
        path.addPolygon(QPolygonF([at + QPointF(x, y) for x, y in ((0, -s), (s, 0), (0, s), (-s, 0))]))
        path.closeSubpath()
    elif shape in (4, 5):
        a, b = 1.1 * r, 0.4 * r
        arms = [
            (-b, -a),
            (b, -a),
            (b, -b),
            (a, -b),
            (a, b),
            (b, b),
            (b, a),
            (-b, a),
            (-b, b),
            (-a, b),
            (-a, -b),
            (-b, -b),
        ]
        if shape == 5:
            c = float(np.sqrt(0.5))
            arms = [(c * (x - y), c * (x + y)) for x, y in arms]
        path.addPolygon(QPolygonF([at + QPointF(x, y) for x, y in arms]))
        path.closeSubpath()
    else:
        path.addEllipse(at, r, r)
    return path


class _Row(QAbstractButton):
    """One category; Space or a click switches it."""

    alone = Signal()
    """Double click: this category only."""

    def __init__(self, category: Category, colors: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.category, self.colors = category, colors
        self.setCheckable(True)
        self.setChecked(True)
        self.setText(category.name)
        self.setAccessibleName(f"{category.name}, {category.count:,}")
        self.setToolTip(category.name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.font())
        width = metrics.horizontalAdvance(self.text()) + metrics.horizontalAdvance(f"{self.category.count:,}") + 48
        return QSize(min(width, 320), metrics.height() + 6)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.alone.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, on = QFontMetrics(self.font()), self.isChecked()
        color = QColor(*self.category.color)
        path = symbol_path(self.category.shape, QPointF(12, self.height() / 2), 5.0)
        # off is hollow and struck through: not said by colour alone
        painter.setPen(QPen(color, 1.5))
        painter.setBrush(color if on else Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
        count = f"{self.category.count:,}"
        font = painter.font()
        font.setStrikeOut(not on)
        painter.setFont(font)
        painter.setPen(QColor(self.colors.foreground if on else self.colors.muted))
        room = self.width() - 24 - metrics.horizontalAdvance(count) - 16
        text = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
        base = (self.height() + metrics.ascent() - metrics.descent()) // 2
        painter.drawText(24, base, text)
        font.setStrikeOut(False)
        painter.setFont(font)
        painter.setPen(QColor(self.colors.muted))
        painter.drawText(self.width() - 8 - metrics.horizontalAdvance(count), base, count)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self.colors.accent), 1.0, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()


class Legend(QWidget):
    """The categories of a map. A click or Space switches one off and on; a double click shows it alone or all again."""

    toggled = Signal(object)
    """frozenset of the indices of the categories that are on."""

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._rows: list[_Row] = []
        self._area = QScrollArea(self)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._area)
        self.setAccessibleName(self.tr("Legend"))
        self.set_categories(())

    def set_categories(self, categories: Sequence[Category]) -> None:
        """Replace the entries; all are on. Emits nothing."""
        body = QWidget()
        # the map's background, whatever the surrounding panel has
        body.setAutoFillBackground(False)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._rows = [_Row(category, self._theme, body) for category in categories]
        for index, row in enumerate(self._rows):
            layout.addWidget(row)
            row.clicked.connect(self._on_row_clicked)
            row.alone.connect(lambda index=index: self._on_row_alone(index))
        layout.addStretch(1)
        old = self._area.takeWidget()
        if old is not None:
            old.deleteLater()
        self._area.setWidget(body)
        self.set_dark(self._theme.dark)
        self.updateGeometry()

    @property
    def shown(self) -> frozenset[int]:
        """Indices of the categories that are on."""
        return frozenset(i for i, row in enumerate(self._rows) if row.isChecked())

    def set_shown(self, shown: frozenset[int]) -> None:
        """Switch categories without emitting."""
        for index, row in enumerate(self._rows):
            row.setChecked(index in shown)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self._area.setStyleSheet(
            f"QScrollArea, QScrollArea > QWidget > QWidget {{ background: {self._theme.background}; }}"
        )
        for row in self._rows:
            row.colors = self._theme
            row.update()

    def sizeHint(self) -> QSize:
        width = max((row.sizeHint().width() for row in self._rows), default=80)
        height = sum(row.sizeHint().height() for row in self._rows)
        return QSize(width + 12, max(40, min(height + 4, 400)))

    def _on_row_clicked(self) -> None:
        self.toggled.emit(self.shown)

    def _on_row_alone(self, index: int) -> None:
        only = frozenset([index])
        # the first click of the double click has switched the row already
        before = self.shown ^ only
        self.set_shown(frozenset(range(len(self._rows))) if before == only else only)
        self.toggled.emit(self.shown)
