"""Enumerated molecules: numbers known from the literature, GDB-11, filters, isomers, geometries, processes, files."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.enumeration import finds as finds_module
from qmlstudio.chem.enumeration import output, processes
from qmlstudio.chem.enumeration.filters import GRAPH_FILTERS, SKELETON_FILTERS, GraphFilter, SkeletonFilter
from qmlstudio.chem.enumeration.finds import Finds
from qmlstudio.chem.enumeration.geometry import IDEAL_VOLUME, NoGeometryError, geometry, least_volume
from qmlstudio.chem.enumeration.graphs import grown
from qmlstudio.chem.enumeration.molecules import MoleculeMaker, fillings
from qmlstudio.chem.enumeration.patterns import PATTERN_FILTERS
from qmlstudio.chem.enumeration.screens import present
from qmlstudio.chem.enumeration.shapes import Shape
from qmlstudio.chem.enumeration.stages import (
    FILTERS,
    Counts,
    Enumeration,
    Machine,
    Molecule,
    enumerate_molecules,
    parse_elements,
    sample,
    stages,
)
from qmlstudio.chem.enumeration.stereo import stereoisomers
from qmlstudio.chem.errors import DataError
from qmlstudio.progress import SILENT, Cancelled, Progress

GDB = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gdb11" / "gdb11_le7.smi.gz"


def run(**values: object) -> tuple[Counter[int], list[Molecule], Counts]:
    counts = Counts()
    found = list(enumerate_molecules(Enumeration(**values), counts, program=""))  # type: ignore[arg-type]
    return Counter(m.size for m in found), found, counts


@cache
def gdb() -> dict[int, set[str]]:
    from rdkit import Chem

    if not GDB.is_file():
        pytest.skip("GDB-11 is not beside the project")
    found: dict[int, set[str]] = {}
    with gzip.open(GDB, "rt") as file:
        for line in file:
            molecule = Chem.MolFromSmiles(line.split()[0])
            found.setdefault(molecule.GetNumAtoms(), set()).add(Chem.MolToSmiles(molecule))
    return found


def test_alkanes_and_their_stereoisomers() -> None:
    """Cayley's numbers, and those of Robinson, Harary, Balaban, Tetrahedron 32, 355 (1976)."""
    sizes, found, counts = run(n_heavy=8, elements="C", unsaturation=0, rings=0, stereo=True, without="all")
    assert [counts.of_size(n, "unique") for n in range(1, 9)] == [1, 1, 1, 2, 3, 5, 9, 18]
    assert [sizes[n] for n in range(1, 9)] == [1, 1, 1, 2, 3, 5, 11, 24]
    assert len({m.smiles for m in found}) == len(found)
    assert len({m.parent for m in found}) == 40


def test_isomers_of_formulas_are_complete() -> None:
    """Numbers of constitutional isomers, as MOLGEN gives them (C₆H₆: 217)."""
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    _, found, _ = run(n_heavy=6, elements="C", smallest=6, without="all", unsaturation=4)
    formulas = Counter(CalcMolFormula(MolFromSmiles(m.smiles)) for m in found)
    assert formulas["C6H14"] == 5
    assert formulas["C6H12"] == 25
    assert formulas["C6H10"] == 77
    # the two Kekulé forms of benzene are one
    assert formulas["C6H6"] == 217
    _, found, _ = run(n_heavy=4, elements="C3 O1", smallest=4, without="all")
    formulas = Counter(CalcMolFormula(MolFromSmiles(m.smiles)) for m in found)
    assert formulas["C3H8O"] == 3
    assert formulas["C3H6O"] == 9


