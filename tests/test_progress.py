import itertools
import time

import pytest

from qmlstudio.progress import SLICE_SECONDS, Cancelled, Progress, slices


def test_slices_cover_everything_once() -> None:
    for total in (0, 1, 7, 1000):
        seen = [i for start, stop in slices(total, Progress()) for i in range(start, stop)]
        assert seen == list(range(total))


def test_slices_grow_at_most_twofold_and_shrink_with_dear_items() -> None:
    lengths = [stop - start for start, stop in slices(10_000, Progress(), first=3)]
    assert lengths[0] == 3
    assert all(b <= 2 * a for a, b in itertools.pairwise(lengths))
    lengths = []
    for start, stop in slices(64, Progress(), first=32):
        lengths.append(stop - start)
        time.sleep(SLICE_SECONDS * (stop - start) / 4)
    assert lengths[1] < 32


def test_cancel_is_noticed_between_slices() -> None:
    seen: list[int] = []
    running = slices(1000, Progress(is_cancelled=lambda: len(seen) > 3))
    for _ in range(4):
        seen.append(next(running)[0])
    with pytest.raises(Cancelled):
        next(running)


def test_reports_are_few_and_the_last_always_comes() -> None:
    seen: list[tuple[float, str]] = []
    progress = Progress(report=lambda f, m: seen.append((f, m)), interval=10.0)
    for i in range(1001):
        progress(i / 1000, "counting")
    assert seen[0] == (0.0, "counting")
    assert seen[-1] == (1.0, "counting")
    assert len(seen) <= 3


def test_parts_nest() -> None:
    seen: list[float] = []
    progress = Progress(report=lambda f, m: seen.append(f), interval=0.0)
    inner = progress.part(0.2, 0.6).part(0.5, 1.0)
    inner(0.0, "a")
    inner(1.0, "b")
    assert seen == pytest.approx([0.4, 0.6])


def test_partial_results_go_to_who_wants_them() -> None:
    got: list[int] = []
    assert not Progress().wants_partial
    progress = Progress(partial=got.append)
    progress.part(0.0, 0.5).partial(3)
    assert got == [3]
