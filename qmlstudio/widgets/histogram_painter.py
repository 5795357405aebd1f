"""How a histogram is painted: axes, bars, outlines, curves, legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from qmlstudio.widgets.color_bar import tick_text, ticks
from qmlstudio.widgets.theme import Theme

Floats = NDArray[np.float64]

DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 3),
    (1.5, 2.5),
    (7, 2.5, 1.5, 2.5),
    (3, 3),
    (9, 3),
    (5, 2, 1, 2, 1, 2),
    (1, 4),
)
RUG = 9.0
_GAP = 5.0


@dataclass(frozen=True, eq=False)
class Series:
    """One set of counts.

    Attributes
    ----------
    name : str
    color : str
        As ``#rrggbb``.
    counts : (k,) int64
    total : int
        What shares and densities are of.
    style : "bars" or "outline"
    dash : int
        Row of :data:`DASHES`: series differ by dashes, too.
    places, density : (g,) float64 or None
        A curve; on a logarithmic axis over the decadic logarithm.
    """

    name: str
    color: str
    counts: NDArray[np.int64]
    total: int
    style: Literal["bars", "outline"] = "bars"
    dash: int = 0
    places: Floats | None = None
    density: Floats | None = None


@dataclass
class Axes:
    """Where values and counts are."""

    edges: Floats = field(default_factory=lambda: np.array([0.0, 1.0]))
    title: str = ""
    log: bool = False
    discrete: bool = False
    names: tuple[str, ...] = ()
    density: bool = False
    log_counts: bool = False
    low: float = 0.0
    high: float = 1.0

    def heights(self, of: Series) -> Floats:
        """Heights of the bars: counts, shares (texts), or densities per unit (or decade)."""
        counts = of.counts.astype(np.float64)
        return counts * self._factor(of) if self.density else counts

    def curve(self, of: Series) -> Floats:
        """Heights of the curve in the same units."""
        assert of.density is not None
        return of.density if self.density else of.density * of.total * self.width

    def _factor(self, of: Series) -> float:
        return 1.0 / (max(of.total, 1) * (1.0 if self.names else self.width))

    @property
    def width(self) -> float:
        """Width of a bin: in decades on a logarithmic axis."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.log:
            return (math.log10(high) - math.log10(low)) / (len(self.edges) - 1)
        return ((high / 2 - low / 2) / (len(self.edges) - 1)) * 2 or 1.0

    @property
    def height_title(self) -> str:
        """What heights are."""
        if not self.density:
            return "count"
        return "share" if self.names else "density per decade" if self.log else "density"

    def fit(self, series: Sequence[Series]) -> None:
        """Let the highest fill the plot."""
        high, low = 0.0, math.inf
        for each in series:
            heights = self.heights(each)
            high = max(high, float(heights.max(initial=0.0)))
            if each.density is not None and each.total:
                high = max(high, float(self.curve(each).max(initial=0.0)))
            low = min(low, self._factor(each) if self.density else 1.0)
        self.high = high * 1.05 if 0 < high < math.inf else 1.0
        # half of one count: a single one still stands above the axis
        self.low = min(low, self.high) / 2 if self.log_counts else 0.0
        if self.log_counts:
            self.high = self.high**1.04 if self.high > 1 else self.high * 1.2

    def x(self, value: float, area: QRectF) -> float:
        """Pixel of a value; beyond the ends: the end."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        if self.log:
            t = 0.0 if value <= low else (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        else:
            # halves, since the span of the largest numbers is beyond the largest
            t = (value / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)
        return area.left() + min(max(t, 0.0), 1.0) * area.width()

    def y(self, height: float, area: QRectF) -> float:
        """Pixel of a height."""
        if self.log_counts:
            if height <= self.low:
                return area.bottom()
            t = (math.log(height) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            t = height / self.high
        return area.bottom() - min(max(t, 0.0), 1.0) * area.height()

    def bin_at(self, x: float, area: QRectF) -> int:
        """The bin at a pixel."""
        count = len(self.edges) - 1
        t = (x - area.left()) / max(area.width(), 1.0)
        return int(min(max(t * count, 0), count - 1))

    def range_text(self, first: int, last: int) -> str:
        """A range of bins for people, without the unit."""
        if self.names:
            return self.names[first] if first == last else f"{self.names[first]} … {self.names[last]}"
        low, high = float(self.edges[first]), float(self.edges[last + 1])
        if self.discrete:
            low, high = low + 0.5, high - 0.5
            return f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}"
        # digits that tell a tenth of the narrowest bin
        step = float(self.edges[first + 1]) / 2 - float(self.edges[first]) / 2
        size = max(abs(low), abs(high), 5e-324)
        places = 1 - math.floor(math.log10(2 * step)) if 0 < step < 1e300 else 99
        if 0 <= places <= 6 and size < 1e6:
            texts = [f"{v:.{places}f}" for v in (low, high)]
            texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
        else:
            digits = min(max(2 + math.ceil(math.log10(size / (2 * step))), 2), 15) if 0 < step < 1e300 else 3
            texts = [f"{v:.{digits}g}" for v in (low, high)]
        texts = [text.replace("-", "−") for text in texts]
        return f"{texts[0]} to {texts[1]}" if low < 0 else f"{texts[0]}–{texts[1]}"


def small(font: QFont) -> QFont:
    """A font for ticks and legends."""
    result = QFont(font)
    if font.pointSizeF() > 0:
        result.setPointSizeF(max(font.pointSizeF() * 0.88, 7.0))
    return result


def _entry_width(of: Series, metrics: QFontMetricsF) -> float:
    return 24.0 + metrics.horizontalAdvance(f"{of.name} {of.total:,}") + 12.0


def legend_size(series: Sequence[Series], font: QFont, width: float, beside: bool, side: float) -> tuple[float, float]:
    """Pixels that the legend takes at the right and at the top."""
    if not series:
        return 0.0, 0.0
    metrics = QFontMetricsF(small(font))
    if beside:
        return min(side, max(_entry_width(s, metrics) for s in series)), 0.0
    return 0.0, len(_rows(series, metrics, width - 8)) * (metrics.height() + 1)


def _rows(series: Sequence[Series], metrics: QFontMetricsF, width: float) -> list[list[Series]]:
    rows: list[list[Series]] = [[]]
    used = 0.0
    for each in series:
        wanted = _entry_width(each, metrics)
        if rows[-1] and used + wanted > width:
            rows.append([])
            used = 0.0
        rows[-1].append(each)
        used += wanted
    return rows


def area(axes: Axes, whole: QRectF, font: QFont, has_rug: bool, legend: tuple[float, float]) -> QRectF:
    """Where the bars are."""
    metrics = QFontMetricsF(small(font))
    values = height_ticks(axes)
    left = max((metrics.horizontalAdvance(tick_text(v, values)) for v in values), default=0.0) + 8 + metrics.height()
    below = metrics.height() * (1 if axes.names else 2) + 8 + (RUG if has_rug else 0.0)
    right = 10.0
    if axes.names and not _flat(axes, metrics, whole.width() - left - legend[0] - right):
        longest = max(metrics.horizontalAdvance(name) for name in axes.names)
        below = min(longest, _longest_label(whole)) + 8 + (RUG if has_rug else 0.0)
    top = 6.0 + legend[1] + metrics.ascent()
    return QRectF(left, top, max(1.0, whole.width() - left - right - legend[0]), max(1.0, whole.height() - top - below))


def _longest_label(whole: QRectF) -> float:
    return max(24.0, whole.height() * 0.38)


def _flat(axes: Axes, metrics: QFontMetricsF, width: float) -> bool:
    """Whether the names fit side by side."""
    each = width / max(len(axes.names), 1)
    return all(metrics.horizontalAdvance(name) < each - 6 for name in axes.names)


def height_ticks(axes: Axes) -> list[float]:
    """Round heights."""
    if axes.log_counts:
        return [t for t in ticks(axes.low * 1.01, axes.high, "log", 4) if axes.density or t >= 1] or [axes.high]
    found = ticks(0.0, axes.high, "linear", 4)
    return found if axes.density else [t for t in found if t == round(t)]


def grid(painter: QPainter, axes: Axes, area: QRectF, colors: Theme) -> None:
    """Lines of reference with the ticks of the heights."""
    painter.setFont(small(painter.font()))
    metrics = QFontMetricsF(painter.font())
    values = height_ticks(axes)
    above = math.inf
    for value in values:
        y = axes.y(value, area)
        painter.setPen(QPen(QColor(colors.grid), 1.0))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if above - y < metrics.height() * 0.9:
            continue
        above = y
        painter.setPen(QColor(colors.muted))
        text = tick_text(value, values)
        at = QPointF(area.left() - 4 - metrics.horizontalAdvance(text), y + metrics.ascent() / 2 - 1)
        painter.drawText(at, text)
    painter.save()
    painter.setPen(QColor(colors.muted))
    painter.translate(metrics.ascent() + 1, area.center().y())
    painter.rotate(-90)
    text = metrics.elidedText(axes.height_title, Qt.TextElideMode.ElideRight, area.height())
    painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, 0), text)
    painter.restore()


def series(painter: QPainter, axes: Axes, of: Series, area: QRectF, colors: Theme) -> None:
    """Bars or an outline, and the curve over them."""
    heights, color = axes.heights(of), QColor(of.color)
    xs = [axes.x(float(e), area) for e in axes.edges]
    gap = 1.0 if xs[-1] - xs[0] > 4.0 * len(heights) else 0.0
    if of.style == "bars":
        for k, height in enumerate(heights.tolist()):
            if height > 0:
                # one among thousands is still seen
                y = min(axes.y(height, area), area.bottom() - 1.0)
                painter.fillRect(QRectF(xs[k], y, max(1.0, xs[k + 1] - xs[k] - gap), area.bottom() - y), color)
    elif of.density is None:
        # a curve stands for the steps: several of both would be a thicket
        line = QPolygonF([QPointF(xs[0], area.bottom())])
        for k, height in enumerate(heights.tolist()):
            y = axes.y(height, area) if height <= 0 else min(axes.y(height, area), area.bottom() - 1.0)
            line.append(QPointF(xs[k], y))
            line.append(QPointF(xs[k + 1], y))
        line.append(QPointF(xs[-1], area.bottom()))
        painter.setPen(_pen(of, color, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(line)
    if of.density is None or of.places is None or not of.total:
        return
    places = np.power(10.0, of.places) if axes.log else of.places
    keep = (places >= axes.edges[0]) & (places <= axes.edges[-1])
    points = [
        QPointF(axes.x(x, area), axes.y(y, area))
        for x, y in zip(places[keep].tolist(), axes.curve(of)[keep].tolist(), strict=True)
    ]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if of.style == "bars":
        # on bars of its own colour a curve needs a rim
        painter.setPen(QPen(QColor(colors.background), 4.0))
        painter.drawPolyline(QPolygonF(points))
        color = color.darker(165) if not colors.dark else color.lighter(165)
    painter.setPen(_pen(of, color, 1.8))
    painter.drawPolyline(QPolygonF(points))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _pen(of: Series, color: QColor, width: float) -> QPen:
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    if DASHES[of.dash % len(DASHES)]:
        pen.setDashPattern(DASHES[of.dash % len(DASHES)])
    return pen


def axis(painter: QPainter, axes: Axes, area: QRectF, whole: QRectF, colors: Theme, has_rug: bool) -> None:
    """The line below with its ticks and title, or the names of the bars."""
    metrics = QFontMetricsF(painter.font())
    painter.setPen(QPen(QColor(colors.muted), 1.0))
    painter.drawLine(area.bottomLeft(), area.bottomRight())
    base = area.bottom() + (RUG if has_rug else 0.0)
    if axes.names:
        _names(painter, axes, area, whole, base, metrics, colors)
        return
    low, high = float(axes.edges[0]), float(axes.edges[-1])
    count = max(2, int(area.width() / 80))
    values = ticks(low, high, "log" if axes.log else "linear", count) if math.isfinite(high - low) else [low, high]
    if axes.discrete:
        values = [v for v in values if v == round(v)] or [round(low + 0.5)]
    end = -math.inf
    for value in values:
        text, x = tick_text(value, values), axes.x(value, area)
        width = metrics.horizontalAdvance(text)
        left = min(max(x - width / 2, 0.0), whole.width() - width)
        if left < end + 6:
            continue
        end = left + width
        painter.setPen(QPen(QColor(colors.muted), 1.0))
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
        painter.setPen(QColor(colors.foreground))
        painter.drawText(QPointF(left, base + 4 + metrics.ascent()), text)
    title = metrics.elidedText(axes.title, Qt.TextElideMode.ElideRight, area.width())
    at = QPointF(
        area.center().x() - metrics.horizontalAdvance(title) / 2, base + 4 + metrics.height() + metrics.ascent()
    )
    painter.drawText(at, title)


def _names(
    painter: QPainter, axes: Axes, area: QRectF, whole: QRectF, base: float, metrics: QFontMetricsF, colors: Theme
) -> None:
    painter.setPen(QColor(colors.foreground))
    flat, each = _flat(axes, metrics, area.width()), area.width() / len(axes.names)
    every = max(1, math.ceil(metrics.height() * 0.95 / each))
    for k, name in enumerate(axes.names):
        x = area.left() + (k + 0.5) * each
        if flat:
            painter.drawText(QPointF(x - metrics.horizontalAdvance(name) / 2, base + 4 + metrics.ascent()), name)
        elif k % every == 0:
            text = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, _longest_label(whole))
            painter.save()
            painter.translate(x + metrics.ascent() / 2 - 1, base + 4 + metrics.horizontalAdvance(text))
            painter.rotate(-90)
            painter.drawText(QPointF(0, 0), text)
            painter.restore()


def rug(painter: QPainter, axes: Axes, values: Floats, area: QRectF, colors: Theme) -> None:
    """Short lines below the axis."""
    painter.setPen(QPen(QColor(colors.point), 1.0))
    for value in values.tolist():
        if math.isfinite(value) and (value > 0 or not axes.log):
            x = axes.x(value, area)
            painter.drawLine(QPointF(x, area.bottom() + 2), QPointF(x, area.bottom() + RUG))


def mark(painter: QPainter, axes: Axes, value: float, text: str, area: QRectF, colors: Theme) -> None:
    """A vertical line with its text above the plot."""
    if axes.log and value <= 0:
        return
    metrics, x = QFontMetricsF(painter.font()), axes.x(value, area)
    painter.setPen(QPen(QColor(colors.accent), 1.8))
    painter.drawLine(QPointF(x, area.top() - 2), QPointF(x, area.bottom()))
    text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, area.width())
    width = metrics.horizontalAdvance(text)
    left = min(max(x - width / 2, area.left()), area.right() - width)
    painter.drawText(QPointF(left, area.top() - 4), text)


def band(
    painter: QPainter, axes: Axes, first: int, last: int, area: QRectF, color: str, alpha: int, outlined: bool
) -> None:
    """A veil over bins."""
    left, right = axes.x(float(axes.edges[first]), area), axes.x(float(axes.edges[last + 1]), area)
    veil, where = QColor(color), QRectF(left, area.top(), max(right - left, 1.0), area.height())
    veil.setAlpha(alpha)
    painter.fillRect(where, veil)
    if outlined:
        painter.setPen(QPen(QColor(color), 1.4, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(where)


def range_label(painter: QPainter, axes: Axes, text: str, first: int, last: int, area: QRectF, colors: Theme) -> None:
    """The range that is being dragged, at the foot of its band."""
    metrics = QFontMetricsF(painter.font())
    width = metrics.horizontalAdvance(text) + 10
    middle = (axes.x(float(axes.edges[first]), area) + axes.x(float(axes.edges[last + 1]), area)) / 2
    left = min(max(middle - width / 2, area.left()), area.right() - width)
    _box(painter, QRectF(left, area.bottom() - metrics.height() - 6, width, metrics.height() + 2), text, colors)


def badge(painter: QPainter, text: str, area: QRectF, x: float, colors: Theme) -> None:
    """What is under the mouse: at the top, on the side away from it, on as many lines as it takes."""
    metrics = QFontMetricsF(painter.font())
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap)
    room = area.width() * 0.62
    box = metrics.boundingRect(QRectF(0, 0, room, 400), flags, text)
    width, height = box.width() + 12, box.height() + 4
    left = area.right() - width - 2 if x < area.center().x() else area.left() + 2
    _box(painter, QRectF(left, area.top() + 2, width, height), text, colors)


def _box(painter: QPainter, where: QRectF, text: str, colors: Theme) -> None:
    ground = QColor(colors.surface)
    ground.setAlpha(235)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colors.border), 1.0))
    painter.setBrush(ground)
    painter.drawRoundedRect(where, 4.0, 4.0)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(QColor(colors.foreground))
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap)
    painter.drawText(where.adjusted(6, 0, -4, 0), flags, text)


def legend(painter: QPainter, of: Sequence[Series], whole: QRectF, beside: bool, side: float, colors: Theme) -> None:
    """What the series are called, with their numbers."""
    metrics = QFontMetricsF(painter.font())
    line = metrics.height() + 1
    if beside:
        width = min(side, max((_entry_width(each, metrics) for each in of), default=0.0))
        rows, x0, y = [[each] for each in of], whole.right() - width, 8.0
        fitting = max(1, int((whole.height() - 10) / line))
        if len(rows) > fitting:
            left_out = len(rows) - fitting + 1
            rows = rows[: fitting - 1]
            painter.setPen(QColor(colors.muted))
            painter.drawText(QPointF(x0 + 20, y + (fitting - 1) * line + metrics.ascent()), f"… {left_out:,} more")
    else:
        rows, x0, y = _rows(of, metrics, whole.width() - 8), 6.0, 3.0
    for row in rows:
        x = x0
        for each in row:
            _swatch(painter, each, QRectF(x, y + line / 2 - 5, 16, 10))
            count = f"{each.total:,}"
            room = whole.right() - x - 26 - metrics.horizontalAdvance(f" {count}")
            text = metrics.elidedText(each.name, Qt.TextElideMode.ElideMiddle, room) + " "
            painter.setPen(QColor(colors.foreground))
            painter.drawText(QPointF(x + 20, y + metrics.ascent()), text)
            painter.setPen(QColor(colors.muted))
            painter.drawText(QPointF(x + 22 + metrics.horizontalAdvance(text), y + metrics.ascent()), count)
            x += _entry_width(each, metrics)
        y += line


def _swatch(painter: QPainter, of: Series, where: QRectF) -> None:
    color = QColor(of.color)
    if of.style == "bars":
        painter.fillRect(where, color)
        return
    painter.setPen(_pen(of, color, 2.0))
    painter.drawLine(QPointF(where.left(), where.center().y()), QPointF(where.right(), where.center().y()))
