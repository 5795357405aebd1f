"""How far an error may go: conformal intervals, and whether ± σ means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.evaluation.metrics import spearman

Array = NDArray[Any]
Floats = NDArray[np.float64]

_FLOOR = 1e-3
"""Least scale of a structure, as part of the median one: a σ of 0 would promise no error at all."""
_GRID = 2001


@dataclass(frozen=True, eq=False)
class Conformal:
    """Intervals that hold the truth with a chosen probability, whatever the model (split conformal prediction).

    V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World (Springer, 2005); normalised by a measure
    of difficulty: H. Papadopoulos, A. Gammerman, V. Vovk, Proc. AIA 2008, 64. The promise holds on the average over
    structures like those that the intervals were made with (which the model must not have learned from).

    Attributes
    ----------
    coverage : float
        Probability, 0…1.
    width : float
        Half-width: in the property's unit, or in units of each structure's scale; infinite where there were too few
        structures to promise the coverage.
    normalised : bool
        Whether structures have scales of their own.
    floor : float
        Least scale.
    n : int
        Structures that the intervals were made with.
    """

    coverage: float
    width: float
    normalised: bool
    floor: float
    n: int

    @classmethod
    def of(cls, errors: Array, coverage: float = 0.9, scale: Array | None = None) -> Conformal:
        """From errors (n,) of structures that were held out, and a scale of each: ± σ, or the distance to training.

        The half-width is the ⌈(n + 1) coverage⌉-th least of |error| / scale. Errors and scales that are not finite are
        left out.

        Raises
        ------
        ValueError
            A coverage that is none; negative scales; other numbers of them.
        """
        if not 0.0 < coverage < 1.0:
            raise ValueError(f"a coverage of {coverage} is none: it lies between 0 and 1")
        e = np.abs(np.asarray(errors, dtype=np.float64))
        floor = 0.0
        good = np.isfinite(e)
        if scale is not None:
            s = np.asarray(scale, dtype=np.float64)
            if s.shape != e.shape:
                raise ValueError(f"{len(e)} errors and {len(s)} scales")
            good &= np.isfinite(s)
            if (s[good] < 0).any():
                raise ValueError("a scale is negative")
            positive = s[good & (s > 0)]
            floor = _FLOOR * float(np.median(positive)) if len(positive) else 1.0
            e = e / np.maximum(s, floor)
        e = e[good]
        place = int(np.ceil((len(e) + 1) * coverage - 1e-9))
        width = float(np.partition(e, place - 1)[place - 1]) if place <= len(e) else np.inf
        return cls(coverage, width, scale is not None, floor, len(e))

    @property
    def text(self) -> str:
        """One sentence for people."""
        if not np.isfinite(self.width):
            need = int(np.ceil(self.coverage / (1.0 - self.coverage) - 1e-9))
            return f"{self.n:,} held-out structures cannot promise {self.coverage:.0%}: at least {need:,} are needed"
        how = " × the structure's own scale" if self.normalised else ""
        return f"{self.coverage:.0%} of the errors lie within ± {self.width:.4g}{how} ({self.n:,} held-out structures)"

    def half_widths(self, count: int, scale: Array | None = None) -> Floats:
        """(count,) half-widths of other structures; NaN where their scale is."""
        if not self.normalised:
            return np.full(count, self.width)
        if scale is None:
            raise ValueError("these intervals need the scale of each structure")
        s = np.asarray(scale, dtype=np.float64)
        return self.width * np.where(np.isfinite(s), np.maximum(s, self.floor), np.nan)

    def interval(self, predicted: Array, scale: Array | None = None) -> tuple[Floats, Floats]:
        """(n,) lower and upper ends around predictions (n,)."""
        p = np.asarray(predicted, dtype=np.float64)
        half = self.half_widths(len(p), scale)
        return p - half, p + half


@dataclass(frozen=True, eq=False)
class Calibration:
    """Whether errors are as large as a model's ± σ says, if they are normally distributed.

    Attributes
    ----------
    nominal, observed : (k,) float64
        Probabilities, and which part of the errors lies within the interval of that probability: equal at best.
    area : float
        ∫ |observed − nominal| over all probabilities: 0 at best, ½ at worst (the miscalibration area of K. Tran et
        al., Mach. Learn.: Sci. Technol. 1, 025006 (2020)).
    sharpness : float
        Root of the mean variance that the model states, in the property's unit: the less the better, if calibrated.
    nll : float
        Mean negative log likelihood of the errors; infinite where a σ of 0 met an error.
    factor : float
        By which all σ should be multiplied, √ mean (e/σ)²: above 1 the model is too sure.
    ranking : float
        Rank correlation of σ and |error|: whether a large σ points to large errors.
    n, missing : int
        Structures, and those that were left out since something of them is not finite.
    """

    nominal: Floats
    observed: Floats
    area: float
    sharpness: float
    nll: float
    factor: float
    ranking: float
    n: int
    missing: int

    @property
    def text(self) -> str:
        """One sentence for people."""
        if self.n == 0:
            return "there is no structure with a finite ± σ and error"
        if not np.isfinite(self.factor):
            return "some ± σ are 0 where there are errors: the model is too sure"
        if 0.9 <= self.factor <= 1.1:
            return f"± σ is about as large as the errors (area {self.area:.2f})"
        sure = "small" if self.factor > 1 else "large"
        return f"± σ is too {sure}: multiply it by {self.factor:.2f} (area {self.area:.2f})"


def calibration(errors: Array, deviation: Array, levels: int = 19) -> Calibration:
    """Compare errors (n,) of held-out structures with the ± σ (n,) that the model stated for them.

    Parameters
    ----------
    levels : int
        Points of the curve, evenly spaced between 0 and 1.

    Raises
    ------
    ValueError
        Different lengths; a negative σ.
    """
    from scipy.special import erf, erfinv

    e, s = np.asarray(errors, dtype=np.float64), np.asarray(deviation, dtype=np.float64)
    if e.shape != s.shape or e.ndim != 1:
        raise ValueError(f"errors have shape {e.shape}, deviations {s.shape}")
    good = np.isfinite(e) & np.isfinite(s)
    missing = len(e) - int(good.sum())
    e, s = e[good], s[good]
    if (s < 0).any():
        raise ValueError("a ± σ is negative")
    nominal = np.arange(1, levels + 1) / (levels + 1)
    if len(e) == 0:
        nan = np.nan
        return Calibration(nominal, np.full(levels, nan), nan, nan, nan, nan, nan, 0, missing)
    size = np.abs(e)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(size == 0, 0.0, size / s)
        nll = 0.5 * (np.log(2.0 * np.pi * s * s) + z * z)
    ordered = np.sort(z)

    def within(p: Any) -> Floats:
        found: Floats = np.searchsorted(ordered, np.sqrt(2.0) * erfinv(p), side="right") / len(ordered)
        return found

    fine = np.linspace(0.0, 1.0, _GRID)
    # the share of errors within the interval of a probability is the distribution of erf(z / √2)
    reached = np.searchsorted(erf(ordered / np.sqrt(2.0)), fine, side="right") / len(ordered)
    gap = np.abs(reached - fine)
    exact = bool((s > 0).all())
    return Calibration(
        nominal=nominal,
        observed=within(nominal),
        area=float((0.5 * (gap[1:] + gap[:-1])).sum() / (_GRID - 1)),
        sharpness=float(np.sqrt((s * s).mean())),
        nll=float(nll.mean()) if exact else np.inf,
        factor=float(np.sqrt((z * z).mean())),
        ranking=spearman(size, s),
        n=len(e),
        missing=missing,
    )
