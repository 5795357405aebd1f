"""Drawing of structures with QPainter, where there is no OpenGL: sorted discs and bands with gradients.

The same capsules, camera, light, outline and depth cue as the OpenGL drawing, so that atoms are at the same pixels.
Balls are discs and hide each other whole, from back to front; bonds begin where they leave the ball of their atom and
are sorted half by half, so that one that comes towards the viewer lies over its atom and one that goes away under it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QLinearGradient, QPainter, QPen, QPolygonF, QRadialGradient

from qmlstudio.widgets.molecule_scene import ATOM, BOND, HALO, LIGHT, LINE, OUTLINE_WIDTH, Capsules, Floats, Ints, Shot

_LIGHT: Final = np.array(LIGHT, dtype=np.float64)
_TO_LIGHT: Final = _LIGHT[:2] / np.linalg.norm(_LIGHT[:2])
_HALF: Final = (_LIGHT + np.array([0.0, 0.0, 1.0])) / np.sqrt(2 + 2 * LIGHT[2])
_BRIGHT: Final = 0.5
"""Where the gradient of a ball is centred, in radii from the middle towards the light."""
_STOPS: Final = (0.0, 0.12, 0.3, 0.5, 0.72, 1.0)
_LINE_PIECES: Final = 8


def shade(normals: Floats) -> tuple[Floats, Floats]:
    """Factor and addition of the light for surface normals (…, 3) in view coordinates: the shader's formula."""
    diffuse = np.maximum(0.5 + 0.5 * (normals @ _LIGHT), 0.0)
    gloss = np.maximum(normals @ _HALF, 0.0) ** 48
    return 0.36 + 0.70 * diffuse**2, 0.30 * gloss


def _ball_stops() -> tuple[Floats, Floats]:
    """`shade` at the stops of a ball's gradient, from the bright spot through the middle to the far rim."""
    r = _BRIGHT - np.array(_STOPS) * (1 + _BRIGHT)
    xy = r[:, None] * _TO_LIGHT
    z = np.sqrt(np.maximum(1 - (xy**2).sum(axis=1), 0.0))
    return shade(np.concatenate([xy, z[:, None]], axis=1))


class PainterRenderer:
    """Draws capsules with QPainter into images; the same methods as the OpenGL renderer."""

    name = "painter"
    max_size = 16384

    def __init__(self) -> None:
        self._capsules = Capsules.of(np.zeros((0, 3)), np.zeros((0, 3)), 0.0, (0, 0, 0), ATOM)
        self._joints = np.zeros(0, dtype=bool)
        self._gain, self._gloss = _ball_stops()

    def set_capsules(self, capsules: Capsules) -> None:
        """What the next pictures show."""
        self._capsules, self._joints = _cut(capsules)

    def image(self, shot: Shot) -> QImage:
        """The picture; `QImage.Format_RGB32`, or premultiplied ARGB when it is transparent."""
        kind = QImage.Format.Format_ARGB32_Premultiplied if shot.transparent else QImage.Format.Format_RGB32
        image = QImage(max(shot.width, 1), max(shot.height, 1), kind)
        r, g, b = shot.background
        image.fill(Qt.GlobalColor.transparent if shot.transparent else QColor.fromRgbF(r, g, b))
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint(painter, shot)
        painter.end()
        return image

    def close(self) -> None:
        """Nothing to free."""

    # -- inside ------------------------------------------------------------------------------------------------------

    def _paint(self, painter: QPainter, shot: Shot) -> None:
        c = self._capsules
        if not len(c):
            return
        camera = shot.camera
        start, end = camera.to_view(c.start), camera.to_view(c.end)
        from_xy, from_scale = camera.project_view(start, shot.width, shot.height)
        to_xy, to_scale = camera.project_view(end, shot.width, shot.height)
        depth = (start[:, 2] + end[:, 2]) / 2
        if camera.is_perspective:
            # the outline of a near ball is larger than its equator: the eye does not see that far round it
            share = np.clip(c.radius / np.maximum(camera.distance - depth, c.radius), 0.0, 0.9)
            share[(c.kind == BOND) | (c.kind == LINE)] = 0.0
            from_scale = from_scale / np.sqrt(1 - share**2)
        key = np.where(c.kind == HALO, depth - c.radius, depth)
        key[self._joints] = np.minimum(depth, self._lowest(depth))[self._joints] - 1e-6
        fog = shot.fog(depth)[:, None]
        background = np.array(shot.background)
        band_gain, band_gloss = _bands(end - start)
        pen = _outline_pen(shot)
        for i in np.argsort(key, kind="stable").tolist():
            kind = int(c.kind[i])
            color = c.first[i].astype(np.float64)
            if kind in (HALO, LINE):
                flat = _mixed(color, fog[i], background)
                if kind == HALO:
                    _disc(painter, from_xy[i], float(c.radius[i] * from_scale[i]), QBrush(flat), None)
                else:
                    width = max(2 * float(c.radius[i] * from_scale[i]), shot.ratio)
                    painter.setPen(QPen(flat, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                    painter.drawLine(QPointF(*from_xy[i]), QPointF(*to_xy[i]))
            elif kind == ATOM:
                radius = float(c.radius[i] * from_scale[i])
                gradient = self._ball(from_xy[i], radius, color, fog[i], background)
                _disc(painter, from_xy[i], radius, QBrush(gradient), pen)
            else:
                tints = _mixed_all(color * band_gain[i][:, None] + band_gloss[i][:, None], fog[i], background)
                widths = float(c.radius[i] * from_scale[i]), float(c.radius[i] * to_scale[i])
                _band(painter, from_xy[i], to_xy[i], widths, tints, pen)

    def _lowest(self, depth: Floats) -> Floats:
        """(M,) depth of the farthest bond of each capsule's atom."""
        atom = self._capsules.owner[:, 0]
        bonds = self._capsules.kind == BOND
        lowest = np.full(int(atom.max(initial=-1)) + 2, np.inf)
        np.minimum.at(lowest, atom[bonds], depth[bonds])
        return np.asarray(lowest[atom])

    def _ball(self, at: Floats, radius: float, color: Floats, fog: Floats, background: Floats) -> QRadialGradient:
        across = _TO_LIGHT * (_BRIGHT * radius)
        gradient = QRadialGradient(QPointF(at[0] + across[0], at[1] - across[1]), radius * (1 + _BRIGHT))
        tints = _mixed_all(color * self._gain[:, None] + self._gloss[:, None], fog, background)
        for stop, tint in zip(_STOPS, tints, strict=True):
            gradient.setColorAt(stop, tint)
        return gradient


_ACROSS: Final = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])


