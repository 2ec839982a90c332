"""What the numbers of a class follow from: its block's arguments, the channels that enter, or one another.

A column, what a slot is in each scope, is looked at over all scopes of the block, those of other classes too: where all
have one number, several would explain it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from segcompile.emit.formulas import Column, Formula, alike, explained, varies
from segcompile.emit.slots import CHANNELS, Instance, Slot

ENTERING = ""  # the source that is the channels of what enters
_OF_PIXELS = ("size", "stride", "strides", "padding", "dilation")  # ends of roles
_SLOT = "slot "  # and its number: the source that is what this slot is
_ENTERS = Formula((ENTERING,), "{}")


@dataclass(frozen=True)
class Explanation:
    """The formulas of the slots of a class that some scopes share, of all those that the spec makes of their block: the
    `family`. A slot without a formula is a number."""

    shared: Sequence[Instance]
    family: Sequence[Instance]
    found: dict[int, Formula] = field(default_factory=dict)
    more: dict[str, Column] = field(default_factory=dict)  # sources that the block does not know
    said: set[str] = field(default_factory=set)  # the sources that say a number in any class of the block
    _equal: set[int] = field(default_factory=set)  # the slots that are what enters, wherever the block has them

    def __post_init__(self) -> None:
        for index in range(len(self.slots)):
            self._by_block(index)
        self._by_siblings()
        self._by_each_other()

    @cached_property
    def slots(self) -> list[Slot]:
        return self.shared[0].slots

    @cached_property
    def columns(self) -> list[Column]:
        every = zip(*(each.slots for each in self.shared), strict=True)
        return [alike(tuple(slot.value for slot in slots)) for slots in every]

    @cached_property
    def own(self) -> list[str]:
        """The block's arguments, in its order."""
        first, *others = [each.scope.arguments for each in self.family]
        return [name for name in first if all(name in arguments for arguments in others)]

    @property
    def defaults(self) -> Mapping[str, int]:
        return self.shared[0].scope.defaults

    def sources(self, instances: Sequence[Instance], role: str = "") -> dict[str, Column]:
        """What a column over some scopes can be written with: numbers of pixels with no channels."""
        found: dict[str, Column] = {name: tuple(each.scope.arguments[name] for each in instances) for name in self.own}
        entering = tuple(each.channels for each in instances)
        return found | ({ENTERING: entering} if varies(entering) and not role.endswith(_OF_PIXELS) else {})

    def slot(self, source: str) -> Slot:
        """The slot that is a source of its own."""
        return self.slots[int(source.removeprefix(_SLOT))]

    def rivals(self, source: str) -> list[str]:
        """The slots that are sources of their own, of the role of one of them."""
        return [other for other in self.more if self.slot(other).role == self.slot(source).role]

    def _by_block(self, index: int) -> None:
        """Write a slot with the block's arguments and the channels that enter, where these explain it. An argument that
        is left out in all calls of this class is a number."""
        slot = self.slots[index]
        # in forward a loop says its numbers as they are if they are alike
        found = self._in_family(index) if slot.member and slot.function != "range" else None
        if found is None and varies(self.columns[index]):
            found = explained(self.columns[index], self.sources(self.shared, slot.role))
        if found is not None:
            self.said.update(found.sources)
            if not all(map(self._is_left_out, found.sources)):
                self.found[index] = found

    def _in_family(self, index: int) -> Formula | None:
        """The formula of a slot over all scopes of the block that have it."""
        slot = self.slots[index]
        pairs = [(each, other.value) for each in self.family for other in each.slots if other.key == slot.key]
        pairs = [(each, value) for each, value in pairs if value is not None]
        column = alike(tuple(value for _, value in pairs))
        sources = self.sources([each for each, _ in pairs], slot.role)
        if all(value == each.channels for value, (each, _) in zip(column, pairs, strict=True)):
            self._equal.add(index)
        plain = self.shared[0].scope.kind == "block" and slot.role in CHANNELS
        named = {name: values for name, values in sources.items() if name == slot.role}
        return explained(column, named, plain=True) or explained(column, sources, plain)

    def _is_left_out(self, source: str) -> bool:
        """Whether no call of this class says an argument, which has a default."""
        default = self.defaults.get(source)
        return source in self.own and all(each.scope.arguments[source] == default for each in self.shared)

    def _by_siblings(self) -> None:
        """Write numbers as what enters, or as that and some more, `in_channels + 16`, where others of the same function
        are."""
        sorts = [(slot.function, slot.role) for slot in self.slots]
        same = {sorts[index] for index, formula in self.found.items() if formula == _ENTERS}
        for index in self._equal - self.found.keys():
            if sorts[index] in same or (same and self.slots[index].is_read):
                self.found[index] = _ENTERS
        growing = {sorts[index] for index, formula in self.found.items() if formula.text.startswith("{} + ")}
        channels = {each.channels for each in self.shared}
        for index, column in enumerate(self.columns):
            if index not in self.found and sorts[index] in growing and len({*column}) == len(channels) == 1:
                (value,), (entering,) = {*column}, channels
                if isinstance(value, int) and value > entering:
                    self.found[index] = Formula((ENTERING,), f"{{}} + {value - entering}")

    def _by_each_other(self) -> None:
        """Write what nothing explains as a slot before it, or as an argument of its own."""
        rest = [index for index, column in enumerate(self.columns) if index not in self.found and varies(column)]
        for index in sorted(rest, key=lambda index: self.slots[index].role == "padding"):  # what others may explain
            formula = explained(self.columns[index], self.more)
            if formula is not None and self.slots[index].role not in CHANNELS and re.search(" [+-] ", formula.text):
                formula = None  # a number of pixels that happens to be one more than another
            if formula is None:
                self.more[f"{_SLOT}{index}"] = self.columns[index]
            self.found[index] = formula or Formula((f"{_SLOT}{index}",), "{}")
