"""A few lines of text at the foot of a drawing: as high as they are, but never more than a share of the panel."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QWidget

SHARE = 0.3


class TextStrip(QScrollArea):
    """Words wrap; what does not fit a third of the parent's height is scrolled to. The text can be copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._label.setContentsMargins(4, 0, 4, 0)
        self._label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.setWidget(self._label)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._height = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._fit()

    def set_text(self, text: str) -> None:
        """Show this text."""
        if text != self._label.text():
            self._label.setText(text)
            self._fit()

    @property
    def text(self) -> str:
        """What is shown."""
        return self._label.text()

    def _fit(self) -> None:
        parent = self.parentWidget()
        line = self.fontMetrics().height()
        most = max(2 * line, round(SHARE * parent.height())) if parent is not None else 4 * line
        wanted = self._label.heightForWidth(max(self.width(), 80)) if self._label.text() else 0
        height = min(wanted, most)
        # a bar that comes while the strip is still growing narrows the text, and then stays
        fits = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if wanted <= most else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setVerticalScrollBarPolicy(fits)
        if height != self._height:
            self._height = height
            self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(300, self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, min(self._height, self.fontMetrics().height()))
