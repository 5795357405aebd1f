"""Enumerated molecules, without geometries: the GDB family. Sizes are rounded ones of copies of the files."""

from __future__ import annotations

from qmlstudio.chem.catalogue import _citations as cite
from qmlstudio.chem.catalogue.model import Citation, Column, Entry, RemoteFile

_PAGE = "https://zenodo.org/records/5172018"
_FILES = "https://zenodo.org/records/5172018/files/"
_SMILES = (Column("smiles", "", "SMILES as enumerated, without stereo"),)
_SAMPLED = "Larger than what is read whole: a random sample is opened unless “#sample=0” stands behind its path."


def _gdb(
    name: str,
    title: str,
    description: str,
    file: str,
    molecules: int | None,
    elements: str,
    citation: Citation,
    about: int | None = None,
    note: str = _SAMPLED,
) -> Entry:
    return Entry(
        name=name,
        title=title,
        description=description,
        family="GDB",
        molecules=molecules,
        conformations=None,
        elements=tuple(elements.split()),
        columns=_SMILES,
        citations=(citation,),
        page=_PAGE,
        files=(RemoteFile(name=file, url=f"{_FILES}{file}?download=1", about=about),),
        opens=(file,),
        note=note,
    )


_SUBSETS: tuple[tuple[str, int | None], ...] = (
    ("AB", 2_570_000_000),
    ("ABCD", 1_130_000_000),
    ("ABCDE", 591_000_000),
    ("ABCDEF", 179_000_000),
    ("ABCDEFG", 52_100_000),
    ("ABCDEFGH", None),
)
_CNOSCL, _ALL = "H C N O S Cl", "H C N O F S Cl Br I"

ENTRIES: tuple[Entry, ...] = (
    _gdb(
        "gdb11",
        "GDB-11",
        "All 26,434,571 molecules of up to 11 atoms of C, N, O and F that obey simple rules of stability, as SMILES.",
        "gdb11.tgz",
        26_434_571,
        "H C N O F",
        cite.GDB11,
        about=112_000_000,
    ),
    _gdb(
        "gdb13",
        "GDB-13",
        "977,468,314 molecules of up to 13 atoms of C, N, O, S and Cl, as SMILES.",
        "gdb13.tgz",
        977_468_314,
        _CNOSCL,
        cite.GDB13,
    ),
    _gdb(
        "gdb13-1m",
        "GDB-13, a million at random",
        "1,000,000 molecules of GDB-13, drawn at random by its authors, as SMILES.",
        "gdb13.rand1M.smi.gz",
        1_000_000,
        _CNOSCL,
        cite.GDB13,
    ),
    *(
        _gdb(
            f"gdb13-{letters.lower()}",
            f"GDB-13, subset {letters}",
            f"The molecules of GDB-13 that meet its authors' criteria {', '.join(letters[:-1])} and {letters[-1]} of "
            "synthetic accessibility (the home page says which they are), as SMILES.",
            f"GDB13_Subset-{letters}.smi.gz",
            None,
            _CNOSCL,
            cite.GDB13,
            about=about,
        )
        for letters, about in _SUBSETS
    ),
    _gdb(
        "gdb17-50m",
        "GDB-17, 50 million at random",
        "50,000,000 of the 166.4 billion molecules of up to 17 atoms of C, N, O, S and halogens, as SMILES.",
        "GDB17.50000000.smi.gz",
        50_000_000,
        _ALL,
        cite.GDB17,
    ),
    _gdb(
        "gdb17-leadlike",
        "GDB-17, lead-like",
        "The lead-like ones (100 to 350 g/mol, clogP 1 to 3) among the 50 million of GDB-17, some 11 million, as "
        "SMILES.",
        "GDB17.50000000LL.smi.gz",
        None,
        _ALL,
        cite.GDB17,
        about=77_800_000,
    ),
    _gdb(
        "gdb17-leadlike-nosr",
        "GDB-17, lead-like without small rings",
        "The lead-like molecules among the 50 million of GDB-17 that have no rings of three or four atoms, as SMILES.",
        "GDB17.50000000LLnoSR.smi.gz",
        None,
        _ALL,
        cite.GDB17,
        about=56_700_000,
    ),
)
