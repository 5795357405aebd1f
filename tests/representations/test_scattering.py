"""Solid-harmonic scattering: kymatio's values, a plain implementation, known answers, what turning costs."""

from __future__ import annotations

import json
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures
from scipy.special import sph_harm_y

from qmlstudio.chem.structures import Structure, Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import _scattering_transform as transform
from qmlstudio.representations.scattering import Scattering, core_charges

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "scattering.json"
WATER = ([8, 1, 1], [[0.0, 0.0, 0.1173], [0.7572, 0.0, -0.4692], [-0.7572, 0.0, -0.4692]])
SMALL = Scattering(J=1, L=2, integral_powers="1 2")


def golden() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return data


def moved(structures: Structures, matrix: Any, shift: Any) -> Structures:
    return Structures(structures.numbers, structures.positions @ np.asarray(matrix).T + shift, structures.offsets)


def relative(a: Any, b: Any) -> Any:
    """|a / b − 1|, 0 where both are 0."""
    return np.abs(a - b) / np.where(b == 0, 1.0, np.abs(b))


@pytest.mark.parametrize("title", list(golden()["sets"]))
def test_golden(title: str) -> None:
    """To kymatio's accuracy: float32 filters, which small powers of nothing's tails show most."""
    data = golden()
    parameters = dict(data["sets"][title])
    powers = parameters.pop("integral_powers")
    molecules = Structures.from_lists(
        [m["numbers"] for m in data["molecules"]], [m["positions"] for m in data["molecules"]]
    )
    representation = Scattering(
        **{k: v for k, v in parameters.items() if k != "box"},
        integral_powers=" ".join(map(str, powers)),
        box=" ".join(map(str, parameters["box"])),
        sigma_0=data["sigma_0"],
        resolution=2.5 if title == "tight box" else 2.0,
    )
    values = representation.compute(molecules).array
    expected = np.array([m[title] for m in data["molecules"]])
    assert (np.abs(values - expected).max(axis=1) / expected.max(axis=1)).max() < 3e-3
    errors = relative(values, expected).reshape(len(molecules), -1, len(powers)).max(axis=(0, 1))
    for q, error in zip(powers, errors, strict=True):
        assert error < (0.02 if q < 1 else 3e-3), q


def plain(numbers: Any, positions: Any, box: Any, spacing: float, j: int, k: int | None, l: int, q: float) -> float:
    """A coefficient by Fourier transforms of the whole box, in units of σ_0."""
    n = np.rint(np.array(box) / spacing).astype(int)
    axes = [2 * pi * np.fft.fftfreq(m, spacing) for m in n]
    kx, ky, kz = np.meshgrid(*axes, indexing="ij")
    length = np.sqrt(kx**2 + ky**2 + kz**2)
    polar = np.arccos(np.divide(kz, length, out=np.ones_like(kz), where=length > 0))
    phases = [np.exp(-1j * np.outer(positions[:, a], axes[a])) for a in range(3)]
    density = np.einsum("a,ax,ay,az->xyz", numbers, *phases, optimize=True) * np.exp(-0.5 * length**2)

    def modulus(spectrum: Any, scale: int) -> Any:
        sigma = 2.0**scale
        gauss = np.exp(-0.5 * (sigma * length) ** 2)
        if l == 0:
            return np.abs(np.fft.ifftn(spectrum * gauss))
        odd = 1 / (2 ** ((l + 3) / 2) * np.sqrt(pi * (2 * l + 1)) * {1: 1, 3: 2}.get(l, 1))
        even = 1 / (2 * pi * np.sqrt(l + 0.5) * {2: 3}.get(l, 1))
        norm = (odd if l % 2 else even) * (2 * pi) ** 1.5
        total = 0.0
        for m in range(-l, l + 1):
            wavelet = norm * (sigma * length) ** l * gauss * sph_harm_y(l, m, polar, np.arctan2(ky, kx))
            total = total + np.abs(np.fft.ifftn(spectrum * wavelet)) ** 2
        return np.sqrt(total)

    first = modulus(density / spacing**3, j)
    found = first if k is None else modulus(np.fft.fftn(first), k)
    return float((found**q).sum() * spacing**3)


@pytest.mark.parametrize(("j", "k", "l", "q"), [(0, None, 1, 0.5), (0, 1, 1, 0.5), (0, 1, 2, 1.0), (1, None, 3, 3.0)])
def test_plain_implementation(j: int, k: int | None, l: int, q: float) -> None:
    structure = one(*WATER)[0]
    box = (28.0, 28.0, 28.0)
    representation = Scattering(J=1, L=3, integral_powers=str(q), box="28 28 28", resolution=2.5)
    values = representation.compute(one(*WATER)).array[0]
    numbers, positions = transform.frame(structure.numbers, structure.positions)
    expected = plain(numbers.astype(float), positions / representation.sigma_0, box, 0.5, j, k, l, q)
    scale = str(j) if k is None else f"{j} → {k}"
    column = representation.labels(one(*WATER).species).index(f"nuclear: j = {scale}, l = {l}, q = {q:g}")
    assert values[column] == pytest.approx(expected, rel=2e-3)


