"""Why a model says what it says of one structure: which training structures raise the value, which lower it.

A kernel model's prediction is a sum: a constant (mean, dressed atoms, baseline) and α_j k_j of every training structure
j. All of it is told in the unit of the property, so that what stands on the screen adds up to the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.tasks import Target, Transform
from qmlstudio.learning.kernels.one_row import similarities
from qmlstudio.learning.models._nearest import nearest
from qmlstudio.learning.models.gaussian_process import FittedGaussianProcess
from qmlstudio.learning.models.inputs import rows_for
from qmlstudio.learning.models.kernel_model import FittedKernelModel
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.columns import Columns
from qmlstudio.session.shelf_model import ShelfModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OTHER, TRAIN, TEST = 0, 1, 2
"""What a structure is to a model."""
MOST_LEFT_OUT = 4000
"""Training structures up to which the errors of leaving one out are computed: their time grows as the cube."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A model set on a data set: true values, what is added to what the model says, who was learned from.

    Attributes
    ----------
    shelf : ShelfModel
    target : Target
        Of this data set; values are NaN where the set does not have the property.
    transform : Transform
        The model's, for the structures of this data set.
    roles : (n,) int8
        :data:`TRAIN`, :data:`TEST` or :data:`OTHER`.
    carriers : (m,) int64
        The structure behind each weight of a kernel model; empty when they are no structures of this data set.
    """

    shelf: ShelfModel
    target: Target
    transform: Transform
    roles: NDArray[np.int8]
    carriers: Ints

    @classmethod
    def of(cls, shelf: ShelfModel, dataset: Dataset, columns: Columns, progress: Progress = SILENT) -> Ground:
        """Raises ValueError when the data set lacks a baseline that the model needs."""
        n, task = len(dataset), shelf.task
        wanted = {name: columns[name] for name in (*task.targets, *task.baselines) if name and name in columns}
        for name, unit in zip(task.targets, shelf.units, strict=False):
            if name not in wanted or wanted[name].is_text:
                wanted[name] = Property(np.full(n, np.nan), unit=unit.partition("/")[0])
        target = task.prepare(wanted, dataset.structures, progress=progress)
        roles = np.zeros(n, np.int8)
        carriers = np.zeros(0, np.int64)
        if shelf.knows(dataset.fingerprint):
            roles[shelf.train], roles[shelf.test] = TRAIN, TEST
            kept = getattr(shelf.model, "train_indices", None)
            carriers = shelf.train if kept is None else shelf.train[np.asarray(kept)]
        return cls(shelf, target, replace(shelf.transform, target=target), roles, carriers)

    def truth(self, rows: Any, output: int = 0) -> Floats:
        """(m,) true values in the unit of the predictions; NaN where the set has none."""
        return self.target.truth(rows)[:, output]

    def told(self, learned: Any, rows: Any, output: int = 0) -> Floats:
        """(m,) what the model's own values for these structures mean."""
        return self.transform.invert(learned, rows)[:, output]

    def scale(self, rows: Any, output: int = 0) -> Floats:
        """(m,) by which the model's own values are multiplied, whatever is added."""
        ones = np.ones((len(np.atleast_1d(rows)), len(self.transform.scale)))
        return self.transform.invert_deviation(ones, np.atleast_1d(rows))[:, output]


