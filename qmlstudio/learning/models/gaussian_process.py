"""Gaussian processes: kernel ridge regression that knows how sure it is, and learns its scales from the likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np

from qmlstudio.learning._threads import blas_threads, for_flops
from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.models import _solving
from qmlstudio.learning.models._nearest import nearest
from qmlstudio.learning.models.base import Array, Floats, Prediction, check_finite, check_targets
from qmlstudio.learning.models.cholesky import Cholesky, NotPositiveError
from qmlstudio.learning.models.kernel_model import FittedKernelModel, KernelModel, inner_kernels, kernel_parts
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

_STEP = 1e-4
"""Of ln σ, for the slope of kernels that have no closed one: its error is of the order of the square."""


@dataclass(frozen=True, kw_only=True)
class GaussianProcess(KernelModel):
    """Gaussian process regression with covariance a² k + s² δ, in units of each target's spread.

    Its mean is that of kernel ridge regression with λ = s² / a² (C. E. Rasmussen, C. K. I. Williams 2006, eq. 2.25);
    the variance eq. 2.26, the likelihood eq. 5.8, its slopes eq. 5.9, leave-one-out eqs. 5.10–5.12.
    """

    solvers: ClassVar[tuple[str, ...]] = ("exact", "nystroem")
    name: ClassVar[str] = "gaussian_process"
    title: ClassVar[str] = "Gaussian process"
    help: ClassVar[str] = (
        "As kernel ridge regression, with a standard deviation for each prediction: large far from the training set. "
        "The kernel's width, the amplitude and the noise may be taken from the likelihood of the training data."
    )
    reference: ClassVar[str] = "C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning (2006)"

    amplitude: float | None = param(
        None,
        label="Amplitude",
        low=1e-6,
        high=1e6,
        none_label="automatic: spread of the values",
        help="Root of the covariance's factor, in units of the targets' spread.",
    )
    noise: float = param(
        1e-3,
        label="Noise",
        low=1e-9,
        high=1e3,
        help="Standard deviation of what the features cannot explain, in units of the targets' spread.",
    )
    optimise: bool = param(
        True,
        label="Maximise the likelihood",
        help="Take width, amplitude and noise from the training data; the given ones are where the search starts.",
    )
    subset: int = param(
        500,
        label="On so many structures",
        low=10,
        high=20_000,
        step=100,
        advanced=True,
        help="Random training structures by which the likelihood is judged: each step takes their number cubed.",
    )
    steps: int = param(50, label="Most steps of the search", low=1, high=10_000, step=10, advanced=True)

    @property
    def ridge(self) -> float:
        """s² / a²."""
        return (self.noise / (1.0 if self.amplitude is None else self.amplitude)) ** 2

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedGaussianProcess:
        """See :meth:`ModelSpec.fit`. The iterative solver has no variance: it is refused with ValueError."""
        from qmlstudio.learning.models.plans import settle

        y = check_targets(rows, targets)
        self.check(rows)
        check_finite(rows, progress)
        kernel = self.kernel.fitted(rows, self.seed)
        amplitude = self.amplitude
        if amplitude is None:
            typical = float(np.mean(kernel.diagonal(rows)))
            amplitude = 1.0 / np.sqrt(typical) if typical > 0.0 else 1.0
        # variances come from a factor in double precision
        spec = replace(self, kernel=kernel, amplitude=float(np.clip(amplitude, 1e-6, 1e6)), precision="float64")
        spec = settle(spec, rows, y.shape[1], memory_budget)
        mean = y.mean(axis=0) if spec.centres else np.zeros(y.shape[1])
        scale = np.sqrt(((y - mean) ** 2).mean(axis=0))
        scale = np.where(scale > 0.0, scale, 1.0)
        scaled = np.ascontiguousarray(((y - mean) / scale).T)
        notes: list[str] = []
        if spec.optimise:
            spec, likelihood = _optimised(spec, rows, scaled, progress.part(0.0, 0.5), threads)
            notes.append(f"ln likelihood {likelihood:.2f} for {min(spec.subset, len(rows)):,} structures")
        found = _solving.solve(spec, spec.solver, rows, scaled, progress.part(0.5 * spec.optimise, 1.0), threads)
        progress(1.0)
        return FittedGaussianProcess(
            spec=spec,
            n_train=len(rows),
            seconds=found.seconds,
            domain=found.domain,
            notes=(*found.notes, *notes),
            train_rows=found.rows,
            weights=found.weights * scale,
            mean=mean,
            diagonal=found.diagonal,
            train_indices=found.indices,
            method=spec.solver,
            scale=scale,
            _factors=found.factors,
        )

    def restore(
        self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None
    ) -> FittedGaussianProcess:
        """See :meth:`ModelSpec.restore`. Factors are computed again when deviations are asked for."""
        return FittedGaussianProcess(
            spec=self, **kernel_parts(arrays, facts, representation), scale=arrays["scale"], gram=arrays.get("gram")
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedGaussianProcess(FittedKernelModel):
    """Weights, and factors for the variance.

    Attributes
    ----------
    scale : (t,) float64
        Spread of each target: its unit of amplitude and noise.
    gram : (m, m) float64 or None
        The Nyström approximation's factor, as files have it.
    """

    spec: GaussianProcess
    scale: Floats
    gram: Array | None = None
    _factors: list[Cholesky] = field(default_factory=list, repr=False)

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """See :meth:`FittedModel.predict`. ± σ is that of a new measurement: the noise is part of it."""
        if not deviation:
            return super().predict(rows, progress, threads=threads)
        own = self._own(rows)
        values, distance = np.empty((len(rows), self.weights.shape[1])), np.empty(len(rows))
        variance, n = np.empty(len(rows)), max(len(self.train_rows), 1)
        with blas_threads(for_flops(threads, float(n) ** 2 * len(rows))):
            factors = self._factorised(progress.part(0.0, 0.3), threads)
            # a substitution of a block takes some 50 ms
            size = int(np.clip(2e9 / (n * n), 1, max(BLOCK_BYTES // (8 * n), 1))) * 8 * n
            for start, stop, block in self._similarities(rows, progress.part(0.3, 1.0), threads, size):
                np.matmul(block, self.weights, out=values[start:stop])
                distance[start:stop] = nearest(block, own[start:stop], self.diagonal)
                variance[start:stop] = self._variances(factors, block, own[start:stop])
        return Prediction(values + self.mean, self._deviations(variance), distance)

    def deviations_from(self, similarities: Floats, own: Floats, threads: int | None = None) -> Floats:
        """(k, t) ± σ of structures of which the similarities (k, m) to the training rows are known already, and those
        with themselves (k,); :meth:`predict` computes them. `similarities` serve as scratch memory."""
        with blas_threads(threads):
            return self._deviations(self._variances(self._factorised(SILENT, threads), similarities, own))

    def _variances(self, factors: list[Cholesky], block: Floats, own: Floats) -> Floats:
        """(k,) in units of the amplitude's square, without noise."""
        half = factors[0].half_solve(block)
        variance: Floats = own - np.einsum("ij,ij->i", half, half)
        if len(factors) > 1:
            # landmarks: what the data leaves open of their span (J. Quiñonero-Candela, C. E. Rasmussen, J. Mach. Learn.
            # Res. 6, 1939 (2005), eq. 20b)
            half = factors[1].half_solve(half)
            variance += self.spec.ridge * np.einsum("ij,ij->i", half, half)
        return variance

    def _deviations(self, variance: Floats) -> Floats:
        amplitude = self.spec.amplitude or 1.0
        found: Floats = np.sqrt(amplitude**2 * np.maximum(variance, 0.0) + self.spec.noise**2)[:, None] * self.scale
        return found

    def leave_one_out(self, targets: Array, progress: Progress = SILENT, threads: int | None = None) -> Prediction:
        """What the model would say of each training structure had it been left out; scales are kept.

        Parameters
        ----------
        targets : (n,) or (n, t) float
            Those that it was fitted to.

        Raises
        ------
        ValueError
            Models of landmarks have no closed form.
        """
        if self.method != "exact":
            raise ValueError("leave-one-out in closed form needs the exact solver")
        y = check_targets(self.train_rows, targets)
        with blas_threads(for_flops(threads, float(len(y)) ** 3 / 3)):
            factor = self._factorised(progress.part(0.0, 0.3), threads)[0]
            inverse = factor.inverse_diagonal(progress.part(0.3, 1.0))
        values = y - self.weights / inverse[:, None]
        deviations = (self.spec.amplitude or 1.0) / np.sqrt(inverse)
        return Prediction(values, deviations[:, None] * self.scale)

    def arrays(self) -> dict[str, Array]:
        """Weights, training rows and spreads; the exact factor is computed again rather than stored."""
        found = super().arrays() | {"scale": self.scale}
        if self.method == "nystroem":
            found["gram"] = self.gram if self.gram is not None else self._factors[1].blocks.matrix
        return found

    def _factorised(self, progress: Progress, threads: int | None) -> list[Cholesky]:
        """The factors, computed again if the model came from a file."""
        if not self._factors:
            matrix = self.kernel.matrix(self.train_rows, None, progress.part(0.0, 0.5), threads=threads)
            ridge = self.spec.ridge if self.method == "exact" else 0.0
            made = [Cholesky(np.ascontiguousarray(matrix), ridge, progress.part(0.5, 1.0))]
            if self.gram is not None:
                made.append(Cholesky.of_factor(self.gram))
            self._factors.extend(made)
        return self._factors


