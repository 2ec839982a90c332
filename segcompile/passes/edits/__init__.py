"""EDITS: all that a spec's `transform` can do to a network; language/edits.py has the word for each."""

from __future__ import annotations

from collections.abc import Callable

from segcompile.passes.edited import Edited
from segcompile.passes.edits.atrous import atrous, remove_stride
from segcompile.passes.edits.change import change
from segcompile.passes.edits.convolutionalize import convolutionalize
from segcompile.passes.edits.place import append, insert_after, insert_before, replace
from segcompile.passes.edits.remove import remove
from segcompile.passes.edits.shared import with_owners

EDITS: tuple[Callable[..., Edited], ...] = (
    *(convolutionalize, remove, remove_stride, atrous, change, replace, append, insert_after, insert_before),
)

__all__ = [
    "EDITS", "append", "atrous", "change", "convolutionalize", "insert_after", "insert_before", "remove",
    "remove_stride", "replace", "with_owners",
]  # fmt: skip
