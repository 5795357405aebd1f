import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import Structures
from qmlstudio.session.columns import Columns
from qmlstudio.session.completion import complete

X = np.array([0.1, 0.2, np.nan, -1.0, np.inf, 3.0])
Y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
NAMES = np.array(["CH4", "C4H5N", "", "C4H5N", "N2", "CO"])


@pytest.fixture(scope="module")
def columns() -> Columns:
    structures = Structures(
        np.array([6, 1, 7, 7, 1, 8, 1, 1, 6, 6], np.uint8), np.zeros((10, 3)), [0, 2, 3, 4, 6, 8, 10]
    )
    properties = {
        "x": Property(X, unit="Ha"),
        "y": Property(Y),
        "formula": Property(NAMES),
        "odd name (a)": Property(Y * 2, unit="eV"),
        "min": Property(Y),
        "in": Property(Y),
    }
    return Columns(Dataset("six", structures, properties))


def offered(text: str, columns: Columns, cursor: int | None = None) -> list[str]:
    return [c.text for c in complete(text, len(text) if cursor is None else cursor, columns)]


def test_completion_knows_what_may_come(columns: Columns) -> None:
    assert offered("", columns)[:2] == ["x", "y"]
    assert offered("form", columns) == ["formula"]
    assert "`odd name (a)`" in offered("odd", columns)
    assert "sqrt(" in offered("sq", columns)
    assert offered("x ", columns)[0] == "< "
    assert offered("x", columns) == ["exp(", "max("]
    assert "and " in offered("x < 1 ", columns)
    assert offered("formula ", columns)[:2] == ["== ", "!= "]
    assert '"C4H5N"' in offered("formula == ", columns)
    assert offered('formula == "N', columns)[0] == '"N2"'
    assert offered('formula in ["CO", "N', columns)[0] == '"N2"'
    assert offered("x is ", columns) == ["missing", "not missing"]
    assert offered("x # ", columns) == []


def test_a_completion_replaces_the_word_under_the_cursor(columns: Columns) -> None:
    text = "x < 1 and formu < 2"
    candidate = complete(text, 13, columns)[0]
    assert (candidate.text, candidate.start, candidate.end) == ("formula", 10, 15)
    assert complete("y", 0, columns)[0].end == 0
    assert next(c for c in complete("", 0, columns) if c.text == "x").detail == "Ha"
