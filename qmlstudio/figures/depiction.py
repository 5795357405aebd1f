"""2D depictions drawn as vectors of the figure: RDKit decides where lines go, text stays text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

_TOKEN = re.compile(r"[MLQCZz]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Stroke:
    """A line or a filled shape: matplotlib path vertices and codes, colours or "none", line width in drawing units."""

    vertices: tuple[tuple[float, float], ...]
    codes: tuple[int, ...]
    stroke: str
    fill: str
    width: float


@dataclass(frozen=True)
class Glyphs:
    """A piece of an atom's label: baseline position, size in drawing units, SVG's text anchor."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: str


@dataclass(frozen=True)
class Depiction:
    """A molecule's drawing; y points down."""

    width: float
    height: float
    strokes: tuple[Stroke, ...]
    texts: tuple[Glyphs, ...]

    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of all that is drawn, with a little air; the whole canvas when nothing is."""
        xs = [x for s in self.strokes for x, _ in s.vertices] + [t.x for t in self.texts]
        ys = [y for s in self.strokes for _, y in s.vertices] + [t.y - 0.35 * t.size for t in self.texts]
        if not xs:
            return 0.0, 0.0, self.width, self.height
        air = 0.75 * max((t.size for t in self.texts), default=12.0)
        return min(xs) - air, min(ys) - air, max(xs) + air, max(ys) + air


def _style(element: Any) -> dict[str, str]:
    pairs = (item.split(":", 1) for item in element.get("style", "").split(";") if ":" in item)
    return {key.strip(): value.strip() for key, value in pairs}


def _path(text: str) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
    """Vertices and matplotlib codes of an SVG path of M, L, Q, C and Z with absolute coordinates."""
    tokens = _TOKEN.findall(text)
    vertices: list[tuple[float, float]] = []
    codes: list[int] = []
    command, i = "", 0
    per = {"M": 1, "L": 1, "Q": 2, "C": 3}
    code = {"M": 1, "L": 2, "Q": 3, "C": 4}
    while i < len(tokens):
        if tokens[i].isalpha():
            command = tokens[i].upper()
            i += 1
            if command == "Z" and vertices:
                vertices.append(vertices[0])
                codes.append(79)
            continue
        for _ in range(per.get(command, 1)):
            vertices.append((float(tokens[i]), float(tokens[i + 1])))
            codes.append(code.get(command, 2))
            i += 2
        if command == "M":
            command = "L"
    return tuple(vertices), tuple(codes)


@lru_cache(maxsize=256)
def depict(smiles: str, size: int = 200) -> Depiction | None:
    """The 2D drawing of a SMILES, or None when RDKit cannot read it.

    Parameters
    ----------
    smiles : str
    size : int
        Width and height of the drawing's canvas in its own units.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None or molecule.GetNumAtoms() == 0:
            return None
        # text as text, not as outlines
        drawer = rdMolDraw2D.MolDraw2DSVG(size, size, -1, -1, True)
        options: Any = drawer.drawOptions()
        options.clearBackground = False
        options.fixedBondLength = 0.14 * size
        options.bondLineWidth = 1
        options.minFontSize = options.maxFontSize = max(6, round(0.085 * size))
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
        drawer.FinishDrawing()
    return parse(drawer.GetDrawingText(), float(size), float(size))


def parse(svg: str, width: float, height: float) -> Depiction:
    """Lines, shapes and texts of an SVG as RDKit writes it."""
    strokes: list[Stroke] = []
    texts: list[Glyphs] = []
    for element in ElementTree.fromstring(svg).iter():
        style = _style(element)
        if element.tag == f"{_SVG}path":
            vertices, codes = _path(element.get("d", ""))
            if vertices:
                line = float(style.get("stroke-width", "1px").removesuffix("px"))
                strokes.append(
                    Stroke(
                        vertices,
                        codes,
                        style.get("stroke", "none"),
                        style.get("fill", element.get("fill", "none")),
                        line,
                    )
                )
        elif element.tag == f"{_SVG}text" and (text := "".join(element.itertext())):
            font = float(style.get("font-size", "12px").removesuffix("px"))
            texts.append(
                Glyphs(
                    float(element.get("x", "0")),
                    float(element.get("y", "0")),
                    text,
                    font,
                    style.get("fill", "#000000"),
                    style.get("text-anchor", "start"),
                )
            )
    return Depiction(width, height, tuple(strokes), tuple(texts))


def draw_depiction(axes: Any, depiction: Depiction, width_points: float, height_points: float) -> None:
    """Draw into empty axes that are to become `width_points` × `height_points` on paper.

    The drawing keeps its shape; lines and letters shrink with it, but no drawing is blown up beyond bonds of 4 mm.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    x0, y0, x1, y1 = depiction.bounds()
    scale = min(width_points / (x1 - x0), height_points / (y1 - y0), 0.42)
    half_w, half_h = 0.5 * width_points / scale, 0.5 * height_points / scale
    cx, cy = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    axes.set_xlim(cx - half_w, cx + half_w)
    axes.set_ylim(cy + half_h, cy - half_h)
    axes.set_axis_off()
    for s in depiction.strokes:
        axes.add_patch(
            PathPatch(
                Path(s.vertices, s.codes),
                facecolor=s.fill,
                edgecolor=s.stroke,
                linewidth=max(0.35, s.width * 1.3 * scale),
                capstyle="round",
                joinstyle="round",
            )
        )
    align = {"start": "left", "middle": "center", "end": "right"}
    for t in depiction.texts:
        axes.text(
            t.x,
            t.y,
            t.text,
            fontsize=t.size * scale,
            color=t.color,
            ha=align.get(t.anchor, "left"),
            va="baseline",
            clip_on=False,
        )
