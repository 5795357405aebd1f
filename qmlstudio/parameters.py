"""Hyper-parameters, declared once (standard library only).

A parameterised object – representation, embedding, kernel – is a frozen, keyword-built dataclass whose fields are made
with :func:`param`. That one declaration gives the panel its form, the session file its keys, the cache its hash, the
documentation its table, the tests their ranges and the command line its options.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass
from typing import Any, ClassVar, Self

_KEY = "qmlstudio"


@dataclass(frozen=True, kw_only=True)
class Param:
    """What is known of one hyper-parameter beside its type and default.

    Attributes
    ----------
    name : str
        Field name: key in files, option on the command line.
    kind : type
        ``bool``, ``int``, ``float`` or ``str``.
    optional : bool
        Whether None is legal (then `none_label` says what it means).
    default : object
    label, unit, help : str
        For people.
    low, high, step : float, optional
        Range and step of numbers, inclusive.
    choices : tuple of (value, label)
        The legal values of a choice; empty for free values.
    advanced : bool
        Folded away in forms at first.
    shown : bool
        Whether forms have an editor for it; False where another control sets it.
    stage : str
        Which stage of an embedding the value belongs to; empty when it concerns all.
    """

    name: str
    kind: type
    optional: bool
    default: Any
    label: str
    unit: str = ""
    help: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[tuple[Any, str], ...] = ()
    none_label: str = "automatic"
    advanced: bool = False
    shown: bool = True
    stage: str = ""

    def check(self, value: Any) -> Any:
        """The value in its declared type; raises ValueError with the reason when it is illegal."""
        if value is None:
            if self.optional:
                return None
            raise ValueError(f"{self.name}: a value is needed")
        if self.choices:
            for choice, _ in self.choices:
                if value == choice or str(value) == str(choice):
                    return choice
            legal = ", ".join(str(choice) for choice, _ in self.choices)
            raise ValueError(f"{self.name}: {value!r} is none of {legal}")
        if self.kind is bool:
            if isinstance(value, str):
                if value.lower() not in {"true", "false", "yes", "no", "1", "0"}:
                    raise ValueError(f"{self.name}: {value!r} is neither true nor false")
                return value.lower() in {"true", "yes", "1"}
            return bool(value)
        try:
            result = self.kind(value)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: {value!r} is not of type {self.kind.__name__}") from None
        if self.kind is int and isinstance(value, float) and value != result:
            raise ValueError(f"{self.name}: {value!r} is not a whole number")
        if self.kind in (int, float):
            if result != result:
                raise ValueError(f"{self.name}: not a number")
            if self.low is not None and result < self.low:
                raise ValueError(f"{self.name}: {result} is below {self.low} {self.unit}".rstrip())
            if self.high is not None and result > self.high:
                raise ValueError(f"{self.name}: {result} is above {self.high} {self.unit}".rstrip())
        return result


def param(default: Any, *, label: str, **details: Any) -> Any:
    """Declare a dataclass field as a hyper-parameter; `details` are :class:`Param`'s attributes.

    `choices` may be a tuple of values or of (value, label) pairs.
    """
    choices = tuple(c if isinstance(c, tuple) else (c, str(c)) for c in details.pop("choices", ()))
    return dataclasses.field(default=default, metadata={_KEY: {"label": label, "choices": choices, **details}})


@dataclass(frozen=True, kw_only=True)
class Parameterised:
    """Base of everything that has hyper-parameters: frozen, comparable, hashable, serialisable, checked when built."""

    name: ClassVar[str]
    """Registry name: the same in session files, command line and API; never changes."""
    title: ClassVar[str]
    """What people read."""

    def __post_init__(self) -> None:
        for p in self.params():
            object.__setattr__(self, p.name, p.check(getattr(self, p.name)))

    @classmethod
    def params(cls) -> tuple[Param, ...]:
        """The declared hyper-parameters in order."""
        hints = typing.get_type_hints(cls)
        found = []
        for field in dataclasses.fields(cls):
            details = field.metadata.get(_KEY)
            if details is None:
                continue
            hint, optional = hints[field.name], False
            if typing.get_origin(hint) in (typing.Union, types.UnionType):
                args = [a for a in typing.get_args(hint) if a is not type(None)]
                optional, hint = len(args) < len(typing.get_args(hint)), args[0]
            if typing.get_origin(hint) is typing.Literal:
                hint = type(typing.get_args(hint)[0])
            found.append(Param(name=field.name, kind=hint, optional=optional, default=field.default, **details))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """``{"name": registry name, field: value, …}``, ready for JSON."""
        return {"name": self.name, **{p.name: getattr(self, p.name) for p in self.params()}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`. Unknown keys raise ValueError; missing ones take their defaults."""
        known = {p.name for p in cls.params()}
        given = {k: v for k, v in data.items() if k != "name"}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"{cls.name} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return cls(**given)

    def with_values(self, **values: Any) -> Self:
        """A copy with some values changed."""
        return dataclasses.replace(self, **values)


def digest(*parts: Any) -> str:
    """A short content hash of JSON-able parts (32 hex digits): equal parts give equal keys, in every process."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
