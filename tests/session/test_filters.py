import json
from dataclasses import replace

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.columns import Columns
from qmlstudio.session.filter_lookups import Lookups, categories, lookups_of
from qmlstudio.session.filters import (
    CategoryFilter,
    ElementsFilter,
    ExpressionFilter,
    Filter,
    FilterCache,
    Filters,
    RangeFilter,
    SubstructureFilter,
    combine,
    describe,
    evaluate,
    is_fast,
)

X = np.array([0.1, 0.2, np.nan, np.inf, 0.4])


@pytest.fixture
def dataset() -> Dataset:
    # methanol's heavy atoms, methylamine's, nothing at all, fluorine, acetylene's
    structures = Structures(np.array([6, 8, 6, 7, 9, 9, 6, 6], np.uint8), np.zeros((8, 3)), [0, 2, 4, 4, 6, 8])
    properties = {
        "x": Property(X),
        "kind": Property(np.array(["a", "b", "", "a", "a"])),
        "smiles": Property(np.array(["CO", "CN", "", "nonsense(", "C#C"])),
        "step": Property(np.array([1.0, 2, 2, np.nan, 1])),
    }
    return Dataset("five", structures, properties)


def passing(item: Filter, dataset: Dataset) -> list[int]:
    found = evaluate(item, Columns(dataset), Lookups(dataset))
    assert found.error == ""
    mask = np.ones(len(dataset), bool) if found.mask is None else found.mask
    assert found.count == mask.sum()
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (RangeFilter("x"), [0, 1, 2, 3, 4]),
        (RangeFilter("x", low=0.2), [1, 3, 4]),
        (RangeFilter("x", high=0.2), [0, 1]),
        (RangeFilter("x", 0.15, 0.4), [1, 4]),
        (RangeFilter("x", 0.5, 0.1), []),
        (RangeFilter("n_C", 1, 1), [0, 1]),
        (CategoryFilter("kind"), [0, 1, 2, 3, 4]),
        (CategoryFilter("kind", ("a",)), [0, 3, 4]),
        (CategoryFilter("kind", ("", "b", "unknown")), [1, 2]),
        (CategoryFilter("kind", ()), []),
        (CategoryFilter("step", ("1", "")), [0, 3, 4]),
        (ElementsFilter(), [0, 1, 2, 3, 4]),
        (ElementsFilter(("C",)), [0, 1, 4]),
        (ElementsFilter(("C",), ("N", "O")), [4]),
        (ElementsFilter((), ("F",)), [0, 1, 2, 4]),
        (ElementsFilter(("Xe",)), []),
        (SubstructureFilter(), [0, 1, 2, 3, 4]),
        (SubstructureFilter("[#6]"), [0, 1, 4]),
        (SubstructureFilter("C#C", is_smiles=True), [4]),
        (SubstructureFilter("[OX2H]", inverted=True), [1, 4]),
        (ExpressionFilter(), [0, 1, 2, 3, 4]),
        (ExpressionFilter("x < 0.3 and n_C == 1"), [0, 1]),
    ],
)
def test_each_filter(dataset: Dataset, item: Filter, expected: list[int]) -> None:
    assert passing(item, dataset) == expected


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (RangeFilter("gone", low=0.0), "no column gone"),
        (RangeFilter("kind", low=0.0), "no range"),
        (CategoryFilter("gone", ("a",)), "no column gone"),
        (ElementsFilter(("Qq",)), "Qq is no element"),
        (SubstructureFilter("C(("), "cannot be read as SMARTS"),
        (ExpressionFilter("x <"), "something is missing"),
    ],
)
def test_what_cannot_be_applied_lets_everything_pass_and_says_so(dataset: Dataset, item: Filter, message: str) -> None:
    found = evaluate(item, Columns(dataset), Lookups(dataset))
    assert message in found.error
    assert found.mask is None
    assert found.count == 5


def test_a_set_without_smiles_says_so(dataset: Dataset) -> None:
    bare = replace(dataset, properties={})
    assert "no SMILES" in evaluate(SubstructureFilter("C"), Columns(bare), Lookups(bare)).error
    assert is_fast(SubstructureFilter("C"), Columns(bare), Lookups(bare))


def test_unreadable_smiles_are_counted(dataset: Dataset) -> None:
    assert evaluate(SubstructureFilter("C"), Columns(dataset), Lookups(dataset)).note.startswith("2 without")


def test_filters_are_joined(dataset: Dataset) -> None:
    columns, lookups = Columns(dataset), Lookups(dataset)
    filters = Filters(
        (RangeFilter("x", high=0.3), ElementsFilter(("O",)), RangeFilter("x", low=9.0), RangeFilter("q")), (2,)
    )
    known = {k: evaluate(item, columns, lookups) for k, item in enumerate(filters.items)}
    result = combine(filters, known, 5)
    assert result.mask is not None
    assert np.flatnonzero(result.mask).tolist() == [0]
    assert (result.count, result.total, result.counts) == (1, 5, (2, 1, 1, 5))
    assert list(result.errors) == [3]
    # the single masks are not touched by the joining
    assert known[0].mask is not None
    assert known[0].mask.sum() == 2
    partly = combine(filters, {0: known[0]}, 5)
    assert partly.waiting == (1, 3)
    assert partly.count == 2
    assert combine(Filters(), {}, 5).mask is None


