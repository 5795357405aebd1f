"""The enumeration as a stream: graphs, skeletons, molecules, stereoisomers, geometries, each stage counted."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.enumeration import graphs as graph_module
from qmlstudio.chem.enumeration.filters import GRAPH_FILTERS, SKELETON_FILTERS, Filter
from qmlstudio.chem.enumeration.geometry import LEAST_VOLUME, NoGeometryError, geometry
from qmlstudio.chem.enumeration.graphs import COUNTS, Graphs
from qmlstudio.chem.enumeration.molecules import (
    HIGHER,
    NITRO,
    USUAL,
    Elements,
    MoleculeMaker,
    Skeleton,
    fillings,
    skeletons,
)
from qmlstudio.chem.enumeration.patterns import PATTERN_FILTERS
from qmlstudio.chem.enumeration.screens import masks, present
from qmlstudio.chem.enumeration.shapes import Shape
from qmlstudio.chem.enumeration.stereo import stereoisomers
from qmlstudio.parameters import Parameterised, param
from qmlstudio.progress import SILENT, Progress

FILTERS: tuple[Filter, ...] = (*GRAPH_FILTERS, *SKELETON_FILTERS, *PATTERN_FILTERS)
"""All filters in the order in which they are asked."""
CHECKS = (
    ("embedding", "No geometry found", "distance geometry finds no place for the atoms: the isomer is impossible"),
    ("bonds", "Other bonds", "in the relaxed geometry other atoms are neighbours than in the molecule"),
    ("strain", "Flat tetrahedra", "the bonds of a saturated carbon span too small a tetrahedron"),
    ("isomer", "Other isomer", "the relaxed geometry is that of another stereoisomer"),
)
"""Name, title and reason of what is checked of a geometry."""
GROWTH = 9.0
"""How many times more work one more heavy atom makes, roughly: for the progress."""
SHUFFLED = 10
"""Atoms up to which the graphs of a size are taken in random order, so that progress is even."""
_TOKEN = re.compile(r"([A-Z][a-z]?)(?:(\d+)?(-)?(\d+)?)?")


@dataclass(frozen=True, kw_only=True)
class Enumeration(Parameterised):
    """What is to be enumerated."""

    name: ClassVar[str] = "enumeration"
    title: ClassVar[str] = "Enumeration of molecules"

    n_heavy: int = param(
        6, label="Heavy atoms, at most", low=1, high=13, help="each one more makes about nine times more molecules"
    )
    smallest: int = param(1, label="Heavy atoms, at least", low=1, high=13)
    elements: str = param(
        "C N O",
        label="Elements",
        shown=False,
        help="of C N O F S Cl Br I P Si B; with bounds on their number: C1-6 N0-2 O-1 F2",
    )
    unsaturation: int | None = param(
        None, label="Double bonds, at most", low=0, high=20, none_label="any", help="a triple bond counts twice"
    )
    rings: int | None = param(None, label="Rings, at most", low=0, high=20, none_label="any")
    higher_valences: bool = param(
        False, label="Higher valences", help="S(IV), S(VI) and P(V) with their double bonds to oxygen", advanced=True
    )
    nitro: bool = param(False, label="Nitro groups", help="the only group with charges that is made", advanced=True)
    without: str = param("", label="Filters switched off", help="names, with commas; “all” for none", shown=False)
    stereo: bool = param(False, label="Stereoisomers", help="all of each molecule; both mirror images")
    most_isomers: int = param(
        64, label="Isomers of a molecule, at most", low=1, high=4096, advanced=True, help="the rest is left out"
    )
    geometry: bool = param(
        False, label="Geometries", help="ETKDGv3 and MMFF94, then checked; some 10 ms for each isomer"
    )
    volume: float = param(
        LEAST_VOLUME,
        label="Least tetrahedron",
        unit="Å³",
        low=0.0,
        high=0.513,
        step=0.01,
        advanced=True,
        help="spanned by the four bonds of a carbon when they are 1 Å long; 0.513 is ideal",
    )
    seed: int = param(42, label="Seed", low=0, high=2**31 - 1, advanced=True, help="of the geometries")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smallest > self.n_heavy:
            raise ValueError(f"smallest: {self.smallest} is above {self.n_heavy}, the number of heavy atoms")
        parse_elements(self.elements)
        known = {f.name for f in FILTERS}
        if unknown := sorted(self._off - known - {"all"}):
            raise ValueError(f"without: there is no filter {', '.join(unknown)}; there are {', '.join(sorted(known))}")

    @property
    def _off(self) -> set[str]:
        return {word for word in self.without.replace(",", " ").split() if word}

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Those that are on, in order."""
        off = self._off
        if "all" in off:
            return ()
        return tuple(f for f in FILTERS if (f.name not in off) and f.on)

    def atoms(self) -> Elements:
        """The kinds of atoms that may be used."""
        bounds = parse_elements(self.elements)
        kinds = [USUAL[symbol] for symbol in bounds]
        if self.higher_valences:
            kinds += [kind for kind in HIGHER if kind.symbol in bounds]
        if self.nitro and "N" in bounds and "O" in bounds:
            kinds.append(NITRO)
        least = {s: low for s, (low, _) in bounds.items() if low}
        most = {s: high for s, (_, high) in bounds.items() if high is not None}
        return Elements(tuple(kinds), least, most)


