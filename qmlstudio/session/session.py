"""The whole state of a piece of work, frozen: what is saved, undone, and resolved to stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from qmlstudio import representations
from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning import clustering as clusterings
from qmlstudio.learning import embedding as embeddings
from qmlstudio.learning.clustering import Clustering
from qmlstudio.learning.embedding_base import Embedding
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.parameters import Parameterised, param
from qmlstudio.representations.base import Representation
from qmlstudio.session.added import Added
from qmlstudio.session.coloring import Coloring
from qmlstudio.session.exclusions import Exclusion
from qmlstudio.session.filters import Filters
from qmlstudio.session.map_spec import MAX_MAPS, MapSpec, MapView
from qmlstudio.session.selection import NamedSelection, Selection

VERSION = 2
"""Of :meth:`Session.to_dict`; raised with every change that older programs cannot read."""


@dataclass(frozen=True)
class DatasetRef:
    """Which data set a session is about; the data themselves are not part of it.

    Attributes
    ----------
    name, path : str
        `path` as in :class:`qmlstudio.chem.dataset.Source`; empty for pasted data, which are embedded when saved.
    fingerprint : str
    n : int
    """

    name: str = ""
    path: str = ""
    fingerprint: str = ""
    n: int = 0

    @classmethod
    def of(cls, dataset: Dataset) -> DatasetRef:
        """The reference to a data set in memory."""
        return cls(dataset.name, dataset.source.path, dataset.fingerprint, len(dataset))


@dataclass(frozen=True, kw_only=True)
class StructureLook(Parameterised):
    """How a structure is drawn."""

    name = "structure"
    title = "Structure"

    style: str = param(
        "ball_and_stick",
        label="Style",
        choices=(("ball_and_stick", "ball and stick"), ("spacefill", "spacefill"), ("sticks", "sticks")),
    )
    hydrogens: bool = param(True, label="Hydrogens")
    labels: str = param(
        "none",
        label="Labels",
        choices=(("none", "none"), ("element", "elements"), ("index", "numbers"), ("both", "elements and numbers")),
    )
    cell: bool = param(True, label="Unit cell")
    projection: str = param("perspective", label="Projection", choices=("perspective", "orthographic"))


def _default_representation() -> Representation:
    return representations.REGISTRY["coulomb_matrix"]()


def _default_embedding() -> Embedding:
    return embeddings.UMAP()


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that a user chose.

    Attributes
    ----------
    dataset : DatasetRef
    representation, embedding : what makes the map
    selection : Selection
    pins : tuple of int
        Pinned structures in the order of their numbers, at most 16.
    coloring : Coloring
    map_view, structure_look : view states
    measurements : tuple of tuple of int
        Pinned distances, angles and dihedrals: 2–4 atoms each.
    maps : tuple of MapSpec
        Further maps beside the first, at most three; colours, selection and filters are common to all.
    filters : Filters
    named : tuple of NamedSelection
        Selections that were given a name.
    clustering : Clustering or None
    cluster_names : tuple of (int, str)
        Names that were given to clusters by hand.
    reference : int or None
        The structure to which the column "similarity" compares.
    landmarks : Landmarks
        How maps are made of sets whose features do not fit into memory.
    added : tuple of AddedColumn
        Properties that are not in the data set's file. Not in :meth:`to_dict`: their values are arrays, and a session
        file has them beside it.
    exclusions : tuple of Exclusion
        Structures to leave out.
    """

    dataset: DatasetRef = DatasetRef()
    representation: Representation = field(default_factory=_default_representation)
    embedding: Embedding = field(default_factory=_default_embedding)
    selection: Selection = field(default_factory=lambda: Selection.none(0))
    pins: tuple[int, ...] = ()
    coloring: Coloring = field(default_factory=Coloring)
    map_view: MapView = field(default_factory=MapView)
    structure_look: StructureLook = field(default_factory=StructureLook)
    measurements: tuple[tuple[int, ...], ...] = ()
    maps: tuple[MapSpec, ...] = ()
    filters: Filters = field(default_factory=Filters)
    named: tuple[NamedSelection, ...] = ()
    clustering: Clustering | None = None
    cluster_names: tuple[tuple[int, str], ...] = ()
    reference: int | None = None
    landmarks: Landmarks = field(default_factory=Landmarks)
    added: Added = ()
    exclusions: tuple[Exclusion, ...] = ()

    def __post_init__(self) -> None:
        if len(self.maps) >= MAX_MAPS:
            raise ValueError(f"{1 + len(self.maps)} maps: at most {MAX_MAPS} stand side by side")

    def map_spec(self, which: int = 0) -> MapSpec:
        """The description of a map: 0 is the first, whose parts are the session's own fields."""
        if which == 0:
            return MapSpec(representation=self.representation, embedding=self.embedding, view=self.map_view)
        return self.maps[which - 1]

    def with_map(self, which: int, spec: MapSpec) -> Session:
        """The session with another description of one map."""
        return replace(self, **self.map_fields(which, spec))

    def map_fields(self, which: int, spec: MapSpec) -> dict[str, Any]:
        """The fields, with their new values, that describe a map as `spec`."""
        if which == 0:
            return {"representation": spec.representation, "embedding": spec.embedding, "map_view": spec.view}
        return {"maps": (*self.maps[: which - 1], spec, *self.maps[which:])}

    def with_dataset(self, dataset: Dataset) -> Session:
        """The session for another data set: what names structures or properties is reset, the methods stay."""
        ref = DatasetRef.of(dataset)
        return replace(
            self,
            dataset=ref,
            selection=Selection.none(len(dataset), 0 if len(dataset) else None),
            pins=(),
            measurements=(),
            coloring=replace(self.coloring, color_by=_first_color(dataset, self.coloring.color_by), hidden=""),
            map_view=_without_columns(self.map_view),
            maps=tuple(replace(m, view=_without_columns(m.view)) for m in self.maps),
            filters=Filters(),
            named=(),
            cluster_names=(),
            reference=None,
            added=(),
            exclusions=(),
        )

    def differing(self, other: Session) -> frozenset[str]:
        """Names of the fields that differ."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "version": VERSION,
            "dataset": vars(self.dataset).copy(),
            "representation": self.representation.to_dict(),
            "embedding": self.embedding.to_dict(),
            "selection": self.selection.to_dict(),
            "pins": list(self.pins),
            "coloring": self.coloring.to_dict(),
            "map_view": self.map_view.to_dict(),
            "structure_look": self.structure_look.to_dict(),
            "measurements": [list(m) for m in self.measurements],
            "maps": [m.to_dict() for m in self.maps],
            "filters": self.filters.to_dict(),
            "named": [n.to_dict() for n in self.named],
            "clustering": None if self.clustering is None else self.clustering.to_dict(),
            "cluster_names": [list(pair) for pair in self.cluster_names],
            "reference": self.reference,
            "landmarks": self.landmarks.to_dict(),
            "exclusions": [e.to_dict() for e in self.exclusions],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Session:
        """Inverse of :meth:`to_dict`, of earlier versions, too.

        Raises
        ------
        ValueError
            Names what is wrong, or the newer version that is needed.
        """
        version = data.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise ValueError(f"session of version {version}: this program reads up to {VERSION}; install a newer one")
        try:
            n_structures = int(data["dataset"]["n"])
            selection = Selection.from_dict(data["selection"])
            if len(selection) != n_structures:
                raise ValueError("the selection does not fit the data set")
            named = tuple(NamedSelection.from_dict(d) for d in data.get("named", ()))
            if any(len(n.selection) != n_structures for n in named):
                raise ValueError("a named selection does not fit the data set")
            reference = data.get("reference")
            return cls(
                dataset=DatasetRef(**data["dataset"]),
                representation=representations.from_dict(data["representation"]),
                embedding=embeddings.from_dict(data["embedding"]),
                selection=selection,
                pins=tuple(int(i) for i in data["pins"] if 0 <= int(i) < n_structures),
                coloring=Coloring.from_dict(data["coloring"]),
                map_view=MapView.from_dict(data["map_view"]),
                structure_look=StructureLook.from_dict(data["structure_look"]),
                measurements=tuple(tuple(int(a) for a in m) for m in data["measurements"]),
                maps=tuple(MapSpec.from_dict(d) for d in data.get("maps", ())),
                filters=Filters.from_dict(data.get("filters", {})),
                named=named,
                clustering=_clustering(data.get("clustering")),
                cluster_names=tuple((int(k), str(name)) for k, name in data.get("cluster_names", ())),
                reference=None if reference is None else int(reference),
                landmarks=Landmarks.from_dict(data.get("landmarks", {})),
                exclusions=tuple(Exclusion.from_dict(d) for d in data.get("exclusions", ())),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the session is incomplete: {error}") from error


def _clustering(data: dict[str, Any] | None) -> Clustering | None:
    return None if data is None else clusterings.from_dict(data)


def _without_columns(view: MapView) -> MapView:
    """A map's look for another data set, which has other columns."""
    return replace(view, size_by="", symbol_by="", x_axis="", y_axis="")


def _first_color(dataset: Dataset, wished: str) -> str:
    """The property to colour by at first: the wished one, else a telling one, else the first number."""
    names = [k for k, p in dataset.per_structure.items() if p.values.ndim == 1]
    numbers = [k for k in names if not dataset.properties[k].is_text]
    telling = (wished, "gap", "energy", "E", "atomization_energy", "pbe0")
    return next((k for k in telling if k in names), next(_varying(dataset, numbers), ""))


def _varying(dataset: Dataset, names: list[str]) -> Iterator[str]:
    for name in names:
        values = dataset.properties[name].values
        # piece by piece: the first two that differ decide, and are found soon
        if any((values[k : k + 65536] != values[0]).any() for k in range(0, len(values), 65536)):
            yield name
