"""Named groups and scaffolds: on molecules whose groups are known, and from geometries as from SMILES."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.chem.substructures import GROUPS, NAMES, SubstructureTable, substructures
from qmlstudio.progress import Cancelled, Progress

# every group once, in a molecule that has it, and one that nearly has it
EXAMPLES = {
    "pyrrole ring": ("c1cc[nH]c1", "C1CCNC1"),
    "furan ring": ("c1ccoc1", "C1CCOC1"),
    "thiophene ring": ("c1ccsc1", "c1cscn1"),
    "imidazole ring": ("c1c[nH]cn1", "c1cn[nH]c1"),
    "pyrazole ring": ("c1cn[nH]c1", "c1c[nH]cn1"),
    "oxazole ring": ("c1cocn1", "c1conc1"),
    "isoxazole ring": ("c1conc1", "c1cocn1"),
    "thiazole ring": ("c1cscn1", "c1ccsc1"),
    "triazole ring": ("c1nnc[nH]1", "c1nnn[nH]1"),
    "oxadiazole ring": ("c1nnco1", "c1cocn1"),
    "tetrazole ring": ("c1nnn[nH]1", "c1nnc[nH]1"),
    "benzene ring": ("Cc1ccccc1", "c1ccncc1"),
    "pyridine ring": ("c1ccncc1", "c1ccccc1"),
    "pyrimidine ring": ("c1cncnc1", "c1cnccn1"),
    "pyrazine ring": ("c1cnccn1", "c1cncnc1"),
    "pyridazine ring": ("c1ccnnc1", "c1cncnc1"),
    "triazine ring": ("c1ncncn1", "c1cncnc1"),
    "aromatic ring": ("c1ccoc1", "C1CCOC1"),
    "ring of 3 atoms": ("C1CC1", "C1CCC1"),
    "ring of 4 atoms": ("C1CCC1", "C1CC1"),
    "ring of 5 atoms": ("C1CCCC1", "C1CCC1"),
    "ring of 6 atoms": ("C1CCCCC1", "C1CCCC1"),
    "ring of 7 atoms or more": ("C1CCCCCC1", "C1CCCCC1"),
    "fused or bridged rings": ("C1CC2CCC12", "C1CC1C1CC1"),
    "spiro atom": ("C1CC12CC2", "C1CC2CCC12"),
    "cyclopropane": ("C1CC1", "C1CO1"),
    "cyclopropene": ("C1=CC1", "C1CC1"),
    "epoxide": ("C1CO1", "C1CCO1"),
    "aziridine": ("C1CN1", "C1CCN1"),
    "diaziridine": ("C1NN1", "C1CN1"),
    "azirine": ("C1C=N1", "C1CN1"),
    "cyclobutane": ("C1CCC1", "C1CCO1"),
    "cyclobutene": ("C1=CCC1", "C1CCC1"),
    "oxetane": ("C1COC1", "C1CO1"),
    "azetidine": ("C1CNC1", "C1CN1"),
    "cyclopentane": ("C1CCCC1", "C1CCOC1"),
    "tetrahydrofuran": ("C1CCOC1", "C1CCCC1"),
    "pyrrolidine": ("C1CCNC1", "c1cc[nH]c1"),
    "C=C double bond": ("C=C", "c1ccccc1"),
    "allene": ("C=C=C", "C=CC=C"),
    "alkyne": ("CC#CC", "CC#N"),
    "terminal alkyne": ("CC#C", "CC#CC"),
    "conjugated diene or enone": ("C=CC=O", "C=CCC=O"),
    "quaternary carbon": ("CC(C)(C)CO", "CC(C)(C)O"),
    "tert-butyl": ("CC(C)(C)O", "CC(C)O"),
    "alcohol": ("CCO", "CC(=O)O"),
    "phenol or enol": ("Oc1ccccc1", "CCO"),
    "ether": ("COC", "CC(=O)OC"),
    "acetal or hemiacetal": ("COCO", "COC"),
    "aldehyde": ("CC=O", "NC=O"),
    "ketone": ("CC(C)=O", "CC=O"),
    "carboxylic acid": ("CC(=O)O", "CC(=O)OC"),
    "ester": ("CC(=O)OC", "CC(=O)O"),
    "lactone": ("O=C1CCO1", "CC(=O)OC"),
    "carbonate or carbamate": ("COC(N)=O", "NC(N)=O"),
    "primary amine": ("CCN", "CNC"),
    "secondary amine": ("CNC", "CN(C)C"),
    "tertiary amine": ("CN(C)C", "CNC"),
    "aniline or enamine": ("Nc1ccccc1", "NCc1ccccc1"),
    "amide": ("NC=O", "NC(N)=O"),
    "lactam": ("O=C1CCN1", "CNC(C)=O"),
    "urea": ("NC(N)=O", "NC=O"),
    "nitrile": ("CC#N", "CC#C"),
    "imine": ("CC=N", "NC=N"),
    "amidine or guanidine": ("NC=N", "CC=N"),
    "imidate": ("COC=N", "CC=N"),
    "oxime": ("CC=NO", "CC=N"),
    "hydrazine or hydrazone": ("NN", "N"),
    "azo": ("CN=NC", "CNNC"),
    "nitro": ("C[N+](=O)[O-]", "CN=O"),
    "zwitterion": ("C[NH2+]CC(=O)[O-]", "C[N+](=O)[O-]"),
    "C–F bond": ("CF", "CCl"),
    "trifluoromethyl": ("FC(F)(F)C", "FC(F)C"),
    "chlorine": ("CCl", "CBr"),
    "bromine": ("CBr", "CI"),
    "iodine": ("CI", "CBr"),
    "thiol": ("CS", "CSC"),
    "thioether": ("CSC", "CS"),
    "sulfoxide or sulfone": ("CS(C)=O", "CSC"),
    "phosphorus": ("CP", "CN"),
    "silicon": ("C[SiH3]", "CC"),
    "boron": ("CB", "CC"),
}


def of_smiles(smiles: list[str]) -> Dataset:
    atoms = Structures.from_lists([[6]] * len(smiles), [np.zeros((1, 3))] * len(smiles))
    return Dataset("some", atoms, {"smiles": Property(np.array(smiles))})


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7").take(slice(0, 400))


def test_every_group_has_an_example() -> None:
    assert set(EXAMPLES) == set(GROUPS)


@pytest.mark.parametrize("name", NAMES)
def test_group(name: str) -> None:
    having, lacking = EXAMPLES[name]
    found = substructures(of_smiles([having, lacking])).find(np.array([0, 1]))
    assert found.groups[:, NAMES.index(name)].tolist() == [True, False]


def test_scaffolds() -> None:
    found = substructures(of_smiles(["CCc1ccccc1", "CCO", "Oc1ccccc1", "C1CC1CC1CC1"])).find(np.arange(4))
    names = [found.scaffold_names[k] if k >= 0 else "" for k in found.scaffolds]
    assert names == ["c1ccccc1", "", "c1ccccc1", "C1CC1CC1CC1"]


def test_what_cannot_be_read_is_left_out() -> None:
    found = substructures(of_smiles(["CCO", "no SMILES", "", "CC"])).find(np.arange(4))
    assert found.rows.tolist() == [0, 3]


def test_geometries_have_the_same_groups_as_their_smiles(qm9: Dataset) -> None:
    rows = np.arange(0, 400, 5)
    bare = replace(qm9, properties={})
    a, b = substructures(qm9).find(rows), substructures(bare).find(rows)
    assert np.array_equal(a.rows, b.rows)
    assert np.array_equal(a.groups, b.groups)
    assert [a.scaffold_names[k] for k in a.scaffolds if k >= 0] == [b.scaffold_names[k] for k in b.scaffolds if k >= 0]


def test_rows_are_looked_at_once(qm9: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    table = SubstructureTable(qm9)
    looked: list[int] = []
    fill = SubstructureTable._fill
    monkeypatch.setattr(SubstructureTable, "_fill", lambda self, row: (looked.append(row), fill(self, row))[1])
    table.find(np.arange(10))
    table.find(np.arange(5, 15))
    assert looked == list(range(15))
    assert substructures(qm9) is substructures(qm9)


def test_crystals_have_no_graphs() -> None:
    cells = np.eye(3)[None] * 5.0
    structures = Structures(np.array([11, 17]), np.array([[0.0, 0, 0], [2.5, 0, 0]]), np.array([0, 2]), cells)
    table = substructures(Dataset("salt", structures))
    assert not table.has_graphs
    assert len(table.find(np.array([0])).rows) == 0


def test_cancel(qm9: Dataset) -> None:
    asked: list[Any] = []

    def cancelled() -> bool:
        asked.append(0)
        return len(asked) > 3

    table = SubstructureTable(qm9)
    with pytest.raises(Cancelled):
        table.find(np.arange(400), Progress(is_cancelled=cancelled))
    assert 0 < np.count_nonzero(table._state) < 400
