"""SDF and MOL files: geometries as they stand there, data fields as properties."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.readers.gather import Gatherer
from qmlstudio.chem.readers.geometries import embed
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream, line_blocks
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.progress import SILENT, Progress

_FIELD = re.compile(r"^>[^<]*<([^>]{1,200})>")


def _records(stream: ByteStream, progress: Progress, message: str) -> Iterator[tuple[int, list[str]]]:
    """First line number (1-based) and lines of each record; the ``$$$$`` line is left out."""
    record: list[str] = []
    first = number = 1
    for lines in line_blocks(stream):
        progress(stream.fraction(), message)
        for line in lines:
            if line.startswith("$$$$"):
                yield first, record
                record, first = [], number + 1
            else:
                record.append(line)
            number += 1
    if any(line.strip() for line in record):
        yield first, record


def read_sdf(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read an SDF or MOL file.

    Coordinates are taken as they are; a drawing (2D) gets hydrogens and a geometry by ETKDG and MMFF94 instead.

    Raises
    ------
    DataError
        No molecule of the file can be used.
    """
    from rdkit import rdBase

    gathered = Gatherer(str(stream.path))
    message = f"Reading {stream.path.name}"
    progress(0.0, message)
    drawn = False
    for index, (line, record) in enumerate(_records(stream, progress, message)):
        if not any(text.strip() for text in record):
            continue
        if index % 16 == 0:
            progress(stream.fraction(), message)
        with rdBase.BlockLogs():
            try:
                drawn |= _take(record, line, index, gathered, progress)
            except (ValueError, RuntimeError) as error:
                text = str(error).splitlines()[0] if str(error) else "the molecule cannot be read"
                gathered.problems.add(gathered.where, text, "mend or delete the record", line, index)
        for more in [k for k, text in enumerate(record) if text.startswith("M  END")][1:]:
            text = "a second molecule stands in the record and is left out"
            gathered.problems.add(gathered.where, text, 'put "$$$$" on a line before it', line + more, index)
    gathered.problems.append(stream.damage_problem())
    form = "SDF, drawings made three-dimensional by ETKDGv3 and MMFF94 (UFF)" if drawn else "SDF"
    return gathered.dataset(stem_of(stream.path.name), Source(path=gathered.where, format=form), ("smiles",))


def _take(record: list[str], line: int, index: int, gathered: Gatherer, progress: Progress) -> bool:
    """Add one record; True when its geometry had to be made. ValueError with the reason when it is of no use."""
    from rdkit import Chem

    end = next((k + 1 for k, text in enumerate(record) if text.startswith("M  END")), None)
    if end is None:
        raise ValueError('the molecule breaks off ("M  END" is missing)')
    mol = Chem.MolFromMolBlock("\n".join(record[:end]) + "\n", sanitize=False, removeHs=False, strictParsing=False)
    if mol is None or mol.GetNumConformers() == 0:
        raise ValueError("RDKit cannot read the molecule")
    if mol.GetNumAtoms() == 0:
        raise ValueError("a molecule without atoms")
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()], np.int64)
    if (numbers == 0).any():
        k = int(np.argmin(numbers))
        raise ValueError(f"unknown element {mol.GetAtomWithIdx(k).GetSymbol()!r} (atom {k + 1})")
    positions = np.array(mol.GetConformer().GetPositions(), np.float64)
    smiles, missing = "", 0
    try:
        clean = Chem.Mol(mol)
        Chem.SanitizeMol(clean)
        missing = sum(atom.GetTotalNumHs() for atom in clean.GetAtoms())
        if not mol.GetConformer().Is3D():
            Chem.AssignChiralTypesFromBondDirs(clean)
        else:
            Chem.AssignStereochemistryFrom3D(clean)
        smiles = Chem.MolToSmiles(Chem.RemoveHs(clean))
    except (ValueError, RuntimeError):
        clean = None
    header = record[1][20:22] if len(record) > 1 else ""
    flat = not mol.GetConformer().Is3D() and len(numbers) > 1
    drawn = flat and header != "3D" and (header == "2D" or missing > 0)
    if drawn or (len(numbers) == 1 and missing > 0 and header != "3D"):
        if clean is None:
            raise ValueError("a drawing (2D) with wrong valences: no geometry can be made")
        progress.check()
        made, positions = embed(clean)
        numbers, drawn = made.astype(np.int64), True
    title = record[0].strip()
    fields = _fields(record[end:])
    # a SMILES of the file's own says how its people write it
    values = fields if "smiles" in fields or not smiles else {"smiles": smiles, **fields}
    gathered.add(numbers, positions, values, line, index, title)
    return drawn


def _fields(lines: list[str]) -> dict[str, str]:
    """The data fields (``>  <NAME>`` and the lines up to a blank one) of a record."""
    found: dict[str, str] = {}
    name, value = "", []  # type: str, list[str]
    for text in [*lines, ""]:
        if heading := _FIELD.match(text):
            name, value = heading[1].strip(), []
        elif name and not text.strip():
            key, k = name, 1
            while key in found:
                k += 1
                key = f"{name} ({k})"
            found[key] = "\n".join(value)
            name = ""
        elif name:
            value.append(text.strip())
    return found
