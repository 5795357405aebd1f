"""The choice of hyper-parameters on training structures.

``search(spec, rows, targets, grid, HoldOut(), train=TrainOnly(split, 1000))``: the kernels of all σ come from one
matrix of distances, and all λ of a σ from one decomposition, so that 9 × 9 settings of 1,000 structures take
seconds.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._threads import blas_threads, worthwhile
from qmlstudio.learning.evaluation.folds import FoldSpec, LeaveOneOut, TrainOnly
from qmlstudio.learning.evaluation.grid import Grid, SearchResult, Variant, best_index, edge_notes
from qmlstudio.learning.evaluation.paths import QUICK, Spectrum, attended, lambda_path, leave_one_out, log_likelihood
from qmlstudio.learning.evaluation.tasks import Target
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Features = Callable[[dict[str, Any], Ints, Progress], Rows]
"""(parameters of the representation, structures) → their features, in that order."""
__all__ = ["Grid", "SearchResult", "lambda_path", "leave_one_out", "scaled", "search"]

BLOCK = 1 << 22
"""Numbers that are looked at together."""
MOST_BYTES = 2**30
"""Memory that the matrices of all σ may take together, where they come together."""


def search(
    spec: ModelSpec,
    rows: Rows | None,
    targets: Target | Array,
    grid: Grid,
    folds: FoldSpec,
    progress: Progress = SILENT,
    *,
    train: TrainOnly,
    features: Features | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> SearchResult:
    """Score every setting of a grid on training structures.

    Parameters
    ----------
    spec : ModelSpec
        What is varied: its kernel's σ (where it has a kernel), its ``lambda_`` (where it has one), and what the grid's
        ``models`` name.
    rows : Rows or None
        Features of all n structures of the set, of which those of `train` are looked at. None with `features`.
    targets : Target, or (n,) or (n, t) array
        Of all n structures. What a task's transform has to learn it learns of each fold's fitted structures, and
        errors are told as the task says.
    folds : FoldSpec
        :class:`HoldOut`, :class:`KFold` or :class:`LeaveOneOut`.
    progress : Progress
        Hands out a :class:`SearchResult` of what is known after every σ.
    train : TrainOnly
        The structures that may be looked at: nothing else can be given.
    features : callable, optional
        Computes the features of the given structures when the grid's ``representations`` vary.

    Returns
    -------
    SearchResult
        Its ``spec`` is the best one, with σ and λ in the model's own (absolute) numbers.

    Raises
    ------
    TypeError
        `train` is no TrainOnly.
    ValueError
        No setting gave a finite score; a likelihood or leaving one out of a model without a kernel.
    """
    if not isinstance(train, TrainOnly):
        raise TypeError("hyper-parameters are chosen on training structures: pass TrainOnly(split)")
    if rows is None and features is None:
        raise ValueError("a search needs features, or a function that computes them")
    if grid.representations and features is None:
        raise ValueError("the grid varies the representation: a function that computes its features is needed")
    work = _Search(spec, rows, targets, grid, folds, train, features, seed, threads)
    return work.run(progress)


@dataclass(frozen=True, eq=False)
class _Judge:
    """Scores predictions of one fold."""

    metric: str
    target: Target | None
    values: Floats
    fit: Ints
    check: Ints
    learned: Floats
    transform: Any
    size: Floats
    """(t,) what errors are divided by: 1 for one target."""

    @classmethod
    def of(cls, metric: str, targets: Target | Array, fit: Ints, check: Ints) -> _Judge:
        if isinstance(targets, Target):
            transform = targets.transform(fit)
            learned, known, truth = transform.apply(fit), targets.truth(fit), targets.truth(check)
        else:
            values = np.asarray(targets, dtype=np.float64)
            values = values[:, None] if values.ndim == 1 else values
            transform, learned, known, truth = None, values[fit], values[fit], values[check]
        if not np.isfinite(truth).all() or not np.isfinite(learned).all():
            raise ValueError("a training structure has no finite target: choose among the target's rows")
        size = np.ones(truth.shape[1])
        if truth.shape[1] > 1:
            size = np.abs(known - known.mean(axis=0)).mean(axis=0)
            size[size == 0] = 1.0
        target = targets if isinstance(targets, Target) else None
        return cls(metric, target, truth, fit, check, learned, transform, size)

    def score(self, predicted: Floats) -> float:
        """Of predictions (m, t) of what the model learns; NaN when one is not finite."""
        if not np.isfinite(predicted).all():
            return np.nan
        told = predicted if self.transform is None else self.transform.invert(predicted, self.check)
        return self._of_errors(np.abs(told - self.values) / self.size)

    def score_errors(self, errors: Floats) -> float:
        """Of errors (m, t) in what the model learns."""
        if not np.isfinite(errors).all():
            return np.nan
        told = errors if self.transform is None else self.transform.invert_deviation(errors, self.check)
        return self._of_errors(np.abs(told) / self.size)

    def _of_errors(self, errors: Floats) -> float:
        if self.metric == "rmse":
            return float(np.sqrt((errors**2).mean(axis=0)).mean())
        if self.metric == "median":
            return float(np.median(errors, axis=0).mean())
        return float(errors.mean())


class _Search:
    def __init__(
        self,
        spec: ModelSpec,
        rows: Rows | None,
        targets: Target | Array,
        grid: Grid,
        folds: FoldSpec,
        train: TrainOnly,
        features: Features | None,
        seed: int,
        threads: int | None,
    ) -> None:
        self.spec, self.rows, self.targets, self.grid, self.train = spec, rows, targets, grid, train
        self.features, self.seed, self.threads = features, seed, threads
        self.one_out = isinstance(folds, LeaveOneOut)
        self.folds = folds.draw(train, seed)
        kernel = getattr(spec, "kernel", None)
        self.kernel = kernel if isinstance(kernel, Kernel) else None
        self.has_lambda = hasattr(spec, "lambda_")
        self.closed = self.kernel is not None and self.has_lambda
        if (self.one_out or grid.metric == "likelihood") and not self.closed:
            what = "leaving one out" if self.one_out else "a likelihood"
            raise ValueError(f"{what} needs kernel ridge regression: choose a hold-out or k-fold and an error")
        self.variants = grid.variants
        scalable = self.kernel is not None and _has_scale(self.kernel)
        self.factors = np.array(grid.all_factors if scalable else (1.0,))
        self.lambdas = np.array(grid.all_lambdas if self.has_lambda else (np.nan,))
        shape = (len(self.variants), len(self.factors), len(self.lambdas))
        self.scores = np.full((len(self.folds), *shape), np.nan)
        self.known = np.zeros((len(self.folds), *shape[:2]), dtype=bool)
        self.sigmas, self.diagonals = np.full(shape[:2], np.nan), np.ones(shape[:2])
        self.specs: dict[tuple[int, int], ModelSpec] = {}
        self.seconds = {"features": 0.0, "kernel": 0.0, "solve": 0.0}

    def run(self, progress: Progress) -> SearchResult:
        steps = len(self.variants) * len(self.folds)
        used = np.unique(np.concatenate([np.concatenate(fold) for fold in self.folds]))
        for v, variant in enumerate(self.variants):
            began = time.perf_counter()
            whole = _Rows(
                self._features(variant, used, progress.part(v / len(self.variants), (v + 0.3) / len(self.variants))),
                used,
            )
            self._spent("features", began)
            # one scale for all folds: from training structures, those that judge among them
            kernels = self._kernels(variant, whole.all, progress)
            for f, (fit, check) in enumerate(self.folds):
                step = v * len(self.folds) + f
                judge = _Judge.of(self.grid.metric, self.targets, fit, check)
                part = progress.part(step / steps, (step + 1) / steps)
                if self.closed:
                    self._fold_closed(v, f, kernels, whole, judge, part)
                else:
                    self._fold_fitted(v, f, variant, kernels, whole, judge, part)
        progress(1.0)
        found = self.result()
        if found.index is None:
            raise ValueError("no setting of the grid gave a finite score: take larger λ or another kernel")
        return found

    def result(self) -> SearchResult:
        """What is known."""
        counts: Any = np.isfinite(self.scores).sum(axis=0)
        complete = counts == len(self.folds)
        with np.errstate(invalid="ignore"):
            mean = np.where(counts > 0, np.nansum(self.scores, axis=0) / np.maximum(counts, 1), np.nan)
            away = np.nansum((self.scores - mean) ** 2, axis=0)
        # folds that failed would flatter the others' mean
        known: Any = self.known.all(axis=0)
        failed = known[:, :, None] & ~complete
        mean = np.where(failed, np.nan, mean)
        spread = np.where(counts > 1, np.sqrt(away / np.maximum(counts - 1, 1)), np.nan)
        index = best_index(mean, self.factors, self.lambdas)
        spec, variant = self.spec, self.variants[0]
        if index is not None:
            v, s, l = index
            spec, variant = self._final(v, s, float(self.lambdas[l])), self.variants[v]
        fit, check = self.folds[0]
        n_validate = len(fit) if self.one_out else len(check)
        found = SearchResult(
            spec, variant, self.grid, self.factors, self.lambdas, self.sigmas.copy(), self.diagonals.copy(), mean,
            spread, index, float(self.known.mean()), self._unit(), len(fit) - self.one_out, n_validate,
            len(self.folds), (), dict(self.seconds),
        )  # fmt: skip
        notes = edge_notes(found.edges, self.factors, self.lambdas)
        if failed.any():
            notes += (f"{int(failed.sum())} settings have no score: their matrices are not positive definite",)
        return dataclasses.replace(found, notes=notes)

    def _features(self, variant: Variant, used: Ints, progress: Progress) -> Rows:
        self.train.check(used)
        if self.features is not None and (variant.representation or self.rows is None):
            found = self.features(variant.representation, used, progress)
            if len(found) != len(used):
                raise ValueError(f"{len(found)} rows of features came for {len(used)} structures")
        else:
            assert self.rows is not None
            found = self.train.take(self.rows, used)
        step = max(1, BLOCK // max(found.array.shape[1], 1))
        for start in range(0, len(found.array), step):
            progress.check()
            bad = ~np.isfinite(found.array[start : start + step]).all(axis=1)
            if bad.any():
                row = start + int(np.argmax(bad))
                place = row if found.offsets is None else int(np.searchsorted(found.offsets, row, side="right")) - 1
                raise ValueError(f"the features of structure {int(used[place]) + 1} are not finite: leave it out")
        return found

    def _kernels(self, variant: Variant, rows: Rows, progress: Progress) -> list[Kernel] | None:
        if self.kernel is None:
            return None
        kernel: Kernel = variant.model.get("kernel", self.kernel)
        base = attended(lambda: kernel.fitted(rows, self.seed), progress)
        return [scaled(base, float(factor)) for factor in self.factors]

    def _fold_closed(
        self, v: int, f: int, kernels: list[Kernel] | None, whole: _Rows, judge: _Judge, progress: Progress
    ) -> None:
        assert kernels is not None
        alone = self.one_out or self.grid.metric == "likelihood"
        a, b = whole.take(judge.fit), None if alone else whole.take(judge.check)
        began = time.perf_counter()
        matrices = _Matrices(kernels, a, b, progress.part(0.0, 0.3), self.threads)
        self._spent("kernel", began)
        centre = bool(getattr(self.spec, "centres", True))
        for s, kernel in enumerate(kernels):
            part = progress.part(0.3 + 0.7 * s / len(kernels), 0.3 + 0.7 * (s + 1) / len(kernels))
            part(0.0, "Choosing hyper-parameters")
            began = time.perf_counter()
            inner, across = matrices(s, part.part(0.0, 0.3))
            self._spent("kernel", began)
            began = time.perf_counter()
            diagonal = float(np.mean(np.diagonal(inner)))
            ridges = self.lambdas * diagonal
            if np.isfinite(inner).all():
                # its threads wait by spinning, and gain nothing for a thousand rows
                with blas_threads(worthwhile(self.threads, inner.shape)):
                    solved = partial(self._path, inner, across, judge, ridges, centre)
                    self.scores[f, v, s] = attended(solved, part if len(inner) > QUICK else SILENT)
            self.sigmas[v, s], self.diagonals[v, s] = _scale_of(kernel), diagonal
            self.specs[v, s] = self.spec.with_values(**{**self.variants[v].model, "kernel": kernel})
            self._spent("solve", began)
            self._told(f, v, s, part)

    def _path(self, inner: Array, across: Array | None, judge: _Judge, ridges: Floats, centre: bool) -> list[float]:
        if self.grid.metric == "likelihood":
            found = -log_likelihood(Spectrum.of(inner), judge.learned, ridges, centre=centre).mean(axis=1)
            return list(found / max(len(judge.fit), 1))
        if self.one_out:
            errors = leave_one_out(Spectrum.of(inner), judge.learned, ridges, centre=centre)
            return [judge.score_errors(e) for e in errors]
        assert across is not None
        predicted = lambda_path(inner, across, judge.learned, ridges, centre=centre)
        return [judge.score(p) for p in predicted]

    def _fold_fitted(
        self, v: int, f: int, variant: Variant, kernels: list[Kernel] | None, whole: _Rows, judge: _Judge,
        progress: Progress,
    ) -> None:  # fmt: skip
        a, b = whole.take(judge.fit), whole.take(judge.check)
        count = len(self.factors) * len(self.lambdas)
        for s in range(len(self.factors)):
            values = dict(variant.model)
            if kernels is not None:
                values["kernel"] = kernels[s]
                self.sigmas[v, s] = _scale_of(kernels[s])
            self.specs[v, s] = self.spec.with_values(**values) if values else self.spec
            for l, ridge in enumerate(self.lambdas.tolist()):
                began = time.perf_counter()
                step = s * len(self.lambdas) + l
                part = progress.part(step / count, (step + 1) / count)
                part(0.0, "Choosing hyper-parameters")
                model = self._final(v, s, ridge).fit(a, judge.learned, part.part(0.0, 0.7), threads=self.threads)
                predicted = model.predict(b, part.part(0.7, 1.0), threads=self.threads).values
                self.scores[f, v, s, l] = judge.score(predicted)
                self._spent("solve", began)
            self._told(f, v, s, progress)

    def _final(self, v: int, s: int, ridge: float) -> ModelSpec:
        spec = self.specs[v, s]
        return spec.with_values(lambda_=ridge * float(self.diagonals[v, s])) if self.has_lambda else spec

    def _told(self, f: int, v: int, s: int, progress: Progress) -> None:
        self.known[f, v, s] = True
        progress.check()
        if progress.wants_partial:
            progress.partial(self.result())

    def _unit(self) -> str:
        if self.grid.metric == "likelihood":
            return "per structure"
        if not isinstance(self.targets, Target):
            return "" if np.ndim(self.targets) == 1 or np.shape(self.targets)[1] == 1 else "of the spread"
        return self.targets.unit if len(self.targets.units) == 1 else "of the spread"

    def _spent(self, what: str, began: float) -> None:
        self.seconds[what] += time.perf_counter() - began


class _Rows:
    """Features of some structures, by the structures' numbers (`used`, ascending)."""

    def __init__(self, rows: Rows, used: Ints) -> None:
        self.all, self.used = rows, used

    def take(self, structures: Ints) -> Rows:
        return self.all.take(np.searchsorted(self.used, structures))


