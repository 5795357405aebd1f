"""The play bar of a trajectory: slider, buttons, speed, frame number.

Time decides the frame: who draws slower than the speed asks misses frames, and never lags behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QElapsedTimer, QEvent, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QIcon, QKeyEvent, QPainter, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QSpinBox, QToolButton, QWidget

SPEEDS: Final = (1, 2, 5, 10, 15, 25, 40, 60, 100, 200, 500, 1000)
"""Frames per second to choose from."""
STEP: Final = 10
"""Frames of a long step."""
TICK: Final = 16
"""Milliseconds between looks at the clock: no screen shows more than about 60 pictures per second."""

Points = list[tuple[float, float]]

# shapes on a square of 16, filled; two numbers are a corner
_ICONS: Final[dict[str, list[Points]]] = {
    "play": [[(4, 2.5), (13.5, 8), (4, 13.5)]],
    "pause": [[(3.5, 3), (6.7, 3), (6.7, 13), (3.5, 13)], [(9.3, 3), (12.5, 3), (12.5, 13), (9.3, 13)]],
    "back": [[(10.5, 3), (10.5, 13), (4, 8)], [(12, 3), (13.6, 3), (13.6, 13), (12, 13)]],
    "forward": [[(5.5, 3), (5.5, 13), (12, 8)], [(2.4, 3), (4, 3), (4, 13), (2.4, 13)]],
    "first": [
        [(13.5, 3), (13.5, 13), (8.5, 8)],
        [(8.5, 3), (8.5, 13), (3.5, 8)],
        [(2, 3), (3.5, 3), (3.5, 13), (2, 13)],
    ],
    "last": [
        [(2.5, 3), (2.5, 13), (7.5, 8)],
        [(7.5, 3), (7.5, 13), (12.5, 8)],
        [(12.5, 3), (14, 3), (14, 13), (12.5, 13)],
    ],
}


class PlayBar(QWidget):
    """Chooses and plays frames.

    Signals
    -------
    frame_changed(int)
        0-based; also while playing.
    playing_changed(bool)
    """

    frame_changed = Signal(int)
    playing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 0
        self._frame = 0
        self._begun = 0
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._on_timer_timeout)

        self._first = self._button(self.tr("First frame (Home)"), self.to_first)
        self._back = self._button(self.tr("One frame back (←); ten with Shift"), self.step_back)
        self._play = self._button(self.tr("Play or pause (Space)"), self.toggle)
        self._forward = self._button(self.tr("One frame on (→); ten with Shift"), self.step_forward)
        self._last = self._button(self.tr("Last frame (End)"), self.to_last)
        for button in (self._back, self._forward):
            button.setAutoRepeat(True)

        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setToolTip(self.tr("Frame"))
        self._slider.setAccessibleName(self.tr("Frame"))
        self._slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slider.setMinimumWidth(60)
        # the bar's own keys are those of the structure view, whatever part of it has the focus
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._slider.valueChanged.connect(self.set_frame_here)

        self._spin = QSpinBox(self)
        self._spin.setToolTip(self.tr("Number of the frame"))
        self._spin.setAccessibleName(self.tr("Number of the frame"))
        self._spin.setKeyboardTracking(False)
        self._spin.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._spin.valueChanged.connect(self._on_spin_value_changed)
        self._total = QLabel(self)

        self._speed = QComboBox(self)
        self._speed.setToolTip(self.tr("Frames per second ([ slower, ] faster)"))
        self._speed.setAccessibleName(self.tr("Frames per second"))
        self._speed.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for speed in SPEEDS:
            self._speed.addItem(self.tr("{n} fps").format(n=speed), speed)
        self._speed.setCurrentIndex(SPEEDS.index(25))
        self._speed.currentIndexChanged.connect(self._on_speed_current_index_changed)

        self._loop = self._button(self.tr("Begin again after the last frame"), self._keep_time)
        self._loop.setCheckable(True)
        self._loop.setChecked(True)

        row = QHBoxLayout(self)
        row.setContentsMargins(4, 2, 4, 2)
        row.setSpacing(2)
        buttons: list[QWidget] = [self._first, self._back, self._play, self._forward, self._last]
        for widget in [*buttons, self._slider, self._spin, self._total, self._speed, self._loop]:
            row.addWidget(widget)
        row.setStretchFactor(self._slider, 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._draw_icons()
        self.set_count(0)

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Number of frames."""
        return self._count

    @property
    def frame(self) -> int:
        """The current frame, 0-based."""
        return self._frame

    @property
    def is_playing(self) -> bool:
        """Whether frames advance by themselves."""
        return self._timer.isActive()

    @property
    def speed(self) -> int:
        """Frames per second."""
        return int(self._speed.currentData())

    @property
    def loops(self) -> bool:
        """Whether the first frame follows the last."""
        return self._loop.isChecked()

    def set_count(self, count: int) -> None:
        """Number of frames; stops. If the current frame no longer exists, the last one is shown, without a signal."""
        self.pause()
        self._count = max(int(count), 0)
        self._frame = min(self._frame, max(self._count - 1, 0))
        self.setEnabled(self._count > 1)
        self._total.setText(self.tr("of {n:,}").format(n=self._count))
        for widget, low, high in (
            (self._slider, 0, max(self._count - 1, 0)),
            (self._spin, min(self._count, 1), self._count),
        ):
            blocked = widget.blockSignals(True)
            widget.setRange(low, high)
            widget.blockSignals(blocked)
        self._slider.setPageStep(max(self._count // 20, STEP))
        self._spin.setMinimumWidth(self._spin.fontMetrics().horizontalAdvance(str(self._count)) + 22)
        self._show_frame()

    def set_frame(self, frame: int) -> None:
        """Shows a frame without a signal; beyond the ends, the nearest one. Playing goes on from there."""
        self._frame = min(max(int(frame), 0), max(self._count - 1, 0))
        self._keep_time()
        self._show_frame()

    def set_frame_here(self, frame: int) -> None:
        """As a person does it: `set_frame`, and `frame_changed` if it is another one."""
        before = self._frame
        self.set_frame(frame)
        if self._frame != before:
            self.frame_changed.emit(self._frame)

    def set_speed(self, speed: int) -> None:
        """Frames per second; the nearest of `SPEEDS`."""
        self._speed.setCurrentIndex(min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - speed)))

    def set_loops(self, loops: bool) -> None:
        """Whether the first frame follows the last."""
        self._loop.setChecked(loops)

    # -- actions -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Begins to play; from the first frame if the last one is shown and nothing loops."""
        if self.is_playing or self._count < 2:
            return
        if not self.loops and self._frame == self._count - 1:
            self.set_frame_here(0)
        self._timer.start()
        self._keep_time()
        self._draw_icons()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        """Stays at the current frame."""
        if self.is_playing:
            self._timer.stop()
            self._draw_icons()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        """Plays or pauses."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def step(self, frames: int) -> None:
        """That many frames on (or back), and pauses; goes round where it loops."""
        self.pause()
        if self._count:
            target = self._frame + frames
            self.set_frame_here(target % self._count if self.loops else target)

    def step_back(self) -> None:
        """One frame back."""
        self.step(-1)

    def step_forward(self) -> None:
        """One frame on."""
        self.step(1)

    def to_first(self) -> None:
        """The first frame."""
        self.set_frame_here(0)

    def to_last(self) -> None:
        """The last frame."""
        self.set_frame_here(self._count - 1)

    def run_command(self, command: str) -> None:
        """What the structure view's keys ask for (`MoleculeCanvas.play_command`); ValueError for an unknown one."""
        actions: dict[str, Callable[[], None]] = {
            "toggle": self.toggle,
            "back": self.step_back,
            "forward": self.step_forward,
            "back_10": lambda: self.step(-STEP),
            "forward_10": lambda: self.step(STEP),
            "first": self.to_first,
            "last": self.to_last,
            "slower": lambda: self._change_speed(-1),
            "faster": lambda: self._change_speed(1),
        }
        if command not in actions:
            raise ValueError(f"no play command {command!r}")
        actions[command]()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _button(self, tip: str, action: Callable[[], None]) -> QToolButton:
        button = QToolButton(self)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setIconSize(QSize(16, 16))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.clicked.connect(lambda: action())
        return button

    def _change_speed(self, by: int) -> None:
        self._speed.setCurrentIndex(min(max(self._speed.currentIndex() + by, 0), len(SPEEDS) - 1))

    def _keep_time(self) -> None:
        """The clock counts from the current frame."""
        self._begun = self._frame
        self._clock.start()

    def _show_frame(self) -> None:
        for widget, value in ((self._slider, self._frame), (self._spin, self._frame + 1)):
            blocked = widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(blocked)

    def _advance(self, milliseconds: int) -> None:
        """The frame that belongs to a time since `_keep_time`."""
        target = self._begun + milliseconds * self.speed // 1000
        if target < self._count or self.loops:
            frame = target % self._count
        else:
            frame = self._count - 1
            self.pause()
        if frame != self._frame:
            # not `set_frame`: the clock goes on, so that fractions of frames are not lost
            self._frame = frame
            self._show_frame()
            self.frame_changed.emit(frame)

    def _on_timer_timeout(self) -> None:
        self._advance(self._clock.elapsed())

    def _on_spin_value_changed(self, value: int) -> None:
        self.set_frame_here(value - 1)

    def _on_speed_current_index_changed(self, index: int) -> None:
        self._keep_time()

    def _draw_icons(self) -> None:
        pairs = [(self._first, "first"), (self._back, "back"), (self._forward, "forward"), (self._last, "last")]
        pairs.append((self._play, "pause" if self.is_playing else "play"))
        for button, name in pairs:
            button.setIcon(_icon(name, self.palette(), self.devicePixelRatioF()))
        self._loop.setIcon(_icon("loop", self.palette(), self.devicePixelRatioF()))

    def changeEvent(self, event: QEvent) -> None:
        """Icons in the theme's colours."""
        if event.type() == QEvent.Type.PaletteChange:
            self._draw_icons()
        super().changeEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing plays while nobody looks."""
        self.pause()
        super().hideEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The keys of the structure view."""
        command = _KEYS.get(Qt.Key(event.key()))
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if command in ("back", "forward") and held == Qt.KeyboardModifier.ShiftModifier:
            self.run_command(f"{command}_10")
        elif command is not None and held == Qt.KeyboardModifier.NoModifier:
            self.run_command(command)
        else:
            super().keyPressEvent(event)


