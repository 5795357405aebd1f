"""Checks that compare structures: the same molecule, the same geometry, and both sides of a split."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table
from qmlstudio.session.doctor.findings import ERROR, INFO, WARNING, Findings, Ragged
from qmlstudio.session.doctor.sameness import groups, molecules_of, same_geometries
from qmlstudio.session.doctor.survey import SECONDS_PER_ATOM

Ints = NDArray[np.int64]

_SPLIT_NAMES = re.compile(r"(split|fold|set|subset|partition|train_?test)", re.IGNORECASE)
_TRAIN = re.compile(r"^(tr|train|training|learn)", re.IGNORECASE)
_PROJECTED = 8
_SAMPLE = 300
EXACT = 1e-4
"""Å; geometries of conformers nearer than this are copies."""


@dataclass(frozen=True, kw_only=True)
class SameMolecule(Check):
    """One bond graph, several structures."""

    name: ClassVar[str] = "same_molecule"
    title: ClassVar[str] = "Same molecule"
    why: ClassVar[str] = (
        "Structures with the same bonds are conformers, stereoisomers or duplicates; in a set of different molecules "
        "they weigh twice."
    )

    def seconds(self, dataset: Dataset) -> float:
        """That of the survey of all geometries."""
        return 1.2 * SECONDS_PER_ATOM * len(dataset.structures.numbers)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each molecule that is there more than once; a set of conformers is told once."""
        molecules = molecules_of(dataset.structures, progress)
        crystals = len(dataset) - molecules.known
        note = f"{crystals:,} crystals or broken structures are not compared" if crystals else ""
        if molecules.is_conformers:
            text = "{n:,} conformers of {molecules:,} molecule" + ("s" if molecules.count > 1 else "")
            found = Findings.make(self.name, text, -1, INFO, drops="none", n=molecules.known, molecules=molecules.count)
            return found.noted(note)
        order, starts = groups(molecules.label)
        many = np.flatnonzero(np.diff(starts) > 1)
        lists = [order[starts[k] : starts[k + 1]] for k in many.tolist()]
        text = "the same bonds as {other}, in {more} further structures altogether"
        one = "the same bonds as {other}"
        first = np.array([a[0] for a in lists], np.int64)
        more = np.array([len(a) - 1 for a in lists], np.int64)
        found = Findings.make(
            self.name, text, first, INFO, related=Ragged.lists([a[1:] for a in lists]), drops="related", more=more
        )
        templates = (text, one)
        return replace(found, templates=templates, kind=(more == 1).astype(np.int16), note=note)


