"""Errors that publications state, to stand beside one's own: only what was read in the source that is named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published error.

    Attributes
    ----------
    dataset : str
        "qm7", "elpasolite", …: how names of data sets begin, in lower case without separators.
    properties : tuple of str
        Beginnings of column names that mean the property.
    representation : str
        Registry name; with `values` what must be so of it.
    values : tuple of (name, value)
    mae : float; unit : str
    below : bool
        The source says "below" rather than a value.
    n_train : int or None
        Training structures; None where the source does not say.
    what : str
        Method, in a few words.
    where : str
        What of the publication says so.
    reference : str
    """

    dataset: str
    properties: tuple[str, ...]
    representation: str
    values: tuple[tuple[str, object], ...] = ()
    mae: float
    unit: str
    below: bool = False
    n_train: int | None = None
    what: str = ""
    where: str = "abstract"
    reference: str

    @property
    def text(self) -> str:
        """ "< 1", "10": with no more figures than the source has."""
        return f"{'< ' if self.below else ''}{self.mae:g}"

    @property
    def about(self) -> str:
        """For a tooltip: number, training structures, method, citation, in lines."""
        n = f" with {self.n_train:,} training structures" if self.n_train else ""
        return f"{self.text} {self.unit}{n}: {self.what}\n{self.reference} ({self.where})"


_ATOMIZATION = ("atomization_energy", "u0_atomization", "u0_atom", "energy", "ae_pbe0", "e_pbe0")
PUBLISHED: tuple[Published, ...] = (
    Published(
        dataset="qm7",
        properties=_ATOMIZATION,
        representation="coulomb_matrix",
        values=(("permutation", "eigenspectrum"),),
        mae=10.0,
        unit="kcal/mol",
        n_train=None,
        what="eigenvalues of the Coulomb matrix, Gaussian kernel, cross-validation over more than 7,000 molecules",
        reference="Rupp, Tkatchenko, Müller, von Lilienfeld, Phys. Rev. Lett. 108, 058301 (2012), "
        "doi:10.1103/PhysRevLett.108.058301",
    ),
    Published(
        dataset="qm7",
        properties=_ATOMIZATION,
        representation="coulomb_matrix",
        values=(("permutation", "sorted_l2"),),
        mae=3.0,
        unit="kcal/mol",
        what="the best of several methods, with Coulomb matrices",
        reference="Hansen et al., J. Chem. Theory Comput. 9, 3404 (2013), doi:10.1021/ct400195d",
    ),
    Published(
        dataset="qm7",
        properties=_ATOMIZATION,
        representation="mbtr",
        mae=1.0,
        unit="kcal/mol",
        below=True,
        what="many-body tensor, kernel ridge regression, 7,000 organic molecules",
        where="abstract of the second version",
        reference="Huo, Rupp, arXiv:1704.06439 (2018); Mach. Learn.: Sci. Technol. 3, 045017 (2022), "
        "doi:10.1088/2632-2153/aca005",
    ),
    Published(
        dataset="elpasolite",
        properties=("formation_energy",),
        representation="elpasolite_sites",
        mae=0.1,
        unit="eV/atom",
        n_train=10_000,
        what="rows and columns of the periodic table on four sites",
        reference="Faber, Lindmaa, von Lilienfeld, Armiento, Phys. Rev. Lett. 117, 135502 (2016), "
        "doi:10.1103/PhysRevLett.117.135502",
    ),
)
"""What is known. A figure that nobody has looked up in its source does not belong here."""


def published(dataset: str, target: str, representation: object | None) -> tuple[Published, ...]:
    """What is published of a data set by its name, a column and a representation (by registry name and values)."""
    name = "".join(c for c in dataset.lower() if c.isalnum())
    column = target.lower()
    kind = getattr(representation, "name", "")
    return tuple(
        p
        for p in PUBLISHED
        if name.startswith(p.dataset)
        # QM7b is another set than QM7
        and not name[len(p.dataset) :][:1].isalpha()
        and column.startswith(p.properties)
        and p.representation == kind
        and all(getattr(representation, key, None) == value for key, value in p.values)
    )
