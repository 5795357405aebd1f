"""The window: panels, menus from the command table, status bar. Logic lives in the store and the documents."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData, QPoint, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QMenu,
    QMessageBox,
)

from qmlstudio.app import represent
from qmlstudio.app.autosave import Recovery, discard, find_recoverable
from qmlstudio.app.documents import Documents
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.pipeline import Pipeline
from qmlstudio.app.preferences import Preferences
from qmlstudio.app.stalls import StallMeter
from qmlstudio.app.store import Store
from qmlstudio.session.cache import Cache
from qmlstudio.shell.actions import Actions
from qmlstudio.shell.dialogs import error_box
from qmlstudio.shell.find_dialog import FindDialog
from qmlstudio.shell.menus import Menus
from qmlstudio.shell.panels import Panels
from qmlstudio.shell.theme import ThemeSwitch
from qmlstudio.shell.warm_up import warm_up_job
from qmlstudio.views.jobs import JobStatus

log = logging.getLogger("qmlstudio.window")
FIRST = "builtin:qm9_7"
LAYOUT_VERSION = 2
TURN_MS = 10
"""Pause between the steps after the first paint; with none, Qt would take them all before any event of the user."""


class MainWindow(QMainWindow):
    """Everything on screen. Made quickly; :meth:`start` does the rest after the first paint."""

    def __init__(self, preferences: Preferences, switch: ThemeSwitch) -> None:
        super().__init__()
        self.preferences = preferences
        self.switch = switch
        self.ask_on_close = True
        self._started = False
        self._files: list[str] = []
        self._closed = False
        self.store = Store(self)
        self.runner = JobRunner(self)
        self.cache = Cache(preferences.memory_budget)
        self.pipeline = Pipeline(self.store, self.runner, self.cache, self)
        self.pipeline.memory_budget = preferences.memory_budget
        self.documents = Documents(self.store, self.runner, self.pipeline, preferences, self)
        self.stalls = StallMeter(self)
        self.panels = Panels(self, self.store, self.runner)
        self.docks, self.splitter, self.maps = self.panels.docks, self.panels.splitter, self.panels.maps
        self.map_view, self.structure_view = self.maps.first, self.panels.structure
        self.dataset_view, self.descriptor_view = self.panels.dataset, self.panels.descriptor
        self.find_dialog = FindDialog(self.store, self.runner, self)
        self.actions_of_commands = Actions(self)
        self.menus = Menus(self)
        self.actions_by_id = self.menus.actions
        self._make_status()
        self._connect()
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.resize(1500, 920)
        self.panels.set_widths()
        self._default_state = self.saveState(LAYOUT_VERSION)
        self._restore()
        self.panels.set_memory_budget(preferences.memory_budget)
        if preferences.lasso_on_plain_drag:
            self.map_view.set_lasso_on_plain_drag(True)
        self._on_switch_changed(switch.is_dark)
        self._on_documents_path_changed()
        self._on_store_history_changed()

    # -- building

    def _make_status(self) -> None:
        bar = self.statusBar()
        self._status_data = QLabel()
        self._status_memory = QLabel()
        self.job_status = JobStatus(self.runner)
        bar.addWidget(self._status_data, 1)
        # Qt draws passing messages over the label instead of in its place
        bar.messageChanged.connect(self._on_status_message_changed)
        bar.addPermanentWidget(self.job_status)
        bar.addPermanentWidget(self._status_memory)
        self._memory_timer = QTimer(self)
        self._memory_timer.setInterval(2000)
        self._memory_timer.timeout.connect(self._show_memory)

    def _connect(self) -> None:
        self.switch.changed.connect(self._on_switch_changed)
        self.store.changed.connect(self._on_store_changed)
        self.store.history_changed.connect(self._on_store_history_changed)
        self.store.failed.connect(self._on_store_failed)
        self.documents.opened.connect(self._on_documents_opened)
        self.documents.saved.connect(self._on_documents_saved)
        self.documents.failed.connect(self.show_error)
        self.documents.notice.connect(self._on_documents_notice)
        self.documents.collect_views = self.panels.states
        self.documents.views_loaded.connect(self._on_documents_views_loaded)
        self.documents.path_changed.connect(self._on_documents_path_changed)
        self.documents.autosave.failed.connect(self._on_autosave_failed)
        self.preferences.changed.connect(self._on_preferences_changed)
        self.dataset_view.problems_requested.connect(self.actions_of_commands.on_problems)
        self.dataset_view.units_requested.connect(self.actions_of_commands.on_units)
        self.maps.context_menu_requested.connect(self._on_map_context_menu_requested)
        self.panels.gallery.reveal_requested.connect(self.panels.reveal)
        self.panels.doctor.badge_changed.connect(self.docks["doctor"].setWindowTitle)
        self.panels.doctor.rest_made.connect(self.documents.show_dataset)
        for view in (self.panels.gallery, self.panels.distributions):
            view.context_menu_requested.connect(self._on_map_context_menu_requested)
        self.structure_view.context_menu_requested.connect(self._on_structure_context_menu_requested)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shutdown)

    def _restore(self) -> None:
        geometry, state = self.preferences.window_geometry, self.preferences.window_state
        if geometry is not None:
            self.restoreGeometry(geometry)
        if state is not None:
            sizes, _, layout = bytes(state.data()).partition(b"|")
            self.restoreState(QByteArray(layout), LAYOUT_VERSION)
            self.splitter.restoreState(QByteArray.fromHex(QByteArray(sizes)))

    # -- after the first paint

    def start(self, files: Sequence[str] = ()) -> None:
        """Open `files` (the built-in data set if none) once the window has been painted."""
        self._files = list(files)
        self._started = True
        self.update()
        if not self.isVisible():
            QTimer.singleShot(0, self._begin)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._started:
            QTimer.singleShot(0, self._begin)

    def _begin(self) -> None:
        if not self._started:
            return
        self._started = False
        # loaded here and not at start-up; before any job, whose imports would hold the interpreter meanwhile
        from qmlstudio.widgets.molecule_vispy import loading

        self._begin_drawing(loading())

    def _begin_drawing(self, loading: Iterator[None]) -> None:
        for _ in loading:
            QTimer.singleShot(TURN_MS, partial(self._begin_drawing, loading))
            return
        self.structure_view.start()
        QTimer.singleShot(TURN_MS, self._begin_jobs)

    def _begin_jobs(self) -> None:
        self.open_paths(self._files or [FIRST])
        self.runner.submit(represent.plugins_job(self._on_plugins_loaded))
        self.runner.submit(warm_up_job(self.store.session.representation.name))
        self._memory_timer.start()
        self._show_memory()
        QTimer.singleShot(0, self._offer_recovery)

    def _offer_recovery(self) -> None:
        found = find_recoverable()
        if not found or not self.ask_on_close:
            return
        newest = max(found, key=lambda r: r.time)
        box = QMessageBox(QMessageBox.Icon.Question, self.tr("Recover"), "", parent=self)
        box.setText(self.tr("QML Studio did not end in good order on {:%d %B, %H:%M}.").format(newest.time))
        box.setInformativeText(self.tr("Open what was unsaved of “{}”?").format(newest.title))
        keep = box.addButton(self.tr("Recover"), QMessageBox.ButtonRole.AcceptRole)
        drop = box.addButton(self.tr("Throw away"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(self.tr("Ask again next time"), QMessageBox.ButtonRole.RejectRole)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.finished.connect(partial(self._on_recovery_answered, box, keep, drop, newest, found))
        box.open()

    def _on_recovery_answered(
        self, box: QMessageBox, keep: Any, drop: Any, newest: Recovery, found: list[Recovery], _code: int
    ) -> None:
        if box.clickedButton() is keep:
            self.documents.recover(newest)
        elif box.clickedButton() is drop:
            for recovery in found:
                discard(recovery)

    # -- what others may ask

    def open_paths(self, paths: Sequence[str], *_: object) -> None:
        """Open files, after asking what to do with unsaved changes of a named session."""
        if len(paths) == 1 and paths[0].lower().endswith(".params"):  # no data: constants of a representation
            self.actions_of_commands.open_params(paths[0])
        else:
            self.documents.open_paths(list(paths))

    def show_error(self, message: str, details: str = "") -> None:
        """Say what went wrong, in a box that does not block."""
        if self.ask_on_close:
            error_box(self, message, details).open()
        else:
            self.statusBar().showMessage(message)

    def on_job_failed(self, error: BaseException, details: str) -> None:
        """For jobs of dialogs that have closed by then."""
        self.show_error(str(error) or type(error).__name__, details)

    # -- signals

    def _on_switch_changed(self, dark: bool) -> None:
        self.panels.set_dark(dark)
        self.find_dialog.set_dark(dark)

    def _on_preferences_changed(self, name: str) -> None:
        if name == "theme":
            self.switch.set_mode(self.preferences.theme)
            self.actions_by_id[f"theme_{self.preferences.theme}"].setChecked(True)
        elif name == "memory_budget":
            self.cache.budget = self.preferences.memory_budget
            self.pipeline.memory_budget = self.preferences.memory_budget
            self.panels.set_memory_budget(self.preferences.memory_budget)
            self.pipeline.retry()
        elif name == "lasso_on_plain_drag":
            self.map_view.set_lasso_on_plain_drag(self.preferences.lasso_on_plain_drag)

    def _on_plugins_loaded(self, problems: list[str]) -> None:
        """Representations of other packages are offered like the rest; broken ones are told, and no more."""
        self.panels.show_representations()
        self.menus.show_representations()
        for problem in problems:
            log.warning("%s", problem)
        if problems:
            more = self.tr(" (and {} more)").format(len(problems) - 1) if len(problems) > 1 else ""
            self.statusBar().showMessage(f"⚠ {problems[0]}{more}", 20_000)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "representation" in names:
            self.menus.show_representations()
        if names & {"dataset", "selection"}:
            self._show_status()
        self.setWindowModified(self.store.is_modified)

    def _on_store_history_changed(self) -> None:
        undo, redo = self.store.undo_text, self.store.redo_text
        self.actions_by_id["undo"].setText(self.tr("&Undo {}").format(undo).strip())
        self.actions_by_id["undo"].setEnabled(bool(undo))
        self.actions_by_id["redo"].setText(self.tr("&Redo {}").format(redo).strip())
        self.actions_by_id["redo"].setEnabled(bool(redo))
        self.setWindowModified(self.store.is_modified)

    def _on_store_failed(self, _name: str, message: str, _details: str) -> None:
        self.statusBar().showMessage(message, 15_000)

    def _on_documents_opened(self, title: str) -> None:
        self.statusBar().showMessage(self.tr("Opened {}").format(title), 4000)

    def _on_documents_saved(self, path: str) -> None:
        self.statusBar().showMessage(self.tr("Saved {}").format(path), 6000)
        self.setWindowModified(self.store.is_modified)

    def _on_documents_notice(self, text: str) -> None:
        self.statusBar().showMessage(text, 20_000)

    def _on_documents_views_loaded(self, states: dict[str, Any]) -> None:
        # states of another version are no reason to refuse a session
        with contextlib.suppress(ValueError, TypeError, KeyError):
            self.panels.restore(states)

    def _on_status_message_changed(self, text: str) -> None:
        self._status_data.setVisible(not text)

    def _on_documents_path_changed(self) -> None:
        path = self.documents.path
        name = Path(path).name if path else self.store.session.dataset.name
        self.setWindowTitle(f"{name}[*] – QML Studio" if name else "[*]QML Studio")

    def _on_autosave_failed(self, message: str) -> None:
        self.statusBar().showMessage(self.tr("Autosave failed: {}").format(message), 10_000)

    def _on_map_context_menu_requested(self, index: int, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if index >= 0 and self.store.dataset is not None:
            title = str(self.store.dataset.identifiers[index])
            menu.addAction(self.tr("Show {}").format(title), partial(self.store.set_active, index))
            pinned = index in self.store.session.pins
            menu.addAction(self.tr("Unpin") if pinned else self.tr("Pin"), partial(self.store.toggle_pin, index))
            menu.addSeparator()
            menu.addAction(self.tr("Colour by similarity to this"), partial(self.panels.color_by_similarity, index))
            if self.store.active not in (None, index):
                menu.addAction(self.tr("Path from the active structure"), partial(self.panels.find_path_to, index))
            menu.addSeparator()
        for name in ("select_all", "invert", "clear", "reset_map", "export_figure", "copy_view"):
            menu.addAction(self.actions_by_id[name])
        menu.popup(place)

    def _on_structure_context_menu_requested(self, place: QPoint, _atom: int) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in ("pin", "previous", "next", "reset_camera", "export_figure", "copy_view"):
            menu.addAction(self.actions_by_id[name])
        menu.popup(place)

    # -- status

    def _show_status(self) -> None:
        dataset, selection = self.store.dataset, self.store.session.selection
        if dataset is None:
            self._status_data.setText(self.tr("No data set"))
            return
        parts = [dataset.name, self.tr("{:,} structures").format(len(dataset))]
        if selection.count:
            parts.append(self.tr("{:,} selected").format(selection.count))
        if selection.active is not None:
            parts.append(str(dataset.identifiers[selection.active]))
        self._status_data.setText("  ·  ".join(parts))

    def _show_memory(self) -> None:
        used, results = _resident_bytes(), self.cache.size
        self._status_memory.setText(self.tr("{:,.0f} MiB").format(used / 2**20) if used else "")
        self._status_memory.setToolTip(
            self.tr("Memory of the program; {:,.1f} MiB of it are results kept for reuse").format(results / 2**20)
        )

    # -- drag and drop, paste

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() or event.mimeData().hasText():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.open_mime(event.mimeData())
        event.acceptProposedAction()

    def open_mime(self, data: QMimeData) -> None:
        """Open dropped or pasted content: files, else text."""
        paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        figures = [p for p in paths if Path(p).suffix.lower() in (".svg", ".pdf", ".png", ".tif", ".tiff")]
        if figures:
            self.actions_of_commands.open_figure(figures[0])
        elif paths:
            self.open_paths(paths)
        elif data.hasText():
            self.documents.open_text(data.text())
        else:
            self.show_error(self.tr("There is nothing here that can be opened. Copy xyz or SMILES text, or files."))

    def paste(self) -> None:
        """Open what is on the clipboard."""
        self.open_mime(QGuiApplication.clipboard().mimeData())

    def reset_layout(self) -> None:
        """Panels where they were at the first start."""
        self.restoreState(self._default_state, LAYOUT_VERSION)
        self.panels.show_first()
        self.panels.set_widths()

    # -- the end

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.ask_on_close and self.documents.path and self.store.is_modified:
            answer = QMessageBox.question(
                self,
                self.tr("Save?"),
                self.tr("{} has unsaved changes.").format(Path(self.documents.path).name),
                QMessageBox.StandardButton.Save
                | QMessageBox.StandardButton.Discard
                | QMessageBox.StandardButton.Cancel,
            )
            if answer == QMessageBox.StandardButton.Cancel:
                event.ignore()
                return
            if answer == QMessageBox.StandardButton.Save:
                self.documents.save(wait=True)
                if self.store.is_modified:  # the disk is full, say: the error was told, nothing may be lost
                    event.ignore()
                    return
        self.preferences.window_geometry = self.saveGeometry()
        self.preferences.window_state = QByteArray(
            bytes(self.splitter.saveState().toHex().data()) + b"|" + bytes(self.saveState(LAYOUT_VERSION).data())
        )
        self.shutdown()
        super().closeEvent(event)

    def shutdown(self) -> None:
        """End the threads and the autosave; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._memory_timer.stop()
        self.stalls.stop()
        self.documents.keep_last()
        self.documents.autosave.close()
        self.runner.shutdown()
        self.structure_view.stop()
        self.preferences.flush()


def _resident_bytes() -> int:
    """Memory of this process; 0 where the system does not say in a cheap way."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0
