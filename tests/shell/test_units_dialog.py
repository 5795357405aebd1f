"""The dialog of units: conversion, correction that is remembered, energies of other kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.chem.units import factor
from qmlstudio.shell.main_window import MainWindow
from qmlstudio.shell.units_dialog import UnitsDialog

Make = Callable[..., MainWindow]
METHANE = "C 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\nH -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"
WATER = "O 0 0 0.1\nH 0 0.76 -0.48\nH 0 -0.76 -0.48\n"


@pytest.fixture
def totals(tmp_path: Path) -> Path:
    """Total energies in hartree of a file that does not say so."""
    path = tmp_path / "totals.xyz"
    text = "".join(f"5\nU0={-40.47893 + 0.001 * i}\n{METHANE}3\nU0={-76.404702 + 0.001 * i}\n{WATER}" for i in range(4))
    path.write_text(text)
    return path


def opened(window: MainWindow, column: str) -> UnitsDialog:
    dialog = UnitsDialog(window, column)
    dialog.open()
    assert window.runner.wait_idle(30)
    return dialog


def test_a_wrong_unit_is_seen_corrected_and_remembered(
    make_window: Make, totals: Path, screenshots: Path, ready: Callable[..., None]
) -> None:
    window = make_window(str(totals))
    store = window.store
    assert store.columns is not None
    told = store.columns["U0"].unit
    dialog = opened(window, "U0")
    assert dialog.column == "U0"
    assert told != "Ha"
    assert "total energies in Ha" in dialog._note.text()
    assert dialog.correct_to.currentText() == "Ha"
    dialog.correct_to.setCurrentText("hartree")
    dialog.correct_button.click()
    assert store.columns["U0"].unit == "Ha"
    assert store.columns["U0"].values[0] == -40.47893
    assert window.runner.wait_idle(30)
    assert dialog.before.currentData() == "total"
    assert dialog.level.currentData() == "b3lyp_qm9_U0"
    dialog.unit.setCurrentText("kcal/mol")
    dialog.add_button.click()
    assert window.runner.wait_idle(30)
    column = store.columns["U0_atomization"]
    assert column.unit == "kcal/mol"
    assert column.values[0] == pytest.approx(-395.999, abs=2e-3)
    dialog.grab().save(str(screenshots / "units_light.png"))
    dialog.close()
    window.open_paths(["builtin:ethanol_500K"])
    ready(window)
    window.open_paths([str(totals)])
    assert window.runner.wait_idle(60)
    ready(window)
    assert store.columns is not None
    assert store.columns["U0"].unit == "Ha", "remembered"
    assert "U0_atomization" not in store.columns
    dialog = opened(window, "U0")
    dialog.restore_button.click()
    assert store.columns["U0"].unit == told
    assert not window.preferences.unit_corrections(store.session.dataset.fingerprint)
    dialog.close()


def test_conversion_is_one_step_of_the_history(make_window: Make, qtbot: QtBot, screenshots: Path) -> None:
    window = make_window("builtin:qm9_7", theme="dark")
    store = window.store
    dialog = opened(window, "gap")
    before = store.properties["gap"].values
    dialog.convert_to.setCurrentText("eV")
    dialog.convert_button.click()
    assert store.properties["gap"].unit == "eV"
    assert np.allclose(store.properties["gap"].values, before * factor("Ha", "eV"))
    dialog.grab().save(str(screenshots / "units_dark.png"))
    store.undo()
    assert store.properties["gap"].unit == "Ha"
    assert store.undo_text == ""
    dialog.close()
