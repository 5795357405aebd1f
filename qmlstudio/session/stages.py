"""A session resolved to stages. Equal keys mean equal results: the cache is the invalidation logic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.embedding_base import Embedding
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features, Representation
from qmlstudio.session.added import Added
from qmlstudio.session.columns import Columns
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
        "features", "neighbors", "map" or "quality"; with ":1" behind it for the second map, and so on.
    key : str
        Of all that its result depends on.
    title : str
        For people, in the jobs panel.
    weight : float
        Rough share of the whole time.
    run : callable (inputs, progress) -> result
        `inputs` are the results of the stages that it needs, by name without the map's number. It sees nothing else.
    needs : tuple of str
        Names, without the map's number, of the stages whose results it takes.
    """

    name: str
    key: str
    title: str
    weight: float
    run: Callable[[Inputs, Progress], Any]
    needs: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The name without the map's number."""
        return self.name.partition(":")[0]

    @property
    def which(self) -> int:
        """The map's number; 0 for the first."""
        return int(self.name.partition(":")[2] or 0)


class TooLargeError(Exception):
    """A result would not fit the memory budget. The text says how much it needs, and what to do instead."""


def stages(
    session: Session, dataset: Dataset, memory_budget: int | None = None, which: int = 0, large: bool = False
) -> list[Stage]:
    """Resolve one of a session's maps to features, neighbours and map.

    Parameters
    ----------
    memory_budget : int, bytes, optional
        Features beyond it raise :class:`TooLargeError` when their stage runs.
    which : int
        The map: 0 is the first.
    large : bool
        Make the map of landmarks and place the rest on it (:mod:`qmlstudio.session.big_map`): one stage, which never
        has the features of all structures in memory.
    """
    spec = session.map_spec(which)
    representation, embedding = spec.representation, spec.embedding
    structures = dataset.structures
    suffix = f":{which}" if which else ""

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
        _check_distances(representation)
        limit = embedding.max_rows
        if limit is not None and len(structures) > limit:
            raise TooLargeError(f"{embedding.title} takes {limit:,} structures at most, these are {len(structures):,}")
        return embedding.neighbors(inputs["features"].per_structure(), progress)

    def layout(inputs: Inputs, progress: Progress) -> Any:
        target = supervision(embedding, dataset, session.added)
        if target is None:
            return embedding.layout(inputs["neighbors"], progress)
        return embedding.layout(inputs["neighbors"], progress, target=target)

    def layout_of_landmarks(_: Inputs, progress: Progress) -> Any:
        from qmlstudio.session.big_map import big_map

        _check_distances(representation)
        target = supervision(embedding, dataset, session.added)
        return big_map(
            representation, structures, embedding, session.landmarks, memory_budget, progress, target=target
        ).coordinates

    features_key = digest(
        "features", ALGORITHMS, structures.fingerprint, representation.to_dict(), type(representation).__module__
    )
    neighbors_key = digest("neighbors", features_key, embedding.name, embedding.stage_values("neighbors"))
    target_key = _target_key(embedding, dataset, session.added)
    layout_key = digest("map", neighbors_key, embedding.name, embedding.stage_values("layout"), *target_key)
    if large:
        key = digest("landmarks", layout_key, _but(session.landmarks.to_dict(), "above"), memory_budget)
        return [Stage(f"map{suffix}", key, f"{embedding.title} of landmarks", 1.0, layout_of_landmarks)]
    return [
        Stage(f"features{suffix}", features_key, representation.title, 0.3, features),
        Stage(f"neighbors{suffix}", neighbors_key, f"{embedding.title}: neighbours", 0.2, neighbors, ("features",)),
        Stage(f"map{suffix}", layout_key, f"{embedding.title}: layout", 0.5, layout, ("neighbors",)),
    ]


def quality_stage(plan: list[Stage], alone: bool = False) -> Stage:
    """How far the map of a plan can be trusted.

    Parameters
    ----------
    alone : bool
        Take the features' neighbours from the features, not from the map's first stage: for a map from a file, for
        which that stage need not run.
    """
    last = plan[-1]
    name = last.name.replace("map", "quality", 1)
    if len(plan) == 1:
        return Stage(name, digest("quality", last.key), f"{last.title}: quality", 0.01, _quality_of_landmarks, ("map",))
    key = digest("quality", ALGORITHMS, plan[0].key, last.key, alone)
    needs = ("features", "map") if alone else ("features", "neighbors", "map")
    return Stage(name, key, last.title.replace("layout", "quality"), 0.2, _quality, needs)


def _but(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != name}


def supervision(embedding: Embedding, dataset: Dataset, added: Added = ()) -> NDArray[Any] | None:
    """The values (n,) of the column that an embedding is supervised by; None when by none, or by one there is not."""
    name = getattr(embedding, "supervised_by", "")
    column = Columns(dataset, added=added).get(name) if name else None
    return None if column is None else column.values


def _target_key(embedding: Embedding, dataset: Dataset, added: Added) -> tuple[str, ...]:
    # the structures are in the key by their fingerprint, their properties are not
    name = getattr(embedding, "supervised_by", "")
    if not name:
        return ()
    column = next((c.values for c in added if c.name == name), None)
    return (dataset.fingerprint,) if column is None else (hashlib.sha256(column.values.tobytes()).hexdigest(),)


def _check_distances(representation: Representation) -> None:
    if representation.kernel_only:
        raise ValueError(
            f"{representation.title} compares structures by its kernel only: its rows have no distances, so there "
            "is no map of them; choose another representation for the map"
        )


def _quality(inputs: Inputs, progress: Progress) -> Any:
    from qmlstudio.learning.quality import quality

    points = inputs["map"].points
    return quality(inputs["features"].per_structure(), points, neighbors=inputs.get("neighbors"), progress=progress)


def _quality_of_landmarks(inputs: Inputs, progress: Progress) -> Any:
    progress.check()
    return inputs["map"].details.get("quality")
