"""A branch-free exponential that LLVM can vectorise: numba's ``np.exp`` is a call for each number.

:func:`exp` is for plain loops over contiguous arrays (``out[k] += w * exp(a * x[k])``), which LLVM turns into vector
instructions by itself; :func:`exp_lanes` is the same for the vectors of ``_simd``. Both emit the same instructions.

Never in a function with ``fastmath`` "reassoc" (or True): numba puts the flag on all instructions of a function, and
LLVM then cancels the addition that rounds, so that the result is wrong without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qmlstudio.representations._simd as _simd

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.extending import intrinsic

_LOG2E = 1.4426950408889634
# ln 2 in two parts: a whole number of up to 20 bits times the first is exact
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# adding it leaves a number's nearest whole number in the low bits of the sum
_SHIFTER = 6755399441055744.0
_LOWEST, _HIGHEST = -708.0, 709.0
# (e^r − 1 − r) / r² on |r| ≤ ½ ln 2, to 1e-16 (Chebyshev interpolation in 60 digits)
_POLYNOMIAL = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662413,
    0.008333333333330062,
    0.0013888888917213717,
    0.00019841269863053618,
    2.4801521295954376e-05,
    2.7557268459997064e-06,
    2.7620088445409746e-07,
    2.510038549551032e-08,
)


def _emit_exp(builder: Any, x: Any) -> Any:
    """Instructions of e^x for a double or a vector of doubles; 0 below −708, e^709 above 709, NaN for NaN."""
    kind = x.type
    if isinstance(kind, ir.VectorType):
        whole: Any = ir.VectorType(ir.IntType(64), kind.count)

        def number(value: float) -> Any:
            return ir.Constant(kind, [value] * kind.count)

        def integer(value: int) -> Any:
            return ir.Constant(whole, [value] * kind.count)
    else:
        whole = ir.IntType(64)

        def number(value: float) -> Any:
            return ir.Constant(kind, value)

        def integer(value: int) -> Any:
            return ir.Constant(whole, value)

    suffix = f"v{kind.count}f64" if isinstance(kind, ir.VectorType) else "f64"
    name = f"llvm.fmuladd.{suffix}"
    module = builder.module
    fma_function = module.globals.get(name)
    if fma_function is None:
        fma_function = ir.Function(module, ir.FunctionType(kind, [kind] * 3), name)

    def fma(a: Any, b: Any, c: Any) -> Any:
        return builder.call(fma_function, [a, b, c])

    tiny = builder.fcmp_ordered("<", x, number(_LOWEST))
    clamped = builder.select(tiny, number(_LOWEST), x)
    clamped = builder.select(builder.fcmp_ordered(">", clamped, number(_HIGHEST)), number(_HIGHEST), clamped)
    shifted = builder.fadd(builder.fmul(clamped, number(_LOG2E)), number(_SHIFTER))
    n = builder.fsub(shifted, number(_SHIFTER))
    r = fma(n, number(-_LN2_HIGH), clamped)
    r = fma(n, number(-_LN2_LOW), r)
    q = number(_POLYNOMIAL[-1])
    for coefficient in reversed(_POLYNOMIAL[:-1]):
        q = fma(q, r, number(coefficient))
    value = fma(builder.fmul(r, r), q, r)
    bits = builder.shl(builder.add(builder.bitcast(shifted, whole), integer(1023)), integer(52))
    scale = builder.bitcast(bits, kind)
    return builder.select(tiny, number(0.0), fma(value, scale, scale))


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def exp(typing_context: Any, x: Any) -> Any:
    """e^x of a float64, to 1 unit in the last place; only inside compiled loops."""
    if not isinstance(x, types.Float):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _emit_exp(builder, args[0])

    return types.float64(types.float64), generate


def exp_lanes(x: Any) -> Any:
    """e^x, lane by lane."""
    return np.exp(x)


_simd.register(exp_lanes, 1)(_emit_exp)
