"""Kernels of single atoms: models of what atoms have, and what each atom adds to a structure's prediction."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.learning.kernels.atom_similarity import inverse_root
from qmlstudio.learning.kernels.base import BLOCK_BYTES, Kernel
from qmlstudio.learning.kernels.combined import Normalised, Sum
from qmlstudio.learning.kernels.local import LocalAverage, LocalSum
from qmlstudio.learning.models.base import FittedModel, ModelSpec, Prediction, TooLargeError
from qmlstudio.learning.models.kernel_model import rows_from_arrays, rows_to_arrays
from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CANDIDATES = 20_000
"""Random atoms of an element among which the farthest are sought."""


def atoms_apart(rows: Rows, atoms: Array | None = None) -> Rows:
    """Every atom (or the chosen ones: indices of rows) as a structure of its own.

    A sum over atoms then is the similarity of the atoms themselves. Raises ValueError for rows of whole structures.
    """
    if rows.offsets is None:
        raise ValueError("these features have one row for each structure: choose a representation of atoms")
    array, numbers = rows.array, rows.numbers
    if atoms is not None:
        array, numbers = array[atoms], None if numbers is None else numbers[atoms]
    sizes = np.ones(len(array), dtype=np.int64)
    return replace(rows, array=array, offsets=np.arange(len(array) + 1), numbers=numbers, sizes=sizes)


def atomic_matrix(
    kernel: Kernel,
    a: Rows,
    b: Rows | None = None,
    element: int | None = None,
    progress: Progress = SILENT,
    *,
    out: Array | None = None,
    dtype: Any = np.float64,
    threads: int | None = None,
) -> Array:
    """Similarities of the atoms of `a` with those of `b`, or among those of `a`, in the order of their rows.

    Parameters
    ----------
    kernel : Kernel
        Local, with all scales known: :class:`LocalSum`, a sum of several, FCHL18's.
    element : int, optional
        Atomic number: of this element's atoms only.

    Returns
    -------
    (p, q) array
    """
    return kernel.matrix(
        atoms_apart(a, _of_element(a, element)),
        None if b is None else atoms_apart(b, _of_element(b, element)),
        progress,
        out=out,
        dtype=dtype,
        threads=threads,
    )


def _of_element(rows: Rows, element: int | None) -> Integers | None:
    if element is None:
        return None
    return np.flatnonzero(_numbers(rows) == element)


def _numbers(rows: Rows) -> NDArray[np.uint8]:
    if rows.numbers is None or rows.offsets is None:
        raise ValueError("these features do not have a row for every atom: choose another representation")
    return rows.numbers


# What each atom adds to a prediction


class SumModel(Protocol):
    """A fitted kernel model, as far as contributions of atoms need it: mean + Σ_j α_j k_j."""

    @property
    def kernel(self) -> Kernel:
        """With all scales known."""

    @property
    def train_rows(self) -> Rows:
        """n structures."""

    @property
    def weights(self) -> Floats:
        """(n, t) α."""

    @property
    def mean(self) -> Floats:
        """(t,) taken out of the targets before."""


def atom_contributions(model: SumModel, rows: Rows, structure: int, target: int = 0, threads: int | None = 1) -> Floats:
    """(N,) what each atom of a structure adds to its prediction; the sum is the prediction.

    Of a mean that the model took out of its targets every atom bears the same part.

    Parameters
    ----------
    structure : int
        Which of the `rows`.
    target : int
        Which of the model's targets.

    Raises
    ------
    ValueError
        The kernel is no sum over atoms (a best match, a product, a Gaussian of whole structures).
    """
    one = rows.take([structure])
    if one.offsets is None:
        raise ValueError("these features have one row for each structure: nothing falls to its atoms")
    parts = _parts(model.kernel, one, model.train_rows, np.asarray(model.weights[:, target]), threads)
    return parts + float(model.mean[target]) / max(len(parts), 1)


def falls_into_atoms(kernel: Kernel) -> bool:
    """Whether predictions of a model with this kernel are sums over atoms."""
    if isinstance(kernel, Normalised):
        return falls_into_atoms(kernel.kernel)
    if isinstance(kernel, Sum):
        return all(falls_into_atoms(part) for part in kernel.kernels)
    return isinstance(kernel, LocalAverage) or bool(getattr(kernel, "extensive", False))


def _parts(kernel: Kernel, one: Rows, train: Rows, weights: Floats, threads: int | None) -> Floats:
    """(N,) Σ_j α_j times each atom's part of k_j."""
    if not falls_into_atoms(kernel):
        raise ValueError(f"{kernel.title} is no sum over atoms: its predictions do not fall into parts of atoms")
    if isinstance(kernel, Normalised):
        inner = kernel.kernel
        parts = _parts(inner, one, train, weights * inverse_root(inner.diagonal(train)), threads)
        return parts * float(inverse_root(inner.diagonal(one))[0])
    if isinstance(kernel, Sum):
        found = np.zeros(len(one.array))
        for weight, part in zip(kernel.weights, kernel.kernels, strict=True):
            found += weight * _parts(part, one, train, weights, threads)
        return found
    apart = atoms_apart(one)
    found = np.zeros(len(apart))
    for start, stop, block in kernel.blocks(apart, train, threads=threads):
        found[start:stop] = block @ weights
    # each atom alone was divided by 1
    return found / max(len(found), 1) if isinstance(kernel, LocalAverage) else found


