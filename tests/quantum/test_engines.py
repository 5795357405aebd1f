"""Numbers: against the engines called directly, finite differences, and values from the literature."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.units import BOHR, DEBYE, HARTREE
from qmlstudio.quantum.engines import Atoms, CalculationError, system
from qmlstudio.quantum.methods import DFT, GFN1, GFN2, HartreeFock, Method
from qmlstudio.quantum.tasks import Optimize, SinglePoint
from qmlstudio.quantum.work import Bench, Item


def beat(_fraction: float) -> None:
    """Nobody waits."""


def test_water_by_gfn2_is_what_tblite_says(water: Item) -> None:
    interface = pytest.importorskip("tblite.interface")
    calculator = interface.Calculator("GFN2-xTB", water.numbers, water.positions / BOHR)
    calculator.set("verbosity", 0)
    direct = calculator.singlepoint()
    head, arrays = Bench(GFN2(), SinglePoint(), ("energy", "forces")).perform(water, beat)
    assert head["energy"] == pytest.approx(direct.get("energy"), abs=1e-9)
    assert head["energy"] == pytest.approx(-5.0702, abs=1e-4)
    np.testing.assert_allclose(arrays["forces"], -direct.get("gradient") * HARTREE / BOHR, atol=1e-6)
    np.testing.assert_allclose(arrays["charges"], direct.get("charges"), atol=1e-6)
    assert head["dipole"] == pytest.approx(np.linalg.norm(direct.get("dipole")) * BOHR / DEBYE, abs=1e-5)
    levels = direct.get("orbital-energies")
    assert (head["homo"], head["lumo"]) == pytest.approx((levels[3] * HARTREE, levels[4] * HARTREE), abs=1e-5)
    assert head["gap"] == pytest.approx(head["lumo"] - head["homo"])


def test_known_minimum_of_water(water: Item) -> None:
    """GFN2-xTB: −5.070544 Ha; harmonic 1539, 3643, 3651 cm⁻¹ (xtb 6.4); experiment 1.85 D, GFN2 about 2.2 D."""
    pytest.importorskip("tblite")
    task = Optimize(force_tolerance=1e-3)
    head, arrays = Bench(GFN2(), task, ("energy", "forces", "vibrations", "atomization_energy")).perform(water, beat)
    assert head["energy"] == pytest.approx(-5.0705444, abs=1e-6)
    assert [float(w) for w in head["wavenumbers"].split()] == pytest.approx([1539.3, 3643.0, 3651.2], abs=2.0)
    assert head["zpe"] == pytest.approx((1539.3 + 3643.0 + 3651.2) / 2 * 1.239841984e-4, abs=5e-4)
    assert head["n_imaginary"] == 0
    assert head["dipole"] == pytest.approx(2.217, abs=0.01)
    assert head["dipole"] == pytest.approx(np.linalg.norm([head[f"dipole_{x}"] for x in "xyz"]))
    assert np.abs(arrays["forces"]).max() <= 1e-3
    assert 0 < head["rmsd"] < 0.05
    assert head["relaxation_energy"] > 0
    atoms = -3.767606950376 + 2 * -0.393482763936  # GFN2-xTB's free atoms
    assert head["atomization_energy"] == pytest.approx((head["energy"] - atoms) * HARTREE, abs=1e-5)
    # laid over the start: the oxygen is where it was, the axis, too
    assert np.abs(arrays["positions"] - water.positions).max() < 0.05


METHODS = (GFN2(), GFN1(), HartreeFock(basis="sto-3g"), DFT(basis="sto-3g", functional="pbe"))


def test_forces_are_minus_the_slope(water: Item) -> None:
    pytest.importorskip("tblite")
    pytest.importorskip("pyscf")
    for method in METHODS:
        _check_slope(method, water)


def _check_slope(method: Method, water: Item) -> None:
    molecule = system(method, water.numbers, tight=True)
    start = water.positions / BOHR + np.array([[0.0, 0.1, 0.0], [0.05, 0.0, 0.0], [0.0, 0.0, 0.1]])
    gradient = molecule.evaluate(start).gradient
    assert gradient is not None
    for atom, axis in ((0, 1), (2, 2)):
        step = np.zeros((3, 3))
        step[atom, axis] = 1e-3
        slope = (molecule.evaluate(start + step, False).energy - molecule.evaluate(start - step, False).energy) / 2e-3
        assert gradient[atom, axis] == pytest.approx(slope, abs=2e-5 if method.name != "dft" else 2e-4)


def test_hartree_fock_is_what_pyscf_says(water: Item) -> None:
    """HF/6-31G(d) at this geometry; the dipole is about 2.2 D, the free atoms are unrestricted."""
    gto, scf = pytest.importorskip("pyscf.gto"), pytest.importorskip("pyscf.scf")
    atoms = [(int(z), tuple(r)) for z, r in zip(water.numbers, water.positions, strict=True)]
    direct = scf.RHF(gto.M(atom=atoms, basis="6-31g*", verbose=0)).run()
    head, arrays = Bench(HartreeFock(), SinglePoint(), ("energy", "atomization_energy")).perform(water, beat)
    assert head["energy"] == pytest.approx(direct.e_tot, abs=1e-7)
    assert head["homo"] == pytest.approx(direct.mo_energy[4] * HARTREE, abs=1e-4)
    assert head["dipole"] == pytest.approx(np.linalg.norm(direct.dip_moment(verbose=0)), abs=1e-4)
    assert "forces" not in arrays, "not asked for"
    assert head["atomization_energy"] == pytest.approx(-6.226, abs=0.01)
    oxygen = Atoms(HartreeFock()).energy(np.array([8]))
    assert oxygen == pytest.approx(scf.UHF(gto.M(atom="O", basis="6-31g*", spin=2, verbose=0)).run().e_tot, abs=1e-6)


def test_ions_and_radicals() -> None:
    pytest.importorskip("tblite")
    positions = np.array([[0.0, 0, 0], [0, 0, 0.97]])
    bench = Bench(GFN2(), SinglePoint(), ("energy",))
    radical, _ = bench.perform(Item(0, np.array([8, 1]), positions), beat)
    anion, arrays = bench.perform(Item(0, np.array([8, 1]), positions, -1), beat)
    assert arrays["charges"].sum() == pytest.approx(-1, abs=1e-6)
    assert anion["energy"] != pytest.approx(radical["energy"], abs=0.01)
    shifted, _ = bench.perform(Item(0, np.array([8, 1]), positions + 30.0, -1), beat)
    assert shifted["dipole"] == pytest.approx(anion["dipole"], abs=1e-4), "about the centre of mass"
    quartet, _ = bench.perform(Item(0, np.array([8, 1]), positions, 0, 3), beat)
    assert quartet["energy"] > radical["energy"] + 0.05


def test_a_crystal_and_an_atom(water: Item) -> None:
    pytest.importorskip("tblite")
    diamond = np.array([[0.0, 0, 0], [0.89, 0.89, 0.89]])
    cell = 1.78 * (np.ones((3, 3)) - np.eye(3))
    bench = Bench(GFN1(), SinglePoint(), ("energy", "forces"))
    with pytest.raises(CalculationError, match="supercell"):
        bench.perform(Item(0, np.array([6, 6]), diamond, cell=cell), beat)
    boxed, _ = bench.perform(Item(0, water.numbers, water.positions, cell=np.eye(3) * 14.0), beat)
    free, _ = bench.perform(water, beat)
    assert boxed["energy"] == pytest.approx(free["energy"], abs=1e-3)
    assert boxed["energy"] != free["energy"]
    assert "dipole" not in boxed
    with pytest.raises(CalculationError, match="molecules only"):
        Bench(HartreeFock(), SinglePoint(), ("energy",)).perform(Item(0, np.array([6]), diamond[:1], cell=cell), beat)
    helium, _ = bench.perform(Item(0, np.array([2]), np.zeros((1, 3))), beat)
    assert helium["energy"] < 0
    assert helium["dipole"] == pytest.approx(0, abs=1e-6)


IMPOSSIBLE = (
    (Item(0, np.zeros(0, int), np.zeros((0, 3))), "no atoms"),
    (Item(0, np.array([1, 1]), np.zeros((2, 3))), "on one another"),
    (Item(0, np.array([1, 1]), np.array([[0, 0, 0], [0, 0, np.nan]])), "not a number"),
    (Item(0, np.array([1, 1]), np.array([[0, 0, 0], [0, 0, np.inf]])), "not a number"),
    (Item(0, np.array([6, 0]), np.array([[0, 0, 0], [0, 0, 1.0]])), "without an element"),
    (Item(0, np.array([6, 100]), np.array([[0, 0, 0], [0, 0, 2.0]])), "86"),
    (Item(0, np.array([1]), np.zeros((1, 3)), 3), "no electrons"),
    (Item(0, np.array([1]), np.zeros((1, 3)), 0, 2), "unpaired"),
)


def test_what_cannot_be_computed_says_why() -> None:
    pytest.importorskip("tblite")
    for item, reason in IMPOSSIBLE:
        with pytest.raises(CalculationError, match=reason):
            Bench(GFN2(), SinglePoint(), ("energy",)).perform(item, beat)


def test_too_few_cycles_are_a_reason_and_not_the_end(water: Item) -> None:
    pytest.importorskip("tblite")
    with pytest.raises(CalculationError, match=r"SCF|converge"):
        Bench(GFN2(max_cycles=1), SinglePoint(), ("energy",)).perform(water, beat)
    with pytest.raises(CalculationError, match="largest force"):
        Bench(GFN2(), Optimize(max_steps=1, force_tolerance=1e-5), ("energy",)).perform(water, beat)


def test_an_element_without_a_basis_set_is_a_reason() -> None:
    pytest.importorskip("pyscf")
    with pytest.raises(CalculationError, match=r"[Bb]asis"):
        Bench(HartreeFock(basis="6-31g**"), SinglePoint(), ("energy",)).perform(
            Item(0, np.array([79, 1]), np.array([[0, 0, 0], [0, 0, 1.5]])), beat
        )
