"""The jobs panel: what runs, what ran, and what went wrong."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QSplitter,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import JobHandle, JobRunner

SHOWN = 100


def format_seconds(seconds: float) -> str:
    """A duration as people say it: "0.3 s", "12 s", "3 min 20 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


class JobsView(QWidget):
    """A row for each job, the newest first; the text below says why the chosen one failed."""

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._rows: dict[int, QTreeWidgetItem] = {}
        self._handles: dict[int, JobHandle] = {}
        self._titles = {
            "queued": self.tr("waiting"),
            "running": self.tr("running"),
            "done": self.tr("done"),
            "cancelled": self.tr("cancelled"),
            "failed": self.tr("failed"),
        }
        self._tree = QTreeWidget()
        self._tree.setRootIsDecorated(False)
        self._tree.setHeaderLabels([self.tr("Job"), self.tr("State"), self.tr("Progress"), self.tr("Time"), ""])
        header = self._tree.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setStretchLastSection(False)
        for column, width in ((1, 110), (2, 110), (3, 90), (4, 36)):
            header.resizeSection(column, width)
        self._log = QPlainTextEdit()
        self._log.setReadOnly(True)
        self._log.setAcceptDrops(False)
        self._log.setPlaceholderText(self.tr("Choose a failed job to read why."))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._tree)
        split.addWidget(self._log)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(split)
        self._tree.currentItemChanged.connect(self._on_tree_current_item_changed)
        runner.started.connect(self._on_runner_started)
        runner.progressed.connect(self._on_runner_progressed)
        runner.finished.connect(self._on_runner_finished)

    def _row(self, handle: JobHandle) -> QTreeWidgetItem:
        key = id(handle)
        row = self._rows.get(key)
        if row is None:
            row = QTreeWidgetItem([handle.title, "", "", "", ""])
            row.setData(0, Qt.ItemDataRole.UserRole, key)
            row.setToolTip(0, handle.title)
            self._rows[key], self._handles[key] = row, handle
            self._tree.insertTopLevelItem(0, row)
            while self._tree.topLevelItemCount() > SHOWN:
                old = self._tree.takeTopLevelItem(self._tree.topLevelItemCount() - 1)
                if old is not None:
                    old_key = old.data(0, Qt.ItemDataRole.UserRole)
                    self._rows.pop(old_key, None)
                    self._handles.pop(old_key, None)
        return row

    def _on_runner_started(self, handle: JobHandle) -> None:
        if (
            handle.lane == "interactive"
        ):  # the active structure's jobs take milliseconds: listing them would hide the rest
            return
        row = self._row(handle)
        row.setText(1, self._titles["running"])
        bar = QProgressBar()
        bar.setRange(0, 1000)
        bar.setTextVisible(False)
        bar.setMaximumHeight(14)
        self._tree.setItemWidget(row, 2, bar)
        cancel = QToolButton()
        cancel.setText("✕")
        cancel.setAutoRaise(True)
        cancel.setToolTip(self.tr("Cancel this job (Ctrl+.)"))
        cancel.clicked.connect(partial(self._runner.cancel, handle.slot))
        box = QWidget()
        inner = QHBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(cancel)
        self._tree.setItemWidget(row, 4, box)

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, message: str, eta: Any) -> None:
        if id(handle) not in self._rows:
            return
        row = self._row(handle)
        bar = self._tree.itemWidget(row, 2)
        if isinstance(bar, QProgressBar):
            bar.setValue(int(1000 * fraction))
            bar.setToolTip(message)
        row.setText(1, message or self._titles["running"])
        if isinstance(eta, int | float) and eta == eta and eta < 1e7:
            row.setText(3, self.tr("{} left").format(format_seconds(float(eta))))

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if id(handle) not in self._rows and state != "failed":
            return
        row = self._row(handle)
        for column in (2, 4):
            self._tree.removeItemWidget(row, column)
        row.setText(1, self._titles.get(state, state))
        row.setText(2, time.strftime("%H:%M:%S"))
        row.setText(3, format_seconds(handle.seconds))
        if handle.error:
            row.setToolTip(1, handle.error)
            self._tree.setCurrentItem(row)

    def _on_tree_current_item_changed(self, item: QTreeWidgetItem | None, _previous: object) -> None:
        handle = self._handles.get(item.data(0, Qt.ItemDataRole.UserRole)) if item is not None else None
        self._log.setPlainText("" if handle is None else f"{handle.error}\n\n{handle.traceback}".strip())


class JobStatus(QWidget):
    """The running job in the status bar: a bar, what it does, how long it will take, and a button that cancels it."""

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._handle: JobHandle | None = None
        self._text = QLabel()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(140, 12)
        self._cancel = QToolButton()
        self._cancel.setText("✕")
        self._cancel.setAutoRaise(True)
        self._cancel.setToolTip(self.tr("Cancel the running job (Ctrl+.)"))
        self._cancel.clicked.connect(self._on_cancel_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text)
        layout.addWidget(self._bar)
        layout.addWidget(self._cancel)
        # the height stays while nothing runs: else all panels would be laid out and drawn anew at each start and end
        self.setMinimumHeight(self.sizeHint().height())
        self._show(False)
        runner.started.connect(self._on_runner_started)
        runner.progressed.connect(self._on_runner_progressed)
        runner.finished.connect(self._on_runner_finished)

    def _show(self, running: bool) -> None:
        self._bar.setVisible(running)
        self._cancel.setVisible(running)
        if not running:
            self._text.clear()

    def _on_runner_started(self, handle: JobHandle) -> None:
        if handle.lane != "interactive":
            self._follow(handle)

    def _follow(self, handle: JobHandle) -> None:
        self._handle = handle
        self._text.setText(handle.message or handle.title)
        self._bar.setValue(int(1000 * handle.fraction))
        self._show(True)

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, message: str, eta: Any) -> None:
        if handle is not self._handle:
            return
        left = ""
        if isinstance(eta, int | float) and eta == eta and 1 <= eta < 1e7:
            left = self.tr(" – {} left").format(format_seconds(float(eta)))
        self._text.setText(f"{message or handle.title}{left}")
        self._bar.setValue(int(1000 * fraction))

    def _on_runner_finished(self, handle: JobHandle, _state: str) -> None:
        if handle is not self._handle:
            return
        # a long computation goes on behind the short one that has just ended
        others = [h for h in self._runner.running if h is not handle and h.lane != "interactive"]
        if others:
            self._follow(others[-1])
        else:
            self._handle = None
            self._show(False)

    def _on_cancel_clicked(self) -> None:
        if self._handle is not None:
            self._runner.cancel(self._handle.slot)
