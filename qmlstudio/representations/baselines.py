"""Baselines that know the composition or the bonds only: what a better representation has to beat."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress, slices
from qmlstudio.representations.base import (
    Array,
    Contribution,
    Features,
    Layout,
    Panel,
    Representation,
    columns_for,
)

Key = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class Composition(Representation):
    """How many atoms of each element a structure has.

    A linear model of the counts is the dressed-atom baseline: every atom of an element adds the same energy. Positions
    are not looked at.
    """

    name: ClassVar[str] = "composition"
    title: ClassVar[str] = "Composition"
    help: ClassVar[str] = (
        "The number of atoms of each element, or their fractions. A linear model of it gives every atom of an element "
        "the same energy (dressed atoms): the baseline that any representation has to beat. All isomers have the same "
        "row."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"x_Z = \sum_a \delta_{Z_a Z}",
        r"x_Z = \frac{1}{N} \sum_a \delta_{Z_a Z} \quad \mathrm{(fractions)}",
    )
    reference: ClassVar[str] = (
        "for instance K. Hansen et al., J. Chem. Theory Comput. 9, 3404 (2013), doi:10.1021/ct400195d (dressed atoms)"
    )

    values: str = param(
        "counts",
        label="Values",
        choices=(("counts", "numbers of atoms"), ("fractions", "fractions of all atoms")),
        help="Numbers for properties that grow with the molecule, fractions for those per atom.",
    )

    def size(self, species: Species) -> int:
        """One column for each element."""
        return len(species.numbers)

    def labels(self, species: Species) -> list[str]:
        """ "number of C atoms", or "fraction of C atoms"."""
        word = "number" if self.values == "counts" else "fraction"
        return [f"{word} of {symbol} atoms" for symbol in species.symbols]

    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        """See :meth:`Representation.compute`; a structure without atoms has zeros."""
        species = columns_for(structures, species, counts=False)
        array = self._output(structures, species, out, dtype)
        columns, sizes = len(species.numbers), structures.sizes
        place = np.zeros(256, dtype=np.int64)
        place[list(species.numbers)] = np.arange(columns)
        for start, stop in slices(len(structures), progress, self.title, first=20_000):
            first, last = structures.offsets[start], structures.offsets[stop]
            owner = np.repeat(np.arange(stop - start), sizes[start:stop])
            cells = owner * columns + place[np.asarray(structures.numbers[first:last])]
            counts = np.bincount(cells, minlength=(stop - start) * columns).reshape(stop - start, columns)
            per = 1 if self.values == "counts" else np.maximum(sizes[start:stop, None], 1)
            array[start:stop] = counts / per
        return Features(array, self, species)

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars with the elements' symbols."""
        d = len(species.numbers)
        panels = (Panel("atoms of each element", 0, d, names=species.symbols),) if d else ()
        return Layout("panels", (d,), panels=panels)

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """The atoms of the element, each with the same part."""
        if not 0 <= column < len(species.numbers):
            return []
        part = 1.0 if self.values == "counts" else 1.0 / max(len(structure), 1)
        return [Contribution((int(a),), part) for a in np.flatnonzero(structure.numbers == species.numbers[column])]


