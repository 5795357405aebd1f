"""Preferences outlive the process, are typed and checked, and never fail on a mangled file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QSettings

from qmlstudio.app.preferences import (
    BUILTIN,
    LEAST_MEMORY,
    MAX_RECENT,
    Preferences,
    default_memory_budget,
    settings_in,
    state_folder,
)


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    return Preferences(settings_in(tmp_path))


def again(preferences: Preferences) -> Preferences:
    """As the next start of the application reads them."""
    preferences.flush()
    return Preferences(settings_in(preferences.path.parent))


def test_defaults(preferences: Preferences) -> None:
    assert preferences.theme == "system"
    assert preferences.memory_budget == default_memory_budget() >= LEAST_MEMORY
    assert preferences.lasso_on_plain_drag is False
    assert preferences.recent_files == ()
    assert preferences.window_geometry is None
    assert preferences.window_state is None
    assert preferences.last_folder == str(Path.home())


def test_values_outlive_the_process(preferences: Preferences, tmp_path: Path) -> None:
    preferences.theme = "dark"
    preferences.memory_budget = 3 * 2**30
    preferences.lasso_on_plain_drag = True
    preferences.window_geometry = QByteArray(b"\x00\x01geometry\xff")
    preferences.window_state = QByteArray(b"state")
    preferences.last_folder = tmp_path
    after = again(preferences)
    assert after.theme == "dark"
    assert after.memory_budget == 3 * 2**30
    assert after.lasso_on_plain_drag is True
    assert after.window_geometry == QByteArray(b"\x00\x01geometry\xff")
    assert after.window_state == QByteArray(b"state")
    assert after.last_folder == str(tmp_path)
    after.lasso_on_plain_drag = False
    assert again(after).lasso_on_plain_drag is False


def test_illegal_values_are_refused(preferences: Preferences) -> None:
    with pytest.raises(ValueError, match="none of system, light, dark"):
        preferences.theme = "pink"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="below"):
        preferences.memory_budget = 10
    assert preferences.theme == "system"
    assert preferences.memory_budget == default_memory_budget()


@pytest.mark.parametrize(
    "text",
    [
        "[General]\ntheme=pink\nmemory_budget=much\nlasso_on_plain_drag=perhaps\nrecent_files=[broken\nlast_folder=/no/where\n",
        "[General]\ntheme=\nmemory_budget=-1\nlasso_on_plain_drag=\nrecent_files={}\nlast_folder=\n",
        "[General]\ntheme=1, 2\nmemory_budget=1, 2\nlasso_on_plain_drag=1, 2\nrecent_files=1, 2\nlast_folder=1, 2\n",
        "\x00\x01 no ini file at all ]][[",
    ],
)
def test_a_mangled_file_means_defaults(tmp_path: Path, text: str) -> None:
    Path(settings_in(tmp_path).fileName()).write_text(text)
    test_defaults(Preferences(settings_in(tmp_path)))


def test_changes_are_told_once_and_only_changes(preferences: Preferences) -> None:
    told: list[str] = []
    preferences.changed.connect(told.append)
    preferences.theme = "dark"
    preferences.theme = "dark"
    preferences.lasso_on_plain_drag = False
    preferences.lasso_on_plain_drag = True
    preferences.add_recent_file("a.xyz")
    preferences.add_recent_file("a.xyz")
    assert told == ["theme", "lasso_on_plain_drag", "recent_files"]


def test_recent_files_newest_first_each_once(preferences: Preferences, tmp_path: Path) -> None:
    here = tmp_path / "Å water, 1; x=2.xyz"
    here.write_text("")
    preferences.add_recent_file(here)
    assert [f.path for f in again(preferences).recent_files] == [str(here)], "a list of one stays a list"
    preferences.add_recent_file(tmp_path / "gone.xyz")
    preferences.add_recent_file(f"{BUILTIN}qm9")
    preferences.add_recent_file(str(here))
    found = again(preferences).recent_files
    assert [(f.name, f.exists) for f in found] == [(here.name, True), ("qm9", True), ("gone.xyz", False)]
    preferences.remove_recent_file(here)
    assert [f.name for f in preferences.recent_files] == ["qm9", "gone.xyz"]
    preferences.clear_recent_files()
    assert again(preferences).recent_files == ()


def test_recent_files_are_absolute_and_few(
    preferences: Preferences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(MAX_RECENT + 5):
        preferences.add_recent_file(f"{i}.xyz")
    found = again(preferences).recent_files
    assert len(found) == MAX_RECENT == 12
    assert found[0].path == os.path.join(tmp_path, f"{MAX_RECENT + 4}.xyz")


def test_reset(preferences: Preferences) -> None:
    preferences.theme = "light"
    preferences.add_recent_file("a.xyz")
    preferences.reset()
    test_defaults(again(preferences))


def test_the_user_s_own_file_is_an_ini_file(tmp_path: Path) -> None:
    old = Path(QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "QML Studio", "qmlstudio").fileName())
    assert Preferences().path == old
    assert old.suffix == ".ini"


def test_state_folder_follows_the_system_s_custom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = state_folder()
    assert folder.name == "qmlstudio"
    assert not folder.exists(), "asking makes no folder"
