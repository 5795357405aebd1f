"""Graphs: their numbers, the generators' agreement, planarity, symmetries, small rings."""

from __future__ import annotations

import os
import stat
import sys
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.enumeration import graphs as graph_module
from qmlstudio.chem.enumeration.graphs import (
    COUNTS,
    Graphs,
    certificates,
    degrees,
    edges,
    from_geng,
    geng,
    graph6,
    graphs,
    grown,
)
from qmlstudio.chem.enumeration.molecules import automorphisms
from qmlstudio.chem.enumeration.shapes import Shape
from qmlstudio.progress import Cancelled, Progress


@pytest.fixture(scope="module")
def levels() -> dict[int, Graphs]:
    return {level.shape[1]: level for level in grown(9)}


def graph(n: int, bonds: str) -> np.ndarray:
    """From "01 12 …"."""
    rows = np.zeros(n, np.uint16)
    for i, j in ((int(b[0], 16), int(b[1], 16)) for b in bonds.split()):
        rows[i] |= 1 << j
        rows[j] |= 1 << i
    return rows


def test_numbers(levels: dict[int, Graphs]) -> None:
    assert [len(levels[n]) for n in range(1, 10)] == list(COUNTS[:9])
    for level in levels.values():
        assert degrees(level).max() <= 4
        assert len(np.unique(certificates(level))) == len(level)


def test_all_labelled_graphs_are_among_them(levels: dict[int, Graphs]) -> None:
    """Every connected graph of up to five vertices, by brute force over all sets of edges."""
    for n in range(2, 6):
        known = set(certificates(levels[n]).tolist())
        pairs = list(combinations(range(n), 2))
        found = []
        for bits in range(1 << len(pairs)):
            chosen = [p for k, p in enumerate(pairs) if bits >> k & 1]
            rows = graph(n, " ".join(f"{i}{j}" for i, j in chosen))
            if np.bitwise_count(rows).max() <= 4 and is_connected(rows):
                found.append(rows)
        assert set(certificates(np.array(found)).tolist()) == known


def is_connected(rows: np.ndarray) -> bool:
    reached = 1
    for _ in rows:
        for v, row in enumerate(rows.tolist()):
            if reached >> v & 1:
                reached |= row
    return reached == (1 << len(rows)) - 1


def test_fewer_neighbours_and_small_sizes() -> None:
    assert [len(level) for level in grown(4, most=2)] == [1, 1, 2, 2]  # paths and rings
    assert [len(level) for level in grown(1)] == [1]
    for wrong in (0, 17):
        with pytest.raises(ValueError, match="heavy atoms"):
            list(graphs(wrong))


