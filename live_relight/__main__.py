"""The console script. Signals are in hand before anything is imported: Ctrl-C is quiet at any moment."""

from __future__ import annotations

import signal
import sys

INTERRUPTED = 130


def main() -> int:
    """Runs the command line; SIGTERM and SIGHUP end it as Ctrl-C does."""
    try:
        for name in ("SIGTERM", "SIGHUP"):
            # nohup and shells that start background jobs ignore signals for us: so be it.
            if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
                signal.signal(getattr(signal, name), signal.default_int_handler)
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