@dataclass(frozen=True, kw_only=True)
class SameGeometry(Check):
    """One geometry, several structures."""

    name: ClassVar[str] = "same_geometry"
    title: ClassVar[str] = "Same geometry"
    why: ClassVar[str] = "A geometry that is there twice weighs twice, and makes a test set look better than it is."

    threshold: float = param(
        0.002,
        label="RMSD up to",
        unit="Å",
        low=1e-5,
        high=0.5,
        step=0.001,
        help="After superposition, whatever the order of the atoms. Frames 0.5 fs apart differ by 0.01 Å.",
    )
    mirror: bool = param(
        True, label="Mirror images", help="Mention mirror images, too: most representations cannot tell them apart."
    )

    def seconds(self, dataset: Dataset) -> float:
        """The survey, and a search in all structures of a composition."""
        return SECONDS_PER_ATOM * len(dataset.structures.numbers) + 3e-5 * len(dataset)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each structure that is like an earlier one."""
        from qmlstudio.learning._same_loops import ALIKE, MIRRORED

        same = same_geometries(dataset.structures, self.threshold, progress)
        keep = np.ones(len(same.way), np.bool_) if self.mirror else same.way != MIRRORED
        pairs, apart, way = same.pairs[keep], same.apart[keep], same.way[keep]
        # of several like earlier ones the first
        order = np.lexsort((pairs[:, 0], pairs[:, 1]))
        pairs, apart, way = pairs[order], apart[order], way[order]
        first = np.concatenate([[True], pairs[1:, 1] != pairs[:-1, 1]]) if len(pairs) else np.zeros(0, np.bool_)
        pairs, apart, way = pairs[first], apart[first], way[first]
        parts = []
        conformers = molecules_of(dataset.structures).is_conformers
        for code, text, severity in (
            (0, "the geometry of {other} (RMSD {rmsd:.2g} Å)", WARNING),
            (MIRRORED, "the mirror image of {other} (RMSD {rmsd:.2g} Å)", INFO),
            (ALIKE, "all distances as in {other} (within {rmsd:.2g} Å)", WARNING),
        ):
            rows = way == code
            parts.append(
                Findings.make(
                    self.name,
                    text,
                    pairs[rows, 1],
                    # of many conformers some come near each other by chance
                    np.where(conformers & (apart[rows] > EXACT), INFO, severity),
                    related=Ragged.table(pairs[rows, :1]),
                    rmsd=apart[rows],
                )
            )
        return Findings.join(self.name, parts)


@dataclass(frozen=True, kw_only=True)
class Leakage(Check):
    """The same on both sides of a split."""

    name: ClassVar[str] = "leakage"
    title: ClassVar[str] = "Train/test leakage"
    why: ClassVar[str] = (
        "What is in the test set and, almost, in the training set makes errors look smaller than they are."
    )

    column: str = param(
        "",
        label="Column",
        help="Whose values say what is for training and what for tests; empty: one called split, fold or set, or the "
        "selections named train and test.",
    )
    threshold: float = param(
        0.002, label="RMSD up to", unit="Å", low=1e-5, high=0.5, step=0.001, help="For the same geometry."
    )
    fraction: float = param(
        0.1,
        label="Nearness",
        low=0.0,
        high=1.0,
        step=0.05,
        help="A test structure is too near if its distance in the current representation is below this fraction of the "
        "usual distance (median) between nearest neighbours of the training set; 0: not looked at.",
    )

    def seconds(self, dataset: Dataset) -> float:
        """As the search for the same geometry, when there is a split."""
        names = [k for k in dataset.per_structure if self.column == k or _SPLIT_NAMES.fullmatch(k)]
        if not names:
            return 0.0
        return SECONDS_PER_ATOM * len(dataset.structures.numbers) + 1e-4 * len(dataset)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each test structure."""
        train, test, note = self._split(columns, extra, len(dataset))
        if train is None or test is None:
            return self.nothing(note)
        structures, found = dataset.structures, []
        same = same_geometries(structures, self.threshold, progress.part(0.0, 0.5))
        ends = np.concatenate([same.pairs, same.pairs[:, ::-1]])
        apart = np.concatenate([same.apart, same.apart])
        crossing = test[ends[:, 0]] & train[ends[:, 1]]
        rows, at = np.unique(ends[crossing, 0], return_index=True)
        found.append(
            Findings.make(
                self.name,
                "its geometry is that of {other}, which is for training (RMSD {rmsd:.2g} Å)",
                rows,
                ERROR,
                related=Ragged.table(ends[crossing, 1][at]),
                rmsd=apart[crossing][at],
            )
        )
        told = np.zeros(len(dataset), np.bool_)
        told[rows] = True
        molecules = molecules_of(structures)
        if molecules.is_conformers:
            note = f"conformers of {molecules.count:,} molecules: the same molecule on both sides is not told"
        else:
            found.append(self._same_molecule(molecules.label, train, test & ~told))
            told[found[-1].structure] = True
        if extra.features is not None and self.fraction > 0:
            near, remark = self._near(extra.features, train, test & ~told, progress.part(0.5, 1.0))
            found.append(near)
            note = "; ".join(filter(None, (note, remark)))
        elif self.fraction > 0:
            note = "; ".join(filter(None, (note, "without features nearness is not looked at")))
        return Findings.join(self.name, found, note)

    def _split(self, columns: Table, extra: Extra, n: int) -> tuple[Any, Any, str]:
        """Masks of training and test, or None for both with the reason."""
        if not self.column:
            named = {k.lower(): mask for k, mask in extra.parts}
            train = next((m for k, m in named.items() if _TRAIN.match(k)), None)
            test = next((m for k, m in named.items() if re.match(r"^(test|valid)", k)), None)
            if train is not None and test is not None:
                return train, test & ~train, ""
        names = [self.column] if self.column else [k for k in columns if _SPLIT_NAMES.fullmatch(k)]
        for name in names:
            if name not in columns:
                return None, None, f"there is no column {name!r}"
            p = columns[name]
            if p.is_text:
                values = np.asarray(p.values[:])
                kinds = p.categories
            else:
                numbers = np.asarray(p.values)
                finite = np.unique(numbers[np.isfinite(numbers)])
                if len(finite) > 24:
                    continue
                values, kinds = numbers, tuple(finite[np.argsort([-(numbers == v).sum() for v in finite])])
            if not 2 <= len(kinds) <= 24:
                continue
            first = next((k for k in kinds if p.is_text and _TRAIN.match(str(k))), kinds[0])
            train = values == first
            test = np.zeros(n, np.bool_)
            for kind in kinds:
                if kind != first:
                    test |= values == kind
            return train, test, ""
        return None, None, "no column says what is for training and what for tests, and no selections are named so"

    def _same_molecule(self, label: Ints, train: Any, test: Any) -> Findings:
        at = np.flatnonzero(train & (label >= 0))
        found, first = np.unique(label[at], return_index=True)
        rows = np.flatnonzero(test & (label >= 0))
        if not len(found):
            rows = rows[:0]
        place = np.minimum(np.searchsorted(found, label[rows]), max(len(found) - 1, 0))
        hit = found[place] == label[rows] if len(rows) else np.zeros(0, np.bool_)
        related = at[first[place[hit]]] if len(rows) else np.zeros(0, np.int64)
        return Findings.make(
            self.name,
            "it has the bonds of {other}, which is for training",
            rows[hit],
            WARNING,
            related=Ragged.table(related),
        )

    def _near(self, features: Any, train: Any, test: Any, progress: Progress) -> tuple[Findings, str]:
        """Test structures that are nearer to a training structure than these are among themselves."""
        from scipy.spatial import cKDTree

        none = Findings.make(self.name, "", np.zeros(0, np.int64))
        ours, theirs = np.flatnonzero(train), np.flatnonzero(test)
        if len(ours) < 3 or not len(theirs):
            return none, ""
        rng = np.random.default_rng(0)
        d = features.shape[1]
        # orthonormal directions shorten distances, never lengthen them
        axes = np.linalg.qr(rng.normal(size=(d, min(_PROJECTED, d))))[0]
        points = np.empty((len(features), axes.shape[1]))
        for start, stop in slices(len(features), progress.part(0.0, 0.3), "Projecting", first=256):
            points[start:stop] = np.asarray(features[start:stop], dtype=np.float64) @ axes
        good: Any = np.isfinite(points).all(axis=1)
        ours, theirs = ours[good[ours]], theirs[good[theirs]]
        if len(ours) < 3 or not len(theirs):
            return none, "no finite features on both sides"
        usual = _usual_distance(features, ours, rng, progress.part(0.3, 0.6))
        if usual <= 0:
            return none, "most training structures have the same features as another: nearness says nothing"
        limit = self.fraction * usual
        tree = cKDTree(points[ours], balanced_tree=False, compact_nodes=False)
        k = min(16, len(ours))
        rows, partner, distance = [], [], []
        for start, stop in slices(len(theirs), progress.part(0.6, 1.0), "Looking for near structures", first=64):
            here = theirs[start:stop]
            distances, places = tree.query(points[here], k=k, distance_upper_bound=limit)
            near, index = (np.asarray(a).reshape(len(here), k) for a in (distances, places))
            for j in np.flatnonzero(np.isfinite(near[:, 0])).tolist():
                candidates = ours[index[j][np.isfinite(near[j])]]
                gaps = np.linalg.norm(np.asarray(features[candidates], np.float64) - features[here[j]], axis=1)
                best = int(np.argmin(gaps))
                if gaps[best] < limit:
                    rows.append(int(here[j]))
                    partner.append(int(candidates[best]))
                    distance.append(float(gaps[best]))
        found = Findings.make(
            self.name,
            "it is near {other}, which is for training ({share:.1f} % of the usual distance)",
            np.array(rows, np.int64),
            WARNING,
            related=Ragged.table(np.array(partner, np.int64)),
            distance=np.array(distance),
            share=100.0 * np.array(distance) / usual,
        )
        return found, ""


def _usual_distance(features: Any, rows: Ints, rng: np.random.Generator, progress: Progress) -> float:
    """Median of the distances of a sample of rows from their nearest among (at most 20,000 of) all rows."""
    others = rows if len(rows) <= 20_000 else rng.choice(rows, 20_000, replace=False)
    sample = rng.choice(len(others), min(_SAMPLE, len(others)), replace=False)
    chosen = np.asarray(features[others[sample]], dtype=np.float64)
    square = (chosen**2).sum(axis=1)
    best = np.full(len(sample), np.inf)
    for start, stop in slices(len(others), progress, "Usual distances", first=256):
        block = np.asarray(features[others[start:stop]], dtype=np.float64)
        gaps = square[:, None] + (block**2).sum(axis=1)[None, :] - 2 * chosen @ block.T
        own = (sample >= start) & (sample < stop)
        gaps[np.flatnonzero(own), sample[own] - start] = np.inf
        gaps[~np.isfinite(gaps)] = np.inf
        best = np.minimum(best, gaps.min(axis=1))
    known = best[np.isfinite(best)]
    return float(np.sqrt(max(np.median(known), 0.0))) if len(known) else 0.0
