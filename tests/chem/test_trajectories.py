"""XTC, TRR and DCD trajectories."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import format_of, open_dataset, trajectories
from qmlstudio.chem.readers.options import ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Cancelled, Progress

formats: Any = pytest.importorskip("mdtraj.formats")

RNG = np.random.default_rng(2)
SYMBOLS = ["C", "O", "H", "H", "H", "H"] * 2
BASE = RNG.normal(0, 3, (12, 3))
FRAMES = (BASE + RNG.normal(0, 0.1, (30, 12, 3))).astype(np.float32)
CELL = np.diag([20.0, 21.0, 22.0])


def structure(path: Path, symbols: list[str] = SYMBOLS) -> Path:
    rows = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(symbols, BASE.tolist(), strict=False)]
    path.write_text(f"{len(rows)}\n\n" + "\n".join(rows) + "\n")
    return path


def save(path: Path) -> Path:
    n = len(FRAMES)
    if path.suffix == ".dcd":
        with formats.DCDTrajectoryFile(str(path), "w") as file:
            lengths, angles = np.tile([20.0, 21.0, 22.0], (n, 1)), np.full((n, 3), 90.0)
            file.write(FRAMES, cell_lengths=lengths.astype(np.float32), cell_angles=angles.astype(np.float32))
        return path
    kind = formats.XTCTrajectoryFile if path.suffix == ".xtc" else formats.TRRTrajectoryFile
    box = np.tile(CELL / 10, (n, 1, 1)).astype(np.float32)
    with kind(str(path), "w") as file:
        file.write(FRAMES / 10, time=np.arange(n, dtype=np.float32) / 2, step=np.arange(n, dtype=np.int32), box=box)
    return path


@pytest.mark.parametrize("ending", [".xtc", ".trr", ".dcd"])
def test_frames_with_the_elements_of_the_file_beside(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"md{ending}")
    structure(tmp_path / "md.xyz")
    data = open_dataset(path)
    assert len(data) == 30
    assert data.ordered
    assert data.problems == ()
    assert data.source.format == f"{ending[1:].upper()}, elements from md.xyz"
    assert data.structures[7].symbols == SYMBOLS
    atol = 0.006 if ending == ".xtc" else 1e-5  # the format keeps 0.001 nm
    np.testing.assert_allclose(data.structures.positions, FRAMES.reshape(-1, 3), atol=atol)
    assert data.structures.cells is not None
    np.testing.assert_allclose(data.structures.cells[3], CELL, atol=1e-4)
    if ending != ".dcd":
        assert data.properties["time"].unit == "ps"
        np.testing.assert_allclose(data.properties["time"].values, np.arange(30) / 2)
    monkeypatch.setattr(trajectories, "_CHUNK", 12 * 12 * 4)  # four frames at a time
    assert open_dataset(path).structures.fingerprint == data.structures.fingerprint
    thin = open_dataset(f"{path}#every=7&first=3")
    assert thin.identifiers.tolist() == ["1", "8", "15"]
    np.testing.assert_array_equal(thin.structures[2].positions, data.structures[14].positions)
    monkeypatch.setattr(trajectories, "BATCH_BYTES", 3000)
    with ByteStream(path) as stream:
        form = format_of(stream)
        assert form.batches is not None
        parts = list(form.batches(stream, SILENT, ReadOptions()))
    assert len(parts) > 2
    assert sum(len(p) for p in parts) == 30


@pytest.mark.parametrize("ending", [".xtc", ".trr", ".dcd"])
def test_without_a_box(ending: str, tmp_path: Path) -> None:
    kinds = {".xtc": "XTCTrajectoryFile", ".trr": "TRRTrajectoryFile", ".dcd": "DCDTrajectoryFile"}
    with getattr(formats, kinds[ending])(str(tmp_path / f"md{ending}"), "w") as file:
        file.write(FRAMES if ending == ".dcd" else FRAMES / 10)
    structure(tmp_path / "md.xyz")
    data = open_dataset(tmp_path / f"md{ending}")
    assert data.structures.cells is None
    assert len(data) == 30


def test_which_file_tells_the_elements(tmp_path: Path) -> None:
    path = save(tmp_path / "md.xtc")
    with pytest.raises(DataError, match=r"no elements.*put md\.gro"):
        open_dataset(path)
    only = structure(tmp_path / "start.xyz")
    data = open_dataset(path)
    assert data.problems[0].is_notice
    assert "start.xyz, the only such file" in data.problems[0].message
    structure(tmp_path / "other.xyz")
    with pytest.raises(DataError, match="no elements"):
        open_dataset(path)
    only.unlink()
    structure(tmp_path / "other.xyz", SYMBOLS[:5])
    with pytest.raises(DataError, match=r"12 atoms and other\.xyz 5"):
        open_dataset(path)


@pytest.mark.parametrize("ending", [".pdb", ".gro"])
def test_elements_from_names_of_atoms(ending: str, tmp_path: Path) -> None:
    import ase.io
    from ase import Atoms

    path = save(tmp_path / "md.xtc")
    atoms = Atoms(SYMBOLS, BASE + 10, cell=CELL, pbc=True)
    ase.io.write(tmp_path / f"md{ending}", atoms)
    assert open_dataset(path).structures[0].symbols == SYMBOLS


def test_damaged_and_cancelled(tmp_path: Path) -> None:
    structure(tmp_path / "md.xyz")
    path = save(tmp_path / "md.xtc")
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    data = open_dataset(path)
    assert 15 < len(data) < 25
    assert "cannot be read" in data.problems[0].message
    path.write_bytes(raw)
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=lambda: True))


def test_says_how_to_install_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "md.xtc")
    structure(tmp_path / "md.xyz")
    monkeypatch.setitem(sys.modules, "mdtraj", None)
    with pytest.raises(DataError, match=r"qmlstudio\[trajectories\]"):
        open_dataset(path)
