"""What the preferences say of kept data sets, and do with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from qmlstudio.app.preferences import Preferences, settings_in
from qmlstudio.chem.store import Keeper, keeping
from qmlstudio.session.scripting import open_dataset
from qmlstudio.shell.dialogs import PreferencesDialog

WATER = "3\nx\nO 0 0 0\nH 0 0 1\nH 0 1 0\n"


def test_kept_sets_are_shown_limited_and_cleared(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screenshots: Path
) -> None:
    monkeypatch.setenv(keeping.FOLDER, str(tmp_path / "sets"))
    monkeypatch.setattr(keeping, "WORTH_SECONDS", 0.0)
    parent = QWidget()
    qtbot.addWidget(parent)

    def dialog() -> PreferencesDialog:
        made = PreferencesDialog(Preferences(settings_in(tmp_path)), parent)
        made.show()
        return made

    empty = dialog()
    assert empty._stored.text() == "none"
    assert not empty._clear.isEnabled()
    assert empty._stores.value() == 20
    empty.close()
    (tmp_path / "a.xyz").write_text(WATER * 2000)
    open_dataset(str(tmp_path / "a.xyz"))
    assert Keeper().size > 0
    shown = dialog()
    assert "on disk" in shown._stored.text()
    shown.grab().save(str(screenshots / "preferences.png"))
    shown._stores.setValue(3)
    shown._stores.editingFinished.emit()
    assert Keeper().budget == 3 * 2**30
    shown._clear.click()
    assert Keeper().size == 0
    assert shown._stored.text() == "none"
    assert not shown._clear.isEnabled()
    shown.close()
