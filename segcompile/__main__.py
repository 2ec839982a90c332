"""`segcompile`, and `python -m segcompile`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in __init__.py
if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def main() -> None:
    """Run the command line; whoever stops it, were it still being imported, gets a word and no traceback."""
    sys.unraisablehook = _unraised
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # we have none, and all packages would be searched
    try:
        _run()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def _run() -> None:
    import signal

    from segcompile import interruption

    interruption.watch()
    try:
        from segcompile.cli import main as run

        run()
    except Exception as error:
        if interruption.stopped():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Python's own end must not be stopped


def _unraised(found: UnraisableHookArgs) -> None:
    """What Python cannot raise, in a finalizer or an import's callback, it only prints; an interruption must stop
    the program there too. No folder is written at that moment: that waits for its end."""
    if found.exc_type is KeyboardInterrupt:
        print("stopped", file=sys.stderr, flush=True)
        os._exit(130)
    sys.__unraisablehook__(found)


if __name__ == "__main__":
    main()
