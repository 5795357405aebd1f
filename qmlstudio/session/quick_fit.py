"""A model of one property with sensible choices throughout, in seconds: to have something to ask why of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.evaluation.advice import advise
from qmlstudio.learning.evaluation.splits import SplitContext, propose
from qmlstudio.learning.evaluation.tasks import Target, Task
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.models.gaussian_process import GaussianProcess
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features, Representation
from qmlstudio.session.columns import Columns
from qmlstudio.session.shelf_model import ShelfModel

Ints = NDArray[np.int64]

KERNELS = (
    ("auto", "automatic"),
    ("gaussian", "Gaussian"),
    ("laplacian", "Laplacian"),
    ("local_sum", "sum over atoms"),
    ("local_average", "mean over atoms"),
)
_POOL = 20
"""Candidates for each structure that is wanted: of millions not all are looked at for duplicates."""


@dataclass(frozen=True, kw_only=True)
class QuickFit(Parameterised):
    """What is fitted: a Gaussian process whose width, amplitude and noise come from the training data's likelihood."""

    name: ClassVar[str] = "quick_fit"
    title: ClassVar[str] = "Fit a model"

    target: str = param("", label="Property", shown=False)
    n_train: int = param(1000, label="Learn from", low=10, high=10_000, step=100, help="Structures, at random.")
    n_test: int = param(500, label="Hold out", low=10, high=10_000, step=100, help="Structures to judge it by.")
    kernel: str = param(
        "auto",
        label="Kernel",
        choices=KERNELS,
        help="Of two molecules. Sums and means over atoms take the representation with a row for each atom; automatic "
        "is Laplacian of whole molecules, or of atoms where the representation has a row for each: their sum for "
        "properties that grow with the molecule, else their mean.",
    )
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)


def fit(
    spec: QuickFit,
    dataset: Dataset,
    columns: Columns,
    representation: Representation,
    features: Features | None = None,
    excluded: NDArray[np.bool_] | None = None,
    progress: Progress = SILENT,
    *,
    memory_budget: int | None = None,
) -> ShelfModel:
    """Learn a property of a random part of the data set; hyper-parameters see training structures alone.

    Structures of one molecule stay on one side (:func:`qmlstudio.learning.evaluation.splits.propose`).

    Parameters
    ----------
    features : Features, optional
        Of all structures, if they are in memory; else those of the chosen ones are computed.
    excluded : (n,) bool, optional
        Structures that are left out.

    Raises
    ------
    ValueError
        Too few structures with a value; a kernel that does not suit the representation.
    """
    if spec.kernel.startswith("local"):
        representation = of_atoms(representation)
    task, target = _task(spec, dataset, columns, excluded, progress.part(0.0, 0.05))
    train, test, why = _split(spec, dataset, columns, target, progress.part(0.05, 0.1))
    chosen = np.concatenate([train, test])
    species = dataset.structures.species
    some = dataset.structures.take(chosen)
    if features is not None and features.representation == representation and features.species == species:
        rows = Rows.of(features, dataset.structures).take(chosen)
    else:
        rows = Rows.of(representation.compute(some, progress.part(0.1, 0.4), species=species), some)
    transform = target.transform(train)
    kernel = _kernel(spec, representation, task)
    model_spec = GaussianProcess(kernel=kernel, noise=0.1, seed=spec.seed)
    learned = rows.take(slice(0, len(train)))
    model = model_spec.fit(learned, transform.apply(train), progress.part(0.4, 0.9), memory_budget=memory_budget)
    said = model.predict(rows.take(slice(len(train), len(chosen))), progress.part(0.9, 1.0))
    errors = (transform.invert(said.values, test) - target.truth(test))[:, 0]
    truth = target.truth(test)[:, 0]
    scores = {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "mad": float(np.abs(truth - truth.mean()).mean()),
    }
    found: Any = model.kernel
    name = f"{spec.target} · {representation.title} · {found.title} · {len(train):,}"
    note = f"{why} Width, amplitude and noise from the likelihood of training structures."
    return ShelfModel(
        name=name,
        model=model,
        representation=representation,
        species=species,
        task=task,
        transform=transform,
        units=target.units,
        dataset=dataset.fingerprint,
        source=dataset.name,
        train=train,
        test=test,
        scores=scores,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        note=note,
    )


def of_atoms(representation: Representation) -> Representation:
    """The same with a row for each atom; ValueError, with the remedy, where there is none."""
    if representation.local:
        return representation
    for p in representation.params():
        if p.name == "average":
            return representation.with_values(average="off")
    raise ValueError(
        f"{representation.title} has no rows for single atoms: choose FCHL19, SOAP, ACSF, AEV or SLATM, or another "
        "kernel"
    )


def _task(
    spec: QuickFit,
    dataset: Dataset,
    columns: Columns,
    excluded: NDArray[np.bool_] | None,
    progress: Progress,
) -> tuple[Task, Target]:
    """Dressed atoms are taken out of extensive properties."""
    plain = Task(target=spec.target)
    target = plain.prepare(columns, dataset.structures, excluded, progress)
    if len(target.rows) < 20:
        raise ValueError(f"{len(target.rows)} structures have a value of {spec.target!r}: there is too little to learn")
    some = _sample(target.rows, 5000, spec.seed)
    structures = dataset.structures.take(some)
    found, parts = structures.element_counts()
    counts = np.concatenate([part for _, part in parts]) if len(found) else np.zeros((len(some), 0))
    advice = advise(target.values[some, 0], structures.sizes, counts)
    if advice.normalisation != "composition":
        return plain, target
    task = replace(plain, normalisation="composition")
    return task, task.prepare(columns, dataset.structures, excluded, progress)


def _split(
    spec: QuickFit, dataset: Dataset, columns: Columns, target: Target, progress: Progress
) -> tuple[Ints, Ints, str]:
    """Training and test structures, and how they were divided."""
    wanted = spec.n_train + spec.n_test
    rows = np.sort(_sample(target.rows, _POOL * wanted, spec.seed))
    context = replace(SplitContext.of(dataset, columns, target), rows=rows)
    n_test = min(spec.n_test, max(len(rows) // 3, 1))
    proposal = propose(context, progress, n_test=n_test)
    split = proposal.spec.draw(context, spec.seed)
    return split.train_order[: spec.n_train], split.test, proposal.why


def _sample(rows: Ints, count: int, seed: int) -> Ints:
    """At most so many of some structures."""
    if len(rows) <= count:
        return rows
    return np.random.default_rng(seed).choice(rows, count, replace=False)


def _kernel(spec: QuickFit, representation: Representation, task: Task) -> Kernel:
    from qmlstudio.learning import kernels

    name = spec.kernel
    if name == "auto":
        if representation.kernel_only:
            name = representation.name
        elif representation.local:
            name = "local_sum" if task.normalisation == "composition" else "local_average"
        else:
            name = "laplacian"
    return kernels.get(name)()
