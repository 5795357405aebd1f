"""Stored data sets: everything comes back, nothing is left behind, damage is noticed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers import open_dataset as read
from qmlstudio.chem.store import DamagedError, StoreWriter, open_store, store_dataset
from qmlstudio.chem.store import columns as store_columns
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.texts import CodedTexts, CountedTexts, PackedTexts, Texts
from qmlstudio.progress import Cancelled, Progress


def some(n: int = 40, seed: int = 0, cells: bool = True, **more: object) -> Dataset:
    """Structures with every kind of property."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 6, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    atoms = int(offsets[-1])
    boxes = rng.normal(size=(n, 3, 3)) * (rng.random(n) < 0.5)[:, None, None] if cells else None
    structures = Structures(rng.integers(1, 9, atoms).astype(np.uint8), rng.normal(size=(atoms, 3)), offsets, boxes)
    energy = rng.normal(size=n)
    energy[:3] = np.nan, np.inf, -np.inf
    properties = {
        "energy": Property(energy, unit="Ha", description="total"),
        "constant": Property(np.full(n, 2.0)),
        "kind": Property(np.array([["", "Å", "b"][k % 3] for k in range(n)])),
        "note": Property(np.array([f"{'x' * (k % 7)}→{rng.integers(1 << 40)} 😀" for k in range(n)])),
        "charge": Property(rng.normal(size=atoms), "atom", "e"),
        "forces": Property(rng.normal(size=(atoms, 3)), "atom", "eV/Å"),
        "type": Property(rng.choice(["a", "bb"], atoms), "atom"),
    }
    return Dataset(
        "some",
        structures,
        properties,
        np.array([f"mol {k}" for k in range(1, n + 1)]),
        Source("/data/some.xyz", "xyz", "CC0", "nobody, \0 doi:1/2 é"),
        (Problem("/data/some.xyz", "odd", "mend it", 3, 1),),
        **more,  # type: ignore[arg-type]
    )


def same(a: Dataset, b: Dataset, whole: bool = True) -> None:
    """All of both is equal."""
    assert (a.name, a.ordered) == (b.name, b.ordered)
    assert a.source == b.source
    for name in ("numbers", "positions", "offsets"):
        assert np.array_equal(getattr(a.structures, name), getattr(b.structures, name))
    assert (a.structures.cells is None) == (b.structures.cells is None)
    if a.structures.cells is not None:
        assert np.array_equal(a.structures.cells, b.structures.cells)
    assert np.asarray(a.identifiers).tolist() == np.asarray(b.identifiers).tolist()
    assert list(a.properties) == list(b.properties)
    for name, p in a.properties.items():
        q = b.properties[name]
        assert (p.unit, p.target, p.description, p.is_text) == (q.unit, q.target, q.description, q.is_text)
        assert np.array_equal(np.asarray(p.values), np.asarray(q.values), equal_nan=not p.is_text)
        assert p.categories == q.categories
    if whole:
        assert a.problems == b.problems
        assert a.fingerprint == b.fingerprint
        assert a.structures.fingerprint == b.structures.fingerprint
        assert a.structures.species == b.structures.species
        assert a.structures.is_uniform == b.structures.is_uniform


@pytest.mark.parametrize("spelled", [0, 1 << 26])
@pytest.mark.parametrize("cells", [False, True])
def test_everything_comes_back(tmp_path: Path, spelled: int, cells: bool) -> None:
    data = some(cells=cells, ordered=True)
    opened = open_store(store_dataset(data, tmp_path / "a.h5"), spelled)
    same(data, opened)
    # what was stored is what would be computed
    same(data, replace(opened, structures=replace(opened.structures)))
    for name, kind in (("kind", CodedTexts), ("note", PackedTexts)):
        assert isinstance(opened.properties[name].values, np.ndarray if spelled else kind)
    assert isinstance(opened.identifiers, np.ndarray if spelled else CountedTexts)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("n", [0, 1])
def test_few_structures_are_legal(tmp_path: Path, n: int) -> None:
    data = some(max(n, 4)).take(slice(3, 3 + n))
    same(data, open_store(store_dataset(data, tmp_path / "a.h5")))


