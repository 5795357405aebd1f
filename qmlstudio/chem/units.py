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

ENERGY: dict[str, float] = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": HARTREE,
    "mHa": HARTREE * 1e-3,
    "kcal/mol": KCAL_PER_MOL,
    "kJ/mol": KJ_PER_MOL,
}
LENGTH: dict[str, float] = {"Å": 1.0, "bohr": BOHR, "nm": 10.0, "pm": 0.01}
_KINDS = (ENERGY, LENGTH, {f"{e}/{l}": ENERGY[e] / LENGTH[l] for e in ENERGY for l in LENGTH})


def factor(unit: str, to: str) -> float:
    """Multiply a value in `unit` by this to have it in `to`; ValueError if they measure different things."""
    if unit == to:
        return 1.0
    for kind in _KINDS:
        if unit in kind and to in kind:
            return kind[unit] / kind[to]
    raise ValueError(f"no conversion from {unit or 'no unit'} to {to or 'no unit'}")


def alternatives(unit: str) -> tuple[str, ...]:
    """The units into which `unit` can be converted, itself first; only itself when it is unknown."""
    for kind in _KINDS:
        if unit in kind:
            return (unit, *(u for u in kind if u != unit))
    return (unit,)
