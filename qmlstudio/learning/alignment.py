"""Laying a new map over the old one, so that the eye can follow its points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]


def procrustes(
    new: Array,
    old: Array,
    *,
    index: tuple[Array, Array] | None = None,
    scale: bool = False,
) -> Floats:
    """The new map rotated, reflected and shifted to lie as near as it can, in least squares, to the old one.

    Parameters
    ----------
    new : (n, 2) or (n, 3) array
    old : (m, 2) or (m, 3) array
    index : (rows of new, rows of old), optional
        Which points belong together; row by row, as far as both maps go, when not given.
    scale : bool
        Also scale uniformly; otherwise `new` keeps its size.

    Returns
    -------
    (n, 2) or (n, 3) float64
        All points of `new`, aligned. Unchanged where fewer than two finite pairs exist, or where one map has two
        dimensions and the other three.

    References
    ----------
    P. Schönemann, Psychometrika 31, 1 (1966).
    """
    points = np.array(new, dtype=np.float64)
    target = np.asarray(old, dtype=np.float64)
    if points.shape[1:] != target.shape[1:]:
        return points
    if index is None:
        both = min(len(points), len(target))
        one, two = points[:both], target[:both]
    else:
        one, two = points[index[0]], target[index[1]]
        if len(one) != len(two):
            raise ValueError(f"index pairs {len(one)} points with {len(two)}")
    finite = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    one, two = one[finite], two[finite]
    if len(one) < 2:
        return points
    centre_one, centre_two = one.mean(axis=0), two.mean(axis=0)
    one, two = one - centre_one, two - centre_two
    u, values, vt = np.linalg.svd(one.T @ two)
    rotation = u @ vt
    size = float(np.sum(one * one))
    factor = float(values.sum()) / size if scale and size > 0.0 and values.sum() > 0.0 else 1.0
    aligned: Floats = factor * ((points - centre_one) @ rotation) + centre_two
    return aligned
