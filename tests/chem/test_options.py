from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import file_of, open_dataset, split_options
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.session.session import Session

FRAME = (
    '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3 energy=-{k}\n'
    "H 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "md.xyz"
    file.write_text("".join(FRAME.format(k=k) for k in range(20)))
    return file


def test_every_first_and_sample(path: Path) -> None:
    def energies(suffix: str) -> list[float]:
        return [-e for e in open_dataset(f"{path}{suffix}").properties["energy"].values.tolist()]

    assert energies("#every=6") == [0, 6, 12, 18]
    assert energies("#first=3") == [0, 1, 2]
    assert energies("#every=2&first=3") == [0, 2, 4]
    some = energies("#sample=5&seed=1")
    assert some == energies("#sample=5&seed=1") == sorted(set(some))
    assert some != energies("#sample=5&seed=2")
    assert set(energies("#every=2&first=5&sample=3")) < {0, 2, 4, 6, 8}
    assert energies("#sample=0") == energies("") == list(range(20))
    assert open_dataset(f"{path}#every=2").ordered
    assert not open_dataset(f"{path}#sample=5").ordered


def test_the_source_opens_the_same_again(path: Path) -> None:
    data = open_dataset(f"{path}#seed=3&sample=4")
    assert data.source.path == f"{path}#sample=4&seed=3"
    assert open_dataset(data.source.path).fingerprint == data.fingerprint
    assert file_of(data.source.path) == path
    assert Session().with_dataset(data).dataset.path == data.source.path
    assert open_dataset(path).source.path == str(path)


def test_units(path: Path) -> None:
    data = open_dataset(f"{path}#energy_unit=hartree&length_unit=bohr")
    assert data.properties["energy"].unit == "Ha"
    assert data.properties["forces"].unit == "Ha/bohr"
    assert np.isclose(data.structures.positions[1, 2], 0.74 * 0.529177210903)
    assert data.structures.cells is not None
    assert np.isclose(data.structures.cells[0, 0, 0], 9 * 0.529177210903)
    assert open_dataset(data.source.path).properties["energy"].unit == "Ha"


def test_a_name_with_a_hash_is_a_name(path: Path) -> None:
    odd = path.with_name("a#b.xyz")
    odd.write_text(FRAME.format(k=1))
    assert len(open_dataset(odd)) == 1
    assert split_options(odd) == (odd, DEFAULT)
    assert file_of(f"{odd}#every=2") == odd
    literal = path.with_name("md.xyz#every=2")
    literal.write_text(FRAME.format(k=1))
    assert len(open_dataset(literal)) == 1


@pytest.mark.parametrize(
    "suffix", ["#colour=red", "#every=0", "#first", "#first=x", "#energy_unit=K", "#first=1&first=2"]
)
def test_errors_name_the_file_and_the_keys(path: Path, suffix: str) -> None:
    with pytest.raises(DataError) as caught:
        open_dataset(f"{path}{suffix}")
    assert str(path) in str(caught.value)
    if "colour" in suffix:
        assert "sample, seed, every, first" in str(caught.value)
    assert file_of(f"{path}{suffix}") == path


def test_missing_files() -> None:
    with pytest.raises(DataError, match="No such file") as caught:
        open_dataset("/none/such.smi#sample=3")
    assert "#" not in str(caught.value)
    assert str(file_of("/none/such.smi#sample=3")) == "/none/such.smi"


def test_suffix_round_trip() -> None:
    options = ReadOptions(sample=0, seed=5, uncharacterized=True, energy_unit="Ha", geometry="2d")
    assert ReadOptions.parsed(options.suffix()[1:], "x") == options
    assert DEFAULT.suffix() == ""


def test_joined_files_take_no_options(path: Path) -> None:
    with pytest.raises(DataError, match="cannot be given"):
        open_dataset([f"{path}#every=2", path])
