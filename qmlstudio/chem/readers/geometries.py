"""Geometries for molecules that come as SMILES: ETKDG distance geometry and the MMFF94 force field (UFF where MMFF94
lacks parameters), or, for sets of which that would take long, their drawings with the hydrogens set on in space."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Waiting
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.progress import Progress

SEED = 42
"""Of the distance geometry: the same SMILES gives the same geometry."""

TIMEOUT = 5
"""Seconds after which the embedding of one molecule is given up."""

MOST_ATOMS = 400
"""Atoms, hydrogens included, above which a SMILES is refused: one such molecule would take minutes."""

MOST_SECONDS = 60.0
"""Estimated seconds on one core above which a set's molecules are drawn instead, unless geometries are asked for."""

MADE = "geometries by ETKDGv3 and MMFF94 (UFF)"
DRAWN = "flat drawings for geometries"

Geometry = tuple[NDArray[np.uint8], NDArray[np.float64]]

_TOO_CLOSE, _IN_ONE_PLACE = 0.6, 0.15
_LIFTS = (0.45, 0.3, 0.5, 0.35)
"""Å."""
_HEAVY = str.maketrans("", "", "".join(chr(c) for c in range(128) if chr(c) not in "BCFINOPScnops"))


@dataclass
class Row:
    """A molecule to be made: SMILES, name, further values, where it stands."""

    smiles: str
    name: str
    line: int
    values: dict[str, str] = field(default_factory=dict)


def seconds(rows: list[Row]) -> float:
    """Roughly what :func:`embed` takes for molecules of so many heavy atoms, on one core.

    Measured: 7 ms for 8 heavy atoms, 0.1 s for 22, 0.4 s for 33.
    """
    heavy = np.fromiter((len(row.smiles.translate(_HEAVY)) for row in rows), np.float64, len(rows))
    each = np.minimum(0.0075 * (heavy / 8.0) ** 2.4, TIMEOUT)
    return float(each[heavy <= MOST_ATOMS].sum())  # larger ones are refused at once


def embed(mol: Any, seed: int = SEED) -> Geometry:
    """Numbers (N,) and positions (N, 3) in Å of an RDKit molecule, hydrogens added.

    ETKDGv3 (Wang, Witek, Landrum, Riniker, J. Chem. Inf. Model. 60, 2044 (2020)), then MMFF94 or UFF.

    Raises
    ------
    ValueError
        With the reason, when no geometry can be made.
    """
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    mol = _with_hydrogens(mol)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    if hasattr(parameters, "timeout"):
        parameters.timeout = TIMEOUT
    try:
        failed = rdDistGeom.EmbedMolecule(mol, parameters) != 0
        if failed:
            parameters.useRandomCoords = True
            failed = rdDistGeom.EmbedMolecule(mol, parameters) != 0
    except (RuntimeError, ValueError):
        failed = True
    if failed:
        raise ValueError("no geometry was found")
    part_fragments(mol)
    try:
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=500)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.UFFOptimizeMolecule(mol, maxIters=500)
    except (RuntimeError, ValueError):
        pass  # the distance geometry alone is a geometry, too
    return _taken(mol)


def draw(mol: Any) -> Geometry:
    """The drawing of an RDKit molecule as numbers (N,) and positions (N, 3) in Å, hydrogens set on in space.

    A molecule of which the drawing puts two atoms in one place is embedded instead.

    Raises
    ------
    ValueError
        As :func:`embed`.
    """
    from rdkit.Chem import AddHs, rdDepictor

    _checked(mol)
    rdDepictor.Compute2DCoords(mol)
    mol.GetConformer().Set3D(True)
    drawn = AddHs(mol, addCoords=True)
    if drawn.GetNumAtoms() > MOST_ATOMS:
        raise ValueError(f"{drawn.GetNumAtoms()} atoms are too many (at most {MOST_ATOMS})")
    numbers, positions = _taken(drawn)
    for lift in _LIFTS:
        if not len(close := _close(positions, _TOO_CLOSE)):
            return numbers, positions
        # what lies upon each other on paper is lifted apart
        positions[close[0], 2] += lift
        positions[close[1], 2] -= lift
    return (numbers, positions) if not len(_close(positions, _IN_ONE_PLACE)) else embed(mol)


def _close(positions: NDArray[np.float64], limit: float) -> NDArray[np.int64]:
    """(2, k) pairs of atoms nearer than `limit`, the earlier atom first; empty when there is none."""
    squares = (positions * positions).sum(axis=1)
    apart = squares[:, None] + squares - 2.0 * positions @ positions.T
    apart[np.tril_indices(len(apart))] = np.inf
    found = np.argwhere(~(apart > limit * limit))
    return found.T if len(found) else np.zeros(0, np.int64)


def _checked(mol: Any) -> None:
    if mol.GetNumAtoms() == 0:
        raise ValueError("no atoms")
    if any(atom.GetAtomicNum() == 0 for atom in mol.GetAtoms()):
        raise ValueError("it has a placeholder (*) for an atom")


