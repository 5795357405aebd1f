"""A data set: structures, their properties, and where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.errors import Problem
from qmlstudio.chem.structures import Structures


@dataclass(frozen=True, eq=False)
class Property:
    """One column of numbers or texts.

    Attributes
    ----------
    values : (n,) float64 or (n,) str; atoms: (A,) or (A, 3)
        One for each structure or atom. Missing numbers are NaN, missing texts are empty: legal everywhere.
    target : "structure" or "atom"
    unit : str
        As people write it ("Ha", "eV/Å"); empty when there is none or nobody said.
    description : str
    """

    values: NDArray[Any]
    target: Literal["structure", "atom"] = "structure"
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        values = np.asanyarray(self.values)
        if values.dtype.kind in "biuf":
            values = values if values.dtype == np.float64 else values.astype(np.float64)
        elif values.dtype.kind != "U":
            values = np.array(["" if v is None else str(v) for v in values.tolist()], dtype=np.str_)
        object.__setattr__(self, "values", values)

    @property
    def is_text(self) -> bool:
        """Texts, that is, categories or names; not to be shown on a numeric bar."""
        return bool(self.values.dtype.kind == "U")

    @cached_property
    def is_category(self) -> bool:
        """Texts with few distinct values: a legend makes sense."""
        return self.is_text and len(self.categories) <= 24

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Distinct texts, the most frequent first; empty for numbers. The missing ("") is left out."""
        if not self.is_text:
            return ()
        found, counts = np.unique(self.values, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple(str(found[i]) for i in order if found[i] != "")

    def label(self, name: str) -> str:
        """Name with unit: "gap / Ha" is how the field's journals want axes labelled."""
        return f"{name} / {self.unit}" if self.unit else name


@dataclass(frozen=True)
class Source:
    """Where data come from.

    Attributes
    ----------
    path : str
        File or folder as opened; "builtin:NAME" for a built-in set, "qm9:" for QM9; empty for pasted text.
    format, licence, reference : str
    """

    path: str = ""
    format: str = ""
    licence: str = ""
    reference: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Structures with properties and identifiers.

    Attributes
    ----------
    name : str
    structures : Structures
    properties : dict of str to Property
    identifiers : (n,) str
        One name for each structure; need not be unique.
    source : Source
    problems : tuple of Problem
        What of the input could not be used.
    ordered : bool
        Whether the structures are frames in time or along a path: then they can be played.
    """

    name: str
    structures: Structures
    properties: dict[str, Property] = field(default_factory=dict)
    identifiers: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, dtype=np.str_))
    source: Source = field(default_factory=Source)
    problems: tuple[Problem, ...] = ()
    ordered: bool = False

    def __post_init__(self) -> None:
        n = len(self.structures)
        names = self.identifiers
        if len(names) == 0 and n:
            names = np.array([str(i + 1) for i in range(n)], dtype=np.str_)
        object.__setattr__(self, "identifiers", np.asanyarray(names, dtype=np.str_))
        if len(self.identifiers) != n:
            raise ValueError(f"{len(self.identifiers)} identifiers for {n} structures")
        for key, p in self.properties.items():
            expected = n if p.target == "structure" else len(self.structures.numbers)
            if len(p.values) != expected:
                raise ValueError(f"property {key!r} has {len(p.values)} values, expected {expected}")

    def __len__(self) -> int:
        return len(self.structures)

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of structures, identifiers and properties (32 hex digits)."""
        h = hashlib.blake2b(self.structures.fingerprint.encode(), digest_size=16)
        h.update(np.ascontiguousarray(self.identifiers).view(np.uint8).reshape(-1).data)
        for key in sorted(self.properties):
            p = self.properties[key]
            h.update(f"{key}\0{p.unit}\0{p.target}".encode())
            h.update(np.ascontiguousarray(p.values).view(np.uint8).reshape(-1).data)
        return h.hexdigest()

    @property
    def per_structure(self) -> dict[str, Property]:
        """The properties that have one value for each structure."""
        return {k: p for k, p in self.properties.items() if p.target == "structure"}

    @property
    def smiles(self) -> NDArray[np.str_] | None:
        """(n,) SMILES if the set has them (property "smiles"), else None."""
        p = self.properties.get("smiles")
        return p.values if p is not None and p.is_text and p.target == "structure" else None

    def take(self, indices: Any) -> Dataset:
        """A copy with the chosen structures (indices, slice or mask), in that order."""
        chosen = np.arange(len(self))[indices]
        offsets = self.structures.offsets
        atoms = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in chosen] or [np.zeros(0, int)]).astype(
            int
        )
        properties = {
            k: replace(p, values=p.values[chosen if p.target == "structure" else atoms])
            for k, p in self.properties.items()
        }
        return replace(
            self, structures=self.structures.take(chosen), properties=properties, identifiers=self.identifiers[chosen]
        )
