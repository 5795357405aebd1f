"""The Represent menu, plug-ins, and the warm-up."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qmlstudio import representations
from qmlstudio.app import represent
from qmlstudio.app.jobs import JobRunner
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY
from qmlstudio.shell import warm_up
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]


def test_menu_chooses_and_follows(make_window: Make, ready: Callable[..., None], xyz: Path) -> None:
    window = make_window(str(xyz))
    actions = window.actions_by_id
    assert actions["represent_coulomb_matrix"].isChecked()
    actions["represent_bag_of_bonds"].trigger()
    ready(window)
    assert window.store.session.representation.name == "bag_of_bonds"
    assert actions["represent_bag_of_bonds"].isChecked()
    assert not actions["represent_coulomb_matrix"].isChecked()
    actions["undo"].trigger()
    ready(window)
    assert actions["represent_coulomb_matrix"].isChecked()
    # the palette offers them like any other command
    found = [title for title, _, _ in window.actions_of_commands._commands("bag bonds")]
    assert found == [REGISTRY["bag_of_bonds"].title]
    actions["about_representation"].trigger()
    assert window.descriptor_view._dialog is not None
    actions["difference"].trigger()
    assert "Pin a structure first" in window.statusBar().currentMessage()
    ready(window)


def test_plug_ins_appear_and_broken_ones_are_told(
    make_window: Make, xyz: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = type("Own", (REGISTRY["coulomb_matrix"],), {"name": "own", "title": "Own", "help": "Of one's own."})

    def load() -> list[str]:
        monkeypatch.setitem(REGISTRY, "own", own)
        return ["plug-in other (no.such:Class) could not be loaded"]

    monkeypatch.setattr(representations, "load_plugins", load)
    with caplog.at_level(logging.WARNING, "qmlstudio.window"):
        window = make_window(str(xyz))
    assert "plug-in other" in caplog.text
    assert "represent_own" in window.actions_by_id
    assert window.descriptor_view._choice.choices()[-1].name == "own"
    monkeypatch.delitem(REGISTRY, "own")
    window.menus.show_representations()
    assert "represent_own" not in window.actions_by_id


def test_families_hold_every_representation_once() -> None:
    names = [name for _, family in represent.FAMILIES for name in family]
    assert len(names) == len(set(names))
    assert set(REGISTRY) <= set(names)
    assert [cls.name for cls in represent.in_families()] == [n for n in names if n in REGISTRY]


def test_crystals_are_asked_for_where_there_are_none() -> None:
    dataset = load_builtin("qm9_7")
    for cls in REGISTRY.values():
        assert bool(represent.unsuitable(cls, dataset)) == (cls.periodic == "required")
        assert represent.unsuitable(cls, None) == ""


def test_warm_up_begins_with_what_is_on_screen(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    steps = [step.name for step in warm_up._steps("bag_of_bonds")]
    assert sorted(steps) == sorted([*REGISTRY, "bonds", "depiction", "drawing", "embedding", "figures"])
    assert steps.index("bag_of_bonds") < steps.index("embedding") < steps.index("coulomb_matrix")

    done: list[str] = []

    def fail() -> None:
        raise ValueError("not today")

    made = [warm_up.Step("one", lambda: done.append("one")), warm_up.Step("two", fail)]
    made.append(warm_up.Step("three", lambda: done.append("three")))
    monkeypatch.setattr(warm_up, "_steps", lambda first: made)
    monkeypatch.setattr(warm_up, "_warm", set())
    # one that fails holds up no other; what is warm is not warmed again
    for _ in range(2):
        warm_up._warm_up("", Progress())
        assert done == ["one", "three"]
    assert "two could not be prepared: not today" in caplog.text


def test_warm_up_ends_between_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    made = [warm_up.Step(name, lambda name=name: done.append(name)) for name in ("one", "two")]  # type: ignore[misc]
    monkeypatch.setattr(warm_up, "_steps", lambda first: made)
    monkeypatch.setattr(warm_up, "_warm", set())
    with pytest.raises(Cancelled):
        warm_up._warm_up("", Progress(is_cancelled=lambda: bool(done)))
    assert done == ["one"]
    warm_up._warm_up("", Progress())
    assert done == ["one", "two"]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_representation_can_be_warmed_up(name: str) -> None:
    warm_up._representation(name)


def test_plug_ins_job(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representations, "load_plugins", lambda: ["broken"])
    runner, told = JobRunner(), []
    runner.submit(represent.plugins_job(told.append))
    assert runner.wait_idle(20)
    assert told == [["broken"]]
    runner.shutdown()
