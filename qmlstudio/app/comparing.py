"""The sets of a comparison and what is computed of them, in jobs. Views ask it and follow its signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.chem.builtin import NAMED
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import digest
from qmlstudio.progress import Progress
from qmlstudio.representations import Representation
from qmlstudio.session.comparison import (
    Comparison,
    ComparisonSpec,
    Coverage,
    CoverageSpec,
    DataPart,
    SetMeasures,
    comparison,
    coverage,
    joint_dataset,
    measures,
)
from qmlstudio.session.comparison.sets import MOST_SETS

SLOT, COVERAGE, JOINT = "compare data", "compare coverage", "compare joint"


@dataclass(frozen=True, eq=False)
class Entry:
    """A set in the list.

    Attributes
    ----------
    number : int
        Its own, as long as it is in the list.
    name : str
    part : DataPart or None
        None while it is being read, or when that failed.
    origin : str
        File, or which part of what.
    problem : str
        Why it could not be read.
    """

    number: int
    name: str
    part: DataPart | None = None
    origin: str = ""
    problem: str = ""

    @property
    def is_reading(self) -> bool:
        """Neither there nor failed."""
        return self.part is None and not self.problem


class ComparisonEngine(QObject):
    """Reads sets, measures them, compares their coverage.

    Signals
    -------
    sets_changed()
        The list, or a name, or a state in it.
    result_changed()
        :attr:`result` is another one, or :attr:`problem`.
    coverage_changed()
        :attr:`covered` is another one, or :attr:`coverage_problem`.
    joint_ready(dataset, representation)
        What :meth:`join` was asked for.
    refused(text)
        Something that was asked for cannot be done.
    """

    sets_changed = Signal()
    result_changed = Signal()
    coverage_changed = Signal()
    joint_ready = Signal(object, object)
    refused = Signal(str)

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._entries: list[Entry] = []
        self._next = 0
        self._spec = ComparisonSpec()
        self._measured: dict[str, SetMeasures] = {}
        self.memory_budget: int | None = None
        self.result: Comparison | None = None
        self.problem = ""
        self.covered: Coverage | None = None
        self.coverage_problem = ""
        self._covered_parts: tuple[DataPart, ...] = ()

    # -- the list

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All sets in their order."""
        return tuple(self._entries)

    @property
    def parts(self) -> tuple[DataPart, ...]:
        """The sets that are there, in their order."""
        return tuple(replace(e.part, name=e.name) for e in self._entries if e.part is not None)

    @property
    def spec(self) -> ComparisonSpec:
        """How finely they are looked at."""
        return self._spec

    def set_spec(self, spec: ComparisonSpec) -> None:
        """Look at them otherwise."""
        if spec != self._spec:
            self._spec = spec
            self._compute()

    def add(
        self, name: str, dataset: Dataset, mask: NDArray[np.bool_] | None = None, origin: str = "", version: str = ""
    ) -> None:
        """Add a set, or the part of it that a mask says; for `version` see :class:`DataPart`."""
        if self._has_room():
            part = DataPart(name, dataset, mask, version=version)
            self._append(Entry(self._number(), self._free_name(name), part, origin))
            self._compute()

    def add_categories(self, dataset: Dataset, name: str, column: Property, version: str = "") -> None:
        """Add the structures of each of the largest categories of a column of texts; found in a job."""
        room = MOST_SETS - len(self._entries)
        if not self._has_room():
            return
        self._runner.submit(
            Job(
                key=f"compare split {id(column)} {name} {room}",
                slot=f"{SLOT} split",
                title=self.tr("Split by {}").format(name),
                compute=partial(_split, column, room),
                done=partial(self._on_split, dataset, name, version),
                failed=self._on_split_failed,
                lane="interactive",
                priority=80,
            )
        )

    def add_path(self, path: str) -> None:
        """Read a file, folder, built-in set or "qm9:" and add it."""
        if not self._has_room():
            return
        name = path if path.startswith(NAMED) else Path(path).name
        entry = Entry(self._number(), self._free_name(name), None, path)
        self._append(entry)
        self._runner.submit(
            Job(
                key=f"compare {path} {entry.number}",
                slot=f"{SLOT} {entry.number}",
                title=self.tr("Read {}").format(name),
                compute=partial(_read, path),
                done=partial(self._on_read, entry.number),
                failed=partial(self._on_read_failed, entry.number),
                lane="batch",
                priority=80,
            )
        )

    def remove(self, number: int) -> None:
        """Take a set out."""
        entry = self._entry(number)
        if entry is not None:
            self._runner.cancel(f"{SLOT} {number}")
            self._entries.remove(entry)
            self.sets_changed.emit()
            self._compute()

    def move(self, number: int, by: int) -> None:
        """Put a set earlier or later in the list; colours go by the order."""
        entry = self._entry(number)
        if entry is None:
            return
        at = self._entries.index(entry)
        to = min(max(at + by, 0), len(self._entries) - 1)
        if to != at:
            self._entries.insert(to, self._entries.pop(at))
            self.sets_changed.emit()
            self._compute()

    def rename(self, number: int, name: str) -> None:
        """Give a set another name."""
        entry, name = self._entry(number), name.strip()
        if entry is None or not name or name == entry.name:
            return
        others = [e.name for e in self._entries if e is not entry]
        self._replace(replace(entry, name=_free(name, others)))
        self._compute()

    def set_energy(self, number: int, column: str) -> None:
        """Choose the column of energies of a set."""
        entry = self._entry(number)
        if entry is not None and entry.part is not None and entry.part.energy != column:
            self._replace(replace(entry, part=replace(entry.part, energy=column)))
            self._compute()

    # -- computing

    def _compute(self) -> None:
        parts, spec = self.parts, self._spec
        known = {key: m for part in parts if (m := self._measured.get(key := _key(part, spec))) is not None}
        if not parts:
            self._runner.cancel(SLOT)
            self._show(None, "")
            return
        self._runner.submit(
            Job(
                key=digest("comparison", spec.to_dict(), [(p.name, p.key) for p in parts]),
                slot=SLOT,
                title=self.tr("Compare {} sets").format(len(parts)),
                compute=partial(_compare, parts, spec, known),
                done=self._on_compared,
                failed=self._on_compare_failed,
                lane="batch",
                priority=20,
            )
        )

    @property
    def is_computing(self) -> bool:
        """Whether the comparison, or the reading of a set, is under way."""
        unfinished = [h for h in self._runner.jobs() if not h.is_finished]
        return any(h.slot == SLOT or h.slot.startswith(f"{SLOT} ") for h in unfinished)

    def cover(self, representation: Representation, spec: CoverageSpec) -> None:
        """Ask how far each set reaches over the others."""
        parts = self.parts
        if len(parts) < 2:
            self.refused.emit(self.tr("Coverage needs two sets."))
            return
        self._runner.submit(
            Job(
                key=digest("coverage", representation.to_dict(), spec.to_dict(), [(p.name, p.key) for p in parts]),
                slot=COVERAGE,
                title=self.tr("Coverage of {} sets").format(len(parts)),
                compute=partial(_cover, parts, representation, spec, self.memory_budget),
                done=partial(self._on_covered, parts),
                failed=self._on_cover_failed,
                lane="batch",
                priority=20,
            )
        )

    def cancel_coverage(self) -> None:
        """Stop it."""
        self._runner.cancel(COVERAGE)

    def join(self) -> None:
        """Make one data set of the structures that the last coverage was made of."""
        covered = self.covered
        if covered is None:
            return
        self._runner.submit(
            Job(
                key=f"joint {id(covered)}",
                slot=JOINT,
                title=self.tr("Join {} sets").format(len(covered.names)),
                compute=partial(_join, self._covered_parts, covered),
                done=partial(self._on_joined, covered.representation),
                failed=self._on_cover_failed,
                lane="batch",
                priority=60,
            )
        )

    def close(self) -> None:
        """Stop everything and forget the sets."""
        for handle in self._runner.jobs():
            if not handle.is_finished and (handle.slot in (COVERAGE, JOINT) or handle.slot.startswith(SLOT)):
                self._runner.cancel(handle)
        self._entries, self._measured = [], {}
        self.result = self.covered = None
        self._covered_parts = ()

    # -- what jobs say

    def _on_split(
        self, dataset: Dataset, name: str, version: str, found: tuple[int, list[tuple[str, NDArray[np.bool_]]]]
    ) -> None:
        total, parts = found
        for text, mask in parts:
            origin = self.tr("{} = {} of {}").format(name, text, dataset.name)
            self._append(
                Entry(self._number(), self._free_name(text), DataPart(text, dataset, mask, version=version), origin)
            )
        if total > len(parts):
            self.refused.emit(self.tr("The {} largest of {:,} categories were added.").format(len(parts), total))
        self._compute()

    def _on_split_failed(self, error: BaseException, _details: str) -> None:
        self.refused.emit(str(error) or type(error).__name__)

    def _on_read(self, number: int, dataset: Dataset) -> None:
        entry = self._entry(number)
        if entry is not None:
            name = entry.name if entry.name != entry.origin else self._free_name(dataset.name)
            self._replace(replace(entry, name=name, part=DataPart(name, dataset)))
            self._compute()

    def _on_read_failed(self, number: int, error: BaseException, _details: str) -> None:
        entry = self._entry(number)
        if entry is not None:
            self._replace(replace(entry, problem=str(error) or type(error).__name__))

    def _on_compared(self, found: tuple[dict[str, SetMeasures], Comparison]) -> None:
        self._measured, result = found
        self._show(result, "")

    def _on_compare_failed(self, error: BaseException, _details: str) -> None:
        self._show(None, str(error) or type(error).__name__)

    def _show(self, result: Comparison | None, problem: str) -> None:
        self.result, self.problem = result, problem
        self.result_changed.emit()

    def _on_covered(self, parts: tuple[DataPart, ...], found: Coverage) -> None:
        self.covered, self._covered_parts, self.coverage_problem = found, parts, ""
        self.coverage_changed.emit()

    def _on_cover_failed(self, error: BaseException, _details: str) -> None:
        self.coverage_problem = str(error) or type(error).__name__
        self.coverage_changed.emit()

    def _on_joined(self, representation: Representation, dataset: Dataset) -> None:
        self.joint_ready.emit(dataset, representation)

    # -- inside

    def _has_room(self) -> bool:
        if len(self._entries) < MOST_SETS:
            return True
        self.refused.emit(self.tr("{} sets at most are compared: remove one first.").format(MOST_SETS))
        return False

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _entry(self, number: int) -> Entry | None:
        return next((e for e in self._entries if e.number == number), None)

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.sets_changed.emit()

    def _replace(self, entry: Entry) -> None:
        self._entries = [entry if e.number == entry.number else e for e in self._entries]
        self.sets_changed.emit()

    def _free_name(self, name: str) -> str:
        return _free(name, [e.name for e in self._entries])


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, with a number when another set has it."""
    if name not in taken:
        return name
    return next(text for k in range(2, len(taken) + 3) if (text := f"{name} ({k})") not in taken)


def _key(part: DataPart, spec: ComparisonSpec) -> str:
    """Of a set's measures, which know nothing of its name and of the fit."""
    return digest(part.key, spec.reach, spec.length_step, spec.angle_step, spec.limit)


