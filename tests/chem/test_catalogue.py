"""The catalogue: true to itself, quick to ask, and nothing of it fetched unasked."""

from __future__ import annotations

import bz2
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qmlstudio.chem.builtin import BUILTIN, QM9_PREFIX
from qmlstudio.chem.catalogue import storage
from qmlstudio.chem.catalogue.entries import ENTRIES, FAMILIES, entry, search
from qmlstudio.chem.catalogue.model import (
    DIGITS,
    Checksum,
    Citation,
    DownloadError,
    Entry,
    RemoteFile,
    entry_size_text,
    size_text,
)
from qmlstudio.chem.catalogue.records import Record, write_record
from qmlstudio.chem.elements import NUMBERS
from qmlstudio.chem.errors import DataError
from qmlstudio.chem.readers import open_dataset
from qmlstudio.chem.units import alternatives
from qmlstudio.progress import Cancelled, Progress

OTHER_UNITS = {"e", "K"}
"""Units of columns that are converted to nothing."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of data sets."""
    monkeypatch.setenv(storage.FOLDER_VARIABLE, str(tmp_path / "sets"))
    return tmp_path / "sets"


def put(root: Path, found: Entry, **contents: bytes) -> Path:
    """Files of an entry as if they had been fetched."""
    place = root / found.name
    place.mkdir(parents=True, exist_ok=True)
    for file in found.files:
        data = contents[file.name.replace(".", "_")]
        (place / file.name).write_bytes(data)
        write_record(place / file.name, Record(file.url, len(data), "0" * 64, "", 0.0))
    return place


# -- the table


def test_names_are_unique_and_plain() -> None:
    names = [e.name for e in ENTRIES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)
    assert len({e.title for e in ENTRIES}) == len(ENTRIES)


def test_what_was_asked_for_is_there() -> None:
    wanted = "gdb11 gdb13 gdb17-50m gdb17-leadlike qm7 qm7b qm8 qm9 qm7x ani1 ani1x oe62 alchemy pc9 spice tmqm qmugs"
    assert {*wanted.split()} <= {e.name for e in ENTRIES}
    counts = {kind: sum(e.name.startswith(kind) for e in ENTRIES) for kind in ("md17-", "rmd17-", "md22-")}
    assert counts == {"md17-": 15, "rmd17-": 10, "md22-": 7}
    assert {e.local for e in ENTRIES if e.local} == {QM9_PREFIX, *(f"builtin:{name}" for name in BUILTIN)}


@pytest.mark.parametrize("e", ENTRIES, ids=lambda e: e.name)
def test_entry_is_consistent(e: Entry) -> None:
    assert e.family in FAMILIES
    assert e.title
    assert e.description.endswith(".")
    assert e.citations
    assert all(symbol in NUMBERS for symbol in e.elements)
    assert len(set(e.elements)) == len(e.elements)
    assert e.molecules is None or e.conformations is None or 0 < e.molecules <= e.conformations
    assert len({c.name for c in e.columns}) == len(e.columns)
    for column in e.columns:
        assert column.description
        assert not column.unit or len(alternatives(column.unit)) > 1 or column.unit in OTHER_UNITS, column.unit
    assert e.local or e.page.startswith(("https://", "http://quantum-machine.org/"))
    assert not (e.local and e.files)
    assert e.files or not e.opens
    assert e.level or e.family == "GDB"
    names = [file.name for file in e.files]
    assert len(set(names)) == len(names)
    assert all(name in names or "*" in name or name == "." for name in e.opens)
    for file in e.files:
        assert file.url.startswith("https://")
        assert re.fullmatch(r"[\w.-]+", file.name)
        assert file.size is None or file.size > 0
        assert file.size is None or file.about is None
        assert len({c.algorithm for c in file.checksums}) == len(file.checksums)


def test_no_checksum_or_address_stands_twice() -> None:
    files = [file for e in ENTRIES for file in e.files]
    checksums = [c.hex for file in files for c in file.checksums]
    assert len(set(checksums)) == len(checksums) > 20
    assert len({file.url for file in files}) == len(files)


def test_citations_are_complete() -> None:
    cited = {c.key: c for e in ENTRIES for c in e.citations}
    assert len({c.doi for c in cited.values()}) == len(cited)
    for c in cited.values():
        assert re.fullmatch(r"10\.\d{4,}/\S+", c.doi)
        assert 2000 < c.year < 2030
        assert c.key.endswith(str(c.year))
        assert all(" " in name or name == "others" for name in c.authors)
        assert c.bibtex.count("{") == c.bibtex.count("}")


