"""A funnel: how many came to each stage of a selection, and what each filter left out, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from qmlstudio.widgets.theme import mix, theme

_GAP = 6
_INDENT = 12
_EDGE = 6


@dataclass(frozen=True)
class FunnelRow:
    """One bar.

    Attributes
    ----------
    name, title, reason : str
        Key of its count; what stands before the bar; its tooltip.
    removes : bool
        A filter: its bar says how many it left out, hatched and with a minus sign.
    """

    name: str
    title: str
    reason: str
    removes: bool


class Funnel(QWidget):
    """Bars one below the other; the widget is as high as its rows and meant to stand in a scroll area."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[FunnelRow, ...] = ()
        self._counts: dict[str, int] = {}
        self._dark = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Counts of the stages"))

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._dark = dark
        self.update()

    def set_rows(self, rows: Sequence[FunnelRow]) -> None:
        """Other stages; their counts are zero until they are told."""
        if tuple(rows) != self._rows:
            self._rows = tuple(rows)
            self._counts = {}
            self.updateGeometry()
            self.update()

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """How many, by name of the row."""
        self._counts = dict(counts)
        self.setAccessibleDescription("; ".join(f"{r.title} {self.text_of(r)}" for r in self._rows if self._number(r)))
        self.update()

    def text_of(self, row: FunnelRow) -> str:
        """The number behind a bar."""
        number = self._number(row)
        return f"−{number:,}" if row.removes and number else f"{number:,}"

    def _number(self, row: FunnelRow) -> int:
        return self._counts.get(row.name, 0)

    @property
    def _high(self) -> int:
        return self.fontMetrics().height() + _GAP

    def sizeHint(self) -> QSize:
        return QSize(360, max(len(self._rows), 1) * self._high + _GAP)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = int((event.y() - _GAP / 2) // self._high)
            if 0 <= place < len(self._rows):
                row = self._rows[place]
                QToolTip.showText(event.globalPos(), f"{row.title}: {row.reason} ({self.text_of(row)})", self)
                return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        colors = theme(self._dark)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, high = self.fontMetrics(), self._high
        left = min(
            max((metrics.horizontalAdvance(r.title) + _INDENT * r.removes for r in self._rows), default=0) + _EDGE + 8,
            int(self.width() * 0.5),
        )
        right = max((metrics.horizontalAdvance(self.text_of(r)) for r in self._rows), default=0) + 8
        room = max(self.width() - left - right - _EDGE, 10)
        top = math.log10(1 + max((self._number(r) for r in self._rows), default=0)) or 1.0
        for k, row in enumerate(self._rows):
            number, y = self._number(row), _GAP / 2 + k * high
            indent = _INDENT if row.removes else 0
            painter.setPen(QColor(colors.muted if row.removes else colors.foreground))
            title = metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, left - _EDGE - 8 - indent)
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(_EDGE + indent, y, left - indent, high), middle | Qt.AlignmentFlag.AlignLeft, title)
            painter.drawText(
                QRectF(self.width() - right - _EDGE, y, right, high),
                middle | Qt.AlignmentFlag.AlignRight,
                self.text_of(row),
            )
            if number:
                width = room * math.log10(1 + number) / top
                self._bar(painter, QRectF(left, y + 3, max(width, 2.0), high - 6), row.removes)
            else:
                painter.setPen(QPen(QColor(colors.grid), 1))
                painter.drawLine(QPointF(left, y + high / 2), QPointF(left + 6, y + high / 2))

    def _bar(self, painter: QPainter, rect: QRectF, removes: bool) -> None:
        colors = theme(self._dark)
        painter.setPen(Qt.PenStyle.NoPen)
        if not removes:
            painter.setBrush(QColor(colors.point))
            painter.drawRoundedRect(rect, 2, 2)
            return
        painter.setBrush(QColor(mix(colors.background, colors.accent, 0.25)))
        painter.drawRect(rect)
        painter.setBrush(QBrush(QColor(mix(colors.background, colors.accent, 0.6)), Qt.BrushStyle.BDiagPattern))
        painter.drawRect(rect)
