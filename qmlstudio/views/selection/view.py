"""The selection panel: what is selected and why, sources that need no gesture, named selections and their algebra."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.jobs import JobRunner
from qmlstudio.app.store import Store
from qmlstudio.session.selection import Mask, NamedSelection, Selection
from qmlstudio.session.selection_text import SelectionTextError, complete, evaluate, quoted, steps_of
from qmlstudio.views.selection.sources import SourcesMenu, passing
from qmlstudio.widgets.expression_edit import ExpressionLine
from qmlstudio.widgets.lasso import Operation, operation
from qmlstudio.widgets.selection_chain import ChainStep, SelectionChain
from qmlstudio.widgets.selection_list import NamedList, NamedRow
from qmlstudio.widgets.theme import theme

REMEMBERED = 64
"""Selections of which the numbers after each step are known."""
LONGEST_NAME = 40
_Chain = tuple[Selection, tuple[int | None, ...]]
"""A selection, and how many there were after each of its steps, the last ones."""


class SelectionView(QWidget):
    """Shows and changes the store's selection and its named ones."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._chains: deque[_Chain] = deque(maxlen=REMEMBERED)
        self._before: _Chain | None = None
        self._counts: deque[tuple[NamedSelection, int]] = deque(maxlen=4 * REMEMBERED)
        self._make()
        self._lay_out()
        self._connect()
        self.set_dark(False)
        self._show_all()

    # -- building

    def _make(self) -> None:
        self.count = QLabel()
        self.count.setTextFormat(Qt.TextFormat.PlainText)
        font = self.count.font()
        font.setBold(True)
        self.count.setFont(font)
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.chain = SelectionChain()
        self._hint = QLabel(self.tr("Lasso on the map, click in lists, or choose “From”."))
        self._hint.setWordWrap(True)
        self._all = _button(self.tr("All"), self.tr("Select everything (Ctrl+A)"))
        self._none = _button(self.tr("None"), self.tr("Select nothing; the active structure stays (Esc)"))
        self._invert = _button(self.tr("Invert"), self.tr("Select all the others (Ctrl+I)"))
        self._from = QToolButton()
        self._from.setText(self.tr("From ▾"))
        self._from.setToolTip(
            self.tr("Select by filter, cluster, category, formula …\nShift adds, Alt subtracts, Ctrl intersects")
        )
        self._from.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.sources = SourcesMenu(self._store, self._runner, self._from)
        self._from.setMenu(self.sources)
        self.list = NamedList()
        self.list.setMinimumHeight(70)
        self._name = QPushButton(self.tr("Name it…"))
        self._name.setToolTip(self.tr("Keep the present selection under a name, in the session"))
        self._up = _tool("↑", self.tr("Move it up (Alt+↑)"))
        self._down = _tool("↓", self.tr("Move it down (Alt+↓)"))
        self._renew = _tool("⟳", self.tr("Replace the marked one's structures by the present selection"))
        self._remove = _tool("✕", self.tr("Remove the marked one (Del); undo brings it back"))
        self.line = ExpressionLine()
        self.line.setPlaceholderText(self.tr("a & b | ~c"))
        self.line.setClearButtonEnabled(True)
        self.line.setAccessibleName(self.tr("Algebra of selections"))
        self.line.setToolTip(
            self.tr(
                "Names joined by & (in both), | (in any), - (in the first only), ^ (in one of the two),\n"
                "~ (the others) and brackets; selection, filter, pins, all, none are names, too. Return selects;\n"
                "Shift+Return adds, Alt subtracts, Ctrl intersects. Ctrl+Space: what can be written here"
            )
        )
        self.line.set_completions(lambda text, cursor: complete(text, cursor, self._details()))
        self.problem = QLabel()
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setWordWrap(True)
        self.problem.hide()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.count)
        layout.addWidget(self.chain)
        layout.addWidget(self._hint)
        layout.addLayout(_row(self._all, self._none, self._invert, self._from))
        layout.addSpacing(4)
        layout.addWidget(self.list, 1)
        row = _row(self._name, self._renew, self._up, self._down, self._remove)
        row.setStretch(0, 1)
        layout.addLayout(row)
        layout.addWidget(self.line)
        layout.addWidget(self.problem)

    def _connect(self) -> None:
        self._all.clicked.connect(self._on_all_clicked)
        self._none.clicked.connect(self._store.clear_selection)
        self._invert.clicked.connect(self._on_invert_clicked)
        self.sources.failed.connect(self._show_problem)
        self._name.clicked.connect(self.name_current)
        self._renew.clicked.connect(self._on_renew_clicked)
        self._up.clicked.connect(lambda: self._on_list_moved(self.list.current, -1))
        self._down.clicked.connect(lambda: self._on_list_moved(self.list.current, 1))
        self._remove.clicked.connect(lambda: self._on_list_removed(self.list.current))
        self.list.chosen.connect(self._on_list_chosen)
        self.list.renamed.connect(self._on_list_renamed)
        self.list.removed.connect(self._on_list_removed)
        self.list.moved.connect(self._on_list_moved)
        self.list.current_changed.connect(self._show_buttons)
        self.line.returnPressed.connect(self._on_line_return_pressed)
        self.line.textChanged.connect(self._on_line_text_changed)
        self._store.changed.connect(self._on_store_changed)

    # -- what others may ask

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        colors = theme(dark)
        self.chain.set_dark(dark)
        self.problem.setStyleSheet(f"color: {colors.accent}")
        self._hint.setStyleSheet(f"color: {colors.muted}")

    def name_current(self) -> None:
        """Keep the present selection under a name, which can be typed at once."""
        selection, named = self._store.session.selection, self._store.session.named
        if not selection.count:
            return
        steps = steps_of(selection.origin)
        usual = " ".join(f"{s.sign} {s.text}".strip() for s in steps).replace("`", "'") or self.tr("selection")
        name = _free(usual if len(usual) <= LONGEST_NAME else usual[: LONGEST_NAME - 1] + "…", self._taken())
        kept = NamedSelection(name, selection.with_active(None))
        self._store.update(self.tr("name selection"), named=(*named, kept))
        self.list.set_current(len(named))
        self.list.edit_current()

    def select_expression(self, text: str, how: Operation = "replace") -> bool:
        """Select what an expression says; False (and a message) when it cannot be read."""
        masks = self._masks()
        try:
            mask, said = evaluate(text, masks, len(self._store.session.selection))
        except SelectionTextError as error:
            self._show_problem(str(error), error.start, error.end)
            return False
        self._show_problem("")
        self._store.select(mask, how, said if said in map(quoted, masks) else f"({said})")
        return True

    # -- names of the expression line

    def _masks(self) -> dict[str, Mask]:
        """Everything that an expression may name: the built-in ones give way to those of people."""
        session = self._store.session
        n = len(session.selection)
        pins = np.zeros(n, dtype=bool)
        pins[[i for i in session.pins if i < n]] = True
        filtered = passing(self._store)
        masks: dict[str, Mask] = {"selection": session.selection.mask, "pins": pins}
        masks |= {"filter": np.ones(n, bool) if filtered is None else filtered}
        masks |= {"all": np.ones(n, dtype=bool), "none": np.zeros(n, dtype=bool)}
        return masks | {each.name: each.selection.mask for each in session.named}

    def _details(self) -> dict[str, str]:
        """Names with what they are, those of people first."""
        named = {each.name: f"{self._count_of(each):,}" for each in self._store.session.named}
        own = {
            "selection": self.tr("the present one"),
            "filter": self.tr("what passes the filters"),
            "pins": self.tr("pinned structures"),
            "all": self.tr("everything"),
            "none": self.tr("nothing"),
        }
        return named | {k: v for k, v in own.items() if k not in named}

    # -- the person: the present selection

    def _on_all_clicked(self) -> None:
        n = len(self._store.session.selection)
        self._store.select(np.ones(n, dtype=bool), "replace", self.tr("all"))

    def _on_invert_clicked(self) -> None:
        self._store.update(self.tr("invert selection"), selection=~self._store.session.selection)

    def _on_line_return_pressed(self) -> None:
        how = operation("lasso", QGuiApplication.keyboardModifiers())
        if self.line.text().strip() and how is not None:
            self.select_expression(self.line.text(), how)

    def _on_line_text_changed(self, _text: str) -> None:
        self._show_problem("")

    def _show_problem(self, text: str, start: int = 0, end: int = 0) -> None:
        self.problem.setText(f"⚠ {text}" if text else "")
        self.problem.setVisible(bool(text))
        if text and end > start:
            self.line.setSelection(start, end - start)

    # -- the person: named selections

    def _taken(self, but: int = -1) -> set[str]:
        return {each.name for k, each in enumerate(self._store.session.named) if k != but}

    def _on_list_chosen(self, row: int, modifiers: Qt.KeyboardModifier) -> None:
        how = operation("lasso", modifiers)
        if how is not None:
            each = self._store.session.named[row]
            self._store.select(each.selection.mask, how, f"“{each.name}”")

    def _on_list_renamed(self, row: int, name: str) -> None:
        named = list(self._store.session.named)
        named[row] = replace(named[row], name=_free(name, self._taken(row)))
        self._store.update(self.tr("rename selection"), named=tuple(named))

    def _on_list_removed(self, row: int) -> None:
        named = self._store.session.named
        if 0 <= row < len(named):
            self._store.update(self.tr("remove “{}”").format(named[row].name), named=named[:row] + named[row + 1 :])
            self.list.set_current(min(row, len(named) - 2))

    def _on_list_moved(self, row: int, by: int) -> None:
        named = list(self._store.session.named)
        if 0 <= row < len(named) and 0 <= row + by < len(named):
            named[row], named[row + by] = named[row + by], named[row]
            self._store.update(self.tr("reorder selections"), named=tuple(named))
            self.list.set_current(row + by)

    def _on_renew_clicked(self) -> None:
        row, named = self.list.current, list(self._store.session.named)
        if 0 <= row < len(named):
            named[row] = replace(named[row], selection=self._store.session.selection.with_active(None))
            self._store.update(self.tr("update “{}”").format(named[row].name), named=tuple(named))

    # -- showing

    def _on_store_changed(self, names: frozenset[str]) -> None:
        if "dataset" in names:
            self._chains.clear()
            self._before = None
            self._counts.clear()
            self._show_problem("")
        if names & {"selection", "named", "dataset"}:
            self._show_all()

    def _show_all(self) -> None:
        selection = self._store.session.selection
        count, n = selection.count, len(selection)
        share = 100 * count / n if n else 0.0
        percent = f"{share:.1f} %" if share >= 0.1 or not count else "< 0.1 %"
        if count:
            self.count.setText(self.tr("{:,} of {:,} · {}").format(count, n, percent))
        else:
            self.count.setText(self.tr("Nothing of {:,} selected").format(n))
        steps = steps_of(selection.origin) if count or selection.origin else ()
        counts = self._step_counts(selection, count)
        counts = (None,) * (len(steps) - len(counts)) + counts[-len(steps) :] if steps else ()
        self.chain.set_steps([ChainStep(s.sign, s.text, c) for s, c in zip(steps, counts, strict=True)])
        self._hint.setVisible(not steps)
        self._none.setEnabled(bool(count))
        self._name.setEnabled(bool(count))
        self._invert.setEnabled(n > 0)
        self._all.setEnabled(count < n)
        # the mask decides whether a named one is the present one, however both came about
        self.list.rows.set_rows(
            [
                NamedRow(each.name, k, each.selection.origin, k == count and _same(each.selection, selection))
                for each, k in ((each, self._count_of(each)) for each in self._store.session.named)
            ]
        )
        self._show_buttons()

    def _show_buttons(self, *_: object) -> None:
        row, rows = self.list.current, self.list.rows.rowCount()
        self._remove.setEnabled(row >= 0)
        self._renew.setEnabled(row >= 0 and self._name.isEnabled() and not self.list.rows.row(row).current)
        self._up.setEnabled(row > 0)
        self._down.setEnabled(0 <= row < rows - 1)

    def _count_of(self, each: NamedSelection) -> int:
        """Counted once for each named selection."""
        for known, count in self._counts:
            if known.selection is each.selection:
                return count
        count = each.selection.count
        self._counts.append((each, count))
        return count

    def _step_counts(self, selection: Selection, count: int) -> tuple[int | None, ...]:
        """How many there were after each step, as far as they were seen to be taken."""
        steps = steps_of(selection.origin)
        counts: tuple[int | None, ...] = (count,)
        if len(steps) > 1 and self._before is not None and self._before[0].origin == steps[-2].origin:
            counts = (*self._before[1], count)
        for k, (known, earlier) in enumerate(self._chains):
            if known is selection or (known.origin == selection.origin and _same(known, selection)):
                self._before = self._chains[k] = known, max(counts, earlier, key=len)
                return self._before[1]
        self._before = selection, counts
        self._chains.append(self._before)
        return counts


def _same(a: Selection, b: Selection) -> bool:
    return bool(np.array_equal(a.mask, b.mask))


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if another has it already."""
    free, k = name, 1
    while free in taken:
        k += 1
        free = f"{name} {k}"
    return free


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(button.fontMetrics().horizontalAdvance(text) + 16)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button


def _tool(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setAutoRaise(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    return layout
