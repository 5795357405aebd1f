"""The clusters in a list: colour, name, size and share; a click chooses one, F2 renames it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QBrush, QColor, QFont, QIcon, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from qmlstudio.widgets.theme import Theme, theme

NOISE = -1
_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class ClusterRow:
    """One cluster: its label (-1 for noise), name, number of members and colour (three bytes; None is hollow)."""

    label: int
    name: str
    size: int
    color: tuple[int, int, int] | None


class ClusterModel(QAbstractTableModel):
    """Rows are clusters; columns name, size, share of all structures."""

    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[ClusterRow] = ()
        self._total = 0
        self._active: int | None = None
        self._theme = theme(False)
        self._ratio = 1.0
        self._swatches: dict[tuple[tuple[int, int, int] | None, bool], QIcon] = {}

    def set_rows(self, rows: Sequence[ClusterRow], total: int) -> None:
        """Replace all rows; `total` is the number of structures."""
        self.beginResetModel()
        self._rows, self._total = rows, total
        self.endResetModel()

    def set_names(self, rows: Sequence[ClusterRow]) -> None:
        """The same clusters with other names and colours: the current row stays."""
        self._rows = rows
        self._refresh()

    def set_active(self, label: int | None) -> None:
        """The cluster in which the active structure lies; None where there is none."""
        if label != self._active:
            self._active = label
            self._refresh()

    def set_look(self, colors: Theme, ratio: float) -> None:
        """Theme, and pixels of the screen to a pixel of the window."""
        self._theme, self._ratio = colors, ratio
        self._swatches.clear()
        self._refresh()

    def row(self, index: int) -> ClusterRow:
        """The cluster in a row."""
        return self._rows[index]

    def row_of(self, label: int) -> int:
        """The row of a cluster; -1 if there is none."""
        if 0 <= label < len(self._rows) and self._rows[label].label == label:
            return label
        return next((k for k, r in enumerate(self._rows) if r.label == label), -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Cluster"), self.tr("Size"), self.tr("Share"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() == 0 and self._rows[index.row()].label != NOISE:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            if column == 0:
                return row.name
            return f"{row.size:,}" if column == 1 else self._share(row)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return self._swatch(row.color, row.label == self._active)
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole and row.label == self._active:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and row.label == NOISE:
            return QBrush(QColor(self._theme.muted))
        if role == Qt.ItemDataRole.ToolTipRole:
            here = self.tr("\nThe active structure lies here.") if row.label == self._active else ""
            text = self.tr("{}: {:,} structures\nClick selects; Shift adds, Alt subtracts, Ctrl intersects; F2 renames")
            return text.format(row.name, row.size) + here
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            here = self.tr(", holds the active structure") if row.label == self._active else ""
            return self.tr("{}, {:,} structures").format(row.name, row.size) + here
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        row = self._rows[index.row()]
        name = " ".join(str(value).split())
        if name == row.name:
            return False
        self.renamed.emit(row.label, name)
        return True

    def _share(self, row: ClusterRow) -> str:
        share = 100 * row.size / self._total if self._total else 0.0
        return f"{share:.1f} %" if share >= 0.1 or row.size == 0 else "< 0.1 %"

    def _refresh(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, 2))

    def _swatch(self, color: tuple[int, int, int] | None, active: bool) -> QIcon:
        """A disc in the cluster's colour, hollow for noise; a ring round that of the active structure."""
        known = self._swatches.get((color, active))
        if known is not None:
            return known
        side = 16
        pixmap = QPixmap(round(side * self._ratio), round(side * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if color is None:
            painter.setPen(QPen(QColor(self._theme.missing), 1.5))
            painter.drawEllipse(QRectF(4, 4, 8, 8))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(*color))
            painter.drawEllipse(QRectF(3.5, 3.5, 9, 9))
        if active:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._theme.accent), 1.6))
            painter.drawEllipse(QRectF(1, 1, 14, 14))
        painter.end()
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else it would be tinted, and no longer the map's colour
        self._swatches[color, active] = icon
        return icon


class ClusterList(QTreeView):
    """A click, Return or Space chooses a cluster; the current one is what a report is about.

    Signals
    -------
    chosen(label, modifiers)
        To be selected: -1 is noise.
    looked_at(label)
        Another row became current.
    renamed(label, name)
        An empty name asks for the usual one.
    """

    chosen = Signal(int, object)
    looked_at = Signal(int)
    renamed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ClusterModel(self)
        self.setModel(self.rows)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Clusters"))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, text in ((1, "000,000"), (2, "< 100.0 %")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, self.fontMetrics().horizontalAdvance(text) + 14)
        self.rows.renamed.connect(self.renamed)
        self.selectionModel().currentRowChanged.connect(self._on_current_row_changed)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self.rows.set_look(theme(dark), self.devicePixelRatioF())

    def set_current(self, label: int) -> None:
        """Make a cluster the current one; emits :attr:`looked_at` if it was not."""
        row = self.rows.row_of(label)
        if row >= 0:
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            index = self.rows.index(row, 0)
            self.selectionModel().setCurrentIndex(index, flags)
            self.scrollTo(index)

    @property
    def current(self) -> int | None:
        """Label of the current cluster; None where there is none."""
        index = self.currentIndex()
        return self.rows.row(index.row()).label if index.isValid() else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and not self._is_editing():
            # Ctrl has taken the row's mark away: what it does to the selection of structures is all that is meant
            self.set_current(self.rows.row(index.row()).label)
            self.chosen.emit(self.rows.row(index.row()).label, event.modifiers())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        current = self.current
        if event.key() in _KEYS and current is not None and not self._is_editing():
            self.chosen.emit(current, event.modifiers())
            event.accept()
            return
        super().keyPressEvent(event)

    def _is_editing(self) -> bool:
        return self.state() == QAbstractItemView.State.EditingState

    def _on_current_row_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.looked_at.emit(self.rows.row(current.row()).label)
