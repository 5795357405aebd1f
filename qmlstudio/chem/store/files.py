"""Data sets of any size in one file each, which is mapped into memory and never loaded."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Property, Source
from qmlstudio.chem.errors import Problem
from qmlstudio.chem.store import container
from qmlstudio.chem.store.columns import NumberColumn, Spool, TextColumn, column_texts
from qmlstudio.chem.store.container import DamagedError
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.chem.texts import Texts
from qmlstudio.progress import SILENT, Progress

VERSION = 1
SUFFIX = ".h5"
SPELLED_BYTES = 64 * 2**20
"""Memory up to which a column of texts is an ordinary array; beyond it is spelled out piece by piece."""
Target = Literal["structure", "atom"]
_NONE = np.zeros(0, np.str_)


class StoreWriter:
    """Writes a data set, batch after batch, in the memory of one batch. Use it in a ``with`` block.

    The file appears under its name, whole, when :meth:`finish` is done; without that nothing is left.

    Parameters
    ----------
    path : Path
        The file to write; one that is there is replaced.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._folder = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.tmp")
        self._folder.mkdir(parents=True)
        self._numbers = Spool(self._folder / "numbers", np.uint8)
        self._positions = Spool(self._folder / "positions", np.float64, (3,))
        self._offsets = Spool(self._folder / "offsets", np.int64)
        self._offsets.append(np.zeros(1, np.int64))
        self._cells: Spool | None = None
        self._arrays: dict[str, Spool] = {}
        self._identifiers = TextColumn(self._folder / "identifiers", counters=True)
        self._columns: dict[str, NumberColumn | TextColumn] = {}
        self._described: dict[str, Property] = {}
        self._first: Dataset | None = None
        self._only: Dataset | None = None
        self._problems: list[Problem] = []
        self._counts: dict[int, int] = {}
        self._sizes: list[int] = []
        self._uniform: NDArray[np.uint8] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __len__(self) -> int:
        return self._offsets.rows - 1

    def append(self, batch: Dataset) -> None:
        """Add structures behind those that are there.

        Parameters
        ----------
        batch : Dataset
            Properties may come and go from batch to batch: where one is missing its values are missing. Name, source
            and order are the first batch's.

        Raises
        ------
        ValueError
            A property changes its unit, target, shape or from numbers to texts.
        """
        self._check(batch)
        before, atoms = len(self), self._numbers.rows
        structures = batch.structures
        self._only = batch if self._first is None else None
        self._first = self._first or dataclasses.replace(
            batch, structures=_nothing(), properties={}, identifiers=_NONE, problems=()
        )
        self._append_structures(structures)
        self._identifiers.append(batch.identifiers)
        for name, p in batch.properties.items():
            if name not in self._columns:
                column = self._new_column(p)
                column.skip(before if p.target == "structure" else atoms)
                self._columns[name] = column
                self._described[name] = dataclasses.replace(p, values=p.values[:0])
            self._columns[name].append(p.values)
        for name, column in self._columns.items():
            rows = len(self) if self._described[name].target == "structure" else self._numbers.rows
            column.skip(rows - len(column))
        self._problems += batch.problems

    def _check(self, batch: Dataset) -> None:
        for name, p in batch.properties.items():
            known = self._described.get(name)
            if known is None:
                continue
            for what in ("unit", "target", "is_text"):
                if getattr(known, what) != getattr(p, what):
                    raise ValueError(f"{name} changes its {what}: {getattr(known, what)}, then {getattr(p, what)}")
            if known.values.shape[1:] != p.values.shape[1:]:
                raise ValueError(f"{name} changes its shape: {known.values.shape[1:]}, then {p.values.shape[1:]}")

    def _new_column(self, p: Property) -> NumberColumn | TextColumn:
        base = self._folder / f"property_{len(self._columns)}"
        return TextColumn(base) if p.is_text else NumberColumn(base, p.values.shape[1:])

    def _append_structures(self, structures: Structures) -> None:
        n, atoms = len(self), self._numbers.rows
        self._numbers.append(structures.numbers)
        self._positions.append(structures.positions)
        self._offsets.append(structures.offsets[1:] + atoms)
        if structures.cells is not None:
            if self._cells is None:
                self._cells = Spool(self._folder / "cells", np.float64, (3, 3))
                self._cells.fill(0.0, n)
            self._cells.append(structures.cells)
        elif self._cells is not None:
            self._cells.fill(0.0, len(structures))
        species = structures.species
        for number, count in zip(species.numbers, species.counts, strict=True):
            self._counts[number] = max(self._counts.get(number, 0), count)
        if len(structures):
            self._sizes = [f([*self._sizes, size]) for f, size in zip((min, max), structures.size_range, strict=True)]
        if n == 0 and len(structures):
            self._uniform = structures[0].numbers.copy()
        if self._uniform is not None and len(structures):
            width = len(self._uniform)
            same = (structures.sizes == width).all() and (
                structures.numbers.reshape(-1, max(width, 1)) == self._uniform
            )
            if not np.all(same):
                self._uniform = None

    def finish(self, progress: Progress = SILENT, path: Path | None = None, **changes: Any) -> Path:
        """Put everything into the file.

        Parameters
        ----------
        progress : Progress
        path : Path, optional
            Another name in the same folder, if it is known only now.
        changes
            Fields of :class:`Dataset` that are to differ from the first batch's: name, source, problems, ordered.

        Raises
        ------
        ValueError
            There was no batch.
        OSError
        Cancelled
        """
        if self._first is None:
            raise ValueError("there is nothing to store")
        goal = dataclasses.replace(self._first, problems=tuple(self._problems))
        goal = dataclasses.replace(goal, **changes)
        self._arrays, about = self._contents(goal)
        arrays = self._arrays
        if self._only is not None:
            # a set that came whole is known already by its hash, or is small enough for that
            about["fingerprint"] = [self._only.fingerprint, self._only.structures.fingerprint]
        else:
            for spool in arrays.values():
                spool.close()
            whole = _dataset(about, {name: _spooled(spool) for name, spool in arrays.items()}, 0)
            about["fingerprint"] = [whole.hashed(progress.part(0.0, 0.5)), whole.structures.fingerprint]
            del whole
            progress = progress.part(0.5, 1.0)
        container.write(self._folder / "whole", arrays, about, _notes(about), progress)
        goal_path = path or self._path
        (self._folder / "whole").replace(goal_path)
        self.abort()
        return goal_path

    def _contents(self, goal: Dataset) -> tuple[dict[str, Spool], dict[str, Any]]:
        arrays = {"structures/numbers": self._numbers, "structures/positions": self._positions}
        arrays["structures/offsets"] = self._offsets
        if self._cells is not None:
            arrays["structures/cells"] = self._cells
        kind, more, parts = self._identifiers.finish()
        arrays |= {f"identifiers/{part}": spool for part, spool in parts.items()}
        about: dict[str, Any] = {
            "version": VERSION,
            "name": goal.name,
            "ordered": goal.ordered,
            "source": dataclasses.asdict(goal.source),
            "problems": [dataclasses.asdict(p) for p in goal.problems],
            "n": len(self),
            "atoms": self._numbers.rows,
            "species": sorted(self._counts.items()),
            "sizes": self._sizes or [0, 0],
            "uniform": self._uniform is not None and len(self) > 1,
            "identifiers": {"kind": kind, **more},
            "properties": [],
        }
        for k, (name, column) in enumerate(self._columns.items()):
            kind, more, parts = column.finish()
            arrays |= {f"properties/{k}/{part}": spool for part, spool in parts.items()}
            p = self._described[name]
            known = {"name": name, "target": p.target, "unit": p.unit, "description": p.description}
            about["properties"].append({**known, "kind": kind, **more})
        return arrays, about

    def abort(self) -> None:
        """Remove what was written so far; harmless when repeated, or after :meth:`finish`."""
        for spool in (self._numbers, self._positions, self._offsets, self._cells, *self._arrays.values()):
            if spool is not None:
                spool.close()
        for part in (self._identifiers, *self._columns.values()):
            part.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _nothing() -> Structures:
    return Structures(np.zeros(0, np.uint8), np.zeros((0, 3)), np.zeros(1, np.int64))


