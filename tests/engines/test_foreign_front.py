"""Imported networks on TensorRT: the graph around them on the processor, the library's compiler, the logic on
a stand-in for a card."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from live_relight.cli import main
from live_relight.core.errors import EstimatorError
from live_relight.core.frames import Geometry, Image
from live_relight.core.stages import Estimator
from live_relight.geometry import (
    build,
    cards,
    cuda,
    foreign_front,
    imported,
    network,
    open_estimator,
    plans,
    providers,
    trt_library,
)
from live_relight.geometry.fallback import FallbackEstimator
from live_relight.geometry.foreign import Card, Input, Output
from live_relight.geometry.foreign_net import ForeignNetwork
from live_relight.geometry.trt_library import Library, Log
from tests.engines import foreign_nets, pictures
from tests.engines.fake_card import FakeApi, FakeCuda, Status
from tests.engines.foreign_nets import IMAGENET, StandIn
from tests.engines.place import library, needs_wheels

SIZES = [(1280, 720), (640, 480), (301, 523)]
HALF = onnx.TensorProto.FLOAT16
USUAL = {"depth": Output("depth", "depth")}
DEPTH = ("depth", "depth", [], (1, 1, "h", "w"))
ALPHA = ("alpha", "alpha", [], (1, "h", "w"))
CASES: dict[str, tuple[Callable[[], StandIn], Card]] = {
    "free sides": (
        foreign_nets.depth_anything,
        Card(
            Input("pixel_values", (210, 154), 14, mean=IMAGENET[0], std=IMAGENET[1]),
            {"depth": Output("predicted_depth", "inverse depth")},
        ),
    ),
    "camera": (
        foreign_nets.dsine,
        Card(
            Input("img", (320, 192), intrinsics="intrins", mean=IMAGENET[0], std=IMAGENET[1]),
            {"normal": Output("n2", axes=("left", "up", "viewer"))},
        ),
    ),
    "three of BGR": (
        foreign_nets.david,
        Card(
            Input("x", order="BGR"),
            {"depth": Output("o1", "depth"), "normal": Output("o2"), "matte": Output("o3")},
        ),
    ),
    "padded": (
        lambda: StandIn([DEPTH, ALPHA], sides=(224, 256)),
        Card(Input("image", fit="pad"), {**USUAL, "matte": Output("alpha", range=(0.0, 1.0))}),
    ),
    "channels last, float16, 0..255": (
        lambda: StandIn([DEPTH], kind=HALF, last=True, white=255.0),
        Card(Input("image", (256, 160), scale=255.0), USUAL),
    ),
    "enlarged": (lambda: StandIn([DEPTH]), Card(Input("image", (768, 640)), USUAL)),
}


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / name))


def opened(folder: Path, case: str) -> tuple[bytes, ForeignNetwork]:
    make, card = CASES[case]
    data = make().bytes()
    (folder / "net.onnx").write_bytes(data)
    return data, ForeignNetwork(folder / "net.onnx", card, "network net", 1)


@pytest.mark.parametrize("case", CASES)
def test_graph_gives_what_the_processor_gives(case: str, tmp_path: Path) -> None:
    data, net = opened(tmp_path, case)
    for size in SIZES if case != "three of BGR" else SIZES[:1]:
        frame = pictures.portrait(size)
        form = foreign_front.form_for(net, size)
        assert str(form) == f"{size[0]}x{size[1]} to {form.small[0]}x{form.small[1]}"
        whole = ort.InferenceSession(foreign_front.fused(data, net, form, "net"), providers=[providers.CPU])
        assert [(one.name, one.shape) for one in whole.get_inputs()] == [("frame", [size[1], size[0], 3])]
        names = [one.name for one in whole.get_outputs()]
        raw = dict(zip(names, whole.run(names, {"frame": frame}), strict=True))
        assert {value.dtype for value in raw.values()} == {np.dtype(np.float32)}
        found, plain = net.told(raw, size), net.maps(frame)
        assert found.keys() == plain.keys() == net.card.outputs.keys()
        for task, plane in plain.items():
            assert float(plane.std()) > 0.02, "it sees something"
            # The network inside answers to a level of noise with a degree; what goes in is the same but for
            # the order in which a product is rounded.
            np.testing.assert_allclose(found[task], plane, atol=4e-3 * np.abs(plane).max())


@needs_wheels
@pytest.mark.parametrize("case", CASES)
def test_compiles(case: str, tmp_path: Path) -> None:
    data, net = opened(tmp_path, case)
    form = foreign_front.form_for(net, SIZES[0])
    source = build.Source(tmp_path / "net.onnx", foreign_front.fused(data, net, form, "net"), "as given")
    plan = build.compile_plan(library(), source, "ampere", form, lambda part: None)
    assert "MALFORMED_ENGINE" not in plans.header_faults(plan, library())
    for name in ("frame", *net.card.outputs):
        assert name.encode() in plan


@needs_wheels
def test_command_compiles_for_a_cameras_frames_and_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.onnx").write_bytes(CASES["enlarged"][0]().bytes())
    assert main(["engines", "import", str(tmp_path / "mine.onnx"), "--depth"]) == 0
    capsys.readouterr()
    for words in ([], ["--size", "640x480"]):
        assert main(["engines", "build", "mine", "--target", "ampere", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "an imported network" in line
        assert "--frame 1280x720" in line
    for _ in range(2):
        assert main(["engines", "build", "mine", "--target", "ampere", "--frame", "640x480"]) == 0
        out, err = capsys.readouterr()
        assert Path(out.strip()).is_file()
    assert "compiled in" not in err
    # Turing has no plan in float32, and a network of somebody else's is not made into another one unasked.
    assert main(["engines", "build", "mine", "--target", "sm75", "--frame", "640x480"]) == 1
    assert "for sm75" in capsys.readouterr().err.splitlines()[-1]


def test_what_the_card_promises_has_to_be_there(tmp_path: Path) -> None:
    data, net = opened(tmp_path, "free sides")
    form = foreign_front.form_for(net, SIZES[0])
    net.card = replace(net.card, outputs={"depth": Output("other")})
    with pytest.raises(EstimatorError, match=r"net, got no output 'other', expected one of predicted_depth"):
        foreign_front.fused(data, net, form, "net")
    with pytest.raises(EstimatorError, match=r"net, .*expected an ONNX file that loads"):
        foreign_front.fused(b"nothing", net, form, "net")


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_a_file_of_long_ago_gives_what_it_gave(mode: str, tmp_path: Path) -> None:
    """Opset 9 knows other operators for clipping and for making larger."""
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    weight = np.random.default_rng(0).normal(0, 0.3, (1, 3, 3, 3)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Conv", ["x", "weight"], ["a"], pads=[1] * 4, strides=[2, 2]),
        onnx.helper.make_node("Clip", ["a"], ["b"], min=-0.2, max=0.3),
        onnx.helper.make_node("Upsample", ["b", "scale"], ["y"], mode=mode),
    ]
    values = [onnx.numpy_helper.from_array(weight, "weight")]
    values.append(onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scale"))
    shapes = [value("x", kind, [1, 3, 64, 96])], [value("y", kind, [1, 1, 64, 96])]
    graph = onnx.helper.make_graph(nodes, "old", *shapes, values)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 9)], ir_version=4)
    (tmp_path / "old.onnx").write_bytes(model.SerializeToString())
    net = ForeignNetwork(tmp_path / "old.onnx", Card(Input("x"), {"depth": Output("y", "depth")}), "old", 1)
    form, frame = foreign_front.form_for(net, SIZES[1]), pictures.portrait(SIZES[1])
    data = foreign_front.fused(model.SerializeToString(), net, form, "old")
    (found,) = ort.InferenceSession(data, providers=[providers.CPU]).run(["depth"], {"frame": frame})
    np.testing.assert_allclose(found, net.outputs(frame)["y"], atol=1e-5)


def test_whatever_the_graph_depends_on_changes_its_sum(tmp_path: Path) -> None:
    data, net = opened(tmp_path, "free sides")
    forms = [foreign_front.form_for(net, size) for size in SIZES]
    sums = {foreign_front.digest(data, net, form) for form in forms}
    sums.add(foreign_front.digest(data + b" ", net, forms[0]))
    card = net.card
    net.card = replace(card, input=replace(card.input, scale=255.0))
    sums.add(foreign_front.digest(data, net, forms[0]))
    net.card = replace(card, outputs={"depth": Output("other", "depth")})
    sums.add(foreign_front.digest(data, net, forms[0]))
    assert len(sums) == len(SIZES) + 3
    net.card = replace(card, texts={"title": "another word"})
    assert foreign_front.digest(data, net, forms[0]) in sums


class Rig:
    """A machine that has a card, which is none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cuda = FakeCuda()
        self.api = FakeApi(self.cuda, rtx=False)
        found = Library("tensorrt_rtx", "0.0", "a test", self.api, Log(None, [], []))
        driver = cards.Driver("13.0", (cards.Card("Fake Card", (8, 9), 1),), "")
        device = cuda.Device
        monkeypatch.setattr(cards, "find", lambda: driver)
        monkeypatch.setattr(cuda, "version", lambda: "13.5.0")
        monkeypatch.setattr(cuda, "Device", lambda: device(api=self.cuda))
        monkeypatch.setattr(trt_library, "look", lambda: (found, ()))
        monkeypatch.setattr(trt_library, "require", lambda: found)
        monkeypatch.setattr(build, "compile_plan", lambda library, source, *rest: source.data)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """With two imported networks, for depth and for normals."""
    for name, case, words in (("deep", "free sides", ["--depth"]), ("bent", "camera", ["--as", "dsine"])):
        (tmp_path / f"{name}.onnx").write_bytes(CASES[case][0]().bytes())
        assert main(["engines", "import", str(tmp_path / f"{name}.onnx"), "--name", name, *words]) == 0
    return Rig(monkeypatch)


