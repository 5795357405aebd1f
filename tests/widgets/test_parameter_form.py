"""The form made from hyper-parameters: what is shown, what is emitted, what cannot be typed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from qmlstudio.parameters import Parameterised, param
from qmlstudio.representations.coulomb import CoulombMatrix
from qmlstudio.widgets.parameter_form import ParameterForm


@dataclass(frozen=True, kw_only=True)
class Method(Parameterised):
    name: ClassVar[str] = "method"
    title: ClassVar[str] = "Method"

    r_cut: float = param(5.0, label="Cutoff", unit="Å", low=1, high=12, step=0.1, help="Atoms with r < r_cut & more.")
    n_max: int = param(8, label="Radial functions", low=1, high=20)
    kind: str = param("a", label="Kind", choices=(("a", "first kind"), ("b", "second kind")))
    level: int = param(2, label="Level", choices=(1, 2, 3))
    periodic: bool = param(False, label="Periodic")
    sigma: float | None = param(None, label="Width", unit="Å", low=0.01, high=5, step=0.05, none_label="from the data")
    word: str = param("text", label="Word")
    regularisation: float = param(1e-8, label="Regularisation", low=0, high=1, advanced=True)
    seed: int = param(42, label="Seed", low=0, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "b" and self.periodic:
            raise ValueError("the second kind is never periodic")


@dataclass(frozen=True, kw_only=True)
class Nothing(Parameterised):
    name: ClassVar[str] = "nothing"
    title: ClassVar[str] = "Nothing"


class Emitted(list[Any]):
    """What a form emits, in order."""

    def __init__(self, form: ParameterForm) -> None:
        super().__init__()
        form.value_changed.connect(self.append)


@pytest.fixture
def form(qtbot: QtBot) -> ParameterForm:
    form = ParameterForm(Method())
    qtbot.addWidget(form)
    form.resize(300, 400)
    with qtbot.waitExposed(form):
        form.show()
    form.activateWindow()
    return form


def test_one_editor_for_each_parameter_of_its_kind(form: ParameterForm) -> None:
    kinds = {
        "r_cut": QDoubleSpinBox,
        "n_max": QSpinBox,
        "kind": QComboBox,
        "level": QComboBox,
        "periodic": QCheckBox,
        "sigma": QDoubleSpinBox,
        "word": QLineEdit,
        "regularisation": QDoubleSpinBox,
        "seed": QSpinBox,
    }
    assert set(kinds) == {p.name for p in Method.params()}
    for name, kind in kinds.items():
        assert isinstance(form.editor(name), kind), name
    spin = form.editor("r_cut")
    assert isinstance(spin, QDoubleSpinBox)
    assert (spin.minimum(), spin.maximum(), spin.singleStep(), spin.suffix()) == (1, 12, 0.1, " Å")
    assert spin.text() == "5 Å"
    combo = form.editor("kind")
    assert isinstance(combo, QComboBox)
    assert [combo.itemText(k) for k in range(combo.count())] == ["first kind", "second kind"]


def test_labels_and_tooltips_come_from_the_declarations(form: ParameterForm) -> None:
    labels = {label.text(): label for label in form.findChildren(QLabel)}
    assert {"Cutoff", "Radial functions", "Kind"} <= set(labels)
    assert labels["Cutoff"].buddy() is form.editor("r_cut")
    tip = form.editor("r_cut").toolTip()
    # escaped: "r < r_cut" must not be read as markup
    assert "r &lt; r_cut &amp; more" in tip
    assert "1 – 12 Å" in tip
    assert "default: 5 Å" in tip
    assert form.editor("r_cut").accessibleName() == "Cutoff"


def test_setting_a_value_emits_nothing(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    new = Method(r_cut=6.5, n_max=3, kind="b", level=3, sigma=0.3, word="other", regularisation=1e-12, seed=7)
    form.set_value(new)
    qtbot.wait(200)
    assert emitted == []
    assert form.value() is new
    assert form.editor("r_cut").text() == "6.5 Å"  # type: ignore[attr-defined]
    assert form.editor("regularisation").text() == "1e-12"  # type: ignore[attr-defined]
    box = form.automatic_box("sigma")
    assert box is not None
    assert not box.isChecked()


def test_an_edit_emits_one_new_frozen_object(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    before = form.value()
    spin = form.editor("n_max")
    assert isinstance(spin, QSpinBox)
    spin.stepUp()
    # at once: a step is complete, and what is drawn follows a held arrow
    assert emitted == [Method(n_max=9)]
    qtbot.wait(200)
    assert emitted == [Method(n_max=9)]
    assert before == Method()
    assert form.value() == Method(n_max=9)


def test_typing_counts_once(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    spin = form.editor("r_cut")
    spin.setFocus()
    spin.selectAll()  # type: ignore[attr-defined]
    qtbot.keyClicks(spin, "6.25")
    assert emitted == []
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert emitted == [Method(r_cut=6.25)]
    qtbot.wait(200)
    assert len(emitted) == 1


def test_a_comma_is_a_point_and_nonsense_cannot_be_typed(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    spin = form.editor("r_cut")
    spin.setFocus()
    spin.selectAll()  # type: ignore[attr-defined]
    qtbot.keyClicks(spin, "7,x5")
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert emitted == [Method(r_cut=7.5)]


@pytest.mark.parametrize(("typed", "value"), [("99", 12.0), ("0.2", 1.0), ("", 5.0), ("-", 5.0), ("7e", 7.0)])
def test_illegal_numbers_are_corrected(form: ParameterForm, qtbot: QtBot, typed: str, value: float) -> None:
    spin = form.editor("r_cut")
    spin.setFocus()
    spin.selectAll()  # type: ignore[attr-defined]
    qtbot.keyClick(spin, Qt.Key.Key_Delete)
    qtbot.keyClicks(spin, typed)
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert form.value() == Method(r_cut=value)
    assert spin.value() == value  # type: ignore[attr-defined]


def test_steps_do_not_pick_up_rounding(form: ParameterForm, qtbot: QtBot) -> None:
    spin = form.editor("r_cut")
    assert isinstance(spin, QDoubleSpinBox)
    for _ in range(3):
        spin.stepUp()
    form.flush()
    assert form.value() == Method(r_cut=5.3)


def test_values_that_are_only_shown_are_not_rounded(form: ParameterForm) -> None:
    exact = Method(r_cut=10 / 3, regularisation=1.2345678901234567e-9)
    form.set_value(exact)
    box = form.editor("periodic")
    assert isinstance(box, QCheckBox)
    box.click()
    value = form.value()
    assert isinstance(value, Method)
    assert value.periodic
    assert value.r_cut == exact.r_cut
    assert value.regularisation == exact.regularisation


def test_boxes_and_choices_emit_at_once(form: ParameterForm) -> None:
    emitted = Emitted(form)
    periodic, level = form.editor("periodic"), form.editor("level")
    assert isinstance(periodic, QCheckBox)
    assert isinstance(level, QComboBox)
    periodic.click()
    level.setCurrentIndex(2)
    assert emitted == [Method(periodic=True), Method(periodic=True, level=3)]


def test_automatic_box(form: ParameterForm) -> None:
    emitted = Emitted(form)
    box = form.automatic_box("sigma")
    assert box is not None
    assert box.text() == "from the data"
    assert box.isChecked()
    assert not form.editor("sigma").isVisible()
    box.click()
    assert form.editor("sigma").isVisible()
    assert len(emitted) == 1
    assert emitted[0].sigma >= 0.01
    box.click()
    assert emitted[-1] == Method()
    assert form.automatic_box("r_cut") is None


def test_values_that_do_not_go_together(form: ParameterForm) -> None:
    emitted = Emitted(form)
    periodic, kind = form.editor("periodic"), form.editor("kind")
    error = form.findChild(QLabel, "error")
    assert isinstance(periodic, QCheckBox)
    assert isinstance(kind, QComboBox)
    assert error is not None
    periodic.click()
    kind.setCurrentIndex(1)
    assert emitted == [Method(periodic=True)]
    assert "never periodic" in error.text()
    assert error.isVisible()
    # both edits count once they go together
    periodic.click()
    assert emitted[-1] == Method(kind="b")
    assert not error.isVisible()


def test_advanced_parameters_are_folded(form: ParameterForm) -> None:
    toggle = form.findChild(QToolButton, "advanced_toggle")
    assert toggle is not None
    assert not form.editor("seed").isVisible()
    toggle.click()
    assert form.editor("seed").isVisible()
    # and stay as they were when another object of another class comes and goes
    form.set_value(CoulombMatrix())
    form.set_value(Method(seed=1))
    QApplication.processEvents()
    assert form.editor("seed").isVisible()


def test_defaults(form: ParameterForm) -> None:
    form.set_value(Method(r_cut=7.0, sigma=1.0))
    emitted = Emitted(form)
    reset = next(b for b in form.findChildren(QToolButton) if b.text() == "Defaults")
    assert reset.isEnabled()
    reset.click()
    assert emitted == [Method()]
    assert form.editor("r_cut").text() == "5 Å"  # type: ignore[attr-defined]
    assert not reset.isEnabled()
    reset.click()
    assert len(emitted) == 1


def test_an_echo_does_not_disturb_typing(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    word = form.editor("word")
    assert isinstance(word, QLineEdit)
    word.setFocus()
    word.selectAll()
    qtbot.keyClicks(word, "ab")
    form.set_value(Method())
    assert word.text() == "ab"
    assert word.cursorPosition() == 2
    qtbot.waitUntil(lambda: emitted == [Method(word="ab")], timeout=2000)


def test_another_value_replaces_pending_typing(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    word = form.editor("word")
    word.setFocus()
    qtbot.keyClicks(word, "pending")
    form.set_value(Method(word="undone"))
    qtbot.wait(200)
    assert emitted == []
    assert word.text() == "undone"  # type: ignore[attr-defined]


def test_hiding_finishes_typing(form: ParameterForm, qtbot: QtBot) -> None:
    emitted = Emitted(form)
    spin = form.editor("n_max")
    assert isinstance(spin, QSpinBox)
    spin.stepUp()
    form.hide()
    assert emitted == [Method(n_max=9)]


def test_the_wheel_scrolls_the_panel_not_the_value(form: ParameterForm) -> None:
    spin = form.editor("n_max")
    assert isinstance(spin, QSpinBox)
    form.editor("word").setFocus()
    at = QPointF(spin.rect().center())
    event = QWheelEvent(
        at,
        spin.mapToGlobal(at),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(spin, event)
    assert spin.value() == 8


def test_another_class_rebuilds_and_keeps_no_old_editor(form: ParameterForm) -> None:
    emitted = Emitted(form)
    form.set_value(CoulombMatrix(permutation="none"))
    with pytest.raises(KeyError):
        form.editor("r_cut")
    combo = form.editor("permutation")
    assert isinstance(combo, QComboBox)
    assert combo.currentText() == "as in the file"
    combo.setCurrentIndex(0)
    assert emitted == [CoulombMatrix()]
    form.set_value(Nothing())
    assert form.value() == Nothing()


def test_tab_goes_down_the_form(form: ParameterForm) -> None:
    order = []
    widget = form.editor("r_cut")
    for _ in range(40):
        order.append(widget.objectName())
        widget = widget.nextInFocusChain()
    names = [name for name in order if name in {p.name for p in Method.params()}]
    wanted = [p.name for p in Method.params()]
    assert names[: len(wanted)] == wanted


@pytest.mark.parametrize("width", [220, 320])
def test_picture(form: ParameterForm, screenshots: Path, width: int) -> None:
    form.set_advanced_open(True)
    form.resize(width, form.sizeHint().height())
    QApplication.processEvents()
    assert form.minimumSizeHint().width() <= 260
    for name in ("r_cut", "kind", "seed"):
        editor = form.editor(name)
        assert editor.mapTo(form, editor.rect().topRight()).x() <= form.width()
    assert form.grab().save(str(screenshots / f"parameter_form_{width}.png"))
