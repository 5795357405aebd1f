"""Files of fitted models (`.qmlm`): a zip with ``model.json`` and arrays in NumPy's own format, nothing executable."""

from __future__ import annotations

import datetime
import json
import os
import secrets
import zipfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qmlstudio import __version__
from qmlstudio.chem.errors import DataError, Problem
from qmlstudio.chem.structures import Species, Structures
from qmlstudio.learning.kernels.base import Kernel
from qmlstudio.learning.models.base import Array, FittedModel, Prediction
from qmlstudio.learning.models.inputs import check_elements, rows_for
from qmlstudio.progress import SILENT, Cancelled, Progress
from qmlstudio.representations.base import Representation

if TYPE_CHECKING:
    from qmlstudio.learning.models.forces import FittedForces

FORMAT = "qmlstudio-model"
VERSION = 1
SUFFIX = ".qmlm"
_HEADER = "model.json"
_BLOCK = 1 << 22
_GEOMETRIES = "structures"


class ModelFileError(DataError):
    """A model's file could not be read or written; the text names the file, what is wrong and what to do."""

    def __init__(self, path: str | os.PathLike[str], message: str, remedy: str = "") -> None:
        self.path = Path(path)
        super().__init__(Problem(os.fspath(path), message, remedy))


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedModel:
    """A fitted model with all that is needed to use it on other structures.

    Attributes
    ----------
    fitted : FittedModel, or FittedForces
    representation : Representation or None
        Of the features; None for models that need none, or have their own (those of forces).
    species : Species
        Of the training set's data set: fixes the columns, and which elements are known.
    title : str
    task : dict
        What was learnt (as from ``Task.to_dict()``): names of columns, unit, normalisation.
    transform : dict or None
        From what the model says to values (as from ``Transform.to_dict()``); None: they are the same.
    scores : dict
        What is known of its errors, by name.
    source : dict
        Of the data set: name, reference, licence, fingerprint.
    saved, application : str
        When and by which version; empty before.
    versions : dict of str to str
        Of the libraries that were used.
    """

    fitted: FittedModel | FittedForces
    representation: Representation | None
    species: Species
    title: str = ""
    task: dict[str, Any] = field(default_factory=dict)
    transform: dict[str, Any] | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    saved: str = ""
    application: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """Of the values; empty when the task does not say."""
        return str(self.task.get("unit", ""))

    def apply(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        baseline: Any = None,
        deviation: bool = False,
        threads: int | None = None,
    ) -> Prediction:
        """Predictions for structures, in the task's unit.

        Parameters
        ----------
        baseline : (m,) or (m, t) float, optional
            Values of the baseline, which models of differences (Δ-learning) need.

        Raises
        ------
        UnknownElementsError
            A structure has an element that the training set lacks: which, and in which structures.
        ValueError
            The baseline is missing; structures that are larger than the features have room for.
        """
        names = [self.task.get("baseline", ""), *(pair[1] for pair in self.task.get("more", ()))]
        if any(names) and baseline is None:
            wanted = ", ".join(name for name in names if name)
            raise ValueError(f"this model predicts the difference to {wanted}: the baseline's values are needed")
        if not isinstance(self.fitted, FittedModel):
            check_elements(structures, self.species)
            return self._told(self.fitted.predict(structures, progress, threads=threads), structures, baseline)
        spec = self.fitted.spec
        rows = rows_for(spec, structures, self.representation, self.species, progress.part(0.0, 0.5), threads=threads)
        found = self.fitted.predict(rows, progress.part(0.5, 1.0), deviation=deviation, threads=threads)
        return self._told(found, structures, baseline)

    def _told(self, found: Prediction, structures: Structures, baseline: Any) -> Prediction:
        """From what the model learnt to values."""
        count = found.values.shape[1]
        base = None
        if baseline is not None:
            base = np.asarray(baseline, dtype=np.float64).reshape(len(structures), -1)
            if base.shape[1] != count:
                raise ValueError(f"the baseline has {base.shape[1]} columns, the model predicts {count} properties")
        if self.transform is None:
            return found if base is None else replace(found, values=found.values + base)
        from qmlstudio.chem.energies import counts_of
        from qmlstudio.learning.evaluation.tasks import Transform

        transform = Transform.from_dict(self.transform)
        sizes = structures.sizes.astype(np.int64)
        elements, counts = counts_of(structures)
        values = transform.backward(found.values, sizes, elements, counts, base)
        deviations = found.deviation
        if deviations is not None:
            wide = np.broadcast_to(deviations, found.values.shape)
            deviations = transform.backward_deviation(wide, sizes)
        return Prediction(values, deviations, found.distance)


