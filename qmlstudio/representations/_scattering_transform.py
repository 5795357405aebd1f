"""The scattering transform of one structure: which grids, which order of steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import factorial, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.representations._drive import scratch
from qmlstudio.representations._scattering_loops import integrate, moduli, wavelets
from qmlstudio.representations._simd import WIDTH

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_POINTS = 2**27
"""Points of one grid: a structure that needs more is too large for its width."""

_REACH, _LEAST_REACH = 11.0, 15.0
"""Gaussians are cut off where they have fallen to exp(−15) = 3e-7, and their power q to exp(−11) = 2e-5."""
_MARGIN = 7.5
"""Of the second order, the box ends where it has fallen to exp(−7.5) = 6e-4, and what leaves comes back."""
_FINER = 1.2
"""First-order moduli have more points per width: where a vector field vanishes its modulus has a kink."""


@dataclass(frozen=True, eq=False)
class Harmonics:
    """Tables of real solid harmonics, see ``_scattering_loops``.

    Attributes
    ----------
    first : (degree + 1, degree + 2) int64
        Terms of l and m are ``first[l, m] : first[l, m + 1]``, by falling powers of z.
    power : (terms,) int64
        Powers of z.
    factor : (terms,) float64
        With the norm of the wavelet's Fourier transform.
    """

    first: Ints
    power: Ints
    factor: Floats


@dataclass(frozen=True, eq=False)
class Settings:
    """What the transform depends on; lengths in units of the smallest wavelet's width σ_0.

    Attributes
    ----------
    scales, degree : int
        Wavelets of widths 2^j, j = 0 … scales, and degrees l = 0 … degree.
    second : bool
        Whether there is a second order.
    powers : tuple of float
        q.
    resolution : float
        Grid points per width of the second order's wavelets; those of the first have 1.2 times as many.
    box : (3,) float64 or None
        Periodic box; None for one that is large enough.
    """

    scales: int
    degree: int
    second: bool
    powers: tuple[float, ...]
    resolution: float
    box: Floats | None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(j, j') of the second order."""
        n = self.scales + 1 if self.second else 0
        return [(j, k) for j in range(n) for k in range(j + 1, n)]


