"""Command line: parse, call, exit status; nothing else."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from . import __version__, interrupt
from .arguments import Parser, number, parse, path, rate, whole
from .core.errors import LiveRelightError, UsageError
from .core.light import parse_light
from .core.look import DIFFUSE, NUMBERS
from .core.settings import LOOK_FIELDS, Settings, check_quality, load_settings, parse_size

LISTS = ("doctor", "engines", "presets", "cameras")
IMPORTS = ("depth", "normal", "matte")


def _look_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("light")
    group.add_argument(
        "--preset", metavar="NAME|FILE", help="named look (default studio; see `presets list`)"
    )
    group.add_argument(
        "--light",
        action="append",
        metavar="SPEC",
        help="replaces the preset's lights, repeatable: "
        "key:az=45,el=30,dist=1.2,power=1.0,kelvin=5600,size=0.3",
    )
    for name, (low, high, what) in NUMBERS.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=number(low, high), metavar="X", help=f"{what} ({low:g}..{high:g})")
    group.add_argument("--diffuse", metavar="NAME", help=" or ".join(DIFFUSE))
    group.add_argument("--background-tint", metavar="#RRGGBB", help="colour that the backdrop takes on")
    group.add_argument(
        "--auto",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="key and fill follow the light that the picture has",
    )
    group.add_argument("--engine", metavar="NAME", help="auto, onnx, gpu, cuda, ... (`engines list`)")
    group.add_argument(
        "--quality", metavar="LEVEL", help="auto (as fine as the frame rate allows), low, medium or high"
    )
    group.add_argument("--config", type=path, metavar="FILE", help="settings from a TOML file")


def build_parser() -> Parser:
    """The whole command line, for `main` and for the documentation's checks."""
    parser = Parser(
        prog="live-relight", allow_abbrev=False, description="A photographer's light on a person, live."
    )
    parser.add_argument("--version", action="version", version=f"live-relight {__version__}")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)  # before the command as well
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)

    run = add("run", "camera to virtual camera: relight until Ctrl-C or the source ends")
    run.add_argument(
        "--source", metavar="SPEC", help="auto, camera[:N|:NAME], /dev/videoN, FILE, URL or demo"
    )
    run.add_argument(
        "--sink",
        action="append",
        metavar="SPEC",
        help="auto, vcam[:DEVICE], web[:PORT], file:PATH or null; repeatable",
    )
    run.add_argument("--size", metavar="WxH", help="size of the frames (default 1280x720 or the file's own)")
    run.add_argument("--fps", type=rate, metavar="N", help="frames per second to ask for")
    run.add_argument("--frames", type=whole, metavar="N", help="stop after N")
    run.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="left is right, as in a mirror",
    )
    run.add_argument("--stats", type=path, metavar="FILE", help="write counts and times as JSON lines")
    _look_options(run)

    photo = add("photo", "relight one picture, or a folder of pictures into a folder")
    photo.add_argument("input", type=path, metavar="IN")
    photo.add_argument("output", type=path, metavar="OUT")
    photo.add_argument("--maps", type=path, metavar="DIR", help="also write depth, normals, alpha, shading")
    _look_options(photo)

    video = add("video", "relight a video file, sound kept")
    video.add_argument("input", type=path, metavar="IN")
    video.add_argument("output", type=path, metavar="OUT")
    video.add_argument("--frames", type=whole, metavar="N", help="stop after N")
    video.add_argument("--maps", type=path, metavar="DIR", help="also write the maps of every frame")
    _look_options(video)

    bench = add("bench", "measure the pipeline on this machine, stage by stage")
    bench.add_argument("--frames", type=whole, default=120, metavar="N")
    bench.add_argument("--size", default="1280x720", metavar="WxH")
    bench.add_argument("--json", type=path, metavar="FILE", help="also write the result for programs")
    bench.add_argument("--source", default="demo", metavar="FILE", help="a clip instead of the demo")
    bench.add_argument(
        "--against",
        nargs="?",
        const="all",
        metavar="NAMES",
        help="also time other networks on the same frames: all, midas-small, depth-anything-252, "
        "depth-anything-518, FILE.onnx[@WxH]; several with commas",
    )
    _look_options(bench)

    add("doctor", "what was found, what is missing and the command that mends it")
    engines = add("engines", "the networks that are shipped, and what is compiled of them")
    engines.add_argument("action", choices=["list", "info", "build", "import"], nargs="?", default="list")
    engines.add_argument("name", nargs="?", help="which (info, build), or an .onnx file (import)")
    engines.add_argument(
        "--target",
        metavar="NAMES",
        help="build for: ampere (and later), sm75, sm80, sm86, sm89, sm120, sm121, current; "
        "several with commas (default ampere,sm75, together every card; current with the classical library)",
    )
    engines.add_argument("--size", metavar="WxH", help="build for one input size (default: any)")
    engines.add_argument(
        "--frame", metavar="WxH", help="build what --engine tensorrt runs for a camera of that size"
    )
    for task in IMPORTS:
        engines.add_argument(f"--{task}", action="store_true", help=f"import: its output for {task} is used")
    engines.add_argument(
        "--as",
        dest="like",
        metavar="CARD",
        help="import: the ready-made card (`engines list`) or card file that fits it; none: ask the network",
    )
    engines.add_argument("--name", dest="called", metavar="NAME", help="import: what to call it")
    presets = add("presets", "named light rigs")
    presets.add_argument("action", choices=["list", "show", "save"], nargs="?", default="list")
    presets.add_argument("name", nargs="?", help="which (show, save)")
    _look_options(presets)
    add("cameras", "capture devices by index, name and formats")
    return parser


