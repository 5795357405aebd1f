"""Large sets for measurements: the whole of QM9 and two million elpasolites, each with a map that is no cloud."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qmlstudio import representations
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import COVALENT_RADII, MASSES, SYMBOLS
from qmlstudio.chem.structures import Structures
from qmlstudio.learning import embedding as embeddings

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ENERGIES = SHARED / "elpasolite" / "elpasolite_8590.csv.gz"
NO_QM9 = 'QM9 is not here: pip install "qmlstudio[qm9]"'

GROUPS = (
    (1, 3, 11, 19, 37, 55),
    (4, 12, 20, 38, 56),
    (5, 13, 31, 49, 81),
    (6, 14, 32, 50, 82),
    (7, 15, 33, 51, 83),
    (8, 16, 34, 52),
    (9, 17, 35, 53),
    (2, 10, 18, 36, 54),
)
"""The 39 main-group elements up to bismuth, radioactive ones left out, by their columns of the periodic table."""
NOBLE = (2, 10, 18, 36, 54, 86)
SITES = "ABCD"
KINDS = np.array(sorted(z for group in GROUPS for z in group))
ALL = len(KINDS) * (len(KINDS) - 1) * (len(KINDS) - 2) * (len(KINDS) - 3)
"""Compositions of four different elements: 1,974,024."""
_STEP = 1 << 18
_X, _XYZ = np.array([1.0, 0.0, 0.0]), np.ones(3)


@dataclass(frozen=True)
class BigSet:
    """A data set with its map.

    Attributes
    ----------
    dataset : Dataset
    points : (n, 2) float64
    title : str
        As the table's rows call it.
    note : str
        What is to be said of it there.
    """

    dataset: Dataset
    points: np.ndarray
    title: str
    note: str = ""

    def __len__(self) -> int:
        return len(self.points)


# -- QM9


def molecules() -> Dataset | None:
    """QM9's 130,831 molecules as the program opens them; None without the package."""
    from qmlstudio.chem.readers.qm9_package import package_folder
    from qmlstudio.session.scripting import open_dataset

    return open_dataset("qm9:") if package_folder() is not None else None


def qm9() -> BigSet | None:
    """QM9 on the principal components of its sorted Coulomb matrices; None without the package."""
    dataset = molecules()
    if dataset is None:
        return None
    features = representations.REGISTRY["coulomb_matrix"]().compute(dataset.structures)
    method = embeddings.REGISTRY["pca"]()
    points = method.layout(method.neighbors(features.array)).points
    return BigSet(dataset, points, f"QM9, {len(dataset):,} molecules")


# -- elpasolites


def quadruples(n: int, seed: int = 0) -> np.ndarray:
    """(n, 4) places in KINDS of the elements on the sites A, B, C, D; no quadruple twice.

    In random order, those of four different elements first; the few beyond :data:`ALL` have an element on two sites.
    """
    k = len(KINDS)
    every = np.arange(k**4, dtype=np.int32)
    places = np.stack([every // k**3, every // k**2 % k, every // k % k, every % k], axis=1).astype(np.uint8)
    a, b, c, d = places.T
    different = (a != b) & (a != c) & (a != d) & (b != c) & (b != d) & (c != d)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(np.flatnonzero(different)), rng.permutation(np.flatnonzero(~different))])
    if n > len(order):
        raise ValueError(f"{n:,} compositions: there are {len(order):,}")
    return places[order[:n]]


def known_energies() -> dict[tuple[int, ...], float]:
    """Formation energies (eV per formula unit) by the atomic numbers on the four sites; empty without the file."""
    if not ENERGIES.exists():
        return {}
    with gzip.open(ENERGIES, "rt", encoding="utf-8", newline="") as file:
        return {
            tuple(int(row[f"z{site}"]) for site in SITES): float(row["formation_energy_eV_per_formula"])
            for row in csv.DictReader(file)
        }


