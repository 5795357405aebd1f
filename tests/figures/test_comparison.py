"""Pages of a comparison for print, all of them with their numbers, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.__main__ import main
from qmlstudio.chem.builtin import load_builtin
from qmlstudio.figures.comparison import PAGES, comparison_figure, write_comparison
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.representations import REGISTRY
from qmlstudio.session.comparison import (
    Comparison,
    ComparisonSpec,
    Coverage,
    CoverageSpec,
    DataPart,
    comparison,
    coverage,
    measures,
)

SPEC = FigureSpec(column="double")
Made = tuple[Comparison, Coverage]


@pytest.fixture(scope="module")
def made() -> Made:
    qm9, ethanol = load_builtin("qm9_7").take(slice(0, 200)), load_builtin("ethanol_500K").take(slice(0, 100))
    parts = [DataPart("QM9 & others", qm9), DataPart("ethanol", ethanol)]
    result = comparison([measures(p, ComparisonSpec()) for p in parts], ComparisonSpec())
    return result, coverage(parts, REGISTRY["coulomb_matrix"](), CoverageSpec(sample=50))


def test_chosen_pairs_and_logarithmic_heights(made: Made) -> None:
    result, _ = made
    figure = comparison_figure("distances", result, SPEC, names=["O–H"], log=True, smoothing=0.0)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "O–H distance / Å"
    drawn = axes.lines[1].get_ydata()
    counts = result.distances["O–H"].histograms[1].counts
    np.testing.assert_allclose(np.nan_to_num(drawn), counts / counts.sum() / 0.02)


def test_what_is_absent_cannot_be_drawn(made: Made) -> None:
    result, _ = made
    with pytest.raises(ValueError, match="no coverage"):
        comparison_figure("coverage", result, SPEC)
    with pytest.raises(ValueError, match="no page"):
        comparison_figure("colours", result, SPEC)
    with pytest.raises(ValueError, match="anything to draw"):
        comparison_figure("distances", result, SPEC, names=["Xe–Xe"])


def test_every_page_names_sets_and_axes_and_numbers_stand_beside(made: Made, tmp_path: Path) -> None:
    result, covered = made
    folder = write_comparison(result, covered, tmp_path / "out", suffix="svg")
    assert {p.name for p in folder.iterdir()} == {*(f"{p}.svg" for p in PAGES), "comparison.json"}
    words = {
        "sizes": "different molecules",
        "composition": "mean number of atoms",
        "distances": "C–H distance / Å",
        "angles": "angle / °",
        "energies": "energy per atom / eV",
        "forces": "force on an atom / (eV/Å)",
        "coverage": "distance to the nearest structure",
    }
    for page, text in words.items():
        svg = (folder / f"{page}.svg").read_text(encoding="utf-8")
        assert text in svg
        assert "ethanol" in svg
    numbers = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert numbers["coverage"]["outside"][0][1] == covered.outside[0, 1]
    assert numbers["sets"][0]["structures"] == 200


def test_the_command_compares_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name, length in (("near", 0.95), ("far", 1.6)):
        path = tmp_path / f"{name}.xyz"
        path.write_text(
            "".join(f"3\n\nO 0 0 0\nH 0 0 {length + 0.001 * k}\nH 0 {length} {0.02 * k}\n" for k in range(12))
        )
        paths.append(str(path))
    out = tmp_path / "out"
    arguments = ["compare-data", *paths, "--out", str(out), "--format", "svg", "--no-progress"]
    assert main([*arguments, "--representation", "coulomb_matrix", "--name", "A", "--reach", "5"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("A: 1 molecule (")
    assert printed[2].startswith("100 % of far.xyz lie farther from A") or "of far" in printed[2]
    numbers = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert numbers["spec"]["reach"] == 5.0
    assert numbers["distances"]["O–H"]["sets"][0]["total"] == 24
    assert main(["compare-data", paths[0], "--out", str(out)]) == 1
    assert "from 2 to" in capsys.readouterr().err
