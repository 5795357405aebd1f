from collections import Counter

from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from qmlstudio.app import represent
from qmlstudio.app.commands import COMMANDS, MENUS
from qmlstudio.representations import REGISTRY
from qmlstudio.shell.actions import Actions
from qmlstudio.shell.dialogs import matching_commands


def test_each_command_does_something() -> None:
    submenus = {"open_recent", "builtin"}
    assert all(callable(getattr(Actions, f"on_{c.id}", None)) for c in COMMANDS if c.id not in submenus)
    assert {c.menu for c in COMMANDS} == set(MENUS)


def test_names_and_shortcuts_are_unique(qtbot: QtBot) -> None:
    assert max(Counter(c.id for c in COMMANDS).values()) == 1
    keys = Counter(QKeySequence(c.shortcut).toString() for c in COMMANDS if c.shortcut)
    keys.update(f"Ctrl+{n}" for n in range(1, 4))  # the panels
    assert [k for k, n in keys.items() if n > 1] == []


def test_tooltips_bear_the_shortcut() -> None:
    assert all(f"({c.shortcut})" in c.tooltip for c in COMMANDS if c.shortcut)


def test_palette_finds_words_in_any_order() -> None:
    assert [c.id for c in matching_commands("figure export", COMMANDS)] == ["export_figure"]
    assert len(matching_commands("", COMMANDS)) == len(COMMANDS)
    assert matching_commands("no such thing", COMMANDS) == []


def test_every_representation_is_a_command() -> None:
    commands = represent.commands()
    assert sorted(c.id for c in commands) == sorted(f"represent_{name}" for name in REGISTRY)
    assert all(c.menu in MENUS and c.checkable and c.tip for c in commands)
    assert [c.id for c in matching_commands("coulomb bag", commands)] == []
    assert [c.id for c in matching_commands("bag bonds", commands)] == ["represent_bag_of_bonds"]
    assert not {c.id for c in commands} & {c.id for c in COMMANDS}
