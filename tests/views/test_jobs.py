import time
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import Job
from qmlstudio.progress import Progress
from qmlstudio.views.jobs import JobStatus, JobsView, format_seconds


@pytest.fixture
def view(rig: Any, qtbot: QtBot) -> JobsView:
    view = JobsView(rig.runner)
    qtbot.addWidget(view)
    view.resize(800, 240)
    view.show()
    return view


def endless(progress: Progress) -> None:
    for i in range(10_000):
        progress(i / 10_000, "counting")
        time.sleep(0.005)


def wrong(progress: Progress) -> None:
    raise ValueError("two atoms at the same place")


def test_rows_say_how_jobs_went(view: JobsView, rig: Any, screenshots: Path) -> None:
    rig.runner.submit(Job(key="a", slot="a", title="Good", compute=lambda progress: 1))
    rig.runner.submit(Job(key="b", slot="b", title="Bad", compute=wrong))
    rig.settle()
    states = {view._tree.topLevelItem(i).text(0): view._tree.topLevelItem(i).text(1) for i in range(2)}
    assert states == {"Good": "done", "Bad": "failed"}
    assert "two atoms at the same place" in view._log.toPlainText()
    assert "Traceback" in view._log.toPlainText()
    assert view.grab().save(str(screenshots / "jobs.png"))


def test_running_job_shows_progress_and_can_be_cancelled(view: JobsView, rig: Any, qtbot: QtBot) -> None:
    rig.runner.submit(Job(key="a", slot="a", title="Endless", compute=endless))
    row = None
    qtbot.waitUntil(lambda: view._tree.topLevelItemCount() == 1, timeout=3000)
    row = view._tree.topLevelItem(0)
    qtbot.waitUntil(lambda: row.text(1) == "counting", timeout=3000)
    button = view._tree.itemWidget(row, 4).findChild(QToolButton)
    button.click()
    assert row.text(1) == "cancelled"
    rig.settle()


def test_status_bar_shows_the_running_job(rig: Any, qtbot: QtBot) -> None:
    status = JobStatus(rig.runner)
    qtbot.addWidget(status)
    status.show()
    rig.runner.submit(Job(key="a", slot="a", title="Endless", compute=endless))
    qtbot.waitUntil(lambda: status._bar.isVisible() and "counting" in status._text.text(), timeout=3000)
    status._cancel.click()
    assert not status._bar.isVisible()
    assert status._text.text() == ""
    rig.settle()


def test_a_long_computation_goes_on_behind_a_short_one(view: JobsView, rig: Any, qtbot: QtBot) -> None:
    status = JobStatus(rig.runner)
    qtbot.addWidget(status)
    status.show()
    rig.runner.submit(Job(key="l", slot="l", title="Long", compute=endless, lane="process"))
    qtbot.waitUntil(lambda: "counting" in status._text.text(), timeout=3000)
    rig.runner.submit(Job(key="s", slot="s", title="Short", compute=lambda progress: time.sleep(0.1)))
    qtbot.waitUntil(lambda: status._text.text() == "Short", timeout=3000)
    qtbot.waitUntil(lambda: "counting" in status._text.text(), timeout=3000)
    assert status._bar.isVisible()
    assert {view._tree.topLevelItem(i).text(0) for i in range(2)} == {"Long", "Short"}
    status._cancel.click()
    assert not status._bar.isVisible()
    rig.settle()


def test_the_active_structures_jobs_are_not_listed(view: JobsView, rig: Any) -> None:
    rig.runner.submit(Job(key="a", slot="a", title="Quick", compute=lambda progress: 1, lane="interactive"))
    rig.settle()
    assert view._tree.topLevelItemCount() == 0


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "0.2 s"), (12.3, "12 s"), (200, "3 min 20 s")])
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
