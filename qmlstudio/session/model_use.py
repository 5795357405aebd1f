"""Fitted models: made of a bench's point, kept in files, applied to data sets and to what somebody has typed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor
from qmlstudio.learning.evaluation.splits import SplitContext
from qmlstudio.learning.evaluation.tasks import Task, Transform
from qmlstudio.learning.models.base import FittedModel, ModelSpec
from qmlstudio.learning.models.files import SUFFIX, SavedModel, load, save
from qmlstudio.learning.models.inputs import rows_for
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import Composition
from qmlstudio.session.bench.results import Point
from qmlstudio.session.bench.spec import BenchSpec, Series
from qmlstudio.session.columns import Columns
from qmlstudio.session.shelf_model import ShelfModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK = 1024
"""Structures whose features are in memory at a time when a model is applied to a data set."""
INSIDE, OUTSIDE, REFUSED = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model with how far its test structures are from the training set.

    Attributes
    ----------
    model : ShelfModel
    distance : (m,) float64 or None
        Of its test structures.
    """

    model: ShelfModel
    distance: Floats | None


def fit_point(
    spec: BenchSpec,
    series: Series,
    point: Point,
    dataset: Dataset,
    columns: Mapping[str, Property] | None = None,
    excluded: Mask | None = None,
    progress: Progress = SILENT,
    *,
    memory_budget: int | None = None,
) -> Fitted:
    """Fit the model of a bench's point again: the same training structures, the same hyper-parameters.

    Raises
    ------
    ValueError
        The data set, its columns or the excluded structures are no longer those of the bench.
    """
    from qmlstudio.learning import models

    known = Columns(dataset) if columns is None else columns
    structures = dataset.structures
    target = series.task.prepare(known, structures, excluded, progress.part(0.0, 0.05))
    context = SplitContext.of(dataset, known, target)
    split = spec.split.draw(context, point.seed, progress.part(0.05, 0.1))
    train = split.train_order[: point.size]
    if not np.array_equal(split.test, point.test) or len(train) < point.size:
        raise ValueError("columns or exclusions have changed since the bench was run: run it again")
    test = split.test
    model_spec = models.from_dict(point.model)
    chosen = structures.take(np.concatenate([train, test]))
    species = structures.species
    rows = rows_for(model_spec, chosen, series.representation, species, progress.part(0.1, 0.45))
    transform = target.transform(train)
    learned = rows.take(slice(0, len(train)))
    model = model_spec.fit(learned, transform.apply(train), progress.part(0.45, 0.85), memory_budget=memory_budget)
    said = model.predict(rows.take(slice(len(train), len(chosen))), progress.part(0.85, 1.0))
    errors = transform.invert(said.values, test) - target.truth(test)
    truth = target.truth(test)
    kernel: Any = getattr(model.spec, "kernel", None)
    parts = [series.task.target, "" if series.representation is None else series.representation.title]
    parts += [kernel.title if kernel is not None else model.spec.title, f"{len(train):,}"]
    shelf = ShelfModel(
        name=" · ".join(p for p in parts if p),
        model=model,
        representation=series.representation or Composition(),
        species=species,
        task=series.task,
        transform=transform,
        units=target.units,
        dataset=dataset.fingerprint,
        source=dataset.name,
        train=np.asarray(train, dtype=np.int64),
        test=np.asarray(test, dtype=np.int64),
        scores={
            "mae": float(np.abs(errors).mean()),
            "rmse": float(np.sqrt((errors**2).mean())),
            "mad": float(np.abs(truth - truth.mean(axis=0)).mean()),
        },
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        note=f"{described(model.spec)}; chosen on training structures alone ({spec.folds.title.lower()})",
    )
    return Fitted(shelf, said.distance)


def described(spec: ModelSpec) -> str:
    """A model and its kernel with their numbers, for people: "Kernel ridge regression, λ = 1e-08, Gaussian, σ = 12"."""
    kernel: Any = getattr(spec, "kernel", None)
    parts: list[str] = []
    for item in (spec, kernel):
        if item is None:
            continue
        parts.append(item.title)
        for p in item.params():
            value = getattr(item, p.name)
            numeric = isinstance(value, int | float) and not isinstance(value, bool)
            if p.shown and not p.advanced and numeric:
                parts.append(f"{p.label.removeprefix('Width ')} = {value:.4g}")
    return ", ".join(parts)


# -- files


def to_saved(model: ShelfModel) -> SavedModel:
    """What stands in a model's file."""
    return SavedModel(
        fitted=model.model,
        representation=model.representation if model.model.spec.needs == "rows" else None,
        species=model.species,
        title=model.name,
        task={**model.task.to_dict(), "unit": model.unit, "units": list(model.units)},
        transform=model.transform.to_dict(),
        scores=dict(model.scores),
        source={
            "name": model.source,
            "fingerprint": model.dataset,
            "note": model.note,
            "made": model.made,
            "train": model.train.tolist(),
            "test": model.test.tolist(),
        },
    )


