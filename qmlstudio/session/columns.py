"""Every column that has one value for each structure: the data set's own, composition, and what was computed later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.elements import SYMBOLS
from qmlstudio.session.added import Added

N_ATOMS, N_HEAVY = "n_atoms", "n_heavy"
_PIECE = 1 << 17


class Columns(Mapping[str, Property]):
    """The columns by name; what follows from the composition is made when somebody asks for it, once.

    Names in the order in which people look for them: the file's own properties, those that were added to them, then
    derived ones ("cluster"), then ``n_atoms``, ``n_heavy`` and the number of atoms of each element (``n_C``). An added
    property stands in place of an own one of the same name (its unit was corrected); an own property hides a derived
    one, and both hide the composition's.

    Parameters
    ----------
    dataset : Dataset
    derived : mapping of str to Property
        One value for each structure.
    added : tuple of AddedColumn
        The session's; those with a value for each atom are left out.

    Raises
    ------
    ValueError
        A derived column has another length than the data set.
    """

    def __init__(self, dataset: Dataset, derived: Mapping[str, Property] | None = None, added: Added = ()) -> None:
        self._dataset = dataset
        self._added = added
        self._own = {k: p for k, p in dataset.per_structure.items() if p.values.ndim == 1}
        self._own |= {c.name: c.values for c in added if c.values.target == "structure"}
        self._derived = {k: p for k, p in (derived or {}).items() if k not in self._own}
        for name, p in (*self._own.items(), *self._derived.items()):
            if p.values.shape != (len(dataset),):
                raise ValueError(f"column {name!r} has shape {p.values.shape} for {len(dataset)} structures")
        makers: dict[str, Callable[[], Property]] = {
            N_ATOMS: self._sizes,
            N_HEAVY: self._heavy,
        }
        for number in dataset.structures.species.numbers:
            makers[f"n_{SYMBOLS[int(number)]}"] = partial(self._count, int(number))
        self._makers = {k: make for k, make in makers.items() if k not in self._own and k not in self._derived}
        self._made: dict[str, Property] = {}
        self._order = (*self._own, *self._derived, *self._makers)

    def with_derived(self, derived: Mapping[str, Property]) -> Columns:
        """The columns with other derived ones; what was made of the composition is kept."""
        new = Columns(self._dataset, derived, self._added)
        new._made = self._made
        return new

    @property
    def added(self) -> Added:
        """The session's columns that stand among the own ones."""
        return self._added

    @property
    def dataset(self) -> Dataset:
        """The data set that they belong to."""
        return self._dataset

    def __getitem__(self, name: str) -> Property:
        found = self._own.get(name) or self._derived.get(name)
        if found is not None:
            return found
        if name not in self._makers:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._derived or name in self._makers

    def names(self, composition: bool = True) -> tuple[str, ...]:
        """All names, or without those that follow from the composition."""
        return self._order if composition else (*self._own, *self._derived)

    def numeric(self, composition: bool = True) -> tuple[str, ...]:
        """Names of the columns of numbers."""
        return tuple(k for k in self.names(composition) if k in self._makers or not self[k].is_text)

    def texts(self) -> tuple[str, ...]:
        """Names of the columns of texts."""
        return tuple(k for k in (*self._own, *self._derived) if self[k].is_text)

    # -- what follows from the composition

    def _sizes(self) -> Property:
        return Property(self._dataset.structures.sizes.astype(np.float64), description="number of atoms")

    def _heavy(self) -> Property:
        return Property(self._per_structure(lambda numbers: numbers > 1), description="atoms beside hydrogen")

    def _count(self, number: int) -> Property:
        counted = self._per_structure(lambda numbers: numbers == number)
        return Property(counted, description=f"number of {SYMBOLS[number]} atoms")

    def _per_structure(self, test: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]) -> NDArray[np.float64]:
        """How many atoms of each structure pass a test; structures without atoms are legal.

        Piece by piece: flags and running sums of all atoms would take many times the memory of the result.
        """
        structures = self._dataset.structures
        result = np.empty(len(structures))
        for start in range(0, len(structures), _PIECE):
            bounds = structures.offsets[start : start + _PIECE + 1]
            flags = test(structures.numbers[bounds[0] : bounds[-1]])
            running = np.zeros(len(flags) + 1, np.int64)
            np.cumsum(flags, out=running[1:])
            places = bounds - bounds[0]
            result[start : start + len(bounds) - 1] = running[places[1:]] - running[places[:-1]]
        return result
