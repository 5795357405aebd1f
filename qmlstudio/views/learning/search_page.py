"""The page of the search: scores by σ and λ, filling as they come."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.bench_jobs import Place
from qmlstudio.learning.evaluation.grid import SearchResult
from qmlstudio.widgets.heat_map import HeatMap
from qmlstudio.widgets.theme import theme


class SearchPage(QWidget):
    """One search at a time: the latest, or the one that was chosen.

    Signals
    -------
    wider_wanted(grid)
        The search is to go on where its best lies at an edge.
    """

    wider_wanted = Signal(object)

    def __init__(self, engine: BenchEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self.map = HeatMap()
        self.place = QComboBox()
        self.place.setToolTip(self.tr("Which series, training size and repeat"))
        self.place.setAccessibleName(self.place.toolTip())
        self.place.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.place.setMinimumContentsLength(18)
        self.variant = QComboBox()
        self.variant.setToolTip(self.tr("Which other parameters"))
        self.variant.setAccessibleName(self.variant.toolTip())
        self.wider = QPushButton(self.tr("Widen the grid"))
        self.wider.setToolTip(self.tr("Search on where the best lies at an edge"))
        self.tools: list[QWidget] = [self.place, self.variant, self.wider]
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        self._note.setContentsMargins(6, 0, 6, 2)
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.map, 1)
        layout.addWidget(self._note)
        self._follows = True
        self.place.activated.connect(self._on_place_activated)
        self.variant.activated.connect(self._draw)
        self.wider.clicked.connect(self._on_wider_clicked)
        engine.search_changed.connect(self.refresh)
        self.refresh()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.map.set_dark(dark)
        self._note.setStyleSheet(f"color: {theme(dark).muted}")

    def show_place(self, label: str, size: int) -> None:
        """The search of a point, if there was one."""
        for k in range(self.place.count()):
            place: Place = self.place.itemData(k)
            if place[:2] == (label, size):
                self.place.setCurrentIndex(k)
                self._follows = False
                self._draw()
                return

    def refresh(self) -> None:
        """Follow the engine."""
        known = list(self._engine.searches)
        present = self.place.currentData()
        shown = [tuple(self.place.itemData(k)) for k in range(self.place.count())]
        if shown != known:
            with QSignalBlocker(self.place):
                self.place.clear()
                for place in known:
                    label, size, repeat = place
                    self.place.addItem(self.tr("{}, N = {:,}, repeat {}").format(label, size, repeat + 1), place)
                at = known.index(tuple(present)) if present is not None and tuple(present) in known else -1
                if known and (self._follows or at < 0 or not self._engine.searches):
                    at = len(known) - 1
                self.place.setCurrentIndex(at)
        if not known:
            self._follows = True
        self._draw()

    @property
    def search(self) -> SearchResult | None:
        """What is drawn."""
        place = self.place.currentData()
        return None if place is None else self._engine.searches.get(tuple(place))

    def _draw(self) -> None:
        search = self.search
        self.place.setEnabled(self.place.count() > 0)
        self.wider.setEnabled(search is not None and bool(search.edges))
        if search is None:
            empty = np.zeros((0, 0))
            message = self.tr(
                "While a bench runs, the scores of every σ and λ are shown here. They are of training structures "
                "alone; the test set has no say. What comes from the disk was searched before."
            )
            self.map.set_values(empty, (), (), ("", "", ""), message=message)
            self._note.setText("")
            self.variant.setVisible(False)
            return
        self._show_variants(search)
        v = max(self.variant.currentIndex(), 0)
        lambdas = ["–" if np.isnan(x) else _power(x) for x in search.lambdas.tolist()]
        factors = [f"{f:.3g}" for f in search.factors.tolist()]
        name = {"likelihood": self.tr("negative log likelihood")}.get(search.grid.metric, search.grid.metric.upper())
        title = self.tr("{} of validation / {}").format(name, search.unit) if search.unit else name
        best = None if search.index is None or search.index[0] != v else (search.index[2], search.index[1])
        self.map.set_values(
            search.scores[v].T, lambdas, factors, ("λ", self.tr("σ / scale of the kernel"), title), best
        )
        self._note.setText(self._text(search))

    def _show_variants(self, search: SearchResult) -> None:
        labels = [x.label or self.tr("as set up") for x in search.grid.variants]
        if [self.variant.itemText(k) for k in range(self.variant.count())] != labels:
            with QSignalBlocker(self.variant):
                self.variant.clear()
                self.variant.addItems(labels)
        if search.index is not None and self._follows:
            self.variant.setCurrentIndex(search.index[0])
        self.variant.setVisible(len(labels) > 1 and self.map.isVisible())

    def _text(self, search: SearchResult) -> str:
        parts = [self.tr("{:.0f} % done").format(100 * search.done)] if search.done < 1 else []
        if search.index is not None:
            v, s, k = search.index
            sigma = float(search.sigmas[v, s])
            best = self.tr("best {:.4g} {}").format(search.best_score, search.unit).rstrip()
            if np.isfinite(sigma):
                best += self.tr(" at σ = {:.4g}").format(sigma)
            if np.isfinite(search.lambdas[k]):
                best += self.tr(", λ = {}").format(_power(float(search.lambdas[k])))
            parts.append(best)
        parts.append(self.tr("{:,} fitted, {:,} judge").format(search.n_fit, search.n_validate))
        if search.folds > 1:
            parts.append(self.tr("{} folds").format(search.folds))
        text = " · ".join(parts)
        return "\n".join((text, *(f"⚠ {note}" for note in search.notes)))

    def _on_place_activated(self) -> None:
        # at the end of the list whoever looks wants to see what comes
        self._follows = self.place.currentIndex() == self.place.count() - 1
        self._draw()

    def _on_wider_clicked(self) -> None:
        search = self.search
        wider = None if search is None else search.wider()
        if wider is not None:
            self.wider_wanted.emit(wider)


def _power(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
