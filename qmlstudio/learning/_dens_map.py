"""The term of densMAP: rows in sparse regions of the features get more room on the map.

A. Narayan, B. Berger, H. Cho, Nat. Biotechnol. 39, 765 (2021). The local radius of a row is the mean squared distance
of its neighbours, weighted by their memberships (eq. 4); in the last part of the descent every pull also raises the
correlation of the radii's logarithms in the features with those on the map (eqs. 5 to 9, as umap-learn applies them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)
from qmlstudio.learning._fuzzy import Graph
from qmlstudio.learning._layout_loops import clip, mix, place_of, squared_distances_of_tables

Array = NDArray[Any]
Singles = NDArray[np.float32]

FRACTION = 0.3
"""The part of the epochs, at the end, in which the term acts."""
SHIFT = 0.1
"""Added to the variance of the map's radii, so that equal ones do not divide by zero."""
TINY = 1e-8


@dataclass(frozen=True, eq=False)
class Density:
    """What densMAP keeps.

    Attributes
    ----------
    radii : (n,) float32
        Logarithms of the local radii in the features.
    strength : float
        Weight of the term beside UMAP's own.
    """

    radii: Singles
    strength: float

    def of_map(self, curve: tuple[float, float], weights: Singles, n: int) -> RunningDensity:
        """The term for a descent over edges of these weights."""
        spread = float(self.radii.std())
        wanted = (self.radii - self.radii.mean()) / (spread if spread > 1e-6 else np.inf)
        squared = squared_distances_of_tables()
        nearness = (1.0 / (1.0 + curve[0] * squared ** curve[1])).astype(np.float32)
        factor = self.strength * float(weights.sum(dtype=np.float64)) / max(n, 1)
        empty = np.zeros(n, dtype=np.float32)
        return RunningDensity(
            wanted.astype(np.float32), weights, nearness, curve[1], factor, empty, np.ones(n, dtype=np.float32)
        )


@dataclass(frozen=True, eq=False)
class RunningDensity:
    """The term during a descent.

    Attributes
    ----------
    wanted : (n,) float32
        Standardised logarithms of the radii in the features.
    weights : (m,) float32
        Memberships of the edges.
    nearness : (entries,) float32
        Table of 1 / (1 + a d^2b).
    power : float
        b.
    factor : float
    sums, radii : (n,) float32
        Of the map: sums of nearness over the edges of each row, and its local radius.
    """

    wanted: Singles
    weights: Singles
    nearness: Singles
    power: float
    factor: float
    sums: Singles
    radii: Singles

    def acts(self, epoch: int, n_epochs: int) -> bool:
        """Whether the term acts in an epoch."""
        return self.factor > 0.0 and (epoch + 1) / n_epochs > 1.0 - FRACTION

    def terms(self) -> tuple[Singles, Singles, Singles, Singles, Singles, float, float]:
        """The last arguments of :func:`advance_dense`, for the radii as they are."""
        logs = np.log(self.radii, dtype=np.float64)
        deviation = float(np.sqrt(logs.var() + SHIFT))
        covariance = float(logs @ self.wanted) / max(len(logs) - 1, 1)
        pulls = (self.wanted - covariance * (logs - logs.mean()) / deviation**2).astype(np.float32)
        return self.weights, self.nearness, self.sums, self.radii, pulls, self.power, self.factor / deviation


def log_radii(graph: Graph, indices: Array, distances: Array) -> Singles:
    """Logarithms (n,) of the local radii in the features, from the neighbours that the graph was made of."""
    found: NDArray[np.float64] = feature_radii(graph.offsets, graph.tails, graph.weights, indices, distances)
    return np.log(TINY + found).astype(np.float32)


@njit(nogil=True, cache=True)
def feature_radii(offsets: Array, tails: Array, weights: Array, indices: Array, distances: Array) -> Array:
    """Mean squared distance of each row's neighbours, weighted by the edges; an edge's length is in either's list."""
    n, k = indices.shape
    radii = np.zeros(n)
    for i in range(n):
        total = 0.0
        weight = 0.0
        for e in range(offsets[i], offsets[i + 1]):
            j = tails[e]
            length = 0.0
            for t in range(k):
                if indices[i, t] == j:
                    length = distances[i, t]
                    break
            else:
                for t in range(k):
                    if indices[j, t] == i:
                        length = distances[j, t]
                        break
            total += weights[e] * length * length
            weight += weights[e]
        if weight > 0.0:
            radii[i] = total / weight
    return radii


