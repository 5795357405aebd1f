"""Find structures by identifier, formula, SMILES or SMARTS."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.pattern_search import PatternError, read_pattern
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.filter_lookups import NUMBER_OF, lookups_of
from qmlstudio.session.selection_sources import with_counts

Found = NDArray[np.int64]

KINDS = ("auto", "identifier", "formula", "smiles", "smarts")
_PREFIXES = {"id": "identifier", **{kind: kind for kind in KINDS[1:]}}
_HOW = {"identifier": "identifier", "formula": "formula", "smiles": "SMILES", "smarts": "SMARTS"}
_BLOCK = 4096
"""Texts at a time: NumPy turns them into Python's without giving way to anybody."""
_MANY = 1 << 40
_FORMULA = re.compile(r"([A-Z][a-z]?)(\d*)")
_RANGE = re.compile(r"([A-Z][a-z]?)(?:(\d+)\s*[-–]\s*(\d+)|(>=|<=|>|<|=|≥|≤)(\d+)|(\d+)(\+)?|(\+))?")


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    text : str
    """

    kind: str
    text: str

    @classmethod
    def of(cls, text: str, kind: str = "auto") -> Query:
        """From what was typed: "id:", "formula:", "smiles:" or "smarts:" before the text says what it is."""
        head, colon, rest = text.strip().partition(":")
        found = _PREFIXES.get(head.strip().lower()) if colon else None
        return cls(found, rest.strip()) if found else cls(kind, text.strip())


def search(dataset: Dataset, text: str, progress: Progress = SILENT, kind: str = "auto") -> tuple[Found, str]:
    """Structures that fit, and how they were found ("identifier", "formula", "SMILES", "SMARTS").

    - Identifiers: equal ones; with ``*``, ``?`` or ``[…]`` those that fit the pattern; else those that contain the
      text. Case does not matter.
    - Formulas in any order of the elements ("NC4H5"). With ranges ("C4-6 N>=1 O+ F0") the elements that are not named
      may occur in any number.
    - SMILES: the same molecule, however it is written. Stereochemistry and isotopes count if the text has any.
      Sets without SMILES are compared by the bonds of their geometries.
    - SMARTS: molecules that contain it.

    "id:", "formula:", "smiles:" or "smarts:" before the text says which is meant. Else (kind "auto") the first of these
    that finds anything wins: equal identifiers, formula, SMILES, identifiers that contain the text.

    Parameters
    ----------
    progress : Progress
        Its partial results are the structures (int64, ascending) found so far.

    Raises
    ------
    ValueError
        A formula, SMILES or SMARTS that was asked for cannot be read, or the set has no SMILES to search in.
    Cancelled
    """
    query = Query.of(text, kind)
    if not query.text or not len(dataset):
        return np.zeros(0, np.int64), ""
    if query.kind != "auto":
        return _SEARCHES[query.kind](dataset, query.text, progress), _HOW[query.kind]
    found = _equal_identifiers(dataset, query.text, progress.part(0.0, 0.3))
    if len(found):
        return found, "identifier"
    for asked in ("formula", "smiles"):
        try:
            found = _SEARCHES[asked](dataset, query.text, progress.part(0.3, 0.6))
        except ValueError:
            continue
        if len(found):
            return found, _HOW[asked]
    return _identifiers(dataset, query.text, progress.part(0.6, 1.0)), "identifier"


def _gather(found: list[Found], progress: Progress) -> Found:
    """All that was found so far; also handed out if somebody looks at it."""
    rows = np.concatenate([np.zeros(0, np.int64), *found])
    if progress.wants_partial:
        progress.partial(rows)
    return rows


def _matching(dataset: Dataset, fits: Callable[[str], Any], progress: Progress) -> Found:
    found: list[Found] = []
    for start, stop in slices(len(dataset), progress, "looking through identifiers", first=_BLOCK):
        new = []
        for a in range(start, stop, _BLOCK):
            texts = dataset.identifiers[a : min(a + _BLOCK, stop)].tolist()
            new += [i for i, text in enumerate(texts, a) if fits(text.lower())]
        if new:
            found.append(np.array(new, np.int64))
            _gather(found, progress)
    return np.concatenate([np.zeros(0, np.int64), *found])


def _equal_identifiers(dataset: Dataset, text: str, progress: Progress) -> Found:
    lower = text.lower()
    return _matching(dataset, lambda name: name == lower, progress)


def _identifiers(dataset: Dataset, text: str, progress: Progress) -> Found:
    lower = text.lower()
    if any(c in text for c in "*?["):
        fits = re.compile(translate(lower)).match
        found = _matching(dataset, fits, progress.part(0.0, 0.5))
        if len(found):
            return found
        progress = progress.part(0.5, 1.0)
    else:
        found = _equal_identifiers(dataset, text, progress.part(0.0, 0.5))
        if len(found):
            return found
        progress = progress.part(0.5, 1.0)
    return _matching(dataset, lambda name: lower in name, progress)


# -- formulas


def read_formula(text: str) -> tuple[dict[int, tuple[int, int]], bool]:
    """Least and largest number of atoms of each element that is named, and whether others are excluded.

    Raises
    ------
    ValueError
        It cannot be read; names the place.
    """
    clean = text.strip()
    if not re.search(r"[-–<>=≥≤+*]", clean):
        counts: dict[int, tuple[int, int]] = {}
        at = 0
        packed = re.sub(r"\s+", "", clean.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")))
        while at < len(packed):
            match = _FORMULA.match(packed, at)
            number = NUMBER_OF(match[1]) if match else None
            if match is None or number is None:
                raise ValueError(f"{packed[at : at + 6]!r} is no element with a number")
            more = counts.get(number, (0, 0))[0] + int(match[2] or 1)
            counts[number] = (more, more)
            at = match.end()
        if not counts:
            raise ValueError("no formula yet")
        return counts, True
    bounds: dict[int, tuple[int, int]] = {}
    for word in re.sub(r"\s*(>=|<=|[-–<>=≥≤])\s*", r"\1", clean).replace(",", " ").split():
        if word == "*":
            continue
        at = 0
        while at < len(word):
            match = _RANGE.match(word, at)
            number = NUMBER_OF(match[1]) if match else None
            if match is None or number is None:
                raise ValueError(f"{word[at:]!r} is no element with a range: write C4-6, N>=1, O+, F0")
            low, high = bounds.get(number, (0, _MANY))
            more, most = _bounds(match)
            bounds[number] = (max(low, more), min(high, most))
            at = match.end()
    return bounds, False


def _bounds(match: re.Match[str]) -> tuple[int, int]:
    _, low, high, sign, limit, exact, plus, any_number = match.groups()
    if low is not None:
        return int(low), int(high)
    if sign is not None:
        n = int(limit)
        return {
            ">=": (n, _MANY),
            "≥": (n, _MANY),
            ">": (n + 1, _MANY),
            "<=": (0, n),
            "≤": (0, n),
            "<": (0, n - 1),
            "=": (n, n),
        }[sign]
    if exact is not None:
        return int(exact), _MANY if plus else int(exact)
    return 1, _MANY if any_number else 1


def _formulas(dataset: Dataset, text: str, progress: Progress) -> Found:
    bounds, whole = read_formula(text)
    elements, _ = dataset.structures.element_counts()
    there = set(elements.tolist())
    if any(low > 0 for z, (low, _) in bounds.items() if z not in there):
        return np.zeros(0, np.int64)
    other = (0, 0) if whole else (0, _MANY)
    low, high = np.array([bounds.get(int(z), other) for z in elements], np.int64).reshape(-1, 2).T
    return np.flatnonzero(with_counts(dataset, low, high, progress))


# -- molecules


def _smiles(dataset: Dataset, text: str, progress: Progress) -> Found:
    from rdkit import Chem, rdBase

    if not text.isascii() or len(text) > 2000:
        raise ValueError(f"{text[:40]!r} is no SMILES")
    with rdBase.BlockLogs():
        wanted: Any = Chem.MolFromSmiles(text)
    if wanted is None or wanted.GetNumAtoms() == 0:
        raise ValueError(f"{text[:40]!r} is no SMILES")
    exact = bool(re.search(r"[@/\\]|\[\d", text))
    canonical = Chem.MolToSmiles(Chem.RemoveHs(wanted), isomericSmiles=exact)
    candidates = _same_skeleton(dataset, wanted, progress.part(0.0, 0.3))
    known = dataset.smiles
    found: list[Found] = []
    for start, stop in slices(len(candidates), progress.part(0.3, 1.0), "comparing molecules", first=16):
        new = []
        with rdBase.BlockLogs():
            for i in candidates[start:stop].tolist():
                smiles = _smiles_of(dataset, known, i)
                molecule: Any = Chem.MolFromSmiles(smiles) if smiles else None
                if molecule is not None and Chem.MolToSmiles(molecule, isomericSmiles=exact) == canonical:
                    new.append(i)
        if new:
            found.append(np.array(new, np.int64))
            _gather(found, progress)
    return np.concatenate([np.zeros(0, np.int64), *found])


def _smiles_of(dataset: Dataset, known: NDArray[np.str_] | None, index: int) -> str:
    if known is not None:
        return str(known[index])
    from qmlstudio.chem.writers.molecules import perceived_smiles

    return perceived_smiles(dataset.structures[index])


def _same_skeleton(dataset: Dataset, wanted: Any, progress: Progress) -> Found:
    """Structures with as many atoms of each element as a molecule, hydrogen aside: charges move those."""
    numbers = np.array([a.GetAtomicNum() for a in wanted.GetAtoms()])
    heavy = dict(zip(*(v.tolist() for v in np.unique(numbers[numbers > 1], return_counts=True)), strict=True))
    elements, _ = dataset.structures.element_counts()
    if not set(heavy) <= set(elements.tolist()):
        return np.zeros(0, np.int64)
    low = np.array([0 if z == 1 else heavy.get(int(z), 0) for z in elements], np.int64)
    high = np.array([_MANY if z == 1 else heavy.get(int(z), 0) for z in elements], np.int64)
    return np.flatnonzero(with_counts(dataset, low, high, progress))


def _smarts(dataset: Dataset, text: str, progress: Progress) -> Found:
    if dataset.smiles is None:
        raise ValueError("this data set has no SMILES to search in")
    try:
        pattern = read_pattern(text, False)
    except PatternError as error:
        raise ValueError(f"{text[:40]!r} is no SMARTS: {error}") from error
    lookups = lookups_of(dataset)
    found: list[Found] = []

    def watch(read: list[tuple[int, Any]]) -> None:
        """The molecules are searched while they are read for the first time."""
        new = [i for i, molecule in read if molecule.HasSubstructMatch(pattern)]
        if new:
            found.append(np.array(new, np.int64))
            _gather(found, progress)

    if not lookups.has_substructures:
        lookups.substructures(progress, watch)
        return np.concatenate([np.zeros(0, np.int64), *found])
    return np.flatnonzero(lookups.substructures().containing(pattern, progress))


_SEARCHES: dict[str, Callable[[Dataset, str, Progress], Found]] = {
    "identifier": _identifiers,
    "formula": _formulas,
    "smiles": _smiles,
    "smarts": _smarts,
}


def examples(dataset: Dataset) -> str:
    """What can be typed for this set, for people who look at an empty list."""
    rows = [f"{dataset.identifiers[0]}"] if len(dataset) else []
    if len(dataset):
        rows.append(dataset.structures[0].formula)
    symbol = SYMBOLS[dataset.structures.species.numbers[-1]] if len(dataset.structures.numbers) else "N"
    rows.append(f"formula: C4-6 {symbol}>=1")
    if dataset.smiles is not None:
        rows += ["c1cc[nH]c1", "smarts: [OX2H]"]
    return "\n".join(rows)
