"""The text under a figure."""

from dataclasses import dataclass
from typing import ClassVar

from qmlstudio import __version__
from qmlstudio.figures import caption
from qmlstudio.figures.caption import describe
from qmlstudio.parameters import Parameterised, param


@dataclass(frozen=True, kw_only=True)
class Method(Parameterised):
    name: ClassVar[str] = "method"
    title: ClassVar[str] = "Some method"

    r_cut: float = param(5.5, label="Cutoff", unit="Å")
    n_max: int | None = param(None, label="Radial functions", none_label="as many as fit")
    order: str = param("a", label="Order", choices=(("a", "by size"), ("b", "by name")))
    seed: int = param(42, label="Seed")
    periodic: bool = param(False, label="Periodic")


def test_hyper_parameters_are_written_out() -> None:
    text = describe(Method())
    assert text.startswith("Some method (cutoff: 5.5 Å; ")
    assert "radial functions: as many as fit" in text
    assert "order: by size" in text
    assert "periodic: no" in text


def test_map_caption_lets_a_reader_make_it_again() -> None:
    text = caption(
        dataset="QM9",
        n=3921,
        representation=Method(),
        embedding=Method(seed=7),
        coloured_by="gap / Ha",
        n_missing=12,
        n_selected=100,
        reference="Ramakrishnan 2014.",
        versions={"umap": "1.0"},
    )
    for part in ("QM9 (N = 3,921)", "seed: 7", "gap / Ha; hollow: no value (12)", "100 selected", "Ramakrishnan 2014."):
        assert part in text
    assert f"QML Studio {__version__}, umap 1.0." in text


def test_structure_caption_is_short() -> None:
    text = caption(dataset="QM7", n=7101, structure="gdb_17")
    assert text.startswith("gdb_17 of QM7 (7,101 structures).")
    assert "Colour" not in text
