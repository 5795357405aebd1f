"""The gallery's controls: 2D or 3D, aligned, sorted by what, with which captions, how large, which of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QComboBox, QHBoxLayout, QSlider, QToolButton, QWidget

from qmlstudio.widgets.column_chooser import ColumnChooser, Entry
from qmlstudio.widgets.flow_layout import FlowLayout
from qmlstudio.widgets.gallery import LARGEST, SMALLEST
from qmlstudio.widgets.gallery_pictures import Kind
from qmlstudio.widgets.map_toolbar import popup

MOST_CAPTIONS: Final = 3
FIRST_SIZE: Final = 132


class GalleryBar(QWidget):
    """Goes on in a second and third line where the panel is narrow.

    Signals
    -------
    kind_changed("2d" or "3d"), align_toggled(bool), sort_changed(), size_changed(int), only_changed()
    captions_chosen(list of str), captions_reset()
    """

    kind_changed = Signal(str)
    align_toggled = Signal(bool)
    sort_changed = Signal()
    size_changed = Signal(int)
    only_changed = Signal()
    captions_chosen = Signal(object)
    captions_reset = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Fusion's pressed buttons can hardly be told from others on dark windows
        self.setStyleSheet(
            "QToolButton:checked { background: palette(highlight); color: palette(highlighted-text);"
            " border: 1px solid palette(highlight); border-radius: 3px; padding: 2px 4px; }"
        )
        self._kinds = QButtonGroup(self)
        pair = QWidget()
        inner = QHBoxLayout(pair)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        for key, (text, tip) in enumerate(
            (("2D", self.tr("2D depictions")), ("3D", self.tr("3D thumbnails from the geometry")))
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setCheckable(True)
            self._kinds.addButton(button, key)
            inner.addWidget(button)
        self._kinds.button(0).setChecked(True)
        self.align = QToolButton()
        self.align.setText(self.tr("Align"))
        self.align.setCheckable(True)
        self.align.setToolTip(self.tr("Lay the 2D depictions on what the molecules have in common, and mark it"))
        self._sort_by = QComboBox()
        self._sort_by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._sort_by.setMinimumContentsLength(6)
        self._sort_by.setMaxVisibleItems(24)
        self._sort_by.setToolTip(self.tr("Sort by; missing values come last"))
        self._sort_by.setAccessibleName(self.tr("Sort by"))
        self._direction = QToolButton()
        self._direction.setAutoRaise(True)
        self._descending = False
        self._chooser = ColumnChooser(most=MOST_CAPTIONS)
        captions = popup("≡", self.tr("Values below the pictures (at most {})").format(MOST_CAPTIONS), self._chooser)
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(SMALLEST, LARGEST)
        self.size_slider.setPageStep(20)
        self.size_slider.setValue(FIRST_SIZE)
        self.size_slider.setFixedWidth(66)
        self.size_slider.setToolTip(self.tr("Size of the pictures"))
        self.size_slider.setAccessibleName(self.tr("Size of the pictures"))
        self.only_selected = QCheckBox(self.tr("Selected only"))
        self.only_selected.setChecked(True)
        self.only_selected.setToolTip(self.tr("Show the selection; everything when nothing is selected"))
        self.only_passing = QCheckBox(self.tr("Passing only"))
        self.only_passing.setToolTip(self.tr("Only what passes the filters"))
        bar = FlowLayout(self, gap=4)
        bar.setContentsMargins(6, 4, 6, 0)
        for widget in (
            pair,
            self.align,
            self._sort_by,
            self._direction,
            captions,
            self.size_slider,
            self.only_selected,
            self.only_passing,
        ):
            bar.addWidget(widget)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._show_direction()
        self._kinds.idClicked.connect(self._on_kinds_id_clicked)
        self.align.toggled.connect(self.align_toggled)
        self._sort_by.activated.connect(self._on_sort_by_activated)
        self._direction.clicked.connect(self._on_direction_clicked)
        self._chooser.chosen.connect(self.captions_chosen)
        self._chooser.reset_requested.connect(self.captions_reset)
        self.size_slider.valueChanged.connect(self.size_changed)
        self.only_selected.toggled.connect(self._on_only_toggled)
        self.only_passing.toggled.connect(self._on_only_toggled)

    # -- what is set

    @property
    def kind(self) -> Kind:
        """ "2d" or "3d"."""
        return "3d" if self._kinds.checkedId() == 1 else "2d"

    def set_kind(self, kind: Kind) -> None:
        """Choose, without telling; only depictions can be aligned."""
        self._kinds.button(1 if kind == "3d" else 0).setChecked(True)
        self.align.setEnabled(kind == "2d")
        if kind == "3d":
            self.align.setChecked(False)

    @property
    def sort_by(self) -> str:
        """Name of the column; empty: as in the file."""
        return str(self._sort_by.currentData() or "")

    @property
    def descending(self) -> bool:
        """Largest first."""
        return self._descending

    def set_sort(self, name: str, descending: bool) -> None:
        """Choose, without telling; an unknown column means as in the file."""
        with QSignalBlocker(self._sort_by):
            self._sort_by.setCurrentIndex(max(self._sort_by.findData(name), 0))
        self._descending = descending
        self._show_direction()

    def set_columns(self, names: Sequence[str], captions: Sequence[str]) -> None:
        """Offer these columns for sorting and captions; `captions` are ticked."""
        kept = self.sort_by
        with QSignalBlocker(self._sort_by):
            self._sort_by.clear()
            self._sort_by.addItem(self.tr("file order"), "")
            for name in names:
                self._sort_by.addItem(name, name)
            self._sort_by.setCurrentIndex(max(self._sort_by.findData(kept), 0))
        self._show_direction()
        ticked = [n for n in captions if n in names]
        self._chooser.set_entries(
            [Entry(n, n, n, n in ticked) for n in (*ticked, *(n for n in names if n not in ticked))]
        )

    # -- inside

    def _show_direction(self) -> None:
        self._direction.setText("↓" if self.descending else "↑")
        tip = self.tr("Largest first") if self.descending else self.tr("Smallest first")
        self._direction.setToolTip(tip)
        self._direction.setAccessibleName(tip)
        self._direction.setEnabled(bool(self.sort_by))

    def _on_kinds_id_clicked(self, _which: int) -> None:
        self.set_kind(self.kind)
        self.kind_changed.emit(self.kind)

    def _on_sort_by_activated(self) -> None:
        self._show_direction()
        self.sort_changed.emit()

    def _on_direction_clicked(self) -> None:
        self._descending = not self._descending
        self._show_direction()
        self.sort_changed.emit()

    def _on_only_toggled(self) -> None:
        self.only_changed.emit()
