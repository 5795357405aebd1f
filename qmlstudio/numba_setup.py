"""Where numba keeps its compiled loops. Call :func:`prepare` before numba is imported for the first time.

Standard library and platformdirs only: every layer may call it, and it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGES = ("representations", "learning", "session", "widgets")
"""Where compiled loops live."""
LOOPS = ("_loops", "_vectors")
"""How modules with compiled loops are called, but for private ones of the first two packages."""
KEPT_SECONDS = 30 * 86400.0


def cache_folder() -> Path:
    """The folder of compiled loops in the user's cache: one per version of the program, of Python and of the loops.

    numba notices that the file of a cached function has changed, but not that of a function it calls.
    """
    import platformdirs

    from qmlstudio import __version__

    root, state = Path(__file__).resolve().parent, hashlib.blake2b(digest_size=5)
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            # whatever changes beside the loops is no reason to compile all of them again
            is_helper = path.stem.startswith("_") and path.parent == root / package and package in PACKAGES[:2]
            if not (is_helper or path.stem.endswith(LOOPS)):
                continue
            stat = path.stat()
            name = path.relative_to(root).as_posix()
            state.update(f"{name}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    name = f"{__version__}-python{sys.version_info.major}.{sys.version_info.minor}-{state.hexdigest()}"
    return Path(platformdirs.user_cache_dir("qmlstudio", appauthor=False)) / "numba" / name


def _forget_old(folder: Path) -> None:
    """Remove the sibling folders that nothing has used for a month."""
    for sibling in folder.parent.iterdir():
        if sibling != folder and sibling.is_dir() and time.time() - sibling.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(sibling, ignore_errors=True)


def prepare() -> Path:
    """Set ``NUMBA_CACHE_DIR`` unless it is set, and return it.

    The folder is made. Where that fails (read-only home) the variable stays unset and numba falls back to its own
    choice: slower starts, nothing lost. A numba that was imported before is told, too.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(folder)
    except OSError:
        return folder
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder
