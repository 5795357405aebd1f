"""Where the packed resources lie, in an installed wheel as in a checkout (standard library only)."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def resources() -> Path:
    """Folder with icons, themes, translations and built-in data sets."""
    package = Path(__file__).resolve().parent
    for folder in (package / "resources", package.parent / "resources"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("QML Studio's resources are missing: reinstall the package")
