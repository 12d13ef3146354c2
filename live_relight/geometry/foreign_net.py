"""Runs a network that somebody else made, as its card says: a frame to maps in our units and axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ..core.errors import EstimatorError
from ..core.frames import Image, Map
from ..core.projection import intrinsics
from ..resize import resized
from .foreign import WAYS, Card, Input
from .providers import Provider, first_line, open_session

Array = npt.NDArray[Any]
Box = tuple[int, int, int, int]
"""Left, top, width, height."""
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
LEAST = 8
"""Shortest side of a map."""


class ForeignNetwork:
    """`label` names the file `model` in errors."""

    def __init__(
        self,
        model: Path,
        card: Card,
        label: str,
        threads: int = 0,
        provider: Provider | None = None,
    ) -> None:
        self.card, self.label = card, label
        self._session: ort.InferenceSession = open_session(model, label, threads, provider)
        self.picture = picture_input(self._session, card.input, label)
        self.last = self.picture.shape[1] != 3
        """Whether channels come last."""
        self._fixed = [side if isinstance(side, int) and side > 0 else 0 for side in self._sides()]
        self._names = [out.name for out in self._session.get_outputs()]
        self.camera = check_inputs(self._session, self.picture.name, card.input, label)

    def _sides(self) -> list[Any]:
        """height, width: numbers, or whatever stands for free ones."""
        return list(self.picture.shape[1:3] if self.last else self.picture.shape[2:4])

    @property
    def fixed(self) -> bool:
        """Whether the file says how wide and how high its picture is."""
        return all(self._fixed)

    def size(self, frame: tuple[int, int], share: float = 1.0) -> tuple[int, int]:
        """(width, height) that it sees a frame of `frame` at."""
        one, (high, wide) = self.card.input, self._fixed
        aspect = min(max(frame[0] / frame[1], 0.25), 4.0)
        area = one.size[0] * one.size[1] * share
        w, h = (area * aspect) ** 0.5, (area / aspect) ** 0.5
        free = [max(one.multiple, round(side / one.multiple) * one.multiple) for side in (w, h)]
        return wide or free[0], high or free[1]

    def placed(self, frame: tuple[int, int], share: float = 1.0) -> tuple[tuple[int, int], Box]:
        """`size` for frames of (width, height), and where in it the frame is."""
        w, h = frame
        size = self.size(frame, share)
        if self.card.input.fit == "stretch":
            return size, (0, 0, *size)
        scale = min(size[0] / w, size[1] / h)
        inner = max(1, round(w * scale)), max(1, round(h * scale))
        return size, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2, *inner)

    def close(self) -> None:
        """Nothing to give back: the session goes with the object."""

    def outputs(self, image: Image, share: float = 1.0) -> dict[str, Array]:
        """Every output as it comes, by name. Raises EstimatorError."""
        return self.run(*self.given(image, share))

    def maps(self, image: Image, share: float = 1.0) -> dict[str, Map]:
        """`image` H x W x 3 uint8 BGR to what the card promises, h x w of the network's own size: 'depth' as
        it comes, 'normal' h x w x 3 in camera space, not of unit length, 'matte' 0..1. All finite."""
        frame = image.shape[1], image.shape[0]
        found = self.outputs(image, share)
        for out in self.card.outputs.values():
            if out.name not in found:
                raise EstimatorError(self.label, f"no output '{out.name}'", f"one of {', '.join(found)}")
        return self.told({task: found[out.name] for task, out in self.card.outputs.items()}, frame, share)

    def told(self, found: Mapping[str, Array], frame: tuple[int, int], share: float = 1.0) -> dict[str, Map]:
        """As `maps`, of outputs that are there, by task. Raises EstimatorError for one of a wrong shape."""
        size, box = self.placed(frame, share)
        maps = {}
        for task, out in self.card.outputs.items():
            plane = cut(plane_of(found[task], task, self.label), size, box)
            if task == "normal":
                squeeze = 1.0 if self.card.input.fit == "pad" else (size[0] / size[1]) / (frame[0] / frame[1])
                plane = turned(plane, out.range, out.axes)
                plane[..., 0] *= np.float32(squeeze)
            elif task == "matte":
                low, high = out.range or (0.0, 1.0)
                plane = np.clip((plane - low) / (high - low), 0.0, 1.0)
            maps[task] = np.asarray(plane, np.float32)
        return maps

    def given(self, image: Image, share: float) -> tuple[Image, Box]:
        """The frame at the network's size, and where in it the frame is."""
        size, box = self.placed((image.shape[1], image.shape[0]), share)
        small = resized(image, box[2:])
        if box[2:] == size:
            return small, box
        left, top, right, bottom = borders(size, box)
        padded = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_REPLICATE)
        return np.asarray(padded, np.uint8), box

    def camera_at(self, box: Box) -> Array:
        """What the input for the camera takes when the frame is at `box`; only where there is one."""
        matrix = intrinsics(box[2:], self.card.input.fov)
        matrix[:2, 2] += box[:2]
        form = (1, 3, 3) if len(self.camera.shape) == 3 else (3, 3)
        return np.asarray(matrix.reshape(form), FLOATS[self.camera.type])

    def run(self, small: Image, box: Box) -> dict[str, Array]:
        """Every output by name, for what `given` made of a frame. Raises EstimatorError."""
        feed = {self.picture.name: tensor(small, self.card.input, self.picture.type, self.last)}
        if self.camera is not None:
            feed[self.camera.name] = self.camera_at(box)
        try:
            found = self._session.run(None, feed)
        except Exception as error:  # onnxruntime has no common base for its errors
            raise EstimatorError(self.label, first_line(error), "a network that runs") from None
        return dict(zip(self._names, found, strict=True))


