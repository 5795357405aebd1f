"""The stereoisomers of a molecule, each once."""

from __future__ import annotations

from typing import Any


def stereoisomers(molecule: Any, most: int = 0) -> list[str]:
    """Canonical SMILES of all stereoisomers of an RDKit molecule without stereochemistry.

    Tetrahedral centres and double bonds outside of rings below eight atoms are set in all ways. Meso forms, and what
    else is the same molecule written twice, come once; both mirror images are listed. Nitrogen inverts: it is no
    centre.

    Parameters
    ----------
    most : int
        Isomers to stop at; 0 for all.
    """
    from importlib import import_module

    from rdkit import Chem

    module: Any = import_module("rdkit.Chem.EnumerateStereoisomers")  # has no types
    options = module.StereoEnumerationOptions(tryEmbedding=False, onlyUnassigned=True, unique=False, maxIsomers=0)
    found: dict[str, None] = {}
    free = Chem.ChiralType.CHI_UNSPECIFIED
    for isomer in module.EnumerateStereoisomers(molecule, options=options):
        for atom in isomer.GetAtoms():
            if atom.GetAtomicNum() == 7 and atom.GetFormalCharge() == 0:
                atom.SetChiralTag(free)
        # read again: only then are centres recognised that depend on others, and those dropped that are none
        text = Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(isomer)))
        found[text] = None
        if most and len(found) >= most:
            break
    return list(found)
