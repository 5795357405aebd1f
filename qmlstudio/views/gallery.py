"""The gallery panel: small pictures of the selected structures, sorted, aligned, with values below."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qmlstudio.app.jobs import WARM_UP, Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.depict import drawable
from qmlstudio.chem.scaffold import MOST_MOLECULES, Scaffold, common_scaffold
from qmlstudio.chem.structures import Structure
from qmlstudio.progress import Progress
from qmlstudio.session.columns import Columns
from qmlstudio.widgets.gallery import GalleryGrid
from qmlstudio.widgets.gallery_bar import MOST_CAPTIONS, GalleryBar
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Kind, Look, Subject, pictures
from qmlstudio.widgets.table_numbers import Order, format_number, sort_order

FOLLOW_MS = 60
_PRIORITY = WARM_UP // 2
"""Behind whatever somebody has asked for, before what nobody waits for."""
_BATCH = 60
"""Pictures that one job is asked for: more than it can make in its time."""


class GalleryView(QWidget):
    """Shows the selection, or everything when nothing is selected.

    Signals
    -------
    context_menu_requested(index or -1, global position)
    reveal_requested(index)
        The user wants the other panels to go to this structure (double click, Enter).
    """

    context_menu_requested = Signal(int, QPoint)
    reveal_requested = Signal(int)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._sorted: tuple[str, bool, Order] | None = None
        self._shown_mask: NDArray[np.bool_] | None = None
        self._captions: list[str] = []
        self._scaffold_of: tuple[int, ...] = ()
        self.redraws = 0
        self.grid = GalleryGrid()
        self.bar = GalleryBar()
        self._count = QLabel()
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        chips = QHBoxLayout()
        chips.setContentsMargins(8, 0, 8, 3)
        chips.setSpacing(12)
        chips.addWidget(self._count)
        chips.addWidget(self._note, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.bar)
        layout.addWidget(self.grid, 1)
        layout.addLayout(chips)
        self._connect()
        self._show_dataset()

    def _connect(self) -> None:
        store, grid = self._store, self.grid
        bar = self.bar
        bar.kind_changed.connect(self._on_bar_kind_changed)
        bar.align_toggled.connect(self._on_bar_align_toggled)
        bar.sort_changed.connect(self._sort)
        bar.captions_chosen.connect(self._on_bar_captions_chosen)
        bar.captions_reset.connect(self._on_bar_captions_reset)
        bar.size_changed.connect(grid.set_cell_size)
        bar.only_changed.connect(self._show_order)
        grid.activated_structure.connect(self._on_grid_activated_structure)
        grid.pin_requested.connect(store.toggle_pin)
        grid.reveal_requested.connect(self.reveal_requested)
        grid.selected_structures.connect(self._on_grid_selected_structures)
        grid.hovered.connect(store.hover)
        grid.context_menu_requested.connect(self.context_menu_requested)
        grid.wanted.connect(self._on_grid_wanted)
        grid.escape_pressed.connect(store.escape)
        store.changed.connect(self._on_store_changed)
        self._follow = QTimer(self)
        self._follow.setSingleShot(True)
        self._follow.setInterval(FOLLOW_MS)
        self._follow.timeout.connect(self._on_follow_timeout)
        store.columns_changed.connect(self._on_store_columns_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.hovered.connect(grid.set_hovered)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.grid.set_dark(dark)

    def state(self) -> dict[str, Any]:
        """What the panel shows and how, ready for JSON."""
        bar = self.bar
        return {
            "kind": bar.kind,
            "size": bar.size_slider.value(),
            "captions": list(self._captions),
            "sort": bar.sort_by,
            "descending": bar.descending,
            "selected_only": bar.only_selected.isChecked(),
            "passing_only": bar.only_passing.isChecked(),
            "align": bar.align.isChecked(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; what is missing or no longer there is left as it is."""
        bar, columns = self.bar, self._store.columns
        bar.size_slider.setValue(int(state.get("size", bar.size_slider.value())))
        bar.set_kind("3d" if state.get("kind", bar.kind) == "3d" else "2d")
        self.grid.set_kind(bar.kind)
        captions = [str(n) for n in state.get("captions", self._captions)]
        self._captions = [n for n in captions if columns is not None and n in columns][:MOST_CAPTIONS]
        for box, key in ((bar.only_selected, "selected_only"), (bar.only_passing, "passing_only")):
            with QSignalBlocker(bar):
                box.setChecked(bool(state.get(key, box.isChecked())))
        bar.set_sort(str(state.get("sort", bar.sort_by)), bool(state.get("descending", bar.descending)))
        self._show_columns()
        self._sort()
        bar.align.setChecked(bool(state.get("align", False)) and bar.kind == "2d")

    # -- following the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._show_dataset()
            return
        if "selection" in names:
            selection = self._store.session.selection
            if selection.mask is not self._shown_mask:
                self._show_order()
            # a click is to be answered by map, structure and table first: the gallery scrolls after them
            self._follow.start()
        if "pins" in names:
            self.grid.set_pins(self._store.session.pins)

    def _on_follow_timeout(self) -> None:
        self.grid.set_active(self._store.active)

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        kept = self.bar.sort_by
        self._show_columns()
        if kept in names:
            self._sort()

    def _on_store_results_changed(self, name: str) -> None:
        if name == "filter":
            if self.bar.only_passing.isChecked():
                self._show_order(keep_place=True)
            else:
                self.grid.set_passes(self._passing())

    def _show_dataset(self) -> None:
        self.redraws += 1
        for slot in ("gallery", "gallery sort", "gallery scaffold"):
            self._runner.cancel(slot)
        self._sorted = None
        with QSignalBlocker(self.bar):
            self.bar.align.setChecked(False)
        self.bar.set_sort("", False)
        self.grid.set_scaffold(None)
        self.grid.forget()
        self._note.clear()
        columns = self._store.columns
        self._captions = [] if columns is None else self._first_captions(columns)
        self._show_columns()
        self._show_order()
        self.grid.set_active(self._store.active)
        self.grid.set_pins(self._store.session.pins)

    def _first_captions(self, columns: Columns) -> list[str]:
        wished = self._store.session.coloring.color_by
        numbers = columns.numeric(composition=False)
        return [wished] if wished in numbers else list(numbers[:1])

    def _show_columns(self) -> None:
        """Offer the columns there are, and write the captions."""
        self.bar.set_columns(list(self._store.columns or ()), self._captions)
        self._show_captions()

    def _show_captions(self) -> None:
        columns, dataset = self._store.columns, self._store.dataset
        if columns is None or dataset is None:
            self.grid.set_captions(_number, 1, _nothing)
            return
        names = [n for n in self._captions if n in columns]
        self.grid.set_captions(partial(_captions, dataset, columns, names), 1 + len(names), partial(_formula, dataset))

    def _passing(self) -> NDArray[np.bool_] | None:
        result = self._store.result("filter")
        mask = None if result is None else result.mask
        dataset = self._store.dataset
        return mask if mask is not None and dataset is not None and len(mask) == len(dataset) else None

    def _show_order(self, keep_place: bool = False) -> None:
        """Work out which structures are shown, in which order."""
        dataset = self._store.dataset
        selection = self._store.session.selection
        self._shown_mask = selection.mask
        n = len(dataset) if dataset is not None else 0
        mask = selection.mask if len(selection.mask) == n and selection.count else None
        passing = self._passing()
        keep = mask if self.bar.only_selected.isChecked() else None
        if self.bar.only_passing.isChecked() and passing is not None:
            keep = passing if keep is None else keep & passing
        key = self.bar.sort_by
        order: NDArray[np.int64] | range
        if key and self._sorted is not None and self._sorted[:2] == (key, self.bar.descending):
            order = self._sorted[2]
            order = order if keep is None else order[keep[order]]
        else:
            order = range(n) if keep is None else np.flatnonzero(keep)
        # when only the selection is shown, a tick in every cell would tell nothing
        self.grid.set_selection(None if mask is None or self.bar.only_selected.isChecked() else mask)
        self.grid.set_passes(passing)
        if not n:
            self.grid.set_message(self.tr("No data set. Drop a file here, or open one (Ctrl+O)."))
        elif not len(order):
            self.grid.set_message(
                self.tr("Nothing of the selection passes the filters.")
                if mask is not None and self.bar.only_selected.isChecked()
                else self.tr("Nothing passes the filters.")
            )
        self.grid.set_order(order, keep_place)
        of_all = mask is None or not self.bar.only_selected.isChecked()
        count = self.tr("{:,} of {:,}").format(len(order), n)
        self._count.setText("" if not n else (count if of_all else self.tr("{} selected").format(count)))
        self._count.setToolTip(selection.origin)
        if self.bar.align.isChecked():
            self._find_scaffold()

    # -- sorting

    def _sort(self) -> None:
        key, descending, columns = self.bar.sort_by, self.bar.descending, self._store.columns
        self._runner.cancel("gallery sort")
        self._sorted = None
        self._note.clear()
        if not key or columns is None or key not in columns:
            self._show_order()
            return
        self._note.setText(self.tr("sorting…"))
        self._runner.submit(
            Job(
                key=f"gallery sort {id(columns)} {key} {descending}",
                slot="gallery sort",
                title=self.tr("Sort the gallery by {}").format(key),
                compute=partial(_order, columns, key, descending),
                done=partial(self._on_sorted, key, descending),
                failed=self._on_sort_failed,
                lane="interactive",
            )
        )

    def _on_sorted(self, key: str, descending: bool, order: Order) -> None:
        self._sorted = key, descending, order
        self._note.clear()
        self._show_order()

    def _on_sort_failed(self, error: BaseException, _details: str) -> None:
        self._note.setText(self.tr("Sorting failed: {}").format(error))

    # -- aligning

    def _find_scaffold(self) -> None:
        """Look for the common part of those in view first, or of the selection."""
        dataset = self._store.dataset
        order = self.grid.order
        if dataset is None or not len(order):
            self.grid.set_scaffold(None)
            return
        start = 0 if len(order) <= MOST_MOLECULES else self.grid.visible_places().start
        start = min(start, max(len(order) - MOST_MOLECULES, 0))
        chosen = tuple(int(i) for i in order[start : start + MOST_MOLECULES])
        if chosen == self._scaffold_of and self.grid.look.scaffold is not None:
            return
        self._scaffold_of = chosen
        self._note.setText(self.tr("looking for what they have in common…"))
        self._runner.submit(
            Job(
                key=f"gallery scaffold {dataset.fingerprint} {chosen}",
                slot="gallery scaffold",
                title=self.tr("Common scaffold"),
                compute=partial(_scaffold, [_subject(dataset, i) for i in chosen]),
                done=self._on_scaffold,
                failed=self._on_scaffold_failed,
                lane="interactive",
                priority=WARM_UP,  # makes way for everything else
            )
        )

    def _on_scaffold(self, scaffold: Scaffold | None) -> None:
        if not self.bar.align.isChecked():
            return
        self.grid.set_scaffold(scaffold)
        if scaffold is None:
            text = self.tr("These molecules have nothing in common upon which they could be aligned.")
        else:
            found = self.tr("Aligned on {}, in {} of {}").format(scaffold.smiles, scaffold.found_in, scaffold.compared)
            rest = "" if scaffold.kind == "mcs" else self.tr("most frequent ring system")
            rest = rest or ("" if scaffold.complete else self.tr("the largest found in time"))
            text = f"{found} ({rest})" if rest else found
        self._note.setText(text)
        self._note.setToolTip(scaffold.smarts if scaffold is not None else "")

    def _on_scaffold_failed(self, error: BaseException, _details: str) -> None:
        self._note.setText(self.tr("Not aligned: {}").format(error))

    # -- the bar

    def _on_bar_kind_changed(self, kind: Kind) -> None:
        self.grid.set_kind(kind)

    def _on_bar_align_toggled(self, on: bool) -> None:
        if on:
            self._scaffold_of = ()
            self._find_scaffold()
        else:
            self._runner.cancel("gallery scaffold")
            self.grid.set_scaffold(None)
            self._note.clear()

    def _on_bar_captions_chosen(self, names: list[str]) -> None:
        self._captions = names[:MOST_CAPTIONS]
        self._show_captions()

    def _on_bar_captions_reset(self) -> None:
        columns = self._store.columns
        self._captions = [] if columns is None else self._first_captions(columns)
        self._show_columns()

    # -- the grid

    def _on_grid_activated_structure(self, index: int) -> None:
        self._store.set_active(index)

    def _on_grid_selected_structures(self, indices: Order) -> None:
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[indices] = True
        self._store.select(mask, "replace", self.tr("gallery"))

    def _on_grid_wanted(self, indices: list[int]) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        look = self.grid.look
        subjects = [_subject(dataset, i) for i in indices[:_BATCH] if i < len(dataset)]
        self._runner.submit(
            Job(
                # what is wanted changes with every scroll: a running job ends soon, then the latest wishes are next
                key=f"gallery {dataset.fingerprint} {look} {indices[:_BATCH]}",
                slot="gallery",
                title=self.tr("Pictures of the gallery"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, dataset, look),
                failed=partial(self._on_pictures_failed, [s.index for s in subjects], look),
                lane="interactive",
                priority=_PRIORITY,
                conflate=True,
            )
        )

    def _on_pictures(self, dataset: Dataset, look: Look, made: list[tuple[int, Any]]) -> None:
        if dataset is self._store.dataset:
            for index, image in made:
                self.grid.put(index, look, image)

    def _on_pictures_failed(self, indices: list[int], look: Look, error: BaseException, _details: str) -> None:
        # the first one may be to blame: without a picture, the others have their turn
        self._note.setText(self.tr("A picture failed: {}").format(error))
        self.grid.put(indices[0], look, None)


