"""The catalogue in the window: searched, fetched beside everything else, opened; and nothing fetched unasked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.pipeline import Pipeline
from qmlstudio.chem.catalogue import download, storage
from qmlstudio.chem.catalogue.download import OfflineError
from qmlstudio.chem.catalogue.entries import ENTRIES, entry
from qmlstudio.chem.catalogue.model import RemoteFile
from qmlstudio.chem.catalogue.records import Record, part_path, write_record
from qmlstudio.chem.errors import Problem
from qmlstudio.progress import Progress
from qmlstudio.shell import warm_up
from qmlstudio.shell.catalogue_dialog import CatalogueDialog
from qmlstudio.widgets.catalogue_table import CONFORMATIONS, SIZE, STATE, TITLE

Fake = Callable[[RemoteFile, Path, Progress], bytes]


class Network:
    """What takes the place of downloads."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: BaseException | None = None

    def __call__(self, file: RemoteFile, folder: Path, progress: Progress, patience: object) -> Path:
        self.asked.append(file.name)
        path = folder / file.name
        folder.mkdir(parents=True, exist_ok=True)
        part_path(path).write_bytes(b"half")
        progress(0.5, f"{file.name}: half of it")
        while not self.go_on.wait(0.01):
            progress.check()
        if self.error is not None:
            raise self.error
        size = file.size or 4
        with part_path(path).open("wb") as stream:
            stream.truncate(size)
        part_path(path).rename(path)
        write_record(path, Record(file.url, size, "0" * 64, "", 0.0))
        progress(1.0, file.name)
        return path


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(download, "download", made)
    return made


@pytest.fixture
def opened() -> list[list[str]]:
    return []


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path, network: Network, opened: list[list[str]]) -> Iterator[CatalogueDialog]:
    runner = JobRunner()

    def open_paths(paths: Sequence[str]) -> None:
        opened.append(list(paths))

    dialog = CatalogueDialog(runner, open_paths, None, tmp_path / "sets")
    qtbot.addWidget(dialog)
    dialog.present()
    assert runner.wait_idle(30)
    yield dialog
    network.go_on.set()
    runner.shutdown()


def cell(dialog: CatalogueDialog, name: str, column: int) -> str:
    row = [e.name for e in ENTRIES].index(name)
    model = dialog.table.catalogue
    return str(model.data(model.index(row, column)))


def press(button: QPushButton) -> None:
    assert button.isEnabled(), button.text()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_what_it_shows(dialog: CatalogueDialog, screenshots: Path) -> None:
    assert dialog.table.shown == list(ENTRIES)
    assert cell(dialog, "qm9", TITLE) == "QM9"
    assert cell(dialog, "qm9", STATE) == "○ not here"
    assert cell(dialog, "qm9", SIZE) == "86.6 MB"
    assert cell(dialog, "qm9_7", STATE) == "■ built in"
    assert cell(dialog, "oe62", STATE) == "↗ elsewhere"
    dialog.table.go_to("qm9")
    text = dialog.details.toPlainText().replace("\u200b", "")
    for part in ("133,885", "CC0 1.0", "B3LYP", "10.1038/sdata.2014.22", "MD5 ad1ebd51ee7f5b3a6e32e974e5d54012", "Ha"):
        assert part in text
    assert dialog.get.text() == "&Get (86.6 MB)"
    assert dialog.get.isEnabled()
    assert not dialog.open_it.isEnabled()
    assert not dialog.cancel.isEnabled()
    dialog.table.go_to("oe62")
    assert not dialog.get.isEnabled()
    for dark in (False, True):
        dialog.set_dark(dark)
        dialog.grab().save(str(screenshots / f"catalogue-{'dark' if dark else 'light'}.png"))
    for e in ENTRIES:  # every one can be shown
        dialog.table.go_to(e.name)
        assert dialog.table.current is e
        assert e.title in dialog.details.toPlainText()


def test_keyboard(dialog: CatalogueDialog, opened: list[list[str]]) -> None:
    QTest.keyClicks(dialog.line, "ethanol")
    assert [e.name for e in dialog.table.shown] == [
        "ethanol_500k",
        "md17-ethanol",
        "md17-ethanol-ccsdt",
        "rmd17-ethanol",
    ]
    QTest.keyClick(dialog.line, Qt.Key.Key_Down)
    assert dialog.table.current is entry("md17-ethanol")
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert opened == []
    assert "is not here" in dialog.status.text()
    QTest.keyClick(dialog.line, Qt.Key.Key_Up)
    QTest.keyClick(dialog.line, Qt.Key.Key_Return)
    assert opened == [["builtin:ethanol_500K"]]
    assert not dialog.isVisible()
    dialog.present()
    assert dialog.line.selectedText() == "ethanol"
    QTest.keyClicks(dialog.line, "xyzzy")
    assert dialog.table.shown == []
    assert "Nothing fits" in dialog.details.toPlainText()
    assert not any(b.isEnabled() for b in (dialog.get, dialog.open_it, dialog.folder, dialog.bibtex, dialog.cancel))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_sorting_by_numbers(dialog: CatalogueDialog) -> None:
    dialog.table.sortByColumn(CONFORMATIONS, Qt.SortOrder.AscendingOrder)
    known = [e.conformations for e in dialog.table.shown if e.conformations is not None]
    assert known == sorted(known)
    assert all(e.conformations is None for e in dialog.table.shown[len(known) :])
    dialog.table.sortByColumn(SIZE, Qt.SortOrder.DescendingOrder)
    sizes = [e.expected for e in dialog.table.shown if e.expected is not None]
    assert sizes == sorted(sizes, reverse=True)


