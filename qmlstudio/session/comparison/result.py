"""Several sets' measures together: curves on common axes, ready to be drawn, printed or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.learning.geometry_counts import element_order, label
from qmlstudio.session.comparison.measures import SetMeasures, fitted, force_edges, per_atom
from qmlstudio.session.comparison.sets import ComparisonSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENERGY_BINS = 400
_TAIL = 0.0005
"""Share of the energies at either end that does not set the range of the axis."""

FITS = {
    "each": "less a fit of one energy for each element to each set",
    "union": "less one fit of an energy for each element to all sets",
    "none": "as they are, with whatever zero each set has",
}


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of one set in bins that all sets share.

    Attributes
    ----------
    which : int
        The set's place.
    counts : (bins,) int64
    total : int
        All values, those beyond the axis included.
    """

    which: int
    counts: Ints
    total: int

    def density(self, edges: Floats, smoothing: float = 0.0, log: bool = False) -> Floats:
        """(bins,) share of all values for each unit of the axis (for each power of ten on a logarithmic one).

        Parameters
        ----------
        smoothing : float
            Standard deviation of a Gaussian by which the bins are widened, in bins.
        """
        widths = np.diff(np.log10(edges)) if log else np.diff(edges)
        counts = smoothed(self.counts.astype(np.float64), smoothing)
        result: Floats = counts / (max(self.total, 1) * widths)
        return result


@dataclass(frozen=True, eq=False)
class Curves:
    """One quantity of all sets that have it.

    Attributes
    ----------
    title : str
        Of the x axis, with the unit.
    edges : (bins + 1,) float64
    log : bool
        The axis is logarithmic.
    histograms : tuple of Histogram
    note : str
        What the values are, what is left out.
    """

    title: str
    edges: Floats
    log: bool
    histograms: tuple[Histogram, ...]
    note: str = ""

    @property
    def centers(self) -> Floats:
        """(bins,) middles of the bins."""
        low, high = self.edges[:-1], self.edges[1:]
        result: Floats = np.sqrt(low * high) if self.log else 0.5 * (low + high)
        return result

    @property
    def counts(self) -> int:
        """All values of all sets."""
        return sum(h.total for h in self.histograms)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that the pages show.

    Attributes
    ----------
    spec : ComparisonSpec
    sets : tuple of SetMeasures
    distances, angles : dict of str to Curves
        By pair ("C–H") and triple ("H–C–H"), carbon first.
    energies : Curves or None
        For each atom; see its note.
    forces : Curves or None
    """

    spec: ComparisonSpec
    sets: tuple[SetMeasures, ...]
    distances: dict[str, Curves]
    angles: dict[str, Curves]
    energies: Curves | None
    forces: Curves | None

    @property
    def elements(self) -> tuple[int, ...]:
        """Of all sets, hydrogen and carbon where they stand in the periodic table."""
        return tuple(sorted({z for s in self.sets for z in s.composition.elements}))

    def frequent(self, of: str) -> tuple[str, ...]:
        """Names of the pairs ("distances") or triples ("angles"), those of most sets and values first."""
        table = self.distances if of == "distances" else self.angles
        return tuple(sorted(table, key=lambda name: (-len(table[name].histograms), -table[name].counts)))

    def to_dict(self) -> dict[str, Any]:
        """Numbers for a file: JSON-able."""
        return {
            "spec": self.spec.to_dict(),
            "sets": [
                {
                    "name": s.name,
                    "structures": s.structures,
                    "looked_at": s.looked_at,
                    "molecules": s.molecules,
                    "molecules_by": s.molecules_by,
                    "elements": {
                        SYMBOLS[z]: {"containing": float(c), "mean": float(m)}
                        for z, c, m in zip(
                            s.composition.elements, s.composition.containing, s.composition.mean, strict=True
                        )
                    },
                    "heavy_atoms": s.composition.heavy.tolist(),
                    "atoms": s.composition.atoms.tolist(),
                    "energy_column": s.energies.column if s.energies else None,
                    "force_column": s.forces.column if s.forces else None,
                    "mean_force_eV_per_A": s.forces.mean if s.forces else None,
                    "notes": list(s.notes),
                }
                for s in self.sets
            ],
            "distances": {name: _written(c) for name, c in self.distances.items()},
            "angles": {name: _written(c) for name, c in self.angles.items()},
            "energies": _written(self.energies),
            "forces": _written(self.forces),
        }


def _written(curves: Curves | None) -> dict[str, Any] | None:
    if curves is None:
        return None
    return {
        "axis": curves.title,
        "edges": curves.edges.tolist(),
        "note": curves.note,
        "sets": [{"set": h.which, "total": h.total, "counts": h.counts.tolist()} for h in curves.histograms],
    }


def smoothed(counts: Floats, sigma: float) -> Floats:
    """Counts widened by a Gaussian of `sigma` bins; what would leave the axis is kept in it, so that sums stay."""
    if sigma <= 0.0 or len(counts) < 2:
        return counts
    reach = min(int(np.ceil(4 * sigma)), len(counts) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    # reflected at both ends
    padded = np.concatenate([counts[:reach][::-1], counts, counts[len(counts) - reach :][::-1]])
    result: Floats = np.convolve(padded, kernel, mode="valid")
    return result


def comparison(sets: Sequence[SetMeasures], spec: ComparisonSpec) -> Comparison:
    """Put sets on common axes. All must have been measured with `spec`'s bins."""
    return Comparison(spec, tuple(sets), _distances(sets, spec), _angles(sets), _energies(sets, spec), _forces(sets))


