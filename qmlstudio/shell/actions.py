"""What each command of the table does: one method ``on_<id>`` for each."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMessageBox

from qmlstudio import __version__
from qmlstudio.app import represent
from qmlstudio.app.commands import COMMANDS
from qmlstudio.app.jobs import Job
from qmlstudio.session.session import Session
from qmlstudio.shell.dialogs import (
    PickDialog,
    PreferencesDialog,
    TextDialog,
    matching_commands,
    problems_dialog,
    shortcuts_dialog,
)

if TYPE_CHECKING:
    from qmlstudio.shell.enumerate_dialog import EnumerateDialog
    from qmlstudio.shell.main_window import MainWindow


def file_filters() -> str:
    """What the dialogs for opening show: all that can be read, or everything."""
    from qmlstudio.chem.readers import FORMATS

    endings = dict.fromkeys((".qmls", *(e for form in FORMATS for e in form.endings), ".gz", ".bz2", ".xz"))
    patterns = " ".join(f"*{ending}" for ending in endings)
    ours = QCoreApplication.translate("Actions", "QML Studio, structures")
    return f"{ours} ({patterns});;{QCoreApplication.translate('Actions', 'All files')} (*)"


class Actions(QObject):
    """The commands' doing; the window has the panels, this has the verbs."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._store = window.store
        self._enumerate: EnumerateDialog | None = None

    # -- file

    def on_open(self) -> None:
        window = self._window
        paths, _ = QFileDialog.getOpenFileNames(
            window,
            self.tr("Open"),
            window.preferences.last_folder,
            file_filters(),
            options=QFileDialog.Option.HideNameFilterDetails,
        )
        self._open(paths)

    def on_open_folder(self) -> None:
        window = self._window
        path = QFileDialog.getExistingDirectory(window, self.tr("Open folder"), window.preferences.last_folder)
        self._open([path] if path else [])

    def _open(self, paths: list[str]) -> None:
        if paths:
            self._window.preferences.last_folder = str(Path(paths[0]).parent)
            self._window.open_paths(paths)

    def on_add_structures(self) -> None:
        window = self._window
        paths, _ = QFileDialog.getOpenFileNames(
            window,
            self.tr("Add structures to the map"),
            window.preferences.last_folder,
            file_filters(),
            options=QFileDialog.Option.HideNameFilterDetails,
        )
        if paths:
            window.documents.add_paths(paths)

    def on_open_last(self) -> None:
        self._window.documents.open_last()

    def on_paste(self) -> None:
        self._window.paste()

    def on_save(self) -> None:
        if self._window.documents.path:
            self._window.documents.save()
        else:
            self.on_save_as()

    def on_save_as(self) -> None:
        window = self._window
        start = window.documents.path or str(
            Path(window.preferences.last_folder) / f"{self._store.session.dataset.name or 'session'}.qmls"
        )
        path, _ = QFileDialog.getSaveFileName(window, self.tr("Save session"), start, self.tr("Sessions (*.qmls)"))
        if path:
            window.documents.save(path)

    def on_export_data(self) -> None:
        from qmlstudio.shell.export_data_dialog import ExportDataDialog

        if self._store.dataset is not None:
            ExportDataDialog(self._window).open()

    def _on_exported(self, path: str, _result: None) -> None:
        self._window.statusBar().showMessage(self.tr("Wrote {}").format(path), 6000)

    def _on_export_failed(self, error: BaseException, details: str) -> None:
        self._window.show_error(str(error), details)

    def on_quit(self) -> None:
        self._window.close()

    # -- edit

    def on_undo(self) -> None:
        self._store.undo()

    def on_redo(self) -> None:
        self._store.redo()

    def on_find(self) -> None:
        self._window.find_dialog.present()

    def on_select_all(self) -> None:
        n = len(self._store.session.selection)
        self._store.select(np.ones(n, dtype=bool), "replace", self.tr("all"))

    def on_invert(self) -> None:
        self._store.update(self.tr("invert selection"), selection=~self._store.session.selection)

    def on_clear(self) -> None:
        self._store.escape()

    def on_preferences(self) -> None:
        PreferencesDialog(self._window.preferences, self._window).open()

    # -- data

    def on_catalogue(self) -> None:
        from qmlstudio.shell.catalogue_dialog import CatalogueDialog

        window = self._window
        dialog = window.findChild(CatalogueDialog)
        if dialog is None:
            dialog = CatalogueDialog(window.runner, window.open_paths, window)
            dialog.set_dark(window.switch.is_dark)
            window.switch.changed.connect(dialog.set_dark)
        dialog.present()

    def on_problems(self) -> None:
        dataset = self._store.dataset
        if dataset is not None and dataset.problems:
            problems_dialog(dataset.problems, self._window).show()
        else:
            self._window.statusBar().showMessage(self.tr("This data set has no problems."), 4000)

    def on_units(self, column: str = "") -> None:
        from qmlstudio.shell.units_dialog import UnitsDialog

        if self._store.dataset is not None:
            UnitsDialog(self._window, column if isinstance(column, str) else "").open()

    def on_doctor(self) -> None:
        self._window.panels.bring_forward("doctor")
        self._window.panels.doctor.run_all()

    def on_properties(self) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        source = dataset.source
        rows = [
            (self.tr("Structures"), f"{len(dataset):,}"),
            (self.tr("Atoms"), f"{len(dataset.structures.numbers):,}"),
        ]
        rows += [(self.tr("File"), source.path), (self.tr("Format"), source.format)]
        rows += [(self.tr("Licence"), source.licence), (self.tr("Reference"), source.reference)]
        html = "<table cellpadding='3'>" + "".join(f"<tr><td><b>{a}</b></td><td>{b}</td></tr>" for a, b in rows if b)
        html += "</table><h3>" + self.tr("Properties") + "</h3><table cellpadding='3'>"
        for name, p in dataset.properties.items():
            html += f"<tr><td><b>{name}</b></td><td>{p.unit}</td><td>{p.target}</td><td>{p.description}</td></tr>"
        TextDialog(dataset.name, html + "</table>", self._window, rich=True).show()

    def on_compute(self) -> None:
        from qmlstudio.shell.compute_dialog import ComputeDialog

        if self._store.dataset is not None:
            ComputeDialog(self._window).open()

    def on_enumerate(self) -> None:
        from qmlstudio.shell.enumerate_dialog import EnumerateDialog

        window = self._window
        if self._enumerate is None:
            self._enumerate = EnumerateDialog(window.runner, window)
            self._enumerate.made.connect(window.documents.show_dataset)
            self._enumerate.failed.connect(window.show_error)
        self._enumerate.present()

    def on_compare_data(self) -> None:
        from qmlstudio.shell.comparison_window import ComparisonWindow

        opened = self._window.findChildren(ComparisonWindow)
        box = opened[0] if opened else ComparisonWindow(self._window)
        box.show()
        box.raise_()
        box.activateWindow()

    # -- represent

    def on_represent(self, name: str) -> None:
        """Choose a representation; :mod:`qmlstudio.app.represent` makes a command of each."""
        self._window.descriptor_view.choose(name)

    def on_about_representation(self) -> None:
        self._window.descriptor_view.show_about()

    def on_difference(self) -> None:
        if not self._store.session.pins:
            text = self.tr("Pin a structure first (Ctrl+click on the map, or Ctrl+P): the difference is taken to it.")
            self._window.statusBar().showMessage(text, 6000)
        self._window.descriptor_view.toggle_difference()

    def on_save_features(self) -> None:
        dataset, window = self._store.dataset, self._window
        if dataset is None:
            return
        representation = self._store.session.representation
        need = representation.memory(dataset.structures, np.float32) / 2**20
        start = Path(window.preferences.last_folder) / f"{dataset.name}_{representation.name}.npy"
        path, _ = QFileDialog.getSaveFileName(
            window,
            self.tr("Save features ({:,.1f} MiB, 32-bit numbers)").format(need),
            str(start),
            self.tr("NumPy arrays (*.npy)"),
        )
        if path:
            path = path if path.endswith(".npy") else f"{path}.npy"
            window.runner.submit(
                Job(
                    key=f"features {path}",
                    slot="features file",
                    title=self.tr("Save {}").format(Path(path).name),
                    compute=partial(_save_features, representation, dataset, path),
                    done=partial(self._on_exported, path),
                    failed=self._on_export_failed,
                )
            )

    def on_open_params(self) -> None:
        window = self._window
        path, _ = QFileDialog.getOpenFileName(
            window,
            self.tr("Constants of a network"),
            window.preferences.last_folder,
            self.tr("Parameters of ANI networks (*.params);;All files (*)"),
        )
        if path:
            self.open_params(path)

    def open_params(self, path: str) -> None:
        """Take the constants of a network's environment vectors from its file."""
        from qmlstudio.representations import AEV

        window = self._window
        try:
            new = AEV.from_params_file(path)
        except (OSError, ValueError) as error:
            window.show_error(str(error))
            return
        self._store.update(self.tr("constants of {}").format(Path(path).name), representation=new)

    # -- map

    def on_reset_map(self) -> None:
        self._window.map_view.reset_range()

    def on_tool_pan(self) -> None:
        self._window.map_view.set_tool("pan")

    def on_tool_lasso(self) -> None:
        self._window.map_view.set_tool("lasso")

    def on_tool_box(self) -> None:
        self._window.map_view.set_tool("box")

    def on_add_map(self) -> None:
        self._window.maps.add()

    def on_recompute(self) -> None:
        self._window.pipeline.retry()

    def on_cancel(self) -> None:
        for handle in self._window.runner.running:
            self._window.runner.cancel(handle)

    # -- structure

    # -- learn

    def on_why(self) -> None:
        self._window.panels.bring_forward("why")

    def on_learn_setup(self) -> None:
        self._window.panels.bring_forward("learning")
        self._window.panels.learning.show_setup()

    def on_learn_run(self) -> None:
        self._window.panels.bring_forward("learning")
        self._window.panels.learning.start_or_pause()

    def on_learn_worst(self) -> None:
        self._window.panels.learning.engine.select_worst()

    def on_learn_color(self) -> None:
        self._window.panels.learning.engine.color_by_error()

    def on_learn_keep(self) -> None:
        self._window.panels.learning.work.keep()

    def on_learn_models(self) -> None:
        self._window.panels.bring_forward("learning")
        self._window.panels.learning.show_models()

    def on_learn_open(self) -> None:
        self.on_learn_models()
        self._window.panels.learning.models.ask_to_open()

    def on_learn_predict(self) -> None:
        self.on_learn_models()
        self._window.panels.learning.models.ask_to_predict()

    # -- structure

    def on_previous(self) -> None:
        self._step(-1)

    def on_next(self) -> None:
        self._step(1)

    def _step(self, by: int) -> None:
        n, active = len(self._store.session.selection), self._store.active
        if n:
            self._store.set_active(((active or 0) + by) % n)

    def on_pin(self) -> None:
        if self._store.active is not None:
            self._store.toggle_pin(self._store.active)

    def on_reset_camera(self) -> None:
        self._window.structure_view.canvas.reset_camera()

    # -- figure

    def on_export_figure(self) -> None:
        from qmlstudio.shell.export_dialog import ExportDialog

        if self._store.dataset is not None:
            ExportDialog(self._window).open()

    def on_copy_view(self) -> None:
        window = self._window
        picture = window.structure_view if window.structure_view.isAncestorOf(window.focusWidget()) else window.map_view
        QGuiApplication.clipboard().setPixmap(picture.grab())
        window.statusBar().showMessage(self.tr("Copied."), 3000)

    def on_copy_caption(self) -> None:
        from qmlstudio.figures.views import view_caption

        dataset = self._store.dataset
        if dataset is not None:
            QGuiApplication.clipboard().setText(view_caption("map", self._store.session, dataset))
            self._window.statusBar().showMessage(self.tr("Caption copied."), 3000)

    def open_figure(self, path: str) -> None:
        """Restore the view that a dropped figure shows, from the recipe in its metadata."""
        from qmlstudio.figures import read_recipe

        recipe = read_recipe(path)
        if not recipe or "session" not in recipe:
            self._window.show_error(self.tr("{} holds no recipe of QML Studio.").format(Path(path).name))
            return
        try:
            session = Session.from_dict(recipe["session"])
        except ValueError as error:
            self._window.show_error(f"{Path(path).name}: {error}")
            return
        dataset = self._store.dataset
        if dataset is not None and dataset.fingerprint == session.dataset.fingerprint:
            self._store.open_dataset(dataset, session)
        elif session.dataset.path:
            self._window.documents.open_recipe(session)
        else:
            text = self.tr("The figure was made of pasted structures: open the session it was saved in.")
            self._window.show_error(text)

    # -- view

    def on_theme_system(self) -> None:
        self._window.preferences.theme = "system"

    def on_theme_light(self) -> None:
        self._window.preferences.theme = "light"

    def on_theme_dark(self) -> None:
        self._window.preferences.theme = "dark"

    def on_full_screen(self) -> None:
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    def on_reset_layout(self) -> None:
        self._window.reset_layout()

    # -- help

    def on_palette(self) -> None:
        PickDialog(self.tr("Command palette"), self.tr("What do you want to do?"), self._commands, self._window).open()

    def _commands(self, text: str) -> list[tuple[str, str, Any]]:
        actions = self._window.actions_by_id
        table = (*COMMANDS, *represent.commands())
        found = [c for c in matching_commands(text, table) if c.id in actions and actions[c.id].isEnabled()]
        return [(c.title.replace("&", ""), c.shortcut, actions[c.id].trigger) for c in found]

    def on_shortcuts(self) -> None:
        shortcuts_dialog(self._window).show()

    def on_about(self) -> None:
        text = self.tr(
            "<h3>QML Studio {}</h3><p>Explore chemical compound space with "
            "quantum-mechanics-based machine learning.</p>"
            "<p>MIT licence. Colour maps batlow and vik by F. Crameri (MIT).</p>"
        )
        QMessageBox.about(self._window, self.tr("About QML Studio"), text.format(__version__))


def _save_features(representation: Any, dataset: Any, path: str, progress: Any) -> None:
    from qmlstudio.session.feature_files import write_features

    write_features(representation, dataset, path, progress)