def test_everything_against_brute_force() -> None:
    """Three atoms of C, N, O with all bond orders in all ways, written down without any cleverness."""
    from itertools import product

    from rdkit import Chem, rdBase

    kinds = {0: None, 1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    wanted = set()
    with rdBase.BlockLogs():
        for numbers in product((6, 7, 8), repeat=3):
            for orders in product(range(4), repeat=3):
                molecule = Chem.RWMol()
                for z in numbers:
                    molecule.AddAtom(Chem.Atom(z))
                for (i, j), order in zip(((0, 1), (0, 2), (1, 2)), orders, strict=True):
                    if order:
                        molecule.AddBond(i, j, kinds[order])
                if len(Chem.GetMolFrags(molecule)) > 1:
                    continue
                try:
                    Chem.SanitizeMol(molecule)
                except Chem.MolSanitizeException:
                    continue
                if Chem.GetFormalCharge(molecule) == 0 and not any(a.GetFormalCharge() for a in molecule.GetAtoms()):
                    wanted.add(Chem.MolToSmiles(molecule))  # pentavalent nitrogen was charged
    _, found, _ = run(n_heavy=3, smallest=3, without="all")
    assert {m.smiles for m in found} == wanted
    assert len(found) == len(wanted) == 74


def test_gdb11_is_found_before_filters_and_mostly_left_by_them() -> None:
    known = gdb()
    _, found, counts = run(n_heavy=5, without="all")
    everything = {n: {m.smiles for m in found if m.size == n} for n in range(1, 6)}
    assert [len(everything[n]) for n in range(1, 6)] == [3, 15, 74, 479, 3570]
    assert all(known[n] <= everything[n] for n in range(1, 6))
    assert counts.total("molecules") == 3 + 15 + 74 + 479 + 3570
    _, found, _ = run(n_heavy=6)
    kept = {n: {m.smiles for m in found if m.size == n} for n in range(1, 7)}
    assert all(kept[n] == known[n] for n in range(1, 5))
    hits = {n: len(kept[n] & known[n]) for n in (5, 6)}
    assert hits[5] == 276
    assert len(kept[5]) <= 280
    assert hits[6] / len(known[6]) > 0.985
    assert hits[6] / len(kept[6]) > 0.96


def test_six_heavy_atoms_of_gdb11_are_found_before_filters() -> None:
    """Over a third of the graphs, taken at random; the benchmark does all of them."""
    from rdkit import Chem

    known = gdb()[6]
    level = list(grown(6))[-1]
    chosen = random.Random(3).sample(range(len(level)), 26)
    machine = Machine(Enumeration(n_heavy=6, smallest=6, without="all"))
    shapes = set()
    found: set[str] = set()
    for k in chosen:
        mine = set(machine.molecules(level[k]))
        found |= mine
        shapes.add(skeleton_of(Chem.MolFromSmiles(next(iter(mine)))))
    mine = {s for s in known if skeleton_of(Chem.MolFromSmiles(s)) in shapes}
    assert len(mine) > 100
    assert mine <= found


def skeleton_of(molecule: object) -> str:
    from rdkit import Chem

    plain = Chem.RWMol()
    for _ in molecule.GetAtoms():  # type: ignore[attr-defined]
        plain.AddAtom(Chem.Atom(6))
    for bond in molecule.GetBonds():  # type: ignore[attr-defined]
        plain.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), Chem.BondType.SINGLE)
    return str(Chem.MolToSmiles(plain))


def test_elements() -> None:
    assert parse_elements("C1-6 N0-2, O-1 F2 S 3".replace(" 3", "")) == {
        "C": (1, 6),
        "N": (0, 2),
        "O": (0, 1),
        "F": (2, 2),
        "S": (0, None),
    }
    assert parse_elements("C2-") == {"C": (2, None)}
    for wrong, reason in (
        ("", "none"),
        ("C Xx", "Xx is none of"),
        ("C C", "twice"),
        ("C6-1", "leaves nothing"),
        ("c", "no element"),
        ("C1.5", "no element"),
    ):
        with pytest.raises(ValueError, match=reason):
            Enumeration(elements=wrong)
    sizes, found, _ = run(n_heavy=4, elements="C2- O1 F0-1", smallest=3)
    assert all(m.smiles.count("C") >= 2 and m.smiles.count("O") == 1 for m in found)
    assert sizes[3]
    assert sizes[4]
    assert run(n_heavy=3, elements="C5", without="all")[1] == []
    # fluorine has one neighbour: chains end with it
    assert {m.smiles for m in run(n_heavy=2, elements="F", without="all")[1]} == {"F", "FF"}


def test_higher_valences_and_nitro_groups() -> None:
    _, found, _ = run(n_heavy=5, smallest=4, elements="C2 S1 O1-2", higher_valences=True, without="all")
    smiles = {m.smiles for m in found}
    assert {"CS(C)=O", "CS(C)(=O)=O"} <= smiles
    assert "CS(C)C" not in smiles
    _, found, _ = run(n_heavy=4, smallest=4, elements="C1 N1 O2", nitro=True)
    assert "C[N+](=O)[O-]" in {m.smiles for m in found}
    _, found, _ = run(n_heavy=4, smallest=4, elements="C1 N1 O2")
    assert not any("+" in m.smiles for m in found)


