"""Files of other programs, read by ASE."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import ase_formats, format_of, open_dataset
from qmlstudio.chem.readers.options import ReadOptions
from qmlstudio.chem.readers.streams import ByteStream
from qmlstudio.progress import SILENT, Cancelled, Progress

RNG = np.random.default_rng(0)


def frames(count: int = 4) -> list[Any]:
    from ase.build import molecule
    from ase.calculators.singlepoint import SinglePointCalculator

    found = []
    for k in range(count):
        atoms = molecule("CH3OH")
        atoms.center(4.0)
        atoms.pbc = True
        atoms.positions += RNG.normal(0, 0.03, atoms.positions.shape)
        results = {"energy": -30.0 - k, "forces": RNG.normal(size=(6, 3)), "dipole": np.array([0.0, 0.1, k])}
        atoms.calc = SinglePointCalculator(atoms, **results)
        found.append(atoms)
    return found


def save(path: Path, form: str, atoms: Any, **options: Any) -> Path:
    import ase.io

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase.io.write(path, atoms, format=form, **options)
    return path


def test_trajectory_with_energies_and_forces(tmp_path: Path) -> None:
    atoms = frames()
    path = save(tmp_path / "md@2.traj", "traj", atoms)  # the sign is no index
    data = open_dataset(path)
    assert data.ordered
    assert data.name == "md@2"
    assert len(data) == 4
    np.testing.assert_array_equal(data.structures.positions, np.concatenate([a.positions for a in atoms]))
    np.testing.assert_array_equal(data.structures.cells, [a.cell.array for a in atoms])
    p = data.properties
    assert (p["energy"].unit, p["forces"].unit, p["forces"].target) == ("eV", "eV/Å", "atom")
    assert p["energy"].values.tolist() == [-30, -31, -32, -33]
    np.testing.assert_array_equal(p["forces"].values, np.concatenate([a.get_forces() for a in atoms]))
    assert p["dipole_z"].values.tolist() == [0, 1, 2, 3]
    assert open_dataset(f"{path}#every=3").identifiers.tolist() == ["1", "4"]
    assert open_dataset(f"{path}#first=2").identifiers.tolist() == ["1", "2"]
    assert len(open_dataset(f"{path}#sample=3")) == 3


@pytest.mark.parametrize("name", ["set.db", "set.json"])
def test_database_with_keys(name: str, tmp_path: Path) -> None:
    import ase.db

    with ase.db.connect(tmp_path / name) as rows:
        for k, atoms in enumerate(frames(3)):
            rows.write(atoms, label=f"m{k}", gap=0.5 * k, name="methanol" if k else "first", data={"x": [1, 2]})
    data = open_dataset(tmp_path / name)
    assert not data.ordered
    assert data.identifiers.tolist() == ["first", "methanol", "methanol"]
    assert data.properties["label"].values.tolist() == ["m0", "m1", "m2"]
    assert data.properties["gap"].values.tolist() == [0, 0.5, 1]
    assert data.properties["energy"].values.tolist() == [-30, -31, -32]


@pytest.mark.parametrize(
    ("name", "form", "many", "atol"),
    [
        ("a.cube", "cube", False, 1e-5),
        ("a.gen", "gen", False, 1e-6),
        ("a.xsf", "xsf", True, 1e-6),
        ("a.pdb", "proteindatabank", True, 1e-3),
        ("a.gro", "gromacs", False, 1e-2),
        ("XDATCAR", "vasp-xdatcar", True, 1e-5),
        ("a.res", "res", False, 1e-4),
        ("a.cfg", "cfg", False, 1e-5),
        ("a.xsd", "xsd", False, 1e-5),
        ("geometry.in", "aims", False, 1e-6),
        ("a.rmc6f", "rmc6f", False, 1e-4),
    ],
)
def test_formats(name: str, form: str, many: bool, atol: float, tmp_path: Path) -> None:
    atoms = frames()
    path = save(tmp_path / name, form, atoms if many else atoms[0])
    data = open_dataset(path)
    assert data.source.format == f"{form}, read by ASE"
    assert len(data) == (4 if many else 1)
    assert data.structures.cells is not None
    k = len(data) - 1

    # some formats sort the atoms, some turn the cell: distances stay
    def distances(z: Any, r: Any) -> Any:
        apart = np.linalg.norm(r[:, None] - r, axis=2)
        return np.sort(apart[np.asarray(z)[:, None] + np.asarray(z) == 14])  # C with O

    found = data.structures[k]
    assert sorted(found.numbers.tolist()) == sorted(atoms[k].numbers.tolist())
    np.testing.assert_allclose(
        distances(found.numbers, found.positions), distances(atoms[k].numbers, atoms[k].positions), atol=atol
    )
    if name != "XDATCAR":
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert open_dataset(packed).structures.fingerprint == data.structures.fingerprint


_CELL = '<crystal><varray name="basis"><v> 6 0 0 </v><v> 0 6 0 </v><v> 0 0 6 </v></varray></crystal>'
_PLACES = '<varray name="positions"><v> 0 0 0 </v><v> 0 0 0.125 </v></varray>'
_ENERGY = "".join(f'<i name="{kind}"> -6.7 </i>' for kind in ("e_fr_energy", "e_wo_entrp", "e_0_energy"))
VASPRUN = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <kpoints>
  <varray name="kpointlist"><v> 0 0 0 </v></varray>
  <varray name="weights"><v> 1 </v></varray>
 </kpoints>
 <atominfo>
  <atoms> 2 </atoms>
  <array name="atoms"><set><rc><c>H </c><c> 1</c></rc><rc><c>H </c><c> 1</c></rc></set></array>
 </atominfo>
 <structure name="initialpos">{_CELL}{_PLACES}</structure>
 <calculation>
  <scstep><energy>{_ENERGY}</energy></scstep>
  <structure>{_CELL}{_PLACES}</structure>
  <varray name="forces"><v> 0 0 -0.5 </v><v> 0 0 0.5 </v></varray>
  <energy>{_ENERGY}</energy>
 </calculation>
</modeling>
"""


