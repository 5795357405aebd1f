"""Models of energies and forces: derivatives, known answers, other programs' kernels, labels that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.models import force_checks
from qmlstudio.learning.models.base import TooLargeError
from qmlstudio.learning.models.forces import FittedForces, ForceKernelRidge, energy_force_kernels
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import ACSF, SOAP, Composition, CoulombMatrix
from qmlstudio.representations.fchl19 import FCHL19
from qmlstudio.representations.inverse_distances import InverseDistances
from qmlstudio.session.scripting import open_dataset

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "forces.json").read_text())
SMALL = {"nRs2": 6, "nRs3": 4, "rcut": 5.0, "acut": 5.0}
LOCAL = FCHL19(average="off", **SMALL)
SPECS = [
    ForceKernelRidge(representation=LOCAL, sigma=1.0),
    ForceKernelRidge(representation=LOCAL, sigma=1.0, kernel="matern-5/2", basis=60),
    ForceKernelRidge(representation=LOCAL, sigma=1.0, solver="truncated", rcond=1e-9),
    ForceKernelRidge(representation=InverseDistances(), method="covariance", sigma=1.5),
    ForceKernelRidge(representation=InverseDistances(), method="covariance", kernel="matern-5/2", sigma=1.5),
    ForceKernelRidge(representation=InverseDistances(), sigma=1.0),
    ForceKernelRidge(representation=CoulombMatrix(permutation="none"), method="covariance", sigma=5.0),
]


def ids(spec: ForceKernelRidge) -> str:
    return f"{spec.representation.name}-{spec.method}-{spec.kernel}-{spec.solver}"


@pytest.fixture(scope="module")
def frames() -> tuple[Structures, np.ndarray, np.ndarray]:
    """Ethanol: structures, energies in eV, forces (n, 9, 3) in eV/Å."""
    dataset = open_dataset("builtin:ethanol_500K")
    chosen = np.random.default_rng(3).permutation(len(dataset))[:60]
    forces = np.asarray(dataset.properties["forces"].values).reshape(-1, 9, 3)
    return dataset.structures.take(chosen), np.asarray(dataset.properties["energy"].values)[chosen], forces[chosen]


def fitted(spec: ForceKernelRidge, frames: Any, n: int = 24, **more: Any) -> FittedForces:
    structures, energies, forces = frames
    return spec.fit(structures.take(np.arange(n)), energies[:n], forces[:n].reshape(-1, 3), threads=1, **more)


def moved(structures: Structures, positions: np.ndarray) -> Structures:
    return Structures(structures.numbers, positions, structures.offsets, structures.cells)


@pytest.mark.parametrize("spec", SPECS, ids=ids)
def test_forces_are_the_derivatives_of_the_energies(spec: ForceKernelRidge, frames: Any) -> None:
    model = fitted(spec, frames)
    one = frames[0].take([40])
    energy, forces = model.predict_both(one, threads=1)
    assert energy == pytest.approx(model.predict(one, threads=1).values[:, 0], abs=1e-12)
    h, shifts = 2e-3, np.zeros((108, 9, 3))
    for k in range(27):
        # fourth order
        for row, step in enumerate((-2.0, -1.0, 1.0, 2.0)):
            shifts[4 * k + row].reshape(-1)[k] = step * h
    many = Structures.from_lists([one.numbers] * 108, list(one.positions + shifts))
    e = model.predict(many, threads=1).values[:, 0].reshape(27, 4)
    slope = (e[:, 0] - 8 * e[:, 1] + 8 * e[:, 2] - e[:, 3]) / (12 * h)
    assert -slope.reshape(9, 3) == pytest.approx(forces, abs=1e-6)
    assert np.abs(forces).max() > 0.1


@pytest.mark.parametrize("spec", SPECS[:1] + SPECS[3:4], ids=ids)
def test_neither_total_force_nor_torque(spec: ForceKernelRidge, frames: Any) -> None:
    model = fitted(spec, frames)
    test = frames[0].take(np.arange(40, 44))
    forces = model.predict_forces(test).reshape(-1, 9, 3)
    assert np.abs(forces.sum(axis=1)).max() < 1e-9
    torque = np.cross(test.positions.reshape(-1, 9, 3), forces).sum(axis=1)
    assert np.abs(torque).max() < 1e-8


@pytest.mark.parametrize(
    ("spec", "energy", "force"),
    [(SPECS[0], 0.2, 0.15), (SPECS[2], 0.2, 0.15), (SPECS[3], 0.4, 0.01), (SPECS[4], 0.4, 0.01)],
)
def test_learns_what_it_is_told(spec: ForceKernelRidge, energy: float, force: float, frames: Any) -> None:
    structures, energies, forces = frames
    test = fitted(spec, frames, 48).predict(structures.take(np.arange(48, 60))).values[:, 0]
    assert np.abs(test - energies[48:]).mean() < energy * energies.std()
    f = fitted(spec, frames).predict_forces(structures.take(np.arange(24)))
    assert np.abs(f - forces[:24].reshape(-1, 3)).mean() < force * np.abs(forces).mean()


def test_forces_teach_more_than_energies(frames: Any) -> None:
    structures, energies, _ = frames
    test = structures.take(np.arange(40, 60))
    errors = {
        learn: np.abs(
            fitted(SPECS[0].with_values(learn=learn), frames, 40).predict(test).values[:, 0] - energies[40:]
        ).mean()
        for learn in ("both", "energies")
    }
    assert errors["both"] < 0.5 * errors["energies"]


@pytest.mark.parametrize("spec", [SPECS[0], SPECS[3]], ids=ids)
def test_forces_alone_give_energies_up_to_a_constant(spec: ForceKernelRidge, frames: Any) -> None:
    structures, energies, forces = frames
    alone = spec.with_values(learn="forces")
    train = structures.take(np.arange(40))
    without = alone.fit(train, None, forces[:40].reshape(-1, 3))
    assert "constant" in without.notes[-1]
    test = structures.take(np.arange(40, 60))
    difference = without.predict(test).values[:, 0] - energies[40:]
    assert abs(difference.mean()) > 10.0
    assert difference.std() < 0.4 * energies.std()
    known = fitted(alone, frames, 40)
    assert known.predict_forces(test) == pytest.approx(without.predict_forces(test), abs=1e-6)
    e = known.predict(train).values[:, 0]
    assert e.mean() == pytest.approx(energies[:40].mean(), abs=1e-9)


def test_kernels_are_those_of_qmllib() -> None:
    sets = [
        Structures.from_lists([m["numbers"] for m in GOLDEN[key]], [m["positions"] for m in GOLDEN[key]])
        for key in ("molecules", "others")
    ]
    energies, forces = energy_force_kernels(FCHL19(average="off"), *sets, GOLDEN["sigma"])
    assert energies == pytest.approx(np.array(GOLDEN["energies"]), abs=1e-12)
    # with the same sign: times the weights they are forces
    assert forces == pytest.approx(np.array(GOLDEN["forces"]), abs=1e-9)


@pytest.mark.parametrize(
    "representation",
    [SOAP(r_cut=4.0, n_max=2, l_max=1, average="off"), ACSF(), CoulombMatrix()],
    ids=lambda r: r.name,
)
@pytest.mark.parametrize("kernel", ["gaussian", "matern-5/2"])
def test_kernels_of_forces_are_derivatives(representation: Any, kernel: str) -> None:
    water = Structures.from_lists([[8, 1, 1]], [[[0.0, 0.0, 0.1], [0.76, 0.1, -0.5], [-0.7, 0.0, -0.55]]])
    other = Structures.from_lists([[8, 1, 1]], [[[0.0, 0.05, 0.1], [0.9, 0.0, -0.4], [-0.8, 0.0, -0.5]]])
    _, forces = energy_force_kernels(representation, water, other, 2.0, kernel)
    h = 1e-5
    for k in range(9):
        ends = []
        for sign in (1.0, -1.0):
            shift = np.zeros(9)
            shift[k] = sign * h
            there = moved(water, water.positions + shift.reshape(3, 3))
            ends.append(energy_force_kernels(representation, there, other, 2.0, kernel)[0][0])
        assert forces[k] == pytest.approx(-(ends[0] - ends[1]) / (2 * h), abs=1e-7)


@pytest.mark.parametrize("kernel", ["gaussian", "matern-5/2"])
def test_covariance_is_positive_and_blocks_do_not_matter(
    kernel: str, frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qmlstudio.learning.models import _force_covariance, _force_rows

    spec = ForceKernelRidge(representation=InverseDistances(), method="covariance", kernel=kernel, sigma=1.0)
    once = fitted(spec, frames, 12)
    monkeypatch.setattr(_force_rows, "GRADIENT_BYTES", 30_000)
    monkeypatch.setattr(_force_covariance, "_TILE_ROWS", 30)
    again = fitted(spec, frames, 12)
    # weights are determined up to what the condition of the matrix leaves of rounding; predictions well
    test = frames[0].take(np.arange(40, 50))
    assert again.predict_forces(test) == pytest.approx(once.predict_forces(test), abs=1e-6)
    assert once.notes == ()


def test_basis_of_blocks_is_that_of_one(frames: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from qmlstudio.learning.models import _force_rows, _force_triangle

    test = frames[0].take(np.arange(40, 50))
    expected = fitted(SPECS[0], frames).predict_forces(test)
    monkeypatch.setattr(_force_rows, "GRADIENT_BYTES", 100_000)
    monkeypatch.setattr(_force_rows, "_TILE_VALUES", 1 << 12)
    monkeypatch.setattr(_force_triangle, "_FLOPS", 1.0)
    model = SPECS[0].fit(frames[0].take(np.arange(24)), frames[1][:24], frames[2][:24].reshape(-1, 3), threads=2)
    assert model.predict_forces(test, threads=2) == pytest.approx(expected, abs=1e-6)


def test_least_squares_are_those_of_numpy() -> None:
    from qmlstudio.learning.models._force_triangle import Triangle

    rng = np.random.default_rng(0)
    rows, right = rng.standard_normal((50, 7)), rng.standard_normal(50)
    root = rng.standard_normal((7, 7))
    kernel = root @ root.T

    def fill(out: np.ndarray) -> None:
        out[:7, :7] = kernel

    triangle, added = Triangle.of_kernel(7, fill)
    assert added == 0.0
    for part in (slice(0, 3), slice(3, 3), slice(3, 50)):
        triangle.add(np.ascontiguousarray(np.column_stack([rows[part], right[part]]).T))
    assert triangle.solve() == pytest.approx(np.linalg.solve(rows.T @ rows + kernel, rows.T @ right), rel=1e-9)
    plain = Triangle(7)
    plain.add(np.ascontiguousarray(np.column_stack([rows, right]).T))
    best, residual = np.linalg.lstsq(rows, right, rcond=None)[:2]
    assert plain.solve_truncated(1e-12) == pytest.approx(best, rel=1e-9)
    assert plain.residual**2 == pytest.approx(float(residual[0]))
    with pytest.raises(ValueError, match="rows have shape"):
        plain.add(np.zeros((3, 4)))


@pytest.mark.parametrize("spec", SPECS, ids=ids)
def test_files_hold_the_whole_model(spec: ForceKernelRidge, frames: Any) -> None:
    model = fitted(spec, frames, 10)
    test = frames[0].take(np.arange(40, 44))
    facts = json.loads(json.dumps(model.facts()))
    again = FittedForces.restore(
        ForceKernelRidge.from_dict(json.loads(json.dumps(model.spec.to_dict()))), model.arrays(), facts
    )
    assert again.spec == model.spec
    for mine, theirs in zip(again.predict_both(test), model.predict_both(test), strict=True):
        assert np.array_equal(mine, theirs)
    assert again.notes == model.notes
    with pytest.raises(ValueError, match="do not fit"):
        FittedForces.restore(model.spec, {**model.arrays(), "alpha": np.zeros(3)}, facts)


def test_molecules_of_different_sizes_and_energies_that_are_extensive() -> None:
    rng = np.random.default_rng(5)
    numbers = [[8, 1, 1], [7, 1, 1, 1], [8, 1, 1], [6, 1, 1, 1, 1], [7, 1, 1, 1], [1], []]
    base = [np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.7, -0.7, -0.7]])[: len(z)] for z in numbers]
    structures = Structures.from_lists(numbers, [b + 0.05 * rng.standard_normal(b.shape) for b in base])
    energies = rng.standard_normal(len(structures))
    forces = rng.standard_normal((len(structures.numbers), 3))
    model = ForceKernelRidge(representation=LOCAL, sigma=2.0).fit(structures, energies, forces)
    water, ammonia = structures[0], structures[1]
    far = Structures.from_lists(
        [water.numbers, ammonia.numbers, np.concatenate([water.numbers, ammonia.numbers])],
        [water.positions, ammonia.positions, np.concatenate([water.positions, ammonia.positions + 60.0])],
    )
    e, f = model.predict_both(far)
    assert e[2] == pytest.approx(e[0] + e[1], abs=1e-9)
    assert f[7:] == pytest.approx(f[:7], abs=1e-9)
    covariance = ForceKernelRidge(representation=CoulombMatrix(), method="covariance", sigma=20.0)
    e, f = covariance.fit(structures, energies, forces).predict_both(structures)
    assert np.isfinite(e).all()
    assert np.isfinite(f).all()


def test_one_geometry_many_times(frames: Any) -> None:
    one = frames[0].take(np.zeros(6, dtype=int))
    forces = np.tile(frames[2][0], (6, 1, 1)).reshape(-1, 3)
    for spec in SPECS:
        e, f = spec.fit(one, np.full(6, frames[1][0]), forces).predict_both(one)
        assert np.isfinite(f).all()
        if spec.method == "covariance":
            assert e == pytest.approx(frames[1][:1].repeat(6), abs=1e-3)
            assert f == pytest.approx(forces, abs=1e-2)


def test_distance_tells_what_is_far(frames: Any) -> None:
    model = fitted(SPECS[0], frames, 40)
    assert model.domain is not None
    assert model.predict(frames[0].take([3])).distance == pytest.approx([0.0], abs=1e-6)
    stretched = moved(frames[0].take([41]), frames[0].take([41]).positions * 1.4)
    distance = model.predict(stretched).distance
    assert distance is not None
    assert distance[0] > 2 * model.domain


def test_what_cannot_be_learned_is_said(frames: Any) -> None:
    structures, energies, forces = frames
    few, flat = structures.take(np.arange(4)), forces[:4].reshape(-1, 3)
    spec = SPECS[0]
    with pytest.raises(ValueError, match="no forces"):
        spec.fit(few, energies[:4], None)
    with pytest.raises(ValueError, match="no energies"):
        spec.fit(few, None, flat)
    with pytest.raises(ValueError, match="3 energies for 4"):
        spec.fit(few, energies[:3], flat)
    with pytest.raises(ValueError, match=r"expected \(36, 3\)"):
        spec.fit(few, energies[:4], flat.ravel())
    with pytest.raises(ValueError, match="force on structure 2 "):
        spec.fit(few, energies[:4], np.where(np.arange(36)[:, None] == 9, np.nan, flat))
    with pytest.raises(ValueError, match="energy of structure 3 "):
        spec.fit(few, np.where(np.arange(4) == 2, np.inf, energies[:4]), flat)
    with pytest.raises(ValueError, match="no structure"):
        spec.fit(structures.take([]), energies[:0], flat[:0])
    with pytest.raises(ValueError, match="no gradient"):
        ForceKernelRidge(representation=Composition())
    with pytest.raises(ValueError, match="whole structures"):
        spec.with_values(method="covariance")
    with pytest.raises(ValueError, match="F atoms"):
        spec.fit(few, energies[:4], flat).predict(Structures.from_lists([[9, 1]], [[[0, 0, 0], [0, 0, 1.0]]]))


@pytest.mark.parametrize("spec", [SPECS[0], SPECS[3]], ids=ids)
def test_memory_is_known_before(spec: ForceKernelRidge, frames: Any) -> None:
    needed = spec.memory(frames[0].take(np.arange(24)))
    fitted(spec, frames, memory_budget=needed)
    with pytest.raises(TooLargeError, match="are allowed: take"):
        fitted(spec, frames, memory_budget=needed - 1)


@pytest.mark.parametrize("spec", [SPECS[0], SPECS[3]], ids=ids)
def test_cancel_is_heard(spec: ForceKernelRidge, frames: Any) -> None:
    calls = []

    def stop_after(count: int) -> Progress:
        calls.clear()

        def is_cancelled() -> bool:
            calls.append(1)
            return len(calls) > count

        return Progress(is_cancelled=is_cancelled)

    structures, energies, forces = frames
    spec.fit(structures, energies, forces.reshape(-1, 3), stop_after(10**9), threads=1)
    total = len(calls)
    assert total > 20
    # how often the factorisation asks depends on the clock
    for count in (0, total // 4, total // 2):
        with pytest.raises(Cancelled):
            spec.fit(structures, energies, forces.reshape(-1, 3), stop_after(count), threads=1)


@pytest.fixture(scope="module")
def all_frames() -> tuple[Structures, np.ndarray, np.ndarray]:
    """All of ethanol: structures, energies, forces (A, 3)."""
    dataset = open_dataset("builtin:ethanol_500K")
    properties = dataset.properties
    return dataset.structures, np.asarray(properties["energy"].values), np.asarray(properties["forces"].values)


class TestLabels:
    """Signs, units and noise."""

    def test_consistent(self, all_frames: Any) -> None:
        found = force_checks.check_labels(*all_frames)
        assert found.is_consistent
        assert found.correlation > 0.97
        assert found.slope == pytest.approx(1.0, abs=0.05)
        assert found.net_force < 1e-6

    def test_gradients(self, all_frames: Any) -> None:
        structures, energies, forces = all_frames
        found = force_checks.check_labels(structures, energies, -forces)
        assert found.verdict == "gradients"
        assert "wrong sign" in found.text

    def test_units(self, all_frames: Any) -> None:
        structures, energies, forces = all_frames
        found = force_checks.check_labels(structures, energies * 23.0605, forces)
        assert found.verdict == "units"
        assert "energies in kcal/mol with forces in eV/Å" in found.text

    def test_turned_and_mirrored_geometries_still_compare(self, all_frames: Any) -> None:
        structures, energies, forces = all_frames
        rng = np.random.default_rng(0)
        turns = np.linalg.qr(rng.standard_normal((len(structures), 3, 3)))[0]
        turned = np.einsum("nax,nxy->nay", structures.positions.reshape(-1, 9, 3), turns).reshape(-1, 3)
        turned_forces = np.einsum("nax,nxy->nay", forces.reshape(-1, 9, 3), turns).reshape(-1, 3)
        found = force_checks.check_labels(moved(structures, turned), energies, turned_forces)
        assert found.is_consistent

    def test_nothing_to_compare(self, all_frames: Any) -> None:
        structures, energies, forces = all_frames
        assert force_checks.check_labels(structures.take([0]), energies[:1], forces[:9]).verdict == "unknown"
        none = force_checks.check_labels(structures.take([]), energies[:0], forces[:0])
        assert none.verdict == "unknown"
        flat = force_checks.check_labels(structures, np.zeros(len(structures)), forces)
        assert flat.verdict == "unknown"
        missing = force_checks.check_labels(structures, np.full(len(structures), np.nan), forces)
        assert missing.verdict == "unknown"
        with pytest.raises(ValueError, match="do not fit"):
            force_checks.check_labels(structures, energies[:3], forces)

    @pytest.mark.parametrize(("factor", "verdict"), [(1.0, "consistent"), (-1.0, "gradients"), (27.2114, "units")])
    def test_by_learning(self, all_frames: Any, factor: float, verdict: str) -> None:
        structures, energies, forces = all_frames
        found = force_checks.check_by_learning(SPECS[3], structures, energies, factor * forces, n_train=60)
        assert found.verdict == verdict, found.text

    def test_noise(self, all_frames: Any) -> None:
        structures, energies, forces = all_frames
        shuffled = np.random.default_rng(0).permutation(forces.reshape(-1, 9, 3)).reshape(-1, 3)
        found = force_checks.check_by_learning(SPECS[3], structures, energies, shuffled, n_train=60)
        assert found.verdict == "inconsistent"

    def test_different_molecules(self) -> None:
        # springs of a length of their own for each pair of elements
        rng, lengths = np.random.default_rng(2), {(1, 8): 0.97, (1, 7): 1.02, (1, 1): 1.6, (6, 1): 1.09, (1, 6): 1.09}
        numbers = [[8, 1, 1], [7, 1, 1, 1], [6, 1, 1, 1, 1]]
        base = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.6, -0.6, -0.6]])
        chosen = [numbers[k % 3] for k in range(150)]
        positions = [base[: len(z)] + 0.08 * rng.standard_normal((len(z), 3)) for z in chosen]
        energies, forces = [], []
        for z, r in zip(chosen, positions, strict=True):
            energy, force = 0.0, np.zeros((len(z), 3))
            for i in range(len(z)):
                for j in range(i):
                    away = r[i] - r[j]
                    d = float(np.linalg.norm(away))
                    stretch = d - lengths[min(z[i], z[j]), max(z[i], z[j])]
                    energy += 5.0 * stretch**2
                    force[i] -= 10.0 * stretch * away / d
                    force[j] += 10.0 * stretch * away / d
            energies.append(energy)
            forces.append(force)
        structures, f = Structures.from_lists(chosen, positions), np.concatenate(forces)
        for sign, verdict in ((1.0, "consistent"), (-1.0, "gradients"), (100.0, "units")):
            found = force_checks.check_by_learning(SPECS[0], structures, np.array(energies), sign * f, n_test=40)
            assert found.verdict == verdict, found.text
