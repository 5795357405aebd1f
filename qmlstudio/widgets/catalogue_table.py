"""The catalogue of data sets as a table that can be searched and sorted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from qmlstudio.chem.catalogue.entries import ENTRIES, search_text
from qmlstudio.chem.catalogue.model import Entry, entry_size_text

_Index = QModelIndex | QPersistentModelIndex
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
TITLE, STATE, SIZE, CONFORMATIONS, MOLECULES, ELEMENTS, LICENCE, PROPERTIES = range(8)
SORT_ROLE = Qt.ItemDataRole.UserRole
"""What a column is sorted by: numbers as numbers, unknown ones last."""
_MANY = 5
"""Elements or properties from which they are only counted in the table; the tooltip has all."""


class CatalogueModel(QAbstractTableModel):
    """A row for each entry. What is here, and what a download does, is told to it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, str] = {}
        self._doing: dict[str, str] = {}
        self._haystacks = [search_text(e) for e in ENTRIES]
        self._headers = (
            (self.tr("Data set"), self.tr("Its short name, for the command line, is in the tooltip")),
            (self.tr("State"), self.tr("Whether it is on this computer")),
            (self.tr("Size"), self.tr("Of the download")),
            (self.tr("Conformations"), self.tr("Geometries in all; none in sets of SMILES")),
            (self.tr("Molecules"), self.tr("Different molecules")),
            (self.tr("Elements"), self.tr("Elements that occur")),
            (self.tr("Licence"), self.tr("As far as it is known here; the home page has the last word")),
            (self.tr("Properties"), self.tr("What is known of each molecule")),
        )
        self._words = {
            "built in": self.tr("■ built in"),
            "here": self.tr("● here"),
            "part": self.tr("◐ in part"),
            "absent": self.tr("○ not here"),
            "elsewhere": self.tr("↗ elsewhere"),
        }
        self._explained = {
            "built in": self.tr("Comes with the program"),
            "here": self.tr("It can be opened"),
            "part": self.tr("“Get” fetches the rest"),
            "absent": self.tr("“Get” fetches it"),
            "elsewhere": self.tr("There is no direct download: the home page, or the note, says how to get it"),
        }

    # -- what it is told

    def set_states(self, states: Mapping[str, str]) -> None:
        """Name of an entry → its state, see :func:`qmlstudio.chem.catalogue.storage.state`."""
        self._states = dict(states)
        self._tell()

    def set_doing(self, name: str, text: str) -> None:
        """What happens to an entry just now; "" when nothing does."""
        if text == self._doing.get(name, ""):
            return
        self._doing[name] = text
        self._tell()

    def _tell(self) -> None:
        self.dataChanged.emit(self.index(0, STATE), self.index(len(ENTRIES) - 1, STATE))

    # -- what others ask

    def entry(self, row: int) -> Entry:
        """The entry of a row of this model."""
        return ENTRIES[row]

    def state(self, name: str) -> str:
        """Of an entry; "" before it is known."""
        return self._states.get(name, "")

    def state_text(self, name: str) -> str:
        """State of an entry for people, or what happens to it."""
        return self._doing.get(name) or self.word(self.state(name))

    def word(self, state: str) -> str:
        """A state for people; "…" for one that is not known yet."""
        return self._words.get(state, "…")

    def haystack(self, row: int) -> str:
        """In what the words of a search are looked for."""
        return self._haystacks[row]

    # -- Qt

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  # Qt's own default
        return 0 if parent.isValid() else len(ENTRIES)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._headers)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headers[section][0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._headers[section][1]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry, column = ENTRIES[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(entry, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(entry, column)
        if role == SORT_ROLE:
            return self._key(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (MOLECULES, CONFORMATIONS, SIZE) else _LEFT
        return None

    def _text(self, entry: Entry, column: int) -> str:
        if column == TITLE:
            return entry.title
        if column in (MOLECULES, CONFORMATIONS):
            value = entry.molecules if column == MOLECULES else entry.conformations
            return "–" if value is None else f"{value:,}"
        if column == ELEMENTS:
            return _few(entry.elements, " ")
        if column == PROPERTIES:
            return _few(tuple(c.name for c in entry.columns), ", ")
        if column == SIZE:
            return entry_size_text(entry).replace("size unknown", self.tr("unknown")) or "–"
        if column == LICENCE:
            return entry.licence or "–"
        return self.state_text(entry.name)

    def _tip(self, entry: Entry, column: int) -> str:
        if column == ELEMENTS:
            return " ".join(entry.elements)
        if column == PROPERTIES:
            return "\n".join(f"{c.name} ({c.unit})" if c.unit else c.name for c in entry.columns[:30])
        if column == LICENCE:
            return entry.licence or self.tr("not known here: see the home page")
        if column == STATE:
            return self._explained.get(self.state(entry.name), "")
        return f"{entry.name}: {entry.description}"

    def _key(self, entry: Entry, column: int) -> Any:
        if column in (MOLECULES, CONFORMATIONS, SIZE):
            numbers = {MOLECULES: entry.molecules, CONFORMATIONS: entry.conformations, SIZE: entry.expected}
            value = numbers[column]
            return float("inf") if value is None else float(value)
        if column in (ELEMENTS, PROPERTIES):
            return float(len(entry.elements if column == ELEMENTS else entry.columns))
        return self._text(entry, column).lower()


def _few(words: tuple[str, ...], between: str) -> str:
    if len(words) <= _MANY:
        return between.join(words) or "–"
    return f"{between.join(words[: _MANY - 1])}{between.rstrip()} … ({len(words)})"


class _Filter(QSortFilterProxyModel):
    """Rows that have all the words."""

    def __init__(self, model: CatalogueModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()
        self._model = model
        self.setSourceModel(model)
        self.setSortRole(SORT_ROLE)

    def set_text(self, text: str) -> None:
        self._words = tuple(text.lower().split())
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:
        return all(word in self._model.haystack(source_row) for word in self._words)


class CatalogueTable(QTableView):
    """The table. In the order of the catalogue until a heading is clicked.

    Signals
    -------
    entry_changed : (Entry or None)
        Another row is current.
    entry_activated : (Entry)
        Return, or a double click.
    """

    entry_changed = Signal(object)
    entry_activated = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.catalogue = CatalogueModel(self)
        self._filter = _Filter(self.catalogue, self)
        self.setModel(self._filter)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAccessibleName(self.tr("Data sets"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column in range(self.catalogue.columnCount()):
            header.resizeSection(column, self._width(column))
        header.setSectionResizeMode(PROPERTIES, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(70)
        self._filter.sort(-1)
        self.selectionModel().currentRowChanged.connect(self._on_selection_model_current_row_changed)
        self.activated.connect(self._on_activated)

    def _width(self, column: int) -> int:
        """As its texts need, within bounds."""
        metrics, model = self.fontMetrics(), self.catalogue
        texts = [str(model.headerData(column, Qt.Orientation.Horizontal)) + "    "]
        texts += [str(model.data(model.index(row, column))) for row in range(model.rowCount())]
        if column == STATE:
            texts += [self.tr("↗ elsewhere"), self.tr("waiting …")]
        most = {TITLE: 230, PROPERTIES: 120}.get(column, 140)
        return min(max(metrics.horizontalAdvance(text) for text in texts) + 16, most)

    @property
    def current(self) -> Entry | None:
        """The entry of the current row."""
        index = self._filter.mapToSource(self.currentIndex())
        return self.catalogue.entry(index.row()) if index.isValid() else None

    @property
    def shown(self) -> list[Entry]:
        """Entries in the table, in its order."""
        rows = range(self._filter.rowCount())
        return [self.catalogue.entry(self._filter.mapToSource(self._filter.index(r, 0)).row()) for r in rows]

    def set_text(self, text: str) -> None:
        """List only entries with all of these words; the current row stays if it can, else the first one is."""
        self._filter.set_text(text)
        if not self.currentIndex().isValid() and self._filter.rowCount():
            self.setCurrentIndex(self._filter.index(0, 0))
        if not self._filter.rowCount():
            self.entry_changed.emit(None)

    def go_to(self, name: str) -> None:
        """Make the row of an entry the current one, if it is listed."""
        for row, entry in enumerate(self.shown):
            if entry.name == name:
                self.setCurrentIndex(self._filter.index(row, 0))

    def _on_selection_model_current_row_changed(self, *_: object) -> None:
        self.entry_changed.emit(self.current)

    def _on_activated(self, _index: QModelIndex) -> None:
        if self.current is not None:
            self.entry_activated.emit(self.current)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # on some systems only a double click activates
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current is not None:
            self.entry_activated.emit(self.current)
            return
        super().keyPressEvent(event)
