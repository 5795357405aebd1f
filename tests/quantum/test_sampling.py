"""Vibrations, dynamics, normal-mode samples, conformers: against what can be known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.quantum import dynamics, vibrations
from qmlstudio.quantum.dynamics import FEMTOSECOND, KELVIN
from qmlstudio.quantum.engines import CalculationError, Evaluation
from qmlstudio.quantum.methods import GFN2
from qmlstudio.quantum.relaxation import relax
from qmlstudio.quantum.tasks import Conformers, Dynamics, NormalModes
from qmlstudio.quantum.work import Bench, Item


def beat(_fraction: float) -> None:
    """Nobody waits."""


class Springs:
    """Atoms with a spring between each pair: energies, forces and modes are known."""

    def __init__(self, numbers: list[int], rest: np.ndarray, stiffness: float = 0.3) -> None:
        self.numbers = np.array(numbers)
        self.lengths = np.linalg.norm(rest[:, None] - rest[None], axis=2)
        self.stiffness = stiffness
        self.calls = 0

    def evaluate(self, positions: np.ndarray, gradient: bool = True) -> Evaluation:
        self.calls += 1
        difference = positions[:, None] - positions[None]
        distance = np.linalg.norm(difference, axis=2)
        np.fill_diagonal(distance, 1.0)
        strain = distance - self.lengths
        np.fill_diagonal(strain, 0.0)
        energy = self.stiffness * float((strain**2).sum()) / 4
        slope = self.stiffness * (strain / distance)[:, :, None] * difference
        return Evaluation(energy, slope.sum(axis=1), np.nan, np.nan, np.zeros(3), np.zeros(len(positions)))


TRIANGLE = np.array([[0.0, 0, 0], [2.0, 0, 0], [0.7, 1.8, 0]])


def test_a_diatomic_vibrates_as_the_textbook_says() -> None:
    rest = np.array([[0.0, 0, 0], [0, 0, 2.1]])
    springs = Springs([6, 8], rest, 1.2)
    modes = vibrations.normal_modes(springs.numbers, rest, vibrations.hessian(springs, rest, beat))
    m = vibrations.masses(springs.numbers)
    reduced = m.prod() / m.sum()
    assert len(modes.wavenumbers) == 1, "a line has five rigid motions"
    assert modes.wavenumbers[0] == pytest.approx(np.sqrt(1.2 / reduced) * vibrations.WAVENUMBER, rel=1e-4)
    assert modes.zero_point == pytest.approx(np.sqrt(1.2 / reduced) / 2, rel=1e-4)
    assert np.linalg.norm(modes.directions[0]) == pytest.approx(1)


def test_rigid_motions_are_projected_out_and_saddles_are_told() -> None:
    springs = Springs([8, 1, 1], TRIANGLE)
    curvature = vibrations.hessian(springs, TRIANGLE, beat)
    modes = vibrations.normal_modes(springs.numbers, TRIANGLE, curvature)
    assert len(modes.wavenumbers) == 3
    assert (modes.wavenumbers > 100).all()
    turned = vibrations.normal_modes(springs.numbers, TRIANGLE, -curvature)
    np.testing.assert_allclose(np.sort(-turned.wavenumbers), modes.wavenumbers, rtol=1e-6)
    assert turned.zero_point == 0
    single = vibrations.normal_modes(np.array([2]), np.zeros((1, 3)), np.zeros((3, 3)))
    assert len(single.wavenumbers) == 0


def test_relaxation_finds_the_minimum() -> None:
    springs = Springs([8, 1, 1], TRIANGLE)
    rng = np.random.default_rng(1)
    found = relax(springs, TRIANGLE + rng.normal(scale=0.2, size=(3, 3)), 1e-5, 100, beat)
    assert found.evaluation.energy < 1e-8
    assert found.steps < 40
    with pytest.raises(CalculationError, match="largest force"):
        relax(springs, TRIANGLE * 1.3, 1e-12, 3, beat)


def test_energy_is_kept_without_a_thermostat() -> None:
    springs = Springs([8, 1, 1], TRIANGLE)
    rng = np.random.default_rng(2)
    frames = dynamics.run(springs, TRIANGLE, 2000, 0.25 * FEMTOSECOND, 10, 600.0, None, 0, rng, beat)
    total = frames.energies + frames.kinetic
    assert len(frames.energies) == 201
    assert np.ptp(total) < 0.02 * frames.kinetic[0]
    assert abs(total[-100:].mean() - total[:100].mean()) < 2e-3 * frames.kinetic[0], "no drift"
    assert frames.temperatures[0] == pytest.approx(600.0)
    assert frames.times[-1] == pytest.approx(500 * FEMTOSECOND)
    m = vibrations.masses(springs.numbers)[:, None]
    centre = (m * frames.positions).sum(axis=1) / m.sum()
    assert np.ptp(centre, axis=0).max() < 1e-9, "the whole stays where it is"


def test_half_the_step_errs_a_quarter() -> None:
    """Velocity Verlet is of second order."""
    errors = []
    for step in (0.5, 0.25):
        springs = Springs([8, 1, 1], TRIANGLE)
        rng = np.random.default_rng(3)
        frames = dynamics.run(springs, TRIANGLE, round(100 / step), step * FEMTOSECOND, 1, 300.0, None, 0, rng, beat)
        errors.append(np.std(frames.energies + frames.kinetic))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)


def test_the_thermostat_holds_its_temperature() -> None:
    springs = Springs([8, 1, 1], TRIANGLE)
    frames = dynamics.run(
        springs, TRIANGLE, 10000, FEMTOSECOND, 5, 400.0, 0.05 / FEMTOSECOND, 500, np.random.default_rng(4), beat
    )
    assert frames.temperatures.mean() == pytest.approx(400.0, rel=0.05)
    # equipartition: three vibrations have k T / 2 each of potential energy
    assert frames.energies.mean() == pytest.approx(1.5 * KELVIN * 400.0, rel=0.12)


def test_start_velocities() -> None:
    rng = np.random.default_rng(5)
    numbers = np.array([6, 8, 1, 1])
    positions = rng.normal(scale=2.0, size=(4, 3))
    v = dynamics.velocities(numbers, positions, 300.0, rng)
    m = vibrations.masses(numbers)[:, None]
    np.testing.assert_allclose((m * v).sum(axis=0), 0, atol=1e-10)
    centred = positions - (m * positions).sum(axis=0) / m.sum()
    np.testing.assert_allclose((m * np.cross(centred, v)).sum(axis=0), 0, atol=1e-9)
    assert float((m * v**2).sum()) == pytest.approx(6 * KELVIN * 300.0)
    assert not dynamics.velocities(numbers, positions, 0.0, rng).any()
    assert np.isfinite(dynamics.velocities(np.array([6]), np.zeros((1, 3)), 300.0, rng)).all()


def test_normal_mode_samples_keep_to_their_energy() -> None:
    springs = Springs([8, 1, 1], TRIANGLE, 2.0)
    modes = vibrations.normal_modes(springs.numbers, TRIANGLE, vibrations.hessian(springs, TRIANGLE, beat))
    moved = dynamics.displacements(modes, 400, 300.0, np.random.default_rng(6))
    # along each mode ½ K R² = 3/2 c N k T, and the c sum up to at most 1
    along = np.einsum("cax,kax->ck", moved, np.linalg.pinv(modes.directions.reshape(3, 9)).T.reshape(3, 3, 3))
    shares = 0.5 * modes.constants * along**2 / (1.5 * 3 * KELVIN * 300.0)
    assert shares.sum(axis=1).max() <= 1 + 1e-9
    assert shares.sum(axis=1).mean() == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(shares.mean(axis=0), 1 / 6, atol=0.04)
    assert abs((along > 0).mean() - 0.5) < 0.1
    np.testing.assert_array_equal(moved, dynamics.displacements(modes, 400, 300.0, np.random.default_rng(6)))


def test_dynamics_of_water_by_gfn2(water: Item) -> None:
    pytest.importorskip("tblite")
    task = Dynamics(steps=100, every=5, thermostat="none", temperature=300.0, equilibration=10, time_step=0.5)
    _, arrays = Bench(GFN2(), task, ()).perform(water, beat)
    assert arrays["positions"].shape == (21, 3, 3)
    total = arrays["energy"] + arrays["kinetic_energy"]
    assert np.std(total) < 2e-3, "eV"
    np.testing.assert_allclose(arrays["time"], 2.5 * np.arange(21), atol=1e-9)
    again = Bench(GFN2(), task, ()).perform(water, beat)[1]
    np.testing.assert_allclose(again["positions"], arrays["positions"], atol=1e-6), "the seed fixes it"


def test_normal_modes_of_water_by_gfn2(water: Item) -> None:
    pytest.importorskip("tblite")
    _, arrays = Bench(GFN2(), NormalModes(count=30, temperature=300.0), ()).perform(water, beat)
    assert arrays["positions"].shape == (31, 3, 3)
    assert np.abs(arrays["forces"][0]).max() < 0.01
    assert (arrays["above_minimum"][1:] > 0).all()
    assert arrays["above_minimum"].max() < 1.3 * 1.5 * 3 * 8.617333e-5 * 300.0, "harmonic, nearly"


def test_conformers_of_butanol() -> None:
    chem, distance = pytest.importorskip("rdkit.Chem"), pytest.importorskip("rdkit.Chem.rdDistGeom")
    molecule = chem.AddHs(chem.MolFromSmiles("CCCCO"))
    distance.EmbedMolecule(molecule, 7)
    numbers = np.array([a.GetAtomicNum() for a in molecule.GetAtoms()])
    positions = molecule.GetConformer().GetPositions()
    task = Conformers(count=30, rmsd=0.3, relax=False)
    of_smiles = Bench(GFN2(), task, ()).perform(Item(0, numbers, positions, smiles="OCCCC"), beat)[1]
    of_geometry = Bench(GFN2(), task, ()).perform(Item(0, numbers, positions), beat)[1]
    for arrays in (of_smiles, of_geometry):
        found = len(arrays["positions"])
        assert 3 <= found <= 14
        assert arrays["force_field_energy"][0] == 0
        assert (np.diff(arrays["force_field_energy"]) >= 0).all()
        assert arrays["force_field_energy"][-1] <= 0.5
    assert of_smiles["numbers"][0] == 8, "the order of the SMILES"
    np.testing.assert_array_equal(of_geometry["numbers"], numbers)
    few = Bench(GFN2(), task.with_values(energy_window=0.02), ()).perform(Item(0, numbers, positions), beat)[1]
    assert len(few["positions"]) < len(of_geometry["positions"])
    with pytest.raises(CalculationError, match=r"bonds|embedded"):
        Bench(GFN2(), task, ()).perform(Item(0, np.array([6, 6]), np.array([[0, 0, 0], [0, 0, 30.0]])), beat)
