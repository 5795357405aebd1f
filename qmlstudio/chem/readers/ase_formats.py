"""Files of other programs that ASE reads: databases, trajectories, crystals, outputs of electronic-structure codes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.batches import collected, local_file, plain_stem
from qmlstudio.chem.readers.builder import Builder, with_problems
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Cancelled, Progress

HEEDS = frozenset({"every", "first"})

_BINARY: tuple[tuple[bytes, str], ...] = ((b"- of UlmASE-Trajectory", "traj"), (b"SQLite format 3\0", "db"))
_SIGNS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), form)
    for pattern, form in (
        (rb"^\s*<modeling>", "vasp-xml"),
        (rb"\A\s*vasp\.\d", "vasp-out"),
        (rb"^Direct configuration=", "vasp-xdatcar"),
        (rb"Invoking FHI-aims", "aims-output"),
        (rb"Entering Gaussian System|Entering Link 1 =", "gaussian-out"),
        (rb"^\s+\* O   R   C   A \*", "orca-output"),
        (rb"Program PWSCF v", "espresso-out"),
        (rb"Northwest Computational Chemistry Package", "nwchem-out"),
        (rb"^\s*(?:PRIMVEC|ANIMSTEPS)\b", "xsf"),
        (rb"^(?:ATOM  |HETATM)[ \d*A-Za-z]{5}.{19}.{0,4}-?\d+\.\d{2,3}", "proteindatabank"),
        (rb"\ANumber of particles\s*=", "cfg"),
        (rb"\ATITL[ \t]", "res"),
        (rb'\A\{"\d+": \{\s*"(?:cell|calculator|charges|constraints|ctime|dipole)":', "json"),
    )
)
_NAMES: tuple[tuple[str, str], ...] = (
    (".traj", "traj"),
    (".db", "db"),
    (".cube", "cube"),
    (".cub", "cube"),
    (".gen", "gen"),
    (".xsf", "xsf"),
    (".pdb", "proteindatabank"),
    (".ent", "proteindatabank"),
    (".gro", "gromacs"),
    (".g96", "gromos"),
    (".res", "res"),
    (".shelx", "res"),
    (".cfg", "cfg"),
    (".xsd", "xsd"),
    ("vasprun.xml", "vasp-xml"),
    ("outcar", "vasp-out"),
    ("xdatcar", "vasp-xdatcar"),
    ("geometry.in", "aims"),
    ("aims.out", "aims-output"),
    (".castep", "castep-castep"),
    (".gjf", "gaussian-in"),
    (".pwi", "espresso-in"),
    (".pwo", "espresso-out"),
    (".nwi", "nwchem-in"),
    (".nwo", "nwchem-out"),
    (".rmc6f", "rmc6f"),
    (".lammps-data", "lammps-data"),
)
BINARY_ENDINGS = (".traj", ".db")
ENDINGS = tuple(ending for ending, _ in _NAMES if ending not in BINARY_ENDINGS)

_MEANINGS: dict[str, tuple[str, str]] = {
    "energy": ("eV", "total energy"),
    "free_energy": ("eV", "free energy"),
    "forces": ("eV/Å", "forces"),
    "stress": ("eV/Å³", "stress"),
    "dipole": ("e·Å", "dipole moment"),
    "charges": ("e", "atomic charges"),
    "magmom": ("μB", "magnetic moment"),
    "magmoms": ("μB", "atomic magnetic moments"),
    "energies": ("eV", "energies of the atoms"),
    "initial_charges": ("e", "charges given to the program"),
    "initial_magmoms": ("μB", "magnetic moments given to the program"),
}
_DATABASES = ("db", "json")
_SKIPPED = {"numbers", "positions", "key_value_pairs", "data", "unique_id", "spacegroup"}
_REMEDY = "check that the program ended well, or write the structures as extended xyz"


def is_ase_binary(head: bytes) -> bool:
    """Whether bytes begin as an ASE trajectory or database does."""
    return any(head.startswith(magic) for magic, _ in _BINARY)


def is_ase_text(head: bytes) -> bool:
    """Whether text bears the signs of a program whose files ASE reads."""
    return any(sign.search(head) for sign, _ in _SIGNS)


def form_of(head: bytes, name: str) -> str:
    """What ASE calls the format of a file, by its content, then by its name; "" when neither tells."""
    for magic, form in _BINARY:
        if head.startswith(magic):
            return form
    low = name.lower()
    for ending in (".gz", ".bz2", ".xz"):
        low = low.removesuffix(ending)
    named = next((form for ending, form in _NAMES if low.endswith(ending)), "")
    return next((form for sign, form in _SIGNS if sign.search(head)), named)


def read_ase(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read all structures of a file of a format that ASE knows, with energies (eV), forces (eV/Å) and what else it has.

    Raises
    ------
    DataError
        ASE cannot read it, or none of its structures can be used.
    """
    return collected(ase_batches(stream, progress, options), str(stream.path))


