from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from qmlstudio.figures.formula import formula_ink, formula_inks
from qmlstudio.representations import REGISTRY
from qmlstudio.widgets.descriptor_help import FORMULA_PIXELS, About, AboutDialog, ink_image, linked
from qmlstudio.widgets.theme import theme


def test_every_representation_has_a_page() -> None:
    for cls in REGISTRY.values():
        about = About.of(cls())
        assert about.title == cls.title
        assert about.help
        assert len(about.parameters) == len(cls.params())
        assert {name for name, _ in about.properties} >= {"unchanged under", "crystals", "gradient"}


def test_every_formula_can_be_rendered() -> None:
    for cls in REGISTRY.values():
        for line in cls.formula:
            ink = formula_ink(line, 16.0)
            assert ink is not None, f"{cls.name}: {line}"
            assert ink.any()


def test_size_of_a_formula_follows_the_screen() -> None:
    one, two = (formula_ink(r"\sum_i Z_i", p) for p in (16.0, 32.0))
    assert one is not None
    assert two is not None
    assert two.shape[1] == pytest.approx(2 * one.shape[1], abs=4)
    assert formula_inks([r"\frac{", "x"], 16.0)[0] is None


def test_ink_takes_the_colour_of_the_theme(qapp: object) -> None:
    image = ink_image(np.array([[0, 255]], dtype=np.uint8), "#1f2328", 2.0)
    assert image.pixelColor(0, 0).alpha() == 0
    assert image.pixelColor(1, 0) == QColor("#1f2328")
    assert image.devicePixelRatio() == 2.0


def test_dois_become_links() -> None:
    text = linked(
        "A & B, J. Chem. 1, 2 (2003), doi:10.1021/ct400195d; C, doi: 10.1103/PhysRevLett.108.058301.", "#000000"
    )
    assert 'href="https://doi.org/10.1021/ct400195d"' in text
    assert 'href="https://doi.org/10.1103/PhysRevLett.108.058301"' in text
    assert "A &amp; B" in text


@pytest.mark.parametrize("dark", [False, True])
def test_dialog(qtbot: QtBot, dark: bool, screenshots: Path) -> None:
    representation = REGISTRY["coulomb_matrix"]()
    dialog = AboutDialog()
    qtbot.addWidget(dialog)
    dialog.set_dark(dark)
    dialog.set_about(About.of(representation))
    dialog.show()
    assert not dialog.isModal()
    assert representation.formula[0] in dialog.browser.toPlainText()
    dialog.set_formulas(formula_inks(representation.formula, FORMULA_PIXELS), 1.0)
    text = dialog.browser.toPlainText()
    assert representation.formula[0] not in text
    assert "Order of atoms" in text
    assert "doi.org" in dialog.browser.toHtml()
    assert dialog.grab().save(str(screenshots / f"about_{'dark' if dark else 'light'}.png"))
    assert theme(dark).foreground
    # other values, same formulas: they stay
    dialog.set_about(About.of(representation.with_values(length_unit="angstrom")))
    assert representation.formula[0] not in dialog.browser.toPlainText()
    dialog.set_about(About.of(REGISTRY["bag_of_bonds"]()))
    assert dialog.windowTitle() == REGISTRY["bag_of_bonds"].title
