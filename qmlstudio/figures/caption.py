"""The sentence that belongs under a figure."""

from __future__ import annotations

from qmlstudio import __version__
from qmlstudio.parameters import Parameterised


def describe(value: Parameterised) -> str:
    """Title and hyper-parameters as people write them: "Coulomb matrix (permutation: row norm; …)"."""
    words = []
    for p in value.params():
        given = getattr(value, p.name)
        if given is None:
            text = p.none_label
        elif p.choices:
            text = next((label for choice, label in p.choices if choice == given), str(given))
        elif isinstance(given, bool):
            text = "yes" if given else "no"
        elif isinstance(given, float):
            text = f"{given:.6g}"
        else:
            text = str(given)
        unit = f" {p.unit}" if p.unit and given is not None else ""
        words.append(f"{p.label[:1].lower() + p.label[1:] if p.label[1:2].islower() else p.label}: {text}{unit}")
    return f"{value.title} ({'; '.join(words)})" if words else value.title


def caption(
    *,
    dataset: str,
    n: int,
    representation: Parameterised | None = None,
    embedding: Parameterised | None = None,
    coloured_by: str = "",
    n_missing: int = 0,
    n_selected: int = 0,
    structure: str = "",
    reference: str = "",
    versions: dict[str, str] | None = None,
) -> str:
    """What a reader needs to make the figure again.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    n : int
        Its number of structures.
    representation, embedding : Parameterised, optional
        With all their hyper-parameters, the seed among them.
    coloured_by : str
        Property with its unit.
    n_missing : int
        Structures without a value of it.
    n_selected : int
        Structures that are not dimmed; 0 when nothing is selected.
    structure : str
        Which structure is shown, where it is one.
    reference : str
        Literature of the data set.
    versions : dict, optional
        Of further packages.
    """
    parts = []
    if structure:
        parts.append(f"{structure} of {dataset} ({n:,} structures).")
    else:
        parts.append(f"{'Map of ' if embedding is not None else ''}{dataset} (N = {n:,}).")
    if representation is not None:
        parts.append(f"Representation: {describe(representation)}.")
    if embedding is not None:
        parts.append(f"Embedding: {describe(embedding)}.")
    if coloured_by:
        hollow = f"; hollow: no value ({n_missing:,})" if n_missing else ""
        parts.append(f"Colour: {coloured_by}{hollow}.")
    if n_selected:
        parts.append(f"{n_selected:,} selected, the others dimmed.")
    if reference:
        parts.append(f"Data: {reference.rstrip('.')}.")
    made = {"QML Studio": __version__, **(versions or {})}
    parts.append("Made with " + ", ".join(f"{name} {version}" for name, version in made.items()) + ".")
    return " ".join(parts)
