"""Real compilations of the shipped network, without a card, and what `engines build` prints and refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from live_relight.cli import main
from live_relight.core.errors import EstimatorError, UsageError
from live_relight.geometry import build, cards, network, plans, shapes
from tests.engines.nets import small_network, with_shading
from tests.engines.place import ROOT, library, needs_wheels
from training import half

AHEAD = tuple(target for target in build.TARGETS if target != build.CURRENT)
NO_CARD = pytest.mark.skipif(not cards.find().fault, reason="this machine has a card")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "live-relight" / "plans"


def compiled(path: Path, target: str, size: str | None = None, seen: list[float] | None = None) -> bytes:
    net = network.find_network(str(path))
    follow = seen.append if seen is not None else lambda part: None
    return build.compile_plan(
        library(), build.source_of(net), target, shapes.shapes_for(net, size), follow
    )  # fmt: skip


@needs_wheels
@pytest.mark.parametrize("target", AHEAD)
def test_shipped_network_compiles_for_every_target(target: str) -> None:
    net = network.find_network()
    plan = compiled(net.path, target)
    assert len(plan) > build.source_of(net).path.stat().st_size  # weights and kernels
    assert "MALFORMED_ENGINE" not in plans.header_faults(plan, library())
    for name in ("image", *net.card["outputs"]):
        assert name.encode() in plan


@needs_wheels
def test_each_target_has_a_plan_of_its_own(tmp_path: Path) -> None:
    """The first bytes hold what a plan is for."""
    path = tmp_path / "small.onnx"
    path.write_bytes(small_network())
    half.write_half(path)
    assert len({compiled(path, target)[:64] for target in AHEAD}) == len(AHEAD)


@needs_wheels
@pytest.mark.parametrize("form", ["float32", "float16"])
def test_inputs_and_outputs_are_the_cards(form: str) -> None:
    """As the library understands the files."""
    net, api = network.find_network(), library().api
    path = net.path if form == "float32" else build.source_of(net).path
    assert path.parent.name == ("engines" if form == "float32" else "half")
    builder = api.Builder(library().log.receiver)
    graph = builder.create_network(1 << int(api.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert api.OnnxParser(graph, library().log.receiver).parse(path.read_bytes())
    inputs = [graph.get_input(i) for i in range(graph.num_inputs)]
    outputs = [graph.get_output(i) for i in range(graph.num_outputs)]
    assert [(t.name, tuple(t.shape)) for t in inputs] == [(net.card["input"], (1, 3, -1, -1))]
    wanted = {"normal": (1, 3, -1, -1), "depth": (1, 1, -1, -1), "alpha": (1, 1, -1, -1)}
    assert {t.name: tuple(t.shape) for t in outputs} == {n: wanted[n] for n in net.card["outputs"]}
    assert {t.dtype for t in (*inputs, *outputs)} == {api.DataType.FLOAT}


@needs_wheels
def test_progress_goes_forward_and_far(tmp_path: Path) -> None:
    seen: list[float] = []
    compiled(network.find_network().path, "sm86", "256x192", seen)
    assert seen == sorted(seen)
    assert 0.5 < seen[-1] <= 1.0


@needs_wheels
def test_an_interrupt_ends_it_and_the_next_build_works(tmp_path: Path) -> None:
    net = network.find_network()

    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.compile_plan(library(), build.source_of(net), "sm89", shapes.shapes_for(net), stop)
    # which the library is told after its next step
    monitor = build._monitor(library().api)
    monitor.cancel.set()
    with pytest.raises(EstimatorError):
        build._compile(library(), build.source_of(net), "sm89", shapes.shapes_for(net), monitor)
    (tmp_path / "small.onnx").write_bytes(small_network())
    assert compiled(tmp_path / "small.onnx", "ampere")


@needs_wheels
def test_networks_that_do_not_fit_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(small_network(outputs=("normal", "depth")))
    with pytest.raises(EstimatorError, match=r"depth .*expected float32 input 'image'.*'alpha'"):
        compiled(path, "ampere")
    path.write_bytes(small_network(sides=(96, 160)))
    with pytest.raises(EstimatorError, match=r"an input of 160x96.*--size"):
        compiled(path, "ampere")
    assert compiled(path, "ampere", "160x96")
    path.write_bytes(b"not a network")
    with pytest.raises(EstimatorError, match=r"mine\.onnx, got .+, expected an ONNX file") as error:
        compiled(path, "ampere")
    assert "\n" not in str(error.value)


@needs_wheels
def test_a_network_that_tells_the_light_as_well_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(with_shading(small_network()))
    assert b"shading" in compiled(path, "ampere")
    path.write_bytes(with_shading(small_network(), name="colour"))
    with pytest.raises(EstimatorError, match=r"colour .*'shading' \(1\) or none"):
        compiled(path, "ampere")


@needs_wheels
def test_turing_without_float16_is_said_to_need_it(tmp_path: Path) -> None:
    """The network multiplies matrices, which Turing does in float16 alone."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(small_network())
    with pytest.raises(EstimatorError, match=r"Turing.*training\.half") as error:
        compiled(path, "sm75")
    half.write_half(path)
    assert compiled(path, "sm75")
    assert " at /" not in str(error.value), "a place in the library's own source"


