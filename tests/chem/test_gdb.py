"""Random samples of long files of SMILES lines."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import gdb, line_sample, open_dataset
from qmlstudio.chem.readers.line_sample import Reservoir, Sample, sample_lines
from qmlstudio.progress import SILENT, Cancelled, Progress

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gdb11"


def sampled(text: bytes, size: int = 0, seed: int = 0, every: int = 1, first: int = 0) -> Sample:
    return sample_lines([io.BytesIO(text)], "text", SILENT, size, seed, every, first, ("smiles",))


def test_reservoir_is_uniform_and_repeatable() -> None:
    counts = np.zeros(60)
    for seed in range(3000):
        slots: dict[int, int] = {}
        reservoir = Reservoir(6, seed)
        start = 0
        for part in (1, 2, 20, 7, 30):  # however the stream is cut
            for item, slot in reservoir.take(part):
                slots[slot] = start + item
            start += part
        assert reservoir.seen == 60
        assert len(slots) == 6
        assert len(set(slots.values())) == 6
        counts[list(slots.values())] += 1
    # chi-square with 59 degrees of freedom: the 0.1 % quantile is 99
    expected = 3000 * 6 / 60
    assert ((counts - expected) ** 2 / expected).sum() < 99

    def run(parts: tuple[int, ...]) -> list[tuple[int, int]]:
        reservoir, before, found = Reservoir(6, 5), 0, []
        for part in parts:
            found += [(before + item, slot) for item, slot in reservoir.take(part)]
            before += part
        return found

    assert run((60,)) == run((11, 49)) == run((1,) * 60)


def test_first_and_last_lines_are_as_likely_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_sample, "_BLOCK", 64)  # many blocks
    text = b"".join(b"%d\n" % k for k in range(40))
    counts = np.zeros(40)
    for seed in range(1500):
        sample = sampled(text, 4, seed)
        assert sample.total == 40
        for number, line in sample.lines:
            assert number == int(line) + 1
            counts[int(line)] += 1
    expected = 1500 * 4 / 40
    assert ((counts - expected) ** 2 / expected).sum() < 73  # 39 degrees of freedom, 0.1 %


@pytest.mark.parametrize("block", [3, 7, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_are_cut_as_they_should(block: int, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_sample, "_BLOCK", block)
    lines = [b"\xef\xbb\xbfsmiles name", b"C 1", b"", b"# note", b"  ", b" CC 2", b"O\t3", b"N"]
    for last in (b"", end):
        sample = sampled(end.join(lines) + last)
        assert sample.lines == [(2, "C 1"), (6, " CC 2"), (7, "O\t3"), (8, "N")]
        assert sample.total == 4
        assert sample.is_whole
    assert sampled(b"").lines == []
    assert sampled(end * 3).total == 0


def test_every_and_first_and_utf16(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(b"%d\n" % k for k in range(100))
    for block in (5, 1 << 20):
        monkeypatch.setattr(line_sample, "_BLOCK", block)
        assert [line for _, line in sampled(text, every=30).lines] == ["0", "30", "60", "90"]
        assert [line for _, line in sampled(text, every=30, first=2).lines] == ["0", "30"]
        assert [line for _, line in sampled("C\nÅ\nN".encode("utf-16")).lines] == ["C", "Å", "N"]
    monkeypatch.setattr(line_sample, "LONGEST_LINE", 1000)
    monkeypatch.setattr(line_sample, "_BLOCK", 500)
    with pytest.raises(DataError, match="no line breaks"):
        sampled(b"C" * 5000)


def test_a_small_file_is_read_whole_and_a_large_one_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gdb.smi.gz"
    names = [f"{'C' * (k % 5 + 1)}O\tm{k}" for k in range(60)]
    path.write_bytes(gzip.compress("\n".join(names).encode()))
    whole = open_dataset(path)
    assert whole.identifiers.tolist() == [f"m{k}" for k in range(60)]
    assert whole.problems == ()
    monkeypatch.setattr(gdb, "MOST_ROWS", 30)
    monkeypatch.setattr(gdb, "AUTOMATIC_SAMPLE", 7)
    data = open_dataset(path)
    assert len(data) == 7
    (notice,) = data.problems
    assert notice.is_notice
    assert notice.message == "7 of 60 molecules were taken at random (seed 0)"
    order = [int(n[1:]) for n in data.identifiers]
    assert order == sorted(order)
    for name, smiles in zip(data.identifiers, data.properties["smiles"].values, strict=True):
        assert smiles == names[int(name[1:])].split("\t")[0]
    assert open_dataset(path).identifiers.tolist() == data.identifiers.tolist()
    assert open_dataset(f"{path}#seed=3").identifiers.tolist() != data.identifiers.tolist()
    assert len(open_dataset(f"{path}#sample=12&seed=1")) == 12
    assert len(open_dataset(f"{path}#sample=0")) == 60
    assert len(open_dataset(f"{path}#first=4")) == 4


def test_archives_of_smiles_are_one_population(tmp_path: Path) -> None:
    path = tmp_path / "gdb13.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        folder = tarfile.TarInfo("gdb13")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for k, packed in ((1, False), (2, True), (3, False)):
            text = "".join(f"{'C' * k}{'O' * (j % 3)} {k}-{j}\n" for j in range(5)).encode()
            text = gzip.compress(text) if packed else text
            info = tarfile.TarInfo(f"gdb13/{k}.smi{'.gz' if packed else ''}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        readme = tarfile.TarInfo("gdb13/README")
        tar.addfile(readme, io.BytesIO())
    data = open_dataset(path)
    assert data.name == "gdb13"
    assert data.identifiers.tolist() == [f"{k}-{j}" for k in (1, 2, 3) for j in range(5)]
    assert data.properties["file"].values.tolist() == ["1.smi"] * 5 + ["2.smi.gz"] * 5 + ["3.smi"] * 5
    assert len(open_dataset(f"{path}#sample=4")) == 4
    raw = gzip.decompress(path.read_bytes())
    cut = tmp_path / "cut.tar"
    cut.write_bytes(raw[: 512 * 6 + 20])
    data = open_dataset(cut)
    assert 0 < len(data) < 15
    assert any("damaged" in p.message for p in data.problems)


def test_cancel(tmp_path: Path) -> None:
    path = tmp_path / "a.smi"
    path.write_text("C\n" * 10)
    with pytest.raises(Cancelled):
        open_dataset(path, Progress(is_cancelled=lambda: True))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/gdb11")
def test_gdb11() -> None:
    data = open_dataset(f"{SHARED / 'gdb11_size08.smi.gz'}#sample=25&seed=2")
    assert len(data) == 25
    assert "25 of 66,706 molecules" in data.problems[0].message
    heavy = [int((s.numbers > 1).sum()) for s in data.structures]
    assert heavy == [8] * 25
