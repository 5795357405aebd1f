"""The three ways from a kernel and targets to weights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qmlstudio.learning._threads import blas_threads, for_flops
from qmlstudio.learning.models import _gradients
from qmlstudio.learning.models._landmarks import choose, pivoted_factor
from qmlstudio.learning.models._nearest import domain_of, nearest, nearest_within
from qmlstudio.learning.models.base import Array, Floats
from qmlstudio.learning.models.cholesky import Cholesky
from qmlstudio.learning.models.kernel_model import KernelModel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

_SAMPLED = 1000
"""Structures whose nearest neighbours tell the domain when the matrix is never whole."""


@dataclass(eq=False)
class Solution:
    """What a solver found.

    Attributes
    ----------
    weights : (m, t) float64
    rows : Rows
        The structures that bear them.
    diagonal : (m,) float64
    indices : (m,) int64 or None
        Of landmarks among the training structures.
    domain : float or None
    seconds, notes
        As in FittedModel.
    factors : list
        Cholesky factors from which variances follow: of K + λ, or of K_mm and of λ + BᵀB.
    """

    weights: Floats
    rows: Rows
    diagonal: Floats
    indices: Array | None = None
    domain: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    factors: list[Cholesky] = field(default_factory=list)


def solve(
    spec: KernelModel, method: str, rows: Rows, targets: Floats, progress: Progress, threads: int | None
) -> Solution:
    """Weights for the targets (t, n), centred; the kernel of `spec` has all scales."""
    solver = {"exact": exact, "pcg": iterative, "nystroem": nystroem}[method]
    n = float(len(rows))
    flops = {
        "exact": n**3 / 3,
        "pcg": 8 * n * min(spec.landmarks, n) ** 2,
        "nystroem": 2 * n * min(spec.landmarks, n) ** 2,
    }
    with blas_threads(for_flops(threads, flops[method])):
        return solver(spec, rows, targets, progress, threads)


def exact(spec: KernelModel, rows: Rows, targets: Floats, progress: Progress, threads: int | None) -> Solution:
    """(K + λ)⁻¹ y by Cholesky where K stands."""
    kernel, n = spec.kernel, len(rows)
    diagonal = kernel.diagonal(rows)
    solution = Solution(np.empty((n, len(targets))), rows, diagonal)
    with _timed(solution, "kernel"):
        matrix = np.empty((n, n), dtype=spec.precision)
        kernel.matrix(rows, None, progress.part(0.0, 0.5), out=matrix, dtype=matrix.dtype, threads=threads)
        solution.domain = domain_of(nearest_within(matrix, diagonal, progress.part(0.5, 0.53)))
    with _timed(solution, "solve"):
        factor = Cholesky(matrix, spec.ridge, progress.part(0.53, 0.95))
        rest = progress.part(0.95, 1.0)
        if matrix.dtype == np.float64:
            solution.weights[:] = factor.solve(targets, rest).T
        else:
            # the factor is a preconditioner for the matrix of which it is a rounded one
            with blas_threads(1):
                found = _gradients.solve(
                    lambda rows, _: factor.times(rows, rest) + spec.ridge * rows,
                    targets,
                    lambda rows: factor.solve(rows, _only_asking(rest)).astype(np.float64),
                    min(spec.tolerance, 1e-10),
                    100,
                    rest,
                )
            solution.weights[:] = found.weights.T
            if found.residual > spec.tolerance:
                solution.notes.append(f"single precision: the residual stays at {found.residual:.1e} of the values")
    _say_jitter(solution, factor)
    _say_rounding(spec, solution, matrix)
    solution.factors.append(factor)
    return solution


def iterative(spec: KernelModel, rows: Rows, targets: Floats, progress: Progress, threads: int | None) -> Solution:
    """(K + λ)⁻¹ y by conjugate gradients, with K in memory, on disk, or nowhere."""
    kernel, n = spec.kernel, len(rows)
    diagonal = kernel.diagonal(rows)
    solution = Solution(np.empty((n, len(targets))), rows, diagonal)
    with _timed(solution, "preconditioner"):
        factor, _ = pivoted_factor(kernel, rows, spec.landmarks, spec.seed, progress.part(0.0, 0.1), threads)
        precondition = _gradients.LowRank.of(factor, spec.ridge, progress.part(0.1, 0.15))
        del factor
    with _matrix(spec, rows, solution, progress.part(0.15, 0.5), threads) as matrix, _timed(solution, "solve"):

        def product(vectors: Floats, part: Progress) -> Floats:
            found = vectors * spec.ridge
            if matrix is not None:
                step = max(1, 1_000_000 // n)
                for start in range(0, n, step):
                    part.check()
                    block = np.asarray(matrix[start : start + step], dtype=np.float64)
                    found[:, start : start + step] += vectors @ block.T
                return found
            for start, stop, block in kernel.blocks(rows, rows, part, threads=threads):
                found[:, start:stop] += vectors @ block.T
            return found

        # reading the matrix takes the time, not reckoning: BLAS's threads would only wait for each other
        with blas_threads(1):
            result = _gradients.solve(
                product, targets, precondition, spec.tolerance, spec.max_iterations, progress.part(0.5, 1.0)
            )
    solution.weights[:] = result.weights.T
    solution.notes.append(f"{result.iterations} steps of conjugate gradients, residual {result.residual:.1e}")
    if result.residual > spec.tolerance:
        solution.notes.append(
            f"not converged: the residual is above {spec.tolerance:g}; allow more steps, take more landmarks or a "
            "larger λ"
        )
    if solution.domain is None:
        random = np.random.default_rng(spec.seed)
        sample = np.sort(random.choice(n, min(n, _SAMPLED), replace=False))
        near = [
            nearest(block, diagonal[sample[start:stop]], diagonal, sample[start:stop])
            for start, stop, block in kernel.blocks(rows.take(sample), rows, SILENT, threads=threads)
        ]
        solution.domain = domain_of(np.concatenate(near))
    return solution


@contextmanager
def _matrix(
    spec: KernelModel, rows: Rows, solution: Solution, progress: Progress, threads: int | None
) -> Iterator[Array | None]:
    """The kernel matrix for the iterative solver, wherever it is to be; None when it is not to be stored."""
    n, storage = len(rows), spec.storage
    if storage == "auto":
        from qmlstudio.learning.models.plans import default_budget

        storage = "memory" if n * n * np.dtype(spec.precision).itemsize <= default_budget() else "none"
    if storage == "none":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="qmlstudio-kernel-", ignore_cleanup_errors=True) as folder:
        with _timed(solution, "kernel"):
            matrix: Array
            if storage == "disk":
                matrix = np.memmap(Path(folder) / "kernel", dtype=np.float32, mode="w+", shape=(n, n))
            else:
                matrix = np.empty((n, n), dtype=spec.precision)
            spec.kernel.matrix(rows, None, progress, out=matrix, dtype=matrix.dtype, threads=threads)
            solution.domain = domain_of(nearest_within(matrix, solution.diagonal))
        _say_rounding(spec, solution, matrix)
        yield matrix
        del matrix


def nystroem(spec: KernelModel, rows: Rows, targets: Floats, progress: Progress, threads: int | None) -> Solution:
    """Subset of regressors: the best sum of the landmarks' kernels, |y − K_nm α|² + λ αᵀ K_mm α least.

    With K_mm = L Lᵀ and B = K_nm L⁻ᵀ, α = L⁻ᵀ (BᵀB + λ)⁻¹ Bᵀ y: BᵀB is better conditioned than K_mn K_nm.
    """
    kernel, n = spec.kernel, len(rows)
    solution = Solution(np.empty((0, len(targets))), rows, np.empty(0))
    with _timed(solution, "landmarks"):
        chosen = choose(rows, spec.landmarks, spec.landmark_method, spec.seed, progress.part(0.0, 0.15), threads)
        m = len(chosen)
        solution.rows, solution.indices = rows.take(chosen), chosen
        solution.diagonal = kernel.diagonal(solution.rows)
        own = kernel.diagonal(rows)
        place = np.full(n, -1, dtype=np.int64)
        place[chosen] = np.arange(m)
    with _timed(solution, "kernel"):
        core = kernel.matrix(solution.rows, None, progress.part(0.15, 0.25), threads=threads)
        inner = Cholesky(np.ascontiguousarray(core), 0.0, progress.part(0.25, 0.3))
        gram, right, near = np.zeros((m, m)), np.zeros((len(targets), m)), np.empty(n)
        for start, stop, block in kernel.blocks(rows, solution.rows, progress.part(0.3, 0.9), threads=threads):
            near[start:stop] = nearest(block, own[start:stop], solution.diagonal, place[start:stop])
            half = inner.half_solve(block)
            gram += half.T @ half
            right += targets[:, start:stop] @ half
    with _timed(solution, "solve"):
        outer = Cholesky(gram, spec.ridge, progress.part(0.9, 1.0))
        solution.weights = np.ascontiguousarray(inner.back_solve(outer.solve(right)).T)
    solution.domain = domain_of(near)
    _say_jitter(solution, outer)
    solution.factors += [inner, outer]
    if m < n:
        solution.notes.append(f"approximation by {m:,} landmarks of {n:,} structures")
    return solution


def _only_asking(progress: Progress) -> Progress:
    """A progress that hears a cancel but reports nothing."""

    def asked() -> bool:
        progress.check()
        return False

    return Progress(is_cancelled=asked)


@contextmanager
def _timed(solution: Solution, name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    solution.seconds[name] = solution.seconds.get(name, 0.0) + time.perf_counter() - began


def _say_jitter(solution: Solution, factor: Cholesky) -> None:
    if factor.added > 0.0:
        solution.notes.append(
            f"the kernel matrix was not positive definite: {factor.added:.1e} was added to its diagonal beside "
            f"λ = {factor.ridge:.1e}"
        )


def _say_rounding(spec: KernelModel, solution: Solution, matrix: Array) -> None:
    """A matrix in single precision is another one, by its rounding; λ decides how much that matters."""
    typical = float(np.mean(solution.diagonal))
    if matrix.dtype == np.float32 and spec.ridge < 1e-5 * typical:
        solution.notes.append(
            f"λ = {spec.ridge:.1e} is small for a matrix in single precision (values of {typical:.1e}): predictions "
            "may be off by some per cent of their error"
        )
