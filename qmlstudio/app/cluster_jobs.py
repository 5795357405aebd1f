"""What the clusters panel has computed beside the window. Each sees only its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.learning.clustering import Clustering, Clusters, cluster_points
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Features
from qmlstudio.session.cluster_names import full_names
from qmlstudio.session.cluster_report import ClusterReport, cluster_column, set_report
from qmlstudio.session.columns import Columns

PICTURE = (84, 64)
"""Width and height of a representative's drawing, px."""


@dataclass(frozen=True, eq=False)
class Input:
    """What is clustered: its key, and points (n, c) or features."""

    key: str
    rows: Features | NDArray[Any]


@dataclass(frozen=True)
class Representative:
    """A structure that stands for others: index, name, drawing ("" where there is none) and a line about it."""

    index: int
    name: str
    svg: str
    tip: str


def find_clusters(method: Clustering, given: Input, progress: Progress) -> tuple[Clusters, Property]:
    """The clusters of a map's points or of features, and the column of their usual names.

    The column is made here since millions of texts take longer than the window may stand still.
    """
    if isinstance(given.rows, Features):
        points = cluster_points(given.rows.per_structure(), progress.part(0.0, 0.3))
        clusters = method.run(points, progress.part(0.3, 1.0))
    else:
        clusters = method.run(given.rows, progress)
    return clusters, cluster_column(clusters.labels, full_names((), clusters.count))


def report_of(dataset: Dataset, columns: Columns, mask: NDArray[np.bool_], progress: Progress) -> ClusterReport:
    """What sets the structures of a mask apart."""
    return set_report(dataset, columns, mask, progress)


def find_representatives(
    dataset: Dataset,
    rows: Features | NDArray[Any],
    mask: NDArray[np.bool_],
    method: str,
    count: int,
    dark: bool,
    progress: Progress,
) -> list[Representative]:
    """Structures that stand for those of a mask, drawn."""
    from qmlstudio.chem.depict import depiction_svg
    from qmlstudio.learning.representatives import representatives

    matrix = rows.per_structure() if isinstance(rows, Features) else rows
    chosen = representatives(matrix, mask, method, count, progress.part(0.0, 0.8))
    found = []
    for k, index in enumerate(chosen.tolist()):
        progress(0.8 + 0.2 * k / len(chosen), "Drawing")
        text = "" if dataset.smiles is None else str(dataset.smiles[index])
        structure = dataset.structures[index]
        svg = depiction_svg(text or structure, PICTURE, dark)
        name = str(dataset.identifiers[index])
        found.append(Representative(index, name, svg, "\n".join(filter(None, (name, structure.formula, text)))))
    return found