def test_vasprun(tmp_path: Path) -> None:
    path = tmp_path / "vasprun.xml"
    path.write_text(VASPRUN)
    data = open_dataset(path)
    assert data.source.format == "vasp-xml, read by ASE"
    np.testing.assert_allclose(data.structures[0].positions[1], [0, 0, 0.75])
    assert data.properties["energy"].values.tolist() == [-6.7]
    np.testing.assert_allclose(data.properties["forces"].values[1], [0, 0, 0.5])


def test_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "md.traj", "traj", frames(7))
    whole = open_dataset(path)
    from qmlstudio.chem.readers import builder

    monkeypatch.setattr(builder, "BATCH_BYTES", 1000)
    with ByteStream(path) as stream:
        form = format_of(stream)
        assert form.batches is not None
        parts = list(form.batches(stream, SILENT, ReadOptions()))
    assert len(parts) > 2
    assert [i for p in parts for i in p.identifiers] == whole.identifiers.tolist()


def test_what_ase_cannot_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.traj", "traj", frames())
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 3])
    with pytest.raises(DataError, match="ASE cannot read"):
        open_dataset(path)
    for name, text in (
        ("b.pdb", "ATOM nonsense\n"),
        ("c.cube", "a\nb\nc\n"),
        ("d.gen", "x\n"),
        ("vasprun.xml", "<modeling>"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError):
            open_dataset(tmp_path / name)
    path = save(tmp_path / "e.xsf", "xsf", frames())
    assert len(open_dataset(path)) == 4
    (tmp_path / "f.pdb").write_text(
        "ATOM      1  C   MOL     1       0.000   0.000   0.000  1.00  0.00           C  \n"
    )
    data = open_dataset(tmp_path / "f.pdb")
    assert data.structures.numbers.tolist() == [6]
    assert data.structures.cells is None
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=lambda: True))


def test_bytes_turned_over_never_raise_anything_else(tmp_path: Path) -> None:
    sources = [save(tmp_path / "a.traj", "traj", frames(2)), save(tmp_path / "a.pdb", "proteindatabank", frames(2))]
    sources.append(save(tmp_path / "a.xsf", "xsf", frames(2)))
    for source in sources:
        raw = source.read_bytes()
        for _ in range(40):
            data = bytearray(raw)
            for k in RNG.integers(0, len(raw), 5):
                data[k] = int(RNG.integers(0, 256))
            target = tmp_path / f"x{source.suffix}"
            target.write_bytes(bytes(data[: int(RNG.integers(10, len(raw)))]))
            try:
                assert np.isfinite(open_dataset(target).structures.positions).all()
            except DataError:
                continue


def test_every_named_format_is_one_of_ase() -> None:
    from ase.io.formats import ioformats

    named = {form for _, form in ase_formats._NAMES} | {form for _, form in ase_formats._SIGNS}
    assert named | {"traj", "db"} <= set(ioformats)
