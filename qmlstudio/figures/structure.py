"""Structures drawn as vectors: shaded spheres, bonds with their orders, labels, measures; painted back to front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import COVALENT_RADII, VDW_RADII
from qmlstudio.figures.presets import POINTS_PER_CM, FigureSpec
from qmlstudio.figures.style import GREY, INK, PLATE, element_color, freeze, new_figure, styled

Array = NDArray[Any]
Style = Literal["ball_and_stick", "spacefill", "sticks"]

BOND_RADIUS = 0.11
"""Å; of single bonds in ball-and-stick."""
STICK_RADIUS = 0.17
"""Å; of sticks."""
_LIGHT = np.array([-0.32, 0.38])
"""Where the highlight lies on a sphere of radius 1, seen from the viewer."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A structure as it is to be seen.

    Attributes
    ----------
    numbers : (N,) int
        Atomic numbers.
    positions : (N, 3) float, Å
    bonds : (m, 2) int
        Pairs of atoms, 0-based.
    orders : (m,) float or None
        1, 2, 3, or 1.5 for aromatic bonds; all single when None.
    rotation : (3, 3) float or None
        Rows are the viewer's right, up and towards-the-viewer axes, so that ``rotation @ position`` is what is seen;
        the two longest extents lie in the paper when None.
    style : "ball_and_stick", "spacefill" or "sticks"
    labels : tuple of str
        One for each atom, empty where none is wanted; or empty altogether.
    measures : tuple of (atoms, text)
        2, 3 or 4 atoms and what to write: "1.52 Å".
    cell : (3, 3) float or None, Å
        Lattice vectors in rows, drawn as a box.
    """

    numbers: Array
    positions: Array
    bonds: Array
    orders: Array | None = None
    rotation: Array | None = None
    style: Style = "ball_and_stick"
    labels: tuple[str, ...] = ()
    measures: tuple[tuple[tuple[int, ...], str], ...] = ()
    cell: Array | None = None

    def view(self) -> Array:
        """(3, 3) rotation that is used: the given one, or the one that lays the two longest extents into the paper."""
        if self.rotation is not None:
            return np.asarray(self.rotation, dtype=np.float64).reshape(3, 3)
        positions = np.asarray(self.positions, dtype=np.float64).reshape(-1, 3)
        if len(positions) < 2:
            return np.eye(3)
        _, _, axes = np.linalg.svd(positions - positions.mean(axis=0), full_matrices=True)
        # the largest component of each axis positive: the same view whatever LAPACK's signs; then right-handed
        axes = axes * np.where(axes[np.arange(3), np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
        axes[2] = np.cross(axes[0], axes[1])
        # a little turned, so that atoms in front of each other come apart
        a, b = np.radians(12.0), np.radians(-14.0)
        tilt = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        turn = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        return np.asarray(tilt @ turn @ axes)

    def radii(self) -> Array:
        """(N,) drawn radii, Å."""
        numbers = np.asarray(self.numbers, dtype=np.int64)
        if self.style == "spacefill":
            return np.array([VDW_RADII[z] or 1.5 for z in numbers], dtype=np.float64)
        if self.style == "sticks":
            return np.full(len(numbers), STICK_RADIUS)
        return np.array([0.22 + 0.22 * (COVALENT_RADII[z] or 0.7) for z in numbers], dtype=np.float64)


def structure_figure(
    drawing: Drawing | None = None,
    *,
    spec: FigureSpec | None = None,
    image: Array | None = None,
    title: str = "",
    caption: str = "",
    panel: str = "",
) -> Any:
    """A structure, drawn as vectors or as the picture that the 3D view rendered.

    Parameters
    ----------
    drawing : Drawing, optional
        Drawn as vectors.
    spec : FigureSpec
    image : (H, W, 3 or 4) uint8, optional
        Shown instead; render it at ``image_size(spec)`` pixels so that it is sharp.
    title, caption : str
        Above and below.
    panel : str
        Letter at the upper left.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        When neither is given, or arrays do not fit.
    """
    spec = spec if spec is not None else FigureSpec(aspect=1.0)
    if (drawing is None) == (image is None):
        raise ValueError("a structure figure needs either a drawing or an image")
    with styled(spec):
        figure = new_figure(spec)
        axes = figure.add_subplot()
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if title:
            axes.set_title(title)
        if panel:
            axes.set_title(panel, loc="left", fontweight="bold", fontsize=spec.text_size + 1)
        if caption:
            axes.set_xlabel(caption)
        freeze(figure)
        if image is not None:
            image = np.asarray(image)
            if image.ndim != 3 or image.shape[2] not in (3, 4) or image.shape[0] == 0 or image.shape[1] == 0:
                raise ValueError(f"image has shape {image.shape}, expected (height, width, 3 or 4)")
            axes.imshow(image, interpolation="antialiased", aspect="equal", gid="image")
        elif drawing is not None:
            place = axes.get_position()
            width, height = (place.width * spec.width_cm * POINTS_PER_CM, place.height * spec.height_cm * POINTS_PER_CM)
            draw_structure(axes, drawing, width, height, small=spec.small_size)
    return figure


def image_size(spec: FigureSpec) -> tuple[int, int]:
    """Width and height in pixels at which the 3D view should render for this figure."""
    width, height = spec.size_inches
    return round(width * spec.raster_dpi), round(height * spec.raster_dpi)


def draw_structure(
    axes: Any, drawing: Drawing, width_points: float, height_points: float, *, small: float = 7.0
) -> None:
    """Draw into empty axes that are `width_points` × `height_points` on paper.

    Atoms and half bonds are painted from the back to the front.
    """
    positions = np.asarray(drawing.positions, dtype=np.float64).reshape(-1, 3)
    numbers = np.asarray(drawing.numbers, dtype=np.int64)
    bonds = np.asarray(drawing.bonds, dtype=np.int64).reshape(-1, 2)
    _check(drawing, numbers, positions, bonds)
    radii = drawing.radii()
    rotation = drawing.view()
    seen = positions @ rotation.T
    box = _cell_edges(drawing.cell, rotation)
    scale = _set_limits(axes, seen, radii, box, width_points, height_points)
    if not len(numbers):
        axes.text(0.5, 0.5, "no atoms", transform=axes.transAxes, ha="center", va="center", color=GREY)
        return
    depth = seen[:, 2]
    span = float(np.ptp(depth)) or 1.0
    # the back is paler: depth is seen without perspective
    fade = 0.22 * (depth.max() - depth) / max(span, 3.0)
    line = min(0.5, 0.045 * scale)
    for z, a, b in box:
        axes.plot([a[0], b[0]], [a[1], b[1]], color=GREY, lw=0.6, zorder=_order(z, depth), gid="cell")
    colors = [_faded(element_color(int(z)), pale) for z, pale in zip(numbers, fade, strict=True)]
    if drawing.style != "spacefill":
        orders = np.ones(len(bonds)) if drawing.orders is None else np.asarray(drawing.orders, dtype=np.float64)
        for (i, j), order in zip(bonds, orders, strict=True):
            _draw_bond(axes, drawing, seen, radii, colors, int(i), int(j), float(order))
    for i in range(len(numbers)):
        _draw_sphere(axes, seen[i], radii[i], colors[i], _order(depth[i], depth), line, scale)
    top = _order(depth.max(), depth) + 1
    _draw_measures(axes, drawing, seen, small, top, scale)
    for i, text in enumerate(drawing.labels):
        if text:
            _write(axes, seen[i, 0], seen[i, 1], text, small, top + 1, INK)


def _check(drawing: Drawing, numbers: Array, positions: Array, bonds: Array) -> None:
    n = len(numbers)
    if len(positions) != n:
        raise ValueError(f"{len(positions)} positions for {n} atoms")
    if len(bonds) and (int(bonds.min()) < 0 or int(bonds.max()) >= n):
        raise ValueError(f"bonds name atoms {int(bonds.min())} to {int(bonds.max())}, but there are {n}")
    if drawing.orders is not None and len(drawing.orders) != len(bonds):
        raise ValueError(f"{len(drawing.orders)} orders for {len(bonds)} bonds")
    if drawing.labels and len(drawing.labels) != n:
        raise ValueError(f"{len(drawing.labels)} labels for {n} atoms")
    for atoms, _ in drawing.measures:
        if not 2 <= len(atoms) <= 4 or any(not 0 <= a < n for a in atoms):
            raise ValueError(f"a measure needs two to four of the {n} atoms, not {atoms}")
    if not np.isfinite(positions).all():
        raise ValueError("positions are not all finite")


def _cell_edges(cell: Array | None, rotation: Array) -> list[tuple[float, Array, Array]]:
    """Depth, start and end of the 12 edges of the unit cell, as seen."""
    if cell is None:
        return []
    vectors = np.asarray(cell, dtype=np.float64).reshape(3, 3) @ rotation.T
    edges = []
    for k in range(3):
        others = [m for m in range(3) if m != k]
        for a in (0, 1):
            for b in (0, 1):
                start = a * vectors[others[0]] + b * vectors[others[1]]
                end = start + vectors[k]
                edges.append((float(min(start[2], end[2])), start, end))
    return edges


def _set_limits(axes: Any, seen: Array, radii: Array, box: Sequence[Any], width: float, height: float) -> float:
    """Fit everything into the axes at equal scale; returns pt per Å."""
    corners = [c for _, a, b in box for c in (a[:2], b[:2])]
    low = np.array([(seen[:, :2] - radii[:, None]).min(axis=0)] if len(seen) else [[-1.0, -1.0]])
    high = np.array([(seen[:, :2] + radii[:, None]).max(axis=0)] if len(seen) else [[1.0, 1.0]])
    if corners:
        low, high = np.vstack([low, *[[c] for c in corners]]), np.vstack([high, *[[c] for c in corners]])
    a, b = low.min(axis=0) - 0.1, high.max(axis=0) + 0.1
    # a lone atom or a diatomic is not blown up to fill the page
    extent = np.maximum(b - a, 3.0)
    scale = float(min(width / extent[0], height / extent[1]))
    centre = 0.5 * (a + b)
    half = 0.5 * np.array([width, height]) / scale
    axes.set_xlim(centre[0] - half[0], centre[0] + half[0])
    axes.set_ylim(centre[1] - half[1], centre[1] + half[1])
    return scale


def _order(z: float, depth: Array) -> float:
    """Painting order between 2 (back) and 3 (front)."""
    low, span = float(depth.min()), float(np.ptp(depth))
    return 2.5 if span <= 0 else 2.0 + float(np.clip((z - low) / span, -0.1, 1.1))


def _faded(color: tuple[float, float, float], amount: float) -> tuple[float, float, float]:
    r, g, b = (c + (1 - c) * float(amount) for c in color)
    return r, g, b


def _shade(color: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    """Darker below 1, towards white above."""
    if factor <= 1:
        r, g, b = (c * factor for c in color)
    else:
        r, g, b = (c + (1 - c) * (factor - 1) for c in color)
    return r, g, b


def _draw_sphere(
    axes: Any, centre: Array, radius: float, color: tuple[float, float, float], order: float, line: float, scale: float
) -> None:
    """Discs that shrink towards the highlight and grow lighter; the outermost has a dark rim."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    # as many discs as it takes for their steps to vanish at this size on paper
    layers = int(np.clip(0.9 * radius * scale, 5, 24))
    t = np.linspace(0, 1, layers)
    discs = [Circle(centre[:2] + _LIGHT * radius * 0.77 * k, radius * (1 - 0.86 * k)) for k in t]
    faces = [_shade(color, 0.68 + 0.94 * k**1.25) for k in t]
    edges = [_shade(color, 0.42), *["none"] * (layers - 1)]
    axes.add_collection(
        PatchCollection(
            discs,
            facecolors=faces,
            edgecolors=edges,
            linewidths=[line, *[0.0] * (layers - 1)],
            zorder=order,
            gid="atom",
        ),
        autolim=False,
    )


