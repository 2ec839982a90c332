"""The numbers and words of a class, in which the scopes that share it may differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segcompile.emit.body import Body, Member
from segcompile.emit.calls import Argument
from segcompile.emit.numbers import numbers_in
from segcompile.network.graph import Scope

CHANNELS = frozenset({"channels", "features", "in_channels", "in_features"})  # roles


@dataclass(frozen=True, slots=True)
class Slot:
    """A number or word of a class: of a member's constructor, or (member "") in forward.

    `role`: what the argument is called; `value`: None in a scope that has not the member; `usual`: what it is where it
    is not said; `is_read`: it is the channels of what the module reads.
    """

    member: str
    function: str
    role: str
    value: Argument | None
    usual: Argument | None = None
    is_read: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.member, self.role


@dataclass(frozen=True, slots=True)
class Instance:
    """A scope, its body, and the channels of what enters it first."""

    scope: Scope
    body: Body
    channels: int

    @property
    def slots(self) -> list[Slot]:
        """The arguments of its members' constructors, then the numbers in its forward."""
        found = [slot for member in self.body.members for slot in _of_member(member)]
        codes = (statement.code for statement in self.body.statements)
        return found + [Slot("", "", role, value) for code in codes for role, value in numbers_in(code)]


def _of_member(member: Member) -> Iterator[Slot]:
    call = member.call
    reads = {role for role in call.roles if role.startswith("in_")} or CHANNELS
    for role, value in zip(call.roles, call.slots, strict=True):
        there, is_read = None if member.absent else value, role in CHANNELS & reads
        yield Slot(member.attribute, call.function, role, there, call.usual.get(role), is_read)
