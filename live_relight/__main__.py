"""The console script. Signals are in hand before anything is imported: Ctrl-C is quiet at any moment."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from . import interrupt


def main() -> int:
    """Runs the command line; SIGTERM and SIGHUP end it as Ctrl-C does."""
    status = _run()
    if status == interrupt.EXIT_STATUS:
        # Everything is closed by now. Leaving the usual way, Python would kill itself with SIGINT where an
        # extension module was being loaded when the signal came, and a late signal would print a traceback.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    return status


def _run() -> int:
    try:
        interrupt.install()
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        return interrupt.EXIT_STATUS
    except ImportError:
        if interrupt.arrived():
            return interrupt.EXIT_STATUS
        raise


if __name__ == "__main__":
    sys.exit(main())
