"""The catalogue: which published data sets there are, what they hold, and where they are to be had.

Numbers, levels and units are those of the publications; addresses, sizes and checksums those of the repositories'
records, as programs that use the files state them. What could not be found is None or "".
"""

from __future__ import annotations

import difflib

from qmlstudio.chem.builtin import BUILTIN, BUILTIN_PREFIX, QM9, QM9_PREFIX, BuiltinInfo
from qmlstudio.chem.catalogue import _citations as cite
from qmlstudio.chem.catalogue._dynamics import ENTRIES as _DYNAMICS
from qmlstudio.chem.catalogue._enumerated import ENTRIES as _ENUMERATED
from qmlstudio.chem.catalogue._quantum import ANI_ENTRIES, QM_ENTRIES
from qmlstudio.chem.catalogue.model import Citation, Column, Entry
from qmlstudio.chem.errors import DataError, Problem

FAMILIES = ("built in", "QM", "MD", "ANI", "GDB", "other")


def _local(
    path: str,
    name: str,
    info: BuiltinInfo,
    elements: tuple[str, ...],
    level: str,
    citations: tuple[Citation, ...],
    note: str = "",
    title: str = "",
) -> Entry:
    """A set that needs no download."""
    return Entry(
        name=name,
        title=title or info.title,
        description=info.description,
        family="built in",
        molecules=1 if info.ordered else info.structures,
        conformations=info.structures,
        elements=elements,
        columns=tuple(Column(n, u, d, t) for n, (u, d, t) in info.columns.items()),
        level=level,
        licence=info.licence,
        citations=citations,
        local=path,
        note=note,
    )


_CHONF = ("H", "C", "N", "O", "F")

ENTRIES: tuple[Entry, ...] = (
    _local(f"{BUILTIN_PREFIX}qm9_7", "qm9_7", BUILTIN["qm9_7"], _CHONF, "B3LYP/6-31G(2df,p)", (cite.QM9, cite.GDB17)),
    _local(
        f"{BUILTIN_PREFIX}ethanol_500K",
        "ethanol_500k",
        BUILTIN["ethanol_500K"],
        ("H", "C", "O"),
        "GFN2-xTB",
        (cite.GFN2,),
    ),
    _local(
        QM9_PREFIX,
        "qm9-package",
        QM9,
        _CHONF,
        "B3LYP/6-31G(2df,p)",
        (cite.QM9, cite.GDB17),
        'From the Python package qm9pack: pip install "qmlstudio[qm9]" (100 MB).',
        "QM9 from the Python package",
    ),
    *QM_ENTRIES,
    *_DYNAMICS,
    *ANI_ENTRIES,
    *_ENUMERATED,
)
"""All data sets of the catalogue, those that need no download first."""

_BY_NAME = {entry.name: entry for entry in ENTRIES}


def entry(name: str) -> Entry:
    """The entry of that name, in upper or lower case; DataError with what is like it when there is none."""
    found = _BY_NAME.get(name.strip().lower().replace("_", "-")) or _BY_NAME.get(name.strip().lower())
    if found is None:
        alike = difflib.get_close_matches(name.lower(), _BY_NAME, 5, 0.5)
        remedy = f"perhaps {', '.join(alike)}" if alike else "“qmlstudio data list” names all"
        raise DataError(Problem(name or "no name", "there is no such data set in the catalogue", remedy))
    return found


def search(text: str) -> list[Entry]:
    """Entries that have all the words, in any order, among their name, description, elements, columns and authors."""
    words = text.lower().split()
    return [e for e in ENTRIES if all(word in search_text(e) for word in words)]


def search_text(entry: Entry) -> str:
    """What the words of a search are looked for in."""
    authors = (name for c in entry.citations for name in (*c.authors, c.title, str(c.year), c.doi))
    columns = (f"{c.name} {c.description}" for c in entry.columns)
    parts = (entry.name, entry.title, entry.description, entry.family, entry.level, entry.licence)
    return " ".join((*parts, *entry.elements, *columns, *authors)).lower()
