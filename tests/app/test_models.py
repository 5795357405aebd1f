"""The shelf of models: names are unique, one is current, signals come when something changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app.models import ModelShelf
from qmlstudio.chem.structures import Species
from qmlstudio.learning.evaluation.tasks import Task, Transform
from qmlstudio.learning.models.baselines import MeanModel
from qmlstudio.learning.rows import Rows
from qmlstudio.representations import REGISTRY
from qmlstudio.session.shelf_model import ShelfModel


def model(name: str) -> ShelfModel:
    fitted = MeanModel().fit(Rows(np.zeros((3, 0))), np.array([1.0, 2.0, 3.0]))
    return ShelfModel(
        name=name,
        model=fitted,
        representation=REGISTRY["coulomb_matrix"](),
        species=Species((1,), (4,), 4),
        task=Task(target="gap"),
        transform=Transform("none", "structure", np.zeros(1), np.ones(1)),
        units=("eV",),
        dataset="a set",
        train=np.arange(3),
    )


def test_the_latest_is_current(qtbot: QtBot) -> None:
    shelf = ModelShelf()
    changes: list[str] = []
    shelf.changed.connect(lambda: changes.append("changed"))
    shelf.current_changed.connect(lambda m: changes.append(m.name if m else "none"))
    first = shelf.add(model("a"))
    second = shelf.add(model("a"))
    third = shelf.add(model("b"), make_current=False)
    assert [m.name for m in shelf.models] == ["a", "a (2)", "b"]
    assert shelf.current is second
    assert changes == ["changed", "a", "changed", "a (2)", "changed"]
    assert shelf.find("b") is third
    assert shelf.find("c") is None
    shelf.set_current(first)
    shelf.remove(first)
    assert shelf.current is third
    shelf.remove(first)
    shelf.remove(second)
    shelf.remove(third)
    assert shelf.current is None
    assert changes[-1] == "none"


def test_a_model_is_put_there_once(qtbot: QtBot) -> None:
    shelf = ModelShelf()
    one = shelf.add(model("a"))
    shelf.add(model("b"))
    assert shelf.add(one) is one
    assert shelf.current is one
    assert len(shelf.models) == 2
    with pytest.raises(ValueError, match="not on the shelf"):
        shelf.set_current(model("c"))


def test_a_renamed_model_stays_current(qtbot: QtBot) -> None:
    shelf = ModelShelf()
    one = shelf.add(model("a"))
    other = replace(one, name="better", path="/somewhere/a.qmlm")
    with qtbot.waitSignal(shelf.current_changed):
        shelf.replace(one, other)
    assert shelf.current is other
    with pytest.raises(ValueError, match="list"):
        shelf.replace(one, other)


def test_what_a_model_says_of_itself() -> None:
    one = model("a")
    assert one.label == "gap / eV"
    assert one.knows("a set")
    assert not one.knows("another")
    assert not replace(one, train=np.arange(2)).knows("a set")
    assert repr(one) == "<ShelfModel 'a'>"
