"""The publications of the catalogue's data sets."""

from __future__ import annotations

from qmlstudio.chem.catalogue.model import Citation

_VON_LILIENFELD = "O. Anatole von Lilienfeld"
_JCIM = "J. Chem. Inf. Model."
_SCI_DATA = "Sci. Data"

GDB11 = Citation(
    key="fink2007",
    authors=("Tobias Fink", "Jean-Louis Reymond"),
    title="Virtual Exploration of the Chemical Universe up to 11 Atoms of C, N, O, F: Assembly of 26.4 Million "
    "Structures (110.9 Million Stereoisomers) and Analysis for New Ring Systems, Stereochemistry, Physicochemical "
    "Properties, Compound Classes, and Drug Discovery",
    journal=_JCIM,
    volume="47",
    pages="342–353",
    year=2007,
    doi="10.1021/ci600423u",
)
GDB13 = Citation(
    key="blum2009",
    authors=("Lorenz C. Blum", "Jean-Louis Reymond"),
    title="970 Million Druglike Small Molecules for Virtual Screening in the Chemical Universe Database GDB-13",
    journal="J. Am. Chem. Soc.",
    volume="131",
    pages="8732–8733",
    year=2009,
    doi="10.1021/ja902302h",
)
GDB17 = Citation(
    key="ruddigkeit2012",
    authors=("Lars Ruddigkeit", "Ruud van Deursen", "Lorenz C. Blum", "Jean-Louis Reymond"),
    title="Enumeration of 166 Billion Organic Small Molecules in the Chemical Universe Database GDB-17",
    journal=_JCIM,
    volume="52",
    pages="2864–2875",
    year=2012,
    doi="10.1021/ci300415d",
)
QM7 = Citation(
    key="rupp2012",
    authors=("Matthias Rupp", "Alexandre Tkatchenko", "Klaus-Robert Müller", _VON_LILIENFELD),
    title="Fast and Accurate Modeling of Molecular Atomization Energies with Machine Learning",
    journal="Phys. Rev. Lett.",
    volume="108",
    pages="058301",
    year=2012,
    doi="10.1103/PhysRevLett.108.058301",
)
QM7B = Citation(
    key="montavon2013",
    authors=(
        "Grégoire Montavon",
        "Matthias Rupp",
        "Vivekanand Gobre",
        "Alvaro Vazquez-Mayagoitia",
        "Katja Hansen",
        "Alexandre Tkatchenko",
        "Klaus-Robert Müller",
        _VON_LILIENFELD,
    ),
    title="Machine learning of molecular electronic properties in chemical compound space",
    journal="New J. Phys.",
    volume="15",
    pages="095003",
    year=2013,
    doi="10.1088/1367-2630/15/9/095003",
)
QM8 = Citation(
    key="ramakrishnan2015",
    authors=("Raghunathan Ramakrishnan", "Mia Hartmann", "Enrico Tapavicza", _VON_LILIENFELD),
    title="Electronic spectra from TDDFT and machine learning in chemical space",
    journal="J. Chem. Phys.",
    volume="143",
    pages="084111",
    year=2015,
    doi="10.1063/1.4928757",
)
QM9 = Citation(
    key="ramakrishnan2014",
    authors=("Raghunathan Ramakrishnan", "Pavlo O. Dral", "Matthias Rupp", _VON_LILIENFELD),
    title="Quantum chemistry structures and properties of 134 kilo molecules",
    journal=_SCI_DATA,
    volume="1",
    pages="140022",
    year=2014,
    doi="10.1038/sdata.2014.22",
)
QM7X = Citation(
    key="hoja2021",
    authors=(
        "Johannes Hoja",
        "Leonardo Medrano Sandonas",
        "Brian G. Ernst",
        "Alvaro Vazquez-Mayagoitia",
        "Robert A. DiStasio",
        "Alexandre Tkatchenko",
    ),
    title="QM7-X, a comprehensive dataset of quantum-mechanical properties spanning the chemical space of small "
    "organic molecules",
    journal=_SCI_DATA,
    volume="8",
    pages="43",
    year=2021,
    doi="10.1038/s41597-021-00812-2",
)
MD17 = Citation(
    key="chmiela2017",
    authors=(
        "Stefan Chmiela",
        "Alexandre Tkatchenko",
        "Huziel E. Sauceda",
        "Igor Poltavsky",
        "Kristof T. Schütt",
        "Klaus-Robert Müller",
    ),
    title="Machine learning of accurate energy-conserving molecular force fields",
    journal="Sci. Adv.",
    volume="3",
    pages="e1603015",
    year=2017,
    doi="10.1126/sciadv.1603015",
)
SGDML = Citation(
    key="chmiela2018",
    authors=("Stefan Chmiela", "Huziel E. Sauceda", "Klaus-Robert Müller", "Alexandre Tkatchenko"),
    title="Towards exact molecular dynamics simulations with machine-learned force fields",
    journal="Nat. Commun.",
    volume="9",
    pages="3887",
    year=2018,
    doi="10.1038/s41467-018-06169-2",
)
RMD17 = Citation(
    key="christensen2020",
    authors=("Anders S. Christensen", _VON_LILIENFELD),
    title="On the role of gradients for machine learning of molecular energies and forces",
    journal="Mach. Learn.: Sci. Technol.",
    volume="1",
    pages="045018",
    year=2020,
    doi="10.1088/2632-2153/abba6f",
)
MD22 = Citation(
    key="chmiela2023",
    authors=(
        "Stefan Chmiela",
        "Valentin Vassilev-Galindo",
        "Oliver T. Unke",
        "Adil Kabylda",
        "Huziel E. Sauceda",
        "Alexandre Tkatchenko",
        "Klaus-Robert Müller",
    ),
    title="Accurate global machine learning force fields for molecules with hundreds of atoms",
    journal="Sci. Adv.",
    volume="9",
    pages="eadf0873",
    year=2023,
    doi="10.1126/sciadv.adf0873",
)
ANI1 = Citation(
    key="smith2017",
    authors=("Justin S. Smith", "Olexandr Isayev", "Adrian E. Roitberg"),
    title="ANI-1, A data set of 20 million calculated off-equilibrium conformations for organic molecules",
    journal=_SCI_DATA,
    volume="4",
    pages="170193",
    year=2017,
    doi="10.1038/sdata.2017.193",
)
ANI1X = Citation(
    key="smith2018",
    authors=("Justin S. Smith", "Ben Nebgen", "Nicholas Lubbers", "Olexandr Isayev", "Adrian E. Roitberg"),
    title="Less is more: Sampling chemical space with active learning",
    journal="J. Chem. Phys.",
    volume="148",
    pages="241733",
    year=2018,
    doi="10.1063/1.5023802",
)
ANI1CCX = Citation(
    key="smith2019",
    authors=(
        "Justin S. Smith",
        "Benjamin T. Nebgen",
        "Roman Zubatyuk",
        "Nicholas Lubbers",
        "Christian Devereux",
        "Kipton Barros",
        "Sergei Tretiak",
        "Olexandr Isayev",
        "Adrian E. Roitberg",
    ),
    title="Approaching coupled cluster accuracy with a general-purpose neural network potential through transfer "
    "learning",
    journal="Nat. Commun.",
    volume="10",
    pages="2903",
    year=2019,
    doi="10.1038/s41467-019-10827-4",
)
ANI1_RELEASE = Citation(
    key="smith2020",
    authors=(
        "Justin S. Smith",
        "Roman Zubatyuk",
        "Benjamin Nebgen",
        "Nicholas Lubbers",
        "Kipton Barros",
        "Adrian E. Roitberg",
        "Olexandr Isayev",
        "Sergei Tretiak",
    ),
    title="The ANI-1ccx and ANI-1x data sets, coupled-cluster and density functional theory properties for molecules",
    journal=_SCI_DATA,
    volume="7",
    pages="134",
    year=2020,
    doi="10.1038/s41597-020-0473-z",
)
ANI2X = Citation(
    key="devereux2020",
    authors=(
        "Christian Devereux",
        "Justin S. Smith",
        "Kate K. Huddleston",
        "Kipton Barros",
        "Roman Zubatyuk",
        "Olexandr Isayev",
        "Adrian E. Roitberg",
    ),
    title="Extending the Applicability of the ANI Deep Learning Molecular Potential to Sulfur and Halogens",
    journal="J. Chem. Theory Comput.",
    volume="16",
    pages="4192–4202",
    year=2020,
    doi="10.1021/acs.jctc.0c00121",
)
OE62 = Citation(
    key="stuke2020",
    authors=("Annika Stuke", "Christian Kunkel", "Dorothea Golze", "Milica Todorović", "Johannes T. Margraf", "others"),
    title="Atomic structures and orbital energies of 61,489 crystal-forming organic molecules",
    journal=_SCI_DATA,
    volume="7",
    pages="58",
    year=2020,
    doi="10.1038/s41597-020-0385-y",
)
ALCHEMY = Citation(
    key="chen2019",
    authors=("Guangyong Chen", "Pengfei Chen", "Chang-Yu Hsieh", "Chee-Kong Lee", "Benben Liao", "others"),
    title="Alchemy: A Quantum Chemistry Dataset for Benchmarking AI Models",
    journal="arXiv",
    volume="",
    pages="1906.09427",
    year=2019,
    doi="10.48550/arXiv.1906.09427",
)
PC9 = Citation(
    key="glavatskikh2019",
    authors=("Marta Glavatskikh", "Jules Leguy", "Gilles Hunault", "Thomas Cauchy", "Benoit Da Mota"),
    title="Dataset's chemical diversity limits the generalizability of machine learning predictions",
    journal="J. Cheminf.",
    volume="11",
    pages="69",
    year=2019,
    doi="10.1186/s13321-019-0391-2",
)
SPICE = Citation(
    key="eastman2023",
    authors=("Peter Eastman", "Pavan Kumar Behara", "David L. Dotson", "Raimondas Galvelis", "John E. Herr", "others"),
    title="SPICE, A Dataset of Drug-like Molecules and Peptides for Training Machine Learning Potentials",
    journal=_SCI_DATA,
    volume="10",
    pages="11",
    year=2023,
    doi="10.1038/s41597-022-01882-6",
)
SPICE2 = Citation(
    key="eastman2024",
    authors=("Peter Eastman", "Benjamin P. Pritchard", "John D. Chodera", "Thomas E. Markland"),
    title="Nutmeg and SPICE: Models and Data for Biomolecular Machine Learning",
    journal="J. Chem. Theory Comput.",
    volume="20",
    pages="8583–8593",
    year=2024,
    doi="10.1021/acs.jctc.4c00794",
)
TMQM = Citation(
    key="balcells2020",
    authors=("David Balcells", "Bastian Bjerkem Skjelstad"),
    title="tmQM Dataset – Quantum Geometries and Properties of 86k Transition Metal Complexes",
    journal=_JCIM,
    volume="60",
    pages="6135–6146",
    year=2020,
    doi="10.1021/acs.jcim.0c01041",
)
QMUGS = Citation(
    key="isert2022",
    authors=("Clemens Isert", "Kenneth Atz", "José Jiménez-Luna", "Gisbert Schneider"),
    title="QMugs, quantum mechanical properties of drug-like molecules",
    journal=_SCI_DATA,
    volume="9",
    pages="273",
    year=2022,
    doi="10.1038/s41597-022-01390-7",
)
GFN2 = Citation(
    key="bannwarth2019",
    authors=("Christoph Bannwarth", "Sebastian Ehlert", "Stefan Grimme"),
    title="GFN2-xTB – An Accurate and Broadly Parametrized Self-Consistent Tight-Binding Quantum Chemical Method with "
    "Multipole Electrostatics and Density-Dependent Dispersion Contributions",
    journal="J. Chem. Theory Comput.",
    volume="15",
    pages="1652–1671",
    year=2019,
    doi="10.1021/acs.jctc.8b01176",
)
