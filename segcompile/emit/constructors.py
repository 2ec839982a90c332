"""The lines of a constructor: members, loops of them, and those that an argument leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segcompile.emit.body import COUNTER, Member


@dataclass(frozen=True, slots=True)
class Construction:
    """One line of a constructor: `self.<attribute> = <function>(<arguments>)`, or (arguments None) `= <function>`.
    `opens`: it is the head of a loop over `<function>(<arguments>)`, or (arguments None) of what is there if
    `<function>`; `inside`: it stands in a loop; `optional`: it stands behind an if."""

    attribute: str
    function: str
    arguments: tuple[str, ...] | None = None
    opens: bool = False
    inside: bool = False
    reason: str = ""  # of a number among the arguments
    optional: bool = False


def constructions(members: Sequence[Member], texts: Iterable[str], flag: str = "") -> tuple[Construction, ...]:
    """The lines of a constructor, with these texts of its members' slots; `flag`: whether it has optional ones."""
    slots, start, found = iter(texts), "", list[Construction]()
    for member in members:
        own = [next(slots) for _ in member.call.slots]
        start = own[0] if member.opens else start
        if member.steps:
            own = [_grown(text, step, start) for text, step in zip(own, member.steps, strict=True)]
        arguments = member.call.arguments(own)
        if member.optional and not (found and found[-1].optional):
            found.append(Construction(member.attribute, flag, opens=True))
        kind = member.opens, member.inside, member.reason, member.optional
        found.append(Construction(member.attribute, member.call.function, arguments, *kind))
    return tuple(found)


def _grown(text: str, step: int, start: str) -> str:
    """What is `text` in the first turn of a loop and `step` more in each further one."""
    if step == 0:
        return text
    times = "" if step == 1 else f"{step} * "
    if text.isdecimal() and start.isdecimal() and int(text) % step == 0 and int(text) <= step * int(start):
        return f"{times}{_less(int(start) - int(text) // step)}"
    return f"{text} + {times}{_less(int(start)) if start.isdecimal() else f'({COUNTER} - {start})'}"


def _less(number: int) -> str:
    """The counter, less a number."""
    return f"({COUNTER} - {number})" if number else COUNTER
