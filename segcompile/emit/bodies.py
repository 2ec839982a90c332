"""One scope as code: the members of its constructor, and the statements of its forward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segcompile.analysis.facts import Facts, NodeFacts
from segcompile.analysis.pairs import show
from segcompile.emit.calls import WIDTH, Argument, Call, Rules
from segcompile.emit.names import Names
from segcompile.emit.scopes import ROOT, Item, ScopeTree
from segcompile.graph import Node
from segcompile.ops import Shape


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a constructor: `self.<attribute> = <call>`, of an op's module or (node None) of a scope's."""

    attribute: str
    call: Call
    node: Node | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of forward: `<target> = <code>  # <comment>`. `declares`: the returned variable is born here."""

    target: str
    code: str
    comment: tuple[str, ...] = ()  # columns
    declares: bool = False


@dataclass(slots=True)
class Body:
    """A scope while it is written; values are node names, variables what the code calls them."""

    scope: str
    arguments: list[str]  # values from outside, in the order of forward's arguments
    results: list[str]  # values used outside
    names: Names  # of variables
    attributes: Names
    variables: dict[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

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


@dataclass(frozen=True, slots=True)
class _Step:
    """A layer or an inner scope, with the values it reads and makes."""

    item: Item
    reads: list[str]
    makes: list[str]


@dataclass(frozen=True, slots=True)
class BodyWriter:
    """Writes the body of each scope. `inner` holds the finished bodies and `calls` the constructor calls of the scopes
    inside; `inputs` is what the model's forward calls the graph's inputs."""

    tree: ScopeTree
    facts: Facts
    rules: Rules
    inputs: Mapping[str, str]
    inner: Mapping[str, Body]
    calls: Mapping[str, Call]

    def write(self, scope: str) -> Body:
        """The body of `scope`; the comments of its lines give its own sizes."""
        steps = [_Step(item, *self._ends(item)) for item in self.tree.items[scope]]
        made = {value for step in steps for value in step.makes}
        outer = dict.fromkeys(value for step in steps for value in step.reads if value not in made)
        names, attributes = Names({*self.rules.names, "x", "y"}), Names(self.rules.attributes)
        arguments = list(self.inputs) if scope == ROOT else list(outer)
        body = Body(scope, arguments, self.tree.results[scope], names, attributes)
        self._name_values(steps, body)
        unborn = {*body.result_names} - {*body.argument_names}
        for step in steps:
            target = ", ".join(body.variables[value] for value in step.makes)
            comment = describe(self.facts[step.makes[-1]])
            parts = self._scope_call(step, body) if isinstance(step.item, str) else self._layer(step.item, body, target)
            for index, code in enumerate(parts):
                told = comment if index == len(parts) - 1 else ()
                body.statements.append(Statement(target, code, told, target in unborn))
                unborn.discard(target)
        return body

    def _ends(self, item: Item) -> tuple[list[str], list[str]]:
        if isinstance(item, str):
            return self.inner[item].arguments, self.inner[item].results
        return list(dict.fromkeys(item[0].inputs)), [item[-1].name]

    # --- names -----------------------------------------------------------------------------------------------------

    def _name_values(self, steps: list[_Step], body: Body) -> None:
        """Straight-line tensors are x; only a tensor that is read again later gets its layer's name."""
        last = {value: index for index, step in enumerate(steps) for value in step.reads}
        last |= dict.fromkeys(body.results, len(steps))
        for index, value in enumerate(body.arguments):
            name = self._name(value, body)
            body.variables[value] = "x" if index == 0 and body.scope != ROOT else name
        read_again = body.scope != ROOT and bool(body.arguments) and last.get(body.arguments[0], 0) > 0
        straight = "y" if read_again else "x"
        for index, step in enumerate(steps):
            for value in step.makes:
                passing = len(step.makes) == 1 and last.get(value, 0) <= index + 1
                body.variables[value] = straight if passing else self._name(value, body)

    def _name(self, value: str, body: Body) -> str:
        return body.names.new(self.inputs[value] if value in self.inputs else self.tree.short_name(value))

    # --- code ------------------------------------------------------------------------------------------------------

    def _scope_call(self, step: _Step, body: Body) -> list[str]:
        assert isinstance(step.item, str)
        attribute = body.attributes.new(step.item.rpartition(".")[2])
        body.members.append(Member(attribute, self.calls[step.item], scope=step.item))
        return [f"self.{attribute}({', '.join(body.variables[value] for value in step.reads)})"]

    def _layer(self, nodes: tuple[Node, ...], body: Body, target: str) -> list[str]:
        """A layer's statements: one expression, or more where that would not fit a line."""
        parts: list[str] = []
        inputs = [body.variables[name] for name in nodes[0].inputs]
        for node in nodes:
            shapes = [self._shape(name) for name in node.inputs]
            member, output = self._member(node, shapes, body), self.facts[node.name].shape
            code = self.rules.apply(node.op, member, inputs, shapes, output)
            if len(code) > WIDTH - 16 - len(target) and node is not nodes[0]:
                parts.append(inputs[0])
                code = self.rules.apply(node.op, member, [target], shapes, output)
            inputs = [code]
        return [*parts, *inputs]

    def _shape(self, name: str) -> Shape:
        return self.tree.graph.inputs[name] if name in self.tree.graph.inputs else self.facts[name].shape

    def _member(self, node: Node, shapes: list[Shape], body: Body) -> str:
        call = self.rules.member(node.op, shapes)
        if call is None:
            return ""
        name = node.layer.rpartition(".")[2]
        attribute = body.attributes.new(name if node.role == "main" else f"{name}_{node.role}")
        body.members.append(Member(attribute, call, node))
        return f"self.{attribute}"


def describe(found: NodeFacts) -> tuple[str, ...]:
    """The comment of a line, in columns: the shape, stride and receptive field of what it makes."""
    shape = f"({', '.join(['B', str(found.shape.channels), *map(str, found.shape.size)])})"
    height, width = found.fields
    if not found.shape.size:
        return (shape,)
    stride = "" if height.stride is None or width.stride is None else f"stride {show((height.stride, width.stride))}"
    if height.whole or width.whole:
        return shape, stride, "rf whole image"
    return shape, stride, "" if height.size is None or width.size is None else f"rf {show((height.size, width.size))}"
