"""The card beside the mouse: depiction, name, formula and values of the structure that is pointed at."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qmlstudio.widgets.theme import theme

DISTANCE = 18


class Depiction(QWidget):
    """An SVG drawing, scaled to fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from PySide6.QtSvg import QSvgRenderer

        self._renderer = QSvgRenderer(self)
        self._background = QColor("#ffffff")

    def set_svg(self, svg: str | bytes) -> bool:
        """Show a drawing; returns whether it could be read."""
        data = svg.encode() if isinstance(svg, str) else svg
        good = bool(data) and self._renderer.load(QByteArray(data))
        self.update()
        return good

    def sizeHint(self) -> QSize:
        return QSize(150, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._renderer.isValid():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # depictions are drawn with dark lines: they keep a white ground in a dark window
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._background)
        painter.drawRoundedRect(QRectF(self.rect()), 4.0, 4.0)
        size = self._renderer.defaultSize()
        size.scale(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        self._renderer.render(painter, QRectF(left, top, size.width(), size.height()))
        painter.end()


class HoverCard(QWidget):
    """A frameless card above the window; it takes neither focus nor mouse and stays on the screen.

    Give it the window it belongs to as parent, so that it dies with it.
    """

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        flags = (
            Qt.WindowType.ToolTip
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowDoesNotAcceptFocus
            | Qt.WindowType.WindowTransparentForInput
        )
        super().__init__(parent, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._theme = theme(dark)
        self._depiction = Depiction(self)
        self._title, self._subtitle, self._rows = QLabel(self), QLabel(self), QLabel(self)
        self._rows.setTextFormat(Qt.TextFormat.RichText)
        for label in (self._title, self._subtitle):
            label.setTextFormat(Qt.TextFormat.PlainText)
        text = QVBoxLayout()
        text.setSpacing(2)
        for label in (self._title, self._subtitle, self._rows):
            text.addWidget(label)
        text.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 8, 10, 8)
        layout.setSpacing(10)
        layout.addWidget(self._depiction)
        layout.addLayout(text)
        self._depiction.setFixedSize(self._depiction.sizeHint())
        self.set_dark(dark)

    def set_content(
        self,
        title: str,
        subtitle: str = "",
        rows: Sequence[tuple[str, str]] = (),
        svg: str | bytes | None = None,
    ) -> None:
        """Fill the card.

        Parameters
        ----------
        title, subtitle : str
            Identifier; formula.
        rows : sequence of (name, value with unit)
        svg : str or bytes, optional
            2D depiction; without one, or if it cannot be read, the card has none.
        """
        self._depiction.setVisible(svg is not None and self._depiction.set_svg(svg))
        self._title.setText(title)
        self._subtitle.setText(subtitle)
        self._subtitle.setVisible(bool(subtitle))
        cells = "".join(
            f'<tr><td style="padding-right: 12px; color: {self._theme.muted}">{html.escape(name)}</td>'
            f'<td align="right">{html.escape(value)}</td></tr>'
            for name, value in rows
        )
        self._rows.setText(f'<table cellspacing="1">{cells}</table>' if cells else "")
        self._rows.setVisible(bool(cells))
        self.adjustSize()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours (of content given from now on)."""
        self._theme = colors = theme(dark)
        self._title.setStyleSheet(f"color: {colors.foreground}; font-weight: bold;")
        self._subtitle.setStyleSheet(f"color: {colors.muted};")
        self._rows.setStyleSheet(f"color: {colors.foreground};")
        self.update()

    def show_at(self, position: QPoint) -> None:
        """Show the card beside a position on the screen (global pixels), on whichever side there is room."""
        self.adjustSize()
        screen = QGuiApplication.screenAt(position) or QGuiApplication.primaryScreen()
        area, size = screen.availableGeometry(), self.size()
        x, y = position.x() + DISTANCE, position.y() + DISTANCE
        if x + size.width() > area.right():
            x = position.x() - DISTANCE - size.width()
        if y + size.height() > area.bottom():
            y = position.y() - DISTANCE - size.height()
        x = max(area.left(), min(x, area.right() - size.width()))
        y = max(area.top(), min(y, area.bottom() - size.height()))
        self.move(x, y)
        if not self.isVisible():
            self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setBrush(QColor(self._theme.surface))
        painter.setPen(QPen(QColor(self._theme.border), 1.0))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()
