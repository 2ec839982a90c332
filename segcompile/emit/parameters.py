"""The arguments of a class's constructor: what the scopes that share it differ in, said as their block says it.

A number is written with the block's own arguments and with the channels that enter: `w`, `4 * w`, `w // 2`,
`in_channels + 16`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segcompile.emit.calls import Argument
from segcompile.emit.explaining import ENTERING, Explanation
from segcompile.emit.formulas import Column, Formula
from segcompile.emit.slots import Instance
from segcompile.facts.module_names import ATTRIBUTES
from segcompile.network.names import Names


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


def write_parameters(shared: Sequence[Instance], family: Sequence[Instance], reserved: Names) -> Written:
    """The arguments of a class that some scopes share, of all that the spec makes of their block: the `family`."""
    explanation = Explanation(shared, family)
    called = _called(explanation, reserved)
    slots, numbers, kept = _texts(explanation, called)
    flag = _flag(shared, reserved)
    parameters = [*_parameters(explanation, called), *([flag] if flag is not None else [])]
    said = frozenset(explanation.own) & explanation.said
    return Written(tuple(parameters), slots, numbers, kept, said, flag.name if flag is not None else "")


def _called(explanation: Explanation, names: Names) -> dict[str, str]:
    """The sources that are arguments -> what these are called: first the channels that enter, then the block's."""
    used = {source for formula in explanation.found.values() for source in formula.sources}
    order = [source for source in (ENTERING, *explanation.own, *explanation.more) if source in used]
    return {source: names.new(_wanted(explanation, source)) for source in order}


def _wanted(explanation: Explanation, source: str) -> str:
    """What an argument should be called: as the block calls it, or as the first slot that it explains; also after the
    slot's member, where others of its role are arguments."""
    if source in explanation.own:
        return source
    if source != ENTERING:
        slot = explanation.slot(source)
        return f"{slot.member}_{slot.role}" if slot.member and len(explanation.rivals(source)) > 1 else slot.role
    found = explanation.found
    roles = [explanation.slots[index].role for index in sorted(found) if source in found[index].sources]
    return next((role for role in roles if role.startswith("in_")), roles[0])


def _parameters(explanation: Explanation, called: dict[str, str]) -> list[Parameter]:
    """The arguments; those with a default come last."""
    entering = tuple(each.channels for each in explanation.shared)
    values = {**explanation.sources(explanation.shared), **explanation.more, ENTERING: entering}
    every = [Parameter(name, values[source], _default(explanation, source)) for source, name in called.items()]
    return sorted(every, key=lambda parameter: parameter.default is not None)


def _default(explanation: Explanation, source: str) -> Argument | None:
    """What an argument is where nothing is said: as its block says, or as the slot that it is called after has it, if
    that is so in one of the scopes, and of all slots of that role."""
    if source in explanation.own or source == ENTERING:
        return explanation.defaults.get(source)
    usual = explanation.slot(source).usual
    return usual if all(usual in explanation.more[rival] for rival in explanation.rivals(source)) else None


_Texts = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]


def _texts(explanation: Explanation, called: dict[str, str]) -> _Texts:
    """The text of every slot of a member and of every number of forward, and the attributes that forward reads."""
    slots, numbers, kept = list[str](), list[str](), dict[str, str]()
    taken = Names({*ATTRIBUTES, *explanation.shared[0].body.attributes.values()})
    for index, slot in enumerate(explanation.slots):
        formula = explanation.found.get(index, Formula((), str(_first(explanation.columns[index]))))
        words = [called[source] for source in formula.sources]
        if slot.member:
            slots.append(formula.text.format(*words))
            continue
        kept |= {word: taken.new(word) for word in words if word not in kept}
        numbers.append(formula.text.format(*(f"self.{kept[word]}" for word in words)))
    return tuple(slots), tuple(numbers), tuple((attribute, word) for word, attribute in kept.items())


def _first(column: Column) -> Argument | None:
    return next((value for value in column if value is not None), None)


def _flag(shared: Sequence[Instance], names: Names) -> Parameter | None:
    """The argument that says whether a scope has the optional members, called as the first of them."""
    first = next((member.attribute for member in shared[0].body.members if member.optional), None)
    if first is None:
        return None
    has = tuple(not any(member.absent for member in each.body.members) for each in shared)
    return Parameter(names.new(first), has, default=False)
