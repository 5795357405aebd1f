"""The cache keeps what was used last within its budget, from any thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.session.cache import Cache, size_of


@dataclass(frozen=True)
class Result:
    array: Any
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slotted:
    array: Any


def test_get_and_put() -> None:
    cache = Cache(1000)
    assert cache.get("a") is None
    assert cache.get("a", 5) == 5
    value = object()
    cache.put("a", value, size=10)
    assert cache.get("a") is value
    assert "a" in cache
    assert "b" not in cache
    assert len(cache) == 1
    stats = cache.stats()
    assert (stats.entries, stats.size, stats.budget) == (1, 10, 1000)
    assert (stats.hits, stats.misses, stats.evictions) == (1, 2, 0)


def test_least_recently_used_goes_first() -> None:
    cache = Cache(30)
    for key in "abc":
        cache.put(key, key, size=10)
    cache.get("a")
    assert "b" in cache, "asking whether it is there is no use"
    cache.put("d", "d", size=10)
    assert [key for key in "abcd" if key in cache] == ["a", "c", "d"]
    assert cache.stats().evictions == 1
    assert cache.size == 30


def test_what_was_put_last_is_never_evicted() -> None:
    cache = Cache(30)
    cache.put("small", 1, size=10)
    cache.put("huge", 2, size=1000)
    assert "small" not in cache
    assert cache.get("huge") == 2
    cache.budget = 5
    assert "huge" in cache
    cache.put("next", 3, size=1)
    assert "huge" not in cache
    assert cache.size == 1


def test_what_was_put_last_stays_though_others_were_used_since() -> None:
    cache = Cache(25)
    cache.put("a", 1, size=10)
    cache.put("b", 2, size=10)
    cache.get("a")
    cache.budget = 10
    assert "b" in cache
    assert "a" not in cache


def test_replacing_discarding_clearing() -> None:
    cache = Cache(100)
    cache.put("a", 1, size=10)
    cache.put("a", 2, size=20)
    assert (cache.size, len(cache), cache.get("a")) == (20, 1, 2)
    cache.discard("a")
    cache.discard("never there")
    assert (cache.size, len(cache)) == (0, 0)
    cache.put("b", 3, size=10)
    cache.clear()
    assert (cache.size, len(cache)) == (0, 0)
    cache.put("c", 4, size=200)
    assert cache.get("c") == 4


def test_size_of_arrays_in_objects() -> None:
    array = np.zeros(100_000)
    bare = size_of(array)
    assert bare == 800_000
    for value in (Result(array), Slotted(array), {"k": [array]}, (array, array), Result(1, {"x": array})):
        assert 800_000 <= size_of(value) < 802_000


def test_size_of_views_counts_what_they_keep_alive_once() -> None:
    array = np.zeros((1000, 100))
    assert size_of(array[:2]) == array.nbytes
    assert size_of([array[:2], array[5:], array.T]) < array.nbytes + 1000


def test_size_of_structures_counts_their_arrays() -> None:
    structures = Structures.from_lists([[1, 1]] * 1000, [np.zeros((2, 3))] * 1000)
    dataset = Dataset("h2", structures)
    arrays = (structures.numbers, structures.positions, structures.offsets, dataset.identifiers)
    assert sum(a.nbytes for a in arrays) <= size_of(dataset) < sum(a.nbytes for a in arrays) + 10_000


def test_mapped_files_cost_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100_000))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert size_of(mapped) == 0
    assert size_of(np.asarray(mapped)[10:]) == 0


def test_size_of_object_arrays_and_cycles() -> None:
    cycle: list[Any] = [np.zeros(1000)]
    cycle.append(cycle)
    assert 8000 <= size_of(cycle) < 9000
    assert size_of(np.array([np.zeros(1000), None], dtype=object)) >= 8000


@pytest.mark.parametrize("budget", [50, 5000])
def test_many_threads(budget: int) -> None:
    cache = Cache(budget)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        try:
            for _ in range(2000):
                key = str(random.integers(40))
                if (value := cache.get(key)) is not None:
                    assert value == key
                if random.random() < 0.1:
                    cache.discard(key)
                else:
                    cache.put(key, key, size=int(random.integers(1, 20)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    sizes = [size for _, size in cache._entries.values()]
    assert cache.size == sum(sizes)
    assert cache.size <= max(budget, max(sizes))