def test_frames_of_one_molecule_are_known_as_such(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).normal(size=(30, 3, 3))
    frames = Dataset("frames", Structures.from_lists([[8, 1, 1]] * 30, positions), ordered=True)
    assert frames.structures.is_uniform
    with StoreWriter(tmp_path / "a.h5") as writer:
        for start in range(0, 30, 7):
            writer.append(frames.take(slice(start, start + 7)))
        opened = open_store(writer.finish())
    assert opened.structures.__dict__["is_uniform"] is True
    assert opened.ordered
    part = frames.take(slice(0, 2))
    with StoreWriter(tmp_path / "b.h5") as writer:
        for batch in (part, some(3), part):
            writer.append(replace(batch, properties={}))
        assert open_store(writer.finish()).structures.is_uniform is False


def test_batches_make_the_whole(tmp_path: Path) -> None:
    data = some(1000)
    with StoreWriter(tmp_path / "a.h5") as writer:
        for start in range(0, 1000, 130):
            writer.append(replace(data.take(slice(start, start + 130)), problems=data.problems if not start else ()))
        assert len(writer) == 1000
        path = writer.finish()
    opened = open_store(path, 0)
    same(data, opened)
    same(data, open_store(path))


def test_columns_may_come_and_go(tmp_path: Path) -> None:
    first, second, third = (some(10, seed, cells=seed == 1) for seed in range(3))
    keys = {0: ("energy", "forces"), 1: ("kind", "type", "energy"), 2: ("note", "charge")}
    parts = [replace(d, properties={k: d.properties[k] for k in keys[i]}) for i, d in enumerate((first, second, third))]
    with StoreWriter(tmp_path / "a.h5") as writer:
        for part in parts:
            writer.append(part)
        opened = open_store(writer.finish())
    sizes = [len(p.structures.numbers) for p in parts]
    energy, kind, forces = (opened.properties[k].values for k in ("energy", "kind", "forces"))
    assert np.isnan(energy[20:]).all()
    assert np.array_equal(energy[10:20], second.properties["energy"].values, equal_nan=True)
    assert (kind[:10] == "").all()
    assert kind[10:20].tolist() == second.properties["kind"].values.tolist()
    assert forces.shape == (sum(sizes), 3)
    assert np.isnan(forces[sizes[0] :]).all()
    assert (opened.properties["type"].values[: sizes[0]] == "").all()
    assert opened.properties["note"].values[20:].tolist() == third.properties["note"].values.tolist()
    assert np.array_equal(opened.structures.cells[10:20], second.structures.cells)
    assert not opened.structures.cells[:10].any()
    assert len(opened.problems) == 3


@pytest.mark.parametrize("change", [{"unit": "eV"}, {"target": "atom"}, {"values": np.array(["x"])}])
def test_a_column_that_changes_its_meaning_is_refused(tmp_path: Path, change: dict) -> None:
    one = Structures.from_lists([[1]], [np.zeros((1, 3))])
    p = Property(np.ones(1), unit="Ha")
    with StoreWriter(tmp_path / "a.h5") as writer:
        writer.append(Dataset("a", one, {"x": p}))
        with pytest.raises(ValueError, match="x changes its"):
            writer.append(Dataset("a", one, {"x": replace(p, **change)}))
    assert not list(tmp_path.iterdir())


def test_texts_find_their_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_columns, "MOST_NAMES", 50)
    monkeypatch.setattr(store_columns, "PROBE", 64)
    n = 3000
    structures = Structures.from_lists([[1]] * n, [np.zeros((1, 3))] * n)
    turning = np.array([f"t{k % 3}" if k < 1000 else f"other {k * 7919 % 3001}" for k in range(n)])
    names = np.array([f"gdb {k}" if k < 1000 else f"{k * 7919 % 3001:x}" for k in range(n)])
    data = Dataset("turning", structures, {"turning": Property(turning)}, names)
    with StoreWriter(tmp_path / "a.h5") as writer:
        for start in range(0, n, 500):
            writer.append(data.take(slice(start, start + 500)))
        opened = open_store(writer.finish(), 0)
    assert isinstance(opened.properties["turning"].values, PackedTexts)
    assert isinstance(opened.identifiers, PackedTexts)
    same(data, opened)


