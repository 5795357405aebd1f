"""Which structures belong together and must not stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.bonds import TOLERANCE, bond_tables
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation.paths import attended
from qmlstudio.progress import SILENT, Progress, slices

Ints = NDArray[np.int64]

FEWEST_GROUPS = 10
"""A set with fewer groups cannot be split by them in a way that would say anything."""
_PART = 1 << 14
_MANY = 100_000


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of structures.

    Attributes
    ----------
    labels : (n,) int64
        From 0; -1 for structures that belong to nothing and stand alone.
    by : str
        What they have in common, for people: "the same bonds".
    names : (k,) str or None
        Of the groups, where these have names (scaffolds, values of a column).
    notes : tuple of str
    """

    labels: Ints
    by: str
    names: NDArray[np.str_] | None = None
    notes: tuple[str, ...] = ()
    _sizes: dict[str, Ints] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def sizes(self) -> Ints:
        """(k,) structures of each group."""
        if "all" not in self._sizes:
            self._sizes["all"] = np.bincount(self.labels[self.labels >= 0]).astype(np.int64)
        return self._sizes["all"]

    def repeated(self, rows: Any = slice(None)) -> int:
        """How many of the chosen structures share a group with another chosen one."""
        labels = self.labels[rows]
        counts = np.bincount(labels[labels >= 0])
        return int(counts[counts > 1].sum())

    def alone(self, rows: Ints) -> Ints:
        """(m,) labels of some structures from 0 without gaps; those that stand alone get one each."""
        labels = self.labels[rows]
        single = labels < 0
        return compact(np.where(single, self.labels.max(initial=-1) + np.cumsum(single), labels))


def compact(labels: Ints) -> Ints:
    """(n,) labels of 0 and more without gaps, in the same order."""
    # counting: NumPy's unique sorts, or hashes for seconds with the interpreter's lock held
    there = np.bincount(labels) > 0
    return (np.cumsum(there) - 1)[labels]


def by_connectivity(structures: Structures, progress: Progress = SILENT) -> Groups:
    """Structures with the same bond graph: conformers, duplicates, stereoisomers. Crystals stand alone.

    Bonds are those of the geometry; the graphs are told apart by a hash of 64 bits (see
    :func:`qmlstudio.learning._molecule_graph_loops.graph_hash`).
    """
    known = structures._cache.get("connectivity groups")
    if isinstance(known, Groups):
        return known
    from qmlstudio.learning._survey_loops import BLOCKS, survey

    n = len(structures)
    graphs = np.zeros((n, 3), np.uint64)
    numbers, positions = np.asarray(structures.numbers), np.asarray(structures.positions)
    offsets, cells = np.asarray(structures.offsets), structures.cells
    radii, most, non_metal = bond_tables()
    usual = np.full(256, 127)
    for start, stop in slices(n, progress, "Looking at the bonds", first=64):
        for low in range(start, stop, _PART):
            high = min(low + _PART, stop)
            m, first, last = high - low, int(offsets[low]), int(offsets[high])
            # copies: arrays that may not be written to would be compiled for once more
            survey(
                np.array(numbers[first:last]), np.array(positions[first:last]), offsets[low : high + 1] - first,
                np.zeros((0, 3, 3)) if cells is None else np.array(cells[low:high]),
                radii, most, ~non_metal, usual, 0, m, TOLERANCE, TOLERANCE,
                np.zeros(m, np.uint64), graphs[low:high], np.zeros(m, np.int32), np.zeros(m),
                np.zeros((m, 2), np.int32), np.zeros(m), np.zeros(m, np.int32), np.zeros(m),
                np.zeros((m, 2), np.int32), np.zeros(m, np.int32), np.zeros((m, BLOCKS), np.float32),
            )  # fmt: skip
            progress.check()
    labels = np.full(n, -1, np.int64)
    good = graphs[:, 0] != 0
    labels[good] = _distinct(graphs[good, 0], progress)[1]
    notes: tuple[str, ...] = ()
    if lonely := n - int(np.count_nonzero(good)):
        notes = (f"{lonely:,} crystals or broken structures have no bond graph and stand alone",)
    found = Groups(labels, "the same bonds", notes=notes)
    structures._cache["connectivity groups"] = found
    return found


