"""From a text to a tree: tokens, a recursive-descent parser, and errors that say where and what."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np

from qmlstudio.session._expression_nodes import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    Call,
    Column,
    Comparison,
    Constant,
    Contains,
    Kind,
    Logic,
    Member,
    Missing,
    Node,
    Not,
)

KEYWORDS = ("and", "or", "not", "in", "is", "missing")
MAX_DEPTH = 50
SUGGESTIONS = 3

TokenKind = Literal["number", "text", "name", "quoted", "word", "sign", "end"]

_TOKENS = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<quoted>`[^`]*`)
      | (?P<name>[^\W\d]\w*)
      | (?P<sign>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/%<>=()\[\],≤≥≠−×·^&|!])""",
    re.VERBOSE,
)
_SAME = {"≤": "<=", "≥": ">=", "≠": "!=", "<>": "!=", "−": "-", "×": "*", "·": "*"}
_INSTEAD = {"=": "==", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "^": "**"}


class ExpressionError(ValueError):
    """What is wrong with an expression, and where.

    Attributes
    ----------
    message : str
    start, end : int
        The characters that are to blame; equal at the end of the text.
    """

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, end


@dataclass(frozen=True)
class Token:
    """A piece of the text; `text` is the content without quotes, signs in their plain form."""

    kind: TokenKind
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The pieces of a text, and an end; ExpressionError at a character that means nothing."""
    found, place = [], 0
    while place < len(text):
        match = _TOKENS.match(text, place)
        if match is None:
            sign = text[place]
            if sign in "\"'`":
                what = "column name" if sign == "`" else "text"
                raise ExpressionError(f"this {what} has no closing {sign}", place, len(text))
            raise ExpressionError(f"{sign!r} means nothing here", place, place + 1)
        kind, piece, end = match.lastgroup, match.group(), match.end()
        if kind in ("text", "quoted"):
            found.append(Token(kind, piece[1:-1], place, end))  # type: ignore[arg-type]
        elif kind == "name":
            found.append(Token("word" if piece in KEYWORDS else "name", piece, place, end))
        elif kind == "number":
            found.append(Token("number", piece, place, end))
        elif kind == "sign":
            found.append(Token("sign", _SAME.get(piece, piece), place, end))
        place = end
    found.append(Token("end", "", len(text), len(text)))
    return found


def suggestions(name: str, names: Iterable[str]) -> list[str]:
    """Names that may have been meant, the likeliest first."""
    by_lower: dict[str, str] = {}
    for known in names:
        by_lower.setdefault(known.lower(), known)
    close = difflib.get_close_matches(name.lower(), list(by_lower), SUGGESTIONS, 0.6)
    return [by_lower[k] for k in close]


class Parser:
    """Reads one expression.

    Parameters
    ----------
    text : str
    kinds : mapping of str to "number" or "text"
        The columns.
    labels : mapping of str to str
        Other ways to write a column in back quotes, such as "gap / Ha".
    """

    def __init__(self, text: str, kinds: Mapping[str, Kind], labels: Mapping[str, str]) -> None:
        self._kinds, self._labels = kinds, labels
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        """The whole text as a condition."""
        if self._token.kind == "end":
            self._fail("nothing is asked for yet")
        node = self._or()
        token = self._token
        if token.kind != "end":
            self._unexpected(token)
        if node.kind != "condition":
            what = "a number" if node.kind == "number" else "a text"
            example = "< 0.2" if node.kind == "number" else '== "…"'
            raise ExpressionError(
                f"this is {what}, not a condition: compare it, as in … {example}", node.start, node.end
            )
        return node

    # -- the text

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._token
        self._at += token.kind != "end"
        return token

    def _accepts(self, *texts: str) -> Token | None:
        """The next token if it is one of these signs or words."""
        token = self._token
        return self._take() if token.kind in ("sign", "word") and token.text in texts else None

    def _fail(self, message: str, token: Token | None = None) -> NoReturn:
        token = token or self._token
        raise ExpressionError(message, token.start, token.end)

    def _unexpected(self, token: Token) -> NoReturn:
        before = self._tokens[self._at - 1] if self._at else None
        if token.text in _INSTEAD and token.kind == "sign":
            self._fail(f"{token.text} is not known: write {_INSTEAD[token.text]}")
        if token.text == "," and before is not None and before.kind == "number":
            self._fail("a comma has no place here: decimals are written with a point, as in 0.2")
        if token.kind == "name":
            likely = suggestions(token.text, ("and", "or", "in", "is"))
            if likely:
                self._fail(f"{token.text} has no place here: did you mean {likely[0]}?")
            if before is not None and before.kind == "number":
                self._fail(f"{token.text} has no place after a number: units are not written")
            self._fail(f"{token.text} has no place here: conditions are joined by and, or")
        if token.text == ")":
            self._fail("this ) closes nothing")
        self._fail(f"{_shown(token)} has no place here")

    # -- the grammar, from what binds least to what binds most

    def _or(self) -> Node:
        return self._logic("or", self._and)

    def _and(self) -> Node:
        return self._logic("and", self._not)

    def _logic(self, operator: Literal["and", "or"], part: Callable[[], Node]) -> Node:
        conditions = [part()]
        while token := self._accepts(operator):
            conditions.append(part())
            for c in conditions[-2:]:
                self._need(c, "condition", token)
        if len(conditions) == 1:
            return conditions[0]
        start, end = conditions[0].start, conditions[-1].end
        return Logic(start=start, end=end, kind="condition", operator=operator, conditions=tuple(conditions))

    def _not(self) -> Node:
        token = self._accepts("not")
        if token is None:
            return self._comparison()
        self._deeper(token)
        condition = self._not()
        self._depth -= 1
        self._need(condition, "condition", token)
        return Not(start=token.start, end=condition.end, kind="condition", condition=condition)

    def _comparison(self) -> Node:
        left = self._sum()
        if self._token.text in ("in", "not", "is") and self._token.kind == "word":
            return self._membership(left)
        operands, operators = [left], []
        while token := self._accepts(*COMPARISONS):
            right = self._sum()
            self._comparable(operands[-1], right, token)
            operands.append(right)
            operators.append(token.text)
        if not operators:
            return left
        return Comparison(
            start=left.start,
            end=operands[-1].end,
            kind="condition",
            operands=tuple(operands),
            operators=tuple(operators),
        )

    def _membership(self, left: Node) -> Node:
        first = self._take()
        node: Node
        if first.text == "is":
            negated = self._accepts("not") is not None
            word = self._accepts("missing")
            if word is None:
                self._fail("after is only missing may stand: gap is missing, gap is not missing")
            if left.kind == "condition":
                self._fail("a condition is never missing", first)
            node = Missing(start=left.start, end=word.end, kind="condition", item=left)
        else:
            negated = first.text == "not"
            if negated and self._accepts("in") is None:
                self._fail("in is missing after not")
            node = self._in(left, first)
        return Not(start=node.start, end=node.end, kind="condition", condition=node) if negated else node

    def _in(self, left: Node, token: Token) -> Node:
        if self._accepts("["):
            options: list[float | str] = []
            while not (close := self._accepts("]")):
                if options and self._accepts(",") is None:
                    self._fail(", is missing between two values of the list")
                option = self._sum()
                if not isinstance(option, Constant):
                    raise ExpressionError("a list holds numbers or texts only", option.start, option.end)
                if option.kind != left.kind:
                    self._mixed(option.start, option.end)
                options.append(option.value)
            if not options:
                self._fail("the list is empty", close)
            if left.kind == "condition":
                self._fail("a condition is not in a list", token)
            return Member(start=left.start, end=close.end, kind="condition", item=left, options=tuple(options))
        right = self._sum()
        if right.kind == "number":
            message = "in needs a list, as in n_heavy in [6, 7], or a text to look in"
            raise ExpressionError(message, right.start, right.end)
        for node in (left, right):
            self._need(node, "text", token)
        return Contains(start=left.start, end=right.end, kind="condition", part=left, whole=right)

    def _sum(self) -> Node:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._arithmetic(("*", "/", "%"), self._unary)

    def _arithmetic(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        node = part()
        while token := self._accepts(*signs):
            node = self._operation(node, token, part())
        return node

    def _operation(self, left: Node, token: Token, right: Node) -> Node:
        for node in (left, right):
            self._need(node, "number", token)
        function = ARITHMETIC[token.text]
        return Call(start=left.start, end=right.end, kind="number", function=function, arguments=(left, right))

    def _unary(self) -> Node:
        token = self._accepts("-", "+")
        if token is None:
            return self._power()
        self._deeper(token)
        operand = self._unary()
        self._depth -= 1
        self._need(operand, "number", token)
        place = {"start": token.start, "end": operand.end}
        if isinstance(operand, Constant) and not isinstance(operand.value, str):
            return Constant(kind="number", value=-operand.value if token.text == "-" else operand.value, **place)
        function = np.negative if token.text == "-" else np.positive
        return Call(kind="number", function=function, arguments=(operand,), **place)

    def _power(self) -> Node:
        base = self._atom()
        token = self._accepts("**")
        if token is None:
            return base
        self._deeper(token)
        exponent = self._unary()
        self._depth -= 1
        return self._operation(base, token, exponent)

    def _atom(self) -> Node:
        token = self._take()
        if token.text == "(" and token.kind == "sign":
            return self._parenthesis(token)
        place = {"start": token.start, "end": token.end}
        if token.kind == "number":
            return Constant(kind="number", value=float(token.text), **place)
        if token.kind == "text":
            return Constant(kind="text", value=token.text, **place)
        if token.kind == "quoted":
            return self._column(token, self._labels.get(token.text, token.text))
        if token.kind != "name":
            self._no_operand(token)
        if self._token.text == "(" and self._token.kind == "sign":
            return self._call(token)
        return self._column(token, token.text)

    def _no_operand(self, token: Token) -> NoReturn:
        if token.kind == "end":
            self._fail("something is missing here: a column, a number or a text", token)
        if token.kind == "sign" and token.text in ("!", "&", "|", "&&", "||", "="):
            self._fail(f"{token.text} is not known: write {_INSTEAD[token.text]}", token)
        if token.kind == "word":
            message = f"{token.text} cannot stand here; a column of that name is written `{token.text}`"
            self._fail(message, token)
        self._fail(f"a column, a number or a text should stand here, not {_shown(token)}", token)

    def _parenthesis(self, opening: Token) -> Node:
        self._deeper(opening)
        node = self._or()
        self._depth -= 1
        if self._accepts(")") is None:
            if self._token.kind == "end":
                self._fail("this ( is never closed", opening)
            self._unexpected(self._token)
        return node

    def _column(self, token: Token, name: str) -> Node:
        kind = self._kinds.get(name)
        if kind is None:
            likely = suggestions(name, self._kinds)
            if likely:
                hint = f"did you mean {' or '.join(likely)}?"
            elif name.isidentifier() and token.kind == "name":
                hint = f'a text is written in quotes: "{name}"'
            else:
                hint = "the completion (Ctrl+Space) lists all"
            self._fail(f"there is no column {name}; {hint}", token)
        return Column(start=token.start, end=token.end, kind=kind, name=name)

    def _call(self, token: Token) -> Node:
        known = FUNCTIONS.get(token.text)
        if known is None:
            likely = suggestions(token.text, FUNCTIONS)
            hint = f"did you mean {' or '.join(likely)}?" if likely else f"there are {', '.join(FUNCTIONS)}"
            self._fail(f"there is no function {token.text}; {hint}", token)
        self._take()
        self._deeper(token)
        function, least, most, kind, _ = known
        arguments: list[Node] = []
        while not (close := self._accepts(")")):
            if arguments:
                if self._token.kind == "end":
                    self._fail(f"the ( of {token.text} is never closed", token)
                if self._accepts(",") is None:
                    self._fail(f") is missing after the value of {token.text}")
            argument = self._sum()
            self._need(argument, "number", token)
            arguments.append(argument)
        self._depth -= 1
        if not least <= len(arguments) <= most:
            wanted = f"{least} value" if most == 1 else f"{least} values or more"
            message = f"{token.text} takes {wanted}, not {len(arguments)}"
            raise ExpressionError(message, token.start, close.end)
        return Call(start=token.start, end=close.end, kind=kind, function=function, arguments=tuple(arguments))

    # -- kinds

    def _need(self, node: Node, kind: Kind, token: Token) -> None:
        if node.kind == kind:
            return
        is_ = {"number": "a number", "text": "a text", "condition": "a condition"}
        hint = ""
        if kind == "condition" and node.kind == "number":
            hint = ": compare it, as in … < 0.2"
        elif kind == "text" and node.kind == "number":
            hint = ": a text stands in quotes"
        message = f"{token.text} needs {is_[kind]}, and this is {is_[node.kind]}{hint}"
        raise ExpressionError(message, node.start, node.end)

    def _comparable(self, left: Node, right: Node, token: Token) -> None:
        if "condition" in (left.kind, right.kind):
            node = left if left.kind == "condition" else right
            raise ExpressionError("a condition cannot be compared: join conditions by and, or", node.start, node.end)
        if left.kind != right.kind:
            self._mixed(right.start, right.end)
        if left.kind == "text" and token.text not in ("==", "!="):
            self._fail("texts are compared by == and != only", token)

    @staticmethod
    def _mixed(start: int, end: int) -> NoReturn:
        raise ExpressionError("a number and a text are never equal: texts stand in quotes, numbers do not", start, end)

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail("too many nested parentheses", token)


def _shown(token: Token) -> str:
    return f'"{token.text}"' if token.kind == "text" else (token.text or "the end")
