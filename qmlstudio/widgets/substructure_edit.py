"""A line for a SMARTS or a pasted SMILES, with its drawing, common patterns, and "does not contain"."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.widgets.hover_card import Depiction
from qmlstudio.widgets.theme import theme

TYPING_MS = 250
DRAWING = QSize(250, 84)


class SubstructureEdit(QWidget):
    """What is sought, how it is read, and whether it must be absent.

    Nothing can be drawn here: a structure drawn elsewhere is pasted as SMILES.

    Signals
    -------
    edited(text)
        Typing has paused: whoever can read patterns says how this one is by :meth:`set_verdict`.
    pattern_changed(text, is_smiles, inverted)
        A pattern that can be read (or nothing), and how.
    """

    edited = Signal(str)
    pattern_changed = Signal(str, bool, bool)

    def __init__(self, patterns: Sequence[tuple[str, str]] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = ("", False, False)
        self._how: bool | None = None
        self._dark = False
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("SMARTS, or paste a SMILES"))
        self.line.setClearButtonEnabled(True)
        self.line.setAccessibleName(self.tr("Substructure"))
        self.line.setToolTip(
            self.tr("A SMARTS such as [CX3]=O, or a SMILES. To draw one, use any sketcher and paste its SMILES here.")
        )
        self.kind = QComboBox()
        self.kind.addItems(["SMARTS", "SMILES"])
        self.kind.setToolTip(self.tr("How the text is read; chosen by itself as you type"))
        self.kind.setAccessibleName(self.tr("How the pattern is read"))
        self.patterns = QToolButton()
        self.patterns.setText(self.tr("Common ▾"))
        self.patterns.setToolTip(self.tr("Common patterns"))
        self.patterns.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.patterns)
        for name, smarts in patterns:
            action = menu.addAction(name)
            action.setData(smarts)
            action.setToolTip(smarts)
        menu.setToolTipsVisible(True)
        menu.triggered.connect(self._on_menu_triggered)
        self.patterns.setMenu(menu)
        self.inverted = QCheckBox(self.tr("does not contain"))
        self.drawing = Depiction()
        self.drawing.setFixedHeight(DRAWING.height())
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TYPING_MS)
        self._timer.timeout.connect(self._ask)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.setSpacing(4)
        first.addWidget(self.line, 1)
        first.addWidget(self.kind)
        second.addWidget(self.inverted)
        second.addStretch()
        second.addWidget(self.patterns)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.drawing)
        layout.addWidget(self.verdict)
        self.drawing.setVisible(False)
        self.verdict.setVisible(False)
        self.line.textChanged.connect(self._on_line_text_changed)
        self.line.returnPressed.connect(self._ask)
        self.kind.activated.connect(self._on_kind_activated)
        self.inverted.clicked.connect(self._on_inverted_clicked)
        self.set_dark(False)

    @property
    def chosen_kind(self) -> bool | None:
        """Whether the user wants the text read as SMILES; None: whatever fits."""
        return self._how

    def set_value(self, text: str, is_smiles: bool, inverted: bool) -> None:
        """Show a pattern; emits nothing but :attr:`edited`, to have it drawn."""
        if (text, is_smiles, inverted) == self._value:
            return
        new = text != self._value[0]
        self._value = (text, is_smiles, inverted)
        self.inverted.setChecked(inverted)
        self.kind.setCurrentIndex(int(is_smiles))
        if new and self.line.text() != text:
            self._how = is_smiles
            self.line.blockSignals(True)
            self.line.setText(text)
            self.line.blockSignals(False)
            self._ask()

    def set_verdict(self, text: str, is_smiles: bool, problem: str, svg: str) -> None:
        """How a text is read: what is wrong with it ("" for nothing) and its drawing ("" for none)."""
        if text != self.line.text():
            return
        self.verdict.setText(f"⚠ {problem}" if problem else "")
        self.verdict.setVisible(bool(problem))
        self.drawing.setVisible(bool(svg) and self.drawing.set_svg(svg))
        if not problem:
            self.kind.setCurrentIndex(int(is_smiles))
            self._change(text, is_smiles, self.inverted.isChecked())

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._dark = dark
        self.verdict.setStyleSheet(f"color: {theme(dark).accent}")

    def _change(self, text: str, is_smiles: bool, inverted: bool) -> None:
        if (text, is_smiles, inverted) != self._value:
            self._value = (text, is_smiles, inverted)
            self.pattern_changed.emit(text, is_smiles, inverted)

    def _ask(self) -> None:
        self._timer.stop()
        text = self.line.text()
        if text.strip():
            self.edited.emit(text)
        else:
            self.set_verdict(text, bool(self.kind.currentIndex()), "", "")

    def _on_line_text_changed(self, _text: str) -> None:
        self._how = None
        self._timer.start()

    def _on_kind_activated(self, index: int) -> None:
        self._how = bool(index)
        self._ask()

    def _on_inverted_clicked(self, on: bool) -> None:
        text, is_smiles, _ = self._value
        self._change(text, is_smiles, on)

    def _on_menu_triggered(self, action: object) -> None:
        smarts = str(action.data())  # type: ignore[attr-defined]
        self.line.setText(smarts)
        self._how = False
        self._ask()
