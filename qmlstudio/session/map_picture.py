"""What a map shows, resolved: places, axes, sizes, symbols, groups. One rule for window and figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Property
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.session.coloring import CATEGORY_COLORS, OTHER_COLOR
from qmlstudio.session.columns import Columns
from qmlstudio.session.map_spec import MapView

Floats = NDArray[np.float64]

MAX_SYMBOLS, MAX_NUMBERS = 6, 20
SMALLEST, LARGEST = 3.0, 18.0
"""Diameters in pixels of the 2nd and the 98th percentile of the column that gives the size."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where points stand.

    Attributes
    ----------
    points : (n, 2) or (n, 3) float64
        NaN where a column has no finite value.
    axes : tuple of str
        Titles; empty for axes that mean nothing.
    equal : bool
        Whether one unit is equally long on all axes.
    """

    points: Floats
    axes: tuple[str, ...]
    equal: bool


def places(view: MapView, columns: Columns, coordinates: Coordinates | None) -> Places | None:
    """The embedding's coordinates, with columns in place of its first or second axis where a map wants them.

    None when an axis of the embedding is needed that is not there yet. A column that there is not (any more) counts as
    none.
    """
    chosen = [columns.get(name) if name and _is_number(columns, name) else None for name in (view.x_axis, view.y_axis)]
    if chosen == [None, None]:
        if coordinates is None:
            return None
        return Places(coordinates.points, coordinates.axes, equal=not coordinates.axes)
    points = np.empty((len(columns.dataset), 2))
    titles = []
    for k, (column, name) in enumerate(zip(chosen, (view.x_axis, view.y_axis), strict=True)):
        if column is not None:
            points[:, k] = np.where(np.isfinite(column.values), column.values, np.nan)
            titles.append(column.label(name))
        elif coordinates is None:
            return None
        else:
            points[:, k] = coordinates.points[:, k]
            titles.append(coordinates.axes[k] if coordinates.axes else f"map {'xy'[k]}")
    return Places(points, tuple(titles), equal=False)


def _is_number(columns: Columns, name: str) -> bool:
    return name in columns and not columns[name].is_text


def diameters(view: MapView, columns: Columns) -> NDArray[np.float32] | None:
    """(n,) diameters in pixels by the column for sizes, NaN where it has no value; None without one.

    The area grows with the value: that is what eyes compare.
    """
    if not view.size_by or not _is_number(columns, view.size_by):
        return None
    values = columns[view.size_by].values
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.full(len(values), np.nan, np.float32)
    low, high = np.percentile(finite, (2, 98))
    with np.errstate(invalid="ignore"):
        share = (
            np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.where(np.isnan(values), values, 0.5)
        )
        area = SMALLEST**2 + share * (LARGEST**2 - SMALLEST**2)
    return np.where(np.isfinite(values), np.sqrt(area), np.nan).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Groups:
    """Structures by category: for symbols, hulls and labels.

    Attributes
    ----------
    index : (n,) int64
        Into `names`; −1 where there is no value.
    names : tuple of str
    colors : (k, 3) uint8
    """

    index: NDArray[np.int64]
    names: tuple[str, ...]
    colors: NDArray[np.uint8]


def groups(column: Property, limit: int) -> Groups:
    """A column's categories, the most frequent first; those beyond `limit` are one more group, "others".

    Whole numbers count as categories when they have no more than :data:`MAX_NUMBERS` distinct values.

    Raises
    ------
    ValueError
        For other numbers.
    """
    values = column.values
    if column.is_text:
        missing = values == ""
    else:
        missing = ~np.isfinite(values)
    if not column.is_text and len(values) > 1000 and len(np.unique(values[~missing][:1000])) > MAX_NUMBERS:
        # millions of measured values need not be sorted to be told from categories
        raise ValueError("numbers with so many distinct values are no categories")
    found, inverse, counts = np.unique(values[~missing], return_inverse=True, return_counts=True)
    if not column.is_text and (len(found) > MAX_NUMBERS or (found % 1 != 0).any()):
        raise ValueError(f"{len(found):,} distinct numbers are no categories")
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(found), np.int64)
    rank[order] = np.arange(len(found))
    names = [str(found[i]) if column.is_text else f"{found[i]:g}" for i in order[:limit]]
    if len(found) > limit:
        names[-1:] = [f"{len(found) - limit + 1:,} others"]
    index = np.full(len(values), -1, np.int64)
    index[~missing] = np.minimum(rank[inverse], limit - 1)
    colors = CATEGORY_COLORS[np.arange(len(names)) % len(CATEGORY_COLORS)] if names else CATEGORY_COLORS[:0]
    if len(found) > limit:
        colors = np.concatenate([colors[:-1], OTHER_COLOR])
    return Groups(index, tuple(names), colors)


def symbols(view: MapView, columns: Columns) -> Groups | None:
    """At most six groups by the column for symbols; None without one, or when its numbers are no categories."""
    if not view.symbol_by or view.symbol_by not in columns:
        return None
    try:
        return groups(columns[view.symbol_by], MAX_SYMBOLS)
    except ValueError:
        return None