def open_store(path: str | os.PathLike[str], spelled: int = SPELLED_BYTES) -> Dataset:
    """The data set in a file, mapped into memory: its size does not matter, and nothing is computed anew.

    Parameters
    ----------
    path : path
    spelled : int, bytes
        Columns of texts that take no more than that become ordinary arrays.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    DamagedError
        It is no store, or damaged, or of another version.
    """
    about, arrays = container.read(Path(path))
    if about.get("version") != VERSION:
        raise DamagedError(f"{path}: a store of version {about.get('version')}, version {VERSION} is needed")
    try:
        return _dataset(about, arrays, spelled)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedError(f"{path}: {error}") from error


def changed(dataset: Dataset, **changes: Any) -> Dataset:
    """The set with another name, source, problems or order, whose content hash is not made anew."""
    new = dataclasses.replace(dataset, **changes)
    if "fingerprint" in dataset.__dict__:
        new.__dict__["fingerprint"] = dataset.fingerprint
    return new


def store_dataset(dataset: Dataset, path: str | os.PathLike[str], progress: Progress = SILENT) -> Path:
    """Write a data set that is in memory; as :class:`StoreWriter`."""
    with StoreWriter(path) as writer:
        writer.append(dataset)
        return writer.finish(progress)


def _dataset(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], spelled: int) -> Dataset:
    structures = Structures(
        arrays["structures/numbers"],
        arrays["structures/positions"],
        arrays["structures/offsets"],
        arrays.get("structures/cells"),
    )
    counts, sizes = about["species"], tuple(about["sizes"])
    known: dict[str, Any] = {
        "size_range": sizes,
        "species": Species(tuple(z for z, _ in counts), tuple(c for _, c in counts), sizes[1]),
        "is_uniform": bool(about["uniform"]),
    }
    properties = {}
    for k, meta in enumerate(about["properties"]):
        parts = _parts(arrays, f"properties/{k}/")
        values = parts["values"] if meta["kind"] == "number" else _texts(meta, parts, spelled)
        target = cast(Target, meta["target"])
        properties[meta["name"]] = Property(cast(Any, values), target, meta["unit"], meta["description"])
    dataset = Dataset(
        name=about["name"],
        structures=structures,
        properties=properties,
        identifiers=cast(Any, _texts(about["identifiers"], _parts(arrays, "identifiers/"), spelled)),
        source=Source(**about["source"]),
        problems=tuple(Problem(**p) for p in about["problems"]),
        ordered=bool(about["ordered"]),
    )
    if "fingerprint" in about:
        dataset.__dict__["fingerprint"], known["fingerprint"] = about["fingerprint"]
    # what was found out when the set was stored takes the place of what would be computed when it is asked for
    structures.__dict__.update(known)
    return dataset


