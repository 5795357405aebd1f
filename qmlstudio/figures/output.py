"""Writing figures: exact sizes, text as text, the recipe inside the file, never half a file."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree
from xml.sax.saxutils import escape, unescape

import numpy as np
from numpy.typing import NDArray

from qmlstudio import __version__
from qmlstudio.figures.presets import FORMATS, FigureSpec
from qmlstudio.figures.style import font_file, styled

RECIPE_KEY = "qmlstudio-recipe"
_NAMESPACE = "urn:qmlstudio:recipe"
_SUFFIXES = {"svg": "svg", "pdf": "pdf", "png": "png", "tif": "tiff", "tiff": "tiff"}
Vision = Literal["normal", "protan", "deutan", "tritan", "grey"]

# Machado, Oliveira & Fernandes (2009), IEEE TVCG 15, 1291: full deficiency, linear RGB
_VISION: dict[str, NDArray[np.float64]] = {
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
    "grey": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}


def figure_format(path: Path, spec: FigureSpec) -> str:
    """The format that a file name asks for: its suffix, else the specification's; ValueError for an unknown suffix."""
    suffix = path.suffix.lower().removeprefix(".")
    if not suffix:
        return spec.format
    if suffix not in _SUFFIXES:
        raise ValueError(f"unknown figure format .{suffix}: use {', '.join('.' + f for f in FORMATS)}")
    return _SUFFIXES[suffix]


def save(
    figure: Any,
    path: str | os.PathLike[str],
    spec: FigureSpec,
    *,
    recipe: dict[str, Any] | None = None,
    title: str = "",
) -> Path:
    """Write a figure; equal figures give equal bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Made with the same `spec`.
    path : path
        Its suffix decides the format; without a suffix that of `spec` is appended.
    spec : FigureSpec
    recipe : dict, optional
        What :func:`read_recipe` gives back: JSON-able.
    title : str
        Title in the file's metadata.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        Unknown suffix.
    OSError
        Disk full, no permission; an older file of that name is then still whole.
    """
    path = Path(path)
    kind = figure_format(path, spec)
    if not path.suffix:
        path = path.with_name(f"{path.name}.{kind}")
    data = render(figure, spec, kind, recipe=recipe, title=title)
    _write_atomically(path, data)
    return path


def render(figure: Any, spec: FigureSpec, kind: str, *, recipe: dict[str, Any] | None = None, title: str = "") -> bytes:
    """The bytes of the file that :func:`save` writes."""
    text = None if recipe is None else json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    creator = f"QML Studio {__version__}"
    buffer = io.BytesIO()
    with styled(spec):
        options: dict[str, Any] = {"facecolor": "none" if spec.transparent else "white", "edgecolor": "none"}
        figure.set_size_inches(*spec.size_inches)
        if kind == "svg":
            metadata = {"Creator": creator, "Date": None} | ({"Title": title} if title else {})
            figure.savefig(buffer, format="svg", dpi=spec.layer_dpi, metadata=metadata, **options)
            return _finish_svg(buffer.getvalue().decode("utf-8"), spec, text).encode("utf-8")
        if kind == "pdf":
            metadata = {"Creator": creator, "Producer": creator, "CreationDate": None, "ModDate": None}
            if title:
                metadata["Title"] = title
            if text is not None:
                metadata["Keywords"] = f"{RECIPE_KEY}:{text}"
            figure.savefig(buffer, format="pdf", dpi=spec.layer_dpi, metadata=metadata, **options)
            return buffer.getvalue()
        picture = _rgba(figure, spec.raster_dpi, **options)
    return _encode(picture, spec, kind, text, title, creator)


def preview_png(figure: Any, spec: FigureSpec, dpi: float = 150, vision: Vision = "normal") -> bytes:
    """The figure as a PNG for the screen: the same drawing that :func:`save` writes.

    `vision` shows it as people with a colour-vision deficiency, or a black-and-white printer, see it.
    """
    with styled(spec):
        figure.set_size_inches(*spec.size_inches)
        picture = _rgba(figure, dpi, facecolor="none" if spec.transparent else "white", edgecolor="none")
    return _encode(simulate(picture, vision), spec, "png", None, "", f"QML Studio {__version__}")


