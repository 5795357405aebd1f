import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.search import search


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return load_builtin("qm9_7")


@pytest.mark.parametrize(
    ("text", "how", "name"),
    [("gdb 214", "identifier", "gdb 214"), ("c1ccccc1", "SMILES", "gdb 214"), ("OCC", "SMILES", "gdb 14")],
)
def test_finds_one(qm9: Dataset, text: str, how: str, name: str) -> None:
    found, by = search(qm9, text)
    assert by == how
    assert [str(qm9.identifiers[i]) for i in found] == [name]


def test_finds_a_formula(qm9: Dataset) -> None:
    found, by = search(qm9, "C6H6")
    assert by == "formula"
    assert all(qm9.structures[int(i)].formula == "C6H6" for i in found)
    assert len(found) > 1


def test_finds_a_substructure(qm9: Dataset) -> None:
    found, by = search(qm9, "smarts: c1ccccc1")
    assert by == "SMARTS"
    names = {str(qm9.identifiers[i]) for i in found}
    assert "gdb 214" in names
    assert len(found) < 20


def test_bad_smarts_is_said(qm9: Dataset) -> None:
    with pytest.raises(ValueError, match="is no SMARTS"):
        search(qm9, "smarts:c1cc")
    assert len(search(qm9, "   ")[0]) == 0
    assert len(search(qm9, "xyzzy")[0]) == 0