def _parts(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _texts(meta: Mapping[str, Any], parts: dict[str, NDArray[Any]], spelled: int) -> Texts | NDArray[np.str_]:
    texts = column_texts(meta["kind"], int(meta["width"]), parts)
    return np.asarray(texts) if 4 * max(texts.width, 1) * len(texts) <= spelled else texts


def _spooled(spool: Spool) -> NDArray[Any]:
    if not spool.rows or 0 in spool.item:
        return np.zeros(spool.shape, spool.dtype)
    return np.memmap(spool.path, spool.dtype, "r", shape=spool.shape)


def _notes(about: Mapping[str, Any]) -> dict[str, str]:
    """What the groups are, for whoever opens the file with another tool."""
    notes = {
        "@format": "QML Studio data set",
        "@name": about["name"],
        "@fingerprint": about["fingerprint"][0],
        "@source": about["source"]["path"],
        "@licence": about["source"]["licence"],
        "@reference": about["source"]["reference"],
        "structures@units": "positions and cells in Å; atoms of structure i are offsets[i]:offsets[i + 1]",
        "identifiers@kind": about["identifiers"]["kind"],
    }
    for k, meta in enumerate(about["properties"]):
        for key in ("name", "target", "unit", "description", "kind"):
            notes[f"properties/{k}@{key}"] = meta[key]
    # HDF5's texts have no NUL, and are UTF-8
    return {k: text.replace("\0", " ").encode("utf-8", "replace").decode() for k, text in notes.items()}