def parse_elements(text: str) -> dict[str, tuple[int, int | None]]:
    """Least and most number (None: any) of each element in ``"C1-6 N0-2 O-1 F2 S"``.

    Raises
    ------
    ValueError
        With the reason.
    """
    found: dict[str, tuple[int, int | None]] = {}
    for word in text.replace(",", " ").split():
        match = _TOKEN.fullmatch(word)
        if match is None:
            raise ValueError(f"elements: {word!r} is no element with bounds; write C1-6 N0-2 O")
        symbol, low, dash, high = match.groups()
        if symbol not in USUAL:
            raise ValueError(f"elements: {symbol} is none of {' '.join(USUAL)}")
        if symbol in found:
            raise ValueError(f"elements: {symbol} stands there twice")
        least = int(low or 0)
        most = int(high) if high else None if dash or low is None else least
        if most is not None and most < least:
            raise ValueError(f"elements: {word} leaves nothing")
        found[symbol] = (least, most)
    if not found:
        raise ValueError("elements: none is given")
    return found


@dataclass(frozen=True)
class Stage:
    """One bar of the funnel.

    Attributes
    ----------
    name, title, reason : str
    removes : bool
        A filter (its count is what it left out), or something that is made (its count is how many).
    """

    name: str
    title: str
    reason: str
    removes: bool


def stages(spec: Enumeration) -> tuple[Stage, ...]:
    """The stages of an enumeration in order."""
    by = {level: [f for f in spec.filters if f.level == level] for level in ("graph", "skeleton", "molecule")}
    found: list[Stage] = []
    for name, title, reason, level in (
        ("graphs", "Graphs", "connected, at most four neighbours", "graph"),
        ("skeletons", "With bond orders", "hydrocarbon skeletons", "skeleton"),
        ("molecules", "With elements", "all that the valences allow", "molecule"),
    ):
        found.append(Stage(name, title, reason, False))
        found += [Stage(f.name, f.title, f.reason, True) for f in by[level]]
    found.append(Stage("unique", "Unique molecules", "Kekulé forms of one molecule counted once", False))
    if spec.stereo:
        found.append(Stage("isomers", "Stereoisomers", "mirror images are two", False))
    if spec.geometry:
        found.append(Stage("geometries", "Geometries", "ETKDGv3 and MMFF94, checked", False))
        found += [Stage(name, title, reason, True) for name, title, reason in CHECKS]
    return tuple(found)


@dataclass
class Counts:
    """How many came to each stage: ``counts[size, stage]``, and how far the work is.

    Attributes
    ----------
    counts : Counter of (int, str)
        By number of heavy atoms and name of the stage.
    """

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)

    def add(self, size: int, stage: str, number: int = 1) -> None:
        """Count."""
        self.counts[size, stage] += number

    def total(self, stage: str) -> int:
        """Of all sizes."""
        return sum(number for (_, name), number in self.counts.items() if name == stage)

    def of_size(self, size: int, stage: str) -> int:
        """Of one number of heavy atoms."""
        return self.counts[size, stage]

    def merge(self, others: dict[tuple[int, str], int]) -> None:
        """Add what was counted elsewhere."""
        self.counts.update(others)


@dataclass(frozen=True, eq=False)
class Molecule:
    """What comes out.

    Attributes
    ----------
    smiles : str
        Canonical; with stereochemistry if that was asked for.
    parent : str
        Canonical, without stereochemistry.
    size : int
        Heavy atoms.
    graph : int
        Position of its graph among those of its size, for the order.
    numbers, positions : arrays or None
        (N,) atomic numbers and (N, 3) Å, if geometries were asked for.
    """

    smiles: str
    parent: str
    size: int
    graph: int
    numbers: NDArray[np.uint8] | None = None
    positions: NDArray[np.float64] | None = None