@dataclass(frozen=True, kw_only=True)
class _Graph(Representation):
    """What follows from the bonds alone, by RDKit. Frames with the same bonds cost one row."""

    @abstractmethod
    def _rows(self) -> Callable[[Key], tuple[Any, Any]]:
        """The function that gives columns and their values (the others are 0) for a graph."""

    @abstractmethod
    def _columns(self) -> int:
        """Number of columns."""

    def size(self, species: Species) -> int:
        """The same for all data sets."""
        return self._columns()

    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        """See :meth:`Representation.compute`; RDKit works on one thread whatever `threads` is.

        Raises ValueError for atoms at the same place (closer than 1e-4 Å) and for coordinates that are not finite.
        """
        species = structures.species if species is None else species
        array = self._output(structures, species, out, dtype)
        check_geometry(structures)
        from qmlstudio.chem.fingerprints import graph_key

        rows, known, most = self._rows(), dict[Key, tuple[Any, Any]](), 20_000
        for start, stop in slices(len(structures), progress, self.title):
            for index in range(start, stop):
                key = graph_key(structures[index])
                if key not in known:
                    if len(known) == most:
                        known.clear()
                    known[key] = rows(key)
                columns, values = known[key]
                row = array[index]
                row[:] = 0.0
                row[columns] = values
        return Features(array, self, species)

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars."""
        return Layout("panels", (self._columns(),), panels=(Panel(self.title, 0, self._columns()),))


@dataclass(frozen=True, kw_only=True)
class Morgan(_Graph):
    """Morgan fingerprint (extended-connectivity, ECFP; with `features` FCFP) of the molecular graph.

    Parameters are named as in RDKit's generator. Hydrogens are counted at their neighbours and are no atoms of their
    own; chirality is not looked at.
    """

    name: ClassVar[str] = "morgan"
    title: ClassVar[str] = "Morgan fingerprint"
    help: ClassVar[str] = (
        "Which circular substructures a molecule has: each atom's surroundings up to a number of bonds are hashed to "
        "a bit. For similarity of molecules and for properties that follow from functional groups. Bonds are "
        "perceived from the geometry (single ones where no bond orders make sense, and in molecules of more than 60 "
        "atoms); conformers have the same row, different substructures may share a bit, and a crystal's cell is "
        "ignored."
    )
    formula: ClassVar[tuple[str, ...]] = (
        r"h^{(0)}_a = \mathrm{hash}(\mathrm{atom}\ a), \quad "
        r"h^{(k)}_a = \mathrm{hash}(h^{(k-1)}_a, \{(\mathrm{bond}_{ab}, h^{(k-1)}_b)\}_{b \sim a})",
        r"x_i = \#\{(a, k \leq r) : h^{(k)}_a\ \mathrm{mod}\ n = i\}, \quad \mathrm{as\ bits}\ \min(x_i, 1)",
    )
    reference: ClassVar[str] = "D. Rogers, M. Hahn, J. Chem. Inf. Model. 50, 742 (2010), doi:10.1021/ci100050t"

    radius: int = param(
        2,
        label="Radius",
        low=0,
        high=6,
        unit="bonds",
        help="How far an atom's surroundings reach: 2 gives ECFP4, 3 ECFP6.",
    )
    n_bits: int = param(
        2048,
        label="Bits",
        choices=((256, "256"), (512, "512"), (1024, "1,024"), (2048, "2,048"), (4096, "4,096")),
        help="Number of columns: the fewer, the more substructures share one.",
    )
    counts: bool = param(
        False,
        label="Count",
        help="How often each substructure occurs instead of whether it does.",
    )
    features: bool = param(
        False,
        label="By role",
        help="Atoms are known by their role (donor, acceptor, aromatic, halogen, acid, base) instead of their element.",
        advanced=True,
    )

    def labels(self, species: Species) -> list[str]:
        """ "bit 1042"."""
        return [f"bit {k}" for k in range(self.n_bits)]

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Every environment that sets the bit, its centre first, each with 1: the counts are their sum."""
        from qmlstudio.chem.fingerprints import graph_key, morgan_environments

        found = morgan_environments(graph_key(structure), self.radius, self.n_bits, self.features)
        return [Contribution(atoms, 1.0) for atoms in found.get(column, [])]

    def _columns(self) -> int:
        return self.n_bits

    def _rows(self) -> Callable[[Key], tuple[Any, Any]]:
        from qmlstudio.chem.fingerprints import morgan

        return lambda key: morgan(key, self.radius, self.n_bits, self.counts, self.features)


@dataclass(frozen=True, kw_only=True)
class Maccs(_Graph):
    """The 166 public MACCS keys as RDKit defines them; column k is key k, column 0 is not used."""

    name: ClassVar[str] = "maccs"
    title: ClassVar[str] = "MACCS keys"
    help: ClassVar[str] = (
        "Answers to 166 questions about a molecule: has it a four-membered ring, a C–N triple bond, more than one "
        "oxygen? Few columns that chemists can read, for quick similarity. Bonds are perceived from the geometry; "
        "conformers have the same row, and a crystal's cell is ignored."
    )
    formula: ClassVar[tuple[str, ...]] = (r"x_k = 1 \ \mathrm{if\ pattern}\ k\ \mathrm{is\ found,\ else}\ 0",)
    reference: ClassVar[str] = (
        "J. L. Durant, B. A. Leland, D. R. Henry, J. G. Nourse, J. Chem. Inf. Comput. Sci. 42, 1273 (2002), "
        "doi:10.1021/ci010132r"
    )

    def labels(self, species: Species) -> list[str]:
        """ "key 8: …" with the pattern as SMARTS."""
        from qmlstudio.chem.fingerprints import maccs_names

        return maccs_names()

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        """Every match of the pattern, each with 1, if there are enough of them to set the bit."""
        from qmlstudio.chem.fingerprints import graph_key, maccs, maccs_matches

        key = graph_key(structure)
        if column not in maccs(key):
            return []
        return [Contribution(atoms, 1.0) for atoms in maccs_matches(key, column)]

    def _columns(self) -> int:
        from qmlstudio.chem.fingerprints import MACCS_BITS

        return MACCS_BITS

    def _rows(self) -> Callable[[Key], tuple[Any, Any]]:
        from qmlstudio.chem.fingerprints import maccs

        def row(key: Key) -> tuple[Any, Any]:
            bits = maccs(key)
            return bits, np.ones(len(bits))

        return row


