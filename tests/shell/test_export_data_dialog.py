"""The dialog that writes data: choices, remembering, what is in the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Property
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.writers import FORMATS
from qmlstudio.session.filters import FilterResult
from qmlstudio.shell import export_data_dialog
from qmlstudio.shell.dialogs import TextDialog
from qmlstudio.shell.export_data_dialog import ExportDataDialog
from qmlstudio.shell.main_window import MainWindow

Make = Callable[..., MainWindow]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    export_data_dialog._last = export_data_dialog._Choice()


def choose(dialog: ExportDataDialog, form: str, what: str) -> None:
    dialog.format.setCurrentIndex(dialog.format.findData(form))
    dialog.what[what].setChecked(True)


def test_writes_what_was_chosen(make_window: Make, xyz: Path, tmp_path: Path, screenshots: Path) -> None:
    window = make_window(str(xyz))
    store = window.store
    n = len(store.session.selection)
    dialog = ExportDataDialog(window)
    dialog.open()
    assert list(dialog.what) == ["selection", "all"]
    assert not dialog.what["selection"].isEnabled()
    assert dialog.rows is None
    choose(dialog, "npz", "all")
    dialog.write(str(tmp_path / "all"))
    assert window.runner.wait_idle(30)
    back = open_dataset(tmp_path / "all.npz")
    assert len(back) == n
    assert "energy" in back.properties

    mask = np.arange(n) < 10
    store.select(mask, "replace", "lasso")
    store.set_derived("cluster", Property(np.array(["a", "b"] * (n // 2))))
    store.publish("filter", "", FilterResult(np.arange(n) % 2 == 0, n // 2, n))
    dialog = ExportDataDialog(window)
    dialog.open()
    assert dialog.format.currentData() == "npz", "remembered"
    assert list(dialog.what) == ["selection", "filter", "both", "all"]
    choose(dialog, "extxyz", "both")
    dialog.columns.chosen.emit(["cluster", "n_O"])
    dialog.grab().save(str(screenshots / "export_data.png"))
    dialog.write(str(tmp_path / "some.extxyz"))
    assert window.runner.wait_idle(30)
    back = open_dataset(tmp_path / "some.extxyz")
    assert back.identifiers.tolist() == store.dataset.identifiers[:10:2].tolist()  # type: ignore[union-attr]
    assert set(back.properties) == {"cluster", "n_O"}
    assert back.properties["cluster"].values.tolist() == ["a"] * 5
    assert "some.extxyz" in window.statusBar().currentMessage()

    dialog = ExportDataDialog(window)
    assert dialog._names == ("cluster", "n_O")
    assert dialog.what["both"].isChecked()
    dialog.columns.reset_requested.emit()
    assert {"energy", "cluster"} <= set(dialog._names)
    assert "n_O" not in dialog._names
    dialog.close()


def test_every_format_from_the_window(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    window = make_window(str(xyz))
    for form in FORMATS:
        dialog = ExportDataDialog(window)
        choose(dialog, form.name, "all")
        assert dialog._columns_box.isEnabled() == form.columns
        dialog.write(str(tmp_path / f"a{form.endings[0]}"))
        assert window.runner.wait_idle(30)
        assert (tmp_path / f"a{form.endings[0]}").stat().st_size > 0


def test_what_is_left_out_is_listed(make_window: Make, xyz: Path, tmp_path: Path) -> None:
    with xyz.open("a") as file:
        file.write("1\nenergy=0.0\nHe 0 0 0\n")
    window = make_window(str(xyz))
    dialog = ExportDataDialog(window)
    choose(dialog, "smiles", "all")
    dialog.write(str(tmp_path / "a.smi"))
    assert window.runner.wait_idle(30)
    (told,) = window.findChildren(TextDialog)
    assert told.isVisible()
    told.close()
    dialog = ExportDataDialog(window)
    dialog.write(str(tmp_path / "missing" / "a.smi"))
    assert window.runner.wait_idle(30)
    assert not (tmp_path / "missing").exists()
