"""The running program: application object, theme, uncaught errors, the window."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTimer, QTranslator
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from qmlstudio import __version__
from qmlstudio.app.garbage import GarbageCollector
from qmlstudio.resources_path import resources

if TYPE_CHECKING:
    from qmlstudio.app.jobs import JobHandle
    from qmlstudio.shell.main_window import MainWindow

ORGANISATION = "QML Studio"


def make_application(arguments: Sequence[str] = ()) -> QApplication:
    """The one QApplication, with names, icon and translation; an existing one is returned as it is."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    os.environ.setdefault("QT_API", "pyside6")
    QCoreApplication.setOrganizationName(ORGANISATION)
    QCoreApplication.setApplicationName("qmlstudio")
    QCoreApplication.setApplicationVersion(__version__)
    application = QApplication([sys.argv[0], *arguments])
    QApplication.setApplicationDisplayName("QML Studio")
    QApplication.setDesktopFileName("qmlstudio")
    application.setWindowIcon(QIcon(str(resources() / "icons" / "qmlstudio.svg")))
    _translate(application)
    return application


def _translate(application: QApplication) -> None:
    """Load Qt's and our own translation for the system's language, where there is one."""
    for name, folder in (
        ("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        ("qmlstudio", str(resources() / "translations")),
    ):
        translator = QTranslator(application)
        if translator.load(QLocale(), name, "_", folder):
            application.installTranslator(translator)


def run(files: Sequence[str]) -> int:
    """Open the window on files (or the built-in data set) and return when it is closed."""
    application = make_application()
    # before the rest is loaded, which would set off three full collections
    collector = GarbageCollector(application)
    from qmlstudio.app.preferences import Preferences
    from qmlstudio.shell.main_window import MainWindow
    from qmlstudio.shell.theme import ThemeSwitch

    preferences = Preferences()
    switch = ThemeSwitch(application, preferences.theme)
    window = MainWindow(preferences, switch)
    _report_uncaught(window)
    _end_on_signals(application)
    keep_what_is_loaded(collector, window)
    window.show()
    window.start(list(files))
    code = application.exec()
    window.shutdown()
    collector.stop()
    return code


def keep_what_is_loaded(collector: GarbageCollector, window: MainWindow) -> None:
    """Have collections pass over the modules and the window, and over what the warm-up brings in."""
    collector.keep()
    window.runner.finished.connect(partial(_on_job_finished, collector))


def _on_job_finished(collector: GarbageCollector, handle: JobHandle, state: str) -> None:
    if handle.slot == "warm-up" and state == "done":
        collector.keep()


def _end_on_signals(application: QApplication) -> None:
    """Ctrl+C in the terminal closes the window in good order; Python sees signals only while it runs."""
    signal.signal(signal.SIGINT, lambda *_: application.closeAllWindows())
    timer = QTimer(application)
    timer.timeout.connect(_nothing)
    timer.start(500)


def _nothing() -> None:
    """Gives Python a moment to notice signals."""


def _report_uncaught(window: object) -> None:
    """An error that nobody caught is shown, with its traceback to copy; the window goes on."""
    from qmlstudio.shell.main_window import MainWindow

    assert isinstance(window, MainWindow)
    shown = window

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        details = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(details)
        if issubclass(kind, KeyboardInterrupt):
            shown.close()
            return
        shown.show_error(QCoreApplication.translate("Application", "Something went wrong: {}").format(error), details)

    sys.excepthook = hook
