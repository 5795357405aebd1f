"""What kernels of structures that compare atoms have in common: the similarity of two atoms, and its width."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

if TYPE_CHECKING:
    from qmlstudio.learning.kernels._local_tiles import Block, Inner, Pairs

Array = NDArray[Any]
Floats = NDArray[np.float64]

INNER = (
    ("gaussian", "Gaussian"),
    ("laplacian", "Laplacian"),
    ("matern-1/2", "Matérn 1/2"),
    ("matern-3/2", "Matérn 3/2"),
    ("matern-5/2", "Matérn 5/2"),
    ("dot", "power of the cosine"),
)
"""Similarities of two atoms: exp(−|Δ|²/2σ²), exp(−|Δ|₁/σ), Matérn's of |Δ|/σ, (x·y / |x||y|)^ζ."""
SAMPLE_PAIRS = 4000
"""Pairs of atoms whose distances give an automatic width."""


@dataclass(frozen=True, kw_only=True)
class AtomSimilarity(Kernel):
    """A kernel that is made of similarities of atoms.

    An atom's features are compared with another's by the `inner` kernel, of atoms of the same element only unless
    `match_elements` is off. A width of None is the median distance of the training set's atoms.
    """

    scope: ClassVar[str] = "local"
    extensive: ClassVar[bool] = False
    """Whether it is a sum over the atoms of either structure, so that what is learnt grows with the molecule."""

    inner: str = param("gaussian", label="Of two atoms", choices=INNER, help="What makes two atoms alike.")
    sigma: float | None = param(
        None,
        label="Width σ",
        low=1e-6,
        high=1e9,
        none_label="median distance",
        help="In the unit of the features. Not used by the power of the cosine.",
    )
    zeta: int = param(2, label="Power ζ", low=1, high=64, help="Of the cosine; higher is more selective.")
    match_elements: bool = param(
        True, label="Elements must match", help="Atoms of different elements have nothing in common."
    )

    @property
    def is_fitted(self) -> bool:
        """Whether the width is known, or none is needed."""
        return self.sigma is not None or self.inner == "dot"

    def fitted(self, rows: Rows, seed: int = 0) -> Self:
        """With the median distance of (a sample of) these atoms, of the same element where elements must match."""
        if self.is_fitted:
            return self
        self.check(rows)
        return replace(self, sigma=median_distance(rows, self.inner == "laplacian", self.match_elements, seed))

    def check(self, rows: Rows) -> None:
        """See :meth:`Kernel.check`."""
        super().check(rows)
        if rows.representation is not None and rows.representation.kernel_only:
            raise ValueError(f"rows of {rows.representation.title} can be compared by its own kernel only")
        if self.match_elements and rows.numbers is None:
            raise ValueError(
                "these features do not have a row for every atom, so nothing tells the elements apart: "
                'switch off "Elements must match"'
            )

    def similarity(self) -> Inner:
        """What the loops need to know of the inner kernel; raises ValueError while the width is unknown."""
        from qmlstudio.learning.kernels._local_tiles import Inner

        if not self.is_fitted:
            raise ValueError(f"{self.title}: the width is not known yet; call fitted() with the training rows")
        return Inner(self.inner, float("nan") if self.sigma is None else self.sigma, self.zeta)

    def _check_both(self, a: Rows, b: Rows | None) -> None:
        for one in (a,) if b is None else (a, b):
            self.check(one)
        if b is not None and a.array.shape[1] != b.array.shape[1]:
            raise ValueError(f"rows of {a.array.shape[1]} and of {b.array.shape[1]} columns cannot be compared")

    def _pairs(
        self, a: Rows, b: Rows | None, block_atoms: int, dtype: Any = np.float64, progress: Progress = SILENT
    ) -> Pairs:
        from qmlstudio.learning.kernels._local_tiles import Pairs

        self._check_both(a, b)
        return Pairs(a, b, self.similarity(), self.match_elements, dtype, block_atoms, progress)

    @abstractmethod
    def _block(self, pairs: Pairs, mine: Block, theirs: Block, diagonal: bool, check: Callable[[], None]) -> Floats:
        """(s, t) of two blocks of structures; of a block with itself where they are the same."""

    @property
    def _block_atoms(self) -> int:
        from qmlstudio.learning.kernels import _local_tiles

        return _local_tiles.MATCH_ATOMS

    def matrix(
        self,
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Array:
        """See :meth:`Kernel.matrix`. With float32 the products are of single precision, all sums of double."""
        from qmlstudio.learning.kernels._local_tiles import drive, pairs_of_blocks

        pairs = self._pairs(a, b, self._block_atoms, dtype, progress)
        result = new_output((len(pairs.a), len(pairs.b)), out, dtype)

        def work(task: tuple[Block, Block], check: Callable[[], None]) -> None:
            mine, theirs = task
            values = self._block(pairs, mine, theirs, False, check)
            result[np.ix_(mine.structures, theirs.structures)] = values
            if pairs.symmetric and mine is not theirs:
                result[np.ix_(theirs.structures, mine.structures)] = values.T

        drive(work, pairs_of_blocks(pairs), progress, threads, self.title)
        return result

    def diagonal(self, a: Rows) -> Floats:
        """See :meth:`Kernel.diagonal`."""
        from qmlstudio.learning.kernels._local_tiles import DIAGONAL_ATOMS

        pairs = self._pairs(a, None, DIAGONAL_ATOMS)
        found = np.empty(len(a))
        for block in pairs.a.blocks:
            found[block.structures] = np.diagonal(self._block(pairs, block, block, True, lambda: None))
        return found


def median_distance(rows: Rows, city_block: bool, match: bool, seed: int = 0) -> float:
    """The median distance of random pairs of different atoms, of the same element with `match`; 1 where all are equal.

    Elements occur as often as they do among the pairs of atoms that a kernel compares.
    """
    rng = np.random.default_rng(seed)
    atoms = len(rows.array)
    codes = rows.numbers if match and rows.numbers is not None else np.zeros(atoms, dtype=np.uint8)
    found, counts = np.unique(codes, return_counts=True)
    pairs = counts.astype(float) * (counts - 1.0)
    if pairs.sum() == 0.0:
        return 1.0
    distances = []
    for code, share in zip(found, pairs / pairs.sum(), strict=True):
        members = np.flatnonzero(codes == code)
        count = round(SAMPLE_PAIRS * share)
        if len(members) < 2 or not count:
            continue
        first = rng.integers(len(members), size=count)
        second = (first + rng.integers(1, len(members), size=count)) % len(members)
        step = max(1, 2**20 // max(rows.array.shape[1], 1))
        for start in range(0, count, step):
            part = slice(start, start + step)
            difference = np.asarray(rows.array[members[first[part]]], dtype=np.float64)
            difference = difference - rows.array[members[second[part]]]
            distances.append(
                np.abs(difference).sum(axis=1) if city_block else np.sqrt(np.einsum("ij,ij->i", difference, difference))
            )
    values = np.concatenate(distances)
    # with many equal atoms the median may vanish: then that of the different ones
    values = values[values > 1e-7 * values.max(initial=0.0)]
    return float(np.median(values)) if len(values) else 1.0


def new_output(shape: tuple[int, int], out: Array | None, dtype: Any) -> Array:
    """An array for a matrix, or `out`, if it has the shape (ValueError if not)."""
    if out is None:
        return np.empty(shape, dtype=dtype)
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, expected {shape}")
    return out


def inverse_root(own: Floats) -> Floats:
    """1/√, and 0 for structures that are like nothing."""
    return np.divide(1.0, np.sqrt(np.maximum(own, 0.0)), out=np.zeros(len(own)), where=own > 0.0)
