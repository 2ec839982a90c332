"""The arguments of a class's constructor: what the scopes that share it differ in, said as their block says it.

A slot is an argument of a member's constructor, a column what it is in each scope. A column is written with the block's
own arguments and with the channels that enter: `w`, `4 * w`, `w // 2`, `in_channels + 16`. It is looked at over all
scopes of the block, those of other classes too: where all have one number, several would explain it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from segcompile.emit.body import Body
from segcompile.emit.calls import Argument
from segcompile.emit.formulas import Column, Formula, alike, explained, varies
from segcompile.emit.numbers import numbers_in
from segcompile.facts.module_names import ATTRIBUTES
from segcompile.network.graph import Scope
from segcompile.network.names import Names

_CHANNELS = frozenset({"channels", "features", "in_channels", "in_features"})  # roles of slots
_OF_PIXELS = ("size", "stride", "strides", "padding", "dilation")  # ends of roles
_ENTERING = ""  # the source that is called as the first slot that it explains
_SLOT = "slot "  # and its number: the source that is what this slot is


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a constructor: its values in the scopes that share the class, and that which it has where nothing
    is said, if there is one."""

    name: str
    values: Column
    default: Argument | None = None

    def of(self, index: int) -> Argument:
        """Its value in the scope of this place; there is one in each scope of a class (`Written.is_whole`)."""
        value = self.values[index]
        assert value is not None
        return value


@dataclass(frozen=True, slots=True)
class Written:
    """The arguments of a constructor in their order, the text of every slot of its members, and that of every number of
    its forward. `kept`: the attributes that forward reads, and what they are. `own`: which arguments of the block say
    a number in any class of it. `flag`: the argument that says whether a scope has what is optional."""

    parameters: tuple[Parameter, ...]
    slots: tuple[str, ...]
    numbers: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    own: frozenset[str]
    flag: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it says every argument of every scope."""
        return all(value is not None for parameter in self.parameters for value in parameter.values)


@dataclass(frozen=True, slots=True)
class Instance:
    """A scope, its body, and the channels of what enters it first."""

    scope: Scope
    body: Body
    channels: int

    @property
    def slots(self) -> list[_Slot]:
        """The arguments of its members' constructors, then the numbers in its forward."""
        calls = [(member, member.call) for member in self.body.members]
        found = [
            _Slot(
                member.attribute,
                call.function,
                role,
                None if member.absent else value,
                call.usual.get(role),
                role in _CHANNELS and (role.startswith("in_") or "in_" not in "".join(call.roles)),
            )
            for member, call in calls
            for role, value in zip(call.roles, call.slots, strict=True)
        ]
        codes = (statement.code for statement in self.body.statements)
        return found + [_Slot("", "", role, value) for code in codes for role, value in numbers_in(code)]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A number or word of a class: of a member's constructor, or (member "") in forward."""

    member: str
    function: str
    role: str
    value: Argument | None
    usual: Argument | None = None  # what it is where it is not said
    is_read: bool = False  # whether it is the channels of what the module reads

    @property
    def key(self) -> tuple[str, str]:
        return self.member, self.role


def write_parameters(shared: Sequence[Instance], family: Sequence[Instance], reserved: Names) -> Written:
    """The arguments of a class that some scopes share, of all that the spec makes of their block: the `family`."""
    return _Writer(shared, family, reserved).written()


