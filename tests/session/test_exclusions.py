import json

import numpy as np
import pytest

from qmlstudio.session.exclusions import Exclusion, excluded


def test_indices_are_sorted_and_unique() -> None:
    assert Exclusion("a", "b", np.array([5, 1, 5])).indices.tolist() == [1, 5]
    with pytest.raises(ValueError, match="-1"):
        Exclusion("a", "b", np.array([-1]))


def test_round_trip_through_json() -> None:
    rng = np.random.default_rng(0)
    before = Exclusion("duplicates", "same connectivity", rng.integers(0, 10**6, 1000), active=False)
    assert Exclusion.from_dict(json.loads(json.dumps(before.to_dict()))) == before
    empty = Exclusion("none", "", np.zeros(0, int))
    assert Exclusion.from_dict(empty.to_dict()) == empty


def test_only_active_lists_exclude() -> None:
    lists = (Exclusion("a", "", np.array([0, 3])), Exclusion("b", "", np.array([1]), active=False))
    mask = excluded(lists, 4)
    assert mask is not None
    assert mask.tolist() == [True, False, False, True]
    assert excluded(lists[1:], 4) is None