def row_and_column(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row (1–6) and column (1–8) of main-group elements in the periodic table."""
    column_of = np.zeros(len(SYMBOLS), dtype=np.int64)
    for column, group in enumerate(GROUPS, 1):
        column_of[list(group)] = column
    return np.searchsorted(NOBLE, numbers) + 1, column_of[numbers]


def elpasolite_like(folder: Path, n: int = 2_000_000, seed: int = 0) -> BigSet:
    """Compositions ABC2D6 of main-group elements: four sites with an atom each; positions, features and map in files.

    The geometry has the four sites of the elpasolite's primitive cell at distances from covalent radii: enough to be
    drawn, with one atom instead of two and six on the sites C and D. Formation energies are real where they are known,
    else missing. The map shows the first two principal components of eight features, row and column of the four
    elements (Faber, Lindmaa, von Lilienfeld, Armiento, Phys. Rev. Lett. 117, 135502 (2016)).

    Parameters
    ----------
    folder : Path
        Takes "positions.npy", "features.npy" and "points.npy", which the result maps into memory.
    n : int
        At most 39⁴; those of four different elements come first.
    """
    places = quadruples(n, seed)
    numbers = KINDS[places]
    radii = np.array(COVALENT_RADII)[numbers]
    # A in the corner, B in the middle of the edge, D between them, C in the middle of an octant of the cube
    first = radii[:, 0] + radii[:, 3]
    half = first + radii[:, 3] + radii[:, 1]
    positions = _mapped(folder, "positions", np.float64, (4 * n, 3))
    for start in range(0, n, _STEP):
        h, d = half[start : start + _STEP, None], first[start : start + _STEP, None]
        sites = np.stack([0 * h * _X, h * _X, h / 2 * _XYZ, d * _X], axis=1)
        positions[4 * start : 4 * (start + len(h))] = sites.reshape(-1, 3)
    features = _mapped(folder, "features", np.float32, (n, 8))
    features[:, 0::2], features[:, 1::2] = row_and_column(numbers)
    points = _mapped(folder, "points", np.float64, (n, 2))
    _project(features, points)
    for array in (positions, features, points):
        array.flush()
    structures = Structures(
        numbers.astype(np.uint8).reshape(-1),
        np.load(folder / "positions.npy", mmap_mode="r"),
        4 * np.arange(n + 1, dtype=np.int64),
    )
    dataset = Dataset(f"{n:,} elpasolites", structures, _properties(numbers, half), _formulas(places))
    return BigSet(dataset, np.load(folder / "points.npy", mmap_mode="r"), f"{n:,} elpasolites")


def _mapped(folder: Path, name: str, kind: type, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape)


def _project(features: np.ndarray, points: np.ndarray) -> None:
    """The first two principal components, from the covariance of the columns."""
    n = len(features)
    mean = features.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((features.shape[1],) * 2)
    for start in range(0, n, _STEP):
        rows = features[start : start + _STEP] - mean
        covariance += rows.T @ rows
    directions = np.linalg.eigh(covariance / max(n, 1))[1][:, :-3:-1]
    for start in range(0, n, _STEP):
        points[start : start + _STEP] = (features[start : start + _STEP] - mean) @ directions


def _properties(numbers: np.ndarray, half: np.ndarray) -> dict[str, Property]:
    counts = np.array([1, 1, 2, 6])
    known = known_energies()
    energies = np.full(len(numbers), np.nan)
    if known:
        # atomic numbers are below 128: four of them are one integer
        base = 128 ** np.arange(4)
        codes, wanted = numbers @ base, np.array(list(known)) @ base
        order = np.argsort(codes)
        found = order[np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)]
        there = codes[found] == wanted
        energies[found[there]] = np.array(list(known.values()))[there]
    symbols = np.array(SYMBOLS)
    return {
        "formation_energy": Property(energies, unit="eV", description="per formula unit; few are known"),
        "mass": Property(np.array(MASSES)[numbers] @ counts, unit="u", description="of the formula unit"),
        "electrons": Property(numbers @ counts, description="of the formula unit"),
        "edge": Property(2 * half, unit="Å", description="of the cubic cell, from covalent radii"),
        **{
            site: Property(symbols[numbers[:, k]], description=f"element on site {site}")
            for k, site in enumerate(SITES)
        },
    }


def _formulas(places: np.ndarray) -> np.ndarray:
    """ "AlLiSn2F6": the names."""
    symbols = np.array(SYMBOLS)[KINDS]
    a, b, c, d = (symbols[places[:, k]] for k in range(4))
    pairs = np.char.add(np.char.add(a, b), np.char.add(c, "2"))
    return np.char.add(np.char.add(pairs, d), "6")