# Properties of atoms


@dataclass(frozen=True, kw_only=True)
class AtomicKernelRidge(ModelSpec):
    """Kernel ridge regression of what atoms have (charges, shieldings): a model for each element.

    Targets and predictions belong to atoms, the rows of local features. An element is learnt from at most `atoms`
    atoms, whose matrix is held in memory; a width that is open becomes each element's median distance.
    """

    name: ClassVar[str] = "atomic_kernel_ridge"
    title: ClassVar[str] = "Kernel ridge regression of atoms"
    help: ClassVar[str] = (
        "Learns properties of atoms, as partial charges and NMR shieldings: a model for each element, from at most so "
        "many of its atoms. Needs a representation with a row for each atom."
    )
    reference: ClassVar[str] = (
        "M. Rupp, R. Ramakrishnan, O. A. von Lilienfeld, J. Phys. Chem. Lett. 6, 3309 (2015), "
        "doi:10.1021/acs.jpclett.5b01456"
    )

    kernel: Kernel = field(default_factory=LocalSum)
    lambda_: float = param(1e-6, label="λ", low=0.0, high=1e12, help="Added to the diagonal of each element's matrix.")
    atoms: int = param(4000, label="Atoms of an element", low=1, high=1_000_000, step=500, help="At most so many.")
    choice: str = param("random", label="Chosen", choices=(("random", "at random"), ("fps", "farthest points")))
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, step=1, advanced=True)

    def to_dict(self) -> dict[str, Any]:
        """As :meth:`Parameterised.to_dict`, with the kernel's description under "kernel"."""
        return {**super().to_dict(), "kernel": self.kernel.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        from qmlstudio.learning import kernels

        made = super().from_dict({key: value for key, value in data.items() if key != "kernel"})
        return replace(made, kernel=kernels.from_dict(data["kernel"])) if "kernel" in data else made

    def fit(
        self,
        rows: Rows,
        targets: Array,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedAtomicModel:
        """Learn from atoms.

        Parameters
        ----------
        rows : Rows
            Local, of n structures with A atoms.
        targets : (A,) or (A, t) float
            NaN where an atom has none; it is left out.
        memory_budget : int, bytes, optional
            For the largest element's matrix.

        Raises
        ------
        ValueError
            Targets that do not fit the rows, infinite ones, none at all; a kernel that is no sum over atoms.
        TooLargeError
        """
        numbers, y = _numbers(rows), np.asarray(targets, dtype=np.float64)
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(numbers):
            raise ValueError(f"targets have shape {np.shape(targets)}, but there are {len(numbers)} atoms")
        if np.isinf(y).any():
            raise ValueError(f"the target of atom {int(np.flatnonzero(np.isinf(y).any(axis=1))[0]) + 1} is infinite")
        if not getattr(self.kernel, "extensive", falls_into_atoms(self.kernel)):
            raise ValueError(f"{self.kernel.title} does not compare single atoms: choose a sum over atoms")
        known = ~np.isnan(y).any(axis=1)
        if not known.any():
            raise ValueError("there is no atom to learn from")
        members = {z: np.flatnonzero(known & (numbers == z)) for z in np.unique(numbers[known]).tolist()}
        most = min(max(map(len, members.values())), self.atoms)
        if memory_budget is not None and 8 * most**2 > memory_budget:
            fits = int(np.sqrt(memory_budget / 8))
            raise TooLargeError(
                f"the matrix of {most:,} atoms takes {8e-9 * most**2:.2g} GB, more than allowed: with {fits:,} atoms "
                "of an element it fits"
            )
        seconds = {"choice": 0.0, "kernel": 0.0, "solve": 0.0}
        costs = {z: min(len(at), self.atoms) ** 2 for z, at in members.items()}
        parts, done, notes = {}, 0, []
        for z, at in members.items():
            share = progress.part(done / sum(costs.values()), (done + costs[z]) / sum(costs.values()))
            parts[z] = self._fit(rows, at, y, share, threads, seconds)
            done += costs[z]
            if parts[z].jitter:
                notes.append(f"{SYMBOLS[z]}: the diagonal needed {parts[z].jitter:.1g} more than λ")
        silent = tuple(sorted(set(np.unique(numbers).tolist()) - set(parts)))
        count = sum(len(part.indices) for part in parts.values())
        return FittedAtomicModel(
            spec=self, n_train=count, seconds=seconds, notes=tuple(notes), parts=parts, silent=silent
        )

    def _fit(
        self,
        rows: Rows,
        members: Integers,
        y: Floats,
        progress: Progress,
        threads: int | None,
        seconds: dict[str, float],
    ) -> AtomicPart:
        from qmlstudio.learning._threads import blas_threads
        from qmlstudio.learning.models.cholesky import Cholesky

        began = time.perf_counter()
        chosen = self._chosen(rows, members, progress.part(0.0, 0.1), threads)
        own = atoms_apart(rows, chosen)
        kernel = self.kernel.fitted(own, self.seed)
        ready = time.perf_counter()
        matrix = kernel.matrix(own, None, progress.part(0.1, 0.5), threads=threads)
        made = time.perf_counter()
        mean = y[chosen].mean(axis=0)
        with blas_threads(threads):
            factor = Cholesky(matrix, self.lambda_, progress.part(0.5, 0.95))
            weights = factor.solve((y[chosen] - mean).T, progress.part(0.95, 1.0)).T
        for name, value in (("choice", ready - began), ("kernel", made - ready), ("solve", time.perf_counter() - made)):
            seconds[name] += value
        return AtomicPart(kernel, own, np.ascontiguousarray(weights), mean, chosen, factor.added)

    def _chosen(self, rows: Rows, members: Integers, progress: Progress, threads: int | None) -> Integers:
        """Rows of the atoms that an element is learnt from, in the order in which they were chosen."""
        from qmlstudio.learning.landmarks import Landmarks

        random = np.random.default_rng(self.seed)
        order = members[random.permutation(len(members))]
        if self.choice == "random" or len(members) <= self.atoms:
            return order[: self.atoms]
        candidates = order[: max(CANDIDATES, self.atoms)]
        landmarks = Landmarks(count=max(self.atoms, 3), method="fps", seed=self.seed)
        found = candidates[landmarks.select(rows.array[candidates], progress, threads)][: self.atoms]
        # where all that are left equal a chosen one, they are taken as they come
        rest = candidates[~np.isin(candidates, found)][: self.atoms - len(found)]
        return np.concatenate([found, rest])

    def restore(self, arrays: dict[str, Array], facts: dict[str, Any], representation: Any = None) -> FittedAtomicModel:
        """See :meth:`ModelSpec.restore`."""
        from qmlstudio.learning import kernels

        parts = {}
        for key, described in facts["kernels"].items():
            parts[int(key)] = AtomicPart(
                kernels.from_dict(described),
                rows_from_arrays(arrays, representation, key),
                arrays[f"{key}/weights"],
                arrays[f"{key}/mean"],
                arrays[f"{key}/indices"],
                float(facts["jitter"][key]),
            )
        return FittedAtomicModel(
            spec=self,
            n_train=int(facts["n_train"]),
            seconds=dict(facts["seconds"]),
            notes=tuple(facts["notes"]),
            parts=parts,
            silent=tuple(facts["silent"]),
        )


@dataclass(frozen=True, eq=False)
class AtomicPart:
    """The model of one element.

    Attributes
    ----------
    kernel : Kernel
        With all scales known.
    rows : Rows
        m training atoms, each a structure of its own.
    weights : (m, t) float64
    mean : (t,) float64
    indices : (m,) int64
        Rows of these atoms in what was learnt from.
    jitter : float
        What the diagonal needed beside λ.
    """

    kernel: Kernel
    rows: Rows
    weights: Floats
    mean: Floats
    indices: Integers
    jitter: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedAtomicModel(FittedModel):
    """A model of atoms.

    Attributes
    ----------
    spec : AtomicKernelRidge
    n_train : int
        Atoms.
    parts : dict of int to AtomicPart
        Atomic number → its model.
    silent : tuple of int
        Elements that were there in training, but without targets: their predictions are NaN.
    """

    spec: AtomicKernelRidge
    parts: dict[int, AtomicPart]
    silent: tuple[int, ...] = ()

    def predict(
        self, rows: Rows, progress: Progress = SILENT, *, deviation: bool = False, threads: int | None = None
    ) -> Prediction:
        """Values (A, t) for all atoms, and how far each is from the nearest training atom: √(k_II + k_JJ − 2 k_IJ).

        Raises ValueError, with their names, for elements that the model has never seen.
        """
        numbers = _numbers(rows)
        elements = np.unique(numbers).tolist()
        if strange := [z for z in elements if z not in self.parts and z not in self.silent]:
            raise ValueError(f"the model has never seen {', '.join(SYMBOLS[z] for z in strange)}")
        targets = next(iter(self.parts.values())).weights.shape[1]
        values, distance = np.full((len(numbers), targets), np.nan), np.full(len(numbers), np.nan)
        done = 0
        for z in elements:
            at = np.flatnonzero(numbers == z)
            if z in self.parts:
                share = progress.part(done / len(numbers), (done + len(at)) / len(numbers))
                values[at], distance[at] = self._predict(self.parts[z], atoms_apart(rows, at), share, threads)
            done += len(at)
        progress(1.0)
        return Prediction(values, distance=distance)

    def _predict(self, part: AtomicPart, atoms: Rows, progress: Progress, threads: int | None) -> tuple[Floats, Floats]:
        from qmlstudio.learning._threads import blas_threads

        values, distance = np.empty((len(atoms), len(part.mean))), np.empty(len(atoms))
        own, theirs = part.kernel.diagonal(atoms), part.kernel.diagonal(part.rows)
        with blas_threads(threads):
            for start, stop, block in part.kernel.blocks(
                atoms, part.rows, progress, block_bytes=BLOCK_BYTES // 2, threads=threads
            ):
                values[start:stop] = block @ part.weights + part.mean
                block *= -2.0
                block += theirs
                distance[start:stop] = np.sqrt(np.maximum(block.min(axis=1) + own[start:stop], 0.0))
        return values, distance

    def arrays(self) -> dict[str, Array]:
        """Training atoms and weights of each element."""
        found: dict[str, Array] = {}
        for z, part in self.parts.items():
            found |= rows_to_arrays(part.rows, str(z))
            found |= {f"{z}/weights": part.weights, f"{z}/mean": part.mean, f"{z}/indices": part.indices}
        return found

    def facts(self) -> dict[str, Any]:
        """See :meth:`FittedModel.facts`."""
        return super().facts() | {
            "kernels": {str(z): part.kernel.to_dict() for z, part in self.parts.items()},
            "jitter": {str(z): part.jitter for z, part in self.parts.items()},
            "silent": list(self.silent),
        }
