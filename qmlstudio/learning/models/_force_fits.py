"""How weights of energies and forces are found, and what else a fit needs: offsets, scales, domains."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.learning._threads import Team, blas_threads
from qmlstudio.learning.models._force_rows import Basis, Block, blocks_of, design, padded, quiet
from qmlstudio.progress import Progress

if TYPE_CHECKING:
    from qmlstudio.learning.models.forces import ForceKernelRidge

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KINDS = {"gaussian": 0, "matern-5/2": 1}
_DOMAIN_STRUCTURES = 200


@dataclass(frozen=True, eq=False)
class Offset:
    """Energies that depend on the composition alone: of each element so much an atom."""

    numbers: Integers
    values: Floats

    @classmethod
    def of(cls, structures: Structures, energies: Floats | None) -> Offset:
        """By least squares; nothing for None."""
        numbers = np.array(structures.species.numbers, dtype=np.int64)
        if energies is None:
            return cls(numbers, np.zeros(len(numbers)))
        counts = _counts(structures, numbers)
        return cls(numbers, np.asarray(np.linalg.lstsq(counts, energies, rcond=None)[0], dtype=np.float64))

    def __call__(self, structures: Structures) -> Floats:
        """(n,)"""
        return _counts(structures, self.numbers) @ self.values


def _counts(structures: Structures, numbers: Integers) -> Floats:
    """(n, elements) how many atoms of each."""
    owners = np.repeat(np.arange(len(structures)), structures.sizes)
    columns = np.searchsorted(numbers, structures.numbers)
    places = owners * len(numbers) + columns
    return np.bincount(places, minlength=len(structures) * len(numbers)).reshape(len(structures), -1).astype(float)


def median_distance(rows: Array, codes: NDArray[np.uint8], seed: int = 0) -> float:
    """Median distance of different rows of one element, of random pairs; 1 where all are equal."""
    rng, squares = np.random.default_rng(seed), []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        if len(members) < 2:
            continue
        count = min(2000, len(members) * 8)
        first = rng.integers(len(members), size=count)
        second = (first + rng.integers(1, len(members), size=count)) % len(members)
        squares.append(((rows[members[first]] - rows[members[second]]) ** 2).sum(axis=1))
    found = np.sqrt(np.concatenate(squares)) if squares else np.zeros(0)
    found = found[found > 1e-7 * found.max(initial=0.0)]
    return float(np.median(found)) if len(found) else 1.0


def basis_fit(
    spec: ForceKernelRidge,
    structures: Structures,
    species: Species,
    basis: Basis,
    energies: Floats | None,
    forces: Floats | None,
    members: Team,
    seconds: dict[str, float],
    notes: list[str],
    progress: Progress,
) -> Floats:
    """(m,) the weights of the basis."""
    from qmlstudio.learning.models._force_triangle import Triangle

    m, kind, sigma = len(basis), KINDS[spec.kernel], float(spec.sigma or 1.0)
    clock = time.perf_counter()
    if spec.solver == "regularised":
        start = progress.part(0.0, 0.1)
        triangle, added = Triangle.of_kernel(
            m, lambda out: basis.kernel(kind, sigma, out, start.part(0.0, 0.5), members), start.part(0.5, 1.0)
        )
        if added:
            notes.append(f"{added:.1e} was added to the diagonal of the basis's kernel: it is not positive definite")
    else:
        triangle = Triangle(m)
    seconds["kernel"], seconds["solve"] = time.perf_counter() - clock, 0.0
    clock = time.perf_counter()
    rest = progress.part(0.1, 0.9)
    for block in blocks_of(
        structures,
        spec.representation,
        species,
        rest,
        gradients=forces is not None,
        threads=members.threads,
        width=m,
    ):
        count = block.stop - block.start if energies is not None else 0
        rows = np.zeros((m + 1, count + (int(block.forces[-1]) if forces is not None else 0)))
        design(block, basis, kind, sigma, rows, count, forces is not None, members)
        if energies is not None:
            rows[m, :count] = energies[block.start : block.stop]
            rows[:, :count] /= np.sqrt(spec.lambda_energy)
        if forces is not None:
            low = 3 * int(structures.offsets[block.start])
            rows[m, count:] = forces[low : low + rows.shape[1] - count]
            rows[:, count:] /= np.sqrt(spec.lambda_force)
        seconds["kernel"] += time.perf_counter() - clock
        clock = time.perf_counter()
        with blas_threads(members.threads):
            triangle.add(rows, quiet(progress))
        seconds["solve"] += time.perf_counter() - clock
        clock = time.perf_counter()
    last = progress.part(0.9, 1.0)
    found = triangle.solve() if spec.solver == "regularised" else triangle.solve_truncated(spec.rcond, last)
    seconds["solve"] += time.perf_counter() - clock
    return found


def covariance_fit(
    spec: ForceKernelRidge,
    structures: Structures,
    species: Species,
    energies: Floats | None,
    forces: Floats | None,
    members: Team,
    seconds: dict[str, float],
    notes: list[str],
    progress: Progress,
) -> tuple[Floats, Floats]:
    """(n,) weights of the energies and (n, width) those of the forces times the gradients."""
    from qmlstudio.learning.models import _force_covariance
    from qmlstudio.learning.models.cholesky import Cholesky

    def blocks(progress: Progress) -> Iterator[Block]:
        return blocks_of(
            structures,
            spec.representation,
            species,
            progress,
            gradients=forces is not None,
            threads=members.threads,
        )

    n, components = len(structures), 3 * len(structures.numbers)
    clock = time.perf_counter()
    matrix = _force_covariance.covariance(
        blocks,
        KINDS[spec.kernel],
        float(spec.sigma or 1.0),
        energies is not None,
        forces is not None,
        (n, components),
        progress.part(0.0, 0.4),
        members,
    )
    seconds["kernel"] = time.perf_counter() - clock
    clock = time.perf_counter()
    e = 0 if energies is None else n
    ridge = np.concatenate([np.full(e, spec.lambda_energy), np.full(len(matrix) - e, spec.lambda_force)])
    matrix[np.diag_indices(len(matrix))] += ridge
    right = np.concatenate([part for part in (energies, forces) if part is not None])
    with blas_threads(members.threads):
        factor = Cholesky(matrix, 0.0, progress.part(0.4, 0.9))
        weights = factor.solve(right[None], progress.part(0.9, 0.95))[0]
    if factor.added:
        notes.append(f"{factor.added:.1e} was added to the diagonal: the covariance is not positive definite")
    seconds["solve"] = time.perf_counter() - clock
    del matrix, factor
    alpha = weights[:e] if e else np.zeros(n)
    width = padded(np.zeros((1, spec.representation.size(species)))).shape[1]
    if forces is None:
        return alpha, np.zeros((0, width))
    return alpha, _force_covariance.directions(blocks, weights[e:], width, n, progress.part(0.95, 1.0))


def domain_of_basis(rows: Floats, codes: NDArray[np.uint8], owners: Integers, basis: Basis) -> float | None:
    """The distance within which 95 % of a sample of training structures find their rows among other structures."""
    from qmlstudio.learning.models import _force_loops as loops
    from qmlstudio.learning.models._nearest import domain_of

    n = int(owners[-1]) + 1 if len(owners) else 0
    chosen = np.unique(np.linspace(0, max(n - 1, 0), min(n, _DOMAIN_STRUCTURES)).astype(np.int64))
    farthest = np.zeros(n)
    for row in np.flatnonzero(np.isin(owners, chosen)):
        first, last = basis.stretch(int(codes[row]))
        near = loops.nearest_square(rows[row], basis.flat, first, last, basis.width, basis.owners, int(owners[row]))
        farthest[owners[row]] = max(farthest[owners[row]], near)
    return domain_of(np.sqrt(farthest[chosen]))