def test_charge_and_norms_are_known() -> None:
    """∫ρ and ∫U_j0 are the charge in both orders; one atom's ∫ρ² is Z² / (4π)^(3/2)."""
    structures = random_structures(4, seed=2, low=2, high=7)
    representation = Scattering(channels="all", L=1)
    features = representation.compute(structures)
    labels = representation.labels(features.species)
    for index, structure in enumerate(structures):
        core = core_charges(structure.numbers)
        for channel, charge in (
            ("nuclear", structure.numbers.sum()),
            ("core", core.sum()),
            ("valence", structure.numbers.sum() - core.sum()),
        ):
            for what in ("density", "j = 0, l = 0", "j = 2, l = 0", "j = 0 → 1, l = 0", "j = 1 → 2, l = 0"):
                value = features.array[index, labels.index(f"{channel}: {what}, q = 1")]
                # the trapezoidal rule is nearly exact for Gaussians
                assert value == pytest.approx(charge, rel=1e-6, abs=1e-12)
    atom = Scattering().compute(one([6], [[0.1, 0.2, 0.3]]))
    assert atom.array[0, 2] == pytest.approx(36 / (4 * pi) ** 1.5, rel=1e-6)
    assert atom.array[0, 3] == pytest.approx(216 / (2 * pi) ** 3 / 3**1.5, rel=1e-6)


def test_core_charges() -> None:
    np.testing.assert_array_equal(
        core_charges([1, 2, 3, 8, 10, 11, 17, 19, 35, 92]), [0, 0, 2, 2, 2, 10, 10, 18, 18, 86]
    )


def test_turning_and_moving_change_little() -> None:
    """Nothing beyond rounding where the principal axes are unique, the grids' error where they are not."""
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    generic = random_structures(5, seed=11, low=4, high=6)
    representation = Scattering(J=1)
    before = representation.compute(generic).array
    for matrix, shift in ((turn, 0.0), (np.eye(3), [17.3, -4.0, 1e3]), (np.diag([1, 1, -1]), 0.0)):
        after = representation.compute(moved(generic, matrix, shift)).array
        assert relative(after, before).max() < 1e-8
    # a tetrahedron has no axes of its own
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.63
    methane = one([6, 1, 1, 1, 1], np.vstack([np.zeros(3), corners]))
    for resolution, tolerance in ((1.5, 1e-2), (2.5, 2e-3)):
        fine = Scattering(J=1, resolution=resolution)
        change = relative(fine.compute(moved(methane, turn, 0.3)).array, fine.compute(methane).array)
        assert change.max() < tolerance
        assert change.mean() < 0.2 * tolerance


def test_resolution_converges() -> None:
    structures = random_structures(3, seed=4, low=3, high=6)
    limit = Scattering(J=1, resolution=3.0).compute(structures).array
    errors = [relative(Scattering(J=1, resolution=r).compute(structures).array, limit) for r in (1.5, 2.0)]
    assert errors[0].max() < 7e-3
    assert np.sqrt((errors[0] ** 2).mean()) < 1e-3
    assert errors[1].max() < 2e-3


def test_box_that_is_large_enough_changes_nothing() -> None:
    structures = Structures.from_lists(*zip(WATER, ([6], [[0, 0, 0]]), strict=True))
    automatic = Scattering(resolution=2.0).compute(structures).array
    boxed = Scattering(resolution=2.0, box="80 76, 72").compute(structures).array
    errors = relative(boxed, automatic).reshape(2, -1, 4).max(axis=(0, 1))
    assert errors[0] < 5e-3
    # the grids differ
    assert errors[1:].max() < 3e-3


def test_small_deformations_change_little() -> None:
    """The coefficients are smooth: the change is proportional to the displacement."""
    structures = random_structures(3, seed=6, low=4, high=6)
    displacement = np.random.default_rng(2).normal(size=structures.positions.shape)
    values = [
        SMALL.compute(Structures(structures.numbers, structures.positions + t * displacement, structures.offsets)).array
        for t in (0.0, 1e-3, 2e-3)
    ]
    one_step, two_steps = values[1] - values[0], values[2] - values[0]
    assert relative(values[1], values[0]).max() < 0.02
    assert np.abs(two_steps - 2 * one_step).max() < 0.2 * np.abs(two_steps).max()


def test_tells_apart_what_distances_do_not() -> None:
    """The homometric pair: its planar molecules have the same distances, but other arrangements."""
    a, b = named("homometric A"), named("homometric B")
    pair = Structures.from_lists([a.numbers, b.numbers], [a.positions, b.positions])
    representation = Scattering(resolution=2.0)
    values = representation.compute(pair).array
    labels = representation.labels(pair.species)
    # squares of first-order moduli know pairs only
    second_moments = [i for i, label in enumerate(labels) if "→" not in label and label.endswith("q = 2")]
    assert relative(values[1, second_moments], values[0, second_moments]).max() < 1e-4
    assert relative(values[1], values[0]).max() > 5e-3