def _with_hydrogens(mol: Any) -> Any:
    from rdkit import Chem

    _checked(mol)
    mol = Chem.AddHs(mol)
    if mol.GetNumAtoms() > MOST_ATOMS:
        raise ValueError(f"{mol.GetNumAtoms()} atoms are too many (at most {MOST_ATOMS})")
    return mol


def _taken(mol: Any) -> Geometry:
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], np.uint8)
    return numbers, np.array(mol.GetConformer().GetPositions(), np.float64)


def part_fragments(mol: Any) -> None:
    """Put the molecules of a salt or complex side by side, 2.5 Å apart: they are embedded in one place."""
    from rdkit import Chem

    fragments = Chem.GetMolFrags(mol)
    if len(fragments) < 2:
        return
    conformer = mol.GetConformer()
    positions = np.array(conformer.GetPositions())
    edge = 0.0
    for atoms in fragments:
        own = positions[list(atoms)]
        own = own - own.mean(axis=0)
        own[:, 0] += edge - own[:, 0].min()
        edge = own[:, 0].max() + 2.5
        for atom, (x, y, z) in zip(atoms, own.tolist(), strict=True):
            conformer.SetAtomPosition(atom, (x, y, z))


def parses(smiles: str) -> bool:
    """Whether RDKit reads the text as SMILES of at least one atom."""
    from rdkit import Chem, rdBase

    if not _may_parse(smiles):
        return False
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
    return mol is not None and mol.GetNumAtoms() > 0


def _may_parse(smiles: str) -> bool:
    return bool(smiles) and len(smiles) <= 5000 and smiles.isascii()


def _geometry(make: Callable[[Any], Geometry], smiles: str) -> Geometry | str:
    """The geometry, or why there is none."""
    from rdkit import Chem

    try:
        mol = Chem.MolFromSmiles(smiles) if _may_parse(smiles) else None
        if mol is None:
            raise ValueError("not a valid SMILES")
        return make(mol)
    except (ValueError, RuntimeError) as error:
        return f"{smiles[:60]}: {str(error).splitlines()[0] if str(error) else 'failed'}"


def build(rows: list[Row], gathered: Gatherer, progress: Progress, options: ReadOptions = DEFAULT) -> str:
    """Make the geometries of `rows`; failures become problems of `gathered`.

    Parameters
    ----------
    options : ReadOptions
        `geometry` says which; by itself, sets that would take longer than :data:`MOST_SECONDS` are drawn, and
        `gathered` notes it.

    Returns
    -------
    str
        How they were made, for the description of the source.
    """
    from rdkit import rdBase

    flat = options.geometry == "2d"
    if not options.geometry and (estimate := seconds(rows)) > MOST_SECONDS:
        flat = True
        text = (
            f"geometries are flat drawings: making {len(rows):,} in space takes about {max(estimate / 60, 1):,.0f} min"
        )
        gathered.problems.notice(gathered.where, text, "open it with #geometry=3d behind its name to make them")
    with rdBase.BlockLogs():  # the logs would go to the terminal
        (_draw if flat else _embed)(rows, gathered, progress)
    return DRAWN if flat else MADE


def _take(rows: list[Row], index: int, made: Geometry | str, gathered: Gatherer) -> None:
    row = rows[index]
    if isinstance(made, str):
        remedy = "check the SMILES, or give the molecule with coordinates (SDF, xyz)"
        gathered.problems.add(gathered.where, made, remedy, row.line, index)
    else:
        gathered.add(*made, {"smiles": row.smiles, **row.values}, row.line, index, row.name)


def _draw(rows: list[Row], gathered: Gatherer, progress: Progress) -> None:
    for index, row in enumerate(rows):
        if index % 8 == 0:
            progress(index / len(rows), "Drawing molecules")
        _take(rows, index, _geometry(draw, row.smiles), gathered)


def _embed(rows: list[Row], gathered: Gatherer, progress: Progress) -> None:
    """In threads, since RDKit lets others run while it embeds: a cancel need not wait for a slow molecule either."""
    threads = min(len(rows), os.cpu_count() or 1, 8)
    message = "Making geometries (ETKDG, MMFF94)"
    progress(0.0, message)
    if not rows:
        return
    pool = ThreadPoolExecutor(threads, "geometries")
    try:
        waiting: deque[Future[Geometry | str]] = deque()
        asked = 0
        for index in range(len(rows)):
            while asked < len(rows) and len(waiting) < 4 * threads:
                waiting.append(pool.submit(_geometry, embed, rows[asked].smiles))
                asked += 1
            future = waiting.popleft()
            while True:
                progress(index / len(rows), message)
                try:
                    made = future.result(timeout=0.05)
                    break
                except Waiting:
                    continue
            _take(rows, index, made, gathered)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
