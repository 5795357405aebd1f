"""Data → Catalogue of data sets: what there is, what is here, and fetching it beside the window."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import Job, JobHandle, JobRunner
from qmlstudio.chem.catalogue import storage
from qmlstudio.chem.catalogue.entries import ENTRIES
from qmlstudio.chem.catalogue.model import Entry, entry_size_text, size_text
from qmlstudio.chem.catalogue.records import Record, read_record
from qmlstudio.progress import Progress
from qmlstudio.widgets.catalogue_table import CatalogueTable
from qmlstudio.widgets.theme import theme

SLOT, STATES = "download ", "catalogue states"
Known = tuple[dict[str, str], dict[str, Record]]
"""State of each entry by its name; records of its files by "name/file"."""


class CatalogueDialog(QDialog):
    """A table to be searched, what is known of the current data set, and buttons that fetch and open it.

    It stays open beside the window, and is only hidden when closed. Downloads run one after the other in a lane of
    their own, and go on when it is hidden. Nothing is fetched unless “Get” is pressed.

    Parameters
    ----------
    runner : JobRunner
    open_paths : callable (list of str)
        Opens a data set in the window.
    root : Path, optional
        The folder of all data sets; the user's own when not given.
    """

    def __init__(
        self,
        runner: JobRunner,
        open_paths: Callable[[Sequence[str]], object],
        parent: QWidget | None = None,
        root: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._open_paths = open_paths
        self._root = root
        self._records: dict[str, Record] = {}
        self._errors: dict[str, str] = {}
        self._looks = 0
        self._html_shown = ""
        self._entry_shown: Entry | None = None
        self.setWindowTitle(self.tr("Catalogue of data sets"))
        self.setModal(False)
        self._make()
        self._lay_out()
        self._connect()
        self.set_dark(False)
        self.resize(QSize(1300, 720).boundedTo(self.screen().availableSize() * 0.95))
        self.table.set_text("")
        self._show_entry(self.table.current)

    # -- building

    def _make(self) -> None:
        self.line = QLineEdit()
        self.line.setClearButtonEnabled(True)
        self.line.setPlaceholderText(self.tr("Name, element, property, author, year …"))
        self.line.setAccessibleName(self.tr("Search the catalogue"))
        self.line.installEventFilter(self)
        self.table = CatalogueTable()
        self.details = QTextBrowser()
        self.details.setOpenExternalLinks(True)
        self.details.setAccessibleName(self.tr("About the data set"))
        self.status = QLabel()
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName(self.tr("Progress of the download"))
        keep = self.bar.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(keep)
        self.get = self._button(self.tr("&Get"), self.tr("Fetch what is missing of it, and check it"))
        self.cancel = self._button(self.tr("&Cancel"), self.tr("Stop this download; what has come stays for next time"))
        self.open_it = self._button(self.tr("&Open"), self.tr("Open it in the window (Return in the table)"))
        self.folder = self._button(self.tr("Show &folder"), self.tr("The folder with its files"))
        self.bibtex = self._button(self.tr("Copy &BibTeX"), self.tr("What has to be cited, for the clipboard"))
        self.close_it = self._button(self.tr("Close"), self.tr("Downloads go on (Esc)"))

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.table)
        split.addWidget(self.details)
        split.setStretchFactor(0, 5)
        split.setStretchFactor(1, 2)
        split.setChildrenCollapsible(False)
        split.setSizes([985, 300])
        self.table.setMinimumWidth(300)
        self.details.setMinimumWidth(220)
        buttons = QHBoxLayout()
        for button in (self.get, self.cancel, self.open_it, self.folder, self.bibtex):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_it)
        layout = QVBoxLayout(self)
        layout.addWidget(self.line)
        layout.addWidget(split, 1)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        layout.addLayout(buttons)
        self.bar.hide()

    def _connect(self) -> None:
        self.line.textChanged.connect(self.table.set_text)
        self.table.entry_changed.connect(self._show_entry)
        self.table.entry_activated.connect(self._on_table_entry_activated)
        self.get.clicked.connect(self._on_get_clicked)
        self.cancel.clicked.connect(self._on_cancel_clicked)
        self.open_it.clicked.connect(self._on_open_clicked)
        self.folder.clicked.connect(self._on_folder_clicked)
        self.bibtex.clicked.connect(self._on_bibtex_clicked)
        self.close_it.clicked.connect(self.hide)
        self._runner.queued.connect(self._on_runner_queued)
        self._runner.started.connect(self._on_runner_started)
        self._runner.progressed.connect(self._on_runner_progressed)
        self._runner.finished.connect(self._on_runner_finished)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self.status.setStyleSheet(f"color: {theme(dark).muted}")

    def present(self) -> None:
        """Show the dialog with the cursor in its line."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.line.setFocus()
        self.line.selectAll()

    def refresh(self) -> None:
        """Look again at what is here."""
        self._looks += 1  # a look that has begun may miss what came since: it must not pass for this one
        self._runner.submit(
            Job(
                key=f"{STATES} {id(self)} {self._looks}",
                slot=STATES,
                title=self.tr("Look at the data sets"),
                compute=partial(_look, self._root),
                done=self._on_looked,
                lane="interactive",
                conflate=True,
            )
        )

    # -- the person

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # the arrows walk through the table while the cursor stays in the line
        keys = (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp, Qt.Key.Key_Return)
        if (
            watched is self.line
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in keys
        ):
            self.table.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _on_table_entry_activated(self, entry: Entry) -> None:
        if self.open_it.isEnabled():
            self._on_open_clicked()
        else:
            self._say(self.tr("{} is not here: “Get” fetches it.").format(entry.title) if entry.files else entry.note)

    def _on_get_clicked(self) -> None:
        entry = self.table.current
        if entry is None or not entry.files:
            return
        self._errors.pop(entry.name, None)
        self._runner.submit(
            Job(
                key=SLOT + entry.name,
                slot=SLOT + entry.name,
                title=self.tr("Download {}").format(entry.title),
                compute=partial(_get, entry, self._root),
                done=partial(self._on_fetched, entry),
                failed=partial(self._on_failed, entry),
                lane="network",
            )
        )
        self._show_entry(entry)

    def _on_cancel_clicked(self) -> None:
        entry = self.table.current
        if entry is not None:
            self._runner.cancel(SLOT + entry.name)

    def _on_open_clicked(self) -> None:
        entry = self.table.current
        if entry is None:
            return
        if entry.local:
            self._open_paths([entry.local])
        else:
            self._open_paths([str(path) for path in storage.openable(entry, self._root)])
        self.hide()

    def _on_folder_clicked(self) -> None:
        entry = self.table.current
        if entry is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(storage.folder_of(entry, self._root))))

    def _on_bibtex_clicked(self) -> None:
        entry = self.table.current
        if entry is not None:
            QGuiApplication.clipboard().setText(entry.bibtex)
            self._say(self.tr("{} citations copied.").format(len(entry.citations)))

    # -- the jobs

    def _on_looked(self, known: Known) -> None:
        states, self._records = known
        self.table.catalogue.set_states(states)
        self._show_entry(self.table.current)

    def _on_fetched(self, entry: Entry, _paths: list[Path]) -> None:
        text = self.tr("{} is here: “Open” opens it.") if entry.opens else self.tr("{} is here.")
        self._say(text.format(entry.title))

    def _on_failed(self, entry: Entry, error: BaseException, _details: str) -> None:
        self._errors[entry.name] = str(error) or type(error).__name__
        self._say(f"⚠ {self._errors[entry.name]}")

    def _entry_of(self, handle: JobHandle) -> str:
        return handle.slot.removeprefix(SLOT) if handle.slot.startswith(SLOT) else ""

    def _on_runner_queued(self, handle: JobHandle) -> None:
        if name := self._entry_of(handle):
            self.table.catalogue.set_doing(name, self.tr("waiting …"))

    def _on_runner_started(self, handle: JobHandle) -> None:
        if name := self._entry_of(handle):
            self.table.catalogue.set_doing(name, self.tr("↓ 0 %"))
            self._say(handle.title)
            self.bar.setValue(0)
            self.bar.show()

    def _on_runner_progressed(self, handle: JobHandle, fraction: float, message: str, _eta: object) -> None:
        if name := self._entry_of(handle):
            self.table.catalogue.set_doing(name, self.tr("↓ {:.0f} %").format(100 * fraction) if fraction else "↓ …")
            self.bar.setValue(round(1000 * fraction))
            self._say(message)

    def _on_runner_finished(self, handle: JobHandle, state: str) -> None:
        name = self._entry_of(handle)
        if not name:
            return
        self.table.catalogue.set_doing(name, "")
        if not any(h.lane == "network" for h in self._runner.running):
            self.bar.hide()
        if state == "cancelled":
            self._say(self.tr("Stopped. What has come stays for the next time."))
        self.refresh()
        self._show_entry(self.table.current)

    def _unfinished(self, entry: Entry) -> bool:
        return any(h.slot == SLOT + entry.name and not h.is_finished for h in self._runner.jobs())

    # -- showing

    def _say(self, text: str) -> None:
        self.status.setText(text)

    def _show_entry(self, entry: Entry | None) -> None:
        model = self.table.catalogue
        state = model.state(entry.name) if entry is not None else ""
        running = entry is not None and self._unfinished(entry)
        size = entry_size_text(entry) if entry is not None else ""
        self.get.setText(self.tr("&Get ({})").format(size) if size and state != "here" else self.tr("&Get"))
        self.get.setEnabled(state in ("absent", "part") and not running)
        self.cancel.setEnabled(running)
        self.open_it.setEnabled(
            entry is not None and (bool(entry.local) or bool(entry.opens)) and state in ("here", "built in")
        )
        self.folder.setEnabled(entry is not None and bool(entry.files) and state in ("here", "part"))
        self.bibtex.setEnabled(entry is not None and bool(entry.citations))
        html = self._html(entry, state) if entry is not None else f"<p>{self.tr('Nothing fits.')}</p>"
        if html != self._html_shown:
            place = self.details.verticalScrollBar().value() if entry is self._entry_shown else 0
            self.details.setHtml(html)
            self.details.verticalScrollBar().setValue(place)
            self._html_shown, self._entry_shown = html, entry

    def _html(self, entry: Entry, state: str) -> str:
        """All that is known of an entry, for people."""
        parts = [f"<h3>{escape(entry.title)}</h3><p>{escape(entry.description)}</p>"]
        if error := self._errors.get(entry.name):
            parts.append(f"<p><b>⚠ {escape(error)}</b></p>")
        if entry.note:
            parts.append(f"<p><i>{escape(entry.note)}</i></p>")
        unknown = self.tr("not known here: see the home page")
        rows = [
            (self.tr("Short name"), escape(entry.name)),
            (self.tr("Molecules"), _number(entry.molecules)),
            (self.tr("Conformations"), _number(entry.conformations)),
            (self.tr("Elements"), escape(" ".join(entry.elements))),
            (self.tr("Level of theory"), escape(entry.level)),
            (self.tr("Licence"), escape(entry.licence or unknown)),
            (self.tr("Home page"), _link(entry.page)),
            (self.tr("State"), escape(self.table.catalogue.word(state))),
        ]
        if entry.files:
            rows.append((self.tr("Folder"), escape(str(storage.folder_of(entry, self._root)))))
        parts.append(_table(rows))
        if entry.citations:
            cited = "".join(
                f"<p>{escape(str(c).rpartition(', doi:')[0])}, {_link('https://doi.org/' + c.doi, c.doi)}</p>"
                for c in entry.citations
            )
            parts.append(f"<h4>{self.tr('To be cited')}</h4>{cited}")
        if entry.columns:
            columns = [
                (escape(c.name), escape(c.unit or "–"), escape(c.description + self._target(c.target)))
                for c in entry.columns
            ]
            parts.append(f"<h4>{self.tr('Properties and units')}</h4>{_table(columns)}")
        if entry.files:
            parts.append(
                f"<h4>{self.tr('Files')}</h4>" + "".join(self._file_html(entry, i) for i in range(len(entry.files)))
            )
        return "".join(parts)

    def _target(self, target: str) -> str:
        return self.tr(" (of each atom)") if target == "atom" else ""

    def _file_html(self, entry: Entry, index: int) -> str:
        file = entry.files[index]
        lines = [f"<b>{escape(file.name)}</b>, {escape(size_text(file.expected, file.size is not None))}"]
        lines.append(_link(file.url))
        lines += [escape(self.tr("published: {}").format(_broken(str(c)))) for c in file.checksums]
        record = self._records.get(f"{entry.name}/{file.name}")
        if record is not None and not record.verified:
            text = self.tr("SHA-256 of the first download: {}").format(_broken(record.sha256))
            lines.append(escape(text))
        elif not file.checksums:
            lines.append(escape(self.tr("No checksum is published: that of the first download is kept and checked.")))
        return f"<p>{'<br>'.join(lines)}</p>"


