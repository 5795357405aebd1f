"""Which atoms make up one column of SOAP, in plain numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.representations._neighbors import lattice_images
from qmlstudio.representations._soap_basis import TERMS, table
from qmlstudio.representations._soap_setup import recurrence
from qmlstudio.representations.base import Contribution

if TYPE_CHECKING:
    from qmlstudio.representations.soap import SOAP

_SMALLEST = 1e-6


def solid_harmonics(l: int, vectors: Any) -> Any:
    """(2 l + 1, …) r^l Y_lm of `vectors` (…, 3), the order of m being of no account."""
    size = l + 1
    constants = recurrence(l)
    x, y, z = np.moveaxis(vectors, -1, 0)
    square = x * x + y * y + z * z
    even, odd = np.ones_like(x), np.zeros_like(x)
    found = []
    for m in range(size):
        before, here = np.zeros_like(x), np.full_like(x, constants[m * size + m])
        for k in range(m + 1, size):
            a, b = constants[m * size + k], constants[k * size + m]
            before, here = here, a * z * here - b * square * before
        found.append(here * even)
        if m > 0:
            found.append(here * odd)
        even, odd = x * even - y * odd, x * odd + y * even
    return np.array(found)


def radial_functions(soap: SOAP, l: int, chosen: list[int], square: Any) -> Any:
    """(k, functions) G_nl of the chosen n at squared distances (k,), from the table of the loops."""
    functions = table(soap.rbf, soap.cutoff, soap.n_max, soap.l_max, soap.sigma)
    coefficients = functions.coefficients.reshape(-1, soap.l_max + 1, TERMS, functions.padded)[:, l, :, chosen]
    scaled = square * functions.inverse_step**2
    interval = np.sqrt(scaled).astype(int)
    width = 2.0 * interval + 1.0
    u = (2.0 * scaled - 0.5 * (width * width + 1.0)) / width
    # numpy puts the chosen axis first
    return np.einsum("fkt,kt->kf", coefficients[:, interval], np.vander(u, TERMS, increasing=True))


def place(soap: SOAP, species: Species, column: int) -> tuple[int, int, int, int, int] | None:
    """Both elements (0: all), l, n and n' of a column, counted from 0; None where there is none such."""
    for block in soap.blocks(species):
        if block.start <= column < block.stop:
            n = soap.n_max
            count = (block.stop - block.start) // (soap.l_max + 1)
            l, rest = divmod(column - block.start, count)
            if not block.is_symmetric:
                return block.first, block.second, l, *divmod(rest, n)
            rows, others = np.triu_indices(n)
            return block.first, block.second, l, int(rows[rest]), int(others[rest])
    return None


def parts(soap: SOAP, structure: Structure, species: Species, column: int, centre: int | None) -> list[Contribution]:
    """See :meth:`SOAP.contributions`."""
    found = place(soap, species, column)
    count = len(structure)
    if found is None or count == 0:
        return []
    first, second, l, n, k = found
    if soap.average == "off" or (soap.average == "outer" and centre is not None):
        centres = [centre or 0]
    else:
        centres = list(range(count))
    positions, numbers = np.asarray(structure.positions), np.asarray(structure.numbers)
    one = Structures.from_lists([numbers], [positions], [structure.cell])
    shifts = lattice_images(one, soap.reach).shifts
    vectors = positions[None, :, None] + shifts - positions[centres][:, None, None]
    square = (vectors**2).sum(axis=-1)
    # the atom itself, not one of its images
    own = np.zeros(square.shape, dtype=bool)
    own[np.arange(len(centres)), centres, 0] = True
    near = np.flatnonzero(square.ravel() < soap.reach**2)
    weights = soap.weight(np.sqrt(np.where(own, 1.0, square)))
    weights[own] = soap.centre_weight
    weights = weights.ravel()[near]
    values = radial_functions(soap, l, [n, k], square.ravel()[near])
    angular = solid_harmonics(l, vectors.reshape(-1, 3)[near]) * weights
    # per centre and neighbour, images summed: (2 l + 1, centres, atoms)
    coefficients = np.zeros((2, 2 * l + 1, square.size))
    coefficients[0][:, near], coefficients[1][:, near] = angular * values[:, 0], angular * values[:, 1]
    coefficients = coefficients.reshape(2, 2 * l + 1, len(centres), count, len(shifts)).sum(axis=-1)
    left = np.where((numbers == first) | (first == 0), coefficients[0], 0.0)
    right = np.where((numbers == second) | (second == 0), coefficients[1], 0.0)
    if soap.average == "inner":
        products = np.einsum("mi,mj->ij", left.mean(axis=1), right.mean(axis=1))
    else:
        products = np.einsum("mci,mcj->ij", left, right) / (count if soap.average == "outer" else 1)
    # (i, j) and (j, i) are the same two atoms
    products = np.triu(products) + np.tril(products, -1).T
    middle = centres[0] if len(centres) == 1 and soap.average != "inner" else None
    if middle is not None:
        # with the centre itself, or twice the same neighbour: in both the atoms are the neighbour and the centre
        paired = products[:, middle] + products[middle]
        paired[middle] = 0.0
        products[np.diag_indices(count)] += paired
        kept = products[middle, middle]
        products[:, middle] = products[middle] = 0.0
        products[middle, middle] = kept
    size = np.abs(products)
    rows, others = np.nonzero(size > _SMALLEST * size.max())
    order = np.argsort(-size[rows, others], kind="stable")
    return [
        Contribution(_named(int(i), int(j), middle), float(products[i, j]))
        for i, j in zip(rows[order], others[order], strict=True)
    ]


def _named(i: int, j: int, centre: int | None) -> tuple[int, ...]:
    """The atoms in order, each once; a centre stands first of two and in the middle of three."""
    if centre is None:
        return (i,) if i == j else (i, j)
    around = [atom for atom in dict.fromkeys((i, j)) if atom != centre]
    return (around[0], centre, around[1]) if len(around) == 2 else (centre, *around)
