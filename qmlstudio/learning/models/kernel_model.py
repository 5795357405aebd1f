"""What kernel models have in common: a kernel, a way to solve for the weights, and predictions from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from qmlstudio.chem.structures import Species
from qmlstudio.learning._threads import blas_threads, for_flops
from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.models._nearest import nearest
from qmlstudio.learning.models.base import Array, FittedModel, Floats, ModelSpec, Prediction
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

SOLVERS = (
    ("auto", "automatic: exact if memory allows"),
    ("exact", "exact: Cholesky, in place"),
    ("pcg", "iterative: preconditioned conjugate gradients"),
    ("nystroem", "landmarks (Nyström)"),
)


def default_kernel() -> Kernel:
    """A Gaussian of automatic width."""
    from qmlstudio.learning.kernels import REGISTRY

    return REGISTRY["gaussian"]()


@dataclass(frozen=True, kw_only=True)
class KernelModel(ModelSpec):
    """Models whose predictions are sums of similarities to training structures."""

    solvers: ClassVar[tuple[str, ...]] = ("exact", "pcg", "nystroem")
    """Ways to solve that the model can take, the best answer first."""

    kernel: Kernel = field(default_factory=default_kernel)
    centre: bool | None = param(
        None,
        label="Subtract the mean",
        none_label="automatic",
        advanced=True,
        help=(
            "Whether the mean of the training values is taken out first. Automatic: not with kernels that are sums "
            "over atoms, so that predictions grow with the molecule."
        ),
    )
    solver: str = param(
        "auto",
        label="Solver",
        choices=SOLVERS,
        advanced=True,
        help=(
            "Exact needs n² numbers in memory. Iterative gives the same answer to a tolerance with a matrix that lies "
            "on disk or is never stored. Landmarks give an approximation, for any number of structures."
        ),
    )
    precision: str = param(
        "float64",
        label="Matrix in",
        choices=(("float64", "double precision"), ("float32", "single precision, half the memory")),
        advanced=True,
        help="Single precision is refined in double; it costs accuracy where λ is below 1e-6 of the diagonal.",
    )
    landmarks: int = param(
        2000,
        label="Landmarks",
        low=1,
        high=100_000,
        step=500,
        advanced=True,
        help="Of the Nyström approximation, or the rank of the iterative solver's preconditioner.",
    )
    landmark_method: str = param(
        "fps", label="Chosen", choices=(("fps", "farthest points"), ("random", "at random")), advanced=True
    )
    storage: str = param(
        "auto",
        label="Matrix of the iterative solver",
        choices=(
            ("auto", "where there is room"),
            ("memory", "in memory"),
            ("disk", "in a temporary file, single precision"),
            ("none", "never stored: computed again in each step"),
        ),
        advanced=True,
    )
    tolerance: float = param(
        1e-7, label="Tolerance", low=1e-14, high=0.1, advanced=True, help="Of the iterative solver: |residual| / |y|."
    )
    max_iterations: int = param(1000, label="Most steps", low=1, high=1_000_000, step=100, advanced=True)
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)

    @property
    def ridge(self) -> float:
        """What is added to the kernel matrix's diagonal."""
        raise NotImplementedError

    @property
    def centres(self) -> bool:
        """Whether the mean is subtracted, the automatic case resolved."""
        return not is_extensive(self.kernel) if self.centre is None else self.centre

    def to_dict(self) -> dict[str, Any]:
        """As :meth:`Parameterised.to_dict`, with the kernel's description under "kernel"."""
        return {**super().to_dict(), "kernel": self.kernel.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`; a kernel may also be given as such."""
        from qmlstudio.learning import kernels

        kernel = data.get("kernel")
        values = {k: v for k, v in data.items() if k != "kernel"}
        made = super().from_dict(values)
        if kernel is None:
            return made
        return replace(made, kernel=kernel if isinstance(kernel, Kernel) else kernels.from_dict(kernel))

    def check(self, rows: Rows) -> None:
        """Raise ValueError, with the remedy, when these rows are none for the kernel."""
        self.kernel.check(rows)
        if self.kernel.scope == "global" and rows.is_local:
            raise ValueError(
                f"{self.kernel.title} compares one row of each structure: choose a representation of whole structures, "
                "or a kernel that sums over atoms"
            )


def is_extensive(kernel: Kernel) -> bool:
    """Whether a kernel is a sum over atoms, which grows with the molecule, and no factor or normalisation undoes it."""
    if hasattr(kernel, "extensive"):
        return bool(kernel.extensive)
    parts = inner_kernels(kernel)
    if kernel.name == "sum":
        return bool(parts) and all(is_extensive(part) for part in parts)
    return kernel.name in ("local_sum", "fchl18")


def inner_kernels(kernel: Kernel) -> tuple[Kernel, ...]:
    """The kernels that are fields of a kernel, or in tuples that are."""
    found: list[Kernel] = []
    for f in fields(kernel):
        value = getattr(kernel, f.name)
        found += [part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Kernel)]
    return tuple(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedKernelModel(FittedModel):
    """Weights of training structures.

    Attributes
    ----------
    spec : KernelModel
        Its kernel has all scales.
    train_rows : Rows
        Features of the training structures that bear weights: all, or the landmarks.
    weights : (m, t) float64
        α: a prediction is mean + Σ_j α_j k_j.
    mean : (t,) float64
        Taken out of the targets before; zeros where none was.
    diagonal : (m,) float64
        Similarity of each training structure with itself.
    train_indices : (m,) int64 or None
        Where the landmarks stood among the rows that the model was fitted to; None: all of them.
    method : "exact", "pcg" or "nystroem"
    """

    spec: KernelModel
    train_rows: Rows
    weights: Floats
    mean: Floats
    diagonal: Floats
    train_indices: Array | None = None
    method: str = "exact"

    @property
    def kernel(self) -> Kernel:
        """With all scales known."""
        return self.spec.kernel

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """See :meth:`FittedModel.predict`."""
        values = np.empty((len(rows), self.weights.shape[1]))
        distance = np.empty(len(rows))
        own = self._own(rows)
        with blas_threads(for_flops(threads, 2.0 * len(rows) * self.weights.size)):
            for start, stop, block in self._similarities(rows, progress, threads):
                np.matmul(block, self.weights, out=values[start:stop])
                distance[start:stop] = nearest(block, own[start:stop], self.diagonal)
        values += self.mean
        return Prediction(values, distance=distance)

    def contributions(self, rows: Rows, index: int, target: int = 0) -> Floats:
        """(m,) α_j k_j of each training structure for one prediction; their sum and the mean are the prediction."""
        one = rows.take(slice(index, index + 1) if index >= 0 else [index])
        similar = self.kernel.matrix(one, self.train_rows, threads=1)[0]
        found: Floats = similar * self.weights[:, target]
        return found

    def similarities(self, rows: Rows, index: int) -> Floats:
        """(m,) k_j between one structure and those of the training set."""
        one = rows.take(slice(index, index + 1) if index >= 0 else [index])
        return np.asarray(self.kernel.matrix(one, self.train_rows, threads=1)[0], dtype=np.float64)

    def arrays(self) -> dict[str, Array]:
        """Weights and training rows."""
        found = {"weights": self.weights, "mean": self.mean, "diagonal": self.diagonal}
        if self.train_indices is not None:
            found["train_indices"] = self.train_indices
        return found | rows_to_arrays(self.train_rows)

    def facts(self) -> dict[str, Any]:
        """See :meth:`FittedModel.facts`."""
        return super().facts() | {"method": self.method}

    def _own(self, rows: Rows) -> Floats:
        self.spec.check(rows)
        if rows.array.shape[1] != self.train_rows.array.shape[1]:
            raise ValueError(
                f"the features have {rows.array.shape[1]} columns, the model was trained on "
                f"{self.train_rows.array.shape[1]}: compute them with the model's own elements"
            )
        return self.kernel.diagonal(rows)

    def _similarities(
        self, rows: Rows, progress: Progress, threads: int | None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[tuple[int, int, Array]]:
        yield from self.kernel.blocks(rows, self.train_rows, progress, block_bytes=block_bytes, threads=threads)


def rows_to_arrays(rows: Rows, prefix: str = "rows") -> dict[str, Array]:
    """Rows as arrays with names, for files."""
    found = {f"{prefix}/features": np.asarray(rows.array)}
    for name in ("offsets", "numbers", "sizes"):
        value = getattr(rows, name)
        if value is not None:
            found[f"{prefix}/{name}"] = np.asarray(value)
    if rows.species is not None:
        species = rows.species
        found[f"{prefix}/species"] = np.array([species.numbers, species.counts], dtype=np.int64).reshape(2, -1)
        found[f"{prefix}/n_max"] = np.array([species.n_max], dtype=np.int64)
    return found


def rows_from_arrays(arrays: dict[str, Array], representation: Any = None, prefix: str = "rows") -> Rows:
    """Inverse of :func:`rows_to_arrays`; KeyError when there are none."""
    species = None
    if (table := arrays.get(f"{prefix}/species")) is not None:
        species = Species(tuple(table[0].tolist()), tuple(table[1].tolist()), int(arrays[f"{prefix}/n_max"][0]))
    return Rows(
        arrays[f"{prefix}/features"],
        arrays.get(f"{prefix}/offsets"),
        arrays.get(f"{prefix}/numbers"),
        arrays.get(f"{prefix}/sizes"),
        representation,
        species,
    )


def kernel_parts(arrays: dict[str, Array], facts: dict[str, Any], representation: Any) -> dict[str, Any]:
    """What a fitted kernel model is built from again, but for its specification."""
    return {
        "n_train": int(facts["n_train"]),
        "seconds": dict(facts["seconds"]),
        "domain": facts["domain"],
        "notes": tuple(facts["notes"]),
        "method": str(facts["method"]),
        "train_rows": rows_from_arrays(arrays, representation),
        "weights": arrays["weights"],
        "mean": arrays["mean"],
        "diagonal": arrays["diagonal"],
        "train_indices": arrays.get("train_indices"),
    }
