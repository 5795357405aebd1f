"""UMAP of the whole of QM9 against umap-learn: minutes, so each side runs once, after a small map that compiles it all.

Sorted Coulomb matrices of the 130,831 molecules of the package qm9pack (``pip install "qmlstudio[qm9]"``); a row says
so where it is not installed. Both sides run in processes of their own on two threads. Agreement is trustworthiness with
15 neighbours, ours / theirs, of 2,000 random molecules among all.
"""

from __future__ import annotations

import sys

import numpy as np
from bench_embedding import OURS, OURS_IMPORT, PEER, PEER_IMPORT
from table import Peer, Row, Timing
from window_sets import NO_QM9, molecules

from qmlstudio.learning.quality import trustworthiness
from qmlstudio.representations.coulomb import CoulombMatrix

THREADS = 2
SMALL = 5000
"""Rows of the map that compiles: enough for umap-learn to take the way that it takes with many."""
SAMPLE = 2000


def run(peers_python: str | None) -> list[Row]:
    """The table's row; umap-learn of our own environment serves when there is no other."""
    work = "UMAP QM9, warm, peer unseeded, two threads"
    dataset = molecules()
    if dataset is None:
        return [Row(work=work, note=NO_QM9)]
    x = CoulombMatrix().compute(dataset.structures, threads=1, dtype=np.float32).array
    values = {"epochs": None, "threads": THREADS, "more": ""}
    first, y, _ = _timed(sys.executable, OURS_IMPORT, OURS.format(seed=0, **values), x)
    second, z, version = _timed(peers_python or sys.executable, PEER_IMPORT, PEER.format(seed=None, **values), x)
    scores = [trustworthiness(x, points, 15, sample=SAMPLE) for points in (y, z)]
    return [
        Timing(first, second, second / first).row(
            f"{work}, {len(x):,} × {x.shape[1]}",
            version,
            agreement=f"{scores[0]:.4f} / {scores[1]:.4f}",
            demand=3.0,
            columns=x.shape[1],
            note="one run each; ours is seeded, with the exact neighbours",
        )
    ]


def _timed(python: str, imports: str, code: str, x: np.ndarray) -> tuple[float, np.ndarray, str]:
    """Seconds for the map of all rows, the map, and umap-learn's version, in a process that ends before it returns."""
    with Peer(python, THREADS) as side:
        side.run(imports)
        side.send(x=x[:SMALL])
        side.run(code)
        side.send(x=x)
        seconds = side.task(code).seconds(1)
        version = side.version("umap-learn")
        return seconds, side.fetch("y"), version
