"""The table of all commands: menus, shortcuts, tooltips, the palette and the sheet of keys are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

CONTEXT = "Commands"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One thing that a user can do.

    Attributes
    ----------
    id : str
        Stable name; the window has a method ``_on_<id>``.
    menu : str
        Menu it stands in; "" for keys that panels handle themselves (listed in the sheet only).
    text, tip : str
        Source texts; see :attr:`title` for the translated one.
    shortcut : str
        Portable key sequence.
    checkable, separator : bool
        A switch; a line above it in the menu.
    """

    id: str
    menu: str
    text: str
    tip: str = ""
    shortcut: str = ""
    checkable: bool = False
    separator: bool = False

    @property
    def title(self) -> str:
        """Translated text."""
        return QCoreApplication.translate(CONTEXT, self.text)

    @property
    def tooltip(self) -> str:
        """Translated explanation with the shortcut."""
        tip = QCoreApplication.translate(CONTEXT, self.tip or self.text).rstrip("…")
        return f"{tip} ({self.shortcut})" if self.shortcut else tip


def _(text: str) -> str:
    """Marks a text for translation."""
    QT_TRANSLATE_NOOP(CONTEXT, text)
    return text


MENUS = (
    _("&File"),
    _("&Edit"),
    _("&Data"),
    _("&Represent"),
    _("&Map"),
    _("&Learn"),
    _("&Structure"),
    _("F&igure"),
    _("&View"),
    _("&Help"),
)

