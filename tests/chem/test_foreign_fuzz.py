"""Spoiled files of the text formats: an error that says what is wrong, or what could be read; never anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmlstudio.chem.readers import open_dataset
from tests.chem.fuzzing import FEW, check, spoiled


def _dump() -> bytes:
    text = ""
    for k in range(4):
        text += f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n"
        text += "ITEM: ATOMS id element x y z q\n1 O 1 1 1 -0.8\n2 H 1 1 2.0 0.4\n3 H 1 2 1 0.4\n"
    return text.encode()


def _chemiscope() -> bytes:
    one = {"size": 2, "names": ["C", "O"], "x": [0, 1.1], "y": [0, 0], "z": [0, 0], "cell": [9, 0, 0, 0, 9, 0, 0, 0, 9]}
    properties = {
        "e": {"target": "structure", "values": [1.5, 2.5, None], "units": "eV"},
        "q": {"target": "atom", "values": [[1, 2, 3]] * 6, "parameters": ["c"]},
        "t": {"target": "structure", "values": ["a", "b", "c"]},
    }
    centers = [{"structure": k // 2, "center": k % 2, "cutoff": 3.5} for k in range(6)]
    whole = {"meta": {"name": "x"}, "structures": [one] * 3, "properties": properties, "environments": centers}
    return json.dumps(whole, indent=1).encode()


_PDB = "".join(
    f"MODEL     {k}\n"
    "ATOM      1  C   MOL     1       0.000   0.000   0.000  1.00  0.00           C  \n"
    "ATOM      2  O   MOL     1       1.200   0.000   0.000  1.00  0.00           O  \nENDMDL\n"
    for k in (1, 2)
).encode()

SOURCES: dict[str, bytes] = {
    "a.lammpstrj": _dump(),
    "a.json": _chemiscope(),
    "a.pdb": _PDB,
    "a.smi": b"C methane\nCC\tethane\n# note\nO=C=O 3\n",
    "elpasolites.csv": b"A,B,C,D,zA,zB,zC,zD,formation_energy_eV\nAl,Na,K,F,13,11,19,9,-24.5\nGa,Ge,Pb,Se,1,2,3,4,0\n",
    "reactions.csv": b"reaction_smiles,barrier_kcal\nCC=O>>C=CO,60\nC.O>>CO,70\nC=C>[Pt]>CC,1\n",
}


@pytest.fixture(autouse=True, scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Libraries that are imported by the first file of a kind take time and memory of their own."""
    for name, data in SOURCES.items():
        path = tmp_path_factory.mktemp("first") / name
        path.write_bytes(data)
        open_dataset(path)


@pytest.mark.parametrize("name", SOURCES)
def test_whole_files(name: str, tmp_path: Path) -> None:
    found = check(tmp_path / name, SOURCES[name])
    assert found is not None
    assert len(found) > 1
    assert found.problems == ()


@pytest.mark.parametrize("name", SOURCES)
@given(data=st.data())
@FEW
def test_spoiled_files(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(tmp_path_factory.getbasetemp() / f"spoiled-{name}", data.draw(spoiled(SOURCES[name])))
