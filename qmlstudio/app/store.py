"""The one mutable place: current session, its history, the data sets, the latest results."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.session.added import with_columns, without_columns
from qmlstudio.session.atom_values import AtomValues
from qmlstudio.session.columns import Columns
from qmlstudio.session.map_spec import MapSpec
from qmlstudio.session.selection import Selection
from qmlstudio.session.session import Session

MERGE_SECONDS = 1.0
HISTORY = 200
MAX_PINS = 16
_MERGED = frozenset(
    {"representation", "embedding", "coloring", "map_view", "maps", "filters", "clustering", "structure_look", "active"}
)
Line = tuple[int, int, str] | tuple[int, int, str, float]
Links = tuple[Line, ...]
"""Lines between points of the map: from, to, kind ("feature", "map", "false", "path", "raises", "lowers"), and for some
kinds a weight from 0 to 1."""


@dataclass(frozen=True)
class _Step:
    """A session to return to, and what was changed when it was left."""

    session: Session
    names: frozenset[str]
    text: str


class Store(QObject):
    """Current :class:`Session` and everything that hangs on it. Views ask it and tell it; they never ask each other.

    Signals
    -------
    changed(names)
        Frozen set of the session's fields that differ from before.
    results_changed(name)
        "features", "neighbors", "map", "quality", "filter", "clusters" … was published or moved on; ":1" after the name
        means the second map's.
    columns_changed(names)
        Derived columns came, changed or went.
    links_changed(links)
        Other lines are to be drawn on the map.
    atom_values_changed()
        Another structure's atoms, or none, are to be painted by numbers.
    hovered(index)
        Structure under the cursor somewhere; -1 for none.
    atoms_hovered(atoms), picked_changed(atoms)
        Atoms of the active structure lit by one panel, picked in another.
    failed(name, message, details)
        A result could not be computed.
    history_changed()
        Undo and redo texts differ.
    """

    changed = Signal(object)
    results_changed = Signal(str)
    hovered = Signal(int)
    atoms_hovered = Signal(object)
    picked_changed = Signal(object)
    failed = Signal(str, str, str)
    history_changed = Signal()
    columns_changed = Signal(object)
    links_changed = Signal(object)
    atom_values_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = Session()
        self._datasets: dict[str, Dataset] = {}
        self._undo: deque[_Step] = deque(maxlen=HISTORY)
        self._redo: list[_Step] = []
        self._last_edit = (0.0, frozenset[str]())
        self._results: dict[str, tuple[str, Any]] = {}
        self._errors: dict[str, str] = {}
        self._picked: tuple[int, ...] = ()
        self._derived: dict[str, Property] = {}
        self._columns: Columns | None = None
        self._links: Links = ()
        self._links_of: dict[str, Links] = {}
        self._atom_values: tuple[int, AtomValues] | None = None
        self._saved: Session = self._session

    # -- what there is

    @property
    def session(self) -> Session:
        """The current session."""
        return self._session

    @property
    def dataset(self) -> Dataset | None:
        """The data set that the session is about; None before one was opened."""
        return self._datasets.get(self._session.dataset.fingerprint)

    @property
    def columns(self) -> Columns | None:
        """All columns of the data set, derived ones included; None before a set was opened."""
        dataset = self.dataset
        if dataset is None:
            return None
        if self._columns is None or self._columns.dataset is not dataset:
            self._columns = Columns(dataset, self._derived, self._session.added)
        return self._columns

    @property
    def links(self) -> Links:
        """Lines that the map shows."""
        return self._links

    @property
    def active(self) -> int | None:
        """The structure that the panels show."""
        return self._session.selection.active

    @property
    def picked(self) -> tuple[int, ...]:
        """Picked atoms of the active structure, in the order of picking."""
        return self._picked

    @property
    def is_modified(self) -> bool:
        """Whether the session differs from the one last saved or opened."""
        return bool(self._session.differing(self._saved))

    def mark_saved(self) -> None:
        """The current session is on disk."""
        self._saved = self._session

    # -- changing the session

    def update(self, text: str = "", **values: Any) -> None:
        """Replace fields of the session; the step can be undone under the name `text`.

        Edits of the same parameters within a second are one step; a new lasso is always a step of its own.
        """
        new = replace(self._session, **values)
        names = new.differing(self._session)
        if not names:
            return
        now = time.monotonic()
        last, last_kinds = self._last_edit
        kinds = names
        masks = new.selection.mask, self._session.selection.mask
        if names == {"selection"} and (masks[0] is masks[1] or np.array_equal(*masks)):
            kinds = frozenset({"active"})
        merge = kinds == last_kinds and now - last < MERGE_SECONDS and kinds <= _MERGED and bool(self._undo)
        if not merge:
            self._undo.append(_Step(self._session, names, text or ", ".join(sorted(names)).replace("_", " ")))
        self._redo.clear()
        self._last_edit = (now, kinds)
        self._apply(new)

    def open_dataset(self, dataset: Dataset, session: Session | None = None) -> None:
        """Show a data set; with `session`, as that one says. Undo returns to the former set."""
        self._datasets[dataset.fingerprint] = dataset
        new = session if session is not None else self._session.with_dataset(dataset)
        if self._session.dataset.fingerprint:
            self._undo.append(
                _Step(self._session, new.differing(self._session), self.tr("open {}").format(dataset.name))
            )
        self._redo.clear()
        self._last_edit = (0.0, frozenset())
        self._apply(new)
        self._forget_datasets()

    def update_map(self, which: int, spec: MapSpec, text: str = "") -> None:
        """Describe a map anew: 0 is the first, whose representation the descriptor shows."""
        self.update(text, **self._session.map_fields(which, spec))

    def set_active(self, index: int | None) -> None:
        """Make a structure the one that all panels show."""
        selection = self._session.selection
        if index != selection.active:
            self.update(self.tr("go to structure"), selection=selection.with_active(index))

    def select(self, mask: Any, operation: str, origin: str) -> None:
        """Combine a mask with the selection: "replace", "add", "subtract" or "intersect"."""
        self.update(origin, selection=self._session.selection.combine(np.asarray(mask, bool), operation, origin))

    def clear_selection(self) -> None:
        """Select nothing; the active structure stays."""
        selection = self._session.selection
        if selection.count:
            self.update(self.tr("clear selection"), selection=Selection.none(len(selection), selection.active))

    def toggle_pin(self, index: int) -> None:
        """Pin a structure, or unpin it."""
        pins = self._session.pins
        if index in pins:
            self.update(self.tr("unpin"), pins=tuple(i for i in pins if i != index))
        elif len(pins) < MAX_PINS:
            self.update(self.tr("pin"), pins=(*pins, index))

    def escape(self) -> None:
        """Esc: clears the pins first, then the selection."""
        if self._session.pins:
            self.update(self.tr("clear pins"), pins=())
        else:
            self.clear_selection()

    # -- passing states that are no part of the session

    def hover(self, index: int) -> None:
        """A structure is under the cursor; -1 for none."""
        self.hovered.emit(index)

    def hover_atoms(self, atoms: tuple[int, ...]) -> None:
        """Atoms of the active structure to light up."""
        self.atoms_hovered.emit(tuple(atoms))

    def pick(self, atoms: tuple[int, ...]) -> None:
        """Atoms of the active structure were picked."""
        if atoms != self._picked:
            self._picked = tuple(atoms)
            self.picked_changed.emit(self._picked)

    def show_links(self, links: Links, owner: str = "") -> None:
        """Draw these lines on the map in place of the former ones of the same owner."""
        self._links_of[owner] = tuple(links)
        together = tuple(link for own in self._links_of.values() for link in own)
        if together != self._links:
            self._links = together
            self.links_changed.emit(self._links)

    @property
    def atom_values(self) -> tuple[int, AtomValues] | None:
        """The structure whose atoms are painted by numbers, and these; None for none."""
        return self._atom_values

    def show_atom_values(self, index: int, values: AtomValues | None) -> None:
        """Paint the atoms of a structure by numbers whenever it is the active one; None: no atoms at all."""
        shown = None if values is None else (index, values)
        if shown != self._atom_values:
            self._atom_values = shown
            self.atom_values_changed.emit()

    # -- derived columns

    def set_derived(self, name: str, column: Property | None) -> None:
        """Add, replace or (None) drop a column that was computed: clusters, similarities, distortions.

        Derived columns are no part of the session: whoever made one makes it again when the session is opened.
        """
        self.set_derived_columns({name: column})

    def set_derived_columns(self, columns: dict[str, Property | None]) -> None:
        """Several at once, with one signal."""
        dataset = self.dataset
        changed = {k for k, c in columns.items() if c is not None or k in self._derived}
        if dataset is None or not changed:
            return
        derived = {**self._derived, **columns}
        self._derived = {k: c for k, c in derived.items() if c is not None}
        known = self._columns or Columns(dataset, added=self._session.added)
        self._columns = known.with_derived(self._derived)
        self.columns_changed.emit(frozenset(changed))

    # -- columns that belong to the session

    def add_columns(self, columns: Mapping[str, Property], origin: str) -> None:
        """Give the data set further properties, or others in place of its own; they are saved, and can be undone.

        Parameters
        ----------
        columns : mapping of str to Property
            One value for each structure or atom.
        origin : str
            Where they come from, for people; the step's name, too.
        """
        self.update(origin, added=with_columns(self._session.added, columns, origin))

    def remove_columns(self, *names: str) -> None:
        """Drop added columns; an own one that was hidden by it is there again."""
        added = without_columns(self._session.added, names)
        self.update(self.tr("remove {}").format(", ".join(names)), added=added)

    @property
    def properties(self) -> dict[str, Property]:
        """The data set's properties with those that were added, of structures and of atoms."""
        dataset = self.dataset
        own = {} if dataset is None else dataset.properties
        return {**own, **{c.name: c.values for c in self._session.added}}

    # -- history

    @property
    def undo_text(self) -> str:
        """What undo would take back; empty when there is nothing."""
        return self._undo[-1].text if self._undo else ""

    @property
    def redo_text(self) -> str:
        """What redo would do again; empty when there is nothing."""
        return self._redo[-1].text if self._redo else ""

    def undo(self) -> None:
        """Return to the session before the last step."""
        if self._undo:
            step = self._undo.pop()
            self._redo.append(_Step(self._session, step.names, step.text))
            self._last_edit = (0.0, frozenset())
            self._apply(step.session)

    def redo(self) -> None:
        """Take back the last undo."""
        if self._redo:
            step = self._redo.pop()
            self._undo.append(_Step(self._session, step.names, step.text))
            self._last_edit = (0.0, frozenset())
            self._apply(step.session)

    # -- results

    def result(self, name: str) -> Any:
        """The latest published result; None when there is none (yet)."""
        return self._results.get(name, ("", None))[1]

    def result_key(self, name: str) -> str:
        """The key of the latest published result; empty while it is still moving or absent."""
        return self._results.get(name, ("", None))[0]

    def error(self, name: str) -> str:
        """Why a result is absent; empty when it is not."""
        return self._errors.get(name, "")

    def publish(self, name: str, key: str, value: Any) -> None:
        """A stage's result (key empty: an intermediate one)."""
        if key and self.result_key(name) == key and self._results[name][1] is value:
            return
        self._results[name] = (key, value)
        self._errors.pop(name, None)
        self.results_changed.emit(name)

    def mark_stale(self, name: str) -> None:
        """The session wants another result than the latest, which stays on screen until that one comes."""
        if name in self._results:
            self._results[name] = ("", self._results[name][1])

    def fail(self, name: str, message: str, details: str) -> None:
        """A stage failed; its last result stays on screen."""
        self._errors[name] = message
        self.failed.emit(name, message, details)

    # -- inside

    def _apply(self, new: Session) -> None:
        old, self._session = self._session, new
        names = new.differing(old)
        if "dataset" in names:
            self._results.clear()
            self._errors.clear()
            self._derived, self._columns = {}, None
            for owner in self._links_of:
                self.show_links((), owner)
            self.show_atom_values(-1, None)
        if new.selection.active != old.selection.active or "dataset" in names:
            dataset = self.dataset
            same_atoms = "dataset" not in names and dataset is not None and dataset.ordered
            if self._picked and not same_atoms:
                self._picked = ()
                self.picked_changed.emit(())
        altered = frozenset[str]()
        if "added" in names and "dataset" not in names:
            altered = frozenset(c.name for c in set(new.added) ^ set(old.added))
            self._columns = None
        if names:
            self.changed.emit(names)
        if altered:
            self.columns_changed.emit(altered)
        self.history_changed.emit()

    def _forget_datasets(self) -> None:
        """Drop data sets to which no step of the history returns."""
        needed = {s.session.dataset.fingerprint for s in (*self._undo, *self._redo)} | {
            self._session.dataset.fingerprint
        }
        for fingerprint in set(self._datasets) - needed:
            del self._datasets[fingerprint]
