"""The program with a real kernel's camera and virtual camera, in a virtual machine (vm.py, guest.py)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, unavailable
from tests.device import vm

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(900)]

SIZE = (320, 180)  # as in guest.py


class Results:
    """What guest.py wrote down."""

    def __init__(self, folder: Path, console: str) -> None:
        self.folder, self.console = folder, console

    def __getitem__(self, name: str) -> dict[str, Any]:
        path = self.folder / f"{name}.json"
        assert path.exists(), f"the guest never came to '{name}'; console:\n{self.console[-3000:]}"
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded

    def picture(self, name: str) -> np.ndarray:
        """The last picture that a consumer took, HxWx3 uint8 BGR, decoded as the device declared it."""
        self[name]
        described = self[name]["format"]
        fourcc = re.search(r"Pixel Format\s*: '(\w+)'", described)
        sizes = re.search(r"Width/Height\s*: (\d+)/(\d+)", described)
        assert fourcc, described
        assert sizes, described
        w, h = int(sizes[1]), int(sizes[2])
        assert (w, h) == SIZE
        raw = np.fromfile(self.folder / f"{name}.raw", np.uint8)
        if fourcc[1] == "YUYV":
            return cv2.cvtColor(raw[-w * h * 2 :].reshape(h, w, 2), cv2.COLOR_YUV2BGR_YUYV)
        assert fourcc[1] == "YU12", described
        return cv2.cvtColor(raw[-w * h * 3 // 2 :].reshape(h * 3 // 2, w), cv2.COLOR_YUV2BGR_I420)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Results:
    try:
        image = vm.image()
    except vm.VmUnavailable as reason:
        unavailable(str(reason))
    out = tmp_path_factory.mktemp("guest")
    script = Path(__file__).with_name("guest.py")
    done = vm.boot(image, [sys.executable, str(script), vm.GUEST_OUT], ROOT, out, timeout_s=600)
    print(done.console)
    return Results(out, done.console)


def bars(picture: np.ndarray) -> np.ndarray:
    """8x3: the colours at the middles of vivid's eight bars, away from the blur at their edges."""
    h, w = picture.shape[:2]
    xs = ((np.arange(8) + 0.5) * w / 8).astype(int)
    return np.array([np.median(picture[h // 2 - 4 : h // 2 + 4, x - 4 : x + 4], axis=(0, 1)) for x in xs])


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, f"expected one line, got {text!r}"
    assert "Traceback" not in text
    return lines[0]


def test_the_camera_shows_bars(guest: Results) -> None:
    """The reference itself: white, yellow, cyan, green, magenta, red, blue, black."""
    seen = bars(guest.picture("reference"))
    assert seen[0].min() > 180
    assert seen[7].max() < 20


def test_lights_off_passes_the_picture_through(guest: Results) -> None:
    error = np.abs(bars(guest.picture("off-seen")) - bars(guest.picture("reference")))
    assert error.max() <= 6, error


def test_a_light_from_the_right_lights_the_right(guest: Results) -> None:
    """On the sphere in the middle of the picture; compared bar by bar, as ratios, in linear light."""
    off, lit = (guest.picture(f"{name}-seen").astype(float) / 255 for name in ("off", "lit"))
    ratio = (lit**2.2).sum(-1) / np.maximum((off**2.2).sum(-1), 1e-3)
    h, w = ratio.shape
    middle = slice(h // 2 - 20, h // 2 + 20)
    left, right = ratio[middle, w // 2 - 45 : w // 2 - 10], ratio[middle, w // 2 + 10 : w // 2 + 45]
    assert np.median(right) > 1.3 * np.median(left)


def test_ctrl_c_ends_it(guest: Results) -> None:
    assert guest["off"]["exit"] == 130, guest["off"]["err"]
    assert guest["off"]["seconds"] < 5
    assert "Traceback" not in guest["off"]["err"]


def test_cameras_are_listed(guest: Results) -> None:
    listed = guest["cameras"]
    assert listed["exit"] == 0, listed["err"]
    assert re.search(r"\b0\b.*vivid", listed["out"])
    assert re.search(r"YUYV.*320x180", listed["out"])
    assert re.search(rf"{vm.VIRTUAL_CAMERA_NAME}.*virtual", listed["out"])


def test_auto_takes_the_camera_and_the_virtual_camera(guest: Results) -> None:
    """Its second use: Debian's v4l2loopback does not offer a device again unless its writer saw to it."""
    said = guest["lit"]["out"] + guest["lit"]["err"]
    assert re.search("source.*vivid", said)
    assert re.search(f"sink.*{vm.VIRTUAL_CAMERA}", said)


def test_a_busy_camera_is_one_line(guest: Results) -> None:
    done = guest["busy"]
    assert done["exit"] == 1, done["err"]
    assert re.search("busy|in use", one_line(done["err"]))


def test_an_unplugged_camera_ends_the_run(guest: Results) -> None:
    assert guest["unplug"]["exit"] == 0, guest["unplug"]["err"]
    done = guest["lit"]
    assert done["exit"] == 1, done["err"]
    assert "Traceback" not in done["err"]
    assert re.search(r"live-relight: .*(gone|gives no picture|stopped)", done["err"])
