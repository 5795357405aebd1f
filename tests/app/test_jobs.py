"""Jobs: latest wins, nothing stale is ever delivered, the window stays alive, no thread is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QThread, QTimer

from qmlstudio.app import jobs
from qmlstudio.app.jobs import WARM_UP, Job, JobHandle, JobRunner
from qmlstudio.app.worker import NICENESS
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture
def runner(qapp: QCoreApplication) -> Iterator[JobRunner]:
    made = JobRunner()
    yield made
    assert made.shutdown(10.0)


def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Turn the event loop until `condition`; fails when that never comes true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        QCoreApplication.processEvents()
        QThread.msleep(1)


def endless(progress: Progress) -> None:
    """Works until cancelled."""
    while True:
        progress.check()
        time.sleep(0.002)


def job(slot: str, compute: Callable[[Progress], Any], key: str | None = None, **details: Any) -> Job:
    return Job(key=key or f"{slot}-{id(compute)}", slot=slot, title=slot.title(), compute=compute, **details)


class Gate:
    """Keeps a lane busy until opened."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, progress: Progress) -> str:
        self.entered.set()
        assert self.open.wait(20)
        return "through"


def test_result_is_delivered_in_the_main_thread(runner: JobRunner) -> None:
    seen: dict[str, Any] = {}

    def compute(progress: Progress) -> int:
        seen["computed in"] = threading.get_ident()
        return 42

    def done(value: int) -> None:
        seen["value"], seen["delivered in"] = value, threading.get_ident()

    handle = runner.submit(job("map", compute, done=done))
    assert runner.wait_idle()
    assert seen["value"] == 42
    assert seen["delivered in"] == threading.get_ident() != seen["computed in"]
    assert handle.state == "done"
    assert handle.fraction == 1.0
    assert handle.ended is not None
    assert handle.started is not None
    assert handle.ended >= handle.started >= handle.submitted


def test_latest_of_a_slot_wins(runner: JobRunner) -> None:
    delivered: list[str] = []
    first = runner.submit(job("map", endless, "a", done=delivered.append))
    until(lambda: first.state == "running")
    second = runner.submit(job("map", lambda p: "second", "b", done=delivered.append))
    third = runner.submit(job("map", lambda p: "third", "c", done=delivered.append))
    other = runner.submit(job("model", lambda p: "other", "d", done=delivered.append))
    assert runner.wait_idle()
    assert delivered == ["third", "other"]
    assert [h.state for h in (first, second, third, other)] == ["cancelled", "cancelled", "done", "done"]
    assert first.cancel_seconds is not None
    assert second.started is None


def test_superseded_between_completion_and_delivery(runner: JobRunner) -> None:
    delivered: list[str] = []
    partials: list[str] = []
    finished: list[tuple[str, str]] = []
    runner.finished.connect(lambda handle, state: finished.append((handle.key, state)))

    def compute(progress: Progress) -> str:
        progress.partial("stale")
        return "stale"

    runner.submit(job("map", compute, "a", done=delivered.append, partial=partials.append))
    task = runner._lines["batch"].task
    assert task is not None
    while task.state != "done":  # the event loop does not turn here: the result waits for delivery
        time.sleep(0.001)
    time.sleep(0.05)
    runner.submit(job("map", lambda p: "fresh", "b", done=delivered.append))
    assert runner.wait_idle()
    assert delivered == ["fresh"]
    assert partials == []
    assert finished == [("a", "cancelled"), ("b", "done")]


def test_same_work_goes_on_and_delivers_to_the_newcomer(runner: JobRunner) -> None:
    gate, delivered = Gate(), []
    first = runner.submit(job("map", gate, "same", done=lambda value: delivered.append(("old", value))))
    until(gate.entered.is_set)
    second = runner.submit(job("map", gate, "same", done=lambda value: delivered.append(("new", value))))
    assert second is first
    gate.open.set()
    assert runner.wait_idle()
    assert delivered == [("new", "through")]
    # finished work is not unfinished work: asked again, it runs again
    assert runner.submit(job("map", gate, "same")) is not first


