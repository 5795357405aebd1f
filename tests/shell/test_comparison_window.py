"""The window of the comparison opens once, and its common map opens in the main window."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qmlstudio.session.comparison import CoverageSpec
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    path = tmp_path / "water.xyz"
    path.write_text("".join(f"3\n\nO 0 0 0\nH 0 0 {0.9 + 0.01 * i}\nH 0 0.9 {0.01 * i}\n" for i in range(30)))
    return path


def test_a_common_map_opens_in_the_window(make_window: Make, ready: Callable[..., None], xyz: Path) -> None:
    window = make_window(str(xyz))
    window.actions_by_id["compare_data"].trigger()
    window.actions_by_id["compare_data"].trigger()
    from qmlstudio.shell.comparison_window import ComparisonWindow

    (box,) = window.findChildren(ComparisonWindow)
    engine = box.view.engine
    assert [e.name for e in engine.entries] == [window.store.session.dataset.name]
    engine.add_path("builtin:ethanol_500K")
    assert window.runner.wait_idle(60)
    box.view.coverage._spec = CoverageSpec(sample=25)
    box.view.coverage.compute.click()
    assert window.runner.wait_idle(60)
    box.view.coverage.join.click()
    assert window.runner.wait_idle(60)
    ready(window)
    store = window.store
    assert store.dataset is not None
    assert len(store.dataset) == 50
    assert store.session.coloring.color_by == "set"
    assert store.session.representation == box.view.coverage.representation
    assert store.undo_text
    assert store.dataset.name in window.windowTitle()
    window.switch.set_mode("dark")
    box.close()
    window.runner.wait_idle(60)
    assert engine.entries == ()
