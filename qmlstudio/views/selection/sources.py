"""Sources of selections that need no gesture, in a menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.representations.base import Features
from qmlstudio.session import selection_sources as sources
from qmlstudio.session.filters import describe
from qmlstudio.session.selection import Mask
from qmlstudio.widgets.lasso import Operation, operation

SLOT = "selection source"
Compute = Callable[[Any], Mask]


def passing(store: Store) -> Mask | None:
    """What passes the filters; None for everything."""
    mask: Mask | None = getattr(store.result("filter"), "mask", None)
    return mask if mask is not None and len(mask) == len(store.session.selection) else None


class SourcesMenu(QMenu):
    """Made anew whenever it opens; Shift adds what is chosen, Alt subtracts, Ctrl intersects.

    Signals
    -------
    failed(text)
        What was chosen could not be worked out.
    """

    failed = Signal(str)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._asked: QInputDialog | None = None
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self._on_about_to_show)

    def _on_about_to_show(self) -> None:
        menu, store = self, self._store
        menu.clear()
        dataset, columns, session = store.dataset, store.columns, store.session
        if dataset is None or columns is None:
            menu.addAction(self.tr("No data set is open")).setEnabled(False)
            return
        filtered = passing(store)
        filters = describe(session.filters)
        text = self.tr("Passing the filters")
        text = text if filtered is None else f"{text} ({int(np.count_nonzero(filtered)):,})"
        self._add(text, filtered, self.tr("filter ({})").format(filters) if filters else self.tr("filter"))
        self._add_of_active()
        pins = np.zeros(len(dataset), dtype=bool)
        pins[list(session.pins)] = True
        self._add(self.tr("Pinned structures ({})").format(len(session.pins)), pins if session.pins else None, "pins")
        missing = menu.addMenu(self.tr("Missing values of"))
        for name in columns.names(composition=False):
            compute = partial(sources.missing, columns[name])
            self._add_job(missing, name, compute, self.tr("{} missing").format(name))
        menu.addSeparator()
        pool = self.tr("of the selection") if session.selection.mask.any() else self.tr("of all")
        for text, slot in (
            (self.tr("Random ones {}…"), self._ask_random),
            (self.tr("Every k-th {}…"), self._ask_every),
            (self.tr("The most different {}…"), self._ask_spread),
        ):
            menu.addAction(text.format(pool)).triggered.connect(partial(slot))
        if self._rows() is None:
            menu.actions()[-1].setEnabled(False)
            menu.actions()[-1].setToolTip(self.tr("Needs features or a map"))

    def _add_of_active(self) -> None:
        """What the active structure shares with others."""
        menu, store = self, self._store
        dataset, columns, active = store.dataset, store.columns, store.active
        assert dataset is not None
        assert columns is not None
        menu.addSeparator()
        if active is None:
            menu.addAction(self.tr("No structure is active")).setEnabled(False)
            menu.addSeparator()
            return
        labels: Any = getattr(store.result("clusters"), "labels", None)
        name = str(columns["cluster"].values[active]) if "cluster" in columns else ""
        mine = labels == labels[active] if labels is not None and len(labels) == len(dataset) else None
        text = self.tr("Cluster of the active structure")
        origin = name if name.startswith("cluster") else self.tr("cluster {}").format(name or self.tr("noise"))
        self._add(f"{text} ({name})" if name else text, mine, origin)
        by = store.session.coloring.color_by
        column = columns.get(by)
        if column is not None and column.is_text and by != "cluster":
            value = str(column.values[active]) or self.tr("(missing)")
            text = self.tr("Same {} as the active structure ({})").format(by, _short(value))
            self._add_job(menu, text, partial(sources.same_value, column, active), f"{by} = {value}")
        formula = dataset.structures[active].formula
        text = self.tr("Same formula as the active structure ({})").format(_short(formula))
        self._add_job(menu, text, partial(sources.same_formula, dataset, active), formula)
        menu.addSeparator()

    def _add(self, text: str, mask: Mask | None, origin: str) -> None:
        """An entry whose structures are known; None: there are none to be had."""
        action = self.addAction(text.replace("&", "&&"))
        action.setEnabled(mask is not None)
        if mask is not None:
            action.triggered.connect(lambda *_: self._select(mask, origin))

    def _add_job(self, menu: QMenu, text: str, compute: Compute, origin: str) -> None:
        menu.addAction(text.replace("&", "&&")).triggered.connect(lambda *_: self._choose(compute, origin))

    def _select(self, mask: Mask, origin: str, how: Operation | None = None) -> None:
        how = how or operation("lasso", QGuiApplication.keyboardModifiers())
        if how is not None and len(mask) == len(self._store.session.selection):
            self._store.select(mask, how, origin)

    def _choose(self, compute: Compute, origin: str, how: Operation | None = None) -> None:
        """Work a mask out beside the window, then select it."""
        how = how or operation("lasso", QGuiApplication.keyboardModifiers())
        dataset = self._store.dataset

        def done(mask: Mask) -> None:
            if self._store.dataset is dataset:
                self._select(mask, origin, how)

        self._runner.submit(
            Job(
                key=f"{origin} {how}",
                slot=SLOT,
                title=self.tr("Select: {}").format(origin),
                compute=compute,
                done=done,
                failed=self._on_failed,
                lane="interactive",
                priority=5,
            )
        )

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self.failed.emit(str(error))

    def _pool(self) -> tuple[Mask, Operation]:
        """From what is sampled, and how the sample meets the selection."""
        mask = self._store.session.selection.mask
        return (mask, "intersect") if mask.any() else (np.ones(len(mask), dtype=bool), "replace")

    def _rows(self) -> Any:
        """Features in memory, else points of the map; None while there are neither."""
        features = self._store.result("features")
        if isinstance(features, Features):
            return features.per_structure()
        return getattr(self._store.result("map"), "points", None)

    def _ask(self, title: str, label: str, value: int, most: int, then: Callable[[int], None]) -> None:
        """A small dialog for a number that lets the window live."""
        dialog = QInputDialog(self.parentWidget())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setInputMode(QInputDialog.InputMode.IntInput)
        dialog.setWindowTitle(title)
        dialog.setLabelText(label)
        dialog.setIntRange(1, max(most, 1))
        dialog.setIntValue(min(value, max(most, 1)))
        dialog.intValueSelected.connect(then)
        self._asked = dialog
        dialog.open()

    def _ask_random(self, *_: object) -> None:
        most = int(np.count_nonzero(self._pool()[0]))
        self._ask(self.tr("Random structures"), self.tr("How many"), 100, most, self.select_random)

    def _ask_every(self, *_: object) -> None:
        most = int(np.count_nonzero(self._pool()[0]))
        self._ask(self.tr("Every k-th structure"), self.tr("k"), 10, most, self.select_every)

    def _ask_spread(self, *_: object) -> None:
        most = min(int(np.count_nonzero(self._pool()[0])), 2000)
        self._ask(self.tr("The most different structures"), self.tr("How many"), 20, most, self.select_spread)

    def select_random(self, count: int) -> None:
        """Random ones of the selection, or of all; the origin has the seed, so that they can be found again."""
        pool, how = self._pool()
        seed = int(np.random.default_rng().integers(1000))
        origin = self.tr("random {:,} (seed {})").format(count, seed)
        self._choose(lambda _progress: sources.random_of(pool, count, seed), origin, how)

    def select_every(self, step: int) -> None:
        """Every `step`-th of the selection, or of all."""
        pool, how = self._pool()
        self._choose(lambda _progress: sources.every(pool, step), self.tr("every {:,}th").format(step), how)

    def select_spread(self, count: int) -> None:
        """Structures of the selection, or of all, that are as different as can be."""
        pool, how = self._pool()
        rows = self._rows()
        if rows is not None and len(rows) == len(pool):
            origin = self.tr("{:,} most different").format(count)
            self._choose(lambda progress: sources.spread(rows, pool, count, progress), origin, how)


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"
