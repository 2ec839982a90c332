"""The stages of a network, which its forward sets apart: layers or scopes of one name that are counted, and scopes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from segcompile.network.scope_tree import ScopeTree

_COUNTED = re.compile(r"(.+?)_?\d+")


def stages_of(items: Sequence[str], tree: ScopeTree) -> dict[str, str]:
    """The first layer or scope of each stage of a network -> what the stage is called; {} if it has only one.

    `items`: what the model itself holds, in order. A stage are layers or scopes of one name and a counter (`conv4_1`,
    `conv4_2`, ...) that follow one another, what has no weights not counted; or one scope without a counter.
    """
    weighted = [item for item in items if item in tree.owning]
    found: dict[str, str] = {}
    for stem, run in groupby(weighted, _stem):
        first, *others = run
        if stem and (others or stem[-1].isdigit()):
            found[first] = stem
        elif not stem and first in tree.scopes:
            found[first] = first
    return found if len(found) > 1 else {}


def _stem(item: str) -> str:
    """`conv4` of `conv4_2`, `unit` of `unit3`; nothing of a name without a counter."""
    match = _COUNTED.fullmatch(item.partition(".")[0])
    return match[1] if match else ""
