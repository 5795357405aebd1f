"""Vectors of :data:`WIDTH` doubles in numba: many molecules side by side, one in each lane.

A loop over molecules of equal size does the same arithmetic for each, so :data:`WIDTH` of them run in the lanes of one
vector, whatever that size is. numba alone does not vectorise such code; here is a small type for it that emits LLVM's
portable ``<16 x double>`` (two AVX-512, four AVX, eight SSE or NEON registers: LLVM decides). More lanes than one
register holds hide the latency of divisions and square roots.

Every operation is at the same time an ordinary Python function over (WIDTH,) arrays. A loop's ``py_func`` is therefore
a plain, slow version of itself, with which the tests compare the compiled one.
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

WIDTH = 16
"""Lanes."""

Floats = NDArray[np.float64]
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_ALIGN = 8


class LanesType(types.Type):  # type: ignore[misc]
    """numba's type of a vector of :data:`WIDTH` doubles."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes({WIDTH})")


LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _is_buffer(array: Any, index: Any) -> bool:
    return bool(
        isinstance(array, types.Array)
        and array.ndim == 1
        and array.layout == "C"
        and array.dtype == types.float64
        and isinstance(index, types.Integer)
    )


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _intrinsic(builder: Any, name: str, *args: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{WIDTH}f64")
    return builder.call(function, args)


def register(function: Callable[..., Any], arity: int) -> Callable[[Callable[..., Any]], None]:
    """Compile `function` of `arity` vectors to what the decorated ``emit(builder, *args)`` returns."""

    def decorate(emit: Callable[..., Any]) -> None:
        def typer_factory(context: Any) -> Any:
            # numba reads the names of the arguments, so one typer for each arity
            def one(a: Any) -> Any:
                return LANES if a == LANES else None

            def two(a: Any, b: Any) -> Any:
                return LANES if a == b == LANES else None

            def three(a: Any, b: Any, c: Any) -> Any:
                return LANES if a == b == c == LANES else None

            def four(a: Any, b: Any, c: Any, d: Any) -> Any:
                return LANES if a == b == c == d == LANES else None

            return (one, two, three, four)[arity - 1]

        type_callable(function)(typer_factory)

        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return emit(builder, *args)

        lower_builtin(function, *[LanesType] * arity)(lower)

    return decorate


# Memory


def load(array: Floats, index: int) -> Floats:
    """The vector at ``array[index : index + WIDTH]``; `array` is contiguous."""
    return array[index : index + WIDTH].copy()


def store(array: Floats, index: int, value: Floats) -> None:
    """Put a vector at ``array[index : index + WIDTH]``."""
    array[index : index + WIDTH] = value


def splat(value: float) -> Floats:
    """A vector with `value` in every lane."""
    return np.full(WIDTH, value)


@type_callable(load)
def _type_load(context: Any) -> Any:
    def typer(array: Any, index: Any) -> Any:
        return LANES if _is_buffer(array, index) else None

    return typer


@type_callable(store)
def _type_store(context: Any) -> Any:
    def typer(array: Any, index: Any, value: Any) -> Any:
        return types.none if _is_buffer(array, index) and value == LANES else None

    return typer


@type_callable(splat)
def _type_splat(context: Any) -> Any:
    def typer(value: Any) -> Any:
        return LANES if isinstance(value, types.Float) else None

    return typer


@lower_builtin(load, types.Array, types.Integer)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    loaded = builder.load(_pointer(context, builder, sig.args[0], *args))
    loaded.align = _ALIGN
    return loaded


@lower_builtin(store, types.Array, types.Integer, LanesType)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _pointer(context, builder, sig.args[0], *args[:2]), align=_ALIGN)
    return context.get_dummy_value()


@lower_builtin(splat, types.Float)
def _lower_splat(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    value = context.cast(builder, args[0], sig.args[0], types.float64)
    index = ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, index)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, one, mask)


# Arithmetic: the operators, and what numpy spells differently


def _operator(function: Any, arity: int, emit: Callable[..., Any]) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(LANES, *args) if len(args) == arity and all(a == LANES for a in args) else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)

    lower_builtin(function, *[LanesType] * arity)(lower)


_operator(operator.add, 2, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, 2, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, 2, lambda builder, a, b: builder.fmul(a, b))
_operator(operator.truediv, 2, lambda builder, a, b: builder.fdiv(a, b))
_operator(operator.neg, 1, lambda builder, a: builder.fneg(a))


def fma(a: Floats, b: Floats, c: Floats) -> Floats:
    """``a * b + c``, rounded once where the processor can."""
    return a * b + c


def root(a: Floats) -> Floats:
    """Square root."""
    return np.sqrt(a)


def magnitude(a: Floats) -> Floats:
    """Absolute value."""
    return np.abs(a)


def with_sign(a: Floats, b: Floats) -> Floats:
    """|a| with the sign of `b`."""
    return np.copysign(a, b)


def larger(a: Floats, b: Floats) -> Floats:
    """The larger, lane by lane (`b` where either is NaN)."""
    return np.where(a > b, a, b)


def smaller(a: Floats, b: Floats) -> Floats:
    """The smaller, lane by lane (`b` where either is NaN)."""
    return np.where(a < b, a, b)


def where_greater(a: Floats, b: Floats, yes: Floats, no: Floats) -> Floats:
    """`yes` where a > b, else `no` (also where either is NaN)."""
    return np.where(a > b, yes, no)


def any_greater(a: Floats, b: Floats) -> bool:
    """Whether a > b in any lane."""
    return bool((a > b).any())


@register(fma, 3)
def _emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return _intrinsic(builder, "fmuladd", a, b, c)


@register(root, 1)
def _emit_root(builder: Any, a: Any) -> Any:
    return _intrinsic(builder, "sqrt", a)


@register(magnitude, 1)
def _emit_magnitude(builder: Any, a: Any) -> Any:
    return _intrinsic(builder, "fabs", a)


@register(with_sign, 2)
def _emit_with_sign(builder: Any, a: Any, b: Any) -> Any:
    return _intrinsic(builder, "copysign", a, b)


@register(larger, 2)
def _emit_larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@register(smaller, 2)
def _emit_smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


@register(where_greater, 4)
def _emit_where_greater(builder: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), yes, no)


@type_callable(any_greater)
def _type_any_greater(context: Any) -> Any:
    def typer(a: Any, b: Any) -> Any:
        return types.boolean if a == b == LANES else None

    return typer


@lower_builtin(any_greater, LanesType, LanesType)
def _lower_any_greater(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    bits = builder.bitcast(builder.fcmp_ordered(">", *args), ir.IntType(WIDTH))
    return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))
