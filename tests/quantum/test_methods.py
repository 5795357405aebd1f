"""Methods, tasks, properties and charges: names, files, errors that help."""

from __future__ import annotations

import numpy as np
import pytest

from qmlstudio.chem.dataset import Property
from qmlstudio.quantum import methods
from qmlstudio.quantum.batch import Calculation
from qmlstudio.quantum.charges import Charges, assign, smiles_charges, source_of
from qmlstudio.quantum.methods import DFT, GFN1, GFN2, METHODS, HartreeFock, MissingEngineError, method_from
from qmlstudio.quantum.properties import QUANTITIES, check
from qmlstudio.quantum.tasks import TASKS, Dynamics, Optimize, task_from


def test_methods_and_tasks_survive_a_file() -> None:
    for method in (GFN2(accuracy=0.1), GFN1(), HartreeFock(basis="sto-3g"), DFT(functional="pbe0", basis="6-31+g*")):
        assert method_from(method.to_dict()) == method
    for task in (*(kind() for kind in TASKS.values()), Dynamics(steps=7, thermostat="none")):
        assert task_from(task.to_dict()) == task
    with pytest.raises(ValueError, match="gfn2"):
        method_from({"name": "am1"})
    with pytest.raises(ValueError, match="optimize"):
        task_from({"name": "?"})


def test_keys_can_stand_in_expressions() -> None:
    keys = {GFN2().key, GFN1().key, HartreeFock().key, DFT().key, DFT(basis="6-31+g*").key, DFT(functional="pbe").key}
    assert keys == {"gfn2", "gfn1", "hf_6_31g_d", "b3lyp_6_31g_d", "b3lyp_6_31pg_d", "pbe_6_31g_d"}
    assert all(key.isidentifier() for key in keys)
    assert DFT(functional="wb97x").label == "ωB97X/6-31G(d)"


def test_a_missing_package_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    for kind in METHODS.values():
        with pytest.raises(MissingEngineError, match=r"pip install .*qmlstudio\[qm\]"):
            kind.require()


def test_kind_depends_on_what_changes_numbers() -> None:
    base = Calculation()
    assert base.kind == Calculation(quantities=("gap",)).kind
    assert base.kind != Calculation(method=GFN1()).kind
    assert base.kind != Calculation(method=GFN2(accuracy=0.5)).kind
    assert base.kind != Calculation(task=Optimize()).kind
    assert Calculation(quantities=("gap", "energy", "gap")).quantities == ("energy", "gap")


def test_properties_are_checked() -> None:
    assert check(("forces", "energy")) == ("energy", "forces")
    with pytest.raises(ValueError, match="vibrations"):
        check(("entropy",))
    columns = [c for q in QUANTITIES.values() for c, _, _, _ in q.columns]
    assert len(columns) == len(set(columns))


def test_charges_of_smiles() -> None:
    smiles = ["CCO", "[NH4+]", "CC(=O)[O-]", "[NH3+]CC(=O)[O-]", "[Ca+2]", "[Fe+++]", "[O-2]", "[O--]"]
    smiles += ["[13CH3-:7]", "[N@@H+]"]
    assert smiles_charges(np.array(smiles)).tolist() == [0, 1, -1, 0, 2, 3, -2, -2, -1, 1]


def test_where_charges_come_from() -> None:
    smiles = Property(np.array(["[OH-]", "C"]))
    column = Property(np.array([1.0, np.nan]))
    atoms = Property(np.zeros(5), "atom")
    charges, unpaired = assign(Charges(), {"smiles": smiles, "Charge": column}, 2)
    assert (charges.tolist(), unpaired.tolist()) == ([1, 0], [-1, -1])
    assert source_of(Charges(), {"smiles": smiles, "Charge": column}) == "column Charge"
    charges, _ = assign(Charges(), {"smiles": smiles, "charge": atoms}, 2)
    assert charges.tolist() == [-1, 0], "charges of atoms are something else"
    assert source_of(Charges(), {"smiles": smiles, "charge": atoms}) == "from the SMILES"
    assert source_of(Charges(), {}) == "0"
    assert source_of(Charges(charge_from="given", charge=-2), {}) == "-2"
    charges, _ = assign(Charges(charge_from="smiles"), {"smiles": smiles, "charge": column}, 2)
    assert charges.tolist() == [-1, 0]
    charges, unpaired = assign(Charges(charge_from="given", charge=2, unpaired=1), {"charge": column}, 2)
    assert (charges.tolist(), unpaired.tolist()) == ([2, 2], [1, 1])
    _, unpaired = assign(Charges(), {"multiplicity": Property(np.array([3.0, np.nan]))}, 2)
    assert unpaired.tolist() == [2, -1]
    _, unpaired = assign(Charges(), {"uhf": Property(np.array([0.0, 4.0]))}, 2)
    assert unpaired.tolist() == [0, 4]
    with pytest.raises(ValueError, match="whole"):
        assign(Charges(), {"charge": Property(np.array([0.5, 0.0]))}, 2)
    with pytest.raises(ValueError, match="whole"):
        assign(Charges(), {"charge": Property(np.array([1e9, 0.0]))}, 2)
    assert assign(Charges(), {}, 0)[0].shape == (0,)