def test_citation_texts() -> None:
    c = next(c for c in entry("rmd17-ethanol").citations)
    assert str(c).startswith("Christensen, von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020), doi:10.1088/")
    assert str(next(iter(entry("spice").citations))).startswith("Eastman et al., Sci. Data 10, 11 (2023)")
    assert "  pages   = {342--353}," in entry("gdb11").bibtex
    assert "author  = {Tobias Fink and Jean-Louis Reymond}" in entry("gdb11").bibtex
    bare = Citation(key="a", authors=("A B",), title="T", journal="J", volume="", pages="", year=2001, doi="10.1/x")
    assert "volume" not in bare.bibtex
    assert str(bare).startswith("B, J, ")


def test_wrong_checksums_are_refused() -> None:
    for algorithm, digits in DIGITS.items():
        Checksum(algorithm, "0" * digits)  # type: ignore[arg-type]
        for text in ("0" * (digits - 1), "0" * (digits + 1), "g" * digits, "A" * digits):
            with pytest.raises(ValueError, match="is no"):
                Checksum(algorithm, text)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no"):
        Checksum("crc32", "0" * 8)  # type: ignore[arg-type]
    assert str(Checksum("sha1", "0" * 40)).startswith("SHA-1 0")


def test_facts_known_from_elsewhere() -> None:
    assert entry("qm9").size == 86_144_227 + 486_752
    assert entry("qm9").molecules == 133_885
    assert entry("gdb13").molecules == 977_468_314
    assert entry("rmd17-azobenzene").conformations == 99_988
    assert sum(e.conformations or 0 for e in ENTRIES if e.name.startswith("rmd17")) == 999_988
    # kcal/mol and Å: 100,000 frames of 9 atoms as 64-bit numbers, three arrays of positions and forces, and energies
    ethanol = entry("rmd17-ethanol").files[0]
    assert ethanol.size == pytest.approx(100_000 * 8 * (3 * 9 * 3 + 3), rel=1e-3)


def test_search_and_look_up() -> None:
    assert [e.name for e in search("forces ethanol")] == [
        "ethanol_500k",
        "md17-ethanol",
        "md17-ethanol-ccsdt",
        "rmd17-ethanol",
    ]
    assert search("") == list(ENTRIES)
    assert search("xyzzy") == []
    assert [e.name for e in search("Ruddigkeit leadlike")] == ["gdb17-leadlike", "gdb17-leadlike-nosr"]
    assert entry(" QM9 ").name == "qm9"
    assert entry("rMD17_Ethanol").name == "rmd17-ethanol"
    with pytest.raises(DataError, match="perhaps rmd17-ethanol"):
        entry("rmd17-ethanal")
    with pytest.raises(DataError, match="names all"):
        entry("")


def test_sizes_in_words() -> None:
    assert [size_text(n) for n in (None, 0, 999, 1000, 86_144_227, 100_000_000, 37_479_271_148)] == [
        "size unknown",
        "0 B",
        "999 B",
        "1.0 kB",
        "86.1 MB",
        "100 MB",
        "37.5 GB",
    ]
    assert size_text(5_000, exact=False) == "≈ 5.0 kB"
    assert entry_size_text(entry("qm7x")) == "over 9.6 GB"
    assert entry_size_text(entry("gdb11")) == "≈ 112 MB"
    assert entry_size_text(entry("oe62")) == ""
    assert entry_size_text(entry("md17-ethanol")) == "size unknown"
    assert entry("qm7x").size is None
    assert entry("qm7x").expected is None


# -- what is here


def test_states(root: Path) -> None:
    assert storage.folder() == root
    assert storage.state(entry("qm9_7")) == "built in"
    assert storage.state(entry("qm9-package")) in ("here", "elsewhere")
    assert storage.state(entry("oe62")) == "elsewhere"
    found = replace(entry("qm9"), files=tuple(replace(f, size=None) for f in entry("qm9").files))
    assert storage.state(found) == "absent"
    (root / "qm9").mkdir(parents=True)
    assert storage.state(found) == "absent"
    (root / "qm9" / "uncharacterized.txt.part").write_bytes(b"1")
    assert storage.state(found) == "part"
    place = put(root, found, dsgdb9nsd_xyz_tar_bz2=b"x", uncharacterized_txt=b"y")
    assert storage.state(found) == "here"
    (place / "uncharacterized.txt").write_bytes(b"longer")
    assert storage.state(found) == "part"


