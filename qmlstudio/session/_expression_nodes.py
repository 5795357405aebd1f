"""The tree of a parsed expression, and its values over arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "text", "condition"]
Values = Any
"""float64, str or bool: an array with a row for each structure, or one value for all."""
Environment = Mapping[str, NDArray[Any]]

MANY_OPTIONS = 12
"""Length of a list from which sorting it pays."""


@dataclass(frozen=True, kw_only=True)
class Node(ABC):
    """A part of an expression.

    Attributes
    ----------
    start, end : int
        Its characters in the text.
    kind : "number", "text" or "condition"
    """

    start: int
    end: int
    kind: Kind

    @property
    def parts(self) -> tuple[Node, ...]:
        """What it is made of."""
        return ()

    @abstractmethod
    def values(self, environment: Environment) -> Values:
        """Its values for the columns of `environment`."""


@dataclass(frozen=True, kw_only=True)
class Constant(Node):
    """A number or a text."""

    value: float | str

    def values(self, environment: Environment) -> Values:
        return self.value if isinstance(self.value, str) else np.float64(self.value)


@dataclass(frozen=True, kw_only=True)
class Column(Node):
    """A column of the data set."""

    name: str

    def values(self, environment: Environment) -> Values:
        return environment[self.name]


@dataclass(frozen=True, kw_only=True)
class Call(Node):
    """An operator or a function applied to numbers."""

    function: Callable[..., Values]
    arguments: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.arguments

    def values(self, environment: Environment) -> Values:
        return self.function(*(a.values(environment) for a in self.arguments))


@dataclass(frozen=True, kw_only=True)
class Comparison(Node):
    """``a < b <= c``: every neighbouring pair must hold. Nothing holds for a missing value."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.operands

    def values(self, environment: Environment) -> Values:
        found = [o.values(environment) for o in self.operands]
        pairs = zip(found, self.operators, found[1:], self.operands, self.operands[1:], strict=False)
        return reduce(np.logical_and, (self._pair(*pair) for pair in pairs))

    @staticmethod
    def _pair(a: Values, operator: str, b: Values, left: Node, right: Node) -> Values:
        result = COMPARISONS[operator](a, b)
        if operator != "!=":
            return result
        # NumPy finds NaN different from everything; a missing text differs from nothing unless "" is asked for
        if left.kind == "number":
            return result & ~np.isnan(a) & ~np.isnan(b)
        asked = any(isinstance(n, Constant) and n.value == "" for n in (left, right))
        return result if asked else result & (np.asarray(a) != "") & (np.asarray(b) != "")


@dataclass(frozen=True, kw_only=True)
class Logic(Node):
    """Conditions joined by "and" or "or"."""

    operator: Literal["and", "or"]
    conditions: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.conditions

    def values(self, environment: Environment) -> Values:
        join = np.logical_and if self.operator == "and" else np.logical_or
        return reduce(join, (c.values(environment) for c in self.conditions))


@dataclass(frozen=True, kw_only=True)
class Not(Node):
    """The opposite of a condition."""

    condition: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.condition,)

    def values(self, environment: Environment) -> Values:
        return np.logical_not(self.condition.values(environment))


@dataclass(frozen=True, kw_only=True)
class Member(Node):
    """``x in [a, b]``: equal to one of some constants."""

    item: Node
    options: tuple[float | str, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.item,)

    def values(self, environment: Environment) -> Values:
        found = self.item.values(environment)
        if len(self.options) > MANY_OPTIONS:
            return np.isin(found, np.array(self.options))
        return reduce(np.logical_or, (np.equal(found, o) for o in self.options), np.zeros(np.shape(found), bool))


@dataclass(frozen=True, kw_only=True)
class Contains(Node):
    """``"N" in smiles``: a text somewhere within another."""

    part: Node
    whole: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.part, self.whole)

    def values(self, environment: Environment) -> Values:
        return np.char.find(self.whole.values(environment), self.part.values(environment)) >= 0


@dataclass(frozen=True, kw_only=True)
class Missing(Node):
    """``x is missing``: a number that is NaN, a text that is empty."""

    item: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.item,)

    def values(self, environment: Environment) -> Values:
        found = self.item.values(environment)
        return np.isnan(found) if self.item.kind == "number" else np.asarray(found) == ""


def walk(node: Node) -> Iterator[Node]:
    """A node and all its parts."""
    yield node
    for part in node.parts:
        yield from walk(part)


COMPARISONS: dict[str, Callable[[Values, Values], Values]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
ARITHMETIC: dict[str, Callable[[Values, Values], Values]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.power,
}


def _smallest(*values: Values) -> Values:
    return reduce(np.minimum, values)


def _largest(*values: Values) -> Values:
    return reduce(np.maximum, values)


FUNCTIONS: dict[str, tuple[Callable[..., Values], int, int, Kind, str]] = {
    "abs": (np.abs, 1, 1, "number", "size without sign"),
    "sqrt": (np.sqrt, 1, 1, "number", "square root"),
    "log": (np.log, 1, 1, "number", "natural logarithm"),
    "log10": (np.log10, 1, 1, "number", "decimal logarithm"),
    "exp": (np.exp, 1, 1, "number", "exponential"),
    "min": (_smallest, 2, 16, "number", "the smaller of two or more"),
    "max": (_largest, 2, 16, "number", "the larger of two or more"),
    "round": (np.rint, 1, 1, "number", "to the nearest whole number"),
    "isnan": (np.isnan, 1, 1, "condition", "whether it is missing"),
}
"""Function, least and largest number of arguments, kind of the result, what it is."""
