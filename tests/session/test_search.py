import re
import threading

import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.readers import read_text
from qmlstudio.chem.structures import Structures
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.session.search import Query, examples, read_formula, search


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


def formulas(dataset: Dataset, text: str) -> set[str]:
    found, by = search(dataset, text)
    assert by in ("formula", "")
    return {dataset.structures[int(i)].formula for i in found}


def test_formulas_in_any_order_and_with_ranges(qm9: Dataset) -> None:
    assert formulas(qm9, "NC4H5") == formulas(qm9, "C4H5N") == formulas(qm9, "formula: C4 H5 N") == {"C4H5N"}
    assert formulas(qm9, "C₄H₅N") == {"C4H5N"}
    wanted = formulas(qm9, "formula: C4-5 N>=1 O0 H<6")
    everything = set(qm9.structures.formulas())
    counts = {f: {s: int(k or 1) for s, k in re.findall(r"([A-Z][a-z]?)(\d*)", f)} for f in everything}
    assert wanted == {
        f
        for f, c in counts.items()
        if 4 <= c.get("C", 0) <= 5 and c.get("N", 0) >= 1 and not c.get("O", 0) and c.get("H", 0) < 6
    }
    assert len(wanted) > 2
    assert formulas(qm9, "formula: C6 *") == {f for f, c in counts.items() if c.get("C", 0) == 6}
    assert formulas(qm9, "formula: F+") == {f for f in everything if "F" in f}
    assert formulas(qm9, "formula: Cl0 C7 N+") == {f for f, c in counts.items() if c.get("C") == 7 and "N" in c}
    assert formulas(qm9, "formula: Cl") == set()


@pytest.mark.parametrize("text", ["formula: Xy2", "formula: C4-6 Q>1", "formula: 4C"])
def test_bad_formulas_are_said(qm9: Dataset, text: str) -> None:
    with pytest.raises(ValueError, match="is no element"):
        search(qm9, text)


def test_reading_formulas() -> None:
    assert read_formula("C2H6C") == ({6: (3, 3), 1: (6, 6)}, True)
    bounds, whole = read_formula("C4 - 6 N > 1 N<4 O=2")
    assert (bounds, whole) == ({6: (4, 6), 7: (2, 3), 8: (2, 2)}, False)


def test_identifiers(qm9: Dataset) -> None:
    def names(text: str) -> list[str]:
        return [str(qm9.identifiers[i]) for i in search(qm9, text)[0]]

    assert names("GDB 21") == ["gdb 21"]
    assert names("id: gdb 2?") == [str(t) for t in qm9.identifiers if re.fullmatch(r"gdb 2\d", str(t))]
    assert names("id:*99") == [str(t) for t in qm9.identifiers if str(t).endswith("99")]
    assert names("id:db 39") == [str(t) for t in qm9.identifiers if "db 39" in str(t)]
    odd = Dataset("odd", qm9.structures.take(slice(0, 2)), {}, np.array(["a[1]", "b*"]))
    assert search(odd, "id: [1]")[0].tolist() == [0]
    assert search(odd, "b*")[0].tolist() == [1]


def test_smiles_with_stereo_as_written() -> None:
    data = read_text("C[C@H](N)O\nC[C@@H](N)O\nCC(N)O\nF/C=C/F\nF/C=C\\F\n[13CH4]\nC")
    assert search(data, "smiles: OC(N)C")[0].tolist() == [0, 1, 2]
    assert search(data, "N[C@@H](C)O")[0].tolist() == [0]
    assert search(data, "smiles: F/C=C/F")[0].tolist() == [3]
    assert search(data, "smiles: FC=CF")[0].tolist() == [3, 4]
    assert search(data, "smiles: [13CH4]")[0].tolist() == [5]
    with pytest.raises(ValueError, match="is no SMILES"):
        search(data, "smiles: C1CC")


def test_sets_without_smiles(qm9: Dataset) -> None:
    bare = Dataset("bare", qm9.structures, {}, qm9.identifiers)
    found, by = search(bare, "c1cc[nH]c1")
    assert by == "SMILES"
    assert found.tolist() == search(qm9, "c1cc[nH]c1")[0].tolist()
    with pytest.raises(ValueError, match="no SMILES"):
        search(bare, "smarts: C")


def test_nothing_to_search_in() -> None:
    empty = Dataset("empty", Structures.from_lists([], []))
    for text in ("a", "C4", "id: *", "smiles: C", "formula: C+", "smarts: C"):
        assert len(search(empty, text)[0]) == 0
    examples(empty)
    assert Query.of("SMARTS : [OH]") == Query("smarts", "[OH]")
    assert Query.of("C:C") == Query("auto", "C:C"), "an aromatic bond is no prefix"


def test_results_come_as_they_are_found_and_can_be_cancelled(qm9: Dataset) -> None:
    n = 20_000
    many = Dataset("many", qm9.structures.take(np.zeros(n, int)), {}, np.array([f"name {i}" for i in range(n)]))
    parts: list[np.ndarray] = []
    found, _ = search(many, "id: 9", Progress(partial=parts.append))
    assert [i for i in range(n) if "9" in str(i)] == found.tolist()
    assert len(parts[0]) < len(found) or len(parts) == 1
    assert parts[-1].tolist() == found.tolist()
    parts.clear()
    fresh = Dataset("fresh", qm9.structures, dict(qm9.properties), qm9.identifiers)
    first, _ = search(fresh, "smarts: [OX2H]", Progress(partial=parts.append))
    assert len(parts) > 1
    assert len(parts[0]) < len(first)
    again, _ = search(fresh, "smarts: [OX2H]")
    assert first.tolist() == again.tolist() == parts[-1].tolist(), "read molecules are searched in another way"
    stop = threading.Event()
    stop.set()
    for text in ("id: 9", "formula: C4-6", "smiles: CCO", "smarts: CC", "name"):
        with pytest.raises(Cancelled):
            search(qm9, text, Progress(is_cancelled=stop.is_set))
