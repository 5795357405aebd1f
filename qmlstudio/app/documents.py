"""Opening and saving, in jobs: files, folders, pasted text, sessions, and what a crash left behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from qmlstudio.app.autosave import Autosave, Recovery, discard
from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.pipeline import Pipeline
from qmlstudio.app.preferences import Preferences, state_folder
from qmlstudio.app.store import Store
from qmlstudio.chem.builtin import NAMED
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.errors import DataError
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.progress import Progress
from qmlstudio.session import document as documents
from qmlstudio.session.added import CORRECTED, with_columns
from qmlstudio.session.document import SUFFIX, Document
from qmlstudio.session.joining import added
from qmlstudio.session.scripting import KEEPER, open_dataset, prepared
from qmlstudio.session.session import Session

log = logging.getLogger("qmlstudio.documents")
SLOT = "documents"


@dataclass(frozen=True)
class _Origin:
    """Where a document that is being opened comes from."""

    title: str
    path: str = ""
    is_session: bool = False
    recovery: Recovery | None = None
    is_many: bool = False


class Documents(QObject):
    """What File → Open, Save and Paste do, without any dialog.

    Signals
    -------
    opened(title)
        A data set or session is on screen.
    saved(path)
    failed(message, details)
    notice(text)
        Something that people should know, though it went well.
    path_changed()
        Another session file, or none, is current.
    views_loaded(states)
        What :attr:`collect_views` gave when the session was saved.
    """

    opened = Signal(str)
    saved = Signal(str)
    failed = Signal(str, str)
    notice = Signal(str)
    path_changed = Signal()
    views_loaded = Signal(object)

    def __init__(
        self,
        store: Store,
        runner: JobRunner,
        pipeline: Pipeline,
        preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._pipeline = pipeline
        self._preferences = preferences
        self.path = ""
        self._told = ""
        self.collect_views: Callable[[], dict[str, Any]] = dict
        self.autosave = Autosave(self._snapshot, self._title, self)
        store.changed.connect(self._on_store_changed)

    # -- opening

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open one session, one data file, folder or archive, or several files as one set."""
        if not paths:
            return
        if len(paths) == 1 and paths[0].lower().endswith(SUFFIX):
            self._open(_Origin(Path(paths[0]).name, paths[0], True), partial(documents.read, paths[0]))
        elif len(paths) == 1:
            self._open(_Origin(Path(paths[0]).name, paths[0]), partial(_read_one, paths[0]))
        else:
            self._open(
                _Origin(self.tr("{} files").format(len(paths)), paths[0], is_many=True),
                partial(_read_many, list(paths)),
            )

    def add_paths(self, paths: Sequence[str]) -> None:
        """Put the structures of further files on the map that is there, whose points stay where they are."""
        dataset, result = self._store.dataset, self._store.result("map")
        if dataset is None or not isinstance(result, Coordinates) or not self._store.result_key("map"):
            self.failed.emit(self.tr("There is no finished map yet to put structures on."), "")
            return
        read = partial(_read_many, list(paths)) if len(paths) > 1 else partial(_read_one, paths[0])
        compute = partial(_add, read, self._store.session, dataset, result, self._pipeline.memory_budget)
        title = Path(paths[0]).name
        self._runner.submit(
            Job(
                key=f"add {title} {id(compute)}",
                slot=SLOT,
                title=self.tr("Add {}").format(title),
                compute=compute,
                done=partial(self._on_added, self._store.session),
                failed=partial(self._on_read_failed, _Origin(title, paths[0])),
                lane="batch",
                priority=90,
            )
        )

    def _on_added(self, before: Session, found: tuple[Session, Dataset, Coordinates]) -> None:
        session, dataset, coordinates = found
        if before.dataset != self._store.session.dataset:
            return
        self._show_document(Document(session, dataset, coordinates))
        self._set_path("")
        self.notice.emit(self.tr("{:,} structures added; they are selected.").format(session.selection.count))

    def open_text(self, text: str) -> None:
        """Open pasted xyz or SMILES text."""
        if text.strip():
            self._open(_Origin(self.tr("pasted structures")), partial(_read_text, text))
        else:
            self.failed.emit(self.tr("The clipboard holds no text. Copy xyz or SMILES first."), "")

    def show_dataset(self, dataset: Dataset) -> None:
        """Put a data set on screen that was made here, not read; it has no file yet."""
        self._store.open_dataset(dataset, self._session_for(dataset))
        self._set_path("")
        self.opened.emit(dataset.name)

    def open_recipe(self, session: Session) -> None:
        """Open a session known from elsewhere (a figure's metadata), with the data that it names."""
        title = session.dataset.name
        self._open(_Origin(title, session.dataset.path, True), partial(documents.restore, session))

    def open_last(self) -> None:
        """Open what was on screen when the program ended without its session being saved under a name."""
        if last_session().exists():
            title = self.tr("the last session")
            self._open(_Origin(title, "", True), partial(documents.read, str(last_session())))
        else:
            self.failed.emit(self.tr("There is no unsaved session of last time."), "")

    def keep_last(self) -> None:
        """At the end: what was changed and has no name is kept for :meth:`open_last`."""
        if self.path or self._store.dataset is None or not self._store.is_modified:
            return
        try:
            last_session().parent.mkdir(parents=True, exist_ok=True)
            documents.write(self._document(), last_session())
        except (OSError, DataError) as error:
            log.warning("the session was not kept: %s", error)

    def recover(self, recovery: Recovery) -> None:
        """Open what a killed process left behind; the file is removed once its content is on screen."""
        self._open(
            _Origin(recovery.title or self.tr("recovered session"), str(recovery.path), True, recovery),
            partial(documents.read, str(recovery.path)),
        )

    def _open(self, origin: _Origin, read: Callable[[Progress], Dataset | Document]) -> None:
        # reading and the pipeline share a lane: whoever opens a file does not wait for the map of the old one
        self._pipeline.pause()
        self._runner.submit(
            Job(
                key=f"open {origin.title} {id(read)}",
                slot=SLOT,
                title=self.tr("Open {}").format(origin.title),
                compute=read,
                done=partial(self._on_read, origin),
                failed=partial(self._on_read_failed, origin),
                lane="batch",
                priority=100,
            )
        )

    def _on_read(self, origin: _Origin, result: Dataset | Document) -> None:
        if isinstance(result, Dataset):
            self._store.open_dataset(result, self._session_for(result))
            self._set_path("")
        else:
            self._show_document(result)
            self._set_path(origin.path if origin.path.lower().endswith(SUFFIX) and not origin.recovery else "")
        if origin.path and not origin.recovery and not origin.is_many and not origin.path.startswith(NAMED):
            self._preferences.add_recent_file(origin.path)
        if origin.recovery is not None:
            # the new autosave is on disk before the old one goes: a crash in between loses nothing
            self.autosave.touch()
            self.autosave.flush()
            discard(origin.recovery)
        elif origin.path:
            self._store.mark_saved()
            self.autosave.clear()
        self.opened.emit(origin.title if origin.is_session else self._store.session.dataset.name)
        if isinstance(result, Document) and result.notice:
            self.notice.emit(result.notice)
        if KEEPER.trouble and KEEPER.trouble != self._told:
            self._told = KEEPER.trouble
            self.notice.emit(self._told)
        dataset = self._store.dataset
        if dataset is not None and dataset.problems:
            wrong = [p for p in dataset.problems if not p.is_notice]
            if wrong:
                text = self.tr("{:,} structures opened; {:,} could not be used. First: {}")
                self.notice.emit(text.format(len(dataset), len(wrong), wrong[0]))
            else:
                self.notice.emit(self.tr("{:,} structures opened. {}").format(len(dataset), dataset.problems[0]))

    def _session_for(self, dataset: Dataset) -> Session:
        """The present methods for another data set, with the units that were corrected when it was open before."""
        session = self._store.session.with_dataset(dataset)
        units = self._preferences.unit_corrections(dataset.fingerprint)
        columns = {
            name: replace(dataset.properties[name], unit=unit)
            for name, unit in units.items()
            if name in dataset.properties
        }
        return replace(session, added=with_columns((), columns, CORRECTED)) if columns else session

    def _show_document(self, document: Document) -> None:
        if document.dataset is None:
            self.failed.emit(self.tr("This session has no data set."), "")
            return
        # the known map goes into the cache before anybody asks for it
        self._pipeline.enabled = False
        self._store.open_dataset(document.dataset, document.session)
        if document.coordinates is not None:
            self._pipeline.seed("map", document.coordinates)
            for name, value in document.others.items():
                self._pipeline.seed(name, value)
        self._pipeline.enabled = True
        self._pipeline.advance()
        self.views_loaded.emit(document.views)

    def _on_read_failed(self, origin: _Origin, error: BaseException, details: str) -> None:
        from qmlstudio.chem.readers import file_of

        if origin.path and not file_of(origin.path).exists():
            self._preferences.remove_recent_file(origin.path)
        self.failed.emit(str(error) or type(error).__name__, details)
        self._pipeline.advance()

    # -- saving

    def save(self, path: str = "", wait: bool = False) -> None:
        """Save the session, under its own name unless another is given.

        Parameters
        ----------
        wait : bool
            Return when it is on disk (when the window is about to close).
        """
        goal = path or self.path
        if goal and not goal.lower().endswith(SUFFIX):
            goal += SUFFIX
        document = self._document()
        session = self._store.session
        if wait:
            try:
                documents.write(document, goal)
            except Exception as error:
                self.failed.emit(str(error), "")
                return
            self._on_written(goal, session, None)
            return
        self._runner.submit(
            Job(
                key=f"save {goal} {id(document)}",
                slot="save",
                title=self.tr("Save {}").format(Path(goal).name),
                compute=partial(_write, document, goal),
                done=partial(self._on_written, goal, session),
                failed=self._on_write_failed,
                lane="interactive",
                priority=50,
            )
        )

    def _on_written(self, path: str, session: Session, _result: None) -> None:
        if session is self._store.session:
            self._store.mark_saved()
            self.autosave.clear()
        if session.dataset == self._store.session.dataset:  # else another set was opened meanwhile: not its name
            self._set_path(path)
        self._preferences.add_recent_file(path)
        self.saved.emit(path)

    def _on_write_failed(self, error: BaseException, details: str) -> None:
        self.failed.emit(str(error), details)

    # -- inside

    def _document(self) -> Document:
        result = self._store.result("map")
        known = result if isinstance(result, Coordinates) and self._store.result_key("map") else None
        others = self._pipeline.known() if known is not None else {}
        return Document(self._store.session, self._store.dataset, known, views=self.collect_views(), others=others)

    def _snapshot(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return documents.to_storage(self._document())

    def _title(self) -> str:
        return Path(self.path).name if self.path else self._store.session.dataset.name

    def _set_path(self, path: str) -> None:
        self.path = path
        self.path_changed.emit()

    def _on_store_changed(self, _names: frozenset[str]) -> None:
        if self._store.dataset is not None and self._store.is_modified:
            self.autosave.touch()


def last_session() -> Path:
    """Where an unnamed session is kept between two starts."""
    return state_folder() / f"last{SUFFIX}"


def _read_one(path: str, progress: Progress) -> Dataset:
    return open_dataset(path, progress)


def _read_many(paths: list[str], progress: Progress) -> Dataset:
    return open_dataset("\n".join(paths), progress)


def _add(
    read: Callable[[Progress], Dataset],
    session: Session,
    dataset: Dataset,
    coordinates: Coordinates,
    budget: int | None,
    progress: Progress,
) -> tuple[Session, Dataset, Coordinates]:
    more = read(progress.part(0.0, 0.3))
    new, both, places = added(session, dataset, more, coordinates, budget, progress.part(0.3, 1.0))
    _ = both.fingerprint, both.structures.species  # not in the window's thread
    return new, both, places


def _read_text(text: str, progress: Progress) -> Dataset:
    from qmlstudio.chem.readers import read_text

    return prepared(read_text(text, progress=progress))


def _write(document: Document, path: str, progress: Progress) -> None:
    progress.check()
    documents.write(document, path)
