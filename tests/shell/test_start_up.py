"""What must not be imported before the window is on screen."""

import os
import subprocess
import sys

import pytest


def imported(statement: str, names: tuple[str, ...]) -> list[str]:
    code = f"import sys\n{statement}\nprint(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_session_needs_no_qt() -> None:
    statement = "import qmlstudio.session.document, qmlstudio.figures.views, qmlstudio.session.search"
    assert imported(statement, ("PySide6", "pyqtgraph", "vispy")) == []


def test_shell_imports_nothing_slow() -> None:
    slow = ("umap", "pynndescent", "sklearn", "matplotlib", "rdkit", "numba", "scipy", "vispy")
    assert imported("import qmlstudio.shell.main_window, qmlstudio.shell.application", slow) == []


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']", "['render', '--help']", "['info', '--help']"])
def test_help_needs_neither_qt_nor_compilers(arguments: str) -> None:
    statement = (
        "import qmlstudio.__main__ as m, io, contextlib\n"
        f"with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): m.main({arguments})"
    )
    assert imported(statement, ("PySide6", "numba", "rdkit", "matplotlib", "sklearn")) == []


def test_app_knows_no_widgets() -> None:
    statement = "import qmlstudio.app.documents, qmlstudio.app.pipeline, qmlstudio.app.stalls, qmlstudio.app.commands"
    assert imported(statement, ("PySide6.QtWidgets", "PySide6.QtGui", "pyqtgraph", "vispy")) == []
