"""Depictions and thumbnails."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from qmlstudio.chem.readers import read_text
from qmlstudio.chem.structures import Structure
from qmlstudio.progress import SILENT, Cancelled, Progress
from qmlstudio.widgets.gallery_pictures import Look, Subject, picture, pictures


def inked(image: QImage) -> np.ndarray:
    """(h, w) bool: where something was drawn."""
    assert image.format() == QImage.Format.Format_ARGB32_Premultiplied
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return pixels[:, : image.width(), 3] > 0


@pytest.fixture(scope="module")
def phenol() -> Structure:
    return read_text("c1ccccc1O").structures[0]


@pytest.mark.parametrize("kind", ["2d", "3d"])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize("smiles", ["c1ccccc1O", ""])
def test_fills_the_picture_and_stays_inside(
    qtbot: QtBot, phenol: Structure, kind: str, ratio: float, smiles: str
) -> None:
    look = Look(kind, 160, 110, ratio)  # type: ignore[arg-type]
    image = picture(Subject(0, phenol, smiles), look)
    assert image is not None
    assert (image.width(), image.height(), image.devicePixelRatio()) == (160 * ratio, 110 * ratio, ratio)
    ink = inked(image)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert not np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).any()
    assert np.ptp(rows) > 0.5 * image.height() or np.ptp(columns) > 0.5 * image.width()


def test_what_cannot_be_depicted_is_shown_in_3d(qtbot: QtBot) -> None:
    crystal = Structure(np.array([11, 17], np.uint8), np.array([[0, 0, 0], [2.8, 0, 0]]), np.eye(3) * 5.6)
    flat, solid = (picture(Subject(0, crystal, ""), Look(k)) for k in ("2d", "3d"))
    assert flat is not None
    assert flat == solid
    unreadable = picture(Subject(0, read_text("CCO").structures[0], "not smiles"), Look("2d"))
    assert unreadable is not None


def test_nothing_to_draw(qtbot: QtBot) -> None:
    nothing = Structure(np.zeros(0, np.uint8), np.zeros((0, 3)))
    lost = Structure(np.array([6], np.uint8), np.full((1, 3), np.nan))
    assert picture(Subject(0, nothing), Look("3d")) is None
    assert picture(Subject(0, lost), Look("3d")) is None


@pytest.mark.parametrize("n", [1, 5000])
def test_atoms_and_giants(qtbot: QtBot, n: int) -> None:
    positions = np.random.default_rng(0).normal(size=(n, 3)) * n ** (1 / 3)
    image = picture(Subject(0, Structure(np.full(n, 6, np.uint8), positions)), Look("3d"))
    assert image is not None
    assert inked(image).mean() > 0.01


def test_equal_molecules_lie_alike_whatever_their_orientation(qtbot: QtBot, phenol: Structure) -> None:
    q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    turned = Structure(phenol.numbers, phenol.positions @ q + 5.0)
    a, b = (inked(picture(Subject(0, s), Look("3d")) or QImage()) for s in (phenol, turned))
    assert (a != b).mean() < 0.02


def test_as_many_as_there_is_time_for(qtbot: QtBot, phenol: Structure) -> None:
    subjects = [Subject(k, phenol, "c1ccccc1O") for k in range(200)]
    assert [i for i, _ in pictures(subjects, Look(), 0.0, SILENT)] == [0]
    assert [i for i, _ in pictures(subjects[:3], Look(), 100.0, SILENT)] == [0, 1, 2]
    with pytest.raises(Cancelled):
        pictures(subjects, Look(), 1.0, Progress(is_cancelled=lambda: True))
    began = time.monotonic()
    made = pictures(subjects, Look("3d"), 0.05, SILENT)
    assert 0 < len(made) <= 200
    assert time.monotonic() - began < 5


def test_one_that_fails_is_the_next_calls_first(
    qtbot: QtBot, phenol: Structure, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qmlstudio.widgets import gallery_pictures

    draw = gallery_pictures.picture

    def failing(subject: Subject, look: Look) -> QImage | None:
        if subject.index == 2:
            raise RuntimeError("broken")
        return draw(subject, look)

    monkeypatch.setattr(gallery_pictures, "picture", failing)
    subjects = [Subject(k, phenol, "CO") for k in range(5)]
    assert [i for i, _ in pictures(subjects, Look(), 9.0, SILENT)] == [0, 1]
    with pytest.raises(RuntimeError, match="broken"):
        pictures(subjects[2:], Look(), 9.0, SILENT)
