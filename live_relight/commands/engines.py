"""`engines build`: a network compiled to TensorRT plans, on any machine; and what runs a network here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core.errors import EstimatorError, UsageError
from ..core.settings import parse_size
from ..core.stages import Estimator
from ..geometry import build, front, fuse, imported, network, open_estimator, shapes, trt_library


def backends(item: network.Network) -> list[tuple[str, str]]:
    """Engines by their names for --engine, each with why it cannot run this network here, '' where it can.
    Tried, not guessed: the network is loaded by every one that is installed."""
    from ..geometry.onnx import OnnxEstimator
    from ..geometry.openvino import OpenVinoEstimator
    from ..geometry.providers import available
    from ..geometry.tensorrt import open_tensorrt

    ways: list[tuple[str, Callable[[], Estimator]]] = [("onnx", lambda: OnnxEstimator(item))]
    if importlib.util.find_spec("openvino"):
        ways.append(("openvino", lambda: OpenVinoEstimator(item)))
    if trt_library.look()[0] is not None:
        ways.append(("tensorrt", partial(open_tensorrt, item)))
    ways += [(p.name, partial(OnnxEstimator, item, 0, p)) for p in available()]
    return _tried(item, ways)


def backends_of_imported(item: network.Network) -> list[tuple[str, str]]:
    """As `backends`, for an imported network: with ours beside it for what it does not give."""
    from ..geometry.providers import available

    names = ["onnx", *(p.name for p in available())]
    if importlib.util.find_spec("openvino"):
        names.insert(1, "openvino")
    if trt_library.look()[0] is not None:
        names.insert(1, "tensorrt")
    ways = [(name, partial(open_estimator, f"{name}:{item.name}", 0, _silent)) for name in names]
    return _tried(item, ways)


def _silent(line: str) -> None: ...


def _tried(
    item: network.Network, ways: Sequence[tuple[str, Callable[[], Estimator]]]
) -> list[tuple[str, str]]:
    found = []
    for name, make in ways:
        try:
            network.verify(item)
            make().close()
        except EstimatorError as error:
            found.append((name, str(error)))
        else:
            found.append((name, ""))
    return found


def build_plans(name: str | None, targets: str | None, size: str | None, frame: str | None = None) -> int:
    """Prints the path of each plan, one a line; everything else goes to stderr. `frame`: a camera's size, for
    which everything from its bytes on is compiled, as `--engine tensorrt` does at its first frame."""
    wanted = build.parse_targets(targets)
    if frame is not None and size is not None:
        raise UsageError(
            "--size with --frame", todo="one of them: the network's size follows from the frame's"
        )
    found = network.find_network(name or network.DEFAULT)
    network.verify(found)
    make = _maker(found, size, frame)
    library = trt_library.require()
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
