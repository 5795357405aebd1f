"""Columns of well-known files: their units and meanings, where the headings do not say them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Meanings = dict[str, tuple[str, str]]
"""Unit and description by heading."""


@dataclass(frozen=True)
class _File:
    """Files that have these headings (and such a name, when one is given)."""

    headings: frozenset[str]
    columns: Meanings
    name: str = ""


_FILES: tuple[_File, ...] = (
    _File(
        frozenset({"heavy", "size", "nuclear_charges", "atomization_energy", "total_energy", "forces"}),
        {
            "atomization_energy": ("kcal/mol", "energy less that of the free atoms: negative when bound"),
            "total_energy": ("kcal/mol", "total energy"),
            "forces": ("kcal/mol/Å", "force on each atom"),
            "dipole": ("D", "dipole moment"),
            "heavy": ("", "number of atoms other than hydrogen"),
            "size": ("", "number of atoms"),
        },
    ),
    _File(
        frozenset({"smiles", "logp"}),
        {"logp": ("log mol/L", "logarithm of the solubility in water (ESOL; the heading says logp)")},
        r"delaney|esol",
    ),
    _File(
        frozenset({"smiles", "measured log solubility in mols per litre"}),
        {
            "measured log solubility in mols per litre": (
                "log mol/L",
                "logarithm of the solubility in water",
            ),
            "ESOL predicted log solubility in mols per litre": ("log mol/L", "the same by the ESOL model"),
            "Molecular Weight": ("g/mol", ""),
            "Polar Surface Area": ("Å²", ""),
        },
    ),
    _File(frozenset({"smiles", "freesolv"}), {"freesolv": ("kcal/mol", "free energy of hydration, measured")}),
    _File(
        frozenset({"smiles", "expt", "calc"}),
        {
            "expt": ("kcal/mol", "free energy of hydration, measured (FreeSolv)"),
            "calc": ("kcal/mol", "free energy of hydration, GAFF (FreeSolv)"),
        },
    ),
    _File(
        frozenset({"heat_all_ev_per_atom", "dir_gap", "ind_gap"}),
        {
            "heat_all_ev_per_atom": ("eV/atom", "heat of formation"),
            "dir_gap": ("eV", "direct band gap"),
            "ind_gap": ("eV", "indirect band gap"),
        },
    ),
    _File(
        frozenset({"target", "smiles", "p_activity"}),
        {"p_activity": ("", "negative decimal logarithm of Ki or EC50 in mol/L")},
    ),
)

_QM8 = re.compile(r"(?P<kind>[Ef])(?P<state>[12])-(?P<method>CC2|PBE0|CAM)(?P<again>\.1| \(2\)|)")
_QM8_METHODS = {"CC2": "RI-CC2/def2-TZVP", "PBE0": "LR-TD-PBE0", "CAM": "LR-TD-CAM-B3LYP/def2-TZVP"}


def meanings(file_name: str, headings: Sequence[str]) -> Meanings:
    """Units and descriptions of the columns of a table, as far as they are well known.

    QM8 (doi:10.1063/1.4928757) has its excitation energies in hartree and its oscillator strengths without a unit;
    columns of PBE0 that come twice are those of def2-SVP and then of def2-TZVP.
    """
    found: Meanings = {}
    there = {h.strip().lower() for h in headings}
    for file in _FILES:
        if file.headings <= there and (not file.name or re.search(file.name, file_name.lower())):
            wanted = {k.lower(): v for k, v in file.columns.items()}
            found |= {h: wanted[h.lower()] for h in headings if h.lower() in wanted}
    qm8 = {h: match for h in headings if (match := _QM8.fullmatch(h))}
    twice = {m[0].removesuffix(m["again"]) for m in qm8.values() if m["again"]}
    for heading, match in qm8.items():
        kind, state, method = match["kind"], match["state"], _QM8_METHODS[match["method"]]
        if "/" not in method and (match["again"] or heading in twice):
            method = f"{method}/{'def2-TZVP' if match['again'] else 'def2-SVP'}"
        what = "excitation energy of" if kind == "E" else "oscillator strength of"
        found[heading] = ("Ha" if kind == "E" else "", f"{what} singlet S{state}, {method}")
    return found
