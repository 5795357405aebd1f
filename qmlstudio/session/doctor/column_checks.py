"""Checks that look at columns alone: missing and infinite values, constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table, own_columns
from qmlstudio.session.doctor.findings import ERROR, INFO, WARNING, Findings, Ragged

SECONDS_PER_VALUE = 4e-9
_PART = 1 << 18


@dataclass(frozen=True, kw_only=True)
class MissingValues(Check):
    """NaN, infinity, empty texts."""

    name: ClassVar[str] = "missing"
    title: ClassVar[str] = "Missing values"
    why: ClassVar[str] = "A value that is missing or infinite cannot be learned from and silently drops out of figures."

    texts: bool = param(False, label="Empty texts, too", help="Count empty texts of a column as missing.")

    def seconds(self, dataset: Dataset) -> float:
        """Proportional to the number of values."""
        return SECONDS_PER_VALUE * sum(p.values.size for p in dataset.properties.values())

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """One finding for each column that has some, one for each kind."""
        found: list[Findings] = []
        table = dict(own_columns(dataset, columns))
        table |= {k: p for k, p in dataset.properties.items() if p.target == "atom"}
        for k, (name, p) in enumerate(table.items()):
            part = progress.part(k / len(table), (k + 1) / len(table))
            part(0.0, "Looking for missing values")
            if p.is_text and not self.texts:
                continue
            missing, infinite = _gaps(p, part)
            if p.target == "atom" and (len(missing) or len(infinite)):
                offsets = np.asarray(dataset.structures.offsets)
                missing, infinite = (np.unique(np.searchsorted(offsets, a, "right") - 1) for a in (missing, infinite))
            if 0 < len(missing) == len(dataset):
                found.append(Findings.make(self.name, "{column}: all values are missing", -1, WARNING, column=name))
            elif len(missing):
                text = "{column}: missing in {count:,} structures ({share:.2g} %)"
                found.append(self._column(text, name, missing, WARNING, len(dataset)))
            if len(infinite):
                text = "{column}: infinite in {count:,} structures ({share:.2g} %)"
                found.append(self._column(text, name, infinite, ERROR, len(dataset)))
        return Findings.join(self.name, found)

    def _column(self, text: str, name: str, rows: NDArray[Any], severity: int, n: int) -> Findings:
        return Findings.make(
            self.name,
            text,
            -1,
            severity,
            related=Ragged.lists([rows]),
            drops="related",
            column=name,
            share=100.0 * len(rows) / n,
        )


def _gaps(p: Property, progress: Progress) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose value is missing, and rows with an infinite one."""
    missing, infinite = [], []
    for start in range(0, len(p.values), _PART):
        progress(start / max(len(p.values), 1))
        part = np.asarray(p.values[start : start + _PART])
        if p.is_text:
            missing.append(np.flatnonzero(part == "") + start)
            continue
        finite = np.isfinite(part)
        if finite.all():
            continue
        nan = np.isnan(part)
        if part.ndim > 1:
            axes = tuple(range(1, part.ndim))
            nan, finite = nan.any(axis=axes), finite.all(axis=axes)
        missing.append(np.flatnonzero(nan) + start)
        infinite.append(np.flatnonzero(~finite & ~nan) + start)
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *missing]), np.concatenate([empty, *infinite])


@dataclass(frozen=True, kw_only=True)
class ConstantColumns(Check):
    """Columns that say nothing."""

    name: ClassVar[str] = "constant"
    title: ClassVar[str] = "Constant columns"
    why: ClassVar[str] = "A column with one and the same value tells structures not apart, and correlates with nothing."

    def seconds(self, dataset: Dataset) -> float:
        """Proportional to the number of values."""
        return SECONDS_PER_VALUE * sum(p.values.size for p in dataset.per_structure.values())

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """One finding for each column of at least two finite values that are all the same."""
        found = []
        table = own_columns(dataset, columns)
        for k, (name, p) in enumerate(table.items()):
            progress(k / len(table), "Looking for constant columns")
            values = p.values
            if len(values) < 2 or values.ndim != 1:
                continue
            first = values[0]
            if not p.is_text and not np.isfinite(first):
                known = np.flatnonzero(np.isfinite(values))
                if len(known) < 2:
                    continue
                first = values[known[0]]
            same = all(
                _equal(values[start : start + _PART], first, p.is_text) for start in range(0, len(values), _PART)
            )
            if same and (not p.is_text or first != ""):
                value = str(first) if p.is_text else f"{first:.6g}"
                text = "{column}: always {value}"
                found.append(Findings.make(self.name, text, -1, INFO, drops="none", column=name, value=value))
        return Findings.join(self.name, found)


def _equal(values: Any, first: Any, text: bool) -> bool:
    values = np.asarray(values)
    return bool((values == first).all() if text else ((values == first) | np.isnan(values)).all())