def log_likelihood(
    matrix: Floats, targets: Floats, amplitude: float, noise: float, slopes: tuple[Floats, ...] = ()
) -> tuple[float, Floats]:
    """ln p(y) of all targets together, and its slopes (Rasmussen and Williams, eqs. 5.8 and 5.9).

    Parameters
    ----------
    matrix : (n, n) float64
        The kernel, without amplitude and noise. Not changed.
    targets : (t, n) float64
    slopes : tuple of (n, n) float64
        ∂K / ∂ ln θ of the kernel's own parameters θ.

    Returns
    -------
    value : float
    gradient : (2 + len(slopes),) float64
        With respect to ln amplitude, ln noise, and each ln θ.
    """
    t, n = targets.shape
    ridge = (noise / amplitude) ** 2
    factor = Cholesky(np.array(matrix, order="C"), ridge)
    weights = factor.solve(targets) / amplitude**2
    # everything below follows from α and K⁻¹
    inverse = factor.solve(np.eye(n)) / amplitude**2
    fit = float(np.einsum("ij,ij->", targets, weights))
    determinant = factor.log_determinant + 2.0 * n * np.log(amplitude)
    value = -0.5 * fit - 0.5 * t * determinant - 0.5 * t * n * np.log(2.0 * np.pi)
    squares, trace = float(np.einsum("ij,ij->", weights, weights)), float(np.trace(inverse))
    by_noise = noise**2 * (squares - t * trace)
    # the covariance's part without noise is the whole less the noise: yᵀα − s² αᵀα, and n − s² tr K⁻¹
    by_amplitude = (fit - noise**2 * squares) - t * (n - noise**2 * trace)
    gradient = [by_amplitude, by_noise]
    for slope in slopes:
        along = float(np.einsum("ij,ij->", weights @ slope, weights))
        gradient.append(0.5 * amplitude**2 * (along - t * float(np.einsum("ij,ij->", inverse, slope))))
    return value, np.array(gradient)


