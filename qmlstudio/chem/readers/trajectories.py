"""Binary trajectories of molecular dynamics (XTC, TRR, DCD), read by MDTraj; elements come from a file beside them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.inputs import note
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.batches import BATCH_BYTES, collected, concatenated, local_file, plain_stem
from qmlstudio.chem.readers.builder import with_problems
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.xyz import read_xyz
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress

ENDINGS = (".xtc", ".trr", ".dcd")
HEEDS = frozenset({"every", "first"})

TOPOLOGIES = (".gro", ".pdb", ".xyz", ".extxyz", ".psf", ".prmtop", ".parm7", ".mol2")
"""Endings of files that tell the elements, in the order in which they are looked for."""

_CHUNK = 1 << 20
_XTC, _XTC_LARGE, _TRR = (n.to_bytes(4, "big") for n in (1995, 2023, 1993))
_NM = 10.0


def is_trajectory(head: bytes) -> bool:
    """Whether bytes begin as an XTC, TRR or DCD file does."""
    return kind_of(head) != ""


def kind_of(head: bytes) -> str:
    """ "xtc", "trr", "dcd", or "" for anything else."""
    if head[4:8] == b"CORD":
        return "dcd"
    if head[:4] == _TRR and b"GMX_trn_file" in head[:64]:
        return "trr"
    return "xtc" if head[:4] in (_XTC, _XTC_LARGE) and len(head) > 60 else ""


def companion(path: Path, endings: tuple[str, ...] = TOPOLOGIES) -> Path | None:
    """The file beside a trajectory that tells its elements: of the same stem, else the only such one in the folder."""
    stem = plain_stem(path.name)
    for ending in endings:
        note(path.with_name(stem + ending))
    try:
        beside = sorted(p for p in path.parent.iterdir() if p.suffix.lower() in endings and p.is_file() and p != path)
    except OSError:
        return None
    same = sorted((p for p in beside if plain_stem(p.name) == stem), key=lambda p: endings.index(p.suffix.lower()))
    if same:
        return same[0]
    return beside[0] if len(beside) == 1 else None


def topology_numbers(path: Path) -> NDArray[np.uint8]:
    """Atomic numbers (N,) of the first structure of a file; 0 for what is no element.

    Raises
    ------
    DataError
        It cannot be read.
    """
    note(path)
    if path.suffix.lower() in (".xyz", ".extxyz"):
        with ByteStream(path) as stream:
            return np.asarray(read_xyz(stream).structures[0].numbers)
    mdtraj = _mdtraj(str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            topology = mdtraj.load_topology(str(path))
        return np.array([a.element.atomic_number if a.element is not None else 0 for a in topology.atoms], np.uint8)
    except Exception as error:  # whatever MDTraj makes of a strange file
        text = f"the elements cannot be read from it: {_said(error)}"
        raise DataError(Problem(str(path), text, "write it again, or put an xyz file there")) from error


def _mdtraj(where: str) -> Any:
    try:
        import mdtraj
    except ImportError as error:
        remedy = 'pip install "qmlstudio[trajectories]"'
        raise DataError(Problem(where, "it is read by MDTraj, which is not installed", remedy)) from error
    return mdtraj


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def read_trajectory(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read an XTC, TRR or DCD file: positions, cells, times.

    The elements are those of a structure of the same atoms beside it (``md.gro``, ``md.pdb`` or ``md.xyz`` for
    ``md.xtc``).

    Raises
    ------
    DataError
        MDTraj is not installed, no file tells the elements, or no frame can be used.
    """
    return collected(trajectory_batches(stream, progress, options), str(stream.path))


def trajectory_batches(
    stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT
) -> Iterator[Dataset]:
    """The frames of a trajectory in parts, as :func:`read_trajectory`."""
    where = str(stream.path)
    kind = kind_of(stream.head(128))
    if not kind:
        raise DataError(Problem(where, "not an XTC, TRR or DCD file", "check the file"))
    _mdtraj(where)
    problems = Problems()
    beside = companion(stream.path)
    if beside is None:
        text = "a trajectory has no elements, and no file beside it tells them"
        remedy = f"put {plain_stem(stream.path.name)}.gro, .pdb or .xyz with the same atoms into its folder"
        raise DataError(Problem(where, text, remedy))
    numbers = topology_numbers(beside)
    if plain_stem(beside.name) != plain_stem(stream.path.name):
        problems.notice(where, f"the elements are those of {beside.name}, the only such file in the folder")
    if not (numbers > 0).all():
        wrong = int(np.flatnonzero(numbers == 0)[0]) + 1
        raise DataError(Problem(str(beside), f"the element of atom {wrong} is unknown", "put an xyz file there"))
    with local_file(stream, progress) as path:
        yield from with_problems(
            _parts(path, kind, numbers, beside.name, where, problems, progress, options), problems, where
        )


