"""Lists of numbers as people write them in one line of a form, a session file or a command."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

_BETWEEN_ROWS = re.compile(r"[;\n\]\)]+")
_BETWEEN_NUMBERS = re.compile(r"[\s,\[\(]+")


def as_text(value: Any) -> Any:
    """Lists and arrays as text that :func:`rows` reads; None as an empty text, a text as it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    return write(tuple(tuple(float(x) for x in row) for row in array))


def write(entries: tuple[tuple[float, ...], ...]) -> str:
    """The one spelling of a list: "1 0.8; 1 1.5"; of single numbers "0.9 1.2"."""
    between = "; " if entries and len(entries[0]) > 1 else " "
    return between.join(" ".join(number(x) for x in entry) for entry in entries)


def number(value: float) -> str:
    """The shortest text that is this number, without ".0"."""
    text = repr(float(value))
    return text.removesuffix(".0")


def rows(text: str, field: str, names: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
    """Entries of ``len(names)`` numbers each.

    Entries stand between semicolons, new lines or brackets, their numbers between spaces or commas: "1 0.8; 1 1.5" and
    "[[1, 0.8], [1, 1.5]]" are the same. Single numbers need no semicolons. Raises ValueError that names the field and
    the entry.
    """
    width = len(names)
    found: list[tuple[float, ...]] = []
    for part in _BETWEEN_ROWS.split(text):
        words = [word for word in _BETWEEN_NUMBERS.split(part) if word]
        if not words:
            continue
        if width == 1:
            found += [(_read(word, field, len(found) + k + 1, ""),) for k, word in enumerate(words)]
            continue
        place = len(found) + 1
        if len(words) != width:
            raise ValueError(
                f"{field}: entry {place} ({' '.join(words)}) has {len(words)} numbers, it needs {width}: "
                f"{', '.join(names)}"
            )
        found.append(tuple(_read(word, field, place, f", {name}") for word, name in zip(words, names, strict=True)))
    return tuple(found)


def grid(text: str, field: str) -> tuple[float, ...]:
    """Ascending numbers: a list ("0.9 1.2 1.8"), or start:stop:count for evenly spaced ones, the stop left out."""
    if ":" in text:
        parts = [part.strip() for part in text.split(":")]
        if len(parts) != 3:
            raise ValueError(f"{field}: {text.strip()} has {len(parts)} parts, it needs start:stop:count")
        start, stop = _read(parts[0], field, 1, ", start"), _read(parts[1], field, 1, ", stop")
        if not parts[2].isdecimal() or int(parts[2]) < 1:
            raise ValueError(f"{field}: {parts[2]!r} (count) is not a whole number above zero")
        count = int(parts[2])
        values = tuple(start + (stop - start) * k / count for k in range(count))
    else:
        values = tuple(entry[0] for entry in rows(text, field, ("value",)))
    if not values:
        raise ValueError(f"{field}: needs at least one number")
    for k in range(1, len(values)):
        if not values[k] > values[k - 1]:
            raise ValueError(
                f"{field}: entry {k + 1} ({number(values[k])}) is not above entry {k} ({number(values[k - 1])})"
            )
    return values


def distinct(values: tuple[float, ...]) -> list[str]:
    """Short texts of different numbers that stay different."""
    for digits in range(3, 17):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [number(value) for value in values]


def _read(word: str, field: str, place: int, what: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise ValueError(f"{field}: {word!r} (entry {place}{what}) is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{field}: {word!r} (entry {place}{what}) is not a finite number")
    return value
