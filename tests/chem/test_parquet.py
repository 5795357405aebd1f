"""Parquet tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import format_of, open_dataset, parquet
from qmlstudio.chem.readers.options import ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import BOHR
from qmlstudio.chem.writers import write_parquet
from qmlstudio.progress import SILENT

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

RNG = np.random.default_rng(1)
SIZES = (3, 1, 5, 2)
Z = [RNG.integers(1, 19, n).astype(np.uint8) for n in SIZES]
R = [RNG.normal(0, 3, (n, 3)) for n in SIZES]


def save(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    cells = [None, np.eye(3) * 9.0, None, np.diag([7.0, 8.0, 9.0])]
    data = Dataset(
        "d",
        Structures.from_lists(Z, R, cells),
        {
            "gap": Property(np.array([1.5, np.nan, -np.inf, 0.0]), unit="eV", description="of the orbitals"),
            "label": Property(np.array(["a", "", "Å", "d"])),
        },
        np.array(["one", "two", "three", "four"]),
    )
    write_parquet(data, tmp_path / "d.parquet")
    back = open_dataset(tmp_path / "d.parquet")
    assert back.problems == ()
    assert back.structures.fingerprint == data.structures.fingerprint
    assert back.identifiers.tolist() == data.identifiers.tolist()
    for name, p in data.properties.items():
        q = back.properties[name]
        assert (q.unit, q.description, q.target) == (p.unit, p.description, p.target)
        np.testing.assert_array_equal(q.values, p.values)


def test_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.parquet", Z=[z.tolist() for z in Z] * 9, R=[r.reshape(-1).tolist() for r in R] * 9)
    whole = open_dataset(path)
    monkeypatch.setattr(parquet, "_ROWS", 5)
    with ByteStream(path) as stream:
        form = format_of(stream)
        assert form.batches is not None
        parts = list(form.batches(stream, SILENT, ReadOptions()))
    assert [len(p) for p in parts] == [5] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate([p.structures.positions for p in parts]), whole.structures.positions)
    assert np.concatenate([p.identifiers for p in parts]).tolist() == whole.identifiers.tolist()
    thin = open_dataset(f"{path}#every=10")
    assert thin.identifiers.tolist() == ["1", "11", "21", "31"]


def test_nested_coordinates_symbols_and_values_of_atoms(tmp_path: Path) -> None:
    path = save(
        tmp_path / "n.pq",
        species=[["O", "H", "H"], ["He"]],
        coordinates=[[[0.0, 0, 0], [0, 0, 1], [0, 1, 0]], [[1.0, 2, 3]]],
        forces=[[[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]], [[0.0, 0, 0]]],
        charges=[[-0.8, 0.4, 0.4], [None]],
        energy=pa.array([1, None]),
        flag=[True, False],
        tags=pa.array(["x", None]).dictionary_encode(),
        spectrum=[[1.0] * 7, [2.0] * 9],
    )
    data = open_dataset(path)
    assert [s.formula for s in data.structures] == ["H2O", "He"]
    np.testing.assert_array_equal(data.structures.positions[-1], [1, 2, 3])
    p = data.properties
    assert p["forces"].target == p["charges"].target == "atom"
    np.testing.assert_array_equal(p["forces"].values[:3], 0.1 * np.eye(3))
    np.testing.assert_array_equal(p["charges"].values, [-0.8, 0.4, 0.4, np.nan])
    np.testing.assert_array_equal(p["energy"].values, [1, np.nan])
    assert p["flag"].values.tolist() == [1, 0]
    assert p["tags"].values.tolist() == ["x", ""]
    assert "spectrum" not in p


def test_units_of_the_columns(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("numbers", pa.list_(pa.int64())),
            pa.field("positions", pa.list_(pa.float32()), metadata={"units": "bohr"}),
            pa.field("E [Ha]", pa.float64()),
        ]
    )
    pq.write_table(pa.table([[[1, 1]], [[0.0, 0, 0, 0, 0, 1.5]], [-1.1]], schema=schema), tmp_path / "u.parquet")
    data = open_dataset(tmp_path / "u.parquet")
    np.testing.assert_allclose(data.structures.positions[1], [0, 0, 1.5 * BOHR])
    assert data.properties["E"].unit == "Ha"


def test_bad_rows_are_left_out_and_listed(tmp_path: Path) -> None:
    path = save(
        tmp_path / "b.parquet",
        numbers=[[6], [6, 6], [0], [8], None, [1, 1], [7]],
        positions=[[0.0] * 3, [0.0] * 3, [0.0] * 3, [None, 0.0, 0.0], [], [0.0] * 6, [5.0] * 3],
    )
    data = open_dataset(path)
    assert data.identifiers.tolist() == ["1", "7"]
    assert data.structures.numbers.tolist() == [6, 7]
    assert sorted(p.index for p in data.problems if p.index is not None) == [1, 2, 3, 4, 5]
    with pytest.raises(DataError):
        open_dataset(save(tmp_path / "c.parquet", numbers=[[99]], positions=[[0.0, 1.0]]))


def test_smiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(
        tmp_path / "s.parquet",
        canonical_smiles=["C", "CC", "?", "O"],
        name=["a", "b", "c", None],
        y=[1.0, 2.0, 3.0, None],
    )
    data = open_dataset(path)
    assert data.identifiers.tolist() == ["a", "b", "3"]
    assert data.properties["smiles"].values.tolist() == ["C", "CC", "O"]
    np.testing.assert_array_equal(data.properties["y"].values, [1, 2, np.nan])
    assert data.problems[0].line == 3
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    monkeypatch.setattr(parquet, "AUTOMATIC_SAMPLE", 2)
    assert "2 of 4 molecules" in open_dataset(path).problems[0].message
    with pytest.raises(DataError, match="no columns of coordinates"):
        open_dataset(save(tmp_path / "x.parquet", a=[1], b=["q"]))


def test_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "d.parquet", numbers=[[6]] * 200, positions=[[0.0, 1.0, 2.0]] * 200)
    raw = path.read_bytes()
    for keep in (6, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:keep])
        with pytest.raises(DataError, match="damaged or not whole"):
            open_dataset(path)
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(raw)
        for k in rng.integers(4, len(raw), 4):
            data[k] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(data))
        try:
            assert np.isfinite(open_dataset(path).structures.positions).all()
        except DataError:
            continue


def test_says_how_to_install_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "d.parquet", smiles=["C"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"qmlstudio\[parquet\]"):
        open_dataset(path)