def _split(column: Property, room: int, progress: Progress) -> tuple[int, list[tuple[str, NDArray[np.bool_]]]]:
    """How many categories there are, and the structures of the largest ones."""
    progress(0.0, "Categories")
    texts = column.categories
    parts = []
    for text in texts[:room]:
        progress.check()
        parts.append((text, np.asarray(column.values == text, dtype=bool)))
    return len(texts), parts


def _read(path: str, progress: Progress) -> Dataset:
    from qmlstudio.session.scripting import open_dataset

    return open_dataset(path, progress)


def _compare(
    parts: Sequence[DataPart], spec: ComparisonSpec, known: Mapping[str, SetMeasures], progress: Progress
) -> tuple[dict[str, SetMeasures], Comparison]:
    total = sum(len(p) for p in parts) + len(parts)
    found: dict[str, SetMeasures] = {}
    named, done = [], 0
    for part in parts:
        key = _key(part, spec)
        inside = progress.part(0.95 * done / total, 0.95 * (done + len(part) + 1) / total)
        made = found.get(key) or known.get(key) or measures(part, spec, inside)
        found[key] = made
        named.append(replace(made, name=part.name))
        done += len(part) + 1
    progress(0.95, "Common axes")
    return found, comparison(named, spec)


def _cover(
    parts: Sequence[DataPart],
    representation: Representation,
    spec: CoverageSpec,
    budget: int | None,
    progress: Progress,
) -> Coverage:
    return coverage(parts, representation, spec, budget, progress, threads=None)


def _join(parts: Sequence[DataPart], covered: Coverage, progress: Progress) -> Dataset:
    return joint_dataset(parts, covered, progress)
