"""Derivatives of FCHL19's triples and pairs in explicit vectors: see `_fchl19_vectors`."""

from __future__ import annotations

from typing import Any

from qmlstudio.representations._fchl19_vectors import PARTS
from qmlstudio.representations._fchl_vectors import (
    BLOCK,
    FIRST,
    HALF,
    INVERSE,
    LANES,
    SLOPE,
    SQUARE,
    WEIGHT,
    Frame,
    X,
    Y,
    Z,
    emitted,
)

# isort: split
from numba.extending import intrinsic

CHANNELS = 10
"""Rows of weights that are contracted with the radial table: of cosine and sine each the value, the derivative along
the neighbour's own vector, and those along the other's x, y and z."""
ALONG = 10
"""Two rows: the derivatives along the other's vector."""
DOUBLE = 12
"""Three rows: 2 cos 2θ and its two derivatives."""
WEIGHT_ROWS = 15
MORE_ROWS = 12
"""Rows of each further order of the angle."""
_STRAIGHT2 = 1e-16
"""Below this sin² θ a triple counts as straight: there |sin θ| has a kink, and its derivative is put to zero."""


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def triple_slopes(
    typing_context: Any,
    slots: Any,
    stride: Any,
    j: Any,
    last: Any,
    pairs: Any,
    power_at: Any,
    inverse_at: Any,
    eta: Any,
    decay: Any,
    weights: Any,
) -> Any:
    """Weights of the triples (j, centre, l) for all slots l < `last`, and their derivatives when atom j moves.

    A derivative is a vector α r_j + β r_l; the radial Gaussian's part with the mean distance of both is within α, that
    with the grid's distance is left to the contraction. Rows of `weights`: value, α, β x_l, β y_l, β z_l, β for cosine
    and sine in turn; 2 cos 2θ, its α and its β.
    """

    def emit(frame: Frame) -> None:
        _, stride, j, last, _, power_at, inverse_at, eta, decay, _ = frame.args
        xj, yj, zj = (frame.splat(frame.number(0, (row, stride), j)) for row in (X, Y, Z))
        square_j, inverse_j, weight_j, half_j, slope_j = (
            frame.splat(frame.number(0, (FIRST + row, stride), j)) for row in (SQUARE, INVERSE, WEIGHT, HALF, SLOPE)
        )
        eta, decay = frame.splat(eta), frame.splat(decay)
        steep, pull = half_j * eta * -2.0, eta * inverse_j.root()
        with frame.loop(0, last, LANES) as (l, _):
            x, y, z = (frame.load(0, (row, stride), l) for row in (X, Y, Z))
            square, inverse, weight, half = (
                frame.load(0, (FIRST + row, stride), l) for row in (SQUARE, INVERSE, WEIGHT, HALF)
            )
            far = frame.load(4, inverse_at, l)
            dot = xj * x + yj * y + zj * z
            cx, cy, cz = yj * z - zj * y, zj * x - xj * z, xj * y - yj * x
            area = cx * cx + cy * cy + cz * cz
            root = area.root()
            both = inverse_j * inverse
            bent = area * both
            # derivatives with respect to r_j² (at fixed r_j · r_l) and to r_j · r_l
            two, three = square_j - dot, square - dot
            shape = both * far
            product = dot * two * three * shape
            product_a = dot * three * shape - product * (inverse_j + far)
            product_s = (two * three - dot * three - dot * two) * shape + product * far * 2.0
            common = frame.load(4, power_at, l) * weight * (steep * half).exp()
            axilrod = product * 3.0 + 1.0
            value = axilrod * common * weight_j
            value_a = (product_a * 3.0 * weight_j + axilrod * (slope_j - decay * 0.5 * far * weight_j)) * common
            value_s = (product_s * 3.0 + axilrod * decay * far) * common * weight_j
            over = 1.0 / root
            over = bent.above(_STRAIGHT2, over, 0.0)
            reach = pull * (half_j + half)
            sides = (
                (dot, value_a * dot, value_s * dot + value),
                (root, value_a * root + value * square * over * 0.5, value_s * root - value * dot * over),
            )
            for side, (wave, along_a, along_s) in enumerate(sides):
                frame.store(value * wave, 9, (side, stride), l)
                frame.store(along_a * 2.0 - reach * (value * wave), 9, (2 + side, stride), l)
                for axis, part in enumerate((x, y, z)):
                    frame.store(along_s * part, 9, (4 + 2 * axis + side, stride), l)
                frame.store(along_s, 9, (ALONG + side, stride), l)
            double = dot * dot * both * 4.0
            frame.store(double - 2.0, 9, (DOUBLE, stride), l)
            frame.store(double * inverse_j * -2.0, 9, (DOUBLE + 1, stride), l)
            frame.store(dot * both * 8.0, 9, (DOUBLE + 2, stride), l)

    return emitted(emit, slots, stride, j, last, pairs, power_at, inverse_at, eta, decay, weights)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def combine(
    typing_context: Any,
    sums: Any,
    table: Any,
    row: Any,
    grid: Any,
    shift: Any,
    x: Any,
    y: Any,
    z: Any,
    pull: Any,
    out: Any,
) -> Any:
    """Derivatives for BLOCK grid points from the contracted rows: x of cosine and sine, y, z.

    `row` is the neighbour's place in the table, `pull` η₃ over its distance.
    """

    def emit(frame: Frame) -> None:
        _, _, row, _, shift, *vector, pull, _ = frame.args
        position = [frame.splat(part) for part in vector]
        pull = frame.splat(pull)
        for k in range(0, PARTS * LANES, LANES):
            own = frame.load(1, row, shift, k)
            reach = pull * frame.load(3, shift, k)
            for side in range(2):
                value, along = (frame.load(0, (2 * n + side) * BLOCK + k) for n in range(2))
                straight = along + reach * value
                for axis in range(3):
                    other = frame.load(0, (4 + 2 * axis + side) * BLOCK + k)
                    frame.store(own * (position[axis] * straight + other), 9, (2 * axis + side) * BLOCK + k)

    return emitted(emit, sums, table, row, grid, shift, x, y, z, pull, out)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def log_normal_slopes(
    typing_context: Any, table: Any, row: Any, grid: Any, size: Any, mu: Any, c0: Any, c1: Any, c2: Any, out: Any
) -> Any:
    """``table · (c0 + c1 t + c2 t²)`` with t = ln R − μ: a log-normal's derivative with respect to the distance."""

    def emit(frame: Frame) -> None:
        _, row, _, size, *numbers, _ = frame.args
        mu, c0, c1, c2 = (frame.splat(number) for number in numbers)
        with frame.loop(0, size, LANES) as (k, _):
            t = frame.load(2, k) - mu
            frame.store(frame.load(0, row, k) * (c0 + t * (c1 + t * c2)), 8, k)

    return emitted(emit, table, row, grid, size, mu, c0, c1, c2, out)
