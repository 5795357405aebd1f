"""Where the names of points are written so that they do not cover each other. One rule for window and figure."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


def place_labels(
    points: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], bounds: Box, gap: float = 5.0
) -> list[tuple[float, float] | None]:
    """Left and top of each label beside its point, y downwards.

    Labels are placed in their order, each at the first free place of those around its point, near ones first; where
    all within reach cover a point or another label it stays away (None).

    Parameters
    ----------
    points : sequence of (x, y)
    sizes : sequence of (width, height)
        Of the labels.
    bounds : Box
        Labels stay within it.
    gap : float
        Between point and label.
    """
    left, top, width, height = bounds
    dots: list[Box] = [(x - gap + 1, y - gap + 1, 2 * gap - 2, 2 * gap - 2) for x, y in points]
    placed: list[Box] = []
    result: list[tuple[float, float] | None] = []
    for (x, y), (w, h) in zip(points, sizes, strict=True):
        found = None
        for step in (0.0, 0.6, 1.2, 2.0, 3.0, 4.0, 5.0):
            rise = step * h
            for at in (
                (x + gap, y - h / 2 - rise),
                (x + gap, y - h / 2 + rise),
                (x - gap - w, y - h / 2 - rise),
                (x - gap - w, y - h / 2 + rise),
                (x - w / 2, y - gap - h - rise),
                (x - w / 2, y + gap + rise),
            ):
                box = (at[0], at[1], w, h)
                inside = at[0] >= left and at[1] >= top and at[0] + w <= left + width and at[1] + h <= top + height
                if inside and not any(_overlap(box, other) for other in (*dots, *placed)):
                    found = at
                    break
            if found is not None:
                placed.append((*found, w, h))
                break
        result.append(found)
    return result


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
