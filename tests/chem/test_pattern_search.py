import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.pattern_search import (
    COMMON_PATTERNS,
    PatternError,
    SubstructureIndex,
    guess_is_smiles,
    pattern_svg,
    read_pattern,
)
from qmlstudio.progress import Cancelled, Progress

SMILES = load_builtin("qm9_7").smiles


@pytest.fixture(scope="module")
def index() -> SubstructureIndex:
    assert SMILES is not None
    return SubstructureIndex.build(SMILES[-500:])


@pytest.mark.parametrize("name", [name for name, _ in COMMON_PATTERNS])
def test_every_pattern_finds_what_a_plain_search_finds(index: SubstructureIndex, name: str) -> None:
    from rdkit import Chem

    assert SMILES is not None
    query = read_pattern(dict(COMMON_PATTERNS)[name], False)
    expected = [Chem.MolFromSmiles(str(s)).HasSubstructMatch(query) for s in SMILES[-500:]]
    assert index.containing(query).tolist() == expected


def test_rows_without_a_molecule() -> None:
    index = SubstructureIndex.build(np.array(["CO", "", "C(", "CC"]))
    assert index.missing == 2
    assert index.known.tolist() == [True, False, False, True]
    assert index.containing(read_pattern("O", False)).tolist() == [True, False, False, False]
    empty = SubstructureIndex.build(np.zeros(0, "U1"))
    assert empty.containing(read_pattern("O", False)).shape == (0,)


def test_building_can_be_cancelled() -> None:
    calls = []

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(Cancelled):
        SubstructureIndex.build(np.full(100_000, "CCO"), Progress(is_cancelled=cancelled))


@pytest.mark.parametrize(
    ("text", "is_smiles"),
    [
        ("C1=CC=CC=C1", True),
        ("CCO", True),
        ("[OH]", False),
        ("[#6]", False),
        ("C~C", False),
        ("cc", False),
        ("C1=CC=C[NH]1", True),
        ("c1cc[nH]c1", False),
        ("[CX3]=O", False),
        ("C(", False),
        ("", False),
    ],
)
def test_how_a_text_is_read(text: str, is_smiles: bool) -> None:
    assert guess_is_smiles(text) is is_smiles


def test_a_kekule_smiles_finds_aromatic_rings() -> None:
    index = SubstructureIndex.build(np.array(["c1ccccc1C", "C1CCCCC1"]))
    assert index.containing(read_pattern("C1=CC=CC=C1", True)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "is_smiles", "message"),
    [
        ("C(", True, "as SMILES"),
        ("[#6,#7]", True, "as a SMARTS it can be"),
        ("C(C)(C)(C)(C)C", True, "valence"),
        ("[#6", False, "as SMARTS"),
        (" ", False, "no pattern"),
        ("C" * 5000, False, "at most"),
    ],
)
def test_what_cannot_be_read(text: str, is_smiles: bool, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        read_pattern(text, is_smiles)


@pytest.mark.parametrize(("text", "is_smiles"), [("[nH]1cccc1", False), ("[!#6;R]~*", False), ("C1=CC=CC=C1", True)])
def test_patterns_are_drawn(text: str, is_smiles: bool) -> None:
    assert "<svg" in pattern_svg(text, is_smiles)
