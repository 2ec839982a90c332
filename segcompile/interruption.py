"""Ctrl-C: it is known as one, whatever the code that it stops makes of it, and waits where it must."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_stops: list[int] = []


def watch() -> None:
    """From now on `stopped` knows of a Ctrl-C. One that is ignored, as in the background of a shell, stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)


def _stop(number: int, frame: object) -> None:
    _stops.append(number)
    raise KeyboardInterrupt


def stopped() -> bool:
    """Whether Ctrl-C has stopped the program. What is raised then need not be KeyboardInterrupt: while a class is made
    Python up to 3.11 raises a RuntimeError in its place, and pydantic a SchemaError."""
    return bool(_stops)


@contextmanager
def to_the_end() -> Iterator[None]:
    """Ctrl-C waits until what is being written is whole. Raises KeyboardInterrupt then."""
    stops: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: stops.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stops and before is not signal.SIG_IGN:
        raise KeyboardInterrupt