@njit(nogil=True, cache=True)
def map_radii(
    old: Array, first: int, last: int, offsets: Array, tails: Array, nearness: Array, sums: Array, radii: Array
) -> None:
    """Local radii on the map of the heads ``first:last``, and the sums of nearness (each edge counts both ways)."""
    for i in range(first, last):
        total = np.float32(0.0)
        near = np.float32(0.0)
        for e in range(offsets[i], offsets[i + 1]):
            j = tails[e]
            squared = np.float32(0.0)
            for c in range(old.shape[1]):
                squared += (old[i, c] - old[j, c]) * (old[i, c] - old[j, c])
            phi = nearness[place_of(squared)]
            total += phi * squared
            near += phi
        sums[i] = np.float32(2.0) * near
        radii[i] = np.float32(TINY) + (total / near if near > 0.0 else np.float32(0.0))


@njit(nogil=True, cache=True)
def advance_dense(
    live: Array,
    old: Array,
    first: int,
    last: int,
    offsets: Array,
    tails: Array,
    periods: Array,
    due: Array,
    tables: Array,
    epoch: int,
    n_epochs: int,
    negatives: int,
    seed: int,
    weights: Array,
    nearness: Array,
    sums: Array,
    radii: Array,
    pulls: Array,
    power: float,
    factor: float,
) -> None:
    """One epoch of the heads ``first:last`` with the term of densMAP, in two or three dimensions.

    The first arguments are those of :func:`qmlstudio.learning._layout_loops.advance`, the last
    :meth:`RunningDensity.terms`.
    """
    n = np.uint64(len(live))
    dimensions = live.shape[1]
    now = np.float32(epoch + 1)
    step = np.float32(1.0 - epoch / n_epochs)
    one, two = np.float32(1.0), np.float32(2.0)
    exponent, strength = np.float32(power), np.float32(factor)
    at = np.empty(dimensions, dtype=np.float32)
    difference = np.empty(dimensions, dtype=np.float32)
    move = np.empty(dimensions, dtype=np.float32)
    for i in range(first, last):
        for c in range(dimensions):
            at[c] = live[i, c]
        state = mix(np.uint32(seed) + mix(np.uint32(epoch) * np.uint32(0x9E3779B9) + np.uint32(i)))
        count = np.uint32(0)
        for e in range(offsets[i], offsets[i + 1]):
            if due[e] > now:
                continue
            due[e] += periods[e]
            j = tails[e]
            inside = first <= j < last
            squared = np.float32(0.0)
            for c in range(dimensions):
                difference[c] = at[c] - (live[j, c] if inside else old[j, c])
                squared += difference[c] * difference[c]
            place = place_of(squared)
            pull = tables[0, place]
            phi = nearness[place]
            slope = one - exponent * (one - phi)
            # the change of both ends' radii; −pull/2 is the logarithmic slope of phi
            of_tail = phi / sums[j] * (slope / radii[j] - pull / two)
            of_head = phi / sums[i] * (slope / radii[i] - pull / two)
            term = two * strength / weights[e] * (pulls[j] * of_tail + pulls[i] * of_head)
            for c in range(dimensions):
                shift = clip(pull * difference[c]) + clip(term * difference[c])
                if inside:
                    live[j, c] -= step * shift
                    move[c] = shift
                else:
                    move[c] = two * shift
            for t in range(negatives):
                drawn = mix(state + count + np.uint32(t))
                r = np.int64((np.uint64(drawn) * n) >> np.uint64(32))
                squared = np.float32(0.0)
                for c in range(dimensions):
                    difference[c] = at[c] - old[r, c]
                    squared += difference[c] * difference[c]
                push = tables[1, place_of(squared)]
                for c in range(dimensions):
                    move[c] += clip(push * difference[c])
            count = np.uint32(count + np.uint32(negatives))
            for c in range(dimensions):
                at[c] += step * move[c]
        for c in range(dimensions):
            live[i, c] = at[c]
