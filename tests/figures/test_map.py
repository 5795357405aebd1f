"""The map: every point is there, the missing are hollow, the selected stand out."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.figures import Categories, ColorScale, Drawing, FigureSpec, Pin, map_figure, preview_png, save
from qmlstudio.figures.output import render
from qmlstudio.figures.presets import PRESETS
from qmlstudio.figures.scales import clean_number

SPEC = FigureSpec(dpi=100)


def points(n: int) -> Any:
    return np.random.default_rng(1).normal(size=(n, 2))


def svg_of(figure: Any, spec: FigureSpec = SPEC) -> str:
    return render(figure, spec, "svg").decode()


def marks(svg: str, group: str) -> int:
    """Number of vector marks in the groups of this id."""
    found = 0
    for part in svg.split(f'<g id="{group}">')[1:]:
        depth, end = 1, 0
        for tag in re.finditer(r"<(/?)g\b", part):
            depth += -1 if tag[1] else 1
            if depth == 0:
                end = tag.start()
                break
        # matplotlib writes a shape once and uses it, except where that would be longer
        found += part[:end].count("<use ") or part[:end].count("<path ")
    return found


@pytest.mark.parametrize("n", [1, 2, 137, 3000])
def test_every_point_is_a_vector(n: int) -> None:
    svg = svg_of(map_figure(points(n), spec=SPEC, limits=(-9, 9, -9, 9)))
    assert marks(svg, "points") == n
    assert "<image" not in svg


def test_many_points_become_one_raster_layer_under_vector_axes(tmp_path: Path) -> None:
    svg = svg_of(map_figure(points(20_001), spec=SPEC, title="vector title"))
    assert marks(svg, "points") == 0
    assert svg.count("<image") == 1
    assert "vector title" in re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    width = re.search(r'<image[^>]*\bwidth="([\d.]+)"', svg)
    assert width is not None
    # 600 dpi whatever the specification's own resolution
    assert float(width[1]) > 1.0
    data = save(map_figure(points(20_001), spec=SPEC), tmp_path / "a.pdf", SPEC).read_bytes()
    pixels = re.search(rb"/Width (\d+)", data)
    assert pixels is not None
    assert int(pixels[1]) > 0.7 * SPEC.width_cm / 2.54 * 600


def test_limit_itself_is_still_vectors() -> None:
    svg = svg_of(map_figure(points(40), spec=SPEC, vector_limit=40))
    assert "<image" not in svg
    assert "<image" in svg_of(map_figure(points(41), spec=SPEC, vector_limit=40))


def test_missing_values_are_hollow_and_counted() -> None:
    values = points(60)[:, 0]
    values[:7] = np.nan
    values[7] = np.inf
    svg = svg_of(map_figure(points(60), spec=SPEC, values=values))
    assert marks(svg, "points") == 52
    assert marks(svg, "points-missing") == 8
    assert "no value (8)" in svg


def test_log_scale_leaves_what_is_not_positive_hollow() -> None:
    values = np.array([-1.0, 0.0, 1.0, 10.0, 100.0])
    figure = map_figure(points(5), spec=SPEC, values=values, scale=ColorScale(scale="log"))
    assert "no value (2)" in svg_of(figure)


def test_unselected_points_are_dimmed_never_removed() -> None:
    chosen = np.zeros(50, dtype=bool)
    chosen[:20] = True
    svg = svg_of(map_figure(points(50), spec=SPEC, selection=chosen))
    assert marks(svg, "points") == 20
    assert marks(svg, "points-dimmed") == 30
    svg = svg_of(map_figure(points(50), spec=SPEC, selection=np.zeros(50, dtype=bool)))
    assert marks(svg, "points") == 50
    assert marks(svg, "points-dimmed") == 0


def test_active_and_pins_are_marked() -> None:
    figure = map_figure(points(50), spec=SPEC, active=3, pins=[Pin(4, 1), Pin(9, 2)])
    svg = svg_of(figure)
    assert svg.count('<g id="active">') == 2
    assert svg.count('<g id="pin">') == 4
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "1" in texts
    assert "2" in texts


def test_pinned_structures_become_insets() -> None:
    ethane = Drawing(np.array([6, 6]), np.array([[0.0, 0, 0], [1.5, 0, 0]]), np.array([[0, 1]]))
    pins = [
        Pin(0, 1, "alanine", "C[C@H](N)C(=O)O"),
        Pin(1, 2, "ethane", drawing=ethane),
        Pin(2, 3, "nonsense", "this is no SMILES"),
    ]
    svg = svg_of(map_figure(points(30), spec=SPEC, pins=pins))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"alanine", "ethane", "nonsense"} <= set(texts)
    # the letters of the depiction are text, too
    assert {"N", "O"} <= set(texts)
    assert '<g id="atom">' in svg
    assert "this is no SMILES" in texts


def test_sixteen_pins_fit() -> None:
    pins = [Pin(k, k + 1, f"molecule {k}", "CCO") for k in range(16)]
    assert preview_png(map_figure(points(30), spec=SPEC, pins=pins), SPEC).startswith(b"\x89PNG")


def test_umap_bears_no_ticks_and_pca_does() -> None:
    bare = map_figure(points(30), spec=SPEC)
    assert list(bare.axes[0].get_xticks()) == []
    titled = map_figure(points(30), spec=SPEC, axes_titles=("PC 1 (34 %)", "PC 2 (12 %)"))
    assert len(titled.axes[0].get_xticks()) > 1
    assert titled.axes[0].get_xlabel() == "PC 1 (34 %)"


@pytest.mark.parametrize("family", PRESETS)
@pytest.mark.parametrize("column", ["single", "double"])
def test_categories_have_a_legend_instead_of_a_bar(family: str, column: str) -> None:
    spec = FigureSpec(family=family, column=column, aspect=0.6)
    codes = np.arange(90) % 5
    codes[:4] = -1
    names = ("alcohol", "amine", "ether", "nitrile", "none of these")
    figure = map_figure(points(90), spec=spec, categories=Categories(codes, names, label="class"))
    svg = svg_of(figure, spec)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {*names, "class", "no value (4)"} <= set(texts)
    assert len(figure.axes) == 1
    assert marks(svg, "points") == 86


def test_more_categories_than_colours_differ_by_shape() -> None:
    names = tuple(f"class {k}" for k in range(20))
    categories = Categories(np.arange(100) % 20, names)
    looks = {(tuple(categories.palette()[k]), categories.marker(k)) for k in range(20)}
    assert len(looks) == 20
    assert marks(svg_of(map_figure(points(100), spec=SPEC, categories=categories)), "points") == 100


def test_legend_and_labels_stay_inside_the_figure() -> None:
    names = tuple(f"a rather long category {k}" for k in range(9))
    for spec in (FigureSpec(), FigureSpec(column="double", aspect=0.5), FigureSpec(family="nature", aspect=1.2)):
        figure = map_figure(points(90), spec=spec, categories=Categories(np.arange(90) % 9, names, label="class"))
        box, whole = figure.legends[0].get_window_extent(), figure.bbox
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1
        assert box.y0 >= whole.y0 - 1
        assert box.y1 <= whole.y1 + 1


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
@pytest.mark.parametrize("values", [[2.0] * 5, [0.0] * 5, [np.nan] * 5, [1.0, 2.0, 30.0, 400.0, 5000.0]])
def test_odd_values_on_every_scale(scale: Any, values: list[float]) -> None:
    figure = map_figure(points(5), spec=SPEC, values=np.array(values), scale=ColorScale(scale=scale))
    assert preview_png(figure, SPEC).startswith(b"\x89PNG")


def test_constant_values_show_their_value() -> None:
    figure = map_figure(points(5), spec=SPEC, values=np.full(5, 2.5))
    assert [float(t) for t in figure.axes[-1].get_yticks()] == [2.5]


def test_values_beyond_a_manual_range_get_arrows() -> None:
    values = np.linspace(0, 10, 20)
    assert ColorScale(low=1, high=9).extend(values) == "both"
    assert ColorScale(low=0, high=9).extend(values) == "max"
    assert ColorScale().extend(values) == "neither"


def test_own_colours() -> None:
    lut = np.zeros((256, 3), dtype=np.uint8)
    lut[:, 0] = np.arange(256)
    figure = map_figure(
        np.array([[0.0, 0.0], [1.0, 1.0]]), spec=SPEC, values=np.array([0.0, 1.0]), scale=ColorScale(lut)
    )
    faces = figure.axes[0].collections[0].get_facecolors()
    assert faces[:, 0] == pytest.approx([0.0, 1.0])
    assert faces[:, 1:3].max() == 0
    with pytest.raises(ValueError, match="lut"):
        map_figure(points(3), spec=SPEC, values=np.arange(3.0), scale=ColorScale(np.zeros(5)))


def test_no_points_and_points_that_are_not_finite() -> None:
    empty = map_figure(np.zeros((0, 2)), spec=SPEC, values=np.zeros(0))
    assert "no points" in svg_of(empty)
    some = points(10)
    some[2] = np.nan
    assert marks(svg_of(map_figure(some, spec=SPEC, active=2)), "points") == 9


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="values"):
        map_figure(points(5), spec=SPEC, values=np.zeros(4))
    with pytest.raises(ValueError, match="selection"):
        map_figure(points(5), spec=SPEC, selection=np.zeros(4, dtype=bool))
    with pytest.raises(ValueError, match="not by both"):
        map_figure(points(2), spec=SPEC, values=np.zeros(2), categories=Categories(np.zeros(2, dtype=int), ("a",)))
    with pytest.raises(ValueError, match="no point 9"):
        map_figure(points(5), spec=SPEC, pins=[Pin(9, 1)])
    with pytest.raises(ValueError, match="categories"):
        map_figure(points(2), spec=SPEC, categories=Categories(np.array([0, 5]), ("a",)))


@pytest.mark.parametrize("size", [(2.0, 2.0), (3.0, 2.0), (30.0, 5.0)])
def test_extreme_sizes_draw_without_a_warning(size: tuple[float, float]) -> None:
    spec = FigureSpec(width=size[0], height=size[1])
    figure = map_figure(
        points(20), spec=spec, values=np.arange(20.0), scale=ColorScale(label="gap / Ha"), title="title"
    )
    assert render(figure, spec, "pdf").startswith(b"%PDF")


def test_limits_are_those_of_the_screen() -> None:
    figure = map_figure(points(20), spec=SPEC, limits=(-1.0, 2.0, -3.0, 4.0))
    assert figure.axes[0].get_xlim() == (-1.0, 2.0)
    assert figure.axes[0].get_ylim() == (-3.0, 4.0)


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (1234.0, "1234"), (-2.0, "\u22122"), (1e-9, "1e\u221209")])
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert clean_number(value) == text
