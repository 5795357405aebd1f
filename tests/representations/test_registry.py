"""What every entry of the registry must keep: invariances, columns, buffers, threads, errors, cancelling."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import golden_structures, one, random_structures

import qmlstudio.representations as registry
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY, CoulombMatrix, Representation


def variants(kind: type[Representation]) -> list[Representation]:
    """Every combination of a representation's choices and switches, other parameters at their defaults."""
    names, values = [], []
    for p in kind.params():
        if p.choices or p.kind is bool:
            names.append(p.name)
            values.append([value for value, _ in p.choices] or [False, True])
    return [kind(**dict(zip(names, row, strict=True))) for row in itertools.product(*values)]


ALL = [v for kind in REGISTRY.values() for v in variants(kind)]
every = pytest.mark.parametrize("representation", ALL, ids=lambda r: "-".join(str(v) for v in r.to_dict().values()))
DEFAULTS = pytest.mark.parametrize("representation", [kind() for kind in REGISTRY.values()], ids=lambda r: r.name)


def moved(structures: Structures, matrix: Any, shift: Any) -> Structures:
    """All positions turned and shifted."""
    return Structures(structures.numbers, structures.positions @ np.asarray(matrix).T + shift, structures.offsets)


def rotation(seed: int) -> Any:
    """A random proper rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def shuffled(structures: Structures, seed: int) -> Structures:
    """The atoms of every structure in another order."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(s)) for s in structures]
    return Structures.from_lists(
        [s.numbers[o] for s, o in zip(structures, orders, strict=True)],
        [s.positions[o] for s, o in zip(structures, orders, strict=True)],
    )


def close(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    """Equal within `tolerance` of the largest value."""
    assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


@every
@pytest.mark.parametrize("operation", ["translation", "rotation", "reflection", "permutation"])
def test_invariant_under(representation: Representation, operation: str) -> None:
    structures = random_structures(40, seed=1)
    changed = {
        "translation": lambda: moved(structures, np.eye(3), [17.3, -4.0, 1e3]),
        "rotation": lambda: moved(structures, rotation(3), [0, 0, 0]),
        "reflection": lambda: moved(structures, np.diag([1.0, 1.0, -1.0]), [0, 0, 0]),
        "permutation": lambda: shuffled(structures, 2),
    }[operation]()
    before, after = representation.compute(structures).array, representation.compute(changed).array
    if operation in representation.invariances:
        close(before, after)
    else:
        assert np.abs(before - after).max() > 1e-3


@every
def test_molecules_do_not_influence_each_other(representation: Representation) -> None:
    structures = random_structures(70, seed=4)
    whole = representation.compute(structures).array
    order = np.random.default_rng(0).permutation(len(structures))
    np.testing.assert_array_equal(
        representation.compute(structures.take(order), species=structures.species).array, whole[order]
    )
    for i in (0, 13, 69):
        alone = representation.compute(structures.take([i]), species=structures.species).array
        np.testing.assert_array_equal(alone[0], whole[i])


@every
def test_threads_buffers_and_types_agree(representation: Representation) -> None:
    structures = random_structures(90, seed=5)
    features = representation.compute(structures, threads=1)
    columns = representation.size(structures.species)
    assert features.array.shape == (90, columns)
    assert features.array.dtype == np.float64
    assert np.isfinite(features.array).all()
    np.testing.assert_array_equal(representation.compute(structures, threads=3).array, features.array)
    buffer = np.full((90, columns), np.nan)
    assert representation.compute(structures, out=buffer).array is buffer
    np.testing.assert_array_equal(buffer, features.array)
    single = representation.compute(structures, dtype=np.float32).array
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, features.array.astype(np.float32))


@every
def test_memory_is_known_before(representation: Representation) -> None:
    structures = random_structures(9, seed=6)
    for dtype in (np.float64, np.float32):
        assert representation.memory(structures, dtype) == representation.compute(structures, dtype=dtype).array.nbytes


@every
def test_every_column_has_a_name(representation: Representation) -> None:
    species = random_structures(30, seed=7).species
    labels = representation.labels(species)
    assert len(labels) == representation.size(species)
    assert len(set(labels)) == len(labels)
    unit = representation.layout(random_structures(30, seed=7)[0], species).unit
    assert all(label.endswith(f" / {unit}") for label in labels)


@every
def test_layout_describes_the_columns(representation: Representation) -> None:
    structures = random_structures(30, seed=8)
    species = structures.species
    features = representation.compute(structures).array
    for structure, row in zip(structures, features, strict=True):
        layout = representation.layout(structure, species)
        assert len(layout.atoms) == len(row)
        unpacked = representation.unpack(row, species)
        assert unpacked.shape == layout.shape
        covered = [k for _, start, stop in layout.groups for k in range(start, stop)]
        assert covered == (list(range(len(row))) if layout.groups else [])
        length = 0.529177210903 if layout.unit == "Ha" else 1.0
        for value, atoms in zip(row, layout.atoms, strict=True):
            z = structure.numbers[list(atoms)].astype(float)
            if len(atoms) == 1:
                assert value == pytest.approx(0.5 * z[0] ** 2.4, rel=1e-13)
            elif len(atoms) == 2:
                distance = np.linalg.norm(np.diff(structure.positions[list(atoms)], axis=0)) / length
                assert value == pytest.approx(z[0] * z[1] / distance, rel=1e-13)
            elif layout.kind != "spectrum":
                assert value == 0.0
        if layout.kind == "matrix":
            symbols = [f"{s}{i + 1}" for i, s in enumerate(structure.symbols)]
            assert sorted(layout.row_labels) == sorted(symbols)
            np.testing.assert_array_equal(unpacked, unpacked.T)


