"""Kernels: similarities of structures. Only these are ever called kernel; compiled functions are loops.

:data:`REGISTRY` knows them all; importing this costs no compiled code.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.kernels.combined import Normalised, Product, Sum
from qmlstudio.learning.kernels.functions import (
    Cosine,
    Gaussian,
    Laplacian,
    Linear,
    Matern,
    Polynomial,
    RationalQuadratic,
    Tanimoto,
    Wasserstein,
)
from qmlstudio.learning.kernels.local import (
    BestMatch,
    FCHL18Kernel,
    GlobalFromLocal,
    LocalAverage,
    LocalSum,
    REMatch,
)
from qmlstudio.learning.kernels.pairwise import DISTANCES, PairwiseKernel, distance_matrix, median_distance

REGISTRY: dict[str, type[Kernel]] = {
    kernel.name: kernel
    for kernel in (
        Gaussian,
        Laplacian,
        Matern,
        RationalQuadratic,
        Wasserstein,
        Linear,
        Polynomial,
        Cosine,
        Tanimoto,
        LocalSum,
        LocalAverage,
        BestMatch,
        REMatch,
        GlobalFromLocal,
        FCHL18Kernel,
        Sum,
        Product,
        Normalised,
    )
}
"""Registry name → class, in the order of the menus."""


def get(name: str) -> type[Kernel]:
    """The class registered under `name`; ValueError if unknown."""
    if name not in REGISTRY:
        raise ValueError(f"no kernel {name!r}: choose from {', '.join(REGISTRY)}")
    return REGISTRY[name]


def from_dict(data: dict[str, Any]) -> Kernel:
    """The kernel that :meth:`Kernel.to_dict` described, with all that are nested in it."""
    return get(str(data.get("name"))).from_dict(data)


__all__ = [
    "BLOCK_BYTES",
    "DISTANCES",
    "REGISTRY",
    "BestMatch",
    "Cosine",
    "FCHL18Kernel",
    "Gaussian",
    "GlobalFromLocal",
    "Kernel",
    "Laplacian",
    "Linear",
    "LocalAverage",
    "LocalSum",
    "Matern",
    "Normalised",
    "PairwiseKernel",
    "Polynomial",
    "Product",
    "REMatch",
    "RationalQuadratic",
    "Sum",
    "Tanimoto",
    "Wasserstein",
    "distance_matrix",
    "from_dict",
    "get",
    "median_distance",
]
