"""Solid-harmonic scattering against kymatio, on QM7 (../shared/data) or else random molecules."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import limits
import numpy as np
from molecules import molecules, some
from table import Peer, Row, paired

from qmlstudio.chem.structures import Structures
from qmlstudio.representations import _scattering_transform as transform
from qmlstudio.representations.scattering import Scattering

PREPARE = """
import numpy as np
from kymatio.numpy import HarmonicScattering3D
from kymatio.scattering3d.utils import generate_weighted_sum_of_gaussians

def prepare(shape, sigma):
    axes = (np.fft.ifftshift(np.arange(-n // 2, n - n // 2)) for n in shape)
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).astype(float)
    density = generate_weighted_sum_of_gaussians(grid, r[None] * sigma, z[None], sigma).astype(np.float32)
    model = HarmonicScattering3D(J=2, shape=shape, L=3, sigma_0=sigma, integral_powers=(0.5, 1.0, 2.0, 3.0))
    return model, density
"""
POWERS = np.array([0.5, 1.0, 2.0, 3.0])
CASES = (
    ("64 × 64 × 64 voxels, σ = 1.5 voxels", (64, 64, 64), 1.5),
    ("192 × 128 × 96 voxels, σ = 2 voxels", (192, 128, 96), 2.0),
)


def agreement(ours: Any, theirs: Any, sigma: float) -> str:
    """Largest difference relative to the largest coefficient of the power, and of small powers and others itself."""
    theirs = theirs * sigma ** (3 * (POWERS - 1))
    ours = ours.reshape(-1, len(POWERS))[1:].reshape(theirs.shape)
    errors = (np.abs(ours - theirs) / theirs).max(axis=(0, 1))
    scaled = np.abs(ours - theirs).max() / theirs.max()
    return f"max |Δ|/max {scaled:.0e}; relative {errors[0]:.0e} at q = ½, {errors[1:].max():.0e} at others"


def floor(structures: Structures, representation: Scattering) -> float:
    """Seconds that the inverse Fourier transforms of the second order alone take."""
    from scipy import fft

    settings, total = representation._settings(), 0.0
    finer = transform._FINER * settings.resolution
    for structure in structures:
        _, atoms = transform.frame(structure.numbers, structure.positions)
        extent = np.ptp(atoms, axis=0) / representation.sigma_0
        for pair in settings.pairs:
            steps = np.full(3, np.sqrt(1 + 4.0 ** pair[0]) / finer)
            if settings.box is not None:
                steps = settings.box / transform._fast(np.ceil(settings.box / steps))
            _, n = transform.second_grids(steps, extent, pair, settings)
            spectrum = np.ones((n[0], n[1], n[2] // 2 + 1), complex)
            times = []
            for _ in range(5):
                began = time.perf_counter()
                fft.irfftn(spectrum, n, workers=1)
                times.append(time.perf_counter() - began)
            # l = 0 needs none
            total += min(times) * sum(2 * l + 1 for l in range(1, settings.degree + 1))
    return total


def run(peers_python: str | None) -> list[Row]:
    """The same boxes as kymatio's, the molecule's own box against the recipe for QM7, and two threads against one."""
    name, whole = molecules()
    # one of the longest, so that it fills the larger box
    longest = whole.take([int(np.argmax([np.ptp(s.positions, axis=0).max() for s in whole]))])
    typical = whole.take([len(whole) // 2])
    default = Scattering()
    rows = []
    if peers_python is not None:
        with Peer(peers_python) as peer:
            for title, shape, sigma in CASES:
                one = typical if shape[0] == 64 else longest
                box = " ".join(f"{n / sigma:.12g}" for n in shape)
                _, atoms = transform.frame(one[0].numbers, one[0].positions)
                # the atoms in its own order do not matter, only the frame
                numbers = transform.frame(one[0].numbers, one[0].positions)[0]
                peer.send(z=numbers.astype(float), r=atoms / default.sigma_0)
                peer.run(PREPARE + f"model, density = prepare({shape}, {sigma})\nresult = model(density)[0]")
                theirs = peer.fetch("result")
                task = peer.task("result = model(density)[0]")
                same_box = replace(default, box=box)
                kinds = [("same box", same_box)]
                if shape[0] != 64:
                    kinds.append(("box of its own", default))
                for kind, representation in kinds:
                    timing = paired(lambda r=representation, s=one: r.compute(s, threads=1), task, pairs=3)
                    values = representation.compute(one, threads=1).array[0]
                    rows.append(
                        timing.row(
                            f"scattering, one channel, {title}, {kind}: one molecule of {name}",
                            peer.version("kymatio"),
                            columns=default.size(one.species),
                            agreement=agreement(values, theirs, sigma),
                            demand=10.0,
                            bound=limits.bound(timing.ours, floor(one, representation), "inverse FFTs"),
                        )
                    )
    name, few = some(40)
    timing = paired(
        lambda: default.compute(few, threads=2),
        lambda: default.compute(few, threads=1),
        pairs=3,
    )
    title = f"scattering: two threads against one, {len(few)} molecules of {name}, each"
    rows.append(timing.row(title, "ours, one thread", len(few), columns=default.size(few.species), demand=1.7))
    return rows