def _optimised(
    spec: GaussianProcess, rows: Rows, targets: Floats, progress: Progress, threads: int | None
) -> tuple[GaussianProcess, float]:
    """The specification with the scales of largest likelihood, by L-BFGS over their logarithms on a random subset."""
    from scipy.optimize import minimize

    n = len(rows)
    chosen = np.sort(np.random.default_rng(spec.seed).choice(n, min(n, spec.subset), replace=False))
    part, y = rows.take(chosen), np.ascontiguousarray(targets[:, chosen])
    has_width = rescaled(spec.kernel, 1.0) is not None
    evaluate = _likelihood(spec.kernel, part, y, has_width, threads)
    amplitude = spec.amplitude or 1.0
    start = np.log([amplitude, spec.noise, *([1.0] if has_width else [])])
    best: tuple[float, Floats] = (-np.inf, start)
    count = 0

    def objective(logs: Floats) -> tuple[float, Floats]:
        nonlocal best, count
        progress(min(count / (1.3 * spec.steps), 0.99), f"Maximising the likelihood: step {count + 1}")
        count += 1
        try:
            value, gradient = evaluate(logs)
        except NotPositiveError:
            return 1e25, np.zeros_like(logs)
        if value > best[0]:
            best = (value, logs.copy())
        # of the order of one, whatever the set
        return -value / len(chosen), -gradient / len(chosen)

    low = min(np.log(1e-6), start[1])
    bounds = [(np.log(1e-6), np.log(1e6)), (low, max(np.log(10.0), start[1])), *([(-5.0, 5.0)] if has_width else [])]
    with blas_threads(for_flops(threads, 3.0 * len(chosen) ** 3)):
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": spec.steps})
    value, logs = best
    kernel = (rescaled(spec.kernel, float(np.exp(logs[2]))) if has_width else None) or spec.kernel
    found = np.exp(logs)
    # within the parameters' ranges, from which rounding may have taken the ends
    amplitude, noise = np.clip(found[:2], [1e-6, 1e-9], [1e6, 1e3])
    return replace(spec, kernel=kernel, amplitude=float(amplitude), noise=float(noise)), value


