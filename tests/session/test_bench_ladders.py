"""Ladders that are known by heart, elpasolites' features, published errors, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.readers.compositions import elpasolites
from qmlstudio.command_line import run as command
from qmlstudio.figures import FigureSpec
from qmlstudio.figures.learning_curves import learning_curves_figure
from qmlstudio.representations import REGISTRY as KINDS
from qmlstudio.session.bench.elpasolite import ElpasoliteSites, row_and_column
from qmlstudio.session.bench.ladders import LADDERS, at_most, qm7
from qmlstudio.session.bench.literature import PUBLISHED, published
from qmlstudio.session.bench.results import BenchResult
from qmlstudio.session.bench.runner import run
from qmlstudio.session.bench.spec import Series
from qmlstudio.session.scripting import open_dataset

PLACES = {1: (1, 1), 2: (1, 8), 3: (2, 1), 4: (2, 2), 5: (2, 3), 10: (2, 8), 13: (3, 3), 20: (4, 2), 31: (4, 3)} | {
    36: (4, 8), 50: (5, 4), 55: (6, 1), 56: (6, 2), 81: (6, 3), 83: (6, 5), 86: (6, 8)
}  # fmt: skip


@pytest.fixture(scope="module")
def molecules() -> Dataset:
    """150 molecules with the column of QM7."""
    whole = open_dataset("builtin:qm9_7").take(np.arange(100, 3900, 26)[:140])
    values = whole.properties["U0_atomization"]
    return Dataset("qm7", whole.structures, {"atomization_energy_pbe0": values})


def crystals(n: int = 140) -> Dataset:
    """Elpasolites whose energy is a smooth function of rows and columns, in which A and B are alike."""
    known = [z for z in range(1, 84) if not (21 <= z <= 30 or 39 <= z <= 48 or 57 <= z <= 80)]
    rng = np.random.default_rng(0)
    sites = np.array([rng.choice(known, 4, replace=False) for _ in range(n)], dtype=np.uint8)
    table = np.array([row_and_column(z) if z in known else (0, 0) for z in range(84)], dtype=float)
    x = table[sites]
    energy = -0.3 * x[:, 3, 1] + 0.1 * x[:, 2, 0] + 0.05 * (x[:, 0] * x[:, 1]).sum(axis=1)
    return Dataset("elpasolite_140", elpasolites(sites), {"formation_energy": Property(10 * energy, unit="eV")})


@pytest.mark.parametrize("number", sorted(PLACES))
def test_places_in_the_periodic_table(number: int) -> None:
    """Main groups 1–8, helium among the noble gases."""
    assert row_and_column(number) == PLACES[number]


@pytest.mark.parametrize("number", [0, 21, 26, 30, 47, 57, 64, 79, 80, 118])
def test_no_place_for_other_elements(number: int) -> None:
    """Transition metals and lanthanides have no main-group column."""
    with pytest.raises(ValueError, match="main"):
        row_and_column(number)


def test_every_main_group_element_has_its_own_place() -> None:
    """39 from H to Bi, three more in the last row; all different."""
    places = {}
    for z in range(1, 87):
        try:
            places[z] = row_and_column(z)
        except ValueError:
            continue
    assert sum(z <= 83 for z in places) == 39
    assert len(set(places.values())) == len(places) == 42


def test_elpasolite_rows() -> None:
    """AlNaK2F6: eight numbers by site; A and B exchanged give the same row unless that is switched off."""
    both = elpasolites(np.array([[13, 11, 19, 9], [11, 13, 19, 9]], dtype=np.uint8))
    row = [3, 1, 3, 3, 4, 1, 2, 7]
    assert ElpasoliteSites().compute(both).array.tolist() == [row, row]
    plain = ElpasoliteSites(exchange=False).compute(both).array
    assert plain.tolist() == [[3, 3, 3, 1, 4, 1, 2, 7], row]
    kind = ElpasoliteSites()
    assert kind.labels(both.species) == [f"{w} of {s}" for s in "ABCD" for w in ("row", "column")]
    first = kind.layout(both[0], both.species)
    assert [both[0].numbers[atoms[0]] for atoms in first.atoms[::2]] == [11, 13, 19, 9]
    assert (
        Series.from_dict(
            json.loads(json.dumps(LADDERS["elpasolites"].make(crystals(), ()).series[-1].to_dict()))
        ).representation
        == kind
    )


def test_other_crystals_have_no_such_row() -> None:
    """Molecules, and crystals whose atoms are in another order."""
    with pytest.raises(ValueError, match="ABC2D6"):
        ElpasoliteSites().compute(open_dataset("builtin:qm9_7").structures.take(slice(20, 22)))
    one = elpasolites(np.array([[13, 11, 19, 9]], dtype=np.uint8))
    numbers = np.asarray(one.numbers).copy()
    numbers[[2, 9]] = numbers[[9, 2]]
    with pytest.raises(ValueError, match="order"):
        ElpasoliteSites().compute(type(one)(numbers, one.positions, one.offsets, one.cells))


def test_published_errors_are_matched_and_sourced() -> None:
    """By set, column and representation with its values; each names its source."""
    eigen = KINDS["coulomb_matrix"](permutation="eigenspectrum")
    assert [p.mae for p in published("qm7", "atomization_energy_pbe0", eigen)] == [10.0]
    assert [p.mae for p in published("QM7", "atomization_energy_pbe0", KINDS["coulomb_matrix"]())] == [3.0]
    for name, column, kind in (
        ("qm7b", "atomization_energy_pbe0", eigen),
        ("qm9", "atomization_energy", eigen),
        ("qm7", "gap", eigen),
        ("qm7", "atomization_energy_pbe0", KINDS["soap"]()),
        ("qm7", "atomization_energy_pbe0", None),
    ):
        assert published(name, column, kind) == ()
    assert [p.text for p in published("elpasolite_8590", "formation_energy", ElpasoliteSites())] == ["0.1"]
    assert all("doi:" in p.reference and p.where and p.what and p.unit in p.about for p in PUBLISHED)


def test_ladder_of_molecules(molecules: Dataset, tmp_path: Path) -> None:
    """What it asks for, and that richer representations make smaller errors."""
    spec = at_most(qm7(molecules, ["mean", "composition", "coulomb"]), 100)
    assert spec.repeats == 3
    assert spec.sizes == (100,)
    assert [s.label for s in qm7(molecules).series][-1] == "FCHL19, local"
    found = run(spec, molecules, None, tmp_path)
    assert not found.problems
    mean, composition, coulomb = (found.curve(label).mean[-1] for label in found.labels)
    assert coulomb < mean / 4
    assert composition < mean / 4
    with pytest.raises(ValueError, match="no rung"):
        qm7(molecules, ["nonsense"])
    with pytest.raises(ValueError, match="QM7"):
        qm7(crystals())
    with pytest.raises(ValueError, match="elpasolites"):
        LADDERS["elpasolites"].make(molecules, ())


def test_ladder_of_crystals_from_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command: a table next to the literature, numbers, points, a figure; a second run takes what is there."""
    data = crystals()
    numbers = np.asarray(data.structures.numbers).reshape(-1, 10)[:, [0, 1, 2, 4]]
    from qmlstudio.chem.elements import SYMBOLS

    lines = ["A,B,C,D,formation_energy_eV_per_formula"]
    for row, energy in zip(numbers, data.properties["formation_energy"].values, strict=True):
        lines.append(",".join([*(SYMBOLS[z] for z in row), f"{energy:.6f}"]))
    path = tmp_path / "elpasolite_140.csv"
    path.write_text("\n".join(lines))
    out = tmp_path / "out"
    arguments = ["bench", "elpasolites", str(path), "--out", str(out), "--sizes", "30", "60", "100", "--test", "40"]
    assert command([*arguments, "--no-progress", "--repeats", "2"]) == 0
    told = capsys.readouterr().out
    assert "| rows and columns |" in told
    assert "0.1 eV/atom" in told
    assert "Faber" in told
    result = json.loads((out / "result.json").read_text())
    curve = next(c for c in result["curves"] if c["series"] == "rows and columns")
    assert curve["unit"] == "eV/atom"
    assert curve["mean"][-1] < 0.5 * next(c for c in result["curves"] if c["series"] == "mean")["mean"][-1]
    with (out / "points.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 12
    assert (out / "table.md").read_text().strip() == told.strip()
    assert "<svg" in (out / "curves.svg").read_text()[:400]
    before = {p: p.stat().st_mtime_ns for p in (out / "points").iterdir()}
    assert command([*arguments, "--repeats", "2"]) == 0
    assert {p: p.stat().st_mtime_ns for p in (out / "points").iterdir()} == before
    assert command([*arguments, "--estimate", "--no-progress"]) == 0
    assert "memory" in capsys.readouterr().out.splitlines()[-1]


def test_own_bench_from_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any representations, kernels, models and properties; what does not go together is told."""
    given = ["bench", "builtin:qm9_7", "--out", str(tmp_path), "--no-progress"]
    what = ["--representations", "coulomb_matrix:permutation=eigenspectrum", "composition", "--kernels", "laplacian"]
    more = ["local_sum:sigma=2", "--models", "mean", "--properties", "gap", "U0_atomization", "--normalisation"]
    how = ["per_atom", "--sizes", "30", "60", "--test", "50", "--repeats", "1", "--split", "random", "--fit", "40"]
    assert command([*given, *what, *more, *how, "--validate", "20", "--format", "png"]) == 0
    printed = capsys.readouterr()
    assert "left out: Sum over atoms" in printed.err
    assert sum(line.startswith("| ") for line in printed.out.splitlines()) == 7
    assert (tmp_path / "curves.png").exists()
    assert (tmp_path / "curves_2.png").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["builtin:qm9_7"], "--properties"),
        (["builtin:qm9_7", "--properties", "gap"], "--representations"),
        (["nonsense", "builtin:qm9_7"], "qm7, elpasolites"),
        (["builtin:qm9_7", "--rungs", "slatm"], "ladder"),
        (["builtin:qm9_7", "--properties", "gap", "--representations", "soup"], "soup"),
        (["builtin:qm9_7", "--properties", "gap", "--representations", "soap:r_cut"], "key=value"),
        (["builtin:qm9_7", "--properties", "nowhere", "--models", "mean", "--split", "random"], "nowhere"),
        (["builtin:qm9_7", "--properties", "gap", "--models", "mean", "--split", "coin"], "coin"),
    ],
)
def test_wrong_commands_say_why(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 1."""
    assert command(["bench", *arguments, "--no-progress"]) == 1
    assert text in capsys.readouterr().err


def test_figure_needs_points(molecules: Dataset) -> None:
    """And says so."""
    with pytest.raises(ValueError, match="no point"):
        learning_curves_figure(BenchResult(qm7(molecules), "qm7", ""), FigureSpec())
