"""What molecules have in common: the part upon which their drawings are laid over each other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from qmlstudio.progress import SILENT, Cancelled, Progress

MOST_MOLECULES = 50
"""How many molecules are compared at most: the search grows with their number, the answer hardly changes."""
LEAST_ATOMS = 4
"""Fewer atoms in common say nothing, unless they are a ring of three."""
SEARCH_SECONDS = 2.0


@dataclass(frozen=True)
class Scaffold:
    """A common part.

    Attributes
    ----------
    smarts : str
        The pattern.
    smiles : str
        The part for people.
    reference : bytes
        A molecule with it (RDKit's binary form), drawn, to whose drawing others are turned.
    kind : "mcs" or "murcko"
        The largest part that all have, or the most frequent ring system with its linkers (Bemis & Murcko, J. Med.
        Chem. 39, 2887 (1996)).
    atoms : int
        Atoms without hydrogens.
    found_in, compared : int
        How many of the molecules have it.
    complete : bool
        Whether the search came to its end: else there may be a larger part.
    """

    smarts: str
    smiles: str
    reference: bytes
    kind: Literal["mcs", "murcko"]
    atoms: int
    found_in: int
    compared: int
    complete: bool = True


def common_scaffold(
    molecules: Sequence[Any], seconds: float = SEARCH_SECONDS, progress: Progress = SILENT
) -> Scaffold | None:
    """The largest common substructure; where that is trivial the most frequent Murcko scaffold of two or more.

    Rings match rings and only as a whole, elements and bond orders have to be equal.

    Parameters
    ----------
    molecules : sequence of rdkit.Chem.Mol
        Without hydrogens; the first `MOST_MOLECULES` are compared.
    seconds : float
        After which the search for the largest part is given up, and the best so far taken.

    Returns
    -------
    Scaffold or None
        None: fewer than two molecules, or nothing in common that would show.
    """
    mols = [m for m in molecules if m is not None][:MOST_MOLECULES]
    if len(mols) < 2:
        return None
    found = _largest(mols, seconds, progress)
    if found is None or not _telling(found[0]):
        progress.check()
        return _most_frequent(mols)
    pattern, complete = found
    # the smallest molecule with it: its own drawing is bent least by what hangs on the part
    holder = min((m for m in mols if m.HasSubstructMatch(pattern)), key=lambda m: m.GetNumAtoms())
    return _scaffold(pattern, holder, "mcs", mols, complete)


def place(mol: Any, scaffold: Scaffold) -> tuple[int, ...]:
    """Give a molecule the 2D coordinates that lay the scaffold where it lies in all drawings; its atoms there.

    A molecule without the scaffold gets coordinates of its own, and ().
    """
    from rdkit.Chem import rdDepictor

    pattern, reference, ours = _reference(scaffold.smarts, scaffold.reference)
    match = mol.GetSubstructMatch(pattern)
    if not match:
        rdDepictor.Compute2DCoords(mol)
        return ()
    rdDepictor.GenerateDepictionMatching2DStructure(mol, reference, list(zip(ours, match, strict=True)))
    return tuple(int(i) for i in match)


@lru_cache(maxsize=8)
def _reference(smarts: str, binary: bytes) -> tuple[Any, Any, tuple[int, ...]]:
    """Pattern, drawn molecule, and the molecule's atoms in the order of the pattern's."""
    from rdkit import Chem

    pattern = Chem.MolFromSmarts(smarts)
    reference: Any = Chem.Mol(binary)  # type: ignore[call-overload]
    return pattern, reference, tuple(int(i) for i in reference.GetSubstructMatch(pattern))


def _largest(mols: list[Any], seconds: float, progress: Progress) -> tuple[Any, bool] | None:
    from rdkit import Chem
    from rdkit.Chem import rdFMCS

    deadline = time.monotonic() + seconds
    cancelled = False

    # the search's own limit counts whole seconds, and is not looked at when there is a callback
    class Watch(rdFMCS.MCSProgress):
        def __call__(self, _status: Any, _parameters: Any) -> bool:
            nonlocal cancelled
            try:
                progress.check()
            except Cancelled:  # must not pass through the search
                cancelled = True
            return not cancelled and time.monotonic() < deadline

    watch = Watch()
    parameters = rdFMCS.MCSParameters()
    parameters.AtomTyper = rdFMCS.AtomCompare.CompareElements
    parameters.BondTyper = rdFMCS.BondCompare.CompareOrder
    parameters.BondCompareParameters.RingMatchesRingOnly = True
    parameters.BondCompareParameters.CompleteRingsOnly = True
    parameters.ProgressCallback = watch
    result = rdFMCS.FindMCS(mols, parameters)
    progress.check()
    if not result.numAtoms:
        return None
    return Chem.MolFromSmarts(result.smartsString), not result.canceled


def _telling(pattern: Any) -> bool:
    """Whether a pattern is more than what most molecules have."""
    n, bonds = pattern.GetNumAtoms(), pattern.GetNumBonds()
    return bool(n >= LEAST_ATOMS or (n == 3 and bonds == 3))


def _most_frequent(mols: list[Any]) -> Scaffold | None:
    from rdkit import Chem

    found: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for mol in mols:
        core: Any = Chem.MurckoDecompose(mol)
        core.ClearComputedProps()
        core.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(core)
        if core.GetNumAtoms():
            name = Chem.MolToSmiles(core, isomericSmiles=False)
            found.setdefault(name, core)
            counts[name] += 1
    shared = [name for name, count in counts.items() if count > 1]
    if not shared:
        return None
    best = max(shared, key=lambda name: (counts[name], found[name].GetNumAtoms()))
    core = found[best]
    Chem.RemoveStereochemistry(core)
    query = Chem.AdjustQueryParameters.NoAdjustments()
    return _scaffold(Chem.AdjustQueryProperties(core, query), core, "murcko", mols, True)


def _scaffold(pattern: Any, holder: Any, kind: Literal["mcs", "murcko"], mols: list[Any], complete: bool) -> Scaffold:
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    drawn = Chem.Mol(holder)
    rdDepictor.Compute2DCoords(drawn)
    rdDepictor.StraightenDepiction(drawn)
    match = drawn.GetSubstructMatch(pattern)
    return Scaffold(
        smarts=Chem.MolToSmarts(pattern),
        smiles=Chem.MolFragmentToSmiles(drawn, match),
        reference=drawn.ToBinary(),
        kind=kind,
        atoms=len(match),
        found_in=sum(m.HasSubstructMatch(pattern) for m in mols),
        compared=len(mols),
        complete=complete,
    )
