"""What is drawn of a structure, as plain arrays: shared by the OpenGL and the QPainter drawing, and by figures.

Everything is a capsule: a segment with a radius and a colour at either end. An atom is a capsule of length zero, a
bond a capsule whose two halves bear the colours of its atoms, a dash of an aromatic bond a short one, an edge of the
cell a thin one. One technique for all means that they occlude each other rightly.

`Layout` is what depends on elements, bonds and looks; `Layout.place` puts it at positions, which is all that a new
frame of a trajectory costs. Pure numpy, no Qt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qmlstudio.chem.elements import COLORS, VDW_RADII
from qmlstudio.chem.geometry import minimum_image
from qmlstudio.widgets.camera import Camera
from qmlstudio.widgets.theme import rgb, theme

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STYLES: Final = ("ball_and_stick", "spacefill", "sticks")
LABELS: Final = ("none", "element", "index", "both")

ATOM: Final = 0
BOND: Final = 1
HALO: Final = 2
"""Flat and behind its atom: a ring that what is in front still hides."""
LINE: Final = 3
"""Flat: edges of the cell."""

BALL_SCALE: Final = 0.30
"""Radius of an atom in ball-and-stick, in van der Waals radii."""
STICK_RADIUS: Final = 0.17
LONE_SCALE: Final = 0.25
"""An atom without bonds in the stick style, in van der Waals radii: a stick's end alone would be overlooked."""
EDGE_RADIUS: Final = 0.025

LIGHT: Final = (-0.405, 0.559, 0.723)
"""Direction to the light in view coordinates, from the upper left."""
FOG: Final = 0.36
"""How far the farthest atoms are drawn towards the background: the depth cue."""
OUTLINE_WIDTH: Final = 1.3
"""Of the dark line about atoms and bonds, logical pixels: a white hydrogen is seen on white, too."""


@dataclass(frozen=True)
class Appearance:
    """How structures look.

    Attributes
    ----------
    style : "ball_and_stick", "spacefill" or "sticks"
    hydrogens : bool
        Whether hydrogens are drawn (and can be picked).
    cell : bool
        Whether the cell is drawn when there is one.
    labels : "none", "element", "index" or "both"
    dark : bool
        Dark theme.
    """

    style: str = "ball_and_stick"
    hydrogens: bool = True
    cell: bool = True
    labels: str = "none"
    dark: bool = False

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"style {self.style!r}, expected one of {', '.join(STYLES)}")
        if self.labels not in LABELS:
            raise ValueError(f"labels {self.labels!r}, expected one of {', '.join(LABELS)}")


