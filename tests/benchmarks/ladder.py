"""The QM7 ladder of docs/ladder.md: ``python tests/benchmarks/ladder.py [NAME…] [--out FOLDER] [--write]``.

It needs ../shared/data/qm7. What it runs, and the protocol, are those of ``qmlstudio bench qm7``; a folder that was
given before goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from molecules import QM7

from qmlstudio.bench_command import markdown
from qmlstudio.progress import Progress
from qmlstudio.session.bench.ladders import LADDERS
from qmlstudio.session.bench.runner import BenchUpdate, run
from qmlstudio.session.scripting import open_dataset

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ladder.md"
LADDER = LADDERS["qm7"]
ALL = tuple(LADDER.rungs)


def told(update: BenchUpdate) -> None:
    """A line for each point."""
    if update.size and update.search is None:
        p = update.result.points[-1]
        print(f"  {p.series}, seed {p.seed}, N = {p.size:,}: {p.mae():.3f} {p.unit}", file=sys.stderr, flush=True)


def main() -> int:
    """Print the ladder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--out", metavar="FOLDER", help="keep all points there")
    parser.add_argument("--write", action="store_true", help="renew docs/ladder.md")
    options = parser.parse_args()
    if not QM7.exists():
        print(f"{QM7.name} is not there: the ladder needs it", file=sys.stderr)
        return 1
    dataset = open_dataset(str(QM7))
    with tempfile.TemporaryDirectory() as folder:
        spec = LADDER.make(dataset, options.names or ALL)
        result = run(spec, dataset, None, options.out or folder, Progress(partial=told))
    table = markdown(result, LADDER, LADDER.goal[0])
    print(table)
    if options.write:
        text = [
            "# The QM7 ladder",
            "",
            "Mean absolute errors in kcal/mol of PBE0 atomization energies, QM7 as 7,101 geometries, means over three",
            "seeds. Kernel ridge regression; σ and λ are chosen on training data only, the 1,369 test molecules are",
            "scored once. “Expected” is the seeds' range of an independent run of the same protocol with the reference",
            "packages' features. Made by `python tests/benchmarks/ladder.py --write`; `qmlstudio bench qm7 FILE` runs",
            "the same. Seconds are those of all repeats on the machine of that day.",
            "",
            table,
            "",
        ]
        DOCUMENT.write_text("\n".join(text), encoding="utf-8")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
