"""Local kernels in tiles: blocks of structures, the columns of the features in which they can differ, threads.

The matrix of atoms × atoms never exists: a task takes a block of structures with another one, makes the similarities of
their atoms in tiles that stay in the second cache, element by element, and adds them up into its part of the matrix.
Products need only the columns that are not zero on either side: structures are sorted by the elements they consist of,
so that a block of hydrocarbons leaves out what belongs to oxygen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning._threads import team, thread_count
from qmlstudio.learning.kernels import _local_loops as loops
from qmlstudio.learning.kernels import _match_loops as matching
from qmlstudio.learning.rows import Rows
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KINDS = {
    "gaussian": loops.GAUSSIAN,
    "laplacian": loops.LAPLACIAN,
    "matern-1/2": loops.MATERN_1,
    "matern-3/2": loops.MATERN_3,
    "matern-5/2": loops.MATERN_5,
    "dot": loops.DOT,
}
TILE = (192, 384)
"""Rows and columns of a tile: with what a product reads it fits the second cache."""
BLOCK_ATOMS = 2400
"""Atoms of a block of structures, of which a task takes two."""
MATCH_ATOMS = 400
"""The same where all atoms of a structure must be seen at once."""
DIAGONAL_ATOMS = 96
PANEL = 2048
"""Rows that are gathered together: bounds the memory where one structure has more atoms than a block."""
SPARSE_ATOMS = 512
"""Fewer atoms than this on one side are not worth a look at which columns the other side leaves empty."""
FEW_ATOMS = 64
"""So few atoms on one side that reading the other side once is all the work there is: it is not sorted then."""
NEAR = 1e-5
"""Squared distances below this part of the squared norms are made from differences where a root follows."""
CANCELS = 1e3
"""Squared norms over σ² from which the mean is subtracted, for the figures that a product's difference loses."""
STEP_ATOMS = 2_000_000
"""Pairs of atoms that a matching loop looks at between two checks for a cancel."""


@dataclass(frozen=True)
class Inner:
    """The similarity of two atoms.

    Attributes
    ----------
    kind : str
        Key of KINDS.
    sigma : float
        NaN where there is none ("dot").
    zeta : int
        Power of "dot".
    """

    kind: str
    sigma: float
    zeta: int

    @property
    def is_product(self) -> bool:
        """Whether it comes from products of rows (columns that one side lacks do not count)."""
        return self.kind != "laplacian"

    @property
    def may_shift(self) -> bool:
        """Whether only differences of rows matter."""
        return self.kind not in ("dot", "laplacian")

    def measure(self, a: Array, b: Array, halves: tuple[Floats, Floats], tile: Array) -> None:
        """Fill a tile (p, q) with what :meth:`similarities` begins with, for rows (p, c) and (q, c)."""
        if self.kind == "laplacian":
            loops.city_block(a, b, tile)
            return
        np.matmul(a, b.T, out=tile)
        if self.kind.startswith("matern"):
            loops.squares(tile, a, b, *halves, NEAR)

    def similarities(self, tile: Array, halves: tuple[Floats, Floats], out: Array) -> None:
        """Turn a measured tile into similarities, in `out`, which may be the tile."""
        if self.kind == "gaussian":
            loops.gaussian(tile, out, *halves, self.sigma)
        elif self.kind == "dot":
            loops.cosine_power(tile, out, *halves, self.zeta)
        else:
            loops.decay(KINDS[self.kind], tile, out, self.sigma)


@dataclass(frozen=True, eq=False)
class Block:
    """Some structures and their atoms by element.

    Attributes
    ----------
    structures : (s,) int64
    rows : dict of int to (p,) int64
        Element → rows of its atoms, those of the first structure first.
    places : dict of int to (p,) int64
        Element → to which of the `structures` each row belongs (0 … s − 1).
    there : dict of int to (d,) bool
        Element → columns that are not zero throughout; empty where nobody looked.
    atoms : int
    """

    structures: Integers
    rows: dict[int, Integers]
    places: dict[int, Integers]
    there: dict[int, NDArray[np.bool_]]
    atoms: int


