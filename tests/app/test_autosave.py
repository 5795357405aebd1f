"""What is unsaved outlives a killed process, and nothing is left behind by one that ends well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QThread

from qmlstudio.app import autosave
from qmlstudio.app.autosave import Autosave, autosave_folder, discard, find_recoverable
from qmlstudio.session.storage import StorageError, header, load


def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Turn the event loop until `condition`; fails when that never comes true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        QCoreApplication.processEvents()
        QThread.msleep(1)


class Session:
    """Something to save."""

    def __init__(self) -> None:
        self.state, self.asked = 0, 0

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self.asked += 1
        return {"state": self.state}, {"points": np.full((10, 2), float(self.state))}


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def saver(qapp: QCoreApplication, session: Session, tmp_path: Path) -> Iterator[Autosave]:
    made = Autosave(session.snapshot, lambda: f"Walk {session.state}", folder=tmp_path / "auto", delay=0.05, longest=60)
    yield made
    made.close()


def test_a_change_is_on_disk_moments_later(saver: Autosave, session: Session) -> None:
    saved: list[str] = []
    saver.saved.connect(saved.append)
    assert not saver.is_pending
    session.state = 5
    saver.touch()
    assert saver.is_pending
    assert session.asked == 0, "not in the middle of the change"
    until(lambda: saved)
    assert saved == [str(saver.path)]
    document, arrays = load(saver.path)
    assert document == {"state": 5}
    assert (arrays["points"] == 5.0).all()
    assert header(saver.path)["title"] == "Walk 5"
    assert not saver.is_pending


def test_a_burst_of_changes_is_one_save(saver: Autosave, session: Session) -> None:
    for state in range(50):
        session.state = state
        saver.touch()
    until(lambda: not saver.is_pending)
    assert session.asked == 1
    assert load(saver.path)[0] == {"state": 49}


def test_changes_without_pause_do_not_put_it_off_for_ever(qapp: QCoreApplication, tmp_path: Path) -> None:
    session = Session()
    saver = Autosave(session.snapshot, folder=tmp_path, delay=60, longest=0.1)
    deadline = time.monotonic() + 20
    while not saver.path.exists():
        assert time.monotonic() < deadline
        saver.touch()
        QCoreApplication.processEvents()
    saver.close()


def test_the_main_thread_does_not_write(saver: Autosave, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, writers = threading.Event(), []
    real = autosave.save

    def slow(*args: Any, **details: Any) -> None:
        writers.append(threading.get_ident())
        assert gate.wait(20)
        real(*args, **details)

    monkeypatch.setattr(autosave, "save", slow)
    saver.touch()
    until(lambda: writers)
    # the event loop turned while it was being written; what changes meanwhile is written afterwards
    session.state = 7
    saver.touch()
    time.sleep(0.1)
    QCoreApplication.processEvents()
    assert len(writers) == 1, "one at a time"
    gate.set()
    until(lambda: not saver.is_pending)
    assert threading.get_ident() not in writers
    assert len(writers) == 2
    assert load(saver.path)[0] == {"state": 7}


def test_flush_writes_before_it_returns(saver: Autosave, session: Session) -> None:
    session.state = 3
    saver.touch()
    assert saver.flush()
    assert load(saver.path)[0] == {"state": 3}
    assert saver.flush(), "nothing to do"
    assert session.asked == 1


def test_clear_removes_the_file_and_what_is_pending(saver: Autosave, session: Session) -> None:
    saver.touch()
    until(lambda: not saver.is_pending)
    assert saver.path.exists()
    saver.touch()
    saver.clear()
    assert not saver.path.exists()
    assert not saver.is_pending
    saver.touch()
    until(lambda: saver.path.exists())


def test_clear_during_a_save(saver: Autosave, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered = threading.Event(), threading.Event()
    real = autosave.save

    def slow(*args: Any, **details: Any) -> None:
        entered.set()
        assert gate.wait(20)
        real(*args, **details)

    monkeypatch.setattr(autosave, "save", slow)
    saver.touch()
    until(entered.is_set)
    saver.clear()
    gate.set()
    until(lambda: not saver.is_pending)
    assert not saver.path.exists()


def test_a_failed_save_is_told_and_tried_again(
    saver: Autosave, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = autosave.save, []
    saver.failed.connect(failures.append)

    def full(path: Path, *_args: Any, **_details: Any) -> None:
        raise StorageError(path, "cannot be written: No space left on device", "make room")

    monkeypatch.setattr(autosave, "save", full)
    saver.touch()
    until(lambda: failures)
    assert "No space left" in failures[0]
    monkeypatch.setattr(autosave, "save", real)
    saver.touch()
    until(lambda: saver.path.exists())


def test_folder_that_cannot_be_made(qapp: QCoreApplication, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failures: list[str] = []
    saver = Autosave(Session().snapshot, folder=tmp_path / "file" / "auto", delay=0)
    saver.failed.connect(failures.append)
    saver.touch()
    until(lambda: failures)
    saver.close()


def test_a_good_end_leaves_nothing(qapp: QCoreApplication, tmp_path: Path) -> None:
    saver = Autosave(Session().snapshot, folder=tmp_path, delay=0)
    saver.touch()
    until(lambda: not saver.is_pending)
    assert len(os.listdir(tmp_path)) == 2
    saver.close()
    assert os.listdir(tmp_path) == []
    saver.touch()
    saver.close()
    assert not saver.is_pending
    assert find_recoverable(tmp_path) == []


def test_an_end_that_keeps_it_is_offered_next_time(qapp: QCoreApplication, tmp_path: Path) -> None:
    session = Session()
    saver = Autosave(session.snapshot, lambda: "Kept", folder=tmp_path)
    session.state = 9
    saver.touch()
    saver.close(keep=True)
    (found,) = find_recoverable(tmp_path)
    assert found.title == "Kept"
    assert load(found.path)[0] == {"state": 9}


def test_what_a_living_process_keeps_is_not_offered(saver: Autosave) -> None:
    saver.touch()
    assert saver.flush()
    assert find_recoverable(saver.path.parent) == []
    assert saver.path.exists()


def test_nothing_to_recover(tmp_path: Path) -> None:
    assert find_recoverable(tmp_path) == []
    assert find_recoverable(tmp_path / "none") == []


PROGRAM = """
import sys
import numpy as np
from PySide6.QtCore import QCoreApplication
from qmlstudio.app.autosave import Autosave

