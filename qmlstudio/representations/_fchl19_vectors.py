"""What FCHL19 computes in explicit vectors: numbers and tables of pairs, weights of triples, contractions."""

from __future__ import annotations

import math
from typing import Any

from qmlstudio.representations._fchl_vectors import (
    A_CUT,
    BLOCK,
    DECAY2,
    DECAY3,
    ETA2,
    FIRST,
    HALF,
    INVERSE,
    LANES,
    MU,
    NARROW,
    POWER,
    R_CUT,
    SLOPE,
    SQUARE,
    TWO,
    TWO_SLOPE,
    WEIGHT,
    Frame,
    Vector,
    X,
    Y,
    Z,
    emitted,
)

# isort: split
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]
from numba.core import cgutils
from numba.extending import intrinsic

PARTS = BLOCK // LANES


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def pair_numbers(typing_context: Any, pair: Any, width: Any, count: Any, settings: Any) -> Any:
    """From the squared distances in row SQUARE of `pair` all its other rows, for `count` pairs rounded up to vectors.

    WEIGHT is f(r) r^(−n₃−1) with the cutoff of the triples, SLOPE its derivative with respect to r², HALF half the
    distance from the middle of the cutoff's range, POWER r^(−n₃), TWO the factor before a log-normal and TWO_SLOPE what
    the cutoff's slope makes of it, MU and NARROW mean and −1 / 2σ² of the log-normal.
    """

    def emit(frame: Frame) -> None:
        _, width, count, _ = frame.args
        eta2, r_cut, a_cut, decay2, decay3 = (
            frame.splat(frame.number(3, k)) for k in (ETA2, R_CUT, A_CUT, DECAY2, DECAY3)
        )

        def put(value: Vector, row: int, t: Any) -> None:
            frame.store(value, 0, (row, width), t)

        with frame.loop(0, count, LANES) as (t, _):
            square = frame.load(0, t)
            distance = square.root()
            log_r = square.log() * 0.5
            inverse = 1.0 / square
            power = (decay3 * log_r * -1.0).exp()
            ratio = (distance / a_cut).above(1.0, 1.0, distance / a_cut)
            c, s = ratio.quarter_wave()
            # exactly nothing beyond the cutoff
            c = ratio.above(math.nextafter(1.0, 0.0), 0.0, c)
            put(inverse, INVERSE, t)
            put(power, POWER, t)
            put(distance * 0.5 - a_cut * 0.25, HALF, t)
            put(c * c * power / distance, WEIGHT, t)
            steep = c * s * math.pi / a_cut + (decay3 + 1.0) * c * c / distance
            put(steep * power * inverse * -0.5, SLOPE, t)
            x = eta2 * inverse
            w = x + 1.0
            # ln(1 + x), with what 1 + x rounded away
            variance = w.log() + (x - (w - 1.0)) / w
            ratio = (distance / r_cut).above(1.0, 1.0, distance / r_cut)
            c, s = ratio.quarter_wave()
            c = ratio.above(math.nextafter(1.0, 0.0), 0.0, c)
            scale = (decay2 * log_r * -1.0).exp() / (variance * (2.0 * math.pi)).root()
            put(c * c * scale, TWO, t)
            put(c * s * scale * -math.pi / r_cut, TWO_SLOPE, t)
            put(log_r - variance * 0.5, MU, t)
            put(-0.5 / variance, NARROW, t)

    return emitted(emit, pair, width, count, settings)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def log_normals(typing_context: Any, pair: Any, width: Any, count: Any, grid: Any, size: Any, table: Any) -> Any:
    """1/R exp(−(ln R − μ)² / 2σ²) of every pair; `grid` has ln R and then 1/R, `size` of each."""

    def emit(frame: Frame) -> None:
        _, width, count, _, size, _ = frame.args
        with frame.loop(0, count, 1) as (t, _):
            mu, narrow = (frame.splat(frame.number(0, (row, width), t)) for row in (MU, NARROW))
            with frame.loop(0, size, LANES) as (k, _):
                x = frame.load(3, k) - mu
                frame.store((narrow * x * x).exp() * frame.load(3, size, k), 5, (t, size), k)

    return emitted(emit, pair, width, count, grid, size, table)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def radial_factors(
    typing_context: Any, pair: Any, width: Any, count: Any, grid: Any, size: Any, eta: Any, table: Any
) -> Any:
    """exp(−η a² + 2 η a ρ − ½ η ρ²) of every pair, on an even grid.

    `grid` has ρ, then −½ η ρ² and then, from the second vector on, the factor exp(−½ η (ρ² − ρ′²)) between it and the
    ρ′ eight places before; `size` of each. Only the first vector needs an exponential of its own.
    """

    def emit(frame: Frame) -> None:
        _, width, count, _, size, eta, _ = frame.args
        eta = frame.splat(eta)
        step = frame.splat(frame.builder.fsub(frame.number(3, 1), frame.number(3, 0))) * float(LANES)
        with frame.loop(0, count, 1) as (t, _):
            half = frame.splat(frame.number(0, (HALF, width), t))
            level, steep = eta * half * half * -1.0, eta * half * 2.0
            row = (level + steep * frame.load(3, 0) + frame.load(3, size)).exp()
            frame.store(row, 6, (t, size))
            last = frame.sum()
            frame.builder.store(row.value, last)
            ratio = (steep * step).exp()
            with frame.loop(LANES, size, LANES) as (k, _):
                row = frame.value(last) * ratio * frame.load(3, (2, size), k)
                frame.builder.store(row.value, last)
                frame.store(row, 6, (t, size), k)

    return emitted(emit, pair, width, count, grid, size, eta, table)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def add_scaled(typing_context: Any, out: Any, at: Any, table: Any, row: Any, count: Any, scale: Any) -> Any:
    """``out[at + k] += scale * table[row + k]`` for `count` numbers."""

    def emit(frame: Frame) -> None:
        builder = frame.builder
        _, at, _, row, count, scale = frame.args
        factor = frame.splat(scale)
        whole = builder.and_(count, ir.Constant(ir.IntType(64), -LANES))
        with frame.loop(0, whole, LANES) as (k, _):
            frame.store(frame.load(0, at, k) + factor * frame.load(2, row, k), 0, at, k)
        with frame.loop(whole, count, 1) as (k, _):
            value = builder.fmul(scale, frame.number(2, row, k))
            frame.put(builder.fadd(frame.number(0, at, k), value), 0, at, k)

    return emitted(emit, out, at, table, row, count, scale)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def distance_row(
    typing_context: Any, slots: Any, stride: Any, j: Any, first: Any, last: Any, decay: Any, out: Any
) -> Any:
    """r^(−decay) and r^(−2) of the distances between slot j and the slots ``first:last``; 0 for itself."""

    def emit(frame: Frame) -> None:
        _, stride, j, first, last, decay, _ = frame.args
        decay = frame.splat(decay)
        own = [frame.splat(frame.number(0, (row, stride), j)) for row in (X, Y, Z)]
        with frame.loop(first, last, LANES) as (l, _):
            dx, dy, dz = (frame.load(0, (row, stride), l) - own[row] for row in (X, Y, Z))
            square = dx * dx + dy * dy + dz * dz
            frame.store(square.above(0.0, (square.log() * decay * -0.5).exp(), 0.0), 6, l)
            frame.store(square.above(0.0, 1.0 / square, 0.0), 6, stride, l)

    return emitted(emit, slots, stride, j, first, last, decay, out)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def triple_weights(
    typing_context: Any,
    slots: Any,
    stride: Any,
    j: Any,
    first: Any,
    last: Any,
    pairs: Any,
    power_at: Any,
    inverse_at: Any,
    eta: Any,
    weights: Any,
    at: Any,
    plane: Any,
    several: Any,
) -> Any:
    """What stands before the radial tables for the triples (j, centre, l), for the slots l in ``first:last``.

    ``pairs[power_at + l]`` is the power of the distance between j and l, ``pairs[inverse_at + l]`` its inverse square.
    Into ``weights[at + l]`` goes the weight times cos θ, `plane` behind it that times sin θ, and as far behind that one
    the number 2 cos 2θ, if there are `several` harmonics.
    """

    def emit(frame: Frame) -> None:
        _, stride, j, first, last, _, power_at, inverse_at, eta, _, at, plane, several = frame.args
        xj, yj, zj = (frame.splat(frame.number(0, (row, stride), j)) for row in (X, Y, Z))
        square_j, inverse_j, weight_j, half_j = (
            frame.splat(frame.number(0, (FIRST + row, stride), j)) for row in (SQUARE, INVERSE, WEIGHT, HALF)
        )
        steep = half_j * frame.splat(eta) * -2.0
        with frame.loop(first, last, LANES) as (l, _):
            x, y, z = (frame.load(0, (row, stride), l) for row in (X, Y, Z))
            square, inverse, weight, half = (
                frame.load(0, (FIRST + row, stride), l) for row in (SQUARE, INVERSE, WEIGHT, HALF)
            )
            dot = xj * x + yj * y + zj * z
            cx, cy, cz = yj * z - zj * y, zj * x - xj * z, xj * y - yj * x
            area = cx * cx + cy * cy + cz * cz
            both = inverse_j * inverse
            cosines = dot * (square_j - dot) * (square - dot) * (both * frame.load(5, inverse_at, l))
            common = (cosines * 3.0 + 1.0) * frame.load(5, power_at, l) * (weight_j * weight) * (steep * half).exp()
            frame.store(common * dot, 9, at, l)
            frame.store(common * area.root(), 9, at, plane, l)
            with frame.builder.if_then(cgutils.as_bool_bit(frame.builder, several)):
                frame.store(dot * dot * both * 4.0 - 2.0, 9, at, (2, plane), l)

    return emitted(emit, slots, stride, j, first, last, pairs, power_at, inverse_at, eta, weights, at, plane, several)