def test_bad_values() -> None:
    for values, reason in (
        ({"n_heavy": 14}, "above"),
        ({"n_heavy": 0}, "below"),
        ({"smallest": 7}, "smallest"),
        ({"without": "enol,nonsense"}, "nonsense"),
    ):
        with pytest.raises(ValueError, match=reason):
            Enumeration(**values)  # type: ignore[arg-type]
    assert Enumeration.from_dict(Enumeration(n_heavy=5, without="enol").to_dict()).without == "enol"


def test_every_filter_can_be_switched_and_counts() -> None:
    names = [f.name for f in FILTERS]
    assert len(set(names)) == len(names)
    assert all(f.reason and f.title for f in FILTERS)
    _, with_enols, counts = run(n_heavy=3, without="enol", smallest=3)
    _, without, strict = run(n_heavy=3, smallest=3)
    assert {m.smiles for m in with_enols} - {m.smiles for m in without} == {"C=CO"}
    assert counts.total("enol") == 0
    assert strict.total("enol") == 1
    assert [s.name for s in stages(Enumeration(without="all"))] == ["graphs", "skeletons", "molecules", "unique"]
    assert len(stages(Enumeration(stereo=True, geometry=True))) == 4 + len(FILTERS) + 1 + 1 + 4
    for size in (3,):
        made = strict.of_size(size, "molecules")
        assert made - sum(strict.of_size(size, f.name) for f in PATTERN_FILTERS) == strict.of_size(size, "unique")


STRAINED = {
    "small_rings": ("C1CC12CC2", "C1C2CC1C2", "C12C3C4C1C5C2C3C45"),
    "bridgehead4": ("C1CC23CC1CC2C3",),
    "cumulated": ("C=C=C", "CC=C=O"),
    "ring_alkyne": ("C1CCCCC#C1",),
    "three_ring": ("C1C=C1", "C=C1CC1"),
    "four_ring": ("C1CC=C1", "C=C1CCC1=C", "CC=C1CCC1"),
    "bredt": ("C1CC2=CCC1C2",),
    "quaternary_three_ring": ("CC1(C=C)CC1",),
}
UNSTRAINED = (
    "C1CC1",
    "C1CCC12CCCC2",
    "CC1CCCCC1",
    "C1CC2CC1C=C2",
    "C=C1CCC1",
    "CC1(C)CC1",
    "C1CCCCCCC#C1",
    "C1CC2CCC1CC2",
)


def test_strain_filters() -> None:
    from rdkit import Chem

    from qmlstudio.chem.enumeration.molecules import Skeleton

    def rejecting(smiles: str) -> set[str]:
        molecule = Chem.MolFromSmiles(smiles)
        Chem.Kekulize(molecule, clearAromaticFlags=True)
        rows = np.zeros(molecule.GetNumAtoms(), np.uint16)
        bonds = {}
        for b in molecule.GetBonds():
            i, j = sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))
            rows[i] |= 1 << j
            rows[j] |= 1 << i
            bonds[i, j] = int(b.GetBondTypeAsDouble())
        shape = Shape(rows)
        ordered = dict(sorted(bonds.items()))
        skeleton = Skeleton(
            len(rows), tuple(ordered), tuple(ordered.values()), np.arange(len(rows), dtype=np.int8)[None]
        )
        found = {f.name for f in GRAPH_FILTERS if isinstance(f, GraphFilter) and f.rejects(shape)}
        return found | {
            f.name for f in SKELETON_FILTERS if isinstance(f, SkeletonFilter) and f.rejects(skeleton, shape)
        }

    for name, examples in STRAINED.items():
        for smiles in examples:
            assert name in rejecting(smiles), smiles
    for smiles in (*UNSTRAINED, "c1ccc2ccccc2c1", "c1onc2c1OC2"):
        assert rejecting(smiles) == set(), smiles


