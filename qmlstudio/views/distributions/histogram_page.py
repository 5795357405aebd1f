"""One column: its histogram for all, selection, filter and groups; densities, and what the numbers say."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtWidgets import QSpinBox, QVBoxLayout

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.session.cluster_report import CLUSTER
from qmlstudio.session.columns import Columns
from qmlstudio.session.distribution import Distribution, DistributionSpec, Part, distribution, part
from qmlstudio.session.filters import FilterResult
from qmlstudio.session.histogram import MOST_BINS
from qmlstudio.views.distributions.page import Page, chance, named, number, switch
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.histogram_plot import HistogramPlot, Mark, Series
from qmlstudio.widgets.text_strip import TextStrip
from qmlstudio.widgets.theme import mix, theme

MOST_RUG = 200


class HistogramPage(Page):
    """Bins of one column; dragging over them selects."""

    def __init__(self, store: Store, runner: JobRunner) -> None:
        super().__init__(store, runner)
        self._shown: Distribution | None = None
        self._shown_key = ""
        self._part: Part | None = None
        self._make()

    def _make(self) -> None:
        self.column = ColumnCombo(self.tr("choose a column"))
        named(self.column, self.tr("Column"))
        self.by = ColumnCombo(self.tr("no groups"))
        named(self.by, self.tr("Draw each group for itself: clusters, categories, numbers of atoms"))
        self.bins = QSpinBox()
        self.bins.setRange(0, MOST_BINS)
        self.bins.setSpecialValueText(self.tr("auto bins"))
        self.bins.setSuffix(self.tr(" bins"))
        self.bins.setToolTip(self.tr("Number of bins; auto: by Freedman and Diaconis"))
        self.bins.setAccessibleName(self.tr("Number of bins"))
        self.log_x = switch(self.tr("log x"), self.tr("Logarithmic axis"))
        self.log_y = switch(self.tr("log y"), self.tr("Logarithmic heights"))
        self.density = switch(
            self.tr("density"), self.tr("Shares in each set instead of counts: sets compare by shape")
        )
        self.curves = switch(self.tr("KDE"), self.tr("Gaussian kernel densities over the bars"), on=True)
        self.plot = HistogramPlot()
        self.text = TextStrip(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.text)
        self.tools = [
            self.column,
            self.by,
            self.bins,
            self.log_x,
            self.log_y,
            self.density,
            self.curves,
        ]
        for box in (self.column, self.by):
            box.activated.connect(self.refresh)
        self.bins.valueChanged.connect(self.refresh)
        self.log_x.clicked.connect(self.refresh)
        self.curves.clicked.connect(self.refresh)
        self.log_y.toggled.connect(self.plot.set_log_counts)
        self.density.toggled.connect(self.plot.set_density)
        self.plot.range_selected.connect(self._on_plot_range_selected)
        self.plot.escape_pressed.connect(self._store.escape)

    # -- what others may ask

    @property
    def spec(self) -> DistributionSpec:
        """What is asked for."""
        return DistributionSpec(
            self.column.chosen,
            self.log_x.isChecked(),
            self.bins.value(),
            self.by.chosen,
            self.curves.isChecked(),
        )

    @property
    def shown(self) -> Distribution | None:
        """What is drawn."""
        return self._shown

    def choose(self, column: str) -> None:
        """Show this column."""
        self.column.choose(column)
        self.refresh()

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.plot.set_dark(dark)
        self._show_series()

    def show_columns(self, columns: Columns | None) -> None:
        first = self.column.chosen
        self.column.set_columns(columns, () if columns is None else columns)
        names: list[str] = []
        if columns is not None:
            own = columns.names(composition=False)
            texts = columns.texts()
            names = [*texts, *(k for k in columns if k not in own), *(k for k in own if k not in texts)]
            names.sort(key=lambda k: k != CLUSTER)
            if not first or first not in columns:
                by_color = self._store.session.coloring.color_by
                self.column.choose(by_color if by_color in columns else next(iter(columns.numeric()), ""))
        self.by.set_columns(columns, names)

    def uses(self, names: frozenset[str]) -> bool:
        return bool({self.column.chosen, self.by.chosen} & names)

    # -- drawing

    def draw(self) -> None:
        columns, spec = self._store.columns, self.spec
        if columns is None or not len(columns.dataset) or spec.column not in columns:
            self._runner.cancel("distribution")
            self._forget(self.tr("no data set") if columns is None else self.tr("nothing to draw"))
            return
        is_text = spec.column in columns.texts()
        for tool in (self.bins, self.log_x, self.curves):
            tool.setEnabled(not is_text)
        key = f"{self._store.session.dataset.fingerprint} {spec} {self._stamp}"
        if key == self._shown_key:
            self._runner.cancel("distribution")
            self.show_selection()
            return
        if self._shown is None:
            self.plot.set_message(self.tr("counting…"))
        self._runner.submit(
            Job(
                key=key,
                slot="distribution",
                title=self.tr("Distribution of {}").format(spec.column),
                compute=partial(distribution, columns, spec),
                done=partial(self._on_distribution_done, columns, key),
                partial=partial(self._on_distribution_done, columns, ""),
                failed=self._on_failed,
                lane="interactive",
                priority=3,
            )
        )

    def _forget(self, message: str) -> None:
        self._shown = self._part = None
        self._shown_key = ""
        self.plot.set_message(message)
        self.plot.set_series([])
        self.text.set_text("")

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._forget(self.tr("⚠ {}").format(error))

    def _on_distribution_done(self, columns: Columns, key: str, found: Distribution) -> None:
        if not self.is_about(columns):
            return
        self._shown, self._shown_key, self._part = found, key, None
        binning, p = found.binning, columns[found.spec.column]
        self.plot.set_axes(
            binning.edges, p.label(found.spec.column), p.unit, binning.log, binning.discrete, found.names
        )
        self.show_selection()

    def show_selection(self) -> None:
        found = self._shown
        if found is None:
            return
        before, mask = self._mask, self.selected_mask
        if mask is before and self._part is not None:
            # another active structure only
            self._show_series()
            return
        self._part = None
        self._show_series()
        self._show_text()
        if found.ordered is not None and mask.any():
            self._runner.submit(
                Job(
                    key=f"{self._store.session.dataset.fingerprint} part {id(found)} {id(mask)}",
                    slot="distribution of selection",
                    title=self.tr("Selection against the rest"),
                    compute=partial(part, found, mask),
                    done=partial(self._on_part_done, found, mask),
                    lane="interactive",
                    priority=3,
                )
            )

    def _on_part_done(self, found: Distribution, mask: np.ndarray, told: Part | None) -> None:
        if found is self._shown and mask is self.selected_mask:
            self._part = told
            self._show_series()
            self._show_text()

    def show_filter(self) -> None:
        self._show_series()

    def _show_series(self) -> None:
        found, columns = self._shown, self._store.columns
        if found is None or columns is None or len(columns.dataset) != len(found.binning.codes):
            return
        colors, binning, curve = theme(self._dark), found.binning, found.curve
        pale = mix(colors.background, colors.muted, 0.38)
        total = int(binning.counts.sum())
        places, density = (curve.places, curve.density) if curve is not None else (None, None)
        series = [Series(self.tr("all"), pale, binning.counts, total, "bars", 0, places, density)]
        if self.selected_mask.any():
            counts = binning.counted(self.selected_mask)
            own = self._part.curve if self._part is not None else None
            places, density = (own.places, own.density) if own is not None else (None, None)
            name = self.tr("selected")
            series.append(Series(name, colors.point, counts, int(counts.sum()), "bars", 0, places, density))
        for k, group in enumerate(found.groups):
            own = group.curve
            places, density = (own.places, own.density) if own is not None else (None, None)
            # pale colours need more weight on white
            tint = mix("#{:02x}{:02x}{:02x}".format(*group.color), colors.foreground, 0.0 if self._dark else 0.18)
            series.append(Series(group.name, tint, group.counts, group.total, "outline", k + 1, places, density))
        result = self._store.result("filter")
        mask = result.mask if isinstance(result, FilterResult) else None
        if mask is not None and len(mask) == len(binning.codes):
            counts = binning.counted(mask)
            series.append(Series(self.tr("pass filters"), colors.foreground, counts, int(counts.sum()), "outline", 0))
        self.plot.set_series(series)
        self._show_marks(found, columns)

    def _show_marks(self, found: Distribution, columns: Columns) -> None:
        p, active, mark = columns[found.spec.column], self._store.active, None
        if active is not None:
            name = str(columns.dataset.identifiers[active])
            if found.names:
                bar = int(found.binning.codes[active])
                mark = Mark(float(bar), name) if bar < len(found.names) else None
            elif np.isfinite(p.values[active]):
                value = float(p.values[active])
                mark = Mark(value, f"{name}: {number(value)} {p.unit}".strip())
        self.plot.set_mark(mark)
        few = not found.names and 0 < np.count_nonzero(self.selected_mask) <= MOST_RUG
        self.plot.set_rug(p.values[self.selected_mask] if few else np.zeros(0))

    def _show_text(self) -> None:
        found = self._shown
        if found is None:
            return
        lines = []
        told = found.summary
        if told is not None:
            parts = [
                self.tr("n {:,}").format(told.n),
                self.tr("mean {} ± {} (sd)").format(number(told.mean), number(told.sd, 3)),
                self.tr("median {}, quartiles {} and {}").format(
                    number(told.median), number(told.lower), number(told.upper)
                ),
                self.tr("range {} to {}").format(number(told.low), number(told.high)),
            ]
            if found.curve is not None:
                unit = self.tr("decades") if found.binning.log else ""
                parts.append(self.tr("KDE bandwidth {} {} (Silverman)").format(number(found.curve.bandwidth, 3), unit))
            lines.append(" · ".join(parts).replace("  ", " "))
        elif found.names:
            lines.append(self.tr("n {:,}").format(int(found.binning.counts.sum())))
        if found.note and lines:
            lines[0] += f" · {found.note}"
        if self._part is not None:
            lines.append(self._part_text(self._part))
        self.text.set_text("\n".join(lines))

    def _part_text(self, of: Part) -> str:
        told, against = of.summary, of.comparison
        parts = [
            self.tr("selected: n {:,}, mean {} ± {}, median {}").format(
                told.n, number(told.mean), number(told.sd, 3), number(told.median)
            )
        ]
        if against is not None:
            parts += [
                self.tr("against the rest: Δ mean {} ± {} (se), Δ median {}").format(
                    number(against.difference, 3), number(against.error, 2), number(against.shift, 3)
                ),
                self.tr("Cliff's δ {} (Mann–Whitney {})").format(number(against.delta, 3), chance(against.p_rank)),
                self.tr("Kolmogorov–Smirnov D {} ({})").format(number(against.distance, 3), chance(against.p_distance)),
            ]
        return " · ".join(parts)

    # -- the user

    def _on_plot_range_selected(self, first: int, last: int, operation: str) -> None:
        found = self._shown
        if found is None or len(found.binning.codes) != len(self._store.session.selection):
            return
        codes = found.binning.codes
        origin = f"{found.spec.column} {self.plot.bin_text(first, last)}"
        self._store.select((codes >= first) & (codes <= last), operation, origin)
