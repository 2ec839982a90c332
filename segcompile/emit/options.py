"""Layers that only some uses of a block have, as a shortcut where the channels change: one class, with a flag.

Uses that have these layers and uses that have not are alike but for them, and what they make stands for one of the
block's arguments: in the code it takes that one's name, and where the layers are left out it is the argument itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from segcompile.emit.body import Body, Statement
from segcompile.emit.numbers import without_numbers
from segcompile.network.scope_tree import Item, ScopeTree, is_switches, node_of


@dataclass(frozen=True, slots=True)
class Step:
    """A layer or an inner scope, with the values it reads and makes."""

    item: Item
    reads: list[str]
    makes: list[str]

    @property
    def name(self) -> str:
        """That of the layer or scope."""
        return self.item if isinstance(self.item, str) else self.item[0].layer

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


def without(full: Body, body: Body) -> Body | None:
    """The body of a scope that has not what another one may leave out, as one of the same class; None where it is not
    alike."""
    rest = [statement for statement in full.statements if not statement.optional]
    if [_text(each) for each in rest] != [_text(each) for each in body.statements]:
        return None
    own = {member.attribute: member for member in body.members}
    kept = [member for member in full.members if not member.optional]
    kinds = [[(m.attribute, m.call.function, m.call.roles, m.steps) for m in some] for some in (kept, body.members)]
    if kinds[0] != kinds[1]:
        return None
    members = [own.get(member.attribute, replace(member, node=None, absent=True)) for member in full.members]
    following = iter(body.statements)
    statements = [each if each.optional else next(following) for each in full.statements]
    return replace(body, members=members, statements=statements)


def _text(statement: Statement) -> object:
    return statement.target, without_numbers(statement.code), statement.opens, statement.inside, statement.returns
