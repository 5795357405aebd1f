"""What every entry of the registry must keep: invariances, columns, buffers, threads, errors, cancelling."""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import one, random_structures

import qmlstudio.representations as registry
from qmlstudio.chem import builtin
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import REGISTRY, CoulombMatrix, Layout, Representation

MOST_VARIANTS = 12

# What each representation should not change under, beyond translation, rotation and reflection; "exact" to rounding.
# "permutation": of local ones the rows follow their atoms.
MOTIONS = frozenset({"translation", "rotation", "reflection"})
EXPECTED: dict[str, frozenset[str]] = {
    "coulomb_matrix": MOTIONS | {"permutation"},
    "sine_matrix": MOTIONS | {"permutation", "lattice"},
    "ewald_matrix": MOTIONS | {"permutation", "lattice"},
    "atomic_coulomb_matrix": MOTIONS | {"permutation"},
    "bag_of_bonds": MOTIONS | {"permutation"},
    "baml": MOTIONS | {"permutation"},
    "slatm": MOTIONS | {"permutation"},
    "fchl18": MOTIONS | {"permutation"},
    "fchl19": MOTIONS | {"permutation", "lattice"},
    "acsf": MOTIONS | {"permutation", "lattice"},
    "aev": MOTIONS | {"permutation", "lattice"},
    "soap": MOTIONS | {"permutation", "lattice"},
    "mbtr": MOTIONS | {"permutation", "lattice"},
    "lmbtr": MOTIONS | {"permutation", "lattice"},
    # to the grid's error only; the exact part is what the grid keeps
    "scattering": frozenset({"permutation"}),
    "composition": MOTIONS | {"permutation"},
    "morgan": MOTIONS | {"permutation"},
    "maccs": MOTIONS | {"permutation"},
    "rdkit_descriptors": MOTIONS | {"permutation"},
}
"""Operations that leave the features of the defaults alone. "lattice": moving atoms by lattice vectors."""

CHEMICAL = {"baml", "morgan", "maccs", "rdkit_descriptors"}
"""Need molecules with bonds; atoms thrown at random are none."""


COSTLY = {"scattering"}


def variants(kind: type[Representation]) -> list[Representation]:
    """Combinations of a representation's choices and switches; where these are many, the defaults with one changed."""
    names, values = [], []
    for p in kind.params():
        if p.choices or p.kind is bool:
            names.append(p.name)
            values.append([value for value, _ in p.choices] or [False, True])
    rows = list(itertools.product(*values))
    if len(rows) > MOST_VARIANTS:
        default = kind()
        start = [getattr(default, name) for name in names]
        rows = [tuple(start)]
        for k, legal in enumerate(values):
            rows += [(*start[:k], value, *start[k + 1 :]) for value in legal if value != start[k]]
    found = []
    for row in rows:
        try:
            found.append(kind(**dict(zip(names, row, strict=True))))
        except ValueError:
            continue  # a combination that is refused
    return found


ALL = [v for kind in REGISTRY.values() for v in variants(kind)]


def _title(representation: Representation) -> str:
    default = type(representation)()
    changed = [f"{k}={v}" for k, v in representation.to_dict().items() if v != default.to_dict()[k]]
    return "-".join([representation.name, *changed])


every = pytest.mark.parametrize("representation", ALL, ids=_title)
DEFAULTS = pytest.mark.parametrize("representation", [kind() for kind in REGISTRY.values()], ids=lambda r: r.name)


def suitable(representation: Representation, count: int, seed: int, high: int = 14) -> Structures:
    """Structures that the representation can describe: real molecules, crystals, or atoms thrown at random."""
    if representation.name in CHEMICAL:
        whole = builtin_structures()
        return whole.take(np.random.default_rng(seed).choice(len(whole), count, replace=False))
    if representation.name in COSTLY:
        # tens of milliseconds each
        count, high = min(count, 6), min(high, 5)
    structures = random_structures(count, seed, high=high)
    if representation.periodic == "required":
        return boxed(structures, seed)
    return structures


@functools.cache
def builtin_structures() -> Structures:
    """QM9's molecules with up to seven heavy atoms."""
    return builtin.load_builtin("qm9_7").structures


