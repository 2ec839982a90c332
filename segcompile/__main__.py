"""`segcompile`, and `python -m segcompile`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; whoever stops it while it is still being imported gets a word, not a traceback."""
    try:
        from segcompile.cli import main as run
    except KeyboardInterrupt:
        sys.exit("stopped")
    run()


if __name__ == "__main__":
    main()
