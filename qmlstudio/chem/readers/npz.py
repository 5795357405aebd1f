"""NumPy archives of trajectories: sGDML/MD17 (E, F, R, z) and rMD17 (energies, forces, coords, nuclear_charges).

Those of whole data sets (Z, R, offsets) are read by :mod:`qmlstudio.chem.readers.npz_flat`.

Units are Å, kcal/mol and kcal/mol/Å, as these data sets have them, unless the file says ``r_unit`` and ``e_unit``.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.columns import unique_name, unit_name
from qmlstudio.chem.readers.npz_flat import flat_dataset, is_flat
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import LENGTH
from qmlstudio.progress import SILENT, Progress

_SLICE = 1 << 22
_POSITIONS = ("R", "coords", "positions", "coordinates", "pos", "xyz")
_NUMBERS = ("z", "nuclear_charges", "Z", "atomic_numbers", "numbers", "species", "charges")
_NAMES = {"E": "energy", "energies": "energy", "F": "forces", "old_energies": "old_energy", "old_indices": "old_index"}
_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    SyntaxError,
)


def read_npz(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a trajectory or a set of molecules of equal (or zero-padded) size.

    Numbers are (N,) or (n, N), positions (n, N, 3) or (N, 3). Every other array with one entry for each structure
    or atom becomes a property.

    Raises
    ------
    DataError
        Not such an archive, or no structure can be used.
    """
    where = str(stream.path)
    problems = Problems()
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(stream.path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            total = sum(m.file_size for m in members) or 1
            done = 0
            for member in members:
                key = member.filename.removesuffix(".npy")
                part = progress.part(done / total, (done + member.file_size) / total)
                try:
                    arrays[key] = _array(archive, member, part, f"Reading {stream.path.name}")
                except _ERRORS as error:
                    problems.add(where, f"array {key!r}: {error}", "save it again with numpy.savez, without objects")
                done += member.file_size
    except _ERRORS as error:
        remedy = "copy or download it again"
        raise DataError(Problem(where, f"the archive is damaged: {error}", remedy), problems.listed(where)) from error
    if is_flat(arrays):
        return flat_dataset(arrays, where, stream.path.name, problems)
    numbers = next((arrays[k] for k in _NUMBERS if k in arrays and arrays[k].dtype.kind in "iuf"), None)
    positions = next((arrays[k] for k in _POSITIONS if k in arrays and arrays[k].dtype.kind in "iuf"), None)
    if numbers is None or positions is None or positions.ndim not in (2, 3) or positions.shape[-1] != 3:
        text = f"no arrays of atomic numbers (z) and coordinates (R); it has {', '.join(arrays) or 'none'}"
        remedy = "name them as sGDML (z, R, E, F) or rMD17 (nuclear_charges, coords, energies, forces) does"
        raise DataError(Problem(where, text, remedy), problems.listed(where))
    return _dataset(arrays, numbers, positions, stream, problems)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, progress: Progress, message: str) -> NDArray[Any]:
    """One array, read in slices so that it can be cancelled."""
    with archive.open(member) as data:
        version = np.lib.format.read_magic(data)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(data)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(data)
        else:
            raise ValueError(f"unknown version {version}")
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not read for safety")
        size = math.prod(shape) * dtype.itemsize
        if size > member.file_size:
            raise ValueError(f"{size} bytes are announced, {member.file_size} are there")
        raw = bytearray(size)
        view = memoryview(raw)
        at = 0
        while at < size:
            progress(at / size, message)
            chunk = data.read(min(_SLICE, size - at))
            if not chunk:
                raise ValueError("it breaks off")
            view[at : at + len(chunk)] = chunk
            at += len(chunk)
    array = np.frombuffer(raw, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _text(arrays: dict[str, NDArray[Any]], key: str) -> str:
    array = arrays.get(key)
    if array is None or array.size != 1 or array.dtype.kind not in "US":
        return ""
    value = array.reshape(-1)[0]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _dataset(
    arrays: dict[str, NDArray[Any]],
    numbers: NDArray[Any],
    positions: NDArray[Any],
    stream: ByteStream,
    problems: Problems,
) -> Dataset:
    where = str(stream.path)
    length = unit_name(_text(arrays, "r_unit") or "Å")
    energy = unit_name(_text(arrays, "e_unit") or "kcal/mol")
    if length not in LENGTH:
        raise DataError(Problem(where, f"r_unit {length!r} is no unit of length", f"use one of {', '.join(LENGTH)}"))
    positions = positions.reshape(-1, *positions.shape[-2:])
    n, size = positions.shape[:2]
    if numbers.shape not in ((size,), (n, size), (1, size)):
        text = f"numbers of shape {numbers.shape} do not belong to coordinates of shape {positions.shape}"
        raise DataError(Problem(where, text, "both need the same number of atoms"))
    z = np.broadcast_to(numbers, (n, size))
    whole = np.isfinite(z) & (z >= 0) & (z <= 118) & (z == np.floor(z))
    good = whole.all(axis=1) & (z > 0).any(axis=1)
    for i in np.flatnonzero(~good):
        problems.add(where, "an atomic number is no element's", "mend the array of numbers", index=int(i))
    there = z > 0  # rows of molecules smaller than the largest are filled with zeros
    full = bool(there.all())
    sizes = there.sum(axis=1)
    atoms = positions.reshape(-1, 3) if full else positions[there]
    flat = np.asarray(atoms, np.float64) * (LENGTH[length] if length != "Å" else 1.0)
    for fault in faults(flat, sizes):
        if good[fault.structure]:
            problems.add(where, f"{fault.message}, atom {fault.atom + 1}", fault.remedy, index=fault.structure)
        good[fault.structure] = False
    if not good.any():
        problems.raise_first(where)
    kept = np.flatnonzero(good)
    keep_atoms = np.repeat(good, sizes)
    offsets = np.concatenate([[0], np.cumsum(sizes[good])]).astype(np.int64)
    all_numbers = z.reshape(-1) if full else z[there]
    if good.all():
        keep_atoms = slice(None)  # type: ignore[assignment]
    structures = Structures(all_numbers[keep_atoms].astype(np.uint8), flat[keep_atoms], offsets)
    properties: dict[str, Property] = {}
    for key, array in arrays.items():
        if (
            array is numbers
            or key in _POSITIONS
            or key in _NUMBERS
            or array.dtype.kind not in "biufUS"
            or not array.ndim
        ):
            continue
        name, unit = _meaning(key, energy, length)
        name = unique_name(name, properties)
        if array.dtype.kind == "S":
            array = np.char.decode(array, "latin-1")
        if array.shape in ((n,), (n, 1)):
            properties[name] = Property(array.reshape(n)[kept], "structure", unit)
        elif (
            array.dtype.kind in "biuf"
            and array.shape in ((n, size), (n, size, 3))
            and not ("dipole" in key and array.ndim == 2)
        ):
            rows = array.reshape(n * size, *array.shape[2:])
            rows = rows if full else rows[there.reshape(-1)]
            properties[name] = Property(np.ascontiguousarray(rows[keep_atoms]), "atom", unit)
        elif array.dtype.kind in "biuf" and array.ndim == 2 and len(array) == n and 1 < array.shape[1] <= 9:
            for j in range(array.shape[1]):
                ending = "xyz"[j] if array.shape[1] == 3 else str(j + 1)
                properties[unique_name(f"{name}_{ending}", properties)] = Property(array[kept, j], "structure", unit)
    identifiers = np.array([str(i + 1) for i in kept], dtype=np.str_)
    style = "rMD17 npz" if "nuclear_charges" in arrays else "sGDML npz" if "R" in arrays else "npz"
    source = Source(path=where, format=style, reference=_text(arrays, "theory"))
    name = _text(arrays, "name") or stem_of(stream.path.name)
    listed = problems.listed(where)
    return Dataset(name, structures, properties, identifiers, source, listed, ordered=structures.is_uniform)


def _meaning(key: str, energy: str, length: str) -> tuple[str, str]:
    """Name and unit of an array."""
    name = _NAMES.get(key, key)
    if name in ("energy", "old_energy"):
        return name, energy
    if name in ("forces", "old_forces"):
        return name, f"{energy}/{length}"
    return name, ""
