"""ANI's environment vectors: against TorchANI, closed forms, what they cannot see, how their parameters are read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference_molecules import named, one, random_structures

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations.aev import AEV
from qmlstudio.representations.ani_constants import PRESETS, read_params

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "golden" / "aev.json").read_text(encoding="utf-8")
)
"""Reference values and how they were made: see make_aev.py beside it."""
ODD = {"ShfR": "1 2 3", "ShfA": "0.9:3:3", "ShfZ": "0 1 2.2", "Zeta": 7.5, "Rca": 3.0, "EtaR": 4.0, "EtaA": 3.0}
"""Neither count is a multiple of eight, ζ is no whole number."""
PARAMS = """TM = 1
Rcr = 5.2000e+00
Rca = 3.5000e+00
EtaR = [1.6000000e+01]
ShfR = [9.0000000e-01,1.1687500e+00,1.4375000e+00]
Zeta = [3.2000000e+01]
ShfZ = [1.9634954e-01,5.8904862e-01]
EtaA = [8.0000000e+00]
ShfA = [9.0000000e-01,1.5500000e+00,2.2000000e+00,2.8500000e+00]
Atyp = [H,C,N,O]
"""


@pytest.mark.parametrize("preset", GOLDEN["elements"])
def test_equals_torchani(preset: str) -> None:
    members = [s for s in GOLDEN["structures"] if preset in s["values"]]
    structures = Structures.from_lists(*([s[key] for s in members] for key in ("numbers", "positions", "cell")))
    rows = AEV(average="off", preset=preset, elements="preset").compute(structures)
    for index, member in enumerate(members):
        found = member["values"][preset]
        expected = np.zeros((len(member["numbers"]), found["columns"]))
        for row, (columns, values) in zip(expected, found["rows"], strict=True):
            row[columns] = values
        assert rows.of(index).shape == expected.shape
        np.testing.assert_allclose(rows.of(index), expected, rtol=1e-11, atol=1.1e-12, err_msg=member["name"])
    assert any(s["cell"] for s in members)


@pytest.mark.parametrize("given", [{}, {"preset": "ani2x"}, ODD])
def test_equals_the_definition(given: dict[str, Any]) -> None:
    structures = random_structures(4, seed=51, low=3, high=7)
    species = structures.species
    arrays = {a: AEV(average=a, **given).compute(structures) for a in ("off", "sum", "mean")}
    c = AEV(**given).constants

    def f(r: float, cut: float) -> float:
        return 0.5 * (math.cos(math.pi * r / cut) + 1) if r < cut else 0.0

    for index, structure in enumerate(structures):
        z, x = structure.numbers, structure.positions
        local = []
        for i in range(len(z)):
            r = [float(np.linalg.norm(y - x[i])) for y in x]
            others = [j for j in range(len(z)) if j != i]
            row = [
                sum(0.25 * math.exp(-c.EtaR * (r[j] - s) ** 2) * f(r[j], c.Rcr) for j in others if z[j] == e)
                for e in species.numbers
                for s in c.ShfR
            ]
            for a, first in enumerate(species.numbers):
                for second in species.numbers[a:]:
                    total = np.zeros((len(c.ShfA), len(c.ShfZ)))
                    for j in others:
                        for k in others:
                            if j >= k or sorted((z[j], z[k])) != [first, second]:
                                continue
                            cosine = (x[j] - x[i]) @ (x[k] - x[i]) / (r[j] * r[k])
                            theta = math.acos(0.95 * cosine)
                            angle = 2 * ((1 + np.cos(theta - np.array(c.ShfZ))) / 2) ** c.Zeta
                            mean = np.exp(-c.EtaA * ((r[j] + r[k]) / 2 - np.array(c.ShfA)) ** 2)
                            total += np.outer(mean, angle) * f(r[j], c.Rca) * f(r[k], c.Rca)
                    row += total.ravel().tolist()
            local.append(row)
        np.testing.assert_allclose(arrays["off"].of(index), local, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(arrays["sum"].of(index)[0], np.sum(local, axis=0), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(arrays["mean"].of(index)[0], np.mean(local, axis=0), rtol=1e-11, atol=1e-13)


def test_presets_have_the_published_lengths() -> None:
    species = Species((6,), (1,), 1)
    for preset, length in (("ani1x", 384), ("ani2x", 1008), ("ani1", 768)):
        representation = AEV(preset=preset, elements="preset")
        assert representation.size(species) == len(representation.labels(species)) == length
        assert len(set(representation.labels(species))) == length
    assert AEV().size(species) == 16 + 32
    assert AEV(elements="preset").labels(species)[16] == "C r = 0.9 Å"
    assert AEV(preset="ani1", elements="preset").labels(species)[64] == "O r = 0.5 Å"
    assert AEV().labels(species)[-1] == "C–*–C r = 2.85 Å, θ = 169°"


def test_fixed_elements_refuse_others() -> None:
    structures = Structures.from_lists([[6, 1], [1, 16]], [[[0, 0, 0], [1, 0, 0]]] * 2)
    with pytest.raises(
        ValueError, match=r"structure 2 \(index 1\): atom S2 .* ANI-1x does not know; it knows H, C, N, O"
    ):
        AEV(elements="preset").compute(structures)
    with pytest.raises(ValueError, match=r"structure 1 \(index 0\): atom C1 .* list of elements does not know"):
        AEV(elements="S H").gradient(structures)
    listed = AEV(elements="S, C H", average="off").compute(structures).array
    data = AEV(average="off").compute(structures).array
    np.testing.assert_array_equal(listed[:, :48], data[:, :48].reshape(4, 3, 16)[:, ::-1].reshape(4, 48))


def test_lone_atoms_and_pairs_of_atoms() -> None:
    far = one([1, 8, 6], [[0, 0, 0], [50, 0, 0], [0, 80, 0]])
    assert not AEV(average="off").compute(far).array.any()
    assert not AEV().gradient(far).array.any()
    pair = AEV(average="off").compute(one([6, 8], [[0, 0, 0], [0, 0, 1.13]])).array
    assert pair[:, :32].any(axis=1).all()
    assert not pair[:, 32:].any()
    straight = one([8, 6, 8], [[0, 0, -1.16], [0, 0, 0], [0, 0, 1.16]])
    assert np.isfinite(AEV().compute(straight).array).all()
    assert np.isfinite(AEV(preset="ani1").gradient(straight).array).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_blind_to_homometric_surroundings_of_one_atom(preset: str) -> None:
    pair = Structures.from_lists([[6, 1, 1, 1, 1]] * 2, [named(f"homometric {k}").positions for k in "AB"])
    rows = AEV(average="off", preset=preset).compute(pair)
    np.testing.assert_allclose(rows.of(0)[0], rows.of(1)[0], rtol=0, atol=1e-13)
    assert np.abs(rows.of(0)[1:].sum(axis=0) - rows.of(1)[1:].sum(axis=0)).max() > 1e-3


@pytest.mark.parametrize("average", ["off", "sum", "mean"])
@pytest.mark.parametrize("given", [{}, ODD, {"preset": "ani1"}])
def test_gradient_of_molecules_and_crystals(average: str, given: dict[str, Any]) -> None:
    molecules = random_structures(2, seed=53, low=4, high=5)
    rng = np.random.default_rng(2)
    cells = [np.diag(rng.uniform(4.5, 5.5, 3)) + rng.uniform(-0.3, 0.3, (3, 3)) for _ in molecules]
    crystals = Structures(molecules.numbers, molecules.positions, molecules.offsets, np.array(cells))
    representation = AEV(average=average, **given)
    for structures in (molecules, crystals):
        gradients = representation.gradient(structures, threads=2)
        for index, structure in enumerate(structures):
            block, step = gradients.of(index), 1e-5
            moved = []
            for atom in range(len(structure)):
                for axis in range(3):
                    for sign in (1, -1):
                        positions = structure.positions.copy()
                        positions[atom, axis] += sign * step
                        moved.append(positions)
            many = Structures.from_lists([structure.numbers] * len(moved), moved, [structure.cell] * len(moved))
            values = representation.compute(many, species=structures.species).array
            values = values.reshape(len(structure), 3, 2, block.shape[0], -1)
            numerical = np.moveaxis((values[:, :, 0] - values[:, :, 1]) / (2 * step), 2, 0)
            np.testing.assert_allclose(block, numerical, rtol=0, atol=1e-7 * max(np.abs(numerical).max(), 0.1))
            np.testing.assert_allclose(block.sum(axis=1), 0, atol=1e-12)
            if structure.cell is None:
                turn = np.cross(structure.positions[None, :, :, None], block, axis=2).sum(axis=1)
                np.testing.assert_allclose(turn, 0, atol=1e-11)


@pytest.mark.parametrize("average", ["off", "sum", "mean"])
def test_contributions_add_up(average: str) -> None:
    molecules = random_structures(2, seed=54, low=6, high=8)
    crystals = Structures(
        molecules.numbers, molecules.positions, molecules.offsets, np.array([np.eye(3) * 5.5, np.zeros((3, 3))])
    )
    representation = AEV(average=average, elements="Br H S C F O N", **ODD)
    for structures in (molecules, crystals):
        species, rows = structures.species, representation.compute(structures)
        for index, structure in enumerate(structures):
            centre = len(structure) - 1
            row = rows.of(index)[centre if average == "off" else 0]
            for column, value in enumerate(row):
                parts = representation.contributions(structure, species, column, centre)
                assert sum(p.value for p in parts) == pytest.approx(value, rel=1e-3, abs=1e-15)
    assert representation.contributions(molecules[0], species, -1) == []


def test_panels() -> None:
    species = Species((1, 6), (4, 1), 5)
    methane = one([6, 1, 1, 1, 1], named("homometric A").positions)[0]
    representation = AEV(preset="ani2x")
    panels = representation.layout(methane, species).panels
    assert [p.title for p in panels] == ["H", "C", "H–*–H", "H–*–C", "C–*–C"]
    assert [p.group for p in panels] == ["radial"] * 2 + ["angular"] * 3
    assert panels[0].grid is not None
    np.testing.assert_allclose(panels[0].grid, PRESETS["ani2x"].ShfR)
    cells = panels[3].cells
    assert cells is not None
    assert cells.shape == (8, 4)
    assert representation.labels(species)[cells[1, 2]] == "H–*–C r = 1.14 Å, θ = 112°"


def test_more_triples_than_fit_into_the_buffers() -> None:
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3) * 1.2
    cluster = one(rng.choice([1, 6, 8], 27), grid + rng.normal(0, 0.05, grid.shape))
    representation = AEV(average="off", Rcr=8.0, Rca=6.0, ShfA="1 3 5", ShfZ="1 2", Zeta=3.0)
    row = representation.compute(cluster).array[13]
    for column in range(48, len(row), 5):
        parts = representation.contributions(cluster[0], cluster.species, column, 13)
        assert sum(p.value for p in parts) == pytest.approx(row[column], rel=1e-3)


def test_grids_and_elements_are_read_in_every_spelling() -> None:
    assert AEV(ShfR="0.9:5.2:16").constants.ShfR == pytest.approx(PRESETS["ani1x"].ShfR, abs=1e-15)
    same = AEV(ShfA="1 1.5 2")
    assert AEV(ShfA="1, 1.5; 2.0") == AEV(ShfA=[1, 1.5, 2]) == AEV(ShfA=np.array([1, 1.5, 2])) == same
    assert AEV(ShfZ=PRESETS["ani1x"].ShfZ).constants == PRESETS["ani1x"]
    assert AEV(elements="H,C  N").elements == "H C N"
    assert AEV(elements=" Preset") == AEV(elements="preset")
    assert AEV(elements="") == AEV()
    again = AEV.from_dict(json.loads(json.dumps(AEV(**ODD).to_dict())))
    assert again == AEV(**ODD)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ShfR": "1 2 2"}, r"ShfR: entry 3 \(2\) is not above entry 2 \(2\)"),
        ({"ShfA": "1 x"}, r"ShfA: 'x' \(entry 2\) is not a number"),
        ({"ShfZ": "0:3"}, "ShfZ: 0:3 has 2 parts, it needs start:stop:count"),
        ({"ShfZ": "0:3:2.5"}, r"ShfZ: '2.5' \(count\) is not a whole number"),
        ({"ShfZ": "3:0:5"}, "ShfZ: entry 2 .* is not above entry 1"),
        ({"elements": "H X"}, r"elements: 'X' \(entry 2\) is no element's symbol"),
        ({"elements": "H C H"}, r"elements: H \(entry 3\) is there twice"),
        ({"Zeta": 0.5}, "Zeta: 0.5 is below 1"),
        ({"Rca": 6.0}, r"Rca: 6 Å is above the radial cutoff of 5.2 Å"),
    ],
)
def test_refuses_bad_parameters(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AEV(**given)


def test_file_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "some.params"
    path.write_text(PARAMS, encoding="utf-8")
    made = AEV.from_params_file(path, average="off")
    assert made.constants == read_params(path)
    assert made.constants.ShfA == (0.9, 1.55, 2.2, 2.85)
    assert made.constants.elements == ("H", "C", "N", "O")
    assert (made.average, made.constants.Zeta, made.size(Species((1,), (1,), 1))) == ("off", 32.0, 4 * 3 + 10 * 8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Rca = 3.5000e+00", "Rca 3.5", "some.params, line 3: 'Rca 3.5' is not of the form name = value"),
        ("[1.6000000e+01]", "[16, 4]", "some.params, line 4: EtaR has 2 values, one is needed"),
        ("[1.6000000e+01]", "[16, ", "some.params, line 4: .* is not a number or a list of numbers"),
        ("[3.2000000e+01]", "['a']", r"some.params, line 6: .* is not a number or a list of numbers \(Zeta\)"),
        ("9.0000000e-01,1.5500000e+00", "1.6,1.55", "some.params, line 9: the values of ShfA do not ascend"),
        ("[H,C,N,O]", "[H,Q]", r"some.params, line 10: Atyp: 'Q' \(entry 2\) is no element's symbol"),
        ("TM = 1", "TN = 1", "some.params, line 1: 'TN' is none of the constants"),
        ("TM = 1", "Rcr = 1", "some.params, line 2: Rcr is there twice"),
        ("EtaA = [8.0000000e+00]\n", "", "some.params: has no EtaA"),
        ("5.2000e+00", "1e999", "some.params, line 2: Rcr needs finite numbers"),
    ],
)
def test_files_that_are_none(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "some.params"
    assert old in PARAMS
    path.write_text(PARAMS.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        AEV.from_params_file(path)
    with pytest.raises(OSError, match="No such file"):
        AEV.from_params_file(tmp_path / "none.params")


@pytest.mark.shared
def test_published_file() -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "aev" / "rHCNO-5.2R_16-3.5A_a4-8.params"
    if not path.exists():
        pytest.skip("needs the real data sets beside the project")
    found = AEV.from_params_file(path).constants
    for field, value in vars(PRESETS["ani1x"]).items():
        assert getattr(found, field) == (value if field == "elements" else pytest.approx(value, abs=1e-7))
