import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.__main__ import main
from qmlstudio.figures import read_recipe

XYZ = "".join(
    f"3\nenergy={-1.0 - 0.1 * i}\nO 0 0 0\nH 0 0 {0.9 + 0.02 * i}\nH 0 0.9 {-0.3 + 0.01 * i}\n" for i in range(20)
)


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    path = tmp_path / "water.xyz"
    path.write_text(XYZ)
    return path


@pytest.mark.parametrize("view", ["map", "structure", "descriptor"])
@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_render(xyz: Path, view: str, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = xyz.with_name(f"{view}.{suffix}")
    code = main(["render", str(xyz), "--view", view, "--out", str(out), "--embedding", "pca", "--family", "acs"])
    assert code == 0
    assert capsys.readouterr().out.strip() == str(out)
    recipe = read_recipe(out)
    assert recipe is not None
    assert recipe["view"] == view


def test_render_takes_parameters(xyz: Path) -> None:
    out = xyz.with_name("a.svg")
    arguments = ["render", str(xyz), "--out", str(out), "--representation", "coulomb_matrix"]
    arguments += [
        "--length-unit",
        "angstrom",
        "--permutation",
        "eigenspectrum",
        "--n-neighbors",
        "5",
        "--min-dist",
        "0.3",
        "--color-by",
        "energy",
    ]
    arguments += ["--palette", "cividis", "--pin", "3", "--structure", "4"]
    assert main(arguments) == 0
    session = read_recipe(out)["session"]  # type: ignore[index]
    assert session["representation"]["length_unit"] == "angstrom"
    assert session["representation"]["permutation"] == "eigenspectrum"
    assert session["embedding"]["n_neighbors"] == 5
    assert session["embedding"]["min_dist"] == 0.3
    assert session["coloring"]["palette"] == "cividis"
    assert session["pins"] == [2]
    assert session["selection"]["active"] == 3


def test_info(xyz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(xyz)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"structures\s+20", text)
    assert re.search(r"elements\s+H O", text)
    assert re.search(r"energy\s+–\s+per structure\s+-2.9 … -1", text)


def test_info_of_a_networks_constants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.params"
    lines = ("TM = 1", "Rcr = 5.2", "Rca = 3.0", "EtaR = [16.0]", "ShfR = [0.9,1.2]", "Zeta = [32.0]")
    path.write_text("\n".join((*lines, "ShfZ = [0.2]", "EtaA = [8.0]", "ShfA = [0.9]", "Atyp = [H,C]")))
    assert main(["info", str(path)]) == 0
    assert re.search(r"Rca\s+3.0", capsys.readouterr().out)


def test_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for word in ("builtin:qm9_7", "builtin:ethanol_500K", "coulomb_matrix", "bag_of_bonds", "umap", "pca", "min_dist"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "nowhere.xyz", "--out", "a.svg"], "nowhere.xyz"),
        (["render", "FILE", "--out", "a.doc"], ".doc"),
        (["render", "FILE", "--out", "a.svg", "--color-by", "nothing"], "energy"),
        (["render", "FILE", "--out", "a.svg", "--structure", "77"], "1 to 20"),
        (["render", "FILE", "--out", "a.svg", "--n-neighbors", "many"], "n_neighbors"),
        (["render", "FILE", "--out", "a.svg", "--n-neighbors", "-3"], "n_neighbors"),
        (["render", "FILE", "--out", "a.svg", "--width", "2000"], "width"),
        (["info", "builtin:nothing"], "qm9_7"),
    ],
)
def test_errors_are_one_line_and_exit_1(
    xyz: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(xyz.parent)
    arguments = [str(xyz) if a == "FILE" else a for a in arguments]
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("qmlstudio: ")
    assert said in error


@pytest.mark.parametrize("arguments", [["render"], ["render", "x", "--view", "cloud", "--out", "y"], ["info"]])
def test_wrong_command_lines_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_partly_bad_file_renders_what_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "partly.xyz"
    path.write_text(XYZ + "3\n\nO 0 0 nan\nH 0 0 1\nH 0 1 0\n")
    assert main(["render", str(path), "--out", str(tmp_path / "a.svg"), "--embedding", "pca"]) == 0
    assert "partly.xyz, line 10" in capsys.readouterr().err


def test_help_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    from qmlstudio.learning.embedding import REGISTRY as EMBEDDINGS
    from qmlstudio.representations import REGISTRY

    with pytest.raises(SystemExit) as end:
        main(["render", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for cls in (*REGISTRY.values(), *EMBEDDINGS.values()):
        for p in cls.params():
            assert f"--{p.name.replace('_', '-')}" in text


def test_no_display_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has sessions without a display")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 1
    assert "no display" in capsys.readouterr().err
    assert main(["demo"]) == 1


def test_session_file_renders_its_own_map(xyz: Path) -> None:
    from qmlstudio.session import document
    from qmlstudio.session.document import Document
    from qmlstudio.session.scripting import compute, open_dataset
    from qmlstudio.session.session import Session

    dataset = open_dataset(str(xyz))
    session = Session().with_dataset(dataset)
    results = compute(session, dataset)
    document.write(Document(session, dataset, results["map"]), xyz.with_suffix(".qmls"))
    out = xyz.with_name("s.svg")
    assert main(["render", str(xyz.with_suffix(".qmls")), "--out", str(out), "--no-progress"]) == 0
    assert out.exists()


def test_runs_as_a_module(xyz: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qmlstudio", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert re.match(r"qmlstudio \d+\.\d+", done.stdout)


def test_features_are_written(xyz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = xyz.with_name("f.npy")
    arguments = ["features", str(xyz), "--out", str(out), "--representation", "coulomb_matrix", "--packed", "false"]
    assert main([*arguments, "--dtype", "float32", "--no-progress"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == [str(out), str(out.with_suffix(".json"))]
    assert "20 × 9" in said.err
    array = np.load(out)
    assert array.shape == (20, 9)
    assert array.dtype == np.float32


def test_features_need_a_npy_name(xyz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", str(xyz), "--out", str(xyz.with_name("f.txt")), "--no-progress"]) == 1
    assert "features are written as .npy files" in capsys.readouterr().err
