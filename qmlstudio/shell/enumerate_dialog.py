"""Enumerate molecules in the manner of GDB: what, with which filters; the funnel and the molecules as they come."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.enumerating import SHOWN, SLOT, USE, Enumerating, Snapshot
from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.enumeration.molecules import USUAL
from qmlstudio.chem.enumeration.output import MOST_OPENED
from qmlstudio.chem.enumeration.processes import processors
from qmlstudio.chem.enumeration.stages import FILTERS, Enumeration, Sample, parse_elements, stages
from qmlstudio.chem.structures import Structure
from qmlstudio.resources_path import resources
from qmlstudio.shell.theme import HIGHLIGHT
from qmlstudio.views.jobs import format_seconds
from qmlstudio.widgets.element_bounds import ElementBounds
from qmlstudio.widgets.funnel import Funnel, FunnelRow
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Look, Subject, pictures
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.selection_results import ResultList
from qmlstudio.widgets.theme import mix, theme

PICTURES = "enumerate pictures"
_NAME = Qt.ItemDataRole.UserRole


def _said(text: str) -> str:
    """A text of the enumeration in the user's language."""
    return QCoreApplication.translate("Enumeration", text) if text else ""


class EnumerateDialog(QDialog):
    """Stays open beside the window, and is only hidden when closed: an enumeration goes on, and its result is there.

    Signals
    -------
    made(dataset)
        The molecules are to be put on screen.
    failed(message, details)
    """

    made = Signal(object)
    failed = Signal(str, str)

    def __init__(self, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self.work = Enumerating(runner, self)
        self._shown: tuple[str, ...] = ()
        self._began = 0.0
        self.setWindowTitle(self.tr("Enumerate molecules"))
        self.setModal(False)
        self._make()
        self._lay_out()
        self._connect()
        self.elements.set_bounds(parse_elements(Enumeration().elements))
        self._on_spec_changed()
        self._follow_palette()
        self.resize(900, 660)

    # -- building

    def _make(self) -> None:
        self.elements = ElementBounds(tuple(USUAL), 13)
        self.form = ParameterForm(Enumeration())
        self.filters = QTreeWidget()
        self.filters.setColumnCount(2)
        self.filters.setHeaderLabels([self.tr("Filter"), self.tr("Left out")])
        self.filters.setRootIsDecorated(True)
        self.filters.setAccessibleName(self.tr("Filters"))
        self.filters.setUniformRowHeights(True)
        self._items: dict[str, QTreeWidgetItem] = {}
        self._fill_filters()
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        self._reason.setMinimumHeight(4 * self._reason.fontMetrics().height())
        self._reason.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.funnel = Funnel()
        self.list = ResultList()
        self.list.setAccessibleName(self.tr("Molecules"))
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        keep = self.bar.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(keep)
        self.bar.hide()
        self.preview_button = QPushButton(self.tr("&Preview {}").format(SHOWN))
        self.preview_button.setToolTip(
            self.tr("Some molecules of the largest size, over graphs taken at random, and how many there will be")
        )
        self.run_button = QPushButton(self.tr("&Run"))
        self.open_button = QPushButton(self.tr("&Open as data set"))
        self.save_button = QPushButton(self.tr("&Save SMILES…"))
        self.save_button.setToolTip(self.tr("One molecule a line; compressed when the name ends in .gz"))

    def _fill_filters(self) -> None:
        titles = {
            "graph": self.tr("Graphs"),
            "skeleton": self.tr("Bond orders"),
            "molecule": self.tr("Groups"),
        }
        for level, title in titles.items():
            group = QTreeWidgetItem(self.filters, [title])
            group.setFlags(group.flags() | Qt.ItemFlag.ItemIsAutoTristate | Qt.ItemFlag.ItemIsUserCheckable)
            for item in (f for f in FILTERS if f.level == level):
                row = self._items[item.name] = QTreeWidgetItem(group, [_said(item.title), ""])
                row.setFlags(row.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                row.setCheckState(0, Qt.CheckState.Checked if item.on else Qt.CheckState.Unchecked)
                row.setData(0, _NAME, item.name)
                row.setToolTip(0, _said(item.reason))
                row.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            group.setExpanded(True)
        header = self.filters.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.filters.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _lay_out(self) -> None:
        what = QWidget()
        inside = QVBoxLayout(what)
        inside.addWidget(self.form)
        inside.addWidget(self.elements)
        inside.addStretch(1)
        area = QScrollArea()
        area.setWidget(what)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        groups = QWidget()
        column = QVBoxLayout(groups)
        column.addWidget(self.filters, 1)
        column.addWidget(self._reason)
        left = QTabWidget()
        left.addTab(area, self.tr("&Molecules"))
        left.addTab(groups, self.tr("&Filters"))
        left.setMinimumWidth(300)
        scroll = QScrollArea()
        scroll.setWidget(self.funnel)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.right = QTabWidget()
        self.right.addTab(scroll, self.tr("F&unnel"))
        self.right.addTab(self.list, self.tr("Fo&und"))
        splitter = QSplitter()
        splitter.addWidget(left)
        splitter.addWidget(self.right)
        splitter.setStretchFactor(1, 1)
        splitter.setChildrenCollapsible(False)
        splitter.setSizes([340, 560])
        buttons = QHBoxLayout()
        for button in (self.preview_button, self.run_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.open_button, self.save_button):
            buttons.addWidget(button)
        for button in (self.preview_button, self.open_button, self.save_button):
            button.setAutoDefault(False)
        self.run_button.setDefault(True)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter, 1)
        layout.addWidget(self.status)
        layout.addWidget(self.bar)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.form.value_changed.connect(self._on_spec_changed)
        self.elements.changed.connect(self._on_spec_changed)
        self.filters.itemChanged.connect(self._on_filters_item_changed)
        self.filters.currentItemChanged.connect(self._on_filters_current_changed)
        self.preview_button.clicked.connect(self._on_preview_clicked)
        self.run_button.clicked.connect(self._on_run_clicked)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.save_button.clicked.connect(self._on_save_clicked)
        self.list.wanted.connect(self._on_list_wanted)
        self.work.news.connect(self._on_news)
        self.work.ended.connect(self._on_ended)
        self.work.sampled.connect(self._on_sampled)
        self.work.made.connect(self._on_made)
        self.work.saved.connect(self._on_saved)
        self.work.failed.connect(self._on_failed)
        self._runner.progressed.connect(self._on_runner_progressed)

    # -- what is asked for

    def spec(self) -> Enumeration:
        """What the dialog says; ValueError when that is nothing."""
        value = self.form.value()
        assert isinstance(value, Enumeration)
        words = []
        for symbol, (low, high) in self.elements.bounds().items():
            bounds = "" if (low, high) == (0, None) else f"{low}-" if high is None else f"{low}-{high}"
            words.append(symbol + bounds)
        off = [name for name, item in self._items.items() if item.checkState(0) is Qt.CheckState.Unchecked]
        return replace(value, elements=" ".join(words), without=",".join(off))

    def _on_spec_changed(self, *_: object) -> None:
        try:
            spec = self.spec()
        except ValueError as error:
            self._say(f"⚠ {error}")
            self.preview_button.setEnabled(False)
            self.run_button.setEnabled(self.work.is_running)
            return
        if not self.work.is_running:
            self._say(self.tr("Preview shows some molecules and estimates how many there are; Run makes all of them."))
            if self.work.finds is None:
                self._set_rows(spec)
        self._update_buttons()

    def _set_rows(self, spec: Enumeration) -> None:
        rows = [FunnelRow(s.name, _said(s.title), _said(s.reason), s.removes) for s in stages(spec)]
        self.funnel.set_rows(rows)

    def _on_filters_item_changed(self, _item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            self._on_spec_changed()

    def _on_filters_current_changed(self, item: QTreeWidgetItem | None, _before: object) -> None:
        name = item.data(0, _NAME) if item is not None else None
        found = next((f for f in FILTERS if f.name == name), None)
        if found is None:
            self._reason.clear()
            return
        smarts = "  ".join(getattr(found, "smarts", ()))
        self._reason.setText(_said(found.reason) + (f"\n{smarts}" if smarts else ""))

    # -- running

    def _on_preview_clicked(self) -> None:
        self.work.sample(self.spec())
        self.bar.setValue(0)
        self._say(self.tr("Looking at some molecules …"))

    def _on_run_clicked(self) -> None:
        if self.work.is_running:
            self.work.stop()
            return
        spec = self.spec()
        self._set_rows(spec)
        self.funnel.set_counts({})
        self._show_left_out({})
        self._show((), clear=True)
        self._began = time.monotonic()
        self.work.start(spec)
        self.right.setCurrentIndex(0)
        self._say(self.tr("Starting the processes …"))
        self.bar.setValue(0)
        self._update_buttons()

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, message: str, eta: object) -> None:
        if handle.slot == USE:
            self.bar.setValue(round(1000 * fraction))
            self._say(f"{handle.title}: {_said(message)}")
        if handle.slot != SLOT or not self.work.is_running or self.work.finds is None:
            return
        self.bar.setValue(round(1000 * fraction))
        left = self.tr(", about {} left").format(format_seconds(eta)) if isinstance(eta, float) else ""
        self._say(self.tr("{}: {:,} found so far{}").format(_said(message), self.work.finds.count, left))

    def _on_news(self, snapshot: Snapshot) -> None:
        self.funnel.set_counts(snapshot.totals)
        self._show_left_out(snapshot.totals)
        self._show(snapshot.examples)

    def _show_left_out(self, totals: dict[str, int]) -> None:
        for name, item in self._items.items():
            number = totals.get(name, 0)
            item.setText(1, f"{number:,}" if number else "")

    def _on_ended(self, state: str) -> None:
        finds = self.work.finds
        count = finds.count if finds is not None else 0
        spent = format_seconds(time.monotonic() - self._began)
        if state == "cancelled":
            self._say(self.tr("Stopped: {:,} molecules until then").format(count))
        elif count:
            self._say(self.tr("{:,} molecules in {}").format(count, spent))
        else:
            self._say(self.tr("No molecule passes all filters."))
        self._update_buttons()

    def _on_sampled(self, sample: Sample) -> None:
        self._show(sample.molecules, clear=True)
        self.right.setCurrentIndex(1)
        if not sample.molecules:
            self._say(self.tr("None of the graphs looked at gave a molecule."))
            return
        text = self.tr("About {:,} molecules of the largest size pass the filters{}; all sizes take about {} here.")
        error = self.tr(" (±{:.0%})").format(sample.error) if sample.error else ""
        workers = self.work.workers or processors()
        self._say(text.format(round(sample.kept), error, format_seconds(max(sample.seconds / workers, 1.0))))

    def _on_open_clicked(self) -> None:
        self.work.make_dataset()
        self._say(self.tr("Making the data set; it is put on screen when it is ready …"))
        self.bar.setValue(0)
        self.bar.show()

    def _on_made(self, dataset: Dataset) -> None:
        self._say(self.tr("{:,} molecules opened").format(len(dataset)))
        self._update_buttons()
        self.made.emit(dataset)

    def _on_save_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save SMILES"), "molecules.smi.gz", self.tr("SMILES (*.smi.gz *.smi)")
        )
        if path:
            self.work.save(path if path.endswith((".smi", ".gz")) else f"{path}.smi.gz")

    def _on_saved(self, path: str) -> None:
        self._say(self.tr("Wrote {}").format(path))
        self._update_buttons()

    def _on_failed(self, message: str, details: str) -> None:
        self._say(f"⚠ {message}")
        self._update_buttons()
        self.failed.emit(message, details)

    # -- showing

    def _say(self, text: str) -> None:
        self.status.setText(text)

    def _update_buttons(self) -> None:
        running, finds = self.work.is_running, self.work.finds
        count = finds.count if finds is not None and not running else 0
        whole = finds is not None and finds.is_complete
        self.run_button.setText(self.tr("&Stop") if running else self.tr("&Run"))
        self.run_button.setEnabled(True)
        self.preview_button.setEnabled(not running)
        self.open_button.setEnabled(count > 0 and whole)
        self.open_button.setToolTip(
            self.tr("With geometries; flat drawings where making those would take long")
            if whole or not count
            else self.tr("More than {:,}: save the SMILES and open a sample of the file").format(MOST_OPENED)
        )
        self.save_button.setEnabled(count > 0)
        self.bar.setVisible(running)

    def _show(self, smiles: tuple[str, ...], clear: bool = False) -> None:
        if clear:
            self.list.clear_pictures()
            self.list.rows.set_rows(np.zeros(0, np.int64), self._texts)
        if len(smiles) != self.list.rows.rowCount() or clear:
            self._shown = smiles
            self.list.rows.set_rows(np.arange(len(smiles)), self._texts)
        self.right.setTabText(1, self.tr("Fo&und ({:,} shown)").format(len(smiles)) if smiles else self.tr("Fo&und"))

    def _texts(self, index: int) -> tuple[str, str]:
        return (self._shown[index], "") if 0 <= index < len(self._shown) else ("", "")

    def _on_list_wanted(self, indices: list[int], look: Look) -> None:
        nothing = Structure(np.zeros(0, np.uint8), np.zeros((0, 3)))
        subjects = [Subject(i, nothing, self._shown[i]) for i in indices if i < len(self._shown)]
        if not subjects:
            return
        shown = self._shown
        self._runner.submit(
            Job(
                key=f"{PICTURES} {id(shown)} {look} {indices}",
                slot=PICTURES,
                title=self.tr("Pictures of enumerated molecules"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, shown, look),
                failed=partial(self._on_pictures_failed, indices[0], look),
                lane="interactive",
                priority=1,
                conflate=True,
            )
        )

    def _on_pictures(self, shown: tuple[str, ...], look: Look, made: list[tuple[int, object]]) -> None:
        if self._shown[: len(shown)] == shown:
            for index, image in made:
                self.list.put(index, look, image)  # type: ignore[arg-type]

    def _on_pictures_failed(self, index: int, look: Look, _error: BaseException, _details: str) -> None:
        self.list.put(index, look, None)

    def present(self) -> None:
        """Show the dialog."""
        self.show()
        self.raise_()
        self.activateWindow()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "list"):
            self._follow_palette()

    def _follow_palette(self) -> None:
        dark = QApplication.palette().base().color().lightness() < 128
        self.funnel.set_dark(dark)
        self.list.set_dark(dark)
        colors = theme(dark)
        self._reason.setStyleSheet(f"color: {colors.muted}")
        check = (resources() / "icons" / "check.svg").as_posix()
        # Fusion outlines boxes in a darker shade, which cannot be seen on dark windows
        self.filters.setStyleSheet(
            f"QTreeView::indicator {{ width: 11px; height: 11px; border: 1px solid {colors.muted}; border-radius: 3px;"
            f" background: {colors.background}; }}"
            f"QTreeView::indicator:checked {{ background: {HIGHLIGHT[dark]}; border-color: {HIGHLIGHT[dark]};"
            f" image: url({check}); }}"
            f"QTreeView::indicator:indeterminate {{ background: {mix(colors.background, HIGHLIGHT[dark], 0.5)}; }}"
        )
