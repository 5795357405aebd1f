"""A line for a condition, with completion while one types and what is wrong under it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QFontDatabase, QFontMetrics, QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QCompleter, QLabel, QLineEdit, QListView, QSizePolicy, QVBoxLayout, QWidget

from qmlstudio.widgets.theme import theme

TYPING_MS = 250
"""Pause after which what was typed counts."""


class Completion(Protocol):
    """A continuation: `text` replaces the characters `start` … `end`; `detail` says what it is."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def detail(self) -> str: ...


Completions = Callable[[str, int], Sequence[Completion]]
Check = Callable[[str, int], tuple[str, str]]
"""From a text and the letters that fit a line: what is wrong ("" for nothing) and two lines that point to it."""


class ExpressionLine(QLineEdit):
    """Offers continuations as one types, and on Ctrl+Space."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._completions: Completions | None = None
        self._offered: Sequence[Completion] = ()
        self._model = QStandardItemModel(self)
        self.completer_popup = QCompleter(self)
        self._list = QListView()
        self.completer_popup.setPopup(self._list)
        self.completer_popup.setModel(self._model)
        self.completer_popup.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        self.completer_popup.setWidget(self)
        self.completer_popup.setMaxVisibleItems(10)
        self.completer_popup.activated[QModelIndex].connect(self._on_completer_activated)  # type: ignore[index]
        self.textEdited.connect(self._on_text_edited)
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))

    def set_completions(self, completions: Completions | None) -> None:
        """Who knows what may be written next."""
        self._completions = completions

    @property
    def offered(self) -> tuple[str, ...]:
        """What the list offers now; empty while it is closed."""
        return tuple(c.text for c in self._offered) if self._list.isVisible() else ()

    def offer(self) -> None:
        """Open the list of continuations, or close it when there are none."""
        self._offered = self._completions(self.text(), self.cursorPosition()) if self._completions else ()
        popup = self._list
        if not self._offered:
            popup.hide()
            return
        self._model.clear()
        widest = max(len(c.text) for c in self._offered)
        widest = min(widest, 22)
        for candidate in self._offered:
            item = QStandardItem(f"{candidate.text.ljust(widest)}  {candidate.detail}".rstrip())
            item.setFont(self.font())
            self._model.appendRow(item)
        place = self.cursorRect()
        width = popup.sizeHintForColumn(0) + popup.verticalScrollBar().sizeHint().width() + 12
        place.setLeft(min(place.left(), max(0, self.width() - width)))
        place.setWidth(min(max(width, 120), 420))
        self.completer_popup.complete(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.offer()
            return
        popup = self._list
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Tab)
        if popup.isVisible() and event.key() in keys:
            # these belong to the list, which lets them through when nothing is chosen
            if event.key() == Qt.Key.Key_Tab:
                current = popup.currentIndex()
                self._insert(current.row() if current.isValid() else 0)
            popup.hide()
            if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Tab):
                return
        super().keyPressEvent(event)

    def _on_text_edited(self, text: str) -> None:
        if text.strip():
            self.offer()
        else:
            self._list.hide()

    def _on_completer_activated(self, index: QModelIndex) -> None:
        self._insert(index.row())

    def _insert(self, row: int) -> None:
        if not 0 <= row < len(self._offered):
            return
        candidate, text = self._offered[row], self.text()
        self.setText(text[: candidate.start] + candidate.text + text[candidate.end :])
        self.setCursorPosition(candidate.start + len(candidate.text))
        self._offered = ()
        self.textEdited.emit(self.text())


class ExpressionEdit(QWidget):
    """The line and, under it, what is wrong with it.

    Signals
    -------
    text_changed(text)
        A condition that can be read (or nothing) stands there, and typing has paused or Return was pressed.
    """

    text_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._check: Check | None = None
        self._text = ""
        self.line = ExpressionLine()
        self.line.setPlaceholderText(self.tr("gap < 0.2 and n_heavy == 7"))
        self.line.setClearButtonEnabled(True)
        self.line.setAccessibleName(self.tr("Condition"))
        self.line.setToolTip(
            self.tr(
                'Compare columns: gap < 0.2, 0.1 < gap <= 0.2, n_heavy in [6, 7], formula == "C4H5N",\n'
                '"N" in smiles, gap is missing; and, or, not; + − * / % **; abs sqrt log log10 exp min max round.\n'
                "A column with spaces stands in back quotes. Ctrl+Space: what can be written here"
            )
        )
        self.error = QLabel()
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setFont(self.line.font())
        self.error.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setWordWrap(True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._timer.timeout.connect(self._take)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.line, self.error, self.message):
            layout.addWidget(widget)
        self.line.textEdited.connect(self._on_line_text_edited)
        self.line.textChanged.connect(self._on_line_text_changed)
        self.line.returnPressed.connect(self._take)
        self.line.editingFinished.connect(self._take)
        self.set_dark(False)
        self._show_problem("", "")

    def set_helpers(self, check: Check | None, completions: Completions | None) -> None:
        """Who reads the text and who completes it; they change with the data set."""
        self._check = check
        self.line.set_completions(completions)
        if self.line.text().strip() and check is not None:
            self._show_problem(*check(self.line.text(), self._letters()))

    def set_text(self, text: str) -> None:
        """Show a condition; emits nothing. What is being typed is left alone while it means the same."""
        changed, self._text = text != self._text, text
        if changed and self.line.text().strip() != text.strip():
            self.line.setText(text)
            self._timer.stop()
            self._show_problem(*(self._check(text, self._letters()) if self._check and text.strip() else ("", "")))

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        colors = theme(dark)
        for label in (self.error, self.message):
            label.setStyleSheet(f"color: {colors.accent}")

    def _letters(self) -> int:
        return max(12, (self.line.width() - 4) // max(1, QFontMetrics(self.error.font()).horizontalAdvance("0")))

    def _on_line_text_edited(self, _text: str) -> None:
        self._timer.start()

    def _on_line_text_changed(self, text: str) -> None:
        if not text:  # the clear button is no edit
            self._timer.start()

    def _take(self) -> None:
        self._timer.stop()
        text = self.line.text()
        if self.line.offered and not self.line.hasFocus():
            self._timer.start()
            return
        what, where = self._check(text, self._letters()) if self._check and text.strip() else ("", "")
        self._show_problem(what, where)
        if not what and text.strip() != self._text.strip():
            self._text = text
            self.text_changed.emit(text)

    def _show_problem(self, what: str, where: str) -> None:
        self.error.setText(where)
        self.error.setVisible(bool(where))
        if what and self._text.strip():
            what += "\n" + self.tr("Still applied: {}").format(self._text)
        self.message.setText(f"⚠ {what}" if what else "")
        self.message.setVisible(bool(what))