def test_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(storage.FOLDER_VARIABLE, raising=False)
    assert storage.folder().name == "datasets"
    assert str(tmp_path) in str(storage.folder()) or sys.platform != "linux"


def test_fetched_sets_open_by_name_with_licence_and_reference(root: Path) -> None:
    found = replace(entry("rmd17-ethanol"), files=(replace(entry("rmd17-ethanol").files[0], size=None),))
    with pytest.raises(DataError, match=r"was not fetched yet → “qmlstudio data get rmd17-ethanol”"):
        open_dataset("catalogue:rmd17-ethanol")
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez(
        buffer,
        nuclear_charges=np.array([8, 1, 1]),
        coords=rng.normal(size=(30, 3, 3)) * 3,
        energies=rng.normal(size=30),
        forces=rng.normal(size=(30, 3, 3)),
    )
    place = put(root, found, rmd17_ethanol_npz=buffer.getvalue())
    # the size published is another one: it counts as not complete
    assert storage.state(entry("rmd17-ethanol")) == "part"
    record = Record("", entry("rmd17-ethanol").files[0].size or 0, "0" * 64, "", 0.0)
    path = place / "rmd17_ethanol.npz"
    credited = open_dataset(str(path))
    assert len(credited) == 30
    assert credited.source.licence == "CC0 1.0"
    assert credited.source.reference.startswith("Christensen, von Lilienfeld")
    assert storage.credited(credited, path) is credited
    assert storage.entry_of(path) is entry("rmd17-ethanol")
    assert storage.entry_of(root / "elsewhere.xyz") is None
    assert storage.entry_of("/") is None
    with path.open("ab") as stream:  # as large as published: what lies behind a zip's end is not read
        stream.truncate(record.size)
    write_record(path, record)
    assert storage.state(entry("rmd17-ethanol")) == "here"
    assert storage.local_path("catalogue:rmd17-ethanol#first=5") == f"{path}#first=5"


def test_named_sets_of_other_kinds(root: Path) -> None:
    assert len(open_dataset("catalogue:qm9_7")) == 3921
    assert storage.is_catalogue("catalogue:x")
    with pytest.raises(DataError, match="has no direct download"):
        open_dataset("catalogue:oe62")
    with pytest.raises(DataError, match="no such data set"):
        open_dataset("catalogue:nonsense")
    found = entry("qm8")
    place = put(root, found, qm8_csv=b"smiles,E1-CC2\nC,0.43\nCC,0.4\n")
    data = open_dataset("catalogue:qm8")
    assert len(data) == 2
    assert data.source.path == str(place / "qm8.csv")
    assert "doi:10.1063/1.4928757" in data.source.reference
    assert storage.openable(found) == [place / "qm8.csv"]
    put(root, entry("tmqm"), tmQM_X1_xyz_gz=b"1", tmQM_X2_xyz_gz=b"2", tmQM_X3_xyz_gz=b"3", tmQM_y_csv=b"4")
    assert storage.local_path("catalogue:tmqm").count("\n") == 2
    put(root, replace(entry("ani2x"), files=()))
    assert storage.openable(entry("ani2x")) == []


def test_sets_that_are_not_read(root: Path) -> None:
    found = entry("alchemy")
    place = put(root, found, **{"alchemy-v20191129_zip": b"x"})
    with pytest.raises(DataError, match=rf"does not read the files of Alchemy → they are in {place}"):
        storage.local_path("catalogue:alchemy")


