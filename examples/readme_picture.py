"""Makes docs/first-light.jpg, the README's picture, from the demo clip with the program's own library.

`python examples/readme_picture.py docs/first-light.jpg`
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from live_relight import Light, Relighter, Settings
from live_relight.capture import open_source
from live_relight.maps import depth_picture, full_size, normal_picture

FRAME = 20
PANEL = (640, 360)


def labelled(image: np.ndarray, text: str) -> np.ndarray:
    """`image` at the panel's size with its name in the corner."""
    panel = cv2.resize(image, PANEL, interpolation=cv2.INTER_AREA)
    for colour, shift in (((0, 0, 0), 1), ((255, 255, 255), 0)):
        at = (14 + shift, 344 + shift)
        cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
    return panel


def main(target: Path) -> None:
    clip = open_source("demo", pace=False)
    frame = next(f.image for f in iter(clip.read, None) if f.index == FRAME)
    clip.close()
    with Relighter(Settings()) as relighter:
        geometry = relighter.geometry(frame, both_ways=True)
        depth, normal, alpha = full_size(frame, geometry)
        grey = (depth_picture(depth, alpha) // 257).astype(np.uint8)
        left = [Light.of("key", az=-65, el=25, power=1.4), Light.of("rim", az=130)]
        panels = [
            labelled(frame, "before"),
            labelled(relighter.relight(frame, geometry=geometry), "studio: key from the right"),
            labelled(relighter.relight(frame, left, geometry), "key from the left"),
            labelled(normal_picture(normal), "normals"),
            labelled(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), "depth"),
            labelled(np.repeat((alpha * 255).astype(np.uint8)[..., None], 3, 2), "matte"),
        ]
    sheet = np.vstack([np.hstack(panels[:3]), np.hstack(panels[3:])])
    sheet = cv2.resize(sheet, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(target), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/first-light.jpg"))