@dataclass(frozen=True)
class _Writer:
    shared: Sequence[Instance]
    family: Sequence[Instance]
    names: Names
    found: dict[int, Formula] = field(default_factory=dict)  # the slots that are no plain numbers
    equal: set[int] = field(default_factory=set)  # the slots that are what enters, wherever the block has them
    more: dict[str, Column] = field(default_factory=dict)  # sources that the block does not know
    said: set[str] = field(default_factory=set)  # the sources that say a number in any class of the block

    @cached_property
    def slots(self) -> list[_Slot]:
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
        return found | ({_ENTERING: entering} if varies(entering) and not role.endswith(_OF_PIXELS) else {})

    def written(self) -> Written:
        for index in range(len(self.slots)):
            self.explain(index)
        self.explain_like_siblings()
        rest = [index for index, column in enumerate(self.columns) if index not in self.found and varies(column)]
        for index in sorted(rest, key=lambda index: self.slots[index].role == "padding"):  # what others may explain
            source = f"{_SLOT}{index}"
            formula = explained(self.columns[index], self.more)
            if formula is not None and self.slots[index].role not in _CHANNELS and re.search(" [+-] ", formula.text):
                formula = None  # a number of pixels that happens to be one more than another
            self.found[index] = formula or Formula((source,), "{}")
            if formula is None:
                self.more[source] = self.columns[index]
        return self.named()

    def explain(self, index: int) -> None:
        """Write a slot with the block's arguments and the channels that enter, where these explain it. An argument that
        is left out in all calls of this class is a number."""
        slot, found = self.slots[index], None
        if slot.member and slot.function != "range":  # in forward a loop says its numbers as they are if they are alike
            pairs = [(each, other) for each in self.family for other in each.slots if other.key == slot.key]
            pairs = [(each, other) for each, other in pairs if other.value is not None]
            plain = self.shared[0].scope.kind == "block" and slot.role in _CHANNELS
            column, sources = (
                alike(tuple(other.value for _, other in pairs)),
                self.sources([each for each, _ in pairs], slot.role),
            )
            same = {slot.role: sources[slot.role]} if slot.role in sources else {}
            found = explained(column, same, plain=True) or explained(column, sources, plain)
            if {value for value, (each, _) in zip(column, pairs, strict=True) if value != each.channels} == set():
                self.equal.add(index)
        if found is None and varies(self.columns[index]):
            found = explained(self.columns[index], self.sources(self.shared, slot.role))
        if found is not None:
            self.said.update(found.sources)
            if not all(self.is_left_out(source) for source in found.sources):
                self.found[index] = found

    def is_left_out(self, source: str) -> bool:
        """Whether no call of this class says an argument, which has a default."""
        default = self.defaults.get(source)
        return source in self.own and all(each.scope.arguments[source] == default for each in self.shared)

    def explain_like_siblings(self) -> None:
        """Write numbers as what enters, or as that and some more, `in_channels + 16`, where others of the same function
        are."""
        sorts = [(slot.function, slot.role) for slot in self.slots]
        same = {sorts[index] for index, formula in self.found.items() if formula == Formula((_ENTERING,), "{}")}
        for index in self.equal - self.found.keys():
            if sorts[index] in same or (same and self.slots[index].is_read):
                self.found[index] = Formula((_ENTERING,), "{}")
        growing = {sorts[index] for index, formula in self.found.items() if formula.text.startswith("{} + ")}
        channels = {each.channels for each in self.shared}
        for index, column in enumerate(self.columns):
            if index not in self.found and sorts[index] in growing and len({*column}) == len(channels) == 1:
                (value,), (entering,) = {*column}, channels
                if isinstance(value, int) and value > entering:
                    self.found[index] = Formula((_ENTERING,), f"{{}} + {value - entering}")

    def named(self) -> Written:
        """The arguments: the channels that enter, the block's, then the others; those with a default come last."""
        used = {source for formula in self.found.values() for source in formula.sources}
        entering = tuple(each.channels for each in self.shared)
        here = {**self.sources(self.shared), **self.more, _ENTERING: entering}
        order = [source for source in (_ENTERING, *self.own, *self.more) if source in used]
        called = {source: self.names.new(self.wanted(source)) for source in order}
        every = [Parameter(called[source], here[source], self.default(source)) for source in order]
        parameters = sorted(every, key=lambda parameter: parameter.default is not None)
        slots, numbers, kept = list[str](), list[str](), dict[str, str]()
        taken = Names({*ATTRIBUTES, *self.shared[0].body.attributes.values()})
        for index, slot in enumerate(self.slots):
            formula = self.found.get(index, Formula((), str(_first(self.columns[index]))))
            words = [called[source] for source in formula.sources]
            if slot.member:
                slots.append(formula.text.format(*words))
                continue
            kept |= {word: taken.new(word) for word in words if word not in kept}
            numbers.append(formula.text.format(*(f"self.{kept[word]}" for word in words)))
        flag = self.flag()
        parameters += [flag] if flag is not None else []
        attributes = tuple((attribute, word) for word, attribute in kept.items())
        said = frozenset(self.own) & self.said
        return Written(tuple(parameters), tuple(slots), tuple(numbers), attributes, said, flag.name if flag else "")

    def flag(self) -> Parameter | None:
        """The argument that says whether a scope has the optional members, called as the first of them."""
        first = next((member.attribute for member in self.shared[0].body.members if member.optional), None)
        if first is None:
            return None
        has = tuple(not any(member.absent for member in each.body.members) for each in self.shared)
        return Parameter(self.names.new(first), has, default=False)

    def wanted(self, source: str) -> str:
        """What an argument should be called: as the block calls it, or as the first slot that it explains; also after
        the slot's member, where others of its role are arguments."""
        if source in self.own:
            return source
        if source != _ENTERING:
            slot = self.slot(source)
            return f"{slot.member}_{slot.role}" if slot.member and len(self.rivals(source)) > 1 else slot.role
        roles = [self.slots[index].role for index in sorted(self.found) if source in self.found[index].sources]
        return next((role for role in roles if role.startswith("in_")), roles[0])

    def default(self, source: str) -> Argument | None:
        """What an argument is where nothing is said: as its block says, or as the slot that it is called after has it,
        if that is so in one of the scopes, and of all slots of that role."""
        if source in self.own or source == _ENTERING:
            return self.defaults.get(source)
        usual = self.slot(source).usual
        return usual if all(usual in self.more[rival] for rival in self.rivals(source)) else None

    def slot(self, source: str) -> _Slot:
        return self.slots[int(source.removeprefix(_SLOT))]

    def rivals(self, source: str) -> list[str]:
        """The slots that are arguments because nothing explains them, of one role."""
        return [other for other in self.more if self.slot(other).role == self.slot(source).role]


def _first(column: Column) -> Argument | None:
    return next((value for value in column if value is not None), None)
