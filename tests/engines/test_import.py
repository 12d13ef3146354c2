"""`engines import`: other people's networks are asked what they are, run in our units, or refused."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from live_relight.capture import open_source
from live_relight.cli import main
from live_relight.commands.engines import backends
from live_relight.core.errors import EstimatorError, UsageError
from live_relight.core.frames import Geometry, Image
from live_relight.geometry import imported, open_estimator, providers
from live_relight.geometry.foreign import TASKS, Card, Input, Output, dump, parse
from live_relight.geometry.network import find_network
from live_relight.geometry.trio import in_our_units
from tests.engines.foreign_nets import IMAGENET, KNOWN, StandIn

DEPTH = ("depth", "depth", [], (1, 1, "h", "w"))
NORMAL = ("normal", "normal", [], (1, 3, "h", "w"))
MATTE = ("alpha", "alpha", [], (1, 1, "h", "w"))


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if sys.platform == "win32":
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    elif sys.platform == "darwin":
        monkeypatch.setenv("HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return imported.user_folder()


@pytest.fixture(scope="module")
def picture() -> Image:
    source = open_source("demo", pace=False)
    try:
        frames = [source.read() for _ in range(40)]
    finally:
        source.close()
    assert frames[-1] is not None
    return frames[-1].image


@pytest.fixture(scope="module")
def fast(picture: Image) -> Geometry:
    """What the network inside the stand-ins sees, at the grid of the default one."""
    return open_estimator("onnx:fast").estimate(picture)


def kept(tmp_path: Path, name: str, net: StandIn) -> str:
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(net.bytes())
    return str(path)


def degrees(one: Geometry, other: Geometry) -> float:
    person = (one.alpha > 0.7) & (other.alpha > 0.7)
    cosine = np.clip((one.normal * other.normal).sum(axis=-1), -1, 1)[person]
    return float(np.degrees(np.arccos(cosine)).mean())


def apart(one: Geometry, other: Geometry) -> float:
    """Mean difference of depth over the person, in the person's distance; far apart where their relief does
    not go together."""
    person = (one.alpha > 0.7) & (other.alpha > 0.7)
    a, b = one.depth[person], other.depth[person]
    if np.corrcoef(a, b)[0, 1] < 0.85:
        return 1.0
    return float(np.abs(a / np.median(a) - b / np.median(b)).mean())


def test_every_ready_made_card_has_a_stand_in() -> None:
    assert KNOWN.keys() == imported.known().keys()


@pytest.mark.parametrize("name", KNOWN)
def test_a_well_known_network_needs_one_command(
    name: str, tmp_path: Path, picture: Image, fast: Geometry, capsys: pytest.CaptureFixture[str]
) -> None:
    file, make = KNOWN[name]
    path = kept(tmp_path, file.removesuffix(".onnx"), make())
    assert main(["engines", "import", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"card    {name}, by its name")
    assert lines[-1] == f"live-relight run --engine auto:{name}"
    card = imported.user_folder() / f"{name}.toml"
    assert lines[-2].endswith(str(card))
    tasks = imported.known()[name].outputs
    assert set(TASKS) & tomllib.loads(card.read_text()).keys() == set(tasks)

    estimator = open_estimator(f"onnx:fast+{name}")
    found = estimator.estimate(picture)
    assert all(f"{task}" in estimator.name for task in tasks)
    estimator.close()
    # Ours inside, so what comes out is ours again, turned back; but it saw the picture at another size.
    assert apart(found, fast) < 0.03
    assert degrees(found, fast) < 12.0
    assert np.array_equal(found.normal, fast.normal) == ("normal" not in tasks)
    assert np.array_equal(found.alpha, fast.alpha) == ("matte" not in tasks)
    assert np.isfinite(found.depth).all()
    assert np.abs(np.linalg.norm(found.normal, axis=-1) - 1).max() < 1e-3
    assert 0 <= found.alpha.min() <= found.alpha.max() <= 1
    assert np.array_equal(found.depth, fast.depth) == ("depth" not in tasks)
    person = found.alpha > 0.5 if "depth" in tasks else fast.alpha > 0.5  # whose median is 1
    assert np.median(found.depth[person]) == pytest.approx(1, abs=0.02)
    assert found.size == fast.size


def test_two_networks_together_and_ours_for_the_rest(tmp_path: Path, picture: Image, fast: Geometry) -> None:
    flip = [("Mul", [-0.5, -0.5, -0.5]), ("Add", 0.5)]  # all axes about, 0..1
    paths = [
        kept(tmp_path, "one", StandIn([DEPTH], sides=(224, 320))),
        kept(tmp_path, "two", StandIn([("n", "normal", flip, (1, 3, "h", "w"))], last=True)),
    ]
    assert main(["engines", "import", paths[0], "--depth"]) == 0
    assert main(["engines", "import", paths[1], "--normal", "--name", "other"]) == 0
    sizes = [imported.card_of(find_network(name)).input.size for name in ("one", "other")]
    assert sizes == [(320, 224), Input().size], "what the file says, or the usual"
    both = open_estimator("auto:one+other+fast").estimate(picture)
    alone = open_estimator("onnx:one").estimate(picture)
    ours = open_estimator("onnx").estimate(picture)
    assert degrees(both, fast) < 12.0
    assert apart(both, fast) < 0.01
    assert np.array_equal(both.alpha, fast.alpha)
    assert np.array_equal(alone.normal, ours.normal)
    assert not np.array_equal(alone.depth, ours.depth)
    share = open_estimator("onnx:other").estimate(picture, 0.5)
    assert share.size[0] < both.size[0]


def test_a_card_runs_them_all_with_the_cpu_behind_it(
    tmp_path: Path, picture: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU's provider in the place of a card's: everything is real but the card."""
    assert main(["engines", "import", kept(tmp_path, "net", StandIn([NORMAL])), "--normal"]) == 0
    twin = providers.Provider("twin", providers.CPU, "Twin", "nothing", "nothing")
    absent = [one for one in providers.ORDER if one not in providers.available()][:1]
    monkeypatch.setattr(providers, "available", lambda: [*absent, twin])
    lines: list[str] = []
    estimator = open_estimator("gpu:net", say=lines.append)
    assert estimator.name.startswith("twin base ")
    assert estimator.name.endswith(" with normal of net")
    assert len(lines) == len(absent)
    found, plain = estimator.estimate(picture), open_estimator("onnx:net").estimate(picture)
    assert np.array_equal(found.normal, plain.normal)
    estimator.close()
    monkeypatch.setattr(providers, "available", list)
    with pytest.raises(EstimatorError, match="for the CPU alone"):
        open_estimator("gpu:net")


