"""Which molecules contain a pattern: an index of a set's molecules, built once, searched many times."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Watch = Callable[[list[tuple[int, Any]]], None]
"""Sees rows and RDKit molecules."""
MAX_TEXT = 2000
"""Length of a pattern beyond which nobody typed it."""
COMMON_PATTERNS: tuple[tuple[str, str], ...] = (
    ("alcohol", "[CX4][OX2H]"),
    ("phenol or enol", "[#6;X3][OX2H]"),
    ("ether", "[OD2]([#6;!$(C=O)])[#6;!$(C=O)]"),
    ("aldehyde", "[CX3H1](=O)[#6]"),
    ("ketone", "[#6][CX3](=O)[#6]"),
    ("carboxylic acid", "[CX3](=O)[OX2H1]"),
    ("ester", "[#6][CX3](=O)[OX2H0][#6]"),
    ("amide", "[NX3][CX3](=[OX1])[#6]"),
    ("primary amine", "[NX3;H2;!$(NC=O)][#6]"),
    ("secondary amine", "[NX3;H1;!$(NC=O)]([#6])[#6]"),
    ("tertiary amine", "[NX3;H0;!$(NC=O)]([#6])([#6])[#6]"),
    ("imine", "[CX3]=[NX2]"),
    ("nitrile", "C#N"),
    ("alkene", "C=C"),
    ("alkyne", "C#C"),
    ("halide", "[F,Cl,Br,I]"),
    ("aromatic atom", "a"),
    ("three-membered ring", "*1**1"),
    ("four-membered ring", "*1***1"),
    ("five-membered ring", "*1****1"),
    ("six-membered ring", "*1*****1"),
    ("epoxide", "C1OC1"),
    ("benzene ring", "c1ccccc1"),
    ("pyrrole ring", "[nH]1cccc1"),
    ("furan ring", "o1cccc1"),
)
"""Name and SMARTS of what chemists ask for."""

_ONLY_SMARTS = re.compile(r"[~*!&;,$]|\[#|\[[^\]]*[XDRrvx]\d")


class PatternError(ValueError):
    """A pattern that cannot be read; says why."""


def guess_is_smiles(text: str) -> bool:
    """Whether a pattern is better read as SMILES than as SMARTS.

    Without brackets a valid SMILES is one (its rings are made aromatic, which ``C1=CC=CC=C1`` needs to find benzene).
    With brackets it is a SMARTS, since ``[OH]`` is to mean a hydroxyl group, unless only reading it as a SMILES shows
    that its rings are aromatic.
    """
    text = text.strip()
    if not text or len(text) > MAX_TEXT or _ONLY_SMARTS.search(text):
        return False
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(text)
        if molecule is None:
            return False
        if "[" not in text:
            return True
        query: Any = Chem.MolFromSmarts(text)
    if query is None:
        return True
    kekule = not any(c in text for c in "cnops") and any(a.GetIsAromatic() for a in molecule.GetAtoms())
    return bool(kekule)


@lru_cache(maxsize=64)
def read_pattern(text: str, is_smiles: bool) -> Any:
    """The RDKit query of a SMARTS or SMILES; :class:`PatternError` for one that cannot be read."""
    text = text.strip()
    if not text:
        raise PatternError("no pattern yet")
    if len(text) > MAX_TEXT:
        raise PatternError(f"the pattern has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    from rdkit import Chem, rdBase

    query: Any
    loose: Any
    as_smarts: Any
    with rdBase.BlockLogs():
        if is_smiles:
            query = Chem.MolFromSmiles(text)
            if query is None:
                loose = Chem.MolFromSmiles(text, sanitize=False)
                if loose is None:
                    as_smarts = Chem.MolFromSmarts(text)
                    hint = "; as a SMARTS it can be" if as_smarts is not None else ""
                    raise PatternError(f"this cannot be read as SMILES{hint}")
                problems = Chem.DetectChemistryProblems(loose)
                why = problems[0].Message() if problems else "its chemistry makes no sense"
                raise PatternError(f"this SMILES makes no molecule: {why}")
        else:
            query = Chem.MolFromSmarts(text)
            if query is None:
                raise PatternError("this cannot be read as SMARTS")
    if query.GetNumAtoms() == 0:
        raise PatternError("the pattern has no atoms")
    return query


class SubstructureIndex:
    """The molecules of a set with their pattern fingerprints, which sort out most of them without a search.

    Made by :meth:`build`. Molecules are kept as RDKit's pickles (about 300 bytes for nine heavy atoms).

    Attributes
    ----------
    n : int
        Number of structures, with or without SMILES.
    missing : int
        How many have none, or one that cannot be read.
    """

    def __init__(self, library: Any, rows: NDArray[np.int64], n: int) -> None:
        self._library = library
        self._rows = rows
        self.n = n
        self.missing = n - len(rows)

    @classmethod
    def build(
        cls, smiles: NDArray[np.str_], progress: Progress = SILENT, watch: Watch | None = None
    ) -> SubstructureIndex:
        """Read (n,) SMILES; rows whose SMILES is empty or wrong have no molecule.

        `watch` sees the molecules with their rows as they are read: a search need not wait for the last one.
        """
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdSubstructLibrary

        molecules, patterns = rdSubstructLibrary.CachedMolHolder(), rdSubstructLibrary.PatternHolder()
        library = rdSubstructLibrary.SubstructLibrary(molecules, patterns)
        rows = []
        for start, stop in slices(len(smiles), progress, "reading SMILES", first=50):
            read: list[tuple[int, Any]] = []
            # the log is blocked for one slice at a time: it is the whole process's
            with rdBase.BlockLogs():
                for i, text in enumerate(smiles[start:stop].tolist(), start):
                    molecule: Any = Chem.MolFromSmiles(text) if text else None
                    if molecule is not None:
                        library.AddMol(molecule)
                        rows.append(i)
                        if watch is not None:
                            read.append((i, molecule))
                if watch is not None:
                    watch(read)
        return cls(library, np.array(rows, dtype=np.int64), len(smiles))

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) bool: which structures have a molecule."""
        result = np.zeros(self.n, dtype=bool)
        result[self._rows] = True
        return result

    def containing(self, query: Any, progress: Progress = SILENT) -> NDArray[np.bool_]:
        """(n,) bool: molecules with at least one match of a query from :func:`read_pattern`. Stereo is ignored."""
        result = np.zeros(self.n, dtype=bool)
        count = len(self._rows)
        for start, stop in slices(count, progress, "looking for the pattern", first=200):
            found = self._library.GetMatches(
                query, start, stop, useChirality=False, numThreads=1, maxResults=stop - start
            )
            result[self._rows[np.fromiter(found, np.int64, len(found))]] = True
        return result


def pattern_svg(text: str, is_smiles: bool, size: tuple[int, int] = (200, 90), dark: bool = False) -> str:
    """A drawing of a pattern, "" for one that cannot be drawn; :class:`PatternError` for one that cannot be read."""
    query = read_pattern(text, is_smiles)
    if is_smiles:
        from qmlstudio.chem.depict import depiction_svg

        return depiction_svg(text, size, dark)
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(max(size[0], 20), max(size[1], 20))
    options: Any = drawer.drawOptions()
    if dark:
        rdMolDraw2D.SetDarkMode(options)
    options.clearBackground = False
    options.bondLineWidth = 1.5
    options.fixedBondLength = 28.0
    options.prepareMolsBeforeDrawing = False
    with rdBase.BlockLogs():
        try:
            drawn = Chem.Mol(query)
            drawn.UpdatePropertyCache(strict=False)
            rdDepictor.Compute2DCoords(drawn)
            drawer.DrawMolecule(drawn)
        except (ValueError, RuntimeError):
            return ""
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())
