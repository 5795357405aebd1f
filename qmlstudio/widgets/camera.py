"""The camera of the structure view: rotation by arcball, pan, zoom to the cursor, projection, picking rays.

Pure numpy, no Qt: both drawing back ends, picking and figures ask the same object, so that an atom is at the same
pixel everywhere.

View coordinates are in Å: x to the right, y up, z towards the viewer, origin at the pivot. A point at view
coordinates (x, y, z) is drawn at ``width / 2 + s (o_x + x f)``, ``height / 2 - s (o_y + y f)`` pixels with
s = min(width, height) / ``Camera.height``, o = ``Camera.offset`` and f = 1 (orthographic) or d / (d - z)
(perspective, d = ``Camera.distance``). Panning shifts the picture, not the eye: nothing changes its shape when panned,
and zooming to the cursor is exact at every depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]

PROJECTIONS: Final = ("perspective", "orthographic")
MARGIN: Final = 1.12
"""Free border around a fitted structure, as a factor."""
EYE: Final = 4.5
"""Distance of the eye in radii of the structure: the strength of perspective."""
NEAREST: Final = 0.05
"""Points nearer to the eye than this share of its distance are treated as if they were there."""

_AXES: Final[dict[str, Floats]] = {
    # rows: what points right, up and to the viewer
    "x": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "y": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "z": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
}


@dataclass(frozen=True)
class Camera:
    """Where the structure is seen from.

    Attributes
    ----------
    rotation : (4,) float
        Unit quaternion (w, x, y, z) from world to view coordinates.
    center : (3,) float, Å
        Pivot in world coordinates.
    offset : (2,) float, Å
        Shift of the picture to the right and up, measured at the pivot.
    height : float, Å
        What the shorter side of the picture shows at the pivot's depth.
    distance : float, Å
        From the eye to the pivot; only perspective depends on it.
    projection : "perspective" or "orthographic"
    """

    rotation: Quaternion = (1.0, 0.0, 0.0, 0.0)
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offset: tuple[float, float] = (0.0, 0.0)
    height: float = 10.0
    distance: float = 22.5
    projection: str = "perspective"

    def __post_init__(self) -> None:
        if self.projection not in PROJECTIONS:
            raise ValueError(f"projection {self.projection!r}, expected one of {', '.join(PROJECTIONS)}")
        values = (*self.rotation, *self.center, *self.offset, self.height, self.distance)
        if not np.isfinite(values).all() or self.height <= 0 or self.distance <= 0:
            raise ValueError("a camera needs finite numbers, and a positive height and distance")

    # -- state -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """For the session file and for linked cameras: lists, floats and one string."""
        return {
            "rotation": [float(v) for v in self.rotation],
            "center": [float(v) for v in self.center],
            "offset": [float(v) for v in self.offset],
            "height": float(self.height),
            "distance": float(self.distance),
            "projection": self.projection,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], default: Camera | None = None) -> Camera:
        """The camera of `to_dict`; what is missing is taken from `default` (linked cameras share only the rotation).

        Raises
        ------
        ValueError
            If a value has the wrong length or is no number.
        """
        known = (default or cls()).to_dict()
        known.update({key: state[key] for key in known if key in state})
        try:
            w, x, y, z = _unit([float(v) for v in known["rotation"]])
            a, b, c = (float(v) for v in known["center"])
            p, q = (float(v) for v in known["offset"])
            height, distance = float(known["height"]), float(known["distance"])
        except TypeError as error:
            raise ValueError(f"not a camera: {error}") from None
        return cls((w, x, y, z), (a, b, c), (p, q), height, distance, str(known["projection"]))

    # -- geometry ----------------------------------------------------------------------------------------------------

    @property
    def matrix(self) -> Floats:
        """(3, 3) rotation: ``view = matrix @ (world - center)``."""
        return to_matrix(self.rotation)

    @property
    def is_perspective(self) -> bool:
        """Whether near things are larger."""
        return self.projection == "perspective"

    def to_view(self, points: ArrayLike) -> Floats:
        """World to view coordinates.

        Parameters
        ----------
        points : (N, 3) float, Å

        Returns
        -------
        (N, 3) float, Å
        """
        shifted = np.asarray(points, dtype=np.float64).reshape(-1, 3) - np.array(self.center)
        return np.asarray(shifted @ self.matrix.T)

    def foreshortening(self, z: ArrayLike) -> Floats:
        """Factor by which things at view depth `z` (Å) are larger than at the pivot: d / (d - z), 1 if orthographic."""
        depth = np.asarray(z, dtype=np.float64)
        if not self.is_perspective:
            return np.ones_like(depth)
        return np.asarray(self.distance / np.maximum(self.distance - depth, NEAREST * self.distance))

    def pixels_per_angstrom(self, width: float, height: float) -> float:
        """At the pivot, for a picture of that size in pixels."""
        return float(max(min(width, height), 1.0) / self.height)

    def project(self, points: ArrayLike, width: float, height: float) -> tuple[Floats, Floats, Floats]:
        """Where world points are drawn.

        Parameters
        ----------
        points : (N, 3) float, Å
        width, height : float
            Size of the picture, pixels.

        Returns
        -------
        pixels : (N, 2) float
            From the upper left corner, x to the right, y down.
        depth : (N,) float, Å
            View z: larger is nearer.
        scale : (N,) float
            Pixels per Å at that depth.
        """
        view = self.to_view(points)
        pixels, scale = self.project_view(view, width, height)
        return pixels, view[:, 2], scale

    def project_view(self, view: Floats, width: float, height: float) -> tuple[Floats, Floats]:
        """`project` for points (N, 3) already in view coordinates: pixels (N, 2) and pixels per Å (N,)."""
        near = self.foreshortening(view[:, 2])
        unit = self.pixels_per_angstrom(width, height)
        x = width / 2 + unit * (self.offset[0] + view[:, 0] * near)
        y = height / 2 - unit * (self.offset[1] + view[:, 1] * near)
        return np.stack([x, y], axis=1), unit * near

    def ray(self, x: float, y: float, width: float, height: float) -> tuple[Floats, Floats]:
        """World ray through a pixel.

        Returns
        -------
        origin : (3,) float, Å
        direction : (3,) float
            Of length 1, away from the viewer.
        """
        unit = self.pixels_per_angstrom(width, height)
        plane = np.array([(x - width / 2) / unit - self.offset[0], (height / 2 - y) / unit - self.offset[1]])
        if self.is_perspective:
            origin = np.array([0.0, 0.0, self.distance])
            direction = np.array([plane[0], plane[1], -self.distance])
        else:
            origin = np.array([plane[0], plane[1], self.distance])
            direction = np.array([0.0, 0.0, -1.0])
        turn = self.matrix.T
        return turn @ origin + np.array(self.center), turn @ (direction / np.linalg.norm(direction))

    # -- gestures ----------------------------------------------------------------------------------------------------

    def rotated(self, start: tuple[float, float], end: tuple[float, float], width: float, height: float) -> Camera:
        """Arcball: the point of the ball under pixel `start` goes under pixel `end`."""
        turn = _between(_on_ball(*start, width, height), _on_ball(*end, width, height))
        return replace(self, rotation=_unit(_product(turn, self.rotation)))

    def turned(self, axis: ArrayLike, degrees: float) -> Camera:
        """Rotated about a view axis (3,), right-handed."""
        vector = np.asarray(axis, dtype=np.float64)
        vector = vector / np.linalg.norm(vector)
        half = np.radians(degrees) / 2
        x, y, z = (float(v) for v in np.sin(half) * vector)
        turn = (float(np.cos(half)), x, y, z)
        return replace(self, rotation=_unit(_product(turn, self.rotation)))

    def panned(self, dx: float, dy: float, width: float, height: float) -> Camera:
        """The picture follows the mouse by (dx, dy) pixels, y down."""
        unit = self.pixels_per_angstrom(width, height)
        return replace(self, offset=(self.offset[0] + dx / unit, self.offset[1] - dy / unit))

    def zoomed(self, factor: float, x: float, y: float, width: float, height: float) -> Camera:
        """Magnified by `factor`; what is under pixel (x, y) stays there. Bounded to 0.5–5,000 Å."""
        new = float(np.clip(self.height / factor, 0.5, 5000.0))
        short = max(min(width, height), 1.0)
        gain = (new - self.height) / short
        offset = (self.offset[0] + (x - width / 2) * gain, self.offset[1] + (height / 2 - y) * gain)
        return replace(self, height=new, offset=offset)

    def along(self, axis: str) -> Camera:
        """Seen along a Cartesian axis, which then points to the viewer.

        Raises
        ------
        ValueError
            If `axis` is not "x", "y" or "z".
        """
        if axis not in _AXES:
            raise ValueError(f"axis {axis!r}, expected x, y or z")
        return replace(self, rotation=to_quaternion(_AXES[axis]))

    def centered(self, center: ArrayLike) -> Camera:
        """Pivot at a world point (3,), drawn in the middle."""
        x, y, z = (float(v) for v in np.asarray(center, dtype=np.float64))
        return replace(self, center=(x, y, z), offset=(0.0, 0.0))

    def fitted(self, points: ArrayLike, radii: ArrayLike) -> Camera:
        """Pivot in the middle of spheres, all of them in the picture whatever the rotation.

        Parameters
        ----------
        points : (N, 3) float, Å
        radii : (N,) float, Å
        """
        center, radius = bounding_sphere(points, radii)
        camera = replace(self.centered(center), distance=EYE * radius)
        # the silhouette of the bounding sphere in perspective: d tan(asin(R / d)) instead of R
        grown = radius / np.sqrt(1 - 1 / EYE**2) if self.is_perspective else radius
        return replace(camera, height=float(2 * grown * MARGIN))


def bounding_sphere(points: ArrayLike, radii: ArrayLike) -> tuple[Floats, float]:
    """Middle (3,) of the spheres' bounding box and radius (Å, at least 1) of a sphere about it that holds them all."""
    xyz = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    r = np.asarray(radii, dtype=np.float64).reshape(-1)
    if len(xyz) == 0:
        return np.zeros(3), 3.0
    center = (xyz.min(axis=0) + xyz.max(axis=0)) / 2
    return center, max(float((np.linalg.norm(xyz - center, axis=1) + r).max()), 1.0)


