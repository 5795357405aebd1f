"""What is drawn of a structure: capsules, picking, fragments; no screen."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.widgets.molecule_scene import (
    ATOM,
    BOND,
    STYLES,
    Appearance,
    Capsules,
    cell_edges,
    display_radii,
    fragment,
    halos,
    layout,
    lit,
    pick,
)


def ring() -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Benzene: flat, in the xy plane."""
    angle = np.arange(6) * np.pi / 3
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(6)], axis=1)
    positions = np.concatenate([1.39 * circle, 2.48 * circle])
    pairs = np.array([(i, (i + 1) % 6) for i in range(6)] + [(i, i + 6) for i in range(6)])
    return np.array([6] * 6 + [1] * 6), positions, (pairs, np.array([1.5] * 6 + [1.0] * 6))


def ethene() -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    positions = np.array(
        [[0.67, 0, 0], [-0.67, 0, 0], [1.24, 0.92, 0], [1.24, -0.92, 0], [-1.24, 0.92, 0], [-1.24, -0.92, 0]]
    )
    pairs = np.array([(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)])
    return np.array([6, 6, 1, 1, 1, 1]), positions, (pairs, np.array([2.0, 1, 1, 1, 1]))


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def bonds_of(capsules: Capsules) -> np.ndarray:
    return np.flatnonzero(capsules.kind == BOND)


@pytest.mark.parametrize("style", STYLES)
def test_one_ball_for_each_atom(style: str) -> None:
    z, r, bonds = ring()
    capsules = layout(z, bonds, Appearance(style=style)).place(r)
    balls = capsules.kind == ATOM
    np.testing.assert_array_equal(capsules.owner[balls, 0], np.arange(12))
    np.testing.assert_allclose(capsules.start[balls], r)
    np.testing.assert_allclose(capsules.end[balls], r)
    assert (len(bonds_of(capsules)) > 0) == (style != "spacefill")


@pytest.mark.parametrize(("order", "lines"), [(1.0, 1), (2.0, 2), (3.0, 3), (0.0, 1)])
def test_order_is_the_number_of_lines(order: float, lines: int) -> None:
    made = layout([6, 6], ([(0, 1)], [order]), Appearance()).place(np.array([[0.0, 0, 0], [1.3, 0, 0]]))
    assert len(bonds_of(made)) == lines


def test_double_bond_lies_in_the_plane_of_its_neighbours() -> None:
    z, r, bonds = ethene()
    capsules = layout(z, bonds, Appearance()).place(r)
    double = [k for k in bonds_of(capsules) if set(capsules.owner[k]) == {0, 1}]
    assert len(double) == 2
    shifts = capsules.start[double] - r[capsules.owner[double, 0]]
    np.testing.assert_allclose(shifts[:, 2], 0, atol=1e-12)
    np.testing.assert_allclose(shifts.sum(axis=0), 0, atol=1e-12)
    assert abs(shifts[0, 1]) > 0.1


def test_dashes_of_an_aromatic_ring_lie_inside() -> None:
    z, r, bonds = ring()
    capsules = layout(z, bonds, Appearance(style="sticks")).place(r)
    middle = (capsules.start + capsules.end)[bonds_of(capsules)] / 2
    ring_bonds = (capsules.owner[bonds_of(capsules)] < 6).all(axis=1)
    away = np.linalg.norm(middle[ring_bonds], axis=1)
    main = 1.39 * np.cos(np.pi / 6)
    solid = np.isclose(away, main)
    assert solid.sum() == 6
    assert (~solid).sum() == 30
    assert (away[~solid] < main - 0.1).all()


@pytest.mark.parametrize("seed", range(4))
def test_capsules_turn_with_the_molecule(seed: int) -> None:
    z, r, bonds = ethene()
    made = layout(z, bonds, Appearance())
    turn = rotation(seed)
    np.testing.assert_allclose(made.place(r @ turn.T + 2).start, made.place(r).start @ turn.T + 2, atol=1e-9)


def test_linear_molecule_has_its_double_bonds_somewhere() -> None:
    capsules = layout([8, 6, 8], ([(0, 1), (1, 2)], [2.0, 2.0]), Appearance()).place(
        np.array([[-1.16, 0, 0], [0.0, 0, 0], [1.16, 0, 0]])
    )
    k = bonds_of(capsules)
    assert np.isfinite(capsules.start).all()
    np.testing.assert_allclose(np.linalg.norm(capsules.start[k][:, 1:], axis=1), 0.125)


def test_coincident_atoms_are_drawn() -> None:
    capsules = layout([6, 6], ([(0, 1)], [2.0]), Appearance()).place(np.zeros((2, 3)))
    assert np.isfinite(capsules.start).all()
    assert np.isfinite(capsules.end).all()


def test_halves_bear_the_colours_of_their_atoms() -> None:
    red, blue = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    capsules = layout([6, 8], ([(0, 1)], [1.0]), Appearance(), [red, blue]).place(np.eye(3)[:2])
    k = bonds_of(capsules)[0]
    np.testing.assert_allclose(capsules.first[k], red)
    np.testing.assert_allclose(capsules.second[k], blue)


