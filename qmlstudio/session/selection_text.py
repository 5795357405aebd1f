"""Selections in writing: where one comes from, step by step, and sums of named ones ("a & b | ~c")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qmlstudio.session.selection import Mask

SIGNS = ("+", "−", "∩")
_WORDS = {"and": "&", "or": "|", "not": "~", "xor": "^", "minus": "-"}
_SAME = {"∩": "&", "∪": "|", "−": "-", "–": "-", "\\": "-", "△": "^", "∆": "^", "¬": "~", "!": "~", "+": "|"}
_SHOWN = {"&": "∩", "|": "∪", "-": "−", "^": "△"}
_PRECEDENCE = (("|",), ("^",), ("&",), ("-",))
"""From the loosest to the tightest, as Python has them; "~" is the tightest of all."""
_DEEPEST = 100
_MOST = 200
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Step:
    """One gesture of a selection's making.

    Attributes
    ----------
    sign : str
        "" for the first, then one of :data:`SIGNS`: added, subtracted, intersected.
    text : str
        What was chosen.
    origin : str
        The whole selection's origin up to here.
    """

    sign: str
    text: str
    origin: str


def steps_of(origin: str) -> tuple[Step, ...]:
    """The gestures behind a selection's origin, in their order; what stands in brackets or quotes is one."""
    steps: list[Step] = []
    depth, quote, start, sign = 0, "", 0, ""
    for k, c in enumerate(origin):
        if quote:
            quote = "" if c == quote else quote
        elif c in "“`":
            quote = {"“": "”"}.get(c, c)
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth = max(0, depth - 1)
        elif depth == 0 and c in SIGNS and k > start and origin[k - 1 : k] == " " and origin[k + 1 : k + 2] == " ":
            steps.append(Step(sign, origin[start : k - 1].strip(), origin[: k - 1]))
            start, sign = k + 2, c
    if origin:
        steps.append(Step(sign, origin[start:].strip(), origin))
    return tuple(steps)


