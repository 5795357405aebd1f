"""xyz in all its dialects, and what is said of files that are wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset, read_text
from qmlstudio.chem.readers.frames import FrameError, layout_of_properties
from qmlstudio.chem.readers.xyz import parse_comment, stem_of
from qmlstudio.progress import Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")

WATER = ["O 0.0 0.0 0.117", "H 0.0 0.757 -0.469", "H 0.0 -0.757 -0.469"]


def frame(comment: str = "", atoms: list[str] | None = None) -> str:
    atoms = WATER if atoms is None else atoms
    return "\n".join([str(len(atoms)), comment, *atoms]) + "\n"


def write(folder: Path, text: str | bytes, name: str = "a.xyz") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_plain(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, frame("water")))
    assert data.name == "a"
    assert len(data) == 1
    assert not data.ordered
    assert data.problems == ()
    assert data.structures.numbers.tolist() == [8, 1, 1]
    np.testing.assert_array_equal(data.structures.positions[1], [0.0, 0.757, -0.469])
    assert data.structures.cells is None
    assert data.properties["comment"].values.tolist() == ["water"]
    assert data.source.format == "xyz"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path: Path, ending: str, last: bool) -> None:
    text = (frame() + frame()).replace("\n", ending)
    data = open_dataset(write(tmp_path, text if last else text.rstrip()))
    assert len(data) == 2
    assert data.ordered
    assert data.problems == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    data = open_dataset(write(tmp_path, frame("name=Weißbäcker").encode(encoding)))
    assert data.properties["name"].values.tolist() == ["Weißbäcker"]


def test_equal_atoms_are_frames_and_others_are_not(tmp_path: Path) -> None:
    hydrogen = frame("", ["H 0 0 0", "H 0 0 0.74"])
    assert open_dataset(write(tmp_path, frame() + "\n\n" + frame())).ordered
    mixed = open_dataset(write(tmp_path, frame() + hydrogen))
    assert not mixed.ordered
    assert mixed.structures.sizes.tolist() == [3, 2]
    swapped = open_dataset(write(tmp_path, frame() + frame("", [WATER[1], WATER[0], WATER[2]])))
    assert not swapped.ordered


def test_numbers_labels_and_exponents(tmp_path: Path) -> None:
    atoms = ["6 0 0 0", "cl 1.7D0 0 0", "H12 -1.0e+00 0 0", "D 0 1.*^0 0", "Fe 0 0 2.1"]
    data = open_dataset(write(tmp_path, frame("", atoms)))
    assert data.structures.numbers.tolist() == [6, 17, 1, 1, 26]
    assert data.structures.positions[1, 0] == 1.7
    assert data.structures.positions[3, 1] == 1.0


def test_further_columns_of_plain_files(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, frame("", [f"{a} {k} 0.5" for k, a in enumerate(WATER)])))
    assert data.properties["column 5"].values.tolist() == [0.0, 1.0, 2.0]
    assert data.properties["column 5"].target == "atom"
    data = open_dataset(write(tmp_path, frame("", [f"{a} OW" for a in WATER]) * 2))
    assert data.properties == {}
    assert data.problems == ()
    ragged = frame("", [WATER[0] + " 1 2", WATER[1], WATER[2] + " x"])
    assert len(open_dataset(write(tmp_path, ragged))) == 1


def test_extended(tmp_path: Path) -> None:
    comment = (
        'Lattice="10 0 0 0 11 0 0 0 12" Properties=species:S:1:pos:R:3:forces:R:3:tag:I:1:fixed:L:1:site:S:1:q:R:2 '
        'energy=-1.5 config_type="two words" dipole="0.1 0.2 0.3" label=\'x\' run=300_1 bad=T pbc="T T T"'
    )
    atoms = [f"{a} 0.1 0.2 0.{k} {k} T s{k} 1 2" for k, a in enumerate(WATER)]
    data = open_dataset(write(tmp_path, frame(comment, atoms) * 2))
    p = data.properties
    assert data.source.format == "extended xyz"
    assert data.structures.cells is not None
    np.testing.assert_array_equal(data.structures.cells[1], np.diag([10.0, 11.0, 12.0]))
    assert p["energy"].unit == "eV"
    assert p["energy"].values.tolist() == [-1.5, -1.5]
    assert "extended xyz" in p["energy"].description
    assert p["forces"].unit == "eV/Å"
    assert p["forces"].values.shape == (6, 3)
    assert p["forces"].values[4].tolist() == [0.1, 0.2, 0.1]
    assert p["tag"].values.tolist() == [0, 1, 2] * 2
    assert p["fixed"].values.tolist() == [1.0] * 6
    assert p["site"].values.tolist() == ["s0", "s1", "s2"] * 2
    assert p["q_2"].values.tolist() == [2.0] * 6
    assert p["config_type"].values.tolist() == ["two words"] * 2
    assert p["dipole_z"].values.tolist() == [0.3, 0.3]
    assert p["label"].values[0] == "x"
    assert p["run"].values[0] == "300_1"
    assert p["bad"].values.tolist() == [1.0, 1.0]
    assert "pbc" not in p


def test_columns_in_any_order(tmp_path: Path) -> None:
    comment = "Properties=pos:R:3:Z:I:1:m:R:1"
    data = open_dataset(write(tmp_path, frame(comment, ["0 0 0.1 8 7.5", "0 0.7 -0.4 1 1.25"])))
    assert data.structures.numbers.tolist() == [8, 1]
    assert data.structures.positions[:, 2].tolist() == [0.1, -0.4]
    assert data.properties["m"].values.tolist() == [7.5, 1.25]


def test_lattice_without_periodicity_is_no_cell(tmp_path: Path) -> None:
    text = frame('Lattice="10 0 0 0 10 0 0 0 10" pbc="F F F"') + frame('Lattice="10 0 0 0 10 0 0 0 10" pbc="T F F"')
    data = open_dataset(write(tmp_path, text))
    assert data.structures[0].cell is None
    assert data.structures[1].cell is not None
    flat = open_dataset(write(tmp_path, frame('Lattice="0 0 0 0 0 0 0 0 0"')))
    assert flat.structures.cells is None


def test_missing_values_are_nan(tmp_path: Path) -> None:
    text = frame("energy=1 name=a") + frame("energy=2 other=5") + frame("name=b")
    p = open_dataset(write(tmp_path, text)).properties
    np.testing.assert_array_equal(p["energy"].values, [1, 2, np.nan])
    np.testing.assert_array_equal(p["other"].values, [np.nan, 5, np.nan])
    assert p["name"].values.tolist() == ["a", "", "b"]
    assert p["energy"].unit == ""  # plain xyz says nothing of units


def test_atom_columns_in_some_frames_only(tmp_path: Path) -> None:
    with_forces = frame("Properties=species:S:1:pos:R:3:forces:R:3", [a + " 1 2 3" for a in WATER])
    data = open_dataset(write(tmp_path, with_forces + frame("Properties=species:S:1:pos:R:3") + with_forces))
    forces = data.properties["forces"].values
    assert forces.shape == (9, 3)
    assert np.isnan(forces[3:6]).all()
    assert forces[8].tolist() == [1, 2, 3]


def test_numbers_in_some_frames_and_words_in_others(tmp_path: Path) -> None:
    far = ["He 0 0 0"] * 1
    many = "".join(frame("k=1.5", far) for _ in range(9000)) + frame("k=word", far)
    values = open_dataset(write(tmp_path, many)).properties["k"].values
    assert values[0] == "1.5"
    assert values[-1] == "word"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("", {}),
        ("charge = 0", {"charge": "0"}),
        ("i = 3, time = 1.500, E = -17.2", {"i": "3", "time": "1.500", "E": "-17.2"}),
        (r'a="say \"no\"" b={1 2} c=[1, 2]', {"a": 'say "no"', "b": "1 2", "c": "1  2"}),
        ('"two words"=3 flag x=1', {"two words": "3", "x": "1"}),
        ("http://x?y=1", {"http://x?y": "1"}),
        ("-76.4", {"comment": "-76.4"}),
        ("= = =", {"comment": "= = ="}),
    ],
)
def test_comments(comment: str, expected: dict[str, str]) -> None:
    assert parse_comment(comment) == expected


def test_long_comments_take_no_time() -> None:
    for evil in ("a" * 300_000 + "=", '"' * 300_000 + "=", 'x="' * 100_000, "{[" * 100_000 + "=", " =" * 100_000):
        parse_comment(evil)  # quadratic matching would take minutes


def test_bare_numbers_as_comments(tmp_path: Path) -> None:
    values = open_dataset(write(tmp_path, frame("-76.4") + frame("-76.3"))).properties["comment"].values
    assert values.tolist() == [-76.4, -76.3]


def test_identifier_key(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, frame('identifier="gdb 7"') + frame()))
    assert data.identifiers.tolist() == ["gdb 7", "2"]
    assert "identifier" not in data.properties


def test_qm9_layout(tmp_path: Path) -> None:
    text = (
        "5\ngdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893"
        "\t-40.476062\t-40.475117\t-40.498597\t6.469\t\n"
        "C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689\n"
        "H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921\n"
        "H\t 1.0117308433\t 1.4637511618\t 2.7652*^-4\t 0.133922\n"
        "H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923\n"
        "H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923\n"
        "1341.307\t1341.3284\t3151.7034\t3151.7243\nC\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n"
    )
    for copies in (1, 3):
        data = open_dataset(write(tmp_path, text * copies))
        p = data.properties
        assert len(data) == copies
        assert data.problems == ()
        assert data.identifiers[0] == "gdb 1"
        assert p["A"].values[0] == 157.7118
        assert p["A"].unit == "GHz"
        assert p["Cv"].values[0] == 6.469
        assert p["U0"].values[-1] == -40.47893
        assert [p[k].unit for k in ("mu", "gap", "U0", "Cv")] == ["D", "Ha", "Ha", "cal/(mol K)"]
        assert p["smiles"].values[0] == "C"
        assert p["inchi"].values[0] == "InChI=1S/CH4/h1H4"
        assert p["frequency_highest"].values[0] == 3151.7243
        assert p["charge"].target == "atom"
        assert p["charge"].values[:2].tolist() == [-0.535689, 0.133921]
        assert data.structures.positions[2, 2] == 2.7652e-4
    # atomization energy of methane from the known energies of the free atoms
    u0 = (p["U0"].values[0] + 37.846772 + 4 * 0.500273) * 627.5094740631
    assert u0 == pytest.approx(-396.0, abs=0.01)


GOOD = frame("good=1")
BAD: dict[str, tuple[str, int, str]] = {
    "NaN": (frame("", [WATER[0], "H nan 0.7 0", WATER[2]]), 4, "finite"),
    "infinity": (frame("", ["O inf 0 0", *WATER[1:]]), 3, "finite"),
    "unknown element": (frame("", [WATER[0], "Qq 0 0.7 0", WATER[2]]), 4, "unknown element 'Qq'"),
    "dummy atom": (frame("", ["X 0 0 0", *WATER[1:]]), 3, "unknown element"),
    "no number": (frame("", [WATER[0], WATER[1], "H 0 zero 1"]), 5, "'zero' is not a number"),
    "columns": (frame("", [WATER[0], "H 0 0.7 0", "H 0 0"]), 5, "3 columns where 4"),
    "coincident": (frame("", [WATER[0], "H 0 0.7 0", "H 0 0.7 0.02"]), 5, "atoms 2 and 3 lie on top"),
    "too few": ("4\n\n" + "\n".join(WATER) + "\n", 1, "4 atoms are announced, 3 lines"),
    "too many": ("2\n\n" + "\n".join(WATER) + "\n", 1, "2 atoms are announced, 3"),
    "no atoms": ("0\n\n", 1, "without atoms"),
    "garbage": ("what is this\n", 1, "number of atoms is expected"),
    "lattice": (frame('Lattice="1 2 3 4"'), 2, "nine numbers"),
    "layout": (frame("Properties=species:S:1:pos:Q:3"), 2, "cannot be understood"),
    "no positions": (frame("Properties=species:S:1:x:R:3"), 2, "no pos:R:3"),
    "layout too wide": (frame("Properties=species:S:1:pos:R:3:f:R:3"), 3, "4 columns where 7"),
    "huge count": ("999999999\n\nH 0 0 0\n", 1, "999999999 atoms"),
    "negative": ("-3\n\nH 0 0 0\n", 1, "number of atoms is expected"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_good_structures_of_partly_bad_files_are_kept(tmp_path: Path, case: str, place: str) -> None:
    bad, line, message = BAD[case]
    before = {"first": 0, "middle": 2, "last": 3}[place]
    data = open_dataset(write(tmp_path, GOOD * before + bad + GOOD * (3 - before)))
    assert len(data) == 3
    assert data.properties["good"].values.tolist() == [1, 1, 1]
    assert len(data.problems) == 1
    problem = data.problems[0]
    assert problem.where.endswith("a.xyz")
    if place == "last" and case in ("too few", "huge count"):
        message = "the file ends after"
    assert message in problem.message
    assert problem.line == 5 * before + line
    assert problem.index == (None if case in ("garbage", "negative") else before)
    assert problem.remedy


@pytest.mark.parametrize("case", BAD)
def test_nothing_left_is_an_error(tmp_path: Path, case: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(write(tmp_path, BAD[case][0]))
    assert "a.xyz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_file_keeps_what_is_whole(tmp_path: Path) -> None:
    text = GOOD * 3
    for cut in range(len(GOOD) * 2, len(text) - 8):
        data = open_dataset(write(tmp_path, text[:cut]))
        assert len(data) == 2
        if text[len(GOOD) * 2 : cut].strip():
            assert len(data.problems) == 1
            message = data.problems[0].message
            assert "ends after" in message or "columns where 4" in message
            assert data.problems[0].line in (11, 13, 14, 15)


def test_text_behind_the_last_structure(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, GOOD + "# made by hand\n" + GOOD + "the end\n"))
    assert len(data) == 2
    assert [p.line for p in data.problems] == [6, 12]


def test_many_bad_structures_are_counted(tmp_path: Path) -> None:
    bad = frame("", ["H nan 0 0"])
    data = open_dataset(write(tmp_path, GOOD + bad * 1500))
    assert len(data.problems) == 1001
    assert "and 500 more" in data.problems[-1].message


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError):
        open_dataset(write(tmp_path, content))


def test_compressed_and_damaged(tmp_path: Path) -> None:
    packed = gzip.compress((GOOD * 4000).encode() + bytes(range(256)) * 0, mtime=0)
    assert len(open_dataset(write(tmp_path, packed, "a.xyz.gz"))) == 4000
    rng = np.random.default_rng(1)
    frames = [frame("", [f"He {x:.9f} 0 0"]) for x in rng.uniform(-9, 9, 20000)]
    packed = gzip.compress("".join(frames).encode(), mtime=0)
    data = open_dataset(write(tmp_path, packed[: len(packed) // 2], "a.xyz.gz"))
    assert 5000 < len(data) < 15000
    assert any("damaged" in p.message for p in data.problems)


def test_progress_and_cancel(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD * 60_000)
    seen: list[float] = []
    data = open_dataset(path, Progress(lambda f, m: seen.append(f), interval=0.0))
    assert len(data) == 60_000
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    calls: list[int] = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=stop))
    assert len(calls) < 6


def test_frames_larger_than_a_block(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    r = rng.uniform(0, 300, (40_000, 3))
    atoms = [f"Ar {x!r} {y!r} {z!r}" for x, y, z in r.tolist()]
    data = open_dataset(write(tmp_path, frame("", atoms) * 2))
    assert len(data) == 2
    np.testing.assert_array_equal(data.structures.positions[40_000:], r)


def test_pasted() -> None:
    assert len(read_text(frame() * 2)) == 2
    bare = read_text("\n".join(WATER))
    assert bare.structures.numbers.tolist() == [8, 1, 1]
    assert bare.name == "pasted"
    assert bare.source.path == ""


def test_layout_is_remembered() -> None:
    assert layout_of_properties("species:S:1:pos:R:3") is layout_of_properties("species:S:1:pos:R:3")
    with pytest.raises(FrameError):
        layout_of_properties("species:S")


def test_stems() -> None:
    assert [stem_of(n) for n in ("qm7.tar.gz", "a.b.xyz", ".xyz", "x", "md17.v2.npz")] == [
        "qm7", "a.b", ".xyz", "x", "md17.v2",
    ]  # fmt: skip


@shared
@pytest.mark.shared
def test_real_extended_files() -> None:
    data = open_dataset(SHARED / "extxyz" / "acac_300K.xyz")
    assert len(data) == 500
    assert data.ordered
    assert data.structures.cells is None  # a box of 50 Å, but pbc="F F F"
    assert data.properties["energy"].values[0] == -9391.45554428476
    assert data.properties["energy"].unit == "eV"
    assert data.properties["dihedral_angle"].values[0] == 8.02164373962562
    assert data.properties["forces"].values[0].tolist() == [1.47339228, 1.13796366, 0.06391102]
    assert np.abs(data.properties["forces"].values.reshape(500, 15, 3).sum(axis=1)).max() < 1e-3
    assert len(open_dataset(SHARED / "extxyz" / "ethanol_md.xyz")) == 1000
    assert len(open_dataset(SHARED / "extxyz" / "acac_dihedral.xyz")) == 45


@shared
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "formula", "gap", "smiles"),
    [
        ("017001", "C7H10O", 0.2937, "C1C23CCC12OCC3"),
        ("067017", "C7H9NO", 0.2217, "CC12C3NC1(C)C(=O)C23"),
        ("129001", "C4H3N5", 0.1781, "N1N=CC2=NC=NC2=N1"),
    ],
)
def test_real_qm9_files(name: str, formula: str, gap: float, smiles: str) -> None:
    data = open_dataset(SHARED / "qm9" / f"dsgdb9nsd_{name}.xyz")
    assert data.problems == ()
    assert data.structures[0].formula == formula
    assert data.properties["gap"].values[0] == gap
    assert data.smiles is not None
    assert data.smiles[0] == smiles
    assert data.identifiers[0] == f"gdb {int(name)}"
    assert abs(data.properties["charge"].values.sum()) < 1e-4
