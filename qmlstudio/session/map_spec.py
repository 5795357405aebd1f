"""What a map shows beside its colours, and the further maps that stand beside the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qmlstudio import representations
from qmlstudio.learning import embedding as embeddings
from qmlstudio.learning.embedding_base import Embedding
from qmlstudio.parameters import Parameterised, param
from qmlstudio.representations.base import Representation

MAX_MAPS = 4


@dataclass(frozen=True, kw_only=True)
class MapView(Parameterised):
    """What a map shows, beside its points and colours."""

    name = "map"
    title = "Map"

    mode: str = param(
        "auto",
        label="Points as",
        choices=(
            ("auto", "automatic"),
            ("points", "points"),
            ("over", "points over density"),
            ("density", "density"),
            ("contours", "contours"),
            ("count", "count"),
            ("mean", "mean of the colour's property"),
            ("min", "least value"),
            ("max", "largest value"),
            ("std", "spread of values"),
        ),
        help="Automatic: discs while they can be told apart, then the mean colour or the density of each pixel.",
    )
    bins: int = param(1, label="Bins", unit="px", low=1, high=24, step=1, help="Side of the squares that are counted.")
    hexagons: bool = param(False, label="Hexagons", help="Bins are hexagons instead of squares.", advanced=True)
    point_size: float | None = param(None, label="Point size", unit="px", low=1, high=40, step=1)
    size_by: str = param("", label="Size by", shown=False)
    symbol_by: str = param("", label="Symbol by", shown=False)
    x_axis: str = param("", label="Horizontal", help="A column instead of the embedding's axis.", shown=False)
    y_axis: str = param("", label="Vertical", help="A column instead of the embedding's axis.", shown=False)
    hulls: str = param(
        "none", label="Hulls", choices=(("none", "none"), ("convex", "convex"), ("alpha", "close-fitting"))
    )
    labels: str = param(
        "none",
        label="Labels",
        choices=(
            ("none", "none"),
            ("groups", "categories or clusters"),
            ("pins", "pinned structures"),
            ("selected", "selected structures"),
        ),
    )
    path: bool = param(False, label="Path through the frames", help="A line from frame to frame of a trajectory.")
    neighbors: bool = param(False, label="Lines to neighbours", help="From the active structure to its nearest ones.")


@dataclass(frozen=True, kw_only=True)
class MapSpec:
    """A map beside the first, which the session's own fields describe."""

    representation: Representation = field(default_factory=lambda: representations.REGISTRY["coulomb_matrix"]())
    embedding: Embedding = field(default_factory=lambda: embeddings.UMAP())
    view: MapView = field(default_factory=MapView)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "representation": self.representation.to_dict(),
            "embedding": self.embedding.to_dict(),
            "view": self.view.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MapSpec:
        """Inverse of :meth:`to_dict`; raises as :meth:`qmlstudio.session.session.Session.from_dict` does."""
        return cls(
            representation=representations.from_dict(data["representation"]),
            embedding=embeddings.from_dict(data["embedding"]),
            view=MapView.from_dict(data["view"]),
        )
