"""MediaPipe's small networks as a yardstick on real people: face mesh and selfie segmentation.

Optional: needs PyPI `ai-edge-litert` and the tflite files under `peers/mediapipe`. Images are
[H,W,3] float32 sRGB 0..1.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Peers:
    """Loads the three networks once."""

    def __init__(self, folder: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        def load(name: str) -> Any:
            net = Interpreter(str(folder / name), num_threads=2)
            net.allocate_tensors()
            return net

        self.detector = load("face_detection_short_range.tflite")
        self.mesh = load("face_landmark.tflite")
        self.segment = load("selfie_segmentation.tflite")
        self.anchors = make_anchors()
        self.triangles = read_triangles(folder / "canonical_face_model.obj")

    def matte(self, image: F32) -> F32:
        """Selfie segmentation [H,W] 0..1."""
        out = invoke(self.segment, cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA))[0][0, ..., 0]
        return cv2.resize(out, image.shape[1::-1])

    @staticmethod
    def enlarged(image: F32) -> F32:
        """At twice the size: `faces` of small pictures are found better so (halve their meshes)."""
        return np.clip(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), 0, 1)

    def faces(self, image: F32, least: float = 0.75) -> list[F32]:
        """Meshes [468,3] of the faces found: x, y in pixels (y down), z in the same unit (- is near)."""
        return [
            m for m in (self._landmarks(image, box) for box in self._detect(image, least)) if m is not None
        ]

    def _detect(self, image: F32, least: float) -> list[tuple[float, float, float, float]]:
        """Square regions (centre x, y, size, roll in radians), largest score first."""
        height, width = image.shape[:2]
        side = max(height, width)
        canvas = np.zeros((side, side, 3), np.float32)
        canvas[:height, :width] = image
        small = cv2.resize(canvas, (128, 128), interpolation=cv2.INTER_AREA) * 2 - 1
        out = sorted(invoke(self.detector, small), key=lambda a: a.shape[-1])
        score = 1 / (1 + np.exp(-np.clip(out[0][0, :, 0], -80, 80)))
        found: list[tuple[float, float, float, float]] = []
        for k in np.argsort(-score):
            if score[k] < least or len(found) == 3:
                break
            raw = out[1][0, k] / 128
            cx, cy = raw[0] + self.anchors[k, 0], raw[1] + self.anchors[k, 1]
            size = 1.5 * max(raw[2], raw[3]) * side
            eyes = raw[4:8].reshape(2, 2)
            roll = float(np.arctan2(eyes[1, 1] - eyes[0, 1], eyes[1, 0] - eyes[0, 0]))
            box = (cx * side, cy * side, size, roll)
            if all(np.hypot(box[0] - f[0], box[1] - f[1]) > 0.4 * f[2] for f in found):
                found.append(box)
        return found

    def _landmarks(self, image: F32, box: tuple[float, float, float, float]) -> F32 | None:
        """The face mesh in one region, or None if there is no face."""
        cx, cy, size, roll = box
        turn = cv2.getRotationMatrix2D((cx, cy), np.degrees(roll), 192 / size)
        turn[:, 2] += [96 - cx, 96 - cy]
        patch = cv2.warpAffine(image, turn, (192, 192))
        out = invoke(self.mesh, patch)
        points = next(o for o in out if o.size == 1404).reshape(468, 3)
        flag = float(next(o for o in out if o.size == 1).ravel()[0])
        if 1 / (1 + np.exp(-flag)) < 0.5:
            return None
        back = cv2.invertAffineTransform(turn)
        flat = points[:, :2] @ back[:, :2].T + back[:, 2]
        return np.concatenate([flat, points[:, 2:] * size / 192], 1).astype(np.float32)

    def normals(self, mesh: F32, shape: tuple[int, int], camera: F32) -> tuple[F32, F32]:
        """Mesh [468,3] -> unit normals [H,W,3] in camera axes and where they are valid [H,W].

        camera: (f, cx, cy) in pixels of the mesh. The network sees a face cut out of the picture and knows
        nothing of where it was: its mesh is as of a camera that looks straight at the face, and is turned
        into the axes of the one that took the picture (`line_of_sight`).
        """
        points = mesh * np.array([1, -1, -1], np.float32)
        a, b, c = (points[self.triangles[:, k]] for k in range(3))
        face = np.cross(b - a, c - a)
        if face[:, 2].sum() < 0:
            face = -face
        vertex = np.zeros((468, 3), np.float32)
        for k in range(3):
            np.add.at(vertex, self.triangles[:, k], face)
        normal = np.zeros((*shape, 3), np.float32)
        mask = np.zeros(shape, np.uint8)
        order = np.argsort(points[self.triangles].mean(1)[:, 2])
        for t in self.triangles[order]:
            corner = np.round(mesh[t, :2] * 16).astype(np.int32)
            colour = vertex[t].sum(0)
            colour = colour / max(float(np.linalg.norm(colour)), 1e-9)
            cv2.fillConvexPoly(normal, corner, colour.tolist(), shift=4)
            cv2.fillConvexPoly(mask, corner, 1, shift=4)
        normal = cv2.GaussianBlur(normal, (0, 0), 1.0)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        inner = cv2.erode(mask, np.ones((5, 5), np.uint8)).astype(np.float32)
        x, y = mesh[:, :2].mean(0)
        return normal / np.maximum(length, 1e-6) @ line_of_sight(float(x), float(y), camera).T, inner


def line_of_sight(x: float, y: float, camera: F32) -> F32:
    """The smallest rotation [3,3] that takes the axis of a camera (f, cx, cy in pixels) to what its pixel
    (x, y) looks at (Rodrigues' formula)."""
    focal, cx, cy = (float(v) for v in camera)
    way = np.array([(x - cx) / focal, (cy - y) / focal, -1.0])
    way /= np.linalg.norm(way)
    axis = np.cross([0.0, 0.0, -1.0], way)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + skew + skew @ skew / (1 - way[2])).astype(np.float32)


def open_peers(assets: Path | None) -> Peers | None:
    """The networks under `assets`, or None where the files or the interpreter are missing."""
    folder = assets / "peers" / "mediapipe" if assets else None
    if folder is None or not folder.is_dir() or find_spec("ai_edge_litert") is None:
        return None
    return Peers(folder)


def invoke(net: Any, image: F32) -> list[F32]:
    """Run a network on one picture [h,w,3]; its outputs."""
    net.set_tensor(net.get_input_details()[0]["index"], np.ascontiguousarray(image[None], np.float32))
    net.invoke()
    return [net.get_tensor(d["index"]).copy() for d in net.get_output_details()]


def make_anchors() -> F32:
    """Anchor centres [896,2] of the short-range face detector: 2 per cell at 16x16, 6 at 8x8."""
    rows = []
    for cells, each in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centre = np.stack([(x + 0.5) / cells, (y + 0.5) / cells], -1).reshape(-1, 2)
        rows.append(np.repeat(centre, each, 0))
    return np.concatenate(rows).astype(np.float32)


def read_triangles(path: Path) -> NDArray[np.int32]:
    """Faces [F,3] of the canonical mesh."""
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("f ")]
    return np.array([[int(c.split("/")[0]) - 1 for c in row] for row in rows], np.int32)
