"""Trajectories of single molecules: MD17, its revision, its coupled-cluster sets, MD22."""

from __future__ import annotations

from qmlstudio.chem.catalogue import _citations as cite
from qmlstudio.chem.catalogue.model import Checksum, Column, Entry, RemoteFile

_SGDML = "https://sgdml.org/secure_proxy.php?file="
_PAGE = "https://www.sgdml.org/#datasets"
_RMD17_PAGE = "https://doi.org/10.6084/m9.figshare.12672038.v3"
_FIGSHARE = "https://ndownloader.figshare.com/files/"

_COLUMNS = (
    Column("energy", "kcal/mol", "total energy"),
    Column("forces", "kcal/mol/Å", "forces", "atom"),
)
_NOISE = "Energies and forces of MD17 carry numerical noise; rMD17 has them computed anew. Frames follow each other."
_ALIKE = "The authors advise against training on more than 1,000 of these frames: they are alike."

_ELEMENTS = {
    "aspirin": "H C O",
    "azobenzene": "H C N",
    "benzene": "H C",
    "ethanol": "H C O",
    "malonaldehyde": "H C O",
    "naphthalene": "H C",
    "paracetamol": "H C N O",
    "salicylic": "H C O",
    "toluene": "H C",
    "uracil": "H C N O",
}
_TITLES = {"salicylic": "salicylic acid"}

_MD17 = (
    ("aspirin", "md17_aspirin.npz", 211_762),
    ("azobenzene", "azobenzene_dft.npz", 99_999),
    ("benzene", "md17_benzene2017.npz", 627_983),
    ("ethanol", "md17_ethanol.npz", 555_092),
    ("malonaldehyde", "md17_malonaldehyde.npz", 993_237),
    ("naphthalene", "md17_naphthalene.npz", 326_250),
    ("paracetamol", "paracetamol_dft.npz", 106_490),
    ("salicylic", "md17_salicylic.npz", 320_231),
    ("toluene", "md17_toluene.npz", 442_790),
    ("uracil", "md17_uracil.npz", 133_770),
)
"""Molecule, file, frames."""

_COUPLED = (
    ("aspirin", "aspirin_ccsd", "CCSD/cc-pVDZ", 1_500, 1_400_000),
    ("benzene", "benzene_ccsd_t", "CCSD(T)/cc-pVDZ", 1_500, None),
    ("ethanol", "ethanol_ccsd_t", "CCSD(T)/cc-pVTZ", 2_000, None),
    ("malonaldehyde", "malonaldehyde_ccsd_t", "CCSD(T)/cc-pVDZ", 1_500, None),
    ("toluene", "toluene_ccsd_t", "CCSD(T)/cc-pVDZ", 1_501, None),
)
"""Molecule, stem of the files, level, frames in all, rounded size."""

_RMD17 = (
    ("aspirin", 62265757, 153_601_803, "17fd6fb69066888613f7e16b358a7553"),
    ("azobenzene", 62265754, 175_180_782, "be79df918468eb3579aa73a0becf7390"),
    ("benzene", 62265739, 88_801_794, "18c9242bc90fbf28215f6dd81e650f16"),
    ("ethanol", 62265733, 67_201_791, "eb837fb8deb27d4e0d52f71a03aff776"),
    ("malonaldehyde", 62265736, 67_201_791, "cdc1d70c0c34062ddde6e5071eb6fe21"),
    ("naphthalene", 62265751, 132_001_800, "0efba19c9907e3852318b1e6008b3b9e"),
    ("paracetamol", 62265760, 146_401_802, "ba10784f7b67635427085f6d7ec2dd97"),
    ("salicylic", 62265748, 117_601_798, "900fedf242da438400fa4293348d7dd1"),
    ("toluene", 62265742, 110_401_797, "0f2913d51f8149c90ab28d697a076f64"),
    ("uracil", 62265745, 88_801_794, "992a4479c28a07e0cce6da964805be31"),
)
"""Molecule, number of the file at figshare, bytes, MD5 as figshare states it."""

