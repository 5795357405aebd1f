"""Free conditions over the columns: ``gap < 0.2 and n_heavy == 7``. An own, small language; nothing is executed.

Numbers, texts in quotes, column names (in back quotes where they hold spaces or signs; with the unit as on an axis if
wished: ```gap / Ha```), ``+ - * / % **``, comparisons (also chained: ``0.1 < gap <= 0.2``), ``and or not``,
``in [6, 7]``, ``"N" in smiles``, ``is missing``, and a few functions. Nothing compares with a missing value: every
comparison with one is false. Texts are equal to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress
from qmlstudio.session._expression_nodes import Column, Kind, Node, walk
from qmlstudio.session._expression_parser import ExpressionError, Parser
from qmlstudio.session.columns import Columns

__all__ = ["Expression", "ExpressionError", "evaluate", "parse", "pointed", "quoted"]

CHUNK = 32_768
"""Rows at a time: what is in between stays in the processor's cache."""


@dataclass(frozen=True)
class Expression:
    """A condition that fits the columns of a data set.

    Attributes
    ----------
    text : str
    node : Node
    """

    text: str
    node: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it asks for, each once."""
        return tuple(dict.fromkeys(n.name for n in walk(self.node) if isinstance(n, Column)))

    def mask(self, columns: Columns, progress: Progress = SILENT) -> NDArray[np.bool_]:
        """(n,) bool: for which structures it is true."""
        arrays = {name: columns[name].values for name in self.names}
        n = len(columns.dataset)
        result = np.empty(n, dtype=bool)
        with np.errstate(all="ignore"):
            for start in range(0, n, CHUNK):
                stop = min(start + CHUNK, n)
                progress(start / n)
                # one value for all spreads over the rows
                result[start:stop] = self.node.values({k: a[start:stop] for k, a in arrays.items()})
        return result


def parse(text: str, columns: Columns) -> Expression:
    """Read an expression; :class:`ExpressionError` says what is wrong and where."""
    texts = set(columns.texts())
    kinds: dict[str, Kind] = {k: "text" if k in texts else "number" for k in columns.names()}
    labels = {columns[k].label(k): k for k in columns.names(composition=False)}
    return Expression(text, Parser(text, kinds, {k: v for k, v in labels.items() if k not in kinds}).parse())


def evaluate(text: str, columns: Columns, progress: Progress = SILENT) -> NDArray[np.bool_]:
    """(n,) bool: the structures for which a text is true; :class:`ExpressionError` when it cannot be read."""
    return parse(text, columns).mask(columns, progress)


def quoted(name: str) -> str:
    """A column's name as it is written in an expression."""
    from qmlstudio.session._expression_parser import KEYWORDS

    return name if name.isidentifier() and name not in KEYWORDS else f"`{name}`"


def pointed(text: str, error: ExpressionError, width: int = 40) -> str:
    """Two lines for letters of one width: the text about an error, and carets under what is to blame.

    Parameters
    ----------
    text : str
        The expression.
    error : ExpressionError
    width : int
        Letters that fit a line; what does not is cut at both ends ("…").
    """
    flat = text.replace("\n", " ").replace("\t", " ")
    start = min(error.start, len(flat))
    length = max(1, min(error.end, len(flat)) - start)
    first = 0
    if len(flat) > width:
        first = max(0, min(start - width // 3, len(flat) - width))
    shown = flat[first : first + width]
    if first:
        shown = "…" + shown[1:]
    if first + width < len(flat):
        shown = shown[:-1] + "…"
    place = start - first
    return f"{shown}\n{' ' * place}{'^' * max(1, min(length, width - place))}"
