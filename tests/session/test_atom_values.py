"""Numbers of atoms as colours: symmetric about zero, and nothing is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.session.atom_values import MISSING, AtomValues, signed
from qmlstudio.session.coloring import palette


def test_colours_are_symmetric() -> None:
    shown = AtomValues(np.array([-2.0, 0.0, 1.0, 2.0]), "adds", "eV")
    lut = palette("vik") / 255.0
    colors = shown.colors()
    assert shown.limit == 2.0
    assert shown.label == "adds / eV"
    np.testing.assert_allclose(colors[0], lut[0], atol=1e-6)
    np.testing.assert_allclose(colors[3], lut[-1], atol=1e-6)
    assert np.abs(colors[1] - lut[127:129]).max() < 0.02
    assert shown.texts() == ("−2.00", "0", "+1.00", "+2.00")


def test_missing_and_degenerate_numbers() -> None:
    shown = AtomValues(np.array([np.nan, np.inf, 3.0]), "x")
    np.testing.assert_allclose(shown.colors()[0], MISSING, atol=1e-6)
    assert shown.limit == 3.0
    assert shown.texts() == ("–", "–", "+3.00")
    for values in (
        np.zeros(3),
        np.full(2, np.nan),
        np.zeros(0),
        np.array([5e-324, -5e-324]),
        np.array([1e308, -1e308]),
    ):
        one = AtomValues(values, "x")
        assert np.isfinite(one.colors()).all()
        assert len(one.texts()) == len(values)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.25, "+1.2"), (-0.04, "0.0"), (-1e12, "−1.00e+12"), (np.nan, "–"), (-3, "−3.0")]
)
def test_signs(value: float, text: str) -> None:
    assert signed(value, 1) == text