@lru_cache(maxsize=256)
def _query(smarts: str) -> Any:
    from rdkit import Chem

    query = Chem.MolFromSmarts(smarts)
    if query is None:
        raise ValueError(f"{smarts} is no SMARTS")
    return query


class Machine:
    """Takes graphs, gives molecules; holds what one enumeration needs again and again."""

    def __init__(self, spec: Enumeration, counts: Counts | None = None) -> None:
        self.spec = spec
        self.counts = Counts() if counts is None else counts
        self.elements = spec.atoms()
        self._on_graphs = [f for f in GRAPH_FILTERS if f in spec.filters]
        self._on_skeletons = [f for f in SKELETON_FILTERS if f in spec.filters]
        self._on_molecules = [f for f in PATTERN_FILTERS if f in spec.filters]

    @cached_property
    def _queries(self) -> list[tuple[str, Any, tuple[int, ...]]]:
        """Name of the filter, pattern, and what its bonds ask for, in order."""
        return [(f.name, query, masks(query)) for f in self._on_molecules for query in map(_query, f.smarts)]

    def skeletons(self, graph: NDArray[np.uint16]) -> list[Skeleton]:
        """The skeletons of a graph that pass the filters of graphs and skeletons."""
        size, add = len(graph), self.counts.add
        add(size, "graphs")
        shape = Shape(graph)
        for graph_filter in self._on_graphs:
            if graph_filter.rejects(shape):
                add(size, graph_filter.name)
                return []
        if self.spec.rings is not None and shape.rings > self.spec.rings:
            return []
        if not self.elements.may_fit(size):
            return []
        passed = []
        for skeleton in skeletons(graph, self.elements.highest, self.spec.unsaturation):
            add(size, "skeletons")
            for skeleton_filter in self._on_skeletons:
                if skeleton_filter.rejects(skeleton, shape):
                    add(size, skeleton_filter.name)
                    break
            else:
                passed.append(skeleton)
        return passed

    def molecules(self, graph: NDArray[np.uint16], progress: Progress = SILENT) -> Iterator[str]:
        """Canonical SMILES of the molecules over a graph that pass all filters, each once."""
        from rdkit.Chem import MolToSmiles

        size, seen = len(graph), set[str]()
        for skeleton in self.skeletons(graph):
            maker = None
            for block in fillings(skeleton, self.elements):
                self.counts.add(size, "molecules", len(block))
                maker = maker or MoleculeMaker(skeleton, self.elements)
                bits = present(skeleton, block, self.elements).tolist()
                for k, row in enumerate(block.tolist()):
                    if k % 32 == 0:
                        progress.check()
                    molecule = maker.molecule(row)
                    name = self.rejected(molecule, bits[k])
                    if name:
                        self.counts.add(size, name)
                        continue
                    text = MolToSmiles(molecule)
                    if text not in seen:
                        seen.add(text)
                        self.counts.add(size, "unique")
                        yield text

    def rejected(self, molecule: Any, bits: int = -1) -> str:
        """The name of the first pattern filter that leaves a molecule out, or "".

        Parameters
        ----------
        bits : int
            Of its bonds, from :func:`~qmlstudio.chem.enumeration.screens.present`; -1 when they are not known.
        """
        for name, query, asked in self._queries:
            for mask in asked:
                if not bits & mask:
                    break
            else:
                if molecule.HasSubstructMatch(query):
                    return name
        return ""

    def finished(self, smiles: str, size: int, graph: int, progress: Progress = SILENT) -> Iterator[Molecule]:
        """The stereoisomers and geometries of a molecule, as far as they are asked for."""
        from rdkit.Chem import MolFromSmiles

        spec, isomers = self.spec, [smiles]
        if spec.stereo:
            isomers = stereoisomers(MolFromSmiles(smiles), spec.most_isomers)
            self.counts.add(size, "isomers", len(isomers))
        for isomer in isomers:
            progress.check()
            if not spec.geometry:
                yield Molecule(isomer, smiles, size, graph)
                continue
            self.counts.add(size, "geometries")
            try:
                numbers, positions = geometry(isomer, spec.seed, spec.volume)
            except NoGeometryError as error:
                self.counts.add(size, error.stage)
                continue
            yield Molecule(isomer, smiles, size, graph, numbers, positions)


