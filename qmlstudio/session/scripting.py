"""The main job without a window: open, compute, embed. What the command line and scripts use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.cache import Cache
from qmlstudio.session.session import Session
from qmlstudio.session.stages import stages


def with_derived(dataset: Dataset) -> Dataset:
    """The data set with what follows from its structures alone: counts of atoms, the frame's number.

    A property that the file already has under that name is left alone.
    """
    structures = dataset.structures
    owner = np.repeat(np.arange(len(structures)), structures.sizes)
    heavy = np.bincount(owner[structures.numbers > 1], minlength=len(structures)).astype(np.float64)
    derived = {
        "n_atoms": Property(structures.sizes.astype(np.float64), description="number of atoms"),
        "n_heavy": Property(heavy, description="number of atoms other than hydrogen"),
    }
    if dataset.ordered:
        frames = np.arange(1.0, len(structures) + 1)
        derived = {"frame": Property(frames, description="position in the trajectory")}
    elif "formula" not in dataset.properties and len(structures) <= 200_000:
        derived["formula"] = Property(np.array(structures.formulas(), dtype=np.str_), description="Hill formula")
    new = {k: p for k, p in derived.items() if k not in dataset.properties}
    return replace(dataset, properties={**dataset.properties, **new}) if new else dataset


def open_dataset(path: str, progress: Progress = SILENT) -> Dataset:
    """Read a file, folder, archive or "builtin:NAME", with derived properties added."""
    from qmlstudio.chem.readers import open_dataset as read

    return prepared(read(path, progress))


def prepared(dataset: Dataset) -> Dataset:
    """With derived properties, and with what takes long on millions of structures computed here, not in the window."""
    dataset = with_derived(dataset)
    _ = dataset.fingerprint, dataset.structures.species
    return dataset


def compute(
    session: Session, dataset: Dataset, progress: Progress = SILENT, cache: Cache | None = None
) -> dict[str, Any]:
    """Results of all stages by name: "features", "neighbors", "map"."""
    results: dict[str, Any] = {}
    done = 0.0
    plan = stages(session, dataset)
    for stage in plan:
        known = cache.get(stage.key) if cache is not None else None
        if known is None:
            part = progress.part(done, done + stage.weight)
            part(0.0, stage.title)
            known = stage.run(results, part)
            if cache is not None:
                cache.put(stage.key, known)
        results[stage.name] = known
        done += stage.weight
    return results
