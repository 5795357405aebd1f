"""Ridge regression: linear in the features, or in fingerprints."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from qmlstudio.learning._threads import blas_threads, for_flops
from qmlstudio.learning.models._nearest import domain_of
from qmlstudio.learning.models.base import (
    Array,
    FittedModel,
    Floats,
    ModelSpec,
    Prediction,
    TooLargeError,
    check_finite,
    check_targets,
)
from qmlstudio.learning.models.baselines import POOLS, common_parts, elapsed, pooled
from qmlstudio.learning.models.cholesky import Cholesky
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

_BLOCK = 1 << 22
"""Values of features that are worked on together."""


@dataclass(frozen=True, kw_only=True)
class LinearRidge(ModelSpec):
    """Linear in the features, with a penalty on the squares of the slopes."""

    name: ClassVar[str] = "linear_ridge"
    title: ClassVar[str] = "Linear ridge regression"
    help: ClassVar[str] = (
        "A weight for each feature. Quick for any number of structures; a representation that is good enough for it "
        "needs no kernel."
    )
    reference: ClassVar[str] = "A. E. Hoerl, R. W. Kennard, Technometrics 12, 55 (1970)"

    lambda_: float = param(
        1e-6,
        label="λ",
        low=1e-14,
        high=1e12,
        help="Penalty, relative to the number of structures times the features' mean variance.",
    )
    standardise: bool = param(
        False, label="Standardise the features", help="Columns of equal variance: then all are penalised alike."
    )
    pool: str = param("mean", label="Local features", choices=POOLS, help="How rows of atoms become one.")

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedLinear:
        """See :meth:`ModelSpec.fit`; by the normal equations of the features, or of the structures if these are fewer.

        Raises TooLargeError when the smaller of both matrices does not fit the budget.
        """
        from qmlstudio.learning.models.plans import default_budget

        began = time.perf_counter()
        y = check_targets(rows, targets)
        check_finite(rows, progress)
        array = pooled(rows, self.pool)
        n, d = array.shape
        limit = default_budget() if memory_budget is None else memory_budget
        need = self.memory(rows)
        if need > limit:
            raise TooLargeError(
                f"{self.title} of {n:,} structures and {d:,} features takes {need / 2**30:.1f} GB of memory, more than "
                f"the {limit / 2**30:.1f} GB that it may take: choose a smaller representation or fewer structures"
            )
        with blas_threads(for_flops(threads, 2.0 * n * d * min(n, d))):
            return self._fit(array, y, progress, began)

    def memory(self, rows: Rows) -> int:
        """See :meth:`ModelSpec.memory`."""
        n, d = len(rows), rows.array.shape[1]
        return int(8 * min(n, d) ** 2 + (8 * n * d if d > n else 0) + 16 * min(_BLOCK, n * d))

    def _fit(self, array: Array, y: Floats, progress: Progress, began: float) -> FittedLinear:
        n, d = array.shape
        origin = array.mean(axis=0, dtype=np.float64)
        variance = np.zeros(d)
        for block in _blocks(array, origin, np.ones(d), progress):
            variance += np.einsum("ij,ij->j", block, block) / n
        spread = np.ones(d)
        if self.standardise:
            # a constant column stays constant, but for rounding
            varies = variance > 1e-24 * (origin**2 + variance)
            spread[varies] = np.sqrt(variance[varies])
            variance = np.where(varies, 1.0, 0.0)
        typical = float(variance.mean()) if d else 0.0
        ridge = self.lambda_ * n * (typical if typical > 0.0 else 1.0)
        mean = y.mean(axis=0)
        primal = d <= n
        if primal:
            gram, right = np.zeros((d, d)), np.zeros((y.shape[1], d))
            done = 0
            for block in _blocks(array, origin, spread, progress.part(0.0, 0.6)):
                gram += block.T @ block
                right += (y[done : done + len(block)] - mean).T @ block
                done += len(block)
            factor = Cholesky(gram, ridge, progress.part(0.6, 1.0))
            slopes, train = factor.solve(right).T, None
        else:
            train = (array - origin) / spread
            gram = np.empty((n, n))
            step = max(1, _BLOCK // max(n, 1))
            for start in range(0, n, step):
                np.matmul(train[start : start + step], train.T, out=gram[start : start + step])
                progress(0.6 * start / n, self.title)
            factor = Cholesky(gram, ridge, progress.part(0.6, 1.0))
            slopes = train.T @ factor.solve((y - mean).T).T
        fitted = FittedLinear(
            spec=self,
            n_train=n,
            slopes=np.ascontiguousarray(slopes),
            mean=mean,
            origin=origin,
            spread=spread,
            factor=factor.blocks.matrix,
            ridge=ridge + factor.added,
            train=train,
            notes=(f"{factor.added:.1e} was added to the diagonal beside λ",) if factor.added else (),
        )
        # h / (1 − h) is the leverage of a structure for the fit without it
        kept = 1.0 - fitted.leverage(array) if primal else fitted.ridge * factor.inverse_diagonal()
        others = (1.0 - kept) / np.maximum(kept, 1e-300)
        return replace(fitted, domain=domain_of(np.sqrt(np.maximum(others, 0.0))), seconds=elapsed(began))

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedLinear:
        """See :meth:`ModelSpec.restore`."""
        parts = common_parts(facts) | {n: arrays[n] for n in ("slopes", "mean", "origin", "spread", "factor")}
        return FittedLinear(
            spec=self,
            **parts,
            ridge=float(facts["ridge"]),
            train=arrays.get("train"),
        )


@dataclass(frozen=True, kw_only=True)
class FingerprintRidge(LinearRidge):
    """Ridge regression on counts of circular substructures: what a chemist's group contributions would give."""

    name: ClassVar[str] = "fingerprint_ridge"
    title: ClassVar[str] = "Ridge on fingerprints"
    needs: ClassVar[str] = "fingerprints"
    help: ClassVar[str] = (
        "A weight for each circular substructure (Morgan fingerprint): group contributions. Knows bonds, no geometry: "
        "all conformers have the same value."
    )
    reference: ClassVar[str] = "D. Rogers, M. Hahn, J. Chem. Inf. Model. 50, 742 (2010), doi:10.1021/ci100050t"

    lambda_: float = param(
        1e-2,
        label="λ",
        low=1e-14,
        high=1e12,
        help="Penalty, relative to the number of structures times the features' mean variance.",
    )
    radius: int = param(2, label="Radius", low=0, high=6, unit="bonds", help="How far a substructure reaches.")


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedLinear(FittedModel):
    """Slopes, and what tells how far a row lies outside the training set's span.

    Attributes
    ----------
    slopes : (d, t) float64
    mean : (t,) float64
    origin, spread : (d,) float64
        Subtracted from features, and divided by.
    factor : (d, d) or (n, n) float64
        Cholesky factor of XᵀX + λ, or with `train` of XXᵀ + λ.
    ridge : float
    train : (n, d) float64 or None
        Standardised training rows, when there are fewer of them than of features.
    """

    spec: LinearRidge
    slopes: Floats
    mean: Floats
    origin: Floats
    spread: Floats
    factor: Floats
    ridge: float
    train: Array | None = None

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Linear; the distance is the root of the leverage, which is large outside the training set's span."""
        array = pooled(rows, self.spec.pool)
        if array.shape[1] != len(self.slopes):
            raise ValueError(f"the features have {array.shape[1]} columns, the model's {len(self.slopes)}")
        values = np.empty((len(array), self.slopes.shape[1]))
        with blas_threads(for_flops(threads, 1.0 * len(array) * self.factor.size)):
            done = 0
            for block in _blocks(array, self.origin, self.spread, progress.part(0.0, 0.3)):
                values[done : done + len(block)] = block @ self.slopes
                done += len(block)
            leverage = self.leverage(array, progress.part(0.3, 1.0))
        return Prediction(values + self.mean, distance=np.sqrt(leverage))

    def leverage(self, array: Array, progress: Progress = SILENT) -> Floats:
        """(m,) xᵀ(XᵀX + λ)⁻¹x of rows of features."""
        factor, found = Cholesky.of_factor(self.factor), np.empty(len(array))
        done = 0
        for block in _blocks(array, self.origin, self.spread, progress):
            if self.train is None:
                half = factor.half_solve(block)
                found[done : done + len(block)] = np.einsum("ij,ij->i", half, half)
            else:
                own = np.einsum("ij,ij->i", block, block)
                half = factor.half_solve(block @ self.train.T)
                rest = own - np.einsum("ij,ij->i", half, half)
                found[done : done + len(block)] = np.maximum(rest, 0.0) / self.ridge
            done += len(block)
        return found

    def arrays(self) -> dict[str, Array]:
        """All of them."""
        found = {n: getattr(self, n) for n in ("slopes", "mean", "origin", "spread", "factor")}
        return found if self.train is None else found | {"train": self.train}

    def facts(self) -> dict[str, Any]:
        """See :meth:`FittedModel.facts`."""
        return super().facts() | {"ridge": self.ridge}


def _blocks(array: Array, origin: Floats, spread: Floats, progress: Progress) -> Any:
    """Rows without their mean, in units of their spread, in blocks."""
    step = max(1, _BLOCK // max(array.shape[1], 1))
    for start in range(0, len(array), step):
        yield (array[start : start + step] - origin) / spread
        progress((start + step) / max(len(array), 1))
