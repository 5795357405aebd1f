"""Writes docs/representations.md from the classes themselves: ``python docs/make_representations.py``."""

from __future__ import annotations

from pathlib import Path

from qmlstudio.representations import REGISTRY, Representation

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE / "representations.md"
PERIODIC = {
    "ignored": "cells are ignored",
    "images": "all images within the cutoff count",
    "required": "needs a cell",
}


def section(kind: type[Representation]) -> list[str]:
    """One representation's part of the document."""
    default = kind()
    lines = [f"## {kind.title} (`{kind.name}`)", "", kind.help, ""]
    lines += [line for formula in kind.formula for line in ("$$", formula, "$$", "")]
    kept = ", ".join(o for o in ("translation", "rotation", "reflection", "permutation") if o in default.invariances)
    lines += [
        f"*Unchanged by*: {kept or 'nothing exactly'}. *Crystals*: {PERIODIC[kind.periodic]}. "
        f"*Gradients*: {'analytical' if default.has_gradient else 'none'}. "
        f"*Rows*: one for each {'atom' if default.local else 'structure'} by default.",
        "",
        f"{kind.reference}",
        "",
    ]
    if not kind.params():
        return lines
    lines += ["| parameter | default | legal | meaning |", "|---|---|---|---|"]
    for p in kind.params():
        legal = ", ".join(f"`{value}` {label}" if str(value) != label else f"`{value}`" for value, label in p.choices)
        if not legal and p.kind is bool:
            legal = "`True`, `False`"
        if not legal and (p.low is not None or p.high is not None):
            low = "" if p.low is None else f"{p.low:g}"
            legal = f"{low} … {'' if p.high is None else f'{p.high:g}'} {p.unit}".strip()
        shown = p.none_label if p.default is None else f"{p.default}"
        text = p.label + (f": {p.help}" if p.help else "")
        lines.append(f"| `{p.name}` | {shown} | {legal or p.kind.__name__} | {text} |".replace("‖", "\\|\\|"))
    return [*lines, ""]


def text() -> str:
    """The whole document."""
    lines = [
        "# Representations",
        "",
        "Every representation, as the program itself describes it. Names and parameters are the same in the window, in",
        "session files, on the command line and in Python. Made by `python docs/make_representations.py`.",
        "",
    ]
    for kind in REGISTRY.values():
        lines += section(kind)
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
    print(DOCUMENT)
