"""Functional groups that are left out: SMARTS in the order in which they are asked.

The groups are of the kinds that GDB-11 leaves out as unstable or as the lesser tautomer; their SMARTS were written for
that and then checked, and mended, against the molecules of GDB-11 with up to six heavy atoms. How well they do beyond
is measured on those with seven and eight. Groups with sulfur and with halogens, of which GDB-11 has none or only
fluorine, follow GDB-13 (Blum, Reymond, J. Am. Chem. Soc. 131, 8732 (2009)) in spirit only.
"""

from __future__ import annotations

from qmlstudio.chem.enumeration.filters import PatternFilter

_ACYL = "$(N-C=[O,N,S])"
_ALDEHYDE_KETONE_NITRILE = "[$([CX3H1](=O)[#6]),$([CX3](=O)([#6])[#6]),$(C#N)]"

PATTERN_FILTERS = (
    PatternFilter(
        name="gas",
        title="N₂, HCN",
        reason="no organic molecules",
        smarts=("N#N", "[CX2H1]#N"),
    ),
    PatternFilter(
        name="peroxide",
        title="O–O",
        reason="peroxides, and oxygen bound to sulfur(II), break",
        smarts=("[#8X2]~[#8,#16;X2]",),
    ),
    PatternFilter(
        name="hydrazine",
        title="N–N",
        reason="hydrazines; with an acyl or amidine group at one nitrogen, or as hydrazones, they are let through",
        smarts=(f"[NX3;!{_ACYL}]-[NX3;!{_ACYL}]",),
    ),
    PatternFilter(
        name="hydroxylamine",
        title="N–O",
        reason="hydroxylamines (acyl ones and oximes are let through), O-vinyl oximes, N–O–N, in four-rings",
        smarts=(f"[NX3;!{_ACYL}]-[OX2]", "N-O-N", "C=C-O-N", "[N,O;r4]-[N,O;r4]"),
    ),
    PatternFilter(
        name="azo",
        title="N=N, N=O",
        reason="azo and nitroso groups outside of aromatic rings",
        smarts=("N=N", "[NX2]=O"),
    ),
    PatternFilter(
        name="hetero_chain",
        title="Chains of N and O",
        reason="three in a row (five in an aromatic ring) fall apart into nitrogen or oxides of nitrogen",
        smarts=(
            "[N]~[#7]~[N]",
            "[N,O]~[N;!$([N+](=O)[O-])]~[N,O]",
            "[NX3,OX2]-[N+](=O)[O-]",
            "[#7X3,#8X2;r]~[#7X3,#8X2;r]~[#7X3,#8X2;r]",
            "[n,o]~[n,o]~[n,o]~[n,o]~[n,o]",
        ),
    ),
    PatternFilter(
        name="small_hetero_ring",
        title="Heteroatoms at small rings",
        reason="two of N and O side by side in a three-ring, or on one saturated atom of a three- or four-ring",
        smarts=("[N,O,n,o;r3]~[N,O,n,o;r3]", "[N,O]-[CX4;r3,r4]-[N,O]", "[O;r4]-C-[O;r4]"),
    ),
    PatternFilter(
        name="four_ring_alkene",
        title="Methylene at four-rings",
        reason="C=C and C=N at a four-ring that is not part of an aromatic system: strained, C=O is let through",
        smarts=("[C;r4]=[C,N]", "[A;r4]=[A;R]"),
    ),
    PatternFilter(
        name="enol",
        title="Enols",
        reason="the aldehyde or ketone is the stable tautomer",
        smarts=("[O,S;X2;H1]-C=C",),
    ),
    PatternFilter(
        name="enamine",
        title="Enamines",
        reason="the imine, or what water makes of it; vinylogous amides and acylated enamines are let through",
        smarts=(f"[NX3;!{_ACYL}]-C=[C;!$(C-C=[O,N]);!$(C-C#N)]", "C=C([N,O])[N,O]"),
    ),
    PatternFilter(
        name="ynol",
        title="N or O at a triple bond",
        reason="ynols and ynamines are ketenes and ketenimines",
        smarts=("[#7,#8,#16]-C#C",),
    ),
    PatternFilter(
        name="aminal",
        title="Hemiacetals, aminals",
        reason="two heteroatoms on one saturated carbon lose water or ammonia; acetals are let through",
        smarts=("[N]-[CX4]-[N,O,S]", "[O,S;X2;H1]-[CX4]-[O,S;X2]"),
    ),
    PatternFilter(
        name="cyanamide",
        title="N or O at a nitrile",
        reason="cyanates and cyanamides",
        smarts=("[#7,#8,#16]-C#N",),
    ),
    PatternFilter(
        name="imine",
        title="Imines",
        reason="water opens them; oximes, hydrazones, amidines are let through",
        smarts=("[CX3;!$(C-[NX3])]=[NX2;!$(N-[N,O])]",),
    ),
    PatternFilter(
        name="amidine",
        title="Amidine tautomers",
        reason="of the two forms of an amidine with hydrogen one is kept",
        smarts=(
            "[NX3H2]-C=N-*",
            "[NX3;H1;!$(N-[O,N]);!$(N(-C=[O,N])-C=[C,N,O])]-C=N-[$([OX2H]),$([NH2])]",
            "[NX3;!H0]-C=N-C=[C,O]",
        ),
    ),
    PatternFilter(
        name="acid",
        title="Carbamic acids, anhydrides",
        reason="carbamic acids, half-esters of carbonic acid lose CO₂; imidic acids are amides; water opens anhydrides",
        smarts=("[N]-C(=O)[OX2H]", "[OX2H]C(=O)O[#6]", "[O,S;X2;H1]-C=N", "O=C-O-C=O"),
    ),
    PatternFilter(
        name="keto_acid",
        title="β-Keto acids",
        reason="lose CO₂, as cyanoacetic acids do",
        smarts=("[OX2H]C(=O)-[CX4]-C=O", "[OX2H]C(=O)-[CX4]-C#N"),
    ),
    PatternFilter(
        name="amine_carbonyl",
        title="Amine and aldehyde in one",
        reason="a primary amine or hydrazone beside an aldehyde, ketone or nitrile of the same molecule reacts with it",
        smarts=(
            f"[NH2]-[CX4,NX3].{_ALDEHYDE_KETONE_NITRILE}",
            f"[NH2]-N=C.{_ALDEHYDE_KETONE_NITRILE}",
            "[NH2]-[CX4].[$([#6]=N-[NH2]),$(C(=[O,N])-N-[NH2])]",
        ),
    ),
    PatternFilter(
        name="azole",
        title="Azole tautomers",
        reason="some of the forms of triazoles, tetrazoles, hydroxyazoles of which GDB-11 keeps another",
        smarts=("[nX2]:[nX3;H0]:[nX2]", "[nX2]1:[nX2]:c:[nH]:c:1", "O=C1C=[C,N][N,O][CX4;!H0]1"),
    ),
    PatternFilter(
        name="halogen",
        title="Reactive halides",
        reason="halogens on anything but carbon, boron or silicon; acyl and imidoyl halides; beside N, O or S; on C≡C",
        smarts=(
            "[F,Cl,Br,I]-[!#6;!#5;!#14]",
            "[F,Cl,Br,I]-C=[O,N,S]",
            "[F,Cl,Br,I]-[CX4]-[N,O,S]",
            "[F,Cl,Br,I]-C#C",
            "[F,Cl,Br,I]-C#N",
        ),
    ),
    PatternFilter(
        name="sulfur",
        title="Reactive sulfur",
        reason="sulfur(II) on N; thioaldehydes and thioketones; S=N, and sulfur in a row of three",
        smarts=("[#16X2;!a]-[#7]", "[CX3;!$(C-[N,O,S])]=S", "S=N", "S~S~S"),
    ),
)
