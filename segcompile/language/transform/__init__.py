"""`transform`: a base's layers, edited. Each edit is a function of the draft and of what is written for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from segcompile.errors import SegcompileError, fail
from segcompile.language.derive import Step
from segcompile.language.transform.change import change
from segcompile.language.transform.convolutionalize import convolutionalize
from segcompile.language.transform.draft import Draft
from segcompile.language.transform.layers import append, insert, replace
from segcompile.language.transform.remove import remove
from segcompile.language.transform.strides import atrous, remove_stride
from segcompile.language.words import meant
from segcompile.source import Mapping as MappingNode
from segcompile.source import Node, describe

EDITS: Mapping[str, Callable[[Draft, Node], None]] = {
    "convolutionalize": convolutionalize,
    "remove": remove,
    "remove_stride": remove_stride,
    "atrous": atrous,
    "set": change,
    "replace": replace,
    "append": append,
    "insert": insert,
}


def edit(draft: Draft, step: Step) -> None:
    """Do the edits of one `transform`, in their order. Goes on behind one that cannot be done. Raises Stop."""
    draft.base = tuple(draft.layers)
    draft.warn_of_nothing("`transform`", step.edits)
    for item in step.edits.items:
        try:
            _edit(draft, item)
        except SegcompileError as error:
            draft.names.hidden = True  # what is missing now is no news
            draft.ledger.muted |= {"SC103"}  # nor what was to go
            draft.ledger.report(error, draft.place)


def _edit(draft: Draft, item: Node) -> None:
    if not isinstance(item, MappingNode) or len(item.entries) != 1:
        written = describe(item) if not isinstance(item, MappingNode) else f"{len(item.entries)} keys"
        help = "`- remove: [fc8]`; the next edit is the next item of the list"
        raise fail("SC004", f"an edit is one key and what it does, not {written}", item.span, help=help)
    ((key, node),) = item.entries.values()
    if key.text not in EDITS:
        help = meant("edit", key.text, EDITS, node) or f"edits: {', '.join(EDITS)}"
        raise fail("SC003", f"there is no edit `{key.text}`", key.span, help=help)
    draft.warn_of_nothing(f"`{key.text}`", node)
    EDITS[key.text](draft, node)


__all__ = ["Draft", "edit"]
