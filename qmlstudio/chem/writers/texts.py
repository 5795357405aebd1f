"""How numbers and headings are written, the same in all formats of text."""

from __future__ import annotations

import math

from qmlstudio.chem.dataset import Property


def number_text(number: float) -> str:
    """A number with all the digits that it has: reading it gives the same one. Whole ones have no point."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 and number != 0 else repr(number)


def cell_text(p: Property, index: int) -> str:
    """A value of a property with one number or text for each structure; empty where it is missing."""
    value = p.values[index]
    if p.is_text:
        return str(value)
    return "" if math.isnan(value) else number_text(float(value))


def heading(name: str, p: Property) -> str:
    """Name and unit as the readers of tables understand them: "gap [Ha]"."""
    return f"{name} [{p.unit}]" if p.unit else name
