"""From a session to a figure: the same for the window's export and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from qmlstudio.chem.bonds import perceive_bonds
from qmlstudio.chem.dataset import Dataset
from qmlstudio.chem.geometry import measure
from qmlstudio.figures.caption import caption
from qmlstudio.figures.descriptor import descriptor_figure
from qmlstudio.figures.map import Pin, map_figure
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.figures.scales import Categories, ColorScale
from qmlstudio.figures.structure import Drawing, structure_figure
from qmlstudio.learning.embedding_base import Coordinates
from qmlstudio.representations.base import Features
from qmlstudio.session.coloring import color_scale, palette
from qmlstudio.session.columns import Columns
from qmlstudio.session.description import Row, describe
from qmlstudio.session.map_picture import diameters, places
from qmlstudio.session.session import Session

View = Literal["map", "structure", "descriptor"]
VIEWS: tuple[View, ...] = ("map", "structure", "descriptor")
PT_PER_PIXEL = 0.4
"""A map on screen is about 2.5 times as wide as a column of a journal."""


def view_figure(
    view: View,
    session: Session,
    dataset: Dataset,
    results: Mapping[str, Any],
    spec: FigureSpec,
    *,
    rotation: Any = None,
    image: Any = None,
    insets: bool = True,
    mark_active: bool = False,
    picked: tuple[int, ...] = (),
    limits: tuple[float, float, float, float] | None = None,
    panel: str = "",
    row: Row = "heavy",
    compared: int | None = None,
) -> Any:
    """Draw a view of a session for print.

    Parameters
    ----------
    view : "map", "structure" or "descriptor"
    results : mapping
        "map" for the map, with "filter" (what does not pass is dimmed), "columns" (derived ones included) and
        "rotation" (of a map in space) where there are any; "features" for the descriptor (computed for the one
        structure when absent).
    rotation : (3, 3) float, optional
        Of the 3D camera, for the structure.
    image : (H, W, 4) uint8, optional
        The 3D view's own picture, instead of a vector drawing.
    insets : bool
        Draw the pinned structures below the map.
    mark_active : bool
        Ring the active structure on the map.
    picked : tuple of int
        Atoms whose distance, angle or dihedral is drawn.
    limits : (x0, x1, y0, y1), optional
        The part of the map to show; all of it when not given.
    row : int, "heavy" or "mean"
        Of a local representation: an atom's row, that of the first atom that is no hydrogen, the mean of all.
    compared : int, optional
        The structure whose features are subtracted.

    Raises
    ------
    ValueError
        When the result that the view needs is missing, or no structure is active.
    """
    if view == "map":
        return _map(session, dataset, results, spec, insets, mark_active, limits, panel)
    if session.selection.active is None:
        raise ValueError("no structure is active: choose one first")
    if view == "structure":
        return _structure(session, dataset, spec, rotation, image, picked, panel)
    return _descriptor(session, dataset, results, spec, panel, row, compared)


def _columns(dataset: Dataset, results: Mapping[str, Any]) -> Columns:
    columns = results.get("columns")
    return columns if isinstance(columns, Columns) else Columns(dataset)


def view_caption(view: View, session: Session, dataset: Dataset, columns: Columns | None = None) -> str:
    """Data set, N, representation, embedding, seed, versions: what a reader needs to make the figure again."""
    scale = color_scale(session.coloring, columns if columns is not None else dataset)
    active = session.selection.active
    return caption(
        dataset=dataset.name,
        n=len(dataset),
        representation=None if view == "structure" else session.representation,
        embedding=session.embedding if view == "map" else None,
        coloured_by=scale.label if view == "map" else "",
        n_missing=int(scale.missing.sum()) if view == "map" else 0,
        n_selected=session.selection.count if view == "map" else 0,
        structure="" if view == "map" or active is None else str(dataset.identifiers[active]),
        reference=dataset.source.reference,
    )


def drawing_of(
    session: Session, dataset: Dataset, index: int, rotation: Any = None, picked: tuple[int, ...] = ()
) -> Drawing:
    """One structure as the session's look wants it drawn."""
    structure, look = dataset.structures[index], session.structure_look
    bonds = perceive_bonds(structure.numbers, structure.positions, structure.cell)
    shown = np.ones(len(structure), dtype=bool)
    if not look.hydrogens:
        shown = structure.numbers != 1
    new = np.cumsum(shown) - 1
    pairs = np.asarray(bonds.pairs).reshape(-1, 2)
    kept = shown[pairs].all(axis=1) if len(pairs) else np.zeros(0, dtype=bool)
    names = {
        "none": (),
        "element": tuple(structure.symbols),
        "index": tuple(str(i + 1) for i in range(len(structure))),
        "both": tuple(f"{s}{i + 1}" for i, s in enumerate(structure.symbols)),
    }[look.labels]
    measures = []
    for atoms in (*session.measurements, picked):
        if 2 <= len(atoms) <= 4 and max(atoms) < len(structure) and shown[list(atoms)].all():
            text = str(measure(structure.positions, atoms, structure.cell))
            measures.append((tuple(int(new[a]) for a in atoms), text))
    return Drawing(
        numbers=np.asarray(structure.numbers)[shown],
        positions=np.asarray(structure.positions)[shown],
        bonds=new[pairs[kept]].reshape(-1, 2),
        orders=np.asarray(bonds.orders)[kept],
        rotation=rotation,
        style=look.style,  # type: ignore[arg-type]
        labels=tuple(np.array(names)[shown]) if names else (),
        measures=tuple(measures),
        cell=structure.cell if look.cell else None,
    )


