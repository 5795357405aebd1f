import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.energies import atoms_energy, convert, fitted_atoms, guess, missing_elements
from qmlstudio.chem.reference_atoms import LEVELS
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import KINDS, alternatives, canonical, factor, kind_of

METHANE = Structures.from_lists([[6, 1, 1, 1, 1], [8, 1, 1]], [np.random.default_rng(0).normal(size=(5, 3)), np.eye(3)])
B3LYP = LEVELS["b3lyp_qm9_U0"].atoms


def test_methane_of_qm9() -> None:
    """U0 of dsgdb9nsd_000001 is −40.47893 Ha: −395.999 kcal/mol below its atoms, and ΔfH(0 K) near −16 kcal/mol."""
    total = np.array([-40.47893, -76.404702])
    bound = convert(total, METHANE, "total", "atomization", B3LYP, "Ha", "kcal/mol")
    assert bound[0] == pytest.approx(-395.999, abs=2e-3)
    formed = convert(total, METHANE, "total", "formation", B3LYP, "Ha", "kcal/mol")
    assert formed[0] == pytest.approx(-395.999 + 169.98 + 4 * 51.63, abs=2e-3)
    assert convert(formed, METHANE, "formation", "total", B3LYP, "kcal/mol", "Ha") == pytest.approx(total, abs=1e-9)
    assert convert(bound, METHANE, "atomization", "formation", {}, "kcal/mol") == pytest.approx(formed)


def test_an_element_without_reference_gives_nan_for_its_structures_only() -> None:
    only_water = {1: -0.5, 8: -75.0}
    values = convert(np.array([-40.0, -76.0]), METHANE, "total", "atomization", only_water, "Ha")
    assert np.isnan(values[0])
    assert values[1] == pytest.approx(0.0)
    assert missing_elements(METHANE, "atomization", "total", only_water) == ("C",)
    assert missing_elements(METHANE, "total", "total", {}) == ()
    with pytest.raises(ValueError, match="no unit of energy"):
        convert(np.zeros(2), METHANE, "total", "atomization", only_water, "Å")


def test_the_builtin_set_is_its_own_witness() -> None:
    data = load_builtin("qm9_7")
    bound = convert(data.properties["U0"].values, data.structures, "total", "atomization", B3LYP, "Ha", "kcal/mol")
    assert bound == pytest.approx(data.properties["U0_atomization"].values, abs=2e-3)


@pytest.mark.parametrize("unit", ["Ha", "eV", "kcal/mol", "kJ/mol"])
def test_total_energies_betray_their_unit(unit: str) -> None:
    data = load_builtin("qm9_7")
    found = guess(data.properties["U0"].values * factor("Ha", unit), data.structures)
    assert (found.kind, found.unit) == ("total", unit)
    assert found.level in ("b3lyp_qm9_U0", "b3lyp_qm9_U", "b3lyp_qm9_H", "b3lyp_qm9_G")


def test_atomization_energies_are_told_from_totals() -> None:
    data = load_builtin("qm9_7")
    found = guess(data.properties["U0_atomization"].values, data.structures)
    assert (found.kind, found.unit) == ("atomization", "kcal/mol")


def test_fitted_atoms_are_exact_for_sums_of_atoms() -> None:
    data = load_builtin("qm9_7")
    values = atoms_energy(data.structures, B3LYP)
    values[3] = np.nan
    fit = fitted_atoms(values, data.structures)
    for z, energy in fit.items():
        assert energy == pytest.approx(B3LYP[z], rel=1e-6)


def test_nothing_to_fit() -> None:
    empty = Structures.from_lists([], [])
    assert fitted_atoms(np.zeros(0), empty) == {}
    assert guess(np.full(2, np.nan), METHANE).unit == ""


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("hartree", "Ha"),
        (" eV ", "eV"),
        ("kcal/mol/Angstrom", "kcal/mol/Å"),
        ("hartree/bohr", "Ha/bohr"),
        ("Debye", "D"),
        ("a0^3", "a₀³"),
        ("ev/atom", "eV/atom"),
        ("furlongs", "furlongs"),
        ("", ""),
    ],
)
def test_spellings(text: str, unit: str) -> None:
    assert canonical(text) == unit


def test_every_unit_goes_to_every_other_of_its_kind_and_back() -> None:
    for name, kind in KINDS.items():
        for unit in kind:
            assert kind_of(unit) == name
            assert set(alternatives(unit)) == set(kind)
            for other in kind:
                assert factor(unit, other) * factor(other, unit) == pytest.approx(1.0)
    assert factor("Ha", "kcal/mol") == pytest.approx(627.5094740631)
    assert factor("D", "e·a₀") == pytest.approx(0.393430307, rel=1e-7)
    assert factor("cm⁻¹", "GHz") == pytest.approx(29.9792458)
