"""Names on a map: placed so that none covers another, with lines to what they name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from qmlstudio.widgets.overlay_items import BoxItem
from qmlstudio.widgets.theme import Theme

Floats = NDArray[np.float64]

MOST_LABELS = 200
REST_MS = 120
"""Names are placed anew when the map has not been zoomed for so long."""
LONGEST = 28
"""Letters; longer names end in an ellipsis."""
GAP = 2.0
MARGIN = 2.0
"""Pixels by which a name's halo stands out."""
_NEAR = 7.0
_DISTANCES = (22.0, 40.0, 64.0)
LEADER = 14.0
"""Names whose edge is farther than this from their point get a line to it."""


@dataclass(frozen=True)
class Label:
    """A name at a point; `strong` ones (of groups) are bold and lie on their point if they can."""

    text: str
    index: int
    strong: bool = False


def place(anchors: ArrayLike, sizes: ArrayLike, area: tuple[float, float], centered: ArrayLike | None = None) -> Floats:
    """Upper left corners (k, 2) of rectangles beside their anchors, none over another: greedy, the first come first.

    Parameters
    ----------
    anchors : (k, 2) float, pixels
        NaN: not placed.
    sizes : (k, 2) float, pixels
        Width and height.
    area : (width, height) float, pixels
        Anchors outside are not named; no rectangle leaves it.
    centered : (k,) bool, optional
        These try to lie on their anchor first.

    Returns
    -------
    (k, 2) float
        NaN for those for which there is no room.
    """
    at = np.asarray(anchors, dtype=np.float64).reshape(-1, 2)
    size = np.asarray(sizes, dtype=np.float64).reshape(-1, 2)
    middle = np.zeros(len(at), np.bool_) if centered is None else np.asarray(centered, dtype=np.bool_)
    result = np.full((len(at), 2), np.nan)
    taken: Floats = np.zeros((len(at), 4))
    count = 0
    with np.errstate(invalid="ignore"):
        visible = ((at >= 0) & (at <= area)).all(axis=1)
    for k in np.flatnonzero(visible):
        low = at[k] + _candidates(size[k], bool(middle[k]))
        high = low + size[k]
        free = (low >= 0).all(axis=1) & (high <= area).all(axis=1)
        others = taken[:count]
        overlap = (
            (low[:, None, 0] < others[:, 2] + GAP)
            & (high[:, None, 0] > others[:, 0] - GAP)
            & (low[:, None, 1] < others[:, 3] + GAP)
            & (high[:, None, 1] > others[:, 1] - GAP)
        ).any(axis=1)
        free &= ~overlap
        best = int(np.argmax(free))
        if free[best]:
            result[k] = low[best]
            taken[count] = (*low[best], *high[best])
            count += 1
    return result


def _candidates(size: Floats, centered: bool) -> Floats:
    """Offsets (c, 2) from the anchor to the upper left corner, in the order in which they are tried."""
    width, height = size
    offsets = [(-width / 2, -height / 2)] if centered else []
    # right, left, above, below, then the corners, then farther away all around
    for x, y in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)):
        reach = _NEAR if 0 in (x, y) else 0.7 * _NEAR
        offsets.append((x * reach + (x - 1) * width / 2, y * reach + (y - 1) * height / 2))
    for distance in _DISTANCES:
        for angle in np.arange(12) * (np.pi / 6):
            c, s = np.cos(angle), np.sin(angle)
            offsets.append((c * distance + (c - 1) * width / 2, s * distance + (s - 1) * height / 2))
    return np.array(offsets)