def _draw_bond(
    axes: Any,
    drawing: Drawing,
    seen: Array,
    radii: Array,
    colors: list[tuple[float, float, float]],
    i: int,
    j: int,
    order: float,
) -> None:
    """Two halves in the colours of their atoms, as one to three parallel bars; an aromatic bond's second is thin."""
    a, b = seen[i], seen[j]
    flat = b[:2] - a[:2]
    length = float(np.hypot(*flat))
    if length < 1e-6:
        return
    along = flat / length
    across = np.array([-along[1], along[0]])
    sticks = drawing.style == "sticks"
    if order >= 2.5:
        bars = [(-0.17, 0.055), (0.0, 0.055), (0.17, 0.055)]
    elif order >= 1.75:
        bars = [(-0.10, 0.065), (0.10, 0.065)]
    elif order >= 1.25:
        bars = [(-0.10, 0.075), (0.11, 0.035)]
    else:
        bars = [(0.0, STICK_RADIUS if sticks else BOND_RADIUS)]
    depth = seen[:, 2]
    middle = 0.5 * (a + b)
    for end, atom, direction in ((a, i, along), (b, j, -along)):
        z = 0.5 * (end[2] + middle[2])
        start = end[:2]
        if z > end[2]:
            # nearer than its own atom: painted over it, and it leaves the sphere where its axis does
            zorder = _order(z, depth)
            if not sticks or len(bars) > 1:
                start = start + direction * radii[atom] * length / float(np.linalg.norm(b - a)) * 0.92
        else:
            zorder = min(_order(z, depth), _order(end[2], depth)) - 1e-6
        for offset, half in bars:
            _draw_bar(axes, start + across * offset, middle[:2] + across * offset, across, half, colors[atom], zorder)


