"""The stages of a network, which its forward sets apart: layers or scopes of one name that are counted, and scopes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle, groupby, takewhile

from segcompile.network.scope_tree import ScopeTree

_COUNTED = re.compile(r"(.+?)_?(\d+)")


def stages_of(items: Sequence[str], tree: ScopeTree) -> dict[str, str]:
    """The first layer or scope of each stage of a network -> what the stage is called; {} if it has only one.

    `items`: what the model itself holds, in order. A stage are layers or scopes of one name and a counter (`conv4_1`,
    `conv4_2`, ...) that follow one another, what has no weights not counted, or of two names in turn (`up2`, `dec2`,
    `up1`, `dec1`); or one scope without a counter. One of several `embed2` is of the stage of `stage2_1` behind it.
    """
    weighted = [item for item in items if item in tree.owning]
    counted = [_COUNTED.fullmatch(item.partition(".")[0]) for item in weighted]
    names = _in_turn(weighted, [match[1] if match else "" for match in counted], tree)
    names = _joined(names, [match[2] if match else "" for match in counted])
    found: dict[str, str] = {}
    for name, run in groupby(range(len(weighted)), names.__getitem__):
        first, *others = (weighted[index] for index in run)
        if len(name) > 1 and (others or name[-1].isdigit()):
            found[first] = name
        elif not name and first in tree.scopes:
            found[first] = first
    return found if len(found) > 1 else {}


def _in_turn(items: Sequence[str], names: Sequence[str], tree: ScopeTree) -> list[str]:
    """The names, where two of them take turns that of the scopes, or the first."""
    found, start = list(names), 0
    while start < len(names):
        pair = names[start : start + 2]
        turns = _length(names[start:], pair) if len({*pair} - {""}) == 2 else 0
        if turns > 3:
            scopes = [name for name, item in zip(pair, items[start:], strict=False) if item in tree.scopes]
            found[start : start + turns] = [[*scopes, pair[0]][0]] * turns
        start += turns if turns > 3 else 1
    return found


def _length(names: Sequence[str], pair: Sequence[str]) -> int:
    """How many of the first names are those of a pair, in turn."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(names, cycle(pair), strict=False)))


def _joined(names: Sequence[str], numbers: Sequence[str]) -> list[str]:
    """The names, for a single item that of the next one where that is of a stage of this number."""
    around = ["", *names, ""]
    return [
        after if _is_single(name, names) and name not in (before, after) and after.endswith(number) else name
        for before, name, after, number in zip(around, names, around[2:], numbers, strict=False)
    ]


def _is_single(name: str, names: Sequence[str]) -> bool:
    """Whether a name with one counter is that of several items."""
    return names.count(name) > 1 and not name[-1:].isdigit() and name != ""
