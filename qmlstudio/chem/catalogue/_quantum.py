"""Quantum-chemical sets of many molecules."""

from __future__ import annotations

from qmlstudio.chem.builtin import QM9 as QM9_INFO
from qmlstudio.chem.catalogue import _citations as cite
from qmlstudio.chem.catalogue.model import Checksum, Column, Entry, RemoteFile

_FIGSHARE = "https://ndownloader.figshare.com/files/"
_DEEPCHEM = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/"
_QM7X = "https://zenodo.org/records/4288677/files/"
_TMQM = "https://raw.githubusercontent.com/uiocompcat/tmQM/bb1bc1c9f145a8ad2d35ce98ee5478fd01c5c48e/tmQM/"
_CHON = ("H", "C", "N", "O")

_QM7X_FILES: tuple[tuple[str, int | None, str], ...] = (
    ("1000.xz", 715_361_604, "b50c6a5d0a4493c274368cf22285503e"),
    ("2000.xz", 1_043_743_376, "4418a813daf5e0d44aa5a26544249ee6"),
    ("3000.xz", 2_052_043_036, "f7b5aac39a745f11436047c12d1eb24e"),
    ("4000.xz", 1_461_283_500, "26819601705ef8c14080fa7fc69decd4"),
    ("5000.xz", 1_135_294_700, "85ac444596b87812aaa9e48d203d0b70"),
    # no MD5 here: those that are in circulation differ from each other
    ("6000.xz", 2_016_065_508, ""),
    ("7000.xz", 1_104_141_872, "5ecce00a188410d06b747cb683d8d347"),
    ("8000.xz", 89_426_884, "c893ae88b8f5c32541c3f024fc1daa45"),
    ("DupMols.dat", None, "5d886ccac38877c8cb26c07704dd1034"),
)

_ANI_ENERGY = Column("energy", "Ha", "total energy")