def ase_batches(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Iterator[Dataset]:
    """The structures of a file in parts, as :func:`read_ase`."""
    where = str(stream.path)
    form = form_of(stream.head(1 << 14), stream.path.name)
    if not form:
        raise DataError(Problem(where, "neither its name nor its content tells what it is", "rename it"))
    problems = Problems()
    source = Source(path=where, format=f"{form}, read by ASE")
    builder = Builder(plain_stem(stream.path.name), source, problems, _MEANINGS, form not in _DATABASES)
    with local_file(stream, progress) as path:
        yield from with_problems(_parts(path, form, builder, where, progress, options), problems, where)


def _parts(
    path: Path, form: str, builder: Builder, where: str, progress: Progress, options: ReadOptions
) -> Iterator[Dataset | None]:
    count = taken = 0
    message = f"Reading {Path(where).name}"
    frames = _frames(path, form, progress, message)
    while True:
        progress.check()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about cells, elements and units that files lack
                atoms = next(frames, None)
        except Cancelled:
            raise
        except Exception as error:  # whatever ASE makes of a strange file
            said = str(error).strip().splitlines()
            why = said[0][:200] if said else type(error).__name__
            text = f"ASE cannot read {'on' if count else 'it'} as {form}: {why}"
            builder.problems.add(where, text, _REMEDY)
            break
        if atoms is None:
            break
        if count % options.every == 0:
            _add(builder, atoms, count)
            taken += 1
        count += 1
        if builder.is_full:
            yield builder.take()
        if options.first and taken >= options.first:
            break
    yield builder.take()


def _frames(path: Path, form: str, progress: Progress, message: str) -> Iterator[Any]:
    import ase.io
    from ase.io.formats import ioformats

    if form in _DATABASES:
        yield from _rows(path, form)
        return
    kind = ioformats[form]
    if not kind.acceptsfd or kind.isbinary:
        # a name with "@" would be taken for a name and an index
        yield from ase.io.iread(str(path), index=":", format=form, do_not_split_by_at_sign=True)
        return
    with path.open("rb", buffering=0) as raw, _text(raw, path.stat().st_size, progress, message) as file:
        yield from ase.io.iread(file, index=":", format=form)


def _rows(path: Path, form: str) -> Iterator[Any]:
    """The structures of a database with the keys of their rows."""
    import ase.db

    with ase.db.connect(str(path), type=form) as rows:
        for row in rows.select():
            yield row.toatoms(add_additional_information=True)


class _Watched(io.RawIOBase):
    """A file that reports how far it was read, so that whoever reads it can be cancelled."""

    def __init__(self, raw: io.FileIO, size: int, progress: Progress, message: str) -> None:
        self._raw, self._size = raw, max(size, 1)
        self._progress, self._message = progress, message

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        self._progress(self._raw.tell() / self._size, self._message)
        return self._raw.readinto(buffer) or 0


def _text(raw: io.FileIO, size: int, progress: Progress, message: str) -> IO[str]:
    watched = io.BufferedReader(_Watched(raw, size, progress, message), 1 << 16)
    return io.TextIOWrapper(watched, encoding="utf-8", errors="replace")


def _add(builder: Builder, atoms: Any, index: int) -> None:
    """Hand one structure on with whatever of its values are numbers or texts."""
    size = len(atoms)
    values: dict[str, Any] = {}
    columns: dict[str, NDArray[Any]] = {}
    info = {**atoms.info, **(atoms.info.get("key_value_pairs") or {})}
    name = info.pop("name", "")
    for key, value in info.items():
        if key not in _SKIPPED and (kept := _value(value)) is not None:
            values[str(key)] = kept
    for key, array in atoms.arrays.items():
        if key not in _SKIPPED and (column := _atom_values(array, size)) is not None:
            columns[key] = column
    for key, value in (getattr(atoms.calc, "results", None) or {}).items():
        if key in ("forces", "charges", "magmoms", "energies") and (column := _atom_values(value, size)) is not None:
            columns[key] = column
        elif key in _MEANINGS and key not in columns and (kept := _value(value)) is not None:
            values[key] = kept
    cell = np.asarray(atoms.cell.array, np.float64)
    box = cell if atoms.pbc.any() and np.isfinite(cell).all() and abs(np.linalg.det(cell)) > 1e-6 else None
    shown = name if isinstance(name, str) else ""
    builder.add(atoms.numbers, atoms.positions, box, values, columns, index, shown)


def _value(value: Any) -> Any:
    """A number, a text or a row of at most nine numbers; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    if isinstance(value, np.ndarray | list | tuple):
        try:
            row = np.asarray(value, np.float64).reshape(-1)
        except (ValueError, TypeError):
            return None
        return row if 1 < len(row) <= 9 else float(row[0]) if len(row) == 1 else None
    return None


def _atom_values(value: Any, size: int) -> NDArray[Any] | None:
    array = np.asarray(value)
    if array.dtype.kind == "U" and array.shape == (size,):
        return array
    if array.dtype.kind in "biuf" and array.shape in ((size,), (size, 1), (size, 3)):
        rows = array.astype(np.float64)
        return rows[:, 0] if rows.shape == (size, 1) else rows
    return None
