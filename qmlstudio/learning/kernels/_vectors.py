"""Vectors of 64 bytes for the kernels' loops: city-block distances, squared ones, and an exponential.

LLVM is given ``<8 x double>`` and ``<16 x float>`` and keeps sums in registers, which numba's own loops do not.
Everything is for compiled loops over contiguous one-dimensional arrays only.
"""

from __future__ import annotations

import math
from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
import llvmlite.binding as llvm  # type: ignore[import-untyped,unused-ignore]
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qmlstudio.representations._exp import _emit_exp

BYTES = 64
"""Of one vector."""
VECTORS = 2
"""Vectors side by side in a panel of columns."""
_INT = ir.IntType(64)
_FLOATS = (types.float64, types.float32)

# e^r − 1 − r over r², to 4e-9 on |r| ≤ ½ ln 2
_SHORT = tuple(1.0 / math.factorial(k) for k in range(2, 8))
_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_SHIFTER, _LOWEST, _HIGHEST = 12582912.0, -87.0, 88.0


def _wide_registers() -> bool:
    """Whether there are 32 registers of 64 bytes."""
    try:
        return bool(llvm.get_host_cpu_features().get("avx512f", False))
    except RuntimeError:
        return False


ROWS = 4 if _wide_registers() else 2
"""Rows whose sums fit the registers together, beside a panel of columns."""


def width(itemsize: int) -> int:
    """Columns of a panel of numbers of so many bytes."""
    return VECTORS * BYTES // itemsize


def _element(kind: Any) -> Any:
    return ir.DoubleType() if kind.dtype == types.float64 else ir.FloatType()


def _vector(kind: Any) -> Any:
    return ir.VectorType(_element(kind), BYTES // (8 if kind.dtype == types.float64 else 4))


def _are_buffers(*arrays: Any) -> bool:
    return all(
        isinstance(a, types.Array) and a.ndim == 1 and a.layout == "C" and a.dtype in _FLOATS for a in arrays
    ) and all(a.dtype == arrays[0].dtype for a in arrays)


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _load(builder: Any, vector: Any, data: Any, index: Any) -> Any:
    value = builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()))
    value.align = 4
    return value


def _store(builder: Any, vector: Any, data: Any, index: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=4)


def _splat(builder: Any, vector: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, one, mask)


def _magnitude(builder: Any, value: Any) -> Any:
    vector = value.type
    name = f"llvm.fabs.v{vector.count}f{64 if vector.count == BYTES // 8 else 32}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector]), name)
    return builder.call(function, [value])


def _total(builder: Any, value: Any) -> Any:
    """Sum of the lanes, in halves."""
    count = value.type.count
    while count > 1:
        count //= 2
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count))) for first in (0, count)
        )
        value = builder.fadd(builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high))
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