@dataclass(frozen=True)
class Shot:
    """One picture to be drawn.

    Attributes
    ----------
    camera : Camera
    width, height : int
        Pixels of the image.
    ratio : float
        Pixels of the image per pixel of the screen's logical unit: outlines keep their apparent width.
    extent : float, Å
        Radius of the structure about the pivot, for the depth cue.
    dark : bool
        Dark theme.
    transparent : bool
        Without a background.
    """

    camera: Camera
    width: int
    height: int
    ratio: float = 1.0
    extent: float = 5.0
    dark: bool = False
    transparent: bool = False

    @property
    def background(self) -> tuple[float, float, float]:
        """Red, green, blue of the background, 0 … 1."""
        r, g, b = rgb(theme(self.dark).background)
        return r / 255, g / 255, b / 255

    @property
    def outline(self) -> tuple[float, float, float, float]:
        """Red, green, blue and strength of the line about atoms and bonds, 0 … 1."""
        return (0.03, 0.04, 0.05, 0.65) if self.dark else (0.10, 0.11, 0.13, 0.70)

    def fog(self, z: Floats) -> Floats:
        """Share of the background in what lies at view depth `z`, Å."""
        return np.asarray(FOG * np.clip((0.35 * self.extent - z) / (1.35 * self.extent), 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Capsules:
    """What is drawn.

    Attributes
    ----------
    start, end : (M, 3) float, Å
    radius : (M,) float, Å
    first, second : (M, 3) float32
        Red, green, blue, 0 … 1, of the two halves.
    kind : (M,) uint8
        `ATOM`, `BOND`, `HALO` or `LINE`.
    owner : (M, 2) int
        Atoms at the start and the end, -1 where there is none.
    """

    start: Floats
    end: Floats
    radius: Floats
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    kind: NDArray[np.uint8]
    owner: Ints

    def __len__(self) -> int:
        return len(self.radius)

    def joined(self, *others: Capsules) -> Capsules:
        """These and the others."""
        parts = [self, *(o for o in others if len(o))]
        if len(parts) == 1:
            return self
        return Capsules(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Capsules)))

    @classmethod
    def of(
        cls, start: ArrayLike, end: ArrayLike, radius: ArrayLike, color: ArrayLike, kind: int, owner: ArrayLike = -1
    ) -> Capsules:
        """Capsules of one kind; radius, colour and owner may be one for all."""
        a = np.asarray(start, dtype=np.float64).reshape(-1, 3)
        m = len(a)
        tint = np.broadcast_to(np.asarray(color, dtype=np.float32), (m, 3))
        atoms = np.asarray(owner, dtype=np.int64)
        return cls(
            a,
            np.asarray(end, dtype=np.float64).reshape(-1, 3),
            np.broadcast_to(np.asarray(radius, dtype=np.float64), (m,)),
            tint,
            tint,
            np.full(m, kind, dtype=np.uint8),
            np.broadcast_to(atoms[:, None] if atoms.ndim == 1 else atoms, (m, 2)),
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """All that does not move when the atoms do. Made by `layout`.

    Attributes
    ----------
    visible : (N,) bool
        Atoms that are drawn.
    radii : (N,) float, Å
        As drawn.
    pairs : (B, 2) int
        Bonds that are drawn.
    reference : (B,) int
        An atom in whose direction a multiple bond spreads, -1 where there is none.
    bond : (K,) int
        For every bond capsule, which bond.
    anchor : (K,) int
        0: placed from the first atom, 1: from the second (they differ for a bond across the cell's border).
    span : (K, 2) float
        Start and end along the bond, 0 … 1.
    shift : (K,) float, Å
        Sideways.
    fixed : Capsules
        Radius, colours, kind and owner; its points are placeholders.
    """

    visible: NDArray[np.bool_]
    radii: Floats
    pairs: Ints
    reference: Ints
    bond: Ints
    anchor: Ints
    span: Floats
    shift: Floats
    fixed: Capsules

    def place(self, positions: Floats, cell: Floats | None = None) -> Capsules:
        """The capsules for positions (N, 3), Å, in the cell (3, 3), Å, if there is one."""
        atoms = positions[self.visible]
        f = self.fixed
        if len(self.bond) == 0:
            return Capsules(atoms, atoms, f.radius, f.first, f.second, f.kind, f.owner)
        a, b = self.pairs[:, 0], self.pairs[:, 1]
        delta = positions[b] - positions[a]
        toward = positions[self.reference] - positions[a]
        if cell is not None:
            delta = minimum_image(delta, cell)
            toward = minimum_image(toward, cell)
        side = _sideways(delta, toward, self.reference >= 0)
        along = delta[self.bond]
        origin = np.where(self.anchor[:, None] == 0, positions[a][self.bond], positions[b][self.bond] - along)
        origin += side[self.bond] * self.shift[:, None]
        start, end = (origin + along * self.span[:, k, None] for k in (0, 1))
        return Capsules(
            np.concatenate([atoms, start]), np.concatenate([atoms, end]), f.radius, f.first, f.second, f.kind, f.owner
        )


def layout(
    numbers: ArrayLike,
    bonds: tuple[ArrayLike, ArrayLike] | None,
    appearance: Appearance,
    atom_colors: ArrayLike | None = None,
    periodic: bool = False,
) -> Layout:
    """What to draw of a structure, but for where.

    Parameters
    ----------
    numbers : (N,) int
        Atomic numbers.
    bonds : ((B, 2) int, (B,) float) or None
        Atom pairs and bond orders 1, 1.5, 2, 3 (others are drawn as single bonds).
    appearance : Appearance
    atom_colors : (N, 3) float or None
        Red, green, blue, 0 … 1; None for the elements' colours.
    periodic : bool
        Bonds may cross the cell's border: each is then drawn as two halves, each at its atom.
    """
    z = np.asarray(numbers, dtype=np.int64)
    pairs, orders = _clean_bonds(bonds, len(z))
    visible = np.ones(len(z), dtype=bool) if appearance.hydrogens else _without_hydrogens(z)
    bonded = np.zeros(len(z), dtype=bool)
    bonded[pairs.ravel()] = True
    radii = display_radii(z, appearance.style, bonded)
    colors = element_colors(z) if atom_colors is None else np.asarray(atom_colors, dtype=np.float32).reshape(len(z), 3)

    reference = _references(z, pairs, orders)
    keep = visible[pairs].all(axis=1) & (appearance.style != "spacefill")
    pairs, orders, reference = pairs[keep], orders[keep], reference[keep]

    bond: list[int] = []
    parts: list[tuple[float, float, float, float]] = []
    for k, order in enumerate(orders):
        pieces = _pieces(float(order), appearance.style)
        bond += [k] * len(pieces)
        parts += pieces
    which, table = np.array(bond, dtype=np.int64), np.array(parts, dtype=np.float64).reshape(-1, 4)
    anchor = np.zeros(len(which), dtype=np.int64)
    if periodic and len(which):
        which, table, anchor = _halved(which, table)

    shown = np.flatnonzero(visible)
    a, b = (pairs[which, 0], pairs[which, 1]) if len(which) else (which, which)
    first, second = colors[a], colors[b]
    # a piece that lies within one half has one colour
    first = np.where((table[:, 0] >= 0.5)[:, None], second, first)
    second = np.where((table[:, 1] <= 0.5)[:, None], first, second)
    points = np.zeros((len(shown) + len(which), 3))
    fixed = Capsules(
        points,
        points,
        np.concatenate([radii[shown], table[:, 3]]),
        np.concatenate([colors[shown], first]).astype(np.float32),
        np.concatenate([colors[shown], second]).astype(np.float32),
        np.concatenate([np.full(len(shown), ATOM), np.full(len(which), BOND)]).astype(np.uint8),
        np.concatenate([np.stack([shown, shown], axis=1), np.stack([a, b], axis=1)]),
    )
    return Layout(visible, radii, pairs, reference, which, anchor, table[:, :2].copy(), table[:, 2].copy(), fixed)


def element_colors(numbers: ArrayLike) -> NDArray[np.float32]:
    """(N, 3) Jmol's element colours, 0 … 1."""
    return np.asarray(_COLORS[np.asarray(numbers, dtype=np.int64)])


def display_radii(numbers: ArrayLike, style: str, bonded: NDArray[np.bool_] | None = None) -> Floats:
    """(N,) radii in Å at which atoms are drawn in a style; `bonded` (N,) tells lone atoms, which matter to sticks."""
    z = np.asarray(numbers, dtype=np.int64)
    vdw = np.maximum(_VDW[z], 1.0)
    if style == "spacefill":
        return np.asarray(vdw)
    if style == "sticks":
        thin = np.full(len(z), STICK_RADIUS)
        return thin if bonded is None else np.where(bonded, thin, LONE_SCALE * vdw)
    return np.asarray(BALL_SCALE * vdw)


def halos(positions: Floats, radii: Floats, atoms: Sequence[int], color: str, width: float) -> Capsules:
    """Rings about atoms: flat capsules of the atoms' radius plus `width` (Å), in a colour ``#rrggbb``."""
    chosen = np.asarray(atoms, dtype=np.int64)
    where = positions[chosen].reshape(-1, 3)
    tint = np.array(rgb(color), dtype=np.float32) / 255
    return Capsules.of(where, where, radii[chosen] + width, tint, HALO, chosen)


def lit(capsules: Capsules, atoms: Sequence[int], color: str, share: float = 0.45) -> Capsules:
    """The capsules with the balls of some atoms drawn towards a colour ``#rrggbb``."""
    chosen = (capsules.kind == ATOM) & np.isin(capsules.owner[:, 0], np.asarray(atoms, dtype=np.int64))
    first, second = capsules.first.copy(), capsules.second.copy()
    tint = np.array(rgb(color), dtype=np.float32) / 255
    for half in (first, second):
        half[chosen] += (tint - half[chosen]) * np.float32(share)
    return replace(capsules, first=first, second=second)


def cell_edges(cell: Floats, dark: bool) -> Capsules:
    """The twelve edges of the cell (3, 3), Å, from the origin; those of the first corner in red, green and blue."""
    muted = np.array(rgb(theme(dark).muted), dtype=np.float32) / 255
    axes = np.array([[0.80, 0.22, 0.20], [0.20, 0.58, 0.22], [0.25, 0.42, 0.88]], dtype=np.float32)
    starts, ends, colors = [], [], []
    for k in range(3):
        u, v = cell[(k + 1) % 3], cell[(k + 2) % 3]
        for corner in (np.zeros(3), u, v, u + v):
            starts.append(corner)
            ends.append(corner + cell[k])
            colors.append(muted if corner.any() else axes[k])
    return Capsules.of(starts, ends, EDGE_RADIUS, np.array(colors), LINE)


def cell_corners(cell: Floats) -> Floats:
    """(8, 3) corners of the cell (3, 3), Å."""
    return np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) @ cell