def _contraction(frame: Frame, first: Any, second: Any, start: Any, stop: Any, shift: Any) -> list[Vector]:
    """Σ_l w_l table_l of two rows of weights (argument 0) with the table (5), whose rows begin at (6) + shift."""
    sums = [frame.sum() for _ in range(2 * PARTS)]
    with frame.loop(start, stop, 1) as (l, _):
        row = frame.number(6, l)
        values = [frame.load(5, row, shift, LANES * k) for k in range(PARTS)]
        for side, at in enumerate((first, second)):
            factor = frame.splat(frame.number(0, at, l))
            for k in range(PARTS):
                frame.add(sums[side * PARTS + k], factor * values[k])
    return [frame.value(place) for place in sums]


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def contract(
    typing_context: Any,
    weights: Any,
    first: Any,
    second: Any,
    start: Any,
    stop: Any,
    table: Any,
    rows: Any,
    shift: Any,
    out: Any,
    at: Any,
) -> Any:
    """Σ_l w_l table_l for two rows of weights, l in ``start:stop``, BLOCK numbers of each, into ``out[at:]``."""

    def emit(frame: Frame) -> None:
        _, first, second, start, stop, _, _, shift, _, at = frame.args
        for k, total in enumerate(_contraction(frame, first, second, start, stop, shift)):
            frame.store(total, 8, at, LANES * k)

    return emitted(emit, weights, first, second, start, stop, table, rows, shift, out, at)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def add_contracted(
    typing_context: Any,
    weights: Any,
    first: Any,
    second: Any,
    start: Any,
    stop: Any,
    table: Any,
    rows: Any,
    shift: Any,
    own: Any,
    out: Any,
    at: Any,
    second_at: Any,
) -> Any:
    """As :func:`contract`, times row `own` of the table, added to ``out[at:]`` and ``out[second_at:]``."""

    def emit(frame: Frame) -> None:
        _, first, second, start, stop, _, _, shift, own, _, at, second_at = frame.args
        totals = _contraction(frame, first, second, start, stop, shift)
        row = frame.number(6, own)
        for k in range(PARTS):
            factor = frame.load(5, row, shift, LANES * k)
            for where, total in ((at, totals[k]), (second_at, totals[PARTS + k])):
                frame.store(frame.load(9, where, LANES * k) + factor * total, 9, where, LANES * k)

    return emitted(emit, weights, first, second, start, stop, table, rows, shift, own, out, at, second_at)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def add_pairs(
    typing_context: Any,
    weights: Any,
    first: Any,
    second: Any,
    stride: Any,
    left: Any,
    table: Any,
    rows: Any,
    right: Any,
    start: Any,
    stop: Any,
    shift: Any,
    out: Any,
    at: Any,
    second_at: Any,
) -> Any:
    """Σ w_jl table_j table_l over the pairs of slots ``start:stop`` of a list, BLOCK numbers.

    Pair t is (``left[t]``, ``right[t]``); its two weights stand at ``first`` and ``second`` + j stride + l, and what
    they make is added to ``out[at:]`` and ``out[second_at:]``.
    """

    def emit(frame: Frame) -> None:
        _, first, second, stride, _, _, _, _, start, stop, shift, _, at, second_at = frame.args
        sums = [frame.sum() for _ in range(2 * PARTS)]
        with frame.loop(start, stop, 1) as (t, _):
            j, l = frame.number(4, t), frame.number(7, t)
            own, other = frame.number(6, j), frame.number(6, l)
            products = [
                frame.load(5, own, shift, LANES * k) * frame.load(5, other, shift, LANES * k) for k in range(PARTS)
            ]
            for side, where in enumerate((first, second)):
                factor = frame.splat(frame.number(0, where, (stride, j), l))
                for k in range(PARTS):
                    frame.add(sums[side * PARTS + k], factor * products[k])
        for k in range(PARTS):
            for where, place in ((at, sums[k]), (second_at, sums[PARTS + k])):
                frame.store(frame.load(11, where, LANES * k) + frame.value(place), 11, where, LANES * k)

    return emitted(
        emit, weights, first, second, stride, left, table, rows, right, start, stop, shift, out, at, second_at
    )


