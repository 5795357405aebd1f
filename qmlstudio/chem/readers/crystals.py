"""Crystals in CIF and POSCAR files, read by ASE and handed on as extended xyz."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.frames import Collector
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream, lines_of
from qmlstudio.chem.readers.xyz import Framer, finish, stem_of
from qmlstudio.progress import SILENT, Progress

CIF_ENDINGS = (".cif",)
POSCAR_ENDINGS = (".poscar", ".vasp", ".contcar")
ENDINGS = CIF_ENDINGS + POSCAR_ENDINGS
LARGEST = 1 << 26
"""Bytes above which a file is no crystal of ours."""


def is_cif(head: bytes) -> bool:
    """Whether text begins as a CIF file does: a data block, and tags of cells or atom sites."""
    return bool(re.search(rb"^data_", head, re.MULTILINE)) and (b"_cell_length_a" in head or b"_atom_site" in head)


def is_poscar(head: bytes) -> bool:
    """Whether text begins as a POSCAR does: title, scale, three rows of lattice vectors."""
    lines = lines_of(head)[1:5]
    if len(lines) < 4:
        return False
    try:
        return len([float(w) for w in lines[0].split()]) in (1, 3) and all(
            len([float(w) for w in r.split()[:3]]) == 3 for r in lines[1:]
        )
    except ValueError:
        return False


def add_crystals(collector: Collector, where: str, identifier: str, data: bytes) -> None:
    """Add the crystals of one file's content to a collector; what cannot be read becomes a problem of it."""
    cif = is_cif(data) or where.lower().endswith(CIF_ENDINGS)
    try:
        crystals = _parse(data, "cif" if cif else "vasp")
    except Exception as error:
        kind = "CIF" if cif else "POSCAR"
        said = f"{error}".strip().splitlines()[0] if f"{error}".strip() else type(error).__name__
        collector.problems.add(where, f"not a {kind} file that can be read: {said}", "check it, or write it again")
        return
    if not crystals:
        collector.problems.add(where, "there is no crystal with atoms in it", "check the file")
        return
    for number, atoms in enumerate(crystals, 1):
        name = identifier if len(crystals) == 1 else f"{identifier}:{number}"
        occupancies = atoms.info.get("occupancy") or {}
        if any(abs(sum(site.values()) - 1.0) > 1e-3 or len(site) > 1 for site in occupancies.values()):
            collector.problems.add(
                f"{where}", "sites are partly occupied: their atoms stand there as if whole", "use an ordered cell"
            )
        Framer(where, collector, name).feed(_extended_xyz(atoms), final=True)


def read_crystals(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a CIF (all its data blocks) or POSCAR file.

    Raises
    ------
    DataError
        None of its crystals can be used.
    """
    where, name = str(stream.path), stem_of(stream.path.name)
    progress(0.0, f"Reading {stream.path.name}")
    data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DataError(Problem(where, "the file is too large for a crystal", "split it into one file each"))
    collector = Collector()
    add_crystals(collector, where, name, data)
    dataset = finish(collector, name, where)
    kind = "CIF" if is_cif(data) or where.lower().endswith(CIF_ENDINGS) else "POSCAR"
    return replace(dataset, source=replace(dataset.source, format=kind))


def _parse(data: bytes, form: str) -> list[Any]:
    from ase.io import read

    text = data.decode("utf-8", errors="replace")
    with warnings.catch_warnings():
        # about space groups it does not know: the sites that are listed are taken
        warnings.simplefilter("ignore")
        found = read(io.StringIO(text), index=":", format=form)
    return [atoms for atoms in (found if isinstance(found, list) else [found]) if len(atoms)]


def _extended_xyz(atoms: Any) -> list[str]:
    """One frame's lines."""
    cell = " ".join(f"{v:.17g}" for v in np.asarray(atoms.cell).ravel())
    comment = f'Lattice="{cell}" Properties=species:S:1:pos:R:3 pbc="T T T"'
    rows = [
        f"{symbol} {x:.17g} {y:.17g} {z:.17g}"
        for symbol, (x, y, z) in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)
    ]
    return [str(len(atoms)), comment, *rows]
