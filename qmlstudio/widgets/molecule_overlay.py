"""What lies flat on the picture of a structure: labels, measures of picked atoms, names of the cell's axes.

Drawn with QPainter over either back end, on the screen and in figures alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.geometry import measure, minimum_image
from qmlstudio.session.atom_values import AtomValues
from qmlstudio.widgets.camera import Camera
from qmlstudio.widgets.molecule_scene import Floats
from qmlstudio.widgets.molecule_values import paint_bar
from qmlstudio.widgets.theme import Theme, mix, theme

MOST_LABELS: Final = 600
"""Above that many visible atoms labels are neither readable nor quick."""

_NAMES: Final = {"distance": "d", "angle": "∠", "dihedral": "dihedral"}


@dataclass(frozen=True, eq=False)
class Mark:
    """A measure on the picture.

    Attributes
    ----------
    points : (2 to 4, 3) float, Å
        The measured atoms, in the images next to each other when periodic.
    value : str
        What stands beside it.
    pinned : bool
        Survives the picks; drawn in the colour of pins.
    """

    points: Floats
    value: str
    pinned: bool = False


@dataclass(frozen=True, eq=False)
class Overlay:
    """What to draw.

    Attributes
    ----------
    numbers : (N,) int
    positions : (N, 3) float, Å
    radii : (N,) float, Å
    visible : (N,) bool
    labels : "none", "element", "index" or "both"
    picked : tuple of int
        Named beside their atoms.
    hovered : int or None
        Ringed thinly.
    marks : tuple of Mark
    cell : (3, 3) float or None, Å
        Whose axes are named.
    dark : bool
    values : AtomValues or None
        What the colours of the atoms mean: a bar, and their numbers beside the atoms when wanted.
    """

    numbers: NDArray[np.int64]
    positions: Floats
    radii: Floats
    visible: NDArray[np.bool_]
    labels: str = "none"
    picked: tuple[int, ...] = ()
    hovered: int | None = None
    marks: tuple[Mark, ...] = ()
    cell: Floats | None = None
    dark: bool = False
    values: AtomValues | None = None


def measure_mark(
    positions: Floats, atoms: Sequence[int], cell: Floats | None, pinned: bool = False
) -> tuple[Mark, str] | None:
    """The mark of 2 (distance), 3 (angle) or 4 (dihedral) atoms, and its text for a status bar; None for other counts.

    Returns
    -------
    Mark, str
        The text is like ``d 1.09 Å``, ``∠ 109.5°``, ``dihedral 180.0°``, with ``mic`` where a periodic image was taken.
    """
    if not 2 <= len(atoms) <= 4:
        return None
    found = measure(positions, list(atoms), cell)
    digits, space = (2, " ") if found.kind == "distance" else (1, "")
    value = f"{found.value:.{digits}f}{space}{found.unit}"
    suffix = " mic" if found.mic else ""
    points = positions[np.asarray(atoms, dtype=np.int64)]
    if found.mic:
        steps = minimum_image(np.diff(points, axis=0), cell)
        points = np.concatenate([points[:1], points[0] + np.cumsum(steps, axis=0)])
    return Mark(points, value + suffix, pinned), f"{_NAMES.get(found.kind, found.kind)} {value}{suffix}"


def paint_overlay(painter: QPainter, overlay: Overlay, camera: Camera, width: float, height: float) -> None:
    """Draws it for a picture of that size in the painter's units.

    Parameters
    ----------
    painter : QPainter
    overlay : Overlay
    camera : Camera
        The picture's.
    width, height : float
    """
    colors = theme(overlay.dark)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pixels, depth, scale = camera.project(overlay.positions, width, height)
    if overlay.labels != "none" or (overlay.values is not None and overlay.values.numbers):
        _paint_labels(painter, overlay, colors, pixels, depth, overlay.radii * scale)
    if overlay.cell is not None:
        _paint_axes(painter, overlay.cell, colors, camera, width, height)
    if overlay.hovered is not None and overlay.hovered < len(pixels):
        at, radius = pixels[overlay.hovered], overlay.radii[overlay.hovered] * scale[overlay.hovered]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colors.foreground), 1.6))
        painter.drawEllipse(QPointF(*at), radius + 2, radius + 2)
    for mark in overlay.marks:
        _paint_mark(painter, mark, colors, camera, width, height)
    if overlay.labels == "none":
        _paint_names(painter, overlay, colors, pixels, overlay.radii * scale)
    if overlay.values is not None:
        paint_bar(painter, overlay.values, overlay.dark, width)


def label_text(number: int, index: int, mode: str) -> str:
    """The label of an atom: element, 1-based index or both; empty for "none"."""
    element = SYMBOLS[number] if mode in ("element", "both") else ""
    return element + (str(index + 1) if mode in ("index", "both") else "")


def unobscured(pixels: Floats, depth: Floats, discs: Floats, visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) which atoms' middles no nearer atom covers.

    Parameters
    ----------
    pixels : (N, 2) float
    depth : (N,) float, Å
        Larger is nearer.
    discs : (N,) float
        Radii on the picture.
    visible : (N,) bool
    """
    shown = np.flatnonzero(visible)
    apart = pixels[shown, None] - pixels[None, shown]
    square = np.einsum("ijx,ijx->ij", apart, apart)
    covers = (square < (0.85 * discs[None, shown]) ** 2) & (depth[None, shown] > depth[shown, None] + 1e-9)
    free = np.zeros(len(pixels), dtype=bool)
    free[shown] = ~covers.any(axis=1)
    return free


# -- inside --------------------------------------------------------------------------------------------------------


