"""Features drawn as what they are."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from qmlstudio.figures import FigureSpec, descriptor_figure, preview_png
from qmlstudio.figures.output import render
from qmlstudio.figures.scales import ColorScale, readable_scale
from qmlstudio.representations.base import Layout, Panel

SPEC = FigureSpec(aspect=0.9, dpi=100)


def texts_of(figure: Any) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", render(figure, SPEC, "svg").decode())


def coulomb_like(n: int, size: int) -> tuple[Layout, Any]:
    """A padded matrix with a dominating diagonal."""
    rng = np.random.default_rng(2)
    values = np.zeros((size, size))
    block = np.exp(rng.uniform(-2.3, 2.0, (n, n)))
    values[:n, :n] = 0.5 * (block + block.T)
    values[np.arange(n), np.arange(n)] = 36.9
    labels = tuple(f"{'C' if k % 2 else 'Cl'}{k + 1}" for k in range(n))
    return Layout("matrix", (size, size), row_labels=labels, unit="Ha"), values


def mesh(figure: Any) -> Any:
    return figure.axes[0].collections[0]


def test_matrix_shows_the_atoms_rows_only() -> None:
    layout, values = coulomb_like(5, 23)
    figure = descriptor_figure(layout, values.ravel(), spec=SPEC, title="Coulomb matrix")
    assert mesh(figure).get_array().shape == (5, 5)
    texts = texts_of(figure)
    assert {"Cl1", "C2", "Coulomb matrix"} <= set(texts)
    assert any("log scale" in t for t in texts)
    # few enough rows that the values themselves can be read
    assert texts.count("36.9") == 5
    padded = descriptor_figure(layout, values, spec=SPEC, padding=True)
    assert mesh(padded).get_array().shape == (23, 23)


def test_padding_is_blank_on_a_log_scale() -> None:
    layout, values = coulomb_like(5, 8)
    shown = mesh(descriptor_figure(layout, values, spec=SPEC, padding=True)).get_array()
    assert np.ma.getmaskarray(shown).sum() == 64 - 25


@pytest.mark.parametrize("n", [1, 2, 9, 23, 60])
def test_labels_of_a_matrix_do_not_overlap(n: int) -> None:
    layout, values = coulomb_like(n, n)
    figure = descriptor_figure(layout, values, spec=SPEC)
    boxes = [t.get_window_extent() for t in figure.axes[0].get_yticklabels() if t.get_text()]
    boxes = sorted(boxes, key=lambda b: b.y0)
    assert boxes
    for below, above in pairwise(boxes):
        assert below.y1 <= above.y0 + 1.0
    assert min(b.x0 for b in boxes) >= 0


def test_matrix_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        descriptor_figure(Layout("matrix", (3, 3)), np.zeros(6), spec=SPEC)


def test_spectrum_has_a_bar_for_each_value() -> None:
    layout = Layout("spectrum", (12,), unit="Ha")
    values = np.r_[80.0, 40.0, 2.0, 0.5, np.zeros(8)]
    figure = descriptor_figure(layout, values, spec=SPEC, labels=[f"λ{k} / Ha" for k in range(1, 13)])
    assert len(figure.axes[0].patches) == 4
    assert figure.axes[0].get_yscale() == "log"
    assert "λ1" in texts_of(figure)
    assert len(descriptor_figure(layout, values + 1, spec=SPEC).axes[0].patches) == 12


def test_bars_reach_their_values() -> None:
    values = np.array([3.0, -1.0, 2.0])
    axes = descriptor_figure(Layout("spectrum", (3,)), values, spec=SPEC).axes[0]
    tops = [p.get_y() + p.get_height() for p in axes.patches]
    assert tops == pytest.approx(values)
    logged = np.array([100.0, 1.0, 0.5, 0.2])
    axes = descriptor_figure(Layout("spectrum", (4,)), logged, spec=SPEC).axes[0]
    assert [p.get_y() + p.get_height() for p in axes.patches] == pytest.approx(logged)
    assert all(p.get_y() > 0 for p in axes.patches)


def test_bags_are_groups_with_titles() -> None:
    layout = Layout("bags", (9,), groups=(("C", 0, 3), ("C–H", 3, 7), ("O", 7, 9)), unit="Ha")
    values = np.array([36.8, 36.8, 0, 5.0, 4.0, 3.0, 0, 0, 0])
    figure = descriptor_figure(layout, values, spec=SPEC)
    assert len(figure.axes[0].patches) == 5
    texts = texts_of(figure)
    assert {"C", "C–H"} <= set(texts)
    # the empty bag is left out
    assert "O" not in texts
    with pytest.raises(ValueError, match="bag"):
        descriptor_figure(Layout("bags", (9,), groups=(("C", 0, 30),)), values, spec=SPEC)


PANELS = (
    Panel("elements", 0, 2, names=("H", "C"), group="one-body"),
    Panel("C–H", 2, 22, grid=np.linspace(0.5, 5, 20), axis="r / Å", group="pairs"),
    Panel("C–C", 22, 42, grid=np.linspace(0.5, 5, 20), axis="r / Å", group="pairs"),
    Panel("H–H", 42, 62, grid=np.linspace(0.5, 5, 20), axis="r / Å", group="pairs"),
    Panel("C, l = 0", 62, 65, cells=np.array([[62, 63], [63, 64]]), row_axis="n", axis="n'", group="powers"),
)


def panels_values() -> Any:
    curve = np.exp(-((np.linspace(0.5, 5, 20) - 2.0) ** 2))
    return np.r_[2.0, 1.0, curve, 0.5 * curve, np.zeros(20), 1.0, 0.4, 0.2]


def test_panels_are_small_multiples_with_axes() -> None:
    figure = descriptor_figure(Layout("panels", (65,), unit="Ha", panels=PANELS), panels_values(), spec=SPEC)
    texts = texts_of(figure)
    assert {"one-body: elements", "pairs: C–H", "C–C", "powers: C, l = 0", "r / Å", "value / Ha"} <= set(texts)
    # what the structure does not fill is left out
    assert "H–H" not in " ".join(texts)
    curves = [axes for axes in figure.axes if axes.lines and axes.get_xlim() == (0.5, 5.0)]
    assert len(curves) == 2
    assert curves[0].get_ylim() == curves[1].get_ylim()


def test_a_matrix_shows_its_cells_and_a_bar() -> None:
    figure = descriptor_figure(Layout("panels", (65,), panels=PANELS[4:]), panels_values(), spec=SPEC)
    shown = mesh(figure).get_array()
    assert np.allclose(shown, [[1.0, 0.4], [0.4, 0.2]])
    assert len(figure.axes) == 2


def test_many_panels_are_chosen_by_strength_and_that_is_said() -> None:
    grid, rng = np.linspace(0, 1, 8), np.random.default_rng(0)
    panels = tuple(Panel(f"p{k}", 8 * k, 8 * k + 8, grid=grid, group="all" if k else "few") for k in range(60))
    values = rng.uniform(0.1, 1, 480)
    values[8 * 30 : 8 * 31] = 5.0
    values[:8] = 1e-3
    texts = texts_of(descriptor_figure(Layout("panels", (480,), panels=panels), values, spec=SPEC))
    assert any("weaker ones are not shown" in t for t in texts)
    assert any("p30" in t for t in texts)
    # a heading of small values is not crowded out
    assert "few: p0" in texts


def test_panels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="panel C–H"):
        descriptor_figure(Layout("panels", (2,), panels=PANELS), np.ones(2), spec=SPEC)


@pytest.mark.parametrize("kind", ["matrix", "spectrum", "bags", "panels"])
@pytest.mark.parametrize("fill", [0.0, 1.0, np.nan])
def test_odd_values_draw_without_a_warning(kind: Any, fill: float) -> None:
    labels, panels = ("C1", "H2") if kind == "matrix" else (), (Panel("curve", 0, 4, grid=np.arange(4.0)),)
    layout = Layout(kind, (2, 2) if kind == "matrix" else (4,), row_labels=labels, panels=panels)
    assert preview_png(descriptor_figure(layout, np.full(4, fill), spec=SPEC), SPEC).startswith(b"\x89PNG")
    nothing = Layout(kind, (0, 0) if kind == "matrix" else (0,))
    assert preview_png(descriptor_figure(nothing, np.zeros(0), spec=SPEC), SPEC).startswith(b"\x89PNG")


def test_scale_is_logarithmic_only_where_it_must_be() -> None:
    assert readable_scale(np.array([1.0, 2.0, 3.0])) == "linear"
    assert readable_scale(np.array([0.1, 0.2, 0.3, 100.0])) == "log"
    assert readable_scale(np.array([-0.1, 0.2, 0.3, 100.0])) == "symlog"
    assert readable_scale(np.zeros(3)) == "linear"
    assert readable_scale(np.random.default_rng(0).normal(size=1000)) == "linear"


def test_own_colours_reach_the_matrix() -> None:
    lut = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 3))
    layout, values = coulomb_like(4, 4)
    figure = descriptor_figure(layout, values, spec=SPEC, lut=lut)
    low, high = ColorScale().ends(values)
    assert low < high
    assert mesh(figure).cmap(1.0)[:3] == (1.0, 1.0, 1.0)
    assert mesh(figure).cmap(0.0)[:3] == (0.0, 0.0, 0.0)