def _bands(axis: Floats) -> tuple[Floats, Floats]:
    """`shade` across cylinders along view vectors (M, 3): (M, 6) from one side to the other, the sides of `_band`."""
    length = np.maximum(np.linalg.norm(axis, axis=1), 1e-9)[:, None]
    u = axis / length
    flat = np.maximum(np.hypot(u[:, 0], u[:, 1]), 1e-9)
    side = np.stack([-u[:, 1] / flat, u[:, 0] / flat, np.zeros(len(u))], axis=1)
    front = np.cross(u, side)
    front = np.where(front[:, 2:] < 0, -front, front)
    normals = side[:, None] * _ACROSS[None, :, None] + front[:, None] * np.sqrt(1 - _ACROSS**2)[None, :, None]
    return shade(normals)


def _cut(c: Capsules) -> tuple[Capsules, NDArray[np.bool_]]:
    """Bonds cut at the balls of their atoms and at their middle, long lines in pieces: what can be sorted by depth.

    Also (M,) bool: the balls that only join bonds about as thick as they are. They cut nothing and lie under their
    bonds, so that sticks look like one piece.
    """
    atoms = np.flatnonzero(c.kind == ATOM)
    k = np.flatnonzero(c.kind == BOND)
    a, b = c.owner[k, 0], c.owner[k, 1]
    count = int(c.owner.max(initial=-1)) + 1
    radius, thickest, center = np.zeros(count), np.zeros(count), np.zeros((count, 3))
    radius[c.owner[atoms, 0]] = c.radius[atoms]
    center[c.owner[atoms, 0]] = c.start[atoms]
    np.maximum.at(thickest, a, c.radius[k])
    np.maximum.at(thickest, b, c.radius[k])
    joint = radius <= 1.25 * thickest
    radius[joint] = 0.0

    start, end = c.start[k], c.end[k]
    # a bond across the cell's border does not start in the ball of its other atom, which then cuts nothing
    low = _leaves(start, end, center[a], radius[a])
    high = 1 - _leaves(end, start, center[b], radius[b])
    middle = np.clip(0.5, low, high)
    balls = np.concatenate([atoms, np.flatnonzero(c.kind == HALO)])
    parts = [_taken(c, balls, 0.0, 1.0, c.first, c.owner[balls, 0])]
    # the halves overlap a little: two smoothed edges side by side would let the background shine through
    first, second = np.minimum(middle + 0.015, high), np.maximum(middle - 0.015, low)
    for lower, upper, color, atom in ((low, first, c.first, a), (second, high, c.second, b)):
        keep = upper - lower > 0.016
        parts.append(_taken(c, k[keep], lower[keep], upper[keep], color, atom[keep]))
    lines = np.flatnonzero(c.kind == LINE)
    edges = np.linspace(0, 1, _LINE_PIECES + 1)
    for p, q in pairwise(edges):
        parts.append(_taken(c, lines, float(p), float(q), c.first, c.owner[lines, 0]))
    cut = parts[0].joined(*parts[1:])
    joints = np.zeros(len(cut), dtype=bool)
    joints[: len(atoms)] = joint[c.owner[atoms, 0]]
    return cut, joints


