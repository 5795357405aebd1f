"""What a learning curve says: its exponent, and how many training structures a goal would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FARTHEST = 10.0
"""Times the largest training set up to which an extrapolation is told."""
FLAT = 0.02
"""Exponents up to which a curve does not fall."""
_LEAST_SPREAD = 1e-3
"""Relative: what repeats differ by is not believed to be smaller than this."""


@dataclass(frozen=True)
class PowerLaw:
    """error ≈ a · N^(−b), or a · N^(−b) + c.

    Attributes
    ----------
    a, b : float
        Offset, in the error's unit, and exponent.
    c : float
        The error that no amount of data removes; 0 without one.
    b_interval : (low, high) or None
        95 % interval of the exponent; None when there are too few sizes to tell.
    covariance : (2, 2) float64 or None
        Of (ln a, b), scaled by how far the points are off the line.
    freedom : int
        Sizes less parameters.
    smallest, largest : float
        The sizes between which it was fitted.
    misfit : float
        Root of the weighted mean square of ln(error / fit).
    """

    a: float
    b: float
    c: float
    b_interval: tuple[float, float] | None
    covariance: Floats | None
    freedom: int
    smallest: float
    largest: float
    misfit: float

    def __call__(self, sizes: ArrayLike) -> Floats:
        """The fitted error at these sizes."""
        n = np.asarray(sizes, dtype=np.float64)
        return np.asarray(self.a * n**-self.b + self.c, dtype=np.float64)

    def band(self, sizes: ArrayLike) -> tuple[Floats, Floats] | None:
        """95 % interval of the line at these sizes; None when there are too few points to tell, or with an offset."""
        if self.covariance is None or self.c:
            return None
        n = np.asarray(sizes, dtype=np.float64)
        columns = np.stack([np.ones_like(n), -np.log(n)], axis=-1)
        half = _t(self.freedom) * np.sqrt(np.einsum("...i,ij,...j->...", columns, self.covariance, columns))
        line = self(n)
        return line * np.exp(-half), line * np.exp(half)

    @property
    def text(self) -> str:
        """ "2,310 · N^−0.75 (0.71–0.79)"."""
        offset = f" + {self.c:.3g}" if self.c else ""
        interval = f" ({self.b_interval[0]:.2f}–{self.b_interval[1]:.2f})" if self.b_interval else ""
        return f"{self.a:,.4g} · N^−{self.b:.2f}{offset}{interval}".replace("−-", "+")


@dataclass(frozen=True)
class Reach:
    """How many training structures a goal takes.

    Attributes
    ----------
    kind : "measured", "extrapolated", "far" or "never"
        Measured: the curve itself goes below the goal. Far: more than :data:`FARTHEST` times what was measured, so no
        number is told. Never: the curve does not fall, or its offset is above the goal.
    size : float or None
        Training structures; None where there is no number to tell.
    low, high : float or None
        95 % interval; `high` is None where it is beyond what can be told.
    """

    kind: Literal["measured", "extrapolated", "far", "never"]
    size: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """For a legend or a table."""
        if self.kind == "never":
            return "not reached by this curve"
        if self.size is None:
            return f"beyond {FARTHEST:g} times the largest training set"
        if self.kind == "measured":
            return f"N ≈ {_rounded(self.size)}"
        if self.low is None:
            return f"N ≈ {_rounded(self.size)} (extrapolated)"
        high = "beyond what can be told" if self.high is None else _rounded(self.high)
        return f"N ≈ {_rounded(self.size)} (extrapolated; 95 %: {_rounded(self.low)} to {high})"


def power_law(sizes: ArrayLike, errors: ArrayLike, *, saturating: bool = False) -> PowerLaw | None:
    """Fit a power law by weighted least squares of logarithms.

    Parameters
    ----------
    sizes : (m,) float
        Training structures.
    errors : (m,) or (m, repeats) float
        Above zero. Of repeats the means are fitted; sizes at which repeats agree better weigh more. NaN is left out.
    saturating : bool
        With an offset c ≥ 0, from four sizes on.

    Returns
    -------
    PowerLaw or None
        None with fewer than two sizes that have errors above zero.
    """
    n = np.asarray(sizes, dtype=np.float64).reshape(-1)
    if not len(n):
        return None
    table = np.asarray(errors, dtype=np.float64).reshape(len(n), -1)
    means, spread, counts = _moments(table)
    good = np.isfinite(means) & (means > 0) & (n > 0)
    n, means, spread, counts = n[good], means[good], spread[good], counts[good]
    if len(np.unique(n)) < 2:
        return None
    weights = _weights(means, spread, counts)
    x, y = np.log(n), np.log(means)
    law = _line(n, x, y, weights, 0.0)
    if not saturating or len(np.unique(n)) < 4:
        return law
    return _with_offset(n, x, means, weights, law)


def reach(law: PowerLaw | None, goal: float, sizes: ArrayLike, errors: ArrayLike) -> Reach:
    """How many training structures bring the error down to `goal`.

    Parameters
    ----------
    law : PowerLaw or None
        The fit of the curve.
    goal : float
        In the error's unit.
    sizes : (m,) float; errors : (m,) float
        The curve that was measured: where it crosses the goal itself, nothing is extrapolated.
    """
    n, e = np.asarray(sizes, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    good = np.isfinite(e) & (e > 0)
    order = np.argsort(n[good], kind="stable")
    n, e = n[good][order], e[good][order]
    below = np.flatnonzero(e <= goal)
    if len(below):
        k = int(below[0])
        if k == 0:
            return Reach("measured", float(n[0]))
        part = np.log(e[k - 1] / goal) / np.log(e[k - 1] / e[k])
        return Reach("measured", float(n[k - 1] * (n[k] / n[k - 1]) ** part))
    if law is None or law.b <= FLAT or law.c >= goal:
        return Reach("never")
    log_size = float(np.log(law.a / (goal - law.c))) / law.b
    if log_size > np.log(FARTHEST * law.largest):
        return Reach("far")
    size = float(np.exp(log_size))
    low, high = _interval(law, goal)
    return Reach("extrapolated", max(size, law.largest), low, high)


def band(values: ArrayLike) -> tuple[float, float, float]:
    """Mean of errors over repeats with its 95 % interval; NaN for the interval of a single repeat.

    Student's t of the logarithms, since errors are positive and differ by factors: with two or three repeats the
    interval is wide, as it should be.
    """
    v = np.asarray(values, dtype=np.float64)
    v = v[np.isfinite(v)]
    if not len(v):
        return float("nan"), float("nan"), float("nan")
    mean = float(v.mean())
    if len(v) == 1:
        return mean, float("nan"), float("nan")
    if (v <= 0).any():
        half = _t(len(v) - 1) * float(v.std(ddof=1)) / np.sqrt(len(v))
        return mean, mean - half, mean + half
    factor = float(np.exp(_t(len(v) - 1) * np.log(v).std(ddof=1) / np.sqrt(len(v))))
    return mean, mean / factor, mean * factor


def bootstrap(errors: ArrayLike, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """95 % interval of the mean absolute error over test structures drawn anew, for a single repeat.

    Parameters
    ----------
    errors : (m,) float
        Of each test structure.
    """
    e = np.abs(np.asarray(errors, dtype=np.float64).reshape(-1))
    if len(e) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    # by parts: a large test set times all draws need not fit the memory
    step = max(1, 2_000_000 // len(e))
    means = [e[rng.integers(0, len(e), (min(step, draws - k), len(e)))].mean(axis=1) for k in range(0, draws, step)]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def _moments(table: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    there = np.isfinite(table)
    counts = there.sum(axis=1)
    filled = np.where(there, table, 0.0)
    means = np.where(counts > 0, filled.sum(axis=1) / np.maximum(counts, 1), np.nan)
    squares = np.where(there, (table - means[:, None]) ** 2, 0.0).sum(axis=1)
    spread = np.where(counts > 1, np.sqrt(squares / np.maximum(counts - 1, 1)), np.nan)
    return means, spread, counts.astype(np.int64)


def _weights(means: Floats, spread: Floats, counts: NDArray[np.int64]) -> Floats:
    relative = spread / means
    known = np.isfinite(relative)
    if not known.any():
        return np.ones(len(means))
    # two or three repeats say little about one size's spread: it is drawn half-way to that of all sizes
    typical = float(np.mean(relative[known] ** 2))
    variance = np.where(known, 0.5 * (np.nan_to_num(relative) ** 2 + typical), typical)
    variance = np.maximum(variance, _LEAST_SPREAD**2) / np.maximum(counts, 1)
    weights = 1.0 / variance
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def _line(n: Floats, x: Floats, y: Floats, weights: Floats, c: float) -> PowerLaw:
    columns = np.stack([np.ones_like(x), -x], axis=1)
    normal = columns.T @ (columns * weights[:, None])
    solution = np.linalg.solve(normal, columns.T @ (weights * y))
    rest = y - columns @ solution
    chi2 = float(weights @ rest**2)
    freedom = len(x) - 2
    covariance, interval = None, None
    if freedom > 0:
        covariance = np.linalg.inv(normal) * chi2 / freedom
        half = _t(freedom) * float(np.sqrt(covariance[1, 1]))
        interval = (float(solution[1] - half), float(solution[1] + half))
    return PowerLaw(
        float(np.exp(solution[0])),
        float(solution[1]),
        c,
        interval,
        covariance,
        freedom,
        float(n.min()),
        float(n.max()),
        float(np.sqrt(chi2 / weights.sum())),
    )


def _with_offset(n: Floats, x: Floats, means: Floats, weights: Floats, plain: PowerLaw) -> PowerLaw:
    from scipy.optimize import least_squares

    root, y, top = np.sqrt(weights), np.log(means), float(means.min())

    def off(p: Any) -> Any:
        return root * (np.log(np.exp(p[0] - p[1] * x) + p[2] * top) - y)

    start = [np.log(plain.a), max(plain.b, 0.05), 0.1]
    found: Any = least_squares(off, start, bounds=([-np.inf, 0.0, 0.0], [np.inf, np.inf, 1.0 - 1e-9]))
    log_a, b, part = (float(v) for v in found.x)
    chi2, freedom = float(2.0 * found.cost), len(x) - 3
    interval = None
    if freedom > 0 and part > 0:
        slopes = np.asarray(found.jac, dtype=np.float64)
        normal = slopes.T @ slopes
        if np.linalg.cond(normal) < 1e12:
            half = _t(freedom) * float(np.sqrt(np.linalg.inv(normal)[1, 1] * chi2 / freedom))
            interval = (b - half, b + half)
    misfit = float(np.sqrt(chi2 / weights.sum()))
    return PowerLaw(float(np.exp(log_a)), b, part * top, interval, None, freedom, plain.smallest, plain.largest, misfit)


def _interval(law: PowerLaw, goal: float) -> tuple[float | None, float | None]:
    """Where the band of the line crosses the goal."""
    farthest = FARTHEST * law.largest
    n = np.exp(np.linspace(np.log(law.largest), np.log(farthest), 400))
    lines = law.band(n)
    if lines is None:
        return None, None
    low, high = lines
    first, last = np.flatnonzero(low <= goal), np.flatnonzero(high <= goal)
    return (float(n[first[0]]) if len(first) else None), (float(n[last[0]]) if len(last) else None)


def _t(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def _rounded(value: float) -> str:
    """Two figures: more would be a claim."""
    digits = max(0, int(np.floor(np.log10(max(value, 1.0)))) - 1)
    return f"{round(value, -digits):,.0f}"
