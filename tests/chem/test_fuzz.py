"""Spoiled files of every text format: never an exception other than DataError, and nothing is lost in silence."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from tests.chem.fuzzing import BOUNDED, FEW, check, spoiled

PLAIN = b"3\nwater\nO 0 0 0.1\nH 0 0.75 -0.5\nH 0 -0.75 -0.5\n2\nE=-1.5\nH 0 0 0\nH 0 0 0.74\n1\n\nHe 1 2 3\n" * 2
EXTENDED = (
    b'2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 name="a b" pbc="T T T"\n'
    b"H 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n"
) * 3
QM9 = (
    b"4\ngdb 2\t293.60975\t293.54111\t191.39397\t1.6256\t9.46\t-0.257\t0.0829\t0.3399\t26.1563\t0.034358\t-56.525887\t"
    b"-56.523026\t-56.522082\t-56.544961\t6.316\t\nN\t-0.0404260543\t 1.0241077531\t 0.0625637998\t-0.707143\n"
    b"H\t 0.0172574639\t 0.0125452063\t-0.0273771593\t 0.235712\n"
    b"H\t 0.9157893661\t 1.3587451948\t-0.0287577581\t 0.235712\n"
    b"H\t-0.5202777357\t 1.3435321258\t-7.755426124*^-1\t 0.23572\n1103.8733\t1684.1158\t3575.2414\n"
    b"N\tN\t\nInChI=1S/H3N/h1H3\tInChI=1S/H3N/h1H3\n"
)
SDF = (
    b"h2\n     x           3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 H   0  0\n"
    b"    0.0000    0.0000    0.7400 H   0  0\n  1  2  1  0\nM  END\n>  <E>\n-1.5\n\n$$$$\n"
) * 3
TABLE = b'smiles,name,"E [eV]"\nC,methane,-1\nO,"water, pure",-2\nN,ammonia,\n'
LISTS = (
    b";atomtypes;coordinates;forces;name;total_energy\n"
    b"0;['H', 'H'];[[0, 0, 0], [0, 0, 0.74]];[[0, 0, 1], [0, 0, -1]];a;-1.5\n"
    b"1;['He'];[[0, 0, 0]];[[0, 0, 0]];b;-2.5\n"
)
CIF = (
    b"data_NaCl\n_cell_length_a 5.64\n_cell_length_b 5.64\n_cell_length_c 5.64\n_cell_angle_alpha 90\n"
    b"_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_label\n"
    b"_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa 0 0 0\nCl 0.5 0.5 0.5\n"
)
POSCAR = b"NaCl\n1.0\n5.64 0 0\n0 5.64 0\n0 0 5.64\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
SMILES = b"C methane\nCC\tethane\n# note\nO=C=O 3\nN\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def frames(data: bytes) -> int:
    """Frames of xyz text that anybody would take for whole: a count, a comment, as many lines of element and numbers.

    Counted in the simplest way, so that it shares nothing with the reader.
    """
    lines = data.decode("latin-1").split("\n")
    count = at = 0
    atom = re.compile(r"\s*[A-Z][a-z]?(\s+-?\d{1,4}(\.\d+)?){3,7}\s*")
    while at < len(lines):
        text = lines[at].strip()
        n = int(text) if re.fullmatch(r"[1-9]\d?", text) else 0
        if n and all(atom.fullmatch(line) for line in lines[at + 2 : at + 2 + n]) and at + 2 + n <= len(lines):
            count += 1
            at += 2 + n
        else:
            at += 1
    return count


@BOUNDED
@given(spoiled(PLAIN))
def test_xyz(folder: Path, data: bytes) -> None:
    found = check(folder / "a.xyz", data)
    if found is not None and b"\r" not in data and b"\0" not in data:
        assert len(found) + len(found.problems) >= frames(data)


@BOUNDED
@given(spoiled(EXTENDED))
def test_extended_xyz(folder: Path, data: bytes) -> None:
    found = check(folder / "a.xyz", data)
    if found is not None and b"\r" not in data and b"\0" not in data:
        assert len(found) + len(found.problems) >= frames(data)


def test_frames_are_counted() -> None:
    assert frames(PLAIN) == 6
    assert frames(EXTENDED) == 3
    assert frames(PLAIN[: len(PLAIN) // 2 + 5]) == 3
    assert frames(b"7\n\nH 0 0 0\n") == 0


@FEW
@given(st.lists(spoiled(QM9), min_size=1, max_size=3))
def test_qm9_archive(folder: Path, files: list[bytes]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("dsgdb9nsd_000001.xyz", QM9)
        for k, data in enumerate(files, 2):
            archive.writestr(f"dsgdb9nsd_{k:06d}.xyz", data)
    found = check(folder / "a.zip", out.getvalue())
    assert found is not None
    assert found.properties["U0"].values[0] == -56.525887
    assert len(found) + len(found.problems) >= 1 + len(files)


@BOUNDED
@given(spoiled(SDF))
def test_sdf(folder: Path, data: bytes) -> None:
    found = check(folder / "a.sdf", data)
    if found is not None and b"\r" not in data and b"\0" not in data:
        assert len(found) + len(found.problems) >= len(re.findall(rb"^M  END$", data, re.MULTILINE))


@FEW
@given(spoiled(TABLE))
def test_table_of_smiles(folder: Path, data: bytes) -> None:
    check(folder / "a.csv", data)


@BOUNDED
@given(spoiled(LISTS))
def test_table_of_geometries(folder: Path, data: bytes) -> None:
    check(folder / "a.csv", data)


@FEW
@given(spoiled(SMILES))
def test_smiles(folder: Path, data: bytes) -> None:
    found = check(folder / "a.smi", data)
    if found is not None and b"\r" not in data and b"\0" not in data and data.isascii():
        lines = [line for line in data.split(b"\n") if line.strip() and not line.startswith(b"#")]
        assert len(found) + len(found.problems) >= len(lines)


@FEW
@given(spoiled(CIF))
def test_cif(folder: Path, data: bytes) -> None:
    check(folder / "a.cif", data)


@FEW
@given(spoiled(POSCAR))
def test_poscar(folder: Path, data: bytes) -> None:
    check(folder / "POSCAR.vasp", data)


@BOUNDED
@given(spoiled(gzip.compress(PLAIN, mtime=0)))
def test_compressed(folder: Path, data: bytes) -> None:
    found = check(folder / "a.xyz.gz", data)
    if found is not None and len(found) < 6:
        assert found.problems


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("1.xyz", "a" * 120 + "/2.xyz", "µ/3.xyz", "E.csv"):
            content = b"file,E [eV]\n1.xyz,1\n3.xyz,2\n" if name == "E.csv" else PLAIN[:60]
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@BOUNDED
@given(spoiled(tar()))
def test_tar(folder: Path, data: bytes) -> None:
    check(folder / "a.tar", data)


def mat() -> bytes:
    out = io.BytesIO()
    z = np.array([[8.0, 1, 1], [1, 1, 0]])
    r = np.array([[[0, 0, 0.2], [0, 1.4, -1], [0, -1.4, -1]], [[0, 0, 0], [0, 0, 1.4], [0, 0, 0]]])
    savemat(out, {"Z": z, "R": r, "T": np.array([[-1.0, -2.0]])})
    return out.getvalue()


@FEW
@given(spoiled(mat()))
def test_matlab(folder: Path, data: bytes) -> None:
    check(folder / "a.mat", data)


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, R=np.arange(18.0).reshape(3, 2, 3), z=np.array([1, 1]), E=np.ones((3, 1)))
    return out.getvalue()


@FEW
@given(spoiled(npz()))
def test_npz(folder: Path, data: bytes) -> None:
    check(folder / "a.npz", data)


@pytest.mark.parametrize("name", ["a.xyz", "a.sdf", "a.csv", "a.smi", "a.cif", "a.vasp", "a.json", "a.lammpstrj"])
def test_huge_counts_take_no_time_and_no_memory(folder: Path, name: str) -> None:
    for text in (b"99999999999\nx\nH 0 0 0\n", b"4000000000\n" * 500, b"9" * 200_000, b"(" * 100_000, b"[" * 100_000):
        check(folder / name, text)
