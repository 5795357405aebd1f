"""From a data set to columns and data sets, through real processes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.units import HARTREE
from qmlstudio.command_line import run as command_line
from qmlstudio.quantum.batch import Calculation, compute, estimate
from qmlstudio.quantum.command import numbers_in
from qmlstudio.quantum.methods import GFN1
from qmlstudio.quantum.records import Records
from qmlstudio.quantum.results import columns, dataset_of
from qmlstudio.quantum.tasks import Dynamics, NormalModes, Optimize

pytest.importorskip("tblite")


def test_columns_and_their_merging(small: Dataset, tmp_path: Path) -> None:
    wanted = Calculation(quantities=("energy", "forces", "dipole_vector"))
    with Records(tmp_path / "r.sqlite") as records:
        first = compute(small, [12, 0], wanted, workers=1, records=records)
        made = columns(first, small, {})
        assert list(made) == ["energy_gfn2", "forces_gfn2", "dipole_x_gfn2", "dipole_y_gfn2", "dipole_z_gfn2"]
        energy = made["energy_gfn2"]
        assert energy.unit == "Ha"
        assert re.match(r"total energy, GFN2-xTB \(tblite \d", energy.description)
        assert np.flatnonzero(np.isfinite(energy.values)).tolist() == [0, 12]
        assert energy.values[0] == pytest.approx(-5.0702, abs=1e-4)
        forces = made["forces_gfn2"]
        assert (forces.unit, forces.target, forces.values.shape) == ("eV/Å", "atom", (38, 3))
        assert np.isnan(forces.values[3:36]).all()
        assert np.isfinite(forces.values[36:]).all()

        second = compute(small, [0, 1], wanted, workers=1, records=records)
        assert (second.kept, second.computed) == (1, 1)
        both = columns(second, small, made)
        assert np.flatnonzero(np.isfinite(both["energy_gfn2"].values)).tolist() == [0, 1, 12]
        np.testing.assert_array_equal(both["forces_gfn2"].values[36:], forces.values[36:])
    # of other parameters nothing is taken over
    other = replace(second, calculation=replace(wanted, method=wanted.method.with_values(accuracy=0.5)))
    apart = columns(other, small, made)["energy_gfn2"]
    assert np.flatnonzero(np.isfinite(apart.values)).tolist() == [0, 1]
    assert "accuracy=0.5" in apart.description


def test_optimised_geometries_are_a_data_set(small: Dataset) -> None:
    texts = Property(np.array([f"t{k}" for k in range(13)]))
    given = replace(small, properties={"label": texts, "old": Property(np.arange(13.0))})
    outcome = compute(given, [3, 12], Calculation(task=Optimize(), quantities=("energy", "forces")), workers=1)
    made = dataset_of(outcome, given)
    assert made.identifiers.tolist() == ["w3", "co"]
    assert made.properties["label"].values.tolist() == ["t3", "t12"]
    assert "old" not in made.properties, "numbers of the other geometry"
    assert made.structures.numbers.tolist() == [8, 1, 1, 6, 8]
    assert made.properties["energy_gfn2"].values[0] == pytest.approx(-5.070544, abs=1e-5)
    assert np.abs(made.properties["forces_gfn2"].values).max() <= 0.01
    rmsd = made.properties["rmsd_gfn2"]
    assert rmsd.unit == "Å"
    distance = np.linalg.norm(made.structures[1].positions[0] - made.structures[1].positions[1])
    assert distance == pytest.approx(1.1310, abs=0.02)
    assert rmsd.values[1] == pytest.approx(abs(distance - 1.13) / 2, abs=1e-6)
    assert "GFN2-xTB" in made.name


def test_samples_are_data_sets(small: Dataset) -> None:
    task = Dynamics(steps=20, every=5, equilibration=0)
    one = dataset_of(compute(small, [0], Calculation(task=task), workers=1), small)
    assert one.ordered
    assert len(one) == 5
    assert (one.properties["energy"].unit, one.properties["forces"].unit) == ("eV", "eV/Å")
    assert one.properties["energy"].values[0] == pytest.approx(-5.07 * HARTREE, abs=0.2)
    assert one.properties["temperature"].unit == "K"
    np.testing.assert_allclose(one.properties["time"].values, [0, 2.5, 5, 7.5, 10])
    total = one.properties["energy"].values + one.properties["kinetic_energy"].values
    np.testing.assert_array_equal(one.properties["total_energy"].values, total)
    assert one.identifiers[0] == "w0/1"
    both = dataset_of(compute(small, [0, 12], Calculation(task=NormalModes(count=4)), workers=2), small)
    assert not both.ordered
    assert both.structures.sizes.tolist() == [3] * 5 + [2] * 5
    assert both.properties["molecule"].values.tolist() == ["w0"] * 5 + ["co"] * 5
    assert both.properties["above_minimum"].values[[0, 5]].tolist() == [0, 0]


def test_estimate_tries_a_few(small: Dataset) -> None:
    broken = replace(small, structures=replace(small.structures, positions=small.structures.positions * 0))
    found = estimate(small, slice(None), Calculation(method=GFN1()), workers=2)
    assert found.sample == 5
    assert found.seconds == pytest.approx(found.per_structure * 13 / 2)
    assert not found.failures
    assert len(estimate(broken, slice(None), Calculation(), workers=1).failures) == 5
    assert estimate(small, [], Calculation()).sample == 0


def test_numbers_of_structures() -> None:
    assert numbers_in("", 3).tolist() == [0, 1, 2]
    assert numbers_in("3, 1-2,2", 5).tolist() == [0, 1, 2]
    for wrong in ("0", "6", "4-2", "a", "1-", "-3", "1,,2"):
        with pytest.raises(ValueError, match="--structures"):
            numbers_in(wrong, 5)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "w.xyz"
    source.write_text("3\n\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n2\n\nH 0 0 0\nH 0 0 0.74\n")
    out = tmp_path / "out.extxyz"
    options = ["compute", str(source), "--properties", "energy,gap,forces", "--workers", "1", "--no-progress"]
    assert command_line([*options, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    back = open_dataset(out)
    assert back.properties["energy_gfn2"].values[0] == pytest.approx(-5.0702, abs=1e-4)
    assert back.properties["energy_gfn2"].unit == "Ha"
    assert back.properties["forces_gfn2"].values.shape == (5, 3)
    table = tmp_path / "out.csv"
    charged = [*options, "--charge-from", "given", "--charge"]
    assert command_line([*charged, "1", "--structures", "2", "--out", str(table)]) == 0
    assert "energy_gfn2" in table.read_text()
    assert command_line([*options, "--out", str(tmp_path / "out.zzz")]) == 1
    assert command_line([*charged, "15", "--out", str(out)]) == 1
    assert "nothing could be computed" in capsys.readouterr().err
    assert command_line(["compute", str(source), "--properties", "entropy", "--out", str(out)]) == 1
    frames = tmp_path / "md.xyz"
    task = ["--task", "dynamics", "--structures", "1", "--steps", "10", "--every", "5", "--equilibration", "0"]
    assert command_line(["compute", str(source), *task, "--no-progress", "--out", str(frames)]) == 0
    assert len(open_dataset(frames)) == 3
    assert command_line([*options, "--estimate", "--out", str(out)]) == 0
    assert "s per structure" in capsys.readouterr().out