def test_same_work_after_a_cancel_starts_afresh(runner: JobRunner) -> None:
    delivered: list[str] = []
    gate = Gate()
    first = runner.submit(job("map", gate, "same", done=delivered.append))
    until(gate.entered.is_set)
    runner.cancel("map")
    second = runner.submit(job("map", lambda p: "again", "same", done=delivered.append))
    gate.open.set()
    assert runner.wait_idle()
    assert second is not first
    assert delivered == ["again"]


def test_conflated_jobs_deliver_while_input_keeps_coming(runner: JobRunner) -> None:
    delivered: list[int] = []
    for i in range(60):
        runner.submit(
            job("descriptor", lambda p, i=i: i, str(i), done=delivered.append, lane="interactive", conflate=True)
        )
        if i % 10 == 9:
            until(lambda i=i: len(delivered) > i // 10)
    assert runner.wait_idle()
    assert delivered[-1] == 59
    assert len(delivered) >= 6
    assert delivered == sorted(delivered)
    assert len(delivered) < 60, "waiting ones are replaced"


@pytest.mark.parametrize("by", ["slot", "handle", "all"])
def test_cancel(runner: JobRunner, by: str) -> None:
    delivered: list[Any] = []
    handle = runner.submit(job("map", endless, done=delivered.append, failed=lambda e, t: delivered.append(e)))
    waiting = runner.submit(job("map2", endless, done=delivered.append))
    until(lambda: handle.state == "running")
    if by == "all":
        runner.cancel_all()
    else:
        runner.cancel(handle if by == "handle" else "map")
        runner.cancel(waiting if by == "handle" else "map2")
    assert handle.state == waiting.state == "cancelled"
    assert runner.wait_idle()
    assert delivered == []
    assert handle.cancel_seconds is not None


def test_compute_that_swallows_its_cancel_delivers_nothing(runner: JobRunner) -> None:
    delivered: list[str] = []

    def stubborn(progress: Progress) -> str:
        with contextlib.suppress(Cancelled):
            endless(progress)
        return "anyway"

    handle = runner.submit(job("map", stubborn, done=delivered.append))
    until(lambda: handle.state == "running")
    runner.cancel("map")
    assert runner.wait_idle()
    assert delivered == []


def test_failure_is_reported_with_its_traceback(runner: JobRunner, caplog: pytest.LogCaptureFixture) -> None:
    failures: list[tuple[BaseException, str]] = []

    def compute(progress: Progress) -> None:
        inner_detail = 1
        raise ValueError(f"no {inner_detail} structure")

    handle = runner.submit(job("map", compute, failed=lambda error, text: failures.append((error, text))))
    assert runner.wait_idle()
    ((error, text),) = failures
    assert isinstance(error, ValueError)
    assert "inner_detail" in text
    assert "ValueError: no 1 structure" in text
    assert handle.state == "failed"
    assert handle.error == "ValueError: no 1 structure"
    assert handle.traceback == text
    assert "no 1 structure" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_no_exception_kills_the_thread(runner: JobRunner, error: type[BaseException]) -> None:
    delivered: list[str] = []

    def compute(progress: Progress) -> None:
        raise error

    handle = runner.submit(job("map", compute))
    runner.submit(job("next", lambda p: "alive", done=delivered.append))
    assert runner.wait_idle()
    assert handle.state == "failed"
    assert delivered == ["alive"]


def test_failure_keeps_no_array_alive(runner: JobRunner) -> None:
    held: list[weakref.ref[Any]] = []
    errors: list[BaseException] = []

    def compute(progress: Progress) -> None:
        array = np.zeros(10)
        held.append(weakref.ref(array))
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    runner.submit(job("map", compute, failed=lambda error, text: errors.append(error)))
    assert runner.wait_idle()
    gc.collect()
    assert errors
    assert held[0]() is None


def test_partial_results_are_coalesced_latest_wins(runner: JobRunner) -> None:
    events: list[tuple[str, Any]] = []

    def compute(progress: Progress) -> str:
        for i in range(5000):
            progress.partial(i)
        return "end"

    runner.submit(
        job(
            "map",
            compute,
            partial=lambda value: events.append(("partial", value)),
            done=lambda value: events.append(("done", value)),
        )
    )
    assert runner.wait_idle()
    values = [value for kind, value in events if kind == "partial"]
    assert values == sorted(values)
    assert len(values) < 500, "the main thread is not flooded"
    assert events[-1] == ("done", "end")


def test_last_partial_result_arrives_though_nothing_follows(runner: JobRunner) -> None:
    gate, values = Gate(), []
    first_is_there = threading.Event()

    def compute(progress: Progress) -> None:
        progress.partial(0)
        assert first_is_there.wait(20)
        for i in range(1, 100):  # too soon after the first: they wait for a timer
            progress.partial(i)
        gate(progress)

    def partial(value: int) -> None:
        values.append(value)
        first_is_there.set()

    runner.submit(job("map", compute, partial=partial))
    until(lambda: 99 in values)
    gate.open.set()
    assert runner.wait_idle()


def test_progress_is_reported_with_an_estimate(runner: JobRunner) -> None:
    seen: list[tuple[float, str, float | None]] = []
    runner.progressed.connect(lambda handle, fraction, message, eta: seen.append((fraction, message, eta)))

    def compute(progress: Progress) -> None:
        for i in range(1, 101):
            progress(i / 100, f"slice {i}")
            time.sleep(0.008)

    handle = runner.submit(job("map", compute))
    assert runner.wait_idle()
    assert [fraction for fraction, _, _ in seen] == sorted(fraction for fraction, _, _ in seen)
    assert 2 <= len(seen) < 100
    assert seen[-1][1].startswith("slice")
    assert seen[0][2] is None
    estimates = [eta for _, _, eta in seen if eta is not None]
    assert estimates
    assert all(eta >= 0 for eta in estimates)
    assert handle.fraction == 1.0
    assert handle.eta is None


def test_order_is_by_priority_then_submission(runner: JobRunner) -> None:
    gate, order = Gate(), []
    runner.submit(job("gate", gate))
    until(gate.entered.is_set)
    for slot, priority in (("warm", WARM_UP), ("a", 0), ("urgent", 5), ("b", 0)):
        runner.submit(job(slot, lambda p, slot=slot: order.append(slot), priority=priority))
    gate.open.set()
    assert runner.wait_idle()
    assert order == ["urgent", "a", "b", "warm"]


def test_next_stage_goes_before_a_waiting_warm_up(runner: JobRunner) -> None:
    order: list[str] = []

    def stage(name: str) -> Callable[[Progress], None]:
        return lambda progress: order.append(name)

    def first_done(_value: None) -> None:
        # the same slot: the finished stage is not thrown away, the next one follows at once
        runner.submit(job("pipeline", stage("second"), "2"))

    runner.submit(job("pipeline", stage("first"), "1", done=first_done))
    runner.submit(job("warm-up", stage("warm-up"), priority=WARM_UP))
    assert runner.wait_idle()
    assert order == ["first", "second", "warm-up"]
    assert [h.state for h in runner.jobs()] == ["done"] * 3


def test_a_warm_up_makes_way_and_starts_again(runner: JobRunner) -> None:
    order: list[str] = []
    life: list[tuple[str, str]] = []
    runner.started.connect(lambda handle: life.append((handle.slot, "started")))
    runner.finished.connect(lambda handle, state: life.append((handle.slot, state)))
    begun, calm = threading.Event(), threading.Event()

    def warm_up(progress: Progress) -> None:
        begun.set()
        while not calm.is_set():
            progress(0.5, "compiling")
            time.sleep(0.002)
        order.append("warm-up")

    handle = runner.submit(job("warm-up", warm_up, priority=WARM_UP, done=lambda value: order.append("warmed up")))
    until(begun.is_set)
    other = runner.submit(job("other", lambda p: order.append("other warm-up"), priority=WARM_UP))
    assert handle.state == "running", "equals wait for each other"
    runner.submit(job("map", lambda p: (order.append("map"), calm.set())))
    assert handle.state == "queued"
    assert runner.running == ()
    assert runner.wait_idle()
    assert order[0] == "map"
    assert sorted(order) == ["map", "other warm-up", "warm-up", "warmed up"]
    assert handle.state == other.state == "done"
    assert [what for slot, what in life if slot == "warm-up"] == ["started", "started", "done"]


def test_a_warm_up_that_has_just_ended_does_not_run_again(runner: JobRunner) -> None:
    gate, runs = Gate(), []

    def warm_up(progress: Progress) -> None:
        runs.append(1)
        gate(progress)

    handle = runner.submit(job("warm-up", warm_up, priority=WARM_UP))
    until(gate.entered.is_set)
    runner.submit(job("map", lambda p: None))
    assert handle.state == "queued"
    gate.open.set()  # it does not ask its Progress any more
    assert runner.wait_idle()
    assert handle.state == "done"
    assert len(runs) == 1


def test_a_warm_up_that_makes_way_can_be_cancelled(runner: JobRunner) -> None:
    delivered: list[Any] = []
    gate = Gate()
    handle = runner.submit(job("warm-up", gate, priority=WARM_UP, done=delivered.append))
    until(gate.entered.is_set)
    runner.submit(job("map", lambda p: "map", done=delivered.append))
    runner.cancel("warm-up")
    gate.open.set()
    assert runner.wait_idle()
    assert handle.state == "cancelled"
    assert delivered == ["map"]


def test_lanes_run_at_the_same_time(runner: JobRunner) -> None:
    meeting = threading.Barrier(len(jobs.LANES), timeout=20)
    threads: list[int] = []

    def compute(progress: Progress) -> None:
        meeting.wait()
        threads.append(threading.get_ident())

    handles = [runner.submit(job(lane, compute, lane=lane)) for lane in jobs.LANES]
    assert runner.wait_idle()
    assert {h.state for h in handles} == {"done"}
    assert len(set(threads)) == len(jobs.LANES)


@pytest.mark.parametrize("lane", ["process", "network"])
def test_long_waits_keep_nobody_from_working(runner: JobRunner, lane: jobs.Lane) -> None:
    delivered: list[str] = []
    long = runner.submit(job("long", endless, lane=lane))
    for other in jobs.LANES:
        if other != lane:
            runner.submit(job(other, lambda p, other=other: other, lane=other, done=delivered.append))
    until(lambda: len(delivered) == len(jobs.LANES) - 1)
    assert long.state == "running"
    runner.cancel(long)
    assert runner.wait_idle()
    assert long.state == "cancelled"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness belongs to the whole process")
def test_batch_thread_stands_back_for_the_window(runner: JobRunner) -> None:
    found: dict[str, int] = {}
    for lane in jobs.LANES:
        runner.submit(
            job(
                lane,
                lambda p: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()),
                lane=lane,
                done=lambda value, lane=lane: found.update({lane: value}),
            )
        )
    assert runner.wait_idle()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert found["interactive"] == found["network"] == own
    assert found["batch"] == min(19, own + NICENESS)


