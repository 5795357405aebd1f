"""Outlines around groups of points: convex hulls and alpha shapes. NumPy in, indices of points out, no Qt.

Outlines are indices, not coordinates: while points wander or a cloud is turned, an outline moves with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmlstudio.progress import Progress

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Kind = Literal["convex", "alpha"]

MOST_HULLS = 60
"""More groups than this make no picture: the largest are outlined."""
GRID = 200
"""Of a large group, alpha shapes look at one point in each cell of a grid with so many columns and rows."""
THINNED_ABOVE = 20_000
DIRECTIONS = 96
"""Directions in which a turned hull is measured: its outline is right to 0.05 % of its size."""
FLAT = 1e-9
"""A group that is thinner than this share of its length has no area."""

_ANGLES = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)


@dataclass(frozen=True, eq=False)
class Hull:
    """The outline of one group.

    Attributes
    ----------
    label : int
    count : int
        Points of the group that have a place.
    center : int
        The point nearest to the medians of the coordinates: where a name belongs.
    rings : tuple of (k,) int64
        Corners as indices of points. Inside is where the even-odd rule over all rings says so: pieces and holes are
        rings alike. One corner: a point (or several at the same place); two: the ends of a line.
    corners : (k,) int64
        Of a cloud (n, 3): the corners of its hull in space, whose projections hold those of all points; `rings` is
        then empty.
    """

    label: int
    count: int
    center: int
    rings: tuple[Ints, ...]
    corners: Ints


def outlines(
    points: ArrayLike,
    labels: ArrayLike,
    kind: Kind = "convex",
    alpha: float | None = None,
    mask: ArrayLike | None = None,
    progress: Progress | None = None,
) -> list[Hull]:
    """Outline each group of points, largest group first.

    Parameters
    ----------
    points : (n, 2) or (n, 3) float64
        NaN or infinite where a point has no place. Clouds (n, 3) get convex hulls, whatever `kind` says.
    labels : (n,) int
        Group of each point; negative: in none.
    kind : "convex" or "alpha"
    alpha : float, optional
        Radius, in units of the coordinates, of the disc that must not fit between neighbouring points of an alpha
        shape; None: by :func:`alpha_radius` for each group.
    mask : (n,) bool, optional
        Only these points.
    progress : Progress, optional
        Called after each group.

    Raises
    ------
    ValueError
        For shapes that do not fit, an unknown kind, or an `alpha` that is not positive.
    """
    xy = np.asarray(points, dtype=np.float64)
    group: NDArray[np.int64] = np.asarray(labels)
    if xy.ndim != 2 or xy.shape[1] not in (2, 3):
        raise ValueError(f"coordinates have shape (n, 2) or (n, 3), not {xy.shape}")
    if group.shape != (len(xy),):
        raise ValueError(f"expected one label for each of {len(xy)} points, not shape {group.shape}")
    if kind not in ("convex", "alpha"):
        raise ValueError(f"{kind!r} is neither convex nor alpha")
    if alpha is not None and not alpha > 0:
        raise ValueError(f"alpha is a radius above 0, not {alpha}")
    good = (group >= 0) & np.isfinite(xy).all(axis=1)
    if mask is not None:
        good &= np.asarray(mask, dtype=np.bool_)
    members = np.flatnonzero(good)
    result = []
    groups = _largest(group[members], members)
    for done, (label, indices) in enumerate(groups, 1):
        result.append(_outline(xy, label, indices, kind, alpha))
        if progress is not None:
            progress(done / len(groups))
    return result


def _largest(labels: Ints, members: Ints) -> list[tuple[int, Ints]]:
    """(label, indices) of the largest groups, largest first, equal ones by label."""
    if not len(labels):
        return []
    if int(labels.max()) > 4 * len(labels) + 1000:
        names, labels = np.unique(labels, return_inverse=True)
    else:
        names = np.arange(int(labels.max()) + 1)
    counts = np.bincount(labels)
    chosen = np.argsort(-counts, kind="stable")[:MOST_HULLS]
    chosen = chosen[counts[chosen] > 0]
    # a byte for each group: sorting bytes is a counting sort
    slot = np.full(len(counts), 255, np.uint8)
    slot[chosen] = np.arange(len(chosen), dtype=np.uint8)
    slots = slot[labels]
    kept = np.flatnonzero(slots != 255)
    order = members[kept[np.argsort(slots[kept], kind="stable")]]
    ends = np.cumsum(counts[chosen])
    return [(int(names[c]), order[end - counts[c] : end].astype(np.int64)) for c, end in zip(chosen, ends, strict=True)]


def _outline(xy: Floats, label: int, indices: Ints, kind: Kind, alpha: float | None) -> Hull:
    own = xy[indices]
    middle = np.median(own, axis=0)
    center = int(indices[np.argmin(((own - middle) ** 2).sum(axis=1))])
    none = np.zeros(0, np.int64)
    if xy.shape[1] == 3:
        return Hull(label, len(indices), center, (), indices[corners(own)])
    rings = [corners(own)] if kind == "convex" else alpha_shape(own, alpha)
    return Hull(label, len(indices), center, tuple(indices[r] for r in rings), none)


def corners(points: Floats) -> Ints:
    """Corners of the convex hull: indices (k,) into (n, d) finite points, d = 2 (counter-clockwise) or 3.

    Points that all lie on a line have two corners (its ends), points at one place one, no points none; a flat group in
    space has the corners of its hull in its plane.
    """
    if not len(points):
        return np.zeros(0, np.int64)
    flat, dimension = _flattened(points)
    if dimension == 0:
        return np.zeros(1, np.int64)
    if dimension == 1:
        return np.array([np.argmin(flat[:, 0]), np.argmax(flat[:, 0])], np.int64)
    from scipy.spatial import ConvexHull, QhullError

    try:
        found = ConvexHull(flat).vertices.astype(np.int64)
    except QhullError:
        # flatter than rounding allows: the ends of its longest direction
        found = np.array([np.argmin(flat[:, 0]), np.argmax(flat[:, 0])], np.int64)
    if points.shape[1] == 2 and len(found) > 2 and _area(points[found]) < 0:
        found = found[::-1].copy()
    return found


def alpha_shape(points: Floats, radius: float | None = None) -> list[Ints]:
    """Rings of the alpha shape of (n, 2) finite points, as indices.

    The triangles of the Delaunay triangulation whose circumscribed circle has a radius of at most `radius` make up the
    shape (Edelsbrunner, Kirkpatrick, Seidel, IEEE Trans. Inf. Theory 29, 551 (1983)); its boundary is returned. Several
    pieces and holes are legal. Of large groups one point in each cell of a grid is looked at.

    Parameters
    ----------
    points : (n, 2) float64
    radius : float, optional
        None: :func:`alpha_radius`.
    """
    chosen = _thinned(points)
    if _flattened(points[chosen])[1] < 2:
        return [corners(points)] if len(points) else []
    from scipy.spatial import Delaunay, QhullError

    try:
        triangles = Delaunay(points[chosen] - points[chosen].mean(axis=0)).simplices.astype(np.int64)
    except QhullError:
        return [corners(points)]
    corner = points[chosen][triangles]
    circles = _circumradii(corner)
    limit = alpha_radius(circles, triangles, points[chosen]) if radius is None else radius
    kept = triangles[circles <= limit]
    if not len(kept):
        return [corners(points)]
    # counter-clockwise, so that the triangles' common edges are the ones that occur in both directions
    turned = _areas(points[chosen][kept]) < 0
    kept[turned] = kept[turned][:, ::-1]
    return [chosen[ring] for ring in _rings(kept, len(chosen))]


def alpha_radius(circles: Floats, triangles: Ints, points: Floats) -> float:
    """The radius at which an alpha shape follows its group without falling to pieces.

    From the distribution of distances: three times the 90th percentile of the triangles' shortest edges (about the
    distance to the next point where the group is thin), and never so small that more than 5 % of the points are left
    without a triangle.

    Parameters
    ----------
    circles : (t,) float64
        Radii of the circumscribed circles.
    triangles : (t, 3) int64
    points : (n, 2) float64
    """
    corner = points[triangles]
    edges = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).min(axis=1)
    least = np.full(len(points), np.inf)
    for k in range(3):
        np.minimum.at(least, triangles[:, k], circles)
    least = least[np.isfinite(least)]
    if not len(least):
        return float("inf")
    return float(max(3.0 * np.percentile(edges, 90), np.percentile(least, 95)))


def padded(points: Floats, by: float) -> Floats:
    """The convex hull of points (k, 2), grown by `by` on all sides with round corners, as (96, 2) corners.

    The outermost point in each of :data:`DIRECTIONS` directions, moved out in that direction: 60 hulls whose points
    turn in space cost two milliseconds. One point becomes a circle.
    """
    outermost = np.argmax(points[:, :1] * _COSINES + points[:, 1:] * _SINES, axis=0)
    return np.asarray(points[outermost] + by * np.stack([_COSINES, _SINES], axis=1))


def _thinned(points: Floats) -> Ints:
    if len(points) <= THINNED_ABOVE:
        return np.arange(len(points))
    low, high = points.min(axis=0), points.max(axis=0)
    cells = ((points - low) * (GRID / np.maximum(high - low, 1e-300))).astype(np.int64).clip(0, GRID - 1)
    _, first = np.unique(cells[:, 0] * GRID + cells[:, 1], return_index=True)
    # the outermost points stay, whatever cell they are in
    return np.unique(np.concatenate([first, corners(points)])).astype(np.int64)


def _flattened(points: Floats) -> tuple[Floats, int]:
    """Points in the coordinates that they fill, and how many these are: 0 a point, 1 a line, 2 a plane, 3."""
    shifted = points - points.mean(axis=0)
    size = float(np.abs(shifted).max())
    if size == 0.0 or size <= FLAT * float(np.abs(points).max()):
        return shifted[:, :0], 0
    shifted = shifted / size
    values, vectors = np.linalg.eigh(shifted.T @ shifted / len(points))
    extents = np.sqrt(np.clip(values[::-1], 0.0, None))
    dimension = int((extents > max(1e-7, FLAT) * extents[0]).sum())
    if dimension == points.shape[1]:
        return shifted, dimension
    return shifted @ vectors[:, ::-1][:, :dimension], dimension


def _area(polygon: Floats) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _areas(corner: Floats) -> Floats:
    """Signed areas (t,) of triangles (t, 3, 2)."""
    u, v = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    return np.asarray((u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2)


def _circumradii(corner: Floats) -> Floats:
    """Radii (t,) of the circles through the corners (t, 3, 2); infinite where they lie on a line."""
    a, b, c = (np.linalg.norm(corner[:, i] - corner[:, j], axis=1) for i, j in ((0, 1), (1, 2), (2, 0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        radii = a * b * c / (4 * np.abs(_areas(corner)))
    return np.asarray(np.where(np.isfinite(radii), radii, np.inf))


def _rings(triangles: Ints, count: int) -> list[Ints]:
    """Boundary of counter-clockwise triangles (t, 3) as closed rings."""
    start, end = triangles.reshape(-1), np.roll(triangles, -1, axis=1).reshape(-1)
    boundary = ~np.isin(start * count + end, end * count + start)
    return _chained(start[boundary], end[boundary])


def _chained(start: Ints, end: Ints) -> list[Ints]:
    """Directed edges, as many into as out of each corner, in rings."""
    order = np.argsort(start, kind="stable")
    nodes, first, counts = np.unique(start[order], return_index=True, return_counts=True)
    # where pieces touch, a corner has several edges out of it; they are used up one after the other, in any order
    unused = dict(zip(nodes.tolist(), first.tolist(), strict=True))
    stop = dict(zip(nodes.tolist(), (first + counts).tolist(), strict=True))
    target = end[order].tolist()
    rings = []
    for node in nodes.tolist():
        while unused[node] < stop[node]:
            ring, at = [], node
            while unused[at] < stop[at]:
                ring.append(at)
                edge = unused[at]
                unused[at] = edge + 1
                at = target[edge]
            rings.append(np.array(ring, np.int64))
    return rings