class _Matrices:
    """Kernel matrices of one fold for every σ: from shared distances or products where the kernel knows how."""

    def __init__(self, kernels: list[Kernel], a: Rows, b: Rows | None, progress: Progress, threads: int | None) -> None:
        self.kernels, self.a, self.b, self.threads = kernels, a, b, threads
        for side in (a, b):
            if side is not None:
                kernels[0].check(side)
        many = len(kernels) > 1
        self.kind = getattr(kernels[0], "distance_kind", None) if many else None
        series: Any = getattr(kernels[0], "series", None) if many else None
        self.inner: Any = None
        self.across: Any = None
        size = 8 * len(kernels) * len(a) * (len(a) + (0 if b is None else len(b)))
        if self.kind is not None:
            from qmlstudio.learning.kernels import distance_matrix

            self.inner = distance_matrix(self.kind, a, None, progress.part(0.0, 0.6), threads=threads)
            if b is not None:
                self.across = distance_matrix(self.kind, b, a, progress.part(0.6, 1.0), threads=threads)
        elif series is not None and size <= MOST_BYTES:
            sigmas = [_scale_of(kernel) for kernel in kernels]
            self.inner = series(sigmas, a, None, progress.part(0.0, 0.5), threads=threads)
            if b is not None:
                self.across = series(sigmas, b, a, progress.part(0.5, 1.0), threads=threads)

    def __call__(self, s: int, progress: Progress) -> tuple[Array, Array | None]:
        kernel: Any = self.kernels[s]
        if self.kind is not None:
            inner = kernel.from_distances(self.inner, None, progress, threads=self.threads)
            if self.b is None:
                return inner, None
            return inner, kernel.from_distances(self.across, None, progress, threads=self.threads)
        if self.inner is not None:
            return self.inner[s], None if self.b is None else self.across[s]
        inner = kernel.matrix(self.a, None, progress, threads=self.threads)
        return inner, None if self.b is None else kernel.matrix(self.b, self.a, progress, threads=self.threads)


