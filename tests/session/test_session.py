import json
from dataclasses import replace

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding import PCA, UMAP
from qmlstudio.progress import SILENT
from qmlstudio.representations import REGISTRY
from qmlstudio.session.scripting import compute, with_derived
from qmlstudio.session.selection import Selection
from qmlstudio.session.session import VERSION, Session
from qmlstudio.session.stages import TooLargeError, stages


def small() -> Dataset:
    rng = np.random.default_rng(0)
    structures = Structures.from_lists([[6, 1, 1]] * 12, rng.normal(size=(12, 3, 3)) * 2)
    return with_derived(Dataset("small", structures, {"energy": Property(rng.normal(size=12), unit="eV")}))


def test_round_trip_through_json() -> None:
    data = small()
    session = replace(
        Session().with_dataset(data),
        representation=REGISTRY["bag_of_bonds"](),
        embedding=UMAP(n_neighbors=7, seed=3),
        selection=Selection(np.arange(12) % 3 == 0, active=4, origin="lasso"),
        pins=(3, 1),
        measurements=((0, 1), (0, 1, 2)),
    )
    again = Session.from_dict(json.loads(json.dumps(session.to_dict())))
    assert again.differing(session) == frozenset()
    assert again.coloring.color_by == "energy"


def test_newer_version_is_refused_with_a_reason() -> None:
    data = Session().to_dict()
    data["version"] = VERSION + 1
    with pytest.raises(ValueError, match="install a newer one"):
        Session.from_dict(data)
    del data["pins"]
    data["version"] = VERSION
    with pytest.raises(ValueError, match="incomplete"):
        Session.from_dict(data)


def test_differing_names_the_fields() -> None:
    a = Session()
    assert a.differing(replace(a, pins=(1,))) == {"pins"}
    assert a.differing(replace(a, embedding=PCA())) == {"embedding"}
    assert a.differing(replace(a, coloring=a.coloring.with_values(palette="vik"))) == {"coloring"}


def test_another_data_set_resets_what_names_structures_and_keeps_the_methods() -> None:
    first = replace(Session().with_dataset(small()), embedding=PCA(), pins=(2,), measurements=((0, 1),))
    second = first.with_dataset(load_builtin("qm9_7"))
    assert second.pins == ()
    assert second.measurements == ()
    assert second.embedding == PCA()
    assert second.selection.active == 0
    assert second.coloring.color_by in load_builtin("qm9_7").properties


def keys(session: Session, data: Dataset) -> dict[str, str]:
    return {s.name: s.key for s in stages(session, data)}


def test_a_layout_parameter_spares_features_and_neighbours() -> None:
    data = small()
    session = replace(Session().with_dataset(data), embedding=UMAP(n_neighbors=5))
    before = keys(session, data)
    after = keys(replace(session, embedding=UMAP(n_neighbors=5, min_dist=0.5)), data)
    assert after["features"] == before["features"]
    assert after["neighbors"] == before["neighbors"]
    assert after["map"] != before["map"]


def test_what_does_not_concern_the_map_changes_no_key() -> None:
    data = small()
    session = Session().with_dataset(data)
    moved = replace(session, pins=(1,), coloring=session.coloring.with_values(palette="vik"))
    assert keys(moved, data) == keys(session, data)


def test_each_input_changes_every_later_key() -> None:
    data = small()
    session = replace(Session().with_dataset(data), embedding=UMAP(n_neighbors=5))
    before = keys(session, data)
    other = replace(session, representation=REGISTRY["bag_of_bonds"]())
    assert not set(keys(other, data).values()) & set(before.values())
    neighbours = keys(replace(session, embedding=UMAP(n_neighbors=6)), data)
    assert neighbours["features"] == before["features"]
    assert neighbours["neighbors"] != before["neighbors"]
    fewer = data.take(slice(0, 11))
    assert not set(keys(session, fewer).values()) & set(before.values())


def test_features_beyond_the_budget_are_refused_with_a_plan() -> None:
    data = small()
    session = Session().with_dataset(data)
    features = stages(session, data, memory_budget=10)[0]
    with pytest.raises(TooLargeError, match="budget"):
        features.run({}, SILENT)


def test_compute_gives_a_point_for_each_structure() -> None:
    data = small()
    session = replace(Session().with_dataset(data), embedding=PCA())
    results = compute(session, data)
    assert results["map"].points.shape == (12, 2)
    assert np.isfinite(results["map"].points).all()


def test_derived_properties_do_not_replace_the_files_own() -> None:
    data = small()
    assert data.properties["n_atoms"].values.tolist() == [3.0] * 12
    assert data.properties["n_heavy"].values.tolist() == [1.0] * 12
    own = Dataset("own", data.structures, {"n_heavy": Property(np.full(12, 7.0))})
    assert with_derived(own).properties["n_heavy"].values[0] == 7.0
