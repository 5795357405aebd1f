"""Colours of the widgets, light and dark. Plain strings, so that importing this costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``. Text on `background` or `surface` has a contrast of 4.5 : 1 or more.

    Attributes
    ----------
    dark : bool
    background : str
        Behind drawings: maps, plots, the 3D canvas.
    surface : str
        Cards and badges that lie on a drawing.
    border : str
        Outlines of surfaces and frames.
    foreground : str
        Text, axes.
    muted : str
        Secondary text.
    grid : str
        Lines of reference, hardly there.
    accent : str
        The active structure, focus, running jobs.
    pin : str
        Pinned structures.
    point : str
        Points that are not coloured by anything.
    missing : str
        Hollow rings of points whose value is missing.
    dim : float
        How far the colour of an unselected point is drawn towards the background, 0 … 1.
    """

    dark: bool
    background: str
    surface: str
    border: str
    foreground: str
    muted: str
    grid: str
    accent: str
    pin: str
    point: str
    missing: str
    dim: float


LIGHT = Theme(
    dark=False,
    background="#ffffff",
    surface="#fbfbfc",
    border="#c9ccd1",
    foreground="#1f2328",
    muted="#5c636b",
    grid="#e6e8eb",
    accent="#d1245c",
    pin="#0b63b0",
    point="#3a6ea5",
    missing="#8b9096",
    dim=0.80,
)
DARK = Theme(
    dark=True,
    background="#16181c",
    surface="#22252b",
    border="#43484f",
    foreground="#e6e8eb",
    muted="#a0a6ae",
    grid="#2a2e34",
    accent="#ff5d8f",
    pin="#6cb6ff",
    point="#7fb2e5",
    missing="#868c94",
    dim=0.78,
)


def theme(dark: bool) -> Theme:
    """The colours for a dark or a light window."""
    return DARK if dark else LIGHT


def rgb(color: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three bytes; ValueError for anything else."""
    if len(color) != 7 or not color.startswith("#"):
        raise ValueError(f"{color!r} is not of the form #rrggbb")
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def mix(color: str, other: str, fraction: float) -> str:
    """`color` moved towards `other` by `fraction` (0 … 1)."""
    channels = (round(a + (b - a) * fraction) for a, b in zip(rgb(color), rgb(other), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*channels)
