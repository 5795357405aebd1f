"""Connected graphs in which no vertex has more than four neighbours: the carbon skeletons of chemistry.

Where nauty's ``geng`` is installed (McKay, Piperno, J. Symb. Comput. 60, 94 (2014)) it makes them. Otherwise they are
grown here vertex by vertex, in the way of McKay, J. Algorithms 26, 306 (1998): a graph is accepted only from the
parent that is left when its own last vertex, chosen by an invariant, is taken away; what is then still there twice has
the same certificate. All of this is arithmetic on whole arrays of graphs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from qmlstudio.progress import SILENT, Progress, slices

Graphs = NDArray[np.uint16]
"""(m, n) neighbours of each vertex as bits: bit j of [k, i] is set where i and j are joined in graph k."""
Hashes = NDArray[np.uint64]

MOST_VERTICES = 16
COUNTS = (1, 1, 2, 6, 21, 78, 353, 1929, 12207, 89402, 739335, 6800637)
"""How many there are with 1, 2, … vertices and at most four neighbours each (``geng -c -D4 -u``); checked by the tests
as far as they go."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: Hashes) -> Hashes:
    """A hash of each value: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    z = values + _ODD
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def matrices(graphs: Graphs) -> NDArray[np.uint8]:
    """(m, n, n) adjacency matrices."""
    bits = np.arange(graphs.shape[1], dtype=np.uint16)
    return ((graphs[:, :, None] >> bits) & np.uint16(1)).astype(np.uint8)


def edges(graph: NDArray[np.uint16]) -> list[tuple[int, int]]:
    """The edges (i, j), i < j, of one graph (n,), in order."""
    n = len(graph)
    return [(i, j) for i in range(n) for j in range(i + 1, n) if int(graph[i]) >> j & 1]


def degrees(graphs: Graphs) -> NDArray[np.uint8]:
    """(m, n) numbers of neighbours."""
    return np.bitwise_count(graphs)


def colors(adjacency: Hashes, start: Hashes, rounds: int) -> Hashes:
    """Colour refinement (Weisfeiler, Leman, 1968) of all graphs at once.

    Parameters
    ----------
    adjacency : (m, n, n) uint64
    start : (m, …, n) uint64
        One or several first colourings of each graph.
    """
    found = mixed(start)
    for _ in range(rounds):
        found = mixed(found * _ODD + np.matmul(found, adjacency))
    return found


def certificates(graphs: Graphs) -> Hashes:
    """(m,) a hash of each graph that does not depend on the order of its vertices.

    The sum over all vertices of the colours that come about when that vertex is singled out. Isomorphic graphs have the
    same; that others differ is not proven but counted: the numbers of graphs up to 11 vertices come out right.
    """
    n = graphs.shape[1]
    adjacency = matrices(graphs).astype(np.uint64)
    plain = colors(adjacency, np.broadcast_to(np.uint64(1), (len(graphs), 1, n)).copy(), n // 2)
    start = plain + np.eye(n, dtype=np.uint64) * _ODD
    found = colors(adjacency, start, max(n // 2 + 1, 2))
    result: Hashes = mixed(mixed(found).sum(axis=2)).sum(axis=1)
    return result


def _connected_without(graphs: Graphs, vertex: int) -> NDArray[np.bool_]:
    """(m,) whether what is left of each graph without `vertex` hangs together."""
    n = graphs.shape[1]
    left = np.uint16((1 << n) - 1) & ~np.uint16(1 << vertex)
    reached = np.full(len(graphs), 1 << (1 if vertex == 0 else 0), np.uint16)
    rest = graphs & left
    for _ in range(n - 1):
        before = reached
        for j in range(n):
            if j != vertex:
                has = (reached >> np.uint16(j)) & np.uint16(1)
                reached = reached | rest[:, j] * has
        if np.array_equal(before, reached):
            break
    result: NDArray[np.bool_] = reached == left
    return result


def _children(parents: Graphs, most: int) -> Graphs:
    """All graphs that arise from `parents` (m, n) with one more vertex that is the last one of its graph.

    In the order of the parents: how they are parted into slices does not matter then, which several processes rely on.
    """
    n = parents.shape[1]
    free = degrees(parents) < most
    full = ~free @ (1 << np.arange(n))
    found, origin = [], []
    for size in range(1, min(most, n) + 1):
        sets = np.array([sum(1 << i for i in chosen) for chosen in combinations(range(n), size)], np.int64)
        parent, which = np.nonzero((full[:, None] & sets[None, :]) == 0)
        chosen = sets[which].astype(np.uint16)
        grown = np.empty((len(parent), n + 1), np.uint16)
        bits = np.arange(n, dtype=np.uint16)
        grown[:, :n] = parents[parent] | (((chosen[:, None] >> bits) & np.uint16(1)) << np.uint16(n))
        grown[:, n] = chosen
        right = _with_right_last(grown)
        found.append(grown[right])
        origin.append(parent[right])
    return np.concatenate(found)[np.argsort(np.concatenate(origin), kind="stable")]


def _with_right_last(grown: Graphs) -> NDArray[np.int64]:
    """Positions of the graphs whose last vertex is the one that the invariant names: lowest degree, greatest colour.

    Only vertices without which the graph still hangs together count; the last one always does.
    """
    n = grown.shape[1]
    degree = degrees(grown)
    own = degree[:, -1]
    certain = np.ones(len(grown), bool)
    for vertex in range(n - 1):  # a vertex of lower degree would have been taken, if it can be
        lower = np.flatnonzero(certain & (degree[:, vertex] < own))
        if len(lower):
            certain[lower] = ~_connected_without(grown[lower], vertex)
    kept = np.flatnonzero(certain)
    grown, degree = grown[kept], degree[kept]
    adjacency = matrices(grown).astype(np.uint64)
    color = colors(adjacency, degree[:, None, :].astype(np.uint64), 4)[:, 0]
    certain = np.ones(len(grown), bool)
    for vertex in range(n - 1):
        rival = np.flatnonzero(certain & (degree[:, vertex] == degree[:, -1]) & (color[:, vertex] > color[:, -1]))
        if len(rival):
            certain[rival] = ~_connected_without(grown[rival], vertex)
    return kept[certain]


def grown(vertices: int, most: int = 4, progress: Progress = SILENT) -> Iterator[Graphs]:
    """The connected graphs with 1, 2, … `vertices` vertices, each size in one array; made here, without nauty."""
    level: Graphs = np.zeros((1, 1), np.uint16)
    yield level
    for n in range(2, vertices + 1):
        parts: list[Graphs] = []
        known: Hashes = np.zeros(0, np.uint64)
        for start, stop in slices(len(level), progress, f"Graphs of {n} vertices", first=8):
            children = _children(level[start:stop], most)
            if not len(children):
                continue
            marks, first = np.unique(certificates(children), return_index=True)
            place = np.searchsorted(known, marks)
            fresh = np.ones(len(marks), bool)
            inside = place < len(known)
            fresh[inside] = known[place[inside]] != marks[inside]
            parts.append(children[np.sort(first[fresh])])
            known = np.insert(known, place[fresh], marks[fresh])
        level = np.concatenate(parts) if parts else np.zeros((0, n), np.uint16)
        yield level


def geng() -> str:
    """The path of nauty's generator, or empty when it is not installed."""
    return shutil.which("nauty-geng") or shutil.which("geng") or ""


