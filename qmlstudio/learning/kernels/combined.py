"""Kernels of kernels: sums, products and normalised ones, nested as one likes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.kernels.pairwise import PairwiseKernel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

if TYPE_CHECKING:
    from qmlstudio.learning.kernels._tiles import Side, Tile

Array = NDArray[Any]
Floats = NDArray[np.float64]

_BLOCK = 1 << 20
"""Numbers that are combined between two questions whether to go on."""


@dataclass(frozen=True, kw_only=True)
class _Combined(PairwiseKernel):
    """What kernels of kernels share.

    Where all parts compare single rows they are made together, tile by tile, from distances that they share; else the
    matrices of the parts are combined.
    """

    source: ClassVar[str] = ""

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """The kernels that are combined."""
        raise NotImplementedError

    def _with_parts(self, parts: tuple[Kernel, ...]) -> Self:
        raise NotImplementedError

    @property
    def scope(self) -> str:  # type: ignore[override]
        """ "local" when any part is."""
        return "local" if any(k.scope == "local" for k in self.parts) else "global"

    @property
    def is_pairwise(self) -> bool:
        """Whether all parts compare single rows."""
        return all(isinstance(k, PairwiseKernel) and k.is_pairwise for k in self.parts)

    @property
    def is_fitted(self) -> bool:
        """Whether all scales of all parts are known."""
        return all(k.is_fitted for k in self.parts)

    def fitted(self, rows: Rows, seed: int = 0) -> Self:
        """See :meth:`Kernel.fitted`."""
        return self if self.is_fitted else self._with_parts(tuple(k.fitted(rows, seed) for k in self.parts))

    def scaled(self, factor: float) -> Self:
        """See :meth:`PairwiseKernel.scaled`."""
        scaled = []
        for kernel in self.parts:
            if not hasattr(kernel, "scaled"):
                raise ValueError(f"{kernel.title} has no common length scale")
            scaled.append(kernel.scaled(factor))
        return self._with_parts(tuple(scaled))

    def check(self, rows: Rows) -> None:
        """Raise ValueError when the rows are none for one of the parts."""
        for kernel in self.parts:
            kernel.check(rows)

    def memory(self, n: int, m: int | None = None, dtype: Any = np.float64) -> int:
        """See :meth:`Kernel.memory`; parts that are combined as matrices take another one."""
        single = super().memory(n, m, dtype)
        return single if self.is_pairwise or len(self.parts) == 1 else 2 * single

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
        if self.is_pairwise:
            return super().matrix(a, b, progress, out=out, dtype=dtype, threads=threads)
        self._check_fitted()
        self.check(a)
        count = len(self.parts)
        steps = [progress.part(0.9 * k / count, 0.9 * (k + 1) / count) for k in range(count)]
        out = self.parts[0].matrix(a, b, steps[0], out=out, dtype=dtype, threads=threads)
        self._begin(out, a, b, progress)
        for number in range(1, count):
            other = self.parts[number].matrix(a, b, steps[number], dtype=out.dtype, threads=threads)
            for rows in _row_blocks(out):
                progress.check()
                self._combine(out[rows], other[rows], number)
        progress(1.0, "Kernel matrix")
        return out

    def diagonal(self, a: Rows) -> Floats:
        """See :meth:`Kernel.diagonal`."""
        if self.is_pairwise:
            return super().diagonal(a)
        self.check(a)
        total = self.parts[0].diagonal(a).copy()[None]
        self._begin(total, a, None, SILENT, is_diagonal=True)
        for number in range(1, len(self.parts)):
            self._combine(total, self.parts[number].diagonal(a)[None], number)
        return np.asarray(total[0], dtype=np.float64)

    def uses(self) -> Counter[str]:
        """See :meth:`PairwiseKernel.uses`."""
        total: Counter[str] = Counter()
        for kernel in self._pairwise:
            total += kernel.uses()
        return total

    def prepare(self, side: Side) -> None:
        """See :meth:`PairwiseKernel.prepare`."""
        for kernel in self._pairwise:
            kernel.prepare(side)

    @property
    def _pairwise(self) -> list[PairwiseKernel]:
        return [k for k in self.parts if isinstance(k, PairwiseKernel)]

    def _begin(self, values: Array, a: Rows, b: Rows | None, progress: Progress, is_diagonal: bool = False) -> None:
        """Turn the values of the first part into those of the whole, as far as the others are not needed."""

    def _combine(self, values: Array, other: Array, number: int) -> None:
        """Add what part `number` says."""

    @property
    def distance_kind(self) -> str | None:
        """The distance that all parts are functions of; None where they have none in common."""
        kinds = {k.distance_kind if isinstance(k, PairwiseKernel) else None for k in self.parts}
        return kinds.pop() if len(kinds) == 1 else None

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        first, *others = self._pairwise
        values = first.evaluate(tile)
        self._weigh(values)
        for number, kernel in enumerate(others, start=1):
            other = kernel.evaluate(tile)
            self._combine(values, other, number)
            tile.give_back(other)
        return values

    def _weigh(self, values: Array) -> None:
        """Turn the first part's values of a tile into what the others are combined with."""

    def _evaluate_distances(self, values: Array) -> Array:
        first, *others = self._pairwise
        spare = values.copy() if others else values
        total = first._evaluate_distances(values)
        self._weigh(total)
        for number, kernel in enumerate(others, start=1):
            last = number == len(others)
            self._combine(total, kernel._evaluate_distances(spare if last else spare.copy()), number)
        return total


