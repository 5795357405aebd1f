"""The controls above a map: what makes it, what it shows, the tools of the mouse."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from qmlstudio import representations
from qmlstudio.learning import embedding as embeddings
from qmlstudio.learning.embedding_base import Embedding
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.parameters import Parameterised
from qmlstudio.representations.base import Representation
from qmlstudio.session.coloring import Coloring, colorable
from qmlstudio.session.columns import Columns
from qmlstudio.session.map_spec import MapSpec, MapView
from qmlstudio.widgets.column_combo import ColumnCombo
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.parameter_form import ParameterForm

TOOLS = (("pan", "✥"), ("lasso", "◌"), ("box", "▭"))


class MapToolbar(QWidget):
    """Shows a :class:`MapSpec` and a :class:`Coloring`, and tells what the user makes of them.

    Parameters
    ----------
    with_representation : bool
        Offer the representation, too: for further maps, whose representation no other panel shows.

    Signals
    -------
    spec_changed(spec, text)
        The map is to be made or drawn in another way; `text` names the step for the history.
    coloring_changed(coloring)
    landmarks_changed(landmarks)
    tool_chosen(tool)
    reset_requested(), add_requested(), close_requested()
    """

    spec_changed = Signal(object, str)
    coloring_changed = Signal(object)
    landmarks_changed = Signal(object)
    tool_chosen = Signal(str)
    reset_requested = Signal()
    add_requested = Signal()
    close_requested = Signal()

    def __init__(self, with_representation: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = MapSpec()
        self._coloring = Coloring()
        self._with_representation = with_representation
        flow = FlowLayout(self, gap=10, push_last=True)
        flow.setContentsMargins(6, 4, 6, 0)
        for make in (self._make_method, self._make_color, self._make_tools):
            group = QWidget()
            bar = QHBoxLayout(group)
            bar.setContentsMargins(0, 0, 0, 0)
            bar.setSpacing(4)
            make(bar)
            flow.addWidget(group)

    # -- building

    def _make_method(self, bar: QHBoxLayout) -> None:
        self._representation = QComboBox(self)
        self._representation.setToolTip(self.tr("Representation: what the structures are compared by"))
        self._representation.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._representation.setMinimumContentsLength(12)
        self._representation_form = ParameterForm(parent=self)
        for widget in (self._representation, self._representation_form):
            widget.setVisible(self._with_representation)
        self.show_representations()
        self._method = QComboBox()
        for name, cls in embeddings.REGISTRY.items():
            self._method.addItem(cls.title, name)
        self._method.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._method.setMinimumContentsLength(6)
        self._method.setToolTip(self.tr("Embedding: what makes a map of the features"))
        self._method_form = ParameterForm()
        self._landmarks_form = ParameterForm(Landmarks(), self)
        self._landmarks_form.setVisible(not self._with_representation)
        self._landmarks_form.value_changed.connect(self.landmarks_changed)
        self._supervised = ColumnCombo(self.tr("nothing"))
        self._supervised.setToolTip(self.tr("A column whose values draw like structures together"))
        self._supervised_row = QWidget()
        row = QFormLayout(self._supervised_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addRow(self.tr("Supervised by"), self._supervised)
        box = QWidget()
        inner = QVBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        if self._with_representation:
            inner.addWidget(self._representation_form)
        inner.addWidget(self._method_form)
        inner.addWidget(self._supervised_row)
        if not self._with_representation:
            title = QLabel(self.tr("<b>Landmarks</b> of very large sets"))
            title.setToolTip(Landmarks.help)
            inner.addWidget(title)
            inner.addWidget(self._landmarks_form)
        tip = self.tr("Parameters of the embedding")
        if self._with_representation:
            tip = self.tr("Parameters of representation and embedding")
        self._method_button = popup("⚙", tip, box)
        if self._with_representation:
            bar.addWidget(self._representation)
        else:
            bar.addWidget(QLabel(self.tr("Map")))
        bar.addWidget(self._method)
        bar.addWidget(self._method_button)
        self._representation.activated.connect(self._on_representation_activated)
        self._representation_form.value_changed.connect(self._on_representation_form_value_changed)
        self._method.activated.connect(self._on_method_activated)
        self._method_form.value_changed.connect(self._on_method_form_value_changed)
        self._supervised.activated.connect(self._on_supervised_activated)

    def _make_color(self, bar: QHBoxLayout) -> None:
        self._color_by = ColumnCombo(self.tr("one colour"))
        self._color_by.setToolTip(self.tr("Colour by a property"))
        self._color_form = ParameterForm()
        self._color_button = popup("◐", self.tr("Palette, scale and range"), self._color_form)
        if self._with_representation:
            # colours are common to all maps: the first one's controls set them
            self._color_by.setParent(self)
            self._color_button.setParent(self)
            self._color_by.hide()
            self._color_button.hide()
        else:
            bar.addWidget(QLabel(self.tr("Colour")))
            bar.addWidget(self._color_by)
            bar.addWidget(self._color_button)
        self._make_look(bar)
        self._color_by.activated.connect(self._on_color_by_activated)
        self._color_form.value_changed.connect(self._on_color_form_value_changed)

    def _make_look(self, bar: QHBoxLayout) -> None:
        self._look_form = ParameterForm()
        columns = QFormLayout()
        columns.setContentsMargins(0, 0, 0, 4)
        self._axes = {
            "x_axis": ColumnCombo(self.tr("embedding")),
            "y_axis": ColumnCombo(self.tr("embedding")),
            "size_by": ColumnCombo(self.tr("all alike")),
            "symbol_by": ColumnCombo(self.tr("as coloured")),
        }
        titles = (self.tr("Horizontal"), self.tr("Vertical"), self.tr("Size by"), self.tr("Symbol by"))
        for (name, combo), title in zip(self._axes.items(), titles, strict=True):
            columns.addRow(title, combo)
            combo.activated.connect(self._on_axes_activated)
            combo.setProperty("field", name)
        box = QWidget()
        inner = QVBoxLayout(box)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(columns)
        inner.addWidget(self._look_form)
        self._look_button = popup("▦", self.tr("Axes, sizes, symbols, density, hulls, labels"), box)
        bar.addWidget(self._look_button)
        self._look_form.value_changed.connect(self._on_look_form_value_changed)

    def _make_tools(self, bar: QHBoxLayout) -> None:
        self._tools = QButtonGroup(self)
        tips = (
            self.tr("Pan tool: drag moves, Shift+drag lassoes (V)"),
            self.tr("Lasso tool: Shift adds, Alt subtracts, Ctrl intersects (L)"),
            self.tr("Box tool: Shift adds, Alt subtracts, Ctrl intersects (B)"),
        )
        for key, ((tool, sign), tip) in enumerate(zip(TOOLS, tips, strict=True)):
            button = _button(sign, tip)
            button.setCheckable(True)
            button.setProperty("tool", tool)
            self._tools.addButton(button, key)
            bar.addWidget(button)
        self._tools.button(0).setChecked(True)
        self._tools.buttonClicked.connect(self._on_tools_button_clicked)
        reset = _button("⤢", self.tr("Show all points (double-click)"))
        reset.clicked.connect(self.reset_requested)
        bar.addWidget(reset)
        self._add = _button("⊞", self.tr("One more map beside this one (Ctrl+Shift+M)"))
        self._add.clicked.connect(self.add_requested)
        self._close = _button("✕", self.tr("Close this map"))
        self._close.clicked.connect(self.close_requested)
        bar.addWidget(self._add)
        bar.addWidget(self._close)
        self._add.setVisible(not self._with_representation)
        self._close.setVisible(self._with_representation)

    # -- showing

    @property
    def with_representation(self) -> bool:
        """Whether it offers the representation."""
        return self._with_representation

    def show_representations(self) -> None:
        """Offer what the registry has now."""
        chosen = self._representation.currentData()
        with QSignalBlocker(self._representation):
            self._representation.clear()
            for name, cls in representations.REGISTRY.items():
                if not cls().kernel_only:
                    self._representation.addItem(cls.title, name)
            self._representation.setCurrentIndex(max(0, self._representation.findData(chosen)))

    def set_spec(self, spec: MapSpec) -> None:
        """Show a map's description; nothing is emitted."""
        self._spec = spec
        self._representation.setCurrentIndex(self._representation.findData(spec.representation.name))
        if self._with_representation:
            self._representation_form.set_value(spec.representation)
        self._method.setCurrentIndex(self._method.findData(spec.embedding.name))
        self._method_form.set_value(spec.embedding)
        self._supervised_row.setVisible(hasattr(spec.embedding, "supervised_by"))
        self._supervised.choose(getattr(spec.embedding, "supervised_by", ""))
        self._look_form.set_value(spec.view)
        for name, combo in self._axes.items():
            combo.choose(getattr(spec.view, name))

    def set_coloring(self, coloring: Coloring) -> None:
        """Show a colouring; nothing is emitted."""
        self._coloring = coloring
        self._color_form.set_value(coloring)
        self._color_by.choose(coloring.color_by)

    def set_landmarks(self, landmarks: Landmarks) -> None:
        """Show how landmarks are chosen; nothing is emitted."""
        self._landmarks_form.set_value(landmarks)

    def set_columns(self, columns: Columns | None) -> None:
        """Offer other columns."""
        every = [] if columns is None else colorable(columns)
        numbers = [] if columns is None else columns.numeric()
        own = [] if columns is None else [*columns.dataset.per_structure, *(c.name for c in columns.added)]
        self._color_by.set_columns(columns, every)
        for name, combo in self._axes.items():
            combo.set_columns(columns, every if name == "symbol_by" else numbers)
        self._supervised.set_columns(columns, [n for n in every if n in own])
        self.set_coloring(self._coloring)
        self.set_spec(self._spec)

    def set_tool(self, tool: str) -> None:
        """Show which tool the mouse has."""
        for button in self._tools.buttons():
            button.setChecked(button.property("tool") == tool)

    def set_can_add(self, can: bool) -> None:
        """Whether one more map may stand beside this one."""
        self._add.setEnabled(can)

    # -- the user

    def _tell(self, text: str, **values: object) -> None:
        self._spec = replace(self._spec, **values)  # type: ignore[arg-type]
        self.spec_changed.emit(self._spec, text)

    def _on_representation_activated(self, _row: int) -> None:
        name = self._representation.currentData()
        if name != self._spec.representation.name:
            new = representations.REGISTRY[name]()
            self._tell(self.tr("map of {}").format(new.title), representation=new)

    def _on_representation_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Representation):
            self._tell(self.tr("parameters of {}").format(value.title), representation=value)

    def _on_method_activated(self, _row: int) -> None:
        name = self._method.currentData()
        if name != self._spec.embedding.name:
            new = embeddings.REGISTRY[name]()
            self._tell(self.tr("map by {}").format(new.title), embedding=new)

    def _on_method_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Embedding):
            self._tell(self.tr("parameters of {}").format(value.title), embedding=value)

    def _on_supervised_activated(self, _row: int) -> None:
        new = self._spec.embedding.with_values(supervised_by=self._supervised.chosen)
        self._tell(self.tr("supervised by {}").format(self._supervised.chosen or self.tr("nothing")), embedding=new)

    def _on_color_by_activated(self, _row: int) -> None:
        self._coloring = replace(self._coloring, color_by=self._color_by.chosen, hidden="")
        self.coloring_changed.emit(self._coloring)

    def _on_color_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, Coloring):
            self._coloring = value
            self.coloring_changed.emit(value)

    def _on_axes_activated(self, _row: int) -> None:
        combo = self.sender()
        if isinstance(combo, ColumnCombo):
            name = str(combo.property("field"))
            titles = {
                "x_axis": self.tr("horizontal axis"),
                "y_axis": self.tr("vertical axis"),
                "size_by": self.tr("size of points"),
                "symbol_by": self.tr("symbols of points"),
            }
            self._tell(titles[name], view=self._spec.view.with_values(**{name: combo.chosen}))

    def _on_look_form_value_changed(self, value: Parameterised) -> None:
        if isinstance(value, MapView):
            self._tell(self.tr("look of the map"), view=value)

    def _on_tools_button_clicked(self, button: QToolButton) -> None:
        self.tool_chosen.emit(button.property("tool"))


def _button(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setAutoRaise(True)
    return button


def popup(sign: str, tip: str, content: QWidget) -> QToolButton:
    """A button that unfolds a widget."""
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = QMenu(button)
    box = QWidget()
    inner = QVBoxLayout(box)
    inner.setContentsMargins(10, 8, 10, 6)
    inner.addWidget(content)
    action = QWidgetAction(menu)
    action.setDefaultWidget(box)
    menu.addAction(action)
    button.setMenu(menu)
    return button
