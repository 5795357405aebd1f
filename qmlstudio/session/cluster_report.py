"""What sets a cluster, or any selection, apart from the rest: properties, composition, substructures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.structures import formula
from qmlstudio.chem.substructures import NAMES, substructures
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.columns import Columns

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

CLUSTER = "cluster"
"""Name of the derived column that holds each structure's cluster."""
SAMPLE_LIMIT = 20_000
"""Structures whose substructures are looked for: half from inside, half from outside, at random."""
VALUES_LIMIT = 200_000
"""Values of a property that are compared; more are sampled at random."""
SIGNIFICANT = 1e-3
"""Chance, all comparisons of a report together, below which a difference is no accident."""
SHOWN = 12
_ALIKE = 0.99
"""Properties that are correlated more strongly than this say the same."""


@dataclass(frozen=True)
class Difference:
    """One property inside and outside.

    Attributes
    ----------
    name, unit : str
    inside, outside : float
        Medians of the finite values.
    shift : float
        Difference of the means in units of their common standard deviation (Cohen's d), of values that are clipped to
        the 2nd and 98th percentile, so that a few huge ones do not hide it; infinite where neither side varies.
    rank_biserial : float
        -1 … 1: how much likelier a value inside is above one outside than below.
    distance : float
        Kolmogorov–Smirnov: largest difference of the two cumulative distributions, 0 … 1.
    p : float
        Chance of such a distance between samples of one distribution.
    alike : tuple of str
        Weaker differences of properties that are nearly proportional to this one.
    """

    name: str
    unit: str
    inside: float
    outside: float
    shift: float
    rank_biserial: float
    distance: float
    p: float
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class Share:
    """How common something is inside and outside.

    Attributes
    ----------
    name : str
    inside, outside : float
        Shares, 0 … 1.
    enrichment : float
        Their ratio; infinite where there is none outside.
    p : float
        Fisher's exact test, one-sided in the direction of the difference.
    """

    name: str
    inside: float
    outside: float
    enrichment: float
    p: float


@dataclass(frozen=True)
class ClusterReport:
    """What sets a set apart from all others.

    Attributes
    ----------
    count, total : int
        Structures inside, and in the data set.
    summary : str
        One line for people.
    properties : tuple of Difference
        Significant ones, the most telling first.
    elements : tuple of (symbol, mean count inside, outside)
    heavy_atoms : (float, float)
        Mean number of atoms beside hydrogen inside and outside; NaN where a side is empty.
    formulas : tuple of Share
        The most common formulas inside.
    groups : tuple of Share
        Functional groups and rings that are more common inside, the most telling first.
    lacking : tuple of Share
        Those that are rarer inside.
    scaffolds : tuple of Share
        The same for Bemis–Murcko scaffolds (SMILES).
    note : str
        What was left out or sampled; empty otherwise.
    """

    count: int
    total: int
    summary: str = ""
    properties: tuple[Difference, ...] = ()
    elements: tuple[tuple[str, float, float], ...] = ()
    heavy_atoms: tuple[float, float] = (np.nan, np.nan)
    formulas: tuple[Share, ...] = ()
    groups: tuple[Share, ...] = ()
    lacking: tuple[Share, ...] = ()
    scaffolds: tuple[Share, ...] = ()
    note: str = ""


def cluster_report(
    dataset: Dataset, columns: Columns, labels: NDArray[np.int32], cluster: int, progress: Progress = SILENT
) -> ClusterReport:
    """What sets one cluster apart from all other structures, noise included; see :func:`set_report`."""
    return set_report(dataset, columns, np.asarray(labels) == cluster, progress)


