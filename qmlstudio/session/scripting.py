"""The main job without a window: open, compute, embed. What the command line and scripts use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from qmlstudio.chem.builtin import BUILTIN_PREFIX, CATALOGUE_PREFIX, QM9_PREFIX
from qmlstudio.chem.dataset import Dataset, Property
from qmlstudio.chem.inputs import note
from qmlstudio.chem.store.files import changed
from qmlstudio.chem.store.keeping import STREAMED_BYTES, Keeper
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.cache import Cache
from qmlstudio.session.session import Session
from qmlstudio.session.stages import stages


def _parse_lines() -> Any:
    from qmlstudio.session.text_loops import parse_lines

    return parse_lines


def with_derived(dataset: Dataset, start: int = 0) -> Dataset:
    """The data set with what follows from its structures alone: counts of atoms, the frame's number.

    A property that the file already has under that name is left alone.

    Parameters
    ----------
    start : int
        How many structures of a larger set stand before these.
    """
    structures, there = dataset.structures, dataset.properties
    derived: dict[str, Property] = {}
    if dataset.ordered:
        if "frame" not in there:
            frames = np.arange(start + 1.0, start + len(structures) + 1)
            derived["frame"] = Property(frames, description="position in the trajectory")
    else:
        if "n_atoms" not in there:
            derived["n_atoms"] = Property(structures.sizes.astype(np.float64), description="number of atoms")
        if "n_heavy" not in there:
            heavy = np.zeros(len(structures))
            found, parts = structures.element_counts()
            for start, counts in parts:
                heavy[start : start + len(counts)] = counts[:, found > 1].sum(axis=1)
            derived["n_heavy"] = Property(heavy, description="number of atoms other than hydrogen")
        if "formula" not in there and len(structures) <= 200_000:
            derived["formula"] = Property(np.array(structures.formulas(), dtype=np.str_), description="Hill formula")
    return replace(dataset, properties={**there, **derived}) if derived else dataset


OWN_SUFFIX = ".qmlstore"
"""Of stores that people make themselves."""
KEEPER = Keeper()
"""Keeps what took long to read, for the window, the command line and scripts alike."""


def open_dataset(path: str, progress: Progress = SILENT, keeper: Keeper = KEEPER) -> Dataset:
    """Open a file, folder, archive, "builtin:NAME" or "qm9:", with derived properties added.

    What takes long to read is kept in a store of our own (:mod:`qmlstudio.chem.store`) and comes from there the next
    time, mapped into memory; large files of kinds that can be read in parts go there without ever being loaded.
    """
    from qmlstudio.chem.readers import file_of
    from qmlstudio.chem.readers import open_dataset as read
    from qmlstudio.chem.readers.frames import use_compiled

    use_compiled(_parse_lines)
    if path.startswith(BUILTIN_PREFIX):
        return prepared(read(path, progress))
    if path.startswith(CATALOGUE_PREFIX):
        from qmlstudio.chem.catalogue.storage import credited, local_path

        place = local_path(path)
        data = open_dataset(place, progress, keeper)
        return changed(data, source=credited(data, place).source)
    main, batches = None, None
    if path.startswith(QM9_PREFIX):
        from qmlstudio.chem.readers.qm9_package import package_folder

        main = package_folder()
    elif "\0" not in path:
        main = file_of(path) if "\n" not in path else None
        if main is not None and main.suffix.lower() == OWN_SUFFIX:
            return prepared(read(path, progress))  # what is a store need not be kept once more
        batches = _batches(path)
    return keeper.open(path, main, lambda progress: prepared(read(path, progress)), progress, batches)


def _batches(path: str) -> Callable[[Progress], Iterator[Dataset]] | None:
    """How large files are read in parts; None for small ones, and for kinds that are always read whole."""
    from qmlstudio.chem.readers import ReadOptions, ani, file_of, format_of, split_options
    from qmlstudio.chem.readers.streams import ByteStream

    places = [file_of(p) for p in path.split("\n") if p]
    files = places if all(p.is_file() for p in places) else []
    if len(places) == 1 and places[0].is_dir():
        files = ani.files_in(places[0])
    if not files or sum(file.stat().st_size for file in files) < STREAMED_BYTES:
        return None
    options = split_options(path)[1] if "\n" not in path else ReadOptions()
    suffix, forms = options.suffix(), []
    for file in files:
        with ByteStream(file) as stream:
            forms.append(format_of(stream))
    make, heeds = forms[0].batches, forms[0].heeds
    default = {name: getattr(ReadOptions(), name) for name in heeds}
    if make is None or options.with_values(**default) != ReadOptions() or len({form.name for form in forms}) > 1:
        return None
    if len(files) > 1 and make is not ani.hdf5_batches:
        return None

    def read(progress: Progress) -> Iterator[Dataset]:
        for file in files:
            note(file)
        if len(files) == 1:
            with ByteStream(files[0]) as stream:
                yield from make(stream, progress, options)
        else:
            name = places[0].name if len(places) == 1 else f"{places[0].stem} and {len(files) - 1} more"
            where = "\n".join(map(str, places))
            yield from ani.hdf5_files_batches(files, where, name, progress, options)

    def parts(progress: Progress) -> Iterator[Dataset]:
        count = 0
        for part in read(progress):
            source = replace(part.source, path=part.source.path + suffix)
            yield with_derived(replace(part, source=source), count)
            count += len(part)

    return parts


def prepared(dataset: Dataset) -> Dataset:
    """With derived properties, and with what takes long on millions of structures computed here, not in the window."""
    dataset = with_derived(dataset)
    _ = dataset.fingerprint, dataset.structures.species, dataset.structures.size_range
    return dataset


def compute(
    session: Session, dataset: Dataset, progress: Progress = SILENT, cache: Cache | None = None
) -> dict[str, Any]:
    """Results of all stages by name: "features", "neighbors", "map"."""
    results: dict[str, Any] = {}
    done = 0.0
    plan = stages(session, dataset)
    for stage in plan:
        known = cache.get(stage.key) if cache is not None else None
        if known is None:
            part = progress.part(done, done + stage.weight)
            part(0.0, stage.title)
            known = stage.run(results, part)
            if cache is not None:
                cache.put(stage.key, known)
        results[stage.name] = known
        done += stage.weight
    return results
