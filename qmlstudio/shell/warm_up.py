"""Imports and compiles what will be needed soon, visibly, while nobody waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from qmlstudio.app.jobs import WARM_UP, Job
from qmlstudio.progress import Progress

log = logging.getLogger("qmlstudio.warm_up")


def warm_up_job(first: str = "") -> Job:
    """The job: lowest priority, on the batch lane.

    It makes way whenever another comes, between two steps, and then begins again: what was warm stays warm.

    Parameters
    ----------
    first : str
        Registry name of the representation that is on screen, which is needed first.
    """
    compute = partial(_warm_up, first)
    return Job(key="warm-up", slot="warm-up", title="Preparing…", compute=compute, lane="batch", priority=WARM_UP)


def _warm_up(first: str, progress: Progress) -> None:
    steps = _steps(first)
    for number, step in enumerate(steps, 1):
        progress((number - 1) / len(steps), f"Preparing… {number}/{len(steps)}")
        if step.name not in _warm:
            try:
                step.run()
            except (ValueError, ArithmeticError, ImportError) as error:
                # whoever asks for it will be told; the others are to be ready all the same
                log.warning("%s could not be prepared: %s", step.name, error)
            _warm.add(step.name)
    progress(1.0)


@dataclass(frozen=True)
class Step:
    """Something to be loaded or compiled, once in a process."""

    name: str
    run: Callable[[], None]


_warm: set[str] = set()


def _steps(first: str = "") -> list[Step]:
    """In the order of need: what draws, the representation on screen, the map, then all the others."""
    from qmlstudio.representations import REGISTRY

    names = sorted(REGISTRY, key=lambda name: name != first)
    represent = [Step(name, partial(_representation, name)) for name in names]
    return [
        Step("bonds", _bonds),
        Step("depiction", _depiction),
        Step("drawing", _drawing),
        *represent[:1],
        Step("embedding", _embedding),
        Step("overlays", _overlays),
        Step("neighbours", _neighbors),
        Step("figures", _figures),
        *represent[1:],
        Step("comparison", _comparison),
    ]


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


def _overlays() -> None:
    from qmlstudio.widgets import overlay_backend

    overlay_backend.warm_up()


def _neighbors() -> None:
    from qmlstudio.learning import near

    near.warm_up()


def _comparison() -> None:
    from qmlstudio.chem.structures import Structures
    from qmlstudio.learning.cross_nearest import nearest_distances
    from qmlstudio.learning.geometry_counts import geometry_counts

    geometry_counts(Structures.from_lists(*zip(*_molecules(), strict=True)))
    nearest_distances(np.eye(3), np.eye(3))


def _representation(name: str) -> None:
    from qmlstudio.chem.structures import Structures
    from qmlstudio.representations import REGISTRY

    numbers, positions = zip(*_molecules(), strict=True)
    representation = REGISTRY[name]()
    cells = [np.eye(3) * 6.0] * len(numbers) if representation.periodic != "ignored" else None
    structures = Structures.from_lists(numbers, positions, cells)
    features = representation.compute(structures, threads=1)
    # hovering asks for these
    species = structures.species
    layout = representation.layout(structures[0], species)
    if layout.kind == "panels" and features.array.size:
        representation.contributions(structures[0], species, int(np.abs(features.array[0]).argmax()), 0)


def _embedding() -> None:
    from qmlstudio.learning.embedding import UMAP
    from qmlstudio.learning.quality import quality

    embedding = UMAP(n_neighbors=5, n_epochs=10)
    points = np.random.default_rng(0).normal(size=(40, 6))
    neighbors = embedding.neighbors(points)
    quality(points, embedding.layout(neighbors).points, neighbors=neighbors)


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
