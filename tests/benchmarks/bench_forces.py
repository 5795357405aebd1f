"""Learning curves of energies and forces: what forces teach, with scales chosen on training frames alone.

Run as a script::

    python tests/benchmarks/bench_forces.py [--sizes 25 50 100 200 400] [--set ethanol|rmd17|amons]

For each number of training frames N a fifth of them is put aside to choose σ (and nothing else); then all N are learned
and 200 other frames predicted once. Figures are mean absolute errors; times are those of the last fit, on one thread.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np

from qmlstudio.chem.structures import Structures
from qmlstudio.chem.units import KCAL_PER_MOL
from qmlstudio.learning.models.forces import ForceKernelRidge
from qmlstudio.representations.fchl19 import FCHL19
from qmlstudio.representations.inverse_distances import InverseDistances
from qmlstudio.session.scripting import open_dataset

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LOCAL, PAIRS = FCHL19(average="off"), InverseDistances()
MODELS = {
    "FCHL19, energies only": ForceKernelRidge(representation=LOCAL, learn="energies", basis=2000),
    "FCHL19, energies and forces": ForceKernelRidge(representation=LOCAL),
    "1/r, energies only": ForceKernelRidge(representation=PAIRS, method="covariance", learn="energies"),
    "1/r, Gaussian process of both": ForceKernelRidge(representation=PAIRS, method="covariance", kernel="matern-5/2"),
}
FACTORS = (0.5, 1.0, 2.0)
"""Of the automatic scale."""

Labelled = tuple[Structures, Any, Any]


def ethanol() -> Labelled:
    """The built-in trajectory, eV and eV/Å."""
    dataset = open_dataset("builtin:ethanol_500K")
    values = dataset.properties
    return dataset.structures, np.asarray(values["energy"].values), np.asarray(values["forces"].values)


def rmd17() -> Labelled:
    """Ethanol of rMD17, in eV and eV/Å: training frames first."""
    found = [np.load(DATA / "rmd17" / f"rmd17_ethanol_{part}_01.npz") for part in ("train", "test")]
    coordinates = np.concatenate([f["coords"] for f in found])
    structures = Structures.from_lists([found[0]["nuclear_charges"]] * len(coordinates), list(coordinates))
    energies, forces = (np.concatenate([f[key] for f in found]) * KCAL_PER_MOL for key in ("energies", "forces"))
    return structures, energies, forces.reshape(-1, 3)


def amons() -> Labelled:
    """Configurations of small molecules, in eV and eV/Å; the column holds forces, not gradients."""
    numbers, positions, energies, forces = [], [], [], []
    for part in ("train", "valid"):
        with gzip.open(DATA / "forces" / f"amons_{part}.csv.gz", "rt") as lines:
            for row in csv.DictReader(lines, delimiter=";"):
                numbers.append(ast.literal_eval(row["nuclear_charges"]))
                positions.append(ast.literal_eval(row["coordinates"]))
                energies.append(float(row["atomization_energy"]))
                forces.append(np.array(ast.literal_eval(row["forces"])))
    structures = Structures.from_lists(numbers, positions)
    return structures, np.array(energies) * KCAL_PER_MOL, np.concatenate(forces) * KCAL_PER_MOL


def part(labelled: Labelled, chosen: Any) -> Labelled:
    """Some structures with their labels."""
    structures, energies, forces = labelled
    atoms = np.concatenate([np.arange(structures.offsets[k], structures.offsets[k + 1]) for k in chosen])
    return structures.take(chosen), energies[chosen], forces[atoms]


def errors(model: Any, test: Labelled) -> tuple[float, float]:
    """Mean absolute errors in meV and meV/Å."""
    energies, forces = model.predict_both(test[0], threads=1)
    return 1e3 * float(np.abs(energies - test[1]).mean()), 1e3 * float(np.abs(forces - test[2]).mean())


def chosen_scale(spec: ForceKernelRidge, train: Labelled, seed: int) -> ForceKernelRidge:
    """With σ that is best for a fifth of the training structures, learned from the rest: forces count, if known."""
    order = np.random.default_rng(seed).permutation(len(train[0]))
    kept = max(2, len(order) // 5)
    inner, held = part(train, order[kept:]), part(train, order[:kept])
    automatic = spec.fit(*inner, threads=1).spec.sigma or 1.0
    trials = [spec.with_values(sigma=automatic * factor) for factor in FACTORS]
    which = 0 if spec.learn == "energies" else 1
    return min(trials, key=lambda trial: errors(trial.fit(*inner, threads=1), held)[which])


def curve(
    labelled: Labelled, sizes: list[int], models: dict[str, ForceKernelRidge], n_test: int, seed: int = 0
) -> None:
    """Print a table."""
    order = np.random.default_rng(seed).permutation(len(labelled[0]))
    test, rest = part(labelled, order[:n_test]), order[n_test:]
    titles = f"{'N':>5} {'σ':>6} {'meV':>8} {'meV/Å':>8} {'kcal/mol':>9} {'kcal/mol/Å':>11} {'fit s':>7} {'test ms':>8}"
    print(f"{'':32} {titles}")
    for name, spec in models.items():
        for size in sizes:
            train = part(labelled, rest[:size])
            final = chosen_scale(spec, train, seed)
            clock = time.perf_counter()
            model = final.fit(*train, threads=1)
            fit = time.perf_counter() - clock
            clock = time.perf_counter()
            energy, force = errors(model, test)
            each = 1e3 * (time.perf_counter() - clock) / n_test
            both = (value * 1e-3 / KCAL_PER_MOL for value in (energy, force))
            print(
                f"{name:32} {size:5} {final.sigma:6.3g} {energy:8.2f} {force:8.1f} "
                f"{next(both):9.3f} {next(both):11.3f} {fit:7.2f} {each:8.2f}",
                flush=True,
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sizes", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    parser.add_argument("--set", choices=("ethanol", "rmd17", "amons"), default="ethanol")
    parser.add_argument("--models", nargs="+", default=None, help="beginnings of the models' names")
    parser.add_argument("--tests", type=int, default=200)
    given = parser.parse_args()
    labelled = {"ethanol": ethanol, "rmd17": rmd17, "amons": amons}[given.set]()
    models = MODELS if given.set != "amons" else {k: v for k, v in MODELS.items() if k.startswith("FCHL19")}
    if given.models:
        models = {k: v for k, v in models.items() if any(k.startswith(name) for name in given.models)}
    curve(labelled, given.sizes, models, given.tests)


if __name__ == "__main__":
    main()