def scaled(kernel: Kernel, factor: float) -> Kernel:
    """The kernel with all its known σ multiplied, those of kernels within it, too."""
    own: Any = getattr(kernel, "scaled", None)
    if own is not None:
        found: Kernel = own(factor)
        return found
    values: dict[str, Any] = {}
    for item in dataclasses.fields(kernel):
        value = getattr(kernel, item.name)
        if isinstance(value, Kernel):
            values[item.name] = scaled(value, factor)
        elif isinstance(value, tuple) and value and all(isinstance(k, Kernel) for k in value):
            values[item.name] = tuple(scaled(k, factor) for k in value)
        elif item.name == "sigma" and isinstance(value, float):
            values[item.name] = value * factor
    return dataclasses.replace(kernel, **values) if values else kernel


def _has_scale(kernel: Kernel) -> bool:
    for item in dataclasses.fields(kernel):
        value = getattr(kernel, item.name)
        parts = value if isinstance(value, tuple) else (value,)
        # the power of a cosine has a field for a width, but no width
        wide = item.name == "sigma" and getattr(kernel, "inner", "") != "dot"
        if wide or any(isinstance(k, Kernel) and _has_scale(k) for k in parts):
            return True
    return False


def _scale_of(kernel: Kernel) -> float:
    """The first σ in a kernel; NaN without any."""
    for item in dataclasses.fields(kernel):
        value = getattr(kernel, item.name)
        if item.name == "sigma" and value is not None:
            return float(value)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Kernel) and np.isfinite(found := _scale_of(part)):
                return found
    return np.nan
