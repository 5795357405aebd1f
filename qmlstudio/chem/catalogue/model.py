"""What is known of a published data set without having it: its entry in the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qmlstudio.chem.errors import DataError

Algorithm = Literal["sha256", "sha512", "sha1", "md5"]

DIGITS: dict[str, int] = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
"""Hexadecimal digits of each kind of checksum."""


CHUNK = 1 << 18
"""Bytes that are handed on, hashed and written at a time (fewer when the line is slower): a few milliseconds."""


class DownloadError(DataError):
    """A file could not be fetched, or is not what it should be. The text says what became of what was there."""


class OfflineError(DownloadError):
    """The host cannot be reached from here. Said at once, without trying again."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what.

    Attributes
    ----------
    connect, stall : float, seconds
        For a connection; for the next bytes over one.
    attempts : int
        Failures in a row after which it gives up; those after which much was fetched are not counted.
    wait, longest : float, seconds
        Before the second attempt, doubled from then on; no wait is longer, whatever a server asks.
    """

    connect: float = 10.0
    stall: float = 20.0
    attempts: int = 5
    wait: float = 1.0
    longest: float = 120.0


@dataclass(frozen=True)
class Checksum:
    """A checksum as its publisher, or a program that uses the file, states it.

    Attributes
    ----------
    algorithm : "sha256", "sha512", "sha1" or "md5"
    hex : str
        Lower case. ValueError for a wrong number of digits.
    """

    algorithm: Algorithm
    hex: str

    def __post_init__(self) -> None:
        digits = DIGITS.get(self.algorithm)
        if digits is None or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", self.hex):
            raise ValueError(f"{self.hex!r} is no {self.algorithm}")

    @property
    def kind(self) -> str:
        """The algorithm as people write it: "SHA-256", "MD5"."""
        return self.algorithm.upper().replace("SHA", "SHA-")

    def __str__(self) -> str:
        return f"{self.kind} {self.hex}"


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file that can be fetched.

    Attributes
    ----------
    name : str
        What it is called here.
    url : str
    size : int or None, bytes
        Exactly, as published; None where nobody states it. A file of another size is refused.
    about : int or None, bytes
        A rounded size, for people, where no exact one is known.
    checksums : tuple of Checksum
        All are checked. Empty where nobody publishes one: the first download's SHA-256 is kept and checked from then
        on ("trust on first use").
    unpack : tuple of str
        Patterns of the members that are taken out of the archive after the download; none: it is left as it is.
    """

    name: str
    url: str
    size: int | None = None
    about: int | None = None
    checksums: tuple[Checksum, ...] = ()
    unpack: tuple[str, ...] = ()

    @property
    def expected(self) -> int | None:
        """Bytes to expect, exact or rounded."""
        return self.size if self.size is not None else self.about


@dataclass(frozen=True)
class Column:
    """A property of a data set: what it is, and in which unit ("" for numbers without one)."""

    name: str
    unit: str
    description: str
    target: Literal["structure", "atom"] = "structure"


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A publication to be cited.

    Attributes
    ----------
    key : str
        For BibTeX.
    authors : tuple of str
        "Given Family" of each; "others" last where the list goes on.
    title, journal, volume, pages, doi : str
    year : int
    """

    key: str
    authors: tuple[str, ...]
    title: str
    journal: str
    volume: str
    pages: str
    year: int
    doi: str

    def __str__(self) -> str:
        families = [_family_name(name) for name in self.authors]
        who = ", ".join(families) if len(families) < 5 else f"{families[0]} et al."
        where = " ".join(part for part in (self.journal, self.volume) if part)
        return f"{who}, {where}, {self.pages} ({self.year}), doi:{self.doi}"

    @property
    def bibtex(self) -> str:
        """An entry of a BibTeX file."""
        fields = {
            "author": " and ".join(self.authors),
            "title": "{" + self.title + "}",
            "journal": self.journal,
            "volume": self.volume,
            "pages": self.pages.replace("–", "--"),
            "year": str(self.year),
            "doi": self.doi,
        }
        body = ",\n".join(f"  {name:<7} = {{{value}}}" for name, value in fields.items() if value)
        return f"@article{{{self.key},\n{body}\n}}"


def _family_name(name: str) -> str:
    """The last word, with particles in lower case before it ("von Lilienfeld")."""
    words = name.split()
    first = next((i for i, word in enumerate(words[:-1]) if word.islower()), len(words) - 1)
    return " ".join(words[first:])


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A data set of the catalogue. What is not known for certain is None or "", never a guess.

    Attributes
    ----------
    name : str
        Short, lower case: what the command line takes.
    title, description : str
        For people: a line and a sentence or two.
    family : str
        Under which it is listed: "GDB", "QM", "MD", "ANI", "other" or "built in".
    molecules, conformations : int or None
        Different molecules; geometries in all.
    elements : tuple of str
        Symbols.
    columns : tuple of Column
    level : str
        Level of theory of energies and properties; "" where there are none.
    licence : str
        "" where the publisher's page was not found to state one.
    citations : tuple of Citation
    page : str
        Home page.
    files : tuple of RemoteFile
        Empty where there is no direct download: the page says how to get it.
    opens : tuple of str
        What of it is opened, relative to its folder ("*" in names is allowed, "." is the folder); empty when the
        program reads none of it.
    note : str
        What one has to know before using it.
    local : str
        The path of a set that needs no download ("builtin:NAME", "qm9:").
    """

    name: str
    title: str
    description: str
    family: str
    molecules: int | None
    conformations: int | None
    elements: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    level: str = ""
    licence: str = ""
    citations: tuple[Citation, ...] = ()
    page: str = ""
    files: tuple[RemoteFile, ...] = ()
    opens: tuple[str, ...] = ()
    note: str = ""
    local: str = ""

    @property
    def size(self) -> int | None:
        """Bytes to download in all, as far as they are known exactly; None when a file's size is not."""
        sizes = [file.size for file in self.files]
        return None if not sizes or None in sizes else sum(s for s in sizes if s is not None)

    @property
    def expected(self) -> int | None:
        """Bytes to expect in all, exact or rounded; None when unknown."""
        sizes = [file.expected for file in self.files]
        return None if not sizes or None in sizes else sum(s for s in sizes if s is not None)

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the columns, each once."""
        return tuple(dict.fromkeys(c.unit for c in self.columns if c.unit))

    @property
    def bibtex(self) -> str:
        """All citations."""
        return "\n\n".join(c.bibtex for c in self.citations)


def size_text(size: int | None, exact: bool = True) -> str:
    """A number of bytes as people write it (decimal prefixes, as the publishers do); "size unknown" for None."""
    if size is None:
        return "size unknown"
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000.0
    text = f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
    return text if exact else f"≈ {text}"


def entry_size_text(entry: Entry) -> str:
    """Size of all files of an entry, for people; "" when nothing is to be fetched."""
    if not entry.files:
        return ""
    known = [file.expected for file in entry.files if file.expected is not None]
    if known and len(known) < len(entry.files):
        return f"over {size_text(sum(known))}"
    return size_text(entry.expected, exact=entry.size is not None)
