"""What of a graph the filters ask for: small rings, blocks, bridgeheads, whether it can be drawn in the plane."""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Bond = tuple[int, int]


class Shape:
    """One connected graph, looked at; everything is found when it is first asked for.

    Parameters
    ----------
    graph : (n,) uint16
        Neighbours of each vertex as bits.
    """

    def __init__(self, graph: NDArray[np.uint16]) -> None:
        self.rows = [int(r) for r in graph]
        self.n = len(self.rows)
        self.neighbors = [[j for j in range(self.n) if r >> j & 1] for r in self.rows]
        self.bonds = [(i, j) for i in range(self.n) for j in self.neighbors[i] if i < j]

    @property
    def rings(self) -> int:
        """Number of independent rings."""
        return len(self.bonds) - self.n + 1

    @cached_property
    def small_rings(self) -> list[tuple[int, ...]]:
        """All rings of three and four atoms, each as its atoms in order."""
        found: list[tuple[int, ...]] = []
        for i in range(self.n):
            for j in self.neighbors[i]:
                for k in self.neighbors[j]:
                    if j < i or k <= i:
                        continue
                    if j < k and self.rows[k] >> i & 1:
                        found.append((i, j, k))
                    for m in self.neighbors[k]:
                        if m > j and m != i and self.rows[m] >> i & 1:
                            found.append((i, j, k, m))
        return found

    def atoms_in(self, size: int) -> set[int]:
        """The atoms in rings of three or four atoms."""
        return {atom for ring in self.small_rings if len(ring) == size for atom in ring}

    def bonds_in(self, size: int) -> set[Bond]:
        """The bonds (i, j), i < j, in rings of three or four atoms."""
        pairs = ((r[k], r[k - 1]) for r in self.small_rings if len(r) == size for k in range(size))
        return {(min(p), max(p)) for p in pairs}

    @cached_property
    def ring_sizes(self) -> dict[Bond, int]:
        """Size of the smallest ring through each bond that is in one."""
        found = {}
        for bond in self.bonds:
            length = self._around(bond)
            if length:
                found[bond] = length
        return found

    def _around(self, bond: Bond) -> int:
        start, goal = bond
        reached = front = 1 << start
        for length in range(2, self.n + 1):
            new = 0
            for v in range(self.n):
                if front >> v & 1:
                    new |= self.rows[v] & ~(1 << goal) if length == 2 and v == start else self.rows[v]
            front = new & ~reached
            reached |= front
            if front >> goal & 1:
                return length
            if not front:
                return 0
        return 0

    @cached_property
    def blocks(self) -> list[list[Bond]]:
        """The bonds of each ring system that no single atom holds together (biconnected components with a ring)."""
        depth, low = [-1] * self.n, [0] * self.n
        stack: list[Bond] = []
        found: list[list[Bond]] = []

        def visit(v: int, parent: int, level: int) -> None:
            depth[v] = low[v] = level
            for w in self.neighbors[v]:
                if depth[w] < 0:
                    stack.append((v, w))
                    visit(w, v, level + 1)
                    low[v] = min(low[v], low[w])
                    if low[w] >= depth[v]:
                        block = []
                        while True:
                            bond = stack.pop()
                            block.append((min(bond), max(bond)))
                            if bond == (v, w):
                                break
                        if len(block) > 1:
                            found.append(block)
                elif w != parent and depth[w] < depth[v]:
                    stack.append((v, w))
                    low[v] = min(low[v], depth[w])

        visit(0, -1, 0)
        return found

    @cached_property
    def crowded(self) -> set[int]:
        """Atoms that have four bonds in one and the same block: tetravalent bridgeheads (spiro centres are none)."""
        found = set()
        for block in self.blocks:
            count: dict[int, int] = {}
            for i, j in block:
                count[i] = count.get(i, 0) + 1
                count[j] = count.get(j, 0) + 1
            found |= {v for v, c in count.items() if c >= 4}
        return found

    @cached_property
    def bridgeheads(self) -> set[int]:
        """Atoms at which three bridges of at least one atom each begin that end at one other atom."""
        found: set[int] = set()
        for block in self.blocks:
            if len(block) < 5:
                continue
            inside = {v for bond in block for v in bond}
            ends = [v for v in inside if sum(v in bond for bond in block) >= 3]
            for k, u in enumerate(ends):
                for w in ends[:k]:
                    if not self.rows[u] >> w & 1 and self._paths(u, w) >= 3:
                        found |= {u, w}
        return found

    def _paths(self, start: int, goal: int) -> int:
        """How many ways between two atoms have no atom in common, up to three (Menger; augmenting paths)."""
        # every atom is split in an entry and an exit, joined by one arc
        flow: set[tuple[int, int]] = set()
        count = 0
        while count < 3 and self._augment(start, goal, flow):
            count += 1
        return count

    def _augment(self, start: int, goal: int, flow: set[tuple[int, int]]) -> bool:
        n = self.n
        came: dict[int, int] = {start + n: -1}  # exits are numbered n … 2n - 1
        queue = [start + n]
        for node in queue:
            if node >= n:
                nexts = [w for w in self.neighbors[node - n] if (node, w) not in flow]
                if (node - n, node) in flow:
                    nexts.append(node - n)
            else:
                nexts = [node + n] if (node, node + n) not in flow else []
                nexts += [w + n for w in self.neighbors[node] if (w + n, node) in flow]
            for other in nexts:
                if other in came or other == start:
                    continue
                came[other] = node
                if other == goal:
                    while came[other] != -1:
                        before = came[other]
                        if (other, before) in flow:
                            flow.remove((other, before))
                        else:
                            flow.add((before, other))
                        other = before
                    return True
                queue.append(other)
        return False

    @cached_property
    def is_planar(self) -> bool:
        """Whether it can be drawn in the plane without crossing bonds (Demoucron, Malgrange, Pertuiset, 1964)."""
        if self.rings < 4:  # K3,3 has four independent rings, K5 six
            return True
        return all(_is_planar(block) for block in self.blocks)