def test_one_job_at_a_time_in_a_lane(runner: JobRunner) -> None:
    inside, most = [0], [0]

    def compute(progress: Progress) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.005)
        inside[0] -= 1

    for i in range(5):
        runner.submit(job(f"slot{i}", compute))
    assert runner.wait_idle()
    assert most == [1]


@numba.njit(nogil=True)
def _grind(n: int) -> float:
    x = 0.5
    for _ in range(n):
        x = 3.7 * x * (1.0 - x)
    return x


def test_event_loop_turns_while_a_compiled_loop_runs(runner: JobRunner) -> None:
    _grind(1)
    ticks: list[float] = []
    span: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(5)

    def compute(progress: Progress) -> None:
        span.append(time.perf_counter())
        _grind(300_000_000)
        span.append(time.perf_counter())

    runner.submit(job("map", compute))
    assert runner.wait_idle(60)
    timer.stop()
    assert sum(span[0] < t < span[1] for t in ticks) >= 5


def test_signals_tell_each_job_s_life_once(runner: JobRunner) -> None:
    life: list[tuple[str, str]] = []
    runner.queued.connect(lambda handle: life.append((handle.slot, "queued")))
    runner.started.connect(lambda handle: life.append((handle.slot, "started")))
    runner.finished.connect(lambda handle, state: life.append((handle.slot, state)))
    runner.submit(job("a", endless))
    runner.submit(job("b", lambda p: None))
    runner.cancel("a")
    assert runner.wait_idle()
    assert [what for slot, what in life if slot == "a"] == ["queued", "started", "cancelled"]
    assert [what for slot, what in life if slot == "b"] == ["queued", "started", "done"]