def _paint_labels(
    painter: QPainter, overlay: Overlay, colors: Theme, pixels: Floats, depth: Floats, discs: Floats
) -> None:
    if int(overlay.visible.sum()) > MOST_LABELS:
        return
    values = overlay.values.texts() if overlay.values is not None and overlay.values.numbers else ()
    font = _font(painter, 0.95, bold=True)
    for i in np.flatnonzero(unobscured(pixels, depth, discs, overlay.visible)).tolist():
        text = label_text(int(overlay.numbers[i]), i, overlay.labels)
        if values:
            text = f"{text} {values[i]}".strip()
        color = colors.accent if i in overlay.picked else colors.foreground
        _paint_text(painter, QPointF(*pixels[i]), text, font, color, colors.background)


def _paint_names(painter: QPainter, overlay: Overlay, colors: Theme, pixels: Floats, discs: Floats) -> None:
    """Names of the picked atoms (nothing is said by the ring's colour alone), away from the other picked ones."""
    picked = list(overlay.picked[:8])
    if not picked:
        return
    font = _font(painter, 0.95, bold=True)
    middle = pixels[picked].mean(axis=0)
    for atom in picked:
        away = pixels[atom] - middle
        length = float(np.hypot(*away))
        away = away / length if length > 1 else np.array([0.71, 0.71])
        text = label_text(int(overlay.numbers[atom]), atom, "both")
        at = pixels[atom] + away * (float(discs[atom]) + 16)
        _paint_text(painter, QPointF(*at), text, font, colors.accent, colors.background)


def _paint_axes(painter: QPainter, cell: Floats, colors: Theme, camera: Camera, width: float, height: float) -> None:
    lengths = np.linalg.norm(cell, axis=1)
    beyond = cell * (1 + 0.35 / np.maximum(lengths, 1.0))[:, None]
    at, _, _ = camera.project(beyond, width, height)
    font = _font(painter, 1.0, bold=True, italic=True)
    for name, point, length in zip("abc", at, lengths, strict=True):
        if length > 0:
            _paint_text(painter, QPointF(*point), name, font, colors.muted, colors.background)


def _paint_mark(painter: QPainter, mark: Mark, colors: Theme, camera: Camera, width: float, height: float) -> None:
    color = colors.pin if mark.pinned else colors.accent
    at, _, _ = camera.project(mark.points, width, height)
    corners = [QPointF(*p) for p in at]
    under = QPen(QColor(colors.background), 4.0)
    dashes = QPen(QColor(color), 1.8, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.RoundCap)
    dashes.setDashPattern([3.0, 2.6])
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (under, dashes):
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF(corners))
    place = (at[len(at) // 2 - 1] + at[len(at) // 2]) / 2 if len(at) != 3 else at[1]
    if len(at) == 3:
        arc = _arc(mark.points)
        on, _, _ = camera.project(arc, width, height)
        painter.setPen(QPen(QColor(color), 1.6))
        painter.drawPolyline(QPolygonF([QPointF(*p) for p in on]))
        out = on[len(on) // 2] - at[1]
        place = at[1] + out + 14 * out / max(float(np.hypot(*out)), 1.0)
    _paint_badge(painter, QPointF(*place), mark.value, color, colors)


def _arc(points: Floats) -> Floats:
    """(25, 3) from one arm of an angle to the other, about its vertex (3, 3)."""
    u, v = points[0] - points[1], points[2] - points[1]
    reach = 0.45 * min(float(np.linalg.norm(u)), float(np.linalg.norm(v)))
    u, v = (w / max(float(np.linalg.norm(w)), 1e-9) for w in (u, v))
    across = v - (v @ u) * u
    if np.linalg.norm(across) < 1e-6:
        across = np.cross(u, np.eye(3)[np.abs(u).argmin()])
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    angle = np.linspace(0, np.arccos(np.clip(u @ v, -1, 1)), 25)[:, None]
    return np.asarray(points[1] + reach * (np.cos(angle) * u + np.sin(angle) * across))


def _font(painter: QPainter, scale: float, bold: bool = False, italic: bool = False) -> QFont:
    font = QFont(painter.font())
    size = font.pointSizeF() if font.pointSizeF() > 0 else 9.0
    # pixels, so that a figure at any resolution has the proportions of the screen
    font.setPixelSize(max(round(size * 96 / 72 * scale), 6))
    font.setBold(bold)
    font.setItalic(italic)
    return font


def _paint_text(
    painter: QPainter, at: QPointF, text: str, font: QFont, color: str, behind: str, centred: bool = True
) -> None:
    """Text with a border in the background's colour: readable on every atom."""
    metrics = QFontMetricsF(font)
    shift = metrics.horizontalAdvance(text) / 2 if centred else 0.0
    path = QPainterPath()
    path.addText(QPointF(at.x() - shift, at.y() + metrics.capHeight() / 2), font, text)
    border = QPen(QColor(behind), 3.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(path, border)
    painter.fillPath(path, QColor(color))


def _paint_badge(painter: QPainter, at: QPointF, text: str, color: str, colors: Theme) -> None:
    font = _font(painter, 1.0, bold=True)
    metrics = QFontMetricsF(font)
    w, h = metrics.horizontalAdvance(text) + 12, metrics.height() + 4
    frame = QRectF(at.x() - w / 2, at.y() - h / 2, w, h)
    painter.setPen(QPen(QColor(color), 1.2))
    painter.setBrush(QColor(mix(colors.surface, color, 0.06)))
    painter.drawRoundedRect(frame, 4, 4)
    painter.setPen(QColor(colors.foreground))
    painter.setFont(font)
    painter.drawText(frame, Qt.AlignmentFlag.AlignCenter, text)
