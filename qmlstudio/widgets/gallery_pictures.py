"""Small pictures of structures, drawn beside the window: 2D depictions and 3D thumbnails.

Everything here draws into images only, so that it may run in any thread.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.chem.depict import depiction_svg
from qmlstudio.chem.scaffold import Scaffold
from qmlstudio.chem.structures import Structure
from qmlstudio.progress import Progress
from qmlstudio.widgets.camera import Camera, best_rotation
from qmlstudio.widgets.molecule_painter import PainterRenderer
from qmlstudio.widgets.molecule_scene import Appearance, Shot, cell_corners, cell_edges, layout

SLICE_SECONDS: Final = 0.025
"""Length of one call of :func:`pictures`: whatever else waits for the thread comes soon."""
MOST_DRAWN: Final = 400
"""Atoms above which a thumbnail is made of balls without bonds, of an even choice of at most so many atoms."""
_MARGIN: Final = 0.90
"""Share of a thumbnail that the structure takes."""

Kind = Literal["2d", "3d"]


@dataclass(frozen=True)
class Look:
    """What pictures are like.

    Attributes
    ----------
    kind : "2d" or "3d"
    width, height : int
        Logical pixels.
    ratio : float
        Device pixels per logical pixel.
    dark : bool
    scaffold : Scaffold or None
        Upon which 2D depictions are laid.
    """

    kind: Kind = "2d"
    width: int = 120
    height: int = 90
    ratio: float = 1.0
    dark: bool = False
    scaffold: Scaffold | None = None

    def is_like(self, other: Look) -> bool:
        """Whether a picture of the other look can stand in until this one is there: only its size differs."""
        return replace(self, width=other.width, height=other.height) == other


@dataclass(frozen=True, eq=False)
class Subject:
    """A structure that is to be drawn: its number, atoms, and SMILES if there is one."""

    index: int
    structure: Structure
    smiles: str = ""


def pictures(
    subjects: Sequence[Subject], look: Look, seconds: float, progress: Progress
) -> list[tuple[int, QImage | None]]:
    """Pictures of the first subjects, as many as can be made in that time, at least one.

    Returns
    -------
    list of (index, QImage or None)
        None: there is nothing to be drawn.
    """
    made: list[tuple[int, QImage | None]] = []
    end = time.perf_counter() + seconds
    for subject in subjects:
        progress.check()
        try:
            made.append((subject.index, picture(subject, look)))
        except Exception:
            if not made:  # else it is the first of the next call, which raises it
                raise
            break
        if time.perf_counter() >= end:
            break
    return made


def picture(subject: Subject, look: Look) -> QImage | None:
    """The picture of one structure, with transparent background; None when nothing can be drawn.

    Without a 2D depiction – a crystal, a cluster of metal, an unreadable SMILES – it is a 3D thumbnail.
    """
    if look.kind == "2d":
        flat = _flat(subject, look)
        if flat is not None:
            return flat
    return _solid(subject.structure, look)


def _blank(look: Look) -> QImage:
    width, height = round(look.width * look.ratio), round(look.height * look.ratio)
    image = QImage(max(width, 1), max(height, 1), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    return image


def _flat(subject: Subject, look: Look) -> QImage | None:
    size = (look.width, look.height)
    svg = depiction_svg(subject.smiles, size, look.dark, look.scaffold) if subject.smiles else ""
    if not svg:
        svg = depiction_svg(subject.structure, size, look.dark, look.scaffold)
    if not svg:
        return None
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(QByteArray(svg.encode()))
    if not renderer.isValid():
        return None
    image = _blank(look)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter, QRectF(0, 0, image.width(), image.height()))
    painter.end()
    image.setDevicePixelRatio(look.ratio)
    return image


def _solid(structure: Structure, look: Look) -> QImage | None:
    numbers, positions, cell = structure.numbers, structure.positions, structure.cell
    if not len(numbers) or not np.isfinite(positions).all():
        return None
    chosen = np.arange(len(numbers))
    bonds = None
    style = "ball_and_stick"
    if len(numbers) > MOST_DRAWN:
        heavy = np.flatnonzero(numbers > 1)
        chosen = heavy if len(heavy) else chosen
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_DRAWN)).astype(np.int64)]
        style = "spacefill"
    else:
        found = perceive_bonds(numbers, positions, cell)
        bonds = (found.pairs, found.orders)
    numbers, positions = numbers[chosen], positions[chosen]
    plan = layout(numbers, bonds, Appearance(style=style, dark=look.dark), periodic=cell is not None)
    capsules = plan.place(positions, cell)
    points, radii = positions, plan.radii
    heavy_positions = positions[numbers > 1] if int((numbers > 1).sum()) > 1 else positions
    rotation = best_rotation(heavy_positions)
    if cell is not None:
        capsules = capsules.joined(cell_edges(cell, look.dark))
        corners = cell_corners(cell)
        points, radii = np.concatenate([points, corners]), np.concatenate([radii, np.zeros(len(corners))])
    width, height = round(look.width * look.ratio), round(look.height * look.ratio)
    camera = _filling(Camera(rotation=rotation).fitted(points, radii), points, radii, width, height)
    extent = float(np.linalg.norm(points - np.array(camera.center), axis=1).max()) + 1.0
    renderer = PainterRenderer()
    renderer.set_capsules(capsules)
    image = renderer.image(Shot(camera, width, height, look.ratio, extent, look.dark, transparent=True))
    image.setDevicePixelRatio(look.ratio)
    return image


def _filling(camera: Camera, points: np.ndarray, radii: np.ndarray, width: int, height: int) -> Camera:
    """The camera so near that what is seen from where it stands fills the picture, and in the middle of it."""
    xy, _, scale = camera.project(points, width, height)
    reach = (radii * scale)[:, None]
    low, high = (xy - reach).min(axis=0), (xy + reach).max(axis=0)
    span = np.maximum(high - low, 1e-6)
    zoom = float(min(_MARGIN * width / span[0], _MARGIN * height / span[1]))
    unit = camera.pixels_per_angstrom(width, height)
    # an atom alone would fill the picture
    zoom = min(zoom, 0.22 * min(width, height) / unit)
    middle = (low + high) / 2
    return replace(
        camera,
        offset=(camera.offset[0] - (middle[0] - width / 2) / unit, camera.offset[1] + (middle[1] - height / 2) / unit),
        height=camera.height / zoom,
    )
