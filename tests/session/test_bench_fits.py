"""Power laws through learning curves, what they extrapolate, and bands."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.session.bench.fits import FARTHEST, band, bootstrap, power_law, reach

SIZES = np.array([100, 200, 400, 800, 1600])


def test_power_law_is_found() -> None:
    """Of exact values: offset and exponent, an interval without width."""
    law = power_law(SIZES, 50.0 * SIZES**-0.5)
    assert law is not None
    assert law.a == pytest.approx(50.0)
    assert law.b == pytest.approx(0.5)
    assert law.b_interval is not None
    assert law.b_interval[1] - law.b_interval[0] < 1e-10
    assert np.allclose(law(SIZES), 50.0 * SIZES**-0.5)


def test_interval_covers_the_truth() -> None:
    """The 95 % interval of the exponent holds it in about 95 of 100 noisy curves."""
    rng, inside, draws = np.random.default_rng(0), 0, 400
    for _ in range(draws):
        law = power_law(SIZES, 50.0 * SIZES**-0.5 * np.exp(rng.normal(0, 0.05, len(SIZES))))
        assert law is not None
        assert law.b_interval is not None
        inside += law.b_interval[0] <= 0.5 <= law.b_interval[1]
    assert 0.91 < inside / draws < 0.985


def test_sizes_whose_repeats_agree_weigh_more() -> None:
    """A wild point with wild repeats hardly turns the line."""
    clean = 50.0 * SIZES**-0.5
    table = np.stack([clean * 0.999, clean * 1.001, clean], axis=1)
    table[0] *= [3.0, 0.4, 2.0]
    law, flat = power_law(SIZES, table), power_law(SIZES, table.mean(axis=1))
    assert law is not None
    assert flat is not None
    assert abs(law.b - 0.5) < 0.5 * abs(flat.b - 0.5)


def test_offset_is_found_and_plain_curves_have_none() -> None:
    """a N^−b + c where there is a floor, c ≈ 0 where there is none."""
    sizes = np.array([50, 100, 200, 400, 800, 1600, 3200])
    law = power_law(sizes, 50.0 * sizes**-0.8 + 0.5, saturating=True)
    assert law is not None
    assert law.c == pytest.approx(0.5, rel=1e-3)
    assert law.b == pytest.approx(0.8, rel=1e-3)
    plain = power_law(sizes, 50.0 * sizes**-0.8, saturating=True)
    assert plain is not None
    assert plain.c < 1e-3 * plain(sizes).min()
    assert plain.b == pytest.approx(0.8, rel=1e-2)


@pytest.mark.parametrize("errors", [[np.nan] * 5, [0.0] * 5, [1.0, np.nan, np.nan, np.nan, np.nan]])
def test_no_law_without_two_sizes(errors: list[float]) -> None:
    """Missing and vanishing errors are left out; one size is no line."""
    assert power_law(SIZES, errors) is None
    assert reach(None, 0.5, SIZES, errors).kind in ("never", "measured")


def test_two_sizes_have_a_line_but_no_interval() -> None:
    """Nothing is claimed that two points cannot tell."""
    law = power_law([100, 400], [4.0, 2.0])
    assert law is not None
    assert law.b == pytest.approx(0.5)
    assert law.b_interval is None
    assert law.band([100]) is None
    found = reach(law, 1.0, [100, 400], [4.0, 2.0])
    assert found.kind == "extrapolated"
    assert found.size == pytest.approx(1600)
    assert found.low is None


def test_reach_interpolates_extrapolates_and_stops() -> None:
    """Measured where the curve goes below; a number up to ten times the largest size; none beyond."""
    errors = 50.0 * SIZES**-0.5
    law = power_law(SIZES, errors)
    measured = reach(law, 50.0 * 300**-0.5, SIZES, errors)
    assert measured.kind == "measured"
    assert measured.size == pytest.approx(300)
    near = reach(law, 50.0 * 5000**-0.5, SIZES, errors)
    assert near.kind == "extrapolated"
    assert near.size == pytest.approx(5000)
    assert "5,000" in near.text
    far = reach(law, 50.0 * (FARTHEST * 1600 * 1.01) ** -0.5, SIZES, errors)
    assert far.kind == "far"
    assert far.size is None
    assert "beyond" in far.text


def test_reach_tells_its_interval() -> None:
    """The interval holds the size and is wider for noisier curves."""
    noise = np.array([0.03, -0.04, 0.02, -0.03, 0.02])
    errors = 50.0 * SIZES**-0.5 * np.exp(noise)
    found = reach(power_law(SIZES, errors), 0.7, SIZES, errors)
    assert found.low is not None
    assert found.size is not None
    assert found.low < found.size
    assert found.high is None or found.size < found.high


def test_flat_and_rising_curves_never_reach() -> None:
    """Also when they are flat to rounding, where the power would overflow."""
    for errors in (np.full(5, 180.0), 180.0 * SIZES**1e-6, 180.0 * SIZES**-1e-5, 1.0 * SIZES**0.3):
        assert reach(power_law(SIZES, errors), 1e-3, SIZES, errors).kind == "never"
    sizes = np.array([50, 100, 200, 400, 800, 1600])
    floor = power_law(sizes, 50.0 * sizes**-0.8 + 0.5, saturating=True)
    assert reach(floor, 0.4, SIZES, 50.0 * SIZES**-0.8 + 0.5).kind == "never"


def test_band_is_student_of_the_logarithms() -> None:
    """Two repeats: t of one degree of freedom; one: no interval; NaN is left out."""
    mean, low, high = band([2.0, 4.0])
    factor = np.exp(12.7062047 * np.std(np.log([2.0, 4.0]), ddof=1) / np.sqrt(2))
    assert mean == 3.0
    assert low == pytest.approx(3.0 / factor)
    assert high == pytest.approx(3.0 * factor)
    assert band([1.5, np.nan])[0] == 1.5
    assert np.isnan(band([1.5])[1])
    assert np.isnan(band([])).all()
    assert band([0.0, 1.0, 2.0])[0] == 1.0  # an error of zero has no logarithm


def test_bootstrap_agrees_with_the_normal_interval() -> None:
    """Of many test structures the mean's interval is ±1.96 standard errors."""
    errors = np.random.default_rng(1).exponential(size=2000)
    low, high = bootstrap(errors)
    expected = 1.96 * errors.std() / np.sqrt(len(errors))
    assert (high - low) / 2 == pytest.approx(expected, rel=0.15)
    assert low < errors.mean() < high
    assert np.isnan(bootstrap([1.0])).all()
