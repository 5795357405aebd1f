"""The way of a trajectory over a map: a line through its frames, of any number, with arrows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets import overlay_backend
from qmlstudio.widgets.overlay_items import BoxItem, paint_arrow
from qmlstudio.widgets.raster_numpy import spread
from qmlstudio.widgets.theme import Theme, rgb

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REST_MS = 60
"""A path that takes longer than :data:`DIRECT_MS` is drawn when the map has rested for so long."""
DIRECT_MS = 10.0
SLICE_MS = 8.0
PIXEL_BUDGET = 60e6
"""Steps along lines (a pixel each) that one picture may take, about 1.5 s; above it only every so many-th stretch."""
QUICK_STEPS = 2e5
"""The same for the picture while points are moving."""
QT_SEGMENTS = 20_000
HALF_WIDTH = 0.8
ARROW_SPACING = 120.0
MOST_ARROWS = 60


@dataclass(frozen=True, eq=False)
class Trail:
    """Points in the order of time.

    Attributes
    ----------
    order : (m,) int64
        Points.
    joined : (m,) bool
        Whether the line goes on from the point before; false where a trajectory begins.
    colors : (m,) uint16
        Index into `table`.
    table : (k, 3) uint8, or None
        Colours along time; None: the theme's foreground.
    """

    order: Ints
    joined: NDArray[np.bool_]
    colors: NDArray[np.uint16]
    table: NDArray[np.uint8] | None


@dataclass(eq=False)
class _Picture:
    """A picture of the path and how it was or is being made."""

    image: NDArray[np.uint32]
    place: tuple[float, ...]
    """Width, height, left, top, pixel ratio, then the transform t0, t1, t2, t3 of data to pixels of the device."""
    every: int
    state: Floats
    arrows: Floats
    at: int = 0
    arrow_count: int = 0
    milliseconds: float = 0.0


class PathItem(BoxItem):
    """The line, drawn by :mod:`qmlstudio.widgets.path_loops` into a picture that is kept while nothing moves.

    Short paths are drawn anew for every frame. A long one is drawn in slices when the map rests; until then its last
    picture is moved and scaled with the map, and while the points themselves move, stretches of it are drawn.
    """

    described = Signal()
    """`description` may have changed."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 13.0)
        self.trail: Trail | None = None
        self.passed_over = 0
        self._done: _Picture | None = None
        self._next: _Picture | None = None
        self._chunk = 2000
        self._moved = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.timeout.connect(self._on_rest_timeout)

    def set_trail(self, trail: Trail | None) -> None:
        """Show this path, or none."""
        self.trail = trail
        self._forget()

    def set_points(self, points: Floats) -> None:
        if len(points) != len(self.points):
            # compiled loops do not check that a point exists
            self.trail = None
            self._forget()
        super().set_points(points)
        self._moved = True
        self._next = None
        if self._done is not None and self._done.milliseconds <= DIRECT_MS:
            self._done = None

    def set_theme(self, colors: Theme) -> None:
        super().set_theme(colors)
        self._forget()

    def refresh(self) -> None:
        """Draw anew, with compiled loops if they have been loaded meanwhile."""
        self._forget()

    def fit(self) -> None:
        super().fit()
        self._forget()

    def _forget(self) -> None:
        self._done = self._next = None
        self._rest.stop()
        self.update()

    @property
    def every(self) -> int:
        """1 if all of the path is drawn, else only every so many-th stretch of 64 frames."""
        return 1 if self._done is None else self._done.every

    @property
    def is_complete(self) -> bool:
        """Whether the picture on screen is the final one for what the map shows now."""
        return self.trail is None or (self._done is not None and not self._rest.isActive() and not self._moved)

    # -- drawing

    def _place(self, painter: QPainter) -> tuple[float, ...]:
        ratio = painter.device().devicePixelRatio()
        to_device = painter.worldTransform() * QTransform.fromScale(ratio, ratio)
        area = to_device.mapRect(self.boundingRect())
        left, top = float(np.floor(area.left())), float(np.floor(area.top()))
        width, height = float(np.ceil(area.right())) - left, float(np.ceil(area.bottom())) - top
        t = self.box.childTransform() * to_device
        return width, height, left, top, ratio, t.m11(), t.dx() - left, t.m22(), t.dy() - top

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if self.trail is None or len(self.trail.order) < 2 or not len(self.points):
            return
        place = self._place(painter)
        if place[0] <= 0 or place[1] <= 0:
            return
        if overlay_backend.path_loops() is None:
            self._paint_by_qt(painter)
            return
        if self._done is None or self._done.place != place or self._moved:
            self._renew(place)
        if self._done is not None:
            self._paint_picture(painter, self._done, place)

    def _renew(self, place: tuple[float, ...]) -> None:
        """Draw at once what is quick; otherwise begin when the map rests."""
        was = self._done
        cheap = was is None or was.milliseconds <= DIRECT_MS
        estimate = self._estimate(place)
        if cheap and estimate <= QUICK_STEPS:
            self._done = self._begin(place, 1)
            while not self._advance(self._done, 1e9):
                pass
            self._moved = False
            self._rest.stop()
            self._said()
            return
        resized = was is not None and was.place[:5] != place[:5]
        if was is None or self._moved or resized:
            # what is on screen would be wrong, not only shifted
            quick = self._begin(place, max(1, int(np.ceil(estimate / QUICK_STEPS))))
            clock = QElapsedTimer()
            clock.start()
            while not self._advance(quick, SLICE_MS) and clock.elapsed() < 3 * SLICE_MS:
                pass
            quick.milliseconds = float("inf")
            self._done, self._moved = quick, False
        self._next = None
        self._rest.start(REST_MS)

    def _estimate(self, place: tuple[float, ...]) -> float:
        """Steps that the whole path takes, from a sample of its pieces."""
        trail = self.trail
        assert trail is not None
        m = len(trail.order)
        ends = np.unique(np.linspace(1, m - 1, min(m - 1, 2000)).astype(np.int64))
        ends = ends[trail.joined[ends]]
        if not len(ends):
            return 0.0
        a, b = (self.points[trail.order[k]] * (place[5], place[7]) + (place[6], place[8]) for k in (ends - 1, ends))
        with np.errstate(invalid="ignore"):
            a, b = np.clip(a, 0, place[:2]), np.clip(b, 0, place[:2])
            steps = np.nan_to_num(abs(b - a).max(axis=1))
        return float(steps.mean() + 0.05) * m

    def _begin(self, place: tuple[float, ...], every: int) -> _Picture:
        image = np.zeros((int(place[1]), int(place[0])), np.uint32)
        return _Picture(image, place, every, np.zeros(5), np.zeros((MOST_ARROWS, 4)))

    def _advance(self, picture: _Picture, milliseconds: float) -> bool:
        """Draw on for about so long; returns whether the picture is complete."""
        trail, loops = self.trail, overlay_backend.path_loops()
        assert trail is not None
        assert loops is not None
        m = len(trail.order)
        ratio = picture.place[4]
        table = trail.table if trail.table is not None else np.array([rgb(self.colors.foreground)], np.uint8)
        c = table.astype(np.uint32)
        lanes = spread(np.uint32(0xFF000000) | c[:, 0] << np.uint32(16) | c[:, 1] << np.uint32(8) | c[:, 2])
        # few arrows on a way that fills the picture
        crowd = max(1.0, self._estimate(picture.place) / (MOST_ARROWS * ARROW_SPACING * ratio))
        look = np.array([HALF_WIDTH * ratio, ARROW_SPACING * ratio * crowd, 0.5])
        transform = np.array(picture.place[5:9])
        clock = QElapsedTimer()
        clock.start()
        while picture.at < m:
            stop = min(m, picture.at + self._chunk * picture.every)
            part = np.array([picture.at, stop, picture.every, picture.arrow_count], np.int64)
            before = clock.nsecsElapsed()
            loops.draw_path(
                picture.image,
                self.points,
                trail.order,
                trail.joined,
                trail.colors,
                lanes,
                transform,
                look,
                picture.state,
                picture.arrows,
                part,
            )
            picture.at, picture.arrow_count = stop, int(part[3])
            took = (clock.nsecsElapsed() - before) / 1e6
            # the next call takes about half a slice
            self._chunk = int(np.clip(self._chunk * 0.5 * SLICE_MS / max(took, 0.05), 64, 100_000))
            if clock.elapsed() >= milliseconds:
                break
        picture.milliseconds += clock.nsecsElapsed() / 1e6
        return picture.at >= m

    def _on_rest_timeout(self) -> None:
        if self.trail is None or self._done is None or not self.isVisible():
            return
        if self._next is None:
            place = self._current_place()
            self._next = self._begin(place, max(1, int(np.ceil(self._estimate(place) / PIXEL_BUDGET))))
        if self._advance(self._next, SLICE_MS):
            self._done, self._next = self._next, None
            self._said()
            self.update()
        else:
            self._rest.start(0)

    def _current_place(self) -> tuple[float, ...]:
        """The place of the last picture with the transform of now."""
        assert self._done is not None
        width, height, left, top, ratio = self._done.place[:5]
        to_device = self.sceneTransform() * QTransform.fromScale(ratio, ratio)
        t = self.box.childTransform() * to_device
        return width, height, left, top, ratio, t.m11(), t.dx() - left, t.m22(), t.dy() - top

    def _said(self) -> None:
        if self._done is not None:
            self.passed_over = int(self._done.state[4])
        self.described.emit()

    def _paint_picture(self, painter: QPainter, picture: _Picture, place: tuple[float, ...]) -> None:
        height, width = picture.image.shape
        image = QImage(picture.image.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        _, _, left, top, ratio, t0, t1, t2, t3 = place
        _, _, _, _, _, s0, s1, s2, s3 = picture.place
        # an old picture lies where the same data are now
        sx, sy = t0 / s0, t2 / s2
        shift_x, shift_y = t1 - sx * s1, t3 - sy * s3
        painter.save()
        painter.resetTransform()
        painter.scale(1.0 / ratio, 1.0 / ratio)
        painter.setClipRect(QRectF(left, top, place[0], place[1]))
        painter.drawImage(QRectF(left + shift_x, top + shift_y, width * sx, height * sy), image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(left, top)
        for x, y, u, v in picture.arrows[: picture.arrow_count].tolist():
            self._paint_arrow(painter, x * sx + shift_x, y * sy + shift_y, u, v, ratio)
        painter.restore()

    def _paint_arrow(self, painter: QPainter, x: float, y: float, u: float, v: float, ratio: float) -> None:
        painter.save()
        painter.translate(x, y)
        painter.scale(ratio, ratio)
        paint_arrow(painter, QPointF(4.0 * u, 4.0 * v), (u, v), self.colors.foreground, self.colors)
        painter.restore()

    def _paint_by_qt(self, painter: QPainter) -> None:
        """The first frames, until the loops are loaded: at most :data:`QT_SEGMENTS` pieces."""
        assert self.trail is not None
        order, joined = self.trail.order[:QT_SEGMENTS], self.trail.joined[:QT_SEGMENTS]
        at = self.pixels(order)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self.colors.foreground), 2 * HALF_WIDTH, Qt.PenStyle.SolidLine))
        broken = ~joined | ~np.isfinite(at).all(axis=1)
        for piece in np.split(np.arange(len(order)), np.flatnonzero(broken)):
            kept = at[piece][np.isfinite(at[piece]).all(axis=1)]
            if len(kept) > 1:
                painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in kept.tolist()]))
