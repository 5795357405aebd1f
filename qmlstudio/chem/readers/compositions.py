"""Tables of compositions: elpasolites ABC2D6, of which only the elements on the four sites are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.elements import COVALENT_RADII, NUMBERS, SYMBOLS
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.batches import plain_stem
from qmlstudio.chem.readers.checks import Problems
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.chem.readers.tabular import head_rows, read_rows
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import SILENT, Progress

HEEDS = frozenset({"every", "first", "sample"})

_SITES = ("A", "B", "C", "D")
_ENERGY = "formation_energy"
_UNITS = {"_ev": "eV", "_mev": "meV", "_ha": "Ha", "_kcal": "kcal/mol", "_kj": "kJ/mol"}
_REFERENCE = "Faber, Lindmaa, von Lilienfeld, Armiento, Phys. Rev. Lett. 117, 135502 (2016)"


def is_elpasolites(head: bytes) -> bool:
    """Whether text is a table with columns A, B, C and D of elements."""
    rows = head_rows(head)
    if len(rows) < 2 or not set(_SITES) <= set(rows[0]):
        return False
    if {f"z{site}" for site in _SITES} <= set(rows[0]):
        return True
    at = [rows[0].index(site) for site in _SITES]
    return any(len(row) == len(rows[0]) and all(row[j] in NUMBERS for j in at) for row in rows[1:])


def elpasolites(sites: NDArray[np.uint8]) -> Structures:
    """Primitive cells of ABC2D6 in the structure of elpasolite K2NaAlF6 (space group Fm-3m, number 225).

    A sits on 4a (0, 0, 0), B on 4b (1/2, 1/2, 1/2), C on 8c (±1/4, ±1/4, ±1/4), D on 24e (x, 0, 0): in the mineral A
    is Al, B is Na, C is K and D is F. The cell is as small as sums of covalent radii allow: A and D, B and D touch
    along the axis unless C and D would then be nearer than they may. x parts the axis as the two sums of radii do.

    Parameters
    ----------
    sites : (n, 4) uint8
        Atomic numbers on A, B, C and D.

    Returns
    -------
    Structures
        Ten atoms each: A, B, C, C, D, D, D, D, D, D.
    """
    radii = np.array(COVALENT_RADII)[sites]
    a, b, c, d = radii.T
    along = 2.0 * (a + d) + 2.0 * (b + d)
    # C is √2/4 of the lattice constant away from D when x is 1/4
    lattice = np.maximum(along, np.sqrt(8.0) * (c + d))
    x = 0.5 * (a + d) / (a + b + 2.0 * d)
    n = len(sites)
    fractions = np.zeros((n, 10, 3))
    fractions[:, 1] = 0.5
    fractions[:, 2], fractions[:, 3] = 0.25, 0.75
    for k in range(3):
        fractions[:, 4 + 2 * k, k] = x
        fractions[:, 5 + 2 * k, k] = -x
    positions = fractions * lattice[:, None, None]
    cells = 0.5 * lattice[:, None, None] * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    numbers = sites[:, [0, 1, 2, 2, 3, 3, 3, 3, 3, 3]]
    return Structures(numbers.reshape(-1), positions.reshape(-1, 3), np.arange(0, 10 * n + 1, 10), cells)


def read_elpasolites(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read a table of elpasolites as crystals of the prototype, with its columns.

    Raises
    ------
    DataError
        No row can be used.
    """
    where = str(stream.path)
    problems = Problems()
    table = read_rows(stream, progress.part(0.0, 0.8), problems)
    at = [table.headings.index(site) for site in _SITES]
    good: list[int] = []
    sites: list[list[int]] = []
    for k, (line, cells) in enumerate(table.rows):
        if k % 4096 == 0:
            progress.check()
        numbers = [NUMBERS.get(cells[j], 0) for j in at]
        if 0 in numbers:
            wrong = cells[at[numbers.index(0)]]
            problems.add(where, f"{wrong[:20]!r} is no element", "write its symbol", line, k)
            continue
        good.append(k)
        sites.append(numbers)
    if not good:
        problems.raise_first(where)
    chosen = options.rows(len(good))
    table = table.chosen(np.array(good, np.int64)).chosen(chosen)
    z = np.array(sites, np.uint8)[chosen]
    properties: dict[str, Property] = {}
    for j, heading in enumerate(table.headings):
        cells_ = [cells[j] for _, cells in table.rows]
        if heading in _SITES:
            kind = f"element on site {heading} of ABC2D6"
            properties[heading] = Property(columns.text_array(cells_), description=kind)
            continue
        name, unit, text = _meaning(heading)
        columns.add_column(properties, name, columns.convert(cells_), unit, text)
    identifiers = columns.text_array(
        ["".join((SYMBOLS[a], SYMBOLS[b], SYMBOLS[c], "2", SYMBOLS[d], "6")) for a, b, c, d in z.tolist()]
    )
    form = "table of elpasolites ABC2D6; prototype geometry from covalent radii, not relaxed"
    source = Source(path=where, format=form, reference=_REFERENCE)
    name = plain_stem(stream.path.name)
    return Dataset(name, elpasolites(z), properties, identifiers, source, problems.listed(where))


def _meaning(heading: str) -> tuple[str, str, str]:
    """Name, unit and description of a column by its heading."""
    if heading.startswith("z") and heading[1:] in _SITES:
        return heading, "", f"atomic number on site {heading[1:]}"
    name, unit = columns.split_unit(heading)
    low = name.lower()
    if low.startswith(_ENERGY):
        found = next((u for ending, u in _UNITS.items() if ending in low), "")
        per = "atom" if "atom" in low else "formula unit of 10 atoms"
        return _ENERGY, unit or found, f"formation energy per {per}, DFT"
    return name, unit, ""
