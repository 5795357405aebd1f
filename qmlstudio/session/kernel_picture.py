"""The kernel matrix of a data set as a picture that is never computed whole: whom it compares, in which order; tiles.

A pixel is one pair of structures. Zoomed out the picture shows a sample of the rows and columns, every 2^level-th;
zoomed in it shows them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.texts import coded
from qmlstudio.learning import kernels
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features, Representation

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
TileKey = tuple[int, int, int]
"""Level, row and column of a tile; its samples are TILE · 2^level rows and columns wide."""

TILE = 128
"""Samples along the side of a tile."""
SAMPLE, SAMPLE_LOCAL = 1000, 300
"""Structures of which spectrum, histogram and alignments are; fewer where atoms are compared."""
RANGE_SAMPLE = 100
FINGERPRINTS = ("morgan", "maccs")
SUMS = ("coulomb_matrix", "bag_of_bonds", "baml")
_COMPOSED = ("sum", "product", "normalised")


def suits(kernel: type[Kernel] | Kernel, representation: Representation) -> bool:
    """Whether a kernel compares what a representation makes."""
    if representation.kernel_only:
        return kernel.name == representation.name
    return kernel.name != "fchl18" and (kernel.scope == "local") == representation.local


def kernels_for(representation: Representation) -> list[type[Kernel]]:
    """The registered kernels that suit a representation and have no parts that must be chosen first."""
    return [k for k in kernels.REGISTRY.values() if k.name not in _COMPOSED and suits(k, representation)]


def usual_kernel(representation: Representation) -> Kernel:
    """The kernel that a representation is mostly used with; ValueError when none suits it."""
    known = {k.name: k for k in kernels_for(representation)}
    if not known:
        raise ValueError(f"{representation.title} has no kernel")
    wished = "local_sum" if representation.local else "gaussian"
    if representation.name in FINGERPRINTS:
        wished = "tanimoto"
    elif representation.name in SUMS:
        wished = "laplacian"
    return known.get(wished, next(iter(known.values())))()


@dataclass(frozen=True, eq=False)
class Ground:
    """What is compared with what.

    Attributes
    ----------
    rows : Rows
        Of all structures of the data set.
    members : (m,) int64
        Those that are shown, ascending: not the excluded ones.
    kernel : Kernel
        With all scales known.
    low, high : float
        Between which the similarities of a sample lie.
    smallest : float
        The smallest positive one, for logarithmic colours; 1 when there is none.
    """

    rows: Rows
    members: Indices
    kernel: Kernel
    low: float
    high: float
    smallest: float

    @classmethod
    def of(
        cls,
        features: Features,
        dataset: Dataset,
        kernel: Kernel,
        left_out: NDArray[np.bool_] | None = None,
        progress: Progress = SILENT,
    ) -> Ground:
        """Set a kernel on a data set.

        Parameters
        ----------
        left_out : (n,) bool, optional
            Structures that are not shown.

        Raises
        ------
        ValueError
            The kernel does not suit the features, or they hold values that are not finite.
        """
        rows = Rows.of(features, dataset.structures)
        kernel.check(rows)
        members = np.arange(len(rows), dtype=np.int64)
        members = members if left_out is None else members[~left_out]
        if not len(members):
            return cls(rows, members, kernel, 0.0, 1.0, 1.0)
        progress(0.0, "Scale of the kernel")
        sample = rows.take(_sample(members, SAMPLE_LOCAL if rows.is_local else SAMPLE))
        kernel = kernel.fitted(sample)
        progress(0.7, "Range of the kernel")
        few = rows.take(_sample(members, RANGE_SAMPLE))
        values = kernel.matrix(few, progress=progress.part(0.7, 1.0), threads=1)
        if not np.isfinite(values).all():
            raise ValueError(f"{kernel.title}: some similarities are not finite; choose other parameters")
        positive = values[values > 0]
        low, high = float(values.min()), float(values.max())
        return cls(rows, members, kernel, low, high, float(positive.min()) if len(positive) else 1.0)

    def __len__(self) -> int:
        return len(self.members)

    def similarity(self, i: int, j: int) -> float:
        """Of two structures."""
        return float(self.kernel.matrix(self.rows.take([i]), self.rows.take([j]), threads=1)[0, 0])


def _sample(members: Indices, most: int) -> Indices:
    if len(members) <= most:
        return members
    return np.sort(np.random.default_rng(0).choice(members, most, replace=False))


@dataclass(frozen=True, eq=False)
class Order:
    """In which order structures stand along both axes.

    Attributes
    ----------
    indices : (m,) int64
        Structure at each place.
    bounds : (g + 1,) int64
        Where groups begin, and the end of the last; of length 1 when there are none.
    names : tuple of g str
    column : str
        By whose values, if by any.
    values : (m,) float64 or None
        They, in the order.
    """

    indices: Indices
    bounds: Indices
    names: tuple[str, ...] = ()
    column: str = ""
    values: Floats | None = None

    def __len__(self) -> int:
        return len(self.indices)


def plain_order(ground: Ground) -> Order:
    """As in the data set."""
    return Order(ground.members, np.zeros(1, dtype=np.int64))


def column_order(ground: Ground, name: str, column: Property, missing: str = "missing") -> Order:
    """By the values of a column, missing ones last; texts in groups, the most frequent first."""
    members = ground.members
    if not column.is_text:
        values = np.asarray(column.values)[members]
        # ±inf have their places at the ends; NaN are sorted behind all
        order = np.argsort(values, kind="stable")
        return Order(members[order], np.zeros(1, dtype=np.int64), (), name, values[order])
    if (texts := coded(column.values)) is not None:
        known, codes = np.asarray(texts.names), texts.codes[members].astype(np.int64)
    else:
        known, codes = np.unique(np.asarray(column.values)[members], return_inverse=True)
    counts = np.bincount(codes, minlength=len(known))
    rank = np.lexsort((np.arange(len(known)), -counts, known == ""))
    place = np.empty(len(known), dtype=np.int64)
    place[rank] = np.arange(len(known))
    order = np.argsort(place[codes], kind="stable")
    filled = [int(k) for k in rank if counts[k]]
    bounds = np.concatenate([[0], np.cumsum(counts[filled])]).astype(np.int64)
    return Order(members[order], bounds, tuple(str(known[k]) or missing for k in filled), name)


def similar_order(ground: Ground, progress: Progress = SILENT) -> Order:
    """Similar structures side by side."""
    from qmlstudio.learning.kernels.analysis import order_by_similarity

    members = ground.members
    rows = ground.rows if len(members) == len(ground.rows) else ground.rows.take(members)
    return Order(members[order_by_similarity(ground.kernel, rows, progress)], np.zeros(1, dtype=np.int64))


def tile_places(key: TileKey, m: int, axis: int) -> Indices:
    """(≤ TILE,) places in the order of the rows (axis 0) or columns (1) of a tile."""
    step = 1 << key[0]
    first = key[1 + axis] * TILE
    starts = np.arange(first, first + TILE, dtype=np.int64) * step
    starts = starts[starts < m]
    return np.minimum(starts + step // 2, m - 1)


def tile(ground: Ground, order: Order, key: TileKey, progress: Progress = SILENT) -> NDArray[np.float32]:
    """(≤ TILE, ≤ TILE) the similarities of a tile's samples."""
    rows = ground.rows.take(order.indices[tile_places(key, len(order), 0)])
    if key[1] == key[2]:
        return ground.kernel.matrix(rows, progress=progress, threads=1).astype(np.float32)
    columns = ground.rows.take(order.indices[tile_places(key, len(order), 1)])
    return ground.kernel.matrix(rows, columns, progress, threads=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Summary:
    """What a random sample of the matrix says.

    Attributes
    ----------
    count : int
        Structures of the sample.
    edges, counts : (b + 1,) float64, (b,) int64
        Histogram of the similarities of different structures.
    median : float
        Of them; NaN when there is no pair.
    degenerate : str
        See :func:`qmlstudio.learning.kernels.analysis.degeneracy`.
    spectrum : Spectrum
    alignments : tuple of (column, alignment)
        The best first; columns without one (constant, missing) are left out.
    """

    count: int
    edges: Floats
    counts: Indices
    median: float
    degenerate: str
    spectrum: Any
    alignments: tuple[tuple[str, float], ...]


def summarise(ground: Ground, columns: dict[str, Property], progress: Progress = SILENT, bins: int = 60) -> Summary:
    """Spectrum, histogram and alignments of a random sample.

    Parameters
    ----------
    columns : dict of str to Property
        Of numbers, with one value for each structure.
    """
    from qmlstudio.learning.kernels import analysis

    chosen = _sample(ground.members, SAMPLE_LOCAL if ground.rows.is_local else SAMPLE)
    if not len(chosen):
        matrix = np.zeros((0, 0))
    else:
        matrix = ground.kernel.matrix(ground.rows.take(chosen), progress=progress.part(0.0, 0.6), threads=1)
    pairs = analysis.off_diagonal(matrix)
    edges = _edges(pairs, bins)
    progress(0.7, "Spectrum")
    spectrum = analysis.Spectrum.of(matrix)
    values = {name: np.asarray(p.values)[chosen] for name, p in columns.items() if not p.is_text}
    found = analysis.alignments(matrix, values, progress.part(0.9, 1.0))
    ranked = sorted(((n, v) for n, v in found.items() if np.isfinite(v)), key=lambda pair: -pair[1])
    return Summary(
        len(chosen),
        edges,
        np.histogram(pairs, edges)[0].astype(np.int64),
        float(np.median(pairs)) if len(pairs) else float("nan"),
        analysis.degeneracy(matrix),
        spectrum,
        tuple(ranked),
    )


def _edges(pairs: Floats, bins: int) -> Floats:
    """From 0 to 1 where all lie between; else as far as the values reach."""
    if not len(pairs):
        return np.linspace(0.0, 1.0, bins + 1)
    low, high = float(pairs.min()), float(pairs.max())
    if low >= 0.0 and high <= 1.0 + 1e-9:
        low, high = 0.0, max(high, 1.0)
    if not high > low or not np.all(np.diff(np.linspace(low, high, bins + 1)) > 0):
        half = max(abs(low) * 1e-3, 1e-3)
        low, high = low - half, high + half
    return np.linspace(low, high, bins + 1)
