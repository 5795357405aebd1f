"""Checks of single geometries: coordinates, elements, clashes, fragments, valences, atoms far away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qmlstudio.chem.bonds import TOLERANCE
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.elements import COVALENT_RADII, SYMBOLS
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table
from qmlstudio.session.doctor.findings import ERROR, INFO, WARNING, Findings, Ragged
from qmlstudio.session.doctor.survey import SECONDS_PER_ATOM, element_tables, survey_of

_SYMBOLS = np.array([*SYMBOLS, *["?"] * (256 - len(SYMBOLS))])
SCATTERED = 0.5
"""Share of structures in parts above which a set is taken to be made of clusters, liquids or pairs."""


@dataclass(frozen=True, kw_only=True)
class _Geometry(Check):
    def seconds(self, dataset: Dataset) -> float:
        """That of the survey of all geometries, which the checks share."""
        return SECONDS_PER_ATOM * len(dataset.structures.numbers)


@dataclass(frozen=True, kw_only=True)
class Coordinates(_Geometry):
    """Numbers that are none."""

    name: ClassVar[str] = "coordinates"
    title: ClassVar[str] = "Broken coordinates"
    why: ClassVar[str] = "An atom at NaN or infinity has no place: neither distances nor representations exist."

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A structure for each finding; empty structures are told, too."""
        survey = survey_of(dataset.structures, progress)
        rows = np.flatnonzero(survey.broken >= 0)
        empty = np.flatnonzero(dataset.structures.sizes == 0)
        atoms = survey.broken[rows]
        text = "the coordinates of atom {atom} are not finite"
        return Findings.join(
            self.name,
            [
                Findings.make(self.name, text, rows, ERROR, atoms=Ragged.table(atoms), atom=atoms + 1),
                Findings.make(self.name, "there are no atoms", empty, ERROR),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class Elements(Check):
    """Dummies and numbers beyond the table."""

    name: ClassVar[str] = "elements"
    title: ClassVar[str] = "Unknown elements"
    why: ClassVar[str] = "Dummy atoms and unknown elements have no radius, mass or energy, and mislead every method."

    rare: int = param(
        3,
        label="Rare element",
        low=0,
        high=1000,
        unit="structures",
        help="An element in at most so many structures of a large set is mentioned; 0 for never.",
    )

    def seconds(self, dataset: Dataset) -> float:
        """Atoms are counted once."""
        return 5e-9 * len(dataset.structures.numbers)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A structure for each unknown element, a finding for each rare one."""
        structures, found = dataset.structures, []
        numbers, offsets = np.asarray(structures.numbers), np.asarray(structures.offsets)
        progress(0.0, "Counting elements")
        for z in structures.species.numbers:
            known = 0 < z < len(SYMBOLS)
            if known and not (self.rare and len(structures) >= 1000):
                continue
            at = np.flatnonzero(numbers == z)
            owner = np.searchsorted(offsets, at, "right") - 1
            rows, first = np.unique(owner, return_index=True)
            progress(0.5)
            if not known:
                atoms = (at - offsets[owner])[first]
                text = "atom {atom} is a dummy" if z == 0 else "atom {atom}: there is no element {z}"
                found.append(
                    Findings.make(self.name, text, rows, ERROR, atoms=Ragged.table(atoms), atom=atoms + 1, z=z)
                )
            elif len(rows) <= self.rare:
                text = "{element} occurs in {count} structures only"
                rare = Findings.make(self.name, text, -1, INFO, related=Ragged.lists([rows]), element=SYMBOLS[z])
                found.append(rare)
        return Findings.join(self.name, found)


@dataclass(frozen=True, kw_only=True)
class Clashes(_Geometry):
    """Atoms that are too near."""

    name: ClassVar[str] = "clashes"
    title: ClassVar[str] = "Clashes"
    why: ClassVar[str] = "Atoms far inside each other's covalent radii, or at one place, are slips of the geometry."

    fraction: float = param(
        0.6,
        label="Of the radii",
        low=0.05,
        high=0.95,
        step=0.05,
        help="A distance below this fraction of the sum of the covalent radii is a clash. A C–H bond of 1.09 Å is at "
        "1.02, H–H at 1.2 and the shortest bonds in molecules at 0.78.",
    )

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """The closest pair of each such structure."""
        structures = dataset.structures
        survey = survey_of(structures, progress)
        rows = np.flatnonzero(survey.closest < self.fraction)
        pairs = survey.pairs[rows]
        numbers, starts = np.asarray(structures.numbers), np.asarray(structures.offsets)[rows]
        one, two = (numbers[starts + pairs[:, k]] for k in (0, 1))
        radii = element_tables()[0]
        distance = survey.closest[rows] * (radii[one] + radii[two])
        # of very light pairs radii say little; at one place is at one place
        severity = np.where(survey.closest[rows] < 0.75 * self.fraction, ERROR, WARNING)
        text = "{one}{i} and {two}{j} are {distance:.2f} Å apart ({ratio:.2f} of their radii)"
        return Findings.make(
            self.name,
            text,
            rows,
            severity,
            atoms=Ragged.table(pairs),
            one=_SYMBOLS[one],
            two=_SYMBOLS[two],
            i=pairs[:, 0] + 1,
            j=pairs[:, 1] + 1,
            distance=distance,
            ratio=survey.closest[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Fragments(_Geometry):
    """Molecules that fell apart."""

    name: ClassVar[str] = "fragments"
    title: ClassVar[str] = "Fragments"
    why: ClassVar[str] = "A molecule in several parts has dissociated, or is a complex among single molecules."

    most: int = param(1, label="Parts allowed", low=1, high=1000, help="More connected parts than this are told.")

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """The atoms of all parts but the largest; a set that consists of such structures is told once."""
        from qmlstudio.learning._survey_loops import fragments_of

        structures = dataset.structures
        survey = survey_of(structures, progress.part(0.0, 0.9))
        rows = np.flatnonzero(survey.parts > self.most)
        molecules = int(np.count_nonzero(survey.parts > 0))
        if molecules > 1 and len(rows) > SCATTERED * molecules:
            text = "{share:.0f} % of the structures are in several parts: clusters or complexes"
            return Findings.make(self.name, text, -1, INFO, drops="none", share=100.0 * len(rows) / molecules)
        radii, most, metal, _ = element_tables()
        smaller = []
        for k, row in enumerate(rows.tolist()):
            progress(0.9 + 0.1 * k / len(rows))
            structure = structures[row]
            label = np.empty(len(structure), np.int64)
            z, r = structure.numbers.astype(np.int64), np.asarray(structure.positions)
            fragments_of(z, r, radii, most, metal, TOLERANCE, label)
            smaller.append(np.flatnonzero(label != np.argmax(np.bincount(label))))
        text = "{parts} parts that no bond joins"
        return Findings.make(
            self.name, text, rows, WARNING, atoms=Ragged.lists(smaller), parts=survey.parts[rows].astype(np.int64)
        )


@dataclass(frozen=True, kw_only=True)
class Valences(_Geometry):
    """Atoms with too many neighbours."""

    name: ClassVar[str] = "valences"
    title: ClassVar[str] = "Valences"
    why: ClassVar[str] = "A carbon with five neighbours or a hydrogen with two is a slip, or chemistry worth a look."

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """An atom of each such structure; bonds to metals, and crystals, are not judged."""
        structures = dataset.structures
        survey = survey_of(structures, progress)
        rows = np.flatnonzero(survey.crowded[:, 0] >= 0)
        atoms = survey.crowded[rows, 0]
        z = np.asarray(structures.numbers)[np.asarray(structures.offsets)[rows] + atoms]
        text = "{element}{atom} has {neighbors} neighbours"
        return Findings.make(
            self.name,
            text,
            rows,
            WARNING,
            atoms=Ragged.table(atoms),
            element=_SYMBOLS[z],
            atom=atoms + 1,
            neighbors=survey.crowded[rows, 1].astype(np.int64),
        )


@dataclass(frozen=True, kw_only=True)
class Isolated(_Geometry):
    """Atoms that flew away."""

    name: ClassVar[str] = "isolated"
    title: ClassVar[str] = "Atoms far away"
    why: ClassVar[str] = "An atom far from all others has flown off, or was read from a wrong line."

    distance: float = param(
        4.0,
        label="Farther than",
        unit="Å",
        low=1.5,
        high=6.0,
        step=0.5,
        help="From its nearest atom. Atoms larger than carbon may be farther away, by twice what the radii differ.",
    )

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """The loneliest atom of each such structure; single atoms are none."""
        structures = dataset.structures
        survey, sizes = survey_of(structures, progress), structures.sizes
        rows = np.flatnonzero((survey.lonely > self.distance) & (sizes > 1))
        numbers = np.asarray(structures.numbers)[np.asarray(structures.offsets)[rows] + survey.lonely_atom[rows]]
        size = element_tables()[0][numbers]
        limit = np.minimum(self.distance + 2 * np.maximum(size - COVALENT_RADII[6], 0.0), 6.0)
        rows = rows[survey.lonely[rows] > limit]
        atoms, far = survey.lonely_atom[rows], survey.lonely[rows]
        seen = np.isfinite(far)
        near = Findings.make(
            self.name,
            "atom {atom} is {distance:.1f} Å from its nearest",
            rows[seen],
            WARNING,
            atoms=Ragged.table(atoms[seen]),
            atom=atoms[seen] + 1,
            distance=far[seen],
        )
        beyond = Findings.make(
            self.name,
            "nothing is near atom {atom}",
            rows[~seen],
            WARNING,
            atoms=Ragged.table(atoms[~seen]),
            atom=atoms[~seen] + 1,
        )
        return Findings.join(self.name, [near, beyond])
