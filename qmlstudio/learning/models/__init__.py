"""Models that learn properties from features.

:data:`REGISTRY` knows them all; importing this loads neither SciPy nor scikit-learn.
"""

from __future__ import annotations

from typing import Any

from qmlstudio.learning.models.base import FittedModel, ModelSpec, Prediction, TooLargeError
from qmlstudio.learning.models.baselines import Composition, MeanModel, NearestNeighbors
from qmlstudio.learning.models.forest import RandomForest
from qmlstudio.learning.models.gaussian_process import GaussianProcess
from qmlstudio.learning.models.kernel_model import FittedKernelModel
from qmlstudio.learning.models.kernel_ridge import KernelRidge
from qmlstudio.learning.models.linear import FingerprintRidge, LinearRidge
from qmlstudio.learning.models.plans import Plan, plan

REGISTRY: dict[str, type[ModelSpec]] = {
    model.name: model
    for model in (
        KernelRidge,
        GaussianProcess,
        LinearRidge,
        FingerprintRidge,
        RandomForest,
        NearestNeighbors,
        Composition,
        MeanModel,
    )
}
"""Registry name → class, in the order of the menus."""


def get(name: str) -> type[ModelSpec]:
    """The class registered under `name`, or the one for atoms' properties; ValueError if unknown."""
    if name == "atomic_kernel_ridge":
        # learns from atoms: files know it, menus of models of structures do not
        from qmlstudio.learning.kernels.atomic import AtomicKernelRidge

        return AtomicKernelRidge
    if name not in REGISTRY:
        raise ValueError(f"no model {name!r}: choose from {', '.join(REGISTRY)}")
    return REGISTRY[name]


def from_dict(data: dict[str, Any]) -> ModelSpec:
    """The model that :meth:`ModelSpec.to_dict` described, with its kernel."""
    return get(str(data.get("name"))).from_dict(data)


__all__ = [
    "REGISTRY",
    "Composition",
    "FingerprintRidge",
    "FittedKernelModel",
    "FittedModel",
    "GaussianProcess",
    "KernelRidge",
    "LinearRidge",
    "MeanModel",
    "ModelSpec",
    "NearestNeighbors",
    "Plan",
    "Prediction",
    "RandomForest",
    "TooLargeError",
    "from_dict",
    "get",
    "plan",
]
