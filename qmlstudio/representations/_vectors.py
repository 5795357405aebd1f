"""Vectors of eight doubles in numba, and the two products of SOAP that keep their sums in registers.

Unlike the lanes of ``_simd`` (one molecule in each) these run along an axis of the data: eight radial functions are one
AVX-512 register, two of AVX2. numba does not vectorise loops with sums that live over many passes; here LLVM is given
``<8 x double>`` and keeps them in registers.

Every operation is at the same time an ordinary Python function over arrays, which is what a loop's ``py_func`` runs:
the tests compare both.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model, type_callable

WIDTH = 8

Floats = NDArray[np.float64]
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_ALIGN = 8


class VectorType(types.Type):  # type: ignore[misc]
    """numba's type of a vector of :data:`WIDTH` doubles."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector({WIDTH})")


VECTOR = VectorType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _is_buffer(array: Any) -> bool:
    return bool(
        isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and array.dtype == types.float64
    )


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _load(builder: Any, data: Any, index: Any) -> Any:
    value = builder.load(builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer()))
    value.align = _ALIGN
    return value


def _store(builder: Any, data: Any, index: Any, value: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer()), align=_ALIGN)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, one, mask)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{WIDTH}f64")
    return builder.call(function, [a, b, c])


# Single operations


def load(array: Floats, index: int) -> Floats:
    """The vector at ``array[index : index + WIDTH]``; `array` is contiguous."""
    return array[index : index + WIDTH].copy()


def store(array: Floats, index: int, value: Floats) -> None:
    """Put a vector at ``array[index : index + WIDTH]``."""
    array[index : index + WIDTH] = value


def splat(value: float) -> Floats:
    """A vector with `value` in every place."""
    return np.full(WIDTH, value)


def fma(a: Floats, b: Floats, c: Floats) -> Floats:
    """``a * b + c``, rounded once where the processor can."""
    return a * b + c


@type_callable(load)
def _type_load(context: Any) -> Any:
    def typer(array: Any, index: Any) -> Any:
        return VECTOR if _is_buffer(array) and isinstance(index, types.Integer) else None

    return typer


@type_callable(store)
def _type_store(context: Any) -> Any:
    def typer(array: Any, index: Any, value: Any) -> Any:
        return types.none if _is_buffer(array) and isinstance(index, types.Integer) and value == VECTOR else None

    return typer


@type_callable(splat)
def _type_splat(context: Any) -> Any:
    def typer(value: Any) -> Any:
        return VECTOR if isinstance(value, types.Float) else None

    return typer


@type_callable(fma)
def _type_fma(context: Any) -> Any:
    def typer(a: Any, b: Any, c: Any) -> Any:
        return VECTOR if a == b == c == VECTOR else None

    return typer


@lower_builtin(load, types.Array, types.Integer)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _load(builder, _data(context, builder, sig.args[0], args[0]), args[1])


@lower_builtin(store, types.Array, types.Integer, VectorType)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _store(builder, _data(context, builder, sig.args[0], args[0]), args[1], args[2])
    return context.get_dummy_value()