class Side:
    """One of the two sets of a kernel matrix, in blocks.

    Parameters
    ----------
    rows : Rows
        Local.
    match : bool
        Whether elements are told apart; if not, all atoms count as of element 0.
    block_atoms : int
    """

    def __init__(self, rows: Rows, match: bool, block_atoms: int, progress: Progress) -> None:
        if rows.offsets is None:
            raise ValueError("a local kernel needs a row of features for each atom")
        self.array = np.asarray(rows.array)
        self.offsets = np.ascontiguousarray(rows.offsets, dtype=np.int64)
        self.counts = np.diff(self.offsets)
        atoms = len(self.array)
        if match:
            if rows.numbers is None:
                raise ValueError("these features do not have a row for every atom: switch off that elements must match")
            self.codes = np.asarray(rows.numbers, dtype=np.int64)
        else:
            self.codes = np.zeros(atoms, dtype=np.int64)
        self.half_norms = half_norms(self.array, progress)
        self.owners = owners_of(rows)
        order, keys = self._sorted()
        self.blocks = []
        for start, stop in self._bounds(order, keys, block_atoms):
            progress.check()
            self.blocks.append(self._block(order[start:stop]))

    def __len__(self) -> int:
        return len(self.counts)

    def _sorted(self) -> tuple[Integers, NDArray[np.uint64]]:
        """Structures in the order of the elements they have, rare ones last, and a key of these elements."""
        keys = np.zeros(len(self.counts), dtype=np.uint64)
        found, counts = np.unique(self.codes, return_counts=True)
        for rank, code in enumerate(found[np.argsort(-counts, kind="stable")][:60].tolist()):
            keys[np.unique(self.owners[self.codes == code])] |= np.uint64(1 << rank)
        order = np.argsort(keys, kind="stable").astype(np.int64)
        return order, keys[order]

    def _bounds(self, order: Integers, keys: NDArray[np.uint64], block_atoms: int) -> list[tuple[int, int]]:
        """Where blocks begin and end: when they are full, or for other elements when they are a quarter full."""
        sizes, new = self.counts[order].tolist(), np.r_[False, keys[1:] != keys[:-1]].tolist()
        bounds, start, atoms = [], 0, 0
        for k, size in enumerate(sizes):
            if k > start and (atoms + size > block_atoms or (new[k] and 4 * atoms >= block_atoms)):
                bounds.append((start, k))
                start, atoms = k, 0
            atoms += size
        if start < len(sizes):
            bounds.append((start, len(sizes)))
        return bounds

    def _block(self, structures: Integers) -> Block:
        counts = self.counts[structures]
        ends = np.cumsum(counts)
        rows = np.repeat(self.offsets[structures] - (ends - counts), counts) + np.arange(counts.sum())
        places = np.repeat(np.arange(len(structures)), counts)
        codes = self.codes[rows]
        found = np.unique(codes).tolist()
        which = {code: np.flatnonzero(codes == code) for code in found}
        return Block(
            structures,
            {code: np.ascontiguousarray(rows[at]) for code, at in which.items()},
            {code: np.ascontiguousarray(places[at]) for code, at in which.items()},
            {},
            int(counts.sum()),
        )

    def look_at_columns(self, progress: Progress) -> None:
        """Note which columns each block's elements use."""
        for block in self.blocks:
            progress.check()
            for code, rows in block.rows.items():
                there = np.zeros(self.array.shape[1], dtype=np.bool_)
                loops.mark_columns(self.array, rows, there)
                block.there[code] = there


