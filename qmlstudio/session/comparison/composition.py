"""How many molecules, which elements, how large: what follows from the structures' atoms and from texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import SILENT, Progress, slices

Ints = NDArray[np.int64]
MOST_CANONICAL = 20_000
"""Different SMILES up to which they are made canonical before they are counted."""


@dataclass(frozen=True, eq=False)
class Composition:
    """Elements and sizes.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, ascending.
    containing : (k,) float64
        Share of the structures that have the element.
    mean : (k,) float64
        Mean number of its atoms in a structure.
    heavy, atoms : (m,) int64
        How many structures have 0, 1, 2, … atoms other than hydrogen, and atoms.
    """

    elements: tuple[int, ...]
    containing: NDArray[np.float64]
    mean: NDArray[np.float64]
    heavy: Ints
    atoms: Ints


def composition(dataset: Dataset, mask: NDArray[np.bool_] | None = None, progress: Progress = SILENT) -> Composition:
    """Of the structures in a mask, or of all."""
    found, parts = dataset.structures.element_counts()
    n = len(dataset) if mask is None else int(np.count_nonzero(mask))
    total, having = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
    heavy, atoms = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for start, counts in parts:
        progress(start / max(len(dataset), 1), "Composition")
        rows = counts if mask is None else counts[mask[start : start + len(counts)]]
        total += rows.sum(axis=0)
        having += (rows > 0).sum(axis=0)
        sizes = rows.sum(axis=1)
        atoms = _summed(atoms, np.bincount(sizes, minlength=1))
        heavy = _summed(heavy, np.bincount(sizes - rows[:, found == 1].sum(axis=1), minlength=1))
    there = having > 0
    kept = tuple(int(z) for z in found[there])
    return Composition(kept, having[there] / max(n, 1), total[there] / max(n, 1), heavy, atoms)


def element_bars(
    compositions: Sequence[Composition], most: int = 24
) -> tuple[tuple[int, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Sets side by side, element by element; of many elements those that are frequent in one of the sets.

    Returns
    -------
    elements : tuple of int
        Ascending.
    containing : (k, m) float64
        Share of each set's structures that have the element, %.
    mean : (k, m) float64
        Mean number of its atoms.
    """
    shares = [dict(zip(c.elements, c.containing.tolist(), strict=True)) for c in compositions]
    means = [dict(zip(c.elements, c.mean.tolist(), strict=True)) for c in compositions]
    found = {z for share in shares for z in share}
    frequent = sorted(found, key=lambda z: (-max(share.get(z, 0.0) for share in shares), z))[:most]
    elements = tuple(sorted(frequent))
    shape = (len(compositions), len(elements))
    containing = np.array([[100 * share.get(z, 0.0) for z in elements] for share in shares]).reshape(shape)
    mean = np.array([[m.get(z, 0.0) for z in elements] for m in means]).reshape(shape)
    return elements, containing, mean


def size_bars(tables: Sequence[Ints]) -> tuple[list[str], NDArray[np.float64]]:
    """Counts of structures by size as shares in %, from the least size that occurs to the largest.

    Returns
    -------
    labels : list of str
        Sizes, or ranges of sizes where there are many.
    shares : (k, m) float64
    """
    filled = [np.flatnonzero(t) for t in tables if t.any()]
    if not filled:
        return [], np.zeros((len(tables), 0))
    low, high = min(int(f[0]) for f in filled), max(int(f[-1]) for f in filled)
    step = max(1, -(-(high - low + 1) // 60))
    count = -(-(high - low + 1) // step)
    shares = np.zeros((len(tables), count))
    for k, table in enumerate(tables):
        part = np.zeros(count * step)
        there = table[low : high + 1]
        part[: len(there)] = there
        shares[k] = 100 * part.reshape(count, step).sum(axis=1) / max(int(table.sum()), 1)
    starts = [low + i * step for i in range(count)]
    labels = [str(a) if step == 1 else f"{a}–{a + step - 1}" for a in starts]
    return labels, shares


def _summed(one: Ints, two: Ints) -> Ints:
    result = np.zeros(max(len(one), len(two)), np.int64)
    result[: len(one)] += one
    result[: len(two)] += two
    return result


def molecule_count(
    dataset: Dataset, rows: Ints, graphs: NDArray[np.uint64] | None, progress: Progress = SILENT
) -> tuple[int, str]:
    """How many different molecules the given structures are, and by what they were told apart.

    Parameters
    ----------
    rows : (m,) int64
    graphs : (m,) uint64 or None
        A number for each of them by its bonds.

    Returns
    -------
    int
    str
        "SMILES", "names", "one trajectory", "bonds"; "every structure" where nothing tells.
    """
    if len(rows) == 0:
        return 0, "none"
    for name in ("smiles", "molecule"):
        p = dataset.properties.get(name)
        if p is not None and p.is_text and p.target == "structure":
            texts = _distinct(p.values, rows, progress)
            if texts and not (len(texts) == 1 and "" in texts):
                texts.discard("")
                if name == "molecule":
                    return len(texts), "names"
                if len(texts) > MOST_CANONICAL:
                    return len(texts), "SMILES as written"
                return _canonical(texts, progress), "SMILES"
    if dataset.ordered:
        return 1, "one trajectory"
    if graphs is None:
        return len(rows), "every structure"
    return len(np.unique(graphs)), "bonds"


def tells_molecules(dataset: Dataset) -> bool:
    """Whether bonds need not be looked at to count molecules."""
    named = any(
        (p := dataset.properties.get(name)) is not None and p.is_text and bool(len(p.values)) and p.values[0] != ""
        for name in ("smiles", "molecule")
    )
    return named or dataset.ordered


def _distinct(values: NDArray[np.str_], rows: Ints, progress: Progress) -> set[str]:
    found: set[str] = set()
    for start, stop in slices(len(rows), progress.part(0.0, 0.5), "Counting molecules", first=2000):
        found.update(np.asarray(values[rows[start:stop]]).tolist())
    return found


def _canonical(texts: set[str], progress: Progress) -> int:
    """How many different connectivities the SMILES have; what cannot be read counts as written."""
    from rdkit import Chem, rdBase

    found, ordered = set(), sorted(texts)
    with rdBase.BlockLogs():
        for start, stop in slices(len(ordered), progress.part(0.5, 1.0), "Counting molecules", first=50):
            for text in ordered[start:stop]:
                molecule = Chem.MolFromSmiles(text)
                found.add(text if molecule is None else Chem.MolToSmiles(molecule, isomericSmiles=False))
    return len(found)