def best_rotation(points: ArrayLike) -> Quaternion:
    """A first view: the longest extent to the right, the flattest side to the viewer, tilted so that depth shows.

    The signs of the principal axes are settled by the third moments, so that equal molecules in different
    orientations are shown alike.

    Parameters
    ----------
    points : (N, 3) float, Å
    """
    xyz = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    tilt = Camera().turned((0, 1, 0), -18).turned((1, 0, 0), 14).rotation
    if len(xyz) < 2:
        return tilt
    xyz = xyz - xyz.mean(axis=0)
    _, _, axes = np.linalg.svd(xyz, full_matrices=True)
    axes = axes[:3].copy()
    for k in range(2):
        moment = float(((xyz @ axes[k]) ** 3).sum())
        if moment < -1e-6 or (abs(moment) <= 1e-6 and axes[k][np.abs(axes[k]).argmax()] < 0):
            axes[k] = -axes[k]
    axes[2] = np.cross(axes[0], axes[1])
    return _unit(_product(tilt, to_quaternion(axes)))


def to_matrix(quaternion: Quaternion) -> Floats:
    """(3, 3) rotation matrix of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def to_quaternion(matrix: Floats) -> Quaternion:
    """Unit quaternion (w, x, y, z) of a (3, 3) rotation matrix.

    By the largest eigenvector: Bar-Itzhack, J. Guid. Control Dyn. 23, 1085 (2000).
    """
    (a, b, c), (d, e, f), (g, h, i) = np.asarray(matrix, dtype=np.float64)
    k = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    _, vectors = np.linalg.eigh(k)
    best = vectors[:, -1]
    return _unit([float(v) for v in (best if best[0] >= 0 else -best)])


def _unit(q: Any) -> Quaternion:
    w, x, y, z = (float(v) for v in q)
    length = float(np.sqrt(w * w + x * x + y * y + z * z))
    if length == 0.0:
        return (1.0, 0.0, 0.0, 0.0)
    return (w / length, x / length, y / length, z / length)


def _product(p: Quaternion, q: Quaternion) -> Quaternion:
    a, b, c, d = p
    w, x, y, z = q
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def _on_ball(x: float, y: float, width: float, height: float) -> Floats:
    """Point of the trackball under a pixel: Holroyd's sphere with a hyperbola outside, so nothing jumps at the rim."""
    radius = 0.45 * max(min(width, height), 1.0)
    u, v = (x - width / 2) / radius, (height / 2 - y) / radius
    square = u * u + v * v
    z = np.sqrt(1 - square) if square <= 0.5 else 0.5 / np.sqrt(square)
    point = np.array([u, v, z])
    return np.asarray(point / np.linalg.norm(point))


def _between(a: Floats, b: Floats) -> Quaternion:
    """Shortest rotation that takes unit vector a to b."""
    axis = np.cross(a, b)
    return _unit((1 + float(a @ b), *(float(v) for v in axis)))
