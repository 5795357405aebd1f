"""How large the data sets of the literature are: points of reference for a chart of sizes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownSize:
    """Size of a published set.

    Attributes
    ----------
    name : str
    molecules : int or None
        Different molecules; None where the publication names no number.
    conformations : int
        Geometries, or records where there are none.
    reference : str
    note : str
        What the numbers do not say.
    """

    name: str
    molecules: int | None
    conformations: int
    reference: str
    note: str = ""

    @property
    def text(self) -> str:
        """For people: numbers, remark, citation, in lines."""
        count = "molecules not stated" if self.molecules is None else f"{self.molecules:,} molecules"
        if self.molecules == 1:
            count = "1 molecule"
        lines = [f"{self.name}: {count}, {self.conformations:,} records", self.note, self.reference]
        return "\n".join(line for line in lines if line)


_MD17 = "Chmiela et al., Sci. Adv. 3, e1603015 (2017), doi:10.1126/sciadv.1603015"
_RMD17 = "Christensen, von Lilienfeld, Mach. Learn.: Sci. Technol. 1, 045018 (2020), doi:10.1088/2632-2153/abba6f"

KNOWN: tuple[KnownSize, ...] = (
    KnownSize(
        "QM7",
        7_165,
        7_165,
        "Rupp, Tkatchenko, Müller, von Lilienfeld, Phys. Rev. Lett. 108, 058301 (2012), "
        "doi:10.1103/PhysRevLett.108.058301",
    ),
    KnownSize(
        "QM7b", 7_211, 7_211, "Montavon et al., New J. Phys. 15, 095003 (2013), doi:10.1088/1367-2630/15/9/095003"
    ),
    KnownSize(
        "QM8",
        21_786,
        21_786,
        "Ramakrishnan, Hartmann, Tapavicza, von Lilienfeld, J. Chem. Phys. 143, 084111 (2015), doi:10.1063/1.4928757",
    ),
    KnownSize(
        "QM9",
        133_885,
        133_885,
        "Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014), doi:10.1038/sdata.2014.22",
        "3,054 of them are uncharacterised",
    ),
    KnownSize("MD17 aspirin", 1, 211_762, _MD17),
    KnownSize("MD17 ethanol", 1, 555_092, _MD17),
    KnownSize("MD17 malonaldehyde", 1, 993_237, _MD17),
    KnownSize("MD17 uracil", 1, 133_770, _MD17),
    KnownSize("rMD17 (each)", 1, 100_000, _RMD17, "ten molecules, each with as many frames of MD17 computed anew"),
    KnownSize(
        "ANI-1",
        57_462,
        22_057_374,
        "Smith, Isayev, Roitberg, Sci. Data 4, 170193 (2017), doi:10.1038/sdata.2017.193",
        "conformations as counted in the published files; the article says more than 20 million",
    ),
    KnownSize(
        "ANI-1x",
        None,
        4_956_005,
        "Smith et al., Sci. Data 7, 134 (2020), doi:10.1038/s41597-020-0473-z",
        "the file groups conformations by formula, not by molecule",
    ),
    KnownSize("QM7-X", 6_950, 4_195_237, "Hoja et al., Sci. Data 8, 43 (2021), doi:10.1038/s41597-021-00812-2"),
    KnownSize(
        "SPICE",
        19_238,
        1_132_808,
        "Eastman et al., Sci. Data 10, 11 (2023), doi:10.1038/s41597-022-01882-6",
        "molecules and clusters of version 1",
    ),
    KnownSize(
        "GDB-11",
        26_400_000,
        26_400_000,
        "Fink, Reymond, J. Chem. Inf. Model. 47, 342 (2007), doi:10.1021/ci600423u",
        "26.4 million molecules (110.9 million stereoisomers), without geometries",
    ),
    KnownSize(
        "GDB-13",
        977_468_314,
        977_468_314,
        "Blum, Reymond, J. Am. Chem. Soc. 131, 8732 (2009), doi:10.1021/ja902302h",
        "without geometries",
    ),
    KnownSize(
        "GDB-17",
        166_400_000_000,
        166_400_000_000,
        "Ruddigkeit, van Deursen, Blum, Reymond, J. Chem. Inf. Model. 52, 2864 (2012), doi:10.1021/ci300415d",
        "166.4 billion molecules, without geometries",
    ),
)
"""In the order of the literature."""
