"""Geometry written out at a picture's full size, for people and for programs."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from .core import planes as plain
from .core import reference
from .core.colour import linear_to_srgb
from .core.frames import Geometry, Image, Map
from .core.look import Look
from .core.projection import intrinsics
from .files import make_folder, write_whole
from .resize import resized
from .shade.guided import coefficients
from .shelf import FileShelf

NAMES = ("depth.png", "normals.png", "alpha.png", "shading.png", "maps.npz")
"""What `write_maps` writes."""
SHADING_PIXELS = 640 * 360


def full_size(image: Image, geometry: Geometry) -> tuple[Map, Map, Map]:
    """(depth H x W, normal H x W x 3, alpha H x W) at the picture's size, along its edges, as the light
    pass sees them."""
    h, w = image.shape[:2]
    planes = coefficients(geometry)
    guide = image.astype(np.float32) / np.float32(255)

    def bring_up(index: int) -> Map:
        c = cv2.resize(planes[index], (w, h), interpolation=cv2.INTER_LINEAR).reshape(h, w, 4)
        return np.asarray((c[..., :3] * guide).sum(axis=-1) + c[..., 3], np.float32)

    alpha = np.asarray(plain.ends(bring_up(0)), np.float32)
    normal = np.dstack([bring_up(i) for i in (2, 3, 4)])
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    return np.clip(bring_up(1), 0.05, 20.0), normal, alpha


def shading_picture(image: Image, geometry: Geometry, look: Look) -> Image:
    """Our light alone on a grey person: H x W x 3 uint8 BGR, sRGB-encoded."""
    h, w = image.shape[:2]
    scale = min(1.0, (SHADING_PIXELS / (w * h)) ** 0.5)
    small = resized(image, (max(1, round(w * scale)), max(1, round(h * scale))))
    light = reference.light_map(geometry, small, look, None, (w, h), shelf=FileShelf())
    lit = linear_to_srgb(0.5 * light[..., :3] + light[..., 3:]).astype(np.float32)
    big = cv2.resize(lit, (w, h), interpolation=cv2.INTER_LINEAR).reshape(h, w, 3)
    alpha = full_size(image, geometry)[2][..., None]
    return np.asarray(np.rint(big * alpha * 255.0), np.uint8)


def depth_picture(depth: Map, alpha: Map) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """H x W uint16, near as bright, stretched over the person's range; black where nobody is."""
    inside = alpha > 0.5
    if not inside.any():
        return np.zeros(depth.shape, np.uint16)
    near, far = np.percentile(1.0 / depth[inside], (99.5, 0.5))
    shown = np.clip((1.0 / depth - far) / max(near - far, 1e-6), 0.0, 1.0) * 0.9 + 0.1
    return np.asarray(np.rint(shown * alpha * 65535.0), np.uint16)


def normal_picture(normal: Map) -> Image:
    """H x W x 3 uint8 BGR whose RGB is (n + 1) / 2."""
    return np.asarray(np.rint((normal[..., ::-1] + 1.0) * 127.5), np.uint8)


def write_maps(folder: Path, image: Image, geometry: Geometry, look: Look) -> None:
    """depth.png (16 bit), normals.png, alpha.png, shading.png and maps.npz into `folder`."""
    depth, normal, alpha = full_size(image, geometry)
    pictures = {
        "depth.png": depth_picture(depth, alpha),
        "normals.png": normal_picture(normal),
        "alpha.png": np.rint(alpha * 255.0).astype(np.uint8),
        "shading.png": shading_picture(image, geometry, look),
    }
    make_folder(folder)
    for name, picture in pictures.items():
        write_whole(folder / name, cv2.imencode(".png", picture)[1].tobytes())
    arrays = io.BytesIO()
    camera = intrinsics((image.shape[1], image.shape[0]), look.fov)
    np.savez_compressed(arrays, depth=depth, normal=normal, alpha=alpha, intrinsics=camera)
    write_whole(folder / "maps.npz", arrays.getvalue())