class LabelItem(BoxItem):
    """Names with a halo in the background's colour; while the map moves they keep their place beside their points."""

    def __init__(self, box: pg.ViewBox, colors: Theme) -> None:
        super().__init__(box, colors, 18.0)
        self.labels: list[Label] = []
        self._paths: list[QPainterPath] = []
        self._images: dict[int, tuple[tuple[object, ...], QImage]] = {}
        self._sizes: Floats = np.zeros((0, 2))
        self._offsets: Floats = np.zeros((0, 2))
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.place)

    def set_labels(self, labels: list[Label]) -> None:
        """Show these, the most important first."""
        self.labels = labels[:MOST_LABELS]
        self._paths, sizes = [], []
        self._images.clear()
        for label in self.labels:
            font = _font(label.strong)
            metrics = QFontMetricsF(font)
            text = label.text if len(label.text) <= LONGEST else label.text[: LONGEST - 1] + "…"
            path = QPainterPath()
            path.addText(QPointF(2.0, 1.0 + metrics.ascent()), font, text)
            self._paths.append(path)
            sizes.append((metrics.horizontalAdvance(text) + 4.0, metrics.height() + 2.0))
        self._sizes = np.array(sizes, np.float64).reshape(-1, 2)
        self.place()

    def set_points(self, points: Floats) -> None:
        super().set_points(points)
        self._later()

    def fit(self) -> None:
        super().fit()
        self._later()

    def place(self) -> None:
        """Find room for the names where the points are now."""
        self._rest.stop()
        area = self.boundingRect()
        anchors = self._anchors()
        strong = np.array([label.strong for label in self.labels], np.bool_)
        self._offsets = place(anchors, self._sizes, (area.width(), area.height()), strong) - anchors
        self.update()

    @property
    def placed(self) -> int:
        """How many names have found room."""
        return int(np.isfinite(self._offsets[:, 0]).sum())

    def rectangles(self) -> Floats:
        """(k, 4) left, top, right, bottom of the names in pixels, NaN where one is not shown."""
        corner = self._anchors() + self._offsets
        return np.hstack([corner, corner + self._sizes])

    def _anchors(self) -> Floats:
        return self.pixels(np.array([label.index for label in self.labels], np.int64))

    def _later(self) -> None:
        if self.labels:
            self._rest.start()

    def _on_box_range_changed(self) -> None:
        self.update()
        self._later()

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if not self.labels:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self.boundingRect()
        anchors = self._anchors()
        corners = anchors + self._offsets
        halo = QColor(self.colors.background)
        halo.setAlpha(225)
        shown = [k for k in range(len(self.labels)) if np.isfinite(corners[k]).all()]
        for k in shown:
            frame = QRectF(*corners[k], *self._sizes[k])
            anchor = QPointF(*anchors[k])
            near = QPointF(
                min(max(anchor.x(), frame.left()), frame.right()), min(max(anchor.y(), frame.top()), frame.bottom())
            )
            way = near - anchor
            if way.x() ** 2 + way.y() ** 2 > LEADER**2 and frame.intersects(area):
                for pen in (QPen(halo, 3.0), QPen(QColor(self.colors.muted), 1.0)):
                    painter.setPen(pen)
                    painter.drawLine(anchor, near)
        ratio = painter.device().devicePixelRatio()
        for k in shown:
            frame = QRectF(*corners[k], *self._sizes[k])
            if frame.intersects(area):
                # whole pixels: names stay sharp
                painter.drawImage(
                    QPointF(round(frame.left()) - MARGIN, round(frame.top()) - MARGIN), self._image(k, ratio)
                )

    def _image(self, k: int, ratio: float) -> QImage:
        """A name with its halo, drawn once."""
        key = (self._paths[k].elementCount(), ratio, self.colors.dark)
        found = self._images.get(k)
        if found is None or found[0] != key:
            width, height = (self._sizes[k] + 2 * MARGIN) * ratio
            image = QImage(int(np.ceil(width)), int(np.ceil(height)), QImage.Format.Format_ARGB32_Premultiplied)
            image.setDevicePixelRatio(ratio)
            image.fill(Qt.GlobalColor.transparent)
            halo = QColor(self.colors.background)
            halo.setAlpha(225)
            painter = QPainter(image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(MARGIN, MARGIN)
            style = (Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
            painter.strokePath(self._paths[k], QPen(halo, 3.5, *style))
            painter.fillPath(self._paths[k], QColor(self.colors.foreground))
            painter.end()
            found = self._images[k] = (key, image)
        return found[1]


def _font(strong: bool) -> QFont:
    font = QFont()
    font.setPixelSize(12 if strong else 11)
    font.setBold(strong)
    return font
