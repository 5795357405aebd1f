"""Whose which curve is: a list whose ticks show and hide, usable with the keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from qmlstudio.widgets.curve_chart import ChartCurve
from qmlstudio.widgets.theme import theme

_NAME = Qt.ItemDataRole.UserRole


class CurveLegend(QListWidget):
    """One line for each curve, a second for its fit; a tick shows the curve, the space bar turns it.

    Signals
    -------
    hidden_changed(names)
        Curves without a tick: a frozen set of names.
    """

    hidden_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None, dark: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme(dark)
        self._curves: list[ChartCurve] = []
        self._hidden: frozenset[str] = frozenset()
        self.setAccessibleName(self.tr("Curves: the ticks show and hide them"))
        self.setToolTip(self.tr("Tick or untick (space bar) to show or hide a curve"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setIconSize(QSize(34, 16))
        self.setUniformItemSizes(False)
        self.setWordWrap(False)
        self.itemChanged.connect(self._on_item_changed)

    def set_curves(self, curves: Sequence[ChartCurve]) -> None:
        """List these; the ticks of those that were there stay."""
        same = [(c.name, c.note, c.tip, c.style) for c in curves] == [
            (c.name, c.note, c.tip, c.style) for c in self._curves
        ]
        self._curves = list(curves)
        if not same:
            self._fill()

    def set_hidden(self, names: frozenset[str]) -> None:
        """Untick these, tick the others."""
        self._hidden = names
        with QSignalBlocker(self):
            for k in range(self.count()):
                item = self.item(k)
                item.setCheckState(_state(item.data(_NAME) not in names))

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self._fill()

    @property
    def hidden(self) -> frozenset[str]:
        """Names of the curves without a tick."""
        return self._hidden

    def sizeHint(self) -> QSize:
        return QSize(230, 96)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 40)

    def _fill(self) -> None:
        row = self.currentRow()
        with QSignalBlocker(self):
            self.clear()
            for curve in self._curves:
                item = QListWidgetItem(self._icon(curve), f"{curve.name}\n{curve.note}" if curve.note else curve.name)
                item.setData(_NAME, curve.name)
                item.setFlags(
                    Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
                )
                item.setCheckState(_state(curve.name not in self._hidden))
                item.setToolTip("\n".join(filter(None, (curve.name, curve.note, curve.tip))))
                self.addItem(item)
            if 0 <= row < self.count():
                self.setCurrentRow(row)

    def _icon(self, curve: ChartCurve) -> QIcon:
        ratio, colors = self.devicePixelRatioF(), self._theme
        if not curve.is_reference:
            return QIcon(curve.style.swatch(colors.background, ratio))
        picture = QPixmap(round(34 * ratio), round(16 * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(curve.style.color), 1.6, Qt.PenStyle.DashLine))
        painter.drawLine(1, 8, 33, 8)
        painter.setPen(QPen(QColor(curve.style.color), 1.8))
        painter.setBrush(QColor(colors.background))
        painter.drawEllipse(12, 3, 9, 9)
        painter.end()
        return QIcon(picture)

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        name = str(item.data(_NAME))
        shown = item.checkState() == Qt.CheckState.Checked
        self._hidden = self._hidden - {name} if shown else self._hidden | {name}
        self.hidden_changed.emit(self._hidden)


def _state(checked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked
