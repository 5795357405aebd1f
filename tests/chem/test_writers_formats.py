"""SDF, npz, SMILES, Parquet: written, and read back; columns and rows chosen."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, read_text
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.writers import FORMATS, format_of, write, write_npz, write_parquet, write_sdf, write_smiles
from qmlstudio.chem.writers.molecules import bonded, perceived_smiles
from qmlstudio.progress import Cancelled, Progress
from tests.chem.test_writers import sample


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return open_dataset("builtin:qm9_7").take(slice(0, 300))


@pytest.mark.parametrize("cells", [True, False])
def test_npz_gives_back_everything(tmp_path: Path, cells: bool) -> None:
    data = sample(cells)
    assert write(data, tmp_path / "a.npz") == ()
    back = open_dataset(tmp_path / "a.npz")
    assert back.fingerprint == data.fingerprint
    assert (back.name, back.problems, list(back.properties)) == ("sample", (), list(data.properties))
    with np.load(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive["R"], data.structures.positions)
        np.testing.assert_array_equal(archive["structures/gap"], data.properties["gap"].values)


def test_npz_of_frames_and_of_nothing(tmp_path: Path) -> None:
    frames = open_dataset("builtin:ethanol_500K").take(slice(0, 20))
    write_npz(frames, tmp_path / "a.npz")
    back = open_dataset(tmp_path / "a.npz")
    assert back.ordered
    assert back.fingerprint == frames.fingerprint
    write_npz(frames.take(slice(0, 0)), tmp_path / "b.npz")
    assert len(open_dataset(tmp_path / "b.npz")) == 0


@pytest.mark.parametrize(
    "change",
    [{"R": np.zeros((3, 2))}, {"offsets": np.array([0, 2, 1, 3])}, {"offsets": np.array([0, 2])}, {"cells": np.eye(3)}],
)
def test_npz_that_does_not_fit(tmp_path: Path, change: dict[str, Any]) -> None:
    arrays: dict[str, Any] = {"Z": np.array([1, 1, 8]), "R": np.eye(3), "offsets": np.array([0, 2, 3])}
    np.savez(tmp_path / "a.npz", **{**arrays, **change})
    with pytest.raises(DataError):
        open_dataset(tmp_path / "a.npz")


def test_npz_with_bad_structures(tmp_path: Path) -> None:
    r = np.eye(3) * 2
    r[2, 1] = np.nan
    np.savez(
        tmp_path / "a.npz",
        **{
            "Z": np.array([1, 1, 8, 0]),
            "R": np.concatenate([r, [[0, 0, 0]]]),
            "offsets": np.array([0, 2, 3, 4]),
            "about": np.array("{no json"),
            "structures/E": np.array([1.0, 2.0, 3.0]),
            "structures/odd": np.zeros(2),
        },
    )
    back = open_dataset(tmp_path / "a.npz")
    assert len(back) == 1
    assert back.properties["E"].values.tolist() == [1.0]
    assert len(back.problems) == 4


def test_sdf_round_trip(tmp_path: Path, qm9: Dataset) -> None:
    assert write_sdf(qm9, tmp_path / "a.sdf") == ()
    back = open_dataset(tmp_path / "a.sdf")
    assert back.problems == ()
    assert back.identifiers.tolist() == qm9.identifiers.tolist()
    assert set(back.properties) == set(qm9.per_structure)
    for key, p in qm9.per_structure.items():
        assert back.properties[key].unit == p.unit
        np.testing.assert_array_equal(back.properties[key].values, p.values, err_msg=key)
    np.testing.assert_array_equal(back.structures.numbers, qm9.structures.numbers)
    np.testing.assert_allclose(back.structures.positions, qm9.structures.positions, atol=5.1e-5, rtol=0)


def test_sdf_has_the_bonds_of_the_smiles(qm9: Dataset, tmp_path: Path) -> None:
    from rdkit import Chem

    data = qm9.take(slice(100, 300))
    bare = Dataset("bare", data.structures, {}, data.identifiers)
    write_sdf(bare, tmp_path / "a.sdf")
    found = open_dataset(tmp_path / "a.sdf").smiles
    write_sdf(data, tmp_path / "b.sdf")
    with Chem.SDMolSupplier(str(tmp_path / "b.sdf"), removeHs=True) as molecules:
        written = [Chem.MolToSmiles(m, isomericSmiles=False) for m in molecules]
    assert data.smiles is not None
    assert found is not None
    wanted = [Chem.CanonSmiles(str(s)) for s in data.smiles]
    flat = [Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False) for s in wanted]
    assert written == flat
    perceived = [Chem.MolToSmiles(Chem.MolFromSmiles(str(s)), isomericSmiles=False) for s in found]
    assert np.mean([a == b for a, b in zip(perceived, flat, strict=True)]) > 0.97


def test_charges_of_the_smiles_are_fitted() -> None:
    from rdkit import Chem

    data = read_text("C[NH2+]CC(=O)[O-]")
    mol = bonded(data.structures[0], "C[NH2+]CC(=O)[O-]")
    assert [a.GetAtomicNum() for a in mol.GetAtoms()] == data.structures[0].numbers.tolist()
    assert Chem.MolToSmiles(Chem.RemoveHs(mol)) == "C[NH2+]CC(=O)[O-]"
    assert bonded(data.structures[0], "CCO").GetNumAtoms() == len(data.structures[0]), "another molecule's SMILES"


def test_sdf_of_odd_things(tmp_path: Path) -> None:
    structures = Structures.from_lists(
        [[26, 8, 8], [], [8, 1, 1, 8, 1, 1]],
        [np.eye(3) * 1.6, np.zeros((0, 3)), [[0, 0, 0], [0.96, 0, 0], [-0.2, 0.9, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0]]],
    )
    note = Property(np.array(["a\n\nb", "", "x <y>"]))
    data = Dataset("odd", structures, {"a <note>": note}, np.array(["one\ntwo", "", "$$$$"]))
    problems = write_sdf(data, tmp_path / "a.sdf")
    assert [p.index for p in problems] == [1]
    back = open_dataset(tmp_path / "a.sdf")
    assert [s.formula for s in back.structures] == ["FeO2", "H4O2"]
    assert back.properties["a note"].values.tolist() == ["a\nb", "x <y>"]
    assert back.identifiers[0] == "one two"


def test_smiles(tmp_path: Path, qm9: Dataset) -> None:
    data = qm9.take(slice(20, 40))
    assert write_smiles(data, tmp_path / "a.smi") == ()
    back = open_dataset(tmp_path / "a.smi")
    assert data.smiles is not None
    assert back.smiles is not None
    assert back.smiles.tolist() == data.smiles.tolist()
    assert back.identifiers.tolist() == data.identifiers.tolist(), "names with spaces"


def test_smiles_from_geometry(tmp_path: Path) -> None:
    made = read_text("C[C@H](N)O a\nO=C=O b").structures
    structures = Structures.from_lists(
        [*(s.numbers for s in made), [2]], [*(s.positions for s in made), np.zeros((1, 3))]
    )
    problems = write_smiles(Dataset("bare", structures), tmp_path / "a.smi")
    assert (tmp_path / "a.smi").read_text() == "C[C@H](N)O\t1\nO=C=O\t2\n"
    assert [p.index for p in problems] == [2]
    assert perceived_smiles(structures[2]) == ""


@pytest.mark.parametrize("ending", [".sdf", ".smi"])
def test_crystals_are_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(DataError, match="cell of a crystal"):
        write(sample(True), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cells", [True, False])
def test_parquet(tmp_path: Path, cells: bool) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    data = sample(cells)
    write_parquet(data, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.schema.field("gap").metadata == {b"unit": b"Ha"}
    np.testing.assert_array_equal(table["gap"].to_numpy(), data.properties["gap"].values)
    assert table["name"].to_pylist() == [str(t) or None for t in data.properties["name"].values]
    assert table["identifier"].to_pylist() == data.identifiers.tolist()
    for i, structure in enumerate(data.structures):
        assert table["atomic_numbers"][i].as_py() == structure.numbers.tolist()
        assert table["positions"][i].as_py() == structure.positions.reshape(-1).tolist()
        if cells:
            cell = None if structure.cell is None else structure.cell.reshape(-1).tolist()
            assert table["cell"][i].as_py() == cell
    write_parquet(data.take(slice(0, 0)), tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet").num_rows == 0


def test_parquet_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return found(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r'pip install "qmlstudio\[parquet\]"'):
        write_parquet(sample(), tmp_path / "a.parquet")


@pytest.mark.parametrize("ending", [f.endings[0] for f in FORMATS])
def test_columns_and_rows(tmp_path: Path, qm9: Dataset, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    cluster = Property(np.array([f"cluster {i % 3}" for i in range(300)]))
    columns = {"smiles": qm9.properties["smiles"], "gap": qm9.properties["gap"], "cluster": cluster}
    rows = np.zeros(300, dtype=bool)
    rows[[3, 40, 299]] = True
    path = tmp_path / f"a{ending}"
    assert write(qm9, path, columns=columns, rows=rows) == ()
    if ending == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        assert table["cluster"].to_pylist() == ["cluster 0", "cluster 1", "cluster 2"]
        assert table["gap"].to_pylist() == qm9.properties["gap"].values[rows].tolist()
        return
    back = open_dataset(path)
    assert back.identifiers.tolist() == qm9.identifiers[rows].tolist()
    assert back.smiles is not None
    assert back.smiles.tolist() == columns["smiles"].values[rows].tolist()
    if format_of(path).columns:
        assert back.properties["cluster"].values.tolist() == ["cluster 0", "cluster 1", "cluster 2"]
        assert back.properties["gap"].values.tolist() == qm9.properties["gap"].values[rows].tolist()
        assert "homo" not in back.properties
    turned = write(qm9, path, rows=np.array([7, 5]))
    assert turned == ()
    assert open_dataset(path).identifiers.tolist() == qm9.identifiers[[7, 5]].tolist()


@pytest.mark.parametrize("ending", [f.endings[0] for f in FORMATS])
def test_old_file_survives_a_cancel(tmp_path: Path, qm9: Dataset, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"a{ending}"
    path.write_text("old")
    calls = []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Cancelled):
        write(qm9, path, Progress(is_cancelled=cancelled))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(DataError):
        write(qm9, tmp_path / "missing" / path.name)


def test_unknown_ending() -> None:
    with pytest.raises(DataError, match=r"\.parquet"):
        format_of("a.docx")
    assert format_of("A.SDF").name == "sdf"
