"""What to type to install goes where the program runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from live_relight.core.install import pip


def test_by_the_pythons_own_name_where_the_shells_pip_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folders in (str(tmp_path), "/usr/bin"):
        monkeypatch.setenv("PATH", folders)
        if Path(sys.executable).parent != Path(folders):
            said = pip("live-relight[vcam]", "onnx")
            assert said == f"{sys.executable} -m pip install 'live-relight[vcam]' onnx"
            assert subprocess.run(["/bin/sh", "-c", said.replace("install", "--version #")]).returncode == 0


def test_shortly_where_the_environment_is_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "bin"
    own.mkdir()
    for name in ("pip", "python"):
        (own / name).write_text("#!/bin/sh\n")
        (own / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    monkeypatch.setenv("PATH", str(own))
    assert pip("onnx") == "pip install onnx"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pip("onnx").startswith(f"{own / 'python'} -m pip install")
