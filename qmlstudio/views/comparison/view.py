"""Data sets side by side: the list of sets at the left, the pages at the right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QSplitter,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.comparing import COVERAGE, JOINT, SLOT, ComparisonEngine
from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import BUILTIN, QM9_PREFIX
from qmlstudio.chem.dataset import Dataset
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import Progress
from qmlstudio.session.comparison import Comparison, ComparisonSpec, Coverage
from qmlstudio.views.comparison.coverage_page import CoveragePage
from qmlstudio.views.comparison.pages import CompositionPage, CurvesPage, GeometryPage, Page, SizesPage
from qmlstudio.views.comparison.set_list import SetList
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.theme import theme

EXPORT = "compare export"


class ComparisonView(QWidget):
    """Compares the sets of its engine.

    Signals
    -------
    joint_ready(dataset, representation)
        A common map is wanted.
    error_raised(message, details)
    """

    joint_ready = Signal(object, object)
    error_raised = Signal(str, str)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._dark = False
        self.folder = ""
        self.engine = ComparisonEngine(runner, self)
        self.sets = SetList(self.engine)
        self.form = ParameterForm(self.engine.spec)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.sizes, self.composition = SizesPage(), CompositionPage()
        self.distances, self.angles = GeometryPage("distances"), GeometryPage("angles")
        self.energies = CurvesPage("energies", self.tr("No set has energies with a unit."))
        self.forces = CurvesPage("forces", self.tr("No set has forces with a unit."))
        self.coverage = CoveragePage(self.engine, store.session.representation)
        for page, title in (
            (self.sizes, self.tr("&1 Sizes")),
            (self.composition, self.tr("&2 Composition")),
            (self.distances, self.tr("&3 Distances")),
            (self.angles, self.tr("&4 Angles")),
            (self.energies, self.tr("&5 Energies")),
            (self.forces, self.tr("&6 Forces")),
            (self.coverage, self.tr("&7 Coverage")),
        ):
            self.tabs.addTab(page, title)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(6)
        policy = self._bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._bar.setSizePolicy(policy)
        self._bar.hide()
        self.stop = QToolButton()
        self.stop.setText("■")
        self.stop.setToolTip(self.tr("Stop what is being computed"))
        self.stop.setAccessibleName(self.tr("Stop"))
        self.stop.setEnabled(False)
        self.export = QToolButton()
        self.export.setText(self.tr("E&xport"))
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self.sets.add.setMenu(self._menu)
        self._lay_out()
        self._fill_export()
        self._connect()
        self._on_engine_result_changed()

    def _lay_out(self) -> None:
        left = QWidget()
        side = QVBoxLayout(left)
        side.setContentsMargins(0, 0, 6, 0)
        side.addWidget(self.sets, 1)
        side.addWidget(self.form)
        left.setMinimumWidth(230)
        right = QWidget()
        main = QVBoxLayout(right)
        main.setContentsMargins(0, 0, 0, 0)
        main.addWidget(self.tabs, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([270, 830])
        splitter.setChildrenCollapsible(False)
        bottom = QHBoxLayout()
        bottom.addWidget(self.status, 1)
        bottom.addWidget(self._bar)
        bottom.addWidget(self.stop)
        bottom.addWidget(self.export)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        engine = self.engine
        self._menu.aboutToShow.connect(self._fill_menu)
        self.form.value_changed.connect(self._on_form_value_changed)
        self.stop.clicked.connect(self._on_stop_clicked)
        engine.sets_changed.connect(self._show_status)
        engine.result_changed.connect(self._on_engine_result_changed)
        engine.refused.connect(self._on_engine_refused)
        engine.joint_ready.connect(self.joint_ready)
        self._runner.progressed.connect(self._on_runner_progressed)
        self._runner.started.connect(self._on_runner_started)
        self._runner.finished.connect(self._on_runner_finished)

    # -- what others may ask

    @property
    def pages(self) -> tuple[Page, ...]:
        """In the order of their tabs."""
        return (self.sizes, self.composition, self.distances, self.angles, self.energies, self.forces, self.coverage)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.sets.set_dark(dark)
        self.status.setStyleSheet(f"color: {theme(dark).muted}")
        for page in self.pages:
            page.set_dark(dark)
        self._on_engine_result_changed()

    def show_page(self, name: str) -> None:
        """Bring a page to the front: "sizes", "composition", … "coverage"."""
        for page in self.pages:
            if page.name == name:
                self.tabs.setCurrentWidget(page)

    def add_open_set(self) -> None:
        """Add the whole of the data set that the window shows."""
        dataset, version = self._open_set()
        if dataset is not None:
            self.engine.add(dataset.name, dataset, origin=dataset.source.path, version=version)

    def set_memory_budget(self, budget: int | None) -> None:
        """Bytes that features may take."""
        self.engine.memory_budget = budget

    # -- adding

    def _fill_menu(self) -> None:
        menu, store = self._menu, self._store
        menu.clear()
        dataset, columns = store.dataset, store.columns
        if dataset is not None and columns is not None:
            selection = store.session.selection
            menu.addAction(self.tr("{} ({:,})").format(dataset.name, len(dataset)), self.add_open_set)
            action = menu.addAction(self.tr("Its selection ({:,})").format(selection.count))
            action.setEnabled(selection.count > 0)
            action.triggered.connect(partial(self._add_part, self.tr("selection"), selection.mask.copy()))
            passing = getattr(store.result("filter"), "mask", None)
            if passing is not None and len(passing) == len(dataset):
                count = int(np.count_nonzero(passing))
                action = menu.addAction(self.tr("What passes the filters ({:,})").format(count))
                action.triggered.connect(partial(self._add_part, self.tr("filtered"), passing))
            for named in store.session.named:
                action = menu.addAction(self.tr("Selection “{}”").format(named.name))
                action.triggered.connect(partial(self._add_part, named.name, named.selection.mask))
            texts = columns.texts()
            if texts:
                split = menu.addMenu(self.tr("Each category of"))
                for name in texts:
                    split.addAction(name, partial(self._add_categories, name))
            menu.addSeparator()
        builtin = menu.addMenu(self.tr("Built-in data sets"))
        for name, info in BUILTIN.items():
            builtin.addAction(info.title, partial(self.engine.add_path, f"builtin:{name}"))
        builtin.addAction(self.tr("QM9, all 130,831 molecules"), partial(self.engine.add_path, QM9_PREFIX))
        menu.addAction(self.tr("&File…"), self._on_file_triggered)
        menu.addAction(self.tr("F&older…"), self._on_folder_triggered)

    def _open_set(self) -> tuple[Dataset | None, str]:
        """The data set with the columns that the session added, and what the whole is known by."""
        dataset, added = self._store.dataset, self._store.session.added
        if dataset is None or not added:
            return dataset, ""
        # hashing millions of rows would hold up the window; the columns live as long as the set that has them
        version = " ".join([dataset.fingerprint, *(f"{c.name} {id(c.values)}" for c in added)])
        return replace(dataset, properties=self._store.properties), version

    def _add_part(self, name: str, mask: object, _checked: bool = False) -> None:
        dataset, version = self._open_set()
        if dataset is not None:
            title = self.tr("{} of {}").format(name, dataset.name)
            self.engine.add(title, dataset, np.asarray(mask, bool), title, version)

    def _add_categories(self, name: str) -> None:
        (dataset, version), columns = self._open_set(), self._store.columns
        if dataset is not None and columns is not None:
            self.engine.add_categories(dataset, name, columns[name], version)

    def _on_file_triggered(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, self.tr("Add sets"), self.folder)
        for path in paths:
            self.folder = str(Path(path).parent)
            self.engine.add_path(path)

    def _on_folder_triggered(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Add a folder as a set"), self.folder)
        if path:
            self.engine.add_path(path)

    def _on_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, ComparisonSpec):
            self.engine.set_spec(value)

    # -- the engine and the jobs

    def _on_engine_result_changed(self) -> None:
        result = self.engine.result
        looks = self.sets.styles
        for page in self.pages:
            page.show_comparison(result, looks)
        self._show_status()

    def _on_engine_refused(self, text: str) -> None:
        self.status.setText(f"⚠ {text}")

    def _show_status(self) -> None:
        engine = self.engine
        if engine.problem:
            self.status.setText(f"⚠ {engine.problem}")
        elif not engine.parts:
            self.status.setText(self.tr("Add a set at the left."))
        elif engine.result is not None:
            total = sum(s.structures for s in engine.result.sets)
            self.status.setText(self.tr("{} sets, {:,} structures").format(len(engine.result.sets), total))
        self.export.setEnabled(engine.result is not None)

    def _is_mine(self, handle: JobHandle) -> bool:
        return handle.slot in (COVERAGE, JOINT, EXPORT) or handle.slot.startswith(SLOT)

    def _on_runner_started(self, handle: JobHandle) -> None:
        if self._is_mine(handle):
            self._bar.setValue(0)
            self._bar.show()
            self.stop.setEnabled(True)
            self.status.setText(f"{handle.title} …")

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, message: str, _eta: object) -> None:
        if self._is_mine(handle):
            self._bar.setValue(round(1000 * fraction))
            self.status.setText(f"{handle.title}: {message}" if message else f"{handle.title} …")

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        if not self._is_mine(handle) or any(self._is_mine(h) for h in self._runner.running):
            return
        self._bar.hide()
        self.stop.setEnabled(False)
        if state == "failed":
            self.status.setText(f"⚠ {handle.error}")
        elif state == "cancelled":
            self.status.setText(self.tr("Stopped."))
        elif handle.slot != EXPORT:
            self._show_status()

    def _on_stop_clicked(self) -> None:
        for handle in self._runner.jobs():
            if not handle.is_finished and self._is_mine(handle):
                self._runner.cancel(handle)

    # -- writing

    def _fill_export(self) -> None:
        menu = QMenu(self)
        menu.addAction(self.tr("This &page as a figure…"), self._on_figure_triggered)
        menu.addAction(self.tr("All &figures and numbers into a folder…"), self._on_all_triggered)
        self.export.setMenu(menu)

    def _on_figure_triggered(self) -> None:
        page = self.pages[self.tabs.currentIndex()]
        start = str(Path(self.folder) / f"{page.name}.pdf")
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Export figure"), start, self.tr("Figures (*.pdf *.svg *.png *.tiff)")
        )
        if path:
            self.folder = str(Path(path).parent)
            self.write_figure(path)

    def write_figure(self, path: str) -> None:
        """Write the page in front as a figure, in a job."""
        page, result = self.pages[self.tabs.currentIndex()], self.engine.result
        if result is None:
            return
        which = page.which.currentData() if isinstance(page, GeometryPage) else None
        log = page.log.isChecked() if isinstance(page, CurvesPage) else False
        smoothing = page.smoothing.value() if isinstance(page, CurvesPage) else 1.0
        compute = partial(_write_figure, page.name, result, self.engine.covered, path, which, log, smoothing)
        self._submit(f"figure {path}", self.tr("Write {}").format(Path(path).name), compute)

    def _on_all_triggered(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Folder for figures and numbers"), self.folder)
        if path:
            self.folder = path
            self.write_all(path)

    def write_all(self, folder: str) -> None:
        """Write all figures and the numbers into a folder, in a job."""
        result = self.engine.result
        if result is not None:
            compute = partial(_write_all, result, self.engine.covered, folder)
            self._submit(f"report {folder}", self.tr("Write figures and numbers"), compute)

    def _submit(self, key: str, title: str, compute: object) -> None:
        self._runner.submit(
            Job(
                key=f"{key} {id(compute)}",
                slot=EXPORT,
                title=title,
                compute=compute,  # type: ignore[arg-type]
                done=self._on_written,
                failed=self._on_write_failed,
                lane="interactive",
            )
        )

    def _on_written(self, path: str) -> None:
        self.status.setText(self.tr("Wrote {}").format(path))

    def _on_write_failed(self, error: BaseException, details: str) -> None:
        self.error_raised.emit(str(error) or type(error).__name__, details)


def _write_figure(
    page: str,
    result: Comparison,
    covered: Coverage | None,
    path: str,
    which: str | None,
    log: bool,
    smoothing: float,
    progress: Progress,
) -> str:
    from qmlstudio.figures.comparison import comparison_figure
    from qmlstudio.figures.output import save
    from qmlstudio.figures.presets import FigureSpec

    progress(0.1, "drawing")
    spec = FigureSpec(column="double" if page in ("composition", "coverage") else "one_half")
    names = (which,) if which else ()
    figure = comparison_figure(page, result, spec, covered=covered, names=names, log=log, smoothing=smoothing)
    return str(save(figure, path, spec))


def _write_all(result: Comparison, covered: Coverage | None, folder: str, progress: Progress) -> str:
    from qmlstudio.figures.comparison import write_comparison

    return str(write_comparison(result, covered, folder, progress))
