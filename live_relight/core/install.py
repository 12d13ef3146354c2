"""What to type so that a package comes where this program runs."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def pip(*packages: str) -> str:
    """`pip install …` where the shell's pip is this Python's, else the same by this Python's name: in a
    virtual environment that is not activated the shell's would put it elsewhere, or be refused."""
    wanted = " ".join(f"'{name}'" if "[" in name else name for name in packages)
    found = shutil.which("pip")
    if found and Path(found).parent == Path(sys.executable).parent:
        return f"pip install {wanted}"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"
