"""The common part of molecules, and drawings laid over each other on it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rdkit import Chem

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.depict import depiction_svg, drawable
from qmlstudio.chem.scaffold import MOST_MOLECULES, common_scaffold, place
from qmlstudio.progress import Cancelled, Progress

PYRROLES = ["Cc1ccc[nH]1", "CCn1cccc1", "c1cc[nH]c1", "Oc1ccn(C)c1"]


def molecules(smiles: list[str]) -> list[Chem.Mol]:
    return [drawable(s) for s in smiles]


def test_largest_common_part() -> None:
    found = common_scaffold(molecules(PYRROLES))
    assert found is not None
    assert (found.kind, found.atoms, found.found_in, found.compared) == ("mcs", 5, 4, 4)
    assert Chem.CanonSmiles(found.smiles) == Chem.CanonSmiles("c1cc[nH]c1")
    assert found.complete


def test_most_frequent_ring_system_where_not_all_share_one() -> None:
    found = common_scaffold(molecules([*PYRROLES, "C1CC1", "CCO", "C1CC1C"]))
    assert found is not None
    assert (found.kind, found.atoms, found.found_in, found.compared) == ("murcko", 5, 4, 7)


@pytest.mark.parametrize("smiles", [[], ["c1cc[nH]c1"], ["CCO", "CC"], ["C", "N", "c1ccccc1"], ["CCO", "[Na+].[Cl-]"]])
def test_nothing_in_common(smiles: list[str]) -> None:
    assert common_scaffold(molecules(smiles)) is None


def test_unreadable_ones_are_left_out_and_many_are_cut() -> None:
    found = common_scaffold([None, *molecules(PYRROLES * 30)])
    assert found is not None
    assert found.compared == MOST_MOLECULES


def test_drawings_lie_over_each_other() -> None:
    found = common_scaffold(molecules(PYRROLES))
    assert found is not None
    where = []
    for mol in molecules(PYRROLES):
        atoms = place(mol, found)
        assert len(atoms) == 5
        xy = mol.GetConformer().GetPositions()[list(atoms), :2]
        where.append(xy - xy.mean(axis=0))
    spread = np.ptp(np.array(where), axis=0)
    assert spread.max() < 1e-3


def test_a_molecule_without_the_part_is_drawn_as_ever() -> None:
    found = common_scaffold(molecules(PYRROLES))
    assert found is not None
    assert place(drawable("CCO"), found) == ()
    assert depiction_svg("CCO", scaffold=found) == depiction_svg("CCO")


@pytest.mark.parametrize("dark", [False, True])
def test_the_part_is_marked(dark: bool) -> None:
    found = common_scaffold(molecules(PYRROLES))
    assert found is not None
    plain, marked = depiction_svg(PYRROLES[0], dark=dark), depiction_svg(PYRROLES[0], dark=dark, scaffold=found)
    color = "#2B4C70" if dark else "#C6E0FF"
    assert color not in plain.upper()
    assert color in marked.upper()


def test_structures_without_smiles() -> None:
    data = load_builtin("qm9_7")
    assert data.smiles is not None
    pyrrole = Chem.MolFromSmarts("c1cc[nH]c1")
    rings = [i for i, s in enumerate(data.smiles) if drawable(str(s)).HasSubstructMatch(pyrrole)][:6]
    assert len(rings) == 6
    found = common_scaffold([drawable(data.structures[i]) for i in rings])
    assert found is not None
    assert (found.kind, found.found_in) == ("mcs", 6)
    assert "n" in found.smiles
    assert "<svg" in depiction_svg(data.structures[rings[0]], scaffold=found)


HARD = [
    "CC(C)(C)c1cc2c(cc1C3CCCCC3)C4CCC(C)(C)CC4CC2C5CCCC6CCCCC56",
    "CCCCC(C)(C)c1cc2c(cc1C3CCOCC3)C4CCC(C)(C)CC4NC2C5CCNC6CCCOC56CCCCC7CCCC8CCCCC78",
]


def test_a_long_search_ends_with_the_best_so_far() -> None:
    began = time.monotonic()
    found = common_scaffold(molecules(HARD * 3), seconds=0.2)
    assert time.monotonic() - began < 10
    assert found is not None
    assert not found.complete
    assert found.atoms >= 4


def test_the_search_is_cancelled() -> None:
    began = time.monotonic()
    progress = Progress(is_cancelled=lambda: time.monotonic() - began > 0.1)
    with pytest.raises(Cancelled):
        common_scaffold(molecules(HARD * 3), seconds=20.0, progress=progress)
