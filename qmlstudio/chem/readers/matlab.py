"""MATLAB files of molecules: qm7.mat and qm7b.mat as distributed at quantum-machine.org, and others like them.

qm7.mat: X (n, 23, 23) Coulomb matrices, R (n, 23, 3) in bohr, Z (n, 23), T (1, n) atomization energies in kcal/mol,
P (5, n / 5) the five parts of cross-validation. qm7b.mat: X (n, 23, 23) and T (n, 14), no coordinates: distances follow
from the off-diagonal elements Z_i Z_j / d_ij and elements from the diagonal Z^2.4 / 2 of the matrices, geometries up to
their mirror images from the distances (classical scaling: Torgerson, Psychometrika 17, 401 (1952)).
"""

from __future__ import annotations

import io
import warnings
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.checks import Problems, faults
from qmlstudio.chem.readers.columns import unique_name
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.xyz import stem_of
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import LENGTH
from qmlstudio.progress import SILENT, Progress, slices

Floats = NDArray[np.float64]

HEEDS = frozenset({"length_unit"})
_MATRIX, _COMPRESSED = 14, 15
LARGEST = 1 << 31
"""Bytes above which a MATLAB file is refused: it is read into memory whole."""

QM7B_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("ae_pbe0", "kcal/mol", "atomization energy, PBE0"),
    ("emax_zindo", "eV", "energy of the strongest excitation, ZINDO"),
    ("imax_zindo", "", "intensity of the strongest excitation, ZINDO"),
    ("homo_zindo", "eV", "energy of the highest occupied molecular orbital, ZINDO/s"),
    ("lumo_zindo", "eV", "energy of the lowest unoccupied molecular orbital, ZINDO/s"),
    ("e1_zindo", "eV", "first excitation energy, ZINDO"),
    ("ip_zindo", "eV", "ionization potential, ZINDO/s"),
    ("ea_zindo", "eV", "electron affinity, ZINDO/s"),
    ("homo_pbe0", "eV", "energy of the highest occupied molecular orbital, PBE0"),
    ("lumo_pbe0", "eV", "energy of the lowest unoccupied molecular orbital, PBE0"),
    ("homo_gw", "eV", "energy of the highest occupied molecular orbital, GW"),
    ("lumo_gw", "eV", "energy of the lowest unoccupied molecular orbital, GW"),
    ("p_pbe0", "Å³", "isotropic polarizability, PBE0"),
    ("p_scs", "Å³", "isotropic polarizability, self-consistent screening"),
)
"""The 14 columns of T in qm7b.mat, in order (Montavon et al., New J. Phys. 15, 095003 (2013), table 1)."""

_UNITS = {name: (unit, text) for name, unit, text in QM7B_COLUMNS}
_QM7 = "Blum, Reymond, J. Am. Chem. Soc. 131, 8732 (2009); Rupp et al., Phys. Rev. Lett. 108, 058301 (2012)"
_QM7B = "Blum, Reymond, J. Am. Chem. Soc. 131, 8732 (2009); Montavon et al., New J. Phys. 15, 095003 (2013)"
_WORST_MISFIT = 0.05
"""Å; distances that no arrangement of atoms in space gives better than this make a structure unusable."""


