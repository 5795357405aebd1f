import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.coloring import PALETTES, Coloring, color_scale, colorable, normalize, palette


def dataset(**values: np.ndarray) -> Dataset:
    n = len(next(iter(values.values())))
    structures = Structures.from_lists([[1]] * n, [np.zeros((1, 3))] * n)
    return Dataset("set", structures, {k: Property(v, unit="Ha") for k, v in values.items()})


@pytest.mark.parametrize("name", PALETTES)
def test_palettes_have_256_distinct_ends(name: str) -> None:
    colors = palette(name)
    assert colors.shape == (256, 3)
    assert colors.dtype == np.uint8
    assert (colors[0] != colors[-1]).any()


def test_numbers_run_over_the_palette_and_nan_is_hollow() -> None:
    data = dataset(x=np.array([0.0, 0.5, 1.0, np.nan, np.inf]))
    scale = color_scale(Coloring(color_by="x", range_mode="auto"), data)
    assert scale.kind == "number"
    assert scale.index[:3].tolist() == [0, 128, 255]
    assert scale.missing.tolist() == [False, False, False, True, True]
    assert (scale.low, scale.high) == (0.0, 1.0)
    assert scale.label == "x / Ha"


def test_reverse_turns_the_palette() -> None:
    data = dataset(x=np.array([0.0, 1.0]))
    a = color_scale(Coloring(color_by="x"), data)
    b = color_scale(Coloring(color_by="x", reverse=True), data)
    assert (a.lut[0] == b.lut[-1]).all()


def test_percentiles_ignore_outliers() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [1e6]])
    scale = color_scale(Coloring(color_by="x", range_mode="percentile"), dataset(x=values))
    assert scale.high < 1.1


def test_log_of_negative_values_becomes_symlog_and_says_so() -> None:
    scale = color_scale(Coloring(color_by="x", scale="log", range_mode="auto"), dataset(x=np.array([-1.0, 1.0, 100.0])))
    assert scale.scale == "symlog"
    assert "not positive" in scale.note
    assert scale.index[0] < scale.index[1] < scale.index[2]


def test_log_scale() -> None:
    scale = color_scale(Coloring(color_by="x", scale="log", range_mode="auto"), dataset(x=np.array([1.0, 10.0, 100.0])))
    assert scale.index.tolist() == [0, 128, 255]


def test_symmetric_range_has_zero_in_the_middle() -> None:
    scale = color_scale(Coloring(color_by="x", range_mode="symmetric"), dataset(x=np.array([-1.0, 0.0, 4.0])))
    assert (scale.low, scale.high) == (-4.0, 4.0)
    assert scale.index[1] == 128


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_constant_and_missing_columns_are_legal(value: float) -> None:
    scale = color_scale(Coloring(color_by="x"), dataset(x=np.full(4, value)))
    assert len(scale.index) == 4
    assert scale.missing.all() == np.isnan(value)


def test_few_categories_get_a_colour_each_and_can_be_hidden() -> None:
    data = dataset(kind=np.array(["a", "b", "a", "", "c", "a"]))
    scale = color_scale(Coloring(color_by="kind", hidden="b"), data)
    assert scale.categories == ("a", "b", "c")
    assert scale.counts == (3, 1, 1)
    assert scale.missing.tolist() == [False, False, False, True, False, False]
    assert scale.hidden.tolist() == [False, True, False, False, False, False]


def test_many_categories_keep_the_frequent_ones() -> None:
    values = np.array([f"k{i}" for i in range(30)] + ["k3"] * 5)
    scale = color_scale(Coloring(color_by="kind"), dataset(kind=values))
    assert scale.categories[0] == "k3"
    assert scale.categories[-1] == "23 others"
    assert sum(scale.counts) == len(values)


def test_unknown_property_is_plain_with_a_note() -> None:
    data = dataset(x=np.array([1.0]))
    scale = color_scale(Coloring(color_by="nothing"), data)
    assert scale.kind == "plain"
    assert "nothing" in scale.note
    assert color_scale(Coloring(), data).note == ""
    assert colorable(data) == ["x"]


def test_normalize_clips() -> None:
    assert normalize(np.array([-1.0, 0.5, 2.0]), 0.0, 1.0, "linear").tolist() == [0.0, 0.5, 1.0]