# -- getting, with the network replaced


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, root: Path) -> dict[str, bytes]:
    """What "downloads" bring, by the name of the file."""
    contents: dict[str, bytes] = {}

    def fake(file: RemoteFile, folder: Path, progress: Progress, patience: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(contents[file.name])
        write_record(folder / file.name, Record(file.url, len(contents[file.name]), "0" * 64, "", 0.0))
        progress(1.0, file.name)
        return folder / file.name

    from qmlstudio.chem.catalogue import download

    monkeypatch.setattr(download, "download", fake)
    return contents


def test_zip_is_unpacked(archive: dict[str, bytes], root: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("folder/aspirin_ccsd-train.npz", b"train")
        z.writestr("aspirin_ccsd-test.npz", b"test")
        z.writestr("../../evil.npz", b"evil")
        z.writestr("__MACOSX/._aspirin_ccsd-train.npz", b"junk")
        z.writestr("README", b"no")
    archive["aspirin_ccsd.zip"] = buffer.getvalue()
    found = entry("md17-aspirin-ccsd")
    seen: list[float] = []
    assert storage.get(found, progress=Progress(lambda f, _: seen.append(f))) == [
        root / found.name / "aspirin_ccsd-train.npz"
    ]
    assert seen == sorted(seen)
    names = {p.name for p in (root / found.name).iterdir() if not p.name.startswith(".")}
    assert names == {"aspirin_ccsd.zip", "aspirin_ccsd-train.npz", "aspirin_ccsd-test.npz", "evil.npz"}
    assert not (root.parent / "evil.npz").exists()
    assert storage.state(found) == "here"
    (root / found.name / "aspirin_ccsd-test.npz").unlink()
    assert storage.state(found) == "part"
    storage.get(found)
    assert storage.state(found) == "here"


def tar_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("ANI-1_release/ani_gdb_s09.h5")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
        for name, data in members.items():
            info = tarfile.TarInfo(f"ANI-1_release/{name}.h5")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_tar_is_unpacked_without_links(archive: dict[str, bytes], root: Path) -> None:
    archive["ANI1_release.tar.gz"] = tar_of(ani_gdb_s01=b"one", ani_gdb_s02=b"two", other=b"x")
    found = entry("ani1")
    assert storage.get(found) == [root / "ani1"]
    names = {p.name for p in (root / "ani1").iterdir() if not p.name.startswith(".")}
    assert names == {"ANI1_release.tar.gz", "ani_gdb_s01.h5", "ani_gdb_s02.h5"}
    listed = json.loads((root / "ani1" / ".ANI1_release.tar.gz.unpacked.json").read_text())
    assert listed == {"ani_gdb_s01.h5": 3, "ani_gdb_s02.h5": 3}


@pytest.mark.parametrize("content", [b"no archive", tar_of(ani_gdb_s01=b"x" * 100_000)[:-500], bz2.compress(b"x"), b""])
def test_broken_archives(archive: dict[str, bytes], root: Path, content: bytes) -> None:
    archive["ANI1_release.tar.gz"] = content
    with pytest.raises(DownloadError, match=r"cannot be unpacked|holds no"):
        storage.get(entry("ani1"))
    assert storage.state(entry("ani1")) == "part"
    assert not list((root / "ani1").glob("*.part"))


def test_archive_without_what_is_wanted(archive: dict[str, bytes], root: Path) -> None:
    archive["ANI1_release.tar.gz"] = tar_of(other=b"x")
    with pytest.raises(DownloadError, match=r"holds no ani_gdb_s0\*\.h5"):
        storage.get(entry("ani1"))


def test_unpacking_is_cancelled(archive: dict[str, bytes], root: Path) -> None:
    archive["ANI1_release.tar.gz"] = tar_of(ani_gdb_s01=bytes(3 << 20))
    texts: list[str] = []

    def is_cancelled() -> bool:
        return bool(texts) and texts[-1].startswith("Unpacking")

    with pytest.raises(Cancelled):
        storage.get(entry("ani1"), progress=Progress(lambda _, text: texts.append(text), is_cancelled, interval=0.0))
    assert not list((root / "ani1").glob("*.h5*"))
    assert storage.state(entry("ani1")) == "part"


def test_nothing_to_fetch(root: Path) -> None:
    with pytest.raises(DownloadError, match=r"no file that could be fetched → see https://doi\.org/10\.14459"):
        storage.get(entry("oe62"))
    assert not root.exists()


def test_check_names_each_file(root: Path) -> None:
    put(root, entry("qm8"), qm8_csv=b"x")
    with pytest.raises(DownloadError, match="changed since"):
        storage.check(entry("qm8"))
    place = put(root, entry("qm9"), dsgdb9nsd_xyz_tar_bz2=b"x", uncharacterized_txt=b"y")
    with pytest.raises(DownloadError, match="MD5 is not the published one"):
        storage.check(entry("qm9"))
    assert (place / "uncharacterized.txt").exists()


def test_asking_needs_no_network_code() -> None:
    """Listing and opening load nothing that could reach out."""
    code = (
        "import sys\n"
        "from qmlstudio.chem.catalogue.storage import ENTRIES, state\n"
        "[state(e) for e in ENTRIES]\n"
        "from qmlstudio.chem.readers import open_dataset\n"
        "open_dataset('builtin:qm9_7')\n"
        "print([m for m in ('urllib.request', 'http.client', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
