"""What may be written next in an expression."""

from __future__ import annotations

from dataclasses import dataclass

from qmlstudio.session._expression_nodes import FUNCTIONS
from qmlstudio.session._expression_parser import ExpressionError, Token, tokens
from qmlstudio.session.columns import Columns
from qmlstudio.session.expression import quoted

MOST = 200
"""Candidates at a time."""
COUNTED_ROWS = 50_000
"""Rows of a text column up to which its values are offered: looking for the distinct ones costs time."""


@dataclass(frozen=True)
class Candidate:
    """A continuation: `text` replaces the characters `start` … `end`; `detail` says what it is."""

    text: str
    start: int
    end: int
    detail: str = ""


def complete(text: str, cursor: int, columns: Columns) -> tuple[Candidate, ...]:
    """Candidates for the place of the cursor, those that begin as what is written there first.

    After an operand these are operators; after a text column's ``==`` its values; else columns and functions.
    """
    before, start, word = _split(text[:cursor])
    if before is None:
        return ()
    end = cursor
    while word and end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    last = before[-1] if before else None
    if word[:1] in ('"', "'"):
        return _filtered(_texts(before, columns), word[1:], start, cursor)
    if last is not None and _is_operand(last):
        return _filtered(_operators(last, columns), word, start, end) if start > last.end or word else ()
    found: list[tuple[str, str]] = []
    if last is not None and last.kind == "word" and last.text == "is":
        found = [("missing", "no value"), ("not missing", "has a value")]
    else:
        found += _texts(before, columns)
        found += [(quoted(k), _detail(columns, k)) for k in columns.names()]
        found += [(f"{k}(", what) for k, (_, _, _, _, what) in FUNCTIONS.items()]
        if last is None or last.text in ("and", "or", "("):
            found.append(("not ", "the opposite"))
    return _filtered(found, word, start, end)


def _split(text: str) -> tuple[list[Token] | None, int, str]:
    """Tokens before the word at the end of `text`, where that begins, and the word (with its quote, if it has one)."""
    try:
        found = tokens(text)[:-1]
    except ExpressionError as error:
        if error.end != len(text) or error.start >= len(text) or text[error.start] not in "\"'`":
            return None, 0, ""
        # within quotes that are still open
        return tokens(text[: error.start])[:-1], error.start, text[error.start :]
    if found and found[-1].end == len(text) and found[-1].kind in ("name", "word"):
        last = found.pop()
        return found, last.start, last.text
    return found, len(text), ""


def _is_operand(token: Token) -> bool:
    return token.kind in ("number", "text", "name", "quoted") or token.text in (")", "]", "missing")


def _operators(last: Token, columns: Columns) -> list[tuple[str, str]]:
    name = last.text if last.kind in ("name", "quoted") else ""
    joins = [("and ", "both"), ("or ", "at least one")]
    if last.text in ("]", "missing"):
        return joins
    if name in columns.texts():
        return [("== ", "equal"), ("!= ", "not equal"), ("in [", "one of"), ("is missing", "no text"), *joins]
    compare = [
        ("< ", "less"),
        ("<= ", "at most"),
        ("> ", "more"),
        (">= ", "at least"),
        ("== ", "equal"),
        ("!= ", "not"),
    ]
    more = [("in [", "one of"), ("is missing", "no value")] if name else []
    return [*joins, *compare, *more] if not name else [*compare, *more, *joins]


def _texts(before: list[Token], columns: Columns) -> list[tuple[str, str]]:
    """Values of the text column with which is compared."""
    place = len(before) - 1
    while place >= 0 and (before[place].text in ("[", ",", "in", "==", "!=") or before[place].kind == "text"):
        place -= 1
    compares = 0 <= place < len(before) - 1 and before[place + 1].text in ("==", "!=", "in")
    if not compares or before[-1].kind == "text" or len(columns.dataset) > COUNTED_ROWS:
        return []
    name = before[place].text
    if before[place].kind not in ("name", "quoted") or name not in columns.texts():
        return []
    return [(f'"{c}"', "") for c in columns[name].categories[: 10 * MOST] if '"' not in c]


def _detail(columns: Columns, name: str) -> str:
    if name not in columns.names(composition=False):
        return ""
    p = columns[name]
    return p.unit or ("text" if p.is_text else p.description)


def _filtered(found: list[tuple[str, str]], word: str, start: int, end: int) -> tuple[Candidate, ...]:
    wanted = word.lstrip("`").lower()
    plain = [(t.strip("`\"'").lower(), t, d) for t, d in found]
    first = [(t, d) for p, t, d in plain if p.startswith(wanted)]
    later = [(t, d) for p, t, d in plain if wanted and wanted in p and not p.startswith(wanted)]
    return tuple(Candidate(t, start, end, d) for t, d in (first + later)[:MOST] if t != word)