def simulate(picture: NDArray[np.uint8], vision: Vision) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 as seen with a colour-vision deficiency."""
    if vision == "normal":
        return picture
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear[picture[..., :3]] @ _VISION[vision].T, 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    result = picture.copy()
    result[..., :3] = np.rint(255 * encoded)
    return result


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The recipe inside a figure written by :func:`save`, or None if the file has none or is no figure.

    Raises OSError when the file cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        text = _recipe_text(data)
        recipe = None if text is None else json.loads(text)
    except (ValueError, ElementTree.ParseError, OSError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _recipe_text(data: bytes) -> str | None:
    if data.startswith(b"%PDF"):
        return _pdf_recipe(data)
    if data.startswith((b"\x89PNG", b"II*\0", b"MM\0*")):
        from PIL import Image

        with Image.open(io.BytesIO(data)) as image:
            if image.format == "PNG":
                found = getattr(image, "text", {}).get(RECIPE_KEY)
            else:
                found = dict(getattr(image, "tag_v2", {})).get(270)
                found = found.partition(f"{RECIPE_KEY}:")[2] if isinstance(found, str) else None
        return str(found) if found else None
    if b"<svg" in data[:4096]:
        for _, element in ElementTree.iterparse(io.BytesIO(data), events=("end",)):
            if element.tag == f"{{{_NAMESPACE}}}recipe":
                return str(element.text) if element.text else None
    return None


def _pdf_recipe(data: bytes) -> str | None:
    """The Keywords string of the document information, unescaped."""
    start = data.find(b"/Keywords (" + RECIPE_KEY.encode() + b":")
    if start < 0:
        return None
    start = data.index(b"(", start) + 1
    # JSON in ASCII: the only escapes are those of a literal string's own signs; unescaped brackets are balanced
    found, depth, i = bytearray(), 1, start
    while i < len(data):
        byte = data[i : i + 1]
        if byte == b"\\":
            i += 1
            following = data[i : i + 1]
            found += {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(following, following)
        else:
            depth += {b"(": 1, b")": -1}.get(byte, 0)
            if depth == 0:
                break
            found += byte
        i += 1
    return found.decode("latin-1").partition(":")[2]


def _rgba(figure: Any, dpi: float, **options: Any) -> NDArray[np.uint8]:
    """The figure drawn at `dpi` as (H, W, 4) uint8."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=dpi, **options)
    width, height = (int(side * dpi) for side in figure.get_size_inches())
    pixels = np.frombuffer(buffer.getvalue(), dtype=np.uint8)
    # matplotlib rounds the size down; should it ever not, the number of pixels still tells
    if pixels.size != 4 * width * height:
        width = round(figure.get_size_inches()[0] * dpi)
        height = pixels.size // (4 * width)
    return pixels.reshape(height, width, 4)


def _encode(
    picture: NDArray[np.uint8], spec: FigureSpec, kind: str, text: str | None, title: str, creator: str
) -> bytes:
    """A picture as PNG or TIFF whose resolution makes it exactly as wide as specified."""
    from PIL import Image, PngImagePlugin

    height, width = picture.shape[:2]
    resolution = (width / spec.size_inches[0], height / spec.size_inches[1])
    image = Image.fromarray(picture if spec.transparent else np.ascontiguousarray(picture[..., :3]))
    buffer = io.BytesIO()
    if kind == "tiff":
        tags: dict[int, Any] = {305: creator}
        if text is not None or title:
            tags[270] = f"{title}\n" * bool(title) + (f"{RECIPE_KEY}:{text}" if text is not None else "")
        image.save(buffer, format="TIFF", compression="tiff_lzw", dpi=resolution, tiffinfo=tags)
    else:
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Software", creator)
        if title:
            chunks.add_itxt("Title", title)
        if text is not None:
            # compressed only where it is long: short ones stay readable in any metadata viewer
            chunks.add_text(RECIPE_KEY, text, zip=len(text) > 8192)
        image.save(buffer, format="PNG", dpi=resolution, pnginfo=chunks, optimize=False)
    return buffer.getvalue()


def _finish_svg(svg: str, spec: FigureSpec, recipe: str | None) -> str:
    """Size in millimetres, fonts embedded, recipe inside."""
    width, height = (10 * spec.width_cm, 10 * spec.height_cm)
    head = re.search(r"<svg\b[^>]*>", svg)
    if head is None:
        raise ValueError("matplotlib wrote no <svg> element")
    tag = re.sub(r'\bwidth="[^"]*"', f'width="{width:.6g}mm"', head.group(), count=1)
    tag = re.sub(r'\bheight="[^"]*"', f'height="{height:.6g}mm"', tag, count=1)
    extra = _embedded_fonts(svg)
    if recipe is not None:
        extra += f'\n <metadata><q:recipe xmlns:q="{_NAMESPACE}">{escape(recipe)}</q:recipe></metadata>'
    return svg[: head.start()] + tag + extra + svg[head.end() :]


def _embedded_fonts(svg: str) -> str:
    """A <style> with the glyphs that the texts use, so that they look alike where the font is not installed."""
    used: dict[tuple[str, str], set[str]] = {}
    for style, text in re.findall(r'<(?:text|tspan)\b[^>]*style="([^"]*)"[^>]*>([^<]*)', svg):
        # "font: 7px 'DejaVu Sans'" or "font-family: 'DejaVu Sans'", as matplotlib's version has it
        named = re.search(r"font(?:-family)?:[^;]*?'([^']+)'", style)
        if named is not None:
            weight = "bold" if re.search(r"\b(bold|[6-9]00)\b", style) else "normal"
            used.setdefault((named[1], weight), set()).update(unescape(text, {"&quot;": '"'}))
    rules = []
    for (family, weight), signs in sorted(used.items()):
        subset = _subset(font_file(family, weight), "".join(sorted(signs)))
        code = base64.b64encode(subset).decode("ascii")
        source = f"url(data:font/ttf;base64,{code}) format('truetype')"
        rules.append(f"@font-face{{font-family:'{family}';font-weight:{weight};src:{source}}}")
    return f'\n <style type="text/css">{"".join(rules)}</style>' if rules else ""


def _subset(path: Path, signs: str) -> bytes:
    """A TrueType font with only the glyphs of `signs`."""
    import logging

    from fontTools import subset  # type: ignore[import-untyped]

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = subset.Options(hinting=False, layout_features=["kern"], notdef_outline=True, ignore_missing_unicodes=True)
    # the time of writing would make equal figures differ
    font = subset.load_font(str(path), options, lazy=True)
    font.recalcTimestamp = False
    try:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text=signs)
        subsetter.subset(font)
        buffer = io.BytesIO()
        font.save(buffer, reorderTables=True)
    finally:
        font.close()
    return buffer.getvalue()


def _write_atomically(path: Path, data: bytes) -> None:
    """All or nothing: written beside, flushed to disk, then renamed over the old file."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner may read; a figure is shared
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
