"""Layers that only some uses of a block have, as a shortcut where the channels change: one class, with a flag.

Uses that have these layers and uses that have not are alike but for them, and what they make stands for one of the
block's arguments: in the code it takes that one's name, and where the layers are left out it is the argument itself.
Layers that are a loop need no flag: where they are left out, it has no turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from segcompile.emit.body import Body, Member, Statement
from segcompile.emit.lines import call_of
from segcompile.emit.numbers import without_numbers
from segcompile.network.scope_tree import Item, ScopeTree, is_switches, name_of, node_of

_Line = TypeVar("_Line", Member, Statement)


@dataclass(frozen=True, slots=True)
class Step:
    """A layer or an inner scope, with the values it reads and makes; `terms` are written within it."""

    item: Item
    reads: list[str]
    makes: list[str]
    terms: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """That of the layer or scope."""
        return name_of(self.item)

    @property
    def result(self) -> str:
        """The node that its line speaks of: of the last result, or of the pool whose switches are all that it makes."""
        return next((value for value in reversed(self.makes) if not is_switches(value)), node_of(self.makes[-1]))


@dataclass(frozen=True, slots=True)
class Uses:
    """What is written in a scope, and the values that enter it."""

    scope: str
    steps: Sequence[Step]
    arguments: Sequence[str]

    def local(self, name: str) -> str:
        """A layer, scope or value by its name in the scope; an argument by its place."""
        if name in self.arguments:
            return f"argument {self.arguments.index(name)}"
        return name.removeprefix(f"{self.scope}.")


@dataclass(frozen=True, slots=True)
class Option:
    """The layers and scopes that may be left out, by their names in the scope, what they make, and which argument that
    stands for."""

    items: tuple[str, ...]
    value: str
    argument: int

    @property
    def name(self) -> str:
        return self.items[0].replace(".", "_")


def find_option(more: Uses, less: Uses, tree: ScopeTree) -> Option | None:
    """What a scope has more than another one, if all else in them is alike."""
    own, theirs = {more.local(step.name): step for step in more.steps}, {less.local(s.name): s for s in less.steps}
    extra = [name for name in own if name not in theirs]
    start = list(own).index(extra[0]) if extra else 0
    if (
        not extra
        or [*own][start : start + len(extra)] != extra
        or [name for name in own if name in theirs] != [*theirs]
    ):
        return None
    made = {value for name in extra for value in own[name].makes}
    if made & {*tree.results[more.scope]}:
        return None  # who has it not could not hand it on
    pairs = [pair for name, other in theirs.items() for pair in _read(own[name], other, tree)]
    leaving = {value for value, _ in pairs if value in made}
    instead = {less.local(other) for value, other in pairs if value in leaving}
    alike = all(more.local(value) == less.local(other) for value, other in pairs if value not in leaving)
    if not alike or len(leaving) != 1 or len(instead) != 1 or len(more.arguments) != len(less.arguments):
        return None
    argument = next((i for i in range(len(more.arguments)) if f"argument {i}" in instead), None)
    if argument is None or any(more.arguments[argument] in step.reads for step in more.steps[start + len(extra) :]):
        return None
    return Option(tuple(extra), more.local(leaving.pop()), argument)


def _read(one: Step, other: Step, tree: ScopeTree) -> Iterator[tuple[str, str]]:
    """What two steps read, input by input; nothing that is alike where they are no two of a kind."""
    if isinstance(one.item, str) or isinstance(other.item, str):
        pairs = [(one.reads, other.reads)]
    else:
        pairs = [(list(tree.reads(a)), list(tree.reads(b))) for a, b in zip(one.item, other.item, strict=False)]
    for ours, theirs in pairs:
        yield from zip(ours, theirs, strict=False)


def loop_of(option: Option, body: Body) -> str:
    """What the modules of a loop are called that does all that may be left out, and nothing else; "" if none does."""
    items = {f"{body.scope}.{name}" for name in option.items}
    loops = [member for member in body.members if member.inside]
    return next((each.attribute for each in loops if {*each.scopes, *(node.layer for node in each.nodes)} == items), "")


def without(full: Body, body: Body, loop: str = "") -> Body | None:
    """The body of a scope that has not what another one may leave out, or no turns of its `loop`, as one of the same
    class; None where it is not alike."""
    gone = [member.optional or (bool(loop) and member.attribute.startswith(loop)) for member in full.members]
    members = _woven(full.members, gone, body.members, _kind, _absent)
    turns = [bool(loop) and f'f"{loop}' in line.code for line in full.statements]
    heads = [line.opens and turn for line, turn in zip(full.statements, [*turns[1:], False], strict=True)]
    gone = [line.optional or any(of_loop) for line, *of_loop in zip(full.statements, turns, heads, strict=True)]
    statements = _woven(full.statements, gone, body.statements, _text, _never)
    return replace(body, members=members, statements=statements) if members and statements else None


def _woven(
    full: Sequence[_Line],
    gone: Sequence[bool],
    own: Sequence[_Line],
    kind: Callable[[_Line], object],
    left: Callable[[_Line], _Line],
) -> list[_Line]:
    """A scope's own lines in the places of those of another one, and what is `left` of the lines that it has not; []
    where they are not of one kind."""
    if [kind(line) for line, is_gone in zip(full, gone, strict=True) if not is_gone] != [*map(kind, own)]:
        return []
    following = iter(own)
    return [left(line) if is_gone else next(following) for line, is_gone in zip(full, gone, strict=True)]


def _absent(member: Member) -> Member:
    if not member.opens:
        return replace(member, nodes=(), absent=True)
    start, _, *step = member.call.positional
    return replace(member, call=replace(member.call, positional=(start, start, *step)))


def _never(line: Statement) -> Statement:
    """A line that is left out, and the head of a loop that has no turns."""
    if not line.opens:
        return line
    _, (start, _, *step) = call_of(line.code)
    return replace(line, code=f"range({', '.join((start, start, *step))})")


def _kind(member: Member) -> object:
    return member.attribute, member.call.function, member.call.roles, member.steps


def _text(statement: Statement) -> object:
    return statement.target, without_numbers(statement.code), statement.opens, statement.inside, statement.returns
