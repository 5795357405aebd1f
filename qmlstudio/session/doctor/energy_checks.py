"""Checks of energies and forces: outliers, net forces, units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem import units
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.structures import Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table, own_columns
from qmlstudio.session.doctor.findings import WARNING, Findings
from qmlstudio.session.doctor.sameness import molecules_of
from qmlstudio.session.doctor.survey import SECONDS_PER_ATOM, periodic_rows

Floats = NDArray[np.float64]

TOTAL = re.compile(
    r"((.*[_ .])?(total_?)?(energy|energies|e|u0|u|h|g|e_?tot|etot)([_ .].*)?|.*energy.*|.*enthalpy.*|.*gibbs.*|"
    r"b3lyp|pbe0)",
    re.IGNORECASE,
)
"""Names of energies of whole structures."""
NOT_TOTAL = re.compile(
    r".*(gap|homo|lumo|zpve|per_?atom|orbital|kinetic|transition|excit|solvation|reorg|ionization|affinity|strain|"
    r"hydration|binding|barrier|activation|hull).*",
    re.IGNORECASE,
)
MAD = 1.4826
"""Standard deviations of a normal distribution to its median absolute deviation."""


def total_energies(dataset: Dataset, columns: Table) -> dict[str, Floats]:
    """Columns that are energies of whole structures, by unit and name; at least three finite values each."""
    found = {}
    for name, p in own_columns(dataset, columns).items():
        if p.is_text or p.values.ndim != 1 or NOT_TOTAL.fullmatch(name) or not TOTAL.fullmatch(name):
            continue
        if p.unit and p.unit not in units.ENERGY:
            continue
        values = np.asarray(p.values, dtype=np.float64)
        if np.count_nonzero(np.isfinite(values)) >= 3:
            found[name] = values
    return found


def counts_of(structures: Structures, progress: Progress = SILENT) -> tuple[Any, Floats]:
    """Elements, and (n, k) how many of each a structure has."""
    found, parts = structures.element_counts()
    table = np.zeros((len(structures), len(found)))
    for start, part in parts:
        progress(start / max(len(structures), 1), "Counting elements")
        table[start : start + len(part)] = part
    return found, table


def dressed_atoms(counts: Floats, energies: Floats, rounds: int = 4) -> tuple[Floats, Floats]:
    """Energies of the elements that add up best to those of the structures, and what remains of these.

    Least squares, repeated without what is more than six robust standard deviations off.

    Parameters
    ----------
    counts : (n, k)
    energies : (n,)
        NaN and infinity are left out, and remain NaN.

    Returns
    -------
    elements : (k,) float64
    residuals : (n,) float64
    """
    good = np.isfinite(energies)
    middle = float(np.median(energies[good])) if good.any() else 0.0
    scale = float(np.median(np.abs(energies[good] - middle))) if good.any() else 0.0
    # what is off by orders of magnitude would bend the first fit
    used = good & (np.abs(energies - middle) <= 50 * scale) if scale > 0 else good
    elements: Any = np.zeros(counts.shape[1])
    residuals: Floats = np.full(len(energies), np.nan)
    for _ in range(rounds):
        a = counts[used]
        elements = np.linalg.lstsq(a.T @ a, a.T @ energies[used], rcond=None)[0]
        residuals[good] = energies[good] - counts[good] @ elements
        centre = float(np.median(residuals[used])) if used.any() else 0.0
        spread = MAD * float(np.median(np.abs(residuals[used] - centre))) if used.any() else 0.0
        new = good & (np.abs(residuals - centre) <= 6 * spread) if spread > 0 else used
        if np.array_equal(new, used):
            break
        used = new
    return elements, residuals


@dataclass(frozen=True, kw_only=True)
class EnergyOutliers(Check):
    """Energies that cannot be right, or were not converged."""

    name: ClassVar[str] = "energies"
    title: ClassVar[str] = "Outlying energies"
    why: ClassVar[str] = (
        "An energy far from what its atoms (or the other conformers) let expect was not converged, belongs to another "
        "state, or to another structure."
    )

    deviations: float = param(
        10.0,
        label="Deviations",
        low=3.0,
        high=1000.0,
        step=1.0,
        help="How many robust standard deviations (1.48 · median absolute deviation) an energy lies from the sum of "
        "its dressed atoms, or from the median of its molecule's conformers.",
    )
    least: float = param(
        0.02,
        label="At least",
        unit="eV/atom",
        low=0.0,
        high=10.0,
        step=0.01,
        help="Smaller differences are never told; of columns without a known unit of energy the number is not used.",
    )

    def seconds(self, dataset: Dataset) -> float:
        """Least squares; with conformers, the survey."""
        return SECONDS_PER_ATOM * len(dataset.structures.numbers) + 3e-6 * len(dataset)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """The column in which a structure is most off, for each that is."""
        energies = total_energies(dataset, columns)
        if not energies:
            return self.nothing("there is no column of energies of whole structures")
        structures = dataset.structures
        molecules = molecules_of(structures, progress.part(0.0, 0.5))
        _, counts = counts_of(structures, progress.part(0.5, 0.6))
        size = np.maximum(structures.sizes, 1)
        worst, which = np.zeros(len(dataset)), np.full(len(dataset), -1)
        off = np.zeros(len(dataset))
        names = list(energies)
        for k, (name, values) in enumerate(energies.items()):
            progress(0.6 + 0.4 * k / len(names), f"Energies: {name}")
            if molecules.is_conformers:
                residuals, deviations = _within_groups(molecules.label, values)
            else:
                residuals, deviations = _of_atoms(counts, values)
            unit = columns[name].unit
            least = self.least / units.ENERGY[unit] if unit in units.ENERGY else 0.0
            far = np.isfinite(deviations) & (np.abs(deviations) > self.deviations) & (np.abs(residuals) > least * size)
            better = far & (np.abs(deviations) > np.abs(worst))
            worst[better], which[better], off[better] = deviations[better], k, residuals[better]
        rows = np.flatnonzero(which >= 0)
        labels = np.array(names)[which[rows]] if len(rows) else np.zeros(0, "<U1")
        own = np.array([columns[name].unit for name in names])
        basis = "its molecule's conformers" if molecules.is_conformers else "its dressed atoms"
        return Findings.make(
            self.name,
            "{column}: {off:+.3g} {unit} from " + basis + " ({deviations:.0f} deviations)",
            rows,
            WARNING,
            column=labels,
            off=off[rows],
            unit=own[which[rows]] if len(rows) else labels,
            deviations=np.abs(worst[rows]),
        )


def _of_atoms(counts: Floats, values: Floats) -> tuple[Floats, Floats]:
    _, residuals = dressed_atoms(counts, values)
    good = np.isfinite(residuals)
    centre = float(np.median(residuals[good]))
    spread = MAD * float(np.median(np.abs(residuals[good] - centre)))
    centred = residuals - centre
    # rounding of large energies is no deviation
    floor = 1e-10 * float(np.median(np.abs(values[good])))
    return centred, centred / spread if spread > floor else np.where(np.abs(centred) > 1e3 * floor, np.inf, 0.0)


def _within_groups(labels: NDArray[np.int64], values: Floats) -> tuple[Floats, Floats]:
    """Differences to the median of each label, and these in its robust deviations; fewer than 8 members say nothing."""
    usable = np.flatnonzero((labels >= 0) & np.isfinite(values))
    off, deviations = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if not len(usable):
        return off, deviations
    found, group = np.unique(labels[usable], return_inverse=True)
    group = group.reshape(-1)
    median = _group_medians(group, values[usable], len(found))
    centred = values[usable] - median[group]
    spread = MAD * _group_medians(group, np.abs(centred), len(found))
    counts = np.bincount(group, minlength=len(found))
    good = (counts[group] >= 8) & (spread[group] > 1e-10 * np.abs(median[group]))
    off[usable] = centred
    deviations[usable[good]] = centred[good] / spread[group][good]
    return off, deviations


def _group_medians(group: Any, values: Floats, count: int) -> Floats:
    order = np.lexsort((values, group))
    sizes = np.bincount(group, minlength=count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    ordered = values[order]
    result: Floats = 0.5 * (ordered[starts + (sizes - 1) // 2] + ordered[starts + sizes // 2])
    return result


@dataclass(frozen=True, kw_only=True)
class NetForces(Check):
    """Forces that do not add up to nothing."""

    name: ClassVar[str] = "forces"
    title: ClassVar[str] = "Net forces"
    why: ClassVar[str] = "Forces of a converged calculation without a field neither push nor turn the whole structure."

    fraction: float = param(
        0.1,
        label="Of all forces",
        low=0.001,
        high=10.0,
        step=0.05,
        help="Net force (and torque over the radius) relative to the root of the sum of all squared forces.",
    )
    least: float = param(
        0.05, label="At least", unit="eV/Å", low=0.0, high=100.0, step=0.05, help="Smaller net forces are never told."
    )

    def seconds(self, dataset: Dataset) -> float:
        """One pass over the forces."""
        return 1e-7 * len(dataset.structures.numbers) if _force_columns(dataset) else 0.0

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each structure and column of forces."""
        names = _force_columns(dataset)
        if not names:
            return self.nothing("there are no forces")
        from qmlstudio.learning._survey_loops import net_forces

        structures, found = dataset.structures, []
        n, offsets = len(dataset), np.asarray(dataset.structures.offsets)
        positions, periodic = np.asarray(structures.positions), periodic_rows(structures)
        radius = np.maximum(_radii(positions, offsets), 0.5)
        for k, name in enumerate(names):
            p = dataset.properties[name]
            forces = np.asarray(p.values, dtype=np.float64)
            net, torque, size = np.zeros(n), np.zeros(n), np.zeros(n)
            part = progress.part(k / len(names), (k + 1) / len(names))
            for start, stop in slices(n, part, "Adding up forces", first=256):
                net_forces(forces, positions, offsets, start, stop, net, torque, size)
            try:
                least = self.least * units.factor("eV/Å", p.unit)
            except ValueError:
                least = 0.0
            limit = np.maximum(self.fraction * size, least)
            rows = np.flatnonzero(net > limit)
            found.append(
                Findings.make(
                    self.name,
                    "{column}: a net force of {net:.3g} {unit}, {share:.0f} % of all",
                    rows,
                    WARNING,
                    column=name,
                    net=net[rows],
                    unit=p.unit,
                    share=100 * net[rows] / np.maximum(size[rows], 1e-300),
                )
            )
            turn = torque / radius
            rows = np.flatnonzero((turn > limit) & ~(net > limit) & ~periodic & (structures.sizes > 1))
            found.append(
                Findings.make(
                    self.name,
                    "{column}: they turn the structure (torque {torque:.3g} {unit} · Å)",
                    rows,
                    WARNING,
                    column=name,
                    torque=torque[rows],
                    unit=p.unit,
                )
            )
        return Findings.join(self.name, found)


def _force_columns(dataset: Dataset) -> list[str]:
    return [
        k
        for k, p in dataset.properties.items()
        if p.target == "atom" and not p.is_text and p.values.ndim == 2 and p.values.shape[1] == 3
        if "force" in k.lower() or k.lower() in ("f", "gradient", "gradients")
    ]


def _radii(positions: Floats, offsets: NDArray[np.int64]) -> Floats:
    """(n,) root of the mean squared distance from the centre, Å."""
    sizes = np.maximum(np.diff(offsets), 1)
    sums = np.zeros((len(positions) + 1, 4))
    np.cumsum(positions, axis=0, out=sums[1:, :3])
    np.cumsum((positions**2).sum(axis=1), out=sums[1:, 3])
    per = (sums[offsets[1:]] - sums[offsets[:-1]]) / sizes[:, None]
    with np.errstate(invalid="ignore"):
        square = per[:, 3] - (per[:, :3] ** 2).sum(axis=1)
    radii: Floats = np.nan_to_num(np.sqrt(np.maximum(square, 0.0)))
    return radii