def test_mirror_images_are_the_same() -> None:
    chiral = random_structures(2, seed=20, low=5, high=6)
    mirrored = moved(chiral, np.diag([-1.0, 1.0, 1.0]), 0.0)
    assert relative(SMALL.compute(mirrored).array, SMALL.compute(chiral).array).max() < 1e-9


def test_options() -> None:
    structures = one(*WATER)
    full = Scattering().compute(structures).array[0]
    assert len(full) == Scattering().size(structures.species) == 100
    # the first order alone is the beginning of both
    first = Scattering(max_order=1).compute(structures).array[0]
    np.testing.assert_array_equal(first, full[: len(first)])
    everything = Scattering(channels="all").compute(structures).array[0]
    np.testing.assert_array_equal(everything[:100], full)
    hydrogen = Scattering(channels="all").compute(one([1, 1], [[0, 0, 0], [0, 0, 0.74]])).array[0]
    assert not hydrogen[200:].any()
    np.testing.assert_array_equal(hydrogen[:100], hydrogen[100:200])
    # powers that are no multiple of one half go another way
    odd = Scattering(J=1, L=1, integral_powers="0.999999 1.5000001 2.000001").compute(structures).array[0]
    even = Scattering(J=1, L=1, integral_powers="1 1.5 2").compute(structures).array[0]
    np.testing.assert_allclose(odd, even, rtol=1e-4)
    # lengths are measured in σ_0
    scaled = Structures(structures.numbers, structures.positions * 2, structures.offsets)
    np.testing.assert_allclose(Scattering(sigma_0=0.44).compute(scaled).array[0], full, rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"integral_powers": "1 two"}, "integral_powers: '1 two' are no numbers"),
        ({"integral_powers": " "}, "between 1 and 8 numbers are needed, not 0"),
        ({"integral_powers": "1 0"}, "each must be between 0.25 and 8"),
        ({"integral_powers": "1 nan"}, "each must be between 0.25 and 8"),
        ({"integral_powers": "1 1.0"}, "has a number twice"),
        ({"box": "large"}, "box: 'large' is neither 'automatic' nor three lengths"),
        ({"box": "10 20"}, "neither"),
        ({"box": "10 20 inf"}, "neither"),
    ],
)
def test_texts_are_checked(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scattering(**parameters)


def test_errors() -> None:
    structures = Structures.from_lists([WATER[0], [1, 1]], [WATER[1], [[0, 0, 0], [0, 0, 30.0]]])
    with pytest.raises(ValueError, match=r"structure 2 \(index 1\) does not fit into the box"):
        Scattering(box="40 40 40", integral_powers="1").compute(structures)
    far = one([1, 1, 1], [[0, 0, 0], [400.0, 0, 0], [0, 400.0, 400.0]])
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\) needs a grid of \d+ × \d+ × \d+ points"):
        SMALL.compute(far)
    broken = one([8, 1, 1], [WATER[1][0], WATER[1][1], WATER[1][0]])
    with pytest.raises(ValueError, match="atoms O1 and H3 lie at the same place"):
        SMALL.compute(broken)


def test_layout() -> None:
    structures = one(*WATER)
    representation = Scattering(channels="all")
    features = representation.compute(structures)
    labels = representation.labels(features.species)
    layout = representation.layout(structures[0], features.species)
    assert [p.title for p in layout.panels[:5]] == ["density", "q = 0.5", "q = 1", "q = 2", "q = 3"]
    assert [p.group for p in layout.panels[::5]] == ["nuclear", "valence", "core"]
    matrix = layout.panels[7]
    assert matrix.cells is not None
    assert matrix.cells.shape == (6, 4)
    assert labels[matrix.cells[4, 2]] == "valence: j = 0 → 2, l = 2, q = 1"
    assert representation.contributions(structures[0], features.species, 3) == []


def test_cancels_and_threads() -> None:
    structures = random_structures(6, seed=3, low=2, high=5)
    np.testing.assert_array_equal(
        SMALL.compute(structures, threads=1).array, SMALL.compute(structures, threads=2).array
    )

    def stop() -> bool:
        return True

    with pytest.raises(Cancelled):
        SMALL.compute(structures, Progress(is_cancelled=stop))


def test_frames_do_not_depend_on_the_order_of_atoms() -> None:
    structure: Structure = random_structures(1, seed=5, low=8, high=8)[0]
    order = np.random.default_rng(0).permutation(8)
    first = transform.frame(structure.numbers, structure.positions)
    second = transform.frame(structure.numbers[order], structure.positions[order])
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
