"""Names that people give to clusters, by label: how they are completed, changed, and handed on to other clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Names = tuple[tuple[int, str], ...]
"""(label, name) of the clusters that were given one."""

Labels = NDArray[np.int32]


def usual_name(label: int) -> str:
    """The name of a cluster that was given none: "cluster 1" is the largest."""
    return f"cluster {label + 1}"


def full_names(names: Names, count: int) -> tuple[str, ...]:
    """A name for each of `count` clusters."""
    given = dict(names)
    return tuple(given.get(label) or usual_name(label) for label in range(count))


def renamed(names: Names, label: int, name: str) -> Names:
    """With another name for one cluster; an empty one, or the usual, takes the given one away."""
    given = {k: v for k, v in names if k != label}
    if name and name != usual_name(label):
        given[label] = name
    return tuple(sorted(given.items()))


def carried_over(names: Names, old: Labels, new: Labels) -> Names:
    """Names for the clusters of another run on the same structures.

    A name goes to the cluster that shares more than half of the structures that lie in either; where none does it is
    dropped.
    """
    if len(old) != len(new):
        return ()
    sizes = np.bincount(new[new >= 0])
    result: dict[int, str] = {}
    for label, name in names:
        members = new[old == label]
        shared = np.bincount(members[members >= 0], minlength=1)
        best = int(np.argmax(shared))
        union = len(members) + (int(sizes[best]) if best < len(sizes) else 0) - int(shared[best])
        if shared[best] and 2 * int(shared[best]) > union:
            result.setdefault(best, name)
    return tuple(sorted(result.items()))
