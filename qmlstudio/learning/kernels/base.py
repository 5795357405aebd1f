"""What every kernel is: frozen hyper-parameters and a matrix of similarities, in blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qmlstudio.learning.rows import Rows
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import SILENT, Progress

Array = NDArray[Any]
Floats = NDArray[np.float64]

BLOCK_BYTES = 64 * 2**20
"""Memory that one block of a matrix takes at most, when whoever asks does not say."""


@dataclass(frozen=True, kw_only=True)
class Kernel(Parameterised):
    """A similarity of structures: symmetric, and positive semi-definite unless a subclass says otherwise.

    Parameters in which a scale may be None take it from the training rows: :meth:`fitted` gives the kernel with all
    scales known, and only that one has a matrix.
    """

    help: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    """One line of text (unicode), as people write it."""
    reference: ClassVar[str] = ""
    scope: ClassVar[str] = "global"
    """ "global": compares one row of each structure; "local": all rows of one with all of the other."""

    @property
    def is_fitted(self) -> bool:
        """Whether all scales are known."""
        return True

    def fitted(self, rows: Rows, seed: int = 0) -> Kernel:
        """The kernel with every automatic scale taken from (a random sample of) these rows; itself if none is open.

        Only training rows may be given: a scale that has seen the test set is a choice made on it.
        """
        return self

    def check(self, rows: Rows) -> None:
        """Raise ValueError, with the remedy, when these rows are none for this kernel (global rows for a local one)."""
        if self.scope == "local" and not rows.is_local:
            raise ValueError(f"{self.title} compares atoms: choose a representation with a row for each atom")

    @abstractmethod
    def matrix(
        self,
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        out: Array | None = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Array:
        """Similarities of all structures of `a` with all of `b`, or among those of `a`.

        Parameters
        ----------
        a, b : Rows
            Without `b` the matrix is symmetric, and half of it is computed.
        progress : Progress
            Called every ~50 ms; raises Cancelled.
        out : (n, m) float64 or float32 array, optional
            Filled and returned (a memory map, or a buffer used again).
        dtype : float64 or float32
            Of a new array, and of the arithmetic.
        threads : int, optional
            1 starts no threads (the interactive lane); None all there are.

        Returns
        -------
        (n, m) array

        Raises
        ------
        ValueError
            Rows of different widths, or none for this kernel; a scale that is not known.
        """

    @abstractmethod
    def diagonal(self, a: Rows) -> Floats:
        """(n,) the similarity of each structure with itself."""

    def memory(self, n: int, m: int | None = None, dtype: Any = np.float64) -> int:
        """Bytes of the matrix (n, m), or (n, n), without what the rows take."""
        return int(n) * int(n if m is None else m) * int(np.dtype(dtype).itemsize)

    def blocks(
        self,
        a: Rows,
        b: Rows | None = None,
        progress: Progress = SILENT,
        *,
        block_bytes: int = BLOCK_BYTES,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Iterator[tuple[int, int, Array]]:
        """The matrix by blocks of rows: (start, stop, (stop − start, m) array), in the same memory each time."""
        other = a if b is None else b
        step = max(1, int(block_bytes // max(len(other) * np.dtype(dtype).itemsize, 1)))
        buffer = np.empty((min(step, len(a)), len(other)), dtype=dtype)
        for start in range(0, len(a), step):
            stop = min(start + step, len(a))
            part = progress.part(start / max(len(a), 1), stop / max(len(a), 1))
            block = buffer[: stop - start]
            self.matrix(a.take(slice(start, stop)), other, part, out=block, threads=threads)
            yield start, stop, block
