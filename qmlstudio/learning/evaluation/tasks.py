"""What is to be learned: columns, what is subtracted or divided out before a model sees them, and units.

The order is fixed: the baseline's column is subtracted (Δ-learning: R. Ramakrishnan, P. Dral, M. Rupp, O. A. von
Lilienfeld, J. Chem. Theory Comput. 11, 2087 (2015)), what is left is made intensive (divided by the number of atoms,
or freed from the sum of dressed atoms), then standardised. What has to be estimated for that, the dressed atoms and
the standard deviation, comes from the training rows alone; :meth:`Transform.invert` takes every step back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.energies import counts_of
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import factor
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Task(Parameterised):
    """What is learned of the structures of a set.

    `more` holds further targets, each with its own baseline ("" for none): (("gap", ""), ("mu", "mu_gfn2")). They share
    normalisation and standardisation, each keeps its own unit, and one factorisation learns all.
    """

    name: ClassVar[str] = "task"
    title: ClassVar[str] = "Task"

    target: str = param("", label="Property", help="The column to learn.")
    baseline: str = param(
        "",
        label="Baseline",
        help="A column that is known beforehand; the model learns the difference (Δ-learning). Empty: none.",
    )
    normalisation: str = param(
        "none",
        label="Size",
        choices=(
            ("none", "as it is"),
            ("per_atom", "divided by the number of atoms"),
            ("composition", "without the sum of dressed atoms"),
        ),
        help="For extensive properties that a kernel of whole structures shall learn: the energy per atom, or what is "
        "left after each element's mean contribution (least squares on the training structures).",
    )
    standardise: bool = param(
        False,
        label="Standardise",
        help="Learn deviations from the mean in units of the standard deviation, both of the training structures.",
    )
    unit: str = param(
        "", label="Unit", help="In which values and errors are told; empty: the column's own.", advanced=True
    )
    errors_per: str = param(
        "structure",
        label="Errors per",
        choices=("structure", "atom"),
        help="Whether values and errors are told of whole structures or divided by their atoms (eV/atom).",
        advanced=True,
    )
    more: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "more", tuple((str(t), str(b)) for t, b in self.more))

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to learn."""
        return (self.target, *(t for t, _ in self.more))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The column subtracted from each target; "" where there is none."""
        return (self.baseline, *(b for _, b in self.more))

    @property
    def label(self) -> str:
        """For people: "E_PBE0 − E_DFTB, per atom"."""
        names = [f"{t} − {b}" if b else t for t, b in zip(self.targets, self.baselines, strict=True)]
        how = {"none": "", "per_atom": ", per atom", "composition": ", without dressed atoms"}[self.normalisation]
        return ", ".join(names) + how

    def to_dict(self) -> dict[str, Any]:
        """As for everything with parameters, and the further targets."""
        return {**super().to_dict(), **({"more": [list(pair) for pair in self.more]} if self.more else {})}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        found = super().from_dict({k: v for k, v in data.items() if k != "more"})
        return replace(found, more=tuple((t, b) for t, b in data.get("more", ())))

    def prepare(
        self,
        columns: Mapping[str, Property],
        structures: Structures,
        excluded: Mask | None = None,
        progress: Progress = SILENT,
    ) -> Target:
        """The numbers to learn, and which structures have them.

        Parameters
        ----------
        columns : mapping of str to Property
            One value for each structure.
        excluded : (n,) bool, optional
            Structures that are left out whatever they hold: never trained on, never tested.

        Raises
        ------
        ValueError
            A column that is not there, holds texts or atoms' values; units that cannot be converted.
        """
        n = len(structures)
        notes: list[str] = []
        truth, base = np.empty((n, len(self.targets))), np.zeros((n, len(self.targets)))
        units = []
        for k, (target, baseline) in enumerate(zip(self.targets, self.baselines, strict=True)):
            column = _column(columns, target, n)
            unit = self.unit or column.unit
            truth[:, k] = column.values * _factor(column.unit, unit, target, notes)
            if baseline:
                other = _column(columns, baseline, n)
                base[:, k] = other.values * _factor(other.unit, unit, baseline, notes)
            units.append(unit)
        sizes = structures.sizes.astype(np.int64)
        finite = np.isfinite(truth).all(axis=1) & np.isfinite(base).all(axis=1)
        empty = finite & (sizes == 0)
        used = finite & (sizes > 0)
        if missing := n - int(np.count_nonzero(finite)):
            notes.append(f"{missing:,} of {n:,} structures have no finite value and are left out")
        if empty.any():
            notes.append(f"{int(empty.sum()):,} structures without atoms are left out")
        if excluded is not None:
            if hidden := int(np.count_nonzero(used & excluded)):
                notes.append(f"{hidden:,} structures are excluded by the session's lists")
            used = used & ~excluded
        if self.errors_per == "atom":
            units = [f"{unit}/atom" if unit else "per atom" for unit in units]
        elements: tuple[int, ...] = ()
        counts: Ints | None = None
        if self.normalisation == "composition":
            elements, counts = counts_of(structures, progress)
        progress(1.0)
        return Target(self, truth, base, sizes, np.flatnonzero(used), tuple(units), elements, counts, tuple(notes))


@dataclass(frozen=True, eq=False)
class Target:
    """The numbers of a task, for all n structures of a set.

    Attributes
    ----------
    task : Task
    values, baseline : (n, t) float64
        Of whole structures, in the unit told, baseline included in the values; not finite where they are missing.
    sizes : (n,) int64
    rows : (m,) int64
        Structures that can be learned from or tested on, ascending.
    units : tuple of str
        In which :attr:`truth`, predictions and errors are.
    elements, counts : tuple of int, (n, k) int64 or None
        Composition, where dressed atoms need it.
    notes : tuple of str
        What was left out and why.
    """

    task: Task
    values: Floats
    baseline: Floats
    sizes: Ints
    rows: Ints
    units: tuple[str, ...]
    elements: tuple[int, ...] = ()
    counts: Ints | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Structures of the set."""
        return len(self.values)

    @property
    def unit(self) -> str:
        """The first target's."""
        return self.units[0]

    def truth(self, rows: Any) -> Floats:
        """(m, t) what a perfect model would say of these structures, as errors are told (per structure or atom)."""
        return self._told(self.values[rows], rows)

    def baseline_only(self, rows: Any) -> Floats:
        """(m, t) the baseline's own values, as errors are told: what must be beaten."""
        return self._told(self.baseline[rows], rows)

    def transform(self, train: Any) -> Transform:
        """What has to be known to go from values to what the model learns and back, from these training rows alone.

        Raises
        ------
        ValueError
            No training rows, or some that have no value.
        """
        rows = np.asarray(train)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        difference = self.values[rows] - self.baseline[rows]
        if len(rows) == 0:
            raise ValueError("there are no structures to learn from")
        if not np.isfinite(difference).all():
            raise ValueError("a training structure has no finite value: choose among the target's rows")
        counts = None if self.counts is None else self.counts[rows]
        task = self.task
        found = Transform.learn(
            difference, self.sizes[rows], self.elements, counts, task.normalisation, task.standardise, task.errors_per
        )
        return replace(found, target=self)

    def shuffled(self, seed: int) -> Target:
        """The same with the values of the usable structures dealt anew: nothing is left to be learned."""
        order = np.random.default_rng(seed).permutation(len(self.rows))
        values, baseline = self.values.copy(), self.baseline.copy()
        values[self.rows] = self.values[self.rows[order]]
        baseline[self.rows] = self.baseline[self.rows[order]]
        return replace(self, values=values, baseline=baseline)

    def _told(self, values: Floats, rows: Any) -> Floats:
        return values / self.sizes[rows][:, None] if self.task.errors_per == "atom" else values


