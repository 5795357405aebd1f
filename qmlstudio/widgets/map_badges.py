"""Labels in the map's corners: what is seen and how many of it, and what is being computed."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QPoint, QRectF, Qt
from PySide6.QtWidgets import QLabel, QWidget

from qmlstudio.widgets import raster
from qmlstudio.widgets.theme import Theme


def _tr(text: str) -> str:
    return QCoreApplication.translate("ScatterMap", text)


def mode_text(mode: raster.Mode, bins: float, hexagons: bool) -> str:
    """What a frame shows, in words; empty for plain points."""
    names = {
        "index": _tr("mean colour of each pixel"),
        "sample": _tr("one point for each pixel"),
        "density": _tr("density, log"),
        "count": _tr("count"),
        "mean": _tr("mean"),
        "min": _tr("minimum"),
        "max": _tr("maximum"),
        "std": _tr("standard deviation"),
        "contours": _tr("density contours"),
        "over": _tr("density, points where sparse"),
    }
    text = names.get(mode, "")
    if mode in ("density", "count", "mean", "min", "max", "std"):
        if bins <= 1.0:
            return text if mode == "density" else _tr("{} of each pixel").format(text)
        shape = _tr("hexagons of {:g} px") if hexagons else _tr("squares of {:g} px")
        text += ", " + shape.format(bins)
    return text


def statistic_text(kind: str, bins: float) -> str:
    """What the numbers on the colour bar of a statistic are."""
    if kind in ("density", "count"):
        return _tr("points per pixel") if bins <= 1.0 else _tr("points per bin")
    names = {
        "mean": _tr("mean"),
        "min": _tr("minimum"),
        "max": _tr("maximum"),
        "std": _tr("standard deviation"),
        "contours": _tr("points per 4 × 4 px"),
        "over": _tr("points per 4 × 4 px"),
    }
    return names.get(kind, "")


class MapBadges:
    """Two labels over a map; they let the mouse through, and the badge's text is said in a tooltip, too."""

    def __init__(self, parent: QWidget) -> None:
        self._badge, self._busy = QLabel(parent), QLabel(parent)
        for label in (self._badge, self._busy):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._badge.setAccessibleName(_tr("Points on the map"))
        self._busy.setAccessibleName(_tr("What the map waits for"))
        self._busy.hide()
        self._area = QRectF()
        self.details = ""

    @property
    def text(self) -> str:
        """What the badge says."""
        return self._badge.text()

    def set_counts(self, what: str, shown: int, total: int, placed: int) -> bool:
        """Say what is shown and how many points of how many; returns whether the text is another.

        Parameters
        ----------
        what : str
            As from :func:`mode_text`.
        shown, total, placed : int
            Points in view, all points, and those that have a place.
        """
        text = _tr("{shown} of {total}").format(shown=f"{shown:,}", total=f"{total:,}")
        if what:
            text = what + " · " + text
        lines = [_tr("{:,} of {:,} points lie in view").format(shown, total)]
        if placed < total:
            lines.append(_tr("{:,} without a place").format(total - placed))
        details = "\n".join(lines)
        if text == self._badge.text() and details == self.details:
            return False
        self.details = details
        self._badge.setText(text)
        self._badge.setAccessibleDescription(details)
        self.place(self._area)
        return True

    def set_busy(self, text: str | None) -> None:
        """What is being computed; None: nothing."""
        self._busy.setText(text or "")
        self._busy.setVisible(bool(text))
        self.place(self._area)

    def set_theme(self, colors: Theme) -> None:
        """Light or dark colours."""
        for label, color in ((self._badge, colors.muted), (self._busy, colors.accent)):
            label.setStyleSheet(
                f"QLabel {{ color: {color}; background: {colors.surface}; border: 1px solid {colors.border};"
                " border-radius: 4px; padding: 1px 6px; }"
            )
        self.place(self._area)

    def place(self, area: QRectF) -> None:
        """Keep to the right corners of the part of the parent that shows the map; too long a text is cut off there."""
        self._area = area
        for label, top in ((self._badge, False), (self._busy, True)):
            label.adjustSize()
            if area.width() > 24:
                label.resize(min(label.width(), int(area.width()) - 12), label.height())
            y = area.top() + 6 if top else area.bottom() - label.height() - 6
            label.move(round(area.right() - label.width() - 6), round(y))

    def tooltip_at(self, position: QPoint) -> str:
        """What to say of a position in the parent; empty where the badge is not."""
        return f"{self.text}\n{self.details}" if self._badge.geometry().contains(position) else ""
