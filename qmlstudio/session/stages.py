"""A session resolved to stages. Equal keys mean equal results: the cache is the invalidation logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qmlstudio.chem.dataset import Dataset
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.session import Session

ALGORITHMS = 1
"""Part of every key: raised when a computation changes its results for equal parameters."""

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One step of a computation.

    Attributes
    ----------
    name : str
        "features", "neighbors" or "map".
    key : str
        Of all that its result depends on.
    title : str
        For people, in the jobs panel.
    weight : float
        Rough share of the whole time.
    run : callable (inputs, progress) -> result
        `inputs` are the results of the stages before it, by name. It sees nothing else.
    """

    name: str
    key: str
    title: str
    weight: float
    run: Callable[[Inputs, Progress], Any]


class TooLargeError(Exception):
    """A result would not fit the memory budget. The text says how much it needs, and what to do instead."""


def stages(session: Session, dataset: Dataset, memory_budget: int | None = None) -> list[Stage]:
    """Resolve a session to features, neighbours and map.

    Parameters
    ----------
    memory_budget : int, bytes, optional
        Features beyond it raise :class:`TooLargeError` when their stage runs.
    """
    representation, embedding = session.representation, session.embedding
    structures = dataset.structures

    def features(_: Inputs, progress: Progress) -> Features:
        need = representation.memory(structures)
        if memory_budget is not None and need > memory_budget:
            raise TooLargeError(
                f"{len(structures):,} structures need {need / 2**30:.1f} GiB, "
                f"more than the budget of {memory_budget / 2**30:.1f} GiB: take a smaller representation "
                "(a spectrum, an average over the atoms), fewer structures, write them to a file (Represent → Save "
                "features, or `qmlstudio features`), or raise the budget in the preferences"
            )
        return representation.compute(structures, progress)

    def neighbors(inputs: Inputs, progress: Progress) -> Any:
        if representation.kernel_only:
            raise ValueError(
                f"{representation.title} compares structures by its kernel only: its rows have no distances, so there "
                "is no map of them; choose another representation for the map"
            )
        return embedding.neighbors(inputs["features"].per_structure(), progress)

    def layout(inputs: Inputs, progress: Progress) -> Any:
        return embedding.layout(inputs["neighbors"], progress)

    features_key = digest(
        "features", ALGORITHMS, structures.fingerprint, representation.to_dict(), type(representation).__module__
    )
    neighbors_key = digest("neighbors", features_key, embedding.name, embedding.stage_values("neighbors"))
    layout_key = digest("map", neighbors_key, embedding.name, embedding.stage_values("layout"))
    return [
        Stage("features", features_key, representation.title, 0.3, features),
        Stage("neighbors", neighbors_key, f"{embedding.title}: neighbours", 0.2, neighbors),
        Stage("map", layout_key, f"{embedding.title}: layout", 0.5, layout),
    ]
