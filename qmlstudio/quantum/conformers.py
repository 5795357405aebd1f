"""Conformers by RDKit: distance geometry, a force field, pruning. For the computing processes only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.units import KCAL_PER_MOL
from qmlstudio.quantum.engines import CalculationError
from qmlstudio.quantum.tasks import Conformers

Floats = NDArray[np.float64]


def molecule_of(numbers: NDArray[np.int64], positions: Floats, charge: int, smiles: str) -> Any:
    """An RDKit molecule with hydrogens: of the SMILES when it has the geometry's atoms, else of the geometry.

    Parameters
    ----------
    positions : (N, 3) float64, Å

    Raises
    ------
    CalculationError
        Neither gives a molecule.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDetermineBonds

    rdBase.DisableLog("rdApp.*")
    if smiles:
        found = Chem.MolFromSmiles(smiles)
        if found is not None:
            found = Chem.AddHs(found)
            own = sorted(a.GetAtomicNum() for a in found.GetAtoms())
            if own == sorted(numbers.tolist()):
                return found
    from qmlstudio.chem.elements import SYMBOLS

    lines = [f"{SYMBOLS[z]} {x:.8f} {y:.8f} {w:.8f}" for z, (x, y, w) in zip(numbers, positions, strict=True)]
    try:
        found = Chem.MolFromXYZBlock("\n".join([str(len(lines)), "", *lines, ""]))
        rdDetermineBonds.DetermineBonds(found, charge=charge)
        Chem.SanitizeMol(found)
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1:] or [""]
        raise CalculationError(f"the bonds are not known: {reason[0]}") from None
    return found


def conformers(molecule: Any, task: Conformers) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Distinct conformers, the lowest first.

    Returns
    -------
    numbers : (N,) int64
    positions : (c, N, 3) float64, Å
    energies : (c,) float64, eV
        By MMFF94, or UFF where that has no parameters, above the lowest.

    Raises
    ------
    CalculationError
        None could be embedded.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    work = Chem.Mol(molecule)
    work.RemoveAllConformers()
    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = task.seed + 1  # RDKit multiplies it: with 0 all embeddings would be the same
    settings.numThreads = 1
    ids = list(rdDistGeom.EmbedMultipleConfs(work, task.count, settings))
    if not ids:
        settings.useRandomCoords = True
        ids = list(rdDistGeom.EmbedMultipleConfs(work, task.count, settings))
    if not ids:
        raise CalculationError("no conformer could be embedded")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(work):
        results = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(work, numThreads=1, maxIters=2000)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(work):
        results = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(work, numThreads=1, maxIters=2000)
    else:
        raise CalculationError("no force field has parameters for it")
    energies = np.array([e for _, e in results]) * KCAL_PER_MOL
    places = np.array([work.GetConformer(k).GetPositions() for k in ids])
    order = np.argsort(energies, kind="stable")
    lowest = energies[order[0]]
    chosen = distinct(work, places, [int(k) for k in order if energies[k] - lowest <= task.energy_window], task.rmsd)
    numbers = np.array([a.GetAtomicNum() for a in work.GetAtoms()], dtype=np.int64)
    return numbers, places[chosen], energies[chosen] - lowest


def distinct(molecule: Any, places: Floats, order: list[int], least: float) -> list[int]:
    """Those of `order` that are at least this RMSD (heavy atoms, symmetry considered) from every earlier one."""
    from rdkit import Chem
    from rdkit.Chem import rdMolAlign
    from rdkit.Geometry import Point3D

    work = Chem.Mol(molecule)
    work.RemoveAllConformers()
    ids = {}
    for k in order:
        conformer = Chem.Conformer(work.GetNumAtoms())
        for atom, (x, y, z) in enumerate(places[k].tolist()):
            conformer.SetAtomPosition(atom, Point3D(x, y, z))
        ids[k] = work.AddConformer(conformer, assignId=True)
    heavy = Chem.RemoveHs(work) if any(a.GetAtomicNum() > 1 for a in work.GetAtoms()) else work
    kept: list[int] = []
    for k in order:
        if all(rdMolAlign.GetBestRMS(heavy, heavy, ids[k], ids[j]) >= least for j in kept):
            kept.append(k)
    return kept
