"""The page of fitted models: which there are, and what can be done with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.model_work import ModelWork
from qmlstudio.learning.models.files import SUFFIX
from qmlstudio.session.shelf_model import ShelfModel
from qmlstudio.views.learning.fields import ModelList
from qmlstudio.views.learning.predict import PredictDialog
from qmlstudio.widgets.theme import theme

NAME, REPRESENTATION, N, MAE, DATE = range(5)


class ModelsPage(QWidget):
    """The shelf as a list; the marked model is the one that other panels mean."""

    def __init__(self, work: ModelWork, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._dark = False
        self.folder = ""
        self._dialog: PredictDialog | None = None
        self.list = ModelList()
        self.list.setAccessibleName(self.tr("Fitted models"))
        self.list.setToolTip(self.tr("Fitted models: F2 or a double click renames, Del removes from the list"))
        self.list.setRootIsDecorated(False)
        self.list.setAlternatingRowColors(True)
        self.list.setUniformRowHeights(True)
        self.list.setHeaderLabels(
            [self.tr("Model"), self.tr("Representation"), self.tr("N"), self.tr("MAE"), self.tr("Made")]
        )
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for k in (REPRESENTATION, N, MAE, DATE):
            header.setSectionResizeMode(k, QHeaderView.ResizeMode.ResizeToContents)
        self._detail = QLabel()
        self._detail.setWordWrap(True)
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._detail.setContentsMargins(6, 0, 6, 2)
        self._detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._make_tools()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._detail)
        self.list.deleted.connect(self._on_remove_clicked)
        self.list.currentItemChanged.connect(self._on_list_current_item_changed)
        self.list.itemChanged.connect(self._on_list_item_changed)
        work.shelf.changed.connect(self.refresh)
        work.shelf.current_changed.connect(self.refresh)
        self.refresh()

    def _make_tools(self) -> None:
        def button(text: str, tip: str) -> QPushButton:
            made = QPushButton(text)
            made.setToolTip(tip)
            return made

        self.open = button(self.tr("Open…"), self.tr("Read a model's file (.qmlm)"))
        self.save = button(self.tr("Save…"), self.tr("Write the marked model to a file (.qmlm)"))
        self.apply = button(
            self.tr("Apply to the data set"),
            self.tr("Predict every structure: the answers become columns, with ± σ and errors where there are any"),
        )
        self.predict = button(self.tr("Predict…"), self.tr("Predict molecules that you type or paste: SMILES or xyz"))
        self.remove = button(self.tr("Remove"), self.tr("Take the marked model from the list (Del); files stay"))
        self.tools: list[QWidget] = [self.apply, self.predict, self.save, self.open, self.remove]
        self.open.clicked.connect(self.ask_to_open)
        self.save.clicked.connect(self._on_save_clicked)
        self.apply.clicked.connect(self._on_apply_clicked)
        self.predict.clicked.connect(self.ask_to_predict)
        self.remove.clicked.connect(self._on_remove_clicked)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self._detail.setStyleSheet(f"color: {theme(dark).muted}")
        if self._dialog is not None:
            self._dialog.set_dark(dark)

    @property
    def current(self) -> ShelfModel | None:
        """The marked model."""
        return self._work.shelf.current

    def ask_to_open(self) -> None:
        """Ask for a model's file."""
        text = self.tr("Models (*{})").format(SUFFIX)
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Open a model"), self.folder, text)
        if path:
            self.folder = str(Path(path).parent)
            self._work.load(path)

    def ask_to_predict(self) -> None:
        """Ask for molecules to predict; nothing happens without a model."""
        if self.current is None:
            return
        if self._dialog is None:
            self._dialog = PredictDialog(self._work, self)
            self._dialog.set_dark(self._dark)
        self._dialog.show_model(self.current)
        self._dialog.show()
        self._dialog.raise_()

    @property
    def dialog(self) -> PredictDialog | None:
        """The dialog for typed molecules, once it was asked for."""
        return self._dialog

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # names must be read: what the tooltip says too makes way
        self.list.setColumnHidden(REPRESENTATION, self.width() < 560)
        self.list.setColumnHidden(DATE, self.width() < 460)

    # -- the shelf

    def refresh(self, *_: object) -> None:
        """Follow the shelf."""
        shelf = self._work.shelf
        with QSignalBlocker(self.list):
            self.list.clear()
            for model in shelf.models:
                item = QTreeWidgetItem(self._texts(model))
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                for k in (N, MAE):
                    item.setTextAlignment(k, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                for k in range(5):
                    item.setToolTip(k, f"{model.name}\n{model.note}".strip())
                self.list.addTopLevelItem(item)
                if model is shelf.current:
                    self.list.setCurrentItem(item)
        self._show_detail()
        for tool in (self.save, self.apply, self.predict, self.remove):
            tool.setEnabled(shelf.current is not None)
        if self._dialog is not None and shelf.current is not None:
            self._dialog.show_model(shelf.current)

    def _texts(self, model: ShelfModel) -> list[str]:
        needs = model.model.spec.needs == "rows"
        mae = model.scores.get("mae")
        return [
            model.name,
            model.representation.title if needs else "–",
            f"{model.model.n_train:,}",
            f"{mae:.4g} {model.unit}".rstrip() if mae is not None and np.isfinite(mae) else "–",
            model.made.replace("T", " ")[:16],
        ]

    def _show_detail(self) -> None:
        model = self.current
        if model is None:
            text = self.tr(
                "No model yet: click a point of a learning curve and keep its model, or open a file (.qmlm)."
            )
        else:
            parts = [self.tr("{} of {}").format(model.label, model.source) if model.source else model.label]
            if "mad" in model.scores and "mae" in model.scores and model.scores["mad"] > 0:
                share = model.scores["mae"] / model.scores["mad"]
                parts.append(self.tr("error {:.2g} % of the mean deviation").format(100 * share))
            if model.model.domain is not None:
                parts.append(self.tr("domain {:.3g}").format(model.model.domain))
            parts.append(self.tr("elements {}").format(", ".join(model.species.symbols)))
            text = " · ".join(parts)
            text += "".join(f"\n{t}" for t in (model.note, model.path) if t)
            text += "".join(f"\n⚠ {t}" for t in model.model.notes)
        self._detail.setText(text)

    # -- the person

    def _on_list_current_item_changed(self, item: QTreeWidgetItem | None, _before: QTreeWidgetItem | None) -> None:
        row = self.list.indexOfTopLevelItem(item) if item is not None else -1
        models = self._work.shelf.models
        if 0 <= row < len(models):
            self._work.shelf.set_current(models[row])

    def _on_list_item_changed(self, item: QTreeWidgetItem, column: int) -> None:
        row, models = self.list.indexOfTopLevelItem(item), self._work.shelf.models
        if not 0 <= row < len(models):
            return
        name = item.text(NAME).strip()
        if column == NAME and name and name not in {m.name for m in models}:
            self._work.shelf.replace(models[row], replace(models[row], name=name))
        else:
            with QSignalBlocker(self.list):
                for k, text in enumerate(self._texts(models[row])):
                    item.setText(k, text)

    def _on_save_clicked(self) -> None:
        model = self.current
        if model is None:
            return
        name = "".join(c if c.isalnum() or c in " -_," else "-" for c in model.name).strip()
        start = model.path or str(Path(self.folder) / f"{name}{SUFFIX}")
        text = self.tr("Models (*{})").format(SUFFIX)
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Save the model"), start, text)
        if path:
            path = path if path.endswith(SUFFIX) else path + SUFFIX
            self.folder = str(Path(path).parent)
            self._work.save(model, path)

    def _on_apply_clicked(self) -> None:
        if self.current is not None:
            self._work.apply(self.current)

    def _on_remove_clicked(self) -> None:
        if self.current is not None:
            self._work.shelf.remove(self.current)