def same(frame: Image, one: Estimator, other: Estimator) -> bool:
    """On average over the picture: ours is in float16 here and in float32 there."""
    first, second = one.estimate(frame), other.estimate(frame)
    apart = [np.abs(a - b).mean() for a, b in zip(_planes(first), _planes(second), strict=True)]
    return max(apart) < 4e-3


def settle(estimator: FallbackEstimator, frame: Image) -> None:
    """Another size is prepared beside the stream: until the card has it, the processor gives the frames."""
    end = time.monotonic() + 60.0
    estimator.estimate(frame)
    while estimator._pending is not None and time.monotonic() < end:
        time.sleep(0.02)
        estimator.estimate(frame)


def _planes(found: Geometry) -> tuple[np.ndarray, ...]:
    return found.normal, found.depth, found.alpha


def test_three_networks_on_one_card_with_the_processor_behind_them(rig: Rig) -> None:
    lines: list[str] = []
    estimator = open_estimator("tensorrt:deep+bent", 1, lines.append)
    plain = open_estimator("onnx:deep+bent", 1)
    assert isinstance(estimator, FallbackEstimator)
    assert estimator.name.startswith("tensorrt base (TensorRT for RTX 0.0, Fake Card) with ")
    said = [line for line in lines if line.startswith("compiling ")]
    assert [line.split()[1] for line in said] == ["base", "deep", "bent"]
    for size in (SIZES[0], SIZES[1], SIZES[0]):
        settle(estimator, pictures.portrait(size))
        before = rig.api.runs
        assert same(pictures.portrait(size), estimator, plain)
        assert rig.api.runs == before + 3, "each of them ran on the card"
    rig.cuda.query = Status.cudaErrorIllegalAddress
    known = len(lines)
    assert same(pictures.portrait(SIZES[0]), estimator, plain)
    assert len([line for line in lines[known:] if line.endswith("; the CPU takes over")]) == 1
    estimator.close()
    assert rig.cuda.live == {}


def test_a_part_that_does_not_start_leaves_nothing_on_the_card(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_plan = build.compile_plan

    def picky(found: Library, source: build.Source, *rest: object) -> bytes:
        if source.path.stem == "bent":
            raise EstimatorError("network bent", "an operator that nobody knows")
        return compile_plan(found, source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(build, "compile_plan", picky)
    lines: list[str] = []
    estimator = open_estimator("auto:deep+bent", 1, lines.append)
    assert not isinstance(estimator, FallbackEstimator)
    assert re.fullmatch(r"--engine tensorrt is not used: .*operator that nobody knows.*", lines[-1])
    assert rig.cuda.live == {}
    estimator.close()


def test_without_a_card_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "deep.onnx").write_bytes(CASES["free sides"][0]().bytes())
    assert main(["engines", "import", str(tmp_path / "deep.onnx"), "--depth"]) == 0
    assert imported.is_foreign(network.find_network("deep"))
    if not cards.find().fault:
        pytest.skip("this machine has a card")
    with pytest.raises(EstimatorError, match="expected a card and its packages"):
        open_estimator("tensorrt:deep")
