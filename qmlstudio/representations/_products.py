"""Loops over contiguous numbers, eight at a time in registers: too short for LLVM's own vectoriser.

All are for compiled loops only. They run over whole vectors: buffers are padded.
"""

from __future__ import annotations

from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qmlstudio.representations._exp import _emit_exp

LANES = 8
_DOUBLE, _INT = ir.DoubleType(), ir.IntType(64)
_VECTOR = ir.VectorType(_DOUBLE, LANES)
_ZERO = ir.Constant(_INT, 0)


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _load(builder: Any, data: Any, index: Any) -> Any:
    value = builder.load(builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer()))
    value.align = 8
    return value


def _store(builder: Any, data: Any, index: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer()), align=8)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f64"), [a, b, c])


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _total(builder: Any, vector: Any) -> Any:
    """Sum of the lanes, in halves."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(first, first + width))) for first in (0, width)
        )
        vector = builder.fadd(builder.shuffle_vector(vector, vector, low), builder.shuffle_vector(vector, vector, high))
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _integers(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    return [
        context.cast(builder, arg, kind, types.int64) if isinstance(kind, types.Integer) else arg
        for arg, kind in zip(args, signature.args, strict=True)
    ]


def _are_buffers(*arrays: Any) -> bool:
    return all(
        isinstance(a, types.Array) and a.ndim == 1 and a.layout == "C" and a.dtype == types.float64 for a in arrays
    )


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def dot(typing_context: Any, a: Any, b: Any, first: Any, last: Any) -> Any:
    """Σ a[t] b[t] for t in ``first:last``, a whole number of vectors."""
    if not _are_buffers(a, b):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right, start, stop = _integers(context, builder, signature, args)
        left, right = (
            _data(context, builder, signature.args[0], left),
            _data(context, builder, signature.args[1], right),
        )
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        total = cgutils.alloca_once_value(builder, zero)
        builder.store(zero, total)
        with cgutils.for_range_slice(builder, start, stop, ir.Constant(_INT, LANES), inc=True) as (t, _):
            value = _fma(builder, _load(builder, left, t), _load(builder, right, t), builder.load(total))
            builder.store(value, total)
        return _total(builder, builder.load(total))

    return types.float64(a, b, first, last), generate


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def triple_row(
    typing_context: Any,
    near: Any,
    stride: Any,
    j: Any,
    first: Any,
    last: Any,
    added: Any,
    multiplied: Any,
    product: Any,
    out: Any,
    out_stride: Any,
    at: Any,
) -> Any:
    """What is needed of the triples (j, centre, k) for k in ``first:last``, from position `at` of four rows of `out`.

    Rows 0 … 2 of `near` are vectors; `added`, `multiplied` and `product` the numbers of other rows. Filled: scalar
    products of the vectors; sums of row `added`; twice the products of row `multiplied`; products of row `product`.
    Up to seven numbers behind are overwritten.
    """
    if not _are_buffers(near, out):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = _integers(context, builder, signature, args)
        near, out = (_data(context, builder, signature.args[k], whole[k]) for k in (0, 8))
        _, stride, j, start, stop, added, multiplied, product, _, out_stride, at = whole
        rows = [
            builder.mul(stride, row) for row in (*(ir.Constant(_INT, k) for k in range(3)), added, multiplied, product)
        ]
        mine = [_splat(builder, builder.load(builder.gep(near, [builder.add(row, j)]))) for row in rows]
        mine[4] = builder.fadd(mine[4], mine[4])
        columns = [builder.mul(out_stride, ir.Constant(_INT, k)) for k in range(4)]
        with cgutils.for_range_slice(builder, start, stop, ir.Constant(_INT, LANES), inc=True) as (k, _):
            x, y, z, a, m, p = (_load(builder, near, builder.add(row, k)) for row in rows)
            to = builder.add(at, builder.sub(k, start))
            dot_product = _fma(builder, mine[0], x, _fma(builder, mine[1], y, builder.fmul(mine[2], z)))
            values = (dot_product, builder.fadd(mine[3], a), builder.fmul(mine[4], m), builder.fmul(mine[5], p))
            for column, value in zip(columns, values, strict=True):
                _store(builder, out, builder.add(column, to), value)
        return context.get_dummy_value()

    sig = types.void(near, stride, j, first, last, added, multiplied, product, out, out_stride, at)
    return sig, generate


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def angle_lanes(
    typing_context: Any, count: Any, lanes: Any, half_cosines: Any, half_sines: Any, cosine: Any, sine: Any, out: Any
) -> Any:
    """``out[t·lanes + l] = ½ + half_cosines[l] · cosine[t] + half_sines[l] · sine[t]`` for t < count, l < lanes."""
    if not _are_buffers(half_cosines, half_sines, cosine, sine, out):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count, lanes, *arrays = _integers(context, builder, signature, args)
        data = [_data(context, builder, kind, array) for kind, array in zip(signature.args[2:], arrays, strict=True)]
        half = ir.Constant(_VECTOR, [0.5] * LANES)
        with cgutils.for_range(builder, count, intp=_INT) as loop:
            c, s = (_splat(builder, builder.load(builder.gep(data[k], [loop.index]))) for k in (2, 3))
            start = builder.mul(loop.index, lanes)
            with cgutils.for_range_slice(builder, _ZERO, lanes, ir.Constant(_INT, LANES), inc=True) as (l, _):
                value = _fma(builder, _load(builder, data[0], l), c, half)
                value = _fma(builder, _load(builder, data[1], l), s, value)
                _store(builder, data[4], builder.add(start, l), value)
        return context.get_dummy_value()

    return types.void(count, lanes, half_cosines, half_sines, cosine, sine, out), generate


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def gaussian_lanes(
    typing_context: Any, count: Any, lanes: Any, eta: Any, grid: Any, both: Any, weight: Any, out: Any
) -> Any:
    """``out[t·lanes + l] = weight[t] · exp(−eta (½ both[t] − grid[l])²)`` for t < count, l < lanes."""
    if not _are_buffers(grid, both, weight, out):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count, lanes, eta, *arrays = _integers(context, builder, signature, args)
        data = [_data(context, builder, kind, array) for kind, array in zip(signature.args[3:], arrays, strict=True)]
        steep = _splat(builder, builder.fneg(eta))
        with cgutils.for_range(builder, count, intp=_INT) as loop:
            mean = builder.fmul(builder.load(builder.gep(data[1], [loop.index])), ir.Constant(_DOUBLE, 0.5))
            m, w = _splat(builder, mean), _splat(builder, builder.load(builder.gep(data[2], [loop.index])))
            start = builder.mul(loop.index, lanes)
            with cgutils.for_range_slice(builder, _ZERO, lanes, ir.Constant(_INT, LANES), inc=True) as (l, _):
                d = builder.fsub(m, _load(builder, data[0], l))
                value = builder.fmul(w, _emit_exp(builder, builder.fmul(builder.fmul(steep, d), d)))
                _store(builder, data[3], builder.add(start, l), value)
        return context.get_dummy_value()

    return types.void(count, lanes, types.float64, grid, both, weight, out), generate


def _outer(rows: int) -> Any:
    """``out[o0 + k·o_step + :8] += Σ_t a[a0 + t·a_step + :8] · b[b0 + k·b_step + t]`` for k < rows and t < count."""

    @intrinsic  # type: ignore[untyped-decorator,unused-ignore]
    def outer(
        typing_context: Any,
        a: Any,
        a0: Any,
        a_step: Any,
        b: Any,
        b0: Any,
        b_step: Any,
        count: Any,
        out: Any,
        o0: Any,
        o_step: Any,
    ) -> Any:
        if not _are_buffers(a, b, out):
            return None

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            whole = _integers(context, builder, signature, args)
            a, b, out = (_data(context, builder, signature.args[k], whole[k]) for k in (0, 3, 7))
            _, a0, a_step, _, b0, b_step, count, _, o0, o_step = whole
            at, start = [o0], [b0]
            for _k in range(rows - 1):
                at.append(builder.add(at[-1], o_step))
                start.append(builder.add(start[-1], b_step))
            totals = [cgutils.alloca_once(builder, _VECTOR) for _k in at]
            for k, total in zip(at, totals, strict=True):
                builder.store(_load(builder, out, k), total)
            with cgutils.for_range(builder, count, intp=_INT) as loop:
                v = _load(builder, a, builder.add(a0, builder.mul(loop.index, a_step)))
                for k, total in zip(start, totals, strict=True):
                    one = builder.load(builder.gep(b, [builder.add(k, loop.index)]))
                    builder.store(_fma(builder, v, _splat(builder, one), builder.load(total)), total)
            for k, total in zip(at, totals, strict=True):
                _store(builder, out, k, builder.load(total))
            return context.get_dummy_value()

        return types.void(a, a0, a_step, b, b0, b_step, count, out, o0, o_step), generate

    return outer


outer1, outer4 = _outer(1), _outer(4)
