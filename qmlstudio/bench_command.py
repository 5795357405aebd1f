"""``qmlstudio bench``: learning curves without a window, next to the literature, into a folder."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qmlstudio.parameters import Parameterised
from qmlstudio.progress import Progress

if TYPE_CHECKING:
    from qmlstudio.chem.dataset import Dataset
    from qmlstudio.session.bench.ladders import Ladder
    from qmlstudio.session.bench.results import BenchResult
    from qmlstudio.session.bench.spec import BenchSpec

LADDERS = ("qm7", "elpasolites")
ENERGY_GOAL = 1.0
"""Chemical accuracy, kcal/mol."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    from qmlstudio import representations
    from qmlstudio.learning import kernels, models
    from qmlstudio.learning.evaluation import splits

    def names(registry: Any) -> str:
        return ", ".join(registry)

    parser.add_argument(
        "what",
        nargs="+",
        metavar="[LADDER] FILE",
        help="structures (a file, builtin:NAME, catalogue:NAME, qm9:), after “qm7” or “elpasolites” for a known ladder",
    )
    parser.add_argument("--out", metavar="FOLDER", help="tables, figure and all points; default: bench_NAME")
    ours = parser.add_argument_group("what is compared (lists are separated by spaces)")
    ours.add_argument("--rungs", nargs="+", metavar="NAME", default=[], help="of a ladder; default: its usual ones")
    ours.add_argument(
        "--representations",
        nargs="+",
        metavar="NAME[:key=value,…]",
        default=[],
        help=f"one or more of {names(representations.REGISTRY)}",
    )
    ours.add_argument(
        "--kernels",
        nargs="+",
        metavar="NAME[:key=value,…]",
        default=[],
        help=f"of kernel ridge regression: {names(kernels.REGISTRY)}; default: gaussian, and local_sum for "
        "representations with a row for each atom",
    )
    ours.add_argument(
        "--models", nargs="+", metavar="NAME[:key=value,…]", default=[], help=f"others: {names(models.REGISTRY)}"
    )
    ours.add_argument("--properties", nargs="+", metavar="COLUMN", default=[], help="columns to learn, each for itself")
    ours.add_argument("--baseline", metavar="COLUMN", default="", help="learn the difference to this column")
    ours.add_argument("--normalisation", choices=("none", "per_atom", "composition"), default="none")
    how = parser.add_argument_group("how")
    how.add_argument("--sizes", nargs="+", type=_count, metavar="N", default=[], help="of the training sets")
    how.add_argument("--repeats", type=int, metavar="N", help="splits (default: 3)")
    how.add_argument("--seed", type=int, metavar="N", help="of the first split (default: 1)")
    how.add_argument("--test", type=_count, metavar="N", help="test structures (default: a fifth)")
    how.add_argument(
        "--split",
        metavar="NAME[:key=value,…]",
        help=f"{names(splits.REGISTRY)}; default: grouped where a molecule is there more than once, else random",
    )
    how.add_argument("--fit", type=_count, metavar="N", help="training structures that choose σ and λ (default: 1000)")
    how.add_argument("--validate", type=_count, metavar="N", help="training structures that judge them (default: 500)")
    how.add_argument("--goal", type=float, metavar="ERROR", help="whose training size is extrapolated")
    how.add_argument("--format", choices=("svg", "pdf", "png"), default="svg", help="of the figure")
    how.add_argument("--memory", type=float, metavar="GIB", help="that kernel matrices may take")
    how.add_argument("--threads", type=int, metavar="N", help="default: all")
    how.add_argument("--estimate", action="store_true", help="say what it would take, and do nothing")
    how.add_argument("--keep-features", action="store_true", help="leave features in the folder")
    how.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: argparse.Namespace, progress: Progress) -> int:
    """Do it: 0, or 1 when some series could not be run."""
    from qmlstudio.session.bench.estimates import estimate
    from qmlstudio.session.bench.ladders import LADDERS as KNOWN
    from qmlstudio.session.bench.runner import run as run_bench
    from qmlstudio.session.scripting import open_dataset

    named = options.what[0] if len(options.what) == 2 else ""
    if len(options.what) > 2 or (named and named not in KNOWN):
        raise ValueError(f"give one file, or one of {', '.join(KNOWN)} and its file; not {' '.join(options.what)!r}")
    ladder = KNOWN.get(named)
    if ladder is None and options.rungs:
        raise ValueError("--rungs belong to a ladder: “qmlstudio bench qm7 FILE --rungs …”")
    dataset = open_dataset(options.what[-1], progress.part(0.0, 0.02))
    left_out: tuple[str, ...] = ()
    if ladder is not None:
        spec = ladder.make(dataset, options.rungs)
    else:
        spec, left_out = _own(options, dataset, progress.part(0.02, 0.03))
    spec = _adjusted(spec, options)
    for text in left_out:
        print(f"left out: {text}", file=sys.stderr)
    budget = None if options.memory is None else int(options.memory * 2**30)
    if options.estimate:
        found = estimate(spec, dataset, memory_budget=budget, threads=options.threads)
        print(found.text)
        if found.cheaper is not None:
            print(f"cheaper: {found.cheaper_text}")
        return 0
    out = Path(options.out or f"bench_{ladder.name if ladder else _plain(dataset.name)}")
    out.mkdir(parents=True, exist_ok=True)
    told = _Told(progress.part(0.03, 1.0), options.no_progress, sys.stderr.isatty())
    result = run_bench(
        spec,
        dataset,
        None,
        out,
        told.progress,
        threads=options.threads,
        memory_budget=budget,
        keep_features=options.keep_features,
    )
    unit = next((c.unit for c in map(result.curve, result.labels) if len(c.sizes)), "")
    goal = _goal(options.goal, ladder, unit)
    table = markdown(result, ladder, goal)
    print(table)
    for path in write(result, out, table, goal, options.format):
        print(path, file=sys.stderr)
    for problem in result.problems:
        print(f"qmlstudio: {problem}", file=sys.stderr)
    return 1 if result.problems else 0


