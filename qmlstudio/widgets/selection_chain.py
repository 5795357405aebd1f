"""How a selection came about, step by step, with the number of structures after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from qmlstudio.widgets.theme import theme

SHOWN = 6
"""Steps; of a longer chain the last ones, and the tooltip has all."""


@dataclass(frozen=True)
class ChainStep:
    """One step: its sign ("" for the first), what it was, and how many were selected after it (None: unknown)."""

    sign: str
    text: str
    count: int | None


class SelectionChain(QWidget):
    """One line for each step: sign, text, count. Long texts are cut in the middle; the tooltip has them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: tuple[ChainStep, ...] = ()
        self._theme = theme(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Where the selection comes from"))

    @property
    def steps(self) -> tuple[ChainStep, ...]:
        """All steps."""
        return self._steps

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def set_steps(self, steps: Sequence[ChainStep]) -> None:
        """Show these."""
        self._steps = tuple(steps)
        lines = [self._line(s) for s in steps]
        self.setToolTip("\n".join(lines))
        self.setAccessibleDescription("; ".join(lines))
        self.setVisible(bool(steps))
        self.updateGeometry()
        self.update()

    def _line(self, step: ChainStep) -> str:
        count = "" if step.count is None else self.tr("   → {:,}").format(step.count)
        return f"{step.sign} {step.text}{count}".strip()

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 3

    def sizeHint(self) -> QSize:
        lines = min(len(self._steps), SHOWN) + (len(self._steps) > SHOWN)
        return QSize(200, lines * self._row_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics, high, width = self.fontMetrics(), self._row_height(), self.width()
        shown = self._steps[-SHOWN:]
        hidden = len(self._steps) - len(shown)
        top = 0
        muted, foreground = QColor(self._theme.muted), QColor(self._theme.foreground)
        align = Qt.AlignmentFlag.AlignVCenter
        if hidden:
            painter.setPen(muted)
            text = self.tr("… {} earlier steps").format(hidden)
            painter.drawText(QRectF(18, 0, width - 18, high), align, text)
            top += high
        counts = metrics.horizontalAdvance("00,000,000") if any(s.count is not None for s in shown) else 0
        counts = min(counts, max((metrics.horizontalAdvance(f"{s.count or 0:,}") for s in shown), default=0) + 8)
        for step in shown:
            painter.setPen(muted)
            painter.drawText(QRectF(0, top, 16, high), align | Qt.AlignmentFlag.AlignHCenter, step.sign or "•")
            if step.count is not None:
                painter.drawText(QRectF(0, top, width, high), align | Qt.AlignmentFlag.AlignRight, f"{step.count:,}")
            painter.setPen(foreground)
            room = width - 18 - counts
            text = metrics.elidedText(step.text or self.tr("(not said)"), Qt.TextElideMode.ElideMiddle, max(room, 10))
            painter.drawText(QRectF(18, top, room, high), align, text)
            top += high
        painter.end()
