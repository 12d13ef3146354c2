"""A rendering process that a signal ends (a crash) is begun again; one that says why it failed is not."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
from pathlib import Path

import pytest

from training.synth.make import REVIVALS, Job, Recipe, shard_path, watch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")
SHARDS = [("shard", 0), ("shard", 1)]


def _fails(out: Path, times: int, how: int) -> None:
    """Leaves a mark and ends by signal `how` (0: with an exit code) while there are fewer than `times` marks;
    then makes both shards."""
    marks = len(list(out.glob("mark*")))
    (out / f"mark{marks}").touch()
    if marks < times:
        if how:
            os.kill(os.getpid(), how)
        sys.exit(3)
    for shard in SHARDS:
        shard_path(out, shard).touch()


def _watched(out: Path, times: int, how: int) -> int | None:
    """What the process that did it in the end ended with."""
    context = mp.get_context("spawn")

    def begin(_: int) -> mp.context.SpawnProcess:
        member = context.Process(target=_fails, args=(out, times, how), daemon=True)
        member.start()
        return member

    team = [begin(0)]
    watch(Recipe(1, 480), Job(out, out, out, 1), SHARDS, team, begin)
    return team[0].exitcode


def test_a_crashed_process_is_begun_again(tmp_path):
    assert _watched(tmp_path, 2, signal.SIGSEGV) == 0
    assert all(shard_path(tmp_path, shard).exists() for shard in SHARDS)


def test_not_for_ever(tmp_path):
    assert _watched(tmp_path, 99, signal.SIGSEGV) == -signal.SIGSEGV
    assert len(list(tmp_path.glob("mark*"))) == 1 + REVIVALS


def test_a_process_that_says_why_is_not(tmp_path):
    assert _watched(tmp_path, 99, 0) == 3
    assert len(list(tmp_path.glob("mark*"))) == 1