@pytest.mark.parametrize("many", [200, 300, 70_000])
def test_codes_have_as_many_bytes_as_they_need(tmp_path: Path, many: int) -> None:
    words = np.arange(2 * many).astype(np.str_)
    words[many:] = words[:many]
    structures = Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(2 * many + 1, np.int64))
    data = Dataset("codes", structures, {"word": Property(words)}, CountedTexts.counter(2 * many))
    column = store_columns.TextColumn(tmp_path / "c")
    column._way = store_columns._Coded(tmp_path / "c")
    column.append(words)
    kind, about, arrays = column.finish()
    assert arrays["codes"].dtype.itemsize == {200: 1, 300: 2, 70_000: 4}[many]
    texts = store_columns.column_texts(kind, about["width"], {k: s.read() for k, s in arrays.items()})
    assert np.array_equal(np.asarray(texts), words)
    assert texts.counts.tolist() == [2] * many  # type: ignore[union-attr]
    same(data, open_store(store_dataset(data, tmp_path / "a.h5")))


def test_arrays_are_mapped_and_private(tmp_path: Path) -> None:
    path = store_dataset(some(), tmp_path / "a.h5")
    opened, other = open_store(path), open_store(path)
    positions = opened.structures.positions
    assert positions.base is not None
    assert positions.flags.aligned
    assert positions.flags.writeable  # compiled loops are made for such
    before = positions[0, 0]
    positions[0, 0] = 17.0
    assert other.structures.positions[0, 0] == open_store(path).structures.positions[0, 0] == before


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    data = some()
    with h5py.File(store_dataset(data, tmp_path / "a.h5")) as file:
        assert np.array_equal(file["structures/positions"][:], data.structures.positions)
        assert file.attrs["fingerprint"] == data.fingerprint
        found = {g.attrs["name"]: g for g in file["properties"].values()}
        assert found["energy"].attrs["unit"] == "Ha"
        assert np.array_equal(found["forces"]["values"][:], data.properties["forces"].values)


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    asked = iter([False] * 3 + [True] * 1000)
    with StoreWriter(tmp_path / "a.h5") as writer:
        writer.append(some())
        writer.append(some())
        with pytest.raises(Cancelled):
            writer.finish(Progress(is_cancelled=lambda: next(asked)))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="nothing"), StoreWriter(tmp_path / "a.h5") as writer:
        writer.finish()
    assert not list(tmp_path.iterdir())


def test_a_new_one_replaces_the_old_while_that_is_open(tmp_path: Path) -> None:
    path = store_dataset(some(20), tmp_path / "a.h5")
    old = open_store(path)
    energy = old.properties["energy"].values[5]
    store_dataset(some(30, 1), path)
    assert old.properties["energy"].values[5] == energy
    assert len(open_store(path)) == 30


@pytest.mark.parametrize("damage", ["empty", "short", "longer", "header", "body", "end", "other"])
def test_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    path = store_dataset(some(), tmp_path / "a.h5")
    content = bytearray(path.read_bytes())
    where = content.find(some().structures.positions.tobytes())
    assert where > 0
    if damage == "header":
        content[60] ^= 1
    elif damage == "body":
        content[where] ^= 1
    elif damage == "end":
        content[where + some().structures.positions.nbytes - 1] ^= 1
    changed = {"empty": b"", "short": content[:-9], "longer": content + b"x", "other": b"PK" + content[2:]}
    path.write_bytes(changed.get(damage, bytes(content)))
    with pytest.raises(DamagedError):
        open_store(path)
    os.rename(path, tmp_path / "a.qmlstore")
    with pytest.raises(DataError):
        read(tmp_path / "a.qmlstore")


def test_a_store_opens_as_any_file(tmp_path: Path) -> None:
    data = some()
    path = store_dataset(data, tmp_path / "mine.qmlstore")
    opened = read(path)
    assert opened.fingerprint == data.fingerprint
    assert opened.source.path == str(path)
    assert len(read(f"{path}#first=7")) == 7


def test_representations_are_equal(tmp_path: Path) -> None:
    from qmlstudio.representations import REGISTRY

    data = some(25, cells=False)
    data = data.take(np.flatnonzero(data.structures.sizes > 0))
    opened = open_store(store_dataset(data, tmp_path / "a.h5"))
    for name in ("coulomb_matrix", "composition", "bag_of_bonds"):
        chosen = REGISTRY[name]()
        assert np.array_equal(chosen.compute(opened.structures).array, chosen.compute(data.structures).array)


def test_lazy_texts_are_no_arrays_of_their_own(tmp_path: Path) -> None:
    opened = open_store(store_dataset(some(), tmp_path / "a.h5"), 0)
    assert isinstance(opened.properties["note"].values, Texts)
    assert opened.take([2, 1]).properties["note"].values.tolist() == some().properties["note"].values[[2, 1]].tolist()
