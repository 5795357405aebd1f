"""Tables of reactions in SMILES: the geometries are the reactants', as transition states are not in such files."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Waiting
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.readers.batches import plain_stem
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.geometries import MOST_ATOMS, SEED, part_fragments
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.tabular import head_rows, read_rows
from qmlstudio.progress import SILENT, Progress

HEEDS = frozenset({"every", "first", "sample"})

_HEADINGS = ("reaction_smiles", "rxn_smiles", "reaction", "rxn", "reactions", "smiles")
_TRIES = 10
"""Embeddings tried with the stereochemistry of the SMILES; strained rings often allow none, and more take long."""


def is_reactions(head: bytes) -> bool:
    """Whether text is a table with a column of reaction SMILES (reactants>agents>products)."""
    rows = head_rows(head)
    if len(rows) < 2:
        return False
    j = _find(rows[0])
    return j >= 0 and j < len(rows[1]) and rows[1][j].count(">") == 2 and " " not in rows[1][j]


def _find(headings: list[str]) -> int:
    low = [h.lower() for h in headings]
    return next((low.index(w) for w in _HEADINGS if w in low), -1)


@dataclass(frozen=True)
class _Made:
    """Reactants made from a reaction, or why not."""

    numbers: NDArray[np.uint8]
    positions: NDArray[np.float64]
    broken: float
    formed: float
    error: str = ""
    warning: str = ""


def read_reactions(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a table of reactions; geometries of the reactants by ETKDG and MMFF94 (UFF).

    Atoms stand in the order of their map numbers where the SMILES has them, so that they can be followed to the
    products. Columns are the reaction and its products, the numbers of bonds broken and formed (of any order, by the
    map numbers) and whatever else the table has.

    Raises
    ------
    DataError
        None of the reactions can be used.
    """
    where = str(stream.path)
    problems = Problems()
    table = read_rows(stream, progress.part(0.0, 0.1), problems)
    chosen = options.rows(len(table.rows))
    places = np.arange(len(table.rows))[chosen].tolist()
    table = table.chosen(chosen)
    at = _find(table.headings)
    gathered = Gatherer(where)
    gathered.problems = problems
    remedy = "check the SMILES"
    part = progress.part(0.1, 1.0)
    reactions = [cells[at] for _, cells in table.rows]
    for k, made in enumerate(_all(reactions, part)):
        line, cells = table.rows[k]
        k = places[k]
        if made.error:
            problems.add(where, f"{cells[at][:60]}: {made.error}", remedy, line, k)
            continue
        if made.warning:
            problems.add(where, made.warning, "compare it with the SMILES before use", line, k)
        reactants, _, products = cells[at].split(">")
        values = {"reaction_smiles": cells[at], "smiles": plain(reactants), "product_smiles": plain(products)}
        for j, heading in enumerate(table.headings):
            if j != at:
                values[heading] = cells[j]
        if not np.isnan(made.broken):
            values["bonds_broken"], values["bonds_formed"] = str(int(made.broken)), str(int(made.formed))
        gathered.add(made.numbers, made.positions, values, line, k, str(k + 1))
    form = "table of reactions, geometries of the reactants by ETKDGv3 and MMFF94 (UFF)"
    texts = ("reaction_smiles", "smiles", "product_smiles")
    return gathered.dataset(plain_stem(stream.path.name), Source(path=where, format=form), texts)


def plain(smiles: str) -> str:
    """SMILES without map numbers and with implicit hydrogens; the text itself when it is no SMILES."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles) if smiles else None
        if mol is None:
            return smiles
        for atom in mol.GetAtoms():
            atom.SetAtomMapNum(0)
        return str(Chem.MolToSmiles(mol))


def _all(reactions: list[str], progress: Progress) -> Iterator[_Made]:
    """Make the reactants of all reactions, in order, on several threads: RDKit works outside the interpreter's lock."""
    from rdkit import rdBase

    message = "Making geometries of the reactants (ETKDG, MMFF94)"
    threads = max(1, min(8, os.cpu_count() or 1))
    pool = ThreadPoolExecutor(threads, "reactions")
    silence = rdBase.BlockLogs()  # the logs would go to the terminal
    try:
        waiting: deque[Future[_Made]] = deque()
        for k in range(min(4 * threads, len(reactions))):
            waiting.append(pool.submit(_make, reactions[k]))
        for k in range(len(reactions)):
            future = waiting.popleft()
            while True:
                progress(k / len(reactions), message)
                try:
                    made = future.result(timeout=0.05)
                    break
                except Waiting:
                    continue
            ahead = k + 4 * threads
            if ahead < len(reactions):
                waiting.append(pool.submit(_make, reactions[ahead]))
            yield made
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        del silence


