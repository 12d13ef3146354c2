"""`engines build`: a network compiled to TensorRT plans, on any machine; and what runs a network here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core.errors import EstimatorError, UsageError
from ..core.settings import parse_size
from ..geometry import (
    build,
    front,
    fuse,
    imported,
    network,
    open_estimator,
    providers,
    race,
    shapes,
    trt_library,
)


def backends(item: network.Network) -> list[tuple[str, str]]:
    """Engines by their names for --engine, each with why it cannot run this network here, '' where it can; an
    imported one runs with ours beside it. Tried, not guessed: a card has to give what the CPU gives for a
    frame. Lines about anything else go to stderr."""
    names = ["onnx"]
    if importlib.util.find_spec("openvino"):
        names.append("openvino")
    if trt_library.look()[0] is not None:
        names.append("tensorrt")
    names += [provider.name for provider in providers.available()]
    return [(name, _fault(name, item)) for name in names]


def _fault(engine: str, item: network.Network) -> str:
    faults: list[str] = []
    passed_over = f"--engine {engine} {race.PASSED_OVER}: "

    def hear(line: str) -> None:
        # A card that fails is no error: the CPU's estimator comes, after this line.
        if line.startswith(passed_over):
            faults.append(line.removeprefix(passed_over))
        else:
            _say(line)

    try:
        open_estimator(f"{engine}:{item.path}", say=hear).close()
    except EstimatorError as error:
        return str(error)
    return faults[0] if faults else ""


def build_plans(name: str | None, targets: str | None, size: str | None, frame: str | None = None) -> int:
    """Prints the path of each plan, one a line; everything else goes to stderr. `frame`: a camera's size, for
    which everything from its bytes on is compiled, as `--engine tensorrt` does at its first frame."""
    wanted = build.parse_targets(targets) if targets is not None else None
    if frame is not None and size is not None:
        raise UsageError(
            "--size with --frame", todo="one of them: the network's size follows from the frame's"
        )
    found = network.find_network(name or network.DEFAULT)
    network.verify(found)
    make = _maker(found, size, frame)
    library = trt_library.require()
    wanted = wanted or build.usual_targets(library)
    for target in wanted:
        build.check_target(library, target)
    own = [target for target in wanted if target not in build.usual_targets(library)]
    if frame is not None and own:
        used = " and ".join(build.usual_targets(library))
        _say(f"--target {','.join(own)} is for programs of your own: `run` uses plans for {used}")
    _say(f"compiling with {library.title}")
    for target in wanted:
        label = f"{found.name} for {target}"
        # disable=None: no bar where stderr is no terminal.
        form = "{l_bar}{bar}| {elapsed}"
        with tqdm(desc=label, total=1.0, bar_format=form, leave=False, disable=None) as bar:
            path = make(target, library, _say, partial(_show, bar))
        print(path, flush=True)
    return 0


def _maker(item: network.Network, size: str | None, frame: str | None) -> Callable[..., Path]:
    """What compiles it, given a target, a library and two callbacks."""
    if imported.is_foreign(item):
        return _imported_maker(item, size, frame)
    if frame is not None:
        return partial(fuse.build_fused, item, front.form_for(item, parse_size(frame, "--frame")))
    wanted = shapes.shapes_for(item, size)
    return lambda target, *rest: build.build(item, target, wanted, *rest)


def _imported_maker(item: network.Network, size: str | None, frame: str | None) -> Callable[..., Path]:
    from ..geometry import foreign_front
    from ..geometry.foreign_net import ForeignNetwork

    if frame is None:
        got = f"an imported network{' and --size' if size else ''}"
        raise UsageError("engines build", got, "--frame with the camera's size, such as --frame 1280x720")
    net = ForeignNetwork(item.path, imported.card_of(item), f"network {item.path}")
    form = foreign_front.form_for(net, parse_size(frame, "--frame"))
    return partial(fuse.build_imported, item, net, form)


def _show(bar: Any, part: float) -> None:
    bar.n = part
    bar.refresh()


def _say(line: str) -> None:
    tqdm.write(f"live-relight: {line}", file=sys.stderr)
