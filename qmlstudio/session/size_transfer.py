"""Train on small molecules, test on large ones: what becomes of models beyond the span of their training set.

The same molecules are learned three times: by the present representation, by atoms whose contributions add up (FCHL19
with a kernel that sums over atoms), and by the mean of the same atoms' features. Whatever grows with the molecule can
be carried to larger ones only by the sum.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.evaluation.tasks import Target, Task
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.models.gaussian_process import GaussianProcess
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Representation
from qmlstudio.session.columns import N_HEAVY, Columns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 20
"""Small molecules of which anything can be learned."""
PRESENT, SUM, MEAN = "present", "sum", "mean"


@dataclass(frozen=True, kw_only=True)
class SizeTransfer(Parameterised):
    """What is learned and tested."""

    name: ClassVar[str] = "size_transfer"
    title: ClassVar[str] = "Train on small, test on large"

    target: str = param("", label="Property", shown=False)
    largest: int = param(5, label="Learn up to", unit="heavy atoms", low=1, high=1000, step=1)
    n_train: int = param(600, label="Learn from", low=20, high=5000, step=100, help="Small molecules, at random.")
    n_test: int = param(150, label="Test on", low=10, high=5000, step=50, help="Molecules of each size, at random.")
    normalisation: str = param(
        "none",
        label="Property",
        choices=(("none", "as it is"), ("composition", "without dressed atoms"), ("per_atom", "per atom")),
        help="Without dressed atoms, or per atom, any model gets the growth with the size for nothing.",
    )
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)


@dataclass(frozen=True, eq=False)
class SizeErrors:
    """One model's errors.

    Attributes
    ----------
    kind : "present", "sum" or "mean"
    label : str
    sizes, mae : (m,) float64
        Heavy atoms, and the mean absolute error of the molecules of that size that were not learned from.
    bias : (m,) float64
        Mean of prediction minus truth.
    counts : (m,) int64
    inside, outside : float
        Mean absolute errors up to the largest size that was learned from, and beyond.
    seconds : float
    """

    kind: str
    label: str
    sizes: Floats
    mae: Floats
    bias: Floats
    counts: Ints
    inside: float
    outside: float
    seconds: float


@dataclass(frozen=True, eq=False)
class SizeResult:
    """As far as it has come.

    Attributes
    ----------
    spec : SizeTransfer
    unit : str
    train, test : (n,), (m,) int64
    models : tuple of SizeErrors
    is_complete : bool
    """

    spec: SizeTransfer
    unit: str
    train: Ints
    test: Ints
    models: tuple[SizeErrors, ...]
    is_complete: bool = False

    def of(self, kind: str) -> SizeErrors | None:
        """The model of a kind; None before it is there."""
        return next((m for m in self.models if m.kind == kind), None)


def suggest_largest(heavy: Floats) -> int:
    """The least number of heavy atoms up to which there is enough to learn from, with larger molecules beyond it."""
    sizes, counts = np.unique(heavy[np.isfinite(heavy)].astype(np.int64), return_counts=True)
    if len(sizes) < 2:
        return int(sizes[0]) if len(sizes) else 1
    reached = np.cumsum(counts)
    enough = min(200, -(-reached[-1] // 3))
    place = min(int(np.searchsorted(reached, enough)), len(sizes) - 2)
    return int(max(sizes[place], 1))


def run(
    spec: SizeTransfer,
    dataset: Dataset,
    columns: Columns,
    representation: Representation,
    excluded: NDArray[np.bool_] | None = None,
    progress: Progress = SILENT,
) -> SizeResult:
    """Fit the three models and test them; hands out what is known after each.

    Raises
    ------
    ValueError
        Too few small molecules, no larger ones, or a representation with a kernel of its own only.
    """
    target = Task(target=spec.target, normalisation=spec.normalisation).prepare(
        columns, dataset.structures, excluded, progress.part(0.0, 0.03)
    )
    heavy = columns[N_HEAVY].values
    train, test = _split(spec, target, heavy)
    contenders = _contenders(representation)
    result = SizeResult(spec, target.unit, train, test, ())
    for k, (kind, label, made, kernel) in enumerate(contenders):
        part = progress.part(0.03 + 0.97 * k / len(contenders), 0.03 + 0.97 * (k + 1) / len(contenders))
        try:
            found = _learn(kind, label, made, kernel, result, dataset, target, heavy, part)
        except ValueError as error:
            if kind != PRESENT:
                raise
            raise ValueError(f"{representation.title}: {error}") from error
        result = SizeResult(spec, target.unit, train, test, (*result.models, found), k == len(contenders) - 1)
        progress.partial(result)
    progress(1.0)
    return result


def _contenders(representation: Representation) -> list[tuple[str, str, Representation, Kernel]]:
    from qmlstudio import representations
    from qmlstudio.learning import kernels

    fchl = representations.REGISTRY["fchl19"]()
    if representation.kernel_only:
        raise ValueError(f"{representation.title} has a kernel of its own only: choose another representation")
    own = kernels.get("local_sum" if representation.local else "laplacian")()
    title = f"{representation.title}, {own.title.lower() if representation.local else own.title}"
    return [
        (PRESENT, title, representation, own),
        (MEAN, f"{fchl.title}, mean over atoms", fchl.with_values(average="mean"), kernels.get("gaussian")()),
        (SUM, f"{fchl.title}, sum over atoms", fchl.with_values(average="off"), kernels.get("local_sum")()),
    ]


def _split(spec: SizeTransfer, target: Target, heavy: Floats) -> tuple[Ints, Ints]:
    """Training structures, all small; test structures of every size."""
    rng = np.random.default_rng(spec.seed)
    rows = target.rows
    small = rng.permutation(rows[heavy[rows] <= spec.largest])
    if len(small) < FEWEST:
        raise ValueError(
            f"{len(small)} molecules have {spec.largest} heavy atoms or fewer: at least {FEWEST} are needed, "
            "so let it learn up to more"
        )
    large = rows[heavy[rows] > spec.largest]
    if not len(large):
        raise ValueError(f"no molecule has more than {spec.largest} heavy atoms: let it learn up to fewer")
    held = small[: max(len(small) // 5, 1)]
    train = np.sort(small[len(held) :][: spec.n_train])
    test = []
    for size in np.unique(heavy[np.concatenate([held, large])]).tolist():
        of_size = np.concatenate([held, large])
        of_size = of_size[heavy[of_size] == size]
        test.append(rng.permutation(of_size)[: spec.n_test])
    return train, np.concatenate(test)


def _learn(
    kind: str,
    label: str,
    representation: Representation,
    kernel: Kernel,
    result: SizeResult,
    dataset: Dataset,
    target: Target,
    heavy: Floats,
    progress: Progress,
) -> SizeErrors:
    began = time.perf_counter()
    species = dataset.structures.species
    train, test = result.train, result.test
    some = dataset.structures.take(np.concatenate([train, test]))
    progress(0.0, label)
    rows = Rows.of(representation.compute(some, progress.part(0.0, 0.3), species=species), some)
    transform = target.transform(train)
    spec = GaussianProcess(kernel=kernel, noise=0.1, subset=200, steps=20, seed=result.spec.seed)
    model = spec.fit(rows.take(slice(0, len(train))), transform.apply(train), progress.part(0.3, 0.8))
    said = model.predict(rows.take(slice(len(train), None)), progress.part(0.8, 1.0))
    errors: Any = (transform.invert(said.values, test) - target.truth(test))[:, 0]
    sizes, which = np.unique(heavy[test], return_inverse=True)
    which = which.reshape(-1)
    counts = np.bincount(which)
    is_inside = heavy[test] <= result.spec.largest
    return SizeErrors(
        kind=kind,
        label=label,
        sizes=sizes,
        mae=np.bincount(which, np.abs(errors)) / counts,
        bias=np.bincount(which, errors) / counts,
        counts=counts,
        inside=float(np.abs(errors[is_inside]).mean()),
        outside=float(np.abs(errors[~is_inside]).mean()),
        seconds=time.perf_counter() - began,
    )
