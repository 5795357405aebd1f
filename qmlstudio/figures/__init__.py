"""Publication figures from plain arrays: map, structure, descriptor; written exactly as previewed. Knows no Qt.

Importing this package is cheap: matplotlib, RDKit and Pillow are imported by the first figure that needs them.
"""

from qmlstudio.figures.caption import caption
from qmlstudio.figures.descriptor import descriptor_figure
from qmlstudio.figures.map import Pin, map_figure
from qmlstudio.figures.output import preview_png, read_recipe, render, save
from qmlstudio.figures.presets import PRESETS, FigureSpec
from qmlstudio.figures.scales import Categories, ColorScale
from qmlstudio.figures.structure import Drawing, image_size, structure_figure

__all__ = [
    "PRESETS",
    "Categories",
    "ColorScale",
    "Drawing",
    "FigureSpec",
    "Pin",
    "caption",
    "descriptor_figure",
    "image_size",
    "map_figure",
    "preview_png",
    "read_recipe",
    "render",
    "save",
    "structure_figure",
]
