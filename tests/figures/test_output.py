"""What is written: sizes to a tenth of a millimetre, text as text, recipes, whole files only."""

import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from qmlstudio.figures import ColorScale, FigureSpec, map_figure, preview_png, read_recipe, save
from qmlstudio.figures.output import render, simulate
from qmlstudio.figures.presets import PRESETS

RECIPE = {"version": 1, "name": 'Å σ (x) \\ ) "q" <&>]]>', "values": [1.5, None, True]}


def small_figure(spec: FigureSpec) -> Any:
    points = np.random.default_rng(0).normal(size=(50, 2))
    return map_figure(
        points, spec=spec, values=points[:, 0], scale=ColorScale(label="gap / Ha"), title="An exact title"
    )


def size_mm(path: Path) -> tuple[float, float]:
    """Width and height of a figure file in mm, from what the file says."""
    data = path.read_bytes()
    if path.suffix == ".pdf":
        found = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", data)
        assert found is not None
        return float(found[1]) / 72 * 25.4, float(found[2]) / 72 * 25.4
    if path.suffix == ".svg":
        found_text = re.search(r'<svg[^>]*\bwidth="([\d.]+)mm"', data.decode())
        height = re.search(r'<svg[^>]*\bheight="([\d.]+)mm"', data.decode())
        assert found_text is not None
        assert height is not None
        return float(found_text[1]), float(height[1])
    with Image.open(path) as image:
        dpi = image.info["dpi"]
        return image.width / float(dpi[0]) * 25.4, image.height / float(dpi[1]) * 25.4


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "tiff"])
@pytest.mark.parametrize("family", PRESETS)
def test_size_is_right_to_a_tenth_of_a_millimetre(tmp_path: Path, family: str, suffix: str) -> None:
    spec = FigureSpec(family=family, aspect=0.63, dpi=None if suffix in ("svg", "pdf") else 201)
    path = save(small_figure(spec), tmp_path / f"figure.{suffix}", spec)
    width, height = size_mm(path)
    assert width == pytest.approx(10 * spec.width_cm, abs=0.1)
    assert height == pytest.approx(10 * spec.height_cm, abs=0.1)


def test_raster_has_the_pixels_of_its_resolution(tmp_path: Path) -> None:
    spec = FigureSpec(family="acs")
    with Image.open(save(small_figure(spec), tmp_path / "a.png", spec)) as image:
        assert image.width == pytest.approx(8.25 / 2.54 * 300, abs=1)


def test_svg_has_text_and_embedded_font(tmp_path: Path) -> None:
    spec = FigureSpec(font="DejaVu Sans")
    svg = save(small_figure(spec), tmp_path / "a.svg", spec).read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "An exact title" in texts
    assert "gap / Ha" in texts
    assert "@font-face{font-family:'DejaVu Sans'" in svg
    assert "font/ttf;base64," in svg


def test_embedded_font_has_the_glyphs_of_the_texts(tmp_path: Path) -> None:
    import base64

    from fontTools.ttLib import TTFont

    spec = FigureSpec(font="DejaVu Sans")
    svg = save(small_figure(spec), tmp_path / "a.svg", spec).read_text(encoding="utf-8")
    code = re.search(r"font-weight:normal;src:url\(data:font/ttf;base64,([^)]*)\)", svg)
    assert code is not None
    with TTFont(io.BytesIO(base64.b64decode(code[1]))) as font:
        glyphs = font.getBestCmap()
    assert {ord(c) for c in "An exact title gap / Ha"} <= set(glyphs)
    assert len(glyphs) < 100


