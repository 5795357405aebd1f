from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.readers import geometries, open_dataset
from qmlstudio.chem.readers.geometries import Row, seconds
from qmlstudio.progress import Cancelled, Progress

# crowded and bridged ones, a salt, explicit hydrogens, a chain that a drawing folds
SMILES = (
    "C",
    "CCOC(=O)C1=NC(C)=C(CN(C(=O)c2cc(OC)cc(OC)c2)C2CCCCC2)C1C",
    "[H]OC12C3([H])OC1([H])C2([H])OC3([H])[H]",
    "C[N+](C)(C)C.[Cl-]",
    "CC(C)(C)C(C(C)(C)C)C(C)(C)C",
    "C12C3C4C1C5C2C3C45",
    "[H][H]",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.smi"
    file.write_text("\n".join(SMILES) + "\nnot_smiles\n")
    return file


def least_distance(positions: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    return float(apart[np.triu_indices(len(apart), 1)].min())


def test_drawings_have_all_atoms_and_none_in_one_place(path: Path) -> None:
    made, drawn = open_dataset(f"{path}#geometry=3d"), open_dataset(f"{path}#geometry=2d")
    assert made.structures.formulas() == drawn.structures.formulas()
    assert len(drawn) == len(SMILES)
    assert [p.line for p in drawn.problems] == [len(SMILES) + 1]
    assert "flat drawings" in drawn.source.format
    assert all(least_distance(one.positions) > 0.15 for one in drawn.structures)
    assert all(least_distance(one.positions) > 0.7 for one in made.structures)


def test_large_sets_are_drawn_and_say_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ETKDG" in open_dataset(path).source.format
    monkeypatch.setattr(geometries, "MOST_SECONDS", 0.01)
    data = open_dataset(path)
    assert "flat drawings" in data.source.format
    notices = [p for p in data.problems if p.is_notice]
    assert len(notices) == 1
    assert "geometry=3d" in notices[0].remedy
    assert "ETKDG" in open_dataset(f"{path}#geometry=3d").source.format


def test_estimate() -> None:
    def of(smiles: str) -> float:
        return seconds([Row(smiles, "", 1)])

    assert of("C" * 8) == pytest.approx(0.0075)
    assert of("CCCC[Cl](Br)CC") > of("CCCC")
    assert of("C" * 200) == geometries.TIMEOUT
    assert of("C" * 4000) == 0.0


def test_cancel_does_not_wait_for_a_molecule(path: Path) -> None:
    asked = [0]

    def cancelled() -> bool:
        asked[0] += 1
        return asked[0] > 8

    with pytest.raises(Cancelled):
        open_dataset(f"{path}#geometry=3d", Progress(is_cancelled=cancelled))
