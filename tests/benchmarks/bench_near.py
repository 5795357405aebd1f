"""Nearest rows of one row against scikit-learn's brute force, paths in the features against SciPy's Dijkstra.

All on one thread, warm. Features: 276 columns as of QM9's Coulomb matrices, 10,000 as of dear representations. Paths
start from the same table of neighbours on either side; the peer builds its sparse graph from it and walks back.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from table import Peer, Row, paired

ROOT = Path(__file__).resolve().parents[2]
OURS_IMPORT = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from qmlstudio.learning.near import Nearness, nearest, nearest_rows, path_between
"""
PEER_IMPORT = "from sklearn.neighbors import NearestNeighbors"
ROWS = """
import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=({n}, {d})).astype({kind!r})
points = rng.normal(size=({n}, 2))
"""
SHEET = """
import numpy as np
from scipy.spatial import cKDTree
rng = np.random.default_rng(0)
t = rng.uniform(size=({n}, 3))
x = t @ rng.normal(size=(3, {d})) + 1e-3 * rng.normal(size=({n}, {d}))
indices = cKDTree(t).query(t, 15)[1].astype(np.int32)
"""
OUR_NEIGHBORS = """
from qmlstudio.learning.embedding_base import Neighbors
near = Neighbors(indices, np.zeros(indices.shape, np.float32), np.zeros((len(x), 0)), np.zeros(0))
"""
OUR_PATH = "rows = path_between(x, 0, len(x) - 1, neighbors=near, threads=1).rows"
PEER_PATH = """
def path():
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra
    n, k = indices.shape
    i, j = np.repeat(np.arange(n), k - 1), indices[:, 1:].ravel()
    parts = zip(np.array_split(i, 64), np.array_split(j, 64))
    costs = np.concatenate([((x[a] - x[b]) ** 2).sum(axis=1) for a, b in parts])
    before = dijkstra(csr_matrix((costs, (i, j)), shape=(n, n)), directed=False, indices=0, return_predecessors=True)[1]
    rows = [n - 1]
    while rows[-1] != 0:
        rows.append(before[rows[-1]])
    return np.array(rows[::-1])
"""


def neighbours(n: int, d: int, kind: str, python: str) -> Row:
    """Ten nearest rows of one; then with ranks on a map as well, as a click asks for."""
    with Peer(sys.executable) as ours, Peer(python) as peer:
        for side, head in ((ours, OURS_IMPORT), (peer, PEER_IMPORT)):
            side.run(head + ROWS.format(n=n, d=d, kind=kind))
        peer.run("m = NearestNeighbors(n_neighbors=11, algorithm='brute', n_jobs=1).fit(x)")
        timing = paired(ours.task("i, d = nearest_rows(x, 5, 10)"), peer.task("d, i = m.kneighbors(x[5:6])"))
        same = ours.fetch("i").tolist() == peer.fetch("i")[0, 1:].tolist()
        click = paired(
            ours.task("found = nearest(x, points, 5, Nearness())"), ours.task("i, d = nearest_rows(x, 5, 10)"), pairs=3
        )
        version = peer.version("scikit-learn")
    note = f"with ranks on either side, as for a click: {click.ours * 1e3:.1f} ms"
    work = f"10 nearest of one row among {n:,} × {d:,} {kind}"
    return timing.row(work, version, agreement="same rows" if same else "other rows", demand=1.0, note=note)


def path(n: int, python: str) -> Row:
    """Between two rows of a bent sheet."""
    with Peer(sys.executable) as ours, Peer(python) as peer:
        ours.run(OURS_IMPORT + SHEET.format(n=n, d=276) + OUR_NEIGHBORS)
        peer.run(SHEET.format(n=n, d=276) + PEER_PATH)
        timing = paired(ours.task(OUR_PATH), peer.task("rows = path()"), pairs=3)
        same = np.array_equal(ours.fetch("rows"), peer.fetch("rows"))
        steps, version = len(ours.fetch("rows")) - 1, peer.version("scipy")
    agreement = f"same {steps} steps" if same else "another path"
    return timing.row(f"path among {n:,} × 276, 14 neighbours", version, agreement=agreement, demand=1.0)


def run(peers_python: str | None) -> list[Row]:
    """The table's rows; our own environment's packages serve when there is no other."""
    python = peers_python or sys.executable
    return [
        neighbours(130_831, 276, "float64", python),
        neighbours(3_921, 10_000, "float64", python),
        path(7_165, python),
        path(130_831, python),
    ]


if __name__ == "__main__":
    for row in run(sys.argv[1] if len(sys.argv) > 1 else None):
        print(
            f"{row.work}: {row.ours_us / 1e3:.1f} ms, {row.peer} {row.peer_us / 1e3:.1f} ms, ×{row.ratio:.1f};", end=" "
        )
        print(row.agreement, row.note)
