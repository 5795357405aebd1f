"""The doctor's findings as text and as JSON, for the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qmlstudio.chem.dataset import Dataset
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.columns import Columns
from qmlstudio.session.doctor import ERROR, REGISTRY, SEVERITIES, Check, Findings, examine

FOUND = 3
"""Exit code when there are errors."""
SHOWN = 5
"""Findings of each check that are printed."""


def add_options(parser: Any) -> None:
    """The command's arguments."""
    parser.add_argument("file", metavar="FILE", help="structures, a session (.qmls), builtin:NAME, or qm9:")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument(
        "--check", action="append", choices=tuple(REGISTRY), metavar="CHECK", help="only this one; repeatable"
    )
    parser.add_argument("--all", action="store_true", help=f"print all findings, not {SHOWN} of each check")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")


def run(options: Any, dataset: Dataset, checks: Sequence[Check], progress: Progress = SILENT) -> int:
    """Examine and print; 3 when there are errors, 1 when a check could not be done, else 0."""
    found = examine(dataset, Columns(dataset), checks, progress)
    if options.json:
        print(json.dumps(as_json(dataset, checks, found), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        for line in as_lines(dataset, checks, found, None if options.all else SHOWN):
            print(line)
    if any(f.worst == ERROR for f in found):
        return FOUND
    return 1 if any(f.error for f in found) else 0


def as_json(dataset: Dataset, checks: Sequence[Check], found: Sequence[Findings]) -> dict[str, Any]:
    """Everything, JSON-able; structures and atoms count from 0."""
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "structures": len(dataset),
        "checks": [
            {
                **check.to_dict(),
                "title": check.title,
                "note": f.note,
                "error": f.error,
                "findings": [_finding(dataset, f, k) for k in range(len(f))],
            }
            for check, f in zip(checks, found, strict=True)
        ],
    }


def _finding(dataset: Dataset, found: Findings, k: int) -> dict[str, Any]:
    finding = found[k]
    own = finding.structure
    finite = {name: v for name, v in finding.numbers.items() if not isinstance(v, float) or abs(v) != float("inf")}
    return {
        "severity": finding.severity,
        "structure": own,
        "identifier": None if own is None else str(dataset.identifiers[own]),
        "text": found.text(k, dataset.identifiers),
        "atoms": list(finding.atoms),
        "related": finding.related.tolist(),
        "numbers": finite,
    }


def as_lines(dataset: Dataset, checks: Sequence[Check], found: Sequence[Findings], shown: int | None) -> list[str]:
    """A line for each check and for its (first) findings, the worst first."""
    lines = [f"{dataset.name}: {len(dataset):,} structures"]
    for check, f in zip(checks, found, strict=True):
        counts = ", ".join(f"{c:,} {s}{'s' if c != 1 else ''}" for s, c in zip(SEVERITIES, f.counts, strict=True) if c)
        note = f" ({f.note})" if f.note else ""
        result = f"could not be done: {f.error}" if f.error else counts or "nothing"
        lines.append(f"{check.title}: {result}{note}")
        order = (-f.severity.astype(int)).argsort(kind="stable").tolist()
        for k in order[:shown]:
            own = int(f.structure[k])
            name = f"{dataset.identifiers[own]}: " if own >= 0 else ""
            lines.append(f"  {SEVERITIES[f.severity[k]]:<8}{name}{f.text(k, dataset.identifiers)}")
        if shown is not None and len(order) > shown:
            lines.append(f"  … {len(order) - shown:,} more")
    return lines