@every
def test_small_sets(representation: Representation) -> None:
    nothing = Structures.from_lists([], [])
    assert representation.compute(nothing).array.shape == (0, 0)
    assert representation.labels(nothing.species) == []
    species = Species((1, 6), (2, 1), 3)
    assert representation.compute(nothing, species=species).array.shape == (0, representation.size(species))
    atom = representation.compute(one([6], [[0.0, 1.0, 2.0]]), species=species).array[0]
    assert np.sort(atom)[-1] == pytest.approx(0.5 * 6**2.4, rel=1e-14)
    assert np.count_nonzero(atom) == 1
    # a structure without atoms among others is legal and all zeros
    gap = Structures(np.array([6], np.uint8), np.zeros((1, 3)), np.array([0, 0, 1]))
    array = representation.compute(gap).array
    assert not array[0].any()
    assert array[1].any()


@every
def test_refuses_what_it_cannot_compute(representation: Representation) -> None:
    good = golden_structures()
    numbers, positions = [s.numbers for s in good], [s.positions.copy() for s in good]
    positions[4][2] = positions[4][0]
    positions[9][1] = positions[9][0]
    with pytest.raises(ValueError, match=r"structure 5 \(index 4\): atoms \w+1 and \w+3 lie at the same place"):
        representation.compute(Structures.from_lists(numbers, positions), threads=2)
    for value in (np.nan, np.inf):
        broken = good.positions.copy()
        broken[int(good.offsets[3]) + 1, 2] = value
        with pytest.raises(ValueError, match=r"structure 4 \(index 3\): atom 2 .* not a finite number"):
            representation.compute(Structures(good.numbers, broken, good.offsets))
    with pytest.raises(ValueError, match="atoms, but the columns were fixed"):
        representation.compute(good, species=Species((1, 6, 7, 8, 16), (1, 1, 1, 1, 1), 5))
    columns = representation.size(good.species)
    for out in (
        np.empty((len(good), columns + 1)),
        np.empty((len(good), columns), dtype=int),
        np.empty((columns, len(good))).T,
    ):
        with pytest.raises(ValueError, match="out "):
            representation.compute(good, out=out)
    with pytest.raises(ValueError, match="float64 or float32"):
        representation.compute(good, dtype=np.int32)


@DEFAULTS
def test_works_on_memory_maps(representation: Representation, tmp_path: Path) -> None:
    structures = random_structures(20, seed=9)
    np.save(tmp_path / "r.npy", structures.positions)
    np.save(tmp_path / "z.npy", structures.numbers)
    mapped = Structures(
        np.load(tmp_path / "z.npy", mmap_mode="r"), np.load(tmp_path / "r.npy", mmap_mode="r"), structures.offsets
    )
    expected = representation.compute(structures).array
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.float64, shape=expected.shape)
    representation.compute(mapped, out=out)
    out.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@DEFAULTS
@pytest.mark.parametrize("threads", [1, 2])
def test_reports_and_is_cancelled(representation: Representation, threads: int) -> None:
    structures = random_structures(12, seed=10).take(np.tile(np.arange(12), 4000))
    seen: list[float] = []
    representation.compute(structures, Progress(lambda fraction, _: seen.append(fraction)), threads=threads)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 1

    with pytest.raises(Cancelled):
        representation.compute(structures, Progress(is_cancelled=stop), threads=threads)
    assert calls == 2


def test_names_and_serialisation() -> None:
    assert list(REGISTRY)[:2] == ["coulomb_matrix", "bag_of_bonds"]
    for representation in ALL:
        assert registry.get(representation.name) is type(representation)
        assert registry.from_dict(json.loads(json.dumps(representation.to_dict()))) == representation
    with pytest.raises(ValueError, match="no representation is called 'crystal_ball'; known: coulomb_matrix"):
        registry.get("crystal_ball")
    with pytest.raises(ValueError, match="needs a name"):
        registry.from_dict({"permutation": "none"})
    with pytest.raises(ValueError, match="no parameter cutoff"):
        registry.from_dict({"name": "coulomb_matrix", "cutoff": 3})
    with pytest.raises(ValueError, match="none of bohr, angstrom"):
        CoulombMatrix(length_unit="furlong")


class Foreign(CoulombMatrix):
    """Stands for another package's representation."""

    name = "foreign"


class NoRepresentation:
    """Is none."""


def test_plugins_are_added_and_broken_ones_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    here = __name__
    sys.modules.setdefault(here, sys.modules[Foreign.__module__])
    entries = [
        EntryPoint("foreign", f"{here}:Foreign", registry.ENTRY_POINTS),
        EntryPoint("broken", "no_such_module_at_all:Thing", registry.ENTRY_POINTS),
        EntryPoint("wrong", f"{here}:NoRepresentation", registry.ENTRY_POINTS),
        EntryPoint("renamed", f"{here}:Foreign", registry.ENTRY_POINTS),
        EntryPoint("coulomb_matrix", "qmlstudio.representations.coulomb:CoulombMatrix", registry.ENTRY_POINTS),
    ]
    monkeypatch.setattr(registry, "REGISTRY", dict(REGISTRY))
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    assert registry.get("foreign") is Foreign
    problems = registry.load_plugins()
    assert [p.split()[1] for p in problems] == ["broken", "wrong", "renamed"]
    assert "no_such_module_at_all" in problems[0]
    with pytest.raises(ValueError, match="plug-in broken"):
        registry.get("broken")


def test_import_is_light() -> None:
    code = (
        "import sys, qmlstudio.representations as r; "
        "r.CoulombMatrix().labels(__import__('qmlstudio.chem.structures', fromlist=['x']).Species((1,), (2,), 2)); "
        "print([m for m in ('numba', 'llvmlite', 'scipy', 'sklearn', 'rdkit', 'PySide6') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