def _integers(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    return [
        context.cast(builder, arg, kind, types.int64) if isinstance(kind, types.Integer) else arg
        for arg, kind in zip(args, signature.args, strict=True)
    ]


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def city_sums(
    typing_context: Any, a: Any, a0: Any, b: Any, b0: Any, count: Any, out: Any, o0: Any, o_step: Any, adds: Any
) -> Any:
    """``out[o0 + r·o_step + c] += Σ_t |a[a0 + t·W + r] − b[b0 + t·W + c]|`` for r < ROWS, c < W, t < count.

    W is :func:`width`: both stand in panels, W rows side by side for each t. Where `adds` is 0 the sums begin at zero.
    """
    if not _are_buffers(a, b, out):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, a0, b, b0, count, out, o0, o_step, adds = _integers(context, builder, signature, args)
        vector = _vector(signature.args[0])
        a, b, out = (_data(context, builder, signature.args[k], x) for k, x in ((0, a), (2, b), (5, out)))
        a, b = builder.gep(a, [a0]), builder.gep(b, [b0])
        lanes = [ir.Constant(_INT, v * vector.count) for v in range(VECTORS)]
        panel = ir.Constant(_INT, VECTORS * vector.count)
        at = [o0]
        for _ in range(ROWS - 1):
            at.append(builder.add(at[-1], o_step))
        places = [builder.add(place, lane) for place in at for lane in lanes]
        keeps = builder.icmp_signed("!=", adds, ir.Constant(_INT, 0))
        zero = ir.Constant(vector, [0.0] * vector.count)
        totals = [cgutils.alloca_once(builder, vector) for _ in places]
        for place, total in zip(places, totals, strict=True):
            builder.store(builder.select(keeps, _load(builder, vector, out, place), zero), total)
        with cgutils.for_range(builder, count, intp=_INT) as loop:
            offset = builder.mul(loop.index, panel)
            columns = [_load(builder, vector, b, builder.add(offset, lane)) for lane in lanes]
            for r in range(ROWS):
                mine = builder.load(builder.gep(a, [builder.add(offset, ir.Constant(_INT, r))]))
                row = _splat(builder, vector, mine)
                for column, total in zip(columns, totals[r * VECTORS :], strict=False):
                    one = _magnitude(builder, builder.fsub(column, row))
                    builder.store(builder.fadd(builder.load(total), one), total)
        for place, total in zip(places, totals, strict=True):
            _store(builder, vector, out, place, builder.load(total))
        return context.get_dummy_value()

    return types.void(a, a0, b, b0, count, out, o0, o_step, adds), generate


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def square_distance(typing_context: Any, a: Any, a0: Any, b: Any, b0: Any, count: Any) -> Any:
    """Σ_t (a[a0 + t] − b[b0 + t])² for t < count, a whole number of vectors."""
    if not _are_buffers(a, b):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, a0, b, b0, count = _integers(context, builder, signature, args)
        vector = _vector(signature.args[0])
        a, b = _data(context, builder, signature.args[0], a), _data(context, builder, signature.args[2], b)
        total = cgutils.alloca_once(builder, vector)
        builder.store(ir.Constant(vector, [0.0] * vector.count), total)
        step = ir.Constant(_INT, vector.count)
        with cgutils.for_range_slice(builder, ir.Constant(_INT, 0), count, step, inc=True) as (t, _):
            left = _load(builder, vector, a, builder.add(a0, t))
            difference = builder.fsub(left, _load(builder, vector, b, builder.add(b0, t)))
            builder.store(builder.fadd(builder.load(total), builder.fmul(difference, difference)), total)
        return _total(builder, builder.load(total))

    return a.dtype(a, a0, b, b0, count), generate


def _emit_short_exp(builder: Any, x: Any) -> Any:
    """Instructions of e^x for a float: 0 below −87, e^88 above 88, NaN for NaN; to 2 units in the last place."""
    kind, whole = ir.FloatType(), ir.IntType(32)

    def number(value: float) -> Any:
        return ir.Constant(kind, value)

    signature = ir.FunctionType(kind, [kind] * 3)
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.fmuladd.f32")

    def fma(a: Any, b: Any, c: Any) -> Any:
        return builder.call(function, [a, b, c])

    tiny = builder.fcmp_ordered("<", x, number(_LOWEST))
    clamped = builder.select(tiny, number(_LOWEST), x)
    clamped = builder.select(builder.fcmp_ordered(">", clamped, number(_HIGHEST)), number(_HIGHEST), clamped)
    shifted = builder.fadd(builder.fmul(clamped, number(_LOG2E)), number(_SHIFTER))
    n = builder.fsub(shifted, number(_SHIFTER))
    r = fma(n, number(-_LN2_LOW), fma(n, number(-_LN2_HIGH), clamped))
    q = number(_SHORT[-1])
    for coefficient in reversed(_SHORT[:-1]):
        q = fma(q, r, number(coefficient))
    value = fma(builder.fmul(r, r), q, r)
    bits = builder.shl(builder.add(builder.bitcast(shifted, whole), whole(127)), whole(23))
    scale = builder.bitcast(bits, kind)
    return builder.select(tiny, number(0.0), fma(value, scale, scale))


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def exp(typing_context: Any, x: Any) -> Any:
    """e^x in the precision of `x`, branch-free, for loops that LLVM vectorises; never with fastmath "reassoc"."""
    if x not in _FLOATS:
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return (_emit_exp if signature.args[0] == types.float64 else _emit_short_exp)(builder, args[0])

    return x(x), generate
