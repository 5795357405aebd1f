"""What a series can be made of: representations, kernels and models that go together, with labels of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from qmlstudio import representations
from qmlstudio.learning import kernels, models
from qmlstudio.learning.evaluation.tasks import Task
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.representations.base import Representation
from qmlstudio.session.bench.spec import Series

FINGERPRINTS = ("morgan", "maccs")


def suits(kernel: type[Kernel] | Kernel, representation: Representation | None) -> bool:
    """Whether a kernel compares what a representation makes."""
    if representation is None:
        return False
    if representation.kernel_only:
        return kernel.name == representation.name
    if kernel.name == "fchl18":
        return False
    return (kernel.scope == "local") == representation.local


def kernels_for(representation: Representation | None) -> list[type[Kernel]]:
    """Kernels that can be made without further parts and suit a representation."""
    return [
        k
        for k in kernels.REGISTRY.values()
        if k.name not in ("sum", "product", "normalised") and suits(k, representation)
    ]


def kernel_for(representation: Representation) -> Kernel:
    """The kernel that a representation is mostly used with."""
    known = kernels_for(representation)
    wished = "local_sum" if representation.local else "gaussian"
    if representation.name in FINGERPRINTS:
        wished = "tanimoto"
    elif representation.name in ("coulomb_matrix", "bag_of_bonds", "baml"):
        wished = "laplacian"
    for kernel in known:
        if kernel.name == wished:
            return kernel()
    if not known:
        raise ValueError(f"{representation.title} has no kernel")
    return known[0]()


def kernel_of(model: ModelSpec) -> Kernel | None:
    """The kernel of a model that has one."""
    found = getattr(model, "kernel", None)
    return found if isinstance(found, Kernel) else None


def with_kernel(model: ModelSpec, kernel: Kernel) -> ModelSpec:
    """A model with another kernel."""
    changed: Any = replace(model, kernel=kernel)  # type: ignore[call-arg]
    return changed  # type: ignore[no-any-return]


def fitting(series: Series) -> Series:
    """The series with a kernel that suits its representation, and no representation where none is needed."""
    representation, model = series.representation, series.model
    if model.needs != "rows":
        return series
    if representation is None:
        return series
    kernel = kernel_of(model)
    if kernel is not None and not suits(kernel, representation):
        series = replace(series, model=with_kernel(model, kernel_for(representation)))
    return series


def new_series(representation: Representation, task: Task, taken: Iterable[str]) -> Series:
    """Kernel ridge regression with the kernel that suits a representation."""
    model = with_kernel(models.REGISTRY["kernel_ridge"](), kernel_for(representation))
    return labelled(Series(label="", representation=representation, model=model, task=task), taken)


def baselines(task: Task, taken: Iterable[str]) -> tuple[Series, ...]:
    """What any model must beat: the mean, and the composition."""
    found: list[Series] = []
    names = list(taken)
    for name in ("mean", "composition"):
        if name in models.REGISTRY:
            made = Series(label="", representation=None, model=models.REGISTRY[name](), task=task)
            found.append(labelled(made, names))
            names.append(found[-1].label)
    return tuple(found)


def labelled(series: Series, taken: Iterable[str]) -> Series:
    """The series under a name that says what it is and that no other has."""
    kernel = kernel_of(series.model)
    parts = []
    if series.needs == "rows" and series.representation is not None:
        parts.append(series.representation.title + _changes(series.representation))
    if kernel is not None:
        parts.append(kernel.title)
    if kernel is None or series.model.name != "kernel_ridge":
        parts.append(series.model.title)
    if series.task.baseline:
        parts.append(f"Δ {series.task.baseline}")
    name = " · ".join(parts)
    taken = set(taken)
    label, k = name, 2
    while label in taken:
        label, k = f"{name} ({k})", k + 1
    return replace(series, label=label)


def _changes(representation: Representation) -> str:
    """Parameters that are not the defaults, the first two, in brackets."""
    changed = []
    for p in representation.params():
        value = getattr(representation, p.name)
        if value != p.default and p.shown:
            changed.append(
                str(dict(p.choices).get(value, value))
                if p.choices
                else f"{p.name} {value:g}"
                if isinstance(value, int | float) and not isinstance(value, bool)
                else f"{p.name} {value}"
            )
    return f" ({', '.join(changed[:2])})" if changed else ""


@cache
def _default(name: str) -> tuple[str, Representation]:
    """Title and default parameters; made once, since checking parameters takes a millisecond."""
    made = representations.REGISTRY[name]()
    return (f"{made.title} (per atom)" if made.local else made.title), made


def all_representations(present: Representation) -> list[tuple[str, Representation]]:
    """(title, representation) of all registered ones, the present one with its parameters first."""
    found = [(f"present: {present.title}", present)]
    found += [_default(name) for name in representations.REGISTRY]
    return found