def _parts(
    path: Path,
    kind: str,
    numbers: NDArray[np.uint8],
    beside: str,
    where: str,
    problems: Problems,
    progress: Progress,
    options: ReadOptions,
) -> Iterator[Dataset | None]:
    size = max(path.stat().st_size, 1)
    step = max(1, _CHUNK // (12 * len(numbers)))
    source = Source(path=where, format=f"{kind.upper()}, elements from {beside}")
    name = plain_stem(Path(where).name)
    at = taken = weight = 0
    waiting: list[Dataset] = []
    chunks = _chunks(path, kind, step)
    while True:
        progress(min(at * 6.0 * len(numbers) / size, 0.99), f"Reading {Path(where).name}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chunk = next(chunks, None)
        except Exception as error:  # whatever MDTraj makes of a damaged file
            problems.add(where, f"frame {at + 1} cannot be read: {_said(error)}", "what was read before it is kept")
            break
        if chunk is None:
            break
        positions, cells, values = chunk
        if positions.shape[1] != len(numbers):
            text = f"it has {positions.shape[1]} atoms and {beside} {len(numbers)}"
            raise DataError(Problem(where, text, "put a structure of the same atoms beside it"))
        rows = np.arange(-at % options.every, len(positions), options.every)
        if options.first:
            rows = rows[: options.first - taken]
        taken += len(rows)
        if len(rows):
            data = _dataset(numbers, positions[rows], cells, values, rows, at, name, source, problems)
            if data is not None:
                waiting.append(data)
                weight += 32 * len(rows) * len(numbers)
        at += len(positions)
        if weight > BATCH_BYTES and waiting:
            yield concatenated(waiting)
            waiting, weight = [], 0
        if options.first and taken >= options.first:
            break
    yield concatenated(waiting) if waiting else None


Chunk = tuple[NDArray[np.float64], NDArray[np.float64] | None, dict[str, NDArray[np.float64]]]


def _chunks(path: Path, kind: str, step: int) -> Iterator[Chunk]:
    """Positions (n, N, 3) in Å, cells (n, 3, 3) in Å or None, and values of the frames, some frames at a time."""
    chunks = 0
    with _opened(path, kind) as file:
        while True:
            try:
                chunk = _chunk(file, kind, step)
            except Exception:
                if step == 1:
                    raise
                break
            if chunk is None:
                return
            chunks += 1
            yield chunk
            if len(chunk[0]) < step:
                return
    # a damaged frame takes those before it along: they are read again one by one
    with _opened(path, kind) as file:
        for _ in range(chunks):
            _chunk(file, kind, step)
        while (chunk := _chunk(file, kind, 1)) is not None:
            yield chunk


def _opened(path: Path, kind: str) -> Any:
    from mdtraj.formats import DCDTrajectoryFile, TRRTrajectoryFile, XTCTrajectoryFile

    return {"xtc": XTCTrajectoryFile, "trr": TRRTrajectoryFile, "dcd": DCDTrajectoryFile}[kind](str(path))


def _chunk(file: Any, kind: str, count: int) -> Chunk | None:
    found = file.read(n_frames=count)
    positions = np.asarray(found[0], np.float64)
    if not len(positions):
        return None
    if kind == "dcd":
        return positions, _from_angles(found[1], found[2]), {}
    values = {"time": np.asarray(found[1], np.float64), "step": np.asarray(found[2], np.float64)}
    if found[3] is None:
        return positions * _NM, None, values
    box = np.asarray(found[3], np.float64) * _NM
    return positions * _NM, box if box.any() else None, values


def _from_angles(lengths: Any, angles: Any) -> NDArray[np.float64] | None:
    if lengths is None or angles is None or not np.asarray(lengths).any():
        return None
    from mdtraj.utils.unitcell import lengths_and_angles_to_box_vectors as vectors

    a, b, c = vectors(*np.asarray(lengths, np.float64).T, *np.asarray(angles, np.float64).T)
    cells = np.stack([a, b, c], axis=1)
    return np.where(np.isfinite(cells), cells, 0.0)


_MEANINGS = {"time": ("ps", "time of the frame"), "step": ("", "step of the simulation")}


def _dataset(
    numbers: NDArray[np.uint8],
    positions: NDArray[np.float64],
    cells: NDArray[np.float64] | None,
    values: dict[str, NDArray[np.float64]],
    rows: NDArray[np.int64],
    at: int,
    name: str,
    source: Source,
    problems: Problems,
) -> Dataset | None:
    n, size = positions.shape[:2]
    flat = positions.reshape(-1, 3)
    bad = faults(flat, np.full(n, size))
    if bad:
        for fault in bad:
            text = f"{fault.message}, atom {fault.atom + 1}"
            problems.add(source.path, text, fault.remedy, index=int(at + rows[fault.structure]))
        good = np.ones(n, bool)
        good[[fault.structure for fault in bad]] = False
        flat, rows = flat[np.repeat(good, size)], rows[good]
        n = len(rows)
        if not n:
            return None
    structures = Structures(
        np.tile(numbers, n), flat, np.arange(0, n * size + 1, size), None if cells is None else cells[rows]
    )
    properties = {k: Property(v[rows], "structure", *_MEANINGS[k]) for k, v in values.items()}
    names = columns.text_array([str(k) for k in (at + rows + 1).tolist()])
    data = Dataset(name, structures, properties, names, source)
    return replace(data, ordered=True)


def finite_cell(cell: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The cell (3, 3), or None when it has no volume or is not finite."""
    volume = float(np.linalg.det(cell)) if np.isfinite(cell).all() else 0.0
    return cell if math.isfinite(volume) and abs(volume) > 1e-6 else None