def is_mat(head: bytes) -> bool:
    """Whether a file begins as a MATLAB 5 file does."""
    return head.startswith(b"MATLAB 5.0 MAT-file") or head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def read_mat(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a MATLAB file with coordinates R and atomic numbers Z, or with Coulomb matrices X.

    Raises
    ------
    DataError
        Not such a file, or no structure can be used.
    """
    where = str(stream.path)
    message = f"Reading {stream.path.name}"
    progress(0.0, message)
    if stream.size > LARGEST:
        raise DataError(Problem(where, "the file is too large to be read whole", "write it as HDF5 or extended xyz"))
    parts, total = [], 0
    while block := stream.read(1 << 22):
        parts.append(block)
        total += len(block)
        if total > LARGEST:
            raise DataError(Problem(where, "the file is too large to be read whole", "write it as HDF5"))
        progress(0.4 * stream.fraction(), message)
    arrays = _arrays(b"".join(parts), where)
    del parts
    problems = Problems()
    problems.append(stream.damage_problem())
    z, r, x = arrays.get("Z"), arrays.get("R"), arrays.get("X")
    n = len(z) if z is not None else len(x) if x is not None else 0
    part = progress.part(0.4, 0.95)
    if z is not None and r is not None and _is_geometry(z, r):
        scale = LENGTH[options.length_unit or "bohr"]
        numbers, sizes, positions, good = _padded(z, r, scale, where, problems)
        made = ""
    elif x is not None and x.ndim == 3 and x.shape[1] == x.shape[2] and x.shape[1] > 0:
        numbers, sizes, positions, good = _from_coulomb(x, LENGTH[options.length_unit or "bohr"], where, problems, part)
        made = "geometries from Coulomb matrices, up to mirror images"
    else:
        shapes = ", ".join(f"{k} {v.shape}" for k, v in arrays.items()) or "none"
        text = f"no coordinates R (n, N, 3) with Z (n, N), and no Coulomb matrices X (n, N, N); it has {shapes}"
        raise DataError(Problem(where, text, "name the arrays as qm7.mat does"))
    if not good.any():
        problems.raise_first(where)
    kept = np.flatnonzero(good)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    structures = Structures(numbers, positions, offsets)
    properties = _properties(arrays, n, kept, where, problems)
    reference = _QM7B if made and "T" in arrays else _QM7 if stem_of(stream.path.name).lower() == "qm7" else ""
    source = Source(where, "MATLAB file" + (f", {made}" if made else ""), reference=reference)
    names = np.array([str(i + 1) for i in kept], dtype=np.str_)
    return Dataset(stem_of(stream.path.name), structures, properties, names, source, problems.listed(where))


def _check_sizes(data: bytes, start: int, order: Literal["little", "big"], within_matrix: bool = False) -> None:
    """ValueError when an element announces more bytes than there are: SciPy would allocate them before it looks."""
    at = start
    while at + 8 <= len(data):
        kind, size = (int.from_bytes(data[at + k : at + k + 4], order) for k in (0, 4))
        if kind >> 16:  # a small element: its four bytes stand in the tag
            at += 8
            continue
        if size > len(data) - at - 8:
            raise ValueError(f"{size:,} bytes are announced where {len(data) - at - 8:,} are left")
        body = data[at + 8 : at + 8 + size] if kind in (_MATRIX, _COMPRESSED) else b""
        if kind == _COMPRESSED:
            inflated = zlib.decompressobj().decompress(body, LARGEST)
            _check_sizes(inflated, 0, order)
        elif kind == _MATRIX:
            _check_sizes(body, 0, order, True)
        at += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if within_matrix and at > len(data) + 8:
            raise ValueError("an element is longer than its matrix")


def _arrays(data: bytes, where: str) -> dict[str, NDArray[Any]]:
    """The arrays of the file by name; DataError when it cannot be read."""
    from scipy.io import loadmat as load
    from scipy.io.matlab import MatReadError

    loadmat: Any = load  # SciPy's stubs know names of files only
    errors = (MatReadError, NotImplementedError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of repeated names: the last one is taken
            _check_sizes(data, 128, "big" if data[126:128] == b"MI" else "little")
            found = loadmat(io.BytesIO(data), struct_as_record=True)
    except (*errors, OSError, MemoryError, OverflowError, zlib.error) as error:
        text = f"the MATLAB file cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        remedy = "save it with -v7 or older" if isinstance(error, NotImplementedError) else "copy or download it again"
        raise DataError(Problem(where, text, remedy)) from error
    return {k: v for k, v in found.items() if not k.startswith("__") and isinstance(v, np.ndarray)}


def _is_geometry(z: NDArray[Any], r: NDArray[Any]) -> bool:
    return z.dtype.kind in "iuf" and r.dtype.kind in "iuf" and z.ndim == 2 and r.shape == (*z.shape, 3)


def _padded(
    z: NDArray[Any], r: NDArray[Any], scale: float, where: str, problems: Problems
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Numbers, sizes and positions (Å) of the good structures of zero-padded arrays, and which are good."""
    z = np.asarray(z, np.float64)
    good = _good_numbers(z, where, problems)
    there = z > 0
    sizes = there.sum(axis=1)
    flat = np.asarray(r, np.float64)[there] * scale
    for fault in faults(flat, sizes):
        if good[fault.structure]:
            problems.add(where, f"{fault.message}, atom {fault.atom + 1}", fault.remedy, index=fault.structure)
        good[fault.structure] = False
    atoms = np.repeat(good, sizes)
    return z[there][atoms].astype(np.uint8), sizes[good], flat[atoms], good


def _good_numbers(z: Floats, where: str, problems: Problems) -> NDArray[np.bool_]:
    """Which rows are atomic numbers of elements, zeros behind them."""
    whole = np.isfinite(z) & (z >= 0) & (z <= 118) & (z == np.floor(z))
    good: NDArray[np.bool_] = np.asarray(whole.all(axis=1) & (z > 0).any(axis=1))
    for i in np.flatnonzero(~good):
        problems.add(where, "an atomic number is no element's, or there are no atoms", "mend Z", index=int(i))
    return good


def _from_coulomb(
    x: NDArray[Any], scale: float, where: str, problems: Problems, progress: Progress
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Structures whose Coulomb matrices these are; what no molecule has becomes a problem."""
    x = np.asarray(x, np.float64)
    n, width = x.shape[:2]
    diagonal = np.einsum("kii->ki", x)
    with np.errstate(invalid="ignore"):
        z = np.rint((2.0 * np.maximum(diagonal, 0.0)) ** (1.0 / 2.4))
        fits = np.abs(0.5 * z**2.4 - diagonal) <= 1e-3 * np.maximum(diagonal, 1.0)
    z = np.where(fits, z, np.nan)
    good = _good_numbers(z, where, problems)
    sizes = (z > 0).sum(axis=1)
    positions = np.zeros((n, width, 3))
    for start, stop in slices(n, progress, "Geometries from Coulomb matrices", first=64):
        for size in np.unique(sizes[start:stop]).tolist():
            rows = start + np.flatnonzero((sizes[start:stop] == size) & good[start:stop])
            if not len(rows):
                continue
            # the atoms may stand in any order, the empty rows anywhere
            order = np.argsort(~(z[rows] > 0), axis=1, kind="stable")[:, :size]
            numbers = np.take_along_axis(z[rows], order, axis=1)
            matrix = x[rows[:, None, None], order[:, :, None], order[:, None, :]]
            points, misfit = _embedded(numbers, matrix, scale)
            positions[rows[:, None], order] = points
            for i in rows[~(misfit <= _WORST_MISFIT)].tolist():
                problems.add(where, "no arrangement of atoms has this Coulomb matrix", "mend X", index=i)
                good[i] = False
    there = z > 0
    flat = positions[there]
    for fault in faults(flat, sizes):
        if good[fault.structure]:
            problems.add(where, f"{fault.message}, atom {fault.atom + 1}", fault.remedy, index=fault.structure)
        good[fault.structure] = False
    atoms = np.repeat(good, sizes)
    return z[there][atoms].astype(np.uint8), sizes[good], flat[atoms], good


def _embedded(z: Floats, matrix: Floats, scale: float) -> tuple[Floats, Floats]:
    """Positions (k, N, 3) in Å of molecules with numbers (k, N), and the worst error of their distances (k,) in Å."""
    k, size = z.shape
    if size == 1:
        return np.zeros((k, 1, 3)), np.zeros(k)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = z[:, :, None] * z[:, None, :] / matrix * scale
    distance[:, np.arange(size), np.arange(size)] = 0.0
    distance = np.where(np.isfinite(distance) & (distance >= 0), distance, 0.0)
    squares = distance**2
    gram = squares.mean(axis=1)[:, None, :] + squares.mean(axis=2)[:, :, None] - squares
    gram = 0.5 * (gram - squares.mean(axis=(1, 2))[:, None, None])
    values, vectors = np.linalg.eigh(0.5 * (gram + gram.transpose(0, 2, 1)))
    count = min(3, size)
    points = np.zeros((k, size, 3))
    points[:, :, :count] = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :])[:, :, ::-1][:, :, :count]
    found = np.linalg.norm(points[:, :, None] - points[:, None], axis=3)
    return points, np.abs(found - distance).max(axis=(1, 2))


def _properties(
    arrays: dict[str, NDArray[Any]], n: int, kept: NDArray[np.int64], where: str, problems: Problems
) -> dict[str, Property]:
    properties: dict[str, Property] = {}
    names = arrays.get("names")
    for key, array in arrays.items():
        if key in ("X", "R", "Z", "names"):
            continue
        if key == "P" and array.ndim == 2 and array.size and array.dtype.kind in "iuf":
            fold = _folds(array, n)
            if fold is not None:
                text = "part of the five-fold cross-validation, from 1"
                properties["fold"] = Property(fold[kept], description=text)
                continue
        if array.dtype.kind not in "biuf":
            continue
        columns = array.reshape(-1, 1) if array.shape in ((n,), (1, n), (n, 1)) else array
        if columns.ndim != 2 or len(columns) != n or columns.shape[1] > 64:
            problems.add(where, f"array {key!r} of shape {array.shape} fits no structures", "it is left out")
            continue
        for j, (name, unit, text) in enumerate(_headings(key, columns.shape[1], names, "Z" in arrays)):
            properties[unique_name(name, properties)] = Property(
                columns[kept, j].astype(np.float64), "structure", unit, text
            )
    return properties


def _headings(key: str, width: int, names: NDArray[Any] | None, is_qm7: bool) -> list[tuple[str, str, str]]:
    """Name, unit and description of the columns of an array."""
    if key == "T" and width == 1 and is_qm7:
        return [("atomization_energy", "kcal/mol", "atomization energy, PBE0; negative when bound (QM7)")]
    if key == "T" and width == len(QM7B_COLUMNS):
        given = [str(t).strip().lower() for t in _strings(names)]
        if len(given) == width and set(given) <= set(_UNITS):
            return [(t, *_UNITS[t]) for t in given]
        return list(QM7B_COLUMNS)
    return [(key if width == 1 else f"{key}_{j + 1}", "", "") for j in range(width)]


def _strings(names: NDArray[Any] | None) -> list[str]:
    """The texts of a character array or cell array."""
    if names is None:
        return []
    found = []
    for item in names.reshape(-1).tolist():
        while isinstance(item, np.ndarray | list) and len(item):
            item = item[0]
        found.append(str(item))
    return found


def _folds(parts: NDArray[Any], n: int) -> Floats | None:
    """The number of the part, from 1, of every structure; None when these are no indices of structures."""
    flat = np.asarray(parts, np.float64).reshape(-1)
    if not (np.isfinite(flat).all() and (flat == np.floor(flat)).all() and flat.min() >= 0 and flat.max() < n):
        return None
    fold = np.full(n, np.nan)
    for k, rows in enumerate(parts):
        fold[np.asarray(rows, np.int64).reshape(-1)] = k + 1.0
    return fold
