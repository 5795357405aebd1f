"""Whether energies and forces belong together: signs, units and noise, seen before or after something is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import BOHR, ENERGY
from qmlstudio.progress import SILENT, Progress, slices

if TYPE_CHECKING:
    from qmlstudio.learning.models.forces import ForceKernelRidge

Array = NDArray[Any]
Floats = NDArray[np.float64]

CORRELATION = 0.95
"""Below it the labels do not belong together."""
SLOPE = 0.1
"""How far the slope may be from one."""
NET_FORCE = 0.05
"""How large the sum of a structure's forces may be, of their mean magnitude."""
NEAR = 0.1
"""Root mean square displacement in Å up to which two geometries' mean force gives their difference of energies."""
_LEAST = 0.5
_LEAST_FORCES = 0.2
_MAGNITUDE = 4.0
_GRADIENTS = "The forces have the wrong sign: they are gradients of the energy. Multiply them by −1"
_SAMPLE = 2000
_PAIRS = 200
_CANDIDATES = 4_000_000


@dataclass(frozen=True)
class LabelCheck:
    """What energies say about forces.

    Attributes
    ----------
    verdict : str
        "consistent", "gradients" (the sign is wrong), "units", "inconsistent", or "unknown" (nothing to compare).
    text : str
        For people.
    correlation, slope : float
        Of the differences of energies on those that the forces predict; NaN when unknown.
    pairs : int
        Compared pairs of geometries, or structures.
    net_force : float
        Median of |ΣF| over the mean magnitude of forces; NaN when unknown.
    """

    verdict: str
    text: str
    correlation: float
    slope: float
    pairs: int
    net_force: float = float("nan")

    @property
    def is_consistent(self) -> bool:
        """Whether nothing speaks against learning from both."""
        return self.verdict == "consistent"


def check_labels(
    structures: Structures, energies: Array, forces: Array, progress: Progress = SILENT, *, seed: int = 0
) -> LabelCheck:
    """Compare ΔE of similar geometries of the same atoms with −½ (F_a + F_b)·ΔR, before anything is learned.

    Parameters
    ----------
    energies : (n,) float
    forces : (A, 3) float

    Of a random sample the nearest pairs are taken, and laid on each other. A set in which no two structures have the
    same atoms in the same order has no answer this way: see :func:`check_prediction`.
    """
    y, f = np.asarray(energies, dtype=np.float64), np.asarray(forces, dtype=np.float64)
    if y.shape != (len(structures),) or f.shape != (len(structures.numbers), 3):
        raise ValueError(f"energies {y.shape} and forces {f.shape} do not fit {len(structures)} structures")
    rng = np.random.default_rng(seed)
    n = len(structures)
    sample = np.sort(rng.choice(n, min(n, _SAMPLE), replace=False))
    net = _net_force(structures, f, sample)
    pairs = _nearest_pairs(structures, sample, progress)
    truth, guess, lengths = [], [], []
    for a, b in pairs:
        low, high = (slice(structures.offsets[k], structures.offsets[k + 1]) for k in (a, b))
        if not (np.isfinite(y[[a, b]]).all() and np.isfinite(f[low]).all() and np.isfinite(f[high]).all()):
            continue
        first = structures.positions[low] - structures.positions[low].mean(axis=0)
        second = structures.positions[high] - structures.positions[high].mean(axis=0)
        turn = _rotation(second, first)
        moved = second @ turn - first
        length = float(np.sqrt((moved**2).sum()))
        if length > 1e-6:
            # along the way, so that near pairs, of which the forces say most, count as much as others
            truth.append((y[b] - y[a]) / length)
            guess.append(-0.5 * float(((f[low] + f[high] @ turn) * moved).sum()) / length)
            lengths.append(length / np.sqrt(len(first)))
    is_near = len(lengths) > 0 and float(np.median(lengths)) < NEAR
    return _judged(np.array(truth), np.array(guess), "pairs of similar geometries", net, is_near)


def check_prediction(predicted: Array, reference: Array) -> LabelCheck:
    """Compare the energies that a model learned from forces alone with those of the data.

    Parameters
    ----------
    predicted, reference : (n,) float
        Of structures of one composition, or less what depends on the composition.
    """
    p, r = np.asarray(predicted, dtype=np.float64).ravel(), np.asarray(reference, dtype=np.float64).ravel()
    if p.shape != r.shape:
        raise ValueError(f"there are {len(p)} predicted and {len(r)} reference energies")
    fine = np.isfinite(p) & np.isfinite(r)
    p, r = p[fine], r[fine]
    return _judged(r - r.mean() if len(r) else r, p - p.mean() if len(p) else p, "structures", float("nan"))


