"""`bench`: what it says of the card; `--against`: networks of others' sizes on the same frames."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from live_relight.cli import main
from live_relight.commands import against, bench, peers
from live_relight.core.errors import EstimatorError, LiveRelightError, UsageError
from live_relight.core.frames import Geometry, Image
from live_relight.geometry.analytic import AnalyticEstimator
from live_relight.shade import ways
from live_relight.shade.opengl import OpenGLShader
from tests.engines.nets import small_network

SIZES = {"midas-small": 21e6, "depth-anything-252": 25e6, "depth-anything-518": 25e6}
"""Parameters of the real ones."""
BENCH = ["bench", "--frames", "3", "--size", "320x180"]


@pytest.mark.parametrize("name", list(peers.PEERS))
def test_a_peer_has_the_size_of_the_real_one(name: str) -> None:
    rival = against.Rival(against.Wanted(name, peers.PEERS[name]))
    assert rival.parameters == pytest.approx(SIZES[name], rel=0.1)
    side = peers.PEERS[name].side
    assert rival.size == (side, side)
    (depth,) = rival.run(np.full((90, 160, 3), 128, np.uint8))
    assert depth.shape == (1, 1, side, side)
    assert np.isfinite(depth).all()


def test_the_count_of_parameters_is_the_files() -> None:
    model, count = peers.draw(peers.PEERS["midas-small"])
    weights = [w for w in onnx.load_from_string(model).graph.initializer if w.data_type == 1]
    assert sum(int(np.prod(w.dims)) for w in weights) == pytest.approx(count, abs=4)  # 0 and 6 of relu6


def nodes(name: str) -> Counter[str]:
    model = onnx.load_from_string(peers.draw(peers.PEERS[name])[0])
    onnx.checker.check_model(model, full_check=True)
    found = Counter(node.op_type for node in model.graph.node)
    kernels = {w.name: w.dims[1] for w in model.graph.initializer if len(w.dims) == 4}
    found["depthwise"] = sum(n.op_type == "Conv" and kernels[n.input[1]] == 1 for n in model.graph.node)
    return found


def test_peers_have_the_layers_of_the_real_ones() -> None:
    lite, transformer = nodes("midas-small"), nodes("depth-anything-252")
    assert lite["depthwise"] == 1 + 3 + 3 + 5 + 5 + 6 + 1
    assert lite["Resize"] == 5
    assert transformer["Softmax"] == transformer["Gelu"] == 12
    assert transformer["LayerNormalization"] == 12 * 2 + 4  # and one before each that the decoder reads
    assert transformer["ConvTranspose"] == 2


def test_rows_of_a_real_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, target = tmp_path / "mine.onnx", tmp_path / "bench.json"
    mine.write_bytes(small_network(sides=(64, 96)))
    names = f"midas-small,{mine}"
    assert main([*BENCH, "--against", names, "--json", str(target)]) == 0
    result = json.loads(target.read_text())
    peer, own = result["against"]
    assert (peer["name"], peer["weights"], peer["input"]) == ("midas-small", "random", "256x256")
    assert (own["name"], own["weights"], own["input"]) == ("mine.onnx", "of the file", "96x64")
    assert own["parameters"] is None
    for row in (peer, own):
        assert row["frames"] == 3
        assert row["ratio"] == pytest.approx(row["ms"] / row["ours_ms"], rel=0.05, abs=0.01)
    assert peer["ms"] > own["ms"] > 0
    said = capsys.readouterr().out
    assert "random weights: they count for speed only" in said
    assert said.index("fps") < said.index("midas-small") < said.index("mine.onnx")


def test_without_the_option_nothing_is_added(tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    assert main([*BENCH, "--json", str(target)]) == 0
    assert "against" not in json.loads(target.read_text())


class OnCard(AnalyticEstimator):
    """Has a card that tells what it takes."""

    def card_ms(self, image: Image) -> dict[str, float]:
        assert image.shape == (180, 320, 3)
        return {"network": 0.71234, "copies": 0.1, "host": 0.05001}


class Fails(AnalyticEstimator):
    def card_ms(self, image: Image) -> dict[str, float]:
        raise EstimatorError("a card", "fallen off the bus", "a card that works")


def test_what_card_and_processor_take_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bench.json"
    said = "on the card, by its own clock: network 0.712 ms, copies 0.1 ms; the processor's part: 0.05 ms\n"
    for make, found, line in (
        (OnCard, {"network": 0.712, "copies": 0.1, "host": 0.05}, said),
        (Fails, {}, ""),
        (AnalyticEstimator, {}, ""),
    ):
        monkeypatch.setattr(bench, "open_estimator", lambda engine, live, make=make: make("sphere"))
        assert main([*BENCH, "--json", str(target)]) == 0
        out, err = capsys.readouterr()
        assert json.loads(target.read_text())["card_ms"] == found
        assert line in out
        assert ("on the card" in out) == bool(line)
        assert ("fallen off the bus" in err) == (make is Fails)


def test_which_way_geometry_goes_to_the_light_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bench.json"
    assert main([*BENCH, "--engine", "analytic", "--json", str(target)]) == 0
    found = json.loads(target.read_text())["geometry_to_light"]
    assert found["way"] in {*found["ms"], ways.CPU}
    assert found["ms"].keys() | found["not_used"].keys() <= set(ways.WAYS)
    assert f"geometry to light: {found['way']}" in capsys.readouterr().out

    report = ways.ToLight(ways.UPLOAD, {ways.UPLOAD: 1.23456, ways.CPU: 4.1}, {ways.INTEROP: "no such card"})
    monkeypatch.setattr(OpenGLShader, "to_light", property(lambda self: report))
    assert main([*BENCH, "--engine", "analytic", "--json", str(target)]) == 0
    assert json.loads(target.read_text())["geometry_to_light"] == {
        "way": "upload + GL",
        "ms": {"upload + GL": 1.235, "CPU": 4.1},
        "not_used": {"CUDA-GL interop": "no such card"},
    }
    line = "geometry to light: upload + GL (1.23 ms; CPU 4.10 ms; no CUDA-GL interop: no such card)\n"
    assert line in capsys.readouterr().out


class Noting(AnalyticEstimator):
    """Writes down whose turn it is."""

    def __init__(self, turns: list[tuple[str, int]]) -> None:
        super().__init__("sphere")
        self.turns = turns

    def estimate(self, image: Image, share: float = 1.0) -> Geometry:
        self.turns.append(("ours", int(image[0, 0, 0])))
        return super().estimate(image, share)


class NotingRival(against.Rival):
    def __init__(self, path: Path, turns: list[tuple[str, int]]) -> None:
        super().__init__(against.Wanted("mine", None, path))
        self.turns = turns

    def run(self, image: Image) -> list[np.ndarray]:
        self.turns.append(("theirs", int(image[0, 0, 0])))
        return super().run(image)


def test_in_turns_on_the_same_frames(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(small_network(sides=(64, 96)))
    turns: list[tuple[str, int]] = []
    frames = [np.full((64, 96, 3), value, np.uint8) for value in (10, 20)]
    times = against._in_turns(Noting(turns), 1.0, NotingRival(path, turns), frames)
    assert turns == [(who, value) for value in (10, 20, 10, 20) for who in ("ours", "theirs")]
    assert all(0 < seconds < 5 for seconds in times)


def test_a_file_gets_the_picture_that_its_users_give_it(tmp_path: Path) -> None:
    """RGB, normalised by ImageNet's mean and spread: a network that hands its input on shows it."""
    helper, kind, shape = onnx.helper, onnx.TensorProto.FLOAT, [1, 3, 8, 8]
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "echo", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "echo.onnx"
    path.write_bytes(model.SerializeToString())
    picture = np.empty((8, 8, 3), np.uint8)
    picture[:] = (40, 120, 200)  # blue, green, red
    (seen,) = against.Rival(against.Wanted("echo", None, path)).run(picture)
    wanted = [(200 / 255 - 0.485) / 0.229, (120 / 255 - 0.456) / 0.224, (40 / 255 - 0.406) / 0.225]
    assert seen[0, :, 3, 3] == pytest.approx(wanted, abs=1e-4)


