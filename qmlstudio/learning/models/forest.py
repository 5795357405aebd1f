"""Random forests: grown by scikit-learn, kept and evaluated as plain arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qmlstudio.learning._process import in_process
from qmlstudio.learning._threads import thread_count
from qmlstudio.learning.cross_nearest import nearest_distances
from qmlstudio.learning.models.base import (
    Array,
    FittedModel,
    Floats,
    ModelSpec,
    Prediction,
    check_finite,
    check_targets,
)
from qmlstudio.learning.models.baselines import POOLS, common_parts, elapsed, feature_domain, pooled
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices

_SLOW = 2e6
"""Rows × features × depth of one tree above which it takes too long to wait for after a cancel."""
_NODES = ("feature", "left", "right", "threshold", "value")


@dataclass(frozen=True, kw_only=True)
class RandomForest(ModelSpec):
    """The mean of many decision trees, each grown on a random part of the training set."""

    name: ClassVar[str] = "random_forest"
    title: ClassVar[str] = "Random forest"
    help: ClassVar[str] = (
        "The mean of many decision trees. Needs no scales and copes with any features; never predicts beyond the "
        "values that it has seen."
    )
    reference: ClassVar[str] = "L. Breiman, Mach. Learn. 45, 5 (2001)"

    trees: int = param(100, label="Trees", low=1, high=5000, step=50)
    features: float = param(
        0.33, label="Features tried", low=0.001, high=1.0, step=0.05, help="Part of the features, for each split."
    )
    leaf: int = param(1, label="Least structures in a leaf", low=1, high=1000, step=1)
    depth: int | None = param(None, label="Most levels", low=1, high=100, none_label="no limit", advanced=True)
    pool: str = param("mean", label="Local features", choices=POOLS, help="How rows of atoms become one.")
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedForest:
        """See :meth:`ModelSpec.fit`. Trees that take long grow in a process of their own, which a cancel ends."""
        began = time.perf_counter()
        y = check_targets(rows, targets)
        check_finite(rows, progress)
        array = np.ascontiguousarray(pooled(rows, self.pool), dtype=np.float32)
        spread = y.std(axis=0)
        # several targets have an equal say in the splits; a single one is left as it is
        spread = np.where((spread > 0.0) & (y.shape[1] > 1), spread, 1.0)
        scaled, jobs = y / spread, thread_count(threads)
        progress(0.0, "Growing trees")
        n, d = array.shape
        cost = float(n) * max(d * self.features, 1.0) * np.log2(n + 1)
        part = progress.part(0.0, 0.9)
        if cost > _SLOW and progress.can_cancel:
            nodes, starts = in_process(_grow, (self, array, scaled, jobs), part)
        else:
            nodes, starts = _grow(self, array, scaled, jobs, part)
        nodes["value"] = nodes["value"] * spread
        return FittedForest(
            spec=self,
            n_train=n,
            nodes=nodes,
            starts=starts,
            train=array,
            domain=feature_domain(array, progress.part(0.9, 1.0)),
            seconds=elapsed(began),
        )

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedForest:
        """See :meth:`ModelSpec.restore`."""
        nodes = {name: arrays[f"nodes/{name}"] for name in _NODES}
        return FittedForest(
            spec=self, **common_parts(facts), nodes=nodes, starts=arrays["starts"], train=arrays["train"]
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedForest(FittedModel):
    """Trees as arrays of nodes, one tree after the other.

    Attributes
    ----------
    nodes : dict
        "feature" (−1: a leaf), "left", "right" (int32, within the tree), "threshold" (float64) and "value" (t columns).
    starts : (trees + 1,) int64
        Where each tree's nodes begin.
    train : (n, d) float32
        Training rows, for distances.
    """

    spec: RandomForest
    nodes: dict[str, Array]
    starts: Array
    train: Array

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Means over the trees; ± σ is their spread."""
        from qmlstudio.learning.models._forest_loops import evaluate

        # rounded as the features that the thresholds lie between
        array = np.ascontiguousarray(pooled(rows, self.spec.pool), dtype=np.float32)
        if array.shape[1] != self.train.shape[1]:
            raise ValueError(f"the features have {array.shape[1]} columns, the model's {self.train.shape[1]}")
        t = self.nodes["value"].shape[1]
        mean, spread = np.empty((len(array), t)), np.empty((len(array), t))
        own = [np.ascontiguousarray(self.nodes[name]) for name in _NODES]
        for start, stop in slices(len(array), progress.part(0.0, 0.5), self.spec.title, first=100):
            evaluate(array[start:stop], *own, self.starts, mean[start:stop], spread[start:stop])
        distance = nearest_distances(array, self.train, progress.part(0.5, 1.0))
        return Prediction(mean, spread if deviation else None, distance)

    def arrays(self) -> dict[str, Array]:
        """Nodes, where trees begin, and training rows."""
        return {f"nodes/{k}": v for k, v in self.nodes.items()} | {"starts": self.starts, "train": self.train}


def _grow(
    spec: RandomForest, array: Array, targets: Floats, jobs: int, progress: Progress = SILENT
) -> tuple[dict[str, Array], Array]:
    """Nodes and starts of the trees, a few of which are grown between two calls of progress."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=1,
        max_features=spec.features,
        min_samples_leaf=spec.leaf,
        max_depth=spec.depth,
        random_state=spec.seed,
        warm_start=True,
    )
    jobs = min(jobs, spec.trees)
    # of one tree after the other the same forest comes as of several at once
    forest.n_jobs = jobs if jobs > 1 else None
    fitted = targets if targets.shape[1] > 1 else targets[:, 0]
    for start in range(0, spec.trees, jobs):
        forest.n_estimators = min(start + jobs, spec.trees)
        forest.fit(array, fitted)
        progress(forest.n_estimators / spec.trees, "Growing trees")
    trees = [estimator.tree_ for estimator in forest.estimators_]
    nodes = {
        "feature": np.concatenate([np.where(t.children_left < 0, -1, t.feature) for t in trees]).astype(np.int32),
        "left": np.concatenate([t.children_left for t in trees]).astype(np.int32),
        "right": np.concatenate([t.children_right for t in trees]).astype(np.int32),
        "threshold": np.concatenate([t.threshold for t in trees]),
        "value": np.concatenate([t.value[:, :, 0] for t in trees]),
    }
    return nodes, np.concatenate([[0], np.cumsum([t.node_count for t in trees])]).astype(np.int64)
