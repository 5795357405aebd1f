"""Paints the cells of the property table: text, the bar behind a number, marks of the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

if TYPE_CHECKING:
    from qmlstudio.widgets.property_model import PropertyModel

_MARGIN: Final = 5
_BAR: Final = 0.20
"""How strongly a bar is drawn: the text on it must be read."""


class CellDelegate(QStyledItemDelegate):
    """Draws a cell with one question to the model; Qt's own asks a dozen for each.

    Parameters
    ----------
    model : PropertyModel
    """

    def __init__(self, model: PropertyModel) -> None:
        super().__init__(model)
        self._model = model
        self._fonts: tuple[QFont, QFont] | None = None
        self._metrics: tuple[QFontMetrics, QFontMetrics] | None = None

    def forget_fonts(self) -> None:
        """The table's font has changed."""
        self._fonts = self._metrics = None

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        cell = self._model.cell(index.row(), index.column())
        palette: QPalette = option.palette
        rect = option.rect
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        highlight = palette.color(QPalette.ColorRole.Highlight)
        if chosen:
            painter.fillRect(rect, highlight)
        elif cell.is_selected:
            tint = QColor(highlight)
            tint.setAlpha(60)
            painter.fillRect(rect, tint)
        text_color = palette.color(QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text)
        if cell.bar > 0:
            bar = QColor(text_color if chosen else highlight)
            bar.setAlphaF(_BAR)
            area = QRectF(rect).adjusted(1, 2, -1, -2)
            area.setWidth(area.width() * cell.bar)
            painter.fillRect(area, bar)
        if cell.is_dimmed:
            text_color = QColor(text_color)
            text_color.setAlphaF(0.45)
        if self._fonts is None or self._metrics is None:
            bold = QFont(option.font)
            bold.setBold(True)
            self._fonts = QFont(option.font), bold
            self._metrics = QFontMetrics(self._fonts[0]), QFontMetrics(bold)
        painter.setFont(self._fonts[cell.is_active])
        metrics = self._metrics[cell.is_active]
        room = rect.width() - 2 * _MARGIN
        text = cell.text
        width = metrics.horizontalAdvance(text)
        if width > room:
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            width = metrics.horizontalAdvance(text)
        x = rect.right() - _MARGIN - width + 1 if cell.is_number else rect.left() + _MARGIN
        painter.setPen(text_color)
        painter.drawText(x, rect.top() + (rect.height() + metrics.ascent() - metrics.descent()) // 2, text)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(text_color, 1, Qt.PenStyle.DotLine))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