def _look(root: Path | None, progress: Progress) -> Known:
    """States and records; reads names, sizes and small files only."""
    states: dict[str, str] = {}
    records: dict[str, Record] = {}
    for entry in ENTRIES:
        progress.check()
        states[entry.name] = storage.state(entry, root)
        for file in entry.files if states[entry.name] in ("here", "part") else ():
            record = read_record(storage.folder_of(entry, root) / file.name)
            if record is not None:
                records[f"{entry.name}/{file.name}"] = record
    return states, records


def _get(entry: Entry, root: Path | None, progress: Progress) -> list[Path]:
    return storage.get(entry, root, progress)


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _link(address: str, text: str = "") -> str:
    return f'<a href="{escape(address)}">{escape(_broken(text or address))}</a>' if address else ""


def _broken(text: str) -> str:
    """With places (of zero width) at which an address, or a long number, may be broken."""
    if "/" in text:
        return re.sub(r"([/?=&_-])(?=[^/])", "\\1\u200b", text)
    return "\u200b".join(text[i : i + 16] for i in range(0, len(text), 16)) if len(text) > 40 else text


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    start, last = "<td style='white-space: nowrap'>", "<td>"
    cells = (
        "".join(f"{last if i == len(row) - 1 else start}{cell}</td>" for i, cell in enumerate(row))
        for row in rows
        if row[-1]
    )
    return f"<table cellpadding='2'>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
