"""Many structures through one calculation: what is known is taken from disk, the rest is computed and kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import digest
from qmlstudio.progress import SILENT, Progress
from qmlstudio.quantum import protocol
from qmlstudio.quantum.charges import Charges, assign
from qmlstudio.quantum.methods import GFN2, Method
from qmlstudio.quantum.pool import Pool, processors
from qmlstudio.quantum.properties import QUANTITIES, USUAL, check
from qmlstudio.quantum.records import Records, key_of
from qmlstudio.quantum.tasks import SinglePoint, Task
from qmlstudio.quantum.work import Item

Ints = NDArray[np.int64]

SILENCE_SECONDS = 300.0
KEEP_SECONDS = 1.0
"""How often what was computed goes to disk: a crash loses no more than that."""
NEWS_SECONDS = 0.2
_PART = 2000
TEXTS = ("wavenumbers",)
SAMPLE = 5
"""Structures that an estimate is made of."""


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """What to do with each structure.

    Attributes
    ----------
    method : Method
    task : Task
    quantities : tuple of str
        Names of :data:`qmlstudio.quantum.properties.QUANTITIES`.
    charges : Charges
    """

    method: Method = field(default_factory=GFN2)
    task: Task = field(default_factory=SinglePoint)
    quantities: tuple[str, ...] = USUAL
    charges: Charges = field(default_factory=Charges)

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantities", check(tuple(self.quantities)))

    @property
    def kind(self) -> str:
        """Digest of all that a structure's numbers depend on beside itself."""
        return digest(self.method.identity, self.task.to_dict(), 1)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.task.title}, {self.method.label}"

    def setup(self) -> dict[str, Any]:
        """For a computing process."""
        return {"method": self.method.to_dict(), "task": self.task.to_dict(), "quantities": list(self.quantities)}


@dataclass(frozen=True)
class Failure:
    """A structure that could not be computed.

    Attributes
    ----------
    index : int
    reason : str
        For people.
    """

    index: int
    reason: str


