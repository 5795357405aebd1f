"""Small dialogs: errors with details, problems of a file, keys, preferences, command palette, search, recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from qmlstudio.app.commands import COMMANDS, CONTEXT, GESTURES, MENUS, Command
from qmlstudio.app.preferences import Preferences
from qmlstudio.chem.errors import Problem
from qmlstudio.session.scripting import KEEPER


def error_box(parent: QWidget, message: str, details: str) -> QMessageBox:
    """A box that says what went wrong; a button unfolds the traceback. Does not block."""
    box = QMessageBox(QMessageBox.Icon.Warning, QCoreApplication.translate("Dialogs", "QML Studio"), "", parent=parent)
    head, _, rest = message.partition(" → ")
    box.setText(head)
    box.setInformativeText(rest[:1].upper() + rest[1:])
    if details:
        box.setDetailedText(details)
    box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return box


class TextDialog(QDialog):
    """A resizable window with text."""

    def __init__(self, title: str, text: str, parent: QWidget, rich: bool = False) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        view: QTextBrowser | QPlainTextEdit
        if rich:
            view = QTextBrowser()
            view.setOpenExternalLinks(True)
            view.setHtml(text)
        else:
            view = QPlainTextEdit(text)
            view.setReadOnly(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(view)
        layout.addWidget(buttons)
        self.resize(720, 560)


def problems_dialog(problems: Sequence[Problem], parent: QWidget) -> TextDialog:
    """Everything of a file that could not be used."""
    text = "\n".join(str(p) for p in problems)
    return TextDialog(QCoreApplication.translate("Dialogs", "Problems of this data set"), text, parent)


def shortcuts_dialog(parent: QWidget) -> TextDialog:
    """The sheet of keys and gestures, made from the command table."""

    def tr(text: str) -> str:
        return QCoreApplication.translate(CONTEXT, text)

    rows = []
    for menu in MENUS:
        commands = [c for c in COMMANDS if c.menu == menu and c.shortcut]
        if commands:
            rows.append(f"<h3>{tr(menu).replace('&', '')}</h3><table cellpadding='3'>")
            for c in commands:
                keys = QKeySequence(c.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
                rows.append(f"<tr><td><b>{keys}</b></td><td>{c.title.replace('&', '')}</td></tr>")
            rows.append("</table>")
    for title, gestures in GESTURES:
        rows.append(f"<h3>{tr(title)}</h3><table cellpadding='3'>")
        rows += [f"<tr><td><b>{tr(keys)}</b></td><td>{tr(what)}</td></tr>" for keys, what in gestures]
        rows.append("</table>")
    return TextDialog(QCoreApplication.translate("Dialogs", "Keys and gestures"), "".join(rows), parent, rich=True)


class PreferencesDialog(QDialog):
    """Changes take effect at once."""

    def __init__(self, preferences: Preferences, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Preferences"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._preferences = preferences
        self._theme = QComboBox()
        for value, text in (
            ("system", self.tr("as the system")),
            ("light", self.tr("light")),
            ("dark", self.tr("dark")),
        ):
            self._theme.addItem(text, value)
        self._theme.setCurrentIndex(self._theme.findData(preferences.theme))
        self._theme.activated.connect(self._on_theme_activated)
        self._lasso = QCheckBox(self.tr("A plain drag on the map lassoes (the middle button moves it)"))
        self._lasso.setChecked(preferences.lasso_on_plain_drag)
        self._lasso.toggled.connect(self._on_lasso_toggled)
        self._memory = QSpinBox()
        self._memory.setRange(256, 1_000_000)
        self._memory.setSingleStep(256)
        self._memory.setSuffix(self.tr(" MiB"))
        self._memory.setValue(preferences.memory_budget // 2**20)
        self._memory.editingFinished.connect(self._on_memory_editing_finished)
        self._memory.setToolTip(self.tr("Features and results beyond it are refused, with a plan"))
        self._stores = QSpinBox()
        self._stores.setRange(0, 100_000)
        self._stores.setSuffix(self.tr(" GiB"))
        self._stores.setValue(KEEPER.budget // 2**30)
        self._stores.editingFinished.connect(self._on_stores_editing_finished)
        self._stores.setToolTip(
            self.tr("Sets that take long to read are kept and open at once; those not used for longest go first")
        )
        self._stored = QLabel()
        self._clear = QPushButton(self.tr("&Clear"))
        self._clear.setAutoDefault(False)
        self._clear.setToolTip(self.tr("Remove the kept sets; the files that they were read from stay"))
        self._clear.clicked.connect(self._on_clear_clicked)
        kept = QHBoxLayout()
        kept.addWidget(self._stored, 1)
        kept.addWidget(self._clear)
        form = QFormLayout()
        form.addRow(self.tr("Theme"), self._theme)
        form.addRow(self.tr("Map"), self._lasso)
        form.addRow(self.tr("Memory for results"), self._memory)
        form.addRow(self.tr("Disk for data sets"), self._stores)
        form.addRow(self.tr("Kept data sets"), kept)
        self._show_stored()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(buttons)

    def _on_theme_activated(self, _row: int) -> None:
        self._preferences.theme = self._theme.currentData()

    def _on_lasso_toggled(self, on: bool) -> None:
        self._preferences.lasso_on_plain_drag = on

    def _on_memory_editing_finished(self) -> None:
        self._preferences.memory_budget = self._memory.value() * 2**20

    def _on_stores_editing_finished(self) -> None:
        if self._stores.value() != KEEPER.budget // 2**30:
            KEEPER.budget = self._stores.value() * 2**30
            self._show_stored()

    def _on_clear_clicked(self) -> None:
        KEEPER.clear()
        self._show_stored()

    def _show_stored(self) -> None:
        size = KEEPER.size
        amount = self.tr("{:,.1f} GiB").format(size / 2**30) if size >= 2**30 else f"{size / 2**20:,.0f} MiB"
        self._stored.setText(self.tr("none") if not size else self.tr("{} on disk").format(amount))
        self._clear.setEnabled(size > 0)


class PickDialog(QDialog):
    """A line to type in and a list that follows: the command palette and the search.

    Parameters
    ----------
    find : callable (text) -> list of (title, note, action)
        What fits; `action` is called without arguments when it is chosen.
    """

    def __init__(
        self,
        title: str,
        hint: str,
        find: Callable[[str], Sequence[tuple[str, str, Callable[[], object]]]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._find = find
        self._actions: list[Callable[[], object]] = []
        self._line = QLineEdit()
        self._line.setPlaceholderText(hint)
        self._line.setClearButtonEnabled(True)
        self._list = QListWidget()
        self._note = QLabel()
        layout = QVBoxLayout(self)
        layout.addWidget(self._line)
        layout.addWidget(self._list)
        layout.addWidget(self._note)
        self._line.textChanged.connect(self._on_line_text_changed)
        self._line.returnPressed.connect(self._choose)
        self._list.itemActivated.connect(self._choose)
        self._list.itemClicked.connect(self._choose)
        self.resize(560, 420)
        self._on_line_text_changed("")

    def _on_line_text_changed(self, text: str) -> None:
        self._list.clear()
        try:
            found = self._find(text)
            self._note.setText("" if found or not text.strip() else self.tr("Nothing fits."))
        except ValueError as error:
            found = []
            self._note.setText(self.tr("⚠ {}").format(error))
        self._actions = [action for _, _, action in found]
        for title, note, _ in found:
            item = QListWidgetItem(f"{title}    {note}" if note else title)
            self._list.addItem(item)
        if found:
            self._list.setCurrentRow(0)

    def _choose(self, *_: object) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._actions):
            action = self._actions[row]
            self.accept()
            action()

    def keyPressEvent(self, event: object) -> None:
        key = event.key()  # type: ignore[attr-defined]
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            step = 1 if key == Qt.Key.Key_Down else -1
            self._list.setCurrentRow(max(0, min(self._list.count() - 1, self._list.currentRow() + step)))
            return
        super().keyPressEvent(event)  # type: ignore[arg-type]


def matching_commands(text: str, commands: Sequence[Command]) -> list[Command]:
    """Commands whose title has all the words, in any order."""
    words = text.lower().split()
    return [c for c in commands if all(w in c.title.replace("&", "").lower() for w in words)]