def test_one_moved_filter_leaves_the_others_known(dataset: Dataset) -> None:
    columns, lookups, cache = Columns(dataset), Lookups(dataset), FilterCache()
    items = (RangeFilter("x", high=0.3), ExpressionFilter("step == 1"))
    for item in items:
        assert cache.get(item, columns) is None
        cache.put(item, columns, evaluate(item, columns, lookups))
    first = cache.get(items[0], columns)
    assert first is not None
    # the axis of the histogram is only for the eye
    assert cache.get(replace(items[0], log=True), columns) is first
    derived = columns.with_derived({"cluster": Property(np.zeros(5))})
    assert cache.get(items[0], derived) is first
    assert cache.get(items[1], derived) is not None
    cache.keep_only((items[1],))
    assert cache.get(items[0], columns) is None


def test_a_column_that_came_anew_is_asked_again(dataset: Dataset) -> None:
    columns = Columns(dataset, {"cluster": Property(np.zeros(5))})
    cache, lookups = FilterCache(), Lookups(dataset)
    items = (RangeFilter("cluster", low=1.0), CategoryFilter("cluster", ("1",)), ExpressionFilter("cluster == 1"))
    for item in items:
        cache.get(item, columns)
        cache.put(item, columns, evaluate(item, columns, lookups))
        assert cache.get(item, columns) is not None
    new = columns.with_derived({"cluster": Property(np.ones(5))})
    for item in items:
        assert cache.get(item, new) is None
        assert evaluate(item, new, lookups).count == 5
    gone = columns.with_derived({})
    assert all(cache.get(item, gone) is None for item in items)


def test_categories_are_counted_like_numpy() -> None:
    rng = np.random.default_rng(0)
    texts = np.char.add("m", rng.integers(0, 3000, 60_000).astype(str))
    texts[::7] = ""
    found = categories(Property(texts))
    names, counts = np.unique(texts, return_counts=True)
    assert dict(zip(found.names.tolist(), found.counts.tolist(), strict=True)) == dict(
        zip(names.tolist(), counts.tolist(), strict=True)
    )
    assert (found.names[found.codes] == texts).all()
    assert found.names[-1] == ""
    assert (np.diff(found.counts[:-1]) <= 0).all()


def test_odd_categories() -> None:
    assert categories(Property(np.zeros(0, "U3"))).names.tolist() == []
    assert categories(Property(np.array(["", ""]))).names.tolist() == [""]
    assert categories(Property(np.array([np.nan, 2.5, 2.5, -3]))).names.tolist() == ["2.5", "-3", ""]
    with pytest.raises(ValueError, match="by a range"):
        categories(Property(np.arange(20_000.0)))


def test_big_sets_are_left_to_a_job() -> None:
    n = 700_000
    structures = Structures(np.ones(3 * n, np.uint8), np.zeros((3 * n, 3)), np.arange(n + 1) * 3)
    data = Dataset("big", structures, {"x": Property(np.zeros(n)), "t": Property(np.full(n, "a"))}, np.zeros(n, "U1"))
    columns, lookups = Columns(data), Lookups(data)
    slow = [
        RangeFilter("n_H", low=1.0),
        CategoryFilter("t", ("a",)),
        ElementsFilter(("H",)),
        ExpressionFilter("x < 1"),
    ]
    assert not any(is_fast(item, columns, lookups) for item in slow)
    assert all(evaluate(item, columns, lookups).count == n for item in slow)
    assert all(is_fast(item, columns, lookups) for item in slow[:3])
    assert is_fast(RangeFilter("x", low=1.0), columns, lookups)


def test_lookups_live_as_long_as_their_data_set(dataset: Dataset) -> None:
    import gc
    import weakref

    data = dataset.take(slice(None))
    found = weakref.ref(lookups_of(data))
    assert lookups_of(data) is found()
    assert lookups_of(dataset) is not found()
    del data
    gc.collect()
    assert found() is None


def test_texts_for_people() -> None:
    filters = Filters(
        (
            RangeFilter("gap", 0.1, 0.2),
            RangeFilter("mu", low=1.0),
            RangeFilter("q"),
            CategoryFilter("formula", ("A", "B", "C", "D")),
            ElementsFilter(("N",), ("F",)),
            SubstructureFilter("C=O", inverted=True),
            ExpressionFilter("a < 1 or b < 1"),
            RangeFilter("off", high=1.0),
        ),
        (7,),
    )
    assert describe(filters) == (
        "0.1 ≤ gap ≤ 0.2 and mu ≥ 1 and formula is A, B, C, 1 more and with N, without F"
        " and does not contain C=O and (a < 1 or b < 1)"
    )


def test_saved_and_read_again() -> None:
    filters = Filters(
        (
            RangeFilter("gap", 0.1, None, log=True),
            CategoryFilter("formula", ("A", "")),
            CategoryFilter("formula", None),
            ElementsFilter(("N",), ("F",)),
            SubstructureFilter("C=O", True, True),
            ExpressionFilter("a < 1"),
        ),
        (1,),
    )
    assert Filters.from_dict(json.loads(json.dumps(filters.to_dict()))) == filters
    with pytest.raises(ValueError, match="no filter"):
        Filters.from_dict({"items": [{"kind": "magic"}]})


def test_texts_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.session import filter_lookups

    monkeypatch.setattr(filter_lookups, "text_hashes", lambda texts: np.zeros(len(texts), np.uint64))
    texts = np.array(["a", "b", "cc", "b"])
    found = categories(Property(texts))
    assert found.names.tolist() == ["b", "a", "cc"]
    assert found.mask(("cc", "b", "too long")).tolist() == [False, True, True, True]
