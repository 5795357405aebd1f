"""Units and their conversions (CODATA 2018). Lengths are Å and energies eV unless a name says otherwise."""

from __future__ import annotations

BOHR = 0.529177210903
"""One bohr in Å."""
HARTREE = 27.211386245988
"""One hartree in eV."""
KCAL_PER_MOL = HARTREE / 627.5094740631
"""One kcal/mol in eV."""
KJ_PER_MOL = KCAL_PER_MOL / 4.184
"""One kJ/mol in eV."""
DEBYE = 0.20819433442462576
"""One debye in e·Å."""
CM = 29.9792458
"""One cm⁻¹ in GHz."""
GAS_CONSTANT = 1.987204258640832
"""R in cal/(mol K)."""

ENERGY: dict[str, float] = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": HARTREE,
    "mHa": HARTREE * 1e-3,
    "kcal/mol": KCAL_PER_MOL,
    "kJ/mol": KJ_PER_MOL,
}
LENGTH: dict[str, float] = {"Å": 1.0, "bohr": BOHR, "nm": 10.0, "pm": 0.01}
KINDS: dict[str, dict[str, float]] = {
    "energy": ENERGY,
    "length": LENGTH,
    "force": {f"{e}/{l}": ENERGY[e] / LENGTH[l] for e in ENERGY for l in LENGTH},
    "energy per atom": {f"{e}/atom": ENERGY[e] for e in ENERGY},
    "dipole moment": {"e·Å": 1.0, "D": DEBYE, "e·a₀": BOHR},
    "polarizability": {"Å³": 1.0, "a₀³": BOHR**3},
    "area": {"Å²": 1.0, "a₀²": BOHR**2},
    "frequency": {"GHz": 1.0, "THz": 1e3, "cm⁻¹": CM},
    "heat capacity": {"cal/(mol K)": 1.0, "J/(mol K)": 1 / 4.184, "k_B": GAS_CONSTANT},
    "time": {"fs": 1.0, "ps": 1e3, "ns": 1e6},
    "angle": {"°": 1.0, "rad": 57.29577951308232},
}
"""What can be converted: kind → unit → how many of the kind's first unit one of it is."""

_SPELLINGS = {
    "ev": "eV",
    "mev": "meV",
    "ha": "Ha",
    "hartree": "Ha",
    "hartrees": "Ha",
    "eh": "Ha",
    "e_h": "Ha",
    "mha": "mHa",
    "kcal": "kcal/mol",
    "kcal/mol": "kcal/mol",
    "kcal mol-1": "kcal/mol",
    "kj": "kJ/mol",
    "kj/mol": "kJ/mol",
    "kj mol-1": "kJ/mol",
    "ang": "Å",
    "angstrom": "Å",
    "angstroms": "Å",
    "å": "Å",
    "a": "Å",
    "bohr": "bohr",
    "a0": "bohr",
    "a₀": "bohr",
    "debye": "D",
    "d": "D",
    "cm^-1": "cm⁻¹",
    "1/cm": "cm⁻¹",
    "cm-1": "cm⁻¹",
    "a0^3": "a₀³",
    "bohr^3": "a₀³",
    "bohr³": "a₀³",
    "a0^2": "a₀²",
    "bohr^2": "a₀²",
    "ang^3": "Å³",
    "å^3": "Å³",
    "ea": "e·Å",
    "e*ang": "e·Å",
    "deg": "°",
    "degree": "°",
    "degrees": "°",
}


def canonical(unit: str) -> str:
    """The program's spelling of a unit ("hartree" → "Ha", "kcal/mol/Angstrom" → "kcal/mol/Å"); others as they are."""
    text = unit.strip()
    if any(text in kind for kind in KINDS.values()):
        return text
    if text.lower() in _SPELLINGS:
        return _SPELLINGS[text.lower()]
    head, slash, tail = text.rpartition("/")
    if slash and tail.lower() != "mol":
        joined = f"{canonical(head)}/{canonical(tail)}"
        if any(joined in kind for kind in KINDS.values()):
            return joined
    return text


def kind_of(unit: str) -> str:
    """What a unit measures ("energy", "length", …); empty when unknown."""
    return next((name for name, kind in KINDS.items() if unit in kind), "")


def factor(unit: str, to: str) -> float:
    """Multiply a value in `unit` by this to have it in `to`; ValueError if they measure different things."""
    if unit == to:
        return 1.0
    for kind in KINDS.values():
        if unit in kind and to in kind:
            return kind[unit] / kind[to]
    raise ValueError(f"no conversion from {unit or 'no unit'} to {to or 'no unit'}")


def alternatives(unit: str) -> tuple[str, ...]:
    """The units into which `unit` can be converted, itself first; only itself when it is unknown."""
    for kind in KINDS.values():
        if unit in kind:
            return (unit, *(u for u in kind if u != unit))
    return (unit,)