def boxed(structures: Structures, seed: int = 0) -> Structures:
    """The same atoms, each structure in a skewed cell of its own that holds it."""
    rng = np.random.default_rng(seed)
    cells = [np.diag(rng.uniform(7.5, 9.0, 3)) + np.tril(rng.uniform(-1, 1, (3, 3)), -1) for _ in structures]
    return Structures(structures.numbers, structures.positions, structures.offsets, np.array(cells).reshape(-1, 3, 3))


def moved(structures: Structures, matrix: Any, shift: Any) -> Structures:
    """All positions, and cells, turned, positions shifted."""
    turn = np.asarray(matrix).T
    cells = None if structures.cells is None else structures.cells @ turn
    return Structures(structures.numbers, structures.positions @ turn + shift, structures.offsets, cells)


def rotation(seed: int) -> Any:
    """A random proper rotation."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def orders_of(structures: Structures, seed: int) -> list[Any]:
    """Another order of the atoms of every structure."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(len(s)) for s in structures]


def shuffled(structures: Structures, seed: int) -> Structures:
    """The atoms of every structure in another order."""
    orders = orders_of(structures, seed)
    return Structures.from_lists(
        [s.numbers[o] for s, o in zip(structures, orders, strict=True)],
        [s.positions[o] for s, o in zip(structures, orders, strict=True)],
        None if structures.cells is None else list(structures.cells),
    )


