"""What is written of one scope: the members of its constructor, the statements of its forward, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segcompile.emit.calls import Argument, Call
from segcompile.network.graph import Node
from segcompile.network.names import Names

COUNTER = "i"  # of a loop


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a constructor: `self.<attribute> = <call>`, of an op's module or of a scope's.

    `inside` a loop the attribute is that of all its turns, `unit{i}`, and `steps` say by how much each argument grows
    from turn to turn; the line before `opens` it, and has the call of `range`. An `optional` one is not
    there in all scopes of the class; in those it is `absent`.
    """

    attribute: str
    call: Call
    nodes: tuple[Node, ...] = ()  # whose module it is; several in a loop
    scopes: tuple[str, ...] = ()
    steps: tuple[int, ...] = ()
    opens: bool = False
    inside: bool = False
    reason: str = ""  # of a number among the arguments
    optional: bool = False
    absent: bool = False

    @property
    def name(self) -> str:
        """That of the first scope or layer whose module it is."""
        return self.scopes[0] if self.scopes else self.nodes[0].layer


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of forward: `<target> = <code>  # <comment>`.

    `declares`: the returned variable is born here. `stage`: that of the network which begins here. `opens`: it is
    `for <target> in <code>:`, or (target "") `if <code>:`; `inside`: it stands in a loop; `returns`: it is
    `return <code>`; `optional`: not all scopes of the class have it.
    """

    target: str
    code: str
    comment: tuple[str, ...] = ()  # columns
    reason: str = ""  # of a number in the code
    declares: bool = False
    stage: str = ""
    opens: bool = False
    inside: bool = False
    returns: bool = False
    optional: bool = False


@dataclass(slots=True)
class Body:
    """A scope while it is written; values are node names, variables what the code calls them."""

    scope: str
    arguments: list[str]  # values from outside, in the order of forward's arguments
    results: list[str]  # values used outside
    names: Names  # of variables
    attributes: Mapping[str, str]  # of nodes and inner scopes
    variables: dict[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)  # of its code, without the scopes inside

    @property
    def argument_names(self) -> tuple[str, ...]:
        return tuple(self.variables[value] for value in self.arguments)

    @property
    def result_names(self) -> tuple[str, ...]:
        return tuple(self.variables[value] for value in self.results)

    @property
    def slots(self) -> list[Argument]:
        """The value of every constructor argument of every member, in order."""
        return [slot for member in self.members for slot in member.call.slots]