def from_saved(found: SavedModel, path: str = "") -> ShelfModel:
    """The model of a file; ValueError for one of forces, or when the file does not say what it predicts."""
    if not isinstance(found.fitted, FittedModel):
        raise ValueError(f"{found.title or path} predicts forces: apply it in a script")
    data = dict(found.task)
    units = tuple(str(u) for u in data.pop("units", [data.get("unit", "")]))
    task = Task.from_dict(data)
    if found.transform is None:
        count = len(task.targets)
        transform = Transform("none", task.errors_per, np.zeros(count), np.ones(count))
    else:
        transform = Transform.from_dict(found.transform)
    source = found.source
    return ShelfModel(
        name=found.title or os.path.basename(path).removesuffix(SUFFIX),
        model=found.fitted,
        representation=found.representation or Composition(),
        species=found.species,
        task=task,
        transform=transform,
        units=units,
        dataset=str(source.get("fingerprint", "")),
        source=str(source.get("name", "")),
        train=np.array(source.get("train", ()), dtype=np.int64),
        test=np.array(source.get("test", ()), dtype=np.int64),
        scores={k: float(v) for k, v in found.scores.items() if isinstance(v, int | float)},
        made=str(source.get("made", found.saved)),
        path=path,
        note=str(source.get("note", "")),
    )


def save_model(model: ShelfModel, path: str, dataset: Dataset | None = None, progress: Progress = SILENT) -> ShelfModel:
    """Write a model's file; returns the model that knows where it is. Geometries stand in for large features."""
    training = None
    if dataset is not None and model.knows(dataset.fingerprint):
        where = getattr(model.model, "train_indices", None)
        training = dataset.structures.take(model.train if where is None else model.train[where])
    save(path, to_saved(model), progress, training=training)
    return replace(model, path=path)


def load_model(path: str, progress: Progress = SILENT) -> ShelfModel:
    """The model of a file."""
    return from_saved(load(path, progress), path)


