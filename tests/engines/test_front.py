"""The network and what is around it as one graph: gives what the CPU's path gives; TensorRT compiles it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.geometry import build, front, fuse, graph, network, plans
from live_relight.geometry.onnx import OnnxEstimator
from live_relight.resize import resized
from tests.engines import pictures
from tests.engines.nets import small_network, with_shading
from tests.engines.place import ROOT, library, needs_wheels

SIZES = [(1280, 720), (640, 480), (1920, 1080), (701, 523), (480, 854)]


@cache
def person() -> Image:
    """A frame of the bundled clip."""
    clip = cv2.VideoCapture(str(ROOT / "live_relight" / "media" / "demo.mp4"))
    clip.set(cv2.CAP_PROP_POS_FRAMES, 20)
    found, image = clip.read()
    clip.release()
    assert found
    return np.asarray(image, np.uint8)


def frame_of(size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(person(), size, interpolation=cv2.INTER_LINEAR), np.uint8)


def run_fused(data: bytes, form: front.Form, frame: Image) -> Geometry:
    whole = front.fused(data, form, "network")
    session = ort.InferenceSession(whole, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"frame": frame}), strict=True))
    for name, (shape, kind) in front.layout(form, "shading" in names).items():
        assert (found[name].shape, found[name].dtype) == (shape, kind)
    normal = np.moveaxis(found["normal"], 0, -1)
    return Geometry(normal, found["depth"], found["alpha"], found["small"], found.get("shading"))


def degrees(one: Geometry, other: Geometry) -> float:
    """In the mean."""
    cosine = (np.asarray(one.normal, float) * other.normal).sum(-1)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


@pytest.mark.parametrize("size", SIZES)
def test_gives_what_the_cpu_gives(size: tuple[int, int]) -> None:
    """With the float16 form in both, as the form itself is the subject of test_half.py."""
    net = network.find_network()
    form16 = network.Network("half", build.source_of(net).path, net.card)
    frame = frame_of(size)
    fast = run_fused(build.source_of(net).data, front.form_for(net, size), frame)
    slow = OnnxEstimator(form16).estimate(frame)
    assert degrees(fast, slow) < 0.1
    np.testing.assert_allclose(fast.depth, slow.depth, atol=1e-3)
    np.testing.assert_allclose(fast.alpha, slow.alpha, atol=2e-3)
    assert np.abs(fast.alpha - slow.alpha).mean() < 1e-4
    np.testing.assert_array_equal(fast.guide, slow.guide)
    full = OnnxEstimator(net).estimate(frame)
    assert degrees(fast, full) < 0.3
    assert np.abs(fast.alpha - full.alpha).mean() < 2e-3


def test_gives_what_the_cpu_gives_on_real_and_rendered_pictures() -> None:
    """The same 32 pictures that a card is held against the processor on."""
    net = network.find_network()
    data, form = build.source_of(net).data, front.form_for(net, pictures.SIZE)
    whole = ort.InferenceSession(front.fused(data, form, "network"), providers=["CPUExecutionProvider"])
    slow = OnnxEstimator(network.Network("half", build.source_of(net).path, net.card))
    frames = pictures.thirty_two()
    assert len(frames) == 32
    for frame in frames:
        normal, depth, alpha = whole.run(["normal", "depth", "alpha"], {"frame": frame})
        other = slow.estimate(frame)
        assert degrees(replace(other, normal=np.moveaxis(normal, 0, -1)), other) < 0.1
        np.testing.assert_allclose(depth, other.depth, atol=2e-3)
        assert np.abs(alpha - other.alpha).mean() < 1e-4


@pytest.mark.parametrize(
    ("size", "small", "apart"),
    [
        ((1280, 720), (256, 160), 0), ((1920, 1080), (384, 224), 0), ((641, 361), (224, 128), 0),
        ((4000, 300), (384, 96), 1), ((100, 90), (224, 192), 1), ((3840, 2160), (256, 160), 0),
        ((512, 320), (256, 160), 0), ((256, 160), (256, 160), 0), ((33, 1000), (96, 384), 1),
    ],
)  # fmt: skip
def test_small_picture_is_resized_as_on_the_cpu(
    size: tuple[int, int], small: tuple[int, int], apart: int
) -> None:
    """Noise, which shows every rounding. Where a side grows, or areas are wider than two lines, a level may
    be off by `apart` in a few places: sums of floats in another order."""
    noise = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    got = run_fused(small_network(), front.Form(size, small), noise).guide.astype(int)
    off = np.abs(got - resized(noise, small))
    assert off.max() <= apart
    assert (off > 0).mean() < 0.02


def test_steps_are_those_of_resized() -> None:
    """Only the last step may be other than a half, and the end is what the network takes."""
    for size in [*SIZES, (64, 64), (5000, 200), (3840, 2160)]:
        form = front.form_for(network.find_network(), size)
        found = graph.steps(form.frame, form.small)
        assert not found or found[-1][0] == form.small
        assert all(how in (graph.HALF, graph.AREA) for _, how in found[:-1])


def test_shading_is_passed_on_as_the_cpu_does(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(with_shading(small_network()))
    net, frame = network.find_network(str(path)), frame_of((640, 480))
    slow = OnnxEstimator(net).estimate(frame)
    fast = run_fused(path.read_bytes(), front.form_for(net, (640, 480)), frame)
    assert slow.shading is not None
    assert fast.shading is not None
    np.testing.assert_allclose(fast.shading, slow.shading, atol=2e-3)


def test_not_a_number_is_replaced_as_on_the_cpu(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(with_shading(small_network(gain=float("nan"))))
    net, frame = network.find_network(str(path)), frame_of((320, 240))
    slow = OnnxEstimator(net).estimate(frame)
    fast = run_fused(path.read_bytes(), front.form_for(net, (320, 240)), frame)
    for name in ("normal", "depth", "alpha", "shading"):
        got = getattr(fast, name)
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, getattr(slow, name), atol=1e-6)


def test_squeeze_is_undone() -> None:
    """A frame much wider than the network may see it."""
    data, frame = small_network(), frame_of((1000, 100))
    form = front.Form((1000, 100), (192, 64))
    wide = run_fused(data, form, frame)
    same = run_fused(data, front.Form((192, 64), (192, 64)), resized(frame, (192, 64)))
    slope = wide.normal[..., 0] / wide.normal[..., 1]
    np.testing.assert_allclose(slope, same.normal[..., 0] / same.normal[..., 1] * form.squeeze, rtol=0.2)
    np.testing.assert_allclose(np.linalg.norm(wide.normal, axis=-1), 1.0, atol=1e-4)


def test_digest_tells_all_that_matters_apart() -> None:
    form = front.Form((1280, 720), (256, 160))
    others = [replace(form, frame=(1280, 722)), replace(form, small=(256, 192))]
    seen = {front.digest(b"a", f) for f in (form, *others)} | {front.digest(b"b", form)}
    assert len(seen) == 4
    assert front.digest(b"a", form) == front.digest(b"a", front.Form((1280, 720), (256, 160)))


def test_plans_of_two_cameras_do_not_replace_each_other() -> None:
    keys = [
        plans.Key("small", front.digest(b"a", f), "tensorrt_rtx", "1", "ampere", "float16", str(f))
        for f in (front.Form((1280, 720), (256, 160)), front.Form((1920, 1080), (256, 160)))
    ]
    assert keys[0].path(Path("x")) != keys[1].path(Path("x"))
    assert keys[0].stem != keys[1].stem
    assert not keys[0].replaces(keys[1])
    assert "1920x1080-to-256x160" in keys[1].stem


def test_networks_that_do_not_fit_are_refused() -> None:
    form = front.Form((64, 64), (64, 64))
    with pytest.raises(EstimatorError, match=r"mine, got .*expected an ONNX file"):
        front.fused(b"not a network", form, "mine")
    with pytest.raises(EstimatorError, match="outputs 'normal', 'depth', 'alpha'"):
        front.fused(small_network(outputs=("normal", "depth")), form, "mine")
    model = onnx.load_model_from_string(small_network())
    model.opset_import[0].version = 2
    with pytest.raises(EstimatorError, match="opset 2, expected 11"):
        front.fused(model.SerializeToString(), form, "mine")


def test_without_the_package_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from live_relight.geometry import front\n"
        "form = front.Form((64, 64), (64, 64)); front.digest(b'', form)\n"
        "front.fused(b'', form, 'mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "EstimatorError: package onnx" in done.stderr
    assert "live-relight[tensorrt]" in done.stderr.splitlines()[-1]


@needs_wheels
@pytest.mark.parametrize("target", ["ampere", "sm75"])
@pytest.mark.parametrize("size", [(1280, 720), (701, 523)])
def test_compiles_with_bytes_in_and_out(target: str, size: tuple[int, int]) -> None:
    """compile_plan itself checks names, shapes and types as the library understood them."""
    net = network.find_network()
    source, form = build.source_of(net), front.form_for(net, size)
    whole = replace(source, data=front.fused(source.data, form, "base"))
    plan = build.compile_plan(library(), whole, target, form, lambda part: None)
    assert "MALFORMED_ENGINE" not in plans.header_faults(plan, library())
    for name in ("frame", *front.layout(form, False)):
        assert name.encode() in plan


@needs_wheels
def test_another_form_than_the_graphs_is_refused() -> None:
    net = network.find_network()
    source, form = build.source_of(net), front.form_for(net, (640, 480))
    whole = replace(source, data=front.fused(source.data, form, "base"))
    with pytest.raises(EstimatorError, match=r"frame \(480, 640, 3\) UINT8.*expected a frame of bytes"):
        build.compile_plan(
            library(), whole, "ampere", front.form_for(net, (1280, 720)), lambda part: None
        )  # fmt: skip


@needs_wheels
def test_is_compiled_once_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "small.onnx").write_bytes(small_network())
    net, lines = network.find_network(str(tmp_path / "small.onnx")), list[str]()
    form = front.form_for(net, (640, 480))
    paths = [fuse.build_fused(net, form, "ampere", library(), lines.append) for _ in range(2)]
    assert paths[0] == paths[1]
    assert [line.split()[0] for line in lines] == ["compiling", "small"]
    assert "640x480" in lines[0]
