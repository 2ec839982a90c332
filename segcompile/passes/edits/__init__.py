"""EDITS: all that a spec's `transform` can do to a network, by the word that a spec says."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.passes.edits.atrous import Atrous, RemoveStride
from segcompile.passes.edits.change import Change, Set
from segcompile.passes.edits.convolutionalize import Convolutionalize
from segcompile.passes.edits.edited import Attributes, Body, Edit, Edited, Written
from segcompile.passes.edits.place import Append, InsertAfter, InsertBefore, Replace
from segcompile.passes.edits.remove import Remove
from segcompile.passes.edits.selection import Selector

EDITS: Mapping[str, tuple[type, ...]] = {
    "convolutionalize": (Convolutionalize,),
    "remove": (Remove,),
    "remove_stride": (RemoveStride,),
    "atrous": (Atrous,),
    "set": (Set,),
    "replace": (Replace,),
    "append": (Append,),
    "insert": (InsertAfter, InsertBefore),
}

__all__ = [
    "EDITS",
    "Append",
    "Atrous",
    "Attributes",
    "Body",
    "Change",
    "Convolutionalize",
    "Edit",
    "Edited",
    "InsertAfter",
    "InsertBefore",
    "Remove",
    "RemoveStride",
    "Replace",
    "Selector",
    "Set",
    "Written",
]