def _interleave(frame: Frame, add: bool) -> None:
    """Instructions of :func:`interleave` and :func:`add_interleaved`."""
    builder = frame.builder
    _, at, second, count, scale, _, to = frame.args
    factor = frame.splat(scale)
    whole = builder.and_(count, ir.Constant(ir.IntType(64), -LANES))
    lanes = ir.VectorType(ir.IntType(32), LANES)
    with frame.loop(0, whole, LANES) as (k, _):
        a, b = (frame.load(0, place, k) * factor for place in (at, second))
        for side in range(2):
            begin = side * LANES // 2
            mask = ir.Constant(lanes, [begin + n // 2 + (n % 2) * LANES for n in range(LANES)])
            mixed = Vector(builder, builder.shuffle_vector(a.value, b.value, mask))
            place = (5, to, (2, k), side * LANES)
            frame.store(frame.load(*place) + mixed if add else mixed, *place)
    with frame.loop(whole, count, 1) as (k, _):
        for side, source in enumerate((at, second)):
            value = builder.fmul(frame.number(0, source, k), scale)
            if add:
                value = builder.fadd(frame.number(5, to, (2, k), side), value)
            frame.put(value, 5, to, (2, k), side)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def interleave(typing_context: Any, first: Any, at: Any, second: Any, count: Any, scale: Any, out: Any, to: Any) -> Any:
    """`count` numbers of ``first[at:]`` and ``first[second:]`` in turn, times `scale`, into ``out[to:]``."""
    return emitted(lambda frame: _interleave(frame, False), first, at, second, count, scale, out, to)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def add_interleaved(
    typing_context: Any, first: Any, at: Any, second: Any, count: Any, scale: Any, out: Any, to: Any
) -> Any:
    """As :func:`interleave`, added to what is there."""
    return emitted(lambda frame: _interleave(frame, True), first, at, second, count, scale, out, to)
