"""``qmlstudio [FILE…]`` opens the window; its commands (``render``, ``info``, ``data`` and others) need no hands.

Exit codes: 0 done, 1 the data or parameters are wrong, 2 the command line is, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qmlstudio import __version__
from qmlstudio.progress import Progress

COMMANDS = (
    "render",
    "features",
    "info",
    "list",
    "demo",
    "compute",
    "data",
    "compare-data",
    "enumerate",
    "doctor",
    "bench",
)
FILE_HELP = "structures, a session (.qmls), builtin:NAME, catalogue:NAME (see “data”), or qm9:"


def run(arguments: list[str]) -> int:
    """Do what the arguments say; returns the exit code."""
    if arguments == ["--compute-worker"]:  # the packed program starts its computing processes so
        from qmlstudio.quantum.worker import main as serve

        return serve()
    try:
        if arguments and arguments[0] in COMMANDS:
            if arguments[0] in ("render", "features", "list", "compare-data", "bench"):
                _plugins()
            options = _parser(arguments[0]).parse_args(arguments)
            code: int = options.run(options)
            return code
        return _window(arguments)
    except KeyboardInterrupt:
        print("qmlstudio: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if not _is_expected(error):
            raise
        print(f"qmlstudio: {error}".replace("\n", " "), file=sys.stderr)
        return 1


def _is_expected(error: BaseException) -> bool:
    """Errors that a person can mend are one line; others are ours, and keep their traceback."""
    from qmlstudio.chem.errors import DataError
    from qmlstudio.session.stages import TooLargeError

    if isinstance(error, OSError | ValueError | DataError | TooLargeError):
        return True
    pool = sys.modules.get("qmlstudio.quantum.pool")
    return pool is not None and isinstance(error, pool.EngineError)


def _window(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="qmlstudio",
        description="Explore chemical compound space with quantum-mechanics-based machine learning.",
        epilog="commands without a window: qmlstudio render|features|info|list|data|demo --help",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=FILE_HELP)
    parser.add_argument("--version", action="version", version=f"qmlstudio {__version__}")
    options = parser.parse_args(arguments)
    if sys.platform.startswith("linux") and not _has_display():
        print(
            "qmlstudio: there is no display (DISPLAY and WAYLAND_DISPLAY are not set); "
            "use “qmlstudio render” or start it under Xvfb",
            file=sys.stderr,
        )
        return 1
    from qmlstudio.shell.application import run as run_window

    return run_window(options.files)


def _has_display() -> bool:
    import os

    return any(os.environ.get(k) for k in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _plugins() -> None:
    """Other packages' representations are among the choices; what cannot be loaded is told and left out."""
    from qmlstudio import representations

    for problem in representations.load_plugins():
        print(f"qmlstudio: {problem}", file=sys.stderr)