# -- predictions


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says of n structures.

    Attributes
    ----------
    values : (n, t) float64
        NaN where it was refused.
    deviation : (n, t) float64 or None
        ± σ, where the model has it.
    distance : (n,) float64
        To the nearest training structure; NaN where the model has none.
    state : (n,) int8
        :data:`INSIDE`, :data:`OUTSIDE` the domain, or :data:`REFUSED`.
    reasons : dict of int to str
        Why some were refused; of many the first few.
    """

    values: Floats
    deviation: Floats | None
    distance: Floats
    state: NDArray[np.int8]
    reasons: dict[int, str]

    def count(self, state: int) -> int:
        """How many are inside, outside or refused."""
        return int(np.count_nonzero(self.state == state))


def predict(
    model: ShelfModel, structures: Structures, baseline: Floats | None = None, progress: Progress = SILENT
) -> Predicted:
    """Predictions block by block; structures that the model cannot judge are refused one by one.

    Parameters
    ----------
    baseline : (n, t) float64, optional
        For models of differences; structures without a finite one are refused.
    """
    n, t = len(structures), len(model.task.targets)
    saved = to_saved(model)
    values, distance = np.full((n, t), np.nan), np.full(n, np.nan)
    deviation: Floats | None = None
    state = np.full(n, REFUSED, np.int8)
    reasons: dict[int, str] = {}
    allowed = _known_elements(model, structures, reasons)
    if any(model.task.baselines):
        if baseline is None:
            text = f"the model adds to {', '.join(b for b in model.task.baselines if b)}, which is not known here"
            return Predicted(values, None, distance, state, dict.fromkeys(range(min(n, 100)), text))
        finite = np.isfinite(baseline).all(axis=1)
        for i in np.flatnonzero(allowed & ~finite)[:100].tolist():
            reasons[i] = "its baseline is missing"
        allowed &= finite
    todo = np.flatnonzero(allowed)
    parts = [todo[k : k + BLOCK] for k in range(0, len(todo), BLOCK)][::-1]
    done = 0
    while parts:
        part = parts.pop()
        inner = progress.part(done / max(len(todo), 1), (done + len(part)) / max(len(todo), 1))
        own = None if baseline is None or not any(model.task.baselines) else baseline[part]
        try:
            found = saved.apply(structures.take(part), inner, baseline=own, deviation=True)
        except ValueError as error:
            if len(part) > 1:  # which of them it is, halving finds out
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            if len(reasons) < 100:
                reasons[int(part[0])] = str(error)
            done += 1
            continue
        done += len(part)
        values[part] = found.values
        state[part] = INSIDE
        if found.deviation is not None:
            if deviation is None:
                deviation = np.full((n, t), np.nan)
            deviation[part] = found.deviation
        if found.distance is not None:
            distance[part] = found.distance
    domain = model.model.domain
    if domain is not None and np.isfinite(domain):
        with np.errstate(invalid="ignore"):
            state[(state == INSIDE) & (distance > domain * (1 + 1e-9))] = OUTSIDE
    progress(1.0)
    return Predicted(values, deviation, distance, state, reasons)


def baseline_of(model: ShelfModel, columns: Mapping[str, Property], n: int) -> Floats | None:
    """(n, t) the baselines of a model of differences in its units; None where it needs none or they are not there."""
    names = model.task.baselines
    if not any(names):
        return None
    found = np.zeros((n, len(names)))
    for k, (name, unit) in enumerate(zip(names, model.units, strict=True)):
        if not name:
            continue
        if name not in columns:
            return None
        column = columns[name]
        found[:, k] = column.values * (factor(column.unit, unit) if column.unit and unit else 1.0)
    return found


def columns_of(model: ShelfModel, said: Predicted, columns: Mapping[str, Property]) -> dict[str, Property]:
    """New columns: predictions, ± σ and errors where there are any, and the distance to the training set."""
    found: dict[str, Property] = {}
    for k, (target, unit) in enumerate(zip(model.task.targets, model.units, strict=True)):
        found[f"{target}_predicted"] = Property(said.values[:, k], unit=unit, description=f"by {model.name}")
        if said.deviation is not None:
            text = f"standard deviation of {target} by {model.name}"
            found[f"{target}_sigma"] = Property(said.deviation[:, k], unit=unit, description=text)
        if target in columns and not columns[target].is_text:
            truth = columns[target]
            try:
                scale = factor(truth.unit, unit) if truth.unit and unit else 1.0
            except ValueError:
                continue
            sizes = model.task.errors_per == "atom"
            if not sizes:
                text = f"predicted − true {target} by {model.name}"
                found[f"{target}_error"] = Property(
                    said.values[:, k] - truth.values * scale, unit=unit, description=text
                )
    if np.isfinite(said.distance).any():
        text = f"to the nearest training structure of {model.name}"
        found[f"{model.target}_distance"] = Property(said.distance, description=text)
    return found


@dataclass(frozen=True)
class TypedRow:
    """A prediction for something that was typed: texts for a table.

    Attributes
    ----------
    name, formula : str
    values : tuple of str
        One for each property, with ± σ.
    distance : str
    state : int
        :data:`INSIDE`, :data:`OUTSIDE` or :data:`REFUSED`.
    note : str
        Why it was refused, or how far outside it lies.
    """

    name: str
    formula: str
    values: tuple[str, ...]
    distance: str
    state: int
    note: str


def predict_text(model: ShelfModel, text: str, progress: Progress = SILENT) -> tuple[TypedRow, ...]:
    """Predictions for xyz or SMILES text; DataError when nothing of it can be read.

    SMILES get the geometry of a force field, which is another than that of most training sets: the same holds of
    their predictions.
    """
    from qmlstudio.chem.readers import read_text

    dataset = read_text(text, "typed", progress.part(0.0, 0.3))
    said = predict(model, dataset.structures, None, progress.part(0.3, 1.0))
    formulas = dataset.structures.formulas()
    rows = []
    for i in range(len(dataset)):
        state = int(said.state[i])
        note = said.reasons.get(i, "")
        far = float(said.distance[i])
        if state == OUTSIDE and model.model.domain is not None:
            note = f"outside the domain: {far:.3g} from the nearest training structure, these {model.model.domain:.3g}"
        values = tuple(_value(said, i, k, unit) for k, unit in enumerate(model.units))
        distance = f"{far:.3g}" if np.isfinite(far) else "–"
        rows.append(TypedRow(str(dataset.identifiers[i]), formulas[i], values, distance, state, note))
    return tuple(rows)


def _value(said: Predicted, i: int, k: int, unit: str) -> str:
    value = float(said.values[i, k])
    if not np.isfinite(value):
        return "–"
    text = f"{value:.5g}"
    if said.deviation is not None and np.isfinite(said.deviation[i, k]):
        text += f" ± {float(said.deviation[i, k]):.2g}"
    return f"{text} {unit}".rstrip().replace("-", "−")


def _known_elements(model: ShelfModel, structures: Structures, reasons: dict[int, str]) -> Mask:
    """(n,) structures all of whose elements the model knows."""
    known = np.zeros(256, dtype=bool)
    known[list(model.species.numbers)] = True
    bad = ~known[structures.numbers]
    running = np.zeros(len(bad) + 1, np.int64)
    np.cumsum(bad, out=running[1:])
    strange = running[structures.offsets[1:]] > running[structures.offsets[:-1]]
    for i in np.flatnonzero(strange)[:100].tolist():
        atoms = structures.numbers[structures.offsets[i] : structures.offsets[i + 1]]
        names = _list([SYMBOLS[int(z)] for z in np.unique(atoms[~known[atoms]])])
        reasons[i] = f"{names}: not among the elements of the training set ({', '.join(model.species.symbols)})"
    allowed: Mask = ~strange
    return allowed


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
