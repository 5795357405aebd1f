"""A Gaussian on a uniform grid, added to a curve: the innermost step of SLATM, in vectors of eight doubles.

With the grid point nearest to the centre θ as origin, θ = δ and grid points at j h,

    exp(−(j h − δ)² / 2σ²) = exp(−δ² / 2σ²) · exp(−j² h² / 2σ²) · g^j,   g = exp(h δ / σ²),

so that a table in j and powers of one number give all values of the window: no exponential for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)
from qmlstudio.representations._slatm_terms import BLOCK

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_DOUBLE, _INT = ir.DoubleType(), ir.IntType(32)
_VECTOR = ir.VectorType(_DOUBLE, BLOCK)


def add_gaussian_plain(
    curve: Any, at: int, cosines: Any, cell: int, table: Any, blocks: int, u: float, v: float, powers: Any
) -> None:
    """What :func:`add_gaussian` does, in NumPy; `powers` are g, g², g⁴, g⁸ and g⁻⁸."""
    size = 2 * blocks * BLOCK
    j = np.arange(size) - blocks * BLOCK
    window = table[:size] * float(powers[0]) ** j
    curve[at : at + size] += window * (u + v * cosines[cell : cell + size])


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def add_gaussian(
    typing_context: Any,
    curve: Any,
    at: Any,
    cosines: Any,
    cell: Any,
    table: Any,
    blocks: Any,
    u: Any,
    v: Any,
    g: Any,
    g2: Any,
    g4: Any,
    up: Any,
    down: Any,
) -> Any:
    """Add ``table · g^j · (u + v · cosines)`` to a curve, for j from −8 `blocks` to 8 `blocks` − 1.

    The powers reach every j by few products: each block is [1, g … g⁷] times powers of `up` = g⁸ or `down` = g⁻⁸.

    Parameters
    ----------
    curve, at : (…,) float64, int
        The window is ``curve[at : at + 16 * blocks]``.
    cosines, cell : (…,) float64, int
        ``cosines[cell : cell + 16 * blocks]`` belongs to it.
    table : (16 * blocks,) float64
        exp(−j² h² / 2σ²).
    blocks : int
    u, v, g, g2, g4, up, down : float
        g, g², g⁴, g⁸ and g⁻⁸.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def data(k: int, index: Any) -> Any:
            first = context.make_array(sig.args[k])(context, builder, args[k]).data
            return builder.bitcast(builder.gep(first, [index]), _VECTOR.as_pointer())

        def splat(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INT, 0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INT, BLOCK), [0] * BLOCK))

        def fma(a: Any, b: Any, c: Any) -> Any:
            name = f"llvm.fmuladd.v{BLOCK}f64"
            kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])

        def load(pointer: Any) -> Any:
            value = builder.load(pointer)
            value.align = 8
            return value

        _, at, _, cell, _, blocks, u, v, *rest = args
        powers = [splat(value) for value in rest]
        one = ir.Constant(_VECTOR, [1.0] * BLOCK)
        first = one
        for bit in range(3):
            mask = ir.Constant(ir.VectorType(ir.IntType(1), BLOCK), [(l >> bit) & 1 for l in range(BLOCK)])
            chosen = builder.select(mask, powers[bit], one)
            first = chosen if bit == 0 else builder.fmul(first, chosen)
        u, v = splat(u), splat(v)
        whole = blocks.type
        step = ir.Constant(whole, BLOCK)
        middle = builder.mul(blocks, step)
        power = cgutils.alloca_once(builder, _VECTOR)
        for upward in (True, False):
            factor = powers[3 if upward else 4]
            builder.store(first if upward else builder.fmul(first, factor), power)
            with cgutils.for_range(builder, blocks) as loop:
                shift = builder.mul(loop.index, step)
                if upward:
                    offset = builder.add(middle, shift)
                else:
                    offset = builder.sub(middle, builder.add(shift, step))
                value = builder.load(power)
                weight = fma(v, load(data(2, builder.add(cell, offset))), u)
                gaussian = builder.fmul(value, load(data(4, offset)))
                pointer = data(0, builder.add(at, offset))
                builder.store(fma(gaussian, weight, load(pointer)), pointer, align=8)
                builder.store(builder.fmul(value, factor), power)
        return context.get_dummy_value()

    number, integer = types.float64, types.int64
    arrays = (curve, cosines, table)
    if not all(isinstance(a, types.Array) and a.ndim == 1 and a.layout == "C" and a.dtype == number for a in arrays):
        return None
    signature = types.none(curve, integer, cosines, integer, table, integer, *[number] * 7)
    return signature, generate
