"""The data sets that come with the program, ready offline in a few milliseconds (numpy only)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Structures
from qmlstudio.resources_path import resources

BUILTIN_PREFIX = "builtin:"
"""Paths that begin so are names of built-in data sets."""
QM9_PREFIX = "qm9:"
"""The path of the whole of QM9, from a package that is installed beside the program."""
CATALOGUE_PREFIX = "catalogue:"
"""Paths that begin so are names of data sets of the catalogue that were fetched."""
NAMED = (BUILTIN_PREFIX, QM9_PREFIX, CATALOGUE_PREFIX)
"""Paths that begin so are names, not files."""

Column = tuple[str, str, Literal["structure", "atom"]]
"""Unit, description, target."""


@dataclass(frozen=True)
class BuiltinInfo:
    """What is known of a built-in data set without reading it.

    Attributes
    ----------
    title, description : str
        For people: a line and a sentence or two.
    structures : int
        How many.
    columns : dict of str to (unit, description, target)
        The properties, in the order in which they are shown.
    ordered : bool
        Frames in time.
    licence, reference : str
    """

    title: str
    description: str
    structures: int
    columns: dict[str, Column]
    ordered: bool
    licence: str
    reference: str


_QM9: dict[str, Column] = {
    "gap": ("Ha", "HOMO-LUMO gap, B3LYP/6-31G(2df,p)", "structure"),
    "homo": ("Ha", "energy of the highest occupied molecular orbital", "structure"),
    "lumo": ("Ha", "energy of the lowest unoccupied molecular orbital", "structure"),
    "mu": ("D", "norm of the dipole moment", "structure"),
    "alpha": ("a₀³", "isotropic polarizability", "structure"),
    "r2": ("a₀²", "electronic spatial extent ⟨R²⟩", "structure"),
    "zpve": ("Ha", "zero-point vibrational energy", "structure"),
    "U0": ("Ha", "internal energy at 0 K, zero-point energy included", "structure"),
    "U": ("Ha", "internal energy at 298.15 K", "structure"),
    "H": ("Ha", "enthalpy at 298.15 K", "structure"),
    "G": ("Ha", "Gibbs free energy at 298.15 K", "structure"),
    "Cv": ("cal/(mol K)", "heat capacity at constant volume at 298.15 K", "structure"),
    "A": ("GHz", "largest rotational constant; meaningless for linear molecules (0 or very large)", "structure"),
    "B": ("GHz", "middle rotational constant", "structure"),
    "C": ("GHz", "smallest rotational constant", "structure"),
    "U0_atomization": ("kcal/mol", "U0 less that of the free atoms: negative when bound", "structure"),
    "n_heavy": ("", "number of atoms other than hydrogen", "structure"),
    "n_atoms": ("", "number of atoms", "structure"),
    "formula": ("", "molecular formula", "structure"),
    "smiles": ("", "SMILES of the molecule in GDB-17 from which the geometry was made", "structure"),
    "charge": ("e", "Mulliken charge, B3LYP/6-31G(2df,p)", "atom"),
}

_ETHANOL: dict[str, Column] = {
    "energy": ("eV", "total energy, GFN2-xTB", "structure"),
    "time": ("fs", "time since the end of equilibration", "structure"),
    "temperature": ("K", "kinetic temperature of the 21 internal degrees of freedom", "structure"),
    "dipole": ("D", "norm of the dipole moment, GFN2-xTB", "structure"),
    "gap": ("eV", "HOMO-LUMO gap, GFN2-xTB", "structure"),
    "torsion": ("°", "C-C-O-H dihedral angle: ±180 anti, ±60 gauche", "structure"),
    "forces": ("eV/Å", "minus the gradient of the energy", "atom"),
    "charge": ("e", "Mulliken charge, GFN2-xTB", "atom"),
}

BUILTIN: dict[str, BuiltinInfo] = {
    "qm9_7": BuiltinInfo(
        title="QM9, up to 7 heavy atoms",
        description=(
            "The 3,921 molecules of C, N, O, F and H with at most seven heavy atoms in QM9: geometries, 15 properties "
            "and Mulliken charges at B3LYP/6-31G(2df,p). The uncharacterised molecules are left out."
        ),
        structures=3921,
        columns=_QM9,
        ordered=False,
        licence="CC0 1.0",
        reference="Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014), doi:10.1038/sdata.2014.22",
    ),
    "ethanol_500K": BuiltinInfo(
        title="Ethanol at 500 K",
        description=(
            "2,000 frames, 10 fs apart, of one ethanol molecule in Langevin dynamics at 500 K, with GFN2-xTB energies "
            "and forces; atoms in the order of (r)MD17, overall translation and rotation removed."
        ),
        structures=2000,
        columns=_ETHANOL,
        ordered=True,
        licence="MIT, as QML Studio",
        reference="Made by resources/datasets/make_ethanol.py; GFN2-xTB: Bannwarth, Ehlert, Grimme, "
        "J. Chem. Theory Comput. 15, 1652 (2019), doi:10.1021/acs.jctc.8b01176",
    ),
}
"""The built-in data sets by name."""

QM9 = BuiltinInfo(
    title="QM9",
    description=(
        "The 130,831 molecules of C, N, O, F and H with at most nine heavy atoms in QM9: geometries, 15 properties "
        "and Mulliken charges at B3LYP/6-31G(2df,p). The 3,054 uncharacterised molecules are left out."
    ),
    structures=130_831,
    columns=_QM9,
    ordered=False,
    licence=BUILTIN["qm9_7"].licence,
    reference=BUILTIN["qm9_7"].reference,
)
"""The whole of QM9, which does not come with the program: the extra "qm9" installs it."""


def load_builtin(name: str) -> Dataset:
    """Read a built-in data set.

    Parameters
    ----------
    name : str
        A key of :data:`BUILTIN`, with or without "builtin:" in front.

    Returns
    -------
    Dataset
        `source.path` is "builtin:NAME".

    Raises
    ------
    DataError
        No such data set, or its file is missing or damaged.
    """
    name = name.removeprefix("builtin:")
    info = BUILTIN.get(name)
    if info is None:
        raise DataError(f"there is no built-in data set {name!r}: choose from {', '.join(BUILTIN)}")
    try:
        arrays = _read(name)
        structures = Structures(arrays["numbers"], arrays["positions"], arrays["offsets"])
        properties = {
            key: Property(arrays[key], target=target, unit=unit, description=description)
            for key, (unit, description, target) in info.columns.items()
        }
        identifiers = arrays["identifiers"]
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile, zlib.error) as error:
        problem = Problem(f"builtin:{name}", f"cannot be read: {error}", "reinstall QML Studio")
        raise DataError(problem) from error
    return Dataset(
        name=info.title,
        structures=structures,
        properties=properties,
        identifiers=identifiers,
        source=Source(f"builtin:{name}", "npz", info.licence, info.reference),
        ordered=info.ordered,
    )


def _read(name: str) -> dict[str, NDArray[Any]]:
    """Arrays of the file. Decimals are stored as integers: "x@6" holds x·10⁶ (see resources/datasets/decimals.py)."""
    arrays: dict[str, NDArray[Any]] = {}
    # opened here, since np.load leaves the file open when it is not an archive
    with (resources() / "datasets" / f"{name}.npz").open("rb") as stream, np.load(stream) as file:
        for key in file:
            plain, _, digits = key.partition("@")
            # both are exact doubles, so the quotient is the double nearest to the decimal
            arrays[plain] = file[key] / 10.0 ** int(digits) if digits else file[key]
    return arrays