def graph6(lines: list[bytes], vertices: int) -> Graphs:
    """Decode graphs of `vertices` (< 63) vertices in McKay's graph6 format; ValueError when they are not such."""
    n = vertices
    pairs = n * (n - 1) // 2
    length = 1 + -(-pairs // 6)
    if any(len(line) != length or line[0] != 63 + n for line in lines):
        raise ValueError(f"not graph6 of {n} vertices")
    text = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), length)[:, 1:] - 63
    bits = np.unpackbits(text[:, :, None], axis=2)[:, :, 2:].reshape(len(lines), -1)[:, :pairs].astype(np.uint16)
    found = np.zeros((len(lines), n), np.uint16)
    place = 0
    for j in range(1, n):
        for i in range(j):
            found[:, i] |= bits[:, place] << np.uint16(j)
            found[:, j] |= bits[:, place] << np.uint16(i)
            place += 1
    return found


def from_geng(
    program: str, vertices: int, most: int = 4, progress: Progress = SILENT, block: int = 4096
) -> Iterator[Graphs]:
    """The same graphs of one size from nauty's ``geng``, block by block; it is killed when nobody reads on.

    Raises
    ------
    OSError
        The program cannot be run, or failed.
    """
    command = [program, "-c", f"-D{most}", "-q", str(vertices)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    try:
        lines: list[bytes] = []
        for line in child.stdout:
            lines.append(line.rstrip())
            if len(lines) == block:
                progress.check()
                yield graph6(lines, vertices)
                lines = []
        if lines:
            yield graph6(lines, vertices)
        if child.wait() != 0:
            raise OSError(f"{os.path.basename(program)} failed with exit code {child.returncode}")
    finally:
        child.kill()
        child.stdout.close()
        child.wait()


def graphs(vertices: int, most: int = 4, progress: Progress = SILENT, program: str | None = None) -> Iterator[Graphs]:
    """All connected graphs with 1 … `vertices` vertices of at most `most` neighbours, in blocks of one size.

    Parameters
    ----------
    program : str, optional
        ``geng`` to use; "" for none; None for the one that is installed, if any.
    """
    if not 1 <= vertices <= MOST_VERTICES:
        raise ValueError(f"{vertices} heavy atoms: from 1 to {MOST_VERTICES} are possible")
    program = geng() if program is None else program
    if not program:
        yield from grown(vertices, most, progress)
        return
    yield np.zeros((1, 1), np.uint16)
    for n in range(2, vertices + 1):
        yield from from_geng(program, n, most, progress)