def test_list_says_which_card_fails_with_a_network_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["engines", "import", kept(tmp_path, "net", StandIn([NORMAL])), "--normal"]) == 0
    absent = [one for one in providers.ORDER if one not in providers.available()][:1]
    monkeypatch.setattr(providers, "available", lambda: absent)
    ways = dict(backends(find_network("net")))
    assert ways["onnx"] == ways["openvino"] == ""
    assert [absent[0].title in ways[one.name] for one in absent] == [True]


def test_an_unknown_network_is_asked_how_it_wants_its_picture(tmp_path: Path) -> None:
    nets = {
        "bytes": StandIn([("disp", "depth", [("Reciprocal", None)], (1, "h", "w"))], white=255.0),
        "half": StandIn([NORMAL], kind=onnx.TensorProto.FLOAT16),
        "imagenet": StandIn([("m", "alpha", [("Mul", 255.0)], (1, 1, "h", "w"))], norm=IMAGENET),
    }
    for name, task in zip(nets, TASKS, strict=True):
        assert main(["engines", "import", kept(tmp_path, name, nets[name]), f"--{task}"]) == 0
    cards = {name: imported.card_of(find_network(name)) for name in nets}
    assert cards["bytes"].input.scale == 255.0
    assert cards["bytes"].outputs["depth"].meaning == "inverse depth"
    assert cards["half"].input == Input("image", size=(384, 384))
    assert cards["half"].outputs["normal"] == Output("normal", "", ("right", "up", "viewer"), (-1, 1))
    assert cards["imagenet"].input.std == IMAGENET[1]
    assert cards["imagenet"].outputs["matte"].range == (0, 255)


