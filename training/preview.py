"""Look at a network: picture, normals, depth, matte and the plaster figure lit from both sides.

python -m training.preview --model engines/first-light.onnx --out sheet.png PICTURE_OR_CLIP ...
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluate import Predictor, onnx_predictor
from training.real import fit, frames
from training.synth.sheet import paint_depth, paint_normals, relit
from training.told import in_one_line

F32 = NDArray[np.float32]


def lambert(image: F32, normal: F32, alpha: F32, azimuth: float) -> NDArray[np.uint8]:
    """The picture itself, dimmed and lit from azimuth degrees (+ = right), in linear light."""
    a = np.radians(azimuth)
    light = np.array([np.sin(a) * 0.9, 0.44, np.cos(a) * 0.9])
    shade = np.clip(normal @ (light / np.linalg.norm(light)), 0, None)
    linear = image**2.2
    out = linear * (0.25 + (1.6 * shade * alpha)[..., None])
    return (np.clip(out, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def row_of(image: F32, predict: Predictor) -> NDArray[np.uint8]:
    """One picture's results side by side [H, 7W, 3] uint8 RGB."""
    normal, depth, alpha = predict(image)
    matte = np.repeat((alpha * 255).astype(np.uint8)[..., None], 3, -1)
    return np.hstack(
        [
            (image * 255).astype(np.uint8),
            paint_normals(normal, alpha),
            paint_depth(depth, alpha),
            matte,
            relit(normal, alpha, -60),
            lambert(image, normal, alpha, -60),
            lambert(image, normal, alpha, 60),
        ]
    )


def load_pictures(path: Path, count: int) -> list[F32]:
    """A still picture, or frames of a clip, as [H,W,3] sRGB 0..1."""
    if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
        image = cv2.imread(str(path))
        if image is None:
            raise ValueError(f"{path}: not a picture that OpenCV can read")
        return [image[..., ::-1].astype(np.float32) / 255]
    return list(frames(path, count))


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line."""
    from training.synth.__main__ import parse_size

    parser = argparse.ArgumentParser(prog="python -m training.preview", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=parse_size, default=(256, 192))
    parser.add_argument("--count", type=int, default=2, help="frames per clip")
    parser.add_argument("inputs", type=Path, nargs="+")
    args = parser.parse_args(argv)
    predict = onnx_predictor(args.model)
    rows = [
        row_of(np.ascontiguousarray(fit(image, args.size)), predict)
        for path in args.inputs
        for image in load_pictures(path, args.count)
    ]
    if not cv2.imwrite(str(args.out), np.vstack(rows)[..., ::-1]):
        raise OSError(f"{args.out}: could not write the picture")


if __name__ == "__main__":
    sys.exit(main())
