import numpy as np
import pytest

from qmlstudio.chem.builtin import load_builtin
from qmlstudio.chem.geometry import measure
from qmlstudio.chem.structures import Structures
from qmlstudio.representations import REGISTRY
from qmlstudio.session.series import measured, name_of, thinned


@pytest.mark.parametrize("atoms", [(0, 1), (0, 1, 2), (3, 0, 1, 2), (2, 1)])
@pytest.mark.parametrize("periodic", [False, True])
def test_every_frame_is_measured_as_one_frame_is(atoms: tuple[int, ...], periodic: bool) -> None:
    md = load_builtin("ethanol_500K").structures.take(slice(40))
    if periodic:
        cells = np.repeat(np.array([[3.0, 0, 0], [0.4, 3.1, 0], [0, 0, 2.9]])[None], 40, axis=0)
        cells[20:] *= 1.1
        md = Structures(md.numbers, md.positions, md.offsets, cells)
    values = measured(md, atoms)
    assert values.unit == ("Å" if len(atoms) == 2 else "°")
    direct = [measure(s.positions, atoms, s.cell).value for s in md]
    assert values.values == pytest.approx(np.array(direct), abs=1e-9, nan_ok=True)


def test_frames_without_the_atom_and_lines_have_no_value() -> None:
    line = [[0.0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3]]
    frames = Structures.from_lists([[1] * 4, [1] * 2, [1] * 4], [line, line[:2], np.eye(4)[:, :3]])
    assert np.isnan(measured(frames, (0, 3)).values).tolist() == [False, True, False]
    assert np.isnan(measured(frames, (0, 1, 2, 3)).values).tolist()[:2] == [True, True]
    assert measured(frames, (0, 1, 2)).values[0] == 180.0
    with pytest.raises(ValueError, match="two, three or four"):
        measured(frames, (0,))
    assert name_of(frames, (0, 1, 2)) == "∠(H1–H2–H3)"
    assert len(measured(Structures.from_lists([], []), (0, 1)).values) == 0


def test_thinning_covers_what_there_is() -> None:
    stretched = [[[0.0, 0, 0], [0, 0, 0.7 + 0.01 * i]] for i in range(60)]
    frames = Structures.from_lists([[1, 1]] * 60, stretched)
    kept = thinned(frames, REGISTRY["coulomb_matrix"](), 5)
    assert len(kept) == 5
    repulsion = 1 / (0.7 + 0.01 * np.arange(60))
    away = np.abs(repulsion[:, None] - repulsion[kept]).min(axis=1)
    # a greedy choice leaves nothing farther away than twice the best possible: five balls over the whole range
    assert away.max() <= 2 * np.ptp(repulsion) / 10
    assert (np.diff(kept) > 0).all()
    same = Structures.from_lists([[1, 1]] * 6, stretched[:1] * 6)
    assert len(thinned(same, REGISTRY["coulomb_matrix"](), 5)) == 1
