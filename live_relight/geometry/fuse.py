"""Plans for one camera's frames: a network with what is around it, from a frame's bytes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import build, foreign_front, front, plans
from .foreign_net import ForeignNetwork
from .network import Network
from .shapes import Job
from .trt_library import Library

Say = Callable[[str], None]


def quiet(line: str) -> None: ...


def _unseen(part: float) -> None: ...


def build_fused(
    network: Network,
    form: front.Form,
    target: str,
    library: Library,
    say: Say = quiet,
    progress: Callable[[float], None] = _unseen,
) -> Path:
    """As `build.build`, of one of our networks, for one camera's frames: from a frame's bytes to finished
    arrays. Says nothing of a plan that is there already."""
    source = build.source_of(network)
    graph = partial(front.fused, source.data, form, f"network {source.path}")
    return _obtained(
        network, source, form, front.digest(source.data, form), graph, target, library, say, progress
    )


def build_imported(
    network: Network,
    net: ForeignNetwork,
    form: foreign_front.Form,
    target: str,
    library: Library,
    say: Say = quiet,
    progress: Callable[[float], None] = _unseen,
) -> Path:
    """As `build_fused`, of an imported network; `net` is the same, opened on the processor."""
    source = build.source_of(network)
    graph = partial(foreign_front.fused, source.data, net, form, f"network {source.path}")
    digest = foreign_front.digest(source.data, net, form)
    return _obtained(network, source, form, digest, graph, target, library, say, progress)


def _obtained(
    network: Network,
    source: build.Source,
    form: Job,
    digest: str,
    graph: Callable[[], bytes],
    target: str,
    library: Library,
    say: Say,
    progress: Callable[[float], None],
) -> Path:
    """The plan of `graph`, which is made only where the plan is not there; `digest` is its sum."""
    build.check_target(library, target)
    key = plans.Key(
        network=network.name,
        onnx=digest,
        library=library.name,
        version=library.version,
        target=build.resolved(target),
        precision=source.precision,
        shapes=str(form),
        place=build.place(network),
    )

    def make() -> bytes:
        say(f"compiling {network.name} for frames of {form.frame[0]}x{form.frame[1]} with {library.title}")
        return build.compile_plan(library, replace(source, data=graph()), target, form, progress)

    return plans.obtain(key, library, make, say, say_hits=False)
