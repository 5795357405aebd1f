"""Small parts of the learning panel's form."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QSizePolicy,
    QToolButton,
    QTreeWidget,
    QWidget,
)

from qmlstudio.parameters import Parameterised
from qmlstudio.widgets.parameter_form import ParameterForm


class SeriesList(QListWidget):
    """Del removes; Qt's own lists do nothing with it.

    Signals
    -------
    deleted()
    """

    deleted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.deleted.emit()
        else:
            super().keyPressEvent(event)


class ModelList(QTreeWidget):
    """Del removes; Qt's own lists do nothing with it.

    Signals
    -------
    deleted()
    """

    deleted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.deleted.emit()
        else:
            super().keyPressEvent(event)


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
        self._value: Parameterised | None = None
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
        self._value = value if value is not None and any(p.shown for p in value.params()) else None
        self.button.setEnabled(self._value is not None)
        self._show_form()

    def _on_button_toggled(self, _opened: bool) -> None:
        self._show_form()

    def _show_form(self) -> None:
        """Making editors takes its time: nobody waits for those that are folded away."""
        opened = self._value is not None and self.button.isChecked()
        if opened and self._value is not None:
            self.form.set_value(self._value)
        self.form.setVisible(opened)


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
