"""`doctor`: what was found, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .. import __version__
from ..core.errors import LiveRelightError
from ..core.install import pip
from ..core.paths import JOIN_VIDEO


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `state`: 'ok', 'missing' (works without, `todo` adds it) or 'broken' (`run` cannot work)."""

    state: str
    topic: str
    text: str
    todo: str = ""


def doctor() -> int:
    """Prints every finding; exit status 1 when something that `run` needs is broken."""
    broken = False
    for check in (_program, _cameras, _virtual_cameras, _opengl, _engines, _providers, _gpu, _tensorrt):
        for finding in _safely(check):
            broken |= finding.state == "broken"
            print(f"{finding.state:8} {finding.topic:15} {finding.text}")
            if finding.todo:
                print(f"{'':8} {'':15} -> {finding.todo}")
    return 1 if broken else 0


def _safely(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that fails is a finding, not the end of the others."""
    try:
        yield from check()
    except Exception as error:  # the point of a doctor is to survive what is broken
        topic = check.__name__.strip("_").replace("_", " ")
        todo = error.todo if isinstance(error, LiveRelightError) else ""
        yield Finding("broken", topic, " ".join(f"{error}".split()), todo)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _program() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Finding("ok", "live-relight", f"{__version__}, Python {platform.python_version()}, {system}")
    for package in ("numpy", "opencv-python-headless", "moderngl", "onnxruntime", "av"):
        version = _version(package)
        if not version:
            yield Finding("broken", package, "not installed", pip("live-relight"))


def _cameras() -> Iterator[Finding]:
    from ..capture import list_cameras
    from ..capture.v4l2 import problem

    real = [c for c in list_cameras() if not c.virtual]
    for camera in real:
        text, why = f"{camera.index}: {camera.name} ({camera.path})", problem(camera.path)
        todo = JOIN_VIDEO if why == "no permission" else ""
        yield Finding("missing" if why else "ok", "camera", f"{text}: {why}" if why else text, todo)
    if not real and sys.platform.startswith("linux"):
        yield Finding(
            "missing",
            "camera",
            "none found; `run` plays the bundled clip",
            "plug one in, then `live-relight cameras`",
        )
    elif not real:
        yield Finding("ok", "camera", "not listed on this system; `run --source camera:0` opens the first")


def _virtual_cameras() -> Iterator[Finding]:
    from ..sinks.loopback import State
    from ..sinks.virtual_camera import how_to_make_one, loopback_devices

    if not _version("pyvirtualcam"):
        yield Finding("missing", "pyvirtualcam", "not installed", pip("live-relight[vcam]"))
    if not sys.platform.startswith("linux"):
        text = "not listed on this system; `run --sink vcam` says whether there is one"
        yield Finding("ok", "virtual camera", text, how_to_make_one())
        return
    found = loopback_devices()
    for device, state in found:
        text = f"{device.label} ({device.device})"
        if state is State.FORBIDDEN:
            yield Finding("missing", "virtual camera", f"{text}: no permission", JOIN_VIDEO)
        else:
            fed = ": a program feeds it now" if state is State.FED else ""
            yield Finding("ok", "virtual camera", text + fed)
    if not found:
        yield Finding(
            "missing", "virtual camera", "none found; `run` shows a web preview instead", how_to_make_one()
        )


def _opengl() -> Iterator[Finding]:
    from ..shade.context import describe

    name = describe()
    yield Finding("ok", "OpenGL", name)


def _engines() -> Iterator[Finding]:
    from ..geometry import light_net, open_estimator
    from ..geometry.network import DEFAULT, list_networks, verify
    from ..geometry.race import PASSED_OVER

    for network in list_networks():
        verify(network)
        mark = " (default)" if network.name == DEFAULT else ""
        yield Finding("ok", "network", f"{network.name}{mark}, {network.path.stat().st_size / 1e6:.1f} MB")
    for name in (light_net.NAME, light_net.LIVE):
        light = light_net.check(light_net.shipped(name))
        size = light.path.stat().st_size / 1e6
        yield Finding("ok", "network", f"{light.name} (how light falls), {size:.1f} MB")
    lines: list[str] = []
    notes: list[str] = []
    estimator = open_estimator("auto", say=lines.append, note=notes.append, live=True)
    yield Finding("ok", "engine", estimator.name)
    estimator.close()
    for line in lines:  # of cards that were tried: what was compiled for each, and why it is not used
        yield Finding("missing" if PASSED_OVER in line else "ok", "engine", line)
    for line in notes:  # what works and is slower
        yield Finding("ok", "engine", line)
    yield _openvino()


def _openvino() -> Finding:
    from ..geometry.openvino import fault

    why = fault()
    if why.startswith(("not installed", "does not load")):
        return Finding("missing", "OpenVINO", f"{why} (optional)", pip("live-relight[openvino]"))
    tried = f"`auto` leaves it: {why}" if why else "in bfloat16: `auto` tries it"
    return Finding("ok", "OpenVINO", f"--engine openvino, {tried}")


def _providers() -> Iterator[Finding]:
    """What of ONNX Runtime's providers drives a card here; whether it is used, `engine` says."""
    from ..geometry import cards, providers

    for provider in providers.available():
        yield Finding("ok", "provider", f"{provider.title}, --engine {provider.name}")
    if providers.available():
        return
    todo = providers.ORDER[0].install if cards.find().cards else ""
    if sys.platform == "win32" and not todo:
        todo = next(p.install for p in providers.ORDER if p.name == "directml")
    text = "ONNX Runtime is the one for the CPU alone; a card is not used"
    yield Finding("missing", "provider", text, todo)


def _gpu() -> Iterator[Finding]:
    from ..geometry import cards

    driver = cards.find()
    smi = _nvidia_smi()
    version = f", driver {smi}" if smi else ""
    for card in driver.cards:
        text = f"{card.name} ({card.target}), {card.memory / 2**30:.0f} GiB{version}, CUDA {driver.cuda}"
        yield Finding("ok", "NVIDIA GPU", text)
    if driver.fault:
        # With a driver installed that fails, there is something to mend.
        todo = "mend the driver; `nvidia-smi` says more" if driver.cuda or smi else ""
        yield Finding("missing", "NVIDIA GPU", f"{driver.fault}; everything runs on the CPU", todo)


def _nvidia_smi() -> str:
    """The driver's own version number, which only its tool knows; '' without it."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ""
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout.splitlines() or [""])[0].strip() if done.returncode == 0 else ""


def _tensorrt() -> Iterator[Finding]:
    from ..geometry import cards, tensorrt, trt_library

    library, why = trt_library.look()
    if library is None:
        text = f"none that loads: {'; '.join(why)}"
        yield Finding("missing", "TensorRT", text, trt_library.how_to_install())
        return
    yield Finding("ok", "TensorRT", f"{library.title} ({library.origin}); `engines build` works")
    missing, install = tensorrt.fault()
    if missing:
        yield Finding("missing", "TensorRT", f"not used: {missing}; the CPU engine is used", install)
        return
    # Whether it gave what the CPU gives, and sooner, the lines `engine` above have found out.
    card = cards.find().cards[0]
    yield Finding("ok", "TensorRT", f"can run on {card.name} ({card.target}); `engine` says what is used")