def pick(positions: Floats, radii: Floats, visible: NDArray[np.bool_], origin: Floats, direction: Floats) -> int | None:
    """The atom whose sphere a ray meets first; None if it meets none.

    Parameters
    ----------
    positions : (N, 3) float, Å
    radii : (N,) float, Å
    visible : (N,) bool
    origin, direction : (3,) float
        Of the ray, direction of length 1.
    """
    to = positions - origin
    along = to @ direction
    square = radii**2 - (np.einsum("nx,nx->n", to, to) - along**2)
    hit = visible & (square >= 0) & (along > 0)
    if not hit.any():
        return None
    entry = np.where(hit, along - np.sqrt(np.maximum(square, 0)), np.inf)
    return int(entry.argmin())


def fragment(atom: int, pairs: ArrayLike, count: int) -> list[int]:
    """All atoms bonded to `atom`, directly or by others, itself included, ascending."""
    near = _neighbors(np.asarray(pairs, dtype=np.int64).reshape(-1, 2), count)
    seen, queue = {atom}, deque([atom])
    while queue:
        for other in near[queue.popleft()]:
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return sorted(seen)


# -- inside --------------------------------------------------------------------------------------------------------

_COLORS: Final = np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in COLORS], dtype=np.float32) / 255
_VDW: Final = np.array(VDW_RADII)


