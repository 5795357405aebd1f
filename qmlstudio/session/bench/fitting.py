"""Fits of one repeat of a series: all sizes of a kernel ridge by one factorisation, other models one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.evaluation.splits import Split
from qmlstudio.learning.evaluation.tasks import Target
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Progress
from qmlstudio.session.bench.matrices import Matrices, NestedRidge

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """What one fit predicts.

    Attributes
    ----------
    size : int
    model : ModelSpec
        With all scales known.
    predicted : (m, t) float64
        Of the test structures, as errors are told.
    seconds : dict of str to float
        By step. What several sizes share stands with the largest of them, which alone would have needed it all.
    bytes : int
        Of its kernel matrices.
    notes : tuple of str
    """

    size: int
    model: ModelSpec
    predicted: Floats
    seconds: dict[str, float]
    bytes: int = 0
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Fitter:
    """Fits of one repeat.

    Attributes
    ----------
    rows : Rows; target : Target; split : Split
        All by the same indices.
    matrices : Matrices
    budget : int, bytes
        Of kernel matrices: a fit that would need more is left to the model's own plan.
    """

    rows: Rows
    target: Target
    split: Split
    matrices: Matrices
    budget: int
    threads: int | None

    def fits(self, model: ModelSpec, sizes: list[int], progress: Progress) -> Iterator[Fit]:
        """One fit for each size, ascending."""
        largest = sizes[-1]
        if self._is_nested(model, 8 * largest * (largest + len(self.split.test))):
            return self._nested(model, sizes, progress)
        return self._one_by_one(model, sizes, progress)

    def _is_nested(self, model: ModelSpec, nbytes: int) -> bool:
        from qmlstudio.learning.models.kernel_ridge import KernelRidge

        return (
            type(model) is KernelRidge
            and model.solver in ("auto", "exact")
            and model.precision == "float64"
            and nbytes <= self.budget
        )

    def _nested(self, model: Any, sizes: list[int], progress: Progress) -> Iterator[Fit]:
        target, test, largest = self.target, self.split.test, sizes[-1]
        train = self.split.train_order[:largest]
        began = time.perf_counter()
        model.check(self.rows)
        if not model.kernel.is_fitted:
            model = replace(model, kernel=model.kernel.fitted(self.rows.take(train), model.seed))
        among, across = self.matrices.pair(model.kernel, train, test, progress.part(0.0, 0.5))
        kernel_seconds = time.perf_counter() - began
        began = time.perf_counter()
        ridge = NestedRidge(among, model.ridge, progress.part(0.5, 0.9))
        factor_seconds = time.perf_counter() - began
        notes = (f"{ridge.added:.2g} was added to the diagonal beyond λ",) if ridge.added else ()
        for k, size in enumerate(sizes):
            part = progress.part(0.9 + 0.1 * k / len(sizes), 0.9 + 0.1 * (k + 1) / len(sizes))
            began = time.perf_counter()
            transform = target.transform(train[:size])
            y = transform.apply(train[:size])
            mean = y.mean(axis=0) if model.centres else np.zeros(y.shape[1])
            weights = ridge.solve(y - mean, part)
            seconds = {"solve": time.perf_counter() - began}
            began = time.perf_counter()
            predicted = transform.invert(across[:, :size] @ weights + mean, test)
            seconds["predict"] = time.perf_counter() - began
            if size == largest:
                seconds["kernel"] = kernel_seconds
                seconds["solve"] += factor_seconds
            yield Fit(size, model, predicted, seconds, 8 * size * (size + len(test)), notes)

    def _one_by_one(self, model: ModelSpec, sizes: list[int], progress: Progress) -> Iterator[Fit]:
        test_rows = self.rows.take(self.split.test)
        for k, size in enumerate(sizes):
            part = progress.part(k / len(sizes), (k + 1) / len(sizes))
            part(0.0, model.title)
            train = self.split.train_order[:size]
            transform = self.target.transform(train)
            began = time.perf_counter()
            fitted = model.fit(
                self.rows.take(train),
                transform.apply(train),
                part.part(0.0, 0.8),
                threads=self.threads,
                memory_budget=self.budget,
            )
            spent = time.perf_counter() - began
            began = time.perf_counter()
            values = fitted.predict(test_rows, part.part(0.8, 1.0), threads=self.threads).values
            predicted = transform.invert(values, self.split.test)
            kernel = min(float(fitted.seconds.get("kernel", 0.0)), spent)
            seconds = {"kernel": kernel, "solve": spent - kernel, "predict": time.perf_counter() - began}
            yield Fit(size, fitted.spec, predicted, seconds, notes=tuple(fitted.notes))