@dataclass(frozen=True, kw_only=True)
class RdkitDescriptors(_Graph):
    """RDKit's 2-D descriptors.

    Where a descriptor is not defined (partial charges of a metal, anything of no atoms) the column is 0. ``Ipc``, which
    grows exponentially with the molecule, is left out; ``AvgIpc`` is there.
    """

    name: ClassVar[str] = "rdkit_descriptors"
    title: ClassVar[str] = "RDKit descriptors"
    help: ClassVar[str] = (
        "Some 200 numbers of classical cheminformatics: molecular weight, log P, polar surface, topological indices, "
        "counts of functional groups. Columns have very different scales, so standardise them before distances mean "
        "anything. A descriptor that is not defined for a molecule is 0. Bonds are perceived from the geometry; "
        "conformers have the same row, and a crystal's cell is ignored."
    )
    formula: ClassVar[tuple[str, ...]] = (r"x_k = d_k(\mathrm{molecular\ graph})",)
    reference: ClassVar[str] = "RDKit: Open-source cheminformatics, https://www.rdkit.org, doi:10.5281/zenodo.591637"

    def labels(self, species: Species) -> list[str]:
        """RDKit's names."""
        from qmlstudio.chem.fingerprints import descriptor_names

        return list(descriptor_names())

    def layout(self, structure: Structure, species: Species) -> Layout:
        """Bars, descriptors of one kind (and scale) together."""
        names = self.labels(species)
        panels, at = [], 0
        for title, members in groupby(names, _kind):
            own = tuple(members)
            panels.append(Panel(title, at, at + len(own), names=own))
            at += len(own)
        return Layout("panels", (at,), panels=tuple(panels))

    def _columns(self) -> int:
        from qmlstudio.chem.fingerprints import descriptor_names

        return len(descriptor_names())

    def _rows(self) -> Callable[[Key], tuple[Any, Any]]:
        from qmlstudio.chem.fingerprints import descriptors

        every = np.arange(self._columns())
        return lambda key: (every, descriptors(key))


def _kind(name: str) -> str:
    """What a descriptor of RDKit is about, by its name: neighbours in its list with one title share a panel."""
    kinds = (
        ("fr_", "functional groups"),
        ("BCUT2D", "Burden eigenvalues"),
        ("PEOE_VSA", "surface by partial charge"),
        ("SMR_VSA", "surface by refractivity"),
        ("SlogP_VSA", "surface by log P"),
        ("EState_VSA", "surface by E-state"),
        ("VSA_EState", "E-state by surface"),
        ("FpDensity", "fingerprint densities"),
        ("Chi", "connectivity"),
        ("HallKier", "shape"),
        ("Kappa", "shape"),
        ("Phi", "shape"),
        ("MolLogP", "log P and refractivity"),
        ("MolMR", "log P and refractivity"),
        ("LabuteASA", "surface"),
        ("TPSA", "polar surface"),
        ("AvgIpc", "topology"),
        ("Balaban", "topology"),
        ("Bertz", "complexity"),
        ("qed", "drug-likeness"),
        ("SPS", "spatial score"),
        ("Num", "counts"),
        ("Fraction", "counts"),
        ("RingCount", "counts"),
    )
    for start, title in kinds:
        if name.startswith(start):
            return title
    if name.endswith("Count"):
        return "counts"
    if name.endswith("PartialCharge"):
        return "partial charges"
    if name.endswith("EStateIndex"):
        return "E-state"
    return "masses" if "MolWt" in name else "others"


def check_geometry(structures: Structures) -> None:
    """Raise ValueError for coordinates that are not finite and for atoms at the same place."""
    from qmlstudio.representations import _drive

    _drive.check_positions(structures)
    positions: NDArray[np.float64] = np.asarray(structures.positions)
    # atoms at the same place are neighbours in the order of structure and x
    owner = np.repeat(np.arange(len(structures)), structures.sizes)
    order = np.lexsort((positions[:, 0], owner))
    sorted_positions, sorted_owner = positions[order], owner[order]
    step, bad = 1, len(structures)
    while True:
        near = sorted_owner[step:] == sorted_owner[:-step]
        near &= sorted_positions[step:, 0] - sorted_positions[:-step, 0] <= _drive.COINCIDENT
        pairs = np.flatnonzero(near)
        if not len(pairs):
            break
        square = ((sorted_positions[pairs + step] - sorted_positions[pairs]) ** 2).sum(axis=1)
        bad = min(bad, int(sorted_owner[pairs[square <= _drive.COINCIDENT**2]].min(initial=bad)))
        step += 1
    if bad < len(structures):
        raise _drive.coincident(structures, bad)
