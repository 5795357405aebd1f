"""Kernels that compare structures atom by atom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.atom_similarity import AtomSimilarity, inverse_root, new_output
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features

if TYPE_CHECKING:
    from qmlstudio.learning.kernels._local_tiles import Block, Pairs

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LocalSum(AtomSimilarity):
    """All atoms of one structure with all of the other: sums, so that energies learnt with it are extensive."""

    name: ClassVar[str] = "local_sum"
    title: ClassVar[str] = "Sum over atoms"
    extensive: ClassVar[bool] = True
    help: ClassVar[str] = (
        "Adds up the similarities of all pairs of atoms. What is learnt is a sum of atomic contributions: twice the "
        "molecule has twice the energy, and large molecules can be predicted from small ones."
    )
    formula: ClassVar[str] = "K(A, B) = Σ_{I∈A} Σ_{J∈B} δ(Z_I, Z_J) k(x_I, x_J)"
    reference: ClassVar[str] = (
        "A. S. Christensen, L. A. Bratholm, F. A. Faber, O. A. von Lilienfeld, J. Chem. Phys. 152, 044107 (2020), "
        "doi:10.1063/1.5126701"
    )

    @property
    def _block_atoms(self) -> int:
        from qmlstudio.learning.kernels import _local_tiles

        return _local_tiles.BLOCK_ATOMS

    def _block(self, pairs: Pairs, mine: Block, theirs: Block, diagonal: bool, check: Callable[[], None]) -> Floats:
        from qmlstudio.learning.kernels._local_tiles import block_sums

        upper = pairs.symmetric and mine is theirs
        values = block_sums(pairs, (pairs.inner,), mine, theirs, upper, check)[0]
        return self._scaled(values, pairs.a.counts[mine.structures], pairs.b.counts[theirs.structures])

    def _scaled(self, values: Floats, mine: Array, theirs: Array) -> Floats:
        """The sums (s, t) of structures with these numbers of atoms as the kernel has them; may be changed."""
        return values

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
        from qmlstudio.learning._threads import blas_threads
        from qmlstudio.learning.kernels._local_tiles import FEW_ATOMS, few_sums

        if b is not None and len(a.array) <= FEW_ATOMS and np.dtype(dtype) == np.float64:
            self._check_both(a, b)
            with blas_threads(1):
                values = few_sums(a, b, self.similarity(), self.match_elements, progress)
            if values is not None:
                result = new_output((len(a), len(b)), out, dtype)
                result[:] = self._scaled(values, _counts(a), _counts(b))
                return result
        return super().matrix(a, b, progress, out=out, dtype=dtype, threads=threads)

    def series(
        self,
        sigmas: Sequence[float],
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Array:
        """(k, n, m) the matrices for k widths at the price of little more than one: the products are the same.

        Raises ValueError for an inner kernel without a width.
        """
        from qmlstudio.learning.kernels._local_tiles import block_sums, drive, pairs_of_blocks

        if self.inner == "dot":
            raise ValueError("the power of the cosine has no width")
        # the narrowest says whether the mean must be subtracted
        pairs = replace(self, sigma=min(sigmas))._pairs(a, b, self._block_atoms, dtype, progress)
        inners = [replace(pairs.inner, sigma=float(sigma)) for sigma in sigmas]
        result = np.empty((len(inners), len(pairs.a), len(pairs.b)), dtype=dtype)

        def work(task: tuple[Block, Block], check: Callable[[], None]) -> None:
            mine, theirs = task
            upper = pairs.symmetric and mine is theirs
            for k, values in enumerate(block_sums(pairs, inners, mine, theirs, upper, check)):
                scaled = self._scaled(values, pairs.a.counts[mine.structures], pairs.b.counts[theirs.structures])
                result[k][np.ix_(mine.structures, theirs.structures)] = scaled
                if pairs.symmetric and mine is not theirs:
                    result[k][np.ix_(theirs.structures, mine.structures)] = scaled.T

        drive(work, pairs_of_blocks(pairs), progress, threads, self.title)
        return result


@dataclass(frozen=True, kw_only=True)
class LocalAverage(LocalSum):
    """The mean over all pairs of atoms: for properties that do not grow with the structure."""

    name: ClassVar[str] = "local_average"
    title: ClassVar[str] = "Mean over atoms"
    extensive: ClassVar[bool] = False
    help: ClassVar[str] = (
        "The mean similarity of all pairs of atoms, for intensive properties: two molecules far apart are like one."
    )
    formula: ClassVar[str] = "K(A, B) = Σ_{I∈A} Σ_{J∈B} δ(Z_I, Z_J) k(x_I, x_J) / N_A N_B"
    reference: ClassVar[str] = (
        "S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016), eq. 6, "
        "doi:10.1039/C6CP00415F"
    )

    def _scaled(self, values: Floats, mine: Array, theirs: Array) -> Floats:
        # a structure without atoms has a sum of 0
        values /= np.maximum(mine, 1)[:, None]
        values /= np.maximum(theirs, 1)
        return values


@dataclass(frozen=True, kw_only=True)
class _Match(AtomSimilarity):
    """A kernel of matched atoms, normalised if wished."""

    normalise: bool = param(True, label="Normalise", help="Divide by √(K(A, A) K(B, B)): each is 1 with itself.")

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
        result = super().matrix(a, b, progress, out=out, dtype=dtype, threads=threads)
        if self.normalise:
            mine = np.diagonal(result).astype(np.float64) if b is None else self._own(a)
            theirs = mine if b is None else self._own(b)
            left, right = inverse_root(mine), inverse_root(theirs)
            for start in range(0, len(result), 256):
                progress.check()
                result[start : start + 256] *= left[start : start + 256, None] * right
        return result

    def _own(self, a: Rows) -> Floats:
        """(n,) of each structure with itself, before normalisation."""
        return super().diagonal(a)

    def diagonal(self, a: Rows) -> Floats:
        """See :meth:`Kernel.diagonal`; 0 for a structure that is like nothing, not even itself (no atoms)."""
        own = self._own(a)
        return (own > 0.0).astype(np.float64) if self.normalise else own


@dataclass(frozen=True, kw_only=True)
class BestMatch(_Match):
    """Each atom with one of the other structure, so that the sum is largest."""

    name: ClassVar[str] = "best_match"
    title: ClassVar[str] = "Best match of atoms"
    help: ClassVar[str] = (
        "Pairs the atoms of the two structures one to one so that their similarities add up to the most; atoms that "
        "are left over count nothing. It follows the intuition of a chemist, but is not smooth where the pairing "
        "changes, and not always positive definite: give the model some more regularisation."
    )
    formula: ClassVar[str] = "K(A, B) = max_π Σ_I δ(Z_I, Z_π(I)) k(x_I, x_π(I))"
    reference: ClassVar[str] = (
        "S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016), eq. 7, "
        "doi:10.1039/C6CP00415F"
    )

    def _block(self, pairs: Pairs, mine: Block, theirs: Block, diagonal: bool, check: Callable[[], None]) -> Floats:
        from qmlstudio.learning.kernels._local_tiles import block_matches

        return block_matches(pairs, None, mine, theirs, pairs.symmetric and mine is theirs, diagonal, check)


@dataclass(frozen=True, kw_only=True)
class REMatch(_Match):
    """Regularised-entropy match: between the best match (small γ) and the mean (large γ), and smooth.

    The transport plan P with row sums 1 / N_A and column sums 1 / N_B that makes Σ P (1 − C + γ ln P) least is found
    by Sinkhorn's iteration (De et al. 2016, eq. 8–10).
    """

    name: ClassVar[str] = "rematch"
    title: ClassVar[str] = "REMatch"
    help: ClassVar[str] = (
        "Distributes the atoms of one structure over those of the other so that similar ones come together, with an "
        "entropy that keeps it smooth: small γ is the best match, large γ the mean over all pairs."
    )
    formula: ClassVar[str] = "K(A, B) = Σ_IJ P_IJ C_IJ,  P = argmin Σ_IJ P_IJ (1 − C_IJ + γ ln P_IJ)"
    reference: ClassVar[str] = (
        "S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016), eq. 8–10, "
        "doi:10.1039/C6CP00415F"
    )

    gamma: float = param(
        0.1,
        label="Entropy γ",
        low=0.005,
        high=1e6,
        step=0.05,
        help="Small: each atom goes to its like. Large: all to all. Small values need many iterations.",
    )
    tolerance: float = param(1e-9, label="Tolerance", low=1e-14, high=1e-2, advanced=True, help="Of the plan's sums.")
    iterations: int = param(10_000, label="Most iterations", low=1, high=10**9, advanced=True)

    def _block(self, pairs: Pairs, mine: Block, theirs: Block, diagonal: bool, check: Callable[[], None]) -> Floats:
        from qmlstudio.learning.kernels._local_tiles import block_matches

        entropy = self.gamma, self.tolerance, self.iterations
        return block_matches(pairs, entropy, mine, theirs, pairs.symmetric and mine is theirs, diagonal, check)


@dataclass(frozen=True, kw_only=True)
class GlobalFromLocal(Kernel):
    """A Gaussian of a distance between structures that is made of products of their atoms' features."""

    name: ClassVar[str] = "global_from_local"
    title: ClassVar[str] = "Global from local"
    help: ClassVar[str] = (
        "Adds up the features of each element's atoms and compares the sums. Much cheaper than a sum over pairs of "
        "atoms; the energy it learns does not fall into contributions of atoms."
    )
    formula: ClassVar[str] = "K(A, B) = exp(−(S_AA + S_BB − 2 S_AB) / 2σ²),  S_AB = Σ_{I∈A} Σ_{J∈B} δ(Z_I, Z_J) x_I·x_J"
    reference: ClassVar[str] = LocalSum.reference
    scope: ClassVar[str] = "local"

    sigma: float | None = param(
        None, label="Width σ", low=1e-6, high=1e9, none_label="median distance", help="In the unit of the features."
    )
    match_elements: bool = param(
        True, label="Elements must match", help="Atoms of different elements have nothing in common."
    )

    @property
    def is_fitted(self) -> bool:
        """Whether the width is known."""
        return self.sigma is not None

    def _gaussian(self) -> Any:
        from qmlstudio.learning.kernels.functions import Gaussian

        return Gaussian(sigma=self.sigma)

    def fitted(self, rows: Rows, seed: int = 0) -> Self:
        """With the median distance of (a sample of) the structures."""
        if self.is_fitted:
            return self
        self.check(rows)
        return replace(self, sigma=self._gaussian().fitted(self._sums(rows)[0], seed).sigma)

    def check(self, rows: Rows) -> None:
        """See :meth:`Kernel.check`."""
        LocalSum(match_elements=self.match_elements).check(rows)

    def _sums(self, *sets: Rows) -> list[Rows]:
        """Rows of sums over each element's atoms, one element after another, with the same columns for all sets."""
        elements = sorted({z for rows in sets for z in rows.elements}) if self.match_elements else [0]
        found = []
        for rows in sets:
            assert rows.offsets is not None
            d = rows.array.shape[1]
            sums = np.zeros((len(rows), len(elements) * d))
            owners = np.repeat(np.arange(len(rows)), np.diff(rows.offsets))
            for k, z in enumerate(elements):
                chosen = np.arange(len(owners)) if rows.numbers is None else np.flatnonzero(rows.numbers == z)
                if not self.match_elements:
                    chosen = np.arange(len(owners))
                if len(chosen):
                    starts = np.flatnonzero(np.diff(owners[chosen], prepend=-1))
                    added = np.add.reduceat(np.asarray(rows.array[chosen], dtype=np.float64), starts, axis=0)
                    sums[owners[chosen][starts], k * d : (k + 1) * d] = added
            found.append(Rows(sums, sizes=rows.sizes))
        return found

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
        """See :meth:`Kernel.matrix`."""
        for one in (a,) if b is None else (a, b):
            self.check(one)
        if b is not None and a.array.shape[1] != b.array.shape[1]:
            raise ValueError(f"rows of {a.array.shape[1]} and of {b.array.shape[1]} columns cannot be compared")
        sums = self._sums(a) if b is None else self._sums(a, b)
        result: Array = self._gaussian().matrix(
            sums[0], None if b is None else sums[1], progress, out=out, dtype=dtype, threads=threads
        )
        return result

    def diagonal(self, a: Rows) -> Floats:
        """Ones."""
        return np.ones(len(a))


