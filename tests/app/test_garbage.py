"""Cycles are collected by the main thread only, and Python's own collection comes back afterwards."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from qmlstudio.app import garbage
from qmlstudio.app.garbage import GarbageCollector


class Cycle:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collector(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[GarbageCollector]:
    monkeypatch.setattr(garbage, "INTERVAL_MS", 20)
    made = GarbageCollector()
    yield made
    made.stop()
    gc.unfreeze()


def cycles(count: int) -> list[weakref.ref[Cycle]]:
    return [weakref.ref(Cycle()) for _ in range(count)]


def test_a_worker_never_collects(collector: GarbageCollector) -> None:
    found: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        found.append(threading.current_thread().name)

    gc.callbacks.append(note)
    try:
        worker = threading.Thread(target=cycles, args=(5000,), name="worker")
        worker.start()
        worker.join()
    finally:
        gc.callbacks.remove(note)
    assert "worker" not in found


def test_the_event_loop_collects(collector: GarbageCollector, qtbot: QtBot) -> None:
    made = cycles(2000)
    assert any(ref() is not None for ref in made)
    qtbot.waitUntil(lambda: all(ref() is None for ref in made), timeout=5000)


def test_keep_takes_objects_out_of_collections(collector: GarbageCollector) -> None:
    before = gc.get_freeze_count()
    collector.keep()
    assert gc.get_freeze_count() > before


def test_python_collects_again_afterwards(qtbot: QtBot) -> None:
    assert gc.isenabled()
    collector = GarbageCollector()
    assert not gc.isenabled()
    collector.stop()
    collector.stop()
    assert gc.isenabled()


def test_it_does_not_enable_what_was_disabled(qtbot: QtBot) -> None:
    gc.disable()
    try:
        collector = GarbageCollector()
        collector.stop()
        assert not gc.isenabled()
    finally:
        gc.enable()