def _clean_bonds(bonds: tuple[ArrayLike, ArrayLike] | None, count: int) -> tuple[Ints, Floats]:
    if bonds is None:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    pairs = np.asarray(bonds[0], dtype=np.int64).reshape(-1, 2)
    orders = np.asarray(bonds[1], dtype=np.float64).reshape(-1)
    if len(pairs) != len(orders):
        raise ValueError(f"{len(pairs)} bonds but {len(orders)} bond orders")
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= count):
        raise ValueError(f"a bond to an atom that does not exist (there are {count})")
    return pairs, orders


def _without_hydrogens(z: Ints) -> NDArray[np.bool_]:
    # H2 and atomic hydrogen would vanish altogether
    heavy = z != 1
    return np.asarray(heavy if heavy.any() else np.ones(len(z), dtype=bool))


def _pieces(order: float, style: str) -> list[tuple[float, float, float, float]]:
    """Capsules of one bond: start and end (0 … 1), shift and radius (Å)."""
    sticks = style == "sticks"
    single = STICK_RADIUS if sticks else 0.105
    if order == 2:
        radius, shift = (0.085, 0.125) if sticks else (0.062, 0.125)
        return [(0.0, 1.0, shift, radius), (0.0, 1.0, -shift, radius)]
    if order == 3:
        radius, shift = (0.065, 0.165) if sticks else (0.052, 0.175)
        return [(0.0, 1.0, shift, radius), (0.0, 1.0, 0.0, radius), (0.0, 1.0, -shift, radius)]
    if order == 1.5:
        count, low, high = (5, 0.14, 0.86) if sticks else (3, 0.31, 0.69)
        shift, radius = (0.30, 0.05) if sticks else (0.22, 0.042)
        edges = np.linspace(low, high, 2 * count)
        dashes = [(float(edges[2 * i]), float(edges[2 * i + 1]), shift, radius) for i in range(count)]
        return [(0.0, 1.0, 0.0, single if sticks else 0.085), *dashes]
    return [(0.0, 1.0, 0.0, single)]


