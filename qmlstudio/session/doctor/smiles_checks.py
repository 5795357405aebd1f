"""Checks of what SMILES say against geometries, and of charges and radicals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table
from qmlstudio.session.doctor.findings import ERROR, INFO, WARNING, Findings
from qmlstudio.session.doctor.survey import SECONDS_PER_ATOM, survey_of

SECONDS_PER_SMILES = 1.5e-4
_KEY = "doctor smiles"
_NAMES = ("smiles", "canonical_smiles", "SMILES", "smi")


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the SMILES of a set say; one row for each structure.

    Attributes
    ----------
    state : (n,) int8
        0 empty, 1 read, 2 cannot be read.
    graphs : (n, 2) uint64
        As the survey's of the heavier atoms, alone and with their hydrogens.
    composition : (n,) uint64
    charge, radicals : (n,) int32
        Net charge in e, unpaired electrons.
    """

    state: NDArray[np.int8]
    graphs: NDArray[np.uint64]
    composition: NDArray[np.uint64]
    charge: NDArray[np.int32]
    radicals: NDArray[np.int32]


def smiles_column(columns: Table) -> str:
    """The name of the column of SMILES; empty when there is none."""
    return next((k for k in _NAMES if k in columns and columns[k].is_text), "")


def drawn_of(dataset: Dataset, columns: Table, progress: Progress = SILENT) -> Drawn | None:
    """The SMILES as graphs; None without any. Kept with the structures as long as the column stays."""
    name = smiles_column(columns)
    if not name:
        return None
    texts = columns[name].values
    known = dataset.structures._cache.get(_KEY)
    if known is not None and known[0] is texts:
        found: Drawn = known[1]
        return found
    from rdkit import Chem, rdBase

    from qmlstudio.learning._molecule_graph_loops import drawn_graphs

    n = len(texts)
    drawn = Drawn(
        np.zeros(n, np.int8),
        np.zeros((n, 2), np.uint64),
        np.zeros(n, np.uint64),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
    )
    options: Any = Chem.SmilesParserParams()
    options.sanitize = False
    options.removeHs = False
    with rdBase.BlockLogs():
        for start, stop in slices(n, progress, "Reading SMILES", first=64):
            atoms, bonds = [0], [0]
            numbers: list[int] = []
            hydrogens: list[int] = []
            ends: list[tuple[int, int]] = []
            for k, text in enumerate(np.asarray(texts[start:stop]).tolist(), start):
                mol = _read(Chem, text, options) if text else None
                if mol is not None:
                    rows = [(a.GetAtomicNum(), a.GetTotalNumHs(), a.GetFormalCharge()) for a in mol.GetAtoms()]
                    numbers += [r[0] for r in rows]
                    hydrogens += [r[1] for r in rows]
                    drawn.charge[k] = sum(r[2] for r in rows)
                    if "[" in text:
                        drawn.radicals[k] = sum(a.GetNumRadicalElectrons() for a in mol.GetAtoms())
                    ends += [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
                    drawn.state[k] = 1
                elif text:
                    drawn.state[k] = 2
                atoms.append(len(numbers))
                bonds.append(len(ends))
            graphs, composition = drawn.graphs[start:stop], drawn.composition[start:stop]
            drawn_graphs(
                np.array(atoms, np.int64), np.array(bonds, np.int64), np.array(numbers, np.int64),
                np.array(hydrogens, np.int64), np.array(ends, np.int64).reshape(-1, 2), 0, stop - start, graphs,
                composition,
            )  # fmt: skip
    dataset.structures._cache[_KEY] = (texts, drawn)
    return drawn


def _read(chem: Any, text: str, options: Any) -> Any:
    """The molecule with the hydrogens that it implies; None when it cannot be read."""
    mol = chem.MolFromSmiles(text, options)
    if mol is not None:
        try:
            mol.UpdatePropertyCache(strict=True)
        except ValueError:
            # nitro groups and the like with five bonds of nitrogen are legal ways to write them
            chem.SanitizeMol(mol, chem.SanitizeFlags.SANITIZE_CLEANUP)
            try:
                mol.UpdatePropertyCache(strict=True)
            except ValueError:
                return None
        if "[" in text:
            chem.AssignRadicals(mol)
    return mol


def _seconds(dataset: Dataset) -> float:
    if not smiles_column(dataset.per_structure):
        return 0.0
    return SECONDS_PER_SMILES * len(dataset) + SECONDS_PER_ATOM * len(dataset.structures.numbers)


@dataclass(frozen=True, kw_only=True)
class SmilesMismatch(Check):
    """A geometry that is another molecule than its SMILES says."""

    name: ClassVar[str] = "smiles"
    title: ClassVar[str] = "Geometry against SMILES"
    why: ClassVar[str] = "A molecule that rearranged while it was optimised, or a row that slipped, bears a wrong name."

    hydrogens: bool = param(True, label="Hydrogens, too", help="Tell moved hydrogens (tautomers, proton transfer).")

    def seconds(self, dataset: Dataset) -> float:
        """RDKit reads the SMILES one by one."""
        return _seconds(dataset)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each structure: other elements, other bonds, moved hydrogens, SMILES that make no sense."""
        drawn = drawn_of(dataset, columns, progress.part(0.0, 0.8))
        if drawn is None:
            return self.nothing("there are no SMILES")
        survey = survey_of(dataset.structures, progress.part(0.8, 1.0))
        there = (drawn.state == 1) & (survey.graphs[:, 1] != 0)
        other = there & (drawn.composition != survey.composition)
        bonds = there & ~other & (drawn.graphs[:, 0] != survey.graphs[:, 1])
        moved = there & ~other & ~bonds & (drawn.graphs[:, 1] != survey.graphs[:, 2])
        text = np.asarray(columns[smiles_column(columns)].values)

        def part(rows: NDArray[np.bool_], words: str, severity: int) -> Findings:
            return Findings.make(self.name, words, np.flatnonzero(rows), severity, smiles=text[rows])

        found = [
            part(drawn.state == 2, "the SMILES {smiles} makes no sense", ERROR),
            part(other, "other atoms than the SMILES {smiles} has", ERROR),
            part(bonds, "other bonds than the SMILES {smiles} has", WARNING),
        ]
        if self.hydrogens:
            found.append(part(moved, "hydrogens elsewhere than in the SMILES {smiles}", WARNING))
        empty = int(np.count_nonzero(drawn.state == 0))
        return Findings.join(self.name, found, f"{empty:,} structures have no SMILES" if empty else "")


@dataclass(frozen=True, kw_only=True)
class Charges(Check):
    """Ions and radicals among molecules."""

    name: ClassVar[str] = "charges"
    title: ClassVar[str] = "Ions and radicals"
    why: ClassVar[str] = (
        "Ions and radicals among neutral molecules have energies of another kind; many sets leave them out."
    )

    def seconds(self, dataset: Dataset) -> float:
        """RDKit reads the SMILES one by one."""
        return _seconds(dataset)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each structure whose SMILES says so."""
        drawn = drawn_of(dataset, columns, progress)
        if drawn is None:
            return self.nothing("there are no SMILES")
        charged, radical = np.flatnonzero(drawn.charge), np.flatnonzero(drawn.radicals)
        return Findings.join(
            self.name,
            [
                Findings.make(
                    self.name,
                    "a net charge of {charge:+d}",
                    charged,
                    INFO,
                    charge=drawn.charge[charged].astype(np.int64),
                ),
                Findings.make(
                    self.name,
                    "{electrons} unpaired electrons",
                    radical,
                    INFO,
                    electrons=drawn.radicals[radical].astype(np.int64),
                ),
            ],
        )
