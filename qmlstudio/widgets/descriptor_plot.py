"""One structure's features, drawn as what they are: a labelled matrix, a spectrum, bags of bars, panels."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QScrollBar, QSizePolicy, QWidget

from qmlstudio.widgets.descriptor_bars import BarsPanel
from qmlstudio.widgets.descriptor_data import DescriptorData
from qmlstudio.widgets.descriptor_grid import GridPanel
from qmlstudio.widgets.descriptor_panels import MatrixPanel, Panel, Style
from qmlstudio.widgets.descriptor_scale import diverging, number, sequential
from qmlstudio.widgets.descriptor_scroll import Scroller
from qmlstudio.widgets.theme import theme

Array = NDArray[Any]
__all__ = ["DescriptorData", "DescriptorPlot"]

_READOUT = 19
"""Height of the line that says what is under the mouse, px."""
_SECOND = 15
"""Height of the line below it, which says what a column of panels is made of, px."""


class _Keep(Enum):
    """What :meth:`DescriptorPlot.set_data` is told when nothing is said of a reference."""

    KEEP = "keep"


class DescriptorPlot(QWidget):
    """Draws :class:`DescriptorData`; says which feature is under the mouse, shows which features atoms make.

    Arrow keys move from feature to feature, Space pins, Esc unpins; Page Up and Down, Home and End scroll where there
    is more than the window holds. A strip on top then shows all panels at once; a click there goes to one.
    """

    hovered = Signal(object, int)
    """Atoms (tuple of int) and column under the mouse; ``(), -1`` when it leaves."""
    clicked = Signal(int)
    """The column that was pinned by a click; -1 when the pin was taken away."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: DescriptorData | None = None
        self._reference: Array | None = None
        self._panel: Panel | None = None
        self._lut: Array | None = None
        self._dark = False
        self._hover = -1
        self._pinned = -1
        self._atoms: frozenset[int] = frozenset()
        self._matching: list[int] = []
        self._part: Array | None = None
        self._composition = ""
        self._pointed = ""
        self._picture: QPixmap | None = None
        self._scroller = Scroller(self)
        self._bar = self._scroller.bar
        self._bar.valueChanged.connect(self._on_bar_value_changed)
        self._empty_text = self.tr("Choose a structure to see its features")
        self.setMinimumSize(220, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Features of the active structure"))

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    # what is shown

    def data(self) -> DescriptorData | None:
        """What is shown."""
        return self._data

    def set_data(
        self, data: DescriptorData | None, reference: Array | _Keep | None = _Keep.KEEP, part: Array | None = None
    ) -> None:
        """Show the features of a structure, or the empty state. What is pinned stays while it exists.

        `reference` and `part` as in :meth:`set_reference` and :meth:`set_part`; without a word the reference stays
        while it fits.
        """
        old, self._data = self._data, data
        same = data is not None and old is not None and old.kind == data.kind and len(old.values) == len(data.values)
        if not same:
            self._reference = None
            self._pinned = -1
            self._set_hover(-1)
        if not same or data is None or data.kind != "panels":
            self._composition = ""
        if not isinstance(reference, _Keep):
            self._reference = self._fitting(reference)
        self._part = self._fitting(part)
        self._matching = data.matching(self._atoms) if data is not None and self._atoms else []
        self._make_panel()
        self._say()

    def set_reference(self, values: Array | None) -> None:
        """Show the difference to these features (d,), those of a pinned structure; None shows the values again.

        Raises ValueError when there are not as many as are shown. New data of another size drop the reference.
        """
        self._reference = self._fitting(values)
        self._make_panel()

    def _fitting(self, values: Array | None) -> Array | None:
        """Values for the columns that are shown; ValueError when there are not as many."""
        if values is None:
            return None
        values = np.asarray(values, dtype=np.float64).ravel()
        shown = 0 if self._data is None else len(self._data.values)
        if len(values) != shown:
            raise ValueError(f"{len(values)} values to compare with {shown}")
        return values

    def set_part(self, values: Array | None) -> None:
        """Draw the part of the features (d,) that picked atoms make into panels; None for none.

        Raises ValueError when there are not as many as are shown. Other kinds light up by :meth:`set_highlight_atoms`.
        """
        if values is None and self._part is None:
            return
        self._part = values = self._fitting(values)
        if self._panel is not None:
            self._panel.set_part(values)
        self._redraw()

    def part(self) -> Array | None:
        """The part that is drawn; None for none."""
        return self._part

    def set_composition(self, text: str) -> None:
        """What the column under the mouse is made of; stands below its value."""
        if text != self._composition:
            self._composition = text
            self._say()
            self.update()

    def composition(self) -> str:
        """What :meth:`set_composition` said."""
        return self._composition

    def set_highlight_atoms(self, atoms: Sequence[int]) -> None:
        """Light up what picked atoms (0-based) make: one atom its row and column, two their cell, none nothing."""
        chosen = frozenset(int(a) for a in atoms)
        if chosen == self._atoms:
            return
        self._atoms = chosen
        self._matching = self._data.matching(chosen) if self._data is not None and chosen else []
        self._redraw()

    def set_pinned(self, column: int) -> None:
        """Pin a column as a click does, without a signal; -1 for none."""
        self._pinned = column if self._data is not None and 0 <= column < len(self._data.values) else -1
        self._say()
        self.update()

    def set_lut(self, lut: Array | None) -> None:
        """Colours of matrices, (256, 3) uint8; None for viridis."""
        if lut is not None and np.shape(lut) != (256, 3):
            raise ValueError(f"lut has shape {np.shape(lut)}, expected (256, 3)")
        self._lut = None if lut is None else np.asarray(lut, dtype=np.uint8)
        self._make_panel()

    def set_dark(self, dark: bool) -> None:
        """Dark or light colours."""
        if dark != self._dark:
            self._dark = dark
            self._make_panel()

    def set_empty_text(self, text: str) -> None:
        """What stands there while there is nothing to draw."""
        self._empty_text = text
        self.update()

    # what is under the mouse

    def hover_column(self) -> int:
        """The column under the mouse or the keyboard's cursor; -1 for none."""
        return self._hover

    def pinned_column(self) -> int:
        """The pinned column; -1 for none."""
        return self._pinned

    def highlighted_columns(self) -> list[int]:
        """The columns that the picked atoms make."""
        return sorted(self._matching)

    def position_of(self, column: int) -> QPointF | None:
        """Where a column is drawn, px; None when it is not."""
        boxes = self.boxes_of(column)
        return boxes[0].center() if boxes else None

    def boxes_of(self, column: int) -> list[QRectF]:
        """The cells or the bar of a column, px; empty when it is not drawn. Some may have been scrolled away."""
        self._lay_out()
        if self._panel is None or self._panel.is_empty:
            return []
        return [box.translated(0, -self._offset()) for box in self._panel.boxes(column)]

    def scroll_to(self, column: int) -> None:
        """Bring a column into view."""
        self._lay_out()
        if self._panel is None or self._panel.is_empty or not self._bar.maximum():
            return
        boxes = self._panel.boxes(column)
        if not boxes:
            return
        area, top, bottom = self._area(), boxes[0].top() - 34, boxes[-1].bottom() + 16
        if top - self._offset() < area.top():
            self._bar.setValue(int(top - area.top()))
        elif bottom - self._offset() > area.bottom():
            self._bar.setValue(int(np.ceil(bottom - area.bottom())))

    def readout(self) -> str:
        """The line below the plot: what is under the mouse or pinned, its value and unit."""
        data = self._data
        column = self._hover if self._hover >= 0 else self._pinned
        if data is None or column < 0:
            if self._pointed:
                return self._pointed
            if data is not None and self._reference is not None:
                return self.tr("Difference to the pinned structure")
            return ""
        unit = f" {data.unit}" if data.unit else ""
        text = f"{data.name_of(column)}:  {number(data.values[column], 5)}{unit}"
        if self._reference is not None:
            change = data.values[column] - self._reference[column]
            text += f"   Δ {'+' if change > 0 else ''}{number(change, 4)}{unit}"
        elif self._part is not None and data.values[column]:
            text += self.tr("   picked {:.0f} %").format(100 * self._part[column] / data.values[column])
        return text

    # drawing

    def _make_panel(self) -> None:
        data = self._data
        self._panel = None
        if data is not None and len(data.values):
            colors = theme(self._dark)
            if self._reference is not None:
                lut = diverging(self._dark)
            else:
                lut = self._lut if self._lut is not None else sequential()
            style = Style(colors, self.font(), lut, data.unit, self._reference is not None)
            values = data.values if self._reference is None else data.values - self._reference
            if data.kind == "matrix":
                self._panel = MatrixPanel.of(values, data, style, self._reference)
            elif data.kind == "panels":
                self._panel = GridPanel.of(values, data, style, self._reference)
                self._panel.set_part(self._part)
            else:
                self._panel = BarsPanel.of(values, data, style, self._reference)
        self._redraw()

    def _redraw(self) -> None:
        """What is drawn is another: the picture kept for hovering is no use any more."""
        self._picture = None
        self.update()

    def _foot(self) -> int:
        return _READOUT + (_SECOND if self._data is not None and self._data.kind == "panels" else 0)

    def _area(self) -> QRectF:
        return self._scroller.area(self._foot())

    def _strip(self) -> QRectF:
        return self._scroller.strip()

    def _offset(self) -> float:
        return self._scroller.offset

    def _lay_out(self) -> None:
        if self._scroller.lay_out(self._panel, self._foot()):
            self._picture = None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors = theme(self._dark)
        panel = self._panel
        if panel is None or panel.is_empty:
            self._lay_out()
            painter.fillRect(self.rect(), QColor(colors.background))
            painter.setPen(QColor(colors.muted))
            text = self._empty_text if self._data is None else self.tr("This structure has no features")
            painter.drawText(self.rect().adjusted(12, 12, -12, -12), _CENTRED, text)
            painter.end()
            return
        self._lay_out()
        ratio = self.devicePixelRatioF()
        if self._picture is None or self._picture.devicePixelRatioF() != ratio:
            self._picture = self._paint_picture(panel, ratio)
        painter.drawPixmap(0, 0, self._picture)
        painter.setClipRect(self._area().adjusted(-4, -4, 4, 2))
        for column, color, width in ((self._pinned, colors.pin, 2.0), (self._hover, colors.foreground, 1.5)):
            if column >= 0:
                self._paint_frame(painter, column, color, width)
        painter.setClipping(False)
        self._paint_readout(painter)
        if self.hasFocus() and self._hover < 0:
            painter.setPen(QPen(QColor(colors.accent), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _paint_picture(self, panel: Panel, ratio: float) -> QPixmap:
        """All but what follows the mouse: kept, so that pointing at a thousand bars costs nothing."""
        picture = QPixmap(int(self.width() * ratio), int(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(theme(self._dark).background))
        painter = QPainter(picture)
        painter.setFont(self.font())
        area, offset = self._area(), self._offset()
        if self._scroller.is_on:
            assert isinstance(panel, GridPanel)
            panel.paint_overview(painter, self._strip(), area.top() + offset, area.bottom() + offset)
        painter.translate(0, -offset)
        painter.setClipRect(area.adjusted(-4, -2 if self._scroller.is_on else -4, 4, 2).translated(0, offset))
        panel.paint(painter, self._atoms, self._matching)
        painter.end()
        return picture

    def _paint_frame(self, painter: QPainter, column: int, color: str, width: float) -> None:
        assert self._panel is not None
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for box in self.boxes_of(column):
            # two tones: a frame must show on any colour
            painter.setPen(QPen(QColor(theme(self._dark).background), width + 2))
            painter.drawRect(box)
            painter.setPen(QPen(QColor(color), width))
            painter.drawRect(box)

    def _paint_readout(self, painter: QPainter) -> None:
        colors = theme(self._dark)
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        top = self.height() - self._foot()
        for text, color, height in (
            (self.readout(), colors.foreground, _READOUT - 2),
            (self._composition, colors.muted, _SECOND),
        ):
            area = QRectF(6, top, self.width() - 12, height)
            painter.setPen(QColor(color))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
            painter.drawText(area, left, shown)
            top += height

    # events

    def _set_hover(self, column: int) -> None:
        if column == self._hover:
            return
        self._hover = column
        self._composition = ""
        self.hovered.emit(self._data.atoms_of(column) if self._data is not None and column >= 0 else (), column)
        self._say()
        self.update()

    def _say(self) -> None:
        """For screen readers, and for the tests: what the readout says."""
        self.setAccessibleDescription("; ".join(t for t in (self.readout(), self._composition) if t))

    def _hit(self, position: QPointF) -> int:
        self._lay_out()
        if self._panel is None or not self._area().adjusted(-4, -4, 4, 2).contains(position):
            return -1
        return self._panel.hit(position + QPointF(0, self._offset()))

    def _point(self, text: str) -> None:
        if text != self._pointed:
            self._pointed = text
            self._say()
            self.update()

    def _on_bar_value_changed(self, _value: int) -> None:
        self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._picture = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self._scroller.is_on:
            event.ignore()
            return
        pixels = event.pixelDelta().y() or event.angleDelta().y() // 2
        self._bar.setValue(self._bar.value() - pixels)
        self._set_hover(self._hit(event.position()))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place, panel = event.position(), self._panel
        if self._scroller.is_on and isinstance(panel, GridPanel) and place.y() < self._area().top() - 2:
            tile = panel.overview_hit(self._strip(), place.x())
            self._point(f"{panel.heading_of(tile)}:  ≤ {number(tile.strength, 4)}")
            self._set_hover(-1)
            if event.buttons() & Qt.MouseButton.LeftButton:
                self._bar.setValue(int(tile.box.top() - self._area().top() - 24))
            return
        self._point("")
        self._set_hover(self._hit(place))

    def leaveEvent(self, event: QEvent) -> None:
        self._point("")
        self._set_hover(-1)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self.underMouse():
            self._set_hover(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        panel = self._panel
        if self._scroller.is_on and isinstance(panel, GridPanel) and event.position().y() < self._area().top() - 2:
            tile = panel.overview_hit(self._strip(), event.position().x())
            self._bar.setValue(int(tile.box.top() - self._area().top() - 24))
        elif event.button() == Qt.MouseButton.LeftButton:
            self._toggle_pin(self._hit(event.position()))
        else:
            event.ignore()

    def _toggle_pin(self, column: int) -> None:
        new = -1 if column == self._pinned else column
        if new != self._pinned:
            self._pinned = new
            self._say()
            self.update()
            self.clicked.emit(new)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        step = _STEPS.get(Qt.Key(key)) if key in _STEPS else None
        if step is not None and self._panel is not None and not self._panel.is_empty:
            column = self._panel.neighbour(self._hover if self._hover >= 0 else self._pinned, *step)
            self.scroll_to(column)
            self._set_hover(column)
        elif self._scroller.is_on and key in _SCROLLS:
            self._bar.triggerAction(_SCROLLS[Qt.Key(key)])
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._hover >= 0:
            self._toggle_pin(self._hover)
        elif key == Qt.Key.Key_Escape and (self._hover >= 0 or self._pinned >= 0):
            self._set_hover(-1)
            self._toggle_pin(self._pinned)
        else:
            # Esc with nothing to leave is the window's
            super().keyPressEvent(event)


_CENTRED = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
_STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
_SCROLLS = {
    Qt.Key.Key_PageUp: QScrollBar.SliderAction.SliderPageStepSub,
    Qt.Key.Key_PageDown: QScrollBar.SliderAction.SliderPageStepAdd,
    Qt.Key.Key_Home: QScrollBar.SliderAction.SliderToMinimum,
    Qt.Key.Key_End: QScrollBar.SliderAction.SliderToMaximum,
}
