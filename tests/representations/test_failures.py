"""What representations cannot see, reproduced: homometric and isospectral pairs, jumps, mirror images.

A representation that tells a pair apart which it should not be able to is as wrong as one that misses what it should
see: S. N. Pozdnyakov et al., Phys. Rev. Lett. 125, 166001 (2020); J. E. Moussa, Phys. Rev. Lett. 109, 059801 (2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import REGISTRY, Representation


def homometric(tilt: float) -> Structures:
    """Two arrangements of four H around C with the same set of distances; `tilt` (°) from the z axis, 90 is planar."""
    positions = []
    for steps in ((0, 1, 3, 4), (0, 1, 2, 5)):
        angles = np.radians(45.0 * np.array(steps))
        ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * np.sin(np.radians(tilt))
        ring[:, 2] = np.cos(np.radians(tilt))
        positions.append(np.vstack([np.zeros(3), 1.09 * ring]))
    return Structures.from_lists([[6, 1, 1, 1, 1]] * 2, positions)


MBTR_PAIRS = {"k1": False, "k2": True, "k3": False}

BLIND: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "SOAP at C": ("soap", {"average": "off"}, 0),
    "SOAP at C, polynomial": ("soap", {"average": "off", "rbf": "polynomial"}, 0),
    "symmetry functions at C": ("acsf", {"average": "off"}, 0),
    "AEV at C": ("aev", {"average": "off"}, 0),
    "FCHL19 at C": ("fchl19", {"average": "off"}, 0),
    "bag of bonds": ("bag_of_bonds", {}, None),
    "MBTR, pairs only": ("mbtr", MBTR_PAIRS, None),
    "composition": ("composition", {}, None),
}
"""Representation, its values, the atom whose row is meant: the pair is the same to it."""

SEEING: dict[str, tuple[str, dict[str, Any]]] = {
    "SOAP, all centres": ("soap", {"average": "outer"}),
    "symmetry functions, all centres": ("acsf", {"average": "sum"}),
    "FCHL19, all centres": ("fchl19", {"average": "sum"}),
    "SLATM": ("slatm", {}),
    "MBTR with angles": ("mbtr", {}),
    "sorted Coulomb matrix": ("coulomb_matrix", {}),
    "Coulomb eigenvalues": ("coulomb_matrix", {"permutation": "eigenspectrum"}),
}


def rows(name: str, values: dict[str, Any], structures: Structures, centre: int | None = None) -> tuple[Any, Any]:
    """The two rows to be compared."""
    representation: Representation = REGISTRY[name](**values)
    features = representation.compute(structures)
    return features.of(0)[centre or 0], features.of(1)[centre or 0]


@pytest.mark.parametrize("tilt", [90.0, 70.0])
@pytest.mark.parametrize("case", list(BLIND))
def test_homometric_pair_is_not_seen(case: str, tilt: float) -> None:
    name, values, centre = BLIND[case]
    a, b = rows(name, values, homometric(tilt), centre)
    assert np.abs(a).max() > 0
    assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max()


@pytest.mark.parametrize("case", list(SEEING))
def test_homometric_pair_is_seen(case: str) -> None:
    a, b = rows(*SEEING[case], homometric(90.0))
    assert np.linalg.norm(a - b) > 1e-3 * np.linalg.norm(a)


def test_homometric_distances_are_as_published() -> None:
    pair = homometric(90.0)
    for name, values, distance in (
        ("coulomb_matrix", {"length_unit": "angstrom"}, 0.906),
        ("coulomb_matrix", {"length_unit": "angstrom", "permutation": "eigenspectrum"}, 0.394),
        ("slatm", {}, 0.089),
        ("fchl19", {"average": "sum"}, 0.357),
    ):
        a, b = rows(name, values, pair)
        assert np.linalg.norm(a - b) == pytest.approx(distance, rel=0.01), name


# hydrogen peroxide twice, with the same Coulomb eigenvalues in hartree
ISOSPECTRAL = Structures.from_lists(
    [[8, 8, 1, 1]] * 2,
    [
        [[0, 0, 0], [0, 0, 1.45], [0.955264, 0, -0.168439], [-0.403712, 0.865763, 1.618439]],
        [[0, 0, 0], [0, 0, 1.447391], [-0.197368, 0, -0.949708], [-0.765078, 0, 1.995857]],
    ],
)


def test_isospectral_pair_is_seen_by_all_but_the_spectrum() -> None:
    a, b = rows("coulomb_matrix", {"permutation": "eigenspectrum"}, ISOSPECTRAL)
    # the coordinates are given to 1e-6 Å
    assert np.abs(a - b).max() < 2e-5 * a.max()
    for name in ("bag_of_bonds", "slatm", "fchl19", "soap", "acsf", "mbtr"):
        a, b = rows(name, {}, ISOSPECTRAL)
        # the self terms, which are alike, are most of the bags
        assert np.linalg.norm(a - b) > 1e-3 * np.linalg.norm(a), name


def test_sorted_matrix_jumps_where_others_do_not() -> None:
    methanol = np.array(
        [[-0.0503, 0.6685, 0], [-0.0503, -0.7585, 0], [-1.0807, 1.0417, 0], [0.4650, 1.0417, 0.8924],
         [0.4650, 1.0417, -0.8924], [0.8544, -1.0417, 0]]
    )  # fmt: skip
    scales = 1 + np.arange(-0.15, 0.15, 5e-4)
    frames = np.tile(methanol, (len(scales), 1, 1))
    frames[:, 2] = methanol[0] + (methanol[2] - methanol[0]) * scales[:, None]
    structures = Structures.from_lists([[6, 8, 1, 1, 1, 1]] * len(scales), frames)

    def worst(name: str, **values: Any) -> float:
        x = REGISTRY[name](**values).compute(structures).array
        steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
        return float(steps.max() / np.median(steps))

    assert worst("coulomb_matrix") > 20
    for name, values in (
        ("coulomb_matrix", {"permutation": "eigenspectrum"}),
        ("bag_of_bonds", {}),
        ("fchl19", {}),
        ("soap", {}),
        ("acsf", {}),
        ("aev", {}),
    ):
        assert worst(name, **values) < 4, name


def test_mirror_images_are_the_same() -> None:
    """Right for energies, wrong for optical rotation: none can tell left from right."""
    left = np.array([[0, 0, 0], [1.09, 0, 0], [-0.45, 1.3, 0], [-0.5, -0.7, 1.1], [-0.6, -0.8, -1.4]])
    right = left * [1.0, 1.0, -1.0]
    pair = Structures.from_lists([[6, 1, 9, 17, 35]] * 2, [left, right])
    for name in ("coulomb_matrix", "bag_of_bonds", "slatm", "fchl19", "soap", "acsf", "aev", "mbtr"):
        a, b = rows(name, {}, pair)
        assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max(), name
