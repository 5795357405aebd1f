"""xyz files: plain, multi-frame, extended (``Lattice``, ``Properties``, ``key=value``) and QM9's original layout.

Extended xyz as https://github.com/libAtoms/extxyz describes it. Energies there are in eV and forces in eV/Å: that is
the format's convention, not written in the file.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.dataset import Dataset, Source
from qmlstudio.chem.readers import columns
from qmlstudio.chem.readers.frames import Collector, Frame, FrameError, layout_of_properties, plain_layout
from qmlstudio.chem.readers.options import DEFAULT, ReadOptions
from qmlstudio.chem.readers.streams import ByteStream, line_blocks
from qmlstudio.progress import SILENT, Progress

QM9_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("A", "GHz", "largest rotational constant"),
    ("B", "GHz", "middle rotational constant"),
    ("C", "GHz", "smallest rotational constant"),
    ("mu", "D", "norm of the dipole moment"),
    ("alpha", "a₀³", "isotropic polarizability"),
    ("homo", "Ha", "energy of the highest occupied molecular orbital"),
    ("lumo", "Ha", "energy of the lowest unoccupied molecular orbital"),
    ("gap", "Ha", "HOMO-LUMO gap"),
    ("r2", "a₀²", "electronic spatial extent ⟨R²⟩"),
    ("zpve", "Ha", "zero-point vibrational energy"),
    ("U0", "Ha", "internal energy at 0 K, zero-point energy included"),
    ("U", "Ha", "internal energy at 298.15 K"),
    ("H", "Ha", "enthalpy at 298.15 K"),
    ("G", "Ha", "Gibbs free energy at 298.15 K"),
    ("Cv", "cal/(mol K)", "heat capacity at constant volume at 298.15 K"),
)
"""Name, unit and meaning of the 15 numbers in the comment of a QM9 file (doi:10.1038/sdata.2014.22, table 3)."""

_QM9 = {
    **{name: (unit, f"{text}, B3LYP/6-31G(2df,p)") for name, unit, text in QM9_COLUMNS},
    "charge": ("e", "Mulliken charge, B3LYP/6-31G(2df,p)"),
    "smiles": ("", "SMILES of the molecule in GDB-17 from which the geometry was made"),
    "smiles_relaxed": ("", "SMILES of the relaxed geometry"),
    "inchi": ("", "InChI of the molecule in GDB-17 from which the geometry was made"),
    "frequency_lowest": ("cm⁻¹", "lowest harmonic frequency, B3LYP/6-31G(2df,p)"),
    "frequency_highest": ("cm⁻¹", "highest harmonic frequency, B3LYP/6-31G(2df,p)"),
}

_QM9_NUMBERS = frozenset(("frequency_lowest", "frequency_highest", *(name for name, _, _ in QM9_COLUMNS)))

# a key is a bare or quoted word at the start of a word: nothing here can take more than linear time
_PAIR = re.compile(
    r'(?<!\S)("(?:[^"\\]|\\.)*"|[^\s="\']+)(?:\s*=\s*)("(?:[^"\\]|\\.)*"|\'[^\']*\'|\{[^{}]*\}|\[[^\[\]]*\]|[^\s,;]+)'
)
_LONGEST_COMMENT = 1 << 20
_PROPERTIES = " Properties="
_CONVENTION = "as extended xyz has it"


def convention(name: str, target: str, dialect: str) -> tuple[str, str, str]:
    """Name, unit and description of a column of an xyz file: eV and eV/Å where the format says so."""
    if dialect == "QM9" and name in _QM9:
        return name, *_QM9[name]
    low, extended = name.lower(), dialect == "extended"
    if target == "atom":
        if low in {"force", "forces"}:
            return "forces", "eV/Å" if extended else "", f"force, {_CONVENTION}" if extended else ""
        if extended and low.endswith(("_force", "_forces")):
            return name, "eV/Å", f"force, {_CONVENTION}"
        return name, "", ""
    if extended and (low == "energy" or low.endswith(("_energy", "energy_per_atom"))):
        return name, "eV", f"energy, {_CONVENTION}"
    if extended and low in {"virial", "virials"}:
        return name, "eV", f"virial, {_CONVENTION}"
    if extended and low == "stress":
        return name, "eV/Å³", f"stress, {_CONVENTION}"
    return name, "", ""


def parse_comment(comment: str) -> dict[str, str]:
    """The ``key=value`` pairs of a comment line; a comment without any is the value of "comment"."""
    if "=" not in comment or len(comment) > _LONGEST_COMMENT:
        text = comment.strip()
        return {"comment": text[:1000]} if text else {}
    # lattice and columns come first, and are the same in all frames of most files
    head, mark, tail = comment.partition(_PROPERTIES)
    if mark and head.count('"') % 2 == 0 and (end := tail.find(" ")) > 0 and "'" not in head and "\\" not in head:
        found = {**_shared_pairs(head + mark + tail[:end]), **_pairs(tail[end:])}
    else:
        found = _pairs(comment)
    return found or {"comment": comment.strip()[:1000]}


@lru_cache(maxsize=64)
def _shared_pairs(comment: str) -> dict[str, str]:
    return _pairs(comment)


def _pairs(comment: str) -> dict[str, str]:
    """The pairs of a comment, or of its beginning or end."""
    found: dict[str, str] = {}
    for key, value in _PAIR.findall(comment):
        if value[0] in "\"'":
            value = value[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        elif value[0] in "{[":
            value = value[1:-1].replace(",", " ")
        if key[0] == '"':
            key = key[1:-1].replace('\\"', '"')
        if key:
            found[key] = value
    return found


def _qm9_values(comment: str, tail: list[str]) -> tuple[str, dict[str, str]]:
    """Identifier and values of a QM9 file: its comment and the three lines (frequencies, SMILES, InChI) at its end."""
    tokens = comment.replace("*^", "e").split()
    values = {name: text for (name, _, _), text in zip(QM9_COLUMNS, tokens[2:], strict=False)}
    if len(tail) == 3:
        frequencies = tail[0].replace("*^", "e").split()
        values |= {"frequency_lowest": frequencies[0], "frequency_highest": frequencies[-1]} if frequencies else {}
        for line, titles in ((tail[1], ("smiles", "smiles_relaxed")), (tail[2], ("inchi",))):
            values |= dict(zip(titles, line.split(), strict=False))
    for name, text in values.items():
        if name in _QM9_NUMBERS and not columns.is_number(text):
            raise FrameError(f"{name}: {text[:20]!r} is not a number", "mend the line, or copy the file again")
    return " ".join(tokens[:2]), values


@lru_cache(maxsize=64)
def _lattice(text: str) -> NDArray[np.float64] | None:
    """(3, 3) lattice vectors in rows, Å; None when they span no volume."""
    try:
        cell = np.array([columns.number(t) for t in text.split()])
    except ValueError:
        cell = np.zeros(0)
    if cell.shape == (3,):
        cell = np.diag(cell).reshape(-1)
    if cell.shape != (9,) or not np.isfinite(cell).all():
        raise FrameError("Lattice needs nine numbers", 'write Lattice="ax ay az bx by bz cx cy cz" in Å')
    cell = cell.reshape(3, 3)
    scale = float(np.prod(np.linalg.norm(cell, axis=1)))
    if not scale or abs(np.linalg.det(cell)) < 1e-9 * scale:
        return None
    cell.setflags(write=False)
    return cell


@lru_cache(maxsize=64)
def _is_periodic(pbc: str) -> bool:
    return any(t.upper().startswith(("T", "1")) for t in pbc.split())


def _is_count(line: str) -> bool:
    text = line.strip()
    return len(text) < 12 and text.isdecimal()


def is_atom_line(line: str) -> bool:
    """Whether a line may describe an atom: at least four words, three of them numbers."""
    words = line.split(None, 12)[:12]
    return len(words) >= 4 and sum(columns.is_number(w) for w in words) >= 3


class Framer:
    """Cuts the lines of one xyz file into frames.

    Parameters
    ----------
    where : str
        The file, for messages.
    collector : Collector
        Takes the frames.
    stem : str
        Identifier of a structure whose comment gives none; numbered from the second structure on.
    """

    def __init__(self, where: str, collector: Collector, stem: str = "") -> None:
        self._where = where
        self._out = collector
        self._stem = stem
        self._lines: list[str] = []
        self._first = 1
        self._index = 0
        self._lost = False

    def feed(self, lines: list[str], final: bool = False, left: int | None = None) -> None:
        """Take more lines; `final` when there are no more, `left` the bytes to come if known."""
        if self._lines:
            self._lines += lines
        else:
            self._lines = lines
        used = self._cut(final, left)
        self._first += used
        self._lines = [] if used >= len(self._lines) else self._lines[used:]

    def _problem(self, at: int, message: str, remedy: str, stray: bool = False) -> None:
        index = None if stray else self._index
        self._out.problems.add(self._where, message, remedy, self._first + at, index)

    def _cut(self, final: bool, left: int | None) -> int:
        lines, i = self._lines, 0
        while i < len(lines):
            head = lines[i]
            if not _is_count(head):
                if head and not head.isspace():
                    if not self._lost:
                        shown = head.strip()[:40]
                        self._problem(
                            i, f"the number of atoms is expected, found {shown!r}", "mend the line", stray=True
                        )
                        self._lost = True
                    i = self._next_count(i + 1)
                else:
                    i += 1
                continue
            if self._lost and i + 2 < len(lines) and not is_atom_line(lines[i + 2]):
                i = self._next_count(i + 1)
                continue
            n = int(head)
            qm9 = i + 1 < len(lines) and lines[i + 1].startswith("gdb")
            end = i + 2 + n
            stop = end + 3 if qm9 else end
            if stop >= len(lines) and not final and not (left is not None and 4 * n > left + 4 * len(lines) + 4096):
                break
            self._lost = False
            if n == 0:
                self._problem(i, "a structure without atoms", "delete it")
                self._index += 1
                i = min(end, len(lines))
            elif end > len(lines) or (stop < len(lines) and lines[stop] and not self._fits(stop)):
                i = self._mend(i, n)
            else:
                self._take(i, n, stop)
                i = stop
        return min(i, len(lines))

    def _fits(self, at: int) -> bool:
        """Whether a new frame can begin here."""
        return _is_count(self._lines[at]) or self._lines[at].isspace()

    def _next_count(self, at: int) -> int:
        """Where the next frame seems to begin, from line `at` on."""
        lines = self._lines
        while at < len(lines):
            if _is_count(lines[at]) and (at + 2 >= len(lines) or is_atom_line(lines[at + 2])):
                break
            at += 1
        return at

    def _mend(self, i: int, n: int) -> int:
        """A frame whose number of atoms does not agree with its lines: say so, return where the next begins."""
        lines = self._lines
        j = i + 2
        while j < len(lines) and is_atom_line(lines[j]):
            j += 1
        found = j - i - 2
        if found == n:  # the frame is whole; something else follows it
            self._take(i, n, j)
            shown = lines[j].strip()[:40] if j < len(lines) else ""
            self._problem(j, f"the number of atoms is expected, found {shown!r}", "delete what is not xyz", stray=True)
        else:
            if i + 2 + n > len(lines) and self._next_count(j) >= len(lines):
                message = f"the file ends after {max(found, 0)} of {n} atoms"
                remedy = "copy the file again: it is incomplete"
            else:
                message, remedy = f"{n} atoms are announced, {found} lines of atoms follow", "mend the number of atoms"
                if found > n:
                    message = f"{n} atoms are announced, {found} or more lines of atoms follow"
            self._problem(i, message, remedy)
            self._index += 1
        self._lost = True
        return self._next_count(j)

    def _take(self, i: int, n: int, stop: int) -> None:
        lines = self._lines
        atoms = lines[i + 2 : i + 2 + n]
        comment = lines[i + 1]
        index, self._index = self._index, self._index + 1
        name = self._stem if index == 0 else f"{self._stem}:{index + 1}" if self._stem else ""
        lattice = None
        try:
            if comment.startswith("gdb") and len(comment.split(None, 17)) >= 17:
                self._out.dialect = self._out.dialect or "QM9"
                tag, values = _qm9_values(comment, lines[i + 2 + n : stop])
                layout, name = plain_layout(atoms[0], charges=True), name or tag
            else:
                values = parse_comment(comment)
                name = name or values.get("identifier", "")
                values.pop("identifier", None)
                specification = values.pop("Properties", values.pop("properties", None))
                box = values.pop("Lattice", values.pop("lattice", None))
                pbc = values.pop("pbc", None)
                if ":" in values.get("units", ""):
                    self._out.units |= dict(u.rsplit(":", 1) for u in values.pop("units").split("|") if ":" in u)
                if specification is not None or box is not None:
                    self._out.dialect = "extended"
                layout = plain_layout(atoms[0]) if specification is None else layout_of_properties(specification)
                if box is not None and (pbc is None or _is_periodic(pbc)):
                    lattice = _lattice(box)
        except FrameError as error:
            self._out.problems.add(self._where, str(error), error.remedy, self._first + i + 1, index)
            return
        self._out.add(Frame(self._where, self._first + i, index, atoms, layout, values, lattice, name))


def read_stream(stream: ByteStream, collector: Collector, progress: Progress, stem: str = "") -> None:
    """Read one xyz file into `collector`, reporting the fraction of its bytes."""
    framer = Framer(str(stream.path), collector, stem)
    message = f"Reading {stream.path.name}"
    progress(0.0, message)
    for lines in line_blocks(stream):
        framer.feed(lines, left=stream.left())
        collector.flush()
        progress(stream.fraction(), message)
    framer.feed([], final=True)
    collector.problems.append(stream.damage_problem())


def finish(collector: Collector, name: str, path: str) -> Dataset:
    """The data set of everything in `collector`; DataError when there is nothing."""
    collector.flush()
    form = f"{collector.dialect} xyz".strip()
    return collector.dataset(name, Source(path=path, format=form), convention)


def read_xyz(stream: ByteStream, progress: Progress = SILENT, options: ReadOptions = DEFAULT) -> Dataset:
    """Read an xyz file of any kind.

    Raises
    ------
    DataError
        No structure of the file can be used.
    """
    collector = Collector()
    read_stream(stream, collector, progress)
    return finish(collector, stem_of(stream.path.name), str(stream.path))


def read_xyz_text(lines: list[str], name: str) -> Dataset:
    """Read xyz text that was pasted; bare lines of atoms without count and comment are one structure."""
    collector = Collector()
    filled = [line for line in lines if line.strip()]
    if filled and all(is_atom_line(line) for line in filled):
        lines = [str(len(filled)), "", *filled]
    Framer(name, collector).feed(lines, final=True)
    return finish(collector, name, "")


def stem_of(name: str) -> str:
    """A file's name without its endings: "qm7.tar.gz" → "qm7"."""
    for _ in range(2):
        root, dot, ending = name.rpartition(".")
        if not (dot and root and ending.lower() in _ENDINGS):
            break
        name = root
    return name


# fmt: off
_ENDINGS = frozenset((
    "xyz", "extxyz", "exyz", "txt", "dat", "sdf", "sd", "mol", "smi", "smiles", "csv", "tsv", "npz", "tar", "tgz",
    "zip", "mat", "gz", "bz2", "xz", "cif", "poscar", "vasp", "contcar",
))
# fmt: on
