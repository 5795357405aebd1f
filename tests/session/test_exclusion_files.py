"""Lists of excluded structures as files: for the same set, for another order of it, for damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.session import exclusion_files as files
from qmlstudio.session.exclusions import Exclusion

LISTS = (
    Exclusion("clashes", "below 0.6 of the radii", np.array([3, 17])),
    Exclusion("twins", "RMSD up to 0.002 Å", np.array([40]), active=False),
)


@pytest.fixture(scope="module")
def some() -> Dataset:
    return load_builtin("qm9_7").take(slice(100, 160))


def test_round_trip(some: Dataset, tmp_path: Path) -> None:
    files.write(tmp_path / "x.json", some, LISTS)
    assert files.read(tmp_path / "x.json", some) == files.Loaded(LISTS, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_structures_are_found_elsewhere_by_identifier_and_elements(some: Dataset, tmp_path: Path) -> None:
    files.write(tmp_path / "x.json", some, LISTS)
    other = some.take([40, 3, 5])
    loaded = files.read(tmp_path / "x.json", other)
    assert [e.indices.tolist() for e in loaded.exclusions] == [[1], [0]]
    assert loaded.missing == 1
    # the same name for another molecule is another molecule
    wrong = Dataset("wrong", some.structures.take([5]), {}, some.identifiers[[3]])
    assert files.read(tmp_path / "x.json", wrong).missing == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": "QML Studio exclusions", "version": 99}',
        '{"format": "QML Studio exclusions", "version": 1}',
    ],
)
def test_bad_files_are_told(text: str, some: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="excluded structures"):
        files.read(path, some)


def test_indices_beyond_the_set_are_refused(some: Dataset) -> None:
    data = files.to_json(some, LISTS)
    data["lists"][0]["indices"] = [1000]
    with pytest.raises(ValueError, match="names some that there are not"):
        files.from_json(json.loads(json.dumps(data)), some)
