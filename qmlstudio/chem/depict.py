"""Two-dimensional drawings of molecules for cards and tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from qmlstudio.chem.bonds import molecule, perceive_bonds
from qmlstudio.chem.scaffold import Scaffold, place
from qmlstudio.chem.structures import Structure

MOST_ATOMS = 120
"""Atoms without hydrogens above which a small drawing shows nothing any more."""
_LONGEST = 2000
"""Characters of a SMILES above which it is not read."""
_ON_DARK = {7: (0.55, 0.67, 1.0), 8: (1.0, 0.47, 0.45), 35: (0.85, 0.55, 0.45), 53: (0.83, 0.5, 0.95)}
"""Elements whose colours RDKit leaves too dark for text on a dark background."""
_BEHIND = {False: (0.78, 0.88, 1.0), True: (0.17, 0.30, 0.44)}
"""Behind the atoms of the scaffold, in light and dark drawings."""


def depiction_svg(
    molecule: str | Structure, size: tuple[int, int] = (200, 150), dark: bool = False, scaffold: Scaffold | None = None
) -> str:
    """An SVG drawing with transparent background.

    Parameters
    ----------
    molecule : str or Structure
        SMILES, or a structure whose bonds are perceived from its geometry.
    size : (int, int)
        Width and height in pixels.
    dark : bool
        Colours to be read on a dark background.
    scaffold : Scaffold, optional
        A part that lies alike in all drawings and is marked; a molecule that lacks it is drawn as ever.

    Returns
    -------
    str
        "" when there is nothing to draw: an invalid SMILES, a crystal, a structure without bonds that make chemical
        sense, or a molecule that is too large.
    """
    width, height = max(int(size[0]), 20), max(int(size[1]), 20)
    if isinstance(molecule, str):
        text = molecule.strip()
        return _from_smiles(text, width, height, dark, scaffold) if 0 < len(text) <= _LONGEST else ""
    if molecule.cell is not None or not 0 < len(molecule) <= 4 * MOST_ATOMS:
        return ""
    bonds = perceive_bonds(molecule.numbers, molecule.positions)
    numbers = np.ascontiguousarray(molecule.numbers, np.uint8).tobytes()
    return _from_bonds(numbers, bonds.pairs.tobytes(), bonds.orders.tobytes(), width, height, dark, scaffold)


def drawable(molecule: str | Structure) -> Any:
    """The RDKit molecule that :func:`depiction_svg` draws, without hydrogens; None when there is nothing to draw.

    It is a copy of its own.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            if isinstance(molecule, str):
                text = molecule.strip()
                return Chem.MolFromSmiles(text) if 0 < len(text) <= _LONGEST else None
            if molecule.cell is not None or not 0 < len(molecule) <= 4 * MOST_ATOMS:
                return None
            bonds = perceive_bonds(molecule.numbers, molecule.positions)
            numbers = np.ascontiguousarray(molecule.numbers, np.uint8).tobytes()
            return _read_bonds(numbers, bonds.pairs.tobytes(), bonds.orders.tobytes())
        except (ValueError, RuntimeError):
            return None


@lru_cache(maxsize=2048)
def _from_smiles(smiles: str, width: int, height: int, dark: bool, scaffold: Scaffold | None = None) -> str:
    mol = drawable(smiles)
    return "" if mol is None else _draw(mol, width, height, dark, scaffold)


@lru_cache(maxsize=2048)
def _from_bonds(
    numbers: bytes, pairs: bytes, orders: bytes, width: int, height: int, dark: bool, scaffold: Scaffold | None = None
) -> str:
    from rdkit import rdBase

    with rdBase.BlockLogs():
        try:
            return _draw(_read_bonds(numbers, pairs, orders), width, height, dark, scaffold)
        except (ValueError, RuntimeError):
            return ""


def _read_bonds(numbers: bytes, pairs: bytes, orders: bytes) -> Any:
    """A molecule without hydrogens from its bonds."""
    from rdkit import Chem

    mol = molecule(numbers, pairs)[1]
    if mol is None:
        mol = assembled(np.frombuffer(numbers, np.uint8), np.frombuffer(pairs, np.int32), orders)
    # hydrogen alone stays: RemoveHs keeps what would leave nothing
    bare = Chem.RemoveHs(mol, sanitize=False)
    Chem.FastFindRings(bare)  # lost with the hydrogens
    return bare


def assembled(numbers: Any, pairs: Any, orders: bytes) -> Any:
    """An RDKit molecule from bonds as they are, without a check of valences (several molecules, metals)."""
    from rdkit import Chem

    kinds = {1.0: Chem.BondType.SINGLE, 1.5: Chem.BondType.AROMATIC, 2.0: Chem.BondType.DOUBLE}
    mol = Chem.RWMol()
    for z in numbers:
        atom = Chem.Atom(int(z))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for (i, j), order in zip(pairs.reshape(-1, 2), np.frombuffer(orders), strict=True):
        mol.AddBond(int(i), int(j), kinds.get(float(order), Chem.BondType.TRIPLE))
        if order == 1.5:
            mol.GetBondBetweenAtoms(int(i), int(j)).SetIsAromatic(True)
    made = mol.GetMol()
    made.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(made)
    return made


def _draw(mol: Any, width: int, height: int, dark: bool, scaffold: Scaffold | None) -> str:
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    if not 0 < mol.GetNumAtoms() <= MOST_ATOMS:
        return ""
    mol.RemoveAllConformers()
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = drawer.drawOptions()
    if dark:
        rdMolDraw2D.SetDarkMode(options)
        options.updateAtomPalette(_ON_DARK)
    options.clearBackground = False
    options.bondLineWidth = 1.5
    options.padding = 0.06
    options.fixedBondLength = 28.0  # small molecules are not blown up
    marked: tuple[int, ...] = ()
    try:
        if scaffold is None:
            rdDepictor.Compute2DCoords(mol)
        else:
            marked = place(mol, scaffold)
        prepared = rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=True, addChiralHs=False)
    except (ValueError, RuntimeError):
        prepared = rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=False, addChiralHs=False)
    options.prepareMolsBeforeDrawing = False
    if marked:
        options.setHighlightColour(_BEHIND[dark])
        options.highlightBondWidthMultiplier = 12
        inside = set(marked)
        bonds = [
            b.GetIdx() for b in prepared.GetBonds() if b.GetBeginAtomIdx() in inside and b.GetEndAtomIdx() in inside
        ]
        drawer.DrawMolecule(prepared, highlightAtoms=list(marked), highlightBonds=bonds)
    else:
        drawer.DrawMolecule(prepared)
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())
