"""``qmlstudio enumerate``: options, and the work. Without a window."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from qmlstudio.chem.enumeration import output, processes
from qmlstudio.chem.enumeration.stages import FILTERS, Counts, Enumeration, Molecule, sample
from qmlstudio.progress import Progress


def add_options(parser: Any) -> None:
    """The options that are no parameters of the enumeration."""
    parser.add_argument(
        "--out",
        metavar="OUT",
        help="file to write: .smi or .smi.gz as a stream of any length; .extxyz, .sdf, .csv, .npz … with geometries; "
        "only the counts are printed if it is not given",
    )
    parser.add_argument("--filters", action="store_true", help="list the filters with their reasons, and do no more")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="print N molecules and an estimate, and do no more"
    )
    parser.add_argument("--workers", type=int, default=None, help="processes; default: as many as processors")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: argparse.Namespace, given: Callable[[Any, Any], Any], progress: Progress) -> int:
    """Enumerate and write; the exit code.

    Parameters
    ----------
    given : callable (class, object) -> object
        The object with the values of the command line.
    """
    if options.filters:
        for item in FILTERS:
            print(f"{item.name:<22}{item.title}: {item.reason}")
            for smarts in getattr(item, "smarts", ()):
                print(f"{'':<22}  {smarts}")
        return 0
    spec = given(Enumeration, Enumeration())
    if options.sample > 0:
        return _print_sample(spec, options.sample, progress)
    began, counts = time.monotonic(), Counts()
    if options.out and options.out.endswith((".smi", ".smi.gz")):
        with output.smiles_file(options.out) as file:
            for batch in processes.run(spec, counts, progress, options.workers):
                output.write_lines(file, batch)
    else:
        _collect(spec, counts, options.out, options.workers, progress)
    print(output.table(spec, counts))
    print(f"qmlstudio: {time.monotonic() - began:.1f} s", file=sys.stderr)
    if options.out:
        print(options.out)
    return 0


def _collect(spec: Enumeration, counts: Counts, out: str | None, workers: int | None, progress: Progress) -> None:
    """Only count, or keep all and write a file with geometries."""
    from qmlstudio.chem.writers import write

    molecules: list[Molecule] = []
    for batch in processes.run(spec, counts, progress.part(0.0, 0.6 if out else 1.0), workers):
        if out:
            molecules += batch
            if len(molecules) > output.MOST_OPENED:
                raise ValueError(
                    f"more than {output.MOST_OPENED:,} molecules: write them as a stream of SMILES (--out FILE.smi.gz)"
                )
    if out:
        made = output.dataset(molecules, spec, progress.part(0.6, 0.95))
        for problem in (*made.problems, *write(made, out, progress.part(0.95, 1.0)))[:10]:
            print(f"qmlstudio: {problem}", file=sys.stderr)


def _print_sample(spec: Enumeration, number: int, progress: Progress) -> int:
    found = sample(spec, number, progress=progress)
    for smiles in found.molecules:
        print(smiles)
    print(
        f"qmlstudio: about {found.kept:,.0f} (± {found.error:.0%}) molecules of {spec.n_heavy} heavy atoms pass the "
        f"filters, of {found.made:,.0f}; about {found.seconds:,.0f} s on one processor for all sizes",
        file=sys.stderr,
    )
    return 0
