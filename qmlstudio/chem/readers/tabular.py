"""Tables with headings (CSV, TSV) as rows of texts, for readers that know the headings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.errors import Problem
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.smiles import sniff_delimiter
from qmlstudio.chem.readers.streams import ByteStream, decode, line_blocks
from qmlstudio.progress import Progress


def head_rows(head: bytes, count: int = 4) -> list[list[str]]:
    """The cells of the first whole lines of a table; empty when it is none."""
    text = decode(head).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line + "\n" for line in text.split("\n")[:50] if line.strip()]
    if len(head) >= 1 << 14 and len(lines) > 1:
        lines.pop()
    delimiter = sniff_delimiter(lines)
    if not delimiter:
        return []
    try:
        return [[c.strip() for c in row] for row in csv.reader(lines[:count], delimiter=delimiter)]
    except csv.Error:
        return []


@dataclass
class Table:
    """A table read whole.

    Attributes
    ----------
    headings : list of str
    rows : list of (line, cells)
        With as many cells as there are headings; the line is where the row ends, from 1.
    """

    headings: list[str]
    rows: list[tuple[int, list[str]]]

    def column(self, heading: str) -> list[str]:
        """The cells of a column."""
        j = self.headings.index(heading)
        return [cells[j] for _, cells in self.rows]

    def chosen(self, which: NDArray[np.int64] | slice) -> Table:
        """Some of the rows."""
        if isinstance(which, slice):
            return self
        return Table(self.headings, [self.rows[k] for k in which.tolist()])


def read_rows(stream: ByteStream, progress: Progress, problems: Problems) -> Table:
    """Read a table; rows with too few or too many cells become problems.

    Raises
    ------
    DataError
        There is no row, or the file is no text.
    """
    where = str(stream.path)
    head = head_lines(stream)
    reader = csv.reader(_lines(stream, progress), delimiter=sniff_delimiter(head) or ",")
    headings: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    # cells may be long: the module's limit is for the whole process
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
    try:
        for cells in reader:
            cells = [c.strip() for c in cells]
            if not any(cells):
                continue
            if not headings:
                headings = [h or f"column {j + 1}" for j, h in enumerate(cells)]
            elif len(cells) != len(headings):
                text = f"{len(cells)} columns where {len(headings)} are expected"
                problems.add(
                    where, text, "mend the line; texts with separators need quotes", reader.line_num, len(rows)
                )
            else:
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        problems.add(where, f"the table cannot be read on: {error}", "check the quotes", reader.line_num)
    problems.append(stream.damage_problem())
    if not rows:
        if not len(problems):
            problems.append(Problem(where, "the table has no rows below its headings", "check the file"))
        problems.raise_first(where)
    return Table(headings, rows)


def head_lines(stream: ByteStream) -> list[str]:
    """The first lines of a text, with their ends."""
    text = decode(stream.head(1 << 14)).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line + "\n" for line in text.split("\n")[:50] if line]
    return lines[:-1] if len(text) >= 1 << 14 and len(lines) > 1 else lines


def _lines(stream: ByteStream, progress: Progress) -> Iterator[str]:
    for block in line_blocks(stream):
        progress(stream.fraction(), f"Reading {stream.path.name}")
        yield from (line + "\n" for line in block)
