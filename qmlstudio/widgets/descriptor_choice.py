"""The box in which a representation is chosen: families under headings, found by typing a part of the name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit, QSizePolicy, QStyledItemDelegate, QWidget


@dataclass(frozen=True)
class Choice:
    """One entry.

    Attributes
    ----------
    name, title : str
        What it stands for; what people read.
    family : str
        Heading under which it stands.
    note : str
        Why it does not suit the present data; empty where it does.
    words : str
        More to be found by than the title (the registry name, a short name).
    tip : str
    """

    name: str
    title: str
    family: str = ""
    note: str = ""
    words: str = ""
    tip: str = ""


_WORDS = Qt.ItemDataRole.UserRole + 1


class _Entries(QSortFilterProxyModel):
    """The entries without headings, for the completer."""

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        index = self.sourceModel().index(source_row, 0, source_parent)
        return bool(index.data(Qt.ItemDataRole.UserRole))


class ChoiceBox(QComboBox):
    """A combo box with headings that takes typing as a search; ``activated`` comes for entries only.

    Data of the entries is the name.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[Choice, ...] = ()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setMaxVisibleItems(30)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._items = QStandardItemModel(self)
        self.setModel(self._items)
        self.setItemDelegate(QStyledItemDelegate(self))
        entries = _Entries(self)
        entries.setSourceModel(self._items)
        completer = QCompleter(entries, self)
        completer.setCompletionRole(_WORDS)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(completer)
        chosen: Any = completer.activated  # one signal for each type of argument, which the stubs do not know
        chosen[QModelIndex].connect(self._on_completer_activated)
        line = self.lineEdit()
        assert isinstance(line, QLineEdit)
        line.setPlaceholderText(self.tr("type to search"))
        line.installEventFilter(self)
        line.editingFinished.connect(self._restore)
        self._shown = -1
        self.currentIndexChanged.connect(self._on_current_index_changed)

    def choices(self) -> tuple[Choice, ...]:
        """The entries."""
        return self._choices

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Fill the box; the current entry stays where it is still there. No signal comes of it."""
        given = tuple(choices)
        if given == self._choices:
            return
        self._choices = given
        current = self.currentData()
        self.blockSignals(True)
        self._items.clear()
        family = ""
        for choice in given:
            if choice.family != family:
                family = choice.family
                head = QStandardItem(family)
                head.setFlags(Qt.ItemFlag.NoItemFlags)
                font = QFont(self.font())
                font.setBold(True)
                head.setFont(font)
                self._items.appendRow(head)
            item = QStandardItem(choice.title)
            item.setData(choice.name, Qt.ItemDataRole.UserRole)
            item.setData(f"{choice.title}  {choice.words}".strip(), _WORDS)
            item.setToolTip("\n".join(t for t in (choice.note, choice.tip) if t))
            if choice.note:
                # still legal: the panel says what is missing
                item.setForeground(self.palette().placeholderText())
            self._items.appendRow(item)
        metrics = QFontMetrics(self.font())
        widest = max((metrics.horizontalAdvance(c.title) for c in given), default=0)
        self.view().setMinimumWidth(widest + 60)
        self._shown = self.findData(current) if current is not None else -1
        self.setCurrentIndex(self._shown)
        self.blockSignals(False)
        self._restore()

    def set_current(self, name: str) -> None:
        """Show an entry; no ``activated`` comes of it."""
        self.setCurrentIndex(self.findData(name))
        self._restore()

    def _on_current_index_changed(self, row: int) -> None:
        self._shown = row

    def _on_completer_activated(self, index: QModelIndex) -> None:
        row = self.findData(index.data(Qt.ItemDataRole.UserRole))
        if row >= 0:
            self.setCurrentIndex(row)
            self._restore()
            self.activated.emit(row)

    def _restore(self) -> None:
        """What was typed and not chosen is forgotten."""
        line = self.lineEdit()
        if line is not None and self._shown >= 0 and line.text() != self.itemText(self._shown):
            line.setText(self.itemText(self._shown))
            line.setCursorPosition(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            row = self._found()
            self._restore()
            if row >= 0 and row != self._shown:
                self.setCurrentIndex(row)
                self._restore()
                self.activated.emit(row)
            event.accept()
            return
        if event.key() == Qt.Key.Key_Escape:
            self._restore()
        super().keyPressEvent(event)

    def _found(self) -> int:
        """The first entry that what was typed finds."""
        line = self.lineEdit()
        text = line.text().strip().lower() if line is not None else ""
        if not text or (self._shown >= 0 and text == self.itemText(self._shown).lower()):
            return -1
        for row in range(self._items.rowCount()):
            words = self._items.item(row).data(_WORDS)
            if words and text in str(words).lower():
                return row
        return -1

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # a click means to search: what stands there makes way for the first key
        released = event.type() == QEvent.Type.MouseButtonRelease
        if released and isinstance(watched, QLineEdit) and not watched.hasSelectedText():
            watched.selectAll()
        return super().eventFilter(watched, event)