def set_report(dataset: Dataset, columns: Columns, mask: Mask, progress: Progress = SILENT) -> ClusterReport:
    """What sets the structures of a mask (n,) apart from the rest.

    Substructures come from the set's SMILES or from perceived bonds; they are kept for the next report. Without a rest,
    or with nothing inside, there are no comparisons and the summary says so.

    Raises
    ------
    ValueError
        The mask has another length than the data set.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != (len(dataset),):
        raise ValueError(f"a mask of shape {mask.shape} for {len(dataset)} structures")
    count, total = int(np.count_nonzero(mask)), len(mask)
    notes: list[str] = []
    properties = _differences(columns, mask, progress.part(0.0, 0.25), notes)
    elements, heavy, formulas = _composition(dataset, mask, progress.part(0.25, 0.4))
    groups, lacking, scaffolds = _substructures(dataset, mask, progress.part(0.4, 1.0), notes)
    report = ClusterReport(
        count, total, "", properties, elements, heavy, formulas, groups, lacking, scaffolds, "; ".join(notes)
    )
    progress(1.0)
    return replace(report, summary=summary(report))


def summary(report: ClusterReport) -> str:
    """One line: how many, what they contain, in what they differ."""
    if report.count == 0:
        return "Nothing is in this set."
    parts = []
    top = [s for s in report.groups if s.inside >= 0.5][:2] or list(report.groups[:1])
    if top:
        parts.append(", ".join(map(_said, top)))
    elif report.lacking:
        parts.append(_said(report.lacking[0]))
    if report.formulas and report.formulas[0].inside >= 0.5:
        parts.append(f"mostly {report.formulas[0].name}")
    parts += [f"no {symbol}" for symbol, inside, outside in report.elements if inside == 0.0 and outside >= 0.2]
    strong = [d for d in report.properties if abs(d.shift) >= 0.5][:2]
    parts += [f"{d.name} {shift_text(d)}" for d in strong]
    noun = "structure" if report.count == 1 else "structures"
    whole = f"{report.count:,} {noun} ({_percent(report.count / report.total)})"
    if report.count == report.total:
        return f"{whole}: there is nothing else to compare with."
    return f"{whole}: " + ("; ".join(parts) if parts else "nothing in particular sets this set apart") + "."


def _said(share: Share) -> str:
    return f"{_percent(share.inside)} have {with_article(share.name)} ({_percent(share.outside)} elsewhere)"


def shift_text(difference: Difference) -> str:
    """A median and how far it is from that of the others: "0.24 Ha, lower by 1.3 σ"."""
    value = f"{difference.inside:.4g} {difference.unit}".rstrip()
    direction = "higher" if difference.shift > 0 else "lower"
    if np.isinf(difference.shift):
        return f"{value}, {direction} ({difference.outside:.4g} elsewhere)"
    return f"{value}, {direction} by {abs(difference.shift):.1f} σ"


def with_article(name: str) -> str:
    """The name as it stands in a sentence: "a pyrrole ring", "an ether", "fused rings", "chlorine"."""
    if name.endswith("rings") or name in ("chlorine", "bromine", "iodine", "phosphorus", "silicon", "boron"):
        return name
    first = name[0].lower()
    vowel = first in "aeiou" and not name.startswith(("urea",))
    return f"{'an' if vowel else 'a'} {name}"


def cluster_column(labels: NDArray[np.int32], names: tuple[str, ...]) -> Property:
    """Each structure's cluster by its name, empty (missing) for noise.

    Parameters
    ----------
    labels : (n,) int32
        -1 for noise.
    names : tuple of str
        One for each cluster; equal ones are one category.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    # the last entry is what −1 indexes
    column = Property(np.array([*names, ""], dtype=np.str_)[labels], description="cluster")
    sizes: dict[str, int] = {}
    for name, size in zip(names, counts.tolist(), strict=True):
        if name and size:
            sizes[name] = sizes.get(name, 0) + size
    # known without sorting millions of texts; equally large clusters in the order of their numbers
    vars(column)["categories"] = tuple(sorted(sizes, key=lambda name: -sizes[name]))
    return column


# -- properties


def _differences(columns: Columns, mask: Mask, progress: Progress, notes: list[str]) -> tuple[Difference, ...]:
    names = [k for k in columns.numeric(composition=False) if k != CLUSTER]
    inside, outside = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(inside) or not len(outside):
        return ()
    random = np.random.default_rng(0)
    if len(mask) > VALUES_LIMIT:
        half = VALUES_LIMIT // 2
        inside, outside = _sampled(inside, half, random), _sampled(outside, half, random)
        notes.append(f"properties: {len(inside):,} inside and {len(outside):,} others, at random")
    found: list[Difference] = []
    for k, name in enumerate(names):
        progress(k / max(len(names), 1), "Properties")
        p = columns[name]
        difference = _difference(name, p.unit, p.values[inside], p.values[outside])
        if difference is not None and difference.p * len(names) < SIGNIFICANT:
            found.append(difference)
    # of equally telling ones the data set's first: U0 before H
    found.sort(key=lambda d: -round(d.distance, 2))
    return _without_echoes(columns, found, _sampled(np.flatnonzero(np.ones_like(mask)), 5_000, random))


