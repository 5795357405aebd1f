"""A checklist of columns that can be searched and put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

_NAME = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Entry:
    """One column: its name, how it is called for people, what it is, and whether it is shown."""

    name: str
    title: str
    tip: str
    shown: bool


class ColumnChooser(QWidget):
    """Tick what is to be shown, move it (▲, ▼, Alt+Up, Alt+Down) to where it is to stand.

    Parameters
    ----------
    most : int or None
        How many may be ticked; None: any number. The others are greyed then.

    Signals
    -------
    chosen(list of str)
        Names of those shown, in their order.
    reset_requested()
        As at first.
    """

    chosen = Signal(object)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None, most: int | None = None) -> None:
        super().__init__(parent)
        self._most = most
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Find a column"))
        self._search.setClearButtonEnabled(True)
        self._search.setAccessibleName(self.tr("Find a column"))
        self._search.textChanged.connect(self._on_search_text_changed)
        self._list = QListWidget()
        self._list.setAccessibleName(self.tr("Columns"))
        self._list.setDragDropMode(QAbstractItemView.DragDropMode.NoDragDrop)  # files are dropped on the window
        self._list.setAcceptDrops(False)
        self._list.setUniformItemSizes(True)
        self._list.setToolTip(self.tr("Tick to show; Alt+Up and Alt+Down order"))
        self._list.installEventFilter(self)
        self._list.itemChanged.connect(self._on_list_item_changed)
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setVisible(False)
        buttons = QHBoxLayout()
        for text, tip, slot in (
            (self.tr("All"), self.tr("Show all that are listed"), self._on_all_clicked),
            (self.tr("None"), self.tr("Show none of those that are listed"), self._on_none_clicked),
            (self.tr("Reset"), self.tr("Show those that were shown at first"), self.reset_requested.emit),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            button.setVisible(not (most is not None and slot == self._on_all_clicked))
            buttons.addWidget(button)
        buttons.addStretch()
        for text, tip, slot in (
            ("▲", self.tr("Move the current column up (Alt+Up)"), self._on_up_clicked),
            ("▼", self.tr("Move the current column down (Alt+Down)"), self._on_down_clicked),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.clicked.connect(slot)
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._search)
        layout.addWidget(self._list, 1)
        layout.addWidget(self._hint)
        layout.addLayout(buttons)
        self.resize(260, 340)
        self.setMinimumSize(220, 240)

    def set_entries(self, entries: Sequence[Entry]) -> None:
        """List these, in this order; the search stays."""
        with QSignalBlocker(self._list):
            self._list.clear()
            for entry in entries:
                item = QListWidgetItem(entry.title)
                item.setData(_NAME, entry.name)
                item.setToolTip(entry.tip or entry.title)
                item.setFlags(
                    Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
                )
                item.setCheckState(Qt.CheckState.Checked if entry.shown else Qt.CheckState.Unchecked)
                self._list.addItem(item)
        self._find(self._search.text())
        self._limit()

    @property
    def names(self) -> list[str]:
        """Those that are ticked, in their order."""
        return [str(i.data(_NAME)) for i in self._items() if i.checkState() == Qt.CheckState.Checked]

    def _items(self) -> list[QListWidgetItem]:
        return [self._list.item(k) for k in range(self._list.count())]

    def _find(self, text: str) -> None:
        words = text.lower().split()
        for item in self._items():
            item.setHidden(not all(w in item.text().lower() for w in words))

    def _limit(self) -> None:
        if self._most is None:
            return
        full = len(self.names) >= self._most
        self._hint.setText(self.tr("At most {}").format(self._most))
        self._hint.setVisible(full)
        with QSignalBlocker(self._list):
            for item in self._items():
                closed = full and item.checkState() != Qt.CheckState.Checked
                flags = item.flags() & ~Qt.ItemFlag.ItemIsEnabled
                item.setFlags(flags if closed else flags | Qt.ItemFlag.ItemIsEnabled)

    def _tick_listed(self, state: Qt.CheckState) -> None:
        with QSignalBlocker(self._list):
            for item in self._items():
                if not item.isHidden():
                    item.setCheckState(state)
        self._limit()
        self.chosen.emit(self.names)

    def _on_all_clicked(self) -> None:
        self._tick_listed(Qt.CheckState.Checked)

    def _on_none_clicked(self) -> None:
        self._tick_listed(Qt.CheckState.Unchecked)

    def _on_search_text_changed(self, text: str) -> None:
        self._find(text)

    def _on_list_item_changed(self, _item: QListWidgetItem) -> None:
        self._limit()
        self.chosen.emit(self.names)

    def _move(self, step: int) -> None:
        """Put the current column before or behind the next one that is listed."""
        row = self._list.currentRow()
        target = row + step
        while 0 <= target < self._list.count() and self._list.item(target).isHidden():
            target += step
        if row < 0 or not 0 <= target < self._list.count():
            return
        with QSignalBlocker(self._list):
            item = self._list.takeItem(row)
            self._list.insertItem(target, item)
            self._list.setCurrentRow(target)
        self.chosen.emit(self.names)

    def _on_up_clicked(self) -> None:
        self._move(-1)

    def _on_down_clicked(self) -> None:
        self._move(1)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
            if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
                self._move(step)
                return True
        return super().eventFilter(watched, event)
