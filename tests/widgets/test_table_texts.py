"""Tables of texts that are not spelled out: sorted and counted as those that are."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.texts import CodedTexts, PackedTexts, distinct_texts
from qmlstudio.widgets.table_numbers import sort_order, statistics, table_text

WORDS = np.array(["c", "a", "", "b", "a", "水", "", "b", "ab"])


@pytest.mark.parametrize("kind", ["coded", "packed"])
def test_as_the_array(kind: str) -> None:
    names, codes = distinct_texts(WORDS)
    texts = CodedTexts(codes, names) if kind == "coded" else PackedTexts.of(WORDS)
    for descending in (False, True):
        assert sort_order(texts, descending).tolist() == sort_order(WORDS, descending).tolist()  # type: ignore[arg-type]
    found = statistics(texts)  # type: ignore[arg-type]
    assert (found.count, found.missing, found.distinct, found.common) == (9, 2, 5, "a")
    assert found == statistics(WORDS) or found.distinct == statistics(WORDS).distinct
    rows = np.array([3, 0])
    assert table_text([("x", texts)], rows) == table_text([("x", WORDS)], rows)  # type: ignore[list-item]


def test_nothing_but_missing_texts() -> None:
    for texts in (CodedTexts(np.zeros(3, np.uint8), np.array([""])), PackedTexts.of(["", "", ""])):
        found = statistics(texts)  # type: ignore[arg-type]
        assert (found.count, found.missing, found.distinct) == (3, 3, 0)
        assert sort_order(texts).tolist() == [0, 1, 2]  # type: ignore[arg-type]