def _likelihood(
    kernel: Kernel, rows: Rows, targets: Floats, has_width: bool, threads: int | None
) -> Callable[[Floats], tuple[float, Floats]]:
    """(ln amplitude, ln noise, ln factor of σ) → ln likelihood and its slopes."""

    def matrix_at(factor: float) -> Floats:
        scaled = rescaled(kernel, factor) if has_width else kernel
        found: Floats = (scaled or kernel).matrix(rows, None, threads=threads)
        return found

    fixed = None if has_width else matrix_at(1.0)

    def evaluate(logs: Floats) -> tuple[float, Floats]:
        amplitude, noise = float(np.exp(logs[0])), float(np.exp(logs[1]))
        if fixed is not None:
            return log_likelihood(fixed, targets, amplitude, noise)
        factor = float(np.exp(logs[2]))
        matrix = matrix_at(factor)
        slope = width_slope(kernel, matrix)
        if slope is None:
            slope = (matrix_at(factor * np.exp(_STEP)) - matrix_at(factor * np.exp(-_STEP))) / (2.0 * _STEP)
        return log_likelihood(matrix, targets, amplitude, noise, (slope,))

    return evaluate


def width_slope(kernel: Kernel, matrix: Floats) -> Floats | None:
    """∂K / ∂ ln σ from K alone where it is exp(−(d/σ)^p / …): −p K ln K; None of other kernels."""
    power = {"gaussian": 2.0, "laplacian": 1.0}.get(kernel.name)
    if power is None or inner_kernels(kernel):
        return None
    positive = np.maximum(matrix, np.finfo(float).tiny)
    found: Floats = -power * matrix * np.log(positive)
    return found


def rescaled(kernel: Kernel, factor: float) -> Kernel | None:
    """The kernel with all its widths (and those of kernels in it) times a factor; None if it has none."""
    changes: dict[str, Any] = {}
    for f in fields(kernel):
        value = getattr(kernel, f.name)
        if f.name == "sigma" and isinstance(value, (int, float)):
            changes["sigma"] = float(value) * factor
        elif isinstance(value, Kernel):
            if (inner := rescaled(value, factor)) is not None:
                changes[f.name] = inner
        elif isinstance(value, tuple) and any(isinstance(part, Kernel) for part in value):
            parts = [rescaled(part, factor) if isinstance(part, Kernel) else None for part in value]
            if any(part is not None for part in parts):
                changes[f.name] = tuple(new or old for new, old in zip(parts, value, strict=True))
    return replace(kernel, **changes) if changes else None
