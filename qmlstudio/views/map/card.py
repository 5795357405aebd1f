"""The card under the cursor: name, formula, values and a depiction of the structure that the mouse points at."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from qmlstudio.app.jobs import Job, JobRunner
from qmlstudio.app.store import Store
from qmlstudio.chem.depict import depiction_svg
from qmlstudio.progress import Progress
from qmlstudio.session.map_spec import MapView as LookOfMap
from qmlstudio.widgets.hover_card import HoverCard
from qmlstudio.widgets.property_table import format_number

CARD_ROWS = 5
DEPICTION = (200, 150)
_TEXTS = ("smiles", "inchi", "formula")


class Card(QObject):
    """Fills and shows a :class:`HoverCard`; the depiction follows from a job."""

    def __init__(self, store: Store, runner: JobRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._store = store
        self._runner = runner
        self._dark = False
        self.index = -1
        self._content: tuple[str, str, list[tuple[str, str]]] = ("", "", [])
        self.widget = HoverCard(parent)
        self.is_kept = False

    @property
    def is_visible(self) -> bool:
        """Whether it is on screen."""
        return self.widget.isVisible()

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._dark = dark
        self.widget.set_dark(dark)

    def show(self, index: int, look: LookOfMap) -> None:
        """Show a structure's card at the cursor."""
        dataset = self._store.dataset
        if dataset is None:
            return
        self.index = index
        structure = dataset.structures[index]
        self._content = (str(dataset.identifiers[index]), structure.formula, card_rows(self._store, index, look))
        self.widget.set_content(*self._content)
        self.widget.show_at(self.widget.cursor().pos())
        smiles = dataset.smiles
        text = str(smiles[index]) if smiles is not None else ""
        self._runner.submit(
            Job(
                key=f"depiction {dataset.fingerprint} {index} {self._dark}",
                slot="hover",
                title=self.tr("Depiction"),
                compute=partial(_depict, text or structure, self._dark),
                done=partial(self._on_depicted, index),
                lane="interactive",
                conflate=True,
            )
        )

    def hide(self) -> None:
        """Take it away, kept or not."""
        self.is_kept = False
        self.index = -1
        self._runner.cancel("hover")
        self.widget.hide()

    def _on_depicted(self, index: int, svg: str) -> None:
        if index == self.index and svg:
            self.widget.set_content(*self._content, svg)
            self.widget.show_at(self.widget.cursor().pos())


def card_rows(store: Store, index: int, look: LookOfMap) -> list[tuple[str, str]]:
    """What the map is bound to first, then the set's first few columns: names and values with units."""
    columns = store.columns
    if columns is None:
        return []
    bound = (store.session.coloring.color_by, look.size_by, look.symbol_by, look.x_axis, look.y_axis)
    names = list(dict.fromkeys(n for n in bound if n in columns))
    names += [n for n in columns.names(composition=False) if n not in names and n not in _TEXTS]
    rows = []
    for name in names[:CARD_ROWS]:
        p = columns[name]
        value = str(p.values[index]) if p.is_text else format_number(float(p.values[index]))
        rows.append((name, f"{value} {p.unit}".strip() if value not in ("", "–") else "–"))
    return rows


def _depict(molecule: Any, dark: bool, progress: Progress) -> str:
    progress.check()
    return depiction_svg(molecule, DEPICTION, dark)
