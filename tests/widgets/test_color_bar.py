import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from qmlstudio.widgets.color_bar import ColorBar, color_indices, fractions, tick_text, ticks

LUT = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 120)], axis=1).astype(np.uint8)


@pytest.mark.parametrize(
    ("scale", "low", "high", "values", "expected"),
    [
        ("linear", -1.0, 3.0, [-1, 0, 1, 3, 5], [0, 0.25, 0.5, 1, 1.5]),
        ("log", 0.1, 1000.0, [0.1, 10, 1000], [0, 0.5, 1]),
        ("symlog", -100.0, 100.0, [-100, 0, 100], [0, 0.5, 1]),
    ],
)
def test_places_on_the_bar(scale, low, high, values, expected):
    assert fractions(values, low, high, scale) == pytest.approx(np.array(expected, float))


def test_symlog_is_odd_and_monotonic_about_zero():
    v = np.linspace(-50, 50, 1001)
    f = fractions(v, -50, 50, "symlog")
    assert (np.diff(f) > 0).all()
    assert f + f[::-1] == pytest.approx(np.ones(1001))


def test_a_logarithm_of_nothing_is_missing_or_refused():
    assert np.isnan(fractions([0.0, -1.0, np.nan], 1, 10, "log")).all()
    with pytest.raises(ValueError, match="positive"):
        fractions([1.0], 0.0, 10, "log")


def test_equal_ends_put_values_in_the_middle():
    f = fractions([3.0, np.nan], 3.0, 3.0)
    assert f[0] == 0.5
    assert np.isnan(f[1])


def test_indices_cover_the_table_evenly_and_values_beyond_take_the_ends():
    values = np.array([0.0, 0.999, 1.0, 5.0, 9.99, 10.0, -3.0, 40.0, np.nan, np.inf, -np.inf])
    index, missing = color_indices(values, 0.0, 10.0, "linear", 10)
    assert index.tolist() == [0, 0, 1, 5, 9, 9, 0, 9, 0, 9, 0]
    assert np.flatnonzero(missing).tolist() == [8]
    _, missing = color_indices([-1.0, 0.0, 2.0], 1.0, 10.0, "log", 10)
    assert missing.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (0, 1, "linear"),
        (-3.7, 12.2, "linear"),
        (-1e-7, 3e-7, "linear"),
        (1e6, 1.00001e6, "linear"),
        (-2000, -1999.5, "linear"),
        (0.03, 4e5, "log"),
        (2, 7, "log"),
        (2.1, 2.4, "log"),
        (1e-12, 1e12, "log"),
        (-300, 5000, "symlog"),
        (-0.01, 0.02, "symlog"),
    ],
)
def test_ticks_are_round_few_within_the_range_and_told_apart(low, high, scale):
    values = ticks(low, high, scale)
    assert 2 <= len(values) <= 16
    assert values == sorted(values)
    slack = 1e-9 * max(abs(low), abs(high))
    assert low - slack <= values[0]
    assert values[-1] <= high + slack
    texts = [tick_text(v, values) for v in values]
    assert len(set(texts)) == len(texts)


def test_labels_of_ticks():
    assert [tick_text(v, [-0.5, 0.0, 0.5]) for v in (-0.5, 0.0, 0.5)] == ["−0.5", "0.0", "0.5"]
    assert ticks(0.0, 0.5, count=5) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert ticks(-0.2, 0.2, count=4) == [-0.2, -0.1, 0.0, 0.1, 0.2]
    assert ticks(4.0, 4.0) == [4.0]
    assert [tick_text(v, [0.0, 2.5e5, 5e5]) for v in (0.0, 2.5e5, 5e5)] == ["0", "2.5e5", "5.0e5"]
    assert [tick_text(v, [0.1, 1.0, 1e4]) for v in (0.1, 1.0, 1e4)] == ["0.1", "1", "10000"]


@pytest.fixture
def bar(qtbot):
    widget = ColorBar()
    qtbot.addWidget(widget)
    widget.resize(90, 300)
    return widget


def test_the_bar_shows_its_colours_with_the_high_end_up(bar):
    bar.set_colors(LUT, 0.0, 10.0)
    image = bar.grab().toImage()
    x = ColorBar.GAP + ColorBar.BAR // 2
    for value in (1.0, 5.0, 9.0):
        color = image.pixelColor(x, round(bar.tick_position(value)))
        assert color.red() == pytest.approx(25.6 * value, abs=3)
        assert color.green() == pytest.approx(255 - 25.6 * value, abs=3)
    assert bar.tick_position(10.0) < bar.tick_position(0.0)


def test_what_the_bar_says(bar):
    bar.set_colors(LUT, -1.0, 1.0)
    bar.set_label("Energy of atomization", "eV")
    bar.set_missing(1234)
    assert bar.title == "Energy of atomization (eV)"
    assert bar.missing_text == "1,234 missing"
    assert bar.accessibleName() == "Colour bar: Energy of atomization (eV) from −1 to 1. 1,234 missing"
    wide = bar.sizeHint().width()
    bar.set_missing(0)
    bar.set_label("")
    assert bar.missing_text == ""
    assert bar.sizeHint().width() < wide


def test_wrong_scales_are_refused_and_change_nothing(bar):
    bar.set_colors(LUT, 1.0, 2.0)
    for arguments in ((0.0, 1.0, "log"), (0.0, 1.0, "square"), (0.0, np.inf, "linear"), (np.nan, 1.0, "linear")):
        with pytest.raises(ValueError):
            bar.set_colors(LUT, *arguments)
    assert bar.tick_values()[0] == 1.0


def test_settings_are_asked_for_by_mouse_and_keyboard(bar, qtbot):
    found = []
    bar.settings_requested.connect(lambda: found.append(True))
    QTest.mouseDClick(bar, Qt.MouseButton.LeftButton)
    QTest.keyClick(bar, Qt.Key.Key_Return)
    QTest.keyClick(bar, Qt.Key.Key_A)
    assert len(found) == 2


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_pictures(bar, screenshots, dark, scale):
    low, high = {"linear": (-12.4, 3.1), "log": (0.002, 850.0), "symlog": (-300.0, 5000.0)}[scale]
    bar.set_dark(dark)
    bar.set_colors(LUT, low, high, scale, clipped=(True, True))
    bar.set_label("Isotropic polarizability", "a₀³")
    bar.set_missing(12)
    bar.resize(bar.sizeHint().width(), 320)
    picture = bar.grab()
    assert picture.save(str(screenshots / f"color_bar_{scale}_{'dark' if dark else 'light'}.png"))
    lightness = picture.toImage().pixelColor(2, 2).lightness()
    assert lightness < 60 if dark else lightness > 200
