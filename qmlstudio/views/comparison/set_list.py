"""The list of the sets that are compared: colour and line, name, size; energies; where others come from."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QIcon, QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.comparing import ComparisonEngine, Entry
from qmlstudio.session.comparison import COLORS, LINES
from qmlstudio.session.comparison.sets import energy_column, energy_columns
from qmlstudio.widgets.set_style import SetStyle
from qmlstudio.widgets.theme import mix, theme

_NUMBER = Qt.ItemDataRole.UserRole


def styles(names: list[str], dark: bool) -> list[SetStyle]:
    """The looks of sets in their order; colours are lighter on a dark ground."""
    colors = [mix(color, "#ffffff", 0.3) if dark else color for color in COLORS]
    return [SetStyle(n, colors[k % len(colors)], LINES[k % len(LINES)], k) for k, n in enumerate(names)]


class SetList(QWidget):
    """Names can be edited (F2); Delete removes; Alt+↑/↓ moves. The menu of the button `add` is its owner's."""

    def __init__(self, engine: ComparisonEngine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._theme = theme(False)
        self.add = QToolButton()
        self.add.setText(self.tr("&Add a set…"))
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.add.setToolTip(self.tr("The open set or parts of it, files, built-in sets"))
        self.add.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.remove = self._button("−", self.tr("Remove the marked set (Delete)"))
        self.up = self._button("↑", self.tr("Earlier in the list (Alt+Up); colours go by the order"))
        self.down = self._button("↓", self.tr("Later in the list (Alt+Down)"))
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Sets"))
        self.list.setEditTriggers(QListWidget.EditTrigger.DoubleClicked | QListWidget.EditTrigger.EditKeyPressed)
        self.list.setIconSize(QSize(34, 16))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.energy = QComboBox()
        self.energy.setAccessibleName(self.tr("Energies of the marked set"))
        self.energy.setToolTip(self.tr("Total or atomization energies of the marked set"))
        self.energy.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.energy.setMinimumContentsLength(8)
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.details.setTextFormat(Qt.TextFormat.PlainText)
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)
        top = QHBoxLayout()
        top.addWidget(self.add, 1)
        for button in (self.remove, self.up, self.down):
            top.addWidget(button)
        energy = QHBoxLayout()
        caption = QLabel(self.tr("&Energies"))
        caption.setBuddy(self.energy)
        energy.addWidget(caption)
        energy.addWidget(self.energy, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addLayout(energy)
        layout.addWidget(self.details)
        self.list.itemChanged.connect(self._on_list_item_changed)
        self.list.currentRowChanged.connect(self._on_list_current_row_changed)
        self.remove.clicked.connect(self._on_remove_clicked)
        self.up.clicked.connect(self._on_up_clicked)
        self.down.clicked.connect(self._on_down_clicked)
        self.energy.activated.connect(self._on_energy_activated)
        engine.sets_changed.connect(self._on_engine_sets_changed)
        engine.result_changed.connect(self._show_details)
        self._on_engine_sets_changed()

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def set_dark(self, dark: bool) -> None:
        """Follow the window's theme."""
        self._theme = theme(dark)
        self.details.setStyleSheet(f"color: {self._theme.muted}")
        self._on_engine_sets_changed()

    @property
    def styles(self) -> list[SetStyle]:
        """Of the sets that are there, in their order."""
        return styles([part.name for part in self._engine.parts], self._theme.dark)

    @property
    def marked(self) -> Entry | None:
        """The set that is marked in the list."""
        item = self.list.currentItem()
        number = item.data(_NUMBER) if item is not None else -1
        return next((e for e in self._engine.entries if e.number == number), None)

    # -- the engine

    def _on_engine_sets_changed(self) -> None:
        marked = self.list.currentItem().data(_NUMBER) if self.list.currentItem() is not None else -1
        looks = {style.name: style for style in self.styles}
        with QSignalBlocker(self.list):
            self.list.clear()
            for entry in self._engine.entries:
                item = QListWidgetItem(entry.name)
                item.setData(_NUMBER, entry.number)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
                style = looks.get(entry.name)
                if style is not None:
                    item.setIcon(QIcon(style.swatch(self._theme.background, self.devicePixelRatioF())))
                item.setToolTip(_state(entry) if entry.part is None else f"{entry.name}\n{entry.origin}".strip())
                if entry.part is None:
                    item.setText(entry.name)
                    font = item.font()
                    font.setItalic(True)
                    item.setFont(font)
                self.list.addItem(item)
                if entry.number == marked:
                    self.list.setCurrentItem(item)
            if self.list.currentRow() < 0 and self.list.count():
                self.list.setCurrentRow(self.list.count() - 1)
        self._on_list_current_row_changed(self.list.currentRow())

    def _show_details(self) -> None:
        entry, result = self.marked, self._engine.result
        if entry is None:
            self.details.setText(self.tr("Add two sets or more to compare them."))
            return
        if entry.part is None:
            self.details.setText(_state(entry))
            return
        lines = [self.tr("{:,} structures").format(len(entry.part))]
        found = [s for s in result.sets if s.name == entry.name] if result is not None else []
        if found:
            one = found[0].molecules == 1
            text = self.tr("{:,} molecule ({})") if one else self.tr("{:,} molecules (told apart by: {})")
            lines.append(text.format(found[0].molecules, found[0].molecules_by))
            lines += found[0].notes
        self.details.setText("\n".join(lines))

    # -- the person

    def _on_list_item_changed(self, item: QListWidgetItem) -> None:
        self._engine.rename(item.data(_NUMBER), item.text())
        self._on_engine_sets_changed()

    def _on_list_current_row_changed(self, row: int) -> None:
        entry = self.marked
        self.remove.setEnabled(entry is not None)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < self.list.count() - 1)
        with QSignalBlocker(self.energy):
            self.energy.clear()
            if entry is not None and entry.part is not None:
                dataset = entry.part.dataset
                for name in energy_columns(dataset):
                    self.energy.addItem(dataset.properties[name].label(name), name)
                chosen = entry.part.energy or energy_column(dataset)
                self.energy.setCurrentIndex(self.energy.findData(chosen))
        self.energy.setEnabled(self.energy.count() > 0)
        if self.energy.count() == 0:
            self.energy.setPlaceholderText(self.tr("none in this set"))
        self._show_details()

    def _on_remove_clicked(self) -> None:
        entry = self.marked
        if entry is not None:
            self._engine.remove(entry.number)

    def _on_up_clicked(self) -> None:
        self._move(-1)

    def _on_down_clicked(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        entry = self.marked
        if entry is not None:
            self._engine.move(entry.number, by)

    def _on_energy_activated(self, _row: int) -> None:
        entry = self.marked
        if entry is not None:
            self._engine.set_energy(entry.number, str(self.energy.currentData()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if event.key() == Qt.Key.Key_Delete:
            self._on_remove_clicked()
        elif alt and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._move(-1 if event.key() == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)


def _state(entry: Entry) -> str:
    return f"⚠ {entry.problem}" if entry.problem else f"{entry.origin}: …"
