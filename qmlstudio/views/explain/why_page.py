"""The first page: the prediction, what it is a sum of, and the training structures that say so."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.explaining import Explainer
from qmlstudio.app.jobs import WARM_UP, Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.session.explanation import TEST, TRAIN, Explanation
from qmlstudio.views.explain.texts import decimals, label, number
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.gallery_pictures import SLICE_SECONDS, Look, Subject, pictures
from qmlstudio.widgets.lasso import operation
from qmlstudio.widgets.neighbor_list import NeighborList, NeighborRow
from qmlstudio.widgets.waterfall import Step, Waterfall

MOST_LISTED = 60
MOST_STEPS = 8
STEPS_HEIGHT = 200
SLOT = "pictures of training structures"
_BATCH = 40
_PRIORITY = WARM_UP // 2


class WhyPage(QWidget):
    """Shows an :class:`Explanation`; a click goes to a training structure, Ctrl+click pins it."""

    def __init__(self, store: Store, runner: JobRunner, explainer: Explainer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._runner, self._explainer = store, runner, explainer
        self.redraws = 0
        self._make()
        self._lay_out()
        self._connect()
        self.show_explanation()

    # -- building

    def _make(self) -> None:
        self.headline = label()
        font = self.headline.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.headline.setFont(font)
        self.truth, self.domain, self.sum = label(), label(), label()
        self.sum.setToolTip(self.tr("The constant and all contributions, added up: it must give the prediction"))
        self._chords = QCheckBox(self.tr("Lines on the map"))
        self._chords.setToolTip(
            self.tr("From the active structure to those that matter most: solid lines raise, dashed ones lower")
        )
        self._atoms = QCheckBox(self.tr("Paint the atoms"))
        self._numbers = QCheckBox(self.tr("Numbers"))
        self._numbers.setToolTip(self.tr("Write what each atom adds beside it in the structure view"))
        self._select = QPushButton(self.tr("Select these"))
        self._select.setToolTip(
            self.tr("The training structures that are listed; Shift adds, Alt subtracts, Ctrl intersects")
        )
        self._by = QComboBox()
        self._by.setAccessibleName(self.tr("Parts of the sum"))
        self._by.setToolTip(self.tr("What the sum is shown by"))
        self._by.addItem(self.tr("by training structure"), "structures")
        self._by.addItem(self.tr("by atom"), "atoms")
        self.waterfall = Waterfall()
        self.list = NeighborList(self.tr("Training structures by what they add"))

    def _lay_out(self) -> None:
        steps = QScrollArea()
        steps.setWidget(self.waterfall)
        steps.setWidgetResizable(True)
        steps.setFrameShape(QScrollArea.Shape.NoFrame)
        steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        steps.setMinimumHeight(60)
        self._steps = steps
        top = QVBoxLayout()
        top.setContentsMargins(6, 4, 6, 2)
        top.setSpacing(3)
        for text in (self.headline, self.truth, self.domain, self.sum):
            top.addWidget(text)
        buttons = FlowLayout(gap=4)
        for button in (self._chords, self._atoms, self._numbers, self._select):
            buttons.addWidget(button)
        top.addLayout(buttons)
        row = QHBoxLayout()
        row.addWidget(self._by, 1)
        top.addLayout(row)
        head = QWidget()
        head.setLayout(top)
        self._divider = QSplitter(Qt.Orientation.Vertical)
        self._divider.addWidget(steps)
        self._divider.addWidget(self.list)
        self._divider.setChildrenCollapsible(False)
        self._divider.setStretchFactor(0, 0)
        self._divider.setStretchFactor(1, 1)
        self._divider.setSizes([STEPS_HEIGHT, 400])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(head)
        layout.addWidget(self._divider, 1)

    def _connect(self) -> None:
        store, explainer = self._store, self._explainer
        explainer.explained.connect(self.show_explanation)
        explainer.left_out_changed.connect(self._show_rows)
        explainer.reliability_changed.connect(self._show_head)
        for box in (self._chords, self._atoms, self._numbers):
            box.toggled.connect(self._on_box_toggled)
        self._by.activated.connect(self._show_steps)
        self._select.clicked.connect(self._on_select_clicked)
        self.waterfall.chosen.connect(self._on_waterfall_chosen)
        self.waterfall.hovered.connect(self._on_waterfall_hovered)
        self.list.chosen.connect(self._on_list_chosen)
        self.list.hovered.connect(store.hover)
        self.list.wanted.connect(self._on_list_wanted)
        store.hovered.connect(self.list.set_hovered)
        store.changed.connect(self._on_store_changed)

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.list.set_dark(dark)
        self.waterfall.set_dark(dark)
        # the picture of the bars is as high as they are; the rest of its room has their ground
        self._steps.setStyleSheet(f"QScrollArea {{ background: {self.list.colors.background}; }}")

    # -- showing

    def show_explanation(self, _found: Any = None) -> None:
        """Show what the explainer has."""
        self.redraws += 1
        found = self._explainer.explanation
        self._show_head()
        self._show_boxes()
        has_sum = found is not None and len(found.contributions) > 0
        self._by.setVisible(found is not None and found.atoms is not None)
        self._divider.setVisible(has_sum)
        self.sum.setVisible(has_sum)
        if found is not None and found.atoms is None:
            self._by.setCurrentIndex(0)
        self._show_steps()
        self._show_rows()

    def _show_head(self) -> None:
        found = self._explainer.explanation
        for text in (self.headline, self.truth, self.domain):
            text.setVisible(found is not None)
        if found is None:
            return
        shelf = found.ground.shelf
        spread = found.deviation if found.deviation else abs(found.truth - found.prediction)
        places = decimals(spread if np.isfinite(spread) and spread > 0 else found.prediction, 2)
        value = number(found.prediction, places)
        if found.deviation is not None:
            value += f" ± {number(found.deviation, places)}"
        # word joiners keep a unit in one line
        unit = shelf.unit.replace("/", "\u2060/\u2060")
        self.headline.setText(f"{shelf.target} = {value} {unit}".rstrip())
        lines = []
        if np.isfinite(found.truth):
            error = found.prediction - found.truth
            line = self.tr("true {} · error {}").format(number(found.truth, places), number(error, places, sign=True))
            if found.deviation:
                line += self.tr(" = {} σ").format(number(error / found.deviation, 1, sign=True))
            lines.append(line)
        trust = self._explainer.reliability
        scale = found.deviation if trust is not None and trust.scale == "deviation" else found.distance
        interval = None if trust is None or found.role == TRAIN else trust.interval(0.9, scale)
        if interval is not None and np.isfinite(interval.width):
            half = float(interval.half_widths(1, None if scale is None else np.array([scale]))[0])
            low, high = number(found.prediction - half, places), number(found.prediction + half, places)
            lines.append(self.tr("90 % interval (conformal): {} … {}").format(low, high))
        self.truth.setText("\n".join(lines))
        self.truth.setVisible(bool(lines))
        self.domain.setText(self._domain_text(found))
        self._show_sum(found, decimals(max(abs(found.prediction), abs(found.constant)), 7))

    def _domain_text(self, found: Explanation) -> str:
        if found.role == TRAIN:
            return self.tr("● In the training set: the model has seen this value.")
        what = self.tr("held out") if found.role == TEST else self.tr("new to the model")
        if found.distance is None or found.domain is None:
            return self.tr("○ {}").format(what)
        near, limit = f"{found.distance:.3g}", f"{found.domain:.3g}"
        if found.is_outside:
            return self.tr("⚠ Outside the domain ({}): distance to training {}, domain ends at {}.").format(
                what, near, limit
            )
        return self.tr("✓ Inside the domain ({}): distance to training {} of {}.").format(what, near, limit)

    def _show_sum(self, found: Explanation, places: int) -> None:
        names = {
            "mean": self.tr("mean"),
            "dressed atoms": self.tr("dressed atoms"),
            "baseline": self._explainer.model.task.baseline if self._explainer.model is not None else "",
            "prediction": self.tr("prediction"),
        }
        parts = [f"{number(p.value, places, sign=True)} ({names[p.kind]})" for p in found.parts if p.value]
        total = float(found.contributions.sum())
        count = self.tr("{:,} training structures").format(len(found.contributions))
        parts.append(f"{number(total, places, sign=True)} ({count})")
        if found.atoms is not None:
            atoms = self.tr("{:,} atoms").format(len(found.atoms))
            parts[-1] += self.tr("\n   of which each atom has its part: Σ over {} = {}").format(
                atoms, number(float(found.atoms.sum()), places, sign=True)
            )
        gap = abs(found.total - found.prediction)
        right = gap <= 1e-6 * max(1.0, abs(found.prediction))
        sign = "✓" if right else self.tr("⚠ off by {:.1e}").format(gap)
        text = "\n".join(parts).lstrip("+")
        self.sum.setText(f"{text}\n= {number(found.prediction, places)} {sign}")

    def _show_boxes(self) -> None:
        explainer, found = self._explainer, self._explainer.explanation
        for box, on in (
            (self._chords, explainer.chords),
            (self._atoms, explainer.atoms),
            (self._numbers, explainer.numbers),
        ):
            with QSignalBlocker(box):
                box.setChecked(on)
        has_atoms = found is not None and found.atoms is not None
        self._atoms.setEnabled(has_atoms)
        self._numbers.setEnabled(has_atoms and explainer.atoms)
        self._atoms.setToolTip(
            self.tr("Colour each atom of the structure view by what it adds to the prediction")
            if has_atoms
            else self.tr("Only kernels that sum over atoms say what an atom adds: fit with “sum over atoms”")
        )
        known = found is not None and bool(len(found.carriers))
        self._chords.setEnabled(known)
        self._select.setEnabled(known)

    def _show_steps(self, _place: int = 0) -> None:
        found = self._explainer.explanation
        if found is None or not len(found.contributions):
            self.waterfall.set_steps(("", 0.0, ""), [], ("", ""))
            return
        by_atom = self._by.currentData() == "atoms" and found.atoms is not None
        values = found.atoms if by_atom and found.atoms is not None else found.contributions
        order = np.argsort(-np.abs(values), kind="stable")
        shown = order[:MOST_STEPS] if len(order) > MOST_STEPS + 1 else order
        places = decimals(float(np.abs(values).max()), 3)
        steps = []
        for j in shown.tolist():
            name, index = self._atom_name(found, j) if by_atom else self._carrier(found, j)
            value = float(values[j])
            text = number(value, places, sign=True)
            steps.append(Step(name, value, text, index, f"{name}: {text} {found.ground.shelf.unit}"))
        rest = float(values.sum()) - float(values[shown].sum())
        if len(shown) < len(values):
            name = self.tr("{:,} others").format(len(values) - len(shown))
            steps.append(Step(name, rest, number(rest, places, sign=True)))
        start = (self.tr("constant"), found.constant, number(found.constant, places))
        mark = (found.truth, self.tr("true")) if np.isfinite(found.truth) else None
        self.waterfall.set_steps(start, steps, (self.tr("prediction"), number(found.prediction, places)), mark)

    def _atom_name(self, found: Explanation, atom: int) -> tuple[str, int]:
        dataset = self._store.dataset
        assert dataset is not None
        return f"{SYMBOLS[int(dataset.structures[found.index].numbers[atom])]}{atom + 1}", atom

    def _carrier(self, found: Explanation, place: int) -> tuple[str, int]:
        carriers = found.ground.carriers
        if not len(carriers):
            return self.tr("training structure {:,}").format(place + 1), -1
        index = int(carriers[place])
        return self._name(index), index

    def _show_rows(self) -> None:
        found = self._explainer.explanation
        active = self._store.active
        self.list.set_marks(-1 if active is None else active, frozenset(self._store.session.pins))
        if found is None or not len(found.carriers):
            self.list.set_rows([])
            return
        shelf, errors = found.ground.shelf, self._explainer.left_out
        places = decimals(float(np.abs(found.contributions).max()), 3)
        head = self.tr("{:,} training structures, as if {:,.0f} weighed alike").format(
            len(found.contributions), found.effective
        )
        tip = self.tr("Ranked by |α k|: weight times similarity, in the unit of the property")
        whole = float(np.abs(found.contributions).sum())
        if whole > 20 * abs(float(found.contributions.sum())):
            tip += self.tr(
                "\nLarge parts of opposite sign nearly cancel, as they do with smooth kernels: read them together."
            )
        rows = [NeighborRow(-1, head, tip=tip)]
        for rank, (place, index) in enumerate(
            zip(found.order[:MOST_LISTED].tolist(), found.carriers[:MOST_LISTED].tolist(), strict=True)
        ):
            value, truth = float(found.contributions[place]), float(found.ground.truth(np.array([index]))[0])
            sign = "▲" if value >= 0 else "▼"
            text = number(truth, decimals(truth, 4))
            if errors is not None and place < len(errors) and np.isfinite(errors[place]):
                error = float(errors[place])
                text += self.tr(" (left out {})").format(number(error, decimals(error, 2), sign=True))
            name = self._name(index)
            rows.append(
                NeighborRow(
                    index,
                    name,
                    str(rank + 1),
                    f"{sign} {number(value, places, sign=True)}",
                    "warn" if value >= 0 else "plain",
                    self.tr("similarity {:.3f}").format(found.similarities[place]).replace("nan", "–"),
                    "",
                    text,
                    self.tr(
                        "{}\nadds {} {} to the prediction; below stands its true value\n"
                        "left out: by how much the model would miss its value had it "
                        "not been learned from\nClick goes there, Ctrl+click pins"
                    ).format(name, number(value, places, sign=True), shelf.unit),
                )
            )
        self.list.set_rows(rows)

    def _name(self, index: int) -> str:
        dataset = self._store.dataset
        return str(dataset.identifiers[index]) if dataset is not None and index < len(dataset) else str(index + 1)

    # -- a person

    def _on_box_toggled(self, _on: bool) -> None:
        self._explainer.set_shown(self._chords.isChecked(), self._atoms.isChecked(), self._numbers.isChecked())
        self._show_boxes()

    def _on_select_clicked(self) -> None:
        found = self._explainer.explanation
        if found is None:
            return
        how = operation("lasso", QGuiApplication.keyboardModifiers())
        mask = np.zeros(len(self._store.session.selection), dtype=bool)
        mask[found.carriers[:MOST_LISTED]] = True
        self._store.select(mask, how or "replace", self.tr("why {}").format(self._name(found.index)))

    def _on_waterfall_chosen(self, index: int) -> None:
        if self._by.currentData() == "structures":
            self._store.set_active(index)
        else:
            self._store.pick((index,))

    def _on_waterfall_hovered(self, index: int) -> None:
        if self._by.currentData() == "structures":
            self._store.hover(index)
        else:
            self._store.hover_atoms((index,) if index >= 0 else ())

    def _on_list_chosen(self, index: int, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self._store.toggle_pin(index)
        else:
            self._store.set_active(index)

    # -- pictures

    def _on_list_wanted(self, indices: list[int]) -> None:
        dataset = self._store.dataset
        if dataset is None:
            return
        look, smiles = self.list.look, dataset.smiles
        chosen = [i for i in indices[:_BATCH] if i < len(dataset)]
        subjects = [Subject(i, dataset.structures[i], "" if smiles is None else str(smiles[i])) for i in chosen]
        self._runner.submit(
            Job(
                key=f"{SLOT} {dataset.fingerprint} {look} {chosen}",
                slot=SLOT,
                title=self.tr("Pictures of training structures"),
                compute=partial(pictures, subjects, look, SLICE_SECONDS),
                done=partial(self._on_pictures, dataset, look),
                failed=partial(self._on_pictures_failed, chosen, look),
                lane="interactive",
                priority=_PRIORITY,
                conflate=True,
            )
        )

    def _on_pictures(self, dataset: Dataset, look: Look, made: list[tuple[int, Any]]) -> None:
        if dataset is self._store.dataset:
            for index, image in made:
                self.list.put(index, look, image)

    def _on_pictures_failed(self, indices: list[int], look: Look, _error: BaseException, _details: str) -> None:
        # the first one may be to blame: without a picture, the others have their turn
        self.list.put(indices[0], look, None)

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.list.forget_pictures()
        if names & {"pins", "selection"}:
            active = self._store.active
            self.list.set_marks(-1 if active is None else active, frozenset(self._store.session.pins))
