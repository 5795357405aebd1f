"""Chips of elements: any, required or forbidden."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QSizePolicy, QWidget

from qmlstudio.widgets.theme import mix, theme

ANY, REQUIRED, FORBIDDEN = 0, 1, 2
COLUMNS = 6
_SIGNS = ("", "✓", "✕")


class ElementChip(QAbstractButton):
    """One element; a click goes from any to required to forbidden, a click with the other button back.

    Signals
    -------
    state_changed(state)
    """

    state_changed = Signal(int)

    def __init__(self, symbol: str, dark: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self.state = ANY
        self.setText(symbol)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._on_clicked)
        self.set_state(ANY)

    def set_state(self, state: int) -> None:
        """Show a state; emits nothing."""
        self.state = state
        said = (self.tr("any"), self.tr("required"), self.tr("forbidden"))[state]
        self.setAccessibleName(f"{self.text()}: {said}")
        self.setToolTip(
            self.tr("{}: {}\nClick: required, forbidden, any (right click: back)").format(self.text(), said)
        )
        self.update()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.update()

    def _turn(self, by: int) -> None:
        self.set_state((self.state + by) % 3)
        self.state_changed.emit(self.state)

    def _on_clicked(self) -> None:
        self._turn(1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            self._turn(-1)
        else:
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Plus: REQUIRED, Qt.Key.Key_Minus: FORBIDDEN, Qt.Key.Key_Delete: ANY}
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is not None:
            self._turn(wanted - self.state)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._turn(1)
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance("✕ Mm") + 10, metrics.height() + 8)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tint = {ANY: colors.background, REQUIRED: mix(colors.background, colors.pin, 0.28)}
        fill = tint.get(self.state, mix(colors.background, colors.muted, 0.25))
        line = colors.accent if self.hasFocus() else (colors.pin if self.state == REQUIRED else colors.border)
        painter.setPen(QPen(QColor(line), 1.6 if self.hasFocus() or self.state == REQUIRED else 1.0))
        painter.setBrush(QColor(fill))
        box = self.rect().adjusted(1, 1, -2, -2)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(QColor(colors.muted if self.state == FORBIDDEN else colors.foreground))
        font = QFont(self.font())
        font.setBold(self.state == REQUIRED)
        font.setStrikeOut(self.state == FORBIDDEN)
        painter.setFont(font)
        sign, text = _SIGNS[self.state], self.text()
        width = painter.fontMetrics().horizontalAdvance(text)
        plain = QFont(self.font())
        gap = self.fontMetrics().horizontalAdvance(sign + " ") if sign else 0
        left = (self.width() - width - gap) // 2
        middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(QRect(QPoint(left + gap, 0), QSize(width + 4, self.height())), middle, text)
        painter.setFont(plain)
        painter.drawText(QRect(QPoint(left, 0), QSize(gap + 4, self.height())), middle, sign)
        painter.end()


class ElementFilterEdit(QWidget):
    """Chips of a set's elements.

    Signals
    -------
    elements_changed(required, forbidden)
        Tuples of symbols in the order of the chips.
    """

    elements_changed = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dark = False
        self.chips: dict[str, ElementChip] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(column, 1)

    def set_elements(self, symbols: Sequence[str]) -> None:
        """Offer these; emits nothing. States are kept where the element stays."""
        if list(symbols) == list(self.chips):
            return
        states = {s: chip.state for s, chip in self.chips.items()}
        for chip in self.chips.values():
            self._grid.removeWidget(chip)
            chip.deleteLater()
        self.chips = {}
        for k, symbol in enumerate(symbols):
            chip = self.chips[symbol] = ElementChip(symbol, self._dark, self)
            chip.set_state(states.get(symbol, ANY))
            chip.state_changed.connect(self._on_chip_state_changed)
            self._grid.addWidget(chip, k // COLUMNS, k % COLUMNS)

    def set_states(self, required: Sequence[str], forbidden: Sequence[str]) -> None:
        """Show which are required and forbidden; emits nothing."""
        for symbol, chip in self.chips.items():
            chip.set_state(REQUIRED if symbol in required else FORBIDDEN if symbol in forbidden else ANY)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._dark = dark
        for chip in self.chips.values():
            chip.set_dark(dark)

    def _on_chip_state_changed(self, _state: int) -> None:
        required, forbidden = (
            tuple(s for s, chip in self.chips.items() if chip.state == state) for state in (REQUIRED, FORBIDDEN)
        )
        self.elements_changed.emit(required, forbidden)
