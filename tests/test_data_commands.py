"""``qmlstudio data``: what it prints, what it asks, how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from qmlstudio.chem.catalogue import download, storage
from qmlstudio.chem.catalogue.entries import ENTRIES
from qmlstudio.chem.catalogue.model import RemoteFile
from qmlstudio.chem.catalogue.records import Record, write_record
from qmlstudio.command_line import run
from qmlstudio.progress import Progress

CSV = b"smiles,E1-CC2\nC,0.43\nCC,0.4\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(storage.FOLDER_VARIABLE, str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    """Downloads bring :data:`CSV`; the names of the files asked for."""
    asked: list[str] = []

    def fake(file: RemoteFile, folder: Path, progress: Progress, patience: object) -> Path:
        asked.append(file.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(CSV)
        import hashlib

        write_record(folder / file.name, Record(file.url, len(CSV), hashlib.sha256(CSV).hexdigest(), "", 0.0))
        return folder / file.name

    monkeypatch.setattr(download, "download", fake)
    return asked


def ask(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    """Somebody sits there and types; None: nobody does."""
    stream = io.StringIO(answer or "")
    stream.isatty = lambda: answer is not None  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", stream)


def test_list(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ENTRIES) + 6
    assert max(map(len, lines)) < 120
    assert any(line.split()[:2] == ["qm9", "133,885"] and "86.6 MB" in line and "not here" in line for line in lines)
    assert run(["data", "list", "ethanol", "--long"]) == 0
    long = capsys.readouterr().out
    assert "PBE/def2-SVP · licence: CC0 1.0" in long
    assert "licence: not known here" in long
    assert run(["data", "list", "xyzzy"]) == 1
    assert capsys.readouterr().err == "nothing fits\n"


def test_list_for_programs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [e["name"] for e in found] == [e.name for e in ENTRIES]
    qm9 = next(e for e in found if e["name"] == "qm9")
    assert qm9["state"] == "absent"
    assert qm9["files"][0]["checksums"] == [{"algorithm": "md5", "hex": "ad1ebd51ee7f5b3a6e32e974e5d54012"}]
    assert qm9["folder"] == str(root / "qm9")


def test_info(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "QM9"]) == 0
    text = capsys.readouterr().out
    for part in ("licence        CC0 1.0", "catalogue:qm9", "MD5 ad1ebd51ee7f5b3a6e32e974e5d54012", "(of each atom)"):
        assert part in text
    assert run(["data", "info", "qm9", "--bibtex"]) == 0
    assert capsys.readouterr().out.count("@article{") == 2
    assert run(["data", "info", "qm99"]) == 1
    assert "perhaps qm9" in capsys.readouterr().err
    assert run(["data", "info", "pc9"]) == 0
    assert "elsewhere" in capsys.readouterr().out


def test_get_asks_first(
    root: Path, fetched: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(monkeypatch, None)
    assert run(["data", "get", "qm8"]) == 2
    assert "say --yes" in capsys.readouterr().err
    for answer in ("", "n\n", "what\n"):
        ask(monkeypatch, answer)
        assert run(["data", "get", "qm8"]) == 1
        assert "nothing was fetched" in capsys.readouterr().err
    assert fetched == []
    ask(monkeypatch, "y\n")
    assert run(["data", "get", "qm8"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [str(root / "qm8" / "qm8.csv")]
    assert "size unknown into" in shown.err
    assert "licence: not known here: see the home page" in shown.err
    assert "cite: Ramakrishnan" in shown.err
    assert fetched == ["qm8.csv"]


def test_get_into_another_folder_and_open(
    root: Path, fetched: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "get", "qm8", "--yes", "--no-progress", "--to", str(tmp_path / "mine")]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "mine" / "qm8" / "qm8.csv")]
    assert run(["info", "catalogue:qm8"]) == 1
    assert "was not fetched yet" in capsys.readouterr().err
    assert run(["data", "get", "qm8", "--yes", "--no-progress"]) == 0
    capsys.readouterr()
    assert run(["info", "catalogue:qm8"]) == 0
    assert "structures  2" in capsys.readouterr().out


def test_what_needs_no_download_or_has_none(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "get", "qm9_7"]) == 0
    assert "open builtin:qm9_7" in capsys.readouterr().err
    assert run(["data", "get", "oe62", "--yes"]) == 1
    assert "no file that could be fetched" in capsys.readouterr().err


def test_verify(root: Path, fetched: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "verify"]) == 0
    assert capsys.readouterr().err == "no data set was fetched\n"
    assert run(["data", "get", "qm8", "--yes", "--no-progress"]) == 0
    capsys.readouterr()
    assert run(["data", "verify", "--no-progress"]) == 0
    assert "qm8: qm8.csv: SHA-256 as at its first download" in capsys.readouterr().out
    (root / "qm8" / "qm8.csv").write_bytes(CSV[::-1])
    assert run(["data", "verify", "qm8", "--no-progress"]) == 1
    assert "it was changed" in capsys.readouterr().err


def test_where(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "where"]) == 0
    assert run(["data", "where", "qm9"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(root), str(root / "qm9")]


@pytest.mark.parametrize(
    "arguments", [["data"], ["data", "fetch"], ["data", "info"], ["data", "list", "--json", "--long"]]
)
def test_wrong_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    capsys.readouterr()