def _draw_bar(
    axes: Any, start: Array, end: Array, across: Array, half: float, color: tuple[float, float, float], order: float
) -> None:
    """A cylinder from the side: strips that grow lighter towards its lit side; the outermost is its outline."""
    from matplotlib.collections import PolyCollection

    # towards the light, whichever way the bond runs
    lit = across * np.sign(float(across @ _LIGHT) or 1.0)
    strips, faces = [], []
    for low, high, factor in (
        (-1.0, 1.0, 0.5),
        (-0.9, 0.92, 0.74),
        (-0.6, 0.86, 0.9),
        (-0.25, 0.75, 1.06),
        (0.05, 0.6, 1.22),
    ):
        strips.append(
            [start + lit * half * low, end + lit * half * low, end + lit * half * high, start + lit * half * high]
        )
        faces.append(_shade(color, factor))
    # edges in the faces' colours close the hairlines that viewers show between neighbouring shapes
    axes.add_collection(
        PolyCollection(strips, facecolors=faces, edgecolors=faces, linewidths=0.1, zorder=order, gid="bond"),
        autolim=False,
    )


def _draw_measures(axes: Any, drawing: Drawing, seen: Array, small: float, order: float, scale: float) -> None:
    centre = seen[:, :2].mean(axis=0)
    for atoms, text in drawing.measures:
        path = seen[list(atoms), :2]
        axes.plot(*path.T, color=INK, lw=0.8, ls=(0, (2.5, 1.8)), zorder=order, gid="measure")
        if len(atoms) == 3:
            # inside the angle
            anchor = path[1] + 0.42 * (path[[0, 2]].mean(axis=0) - path[1])
        else:
            ends = path[len(path) // 2 - 1 : len(path) // 2 + 1]
            anchor = ends.mean(axis=0)
            run = ends[1] - ends[0]
            normal = np.array([-run[1], run[0]]) / max(float(np.hypot(*run)), 1e-9)
            # a distance beside its line, away from the middle of the structure; a dihedral on the other side
            side = 1.0 if float(normal @ (anchor - centre)) >= 0 else -1.0
            anchor = anchor + normal * side * (1.0 if len(atoms) == 2 else -1.0) * (1.1 * small / scale + BOND_RADIUS)
        _write(axes, anchor[0], anchor[1], text, small, order + 0.5, INK)


def _write(axes: Any, x: float, y: float, text: str, size: float, order: float, color: Any) -> None:
    axes.text(x, y, text, fontsize=size, color=color, ha="center", va="center", zorder=order, bbox=PLATE)