_MD22 = (
    ("ac-ala3-nhme", "Ac-Ala3-NHMe", "the tetrapeptide Ac-Ala3-NHMe", "H C N O", 42, 85_109),
    ("dha", "DHA", "docosahexaenoic acid", "H C O", 56, 69_753),
    ("stachyose", "stachyose", "stachyose, a tetrasaccharide", "H C O", 87, 27_272),
    ("at-at", "AT-AT", "two base pairs AT", "H C N O", 60, 20_001),
    ("at-at-cg-cg", "AT-AT-CG-CG", "four base pairs", "H C N O", 118, 10_153),
    ("buckyball-catcher", "buckyball-catcher", "a buckyball in its catcher", "H C", 148, 6_102),
    ("nanotube", "double-walled_nanotube", "a double-walled nanotube", "H C", 370, 5_032),
)
"""Name, stem of the file, words, elements, atoms, frames."""


def _md17(molecule: str, file: str, frames: int) -> Entry:
    title = _TITLES.get(molecule, molecule)
    return Entry(
        name=f"md17-{molecule}",
        title=f"MD17, {title}",
        description=f"{frames:,} frames of one molecule of {title} in ab initio molecular dynamics at 500 K, in steps "
        "of 0.5 fs.",
        family="MD",
        molecules=1,
        conformations=frames,
        elements=tuple(_ELEMENTS[molecule].split()),
        columns=_COLUMNS,
        level="PBE + vdW-TS",
        citations=(cite.MD17, cite.SGDML) if molecule in ("azobenzene", "paracetamol") else (cite.MD17,),
        page=_PAGE,
        files=(RemoteFile(name=file, url=f"{_SGDML}data/npz/{file}"),),
        opens=(file,),
        note=_NOISE,
    )


def _coupled(molecule: str, stem: str, level: str, frames: int, about: int | None) -> Entry:
    method = level.split("/")[0]
    return Entry(
        name=f"md17-{molecule}-{'ccsdt' if '(T)' in method else 'ccsd'}",
        title=f"MD17, {molecule}, {method}",
        description=f"{frames:,} frames of {molecule} from MD17 with energies and forces of coupled-cluster theory, in "
        "files for training and for testing.",
        family="MD",
        molecules=1,
        conformations=frames,
        elements=tuple(_ELEMENTS[molecule].split()),
        columns=_COLUMNS,
        level=level,
        citations=(cite.SGDML,),
        page=_PAGE,
        files=(RemoteFile(name=f"{stem}.zip", url=f"{_SGDML}data/npz/{stem}.zip", about=about, unpack=("*.npz",)),),
        opens=("*-train.npz",),
        note="What opens is the part for training; that for testing lies beside it.",
    )


def _rmd17(molecule: str, number: int, size: int, md5: str) -> Entry:
    title = _TITLES.get(molecule, molecule)
    frames = 99_988 if molecule == "azobenzene" else 100_000
    file = RemoteFile(
        name=f"rmd17_{molecule}.npz", url=f"{_FIGSHARE}{number}", size=size, checksums=(Checksum("md5", md5),)
    )
    return Entry(
        name=f"rmd17-{molecule}",
        title=f"rMD17, {title}",
        description=f"{frames:,} frames of MD17's {title} in random order, with energies and forces computed anew, "
        "tightly converged.",
        family="MD",
        molecules=1,
        conformations=frames,
        elements=tuple(_ELEMENTS[molecule].split()),
        columns=(
            *_COLUMNS,
            Column("old_energies", "kcal/mol", "energy in MD17"),
            Column("old_forces", "kcal/mol/Å", "forces in MD17", "atom"),
        ),
        level="PBE/def2-SVP",
        licence="CC0 1.0",
        citations=(cite.RMD17,),
        page=_RMD17_PAGE,
        files=(file,),
        opens=(file.name,),
        note=_ALIKE,
    )


def _md22(name: str, stem: str, words: str, elements: str, atoms: int, frames: int) -> Entry:
    file = f"md22_{stem}.npz"
    return Entry(
        name=f"md22-{name}",
        title=f"MD22, {words.removeprefix('the ').removeprefix('a ')}",
        description=f"{frames:,} frames of ab initio molecular dynamics of {words}, {atoms} atoms.",
        family="MD",
        molecules=1,
        conformations=frames,
        elements=tuple(elements.split()),
        columns=_COLUMNS,
        level="PBE + MBD",
        citations=(cite.MD22,),
        page=_PAGE,
        files=(RemoteFile(name=file, url=f"{_SGDML}repo/datasets/{file}"),),
        opens=(file,),
    )


ENTRIES: tuple[Entry, ...] = (
    *(_md17(*row) for row in _MD17),
    *(_coupled(*row) for row in _COUPLED),
    *(_rmd17(*row) for row in _RMD17),
    *(_md22(*row) for row in _MD22),
)
