"""The QM7 ladder: kernel ridge regression of atomization energies with our features and a plain solver.

``python tests/benchmarks/ladder.py [NAME…] [--write]`` needs ../shared/data/qm7. The protocol is honest: a seed
shuffles the molecules, the last 1,369 are the test set, which is scored once; σ and λ come from the training
molecules alone (of N = 1,000 two thirds fit and one third validates, of more the first 1,000 fit and the next 500
validate), and are kept for the fit to all N. Bag sizes and many-body types are those of the whole set (no labels).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from molecules import QM7
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from qmlstudio.chem.readers import open_dataset
from qmlstudio.representations import REGISTRY, Representation
from qmlstudio.representations.base import Features

SIZES = (1000, 2000, 4000, 5732)
SEEDS = (1, 2, 3)
TARGET = "atomization_energy_pbe0"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ladder.md"
Kernel = Callable[[float, Any, Any], Any]
"""(σ, molecules, molecules) → matrix."""
LAMBDAS = tuple(10.0**k for k in range(-11, -2))


@dataclass(frozen=True)
class Rung:
    """One representation with its kernel.

    Attributes
    ----------
    representation : Representation
    kernel : "gaussian" or "laplacian"
    published : str
        MAE of the literature with about 5,700 molecules; "" where there is none.
    spread : (low, high)
        Seeds' range of an independent run of the same protocol at N = 5,732.
    """

    representation: Representation
    kernel: str
    published: str
    spread: tuple[float, float] | None


def rungs() -> dict[str, Callable[[], Rung]]:
    """Made when asked for: not all need to be in the registry."""

    def made(name: str, kernel: str, published: str, spread: Any, **values: Any) -> Callable[[], Rung]:
        return lambda: Rung(REGISTRY[name](**values), kernel, published, spread)

    return {
        "eigenspectrum": made("coulomb_matrix", "gaussian", "9.9", (9.97, 10.63), permutation="eigenspectrum"),
        "coulomb": made("coulomb_matrix", "laplacian", "4.3", (3.16, 3.34)),
        "bags": made("bag_of_bonds", "laplacian", "1.5", (1.73, 1.83)),
        "mbtr": made("mbtr", "gaussian", "0.60", (0.72, 0.94)),
        "slatm": made("slatm", "gaussian", "", (0.53, 0.62)),
        "soap": made("soap", "gaussian", "", None, average="inner"),
        "acsf": made("acsf", "gaussian", "", None),
        "aev": made("aev", "gaussian", "", None),
        "fchl19": made("fchl19", "local", "", None, average="off"),
    }


def distances(array: Any, kernel: str) -> Any:
    """(n, n) L1 distances, or halves of squared L2 distances."""
    if kernel == "laplacian":
        result = np.empty((len(array), len(array)))
        for start in range(0, len(array), 500):
            cdist(array[start : start + 500], array, "cityblock", out=result[start : start + 500])
        return result
    squares = np.einsum("ij,ij->i", array, array)
    result = array @ array.T
    result *= -1.0
    result += 0.5 * squares[:, None]
    result += 0.5 * squares
    np.maximum(result, 0.0, out=result)
    np.fill_diagonal(result, 0.0)
    return result


def global_kernels(array: Any, kernel: str) -> tuple[list[float], Kernel]:
    """Widths worth trying, and the kernel between two lists of molecules for one of them."""
    d = distances(array, kernel)
    typical = float(np.median(d[:: max(1, len(d) // 500)]))
    if kernel == "laplacian":
        return [typical * 2.0**k for k in range(-1, 7)], lambda sigma, a, b: np.exp(d[np.ix_(a, b)] / -sigma)
    widths = [np.sqrt(2 * typical) * 2.0**k for k in range(-2, 6)]
    return widths, lambda sigma, a, b: np.exp(d[np.ix_(a, b)] / -(sigma**2))


def local_kernels(features: Features, numbers: Any) -> tuple[list[float], Kernel]:
    """Σ over pairs of atoms of one element of exp(−|x − x′|² / 2σ²): a product, an exponential and sums by molecule."""
    sigmas = [3.0, 10.0, 20.0]
    assert features.offsets is not None
    n = len(features.offsets) - 1
    owner = np.repeat(np.arange(n), np.diff(features.offsets))
    results = {sigma: np.zeros((n, n)) for sigma in sigmas}
    for z in np.unique(numbers):
        rows = np.flatnonzero(numbers == z)
        x, belongs = np.ascontiguousarray(features.array[rows]), owner[rows]
        first = np.flatnonzero(np.concatenate([[True], np.diff(belongs) > 0]))
        whose = belongs[first]
        half = 0.5 * np.einsum("ij,ij->i", x, x)
        bounds = [*range(0, len(first), 150), len(first)]
        for low, high in itertools.pairwise(bounds):
            a = slice(first[low], first[high] if high < len(first) else len(rows))
            # the lower triangle only: the rest follows by symmetry
            b = slice(0, a.stop)
            d = x[a] @ x[b].T
            d -= half[a, None]
            d -= half[b]
            np.minimum(d, 0.0, out=d)
            for sigma in sigmas:
                k = np.add.reduceat(np.exp(d / sigma**2), first[:high], axis=1)
                k = np.add.reduceat(k, first[low:high] - first[low], axis=0)
                results[sigma][np.ix_(whose[low:high], whose[:high])] += k
    for k in results.values():
        # what lies above the diagonal is there in some blocks only
        k[:] = np.tril(k) + np.tril(k, -1).T
    return sigmas, lambda sigma, a, b: results[sigma][np.ix_(a, b)]


def solve(matrix: Any, across: Any, y: Any, regularisation: float, extensive: bool = False) -> Any:
    """Predictions from the kernel of the training molecules, which is overwritten, and that of the test molecules.

    NaN where the matrix is not positive definite. `extensive`: a kernel that is a sum over atoms cannot make up for a
    constant, so none is taken out.
    """
    matrix[np.diag_indices(len(y))] += regularisation
    mean = 0.0 if extensive else y.mean()
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return np.full(len(across), np.nan)
    return across @ cho_solve(factor, y - mean) + mean


def choose(kernels: Kernel, sigmas: list[float], y: Any, fit: Any, check: Any, extensive: bool) -> tuple[float, float]:
    """The σ and λ with the least error on `check` after a fit to `fit`."""
    best = (np.inf, 0.0, 0.0)
    for sigma in sigmas:
        part, across = kernels(sigma, fit, fit), kernels(sigma, check, fit)
        # λ is relative to the diagonal: one for global kernels, the number of atoms squared for local ones
        scale = float(np.mean(np.diag(part)))
        for regularisation in LAMBDAS:
            predicted = solve(part.copy(), across, y[fit], regularisation * scale, extensive)
            error = float(np.abs(predicted - y[check]).mean())
            if error < best[0]:
                best = (error, sigma, regularisation * scale)
    return best[1], best[2]


def climb(rung: Rung, dataset: Any) -> dict[int, list[float]]:
    """Mean absolute errors by training size, one for each seed."""
    structures, y = dataset.structures, dataset.properties[TARGET].values
    features = rung.representation.compute(structures)
    if rung.kernel == "local":
        sigmas, kernels = local_kernels(features, structures.numbers)
    else:
        sigmas, kernels = global_kernels(features.array, rung.kernel)
    del features
    extensive = rung.kernel == "local"
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    orders = {seed: np.random.default_rng(seed).permutation(len(y)) for seed in SEEDS}
    chosen = {}
    for seed, size in itertools.product(SEEDS, SIZES):
        train = orders[seed][:size]
        cut, stop = (2 * size // 3, size) if size < 1500 else (1000, 1500)
        key = (seed, stop)
        if key not in chosen:
            chosen[key] = choose(kernels, sigmas, y, train[:cut], train[cut:stop], extensive)
        sigma, regularisation = chosen[key]
        test = orders[seed][SIZES[-1] :]
        predicted = solve(
            kernels(sigma, train, train), kernels(sigma, test, train), y[train], regularisation, extensive
        )
        error = float(np.abs(predicted - y[test]).mean())
        found[size].append(error)
        print(
            f"  seed {seed} N {size}: σ {sigma:.4g} λ {regularisation:.1g} MAE {error:.3f}", file=sys.stderr, flush=True
        )
    return found


def main() -> int:
    """Print the ladder."""
    known = rungs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--write", action="store_true", help="renew docs/ladder.md")
    options = parser.parse_args()
    if not QM7.exists():
        print(f"{QM7.name} is not there: the ladder needs it", file=sys.stderr)
        return 1
    dataset = open_dataset(QM7)
    lines = [
        "| representation, kernel | columns | "
        + " | ".join(f"N = {n:,}" for n in SIZES)
        + " | seeds at the last | expected there | published |",
        "|---|---:|" + "---:|" * len(SIZES) + "---|---|---|",
    ]
    for name in options.names or known:
        began = time.perf_counter()
        rung = known[name]()
        errors = climb(rung, dataset)
        last = errors[SIZES[-1]]
        columns = rung.representation.size(dataset.structures.species)
        lines.append(
            f"| {rung.representation.title} ({name}), {rung.kernel} | {columns:,} | "
            + " | ".join(f"{np.mean(errors[n]):.2f}" for n in SIZES)
            + f" | {min(last):.2f}–{max(last):.2f} | "
            + (f"{rung.spread[0]:.2f}–{rung.spread[1]:.2f}" if rung.spread else "–")
            + f" | {rung.published or '–'} |"
        )
        print(lines[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
    print("\n".join(lines))
    if options.write:
        text = [
            "# The QM7 ladder",
            "",
            "Mean absolute errors in kcal/mol of PBE0 atomization energies, QM7 as 7,101 geometries, means over three",
            "seeds. Kernel ridge regression; σ and λ are chosen on training data only, the 1,369 test molecules are",
            "scored once. “Expected” is the seeds' range of an independent run of the same protocol with the reference",
            "packages' features. Made by `python tests/benchmarks/ladder.py --write`.",
            "",
            *lines,
            "",
        ]
        DOCUMENT.write_text("\n".join(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
