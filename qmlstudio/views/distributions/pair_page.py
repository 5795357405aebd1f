"""Two columns against each other: every structure a point, lines through them, rank correlations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QToolButton, QVBoxLayout

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.learning.pair_statistics import PairStatistics, pair_statistics
from qmlstudio.progress import Progress
from qmlstudio.session.coloring import Coloring, ColorScale, color_scale
from qmlstudio.session.columns import Columns
from qmlstudio.session.filter_lookups import lookups_of
from qmlstudio.session.filters import FAST_ROWS
from qmlstudio.views.distributions.page import Page, label_of, named, number, switch
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.pair_plot import FitLine, PairPlot
from qmlstudio.widgets.text_strip import TextStrip

Floats = NDArray[np.float64]

FARTHEST = 1e100
"""Largest coordinates that are drawn: squares and spans of larger ones are beyond the largest number."""


@dataclass(frozen=True, eq=False)
class _Told:
    """Statistics of all points, and of the selected ones."""

    whole: PairStatistics
    selected: PairStatistics | None


@dataclass(frozen=True, eq=False)
class _Points:
    """(n, 2) places, NaN for what has none; those that are drawn; how many are too far away to be."""

    points: Floats
    drawn: Floats
    undrawn: int


class PairPage(Page):
    """The points are coloured as on the map; a lasso selects.

    Signals
    -------
    context_menu_requested(index, global position)
    """

    context_menu_requested = Signal(int, QPoint)

    def __init__(self, store: Store, runner: JobRunner) -> None:
        super().__init__(store, runner)
        self._xy: Floats = np.zeros((0, 2))
        self._known: tuple[object, ...] = ()
        self._columns: Columns | None = None
        self._told: _Told | None = None
        self._names = ("", "")
        self._undrawn = 0
        self._make()

    def _make(self) -> None:
        self.x_box = named(ColumnCombo(self.tr("x")), self.tr("Column to the right"))
        self.y_box = named(ColumnCombo(self.tr("y")), self.tr("Column upwards"))
        self.swap = QToolButton()
        self.swap.setText("⇄")
        self.swap.setToolTip(self.tr("Exchange x and y"))
        self.swap.setAccessibleName(self.swap.toolTip())
        self.log_x = switch(self.tr("log x"), self.tr("Decadic logarithm to the right"))
        self.log_y = switch(self.tr("log y"), self.tr("Decadic logarithm upwards"))
        self.robust = switch(self.tr("Theil–Sen"), self.tr("The median of slopes, which outliers do not turn"))
        self.lasso = switch(self.tr("lasso"), self.tr("A drag selects (L; V moves again; Shift+drag always selects)"))
        self.plot = PairPlot()
        self.text = TextStrip(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)
        self.tools = [self.x_box, self.swap, self.y_box, self.log_x, self.log_y, self.robust, self.lasso]
        for box in (self.x_box, self.y_box):
            box.activated.connect(self.refresh)
        for button in (self.log_x, self.log_y):
            button.clicked.connect(self.refresh)
        self.robust.clicked.connect(self._ask)
        self.swap.clicked.connect(self._on_swap_clicked)
        self.lasso.clicked.connect(self._on_lasso_clicked)
        self.plot.tool_changed.connect(self._on_plot_tool_changed)
        self.plot.hovered.connect(self._store.hover)
        self.plot.clicked.connect(self._on_plot_clicked)
        self.plot.lassoed.connect(self._on_plot_lassoed)
        self.plot.escape_pressed.connect(self._store.escape)
        self.plot.context_menu_requested.connect(self.context_menu_requested)

    # -- what others may ask

    def choose(self, x: str, y: str) -> None:
        """Show this pair of columns."""
        self.x_box.choose(x)
        self.y_box.choose(y)
        self.refresh()

    @property
    def statistics(self) -> tuple[PairStatistics, PairStatistics | None] | None:
        """Of all points and of the selected ones; None while they are worked out."""
        return None if self._told is None else (self._told.whole, self._told.selected)

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.plot.set_dark(dark)

    def show_columns(self, columns: Columns | None) -> None:
        names = () if columns is None else columns.numeric()
        chosen = [box.chosen for box in (self.x_box, self.y_box)]
        for k, box in enumerate((self.x_box, self.y_box)):
            box.set_columns(columns, names)
            if chosen[k] not in names and names:
                box.choose(names[min(k, len(names) - 1)])

    def uses(self, names: frozenset[str]) -> bool:
        return bool({self.x_box.chosen, self.y_box.chosen} & names)

    # -- drawing

    def draw(self) -> None:
        columns, x, y = self._store.columns, self.x_box.chosen, self.y_box.chosen
        if columns is None or x not in columns or y not in columns:
            self._columns, self._told, self._xy = None, None, np.zeros((0, 2))
            self.plot.set_lines(())
            self.plot.set_axes(())
            self.plot.set_points(self._xy, keep_range=False)
            self.text.set_text(self.tr("no data set") if columns is None else self.tr("choose two columns of numbers"))
            return
        logs = (self.log_x.isChecked(), self.log_y.isChecked())
        self._runner.submit(
            Job(
                key=f"{self._store.session.dataset.fingerprint} {x} {y} {logs} {self._stamp}",
                slot="pair points",
                title=self.tr("{} against {}").format(y, x),
                compute=partial(_points, columns, (x, y), logs),
                done=partial(self._on_points_done, columns, (x, y), logs),
                failed=self._on_failed,
                lane="interactive",
                priority=4,
            )
        )

    def _on_points_done(
        self, columns: Columns, names: tuple[str, str], logs: tuple[bool, bool], found: _Points
    ) -> None:
        if not self.is_about(columns):
            return
        labels = [label_of(columns, name) for name in names]
        labels = [f"log₁₀({label})" if log else label for label, log in zip(labels, logs, strict=True)]
        key = (columns.dataset.fingerprint, names, logs)
        self._xy, self._columns, self._told, self._names = found.points, columns, None, names
        self.plot.set_lines(())
        self.plot.set_axes(labels)
        self._undrawn = found.undrawn
        self.plot.set_points(found.drawn, keep_range=key == self._known)
        self._known = key
        self.show_coloring()
        self.show_filter()
        self.show_selection()

    def show_coloring(self) -> None:
        columns = self._store.columns
        if columns is None or self.plot.count != len(columns.dataset):
            return
        coloring = self._store.session.coloring
        self._runner.submit(
            Job(
                key=f"{self._store.session.dataset.fingerprint} {coloring} {id(columns)}",
                slot="pair colours",
                title=self.tr("Colours of the pair"),
                compute=partial(_colors, columns, coloring),
                done=partial(self._on_colors_done, columns, coloring),
                lane="interactive",
                priority=4,
            )
        )

    def _on_colors_done(self, columns: Columns, coloring: Coloring, scale: ColorScale) -> None:
        if not self.is_about(columns) or self.plot.count != len(scale.index):
            return
        missing = scale.missing if scale.missing.any() else None
        indices = None if scale.kind == "plain" else scale.index
        self.plot.set_colors(indices, scale.lut, missing, scale.kind == "category")
        if scale.kind == "number":
            values = columns[coloring.color_by].values
            self.plot.set_values(values, scale.low, scale.high, scale.scale)  # type: ignore[arg-type]

    def show_filter(self) -> None:
        mask = getattr(self._store.result("filter"), "mask", None)
        self.plot.set_dimmed(~mask if mask is not None and len(mask) == self.plot.count else None)

    def show_selection(self) -> None:
        selection = self._store.session.selection
        if self._columns is None or self.plot.count != len(selection):
            return
        self.plot.set_active(selection.active)
        self.plot.set_pins(list(self._store.session.pins))
        before, mask = self._mask, self.selected_mask
        if mask is before and self._told is not None:
            return
        self.plot.set_selection(mask if mask.any() else None)
        self._ask()

    def _ask(self) -> None:
        """Have the statistics worked out."""
        if self._columns is None:
            return
        mask, robust = self.selected_mask, self.robust.isChecked()
        fingerprint = self._store.session.dataset.fingerprint
        self._runner.submit(
            Job(
                key=f"{fingerprint} pair {id(self._xy)} {id(mask)} {robust}",
                slot="pair statistics",
                title=self.tr("{} against {}").format(self._names[1], self._names[0]),
                compute=partial(_tell, self._xy, mask, robust, self._told),
                done=partial(self._on_told, self._xy, mask),
                failed=self._on_failed,
                # sorting millions is felt by whoever waits for a card
                lane="interactive" if len(mask) <= FAST_ROWS else "batch",
                priority=2,
            )
        )
        if self._told is None:
            self.text.set_text(self.tr("correlating…"))

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self.text.set_text(self.tr("⚠ {}").format(error))

    def _on_told(self, xy: Floats, mask: np.ndarray, told: _Told) -> None:
        if xy is not self._xy or mask is not self.selected_mask:
            return
        self._told = told
        lines = []
        whole, selected = told.whole, told.selected
        if whole.line is not None:
            lines.append(
                FitLine(
                    self.tr("all: R² {}").format(number(whole.line.r2, 3)),
                    whole.line.slope,
                    whole.line.intercept,
                    "all",
                )
            )
        if whole.robust is not None:
            lines.append(FitLine(self.tr("Theil–Sen"), whole.robust.slope, whole.robust.intercept, "robust"))
        if selected is not None and selected.line is not None:
            name = self.tr("selected: R² {}").format(number(selected.line.r2, 3))
            lines.append(FitLine(name, selected.line.slope, selected.line.intercept, "selected"))
        self.plot.set_lines(lines)
        texts = [self._text(self.tr("all"), whole)]
        if self._undrawn:
            texts[0] += self.tr(" · {:,} beyond ±10¹⁰⁰ not drawn").format(self._undrawn)
        left_out = len(xy) - whole.n
        if left_out:
            texts[0] += self.tr(" · {:,} without both values").format(left_out)
        if selected is not None:
            texts.append(self._text(self.tr("selected"), selected))
        self.text.set_text("\n".join(texts))

    def _text(self, who: str, told: PairStatistics) -> str:
        parts = [self.tr("{}: n {:,}").format(who, told.n)]
        if told.line is not None:
            line, (x, y) = told.line, self.plot.axes
            sign = "+" if line.intercept >= 0 or line.intercept != line.intercept else "−"
            parts += [
                self.tr("{} = ({} ± {}) {} {} {}").format(
                    _plain(y),
                    number(line.slope),
                    number(line.slope_error, 2),
                    _plain(x),
                    sign,
                    number(abs(line.intercept)),
                ),
                self.tr("R² {}").format(number(line.r2, 3)),
                self.tr("MAE {}").format(number(line.mae, 3)),
            ]
        else:
            parts.append(self.tr("no line: x does not vary") if told.n > 1 else self.tr("no line: too few points"))
        if told.robust is not None:
            robust = self.tr("Theil–Sen slope {}").format(number(told.robust.slope))
            if told.robust.is_sampled:
                robust += self.tr(" (of {:,} random pairs)").format(told.robust.pairs)
            parts.append(robust)
        parts += [
            self.tr("Pearson r {}").format(number(told.pearson, 3)),
            self.tr("Spearman ρ {}").format(number(told.spearman, 3)),
            self.tr("Kendall τ-b {}").format(number(told.kendall, 3)),
        ]
        return " · ".join(parts)

    # -- the user

    def _on_swap_clicked(self) -> None:
        logs = self.log_x.isChecked(), self.log_y.isChecked()
        self.log_x.setChecked(logs[1])
        self.log_y.setChecked(logs[0])
        self.choose(self.y_box.chosen, self.x_box.chosen)

    def _on_lasso_clicked(self, on: bool) -> None:
        self.plot.set_tool("lasso" if on else "pan")

    def _on_plot_tool_changed(self, tool: str) -> None:
        self.lasso.setChecked(tool != "pan")

    def _on_plot_clicked(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    def _on_plot_lassoed(self, mask: np.ndarray, operation: str) -> None:
        if len(mask) == len(self._store.session.selection):
            self._store.select(mask, operation, self.tr("lasso ({}–{})").format(*self._names))


def _plain(label: str) -> str:
    """The name of an axis without its unit."""
    name = label.split(" / ")[0]
    return f"{name})" if label.startswith("log₁₀(") and " / " in label else name


def _points(columns: Columns, names: tuple[str, str], logs: tuple[bool, bool], progress: Progress) -> _Points:
    """Where the structures stand; what is missing or infinite has no place, nor on a logarithmic axis what is ≤ 0."""
    points = np.empty((len(columns.dataset), 2))
    for k, name in enumerate(names):
        progress.check()
        lookups_of(columns.dataset).made.add(name)
        values = columns[name].values
        with np.errstate(invalid="ignore", divide="ignore"):
            points[:, k] = np.where(values > 0, np.log10(values), np.nan) if logs[k] else values
    points[~np.isfinite(points).all(axis=1)] = np.nan
    far = np.asarray((np.abs(points) > FARTHEST).any(axis=1))
    return _Points(points, np.where(far[:, None], np.nan, points) if far.any() else points, int(far.sum()))


def _colors(columns: Columns, coloring: Coloring, progress: Progress) -> ColorScale:
    progress.check()
    return color_scale(coloring, columns)


def _tell(xy: Floats, mask: np.ndarray, robust: bool, before: _Told | None, progress: Progress) -> _Told:
    """All points need not be told of again when only the selection has changed."""
    x, y = np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])
    if before is not None and (before.whole.robust is not None) == robust:
        whole = before.whole
    else:
        whole = pair_statistics(x, y, robust, progress.part(0.0, 0.6))
    selected = None
    if mask.any():
        selected = pair_statistics(x[mask], y[mask], robust, progress.part(0.6, 1.0))
    return _Told(whole, selected)
