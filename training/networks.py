"""What is evaluated, by one interface: our networks, imported ones, a small public depth network.

A method takes a picture [H,W,3] float32 sRGB 0..1 and says what it can of it: `Found`. What it leaves out is
None: a depth network has no matte, and nothing of ours is put in its place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from live_relight.core.frames import Geometry
from live_relight.core.mirror import between, mirrored
from training.baselines import normals_of_depth

F32 = NDArray[np.float32]
Prediction = tuple[F32, F32, F32]
Predictor = Callable[[F32], Prediction]
FAR = 20.0
"""Farthest depth that an inverse depth is taken for, in the person's median distance."""
TCMONODEPTH = "TCMonoDepth, normals of its depth"
TCMONODEPTH_FILE = "tcmonodepth_tcsmallnet_192x320.onnx"


@dataclass(frozen=True)
class Found:
    """normal [H,W,3] unit, camera axes; depth [H,W]; alpha [H,W] 0..1; float32, or None.

    meaning: of depth: 'metric depth' is z of any scale, 'depth' and 'inverse depth' have a shift too.
    """

    normal: F32 | None = None
    depth: F32 | None = None
    alpha: F32 | None = None
    meaning: str = "metric depth"


class Method(Protocol):
    """A network under test."""

    def still(self, image: F32) -> Found:
        """One picture, for itself."""
        ...

    def clip(self) -> Callable[[F32], Found]:
        """A function to be given a clip's frames one after another."""
        ...


class OnnxMethod:
    """An .onnx file of ours, at the size of the picture; one with a `state` is handed its own from frame to
    frame of a clip, zeros before the first."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such network")
        try:
            self._session = _session(path, threads)
        except Exception as error:  # onnxruntime has no common base for its errors
            raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None
        inputs = {i.name: i.shape for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        if "image" not in inputs or not {"normal", "depth", "alpha"} <= outputs:
            raise ValueError(
                f"{path}: inputs {sorted(inputs)}, outputs {sorted(outputs)}; expected image, normal, depth, "
                "alpha: bring somebody else's network in with `live-relight engines import`"
            )
        self._channels = int(inputs["state"][1]) if "state" in inputs else 0

    def still(self, image: F32) -> Found:
        return self.clip()(image)

    def clip(self) -> Callable[[F32], Found]:
        state: F32 | None = None

        def follow(image: F32) -> Found:
            nonlocal state
            given = {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)}
            names = ["normal", "depth", "alpha"]
            if self._channels:
                height, width = image.shape[:2]
                empty = (1, self._channels, height // 2, width // 2)
                given["state"] = np.zeros(empty, np.float32) if state is None else state
                names.append("next_state")
            normal, depth, alpha, *rest = self._session.run(names, given)
            state = rest[0] if rest else None
            return Found(np.ascontiguousarray(normal[0].transpose(1, 2, 0)), depth[0, 0], alpha[0, 0])

        return follow


class _Stills(ABC):
    """A method without memory."""

    @abstractmethod
    def still(self, image: F32) -> Found: ...

    def clip(self) -> Callable[[F32], Found]:
        return self.still


class BothWays(_Stills):
    """What `live-relight photo` makes of a network: it is asked about the mirrored picture as well."""

    def __init__(self, network: OnnxMethod) -> None:
        self._network = network

    def still(self, image: F32) -> Found:
        straight = self._seen(image)
        found = between(straight, mirrored(self._seen(np.ascontiguousarray(image[:, ::-1]))))
        return Found(found.normal, found.depth, found.alpha)

    def _seen(self, image: F32) -> Geometry:
        found = self._network.still(image)
        assert found.normal is not None
        assert found.depth is not None
        assert found.alpha is not None
        return Geometry(found.normal, found.depth, found.alpha, np.zeros(image.shape, np.uint8))


class EngineMethod(_Stills):
    """What the application opens for --engine SPEC, at the size that it works at."""

    def __init__(self, spec: str) -> None:
        from live_relight.geometry import open_estimator

        self._estimator = _told(lambda: open_estimator(spec if ":" in spec else f"onnx:{spec}"))

    def still(self, image: F32) -> Found:
        found = _told(lambda: self._estimator.estimate(picture_of(image)))
        normal, depth, alpha = (resized(m, image) for m in (found.normal, found.depth, found.alpha))
        return Found(unit(normal), depth, alpha)


class ImportedMethod(_Stills):
    """Networks that `live-relight engines import` made known, each for what it says itself."""

    def __init__(self, names: Sequence[str]) -> None:
        from live_relight.geometry.foreign_net import ForeignNetwork
        from live_relight.geometry.imported import card_of
        from live_relight.geometry.network import find_network, verify

        def opened(name: str) -> ForeignNetwork:
            network = find_network(name)
            verify(network)
            return ForeignNetwork(network.path, card_of(network), f"network {network.path}", 2)

        self._networks = [_told(lambda name=name: opened(name)) for name in names]

    def still(self, image: F32) -> Found:
        found, picture = Found(), picture_of(image)
        for network in self._networks:
            maps = _told(lambda network=network: network.maps(picture))
            if "normal" in maps:
                found = replace(found, normal=unit(resized(maps["normal"], image)))
            if "matte" in maps:
                found = replace(found, alpha=resized(maps["matte"], image))
            if "depth" in maps:
                meaning = network.card.outputs["depth"].meaning or "inverse depth"
                found = replace(found, depth=resized(maps["depth"], image), meaning=meaning)
        return found


class TcMonoDepth(_Stills):
    """The small network of yu-li/TCMonoDepth (MIT): RGB 0..255, 192 x 320, to relative inverse depth.

    The picture keeps its aspect; what is left of the input is filled by repeating its edges.
    """

    def __init__(self, folder: Path) -> None:
        self._session = _session(folder / TCMONODEPTH_FILE, 2)
        self._size = (320, 192)

    def still(self, image: F32) -> Found:
        height, width = image.shape[:2]
        share = min(self._size[0] / width, self._size[1] / height)
        w, h = round(width * share), round(height * share)
        left, top = (self._size[0] - w) // 2, (self._size[1] - h) // 2
        border = (top, self._size[1] - h - top, left, self._size[0] - w - left)
        padded = cv2.copyMakeBorder(cv2.resize(image * 255, (w, h)), *border, cv2.BORDER_REPLICATE)
        tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        (out,) = self._session.run(None, {self._session.get_inputs()[0].name: tensor})
        inverse = resized(out[0, 0, top : top + h, left : left + w], image)
        return Found(depth=inverse, meaning="inverse depth")


def tcmonodepth(assets: Path | None) -> dict[str, Method]:
    """The row of TCMonoDepth, or none where its file is not under `assets`."""
    folder = assets / "peers" / "tcmonodepth" if assets else None
    return {TCMONODEPTH: TcMonoDepth(folder)} if folder and (folder / TCMONODEPTH_FILE).is_file() else {}


def settled(found: Found, depth: F32, mask: F32, camera: F32) -> Found:
    """`found` with z-distances and with normals: what has an unknown scale and shift gets those that fit the
    z-distances `depth` [H,W] best (least squares inside `mask`, of 1/z for an inverse depth), and normals
    that nobody gave are the depth's own. camera: (f, cx, cy) in pixels, as data.load_item gives it."""
    if found.depth is None:
        return found
    here = found.depth
    on = mask > 0.5
    if found.meaning != "metric depth" and on.sum() > 16:
        inverse = found.meaning == "inverse depth"
        wanted = 1 / depth[on] if inverse else depth[on]
        system = np.stack([here[on], np.ones(int(on.sum()), np.float32)], 1)
        (gain, shift), *_ = np.linalg.lstsq(system, wanted, rcond=None)
        here = (here * gain + shift).astype(np.float32)
        middle = float(np.median(depth[on]))
        here = 1 / np.maximum(here, 1 / (FAR * middle)) if inverse else np.maximum(here, 0.05 * middle)
    normal = normals_of_depth(here, camera) if found.normal is None else found.normal
    return replace(found, normal=normal, depth=here, meaning="metric depth")


