"""Overlays of a map: hulls around groups, names, the way of a trajectory, links between points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from qmlstudio.progress import Progress
from qmlstudio.widgets import hulls, overlay_backend
from qmlstudio.widgets.hulls import Hull, Kind
from qmlstudio.widgets.map_labels import MOST_LABELS, Label, LabelItem
from qmlstudio.widgets.overlay_items import MOST_LINKS, HullItem, LegendItem, Link, LinkItem
from qmlstudio.widgets.path_item import PathItem, Trail
from qmlstudio.widgets.scatter import ScatterMap
from qmlstudio.widgets.theme import theme

Submit = Callable[[Callable[[Progress], Any], Callable[[Any], None]], None]
"""Runs the first somewhere and calls the second in the window's thread with its result."""

DIRECT_POINTS = 20_000
"""Hulls of fewer points are computed at once."""
REST_MS = 200
"""Hulls are computed anew when the points have not moved for so long."""
TRAIL_COLORS = 1024


def _directly(compute: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
    done(compute(Progress()))


class MapOverlays(QObject):
    """Draws over a :class:`ScatterMap` and follows it wherever its points go.

    Everything is told in indices of points, and forgotten when their number changes.

    Parameters
    ----------
    scatter : ScatterMap
        Owns this object.
    submit : callable (compute, done), optional
        Runs ``compute(progress)`` beside the window and calls ``done(result)`` in its thread, unless another
        computation has been submitted meanwhile. Without it everything is computed at once.
    """

    described = Signal()
    """What the chip in the corner says has changed."""

    def __init__(self, scatter: ScatterMap, submit: Submit | None = None) -> None:
        super().__init__(scatter)
        self._scatter = scatter
        self._submit = submit or _directly
        self._count = scatter.count
        colors = scatter.colors
        box = scatter.box
        self._hulls, self._paths = HullItem(box, colors), PathItem(box, colors)
        self._links, self._labels = LinkItem(box, colors), LabelItem(box, colors)
        self._legend = LegendItem(box, colors)
        self._items = (self._hulls, self._paths, self._links, self._labels, self._legend)
        self._request: tuple[Any, ...] | None = None
        self._names: tuple[str, ...] = ()
        self._tints: tuple[str, ...] = ()
        self._texts: list[Label] = []
        self._token = 0
        self._space: NDArray[np.float64] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._compute_hulls)
        scatter.placed.connect(self._on_scatter_placed)
        self._paths.described.connect(self._update_legend)
        self._on_scatter_placed()

    # -- what is shown

    def set_hulls(
        self,
        labels: ArrayLike | None,
        names: Sequence[str] = (),
        colors: ArrayLike | None = None,
        kind: Kind = "convex",
        alpha: float | None = None,
        mask: ArrayLike | None = None,
    ) -> None:
        """Outline groups of points and write their names in their middle; None: nothing.

        Parameters
        ----------
        labels : (n,) int, or None
            Group of each point; negative: in none. The 60 largest groups are outlined.
        names : sequence of str
            By label; groups beyond its end have no name.
        colors : (k, 3) uint8, optional
            By label, repeated if there are fewer; None: the points' plain colour.
        kind : "convex" or "alpha"
            Alpha shapes follow the group, in pieces and with holes. Clouds in space have convex hulls only.
        alpha : float, optional
            Radius in units of the map of the largest disc between neighbouring points of an alpha shape; None: from the
            distances in each group.
        mask : (n,) bool, optional
            Only these points.

        Raises
        ------
        ValueError
            For shapes that do not fit, an unknown kind, or an `alpha` that is not positive.
        """
        self._token += 1
        self._rest.stop()
        if labels is None:
            self._request = None
            self._on_hulls_done(self._token, [])
            return
        group = self._per_point(np.asarray(labels, dtype=np.int64))
        only = None if mask is None else self._per_point(np.asarray(mask, dtype=np.bool_))
        if kind not in ("convex", "alpha"):
            raise ValueError(f"{kind!r} is neither convex nor alpha")
        if alpha is not None and not alpha > 0:
            raise ValueError(f"alpha is a radius above 0, not {alpha}")
        self._request = (group, kind, alpha, only)
        self._names = tuple(names)
        table = np.zeros((0, 3), np.uint8) if colors is None else np.asarray(colors, dtype=np.uint8).reshape(-1, 3)
        self._tints = tuple("#{:02x}{:02x}{:02x}".format(*row) for row in table.tolist())
        self._compute_hulls()

    def set_labels(self, texts: Sequence[str], indices: ArrayLike = ()) -> None:
        """Write names beside points, the most important first; at most 200, and only as many as find room.

        Raises
        ------
        ValueError
            If there are not as many texts as points, or a point does not exist.
        """
        points = self._legal(indices)
        if len(points) != len(texts):
            raise ValueError(f"{len(texts)} names for {len(points)} points")
        self._texts = [Label(str(t), int(i)) for t, i in zip(texts, points, strict=True) if str(t)][:MOST_LABELS]
        self._update_labels()

    def set_paths(
        self,
        order: ArrayLike | None,
        breaks: ArrayLike = (),
        mode: Literal["plain", "time"] = "plain",
        lut: ArrayLike | None = None,
    ) -> None:
        """Join points by a line in the order of time; None: no line.

        Parameters
        ----------
        order : (m,) int, or None
            Points, frame after frame.
        breaks : (b,) int
            Places in `order` at which another trajectory begins: no line leads there.
        mode : "plain" or "time"
            One colour, or those of `lut` from the first to the last frame.
        lut : (k, 3) uint8
            For "time": a sequential palette.

        Raises
        ------
        ValueError
            For a point or place that does not exist, an unknown mode, or "time" without colours.
        """
        if order is None:
            self._paths.set_trail(None)
            self._update_legend()
            return
        if mode not in ("plain", "time"):
            raise ValueError(f"{mode!r} is neither plain nor time")
        points = self._legal(order)
        m = len(points)
        joined = np.ones(m, np.bool_)
        joined[:1] = False
        starts = np.asarray(breaks, dtype=np.int64).reshape(-1)
        if len(starts) and (starts.min() < 0 or starts.max() >= m):
            raise ValueError(f"a break outside of the {m} frames")
        joined[starts] = False
        table = None
        colors = np.zeros(m, np.uint16)
        if mode == "time":
            if lut is None:
                raise ValueError("a path coloured by time needs colours")
            table = np.asarray(lut, dtype=np.uint8).reshape(-1, 3)[: 1 << 16]
            colors = (np.arange(m) * len(table) // max(m, 1)).astype(np.uint16)
        self._paths.set_trail(Trail(points, joined, colors, table))
        if not overlay_backend.is_ready():
            self._submit(_warm_up, self._on_loops_ready)
        self._update_legend()

    def set_links(self, links: Sequence[Link | tuple[int, int, str] | tuple[int, int, str, float]]) -> None:
        """Draw lines between pairs of points, at most 200; none: ``()``.

        Kinds: "feature" (neighbours among the features; solid), "map" (neighbours on the map; dotted), "false" (near on
        the map only; dashed, with a cross at the end), "path" (steps of a path in their order; thick, numbered),
        "raises" and "lowers" (training structures that make a prediction larger or smaller, the thicker the more).

        Raises
        ------
        ValueError
            For a point that does not exist or an unknown kind.
        """
        found = [link if isinstance(link, Link) else Link(int(link[0]), int(link[1]), *link[2:]) for link in links]
        found = found[:MOST_LINKS]
        self._legal([end for link in found for end in (link.start, link.end)])
        self._links.set_links(found)
        self._update_legend()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        for item in self._items:
            item.set_theme(theme(dark))
        self._show_hulls(self._hulls.hulls)

    def refresh(self) -> None:
        """Draw anew, with compiled loops if they have been loaded meanwhile."""
        self._paths.refresh()

    def clear(self) -> None:
        """No overlays at all."""
        self._texts = []
        self.set_hulls(None)
        self.set_paths(None)
        self.set_links(())

    @property
    def hulls(self) -> list[Hull]:
        """The outlines on screen, the largest group first."""
        return list(self._hulls.hulls)

    @property
    def description(self) -> str:
        """What the chip in the corner says, line by line."""
        return "\n".join(text for _, text in self._legend.rows)

    # -- following the map

    def _on_scatter_placed(self) -> None:
        points = self._scatter.points
        if len(points) != self._count:
            self._count = len(points)
            self.clear()
        for item in self._items:
            item.set_points(points)
        space = self._scatter.space
        if self._request is not None and (space is None or space is not self._space or not self._follows()):
            if not self._follows():
                self._hulls.setVisible(False)
            self._rest.start()

    def _follows(self) -> bool:
        """Whether the outlines on screen are right wherever a cloud is turned."""
        return self._scatter.space is None or all(len(hull.corners) for hull in self._hulls.hulls)

    def _compute_hulls(self) -> None:
        if self._request is None:
            return
        group, kind, alpha, only = self._request
        space = self._space = self._scatter.space
        points = self._scatter.points if space is None or kind == "alpha" else space
        self._token += 1
        compute = partial(_outlines, points, group, kind, alpha, only)
        done = partial(self._on_hulls_done, self._token)
        if len(points) <= DIRECT_POINTS:
            _directly(compute, done)
        else:
            self._submit(compute, done)

    def _on_hulls_done(self, token: int, found: list[Hull]) -> None:
        if token == self._token:
            self._show_hulls(found)
            self._hulls.setVisible(True)
            self._update_labels()

    def _show_hulls(self, found: list[Hull]) -> None:
        plain = self._hulls.colors.point
        tints = [self._tints[h.label % len(self._tints)] if self._tints else plain for h in found]
        convex = self._request is None or self._request[1] == "convex"
        self._hulls.set_hulls(found, tints, convex)

    def _on_loops_ready(self, _nothing: object) -> None:
        self._paths.refresh()

    def _update_labels(self) -> None:
        strong = [
            Label(self._names[h.label], h.center, True)
            for h in self._hulls.hulls
            if h.label < len(self._names) and self._names[h.label]
        ]
        self._labels.set_labels(strong + self._texts)

    def _update_legend(self) -> None:
        words = {
            "feature": self.tr("neighbour among the features"),
            "map": self.tr("neighbour on the map"),
            "false": self.tr("false neighbour: near on the map only"),
            "path": self.tr("path among the features"),
            "raises": self.tr("training structure that raises the prediction"),
            "lowers": self.tr("training structure that lowers it"),
        }
        rows: list[tuple[str, str]] = [(kind, words[kind]) for kind in self._links.kinds]
        trail = self._paths.trail
        if trail is not None:
            text = self.tr("path of {:,} frames").format(len(trail.order))
            if trail.table is not None:
                text += self.tr(", coloured by time")
            if self._paths.every > 1:
                text += self.tr(" · every {}th stretch drawn").format(self._paths.every)
            rows.append(("trail", text))
        if rows != self._legend.rows:
            self._legend.set_rows(rows)
            self.described.emit()

    # -- checks

    def _per_point(self, values: NDArray[Any]) -> NDArray[Any]:
        if values.shape != (self._count,):
            raise ValueError(f"expected one value for each of {self._count} points, not shape {values.shape}")
        return values

    def _legal(self, indices: ArrayLike) -> NDArray[np.int64]:
        points = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(points) and (points.min() < 0 or points.max() >= self._count):
            raise ValueError(f"points {points.min()} … {points.max()} of {self._count}")
        return points


def _outlines(
    points: NDArray[np.float64],
    group: NDArray[np.int64],
    kind: Kind,
    alpha: float | None,
    mask: NDArray[np.bool_] | None,
    progress: Progress,
) -> list[Hull]:
    return hulls.outlines(points, group, kind, alpha, mask, progress)


def _warm_up(_progress: Progress) -> None:
    overlay_backend.warm_up()
