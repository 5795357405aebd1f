"""What a check found: many findings as flat arrays, since a data set may have a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property

INFO, WARNING, ERROR = 0, 1, 2
SEVERITIES = ("info", "warning", "error")
COLUMN = "doctor"
"""The derived column that names the worst finding of each structure."""

Ints = NDArray[np.int64]
Drops = Literal["structure", "related", "none"]


@dataclass(frozen=True, eq=False)
class Ragged:
    """A list of whole numbers for each finding: those of finding k are ``values[offsets[k]:offsets[k + 1]]``."""

    offsets: Ints
    values: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, k: int) -> Ints:
        return self.values[self.offsets[k] : self.offsets[k + 1]]

    @classmethod
    def empty(cls, count: int) -> Ragged:
        """Nothing for each."""
        return cls(np.zeros(count + 1, np.int64), np.zeros(0, np.int64))

    @classmethod
    def table(cls, rows: Any) -> Ragged:
        """From an array (count, m)."""
        rows = np.asarray(rows, dtype=np.int64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        return cls(np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1], rows.reshape(-1))

    @classmethod
    def lists(cls, rows: Sequence[Any]) -> Ragged:
        """From one sequence for each."""
        arrays = [np.asarray(r, dtype=np.int64).reshape(-1) for r in rows]
        offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)
        return cls(offsets, np.concatenate(arrays) if arrays else np.zeros(0, np.int64))

    @classmethod
    def join(cls, parts: Sequence[Ragged]) -> Ragged:
        """One after the other."""
        sizes = [np.diff(p.offsets) for p in parts]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]) if parts else np.zeros(1)
        values = np.concatenate([p.values for p in parts]) if parts else np.zeros(0)
        return cls(offsets.astype(np.int64), values.astype(np.int64))


@dataclass(frozen=True)
class Finding:
    """One of :class:`Findings`, for people.

    Attributes
    ----------
    check : str
        Name of the check.
    severity : "info", "warning" or "error"
    structure : int or None
        None when it concerns the set, a column or a group.
    text : str
    atoms : tuple of int
        Of the structure.
    related : (m,) int64
        Other structures that it concerns.
    numbers : dict of str to float or str
        The evidence.
    """

    check: str
    severity: str
    structure: int | None
    text: str
    atoms: tuple[int, ...]
    related: Ints
    numbers: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Findings:
    """All findings of one check.

    Attributes
    ----------
    check : str
    severity : (k,) uint8
        Index into :data:`SEVERITIES`.
    structure : (k,) int64
        -1 where a finding concerns the set as a whole.
    kind : (k,) int16
        Index into `templates`.
    templates : tuple of str
        Texts with fields for the numbers, and ``{other}`` for the first related structure.
    numbers : mapping of str to (k,) array
        Evidence.
    atoms, related : Ragged
    drops : (k,) int8
        What an exclusion takes: 0 the structure, 1 the related ones, 2 nothing.
    note : str
        What was not looked at, and why.
    error : str
        Why the check could not be done at all.
    """

    check: str
    severity: NDArray[np.uint8]
    structure: Ints
    kind: NDArray[np.int16]
    templates: tuple[str, ...]
    numbers: Mapping[str, NDArray[Any]]
    atoms: Ragged
    related: Ragged
    drops: NDArray[np.int8]
    note: str = ""
    error: str = ""

    def __len__(self) -> int:
        return len(self.structure)

    def __getitem__(self, k: int) -> Finding:
        structure = int(self.structure[k])
        return Finding(
            self.check,
            SEVERITIES[self.severity[k]],
            structure if structure >= 0 else None,
            self.text(k),
            tuple(self.atoms[k].tolist()),
            self.related[k],
            self.evidence(k),
        )

    def evidence(self, k: int) -> dict[str, Any]:
        """The numbers of a finding."""
        return {name: v for name, v in self._values(k).items() if v == v and v != ""}

    def text(self, k: int, identifiers: Any = None) -> str:
        """The finding in words; related structures by their identifiers, or by their 1-based numbers."""
        others = self.related[k]
        other = ""
        if len(others):
            other = str(identifiers[int(others[0])]) if identifiers is not None else f"structure {int(others[0]) + 1}"
        template: str = self.templates[self.kind[k]]
        return template.format(other=other, count=len(others), **self._values(k))

    def _values(self, k: int) -> dict[str, Any]:
        # whole numbers may have become floats, since some findings lack them
        found = {name: v[k].item() for name, v in self.numbers.items()}
        return {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in found.items()}

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many are infos, warnings and errors."""
        found = np.bincount(self.severity, minlength=3)
        return int(found[0]), int(found[1]), int(found[2])

    @property
    def worst(self) -> int:
        """The highest severity; -1 when nothing was found."""
        return int(self.severity.max(initial=0)) if len(self) else -1

    def structures(self, chosen: Any = None) -> Ints:
        """All structures that the (chosen) findings concern, ascending."""
        parts = self._rows(chosen)
        own = self.structure[parts]
        lists = [own[own >= 0], *(self.related[int(k)] for k in parts)]
        return np.unique(np.concatenate(lists)) if lists else np.zeros(0, np.int64)

    def excludable(self, chosen: Any = None) -> Ints:
        """The structures that an exclusion of the (chosen) findings leaves out, ascending."""
        parts = self._rows(chosen)
        own = self.structure[parts[self.drops[parts] == 0]]
        lists = [own[own >= 0], *(self.related[int(k)] for k in parts[self.drops[parts] == 1])]
        return np.unique(np.concatenate(lists))

    def _rows(self, chosen: Any) -> Ints:
        return np.arange(len(self)) if chosen is None else np.atleast_1d(np.asarray(chosen, dtype=np.int64))

    @classmethod
    def make(
        cls,
        check: str,
        text: str,
        structure: Any,
        severity: Any = WARNING,
        *,
        atoms: Ragged | None = None,
        related: Ragged | None = None,
        drops: Drops = "structure",
        **numbers: Any,
    ) -> Findings:
        """Findings that share their text.

        Parameters
        ----------
        structure : (k,) int
        severity : int, or (k,) int
        numbers : (k,) arrays, or single values
        """
        rows = np.atleast_1d(np.asarray(structure, dtype=np.int64))
        count = len(rows)
        return cls(
            check,
            np.broadcast_to(np.asarray(severity, np.uint8), (count,)),
            rows,
            np.zeros(count, np.int16),
            (text,),
            {name: np.broadcast_to(np.asarray(v), (count,)) for name, v in numbers.items()},
            Ragged.empty(count) if atoms is None else atoms,
            Ragged.empty(count) if related is None else related,
            np.full(count, ("structure", "related", "none").index(drops), np.int8),
        )

    @classmethod
    def join(cls, check: str, parts: Sequence[Findings], note: str = "") -> Findings:
        """One after the other; numbers that a part lacks are NaN, or empty."""
        parts = [p for p in parts if len(p)]
        if not parts:
            return cls.make(check, "", np.zeros(0, np.int64)).noted(note)
        templates = tuple(dict.fromkeys(t for p in parts for t in p.templates))
        kind = [np.array([templates.index(t) for t in p.templates], np.int16)[p.kind] for p in parts]
        names = dict.fromkeys(name for p in parts for name in p.numbers)
        numbers = {}
        for name in names:
            text = next(p.numbers[name] for p in parts if name in p.numbers).dtype.kind == "U"
            numbers[name] = np.concatenate(
                [p.numbers[name] if name in p.numbers else np.full(len(p), "" if text else np.nan) for p in parts]
            )
        return cls(
            check,
            np.concatenate([p.severity for p in parts]),
            np.concatenate([p.structure for p in parts]),
            np.concatenate(kind),
            templates,
            numbers,
            Ragged.join([p.atoms for p in parts]),
            Ragged.join([p.related for p in parts]),
            np.concatenate([p.drops for p in parts]),
            note,
        )

    def noted(self, note: str) -> Findings:
        """The same with a note."""
        return replace(self, note=note)


def worst_column(found: Sequence[Findings], titles: Mapping[str, str], n: int) -> Property:
    """The column "doctor": for each structure the title of the check with the worst finding about it, or nothing.

    What concerns the set as a whole marks no structure.
    """
    longest = max((len(t) for t in titles.values()), default=1)
    values = np.zeros(n, dtype=f"<U{max(longest, 1)}")
    for severity in (INFO, WARNING, ERROR):
        for f in reversed(found):
            rows = f.structure[(f.severity == severity) & (f.structure >= 0)]
            values[rows] = titles.get(f.check, f.check)
            for k in np.flatnonzero((f.severity == severity) & (f.structure < 0) & (f.drops == 1)).tolist():
                values[f.related[k]] = titles.get(f.check, f.check)
    return Property(values, description="the worst that the data doctor found")