def test_names() -> None:
    assert [w.name for w in against.parse("all")] == list(peers.PEERS)
    assert [w.name for w in against.parse("")] == list(peers.PEERS)
    assert [w.name for w in against.parse("depth-anything-252, midas-small")] == [
        "depth-anything-252", "midas-small",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="did you mean 'midas-small'"):
        against.parse("midas-smal")


def test_what_is_wrong_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free, bad = tmp_path / "free.onnx", tmp_path / "bad.onnx"
    free.write_bytes(small_network())
    bad.write_bytes(b"no network")
    cases = [
        (["midas-smal"], 2, "did you mean 'midas-small'"),
        ([str(tmp_path / "none.onnx")], 1, "no such file"),
        ([str(bad)], 1, "an ONNX file that loads"),
        ([str(free)], 1, "free.onnx@518x518"),
        ([f"{free}@9x9"], 2, "16 to 8192"),
        (["--engine", "analytic"], 2, "no network"),
    ]
    for words, status, text in cases:
        assert main([*BENCH, "--against", *words]) == status
        out, error = capsys.readouterr()
        assert text in error
        assert len(error.splitlines()) == 1
        assert out == ""


def test_a_network_that_takes_any_size_gets_the_one_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(small_network())
    (wanted,) = against.parse(f"{path}@96x64")
    rival = against.Rival(wanted)
    assert rival.size == (96, 64)
    assert rival.run(np.zeros((90, 160, 3), np.uint8))[0].shape[-2:] == (64, 96)


def test_a_network_for_something_else_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(small_network(sides=(64, 96)))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    for node in model.graph.node:  # everything but the type still fits
        if "image" in node.input:
            node.input[0] = "single"
    cast = onnx.helper.make_node("Cast", ["image"], ["single"], to=onnx.TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    path = tmp_path / "double.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(LiveRelightError, match="one float32 picture"):
        against.Rival(against.Wanted("double", None, path))


def blocked(*words: str) -> subprocess.CompletedProcess[str]:
    """The program where `onnx` cannot be imported."""
    code = (
        "import sys; sys.modules['onnx'] = None; "
        "from live_relight.cli import main; raise SystemExit(main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *BENCH, *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_without_the_onnx_package_one_line_says_so(tmp_path: Path) -> None:
    done = blocked("--against")
    assert done.returncode == 1
    assert "pip install onnx" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_file_needs_no_onnx_package(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(small_network(sides=(64, 96)))
    done = blocked("--against", str(path))
    assert done.returncode == 0, done.stderr
    assert "mine.onnx" in done.stdout
    assert "random weights" not in done.stdout
