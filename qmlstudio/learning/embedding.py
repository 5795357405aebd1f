"""The embeddings by name. Importing this costs nothing: the methods import what they need."""

from __future__ import annotations

from typing import Any

from qmlstudio.learning.embedding_base import (
    COMPONENTS,
    PARTIAL_SECONDS,
    Coordinates,
    Embedding,
    Neighbors,
    as_matrix,
)
from qmlstudio.learning.kernel_pca import KernelPCA
from qmlstudio.learning.mds import MDS
from qmlstudio.learning.pca import PCA
from qmlstudio.learning.tsne import TSNE
from qmlstudio.learning.umap import UMAP

__all__ = [
    "COMPONENTS",
    "MDS",
    "PARTIAL_SECONDS",
    "PCA",
    "REGISTRY",
    "TSNE",
    "UMAP",
    "Coordinates",
    "Embedding",
    "KernelPCA",
    "Neighbors",
    "as_matrix",
    "from_dict",
]

REGISTRY: dict[str, type[Embedding]] = {method.name: method for method in (PCA, KernelPCA, UMAP, TSNE, MDS)}
"""The embeddings by their names in files and on the command line."""


def from_dict(data: dict[str, Any]) -> Embedding:
    """The embedding that :meth:`Embedding.to_dict` described; raises ValueError for unknown names and parameters."""
    name = data.get("name")
    if name not in REGISTRY:
        raise ValueError(f"there is no embedding {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name].from_dict(data)
