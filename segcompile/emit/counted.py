"""What of a body may be a loop: layers and scopes of one name that are counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segcompile.emit.body import COUNTER, Body, Member
from segcompile.network.scope_tree import Item, name_of

_LEAST = 3  # turns of a loop, but of a block whose uses have more or fewer
_COUNTED = re.compile(r"(\w*?\D)(0|[1-9]\d*)")
Counted = tuple[str, bool]  # what layers, or scopes (True), are called before their numbers


@dataclass(frozen=True, slots=True)
class Loops:
    """What may be a loop. Scopes and nodes that are `apart` are reached by their names from elsewhere, and stay
    members of their own. `least`: the turns that make a loop of what other uses of a block have more or fewer of;
    layers are in no loop but where it is 1."""

    apart: Collection[str]
    least: Mapping[Counted, int] = field(default_factory=dict)

    def may_hold(self, member: Member) -> bool:
        layers = (node.name for node in member.nodes if self.least.get((stem_of(node.layer)[0], False)) == 1)
        names = {*(member.scopes or layers)}
        return bool(names) and names.isdisjoint(self.apart)

    def are(self, counted: Counted, count: int) -> bool:
        """Whether so many turns are enough."""
        return count >= self.least.get(counted, _LEAST)


def stem_of(name: str) -> tuple[str, int]:
    """What a layer or scope is called before its number, and that; ("", 0) of one that is not counted."""
    match = _COUNTED.fullmatch(name.rpartition(".")[2])
    return (match[1], int(match[2])) if match else ("", 0)


def counted(items: Iterable[Item]) -> Counter[Counted]:
    """How often layers and scopes of a name with a number are there."""
    return Counter((stem, isinstance(item, str)) for item in items if (stem := stem_of(name_of(item))[0]))


def varying(counts: Sequence[Counter[Counted]]) -> list[Counted]:
    """What is there more or less often, and twice in one use of a block or more."""
    every = dict.fromkeys(key for count in counts for key in count)
    return [key for key in every if len({count[key] for count in counts}) > 1 < max(count[key] for count in counts)]


def turns(body: Body, key: Counted) -> int:
    """Those of the longest loop over layers or scopes that are called so."""
    name, scopes = f"{key[0]}{{{COUNTER}}}", key[1]
    loops = [each for each in body.members if each.inside and each.attribute == name and bool(each.scopes) == scopes]
    return max((len(member.scopes or member.nodes) for member in loops), default=0)