@lower_builtin(splat, types.Float)
def _lower_splat(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _splat(builder, context.cast(builder, args[0], sig.args[0], types.float64))


@lower_builtin(fma, VectorType, VectorType, VectorType)
def _lower_fma(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _fma(builder, *args)


def _operator(function: Any, emit: Callable[..., Any]) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(VECTOR, *args) if len(args) == 2 and all(a == VECTOR for a in args) else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)

    lower_builtin(function, VectorType, VectorType)(lower)


_operator(operator.add, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, lambda builder, a, b: builder.fmul(a, b))


# Products


def _type_product(function: Any, arity: int, buffers: tuple[int, ...]) -> None:
    def fits(given: tuple[Any, ...]) -> Any:
        good = all(_is_buffer(x) if k in buffers else isinstance(x, types.Integer) for k, x in enumerate(given))
        return types.none if good else None

    def factory(context: Any) -> Any:
        # numba reads the names of the arguments, so one typer for each arity
        def nine(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any) -> Any:
            return fits((a, b, c, d, e, f, g, h, i))

        def eleven(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any, j: Any, k: Any) -> Any:
            return fits((a, b, c, d, e, f, g, h, i, j, k))

        return nine if arity == 9 else eleven

    type_callable(function)(factory)


def _integers(context: Any, builder: Any, sig: Any, args: Any) -> list[Any]:
    return [
        context.cast(builder, arg, kind, types.int64) if isinstance(kind, types.Integer) else arg
        for arg, kind in zip(args, sig.args, strict=True)
    ]


def _outer_sums(rows: int) -> Callable[..., None]:
    """``out[o0 + k·o_step + :8] += Σ_p a[a0 + p·a_step + :8] · b[b0 + k·b_step + p]`` for k < rows and p < count.

    Where `adds` is 0 the sums begin at zero instead.
    """

    def sums(
        a: Floats,
        a0: int,
        a_step: int,
        b: Floats,
        b0: int,
        b_step: int,
        count: int,
        out: Floats,
        o0: int,
        o_step: int,
        adds: int,
    ) -> None:
        if not adds:
            for k in range(rows):
                out[o0 + k * o_step : o0 + k * o_step + WIDTH] = 0.0
        for p in range(count):
            v = a[a0 + p * a_step : a0 + p * a_step + WIDTH]
            for k in range(rows):
                out[o0 + k * o_step : o0 + k * o_step + WIDTH] += v * b[b0 + k * b_step + p]

    _type_product(sums, 11, (0, 3, 7))

    @lower_builtin(sums, *[types.Any] * 11)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, a0, a_step, b, b0, b_step, count, out, o0, o_step, adds = _integers(context, builder, sig, args)
        a, b, out = (_data(context, builder, sig.args[k], x) for k, x in ((0, a), (3, b), (7, out)))
        whole = count.type
        at, start = [o0], [b0]
        for _ in range(rows - 1):
            at.append(builder.add(at[-1], o_step))
            start.append(builder.add(start[-1], b_step))
        keeps = builder.icmp_signed("!=", adds, ir.Constant(whole, 0))
        zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
        starts = [builder.select(keeps, _load(builder, out, k), zero) for k in at]
        totals = [cgutils.alloca_once_value(builder, value) for value in starts]
        with cgutils.for_range(builder, count, intp=whole) as loop:
            v = _load(builder, a, builder.add(a0, builder.mul(loop.index, a_step)))
            for k, total in zip(start, totals, strict=True):
                one = builder.load(builder.gep(b, [builder.add(k, loop.index)]))
                builder.store(_fma(builder, v, _splat(builder, one), builder.load(total)), total)
        for k, total in zip(at, totals, strict=True):
            _store(builder, out, k, builder.load(total))
        return context.get_dummy_value()

    return sums


sums1, sums3, sums5, sums7, sums9, sums11, sums13 = (_outer_sums(k) for k in range(1, 14, 2))


def _tile(adds: bool, upper: bool) -> Callable[..., None]:
    """``out[o0 + r·o_step + :8] (+)= Σ_m a[a0 + m·step + r] · b[b0 + m·step + :8]`` for r < 8 and m < count.

    `upper`: only what stands on and above the diagonal, 36 numbers in rows one after the other; `o_step` must be 8.
    """

    def tile(a: Floats, a0: int, b: Floats, b0: int, step: int, count: int, out: Floats, o0: int, o_step: int) -> None:
        at = o0
        for r in range(WIDTH):
            first = r if upper else 0
            total = out[at : at + WIDTH - first].copy() if adds else np.zeros(WIDTH - first)
            for m in range(count):
                total += a[a0 + m * step + r] * b[b0 + m * step + first : b0 + m * step + WIDTH]
            out[at : at + WIDTH - first] = total
            at += o_step - first

    _type_product(tile, 9, (0, 2, 6))

    @lower_builtin(tile, *[types.Any] * 9)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, a0, b, b0, step, count, out, o0, o_step = _integers(context, builder, sig, args)
        a, b, out = (_data(context, builder, sig.args[k], x) for k, x in ((0, a), (2, b), (6, out)))
        whole = count.type
        at = [o0]
        for r in range(1, WIDTH):
            # of the upper triangle row r begins at 8 r − r (r − 1) / 2, and its vector r places before
            at.append(builder.add(at[-1], builder.sub(o_step, ir.Constant(whole, r)) if upper else o_step))
        zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
        totals = [cgutils.alloca_once_value(builder, _load(builder, out, k) if adds else zero) for k in at]
        with cgutils.for_range(builder, count, intp=whole) as loop:
            offset = builder.mul(loop.index, step)
            v = _load(builder, b, builder.add(b0, offset))
            left = builder.gep(a, [builder.add(a0, offset)])
            for r, total in enumerate(totals):
                one = builder.load(builder.gep(left, [ir.Constant(whole, r)]))
                builder.store(_fma(builder, v, _splat(builder, one), builder.load(total)), total)
        # rows may overlap (a step below eight; a triangle, whose last rows come first): the later one is left
        stores = list(zip(at, totals, strict=True))
        for k, total in reversed(stores) if upper else stores:
            _store(builder, out, k, builder.load(total))
        return context.get_dummy_value()

    return tile


tile, tile_add, tile_upper = _tile(False, False), _tile(True, False), _tile(False, True)


def tile_upper_two(c: Floats, a0: int, b0: int, a1: int, b1: int, step: int, count: int, out: Floats, o0: int) -> None:
    """The sum of two :func:`tile_upper`: of a0 and b0, and of a1 and b1, all in `c`.

    One after the other they would read what was just written, at other places, for which processors wait.
    """
    tile_upper(c, a0, c, b0, step, count, out, o0, WIDTH)
    first = np.zeros(WIDTH * WIDTH)
    tile_upper(c, a1, c, b1, step, count, first, 0, WIDTH)
    size = WIDTH * (WIDTH + 1) // 2
    out[o0 : o0 + size] += first[:size]


_type_product(tile_upper_two, 9, (0, 7))


@lower_builtin(tile_upper_two, *[types.Any] * 9)
def _lower_tile_upper_two(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    c, a0, b0, a1, b1, step, count, out, o0 = _integers(context, builder, sig, args)
    c, out = _data(context, builder, sig.args[0], c), _data(context, builder, sig.args[7], out)
    whole = count.type
    zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
    totals = [cgutils.alloca_once_value(builder, zero) for _ in range(WIDTH)]
    with cgutils.for_range(builder, count, intp=whole) as loop:
        offset = builder.mul(loop.index, step)
        for a, b in ((a0, b0), (a1, b1)):
            v = _load(builder, c, builder.add(b, offset))
            left = builder.gep(c, [builder.add(a, offset)])
            for r, total in enumerate(totals):
                one = builder.load(builder.gep(left, [ir.Constant(whole, r)]))
                builder.store(_fma(builder, v, _splat(builder, one), builder.load(total)), total)
    at = [o0]
    for r in range(1, WIDTH):
        at.append(builder.add(at[-1], ir.Constant(whole, WIDTH - r)))
    for k, total in reversed(list(zip(at, totals, strict=True))):
        _store(builder, out, k, builder.load(total))
    return context.get_dummy_value()


# Streams


def stream(values: Floats, first: int, out: NDArray[Any], at: int, count: int) -> None:
    """``out[at : at + 8·count] = values[first : …]`` past the caches; ``out[at:]`` is aligned to eight of its numbers.

    Of rows that nobody reads soon an ordinary write would first fetch the memory that it overwrites. :func:`fence` must
    follow before another thread reads.
    """
    out[at : at + WIDTH * count] = values[first : first + WIDTH * count]


def stream_zeros(out: NDArray[Any], at: int, count: int) -> None:
    """``out[at : at + 8·count] = 0`` past the caches, as :func:`stream`."""
    out[at : at + WIDTH * count] = 0.0


def fence() -> None:
    """All that was streamed before is seen by other threads."""


def _is_output(array: Any) -> bool:
    return bool(
        isinstance(array, types.Array)
        and array.ndim == 1
        and array.layout == "C"
        and array.dtype in (types.float64, types.float32)
    )


@type_callable(stream)
def _type_stream(context: Any) -> Any:
    def typer(values: Any, first: Any, out: Any, at: Any, count: Any) -> Any:
        integers = all(isinstance(x, types.Integer) for x in (first, at, count))
        return types.none if _is_buffer(values) and _is_output(out) and integers else None

    return typer


@type_callable(stream_zeros)
def _type_stream_zeros(context: Any) -> Any:
    def typer(out: Any, at: Any, count: Any) -> Any:
        integers = all(isinstance(x, types.Integer) for x in (at, count))
        return types.none if _is_output(out) and integers else None

    return typer


@type_callable(fence)
def _type_fence(context: Any) -> Any:
    def typer() -> Any:
        return types.none

    return typer


def _store_past(builder: Any, kind: Any, data: Any, index: Any, value: Any) -> None:
    double = kind.dtype == types.float64
    element = ir.DoubleType() if double else ir.FloatType()
    vector = ir.VectorType(element, WIDTH)
    pointer = builder.bitcast(builder.gep(data, [index]), vector.as_pointer())
    if not double:
        value = builder.fptrunc(value, vector)
    made = builder.store(value, pointer, align=WIDTH * (8 if double else 4))
    made.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


@lower_builtin(stream, types.Array, types.Integer, types.Array, types.Integer, types.Integer)
def _lower_stream(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    values, first, out, at, count = _integers(context, builder, sig, args)
    source, target = (_data(context, builder, sig.args[k], x) for k, x in ((0, values), (2, out)))
    eight = ir.Constant(count.type, WIDTH)
    with cgutils.for_range(builder, count, intp=count.type) as loop:
        offset = builder.mul(loop.index, eight)
        value = _load(builder, source, builder.add(first, offset))
        _store_past(builder, sig.args[2], target, builder.add(at, offset), value)
    return context.get_dummy_value()


@lower_builtin(stream_zeros, types.Array, types.Integer, types.Integer)
def _lower_stream_zeros(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    out, at, count = _integers(context, builder, sig, args)
    target = _data(context, builder, sig.args[0], out)
    eight, zero = ir.Constant(count.type, WIDTH), ir.Constant(_VECTOR, [0.0] * WIDTH)
    with cgutils.for_range(builder, count, intp=count.type) as loop:
        _store_past(builder, sig.args[0], target, builder.add(at, builder.mul(loop.index, eight)), zero)
    return context.get_dummy_value()


@lower_builtin(fence)
def _lower_fence(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.fence("seq_cst")
    return context.get_dummy_value()
