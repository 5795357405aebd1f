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
    structures, there = dataset.structures, dataset.properties
    derived: dict[str, Property] = {}
    if dataset.ordered:
        if "frame" not in there:
            frames = np.arange(1.0, len(structures) + 1)
            derived["frame"] = Property(frames, description="position in the trajectory")
    else:
        if "n_atoms" not in there:
            derived["n_atoms"] = Property(structures.sizes.astype(np.float64), description="number of atoms")
        if "n_heavy" not in there:
            heavy = np.zeros(len(structures))
            found, parts = structures.element_counts()
            for start, counts in parts:
                heavy[start : start + len(counts)] = counts[:, found > 1].sum(axis=1)
            derived["n_heavy"] = Property(heavy, description="number of atoms other than hydrogen")
        if "formula" not in there and len(structures) <= 200_000:
            derived["formula"] = Property(np.array(structures.formulas(), dtype=np.str_), description="Hill formula")
    return replace(dataset, properties={**there, **derived}) if derived else dataset


def open_dataset(path: str, progress: Progress = SILENT) -> Dataset:
    """Read a file, folder, archive, "builtin:NAME" or "qm9:", with derived properties added."""
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
