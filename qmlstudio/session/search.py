"""Find structures by identifier, formula, SMILES or SMARTS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset

Found = NDArray[np.int64]


def search(dataset: Dataset, text: str) -> tuple[Found, str]:
    """Structures that fit, and how they were found ("identifier", "formula", "SMILES", "SMARTS").

    "smarts:" before the text asks for a substructure. Otherwise an identifier that contains the text wins over an equal
    formula, and that over the same molecule as a SMILES.

    Raises
    ------
    ValueError
        The SMARTS cannot be read, or the set has no SMILES to search in.
    """
    text = text.strip()
    if not text:
        return np.zeros(0, np.int64), ""
    if text.lower().startswith("smarts:"):
        return _smarts(dataset, text[7:].strip()), "SMARTS"
    lower = np.char.lower(dataset.identifiers)
    exact = np.flatnonzero(lower == text.lower())
    if len(exact):
        return exact, "identifier"
    formulas = dataset.properties.get("formula")
    names = formulas.values if formulas is not None else np.array(dataset.structures.formulas(), dtype=np.str_)
    equal = np.flatnonzero(names == text)
    if len(equal):
        return equal, "formula"
    same = _smiles(dataset, text)
    if len(same):
        return same, "SMILES"
    return np.flatnonzero(np.char.find(lower, text.lower()) >= 0), "identifier"


def _smiles(dataset: Dataset, text: str) -> Found:
    smiles = dataset.smiles
    if smiles is None:
        return np.zeros(0, np.int64)
    from rdkit import Chem, rdBase

    quiet = rdBase.BlockLogs()
    wanted = Chem.MolFromSmiles(text)
    if wanted is None or not text:
        return np.zeros(0, np.int64)
    canonical = Chem.MolToSmiles(wanted)
    quick = np.flatnonzero((smiles == text) | (smiles == canonical))
    if len(quick):
        return quick
    # QM9 writes explicit forms: compare canonical ones, among molecules of the same heavy atoms only
    heavy = wanted.GetNumHeavyAtoms()
    counts = np.add.reduceat(dataset.structures.numbers > 1, dataset.structures.offsets[:-1])
    found = []
    for i in np.flatnonzero(counts == heavy):
        molecule = Chem.MolFromSmiles(str(smiles[i]))
        if molecule is not None and Chem.MolToSmiles(molecule) == canonical:
            found.append(i)
    del quiet
    return np.array(found, dtype=np.int64)


def _smarts(dataset: Dataset, text: str) -> Found:
    smiles = dataset.smiles
    if smiles is None:
        raise ValueError("this data set has no SMILES to search in")
    from rdkit import Chem, rdBase

    quiet = rdBase.BlockLogs()
    pattern = Chem.MolFromSmarts(text) if text else None
    if pattern is None:
        raise ValueError(f"{text!r} is no SMARTS")
    found = []
    for i, s in enumerate(smiles):
        molecule = Chem.MolFromSmiles(str(s)) if s else None
        if molecule is not None and molecule.HasSubstructMatch(pattern):
            found.append(i)
    del quiet
    return np.array(found, dtype=np.int64)
