"""What chemistry programs read: SDF, and lines of SMILES. Bonds come from the SMILES, else from the geometry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.bonds import bonded_pairs, molecule, perceive_bonds
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.depict import assembled
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Structure
from qmlstudio.chem.writers.files import replaced
from qmlstudio.chem.writers.texts import cell_text, heading
from qmlstudio.progress import SILENT, Progress, slices

_MOST_LISTED = 100


def write_sdf(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> tuple[Problem, ...]:
    """Write an SDF file: geometry with all hydrogens, bonds, and the properties of the structures as data fields.

    The identifier is the title. Fields are ``name [unit]`` with all digits; missing values are left out, and so are
    properties of atoms. Coordinates have four decimals: the format (V2000; V3000 from 1000 atoms on) has no more.
    Bond orders and charges are those of the SMILES where that fits the geometry, else those found from the geometry.

    Returns
    -------
    tuple of Problem
        Structures that were left out: those without atoms, and those whose block cannot be written.

    Raises
    ------
    DataError
        There are crystals, for whose cell the format has no place, or the file cannot be written. An old one of that
        name is then left as it was.
    """
    from rdkit import Chem, rdBase

    path = Path(path)
    _refuse_crystals(dataset, path, "SDF")
    fields = {_field(heading(k, p)): p for k, p in dataset.per_structure.items() if p.values.ndim == 1}
    left_out = _LeftOut(path)
    with replaced(path) as file:
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=8):
            with rdBase.BlockLogs():
                for i in range(start, stop):
                    structure = dataset.structures[i]
                    smiles = "" if dataset.smiles is None else str(dataset.smiles[i])
                    mol = bonded(structure, smiles) if len(structure) else None
                    block = "" if mol is None else _block(Chem, mol, structure)
                    if not block:
                        left_out.add(i, "no atoms" if mol is None else "RDKit cannot write it")
                        continue
                    title = " ".join(str(dataset.identifiers[i]).split())
                    file.write(f"{_harmless(title)}\n{block.split(chr(10), 1)[1]}")
                    for name, p in fields.items():
                        text = cell_text(p, i)
                        if text:
                            # a blank line would end the field
                            lines = "\n".join(_harmless(line) for line in text.splitlines() if line.strip())
                            file.write(f">  <{name}>\n{lines}\n\n")
                    file.write("$$$$\n")
    return left_out.problems


def write_smiles(dataset: Dataset, path: str | Path, progress: Progress = SILENT) -> tuple[Problem, ...]:
    """Write a line ``SMILES<tab>identifier`` for each structure; SMILES as they are, else found from the geometry.

    Returns
    -------
    tuple of Problem
        Structures that were left out, since no SMILES is known of them and none can be found.

    Raises
    ------
    DataError
        There are crystals without SMILES, or the file cannot be written. An old one of that name is then left as it
        was.
    """
    path = Path(path)
    if dataset.smiles is None:
        _refuse_crystals(dataset, path, "SMILES")
    left_out = _LeftOut(path)
    with replaced(path) as file:
        for start, stop in slices(len(dataset), progress, f"Writing {path.name}", first=8):
            lines = []
            for i in range(start, stop):
                smiles = "" if dataset.smiles is None else str(dataset.smiles[i]).strip()
                smiles = smiles or perceived_smiles(dataset.structures[i])
                if smiles:
                    lines.append(f"{smiles}\t{' '.join(str(dataset.identifiers[i]).split())}\n")
                else:
                    left_out.add(i, "no SMILES is known, and none follows from the geometry")
            file.writelines(lines)
    return left_out.problems


def perceived_smiles(structure: Structure) -> str:
    """The canonical SMILES of a molecule from its geometry, stereo included; "" where none makes sense of it."""
    from rdkit import Chem, rdBase

    if structure.cell is not None or not len(structure):
        return ""
    with rdBase.BlockLogs():
        try:
            mol = _sound(structure)
            if mol is None:
                return ""
            _place(Chem, mol, structure)
            Chem.AssignStereochemistryFrom3D(mol)
            return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))
        except (ValueError, RuntimeError):
            return ""


def bonded(structure: Structure, smiles: str = "") -> Any:
    """The RDKit molecule of a structure, atom by atom in its order, hydrogens included; without coordinates.

    Orders and charges are those of `smiles` if its atoms are bonded as the geometry's are; else those found from the
    geometry, which may make no chemical sense (several molecules, metals).
    """
    from rdkit import Chem

    wanted = Chem.MolFromSmiles(smiles) if smiles else None
    if wanted is not None:
        fitted = _fitted(Chem, structure, bonded_pairs(structure.numbers, structure.positions), wanted)
        if fitted is not None:
            return fitted
    bonds = perceive_bonds(structure.numbers, structure.positions)
    sound = _sound(structure, bonds)
    if sound is not None:
        return sound
    return assembled(np.asarray(structure.numbers), bonds.pairs, bonds.orders.tobytes())


def _sound(structure: Structure, bonds: Any = None) -> Any:
    """A copy of the sanitised molecule; None when no bond orders make sense of it."""
    from rdkit import Chem

    found = perceive_bonds(structure.numbers, structure.positions) if bonds is None else bonds
    numbers = np.ascontiguousarray(structure.numbers, np.uint8).tobytes()
    mol = molecule(numbers, np.ascontiguousarray(found.pairs, np.int32).tobytes())[1]
    return None if mol is None else Chem.Mol(mol)


def _fitted(chem: Any, structure: Structure, pairs: NDArray[np.int32], wanted: Any) -> Any:
    """The molecule of a SMILES with its atoms in the order of the geometry; None when the bonds are others.

    The graphs of the heavy atoms are laid upon each other, each atom labelled with its number of hydrogens: laying all
    hydrogens upon each other would take their permutations.
    """
    numbers = np.asarray(structure.numbers)
    whole = chem.AddHs(wanted)
    if whole.GetNumAtoms() != len(numbers) or whole.GetNumBonds() != len(pairs):
        return None
    hydrogen = numbers == 1
    one_heavy = hydrogen[pairs].sum(axis=1)
    hanging = pairs[one_heavy == 1]
    if (one_heavy == 2).any() or len(hanging) != hydrogen.sum():
        return None  # hydrogen molecules, bridges
    parents = np.where(hydrogen[hanging[:, 0]], hanging[:, 1], hanging[:, 0])
    children = np.where(hydrogen[hanging[:, 0]], hanging[:, 0], hanging[:, 1])
    if len(np.unique(children)) != len(children):
        return None
    heavy = np.flatnonzero(~hydrogen)
    rank = np.cumsum(~hydrogen) - 1
    carried = np.bincount(parents, minlength=len(numbers))
    skeleton = [(int(rank[i]), int(rank[j])) for i, j in pairs[one_heavy == 0]]
    there = _graph(chem, [(int(numbers[i]), int(carried[i])) for i in heavy], skeleton)
    bare = [a for a in whole.GetAtoms() if a.GetAtomicNum() != 1]
    seat = {a.GetIdx(): k for k, a in enumerate(bare)}
    owned = [[n.GetIdx() for n in a.GetNeighbors() if n.GetAtomicNum() == 1] for a in bare]
    ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in whole.GetBonds()]
    bonds = [(seat[i], seat[j]) for i, j in ends if i in seat and j in seat]
    labels = [(a.GetAtomicNum(), len(h)) for a, h in zip(bare, owned, strict=True)]
    if len(bare) != len(heavy) or sorted(labels) != sorted((int(numbers[i]), int(carried[i])) for i in heavy):
        return None
    match = there.GetSubstructMatch(_graph(chem, labels, bonds))
    if len(match) != len(heavy):
        return None
    order = np.full(len(numbers), -1)
    for k, place in enumerate(match):
        order[heavy[place]] = bare[k].GetIdx()
        order[children[parents == heavy[place]]] = owned[k]
    fitted = chem.RenumberAtoms(whole, order.tolist())
    chem.RemoveStereochemistry(fitted)  # the geometry has it
    return fitted


def _graph(chem: Any, labels: list[tuple[int, int]], bonds: list[tuple[int, int]]) -> Any:
    """A molecule of single bonds whose atoms bear their number of hydrogens as an isotope, plus one."""
    mol = chem.RWMol()
    for number, hydrogens in labels:
        atom = chem.Atom(number)
        atom.SetIsotope(hydrogens + 1)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(i, j, chem.BondType.SINGLE)
    mol.UpdatePropertyCache(strict=False)
    return mol


def _place(chem: Any, mol: Any, structure: Structure) -> None:
    conformer = chem.Conformer(len(structure))
    conformer.Set3D(True)
    for k, row in enumerate(structure.positions.tolist()):
        conformer.SetAtomPosition(k, row)
    mol.RemoveAllConformers()
    mol.AddConformer(conformer)


def _block(chem: Any, mol: Any, structure: Structure) -> str:
    """The record's connection table; "" when RDKit refuses."""
    _place(chem, mol, structure)
    for kekulize in (True, False):
        try:
            return str(chem.MolToMolBlock(mol, includeStereo=True, kekulize=kekulize))
        except (ValueError, RuntimeError):
            continue
    return ""


def _harmless(line: str) -> str:
    """A line that nobody takes for the end of the record or the head of a field."""
    return f" {line}" if line.startswith(("$$$$", ">")) else line


def _field(name: str) -> str:
    return re.sub(r"[<>\s]+", " ", name).strip() or "value"


def _refuse_crystals(dataset: Dataset, path: Path, form: str) -> None:
    cells = dataset.structures.cells
    if cells is not None and cells.any():
        raise DataError(
            Problem(str(path), f"{form} has no place for the cell of a crystal", "write extended xyz or npz")
        )


class _LeftOut:
    """What could not be written: the first hundred by name, the others by number."""

    def __init__(self, path: Path) -> None:
        self._where = str(path)
        self._listed: list[Problem] = []
        self._count = 0

    def add(self, index: int, why: str) -> None:
        """Structure `index` was left out."""
        self._count += 1
        if len(self._listed) < _MOST_LISTED:
            self._listed.append(Problem(self._where, f"left out: {why}", "write extended xyz or npz", index=index))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One for each structure, at most a hundred and one that counts the rest."""
        more = self._count - len(self._listed)
        rest = [Problem(self._where, f"{more:,} more structures were left out")] if more else []
        return (*self._listed, *rest)
