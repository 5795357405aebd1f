"""``qmlstudio data list|info|get|verify|where|cache``: the catalogue of data sets without a window."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmlstudio.progress import Progress

if TYPE_CHECKING:
    from qmlstudio.chem.catalogue.model import Entry

WORDS = {
    "built in": "built in",
    "here": "here",
    "part": "here in part",
    "absent": "not here",
    "elsewhere": "elsewhere",
}
"""What people are told of a state."""
UNKNOWN_LICENCE = "not known here: see the home page"


def add_commands(parser: argparse.ArgumentParser, progress_of: Callable[[argparse.Namespace], Progress]) -> None:
    """Give the command ``data`` its own commands; `progress_of` makes the progress that their options ask for."""
    parser.set_defaults(progress_of=progress_of)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="what there is, and what of it is here", description="All data sets.")
    listing.add_argument("words", nargs="*", metavar="WORD", help="only sets that have these words about them")
    how = listing.add_mutually_exclusive_group()
    how.add_argument("--long", action="store_true", help="descriptions, levels of theory and licences, too")
    how.add_argument("--json", action="store_true", help="everything, for programs")
    listing.set_defaults(run=_list)
    info = commands.add_parser("info", help="all that is known of a data set", description="All that is known of it.")
    info.add_argument("name", metavar="NAME")
    info.add_argument("--bibtex", action="store_true", help="only the citations, for BibTeX")
    info.set_defaults(run=_info)
    get = commands.add_parser(
        "get",
        help="fetch a data set",
        description="Fetches what is missing of a data set and checks it. What was cut off goes on where it ended. "
        "Exit codes: 0 it is here, 1 it is not (the reason is told), 2 nobody is there to be asked, 130 interrupted.",
    )
    get.add_argument("name", metavar="NAME")
    get.add_argument("--to", metavar="FOLDER", help="into a folder of its name in FOLDER (default: see “data where”)")
    get.add_argument("--yes", action="store_true", help="do not ask")
    get.add_argument("--no-progress", action="store_true", help="no progress bar")
    get.set_defaults(run=_get)
    check = commands.add_parser(
        "verify", help="read fetched files again and compare their checksums", description="Compares checksums again."
    )
    check.add_argument("name", nargs="?", metavar="NAME", help="default: all that are here")
    check.add_argument("--to", metavar="FOLDER", help="where it was fetched to, if that was said")
    check.add_argument("--no-progress", action="store_true", help="no progress bar")
    check.set_defaults(run=_verify)
    where = commands.add_parser(
        "where", help="the folder of the data sets", description="The folder of the data sets, or of one of them."
    )
    where.add_argument("name", nargs="?", metavar="NAME")
    where.set_defaults(run=_where)
    cache = commands.add_parser(
        "cache",
        help="data sets that are kept because they took long to read",
        description="Shows where they are and how much they take. Removing them harms no file of yours.",
    )
    cache.add_argument("--clear", action="store_true", help="remove all of them")
    cache.add_argument("--budget", type=float, metavar="GIB", help="what they may take; those used last stay")
    cache.set_defaults(run=_cache)


def _list(options: argparse.Namespace) -> int:
    from qmlstudio.chem.catalogue.entries import FAMILIES, search
    from qmlstudio.chem.catalogue.model import entry_size_text
    from qmlstudio.chem.catalogue.storage import state

    found = search(" ".join(options.words))
    if options.json:
        print(json.dumps([_everything(e) for e in found], indent=1, ensure_ascii=False))
        return 0
    if not found:
        print("nothing fits", file=sys.stderr)
        return 1
    width = max(len(e.name) for e in found)
    for family in FAMILIES:
        entries = [e for e in found if e.family == family]
        if entries:
            print(f"{family}")
        for e in entries:
            size = entry_size_text(e) or ("–" if e.local else "no download")
            counts = _number(e.conformations if e.conformations is not None else e.molecules)
            print(f"  {e.name:<{width}}  {counts:>11}  {size:>12}  {WORDS[state(e)]:<12}  {e.title}")
            if options.long:
                print(f"  {'':<{width}}  {e.description}")
                level, licence = e.level or "–", e.licence or "not known here"
                print(f"  {'':<{width}}  {' '.join(e.elements)} · {level} · licence: {licence}\n")
    return 0


def _everything(entry: Entry) -> dict[str, Any]:
    from qmlstudio.chem.catalogue.storage import folder_of, state

    return {**asdict(entry), "state": state(entry), "folder": str(folder_of(entry)) if entry.files else ""}


def _info(options: argparse.Namespace) -> int:
    from qmlstudio.chem.catalogue.entries import entry
    from qmlstudio.chem.catalogue.model import entry_size_text, size_text
    from qmlstudio.chem.catalogue.records import read_record
    from qmlstudio.chem.catalogue.storage import folder_of, state

    e = entry(options.name)
    if options.bibtex:
        print(e.bibtex)
        return 0
    print(f"{e.title}\n{e.description}\n")
    rows = [
        ("molecules", _number(e.molecules)),
        ("conformations", _number(e.conformations)),
        ("elements", " ".join(e.elements)),
        ("level", e.level),
        ("licence", e.licence or UNKNOWN_LICENCE),
        ("home page", e.page),
        ("size", entry_size_text(e)),
        ("state", WORDS[state(e)]),
        ("path", e.local or (f"catalogue:{e.name}" if e.opens else "")),
        ("note", e.note),
    ]
    rows += [("cite", str(c)) for c in e.citations]
    for label, text in rows:
        if text:
            print(f"{label:<14} {text}")
    if e.columns:
        print("properties")
    for column in e.columns:
        target = " (of each atom)" if column.target == "atom" else ""
        print(f"  {column.name:<22} {column.unit or '–':<12} {column.description}{target}")
    if e.files:
        print(f"files in {folder_of(e)}")
    for file in e.files:
        record = read_record(folder_of(e) / file.name)
        print(f"  {file.name}  {size_text(file.expected, file.size is not None)}\n    {file.url}")
        for checksum in file.checksums:
            print(f"    {checksum} (published)")
        if not file.checksums:
            print("    no checksum is published: that of the first download is kept and checked from then on")
        if record is not None:
            print(f"    SHA-256 {record.sha256} ({'at its download' if record.verified else 'at its first download'})")
    return 0


def _get(options: argparse.Namespace) -> int:
    from qmlstudio.chem.catalogue.entries import entry
    from qmlstudio.chem.catalogue.model import entry_size_text
    from qmlstudio.chem.catalogue.storage import folder_of, get, state

    e = entry(options.name)
    root = Path(options.to).expanduser() if options.to else None
    if e.local:
        print(f"qmlstudio: {e.title} needs no download: open {e.local}. {e.note}".rstrip(), file=sys.stderr)
        return 0 if state(e) != "elsewhere" else 1
    if state(e, root) != "here" and e.files:
        print(f"{e.title}: {entry_size_text(e)} into {folder_of(e, root)}", file=sys.stderr)
        print(f"licence: {e.licence or UNKNOWN_LICENCE}", file=sys.stderr)
        for citation in e.citations:
            print(f"cite: {citation}", file=sys.stderr)
        if e.note:
            print(e.note, file=sys.stderr)
        if not options.yes:
            if not sys.stdin.isatty():
                print("qmlstudio: nothing is fetched without being asked for: say --yes", file=sys.stderr)
                return 2
            print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                print("nothing was fetched", file=sys.stderr)
                return 1
    for path in get(e, root, options.progress_of(options)):
        print(path)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from qmlstudio.chem.catalogue.entries import ENTRIES, entry
    from qmlstudio.chem.catalogue.storage import check, state
    from qmlstudio.chem.errors import DataError

    root = Path(options.to).expanduser() if options.to else None
    there = [e for e in ENTRIES if e.files and state(e, root) == "here"]
    entries = [entry(options.name)] if options.name else there
    code = 0
    for e in entries:
        try:
            for line in check(e, root, options.progress_of(options)):
                print(f"{e.name}: {line}")
        except DataError as error:
            print(f"qmlstudio: {error}", file=sys.stderr)
            code = 1
    if not entries:
        print("no data set was fetched", file=sys.stderr)
    return code


def _where(options: argparse.Namespace) -> int:
    from qmlstudio.chem.catalogue.entries import entry
    from qmlstudio.chem.catalogue.storage import folder, folder_of

    print(folder_of(entry(options.name)) if options.name else folder())
    return 0


def _cache(options: argparse.Namespace) -> int:
    from qmlstudio.session.scripting import KEEPER

    if KEEPER.folder is None:
        print("no data sets are kept: QMLSTUDIO_STORE is off")
        return 0
    if options.budget is not None:
        KEEPER.budget = int(max(options.budget, 0.0) * 2**30)
    if options.clear:
        print(f"{KEEPER.clear() / 2**20:,.0f} MiB freed")
    print(f"{KEEPER.folder}: {KEEPER.size / 2**20:,.0f} MiB of {KEEPER.budget / 2**30:,.1f} GiB")
    if KEEPER.trouble:
        print(f"qmlstudio: {KEEPER.trouble}", file=sys.stderr)
    return 1 if KEEPER.trouble else 0


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
