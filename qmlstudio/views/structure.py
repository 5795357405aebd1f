"""The structure panel: the active structure in 3D, measurements, frames, and the tray of pinned structures."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.pipeline import HEAD_START
from qmlstudio.app.store import Store
from qmlstudio.chem.bonds import Bonds, perceive_bonds
from qmlstudio.chem.geometry import measure
from qmlstudio.chem.structures import Structure
from qmlstudio.progress import Progress
from qmlstudio.widgets.molecule import MoleculeCanvas
from qmlstudio.widgets.molecule_scene import Appearance
from qmlstudio.widgets.play_bar import PlayBar

RDKIT = "rdkit.Chem.rdDetermineBonds"
DIRECT_ATOMS = 80
"""Up to this many atoms bonds are perceived at once (milliseconds), above it in a job."""


class StructureView(QWidget):
    """Follows the store's active structure, look, pins and lit atoms; tells it the picked atoms.

    Signals
    -------
    context_menu_requested(global position, atom or -1)
    """

    context_menu_requested = Signal(QPoint, int)

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self.redraws = 0
        self._shown: tuple[str, int] | None = None
        self._numbers = np.zeros(0, dtype=np.uint8)
        self._title = QLabel()
        self._title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._measure = QLabel()
        self._measure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._hint = self.tr("Click atoms to measure: 2 distance, 3 angle, 4 dihedral")
        self.canvas = MoleculeCanvas()
        self.play_bar = PlayBar()
        self._styles = QButtonGroup(self)
        top = QHBoxLayout()
        top.setContentsMargins(6, 4, 6, 0)
        top.addWidget(self._title, 1)
        for key, (value, text, tip) in enumerate(
            (
                ("ball_and_stick", self.tr("Ball"), self.tr("Ball and stick (1)")),
                ("spacefill", self.tr("Fill"), self.tr("Spacefill (2)")),
                ("sticks", self.tr("Stick"), self.tr("Sticks (3)")),
            )
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setProperty("style_value", value)
            self._styles.addButton(button, key)
            top.addWidget(button)
        self._pins = QHBoxLayout()
        self._pins.setContentsMargins(6, 0, 6, 0)
        self._pins.addStretch()
        tray = QWidget()
        tray.setLayout(self._pins)
        self._tray = QScrollArea()
        self._tray.setWidget(tray)
        self._tray.setWidgetResizable(True)
        self._tray.setFrameShape(QScrollArea.Shape.NoFrame)
        self._tray.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._tray.setFixedHeight(40)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(6, 0, 6, 4)
        bottom.addWidget(self._measure, 1)
        self._note = QLabel()
        self._note.setVisible(False)
        bottom.addWidget(self._note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(top)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self._tray)
        layout.addWidget(self.play_bar)
        layout.addLayout(bottom)
        self.play_bar.setVisible(False)
        self._tray.setVisible(False)
        self._styles.buttonClicked.connect(self._on_styles_button_clicked)
        self.play_bar.frame_changed.connect(self._on_play_bar_frame_changed)
        self.canvas.picked_changed.connect(self._on_canvas_picked_changed)
        self.canvas.atom_hovered.connect(self._on_canvas_atom_hovered)
        self.canvas.measure_pinned.connect(self._on_canvas_measure_pinned)
        self.canvas.appearance_changed.connect(self._on_canvas_appearance_changed)
        self.canvas.camera_changed.connect(self._on_canvas_camera_changed)
        self.canvas.play_command.connect(self.play_bar.run_command)
        self.canvas.backend_changed.connect(self._on_canvas_backend_changed)
        self.canvas.context_menu_requested.connect(self.context_menu_requested)
        store.changed.connect(self._on_store_changed)
        store.atoms_hovered.connect(self._on_store_atoms_hovered)
        store.atom_values_changed.connect(self._show_atom_values)
        store.picked_changed.connect(self._on_store_picked_changed)
        self._show_look()
        self._show_structure()

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) the viewer's right, up and towards-the-viewer axes in rows."""
        return np.asarray(self.canvas.camera.matrix)

    def start(self) -> None:
        """Make the drawing surface (after the window's first paint: it costs a third of a second)."""
        self.canvas.start()

    def stop(self) -> None:
        """Free the drawing surface before the application ends."""
        self.play_bar.pause()
        self.canvas.stop()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.canvas.set_dark(dark)

    # -- the store

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if names & {"selection", "dataset"}:
            self._show_structure()
        if names & {"pins", "dataset", "selection"}:
            self._show_pins()
        if "structure_look" in names:
            self._show_look()
        if "measurements" in names:
            self.canvas.set_pinned_measures(self._store.session.measurements)
            self._show_measurement()

    def _on_store_atoms_hovered(self, atoms: tuple[int, ...]) -> None:
        self.canvas.set_highlight(atoms)

    def _on_store_picked_changed(self, atoms: tuple[int, ...]) -> None:
        self.canvas.set_picked(list(atoms))
        self._show_measurement()

    def _structure(self) -> Structure | None:
        dataset, active = self._store.dataset, self._store.active
        return None if dataset is None or active is None else dataset.structures[active]

    def _show_structure(self) -> None:
        dataset, active = self._store.dataset, self._store.active
        now = None if dataset is None or active is None else (dataset.fingerprint, active)
        if now == self._shown:
            return
        before, self._shown = self._shown, now
        self.redraws += 1
        self.play_bar.setVisible(bool(dataset and dataset.ordered and len(dataset) > 1))
        if dataset is None or active is None:
            self._title.clear()
            self.canvas.set_structure([], np.zeros((0, 3)))
            self._show_measurement()
            return
        structure = dataset.structures[active]
        identifier = str(dataset.identifiers[active])
        self._title.setText(f"<b>{identifier}</b>  {structure.formula}")
        if dataset.ordered:
            # another count stops it, another frame sets its clock anew: not for the frames that it plays itself
            if before is None or before[0] != dataset.fingerprint:
                self.play_bar.set_count(len(dataset))
            if self.play_bar.frame != active:
                self.play_bar.set_frame(active)
        frames = before is not None and before[0] == dataset.fingerprint and dataset.ordered
        self._draw(structure, keep_camera=frames)
        self._show_measurement()

    def _draw(self, structure: Structure, keep_camera: bool) -> None:
        if keep_camera and np.array_equal(structure.numbers, self._numbers):
            self.canvas.set_positions(structure.positions, structure.cell)
        # RDKit's import takes longer than a click may: until the warm-up has brought it in, bonds come from a job
        if len(structure) <= DIRECT_ATOMS and RDKIT in sys.modules:
            self._runner.cancel("bonds")
            self._set(structure, keep_camera, perceive_bonds(structure.numbers, structure.positions, structure.cell))
            return
        if not keep_camera:
            self._set(structure, False, None)
        self._runner.submit(
            Job(
                key=f"bonds {self._shown}",
                slot="bonds",
                title=self.tr("Bonds"),
                compute=partial(_bonds, structure),
                done=partial(self._on_bonds_done, structure),
                lane="interactive",
                conflate=keep_camera,
            )
        )

    def _on_bonds_done(self, structure: Structure, bonds: Bonds) -> None:
        # only the bonds: by now another frame of the same atoms may be on screen
        if np.array_equal(structure.numbers, self._numbers):
            self.canvas.set_bonds((bonds.pairs, bonds.orders))

    def _set(self, structure: Structure, keep_camera: bool, bonds: Bonds | None) -> None:
        self._numbers = structure.numbers
        pair = None if bonds is None else (bonds.pairs, bonds.orders)
        self.canvas.set_structure(structure.numbers, structure.positions, pair, structure.cell, keep_camera=keep_camera)
        self.canvas.set_picked(list(self._store.picked))
        self.canvas.set_pinned_measures(self._store.session.measurements)
        self._show_atom_values()

    def _show_atom_values(self) -> None:
        """Numbers of the shown structure's atoms as colours; those of another one, or too many or few, are left."""
        found = self._store.atom_values
        here = found is not None and self._shown is not None and found[0] == self._shown[1]
        fits = found is not None and here and len(found[1].values) == len(self._numbers)
        self.canvas.set_atom_values(found[1] if found is not None and fits else None)

    def _show_look(self) -> None:
        look = self._store.session.structure_look
        shown = replace(
            self.canvas.appearance,
            style=look.style,
            hydrogens=look.hydrogens,
            labels=look.labels,
            cell=look.cell,
        )
        self.canvas.set_appearance(shown)
        self.canvas.set_projection(look.projection)
        for button in self._styles.buttons():
            button.setChecked(button.property("style_value") == look.style)

    def _show_measurement(self) -> None:
        structure = self._structure()
        picked = self._store.picked
        texts = []
        if structure is not None:
            n = len(structure)
            for atoms in (*self._store.session.measurements, picked):
                if 2 <= len(atoms) <= 4 and max(atoms) < n:
                    m = measure(structure.positions, atoms, structure.cell)
                    names = "–".join(f"{structure.symbols[a]}{a + 1}" for a in atoms)
                    texts.append(f"{names}: {m}")
            if len(picked) == 1 and picked[0] < n:
                x, y, z = structure.positions[picked[0]]
                texts.append(f"{structure.symbols[picked[0]]}{picked[0] + 1} ({x:.4f}, {y:.4f}, {z:.4f}) Å")
        self._measure.setText("   ".join(texts) or (self._hint if structure is not None else ""))

    def _show_pins(self) -> None:
        pins, dataset = self._store.session.pins, self._store.dataset
        while self._pins.count() > 1:
            item = self._pins.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        self._tray.setVisible(bool(pins) and dataset is not None)
        if dataset is None:
            return
        for number, index in enumerate(pins, 1):
            button = QToolButton()
            button.setText(f"{number}  {dataset.identifiers[index]}")
            button.setToolTip(
                self.tr("{}: click shows it, middle click unpins it").format(dataset.structures[index].formula)
            )
            button.setCheckable(True)
            button.setChecked(index == self._store.active)
            button.clicked.connect(partial(self._on_pin_clicked, index))
            close = QToolButton()
            close.setText("✕")
            close.setAutoRaise(True)
            close.setToolTip(self.tr("Unpin"))
            close.clicked.connect(partial(self._on_unpin_clicked, index))
            box = QWidget()
            inner = QHBoxLayout(box)
            inner.setContentsMargins(0, 0, 0, 0)
            inner.setSpacing(0)
            inner.addWidget(button)
            inner.addWidget(close)
            self._pins.insertWidget(self._pins.count() - 1, box)

    # -- the user

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_P and not event.modifiers() and self._store.active is not None:
            self._store.toggle_pin(self._store.active)
        else:
            super().keyPressEvent(event)

    def _on_pin_clicked(self, index: int) -> None:
        self._store.set_active(index)

    def _on_unpin_clicked(self, index: int) -> None:
        self._store.toggle_pin(index)

    def _on_styles_button_clicked(self, button: QToolButton) -> None:
        self._set_look(style=button.property("style_value"))

    def _on_canvas_appearance_changed(self, a: Appearance) -> None:
        self._set_look(style=a.style, hydrogens=a.hydrogens, labels=a.labels, cell=a.cell)

    def _on_canvas_camera_changed(self, camera: dict[str, Any]) -> None:
        if camera["projection"] != self._store.session.structure_look.projection:
            self._set_look(projection=camera["projection"])

    def _on_canvas_backend_changed(self, _backend: str, note: str) -> None:
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _set_look(self, **values: Any) -> None:
        look = self._store.session.structure_look.with_values(**values)
        self._store.update(self.tr("look of the structure"), structure_look=look)

    def _on_play_bar_frame_changed(self, frame: int) -> None:
        self._store.set_active(frame)

    def _on_canvas_picked_changed(self, atoms: list[int]) -> None:
        self._store.pick(tuple(atoms))

    def _on_canvas_atom_hovered(self, atom: int) -> None:
        self._store.hover_atoms((atom,) if atom >= 0 else ())

    def _on_canvas_measure_pinned(self, atoms: list[int]) -> None:
        if 2 <= len(atoms) <= 4:
            old, new = self._store.session.measurements, tuple(int(a) for a in atoms)
            kept = tuple(m for m in old if m != new) if new in old else (*old, new)
            self._store.update(self.tr("measurement"), measurements=kept)


def _bonds(structure: Structure, progress: Progress) -> Bonds:
    progress.check()
    if RDKIT not in sys.modules:
        time.sleep(HEAD_START)
    return perceive_bonds(np.array(structure.numbers), np.array(structure.positions), structure.cell)
