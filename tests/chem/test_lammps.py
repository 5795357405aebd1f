"""Dumps of LAMMPS."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import builder, format_of, lammps, open_dataset
from qmlstudio.chem.readers.options import ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Cancelled, Progress

RNG = np.random.default_rng(4)
SYMBOLS = ["O", "H", "H"]
BASE = np.array([[5, 5, 5.117], [5, 5.757, 4.531], [5, 4.243, 4.531]])
FRAMES = BASE + RNG.normal(0, 0.05, (6, 3, 3))
BOX = "ITEM: BOX BOUNDS pp pp pp\n0 10\n0 12\n0 14\n"


def dump(columns: str, row: str, box: str = BOX, start: str = "", count: int = 6, seed: int = 0) -> str:
    """Frames whose atoms stand in any order; `row` may use i, s, x, y, z, t."""
    order = np.random.default_rng(seed)
    text = start
    for k in range(count):
        text += f"ITEM: TIMESTEP\n{k * 50}\nITEM: NUMBER OF ATOMS\n3\n{box}ITEM: ATOMS {columns}\n"
        for j in order.permutation(3).tolist():
            x, y, z = FRAMES[k, j].tolist()
            values = {"i": j + 1, "s": SYMBOLS[j], "x": repr(x), "y": repr(y), "z": repr(z), "t": 1 if j == 0 else 2}
            text += row.format(**values) + "\n"
    return text


def save(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_positions_cells_forces_and_charges(tmp_path: Path) -> None:
    text = dump(
        "id element x y z fx fy fz q mol c_pe", "{i} {s} {x} {y} {z} 1 2 {i} -0.5 7 0.25", start="ITEM: UNITS\nreal\n"
    )
    path = save(tmp_path / "md.lammpstrj", text)
    data = open_dataset(path)
    assert data.problems == ()
    assert data.ordered
    assert data.source.format == "LAMMPS dump"
    assert data.structures[5].symbols == SYMBOLS
    np.testing.assert_array_equal(data.structures.positions, FRAMES.reshape(-1, 3))
    assert data.structures.cells is not None
    np.testing.assert_array_equal(data.structures.cells[1], np.diag([10, 12, 14]))
    p = data.properties
    assert p["forces"].unit == "kcal/mol/Å"
    np.testing.assert_array_equal(p["forces"].values[:3], [[1, 2, 1], [1, 2, 2], [1, 2, 3]])
    assert p["charge"].unit == "e"
    assert p["timestep"].values.tolist() == [0, 50, 100, 150, 200, 250]
    assert set(p) == {"forces", "charge", "mol", "c_pe", "timestep"}
    packed = tmp_path / "md.dump.gz"
    packed.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    assert open_dataset(packed).structures.fingerprint == data.structures.fingerprint
    assert open_dataset(f"{path}#every=4").identifiers.tolist() == ["1", "5"]
    assert open_dataset(f"{path}#first=2").identifiers.tolist() == ["1", "2"]


def test_scaled_tilted_and_other_units(tmp_path: Path) -> None:
    tilted = "ITEM: BOX BOUNDS xy xz yz pp pp pp\n-1.0 12.5 1.5\n2 14.5 -1.0\n0 14 0.5\n"
    # bounds of a box with lengths 11, 12, 14: howto_triclinic
    path = save(tmp_path / "a.dump", dump("id element xs ys zs", "{i} {s} 0.5 0.25 0.{i}", tilted))
    data = open_dataset(path)
    assert data.structures.cells is not None
    cell = np.array([[11.0, 0, 0], [1.5, 12, 0], [-1, 0.5, 14]])
    np.testing.assert_allclose(data.structures.cells[0], cell, atol=1e-12)
    np.testing.assert_allclose(data.structures.positions[1], [0, 2, 0] + np.array([0.5, 0.25, 0.2]) @ cell)
    general = "ITEM: BOX BOUNDS abc origin pp pp pp\n9 0 0 1\n0 8 0 1\n1 0 7 1\n"
    data = open_dataset(save(tmp_path / "b.dump", dump("id element xs ys zs", "{i} {s} 0 0 0.{i}", general)))
    np.testing.assert_allclose(data.structures.positions[1], np.array([1, 1, 1]) + 0.2 * np.array([1, 0, 7]))
    free = BOX.replace("pp pp pp", "ff ff ss")
    text = dump("id element xu yu zu", "{i} {s} {x} {y} {z}", free, start="ITEM: UNITS\nnano\n")
    data = open_dataset(save(tmp_path / "c.dump", text))
    assert data.structures.cells is None
    np.testing.assert_allclose(data.structures.positions, 10 * FRAMES.reshape(-1, 3))


def test_where_the_elements_come_from(tmp_path: Path) -> None:
    by_mass = dump("id mass x y z", "{i} " + "{t}.0 {x} {y} {z}")
    by_mass = by_mass.replace(" 1.0 ", " 15.9994 ").replace(" 2.0 ", " 1.008 ")
    assert open_dataset(save(tmp_path / "m.dump", by_mass)).structures[0].symbols == SYMBOLS
    path = save(tmp_path / "md.dump", dump("id type x y z", "{i} {t} {x} {y} {z}"))
    with pytest.raises(DataError, match=r"nothing tells their elements.*md\.data"):
        open_dataset(path)
    xyz = save(tmp_path / "md.xyz", "3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n")
    assert open_dataset(path).structures[3].symbols == SYMBOLS
    xyz.unlink()
    save(tmp_path / "md.data", "LAMMPS\n\n3 atoms\n\nMasses\n\n1 15.999 # O\n2 1.008\n\nAtoms\n\n1 1 1 0 0 0\n")
    data = open_dataset(path)
    assert data.structures[3].symbols == SYMBOLS
    assert data.properties["type"].values[:3].tolist() == [1, 2, 2]


def test_faulty_frames_are_left_out_and_listed(tmp_path: Path) -> None:
    good = dump("id element x y z", "{i} {s} {x} {y} {z}")
    frames = ["ITEM: TIMESTEP" + part for part in good.split("ITEM: TIMESTEP")[1:]]
    frames[1] = frames[1].replace("ITEM: NUMBER OF ATOMS\n3", "ITEM: NUMBER OF ATOMS\n4")
    frames[2] = frames[2].rsplit(" ", 1)[0] + "\n"
    frames[3] = frames[3].replace("H ", "Qq ", 1)
    frames[4] = frames[4].replace("0 12\n", "")
    data = open_dataset(save(tmp_path / "a.dump", "".join(frames)))
    assert data.identifiers.tolist() == ["1", "6"]
    assert sorted(p.index for p in data.problems if p.index is not None) == [1, 2, 3, 4]
    assert "3 atoms where 4 are announced" in " ".join(p.message for p in data.problems)
    cut = open_dataset(save(tmp_path / "b.dump", good[: int(len(good) * 0.7)]))
    assert 3 <= len(cut) < 6
    assert len(cut.problems) == 1
    with pytest.raises(DataError):
        open_dataset(save(tmp_path / "c.dump", good[:80]))


def test_batches_and_cancel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.dump", dump("id element x y z", "{i} {s} {x} {y} {z}"))
    whole = open_dataset(path)
    monkeypatch.setattr(builder, "BATCH_BYTES", 200)
    monkeypatch.setattr(lammps, "RUN_ATOMS", 2)
    with ByteStream(path) as stream:
        form = format_of(stream)
        assert form.batches is not None
        parts = list(form.batches(stream, SILENT, ReadOptions()))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate([p.structures.positions for p in parts]), whole.structures.positions)
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=lambda: True))
