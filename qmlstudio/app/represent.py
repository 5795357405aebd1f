"""The representations as the window offers them: families, a command for each, those of other packages."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from qmlstudio import representations
from qmlstudio.app.commands import Command
from qmlstudio.app.jobs import Job
from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import Progress
from qmlstudio.representations.base import Representation

CONTEXT = "Represent"
MENU = "&Represent"
PREFIX = "represent_"


def _(text: str) -> str:
    """Marks a text for translation."""
    QT_TRANSLATE_NOOP(CONTEXT, text)
    return text


FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_("Matrices"), ("coulomb_matrix", "sine_matrix", "ewald_matrix", "atomic_coulomb_matrix")),
    (_("Bags and many-body terms"), ("bag_of_bonds", "baml", "slatm")),
    (_("Surroundings of atoms"), ("fchl18", "fchl19", "acsf", "aev", "soap", "lmbtr")),
    (_("Distributions and fields"), ("mbtr", "scattering")),
    (_("Composition and graphs"), ("composition", "morgan", "maccs", "rdkit_descriptors")),
)
"""Headings and registry names; what is in none of them came with another package."""
OTHERS = _("Of other packages")


def family_of(name: str) -> str:
    """The heading under which a representation stands, in the user's language."""
    found = next((title for title, names in FAMILIES if name in names), OTHERS)
    return QCoreApplication.translate(CONTEXT, found)


def in_families() -> list[type[Representation]]:
    """All registered representations, family after family."""
    registry = dict(representations.REGISTRY)
    known = [registry.pop(name) for _, names in FAMILIES for name in names if name in registry]
    return [*known, *registry.values()]


def tip_of(representation: type[Representation]) -> str:
    """The first sentence about a representation, and that it has no map where it has none."""
    first = representation.help.partition(". ")[0].rstrip(".") or representation.title
    if not representation().kernel_only:
        return first
    return QCoreApplication.translate(CONTEXT, "{} (compared by its kernel only: has no map)").format(first)


def command_of(representation: type[Representation], separator: bool = False) -> Command:
    """The command that chooses a representation."""
    return Command(
        id=PREFIX + representation.name,
        menu=MENU,
        text=representation.title.replace("&", "&&"),
        tip=tip_of(representation),
        checkable=True,
        separator=separator,
    )


def commands() -> list[Command]:
    """One for each registered representation, a line between the families."""
    found: list[Command] = []
    family = ""
    for cls in in_families():
        found.append(command_of(cls, separator=family_of(cls.name) != family))
        family = family_of(cls.name)
    return found


def unsuitable(representation: type[Representation] | Representation, dataset: Dataset | None) -> str:
    """Why a representation does not suit a data set, and what to do; empty where it may."""
    if dataset is None or representation.periodic != "required" or dataset.structures.cells is not None:
        return ""
    return QCoreApplication.translate(
        CONTEXT,
        "{} describes crystals: it needs unit cells, and these structures have none. Open crystals (CIF, POSCAR, "
        "extended xyz with a lattice) or choose another representation.",
    ).format(representation.title)


def plugins_job(done: Callable[[list[str]], None]) -> Job:
    """Looks for representations of other packages; `done` receives the problems, a line each."""
    return Job(
        key="plug-ins",
        slot="plug-ins",
        title=QCoreApplication.translate(CONTEXT, "Representations of other packages"),
        compute=_load,
        done=done,
        lane="batch",
        priority=-50,
    )


def _load(progress: Progress) -> list[str]:
    progress.check()
    return representations.load_plugins()
