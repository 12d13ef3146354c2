"""What is shipped: a light import, a complete wheel, a tidy repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

HEAVY = (
    "cv2",
    "moderngl",
    "av",
    "onnxruntime",
    "openvino",
    "pyvirtualcam",
    "torch",
    "PIL",
    "tensorrt",
    "tensorrt_rtx",
    "tensorrt_rtx_bindings",
    "pynput",
)
LARGEST = 20 * 2**20  # bytes
# Spelled in pieces, so that this file may be checked too.
MACHINE_PATHS = re.compile(rb"(?<![\w./-])/(?:" + rb"wo" + rb"rk|tmp/w)/")


def tracked(root: Path) -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, check=True,
    )  # fmt: skip
    return [path for name in done.stdout.decode().split("\0") if name and (path := root / name).is_file()]


def test_import_is_light(root: Path) -> None:
    code = f"import sys, live_relight; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def wheel_names(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check", "--no-deps",
         "--no-build-isolation", "--wheel-dir", str(out), str(root)],
        check=True,
    )  # fmt: skip
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        ("shaders", "live_relight/_data/shaders"),
        ("engines", "live_relight/_data/engines"),
        ("live_relight", "live_relight"),
    ],
)
def test_wheel_carries_every_file(root: Path, wheel_names: list[str], folder: str, inside: str) -> None:
    """All of the package with its media, presets and web page; shaders and engines as data."""
    expected = {f"{inside}/{path.relative_to(root / folder).as_posix()}" for path in tracked(root / folder)}
    assert expected, f"nothing in {folder}/"
    assert expected <= set(wheel_names)


def test_wheel_carries_nothing_else(wheel_names: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel_names if ".dist-info" not in name} == {"live_relight"}


def test_no_large_files(root: Path) -> None:
    large = [str(path) for path in tracked(root) if path.stat().st_size > LARGEST]
    assert not large, f"larger than {LARGEST >> 20} MB"


def test_no_paths_of_one_machine(root: Path) -> None:
    found = [str(path.relative_to(root)) for path in tracked(root) if MACHINE_PATHS.search(path.read_bytes())]
    assert not found


def test_locks_have_no_addresses_and_pin_everything(root: Path) -> None:
    for lock in sorted((root / "requirements").glob("*.lock")):
        lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][\w.]*( ;.*)?", line)] == []


def test_locks_cover_pyproject(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]

    def names(lines: list[str]) -> set[str]:
        return {re.split(r"[^\w.-]", line)[0].lower() for line in lines if not line.startswith("#")}

    locked = {
        set_: names((root / f"requirements/{set_}.lock").read_text().split())
        for set_ in ("run", "openvino", "dev", "train")
    }
    extras = project["optional-dependencies"]
    assert names(project["dependencies"] + extras["vcam"]) <= locked["run"]
    assert locked["run"] | names(extras["openvino"]) <= locked["openvino"]
    assert names(extras["dev"] + extras["openvino"] + extras["tensorrt"]) <= locked["dev"]
    assert names(extras["train"]) <= locked["train"]
