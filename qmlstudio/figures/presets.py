"""Widths, text sizes and resolutions that journals ask for, and the specification of one figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from qmlstudio.parameters import Parameterised, param

CM_PER_INCH = 2.54
POINTS_PER_CM = 72 / CM_PER_INCH

VECTOR_LIMIT = 20_000
"""More points than this become a raster layer under vector axes."""
RASTER_DPI = 600
"""Least resolution of raster layers inside vector files."""

FORMATS = ("svg", "pdf", "png", "tiff")
COLUMNS = ("single", "one_half", "double")


@dataclass(frozen=True)
class Preset:
    """What a family of journals asks of figures.

    Attributes
    ----------
    title : str
    single, double : float, cm
        Widths of one and two columns.
    one_half : float or None, cm
        The width in between where the family has one.
    text, small : float, pt
        Size of titles and labels; of ticks and legends.
    dpi : int
        Resolution of coloured raster images.
    line_dpi : int
        Resolution of line art, where it differs.
    """

    title: str
    single: float
    one_half: float | None
    double: float
    text: float
    small: float
    dpi: int
    line_dpi: int

    def width(self, column: str) -> float:
        """Width in cm of "single", "one_half" or "double"; ValueError where the family has no such width."""
        widths = {"single": self.single, "one_half": self.one_half, "double": self.double}
        if column not in widths:
            raise ValueError(f"{column!r} is none of {', '.join(widths)}")
        width = widths[column]
        if width is None:
            raise ValueError(f"{self.title} has no 1.5-column width: choose single or double, or give the width")
        return width


PRESETS: dict[str, Preset] = {
    "default": Preset("Default", 8.5, 11.4, 17.5, 8.0, 7.0, 600, 600),
    # 4.5 pt is what ACS tolerates at least; nobody reads that with pleasure
    "acs": Preset("ACS", 8.25, None, 17.8, 8.0, 7.0, 300, 1200),
    "aip": Preset("AIP", 8.5, None, 17.0, 9.0, 8.0, 600, 600),
    "rsc": Preset("RSC", 8.3, None, 17.1, 7.0, 7.0, 600, 600),
    "nature": Preset("Nature", 8.8, None, 18.0, 7.0, 6.0, 600, 600),
    # lettering of 2–3 mm: capitals are 0.73 of the size in sans-serif fonts, so 8 pt is 2.06 mm
    "aps": Preset("APS", 8.6, None, 17.8, 9.0, 8.0, 600, 600),
}
"""Journal families by their short names."""


@dataclass(frozen=True, kw_only=True)
class FigureSpec(Parameterised):
    """Size, text, resolution and format of one figure. None means: as the family wants it.

    Raises
    ------
    ValueError
        When the family has no such column width and no `width` is given.
    """

    name: ClassVar[str] = "figure"
    title: ClassVar[str] = "Figure"

    family: Literal["default", "acs", "aip", "rsc", "nature", "aps"] = param(
        "default",
        label="Journal",
        choices=tuple((key, preset.title) for key, preset in PRESETS.items()),
        help="Sets width, text size and resolution as the journals of this family ask for.",
    )
    column: Literal["single", "one_half", "double"] = param(
        "single",
        label="Columns",
        choices=(("single", "single"), ("one_half", "1.5"), ("double", "double")),
        help="How wide the figure stands on the page.",
    )
    width: float | None = param(
        None,
        label="Width",
        unit="cm",
        low=2.0,
        high=100.0,
        step=0.1,
        none_label="as the journal",
        help="Overrides the column.",
    )
    height: float | None = param(
        None,
        label="Height",
        unit="cm",
        low=2.0,
        high=100.0,
        step=0.1,
        none_label="from the shape",
        help="Overrides the shape.",
    )
    aspect: float = param(
        0.8, label="Height : width", low=0.2, high=5.0, step=0.05, help="Shape of the figure when no height is given."
    )
    format: Literal["svg", "pdf", "png", "tiff"] = param(
        "pdf",
        label="Format",
        choices=(("svg", "SVG"), ("pdf", "PDF"), ("png", "PNG"), ("tiff", "TIFF")),
        help="SVG and PDF keep text and up to 20,000 points as vectors.",
    )
    dpi: int | None = param(
        None,
        label="Resolution",
        unit="dpi",
        low=50,
        high=2400,
        step=50,
        none_label="as the journal",
        help="Of PNG and TIFF; raster layers inside SVG and PDF have at least 600 dpi.",
    )
    transparent: bool = param(False, label="Transparent", help="No background.")
    font: str = param(
        "automatic",
        label="Font",
        choices=(("automatic", "automatic"), "Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"),
        help="Automatic: the first of Arial, Helvetica and Liberation Sans that is installed, else DejaVu Sans.",
        advanced=True,
    )
    font_size: float | None = param(
        None,
        label="Text size",
        unit="pt",
        low=4.0,
        high=24.0,
        step=0.5,
        none_label="as the journal",
        help="Of titles and labels; ticks are a little smaller.",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width is None:
            self.preset.width(self.column)

    @property
    def preset(self) -> Preset:
        """What the family asks for."""
        return PRESETS[self.family]

    @property
    def width_cm(self) -> float:
        """Width of the figure, cm."""
        return self.preset.width(self.column) if self.width is None else self.width

    @property
    def height_cm(self) -> float:
        """Height of the figure, cm."""
        return self.width_cm * self.aspect if self.height is None else self.height

    @property
    def size_inches(self) -> tuple[float, float]:
        """Width and height in inches, as matplotlib wants them."""
        return self.width_cm / CM_PER_INCH, self.height_cm / CM_PER_INCH

    @property
    def text_size(self) -> float:
        """Size of titles and labels, pt."""
        return self.preset.text if self.font_size is None else self.font_size

    @property
    def small_size(self) -> float:
        """Size of ticks and legends, pt."""
        return self.preset.small if self.font_size is None else max(4.0, self.font_size - 1.0)

    @property
    def raster_dpi(self) -> int:
        """Resolution of a PNG or TIFF."""
        return self.preset.dpi if self.dpi is None else self.dpi

    @property
    def layer_dpi(self) -> int:
        """Resolution of raster layers inside SVG and PDF."""
        return max(RASTER_DPI, self.raster_dpi)
