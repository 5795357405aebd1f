"""Symmetry functions: against DScribe, closed forms, what they cannot see, how their parameters are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations.acsf import ACSF

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "golden" / "acsf.json").read_text(encoding="utf-8")
)
"""Reference values and how they were made: see make_acsf.py beside it."""
NO_MORE = {"n_radial": 0, "angular": "none"}
EVERYTHING = {
    "g2_params": "1 1; 4 2",
    "g3_params": "1 2.5",
    "g4_params": "0.1 3 1; 0.002 2.5 -1; 0.1 6 1; 0.5 7 0.5",
    "g5_params": "0.1 3 -1; 0.3 1 1; 0 12 1",
}


def plain(kind: str, entry: Any, r_cut: float, structure: Any, centre: int, elements: tuple[int, ...]) -> float:
    """One function by its definition, without images."""

    def f(r: float) -> float:
        return 0.5 * (np.cos(np.pi * r / r_cut) + 1) if r < r_cut else 0.0

    z, x = structure.numbers, structure.positions
    others = [j for j in range(len(z)) if j != centre]
    total = 0.0
    if len(elements) == 1:
        for j in others:
            r = np.linalg.norm(x[j] - x[centre])
            value = {"G1": lambda r: 1.0, "G2": lambda r: np.exp(-entry[0] * (r - entry[1]) ** 2)}
            value["G3"] = lambda r: np.cos(entry * r)
            total += (z[j] == elements[0]) * value[kind](r) * f(r)
        return total
    for j in others:
        for k in others:
            if j < k and sorted((z[j], z[k])) == sorted(elements):
                a, b = x[j] - x[centre], x[k] - x[centre]
                ra, rb, rc = np.linalg.norm(a), np.linalg.norm(b), np.linalg.norm(a - b)
                eta, zeta, lam = entry
                value = 2 ** (1 - zeta) * (1 + lam * a @ b / (ra * rb)) ** zeta * f(ra) * f(rb)
                if kind == "G4":
                    total += value * np.exp(-eta * (ra**2 + rb**2 + rc**2)) * f(rc)
                else:
                    total += value * np.exp(-eta * (ra**2 + rb**2))
    return total


@pytest.mark.parametrize("title", GOLDEN["sets"])
def test_equals_dscribe(title: str) -> None:
    members = [s for s in GOLDEN["structures"] if title in s["values"]]
    structures = Structures.from_lists(*([s[key] for s in members] for key in ("numbers", "positions", "cell")))
    species = Species(tuple(GOLDEN["elements"]), (12,) * len(GOLDEN["elements"]), 12)
    representation = ACSF(average="off", **(NO_MORE | GOLDEN["sets"][title]))
    rows = representation.compute(structures, species=species)
    for index, member in enumerate(members):
        expected = np.array(member["values"][title])
        assert rows.of(index).shape == expected.shape
        np.testing.assert_allclose(rows.of(index), expected, rtol=1e-12, atol=1e-13, err_msg=member["name"])
    assert any(s["cell"] for s in members)


def test_water_as_published() -> None:
    water = one(named("water").numbers, named("water").positions)
    representation = ACSF(
        average="off",
        g2_params=[[1, 1], [1, 2]],
        g3_params=[1],
        g4_params=[[1, 1, 1], [1, 2, -1]],
        g5_params=[(0.5, 2, 1)],
    )
    oxygen = [1.8770120258, 1.8735767875, 0.6327052055, 1.0808050562, 0, 0, 0, 0]
    oxygen += [0.0090833865, 0.0094818093, 0.0989054822, 0, 0, 0, 0, 0, 0]
    hydrogen = [0.8509707578, 0.6534616734, 0.6718836544, 0.0483904359]
    hydrogen += [0.9385060129, 0.9367883937, 0.3163526027, 0.5404025281, 0, 0, 0]
    hydrogen += [0.0217094426, 0.0002652838, 0.2575005724, 0, 0, 0]
    np.testing.assert_allclose(representation.compute(water).array, [oxygen, hydrogen, hydrogen], atol=1e-10)


def test_sums_and_means_of_the_definition() -> None:
    structures = random_structures(3, seed=41, low=4, high=6)
    species = structures.species
    rows = {a: ACSF(average=a, r_cut=4.0, **EVERYTHING) for a in ("off", "sum", "mean")}
    arrays = {a: r.compute(structures, species=species) for a, r in rows.items()}
    representation = rows["off"]
    for index, structure in enumerate(structures):
        expected = []
        for centre in range(len(structure)):
            row = []
            for z in species.numbers:
                functions: list[tuple[str, Any]] = [("G1", None), *(("G2", e) for e in representation.g2)]
                functions += [("G3", kappa) for kappa in representation.g3]
                row += [plain(kind, e, 4.0, structure, centre, (z,)) for kind, e in functions]
            for b, second in enumerate(species.numbers):
                for first in species.numbers[: b + 1]:
                    functions = [("G4", e) for e in representation.g4] + [("G5", e) for e in representation.g5]
                    row += [plain(kind, e, 4.0, structure, centre, (first, second)) for kind, e in functions]
            expected.append(row)
        local = np.array(expected)
        np.testing.assert_allclose(arrays["off"].of(index), local, atol=1e-13)
        np.testing.assert_allclose(arrays["sum"].of(index)[0], local.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(arrays["mean"].of(index)[0], local.mean(axis=0), atol=1e-13)


def test_generated_functions() -> None:
    default = ACSF()
    assert [shift for _, shift in default.g2] == pytest.approx(np.linspace(0.8, 6.0, 8))
    assert {eta for eta, _ in default.g2} == {0.5 / (5.2 / 7) ** 2}
    assert len(default.g4) == 8
    assert default.g5 == ()
    assert {(zeta, lam) for _, zeta, lam in default.g4} == {(z, s) for z in (1, 2, 4, 16) for s in (1, -1)}
    assert ACSF(angular="g5").g5 == default.g4
    both = ACSF(angular="both", etas="0.1 0.2", zetas="3", n_radial=1, g4_params="1 1 1")
    assert both.g4 == ((1.0, 1.0, 1.0),)
    assert len(both.g5) == 4
    assert len(both.g2) == 1
    assert ACSF(n_radial=0, angular="none").size(Species((1, 6), (1, 1), 2)) == 2


def test_lists_are_read_in_every_spelling() -> None:
    spellings: list[Any] = [
        "0.5 1; 0.25 1.5",
        " .5,1 ;2.5e-1 , 1.5;",
        "[[0.5, 1.0], [0.25, 1.5]]",
        "(0.5, 1)\n(0.25, 1.5)",
        [[0.5, 1.0], [0.25, 1.5]],
        ((0.5, 1), (0.25, 1.5)),
        np.array([[0.5, 1.0], [0.25, 1.5]]),
    ]
    made = [ACSF(g2_params=text) for text in spellings]
    assert all(m == made[0] for m in made)
    assert made[0].g2_params == "0.5 1; 0.25 1.5"
    assert made[0].g2 == ((0.5, 1.0), (0.25, 1.5))
    third = 1 / 3
    assert ACSF(g2_params=[(third, 1)]).g2 == ((third, 1.0),)
    assert ACSF(g3_params=[1, 2]).g3 == ACSF(g3_params="1;2").g3 == ACSF(g3_params="[1, 2]").g3 == (1.0, 2.0)
    assert ACSF(g2_params=None, g4_params=[]) == ACSF()
    again = ACSF.from_dict(json.loads(json.dumps(ACSF(**EVERYTHING).to_dict())))
    assert again == ACSF(**EVERYTHING)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"g2_params": "1 1; 1"}, r"g2_params: entry 2 \(1\) has 1 numbers, it needs 2: η, R_s"),
        ({"g4_params": "1 1 1; 1 x 1"}, r"g4_params: 'x' \(entry 2, ζ\) is not a number"),
        ({"g3_params": "1 b"}, r"g3_params: 'b' \(entry 2\) is not a number"),
        ({"g2_params": "1 inf"}, r"g2_params: 'inf' \(entry 1, R_s\) is not a finite number"),
        ({"g5_params": "-1 1 1"}, "g5_params: η of entry 1 is below 0"),
        ({"g5_params": "1 0.5 1"}, "g5_params: ζ of entry 1 is not between 1 and"),
        ({"g4_params": "1 1 1; 1 1 2"}, "g4_params: λ of entry 2 is not between -1 and 1"),
        ({"g4_params": "1 1 1; 1 1 1"}, "g4_params: entry 2 is the same as entry 1"),
        ({"zetas": ""}, "zetas: needs at least one number"),
        ({"radial_start": 7.0}, "radial_start: 7 Å is not below the cutoff of 6 Å"),
        ({"r_cut": 0.1}, "r_cut: 0.1 is below"),
    ],
)
def test_refuses_bad_parameters(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ACSF(**given)


@pytest.mark.parametrize("given", [{}, {"angular": "g5", "zetas": "2.5"}, EVERYTHING])
def test_blind_to_homometric_surroundings_of_one_atom(given: dict[str, Any]) -> None:
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    rows = ACSF(average="off", **given).compute(pair)
    np.testing.assert_allclose(rows.of(0)[0], rows.of(1)[0], rtol=0, atol=1e-13)
    # the hydrogens have other neighbours in A than in B
    assert np.abs(rows.of(0)[1:].sum(axis=0) - rows.of(1)[1:].sum(axis=0)).max() > 1e-3


def test_atoms_without_neighbours_and_straight_molecules() -> None:
    far = one([1, 8, 6], [[0, 0, 0], [50, 0, 0], [0, 80, 0]])
    representation = ACSF(average="off", **EVERYTHING)
    assert not representation.compute(far).array.any()
    assert not representation.gradient(far).array.any()
    assert not ACSF().compute(one([6], [[1, 2, 3]])).array.any()
    straight = one([8, 6, 8], [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]])
    assert np.isfinite(representation.compute(straight).array).all()
    assert np.isfinite(representation.gradient(straight).array).all()
    # 1 + cos θ vanishes at carbon, 1 − cos θ at oxygen
    up, down = (
        ACSF(average="off", r_cut=6.0, n_radial=0, g5_params=f"0 1 {s}").compute(straight).array for s in ("1", "-1")
    )
    assert up[1, -1] == pytest.approx(0, abs=1e-15)
    assert down[0, -2] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("average", ["off", "sum", "mean"])
@pytest.mark.parametrize("given", [{}, EVERYTHING | {"r_cut": 3.5}])
def test_gradient_of_molecules_and_crystals(average: str, given: dict[str, Any]) -> None:
    molecules = random_structures(2, seed=43, low=4, high=6)
    rng = np.random.default_rng(2)
    cells = [np.diag(rng.uniform(4.5, 5.5, 3)) + rng.uniform(-0.3, 0.3, (3, 3)) for _ in molecules]
    crystals = Structures(molecules.numbers, molecules.positions, molecules.offsets, np.array(cells))
    representation = ACSF(average=average, **given)
    for structures in (molecules, crystals):
        gradients = representation.gradient(structures, threads=2)
        for index, structure in enumerate(structures):
            block, step = gradients.of(index), 1e-5
            moved = []
            for atom in range(len(structure)):
                for axis in range(3):
                    for sign in (1, -1):
                        positions = structure.positions.copy()
                        positions[atom, axis] += sign * step
                        moved.append(positions)
            many = Structures.from_lists([structure.numbers] * len(moved), moved, [structure.cell] * len(moved))
            values = representation.compute(many, species=structures.species).array
            values = values.reshape(len(structure), 3, 2, block.shape[0], -1)
            numerical = np.moveaxis((values[:, :, 0] - values[:, :, 1]) / (2 * step), 2, 0)
            np.testing.assert_allclose(block, numerical, rtol=0, atol=1e-7 * max(np.abs(numerical).max(), 1))
            np.testing.assert_allclose(block.sum(axis=1), 0, atol=1e-11 * max(np.abs(block).max(), 1))
            if structure.cell is None:
                turn = np.cross(structure.positions[None, :, :, None], block, axis=2).sum(axis=1)
                np.testing.assert_allclose(turn, 0, atol=1e-11 * max(np.abs(block).max(), 1))


@pytest.mark.parametrize("average", ["off", "sum", "mean"])
def test_contributions_add_up(average: str) -> None:
    molecules = random_structures(2, seed=44, low=6, high=8)
    crystals = Structures(
        molecules.numbers, molecules.positions, molecules.offsets, np.array([np.eye(3) * 5.5, np.zeros((3, 3))])
    )
    representation = ACSF(average=average, r_cut=4.0, **EVERYTHING)
    for structures in (molecules, crystals):
        species, rows = structures.species, representation.compute(structures)
        for index, structure in enumerate(structures):
            centre = len(structure) - 1
            row = rows.of(index)[centre if average == "off" else 0]
            for column, value in enumerate(row):
                parts = representation.contributions(structure, species, column, centre)
                assert sum(p.value for p in parts) == pytest.approx(value, rel=1e-3, abs=1e-12)
                if average == "off":
                    assert all((p.atoms[1] if len(p.atoms) == 3 else p.atoms[0]) == centre for p in parts)
    with_far = representation.contributions(molecules[0], molecules.species, 10**6)
    assert with_far == []


def test_labels_and_panels() -> None:
    species = Species((1, 6), (4, 1), 5)
    representation = ACSF(g3_params="1")
    labels = representation.labels(species)
    assert labels[:2] == ["H G1", "H G2 r = 0.8 Å, η = 0.906 Å⁻²"]
    assert labels[9] == "H G3 κ = 1 Å⁻¹"
    assert labels[20] == "H–*–H G4 ζ = 1, λ = +1, η = 0.0001 Å⁻²"
    assert labels[-1] == "C–*–C G4 ζ = 16, λ = -1, η = 0.0001 Å⁻²"
    methane = one([6, 1, 1, 1, 1], named("homometric A").positions)[0]
    panels = representation.layout(methane, species).panels
    assert [p.title for p in panels] == [
        *("H, G1", "H, G2", "H, G3", "C, G1", "C, G2", "C, G3"),
        *("H–*–H", "H–*–C", "C–*–C"),
    ]
    assert panels[1].grid is not None
    assert (panels[1].start, panels[1].stop, panels[1].axis) == (1, 9, "r / Å")
    assert labels[panels[7].start].startswith("H–*–C")
    assert len(panels[7].names) == 8
    mixed = ACSF(**EVERYTHING).layout(methane, species).panels
    assert [p.title for p in mixed] == ["H", "C", "H–*–H", "H–*–C", "C–*–C"]
    assert len(set(ACSF(**EVERYTHING).labels(species))) == ACSF(**EVERYTHING).size(species)


def test_more_triples_than_fit_into_the_buffers() -> None:
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) * 1.3
    cluster = one(rng.choice([1, 6, 8], 64), grid + rng.normal(0, 0.05, grid.shape))
    representation = ACSF(average="off", r_cut=9.0, g2_params="1 1", g4_params="0.01 3 -1", g5_params="0.02 2 1")
    row = representation.compute(cluster).array[21]
    labels = representation.labels(cluster.species)
    for column in range(6, len(labels), 3):
        parts = representation.contributions(cluster[0], cluster.species, column, 21)
        assert sum(p.value for p in parts) == pytest.approx(row[column], rel=2e-3)


def test_cutoff_and_logarithm_to_the_last_digits() -> None:
    from numba import njit

    from qmlstudio.representations._log import log
    from qmlstudio.representations._shells import cutoff, cutoff_slope

    @njit
    def logarithms(x: Any, out: Any) -> None:
        for k in range(len(x)):
            out[k] = log(x[k])

    x = np.concatenate([np.logspace(-300, 300, 3001), np.linspace(0.3, 3.0, 3001), [0.5**0.5, 2.0**0.5, 1.0]])
    out = np.empty_like(x)
    logarithms(x, out)
    np.testing.assert_allclose(out, np.log(x), rtol=5e-16, atol=5e-16)
    s = np.linspace(0, 1, 501)
    root = np.sqrt(s)
    np.testing.assert_allclose([cutoff(v) for v in s], 0.5 * (np.cos(np.pi * root) + 1), rtol=0, atol=4e-16)
    np.testing.assert_allclose([cutoff_slope(v) for v in s], -0.25 * np.pi**2 * np.sinc(root), rtol=0, atol=2e-15)
    assert cutoff(1.0) == cutoff_slope(1.0) == 0.0