def _difference(name: str, unit: str, inside: Floats, outside: Floats) -> Difference | None:
    """None where there is nothing to compare, or nothing varies."""
    from scipy.special import kolmogorov

    a, b = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
    if not len(a) or not len(b):
        return None
    values = np.concatenate([a, b])
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # the end of each run of equal values
    if len(last) < 2:
        return None
    below_a = np.cumsum(order < len(a))[last]
    below_b = last + 1 - below_a
    distance = float(np.abs(below_a / len(a) - below_b / len(b)).max())
    # of all pairs: b below a, and ties for half
    new_a = np.diff(below_a, prepend=0)
    new_b = np.diff(below_b, prepend=0)
    above = float((new_a * (below_b - 0.5 * new_b)).sum()) / len(a) / len(b)
    effective = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    return Difference(
        name,
        unit,
        float(np.median(a)),
        float(np.median(b)),
        _shift(a, b, ranked),
        2.0 * above - 1.0,
        distance,
        float(kolmogorov(effective * distance)),
    )


def _shift(a: Floats, b: Floats, ranked: Floats) -> float:
    """Cohen's d of the clipped values; of all of them where clipping leaves nothing that varies."""
    low, high = ranked[int(0.02 * (len(ranked) - 1))], ranked[int(np.ceil(0.98 * (len(ranked) - 1)))]
    if low == high:
        low, high = ranked[0], ranked[-1]
    middle, scale = 0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low
    x, y = (np.clip(v, low, high) / scale - middle / scale for v in (a, b))
    step, spread = float(x.mean() - y.mean()), float(np.sqrt(0.5 * (x.var() + y.var())))
    if spread > 1e-12:
        return step / spread
    return float(np.copysign(np.inf, step)) if step else 0.0


def _without_echoes(columns: Columns, found: list[Difference], rows: NDArray[np.int64]) -> tuple[Difference, ...]:
    """Properties that say the same as a stronger one (U, H and G beside U0) are only named with it."""
    kept: list[Difference] = []
    echoes: dict[str, list[str]] = {}
    for difference in found:
        values = columns[difference.name].values[rows]
        leader = next((d.name for d in kept if abs(_correlation(columns[d.name].values[rows], values)) > _ALIKE), None)
        if leader is not None:
            echoes[leader].append(difference.name)
        elif len(kept) < SHOWN:
            kept.append(difference)
            echoes[difference.name] = []
    return tuple(replace(d, alike=tuple(echoes[d.name])) for d in kept)


def _correlation(x: Floats, y: Floats) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    if np.count_nonzero(both) < 3:
        return 0.0
    x, y = x[both], y[both]
    x, y = x / (float(np.abs(x).max()) or 1.0), y / (float(np.abs(y).max()) or 1.0)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / norm if norm > 0 else 0.0


# -- composition


def _composition(
    dataset: Dataset, mask: Mask, progress: Progress
) -> tuple[tuple[tuple[str, float, float], ...], tuple[float, float], tuple[Share, ...]]:
    species = dataset.structures.species
    numbers, offsets = dataset.structures.numbers, dataset.structures.offsets
    counts = np.zeros((len(species.numbers), len(mask)), np.int32)
    running = np.zeros(len(numbers) + 1, np.int64)
    for k, number in enumerate(species.numbers):
        progress(k / len(species.numbers), "Composition")
        np.cumsum(numbers == number, out=running[1:])
        counts[k] = running[offsets[1:]] - running[offsets[:-1]]
    progress(0.8, "Composition")
    sides = (mask, ~mask)
    means = [[float(c[side].mean()) if side.any() else np.nan for side in sides] for c in counts]
    elements = tuple((symbol, a, b) for symbol, (a, b) in zip(species.symbols, means, strict=True))
    heavy = [sum(m[s] for z, m in zip(species.numbers, means, strict=True) if z > 1) for s in (0, 1)]
    return elements, (float(heavy[0]), float(heavy[1])), _formulas(species.numbers, counts, mask)


def _formulas(numbers: tuple[int, ...], counts: NDArray[np.int32], mask: Mask) -> tuple[Share, ...]:
    """The five most common formulas inside."""
    if not mask.any() or not numbers:
        return ()
    # one key for each composition: sums of products with random weights, equal for equal compositions only (2⁻⁶⁴)
    weights = np.random.default_rng(0).integers(1, 2**63, len(numbers), dtype=np.uint64)
    keys = np.zeros(len(mask), np.uint64)
    for weight, row in zip(weights, counts, strict=True):
        keys += row.astype(np.uint64) * weight
    found, first, tally = np.unique(keys[mask], return_index=True, return_counts=True)
    members = np.flatnonzero(mask)
    shares = []
    n_in, n_out = len(members), len(mask) - len(members)
    for k in np.argsort(-tally, kind="stable")[:5]:
        composition = counts[:, members[first[k]]]
        name = formula(np.repeat(np.array(numbers), composition)) or "no atoms"
        everywhere = int(np.count_nonzero(keys == found[k]))
        shares.append(_share(name, int(tally[k]), n_in, everywhere - int(tally[k]), n_out))
    return tuple(shares)


