"""Imports and compiles what will be needed soon, visibly, while nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qmlstudio.app.jobs import WARM_UP, Job
from qmlstudio.progress import Progress


def warm_up_job() -> Job:
    """The job: lowest priority, on the batch lane, since it may enter numba's parallel runtime."""
    return Job(key="warm-up", slot="warm-up", title="Preparing…", compute=_warm_up, lane="batch", priority=WARM_UP)


def _warm_up(progress: Progress) -> None:
    steps = _steps()
    for number, step in enumerate(steps, 1):
        progress((number - 1) / len(steps), f"Preparing… {number}/{len(steps)}")
        step()
    progress(1.0)


def _steps() -> list[Callable[[], None]]:
    from qmlstudio.representations import REGISTRY

    return [_bonds, _depiction, _drawing, *(_representation(name) for name in REGISTRY), _embedding, _figures]


def _bonds() -> None:
    from qmlstudio.chem.bonds import perceive_bonds

    for numbers, positions in _molecules():
        perceive_bonds(numbers, positions)


def _depiction() -> None:
    from qmlstudio.chem.depict import depiction_svg

    depiction_svg("CCO", (100, 80), False)


def _drawing() -> None:
    from qmlstudio.widgets import raster

    raster.warm_up()


def _representation(name: str) -> Callable[[], None]:
    def step() -> None:
        from qmlstudio.chem.structures import Structures
        from qmlstudio.representations import REGISTRY

        numbers, positions = zip(*_molecules(), strict=True)
        structures = Structures.from_lists(numbers, positions)
        for threads in (1, None):
            REGISTRY[name]().compute(structures, threads=threads)

    return step


def _embedding() -> None:
    from qmlstudio.learning.embedding import UMAP

    embedding = UMAP(n_neighbors=5, n_epochs=10)
    points = np.random.default_rng(0).normal(size=(40, 6))
    embedding.layout(embedding.neighbors(points))


def _figures() -> None:
    import matplotlib.figure  # noqa: F401  (the export's first preview would wait half a second for it)


def _molecules() -> list[tuple[np.ndarray, np.ndarray]]:
    """Water, methane, ammonia and carbon monoxide, roughly; Å."""
    h = 0.63
    return [
        (np.array([8, 1, 1]), np.array([[0.0, 0, 0.1], [0, 0.76, -0.48], [0, -0.76, -0.48]])),
        (
            np.array([6, 1, 1, 1, 1]),
            np.array([[0.0, 0, 0], [h, h, h], [-h, -h, h], [-h, h, -h], [h, -h, -h]]),
        ),
        (
            np.array([7, 1, 1, 1]),
            np.array([[0.0, 0, 0.1], [0.94, 0, -0.27], [-0.47, 0.81, -0.27], [-0.47, -0.81, -0.27]]),
        ),
        (np.array([6, 8]), np.array([[0.0, 0, 0], [0, 0, 1.13]])),
    ]
