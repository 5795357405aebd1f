"""Benches that are known by heart: the ladder of representations on QM7, and elpasolites by rows and columns.

The protocol is honest: a seed shuffles the structures, the test set is scored once, σ and λ come from the training
structures alone (QM7: 1,000 fit, the next 500 judge; elpasolites: 2,000 and 1,000; of smaller sets two thirds and one
third).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qmlstudio.chem.dataset import Dataset
from qmlstudio.learning.evaluation.folds import HoldOut
from qmlstudio.learning.evaluation.grid import Grid
from qmlstudio.learning.evaluation.splits import RandomSplit
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.session.bench.elpasolite import ElpasoliteSites
from qmlstudio.session.bench.spec import BenchSpec, Series

_POWERS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
GAUSSIAN_GRID = Grid(factors=(0.25, *_POWERS[:-1]))
LAPLACIAN_GRID = Grid(factors=_POWERS)
NOISY_GRID = Grid(factors=_POWERS, lambda_low=-9, lambda_high=-1)
LOCAL_GRID = Grid(factors=(1.0, 2.0, 4.0, 8.0))
"""σ as multiples of the median distance of the training structures (of their atoms, for local kernels)."""


@dataclass(frozen=True)
class Ladder:
    """A bench with what is expected of it.

    Attributes
    ----------
    name, title : str
    make : callable (dataset, names) → BenchSpec
        `names`: some of :attr:`rungs`; all of the default ones when there are none.
    rungs : dict of str to str
        Short names of the series and their labels.
    goal : (float, str)
        The accuracy people aim at, with its unit.
    expected : dict of str to (low, high)
        By label: the seeds' range of an independent run of the same protocol at the largest size.
    """

    name: str
    title: str
    make: Callable[[Dataset, Sequence[str]], BenchSpec]
    rungs: dict[str, str]
    goal: tuple[float, str]
    expected: dict[str, tuple[float, float]]


_QM7_RUNGS = {
    "mean": "mean",
    "composition": "composition",
    "eigenspectrum": "Coulomb matrix, eigenvalues",
    "coulomb": "Coulomb matrix, sorted",
    "bags": "bag of bonds",
    "mbtr": "MBTR",
    "slatm": "SLATM",
    "fchl19": "FCHL19, local",
    "soap": "SOAP, global",
    "acsf": "ACSF, global",
    "aev": "AEV, global",
}
QM7_RUNGS = ("mean", "composition", "eigenspectrum", "coulomb", "bags", "mbtr", "slatm", "fchl19")
"""Those that run when nobody names any."""
QM7_SIZES = (1000, 2000, 4000, 5732)
ELPASOLITE_SIZES = (500, 1000, 2000, 4000, 8000)


def qm7(dataset: Dataset, names: Sequence[str] = ()) -> BenchSpec:
    """Atomization energies of QM7 by representations of rising quality; sizes and test set shrink with the data set."""
    column = next((c for c in dataset.properties if c.startswith("atomization_energy_pbe0")), None)
    if column is None:
        column = next((c for c in dataset.properties if "atomization" in c), None)
    if column is None:
        raise ValueError(f"{dataset.name} has no column of atomization energies: is it QM7?")
    task = Task(target=column)
    n = len(dataset)
    n_test = 1369 if n >= 7101 else max(1, n // 5)
    sizes = [size for size in QM7_SIZES if size <= n - n_test] or [n - n_test]
    return BenchSpec(
        series=tuple(_qm7_series(name, task) for name in _chosen(names, _QM7_RUNGS, QM7_RUNGS)),
        sizes=tuple(sizes),
        repeats=3,
        seed=1,
        split=RandomSplit(n_test=n_test),
        folds=HoldOut(n_fit=1000, n_validate=500),
        grid=GAUSSIAN_GRID,
    )


def elpasolites(dataset: Dataset, names: Sequence[str] = ()) -> BenchSpec:
    """Formation energies of crystals ABC2D6 by the rows and columns of their elements."""
    if "formation_energy" not in dataset.properties:
        raise ValueError(f"{dataset.name} has no column formation_energy: is it a table of elpasolites?")
    unit = dataset.properties["formation_energy"].unit
    per_atom = unit.endswith("/atom")
    task = Task(
        target="formation_energy",
        normalisation="none" if per_atom else "per_atom",
        errors_per="structure" if per_atom else "atom",
    )
    makers: dict[str, Callable[[], Series]] = {
        "mean": lambda: Series(label="mean", representation=None, model=_baseline("mean"), task=task),
        "sites": lambda: Series(
            label="rows and columns",
            representation=ElpasoliteSites(),
            model=_ridge("laplacian"),
            task=task,
            grid=NOISY_GRID,
        ),
        "gaussian": lambda: Series(
            label="rows and columns, Gaussian", representation=ElpasoliteSites(), model=_ridge("gaussian"), task=task
        ),
    }
    n = len(dataset)
    n_test = 590 if n >= 1000 else max(1, n // 5)
    sizes = [size for size in ELPASOLITE_SIZES if size <= n - n_test] or [n - n_test]
    return BenchSpec(
        series=tuple(makers[name]() for name in _chosen(names, makers, ("mean", "sites"))),
        sizes=tuple(sizes),
        repeats=3,
        seed=1,
        split=RandomSplit(n_test=n_test),
        folds=HoldOut(n_fit=2000, n_validate=1000),
        grid=GAUSSIAN_GRID,
    )


LADDERS: dict[str, Ladder] = {
    "qm7": Ladder(
        "qm7",
        "PBE0 atomization energies of QM7",
        qm7,
        _QM7_RUNGS,
        (1.0, "kcal/mol"),
        {
            "Coulomb matrix, eigenvalues": (9.97, 10.63),
            "Coulomb matrix, sorted": (3.16, 3.34),
            "bag of bonds": (1.73, 1.83),
            "MBTR": (0.72, 0.94),
            "SLATM": (0.53, 0.62),
        },
    ),
    "elpasolites": Ladder(
        "elpasolites",
        "Formation energies of elpasolites",
        elpasolites,
        {"mean": "mean", "sites": "rows and columns", "gaussian": "rows and columns, Gaussian"},
        (0.1, "eV/atom"),
        {},
    ),
}


def _chosen(names: Sequence[str], known: Any, default: Sequence[str]) -> list[str]:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no rung {unknown[0]!r}; there are {', '.join(known)}")
    return [name for name in known if name in (names or default)]


def _baseline(name: str) -> Any:
    from qmlstudio.learning.models import REGISTRY

    return REGISTRY[name]()


def _ridge(kernel: str, **values: Any) -> Any:
    from qmlstudio.learning.kernels import get
    from qmlstudio.learning.models.kernel_ridge import KernelRidge

    return KernelRidge(kernel=get(kernel)(**values))


def _qm7_series(name: str, task: Task) -> Series:
    from qmlstudio.learning.kernels.local import LocalSum
    from qmlstudio.learning.models.kernel_ridge import KernelRidge
    from qmlstudio.representations import REGISTRY

    known: dict[str, Any] = dict(REGISTRY)
    label = _QM7_RUNGS[name]
    if name in ("mean", "composition"):
        return Series(label=label, representation=None, model=_baseline(name), task=task)
    if name == "fchl19":
        # a sum over atoms grows with the molecule, which a mean of all molecules would upset
        model = KernelRidge(kernel=LocalSum(), centre=False)
        return Series(label=label, representation=known[name](average="off"), model=model, task=task, grid=LOCAL_GRID)
    kinds: dict[str, tuple[str, dict[str, Any], str]] = {
        "eigenspectrum": ("coulomb_matrix", {"permutation": "eigenspectrum"}, "gaussian"),
        "coulomb": ("coulomb_matrix", {}, "laplacian"),
        "bags": ("bag_of_bonds", {}, "laplacian"),
        "soap": ("soap", {"average": "inner"}, "gaussian"),
    }
    kind, values, kernel = kinds.get(name, (name, {}, "gaussian"))
    grid = LAPLACIAN_GRID if kernel == "laplacian" else GAUSSIAN_GRID
    return Series(label=label, representation=known[kind](**values), model=_ridge(kernel), task=task, grid=grid)


def at_most(spec: BenchSpec, size: int) -> BenchSpec:
    """The same with training sizes up to `size` alone."""
    sizes = tuple(n for n in spec.sizes if n <= size) or (size,)
    return replace(spec, sizes=sizes)
