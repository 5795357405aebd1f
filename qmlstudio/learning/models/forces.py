"""Kernel models of energies and forces: what is predicted as a force is always minus the gradient of the energy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.learning._threads import team
from qmlstudio.learning.landmarks import Landmarks
from qmlstudio.learning.models._force_fits import (
    KINDS,
    Offset,
    basis_fit,
    covariance_fit,
    domain_of_basis,
    median_distance,
)
from qmlstudio.learning.models._force_rows import Basis, blocks_of, design, padded, row_places, sums_of
from qmlstudio.learning.models.base import Prediction, TooLargeError
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import from_dict as representation_from_dict
from qmlstudio.representations.base import Representation, check_fits
from qmlstudio.representations.fchl19 import FCHL19
from qmlstudio.representations.inverse_distances import InverseDistances

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SCALE = 10.0
"""Automatic scale over the median distance: energies that forces belong to are smooth."""


@dataclass(frozen=True, kw_only=True)
class ForceKernelRidge(Parameterised):
    """Learn energies and forces together, with the gradient of a representation.

    ``basis``: E = Σ_J α_J Σ_I κ(x_I, x_J), where J are rows of the training set (atoms, of local representations) and
    I the structure's own rows of the same element. α minimises

        |E − K_E α|² / λ_E + |F − K_F α|² / λ_F + αᵀ K α,   K_F = −∂K_E/∂R

    with the kernel matrix K of the basis. In the limit of all atoms as a basis that is a Gaussian process with the
    kernel Σ κ, of which only as many unknowns are kept (A. P. Bartók, G. Csányi, Int. J. Quantum Chem. 115, 1051
    (2015)); the ``truncated`` solver leaves the last term out and drops small singular values instead, as operator
    quantum machine learning does.

    ``covariance``: a Gaussian process of energies and all force components (S. Chmiela et al., Sci. Adv. 3, e1603015
    (2017), without symmetries), for features of whole structures: one unknown for each energy and force component.

    λ_E and λ_F are variances over that of the kernel (1), so their ratio is that of the squared errors which energies
    and forces may have.
    """

    name: ClassVar[str] = "force_kernel_ridge"
    title: ClassVar[str] = "Kernel ridge regression of energies and forces"
    help: ClassVar[str] = (
        "Forces say how the energy changes in every direction: each structure is worth dozens of energies. Predicted "
        "forces are the exact derivatives of the predicted energy, so molecular dynamics keeps its energy."
    )
    reference: ClassVar[str] = (
        "A. S. Christensen, F. A. Faber, O. A. von Lilienfeld, J. Chem. Phys. 150, 064105 (2019), doi:10.1063/1.5053562"
    )

    representation: Representation = field(default_factory=lambda: FCHL19(average="off"))
    """One that has a gradient."""
    method: str = param(
        "basis",
        label="Method",
        choices=(("basis", "basis of training atoms"), ("covariance", "covariance of all forces")),
        help="A basis grows with the atoms, a covariance with the force components: three times as many.",
    )
    kernel: str = param(
        "gaussian", label="Kernel", choices=(("gaussian", "Gaussian"), ("matern-5/2", "Matérn 5/2")), advanced=True
    )
    sigma: float | None = param(
        None,
        label="σ",
        low=1e-9,
        high=1e9,
        none_label="from the distances",
        help=(
            "Distance of features over which energies are alike; ten times the median distance (of atoms of one "
            "element, or of structures) when automatic: what has forces is smooth."
        ),
    )
    lambda_energy: float = param(
        1e-9, label="λ of energies", low=1e-16, high=1e9, help="Large: energies hardly count beside forces."
    )
    lambda_force: float = param(1e-8, label="λ of forces", unit="Å⁻²", low=1e-16, high=1e9)
    learn: str = param(
        "both",
        label="Learn from",
        choices=(("both", "energies and forces"), ("forces", "forces only"), ("energies", "energies only")),
        help="From forces only, energies still fix the constant.",
    )
    offset: str = param(
        "composition",
        label="Offset of energies",
        choices=(("composition", "sum over elements"), ("none", "none")),
        help="What does not depend on the geometry, by least squares; for one molecule it is the mean.",
        advanced=True,
    )
    basis: int = param(
        4000,
        label="Basis",
        low=1,
        high=20_000,
        step=500,
        help="Training rows in the basis at most: farthest points of each element.",
        advanced=True,
    )
    solver: str = param(
        "regularised",
        label="Solver",
        choices=(("regularised", "regularised"), ("truncated", "singular values")),
        advanced=True,
    )
    rcond: float = param(
        1e-11, label="Singular values above", low=1e-16, high=0.1, help="Times the largest one.", advanced=True
    )
    seed: int = param(0, label="Seed", low=0, high=2**31 - 1, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.representation.has_gradient:
            raise ValueError(f"{self.representation.title} has no gradient with these parameters: forces need one")
        if self.method == "covariance" and self.representation.local:
            raise ValueError(
                "the covariance of all forces needs features of whole structures: take the basis of training atoms, or "
                "another representation"
            )

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`Parameterised.to_dict`; with the representation's."""
        return {**super().to_dict(), "representation": self.representation.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`."""
        given = data.get("representation")
        known = {p.name for p in cls.params()}
        rest = {key: value for key, value in data.items() if key not in ("name", "representation")}
        if unknown := sorted(set(rest) - known):
            raise ValueError(f"{cls.name} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        if given is None:
            return cls(**rest)
        own = given.get("name") == InverseDistances.name
        return cls(representation=InverseDistances.from_dict(given) if own else representation_from_dict(given), **rest)

    def memory(self, structures: Structures) -> int:
        """Bytes that a fit to these structures takes at most, known before it starts."""
        from qmlstudio.learning.models._force_rows import DESIGN_BYTES, GRADIENT_BYTES

        n, atoms = len(structures), len(structures.numbers)
        d = self.representation.size(structures.species)
        largest = int(structures.sizes.max(initial=0))
        rows = atoms if self.representation.local else n
        gradients = max(GRADIENT_BYTES, (largest if self.representation.local else 1) * 3 * largest * d * 8)
        if self.method == "covariance":
            unknowns = (n if self.learn != "forces" else 0) + (3 * atoms if self.learn != "energies" else 0)
            return 8 * unknowns**2 + 2 * gradients + 3 * 8 * rows * (d + 8)
        unknowns = min(self.basis, rows)
        matrices = 5 if self.solver == "truncated" else 1
        return 8 * matrices * (unknowns + 1) ** 2 + gradients + 2 * DESIGN_BYTES + 3 * 8 * rows * (d + 8)

    def fit(
        self,
        structures: Structures,
        energies: Array | None,
        forces: Array | None,
        progress: Progress = SILENT,
        *,
        threads: int | None = None,
        memory_budget: int | None = None,
    ) -> FittedForces:
        """Learn from n structures with A atoms in all.

        Parameters
        ----------
        energies : (n,) float, optional
        forces : (A, 3) float, optional
            −∂E/∂R in the energies' unit per Å. Not the gradient: see :func:`force_checks.check_labels`.
        memory_budget : int, bytes, optional

        Raises
        ------
        TooLargeError
            See :meth:`memory`.
        ValueError
            Labels that are missing, not finite or do not fit the structures.
        """
        y, f = self._labels(structures, energies, forces)
        needed = self.memory(structures)
        if memory_budget is not None and needed > memory_budget:
            raise TooLargeError(self._too_large(structures, needed, memory_budget))
        seconds: dict[str, float] = {}
        notes: list[str] = []
        species = structures.species
        offset = Offset.of(structures, y if self.offset == "composition" and self.learn != "forces" else None)
        rest = None if y is None else y - offset(structures)
        with team(threads) as members:
            clock = time.perf_counter()
            features = self.representation.compute(
                structures, progress.part(0.0, 0.05), species=species, threads=threads
            )
            places, codes = row_places(self.representation, features.offsets, structures)
            if not np.isfinite(features.array).all():
                raise ValueError("features are not finite: leave such structures out")
            owners = np.repeat(np.arange(len(structures)), np.diff(places))
            spec = self._scaled(features.array, codes)
            chosen = self._chosen(features.array, codes, progress.part(0.05, 0.1), threads)
            basis = Basis.of(features.array[chosen], codes[chosen], owners[chosen])
            everything = padded(features.array)
            del features
            seconds["features"] = time.perf_counter() - clock
            use_e = self.learn != "forces"
            use_f = self.learn != "energies"
            work = progress.part(0.1, 0.95)
            if self.method == "covariance":
                alpha, directions = covariance_fit(
                    spec,
                    structures,
                    species,
                    rest if use_e else None,
                    f if use_f else None,
                    members,
                    seconds,
                    notes,
                    work,
                )
            else:
                alpha = basis_fit(
                    spec,
                    structures,
                    species,
                    basis,
                    rest if use_e else None,
                    f if use_f else None,
                    members,
                    seconds,
                    notes,
                    work,
                )
                directions = np.zeros((0, basis.width))
            domain = domain_of_basis(everything, codes, owners, basis)
        model = FittedForces(
            spec=spec,
            species=species,
            basis=basis,
            alpha=alpha,
            directions=directions,
            offset=offset,
            n_train=len(structures),
            seconds=seconds,
            domain=domain,
            notes=tuple(notes),
        )
        if use_e:
            return model
        if y is None:
            return replace(model, notes=(*notes, "learned from forces only: energies are known up to a constant"))
        # the constant of integration
        found = model.predict(structures, progress.part(0.95, 1.0), threads=threads).values[:, 0]
        constant = Offset.of(structures, y - found)
        return replace(model, offset=constant)

    def _labels(
        self, structures: Structures, energies: Array | None, forces: Array | None
    ) -> tuple[Floats | None, Floats | None]:
        """Both as (n,) and (3 A,) float64; ValueError where they are missing, not finite or of another shape."""
        n, atoms = len(structures), len(structures.numbers)
        if n == 0:
            raise ValueError("there is no structure to learn from")
        if energies is None and self.learn != "forces":
            raise ValueError("there are no energies: learn from forces only")
        if forces is None and self.learn != "energies":
            raise ValueError("there are no forces: learn from energies only")
        y = None if energies is None else np.asarray(energies, dtype=np.float64).reshape(-1)
        f = None if forces is None or self.learn == "energies" else np.asarray(forces, dtype=np.float64)
        if y is not None and len(y) != n:
            raise ValueError(f"there are {len(y)} energies for {n} structures")
        if f is not None and f.shape != (atoms, 3):
            raise ValueError(f"forces have shape {f.shape}, expected ({atoms}, 3)")
        if y is not None and not np.isfinite(y).all():
            raise ValueError(f"the energy of structure {int(np.flatnonzero(~np.isfinite(y))[0]) + 1} is not finite")
        if f is not None and not np.isfinite(f).all():
            atom = int(np.flatnonzero(~np.isfinite(f).all(axis=1))[0])
            index = int(np.searchsorted(structures.offsets, atom, side="right"))
            raise ValueError(f"a force on structure {index} is not finite: leave it out")
        return y, None if f is None else f.reshape(-1)

    def _too_large(self, structures: Structures, needed: int, budget: int) -> str:
        text = f"the fit needs {needed / 2**30:.1f} GiB, {budget / 2**30:.1f} GiB are allowed: "
        if self.method == "covariance":
            fewer = max(1, int(len(structures) * np.sqrt(budget / needed)))
            return text + f"take about {fewer:,} structures, or a basis instead of the covariance of all forces"
        fewer = max(1, int(self.basis * np.sqrt(budget / needed)))
        return text + f"take a basis of about {fewer:,}"

    def _scaled(self, rows: Array, codes: NDArray[np.uint8]) -> Self:
        """With σ known."""
        if self.sigma is not None:
            return self
        return self.with_values(sigma=_SCALE * median_distance(rows, codes, self.seed))

    def _chosen(self, rows: Array, codes: NDArray[np.uint8], progress: Progress, threads: int | None) -> Integers:
        """The rows of the basis, ascending: of each element its share."""
        if self.method == "covariance" or len(rows) <= self.basis:
            return np.arange(len(rows))
        found = []
        elements, counts = np.unique(codes, return_counts=True)
        for k, (element, count) in enumerate(zip(elements, counts, strict=True)):
            members = np.flatnonzero(codes == element)
            share = max(1, int(self.basis * count / len(rows)))
            if share < count:
                chooser = Landmarks(count=max(share, 3), seed=self.seed)
                candidates = members[chooser.draw(int(count))]
                part = progress.part(k / len(elements), (k + 1) / len(elements))
                members = candidates[chooser.select(np.asarray(rows[candidates]), part, threads)[:share]]
            found.append(members)
        return np.sort(np.concatenate(found))


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedForces:
    """Energies and forces of other structures: E = offset + Σ_I Σ_J [α_J κ − first · Δ_IJ·w_J].

    Attributes
    ----------
    spec : ForceKernelRidge
        With σ known.
    species : Species
        That fixed the features' columns.
    basis : Basis
    alpha : (m,) float64
    directions : (m, width) or (0, width) float64
        w: weights of the slopes, of the covariance method.
    n_train, seconds, domain, notes
        As of :class:`~qmlstudio.learning.models.base.FittedModel`.
    """

    spec: ForceKernelRidge
    species: Species
    basis: Basis
    alpha: Floats
    directions: Floats
    offset: Offset
    n_train: int
    seconds: dict[str, float] = field(default_factory=dict)
    domain: float | None = None
    notes: tuple[str, ...] = ()

    def predict(self, structures: Structures, progress: Progress = SILENT, *, threads: int | None = None) -> Prediction:
        """Energies (m, 1); `distance` is that of the row which is farthest from the basis."""
        values, _, distance = self._predict(structures, False, progress, threads)
        return Prediction(values[:, None], distance=distance)

    def predict_forces(
        self, structures: Structures, progress: Progress = SILENT, *, threads: int | None = None
    ) -> Floats:
        """(A, 3) minus the gradient of the energy, per Å."""
        return self._predict(structures, True, progress, threads)[1]

    def predict_both(
        self, structures: Structures, progress: Progress = SILENT, *, threads: int | None = None
    ) -> tuple[Floats, Floats]:
        """Energies (m,) and forces (A, 3)."""
        return self._predict(structures, True, progress, threads)[:2]

    def arrays(self) -> dict[str, Array]:
        """What a file must hold beside the specification."""
        return {
            "basis": self.basis.x[:, : self.basis.columns],
            "basis_codes": self.basis.codes,
            "basis_owners": self.basis.owners,
            "alpha": self.alpha,
            "directions": self.directions[:, : self.basis.columns],
            "offset_numbers": self.offset.numbers,
            "offset_values": self.offset.values,
        }

    def facts(self) -> dict[str, Any]:
        """What a file must hold beside the specification and the arrays, ready for JSON."""
        s = self.species
        return {
            "n_train": self.n_train,
            "seconds": self.seconds,
            "domain": self.domain,
            "notes": list(self.notes),
            "species": {"numbers": list(s.numbers), "counts": list(s.counts), "n_max": s.n_max},
        }

    @classmethod
    def restore(cls, spec: ForceKernelRidge, arrays: dict[str, Array], facts: dict[str, Any]) -> FittedForces:
        """The model again. KeyError when something is missing, ValueError when parts do not fit."""
        rows, given = np.asarray(arrays["basis"], dtype=np.float64), facts["species"]
        codes, owners = np.asarray(arrays["basis_codes"], np.uint8), np.asarray(arrays["basis_owners"], np.int64)
        alpha = np.asarray(arrays["alpha"], dtype=np.float64)
        if spec.sigma is None or len(alpha) != len(rows) or len(codes) != len(rows):
            raise ValueError("the parts of the model do not fit together")
        numbers, counts = (tuple(int(value) for value in given[key]) for key in ("numbers", "counts"))
        return cls(
            spec=spec,
            species=Species(numbers, counts, int(given["n_max"])),
            basis=Basis(padded(rows), rows.shape[1], codes, owners),
            alpha=alpha,
            directions=padded(np.asarray(arrays["directions"], dtype=np.float64)),
            offset=Offset(np.asarray(arrays["offset_numbers"]), np.asarray(arrays["offset_values"])),
            n_train=int(facts["n_train"]),
            seconds=dict(facts["seconds"]),
            domain=facts["domain"],
            notes=tuple(facts["notes"]),
        )

    def _predict(
        self, structures: Structures, forces: bool, progress: Progress, threads: int | None
    ) -> tuple[Floats, Floats, Floats]:
        representation, kind, sigma = self.spec.representation, KINDS[self.spec.kernel], float(self.spec.sigma or 1.0)
        check_fits(structures, self.species, representation.counts_matter)
        energies, distances = np.zeros(len(structures)), np.zeros(len(structures))
        found = np.zeros(3 * len(structures.numbers))
        with team(threads) as members:
            for block in blocks_of(
                structures, representation, self.species, progress, gradients=forces, threads=threads
            ):
                e, f, near = sums_of(block, self.basis, kind, sigma, self.alpha, self.directions, forces, members)
                energies[block.start : block.stop], distances[block.start : block.stop] = e, near
                if forces:
                    low = 3 * int(structures.offsets[block.start])
                    found[low : low + len(f)] = f
        return energies + self.offset(structures), found.reshape(-1, 3), distances


def energy_force_kernels(
    representation: Representation,
    structures: Structures,
    others: Structures,
    sigma: float,
    kernel: str = "gaussian",
    progress: Progress = SILENT,
    *,
    threads: int | None = None,
) -> tuple[Floats, Floats]:
    """K_E (n, m) and K_F = −∂K_E/∂R (3 A, m) of structures with the rows of others: times weights, energies and forces.

    With FCHL19's rows for each atom these are, with the same signs, ``get_atomic_local_kernel`` and
    ``get_atomic_local_gradient_kernel`` of qmllib. The columns stand in the order of the others' rows.
    """
    both = Structures.from_lists(
        [s.numbers for part in (structures, others) for s in part],
        [s.positions for part in (structures, others) for s in part],
        [s.cell for part in (structures, others) for s in part],
    )
    species = both.species
    features = representation.compute(others, progress.part(0.0, 0.1), species=species, threads=threads)
    _, codes = row_places(representation, features.offsets, others)
    basis = Basis.of(features.array, codes, np.arange(len(codes)))
    m = len(basis)
    energies, forces = np.zeros((len(structures), m)), np.zeros((3 * len(structures.numbers), m))
    with team(threads) as members:
        rest = progress.part(0.1, 1.0)
        for block in blocks_of(structures, representation, species, rest, gradients=True, threads=threads, width=m):
            count = block.stop - block.start
            out = np.zeros((m, count + int(block.forces[-1])))
            design(block, basis, KINDS[kernel], sigma, out, count, True, members)
            low = 3 * int(structures.offsets[block.start])
            energies[block.start : block.stop, basis.owners] = out[:, :count].T
            forces[low : low + out.shape[1] - count, basis.owners] = out[:, count:].T
    return energies, forces