def half_norms(array: Array, progress: Progress, origin: Floats | None = None) -> Floats:
    """Half the squared norm of each row, of its distance from `origin`; ValueError where a row is not finite."""
    found = np.empty(len(array))
    step = max(1, 2**21 // max(array.shape[1], 1))
    for start in range(0, len(array), step):
        progress.check()
        part = array[start : start + step] if origin is None else array[start : start + step] - origin
        part = part.astype(np.float64, copy=False)
        found[start : start + step] = 0.5 * np.einsum("ij,ij->i", part, part)
    if not np.isfinite(found).all():
        raise ValueError(f"the features of atom {int(np.argmin(np.isfinite(found)))} are not finite")
    return found


class Pairs:
    """Two sides and the similarity of atoms: what all local kernels work on.

    Parameters
    ----------
    a, b : Rows
        Without `b` the matrix is symmetric, and half of it is computed.
    inner : Inner
    match : bool
        Whether elements must be the same.
    dtype : float64 or float32
        Of the products.
    block_atoms : int
    """

    def __init__(
        self,
        a: Rows,
        b: Rows | None,
        inner: Inner,
        match: bool,
        dtype: Any = np.float64,
        block_atoms: int = BLOCK_ATOMS,
        progress: Progress = SILENT,
    ) -> None:
        self.inner, self.match, self.dtype = inner, match, np.dtype(dtype)
        self.symmetric = b is None
        self.a = Side(a, match, block_atoms, progress)
        self.b = self.a if b is None else Side(b, match, block_atoms, progress)
        self.width = a.array.shape[1]
        self.every = np.arange(self.width, dtype=np.int64)
        self.origin = np.zeros(self.width)
        self.half_a, self.half_b = self.a.half_norms, self.b.half_norms
        if inner.may_shift and max(self.half_a.max(initial=0.0), self.half_b.max(initial=0.0)) > (
            CANCELS * inner.sigma**2
        ):
            self._shift(progress)
        elif min(len(self.a.array), len(self.b.array)) >= SPARSE_ATOMS:
            for side in {id(self.a): self.a, id(self.b): self.b}.values():
                side.look_at_columns(progress)

    def _shift(self, progress: Progress) -> None:
        """Subtract the mean: what remains of products of large rows is their difference."""
        total, count = np.zeros(self.width), 0
        step = max(1, 2**21 // max(self.width, 1))
        for side in (self.a, self.b):
            for start in range(0, len(side.array), step):
                progress.check()
                total += side.array[start : start + step].sum(axis=0, dtype=np.float64)
            count += len(side.array)
        self.origin = total / max(count, 1)
        self.half_a = half_norms(self.a.array, progress, self.origin)
        self.half_b = self.half_a if self.symmetric else half_norms(self.b.array, progress, self.origin)

    def columns(self, mine: Block, theirs: Block, code: int) -> Integers:
        """Which columns the similarities of two blocks' atoms of an element depend on."""
        one, other = mine.there.get(code), theirs.there.get(code)
        if one is None or other is None:
            return self.every
        return np.flatnonzero(one & other if self.inner.is_product else one | other)

    def all_columns(self, mine: Block, theirs: Block) -> Integers:
        """The same for the atoms of all elements together."""
        if not mine.there or not theirs.there:
            return self.every
        one = np.logical_or.reduce(list(mine.there.values()))
        other = np.logical_or.reduce(list(theirs.there.values()))
        return np.flatnonzero(one & other if self.inner.is_product else one | other)

    def gathered(self, side: Side, rows: Integers, columns: Integers) -> Array:
        """(p, c) the rows as the products want them."""
        out = np.empty((len(rows), len(columns)), dtype=self.dtype)
        loops.gather(side.array, rows, columns, self.origin, out)
        return out


def drive(
    work: Callable[[Any, Callable[[], None]], None],
    tasks: Sequence[tuple[float, Any]],
    progress: Progress,
    threads: int | None,
    message: str,
) -> None:
    """Do (cost, task) after another on some threads; the calling one reports. `work` gets the check for a cancel."""
    total, done = sum(cost for cost, _ in tasks) or 1.0, 0.0
    waiting, lock = iter(tasks), threading.Lock()
    progress(0.0, message)

    def loop(first: int) -> None:
        nonlocal done
        while True:
            with lock:
                cost, task = next(waiting, (0.0, None))
            if task is None:
                return
            work(task, progress.check)
            with lock:
                done += cost
            if first == 0:
                progress(done / total, message)

    count = min(thread_count(threads), max(len(tasks), 1))
    with team(count) as members:
        members.run(loop, list(range(count)))
    progress(1.0, message)


def pairs_of_blocks(pairs: Pairs) -> list[tuple[float, tuple[Block, Block]]]:
    """Each block with each, or only with itself and the later ones; the dear ones first, so that threads end alike."""
    found = []
    for i, mine in enumerate(pairs.a.blocks):
        for theirs in pairs.b.blocks[i if pairs.symmetric else 0 :]:
            found.append((float(mine.atoms * theirs.atoms * (0.5 if mine is theirs else 1.0) + 1.0), (mine, theirs)))
    return sorted(found, key=lambda task: -task[0])


def block_sums(
    pairs: Pairs, inners: Sequence[Inner], mine: Block, theirs: Block, upper: bool, check: Callable[[], None]
) -> Floats:
    """(k, s, t) sums over the atoms of two blocks' structures, for kernels that differ in their widths only.

    `upper`: both are the same block, and what is below the diagonal is taken from above it.
    """
    found = np.zeros((len(inners), len(mine.structures), len(theirs.structures)))
    buffer, second = np.empty(TILE[0] * TILE[1], pairs.dtype), np.empty(TILE[0] * TILE[1], pairs.dtype)
    if len(inners) == 1:
        second = buffer
    for code, rows in mine.rows.items():
        others = theirs.rows.get(code)
        if others is None:
            continue
        columns = pairs.columns(mine, theirs, code)
        places, other_places = mine.places[code], theirs.places[code]
        for top in range(0, len(rows), PANEL):
            a = pairs.gathered(pairs.a, rows[top : top + PANEL], columns)
            for left in range(0, len(others), PANEL):
                if upper and other_places[min(left + PANEL, len(others)) - 1] < places[top]:
                    continue
                same = upper and left == top
                b = a if same else pairs.gathered(pairs.b, others[left : left + PANEL], columns)
                for i in range(0, len(a), TILE[0]):
                    rows_i = rows[top + i : top + min(i + TILE[0], len(a))]
                    mine_i = places[top + i : top + i + len(rows_i)]
                    begin = int(np.searchsorted(other_places[left : left + len(b)], mine_i[0])) if upper else 0
                    for j in range(begin, len(b), TILE[1]):
                        check()
                        stop = min(j + TILE[1], len(b))
                        theirs_j = other_places[left + j : left + stop]
                        halves = pairs.half_a[rows_i], pairs.half_b[others[left + j : left + stop]]
                        shape = (len(rows_i), stop - j)
                        tile = buffer[: shape[0] * shape[1]].reshape(shape)
                        inners[0].measure(a[i : i + shape[0]], b[j:stop], halves, tile)
                        values = second[: shape[0] * shape[1]].reshape(shape)
                        for k, inner in enumerate(inners):
                            inner.similarities(tile, halves, values)
                            loops.add_up(values, mine_i, theirs_j, found[k])
    if upper:
        for part in found:
            part[:] = np.triu(part) + np.triu(part, 1).T
    return found


def owners_of(rows: Rows) -> Integers:
    """(A,) to which structure each row belongs; raises ValueError for rows of whole structures."""
    if rows.offsets is None:
        raise ValueError("a local kernel needs a row of features for each atom")
    return np.repeat(np.arange(len(rows)), np.diff(rows.offsets))


def few_sums(few: Rows, many: Rows, inner: Inner, match: bool, progress: Progress) -> Floats | None:
    """(n, m) sums over the atoms of a few structures and of many others, in one pass over the latter's rows.

    None where the mean would have to be subtracted: then the general way is taken.
    """
    array = np.ascontiguousarray(few.array, dtype=np.float64)
    half = half_norms(array, progress)
    owners, others = owners_of(few), owners_of(many)
    found = np.zeros((len(few), len(many)))
    step = max(1, 2**18 // max(many.array.shape[1], 1))
    limit = CANCELS * inner.sigma**2 if inner.may_shift else np.inf
    if half.max(initial=0.0) > limit:
        return None
    for start in range(0, len(others), step):
        progress(start / len(others))
        part = np.ascontiguousarray(many.array[start : start + step], dtype=np.float64)
        halves = half, half_norms(part, progress)
        if halves[1].max(initial=0.0) > limit:
            return None
        tile = np.empty((len(array), len(part)))
        inner.measure(array, part, halves, tile)
        inner.similarities(tile, halves, tile)
        if match and few.numbers is not None and many.numbers is not None:
            loops.mask_elements(tile, few.numbers.astype(np.int64), many.numbers[start : start + step].astype(np.int64))
        loops.add_up(tile, owners, others[start : start + step], found)
    progress(1.0)
    return found


def environments(
    pairs: Pairs, mine: Block, theirs: Block, check: Callable[[], None]
) -> tuple[Floats, tuple[Integers, Integers], tuple[Integers, Integers]]:
    """Similarities of all atoms of two blocks, where their structures begin in them, and the atoms' elements.

    The atoms of a structure stand in the order of their elements; different elements have nothing in common when they
    must match.
    """
    rows, starts, kinds = [], [], []
    for side, block in ((pairs.a, mine), (pairs.b, theirs)):
        gathered = np.concatenate([*block.rows.values(), np.empty(0, np.int64)])
        places = np.concatenate([*block.places.values(), np.empty(0, np.int64)])
        gathered = gathered[np.argsort(places, kind="stable")]
        rows.append(gathered)
        starts.append(np.concatenate([[0], np.cumsum(side.counts[block.structures])]).astype(np.int64))
        kinds.append(np.ascontiguousarray(side.codes[gathered]))
    tile = np.empty((len(rows[0]), len(rows[1])), dtype=np.float64)
    step = max(1, 4_000_000 // max(tile.shape[1], 1))
    columns = pairs.all_columns(mine, theirs)
    b = pairs.gathered(pairs.b, rows[1], columns)
    for top in range(0, len(tile), step):
        check()
        part = tile[top : top + step]
        a = pairs.gathered(pairs.a, rows[0][top : top + step], columns)
        halves = pairs.half_a[rows[0][top : top + step]], pairs.half_b[rows[1]]
        measured = part if pairs.dtype == np.float64 else np.empty(part.shape, pairs.dtype)
        pairs.inner.measure(a, b, halves, measured)
        pairs.inner.similarities(measured, halves, part)
    if pairs.match:
        loops.mask_elements(tile, *kinds)
    return tile, (starts[0], starts[1]), (kinds[0], kinds[1])


def block_matches(
    pairs: Pairs,
    entropy: tuple[float, float, int] | None,
    mine: Block,
    theirs: Block,
    upper: bool,
    diagonal: bool,
    check: Callable[[], None],
) -> Floats:
    """(s, t) best matches of two blocks' structures, or, with (γ, tolerance, iterations), those of entropy."""
    tile, starts, kinds = environments(pairs, mine, theirs, check)
    found = np.zeros((len(mine.structures), len(theirs.structures)))
    state = np.zeros(matching.STATE + sum(int(np.diff(s).max(initial=0)) for s in starts))
    pair, count = 0, found.size
    while pair < count:
        check()
        if entropy is None:
            pair = matching.best_matches(tile, *starts, *kinds, upper, diagonal, pair, STEP_ATOMS // 20, found)
        else:
            pair = matching.entropy_matches(
                tile, *starts, *entropy, upper, diagonal, pair, STEP_ATOMS * 4, state, found
            )
    if upper and not diagonal:
        found = np.triu(found) + np.triu(found, 1).T
    return found
