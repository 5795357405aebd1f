"""A check of units: energies against those of the free atoms, lengths against covalent radii."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem import units
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.doctor.base import NOTHING, Check, Extra, Table, own_columns
from qmlstudio.session.doctor.energy_checks import counts_of, total_energies
from qmlstudio.session.doctor.findings import ERROR, INFO, WARNING, Findings
from qmlstudio.session.doctor.survey import SECONDS_PER_ATOM, survey_of

Floats = NDArray[np.float64]

ALL_ELECTRON = {
    1: -0.5, 2: -2.90, 3: -7.48, 4: -14.67, 5: -24.65, 6: -37.85, 7: -54.59, 8: -75.07, 9: -99.73, 10: -128.94,
    11: -162.25, 12: -200.05, 13: -242.35, 14: -289.36, 15: -341.26, 16: -398.11, 17: -460.15, 18: -527.54,
    34: -2401.5, 35: -2574.1,
}  # fmt: skip
"""Energies of the free atoms, Ha, to about 1 ‰: exact non-relativistic ones (Chakravorty et al., Phys. Rev. A 47, 3649
(1993)) up to argon, density-functional ones beyond."""
GFN2 = {
    1: -0.39348, 5: -0.95244, 6: -1.79330, 7: -2.60582, 8: -3.76761, 9: -4.61934, 14: -1.56961, 15: -2.37418,
    16: -3.14646, 17: -4.48253, 35: -4.04834, 53: -3.77963,
}  # fmt: skip
"""Energies of the free atoms in GFN2-xTB, Ha, whose valence electrons alone count."""
LEVELS = (("all-electron total energies", ALL_ELECTRON, 0.96, 1.22), ("GFN-xTB energies", GFN2, 0.98, 1.5))
"""Title, atoms, and in which range the ratio of a molecule's energy to that of its atoms lies."""
_UNITS = ("Ha", "eV", "kcal/mol", "kJ/mol")
_ATOMIZATION = re.compile(r".*(atomi[sz]ation|cohesive).*|ae|ae_.*", re.IGNORECASE)
_ORBITAL = re.compile(r"(.*[_ .])?(gap|homo|lumo)([_ .].*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Units(Check):
    """Units that cannot be."""

    name: ClassVar[str] = "units"
    title: ClassVar[str] = "Units"
    why: ClassVar[str] = (
        "A wrong unit makes every energy wrong by a factor, and lengths in bohr make every bond too long."
    )

    def seconds(self, dataset: Dataset) -> float:
        """That of the survey of all geometries."""
        return SECONDS_PER_ATOM * len(dataset.structures.numbers)

    def run(self, dataset: Dataset, columns: Table, progress: Progress = SILENT, extra: Extra = NOTHING) -> Findings:
        """A finding for each column, and one for the coordinates."""
        found = [self._lengths(survey_of(dataset.structures, progress.part(0.0, 0.7)).spread)]
        elements, counts = counts_of(dataset.structures, progress.part(0.7, 0.8))
        totals = total_energies(dataset, columns)
        table = own_columns(dataset, columns)
        for k, (name, p) in enumerate(table.items()):
            progress(0.8 + 0.2 * k / len(table), f"Units: {name}")
            if p.is_text or p.values.ndim != 1 or (p.unit and p.unit not in units.ENERGY):
                continue
            values = np.asarray(p.values, dtype=np.float64)
            if _ATOMIZATION.fullmatch(name):
                typical = _median(np.abs(values) / np.maximum(dataset.structures.sizes, 1))
                found.append(self._judge(name, p, typical, (2.0, 7.0), (1.4, 9.0), "an energy of {:.3g} per atom"))
            elif _ORBITAL.fullmatch(name):
                typical = _median(np.abs(values))
                found.append(self._judge(name, p, typical, (1.0, 20.0), (0.3, 30.0), "a usual value of {:.3g}"))
            elif name in totals:
                found.append(self._total(name, p, values, elements, counts))
        return Findings.join(self.name, found)

    def _lengths(self, spread: Floats) -> Findings:
        """Distances between neighbours relative to the sums of their radii: about 1 in everything bonded."""
        typical = _median(spread)
        if not np.isfinite(typical) or 0.7 <= typical <= 1.5:
            return self.nothing()
        guesses = {"bohr": units.BOHR, "nm": units.LENGTH["nm"], "pm": units.LENGTH["pm"], "": 1 / units.BOHR}
        for unit, factor in guesses.items():
            if 0.85 <= typical * factor <= 1.2:
                text = (
                    "bonds are {ratio:.2f} times as long as radii say: coordinates look like {guess}"
                    if unit
                    else "bonds are {ratio:.2f} times as long as radii say: converted from bohr without being in bohr?"
                )
                return Findings.make(self.name, text, -1, ERROR, drops="none", ratio=typical, guess=unit)
        text = "neighbours are {ratio:.2f} times as far apart as radii say"
        return Findings.make(self.name, text, -1, INFO, drops="none", ratio=typical)

    def _total(self, name: str, p: Property, values: Floats, elements: Any, counts: Floats) -> Findings:
        """The ratio of the energies to those of the free atoms, in each unit."""
        matches = {}
        for title, atoms, low, high in LEVELS:
            if not all(int(z) in atoms for z in elements):
                continue
            ratio = _median(values / np.minimum(counts @ np.array([atoms[int(z)] for z in elements]), -1e-9))
            if np.isfinite(ratio):
                for unit in _UNITS:
                    if low <= ratio * units.factor(unit, "Ha") <= high:
                        matches[unit] = title
        if not matches or p.unit in matches:
            return self.nothing()
        guess, title = next(iter(matches.items()))
        return self._say(name, p, guess, f"they are {title} then", ERROR)

    def _judge(
        self,
        name: str,
        p: Property,
        typical: float,
        usual: tuple[float, float],
        possible: tuple[float, float],
        what: str,
    ) -> Findings:
        """A typical size, in eV: within `possible` the stated unit is believed; another has to give a `usual` one."""
        if not np.isfinite(typical) or typical == 0.0:
            return self.nothing()
        if p.unit and possible[0] <= typical * units.ENERGY[p.unit] <= possible[1]:
            return self.nothing()
        fitting = [u for u in _UNITS if usual[0] <= typical * units.ENERGY[u] <= usual[1]]
        if not fitting:
            return self.nothing()
        middle = np.sqrt(usual[0] * usual[1])
        guess = min(fitting, key=lambda u: abs(np.log(typical * units.ENERGY[u] / middle)))
        unit = p.unit or "in no unit"
        return self._say(name, p, guess, (what + " {}").format(typical, unit), WARNING)

    def _say(self, name: str, p: Property, guess: str, reason: str, severity: int) -> Findings:
        if p.unit:
            text = "{column}: the unit is given as {unit}, but the values look like {guess} ({reason})"
        else:
            text, severity = "{column}: no unit is given; the values look like {guess} ({reason})", INFO
        return Findings.make(
            self.name, text, -1, severity, drops="none", column=name, unit=p.unit, guess=guess, reason=reason
        )


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
