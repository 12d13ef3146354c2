"""Makes docs/gallery.jpg: the demo clip under every kind of light, with the program's own library.

`python examples/gallery.py docs/gallery.jpg`
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from live_relight import Light, Look, Relighter, Settings
from live_relight.capture import open_source

FRAME = 20
PANEL = (400, 300)
KEY = Light.of("key", az=60, el=30, power=1.2)
LOOKS: dict[str, Look | str] = {
    "as the camera sees it": "off",
    "preset studio": "studio",
    "preset window": "window",
    "preset auto": "auto",
    "key from the right": Look((KEY,), 0.25),
    "the same, no shadow": Look((replace(KEY, shadow=False),), 0.25),
    "key from the left": Look((replace(KEY, az=-60),), 0.25),
    "key from above": Look((replace(KEY, az=0, el=70, size=0.1),), 0.25),
    "softbox on the left": Look((Light.of("area", az=-55, power=1.2),), 0.25),
    "spot": Look((Light.of("spot", power=1.4),), 0.15),
    "two rims": Look((Light.of("rim", power=2), Light.of("rim", az=140, power=2)), 0.3),
    "room blurred and blue": Look(
        (KEY,), 0.4, background=0.35, background_blur=0.6, background_tint="#6080ff"
    ),
    "surroundings: window": Look((Light.of("env", file="window"),), 0.2),
    "surroundings: neon": Look((Light.of("env", file="neon"),), 0.2),
    "surroundings: sunset": Look((Light.of("env", file="sunset"),), 0.2),
    "evened out, flat": Look(ambient=1.0, delight=1.0),
}


def main(target: Path) -> None:
    clip = open_source("demo", pace=False)
    frame = next(f.image for f in iter(clip.read, None) if f.index == FRAME)
    clip.close()
    panels = []
    for name, look in LOOKS.items():
        with Relighter(Settings(preset=look if isinstance(look, str) else "off"), learned=1.0) as relighter:
            if isinstance(look, Look):
                relighter.look = look
            lit = relighter.relight(frame, geometry=relighter.geometry(frame, both_ways=True))
        h, w = lit.shape[:2]
        side = h * PANEL[0] // PANEL[1]
        left = (w - side) // 2 - w // 12
        panel = cv2.resize(lit[:, left : left + side], PANEL, interpolation=cv2.INTER_AREA)
        for colour, shift in (((0, 0, 0), 1), ((255, 255, 255), 0)):
            at = (10 + shift, PANEL[1] - 12 + shift)
            cv2.putText(panel, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
        panels.append(panel)
    rows = [np.hstack(panels[k : k + 4]) for k in range(0, len(panels), 4)]
    cv2.imwrite(str(target), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
