"""Tables of the doctor panel: the checks, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont
from PySide6.QtWidgets import QWidget

from qmlstudio.app.doctor import DoctorEngine
from qmlstudio.session.doctor import SEVERITIES, Findings
from qmlstudio.widgets.theme import theme

SIGNS = ("ℹ", "▲", "✖")
"""Of an info, a warning and an error: no colour alone."""
_Index = QModelIndex | QPersistentModelIndex


def severity_color(severity: int, dark: bool) -> QColor:
    """Of a sign; readable on both grounds."""
    light = ("#0b63b0", "#8f5a00", "#b3152b")
    return QColor((("#6cb6ff", "#f0b429", "#ff7b86") if dark else light)[severity])


class CheckModel(QAbstractTableModel):
    """All checks: whether they are to be run, their titles, and what they found. The first row stands for all."""

    chosen_changed = Signal()

    def __init__(self, engine: DoctorEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._dark = False
        self.names = tuple(engine.checks)
        self.chosen = set(self.names)

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._dark = dark
        self.refresh()

    def refresh(self) -> None:
        """States and counts may have changed."""
        self.dataChanged.emit(self.index(0, 0), self.index(len(self.names), 1))

    def name(self, row: int) -> str:
        """Of the check in a row; empty for the row of all."""
        return self.names[row - 1] if 0 < row <= len(self.names) else ""

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.names) + 1

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.isValid() and index.column() == 0 else flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        name = self.name(index.row())
        if role == Qt.ItemDataRole.CheckStateRole and index.column() == 0:
            return self._check_state(name)
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 0:
                return self._engine.checks[name].title if name else self.tr("All checks")
            return self._result(name)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 1:
            return self._brush(name)
        if role == Qt.ItemDataRole.FontRole and not name:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(name)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 1:
            return self._spoken(name)
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        on, name = Qt.CheckState(value) != Qt.CheckState.Unchecked, self.name(index.row())
        names = {name} if name else set(self.names)
        self.chosen = self.chosen | names if on else self.chosen - names
        self.refresh()
        self.chosen_changed.emit()
        return True

    def _check_state(self, name: str) -> Qt.CheckState:
        if name:
            return Qt.CheckState.Checked if name in self.chosen else Qt.CheckState.Unchecked
        if not self.chosen:
            return Qt.CheckState.Unchecked
        return Qt.CheckState.Checked if len(self.chosen) == len(self.names) else Qt.CheckState.PartiallyChecked

    def _counts(self, name: str) -> tuple[int, int, int]:
        found = self._engine.found
        parts = [found[name].counts] if name in found else [] if name else [f.counts for f in found.values()]
        return sum(c[0] for c in parts), sum(c[1] for c in parts), sum(c[2] for c in parts)

    def _result(self, name: str) -> str:
        state = self._engine.state(name) if name else ("running" if self._engine.is_running else "done")
        if state == "running":
            return "…"
        if state == "new":
            return "–"
        if state == "failed":
            return self.tr("failed")
        counts = self._counts(name)
        text = " ".join(f"{SIGNS[k]} {counts[k]:,}" for k in (2, 1, 0) if counts[k])
        return (text or "✓") + (" *" if state == "old" else "")

    def _brush(self, name: str) -> QBrush | None:
        counts = self._counts(name)
        worst = next((k for k in (2, 1, 0) if counts[k]), None)
        if worst is None or (name and self._engine.state(name) in ("new", "running", "failed")):
            return QBrush(QColor(theme(self._dark).muted))
        return QBrush(severity_color(worst, self._dark))

    def _spoken(self, name: str) -> str:
        counts = self._counts(name)
        parts = [f"{c:,} {SEVERITIES[k]}" for k, c in enumerate(counts) if c]
        return ", ".join(parts) or self._result(name)

    def _tip(self, name: str) -> str:
        if not name:
            return self.tr("Everything that was found")
        check, found = self._engine.checks[name], self._engine.found.get(name)
        state = {
            "new": self.tr("It has not been run."),
            "running": self.tr("It is running."),
            "old": self.tr("* It has been run with other parameters, or before the data changed."),
            "failed": self.tr("It could not be done."),
            "done": "",
        }[self._engine.state(name)]
        rest = (found.note, found.error) if found is not None else ()
        return "\n".join(filter(None, (check.why, state, *rest)))


class FindingModel(QAbstractTableModel):
    """The findings of one check or of all, the worst first; texts are made of what is on screen only."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dark = False
        self._found: list[Findings] = []
        self._which = np.zeros(0, np.int64)
        self._row = np.zeros(0, np.int64)
        self._identifiers: Any = ()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._dark = dark
        if len(self._row):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._row) - 1, 1))

    def set_findings(self, found: Sequence[Findings], identifiers: Any) -> None:
        """Show these."""
        self.beginResetModel()
        self._found, self._identifiers = list(found), identifiers
        sizes = [len(f) for f in self._found]
        which = np.repeat(np.arange(len(sizes)), sizes)
        row = np.concatenate([np.arange(s) for s in sizes]) if sizes else np.zeros(0, np.int64)
        severity = np.concatenate([f.severity for f in self._found]) if sizes else np.zeros(0)
        order = np.argsort(-severity.astype(np.int64), kind="stable")
        self._which, self._row = which[order], row[order]
        self.endResetModel()

    def at(self, row: int) -> tuple[Findings, int]:
        """The finding in a row: those of its check, and its number among them."""
        return self._found[self._which[row]], int(self._row[row])

    def parts(self, rows: Sequence[int] | None = None) -> list[tuple[Findings, NDArray[np.int64]]]:
        """The findings in these rows (all), by check."""
        chosen = np.arange(len(self._row)) if rows is None else np.asarray(rows, dtype=np.int64)
        return [(f, self._row[chosen[self._which[chosen] == k]]) for k, f in enumerate(self._found)]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._row)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Structure"), self.tr("Finding"))[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        found, k = self.at(index.row())
        severity, structure = int(found.severity[k]), int(found.structure[k])
        if role == Qt.ItemDataRole.DisplayRole:
            if index.column() == 1:
                return found.text(k, self._identifiers)
            return f"{SIGNS[severity]} {self._identifiers[structure] if structure >= 0 else self.tr('the set')}"
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == 0:
            return QBrush(severity_color(severity, self._dark))
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(found, k)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == 0:
            name = self._identifiers[structure] if structure >= 0 else self.tr("the set")
            return f"{SEVERITIES[severity]}, {name}"
        return None

    def _tip(self, found: Findings, k: int) -> str:
        structure = int(found.structure[k])
        name = str(self._identifiers[structure]) if structure >= 0 else self.tr("The whole set")
        numbers = "\n".join(f"{key}: {v:.6g}" if isinstance(v, float) else f"{key}: {v}" for key, v in
                            found.evidence(k).items())  # fmt: skip
        others = len(found.related[k])
        more = self.tr("{:,} further structures").format(others) if others else ""
        return "\n".join(
            filter(None, (f"{name} ({SEVERITIES[found.severity[k]]})", found.text(k, self._identifiers), more, numbers))
        )
