"""What is said of a file that is no network."""

from __future__ import annotations

from dataclasses import replace

from segcompile.text.errors import CODES, SegcompileError, fail


def refused_network(shown: str, why: str, help: str | None = None) -> SegcompileError:
    """SC901, of the file that messages call `shown`."""
    return fail("SC901", f"`{shown}` cannot be read as a network: {why}", help=help)


def as_network(error: SegcompileError) -> SegcompileError:
    """What was said of a file of weights, as SC901."""
    return SegcompileError(
        replace(
            each,
            code=CODES["SC901"],
            message=each.message.replace("cannot be read as weights", "cannot be read as a network", 1),
        )
        for each in error.diagnostics
    )
