"""What a bench keeps in its folder, so that one that was killed goes on where it was: written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.session.bench.results import Point
from qmlstudio.session.storage import _host, _is_alive

Array = NDArray[Any]

HEAD = "bench.json"
"""The specification and the data set that the folder belongs to."""
_ENDING = ".part"
_TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.part")
_STALE_SECONDS = 7 * 86400.0
_writing: set[Path] = set()
"""What this process is writing now."""


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
        self._arrays: set[Path] = set()

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
            # opened here: NumPy leaves a file open that it cannot read
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
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
        """(rows, columns) float64, mapped into memory; `fill` is called when it is not on the disk yet."""
        path = self.path / "features" / f"{key}.npy"
        self._arrays.add(path)
        with contextlib.suppress(OSError, ValueError, EOFError):
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            if found.shape == shape:
                return np.asarray(found)
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
        """Remove the features that were asked for: other benches may be using others of the folder."""
        for path in self._arrays:
            # what is still mapped stays readable where the system allows it, and is left otherwise
            with contextlib.suppress(OSError):
                path.unlink()
        self._arrays.clear()

    def remove_leftovers(self) -> None:
        """Remove what killed runs were writing; what living processes write stays."""
        for path in self.path.glob(f"*/.*{_ENDING}"):
            match = _TEMPORARY.fullmatch(path.name)
            if match is None or path in _writing:
                continue
            with contextlib.suppress(OSError):
                old = time.time() - path.stat().st_mtime > _STALE_SECONDS
                if old or (match["host"] == _host() and not _is_alive(int(match["pid"]))):
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
        temporary = goal.with_name(f".{goal.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}{_ENDING}")
        _writing.add(temporary)
        try:
            yield temporary
            os.replace(temporary, goal)
        finally:
            _writing.discard(temporary)
            with contextlib.suppress(OSError):
                temporary.unlink()