def markdown(result: BenchResult, ladder: Ladder | None = None, goal: float | None = None) -> str:
    """The curves as a table, with published errors beside them.

    Parameters
    ----------
    goal : float, optional
        In the unit of the curves: the training size that reaches it gets a column.
    """
    from qmlstudio.session.bench.literature import published

    curves = [c for c in map(result.curve, result.labels) if len(c.sizes)]
    units = sorted({c.unit for c in curves})
    unit = units[0] if len(units) == 1 else ""
    head = ["series", *(f"N = {n:,}" for n in result.spec.sizes), "seeds at the last", "exponent"]
    if goal is not None and unit:
        head.append(f"{goal:g} {unit} at")
    if ladder is not None and ladder.expected:
        head.append("expected there")
    head += ["published", "s"]
    lines = [
        f"| {' | '.join(head)} |",
        "|---|" + "---:|" * len(result.spec.sizes) + "---|" * (len(head) - 1 - len(result.spec.sizes)),
    ]
    known = {s.label: s for s in result.spec.series}
    for curve in curves:
        means = dict(zip(curve.sizes.tolist(), curve.mean.tolist(), strict=True))
        label = curve.label if unit else f"{curve.label} / {curve.unit or '–'}"
        cells = [label, *(_figures(means[n]) if n in means else "" for n in result.spec.sizes)]
        low, high = curve.spread
        cells.append(f"{_figures(low)}–{_figures(high)}")
        law = curve.law
        interval = f" ({law.b_interval[0]:.2f}–{law.b_interval[1]:.2f})" if law and law.b_interval else ""
        cells.append(f"{law.b:.2f}{interval}" if law else "")
        if goal is not None and unit:
            cells.append(curve.reach(goal).text)
        if ladder is not None and ladder.expected:
            expected = ladder.expected.get(curve.label)
            cells.append(f"{expected[0]:g}–{expected[1]:g}" if expected else "")
        series = known[curve.label]
        values = published(result.dataset, series.task.target, series.representation)
        cells.append("; ".join(f"{v.text} {v.unit}" for v in values if v.unit == curve.unit))
        seconds = sum(sum(p.seconds.values()) for p in result.of(curve.label))
        cells.append(f"{seconds:.0f}" if seconds >= 1 else "< 1")
        lines.append(f"| {' | '.join(cells)} |")
    spread = "mean absolute errors" + (f" in {unit}" if unit else "")
    notes = [
        f"{result.dataset}: {spread}, means of {result.spec.repeats} splits; σ and λ chosen on training data only."
    ]
    references = dict.fromkeys(
        f"{v.text} {v.unit}: {v.what}; {v.reference} ({v.where})"
        for s in result.spec.series
        for v in published(result.dataset, s.task.target, s.representation)
    )
    return "\n".join([*lines, "", *notes, *references])


