"""What all tests share: where the checkout is, and whether golden pictures are drawn anew."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import settings

# PyPI's torch for Linux brings Triton, and with it an LLVM of its own, as Mesa's rasteriser has one. Loaded
# after Mesa's, at the first optimizer of a training, it ends the process; before it, both work.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden pictures instead of comparing"
    )


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


def unavailable(reason: str) -> None:
    """Ends a test that this machine cannot run: a skip for a person, a failure in CI (nothing may rot)."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


# Machines that run tests are shared: how long an example takes says nothing about the code.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
