"""What the variables of a forward are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segcompile.emit.body import Body
from segcompile.emit.options import Option, Step
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, ScopeTree


@dataclass(frozen=True, slots=True)
class _Given:
    """The names of a body's variables, and where each is read for the last time."""

    names: Names
    variables: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # wanted name -> those given for it

    def take(self, name: str, last: int) -> None:
        """An argument of this name."""
        self.variables[name] = [(self.names.new(name), last)]

    def new(self, wanted: str, made: int, last: int) -> str:
        """A variable for what step `made` makes and step `last` is the last to read: a former one that is read no more
        after that step, or a new one."""
        given = self.variables.setdefault(wanted, [])
        index = next((i for i, (_, until) in enumerate(given) if until <= made), None)
        if index is None:
            given.append((self.names.new(wanted), last))
        else:
            given[index] = (given[index][0], last)
        return given[-1 if index is None else index][0]


def name_values(steps: Sequence[Step], body: Body, tree: ScopeTree, option: Option | None = None) -> None:
    """Straight-line tensors are x; only a tensor that is read again later, or is one of several results, gets its
    layer's name, which is free again where that is read for the last time. The arguments have their names, and so
    has what an option makes."""
    last = {value: index for index, step in enumerate(steps) for value in step.reads}
    last |= dict.fromkeys(body.results, len(steps))
    if option is not None:
        made, argument = f"{body.scope}.{option.value}", body.arguments[option.argument]
        body.variables[made], last[argument] = body.variables[argument], last[made]
    given, named = _Given(body.names), body.results if len(body.results) > 1 else []
    for value in body.arguments:
        name = body.variables[value]
        if name != "x":
            given.take(name, last.get(value, -1))
    entering = [value for value in body.arguments if body.variables[value] == "x"]
    straight = "y" if body.scope != ROOT and any(last.get(value, 0) > 0 for value in entering) else "x"
    for index, step in enumerate(steps):
        read = [value for value in step.makes if value in last]
        for value in step.makes:
            if value in body.variables:  # an option's
                continue
            if value not in last:  # a pool of which only the switches are read, say
                body.variables[value] = "_"
            elif len(read) == 1 and last[value] <= index + 1 and value not in named:
                body.variables[value] = straight
            else:
                name = tree.short_name(value, body.scope)
                body.variables[value] = given.new(name, index, last[value])
