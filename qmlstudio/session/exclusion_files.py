"""Lists of excluded structures as files, that apply to the same data set elsewhere, or to parts of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset
from qmlstudio.session.exclusions import Exclusion

FORMAT, VERSION = "QML Studio exclusions", 1


@dataclass(frozen=True)
class Loaded:
    """Lists that were read for a data set.

    Attributes
    ----------
    exclusions : tuple of Exclusion
    missing : int
        Structures of the file that the data set has not.
    """

    exclusions: tuple[Exclusion, ...]
    missing: int = 0


def to_json(dataset: Dataset, exclusions: Sequence[Exclusion]) -> dict[str, Any]:
    """The lists with indices, identifiers and a hash of each structure's elements, JSON-able."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "structures": len(dataset),
        "lists": [
            {
                "name": e.name,
                "reason": e.reason,
                "active": e.active,
                "indices": e.indices.tolist(),
                "identifiers": [str(dataset.identifiers[i]) for i in e.indices.tolist()],
                "elements": [_elements(dataset, i) for i in e.indices.tolist()],
            }
            for e in exclusions
        ],
    }


def from_json(data: Any, dataset: Dataset) -> Loaded:
    """Inverse of :func:`to_json`.

    On the same data (equal fingerprint) the indices hold; on others a structure is found by its identifier, and its
    elements have to be the same, in order.

    Raises
    ------
    ValueError
        It is no such file, of a newer version, or damaged.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("this is no list of excluded structures")
    if not isinstance(data.get("version"), int) or data["version"] > VERSION:
        raise ValueError(f"version {data.get('version')} of excluded structures: this program reads up to {VERSION}")
    try:
        same = data["fingerprint"] == dataset.fingerprint and data["structures"] == len(dataset)
        found, missing = [], 0
        places: dict[str, list[int]] | None = None
        for item in data["lists"]:
            if same:
                indices = np.asarray(item["indices"], dtype=np.int64)
                if len(indices) and (indices.min() < 0 or indices.max() >= len(dataset)):
                    raise ValueError("a list of excluded structures names some that there are not")
            else:
                if places is None:
                    places = _places(dataset, {str(i) for each in data["lists"] for i in each["identifiers"]})
                indices, lost = _find(dataset, places, item["identifiers"], item["elements"])
                missing += lost
            found.append(Exclusion(str(item["name"]), str(item["reason"]), indices, bool(item["active"])))
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the list of excluded structures is damaged: {error}") from error
    return Loaded(tuple(found), missing)


def write(path: str | Path, dataset: Dataset, exclusions: Sequence[Exclusion]) -> None:
    """Write a file; an old one is replaced when the new one is complete."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(to_json(dataset, exclusions), ensure_ascii=False), encoding="utf-8")
    part.replace(target)


def read(path: str | Path, dataset: Dataset) -> Loaded:
    """Read a file for a data set; ValueError says what is wrong with it."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{Path(path).name}: this is no list of excluded structures ({error})") from error
    return from_json(data, dataset)


def _elements(dataset: Dataset, index: int) -> str:
    offsets = dataset.structures.offsets
    numbers = np.ascontiguousarray(dataset.structures.numbers[offsets[index] : offsets[index + 1]])
    return hashlib.blake2b(numbers.tobytes(), digest_size=6).hexdigest()


def _places(dataset: Dataset, wanted: set[str]) -> dict[str, list[int]]:
    """Where the wanted identifiers stand."""
    found: dict[str, list[int]] = {}
    part = 1 << 16
    for start in range(0, len(dataset), part):
        for k, name in enumerate(np.asarray(dataset.identifiers[start : start + part]).tolist(), start):
            if name in wanted:
                found.setdefault(name, []).append(k)
    return found


def _find(
    dataset: Dataset, places: dict[str, list[int]], identifiers: Any, elements: Any
) -> tuple[NDArray[np.int64], int]:
    """Indices of what is there, and how many are not, or not clearly."""
    indices, lost = [], 0
    for name, hashed in zip(identifiers, elements, strict=False):
        fitting = [k for k in places.get(str(name), []) if _elements(dataset, k) == hashed]
        if len(fitting) == 1:
            indices.append(fitting[0])
        else:
            lost += 1
    return np.array(indices, dtype=np.int64), lost
