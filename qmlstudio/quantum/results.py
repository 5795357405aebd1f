"""What a calculation gave, as columns of the data set or as a data set of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import Problem
from qmlstudio.chem.structures import Structures
from qmlstudio.quantum.batch import Outcome
from qmlstudio.quantum.methods import Method
from qmlstudio.quantum.properties import QUANTITIES

_SAMPLED: dict[str, tuple[str, str]] = {
    "energy": ("eV", "total energy"),
    "kinetic_energy": ("eV", "kinetic energy of the nuclei"),
    "temperature": ("K", "of the nuclei's motion"),
    "time": ("fs", "since the first frame"),
    "above_minimum": ("eV", "energy above the minimum"),
    "force_field_energy": ("eV", "by MMFF94 or UFF, above the lowest conformer"),
}


def columns(outcome: Outcome, dataset: Dataset, there: Mapping[str, Property]) -> dict[str, Property]:
    """The asked-for quantities as properties "energy_gfn2", "forces_gfn2" …

    Parameters
    ----------
    there : mapping of str to Property
        Columns that exist. What an earlier run of the same method left in one of the same name stays where this run
        computed nothing.
    """
    method = outcome.calculation.method
    suffix, by = method.key, _by(method)
    made: dict[str, Property] = {}
    for name in outcome.calculation.quantities:
        quantity = QUANTITIES[name]
        for column, source, unit, text in quantity.columns:
            target = f"{column}_{suffix}"
            description = f"{text}, {by}"
            values = _values(outcome, source, quantity.target, dataset)
            if values is None:
                continue
            new = Property(values, quantity.target, unit, description)
            made[target] = _merged(new, there.get(target), outcome, dataset)
    name = f"failure_{suffix}"
    if outcome.failures or name in there:
        reasons = np.full(len(dataset), "", dtype=object)
        for failure in outcome.failures:
            reasons[failure.index] = failure.reason
        new = Property(reasons.astype(np.str_), description=f"why there is no result, {by}")
        made[name] = _merged(new, there.get(name), outcome, dataset)
    return made


def _by(method: Method) -> str:
    """The method, with those parameters that are not the usual."""
    usual = type(method)()
    names = [p.name for p in method.params() if p.name not in ("basis", "functional")]
    other = [f"{k}={getattr(method, k)}" for k in names if getattr(method, k) != getattr(usual, k)]
    return ", ".join([method.origin, *other])


def _values(outcome: Outcome, source: str, target: str, dataset: Dataset) -> NDArray[Any] | None:
    if target == "atom":
        return outcome.atoms.get(source)
    if source in outcome.texts:
        texts = np.full(len(dataset), "", dtype=object)
        for index, text in outcome.texts[source].items():
            texts[index] = text
        return texts.astype(np.str_)
    return outcome.numbers.get(source)


def _merged(new: Property, old: Property | None, outcome: Outcome, dataset: Dataset) -> Property:
    if old is None or (old.description, old.target, old.is_text) != (new.description, new.target, new.is_text):
        return new
    if old.values.shape != new.values.shape:
        return new
    fresh = np.zeros(len(dataset), dtype=bool)
    fresh[outcome.indices] = True
    if new.target == "atom":
        fresh = np.repeat(fresh, dataset.structures.sizes)
    fresh = fresh.reshape(-1, *[1] * (new.values.ndim - 1))
    return replace(new, values=np.where(fresh, new.values, old.values))


def dataset_of(outcome: Outcome, dataset: Dataset) -> Dataset:
    """The geometries that a task made.

    Raises
    ------
    ValueError
        There are none: every structure failed. The text has the first reason.
    """
    if not outcome.pieces:
        reason = outcome.failures[0].reason if outcome.failures else "no structure was chosen"
        raise ValueError(f"{outcome.calculation.title}: nothing came of it: {reason}")
    made = _optimized(outcome, dataset) if outcome.calculation.task.name == "optimize" else _sampled(outcome, dataset)
    return replace(
        made,
        source=Source(
            format=outcome.calculation.title,
            licence=dataset.source.licence,
            reference="; ".join(t for t in (dataset.source.reference, outcome.calculation.method.origin) if t),
        ),
        problems=problems(outcome, dataset),
    )


def problems(outcome: Outcome, dataset: Dataset) -> tuple[Problem, ...]:
    """The failures, as the problems of a data set are told."""
    return tuple(
        Problem(str(dataset.identifiers[f.index]), f.reason, index=f.index if f.index >= 0 else None)
        for f in outcome.failures
    )


def _optimized(outcome: Outcome, dataset: Dataset) -> Dataset:
    indices = np.array(sorted(outcome.pieces), dtype=np.int64)
    texts = {k: p for k, p in dataset.per_structure.items() if p.is_text}
    base = replace(dataset, properties=texts).take(indices)
    positions = np.concatenate([outcome.pieces[int(i)][1]["positions"] for i in indices])
    properties = dict(base.properties)
    by = _by(outcome.calculation.method)
    for name, p in columns(outcome, dataset, {}).items():
        if not name.startswith("failure_"):
            properties[name] = _taken(p, indices, dataset)
    for name, unit, text in (
        ("rmsd", "Å", "distance from the geometry before, after superposition"),
        ("relaxation_energy", "eV", "energy won by the relaxation"),
        ("steps", "", "gradients that the relaxation took"),
    ):
        properties[f"{name}_{outcome.calculation.method.key}"] = Property(
            outcome.numbers[name][indices], unit=unit, description=f"{text}, {by}"
        )
    structures = Structures(base.structures.numbers, positions, base.structures.offsets, base.structures.cells)
    return replace(
        base,
        name=f"{dataset.name}, {outcome.calculation.method.label}",
        structures=structures,
        properties=properties,
        ordered=False,
    )


def _taken(p: Property, indices: NDArray[np.int64], dataset: Dataset) -> Property:
    if p.target == "structure":
        return replace(p, values=p.values[indices])
    offsets = dataset.structures.offsets
    atoms = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in indices])
    return replace(p, values=p.values[atoms])


def _sampled(outcome: Outcome, dataset: Dataset) -> Dataset:
    indices = sorted(outcome.pieces)
    task, by = outcome.calculation.task, _by(outcome.calculation.method)
    numbers, positions, offsets, names, parents = [], [], [np.zeros(1, np.int64)], [], []
    forces: list[NDArray[np.float64]] = []
    found: dict[str, list[NDArray[np.float64]]] = {}
    for index in indices:
        arrays = outcome.pieces[index][1]
        frames, atoms = arrays["positions"].shape[:2]
        numbers.append(np.tile(arrays["numbers"].astype(np.uint8), frames))
        positions.append(arrays["positions"].reshape(-1, 3))
        offsets.append(offsets[-1][-1] + atoms * np.arange(1, frames + 1))
        identifier = str(dataset.identifiers[index])
        names += [f"{identifier}/{k + 1}" for k in range(frames)]
        parents += [identifier] * frames
        if "forces" in arrays:
            forces.append(arrays["forces"].reshape(-1, 3))
        for name in _SAMPLED:
            if name in arrays:
                found.setdefault(name, []).append(arrays[name])
    properties = {
        name: Property(np.concatenate(parts), unit=_SAMPLED[name][0], description=f"{_SAMPLED[name][1]}, {by}")
        for name, parts in found.items()
    }
    if "kinetic_energy" in properties:
        total = properties["energy"].values + properties["kinetic_energy"].values
        properties["total_energy"] = Property(total, unit="eV", description=f"potential plus kinetic energy, {by}")
    if forces:
        text = f"minus the gradient of the energy, {by}"
        properties["forces"] = Property(np.concatenate(forces), "atom", "eV/Å", text)
    if len(indices) > 1:
        properties["molecule"] = Property(np.array(parents, dtype=np.str_), description="the structure it comes from")
    start = str(dataset.identifiers[indices[0]]) if len(indices) == 1 else dataset.name
    return Dataset(
        name=f"{start}, {task.title[0].lower()}{task.title[1:]}",
        structures=Structures(np.concatenate(numbers), np.concatenate(positions), np.concatenate(offsets)),
        properties=properties,
        identifiers=np.array(names, dtype=np.str_),
        ordered=task.name == "dynamics" and len(indices) == 1,
    )