def test_get_then_open(dialog: CatalogueDialog, network: Network, opened: list[list[str]], tmp_path: Path) -> None:
    assert network.asked == []
    dialog.table.go_to("rmd17-ethanol")
    press(dialog.get)
    assert dialog._runner.wait_idle(30)
    assert network.asked == ["rmd17_ethanol.npz"]
    assert "is here" in dialog.status.text()
    assert cell(dialog, "rmd17-ethanol", STATE) == "● here"
    assert not dialog.get.isEnabled()
    assert "SHA-256 of the first download" in dialog.details.toPlainText()
    press(dialog.open_it)
    assert opened == [[str(tmp_path / "sets" / "rmd17-ethanol" / "rmd17_ethanol.npz")]]


def test_several_in_a_row_beside_other_work(dialog: CatalogueDialog, network: Network, qtbot: QtBot) -> None:
    network.go_on.clear()
    for name in ("rmd17-ethanol", "rmd17-uracil"):
        dialog.table.go_to(name)
        press(dialog.get)
        assert not dialog.get.isEnabled()
    qtbot.waitUntil(lambda: cell(dialog, "rmd17-ethanol", STATE) == "↓ 50 %", timeout=20_000)
    assert cell(dialog, "rmd17-uracil", STATE) == "waiting …"
    assert dialog.bar.isVisible()
    assert dialog.bar.value() == 500
    assert dialog.status.text() == "rmd17_ethanol.npz: half of it"
    results: list[int] = []
    for lane in ("batch", "interactive"):
        job = Job(key=lane, slot=lane, title=lane, compute=lambda _: 1, done=results.append, lane=lane)  # type: ignore[arg-type]
        dialog._runner.submit(job)
    qtbot.waitUntil(lambda: results == [1, 1], timeout=20_000)
    dialog.hide()
    network.go_on.set()
    assert dialog._runner.wait_idle(30)
    assert network.asked == ["rmd17_ethanol.npz", "rmd17_uracil.npz"]
    assert {cell(dialog, name, STATE) for name in ("rmd17-ethanol", "rmd17-uracil")} == {"● here"}
    assert dialog.bar.isHidden()


def test_cancel_keeps_the_part(dialog: CatalogueDialog, network: Network, qtbot: QtBot) -> None:
    network.go_on.clear()
    dialog.table.go_to("rmd17-ethanol")
    press(dialog.get)
    qtbot.waitUntil(lambda: cell(dialog, "rmd17-ethanol", STATE) == "↓ 50 %", timeout=20_000)
    press(dialog.cancel)
    assert dialog._runner.wait_idle(30)
    assert "stays for the next time" in dialog.status.text()
    assert cell(dialog, "rmd17-ethanol", STATE) == "◐ in part"
    network.go_on.set()
    press(dialog.get)
    assert dialog._runner.wait_idle(30)
    assert cell(dialog, "rmd17-ethanol", STATE) == "● here"


def test_offline_is_told(dialog: CatalogueDialog, network: Network) -> None:
    network.error = OfflineError(Problem("a", "no connection to figshare.com", "nothing was changed"))
    dialog.table.go_to("qm9")
    press(dialog.get)
    assert dialog._runner.wait_idle(30)
    assert dialog.status.text() == "⚠ a: no connection to figshare.com → nothing was changed"
    assert "⚠ a: no connection to figshare.com" in dialog.details.toPlainText()
    assert dialog.get.isEnabled()
    network.error = None
    press(dialog.get)
    assert dialog._runner.wait_idle(30)
    assert "⚠" not in dialog.details.toPlainText()


def test_citations_and_folder(dialog: CatalogueDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog.table.go_to("qm9")
    press(dialog.bibtex)
    assert QGuiApplication.clipboard().text() == entry("qm9").bibtex
    assert "2 citations copied" in dialog.status.text()
    assert not dialog.folder.isEnabled()
    press(dialog.get)
    assert dialog._runner.wait_idle(30)
    shown: list[Any] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", shown.append)
    press(dialog.folder)
    assert shown[0].toLocalFile() == str(tmp_path / "sets" / "qm9")


def test_nothing_is_fetched_unasked(
    make_window: Any, xyz: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: QtBot
) -> None:
    """Starting, opening a data set and looking into the catalogue reach no network."""
    reached: list[object] = []

    def forbidden(_self: socket.socket, address: object) -> None:
        if not isinstance(address, str):  # a path: the display's own
            reached.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    def unknown(*arguments: object, **_: object) -> None:
        reached.append(arguments)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket.socket, "connect_ex", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv(storage.FOLDER_VARIABLE, str(tmp_path / "sets"))
    monkeypatch.setattr(warm_up, "_steps", lambda first: [])
    monkeypatch.setattr(Pipeline, "advance", lambda self, quiet=False: None)  # a map takes time, and no network
    window = make_window(str(xyz), wait=False)
    qtbot.waitUntil(lambda: window.store.dataset is not None and not window._started, timeout=30_000)
    window.actions_by_id["catalogue"].trigger()
    dialog = window.findChild(CatalogueDialog)
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: dialog.table.catalogue.state("qm8") == "absent", timeout=20_000)
    for e in ENTRIES:
        dialog.table.go_to(e.name)
    window.actions_by_id["catalogue"].trigger()
    assert len(window.findChildren(CatalogueDialog)) == 1
    window.actions_by_id["theme_dark"].trigger()
    assert reached == []
    assert not (tmp_path / "sets").exists()
    dialog.table.go_to("qm8")
    press(dialog.get)
    text = "no connection to deepchemdata.s3-us-west-1.amazonaws.com → nothing was changed"
    qtbot.waitUntil(lambda: text in dialog.status.text(), timeout=20_000)
    assert reached, "what was forbidden is what a download would need"
    assert window.runner.wait_idle(60)