def _taken(
    c: Capsules, index: Ints, low: float | Floats, high: float | Floats, color: NDArray[np.float32], atom: Ints
) -> Capsules:
    """The part from `low` to `high` (0 … 1) of some capsules, in one colour, belonging to one atom each."""
    start, along = c.start[index], c.end[index] - c.start[index]
    p, q = (np.broadcast_to(np.asarray(v, dtype=np.float64), len(index))[:, None] for v in (low, high))
    tint, owner = color[index], np.stack([atom, atom], axis=1)
    return Capsules(start + along * p, start + along * q, c.radius[index], tint, tint, c.kind[index], owner)


def _leaves(start: Floats, end: Floats, center: Floats, radius: Floats) -> Floats:
    """Where segments leave the balls that hold their start: share of the segment, 0 … 1; 0 if they start outside."""
    along, out = end - start, start - center
    square = np.maximum(np.einsum("nx,nx->n", along, along), 1e-12)
    # a little inside the ball, so that no gap shows
    room = (0.97 * radius) ** 2 - np.einsum("nx,nx->n", out, out)
    b = np.einsum("nx,nx->n", along, out)
    share = (-b + np.sqrt(np.maximum(b * b + square * room, 0.0))) / square
    return np.where(room > 0, np.clip(share, 0.0, 1.0), 0.0)


def _mixed_all(colors: Floats, fog: Floats, background: Floats) -> list[QColor]:
    tints = np.clip(colors, 0, 1) * (1 - fog) + background * fog
    return [QColor.fromRgbF(r, g, b) for r, g, b in tints.tolist()]


def _mixed(color: Floats, fog: Floats, background: Floats) -> QColor:
    return _mixed_all(color[None], fog, background)[0]


def _outline_pen(shot: Shot) -> QPen:
    r, g, b, strength = shot.outline
    return QPen(QColor.fromRgbF(r, g, b, strength), OUTLINE_WIDTH * shot.ratio)


def _disc(painter: QPainter, at: Floats, radius: float, brush: QBrush, pen: QPen | None) -> None:
    painter.setPen(pen if pen is not None else Qt.PenStyle.NoPen)
    painter.setBrush(brush)
    # the outline lies inside the ball, as the shader's does
    inner = radius if pen is None else max(radius - pen.widthF() / 2, 0.1)
    painter.drawEllipse(QPointF(at[0], at[1]), inner, inner)


def _band(
    painter: QPainter, start: Floats, end: Floats, widths: tuple[float, float], tints: list[QColor], pen: QPen
) -> None:
    along = end - start
    length = float(np.hypot(*along))
    if length < 0.05:
        return
    # up on the screen is -y: the side (-u_y, u_x) of view coordinates
    sx, sy = along[1] / length, -along[0] / length
    w, v = widths
    ax, ay, bx, by = float(start[0]), float(start[1]), float(end[0]), float(end[1])
    gradient = QLinearGradient(ax - sx * w, ay - sy * w, ax + sx * w, ay + sy * w)
    for stop, tint in zip((_ACROSS + 1) / 2, tints, strict=True):
        gradient.setColorAt(float(stop), tint)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(gradient))
    corners = [
        QPointF(ax - sx * w, ay - sy * w),
        QPointF(bx - sx * v, by - sy * v),
        QPointF(bx + sx * v, by + sy * v),
        QPointF(ax + sx * w, ay + sy * w),
    ]
    painter.drawPolygon(QPolygonF(corners))
    painter.setPen(pen)
    painter.drawLine(corners[0], corners[1])
    painter.drawLine(corners[3], corners[2])
