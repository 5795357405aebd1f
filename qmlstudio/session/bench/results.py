"""What a bench found: points of learning curves with the error of every test structure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.session.bench.fits import PowerLaw, Reach, band, bootstrap, power_law, reach

if TYPE_CHECKING:
    from qmlstudio.session.bench.spec import BenchSpec

Floats = NDArray[np.float64]
STEPS = ("features", "search", "kernel", "solve", "predict")
"""What is timed, in the order in which it happens."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """One fit: a series, a size, a repeat.

    Attributes
    ----------
    series : str
        The label.
    key : str
        Content key: equal keys mean equal results.
    size : int
        Training structures.
    repeat, seed : int
        Which repeat (from 0), and the seed of its split.
    targets : tuple of str; unit : str
        The columns that were learned, and the unit of all of them.
    test : (m,) int64
        Which structures of the data set were predicted; never one that was trained on.
    truth, predicted : (m, t) float64
    model : dict
        The model with all its parameters known, as its ``to_dict`` has it.
    seconds : dict of str to float
        By step (:data:`STEPS`); work that several points share is divided among them by no rule but stands in full
        with the first that needed it.
    bytes : int
        Estimated memory of the fit: kernel matrices and features.
    notes : tuple of str
        What people should know: a σ at the edge of its grid, jitter that had to be added.
    """

    series: str
    key: str
    size: int
    repeat: int
    seed: int
    targets: tuple[str, ...]
    unit: str
    test: NDArray[np.int64]
    truth: Floats
    predicted: Floats
    model: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    bytes: int = 0
    notes: tuple[str, ...] = ()

    @cached_property
    def errors(self) -> Floats:
        """(m, t) predicted − true."""
        return self.predicted - self.truth

    def mae(self, target: int | None = None) -> float:
        """Mean absolute error, of one target or of all."""
        e = self.errors if target is None else self.errors[:, target]
        return float(np.mean(np.abs(e))) if e.size else float("nan")

    def rmse(self, target: int | None = None) -> float:
        """Root mean square error."""
        e = self.errors if target is None else self.errors[:, target]
        return float(np.sqrt(np.mean(e**2))) if e.size else float("nan")

    def worst(self, count: int, target: int = 0) -> NDArray[np.int64]:
        """(≤ count,) the structures of the data set with the largest errors, the worst first."""
        order = np.argsort(-np.abs(self.errors[:, target]), kind="stable")
        return self.test[order[: max(count, 0)]]

    @property
    def deviation(self) -> float:
        """Mean absolute deviation of the true values from their median: the error of knowing nothing."""
        if not self.truth.size:
            return float("nan")
        return float(np.mean(np.abs(self.truth - np.median(self.truth, axis=0))))


@dataclass(frozen=True, eq=False)
class Curve:
    """A learning curve with its bands.

    Attributes
    ----------
    label, unit, metric : str
    sizes : (m,) int64
        Ascending.
    table : (m, repeats) float64
        The metric of each repeat; NaN where a point is not there (yet).
    mean, low, high : (m,) float64
        Over repeats, with 95 % bands: Student's t over repeats; of a single one over its test structures, drawn anew.
    """

    label: str
    unit: str
    metric: str
    sizes: NDArray[np.int64]
    table: Floats
    mean: Floats
    low: Floats
    high: Floats

    @cached_property
    def law(self) -> PowerLaw | None:
        """The power law through the means."""
        return power_law(self.sizes, self.table)

    @cached_property
    def saturating(self) -> PowerLaw | None:
        """The power law with an offset, from four sizes on."""
        return power_law(self.sizes, self.table, saturating=True)

    def reach(self, goal: float) -> Reach:
        """How many training structures bring the metric down to `goal`, in the curve's unit."""
        return reach(self.law, goal, self.sizes, self.mean)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and largest of the repeats at the largest size."""
        last = self.table[-1] if len(self.table) else np.zeros(0)
        last = last[np.isfinite(last)]
        return (float(last.min()), float(last.max())) if len(last) else (float("nan"), float("nan"))


@dataclass(frozen=True, eq=False)
class BenchResult:
    """All points that are there, of a bench that is running or done.

    Attributes
    ----------
    spec : BenchSpec
    dataset, fingerprint : str
        Name and content hash of the data set.
    points : tuple of Point
    problems : tuple of str
        Series that could not be run, and why.
    seconds : float
        Wall-clock time of this run; what came from the disk took none of it.
    """

    spec: BenchSpec
    dataset: str
    fingerprint: str
    points: tuple[Point, ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float = 0.0

    def with_point(self, point: Point) -> BenchResult:
        """With one point more; one of the same place is replaced."""
        kept = tuple(p for p in self.points if (p.series, p.size, p.repeat) != (point.series, point.size, point.repeat))
        return replace(self, points=(*kept, point))

    @property
    def labels(self) -> tuple[str, ...]:
        """The series in the order of the specification."""
        return tuple(series.label for series in self.spec.series)

    @property
    def is_complete(self) -> bool:
        """Whether every point that was asked for is there."""
        have = {(p.series, p.size, p.repeat) for p in self.points}
        return len(have) >= len(self.labels) * len(self.spec.sizes) * self.spec.repeats

    def of(self, label: str, size: int | None = None) -> tuple[Point, ...]:
        """The points of a series, of one size or of all, by size and repeat."""
        found = [p for p in self.points if p.series == label and size in (None, p.size)]
        return tuple(sorted(found, key=lambda p: (p.size, p.repeat)))

    def curve(self, label: str, metric: str = "mae", target: int | None = None) -> Curve:
        """One learning curve.

        Parameters
        ----------
        metric : "mae" or "rmse"
        target : int, optional
            Which of several targets; the mean over all when not given.
        """
        if metric not in ("mae", "rmse"):
            raise ValueError(f"there is no curve of {metric!r}: mae or rmse")
        points = self.of(label)
        sizes = np.array(sorted({p.size for p in points}), dtype=np.int64)
        repeats = max((p.repeat for p in points), default=-1) + 1
        table = np.full((len(sizes), repeats), np.nan)
        for p in points:
            table[np.searchsorted(sizes, p.size), p.repeat] = p.mae(target) if metric == "mae" else p.rmse(target)
        bands = np.array([band(row) for row in table]).reshape(len(sizes), 3)
        for k, size in enumerate(sizes.tolist()):
            if np.isnan(bands[k, 1]) and metric == "mae":
                errors = next(p for p in points if p.size == size).errors
                bands[k, 1:] = bootstrap(np.abs(errors).mean(axis=1) if target is None else errors[:, target])
        unit = points[0].unit if points else ""
        return Curve(label, unit, metric, sizes, table, bands[:, 0], bands[:, 1], bands[:, 2])

    def seconds_of(self, label: str, size: int) -> dict[str, float]:
        """Mean seconds by step over the repeats of a point."""
        points = self.of(label, size)
        steps = [s for s in STEPS if any(s in p.seconds for p in points)]
        steps += sorted({s for p in points for s in p.seconds} - set(steps))
        return {s: float(np.mean([p.seconds.get(s, 0.0) for p in points])) for s in steps}

    def to_dict(self) -> dict[str, Any]:
        """Numbers for JSON: curves, fits, timings; the errors of structures stay in the points' files."""
        curves = []
        for label in self.labels:
            curve = self.curve(label)
            if not len(curve.sizes):
                continue
            law = curve.law
            curves.append(
                {
                    "series": label,
                    "unit": curve.unit,
                    "sizes": curve.sizes.tolist(),
                    "mae": _plain(curve.table),
                    "mean": _plain(curve.mean),
                    "low": _plain(curve.low),
                    "high": _plain(curve.high),
                    "rmse": _plain(self.curve(label, "rmse").table),
                    "fit": None
                    if law is None
                    else {"a": law.a, "b": law.b, "b_interval": law.b_interval, "misfit": law.misfit},
                    "models": {str(n): [p.model for p in self.of(label, n)] for n in curve.sizes.tolist()},
                    "seconds": {str(n): self.seconds_of(label, n) for n in curve.sizes.tolist()},
                    "notes": sorted({note for p in self.of(label) for note in p.notes}),
                }
            )
        return {
            "dataset": self.dataset,
            "fingerprint": self.fingerprint,
            "bench": self.spec.to_dict(),
            "curves": curves,
            "problems": list(self.problems),
            "seconds": self.seconds,
        }

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """One row for each point, for CSV; the first is the heading."""
        yield ("series", "size", "repeat", "seed", "targets", "unit", "mae", "rmse", "max", "n_test", "model", *STEPS)
        for label in self.labels:
            for p in self.of(label):
                largest = float(np.abs(p.errors).max()) if p.errors.size else float("nan")
                seconds = (round(p.seconds.get(step, 0.0), 4) for step in STEPS)
                head = (label, p.size, p.repeat, p.seed, " ".join(p.targets), p.unit)
                yield (*head, p.mae(), p.rmse(), largest, len(p.test), model_text(p.model), *seconds)


def model_text(model: dict[str, Any]) -> str:
    """Name and numbers of a model, in one short line: "kernel_ridge sigma=12.3 lambda_=1e-09"."""
    parts = [str(model.get("name", "model"))]

    def numbers(data: dict[str, Any]) -> None:
        for key, value in data.items():
            if isinstance(value, dict):
                parts.append(str(value.get("name", "")))
                numbers(value)
            elif isinstance(value, float) and key != "tolerance":
                parts.append(f"{key}={value:.4g}")

    numbers(model)
    return " ".join(p for p in parts if p)


def _plain(values: Floats) -> Any:
    """Nested lists, with None for what JSON has no number for."""
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(v) if np.isfinite(v) else None for v in values]
