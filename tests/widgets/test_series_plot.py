import numpy as np
import pytest

from qmlstudio.widgets.series_plot import envelope


@pytest.mark.parametrize("n", [10, 1_000, 100_003])
def test_no_peak_is_lost(n: int) -> None:
    values = np.random.default_rng(0).normal(size=n)
    values[n // 3], values[n // 2] = 50.0, -50.0
    frames, drawn = envelope(values, 1, n, 300)
    assert len(frames) == len(drawn) <= max(n, 4 * 300 + 8)
    assert np.nanmax(drawn) == 50.0
    assert np.nanmin(drawn) == -50.0
    assert frames[np.nanargmax(drawn)] == pytest.approx(n // 3 + 1, abs=n / 250 + 1)


def test_part_in_sight_and_gaps() -> None:
    values = np.arange(10_000.0)
    values[2_000:3_000] = np.nan
    frames, drawn = envelope(values, 1_000, 6_000, 100)
    assert frames.min() >= 900
    assert frames.max() <= 6_100
    gap = np.isnan(drawn)
    assert gap.any()
    assert 1_990 < frames[gap].min() < 2_060
    assert 2_940 < frames[gap].max() < 3_010
    assert len(envelope(np.zeros(0), 0, 1, 100)[0]) == 0
