"""The kernels of two rows: functions of their product or of their distance."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.kernels.pairwise import PairwiseKernel, median_distance
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param

if TYPE_CHECKING:
    from qmlstudio.learning.kernels._tiles import Side, Tile

Array = NDArray[Any]
Floats = NDArray[np.float64]

_SIGMA: dict[str, Any] = {
    "label": "σ",
    "low": 1e-30,
    "high": 1e30,
    "none_label": "automatic (median distance)",
    "help": "Length scale, in the features' own unit. Automatic: the median distance of the training rows.",
}


@dataclass(frozen=True, kw_only=True)
class ScaledKernel(PairwiseKernel):
    """A kernel with one length scale."""

    metric: ClassVar[str] = "l2"
    """Whose median is the automatic scale."""

    sigma: float | None = param(None, **_SIGMA)

    @property
    def is_fitted(self) -> bool:
        """Whether the scale is known."""
        return self.sigma is not None

    def fitted(self, rows: Rows, seed: int = 0) -> Self:
        """See :meth:`Kernel.fitted`."""
        if self.is_fitted:
            return self
        self.check(rows)
        return self.with_values(sigma=self._automatic(rows, seed))

    def _automatic(self, rows: Rows, seed: int) -> float:
        return median_distance(rows, self.metric, seed)

    def scaled(self, factor: float) -> Self:
        """See :meth:`PairwiseKernel.scaled`."""
        return self.with_values(sigma=self._scale * factor)

    @property
    def _scale(self) -> float:
        self._check_fitted()
        return float(self.sigma or 1.0)


@dataclass(frozen=True, kw_only=True)
class DistanceKernel(ScaledKernel):
    """A kernel that is a function of one distance: 1 where that is 0."""

    @property
    def distance_kind(self) -> str:
        """See :attr:`PairwiseKernel.distance_kind`."""
        return self.source

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        return self._evaluate_distances(tile.take(self.distance_kind))

    def _own(self, side: Side) -> Floats:
        return np.ones(len(side))


@dataclass(frozen=True, kw_only=True)
class Gaussian(DistanceKernel):
    """Smooth, the usual choice for local and for smooth global representations."""

    name: ClassVar[str] = "gaussian"
    title: ClassVar[str] = "Gaussian"
    source: ClassVar[str] = "l2sq"
    help: ClassVar[str] = "Smooth; the usual choice for SOAP, FCHL19, SLATM and MBTR."
    formula: ClassVar[str] = "exp(−‖x − y‖² / 2σ²)"
    reference: ClassVar[str] = "B. Schölkopf, A. J. Smola, Learning with Kernels (MIT Press, 2002)"

    def _evaluate_distances(self, values: Array) -> Array:
        from qmlstudio.learning.kernels._function_loops import exponential

        exponential(values.reshape(-1), values.dtype.type(-0.5 / self._scale**2))
        return values


@dataclass(frozen=True, kw_only=True)
class Laplacian(DistanceKernel):
    """Not smooth, and robust: the usual choice for Coulomb matrices and bags of bonds."""

    name: ClassVar[str] = "laplacian"
    title: ClassVar[str] = "Laplacian"
    source: ClassVar[str] = "l1"
    metric: ClassVar[str] = "l1"
    help: ClassVar[str] = "Has a kink at equal rows; the usual choice for Coulomb matrices and bags of bonds."
    formula: ClassVar[str] = "exp(−‖x − y‖₁ / σ)"
    reference: ClassVar[str] = "K. Hansen et al., J. Chem. Theory Comput. 9, 3404 (2013)"

    def _evaluate_distances(self, values: Array) -> Array:
        from qmlstudio.learning.kernels._function_loops import exponential

        exponential(values.reshape(-1), values.dtype.type(-1.0 / self._scale))
        return values


@dataclass(frozen=True, kw_only=True)
class Matern(DistanceKernel):
    """Between the exponential of the distance (½) and the Gaussian (∞): once (3/2) or twice (5/2) differentiable."""

    name: ClassVar[str] = "matern"
    title: ClassVar[str] = "Matérn"
    source: ClassVar[str] = "l2sq"
    help: ClassVar[str] = "Between the exponential of the distance (½) and the Gaussian: of finite smoothness."
    formula: ClassVar[str] = "e^(−r), (1 + √3 r) e^(−√3 r), (1 + √5 r + 5r²/3) e^(−√5 r);  r = ‖x − y‖ / σ"
    reference: ClassVar[str] = (
        "C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), eq. 4.14–4.17"
    )

    order: str = param(
        "3/2",
        label="Order ν",
        choices=("1/2", "3/2", "5/2"),
        help="Functions are differentiable fewer than ν times.",
    )

    def _evaluate_distances(self, values: Array) -> Array:
        from qmlstudio.learning.kernels import _function_loops as loops

        number, flat = values.dtype.type, values.reshape(-1)
        if self.order == "1/2":
            loops.exponential_of_root(flat, number(-1.0 / self._scale))
        elif self.order == "3/2":
            loops.matern_three(flat, number(math.sqrt(3.0) / self._scale), number(1.0))
        else:
            loops.matern_five(flat, number(math.sqrt(5.0) / self._scale), number(1.0), number(1.0 / 3.0))
        return values


@dataclass(frozen=True, kw_only=True)
class RationalQuadratic(DistanceKernel):
    """A mixture of Gaussians of all widths about σ: heavy tails."""

    name: ClassVar[str] = "rational_quadratic"
    title: ClassVar[str] = "Rational quadratic"
    source: ClassVar[str] = "l2sq"
    help: ClassVar[str] = "A mixture of Gaussians of many widths; the Gaussian itself for large α."
    formula: ClassVar[str] = "(1 + ‖x − y‖² / 2ασ²)^(−α)"
    reference: ClassVar[str] = (
        "C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), eq. 4.19"
    )

    alpha: float = param(1.0, label="α", low=1e-3, high=1e6, step=0.5, help="The smaller, the wider the mixture.")

    def _evaluate_distances(self, values: Array) -> Array:
        from qmlstudio.learning.kernels._function_loops import rational_quadratic

        rational_quadratic(values.reshape(-1), 0.5 / (self.alpha * self._scale**2), self.alpha)
        return values


@dataclass(frozen=True, kw_only=True)
class Wasserstein(DistanceKernel):
    """A function of how far the sorted numbers of one row must be moved to be those of the other."""

    name: ClassVar[str] = "wasserstein"
    title: ClassVar[str] = "Wasserstein"
    source: ClassVar[str] = "w1"
    help: ClassVar[str] = "Compares the numbers of two rows as distributions: their order does not matter."
    formula: ClassVar[str] = "exp(−W_p^q / σ);  W_p^p = mean |x₍ₖ₎ − y₍ₖ₎|^p of the sorted rows"
    reference: ClassVar[str] = (
        "O. Çaylak, O. A. von Lilienfeld, B. Baumeier, Mach. Learn.: Sci. Technol. 1, 03LT01 (2020)"
    )

    p: int = param(
        1, label="p", choices=(1, 2), help="Of the distance: 1, mean of the differences; 2, of their squares."
    )
    q: float = param(
        1.0, label="q", low=0.1, high=2.0, step=0.5, help="Power of the distance, at most p: else it is no kernel."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.q > self.p:
            raise ValueError(f"q: {self.q} is above p = {self.p}, for which exp(−W_p^q / σ) is no kernel")

    @property
    def distance_kind(self) -> str:
        """See :attr:`PairwiseKernel.distance_kind`."""
        return "w1" if self.p == 1 else "w2sq"

    def uses(self) -> Counter[str]:
        """See :meth:`PairwiseKernel.uses`."""
        return Counter((self.distance_kind,))

    def _automatic(self, rows: Rows, seed: int) -> float:
        return float(median_distance(rows, f"w{self.p}", seed) ** self.q)

    def _evaluate_distances(self, values: Array) -> Array:
        from qmlstudio.learning.kernels._function_loops import exponential

        if self.q != self.p:
            np.power(values, values.dtype.type(self.q / self.p), out=values)
        exponential(values.reshape(-1), values.dtype.type(-1.0 / self._scale))
        return values


@dataclass(frozen=True, kw_only=True)
class Linear(PairwiseKernel):
    """The product: models are linear in the features."""

    name: ClassVar[str] = "linear"
    title: ClassVar[str] = "Linear"
    source: ClassVar[str] = "dot"
    help: ClassVar[str] = "Models are linear in the features: right for counts of fragments, atoms and bits."
    formula: ClassVar[str] = "x·y"
    reference: ClassVar[str] = "A. E. Hoerl, R. W. Kennard, Technometrics 12, 55 (1970)"

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        return tile.take("dot")

    def _own(self, side: Side) -> Floats:
        return side.squares()


@dataclass(frozen=True, kw_only=True)
class Polynomial(ScaledKernel):
    """Products of up to so many features."""

    name: ClassVar[str] = "polynomial"
    title: ClassVar[str] = "Polynomial"
    source: ClassVar[str] = "dot"
    help: ClassVar[str] = "Models are polynomials of the features, of the chosen degree."
    formula: ClassVar[str] = "(x·y / σ² + offset)^degree"
    reference: ClassVar[str] = "B. Schölkopf, A. J. Smola, Learning with Kernels (MIT Press, 2002)"

    degree: int = param(2, label="Degree", low=1, high=12, step=1)
    offset: float = param(1.0, label="Offset", low=0.0, high=1e9, step=0.5, help="Of 0: the highest powers only.")

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        values = tile.take("dot")
        values *= values.dtype.type(1.0 / self._scale**2)
        values += values.dtype.type(self.offset)
        if self.degree > 1:
            base = tile.spare()
            base[:] = values
            for _ in range(self.degree - 1):
                values *= base
            tile.give_back(base)
        return values

    def _own(self, side: Side) -> Floats:
        powers: Floats = (side.squares() / self._scale**2 + self.offset) ** self.degree
        return powers


@dataclass(frozen=True, kw_only=True)
class Cosine(PairwiseKernel):
    """The cosine of the angle between two rows. Rows of zeros are like nothing, not even themselves."""

    name: ClassVar[str] = "cosine"
    title: ClassVar[str] = "Cosine"
    source: ClassVar[str] = "dot"
    help: ClassVar[str] = "The angle between two rows; how long they are does not matter."
    formula: ClassVar[str] = "x·y / (‖x‖ ‖y‖)"
    reference: ClassVar[str] = "G. Salton, A. Wong, C. S. Yang, Commun. ACM 18, 613 (1975)"

    @staticmethod
    def _factors(side: Side) -> Array:
        def make() -> Array:
            norms = np.sqrt(side.squares())
            return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)

        return side.kept("1 / norms", make)

    def prepare(self, side: Side) -> None:
        """See :meth:`PairwiseKernel.prepare`."""
        self._factors(side)

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        values = tile.take("dot")
        values *= tile.of_rows(self._factors(tile.left))[:, None]
        values *= tile.of_columns(self._factors(tile.right))
        return values

    def _own(self, side: Side) -> Floats:
        return np.asarray(side.squares() > 0.0, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Tanimoto(PairwiseKernel):
    """The shared part of two fingerprints, of bits or counts. Two empty ones are alike."""

    name: ClassVar[str] = "tanimoto"
    title: ClassVar[str] = "Tanimoto"
    source: ClassVar[str] = "dot"
    help: ClassVar[str] = "What two fingerprints share over what either has: for bits, and for counts in two ways."
    formula: ClassVar[str] = "x·y / (‖x‖² + ‖y‖² − x·y), or Σ min(x, y) / Σ max(x, y)"
    reference: ClassVar[str] = "L. Ralaivola, S. J. Swamidass, H. Saigo, P. Baldi, Neural Networks 18, 1093 (2005)"

    counts: str = param(
        "products",
        label="Counts",
        choices=(("products", "products"), ("smaller", "smaller over larger")),
        help="Of bits both are the same; of counts “smaller over larger” is what RDKit calls Tanimoto.",
    )

    def uses(self) -> Counter[str]:
        """See :meth:`PairwiseKernel.uses`."""
        return Counter(("dot" if self.counts == "products" else "l1",))

    def prepare(self, side: Side) -> None:
        """See :meth:`PairwiseKernel.prepare`."""
        if self.counts == "products":
            side.squares()
        else:
            side.sums()

    def evaluate(self, tile: Tile) -> Array:
        """See :meth:`PairwiseKernel.evaluate`."""
        from qmlstudio.learning.kernels._function_loops import smaller_over_larger, tanimoto

        if self.counts == "products":
            values = tile.take("dot")
            squares = tile.of_rows(tile.left.squares()), tile.of_columns(tile.right.squares())
            tanimoto(values.reshape(-1), *squares)
        else:
            values = tile.take("l1")
            sums = tile.of_rows(tile.left.sums()), tile.of_columns(tile.right.sums())
            smaller_over_larger(values.reshape(-1), *sums)
        return values

    def _own(self, side: Side) -> Floats:
        self.prepare(side)
        return np.ones(len(side))