def test_running_and_recent_jobs_are_listed(runner: JobRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 5)
    gate = Gate()
    held = runner.submit(job("held", gate))
    assert runner.running == (held,)
    assert not runner.is_idle
    others = [runner.submit(job(f"s{i}", lambda p: None, lane="interactive")) for i in range(10)]
    until(lambda: all(h.is_finished for h in others))
    runner.submit(job("last", lambda p: None, lane="interactive"))
    gate.open.set()
    assert runner.wait_idle()
    listed = runner.jobs()
    assert len(listed) == 5
    assert listed[0] is held, "an unfinished one is never forgotten"
    assert listed[-1].slot == "last"


def test_error_in_a_callback_does_not_stop_the_lane(runner: JobRunner, qtbot: Any) -> None:
    delivered: list[str] = []

    def done(_value: None) -> None:
        raise RuntimeError("callback")

    with qtbot.captureExceptions() as caught:
        runner.submit(job("a", lambda p: None, done=done))
        runner.submit(job("b", lambda p: "b", done=delivered.append))
        assert runner.wait_idle()
    assert [str(error) for _, error, _ in caught] == ["callback"]
    assert delivered == ["b"]


def test_finished_handles_hold_no_callbacks_and_no_result(runner: JobRunner) -> None:
    class Result:
        pass

    kept: list[weakref.ref[Result]] = []

    def compute(progress: Progress) -> Result:
        result = Result()
        kept.append(weakref.ref(result))
        return result

    handle = runner.submit(job("map", compute, done=lambda value: None))
    assert runner.wait_idle()
    gc.collect()
    assert handle.state == "done"
    assert kept[0]() is None


