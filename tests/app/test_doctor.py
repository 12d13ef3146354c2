"""What `doctor` says of cameras: whether they can be had, and what mends it."""

from __future__ import annotations

import sys

import pytest

from live_relight.capture import CameraInfo
from live_relight.commands import doctor
from live_relight.core.paths import JOIN_VIDEO
from live_relight.sinks import virtual_camera
from live_relight.sinks.loopback import State
from live_relight.sinks.virtual_camera import VirtualCameraInfo

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's")


@LINUX
@pytest.mark.parametrize(
    ("state", "found", "said", "todo"),
    [
        (State.FREE, "ok", "Live Relight (/dev/video10)", ""),
        (State.STUCK, "ok", "Live Relight (/dev/video10)", ""),
        (State.FED, "ok", "Live Relight (/dev/video10): a program feeds it now", ""),
        (State.FORBIDDEN, "missing", "Live Relight (/dev/video10): no permission", JOIN_VIDEO),
    ],
)
def test_a_virtual_camera_is_told_with_its_state(
    state: State, found: str, said: str, todo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: "1")
    there = [(VirtualCameraInfo("/dev/video10", "Live Relight"), state)]
    monkeypatch.setattr(virtual_camera, "loopback_devices", lambda: there)
    (finding,) = doctor._virtual_cameras()
    assert (finding.state, finding.text, finding.todo) == (found, said, todo)


def test_where_none_can_be_listed_none_is_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: "1")
    monkeypatch.setattr(sys, "platform", "win32")
    (finding,) = doctor._virtual_cameras()
    assert finding.state == "ok"
    assert "not listed on this system" in finding.text


@LINUX
def test_a_camera_that_may_not_be_opened_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = CameraInfo(0, "/dev/video0", "Webcam", ())
    monkeypatch.setattr("live_relight.capture.list_cameras", lambda: [camera])
    for why, state, todo in (("", "ok", ""), ("no permission", "missing", JOIN_VIDEO)):
        monkeypatch.setattr("live_relight.capture.v4l2.problem", lambda path, why=why: why)
        (finding,) = doctor._cameras()
        assert (finding.state, finding.todo) == (state, todo)
        assert finding.text.startswith("0: Webcam (/dev/video0)")
        assert (why in finding.text) if why else not finding.text.endswith(": ")