def apply(model: SavedModel, structures: Structures, progress: Progress = SILENT, **options: Any) -> Prediction:
    """See :meth:`SavedModel.apply`."""
    return model.apply(structures, progress, **options)


def save(
    path: str | os.PathLike[str],
    model: SavedModel,
    progress: Progress = SILENT,
    *,
    training: Structures | None = None,
) -> None:
    """Write a model's file: whatever happens meanwhile, `path` is the old file or the new one, whole.

    Parameters
    ----------
    training : Structures, optional
        Those of the training rows, in their order: kept instead of features where they take less room, which are then
        computed again when the file is read.

    Raises
    ------
    ModelFileError
        The folder cannot be written, or the disk is full.
    ValueError
        As many training structures are needed as there are training rows.
    """
    arrays = model.fitted.arrays()
    if training is not None:
        arrays = _with_structures(arrays, training, model)
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in plain.items():
        if value.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects")
    head = {
        "format": FORMAT,
        "version": VERSION,
        "application": f"QML Studio {__version__}",
        "saved": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "title": model.title,
        "spec": model.fitted.spec.to_dict(),
        "facts": model.fitted.facts(),
        "representation": None if model.representation is None else model.representation.to_dict(),
        "species": asdict(model.species),
        "task": model.task,
        "transform": model.transform,
        "scores": model.scores,
        "source": model.source,
        "versions": model.versions or _versions(),
        "arrays": sorted(plain),
    }
    text = json.dumps(head, indent=1, ensure_ascii=False, default=_plain).encode()
    goal = Path(os.path.realpath(path))
    temporary = goal.with_name(f".{goal.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    total, done = sum(value.nbytes for value in plain.values()), 0
    try:
        with open(temporary, "xb") as stream:
            with zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
                archive.writestr(_HEADER, text, zipfile.ZIP_DEFLATED)
                for name, value in plain.items():
                    with archive.open(f"arrays/{name}.npy", "w", force_zip64=value.nbytes > 2**30) as target:
                        # by hand and in pieces, so that a cancel is heard
                        flat = np.ascontiguousarray(value)
                        np.lib.format.write_array_header_1_0(target, np.lib.format.header_data_from_array_1_0(flat))
                        data = memoryview(flat.reshape(-1).view(np.uint8).data) if flat.nbytes else memoryview(b"")
                        for start in range(0, len(data), _BLOCK):
                            target.write(data[start : start + _BLOCK])
                            done += min(_BLOCK, len(data) - start)
                            progress(done / max(total, 1), "Saving the model")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, goal)
    except OSError as error:
        raise ModelFileError(
            path, f"cannot be written: {error.strerror or error}", "check the folder, and the room on the disk"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], progress: Progress = SILENT) -> SavedModel:
    """The model of a file.

    Raises
    ------
    ModelFileError
        No such file, no model's file, a damaged one, one of a newer version, or of a model, kernel or representation
        that this program does not know.
    """
    from qmlstudio import representations
    from qmlstudio.learning import models
    from qmlstudio.learning.models.forces import ForceKernelRidge

    try:
        with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
            head = _header(archive, path)
            arrays = {}
            names = list(head["arrays"])
            for index, name in enumerate(names):
                progress(0.7 * index / max(len(names), 1), "Reading the model")
                with archive.open(f"arrays/{name}.npy") as member:
                    arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    except OSError as error:
        raise ModelFileError(path, f"cannot be read: {error.strerror or error}", "check its name") from error
    except (ModelFileError, Cancelled, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib, json and numpy have as many errors as there are kinds of damage
        raise ModelFileError(path, f"it is damaged or no model's file: {error}", "open another copy") from error
    try:
        representation = None
        if head["representation"] is not None:
            representation = representations.from_dict(head["representation"])
        species = head["species"]
        known = Species(tuple(species["numbers"]), tuple(species["counts"]), int(species["n_max"]))
        spec: Any = ForceKernelRidge if head["spec"].get("name") == ForceKernelRidge.name else models
        spec = spec.from_dict(head["spec"])
        if f"{_GEOMETRIES}/numbers" in arrays:
            arrays = _with_features(arrays, spec, representation, known, progress.part(0.7, 1.0))
        fitted = _restored(spec, arrays, head["facts"], representation)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(path, f"this program cannot use it: {error}", "update QML Studio") from error
    return SavedModel(
        fitted=fitted,
        representation=representation,
        species=known,
        **{name: head[name] for name in ("title", "task", "transform", "scores", "source")},
        **{name: head.get(name, "") for name in ("saved", "application")},
        versions=dict(head.get("versions", {})),
    )


def header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file says of itself, without its arrays: for lists of models. Raises as :func:`load`."""
    try:
        with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
            return _header(archive, path)
    except OSError as error:
        raise ModelFileError(path, f"cannot be read: {error.strerror or error}", "check its name") from error
    except ModelFileError:
        raise
    except Exception as error:  # as in load()
        raise ModelFileError(path, f"it is damaged or no model's file: {error}", "open another copy") from error


def _header(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> dict[str, Any]:
    head = json.loads(archive.read(_HEADER))
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"its {_HEADER} is none of QML Studio")
    if head.get("version", 0) > VERSION:
        raise ModelFileError(
            path,
            f"written by {head.get('application', 'a newer release')} as version {head['version']}; this release reads "
            f"up to {VERSION}",
            "update QML Studio",
        )
    return head


def _with_structures(arrays: dict[str, Array], training: Structures, model: SavedModel) -> dict[str, Array]:
    """Geometries in place of the rows' features, if they take less room."""
    features = arrays.get("rows/features")
    if features is None:
        return arrays
    count = len(arrays["rows/offsets"]) - 1 if "rows/offsets" in arrays else len(features)
    if count != len(training):
        raise ValueError(f"{len(training)} training structures for {count} training rows")
    kept: dict[str, Array] = {
        f"{_GEOMETRIES}/numbers": np.asarray(training.numbers),
        f"{_GEOMETRIES}/positions": np.asarray(training.positions),
        f"{_GEOMETRIES}/offsets": np.asarray(training.offsets),
    }
    if training.cells is not None:
        kept[f"{_GEOMETRIES}/cells"] = np.asarray(training.cells)
    if sum(a.nbytes for a in kept.values()) >= features.nbytes:
        return arrays
    return {k: v for k, v in arrays.items() if not k.startswith("rows/")} | kept


def _with_features(
    arrays: dict[str, Array], spec: Any, representation: Representation | None, species: Species, progress: Progress
) -> dict[str, Array]:
    """The rows' features, computed again from the geometries."""
    from qmlstudio.learning.models.kernel_model import rows_to_arrays

    numbers, positions, offsets = (arrays[f"{_GEOMETRIES}/{name}"] for name in ("numbers", "positions", "offsets"))
    structures = Structures(numbers, positions, offsets, arrays.get(f"{_GEOMETRIES}/cells"))
    rows = rows_for(spec, structures, representation, species, progress)
    rest = {k: v for k, v in arrays.items() if not k.startswith(f"{_GEOMETRIES}/")}
    return rest | rows_to_arrays(rows)


def _restored(
    spec: Any, arrays: dict[str, Array], facts: dict[str, Any], representation: Representation | None
) -> FittedModel | FittedForces:
    from qmlstudio.learning.models.forces import FittedForces, ForceKernelRidge

    if isinstance(spec, ForceKernelRidge):
        return FittedForces.restore(spec, arrays, facts)
    found: FittedModel = spec.restore(arrays, facts, representation)
    return found


def _versions() -> dict[str, str]:
    import platform

    import numba
    import scipy

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }


def _plain(value: Any) -> Any:
    """NumPy's scalars and small arrays as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Kernel):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} cannot be stored in a model's file")
