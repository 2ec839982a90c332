"""EDITS: all that a spec's `transform` can do to a network, by the word that a spec says."""

from __future__ import annotations

from segcompile.passes.edits.atrous import Atrous, RemoveStride
from segcompile.passes.edits.change import Change, Set
from segcompile.passes.edits.convolutionalize import Convolutionalize
from segcompile.passes.edits.edited import Attributes, Body, Edit, Edited, Written
from segcompile.passes.edits.place import Append, InsertAfter, InsertBefore, Replace
from segcompile.passes.edits.remove import Remove
from segcompile.passes.edits.selection import Selector

EDITS = (Convolutionalize, Remove, RemoveStride, Atrous, Set, Replace, Append, InsertAfter, InsertBefore)

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
