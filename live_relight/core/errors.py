"""Errors that a user can mend: one line that says what was got, what was expected and what to do.

LiveRelightError                 exit status 1: failed at work
├── UsageError                   exit status 2: wrong arguments or configuration
├── SourceError                  a camera, clip or picture cannot be opened or read
├── SinkError                    an output cannot be opened or written
├── EstimatorError               a network is missing, broken or does not fit
└── ShaderError                  no OpenGL, or a shader does not compile
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LiveRelightError(Exception):
    """Anything that ends the program with one line instead of a traceback.

    `what` names the thing, `got` what was found, `expected` what would do, `todo` the next step;
    empty parts are left out of the line.
    """

    exit_code = 1

    def __init__(self, what: str, got: str = "", expected: str = "", todo: str = "") -> None:
        self.what, self.got, self.expected, self.todo = what, got, expected, todo
        parts = [what]
        if got:
            parts.append(f"got {got}")
        if expected:
            parts.append(f"expected {expected}")
        line = ", ".join(parts)
        # Messages of libraries that end up in here may span lines; the promise is one line.
        super().__init__(" ".join(f"{line}; {todo}".split() if todo else line.split()))


class UsageError(LiveRelightError):
    exit_code = 2


class SourceError(LiveRelightError):
    pass


class SinkError(LiveRelightError):
    pass


class EstimatorError(LiveRelightError):
    pass


class ShaderError(LiveRelightError):
    pass


def nearest(word: str, known: Iterable[str]) -> str:
    """'did you mean X?' for the closest of `known`, or the whole list when nothing is close."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    close = close or [n for n in names if len(n) > 1 and word and (word.startswith(n) or n.startswith(word))]
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
