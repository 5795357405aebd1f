"""What a person has chosen for good, and what the window remembers: typed, checked, with defaults."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from platformdirs import user_state_path
from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

ORGANISATION = "QML Studio"
APPLICATION = "qmlstudio"
MAX_RECENT = 12
MAX_CORRECTED = 500
"""Data sets of which corrected units are remembered."""
BUILTIN = "builtin:"
"""Before the name of a data set that the application brings along; the rest of such a "path" is no file."""
LEAST_MEMORY = 256 * 2**20

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = ("system", "light", "dark")


@dataclass(frozen=True)
class RecentFile:
    """One entry of the list of recent files.

    Attributes
    ----------
    path : str
        Absolute, or "builtin:NAME".
    exists : bool
        Whether it is (still) there: a stick may be unplugged, so that missing ones stay listed, greyed.
    """

    path: str
    exists: bool

    @property
    def name(self) -> str:
        """Without its folders."""
        return self.path.removeprefix(BUILTIN) if self.path.startswith(BUILTIN) else Path(self.path).name


class Preferences(QObject):
    """A typed face of QSettings. What is unreadable or out of range in the file counts as absent, never as an error.

    Signals
    -------
    changed : (name)
        Name of the property that got another value.

    Parameters
    ----------
    settings : QSettings, optional
        Where to keep them; the user's ini file when not given. Tests pass :func:`settings_in` of a fresh folder.
    """

    changed = Signal(str)

    def __init__(self, settings: QSettings | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # ini everywhere: a person can read it, mend it, and take it along
        if settings is None:
            form, scope = QSettings.Format.IniFormat, QSettings.Scope.UserScope
            settings = QSettings(form, scope, ORGANISATION, APPLICATION)
        self._settings = settings

    @property
    def path(self) -> Path:
        """The file in which they are kept."""
        return Path(self._settings.fileName())

    def flush(self) -> None:
        """Write now; otherwise the event loop does so within moments."""
        self._settings.sync()

    def reset(self) -> None:
        """Forget everything: all values are the defaults again."""
        self._settings.clear()
        for name in ("theme", "memory_budget", "lasso_on_plain_drag", "recent_files", "last_folder"):
            self.changed.emit(name)

    # -- choices

    @property
    def theme(self) -> Theme:
        """Colours of the window: "light", "dark", or as the "system" has them."""
        return cast(Theme, self._read("theme", "system", _one_of(THEMES)))

    @theme.setter
    def theme(self, theme: Theme) -> None:
        self._write("theme", _one_of(THEMES)(theme))

    @property
    def memory_budget(self) -> int:
        """Bytes that results may take, at least 256 MiB; half of the machine's memory unless chosen."""
        return int(self._read("memory_budget", default_memory_budget(), _at_least(LEAST_MEMORY)))

    @memory_budget.setter
    def memory_budget(self, budget: int) -> None:
        self._write("memory_budget", _at_least(LEAST_MEMORY)(budget))

    @property
    def lasso_on_plain_drag(self) -> bool:
        """Whether a plain drag on the map lassoes (and Shift+drag pans) instead of the other way round."""
        return bool(self._read("lasso_on_plain_drag", False, _truth))

    @lasso_on_plain_drag.setter
    def lasso_on_plain_drag(self, on: bool) -> None:
        self._write("lasso_on_plain_drag", _truth(on))

    # -- what the window remembers

    @property
    def window_geometry(self) -> QByteArray | None:
        """As of ``QWidget.saveGeometry``; None before the first time."""
        return self._bytes("window/geometry")

    @window_geometry.setter
    def window_geometry(self, geometry: QByteArray) -> None:
        self._settings.setValue("window/geometry", geometry)

    @property
    def window_state(self) -> QByteArray | None:
        """As of ``QMainWindow.saveState``; None before the first time."""
        return self._bytes("window/state")

    @window_state.setter
    def window_state(self, state: QByteArray) -> None:
        self._settings.setValue("window/state", state)

    @property
    def last_folder(self) -> str:
        """Where the file dialog opens: the folder used last while it exists, else the home folder."""
        return str(self._read("last_folder", str(Path.home()), _folder))

    @last_folder.setter
    def last_folder(self, folder: str | os.PathLike[str]) -> None:
        self._write("last_folder", os.path.abspath(folder))

    @property
    def recent_files(self) -> tuple[RecentFile, ...]:
        """The files opened last, newest first, at most :data:`MAX_RECENT`."""
        # looked up here and not when stored: they come and go
        return tuple(RecentFile(p, p.startswith(BUILTIN) or os.path.exists(p)) for p in self._recent())

    def add_recent_file(self, path: str | os.PathLike[str]) -> None:
        """Put a file, or "builtin:NAME", first."""
        text = _normal(path)
        self._set_recent([text, *(p for p in self._recent() if not _same(p, text))])

    def remove_recent_file(self, path: str | os.PathLike[str]) -> None:
        """Take a file off the list."""
        text = _normal(path)
        self._set_recent([p for p in self._recent() if not _same(p, text)])

    def clear_recent_files(self) -> None:
        """Empty the list."""
        self._set_recent([])

    def unit_corrections(self, fingerprint: str) -> dict[str, str]:
        """Column → the unit that it has in truth, of the data set with this fingerprint."""
        return dict(self._corrections().get(fingerprint, {}))

    def remember_units(self, fingerprint: str, units: Mapping[str, str]) -> None:
        """Keep the corrected units of a data set for the next time it is opened; none of them: forget it."""
        every = self._corrections()
        every.pop(fingerprint, None)
        if units:
            every[fingerprint] = dict(units)
        kept = dict(list(every.items())[-MAX_CORRECTED:])
        self._settings.setValue("unit_corrections", json.dumps(kept))

    def _corrections(self) -> dict[str, dict[str, str]]:
        return dict(self._read("unit_corrections", {}, _texts_by_name))

    # -- inside

    def _read(self, key: str, default: Any, check: Callable[[Any], Any]) -> Any:
        value = self._settings.value(key)
        if value is None:
            return default
        try:
            return check(value)
        except (ValueError, TypeError):
            return default

    def _write(self, name: str, value: Any) -> None:
        old = getattr(self, name)
        self._settings.setValue(name, value)
        if getattr(self, name) != old:
            self.changed.emit(name)

    def _bytes(self, key: str) -> QByteArray | None:
        value = self._settings.value(key)
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None

    def _recent(self) -> list[str]:
        # JSON in one string: QSettings gives a list of one back as a text, and an empty one as nothing
        return list(self._read("recent_files", [], _texts))[:MAX_RECENT]

    def _set_recent(self, paths: list[str]) -> None:
        old = self._recent()
        self._settings.setValue("recent_files", json.dumps(paths[:MAX_RECENT]))
        if self._recent() != old:
            self.changed.emit("recent_files")


