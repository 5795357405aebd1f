"""Search in the data set: results come while it runs, the window lives on, and what was asked is remembered."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import Progress
from qmlstudio.session.search import Found, Query, examples, search
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Look, Subject, pictures
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.selection_results import MOST_LISTED, ResultList
from qmlstudio.widgets.theme import theme

SLOT, PICTURES = "find", "find pictures"
TYPING_MS = 250
"""Pause after which what was typed is looked for."""
BATCH_ROWS = 20_000
"""Structures from which reading all SMILES is data-set wide work."""
_PAGE = 6


class FindDialog(QDialog):
    """A line, a kind of search, the results. Return makes a structure active, a button selects all of them.

    It stays open beside the window, and is only hidden when closed: text and results are there again at the next time.
    """

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._found: NDArray[np.int64] = np.zeros(0, np.int64)
        self._how = ""
        self._asked = ""
        self._go_to_first = False
        self.setWindowTitle(self.tr("Find"))
        self.setModal(False)
        self._make()
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._connect()
        self.set_dark(False)
        self._show_found()
        self.resize(440, 480)

    # -- building

    def _make(self) -> None:
        self.kind = QComboBox()
        for text, kind, tip in (
            (self.tr("Anything"), "auto", self.tr("Identifier, formula, then SMILES: the first that finds something")),
            (self.tr("Identifier"), "identifier", self.tr("Equal, or with * and ?, else containing the text (id:)")),
            (self.tr("Formula"), "formula", self.tr("In any order, or with ranges: C4-6 N>=1 O+ F0 (formula:)")),
            (
                self.tr("SMILES"),
                "smiles",
                self.tr("The same molecule, however written; stereo counts if it is given (smiles:)"),
            ),
            (self.tr("SMARTS"), "smarts", self.tr("Molecules that contain the pattern (smarts:)")),
        ):
            self.kind.addItem(text, kind)
            self.kind.setItemData(self.kind.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.kind.setToolTip(self.tr("What the text is"))
        self.kind.setAccessibleName(self.tr("Kind of search"))
        self.line = QLineEdit()
        self.line.setClearButtonEnabled(True)
        self.line.setPlaceholderText(self.tr("Identifier, formula, SMILES, smarts:…"))
        self.line.setAccessibleName(self.tr("Search text"))
        self.line.installEventFilter(self)
        self._stop = QToolButton()
        self._stop.setText("■")
        self._stop.setAutoRaise(True)
        self._stop.setToolTip(self.tr("Stop the search; what was found stays"))
        self._stop.setAccessibleName(self.tr("Stop the search"))
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(4)
        self.status = QLabel()
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setWordWrap(True)
        self.list = ResultList()
        self._select = QPushButton()
        self._select.setAutoDefault(False)
        self._select.setToolTip(self.tr("Shift adds them to the selection, Alt subtracts, Ctrl intersects"))
        self._go = QPushButton(self.tr("&Go to"))
        self._go.setAutoDefault(False)
        self._go.setToolTip(self.tr("Make the marked structure the active one (Return)"))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.kind)
        top.addWidget(self.line, 1)
        top.addWidget(self._stop)
        bottom = QHBoxLayout()
        bottom.addWidget(self._select, 1)
        bottom.addWidget(self._go)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._bar)
        layout.addWidget(self.status)
        layout.addWidget(self.list, 1)
        layout.addLayout(bottom)
        keep = self._bar.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(keep)

    def _connect(self) -> None:
        self._timer.timeout.connect(self._search)
        self.line.textChanged.connect(self._on_line_text_changed)
        self.line.returnPressed.connect(self._on_line_return_pressed)
        self.kind.activated.connect(self._on_kind_activated)
        self._stop.clicked.connect(self._on_stop_clicked)
        self.list.activated.connect(self._on_go_clicked)
        self.list.wanted.connect(self._on_list_wanted)
        self.list.pointed_at.connect(self._store.hover)
        self._select.clicked.connect(self._on_select_clicked)
        self._go.clicked.connect(self._on_go_clicked)
        self._runner.progressed.connect(self._on_runner_progressed)
        self._runner.finished.connect(self._on_runner_finished)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    @property
    def found(self) -> NDArray[np.int64]:
        """All structures found, listed or not."""
        return self._found

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.list.set_dark(dark)
        self.status.setStyleSheet(f"color: {theme(dark).muted}")

    def present(self, text: str | None = None) -> None:
        """Show the dialog with the cursor in its line, whose text is marked; `text` replaces it."""
        if text is not None:
            self.line.setText(text)
        self.show()
        self.raise_()
        self.activateWindow()
        self.line.setFocus()
        self.line.selectAll()
        self.list.set_active(self._store.active)

    # -- the person

    def _on_line_text_changed(self, _text: str) -> None:
        self._go_to_first = False
        self._timer.start()

    def _on_kind_activated(self, _row: int) -> None:
        self._search()

    def _on_line_return_pressed(self) -> None:
        if self._timer.isActive() or self._is_searching():
            self._go_to_first = True
            if self._timer.isActive():
                self._search()
        else:
            self._on_go_clicked()

    def _on_go_clicked(self, *_: object) -> None:
        if self.list.current >= 0:
            self._store.set_active(self.list.current)

    def _on_select_clicked(self) -> None:
        how = operation("lasso", QGuiApplication.keyboardModifiers())
        if how is not None and self._store.dataset is not None:
            mask = np.zeros(len(self._store.session.selection), dtype=bool)
            mask[self._found] = True
            self._store.select(mask, how, self.tr("search “{}”").format(self._query().text))

    def _on_stop_clicked(self) -> None:
        self._runner.cancel(SLOT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # the cursor stays in the line while the arrows walk through the list
        if watched is self.line and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: _PAGE,
                Qt.Key.Key_PageUp: -_PAGE,
            }
            by = steps.get(Qt.Key(event.key()))
            if by is not None:
                self.list.step(by)
                return True
        return super().eventFilter(watched, event)

    # -- the search

    def _query(self) -> Query:
        return Query.of(self.line.text(), str(self.kind.currentData()))

    def _search(self) -> None:
        self._timer.stop()
        dataset, query = self._store.dataset, self._query()
        self._found, self._how = np.zeros(0, np.int64), ""
        if dataset is None or not query.text:
            self._asked = ""
            self._runner.cancel(SLOT)
            self._show_found()
            return
        self._asked = f"{dataset.fingerprint} {query}"
        wide = query.kind == "smarts" and len(dataset) > BATCH_ROWS
        self._runner.submit(
            Job(
                key=self._asked,
                slot=SLOT,
                title=self.tr("Find “{}”").format(query.text),
                compute=partial(_search, dataset, query),
                done=partial(self._on_done, dataset),
                failed=self._on_failed,
                partial=partial(self._on_partial, dataset),
                lane="batch" if wide else "interactive",
                priority=10,
            )
        )
        self._show_found()

    def _is_searching(self) -> bool:
        return any(h.slot == SLOT and not h.is_finished for h in self._runner.jobs()[-20:])

    def _on_partial(self, dataset: Dataset, found: Found) -> None:
        if dataset is self._store.dataset:
            self._found = found
            self._show_found()

    def _on_done(self, dataset: Dataset, result: tuple[Found, str]) -> None:
        if dataset is self._store.dataset:
            self._found, self._how = result
            self._show_found()
            if self._go_to_first and len(self._found):
                self._on_go_clicked()
            self._go_to_first = False

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._show_found()
        self.status.setText(f"⚠ {error}")

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, _message: str, _eta: object) -> None:
        if handle.slot == SLOT:
            self._bar.setValue(round(1000 * fraction))

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if handle.slot == SLOT and not self._is_searching():
            failed = self.status.text() if state == "failed" else ""
            self._show_found()
            if failed:
                self.status.setText(failed)
            elif state == "cancelled" and self._asked:
                text = self.tr("Stopped: {:,} found so far").format(len(self._found))
                self.status.setText(text)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.list.clear_pictures()
            if self.isVisible():
                self._search()
            else:
                self._found, self._asked = np.zeros(0, np.int64), ""
                self._show_found()
        if "selection" in names:
            self.list.set_active(self._store.active)

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        if self.line.text().strip() and not self._asked:
            self._search()

    # -- showing

    def _show_found(self) -> None:
        dataset, count = self._store.dataset, len(self._found)
        running = self._is_searching()
        self._bar.setVisible(running)
        self._stop.setEnabled(running)
        if dataset is None:
            self.list.rows.set_rows(np.zeros(0, np.int64), lambda index: (str(index), ""))
        else:
            self.list.rows.set_rows(self._found, partial(_texts, dataset))
        if self.list.current < 0 and count:
            self.list.step(0)
        self._select.setEnabled(count > 0)
        self._select.setText(self.tr("&Select all {:,}").format(count) if count else self.tr("&Select all"))
        self._go.setEnabled(count > 0)
        if dataset is None:
            text = self.tr("No data set is open.")
        elif not self._query().text:
            text = self.tr("For example: {}").format(" · ".join(examples(dataset).split("\n")))
        elif count:
            text = self.tr("{:,} found").format(count) + (f" ({self._how})" if self._how else "")
            text += self.tr(" so far …") if running else ""
            if count > MOST_LISTED:
                text += self.tr("; the first {:,} are listed").format(MOST_LISTED)
        else:
            text = self.tr("Looking …") if running else self.tr("Nothing fits.")
        self.status.setText(text)

    def _on_list_wanted(self, indices: list[int], look: Look) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        subjects = [_subject(dataset, i) for i in indices]
        self._runner.submit(
            Job(
                key=f"find {dataset.fingerprint} {look} {indices}",
                slot=PICTURES,
                title=self.tr("Pictures of the search"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, dataset, look),
                failed=partial(self._on_pictures_failed, indices[0], look),
                lane="interactive",
                priority=1,
                conflate=True,
            )
        )

    def _on_pictures(self, dataset: Dataset, look: Look, made: list[tuple[int, object]]) -> None:
        if dataset is self._store.dataset:
            for index, image in made:
                self.list.put(index, look, image)  # type: ignore[arg-type]

    def _on_pictures_failed(self, index: int, look: Look, _error: BaseException, _details: str) -> None:
        self.list.put(index, look, None)


def _search(dataset: Dataset, query: Query, progress: Progress) -> tuple[Found, str]:
    return search(dataset, query.text, progress, query.kind)


def _texts(dataset: Dataset, index: int) -> tuple[str, str]:
    smiles = dataset.smiles
    formula = dataset.structures[index].formula
    return str(dataset.identifiers[index]), f"{formula} · {smiles[index]}" if smiles is not None else formula


def _subject(dataset: Dataset, index: int) -> Subject:
    smiles = dataset.smiles
    return Subject(index, dataset.structures[index], str(smiles[index]) if smiles is not None else "")