class SelectionTextError(ValueError):
    """What is wrong with an expression, and where: its characters `start` … `end`."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


@dataclass(frozen=True)
class _Token:
    kind: str
    """ "name", "operator", "(", ")" or "end"."""
    text: str
    start: int
    end: int


def quoted(name: str) -> str:
    """A name as it is written in an expression: in back quotes unless it is one plain word."""
    return name if _NAME.fullmatch(name) and name.lower() not in _WORDS else f"`{name}`"


def _tokens(text: str, names: Iterable[str]) -> list[_Token]:
    """Words, operators and brackets. Names that there are need no quotes, spaces or not."""
    known = sorted((n for n in names if n and n.lower() not in _WORDS), key=len, reverse=True)
    found: list[_Token] = []
    k = 0
    while k < len(text):
        c = text[k]
        if c.isspace():
            k += 1
            continue
        if c in "`\"'":
            end = text.find(c, k + 1)
            if end < 0:
                raise SelectionTextError(f"the quote {c} is never closed", k, len(text))
            found.append(_Token("name", text[k + 1 : end], k, end + 1))
            k = end + 1
            continue
        name = next((n for n in known if text.startswith(n, k) and not _goes_on(text, k + len(n), n)), None)
        if name is not None:
            found.append(_Token("name", name, k, k + len(name)))
            k += len(name)
            continue
        if c in "()":
            found.append(_Token(c, c, k, k + 1))
            k += 1
            continue
        sign = _SAME.get(c, c)
        if sign in "&|-^~":
            found.append(_Token("operator", sign, k, k + 1))
            k += 1
            continue
        word = re.match(r"\w+", text[k:])
        if word is None:
            raise SelectionTextError(f"“{c}” means nothing here; use & | - ^ ~ and brackets", k, k + 1)
        end = k + word.end()
        operator = _WORDS.get(word[0].lower())
        found.append(_Token("operator" if operator else "name", operator or word[0], k, end))
        k = end
    return [*found, _Token("end", "", len(text), len(text))]


def _goes_on(text: str, end: int, name: str) -> bool:
    """Whether a word goes on after a name, so that it is another one."""
    return end < len(text) and (text[end].isalnum() or text[end] == "_") and (name[-1].isalnum() or name[-1] == "_")


class _Parser:
    """Recursive descent; masks are asked for when they are needed."""

    def __init__(self, text: str, names: Sequence[str], mask: Callable[[str], Mask]) -> None:
        self._tokens = _tokens(text, names)
        self._names = set(names)
        self._mask = mask
        self._at = 0
        self._depth = 0

    def all(self) -> tuple[Mask, str]:
        if self._now.kind == "end":
            raise SelectionTextError("nothing is written yet", 0, 0)
        mask, text, _ = self._level(0)
        token = self._now
        if token.kind == ")":
            raise SelectionTextError("this bracket was never opened", token.start, token.end)
        if token.kind != "end":
            raise SelectionTextError("an operator is missing before this: & | - ^", token.start, token.end)
        return mask, text

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _level(self, k: int) -> tuple[Mask, str, int]:
        """Mask, text and precedence of what binds at least as tightly as level `k`."""
        if k == len(_PRECEDENCE):
            return self._single()
        mask, text, bound = self._level(k + 1)
        while self._now.kind == "operator" and self._now.text in _PRECEDENCE[k]:
            sign = self._now.text
            self._at += 1
            other, more, tight = self._level(k + 1)
            text = f"{_bracketed(text, bound < k)} {_SHOWN[sign]} {_bracketed(more, tight <= k)}"
            mask, bound = _combined(mask, other, sign), k
        return mask, text, bound

    def _single(self) -> tuple[Mask, str, int]:
        token = self._now
        tightest = len(_PRECEDENCE)
        self._at += 1
        if token.kind == "operator" and token.text == "~":
            self._deeper(token)
            mask, text, bound = self._single()
            self._depth -= 1
            return ~mask, f"¬{_bracketed(text, bound < tightest)}", tightest
        if token.kind == "(":
            self._deeper(token)
            inner = self._level(0)
            self._depth -= 1
            if self._now.kind != ")":
                self._at -= 1
                raise SelectionTextError("this bracket is never closed", token.start, token.end)
            self._at += 1
            return inner
        if token.kind == "name":
            if token.text not in self._names:
                raise SelectionTextError(_unknown(token.text, self._names), token.start, token.end)
            return self._mask(token.text), quoted(token.text), tightest
        self._at -= 1
        if token.kind == "operator":
            raise SelectionTextError(f"a name is missing before “{token.text}”", token.start, token.end)
        raise SelectionTextError("a name is missing here", token.start, max(token.end, token.start))

    def _deeper(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SelectionTextError("too many brackets in each other", token.start, token.end)


def _bracketed(text: str, needed: bool) -> str:
    return f"({text})" if needed else text


def _combined(mask: Mask, other: Mask, sign: str) -> Mask:
    if sign == "&":
        return mask & other
    if sign == "|":
        return mask | other
    return mask ^ other if sign == "^" else mask & ~other


def _unknown(name: str, names: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(names), 1)
    hint = f"; do you mean {quoted(near[0])}?" if near else ""
    return f"no selection is named “{name}”{hint}"


def evaluate(text: str, masks: Mapping[str, Mask], n: int) -> tuple[Mask, str]:
    """The mask of an expression over named masks, and how it is said for people.

    ``a & b`` in both, ``a | b`` or ``a + b`` in any, ``a - b`` in the first only, ``a ^ b`` in one of the two, ``~a``
    the others; also ``and or minus xor not`` and ``∩ ∪ − △ ¬``; ~ binds tightest, then - & ^ |. Names with other
    signs than letters, digits and _ may stand in back quotes.

    Raises
    ------
    SelectionTextError
        It cannot be read, or names something that there is not.
    """

    def mask(name: str) -> Mask:
        found = np.asarray(masks[name], bool)
        if found.shape != (n,):
            raise ValueError(f"{name!r} has {len(found)} entries for {n} structures")
        return found

    return _Parser(text, tuple(masks), mask).all()


def check(text: str, names: Sequence[str]) -> None:
    """Raise :class:`SelectionTextError` unless the text is an expression over these names."""
    nothing = np.zeros(0, dtype=bool)
    _Parser(text, names, lambda _name: nothing).all()


@dataclass(frozen=True)
class Candidate:
    """A continuation: `text` replaces the characters `start` … `end`; `detail` says what it is."""

    text: str
    start: int
    end: int
    detail: str = ""


def complete(text: str, cursor: int, names: Mapping[str, str]) -> tuple[Candidate, ...]:
    """What may be written at the cursor: operators after a name, else names (with their details)."""
    before = text[:cursor]
    opened = [k for k, c in enumerate(before) if c == "`"]
    if len(opened) % 2:
        start, word, tokens = opened[-1], before[opened[-1] + 1 :], _safely(before[: opened[-1]], names)
    else:
        tail = re.search(r"\w*$", before)
        start = tail.start() if tail else cursor
        word, tokens = before[start:], _safely(before[:start], names)
    if tokens is None:
        return ()
    last = tokens[-2] if len(tokens) > 1 else None
    end = cursor
    while end < len(text) and (text[end].isalnum() or text[end] == "_") and word:
        end += 1
    if last is not None and (last.kind in ("name", ")")):
        joins = (("& ", "in both"), ("| ", "in any"), ("- ", "in the first only"), ("^ ", "in one of the two"))
        return tuple(Candidate(t, start, end, d) for t, d in joins) if not word and before[-1:].isspace() else ()
    wanted = word.lower()
    first = [n for n in names if n.lower().startswith(wanted)]
    later = [n for n in names if wanted and wanted in n.lower() and n not in first]
    return tuple(Candidate(quoted(n), start, end, names[n]) for n in [*first, *later][:_MOST] if n != word)


def _safely(text: str, names: Iterable[str]) -> list[_Token] | None:
    try:
        return _tokens(text, names)
    except SelectionTextError:
        return None
