"""FCHL18: its kernel against qmllib and the plain definition, its rows, and where it jumps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations.fchl18 import FCHL18, periodic_table

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "fchl.json"


def golden() -> dict[str, Any]:
    """Reference values; see make_fchl.py beside them."""
    data: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return data


def golden_structures() -> Structures:
    """Its molecules."""
    molecules = golden()["molecules"]
    return Structures.from_lists([m["numbers"] for m in molecules], [m["positions"] for m in molecules])


def plain_terms(structure: Structure, i: int, representation: FCHL18) -> list[tuple[float, int, float, dict[Any, Any]]]:
    """Of each neighbour r, Z, ξ₂ and {(element, order): (C, S)}, word by word from the definition."""
    r_cut, start = representation.cut_distance, representation.cut_start * representation.cut_distance
    r, z = structure.positions, [int(k) for k in structure.numbers]

    def f(d: float) -> float:
        x = (r_cut - d) / (r_cut - start) if d > start else 1.0
        return 10 * x**3 - 15 * x**4 + 6 * x**5 if d < r_cut else 0.0

    def d(a: int, b: int) -> float:
        return float(np.linalg.norm(r[a] - r[b]))

    def cos(a: int, b: int, c: int) -> float:
        return float((r[a] - r[b]) @ (r[c] - r[b]) / d(a, b) / d(c, b))

    found = []
    near = [j for j in range(len(z)) if j != i and d(i, j) < r_cut]
    for j in near:
        waves: dict[Any, Any] = {}
        for k in near:
            if k == j:
                continue
            cut = f(d(i, j)) * f(d(i, k)) * f(d(j, k))
            power = (d(i, j) * d(i, k) * d(j, k)) ** representation.three_body_power
            weight = cut * (1 + 3 * cos(j, i, k) * cos(i, j, k) * cos(i, k, j)) / power
            theta = np.arccos(np.clip(cos(j, i, k), -1, 1))
            for m in range(1, representation.fourier_order + 1):
                c, s = waves.get((z[k], m), (0.0, 0.0))
                waves[z[k], m] = (
                    c + weight * (np.cos(m * theta) - np.cos(m * (theta + np.pi))),
                    s + weight * (np.sin(m * theta) - np.sin(m * (theta + np.pi))),
                )
        found.append((d(i, j), z[j], f(d(i, j)) / d(i, j) ** representation.two_body_power, waves))
    return sorted(found, key=lambda item: item[0])


def plain_kernel(a: Structure, b: Structure, representation: FCHL18, sigma: float) -> float:
    """K(A, B), word by word from the definition."""
    table = periodic_table().astype(float)

    def like(p: int, q: int) -> float:
        if representation.alchemy == "off":
            return float(p == q)
        rows, columns = table[p] - table[q]
        widths = representation.alchemy_group_width, representation.alchemy_period_width
        return float(np.exp(-(rows**2) / 4 / widths[0] ** 2 - columns**2 / 4 / widths[1] ** 2))

    w, d = representation.three_body_width, representation.two_body_width
    n = np.arange(-200, 201)
    norm = 2 * np.sqrt(np.pi * (np.exp(-((w * n) ** 2)) * (2 - 2 * np.cos(n * np.pi))).sum())

    def s(x: Structure, i: int, y: Structure, j: int) -> float:
        centres = like(int(x.numbers[i]), int(y.numbers[j]))
        if centres == 0.0:
            return 0.0
        total = 1.0
        for r1, z1, two1, waves1 in plain_terms(x, i, representation):
            for r2, z2, two2, waves2 in plain_terms(y, j, representation):
                if abs(r1 - r2) >= 8 * d:
                    continue
                angular = 0.0
                for (p, m), (c1, s1) in waves1.items():
                    g = np.sqrt(2 * np.pi) / norm * np.exp(-((w * m) ** 2) / 2)
                    angular += sum(
                        g * like(p, q) * (c1 * c2 + s1 * s2) for (q, m2), (c2, s2) in waves2.items() if m2 == m
                    )
                bracket = two1 * two2 * representation.two_body_scaling / 16
                bracket += angular * representation.three_body_scaling / np.sqrt(8)
                total += like(z1, z2) * np.exp(-((r1 - r2) ** 2) / 4 / d**2) * bracket
        return total * centres

    return sum(
        float(np.exp(-(s(a, i, a, i) + s(b, j, b, j) - 2 * s(a, i, b, j)) / 2 / sigma**2))
        for i in range(len(a))
        for j in range(len(b))
    )


@pytest.mark.parametrize("case", golden()["fchl18"], ids=lambda case: case["name"])
def test_kernel_equals_qmllib(case: dict[str, Any]) -> None:
    structures = golden_structures()
    representation = FCHL18(**case["options"])
    square = representation.kernel(structures, sigma=case["sigma"])
    np.testing.assert_array_equal(square, square.T)
    # an arc cosine makes an error of 1e-8 of straight angles there, and 1e-9 of the kernel
    straight = np.array(["homometric" in m["name"] or "cyanide" in m["name"] for m in golden()["molecules"]])
    tolerance = np.where(straight[:, None] | straight, 1e-9, 1e-12)
    assert (np.abs(square / case["symmetric"] - 1.0) <= tolerance).all()
    n = len(structures)
    a, b = structures.take(np.arange(4)), structures.take(np.arange(5, n))
    between = representation.kernel(a, b, sigma=case["sigma"], threads=2)
    assert (np.abs(between / case["rectangular"] - 1.0) <= tolerance[:4, 5:]).all()


@pytest.mark.parametrize("alchemy", ["off", "periodic-table"])
def test_kernel_equals_the_definition(alchemy: str) -> None:
    structures = random_structures(4, seed=3, low=3, high=5)
    representation = FCHL18(
        alchemy=alchemy, cut_distance=3.0, cut_start=0.5, fourier_order=3, three_body_width=0.8, three_body_power=1.2
    )
    array = representation.kernel(structures, sigma=1.7)
    for i in range(4):
        for j in range(i + 1):
            assert array[i, j] == pytest.approx(
                plain_kernel(structures[i], structures[j], representation, 1.7), rel=1e-12
            )


def test_water_and_ammonia_as_published() -> None:
    water, golden_set = named("water"), golden()["molecules"]
    ammonia = next(m for m in golden_set if m["name"] == "ammonia")
    pair = Structures.from_lists([water.numbers, ammonia["numbers"]], [water.positions, ammonia["positions"]])
    off = FCHL18(cut_distance=1e6, alchemy="off").kernel(pair)
    like = FCHL18(cut_distance=1e6).kernel(pair)
    assert off[0, 0] == pytest.approx(8.0188273612, abs=1e-9)
    assert like[0, 0] == pytest.approx(8.0590503250, abs=1e-9)
    # with which geometry ammonia's were made is not known to more digits
    np.testing.assert_allclose(off, [[8.0188273612, 10.056522119], [10.056522119, 14.2610266075]], rtol=3e-4)
    np.testing.assert_allclose(like, [[8.059050325, 10.6650340697], [10.6650340697, 14.4050087382]], rtol=3e-4)


def test_unlike_centres_count_without_alchemy() -> None:
    a, b = one([6], [[0, 0, 0]]), one([8], [[0, 0, 0]])
    representation = FCHL18(alchemy="off")
    # nothing around: s = 1 for each with itself and 0 between them
    assert representation.kernel(a, b, sigma=2.0)[0, 0] == pytest.approx(np.exp(-(1 + 1) / 2 / 4), rel=1e-14)
    assert representation.kernel(a, a, sigma=2.0)[0, 0] == 1.0


def test_kernel_of_features_and_of_other_sets() -> None:
    structures = random_structures(9, seed=6, high=8)
    representation = FCHL18()
    whole = representation.kernel(structures)
    features = representation.compute(structures)
    np.testing.assert_array_equal(representation.kernel(features), whole)
    parts = structures.take([2, 5]), structures.take([0, 1, 7])
    between = representation.kernel(representation.compute(parts[0]), representation.compute(parts[1]))
    np.testing.assert_allclose(between, whole[np.ix_([2, 5], [0, 1, 7])], rtol=1e-13)
    # wider columns than needed change nothing
    wide = representation.compute(parts[0], species=structures.species)
    np.testing.assert_allclose(representation.kernel(wide, structures), whole[[2, 5]], rtol=1e-13)
    np.testing.assert_array_equal(representation.kernel(structures, threads=1), whole)
    eigenvalues = np.linalg.eigvalsh(whole)
    assert eigenvalues[0] > -1e-10 * eigenvalues[-1]
    with pytest.raises(ValueError, match="other parameters"):
        FCHL18(cut_distance=4.0).kernel(features)
    with pytest.raises(ValueError, match="sigma"):
        representation.kernel(features, sigma=0.0)


def test_kernel_of_nothing() -> None:
    nothing, some = Structures.from_lists([], []), random_structures(2, seed=1, low=2, high=3)
    assert FCHL18().kernel(nothing).shape == (0, 0)
    assert FCHL18().kernel(some, nothing).shape == (2, 0)
    empty = Structures(np.array([6], np.uint8), np.zeros((1, 3)), np.array([0, 0, 1]))
    np.testing.assert_array_equal(FCHL18().kernel(empty), [[0.0, 0.0], [0.0, 1.0]])


def test_kernel_is_extensive() -> None:
    structures = random_structures(2, seed=14, low=5, high=6)
    first = structures[0]
    twice = one(np.tile(first.numbers, 2), np.vstack([first.positions, first.positions + np.array([80.0, 0.0, 0.0])]))
    alone = structures.take([0])
    representation = FCHL18()
    np.testing.assert_allclose(
        representation.kernel(twice, structures), 2 * representation.kernel(alone, structures), rtol=1e-11
    )


def test_kernel_reports_and_is_cancelled() -> None:
    structures = random_structures(40, seed=2, low=3, high=6)
    seen: list[float] = []
    FCHL18().kernel(structures, progress=Progress(lambda fraction, _: seen.append(fraction)))
    assert seen[-1] == 1.0
    with pytest.raises(Cancelled):
        FCHL18().kernel(structures, progress=Progress(is_cancelled=lambda: True))


def test_jumps_at_the_cutoff_unless_damped() -> None:
    def value(start: float, distance: float) -> float:
        moved = one([8, 1, 1], [[0, 0, 0], [0, 0.96, 0], [distance, 0, 0]])
        fixed = one([8, 1, 1], [[0, 0, 0], [0, 0.96, 0], [0.96, 0, 0]])
        return float(FCHL18(cut_start=start, cut_distance=2.0).kernel(moved, fixed)[0, 0])

    hard = abs(value(1.0, 2.0 - 1e-7) - value(1.0, 2.0 + 1e-7))
    soft = abs(value(0.8, 2.0 - 1e-7) - value(0.8, 2.0 + 1e-7))
    assert hard > 1e-5
    assert soft < 1e-7


def test_rows_have_the_definition_in_order() -> None:
    structures = random_structures(3, seed=11, low=4, high=6)
    species = structures.species
    representation = FCHL18(cut_distance=3.5, cut_start=0.6, fourier_order=4)
    features = representation.compute(structures)
    labels = representation.labels(species)
    width = 3 + 4 * len(species.numbers)
    assert features.array.shape == (len(structures.numbers), 1 + (species.n_max - 1) * width)
    assert labels[:4] == ["Z", "neighbour 1: r / Å", "neighbour 1: Z", "neighbour 1: ξ₂"]
    for index, structure in enumerate(structures):
        for i, row in enumerate(features.of(index)):
            assert row[0] == structure.numbers[i]
            terms = plain_terms(structure, i, representation)
            assert not row[1 + len(terms) * width :].any()
            for k, (r, z, two, waves) in enumerate(terms):
                part = row[1 + k * width : 1 + (k + 1) * width]
                np.testing.assert_allclose(part[:3], [r, z, two], rtol=1e-12)
                for e, element in enumerate(species.numbers):
                    for m, order in enumerate((1, 3)):
                        at = 3 + 4 * e + 2 * m
                        np.testing.assert_allclose(
                            part[at : at + 2], waves.get((element, order), (0.0, 0.0)), rtol=1e-9, atol=1e-12
                        )


def test_ties_do_not_depend_on_the_order_of_atoms() -> None:
    # a regular ring: all neighbours come in pairs of equal distance, told apart by what stands around them
    angles = np.radians(60.0) * np.arange(6)
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * 1.4
    numbers = np.array([6, 6, 7, 6, 8, 6])
    extra = np.array([[2.2, 1.0, 0.7], [-2.3, 0.4, -0.6]])
    numbers, positions = np.append(numbers, [1, 1]), np.vstack([ring, extra])
    before = FCHL18().compute(one(numbers, positions)).array
    rng = np.random.default_rng(0)
    for _ in range(6):
        order = rng.permutation(8)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        after = FCHL18().compute(one(numbers[order], positions[order] @ turn + 3.0)).array
        np.testing.assert_allclose(after, before[order], rtol=1e-8, atol=1e-9)


def test_contributions_name_the_neighbour() -> None:
    water = one(named("water").numbers, named("water").positions)
    representation, species = FCHL18(), water.species
    row = representation.compute(water).array[1]
    assert representation.contributions(water[0], species, 0, 1)[0].atoms == (1,)
    part = representation.contributions(water[0], species, 1, 1)[0]
    assert part.atoms == (1, 0)
    assert part.value == row[1] == pytest.approx(0.9572)
    width = (len(row) - 1) // 2
    assert representation.contributions(water[0], species, 1 + width, 1)[0].atoms == (1, 2)
    near = FCHL18(cut_distance=1.2)
    assert near.contributions(water[0], species, 1 + width, 1) == []
    panels = representation.layout(water[0], species).panels
    assert [p.title for p in panels] == ["centre", "neighbour 1", "neighbour 2"]
    assert panels[1].names[:5] == ("r / Å", "Z", "ξ₂", "H cos θ", "H sin θ")


def test_columns_are_for_the_largest_structure() -> None:
    structures = random_structures(4, seed=9, low=5, high=8)
    small = Species(structures.species.numbers, structures.species.counts, 3)
    with pytest.raises(ValueError, match="the columns were fixed for at most 3"):
        FCHL18().compute(structures, species=small)
    assert FCHL18().kernel_only
    assert FCHL18().local
    assert not FCHL18().has_gradient


def test_places_in_the_periodic_table() -> None:
    table = periodic_table()
    assert {z: tuple(int(k) for k in table[z]) for z in (1, 2, 3, 8, 10, 13, 18, 19, 21, 30, 31, 36)} == {
        1: (1, 1), 2: (1, 8), 3: (2, 1), 8: (2, 6), 10: (2, 8), 13: (3, 3), 18: (3, 8), 19: (4, 1), 21: (4, 9),
        30: (4, 18), 31: (4, 3), 36: (4, 8),
    }  # fmt: skip
    assert [tuple(int(k) for k in table[z]) for z in (57, 71, 72, 80, 81, 86, 89, 103, 118)] == [
        (6, 19), (6, 33), (6, 10), (6, 18), (6, 3), (6, 8), (7, 19), (7, 33), (7, 8),
    ]  # fmt: skip