def close(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    """Equal within `tolerance` of the largest value."""
    assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


def test_what_is_expected_is_written_down() -> None:
    assert set(EXPECTED) >= set(REGISTRY)
    for name, kind in REGISTRY.items():
        own = kind()
        assert own.invariances == EXPECTED[name] - {"lattice"}, name
        assert ("lattice" in EXPECTED[name]) == (own.periodic != "ignored"), name


@every
@pytest.mark.parametrize("operation", ["translation", "rotation", "reflection", "permutation"])
def test_invariant_under(representation: Representation, operation: str) -> None:
    structures = suitable(representation, 20, seed=1)
    changed = {
        "translation": lambda: moved(structures, np.eye(3), [17.3, -4.0, 1e3]),
        "rotation": lambda: moved(structures, rotation(3), [0, 0, 0]),
        "reflection": lambda: moved(structures, np.diag([1.0, 1.0, -1.0]), [0, 0, 0]),
        "permutation": lambda: shuffled(structures, 2),
    }[operation]()
    before, after = representation.compute(structures).array, representation.compute(changed).array
    if representation.local and operation == "permutation":
        orders = orders_of(structures, 2)
        before = before[np.concatenate([o + a for o, a in zip(orders, structures.offsets[:-1], strict=True)])]
    if operation in representation.invariances:
        close(before, after)
    elif representation.name != "scattering":
        assert np.abs(before - after).max() > 1e-3


PERIODIC = [r for r in ALL if r.periodic != "ignored"]


def endless(representation: Representation) -> bool:
    """Whether its sums over a crystal have no end, since nothing weakens far pairs."""
    values = representation.to_dict()
    return any(values.get(f"k{k}_weighting") == "unity" for k in (2, 3))


@pytest.mark.parametrize("representation", PERIODIC, ids=_title)
def test_lattice(representation: Representation) -> None:
    """Atoms moved by lattice vectors, and a cell doubled, describe the same crystal."""
    structures = boxed(random_structures(5, seed=31, low=2, high=6), 5)
    rng = np.random.default_rng(4)
    owner = np.repeat(np.arange(5), structures.sizes)
    steps = rng.integers(-1, 2, (len(owner), 3))
    if endless(representation):
        with pytest.raises(ValueError, match="no end to the pairs and angles"):
            representation.compute(structures)
        return
    assert structures.cells is not None
    shift = np.einsum("ak,akx->ax", steps, structures.cells[owner])
    hopped = Structures(structures.numbers, structures.positions + shift, structures.offsets, structures.cells)
    before = representation.compute(structures).array
    close(before, representation.compute(hopped).array, 1e-9)
    if representation.periodic != "images":
        return
    doubled = Structures.from_lists(
        [np.tile(s.numbers, 2) for s in structures],
        [np.vstack([s.positions, s.positions + s.cell[1]]) for s in structures if s.cell is not None],
        [s.cell * np.array([[1], [2], [1]]) for s in structures if s.cell is not None],
    )
    after = representation.compute(doubled, species=None).array
    if representation.local:
        rows = np.concatenate([np.tile(np.arange(a, b), 2) for a, b in itertools.pairwise(structures.offsets)])
        close(before[rows], after, 1e-9)
        return
    # extensive ones double, intensive ones stay
    extensive = np.abs(after).max() > 1.5 * np.abs(before).max()
    close((2.0 if extensive else 1.0) * before, after, 1e-9)


@every
def test_molecules_do_not_influence_each_other(representation: Representation) -> None:
    structures = suitable(representation, 40, seed=4, high=10)
    whole = representation.compute(structures)
    order = np.random.default_rng(0).permutation(len(structures))
    again = representation.compute(structures.take(order), species=structures.species)
    for k, i in enumerate(order):
        np.testing.assert_array_equal(again.of(k), whole.of(int(i)))
    for i in (0, len(structures) // 2, len(structures) - 1):
        alone = representation.compute(structures.take([i]), species=structures.species)
        np.testing.assert_array_equal(alone.of(0), whole.of(i))


@every
def test_threads_buffers_and_types_agree(representation: Representation) -> None:
    structures = suitable(representation, 50, seed=5, high=10)
    features = representation.compute(structures, threads=1)
    shape = (representation.rows(structures), representation.size(structures.species))
    assert features.array.shape == shape
    assert features.array.dtype == np.float64
    assert np.isfinite(features.array).all()
    assert (features.offsets is not None) == representation.local
    np.testing.assert_array_equal(representation.compute(structures, threads=3).array, features.array)
    buffer = np.full(shape, np.nan)
    assert representation.compute(structures, out=buffer).array is buffer
    np.testing.assert_array_equal(buffer, features.array)
    single = representation.compute(structures, dtype=np.float32).array
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, features.array.astype(np.float32))


@every
def test_memory_is_known_before(representation: Representation) -> None:
    structures = suitable(representation, 9, seed=6)
    for dtype in (np.float64, np.float32):
        assert representation.memory(structures, dtype) == representation.compute(structures, dtype=dtype).array.nbytes


@every
def test_every_column_has_a_name(representation: Representation) -> None:
    structures = suitable(representation, 12, seed=7)
    labels = representation.labels(structures.species)
    assert len(labels) == representation.size(structures.species)
    assert len(set(labels)) == len(labels)
    assert all(labels)


@every
def test_layout_describes_the_columns(representation: Representation) -> None:
    structures = suitable(representation, 12, seed=8)
    species = structures.species
    features = representation.compute(structures)
    for index, structure in enumerate(structures):
        row = features.of(index)[0]
        layout = representation.layout(structure, species)
        if layout.kind == "panels":
            check_panels(layout, len(row))
            continue
        assert len(layout.atoms) == len(row)
        unpacked = representation.unpack(row, species)
        assert unpacked.shape == layout.shape
        covered = [k for _, start, stop in layout.groups for k in range(start, stop)]
        assert covered == (list(range(len(row))) if layout.groups else [])
        if layout.kind == "matrix":
            symbols = [f"{s}{i + 1}" for i, s in enumerate(structure.symbols)]
            assert set(layout.row_labels) <= set(symbols)
            np.testing.assert_array_equal(unpacked, unpacked.T)


def check_panels(layout: Layout, columns: int) -> None:
    """Every panel says what it is; none reaches beyond the columns or into another one."""
    taken = np.zeros(columns, dtype=bool)
    for panel in layout.panels:
        assert panel.title
        assert 0 <= panel.start < panel.stop <= columns
        if panel.cells is not None:
            own = np.unique(panel.cells[panel.cells >= 0])
            assert panel.start <= own.min()
            assert own.max() < panel.stop
        else:
            own = np.arange(panel.start, panel.stop)
        if panel.grid is not None:
            assert len(panel.grid) == panel.stop - panel.start
            assert (np.diff(panel.grid) > 0).all()
            assert panel.axis
        if panel.names:
            assert len(panel.names) == panel.stop - panel.start
        assert not taken[own].any(), panel.title
        taken[own] = True


@DEFAULTS
def test_contributions(representation: Representation) -> None:
    """They name atoms of the structure, largest part first; sums have parts that add up."""
    structures = suitable(representation, 3, seed=12, high=8)
    species, features = structures.species, representation.compute(structures)
    structure, row = structures[0], features.of(0)[0]
    centre = 0 if representation.local else None
    filled = np.flatnonzero(row)
    for column in filled[:: max(1, len(filled) // 25)]:
        parts = representation.contributions(structure, species, int(column), centre)
        sizes = [abs(p.value) for p in parts]
        assert sizes == sorted(sizes, reverse=True)
        for part in parts:
            assert part.atoms
            assert all(0 <= a < len(structure) for a in part.atoms)
    with_parts = [c for c in filled[:50] if representation.contributions(structure, species, int(c), centre)]
    assert bool(with_parts) != (representation.name in WITHOUT_PARTS)


WITHOUT_PARTS = {"scattering", "rdkit_descriptors"}
"""All atoms together make each of their columns."""


@every
def test_gradient(representation: Representation) -> None:
    """Against central differences, and: moving or turning the whole structure changes nothing."""
    structures = suitable(representation, 2, seed=21, high=6)
    if not representation.has_gradient:
        with pytest.raises(ValueError, match="no gradient"):
            representation.gradient(structures)
        return
    species, step = structures.species, 1e-5
    gradients = representation.gradient(structures)
    assert len(gradients) == len(structures)
    for index, structure in enumerate(structures):
        block = gradients.of(index)
        rows = len(structure) if representation.local else 1
        assert block.shape == (rows, len(structure), 3, representation.size(species))
        assert np.isfinite(block).all()
        displaced, cells = [], []
        for atom, axis, sign in itertools.product(range(len(structure)), range(3), (1, -1)):
            positions = structure.positions.copy()
            positions[atom, axis] += sign * step
            displaced.append(positions)
            cells.append(structure.cell)
        many = Structures.from_lists([structure.numbers] * len(displaced), displaced, cells)
        values = representation.compute(many, species=species).array.reshape(len(structure), 3, 2, rows, -1)
        numerical = np.moveaxis((values[:, :, 0] - values[:, :, 1]) / (2 * step), 2, 0)
        scale = max(np.abs(numerical).max(), np.abs(values).max())
        assert np.abs(block - numerical).max() <= 2e-6 * scale
        assert np.abs(block.sum(axis=1)).max() <= 1e-10 * scale
        if structure.cell is None:
            torque = np.cross(structure.positions[None, :, :, None], block, axis=2).sum(axis=1)
            assert np.abs(torque).max() <= 1e-9 * scale


@every
def test_small_sets(representation: Representation) -> None:
    nothing = Structures.from_lists([], [])
    assert representation.compute(nothing).array.shape == (0, representation.size(nothing.species))
    assert len(representation.labels(nothing.species)) == representation.size(nothing.species)
    species = Species((1, 6), (2, 1), 3)
    assert representation.compute(nothing, species=species).array.shape == (0, representation.size(species))
    cells = [np.eye(3) * 8.0] if representation.periodic == "required" else None
    lone = Structures.from_lists([[6]], [[[0.0, 1.0, 2.0]]], cells)
    row = representation.compute(lone, species=species).array
    assert row.shape == (1, representation.size(species))
    assert np.isfinite(row).all()
    if representation.periodic == "required":
        return
    # a structure without atoms among others is legal, and all zeros or no row
    gap = representation.compute(Structures(np.array([6], np.uint8), np.zeros((1, 3)), np.array([0, 0, 1])))
    assert not gap.of(0).any()
    assert np.isfinite(gap.array).all()


@every
def test_refuses_what_it_cannot_compute(representation: Representation) -> None:
    good = random_structures(12, seed=9, low=3, high=9) if representation.name not in CHEMICAL else None
    if good is None:
        good = suitable(representation, 12, seed=9)
    elif representation.periodic == "required":
        good = boxed(good, 9)
    good = good.take(np.flatnonzero(good.sizes >= 3)[:6])
    numbers, positions = [s.numbers for s in good], [s.positions.copy() for s in good]
    cells = None if good.cells is None else list(good.cells)
    positions[3][2] = positions[3][0]
    positions[5][1] = positions[5][0]
    geometric = representation.name != "composition"
    if geometric:
        with pytest.raises(ValueError, match=r"structure 4 \(index 3\): atoms \w+1 and \w+3 lie at the same place"):
            representation.compute(Structures.from_lists(numbers, positions, cells), threads=2)
        for value in (np.nan, np.inf):
            broken = good.positions.copy()
            broken[int(good.offsets[3]) + 1, 2] = value
            with pytest.raises(ValueError, match=r"structure 4 \(index 3\): atom 2 .* not a finite number"):
                representation.compute(Structures(good.numbers, broken, good.offsets, good.cells))
    if representation.size(Species((1,), (1,), 1)) != representation.size(good.species):
        with pytest.raises(ValueError, match="atoms, but the columns were fixed"):
            representation.compute(good, species=Species((1,), (1,), 1))
    shape = (representation.rows(good), representation.size(good.species))
    for out in (np.empty((shape[0], shape[1] + 1)), np.empty(shape, dtype=int), np.empty(shape[::-1]).T):
        with pytest.raises(ValueError, match="out "):
            representation.compute(good, out=out)
    with pytest.raises(ValueError, match="float64 or float32"):
        representation.compute(good, dtype=np.int32)


@DEFAULTS
def test_crystal_is_needed_or_not(representation: Representation) -> None:
    molecule = one([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    if representation.periodic == "required":
        with pytest.raises(ValueError, match=r"structure 1 \(index 0\).*cell"):
            representation.compute(molecule)
    else:
        cell = Structures(molecule.numbers, molecule.positions, molecule.offsets, np.eye(3)[None] * 60.0)
        # a cell so large that no image is within reach changes nothing
        close(representation.compute(molecule).array, representation.compute(cell).array, 1e-9)


@DEFAULTS
def test_works_on_memory_maps(representation: Representation, tmp_path: Path) -> None:
    structures = suitable(representation, 20, seed=9)
    np.save(tmp_path / "r.npy", structures.positions)
    np.save(tmp_path / "z.npy", structures.numbers)
    mapped = Structures(
        np.load(tmp_path / "z.npy", mmap_mode="r"),
        np.load(tmp_path / "r.npy", mmap_mode="r"),
        structures.offsets,
        structures.cells,
    )
    expected = representation.compute(structures).array
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.float64, shape=expected.shape)
    representation.compute(mapped, out=out)
    out.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@DEFAULTS
@pytest.mark.parametrize("threads", [1, 2])
def test_reports_and_is_cancelled(representation: Representation, threads: int) -> None:
    few = suitable(representation, 12, seed=10, high=9)
    n = len(few)
    # as many as take a good second on one thread, within 400 MB
    cost = representation.estimate(few, threads=1, seconds=0.02) / n
    room = 4e8 / (representation.memory(few) / n)
    copies = int(max(2, min(1.0 / cost, room, 48_000) / n))
    structures = few.take(np.tile(np.arange(n), copies))
    out = np.empty((representation.rows(structures), representation.size(structures.species)))
    seen: list[float] = []
    progress = Progress(lambda fraction, _: seen.append(fraction))
    representation.compute(structures, progress, threads=threads, out=out)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 1

    with pytest.raises(Cancelled):
        representation.compute(structures, Progress(is_cancelled=stop), threads=threads, out=out)
    assert calls == 2


@DEFAULTS
def test_time_is_estimated(representation: Representation) -> None:
    structures = suitable(representation, 40, seed=11, high=9)
    assert representation.estimate(Structures.from_lists([], [])) == 0.0
    assert 0.0 < representation.estimate(structures, threads=1, seconds=0.01) < 600.0


@DEFAULTS
def test_explains_itself(representation: Representation) -> None:
    """Help, formula and literature are there, and the formula is TeX that matplotlib can draw."""
    from matplotlib.mathtext import MathTextParser

    assert len(representation.help) > 60
    assert representation.reference
    assert representation.title
    parser = MathTextParser("path")
    for line in representation.formula:
        parser.parse(f"${line}$")
    assert representation.formula
    for p in representation.params():
        assert p.label


def test_names_and_serialisation() -> None:
    assert list(REGISTRY) == [name for name in EXPECTED if name in REGISTRY]
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