def by_smiles(texts: Any, progress: Progress = SILENT) -> Groups:
    """Structures with the same SMILES, as RDKit writes them; empty ones stand alone, unreadable ones go by the text."""
    labels, names = _coded(texts, progress)
    from rdkit import Chem, rdBase

    canonical: list[str] = []
    with rdBase.BlockLogs():
        for start, stop in slices(len(names), progress, "Reading SMILES", first=64):
            for text in names[start:stop].tolist():
                mol = Chem.MolFromSmiles(text) if 0 < len(text) <= 2000 else None
                canonical.append(text if mol is None else Chem.MolToSmiles(mol))
    final, which = _distinct(np.array(canonical, dtype=np.str_), progress)
    good = labels >= 0
    labels[good] = which[labels[good]]
    return Groups(labels, "the same SMILES", final)


def by_column(column: Property, name: str, progress: Progress = SILENT) -> Groups:
    """Structures with the same value; missing ones stand alone."""
    if column.target != "structure":
        raise ValueError(f"{name!r} has a value for each atom: choose a column of structures")
    if column.is_text:
        labels, names = _coded(column.values, progress)
        return Groups(labels, f"the same {name}", names)
    values = np.asarray(column.values)
    labels = np.full(len(values), -1, np.int64)
    good = np.isfinite(values)
    found, labels[good] = _distinct(values[good], progress)
    return Groups(labels, f"the same {name}", found.astype(np.str_) if len(found) <= 1000 else None)


def by_scaffold(dataset: Dataset, rows: Ints, progress: Progress = SILENT) -> Groups:
    """Structures with the same rings and what links them (G. Bemis, M. Murcko, J. Med. Chem. 39, 2887 (1996)).

    All molecules without rings are one group; structures without a graph (crystals) stand alone. Only `rows` are
    looked at.
    """
    from qmlstudio.chem.substructures import substructures

    where, codes, names = substructures(dataset).scaffolds(rows, progress)
    if len(where) == 0:
        raise ValueError("no structure has a molecular graph: there are no scaffolds")
    labels = np.full(len(dataset), -1, np.int64)
    labels[where] = codes + 1  # those without rings become 0
    notes: tuple[str, ...] = ()
    if missing := len(rows) - len(where):
        notes = (f"{missing:,} structures have no graph and stand alone",)
    return Groups(labels, "the same scaffold", np.array(["without rings", *names], dtype=np.str_), notes)


def find_repeats(
    dataset: Dataset, columns: Mapping[str, Property], rows: Ints, progress: Progress = SILENT
) -> tuple[Groups | None, str]:
    """Groups that a random split would tear, and a sentence that says which; None when there are none.

    Looked for are equal bonds, then (crystals and sets without geometries) equal SMILES.
    """
    found = by_connectivity(dataset.structures, progress.part(0.0, 0.5))
    if (found.labels[rows] < 0).all() and "smiles" in columns and columns["smiles"].is_text:
        found = by_smiles(columns["smiles"].values, progress.part(0.5, 1.0))
    repeated = found.repeated(rows)
    if not repeated:
        return None, "no molecule is there twice"
    count = int(found.alone(rows).max()) + 1
    text = f"{repeated:,} of {len(rows):,} structures share {found.by} with another one ({count:,} different ones)"
    return found, text


def _distinct(values: NDArray[Any], progress: Progress) -> tuple[NDArray[Any], Ints]:
    """Distinct values, ascending, and the place of each among them: NumPy's unique, without its hold on the lock."""
    order = attended(lambda: np.argsort(values, kind="stable"), progress if len(values) > _MANY else SILENT)
    ordered = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    which = np.empty(len(values), np.int64)
    which[order] = np.cumsum(new) - 1
    return ordered[new], which


def _coded(texts: Any, progress: Progress) -> tuple[Ints, NDArray[np.str_]]:
    """(n,) codes of texts, -1 for empty ones, and the distinct texts in alphabetic order."""
    from qmlstudio.chem.texts import coded

    if (short := coded(texts)) is not None:
        names, codes = short.names, short.codes.astype(np.int64)
        keep, place = _distinct(names[names != ""], progress)
        table = np.full(len(names), -1, np.int64)
        table[names != ""] = place
        return table[codes], keep
    found, labels = _distinct(np.asarray(texts, dtype=np.str_), progress)
    if len(found) and found[0] == "":
        return labels - 1, found[1:]
    return labels, found