def test_hidden_hydrogens_take_their_bonds_along() -> None:
    z, r, bonds = ring()
    made = layout(z, bonds, Appearance(hydrogens=False))
    capsules = made.place(r)
    assert capsules.owner.max() < 6
    assert made.visible.sum() == 6


def test_hydrogen_molecule_is_never_hidden() -> None:
    assert layout([1, 1], ([(0, 1)], [1.0]), Appearance(hydrogens=False)).visible.all()


def test_bond_across_the_border_is_two_stubs() -> None:
    cell = np.eye(3) * 5.0
    r = np.array([[0.2, 1.0, 1.0], [4.4, 1.0, 1.0]])
    capsules = layout([14, 14], ([(0, 1)], [1.0]), Appearance(), periodic=True).place(r, cell)
    k = bonds_of(capsules)
    assert len(k) == 2
    ends = np.sort(np.concatenate([capsules.start[k], capsules.end[k]])[:, 0])
    # 0.8 Å apart through the border, so that each stub is 0.4 Å long
    np.testing.assert_allclose(ends, [-0.2, 0.2, 4.4, 4.8], atol=1e-12)
    lengths = np.linalg.norm(capsules.end[k] - capsules.start[k], axis=1)
    np.testing.assert_allclose(lengths, 0.4)


def test_styles_have_their_radii() -> None:
    vdw, ball = display_radii([6, 1], "spacefill"), display_radii([6, 1], "ball_and_stick")
    np.testing.assert_allclose(vdw, [1.7, 1.2])
    np.testing.assert_allclose(ball, 0.3 * vdw)
    sticks = display_radii([6, 1], "sticks", np.array([True, False]))
    assert sticks[0] < sticks[1] < vdw[1]


def test_no_atoms_are_no_capsules() -> None:
    assert len(layout([], None, Appearance()).place(np.zeros((0, 3)))) == 0


@pytest.mark.parametrize(
    "bonds", [([(0, 2)], [1.0]), ([(0, -1)], [1.0]), ([(0, 1)], [1.0, 2.0])], ids=["beyond", "negative", "orders"]
)
def test_bad_bonds_are_refused(bonds: tuple[list[tuple[int, int]], list[float]]) -> None:
    with pytest.raises(ValueError, match="bond"):
        layout([6, 6], bonds, Appearance())


@pytest.mark.parametrize("bad", [{"style": "wires"}, {"labels": "names"}])
def test_bad_appearance_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        Appearance(**bad)


def test_pick_takes_the_nearest() -> None:
    r = np.array([[0.0, 0, 0], [0.0, 0, 3], [2.0, 0, 0]])
    radii, visible = np.full(3, 0.5), np.ones(3, dtype=bool)
    down = np.array([0.0, 0, -1])
    assert pick(r, radii, visible, np.array([0.1, 0, 10]), down) == 1
    assert pick(r, radii, visible, np.array([2.1, 0.2, 10]), down) == 2
    assert pick(r, radii, visible, np.array([1.0, 0, 10]), down) is None
    assert pick(r, radii, visible, np.array([0.0, 0, 2]), down) == 0
    assert pick(r, radii, np.array([True, False, True]), np.array([0.1, 0, 10]), down) == 0


def test_pick_prefers_the_surface_that_is_nearer() -> None:
    # the large ball's middle is farther away, its surface nearer
    r = np.array([[0.0, 0, 0], [0.0, 0, 0.3]])
    hit = pick(r, np.array([2.0, 0.5]), np.ones(2, dtype=bool), np.array([0.0, 0, 9]), np.array([0.0, 0, -1]))
    assert hit == 0


def test_fragment_is_connected() -> None:
    pairs = np.array([(0, 1), (1, 2), (4, 5)])
    assert fragment(2, pairs, 6) == [0, 1, 2]
    assert fragment(3, pairs, 6) == [3]
    assert fragment(5, np.zeros((0, 2)), 6) == [5]


def test_cell_has_twelve_edges_of_its_lengths() -> None:
    cell = np.array([[3.0, 0, 0], [1.0, 4, 0], [0.5, 0.5, 5]])
    edges = cell_edges(cell, dark=False)
    lengths = np.linalg.norm(edges.end - edges.start, axis=1)
    np.testing.assert_allclose(lengths, np.repeat(np.linalg.norm(cell, axis=1), 4))
    assert len(np.unique(np.round(edges.start, 6), axis=0)) == 7


def test_lit_changes_only_the_chosen() -> None:
    z, r, bonds = ring()
    plain = layout(z, bonds, Appearance()).place(r)
    bright = lit(plain, [2], "#ff0000")
    changed = np.flatnonzero((plain.first != bright.first).any(axis=1))
    np.testing.assert_array_equal(changed, [2])


def test_halos_are_larger_than_their_atoms() -> None:
    made = halos(np.zeros((2, 3)), np.array([0.5, 0.7]), [1], "#00ff00", 0.1)
    assert made.radius.tolist() == pytest.approx([0.8])
    assert len(halos(np.zeros((2, 3)), np.array([0.5, 0.7]), [], "#00ff00", 0.1)) == 0
