"""Kernels of single atoms: matrices, what atoms add to predictions, and models of what atoms have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.kernels.atomic import (
    AtomicKernelRidge,
    atom_contributions,
    atomic_matrix,
    atoms_apart,
    falls_into_atoms,
)
from qmlstudio.learning.kernels.combined import Normalised, Product, Sum
from qmlstudio.learning.kernels.functions import Gaussian
from qmlstudio.learning.kernels.local import BestMatch, FCHL18Kernel, LocalAverage, LocalSum, REMatch
from qmlstudio.learning.models.base import TooLargeError
from qmlstudio.learning.models.kernel_ridge import KernelRidge
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations.fchl18 import FCHL18


def random_rows(n: int = 30, seed: int = 0, d: int = 5, elements: Any = (1, 6, 8)) -> Rows:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, size=n)
    numbers = rng.choice(elements, size=sizes.sum()).astype(np.uint8)
    return Rows(
        rng.uniform(size=(sizes.sum(), d)), np.concatenate([[0], np.cumsum(sizes)]), numbers, sizes.astype(np.int64)
    )


def property_of(rows: Rows) -> np.ndarray:
    """(A,) smooth, with an offset for each element."""
    assert rows.numbers is not None
    return np.sin(2.0 * rows.array[:, 0]) + rows.array[:, 1] * rows.array[:, 2] + 0.3 * rows.numbers


def gaussian(x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-((x[:, None] - y) ** 2).sum(axis=2) / (2.0 * sigma**2))


def test_matrix_of_atoms() -> None:
    a, b = random_rows(9), random_rows(7, seed=1)
    assert a.numbers is not None
    assert b.numbers is not None
    expected = gaussian(a.array, b.array, 0.6) * (a.numbers[:, None] == b.numbers)
    kernel = LocalSum(sigma=0.6)
    assert np.abs(atomic_matrix(kernel, a, b) - expected).max() < 1e-13
    for z in (1, 6, 8):
        part = expected[a.numbers == z][:, b.numbers == z]
        assert np.abs(atomic_matrix(kernel, a, b, z) - part).max() < 1e-13
    own = atomic_matrix(kernel, a, element=6)
    assert np.diag(own) == pytest.approx(1.0)
    assert np.array_equal(own, own.T)
    assert atomic_matrix(kernel, a, b, 16).shape == (0, 0)
    with pytest.raises(ValueError, match="for each structure"):
        atoms_apart(Rows(np.ones((3, 2))))
    with pytest.raises(ValueError, match="every atom"):
        atomic_matrix(kernel, Rows(np.ones((3, 2))), element=6)


@pytest.mark.parametrize(
    "kernel",
    [
        LocalSum(sigma=0.7),
        LocalSum(inner="laplacian"),
        LocalAverage(sigma=0.7),
        Normalised(kernel=LocalSum(sigma=0.7)),
        Sum(kernels=(LocalSum(sigma=0.2), LocalAverage(inner="dot")), weights=(0.5, 2.0)),
    ],
)
def test_contributions_add_up_to_the_prediction(kernel: Any) -> None:
    train, rows = random_rows(), random_rows(6, seed=4)
    offsets = train.offsets
    assert offsets is not None
    energies = np.add.reduceat(property_of(train), offsets[:-1])
    model = KernelRidge(kernel=kernel, lambda_=1e-6, centre=True).fit(train, np.stack([energies, energies**2], axis=1))
    values = model.predict(rows).values
    assert rows.offsets is not None
    for i in range(len(rows)):
        for target in (0, 1):
            parts = atom_contributions(model, rows, i, target)
            assert len(parts) == rows.offsets[i + 1] - rows.offsets[i]
            assert abs(parts.sum() - values[i, target]) < 1e-9 * max(1.0, np.abs(model.weights[:, target]).sum())


def test_contribution_of_each_atom() -> None:
    """Of an atom it is what the atom alone is predicted to have."""
    train, rows = random_rows(), random_rows(5, seed=4)
    assert train.offsets is not None
    energies = np.add.reduceat(property_of(train), train.offsets[:-1])
    model = KernelRidge(kernel=LocalSum(sigma=0.7), lambda_=1e-6).fit(train, energies)
    parts = np.concatenate([atom_contributions(model, rows, i) for i in range(len(rows))])
    assert parts == pytest.approx(model.predict(atoms_apart(rows)).values[:, 0], abs=1e-9)
    # such a sum can be learnt to good accuracy
    assert rows.offsets is not None
    truth = np.add.reduceat(property_of(rows), rows.offsets[:-1])
    assert np.abs(np.add.reduceat(parts, rows.offsets[:-1]) - truth).max() < 0.25 * np.abs(truth).max()


def fchl18_rows() -> Rows:
    rng = np.random.default_rng(0)
    numbers = [[8, 1, 1], [6, 1, 1, 1, 1], [6, 8, 1, 1], [7, 6, 1]]
    structures = Structures.from_lists(numbers, [rng.uniform(-1.5, 1.5, size=(len(z), 3)) for z in numbers])
    return Rows.of(FCHL18().compute(structures), structures)


def test_contributions_of_fchl18() -> None:
    rows = fchl18_rows()
    model = KernelRidge(kernel=FCHL18Kernel(), lambda_=1e-8).fit(rows, np.arange(4.0))
    again = model.spec.restore(model.arrays(), json.loads(json.dumps(model.facts())), rows.representation)
    assert np.array_equal(again.predict(rows).values, model.predict(rows).values)
    parts = atom_contributions(model, rows, 2)
    assert parts.sum() == pytest.approx(model.predict(rows).values[2, 0], abs=1e-9)


def test_what_is_no_sum_over_atoms_is_refused() -> None:
    rows = random_rows()
    for kernel in (
        BestMatch(sigma=1.0),
        REMatch(sigma=1.0),
        Product(kernels=(LocalSum(sigma=1.0), LocalSum(sigma=2.0))),
    ):
        assert not falls_into_atoms(kernel)
        model = KernelRidge(kernel=kernel, lambda_=1.0).fit(rows, np.arange(30.0))
        with pytest.raises(ValueError, match="no sum over atoms"):
            atom_contributions(model, rows, 0)
    whole = Rows(np.random.default_rng(0).uniform(size=(5, 3)))
    model = KernelRidge(kernel=Gaussian(sigma=1.0), lambda_=1.0).fit(whole, np.arange(5.0))
    with pytest.raises(ValueError, match="each structure"):
        atom_contributions(model, whole, 0)


@pytest.mark.parametrize("choice", ["random", "fps"])
def test_model_of_atoms(choice: str) -> None:
    train, new = random_rows(60), random_rows(20, seed=5)
    y = property_of(train)
    spec = AtomicKernelRidge(lambda_=1e-9, atoms=40, choice=choice)
    model = spec.fit(train, np.stack([y, -2.0 * y], axis=1))
    assert sorted(model.parts) == [1, 6, 8]
    assert train.numbers is not None
    for z, part in model.parts.items():
        assert len(set(part.indices.tolist())) == len(part.indices) == 40
        assert (train.numbers[part.indices] == z).all()
        assert part.kernel.is_fitted
    # exact where it learnt, and good elsewhere
    known = np.concatenate([part.indices for part in model.parts.values()])
    found = model.predict(train)
    assert np.abs(found.values[known, 0] - y[known]).max() < 1e-4
    assert found.distance is not None
    assert found.distance[known].max() < 1e-6 < found.distance.max()
    values = model.predict(new, threads=1).values
    assert values[:, 1] == pytest.approx(-2.0 * values[:, 0])
    truth = property_of(new)
    assert np.abs(values[:, 0] - truth).mean() < 0.1 * np.abs(truth - truth.mean()).mean()
    # the same weights by hand
    part = model.parts[6]
    x = train.array[part.indices]
    matrix = gaussian(x, x, part.kernel.sigma) + 1e-9 * np.eye(len(x))  # type: ignore[attr-defined]
    by_hand = np.linalg.solve(matrix, y[part.indices] - y[part.indices].mean())
    assert np.abs(matrix @ part.weights[:, 0] - matrix @ by_hand).max() < 1e-8


def test_atoms_without_targets_and_strange_elements() -> None:
    train = random_rows(40)
    assert train.numbers is not None
    y = property_of(train)
    y[train.numbers == 1] = np.nan
    y[np.flatnonzero(train.numbers == 6)[:3]] = np.nan
    model = AtomicKernelRidge(kernel=LocalSum(sigma=1.0)).fit(train, y)
    assert model.silent == (1,)
    assert sorted(model.parts) == [6, 8]
    values = model.predict(train).values[:, 0]
    assert np.array_equal(np.isnan(values), train.numbers == 1)
    with pytest.raises(ValueError, match=r"never seen S$"):
        model.predict(random_rows(4, elements=(16,)))


def test_model_is_restored() -> None:
    train, new = random_rows(40), random_rows(8, seed=6)
    spec = AtomicKernelRidge(kernel=Sum(kernels=(LocalSum(), LocalSum(inner="laplacian"))), atoms=25)
    model = spec.fit(train, property_of(train))
    again = AtomicKernelRidge.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    restored = again.restore(model.arrays(), json.loads(json.dumps(model.facts())))
    assert np.array_equal(restored.predict(new).values, model.predict(new).values)
    # what atoms of FCHL18 need beside their rows comes back, too
    rows = fchl18_rows()
    own = AtomicKernelRidge(kernel=FCHL18Kernel())
    learnt = own.fit(rows, np.arange(float(len(rows.array))))
    back = own.restore(learnt.arrays(), json.loads(json.dumps(learnt.facts())), rows.representation)
    assert np.array_equal(back.predict(rows).values, learnt.predict(rows).values)


def test_refusals_and_cancel() -> None:
    train = random_rows(40)
    y, spec = property_of(train), AtomicKernelRidge()
    with pytest.raises(ValueError, match="atoms"):
        spec.fit(train, y[:-1])
    with pytest.raises(ValueError, match="infinite"):
        spec.fit(train, np.where(np.arange(len(y)) == 3, np.inf, y))
    with pytest.raises(ValueError, match="no atom to learn from"):
        spec.fit(train, np.full(len(y), np.nan))
    with pytest.raises(ValueError, match="single atoms"):
        AtomicKernelRidge(kernel=REMatch()).fit(train, y)
    with pytest.raises(ValueError, match="every atom"):
        spec.fit(Rows(np.ones((3, 2))), np.ones(3))
    with pytest.raises(TooLargeError, match="with 10 atoms"):
        spec.fit(train, y, memory_budget=8 * 10**2)
    with pytest.raises(Cancelled):
        spec.fit(train, y, Progress(is_cancelled=lambda: True))
    model = spec.fit(train, y)
    with pytest.raises(Cancelled):
        model.predict(train, Progress(is_cancelled=lambda: True))
    # equal atoms with different values: an answer, not a crash
    same = Rows(np.ones((6, 3)), np.array([0, 6]), np.full(6, 6, dtype=np.uint8))
    values = AtomicKernelRidge(choice="fps", atoms=4).fit(same, np.arange(6.0)).predict(same).values
    assert np.isfinite(values).all()
