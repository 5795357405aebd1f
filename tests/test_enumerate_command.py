"""``qmlstudio enumerate`` from its words to its files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from qmlstudio.__main__ import main


def test_counts_and_a_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.smi.gz"
    words = [
        "enumerate",
        "--n-heavy",
        "3",
        "--elements",
        "C1- O0-1",
        "--workers",
        "1",
        "--no-progress",
        "--out",
        str(out),
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "Small rings that touch" in said
    assert said.splitlines()[-1] == str(out)
    with gzip.open(out, "rt") as file:
        smiles = {line.split("\t")[0] for line in file}
    assert {"C", "CO", "C=O", "C1CO1", "C#CC"} <= smiles
    assert "O" not in smiles
    assert [p.name for p in tmp_path.iterdir()] == ["all.smi.gz"]


def test_geometries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from qmlstudio.chem.readers import open_dataset

    out = tmp_path / "some.extxyz"
    words = ["enumerate", "--n-heavy", "2", "--elements", "C", "--geometry", "yes", "--workers", "1", "--no-progress"]
    assert main([*words, "--out", str(out)]) == 0
    read = open_dataset(str(out))
    assert sorted(s.formula for s in read.structures) == ["C2H2", "C2H4", "C2H6", "CH4"]
    assert "Geometries" in capsys.readouterr().out


def test_filters_and_sample(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enumerate", "--filters"]) == 0
    said = capsys.readouterr().out
    assert "enol" in said
    assert "[O,S;X2;H1]-C=C" in said
    assert main(["enumerate", "--n-heavy", "3", "--sample", "5", "--no-progress"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 5
    assert "about 17" in captured.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--elements", "C Xx"], "Xx"),
        (["--n-heavy", "40"], "above"),
        (["--without", "nonsense"], "no filter nonsense"),
        (["--n-heavy", "1", "--elements", "F2", "--out", "a.extxyz"], "no molecule"),
        (["--n-heavy", "1", "--out", "a.nonsense"], "nonsense"),
    ],
)
def test_errors_are_one_line(words: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = [str(tmp_path / w) if w.startswith("a.") else w for w in words]
    assert main(["enumerate", *words, "--workers", "1", "--no-progress"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert reason in said[-1]
    assert not list(tmp_path.iterdir())