@dataclass(frozen=True)
class Part:
    """A part of the constant: "mean", "dressed atoms", "baseline" with its value in the property's unit."""

    kind: str
    value: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Of one prediction. All values in the unit of the property.

    Attributes
    ----------
    ground : Ground
    index : int
        The structure.
    prediction, truth : float
        The true value is NaN where it is not known.
    deviation : float or None
        ± σ, where the model has it.
    parts : tuple of Part
        What the constant is made of.
    contributions : (m,) float64
        What each weight's structure adds; empty for models that are no sum over training structures.
    similarities : (m,) float64
        k / √(k_aa k_bb) with each of them; NaN where one is like nothing.
    order : (m,) int64
        Their places, the largest contribution (by size) first.
    atoms : (N,) float64 or None
        What each atom of the structure adds, for kernels that are sums over atoms.
    distance, domain : float or None
        To the nearest training structure, and within which 95 % of these have one.
    """

    ground: Ground
    index: int
    prediction: float
    truth: float
    deviation: float | None = None
    parts: tuple[Part, ...] = ()
    contributions: Floats = field(default_factory=lambda: np.zeros(0))
    similarities: Floats = field(default_factory=lambda: np.zeros(0))
    order: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    atoms: Floats | None = None
    distance: float | None = None
    domain: float | None = None

    @property
    def constant(self) -> float:
        """What is said of a structure that is like no training structure."""
        return sum(part.value for part in self.parts)

    @property
    def total(self) -> float:
        """The constant and all contributions: the prediction, computed the other way."""
        return self.constant + float(self.contributions.sum())

    @property
    def role(self) -> int:
        """What the structure is to the model."""
        return int(self.ground.roles[self.index])

    @property
    def is_outside(self) -> bool:
        """Whether it lies farther from the training structures than these from one another."""
        return self.distance is not None and self.domain is not None and self.distance > self.domain

    @property
    def carriers(self) -> Ints:
        """The structures in the order of their weight; empty when they are not in this data set."""
        found: Ints = self.ground.carriers[self.order] if len(self.ground.carriers) else self.ground.carriers
        return found

    @property
    def effective(self) -> float:
        """How many training structures of equal weight would do the same: (Σ|c|)² / Σ c²; 0 without any."""
        square = float((self.contributions**2).sum())
        return float(np.abs(self.contributions).sum()) ** 2 / square if square > 0 else 0.0


def explain(ground: Ground, rows: Rows, index: int, output: int = 0) -> Explanation:
    """Explain what is said of one structure. For the interactive lane: starts no threads.

    Parameters
    ----------
    rows : Rows
        Features of that structure alone.
    index : int
        The structure in the data set.
    output : int
        Which of the model's targets.

    Raises
    ------
    ValueError
        Features that are none for the model.
    """
    model, at = ground.shelf.model, np.array([index])
    scale = float(ground.scale(at, output)[0])
    truth = float(ground.truth(at, output)[0])
    if not isinstance(model, FittedKernelModel):
        said = model.predict(rows, deviation=True, threads=1)
        value = float(ground.told(said.values, at, output)[0])
        far = None if said.distance is None else float(said.distance[0])
        deviation = _deviation(said.deviation, scale, output)
        return Explanation(ground, index, value, truth, deviation, (Part("prediction", value),), distance=far)
    similar, own, block = _similar(model, rows)
    weighted = similar * model.weights[:, output]
    learned = np.zeros((1, len(ground.transform.scale)))
    # the model's own way: a product of matrices, then the transform; what is shown as a sum must give the same
    learned[0] = similar[None] @ model.weights + model.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        likeness = similar / np.sqrt(own * model.diagonal)
    deviation = None
    if isinstance(model, FittedGaussianProcess):
        deviation = _deviation(model.deviations_from(similar[None].copy(), np.array([own]), threads=1), scale, output)
    contributions = scale * weighted
    return Explanation(
        ground,
        index,
        float(ground.told(learned, at, output)[0]),
        truth,
        deviation,
        _parts(ground, at, scale * float(model.mean[output]), output),
        contributions,
        likeness,
        np.argsort(-np.abs(contributions), kind="stable"),
        scale * (block @ model.weights[:, output]) if block is not None else atom_parts(model, rows, scale, output),
        float(nearest(similar[None], np.array([own]), model.diagonal)[0]),
        model.domain,
    )


def rows_of(
    shelf: ShelfModel, dataset: Dataset, index: int, features: Features | None = None, progress: Progress = SILENT
) -> Rows:
    """The features of one structure as the model knows them, taken from `features` where these are the same.

    Raises UnknownElementsError, a ValueError, for elements that the model does not know.
    """
    one = dataset.structures.take([index])
    if features is not None and same_features(shelf, features):
        array = features.of(index)
        offsets = None if features.offsets is None else np.array([0, len(array)], np.int64)
        return Rows.of(replace(features, array=array, offsets=offsets), one)
    progress.check()
    return rows_for(shelf.model.spec, one, shelf.representation, shelf.species, progress, threads=1)


def same_features(shelf: ShelfModel, features: Features) -> bool:
    """Whether features were computed as the model's were, with the same columns."""
    return features.representation == shelf.representation and features.species == shelf.species