def settings_of(args: argparse.Namespace) -> Settings:
    """Configuration file first, command line on top. Raises UsageError."""
    settings = load_settings(args.config) if getattr(args, "config", None) else Settings()
    names = ("source", "size", "fps", "mirror", "preset", "engine", "quality", *LOOK_FIELDS)
    given = {n: getattr(args, n, None) for n in names}
    changes = {n: v for n, v in given.items() if v is not None}
    if changes.get("size"):
        parse_size(changes["size"])
    if changes.get("quality") is not None:
        check_quality(changes["quality"])
    if getattr(args, "sink", None):
        changes["sink"] = tuple(args.sink)
    if changes.get("preset") is not None:
        changes["light"] = None  # the file's lights stand for its own preset's
    if getattr(args, "light", None):
        changes["light"] = tuple(parse_light(spec) for spec in args.light)
    return replace(settings, **changes)


def dispatch(args: argparse.Namespace) -> int:
    """Calls the command. Each is imported only when it is used."""
    if args.command == "run":
        from .app import RunOptions, run

        return run(settings_of(args), RunOptions(args.frames, args.stats))
    if args.command == "photo":
        from .commands.photo import photo

        return photo(args.input, args.output, settings_of(args), args.maps)
    if args.command == "video":
        from .commands.video import video

        return video(args.input, args.output, settings_of(args), args.frames, args.maps)
    if args.command == "bench":
        from .commands.bench import bench

        return bench(settings_of(args), args.frames, args.json, args.against)
    if args.command == "doctor":
        from .commands.doctor import doctor

        return doctor()
    from .commands import lists

    if args.command == "engines":
        if args.action != "import" and (args.like or args.called or any(getattr(args, t) for t in IMPORTS)):
            raise UsageError("--depth, --matte, --as, ...", todo="they belong to `engines import`")
        if args.action == "build":
            from .commands.engines import build_plans

            return build_plans(args.name, args.target, args.size, args.frame)
        if args.target is not None or args.size is not None or args.frame is not None:
            raise UsageError("--target, --size and --frame", todo="they belong to `engines build`")
        if args.action == "import":
            from .commands.engines_import import import_network

            tasks = tuple(task for task in IMPORTS if getattr(args, task))
            return import_network(args.name, tasks, args.like, args.called)
        return lists.engines(args.action, args.name)
    if args.command == "presets":
        return lists.presets(args.action, args.name, settings_of(args))
    return lists.cameras()


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 done, 1 failed at work, 2 wrong arguments, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Closed streams are None (`2>&-`), and names of files may hold what the terminal cannot show.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in words
    try:
        return dispatch(parse(build_parser(), words))
    except KeyboardInterrupt:
        return 130
    except LiveRelightError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output left (`| head`): no error for a list, an unfinished job for the others.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if words and words[0] in LISTS else 1
    except MemoryError:
        return _fail("not enough memory; close other programs or give it smaller pictures", 1)
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.filename or type(error).__name__}: {error.strerror or error}", 1)
    except Exception as error:
        if interrupt.arrived():
            return interrupt.EXIT_STATUS
        if debug:
            raise
        return _fail(f"unexpected {type(error).__name__}: {error}; --debug shows a traceback", 1)


def _fail(message: str, status: int) -> int:
    with suppress(OSError):
        print("live-relight:", " ".join(message.split()), file=sys.stderr)
    return status
