"""Representations: structures into numbers. :data:`REGISTRY` knows them all; importing this costs no compiled code."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from qmlstudio.representations.acsf import ACSF
from qmlstudio.representations.aev import AEV
from qmlstudio.representations.atomic_coulomb import AtomicCoulombMatrix
from qmlstudio.representations.bag_of_bonds import BagOfBonds
from qmlstudio.representations.baml import BAML
from qmlstudio.representations.base import Features, Layout, Representation, check_fits
from qmlstudio.representations.baselines import Composition, Maccs, Morgan, RdkitDescriptors
from qmlstudio.representations.coulomb import CoulombMatrix
from qmlstudio.representations.fchl18 import FCHL18
from qmlstudio.representations.fchl19 import FCHL19
from qmlstudio.representations.lmbtr import LMBTR
from qmlstudio.representations.mbtr import MBTR
from qmlstudio.representations.periodic_matrices import EwaldMatrix, SineMatrix
from qmlstudio.representations.scattering import Scattering
from qmlstudio.representations.slatm import SLATM
from qmlstudio.representations.soap import SOAP

ENTRY_POINTS = "qmlstudio.representations"
"""Group under which other packages register ``name = module:Class``."""

REGISTRY: dict[str, type[Representation]] = {
    r.name: r
    for r in (
        CoulombMatrix,
        SineMatrix,
        EwaldMatrix,
        AtomicCoulombMatrix,
        BagOfBonds,
        BAML,
        SLATM,
        FCHL18,
        FCHL19,
        ACSF,
        AEV,
        SOAP,
        MBTR,
        LMBTR,
        Scattering,
        Composition,
        Morgan,
        Maccs,
        RdkitDescriptors,
    )
}
"""Registry name → class, in the order of the menus; :func:`load_plugins` adds those of other packages at the end."""


def load_plugins() -> list[str]:
    """Add the representations that installed packages register; the problems met, one line each.

    A plug-in that cannot be imported, is no :class:`Representation` or takes a name that is in use is left out.
    """
    problems = []
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            found = entry.load()
        except Exception as error:
            problems.append(f"plug-in {entry.name} ({entry.value}) could not be loaded: {error!r}")
            continue
        if not (isinstance(found, type) and issubclass(found, Representation)):
            problems.append(f"plug-in {entry.name} ({entry.value}) is no Representation")
        elif getattr(found, "name", None) != entry.name:
            problems.append(f"plug-in {entry.name} ({entry.value}) calls itself {getattr(found, 'name', None)!r}")
        elif REGISTRY.setdefault(entry.name, found) is not found:
            problems.append(f"plug-in {entry.name} ({entry.value}): the name is in use")
    return problems


def get(name: str) -> type[Representation]:
    """The class registered under `name`; plug-ins are looked for when it is no built-in one. ValueError if unknown."""
    problems = [] if name in REGISTRY else load_plugins()
    if name not in REGISTRY:
        more = "".join(f"; {problem}" for problem in problems)
        raise ValueError(f"no representation is called {name!r}; known: {', '.join(REGISTRY)}{more}")
    return REGISTRY[name]


def from_dict(data: dict[str, Any]) -> Representation:
    """The representation that :meth:`Representation.to_dict` described. ValueError for what it cannot be."""
    if not isinstance(data.get("name"), str):
        raise ValueError("a representation needs a name")
    return get(data["name"]).from_dict(data)


__all__ = [
    "ACSF",
    "AEV",
    "BAML",
    "ENTRY_POINTS",
    "FCHL18",
    "FCHL19",
    "LMBTR",
    "MBTR",
    "REGISTRY",
    "SLATM",
    "SOAP",
    "AtomicCoulombMatrix",
    "BagOfBonds",
    "Composition",
    "CoulombMatrix",
    "EwaldMatrix",
    "Features",
    "Layout",
    "Maccs",
    "Morgan",
    "RdkitDescriptors",
    "Representation",
    "Scattering",
    "SineMatrix",
    "check_fits",
    "from_dict",
    "get",
    "load_plugins",
]
