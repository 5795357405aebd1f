"""The structures of a coverage as one data set: on a common map, with the distances as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.comparison.coverage import Coverage, stacked
from qmlstudio.session.comparison.sets import DataPart
from qmlstudio.session.joining import ORIGIN
from qmlstudio.session.scripting import prepared


def joint_dataset(parts: Sequence[DataPart], result: Coverage, progress: Progress = SILENT) -> Dataset:
    """The structures that a coverage was made of, set after set.

    Columns that all sets have in the same kind and unit are one; others bear the set's name in brackets. The column
    "set" names the set, "distance to NAME" is the distance to the nearest structure of that set (to the nearest other
    one for its own), "outside NAME" is 1 where that is beyond the set's threshold.
    """
    taken = []
    for k, (part, rows) in enumerate(zip(parts, result.rows, strict=True)):
        progress(0.8 * k / len(parts), "Joining")
        taken.append(part.dataset.take(rows))
    sizes = [len(d) for d in taken]
    properties: dict[str, Property] = {
        ORIGIN: Property(
            np.concatenate([np.full(n, name) for n, name in zip(sizes, result.names, strict=True)]),
            description="the data set it came from",
        )
    }
    for a, name in enumerate(result.names):
        distances = np.concatenate([result.nearest[a][b] for b in range(len(taken))])
        properties[f"distance to {name}"] = Property(
            distances, description=f"to the nearest structure of {name} ({result.representation.title})"
        )
        far = np.where(np.isfinite(distances), (distances > result.threshold[a]).astype(np.float64), np.nan)
        if not np.isfinite(result.threshold[a]):
            far[:] = np.nan
        properties[f"outside {name}"] = Property(
            far, description=f"1: farther than {100 * result.spec.quantile:g} % of {name} from their nearest neighbour"
        )
    for name in dict.fromkeys(name for d in taken for name in d.properties):
        if name not in properties:
            properties.update(_columns(name, taken, result.names))
    sources = [d.source for d in taken]
    joined = Dataset(
        name=" + ".join(result.names),
        structures=stacked([d.structures for d in taken]),
        properties=properties,
        identifiers=np.concatenate([np.asarray(d.identifiers[:]) for d in taken]),
        source=Source(
            format="joined",
            licence="; ".join(dict.fromkeys(s.licence for s in sources if s.licence)),
            reference="; ".join(dict.fromkeys(s.reference for s in sources if s.reference)),
        ),
    )
    return prepared(joined)


def _columns(name: str, sets: Sequence[Dataset], names: Sequence[str]) -> dict[str, Property]:
    """One column of all sets that have it, or one of each where they differ in kind or unit."""
    there = [d.properties.get(name) for d in sets]
    known = [p for p in there if p is not None]
    kinds = {(p.is_text, p.target, p.values.shape[1:], p.unit) for p in known}
    if len(kinds) == 1:
        return {name: _joined(there, sets)}
    return {
        f"{name} [{title}]": _joined([p if k == j else None for j in range(len(sets))], sets)
        for k, (p, title) in enumerate(zip(there, names, strict=True))
        if p is not None
    }


def _joined(columns: Sequence[Property | None], sets: Sequence[Dataset]) -> Property:
    first = next(p for p in columns if p is not None)
    values: list[NDArray[Any]] = []
    for p, dataset in zip(columns, sets, strict=True):
        count = len(dataset) if first.target == "structure" else len(dataset.structures.numbers)
        shape = (count, *first.values.shape[1:])
        values.append(np.asarray(p.values[:]) if p is not None else np.full(shape, "" if first.is_text else np.nan))
    return replace(first, values=np.concatenate(values))
