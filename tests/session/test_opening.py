"""Opening through the store: what is kept is what would be read, with everything that is derived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.store import Keeper, keeping
from qmlstudio.chem.texts import Texts
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session import document, scripting
from qmlstudio.session.scripting import open_dataset
from qmlstudio.session.session import Session

h5py = pytest.importorskip("h5py")


def conformers(path: Path, molecules: int = 5, first: int = 0) -> Path:
    """A file in ANI-1's layout."""
    rng = np.random.default_rng(first)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for k in range(first, first + molecules):
            group = file.create_group(f"{path.stem}/{path.stem}-{k}")
            group["species"] = np.array([b"O", b"H", b"H"])
            group["coordinates"] = np.array([[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]) + rng.normal(0, 0.05, (10, 3, 3))
            group["energies"] = -76.0 + rng.random(10)
            group["smiles"] = np.array([b"O"])
    return path


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """One that keeps everything, and reads in parts whatever can be."""
    monkeypatch.setattr(keeping, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(keeping, "WORTH_BYTES", 0)
    monkeypatch.setattr(scripting, "STREAMED_BYTES", 0)
    return Keeper(tmp_path / "sets")


def plain(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The same without a store."""
    with monkeypatch.context() as m:
        m.setenv(keeping.FOLDER, "off")
        return open_dataset(path, keeper=Keeper())


@pytest.mark.parametrize("options", ["", "#every=3", "#first=7", "#energy_unit=eV"])
def test_in_parts_as_in_one(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    path = f"{conformers(tmp_path / 'ani.h5')}{options}"
    expected = plain(path, tmp_path, monkeypatch)
    for _ in range(2):
        found = open_dataset(path, keeper=keeper)
        assert found.fingerprint == expected.fingerprint
        assert found.source == expected.source
        assert list(found.properties) == list(expected.properties)
        assert [p.unit for p in found.properties.values()] == [p.unit for p in expected.properties.values()]
    assert len(list((tmp_path / "sets").glob("*.h5"))) == 1


def test_folders_and_several_files(tmp_path: Path, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    one = conformers(tmp_path / "ani" / "s01.h5")
    two = conformers(tmp_path / "ani" / "s02.h5", first=5)
    for path in (str(tmp_path / "ani"), f"{one}\n{two}"):
        expected = plain(path, tmp_path, monkeypatch)
        assert len(expected) == 100
        found = open_dataset(path, keeper=keeper)
        assert (found.fingerprint, found.name) == (expected.fingerprint, expected.name)
        assert found.source.path == expected.source.path
        assert open_dataset(path, keeper=keeper).fingerprint == expected.fingerprint
    conformers(tmp_path / "ani" / "s02.h5", 7, first=5)
    for path in (str(tmp_path / "ani"), f"{one}\n{two}"):
        assert len(open_dataset(path, keeper=keeper)) == 120


def test_sessions_find_their_data_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeper: Keeper) -> None:
    monkeypatch.setenv(keeping.FOLDER, str(tmp_path / "sets"))
    data = open_dataset(str(conformers(tmp_path / "ani.h5")))
    path = tmp_path / "saved.qmls"
    document.write(document.Document(Session().with_dataset(data), data), path)
    opened = document.read(path)
    assert opened.dataset is not None
    assert not opened.notice
    assert opened.dataset.fingerprint == data.fingerprint
    assert opened.dataset.structures.positions.base is not None


def test_cancel_leaves_nothing(tmp_path: Path, keeper: Keeper) -> None:
    path = conformers(tmp_path / "ani.h5")
    for after in (0.0, 0.5, 0.9):
        seen = [0.0]

        def report(fraction: float, _message: str, seen: list[float] = seen) -> None:
            seen.append(fraction)

        progress = Progress(report, lambda after=after, seen=seen: seen[-1] > after, interval=0.0)
        with pytest.raises(Cancelled):
            open_dataset(str(path), progress, keeper)
        assert not list((tmp_path / "sets").iterdir())


def test_progress_rises_to_the_end(tmp_path: Path, keeper: Keeper) -> None:
    path = str(conformers(tmp_path / "ani.h5"))
    seen: list[float] = []
    for _ in range(2):
        seen.clear()
        open_dataset(path, Progress(lambda f, _: seen.append(f), interval=0.0), keeper)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


def test_everything_works_on_texts_that_are_not_spelled_out(tmp_path: Path) -> None:
    from qmlstudio.chem.store import open_store, store_dataset
    from qmlstudio.chem.writers import write
    from qmlstudio.session.coloring import Coloring, color_scale
    from qmlstudio.session.columns import Columns
    from qmlstudio.session.filter_lookups import categories
    from qmlstudio.session.search import search
    from qmlstudio.session.selection_sources import missing, same_value

    data = open_dataset("builtin:qm9_7").take(slice(0, 500))
    lazy = open_store(store_dataset(data, tmp_path / "a.h5"), 0)
    assert isinstance(lazy.identifiers, Texts)
    assert all(isinstance(lazy.properties[k].values, Texts) for k in ("smiles", "formula"))
    for text in ("gdb 17", "gdb 2*", "C6H6", "smiles:CCO", "smarts:C=O", "7"):
        assert search(lazy, text)[0].tolist() == search(data, text)[0].tolist()
    for name in ("formula", "smiles"):
        p, q = data.properties[name], lazy.properties[name]
        a, b = categories(p), categories(q)
        assert a.names.tolist() == b.names.tolist()
        assert a.codes.tolist() == b.codes.tolist()
        assert same_value(q, 3).tolist() == same_value(p, 3).tolist()
        assert missing(q).tolist() == missing(p).tolist()
        x, y = (color_scale(Coloring(color_by=name), Columns(d)) for d in (data, lazy))
        assert x.categories == y.categories
        assert x.index.tolist() == y.index.tolist()
    for ending in ("xyz", "csv", "smi", "npz"):
        texts = []
        for d, folder in ((data, "plain"), (lazy, "lazy")):
            (tmp_path / folder).mkdir(exist_ok=True)
            write(d, tmp_path / folder / f"a.{ending}")
            texts.append((tmp_path / folder / f"a.{ending}").read_bytes())
        assert ending == "npz" or texts[0] == texts[1]
