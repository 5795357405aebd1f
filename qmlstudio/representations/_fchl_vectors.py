"""Loops of the FCHL family in explicit vectors of eight doubles.

Those over the neighbours of one atom are too short for LLVM's vectoriser, and those over pairs write more arrays than
it is willing to check for overlaps. Their instructions are emitted here, through :class:`Vector`, whose operators read
like the formulas. Arrays are contiguous, and as long as whole vectors need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import qmlstudio.representations._numba_setup  # noqa: F401  (sets numba's cache folder, so it comes first)

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba import types
from numba.core import cgutils

from qmlstudio.representations._exp import _emit_exp

LANES = 8
"""Doubles of one vector."""
BLOCK = 3 * LANES
"""Numbers of a radial table that are kept in registers at once; its rows are padded to multiples of it."""

# rows of what is known of a pair: the first five as rows of an atom's slots as well, behind X, Y and Z
SQUARE, INVERSE, WEIGHT, HALF, SLOPE, POWER, TWO, TWO_SLOPE, MU, NARROW, PAIR_ROWS = range(11)
X, Y, Z, FIRST, SLOT_ROWS = 0, 1, 2, 3, 8
ETA2, ETA3, R_CUT, A_CUT, DECAY2, DECAY3 = range(6)
"""Places in the array of settings."""

_DOUBLE, _INT = ir.DoubleType(), ir.IntType(64)
_KIND = ir.VectorType(_DOUBLE, LANES)
_WHOLE = ir.VectorType(_INT, LANES)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_FLAGS = ("contract",)


class Vector:
    """Eight doubles under construction: operators emit instructions; numbers stand for all lanes."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _other(self, other: Vector | float) -> Any:
        return other.value if isinstance(other, Vector) else ir.Constant(_KIND, [float(other)] * LANES)

    def _new(self, value: Any) -> Vector:
        return Vector(self.builder, value)

    def __add__(self, other: Vector | float) -> Vector:
        return self._new(self.builder.fadd(self.value, self._other(other), flags=_FLAGS))

    def __sub__(self, other: Vector | float) -> Vector:
        return self._new(self.builder.fsub(self.value, self._other(other), flags=_FLAGS))

    def __mul__(self, other: Vector | float) -> Vector:
        return self._new(self.builder.fmul(self.value, self._other(other), flags=_FLAGS))

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._new(self.builder.fdiv(self.value, self._other(other)))

    def __rtruediv__(self, other: float) -> Vector:
        return self._new(self.builder.fdiv(self._other(other), self.value))

    def root(self) -> Vector:
        """Square root."""
        kind = ir.FunctionType(_KIND, [_KIND])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.sqrt.v{LANES}f64")
        return self._new(self.builder.call(function, [self.value]))

    def exp(self) -> Vector:
        """e to this power."""
        return self._new(_emit_exp(self.builder, self.value))

    def log(self) -> Vector:
        """Natural logarithm of positive, normal numbers, to 1e-16 of its value or absolutely."""
        b = self.builder

        def whole(number: int) -> Any:
            return ir.Constant(_WHOLE, [number] * LANES)

        bits = b.bitcast(self.value, _WHOLE)
        mantissa = b.bitcast(b.or_(b.and_(bits, whole(0x000FFFFFFFFFFFFF)), whole(0x3FF0000000000000)), _KIND)
        large = b.fcmp_ordered(">=", mantissa, self._other(math.sqrt(2.0)))
        # a small whole number in the low bits of 2^52 is that number added to it
        exponent = b.bitcast(b.or_(b.lshr(bits, whole(52)), whole(0x4330000000000000)), _KIND)
        e = self._new(exponent) - (2.0**52 + 1023.0)
        e = self._new(b.select(large, (e + 1.0).value, e.value))
        m = self._new(mantissa)
        m = self._new(b.select(large, (m * 0.5).value, m.value))
        s = (m - 1.0) / (m + 1.0)
        t = s * s
        # ln m = 2 artanh s; the next term is below 2e-18
        p = t * (1 / 21) + 1 / 19
        for odd in range(17, 1, -2):
            p = t * p + 1 / odd
        return e * _LN2_HIGH + ((s + s) + ((s + s) * t * p + e * _LN2_LOW))

    def quarter_wave(self) -> tuple[Vector, Vector]:
        """Cosine and sine of π/2 times this, which lies between 0 and 1, to 2e-16."""
        x = self * (0.5 * math.pi)
        t = x * x
        series = []
        for first in (0, 1):
            p = self._new(self._other(1.0))
            for k in range(20 + first, first, -2):
                p = self._new(self._other(1.0)) - t * p * (1.0 / (k * (k - 1)))
            series.append(p)
        return series[0], x * series[1]

    def above(self, limit: Vector | float, yes: Vector | float, no: Vector | float) -> Vector:
        """`yes` where this is larger than `limit`, else `no`."""
        larger = self.builder.fcmp_ordered(">", self.value, self._other(limit))
        return self._new(self.builder.select(larger, self._other(yes), self._other(no)))


