"""`segcompile`, and `python -m segcompile`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; whoever stops it, were it still being imported, gets a word and no traceback."""
    try:
        import signal

        from segcompile.cli import main as run

        try:
            run()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python's own end must not be stopped
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
