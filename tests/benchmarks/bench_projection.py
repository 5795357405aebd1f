"""Projection against umap-learn's transform, the quality of a map against scikit-learn's trustworthiness.

Both on one thread, warm. Projection: a fifth of the rows is held out; each side places it on its own map of the rest.
Agreement: share of the 15 nearest rows in the features that are among the 15 nearest points of the place, ours /
theirs / as the held-out rows lie in our map of all rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from table import Peer, Row, paired

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.readers import open_dataset
from qmlstudio.representations.coulomb import CoulombMatrix

ROOT = Path(__file__).resolve().parents[2]
QM7 = ROOT.parent / "shared" / "data" / "qm7" / "qm7.tar.gz"
OURS_IMPORT = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from qmlstudio.learning.embedding import UMAP
from qmlstudio.learning.projection import project
from qmlstudio.learning.quality import quality
m = UMAP(n_epochs=500)
near = m.neighbors(x, threads=1)
y = m.layout(near, threads=1).points
"""
PEER_IMPORT = """
import warnings; warnings.simplefilter('ignore')
import umap
from sklearn.manifold import trustworthiness
"""
PEER_MAP = "m = umap.UMAP(n_epochs=500, random_state=0, n_jobs=1).fit(x); y = m.embedding_"


def preserved(new: np.ndarray, rows: np.ndarray, places: np.ndarray, points: np.ndarray, k: int = 15) -> float:
    """Share of the k nearest rows of new ones that are among the k nearest points of their places."""
    from sklearn.neighbors import NearestNeighbors

    one = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(new, return_distance=False)
    two = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(places, return_distance=False)
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(one, two, strict=True)]))


def projection(x: np.ndarray, size: str, python: str) -> Row:
    """A fifth of the rows placed on a map of the rest."""
    order = np.random.default_rng(0).permutation(len(x))
    out, kept = order[: len(x) // 5], order[len(x) // 5 :]
    with Peer(sys.executable) as ours, Peer(python) as peer:
        for side in (ours, peer):
            side.send(x=x[kept], new=x[out], whole=x)
        ours.run(OURS_IMPORT)
        peer.run(PEER_IMPORT + PEER_MAP)
        timing = paired(ours.task("z = project(m, near, x, y, new, threads=1)"), peer.task("z = m.transform(new)"))
        scores = [preserved(x[out], x[kept], side.fetch("z"), side.fetch("y")) for side in (ours, peer)]
        ours.run("full = m.layout(m.neighbors(whole, threads=1), threads=1).points")
        full = ours.fetch("full")
        version = peer.version("umap-learn")
    scores.append(preserved(x[out], x[kept], full[out], full[kept]))
    work = f"{len(out):,} rows onto a UMAP map of {len(kept):,} × {x.shape[1]} ({size})"
    agreement = " / ".join(f"{score:.3f}" for score in scores)
    return timing.row(work, version, agreement=agreement, demand=3.0, note="preparation of the map's rows included")


def scores(x: np.ndarray, size: str, python: str) -> Row:
    """All figures of merit against one of them."""
    with Peer(sys.executable) as ours, Peer(python) as peer:
        ours.send(x=x)
        ours.run(OURS_IMPORT)
        peer.send(x=x, y=ours.fetch("y"))
        peer.run(PEER_IMPORT)
        timing = paired(
            ours.task("q = quality(x, y, 15, near, threads=1); t = q.trustworthiness"),
            peer.task("t = trustworthiness(x, y, n_neighbors=15)"),
            pairs=3,
        )
        difference = abs(float(ours.fetch("t")) - float(peer.fetch("t")))
        version = peer.version("scikit-learn")
    work = f"quality of a map of {len(x):,} × {x.shape[1]} ({size})"
    note = "ours: continuity, preservation and the distortion of each point as well"
    return timing.row(work, version, agreement=f"|Δ| {difference:.0e}", demand=3.0, note=note)


def run(peers_python: str | None) -> list[Row]:
    """The table's rows; our own environment's packages serve when there is no other."""
    python = peers_python or sys.executable
    name, structures = "QM9 ≤ 7 heavy atoms", load_builtin("qm9_7").structures
    if QM7.exists():
        name, structures = "QM7", open_dataset(QM7).structures
    x = CoulombMatrix().compute(structures, threads=1).array
    return [projection(x, name, python), scores(x, name, python)]
