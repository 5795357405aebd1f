"""Asks for one structure's features, the parts of its atoms, and what a representation costs; answers by signals."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from qmlstudio.app.jobs import WARM_UP, Job, JobRunner
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structure
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Contribution, Representation
from qmlstudio.session.description import Description, Row, contributions_of, describe, part_of


class Describer(QObject):
    """All in the interactive lane, latest wins. What no longer matches :attr:`subject` is not delivered.

    Signals
    -------
    described(structure, Description)
    failed(exception)
        The features could not be computed.
    part_ready(Description, (d,) float or None), contributions_ready(column, list of Contribution)
    estimated(seconds)
    formulas_ready(title, device pixel ratio, list of ink)
    """

    described = Signal(object, object)
    failed = Signal(object)
    part_ready = Signal(object, object)
    contributions_ready = Signal(int, object)
    estimated = Signal(float)
    formulas_ready = Signal(str, float, object)

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._subject: tuple[Dataset, Representation, int] | None = None

    def set_subject(self, dataset: Dataset, representation: Representation, index: int) -> None:
        """The structure that is looked at, and by which representation."""
        self._subject = dataset, representation, index

    def forget(self) -> None:
        """Nothing is looked at."""
        self._subject = None
        for slot in ("descriptor", "descriptor part", "descriptor contributions"):
            self._runner.cancel(slot)

    def is_subject(self, dataset: Dataset, representation: Representation, index: int) -> bool:
        """Whether a running job, which may end after the window has moved on, still has anything to say.

        Frames always have, or a trajectory that plays faster than they are described would show nothing.
        """
        if self._subject is None:
            return False
        now, with_, at = self._subject
        return dataset is now and representation == with_ and (index == at or dataset.ordered)

    def describe(self, row: Row, compared: int | None, atoms: tuple[int, ...]) -> None:
        """Features of the subject, the difference to structure `compared`, the part of `atoms`."""
        if self._subject is None:
            return
        dataset, representation, index = self._subject
        structure = dataset.structures[index]  # not take(): that goes through all of them
        other = dataset.structures[compared] if compared is not None else None
        species = dataset.structures.species
        self._runner.submit(
            Job(
                key=f"descriptor {dataset.fingerprint} {index} {representation.to_dict()} {row} {compared} {atoms}",
                slot="descriptor",
                title=self.tr("Descriptor of the active structure"),
                compute=partial(describe, representation, structure, species, row, other, atoms),
                done=partial(self._on_described, self._subject),
                failed=partial(self._on_failed, self._subject),
                lane="interactive",
                conflate=True,
            )
        )

    def part(self, structure: Structure, described: Description, row: Row, atoms: tuple[int, ...]) -> None:
        """The part of the shown features that atoms make; no atoms: whatever is under way is given up."""
        if self._subject is None or not atoms:
            self._runner.cancel("descriptor part")
            return
        dataset, representation, index = self._subject
        self._runner.submit(
            Job(
                key=f"part {dataset.fingerprint} {index} {representation.to_dict()} {row} {atoms}",
                slot="descriptor part",
                title=self.tr("Part of the picked atoms"),
                compute=partial(part_of, representation, structure, dataset.structures.species, atoms, row),
                done=partial(self._on_part, described),
                failed=_nothing,
                lane="interactive",
                conflate=True,
            )
        )

    def contributions(self, structure: Structure, described: Description, column: int) -> None:
        """The atoms, pairs or triples behind a column; -1: whatever is under way is given up."""
        if self._subject is None or column < 0:
            self._runner.cancel("descriptor contributions")
            return
        dataset, representation, index = self._subject
        species, centre = dataset.structures.species, described.centre
        self._runner.submit(
            Job(
                key=f"contributions {dataset.fingerprint} {index} {representation.to_dict()} {centre} {column}",
                slot="descriptor contributions",
                title=self.tr("Atoms behind a feature"),
                compute=partial(contributions_of, representation, structure, species, column, centre),
                done=partial(self._on_contributions, column),
                failed=_nothing,
                lane="interactive",
                conflate=True,
            )
        )

    def estimate(self, dataset: Dataset, representation: Representation) -> None:
        """How long all structures will take."""
        self._runner.submit(
            Job(
                key=f"estimate {dataset.fingerprint} {representation.to_dict()}",
                slot="descriptor estimate",
                title=self.tr("Time that all structures will take"),
                compute=partial(_estimate, dataset, representation),
                done=partial(self._on_estimated, dataset, representation),
                failed=_nothing,
                lane="interactive",
                priority=WARM_UP,
            )
        )

    def formulas(self, representation: Representation, ratio: float, pixels: float) -> None:
        """Pictures of the formulas, letters of `pixels` px on a screen of this device pixel ratio."""
        self._runner.submit(
            Job(
                key=f"formulas {representation.name} {ratio} {pixels}",
                slot="descriptor formulas",
                title=self.tr("Formulas"),
                compute=partial(_formulas, representation.formula, pixels * ratio),
                done=partial(self.formulas_ready.emit, representation.title, ratio),
                failed=_nothing,
                lane="interactive",
            )
        )

    def _on_described(self, subject: tuple[Dataset, Representation, int], described: Description) -> None:
        if self.is_subject(*subject):
            self.described.emit(subject[0].structures[subject[2]], described)

    def _on_failed(self, subject: tuple[Dataset, Representation, int], error: BaseException, _details: str) -> None:
        if self.is_subject(*subject):
            self.failed.emit(error)

    def _on_part(self, described: Description, part: Any) -> None:
        self.part_ready.emit(described, part)

    def _on_contributions(self, column: int, parts: list[Contribution]) -> None:
        self.contributions_ready.emit(column, parts)

    def _on_estimated(self, dataset: Dataset, representation: Representation, seconds: float) -> None:
        if self._subject is not None and self._subject[0] is dataset and self._subject[1] == representation:
            self.estimated.emit(seconds)


def _estimate(dataset: Dataset, representation: Representation, progress: Progress) -> float:
    progress.check()
    return representation.estimate(dataset.structures, seconds=0.05)


def _formulas(lines: tuple[str, ...], pixels: float, progress: Progress) -> list[Any]:
    # the figures are not loaded before somebody asks for one
    from qmlstudio.figures.formula import formula_inks

    return list(formula_inks(lines, pixels, progress))


def _nothing(_error: BaseException, _details: str) -> None:
    """What adds to the drawing may fail in silence (it stands in the jobs panel): the drawing has its own message."""