def _failed(why: str) -> _Made:
    return _Made(np.zeros(0, np.uint8), np.zeros((0, 3)), np.nan, np.nan, why)


def _make(reaction: str) -> _Made:
    from rdkit import Chem

    if reaction.count(">") != 2:
        return _failed("not a reaction (reactants>>products)")
    reactants, _, products = reaction.split(">")
    if len(reaction) > 5000 or not reactants or not reaction.isascii():
        return _failed("no reactants that can be used")
    parameters: Any = Chem.SmilesParserParams()
    parameters.removeHs = False
    try:
        mol: Any = Chem.MolFromSmiles(reactants, parameters)
        if mol is None:
            return _failed("the reactants are not valid SMILES")
        if "[H" not in reactants or not any(a.GetAtomMapNum() for a in mol.GetAtoms()):
            mol = Chem.AddHs(mol)
        if not 0 < mol.GetNumAtoms() <= MOST_ATOMS or any(a.GetAtomicNum() == 0 for a in mol.GetAtoms()):
            return _failed(f"it has placeholders, no atoms, or more than {MOST_ATOMS}")
        mol, warning = _embedded(mol)
    except (ValueError, RuntimeError) as error:
        return _failed(str(error).splitlines()[0] if str(error) else "failed")
    maps = [a.GetAtomMapNum() for a in mol.GetAtoms()]
    order = np.argsort(maps, kind="stable") if len(set(maps)) == len(maps) else np.arange(len(maps))
    numbers = np.array([a.GetAtomicNum() for a in mol.GetAtoms()], np.uint8)[order]
    positions = np.array(mol.GetConformer().GetPositions(), np.float64)[order]
    broken, formed = _changes(mol, products)
    return _Made(numbers, positions, broken, formed, warning=warning)


def _embedded(mol: Any) -> tuple[Any, str]:
    """The molecule with a geometry, and a warning when its stereochemistry could not be kept; ValueError if none."""
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = SEED
    parameters.maxIterations = _TRIES
    warning = ""
    if rdDistGeom.EmbedMolecule(mol, parameters) != 0 and not _embedded_freely(mol, parameters):
        warning = "its stereochemistry could not be kept in the geometry"
    part_fragments(mol)
    try:
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=500)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=500)
    except (RuntimeError, ValueError):
        pass  # the distance geometry alone is a geometry, too
    return mol, warning


def _embedded_freely(mol: Any, parameters: Any) -> bool:
    """Embed without minding the stereochemistry; whether it came out right all the same. ValueError if none.

    Fused small rings leave one arrangement and its mirror image: half of the geometries are right, the others are
    turned over.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    wanted = {a.GetIdx(): a.GetChiralTag() for a in mol.GetAtoms() if str(a.GetChiralTag()) != "CHI_UNSPECIFIED"}
    parameters.enforceChirality = False
    embedded = False
    for seed in range(SEED, SEED + _TRIES):
        parameters.randomSeed = seed
        if rdDistGeom.EmbedMolecule(mol, parameters) != 0:
            continue
        embedded = True
        found = Chem.Mol(mol)
        Chem.AssignAtomChiralTagsFromStructure(found)
        wrong = [found.GetAtomWithIdx(k).GetChiralTag() != tag for k, tag in wanted.items()]
        if all(wrong):
            conformer = mol.GetConformer()
            conformer.SetPositions(conformer.GetPositions() * [-1.0, 1.0, 1.0])
        if all(wrong) or not any(wrong):
            return True
    if not embedded:
        raise ValueError("no geometry was found")
    return False


_MAPPED = re.compile(r":\d+\]")


def _changes(mol: Any, products: str) -> tuple[float, float]:
    """How many bonds are broken and formed, by the map numbers; NaN without them."""
    from rdkit import Chem

    if not _MAPPED.search(products):
        return np.nan, np.nan
    parameters: Any = Chem.SmilesParserParams()
    parameters.removeHs = False
    parameters.sanitize = False
    other: Any = Chem.MolFromSmiles(products, parameters)
    if other is None:
        return np.nan, np.nan
    before, after = _bonds(mol), _bonds(other)
    if before is None or after is None:
        return np.nan, np.nan
    return float(len(before - after)), float(len(after - before))


def _bonds(mol: Any) -> set[tuple[int, int]] | None:
    maps = [a.GetAtomMapNum() for a in mol.GetAtoms()]
    if 0 in maps or len(set(maps)) != len(maps):
        return None
    pairs = ((maps[b.GetBeginAtomIdx()], maps[b.GetEndAtomIdx()]) for b in mol.GetBonds())
    return {(min(p), max(p)) for p in pairs}
