"""``qmlstudio doctor`` says what is wrong, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qmlstudio.command_line import run

CLASH = "3\nclash\nO 0 0 0\nH 0 0 0.96\nH 0 0 0.9\n"
WATER = "3\nwater\nO 0 0 0.12\nH 0 0.76 -0.48\nH 0 -0.76 -0.48\n"


def test_errors_are_told_and_set_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.xyz"
    path.write_text(WATER + CLASH)
    assert run(["doctor", str(path), "--no-progress", "--check", "clashes", "--check", "elements"]) == 3
    text = capsys.readouterr().out
    assert "Clashes: 1 error" in text
    assert "H2 and H3 are 0.06 Å apart" in text
    assert "Unknown elements: nothing" in text
    assert run(["doctor", str(path), "--no-progress", "--check", "clashes", "--fraction", "0.05"]) == 0


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.xyz"
    path.write_text(WATER + WATER + CLASH)
    assert run(["doctor", str(path), "--no-progress", "--json"]) == 3
    data = json.loads(capsys.readouterr().out)
    checks = {c["name"]: c for c in data["checks"]}
    assert data["structures"] == 3
    assert not any(c["error"] for c in checks.values())
    (clash,) = checks["clashes"]["findings"]
    assert (clash["structure"], clash["severity"], clash["atoms"]) == (2, "error", [1, 2])
    (twin,) = checks["same_geometry"]["findings"]
    assert (twin["structure"], twin["related"]) == (1, [0])
    assert checks["clashes"]["fraction"] == 0.6