UNSTABLE = {
    "peroxide": ("COOC",),
    "hydrazine": ("CNN",),
    "hydroxylamine": ("CNO",),
    "azo": ("CN=NC", "CN=O"),
    "hetero_chain": ("O=CNNNC=O",),
    "small_hetero_ring": ("COC1CO1", "O=C1OCO1"),
    "four_ring_alkene": ("C=C1CCC1",),
    "enol": ("CC(O)=CC", "C=CS"),
    "enamine": ("C=CN(C)C",),
    "ynol": ("COC#CC",),
    "aminal": ("CNCNC", "CC(O)O", "COCO"),
    "cyanamide": ("CNC#N",),
    "imine": ("CC=NC",),
    "amidine": ("CN=C(C)N",),
    "acid": ("CNC(=O)O", "CC(=O)OC(C)=O"),
    "keto_acid": ("O=CCC(=O)O",),
    "amine_carbonyl": ("NCCC=O", "NCC#N"),
    "halogen": ("CC(=O)Cl", "CN(C)F", "COCCl"),
    "sulfur": ("CSN", "CC=S"),
}
STABLE = (
    "CCO", "CC(=O)NC", "c1ccccc1O", "CC=NO", "CC=NN", "NC=O", "COCOC", "C=CC(N)=O", "OC(=O)CN", "CC#N", "c1cc[nH]c1",
    "Oc1ccco1", "CCF", "c1ccsc1", "CSC", "NC(N)=O", "O=C1CCC1", "C[N+](=O)[O-]", "C=CNC=O",
)  # fmt: skip


def test_group_filters() -> None:
    from rdkit.Chem import MolFromSmiles

    machine = Machine(Enumeration())
    for name, examples in UNSTABLE.items():
        for smiles in examples:
            assert machine.rejected(MolFromSmiles(smiles)) == name, smiles
    for smiles in STABLE:
        assert machine.rejected(MolFromSmiles(smiles)) == "", smiles


