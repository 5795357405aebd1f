"""The page of learning curves."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QDoubleSpinBox, QVBoxLayout, QWidget

from qmlstudio.session.bench.fits import FLAT
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench_lines import Lines, goal_in, lines_of, targets_of
from qmlstudio.session.comparison.sets import COLORS, LINES
from qmlstudio.widgets.curve_chart import ChartCurve, ChartLevel, CurveChart
from qmlstudio.widgets.curve_legend import CurveLegend
from qmlstudio.widgets.set_style import SetStyle

BESIDE = 560
"""Pixels of width from which the legend stands beside the chart."""


def style_of(name: str, place: int) -> SetStyle:
    """The look of a series by its place in the bench."""
    return SetStyle(name, COLORS[place % len(COLORS)], LINES[(place + place // len(COLORS)) % len(LINES)], place)


class CurvesPage(QWidget):
    """Chart and legend, with metric, target and goal above.

    Signals
    -------
    point_chosen(label, size)
        A mark was clicked.
    """

    point_chosen = Signal(str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: BenchResult | None = None
        self._lines = Lines()
        self._goals: dict[str, float] = {}
        self.chart = CurveChart()
        self.legend = CurveLegend()
        self._make_tools()
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._row.setSpacing(2)
        self._row.addWidget(self.chart, 1)
        self._row.addWidget(self.legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._row, 1)
        self.chart.point_chosen.connect(self._on_chart_point_chosen)
        self.legend.hidden_changed.connect(self.chart.set_hidden)
        self.show_result(None)

    def _make_tools(self) -> None:
        self.target = QComboBox()
        self.target.setToolTip(self.tr("Which property's errors are drawn"))
        self.target.setAccessibleName(self.target.toolTip())
        self.target.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.metric_box = QComboBox()
        self.metric_box.addItem(self.tr("MAE"), "mae")
        self.metric_box.addItem(self.tr("RMSE"), "rmse")
        self.metric_box.setToolTip(
            self.tr("Mean absolute error, or root of the mean square error, of the test structures")
        )
        self.metric_box.setAccessibleName(self.metric_box.toolTip())
        self.goal = QDoubleSpinBox()
        self.goal.setRange(0.0, 1e9)
        self.goal.setDecimals(4)
        self.goal.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.goal.setPrefix(self.tr("goal "))
        self.goal.setSpecialValueText(self.tr("no goal"))
        self.goal.setKeyboardTracking(False)
        tip = self.tr("The error to be reached: curves tell how many training structures that takes")
        self.goal.setToolTip(tip)
        self.goal.setAccessibleName(tip)
        # the range's end in full would make it absurdly wide
        self.goal.setFixedWidth(self.goal.fontMetrics().horizontalAdvance("goal 00.0000 kcal/mol") + 30)
        self.tools: list[QWidget] = [self.target, self.metric_box, self.goal]
        self.target.activated.connect(self._on_target_activated)
        self.metric_box.activated.connect(self._draw)
        self.goal.valueChanged.connect(self._on_goal_value_changed)

    # -- what others may ask

    def show_result(self, result: BenchResult | None) -> None:
        """Draw what there is of a bench; None: nothing."""
        self._result = result
        pairs = () if result is None else targets_of(result)
        present = self._pair()
        if [self.target.itemData(k) for k in range(self.target.count())] != list(pairs):
            with QSignalBlocker(self.target):
                self.target.clear()
                for name, unit in pairs:
                    self.target.addItem(f"{name} / {unit}" if unit else name, (name, unit))
                self.target.setCurrentIndex(max(pairs.index(present) if present in pairs else 0, 0) if pairs else -1)
            self._show_goal()
        self._draw()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.chart.set_dark(dark)
        self.legend.set_dark(dark)

    def set_chosen(self, label: str, size: int) -> None:
        """Ring the mark of a point."""
        for curve in self.chart.curves:
            if curve.name == label:
                places = [k for k, x in enumerate(curve.x) if int(x) == size]
                self.chart.set_chosen(label, places[0] if places else -1)

    @property
    def lines(self) -> Lines:
        """What is drawn."""
        return self._lines

    @property
    def goal_shown(self) -> float | None:
        """The error to be reached, in the unit of the curves."""
        unit = self._pair()[1]
        return self._goals.get(unit, goal_in(unit)) or None

    @property
    def hidden(self) -> frozenset[str]:
        """Series that are not drawn."""
        return self.chart.hidden

    # -- inside

    def _pair(self) -> tuple[str, str]:
        data = self.target.currentData()
        return (str(data[0]), str(data[1])) if data else ("", "")

    def _show_goal(self) -> None:
        _, unit = self._pair()
        known = self._goals.get(unit, goal_in(unit))
        with QSignalBlocker(self.goal):
            self.goal.setSuffix(f" {unit}" if unit else "")
            self.goal.setValue(known or 0.0)

    def _draw(self) -> None:
        result, (target, unit) = self._result, self._pair()
        if result is None or not target:
            message = self.tr(
                "Set up series and press Run: the error on test structures against the number of training structures "
                "will grow here as results come."
            )
            if result is not None and result.problems:
                message = "\n".join(f"⚠ {p}" for p in result.problems)
            self._lines = Lines()
            self.chart.set_curves([], message=message)
            self.legend.set_curves([])
            self.legend.hide()
            return
        # the box rounds: chemical accuracy itself shall not
        goal = self.goal_shown
        self._lines = lines_of(result, target, unit, str(self.metric_box.currentData()), goal)
        curves = [
            ChartCurve(
                line.label,
                style_of(line.label, line.place),
                line.curve.sizes.astype(float),
                line.curve.mean,
                line.curve.low,
                line.curve.high,
                line.texts,
                None if line.law is None or line.law.c or line.law.b <= FLAT else (line.law.a, line.law.b),
                line.note,
                line.tip,
            )
            for line in self._lines.lines
        ]
        curves += [
            ChartCurve(
                r.name, style_of(r.name, r.place), r.x, r.y, tip=r.tip, note=r.tip.split("\n")[0], is_reference=True
            )
            for r in self._lines.references
        ]
        levels = [ChartLevel(v.name, v.y, v.kind == "goal", v.tip, v.kind == "published") for v in self._lines.levels]
        self.chart.set_curves(curves, levels, self.tr("training structures N"), self._lines.title)
        self.legend.set_curves(curves)
        self.legend.setVisible(bool(curves))

    def _on_target_activated(self) -> None:
        self._show_goal()
        self._draw()

    def _on_goal_value_changed(self, value: float) -> None:
        self._goals[self._pair()[1]] = value
        self._draw()

    def _on_chart_point_chosen(self, name: str, k: int) -> None:
        for line in self._lines.lines:
            if line.label == name:
                self.point_chosen.emit(name, int(line.curve.sizes[k]))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        beside = self.width() >= BESIDE
        self._row.setDirection(QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom)
        self.legend.setFixedWidth(max(185, min(300, self.width() // 3))) if beside else self.legend.setMaximumWidth(
            16_777_215
        )
        self.legend.setMaximumHeight(16_777_215 if beside else 84)
        self.legend.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