@dataclass(eq=False)
class Outcome:
    """What came of a calculation.

    Attributes
    ----------
    calculation : Calculation
    indices : (m,) int64
        The structures that were asked for, ascending.
    numbers : dict of str to (n,) float64
        By field, over the whole data set; NaN where there is nothing.
    texts : dict of str to dict of int to str
    atoms : dict of str to (A,) or (A, 3) float64
    pieces : dict of int to (head, arrays)
        Geometries, of tasks that make some.
    failures : list of Failure
    kept, computed : int
        Taken from disk; computed now.
    seconds, cpu_seconds : float
        Wall clock; processor time of the computing processes.
    """

    calculation: Calculation
    indices: Ints
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    texts: dict[str, dict[int, str]] = field(default_factory=dict)
    atoms: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    pieces: dict[int, tuple[dict[str, Any], protocol.Arrays]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    kept: int = 0
    computed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def done(self) -> int:
        """Structures with a result."""
        return self.kept + self.computed


def compute(
    dataset: Dataset,
    indices: Any,
    calculation: Calculation,
    progress: Progress = SILENT,
    *,
    properties: Mapping[str, Property] | None = None,
    workers: int | None = None,
    silence: float = SILENCE_SECONDS,
    records: Records | None = None,
) -> Outcome:
    """Compute `calculation` for some structures of a data set.

    Parameters
    ----------
    indices : (m,) int, slice or mask
    properties : mapping of str to Property, optional
        Where charges are looked up; the data set's own when not given.
    workers : int, optional
        Computing processes; as many as processors when not given.
    silence : float, seconds
        A structure that gives no sign of life for so long fails.
    records : Records, optional
        Where results are kept between two runs; nowhere when not given.

    Raises
    ------
    MissingEngineError
        The method's package is not installed.
    EngineError
        No computing process can be started.
    Cancelled
        Through `progress`; what was computed so far is kept.
    ValueError
        A column of charges makes no sense.
    """
    calculation.method.require()
    chosen = np.unique(np.arange(len(dataset))[indices]).astype(np.int64)
    run = _Run(dataset, chosen, calculation, dataset.properties if properties is None else properties)
    use = records if calculation.task.is_kept else None
    began = time.perf_counter()
    waiting = run.from_disk(use, progress.part(0.0, 0.05)) if use is not None else chosen.tolist()
    if waiting:
        run.from_processes(use, waiting, workers or processors(), silence, progress.part(0.05, 1.0))
    run.outcome.seconds = time.perf_counter() - began
    run.outcome.failures.sort(key=lambda f: f.index)
    progress(1.0, "done")
    return run.outcome


class _Run:
    """The state of one :func:`compute`."""

    def __init__(
        self, dataset: Dataset, chosen: Ints, calculation: Calculation, properties: Mapping[str, Property]
    ) -> None:
        self._structures = dataset.structures
        self._n = len(dataset)
        self._smiles = dataset.smiles
        self._charges, self._unpaired = assign(calculation.charges, properties, self._n)
        self.outcome = Outcome(calculation, chosen)
        self._fields = [f for q in calculation.quantities for _, f, _, _ in QUANTITIES[q].columns]
        self._unsaved: dict[bytes, bytes] = {}
        self._partial: dict[int, tuple[dict[str, Any], protocol.Arrays]] = {}
        self._keys: dict[int, bytes] = {}

    def item(self, index: int) -> Item:
        """The structure as a computing process gets it."""
        structure = self._structures[index]
        unpaired = int(self._unpaired[index])
        return Item(
            index,
            structure.numbers.astype(np.int64),
            structure.positions,
            int(self._charges[index]),
            None if unpaired < 0 else unpaired,
            structure.cell,
            "" if self._smiles is None else str(self._smiles[index]),
        )

    def from_disk(self, records: Records, progress: Progress) -> list[int]:
        """Take what is known; the structures that are left."""
        left: list[int] = []
        chosen = self.outcome.indices
        for start in range(0, len(chosen), _PART):
            progress(start / len(chosen), "looking for earlier results")
            part = chosen[start : start + _PART].tolist()
            keys = [key_of(self.item(i)) for i in part]
            known = records.get(self.outcome.calculation.kind, keys)
            for index, key in zip(part, keys, strict=True):
                self._keys[index] = key
                record = self._known(known.get(key), index)
                if record is None:
                    left.append(index)
                else:
                    self.outcome.kept += 1
                    self._add(index, *record)
        return left

    def _known(self, data: bytes | None, index: int) -> tuple[dict[str, Any], protocol.Arrays] | None:
        if data is None:
            return None
        try:
            head, arrays = protocol.decode(data)
        except protocol.ProtocolError:
            return None
        count = int(self._structures.offsets[index + 1] - self._structures.offsets[index])
        if any(len(a) != count for a in arrays.values()):
            return None
        if all(f in head or f in arrays for f in self._fields):
            return head, arrays
        self._partial[index] = head, arrays
        return None

    def from_processes(
        self, records: Records | None, waiting: list[int], workers: int, silence: float, progress: Progress
    ) -> None:
        """Compute the rest."""
        outcome = self.outcome
        pool = Pool(outcome.calculation.setup(), workers, silence)
        count, settled = len(waiting), 0
        began = saved = told = time.perf_counter()

        def answer(index: int, head: dict[str, Any], arrays: protocol.Arrays) -> None:
            nonlocal settled
            settled += 1
            if head["type"] == "failure":
                outcome.failures.append(Failure(index, str(head["reason"])))
                return
            values = head["values"]
            if index in self._partial:
                former_head, former_arrays = self._partial.pop(index)
                values, arrays = former_head | values, former_arrays | arrays
            outcome.computed += 1
            self._add(index, values, arrays)
            if records is not None:
                self._unsaved[self._keys[index]] = protocol.encode(values, arrays)

        def check(pool: Pool) -> None:
            nonlocal saved, told
            now = time.perf_counter()
            if records is not None and now - saved > KEEP_SECONDS:
                saved = now
                self._save(records)
            if now - told < NEWS_SECONDS:
                return progress.check()
            told = now
            rate = settled / (now - began)
            speed = f", {rate:,.1f}/s" if settled > 1 else ""
            failed = f", {len(outcome.failures):,} failed" if outcome.failures else ""
            return progress((settled + pool.fractions) / count, f"{settled:,} of {count:,}{speed}{failed}")

        watched = _Watched(pool, check)
        progress(0.0, "starting the computing processes")
        try:
            pool.run((self.item(i) for i in waiting), count, answer, watched)
        finally:
            outcome.cpu_seconds = pool.cpu_seconds
            if records is not None:
                self._save(records)

    def _save(self, records: Records) -> None:
        if self._unsaved:
            records.put(self.outcome.calculation.kind, list(self._unsaved.items()))
            self._unsaved.clear()

    def _add(self, index: int, head: dict[str, Any], arrays: protocol.Arrays) -> None:
        outcome = self.outcome
        if outcome.calculation.task.makes_structures:
            outcome.pieces[index] = head, arrays
        for name, value in head.items():
            if name in TEXTS:
                outcome.texts.setdefault(name, {})[index] = str(value)
                continue
            if name not in outcome.numbers:
                outcome.numbers[name] = np.full(self._n, np.nan)
            if value is not None:
                outcome.numbers[name][index] = value
        if outcome.calculation.task.name not in ("properties", "optimize"):
            return
        start, stop = self._structures.offsets[index : index + 2]
        for name, values in arrays.items():
            if name not in outcome.atoms:
                shape = (len(self._structures.numbers), *values.shape[1:])
                outcome.atoms[name] = np.full(shape, np.nan)
            outcome.atoms[name][start:stop] = values


class _Watched(Progress):
    """Asked by the pool many times a second: sees to saving and news."""

    def __init__(self, pool: Pool, look: Any) -> None:
        super().__init__()
        self._pool, self._look = pool, look

    def check(self) -> None:
        self._look(self._pool)


@dataclass(frozen=True)
class Estimate:
    """How long a calculation will take.

    Attributes
    ----------
    seconds : float
        Altogether, with all processes at work.
    per_structure : float, seconds
        Of one process, on average.
    failures : tuple of Failure
        Of the sample.
    sample : int
    """

    seconds: float
    per_structure: float
    failures: tuple[Failure, ...]
    sample: int


def estimate(
    dataset: Dataset,
    indices: Any,
    calculation: Calculation,
    progress: Progress = SILENT,
    *,
    properties: Mapping[str, Property] | None = None,
    workers: int | None = None,
    silence: float = SILENCE_SECONDS,
) -> Estimate:
    """Time a calculation on five structures, spread over the sizes. Raises what :func:`compute` does."""
    calculation.method.require()
    chosen = np.unique(np.arange(len(dataset))[indices]).astype(np.int64)
    if len(chosen) == 0:
        return Estimate(0.0, 0.0, (), 0)
    order = chosen[np.argsort(dataset.structures.sizes[chosen], kind="stable")]
    sample = np.unique(order[np.rint(np.linspace(0.1, 0.9, SAMPLE) * (len(order) - 1)).astype(int)])
    run = _Run(dataset, sample, calculation, dataset.properties if properties is None else properties)
    pool = Pool(calculation.setup(), 1, silence)
    spent: list[float] = []
    failures: list[Failure] = []

    def answer(index: int, head: dict[str, Any], _arrays: protocol.Arrays) -> None:
        spent.append(float(head["seconds"]))
        if head["type"] == "failure":
            failures.append(Failure(index, str(head["reason"])))
        progress(len(spent) / len(sample), "timing a sample")

    progress(0.0, "timing a sample")
    pool.run((run.item(int(i)) for i in sample), len(sample), answer, progress)
    # the first pays for what is loaded at first use
    mean = float(np.mean(spent[1:] if len(spent) > 2 else spent))
    return Estimate(mean * len(chosen) / (workers or processors()), mean, tuple(failures), len(sample))
