"""Menus and actions, made from the command tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu

from qmlstudio.app import represent
from qmlstudio.app.commands import COMMANDS, CONTEXT, MENUS, Command
from qmlstudio.chem.builtin import BUILTIN

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow


class Menus(QObject):
    """The menu bar of a window.

    Attributes
    ----------
    actions : dict
        Command's id → its action.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.actions: dict[str, QAction] = {}
        self._submenus: dict[str, QMenu] = {}
        bar = window.menuBar()
        self._menus = {m: bar.addMenu(QApplication.translate(CONTEXT, m)) for m in MENUS}
        for command in COMMANDS:
            menu = self._menus[command.menu]
            if command.separator:
                menu.addSeparator()
            if command.id in ("open_recent", "builtin"):
                self._submenus[command.id] = menu.addMenu(command.title)
                continue
            action = self._make_action(command)
            action.triggered.connect(getattr(window.actions_of_commands, f"on_{command.id}"))
            menu.addAction(action)
        # a panel that has the focus handles Esc itself (the lasso in progress, the hover card)
        self.actions["clear"].setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        for name, info in BUILTIN.items():
            action = self._submenus["builtin"].addAction(info.title)
            action.setToolTip(info.description)
            action.triggered.connect(partial(window.open_paths, [f"builtin:{name}"]))
        big = self._submenus["builtin"].addAction(self.tr("QM9, all 130,831 molecules"))
        big.setToolTip(self.tr("Read from the installed extra “qm9”; without it you are told how to install it"))
        big.triggered.connect(partial(window.open_paths, ["qm9:"]))
        self._submenus["builtin"].setToolTipsVisible(True)
        self._submenus["open_recent"].aboutToShow.connect(self._fill_recent)
        view = self._menus["&View"]
        first = view.actions()[0]
        for number, dock in enumerate(window.docks.values(), 1):
            action = dock.toggleViewAction()
            if number <= 9:
                action.setShortcut(QKeySequence(f"Ctrl+{number}"))
            view.insertAction(first, action)
        view.insertSeparator(first)
        themes = QActionGroup(window)
        for mode in ("system", "light", "dark"):
            action = self.actions[f"theme_{mode}"]
            action.setChecked(window.preferences.theme == mode)
            themes.addAction(action)
        self._representations = QActionGroup(window)
        self._menus[represent.MENU].setToolTipsVisible(True)
        self._menus[represent.MENU].aboutToShow.connect(self.show_representations)
        self.show_representations()

    def _make_action(self, command: Command) -> QAction:
        action = QAction(command.title, self._window)
        action.setToolTip(command.tooltip)
        action.setStatusTip(command.tooltip)
        action.setCheckable(command.checkable)
        if command.shortcut:
            action.setShortcut(QKeySequence(command.shortcut))
        self.actions[command.id] = action
        return action

    def show_representations(self) -> None:
        """An action for each registered representation, the present one checked; other packages' are added."""
        window, menu = self._window, self._menus[represent.MENU]
        table = represent.commands()
        known = {action.objectName() for action in self._representations.actions()}
        if {c.id for c in table} != known:
            for action in self._representations.actions():
                self.actions.pop(action.objectName(), None)
                self._representations.removeAction(action)
                menu.removeAction(action)
                action.deleteLater()
            for separator in [a for a in menu.actions() if a.objectName() == "family"]:
                menu.removeAction(separator)
            for command in table:
                if command.separator:
                    menu.addSeparator().setObjectName("family")
                action = self._make_action(command)
                action.setObjectName(command.id)
                name = command.id.removeprefix(represent.PREFIX)
                action.triggered.connect(partial(self._on_representation_triggered, name))
                self._representations.addAction(action)
                menu.addAction(action)
        present = self.actions.get(represent.PREFIX + window.store.session.representation.name)
        if present is not None:
            present.setChecked(True)

    def _on_representation_triggered(self, name: str, _checked: bool = False) -> None:
        self._window.actions_of_commands.on_represent(name)

    def _fill_recent(self) -> None:
        window, menu = self._window, self._submenus["open_recent"]
        menu.clear()
        for recent in window.preferences.recent_files:
            action = menu.addAction(recent.name)
            action.setToolTip(recent.path)
            action.setEnabled(recent.exists)
            action.triggered.connect(partial(window.open_paths, [recent.path]))
        menu.setToolTipsVisible(True)
        if menu.isEmpty():
            menu.addAction(self.tr("nothing yet")).setEnabled(False)
        else:
            menu.addSeparator()
            menu.addAction(self.tr("Clear"), window.preferences.clear_recent_files)