def _halved(which: Ints, table: Floats) -> tuple[Ints, Floats, Ints]:
    """Every piece cut at the middle of its bond; the second half is placed from the second atom."""
    lower, upper = table.copy(), table.copy()
    lower[:, 1] = np.minimum(lower[:, 1], 0.5)
    upper[:, 0] = np.maximum(upper[:, 0], 0.5)
    cut = np.concatenate([lower, upper])
    bonds = np.concatenate([which, which])
    anchor = np.repeat([0, 1], len(which))
    keep = cut[:, 1] > cut[:, 0]
    return bonds[keep], cut[keep], anchor[keep]


def _neighbors(pairs: Ints, count: int) -> list[list[int]]:
    near: list[list[int]] = [[] for _ in range(count)]
    for a, b in pairs.tolist():
        near[a].append(b)
        near[b].append(a)
    return near


def _references(z: Ints, pairs: Ints, orders: Floats) -> Ints:
    """Where multiple bonds spread to: into their ring, else into the plane of a neighbour (heavy ones first)."""
    near = _neighbors(pairs, len(z))
    found = np.full(len(pairs), -1, dtype=np.int64)
    for k in np.flatnonzero(orders > 1):
        a, b = int(pairs[k, 0]), int(pairs[k, 1])
        ring = _ring(near, a, b)
        if ring:
            found[k] = ring[len(ring) // 2]
            continue
        others = [i for i in near[a] if i != b] + [i for i in near[b] if i != a]
        if others:
            found[k] = max(others, key=lambda i: (int(z[i]) > 1, -i))
    return found


def _ring(near: list[list[int]], a: int, b: int, longest: int = 8) -> list[int]:
    """Atoms between a and b along the smallest ring (up to `longest` members) that holds their bond; [] if none."""
    came = {a: a}
    queue = deque([(a, 0)])
    while queue:
        atom, steps = queue.popleft()
        if steps >= longest - 1:
            break
        for other in near[atom]:
            if other in came or (atom == a and other == b):
                continue
            came[other] = atom
            if other == b:
                path, step = [], atom
                while step != a:
                    path.append(step)
                    step = came[step]
                return path
            queue.append((other, steps + 1))
    return []


def _sideways(delta: Floats, toward: Floats, known: NDArray[np.bool_]) -> Floats:
    """(B, 3) unit vectors across bonds `delta`, in the direction of `toward` where that is known and not collinear."""
    axis = delta / np.maximum(np.linalg.norm(delta, axis=1), 1e-9)[:, None]
    across = np.where(known[:, None], toward, 0.0)
    across = across - np.einsum("nx,nx->n", across, axis)[:, None] * axis
    length = np.linalg.norm(across, axis=1)
    spare = np.cross(axis, np.eye(3)[np.abs(axis).argmin(axis=1)])
    across = np.where((length < 0.15)[:, None], spare, across)
    return np.asarray(across / np.maximum(np.linalg.norm(across, axis=1), 1e-9)[:, None])
