"""Sine, Ewald sum and atomic Coulomb matrices, gradients, and BAML: against DScribe and qmllib where they have them.

Crystals are 400 perovskites (../shared/data) or else made-up ones; molecules are QM7 or random ones.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from limits import bound, exp_rate, flop_rate, write_rate
from molecules import PREPARE as MOLECULES
from molecules import same, some
from table import Peer, Row, paired

from qmlstudio.chem.elements import NUMBERS
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import (
    BAML,
    AtomicCoulombMatrix,
    BagOfBonds,
    CoulombMatrix,
    EwaldMatrix,
    Representation,
    SineMatrix,
)

PEROVSKITES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "crystals" / "perov5_400_cif.tar.gz"

CRYSTALS = """
import numpy as np
from ase import Atoms
from dscribe.descriptors import EwaldSumMatrix, SineMatrix
bounds = list(zip(o[:-1].tolist(), o[1:].tolist()))
n_max = max(b - a for a, b in bounds)
atoms = [Atoms(z[a:b], r[a:b], cell=c, pbc=True) for (a, b), c in zip(bounds, cells)]
sine = {p: SineMatrix(n_atoms_max=n_max, permutation=p) for p in ("sorted_l2", "eigenspectrum")}
ewald = EwaldSumMatrix(n_atoms_max=n_max, permutation="sorted_l2")
"""
ATOMIC = """
from qmllib.representations.representations import generate_coulomb_matrix_atomic as generate
positions = [p / bohr for p in angstrom]
def rows(**more):
    return np.concatenate([generate(c, p, size=n_max, **more) for c, p in zip(charges, positions)])