def picture_input(session: ort.InferenceSession, card: Input, label: str) -> Any:
    """ONNX Runtime's description of the input for the picture. Raises EstimatorError."""
    inputs = {one.name: one for one in session.get_inputs()}
    said = ", ".join(f"'{n}' {described(one)}" for n, one in inputs.items())
    fitting = [n for n, one in inputs.items() if _is_picture(one) and card.name in ("", n)]
    if len(fitting) != 1:
        wanted = f"input '{card.name}'" if card.name else "one input"
        raise EstimatorError(label, f"inputs {said}", f"{wanted} for a picture, float [1, 3, height, width]")
    return inputs[fitting[0]]


def check_inputs(session: ort.InferenceSession, picture: str, card: Input, label: str) -> Any:
    """ONNX Runtime's description of the input for the camera, None where there is none. Raises EstimatorError
    where there are others."""
    others = [one for one in session.get_inputs() if one.name != picture]
    camera = [one for one in others if one.name == card.intrinsics or list(one.shape)[-2:] == [3, 3]]
    camera = [one for one in camera if one.type in FLOATS and len(one.shape) in (2, 3)]
    if len(others) > len(camera) or len(camera) > 1:
        said = ", ".join(f"'{one.name}' {described(one)}" for one in others)
        raise EstimatorError(label, f"further inputs {said}", "a picture alone, or with a 3 x 3 camera")
    return camera[0] if camera else None


def _is_picture(one: Any) -> bool:
    shape = list(one.shape)
    return one.type in FLOATS and len(shape) == 4 and (shape[1] == 3 or shape[3] == 3)


def described(one: Any) -> str:
    """'float32 [1, 3, height, width]'"""
    kinds = {"tensor(float)": "float32", "tensor(float16)": "float16"}
    sides = ", ".join(str(side) for side in one.shape)
    return f"{kinds.get(one.type, one.type.removeprefix('tensor(').rstrip(')'))} [{sides}]"


def tensor(small: Image, card: Input, kind: str, last: bool) -> Array:
    """The picture as the network wants it: order, scale, mean and standard deviation, layout, type."""
    picture = small[..., ::-1] if card.order == "RGB" else small
    values = picture.astype(np.float32) * np.float32(card.scale / 255.0)
    mean, std = (np.array(three, np.float32) for three in (card.mean, card.std))
    values = np.asarray((values - mean) / std, np.float32)
    values = values if last else np.moveaxis(values, -1, 0)
    return np.ascontiguousarray(values[None], FLOATS[kind])


def plane_of(found: Array, task: str, label: str) -> Map:
    """One output to h x w, or h x w x 3 for 'normal'; float32, may be not finite. Raises EstimatorError."""
    shape = tuple(getattr(found, "shape", ()))
    flat = np.asarray(found)
    if task == "normal":
        flat = flat[0] if flat.ndim == 4 and shape[0] == 1 else flat
        flat = np.moveaxis(flat, 0, -1) if flat.ndim == 3 and flat.shape[0] == 3 else flat
        fits = flat.ndim == 3 and flat.shape[2] == 3 and min(flat.shape[:2]) >= LEAST
    else:
        flat = flat.reshape([side for side in shape if side != 1])
        fits = flat.ndim == 2 and min(flat.shape) >= LEAST
    if not fits or flat.dtype.kind != "f":
        expected = (
            "3 channels, [1, 3, height, width]" if task == "normal" else "1 channel, [1, height, width]"
        )
        got = f"an output of {flat.dtype.name} {list(shape)}"
        raise EstimatorError(f"{label} for {task}", got, f"{expected}, of floats")
    return np.array(flat, np.float32)


def borders(size: tuple[int, int], box: Box) -> Box:
    """How much is left of, above, right of and below a frame at `box` in a picture of `size`."""
    left, top, w, h = box
    return left, top, size[0] - w - left, size[1] - h - top


def cut(plane: Map, size: tuple[int, int], box: Box) -> Map:
    """The part of `plane` that shows the frame, with values that are finite; `size`: of the network's
    picture."""
    h, w = plane.shape[:2]
    x, y = w / size[0], h / size[1]
    left, top = round(box[0] * x), round(box[1] * y)
    part = plane[
        top : max(top + 1, round((box[1] + box[3]) * y)), left : max(left + 1, round((box[0] + box[2]) * x))
    ]
    return np.nan_to_num(part, nan=0.0, posinf=1e6, neginf=-1e6)


def turned(plane: Map, limits: tuple[float, ...], axes: tuple[str, ...]) -> Map:
    """h x w x 3 as it comes to camera space: x right, y up, z toward the viewer; -1..1."""
    low, high = limits or (-1.0, 1.0)
    values = (plane - np.float32(low)) * np.float32(2.0 / (high - low)) - np.float32(1.0)
    result = np.empty_like(values)
    for channel, word in enumerate(axes or ("right", "up", "viewer")):
        axis, sign = WAYS[word]
        result[..., axis] = values[..., channel] * np.float32(sign)
    return result