@dataclass(frozen=True, kw_only=True)
class FCHL18Kernel(Kernel):
    """The kernel that belongs to the representation FCHL18, whose rows have no other."""

    name: ClassVar[str] = "fchl18"
    title: ClassVar[str] = "FCHL18"
    help: ClassVar[str] = (
        "Compares the neighbourhoods of all pairs of atoms neighbour by neighbour, with likeness across the periodic "
        "table. Needs features of FCHL18."
    )
    formula: ClassVar[str] = "K(A, B) = Σ_{I∈A} Σ_{J∈B} exp(−(s_II + s_JJ − 2 s_IJ) / 2σ²)"
    reference: ClassVar[str] = "F. A. Faber et al., J. Chem. Phys. 148, 241717 (2018), doi:10.1063/1.5020710"
    scope: ClassVar[str] = "local"
    extensive: ClassVar[bool] = True

    sigma: float = param(2.5, label="Width σ", low=1e-3, high=1e6, step=0.5)

    def check(self, rows: Rows) -> None:
        """See :meth:`Kernel.check`."""
        super().check(rows)
        self._features(rows)

    def _features(self, rows: Rows) -> Features:
        from qmlstudio.representations.fchl18 import FCHL18

        if not isinstance(rows.representation, FCHL18) or rows.species is None:
            raise ValueError("the kernel of FCHL18 compares its features only: choose this representation")
        return Features(rows.array, rows.representation, rows.species, rows.offsets)

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
        """See :meth:`Kernel.matrix`. The arithmetic is of double precision always."""
        from qmlstudio.representations.fchl18 import FCHL18

        first, second = self._features(a), None if b is None else self._features(b)
        representation = first.representation
        assert isinstance(representation, FCHL18)
        values = representation.kernel(first, second, sigma=self.sigma, progress=progress, threads=threads)
        if out is None:
            return values.astype(dtype, copy=False)
        if out.shape != values.shape:
            raise ValueError(f"out has shape {out.shape}, expected {values.shape}")
        out[:] = values
        return out

    def diagonal(self, a: Rows) -> Floats:
        """See :meth:`Kernel.diagonal`."""
        return np.array([self.matrix(a.take(slice(i, i + 1)), threads=1)[0, 0] for i in range(len(a))])


def _counts(rows: Rows) -> Array:
    """(n,) atoms of each structure."""
    return np.zeros(0) if rows.offsets is None else np.diff(rows.offsets)
