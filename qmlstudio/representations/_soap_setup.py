"""What the loops of SOAP are given, made from its parameters and the elements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.structures import Species, Structures
from qmlstudio.representations import _drive
from qmlstudio.representations._soap_basis import Table, table

if TYPE_CHECKING:
    from qmlstudio.representations._neighbors import Images
    from qmlstudio.representations.soap import SOAP

Floats = NDArray[np.float64]

KINDS = ("none", "poly", "pow", "exp")


@lru_cache(maxsize=32)
def recurrence(l_max: int) -> Floats:
    """Constants of the recurrence of orthonormal real solid harmonics, ((l_max + 1)²,).

    With s = l_max + 1: at m·s + m the value of Q_mm, at m·s + l and l·s + m (l > m) the a and b of
    Q_lm = a z Q_(l−1)m − b r² Q_(l−2)m.
    """
    size = l_max + 1
    table = np.zeros((size, size))
    start = math.sqrt(0.25 / math.pi)
    for m in range(size):
        if m > 0:
            start *= math.sqrt((2 * m + 1) / (2 * m)) * (math.sqrt(2.0) if m == 1 else 1.0)
        table[m, m] = start
        for l in range(m + 1, size):
            a = math.sqrt((4 * l * l - 1) / (l * l - m * m))
            table[m, l] = a
            table[l, m] = a * math.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1)) if l > m + 1 else 0.0
    flat = table.ravel()
    flat.flags.writeable = False
    return flat


@lru_cache(maxsize=32)
def derivative(l_max: int) -> Floats:
    """∂S_lm/∂(x, y, z) as sums of two harmonics of degree l − 1, (3 (l_max + 1)² · 4,).

    For each axis and row l² + l + m: row, factor, row, factor.
    """
    rows = (l_max + 1) ** 2
    result = np.zeros((3, rows, 4))

    def put(axis: int, l: int, m: int, *terms: tuple[int, float]) -> None:
        found = [(k, f) for k, f in terms if f != 0.0 and abs(k) < l]
        for place, (k, f) in enumerate(found):
            result[axis, l * l + l + m, 2 * place : 2 * place + 2] = ((l - 1) * l + k, f)

    for l in range(1, l_max + 1):
        scale = math.sqrt((2 * l + 1) / (2 * l - 1))
        for m in range(l + 1):
            down = 0.5 * scale * math.sqrt((l + m) * (l + m - 1)) * (math.sqrt(2.0) if m == 1 else 1.0)
            up = 0.5 * scale * math.sqrt((l - m) * (l - m - 1)) if m < l else 0.0
            along = scale * math.sqrt(l * l - m * m)
            put(2, l, m, (m, along))
            if m == 0:
                put(0, l, 0, (1, -math.sqrt(2.0) * up))
                put(1, l, 0, (-1, -math.sqrt(2.0) * up))
                continue
            put(2, l, -m, (-m, along))
            # m = 0 has no partner with the sine
            sine = down if m > 1 else 0.0
            put(0, l, m, (m - 1, down), (m + 1, -up))
            put(0, l, -m, (1 - m, sine), (-m - 1, -up))
            put(1, l, m, (1 - m, -sine), (-m - 1, -up))
            put(1, l, -m, (m - 1, down), (m + 1, up))
    flat = result.ravel()
    flat.flags.writeable = False
    return flat


@dataclass(frozen=True, eq=False)
class Setup:
    """Channels (densities: elements, then their sum), blocks of columns, tables.

    Attributes
    ----------
    channel_of : (256,) int64
        Channel of an element.
    channels : int
        Without the sum.
    with_sum : bool
        Whether the sum over all channels is needed.
    blocks : (k, 3) int64
        Both channels and the first column.
    """

    channel_of: NDArray[np.int64]
    channels: int
    with_sum: bool
    blocks: NDArray[np.int64]
    table: Table
    arguments: tuple[Any, ...]

    @classmethod
    def of(cls, soap: SOAP, species: Species) -> Setup:
        """For these parameters and elements."""
        numbers = list(species.numbers)
        channel_of = np.zeros(256, dtype=np.int64)
        if soap.compression != "mu2":
            channel_of[numbers] = np.arange(len(numbers))
        channels = min(len(numbers), 1) if soap.compression == "mu2" else len(numbers)
        with_sum = soap.compression == "mu1nu1"
        everything = channels if with_sum else 0
        blocks = np.array(
            [
                [channel_of[z] if z else everything for z in (block.first, block.second)] + [block.start]
                for block in soap.blocks(species)
            ],
            dtype=np.int64,
        ).reshape(-1, 3)
        functions = table(soap.rbf, soap.cutoff, soap.n_max, soap.l_max, soap.sigma)
        arguments = (
            channel_of,
            channels,
            with_sum,
            blocks,
            soap.l_max,
            soap.n_max,
            functions.padded,
            functions.coefficients,
            functions.inverse_step,
            functions.reach,
            functions.centre,
            float(soap.centre_weight),
            KINDS.index(soap.weighting),
            np.array([soap.c, soap.d, soap.m, soap.r0]),
            recurrence(soap.l_max),
        )
        return cls(channel_of, channels, with_sum, blocks, functions, arguments)

    @staticmethod
    def data(structures: Structures, images: Images) -> tuple[Any, ...]:
        """The structures as the loops take them."""
        return (
            _drive.frozen(structures.numbers, np.uint8),
            _drive.frozen(structures.positions, np.float64),
            _drive.frozen(structures.offsets, np.int64),
            _drive.frozen(images.shifts, np.float64),
            _drive.frozen(images.offsets, np.int64),
        )
