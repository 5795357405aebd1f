"""The two structures of a chosen pair, one laid over the other in 3D."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.chem.structures import Structure
from qmlstudio.chem.superpose import Overlay, overlay
from qmlstudio.progress import Progress
from qmlstudio.widgets.molecule import MoleculeCanvas
from qmlstudio.widgets.molecule_scene import Appearance, element_colors
from qmlstudio.widgets.theme import rgb, theme

SLOT = "kernel pair"
TINT = 0.75
"""How far the second structure's colours are drawn towards that of pinned structures."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Both structures as one, and how the second lies on the first."""

    found: Overlay
    numbers: NDArray[Any]
    positions: NDArray[np.float64]
    pairs: NDArray[np.int64]
    orders: NDArray[np.float64]
    first: int


class PairOverlay(QWidget):
    """Hidden until a pair is shown.

    Signals
    -------
    closed()
    """

    closed = Signal()

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner = store, runner
        self._dark = False
        self._pair: tuple[int, int] | None = None
        self._drawn: Drawn | None = None
        self.canvas = MoleculeCanvas()
        self.canvas.setAccessibleName(self.tr("Two structures laid over each other"))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        # the matrix above has the larger share, whatever size either would like
        for widget in (self, self.canvas):
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setAutoRaise(True)
        self._close.setToolTip(self.tr("Close the pair"))
        self._close.setAccessibleName(self._close.toolTip())
        row = QHBoxLayout()
        row.setContentsMargins(6, 0, 2, 0)
        row.addWidget(self.words, 1)
        row.addWidget(self._close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.canvas, 1)
        self._close.clicked.connect(self._on_close_clicked)
        store.changed.connect(self._on_store_changed)
        self.setVisible(False)

    @property
    def pair(self) -> tuple[int, int] | None:
        """What is shown, or about to be."""
        return self._pair

    @property
    def drawn(self) -> Drawn | None:
        """What is on the screen."""
        return self._drawn

    def show_pair(self, first: int, second: int) -> None:
        """Lay the second structure over the first."""
        dataset = self._store.dataset
        if dataset is None or first == second:
            return
        self._pair = (first, second)
        self.setVisible(True)
        self._runner.submit(
            Job(
                key=f"{SLOT} {dataset.fingerprint} {first} {second}",
                slot=SLOT,
                title=self.tr("Two structures laid over each other"),
                compute=partial(_draw, dataset.structures[first], dataset.structures[second]),
                done=partial(self._on_drawn, (first, second)),
                failed=self._on_failed,
                lane="interactive",
                priority=-5,
            )
        )

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.canvas.set_appearance(Appearance(style="sticks", dark=dark))
        self._tint()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # painted: a second OpenGL surface costs a third of a second
        self.canvas.start("painter")

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._runner.cancel(SLOT)

    def _on_close_clicked(self) -> None:
        self._forget()
        self.closed.emit()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._forget()

    def _forget(self) -> None:
        self._pair, self._drawn = None, None
        self.setVisible(False)

    def _on_drawn(self, pair: tuple[int, int], drawn: Drawn) -> None:
        dataset = self._store.dataset
        if pair != self._pair or dataset is None:
            return
        self._drawn = drawn
        self.canvas.set_structure(drawn.numbers, drawn.positions, (drawn.pairs, drawn.orders))
        self._tint()
        names = [str(dataset.identifiers[i]) for i in pair]
        text = self.tr("{} in its elements' colours, {} in blue").format(*names)
        if len(drawn.found.pairs):
            rmsd = self.tr("RMSD {:.2f} Å of {} matched atoms")
            text += ": " + rmsd.format(drawn.found.superposition.rmsd, len(drawn.found.pairs))
        else:
            text += ": " + self.tr("no element in common")
        self.words.setText(text)

    def _on_failed(self, error: BaseException, _details: str) -> None:
        self._drawn = None
        self.canvas.set_structure([], np.zeros((0, 3)))
        self.words.setText(self.tr("⚠ {}").format(error))

    def _tint(self) -> None:
        drawn = self._drawn
        if drawn is None:
            return
        colors = element_colors(drawn.numbers).copy()
        pin = np.array(rgb(theme(self._dark).pin), dtype=np.float32) / 255
        colors[drawn.first :] += TINT * (pin - colors[drawn.first :])
        self.canvas.set_atom_colors(colors)


def _draw(first: Structure, second: Structure, progress: Progress) -> Drawn:
    found = overlay(first.numbers, first.positions, second.numbers, second.positions, progress)
    pairs, orders, shift = [], [], 0
    for structure in (first, second):
        progress.check()
        # without the cell: bonds across its faces would be drawn through the other structure
        bonds = perceive_bonds(structure.numbers, structure.positions)
        pairs.append(np.asarray(bonds.pairs, dtype=np.int64).reshape(-1, 2) + shift)
        orders.append(np.asarray(bonds.orders, dtype=np.float64).reshape(-1))
        shift += len(structure.numbers)
    return Drawn(
        found,
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.positions, found.superposition.apply(second.positions)]),
        np.concatenate(pairs),
        np.concatenate(orders),
        len(first.numbers),
    )