class Workspace:
    """Buffers of one thread, which grow as they must."""

    def __init__(self) -> None:
        self._buffers: dict[str, Floats] = {}

    def floats(self, name: str, *shape: int) -> Floats:
        """An uninitialised C-contiguous array; the one before under this name is gone."""
        size = int(np.prod(shape))
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers[name] = scratch(size + size // 4)
        return buffer[:size].reshape(shape)


@lru_cache
def harmonics(degree: int) -> Harmonics:
    """Tables up to l = `degree`."""
    first = np.zeros((degree + 1, degree + 2), dtype=np.int64)
    powers: list[int] = []
    factors: list[float] = []
    for l in range(degree + 1):
        for m in range(l + 1):
            first[l, m] = len(powers)
            found = _polynomial(l, m)
            for p in sorted(found, reverse=True):
                powers.append(p)
                factors.append(found[p] * _wavelet_norm(l))
        first[l, l + 1 :] = len(powers)
    return Harmonics(first, np.array(powers, dtype=np.int64), np.array(factors))


def _polynomial(l: int, m: int) -> dict[int, float]:
    """{p: c} of r^l times the real harmonic without its Re or Im (x + iy)^m: Σ c z^p ρ^(l − m − p)."""
    norm = sqrt((2 * l + 1) / (4 * pi) * factorial(l - m) / factorial(l + m)) * (sqrt(2.0) if m else 1.0)
    found: dict[int, float] = {}
    for k in range((l - m) // 2 + 1):
        # the m-th derivative of the Legendre polynomial
        a = (-1) ** k * factorial(2 * l - 2 * k) / (2**l * factorial(k) * factorial(l - k) * factorial(l - 2 * k - m))
        # r^2k = (z² + ρ²)^k
        for i in range(k + 1):
            p = l - m - 2 * k + 2 * i
            found[p] = found.get(p, 0.0) + norm * a * factorial(k) / (factorial(i) * factorial(k - i))
    return found


def _wavelet_norm(l: int) -> float:
    """n_l (2π)^3/2 of the wavelets (Eickenberg et al.); for l = 0 a Gaussian that is 1 at k = 0."""
    if l == 0:
        return sqrt(4 * pi)
    if l % 2 == 0:
        norm = 1 / (2 * pi * sqrt(l + 0.5) * float(np.prod(np.arange(l + 1, 0, -2))))
    else:
        norm = 1 / (2 ** ((l + 3) / 2) * sqrt(pi * (2 * l + 1)) * factorial((l + 1) // 2))
    return float(norm * (2 * pi) ** 1.5)


def frame(numbers: Any, positions: Floats) -> tuple[NDArray[Any], Floats]:
    """Atoms in an order of their own, in the axes of their largest spread, about the middle of their extent."""
    order = np.lexsort((positions[:, 2], positions[:, 1], positions[:, 0], numbers))
    r = positions[order] - positions[order].mean(axis=0)
    axes = np.linalg.eigh(r.T @ r)[1][:, ::-1]
    r = r @ axes
    r -= 0.5 * (r.max(axis=0) + r.min(axis=0))
    return np.asarray(numbers)[order], r


def transform(weights: Floats, atoms: Floats, settings: Settings, work: Workspace) -> Floats:
    """(1 + scales and pairs, degree + 1, Q) coefficients; the zeroth order fills [0, 0].

    Parameters
    ----------
    weights : (A,) float64
        Charges.
    atoms : (A, 3) float64
        From :func:`frame`, in σ_0.
    settings : Settings
    work : Workspace

    Raises
    ------
    ValueError
        Where a grid were too large, or the atoms lie outside the box.
    """
    pairs, degree, powers = settings.pairs, settings.degree, np.array(settings.powers)
    result = np.zeros((2 + settings.scales + len(pairs), degree + 1, len(powers)))
    weighty = weights != 0
    if not weighty.any():
        return result
    weights, atoms = weights[weighty], atoms[weighty]
    extent = np.ptp(atoms, axis=0)
    # those with a charge may lie aside
    atoms = atoms - 0.5 * (atoms.max(axis=0) + atoms.min(axis=0))
    if settings.box is not None and (extent > settings.box).any():
        raise ValueError("does not fit into the box")
    result[0, 0] = _first(weights, atoms, 0.0, 1.0, 0, settings, work, False)[1][0]
    for j in range(settings.scales + 1):
        later = [pair for pair in pairs if pair[0] == j]
        width = sqrt(1.0 + 4.0**j)
        # l = 0 is a sum of positive Gaussians: without a sign to lose, its second order is one as well
        fields, result[1 + j], steps = _first(weights, atoms, 2.0**j, width, degree, settings, work, bool(later))
        # of a field whose box is the same for all pairs, the spectrum is taken once
        known: dict[tuple[int, ...], Any] = {}
        for pair in later:
            row = result[2 + settings.scales + pairs.index(pair)]
            widest = sqrt(1.0 + 4.0**j + 4.0 ** pair[1])
            row[0] = _first(weights, atoms, 0.0, widest, 0, settings, work, False)[1][0]
            for l in range(1, degree + 1):
                row[l] = _second(fields[l], steps, extent, pair, l, settings, work, known)
    return result


def _first(
    weights: Floats,
    atoms: Floats,
    sigma: float,
    width: float,
    degree: int,
    settings: Settings,
    work: Workspace,
    keep: bool,
) -> tuple[Floats, Floats, Floats]:
    """U_l where `keep`, its integrals (degree + 1, Q), and the grid's steps.

    Wavelets of width `sigma` turn the atoms' Gaussians into ones of `width`.
    """
    powers = np.array(settings.powers)
    reach = sqrt(2 * max(_REACH / powers.min(), _LEAST_REACH)) * width
    need = np.ptp(atoms, axis=0) + 2 * reach
    steps = np.full(3, width / (_FINER * settings.resolution))
    shape = np.ceil(need / steps).astype(np.int64) + 1
    copies = atoms
    if settings.box is not None:
        periodic = _fast(np.ceil(settings.box / steps))
        steps = settings.box / periodic
        shape = np.minimum(np.ceil(need / steps).astype(np.int64) + 1, periodic)
        copies, owners = _images(atoms, settings.box, shape * steps, reach)
        weights = weights[owners]
    _check_size(shape)
    origin = -0.5 * (shape - 1) * steps
    tables, halves = harmonics(degree), _halves(powers)
    padded = -(-int(shape[2]) // WIDTH) * WIDTH
    count, terms = len(copies), len(tables.factor)
    out = work.floats("moduli", degree + 1, *shape) if keep else np.zeros((1, 0, 0, 0))
    sums = np.zeros((degree + 1) * len(powers) * WIDTH)
    # of a normalised Gaussian
    scale = ((sigma / width) ** np.arange(degree + 1) / (2 * pi) ** 1.5 / width**3) ** 2
    moduli(
        np.ascontiguousarray(copies / width),
        weights,
        origin / width,
        steps / width,
        shape,
        reach / width,
        degree,
        tables.first,
        tables.power,
        tables.factor,
        scale,
        halves,
        powers,
        out,
        sums,
        work.floats("rows", count * (degree + 1) * padded),
        np.zeros((4, count), dtype=np.int64),
        work.floats("work", (terms + 2 * degree + 2) * count),
        work.floats("row", padded),
    )
    integrals = sums.reshape(degree + 1, len(powers), WIDTH).sum(axis=2) * steps.prod()
    return out, integrals, steps


def _second(
    field: Floats,
    steps: Floats,
    extent: Floats,
    pair: tuple[int, int],
    l: int,
    settings: Settings,
    work: Workspace,
    known: dict[tuple[int, ...], Any],
) -> Floats:
    """(Q,) integrals of |U_jl ∗ ψ_j'l|^q."""
    from scipy import fft

    sigma = 2.0 ** pair[1]
    powers = np.array(settings.powers)
    fine, coarse = second_grids(steps, extent, pair, settings)
    fine = np.maximum(fine, field.shape)
    box = fine * steps
    # highest wave number on both grids; that of half a period is left out
    top = (np.minimum(fine, coarse) - 1) // 2
    key = (l, *(int(n) for n in fine))
    values = known.get(key)
    if values is None or (np.array(values.shape) < (2 * top[0] + 1, 2 * top[1] + 1, top[2] + 1)).any():
        values = fft.rfft(field, n=fine[2], axis=2, workers=1)[:, :, : top[2] + 1]
        values = _both_ends(fft.fft(values, n=fine[1], axis=1, workers=1), 1, int(top[1]))
        values = _both_ends(fft.fft(values, n=fine[0], axis=0, workers=1), 0, int(top[0]))
        if settings.box is not None:
            known[key] = values
    values = _both_ends(_both_ends(values[:, :, : top[2] + 1], 1, int(top[1])), 0, int(top[0]))
    tables = harmonics(settings.degree)
    k = [2 * pi / box[a] * np.fft.ifftshift(np.arange(-top[a], top[a] + 1.0)) for a in range(2)]
    k.append(2 * pi / box[2] * np.arange(top[2] + 1.0))
    # the first point of the coarse grid is the middle of the fine one: mirror images see the same grid
    middle = 0.5 * (np.array(field.shape) - 1) * steps
    turn = [np.exp(1j * wave * shift) for wave, shift in zip(k, middle, strict=True)]
    # an odd wavelet's transform is imaginary
    values = values * turn[0][:, None, None] * (turn[1][:, None] * (turn[2] * 1j ** (l % 2)))
    count = 2 * l + 1
    spectra = work.floats("spectra", count, coarse[0], coarse[1], 2 * (coarse[2] // 2 + 1))
    wavelets(
        np.ascontiguousarray(values).view(np.float64),
        k[0] * sigma,
        k[1] * sigma,
        k[2] * sigma,
        l,
        tables.first,
        tables.power,
        tables.factor,
        spectra,
        work.floats("waves", l + 2, 2 * len(k[2])),
    )
    # axis by axis in place: irfftn makes copies, and takes more than twice as long
    waves = spectra.view(np.complex128)
    for axis in (1, 2):
        waves = fft.ifft(waves, axis=axis, overwrite_x=True, workers=1)
    fields = fft.irfft(waves, int(coarse[2]), axis=3, workers=1)
    sums = np.zeros(len(powers) * WIDTH)
    scale = (coarse.prod() / fine.prod()) ** 2
    integrate(fields.reshape(-1), count, scale, _halves(powers), powers, sums, work.floats("tail", count * WIDTH))
    return np.asarray(sums.reshape(len(powers), WIDTH).sum(axis=1) * (box / coarse).prod())


def second_grids(steps: Floats, extent: Floats, pair: tuple[int, int], settings: Settings) -> tuple[Ints, Ints]:
    """Points of the box of U_jl at the first order's `steps`, and of |U_jl ∗ ψ_j'l|, whose wave numbers are fewer."""
    sigma, powers = 2.0 ** pair[1], settings.powers
    if settings.box is None:
        reach = sqrt(2 * _MARGIN / min(1.0, *powers)) * sqrt(1.0 + 4.0 ** pair[0] + sigma * sigma)
        fine = _fast(np.ceil((extent + 2 * reach) / steps))
    else:
        fine = np.rint(settings.box / steps).astype(np.int64)
    _check_size(fine)
    return fine, np.minimum(_fast(np.ceil(fine * steps * settings.resolution / sigma)), fine)


def _both_ends(values: Any, axis: int, top: int) -> Any:
    """The wave numbers 0 … top, −top … −1 of an axis."""
    n = values.shape[axis]
    if 2 * top + 1 == n:
        return values
    keep = np.concatenate([np.arange(top + 1), np.arange(n - top, n)])
    return np.take(values, keep, axis=axis)


def _halves(powers: Floats) -> Ints:
    """2 q where it is whole, else −1."""
    twice = np.rint(2 * powers)
    return np.where(np.abs(2 * powers - twice) < 1e-12, twice, -1).astype(np.int64)


def _fast(sizes: Any) -> Ints:
    """Numbers of points, not below these, whose Fourier transform is fast."""
    from scipy.fft import next_fast_len

    return np.array([next_fast_len(int(n), real=True) for n in sizes], dtype=np.int64)


def _images(atoms: Floats, box: Floats, size: Floats, reach: float) -> tuple[Floats, Ints]:
    """The atoms and those of their periodic images that reach into a grid of this size; which atom each is."""
    most = np.ceil((0.5 * size + reach + 0.5 * box) / box).astype(int)
    cells = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 3)
    copies = (atoms[None] + (cells * box)[:, None]).reshape(-1, 3)
    owners = np.tile(np.arange(len(atoms)), len(cells))
    inside = (np.abs(copies) <= 0.5 * size + reach).all(axis=1)
    # of an axis that holds all reaches without overlap only the atoms themselves are wanted
    compact = size < box - 1e-9
    itself = (np.repeat(cells, len(atoms), axis=0) == 0) | ~compact
    chosen = inside & itself.all(axis=1)
    return np.ascontiguousarray(copies[chosen]), owners[chosen].astype(np.int64)


def _check_size(shape: Ints) -> None:
    if float(np.prod(shape.astype(np.float64))) > MOST_POINTS:
        raise ValueError(f"needs a grid of {' × '.join(str(n) for n in shape)} points")
