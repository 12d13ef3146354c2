"""The light network's own checks, in a process of their own.

They draw with two OpenGL contexts, run the application's networks and train with a forked worker. The whole
suite in one process died of that once without a word; here it would take nothing else with it, and is begun
again as `training.synth make` begins a rendering process again.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("light_checks.py")
COUNT = 13


def run() -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-X", "faulthandler", "-m", "pytest", "-q", str(CHECKS)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_light_network_is_drawn_told_trained_and_exported() -> None:
    done = run()
    if done.returncode < 0:
        done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} passed" in done.stdout
