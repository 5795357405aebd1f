"""``qmlstudio compute``: options, and the work once the data set is open. Without a window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import Progress
from qmlstudio.quantum.batch import SILENCE_SECONDS, Calculation, compute, estimate
from qmlstudio.quantum.charges import Charges
from qmlstudio.quantum.methods import METHODS
from qmlstudio.quantum.properties import QUANTITIES, USUAL
from qmlstudio.quantum.records import Records
from qmlstudio.quantum.results import columns, dataset_of
from qmlstudio.quantum.tasks import TASKS

GROUPS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("method", tuple(METHODS.values())),
    ("task", tuple(TASKS.values())),
    ("charge and spin", (Charges,)),
)
"""Parameterised classes whose parameters are options."""


def add_options(parser: Any) -> None:
    """The options that are no hyper-parameters."""
    parser.add_argument("file", metavar="FILE", help="structures, a session (.qmls), builtin:NAME, or qm9:")
    parser.add_argument(
        "--out", required=True, metavar="OUT", help="file to write; the ending decides: .xyz .extxyz .csv .npz .sdf …"
    )
    parser.add_argument("--method", choices=tuple(METHODS), default="gfn2")
    parser.add_argument("--task", choices=tuple(TASKS), default="properties")
    parser.add_argument(
        "--properties",
        metavar="NAMES",
        default=",".join(USUAL),
        help=f"separated by commas, of {', '.join(QUANTITIES)}",
    )
    parser.add_argument(
        "--structures", metavar="NUMBERS", default="", help="1-based numbers and ranges: 1,5,10-20; all if not given"
    )
    parser.add_argument("--workers", type=int, default=None, help="computing processes; as many as processors")
    parser.add_argument(
        "--timeout", type=float, default=SILENCE_SECONDS, help="seconds without a sign of life until a structure fails"
    )
    parser.add_argument("--fresh", action="store_true", help="neither take earlier results nor keep these")
    parser.add_argument("--estimate", action="store_true", help="time five structures and compute no more")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: argparse.Namespace, dataset: Dataset, given: Callable[[Any, Any], Any], progress: Progress) -> int:
    """Compute and write; the exit code.

    Parameters
    ----------
    given : callable (class, base) -> base with the command line's values
    """
    from qmlstudio.chem.writers import format_of, write

    if not options.estimate:
        format_of(options.out)
    method, task = METHODS[options.method], TASKS[options.task]
    names = tuple(n.strip() for n in options.properties.split(",") if n.strip())
    calculation = Calculation(
        method=given(method, method()), task=given(task, task()), quantities=names, charges=given(Charges, Charges())
    )
    chosen = numbers_in(options.structures, len(dataset))
    if options.workers is not None and options.workers < 1:
        raise ValueError("--workers: at least 1")
    if options.estimate:
        found = estimate(dataset, chosen, calculation, progress, workers=options.workers)
        for failure in found.failures:
            print(f"qmlstudio: {dataset.identifiers[failure.index]}: {failure.reason}", file=sys.stderr)
        print(f"{found.per_structure:.3g} s per structure, about {found.seconds:,.0f} s for {len(chosen):,}")
        return 0
    records = None if options.fresh else Records()
    try:
        outcome = compute(
            dataset,
            chosen,
            calculation,
            progress.part(0.0, 0.95),
            workers=options.workers,
            silence=options.timeout,
            records=records,
        )
    finally:
        if records is not None:
            records.close()
    for failure in outcome.failures[:10]:
        print(f"qmlstudio: {dataset.identifiers[failure.index]}: {failure.reason}", file=sys.stderr)
    if len(outcome.failures) > 10:
        print(f"qmlstudio: … {len(outcome.failures) - 10:,} more failed", file=sys.stderr)
    if outcome.done == 0:
        raise ValueError(f"{calculation.title}: nothing could be computed")
    if task.makes_structures:
        result = dataset_of(outcome, dataset)
    else:
        from dataclasses import replace

        made = columns(outcome, dataset, dataset.properties)
        result = replace(dataset, properties={**dataset.properties, **made})
        if len(chosen) < len(dataset):
            result = result.take(chosen)
    for problem in write(result, options.out, progress.part(0.95, 1.0)):
        print(f"qmlstudio: {problem}", file=sys.stderr)
    progress(1.0, "done")
    print(
        f"{outcome.computed:,} computed in {outcome.seconds:.1f} s ({outcome.cpu_seconds:.1f} s of processors), "
        f"{outcome.kept:,} known from before, {len(outcome.failures):,} failed",
        file=sys.stderr,
    )
    print(options.out)
    return 0


def numbers_in(text: str, n: int) -> NDArray[np.int64]:
    """0-based indices of "1,5,10-20"; all of `n` when empty. ValueError when something is none of them."""
    if not text.strip():
        return np.arange(n, dtype=np.int64)
    found: list[NDArray[np.int64]] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"--structures: {part.strip()!r} is neither a number nor a range")
        start, stop = int(first), int(last) if dash else int(first)
        if not 1 <= start <= stop <= n:
            raise ValueError(f"--structures: {part.strip()!r} is not within 1 … {n}")
        found.append(np.arange(start - 1, stop, dtype=np.int64))
    return np.unique(np.concatenate(found))
