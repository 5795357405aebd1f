"""The meter reports what an event would have waited."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QThread

from qmlstudio.app import stalls
from qmlstudio.app.stalls import StallMeter


@pytest.fixture
def meter(qapp: QCoreApplication) -> Iterator[StallMeter]:
    made = StallMeter(threshold=0.1)
    yield made
    made.stop()


def turn(meter: StallMeter, ticks: int) -> None:
    goal = meter.count + ticks
    while meter.count < goal:
        QCoreApplication.processEvents()
        QThread.msleep(1)


def test_a_stall_is_seen_and_told(meter: StallMeter) -> None:
    told: list[float] = []
    meter.stalled.connect(told.append)
    meter.start()
    turn(meter, 5)
    time.sleep(0.3)
    turn(meter, 5)
    assert meter.worst >= 0.25
    assert max(told) >= 0.25
    assert meter.percentiles((100.0,))[100.0] == pytest.approx(meter.worst, rel=1e-6)
    assert f"{meter.worst * 1e3:.1f} ms" in meter.summary()


def test_swallowed_ticks_count(meter: StallMeter) -> None:
    """99 ticks on time and one that swallowed 100: half of all clicks would have waited, so the median must know."""
    meter._late[:100] = 0.0
    meter._late[50] = 0.5
    meter._count = 100
    found = meter.percentiles((25.0, 75.0, 100.0))
    assert found[25.0] == 0.0
    assert found[75.0] == pytest.approx(0.25, abs=0.01)
    assert found[100.0] == pytest.approx(0.5)


def test_waits_of_two_stalls_are_kept_apart(meter: StallMeter) -> None:
    meter._late[:3] = (0.012, 0.0, 0.0071)
    meter._count = 3
    assert sorted(meter._waits().tolist()) == pytest.approx([0.0, 0.002, 0.0021, 0.007, 0.0071, 0.012], abs=1e-6)


def test_reset_and_stop(meter: StallMeter) -> None:
    assert math.isnan(meter.percentiles()[50.0])
    assert not meter.is_running
    meter.start()
    assert meter.is_running
    turn(meter, 3)
    meter.reset()
    assert (meter.count, meter.worst) == (0, 0.0)
    turn(meter, 2)
    meter.stop()
    count = meter.count
    time.sleep(0.02)
    QCoreApplication.processEvents()
    assert meter.count == count >= 2


def test_time_between_stop_and_start_is_no_stall(meter: StallMeter) -> None:
    meter.start()
    turn(meter, 2)
    meter.stop()
    time.sleep(0.4)
    meter.reset()
    meter.start()
    turn(meter, 2)
    assert meter.worst < 0.3


def test_only_the_last_ticks_are_remembered(meter: StallMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "KEPT", 4)
    meter._late[:] = 1000.0
    meter.start()
    turn(meter, 9)
    assert meter.count >= 9
    assert meter.percentiles((100.0,))[100.0] < 1000.0
    assert (meter._late[4:] == 1000.0).all()
