"""What is drawn of a bench: curves, levels and published values, for the window and for print alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.units import factor
from qmlstudio.session.bench.fits import FARTHEST, FLAT, PowerLaw
from qmlstudio.session.bench.literature import Published, published
from qmlstudio.session.bench.results import BenchResult, Curve, Point

Floats = NDArray[np.float64]

ACCURACY = 1.0, "kcal/mol"
"""What is called chemical accuracy."""
METRICS = ("mae", "rmse")


@dataclass(frozen=True, eq=False)
class Line:
    """A learning curve with what is told of its points.

    Attributes
    ----------
    label : str
    place : int
        Of the series in the bench: decides colour, line and mark.
    curve : Curve
    law : PowerLaw or None
    note : str
        Fit, and where it reaches the goal, for a legend.
    texts : tuple of str
        One for each size, lines.
    tip : str
        All that is known of the fit.
    """

    label: str
    place: int
    curve: Curve
    law: PowerLaw | None
    note: str
    texts: tuple[str, ...]
    tip: str = ""


@dataclass(frozen=True)
class Level:
    """A horizontal line: "baseline", "goal" or "published"."""

    name: str
    y: float
    kind: str
    tip: str = ""


@dataclass(frozen=True, eq=False)
class Reference:
    """Published values with their numbers of training structures."""

    name: str
    place: int
    x: Floats
    y: Floats
    tip: str


@dataclass(frozen=True, eq=False)
class Lines:
    """All that one chart shows.

    Attributes
    ----------
    lines, levels, references
    metric, unit, target : str
        Unit of the ordinate; what was learned.
    """

    lines: tuple[Line, ...] = ()
    levels: tuple[Level, ...] = ()
    references: tuple[Reference, ...] = ()
    metric: str = "mae"
    unit: str = ""
    target: str = ""

    @property
    def title(self) -> str:
        """Of the ordinate."""
        name = f"{self.metric.upper()} of {self.target}" if self.target else self.metric.upper()
        return f"{name} / {self.unit}" if self.unit else name


def targets_of(result: BenchResult) -> tuple[tuple[str, str], ...]:
    """(target, unit) pairs that points are there of, in the order of the series: one chart for each."""
    found: dict[tuple[str, str], None] = {}
    for label in result.labels:
        for point in result.of(label)[:1]:
            for target in point.targets:
                found[target, point.unit] = None
    return tuple(found)


def goal_in(unit: str) -> float | None:
    """Chemical accuracy in a unit; None where it is none of energies."""
    try:
        return ACCURACY[0] * factor(ACCURACY[1], unit)
    except ValueError:
        return None


def lines_of(result: BenchResult, target: str, unit: str, metric: str = "mae", goal: float | None = None) -> Lines:
    """Everything to draw of one target.

    Parameters
    ----------
    goal : float, optional
        In the unit; fits tell where they reach it.
    """
    lines: list[Line] = []
    levels: list[Level] = []
    references: list[Reference] = []
    nothing: float | None = None
    for place, series in enumerate(result.spec.series):
        points = result.of(series.label)
        if not points or target not in points[0].targets or points[0].unit != unit:
            continue
        at = points[0].targets.index(target)
        curve = result.curve(series.label, metric, at)
        if series.needs != "rows":
            last = float(curve.mean[-1])
            tip = f"{series.model.title}, fitted to {int(curve.sizes[-1]):,} training structures: {last:.4g} {unit}"
            levels.append(Level(series.label, last, "baseline", tip))
        else:
            law = curve.law
            texts = tuple(_told(result, series.label, curve, k, unit) for k in range(len(curve.sizes)))
            tip = "" if law is None else f"{curve.metric.upper()} ≈ {law.text} {unit}".rstrip()
            if law is not None and goal is not None:
                tip += f"\n{goal:.3g} {unit}: {curve.reach(goal).text}"
            lines.append(Line(series.label, place, curve, law, _note(curve, law, goal, unit), texts, tip))
        largest = max(points, key=lambda p: p.size)
        nothing = _deviation(largest, at) if nothing is None else nothing
        for known in published(result.dataset, target, series.representation):
            _add_published(known, place, unit, metric, levels, references)
    if lines or levels:
        if nothing is not None and np.isfinite(nothing) and nothing > 0:
            text = f"error of knowing nothing: mean absolute deviation of the test set, {nothing:.4g} {unit}"
            levels.append(Level("mean absolute deviation", nothing, "baseline", text))
        if goal is not None and goal > 0:
            name = f"goal: {goal:.3g} {unit}"
            accuracy = goal_in(unit)
            if accuracy is not None and abs(goal / accuracy - 1) < 1e-6 and unit != ACCURACY[1]:
                name += f" ({ACCURACY[0]:g} {ACCURACY[1]})"
            levels.append(Level(name, goal, "goal"))
    return Lines(tuple(lines), tuple(levels), tuple(references), metric, unit, target)


def seconds_text(seconds: dict[str, float]) -> str:
    """Steps with their times: "features 1.2 s · kernel 0.3 s"."""
    return " · ".join(f"{step} {_time(t)}" for step, t in seconds.items())


def _time(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _deviation(point: Point, at: int) -> float:
    truth = point.truth[:, at]
    return float(np.mean(np.abs(truth - np.median(truth)))) if len(truth) else float("nan")


def _told(result: BenchResult, label: str, curve: Curve, k: int, unit: str) -> str:
    size = int(curve.sizes[k])
    points = result.of(label, size)
    band = ""
    if np.isfinite(curve.low[k]) and np.isfinite(curve.high[k]):
        band = f" ({curve.low[k]:.3g} to {curve.high[k]:.3g})"
    several = f"{len(points)} repeats" if len(points) > 1 else "1 repeat"
    lines = [f"N = {size:,}: {curve.metric.upper()} {curve.mean[k]:.4g}{band} {unit}".rstrip(), several]
    if points:
        lines[1] += f" · {len(points[0].test):,} test structures"
        if points[0].bytes:
            lines[1] += f" · {points[0].bytes / 2**20:,.0f} MiB"
    steps = list(result.seconds_of(label, size).items())
    lines += [seconds_text(dict(steps[j : j + 3])) for j in range(0, len(steps), 3)]
    lines += sorted({note for p in points for note in p.notes})[:2]
    return "\n".join(lines)


def _note(curve: Curve, law: PowerLaw | None, goal: float | None, unit: str) -> str:
    if law is None:
        last = curve.mean[np.isfinite(curve.mean)]
        return f"{last[-1]:.4g} {unit}" if len(last) else ""
    text = "does not fall"
    if law.b > FLAT:
        spread = "" if law.b_interval is None else f" ({law.b_interval[0]:.2f}–{law.b_interval[1]:.2f})"
        text = f"∝ N^−{law.b:.2f}{spread}".replace("(-", "(−")
    if goal is not None and goal > 0:
        found = curve.reach(goal)
        told = {
            "never": "not reached",
            "far": f"N > {round_number(FARTHEST * float(curve.sizes[-1])):,}",
        }.get(found.kind, "" if found.size is None else f"N ≈ {round_number(found.size):,}")
        text += f"\ngoal: {told}"
    return text


def round_number(n: float) -> int:
    """Two digits: an extrapolated number is no better known."""
    if not np.isfinite(n) or n < 1:
        return 1
    step = 10 ** max(int(np.floor(np.log10(n))) - 1, 0)
    return int(round(n / step) * step)


def _add_published(
    known: Published, place: int, unit: str, metric: str, levels: list[Level], references: list[Reference]
) -> None:
    if metric != "mae":
        return
    try:
        value = known.mae * factor(known.unit, unit)
    except ValueError:
        return
    name = f"{_authors(known.reference)}: {known.text} {known.unit}"
    if known.n_train is None:
        if all(level.name != name for level in levels):
            levels.append(Level(name, value, "published", known.about))
    elif all(r.name != name for r in references):
        references.append(Reference(name, place, np.array([float(known.n_train)]), np.array([value]), known.about))


def _authors(reference: str) -> str:
    """ "Rupp et al. 2012" of a citation."""
    words = [w.strip("(),;.:") for w in reference.split()]
    year = next((w for w in words if len(w) == 4 and w.isdigit()), "")
    names = reference.split(",")
    first = names[0].strip()
    # what follows the first comma is another name, or already the journal
    several = len(names) > 1 and " et al" not in first and not any(c.isdigit() for c in names[1])
    return f"{first}{' et al.' if several else ''} {year}".strip()


def shown_sizes(sizes: Sequence[int]) -> str:
    """ "100, 200, 500" as people write and read it."""
    return ", ".join(str(n) for n in sizes)


def parse_sizes(text: str) -> tuple[int, ...]:
    """Training sizes of a text: numbers with anything between them; ValueError when there are none.

    "1k" is 1,000; "100…1600" is 100, 200, 400, 800, 1600.
    """
    text = text.replace("...", "…").replace("..", "…")
    found: list[int] = []
    for word in text.replace(";", " ").replace(",", " ").split():
        ends = [_number(part) for part in word.split("…")]
        if len(ends) == 1:
            found.append(ends[0])
        elif len(ends) == 2 and 0 < ends[0] < ends[1]:
            n = ends[0]
            while n < ends[1]:
                found.append(n)
                n *= 2
            found.append(ends[1])
        else:
            raise ValueError(f"{word!r} is no range of sizes: write 100…1600")
    if not found:
        raise ValueError("give training sizes, such as 100, 200, 400")
    if min(found) < 1:
        raise ValueError("training sizes are 1 or more")
    return tuple(sorted(set(found)))


def _number(word: str) -> int:
    times = 1000 if word[-1:].lower() == "k" else 1
    try:
        value = float(word[:-1] if times > 1 else word) * times
    except ValueError:
        raise ValueError(f"{word!r} is no number of structures") from None
    if not np.isfinite(value) or value != int(value):
        raise ValueError(f"{word!r} is no whole number of structures")
    return int(value)


def default_sizes(n: int, test_fraction: float = 0.2) -> tuple[int, ...]:
    """Doubling sizes up to what a test set leaves of n structures, at most 2,000."""
    most = max(1, min(2000, int(n * (1 - test_fraction))))
    sizes = [most]
    while sizes[0] > 2 * 50 and len(sizes) < 5:
        sizes.insert(0, sizes[0] // 2)
    return tuple(sizes)