def _is_planar(block: list[Bond]) -> bool:
    """Demoucron's algorithm on a block: draw a ring, then bridge after bridge into a face that takes it."""
    near: dict[int, set[int]] = {}
    for i, j in block:
        near.setdefault(i, set()).add(j)
        near.setdefault(j, set()).add(i)
    if len(block) > 3 * len(near) - 6 and len(near) >= 3:
        return False
    ring = _some_ring(near)
    faces = [ring, list(ring)]
    drawn = {frozenset((ring[k - 1], ring[k])) for k in range(len(ring))}
    while len(drawn) < len(block):
        placed = {v for edge in drawn for v in edge}
        best: tuple[list[int], list[list[int]]] | None = None
        for path, contacts in _bridges(near, drawn, placed):
            fitting = [f for f in faces if contacts <= set(f)]
            if not fitting:
                return False
            if best is None or len(fitting) < len(best[1]):
                best = path, fitting
        assert best is not None
        path, fitting = best
        face = fitting[0]
        faces.remove(face)
        a, b = face.index(path[0]), face.index(path[-1])
        inner = path[1:-1]
        if a > b:
            a, b, inner = b, a, inner[::-1]
        faces.append(face[: a + 1] + inner + face[b:])
        faces.append(face[a : b + 1] + inner[::-1])
        drawn |= {frozenset(pair) for pair in itertools.pairwise(path)}
    return True


def _some_ring(near: dict[int, set[int]]) -> list[int]:
    """Any ring of a block, by walking until an atom comes again."""
    walk = [next(iter(near))]
    before = -1
    while True:
        step = next(w for w in near[walk[-1]] if w != before)
        if step in walk:
            return walk[walk.index(step) :]
        before = walk[-1]
        walk.append(step)


def _bridges(
    near: dict[int, set[int]], drawn: set[frozenset[int]], placed: set[int]
) -> list[tuple[list[int], set[int]]]:
    """What is not drawn yet, in connected pieces: a way through each between two drawn vertices, and all it touches."""
    found = []
    for i in placed:
        for j in near[i]:
            if j in placed and i < j and frozenset((i, j)) not in drawn:
                found.append(([i, j], {i, j}))
    left = set(near) - placed
    while left:
        piece = {left.pop()}
        front = list(piece)
        for v in front:
            new = (near[v] & left) - piece
            piece |= new
            front += new
        left -= piece
        contacts = {w for v in piece for w in near[v] if w in placed}
        first = min(contacts)
        found.append((_way(near, first, piece, contacts), contacts))
    return found


def _way(near: dict[int, set[int]], start: int, piece: set[int], contacts: set[int]) -> list[int]:
    """A path from `start` through `piece` to another of its contacts."""
    came = {start: start}
    queue = [start]
    for v in queue:
        for w in near[v]:
            if w in came:
                continue
            if w in piece:
                came[w] = v
                queue.append(w)
            elif w in contacts and v != start:
                path = [w, v]
                while came[path[-1]] != path[-1]:
                    path.append(came[path[-1]])
                return path[::-1]
    raise AssertionError("a piece of a block touches what is drawn at two vertices at least")
