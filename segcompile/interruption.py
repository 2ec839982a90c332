"""Ctrl-C, where it must wait."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
