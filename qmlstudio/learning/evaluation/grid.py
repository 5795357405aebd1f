"""What a search tries, and what it found."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.parameters import Parameterised, param

Floats = NDArray[np.float64]

METRICS = (
    ("mae", "mean absolute error"),
    ("rmse", "root mean square error"),
    ("median", "median absolute error"),
    ("likelihood", "log likelihood"),
)
TIE = 1e-3
"""Scores that differ by less than this part of the best are equal: the smoother model is taken."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One setting beside σ and λ.

    Attributes
    ----------
    representation, model : dict of str to value
        Parameters that differ from those given.
    """

    representation: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """ "r_cut = 5, k = 3"; empty where nothing differs."""
        return ", ".join(f"{k} = {v}" for k, v in (*self.representation.items(), *self.model.items()))


@dataclass(frozen=True, kw_only=True)
class Grid(Parameterised):
    """σ by λ, for each setting of representation and model.

    σ are multiples of the kernel's own scale: of the median distance where that is automatic, else of the one that is
    given. λ are powers of ten, relative to the mean of the kernel's diagonal (which is 1 for normalised kernels, and
    counts pairs of atoms for local sums).

    `factors` and `lambdas` replace the evenly spaced ones. `representations` are sets of parameters of the
    representation, `models` of the model (``{"k": 3}``); all are combined with all.
    """

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid"

    sigma_low: float = param(
        0.25, label="σ from", unit="× median", low=1e-4, high=1e4, step=0.25, help="Least multiple of the scale."
    )
    sigma_high: float = param(
        64.0, label="σ to", unit="× median", low=1e-4, high=1e4, step=1.0, help="Largest multiple of the scale."
    )
    sigma_count: int = param(9, label="σ steps", low=1, high=50, step=1, help="Evenly spaced on a logarithmic scale.")
    lambda_low: int = param(-11, label="λ from 10^", low=-15, high=6, step=1)
    lambda_high: int = param(-3, label="λ to 10^", low=-15, high=6, step=1)
    metric: str = param("mae", label="Judge by", choices=METRICS)
    factors: tuple[float, ...] = ()
    lambdas: tuple[float, ...] = ()
    representations: tuple[dict[str, Any], ...] = ()
    models: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("factors", "lambdas"):
            values = tuple(float(v) for v in getattr(self, name))
            if any(not np.isfinite(v) or v < 0 or (name == "factors" and v == 0) for v in values):
                raise ValueError(f"{name}: {values} are not all positive numbers")
            object.__setattr__(self, name, tuple(sorted(values)))
        object.__setattr__(self, "representations", tuple(dict(d) for d in self.representations))
        object.__setattr__(self, "models", tuple(dict(d) for d in self.models))
        if self.sigma_low > self.sigma_high or self.lambda_low > self.lambda_high:
            raise ValueError("a grid must go from low to high")

    __hash__ = None  # type: ignore[assignment]

    @property
    def all_factors(self) -> tuple[float, ...]:
        """Multiples of σ, ascending."""
        if self.factors:
            return self.factors
        count = self.sigma_count if self.sigma_high > self.sigma_low else 1
        return tuple(float(v) for v in np.geomspace(self.sigma_low, self.sigma_high, count))

    @property
    def all_lambdas(self) -> tuple[float, ...]:
        """λ relative to the mean of the diagonal, ascending."""
        return self.lambdas or tuple(10.0**k for k in range(self.lambda_low, self.lambda_high + 1))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Settings of representation and model, all with all."""
        return tuple(Variant(a, b) for a, b in itertools.product(self.representations or ({},), self.models or ({},)))

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        lists = {k: list(getattr(self, k)) for k in ("factors", "lambdas", "representations", "models")}
        return {**super().to_dict(), **{k: v for k, v in lists.items() if v}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        own = ("factors", "lambdas", "representations", "models")
        found = super().from_dict({k: v for k, v in data.items() if k not in own})
        lists: dict[str, Any] = {k: tuple(data[k]) for k in own if k in data}
        return replace(found, **lists)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Scores of a grid, as far as they are known.

    Attributes
    ----------
    spec : ModelSpec
        The best so far with its σ and λ known; the one that was given before anything is known.
    variant : Variant
        The best one's other settings.
    grid : Grid
    factors : (s,) float64
        Multiples of σ; one, 1, where the model has no kernel or its kernel no scale.
    lambdas : (l,) float64
        Relative to the diagonal; one, NaN, where the model has none.
    sigmas : (v, s) float64
        The kernel's σ, NaN where there is none.
    diagonals : (v, s) float64
        Means of the kernel's diagonal, by which λ is multiplied.
    scores : (v, s, l) float64
        Mean over the folds, the less the better (of a likelihood the negative, per structure); NaN: not known yet, or
        not to be computed (a matrix that is not positive definite).
    spread : (v, s, l) float64
        Standard deviation over the folds; NaN with one fold.
    index : (int, int, int) or None
        Of the best.
    done : float
        Part of the grid that is known, 0…1.
    unit : str
        Of the scores; "of the spread" where several targets are judged together, each in units of its mean absolute
        deviation.
    n_fit, n_validate, folds : int
    notes : tuple of str
        Edges of the grid, matrices that are not positive definite.
    seconds : dict of str to float
    """

    spec: ModelSpec
    variant: Variant
    grid: Grid
    factors: Floats
    lambdas: Floats
    sigmas: Floats
    diagonals: Floats
    scores: Floats
    spread: Floats
    index: tuple[int, int, int] | None
    done: float
    unit: str
    n_fit: int
    n_validate: int
    folds: int
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def best_score(self) -> float:
        """NaN when nothing is known."""
        return float(self.scores[self.index]) if self.index is not None else np.nan

    @property
    def edges(self) -> tuple[str, ...]:
        """Which ends of the grid the best lies at: "σ low", "λ high", …"""
        if self.index is None:
            return ()
        found = []
        for name, place, count in (("σ", self.index[1], len(self.factors)), ("λ", self.index[2], len(self.lambdas))):
            if count > 1 and place in (0, count - 1):
                found.append(f"{name} {'low' if place == 0 else 'high'}")
        return tuple(found)

    def wider(self) -> Grid | None:
        """A grid that goes on where the best lies at an edge; None when it lies at none."""
        edges = self.edges
        if not edges:
            return None
        factors, lambdas = list(self.factors), list(self.lambdas)
        for edge in edges:
            values, most = (factors, 1e4) if edge[0] == "σ" else (lambdas, 1e6)
            step = (values[-1] / max(values[0], 1e-300)) ** (1.0 / (len(values) - 1))
            for _ in range(3):
                new = values[0] / step if edge.endswith("low") else values[-1] * step
                if 1e-16 < new <= most:
                    values.insert(0 if edge.endswith("low") else len(values), new)
        return replace(self.grid, factors=tuple(factors), lambdas=tuple(lambdas))


def best_index(scores: Floats, factors: Floats, lambdas: Floats) -> tuple[int, int, int] | None:
    """The least score; among those within :data:`TIE` of it that of the largest λ, then the largest σ."""
    finite = np.isfinite(scores)
    if not finite.any():
        return None
    least = float(scores[finite].min())
    tied = np.argwhere(finite & (scores <= least + TIE * abs(least)))
    # one variant only: what is smoother is comparable within one representation
    variant = int(np.argwhere(finite & (scores == least))[0, 0])
    tied = tied[tied[:, 0] == variant]
    order = np.lexsort((tied[:, 1], tied[:, 2]))
    v, s, l = tied[order[-1]].tolist()
    return v, s, l


def edge_notes(edges: tuple[str, ...], factors: Floats, lambdas: Floats) -> tuple[str, ...]:
    """Sentences for people."""
    notes = []
    for edge in edges:
        low = edge.endswith("low")
        if edge[0] == "σ":
            what = f"the best σ ({factors[0] if low else factors[-1]:g} × the scale)"
        else:
            what = f"the best λ ({lambdas[0] if low else lambdas[-1]:g})"
        notes.append(f"{what} is the {'least' if low else 'largest'} of the grid: widen it")
    return tuple(notes)
