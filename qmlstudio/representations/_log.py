"""A branch-free logarithm that LLVM can vectorise, as ``_exp`` has the exponential."""

from __future__ import annotations

from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# ln 2 in two parts: a whole number of up to 20 bits times the first is exact
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# (ln((1 + s) / (1 − s)) / s − 2) / s² in powers of s², on |s| ≤ 0.172 to 3e-16 (Chebyshev interpolation in 40 digits)
_POLYNOMIAL = (
    0.666666666666667,
    0.39999999999899444,
    0.2857142862600327,
    0.22222211130259878,
    0.18182889455674947,
    0.15331710618210773,
    0.14616585424888623,
)
# bits of √½: numbers whose mantissas lie above it belong to the next power of two
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
# the bits of 2^52 with a whole number below 2^52 added are those of the sum
_WHOLE_BITS, _WHOLE = 0x4330000000000000, 4503599627370496.0


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def log(typing_context: Any, x: Any) -> Any:
    """ln x of a positive, normal float64, to 2e-16 absolutely or relatively; only inside compiled loops."""
    if not isinstance(x, types.Float):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, whole = ir.DoubleType(), ir.IntType(64)

        def number(value: float) -> Any:
            return ir.Constant(kind, value)

        def fma(a: Any, b: Any, c: Any) -> Any:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(kind, [kind] * 3), "llvm.fmuladd.f64"
            )
            return builder.call(function, [a, b, c])

        # x = m 2^e with √½ ≤ m < √2
        bits = builder.sub(builder.bitcast(args[0], whole), ir.Constant(whole, _ROOT_HALF_BITS))
        # below √½ the difference is negative: its exponent's 12 bits, moved up by 2048, count on from 0
        biased = builder.add(builder.lshr(bits, ir.Constant(whole, 52)), ir.Constant(whole, 2048))
        biased = builder.and_(biased, ir.Constant(whole, 4095))
        exponent = builder.bitcast(builder.or_(biased, ir.Constant(whole, _WHOLE_BITS)), kind)
        exponent = builder.fsub(exponent, number(_WHOLE + 2048.0))
        low = builder.and_(bits, ir.Constant(whole, 0x000FFFFFFFFFFFFF))
        m = builder.bitcast(builder.add(low, ir.Constant(whole, _ROOT_HALF_BITS)), kind)
        s = builder.fdiv(builder.fsub(m, number(1.0)), builder.fadd(m, number(1.0)))
        t = builder.fmul(s, s)
        p = number(_POLYNOMIAL[-1])
        for coefficient in reversed(_POLYNOMIAL[:-1]):
            p = fma(p, t, number(coefficient))
        rest = fma(builder.fmul(s, t), p, builder.fmul(exponent, number(_LN2_LOW)))
        return fma(exponent, number(_LN2_HIGH), builder.fadd(builder.fadd(s, s), rest))

    return types.float64(types.float64), generate