QM_ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="qm7",
        title="QM7",
        description="7,165 molecules of up to seven heavy atoms from GDB-13 with their atomization energies, in five "
        "folds for cross-validation.",
        family="QM",
        molecules=7_165,
        conformations=7_165,
        elements=("H", "C", "N", "O", "S"),
        columns=(Column("T", "kcal/mol", "atomization energy"), Column("P", "", "fold of the cross-validation")),
        level="PBE0",
        citations=(cite.QM7, cite.GDB13),
        page="http://quantum-machine.org/datasets/",
        files=(RemoteFile(name="qm7.mat", url=f"{_DEEPCHEM}qm7.mat", size=17_884_280),),
        opens=("qm7.mat",),
        note="Coordinates are in bohr in the file. Fetched from DeepChem's copy.",
    ),
    Entry(
        name="qm7b",
        title="QM7b",
        description="7,211 molecules of up to seven heavy atoms with 14 properties at several levels; Coulomb matrices "
        "instead of coordinates.",
        family="QM",
        molecules=7_211,
        conformations=7_211,
        elements=("H", "C", "N", "O", "S", "Cl"),
        columns=(
            Column("ae_pbe0", "kcal/mol", "atomization energy, PBE0"),
            *(Column(f"p_{m.lower()}", "Å³", f"static polarizability, {m}") for m in ("PBE0", "SCS")),
            *(Column(f"homo_{m.lower()}", "eV", f"HOMO, {m}") for m in ("GW", "PBE0", "ZINDO")),
            *(Column(f"lumo_{m.lower()}", "eV", f"LUMO, {m}") for m in ("GW", "PBE0", "ZINDO")),
            Column("ip_zindo", "eV", "ionization potential, ZINDO"),
            Column("ea_zindo", "eV", "electron affinity, ZINDO"),
            Column("e1_zindo", "eV", "first excitation energy, ZINDO"),
            Column("emax_zindo", "eV", "excitation energy of maximal absorption, ZINDO"),
            Column("imax_zindo", "", "intensity of maximal absorption, ZINDO"),
        ),
        level="PBE0, self-consistent screening, GW, ZINDO",
        citations=(cite.QM7B, cite.GDB13),
        page="http://quantum-machine.org/datasets/",
        files=(
            RemoteFile(
                name="qm7b.mat",
                url=f"{_DEEPCHEM}qm7b.mat",
                checksums=(Checksum("sha1", "4102c744bb9d6fd7b40ac67a300e49cd87e28392"),),
            ),
        ),
        opens=("qm7b.mat",),
        note="The SHA-1 is the one that the Deep Graph Library checks. Fetched from DeepChem's copy.",
    ),
    Entry(
        name="qm8",
        title="QM8",
        description="Excitation energies and oscillator strengths of the two lowest singlet states of 21,786 molecules "
        "of up to eight heavy atoms, with SMILES.",
        family="QM",
        molecules=21_786,
        conformations=None,
        elements=("H", "C", "N", "O", "F"),
        columns=tuple(
            Column(f"{what}{state}-{method}", unit, f"{words}, state {state}, {method}")
            for method in ("CC2", "PBE0", "CAM")
            for what, unit, words in (("E", "Ha", "excitation energy"), ("f", "", "oscillator strength"))
            for state in (1, 2)
        ),
        level="RI-CC2, TD-PBE0, TD-CAM-B3LYP (def2-TZVP)",
        citations=(cite.QM8, cite.GDB17),
        page="https://github.com/raghurama123/ExcitedStatesQM8",
        files=(RemoteFile(name="qm8.csv", url=f"{_DEEPCHEM}qm8.csv"),),
        opens=("qm8.csv",),
        note="MoleculeNet's table, without geometries. The page has the original, which has TD-PBE0 in two basis sets.",
    ),
    Entry(
        name="qm9",
        title="QM9",
        description="133,885 molecules of up to nine heavy atoms from GDB-17: relaxed geometries, 15 properties, "
        "harmonic frequencies and Mulliken charges.",
        family="QM",
        molecules=133_885,
        conformations=133_885,
        elements=("H", "C", "N", "O", "F"),
        columns=tuple(
            Column(name, unit, words, target)
            for name, (unit, words, target) in QM9_INFO.columns.items()
            if name not in ("U0_atomization", "n_heavy", "n_atoms", "formula")
        ),
        level="B3LYP/6-31G(2df,p)",
        licence="CC0 1.0",
        citations=(cite.QM9, cite.GDB17),
        page="https://doi.org/10.6084/m9.figshare.c.978904.v5",
        files=(
            RemoteFile(
                name="dsgdb9nsd.xyz.tar.bz2",
                url=f"{_FIGSHARE}3195389",
                size=86_144_227,
                checksums=(Checksum("md5", "ad1ebd51ee7f5b3a6e32e974e5d54012"),),
            ),
            RemoteFile(
                name="uncharacterized.txt",
                url=f"{_FIGSHARE}3195404",
                size=486_752,
                checksums=(Checksum("md5", "a361887bacb427b8a0ce7903d92a53b4"),),
            ),
        ),
        opens=("dsgdb9nsd.xyz.tar.bz2",),
        note="The 3,054 molecules that did not stay what they were are left out unless “#uncharacterized=true” stands "
        "behind the path.",
    ),
    Entry(
        name="qm7x",
        title="QM7-X",
        description="Equilibrium and, for each, 100 displaced geometries of molecules of up to seven heavy atoms, with "
        "42 properties of molecules and atoms.",
        family="QM",
        molecules=6_950,
        conformations=4_195_237,
        elements=("H", "C", "N", "O", "S", "Cl"),
        columns=(
            Column("ePBE0+MBD", "eV", "total energy"),
            Column("eAT", "eV", "atomization energy"),
            Column("HLgap", "eV", "HOMO-LUMO gap"),
            Column("totFOR", "eV/Å", "forces", "atom"),
        ),
        level="PBE0 + MBD",
        citations=(cite.QM7X,),
        page="https://doi.org/10.5281/zenodo.4288677",
        files=tuple(
            RemoteFile(
                name=name,
                url=f"{_QM7X}{name}?download=1",
                size=size,
                checksums=(Checksum("md5", md5),) if md5 else (),
            )
            for name, size, md5 in _QM7X_FILES
        ),
        note="HDF5 files, compressed with xz; the program does not read their layout. DupMols.dat lists duplicates.",
    ),
    Entry(
        name="oe62",
        title="OE62",
        description="61,489 molecules from organic crystals: relaxed geometries and orbital energies, of 30,876 also "
        "in water, of 5,239 also at the GW level.",
        family="other",
        molecules=61_489,
        conformations=61_489,
        elements=("H", "Li", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"),
        columns=(
            Column("total_energy_pbe", "eV", "total energy, PBE"),
            Column("energies_occ_pbe", "eV", "energies of occupied orbitals, PBE"),
        ),
        level="PBE + vdW (geometries), PBE0, G₀W₀@PBE0",
        licence="CC BY-SA 4.0",
        citations=(cite.OE62,),
        page="https://doi.org/10.14459/2019mp1507656",
    ),
    Entry(
        name="alchemy",
        title="Alchemy",
        description="Twelve properties of organic molecules of up to 14 heavy atoms from GDBMedChem, computed as "
        "those of QM9 but with PySCF. The publication describes 119,487 molecules, this file holds more.",
        family="other",
        molecules=202_579,
        conformations=202_579,
        elements=("H", "C", "N", "O", "F", "S", "Cl"),
        columns=(
            Column("mu", "D", "dipole moment"),
            Column("alpha", "a₀³", "polarizability"),
            *(Column(n, "Ha", w) for n, w in (("homo", "HOMO"), ("lumo", "LUMO"), ("gap", "HOMO-LUMO gap"))),
            Column("U0", "Ha", "internal energy at 0 K"),
        ),
        level="B3LYP/6-31G(2df,p)",
        citations=(cite.ALCHEMY,),
        page="https://alchemy.tencent.com",
        files=(
            RemoteFile(
                name="alchemy-v20191129.zip",
                url="https://alchemy.tencent.com/data/alchemy-v20191129.zip",
                about=136_000_000,
            ),
        ),
        note="A zip of SDF files and a table, which the program does not read as it is.",
    ),
    Entry(
        name="pc9",
        title="PC9",
        description="99,234 molecules of PubChemQC with the elements and sizes of QM9, chemically more diverse.",
        family="other",
        molecules=99_234,
        conformations=99_234,
        elements=("H", "C", "N", "O", "F"),
        level="B3LYP/6-31G*",
        citations=(cite.PC9,),
        page="https://figshare.com/articles/dataset/PC9_data_zip/9033977",
    ),
    Entry(
        name="tmqm",
        title="tmQM, release 2024",
        description="Some 108,000 complexes of all 30 transition metals from the Cambridge Structural Database: "
        "geometries, charges, energies, dipoles, polarizabilities, gaps.",
        family="other",
        molecules=None,
        conformations=None,
        elements=(),
        columns=(
            Column("Electronic_E", "Ha", "electronic energy"),
            Column("Dispersion_E", "Ha", "dispersion energy"),
            Column("Dipole_M", "D", "dipole moment"),
            Column("Metal_q", "e", "natural charge of the metal"),
            *(Column(n, "Ha", w) for n, w in (("HL_Gap", "HOMO-LUMO gap"), ("HOMO_Energy", "HOMO"))),
            Column("LUMO_Energy", "Ha", "LUMO"),
            Column("Polarizability", "a₀³", "polarizability, GFN2-xTB"),
        ),
        level="TPSSh-D3(BJ)/def2-TZVP; geometries GFN2-xTB",
        licence="MIT",
        citations=(cite.TMQM,),
        page="https://github.com/uiocompcat/tmQM",
        files=tuple(
            RemoteFile(name=name, url=_TMQM + name)
            for name in ("tmQM_X1.xyz.gz", "tmQM_X2.xyz.gz", "tmQM_X3.xyz.gz", "tmQM_y.csv")
        ),
        opens=("tmQM_X1.xyz.gz", "tmQM_X2.xyz.gz", "tmQM_X3.xyz.gz"),
        note="The geometries open; the properties are in tmQM_y.csv, by CSD code.",
    ),
    Entry(
        name="spice",
        title="SPICE 2.0.1",
        description="2,008,628 conformations of drug-like molecules, peptides, dimers, ion pairs and water clusters "
        "with energies, forces, charges and multipoles.",
        family="other",
        molecules=113_999,
        conformations=2_008_628,
        elements=("H", "Li", "B", "C", "N", "O", "F", "Na", "Mg", "Si", "P", "S", "Cl", "K", "Ca", "Br", "I"),
        columns=(
            Column("dft_total_energy", "Ha", "total energy"),
            Column("formation_energy", "Ha", "total energy less that of the atoms"),
            Column("dft_total_gradient", "Ha/bohr", "gradient of the energy", "atom"),
        ),
        level="ωB97M-D3(BJ)/def2-TZVPPD",
        licence="CC0 1.0",
        citations=(cite.SPICE, cite.SPICE2),
        page="https://doi.org/10.5281/zenodo.10975225",
        files=(
            RemoteFile(
                name="SPICE-2.0.1.hdf5",
                url="https://zenodo.org/records/10975225/files/SPICE-2.0.1.hdf5?download=1",
                size=37_479_271_148,
                checksums=(Checksum("md5", "bfba2224b6540e1390a579569b475510"),),
            ),
        ),
        opens=("SPICE-2.0.1.hdf5",),
        note="Coordinates are in bohr in the file.",
    ),
    Entry(
        name="qmugs",
        title="QMugs",
        description="665,911 drug-like molecules of ChEMBL in some three conformers each: geometries of GFN2-xTB, "
        "properties of GFN2-xTB and DFT, wave functions.",
        family="other",
        molecules=665_911,
        conformations=1_992_984,
        elements=("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"),
        level="ωB97X-D/def2-SVP; geometries GFN2-xTB",
        citations=(cite.QMUGS,),
        page="https://doi.org/10.3929/ethz-b-000482129",
    ),
)

