"""How a file is to be read: a part of it, other units. Written behind its name as ``file#sample=20000&seed=1``.

The suffix belongs to the place of the data: a session, the list of recent files and the command line open the same
structures again with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.readers.columns import unit_name
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import ENERGY, LENGTH
from qmlstudio.parameters import Parameterised, param

AUTOMATIC_SAMPLE = 20_000
"""Structures that are taken at random of files too large to be read whole, unless `sample` says otherwise."""

_SUFFIX = re.compile(r"[^#/\\=&]+=[^#&]*(?:&[^#&=]+=[^#&]*)*")
_ENERGY_NAME = re.compile(r"(?:^|_)(?:energy|energies|homo|lumo|gap)(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ReadOptions(Parameterised):
    """What of a file is read, and how it is understood.

    `every`, `first` and `sample` apply in that order: of every k-th structure the first ones, of these a random sample.
    """

    name: ClassVar[str] = "read"
    title: ClassVar[str] = "Reading"

    sample: int | None = param(
        None,
        label="Random sample",
        low=0,
        step=1000,
        help="Structures taken at random, in the order of the file; 0 takes all. Automatic: all, "
        f"but {AUTOMATIC_SAMPLE:,} of a file that is too large to be read whole.",
    )
    seed: int = param(0, label="Seed", low=0, high=2**32 - 1, help="Of the random sample: equal seeds, equal samples.")
    every: int = param(1, label="Every", low=1, help="Each k-th structure or frame of the file.")
    first: int = param(0, label="First", low=0, step=1000, help="At most so many structures; 0 takes all.")
    uncharacterized: bool = param(
        False,
        label="Uncharacterized molecules",
        help="Keep QM9's 3,054 molecules whose relaxed geometry is not that of their SMILES.",
    )
    geometry: str = param(
        "",
        label="Geometries of SMILES",
        choices=(("", "automatic"), ("3d", "in space"), ("2d", "flat drawings")),
        help="Automatic: in space by distance geometry and a force field; flat drawings of sets for which that would "
        "take more than about a minute.",
    )
    energy_unit: str = param(
        "",
        label="Unit of energies",
        choices=(("", "as the format says"), *((u, u) for u in ENERGY)),
        help="Of all columns of energies and forces, where what the format says is wrong.",
    )
    length_unit: str = param(
        "",
        label="Unit of lengths",
        choices=(("", "as the format says"), *((u, u) for u in LENGTH)),
        help="Of the coordinates and cells, where what the format says is wrong.",
    )

    @classmethod
    def parsed(cls, text: str, where: str) -> Self:
        """The options that ``key=value&key=value`` names; DataError lists the known keys."""
        known = {p.name: p for p in cls.params()}
        values: dict[str, Any] = {}
        remedy = f"write #key=value&key=value with keys of {', '.join(known)}"
        for pair in text.split("&"):
            key, equals, value = pair.partition("=")
            key = key.strip().lower()
            if not equals or key not in known:
                raise DataError(Problem(where, f"{pair.strip()[:60]!r} is no option of reading", remedy))
            if key in values:
                raise DataError(Problem(where, f"{key} is given twice", remedy))
            value = unit_name(value) if key.endswith("_unit") else value.strip()
            value = value.lower() if key == "geometry" else value
            if known[key].optional and value.lower() in {"", "auto", "automatic", "none"}:
                values[key] = None
                continue
            if known[key].kind is int:
                value = value.replace(",", "").replace("_", "")
            try:
                values[key] = known[key].check(value)
            except ValueError as error:
                raise DataError(Problem(where, str(error), "mend the text behind the #")) from error
        return cls(**values)

    def suffix(self) -> str:
        """``#key=value&…`` of all that is not as by default; empty when all is."""
        pairs = []
        for p in self.params():
            value = getattr(self, p.name)
            if value != p.default:
                pairs.append(f"{p.name}={str(value).lower() if p.kind is bool else value}")
        return "#" + "&".join(pairs) if pairs else ""

    def rows(self, count: int, done: frozenset[str] = frozenset()) -> NDArray[np.int64] | slice:
        """Which of `count` structures are taken, in rising order; a slice that takes all when nothing was asked.

        Parameters
        ----------
        count : int
        done : set of str
            Options that were heeded already.
        """
        every = 1 if "every" in done else self.every
        first = 0 if "first" in done else self.first
        sample = 0 if "sample" in done else self.sample or 0
        if every == 1 and (not first or first >= count) and (not sample or sample >= count):
            return slice(None)
        rows = np.arange(0, count, every, dtype=np.int64)
        rows = rows[:first] if first else rows
        if sample and sample < len(rows):
            rows = np.sort(np.random.default_rng(self.seed).choice(rows, sample, replace=False))
        return rows

    def applied(self, data: Dataset, done: frozenset[str] = frozenset()) -> Dataset:
        """The data set as asked for, except for the options named in `done`: its reader heeded those already."""
        rows = self.rows(len(data), done)
        if not isinstance(rows, slice):
            kept = data.take(rows)
            data = replace(kept, ordered=data.ordered and not self.sample)
        length = "" if "length_unit" in done else self.length_unit
        if length and length != "Å":
            s = data.structures
            cells = None if s.cells is None else s.cells * LENGTH[length]
            data = replace(data, structures=Structures(s.numbers, s.positions * LENGTH[length], s.offsets, cells))
        energy = "" if "energy_unit" in done else self.energy_unit
        if energy or length:
            properties = {k: _in_units(k, p, energy, length) for k, p in data.properties.items()}
            data = replace(data, properties=properties)
        return data


DEFAULT = ReadOptions()
"""All of the file, as its format says."""


def _in_units(name: str, p: Property, energy: str, length: str) -> Property:
    """A column of energies or forces, said to be measured in other units; any other as it is."""
    if p.is_text:
        return p
    if p.unit in ENERGY or (not p.unit and _ENERGY_NAME.search(name)):
        return replace(p, unit=energy) if energy else p
    over, _, under = p.unit.rpartition("/")
    if over in ENERGY and under in LENGTH:
        return replace(p, unit=f"{energy or over}/{length or under}")
    if not p.unit and "force" in name.lower() and p.target == "atom" and energy:
        return replace(p, unit=f"{energy}/{length or 'Å'}")
    return p


def split_options(path: str | Path) -> tuple[Path, ReadOptions]:
    """File and options of a path with or without a suffix ``#key=value&…``.

    A file whose whole name has a "#" is itself: nothing is split off.

    Raises
    ------
    DataError
        Unknown keys or illegal values behind a file that is there.
    """
    text = str(path)
    head, mark, tail = text.rpartition("#")
    whole = Path(text).expanduser()
    if not mark or not head or _exists(whole):
        return whole, DEFAULT
    file = Path(head).expanduser()
    if _exists(file) or _SUFFIX.fullmatch(tail):
        return file, ReadOptions.parsed(tail, str(file))
    return whole, DEFAULT


def file_of(path: str | Path) -> Path:
    """The file or folder that a path with or without options means; never an error."""
    try:
        return split_options(path)[0]
    except DataError:
        return Path(str(path).rpartition("#")[0]).expanduser()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a NUL: no name of a file
        return False
