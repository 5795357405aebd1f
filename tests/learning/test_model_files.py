"""Files of models: what is read predicts what was written, and refuses what it does not know."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.structures import Structures
from qmlstudio.learning.evaluation.tasks import Transform
from qmlstudio.learning.kernels import Gaussian, Laplacian, Sum
from qmlstudio.learning.kernels.local import FCHL18Kernel, LocalSum
from qmlstudio.learning.models import (
    Composition,
    FingerprintRidge,
    GaussianProcess,
    KernelRidge,
    LinearRidge,
    MeanModel,
    NearestNeighbors,
    RandomForest,
)
from qmlstudio.learning.models.files import ModelFileError, SavedModel, apply, header, load, save
from qmlstudio.learning.models.forces import ForceKernelRidge
from qmlstudio.learning.models.inputs import UnknownElementsError, representation_for, rows_for
from qmlstudio.progress import Cancelled, Progress
from qmlstudio.representations import FCHL18, FCHL19, CoulombMatrix

SHAPES = {
    "water": ([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
    "methane": (
        [6, 1, 1, 1, 1],
        [[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [-0.63, 0.63, -0.63], [0.63, -0.63, -0.63]],
    ),
    "ammonia": ([7, 1, 1, 1], [[0, 0, 0.1], [0.94, 0, -0.27], [-0.47, 0.81, -0.27], [-0.47, -0.81, -0.27]]),
    "carbon monoxide": ([6, 8], [[0, 0, 0], [0, 0, 1.13]]),
    "hydrogen sulphide": ([16, 1, 1], [[0, 0, 0], [1.34, 0, 0], [-0.05, 1.34, 0]]),
}


def some(names: tuple[str, ...] = ("water", "methane", "ammonia", "carbon monoxide"), copies: int = 6) -> Structures:
    """Molecules with their atoms moved a little."""
    random = np.random.default_rng(0)
    chosen = [SHAPES[name] for name in names for _ in range(copies)]
    return Structures.from_lists(
        [numbers for numbers, _ in chosen],
        [np.asarray(places) + random.normal(scale=0.03, size=(len(places), 3)) for _, places in chosen],
    )


def fitted(spec: Any, representation: Any = None, structures: Structures | None = None, **more: Any) -> SavedModel:
    structures = some() if structures is None else structures
    species = structures.species
    rows = rows_for(spec, structures, representation, species)
    y = np.stack([structures.sizes * 10.0 + np.arange(len(structures)) * 0.1, np.arange(len(structures))], axis=1)
    own = representation_for(spec, representation)
    return SavedModel(fitted=spec.fit(rows, y), representation=own, species=species, **more)


MODELS = {
    "ridge": (KernelRidge(kernel=Laplacian(), lambda_=1e-6), CoulombMatrix()),
    "sum": (KernelRidge(kernel=Sum(kernels=(Gaussian(sigma=3.0), Laplacian())), lambda_=1e-6), CoulombMatrix()),
    "local": (KernelRidge(kernel=LocalSum(), lambda_=1e-6), FCHL19(average="off")),
    "fchl18": (KernelRidge(kernel=FCHL18Kernel(), lambda_=1e-6), FCHL18()),
    "landmarks": (KernelRidge(solver="nystroem", landmarks=10), CoulombMatrix()),
    "process": (GaussianProcess(steps=3), CoulombMatrix()),
    "sparse process": (GaussianProcess(steps=3, solver="nystroem", landmarks=10), CoulombMatrix()),
    "linear": (LinearRidge(), CoulombMatrix()),
    "wide": (LinearRidge(), FCHL19(average="off")),
    "fingerprint": (FingerprintRidge(), None),
    "forest": (RandomForest(trees=5), CoulombMatrix()),
    "neighbours": (NearestNeighbors(k=2), CoulombMatrix()),
    "composition": (Composition(), None),
    "mean": (MeanModel(), None),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_what_is_read_predicts_what_was_written(name: str, tmp_path: Path) -> None:
    model = fitted(*MODELS[name], title="A model", scores={"mae": np.float64(1.5)}, source={"name": "some"})
    path = tmp_path / "model.qmlm"
    save(path, model)
    read = load(path)
    assert (read.title, read.scores, read.source) == ("A model", {"mae": 1.5}, {"name": "some"})
    assert read.species == model.species
    assert read.representation == model.representation
    assert read.fitted.spec == model.fitted.spec
    assert read.fitted.n_train == 24
    assert read.fitted.domain == model.fitted.domain
    assert read.fitted.notes == model.fitted.notes
    new = some(copies=2)
    before, after = (apply(m, new, deviation=True) for m in (model, read))
    np.testing.assert_allclose(after.values, before.values, rtol=1e-12)
    for kind in ("deviation", "distance"):
        one, other = getattr(before, kind), getattr(after, kind)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_structures_may_stand_for_features(tmp_path: Path) -> None:
    structures = some()
    model = fitted(KernelRidge(kernel=LocalSum(), lambda_=1e-6), FCHL19(average="off"), structures)
    wide, small = tmp_path / "wide.qmlm", tmp_path / "small.qmlm"
    save(wide, model)
    save(small, model, training=structures)
    assert small.stat().st_size < wide.stat().st_size / 5
    new = some(copies=2)
    np.testing.assert_allclose(load(small).apply(new).values, model.apply(new).values, rtol=1e-12)
    with pytest.raises(ValueError, match="24 training rows"):
        save(small, model, training=some(copies=2))


@pytest.mark.parametrize("name", ["ridge", "local", "composition", "forest"])
def test_unknown_elements_are_refused_by_name(name: str) -> None:
    model = fitted(*MODELS[name])
    with pytest.raises(UnknownElementsError, match=r"structure 3: S is an element .* it knows H, C, N, O") as caught:
        model.apply(some(("water", "methane", "hydrogen sulphide"), 1))
    assert caught.value.elements == ("S",)
    np.testing.assert_array_equal(caught.value.indices, [2])


def test_values_are_told_in_the_tasks_terms() -> None:
    structures = some()
    values = structures.sizes[:, None] * 10.0 + np.random.default_rng(0).normal(size=(24, 1))
    baseline = structures.sizes[:, None] * 9.0
    transform = Transform.learn(values - baseline, structures.sizes, normalisation="per_atom", standardise=True)
    learned = transform.forward(values - baseline, structures.sizes)
    rows = rows_for(GaussianProcess(), structures, CoulombMatrix(), structures.species)
    spec = GaussianProcess(kernel=Laplacian(), noise=1e-4, optimise=False)
    model = SavedModel(
        fitted=spec.fit(rows, learned),
        representation=CoulombMatrix(),
        species=structures.species,
        task={"target": "energy", "baseline": "cheap", "unit": "eV"},
        transform=transform.to_dict(),
    )
    with pytest.raises(ValueError, match="difference to cheap"):
        model.apply(structures)
    found = model.apply(structures, baseline=baseline[:, 0], deviation=True)
    np.testing.assert_allclose(found.values, values, atol=1e-3)
    assert model.unit == "eV"
    raw = model.fitted.predict(rows, deviation=True).deviation
    np.testing.assert_allclose(found.deviation, raw * transform.scale * structures.sizes[:, None], rtol=1e-9)


def test_models_of_forces(tmp_path: Path) -> None:
    structures = some(("water",))
    spec = ForceKernelRidge(representation=CoulombMatrix(permutation="none"), method="covariance")
    random = np.random.default_rng(0)
    learnt = spec.fit(structures, random.normal(size=6), random.normal(size=(18, 3)), threads=1)
    model = SavedModel(fitted=learnt, representation=None, species=structures.species)
    save(tmp_path / "forces.qmlm", model)
    read = load(tmp_path / "forces.qmlm")
    np.testing.assert_allclose(read.apply(structures).values, model.apply(structures).values, rtol=1e-12)
    with pytest.raises(UnknownElementsError, match="S is"):
        read.apply(some(("hydrogen sulphide",), 1))


def test_files_that_are_none(tmp_path: Path) -> None:
    model = fitted(*MODELS["ridge"])
    path = tmp_path / "model.qmlm"
    save(path, model)
    assert header(path)["spec"]["name"] == "kernel_ridge"
    with pytest.raises(ModelFileError, match="check its name"):
        load(tmp_path / "missing.qmlm")
    data = path.read_bytes()
    for damaged in (b"", b"text", data[: len(data) // 2], data[:200] + b"\x00" * 300 + data[500:]):
        (tmp_path / "bad.qmlm").write_bytes(damaged)
        with pytest.raises(ModelFileError):
            load(tmp_path / "bad.qmlm")
    for change, text in (
        ({"version": 99}, "update QML Studio"),
        ({"format": "another"}, "none of QML Studio"),
        ({"spec": {"name": "oracle"}}, "no model 'oracle'"),
        ({"representation": {"name": "tea_leaves"}}, "tea_leaves"),
        ({"facts": {}}, "cannot use it"),
    ):
        rewritten(path, tmp_path / "other.qmlm", change)
        with pytest.raises(ModelFileError, match=text):
            load(tmp_path / "other.qmlm")


def rewritten(source: Path, goal: Path, change: dict[str, Any]) -> None:
    """A copy of a model's file with another head."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(goal, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "model.json":
                data = json.dumps(json.loads(data) | change).encode()
            new.writestr(name, data)


def test_no_python_objects_are_read(tmp_path: Path) -> None:
    path, evil = tmp_path / "model.qmlm", tmp_path / "evil.qmlm"
    save(path, fitted(*MODELS["mean"]))
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            new.writestr(name, buffer.getvalue() if name == "arrays/mean.npy" else old.read(name))
    with pytest.raises(ModelFileError, match="damaged"):
        load(evil)


def test_a_cancelled_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.qmlm"
    save(path, fitted(*MODELS["mean"]))
    before = path.read_bytes()
    with pytest.raises(Cancelled):
        save(path, fitted(*MODELS["local"]), Progress(is_cancelled=lambda: True))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ModelFileError, match="cannot be written"):
        save(tmp_path / "nowhere" / "model.qmlm", fitted(*MODELS["mean"]))
