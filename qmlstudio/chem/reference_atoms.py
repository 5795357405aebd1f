"""Energies of free atoms, level by level: what atomization and formation energies refer to."""

from __future__ import annotations

from dataclasses import dataclass

from qmlstudio.chem.elements import SYMBOLS

_NUMBER = {symbol: z for z, symbol in enumerate(SYMBOLS)}


@dataclass(frozen=True)
class Level:
    """Free atoms at one level of theory.

    Attributes
    ----------
    name, title : str
    atoms : dict of int to float
        Atomic number → energy, Ha.
    reference : str
        Where the numbers stand.
    """

    name: str
    title: str
    atoms: dict[int, float]
    reference: str


def _level(name: str, title: str, reference: str, **atoms: float) -> Level:
    return Level(name, title, {_NUMBER[s]: e for s, e in atoms.items()}, reference)


_QM9 = "Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014), table of the atoms (atomref.txt)"
_ANI = "Smith, Isayev, Roitberg, Chem. Sci. 8, 3192 (2017); self energies of TorchANI's networks"
_ANI_FIT = "linear fit to the data set as in ASE_ANI (sae_linfit.dat); not energies of free atoms"
LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        _level(
            "b3lyp_qm9_U0",
            "B3LYP/6-31G(2df,p), U0",
            _QM9,
            H=-0.500273,
            C=-37.846772,
            N=-54.583861,
            O=-75.064579,
            F=-99.718730,
        ),
        _level(
            "b3lyp_qm9_U",
            "B3LYP/6-31G(2df,p), U at 298 K",
            _QM9,
            H=-0.498857,
            C=-37.845355,
            N=-54.582445,
            O=-75.063163,
            F=-99.717314,
        ),
        _level(
            "b3lyp_qm9_H",
            "B3LYP/6-31G(2df,p), H at 298 K",
            _QM9,
            H=-0.497912,
            C=-37.844411,
            N=-54.581501,
            O=-75.062219,
            F=-99.716370,
        ),
        _level(
            "b3lyp_qm9_G",
            "B3LYP/6-31G(2df,p), G at 298 K",
            _QM9,
            H=-0.510927,
            C=-37.861317,
            N=-54.598897,
            O=-75.079532,
            F=-99.733544,
        ),
        _level(
            "wb97x_ani1",
            "ωB97X/6-31G(d) (ANI-1)",
            _ANI,
            H=-0.500607632585,
            C=-37.8302333826,
            N=-54.5680045287,
            O=-75.0362229210,
        ),
        _level(
            "wb97x_ani1x_fit",
            "ωB97X/6-31G(d), fitted (ANI-1x)",
            _ANI_FIT,
            H=-0.60095298,
            C=-38.08316124,
            N=-54.7077577,
            O=-75.19446356,
        ),
        _level(
            "ccsdt_ani1ccx_fit",
            "CCSD(T)*/CBS, fitted (ANI-1ccx)",
            _ANI_FIT,
            H=-0.5991501325,
            C=-38.0375080606,
            N=-54.6744834770,
            O=-75.1604353728,
        ),
    )
}

FORMATION: dict[int, float] = {
    _NUMBER[s]: e
    for s, e in {
        "H": 51.63,
        "Li": 37.69,
        "Be": 76.48,
        "B": 136.2,
        "C": 169.98,
        "N": 112.53,
        "O": 58.99,
        "F": 18.47,
        "Na": 25.69,
        "Mg": 34.87,
        "Al": 78.23,
        "Si": 106.6,
        "P": 75.42,
        "S": 65.66,
        "Cl": 28.59,
    }.items()
}
"""Experimental enthalpies of formation of the gaseous atoms at 0 K, kcal/mol (Curtiss, Raghavachari, Redfern, Pople,
J. Chem. Phys. 106, 1063 (1997), table I): atomic number → value."""
