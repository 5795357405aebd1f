"""The page of errors: parity, histogram, by size, element, group and distance, and the worst molecules."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.jobs import WARM_UP, Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.bench_errors import WORST, TestErrors
from qmlstudio.session.histogram import bin_values
from qmlstudio.widgets.bar_list import Bar, BarList
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Look, Subject, pictures
from qmlstudio.widgets.histogram_plot import HistogramPlot, Mark, Series
from qmlstudio.widgets.neighbor_list import NeighborList, NeighborRow, short, signed
from qmlstudio.widgets.pair_plot import FitLine, PairPlot
from qmlstudio.widgets.theme import theme

TWO, THREE = 520, 860
"""Pixels of width from which two and three drawings stand side by side."""
_PRIORITY = WARM_UP // 2
_BATCH = 40
_LISTED = 100
_BARS = ("size", "element", "group", "distance")


class ErrorsPage(QWidget):
    """Follows the point that the engine looks into; a lasso on the parity plot selects on the map.

    Signals
    -------
    distance_wanted()
        The distances to the training set of this point.
    model_wanted()
        This point's model, to be kept.
    """

    distance_wanted = Signal()
    model_wanted = Signal()

    def __init__(self, store: Store, runner: JobRunner, engine: BenchEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner, self._engine = store, runner, engine
        self._errors: TestErrors | None = None
        self._drawn: tuple[Any, ...] = ()
        self._dark = False
        self._codes = np.zeros(0, np.uint8)
        self._asked = False
        self._arranged: tuple[bool, ...] = ()
        self._make_drawings()
        self._make_tools()
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        for widget in (self.parity, self.stack, self.worst):
            self._splitter.addWidget(widget)
        for k, stretch in enumerate((4, 4, 3)):
            self._splitter.setStretchFactor(k, stretch)
        self._message = QLabel()
        self._message.setWordWrap(True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self._message.setContentsMargins(12, 4, 12, 4)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        self._note.setContentsMargins(6, 0, 6, 2)
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._message, 1)
        layout.addWidget(self._splitter, 1)
        layout.addWidget(self._note)
        self._connect()
        self._show()

    def _make_drawings(self) -> None:
        self.parity = PairPlot()
        self.parity.setAccessibleName(self.tr("Predicted against true values"))
        self.histogram = HistogramPlot()
        self.bars = BarList()
        self.stack = QStackedWidget()
        self.stack.addWidget(self.histogram)
        self.stack.addWidget(self.bars)
        self.stack.setMinimumWidth(160)
        self.worst = NeighborList(self.tr("The largest errors"))
        self.worst.setMinimumWidth(200)

    def _make_tools(self) -> None:
        self.repeat = _box(self.tr("Which repeat's test set"))
        self.what = _box(self.tr("What is drawn of the errors"))
        for text, value in (
            (self.tr("parity"), "parity"),
            (self.tr("histogram"), "histogram"),
            (self.tr("by size"), "size"),
            (self.tr("by element"), "element"),
            (self.tr("by functional group"), "group"),
            (self.tr("by distance to training"), "distance"),
            (self.tr("largest errors"), "worst"),
        ):
            self.what.addItem(text, value)
        self.what.setCurrentIndex(1)
        self.select_worst = QPushButton(self.tr("Worst {}").format(WORST))
        self.select_worst.setToolTip(self.tr("Select the {} largest errors on map and gallery").format(WORST))
        self.color = QPushButton(self.tr("Colour"))
        self.color.setToolTip(self.tr("Colour the map by the error (predicted − true); what was not tested is hollow"))
        self.keep = QPushButton(self.tr("Keep model"))
        self.keep.setToolTip(self.tr("Fit this point's model again and put it among the models"))
        self.lasso = QPushButton(self.tr("Lasso"))
        self.lasso.setCheckable(True)
        self.lasso.setToolTip(self.tr("A drag selects (L; V moves again; Shift+drag always selects)"))
        for made in (self.select_worst, self.color, self.keep, self.lasso):
            # Qt's own least width is that of a dialog's buttons
            made.setMinimumWidth(made.fontMetrics().horizontalAdvance(made.text()) + 18)
            made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.tools: list[QWidget] = [self.repeat, self.what, self.lasso, self.select_worst, self.color, self.keep]

    def _connect(self) -> None:
        self.what.activated.connect(self._on_what_activated)
        self.repeat.activated.connect(self._on_repeat_activated)
        self.select_worst.clicked.connect(self._on_select_worst_clicked)
        self.color.clicked.connect(self._engine.color_by_error)
        self.keep.clicked.connect(self.model_wanted)
        self.lasso.clicked.connect(self._on_lasso_clicked)
        self.parity.tool_changed.connect(self._on_parity_tool_changed)
        self.parity.hovered.connect(self._on_parity_hovered)
        self.parity.clicked.connect(self._on_parity_clicked)
        self.parity.lassoed.connect(self._on_parity_lassoed)
        self.parity.escape_pressed.connect(self._store.escape)
        self.histogram.range_selected.connect(self._on_histogram_range_selected)
        self.histogram.escape_pressed.connect(self._store.escape)
        self.bars.chosen.connect(self._on_bars_chosen)
        self.worst.chosen.connect(self._on_worst_chosen)
        self.worst.hovered.connect(self._store.hover)
        self.worst.wanted.connect(self._on_worst_wanted)
        self._engine.errors_changed.connect(self._on_engine_errors_changed)
        self._store.hovered.connect(self._on_store_hovered)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    @property
    def errors(self) -> TestErrors | None:
        """What is shown."""
        return self._errors

    def choose(self, what: str) -> None:
        """Draw the errors by this: "histogram", "size", "element", "group", "distance", "parity" or "worst"."""
        self.what.setCurrentIndex(max(self.what.findData(what), 0))
        self._on_what_activated()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        for drawing in (self.parity, self.histogram, self.bars, self.worst):
            drawing.set_dark(dark)
        self._note.setStyleSheet(f"color: {theme(dark).muted}")
        self._drawn = ()
        self._show()

    # -- drawing

    def _on_engine_errors_changed(self) -> None:
        before, self._errors = self._errors, self._engine.errors
        same = before is not None and self._errors is not None and before.predicted is self._errors.predicted
        if not same:
            self._drawn = ()
            self._asked = False
        self._show()

    def _show(self) -> None:
        errors = self._errors
        self._splitter.setVisible(errors is not None)
        self._message.setVisible(errors is None)
        self._message.setText(self.tr("Click a point of a learning curve: the errors of its test set are shown here."))
        for tool in self.tools:
            tool.setEnabled(errors is not None)
        if errors is None:
            self._note.setText("")
            return
        self._arrange()
        key = (id(errors.predicted), errors.target)
        if self._drawn != key:
            self._drawn = key
            self._show_repeats(errors)
            self._draw_parity(errors)
            self._draw_histogram(errors)
            self._draw_worst(errors)
        self._draw_bars(errors)
        self._note.setText(self._text(errors))
        self._show_selection()

    def _text(self, errors: TestErrors) -> str:
        e = errors.errors[np.isfinite(errors.errors)]
        if not len(e):
            return self.tr("{}: no error is a number").format(errors.name)
        a = np.abs(e)
        parts = [
            f"{errors.name}: {len(errors.test):,} test structures",
            self.tr("MAE {}").format(short(float(a.mean()))),
            self.tr("RMSE {}").format(short(float(np.sqrt(np.mean(e**2))))),
            self.tr("median {}").format(short(float(np.median(a)))),
            self.tr("95 % below {}").format(short(float(np.quantile(a, 0.95)))),
            self.tr("largest {}").format(short(float(a.max()))),
            self.tr("bias {}").format(signed(float(e.mean()), ".3g")),
        ]
        text = " · ".join(parts) + (f" {errors.unit}" if errors.unit else "")
        shown = errors.bars.get(str(self.what.currentData()))
        return f"{text}\n{shown.note}" if shown is not None and shown.note else text

    def _show_repeats(self, errors: TestErrors) -> None:
        known = self._engine.repeats_of(errors.label, errors.size)
        with QSignalBlocker(self.repeat):
            self.repeat.clear()
            for r in known:
                self.repeat.addItem(self.tr("repeat {}").format(r + 1), r)
            self.repeat.setCurrentIndex(max(self.repeat.findData(errors.repeat), 0))
        self.repeat.setVisible(len(known) > 1 and self.isVisible())

    def _draw_parity(self, errors: TestErrors) -> None:
        unit = f" / {errors.unit}" if errors.unit else ""
        self.parity.set_axes((f"true {errors.target}{unit}", f"predicted{unit}"))
        points = np.stack([errors.truth, errors.predicted], axis=1)
        points[~np.isfinite(points).all(axis=1)] = np.nan
        self.parity.set_points(points, keep_range=False)
        self.parity.set_lines([FitLine("predicted = true", 1.0, 0.0, "all")])

    def _draw_histogram(self, errors: TestErrors) -> None:
        binned = bin_values(errors.errors, bins=40)
        self._codes = binned.codes
        self.histogram.set_axes(binned.edges, self.tr("predicted − true"), errors.unit)
        color = theme(self._dark).point
        self.histogram.set_series([Series(errors.name, color, binned.counts, int(binned.counts.sum()))])
        self.histogram.set_mark(Mark(0.0, ""))

    def _draw_bars(self, errors: TestErrors) -> None:
        what = str(self.what.currentData())
        if what not in _BARS:
            return
        shown = errors.bars.get(what)
        unit = f" / {errors.unit}" if errors.unit else ""
        if shown is None:
            if what == "distance":
                message = self.tr("Fitting the model again to measure the distances…")
                if not self._asked and self.isVisible():
                    self._asked = True
                    self.distance_wanted.emit()
            elif "size" in errors.bars:
                message = self.tr("There are no molecular graphs to look for functional groups in.")
            else:
                message = self.tr("Looking at the structures…")
            self.bars.set_bars([], self.tr("MAE{}").format(unit), message=message)
            return
        rows = [
            Bar(name, mae, f"{mae:.3g} ({count:,})", self.tr("{:,} structures: a click selects them").format(count))
            for name, mae, count in zip(shown.names, shown.mae.tolist(), shown.counts.tolist(), strict=True)
        ]
        title = self.tr("MAE by {}{} (number of structures)").format(shown.title, unit)
        mean = float(np.nanmean(np.abs(errors.errors))) if len(errors.errors) else 0.0
        self.bars.set_bars(rows, title, mean)

    def _draw_worst(self, errors: TestErrors) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        e, rows = errors.errors, []
        for rank, place in enumerate(errors.order()[:_LISTED].tolist(), 1):
            index = int(errors.test[place])
            values = f"{short(float(errors.truth[place]))} → {short(float(errors.predicted[place]))}"
            rows.append(
                NeighborRow(
                    index,
                    str(dataset.identifiers[index]),
                    str(rank),
                    "",
                    "plain",
                    f"{signed(float(e[place]), '.3g')} {errors.unit}".rstrip(),
                    self.tr("true → predicted"),
                    values,
                    f"{dataset.identifiers[index]}: {values} {errors.unit}",
                )
            )
        self.worst.set_rows(rows)

    def _show_selection(self) -> None:
        errors, session = self._errors, self._store.session
        if errors is None or not len(errors.test) or len(session.selection) <= int(errors.test.max()):
            return
        chosen = session.selection.mask[errors.test]
        self.parity.set_selection(chosen if chosen.any() else None)
        active = session.selection.active
        place = np.flatnonzero(errors.test == active) if active is not None else np.zeros(0, int)
        self.parity.set_active(int(place[0]) if len(place) else None)
        pins = [int(p[0]) for i in session.pins if len(p := np.flatnonzero(errors.test == i))]
        self.parity.set_pins(pins)
        self.worst.set_marks(-1 if active is None else active, frozenset(session.pins))

    def _arrange(self) -> None:
        """As many drawings side by side as there is room for; the chosen one is always among them."""
        what, width = str(self.what.currentData()), self.width()
        detail = what not in ("parity", "worst")
        parity = what == "parity" or width >= TWO
        worst = what == "worst" or width >= THREE
        self.parity.setVisible(parity)
        self.stack.setVisible(detail or (width >= TWO and what == "parity") or width >= THREE)
        self.worst.setVisible(worst)
        self.stack.setCurrentWidget(self.bars if what in _BARS else self.histogram)
        shown = (parity, not self.stack.isHidden(), worst)
        if shown != self._arranged:
            self._arranged = shown
            shares = (4, 4, 3)
            total = sum(s for s, there in zip(shares, shown, strict=True) if there)
            self._splitter.setSizes(
                [width * s // max(total, 1) if t else 0 for s, t in zip(shares, shown, strict=True)]
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._errors is not None:
            self._arrange()

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 130)

    # -- the person

    def _on_what_activated(self) -> None:
        self._show()

    def _on_repeat_activated(self) -> None:
        if self._errors is not None:
            e = self._errors
            self._engine.look_into(e.label, e.size, e.target, int(self.repeat.currentData()))

    def _on_select_worst_clicked(self) -> None:
        self._engine.select_worst()

    def _on_lasso_clicked(self, on: bool) -> None:
        self.parity.set_tool("lasso" if on else "pan")

    def _on_parity_tool_changed(self, tool: str) -> None:
        self.lasso.setChecked(tool != "pan")

    def _on_parity_hovered(self, place: int) -> None:
        errors = self._errors
        self._store.hover(int(errors.test[place]) if errors is not None and 0 <= place < len(errors.test) else -1)

    def _on_parity_clicked(self, place: int, modifiers: Qt.KeyboardModifier) -> None:
        if self._errors is not None and 0 <= place < len(self._errors.test):
            self._go(int(self._errors.test[place]), modifiers)

    def _on_worst_chosen(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        self._go(index, modifiers)

    def _go(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    def _on_parity_lassoed(self, mask: np.ndarray, operation: str) -> None:
        errors, dataset = self._errors, self._store.dataset
        if errors is not None and dataset is not None and len(mask) == len(errors.test):
            chosen = errors.mask(np.flatnonzero(mask), len(dataset))
            self._store.select(chosen, operation, self.tr("lasso (parity of {})").format(errors.name))

    def _on_histogram_range_selected(self, first: int, last: int, operation: str) -> None:
        errors, dataset = self._errors, self._store.dataset
        if errors is None or dataset is None:
            return
        places = np.flatnonzero((self._codes >= first) & (self._codes <= last))
        text = self.tr("errors {} of {}").format(self.histogram.bin_text(first, last), errors.name)
        self._store.select(errors.mask(places, len(dataset)), operation, text)

    def _on_bars_chosen(self, k: int) -> None:
        errors = self._errors
        shown = None if errors is None else errors.bars.get(str(self.what.currentData()))
        if shown is not None and k < len(shown.members):
            self._engine.select(shown.members[k], f"{shown.title} {shown.names[k]}")

    def _on_store_hovered(self, index: int) -> None:
        errors = self._errors
        if errors is None or not self.isVisible():
            return
        place = np.flatnonzero(errors.test == index) if index >= 0 else np.zeros(0, int)
        self.parity.show_hover(int(place[0]) if len(place) else -1)
        self.worst.set_hovered(index)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.worst.forget_pictures()
        elif names & {"selection", "pins"}:
            self._show_selection()

    # -- pictures of the list

    def _on_worst_wanted(self, indices: list[int]) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        look, smiles = self.worst.look, dataset.smiles
        chosen = [i for i in indices[:_BATCH] if i < len(dataset)]
        subjects = [Subject(i, dataset.structures[i], "" if smiles is None else str(smiles[i])) for i in chosen]
        self._runner.submit(
            Job(
                key=f"pictures of errors {dataset.fingerprint} {look} {chosen}",
                slot="pictures of errors",
                title=self.tr("Pictures of the largest errors"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, dataset, look),
                failed=partial(self._on_pictures_failed, chosen, look),
                lane="interactive",
                priority=_PRIORITY,
                conflate=True,
            )
        )

    def _on_pictures(self, dataset: Dataset, look: Look, made: list[tuple[int, Any]]) -> None:
        if dataset is self._store.dataset:
            for index, image in made:
                self.worst.put(index, look, image)

    def _on_pictures_failed(self, indices: list[int], look: Look, _error: BaseException, _details: str) -> None:
        # the first one may be to blame: without a picture, the others have their turn
        if indices:
            self.worst.put(indices[0], look, None)


def _box(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
