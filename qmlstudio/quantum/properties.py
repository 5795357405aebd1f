"""What can be computed of a structure: a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quantity:
    """One thing to compute.

    Attributes
    ----------
    name : str
        The columns' name begins with it: "energy" → "energy_gfn2".
    title, description : str
    unit : str
        Of the column.
    cost : str
        For people: beside a single point.
    columns : tuple of (column, record's field, unit, description)
        What it fills.
    target : "structure" or "atom"
    """

    name: str
    title: str
    unit: str
    description: str
    cost: str
    columns: tuple[tuple[str, str, str, str], ...]
    target: Literal["structure", "atom"] = "structure"


def _one(name: str, title: str, unit: str, description: str, cost: str = "free", **more: object) -> Quantity:
    target: Literal["structure", "atom"] = "atom" if more.get("target") == "atom" else "structure"
    return Quantity(name, title, unit, description, cost, ((name, name, unit, description),), target)


QUANTITIES: dict[str, Quantity] = {
    q.name: q
    for q in (
        _one("energy", "Total energy", "Ha", "total energy", "one single point"),
        _one(
            "atomization_energy",
            "Atomization energy",
            "eV",
            "energy minus that of the free atoms by the same method: negative when bound",
            "each element's atom once",
        ),
        _one("forces", "Forces", "eV/Å", "minus the gradient of the energy", "xTB: free; DFT: +50 %", target="atom"),
        _one("homo", "HOMO", "eV", "energy of the highest occupied orbital"),
        _one("lumo", "LUMO", "eV", "energy of the lowest empty orbital"),
        _one("gap", "HOMO–LUMO gap", "eV", "LUMO minus HOMO"),
        _one("dipole", "Dipole moment", "D", "length of the dipole; of ions about the centre of mass"),
        Quantity(
            "dipole_vector",
            "Dipole vector",
            "D",
            "the dipole's components, in the geometry's axes",
            "free",
            tuple((f"dipole_{x}", f"dipole_{x}", "D", f"{x} component of the dipole") for x in "xyz"),
        ),
        _one("charges", "Atomic charges", "e", "Mulliken charges", target="atom"),
        Quantity(
            "vibrations",
            "Vibrations",
            "cm⁻¹",
            "harmonic wavenumbers by finite differences of the forces, and the zero-point energy",
            "6 N single points",
            (
                ("zpe", "zpe", "eV", "harmonic zero-point energy"),
                ("lowest_wavenumber", "lowest_wavenumber", "cm⁻¹", "lowest harmonic wavenumber; below 0: imaginary"),
                ("n_imaginary", "n_imaginary", "", "number of imaginary modes: 0 at a minimum"),
                ("wavenumbers", "wavenumbers", "cm⁻¹", "harmonic wavenumbers, ascending"),
            ),
        ),
    )
}
"""By name, in the order in which people look for them."""

USUAL = ("energy", "forces", "homo", "lumo", "gap", "dipole", "charges")
"""Chosen at first."""


def check(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each once and in the table's order; ValueError names one that is unknown."""
    for name in names:
        if name not in QUANTITIES:
            raise ValueError(f"no property {name!r}; there are {', '.join(QUANTITIES)}")
    return tuple(k for k in QUANTITIES if k in names)
