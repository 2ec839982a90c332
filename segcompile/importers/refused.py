"""What is said of a file that is no network."""

from __future__ import annotations

from segcompile.text.errors import SegcompileError, fail


def refused_network(shown: str, why: str, help: str | None = None) -> SegcompileError:
    """SC901, of the file that messages call `shown`."""
    return fail("SC901", f"`{shown}` cannot be read as a network: {why}", help=help)
