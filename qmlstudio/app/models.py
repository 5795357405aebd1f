"""The fitted models of the window: which there are, and which one the panels mean."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from qmlstudio.session.shelf_model import ShelfModel


class ModelShelf(QObject):
    """Models in the order in which they came; one of them, or none, is the current one.

    Signals
    -------
    changed()
        A model came, went or was renamed.
    current_changed(model)
        A :class:`ShelfModel`, or None.
    """

    changed = Signal()
    current_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models: list[ShelfModel] = []
        self._current: ShelfModel | None = None

    @property
    def models(self) -> tuple[ShelfModel, ...]:
        """All, the oldest first."""
        return tuple(self._models)

    @property
    def current(self) -> ShelfModel | None:
        """The one that panels explain and apply; None while there is none."""
        return self._current

    def add(self, model: ShelfModel, make_current: bool = True) -> ShelfModel:
        """Put a model on the shelf, with a number behind its name where another has the same.

        Returns the model as it stands there.
        """
        if model in self._models:
            if make_current:
                self.set_current(model)
            return model
        names = {m.name for m in self._models}
        name, number = model.name, 2
        while name in names:
            name, number = f"{model.name} ({number})", number + 1
        placed = model if name == model.name else replace(model, name=name)
        self._models.append(placed)
        self.changed.emit()
        if make_current or self._current is None:
            self.set_current(placed)
        return placed

    def replace(self, old: ShelfModel, new: ShelfModel) -> None:
        """The same model under another name, or saved; ValueError when `old` is not there."""
        self._models[self._models.index(old)] = new
        was_current = old is self._current
        self.changed.emit()
        if was_current:
            self.set_current(new)

    def remove(self, model: ShelfModel) -> None:
        """Take a model away; the latest of the others becomes the current one if it was that."""
        if model not in self._models:
            return
        self._models.remove(model)
        self.changed.emit()
        if model is self._current:
            self.set_current(self._models[-1] if self._models else None)

    def set_current(self, model: ShelfModel | None) -> None:
        """Another current model, or none; ValueError when it is not on the shelf."""
        if model is not None and model not in self._models:
            raise ValueError(f"{model.name!r} is not on the shelf")
        if model is not self._current:
            self._current = model
            self.current_changed.emit(model)

    def find(self, name: str) -> ShelfModel | None:
        """The model of this name."""
        return next((m for m in self._models if m.name == name), None)
