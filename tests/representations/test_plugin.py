"""The example plug-in, installed as pip would, is found, listed, computed and drawn."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "example_plugin"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with what an installation of the example leaves in site-packages."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    meta = tmp_path / "qmlstudio_inverse_distances-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (meta / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "inverse_distances").symlink_to(EXAMPLE / "inverse_distances")
    return tmp_path


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


def test_it_is_found_by_its_name(installed: Path) -> None:
    code = (
        "import qmlstudio.representations as r, numpy as np\n"
        "from qmlstudio.chem.structures import Structures\n"
        "assert r.load_plugins() == []\n"
        "x = r.from_dict({'name': 'inverse_distances', 'power': 2.0})\n"
        "s = Structures.from_lists([[1, 1, 8]], [[[0, 0, 0], [2, 0, 0], [0, 0.5, 0]]])\n"
        "print(*x.compute(s).array[0], *x.labels(s.species)[:1], sep='|')\n"
        "print(x.layout(s[0], s.species).atoms)\n"
    )
    done = run(installed, "-c", code)
    assert done.returncode == 0, done.stderr
    values, atoms = done.stdout.splitlines()
    assert values.split("|")[3] == "pair 1 / Å^-2"
    np.testing.assert_allclose([float(v) for v in values.split("|")[:3]], [4.0, 0.25, 1 / 4.25])
    assert atoms == "((0, 2), (0, 1), (1, 2))"


def test_the_command_line_knows_it(installed: Path, tmp_path: Path) -> None:
    listed = run(installed, "-m", "qmlstudio", "list")
    assert "inverse_distances" in listed.stdout
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.5\n" * 3)
    out = tmp_path / "f.npy"
    arguments = ["features", str(tmp_path / "h2.xyz"), "--out", str(out), "--representation", "inverse_distances"]
    done = run(installed, "-m", "qmlstudio", *arguments, "--power", "3", "--no-progress")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(out), np.full((3, 1), 8.0))


def test_without_it_nothing_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "qmlstudio", "list")
    assert done.returncode == 0
    assert "inverse_distances" not in done.stdout


def test_a_broken_one_is_told_and_left_out(installed: Path) -> None:
    (installed / "qmlstudio_inverse_distances-1.0.dist-info" / "entry_points.txt").write_text(
        "[qmlstudio.representations]\nnothing = no_such_module:Thing\n"
    )
    done = run(installed, "-m", "qmlstudio", "list")
    assert done.returncode == 0
    assert "plug-in nothing (no_such_module:Thing) could not be loaded" in done.stderr
