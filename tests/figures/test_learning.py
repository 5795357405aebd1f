"""The learning panel's pages for print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.structures import Structures
from qmlstudio.figures import FigureSpec, save
from qmlstudio.figures.learning import PAGES, learning_caption, learning_figure
from qmlstudio.learning.evaluation.grid import Grid, SearchResult, Variant
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.models import KernelRidge
from qmlstudio.representations import REGISTRY
from qmlstudio.session.bench.results import BenchResult, Point
from qmlstudio.session.bench.spec import BenchSpec, Series
from qmlstudio.session.bench_errors import TestErrors

SPEC = FigureSpec()


def result() -> BenchResult:
    series = Series(
        label="Coulomb & co",
        representation=REGISTRY["coulomb_matrix"](),
        model=KernelRidge(),
        task=Task(target="E"),
    )
    found = BenchResult(BenchSpec(series=(series,), sizes=(10, 40), repeats=2), "set", "f")
    rng = np.random.default_rng(0)
    for size in (10, 40):
        for repeat in range(2):
            truth = rng.normal(size=(30, 1))
            predicted = truth + rng.normal(size=(30, 1)) / np.sqrt(size)
            found = found.with_point(
                Point(
                    series=series.label,
                    key="k",
                    size=size,
                    repeat=repeat,
                    seed=repeat,
                    targets=("E",),
                    unit="eV",
                    test=np.arange(30),
                    truth=truth,
                    predicted=predicted,
                )
            )
    return found


def search() -> SearchResult:
    factors, lambdas = np.array([1.0, 2.0, 4.0]), np.array([1e-9, 1e-6])
    scores = np.array([[[0.3, 0.2], [0.1, np.nan], [0.4, 0.5]]])
    table = np.full((1, 3), 1.0)
    return SearchResult(
        KernelRidge(),
        Variant(),
        Grid(),
        factors,
        lambdas,
        table,
        table,
        scores,
        scores,
        (0, 1, 0),
        1.0,
        "eV",
        20,
        10,
        1,
    )


def inputs() -> dict[str, object]:
    bench = result()
    return {
        "result": bench,
        "errors": TestErrors.of(bench.points[0], "E"),
        "search": search(),
        "goal": 0.1,
    }


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_drawn_and_captioned(page: str, tmp_path: Path) -> None:
    given = inputs()
    figure = learning_figure(page, SPEC, **given)  # type: ignore[arg-type]
    path = save(figure, tmp_path / f"{page}.svg", SPEC)
    text = path.read_text(encoding="utf-8")
    wanted = {"curves": "training structures N", "parity": "predicted E / eV", "search": "σ / scale of the kernel"}
    assert wanted[page] in text
    structures = Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(1, np.int64))
    dataset = Dataset("set", structures, source=Source(reference="Somebody 2020"))
    caption = learning_caption(page, dataset, **given)  # type: ignore[arg-type]
    assert "Somebody 2020" in caption
    assert "QML Studio" in caption


@pytest.mark.parametrize("page", PAGES)
def test_what_is_missing_is_said(page: str) -> None:
    with pytest.raises(ValueError, match=r"first|yet"):
        learning_figure(page, SPEC)


def test_errors_that_are_no_numbers() -> None:
    errors = TestErrors.of(result().points[0], "E")
    nothing = replace(errors, predicted=np.full(30, np.nan))
    assert learning_figure("parity", SPEC, errors=nothing) is not None
    unknown = replace(search(), scores=np.full((1, 3, 2), np.nan), index=None)
    assert learning_figure("search", SPEC, search=unknown) is not None
    with pytest.raises(ValueError, match="page"):
        learning_figure("else", SPEC)
