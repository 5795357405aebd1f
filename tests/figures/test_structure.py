"""Structures as vectors and as embedded pictures."""

import re
from typing import Any

import numpy as np
import pytest

from qmlstudio.figures import Drawing, FigureSpec, structure_figure
from qmlstudio.figures.depiction import depict, parse
from qmlstudio.figures.output import render
from qmlstudio.figures.structure import image_size

SPEC = FigureSpec(aspect=1.0, dpi=100)
WATER = Drawing(
    np.array([8, 1, 1]), np.array([[0.0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]), np.array([[0, 1], [0, 2]])
)


def variant(**changes: Any) -> Drawing:
    return Drawing(**{**WATER.__dict__, **changes})


def svg_of(drawing: Drawing, **options: Any) -> str:
    return render(structure_figure(drawing, spec=SPEC, **options), SPEC, "svg").decode()


@pytest.mark.parametrize(("style", "bonds"), [("ball_and_stick", 4), ("sticks", 4), ("spacefill", 0)])
def test_atoms_and_half_bonds_are_vectors(style: Any, bonds: int) -> None:
    svg = svg_of(variant(style=style))
    assert svg.count('<g id="atom">') == 3
    assert svg.count('<g id="bond">') == bonds
    assert "<image" not in svg


@pytest.mark.parametrize(("order", "bars"), [(1.0, 1), (1.5, 2), (2.0, 2), (3.0, 3)])
def test_bond_orders(order: float, bars: int) -> None:
    pair = Drawing(np.array([6, 6]), np.array([[0.0, 0, 0], [1.3, 0, 0]]), np.array([[0, 1]]), np.array([order]))
    assert svg_of(pair).count('<g id="bond">') == 2 * bars


def test_nearer_atoms_are_painted_later() -> None:
    pair = Drawing(np.array([8, 6]), np.array([[0.0, 0, 2], [0, 0, 0]]), np.zeros((0, 2), int), rotation=np.eye(3))
    figure = structure_figure(pair, spec=SPEC)
    front, back = (c.get_zorder() for c in figure.axes[0].collections if c.get_gid() == "atom")
    assert front > back
    turned = Drawing(pair.numbers, pair.positions, pair.bonds, rotation=np.diag([1.0, -1.0, -1.0]))
    front, back = (c.get_zorder() for c in structure_figure(turned, spec=SPEC).axes[0].collections)
    assert front < back


def test_rotation_is_what_is_seen() -> None:
    pair = Drawing(np.array([6, 6]), np.array([[0.0, 0, 0], [0, 0, 3.0]]), np.zeros((0, 2), int))
    rotation = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    axes = structure_figure(Drawing(pair.numbers, pair.positions, pair.bonds, rotation=rotation), spec=SPEC).axes[0]
    centres = [c.get_paths()[0].get_extents() for c in axes.collections]
    x = [0.5 * (box.x0 + box.x1) for box in centres]
    assert x[1] - x[0] == pytest.approx(3.0)


def test_own_view_is_a_rotation() -> None:
    for seed in range(5):
        positions = np.random.default_rng(seed).normal(size=(6, 3))
        view = Drawing(np.full(6, 6), positions, np.zeros((0, 2), int)).view()
        assert view @ view.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(view) == pytest.approx(1.0)


def test_labels_and_measures_are_text() -> None:
    measures = (((0, 1), "0.96 Å"), ((1, 0, 2), "104.5°"))
    svg = svg_of(variant(labels=("O1", "H2", ""), measures=measures), title="water", caption="GFN2-xTB")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"O1", "H2", "0.96 Å", "104.5°", "water", "GFN2-xTB"} <= set(texts)
    assert svg.count('<g id="measure">') == 2


def test_cell_has_twelve_edges() -> None:
    assert svg_of(variant(cell=3.0 * np.eye(3))).count('<g id="cell">') == 12


def test_everything_lies_inside_the_axes() -> None:
    for style in ("ball_and_stick", "spacefill"):
        drawing = variant(style=style, positions=4 * WATER.positions)
        axes = structure_figure(drawing, spec=SPEC).axes[0]
        x, y = sorted(axes.get_xlim()), sorted(axes.get_ylim())
        for collection in axes.collections:
            for path in collection.get_paths():
                box = path.get_extents()
                assert x[0] <= box.x0
                assert box.x1 <= x[1]
                assert y[0] <= box.y0
                assert box.y1 <= y[1]
        # the same scale along both axes: spheres are round
        place = axes.get_position()
        scales = [place.width * SPEC.width_cm / np.ptp(x), place.height * SPEC.height_cm / np.ptp(y)]
        assert scales[0] == pytest.approx(scales[1])


def test_no_atoms_and_one_atom() -> None:
    nothing = Drawing(np.zeros(0, int), np.zeros((0, 3)), np.zeros((0, 2), int))
    assert "no atoms" in svg_of(nothing)
    assert svg_of(Drawing(np.array([2]), np.zeros((1, 3)), np.zeros((0, 2), int))).count('<g id="atom">') == 1


def test_picture_of_the_3d_view() -> None:
    image = np.zeros((60, 60, 4), dtype=np.uint8)
    image[20:40, 20:40] = (255, 0, 0, 255)
    svg = render(structure_figure(image=image, spec=SPEC, title="rendered"), SPEC, "svg").decode()
    assert svg.count("<image") == 1
    assert "rendered" in svg
    width, height = image_size(FigureSpec(family="acs", aspect=0.5))
    assert (width, height) == (round(8.25 / 2.54 * 300), round(8.25 / 2.54 * 150))


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="either"):
        structure_figure(spec=SPEC)
    with pytest.raises(ValueError, match="either"):
        structure_figure(WATER, image=np.zeros((2, 2, 4), np.uint8), spec=SPEC)
    with pytest.raises(ValueError, match="shape"):
        structure_figure(image=np.zeros((2, 2)), spec=SPEC)
    for changes, message in (
        ({"bonds": np.array([[0, 7]])}, "bonds name atoms"),
        ({"orders": np.array([1.0])}, "orders"),
        ({"labels": ("a",)}, "labels"),
        ({"measures": (((0, 9), "x"),)}, "measure"),
        ({"positions": np.full((3, 3), np.nan)}, "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            structure_figure(variant(**changes), spec=SPEC)


def test_depiction_of_a_smiles() -> None:
    alanine = depict("C[C@H](N)C(=O)O")
    assert alanine is not None
    assert {t.text for t in alanine.texts} >= {"N", "O", "H"}
    assert len(alanine.strokes) >= 6
    assert depict("not a molecule") is None
    assert depict("") is None


def test_curves_in_a_drawing() -> None:
    path = "<path d='M 1,2 L 3,4 C 5,6 7,8 9,10 Q 1,1 2,2 Z' style='fill:#FF0000'/>"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'>{path}</svg>"
    (stroke,) = parse(svg, 10, 10).strokes
    assert stroke.codes == (1, 2, 4, 4, 4, 3, 3, 79)
    assert stroke.vertices[0] == (1.0, 2.0)
    assert stroke.fill == "#FF0000"
