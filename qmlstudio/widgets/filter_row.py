"""The frame of one filter: title, switch, count, ✕, its own controls, and what is to be said about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from qmlstudio.widgets.elided_label import ElidedLabel
from qmlstudio.widgets.theme import mix, theme


class FilterRow(QFrame):
    """One filter of the panel.

    Signals
    -------
    switched(on)
    removed()
    """

    switched = Signal(bool)
    removed = Signal()

    def __init__(self, body: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.body = body
        self.setObjectName("filter")
        self.switch = QCheckBox()
        self.title = ElidedLabel()
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.count = QLabel()
        self.remove = QToolButton()
        self.remove.setText("✕")
        self.remove.setAutoRaise(True)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setVisible(False)
        head = QHBoxLayout()
        head.setSpacing(5)
        head.addWidget(self.switch)
        head.addWidget(self.title, 1)
        head.addWidget(self.count)
        head.addWidget(self.remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 6, 7)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(body)
        layout.addWidget(self.note)
        self.switch.clicked.connect(self.switched)
        self.remove.clicked.connect(self.removed)
        self.set_dark(False)

    def set_title(self, title: str, tip: str = "") -> None:
        """What is filtered, with its unit."""
        self.title.setText(title)
        self.title.setToolTip(f"{title}\n{tip}" if tip else title)
        self.switch.setToolTip(self.tr("Switch this filter on or off"))
        self.switch.setAccessibleName(self.tr("Filter {}").format(title))
        self.remove.setToolTip(self.tr("Remove this filter"))
        self.remove.setAccessibleName(self.tr("Remove the filter {}").format(title))

    def set_on(self, on: bool) -> None:
        """Show whether it is switched on; emits nothing."""
        self.switch.setChecked(on)
        if on != self.body.isEnabled():
            self.body.setEnabled(on)
            self._color()

    def set_count(self, text: str, tip: str = "") -> None:
        """How many pass it."""
        self.count.setText(text)
        self.count.setToolTip(tip)

    def set_note(self, text: str) -> None:
        """What should be known; empty for nothing."""
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self._color()

    def _color(self) -> None:
        colors = self._theme
        surface = mix(colors.background, colors.foreground, 0.025)
        # on a dark ground the style's own frames cannot be seen
        self.setStyleSheet(
            f"QFrame#filter {{ background: {surface}; border: 1px solid {colors.border}; border-radius: 5px; }}"
            f"QLineEdit {{ background: {colors.background}; border: 1px solid {colors.border}; border-radius: 3px;"
            " padding: 1px 2px; }"
            f"QLineEdit:focus {{ border-color: {colors.pin}; }}"
        )
        shade = colors.foreground if self.body.isEnabled() else colors.muted
        self.title.setStyleSheet(f"color: {shade}")
        self.count.setStyleSheet(f"color: {colors.muted}")
        self.note.setStyleSheet(f"color: {colors.muted}")