def enumerate_molecules(
    spec: Enumeration,
    counts: Counts | None = None,
    progress: Progress = SILENT,
    share: tuple[int, int] = (0, 1),
    program: str | None = None,
) -> Iterator[Molecule]:
    """All molecules of an enumeration as a stream, small ones first.

    Memory is bounded by one graph's molecules. The geometry of one molecule may take seconds: who must not wait for
    that computes in another process.

    Parameters
    ----------
    counts : Counts, optional
        Is updated on the way.
    share : (k, m)
        Only every m-th graph from the k-th on: for m processes.
    program : str, optional
        nauty's ``geng``; "" for none; None for the installed one.
    """
    machine = Machine(spec, counts)
    place, m = share
    weights = [GROWTH**n for n in range(1, spec.n_heavy + 1)]
    whole = sum(weights[spec.smallest - 1 :])
    before: Counter[int] = Counter()
    for block in graph_module.graphs(spec.n_heavy, progress=_quiet(progress), program=program):
        size = block.shape[1]
        if size < spec.smallest:
            continue
        start = before[size]
        before[size] += len(block)
        order = np.arange(len(block))
        if size <= SHUFFLED:
            random.Random(size).shuffle(order)  # type: ignore[arg-type]
        count = max(COUNTS[size - 1] if size <= len(COUNTS) else before[size], before[size])
        base = sum(weights[spec.smallest - 1 : size - 1]) / whole
        span = weights[size - 1] / whole
        message = f"Molecules of {size} heavy atoms"
        for k, position in enumerate(order.tolist()):
            if (start + k) % m != place:
                continue
            progress(base + span * (start + k) / count, message)
            for smiles in machine.molecules(block[position], progress):
                yield from machine.finished(smiles, size, start + position, progress)
    progress(1.0, "done")


def _quiet(progress: Progress) -> Progress:
    """Cancels as `progress` does, and reports nothing: the graphs' own fraction is not that of the whole."""

    def is_cancelled() -> bool:
        progress.check()
        return False

    return Progress(is_cancelled=is_cancelled)


@dataclass(frozen=True)
class Sample:
    """Some molecules of the largest size, and what all of it would be.

    Attributes
    ----------
    molecules : tuple of str
        Canonical SMILES. Graphs were taken at random, not molecules: the sample shows what there is, no statistic.
    made, kept : float
        Estimated number of molecules of the largest size before the groups' filters, and after all of them.
    seconds : float
        Estimated time for all sizes on one processor, without stereoisomers and geometries.
    error : float
        Relative standard error of `kept`.
    """

    molecules: tuple[str, ...]
    made: float
    kept: float
    seconds: float
    error: float


def sample(
    spec: Enumeration, number: int = 200, seconds: float = 4.0, progress: Progress = SILENT, program: str | None = None
) -> Sample:
    """Enumerate over graphs of the largest size taken at random, for so many molecules and so many seconds."""
    block: Graphs = np.zeros((0, spec.n_heavy), np.uint16)
    for found in graph_module.graphs(spec.n_heavy, progress=_quiet(progress), program=program):
        if found.shape[1] == spec.n_heavy:
            block = np.concatenate([block, found])
    rng = random.Random(spec.seed)
    order = list(range(len(block)))
    rng.shuffle(order)
    machine = Machine(spec)
    shown: list[str] = []
    began = time.monotonic()
    spent: list[float] = []
    kept: list[int] = []
    per_graph = max(4, number // 12)
    for position in order:
        start = time.monotonic()
        progress(min(1.0, (start - began) / seconds), f"Some molecules of {spec.n_heavy} heavy atoms")
        mine = list(machine.molecules(block[position], progress))
        rng.shuffle(mine)
        shown += mine[:per_graph]
        kept.append(len(mine))
        spent.append(time.monotonic() - start)
        if time.monotonic() - began > seconds and (len(shown) >= number or time.monotonic() - began > 4 * seconds):
            break
    rng.shuffle(shown)
    factor = len(block) / max(len(kept), 1)
    smaller = sum(GROWTH**-k for k in range(spec.n_heavy - spec.smallest + 1))
    total = float(sum(kept))
    deviation = float(np.std(kept)) * len(kept) ** 0.5 if len(kept) > 1 else total
    left = 1.0 - len(kept) / max(len(block), 1)
    return Sample(
        tuple(shown[:number]),
        machine.counts.total("molecules") * factor,
        total * factor,
        sum(spent) * factor * smaller,
        left * deviation / total if total else 0.0,
    )