application = QCoreApplication([])
state = int(sys.argv[2])
snapshot = lambda: ({"state": state}, {"x": np.arange(state)})
saver = Autosave(snapshot, lambda: f"Session {state}", folder=sys.argv[1], delay=0)
saver.saved.connect(lambda path: print(path, flush=True))
saver.touch()
application.exec()
"""


def start(folder: Path, state: int) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(state)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_sessions_of_killed_processes_are_recovered(tmp_path: Path) -> None:
    first, first_path = start(tmp_path, 1)
    second, second_path = start(tmp_path, 2)
    living, living_path = start(tmp_path, 3)
    try:
        kill(first)
        kill(second)
        os.utime(first_path, (1e9, 1e9))
        found = find_recoverable(tmp_path)
        assert [(r.path, r.title) for r in found] == [(second_path, "Session 2"), (first_path, "Session 1")]
        assert found[1].time.timestamp() == 1e9
        assert found[0].time.tzinfo is not None
        document, arrays = load(found[0].path)
        assert document == {"state": 2}
        assert len(arrays["x"]) == 2
        assert find_recoverable(tmp_path) == found, "asking takes nothing away"
        discard(found[0])
        discard(found[0])
        assert [r.title for r in find_recoverable(tmp_path)] == ["Session 1"]
        assert living_path.exists()
    finally:
        kill(living)
    assert {r.title for r in find_recoverable(tmp_path)} == {"Session 1", "Session 3"}


def test_rubbish_is_left_out_or_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    process, path = start(tmp_path, 1)
    kill(process)
    path.with_name("1-damaged.qmls").write_bytes(b"PK\x03\x04 but no more")
    left = [path.with_name("2-alone.lock"), path.with_name(f".3-half.qmls.{'0' * 8}-1-{'0' * 8}.tmp")]
    for file in left:
        file.write_bytes(b"")
        os.utime(file, (1e9, 1e9))
    assert [r.path for r in find_recoverable(tmp_path)] == [path]
    assert "truncated" in caplog.text
    assert not any(file.exists() for file in left)
    assert path.with_name("1-damaged.qmls").exists(), "perhaps somebody can mend it"


def test_lock_without_content_protects_for_a_moment_only(tmp_path: Path) -> None:
    process, path = start(tmp_path, 1)
    kill(process)
    lock = path.with_suffix(".lock")
    lock.write_bytes(b"")
    assert find_recoverable(tmp_path) == [], "perhaps it is being written"
    os.utime(lock, (1e9, 1e9))
    assert [r.path for r in find_recoverable(tmp_path)] == [path]
    assert not lock.exists()


@pytest.mark.skipif(os.name == "nt", reason="a signal of POSIX systems")
def test_terminated_process_is_recovered_too(tmp_path: Path) -> None:
    process, path = start(tmp_path, 4)
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert [r.path for r in find_recoverable(tmp_path)] == [path]


def test_folder_is_the_user_s_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(autosave, "state_folder", lambda: tmp_path)
    assert autosave_folder() == tmp_path / "autosave"
    assert Autosave(Session().snapshot).path.parent == tmp_path / "autosave"
