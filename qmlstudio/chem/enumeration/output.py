"""What becomes of enumerated molecules: a data set, or a file of SMILES."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.enumeration.stages import Counts, Enumeration, Molecule, stages
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress

MOST_OPENED = 200_000
"""Molecules up to which a data set is made at once; more are written to a file first and opened as a sample of it."""


def dataset(molecules: list[Molecule], spec: Enumeration, progress: Progress = SILENT) -> Dataset:
    """The molecules in the order of size and graph; geometries are made here unless they were asked for.

    Raises
    ------
    DataError
        There is none.
    """
    from qmlstudio.chem.readers.smiles import read_smiles_text

    if not molecules:
        raise DataError("no molecule passes all filters")
    chosen = sorted(molecules, key=lambda m: (m.size, m.graph))  # stable: as they were made within a graph
    name = title(spec)
    if spec.geometry:
        made = Structures.from_lists([m.numbers for m in chosen], [m.positions for m in chosen])
        smiles = Property(np.array([m.smiles for m in chosen], np.str_), description="SMILES")
        result = Dataset(name, made, {"smiles": smiles}, source=source(spec))
    else:
        result = read_smiles_text([m.smiles for m in chosen], name, progress)
        kept = source(spec, result.source.format)
        result = Dataset(
            name, result.structures, dict(result.properties), result.identifiers, kept, result.problems, result.ordered
        )
    if spec.stereo and len(result) == len(chosen):
        parents = np.array([m.parent for m in chosen], np.str_)
        result.properties["constitution"] = Property(parents, description="SMILES without stereochemistry")
    return result


def title(spec: Enumeration) -> str:
    """What the set is called."""
    return f"{' '.join(spec.elements.replace(',', ' ').split())}, up to {spec.n_heavy} heavy atoms"


def source(spec: Enumeration, how: str = "geometries by ETKDGv3 and MMFF94") -> Source:
    """Where the set comes from, with all that it takes to make it again."""
    text = json.dumps({k: v for k, v in spec.to_dict().items() if k != "name"}, ensure_ascii=False)
    return Source(
        format=f"enumerated ({how})",
        reference=f"enumeration in the manner of GDB-11 (Fink, Reymond, doi:10.1021/ci600423u) with {text}",
    )


@contextmanager
def smiles_file(path: str) -> Iterator[IO[str]]:
    """A text file to write SMILES to, compressed when its name ends in .gz; it appears when it is complete."""
    goal = Path(path)
    partial = goal.with_name(goal.name + ".part")
    try:
        with (
            gzip.open(partial, "wt", 6, "ascii")
            if goal.suffix == ".gz"
            else partial.open("w", encoding="ascii") as file
        ):
            yield file
        partial.replace(goal)
    finally:
        partial.unlink(missing_ok=True)


def write_lines(file: IO[str], molecules: Iterable[Molecule]) -> None:
    """One line each: SMILES, tab, heavy atoms and number of the graph."""
    file.writelines(f"{m.smiles}\t{m.size}-{m.graph + 1}\n" for m in molecules)


def table(spec: Enumeration, counts: Counts) -> str:
    """The funnel as text: a line for each stage, a column for each number of heavy atoms and their sum."""
    sizes = range(spec.smallest, spec.n_heavy + 1)
    lines = [f"{'heavy atoms':<28}" + "".join(f"{n:>10}" for n in sizes) + f"{'all':>12}"]
    for stage in stages(spec):
        numbers = [counts.of_size(n, stage.name) for n in sizes]
        sign = "-" if stage.removes else ""
        label = f"  {sign} {stage.title}" if stage.removes else stage.title
        cells = "".join(f"{_signed(v, sign):>10}" for v in numbers)
        lines.append(f"{label:<28}{cells}{_signed(sum(numbers), sign):>12}")
    return "\n".join(lines)


def _signed(number: int, sign: str) -> str:
    return f"{sign if number else ''}{number:,}"