class Frame:
    """Arguments of an intrinsic while its instructions are emitted."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.builder, self.args = builder, args
        self._data = {
            k: context.make_array(kind)(context, builder, args[k]).data
            for k, kind in enumerate(signature.args)
            if isinstance(kind, types.Array)
        }

    def at(self, *terms: Any) -> Any:
        """Sum of indices; numbers, or pairs that are multiplied."""
        total = ir.Constant(_INT, 0)
        for term in terms:
            if isinstance(term, tuple):
                factor = term[0] if not isinstance(term[0], int) else ir.Constant(_INT, term[0])
                term = self.builder.mul(factor, term[1])
            total = self.builder.add(total, ir.Constant(_INT, term) if isinstance(term, int) else term)
        return total

    def number(self, array: int, *terms: Any) -> Any:
        """One element of an array argument."""
        return self.builder.load(self.builder.gep(self._data[array], [self.at(*terms)]))

    def put(self, value: Any, array: int, *terms: Any) -> None:
        """Set one element of an array argument."""
        self.builder.store(value, self.builder.gep(self._data[array], [self.at(*terms)]))

    def splat(self, value: Any) -> Vector:
        """A number in all lanes."""
        one = self.builder.insert_element(ir.Constant(_KIND, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return Vector(self.builder, self.builder.shuffle_vector(one, one, mask))

    def _pointer(self, array: int, terms: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(self._data[array], [self.at(*terms)]), _KIND.as_pointer())

    def load(self, array: int, *terms: Any) -> Vector:
        """The vector at an index of an array argument."""
        value = self.builder.load(self._pointer(array, terms))
        value.align = 8
        return Vector(self.builder, value)

    def store(self, value: Vector, array: int, *terms: Any) -> None:
        """Put a vector there."""
        self.builder.store(value.value, self._pointer(array, terms), align=8)

    def loop(self, start: Any, stop: Any, step: int) -> Any:
        """``for index in range(start, stop, step)`` as a context."""
        start = ir.Constant(_INT, start) if isinstance(start, int) else start
        stop = ir.Constant(_INT, stop) if isinstance(stop, int) else stop
        return cgutils.for_range_slice(self.builder, start, stop, ir.Constant(_INT, step), inc=True)

    def sum(self) -> Any:
        """A vector in memory (a register, once optimised) that starts with zero."""
        zero = ir.Constant(_KIND, [0.0] * LANES)
        place = cgutils.alloca_once_value(self.builder, zero)
        self.builder.store(zero, place)
        return place

    def add(self, place: Any, value: Vector) -> None:
        """Add to what :meth:`sum` made."""
        self.builder.store((self.value(place) + value).value, place)

    def value(self, place: Any) -> Vector:
        """What :meth:`sum` made, now."""
        return Vector(self.builder, self.builder.load(place))


def emitted(emit: Callable[[Frame], None], *kinds: Any) -> Any:
    """What an intrinsic of these argument types returns: without result, instructions from `emit`; None if unfit.

    Arrays are 1-d and contiguous, of float64 or int64; numbers are cast to int64 or float64.
    """
    found = []
    for kind in kinds:
        if isinstance(kind, types.Array):
            if kind.ndim != 1 or kind.layout != "C" or kind.dtype not in (types.float64, types.int64):
                return None
            found.append(kind)
        elif isinstance(kind, types.Boolean):
            found.append(types.boolean)
        else:
            found.append(types.int64 if isinstance(kind, types.Integer) else types.float64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit(Frame(context, builder, signature, args))
        return context.get_dummy_value()

    return types.void(*found), generate
