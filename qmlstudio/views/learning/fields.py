"""Small parts of the learning panel's form."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from qmlstudio.parameters import Parameterised
from qmlstudio.widgets.parameter_form import ParameterForm


class Folded(QWidget):
    """A combo box with a button that unfolds the parameters of what is chosen."""

    def __init__(self, tip: str, form: ParameterForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setToolTip(tip)
        self.box.setAccessibleName(tip)
        # long titles would make the panel wide
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.form = form
        self.form.setVisible(False)
        self.button = QToolButton()
        self.button.setText("⚙")
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolTip(self.tr("Parameters of: {}").format(tip))
        self.button.setAccessibleName(self.button.toolTip())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.box, 1)
        row.addWidget(self.button)
        self.button.toggled.connect(self._on_button_toggled)

    def show_value(self, value: Parameterised | None) -> None:
        """Show its parameters, when unfolded."""
        has = value is not None and any(p.shown for p in value.params())
        if value is not None and has:
            self.form.set_value(value)
        self.button.setEnabled(has)
        self.form.setVisible(has and self.button.isChecked())

    def _on_button_toggled(self, opened: bool) -> None:
        self.form.setVisible(opened and self.form.value() is not None)


def tool_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def said() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.hide()
    return label


def form_of(parent: QWidget) -> QFormLayout:
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    form.setHorizontalSpacing(8)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
    return form