def _map(
    session: Session,
    dataset: Dataset,
    results: Mapping[str, Any],
    spec: FigureSpec,
    insets: bool,
    mark_active: bool,
    limits: tuple[float, float, float, float] | None,
    panel: str,
) -> Any:
    columns = _columns(dataset, results)
    result = results.get("map")
    shown = places(session.map_view, columns, result if isinstance(result, Coordinates) else None)
    if shown is None:
        raise ValueError("there is no map yet: wait until it is computed")
    points, titles = shown.points, shown.axes
    if points.shape[1] == 3:
        # a map in space is drawn as it is seen; its axes point somewhere
        turn = np.eye(3) if results.get("rotation") is None else np.asarray(results["rotation"])
        points, titles = (points @ turn.T)[:, :2], ()
    scale = color_scale(session.coloring, columns)
    colors: dict[str, Any] = {}
    if scale.kind == "number":
        lut = scale.lut
        colors["values"] = np.where(scale.missing, np.nan, columns[session.coloring.color_by].values)
        colors["scale"] = ColorScale(lut, scale.low, scale.high, scale.scale, scale.label)  # type: ignore[arg-type]
    elif scale.kind == "category":
        codes = np.where(scale.missing, -1, scale.index.astype(int))
        colors["categories"] = Categories(codes, scale.categories, scale.lut[: len(scale.categories)], scale.label)
    smiles = dataset.smiles
    pins = []
    for number, index in enumerate(session.pins, 1):
        text = str(smiles[index]) if smiles is not None else ""
        drawing = drawing_of(session, dataset, index) if insets and not text else None
        title = str(dataset.identifiers[index]) if insets else ""
        pins.append(Pin(index, number, title, text if insets else "", drawing))
    mask = session.selection.mask if session.selection.count else None
    if scale.hidden.any():
        mask = ~scale.hidden if mask is None else mask & ~scale.hidden
    passing = getattr(results.get("filter"), "mask", None)
    if passing is not None:
        mask = passing if mask is None else mask & passing
    pixels = diameters(session.map_view, columns)
    return map_figure(
        points,
        spec=spec,
        sizes=None if pixels is None else pixels * PT_PER_PIXEL,
        selection=mask,
        active=session.selection.active if mark_active else None,
        pins=pins,
        axes_titles=titles,
        limits=limits,
        panel=panel,
        **colors,
    )


def _structure(
    session: Session, dataset: Dataset, spec: FigureSpec, rotation: Any, image: Any, picked: tuple[int, ...], panel: str
) -> Any:
    active = session.selection.active
    assert active is not None
    title = str(dataset.identifiers[active])
    if image is not None:
        return structure_figure(spec=spec, image=image, title=title, panel=panel)
    return structure_figure(drawing_of(session, dataset, active, rotation, picked), spec=spec, title=title, panel=panel)


def _descriptor(
    session: Session,
    dataset: Dataset,
    results: Mapping[str, Any],
    spec: FigureSpec,
    panel: str,
    row: Row,
    compared: int | None,
) -> Any:
    active = session.selection.active
    assert active is not None
    representation, species = session.representation, dataset.structures.species
    structure = dataset.structures[active]
    features = results.get("features")
    title = f"{dataset.identifiers[active]}: {representation.title}"
    known = isinstance(features, Features) and features.representation == representation
    if isinstance(features, Features) and known and not representation.local and compared is None:
        values = np.asarray(features.array[active], dtype=np.float64)
        layout = representation.layout(structure, species)
    else:
        other = dataset.structures[compared] if compared is not None else None
        described = describe(representation, structure, species, row, other)
        values, layout = described.row, described.layout
        if representation.local:
            centre = described.centre
            where = "mean of all atoms" if centre is None else f"atom {structure.symbols[centre]}{centre + 1}"
            title += f", {where}"
        if described.reference is not None and compared is not None:
            values = values - described.reference
            title += f", difference to {dataset.identifiers[compared]}"
    return descriptor_figure(
        layout,
        np.asarray(representation.unpack(values, species)),
        spec=spec,
        labels=representation.labels(species),
        lut=palette(session.coloring.palette),
        title=title,
        panel=panel,
    )
