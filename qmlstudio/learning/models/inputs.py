"""What each model needs to be told of structures: features, numbers of atoms, fingerprints, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.learning.models.base import ModelSpec
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations import Composition, Morgan
from qmlstudio.representations.base import Representation


class UnknownElementsError(ValueError):
    """Structures have elements that a model has never seen.

    Attributes
    ----------
    elements : tuple of str
        Their symbols.
    indices : (k,) int64
        The structures that have any.
    """

    def __init__(self, elements: tuple[str, ...], indices: Any, known: tuple[str, ...]) -> None:
        self.elements = elements
        self.indices = np.asarray(indices, dtype=np.int64)
        first = int(self.indices[0]) + 1 if len(self.indices) else 1
        which = f"structure {first}" if len(self.indices) == 1 else f"{len(self.indices):,} structures ({first}, …)"
        super().__init__(
            f"{which}: {', '.join(elements)} {'is an element' if len(elements) == 1 else 'are elements'} that the "
            f"model has not been trained on; it knows {', '.join(known)}"
        )


def representation_for(spec: ModelSpec, representation: Representation | None) -> Representation | None:
    """What makes the rows that a model learns from: its own choice where it has one, else what is given."""
    if spec.needs == "composition":
        return Composition()
    if spec.needs == "fingerprints":
        return Morgan(radius=int(getattr(spec, "radius", 2)), counts=True)
    return None if spec.needs == "nothing" else representation


def rows_for(
    spec: ModelSpec,
    structures: Structures,
    representation: Representation | None = None,
    species: Species | None = None,
    progress: Progress = SILENT,
    *,
    threads: int | None = None,
) -> Rows:
    """The rows of structures that a model learns from, or predicts for.

    Parameters
    ----------
    representation : Representation, optional
        Needed by models that learn from features.
    species : Species, optional
        Fixes the columns: those of the training set.

    Raises
    ------
    UnknownElementsError
        A structure has an element that `species` lacks.
    ValueError
        No representation, or the structures do not fit its columns.
    """
    if species is not None:
        check_elements(structures, species)
    chosen = representation_for(spec, representation)
    if chosen is None:
        if spec.needs != "nothing":
            raise ValueError(f"{spec.title} learns from features: choose a representation")
        return Rows(np.zeros((len(structures), 0)), sizes=structures.sizes.astype(np.int64))
    return Rows.of(chosen.compute(structures, progress, species=species, threads=threads), structures)


def check_elements(structures: Structures, species: Species) -> None:
    """Raise UnknownElementsError when a structure has an element that `species` lacks."""
    unknown = sorted(set(structures.species.numbers) - set(species.numbers))
    if not unknown:
        return
    strange = np.isin(structures.numbers, unknown)
    owner = np.repeat(np.arange(len(structures)), structures.sizes)
    raise UnknownElementsError(tuple(SYMBOLS[z] for z in unknown), np.unique(owner[strange]), species.symbols)
