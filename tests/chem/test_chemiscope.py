"""JSON files of chemiscope, in and out."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.writers import write
from qmlstudio.chem.writers.chemiscope import MAP
from qmlstudio.progress import Cancelled, Progress

WATER = {"size": 3, "names": ["O", "H", "H"], "x": [0, 0.76, -0.76], "y": [0, 0.59, 0.59], "z": [0, 0, 0]}
HELIUM = {"size": 1, "names": ["He"], "x": [1.0], "y": [2], "z": [3], "cell": [4, 0, 0, 0, 5, 0, 0, 0, 6]}


def save(folder: Path, name: str = "a.json", **parts: Any) -> Path:
    path = folder / name
    whole = {"meta": {"name": "two"}, "structures": [WATER, HELIUM], "properties": {}, **parts}
    path.write_text(json.dumps(whole))
    return path


def dataset(n: int = 40) -> Dataset:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 6, n)
    total = int(sizes.sum())
    cells = [np.eye(3) * (5 + k) if k % 3 else None for k in range(n)]
    structures = Structures.from_lists(
        [rng.integers(1, 100, k) for k in sizes], [rng.normal(0, 4, (k, 3)) for k in sizes], cells
    )
    gap = rng.normal(size=n)
    gap[:3] = np.nan, np.inf, -np.inf
    properties = {
        "gap": Property(gap, unit="eV", description='of the "frontier" orbitals'),
        "smiles": Property(np.array([f"C{k}\\" if k else "" for k in range(n)])),
        "charge": Property(rng.normal(size=total), "atom", "e"),
        "forces": Property(rng.normal(size=(total, 3)), "atom", "eV/Å"),
    }
    names = np.array([f"é {k}" for k in range(n)])
    return Dataset("set", structures, properties, names, Source(licence="CC0", reference="doi:1"))


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
def test_round_trip(ending: str, tmp_path: Path) -> None:
    data = dataset()
    path = tmp_path / f"a{ending}"
    assert write(data, path) == ()
    back = open_dataset(path)
    assert back.problems == ()
    assert back.name == "set"
    assert (back.source.licence, back.source.reference) == ("CC0", "doi:1")
    assert back.structures.fingerprint == data.structures.fingerprint
    assert back.identifiers.tolist() == data.identifiers.tolist()
    assert back.properties.keys() == data.properties.keys()
    for name, p in data.properties.items():
        q = back.properties[name]
        assert (q.unit, q.description, q.target) == (p.unit, p.description, p.target)
        np.testing.assert_array_equal(q.values, p.values)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        write(dataset(5), tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_chemiscope_itself_takes_it(tmp_path: Path) -> None:
    package = pytest.importorskip("chemiscope.input")
    data = dataset(6)
    write(replace(data, properties={k: v for k, v in data.properties.items() if k != "gap"}), tmp_path / "a.json.gz")
    written = json.loads(gzip.decompress((tmp_path / "a.json.gz").read_bytes()))
    assert set(written) == {"meta", "structures", "properties", "parameters", "environments"}
    environments = [(e["structure"], e["center"], e["cutoff"]) for e in written["environments"]]
    assert package._normalize_environments(environments, written["structures"]) == written["environments"]
    assert package._normalize_metadata(written["meta"]) == written["meta"]
    atoms = len(written["environments"])
    assert atoms == sum(s["size"] for s in written["structures"]) == len(data.structures.numbers)
    for name, p in written["properties"].items():
        package._validate_property(name, p)
        made = package._linearize(name, p, len(data), atoms, "parameters" in p)
        assert made == {name: p}
    for s in written["structures"]:
        assert len(s["names"]) == len(s["x"]) == len(s["y"]) == len(s["z"]) == s["size"]


def test_properties_of_all_kinds(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        meta={"name": "A b", "description": "Some\nthing", "authors": ["X", "Y"], "references": ["doi:2"]},
        properties={
            "e": {"target": "structure", "values": [1, None], "units": "hartree", "description": "energy"},
            "short": [3, 4],
            "kind": {"target": "structure", "values": ["a", None]},
            "pca": {"target": "structure", "values": [[1, 2], [3, 4]], "parameters": ["axis"]},
            "long": {"target": "structure", "values": [[0] * 12, [0] * 12], "parameters": ["t"]},
            "q": {"target": "atom", "values": [1, 2, 3, 4]},
            "f": {"target": "atom", "values": [[1, 2, 3]] * 4},
            "mixed": {"target": "structure", "values": [1, "a"]},
            "few": {"target": "structure", "values": [1]},
            "none": {"target": "structure"},
        },
        parameters={"axis": {"values": [1, 2]}},
        shapes={"s": {"kind": "sphere", "parameters": {"global": {"radius": 1}}}},
        settings={"map": {}},
    )
    data = open_dataset(path)
    assert data.name == "A b"
    assert data.source.reference == "Some thing; X; Y; doi:2"
    assert data.structures[1].formula == "He"
    np.testing.assert_array_equal(data.structures[1].cell, np.diag([4, 5, 6]))
    assert data.structures[0].cell is None
    p = data.properties
    assert p["e"].unit == "Ha"
    np.testing.assert_array_equal(p["e"].values, [1, np.nan])
    assert p["kind"].values.tolist() == ["a", ""]
    assert p["pca_2"].values.tolist() == [2, 4]
    assert p["q"].values.tolist() == [1, 2, 3, 4]
    assert p["f"].values.shape == (4, 3)
    assert set(p) == {"e", "short", "kind", "pca_1", "pca_2", "q", "f"}
    assert {w.message.split("'")[1] for w in data.problems} == {"long", "mixed", "few", "none"}


def test_properties_of_environments(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        environments=[{"structure": 1, "center": 0, "cutoff": 3}, {"structure": 0, "center": 2, "cutoff": 3}, {"x": 1}],
        properties={"q": {"target": "atom", "values": [5, 6, 7]}, "t": {"target": "atom", "values": ["a", "b", "c"]}},
    )
    data = open_dataset(path)
    np.testing.assert_array_equal(data.properties["q"].values, [np.nan, np.nan, 6, 5])
    assert data.properties["t"].values.tolist() == ["", "", "b", "a"]
    assert "1 environments" in data.problems[0].message


def test_bad_structures_are_left_out_with_their_values(tmp_path: Path) -> None:
    bad = [{**WATER, "x": [0, 0]}, {**WATER, "names": ["Q", "H", "H"]}, {**WATER, "y": [0, float("nan"), 0]}, {}]
    path = save(
        tmp_path,
        structures=[bad[0], WATER, *bad[1:], HELIUM],
        properties={"n": list(range(6)), "q": {"target": "atom", "values": list(range(13))}},
    )
    data = open_dataset(path)
    assert data.identifiers.tolist() == ["2", "6"]
    assert data.properties["n"].values.tolist() == [1, 5]
    assert data.properties["q"].values.tolist() == [3, 4, 5, 12]
    assert [p.index for p in data.problems] == [0, 2, 3, 4]


def test_structures_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "0.json").write_text(json.dumps(WATER))
    secret = tmp_path.parent / f"{tmp_path.name}-secret.json"
    secret.write_text(json.dumps(HELIUM))
    away = [{"size": 1, "data": name} for name in (f"../{secret.name}", str(secret), "missing.json")]
    data = open_dataset(save(tmp_path, structures=[{"size": 3, "data": "s/0.json"}, *away]))
    assert [s.formula for s in data.structures] == ["H2O"]
    assert len(data.problems) == 3


def test_what_is_no_json_any_more(tmp_path: Path) -> None:
    path = save(tmp_path, properties={"n": [1, 2]})
    text = path.read_text()
    path.write_text(text[: text.index('"properties"') + 20])
    data = open_dataset(path)
    assert len(data) == 2
    assert "not JSON from here on" in data.problems[0].message
    path.write_text('{"structures": [1, 2, []]}')
    with pytest.raises(DataError):
        open_dataset(path)
    path.write_text('{"structures": ' + "[" * 100_000)
    with pytest.raises(DataError, match="not JSON"):
        open_dataset(path)
    with pytest.raises(Cancelled):
        open_dataset(save(tmp_path), Progress(is_cancelled=lambda: True))


def test_the_map_becomes_the_axes(tmp_path: Path) -> None:
    points = {name: Property(np.arange(4.0) + k) for k, name in enumerate(MAP)}
    write(replace(dataset(4), properties=points), tmp_path / "a.json")
    axes = json.loads((tmp_path / "a.json").read_text())["settings"]["map"]
    assert axes == {"x": {"property": "map 1"}, "y": {"property": "map 2"}}
    assert open_dataset(tmp_path / "a.json").properties["map 2"].values.tolist() == [1, 2, 3, 4]