ANI_ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="ani1",
        title="ANI-1",
        description="More than 22 million conformations, sampled along normal modes, of 57,462 molecules of up to "
        "eight heavy atoms from GDB-11, with their energies.",
        family="ANI",
        molecules=57_462,
        conformations=22_057_374,
        elements=_CHON,
        columns=(_ANI_ENERGY,),
        level="ωB97X/6-31G(d)",
        citations=(cite.ANI1, cite.GDB11),
        page="https://doi.org/10.6084/m9.figshare.5287732.v1",
        files=(RemoteFile(name="ANI1_release.tar.gz", url=f"{_FIGSHARE}9057631", unpack=("ani_gdb_s0*.h5",)),),
        opens=(".",),
        note="The archive is unpacked after the download: have room for it twice.",
    ),
    Entry(
        name="ani1x",
        title="ANI-1x and ANI-1ccx",
        description="4,956,005 conformations chosen by active learning, with energies, forces, dipoles and charges; of "
        "those of ANI-1ccx, about half a million, also coupled-cluster energies.",
        family="ANI",
        molecules=None,
        conformations=4_956_005,
        elements=_CHON,
        columns=(
            Column("wb97x_dz.energy", "Ha", "total energy, ωB97X/6-31G(d)"),
            Column("wb97x_dz.forces", "Ha/Å", "forces, ωB97X/6-31G(d)", "atom"),
            Column("wb97x_tz.energy", "Ha", "total energy, ωB97X/def2-TZVPP"),
            Column("wb97x_tz.forces", "Ha/Å", "forces, ωB97X/def2-TZVPP", "atom"),
            Column("ccsd(t)_cbs.energy", "Ha", "total energy, CCSD(T)/CBS (ANI-1ccx)"),
        ),
        level="ωB97X/6-31G(d), ωB97X/def2-TZVPP, CCSD(T)*/CBS",
        licence="CC0 1.0",
        citations=(cite.ANI1_RELEASE, cite.ANI1X, cite.ANI1CCX),
        page="https://doi.org/10.6084/m9.figshare.10047041.v1",
        files=(
            RemoteFile(
                name="ani1x-release.h5",
                url=f"{_FIGSHARE}18112775",
                size=5_590_846_027,
                checksums=(
                    Checksum("md5", "98090dd6679106da861f52bed825ffb7"),
                    Checksum("sha256", "fe0ba06198ee72cf1003deebab2652097f6ab518337784dc811fa7da0c3bf5ac"),
                ),
            ),
        ),
        opens=("ani1x-release.h5",),
        note="One file holds both sets: what belongs to ANI-1ccx has a coupled-cluster energy. The MD5 is figshare's; "
        "the SHA-256 is that of a project that keeps the file.",
    ),
    Entry(
        name="ani2x",
        title="ANI-2x, ωB97X/6-31G(d)",
        description="Some 9.6 million conformations of molecules that may also have S, F and Cl, chosen by active "
        "learning, with energies and forces.",
        family="ANI",
        molecules=None,
        conformations=None,
        elements=("H", "C", "N", "O", "F", "S", "Cl"),
        columns=(_ANI_ENERGY, Column("forces", "Ha/Å", "forces", "atom")),
        level="ωB97X/6-31G(d)",
        citations=(cite.ANI2X,),
        page="https://doi.org/10.5281/zenodo.10108942",
        files=(
            RemoteFile(
                name="ANI-2x-wB97X-631Gd.tar.gz",
                url="https://zenodo.org/records/10108942/files/ANI-2x-wB97X-631Gd.tar.gz?download=1",
                about=3_700_000_000,
                checksums=(Checksum("md5", "cb1d9effb3d07fc1cc6ced7cd0b1e1f2"),),
                unpack=("ANI-2x*.h5",),
            ),
        ),
        note="The archive is unpacked after the download. Its HDF5 file is ordered by number of atoms, which the "
        "program does not read.",
    ),
)