FLAT = [("Mul", 0.0), ("Add", [0.6, 0.8, 0.0])]
BAD = {
    "two outputs": ("depth", [("a", *DEPTH[1:]), ("b", *MATTE[1:])], "got outputs 'a' [1, 1, 160, 256], 'b'"),
    "not finite": ("depth", [("d", "depth", [("Add", -1.0), ("Log", None)], (1, 1, "h", "w"))], "not finite"),
    "constant": ("depth", [("d", "depth", [("Mul", 0.0)], (1, 1, "h", "w"))], "got 0 everywhere"),
    "too long": ("normal", [("n", "normal", [("Mul", 9.0)], (1, 3, "h", "w"))], "unit vectors in -1..1"),
    "no axes": ("normal", [("n", "normal", FLAT, (1, 3, "h", "w"))], "no axes"),
    "a matte for normals": ("normal", [MATTE], "expected one output of 3 channels for normal"),
    "a matte for depth": ("depth", [MATTE], "--matte, if it is a matte"),
    "normals for depth": ("depth", [NORMAL], "expected one output of 1 channel for depth"),
    "logits": ("matte", [("m", "alpha", [("Mul", 9.0), ("Add", -4.0)], (1, 1, "h", "w"))], "expected 0..1"),
    "a depth for a matte": ("matte", [DEPTH], "expected 0..1"),
    "a matte that is never nobody": (
        "matte",
        [("m", "alpha", [("Mul", 0.5), ("Add", 0.5)], (1, 1, "h", "w"))],
        "behind on average, expected more than 0.7 and less than 0.3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_in_one_line(
    what: str, tmp_path: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, outputs, said = BAD[what]
    assert main(["engines", "import", kept(tmp_path, "bad", StandIn(outputs)), f"--{task}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "bad.onnx" in line
    assert said in line
    assert not own_folder.exists()


def test_a_card_that_was_corrected_is_kept(tmp_path: Path, own_folder: Path) -> None:
    words = ["engines", "import", kept(tmp_path, "net", StandIn([DEPTH])), "--depth"]
    for text in ("", "\n# corrected\n"):
        if text:
            (own_folder / "net.toml").write_text((own_folder / "net.toml").read_text() + text)
        assert main(words) == 0
        assert "corrected" not in (own_folder / "net.toml").read_text()
    assert (own_folder / "net.toml.old").read_text().endswith("# corrected\n")


def test_files_that_are_no_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no network\n")
    for path, said in (
        (text, "an ONNX file that loads"),
        (tmp_path, "a folder"),
        (tmp_path / "x", "No such file"),
    ):
        assert main(["engines", "import", str(path), "--depth"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_weights_in_another_file_do_not_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for them
    model = onnx.load_from_string(StandIn([DEPTH]).bytes())
    onnx.save(model, "net.onnx", save_as_external_data=True, location="net.data", size_threshold=1024)
    assert main(["engines", "import", "net.onnx", "--depth"]) == 1
    assert "got weights that are in another file" in capsys.readouterr().err


WRONG = (
    (["import"], "no file"),
    (["import", "FILE"], "expected --depth, --normal or --matte"),
    (["import", "FILE", "--as", "dsinn"], "did you mean 'dsine'"),
    (["import", "FILE", "--normal", "--as", "midas-v21-small"], "expected --depth"),
    (["import", "FILE", "--depth", "--name", "base"], "no shipped network"),
    (["import", "FILE", "--depth", "--name", "a+b"], "letters, digits"),
    (["import", "FILE", "--depth", "--size", "256x256"], "engines build"),
    (["list", "--depth"], "engines import"),
)


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_wrong_words(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = kept(tmp_path, "net", StandIn([DEPTH]))
    assert main(["engines", *(path if word == "FILE" else word for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_a_card_that_says_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Near and far are refused; axes are the network's own."""
    path = kept(tmp_path, "net", StandIn([DEPTH, NORMAL]))
    card = tmp_path / "mine.toml"
    card.write_text('[depth]\nname = "depth"\nmeaning = "inverse depth"\n')
    assert main(["engines", "import", path, "--as", str(card)]) == 1
    assert "large where it is far, expected inverse depth" in capsys.readouterr().err
    card.write_text('[depth]\nmeaning = "metric depth"\n[normal]\naxes = ["left", "up", "viewer"]\n')
    assert main(["engines", "import", path, "--as", str(card), "--name", "mine"]) == 0
    assert "although its card says left up viewer" in capsys.readouterr().out
    found = imported.card_of(find_network("mine"))
    assert found.outputs["normal"].axes == ("right", "up", "viewer")
    assert found.outputs["depth"].meaning == "metric depth"
    card.write_text('[depth]\nmening = "depth"\n')
    assert main(["engines", "import", path, "--as", str(card)]) == 1
    assert "did you mean 'meaning'" in capsys.readouterr().err


def test_list_info_and_wrong_specs(
    tmp_path: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engines", "import", kept(tmp_path, "net", StandIn([DEPTH])), "--depth"]) == 0
    assert main(["engines", "import", kept(tmp_path, "net2", StandIn([DEPTH])), "--depth"]) == 0
    assert main(["engines", "info", "net"]) == 0
    assert f"file = {own_folder / 'net.onnx'}" in capsys.readouterr().out
    (own_folder / "net2.toml").write_text("[depth]\nmeaning = 3\n[input]\n")
    done = subprocess.run(
        [sys.executable, "-m", "live_relight", "engines", "list"], capture_output=True, text=True, check=True
    )
    told = done.stdout.split("imported for depth: --engine auto:net\n")[1].splitlines()
    assert told[0].strip().startswith("runs here with: onnx")
    assert "broken: card" in done.stdout
    for name in imported.known():
        assert f"  {name} " in done.stdout
    for spec, error, said in (
        ("onnx:net+net", UsageError, "one network for each map"),
        ("onnx:fast+base+net", UsageError, "at most one"),
        ("onnx:net+nett", EstimatorError, "did you mean 'net'"),
    ):
        with pytest.raises(error, match=said.replace("?", r"\?")):
            open_estimator(spec)
    (own_folder / "net.onnx").write_bytes(b"another")
    with pytest.raises(EstimatorError, match="differs from its card; import it again"):
        open_estimator("onnx:net")


def test_a_card_is_what_it_was_written_from() -> None:
    for name, card in imported.known().items():
        text = dump(card, {"input.name": "a\nb"})
        again = parse(tomllib.loads(text), name)
        assert (again.input, again.outputs, again.texts) == (card.input, card.outputs, card.texts)
        assert card.files, name
    with pytest.raises(EstimatorError, match="right or left"):
        parse({"normal": {"axes": ["right", "left", "up"]}}, "card")
    with pytest.raises(EstimatorError, match="no output"):
        parse({"input": {}}, "card")
    assert Card(Input(), {"depth": Output()}) == parse({"depth": {}}, "card")


def test_our_units_do_not_depend_on_theirs(fast: Geometry) -> None:
    inverse, person = 1 / fast.depth, fast.alpha > 0.5
    ours = fast.depth / np.median(fast.depth[person])
    for values, meaning in (
        (inverse * 37 + 4, "inverse depth"),
        (inverse * 1e-3 - 9, "inverse depth"),
        (fast.depth * 5 - 40, "depth"),
        (fast.depth * 1.7, "metric depth"),
    ):
        found = in_our_units(np.asarray(values, np.float32), meaning, fast)
        assert np.abs(found - ours)[person].max() < 0.02
    wild = np.array(inverse, np.float32)
    wild[::9, ::9] = 1e5
    calm = in_our_units(wild, "inverse depth", fast)
    assert np.median(np.abs(calm - ours)[person]) < 0.01
    nobody = replace(fast, alpha=np.zeros_like(fast.alpha))
    assert in_our_units(wild, "inverse depth", nobody) is nobody.depth
    assert in_our_units(np.ones_like(wild), "depth", fast) is fast.depth
