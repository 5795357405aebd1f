"""Two-dimensional drawings."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from qmlstudio.chem.depict import depiction_svg
from qmlstudio.chem.readers import read_text
from qmlstudio.chem.structures import Structure


def test_size_and_transparency() -> None:
    svg = depiction_svg("CC(=O)O", (200, 150))
    root = ET.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("200px", "150px")
    assert "<rect" not in svg  # no background


def test_dark_drawings_are_light() -> None:
    light, dark = depiction_svg("CCCC"), depiction_svg("CCCC", dark=True)
    assert "#000000" in light
    assert "#000000" not in dark


@pytest.mark.parametrize("smiles", ["CCO", "c1ccccc1O", "C", "[H][H]", "CS(C)(=O)=O", "C[N+](=O)[O-]"])
def test_structure_without_smiles(smiles: str) -> None:
    from rdkit import Chem

    s = read_text(smiles).structures[0]
    svg = depiction_svg(s)
    assert ET.fromstring(svg).tag.endswith("svg")
    if "[H]" not in smiles:
        bonds = Chem.MolFromSmiles(smiles).GetNumBonds()
        drawn = {p.get("class", "").split()[0] for p in ET.fromstring(svg).iter() if "bond-" in p.get("class", "")}
        assert len(drawn) == bonds


def test_complexes_and_metals() -> None:
    assert depiction_svg(read_text("O.O").structures[0])
    metal = Structure(np.array([26, 17, 17], np.uint8), np.array([[0, 0, 0], [2.2, 0, 0], [-2.2, 0, 0.0]]))
    assert depiction_svg(metal)


@pytest.mark.parametrize("smiles", ["", "  ", "not smiles", "C1CC", "C" * 400, "C" * 5000, "Ø"])
def test_nothing_to_draw(smiles: str) -> None:
    assert depiction_svg(smiles) == ""


def test_no_drawing_of_crystals_and_giants() -> None:
    z = np.array([11, 17], np.uint8)
    assert depiction_svg(Structure(z, np.array([[0, 0, 0], [2.8, 0, 0]]), np.eye(3) * 5.6)) == ""
    assert depiction_svg(Structure(np.full(900, 6, np.uint8), np.arange(2700.0).reshape(-1, 3))) == ""
    assert depiction_svg(Structure(z[:0], np.zeros((0, 3)))) == ""


def test_same_drawing_again() -> None:
    assert depiction_svg("CCN", (100, 80)) is depiction_svg("CCN", (100, 80))