COMMANDS: tuple[Command, ...] = (
    Command(id="open", menu="&File", text=_("&Open…"), shortcut="Ctrl+O", tip=_("Open structures or a session")),
    Command(
        id="open_folder", menu="&File", text=_("Open &folder…"), tip=_("Open a folder of xyz files as one data set")
    ),
    Command(
        id="add_structures",
        menu="&File",
        text=_("&Add structures to the map…"),
        shortcut="Ctrl+Shift+O",
        tip=_("Place the structures of another file on this map, whose points stay where they are"),
    ),
    Command(id="open_recent", menu="&File", text=_("Open &recent")),
    Command(
        id="open_last", menu="&File", text=_("Open &last session"), tip=_("What was unsaved when the program ended")
    ),
    Command(
        id="paste",
        menu="&File",
        text=_("&Paste structures"),
        shortcut="Ctrl+V",
        tip=_("xyz or SMILES from the clipboard"),
    ),
    Command(id="save", menu="&File", text=_("&Save session"), shortcut="Ctrl+S", separator=True),
    Command(id="save_as", menu="&File", text=_("Save session &as…"), shortcut="Ctrl+Shift+S"),
    Command(
        id="export_data",
        menu="&File",
        text=_("Export &data…"),
        tip=_("Write the selection, what passes the filters, or all: extended xyz, SDF, CSV, npz, SMILES, Parquet"),
    ),
    Command(id="quit", menu="&File", text=_("&Quit"), shortcut="Ctrl+Q", separator=True),
    Command(id="undo", menu="&Edit", text=_("&Undo"), shortcut="Ctrl+Z"),
    Command(id="redo", menu="&Edit", text=_("&Redo"), shortcut="Ctrl+Shift+Z"),
    Command(
        id="find",
        menu="&Edit",
        text=_("&Find…"),
        shortcut="Ctrl+F",
        separator=True,
        tip=_("Identifier, formula, SMILES or SMARTS"),
    ),
    Command(id="select_all", menu="&Edit", text=_("Select &all"), shortcut="Ctrl+A"),
    Command(id="invert", menu="&Edit", text=_("&Invert selection"), shortcut="Ctrl+I"),
    Command(id="clear", menu="&Edit", text=_("&Clear pins, then selection"), shortcut="Esc"),
    Command(id="preferences", menu="&Edit", text=_("&Preferences…"), shortcut="Ctrl+,", separator=True),
    Command(id="builtin", menu="&Data", text=_("&Built-in data sets")),
    Command(
        id="catalogue",
        menu="&Data",
        text=_("Cata&logue of data sets…"),
        tip=_("Published data sets: what they hold, how to cite them; fetch and open them"),
    ),
    Command(
        id="problems", menu="&Data", text=_("&Problems of this data set…"), tip=_("What of the file could not be used")
    ),
    Command(
        id="doctor",
        menu="&Data",
        text=_("&Examine the data (doctor)"),
        tip=_("Duplicates, clashes, outliers, wrong units, missing values …"),
    ),
    Command(id="properties", menu="&Data", text=_("Data set &information…")),
    Command(
        id="compute",
        menu="&Data",
        text=_("&Compute properties…"),
        tip=_("Energies, forces, orbitals, vibrations, geometries, dynamics by xTB, Hartree–Fock or DFT"),
    ),
    Command(
        id="enumerate",
        menu="&Data",
        text=_("&Enumerate molecules…"),
        tip=_("All molecules up to a number of heavy atoms, in the manner of GDB, with filters that can be switched"),
    ),
    Command(
        id="units",
        menu="&Data",
        text=_("&Units and energies…"),
        shortcut="Ctrl+U",
        separator=True,
        tip=_("Convert or correct the unit of a column; total, atomization and formation energies"),
    ),
    Command(
        id="compare_data",
        menu="&Data",
        text=_("Co&mpare data sets…"),
        separator=True,
        tip=_("Sizes, composition, distances, angles, energies, forces and coverage of sets, side by side"),
    ),
    # the representations themselves stand below these: see qmlstudio.app.represent
    Command(
        id="about_representation",
        menu="&Represent",
        text=_("&What is this representation?"),
        shortcut="F1",
        tip=_("Formula, parameters, literature of the present representation"),
    ),
    Command(
        id="difference",
        menu="&Represent",
        text=_("&Difference to the pinned structure"),
        shortcut="Ctrl+D",
        tip=_("Draw the features' difference to the structure pinned last, or the values again"),
    ),
    Command(
        id="save_features",
        menu="&Represent",
        text=_("&Save features…"),
        tip=_("Write the features of all structures to a file, however large"),
    ),
    Command(
        id="open_params",
        menu="&Represent",
        text=_("&AEV of a .params file…"),
        tip=_("Environment vectors with the constants and elements of a published network"),
    ),
    Command(id="reset_map", menu="&Map", text=_("Show &all points"), tip=_("Reset the map's range")),
    Command(id="tool_pan", menu="&Map", text=_("&Pan tool"), separator=True),
    Command(id="tool_lasso", menu="&Map", text=_("&Lasso tool")),
    Command(id="tool_box", menu="&Map", text=_("&Box tool")),
    Command(
        id="add_map",
        menu="&Map",
        text=_("One &more map"),
        shortcut="Ctrl+Shift+M",
        separator=True,
        tip=_("Beside the others, with a representation, embedding and axes of its own; up to four"),
    ),
    Command(id="recompute", menu="&Map", text=_("&Compute again"), shortcut="F5", separator=True),
    Command(id="cancel", menu="&Map", text=_("Cancel the running &job"), shortcut="Ctrl+."),
    Command(
        id="learn_setup",
        menu="&Learn",
        text=_("Learning &curves…"),
        shortcut="Ctrl+L",
        tip=_("Set up a bench: representations, kernels, models, properties, sizes, splits"),
    ),
    Command(
        id="learn_run",
        menu="&Learn",
        text=_("&Run or pause the bench"),
        shortcut="Ctrl+R",
        tip=_("Run the bench that is set up, pause it, or go on where it was"),
    ),
    Command(
        id="learn_worst",
        menu="&Learn",
        text=_("Select the &worst molecules"),
        separator=True,
        tip=_("The 20 largest errors of the learning curve's point that is looked at"),
    ),
    Command(
        id="learn_color",
        menu="&Learn",
        text=_("C&olour by error"),
        tip=_("Colour the map by predicted − true of the point that is looked at"),
    ),
    Command(
        id="learn_keep",
        menu="&Learn",
        text=_("&Keep this point's model"),
        tip=_("Fit the model of the point that is looked at again, and put it among the models"),
    ),
    Command(
        id="learn_models",
        menu="&Learn",
        text=_("&Models"),
        separator=True,
        tip=_("Fitted models: save, open, apply to the data set"),
    ),
    Command(
        id="why",
        menu="&Learn",
        text=_("&Why this number?"),
        tip=_("What the prediction of the active structure is a sum of, and how far it can be trusted"),
    ),
    Command(id="learn_open", menu="&Learn", text=_("O&pen a model…"), tip=_("Read a model's file (.qmlm)")),
    Command(
        id="learn_predict",
        menu="&Learn",
        text=_("Pre&dict molecules…"),
        tip=_("Predict SMILES or xyz that you type or paste, by the present model"),
    ),
    Command(id="previous", menu="&Structure", text=_("&Previous structure"), shortcut="Alt+Left"),
    Command(id="next", menu="&Structure", text=_("&Next structure"), shortcut="Alt+Right"),
    Command(id="pin", menu="&Structure", text=_("P&in the active structure"), shortcut="Ctrl+P"),
    Command(id="reset_camera", menu="&Structure", text=_("&Reset the camera"), separator=True),
    Command(id="export_figure", menu="F&igure", text=_("&Export figure…"), shortcut="Ctrl+E"),
    Command(id="copy_view", menu="F&igure", text=_("&Copy view as picture"), shortcut="Ctrl+Shift+C"),
    Command(
        id="copy_caption",
        menu="F&igure",
        text=_("Copy ca&ption"),
        tip=_("Data set, N, representation, embedding, versions"),
    ),
    Command(id="theme_system", menu="&View", text=_("Theme of the &system"), checkable=True),
    Command(id="theme_light", menu="&View", text=_("&Light theme"), checkable=True),
    Command(id="theme_dark", menu="&View", text=_("&Dark theme"), checkable=True),
    Command(id="full_screen", menu="&View", text=_("&Full screen"), shortcut="F11", checkable=True, separator=True),
    Command(id="reset_layout", menu="&View", text=_("&Reset panels")),
    Command(id="palette", menu="&Help", text=_("&Command palette…"), shortcut="Ctrl+Shift+P"),
    Command(id="shortcuts", menu="&Help", text=_("&Keys and gestures"), shortcut="?"),
    Command(id="about", menu="&Help", text=_("&About QML Studio"), separator=True),
)

