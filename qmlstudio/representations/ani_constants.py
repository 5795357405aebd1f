"""The constants of ANI's environment vectors: those of the published networks, and how their files are read."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qmlstudio.chem.elements import SYMBOLS


@dataclass(frozen=True)
class Constants:
    """The numbers that define an environment vector, named as in the files of the networks.

    Attributes
    ----------
    Rcr, Rca : float, Å
        Cutoffs of radial and angular functions.
    EtaR, EtaA : float, Å⁻²
    Zeta : float
    ShfR, ShfA : tuple of float, Å
    ShfZ : tuple of float, rad
    elements : tuple of str
        In the order of a network's input.
    """

    Rcr: float
    Rca: float
    EtaR: float
    ShfR: tuple[float, ...]
    EtaA: float
    Zeta: float
    ShfA: tuple[float, ...]
    ShfZ: tuple[float, ...]
    elements: tuple[str, ...]


def _even(start: float, step: float, count: int) -> tuple[float, ...]:
    return tuple(start + step * k for k in range(count))


PRESETS: dict[str, Constants] = {
    "ani1x": Constants(
        5.2,
        3.5,
        16.0,
        _even(0.9, 4.3 / 16, 16),
        8.0,
        32.0,
        _even(0.9, 2.6 / 4, 4),
        _even(math.pi / 16, math.pi / 8, 8),
        ("H", "C", "N", "O"),
    ),
    "ani2x": Constants(
        5.1,
        3.5,
        19.7,
        _even(0.8, 4.3 / 16, 16),
        12.5,
        14.1,
        _even(0.8, 2.7 / 8, 8),
        _even(math.pi / 8, math.pi / 4, 4),
        ("H", "C", "N", "O", "S", "F", "Cl"),
    ),
    "ani1": Constants(
        4.6,
        3.1,
        16.0,
        _even(0.5, 5.2 / 33, 32),
        8.0,
        8.0,
        _even(0.5, 2.9 / 9, 8),
        _even(0.0, math.pi / 4, 8),
        ("H", "C", "O", "N"),
    ),
}
"""Of the published networks; ANI-1's as in its network's file, which has oxygen before nitrogen."""

GRIDS = ("ShfR", "ShfA", "ShfZ")


def read_symbols(text: str, field: str) -> tuple[str, ...]:
    """Element symbols between spaces or commas; ValueError names the field and the entry."""
    found: list[str] = []
    for place, word in enumerate(text.replace(",", " ").split(), 1):
        if word not in SYMBOLS[1:]:
            raise ValueError(f"{field}: {word!r} (entry {place}) is no element's symbol")
        if word in found:
            raise ValueError(f"{field}: {word} (entry {place}) is there twice")
        found.append(word)
    return tuple(found)


def read_params(path: str | Path) -> Constants:
    """A network's ``.params`` file: lines "name = number" or "name = [number,…]", elements as ``Atyp = [H,C,N,O]``.

    Raises ValueError, naming file and line, and OSError where it cannot be read.
    """
    path = Path(path)
    found: dict[str, Any] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: is not a text file") from None
    for place, line in enumerate(lines, 1):
        where = f"{path.name}, line {place}"
        if not line.strip():
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise ValueError(f"{where}: {line.strip()[:40]!r} is not of the form name = value")
        if key in found:
            raise ValueError(f"{where}: {key} is there twice")
        if key == "Atyp":
            found[key] = _atom_types(where, value)
        elif key in ("Rcr", "Rca", "EtaR", "ShfR", "Zeta", "ShfZ", "EtaA", "ShfA"):
            found[key] = _numbers(where, key, value)
            if key not in GRIDS and len(found[key]) != 1:
                raise ValueError(f"{where}: {key} has {len(found[key])} values, one is needed")
            if key in GRIDS and any(b <= a for a, b in zip(found[key], found[key][1:], strict=False)):
                raise ValueError(f"{where}: the values of {key} do not ascend")
        elif key != "TM":
            raise ValueError(f"{where}: {key!r} is none of the constants of an environment vector")
    wanted = ("Rcr", "Rca", "EtaR", "ShfR", "EtaA", "Zeta", "ShfA", "ShfZ", "Atyp")
    if missing := [key for key in wanted if key not in found]:
        raise ValueError(f"{path.name}: has no {', '.join(missing)}")
    return Constants(
        *(found[key][0] if len(found[key]) == 1 and key not in (*GRIDS, "Atyp") else found[key] for key in wanted)
    )


def _atom_types(where: str, value: str) -> tuple[str, ...]:
    try:
        return read_symbols(value.strip("[]"), "Atyp")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _numbers(where: str, key: str, value: str) -> tuple[float, ...]:
    try:
        parsed = ast.literal_eval(value)
        numbers = tuple(float(x) for x in (parsed if isinstance(parsed, list | tuple) else [parsed]))
    except (ValueError, SyntaxError, TypeError):
        raise ValueError(f"{where}: {value[:40]!r} is not a number or a list of numbers ({key})") from None
    if not numbers or not all(math.isfinite(x) for x in numbers):
        raise ValueError(f"{where}: {key} needs finite numbers")
    return numbers
