"""Parts of atoms, differences, rows: on a representation whose values can be told by hand."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from qmlstudio.chem.structures import Species, Structure, Structures
from qmlstudio.parameters import param
from qmlstudio.progress import SILENT, Progress
from qmlstudio.representations.base import Contribution, Features, Layout, Panel, Representation
from qmlstudio.session.description import (
    MOST_CENTRES,
    centre_of,
    contributions_of,
    counterpart,
    describe,
    largest,
    lit_atoms,
    part_of,
)


@dataclass(frozen=True, kw_only=True)
class Sums(Representation):
    """Σ Z_i, Σ Z_i Z_j and Σ Z_i Z_j Z_k, or of each atom those in which it takes part."""

    name: ClassVar[str] = "sums"
    title: ClassVar[str] = "Sums"
    average: str = param("sum", label="Rows", choices=("sum", "off"))
    kind: str = param("panels", label="Kind", choices=("panels", "spectrum"))

    @property
    def local(self) -> bool:
        return self.average == "off"

    def size(self, species: Species) -> int:
        return 3

    def labels(self, species: Species) -> list[str]:
        return ["one", "two", "three"]

    def compute(
        self,
        structures: Structures,
        progress: Progress = SILENT,
        *,
        species: Species | None = None,
        out: Any = None,
        dtype: Any = np.float64,
        threads: int | None = None,
    ) -> Features:
        rows = []
        for structure in structures:
            z = structure.numbers.astype(float)
            if 9 in z:
                raise ValueError("fluorine is not known")
            one, two = z, z * (z.sum() - z)
            pairs = 0.5 * (z.sum() ** 2 - (z**2).sum())
            three = z * (pairs - z * (z.sum() - z))
            local = np.stack([one, two, three], axis=1)
            rows.append(local if self.local else (local / [1, 2, 3]).sum(axis=0)[None])
        offsets = structures.offsets if self.local else None
        return Features(np.concatenate(rows), self, species or structures.species, offsets)

    def layout(self, structure: Structure, species: Species) -> Layout:
        if self.kind == "spectrum":
            return Layout("spectrum", (3,))
        return Layout("panels", (3,), panels=(Panel("sums", 0, 3),))

    def contributions(
        self, structure: Structure, species: Species, column: int, centre: int | None = None
    ) -> list[Contribution]:
        return [Contribution((k,), float(z)) for k, z in enumerate(structure.numbers) if centre in (None, k)]


def molecule(*numbers: int) -> Structure:
    rng = np.random.default_rng(0)
    return Structure(np.array(numbers, dtype=np.uint8), rng.normal(size=(len(numbers), 3)))


METHANOL = molecule(1, 6, 8, 1, 1, 1)
SPECIES = Structures.from_lists([METHANOL.numbers], [METHANOL.positions]).species


def test_parts_are_what_the_atoms_make_together() -> None:
    z = METHANOL.numbers.astype(float)
    total = z.sum()
    one = part_of(Sums(), METHANOL, SPECIES, [2])
    assert one is not None
    assert one[:2] == pytest.approx([8, 8 * (total - 8)])
    two = part_of(Sums(), METHANOL, SPECIES, [1, 2])
    assert two is not None
    # no atom alone is a pair's part; of triples those with both
    assert two == pytest.approx([0, 48, 48 * (total - 14)])
    three = part_of(Sums(), METHANOL, SPECIES, [0, 1, 2])
    assert three == pytest.approx([0, 0, 48])
    assert part_of(Sums(), METHANOL, SPECIES, [0, 1, 2, 3]) == pytest.approx([0, 0, 0])
    # of many, all that is lost without them
    all_ = part_of(Sums(), METHANOL, SPECIES, range(6))
    assert all_ == pytest.approx(describe(Sums(), METHANOL, SPECIES).row)
    assert part_of(Sums(), METHANOL, SPECIES, []) is None
    assert part_of(Sums(), METHANOL, SPECIES, [99]) is None
    lone = molecule(6)
    assert part_of(Sums(), lone, SPECIES, [0]) == pytest.approx([6, 0, 0])


def test_part_in_an_atoms_row() -> None:
    local = Sums(average="off")
    part = part_of(local, METHANOL, SPECIES, [0, 2], row=2)
    # the centre counts by itself: what is left is hydrogen's part in the oxygen's row
    assert part is not None
    assert part[:2] == pytest.approx([0, 8])
    assert part_of(local, METHANOL, SPECIES, [2], row=2) is None
    mean = part_of(local, METHANOL, SPECIES, [2], row="mean")
    assert mean is not None
    assert mean[0] == pytest.approx(8 / 6)
    # atoms before the centre are taken away: its row moves up
    assert part_of(local, METHANOL, SPECIES, [0, 1], row=3) is not None


def test_what_does_not_exist_without_the_atoms_has_no_part() -> None:
    odd = molecule(9, 1)
    assert part_of(Sums(), odd, SPECIES, [1]) is None
    with pytest.raises(ValueError, match="fluorine"):
        describe(Sums(), odd, SPECIES)


def test_rows_of_local_features() -> None:
    local = Sums(average="off")
    assert describe(local, METHANOL, SPECIES).centre == 1
    assert describe(local, METHANOL, SPECIES, row=2).row[0] == 8
    mean = describe(local, METHANOL, SPECIES, row="mean")
    assert mean.centre is None
    assert mean.row[0] == pytest.approx(METHANOL.numbers.mean())
    # an atom that this frame does not have
    assert describe(local, METHANOL, SPECIES, row=17).centre == 1
    assert describe(Sums(), METHANOL, SPECIES, row=2).centre is None
    assert centre_of(molecule(1, 1), "heavy") == 0


def test_difference_is_to_the_like_atom() -> None:
    ethanol = molecule(6, 6, 8, 1, 1, 1, 1, 1, 1)
    assert counterpart(METHANOL, 2, ethanol) == 2
    assert counterpart(METHANOL, 1, ethanol) == 1
    assert counterpart(METHANOL, 0, ethanol) == 3
    assert counterpart(METHANOL, 2, molecule(1, 1)) == "heavy"
    assert counterpart(METHANOL, "mean", ethanol) == "mean"
    described = describe(Sums(), METHANOL, SPECIES, other=ethanol)
    assert described.reference is not None
    assert described.reference[0] == 26


def test_part_comes_along_where_panels_are_drawn() -> None:
    assert describe(Sums(), METHANOL, SPECIES, atoms=(2,)).part is not None
    assert describe(Sums(kind="spectrum"), METHANOL, SPECIES, atoms=(2,)).part is None


def test_labels_are_made_when_asked_for() -> None:
    labels = describe(Sums(), METHANOL, SPECIES).labels
    assert len(labels) == 3
    assert labels[1] == "two"
    assert labels[:2] == ["one", "two"]


def test_contributions_of_a_mean_are_those_of_all_rows() -> None:
    local = Sums(average="off")
    assert contributions_of(local, METHANOL, SPECIES, 0, 2) == [Contribution((2,), 8.0)]
    mean = contributions_of(local, METHANOL, SPECIES, 0, None)
    assert [c.atoms for c in mean][:2] == [(2,), (1,)]
    assert sum(c.value for c in mean) == pytest.approx(METHANOL.numbers.mean())
    assert len(METHANOL) < MOST_CENTRES


def test_largest_parts_are_said_with_their_shares() -> None:
    parts = [Contribution((0, 1), 6.2), Contribution((0, 2), 3.75), Contribution((3,), 0.05)]
    names = ("O1", "H2", "H3")
    assert largest(parts, names) == "O1–H2 62 %, O1–H3 38 %, 4 0.5 %"
    assert largest(parts, names, count=1) == "O1–H2 62 %, + 2"
    assert largest([], names) == ""
    # signs that cancel: shares of what there is altogether
    assert largest([Contribution((0,), 1.0), Contribution((1,), -1.0)], names) == "O1 50 %, H2 −50 %"


def test_atoms_that_light_up_are_those_of_the_large_parts() -> None:
    parts = [Contribution((0, 1), 6.0), Contribution((0, 2), 3.5), Contribution((5, 6), 0.5)]
    assert lit_atoms(parts) == (0, 1, 2)
    assert lit_atoms([]) == ()
    assert len(lit_atoms([Contribution(tuple(range(40)), 1.0)])) == 12