GESTURES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        _("Map"),
        (
            (_("drag"), _("pan")),
            (_("wheel"), _("zoom at the cursor")),
            (_("double-click"), _("show all points")),
            (_("click"), _("make active: 3D, descriptor and table follow")),
            (_("Ctrl+click"), _("pin, or unpin")),
            (_("right click"), _("pin, colour by similarity, path through the features")),
            (_("Shift+drag"), _("lasso")),
            (_("map in space"), _("drag turns, Shift+drag or right drag moves; R, X, Y, Z, arrows")),
            ("L, B, V", _("lasso, box and pan tools; Shift adds, Alt subtracts, Ctrl intersects")),
            ("T", _("keep the hover card")),
            ("Esc", _("clear pins, then the selection")),
        ),
    ),
    (
        _("Structure"),
        (
            (_("left drag"), _("rotate")),
            (_("right or middle drag, Shift+left drag"), _("pan")),
            (_("wheel"), _("zoom to the cursor")),
            (_("click, Ctrl+click"), _("pick an atom, toggle another: 2, 3, 4 give distance, angle, dihedral")),
            (_("double-click"), _("pick the bonded fragment; on nothing: centre")),
            ("1, 2, 3", _("ball and stick, spacefill, sticks")),
            ("H, U, B", _("hydrogens, unit cell, labels")),
            ("C, R, X, Y, Z, O", _("centre, reset, along an axis, perspective")),
            ("M", _("keep the measurement")),
            (_("Space, arrows, Home, End, [ ]"), _("play, step (Shift: 10), ends, speed")),
        ),
    ),
    (
        _("Learning"),
        (
            (_("click on a curve's point"), _("its test set: the worst molecules are selected")),
            (_("drag, wheel, R"), _("move, zoom, show all curves")),
            (_("arrows, Enter"), _("from point to point, look into one; over the cells of the heat map")),
            (_("Shift+drag or L on the parity plot"), _("select on the map")),
            (_("Del, F2"), _("remove, rename a series or a model")),
        ),
    ),
)
