"""Widths and text sizes of the journals; the specification of a figure."""

import pytest

from qmlstudio.figures.presets import PRESETS, FigureSpec
from qmlstudio.parameters import Parameterised


@pytest.mark.parametrize(
    ("family", "single", "one_half", "double"),
    [
        ("default", 8.5, 11.4, 17.5),
        ("acs", 8.25, None, 17.8),
        ("aip", 8.5, None, 17.0),
        ("rsc", 8.3, None, 17.1),
        ("nature", 8.8, None, 18.0),
        ("aps", 8.6, None, 17.8),
    ],
)
def test_widths_are_the_journals(family: str, single: float, one_half: float | None, double: float) -> None:
    assert FigureSpec(family=family).width_cm == single
    assert FigureSpec(family=family, column="double").width_cm == double
    if one_half is None:
        with pytest.raises(ValueError, match=r"no 1\.5-column width"):
            FigureSpec(family=family, column="one_half")
        assert FigureSpec(family=family, column="one_half", width=12.0).width_cm == 12.0
    else:
        assert FigureSpec(family=family, column="one_half").width_cm == one_half


def test_text_is_as_large_as_the_journals_want() -> None:
    least = {"default": 7, "acs": 4.5, "aip": 8, "rsc": 7, "nature": 5, "aps": 8}
    most = {"default": 8, "nature": 7, "rsc": 7}
    assert set(least) == set(PRESETS)
    for family, preset in PRESETS.items():
        assert preset.small >= least[family]
        assert preset.text <= most.get(family, 12)
    assert PRESETS["acs"].dpi == 300
    assert PRESETS["acs"].line_dpi == 1200
    # 2 mm capitals
    assert PRESETS["aps"].small * 0.73 / 72 * 25.4 >= 2.0


def test_explicit_values_override_the_journal() -> None:
    spec = FigureSpec(family="nature", width=10.0, height=4.0, dpi=150, font_size=10.0)
    assert spec.size_inches == pytest.approx((10 / 2.54, 4 / 2.54))
    assert (spec.raster_dpi, spec.text_size, spec.small_size) == (150, 10.0, 9.0)
    assert spec.layer_dpi == 600


def test_height_follows_the_shape() -> None:
    assert FigureSpec(aspect=0.5).height_cm == pytest.approx(4.25)


def test_spec_is_a_parameterised_object() -> None:
    spec = FigureSpec(family="acs", column="double", format="svg")
    assert isinstance(spec, Parameterised)
    assert FigureSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="width"):
        FigureSpec(width=0.1)
