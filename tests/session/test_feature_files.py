"""Features written to disk: the numbers, what explains them, and what is left behind when it goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY, CoulombMatrix
from qmlstudio.session import feature_files
from qmlstudio.session.feature_files import description_path, write_features


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    whole = load_builtin("qm9_7")
    rows = np.arange(0, 400, 10)
    return Dataset(
        name="few", structures=whole.structures.take(rows), identifiers=whole.identifiers[rows], source=whole.source
    )


@pytest.mark.parametrize("name", list(REGISTRY))
def test_file_holds_what_compute_gives(name: str, dataset: Dataset, tmp_path: Path) -> None:
    representation = REGISTRY[name]()
    if representation.periodic == "required":
        return
    features = write_features(representation, dataset, tmp_path / "f.npy", dtype=np.float64)
    assert isinstance(features.array, np.memmap)
    stored = np.load(tmp_path / "f.npy", mmap_mode="r")
    np.testing.assert_array_equal(stored, representation.compute(dataset.structures).array)
    text = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert text["representation"] == json.loads(json.dumps(representation.to_dict()))
    assert len(text["columns"]) == stored.shape[1]
    assert text["identifiers"] == [str(i) for i in dataset.identifiers]
    assert text["fingerprint"] == dataset.fingerprint
    rows = text["row_offsets"][-1] if representation.local else len(dataset)
    assert rows == len(stored)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.json", "f.npy"]


def test_half_the_size_in_single_precision(dataset: Dataset, tmp_path: Path) -> None:
    write_features(CoulombMatrix(), dataset, tmp_path / "f.npy")
    assert np.load(tmp_path / "f.npy").dtype == np.float32


def test_nothing_is_left_of_what_was_cancelled(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_features(CoulombMatrix(), dataset, tmp_path / "f.npy", Progress(is_cancelled=lambda: True))
    assert not list(tmp_path.iterdir())


def test_an_older_file_survives_a_failure(dataset: Dataset, tmp_path: Path) -> None:
    write_features(CoulombMatrix(), dataset, tmp_path / "f.npy")
    before = (tmp_path / "f.npy").read_bytes(), (tmp_path / "f.json").read_bytes()
    with pytest.raises(Cancelled):
        write_features(CoulombMatrix(packed=False), dataset, tmp_path / "f.npy", Progress(is_cancelled=lambda: True))
    assert before == ((tmp_path / "f.npy").read_bytes(), (tmp_path / "f.json").read_bytes())


def test_a_full_disk_is_said_before(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(OSError, match=r"need .* GiB and the disk has .* free; choose another folder"):
        write_features(CoulombMatrix(), dataset, tmp_path / "f.npy")


def test_other_endings_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"f\.csv: features are written as \.npy"):
        write_features(CoulombMatrix(), dataset, tmp_path / "f.csv")


def test_no_structures(dataset: Dataset, tmp_path: Path) -> None:
    none: Any = Dataset(
        name="none", structures=dataset.structures.take([]), identifiers=np.array([], np.str_), source=dataset.source
    )
    write_features(CoulombMatrix(), none, tmp_path / "f.npy")
    assert len(np.load(tmp_path / "f.npy")) == 0
    assert description_path(tmp_path / "f.npy").exists()