def _row_blocks(matrix: Array) -> list[slice]:
    step = max(1, _BLOCK // max(matrix.shape[1], 1))
    return [slice(start, start + step) for start in range(0, len(matrix), step)]


@dataclass(frozen=True, kw_only=True)
class _Several(_Combined):
    """Sums and products."""

    kernels: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", tuple(self.kernels))
        if not self.kernels or not all(isinstance(k, Kernel) for k in self.kernels):
            raise ValueError(f"{self.title}: one kernel at least is needed, and nothing but kernels")
        super().__post_init__()

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """See :attr:`_Combined.parts`."""
        return self.kernels

    def _with_parts(self, parts: tuple[Kernel, ...]) -> Self:
        return replace(self, kernels=parts)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; inverse of :func:`qmlstudio.learning.kernels.from_dict`."""
        return super().to_dict() | {"kernels": [k.to_dict() for k in self.kernels]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        from qmlstudio.learning.kernels import from_dict

        given = {key: value for key, value in data.items() if key not in ("name", "kernels")}
        if unknown := sorted(set(given) - {"weights"} if cls.name == "sum" else set(given)):
            raise ValueError(f"{cls.name} has no parameter {', '.join(unknown)}")
        return cls(kernels=tuple(from_dict(k) for k in data.get("kernels", ())), **given)


@dataclass(frozen=True, kw_only=True)
class Sum(_Several):
    """A weighted sum: several scales or several views in one kernel.

    Parameters
    ----------
    kernels : tuple of Kernel
    weights : tuple of float, optional
        One for each, not negative; all 1 when empty.
    """

    name: ClassVar[str] = "sum"
    title: ClassVar[str] = "Sum"
    help: ClassVar[str] = "Several scales in one kernel; what is alike for any of them is alike."
    formula: ClassVar[str] = "Σ wᵢ kᵢ(x, y)"
    reference: ClassVar[str] = "M. Gönen, E. Alpaydın, J. Mach. Learn. Res. 12, 2211 (2011)"

    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = tuple(float(w) for w in self.weights) or (1.0,) * len(self.kernels)
        if len(weights) != len(self.kernels):
            raise ValueError(f"{len(weights)} weights for {len(self.kernels)} kernels")
        if not all(math.isfinite(w) and w >= 0.0 for w in weights):
            raise ValueError("weights of kernels are finite and not negative")
        object.__setattr__(self, "weights", weights)

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`_Several.to_dict`."""
        return super().to_dict() | {"weights": list(self.weights)}

    def _weigh(self, values: Array) -> None:
        if self.weights[0] != 1.0:
            values *= values.dtype.type(self.weights[0])

    def _begin(self, values: Array, a: Rows, b: Rows | None, progress: Progress, is_diagonal: bool = False) -> None:
        self._weigh(values)

    def _combine(self, values: Array, other: Array, number: int) -> None:
        if self.weights[number] != 1.0:
            other *= other.dtype.type(self.weights[number])
        values += other

    def _own(self, side: Side) -> Floats:
        total = np.zeros(len(side))
        for weight, kernel in zip(self.weights, self._pairwise, strict=True):
            total += weight * kernel._own(side)
        return total


@dataclass(frozen=True, kw_only=True)
class Product(_Several):
    """A product: alike is only what is alike for all parts.

    Parameters
    ----------
    kernels : tuple of Kernel
    """

    name: ClassVar[str] = "product"
    title: ClassVar[str] = "Product"
    help: ClassVar[str] = "Alike is only what is alike for each of the kernels."
    formula: ClassVar[str] = "Π kᵢ(x, y)"
    reference: ClassVar[str] = "M. Gönen, E. Alpaydın, J. Mach. Learn. Res. 12, 2211 (2011)"

    def _combine(self, values: Array, other: Array, number: int) -> None:
        values *= other

    def _own(self, side: Side) -> Floats:
        total = np.ones(len(side))
        for kernel in self._pairwise:
            total *= kernel._own(side)
        return total


@dataclass(frozen=True, kw_only=True)
class Normalised(_Combined):
    """A kernel whose similarity of anything with itself is 1; 0 for what is like nothing, not even itself.

    Parameters
    ----------
    kernel : Kernel
    """

    name: ClassVar[str] = "normalised"
    title: ClassVar[str] = "Normalised"
    help: ClassVar[str] = "The cosine in the kernel's own space: how large two structures are no longer matters."
    formula: ClassVar[str] = "k(x, y) / √(k(x, x) k(y, y))"
    reference: ClassVar[str] = "S. De, A. P. Bartók, G. Csányi, M. Ceriotti, Phys. Chem. Chem. Phys. 18, 13754 (2016)"

    kernel: Kernel

    def __post_init__(self) -> None:
        if not isinstance(self.kernel, Kernel):
            raise ValueError(f"{self.kernel!r} is no kernel")
        super().__post_init__()

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """See :attr:`_Combined.parts`."""
        return (self.kernel,)

    def _with_parts(self, parts: tuple[Kernel, ...]) -> Self:
        return replace(self, kernel=parts[0])

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; inverse of :func:`qmlstudio.learning.kernels.from_dict`."""
        return super().to_dict() | {"kernel": self.kernel.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        from qmlstudio.learning.kernels import from_dict

        if unknown := sorted(set(data) - {"name", "kernel"}):
            raise ValueError(f"{cls.name} has no parameter {', '.join(unknown)}")
        return cls(kernel=from_dict(data["kernel"]))

    @property
    def distance_kind(self) -> str | None:
        """None: the similarities with themselves are needed, too."""
        return None

    @staticmethod
    def _inverse_roots(own: Floats) -> Floats:
        roots = np.sqrt(np.maximum(own, 0.0))
        return np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0.0)

    def _factors(self, side: Side) -> Array:
        def make() -> Array:
            own = self._pairwise[0]._own(side)
            return self._inverse_roots(np.asarray(own, dtype=np.float64)).astype(side.dtype)

        return side.kept(f"1 / roots, {self.kernel!r}", make)

    def prepare(self, side: Side) -> None:
        """See :meth:`PairwiseKernel.prepare`."""
        super().prepare(side)
        self._factors(side)

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        values = self._pairwise[0].evaluate(tile)
        values *= tile.of_rows(self._factors(tile.left))[:, None]
        values *= tile.of_columns(self._factors(tile.right))
        return values

    def _own(self, side: Side) -> Floats:
        return np.asarray(self._factors(side) > 0.0, dtype=np.float64)

    def _begin(self, values: Array, a: Rows, b: Rows | None, progress: Progress, is_diagonal: bool = False) -> None:
        first = self._inverse_roots(self.kernel.diagonal(a))
        if is_diagonal:
            values[:] = first > 0.0
            return
        second = first if b is None else self._inverse_roots(self.kernel.diagonal(b))
        for rows in _row_blocks(values):
            progress.check()
            values[rows] *= first[rows, None].astype(values.dtype)
            values[rows] *= second.astype(values.dtype)
        if b is None:
            np.fill_diagonal(values, first > 0.0)
