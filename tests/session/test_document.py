from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_paths
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.session import document
from qmlstudio.session.added import with_columns
from qmlstudio.session.document import Document
from qmlstudio.session.exclusions import Exclusion
from qmlstudio.session.scripting import open_dataset, with_derived
from qmlstudio.session.selection import Selection
from qmlstudio.session.session import Session
from qmlstudio.session.storage import StorageError

XYZ = "2\nenergy=-1.0\nH 0 0 0\nH 0 0 {r}\n"


def xyz_file(folder: Path, name: str = "set.xyz", n: int = 5) -> Path:
    path = folder / name
    path.write_text("".join(XYZ.format(r=0.7 + 0.05 * i) for i in range(n)))
    return path


def opened(path: Path) -> Document:
    data = open_dataset(str(path))
    selection = Selection(np.arange(len(data)) < 2, 3, "lasso")
    session = replace(Session().with_dataset(data), pins=(1,), selection=selection)
    points = Coordinates(np.random.default_rng(0).normal(size=(len(data), 2)), ("PC 1", "PC 2"), 5, 5)
    return Document(session, data, points)


def test_round_trip_with_map(tmp_path: Path) -> None:
    before = opened(xyz_file(tmp_path))
    document.write(before, tmp_path / "a.qmls")
    after = document.read(tmp_path / "a.qmls")
    assert after.session.differing(before.session) == frozenset()
    assert after.coordinates is not None
    assert np.array_equal(after.coordinates.points, before.coordinates.points)
    assert after.coordinates.axes == ("PC 1", "PC 2")
    assert after.notice == ""


def test_pasted_structures_are_embedded(tmp_path: Path) -> None:
    structures = Structures.from_lists([[1, 1]] * 3, [[[0, 0, 0], [0, 0, 0.7 + i]] for i in range(3)])
    data = with_derived(Dataset("pasted", structures, {"e": Property(np.arange(3.0))}, source=Source()))
    document.write(Document(Session().with_dataset(data), data), tmp_path / "p.qmls")
    after = document.read(tmp_path / "p.qmls")
    assert after.dataset is not None
    assert after.dataset.fingerprint == data.fingerprint


def test_folder_can_be_moved(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    before = opened(xyz_file(old))
    document.write(before, old / "a.qmls")
    old.rename(tmp_path / "new")
    after = document.read(tmp_path / "new" / "a.qmls")
    assert after.coordinates is not None


def test_several_files_opened_as_one_set(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    paths = [str(xyz_file(old, f"{name}.xyz", n)) for name, n in (("a", 3), ("b", 4))]
    data = with_derived(open_paths(paths))
    document.write(Document(Session().with_dataset(data), data), old / "s.qmls")
    old.rename(tmp_path / "new")
    after = document.read(tmp_path / "new" / "s.qmls")
    assert after.dataset is not None
    assert len(after.dataset) == 7
    assert after.notice == ""


def test_missing_data_are_named(tmp_path: Path) -> None:
    path = xyz_file(tmp_path)
    document.write(opened(path), tmp_path / "a.qmls")
    path.unlink()
    with pytest.raises(DataError, match=r"set\.xyz and is not there any more"):
        document.read(tmp_path / "a.qmls")
    elsewhere = xyz_file(tmp_path, "moved.xyz")
    assert document.read(tmp_path / "a.qmls", locate=str(elsewhere)).dataset is not None


@pytest.mark.parametrize(("n", "pins"), [(5, (1,)), (4, ())])
def test_changed_data_keep_what_still_has_a_meaning(tmp_path: Path, n: int, pins: tuple[int, ...]) -> None:
    path = xyz_file(tmp_path)
    document.write(opened(path), tmp_path / "a.qmls")
    text = "".join(XYZ.format(r=1.0 + 0.05 * i) for i in range(n))
    path.write_text(text)
    after = document.read(tmp_path / "a.qmls")
    assert after.notice
    assert after.coordinates is None
    assert after.session.pins == pins
    assert len(after.session.selection) == n


def test_damaged_session_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.qmls"
    document.write(opened(xyz_file(tmp_path)), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StorageError, match=r"a\.qmls"):
        document.read(path)


def test_added_columns_and_exclusions_are_kept(tmp_path: Path) -> None:
    before = opened(xyz_file(tmp_path))
    columns = {
        "E_xtb": Property(np.arange(5.0), unit="Ha", description="GFN2-xTB"),
        "q": Property(np.arange(10.0), "atom", "e"),
        "note": Property(np.array(["a", "", "b", "", ""])),
    }
    session = replace(
        before.session,
        added=with_columns((), columns, "GFN2-xTB"),
        exclusions=(Exclusion("bad", "clash", np.array([2])),),
    )
    document.write(replace(before, session=session), tmp_path / "a.qmls")
    after = document.read(tmp_path / "a.qmls").session
    assert after.exclusions == session.exclusions
    for old, new in zip(session.added, after.added, strict=True):
        assert (old.name, old.origin, old.values.unit) == (new.name, new.origin, new.values.unit)
        assert (old.values.target, old.values.description) == (new.values.target, new.values.description)
        assert np.array_equal(old.values.values, new.values.values)
