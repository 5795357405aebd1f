import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.session.columns import Columns
from qmlstudio.session.map_picture import LARGEST, MAX_SYMBOLS, SMALLEST, diameters, groups, places, symbols
from qmlstudio.session.map_spec import MapView


def columns(**values: object) -> Columns:
    n = len(next(iter(values.values())))  # type: ignore[arg-type]
    structures = Structures.from_lists([[1]] * n, np.zeros((n, 1, 3)))
    return Columns(Dataset("set", structures, {k: Property(np.asarray(v), unit="Ha") for k, v in values.items()}))


COORDINATES = Coordinates(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), ("PC 1 (60 %)", "PC 2 (20 %)"))


def test_the_embedding_alone() -> None:
    shown = places(MapView(), columns(x=[1.0, 2.0, 3.0]), COORDINATES)
    assert shown is not None
    assert shown.points is COORDINATES.points
    assert shown.axes == COORDINATES.axes
    assert not shown.equal
    space = Coordinates(np.zeros((3, 3)))
    shown = places(MapView(), columns(x=[1.0, 2.0, 3.0]), space)
    assert shown is not None
    assert shown.points.shape == (3, 3)
    assert shown.equal
    assert places(MapView(), columns(x=[1.0, 2.0, 3.0]), None) is None


def test_a_column_in_place_of_an_axis() -> None:
    data = columns(x=[1.0, np.nan, np.inf], y=[7.0, 8.0, 9.0])
    shown = places(MapView(x_axis="x"), data, COORDINATES)
    assert shown is not None
    assert shown.axes == ("x / Ha", "PC 2 (20 %)")
    assert shown.points[:, 1].tolist() == [1.0, 3.0, 5.0]
    # an infinite value has no place
    assert np.isnan(shown.points[1:, 0]).all()
    both = places(MapView(x_axis="x", y_axis="y"), data, None)
    assert both is not None
    assert both.points[:, 1].tolist() == [7.0, 8.0, 9.0]
    assert places(MapView(x_axis="x"), data, None) is None


def test_a_column_that_is_gone_or_of_texts_counts_as_none() -> None:
    shown = places(MapView(x_axis="gone", y_axis="kind"), columns(kind=["a", "b", "c"]), COORDINATES)
    assert shown is not None
    assert shown.points is COORDINATES.points


def test_areas_grow_with_the_value() -> None:
    values = np.linspace(0.0, 1.0, 101)
    sizes = diameters(MapView(size_by="x"), columns(x=values))
    assert sizes is not None
    assert sizes[0] == pytest.approx(SMALLEST)
    assert sizes[-1] == pytest.approx(LARGEST)
    assert sizes[50] ** 2 == pytest.approx((SMALLEST**2 + LARGEST**2) / 2)
    assert diameters(MapView(), columns(x=values)) is None


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [np.nan, 1.0, np.inf], [np.nan, np.nan, np.nan]])
def test_sizes_of_odd_columns(values: list[float]) -> None:
    sizes = diameters(MapView(size_by="x"), columns(x=values))
    assert sizes is not None
    assert np.array_equal(np.isfinite(sizes), np.isfinite(values))


def test_groups_by_frequency_with_the_rest_as_one() -> None:
    texts = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + ["e", "f", "g", ""]
    found = groups(columns(kind=texts)["kind"], 4)
    assert found.names == ("a", "b", "c", "4 others")
    assert found.index[-1] == -1
    assert (found.index[12:-1] == 3).all()
    assert len(found.colors) == 4


def test_whole_numbers_are_groups_measured_ones_are_not() -> None:
    found = groups(columns(n=[1.0, 2.0, 2.0, np.nan])["n"], MAX_SYMBOLS)
    assert found.names == ("2", "1")
    assert found.index.tolist() == [1, 0, 0, -1]
    with pytest.raises(ValueError, match="no categories"):
        groups(columns(n=[0.5, 1.5])["n"], MAX_SYMBOLS)
    with pytest.raises(ValueError, match="no categories"):
        groups(columns(n=np.arange(5000.0))["n"], MAX_SYMBOLS)
    assert symbols(MapView(symbol_by="n"), columns(n=np.arange(5000.0))) is None


def test_a_million_categories() -> None:
    texts = np.arange(1_000_000).astype(str)
    found = groups(columns(kind=texts)["kind"], MAX_SYMBOLS)
    assert len(found.names) == MAX_SYMBOLS
    assert found.names[-1] == "999,995 others"
