"""``qmlstudio compare-data A B …``: data sets side by side, without a window."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from qmlstudio.progress import Progress
from qmlstudio.session.comparison import ComparisonSpec, CoverageSpec, DataPart


def groups() -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Headings and the classes whose parameters are options."""
    from qmlstudio import representations

    return (
        ("comparison", (ComparisonSpec,)),
        ("coverage", (CoverageSpec,)),
        ("representation", tuple(representations.REGISTRY.values())),
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes beside parameters."""
    from qmlstudio import representations

    parser.add_argument("files", nargs="+", metavar="FILE", help="structures, builtin:NAME, or qm9:; two or more")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where figures and comparison.json are written")
    parser.add_argument("--name", action="append", default=[], help="of the sets in their order; repeatable")
    parser.add_argument("--energy", action="append", default=[], help="columns of energies in their order; repeatable")
    parser.add_argument("--format", choices=("pdf", "svg", "png", "tiff"), default="pdf", help="of the figures")
    parser.add_argument(
        "--representation",
        choices=tuple(representations.REGISTRY),
        default=None,
        help="also compare coverage, in this representation",
    )
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: argparse.Namespace, progress: Progress, given: Callable[[argparse.Namespace, Any, Any], Any]) -> int:
    """Compare, write, print a table.

    Parameters
    ----------
    given : callable (options, class, object) -> object
        The object with the parameters that were given on the command line.
    """
    from qmlstudio import representations
    from qmlstudio.figures.comparison import write_comparison
    from qmlstudio.session.comparison import comparison, coverage, measures
    from qmlstudio.session.comparison.sets import MOST_SETS
    from qmlstudio.session.scripting import open_dataset

    count = len(options.files)
    if not 2 <= count <= MOST_SETS:
        raise ValueError(f"{count} sets are given: from 2 to {MOST_SETS} can be compared")
    for what, texts in (("names", options.name), ("columns of energies", options.energy)):
        if len(texts) > count:
            raise ValueError(f"{len(texts)} {what} for {count} sets")
    spec = given(options, ComparisonSpec, ComparisonSpec())
    parts: list[DataPart] = []
    for k, path in enumerate(options.files):
        dataset = open_dataset(path, progress.part(0.3 * k / count, 0.3 * (k + 1) / count))
        name = options.name[k] if k < len(options.name) else dataset.name
        taken = {part.name for part in parts}
        name = name if name not in taken else f"{name} ({k + 1})"
        energy = options.energy[k] if k < len(options.energy) else ""
        if energy and energy not in dataset.properties:
            raise ValueError(f"{path} has no column {energy!r}; there are {', '.join(dataset.per_structure)}")
        parts.append(DataPart(name, dataset, energy=energy))
    sets = [
        measures(part, spec, progress.part(0.3 + 0.3 * k / count, 0.3 + 0.3 * (k + 1) / count))
        for k, part in enumerate(parts)
    ]
    result = comparison(sets, spec)
    covered = None
    if options.representation:
        kind = representations.get(options.representation)
        cover = given(options, CoverageSpec, CoverageSpec())
        covered = coverage(parts, given(options, kind, kind()), cover, progress=progress.part(0.6, 0.85), threads=None)
    for s in sets:
        what = "molecule" if s.molecules == 1 else "molecules"
        print(f"{s.name}: {s.molecules:,} {what} ({s.molecules_by}), {s.structures:,} structures")
        for note in s.notes:
            print(f"qmlstudio: {s.name}: {note}", file=sys.stderr)
    if covered is not None:
        for a in range(count):
            for b in range(count):
                if a != b:
                    print(covered.sentence(a, b))
    print(write_comparison(result, covered, options.out, progress.part(0.85, 1.0), options.format))
    return 0
