"""The dialog in which molecules are typed or pasted, and predicted."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.model_work import ModelWork
from qmlstudio.session.model_use import INSIDE, OUTSIDE, REFUSED, TypedRow
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.widgets.theme import theme

WAIT_MS = 500
"""After the last key."""
_WARN = {False: "#b3261e", True: "#ff8a80"}


class PredictDialog(QDialog):
    """Text above, answers below; predicted as one types. Outside the domain and refused are said in words and red."""

    def __init__(self, work: ModelWork, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._model: ShelfModel | None = None
        self._dark = False
        self._rows: tuple[TypedRow, ...] = ()
        self._warns = False
        self.setWindowTitle(self.tr("Predict"))
        self._about = QLabel()
        self._about.setWordWrap(True)
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self.edit = QPlainTextEdit()
        self.edit.setPlaceholderText(self.tr("SMILES, one in a line (CCO ethanol), or xyz with its number of atoms"))
        self.edit.setAccessibleName(self.tr("Molecules to predict"))
        self.edit.setTabChangesFocus(True)
        self.table = QTreeWidget()
        self.table.setRootIsDecorated(False)
        self.table.setAccessibleName(self.tr("Predictions"))
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._status.setTextFormat(Qt.TextFormat.PlainText)
        divider = QSplitter(Qt.Orientation.Vertical)
        divider.addWidget(self.edit)
        divider.addWidget(self.table)
        divider.setChildrenCollapsible(False)
        divider.setStretchFactor(1, 1)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = QPushButton(self.tr("Copy table"))
        self.copy.setToolTip(self.tr("As text with tabs, for a spreadsheet"))
        self._buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addWidget(self._about)
        layout.addWidget(divider, 1)
        layout.addWidget(self._status)
        layout.addWidget(self._buttons)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._ask)
        self.edit.textChanged.connect(self._on_edit_text_changed)
        self.copy.clicked.connect(self._on_copy_clicked)
        self._buttons.rejected.connect(self.close)
        work.predicted.connect(self._on_work_predicted)
        self.resize(620, 480)
        self._fill()

    def show_model(self, model: ShelfModel) -> None:
        """Predict by this one."""
        if model is self._model:
            return
        self._model = model
        text = self.tr("{} by {}. Elements: {}.").format(model.label, model.name, ", ".join(model.species.symbols))
        text += " " + self.tr("Geometries of SMILES come from a force field; the model was trained on its own set's.")
        self._about.setText(text)
        self._fill()
        self._ask()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self._fill()

    @property
    def rows(self) -> tuple[TypedRow, ...]:
        """What is in the table."""
        return self._rows

    @property
    def status(self) -> str:
        """What is said below the table."""
        return self._status.text()

    def done(self, code: int) -> None:
        self._timer.stop()
        super().done(code)

    def _on_edit_text_changed(self) -> None:
        self._timer.start()

    def _ask(self) -> None:
        text = self.edit.toPlainText().strip()
        if self._model is None or not text:
            self._rows = ()
            self._status.setText("")
            self._fill()
            return
        self._status.setText(self.tr("Predicting…"))
        self._work.ask(self._model, text)

    def _on_work_predicted(self, rows: tuple[TypedRow, ...], problem: str) -> None:
        self._rows = rows
        bad = sum(r.state == REFUSED for r in rows)
        far = sum(r.state == OUTSIDE for r in rows)
        parts = [self.tr("{:,} predicted").format(len(rows) - bad)] if rows else []
        if far:
            parts.append(self.tr("⚠ {:,} outside the domain: the model extrapolates there").format(far))
        if bad:
            parts.append(self.tr("✕ {:,} refused").format(bad))
        self._status.setText(f"⚠ {problem}" if problem else " · ".join(parts))
        self._warns = bool(problem or far or bad)
        self._fill()

    def _fill(self) -> None:
        self._status.setStyleSheet(f"color: {_WARN[self._dark]}" if self._warns else "")
        names = [] if self._model is None else list(self._model.task.targets)
        self.table.clear()
        heads = [self.tr("Molecule"), self.tr("Formula"), *names, self.tr("Distance"), self.tr("Judgement")]
        self.table.setHeaderLabels(heads)
        colors = theme(self._dark)
        for row in self._rows:
            values = list(row.values) if len(row.values) == len(names) else ["–"] * len(names)
            judged = {
                INSIDE: self.tr("inside the domain"),
                OUTSIDE: f"⚠ {row.note}",
                REFUSED: self.tr("✕ refused: {}").format(row.note),
            }[row.state]
            item = QTreeWidgetItem([row.name, row.formula, *values, row.distance, judged])
            for k in range(item.columnCount()):
                item.setForeground(k, QColor(colors.foreground if row.state == INSIDE else _WARN[self._dark]))
                item.setToolTip(k, judged)
            self.table.addTopLevelItem(item)
        header = self.table.header()
        for k in range(len(heads) - 1):
            header.setSectionResizeMode(k, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.copy.setEnabled(bool(self._rows))

    def _on_copy_clicked(self) -> None:
        from PySide6.QtGui import QGuiApplication

        lines = []
        for k in range(self.table.topLevelItemCount()):
            item = self.table.topLevelItem(k)
            if item is not None:
                lines.append("\t".join(item.text(c) for c in range(item.columnCount())))
        head = self.table.headerItem()
        lines.insert(0, "\t".join(head.text(c) for c in range(head.columnCount())))
        QGuiApplication.clipboard().setText("\n".join(lines))
