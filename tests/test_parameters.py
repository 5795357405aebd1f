from dataclasses import FrozenInstanceError, dataclass
from typing import Any, Literal

import pytest

from qmlstudio.parameters import Parameterised, digest, param


@dataclass(frozen=True, kw_only=True)
class Example(Parameterised):
    name = "example"
    title = "Example"

    cutoff: float = param(5.0, label="Cutoff", unit="Å", low=1, high=12, step=0.5)
    count: int = param(8, label="Count", low=1)
    on: bool = param(True, label="On")
    kind: Literal["a", "b"] = param("a", label="Kind", choices=(("a", "first"), ("b", "second")))
    limit: int | None = param(None, label="Limit", low=10)


def test_declared_once_known_everywhere() -> None:
    names = [p.name for p in Example.params()]
    assert names == ["cutoff", "count", "on", "kind", "limit"]
    kinds = [p.kind for p in Example.params()]
    assert kinds == [float, int, bool, str, int]
    assert [p.optional for p in Example.params()] == [False, False, False, False, True]


def test_frozen_comparable_hashable() -> None:
    assert Example() == Example(cutoff=5)
    assert hash(Example()) == hash(Example(cutoff=5))
    assert Example() != Example(count=9)
    with pytest.raises(FrozenInstanceError):
        Example().cutoff = 6.0  # type: ignore[misc]


def test_round_trip() -> None:
    value = Example(cutoff=3.5, kind="b", limit=20)
    assert Example.from_dict(value.to_dict()) == value
    assert value.to_dict()["name"] == "example"
    with pytest.raises(ValueError, match="no parameter cutof"):
        Example.from_dict({"cutof": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cutoff": 0.5}, "below 1"),
        ({"cutoff": 13}, "above 12"),
        ({"cutoff": float("nan")}, "not a number"),
        ({"cutoff": "far"}, "not of type float"),
        ({"count": 2.5}, "whole number"),
        ({"count": None}, "a value is needed"),
        ({"kind": "c"}, "none of a, b"),
        ({"on": "perhaps"}, "neither true nor false"),
        ({"limit": 3}, "below 10"),
    ],
)
def test_illegal_values_say_why(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Example(**values)


def test_texts_of_the_command_line_are_understood() -> None:
    value = Example(cutoff="6.5", count="3", on="no", kind="b")  # type: ignore[arg-type]
    assert value == Example(cutoff=6.5, count=3, on=False, kind="b")


def test_digest_is_of_the_content() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("a", "b") != digest("ab")
    assert len(digest("x")) == 32
