"""Named functional groups, rings and scaffolds of many molecules, found once for each data set."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import SILENT, Progress, slices

MOST_ATOMS = 200
"""Atoms of a structure without SMILES above which no bonds are sought for this purpose."""

GROUPS: dict[str, str] = {
    # aromatic rings with five members
    "pyrrole ring": "[nX3]1cccc1",
    "furan ring": "o1cccc1",
    "thiophene ring": "s1cccc1",
    "imidazole ring": "n1cncc1",
    "pyrazole ring": "n1nccc1",
    "oxazole ring": "o1cncc1",
    "isoxazole ring": "o1nccc1",
    "thiazole ring": "s1cncc1",
    "triazole ring": "[$(n1nncc1),$(n1ncnc1)]",
    "oxadiazole ring": "[o;$(o1ncnc1),$(o1cnnc1),$(o1nncc1),$(o1nccn1)]",
    "tetrazole ring": "n1nnnc1",
    # aromatic rings with six members
    "benzene ring": "c1ccccc1",
    "pyridine ring": "n1ccccc1",
    "pyrimidine ring": "n1cnccc1",
    "pyrazine ring": "n1ccncc1",
    "pyridazine ring": "n1ncccc1",
    "triazine ring": "[$(n1cncnc1),$(n1ncncc1),$(n1nnccc1)]",
    # rings of any kind
    "aromatic ring": "[a;r]",
    "ring of 3 atoms": "[r3]",
    "ring of 4 atoms": "[r4]",
    "ring of 5 atoms": "[r5]",
    "ring of 6 atoms": "[r6]",
    "ring of 7 atoms or more": "[R;!r3;!r4;!r5;!r6]",
    "fused or bridged rings": "[R2]@[R2]",
    "spiro atom": "[D4;R2;x4;$(*(@*)(@*)(@*)@*);!$(*@[R2])]",
    # small rings
    "cyclopropane": "[CX4]1[CX4][CX4]1",
    "cyclopropene": "C1=CC1",
    "epoxide": "[CX4]1O[CX4]1",
    "aziridine": "[CX4]1[NX3][CX4]1",
    "diaziridine": "[CX4]1[NX3][NX3]1",
    "azirine": "C1=NC1",
    "cyclobutane": "[CX4]1[CX4][CX4][CX4]1",
    "cyclobutene": "C1=CCC1",
    "oxetane": "[CX4]1[CX4][CX4]O1",
    "azetidine": "[CX4]1[CX4][CX4][NX3]1",
    "cyclopentane": "[CX4]1[CX4][CX4][CX4][CX4]1",
    "tetrahydrofuran": "[CX4]1[CX4][CX4][CX4]O1",
    "pyrrolidine": "[CX4]1[CX4][CX4][CX4][NX3]1",
    # carbon chains
    "C=C double bond": "[CX3]=[CX3]",
    "allene": "C=C=C",
    "alkyne": "[CX2]#[CX2]",
    "terminal alkyne": "[CX2]#[CX2H1]",
    "conjugated diene or enone": "[C,O]=[CX3]-[CX3]=[C,O]",
    "quaternary carbon": "[CX4;D4](C)(C)(C)C",
    "tert-butyl": "[CX4]([CH3])([CH3])[CH3]",
    # oxygen
    "alcohol": "[OX2H][CX4]",
    "phenol or enol": "[OX2H][$(C=C),c]",
    "ether": "[OX2;!$(O-C=[O,N,S]);!$(O~[!#6])]([#6])[#6]",
    "acetal or hemiacetal": "[CX4]([OX2])[OX2]",
    "aldehyde": "[$([CX3H2]=O),$([CX3H1](=O)[#6])]",
    "ketone": "[#6][CX3](=O)[#6]",
    "carboxylic acid": "[CX3](=O)[OX2H]",
    "ester": "[CX3;!$(C(=O)[OX2H])](=O)[OX2][#6]",
    "lactone": "[CX3;R](=O)[OX2;R][#6]",
    "carbonate or carbamate": "[CX3](=O)([O,N])[OX2]",
    # nitrogen
    "primary amine": "[NX3;H2][CX4]",
    "secondary amine": "[NX3;H1]([CX4])[CX4]",
    "tertiary amine": "[NX3;H0]([CX4])([CX4])[CX4]",
    "aniline or enamine": "[NX3;!$(N-C=[O,N,S]);!$(N-[!#6;!#1])][$(C=C),c]",
    "amide": "[NX3][CX3;!$(C(=O)(N)N);!$(C(=O)O)]=O",
    "lactam": "[NX3;R][CX3;R]=O",
    "urea": "[NX3][CX3](=O)[NX3]",
    "nitrile": "[CX2]#[NX1]",
    "imine": "[CX3;!$(C(=N)[N,O,S])]=[NX2;!$(N-[N,O])]",
    "amidine or guanidine": "[NX3][CX3]=[NX2]",
    "imidate": "[OX2][CX3]=[NX2]",
    "oxime": "[CX3]=[NX2][OX2]",
    "hydrazine or hydrazone": "[NX3][NX3,$(N=C)]",
    "azo": "[NX2]=[NX2]",
    "nitro": "[$([NX3](=O)=O),$([NX3+](=O)[O-])]",
    "zwitterion": "[+;!$(*~[-])].[-;!$(*~[+])]",
    # other elements
    "C–F bond": "[#6]F",
    "trifluoromethyl": "[CX4](F)(F)F",
    "chlorine": "[Cl]",
    "bromine": "[Br]",
    "iodine": "[I]",
    "thiol": "[SX2H]",
    "thioether": "[SX2]([#6])[#6]",
    "sulfoxide or sulfone": "[SX3,SX4](=O)",
    "phosphorus": "[#15]",
    "silicon": "[#14]",
    "boron": "[#5]",
}
"""SMARTS by the name that people read."""

NAMES = tuple(GROUPS)


@dataclass(frozen=True, eq=False)
class Found:
    """What some molecules contain.

    Attributes
    ----------
    rows : (m,) int64
        Structures of the data set that have a graph.
    groups : (m, len(NAMES)) bool
    scaffolds : (m,) int32
        Number of each one's Bemis–Murcko scaffold in `scaffold_names`; -1 for molecules without rings.
    scaffold_names : tuple of str
        SMILES.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.bool_]
    scaffolds: NDArray[np.int32]
    scaffold_names: tuple[str, ...]


