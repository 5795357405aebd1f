"""The window in which data sets are compared, beside the main one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QVBoxLayout

from qmlstudio.chem.dataset import Dataset
from qmlstudio.representations import Representation
from qmlstudio.session.joining import ORIGIN
from qmlstudio.views.comparison import ComparisonView

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow


class ComparisonWindow(QDialog):
    """Stays open beside the window; its sets are forgotten when it is closed."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.setWindowTitle(self.tr("Compare data sets"))
        self.setModal(False)
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint, True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.view = ComparisonView(window.store, window.runner)
        self.view.folder = window.preferences.last_folder
        self.view.set_memory_budget(window.preferences.memory_budget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.view)
        self.view.joint_ready.connect(self._on_view_joint_ready)
        self.view.error_raised.connect(window.show_error)
        window.switch.changed.connect(self._on_switch_changed)
        self._on_switch_changed(window.switch.is_dark)
        self.view.add_open_set()
        self.resize(1120, 740)

    def _on_switch_changed(self, dark: bool) -> None:
        self.view.set_dark(dark)

    def _on_view_joint_ready(self, dataset: Dataset, representation: Representation) -> None:
        store = self._window.store
        session = replace(store.session, representation=representation).with_dataset(dataset)
        session = replace(session, coloring=replace(session.coloring, color_by=ORIGIN))
        store.open_dataset(dataset, session)
        # no file has this set: the former session's name is not its own
        documents = self._window.documents
        documents.path = ""
        documents.path_changed.emit()
        documents.opened.emit(dataset.name)
        self._window.raise_()
        self._window.activateWindow()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.view.engine.close()
        super().closeEvent(event)

    def reject(self) -> None:
        # Esc closes like the button of the frame
        self.close()
