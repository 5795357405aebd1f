"""Columns of texts that are not spelled out: they must behave as the array of the same texts does."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.texts import (
    CodedTexts,
    CountedTexts,
    PackedTexts,
    Texts,
    counted_runs,
    distinct_texts,
)

WORDS = {
    "plain": ["C", "CC", "", "C#N", "C", "a longer one", ""],
    "unicode": ["", "Ångström", "水", "😀x", "σ→π*", "C", "\ud800 half", "水"],
    "numbers": ["gdb 1", "gdb 2", "gdb 3", "gdb 7", "s08-1234 567", "s08-1234 568", "007", "08", "0", "x", "", "gdb 9"],
    "falling": ["m9", "m7", "m5", "m3", "m1", "12345678901234567890", "12345678901234567891", "1", "01", "2"],
    "nothing": [],
    "empty": ["", "", ""],
    "inside": ["a\0b", "a", "a\0", "b"],
}


def counted(words: np.ndarray) -> CountedTexts:
    starts, prefixes, first, step = counted_runs(words)
    width = max(words.dtype.itemsize // 4, 1)
    rows = np.arange(len(starts), dtype=np.int32)
    return CountedTexts(np.append(starts, len(words)), rows, first, step, prefixes, width)


def made(words: np.ndarray) -> list[Texts]:
    names, codes = distinct_texts(words)
    return [CodedTexts(codes.astype(np.uint8), names), PackedTexts.of(words), counted(words)]


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("way", range(3))
def test_texts_are_those_of_the_array(kind: str, way: int) -> None:
    words = np.array(WORDS[kind], dtype=np.str_)
    texts = made(words)[way]
    n = len(words)
    assert len(texts) == n
    assert texts.shape == words.shape
    assert texts.ndim == 1
    assert texts.dtype == np.dtype(f"<U{max(words.dtype.itemsize // 4, 1)}")
    assert np.array_equal(np.asarray(texts), words)
    assert texts.tolist() == words.tolist() == list(texts)
    assert [texts[i] for i in range(-n, n)] == [words[i] for i in range(-n, n)]
    for piece in (slice(1, 4), slice(None), slice(None, None, -1), slice(5, 2), slice(0, n, 3)):
        assert np.array_equal(texts[piece], words[piece])
    rng = np.random.default_rng(0)
    rows = rng.integers(-n, n, 20) if n else np.zeros(0, int)
    assert np.array_equal(texts[rows], words[rows])
    mask = rng.random(n) < 0.5
    assert np.array_equal(texts[mask], words[mask])
    for text in {*words.tolist(), "none of them", ""}:
        assert np.array_equal(texts == text, words == text)
        assert np.array_equal(texts != text, words != text)
    assert np.array_equal(texts == words, np.ones(n, bool))
    assert np.array_equal(texts == made(words)[0], np.ones(n, bool))


def test_indices_beyond_the_ends_are_refused() -> None:
    for texts in made(np.array(["a", "b"])):
        for index in (2, -3, np.array([0, 2]), np.array([-3])):
            with pytest.raises(IndexError):
                texts[index]
        with pytest.raises(IndexError):
            texts[np.array([True])]
        with pytest.raises(IndexError):
            texts[np.array([0.5])]


def test_counters_take_few_runs() -> None:
    words = np.array([f"mol{m}:{k}" for m in range(50) for k in range(1, 200)])
    starts, *_ = counted_runs(words)
    assert len(starts) == 50
    every = np.array([f"frame {k}" for k in range(3, 3000, 10)])
    assert len(counted_runs(every)[0]) == 1
    assert counted(every).tolist() == every.tolist()


def test_a_counter_needs_no_memory() -> None:
    texts = CountedTexts.counter(20_000_000)
    assert (texts[0], texts[-1], texts[12_345_678]) == ("1", "20000000", "12345679")
    assert texts.width == 8
    assert texts[10:12].tolist() == ["11", "12"]


def test_blocks_are_as_small_as_long_texts_need() -> None:
    texts = PackedTexts.of(np.array(["x" * 3_000_000, "y", "z"]))
    assert max(len(part) for _, part in texts.blocks()) <= 5
    assert texts[1] == "y"


def test_long_columns_cross_blocks() -> None:
    words = np.array([f"{k % 977}é" if k % 3 else "" for k in range(200_000)])
    for texts in (made(words)[1], CodedTexts(*distinct_texts(words)[::-1])):
        assert np.array_equal(np.asarray(texts), words)
        assert int((texts == "5é").sum()) == int((words == "5é").sum())


def test_properties_and_data_sets_keep_them() -> None:
    words = np.array(["b", "a", "b", ""])
    structures = Structures.from_lists([[1]] * 4, [np.zeros((1, 3))] * 4)
    names, codes = distinct_texts(words)
    lazy = Property(CodedTexts(codes, names))
    plain = Property(words)
    assert lazy.values.__class__ is CodedTexts
    assert lazy.is_text
    assert lazy.is_category
    assert lazy.categories == plain.categories == ("b", "a")
    data = Dataset("x", structures, {"kind": lazy}, CountedTexts.counter(4))
    same = Dataset("x", structures, {"kind": plain})
    assert isinstance(data.identifiers, Texts)
    assert data.fingerprint == same.fingerprint
    part = data.take([3, 0])
    assert part.identifiers.tolist() == ["4", "1"]
    assert part.properties["kind"].values.tolist() == ["", "b"]


def test_alphabetic_order() -> None:
    words = np.array(["c", "a", "", "b", "a", "Å", "水", "😀", "ab"])
    for texts in made(words):
        assert np.argsort(texts.sort_keys(), kind="stable").tolist() == np.argsort(words, kind="stable").tolist()
