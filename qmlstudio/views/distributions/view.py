"""The panel: its three pages, and above them what the one in sight can be asked for."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QButtonGroup, QStackedWidget, QVBoxLayout, QWidget

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.views.distributions.correlation_page import CorrelationPage
from qmlstudio.views.distributions.histogram_page import HistogramPage
from qmlstudio.views.distributions.page import Page, switch
from qmlstudio.views.distributions.pair_page import PairPage
from qmlstudio.widgets.flow_layout import FlowLayout


class DistributionsView(QWidget):
    """Histogram, pair and correlations of columns.

    Follows the columns, the selection, the filters and the map's colours; selects what is dragged over.

    Signals
    -------
    context_menu_requested(index, global position)
        On a point of the pair.
    """

    context_menu_requested = Signal(int, QPoint)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self.histogram = HistogramPage(store, runner)
        self.pair = PairPage(store, runner)
        self.correlations = CorrelationPage(store, runner)
        self._pages: tuple[Page, ...] = (self.histogram, self.pair, self.correlations)
        self._stack = QStackedWidget()
        self.buttons = QButtonGroup(self)
        bar = QWidget()
        # pressed buttons are hardly darker than others in a dark window
        bar.setStyleSheet(
            "QToolButton:checked { background: palette(highlight); color: palette(highlighted-text);"
            " border: 1px solid palette(mid); border-radius: 3px; padding: 2px 4px; }"
            "QToolButton:checked:disabled { background: palette(mid); }"
        )
        flow = FlowLayout(bar, gap=4)
        flow.setContentsMargins(4, 2, 4, 0)
        for k, (text, tip) in enumerate(
            (
                (
                    self.tr("Histogram"),
                    self.tr(
                        "One column: histogram, density, selection against the rest\n"
                        "A drag over bins selects: Shift adds, Alt subtracts, Ctrl intersects; ←/→ and Enter do so, too"
                    ),
                ),
                (self.tr("Pair"), self.tr("Two columns: scatter, regression, rank correlation")),
                (self.tr("Correlations"), self.tr("All columns: correlation matrix")),
            )
        ):
            button = switch(text, tip, on=k == 0)
            self.buttons.addButton(button, k)
            flow.addWidget(button)
        for page in self._pages:
            self._stack.addWidget(page)
            for tool in page.tools:
                flow.addWidget(tool)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(bar)
        layout.addWidget(self._stack, 1)
        self._flow = flow
        self.buttons.idClicked.connect(self.show_page)
        self.pair.context_menu_requested.connect(self.context_menu_requested)
        self.correlations.pair_chosen.connect(self.show_pair)
        store.changed.connect(self._on_store_changed)
        store.columns_changed.connect(self._on_store_columns_changed)
        store.results_changed.connect(self._on_store_results_changed)
        store.hovered.connect(self.pair.plot.show_hover)
        for page in self._pages:
            page.show_columns(store.columns)
        self.show_page(0)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        for page in self._pages:
            page.set_dark(dark)

    def show_page(self, which: int) -> None:
        """0: one column, 1: two, 2: all."""
        self.buttons.button(which).setChecked(True)
        self._stack.setCurrentIndex(which)
        for k, page in enumerate(self._pages):
            for tool in page.tools:
                tool.setVisible(k == which)

    def show_column(self, name: str) -> None:
        """The histogram of this column."""
        self.show_page(0)
        self.histogram.choose(name)

    def show_pair(self, x: str, y: str) -> None:
        """One column against another; the same twice: its histogram."""
        if x == y:
            self.show_column(x)
            return
        self.show_page(1)
        self.pair.choose(x, y)

    @property
    def page(self) -> int:
        """Which page is in front."""
        return self._stack.currentIndex()

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            for page in self._pages:
                page.show_columns(self._store.columns)
                page.columns_changed()
            return
        for page in self._pages:
            if page.is_ready:
                if names & {"selection", "pins"}:
                    page.show_selection()
                if "coloring" in names:
                    page.show_coloring()
            elif names & {"selection", "pins", "coloring"}:
                page.refresh()

    def _on_store_columns_changed(self, names: frozenset[str]) -> None:
        columns = self._store.columns
        for page in self._pages:
            used = page.uses(names)
            page.show_columns(columns)
            if used or page.uses(names):
                page.columns_changed()
        if self._store.session.coloring.color_by in names and self.pair.is_ready:
            self.pair.show_coloring()

    def _on_store_results_changed(self, name: str) -> None:
        if name == "filter":
            for page in self._pages:
                if page.is_ready:
                    page.show_filter()
                else:
                    page.refresh()
