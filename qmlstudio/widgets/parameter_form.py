"""A form for anything that has hyper-parameters, made from their declarations."""

from __future__ import annotations

import html
import math
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QObject, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.parameters import Param, Parameterised

IDLE_MS = 150
"""Typing is taken as finished after so long without a key; steps by arrow or wheel count at once."""
_LARGEST_INT = 2**31 - 1


def _said(text: str) -> str:
    """A declared text in the user's language."""
    return QCoreApplication.translate("Parameters", text) if text else ""


class _WheelGuard(QObject):
    """Lets the wheel scroll the panel: a value that is not focused must not change because the mouse passes over it."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class _WholeBox(QSpinBox):
    """A spin box that tells a step (arrow, wheel, key) from typing: steps count at once."""

    stepped = Signal()

    def stepBy(self, steps: int) -> None:
        before = self.value()
        super().stepBy(steps)
        if self.value() != before:
            self.stepped.emit()


class _NumberBox(QDoubleSpinBox):
    """A spin box that shows numbers as short as they are (0.5, 1e-08) and takes a comma for a point.

    It tells a step from typing, as :class:`_WholeBox`.
    """

    stepped = Signal()

    def __init__(self, smallest: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(QLocale.c())
        # 15 digits from the smallest value that matters: no value is rounded by being shown
        self.setDecimals(15 + max(0, -math.floor(math.log10(smallest))))

    def stepBy(self, steps: int) -> None:
        before = self.value()
        super().stepBy(steps)
        # sums of steps come out as 0.3, not as 0.30000000000000004
        self.setValue(float(f"{self.value():.12g}"))
        if self.value() != before:
            self.stepped.emit()

    def textFromValue(self, val: float) -> str:
        short = f"{val:.12g}"
        return short if float(short) == val else repr(val)

    def valueFromText(self, text: str) -> float:
        number = self._number(text)
        return self.value() if number is None else number

    def validate(self, input: str, pos: int) -> tuple[QValidator.State, str, int]:
        number = self._number(input)
        if number is not None and self.minimum() <= number <= self.maximum():
            return QValidator.State.Acceptable, input, pos
        # what may still become a legal number ("", "-", "1e-", 1 on the way to 12) is let stand; corrected at the end
        legal = all(sign in "0123456789+-.eE" for sign in self._bare(input))
        return (QValidator.State.Intermediate if legal else QValidator.State.Invalid), input, pos

    def fixup(self, str: str) -> str:
        number = self._number(str)
        if number is None:
            return self.textFromValue(self.value()) + self.suffix()
        return self.textFromValue(min(max(number, self.minimum()), self.maximum())) + self.suffix()

    def _bare(self, text: str) -> str:
        return text.removesuffix(self.suffix()).removesuffix(self.suffix().strip() or "\0").strip().replace(",", ".")

    def _number(self, text: str) -> float | None:
        try:
            number = float(self._bare(text))
        except ValueError:
            return None
        return number if math.isfinite(number) else None


class _Editor(QObject):
    """One parameter's widget: reads and writes values, says when a person changed it.

    `edited` carries True where the change is complete (a box ticked, a choice made) and False while it may go on.
    """

    edited = Signal(bool)
    finished = Signal()

    def __init__(self, param: Param, parent: QWidget) -> None:
        super().__init__(parent)
        self.param = param
        self.field = self._make_field(parent)
        self.widget: QWidget = self.field
        self.automatic: QCheckBox | None = None
        guard = _WheelGuard(self)
        if isinstance(self.field, QAbstractSpinBox | QComboBox):
            self.field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.field.installEventFilter(guard)
        if param.optional:
            self._make_optional(parent)
        label = _said(param.label)
        self.field.setAccessibleName(label)
        self.field.setObjectName(param.name)
        for part in (self.field, self.automatic, self.widget):
            if part is not None:
                part.setToolTip(tooltip(param))

    def _make_field(self, parent: QWidget) -> QWidget:
        p = self.param
        if p.choices:
            combo = QComboBox(parent)
            combo.addItems([_said(text) for _, text in p.choices])
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
            # the list shows its texts in full, however narrow the panel
            combo.view().setMinimumWidth(combo.view().sizeHintForColumn(0) + 24)
            combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            combo.currentIndexChanged.connect(self._on_choice_made)
            return combo
        if p.kind is bool:
            box = QCheckBox(parent)
            box.toggled.connect(self._on_choice_made)
            return box
        if p.kind is int or p.kind is float:
            spin = _WholeBox(parent) if p.kind is int else _NumberBox(self._smallest(), parent)
            self._set_up_spin(spin)
            return spin
        line = QLineEdit(parent)
        line.textEdited.connect(self._on_text_edited)
        line.editingFinished.connect(self.finished)
        return line

    def _smallest(self) -> float:
        """The smallest magnitude that matters to this parameter."""
        p = self.param
        return min((abs(v) for v in (p.default, p.low, p.step) if v), default=1.0)

    def _set_up_spin(self, spin: _WholeBox | _NumberBox) -> None:
        p = self.param
        if isinstance(spin, QSpinBox):
            low = -_LARGEST_INT if p.low is None else max(math.ceil(p.low), -_LARGEST_INT)
            high = _LARGEST_INT if p.high is None else min(math.floor(p.high), _LARGEST_INT)
            spin.setRange(low, high)
            spin.setSingleStep(max(1, round(p.step or 1)))
        else:
            spin.setRange(-1e300 if p.low is None else p.low, 1e300 if p.high is None else p.high)
            if p.step is None:
                spin.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
            else:
                spin.setSingleStep(p.step)
        # the range's ends in full would make the panel absurdly wide
        spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        spin.setMinimumWidth(spin.fontMetrics().horizontalAdvance("0.0000 " + p.unit) + 34)
        if p.unit:
            spin.setSuffix(f" {p.unit}")
        spin.setAccelerated(True)
        spin.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
        spin.valueChanged.connect(self._on_text_edited)
        spin.stepped.connect(self._on_stepped)
        spin.editingFinished.connect(self.finished)

    def _make_optional(self, parent: QWidget) -> None:
        self.widget = QWidget(parent)
        row = QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        self.automatic = QCheckBox(_said(self.param.none_label), self.widget)
        self.automatic.setAccessibleName(f"{_said(self.param.label)}: {_said(self.param.none_label)}")
        self.automatic.toggled.connect(self._on_automatic_toggled)
        row.addWidget(self.automatic)
        row.addWidget(self.field, 1)
        row.addStretch(0)

    def value(self) -> Any:
        """What the widget says, in the declared type; None for automatic."""
        if self.automatic is not None and self.automatic.isChecked():
            return None
        field = self.field
        if isinstance(field, QComboBox):
            return self.param.choices[field.currentIndex()][0]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, QSpinBox | QDoubleSpinBox):
            return field.value()
        assert isinstance(field, QLineEdit)
        return field.text()

    def write(self, value: Any) -> None:
        """Show a value; no signal comes of it."""
        blockers = [QSignalBlocker(w) for w in (self.field, self.automatic) if w is not None]
        if self.automatic is not None:
            self.automatic.setChecked(value is None)
            self.field.setVisible(value is not None)
        field = self.field
        if value is None:
            self._write_suggestion()
        elif isinstance(field, QComboBox):
            field.setCurrentIndex([choice for choice, _ in self.param.choices].index(value))
        elif isinstance(field, QCheckBox):
            field.setChecked(bool(value))
        elif isinstance(field, QSpinBox):
            field.setValue(int(value))
        elif isinstance(field, QDoubleSpinBox):
            field.setValue(float(value))
        elif isinstance(field, QLineEdit):
            field.setText(str(value))
        del blockers

    def _write_suggestion(self) -> None:
        """Where a person begins who unticks "automatic": the default where that is a number, else the last value."""
        p, field = self.param, self.field
        if p.default is not None and isinstance(field, QSpinBox | QDoubleSpinBox):
            field.setValue(p.default)

    def _on_choice_made(self, _value: object) -> None:
        self.edited.emit(True)

    def _on_stepped(self) -> None:
        self.edited.emit(True)

    def _on_text_edited(self, _value: object) -> None:
        self.edited.emit(False)

    def _on_automatic_toggled(self, checked: bool) -> None:
        self.field.setVisible(not checked)
        if not checked:
            self.field.setFocus()
        self.edited.emit(True)


def tooltip(param: Param) -> str:
    """Help, range, default and the name under which files and the command line know the parameter."""

    def written(value: Any) -> str:
        if value is None:
            return _said(param.none_label)
        for choice, text in param.choices:
            if choice == value:
                return _said(text)
        if isinstance(value, bool):
            return QCoreApplication.translate("ParameterForm", "on" if value else "off")
        text = f"{value:.10g}" if isinstance(value, float | int) else str(value)
        return f"{text} {param.unit}".rstrip()

    lines = []
    if param.low is not None and param.high is not None:
        lines.append(f"{param.low:.10g} – {written(param.high)}")
    elif param.low is not None:
        lines.append(f"≥ {written(param.low)}")
    elif param.high is not None:
        lines.append(f"≤ {written(param.high)}")
    lines.append(QCoreApplication.translate("ParameterForm", "default: {0}").format(written(param.default)))
    text = f"<p>{html.escape(_said(param.help))}</p>" if param.help else ""
    return f"{text}<p>{html.escape('; '.join(lines))}<br><code>{html.escape(param.name)}</code></p>"


class ParameterForm(QWidget):
    """Edits a :class:`Parameterised` object: one editor for each declared parameter, the advanced ones folded away.

    Nothing is changed in place: every edit makes a new frozen object. Typing counts as one edit, when it is finished
    or has paused for 150 ms. Where the values do not go together, the reason stands below and nothing is emitted.

    Parameters
    ----------
    value : Parameterised, optional
        Shown at once.
    parent : QWidget, optional
    """

    value_changed = Signal(object)
    """The new object, after a person changed something; never after :meth:`set_value`."""

    def __init__(self, value: Parameterised | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Parameterised | None = None
        self._editors: dict[str, _Editor] = {}
        self._body: QWidget | None = None
        self._touched: set[str] = set()
        self._advanced_open = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(self._commit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._error = QLabel(self)
        self._error.setWordWrap(True)
        self._error.setObjectName("error")
        self._error.hide()
        self._reset = QToolButton(self)
        self._reset.setText(self.tr("Defaults"))
        self._reset.setToolTip(self.tr("Set all parameters back to their defaults"))
        self._reset.setAutoRaise(True)
        self._reset.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._reset.clicked.connect(self._on_reset_clicked)
        column.addWidget(self._error)
        column.addWidget(self._reset, 0, Qt.AlignmentFlag.AlignRight)
        self._reset.hide()
        if value is not None:
            self.set_value(value)

    def value(self) -> Parameterised | None:
        """The object as last shown or emitted; None before the first :meth:`set_value`."""
        return self._value

    def set_value(self, value: Parameterised) -> None:
        """Show an object. An object of another class replaces the form's editors; an equal one changes nothing.

        Emits nothing. Edits that wait for their pause are dropped when the value differs.
        """
        if value == self._value and type(value) is type(self._value):
            return
        self._timer.stop()
        self._touched.clear()
        rebuilt = type(value) is not type(self._value)
        old, self._value = self._value, value
        if rebuilt:
            self._build(value)
        for name, editor in self._editors.items():
            new = getattr(value, name)
            # a field in which a person's cursor stands is left alone when it says the same
            if rebuilt or old is None or editor.value() != new:
                editor.write(new)
        self._show_error("")
        self._update_reset()

    def editor(self, name: str) -> QWidget:
        """The widget in which a parameter is edited (without its "automatic" box); KeyError if there is none."""
        return self._editors[name].field

    def automatic_box(self, name: str) -> QCheckBox | None:
        """The "automatic" box of an optional parameter; None for others."""
        return self._editors[name].automatic

    def set_advanced_open(self, opened: bool) -> None:
        """Unfold or fold the advanced parameters."""
        self._advanced_open = opened
        if self._body is not None:
            toggle = self._body.findChild(QToolButton, "advanced_toggle")
            if toggle is not None:
                toggle.setChecked(opened)

    def hideEvent(self, event: QHideEvent) -> None:
        self.flush()
        super().hideEvent(event)

    def flush(self) -> None:
        """Take what is being typed as finished now (before saving, say)."""
        if self._timer.isActive():
            self._commit()

    def _build(self, value: Parameterised) -> None:
        if self._body is not None:
            self._body.hide()
            self._body.deleteLater()
        self._editors = {}
        body = QWidget(self)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        params = [p for p in value.params() if p.shown]
        plain = self._make_form(body, [p for p in params if not p.advanced])
        column.addWidget(plain)
        if advanced := [p for p in params if p.advanced]:
            folded = self._make_form(body, advanced)
            toggle = QToolButton(body)
            toggle.setObjectName("advanced_toggle")
            toggle.setText(self.tr("Advanced"))
            toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            toggle.setAutoRaise(True)
            toggle.setCheckable(True)
            toggle.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            toggle.toggled.connect(folded.setVisible)
            toggle.toggled.connect(self._on_advanced_toggled)
            toggle.setArrowType(Qt.ArrowType.RightArrow)
            folded.setVisible(False)
            column.addWidget(toggle)
            column.addWidget(folded)
            toggle.setChecked(self._advanced_open)
        # both parts share one column of labels
        labels = [w for w in body.findChildren(QLabel) if w.buddy() is not None]
        widest = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            label.setMinimumWidth(widest)
        self._body = body
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(0, body)
        self._chain_tabs()
        self._reset.setVisible(bool(params))

    def _make_form(self, parent: QWidget, params: list[Param]) -> QWidget:
        area = QWidget(parent)
        form = QFormLayout(area)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(10)
        form.setVerticalSpacing(5)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for p in params:
            editor = _Editor(p, area)
            editor.edited.connect(self._on_editor_edited)
            editor.finished.connect(self.flush)
            # an ampersand would be taken for a mnemonic
            label = QLabel(_said(p.label).replace("&", "&&"), area)
            label.setBuddy(editor.field)
            label.setToolTip(tooltip(p))
            form.addRow(label, editor.widget)
            self._editors[p.name] = editor
        return area

    def _chain_tabs(self) -> None:
        """Tab goes down the form, whatever the order in which widgets were made."""
        chain: list[QWidget] = []
        toggle = self._body.findChild(QToolButton, "advanced_toggle") if self._body is not None else None
        seen_advanced = False
        for editor in sorted(self._editors.values(), key=lambda e: e.param.advanced):
            if editor.param.advanced and not seen_advanced and toggle is not None:
                chain.append(toggle)
                seen_advanced = True
            chain += [w for w in (editor.automatic, editor.field) if w is not None]
        chain.append(self._reset)
        for first, second in pairwise(chain):
            QWidget.setTabOrder(first, second)

    def _on_editor_edited(self, complete: bool) -> None:
        editor = self.sender()
        if isinstance(editor, _Editor):
            self._touched.add(editor.param.name)
        if complete:
            self._commit()
        else:
            self._timer.start()

    def _on_advanced_toggled(self, opened: bool) -> None:
        self._advanced_open = opened
        toggle = self.sender()
        if isinstance(toggle, QToolButton):
            toggle.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

    def _on_reset_clicked(self) -> None:
        if self._value is None:
            return
        self._take(type(self._value)())
        for name, editor in self._editors.items():
            editor.write(getattr(self._value, name))

    def _commit(self) -> None:
        """Make the object that the editors describe and emit it if it is a new one."""
        self._timer.stop()
        if self._value is None:
            return
        # only what was touched: a box may show fewer digits than the value has
        values = {name: self._editors[name].value() for name in self._touched}
        try:
            made = self._value.with_values(**values)
        except ValueError as error:
            self._show_error(str(error))
            return
        self._take(made)

    def _take(self, made: Parameterised) -> None:
        self._timer.stop()
        self._touched.clear()
        self._show_error("")
        if made == self._value:
            return
        self._value = made
        self._update_reset()
        self.value_changed.emit(made)

    def _show_error(self, text: str) -> None:
        self._error.setText(f"⚠ {text}" if text else "")
        self._error.setVisible(bool(text))

    def _update_reset(self) -> None:
        self._reset.setEnabled(self._value is not None and self._value != type(self._value)())
