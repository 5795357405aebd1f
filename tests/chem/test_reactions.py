"""Tables of reactions in SMILES."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.progress import Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "reactions" / "rdb7_9000.csv.gz"
# ethanol loses water: C-O and C-H break, O-H forms; the double bond is no new one
LOSS = (
    "[C:1]([C:2]([O:3][H:9])([H:7])[H:8])([H:4])([H:5])[H:6]>>[C:1](=[C:2]([H:7])[H:8])([H:4])[H:5].[O:3]([H:6])[H:9]"
)


def write(path: Path, *rows: str, heading: str = "reaction_smiles,barrier_kcal,dh [eV]") -> Path:
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def test_reactants_in_the_order_of_their_maps(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", f"{LOSS},60.5,0.4", "CC=O>>C=CO,70,0.5", "CC>O>CCO,1,", "nonsense>>C,2,0", "C,3,0")
    data = open_dataset(path)
    assert data.identifiers.tolist() == ["1", "2", "3"]
    first = data.structures[0]
    assert first.numbers.tolist() == [6, 6, 8, 1, 1, 1, 1, 1, 1]
    for a, b, low, high in ((0, 1, 1.4, 1.6), (1, 2, 1.3, 1.5), (2, 8, 0.9, 1.05), (0, 3, 1.0, 1.2)):
        assert low < np.linalg.norm(first.positions[a] - first.positions[b]) < high
    p = data.properties
    assert p["smiles"].values.tolist() == ["CCO", "CC=O", "CC"]
    assert p["product_smiles"].values.tolist() == ["C=C.O", "C=CO", "CCO"]
    assert p["reaction_smiles"].values[0] == LOSS
    barrier = next(k for k in p if k.startswith("barrier"))
    assert p[barrier].unit == "kcal/mol"
    assert p[barrier].values.tolist() == [60.5, 70.0, 1.0]
    assert p["dh"].unit == "eV"
    assert np.isnan(p["dh"].values[2])
    np.testing.assert_array_equal(p["bonds_broken"].values, [2, np.nan, np.nan])
    np.testing.assert_array_equal(p["bonds_formed"].values, [1, np.nan, np.nan])
    assert [(q.line, q.index) for q in data.problems] == [(5, 3), (6, 4)]
    assert "reactants are not valid" in data.problems[0].message
    assert "not a reaction" in data.problems[1].message


def test_strained_stereochemistry_is_told_of(tmp_path: Path) -> None:
    trans = "C1C[C@H]2[C@@H]1C2>>C"  # two rings fused the impossible way or not: a geometry either way
    data = open_dataset(write(tmp_path / "r.csv", f"{trans},1,1"))
    assert len(data) == 1
    assert np.isfinite(data.structures.positions).all()


def test_several_reactants_stand_side_by_side(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path / "r.csv", "CCCC.OCC.C>>CCCCCO,1,1"))
    (structure,) = data.structures
    assert structure.formula == "C7H20O"
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    apart = np.linalg.norm(structure.positions[:, None] - structure.positions, axis=2)
    assert connected_components(csr_matrix(apart < 1.8))[0] == 3


def test_nothing_of_use(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reactants"):
        open_dataset(write(tmp_path / "r.csv", "Q>>C,1,1", "*>>C,1,1"))
    with pytest.raises(Cancelled):
        open_dataset(write(tmp_path / "r.csv", "C>>C,1,1"), Progress(is_cancelled=lambda: True))


@pytest.mark.skipif(not SHARED.is_file(), reason="needs ../shared/data/reactions")
def test_the_original_file() -> None:
    data = open_dataset(f"{SHARED}#every=300")
    assert len(data) == 30
    assert data.identifiers.tolist()[:2] == ["1", "301"]
    barriers = [k for k in data.properties if k.startswith("barrier")]
    assert len(barriers) == 2
    assert {data.properties[k].unit for k in barriers} == {"kcal/mol"}
    assert data.properties[barriers[0]].values[0] == 82.88917
    assert data.structures[0].formula == "C6H12O"
    assert data.properties["smiles"].values[0] == "CCCC1COC1"
    assert (data.properties["bonds_broken"].values >= 1).all()


def test_mirror_images_are_told_apart(tmp_path: Path) -> None:
    fused = "[O:1]=[C:2]1[C:3]([H:7])([H:8])[C@@:4]2([H:9])[O:5][C@@:6]12[H:10]"
    data = open_dataset(write(tmp_path / "r.csv", f"{fused}>>C,1,1", f"{fused.replace('@@', '@')}>>C,1,1"))
    assert data.problems == ()
    # the signed volume of what surrounds the atom with the map number 4: atoms 3, 5 and 6
    volumes = [float(np.linalg.det(s.positions[[2, 4, 5]] - s.positions[3])) for s in data.structures]
    assert volumes[0] * volumes[1] < 0
