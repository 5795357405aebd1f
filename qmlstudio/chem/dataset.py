"""A data set: structures, their properties, and where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.errors import Problem
from qmlstudio.chem.structures import Structures, chosen_rows, update_hash
from qmlstudio.chem.texts import CountedTexts, coded, lazy
from qmlstudio.progress import SILENT, Progress

MOST_CATEGORIES = 24
"""Distinct texts up to which a column is one of categories."""
_COUNTED = 1_000_000
"""Structures up to which names that nobody gave are spelled out."""


@dataclass(frozen=True, eq=False)
class Property:
    """One column of numbers or texts.

    Attributes
    ----------
    values : (n,) float64 or (n,) str; atoms: (A,) or (A, 3)
        One for each structure or atom. Missing numbers are NaN, missing texts are empty: legal everywhere. Many texts
        may be :class:`~qmlstudio.chem.texts.Texts`, which are used like an array.
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
        if lazy(self.values) is not None:
            return
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
        if (texts := coded(self.values)) is not None and len(texts.names) > MOST_CATEGORIES + 1:
            return False
        return self.is_text and len(self.categories) <= MOST_CATEGORIES

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Distinct texts, the most frequent first; empty for numbers. The missing ("") is left out."""
        if not self.is_text:
            return ()
        if (texts := coded(self.values)) is not None:
            by_name = np.argsort(texts.names, kind="stable")
            found, counts = texts.names[by_name], texts.counts[by_name]
        else:
            found, counts = np.unique(self.values, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple(str(found[i]) for i in order if found[i] != "" and counts[i])

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
        One name for each structure; need not be unique. Many may be :class:`~qmlstudio.chem.texts.Texts`.
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
        if len(names) == 0 and n > _COUNTED:
            names = cast(Any, CountedTexts.counter(n))
        elif len(names) == 0 and n:
            names = np.array([str(i + 1) for i in range(n)], dtype=np.str_)
        if lazy(names) is None:
            names = np.asanyarray(names, dtype=np.str_)
        object.__setattr__(self, "identifiers", names)
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
        return self.hashed()

    def hashed(self, progress: Progress = SILENT) -> str:
        """The :attr:`fingerprint`, made in pieces that can be cancelled in between."""
        structures = self.structures
        if "fingerprint" not in structures.__dict__:
            structures.__dict__["fingerprint"] = structures.hashed(progress.part(0.0, 0.7))
        h = hashlib.blake2b(structures.fingerprint.encode(), digest_size=16)
        progress = progress.part(0.7, 1.0)
        _hash_column(h, self.identifiers, progress)
        for key in sorted(self.properties):
            p = self.properties[key]
            h.update(f"{key}\0{p.unit}\0{p.target}".encode())
            _hash_column(h, p.values, progress)
        progress(1.0)
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
        chosen = chosen_rows(indices, len(self))
        properties: dict[str, Property] = {}
        atoms: NDArray[np.int64] | None = None
        for k, p in self.properties.items():
            if p.target == "atom" and atoms is None:
                atoms = self.structures.atoms_of(chosen)
            properties[k] = replace(p, values=p.values[chosen if p.target == "structure" else atoms])
        return replace(
            self, structures=self.structures.take(chosen), properties=properties, identifiers=self.identifiers[chosen]
        )


def _hash_column(h: Any, values: Any, progress: Progress) -> None:
    if (texts := lazy(values)) is not None:
        # as the array of the same texts is hashed
        for _, part in texts.blocks():
            h.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
            progress.check()
    else:
        update_hash(h, values, progress)