def _distances(sets: Sequence[SetMeasures], spec: ComparisonSpec) -> dict[str, Curves]:
    found = sorted({k for s in sets for k in s.geometry.distances}, key=lambda k: [element_order(z) for z in k])
    result = {}
    for pair in found:
        histograms = []
        for which, s in enumerate(sets):
            counts = s.geometry.distances.get(pair)
            if counts is not None and counts.any():
                histograms.append(Histogram(which, counts, int(counts.sum())))
        if histograms:
            edges = np.arange(len(histograms[0].counts) + 1, dtype=np.float64) * spec.length_step
            note = f"share of all {label(pair)} pairs up to {edges[-1]:g} Å, for each Å"
            result[label(pair)] = Curves(f"{label(pair)} distance / Å", edges, False, tuple(histograms), note)
    return result


def _angles(sets: Sequence[SetMeasures]) -> dict[str, Curves]:
    def order(triple: tuple[int, int, int]) -> list[tuple[int, int]]:
        return [element_order(triple[1]), element_order(triple[0]), element_order(triple[2])]

    result = {}
    for triple in sorted({k for s in sets for k in s.geometry.angles}, key=order):
        histograms = []
        for which, s in enumerate(sets):
            counts = s.geometry.angles.get(triple)
            if counts is not None:
                histograms.append(Histogram(which, counts, int(counts.sum())))
        edges = np.linspace(0.0, 180.0, len(histograms[0].counts) + 1, dtype=np.float64)
        note = f"share of all {label(triple)} angles between bonds, for each degree"
        result[label(triple)] = Curves(f"{label(triple)} angle / °", edges, False, tuple(histograms), note)
    return result


def _energies(sets: Sequence[SetMeasures], spec: ComparisonSpec) -> Curves | None:
    known = [(which, s.energies) for which, s in enumerate(sets) if s.energies is not None and len(s.energies.values)]
    if not known:
        return None
    common = fitted([e for _, e in known]) if spec.fit == "union" else {}
    values = []
    for which, e in known:
        atoms = fitted([e]) if spec.fit == "each" else common
        rest = per_atom(e, atoms)
        if len(rest):
            values.append((which, rest))
    if not values:
        return None
    ends = np.array([np.quantile(v, (_TAIL, 1 - _TAIL)) for _, v in values])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    scale = max(abs(low), abs(high), 1e-6)
    if not high - low > 1e-9 * scale:
        low, high = low - 0.5e-3 * scale, high + 0.5e-3 * scale
    margin = 0.03 * (high - low)
    edges = np.linspace(low - margin, high + margin, ENERGY_BINS + 1)
    histograms, outside = [], 0
    for which, v in values:
        counts = np.histogram(v, edges)[0].astype(np.int64)
        outside += len(v) - int(counts.sum())
        histograms.append(Histogram(which, counts, len(v)))
    columns = ", ".join(f"{sets[which].name}: {e.column}" for which, e in known)
    note = f"{FITS[spec.fit]} ({columns})"
    if outside:
        note += f"; values beyond the axis: {outside:,}"
    return Curves("energy per atom / eV", edges, False, tuple(histograms), note)


def _forces(sets: Sequence[SetMeasures]) -> Curves | None:
    histograms, outside = [], 0
    for which, s in enumerate(sets):
        if s.forces is not None and s.forces.counts.any():
            total = int(s.forces.counts.sum()) + s.forces.outside
            histograms.append(Histogram(which, s.forces.counts, total))
            outside += s.forces.outside
    if not histograms:
        return None
    edges = force_edges()
    filled = np.flatnonzero(np.any([h.counts > 0 for h in histograms], axis=0))
    a, b = max(int(filled[0]) - 4, 0), min(int(filled[-1]) + 5, len(edges) - 1)
    cut = tuple(Histogram(h.which, h.counts[a:b], h.total) for h in histograms)
    note = "norm of the force on each atom; share for each power of ten"
    if outside:
        note += f"; zero, or beyond the axis: {outside:,}"
    return Curves("force on an atom / (eV/Å)", edges[a : b + 1], True, cut, note)
