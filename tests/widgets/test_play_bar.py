"""The play bar: frames, keys, and that time decides the frame."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QToolButton

from qmlstudio.widgets.play_bar import SPEEDS, PlayBar

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def bar(qtbot: Any) -> PlayBar:
    widget = PlayBar()
    qtbot.addWidget(widget)
    widget.set_count(100)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def frames(bar: PlayBar) -> list[int]:
    told: list[int] = []
    bar.frame_changed.connect(told.append)
    return told


def test_set_frame_does_not_emit_and_is_bounded(bar: PlayBar) -> None:
    told = frames(bar)
    bar.set_frame(42)
    assert bar.frame == 42
    bar.set_frame(1000)
    assert bar.frame == 99
    bar.set_frame(-3)
    assert bar.frame == 0
    assert told == []


def test_slider_and_spin_follow_and_lead(bar: PlayBar) -> None:
    told = frames(bar)
    bar._slider.setValue(10)
    assert bar._spin.value() == 11
    bar._spin.setValue(51)
    assert bar._slider.value() == 50
    assert told == [10, 50]


@pytest.mark.parametrize(
    ("command", "loops", "frame"),
    [
        ("forward", True, 6), ("back", True, 4), ("forward_10", True, 15), ("back_10", True, 95), ("back_10", False, 0),
        ("first", True, 0), ("last", True, 99),
    ],
)  # fmt: skip
def test_commands_step(bar: PlayBar, command: str, loops: bool, frame: int) -> None:
    bar.set_loops(loops)
    bar.set_frame(5)
    told = frames(bar)
    bar.run_command(command)
    assert bar.frame == frame
    assert told == [frame]


def test_unknown_command_is_refused(bar: PlayBar) -> None:
    with pytest.raises(ValueError, match="rewind"):
        bar.run_command("rewind")


def test_keys(qtbot: Any, bar: PlayBar) -> None:
    told = frames(bar)
    qtbot.keyClick(bar, Qt.Key.Key_Right)
    qtbot.keyClick(bar, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(bar, Qt.Key.Key_Left)
    qtbot.keyClick(bar, Qt.Key.Key_End)
    qtbot.keyClick(bar, Qt.Key.Key_Home)
    assert told == [1, 11, 10, 99, 0]
    qtbot.keyClick(bar, Qt.Key.Key_Space)
    assert bar.is_playing
    qtbot.keyClick(bar, Qt.Key.Key_Space)
    assert not bar.is_playing


def test_speed_changes_by_keys_within_its_bounds(qtbot: Any, bar: PlayBar) -> None:
    assert bar.speed == 25
    qtbot.keyClick(bar, Qt.Key.Key_BracketRight)
    assert bar.speed == 40
    for _ in range(30):
        qtbot.keyClick(bar, Qt.Key.Key_BracketLeft)
    assert bar.speed == SPEEDS[0]
    bar.set_speed(10_000)
    assert bar.speed == SPEEDS[-1]


def test_time_decides_the_frame(bar: PlayBar) -> None:
    bar.set_speed(25)
    bar.set_frame(10)
    told = frames(bar)
    for elapsed in (0, 39, 40, 1000, 1001):
        bar._advance(elapsed)
    # the second in which nothing was drawn is left out, not made up for
    assert told == [11, 35]


def test_loop_goes_round_and_without_it_stops_at_the_end(bar: PlayBar) -> None:
    bar.set_speed(100)
    bar.set_frame(90)
    bar.play()
    bar._timer.blockSignals(True)
    bar._advance(250)
    assert bar.frame == 15
    bar.set_loops(False)
    bar.set_frame(90)
    bar._advance(500)
    assert bar.frame == 99
    assert not bar.is_playing
    bar.play()
    assert bar.frame == 0
    bar.pause()


def test_plays_by_itself(qtbot: Any, bar: PlayBar) -> None:
    told, playing = frames(bar), []
    bar.playing_changed.connect(playing.append)
    bar.set_speed(100)
    bar.play()
    qtbot.waitUntil(lambda: len(told) > 3, timeout=5000)
    bar.pause()
    assert told == sorted(told)
    assert playing == [True, False]


def test_new_count_stops_and_clips(bar: PlayBar) -> None:
    bar.set_frame(80)
    bar.play()
    told = frames(bar)
    bar.set_count(20)
    assert not bar.is_playing
    assert bar.frame == 19
    assert told == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_play(bar: PlayBar, count: int) -> None:
    bar.set_count(count)
    bar.play()
    bar.run_command("forward")
    assert not bar.is_playing
    assert bar.frame == 0
    assert not bar.isEnabled()


def test_hidden_bar_pauses(bar: PlayBar) -> None:
    bar.play()
    bar.hide()
    assert not bar.is_playing


def test_every_button_tells_what_it_does(bar: PlayBar) -> None:
    for button in bar.findChildren(QToolButton):
        assert button.toolTip()
        assert not button.icon().isNull()


def test_icons_follow_the_theme(bar: PlayBar) -> None:
    def brightness() -> int:
        image = bar._play.icon().pixmap(16).toImage()
        return max(image.pixelColor(x, 8).lightness() for x in range(16) if image.pixelColor(x, 8).alpha() > 200)

    palette = QPalette(bar.palette())
    palette.setColor(QPalette.ColorRole.WindowText, Qt.GlobalColor.white)
    bar.setPalette(palette)
    bar.changeEvent(QEvent(QEvent.Type.PaletteChange))
    assert brightness() > 200
    palette.setColor(QPalette.ColorRole.WindowText, Qt.GlobalColor.black)
    bar.setPalette(palette)
    assert brightness() < 50