def test_shutdown_with_a_running_job_leaves_no_thread(qapp: QCoreApplication) -> None:
    runner = JobRunner()
    delivered: list[Any] = []
    handle = runner.submit(job("map", endless, done=delivered.append))
    waiting = runner.submit(job("next", endless, done=delivered.append))
    threads = [line.thread for line in runner._lines.values()]
    assert all(thread.isRunning() for thread in threads)
    assert runner.shutdown()
    assert not any(thread.isRunning() for thread in threads)
    assert handle.state == waiting.state == "cancelled"
    QCoreApplication.processEvents()
    assert delivered == []
    assert runner.shutdown(), "may be called again"
    late = runner.submit(job("late", endless))
    assert late.state == "cancelled"
    assert runner.is_idle


def test_forgotten_runner_ends_its_threads(qapp: QCoreApplication) -> None:
    runner = JobRunner()
    threads = [line.thread for line in runner._lines.values()]
    runner.submit(job("map", endless))
    del runner
    gc.collect()
    assert not any(thread.isRunning() for thread in threads)


PROGRAM = """
import sys, time
from PySide6.QtCore import QCoreApplication, QTimer
from qmlstudio.app.jobs import Job, JobRunner

application = QCoreApplication([])
runner = JobRunner()

def endless(progress):
    while True:
        progress.check()
        time.sleep(0.01)

def deaf(progress):
    time.sleep(300)

runner.submit(Job(key="k", slot="s", title="t", compute={compute}))
QTimer.singleShot(200, application.quit)
if {loop}:
    application.exec()
else:
    time.sleep(0.2)
print("end", flush=True)
"""


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("compute", ["endless", "deaf"])
def test_process_ends_cleanly_though_a_job_runs(compute: str, loop: bool) -> None:
    source = textwrap.dedent(PROGRAM.format(compute=compute, loop=loop))
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "end\n"), ended.stderr


def test_handle_says_what_it_is() -> None:
    handle = JobHandle(job("map", endless))
    assert repr(handle) == "<JobHandle map: 'Map' queued>"
    assert handle.seconds == 0.0
