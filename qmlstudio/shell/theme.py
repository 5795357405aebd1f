"""Light and dark, after the system or as chosen."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from qmlstudio.resources_path import resources
from qmlstudio.widgets.theme import Theme, mix, theme

HIGHLIGHT = {False: "#2f7ad1", True: "#3b82d6"}
"""Selected rows, checked boxes: light, dark."""


class ThemeSwitch(QObject):
    """Keeps the application's palette true to the preference and to the system.

    Signals
    -------
    changed(dark)
    """

    changed = Signal(bool)

    def __init__(self, application: QApplication, mode: str = "system") -> None:
        super().__init__(application)
        self._application = application
        self._mode = mode
        application.setStyle("Fusion")
        application.styleHints().colorSchemeChanged.connect(self._on_color_scheme_changed)
        self._apply()

    @property
    def is_dark(self) -> bool:
        """Whether the dark colours are on screen."""
        if self._mode == "system":
            return self._application.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self._mode == "dark"

    def set_mode(self, mode: str) -> None:
        """Choose "system", "light" or "dark"."""
        if mode != self._mode:
            self._mode = mode
            self._apply()
            self.changed.emit(self.is_dark)

    def _on_color_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        if self._mode == "system":
            self._apply()
            self.changed.emit(self.is_dark)

    def _apply(self) -> None:
        colors = theme(self.is_dark)
        self._application.setPalette(qt_palette(colors))
        check = (resources() / "icons" / "check.svg").as_posix()
        self._application.setStyleSheet(
            # Fusion outlines boxes in a darker shade, which cannot be seen on dark windows
            f"QCheckBox::indicator {{ width: 13px; height: 13px; border: 1px solid {colors.muted}; border-radius: 3px;"
            f" background: {colors.background}; }}"
            f"QCheckBox::indicator:checked {{ background: {HIGHLIGHT[colors.dark]};"
            f" border-color: {HIGHLIGHT[colors.dark]}; image: url({check}); }}"
            f"QCheckBox::indicator:disabled {{ border-color: {colors.border}; }}"
            f"QCheckBox::indicator:focus {{ border-color: {HIGHLIGHT[colors.dark]}; }}"
            f"QToolTip {{ color: {colors.foreground}; background: {colors.surface}; border: 1px solid {colors.border};"
            " padding: 3px; }"
            f"QSplitter::handle {{ background: {colors.border}; }}"
            "QSplitter::handle:horizontal { width: 1px; } QSplitter::handle:vertical { height: 1px; }"
            "QToolButton::menu-indicator { image: none; }"
        )


def qt_palette(colors: Theme) -> QPalette:
    """Qt's colour roles from the theme's colours."""
    window = mix(colors.background, colors.foreground, 0.06)
    highlight = HIGHLIGHT[colors.dark]
    roles = {
        QPalette.ColorRole.Window: window,
        QPalette.ColorRole.WindowText: colors.foreground,
        QPalette.ColorRole.Base: colors.background,
        QPalette.ColorRole.AlternateBase: mix(colors.background, colors.foreground, 0.035),
        QPalette.ColorRole.Text: colors.foreground,
        QPalette.ColorRole.PlaceholderText: colors.muted,
        QPalette.ColorRole.Button: mix(window, colors.foreground, 0.05),
        QPalette.ColorRole.ButtonText: colors.foreground,
        QPalette.ColorRole.BrightText: colors.accent,
        QPalette.ColorRole.Highlight: highlight,
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.ToolTipBase: colors.surface,
        QPalette.ColorRole.ToolTipText: colors.foreground,
        QPalette.ColorRole.Link: highlight,
        QPalette.ColorRole.Light: mix(window, "#ffffff", 0.12 if colors.dark else 0.8),
        QPalette.ColorRole.Midlight: mix(window, "#ffffff", 0.06 if colors.dark else 0.4),
        QPalette.ColorRole.Mid: mix(window, colors.foreground, 0.25),
        QPalette.ColorRole.Dark: mix(window, "#000000", 0.35),
        QPalette.ColorRole.Shadow: "#000000" if colors.dark else "#767676",
    }
    result = QPalette()
    for role, color in roles.items():
        result.setColor(role, QColor(color))
    faded = QColor(mix(colors.muted, window, 0.35))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
        QPalette.ColorRole.HighlightedText,
    ):
        result.setColor(QPalette.ColorGroup.Disabled, role, faded)
    return result
