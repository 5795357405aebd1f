"""Filters: what is shown undimmed. Frozen descriptions that are part of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress

if TYPE_CHECKING:
    from qmlstudio.chem.dataset import Property
    from qmlstudio.session.columns import Columns
    from qmlstudio.session.filter_lookups import Lookups

Mask = NDArray[np.bool_]

FAST_ROWS = 200_000
"""Rows up to which an expression, or a first count of categories, is worked out at once."""
FAST_ATOMS = 2_000_000
"""Atoms up to which the elements of all structures are looked through at once."""
SHOWN_CATEGORIES = 3
"""Categories that the text of a filter names."""


@dataclass(frozen=True)
class RangeFilter:
    """Values between `low` and `high`, inclusive; None: no bound. Missing values do not pass a bound.

    Attributes
    ----------
    column : str
    low, high : float or None
    log : bool
        Whether its histogram has a logarithmic axis.
    """

    column: str
    low: float | None = None
    high: float | None = None
    log: bool = False


@dataclass(frozen=True)
class CategoryFilter:
    """Texts that are among `shown`; "" stands for missing ones. None: all pass."""

    column: str
    shown: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ElementsFilter:
    """Structures with all of `required` and none of `forbidden` (symbols)."""

    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class SubstructureFilter:
    """Molecules that contain `pattern`: a SMARTS, or a SMILES when `is_smiles`. Inverted: those that do not."""

    pattern: str = ""
    is_smiles: bool = False
    inverted: bool = False


@dataclass(frozen=True)
class ExpressionFilter:
    """Structures for which a text like ``gap < 0.2 and n_heavy == 7`` is true."""

    text: str = ""


Filter = RangeFilter | CategoryFilter | ElementsFilter | SubstructureFilter | ExpressionFilter

_KINDS: dict[str, type[Any]] = {
    "range": RangeFilter,
    "category": CategoryFilter,
    "elements": ElementsFilter,
    "substructure": SubstructureFilter,
    "expression": ExpressionFilter,
}
_NAMES = {cls: name for name, cls in _KINDS.items()}


@dataclass(frozen=True)
class Filters:
    """The filters of a session: a structure passes when it passes all that are switched on.

    Attributes
    ----------
    items : tuple of Filter
        In the order in which the panel shows them.
    off : tuple of int
        Positions of those that are switched off for the moment.
    """

    items: tuple[Filter, ...] = ()
    off: tuple[int, ...] = ()

    @property
    def active(self) -> tuple[Filter, ...]:
        """Those that are switched on."""
        return tuple(f for k, f in enumerate(self.items) if k not in self.off)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"items": [{"kind": _NAMES[type(f)], **vars(f)} for f in self.items], "off": list(self.off)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Filters:
        """Inverse of :meth:`to_dict`; ValueError for an unknown kind."""
        items = []
        for entry in data.get("items", ()):
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k != "kind"}
            kind = _KINDS.get(str(entry.get("kind")))
            if kind is None:
                raise ValueError(f"there is no filter {entry.get('kind')!r}; there are {', '.join(_KINDS)}")
            items.append(kind(**values))
        return cls(tuple(items), tuple(int(k) for k in data.get("off", ())))


@dataclass(frozen=True, eq=False)
class Passing:
    """What one filter lets pass.

    Attributes
    ----------
    mask : (n,) bool or None
        None: everything.
    count : int
    note : str
        What should be known about it ("12 structures have no SMILES"); empty otherwise.
    error : str
        Why it could not be worked out: then everything passes.
    """

    mask: Mask | None
    count: int
    note: str = ""
    error: str = ""


@dataclass(frozen=True, eq=False)
class FilterResult:
    """What all filters together let pass.

    Attributes
    ----------
    mask : (n,) bool or None
        None: everything.
    count, total : int
        Structures that pass, and all.
    counts : tuple of int or None
        How many each filter lets pass by itself, in the order of the filters; None while that is not known.
    errors, notes : dict of int to str
        By position of the filter.
    waiting : tuple of int
        Positions of filters that are still being worked out; the mask is without them.
    """

    mask: Mask | None
    count: int
    total: int
    counts: tuple[int | None, ...] = ()
    errors: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    waiting: tuple[int, ...] = ()


def evaluate(item: Filter, columns: Columns, lookups: Lookups, progress: Progress = SILENT) -> Passing:
    """What a filter lets pass. Errors are part of the answer, not raised."""
    try:
        mask, note = _mask(item, columns, lookups, progress)
    except ValueError as error:
        return Passing(None, len(columns.dataset), error=str(error))
    return Passing(mask, len(columns.dataset) if mask is None else int(np.count_nonzero(mask)), note)


def combine(filters: Filters, passing: Mapping[int, Passing], total: int, excluded: Mask | None = None) -> FilterResult:
    """Join what is known of each filter, by its position; those of which nothing is known are waited for.

    What is `excluded` (n,) does not pass, whatever the filters say.
    """
    mask: Mask | None = None if excluded is None else ~excluded
    owned = mask is not None
    for k in range(len(filters.items)):
        found = passing.get(k)
        if k in filters.off or found is None or found.mask is None:
            continue
        if mask is None:
            mask = found.mask
        elif owned:
            mask &= found.mask
        else:
            mask, owned = mask & found.mask, True
    return FilterResult(
        mask=mask,
        count=total if mask is None else int(np.count_nonzero(mask)),
        total=total,
        counts=tuple(passing[k].count if k in passing else None for k in range(len(filters.items))),
        errors={k: p.error for k, p in passing.items() if p.error},
        notes={k: p.note for k, p in passing.items() if p.note},
        waiting=tuple(k for k in range(len(filters.items)) if k not in passing and k not in filters.off),
    )


def is_fast(item: Filter, columns: Columns, lookups: Lookups) -> bool:
    """Whether :func:`evaluate` answers within a few milliseconds, so that the window need not wait for a job."""
    n, atoms = len(columns.dataset), len(columns.dataset.structures.numbers)
    if isinstance(item, RangeFilter):
        unbounded = item.low is None and item.high is None
        return (
            unbounded or item.column not in _composition(columns) or atoms <= FAST_ATOMS or item.column in lookups.made
        )
    if isinstance(item, CategoryFilter):
        p = columns.get(item.column) if item.shown is not None and n > FAST_ROWS else None
        return p is None or lookups.has_categories(item.column, p)
    if isinstance(item, ElementsFilter):
        from qmlstudio.session.filter_lookups import NUMBER_OF

        numbers = [NUMBER_OF(s) for s in (*item.required, *item.forbidden)]
        return atoms <= FAST_ATOMS or all(z is None or lookups.has_element(z) for z in numbers)
    if isinstance(item, SubstructureFilter):
        return not item.pattern.strip() or columns.dataset.smiles is None
    if not item.text.strip() or (n <= FAST_ROWS and atoms <= FAST_ATOMS):
        return True
    from qmlstudio.session.expression import ExpressionError, parse

    try:
        parse(item.text, columns)
    except ExpressionError:
        return True  # there is nothing to work out
    return False


def describe(filters: Filters) -> str:
    """The filters that are switched on, for people: "gap ≤ 0.2 and with N"."""
    return " and ".join(text for text in map(describe_one, filters.active) if text)


def describe_one(item: Filter) -> str:
    """One filter, for people; empty when it lets everything pass."""
    if isinstance(item, RangeFilter):
        low = "" if item.low is None else f"{item.low:.6g} ≤ "
        high = "" if item.high is None else f" ≤ {item.high:.6g}"
        if low and not high:
            return f"{item.column} ≥ {item.low:.6g}"
        return f"{low}{item.column}{high}" if low or high else ""
    if isinstance(item, CategoryFilter):
        if item.shown is None:
            return ""
        names = [name or "(missing)" for name in item.shown[:SHOWN_CATEGORIES]]
        more = len(item.shown) - len(names)
        listed = ", ".join([*names, f"{more:,} more"] if more else names)
        return f"{item.column} is {listed}" if listed else f"{item.column} is nothing"
    if isinstance(item, ElementsFilter):
        groups = (("with", item.required), ("without", item.forbidden))
        parts = [f"{word} {' '.join(symbols)}" for word, symbols in groups if symbols]
        return ", ".join(parts)
    if isinstance(item, SubstructureFilter):
        if not item.pattern.strip():
            return ""
        return f"{'does not contain' if item.inverted else 'contains'} {item.pattern.strip()}"
    return f"({item.text.strip()})" if " or " in item.text else item.text.strip()


class FilterCache:
    """What each filter lets pass, kept while it and the columns that it asks for stay the same.

    One moved slider is then one comparison and one "and", however many filters there are.
    """

    def __init__(self) -> None:
        self._dataset: object = None
        self._known: dict[Filter, tuple[tuple[Property | None, ...], Passing]] = {}

    def get(self, item: Filter, columns: Columns) -> Passing | None:
        """What is known; None when nothing is, or when a column came anew."""
        if self._dataset is not columns.dataset:
            self._dataset, self._known = columns.dataset, {}
        entry = self._known.get(_plain(item))
        if entry is None:
            return None
        used = _used(item, columns)
        same = len(used) == len(entry[0]) and all(a is b for a, b in zip(used, entry[0], strict=True))
        return entry[1] if same else None

    def put(self, item: Filter, columns: Columns, passing: Passing) -> None:
        """Keep an answer. Errors are not kept, since a missing column may come; but no pattern becomes readable."""
        lasts = not passing.error or isinstance(item, SubstructureFilter)
        if self._dataset is columns.dataset and lasts:
            self._known[_plain(item)] = (_used(item, columns), passing)

    def keep_only(self, items: tuple[Filter, ...]) -> None:
        """Forget all others."""
        wanted = {_plain(item) for item in items}
        self._known = {item: entry for item, entry in self._known.items() if item in wanted}


def _plain(item: Filter) -> Filter:
    """Without what is only for the eye."""
    return replace(item, log=False) if isinstance(item, RangeFilter) and item.log else item


def _composition(columns: Columns) -> frozenset[str]:
    """Names of the columns that are made of the composition when somebody asks for them."""
    return frozenset(columns.names()) - frozenset(columns.names(composition=False))


def _used(item: Filter, columns: Columns) -> tuple[Property | None, ...]:
    """The columns that a filter asks for; None for those of the composition, which never change."""
    names: tuple[str, ...] = ()
    if isinstance(item, RangeFilter | CategoryFilter):
        names = (item.column,)
    elif isinstance(item, ExpressionFilter) and item.text.strip():
        from qmlstudio.session.expression import ExpressionError, parse

        try:
            names = parse(item.text, columns).names
        except ExpressionError:
            return (None,) * (len(columns) + 1)  # like nothing that was ever kept
    made = _composition(columns)
    return tuple(None if k in made else columns.get(k) for k in names)


def _mask(item: Filter, columns: Columns, lookups: Lookups, progress: Progress) -> tuple[Mask | None, str]:
    if isinstance(item, RangeFilter):
        return _range(item, columns, lookups)
    if isinstance(item, CategoryFilter):
        if item.shown is None:
            return None, ""
        return lookups.categories(item.column, _column(item.column, columns), progress).mask(item.shown), ""
    if isinstance(item, ElementsFilter):
        return _elements(item, lookups), ""
    if isinstance(item, SubstructureFilter):
        return _substructure(item, lookups, progress)
    if not item.text.strip():
        return None, ""
    from qmlstudio.session import expression

    return expression.evaluate(item.text, columns, progress), ""


def _column(name: str, columns: Columns) -> Property:
    p = columns.get(name)
    if p is None:
        raise ValueError(f"there is no column {name} in this data set")
    return p


def _range(item: RangeFilter, columns: Columns, lookups: Lookups) -> tuple[Mask | None, str]:
    p = _column(item.column, columns)
    if p.is_text:
        raise ValueError(f"{item.column} holds texts: they have no range")
    lookups.made.add(item.column)
    mask: Mask | None = None
    if item.low is not None:
        mask = p.values >= item.low
    if item.high is not None:
        below = p.values <= item.high
        mask = below if mask is None else np.logical_and(mask, below, out=mask)
    return mask, ""


def _elements(item: ElementsFilter, lookups: Lookups) -> Mask | None:
    from qmlstudio.session.filter_lookups import NUMBER_OF

    mask: Mask | None = None
    for symbols, wanted in ((item.required, True), (item.forbidden, False)):
        for symbol in symbols:
            number = NUMBER_OF(symbol)
            if number is None:
                raise ValueError(f"{symbol} is no element")
            has = lookups.element(number)
            part = has if wanted else ~has
            mask = part if mask is None else mask & part
    return mask


def _substructure(item: SubstructureFilter, lookups: Lookups, progress: Progress) -> tuple[Mask | None, str]:
    if not item.pattern.strip():
        return None, ""
    from qmlstudio.chem.pattern_search import read_pattern

    query = read_pattern(item.pattern, item.is_smiles)
    ready = lookups.has_substructures
    index = lookups.substructures(progress if ready else progress.part(0.0, 0.9))
    found = index.containing(query, progress if ready else progress.part(0.9, 1.0))
    if item.inverted:
        found = index.known & ~found
    note = f"{index.missing:,} without a readable SMILES do not pass" if index.missing else ""
    return found, note
