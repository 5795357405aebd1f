"""How far a model can be trusted: how near structures are to what it learned from, and whether its ± σ holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.evaluation.uncertainty import Calibration, Conformal, calibration
from qmlstudio.learning.models.inputs import representation_for, rows_for
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.explanation import TEST, TRAIN, Ground, same_features

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLICE_BYTES = 32 * 2**20
"""Features that are in memory at a time, when they have to be computed."""
LEVELS = np.arange(1, 20) / 20.0
FEWEST = 20
"""Held-out structures of which anything can be said."""
ROLE_NAMES = ("other", "training", "held out")
"""By :data:`qmlstudio.session.explanation.OTHER`, ``TRAIN``, ``TEST``."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What a model says of all n structures of a data set.

    Attributes
    ----------
    ground : Ground
    prediction : (n,) float64
        In the property's unit.
    deviation : (n,) float64 or None
        ± σ.
    distance : (n,) float64 or None
        To the nearest training structure, in the model's own measure; 0 for training structures.
    """

    ground: Ground
    prediction: Floats
    deviation: Floats | None
    distance: Floats | None

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(n,) which structures lie farther from the training structures than these from one another."""
        domain = self.ground.shelf.model.domain
        if self.distance is None or domain is None:
            return np.zeros(len(self.prediction), dtype=bool)
        return self.distance > domain

    @property
    def errors(self) -> Floats:
        """(n,) prediction minus truth; NaN where that is not known."""
        result: Floats = self.prediction - self.ground.truth(slice(None))
        return result


def survey(ground: Ground, dataset: Dataset, features: Features | None = None, progress: Progress = SILENT) -> Survey:
    """Apply a model to a whole data set, in slices: features that are not in memory are never there as a whole.

    Raises
    ------
    UnknownElementsError
        A structure has an element that the model does not know.
    """
    n, model = len(dataset), ground.shelf.model
    prediction = np.empty(n)
    deviation: Floats | None = np.empty(n)
    distance: Floats | None = np.empty(n)
    for start, stop, rows, part in _slices(ground, dataset, features, progress):
        at = slice(start, stop)
        said = model.predict(rows, part, deviation=True)
        prediction[at] = ground.told(said.values, at)
        if said.deviation is None:
            deviation = None
        elif deviation is not None:
            wide = np.broadcast_to(said.deviation, said.values.shape)
            deviation[at] = ground.transform.invert_deviation(wide, at)[:, 0]
        if said.distance is None:
            distance = None
        elif distance is not None:
            distance[at] = said.distance
    progress(1.0)
    return Survey(ground, prediction, deviation, distance)


def columns_of(found: Survey) -> dict[str, Property]:
    """Columns to colour the map by: distance, ± σ, error, and who was learned from."""
    shelf = found.ground.shelf
    unit = shelf.unit
    result = {
        role_name(): Property(
            np.array(ROLE_NAMES, dtype=np.str_)[found.ground.roles],
            description=f"what each structure is to the model {shelf.name}",
        ),
        f"{shelf.target} error": Property(found.errors, unit=unit, description=f"prediction minus truth: {shelf.name}"),
    }
    if found.distance is not None:
        result[distance_name()] = Property(
            found.distance, description=f"distance to the nearest training structure of {shelf.name}, by its kernel"
        )
    if found.deviation is not None:
        result[deviation_name(shelf.target)] = Property(found.deviation, unit=unit, description=f"± σ of {shelf.name}")
    return result


def distance_name() -> str:
    """Of the column of distances."""
    return "distance to training"


def role_name() -> str:
    """Of the column that tells training structures from others."""
    return "model's data"


def deviation_name(target: str) -> str:
    """Of the column of standard deviations."""
    return f"{target} ± σ"


@dataclass(frozen=True, eq=False)
class Reliability:
    """Whether intervals hold what they promise, on structures that were held out.

    Attributes
    ----------
    count : int
        Held-out structures with a true value.
    mae : float
    sigma : Calibration or None
        Of the model's own ± σ, where it has one.
    nominal : (k,) float64
        Shares that intervals promise.
    plain, scaled : (k,) float64
        Shares that conformal intervals made with one half of the held-out structures hold on the other half: of one
        width for all, and of widths in proportion to ± σ (or else to the distance to training).
    intervals, scaled_intervals : tuple of Conformal
        Made with all held-out structures, for 68, 90 and 95 %.
    scale : str
        "deviation", "distance" or "": what the scaled ones are in proportion to.
    checked : int
        Structures of the half on which was checked.
    """

    count: int
    mae: float
    sigma: Calibration | None
    nominal: Floats
    plain: Floats
    scaled: Floats | None
    intervals: tuple[Conformal, ...]
    scaled_intervals: tuple[Conformal, ...]
    scale: str
    checked: int

    def interval(self, coverage: float, scale: float | None) -> Conformal | None:
        """The interval for a coverage: scaled where the structure's scale is known."""
        kind = self.scaled_intervals if scale is not None and np.isfinite(scale) else self.intervals
        return next((c for c in kind or self.intervals if abs(c.coverage - coverage) < 1e-9), None)


