"""The cache of plans: what is wrong with one is said and mended, and two builders do not meet."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from live_relight import locks
from live_relight.cli import main
from live_relight.core.errors import SinkError
from live_relight.geometry import build, network, plans, shapes
from tests.engines.nets import small_network
from tests.engines.place import ROOT, library, needs_wheels

pytestmark = needs_wheels


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A plan as the library makes it."""
    path = tmp_path_factory.mktemp("net") / "small.onnx"
    path.write_bytes(small_network())
    net = network.find_network(str(path))
    sizes = shapes.shapes_for(net, "64x64")
    return build.compile_plan(library(), build.source_of(net), "ampere", sizes, lambda part: None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "live-relight" / "plans"


def key_of(**changes: str) -> plans.Key:
    usual = plans.Key("small", "a" * 64, "tensorrt_rtx", library().version, "ampere", "as given", "64x64")
    return replace(usual, **changes)


class Maker:
    """Stands for the compilation; counts."""

    def __init__(self, plan: bytes) -> None:
        self.plan, self.calls, self.said = plan, 0, list[str]()

    def __call__(self) -> bytes:
        self.calls += 1
        return self.plan

    def obtain(self, key: plans.Key) -> Path:
        return plans.obtain(key, library(), self, self.said.append)


def rewritten(path: Path, plan: bytes) -> None:
    """A plan with a card that agrees with it."""
    import hashlib

    path.write_bytes(plan)
    card = json.loads(path.with_suffix(".json").read_text())
    card |= {"bytes": len(plan), "sha256": hashlib.sha256(plan).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(card))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def recarded(path: Path, **changes: object) -> None:
    card = json.loads(path.with_suffix(".json").read_text()) | changes
    path.with_suffix(".json").write_text(json.dumps(card))


def older(path: Path) -> None:
    """What another version of the library left under this name."""
    card = json.loads(path.with_suffix(".json").read_text())
    recarded(path, key=card["key"] | {"version": "1.2.3"})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-100]), "bytes, expected"),
    "empty": (lambda p: p.write_bytes(b""), "0 bytes, expected"),
    "longer": (lambda p: p.write_bytes(p.read_bytes() + b"\0"), "bytes, expected"),
    "one bit": (flipped, "changed since it was compiled"),
    "foreign": (lambda p: rewritten(p, b"somebody else's file" * 99), "malformed engine"),
    "foreign and short": (lambda p: rewritten(p, b"no"), "malformed engine"),
    "stale": (older, "made from something else"),
    "no card": (lambda p: p.with_suffix(".json").unlink(), "nothing says what it was made from"),
    "torn card": (lambda p: p.with_suffix(".json").write_text('{"format": 1, "key"'), "cannot be read"),
    "card of a list": (lambda p: p.with_suffix(".json").write_text("[1]"), "cannot be read"),
    "card of bytes": (lambda p: p.with_suffix(".json").write_bytes(b"\xff\0"), "cannot be read"),
    "deep card": (lambda p: p.with_suffix(".json").write_text("[" * 90_000), "cannot be read"),
    "endless card": (lambda p: p.with_suffix(".json").write_text(" " * 200_000), "more than"),
    "card with more": (lambda p: recarded(p, key={"colour": "red"}), "cannot be read"),
    "newer card": (lambda p: recarded(p, format=2), "another version of this program"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_plans_are_said_and_made_again(damage: str, cache: Path, real: bytes) -> None:
    maker = Maker(real)
    path = maker.obtain(key_of())
    assert maker.said == [maker.said[0]]
    DAMAGE[damage][0](path)
    maker.said.clear()
    assert maker.obtain(key_of()) == path
    assert maker.calls == 2
    assert len([line for line in maker.said if DAMAGE[damage][1] in line]) == 1
    assert all("\n" not in line for line in maker.said)
    assert plans.load(path, key_of(), library()) == real
    assert Maker(real).obtain(key_of()) == path


def test_a_damaged_plan_of_the_shipped_network_is_compiled_again(
    cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    args = ["engines", "build", "--target", "sm89", "--size", "64x64"]
    assert main(args) == 0
    (path,) = [Path(line) for line in capfd.readouterr().out.splitlines()]
    whole = path.stat().st_size
    flipped(path)
    assert main(["engines", "list"]) == 0
    assert "damaged: " in capfd.readouterr().out
    assert main(args) == 0
    out, err = capfd.readouterr()
    assert out.strip() == str(path)
    assert "compiling it again" in err
    assert abs(path.stat().st_size - whole) < 0.1 * whole
    assert main(["engines", "list"]) == 0
    assert "damaged: " not in capfd.readouterr().out


def test_every_part_of_the_key_makes_another_plan(cache: Path, real: bytes) -> None:
    fields = ("network", "onnx", "library", "version", "target", "precision", "shapes", "place")
    keys = [key_of(), *(key_of(**{field: "other"}) for field in fields)]
    assert len({key.path(cache) for key in keys}) == len(keys)


def test_a_newer_version_replaces_its_predecessor_alone(cache: Path, real: bytes) -> None:
    maker = Maker(real)
    old = [maker.obtain(key_of(version="1.0")), maker.obtain(key_of(onnx="b" * 64))]
    others = [maker.obtain(key_of(**{k: "other"})) for k in ("network", "target", "shapes", "library")]
    assert not old[0].exists(), "the second replaces the first"
    maker.said.clear()
    new = maker.obtain(key_of())
    assert not old[1].exists()
    assert not old[1].with_suffix(".json").exists()
    assert [line for line in maker.said if line.startswith(old[1].name)]
    assert all(path.exists() for path in (new, *others))
    assert len(plans.list_plans()) == 5


def test_an_older_library_leaves_a_newer_ones_plan(cache: Path, real: bytes) -> None:
    new, old = (Maker(real).obtain(key_of(version=v)) for v in ("1.10.0", "1.9.2"))
    assert new.exists()
    assert old.exists()
    assert not key_of(version="1.9.2").replaces(key_of(version="1.10.0", onnx="b" * 64))


def test_networks_of_one_name_in_two_folders_keep_their_plans(cache: Path, tmp_path: Path) -> None:
    nets, lines = [], list[str]()
    for name, gain in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.onnx").write_bytes(small_network(gain=gain))
        nets.append(network.find_network(str(tmp_path / name / "mine.onnx")))
    size = shapes.shapes_for(nets[0], "64x64")
    paths = [build.build(nets[i], "ampere", size, library(), lines.append) for i in (0, 1, 0)]
    assert paths[0] == paths[2] != paths[1]
    assert all(re.match(r"mine-\w{6}-tensorrt_rtx-ampere-64x64-\w{16}\.plan$", p.name) for p in paths)
    assert [line.rsplit(": ")[1].split()[1] for line in lines] == ["in", "in", "already"]
    (tmp_path / "a" / "mine.onnx").write_bytes(small_network(gain=3.0))
    build.build(nets[0], "ampere", size, library(), lines.append)
    assert not paths[0].exists(), "a new version in the same place replaces the old one"
    assert paths[1].exists()


def test_only_the_installed_packages_networks_have_no_place() -> None:
    """Two checkouts do not remove each other's plans."""
    net = network.find_network()
    folders = (build.INSTALLED, ROOT / "engines", ROOT.parent / "other" / "engines")
    places = [build.place(replace(net, path=folder / "base.onnx")) for folder in folders]
    assert build.INSTALLED == ROOT / "live_relight" / "_data" / "engines"
    assert places[0] == ""
    assert re.fullmatch(r"\w{6}", places[1])
    assert len(set(places)) == 3
    assert build.place(net) == places[1]


def test_a_plan_is_used_from_a_cache_that_can_only_be_read(
    cache: Path, real: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Maker(real).obtain(key_of())
    lock = cache / f"{key_of().stem}.lock"
    lock.unlink()
    lock.mkdir()  # nobody can lock here, whoever runs the test
    monkeypatch.setattr(os, "utime", refused)
    maker = Maker(real)
    assert maker.obtain(key_of()) == path
    assert maker.calls == 0


def refused(*args: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_only_so_many_sizes_of_frames_are_kept(cache: Path, real: bytes) -> None:
    def size(i: int) -> plans.Key:
        return key_of(shapes=f"{300 + i}x240 to 64x64")

    others = [Maker(real).obtain(k) for k in (key_of(), replace(size(0), target="sm75"))]
    maker = Maker(real)
    for i in range(plans.MOST):
        path = maker.obtain(size(i))
        os.utime(path.with_suffix(".json"), (1000.0 + i,) * 2)
    maker.obtain(size(0))  # used again
    maker.said.clear()
    maker.obtain(size(plans.MOST))
    kept = [i for i in range(plans.MOST + 1) if size(i).path(cache).exists()]
    assert kept == [0, *range(2, plans.MOST + 1)]
    assert len([line for line in maker.said if line.startswith(size(1).path(cache).name)]) == 1
    assert len(list(cache.glob("*.json"))) == plans.MOST + len(others)
    assert all(path.exists() for path in others)


def test_names_of_networks_are_no_paths(cache: Path, real: bytes) -> None:
    path = Maker(real).obtain(key_of(network="../../ä b/" + "x" * 300))
    assert path.parent == cache
    assert plans.list_plans()[0].fault == ""


def test_what_a_dead_program_left_goes_away(cache: Path, real: bytes) -> None:
    cache.mkdir(parents=True)
    for name, age in ((".old.1.0.part", 7200), (".new.1.0.part", 0)):
        (cache / name).touch()
        os.utime(cache / name, (time.time() - age,) * 2)
    Maker(real).obtain(key_of())
    assert [p.name for p in cache.glob(".*.part")] == [".new.1.0.part"]


@pytest.mark.parametrize("what", ["cache is a file", "plan is a folder", "lock is a folder"])
def test_a_cache_that_cannot_be_written_is_one_line(what: str, cache: Path, real: bytes) -> None:
    if what == "cache is a file":
        cache.parent.mkdir(parents=True)
        cache.touch()
    elif what == "plan is a folder":
        key_of().path(cache).mkdir(parents=True)
    else:
        (cache / f"{key_of().stem}.lock").mkdir(parents=True)
    with pytest.raises(SinkError, match="cannot"):
        Maker(real).obtain(key_of())


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert plans.cache_folder() == tmp_path / "live-relight" / "plans"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert plans.cache_folder() == tmp_path / "home" / ".cache" / "live-relight" / "plans"


def start_build(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "live_relight", "engines", "build", "--target", "sm86", "--size", "64x64"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def shipped_key() -> plans.Key:
    """Of what `start_build` compiles, but for what does not matter to its lock."""
    return key_of(network=network.DEFAULT, target="sm86", place=build.place(network.find_network()))


def test_two_builders_at_once_compile_once(cache: Path, tmp_path: Path) -> None:
    cache.mkdir(parents=True)
    # Held until both wait, so that they do meet.
    with locks.locked(cache / f"{shipped_key().stem}.lock", print), contextlib.ExitStack() as stack:
        both = [stack.enter_context(start_build(tmp_path)) for _ in range(2)]
        for process in both:
            assert process.stderr is not None
            lines = [process.stderr.readline() for _ in range(2)]
            assert "waiting" in lines[-1], lines
        stack.pop_all()
    ends = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert ends[0][0] == ends[1][0]
    assert sorted(err.count("compiled in") for _, err in ends) == [0, 1]
    assert sorted(err.count("compiled already") for _, err in ends) == [0, 1]
    (plan,) = plans.list_plans()
    assert plan.fault == ""


def test_a_lock_of_a_dead_program_does_not_hold(cache: Path, real: bytes) -> None:
    cache.mkdir(parents=True)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom live_relight.locks import locked\n"
        "with locked(Path(sys.argv[1]), print):\n print('held', flush=True)\n time.sleep(60)"
    )
    lock = cache / f"{key_of().stem}.lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with lock.open("a+b") as file:
            assert not locks._try_lock(file), "the lock does not lock"
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    maker = Maker(real)
    maker.obtain(key_of())
    assert not [line for line in maker.said if "waiting" in line]


def test_a_builder_that_is_killed_leaves_nothing_that_counts(cache: Path, tmp_path: Path) -> None:
    """At any moment: the next one builds or finds a whole plan."""
    for delay in (0.9, 1.3, 1.7):
        shutil.rmtree(cache, ignore_errors=True)
        with start_build(tmp_path) as process:
            time.sleep(delay)
            process.kill()
        for plan in plans.list_plans() if cache.exists() else []:
            assert plan.fault in ("", "nothing says what it was made from")
    with start_build(tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert Path(out.strip()).is_file()