def write(result: BenchResult, folder: Path, table: str, goal: float | None, kind: str) -> list[Path]:
    """Table, numbers, one row for each point, and the figure; the files written."""
    from qmlstudio.figures import FigureSpec, save
    from qmlstudio.figures.learning_curves import learning_curves_figure

    paths = [folder / "table.md", folder / "result.json", folder / "points.csv"]
    paths[0].write_text(table + "\n", encoding="utf-8")
    paths[1].write_text(json.dumps(result.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
    with paths[2].open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(result.rows())
    units = list(dict.fromkeys(c.unit for c in map(result.curve, result.labels) if len(c.sizes)))
    for k, unit in enumerate(units):
        spec = FigureSpec(column="double", aspect=0.5)
        figure = learning_curves_figure(result, spec, goal=goal if k == 0 else None, unit=unit)
        name = "curves" if k == 0 else f"curves_{k + 1}"
        recipe = {"bench": result.spec.to_dict(), "dataset": result.dataset}
        paths.append(
            save(figure, folder / f"{name}.{kind}", spec, recipe=recipe, title=f"Learning curves: {result.dataset}")
        )
    return paths


def _own(options: argparse.Namespace, dataset: Dataset, progress: Progress) -> tuple[BenchSpec, tuple[str, ...]]:
    """A bench from the command line alone."""
    from qmlstudio import representations
    from qmlstudio.learning import kernels, models
    from qmlstudio.learning.evaluation.splits import SplitContext, propose
    from qmlstudio.learning.evaluation.tasks import Task
    from qmlstudio.session.bench.spec import BenchSpec, combine
    from qmlstudio.session.columns import Columns

    if not options.properties:
        numbers = [k for k, p in dataset.per_structure.items() if not p.is_text]
        raise ValueError(f"say what to learn: --properties with some of {', '.join(numbers)}")
    kinds = [_named(text, representations.get) for text in options.representations]
    chosen = [_named(text, models.get) for text in options.models]
    asked: Sequence[str] = options.kernels
    if not asked and (kinds and not chosen):
        asked = [*(["gaussian"] if any(not k.local for k in kinds) else [])]
        asked = [*asked, *(["local_sum"] if any(k.local for k in kinds) else [])]
    chosen = [models.KernelRidge(kernel=_named(text, kernels.get)) for text in asked] + chosen
    if not chosen:
        raise ValueError("say what to compare: --representations (with --kernels), or --models")
    tasks = [
        Task(target=name, baseline=options.baseline, normalisation=options.normalisation) for name in options.properties
    ]
    series, left = combine(kinds, chosen, tasks)
    if not series:
        raise ValueError("; ".join(left) or "there is nothing to compare")
    target = tasks[0].prepare(Columns(dataset), dataset.structures)
    n = len(target.rows)
    if options.split is None:
        proposal = propose(SplitContext.of(dataset, Columns(dataset), target), progress)
        print(proposal.why, file=sys.stderr)
        split = proposal.spec
    else:
        split = _split(options.split)
    n_test = options.test or max(1, n // 5)
    sizes = [size for size in (100, 200, 500, 1000, 2000, 5000) if size <= n - n_test] or [max(1, (n - n_test) // 2)]
    return BenchSpec(series=series, sizes=tuple(sizes), split=split.with_values(n_test=n_test)), left


def _adjusted(spec: BenchSpec, options: argparse.Namespace) -> BenchSpec:
    """With what was said about sizes, repeats, seeds and splits."""
    values: dict[str, Any] = {}
    if options.sizes:
        values["sizes"] = tuple(options.sizes)
    for name in ("repeats", "seed"):
        if getattr(options, name) is not None:
            values[name] = getattr(options, name)
    split = spec.split if options.split is None else _split(options.split).with_values(n_test=spec.split.n_test)
    if options.test is not None:
        split = split.with_values(n_test=options.test)
    values["split"] = split
    folds = {k: v for k, v in (("n_fit", options.fit), ("n_validate", options.validate)) if v is not None}
    if folds:
        values["folds"] = spec.folds.with_values(**folds)
    return replace(spec, **values)


def _split(text: str) -> Any:
    from qmlstudio.learning.evaluation import splits

    def get(name: str) -> Any:
        if name not in splits.REGISTRY:
            raise ValueError(f"there is no split {name!r}; there are {', '.join(splits.REGISTRY)}")
        return splits.REGISTRY[name]

    return _named(text, get)


def _named(text: str, get: Callable[[str], Any]) -> Any:
    """ "soap:r_cut=5,average=inner" → the object with these parameters."""
    name, _, rest = text.partition(":")
    cls: type[Parameterised] = get(name)
    values: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{text!r}: parameters are written as {name}:key=value,key=value")
        values[key.strip()] = None if value.strip().lower() in ("none", "auto", "automatic") else value.strip()
    return cls.from_dict(values)


def _goal(asked: float | None, ladder: Ladder | None, unit: str) -> float | None:
    """The error to aim at: as asked, the ladder's, or 1 kcal/mol in the unit of an energy."""
    if asked is not None:
        return asked
    if ladder is not None:
        return ladder.goal[0] if ladder.goal[1] == unit else None
    from qmlstudio.chem.units import ENERGY, factor

    return round(ENERGY_GOAL * factor("kcal/mol", unit), 6) if unit in ENERGY else None


class _Told:
    """A bar on a terminal; else a line for each point."""

    def __init__(self, progress: Progress, quiet: bool, bar: bool) -> None:
        self._quiet, self._seen = quiet or bar, 0
        self.progress = Progress(progress if bar else None, None, self._partial)

    def _partial(self, update: Any) -> None:
        points = update.result.points
        if not self._quiet and update.size and update.search is None and len(points) > self._seen:
            p = points[-1]
            error = f"{_figures(p.mae())} {p.unit}".rstrip()
            print(f"{p.series}, N = {p.size:,}, seed {p.seed}: {error}", file=sys.stderr, flush=True)
        self._seen = len(points)


def _figures(value: float) -> str:
    """Three figures."""
    if not np.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        digits = 2 if value == 0 else max(0, 2 - int(np.floor(np.log10(abs(value)))))
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"


def _count(text: str) -> int:
    """ "1,000" or "1000" or "1e3"."""
    value = float(text.replace(",", "").replace("_", ""))
    if value != int(value) or value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of structures")
    return int(value)


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name).strip("_") or "data"