def check_by_learning(
    spec: ForceKernelRidge,
    structures: Structures,
    energies: Array,
    forces: Array,
    progress: Progress = SILENT,
    *,
    n_train: int = 100,
    n_test: int = 200,
    seed: int = 0,
    threads: int | None = None,
) -> LabelCheck:
    """Learn from one kind of labels of some structures, and compare what follows for the other kind of others.

    Of a single composition forces are learned, and the energies that follow are compared. Otherwise forces cannot tell
    one molecule's energy from another's: energies are learned, and what follows for the forces shows their sign and
    the order of their magnitude.

    Parameters
    ----------
    spec : ForceKernelRidge
        Its representation, kernel and scales are used.
    n_train, n_test : int
        Fewer where there are fewer: a third is kept for the comparison.
    """
    from qmlstudio.learning.models._force_fits import Offset

    y, f = np.asarray(energies, dtype=np.float64), np.asarray(forces, dtype=np.float64)
    count = len(structures)
    order = np.random.default_rng(seed).permutation(count)
    train, test = min(n_train, count - count // 3), min(n_test, count // 3)
    first, second = np.sort(order[:train]), np.sort(order[train : train + test])
    taken = structures.take(first)
    known = set(taken.species.numbers)
    # elements that are not learned cannot be predicted
    fits = [k for k in second if known.issuperset(structures[int(k)].numbers.tolist())]
    second = np.array(fits, dtype=np.int64)
    kept = structures.take(second)
    is_one = len(set(taken.formulas())) == 1
    learner = spec.with_values(learn="forces" if is_one else "energies")
    model = learner.fit(taken, y[first], f[_atoms(structures, first)], progress.part(0.0, 0.8), threads=threads)
    rest = progress.part(0.8, 1.0)
    if not is_one:
        return _compared(model.predict_forces(kept, rest, threads=threads), f[_atoms(structures, second)], len(second))
    found = model.predict(kept, rest, threads=threads).values[:, 0]
    return check_prediction(*(part - Offset.of(kept, part)(kept) for part in (found, y[second])))


def _atoms(structures: Structures, chosen: Array) -> Array:
    """Places of the atoms of some structures."""
    ranges = [np.arange(structures.offsets[k], structures.offsets[k + 1]) for k in chosen]
    return np.concatenate(ranges) if ranges else np.zeros(0, dtype=np.int64)


def _compared(predicted: Floats, reference: Floats, count: int) -> LabelCheck:
    """The verdict on forces, from those that a model of energies predicts."""
    norms = float(np.linalg.norm(predicted)), float(np.linalg.norm(reference))
    if count < 3 or min(norms) == 0.0:
        return LabelCheck("unknown", f"Nothing to compare: {count} structures.", float("nan"), float("nan"), count)
    product = float((predicted * reference).sum())
    correlation, slope = product / (norms[0] * norms[1]), product / norms[1] ** 2
    facts = f" (correlation {correlation:.3f}, slope {slope:.3f}, {count:,} structures)."
    if abs(correlation) < _LEAST_FORCES:
        verdict, text = "unknown", "What is learned from the energies says nothing of the forces: learn from more"
    elif correlation < 0.0:
        verdict, text = "gradients", _GRADIENTS
    elif abs(slope / correlation) > _MAGNITUDE or abs(slope / correlation) < 1.0 / _MAGNITUDE:
        verdict, text = "units", "Energies and forces have different units: they differ in the order of magnitude"
    else:
        verdict, text = "consistent", "The sign of the forces is right, and so is the order of their magnitude"
    return LabelCheck(verdict, text + facts, correlation, slope, count)


def _judged(truth: Floats, guess: Floats, what: str, net: float, is_exact: bool = True) -> LabelCheck:
    """The verdict on energies (differences) and what the forces make of them."""
    n = len(truth)
    norms = float(np.linalg.norm(truth)), float(np.linalg.norm(guess))
    if n < 3 or min(norms) == 0.0:
        text = (
            f"Nothing to compare: {n} {what}. Learn from forces only and compare the predicted energies with those of "
            "the data."
            if n < 3
            else f"Nothing to compare: all {'energies' if norms[0] == 0.0 else 'forces'} are the same."
        )
        return LabelCheck("unknown", text, float("nan"), float("nan"), n, net)
    correlation = float(truth @ guess) / (norms[0] * norms[1])
    slope = float(truth @ guess) / norms[1] ** 2
    facts = f" (correlation {correlation:.3f}, slope {slope:.3f}, {n:,} {what})"
    if correlation < -_LEAST:
        return LabelCheck("gradients", _GRADIENTS + facts + ".", correlation, slope, n, net)
    if correlation < CORRELATION and not is_exact:
        text = "The sign of the forces is right" if correlation > _LEAST else "The sign of the forces cannot be told"
        text += "; the geometries differ too much to say more: learn from some of the labels"
        return LabelCheck("unknown", text + facts + ".", correlation, slope, n, net)
    if correlation < CORRELATION:
        text = "Energies and forces do not belong together: another method, another order of atoms, or noise"
        return LabelCheck("inconsistent", text + facts + ".", correlation, slope, n, net)
    if abs(slope - 1.0) > SLOPE:
        text = f"Energies and forces have different units: energies are {slope:.4g} times what the forces say"
        guesses = _units(slope)
        text += f", as of {guesses}" if guesses else ""
        return LabelCheck("units", text + facts + ".", correlation, slope, n, net)
    text = "Forces are minus the gradient of the energies" + facts + "."
    if net > NET_FORCE:
        text += f" They do not add up to zero: {net:.0%} of a force is left in the median."
    return LabelCheck("consistent", text, correlation, slope, n, net)


def _units(slope: float) -> str:
    """Which units would explain a slope, up to two; "" for none."""
    found = []
    for energy in ("kcal/mol", "eV", "Ha", "kJ/mol", "meV"):
        for force in ("kcal/mol", "eV", "Ha", "kJ/mol", "meV"):
            for length, factor in (("Å", 1.0), ("bohr", BOHR)):
                expected = ENERGY[force] / ENERGY[energy] / factor
                if (energy != force or factor != 1.0) and abs(slope / expected - 1.0) < 0.05:
                    found.append(f"energies in {energy} with forces in {force}/{length}")
    return " or ".join(found[:2])


def _net_force(structures: Structures, forces: Floats, sample: Array) -> float:
    """Median |ΣF| over the mean |F|."""
    sums, sizes = [], []
    for index in sample[:_PAIRS]:
        own = forces[structures.offsets[index] : structures.offsets[index + 1]]
        if len(own) and np.isfinite(own).all():
            sums.append(float(np.linalg.norm(own.sum(axis=0))))
            sizes.append(float(np.linalg.norm(own, axis=1).mean()))
    mean = float(np.mean(sizes)) if sizes else 0.0
    return float(np.median(sums)) / mean if mean > 0.0 else float("nan")


def _nearest_pairs(structures: Structures, sample: Array, progress: Progress) -> list[tuple[int, int]]:
    """Pairs of structures with the same atoms in the same order, the most similar ones."""
    groups: dict[bytes, list[int]] = {}
    for index in sample:
        numbers = structures.numbers[structures.offsets[index] : structures.offsets[index + 1]]
        groups.setdefault(numbers.tobytes(), []).append(int(index))
    found: list[tuple[float, int, int]] = []
    candidates = [members for members in groups.values() if len(members) > 1 and len(structures[members[0]]) > 1]
    for start, stop in slices(len(candidates), progress, "Comparing energies and forces"):
        for members in candidates[start:stop]:
            size = len(structures[members[0]])
            i, j = np.tril_indices(size, -1)
            most = max(2, int(np.sqrt(_CANDIDATES / max(len(i), 1))))
            members = members[:most]
            positions = np.array([structures[k].positions for k in members])
            distances = np.linalg.norm(positions[:, i] - positions[:, j], axis=2)
            if not np.isfinite(distances).all():
                continue
            for k in range(len(members)):
                progress.check()
                gaps = np.sqrt(((distances - distances[k]) ** 2).mean(axis=1))
                # the same geometry twice says nothing
                gaps[gaps < 1e-9] = np.inf
                near = int(gaps.argmin())
                if np.isfinite(gaps[near]):
                    a, b = members[k], members[near]
                    found.append((float(gaps[near]), min(a, b), max(a, b)))
    return [(a, b) for _, a, b in sorted(set(found))[:_PAIRS]]


def _rotation(moving: Floats, fixed: Floats) -> Floats:
    """(3, 3) that lays centred positions on others, from the right: moving @ rotation ≈ fixed (W. Kabsch, 1976).

    It may be a reflection: distances do not tell mirror images apart, nor do energies.
    """
    left, _, right = np.linalg.svd(moving.T @ fixed)
    return np.asarray(left @ right)