@pytest.mark.parametrize(
    ("elements", "size"), [("C N O", 4), ("C0-3 N0-2 O0-2 S1 F0-1", 4), ("C0-2 N1-2 O2 P0-1 Cl0-1", 5)]
)
def test_screens_change_nothing(elements: str, size: int) -> None:
    """What a molecule's bonds exclude is not there: the filters' verdict is the same with and without them."""
    spec = Enumeration(n_heavy=size, smallest=size, elements=elements, nitro=True, higher_valences=True)
    machine = Machine(spec)
    compared = 0
    for graph in list(grown(size))[-1]:
        for skeleton in machine.skeletons(graph):
            maker = MoleculeMaker(skeleton, machine.elements)
            for block in fillings(skeleton, machine.elements):
                rows = block[:: max(1, len(block) // 40)]
                bits = present(skeleton, rows, machine.elements).tolist()
                for row, known in zip(rows.tolist(), bits, strict=True):
                    molecule = maker.molecule(row)
                    assert machine.rejected(molecule, known) == machine.rejected(molecule)
                    compared += 1
    assert compared > 100


def test_stereoisomers() -> None:
    from rdkit.Chem import MolFromSmiles

    def count(smiles: str) -> int:
        return len(stereoisomers(MolFromSmiles(smiles)))

    assert count("CC(O)C(C)O") == 3  # two mirror images and the meso form
    assert count("CC1CC(C)C1") == 2
    assert count("CC=CC=CC") == 3
    assert count("C1CCC=CC1") == 1
    assert count("CC1CN1C") == 2  # nitrogen inverts
    assert count("CCO") == 1
    assert len(stereoisomers(MolFromSmiles("CC(O)C(O)C(O)C(O)C"), most=4)) == 4


def test_geometries() -> None:
    from rdkit import Chem

    numbers, positions = geometry("CC", 1)
    ethane = Chem.AddHs(Chem.MolFromSmiles("CC"))
    assert numbers.tolist() == [6, 6] + [1] * 6
    assert abs(least_volume(ethane, positions) - IDEAL_VOLUME) < 0.01
    assert np.array_equal(geometry("CC", 1)[1], positions)
    flat = positions.copy()
    flat[:, 2] = 0
    assert least_volume(ethane, flat) < 0.05
    assert least_volume(Chem.AddHs(Chem.MolFromSmiles("O")), positions) == float("inf")
    for smiles, stage in (
        ("C1C2CC12", "strain"),
        ("C1CC12CC2", "strain"),
        ("C1CC[C@H]2C[C@@H]2C1".replace("CC[", "C["), "embedding"),
    ):
        with pytest.raises(NoGeometryError) as caught:
            geometry(smiles, 1)
        assert caught.value.stage == stage, smiles
    geometry("C1C2CC12", 1, volume=0.0)
    for smiles in ("C[C@H](O)[C@@H](C)F", "C/C=C\\C", "C/C=C/C"):
        geometry(smiles, 3)


def test_stream_with_geometries() -> None:
    _, found, counts = run(n_heavy=4, smallest=4, elements="C3- O0-1", stereo=True, geometry=True)
    assert len(found) == counts.total("geometries") - sum(
        counts.total(c) for c in ("embedding", "bonds", "strain", "isomer")
    )
    assert counts.total("isomers") >= counts.total("unique")
    made = output.dataset(found, Enumeration(n_heavy=4, stereo=True, geometry=True))
    assert len(made) == len(found)
    assert set(made.properties) == {"smiles", "constitution"}
    assert made.structures[0].formula
    assert "seed" in made.source.reference


def test_data_set_without_geometries() -> None:
    spec = Enumeration(n_heavy=2)
    found = run(n_heavy=2)[1]
    made = output.dataset(found, spec)
    assert made.smiles is not None
    assert set(made.smiles) == {m.smiles for m in found}
    assert sorted(made.structures.sizes.tolist())[:2] == [2, 3]  # O2, water
    with pytest.raises(DataError, match="no molecule"):
        output.dataset([], spec)


def test_processes_give_the_same() -> None:
    spec = Enumeration(n_heavy=4)
    counts, batches = Counts(), []
    last: list[float] = []
    report = Progress(report=lambda fraction, _: last.append(fraction))
    for batch in processes.run(spec, counts, report, workers=2):
        batches += batch
    _, alone, wanted = run(n_heavy=4)
    assert sorted(m.smiles for m in batches) == sorted(m.smiles for m in alone)
    assert +counts.counts == +wanted.counts
    assert last[-1] == 1.0


def test_processes_end_when_cancelled() -> None:
    import multiprocessing

    asked: list[int] = []

    def is_cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        for _ in processes.run(Enumeration(n_heavy=9), Counts(), Progress(is_cancelled=is_cancelled), workers=1):
            pass
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_told() -> None:
    import multiprocessing

    stream = processes.run(Enumeration(n_heavy=9), Counts(), workers=1)
    next(stream)
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(RuntimeError, match="too early"):
        list(stream)
    assert not multiprocessing.active_children()


def test_sample() -> None:
    found = sample(Enumeration(n_heavy=4), seconds=30, program="")
    kept = {m.smiles for m in run(n_heavy=4, smallest=4)[1]}
    assert set(found.molecules) <= kept
    assert len(found.molecules) > 20
    assert found.kept == len(kept)
    assert found.error == 0.0
    assert found.seconds > 0
    assert sample(Enumeration(n_heavy=3, elements="C9"), program="").molecules == ()


def test_cancelled() -> None:
    with pytest.raises(Cancelled):
        list(enumerate_molecules(Enumeration(n_heavy=6), progress=Progress(is_cancelled=lambda: True)))


def test_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finds_module.tempfile, "tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    molecules = run(n_heavy=3)[1]
    for most in (1000, 10):
        finds = Finds(Enumeration(n_heavy=3), most)
        for k in range(0, len(molecules), 4):
            finds.add(molecules[k : k + 4])
        finds.close()
        finds.wait(SILENT)
        assert finds.count == len(molecules)
        assert finds.is_complete == (most == 1000)
        for name, opener in (("a.smi", open), ("a.smi.gz", gzip.open)):
            finds.save(str(tmp_path / name))
            with opener(tmp_path / name, "rt") as file:
                lines = file.read().splitlines()
            assert [line.split("\t")[0] for line in lines] == [m.smiles for m in molecules]
        finds.discard()
        finds.add(molecules)
        assert not list((tmp_path / "spool").iterdir())
    with pytest.raises(OSError):
        finds.save(str(tmp_path / "none" / "a.smi"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.smi", "a.smi.gz", "spool"]


def test_table() -> None:
    _, _, counts = run(n_heavy=3)
    lines = output.table(Enumeration(n_heavy=3), counts).splitlines()
    assert lines[0].split() == ["heavy", "atoms", "1", "2", "3", "all"]
    assert lines[-1].split()[-4:] == ["3", "7", "17", "27"]
    assert next(line for line in lines if "O–O" in line).split()[-4:] == ["0", "-1", "-6", "-7"]