"""


def crystals() -> tuple[str, Structures]:
    """Perovskites, and what they are called."""
    if not PEROVSKITES.exists():
        rng = np.random.default_rng(0)
        sides = rng.uniform(3.7, 4.5, 400)
        fractions = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
        numbers = [[*rng.integers(3, 84, 2), 8, 8, 8] for _ in sides]
        places = [(fractions + rng.normal(0, 0.02, (5, 3))) * a for a in sides]
        return "made-up perovskites", Structures.from_lists(numbers, places, [a * np.eye(3) for a in sides])
    found: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    with tarfile.open(PEROVSKITES) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            file = archive.extractfile(member) if member.name.endswith(".cif") else None
            if file is None:
                continue
            for part, value in zip(found, _simple_cif(file.read().decode()), strict=True):
                part.append(value)
    return "perovskites", Structures.from_lists(*found)


def _simple_cif(text: str) -> tuple[list[int], Any, Any]:
    """Numbers, positions and cell of a file without symmetry, as pymatgen writes it."""
    values: dict[str, float] = {}
    numbers, fractions = [], []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0].startswith("_cell_"):
            values[words[0]] = float(words[1])
        elif len(words) == 7 and words[0] in NUMBERS:
            numbers.append(NUMBERS[words[0]])
            fractions.append([float(w) for w in words[3:6]])
    a, b, c = (values[f"_cell_length_{k}"] for k in "abc")
    alpha, beta, gamma = (np.cos(np.radians(values[f"_cell_angle_{k}"])) for k in ("alpha", "beta", "gamma"))
    sine = np.sqrt(1 - gamma**2)
    x, y = beta, (alpha - beta * gamma) / sine
    cell = np.array([[a, 0, 0], [b * gamma, b * sine, 0], [c * x, c * y, c * np.sqrt(1 - x * x - y * y)]])
    return numbers, np.array(fractions) @ cell, cell


def pairs_of(structures: Structures) -> float:
    """Pairs of atoms of all structures."""
    return float((structures.sizes * (structures.sizes - 1) // 2).sum())


def sine_limit(structures: Structures) -> float:
    """Seconds: a sine and a cosine for each coordinate (as dear as exponentials), 40 operations for each pair."""
    return 6 * len(structures.numbers) / exp_rate() + 40 * pairs_of(structures) / flop_rate()


def ewald_limit(structures: Structures, accuracy: float = 1e-5) -> float:
    """Seconds: an exponential and 60 operations for each image of a pair, 10 for each wave and atom, 4 and pair."""
    assert structures.cells is not None
    sizes, volumes = structures.sizes.astype(float), np.abs(np.linalg.det(structures.cells))
    a, root = np.sqrt(np.pi) * (sizes / volumes**2) ** (1 / 6), np.sqrt(-np.log(accuracy))
    images = 4 / 3 * np.pi * (root / a) ** 3 / volumes
    waves = 0.5 * 4 / 3 * np.pi * (a * root / np.pi) ** 3 * volumes
    pairs = sizes * (sizes - 1) / 2
    terms = ((pairs + 1) * images).sum()
    return float(
        (terms + waves.sum()) / exp_rate()
        + (60 * terms + (10 * waves * sizes).sum() + (4 * waves * pairs).sum()) / flop_rate()
    )


def run(peers_python: str | None) -> list[Row]:
    """One row for each pair; and how much two threads give."""
    rows = []
    name, solids = crystals()
    n = len(solids)
    of_crystals: list[tuple[str, Representation, str, float | None, float]] = [
        (
            "sine matrix by row norm",
            SineMatrix(packed=False, length_unit="angstrom"),
            "result = np.array([sine['sorted_l2'].create(a) for a in atoms])",
            20.0,
            sine_limit(solids),
        ),
        (
            "sine matrix, eigenvalues",
            SineMatrix(permutation="eigenspectrum", length_unit="angstrom"),
            "result = np.array([sine['eigenspectrum'].create(a) for a in atoms])",
            20.0,
            sine_limit(solids) + float((4 / 3 * solids.sizes**3 + 30 * solids.sizes**2).sum()) / flop_rate(),
        ),
        (
            "Ewald sum matrix",
            EwaldMatrix(packed=False, length_unit="angstrom"),
            "result = np.array([ewald.create(a) for a in atoms])",
            100.0,
            ewald_limit(solids),
        ),
    ]
    _, molecules = some(2000)
    m = len(molecules)
    columns = AtomicCoulombMatrix().size(molecules.species)
    written = 8.0 * columns * len(molecules.numbers) / write_rate()
    of_molecules: list[tuple[str, Representation, str, float | None]] = [
        ("atomic Coulomb matrix by distance", AtomicCoulombMatrix(average="off"), "result = rows()", 3.0),
        (
            "atomic Coulomb matrix by row norm, cutoffs",
            AtomicCoulombMatrix(average="off", sorting="row-norm", central_cutoff=4.0, central_decay=1.0),
            "result = rows(sorting='row-norm', central_cutoff=4.0 / bohr, central_decay=1.0 / bohr)",
            3.0,
        ),
    ]
    if peers_python is not None:
        with Peer(peers_python) as peer:
            peer.send(z=solids.numbers, r=solids.positions, o=solids.offsets, cells=solids.cells)
            peer.run(CRYSTALS)
            for work, representation, code, demand, limit in of_crystals:
                timing = paired(lambda r=representation: r.compute(solids, threads=1), peer.task(code))
                peer.run(code)
                ours, theirs = representation.compute(solids).array, peer.fetch("result")
                rows.append(
                    timing.row(
                        f"{work}: {n} {name}, each",
                        peer.version("dscribe"),
                        n,
                        agreement=alike(ours, theirs),
                        demand=demand,
                        columns=ours.shape[1],
                        bound=bound(timing.ours, limit, "arithmetic"),
                    )
                )
            peer.send(z=molecules.numbers, r=molecules.positions, o=molecules.offsets)
            peer.run(MOLECULES + ATOMIC)
            for work, representation, code, demand in of_molecules:
                out = np.zeros((len(molecules.numbers), columns))
                timing = paired(
                    lambda r=representation, out=out: r.compute(molecules, out=out, threads=1), peer.task(code)
                )
                peer.run(code)
                theirs = peer.fetch("result")
                rows.append(
                    timing.row(
                        f"{work}: {m:,} of QM7, each",
                        peer.version("qmllib"),
                        m,
                        agreement=alike(out, theirs),
                        demand=demand,
                        columns=columns,
                        bound=bound(timing.ours, written, "writing"),
                    )
                )
    gradients: list[tuple[str, Representation]] = [
        ("Coulomb matrix by row norm", CoulombMatrix()),
        ("Coulomb matrix, eigenvalues", CoulombMatrix(permutation="eigenspectrum")),
        ("bag of bonds", BagOfBonds()),
    ]
    for work, representation in gradients:
        size = representation.size(molecules.species)
        buffer = representation.gradient(molecules, threads=1).array
        timing = paired(
            lambda r=representation, b=buffer: r.gradient(molecules, out=b, threads=1),
            lambda r=representation: differences(r, molecules),
            pairs=3,
        )
        rows.append(
            timing.row(
                f"gradient of {work}: {m:,} of QM7, each",
                "central differences of ours",
                m,
                columns=size,
                bound=bound(timing.ours, buffer.nbytes / write_rate(), "writing"),
            )
        )
    few = molecules.take(np.arange(0, m, 10))
    timing = paired(lambda: BAML().compute(few, threads=1), lambda: BagOfBonds().compute(few, threads=1), pairs=3)
    rows.append(
        timing.row(
            f"BAML, bonds known: {len(few)} of QM7, each",
            "bag of bonds",
            len(few),
            columns=BAML().size(few.species),
            note="atom types of a molecule seen before are remembered",
        )
    )
    many = solids.take(np.tile(np.arange(n), 100))
    for work, representation in (("sine matrix", SineMatrix()), ("Ewald sum matrix", EwaldMatrix())):
        copies = many if work.startswith("sine") else many.take(np.arange(20 * n))
        out = np.zeros((len(copies), representation.size(copies.species)))
        timing = paired(
            lambda r=representation, c=copies, out=out: r.compute(c, out=out, threads=2),
            lambda r=representation, c=copies, out=out: r.compute(c, out=out, threads=1),
        )
        title = f"{work}: two threads against one, {len(copies):,} crystals, each"
        rows.append(timing.row(title, "ours, one thread", len(copies), demand=1.7, columns=out.shape[1]))
    return rows


def differences(representation: Representation, structures: Structures) -> None:
    """What a user without gradients does for one molecule in a hundred: 6 N computations of one molecule in a batch.

    The time is that of a hundredth of the molecules, repeated for the whole.
    """
    for index in range(0, len(structures), 100):
        one = structures.take(np.full(6 * int(structures.sizes[index]), index))
        for _ in range(100):
            representation.compute(one, species=structures.species, threads=1)


def alike(ours: Any, theirs: Any) -> str:
    """As :func:`same`; rows in which ties stand in another order are counted and compared by their entries."""
    scale = np.abs(theirs).max(axis=1)
    tied = np.abs(ours - theirs).max(axis=1) > 1e-9 * scale
    if not tied.any():
        return same(ours, theirs)
    content = np.abs(np.sort(ours[tied], axis=1) - np.sort(theirs[tied], axis=1)).max(axis=1) / scale[tied]
    rest = same(ours[~tied], theirs[~tied]) if not tied.all() else ""
    return f"{rest}; {tied.sum():,} with ties in another order, same entries to {content.max():.0e}".lstrip("; ")
