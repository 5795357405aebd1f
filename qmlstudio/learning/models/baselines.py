"""Models that any better one has to beat: the mean, dressed atoms, a line, the nearest structures."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from qmlstudio.learning._threads import blas_threads, for_flops
from qmlstudio.learning.cross_nearest import nearest_distances
from qmlstudio.learning.models._landmarks import structure_rows
from qmlstudio.learning.models._nearest import domain_of
from qmlstudio.learning.models.base import (
    Array,
    FittedModel,
    Floats,
    ModelSpec,
    Prediction,
    check_finite,
    check_targets,
)
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices

_SAMPLED = 2000
"""Training rows whose nearest others tell the domain, where comparing all with all would take long."""
POOLS = (("mean", "mean over the atoms"), ("sum", "sum over the atoms"))


def pooled(rows: Rows, how: str = "mean") -> Array:
    """(n, d) one row for each structure: of local rows the mean or the sum over the atoms."""
    found = structure_rows(rows)
    if rows.offsets is None or how == "mean":
        return found
    return found * np.diff(rows.offsets)[:, None]


def common_parts(facts: dict[str, Any]) -> dict[str, Any]:
    """What every fitted model is built from again."""
    return {
        "n_train": int(facts["n_train"]),
        "seconds": dict(facts["seconds"]),
        "domain": facts["domain"],
        "notes": tuple(facts["notes"]),
    }


@dataclass(frozen=True, kw_only=True)
class MeanModel(ModelSpec):
    """The mean of the training values, whatever is asked for."""

    name: ClassVar[str] = "mean"
    title: ClassVar[str] = "Mean"
    needs: ClassVar[str] = "nothing"
    help: ClassVar[str] = "Every prediction is the mean of the training values: an error above its is worse than none."

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedMean:
        """See :meth:`ModelSpec.fit`."""
        y = check_targets(rows, targets)
        return FittedMean(spec=self, n_train=len(y), mean=y.mean(axis=0), spread=y.std(axis=0))

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedMean:
        """See :meth:`ModelSpec.restore`."""
        return FittedMean(spec=self, **common_parts(facts), mean=arrays["mean"], spread=arrays["spread"])


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedMean(FittedModel):
    """Mean and standard deviation of the training values, (t,) each."""

    spec: MeanModel
    mean: Floats
    spread: Floats

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """The mean; its ± σ is the spread of the training values."""
        shape = (len(rows), len(self.mean))
        return Prediction(
            np.broadcast_to(self.mean, shape).copy(), np.broadcast_to(self.spread, shape).copy() if deviation else None
        )

    def arrays(self) -> dict[str, Array]:
        """Both."""
        return {"mean": self.mean, "spread": self.spread}


@dataclass(frozen=True, kw_only=True)
class Composition(ModelSpec):
    """Dressed atoms: a value for each element, by least squares on the numbers of atoms; no constant."""

    name: ClassVar[str] = "composition"
    title: ClassVar[str] = "Composition (dressed atoms)"
    needs: ClassVar[str] = "composition"
    help: ClassVar[str] = (
        "A prediction is a sum over the atoms, with one value for each element. Knows nothing of bonds: all isomers "
        "have the same. What a better model adds to it is the chemistry."
    )
    reference: ClassVar[str] = "K. Hansen et al., J. Chem. Theory Comput. 9, 3404 (2013), doi:10.1021/ct400195d"

    constant: bool = param(
        False, label="With a constant", help="For properties that do not grow with the molecule (gaps, dipoles)."
    )

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedComposition:
        """See :meth:`ModelSpec.fit`. Elements that the set cannot tell apart get the solution of least norm."""
        y = check_targets(rows, targets)
        check_finite(rows, progress)
        counts = self.counts(rows)
        values, vectors = np.linalg.eigh(counts.T @ counts)
        kept = values > 1e-12 * max(float(values[-1]), 1.0) if len(values) else np.zeros(0, dtype=bool)
        # rows whose product with a row of counts is its part along each direction in units of the training set's
        span = vectors[:, kept] / np.sqrt(values[kept])
        slopes = span @ (span.T @ (counts.T @ y))
        fitted = FittedComposition(spec=self, n_train=len(y), slopes=slopes, span=span)
        leverage = fitted.distances(counts) ** 2
        alone = leverage >= 1.0 - 1e-9
        others = np.sqrt(np.where(alone, np.inf, leverage / np.where(alone, 1.0, 1.0 - leverage)))
        return replace(fitted, domain=domain_of(others))

    def counts(self, rows: Rows) -> Floats:
        """(n, k) numbers of atoms, with a column of ones where there is a constant."""
        if rows.is_local:
            raise ValueError(f"{self.title} needs the numbers of atoms of each element: the composition's rows")
        found = np.asarray(rows.array, dtype=np.float64)
        return np.hstack([found, np.ones((len(found), 1))]) if self.constant else found

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedComposition:
        """See :meth:`ModelSpec.restore`."""
        return FittedComposition(spec=self, **common_parts(facts), slopes=arrays["slopes"], span=arrays["span"])


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedComposition(FittedModel):
    """Values of the elements' atoms.

    Attributes
    ----------
    slopes : (k, t) float64
        Value of an atom of each element, and last the constant if there is one.
    span : (k, r) float64
        Directions in which the training set varies, over their lengths.
    """

    spec: Composition
    slopes: Floats
    span: Floats

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Sums over the atoms; the distance is the root of the leverage, infinite outside the training set's span."""
        counts = self.spec.counts(rows)
        if counts.shape[1] != len(self.slopes):
            raise ValueError(f"the rows have {counts.shape[1]} elements, the model {len(self.slopes)}")
        return Prediction(counts @ self.slopes, distance=self.distances(counts))

    def distances(self, counts: Floats) -> Floats:
        """(n,) roots of the leverages."""
        along = counts @ self.span
        # the part that no training structure has
        back = along @ np.linalg.pinv(self.span) if self.span.size else np.zeros_like(counts)
        outside = np.abs(counts - back).max(axis=1, initial=0.0) > 1e-6 * (1.0 + np.abs(counts).max(initial=0.0))
        return np.where(outside, np.inf, np.sqrt(np.einsum("ij,ij->i", along, along)))

    def arrays(self) -> dict[str, Array]:
        """Slopes and span."""
        return {"slopes": self.slopes, "span": self.span}


