"""A control that every learning curve should pass: with shuffled labels there is nothing to be learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qmlstudio.learning.evaluation.metrics import scores_of
from qmlstudio.learning.evaluation.splits import Split
from qmlstudio.learning.evaluation.tasks import Target
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress


@dataclass(frozen=True)
class ShuffledControl:
    """What a model makes of shuffled labels.

    Attributes
    ----------
    mae : float
        On the test structures, whose labels are shuffled, too.
    mad : float
        Error there of the training structures' mean: what can be reached without knowledge.
    uncertainty : float
        Standard error of their difference.
    """

    mae: float
    mad: float
    uncertainty: float

    @property
    def leaks(self) -> bool:
        """Whether the model does better than it can: the labels are among the features, or reach the test otherwise."""
        return bool(self.mae < 0.95 * self.mad and self.mad - self.mae > 4.0 * self.uncertainty)

    @property
    def text(self) -> str:
        """One sentence for people."""
        ratio = self.mae / self.mad if self.mad > 0 else np.nan
        start = f"with shuffled labels the error is {self.mae:.4g}, {ratio:.2f} of that of a constant ({self.mad:.4g})"
        if self.leaks:
            return f"{start}: less than can be learned. Something of the labels is in the features"
        return f"{start}: nothing leaks" + ("; the model fits noise, a larger λ would not" if ratio > 1.2 else "")


def shuffled_labels(
    spec: ModelSpec,
    rows: Rows,
    target: Target,
    split: Split,
    seed: int = 0,
    size: int | None = None,
    progress: Progress = SILENT,
    *,
    threads: int | None = None,
) -> ShuffledControl:
    """Fit and test a model on labels that were dealt anew among all usable structures.

    Parameters
    ----------
    rows : Rows
        Of all structures of the set, as `target` and `split` count them.
    size : int, optional
        Training structures; all without one.

    Returns
    -------
    ShuffledControl
        Of the first target.
    """
    dealt = target.shuffled(seed)
    train, test = split.train(size), split.test
    transform = dealt.transform(train)
    model = spec.fit(rows.take(train), transform.apply(train), progress.part(0.0, 0.7), threads=threads)
    learned = model.predict(rows.take(test), progress.part(0.7, 1.0), threads=threads).values
    truth, predicted = dealt.truth(test), transform.invert(learned, test)
    # what the transform alone says: the mean of what is learned, the dressed atoms, the baseline
    constant = transform.invert(np.broadcast_to(transform.apply(train).mean(axis=0), learned.shape), test)
    mae, mad = scores_of(truth, predicted)[0].mae, scores_of(truth, constant)[0].mae
    gain = np.abs(constant[:, 0] - truth[:, 0]) - np.abs(predicted[:, 0] - truth[:, 0])
    uncertainty = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else np.inf
    progress(1.0)
    return ShuffledControl(mae, mad, uncertainty)
