"""The form in which a bench is set up, fit for a narrow panel."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QListWidgetItem,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.bench import BenchEngine
from qmlstudio.app.store import Store
from qmlstudio.learning import models
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.session.bench.spec import Series
from qmlstudio.session.bench_lines import default_sizes
from qmlstudio.views.learning import choices
from qmlstudio.views.learning.curves import style_of
from qmlstudio.views.learning.fields import Folded, SeriesList, form_of, said, tool_button
from qmlstudio.views.learning.judging import JudgingForm
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.parameter_form import ParameterForm
from qmlstudio.widgets.theme import theme


class SetupPanel(QWidget):
    """Series above, how they are judged below; every edit changes the engine's draft."""

    def __init__(self, store: Store, engine: BenchEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store, self._engine = store, engine
        self._dark = False
        self._shown: tuple[Any, ...] = ()
        self._named: frozenset[str] = frozenset()
        self._make_list()
        self._make_series()
        self.judging = JudgingForm(engine)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        column.addLayout(self._buttons)
        column.addWidget(self.list)
        column.addWidget(self._editor)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setFrameShadow(QFrame.Shadow.Sunken)
        column.addWidget(line)
        column.addWidget(self.judging)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidget(inside)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.area)
        self._connect()
        self._refill()

    # -- building

    def _make_list(self) -> None:
        self.list = SeriesList()
        self.list.setAccessibleName(self.tr("Series"))
        self.list.setToolTip(self.tr("Series: one learning curve each. Del removes, F2 or a double click renames"))
        self.list.setIconSize(QSize(34, 16))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._buttons = FlowLayout(gap=3)
        self.add = tool_button("＋", self.tr("Add a series with the present representation"))
        self.double = tool_button(self.tr("Copy"), self.tr("Add a copy of the marked series"))
        self.remove = tool_button("−", self.tr("Remove the marked series (Del)"))
        self.base = tool_button(
            self.tr("Baselines"), self.tr("Add what any model must beat: the mean and the composition")
        )
        title = QLabel(self.tr("Series"))
        title.setBuddy(self.list)
        for widget in (title, self.add, self.double, self.remove, self.base):
            self._buttons.addWidget(widget)

    def _make_series(self) -> None:
        self.representation = Folded(self.tr("Representation"), ParameterForm())
        self.kernel = Folded(self.tr("Kernel"), ParameterForm())
        self.model = Folded(self.tr("Model"), ParameterForm())
        self.target = ColumnCombo(self.tr("choose"))
        self.baseline = ColumnCombo(self.tr("none"))
        self.size_box = QComboBox()
        for box, tip in (
            (self.target, self.tr("The column to learn")),
            (self.baseline, self.tr("A column known beforehand: the difference to it is learned (Δ-learning)")),
            (self.size_box, self.tr("What is done about properties that grow with the structures")),
        ):
            box.setToolTip(tip)
            box.setAccessibleName(tip)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for value, text in next(p for p in Task.params() if p.name == "normalisation").choices:
            self.size_box.addItem(text, value)
        for cls in models.REGISTRY.values():
            self.model.box.addItem(cls.title, cls.name)
        self.advice = said()
        self._editor = QWidget()
        self._rows = form_of(self._editor)
        self._folded_row(self.tr("Represent"), self.representation)
        self._folded_row(self.tr("Kernel"), self.kernel)
        self._folded_row(self.tr("Model"), self.model)
        self._rows.addRow(self.tr("Property"), self.target)
        self._rows.addRow(self.tr("Δ to"), self.baseline)
        self._rows.addRow(self.tr("Size"), self.size_box)
        self._rows.addRow(self.advice)

    def _folded_row(self, text: str, widget: Folded) -> None:
        label = QLabel(text)
        label.setBuddy(widget.box)
        self._rows.addRow(label, widget)
        self._rows.addRow(widget.form)

    def _connect(self) -> None:
        self.add.clicked.connect(self._on_add_clicked)
        self.double.clicked.connect(self._on_double_clicked)
        self.remove.clicked.connect(self._on_remove_clicked)
        self.base.clicked.connect(self._on_base_clicked)
        self.list.deleted.connect(self._on_remove_clicked)
        self.list.currentRowChanged.connect(self._on_list_current_row_changed)
        self.list.itemChanged.connect(self._on_list_item_changed)
        self.representation.box.activated.connect(self._on_representation_activated)
        self.kernel.box.activated.connect(self._on_kernel_activated)
        self.model.box.activated.connect(self._on_model_activated)
        for box in (self.target, self.baseline, self.size_box):
            box.activated.connect(self._on_task_activated)
        self.representation.form.value_changed.connect(partial(self._on_form_value_changed, "representation"))
        self.kernel.form.value_changed.connect(partial(self._on_form_value_changed, "kernel"))
        self.model.form.value_changed.connect(partial(self._on_form_value_changed, "model"))
        self._engine.draft_changed.connect(self._refill)
        self._engine.advice_changed.connect(self._show_advice)
        self._store.columns_changed.connect(self._on_store_columns_changed)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.advice.setStyleSheet(f"color: {theme(dark).muted}")
        self.judging.set_dark(dark)
        self._shown = ()
        self._refill()

    @property
    def current(self) -> Series | None:
        """The marked series."""
        row, series = self.list.currentRow(), self._engine.draft.series
        return series[row] if 0 <= row < len(series) else None

    def begin(self) -> None:
        """A first series and sizes, when there is none."""
        dataset = self._store.dataset
        if dataset is not None and not self._engine.draft.series:
            self._on_add_clicked()

    def flush(self) -> None:
        """Take what is being typed as finished."""
        for form in (self.representation, self.kernel, self.model):
            form.form.flush()
        self.judging.flush()

    def minimumSizeHint(self) -> QSize:
        return QSize(230, 120)

    # -- the list

    def _on_add_clicked(self) -> None:
        draft, session = self._engine.draft, self._store.session
        current = self.current
        task = current.task if current is not None else Task(target=self._first_target())
        labels = [s.label for s in draft.series]
        made = choices.new_series(session.representation, task, labels)
        self._set_series((*draft.series, made), len(draft.series))

    def _on_double_clicked(self) -> None:
        draft, current = self._engine.draft, self.current
        if current is not None:
            made = choices.labelled(current, [s.label for s in draft.series])
            self._set_series((*draft.series, made), len(draft.series))

    def _on_remove_clicked(self) -> None:
        row, series = self.list.currentRow(), self._engine.draft.series
        if 0 <= row < len(series):
            self._set_series((*series[:row], *series[row + 1 :]), min(row, len(series) - 2))

    def _on_base_clicked(self) -> None:
        draft, current = self._engine.draft, self.current
        task = current.task if current is not None else Task(target=self._first_target())
        known = {(s.model.name, s.task) for s in draft.series}
        made = [
            b for b in choices.baselines(task, [s.label for s in draft.series]) if (b.model.name, task) not in known
        ]
        if made:
            self._set_series((*draft.series, *made), self.list.currentRow())

    def _set_series(self, series: tuple[Series, ...], row: int) -> None:
        values: dict[str, Any] = {"series": series}
        dataset = self._store.dataset
        if dataset is not None and not self._engine.draft.sizes and not self.judging.touched_sizes:
            values["sizes"] = default_sizes(len(dataset))
        self._engine.change(**values)
        self.list.setCurrentRow(max(row, 0) if series else -1)
        self._show_series()

    def _replace(self, new: Series) -> None:
        """The marked series is another one now; its label follows unless somebody gave it one."""
        row, series = self.list.currentRow(), self._engine.draft.series
        if not 0 <= row < len(series):
            return
        others = [s.label for k, s in enumerate(series) if k != row]
        new = choices.fitting(new)
        if series[row].label not in self._named:
            new = choices.labelled(new, others)
        self._engine.change(series=(*series[:row], new, *series[row + 1 :]))

    def _on_list_current_row_changed(self, _row: int) -> None:
        self._show_series()

    def _on_list_item_changed(self, item: QListWidgetItem) -> None:
        row, series = self.list.row(item), self._engine.draft.series
        text = item.text().strip()
        if not 0 <= row < len(series) or text == series[row].label:
            return
        if not text or text in [s.label for s in series]:
            self._shown = ()
            self._refill()
            return
        self._named = self._named | {text}
        self._engine.change(series=(*series[:row], replace(series[row], label=text), *series[row + 1 :]))

    # -- the series

    def _on_representation_activated(self, row: int) -> None:
        current = self.current
        if current is not None:
            self._replace(replace(current, representation=self.representation.box.itemData(row)))

    def _on_kernel_activated(self) -> None:
        from qmlstudio.learning import kernels

        current = self.current
        if current is not None and choices.kernel_of(current.model) is not None:
            kernel = kernels.REGISTRY[str(self.kernel.box.currentData())]()
            self._replace(replace(current, model=choices.with_kernel(current.model, kernel)))

    def _on_model_activated(self) -> None:
        current = self.current
        if current is None:
            return
        model = models.REGISTRY[str(self.model.box.currentData())]()
        representation = current.representation
        if model.needs == "rows" and representation is None:
            representation = self._store.session.representation
        before = choices.kernel_of(current.model)
        if choices.kernel_of(model) is not None and before is not None:
            model = choices.with_kernel(model, before)
        self._replace(replace(current, model=model, representation=representation if model.needs == "rows" else None))

    def _on_task_activated(self) -> None:
        current = self.current
        if current is not None:
            task = replace(
                current.task,
                target=self.target.chosen,
                baseline=self.baseline.chosen,
                normalisation=str(self.size_box.currentData()),
            )
            self._replace(replace(current, task=task))

    def _on_form_value_changed(self, what: str, value: Any) -> None:
        current = self.current
        if current is None:
            return
        if what == "kernel":
            self._replace(replace(current, model=choices.with_kernel(current.model, value)))
        elif what == "model":
            self._replace(replace(current, model=value))
        else:
            self._replace(replace(current, representation=value))

    # -- what all have in common

    # -- showing

    def _first_target(self) -> str:
        columns, color = self._store.columns, self._store.session.coloring.color_by
        if columns is None:
            return ""
        known = columns.numeric(composition=False)
        if color in known:
            return color
        return next((name for name in known if name not in ("n_atoms", "n_heavy", "frame", "index")), "")

    def _on_store_columns_changed(self, _names: frozenset[str]) -> None:
        self._fill_columns()

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self.judging.forget()
            self._fill_columns()
            self._adapt()
        elif "representation" in names:
            self._shown = ()
            self._show_series()

    def _adapt(self) -> None:
        """To another data set: columns that it does not have are replaced by its first, sizes by what fits."""
        columns, dataset = self._store.columns, self._store.dataset
        if columns is None or dataset is None:
            return
        draft = self._engine.draft
        first, series = self._first_target(), []
        for s in draft.series:
            task = s.task
            if task.target not in columns:
                task = replace(task, target=first)
            if task.baseline and task.baseline not in columns:
                task = replace(task, baseline="")
            series.append(replace(s, task=task))
        if tuple(series) != draft.series or not draft.sizes or draft.sizes[-1] > 0.8 * len(dataset):
            self._engine.change(series=tuple(series), sizes=default_sizes(len(dataset)))

    def _fill_columns(self) -> None:
        columns = self._store.columns
        names = () if columns is None else columns.numeric(composition=False)
        chosen = self.target.chosen, self.baseline.chosen
        for box, name in zip((self.target, self.baseline), chosen, strict=True):
            box.set_columns(columns, names)
            box.choose(name)

    def _refill(self) -> None:
        """Follow the engine's draft."""
        draft = self._engine.draft
        labels = [s.label for s in draft.series]
        key = (tuple(labels), self._dark)
        if self._shown[:1] != (key,):
            row = self.list.currentRow()
            with QSignalBlocker(self.list):
                self.list.clear()
                for k, label in enumerate(labels):
                    swatch = style_of(label, k).swatch(theme(self._dark).background, self.devicePixelRatioF())
                    item = QListWidgetItem(QIcon(swatch), label)
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                    item.setToolTip(label)
                    self.list.addItem(item)
                self.list.setCurrentRow(min(max(row, 0), len(labels) - 1))
            self._shown = (key,)
        for button in (self.double, self.remove):
            button.setEnabled(bool(labels))
        line = max(self.list.sizeHintForRow(0), self.list.fontMetrics().height() + 4)
        self.list.setFixedHeight(line * min(max(len(labels), 2), 5) + 6)
        self._show_series()

    def _show_series(self) -> None:
        current = self.current
        self._editor.setVisible(current is not None)
        if current is None:
            return
        present = self._store.session.representation
        known = choices.all_representations(present)
        with QSignalBlocker(self.representation.box):
            self.representation.box.clear()
            for title, value in known:
                self.representation.box.addItem(title, value)
            representation = current.representation
            if representation is not None:
                same = [k for k, (_, value) in enumerate(known) if value == representation]
                alike = [k for k, (_, value) in enumerate(known) if k and value.name == representation.name]
                at = (same or alike or [0])[0]
                if not same:
                    self.representation.box.setItemData(at, representation)
                self.representation.box.setCurrentIndex(at)
        needs = current.needs == "rows"
        self.representation.setEnabled(needs)
        self.representation.show_value(representation if needs else None)
        kernel = choices.kernel_of(current.model)
        with QSignalBlocker(self.kernel.box):
            self.kernel.box.clear()
            for cls in choices.kernels_for(current.representation) if kernel is not None else ():
                self.kernel.box.addItem(cls.title, cls.name)
            if kernel is not None:
                if self.kernel.box.findData(kernel.name) < 0:
                    self.kernel.box.addItem(kernel.title, kernel.name)
                self.kernel.box.setCurrentIndex(self.kernel.box.findData(kernel.name))
        self.kernel.setEnabled(kernel is not None)
        self.kernel.show_value(kernel)
        self.model.box.setCurrentIndex(self.model.box.findData(current.model.name))
        self.model.show_value(current.model)
        task = current.task
        if self.target.count() <= 1:
            self._fill_columns()
        self.target.choose(task.target)
        self.baseline.choose(task.baseline)
        self.size_box.setCurrentIndex(max(self.size_box.findData(task.normalisation), 0))
        self._engine.advise(replace(task, normalisation="none"))
        self._show_advice()

    def _show_advice(self) -> None:
        engine = self._engine
        current = self.current
        text = engine.advice
        if text and current is not None:
            text = f"{current.task.target} {text}" if not text.startswith("⚠") else text
        self.advice.setText(text)
        self.advice.setVisible(bool(text))