_KEYS: Final = {
    Qt.Key.Key_Space: "toggle",
    Qt.Key.Key_Left: "back",
    Qt.Key.Key_Right: "forward",
    Qt.Key.Key_Down: "back",
    Qt.Key.Key_Up: "forward",
    Qt.Key.Key_Home: "first",
    Qt.Key.Key_End: "last",
    Qt.Key.Key_BracketLeft: "slower",
    Qt.Key.Key_BracketRight: "faster",
}


def _icon(name: str, palette: QPalette, ratio: float) -> QIcon:
    icon = QIcon()
    for mode, group in (
        (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
        (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
    ):
        icon.addPixmap(_pixmap(name, palette.color(group, QPalette.ColorRole.WindowText), ratio), mode)
    return icon


def _pixmap(name: str, color: QColor, ratio: float) -> QPixmap:
    pixmap = QPixmap(round(16 * ratio), round(16 * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if name == "loop":
        painter.setPen(QPen(color, 1.6))
        painter.drawArc(3, 3, 10, 10, 60 * 16, 290 * 16)
        shapes: list[Points] = [[(7.2, 0.6), (12.2, 3.2), (7.8, 6.4)]]
    else:
        shapes = _ICONS[name]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    for shape in shapes:
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in shape]))
    painter.end()
    return pixmap