@dataclass(frozen=True, eq=False)
class Transform:
    """From values to what a model learns, and back.

    Attributes
    ----------
    normalisation : "none", "per_atom" or "composition"
    errors_per : "structure" or "atom"
        Of the values that :meth:`invert` gives.
    shift, scale : (t,) float64
        Subtracted from and divided into the normalised values; 0 and 1 unless they are standardised.
    elements, atoms : tuple of int, (k, t) float64
        Dressed atoms by element; empty for the other normalisations.
    target : Target or None
        Whose structures :meth:`apply` and :meth:`invert` mean.
    """

    normalisation: str
    errors_per: str
    shift: Floats
    scale: Floats
    elements: tuple[int, ...] = ()
    atoms: Floats = field(default_factory=lambda: np.zeros((0, 1)))
    target: Target | None = None

    @classmethod
    def learn(
        cls,
        values: Floats,
        sizes: Ints,
        elements: tuple[int, ...] = (),
        counts: Ints | None = None,
        normalisation: str = "none",
        standardise: bool = False,
        errors_per: str = "structure",
    ) -> Transform:
        """Dressed atoms and scales of training values (m, t) that are finite; `counts` (m, k) by element."""
        t = values.shape[1]
        atoms: Floats = np.zeros((0, t))
        kept: tuple[int, ...] = ()
        if normalisation == "composition":
            if counts is None:
                raise ValueError("dressed atoms need the composition of the structures")
            there = np.asarray(counts.any(axis=0))
            kept = tuple(z for z, has in zip(elements, there.tolist(), strict=True) if has)
            atoms = dressed_atoms(counts[:, there], values)
        plain = cls(normalisation, errors_per, np.zeros(t), np.ones(t), kept, atoms)
        if not standardise:
            return plain
        bare = plain.forward(values, sizes, elements, counts)
        scale = bare.std(axis=0)
        return replace(plain, shift=bare.mean(axis=0), scale=np.where(scale > 0, scale, 1.0))

    def apply(self, rows: Any) -> Floats:
        """(m, t) what the model learns of these structures of the target."""
        target = self._target()
        counts = None if target.counts is None else target.counts[rows]
        return self.forward(target.values[rows] - target.baseline[rows], target.sizes[rows], target.elements, counts)

    def invert(self, learned: Array, rows: Any) -> Floats:
        """(m, t) what a model's values for these structures mean, as errors are told, the baseline added."""
        target = self._target()
        counts = None if target.counts is None else target.counts[rows]
        return self.backward(learned, target.sizes[rows], target.elements, counts, target.baseline[rows])

    def invert_deviation(self, deviation: Array, rows: Any) -> Floats:
        """(m, t) a model's ± σ for these structures, as errors are told."""
        return self.backward_deviation(deviation, self._target().sizes[rows])

    def forward(self, difference: Array, sizes: Ints, elements: tuple[int, ...] = (), counts: Any = None) -> Floats:
        """(m, t) from values of whole structures less the baseline to what a model learns."""
        result = np.array(difference, dtype=np.float64).reshape(len(sizes), -1)
        if self.normalisation == "per_atom":
            result /= sizes[:, None]
        elif self.normalisation == "composition":
            result -= self._dressed(elements, counts)
        result -= self.shift
        result /= self.scale
        return result

    def backward(
        self, learned: Array, sizes: Ints, elements: tuple[int, ...] = (), counts: Any = None, baseline: Any = None
    ) -> Floats:
        """(m, t) inverse of :meth:`forward`, with the baseline (m, t), per structure or per atom as errors are told."""
        result = np.array(learned, dtype=np.float64).reshape(len(sizes), -1)
        result *= self.scale
        result += self.shift
        if self.normalisation == "per_atom":
            result *= sizes[:, None]
        elif self.normalisation == "composition":
            result += self._dressed(elements, counts)
        if baseline is not None:
            result += baseline
        if self.errors_per == "atom":
            result /= sizes[:, None]
        return result

    def backward_deviation(self, deviation: Array, sizes: Ints) -> Floats:
        """(m, t) of a standard deviation: scaled, nothing added."""
        result = np.array(deviation, dtype=np.float64).reshape(len(sizes), -1) * self.scale
        if self.normalisation == "per_atom":
            result *= sizes[:, None]
        if self.errors_per == "atom":
            result /= sizes[:, None]
        return result

    def unknown(self, elements: tuple[int, ...], counts: Any) -> Mask:
        """(m,) structures with an element that no training structure had: their dressed atoms are not known."""
        if self.normalisation != "composition":
            return np.zeros(len(counts), dtype=bool)
        strange = [k for k, z in enumerate(elements) if z not in self.elements]
        found: Mask = np.asarray(np.asarray(counts)[:, strange].any(axis=1))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; the target's structures stay behind."""
        return {
            "normalisation": self.normalisation,
            "errors_per": self.errors_per,
            "shift": self.shift.tolist(),
            "scale": self.scale.tolist(),
            "elements": list(self.elements),
            "atoms": self.atoms.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Transform:
        """Inverse of :meth:`to_dict`."""
        shift, elements = np.array(data["shift"], float), tuple(int(z) for z in data["elements"])
        atoms = np.array(data["atoms"], float).reshape(len(elements), len(shift))
        return cls(
            str(data["normalisation"]), str(data["errors_per"]), shift, np.array(data["scale"], float), elements, atoms
        )

    def _dressed(self, elements: tuple[int, ...], counts: Any) -> Floats:
        """(m, t) sums of dressed atoms; elements that were not learned count nothing (see :meth:`unknown`)."""
        if counts is None:
            raise ValueError("dressed atoms need the composition of the structures")
        place = {z: k for k, z in enumerate(self.elements)}
        table = np.zeros((len(elements), len(self.shift)))
        for k, z in enumerate(elements):
            if z in place:
                table[k] = self.atoms[place[z]]
        return np.asarray(counts) @ table

    def _target(self) -> Target:
        if self.target is None:
            raise ValueError("this transform has no structures of its own: use forward and backward")
        return self.target


def dressed_atoms(counts: Array, values: Array) -> Floats:
    """(k, t) what each element adds on the average: least squares of values (m, t) on counts of atoms (m, k).

    Where the counts do not tell elements apart (all structures have two oxygens to one carbon) it is the solution of
    least norm.
    """
    a = np.asarray(counts, dtype=np.float64)
    scale = np.sqrt(np.einsum("ij,ij->j", a, a))
    scale[scale == 0] = 1.0
    gram = (a.T @ a) / scale[:, None] / scale
    found: Floats = np.linalg.lstsq(gram, (a.T @ values) / scale[:, None], rcond=1e-12)[0] / scale[:, None]
    return found


def _column(columns: Mapping[str, Property], name: str, n: int) -> Property:
    if not name:
        raise ValueError("choose a property to learn")
    if name not in columns:
        raise ValueError(f"there is no column {name!r}")
    column = columns[name]
    if column.target != "structure" or column.values.ndim != 1:
        raise ValueError(f"{name!r} has a value for each atom: choose a property of structures")
    if column.is_text:
        raise ValueError(f"{name!r} holds texts: choose a column of numbers")
    if len(column.values) != n:
        raise ValueError(f"{name!r} has {len(column.values):,} values for {n:,} structures")
    return column


def _factor(unit: str, to: str, name: str, notes: list[str]) -> float:
    """From a column's unit to the task's; a column without a unit is taken at its word, and the note says so."""
    if unit == to:
        return 1.0
    if not unit or not to:
        notes.append(f"{name!r} has no unit: it is taken as {to or unit}")
        return 1.0
    try:
        return factor(unit, to)
    except ValueError as problem:
        raise ValueError(f"{name!r}: {problem}") from None
