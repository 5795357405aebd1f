"""A session with what hangs on it, as a file: the map on screen, and data that have no file of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from qmlstudio.chem.builtin import NAMED
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session import added, known
from qmlstudio.session.scripting import open_dataset
from qmlstudio.session.selection import Selection
from qmlstudio.session.session import DatasetRef, Session
from qmlstudio.session.storage import StorageError, dataset_from_arrays, dataset_to_arrays, load, save

SUFFIX = ".qmls"


@dataclass(frozen=True, eq=False)
class Document:
    """What a session file holds.

    Attributes
    ----------
    session : Session
    dataset : Dataset or None
        None when the session has none.
    coordinates : Coordinates or None
        The map as it was on screen.
    others : dict of str to result
        What else is known, by name: further maps ("map:1"), the maps' qualities ("quality").
    notice : str
        What could not be restored, for people; empty when all was.
    views : dict
        Passing states of the window: the map's range, the camera. JSON-able.
    """

    session: Session
    dataset: Dataset | None
    coordinates: Coordinates | None = None
    notice: str = ""
    views: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def to_storage(
    document: Document, beside: str | os.PathLike[str] | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """JSON-able description and arrays.

    Parameters
    ----------
    beside : path, optional
        Where the file will lie: the data's path is also stored relative to it, so that a folder can be moved.
    """
    data: dict[str, Any] = {"session": document.session.to_dict(), "views": document.views}
    arrays: dict[str, NDArray[Any]] = {}
    dataset, points = document.dataset, document.coordinates
    path = document.session.dataset.path
    if dataset is not None and not path:
        data["embedded"], arrays = dataset_to_arrays(dataset)
    elif path and beside is not None and not path.startswith(NAMED):
        folder = Path(beside).resolve().parent
        try:
            data["relative_path"] = "\n".join(os.path.relpath(p, folder) for p in path.splitlines())
        except ValueError:  # another drive
            data["relative_path"] = ""
    if points is not None and points.epoch == points.n_epochs:
        arrays["map/points"] = points.points
        data["map"] = {"axes": list(points.axes), "epoch": points.epoch, "n_epochs": points.n_epochs}
    data["results"], more = known.to_storage(document.others)
    data["added"], columns = added.to_storage(document.session.added)
    return data, arrays | more | columns


def write(document: Document, path: str | os.PathLike[str]) -> None:
    """Save atomically; StorageError as :func:`qmlstudio.session.storage.save` raises it."""
    data, arrays = to_storage(document, path)
    save(path, data, arrays, title=document.session.dataset.name)


def read(path: str | os.PathLike[str], progress: Progress = SILENT, locate: str = "") -> Document:
    """Open a session file and the data it is about.

    Parameters
    ----------
    locate : str
        Where the data lie now, if they were moved.

    Raises
    ------
    StorageError
        The file is no session file, damaged, or of a newer version.
    DataError
        The data it refers to cannot be read; the message says how to point to them.
    """
    data, arrays = load(path)
    try:
        session = Session.from_dict(data["session"])
        embedded = dataset_from_arrays(data["embedded"], arrays) if "embedded" in data else None
    except (KeyError, ValueError) as error:
        raise StorageError(path, str(error), "open an older copy of the session") from error
    dataset = embedded
    if dataset is None and session.dataset.path:
        dataset = _referred(session.dataset, str(data.get("relative_path", "")), Path(path), progress, locate)
    if dataset is None:
        return Document(session, None)
    if len(dataset) == session.dataset.n:
        session = replace(session, added=added.from_storage(data.get("added"), arrays, dataset))
    if dataset.fingerprint == session.dataset.fingerprint:
        views = data.get("views")
        coordinates = _coordinates(data, arrays, len(dataset))
        others = known.from_storage(data.get("results", {}), arrays, len(dataset))
        return Document(session, dataset, coordinates, "", views if isinstance(views, dict) else {}, others)
    return _reconciled(session, dataset)


def restore(session: Session, progress: Progress = SILENT) -> Document:
    """A session without its file, and the data that it names; DataError when they cannot be read."""
    dataset = open_dataset(session.dataset.path, progress)
    if dataset.fingerprint == session.dataset.fingerprint:
        return Document(session, dataset)
    return _reconciled(session, dataset)


def _referred(ref: DatasetRef, relative: str, path: Path, progress: Progress, locate: str) -> Dataset:
    tried = [locate] if locate else [ref.path]
    if relative and not locate:
        tried.append("\n".join(str(path.resolve().parent / p) for p in relative.splitlines()))
    # several files that were opened as one set stand on a line each
    place = next((t for t in tried if _is_there(t)), None)
    if place is None:
        raise DataError(
            f"{path.name}: its data set {ref.name!r} was at {', '.join(ref.path.splitlines())} "
            "and is not there any more → put it back, or open the file where it is now and then the session again"
        )
    return open_dataset(place, progress)


def _is_there(place: str) -> bool:
    from qmlstudio.chem.readers import file_of

    return place.startswith(NAMED) or all(file_of(p).exists() for p in place.splitlines())


def _reconciled(session: Session, dataset: Dataset) -> Document:
    """The data changed since the session was saved: keep whatever still has a meaning, and say so."""
    same_count = len(dataset) == session.dataset.n
    new = session.with_dataset(dataset)
    if same_count:
        new = replace(
            new,
            selection=session.selection,
            pins=session.pins,
            coloring=session.coloring,
            added=session.added,
            exclusions=session.exclusions,
        )
        notice = f"{dataset.name} has changed since the session was saved: the map is made anew."
    else:
        selection = Selection.none(len(dataset), 0 if len(dataset) else None)
        new = replace(new, selection=selection)
        notice = (
            f"{dataset.name} had {session.dataset.n:,} structures when the session was saved, now it has "
            f"{len(dataset):,}: selection and pins were dropped, the map is made anew."
        )
    return Document(new, dataset, None, notice)


def _coordinates(data: dict[str, Any], arrays: dict[str, NDArray[Any]], n: int) -> Coordinates | None:
    points, meta = arrays.get("map/points"), data.get("map")
    if points is None or not isinstance(meta, dict) or points.shape not in ((n, 2), (n, 3)):
        return None
    return Coordinates(points, tuple(meta["axes"]), int(meta["epoch"]), int(meta["n_epochs"]))