def settings_in(folder: str | os.PathLike[str]) -> QSettings:
    """Settings of their own in `folder`, away from the user's."""
    return QSettings(os.fspath(Path(folder) / f"{APPLICATION}.ini"), QSettings.Format.IniFormat)


def state_folder() -> Path:
    """Where the application keeps what must outlive the process (autosaves), by the system's custom."""
    return user_state_path(APPLICATION, appauthor=False)


def default_memory_budget() -> int:
    """Half of the machine's memory in bytes; 2 GiB where the system does not say."""
    return max(LEAST_MEMORY, (_physical_memory() or 4 * 2**30) // 2)


def _physical_memory() -> int:
    """Bytes of memory of the machine; 0 if unknown."""
    if sys.platform == "win32":
        import ctypes

        class Status(ctypes.Structure):
            _fields_ = [
                ("dwLength", ctypes.c_ulong),
                ("dwMemoryLoad", ctypes.c_ulong),
                ("ullTotalPhys", ctypes.c_ulonglong),
                ("ullAvailPhys", ctypes.c_ulonglong),
                ("ullTotalPageFile", ctypes.c_ulonglong),
                ("ullAvailPageFile", ctypes.c_ulonglong),
                ("ullTotalVirtual", ctypes.c_ulonglong),
                ("ullAvailVirtual", ctypes.c_ulonglong),
                ("ullAvailExtendedVirtual", ctypes.c_ulonglong),
            ]

        status = Status(dwLength=ctypes.sizeof(Status))
        return int(status.ullTotalPhys) if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
    else:
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return 0


def _normal(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    return text if text.startswith(BUILTIN) else os.path.abspath(text)


def _same(a: str, b: str) -> bool:
    return os.path.normcase(a) == os.path.normcase(b)


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(choices)}")
        return str(value)

    return check


def _at_least(low: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if int(value) < low:
            raise ValueError(f"{value} is below {low}")
        return int(value)

    return check


def _truth(value: Any) -> bool:
    """An ini file has texts only."""
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"{value!r} is neither true nor false")
    return str(value).lower() in ("true", "1")


def _folder(value: Any) -> str:
    if not os.path.isdir(value):
        raise ValueError(f"{value!r} is no folder")
    return str(value)


def _texts(value: Any) -> list[str]:
    found = json.loads(value)
    if not isinstance(found, list):
        raise ValueError("not a list")
    return [text for text in found if isinstance(text, str)]


def _texts_by_name(value: Any) -> dict[str, dict[str, str]]:
    found = json.loads(value)
    if not isinstance(found, dict):
        raise ValueError("not a table")
    return {
        str(name): {str(k): str(v) for k, v in entries.items()}
        for name, entries in found.items()
        if isinstance(entries, dict)
    }
