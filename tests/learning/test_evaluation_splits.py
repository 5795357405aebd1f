"""Splits: nested, the same for a seed, and nothing that belongs together on both sides."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation import splits
from qmlstudio.learning.evaluation.folds import HoldOut, KFold, LeakError, LeaveOneOut, TrainOnly
from qmlstudio.learning.evaluation.folds import from_dict as folds_from_dict
from qmlstudio.learning.evaluation.groups import by_column, by_connectivity, by_smiles
from qmlstudio.learning.evaluation.splits import (
    ColumnSplit,
    GroupedSplit,
    RandomSplit,
    ScaffoldSplit,
    SizeSplit,
    Split,
    SplitContext,
    StratifiedSplit,
    draw_groups,
    propose,
    strata,
)
from qmlstudio.learning.rows import Rows

WATER = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
SMILES = [
    "c1ccccc1", "Cc1ccccc1", "CCc1ccccc1", "Oc1ccccc1", "C1CC1", "CC1CC1", "C1CCNC1", "CC1CCNC1", "CCO", "CCC", "CCCC",
    "c1ccsc1", "O=C1CCC1", "", "not a SMILES",
]  # fmt: skip


def context(
    columns: dict[str, Property] | None = None, n: int = 60, numbers: Any = None, values: Any = None
) -> SplitContext:
    """n single helium atoms, or what `numbers` say, far apart."""
    numbers = numbers if numbers is not None else [np.array([2], np.uint8)] * n
    positions = [np.arange(3 * len(z), dtype=float).reshape(-1, 3) * 5.0 for z in numbers]
    data = Dataset("test", Structures.from_lists(numbers, positions), dict(columns or {}))
    return SplitContext(data, data.per_structure, np.arange(len(data)), values)


def drawn(spec: splits.SplitSpec, where: SplitContext, seed: int = 1) -> Split:
    """A split, with what is true of all."""
    found = spec.draw(where, seed)
    again = spec.draw(where, seed)
    np.testing.assert_array_equal(found.train_order, again.train_order)
    np.testing.assert_array_equal(found.test, again.test)
    both = np.concatenate([found.train_order, found.test])
    assert len(np.unique(both)) == len(both)
    assert np.isin(both, where.rows).all()
    assert len(found.test)
    np.testing.assert_array_equal(found.train(5), found.train(9 if len(found.train_order) > 8 else None)[:5])
    return found


def test_random_is_that_of_the_ladder_and_differs_between_seeds() -> None:
    where = context()
    found = drawn(RandomSplit(n_test=15), where, 3)
    order = np.random.default_rng(3).permutation(60)
    np.testing.assert_array_equal(np.concatenate([found.train_order, found.test]), order)
    assert not np.array_equal(found.test, RandomSplit(n_test=15).draw(where, 4).test)
    assert len(RandomSplit(test_fraction=0.25).draw(where).test) == 15
    with pytest.raises(ValueError, match="leave none"):
        RandomSplit(n_test=60).draw(where)
    with pytest.raises(ValueError, match="cannot be split"):
        RandomSplit().draw(context(n=1))
    with pytest.raises(ValueError, match="there are 45"):
        found.train(46)


def test_only_usable_rows_are_drawn() -> None:
    where = context()
    some = SplitContext(where.dataset, where.columns, np.array([1, 4, 9, 16, 25, 36, 49]))
    found = drawn(RandomSplit(n_test=2), some)
    assert set(found.train_order) | set(found.test) == {1, 4, 9, 16, 25, 36, 49}


def test_strata_keep_the_distribution_in_test_and_beginnings() -> None:
    values = np.random.default_rng(0).gamma(1.0, size=4000)
    found = drawn(StratifiedSplit(), context(n=4000, values=values))
    high = values > np.quantile(values, 0.9)
    for part in (found.test, found.train(200), found.train(1000)):
        assert abs(high[part].mean() - 0.1) < 0.02
    assert len(found.test) == 800
    # a random draw of 800 has a mean that wanders by 3.5 %, a stratified one hardly moves
    means = [values[StratifiedSplit().draw(context(n=4000, values=values), s).test].mean() for s in range(5)]
    assert np.std(means) < 0.01
    constant = drawn(StratifiedSplit(), context(values=np.ones(60)))
    assert len(constant.test) == 12
    with pytest.raises(ValueError, match="needs the values"):
        StratifiedSplit().draw(context())


def test_bins() -> None:
    assert (strata(np.full(9, 2.0)) == 0).all()
    heavy = np.concatenate([np.zeros(90), [1.0, 1e9]])  # no width at all between the quartiles
    assert strata(heavy).max() >= 1
    values = np.random.default_rng(0).normal(size=1000)
    width = 2 * (np.quantile(values, 0.75) - np.quantile(values, 0.25)) / 10
    assert abs(len(np.unique(strata(values))) - np.ptp(values) / width) <= 6


@given(
    labels=st.lists(st.integers(0, 12), min_size=2, max_size=80),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=150)
def test_no_group_on_both_sides(labels: list[int], fraction: float, seed: int) -> None:
    where = context({"group": Property(np.array(labels, dtype=float))}, n=len(labels))
    spec = GroupedSplit(by="column", column="group", test_fraction=fraction)
    if len(set(labels)) < 2:
        with pytest.raises(ValueError, match="choose another split"):
            spec.draw(where, seed)
        return
    found = spec.draw(where, seed)
    values = np.array(labels)
    assert not set(values[found.train_order]) & set(values[found.test])
    assert len(found.train_order) + len(found.test) == len(labels)
    assert len(found.train_order)
    assert len(found.test)
    # and the choice of hyper-parameters does not tear them either
    train = TrainOnly(found)
    for folds in (HoldOut(n_fit=20, n_validate=10), KFold(k=2)):
        if len(np.unique(train.labels)) < 2:
            with pytest.raises(ValueError, match=r"belong together|take fewer folds|cannot be divided"):
                folds.draw(train)
            continue
        for fit, judge in folds.draw(train, seed):
            assert len(fit)
            assert len(judge)
            assert not set(values[fit]) & set(values[judge])
            assert not set(found.test) & (set(fit) | set(judge))


@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=40), wanted=st.integers(1, 200))
@settings(deadline=None, max_examples=100)
def test_groups_fill_what_is_wanted(sizes: list[int], wanted: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    taken = draw_groups(labels, wanted, np.arange(len(sizes))[::-1])
    assert taken.any()
    assert not taken.all()
    got = np.array(sizes)[taken].sum()
    left = np.array(sizes)[~taken]
    # nothing that is left would still fit, unless it was put back so that something is
    assert got > wanted or wanted - got < left.min() or len(left) == 1


def test_missing_values_stand_alone() -> None:
    where = context({"group": Property(np.array([np.nan] * 30 + [1.0] * 30))})
    found = drawn(GroupedSplit(by="column", column="group", test_fraction=0.3), where)
    assert (found.test < 30).all()
    texts = by_column(Property(np.array(["b", "", "a", "b", ""])), "t")
    np.testing.assert_array_equal(texts.labels, [1, -1, 0, 1, -1])
    assert texts.alone(np.arange(5)).tolist() == [1, 2, 0, 1, 3]
    assert texts.repeated() == 2


def test_conformers_are_found_and_kept_together() -> None:
    rng = np.random.default_rng(0)
    numbers, positions = [], []
    for k in range(30):  # water, and chains of k neon atoms that are molecules of their own
        numbers.append(np.array([8, 1, 1], np.uint8))
        positions.append(WATER + rng.normal(scale=0.02, size=(3, 3)))
        numbers.append(np.array([10] * (k + 1), np.uint8))
        positions.append(np.arange(3 * (k + 1), dtype=float).reshape(-1, 3) * 5.0)
    data = Dataset("test", Structures.from_lists(numbers, positions))
    groups = by_connectivity(data.structures)
    assert len(set(groups.labels[::2])) == 1
    assert len(set(groups.labels[1::2])) == 30
    where = SplitContext(data, data.per_structure, np.arange(60))
    found = propose(where)
    assert isinstance(found.spec, GroupedSplit)
    assert "30 of 60 structures share the same bonds" in found.why
    test = drawn(found.spec, where).test
    assert len(set(test % 2 == 0)) == 1 or not (test % 2 == 0).any()
    told = SplitContext(data, data.per_structure, np.arange(60), groups=found.groups)
    assert any("look smaller" in note for note in RandomSplit().draw(told, 1).notes)
    # of one molecule alone there are no groups to keep apart
    alone = SplitContext(data, data.per_structure, np.arange(0, 60, 2))
    assert isinstance(propose(alone).spec, RandomSplit)
    with pytest.raises(ValueError, match="the same bonds"):
        GroupedSplit().draw(alone)
    others = SplitContext(data, data.per_structure, np.arange(1, 60, 2))
    assert propose(others).why == "Random: no molecule is there twice."


def test_crystals_have_no_bond_graph() -> None:
    structures = Structures(
        np.array([11, 17] * 2, np.uint8), np.zeros((4, 3)) + np.arange(4)[:, None], np.array([0, 2, 4]),
        cells=np.stack([np.eye(3) * 5.6] * 2),
    )  # fmt: skip
    groups = by_connectivity(structures)
    assert groups.labels.tolist() == [-1, -1]
    assert groups.notes[0].startswith("2 crystals")


def test_smiles_are_compared_as_molecules() -> None:
    groups = by_smiles(np.array(["OCC", "CCO", "", "C1=CC=CC=C1", "c1ccccc1", "nonsense", "nonsense", ""]))
    label = groups.labels
    assert label[0] == label[1]
    assert label[3] == label[4]
    assert label[5] == label[6]
    assert label[2] == label[7] == -1
    assert len({int(label[0]), int(label[3]), int(label[5])}) == 3


def test_the_rarest_scaffolds_are_the_test() -> None:
    where = context({"smiles": Property(np.array(SMILES))}, n=len(SMILES))
    found = drawn(ScaffoldSplit(n_test=4), where)
    tested = {SMILES[i] for i in found.test}
    # rings that occur once, and what has no graph; never a benzene, a cyclopropane, a pyrrolidine, a chain
    assert tested <= {"c1ccsc1", "O=C1CCC1", "", "not a SMILES"}
    assert len(tested) == 4
    assert any("2 structures have no graph" in note for note in found.notes)
    with pytest.raises(ValueError, match="no scaffolds"):
        ScaffoldSplit().draw(context({"smiles": Property(np.array([""] * 9))}, n=9))


def test_small_to_large() -> None:
    numbers = [np.array([6] * (1 + k % 7) + [1] * 3, np.uint8) for k in range(70)]
    where = context(numbers=numbers)
    heavy = np.array([1 + k % 7 for k in range(70)])
    found = drawn(SizeSplit(largest=4), where)
    assert heavy[found.train_order].max() == 4
    assert heavy[found.test].min() == 5
    assert len(found.test) == 30
    assert (heavy[drawn(SizeSplit(test_fraction=0.15), where).test] == 7).all()
    few = drawn(SizeSplit(by="n_atoms", largest=7, n_test=5), where)
    assert len(few.test) == 5
    assert (heavy[few.test] > 4).all()
    with pytest.raises(ValueError, match="would be left to test on"):
        SizeSplit(largest=7).draw(where)
    with pytest.raises(ValueError, match="the size 1"):
        SizeSplit().draw(context())


def test_columns_that_say_what_is_the_test() -> None:
    words = np.array(["train"] * 30 + ["valid"] * 10 + ["Test"] * 15 + [""] * 5)
    where = context({"split": Property(words), "fold": Property(np.arange(60) % 5.0)})
    found = drawn(ColumnSplit(), where)
    assert set(found.test) == set(range(40, 55))
    assert set(found.train_order) == set(range(30))
    assert found.notes[1] == "15 structures stand on neither side (valid)"
    by_fold = [set(drawn(ColumnSplit(column="fold"), where, seed).test) for seed in range(5)]
    assert set.union(*by_fold) == set(range(60))
    assert by_fold[2] == set(range(2, 60, 5))
    assert set(drawn(ColumnSplit(column="fold", test="3"), where).test) == set(range(3, 60, 5))
    with pytest.raises(ValueError, match="has no value '9'"):
        ColumnSplit(column="fold", test="9").draw(where)
    with pytest.raises(ValueError, match="no column"):
        ColumnSplit(column="nothing").draw(where)
    with pytest.raises(ValueError, match="two are needed"):
        ColumnSplit(column="one").draw(context({"one": Property(np.ones(60))}))
    with pytest.raises(ValueError, match="say which value"):
        ColumnSplit().draw(context({"split": Property(np.array(["train", "other"] * 30))}))
    with pytest.raises(ValueError, match="different values"):
        ColumnSplit(column="many").draw(context({"many": Property(np.arange(2000) + 0.5)}, n=2000))


def test_every_split_goes_to_a_dictionary_and_back() -> None:
    for kind in splits.REGISTRY.values():
        spec = kind(n_test=7)
        assert splits.from_dict(spec.to_dict()) == spec
    assert splits.from_dict(GroupedSplit(by="column", column="x").to_dict()).column == "x"
    with pytest.raises(ValueError, match="there is no split"):
        splits.from_dict({"name": "magic"})
    assert folds_from_dict(KFold(k=3).to_dict()) == KFold(k=3)
    with pytest.raises(ValueError, match="no folds"):
        folds_from_dict({})


def test_nothing_but_training_structures_can_be_looked_at() -> None:
    found = RandomSplit(n_test=15).draw(context(), 1)
    train = TrainOnly(found, 20)
    rows = Rows(np.arange(60.0)[:, None])
    np.testing.assert_array_equal(train.take(rows, found.train(20)).array[:, 0], found.train(20))
    with pytest.raises(LeakError, match="is a test structure"):
        train.take(rows, [int(found.train_order[0]), int(found.test[0])])
    with pytest.raises(LeakError, match="no training structure"):
        train.check(found.train_order[20:21])
    with pytest.raises(LeakError):
        train.check([-1])
    with pytest.raises(LeakError):
        train.check([600])
    with pytest.raises(LeakError):
        train.first(5).check(found.train_order[5:6])
    with pytest.raises(ValueError, match="those of the whole set"):
        train.take(Rows(np.zeros((20, 1))), found.train(20))
    with pytest.raises(ValueError, match="read-only"):
        train.rows[0] = found.test[0]
    with pytest.raises(ValueError, match="in the training set and in the test set"):
        Split(np.array([1, 2]), np.array([2, 3]))
    assert len(TrainOnly.everything(np.arange(9))) == 9


def test_how_training_structures_are_divided() -> None:
    where = context(n=2000)
    split = RandomSplit(n_test=100).draw(where)
    ((fit, judge),) = HoldOut().draw(TrainOnly(split))
    np.testing.assert_array_equal(fit, split.train_order[:1000])
    np.testing.assert_array_equal(judge, split.train_order[1000:1500])
    ((fit, judge),) = HoldOut().draw(TrainOnly(split, 1000))
    np.testing.assert_array_equal(fit, split.train_order[:666])
    np.testing.assert_array_equal(judge, split.train_order[666:1000])
    parts = KFold(k=4, most=401).draw(TrainOnly(split))
    assert sorted(np.concatenate([judge for _, judge in parts])) == sorted(split.train_order[:401])
    assert {len(judge) for _, judge in parts} <= {100, 101}
    for fit, judge in parts:
        assert not set(fit) & set(judge)
    ((fit, judge),) = LeaveOneOut(most=50).draw(TrainOnly(split))
    np.testing.assert_array_equal(fit, judge)
    with pytest.raises(ValueError, match="cannot be divided"):
        HoldOut().draw(TrainOnly(split, 1))
    with pytest.raises(ValueError, match="take fewer folds"):
        KFold(k=5).draw(TrainOnly(split, 3))
    assert len(HoldOut().draw(TrainOnly(split, 2))[0][0]) == 1