def _similar(model: FittedKernelModel, rows: Rows) -> tuple[Floats, float, Floats | None]:
    """Similarities to the training structures and to itself; of each atom (N, m) where the kernel sums over them."""
    from qmlstudio.learning.kernels.atomic import atoms_apart
    from qmlstudio.learning.kernels.local import LocalAverage, LocalSum

    model.spec.check(rows)
    if rows.array.shape[1] != model.train_rows.array.shape[1]:
        raise ValueError(
            f"the features have {rows.array.shape[1]} columns, the model was trained on "
            f"{model.train_rows.array.shape[1]}: compute them with the model's own elements"
        )
    kernel = model.kernel
    own = float(kernel.diagonal(rows)[0])
    if type(kernel) in (LocalSum, LocalAverage) and len(rows.array):
        # the atoms one by one cost no more than all together, whose sum they are
        block = kernel.matrix(atoms_apart(rows), model.train_rows, threads=1)
        if type(kernel) is LocalAverage:
            block = block / len(block)
        return block.sum(axis=0), own, block
    return similarities(kernel, rows, model.train_rows), own, None


def left_out(ground: Ground, progress: Progress = SILENT, output: int = 0) -> Floats:
    """(m,) error of each training structure had it not been learned from: α_i / (K + λ)⁻¹_ii, with its sign as
    prediction minus truth, in the property's unit.

    NaN for models of which that cannot be told: no exact kernel models, or more than :data:`MOST_LEFT_OUT` structures.

    References
    ----------
    C. Rasmussen, C. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), equation 5.12.
    """
    from qmlstudio.learning.models.cholesky import Cholesky

    model = ground.shelf.model
    count = len(ground.carriers)
    if not isinstance(model, FittedKernelModel) or model.method != "exact" or not 0 < count <= MOST_LEFT_OUT:
        return np.full(count, np.nan)
    matrix = model.kernel.matrix(model.train_rows, None, progress.part(0.0, 0.6))
    factor = Cholesky(np.ascontiguousarray(matrix), model.spec.ridge, progress.part(0.6, 0.8))
    inverse = factor.inverse_diagonal(progress.part(0.8, 1.0))
    found: Floats = -ground.scale(ground.carriers, output) * model.weights[:, output] / inverse
    return found


def atom_parts(model: FittedKernelModel, rows: Rows, scale: float, output: int = 0) -> Floats | None:
    """(N,) what each atom adds to the prediction, beside the constant; None for kernels that are no sum over atoms."""
    from qmlstudio.learning.kernels.atomic import atom_contributions, falls_into_atoms

    if not rows.is_local or len(rows.array) != int(rows.sizes[0] if rows.sizes is not None else -1):
        return None
    if not falls_into_atoms(model.kernel) or not len(rows.array):
        return None
    # the mean, of which every atom bears a part there, belongs to the constant here
    share = float(model.mean[output]) / len(rows.array)
    found: Floats = scale * (atom_contributions(model, rows, 0, output, threads=1) - share)
    return found


def _deviation(deviation: Any, scale: float, output: int) -> float | None:
    if deviation is None:
        return None
    row = np.atleast_2d(deviation)[0]
    return float(row[min(output, len(row) - 1)]) * abs(scale)


def _parts(ground: Ground, at: Ints, mean: float, output: int) -> tuple[Part, ...]:
    """The constant: what is told when the model says nothing, and the mean that it adds."""
    nothing = np.zeros((1, len(ground.transform.scale)))
    rest = float(ground.told(nothing, at, output)[0])
    baseline = float(ground.target.baseline_only(at)[0, output])
    has_baseline = bool(ground.shelf.task.baselines[output])
    found = [Part("mean", mean)]
    if ground.transform.normalisation == "composition":
        found.append(Part("dressed atoms", rest - baseline))
    elif rest != baseline:
        found[0] = Part("mean", mean + rest - baseline)
    if has_baseline:
        found.append(Part("baseline", baseline))
    return tuple(found)
