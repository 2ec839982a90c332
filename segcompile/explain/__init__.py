"""One page of help for each diagnostic: what it means, a spec that gets it, and how to mend that."""

from __future__ import annotations

from importlib.resources import files

from segcompile.text.errors import CODES


def page(code: str) -> str | None:
    """The page of `code`, in upper or lower case, as Markdown; None for what is no code."""
    known = code.strip().upper()
    if known not in CODES:
        return None
    return files(__name__).joinpath(f"{known}.md").read_text("utf-8")
