"""The data doctor: what may be wrong with a data set, and where."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import SILENT, Cancelled, Progress
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table
from qmlstudio.session.doctor.column_checks import ConstantColumns, MissingValues
from qmlstudio.session.doctor.duplicate_checks import Leakage, SameGeometry, SameMolecule
from qmlstudio.session.doctor.energy_checks import EnergyOutliers, NetForces
from qmlstudio.session.doctor.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Findings
from qmlstudio.session.doctor.geometry_checks import Clashes, Coordinates, Elements, Fragments, Isolated, Valences
from qmlstudio.session.doctor.smiles_checks import Charges, SmilesMismatch
from qmlstudio.session.doctor.unit_checks import Units

__all__ = (
    "ERROR",
    "INFO",
    "NOTHING",
    "REGISTRY",
    "SEVERITIES",
    "WARNING",
    "Check",
    "Extra",
    "Finding",
    "Findings",
    "examine",
    "quick",
)

log = logging.getLogger("qmlstudio.doctor")

_CHECKS: tuple[type[Check], ...] = (
    Coordinates,
    Elements,
    Units,
    MissingValues,
    ConstantColumns,
    Clashes,
    Isolated,
    Fragments,
    Valences,
    EnergyOutliers,
    NetForces,
    SameGeometry,
    SameMolecule,
    SmilesMismatch,
    Charges,
    Leakage,
)
REGISTRY: dict[str, type[Check]] = {c.name: c for c in _CHECKS}
"""All checks by name, in the order in which they are shown."""

QUICK_SECONDS = 0.3
"""A check that takes no longer runs by itself when a set was opened."""


def quick(dataset: Dataset, checks: Iterable[Check] | None = None) -> tuple[Check, ...]:
    """Those of the checks that take no time on this set."""
    chosen = [cls() for cls in _CHECKS] if checks is None else checks
    return tuple(c for c in chosen if c.seconds(dataset) <= QUICK_SECONDS)


def examine(
    dataset: Dataset,
    columns: Table | None = None,
    checks: Iterable[Check] | None = None,
    progress: Progress = SILENT,
    extra: Extra = NOTHING,
) -> list[Findings]:
    """Run checks (all of them, with usual parameters, unless given) one after the other.

    What was found so far is handed out (``progress.partial``, a tuple) after each. A check that breaks says so in its
    result (:attr:`Findings.error`), and the others go on.
    """
    chosen = [cls() for cls in _CHECKS] if checks is None else list(checks)
    table = dataset.per_structure if columns is None else columns
    costs = [c.seconds(dataset) + 0.01 for c in chosen]
    total, done, found = sum(costs), 0.0, []
    for check, cost in zip(chosen, costs, strict=True):
        part = progress.part(done / total, (done + cost) / total)
        part(0.0, check.title)
        try:
            found.append(check.run(dataset, table, part, extra))
        except Cancelled:
            raise
        except Exception as error:
            log.exception("the check %s", check.name)
            found.append(replace(check.nothing(), error=f"{type(error).__name__}: {error}"))
        progress.partial(tuple(found))
        done += cost
    return found
