"""Which renderer draws a structure, when, and how finely.

OpenGL where it works, else QPainter. A picture is drawn again only if something has changed; while it moves and takes
longer than `SLOW`, it is drawn with fewer pixels, and finely again once it rests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Final, Protocol

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage

from qmlstudio.widgets.molecule_painter import PainterRenderer
from qmlstudio.widgets.molecule_scene import Capsules, Shot

SLOW: Final = 0.033
"""Seconds for a picture above which it is drawn coarser while it moves."""
COARSEST: Final = 0.4
"""Least share of the pixels per side."""
SETTLE: Final = 160
"""Milliseconds after the last movement until it is drawn finely again."""


class Renderer(Protocol):
    """What makes a picture of capsules."""

    name: str
    max_size: int

    def set_capsules(self, capsules: Capsules) -> None:
        """What the next pictures show."""

    def image(self, shot: Shot) -> QImage:
        """The picture."""

    def close(self) -> None:
        """Frees what it holds."""


class Drawer(QObject):
    """Owns the renderer and the last picture.

    Parameters
    ----------
    parent : QObject
        With which the renderer is freed.
    scene : callable
        Gives the capsules when they are needed.

    Signals
    -------
    backend_changed(str, str)
        "opengl" or "painter", and a note why, for people.
    refined
        The next picture would be finer than the last.
    """

    backend_changed = Signal(str, str)
    refined = Signal()

    def __init__(self, parent: QObject, scene: Callable[[], Capsules]) -> None:
        super().__init__(parent)
        self._scene = scene
        self._renderer: Renderer | None = None
        self._closer: partial[None] | None = None
        self._note = ""
        self._stale = True
        self._picture: QImage | None = None
        self._shot: Shot | None = None
        self._took = 0.0
        self._moving = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE)
        self._settle.timeout.connect(self._on_settle_timeout)

    @property
    def backend(self) -> str:
        """ "opengl", "painter", or "" before `start`."""
        return self._renderer.name if self._renderer is not None else ""

    @property
    def note(self) -> str:
        """Why there is no OpenGL, for people."""
        return self._note

    def start(self, backend: str = "auto") -> None:
        """Makes the renderer: OpenGL if it works ("auto"), or QPainter ("painter"). Later calls do nothing."""
        if self._renderer is not None:
            return
        if backend == "painter":
            self._use(PainterRenderer(), self.tr("Drawn without OpenGL"))
            return
        # vispy is loaded here and not at start-up
        from qmlstudio.widgets.molecule_vispy import GLRenderer, NoOpenGLError

        try:
            self._use(GLRenderer(), "")
        except (NoOpenGLError, ImportError) as error:
            self._fall_back(error)

    def stop(self) -> None:
        """Frees the renderer."""
        self.rest()
        if self._renderer is not None:
            self.destroyed.disconnect(self._closer)
            self._renderer.close()
            self._renderer = self._closer = None
            self._picture = self._shot = None

    def changed(self, scene: bool, moves: bool) -> None:
        """The next picture is another one: its capsules (`scene`) or only the camera; `moves`: more may follow soon."""
        self._stale = self._stale or scene
        if moves and self._took > SLOW:
            self._moving = True
            self._settle.start()

    def rest(self) -> None:
        """Nothing moves: no timer runs."""
        self._settle.stop()
        self._moving = False

    def picture(self, shot: Shot, pixel_ratio: float) -> QImage | None:
        """The picture for a shot in logical pixels, on a screen with `pixel_ratio` pixels each; None before `start`."""
        if self._renderer is None:
            return None
        # the time goes with the number of pixels
        coarse = self._moving and self._took > SLOW
        share = float(np.clip(np.sqrt(SLOW / self._took), COARSEST, 1.0)) if coarse else 1.0
        wanted = _scaled(shot, pixel_ratio * share)
        if self._picture is None or self._stale or wanted != self._shot:
            begun = perf_counter()
            if self._stale:
                self._renderer.set_capsules(self._scene())
                self._stale = False
            self._picture = self._image(wanted)
            self._took = (perf_counter() - begun) / share**2
            self._shot = wanted
        return self._picture

    def once(self, capsules: Capsules, shot: Shot, fine: bool) -> QImage:
        """A picture apart from the widget's; with OpenGL, `fine` averages four pixels to one."""
        assert self._renderer is not None
        self._renderer.set_capsules(capsules)
        self._stale = True
        largest = self._renderer.max_size / max(shot.width, shot.height)
        factor = min(2.0 if fine and self._renderer.name == "opengl" else 1.0, largest)
        image = self._image(_scaled(shot, factor), capsules)
        if (image.width(), image.height()) != (shot.width, shot.height):
            smooth = Qt.TransformationMode.SmoothTransformation
            image = image.scaled(shot.width, shot.height, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
        return image

    def _image(self, shot: Shot, capsules: Capsules | None = None) -> QImage:
        renderer = self._renderer
        assert renderer is not None
        try:
            return renderer.image(shot)
        except RuntimeError as error:
            if isinstance(renderer, PainterRenderer):
                raise
            # the context was lost (the driver was updated, the user was switched): go on without
            self.stop()
            fallback = self._fall_back(error)
            fallback.set_capsules(self._scene() if capsules is None else capsules)
            return fallback.image(shot)

    def _fall_back(self, error: Exception) -> PainterRenderer:
        renderer = PainterRenderer()
        self._use(renderer, self.tr("Drawn without OpenGL: {reason}").format(reason=error))
        return renderer

    def _use(self, renderer: Renderer, note: str) -> None:
        self._renderer, self._note, self._stale = renderer, note, True
        # the context goes with the widget, whoever deletes it; a partial holds the renderer when `self` is gone
        self._closer = partial(_close, renderer)
        self.destroyed.connect(self._closer)
        self.backend_changed.emit(renderer.name, note)

    def _on_settle_timeout(self) -> None:
        self._moving = False
        self.refined.emit()


def _scaled(shot: Shot, factor: float) -> Shot:
    return replace(
        shot,
        width=max(round(shot.width * factor), 1),
        height=max(round(shot.height * factor), 1),
        ratio=shot.ratio * factor,
    )


def _close(renderer: Renderer, *_: object) -> None:
    renderer.close()
