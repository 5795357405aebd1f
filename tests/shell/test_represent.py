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
from qmlstudio.representations import AEV, REGISTRY
from qmlstudio.shell import actions, warm_up
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]


def test_menu_chooses_and_follows(make_window: Make, ready: Callable[..., None], xyz: Path) -> None:
    window = make_window(str(xyz))
    by_id = window.actions_by_id
    assert by_id["represent_coulomb_matrix"].isChecked()
    by_id["represent_bag_of_bonds"].trigger()
    ready(window)
    assert window.store.session.representation.name == "bag_of_bonds"
    assert by_id["represent_bag_of_bonds"].isChecked()
    assert not by_id["represent_coulomb_matrix"].isChecked()
    by_id["undo"].trigger()
    ready(window)
    assert by_id["represent_coulomb_matrix"].isChecked()
    # the palette offers them like any other command
    found = [title for title, _, _ in window.actions_of_commands._commands("bag bonds")]
    assert found == [REGISTRY["bag_of_bonds"].title]
    by_id["about_representation"].trigger()
    assert window.descriptor_view._dialog is not None
    by_id["difference"].trigger()
    assert "Pin a structure first" in window.statusBar().currentMessage()
    ready(window)


PARAMS = """TM = 1
Rcr = 5.2
Rca = 3.5
EtaR = [16.0]
ShfR = [0.9,1.2,1.5]
Zeta = [32.0]
ShfZ = [0.2,1.6]
EtaA = [8.0]
ShfA = [0.9,1.55]
Atyp = [H,C,N,O]
"""


def test_constants_of_a_network(
    make_window: Make, ready: Callable[..., None], xyz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = xyz.with_name("small.params")
    path.write_text(PARAMS)
    window = make_window(str(xyz))
    monkeypatch.setattr(actions.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    told: list[str] = []
    monkeypatch.setattr(window, "show_error", lambda message, *_: told.append(message))
    window.actions_by_id["open_params"].trigger()
    ready(window)
    chosen = window.store.session.representation
    assert isinstance(chosen, AEV)
    assert chosen.size(window.store.dataset.structures.species) == 4 * 3 + 10 * 4  # type: ignore[union-attr]
    path.write_text(PARAMS.replace("Rca = 3.5", "Rca = long"))
    window.actions_by_id["open_params"].trigger()
    assert window.store.session.representation == chosen
    assert "small.params" in told[0]
    assert "3" in told[0]
    path.write_text(PARAMS.replace("Rca = 3.5", "Rca = 3.0"))
    window.open_paths([str(path)])  # dropped, or opened like a file of data
    assert isinstance(new := window.store.session.representation, AEV)
    assert new.Rca == 3.0


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
    assert sorted(steps) == sorted(
        [*REGISTRY, "bonds", "comparison", "depiction", "drawing", "embedding", "figures", "neighbours", "overlays"]
    )
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