COVERAGES = (0.68, 0.9, 0.95)


def reliability(
    errors: Floats, deviation: Floats | None = None, distance: Floats | None = None, seed: int = 0
) -> Reliability:
    """From errors (m,) of held-out structures, with ± σ and distance of each where there are any.

    Raises
    ------
    ValueError
        Fewer than :data:`FEWEST` of them are finite.
    """
    good = np.isfinite(errors)
    e = errors[good]
    if len(e) < FEWEST:
        raise ValueError(f"{len(e)} held-out structures have a true value: too few to judge by (at least {FEWEST})")
    sigma = None if deviation is None else calibration(e, deviation[good])
    scale, kind = None, ""
    for name, values in (("deviation", deviation), ("distance", distance)):
        if values is not None and (values[good] > 0).any():
            scale, kind = values[good], name
            break
    half = np.random.default_rng(seed).permutation(len(e)) < len(e) // 2
    return Reliability(
        count=len(e),
        mae=float(np.abs(e).mean()),
        sigma=sigma,
        nominal=LEVELS,
        plain=_held(e, None, half),
        scaled=None if scale is None else _held(e, scale, half),
        intervals=tuple(Conformal.of(e, c) for c in COVERAGES),
        scaled_intervals=() if scale is None else tuple(Conformal.of(e, c, scale) for c in COVERAGES),
        scale=kind,
        checked=int((~half).sum()),
    )


def reliability_of(
    ground: Ground, dataset: Dataset, features: Features | None = None, progress: Progress = SILENT
) -> Reliability:
    """On the held-out structures of a model, or of the others with a true value where it has none (at most 2,000)."""
    rows = np.flatnonzero(ground.roles == TEST)
    if len(rows) < FEWEST:
        rows = np.flatnonzero((ground.roles != TRAIN) & np.isfinite(ground.target.values[:, 0]))
        if len(rows) > 2000:
            rows = np.sort(np.random.default_rng(0).choice(rows, 2000, replace=False))
    if not len(rows):
        raise ValueError("no structure with a true value was held out")
    one = dataset.take(rows)
    target = replace(
        ground.target,
        values=ground.target.values[rows],
        baseline=ground.target.baseline[rows],
        sizes=ground.target.sizes[rows],
        rows=np.arange(len(rows)),
        counts=None if ground.target.counts is None else ground.target.counts[rows],
    )
    part = replace(ground, target=target, transform=replace(ground.transform, target=target), roles=ground.roles[rows])
    some = None
    if features is not None and same_features(ground.shelf, features):
        taken = Rows.of(features, dataset.structures).take(rows)
        some = replace(features, array=taken.array, offsets=taken.offsets)
    found = survey(part, one, some, progress)
    return reliability(found.errors, found.deviation, found.distance)


def _held(errors: Floats, scale: Floats | None, half: NDArray[np.bool_]) -> Floats:
    """Shares of one half within intervals made with the other."""
    size = np.abs(errors[~half])
    shares = np.empty(len(LEVELS))
    for k, level in enumerate(LEVELS.tolist()):
        made = Conformal.of(errors[half], level, None if scale is None else scale[half])
        widths = made.half_widths(len(size), None if scale is None else scale[~half])
        shares[k] = float((size <= widths).mean())
    return shares


def _slices(
    ground: Ground, dataset: Dataset, features: Features | None, progress: Progress
) -> Iterator[tuple[int, int, Rows, Progress]]:
    """(start, stop, features, progress of what is done with them)."""
    shelf, n = ground.shelf, len(dataset)
    known = features if features is not None and same_features(shelf, features) else None
    made = representation_for(shelf.model.spec, shelf.representation)
    per = 8.0 if made is None or n == 0 else made.memory(dataset.structures) / n
    step = max(1, min(n, int(SLICE_BYTES / max(per, 1.0)), 4096))
    whole = None if known is None else Rows.of(known, dataset.structures)
    for start in range(0, n, step):
        stop = min(start + step, n)
        part = progress.part(start / n, stop / n)
        if whole is not None:
            yield start, stop, whole.take(slice(start, stop)), part
            continue
        some = dataset.structures.take(slice(start, stop))
        rows = rows_for(shelf.model.spec, some, shelf.representation, shelf.species, part.part(0.0, 0.6))
        yield start, stop, rows, part.part(0.6, 1.0)