@needs_wheels
def test_sizes_between_smallest_and_largest_are_taken_and_others_not() -> None:
    net = network.find_network()
    sizes = shapes.shapes_for(net)
    for frame in ((1280, 720), (720, 1280), (640, 480), (4000, 300), (300, 4000)):
        for share in (0.36, 1.0):
            w, h = network.input_size(frame, round(net.pixels * share))
            assert sizes.smallest[0] <= w <= sizes.largest[0]
            assert sizes.smallest[1] <= h <= sizes.largest[1]
    assert str(shapes.shapes_for(net, "384x288")) == "384x288"


@pytest.mark.parametrize("size", ["100x100", "4096x32", "0x0", "big", "32x33"])
def test_sizes_that_are_refused(size: str) -> None:
    with pytest.raises(UsageError, match="--size"):
        shapes.shapes_for(network.find_network(), size)


@needs_wheels
def test_command_prints_paths_alone_and_compiles_once(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    args = ["engines", "build", "--target", "sm75,sm120", "--size", "64x64"]
    assert main(args) == 0
    first = capfd.readouterr()
    paths = [Path(line) for line in first.out.splitlines()]
    assert [("sm75" in p.name, "sm120" in p.name, p.parent) for p in paths] == [
        (True, False, cache),
        (False, True, cache),
    ]
    assert first.err.count("compiled in") == 2
    assert "\r" not in first.err, "a bar where nobody looks"
    assert all(line.startswith("live-relight: ") for line in first.err.splitlines())
    times = [p.stat().st_mtime_ns for p in paths]
    assert main(args) == 0
    again = capfd.readouterr()
    assert again.out == first.out
    assert again.err.count("compiled already") == 2
    assert [p.stat().st_mtime_ns for p in paths] == times
    for path in paths:
        assert "MALFORMED_ENGINE" not in plans.header_faults(path.read_bytes(), library())
    assert main(["engines", "list"]) == 0
    listed = capfd.readouterr().out
    assert all(str(p) in listed for p in paths)


@needs_wheels
@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["build", "--target", "sm9"], 2, "did you mean 'sm89'"),
        (["build", "--size", "100x100"], 2, "multiples of 32"),
        (["build", "none"], 1, "no such network"),
        (["build", "/no/net.onnx"], 1, "net.onnx"),
        (["list", "--target", "sm89"], 2, "engines build"),
        (["list", "--frame", "640x480"], 2, "engines build"),
        (["build", "--frame", "640x480", "--size", "256x192"], 2, "one of them"),
        (["build", "--frame", "9x9"], 2, "16 to"),
        pytest.param(["build", "--target", "current"], 1, "no NVIDIA", marks=NO_CARD),
    ],
)
def test_mistakes_are_one_line(
    args: list[str], status: int, said: str, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["engines", *args]) == status
    out, err = capfd.readouterr()
    assert said in err.splitlines()[-1]
    assert not out
    assert len(err.splitlines()) <= 2
    assert not list(cache.glob("*.plan"))


@needs_wheels
def test_a_cameras_plan_is_compiled_ahead_and_found_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build_it = ["engines", "build", "fast", "--target", "ampere", "--frame", "640x480"]
    assert main(build_it) == 0
    first = capsys.readouterr()
    plan = Path(first.out.strip())
    assert plan.stat().st_size > 1_000_000
    assert "640x480" in plan.name
    assert "compiled in" in first.err
    made = plan.stat().st_mtime_ns
    assert main(build_it) == 0
    assert capsys.readouterr().out == first.out
    assert plan.stat().st_mtime_ns == made
    assert main([*build_it[:-1], "1280x720"]) == 0
    assert Path(capsys.readouterr().out.strip()) != plan
    assert plan.exists()


@needs_wheels
def test_stale_float16_form_is_refused(
    tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A network that was replaced without its float16 form."""
    net = network.find_network()
    form = build.source_of(net).path
    mine = tmp_path / net.path.name
    mine.write_bytes(small_network())
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / mine.name).write_bytes(form.read_bytes())
    card = form.with_suffix(".toml")
    (tmp_path / "half" / card.name).write_bytes(card.read_bytes())
    assert main(["engines", "build", str(mine), "--target", "ampere"]) == 1
    assert "python -m training.half" in capfd.readouterr().err
    (tmp_path / "half" / mine.name).unlink()
    assert main(["engines", "build", str(mine), "--target", "ampere"]) == 0, (
        "without one, it is taken as it is"
    )


@needs_wheels
def test_bar_is_shown_on_a_terminal(tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "live_relight", "engines", "build", "--target", "sm86"]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=terminal, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while True:
            try:
                data = os.read(control, 4096)
            except OSError:  # what Linux says when the other end is closed
                break
            if not data:
                break
            shown += data
        assert process.stdout is not None
        assert process.stdout.read().strip().endswith(".plan")
    os.close(control)
    assert process.returncode == 0
    assert b" for sm86: " in shown
    assert b"% " in shown or b"%|" in shown


@needs_wheels
@NO_CARD
def test_doctor_says_which_library_and_why_it_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " TensorRT " in line]
    assert library().title in lines[0]
    assert lines[0].startswith("ok")
    assert "not used: " in lines[1]
    assert any(" NVIDIA GPU " in line for line in out.splitlines())
