"""Numbers out of lines of atoms, compiled: what the readers use for long files (they know no compiler themselves)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

import qmlstudio.representations._numba_setup  # noqa: F401  (where loops are cached)

_EXACT = np.array([10.0**k for k in range(23)])
"""Powers of ten that are exact in float64."""
_LARGEST = 9_007_199_254_740_992
"""2⁵³: below, every whole number is exact in float64, and one product or quotient of exact numbers is rounded once:
the result is the float64 that is nearest to the decimal (Clinger, PLDI 1990)."""
HARD = 4096
"""Numbers of a run that may need Python's own conversion (more digits, larger exponents, nan)."""


@njit(nogil=True, cache=True)
def parse_loop(
    text: Any, species: int, numbers: Any, codes: Any, hard: Any, exact: Any
) -> tuple[int, int]:  # pragma: no cover (compiled)
    """Parse lines of equally many words, of which one is an element and all others are numbers.

    Parameters
    ----------
    text : (b,) uint8
        Lines, each ended by a line feed.
    species : int
        Which word is the element.
    numbers : (m, k) float64
        Filled.
    codes : (m,) uint64
        Filled: the element's letters, at most eight, as the bytes of a number.
    hard : (h, 4) int64
        Filled: line, column, begin and end of numbers that are left to others.

    Returns
    -------
    bad, left : int
        The first line that does not fit (−1: none), and how many numbers are left (−1: more than `hard` takes).
    """
    m, k = numbers.shape
    at, left = 0, 0
    for line in range(m):
        column = 0
        for word in range(k + 1):
            while text[at] == 32 or text[at] == 9 or text[at] == 13:
                at += 1
            begin = at
            if text[at] == 10:
                return line, left
            if word == species:
                code = np.uint64(0)
                while text[at] > 32:
                    if at - begin >= 8:
                        return line, left
                    code = (code << np.uint64(8)) | np.uint64(text[at])
                    at += 1
                codes[line] = code
                continue
            negative = text[at] == 45
            if negative or text[at] == 43:
                at += 1
            mantissa, digits, point, scale = 0, 0, False, 0
            while True:
                c = text[at]
                if 48 <= c <= 57:
                    if digits < 17:
                        mantissa = 10 * mantissa + (c - 48)
                        if mantissa:
                            digits += 1
                    else:
                        digits += 1
                    if point:
                        scale -= 1
                elif c == 46 and not point:
                    point = True
                else:
                    break
                at += 1
            seen = at - begin - (1 if point else 0) - (1 if negative or text[begin] == 43 else 0)
            plain = seen > 0
            if plain and (text[at] == 101 or text[at] == 69):
                at += 1
                minus = text[at] == 45
                if minus or text[at] == 43:
                    at += 1
                power, count = 0, 0
                while 48 <= text[at] <= 57:
                    if count < 6:
                        power = 10 * power + (text[at] - 48)
                    count += 1
                    at += 1
                plain = 0 < count < 6
                scale += -power if minus else power
            if plain and text[at] <= 32 and digits <= 16 and mantissa <= _LARGEST and -22 <= scale <= 22:
                value = float(mantissa)
                value = value / exact[-scale] if scale < 0 else value * exact[scale]
                numbers[line, column] = -value if negative else value
            else:
                while text[at] > 32:
                    at += 1
                if left >= len(hard):
                    return -1, -1
                hard[left, 0], hard[left, 1], hard[left, 2], hard[left, 3] = line, column, begin, at
                left += 1
            column += 1
        while text[at] == 32 or text[at] == 9 or text[at] == 13:
            at += 1
        if text[at] != 10:
            return line, left
        at += 1
    return -1, left


def parse_lines(lines: list[str], width: int, species: int) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """The words of lines of atoms.

    Returns
    -------
    elements : list of str
        Different words that name elements.
    which : (m,) int64
        The element of each line.
    numbers : (m, width − 1) float64
        Each the nearest to its decimal.

    Raises
    ------
    ValueError
        Lines of another number of words, or words that are no numbers.
    """
    m = len(lines)
    text = ("\n".join(lines) + "\n").encode("ascii", errors="replace")
    numbers = np.empty((m, width - 1))
    codes = np.empty(m, dtype=np.uint64)
    hard = np.empty((HARD, 4), dtype=np.int64)
    bad, left = parse_loop(np.frombuffer(text, dtype=np.uint8), species, numbers, codes, hard, _EXACT)
    if bad >= 0:
        raise ValueError("ragged lines")
    if left < 0:
        raise ValueError("too many unusual numbers")
    for line, column, begin, end in hard[:left].tolist():
        word = text[begin:end].decode("ascii")
        if "_" in word:  # 1_000 is a number for Python only
            raise ValueError("not a number")
        numbers[line, column] = float(word)
    different, inverse = np.unique(codes, return_inverse=True)
    names = [int(c).to_bytes(8, "big").lstrip(b"\0").decode("ascii") for c in different]
    return names, inverse, numbers