def predictors(model: Path, beside: Sequence[str], ours: str) -> dict[str, Method]:
    """The network `model` by the name `ours`, the same both ways, then the others: .onnx files, which are run
    at the picture's size, or what --engine takes (`onnx:my.onnx` too), at the application's size."""
    from live_relight.core.settings import ENGINES

    network = OnnxMethod(model)
    found: dict[str, Method] = {ours: network, f"{ours}, both ways (photo)": BothWays(network)}
    for name in beside:
        if name.endswith(".onnx") and name.partition(":")[0] not in ENGINES:
            found[Path(name).stem] = OnnxMethod(Path(name))
        else:
            found[name] = _by_name(name)
    return found


def _by_name(name: str) -> Method:
    """Imported networks alone are themselves; anything else is what the application makes of it."""
    from live_relight.geometry.imported import is_foreign, split
    from live_relight.geometry.network import find_network

    if ":" not in name and all(is_foreign(_told(lambda n=n: find_network(n))) for n in split(name)):
        return ImportedMethod(split(name))
    return EngineMethod(name)


def onnx_predictor(path: Path, threads: int = 2) -> Predictor:
    """Image [H,W,3] sRGB 0..1 -> normal [H,W,3], depth [H,W], alpha [H,W] by ONNX Runtime."""
    method = OnnxMethod(path, threads)

    def predict(image: F32) -> Prediction:
        found = method.still(image)
        return found.normal, found.depth, found.alpha  # an OnnxMethod says all three

    return predict


def picture_of(image: F32) -> NDArray[np.uint8]:
    """[H,W,3] sRGB 0..1 to [H,W,3] uint8 BGR, as the application takes it."""
    return np.ascontiguousarray(np.clip(np.rint(image[..., ::-1] * 255), 0, 255).astype(np.uint8))


def resized(plane: NDArray[Any], image: F32) -> F32:
    """A map [h,w] or [h,w,3] at the size of `image`."""
    return cv2.resize(np.ascontiguousarray(plane, np.float32), image.shape[1::-1])


def unit(normal: F32) -> F32:
    """[H,W,3] of length one."""
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)


def _session(path: Path, threads: int) -> Any:
    """On the CPU; threads that wait do not spin, since training may be running beside."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _told(act: Callable[[], Any]) -> Any:
    """The application's errors as one that the commands of this folder know."""
    from live_relight.core.errors import LiveRelightError

    try:
        return act()
    except LiveRelightError as error:
        raise RuntimeError(str(error)) from None