# -- substructures


def _substructures(
    dataset: Dataset, mask: Mask, progress: Progress, notes: list[str]
) -> tuple[tuple[Share, ...], tuple[Share, ...], tuple[Share, ...]]:
    table = substructures(dataset)
    inside, outside = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(inside):
        return (), (), ()
    if not table.has_graphs:
        notes.append("no SMILES and no molecules: substructures are not known")
        return (), (), ()
    if len(mask) > SAMPLE_LIMIT:
        # whatever one side leaves of its half goes to the other; the same rows again for the next report
        random = np.random.default_rng(1)
        half = SAMPLE_LIMIT // 2
        some_in = _sampled(inside, max(half, SAMPLE_LIMIT - len(outside)), random)
        some_out = _sampled(outside, SAMPLE_LIMIT - len(some_in), random)
        if len(some_in) < len(inside) or len(some_out) < len(outside):
            notes.append(f"substructures: {len(some_in):,} inside and {len(some_out):,} others, at random")
        inside, outside = some_in, some_out
    found = table.find(np.concatenate([inside, outside]), progress)
    is_in = mask[found.rows]
    n_in, n_out = int(np.count_nonzero(is_in)), int(np.count_nonzero(~is_in))
    lost = len(inside) + len(outside) - len(found.rows)
    if lost:
        notes.append(f"{lost:,} structures without a molecular graph are left out of the substructures")
    if not n_in:
        return (), (), ()
    a, b = found.groups[is_in].sum(axis=0), found.groups[~is_in].sum(axis=0)
    shares = [_share(name, int(i), n_in, int(j), n_out) for name, i, j in zip(NAMES, a, b, strict=True)]
    if not n_out:
        return tuple(sorted((s for s in shares if s.inside), key=lambda s: -s.inside)[:SHOWN]), (), ()
    more, fewer = _telling(shares)
    k = len(found.scaffold_names)
    ring_in = np.bincount(found.scaffolds[is_in & (found.scaffolds >= 0)], minlength=k)
    ring_out = np.bincount(found.scaffolds[~is_in & (found.scaffolds >= 0)], minlength=k)
    common = np.argsort(-ring_in, kind="stable")[:200]
    scaffolds = [
        _share(found.scaffold_names[c], int(ring_in[c]), n_in, int(ring_out[c]), n_out) for c in common if ring_in[c]
    ]
    return more[:SHOWN], fewer[:5], _telling(scaffolds)[0][:5]


def _telling(shares: list[Share]) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """Significant ones: more common inside, rarer inside; the largest difference of the shares first."""
    real = [s for s in shares if s.p * len(shares) < SIGNIFICANT]
    more = sorted((s for s in real if s.inside > s.outside), key=lambda s: s.outside - s.inside)
    fewer = sorted((s for s in real if s.inside < s.outside), key=lambda s: s.inside - s.outside)
    return tuple(more), tuple(fewer)


def _share(name: str, has_in: int, n_in: int, has_out: int, n_out: int) -> Share:
    from scipy.stats import hypergeom

    inside, outside = has_in / n_in, has_out / n_out if n_out else 0.0
    whole, having = n_in + n_out, has_in + has_out
    if inside >= outside:
        p = float(hypergeom.sf(has_in - 1, whole, having, n_in))
    else:
        p = float(hypergeom.cdf(has_in, whole, having, n_in))
    enrichment = inside / outside if outside > 0 else (np.inf if inside > 0 else 1.0)
    return Share(name, inside, outside, float(enrichment), p)


def _sampled(rows: NDArray[np.int64], limit: int, random: np.random.Generator) -> NDArray[Any]:
    return rows if len(rows) <= limit else np.sort(random.choice(rows, limit, replace=False))


def _percent(share: float) -> str:
    """As it stands in a sentence: "85 %", "< 1 %", "0 %"."""
    if 0.0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1.0:
        return "> 99 %"
    return f"{100 * share:.0f} %"
