"""The kernel matrix for print: a sample of it as large as a page can show, with groups, labels and a colour bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmlstudio import __version__
from qmlstudio.chem.dataset import Dataset
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.figures.style import freeze, new_figure, styled
from qmlstudio.progress import SILENT, Progress
from qmlstudio.session.coloring import palette
from qmlstudio.session.kernel_picture import Ground, Order

MOST_ROWS = 600
"""Rows and columns that are drawn; of a larger matrix a regular sample."""
_LEAST_GROUP = 0.04
"""Share of the axis from which a group bears its name."""


def kernel_figure(
    spec: FigureSpec,
    *,
    ground: Ground | None = None,
    order: Order | None = None,
    axis: str = "",
    limits: tuple[float, float] = (0.0, 1.0),
    log: bool = False,
    progress: Progress = SILENT,
    **_others: Any,
) -> Any:
    """The matrix in its order.

    Parameters
    ----------
    axis : str
        What the order follows.
    limits : (low, high)
        Of the colours; positive when they are logarithmic.

    Raises
    ------
    ValueError
        There is no matrix.
    """
    if ground is None or order is None or not len(order):
        raise ValueError("there is no kernel matrix to draw: open the Kernel panel, and compute the features")
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    places = sampled_places(len(order))
    matrix = ground.kernel.matrix(ground.rows.take(order.indices[places]), progress=progress, threads=1)
    low, high = limits
    high = high if high > low else low + max(abs(low) * 1e-3, 1e-12)
    norm = LogNorm(low, high, clip=True) if log else Normalize(low, high)
    if log:
        # what is not positive is below all
        matrix = np.maximum(matrix, low)
    with styled(spec):
        figure = new_figure(spec)
        axes = figure.add_subplot()
        n = len(order)
        image = axes.imshow(
            matrix,
            cmap=ListedColormap(palette("viridis") / 255.0),
            norm=norm,
            extent=(0, n, n, 0),
            interpolation="nearest",
        )
        axes.set_xlabel(axis)
        if order.names:
            middles = (order.bounds[1:] + order.bounds[:-1]) / 2
            wide = np.flatnonzero(np.diff(order.bounds) >= _LEAST_GROUP * n)
            names = [order.names[int(k)] for k in wide]
            axes.set_xticks(middles[wide], names, rotation=45 if len(names) > 3 else 0, ha="center")
            axes.set_yticks(middles[wide], names)
            for edge in order.bounds[1:-1].tolist():
                axes.axhline(edge, color="white", linewidth=0.7)
                axes.axvline(edge, color="white", linewidth=0.7)
        elif order.values is not None:
            at = np.linspace(0, n - 1, 5).astype(int)
            texts = [f"{v:.4g}".replace("-", "−") if np.isfinite(v) else "–" for v in order.values[at]]
            axes.set_xticks(at + 0.5, texts)
            axes.set_yticks(at + 0.5, texts)
        figure.colorbar(image, ax=axes, label=f"{ground.kernel.title} kernel")
        return freeze(figure)


def sampled_places(n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """At most :data:`MOST_ROWS` places, equally far apart."""
    count = min(n, MOST_ROWS)
    return ((np.arange(count, dtype=np.int64) * 2 + 1) * n) // (2 * max(count, 1))


def kernel_caption(dataset: Dataset, *, ground: Ground | None = None, axis: str = "", **_others: Any) -> str:
    """Data set, representation, kernel with its parameters, order, versions: for the text below the figure."""
    parts = [f"{dataset.name}, {len(dataset):,} structures."]
    if ground is not None:
        values = [f"{p.label} = {_text(getattr(ground.kernel, p.name))}" for p in ground.kernel.params() if p.shown]
        kernel = f"{ground.kernel.title} kernel" + (f" ({', '.join(values)})" if values else "")
        if ground.rows.representation is not None:
            kernel += f" of {ground.rows.representation.title}"
        parts.append(f"{kernel}; {min(len(ground), MOST_ROWS):,} of {len(ground):,} rows and columns, by {axis}.")
    if dataset.source.reference:
        parts.append(f"Data: {dataset.source.reference}.")
    parts.append(f"QML Studio {__version__}.")
    return " ".join(parts)


def _text(value: Any) -> str:
    return f"{value:.4g}".replace("-", "−") if isinstance(value, float) else str(value)
