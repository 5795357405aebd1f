"""Where compiled loops are cached; imported before numba by every module that has loops.

The folder is one for each version of the program *and* state of its loops: numba notices when the file of a cached
function changed, but not when that of a function it calls did.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import platformdirs

from qmlstudio import __version__

_PACKAGES = ("representations", "learning")
_KEPT_SECONDS = 30 * 86400.0


def cache_folder() -> Path:
    """The folder for this version and state of the loops, in the user's cache folder."""
    root = Path(__file__).resolve().parents[1]
    h = hashlib.blake2b(digest_size=5)
    for package in _PACKAGES:
        for path in sorted((root / package).glob("*.py")):  # none in a frozen program: the version alone decides
            stat = path.stat()
            h.update(f"{package}/{path.name}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return Path(platformdirs.user_cache_dir("qmlstudio", appauthor=False)) / "numba" / f"{__version__}-{h.hexdigest()}"


def _forget_old(folder: Path) -> None:
    """Remove the sibling folders that nothing has used for a month."""
    for sibling in folder.parent.iterdir():
        if sibling != folder and sibling.is_dir() and time.time() - sibling.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(sibling, ignore_errors=True)


def set_up() -> None:
    """Point numba's cache at :func:`cache_folder`, unless NUMBA_CACHE_DIR says otherwise or it cannot be written."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(folder)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
        if "numba" in sys.modules:  # somebody else imported it first: the variable alone would be too late
            sys.modules["numba"].config.CACHE_DIR = str(folder)


set_up()
