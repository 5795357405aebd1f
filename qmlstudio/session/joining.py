"""More structures on a map that is there: two data sets become one, and the map's points stay where they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.structures import Structures
from qmlstudio.learning.embedding_base import Coordinates, Embedding, Neighbors
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.selection import Selection
from qmlstudio.session.session import DatasetRef, Session
from qmlstudio.session.stages import TooLargeError

ORIGIN = "set"
"""Column that says which of the two sets a structure came from."""


def joined(first: Dataset, second: Dataset) -> Dataset:
    """Both sets as one: all columns of both, empty where a set lacks one; :data:`ORIGIN` names the set.

    Raises
    ------
    ValueError
        A column has numbers in one set and texts in the other, or another unit.
    """
    properties: dict[str, Property] = {}
    for name in dict.fromkeys((*first.properties, *second.properties)):
        if name != ORIGIN:
            properties[name] = _column(name, first, second)
    own = first.properties.get(ORIGIN)
    origins = own.values if own is not None and own.is_text else np.full(len(first), first.name)
    properties[ORIGIN] = Property(
        np.concatenate([origins, np.full(len(second), second.name)]), description="the data set it came from"
    )
    return Dataset(
        name=f"{first.name} + {second.name}",
        structures=_structures(first.structures, second.structures),
        properties=properties,
        identifiers=np.concatenate([first.identifiers, second.identifiers]),
        source=Source(format="joined", licence=_both(first.source.licence, second.source.licence)),
        problems=(*first.problems, *second.problems),
    )


def _both(*texts: str) -> str:
    return "; ".join(dict.fromkeys(t for t in texts if t))


def _structures(first: Structures, second: Structures) -> Structures:
    cells = None
    if first.cells is not None or second.cells is not None:
        cells = np.concatenate([np.zeros((len(s), 3, 3)) if s.cells is None else s.cells for s in (first, second)])
    return Structures(
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.positions, second.positions]),
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        cells,
    )


def _column(name: str, first: Dataset, second: Dataset) -> Property:
    parts = (first.properties.get(name), second.properties.get(name))
    there = [p for p in parts if p is not None]
    p = there[0]
    if any(q.is_text != p.is_text or q.target != p.target or q.values.shape[1:] != p.values.shape[1:] for q in there):
        raise ValueError(f"column {name!r} is of another kind in {second.name}: rename it in one of the files")
    if len({q.unit for q in there if q.unit}) > 1:
        units = " and ".join(sorted({q.unit for q in there}))
        raise ValueError(f"column {name!r} has the units {units}: convert one of the files")
    values: list[NDArray[Any]] = []
    for dataset, q in zip((first, second), parts, strict=True):
        count = len(dataset) if p.target == "structure" else len(dataset.structures.numbers)
        shape = (count, *p.values.shape[1:])
        values.append(q.values if q is not None else np.full(shape, "" if p.is_text else np.nan))
    return replace(p, values=np.concatenate(values), unit=next((q.unit for q in there if q.unit), ""))


def added(
    session: Session,
    dataset: Dataset,
    more: Dataset,
    coordinates: Coordinates,
    memory_budget: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Session, Dataset, Coordinates]:
    """Put further structures on a session's first map.

    Parameters
    ----------
    session, dataset, coordinates
        What is on screen.
    more : Dataset
    memory_budget : int, bytes, optional

    Returns
    -------
    Session
        For the joined set; the new structures are selected.
    Dataset
    Coordinates
        The old points unchanged, then the new ones.

    Raises
    ------
    TooLargeError
        The features of both need more than the budget.
    ValueError
        The columns do not fit; the representation knows no distances.
    """
    both = joined(dataset, more)
    representation, n = session.representation, len(dataset)
    if representation.kernel_only:
        raise ValueError(f"{representation.title} has no map: choose another representation")
    need = representation.memory(both.structures)
    if memory_budget is not None and need > memory_budget:
        raise TooLargeError(
            f"the features of both sets need {need / 2**30:.1f} GiB, more than the budget of "
            f"{memory_budget / 2**30:.1f} GiB: take a smaller representation or raise the budget in the preferences"
        )
    # with the elements of both sets the columns may be others than before: the old rows are made anew, too
    rows = representation.compute(both.structures, progress.part(0.0, 0.6)).per_structure()
    places = _places(session.embedding, rows[:n], coordinates.points, rows[n:], progress.part(0.6, 1.0))
    points = np.concatenate([coordinates.points, places])
    mask = np.arange(len(both)) >= n
    selection = Selection(mask, n if len(more) else session.selection.active, f"added {more.name}")
    named = tuple(
        replace(s, selection=replace(s.selection, mask=np.concatenate([s.selection.mask, np.zeros(len(more), bool)])))
        for s in session.named
    )
    new = replace(session, dataset=DatasetRef.of(both), selection=selection, named=named)
    return new, both, replace(coordinates, points=points)


def _places(embedding: Embedding, old: Any, points: Any, new: Any, progress: Progress) -> NDArray[np.float64]:
    from qmlstudio.learning.projection import Projector

    neighbors = _none(len(old))
    if type(embedding).project_linear is not Embedding.project_linear:
        neighbors = embedding.neighbors(old, progress.part(0.0, 0.3))
    projector = Projector(embedding, neighbors, old, points, progress.part(0.3, 0.5))
    found = projector.project(new, progress.part(0.5, 0.9))
    if projector.is_exact:
        # the map on screen may be a mirror image of what the components give: it is turned to match former maps
        sample = np.linspace(0, len(old) - 1, min(len(old), 1000)).astype(np.int64)
        raw = projector.project(old[sample], progress.part(0.9, 1.0))
        design = np.column_stack([raw, np.ones(len(raw))])
        transform = np.linalg.lstsq(design, points[sample], rcond=None)[0]
        found = np.column_stack([found, np.ones(len(found))]) @ transform
    return found


def _none(n: int) -> Neighbors:
    empty = np.zeros((n, 0))
    return Neighbors(empty.astype(np.int32), empty.astype(np.float32), empty, np.zeros(0))
