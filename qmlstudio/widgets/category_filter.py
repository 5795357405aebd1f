"""A list of categories with counts to be ticked, of which only the most frequent are listed until others are sought."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.resources_path import resources
from qmlstudio.widgets.theme import theme

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

LISTED = 1000
"""Categories listed at a time. Where there are more, ticking one means "only this"."""
SOUGHT_AT_ONCE = 50_000
"""Names looked through before the window gets its turn."""
ROWS = 7


class CategoryModel(QAbstractListModel):
    """The categories on the list: name, count and whether it passes.

    Signals
    -------
    ticked(name, on)
    """

    ticked = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: NDArray[np.str_] = np.zeros(0, dtype="U1")
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows: list[int] = []
        self._shown: frozenset[str] | None = None
        self._all_ticked = True

    def set_categories(self, names: NDArray[np.str_], counts: NDArray[np.int64]) -> None:
        """Show other categories, the most frequent first."""
        self._names, self._counts = names, counts
        self.set_rows(list(range(min(LISTED, len(names)))))

    def set_rows(self, rows: list[int]) -> None:
        """Show these of the categories only."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def set_shown(self, shown: frozenset[str] | None, all_ticked: bool) -> None:
        """Tick these; None: everything passes, which ticks either all or none."""
        self._shown, self._all_ticked = shown, all_ticked
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), [Qt.ItemDataRole.CheckStateRole])

    def name(self, row: int) -> str:
        """The category of a row."""
        return str(self._names[self._rows[row]])

    def count(self, row: int) -> int:
        """How many structures have it."""
        return int(self._counts[self._rows[row]])

    def is_ticked(self, row: int) -> bool:
        """Whether it passes."""
        return self._all_ticked if self._shown is None else self.name(row) in self._shown

    # -- QAbstractListModel

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.name(index.row()) or self.tr("(missing)")
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if self.is_ticked(index.row()) else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{self.name(index.row()) or self.tr('(missing)')}: {self.count(index.row()):,}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        self.ticked.emit(self.name(index.row()), Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable


class _CountDelegate(QStyledItemDelegate):
    """Writes the count at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, CategoryModel)
        count = f"{model.count(index.row()):,}"
        metrics = QFontMetrics(option.font)
        room = metrics.horizontalAdvance(count) + 10
        whole = QRect(option.rect)  # what the option returns moves with it
        option.rect = whole.adjusted(0, 0, -room, 0)
        super().paint(painter, option, index)
        painter.save()
        painter.setPen(option.palette.placeholderText().color())
        right = whole.adjusted(0, 0, -6, 0)
        painter.drawText(right, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), count)
        painter.restore()


class _List(QListView):
    """Return ticks like Space."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            model = self.model()
            on = model.data(self.currentIndex(), Qt.ItemDataRole.CheckStateRole) != Qt.CheckState.Checked
            state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
            model.setData(self.currentIndex(), state.value, Qt.ItemDataRole.CheckStateRole)
        else:
            super().keyPressEvent(event)


class CategoryFilterEdit(QWidget):
    """Categories to be ticked, a line to seek others, and buttons for all and none.

    Signals
    -------
    shown_changed(names)
        Tuple of the ticked categories, the most frequent first; None when everything passes.
    """

    shown_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: NDArray[np.str_] = np.zeros(0, dtype="U1")
        self._shown: frozenset[str] | None = None
        self._wanted, self._sought, self._found = "", 0, list[int]()
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_timer_timeout)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setAccessibleName(self.tr("Search the categories"))
        self.search.setClearButtonEnabled(True)
        self.everything, self.nothing = QPushButton(self.tr("All")), QPushButton(self.tr("None"))
        self.everything.setToolTip(self.tr("Let everything pass"))
        self.nothing.setToolTip(self.tr("Untick all"))
        for button in (self.everything, self.nothing):
            button.setMaximumWidth(56)
        self.model = CategoryModel(self)
        self.list = _List()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_CountDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setAccessibleName(self.tr("Categories"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.note = QLabel()
        self.note.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.search, 1)
        row.addWidget(self.everything)
        row.addWidget(self.nothing)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.list)
        layout.addWidget(self.note)
        self.search.textChanged.connect(self._on_search_text_changed)
        self.everything.clicked.connect(self._on_everything_clicked)
        self.nothing.clicked.connect(self._on_nothing_clicked)
        self.model.ticked.connect(self._on_model_ticked)
        self.set_waiting(self.tr("counting categories…"))

    @property
    def is_long(self) -> bool:
        """Whether there are more categories than are listed: then nothing is ticked while everything passes."""
        return len(self._names) > LISTED

    def set_waiting(self, text: str) -> None:
        """Say why there is no list."""
        self.list.setVisible(False)
        self.note.setText(text)
        self.note.setVisible(True)

    def set_categories(self, names: NDArray[np.str_], counts: NDArray[np.int64]) -> None:
        """List categories: (k,) names, the most frequent first ("" for missing), and how many have each."""
        self._names = names
        self.model.set_categories(names, counts)
        self.list.setVisible(True)
        height = max(self.list.sizeHintForRow(0), self.fontMetrics().height() + 2)
        self.list.setFixedHeight(height * max(1, min(ROWS, len(names))) + 2 * self.list.frameWidth() + 2)
        self._on_search_text_changed(self.search.text())
        self.set_shown(None if self._shown is None else tuple(self._shown))

    def set_shown(self, shown: tuple[str, ...] | None) -> None:
        """Tick categories; None: everything passes. Emits nothing."""
        self._shown = None if shown is None else frozenset(shown)
        self.model.set_shown(self._shown, not self.is_long)
        self._say()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        colors, check = theme(dark), (resources() / "icons" / "check.svg").as_posix()
        self.list.setStyleSheet(
            f"QListView::indicator {{ width: 11px; height: 11px; border: 1px solid {colors.muted}; border-radius: 3px;"
            f" background: {colors.background}; }}"
            f"QListView::indicator:checked {{ background: {colors.point}; border-color: {colors.point};"
            f" image: url({check}); }}"
        )

    def _say(self) -> None:
        text = ""
        if self._timer.isActive():
            text = self.tr("searching…")
        elif self._wanted and not self._found:
            text = self.tr("no category contains this")
        elif self.is_long and not self._wanted:
            text = self.tr("The {:,} most frequent of {:,}; search for others.").format(LISTED, len(self._names))
            if self._shown is None:
                text += " " + self.tr("All pass: tick those to keep.")
        elif self._wanted and len(self._found) >= LISTED:
            text = self.tr("the first {:,} that contain this").format(LISTED)
        if self.is_long and self._shown:
            text += " " + self.tr("{:,} ticked").format(len(self._shown))
        self.note.setText(text.strip())
        self.note.setVisible(bool(text))

    def _change(self, shown: frozenset[str] | None) -> None:
        if shown is not None and not self.is_long and len(shown) == len(self._names):
            shown = None
        self._shown = shown
        self.model.set_shown(shown, not self.is_long)
        self._say()
        if shown is None or self.is_long:
            self.shown_changed.emit(None if shown is None else tuple(sorted(shown)))
        else:
            self.shown_changed.emit(tuple(name for name in self._names.tolist() if name in shown))

    # -- slots

    def _on_model_ticked(self, name: str, on: bool) -> None:
        shown = self._shown
        if shown is None:
            shown = frozenset() if self.is_long else frozenset(self._names.tolist())
        shown = shown | {name} if on else shown - {name}
        # with the last tick of a long list everything passes again: nothing at all is never what was meant
        self._change(None if self.is_long and not shown else shown)

    def _on_everything_clicked(self) -> None:
        if self._wanted and self._found:
            found = frozenset(str(self._names[k]) for k in self._found)
            self._change(found | (self._shown or frozenset()) if self._shown is not None or self.is_long else None)
        else:
            self._change(None)

    def _on_nothing_clicked(self) -> None:
        if self._wanted and self._found and self._shown is not None:
            self._change(self._shown - {str(self._names[k]) for k in self._found})
        elif self._wanted and self._found and not self.is_long:
            self._change(frozenset(self._names.tolist()) - {str(self._names[k]) for k in self._found})
        else:
            self._change(None if self.is_long else frozenset())

    def _on_search_text_changed(self, text: str) -> None:
        self._wanted, self._sought, self._found = text.strip().lower(), 0, []
        self._timer.stop()
        if not self._wanted:
            self.model.set_rows(list(range(min(LISTED, len(self._names)))))
            self._say()
        else:
            self._timer.start()
            self._on_timer_timeout()

    def _on_timer_timeout(self) -> None:
        stop = min(self._sought + SOUGHT_AT_ONCE, len(self._names))
        part = self._names[self._sought : stop].tolist()
        self._found += [k for k, name in enumerate(part, self._sought) if self._wanted in name.lower()]
        self._sought = stop
        if stop == len(self._names) or len(self._found) >= LISTED:
            self._found = self._found[:LISTED]
            self._timer.stop()
            self.model.set_rows(self._found)
        self._say()
