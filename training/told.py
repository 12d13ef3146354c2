"""How the commands of this folder end: with 0, or with one line about what went wrong and 1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

Main = Callable[..., int]


def in_one_line(main: Callable[[list[str] | None], None]) -> Main:
    """`main` with its expected failures told in one line instead of a traceback."""

    @wraps(main)
    def told(argv: list[str] | None = None) -> int:
        try:
            main(argv)
        except (OSError, ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return 0

    return told
