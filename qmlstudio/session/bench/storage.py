"""What a bench keeps in its folder, so that one that was killed goes on where it was: written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.session.bench.results import Point

Array = NDArray[Any]

HEAD = "bench.json"
"""The specification and the data set that the folder belongs to."""
_ENDING = ".part"


class Folder:
    """The folder of a bench. Everything in it is named by what it is a function of, so nothing is ever out of date.

    Parameters
    ----------
    path : path
        Made when it is not there. Several benches may share a folder: what they have in common is computed once.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        for name in ("points", "searches", "features"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def write_head(self, data: dict[str, Any]) -> None:
        """Keep the specification, for people and for opening the folder again."""
        with self._replacing(self.path / HEAD) as place:
            place.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")

    def head(self) -> dict[str, Any] | None:
        """What :meth:`write_head` kept; None when there is nothing, or nothing that can be read."""
        return self._json(self.path / HEAD)

    def point(self, key: str, series: str) -> Point | None:
        """The point of that key under its series' label of today; None when it has to be computed."""
        path = self.path / "points" / f"{key}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("test", "truth", "predicted")}
                known = json.loads(str(file["about"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        known["targets"], known["notes"] = tuple(known["targets"]), tuple(known["notes"])
        return Point(**{**known, "series": series}, **arrays)

    def keep_point(self, point: Point) -> None:
        """Write a point."""
        about = {
            "key": point.key,
            "size": point.size,
            "repeat": point.repeat,
            "seed": point.seed,
            "targets": point.targets,
            "unit": point.unit,
            "model": point.model,
            "seconds": point.seconds,
            "bytes": point.bytes,
            "notes": point.notes,
        }
        with self._replacing(self.path / "points" / f"{point.key}.npz") as place, place.open("wb") as stream:
            text = np.array(json.dumps(about, ensure_ascii=False))
            np.savez(stream, test=point.test, truth=point.truth, predicted=point.predicted, about=text)

    def search(self, key: str) -> dict[str, Any] | None:
        """What a search found; None when it has to be made."""
        return self._json(self.path / "searches" / f"{key}.json")

    def keep_search(self, key: str, found: dict[str, Any]) -> None:
        """Write what a search found."""
        with self._replacing(self.path / "searches" / f"{key}.json") as place:
            place.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")

    def array(self, key: str, shape: tuple[int, int], fill: Callable[[Array], None]) -> Array:
        """(rows, columns) float64, read-only and mapped into memory; `fill` is called when it is not on the disk yet."""
        path = self.path / "features" / f"{key}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            if found.shape == shape:
                return np.asarray(found) if 0 in shape else found
        if 0 in shape:
            empty = np.empty(shape)
            fill(empty)
            return empty
        with self._replacing(path) as place:
            made = np.lib.format.open_memmap(place, mode="w+", dtype=np.float64, shape=shape)
            fill(made)
            made.flush()
            del made
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

    def forget_arrays(self) -> None:
        """Remove features: what is still mapped stays readable where the system allows it, and is left otherwise."""
        for path in (self.path / "features").iterdir():
            with contextlib.suppress(OSError):
                path.unlink()

    def remove_leftovers(self) -> None:
        """Remove what a killed run was writing."""
        for path in self.path.glob(f"*/*{_ENDING}"):
            with contextlib.suppress(OSError):
                path.unlink()

    @staticmethod
    def _json(path: Path) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    @contextlib.contextmanager
    def _replacing(self, goal: Path) -> Iterator[Path]:
        """A place to write to that becomes `goal` in one step once the block has ended well."""
        temporary = goal.with_name(f".{goal.name}.{os.getpid()}-{secrets.token_hex(4)}{_ENDING}")
        try:
            yield temporary
            os.replace(temporary, goal)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