def _subject(dataset: Dataset, index: int) -> Subject:
    smiles = dataset.smiles
    return Subject(index, dataset.structures[index], str(smiles[index]) if smiles is not None else "")


def _scaffold(subjects: list[Subject], progress: Progress) -> Scaffold | None:
    molecules = []
    for subject in subjects:
        progress.check()
        source: str | Structure = subject.smiles or subject.structure
        molecules.append(drawable(source))
    return common_scaffold(molecules, progress=progress)


def _order(columns: Columns, name: str, descending: bool, progress: Progress) -> Order:
    # a column that follows from the composition may have to be made first
    return sort_order(columns[name].values, descending, progress)


def _captions(dataset: Dataset, columns: Columns, names: list[str], index: int) -> tuple[str, ...]:
    if not 0 <= index < len(dataset):
        return ("",) * (1 + len(names))
    lines = [str(dataset.identifiers[index])]
    for name in names:
        p = columns[name]
        value = str(p.values[index]) if p.is_text else format_number(float(p.values[index]))
        unit = f" {p.unit}" if p.unit and value != "–" else ""
        lines.append(f"{name} {value or '–'}{unit}")
    return tuple(lines)


def _formula(dataset: Dataset, index: int) -> str:
    return dataset.structures[index].formula if 0 <= index < len(dataset) else ""


def _number(index: int) -> tuple[str, ...]:
    return (str(index + 1),)


def _nothing(_index: int) -> str:
    return ""
