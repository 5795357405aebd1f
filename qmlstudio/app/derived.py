"""Columns that follow from results: how far each point of the map can be trusted."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject

from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Property

DISTORTION = "distortion"


class DerivedColumns(QObject):
    """Keeps the column "distortion" true to the first map's quality; other columns have makers of their own."""

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        store.results_changed.connect(self._on_store_results_changed)
        store.changed.connect(self._on_store_changed)

    def _on_store_results_changed(self, name: str) -> None:
        if name != "quality":
            return
        quality, dataset = self._store.result("quality"), self._store.dataset
        if quality is None or dataset is None or len(quality.distortion) != len(dataset):
            return
        text = self.tr("share of the {} nearest in the features that are not among the nearest on the map")
        values = np.asarray(quality.distortion, dtype=np.float64)
        self._store.set_derived(DISTORTION, Property(values, description=text.format(quality.distortion_k)))

    def _on_store_changed(self, names: frozenset[str]) -> None:
        # what another map's points were worth says nothing of the new one's
        if names & {"representation", "embedding"} and "dataset" not in names and not self._store.result_key("quality"):
            self._store.set_derived(DISTORTION, None)