def test_order_does_not_depend_on_slices(levels: dict[int, Graphs]) -> None:
    """Processes that take each second graph must number them alike, however fast they are."""
    level = levels[6]
    whole = graph_module._children(level, 4)
    for k in (1, 20, 77):
        parts = [graph_module._children(level[:k], 4), graph_module._children(level[k:], 4)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_certificates_do_not_depend_on_the_numbering(levels: dict[int, Graphs]) -> None:
    rng = np.random.default_rng(5)
    level = levels[7]
    moved = np.zeros_like(level)
    for k, rows in enumerate(level):
        order = rng.permutation(7)
        for i, j in edges(rows):
            moved[k, order[i]] |= 1 << order[j]
            moved[k, order[j]] |= 1 << order[i]
    assert (certificates(moved) == certificates(level)).all()


def test_graph6() -> None:
    # complete graphs, and the example of the format's description
    assert edges(graph6([b"C~"], 4)[0]) == list(combinations(range(4), 2))
    assert edges(graph6([b"D~{"], 5)[0]) == list(combinations(range(5), 2))
    assert edges(graph6([b"DQc"], 5)[0]) == [(0, 2), (0, 4), (1, 3), (3, 4)]
    for wrong in (b"D~", b"E~{"):
        with pytest.raises(ValueError, match="graph6"):
            graph6([wrong], 5)


@pytest.mark.skipif(not geng(), reason="nauty's geng is not installed")
def test_nauty_agrees(levels: dict[int, Graphs]) -> None:
    for n in range(2, 9):
        theirs = np.concatenate(list(from_geng(geng(), n)))
        assert np.array_equal(np.sort(certificates(theirs)), np.sort(certificates(levels[n])))


@pytest.mark.skipif(sys.platform == "win32", reason="needs scripts as programs")
def test_a_program_that_writes_graph6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of geng's output: blocks, failure, and that the program is ended when nobody reads on."""
    program = tmp_path / "geng"
    program.write_text("#!/bin/sh\necho $$ > " + str(tmp_path / "pid") + "\necho 'DQc'\necho 'D~{'\nexit $FAIL\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("FAIL", "0")
    blocks = list(from_geng(str(program), 5, block=1))
    assert [len(b) for b in blocks] == [1, 1]
    monkeypatch.setenv("FAIL", "3")
    with pytest.raises(OSError, match="exit code 3"):
        list(from_geng(str(program), 5))
    program.write_text("#!/bin/sh\necho $$ > " + str(tmp_path / "pid") + "\nwhile true; do echo 'DQc'; done\n")
    stream = from_geng(str(program), 5, block=10)
    next(stream)
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    with pytest.raises(OSError):
        list(from_geng(str(tmp_path / "none"), 5))


def test_cancelled() -> None:
    with pytest.raises(Cancelled):
        list(grown(8, progress=Progress(is_cancelled=lambda: True)))


def test_planar(levels: dict[int, Graphs]) -> None:
    # the numbers are those of nauty's planarg
    assert [sum(Shape(g).is_planar for g in levels[n]) for n in range(5, 9)] == [20, 74, 321, 1663]
    k33 = graph(6, "03 04 05 13 14 15 23 24 25")
    cube = graph(8, "01 12 23 30 45 56 67 74 04 15 26 37")
    petersen = graph(10, "01 12 23 34 40 57 79 96 68 85 05 16 27 38 49")
    assert not Shape(k33).is_planar
    assert Shape(cube).is_planar
    assert not Shape(petersen).is_planar


def test_symmetries(levels: dict[int, Graphs]) -> None:
    for rows in levels[5]:
        shape = Shape(rows)
        wanted = {
            p
            for p in permutations(range(5))
            if {frozenset((p[i], p[j])) for i, j in shape.bonds} == {frozenset(b) for b in shape.bonds}
        }
        assert {tuple(p) for p in automorphisms(rows).tolist()} == wanted
    cube = graph(8, "01 12 23 30 45 56 67 74 04 15 26 37")
    assert len(automorphisms(cube)) == 48


def test_shapes() -> None:
    norbornane = Shape(graph(7, "01 12 23 34 45 50 06 63"))
    assert norbornane.bridgeheads == {0, 3}
    assert norbornane.rings == 2
    assert not norbornane.small_rings
    assert not norbornane.crowded
    assert set(norbornane.ring_sizes.values()) == {5}
    decalin = Shape(graph(10, "01 12 23 34 45 50 06 67 78 89 95"))
    assert not decalin.bridgeheads
    assert len(decalin.blocks) == 1
    spiro = Shape(graph(5, "01 12 20 23 34 42"))
    assert not spiro.crowded
    assert len(spiro.blocks) == 2
    assert sorted(map(len, spiro.small_rings)) == [3, 3]
    bicyclobutane = Shape(graph(4, "01 12 23 30 02"))
    assert sorted(map(len, bicyclobutane.small_rings)) == [3, 3, 4]
    assert bicyclobutane.atoms_in(3) == {0, 1, 2, 3}
    assert len(bicyclobutane.bonds_in(4)) == 4
    # four bonds of atom 0 in one ring system, as in [3.3.1]propellane
    assert Shape(graph(8, "01 02 23 31 04 45 51 06 67 71")).crowded == {0, 1}
    chain = Shape(graph(4, "01 12 23"))
    assert chain.rings == 0
    assert not chain.ring_sizes
    assert not chain.blocks