def _parser(command: str) -> argparse.ArgumentParser:
    """All commands; the parameters, which cost imports, of the one that was given."""
    parser = argparse.ArgumentParser(prog="qmlstudio", description="The main job without a window.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_render(commands, command == "render")
    _add_features(commands, command == "features")
    _add_compute(commands, command == "compute")
    _add_compare_data(commands, command == "compare-data")
    _add_enumerate(commands, command == "enumerate")
    _add_doctor(commands, command == "doctor")
    _add_bench(commands, command == "bench")
    info = commands.add_parser("info", help="what a file holds", description="What a file holds.")
    info.add_argument("file", metavar="FILE", help=FILE_HELP)
    info.set_defaults(run=_info)
    listing = commands.add_parser(
        "list", help="representations, embeddings, built-in data sets", description="What there is, with parameters."
    )
    listing.set_defaults(run=_list)
    data = commands.add_parser(
        "data", help="the catalogue of data sets: list, info, get, verify, where", description="Published data sets."
    )
    if command == "data":
        from qmlstudio.data_commands import add_commands

        add_commands(data, _progress)
    demo = commands.add_parser(
        "demo",
        help="the main job on the built-in data set, into figures",
        description="Opens the window on the built-in data set, goes through the main job and writes figures.",
    )
    demo.add_argument("--out", default="figures", metavar="FOLDER", help="where to write (default: figures)")
    demo.set_defaults(run=_demo)
    return parser


def _add_render(commands: Any, with_parameters: bool) -> None:
    render = commands.add_parser(
        "render",
        help="write a figure of a file",
        description="Computes a representation and a map of FILE and writes a figure.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    render.add_argument("file", metavar="FILE", help=FILE_HELP)
    render.add_argument("--view", choices=("map", "structure", "descriptor"), default="map")
    render.add_argument("--out", required=True, metavar="FIGURE", help="the suffix decides: .svg .pdf .png .tiff")
    render.add_argument("--structure", metavar="ID", help="identifier or 1-based number of the structure to show")
    render.add_argument(
        "--pin", action="append", default=[], metavar="ID", help="pin a structure on the map; repeatable"
    )
    render.add_argument("--color-by", metavar="PROPERTY", help="property that colours the map")
    render.add_argument("--no-progress", action="store_true", help="no progress bar")
    if not with_parameters:
        return
    from qmlstudio import representations
    from qmlstudio.figures.presets import FigureSpec
    from qmlstudio.learning import embedding as embeddings
    from qmlstudio.session.coloring import Coloring
    from qmlstudio.session.session import StructureLook

    render.add_argument("--representation", choices=tuple(representations.REGISTRY), default=None)
    render.add_argument("--embedding", choices=tuple(embeddings.REGISTRY), default=None)
    taken: dict[str, Any] = {}
    for title, classes, skip in (
        ("representation", tuple(representations.REGISTRY.values()), ()),
        ("embedding", tuple(embeddings.REGISTRY.values()), ()),
        ("colour", (Coloring,), ("color_by", "hidden")),
        ("structure", (StructureLook,), ()),
        ("figure", (FigureSpec,), ("format",)),
    ):
        _add_options(render, taken, title, classes, skip)
    render.set_defaults(run=_render)


def _add_options(
    parser: Any, taken: dict[str, Any], title: str, classes: Sequence[Any], skip: Sequence[str] = ()
) -> None:
    """A group of options; a name that an earlier group has already (a seed, say) sets both."""
    group = parser.add_argument_group(f"parameters of the {title}")
    for name, text in _options(classes, skip).items():
        if name in taken:
            taken[name].help += f"; {text['help']}"
            continue
        taken[name] = group.add_argument(
            f"--{name.replace('_', '-')}", dest=f"p_{name}", default=argparse.SUPPRESS, **text
        )


def _add_compute(commands: Any, with_parameters: bool) -> None:
    parser = commands.add_parser(
        "compute",
        help="quantum-chemical properties, geometries, dynamics",
        description="Computes properties of the structures of FILE (energies, forces, orbitals, dipoles, charges, "
        "vibrations), or optimised geometries, conformers, dynamics, normal-mode samples, and writes a file.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    if not with_parameters:
        return
    from qmlstudio.quantum.command import GROUPS, add_options

    add_options(parser)
    taken: dict[str, Any] = {}
    for title, classes in GROUPS:
        _add_options(parser, taken, title, classes)
    parser.set_defaults(run=_compute)


def _compute(options: argparse.Namespace) -> int:
    from functools import partial

    from qmlstudio.quantum.command import run as run_compute

    progress = _progress(options)
    opened = _load(options.file, progress.part(0.0, 0.05))
    return run_compute(options, opened.dataset, partial(_given, options), progress.part(0.05, 1.0))


def _add_doctor(commands: Any, with_parameters: bool) -> None:
    parser = commands.add_parser(
        "doctor",
        help="what may be wrong with a file's data",
        description="Looks for duplicates, clashes, fragments, outlying energies, wrong units, missing values and "
        "more. Exit code 3: there are errors.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    if not with_parameters:
        return
    from qmlstudio.session.doctor import REGISTRY, report

    report.add_options(parser)
    _add_options(parser, {}, "checks", tuple(REGISTRY.values()))
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from qmlstudio.session.doctor import REGISTRY, report

    progress = _progress(options)
    checks = [_given(options, cls, cls()) for name, cls in REGISTRY.items() if name in (options.check or REGISTRY)]
    opened = _load(options.file, progress.part(0.0, 0.3))
    return report.run(options, opened.dataset, checks, progress.part(0.3, 1.0))


def _add_bench(commands: Any, with_parameters: bool) -> None:
    parser = commands.add_parser(
        "bench",
        help="learning curves next to the literature",
        description="Learning curves of representations, kernels and models on the properties of FILE: "
        "hyper-parameters from training data alone, several splits, a table, a figure and all points into a folder. "
        "What is there already is not computed again. Ladders that are known by heart: qm7, elpasolites.",
    )
    if not with_parameters:
        return
    from qmlstudio.bench_command import add_options

    add_options(parser)
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from qmlstudio.bench_command import run as run_bench

    return run_bench(options, _progress(options))


def _add_compare_data(commands: Any, with_parameters: bool) -> None:
    parser = commands.add_parser(
        "compare-data",
        help="data sets side by side, into figures",
        description="Compares the sizes, composition, distances, angles, energies and forces of data sets, and how far "
        "each covers the others, and writes figures and numbers into a folder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    if not with_parameters:
        return
    from qmlstudio.figures.comparison_command import add_options, groups

    add_options(parser)
    taken: dict[str, Any] = {}
    for title, classes in groups():
        _add_options(parser, taken, title, classes)
    parser.set_defaults(run=_compare_data)


def _compare_data(options: argparse.Namespace) -> int:
    from qmlstudio.figures.comparison_command import run as run_comparison

    return run_comparison(options, _progress(options), _given)


def _add_enumerate(commands: Any, with_parameters: bool) -> None:
    parser = commands.add_parser(
        "enumerate",
        help="all molecules up to a number of heavy atoms",
        description="Makes all molecules of chosen elements in the manner of GDB: graphs, bond orders, elements, "
        "filters, stereoisomers, geometries; prints how many come to each stage.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    if not with_parameters:
        return
    from qmlstudio.chem.enumeration.command import add_options
    from qmlstudio.chem.enumeration.stages import Enumeration

    add_options(parser)
    _add_options(parser, {}, "enumeration", (Enumeration,))
    parser.set_defaults(run=_enumerate)


def _enumerate(options: argparse.Namespace) -> int:
    from functools import partial

    from qmlstudio.chem.enumeration.command import run as run_enumeration

    return run_enumeration(options, partial(_given, options), _progress(options))


def _add_features(commands: Any, with_parameters: bool) -> None:
    features = commands.add_parser(
        "features",
        help="write a representation's numbers to a file",
        description="Computes a representation of FILE into a .npy file, which may be larger than the memory, and "
        "explains it in a .json file beside it: columns, elements, identifiers, hyper-parameters.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    features.add_argument("file", metavar="FILE", help=FILE_HELP)
    features.add_argument("--out", required=True, metavar="FEATURES", help="file to write, ending in .npy")
    features.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    features.add_argument("--threads", type=int, default=None, help="default: all")
    features.add_argument("--no-progress", action="store_true", help="no progress bar")
    if not with_parameters:
        return
    from qmlstudio import representations

    kinds = tuple(representations.REGISTRY.values())
    features.add_argument("--representation", choices=tuple(representations.REGISTRY), default=None)
    _add_options(features, {}, "representation", kinds)
    features.set_defaults(run=_features)


def _options(classes: Sequence[Any], skip: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One option for each parameter name; classes that share a name share the option."""
    found: dict[str, dict[str, Any]] = {}
    for cls in classes:
        for p in cls.params():
            if p.name in skip:
                continue
            default = p.none_label if p.default is None else p.default
            unit = f" {p.unit}" if p.unit else ""
            text = f"{p.help or p.label} ({cls.title}; default {default}{unit})".replace("%", "%%")
            entry = found.setdefault(p.name, {"help": text, "metavar": "VALUE"})
            if entry["help"] != text:
                entry["help"] = f"{entry['help']}; {text}"
            if p.choices:
                known = entry.get("metavar", "VALUE")
                values = [str(c) for c, _ in p.choices]
                old = known.strip("{}").split(",") if known.startswith("{") else []
                entry["metavar"] = "{" + ",".join([*old, *(v for v in values if v not in old)]) + "}"
    return found


def _given(options: argparse.Namespace, cls: Any, base: Any) -> Any:
    """`base` with the values that were given on the command line for parameters of its class."""
    values = {}
    for p in cls.params():
        if hasattr(options, f"p_{p.name}"):
            text = getattr(options, f"p_{p.name}")
            values[p.name] = None if p.optional and text.lower() in ("none", "auto", "automatic") else text
    return base.with_values(**values) if values else base


def _progress(options: argparse.Namespace) -> Progress:
    if options.no_progress or not sys.stderr.isatty():
        return Progress(report=_lines()) if not options.no_progress else Progress()
    return Progress(report=_bar)


def _bar(fraction: float, message: str) -> None:
    filled = int(30 * fraction)
    end = "\n" if fraction >= 1 else ""
    print(
        f"\r{'█' * filled}{'░' * (30 - filled)} {fraction:4.0%} {message[:40]:<40}",
        end=end,
        file=sys.stderr,
        flush=True,
    )


def _lines() -> Any:
    """Without a terminal: a line for each new step instead of a bar."""
    last = [""]

    def report(fraction: float, message: str) -> None:
        if message and message != last[0]:
            last[0] = message
            print(f"{fraction:4.0%} {message}", file=sys.stderr, flush=True)

    return report


def _load(path: str, progress: Progress) -> Any:
    from qmlstudio.session import document
    from qmlstudio.session.scripting import open_dataset
    from qmlstudio.session.session import Session

    if path.lower().endswith(document.SUFFIX):
        opened = document.read(path, progress)
        if opened.dataset is None:
            raise ValueError(f"{path}: this session has no data set")
        return opened
    dataset = open_dataset(path, progress)
    return document.Document(Session().with_dataset(dataset), dataset)


def _find(dataset: Any, text: str) -> int:
    """Index of a structure from its identifier, or its 1-based number."""
    import numpy as np

    hits = np.flatnonzero(dataset.identifiers == text)
    if len(hits):
        return int(hits[0])
    if text.isdigit() and 1 <= int(text) <= len(dataset):
        return int(text) - 1
    raise ValueError(f"no structure {text!r}: give an identifier, or a number from 1 to {len(dataset)}")


def _render(options: argparse.Namespace) -> int:
    from qmlstudio import representations
    from qmlstudio.figures import FigureSpec, save
    from qmlstudio.figures.views import view_caption, view_figure
    from qmlstudio.learning import embedding as embeddings
    from qmlstudio.session.coloring import Coloring, colorable
    from qmlstudio.session.scripting import compute
    from qmlstudio.session.session import StructureLook

    progress = _progress(options)
    spec = _given(options, FigureSpec, FigureSpec())
    opened = _load(options.file, progress.part(0.0, 0.2))
    session, dataset = opened.session, opened.dataset
    for problem in dataset.problems[:10]:
        print(f"qmlstudio: {problem}", file=sys.stderr)
    if len(dataset.problems) > 10:
        print(f"qmlstudio: … {len(dataset.problems) - 10} more problems", file=sys.stderr)
    representation, embedding = session.representation, session.embedding
    if options.representation:
        representation = representations.REGISTRY[options.representation]()
    if options.embedding:
        embedding = embeddings.REGISTRY[options.embedding]()
    coloring = session.coloring
    if options.color_by is not None:
        if options.color_by and options.color_by not in colorable(dataset):
            raise ValueError(f"no property {options.color_by!r}; there are {', '.join(colorable(dataset))}")
        coloring = replace(coloring, color_by=options.color_by)
    session = replace(
        session,
        representation=_given(options, type(representation), representation),
        embedding=_given(options, type(embedding), embedding),
        coloring=_given(options, Coloring, coloring),
        structure_look=_given(options, StructureLook, session.structure_look),
    )
    if options.pin:
        session = replace(session, pins=tuple(_find(dataset, text) for text in options.pin))
    if options.structure:
        session = replace(session, selection=session.selection.with_active(_find(dataset, options.structure)))
    results: dict[str, Any] = {}
    if options.view == "map":
        changed = session.differing(opened.session)
        if opened.coordinates is not None and not changed & {"representation", "embedding"}:
            results["map"] = opened.coordinates
        else:
            results = compute(session, dataset, progress.part(0.2, 0.9))
    progress.part(0.9, 1.0)(0.1, "drawing")
    figure = view_figure(options.view, session, dataset, results, spec)
    recipe = {"session": session.to_dict(), "view": options.view}
    caption = view_caption(options.view, session, dataset)
    written = save(figure, options.out, spec, recipe=recipe, title=caption)
    progress(1.0, "done")
    print(written)
    return 0


def _features(options: argparse.Namespace) -> int:
    from qmlstudio import representations
    from qmlstudio.session.feature_files import description_path, write_features

    progress = _progress(options)
    opened = _load(options.file, progress.part(0.0, 0.1))
    representation = opened.session.representation
    if options.representation:
        representation = representations.REGISTRY[options.representation]()
    representation = _given(options, type(representation), representation)
    structures = opened.dataset.structures
    need = representation.memory(structures, options.dtype) / 2**20
    seconds = representation.estimate(structures, threads=options.threads)
    print(
        f"{representation.title}: {representation.rows(structures):,} × {representation.size(structures.species):,}, "
        f"{need:,.1f} MiB, about {seconds:.2g} s",
        file=sys.stderr,
    )
    part = progress.part(0.1, 1.0)
    write_features(representation, opened.dataset, options.out, part, dtype=options.dtype, threads=options.threads)
    progress(1.0, "done")
    print(options.out)
    print(description_path(options.out))
    return 0


def _info_params(path: str) -> int:
    """A network's constants: a representation's parameters, no data."""
    from qmlstudio.representations import AEV

    print("environment vectors of a network (Represent → AEV of a .params file)")
    for name, value in AEV.from_params_file(path).to_dict().items():
        print(f"{name:<20} {value}")
    return 0


def _info(options: argparse.Namespace) -> int:
    options.no_progress = not sys.stderr.isatty()
    if options.file.lower().endswith(".params"):
        return _info_params(options.file)
    opened = _load(options.file, _progress(options))
    dataset = opened.dataset
    structures = dataset.structures
    sizes = structures.sizes
    print(f"name        {dataset.name}")
    print(f"structures  {len(dataset):,}{' (frames in order)' if dataset.ordered else ''}")
    print(f"atoms       {len(structures.numbers):,}" + (f" ({sizes.min()}–{sizes.max()} each)" if len(sizes) else ""))
    print(f"elements    {' '.join(structures.species.symbols)}")
    print(f"periodic    {'yes' if structures.cells is not None else 'no'}")
    for label in ("format", "licence", "reference"):
        if getattr(dataset.source, label):
            print(f"{label:<11} {getattr(dataset.source, label)}")
    print(f"fingerprint {dataset.fingerprint}")
    print("properties")
    for name, p in dataset.properties.items():
        print(f"  {name:<24} {p.unit or '–':<12} per {p.target:<10} {_range_of(p)}  {p.description}".rstrip())
    if dataset.problems:
        print(f"problems    {len(dataset.problems)}")
        for problem in dataset.problems[:50]:
            print(f"  {problem}")
    return 0


def _range_of(p: Any) -> str:
    import numpy as np

    if p.is_text:
        return f"{len(p.categories):,} distinct"
    finite = p.values[np.isfinite(p.values)]
    missing = p.values.size - finite.size
    text = f"{finite.min():.6g} … {finite.max():.6g}" if finite.size else "no values"
    return text + (f", {missing:,} missing" if missing else "")


def _list(_options: argparse.Namespace) -> int:
    from qmlstudio import representations
    from qmlstudio.chem.builtin import BUILTIN, QM9, QM9_PREFIX
    from qmlstudio.chem.readers.qm9_package import package_folder
    from qmlstudio.learning import embedding as embeddings

    print("built-in data sets")
    for name, info in BUILTIN.items():
        print(f"  builtin:{name:<16} {info.title}")
    there = "" if package_folder() is not None else ' (not installed: pip install "qmlstudio[qm9]")'
    print(f"  {QM9_PREFIX:<24} {QM9.title}, {QM9.structures:,} molecules{there}")
    for title, registry in (("representations", representations.REGISTRY), ("embeddings", embeddings.REGISTRY)):
        print(title)
        for name, cls in registry.items():
            print(f"  {name:<24} {cls.title}")
            for p in cls.params():
                legal = "|".join(str(c) for c, _ in p.choices) or f"{p.kind.__name__} {_end(p.low)}…{_end(p.high)}"
                default = p.none_label if p.default is None else p.default
                print(f"    {p.name:<22} {legal} (default {default}) {p.unit}".rstrip())
    return 0


def _end(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _demo(options: argparse.Namespace) -> int:
    if sys.platform.startswith("linux") and not _has_display():
        print("qmlstudio: the demo drives the real window: start it under Xvfb (xvfb-run)", file=sys.stderr)
        return 1
    from qmlstudio.shell.demo import run as run_demo

    return run_demo(options.out)