@dataclass(frozen=True, kw_only=True)
class NearestNeighbors(ModelSpec):
    """The mean of the k nearest training structures, those that are nearer counting more."""

    name: ClassVar[str] = "nearest_neighbors"
    title: ClassVar[str] = "Nearest neighbours"
    help: ClassVar[str] = "A prediction is the mean of the nearest training structures: what looking up would give."
    reference: ClassVar[str] = "T. M. Cover, P. E. Hart, IEEE Trans. Inf. Theory 13, 21 (1967)"

    k: int = param(5, label="Neighbours", low=1, high=1000, step=1)
    weights: str = param(
        "distance", label="Weights", choices=(("distance", "inverse distance"), ("uniform", "the same for all"))
    )

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedNeighbors:
        """See :meth:`ModelSpec.fit`; keeps the rows (of local features their mean over the atoms)."""
        y = check_targets(rows, targets)
        check_finite(rows, progress)
        array = np.ascontiguousarray(structure_rows(rows))
        return FittedNeighbors(
            spec=self, n_train=len(y), train=array, targets=y, domain=feature_domain(array, progress)
        )

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedNeighbors:
        """See :meth:`ModelSpec.restore`."""
        return FittedNeighbors(spec=self, **common_parts(facts), train=arrays["train"], targets=arrays["targets"])


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedNeighbors(FittedModel):
    """Training rows (n, d) and their values (n, t)."""

    spec: NearestNeighbors
    train: Array
    targets: Floats

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Weighted means; ± σ is the weighted spread of the neighbours' values."""
        asked, count = structure_rows(rows), min(self.spec.k, len(self.train))
        if asked.shape[1] != self.train.shape[1]:
            raise ValueError(f"the features have {asked.shape[1]} columns, the model's {self.train.shape[1]}")
        origin = self.train.mean(axis=0, dtype=np.float64)
        there = self.train - origin
        norms = np.einsum("ij,ij->i", there, there)
        values = np.empty((len(asked), self.targets.shape[1]))
        spread, distance = np.empty_like(values), np.empty(len(asked))
        with blas_threads(for_flops(threads, 2.0 * len(asked) * there.size)):
            for start, stop in slices(len(asked), progress, self.spec.title, first=16):
                here = asked[start:stop] - origin
                squares = norms - 2.0 * (here @ there.T)
                near = np.argpartition(squares, count - 1, axis=1)[:, :count]
                # from differences: products lose the figures of what is very near
                gaps = np.linalg.norm(here[:, None, :] - there[near], axis=2)
                weights = self._weights(gaps)
                own = self.targets[near]
                values[start:stop] = np.einsum("ik,ikt->it", weights, own)
                spread[start:stop] = np.sqrt(np.einsum("ik,ikt->it", weights, (own - values[start:stop, None, :]) ** 2))
                distance[start:stop] = gaps.min(axis=1)
        return Prediction(values, spread if deviation else None, distance)

    def _weights(self, gaps: Floats) -> Floats:
        """(m, k) that sum to one; equal rows alone count where there are any."""
        if self.spec.weights == "uniform":
            return np.full_like(gaps, 1.0 / gaps.shape[1])
        same = gaps <= 1e-12 * np.maximum(gaps.max(axis=1, keepdims=True), np.finfo(float).tiny)
        raw = np.where(same.any(axis=1, keepdims=True), same, 1.0 / np.where(same, 1.0, gaps))
        found: Floats = raw / raw.sum(axis=1, keepdims=True)
        return found

    def arrays(self) -> dict[str, Array]:
        """Rows and values."""
        return {"train": self.train, "targets": self.targets}


def feature_domain(array: Array, progress: Progress = SILENT) -> float | None:
    """The distance within which 95 % of (a sample of) training rows have another one."""
    n = len(array)
    if n <= _SAMPLED:
        return domain_of(nearest_distances(array, None, progress))
    chosen = np.sort(np.random.default_rng(0).choice(n, _SAMPLED, replace=False))
    # a sample against all others: each is the nearest of itself, so the rest is compared in two parts
    rest = np.setdiff1d(np.arange(n), chosen)
    within = nearest_distances(array[chosen], None, progress.part(0.0, 0.3))
    return domain_of(np.fmin(within, nearest_distances(array[chosen], array[rest], progress.part(0.3, 1.0))))


def elapsed(began: float) -> dict[str, float]:
    """Seconds since a time of :func:`time.perf_counter`, as a fit tells them."""
    return {"solve": time.perf_counter() - began}
