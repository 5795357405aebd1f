"""Kernel ridge regression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from qmlstudio.learning.models import _solving
from qmlstudio.learning.models.base import Array, check_finite, check_targets
from qmlstudio.learning.models.kernel_model import FittedKernelModel, KernelModel, kernel_parts
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class KernelRidge(KernelModel):
    """Kernel ridge regression: α = (K + λ)⁻¹ (y − ȳ), prediction ȳ + Σ α_j k_j."""

    name: ClassVar[str] = "kernel_ridge"
    title: ClassVar[str] = "Kernel ridge regression"
    help: ClassVar[str] = (
        "A prediction is a sum over the training structures, each counted by its similarity and a weight. All "
        "properties share one factorisation. Has one regularisation, λ, and the kernel's own parameters."
    )
    reference: ClassVar[str] = "M. Rupp, Int. J. Quantum Chem. 115, 1058 (2015), doi:10.1002/qua.24954"

    lambda_: float = param(
        1e-8,
        label="λ",
        low=0.0,
        high=1e12,
        help=(
            "Added to the diagonal of the kernel matrix, as it stands: the similarity of a structure with itself is 1 "
            "for most kernels, about the square of the number of atoms for sums over atoms."
        ),
    )

    @property
    def ridge(self) -> float:
        """λ."""
        return self.lambda_

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedKernelModel:
        """See :meth:`ModelSpec.fit`. Raises NotPositiveError, a ValueError, where jitter does not help."""
        from qmlstudio.learning.models.plans import settle

        y = check_targets(rows, targets)
        self.check(rows)
        check_finite(rows, progress)
        spec = settle(replace(self, kernel=self.kernel.fitted(rows, self.seed)), rows, y.shape[1], memory_budget)
        mean = y.mean(axis=0) if spec.centres else np.zeros(y.shape[1])
        found = _solving.solve(spec, spec.solver, rows, np.ascontiguousarray((y - mean).T), progress, threads)
        progress(1.0)
        return FittedKernelModel(
            spec=spec,
            n_train=len(rows),
            seconds=found.seconds,
            domain=found.domain,
            notes=tuple(found.notes),
            train_rows=found.rows,
            weights=found.weights,
            mean=mean,
            diagonal=found.diagonal,
            train_indices=found.indices,
            method=spec.solver,
        )

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedKernelModel:
        """See :meth:`ModelSpec.restore`."""
        return FittedKernelModel(spec=self, **kernel_parts(arrays, facts, representation))
