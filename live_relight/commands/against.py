"""`bench --against`: other networks on the same frames in the same process, in turns with ours."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ..core.errors import LiveRelightError, UsageError, nearest
from ..core.frames import Image
from ..core.settings import parse_size
from ..core.stages import Estimator
from ..geometry.providers import Provider, open_session, threads_or_default
from ..resize import resized
from .peers import PEERS, Peer, draw, require

ALL = "all"
WARM_UP, ROUNDS = 2, 20
"""Turns before it counts, and the most that count: the largest networks take seconds for a frame."""
FILE = re.compile(r"(?P<path>.+\.onnx)(?:@(?P<size>[0-9]+x[0-9]+))?", re.IGNORECASE)
MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of ImageNet's red, green and blue, 0..255: what the peers' pictures are normalised by."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of PEERS, or somebody's file; `size`: (width, height) that was asked for, None as the file says."""

    name: str
    peer: Peer | None = None
    path: Path = Path()
    size: tuple[int, int] | None = None


def parse(text: str) -> list[Wanted]:
    """'all', or names of PEERS and files FILE.onnx[@WxH] with commas between. Raises UsageError for what is
    neither, LiveRelightError for a file that will not do and where the package to draw PEERS with is not."""
    names = [word.strip() for word in text.split(",") if word.strip()] or [ALL]
    found = []
    for name in list(PEERS) if names == [ALL] else names:
        match = FILE.fullmatch(name)
        if match:
            size = parse_size(match["size"], f"--against {name}") if match["size"] else None
            path = Path(match["path"])
            if not path.is_file():
                raise LiveRelightError(f"--against {path}", "no such file", "an ONNX file")
            found.append(Wanted(path.name, None, path, size))
            Rival(found[-1])  # so that what is wrong with the file is said before anything is measured
        elif name in PEERS:
            require()
            found.append(Wanted(name, PEERS[name]))
        else:
            known = (*PEERS, ALL, "FILE.onnx")
            raise UsageError("--against", f"'{name}'", todo=nearest(name, known))
    return found


class Rival:
    """A network as its users have it: resize, normalise, run. `parameters` is None for a file."""

    def __init__(self, wanted: Wanted, provider: Provider | None = None) -> None:
        self.name, self.parameters = wanted.name, None
        model: bytes | Path = wanted.path
        if wanted.peer is not None:
            model, self.parameters = draw(wanted.peer)
        self._session = open_session(model, f"--against {wanted.name}", 0, provider, wanted.size)
        self.size = _size(self._session, wanted)
        self._input = self._session.get_inputs()[0].name

    def run(self, image: Image) -> list[npt.NDArray[np.float32]]:
        """H x W x 3 uint8 BGR to whatever the network gives, float32."""
        small = resized(image, self.size)
        blob = np.asarray(cv2.dnn.blobFromImage(small, mean=MEAN, swapRB=True), np.float32)
        blob *= 1 / np.array(SPREAD, np.float32).reshape(1, 3, 1, 1)
        try:
            return list(self._session.run(None, {self._input: blob}))
        except Exception as error:  # onnxruntime has no common base for its errors
            raise LiveRelightError(f"--against {self.name}", f"{error}", "a network that runs") from None


def _size(session: ort.InferenceSession, wanted: Wanted) -> tuple[int, int]:
    """Width and height of the network's input. Raises LiveRelightError where it is no picture's."""
    what = f"--against {wanted.name}"
    inputs = [(i.name, i.type, i.shape) for i in session.get_inputs()]
    _, kind, shape = inputs[0]
    if len(inputs) > 1 or kind != "tensor(float)" or len(shape) != 4 or not _free_or(3, shape[1]):
        raise LiveRelightError(what, f"inputs {inputs}", "one float32 picture, 1 x 3 x height x width")
    height, width = shape[2:]
    if wanted.size is not None:
        return wanted.size
    if not isinstance(height, int) or not isinstance(width, int):
        todo = f"say one: --against {wanted.path}@518x518"
        raise LiveRelightError(what, "a network that takes any size", todo=todo)
    return width, height


def _free_or(count: int, side: object) -> bool:
    """Whether a tensor's side, a number or the name of a free one, may be `count`."""
    return side == count or not isinstance(side, int)


def compare(
    wanted: Sequence[Wanted], ours: Estimator, share: float, frames: Sequence[Image]
) -> list[dict[str, object]]:
    """A row for each, printed as it comes: medians over the same frames, ours and the other in turns."""
    provider: Provider | None = getattr(ours, "provider", None)
    _print_head(provider)
    rows = []
    for item in wanted:
        rival = Rival(item, provider)
        own, other = _in_turns(ours, share, rival, frames)
        row: dict[str, object] = {
            "name": rival.name,
            "weights": "random" if item.peer else "of the file",
            "parameters": rival.parameters,
            "input": f"{rival.size[0]}x{rival.size[1]}",
            "ms": round(other * 1e3, 2),
            "ours_ms": round(own * 1e3, 2),
            "ratio": round(other / own, 2),
            "frames": len(frames),
        }
        _print(row)
        rows.append(row)
    if any(item.peer for item in wanted):
        print("Those with a number of parameters have random weights: they count for speed only.")
    return rows


def _in_turns(ours: Estimator, share: float, rival: Rival, frames: Sequence[Image]) -> tuple[float, float]:
    """Median seconds a frame of ours and of the other."""
    own: list[float] = []
    other: list[float] = []
    for image in islice(cycle(frames), WARM_UP + len(frames)):
        start = time.perf_counter()
        ours.estimate(image, share)
        middle = time.perf_counter()
        rival.run(image)
        own.append(middle - start)
        other.append(time.perf_counter() - middle)
    return statistics.median(own[WARM_UP:]), statistics.median(other[WARM_UP:])


def _print_head(provider: Provider | None) -> None:
    where = provider.title if provider else f"CPU, {threads_or_default(0)} threads"
    print(
        f"against, in turns on the same frames, resizing included (ONNX Runtime {ort.__version__}, {where})"
    )
    print(f"{'network':24} {'parameters':>10} {'input':>9} {'ms':>8} {'ours ms':>8} {'times ours':>11}")


def _print(row: dict[str, object]) -> None:
    count = row["parameters"]
    size = f"{count / 1e6:.1f} M" if isinstance(count, int) else "-"
    text = f"{row['name']:24} {size:>10} {row['input']:>9} {row['ms']:8.2f} {row['ours_ms']:8.2f}"
    print(f"{text} {row['ratio']:>11.1f}", flush=True)