class SubstructureTable:
    """The groups and scaffolds of a data set; rows are filled in when somebody asks for them.

    From the set's SMILES; where it has none, from bonds perceived in the geometry of molecules up to 200 atoms.
    Memory: some 90 bytes for each structure that was asked for.
    """

    def __init__(self, dataset: Dataset) -> None:
        n = len(dataset)
        self._smiles = dataset.smiles
        self._structures = dataset.structures
        self._groups = np.zeros((n, len(NAMES)), dtype=bool)  # the system hands out pages when they are written
        self._scaffolds = np.full(n, -1, np.int32)
        self._state = np.zeros(n, np.int8)  # 0 not looked at, 1 known, 2 no graph
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def has_graphs(self) -> bool:
        """Whether there is anything to make graphs of: SMILES, or at least one molecule that is no crystal."""
        return self._smiles is not None or (len(self._structures) > 0 and self._structures.cells is None)

    def find(self, rows: NDArray[np.int64], progress: Progress = SILENT) -> Found:
        """The groups and scaffolds of these structures, those without a graph left out."""
        missing = rows[self._state[rows] == 0] if self.has_graphs else rows[:0]
        for start, stop in slices(len(missing), progress, "Substructures"):
            for row in missing[start:stop]:
                self._fill(int(row))
        known = rows[self._state[rows] == 1]
        return Found(known, self._groups[known], self._scaffolds[known], tuple(self._codes))

    def scaffolds(
        self, rows: NDArray[np.int64], progress: Progress = SILENT
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], tuple[str, ...]]:
        """As :meth:`find` without the groups, which take most of its time: rows with a graph, scaffolds, names."""
        known = self._state[rows] != 0
        codes = np.where(self._state[rows] == 1, self._scaffolds[rows], -2).astype(np.int32)
        missing = np.flatnonzero(~known) if self.has_graphs else np.zeros(0, np.int64)
        for start, stop in slices(len(missing), progress, "Scaffolds"):
            for place in missing[start:stop].tolist():
                molecule = self._graph(int(rows[place]))
                if molecule is not None:
                    codes[place] = self._code(_scaffold(molecule))
        there = codes > -2
        return rows[there], codes[there], tuple(self._codes)

    def _code(self, scaffold: str) -> int:
        if not scaffold:
            return -1
        with self._lock:
            return self._codes.setdefault(scaffold, len(self._codes))

    def _fill(self, row: int) -> None:
        molecule = self._graph(row)
        if molecule is None:
            self._state[row] = 2
            return
        for column, pattern in enumerate(_patterns()):
            self._groups[row, column] = molecule.HasSubstructMatch(pattern)
        self._scaffolds[row] = self._code(_scaffold(molecule))
        self._state[row] = 1

    def _graph(self, row: int) -> Any:
        from rdkit import Chem, rdBase

        if self._smiles is not None:
            text = str(self._smiles[row])
            with rdBase.BlockLogs():
                return Chem.MolFromSmiles(text) if 0 < len(text) <= 2000 else None
        from qmlstudio.chem.fingerprints import graph, graph_key

        structure = self._structures[row]
        return graph(*graph_key(structure)) if 0 < len(structure) <= MOST_ATOMS else None


_tables: WeakKeyDictionary[Dataset, SubstructureTable] = WeakKeyDictionary()
_tables_lock = threading.Lock()


def substructures(dataset: Dataset) -> SubstructureTable:
    """The one table of a data set; it lives as long as the set."""
    with _tables_lock:
        table = _tables.get(dataset)
        if table is None:
            table = _tables[dataset] = SubstructureTable(dataset)
        return table


@cache
def _patterns() -> tuple[Any, ...]:
    from rdkit import Chem

    return tuple(Chem.MolFromSmarts(text) for text in GROUPS.values())


def _scaffold(molecule: Any) -> str:
    """SMILES of the rings and what links them, "" without rings."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    if molecule.GetRingInfo().NumRings() == 0:
        return ""
    try:
        return str(Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule)))  # type: ignore[no-untyped-call]
    except (ValueError, RuntimeError):
        return ""