def test_pdf_embeds_truetype(tmp_path: Path) -> None:
    spec = FigureSpec(font="DejaVu Sans")
    data = save(small_figure(spec), tmp_path / "a.pdf", spec).read_bytes()
    assert b"/FontFile2" in data
    assert b"/CIDFontType2" in data or b"/TrueType" in data
    assert b"/Type3" not in data


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_pdf_text_is_text(tmp_path: Path) -> None:
    spec = FigureSpec()
    path = save(small_figure(spec), tmp_path / "a.pdf", spec)
    text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "An exact title" in text
    assert "gap / Ha" in text


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "tif", "tiff"])
def test_recipe_round_trip(tmp_path: Path, suffix: str) -> None:
    spec = FigureSpec(dpi=100)
    path = save(small_figure(spec), tmp_path / f"a.{suffix}", spec, recipe=RECIPE, title="Ünïcode (title")
    assert read_recipe(path) == RECIPE
    plain = save(small_figure(spec), tmp_path / f"b.{suffix}", spec)
    assert read_recipe(plain) is None


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "tiff"])
def test_long_recipe(tmp_path: Path, suffix: str) -> None:
    spec = FigureSpec(dpi=60)
    recipe = {"pins": list(range(20_000))}
    assert read_recipe(save(small_figure(spec), tmp_path / f"a.{suffix}", spec, recipe=recipe)) == recipe


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%PDF-1.4 broken", b"\x89PNG\r\n\x1a\nbroken", b"<svg><broken", b"II*\0xx"]
)
def test_other_files_have_no_recipe(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert read_recipe(path) is None


@pytest.mark.parametrize("kind", ["svg", "pdf", "png", "tiff"])
def test_equal_figures_give_equal_bytes(kind: str) -> None:
    spec = FigureSpec(dpi=100)
    first, second = (render(small_figure(spec), spec, kind, recipe=RECIPE) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_same_figure_written_twice_and_after_another_format(kind: str) -> None:
    spec = FigureSpec(dpi=100)
    figure = small_figure(spec)
    first = render(figure, spec, kind)
    render(figure, spec, "png")
    preview_png(figure, spec)
    assert render(figure, spec, kind) == first


def test_preview_is_what_is_written(tmp_path: Path) -> None:
    spec = FigureSpec(dpi=150)
    figure = small_figure(spec)
    with (
        Image.open(save(figure, tmp_path / "a.png", spec)) as written,
        Image.open(io.BytesIO(preview_png(figure, spec, 150))) as preview,
    ):
        assert np.array_equal(np.asarray(written), np.asarray(preview))


def test_transparent(tmp_path: Path) -> None:
    spec = FigureSpec(transparent=True, dpi=100)
    with Image.open(save(small_figure(spec), tmp_path / "a.png", spec)) as image:
        assert image.mode == "RGBA"
        assert np.asarray(image)[..., 3].min() == 0
    spec = FigureSpec(transparent=False, dpi=100)
    with Image.open(save(small_figure(spec), tmp_path / "b.png", spec)) as image:
        assert image.mode == "RGB"


def test_suffix_decides_and_spec_is_the_fallback(tmp_path: Path) -> None:
    spec = FigureSpec(format="svg")
    figure = small_figure(spec)
    assert save(figure, tmp_path / "plain", spec).name == "plain.svg"
    assert save(figure, tmp_path / "other.pdf", spec).read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="unknown figure format"):
        save(figure, tmp_path / "a.bmp", spec)


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FigureSpec()
    figure = small_figure(spec)
    path = tmp_path / "a.svg"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("qmlstudio.figures.output.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(figure, path, spec)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_colour_vision_preview() -> None:
    red_green = np.array([[[220, 40, 40, 255], [120, 130, 30, 255]]], dtype=np.uint8)

    def distance(picture: np.ndarray[Any, Any]) -> float:
        return float(np.abs(picture[0, 0, :2].astype(int) - picture[0, 1, :2].astype(int)).max())

    assert np.array_equal(simulate(red_green, "normal"), red_green)
    assert distance(simulate(red_green, "deutan")) < 0.6 * distance(red_green)
    grey = simulate(red_green, "grey")
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 1] == grey[..., 2]).all()
    white = np.full((1, 1, 4), 255, dtype=np.uint8)
    for vision in ("protan", "deutan", "tritan", "grey"):
        assert simulate(white, vision).min() >= 254  # type: ignore[arg-type]


def test_users_matplotlib_settings_neither_matter_nor_change() -> None:
    import matplotlib

    spec = FigureSpec()
    plain = render(small_figure(spec), spec, "svg")
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 30, "axes.grid": True}):
        assert render(small_figure(spec), spec, "svg") == plain
        assert matplotlib.rcParams["font.size"] == 30
