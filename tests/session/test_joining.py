from dataclasses import replace

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA, UMAP
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.representations import REGISTRY
from qmlstudio.session.joining import ORIGIN, added, joined
from qmlstudio.session.scripting import compute
from qmlstudio.session.selection import NamedSelection, Selection
from qmlstudio.session.session import Session
from qmlstudio.session.stages import TooLargeError


def water(n: int, name: str, **values: Property) -> Dataset:
    positions = np.random.default_rng(n).normal(size=(n, 3, 3)) * 0.1 + [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    return Dataset(name, Structures.from_lists([[8, 1, 1]] * n, positions), dict(values))


def test_columns_of_both_with_gaps() -> None:
    first = water(2, "one", gap=Property(np.array([1.0, 2.0]), unit="Ha"), kind=Property(np.array(["a", "b"])))
    second = water(3, "two", gap=Property(np.array([3.0, 4.0, 5.0])), charge=Property(np.arange(9.0), target="atom"))
    both = joined(first, second)
    assert len(both) == 5
    assert both.properties["gap"].values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert both.properties["gap"].unit == "Ha"
    assert both.properties["kind"].values.tolist() == ["a", "b", "", "", ""]
    charge = both.properties["charge"].values
    assert np.isnan(charge[:6]).all()
    assert charge[6:].tolist() == list(range(9))
    assert both.properties[ORIGIN].values.tolist() == ["one"] * 2 + ["two"] * 3
    assert np.array_equal(both.structures[4].positions, second.structures[2].positions)
    third = joined(both, water(1, "three"))
    assert third.properties[ORIGIN].values.tolist() == ["one"] * 2 + ["two"] * 3 + ["three"]


def test_cells_where_only_one_set_has_them() -> None:
    crystal = Dataset("c", Structures.from_lists([[3]], [[[0.0, 0, 0]]], [np.eye(3) * 4]))
    both = joined(water(2, "w"), crystal)
    assert both.structures[0].cell is None
    assert np.array_equal(both.structures[2].cell, np.eye(3) * 4)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (Property(np.array(["x", "y", "z"])), "another kind"),
        (Property(np.arange(9.0), target="atom"), "another kind"),
        (Property(np.arange(3.0), unit="eV"), "units Ha and eV"),
    ],
)
def test_columns_that_do_not_fit(other: Property, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        joined(water(2, "one", gap=Property(np.array([1.0, 2.0]), unit="Ha")), water(3, "two", gap=other))


@pytest.mark.parametrize("embedding", [PCA(), UMAP(n_epochs=100)], ids=["pca", "umap"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_new_structures_find_their_place(embedding: object, mirrored: bool) -> None:
    whole = load_builtin("qm9_7")
    rng = np.random.default_rng(0)
    order = rng.permutation(600)
    old, new = whole.take(order[:500]), whole.take(order[500:])
    # molecules that are there already must come to lie on themselves
    new = joined(new, old.take(slice(0, 20)))
    new = replace(new, properties={k: p for k, p in new.properties.items() if k != ORIGIN}, name="more")
    session = replace(Session().with_dataset(old), representation=REGISTRY["bag_of_bonds"](), embedding=embedding)
    coordinates = compute(session, old)["map"]
    if mirrored:
        coordinates = replace(coordinates, points=coordinates.points * [-1.0, 1.0])
    named = NamedSelection("some", Selection(np.arange(500) < 3))
    after, both, points = added(replace(session, named=(named,)), old, new, coordinates)
    assert np.array_equal(points.points[:500], coordinates.points)
    assert points.points.shape == (620, 2)
    assert np.isfinite(points.points).all()
    spread = coordinates.points.std()
    # bags may be longer with more molecules: of PCA's axes only their scale can change a little
    assert np.abs(points.points[600:] - points.points[:20]).max() < 0.02 * spread
    assert after.selection.count == 120
    assert after.selection.active == 500
    assert len(after.named[0].selection) == 620
    assert after.named[0].selection.count == 3
    assert after.dataset.fingerprint == both.fingerprint


def test_too_large_and_kernel_only_are_refused() -> None:
    old, new = water(5, "one"), water(5, "two")
    session = Session().with_dataset(old)
    there = Coordinates(np.zeros((5, 2)))
    with pytest.raises(TooLargeError, match="of both sets"):
        added(session, old, new, there, memory_budget=10)
    with pytest.raises(ValueError, match="has no map"):
        added(replace(session, representation=REGISTRY["fchl18"]()), old, new, there)
