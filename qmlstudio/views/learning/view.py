"""The learning panel itself: set-up at the left, pages at the right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.bench_jobs import Draft, duration
from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.model_work import ModelWork
from qmlstudio.app.models import ModelShelf
from qmlstudio.app.store import Store
from qmlstudio.session.bench.spec import BenchSpec
from qmlstudio.views.learning.curves import CurvesPage
from qmlstudio.views.learning.errors import ErrorsPage
from qmlstudio.views.learning.models import ModelsPage
from qmlstudio.views.learning.search_page import SearchPage
from qmlstudio.views.learning.setup import SetupPanel
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.theme import theme

BESIDE = 640
"""Pixels of width from which the set-up stands beside the pages."""
SETUP_WIDTH = 290
ROOMY = 1000
"""Pixels of width from which the set-up stays beside the errors of a point."""
CURVES, ERRORS, SEARCH, MODELS = range(4)


class LearningView(QWidget):
    """Learning curves from their set-up to the errors of single molecules, and the models that were kept."""

    def __init__(
        self, store: Store, runner: JobRunner, shelf: ModelShelf | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self.engine = BenchEngine(store, runner, self)
        self.shelf = shelf if shelf is not None else ModelShelf(self)
        self.work = ModelWork(store, runner, self.shelf, self.engine, self)
        self.setup = SetupPanel(store, self.engine)
        self.curves = CurvesPage()
        self.errors = ErrorsPage(store, runner, self.engine)
        self.search = SearchPage(self.engine)
        self.models = ModelsPage(self.work)
        self._pages: tuple[CurvesPage | ErrorsPage | SearchPage | ModelsPage, ...] = (
            self.curves,
            self.errors,
            self.search,
            self.models,
        )
        self._wants_setup = True
        self._make_bar()
        self._make_foot()
        self._lay_out()
        self._connect()
        self.show_page(CURVES)
        self._show_state()
        self._show_estimate()

    # -- building

    def _make_bar(self) -> None:
        self._bar = QWidget()
        self._bar.setStyleSheet(
            "QToolButton:checked { background: palette(highlight); color: palette(highlighted-text);"
            " border: 1px solid palette(mid); border-radius: 3px; padding: 2px 4px; }"
            "QToolButton:checked:disabled { background: palette(mid); }"
        )
        flow = FlowLayout(self._bar, gap=4)
        flow.setContentsMargins(4, 2, 4, 0)
        self.setup_button = _switch(self.tr("Set-up"), self.tr("Series, sizes, splits and search of the bench"))
        flow.addWidget(self.setup_button)
        self.run = QPushButton(self.tr("Run"))
        self.run.setToolTip(self.tr("Run the bench, or go on: what is on the disk is not computed again"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.setToolTip(self.tr("Stop the bench (Ctrl+.); finished points are kept"))
        widest = max(self.fontMetrics().horizontalAdvance(t) for t in (self.tr("Pause"), self.tr("Go on")))
        self.run.setFixedWidth(widest + 24)
        self.cancel.setFixedWidth(self.fontMetrics().horizontalAdvance(self.cancel.text()) + 20)
        flow.addWidget(self.run)
        flow.addWidget(self.cancel)
        self.buttons = QButtonGroup(self)
        for k, (text, tip) in enumerate(
            (
                (
                    self.tr("Curves"),
                    self.tr(
                        "Error against number of training structures\nClick a point for its errors; drag moves, wheel "
                        "zooms, R shows all; arrows and Enter go from point to point"
                    ),
                ),
                (self.tr("Errors"), self.tr("The test set of one point: parity, histogram, by size, group, distance")),
                (self.tr("Search"), self.tr("Heat map of the choice of σ and λ")),
                (self.tr("Models"), self.tr("Fitted models: keep, save, open, apply, predict")),
            )
        ):
            button = _switch(text, tip)
            self.buttons.addButton(button, k)
            flow.addWidget(button)
        for page in self._pages:
            for tool in page.tools:
                flow.addWidget(tool)

    def _make_foot(self) -> None:
        self.estimate = QLabel()
        self.estimate.setWordWrap(True)
        self.estimate.setTextFormat(Qt.TextFormat.PlainText)
        self.estimate.setContentsMargins(6, 0, 6, 0)
        self.estimate.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.cheaper = QPushButton()
        self.cheaper.setVisible(False)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(6)
        self.bar.setAccessibleName(self.tr("Progress of the bench"))
        self.status = QLabel()
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setWordWrap(True)
        self.status.setContentsMargins(6, 0, 6, 2)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.said = QLabel()
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        self.said.setContentsMargins(6, 0, 6, 2)
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.said.hide()

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        for page in self._pages:
            self._stack.addWidget(page)
        self._stack.setMinimumWidth(200)
        self._left = QWidget()
        left = QVBoxLayout(self._left)
        left.setContentsMargins(0, 0, 0, 2)
        left.setSpacing(3)
        left.addWidget(self.setup, 1)
        left.addWidget(self.estimate)
        left.addWidget(self.cheaper)
        self._left.setMinimumWidth(230)
        self._splitter = _Splitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self._left)
        self._splitter.addWidget(self._stack)
        self._splitter.setStretchFactor(0, 0)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([SETUP_WIDTH, 700])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._bar)
        layout.addWidget(self.bar)
        layout.addWidget(self._splitter, 1)
        layout.addWidget(self.status)
        layout.addWidget(self.said)

    def _connect(self) -> None:
        self.setup_button.clicked.connect(self._on_setup_button_clicked)
        self.buttons.idClicked.connect(self.show_page)
        self.run.clicked.connect(self.start_or_pause)
        self.cancel.clicked.connect(self.engine.cancel)
        self.cheaper.clicked.connect(self._on_cheaper_clicked)
        self.curves.point_chosen.connect(self._on_curves_point_chosen)
        self.errors.distance_wanted.connect(self._on_errors_distance_wanted)
        self.errors.model_wanted.connect(self._on_errors_model_wanted)
        self.search.wider_wanted.connect(self._on_search_wider_wanted)
        engine = self.engine
        engine.draft_changed.connect(self._show_state)
        engine.state_changed.connect(self._show_state)
        engine.estimate_changed.connect(self._show_estimate)
        engine.result_changed.connect(self._on_engine_result_changed)
        engine.errors_changed.connect(self._on_engine_errors_changed)
        engine.failed.connect(self._on_failed)
        self.work.said.connect(self._say)
        self.work.failed.connect(self._on_failed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.setup.set_dark(dark)
        for page in self._pages:
            page.set_dark(dark)
        for label in (self.estimate, self.status):
            label.setStyleSheet(f"color: {theme(dark).muted}")

    def set_memory_budget(self, budget: int) -> None:
        """Bytes that matrices may take."""
        self.engine.memory_budget = self.work.memory_budget = budget

    def show_page(self, which: int) -> None:
        """0: curves, 1: errors, 2: search, 3: models."""
        self.buttons.button(which).setChecked(True)
        self._stack.setCurrentIndex(which)
        if self.width() < BESIDE:
            self._wants_setup = False
        self._arrange()

    def show_setup(self) -> None:
        """The form of the bench."""
        self._wants_setup = True
        self.setup.begin()
        self._arrange()

    def show_models(self) -> None:
        """The page of fitted models."""
        self.show_page(MODELS)

    def figure_inputs(self) -> dict[str, Any]:
        """What figures of the panel are drawn of."""
        return {
            "result": self.engine.result,
            "errors": self.engine.errors,
            "search": self.search.search,
            "variant": max(self.search.variant.currentIndex(), 0),
            "goal": self.curves.goal_shown,
        }

    @property
    def page(self) -> int:
        """Which page is in front."""
        return self._stack.currentIndex()

    def start_or_pause(self) -> None:
        """Run what is set up, pause what runs, go on with what is paused."""
        if self.engine.is_running:
            self.engine.pause()
            return
        self.setup.flush()
        if self.engine.start():
            self.show_page(CURVES)

    def state(self) -> dict[str, Any]:
        """The set-up, ready for JSON."""
        spec = self.engine.spec()
        return {"bench": None if spec is None else spec.to_dict(), "hidden": sorted(self.curves.hidden)}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; what is missing or makes no sense is left as it is."""
        try:
            if state.get("bench") is not None:
                self.engine.set_draft(Draft.of(BenchSpec.from_dict(state["bench"])))
            self.curves.chart.set_hidden(frozenset(str(n) for n in state.get("hidden", ())))
            self.curves.legend.set_hidden(self.curves.chart.hidden)
        except (KeyError, TypeError, ValueError, AttributeError):
            return

    # -- showing

    def _arrange(self) -> None:
        wide = self.width() >= BESIDE
        self._left.setVisible(self._wants_setup)
        self._stack.setVisible(wide or not self._wants_setup)
        self.setup_button.setChecked(self._wants_setup)
        for k, page in enumerate(self._pages):
            for tool in page.tools:
                tool.setVisible(k == self.page and self._stack.isVisibleTo(self) and self._is_wanted(tool))
        for button in self.buttons.buttons():
            button.setChecked(self.buttons.id(button) == self.page)

    def _is_wanted(self, tool: QWidget) -> bool:
        """Boxes with nothing to choose among take no room."""
        boxes = (self.curves.target, self.errors.repeat, self.search.variant)
        return all(box is not tool or box.count() > 1 for box in boxes)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.width() < BESIDE <= event.oldSize().width() and self.engine.result is not None:
            self._wants_setup = False
        self._arrange()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setup.begin()
        self._arrange()

    def _show_state(self) -> None:
        engine = self.engine
        running = engine.is_running
        texts = {"running": self.tr("Pause"), "paused": self.tr("Go on")}
        self.run.setText(texts.get(engine.state, self.tr("Run")))
        self.run.setEnabled(running or not engine.problem)
        self.cancel.setEnabled(engine.state in ("running", "paused"))
        self.bar.setVisible(running or engine.state == "paused")
        self.bar.setValue(int(1000 * engine.fraction))
        text = engine.status
        if running and engine.eta >= 0:
            text += self.tr(" · {} left").format(duration(engine.eta))
        if engine.problem and not running:
            text = f"⚠ {engine.problem}"
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self._show_estimate()

    def _show_estimate(self) -> None:
        found = self.engine.estimate
        text = "" if found is None else str(found.text)
        if self.engine.estimate_problem:
            text = f"⚠ {self.engine.estimate_problem}"
        self.estimate.setText(text)
        self.estimate.setVisible(bool(text) and not self.engine.is_running)
        cheaper = None if found is None else found.cheaper
        self.cheaper.setVisible(cheaper is not None and not self.engine.is_running)
        if cheaper is not None:
            self.cheaper.setText(self.tr("Cheaper: {}").format(found.cheaper_text))
            self.cheaper.setToolTip(self.tr("Set up a bench that takes less"))

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))

    # -- signals

    def _on_setup_button_clicked(self, on: bool) -> None:
        self._wants_setup = on
        self._arrange()

    def _on_cheaper_clicked(self) -> None:
        found = self.engine.estimate
        if found is not None and found.cheaper is not None:
            self.engine.set_draft(Draft.of(found.cheaper))

    def _on_curves_point_chosen(self, label: str, size: int) -> None:
        self.engine.look_into(label, size, self.curves.lines.target)
        self.search.show_place(label, size)
        self.engine.select_worst()
        if self.width() < ROOMY:
            self._wants_setup = False
        self.show_page(ERRORS)

    def _on_engine_result_changed(self) -> None:
        self.curves.show_result(self.engine.result)
        self._arrange()

    def _on_engine_errors_changed(self) -> None:
        chosen = self.engine.chosen
        if chosen is not None:
            self.curves.set_chosen(chosen[0], chosen[1])
        self._arrange()

    def _on_errors_distance_wanted(self) -> None:
        self.work.keep(to_shelf=False)

    def _on_errors_model_wanted(self) -> None:
        self.work.keep()

    def _on_search_wider_wanted(self, grid: Any) -> None:
        self.engine.change(grid=grid)
        self._say(self.tr("The grid is wider now: press Run."))

    def _on_failed(self, text: str, _details: str) -> None:
        self._say(f"⚠ {text}")


class _Splitter(QSplitter):
    """As narrow as one of its parts: the panel shows a single one where there is no room for both."""

    def minimumSizeHint(self) -> QSize:
        return QSize(230, super().minimumSizeHint().height())


def _switch(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip.partition("\n")[0])
    return button
