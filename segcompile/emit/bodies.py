"""Writes one scope as code: the members of its constructor, and the statements of its forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from segcompile.emit.body import Body, Member, Statement
from segcompile.emit.calls import Apply, Call, Rules
from segcompile.emit.comments import describe
from segcompile.emit.counted import Loops
from segcompile.emit.lines import call_of
from segcompile.emit.options import Option, Step, Uses
from segcompile.emit.paragraphs import stages_of
from segcompile.emit.reasons import offset_reason, padding_reason
from segcompile.emit.repeats import with_loops
from segcompile.emit.terms import with_terms
from segcompile.emit.variables import name_values
from segcompile.facts.facts import Facts
from segcompile.facts.module_names import attributes, scope_path
from segcompile.network.graph import Graph, Node, enclosing, layer_of
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, Item, ScopeTree, is_switches, node_of
from segcompile.ops import Shape


@dataclass(frozen=True, slots=True)
class _Entering:
    """What enters a scope: its name there, and whether only its size is read."""

    name: str
    lends_size: bool


@dataclass(frozen=True, slots=True)
class BodyWriter:
    """Writes the body of each scope. `inner` holds the finished bodies and `calls` the constructor calls of the scopes
    inside; `inputs` is what the model's forward calls the graph's inputs; `places`: where modules lie in the model.
    `loops`: what may be one, in each scope. `turned`: the constructors of modules that read maps with channels last."""

    tree: ScopeTree
    facts: Facts
    rules: Rules
    inputs: Mapping[str, str]
    inner: Mapping[str, Body]
    calls: Mapping[str, Call]
    places: Mapping[str, str]
    loops: Mapping[str, Loops]
    turned: Mapping[str, Call]

    def write(self, scope: str, results: list[str], called: Sequence[str], option: Option | None = None) -> Body:
        """The body of `scope`, which hands on `results` and has these arguments; the comments of its lines give its own
        sizes. `option`: what other scopes of its class leave out."""
        body = self._body(scope, results, dict(zip(self.uses(scope).arguments, called, strict=True)))
        name_values(self._lines(body, option), body, self.tree, option)
        return self._write(body, option)

    def write_like(self, full: Body, scope: str, results: list[str]) -> Body:
        """The body of a scope of a class with an option, which it leaves out; the names are those of a `full` one."""
        theirs, ours = self.uses(full.scope), self.uses(scope)
        names = {theirs.local(value): name for value, name in full.variables.items()}
        values = [*ours.arguments, *(value for step in ours.steps for value in step.makes)]
        return self._write(self._body(scope, results, {value: names.get(ours.local(value), "_") for value in values}))

    def sketch(self, scope: str) -> Body:
        """The body, which hands nothing on and calls its arguments x, and the further ones by their places: scopes that
        compute the same have the same one, whatever enters them and is read of them."""
        uses = self.uses(scope)
        called = {value: f"argument {index}" if index else "x" for index, value in enumerate(uses.arguments)}
        body = self._body(scope, [], called)
        name_values(self._lines(body), body, self.tree)
        return self._write(body)

    def channels(self, scope: str) -> int:
        """Those of what enters a scope first."""
        return self._shape(self.inner[scope].arguments[0]).channels

    def call_arguments(self, scopes: Sequence[str]) -> list[str]:
        """What forward's arguments are called in the class that some scopes share: as their block calls them, x what
        enters without a name, `like` what lends its size alone; else as the layer, or what the scopes' layers have in
        common before their numbers."""
        names = Names({*self.rules.names, "y"})
        return [names.new(self._call_argument(each)) for each in zip(*map(self._entering, scopes), strict=True)]

    def _call_argument(self, each: Sequence[_Entering]) -> str:
        said = list(dict.fromkeys(one.name for one in each))
        if len(said) == 1 or "x" in said:  # the block's argument may be what enters in some of the scopes
            return said[0] if len(said) == 1 else "x"
        if all(one.lends_size for one in each):
            return "like"
        stems = {name.rstrip("_0123456789") for name in said}
        return stems.pop() if len(stems) == 1 else said[0]

    def _entering(self, scope: str) -> list[_Entering]:
        """What enters a scope, in the order of the arguments."""
        named, found = self._named(scope), list[_Entering]()
        for index, value in enumerate(self.uses(scope).arguments):
            name = named.get(value) or ("x" if index == 0 else self.inputs.get(value))
            readers = [reader for reader in self.tree.readers[value] if scope in enclosing(reader.layer)]
            lends = all(value not in reader.read for reader in readers)
            found.append(_Entering(name or self.tree.short_name(value, scope), lends))
        return found

    def _named(self, scope: str) -> dict[str, str]:
        """The values that a block's call names as its arguments, in the block's order -> what the block calls them."""
        found: dict[str, str] = {}
        for argument, layer in self.tree.scopes[scope].layers.items():
            value = self.tree.graph.names.get(layer)
            if value is not None:
                found.setdefault(value, argument)
        return found

    def uses(self, scope: str) -> Uses:
        """The steps of a scope, and the values that enter it: of a block that which stands before its call first, then
        those that the call names, then all others."""
        steps = [Step(item, *self._ends(item)) for item in self.tree.items[scope]]
        if scope == ROOT:
            return Uses(scope, steps, list(self.inputs))
        made = {value for step in steps for value in step.makes}
        outer = list(dict.fromkeys(value for step in steps for value in step.reads if value not in made))
        named, around = list(self._named(scope)), self.tree.scopes[scope]
        first = [] if around.entry in named or around.kind == "written" else [around.entry]
        places = {value: index for index, value in enumerate([*first, *named])}
        return Uses(scope, steps, sorted(outer, key=lambda value: places.get(value, len(places))))

    def _lines(self, body: Body, option: Option | None = None) -> list[Step]:
        """The steps of a scope that have lines of their own; in the model all have."""
        uses, optional = self.uses(body.scope), option.items if option is not None else ()
        if body.scope == ROOT:
            return list(uses.steps)
        kept = {step.name for step in uses.steps if step.name in self.tree.twins or uses.local(step.name) in optional}
        return with_terms(uses.steps, {*kept, *body.results}, self.facts)

    def _body(self, scope: str, results: list[str], variables: Mapping[str, str]) -> Body:
        names = Names({*self.rules.names, "x", "y"})
        own, arguments = attributes(self.tree, scope), list(self.uses(scope).arguments)
        return Body(scope, arguments, results, names, own, dict(variables))

    def _write(self, body: Body, option: Option | None = None) -> Body:
        """Fill a body whose variables have names."""
        scope, uses = body.scope, self.uses(body.scope)
        # a type checker knows no module's result; it takes several as they are
        unborn = {*body.result_names} - {*body.argument_names} if len(body.results) == 1 else set[str]()
        stages = stages_of([step.name for step in uses.steps], self.tree) if scope == ROOT else {}
        before: tuple[str, ...] = ()
        for step in self._lines(body, option):
            comment, members = self._comment(step, scope), len(body.members)
            optional = option is not None and uses.local(step.name) in option.items
            parts = self._scope_call(step, body) if isinstance(step.item, str) else self._layer(step, step.item, body)
            for index, (target, code) in enumerate(parts):
                told = comment if index == len(parts) - 1 and comment != before else ()
                stage = stages.get(step.name, "") if index == 0 else ""
                reason = self._offset_reason(step, scope) if told else ""
                told = told[:1] if reason else told  # a crop has the stride and the field of what it crops
                line = Statement(target, code, told, reason, target in unborn, stage, optional=optional)
                body.statements.append(line)
                unborn.difference_update(target.split(", "))
            before = comment
            if optional:
                body.members[members:] = [replace(member, optional=True) for member in body.members[members:]]
        order = {step.name: index for index, step in enumerate(uses.steps)}
        body.members.sort(key=lambda member: order[member.name])
        with_loops(body, self.loops[body.scope])
        self._return_last(body)
        return body

    def _return_last(self, body: Body) -> None:
        """Return what the last statement makes, where that is the only result, without a name for it."""
        *others, last = body.statements
        function = call_of(last.code)[0]
        if body.result_names == (last.target,) and not last.inside and function.startswith(self.rules.typed):
            before = [replace(statement, declares=False) for statement in others]
            body.statements = [*before, replace(last, declares=False, returns=True)]

    def _ends(self, item: Item) -> tuple[list[str], list[str]]:
        """What a layer or scope reads, and what it makes; a layer's result first, then its pool's switches."""
        if isinstance(item, str):
            return self.inner[item].arguments, self.inner[item].results
        switches = [value for value in self.tree.made(item[0]) if is_switches(value)]
        return list(dict.fromkeys(self.tree.reads(item[0]))), [item[-1].name, *switches]

    def _scope_call(self, step: Step, body: Body) -> list[tuple[str, str]]:
        return [(", ".join(body.variables[value] for value in step.makes), self._called(step, body))]

    def _called(self, step: Step, body: Body) -> str:
        """The call of a scope's module."""
        assert isinstance(step.item, str)
        twin = self.tree.twins.get(step.item)
        if twin is not None:
            attribute = self._reached(scope_path(self.tree, twin), body)
        else:
            attribute = body.attributes[step.item]
            body.members.append(Member(attribute, self.calls[step.item], scopes=(step.item,)))
        return f"self.{attribute}({', '.join(body.variables[value] for value in step.reads)})"

    def _layer(self, step: Step, nodes: tuple[Node, ...], body: Body) -> list[tuple[str, str]]:
        """A layer's statements, (target, expression): one, but that a pool that also gives its switches stands by
        itself."""
        parts: list[tuple[str, str]] = []
        target, *switches = (body.variables[value] for value in step.makes)
        terms = {term.makes[0]: self._called(term, body) for term in step.terms}
        inputs = [terms.get(value) or body.variables[value] for value in self.tree.reads(nodes[0])]
        for node in nodes:
            shapes = [self._shape(value) for value in self.tree.reads(node)]
            member, output = self._member(node, shapes, body), self.facts[node.name].shape
            rule = self.rules.table[type(node.op)]
            apply = self._apply(node, shapes)
            switched = rule.switched if switches and node is nodes[0] else None
            code, needs = (switched or apply)(node.op, member, inputs, shapes, output)
            body.needs |= needs
            if switched is not None:
                parts.append((", ".join([target, *switches]), code))
                code = target
            inputs = [code]
        return parts if switches and len(nodes) == 1 else [*parts, (target, inputs[0])]

    def _shape(self, value: str) -> Shape:
        name = node_of(value)
        return self.tree.graph.inputs[name] if name in self.tree.graph.inputs else self.facts[name].shape

    def _member(self, node: Node, shapes: list[Shape], body: Body) -> str:
        call = self.turned.get(node.name) or self.rules.member(node.op, shapes)
        if call is None:
            return ""
        lender = self.tree.lender(node)
        if lender is not None:
            return f"self.{self._reached(self.places[lender], body)}"
        body.needs |= call.needs
        reason = padding_reason(node, self.tree.graph, self.facts) if body.scope == ROOT else ""
        body.members.append(Member(body.attributes[node.name], call, (node,), reason=reason))
        return f"self.{body.attributes[node.name]}"

    def _apply(self, node: Node, shapes: list[Shape]) -> Apply:
        """How an op is applied: by a module of other strides, say, whose weights it shares, by these alone."""
        rule, lender = self.rules.table[type(node.op)], self.tree.lender(node)
        if lender is None or rule.member is None:
            return rule.apply
        owner = self.tree.graph.by_name[lender]
        theirs = self.rules.member(owner.op.starting_as(None), [self._shape(value) for value in self.tree.reads(owner)])
        if self.rules.member(node.op.starting_as(None), shapes) == theirs:
            return rule.apply
        if rule.by_weights is None:
            raise ValueError(f"{node.op.title} has no rule `by_weights`, which {node.layer} needs")
        return rule.by_weights

    def _reached(self, path: str, body: Body) -> str:
        """How a module at this path of the model is reached from the class of a scope around it."""
        return path.removeprefix(f"{scope_path(self.tree, body.scope)}.") if body.scope != ROOT else path

    def _offset_reason(self, step: Step, scope: str) -> str:
        """Why a crop of the model itself is where it is."""
        if scope != ROOT or isinstance(step.item, str):
            return ""
        return offset_reason(step.item[0], self.tree.graph, self.facts)

    def _comment(self, step: Step, scope: str) -> tuple[str, ...]:
        """The columns of a line's comment: what it makes, and whose weights it does that with."""
        own, item = describe(self.facts[step.result], self.rules.axes), step.item
        lender = self.tree.twins.get(item) if isinstance(item, str) else item[0].weights
        if lender is None:
            return own
        name = layer_of(lender).removeprefix(f"{scope}.")
        return (*own, *[""] * (3 - len(own)), f"weights of {name}")


def turned(graph: Graph, facts: Facts, rules: Rules) -> dict[str, Call]:
    """The modules that read a map whose channels are last in memory: it was left so by an op before it that turns maps,
    with nothing but ops of each pixel between."""
    found, last = dict[str, Call](), set[str]()
    for node in graph.nodes:
        shapes = [graph.inputs[name] if name in graph.inputs else facts[name].shape for name in node.inputs]
        reads = len(node.inputs) == 1 and node.inputs[0] in last
        call = rules.turned(node.op, shapes) if reads else None
        if call is not None:
            found[node.name] = call
        if call is not None or rules.table[type(node.op)].turns or (reads and node.op.pointwise):
            last.add(node.name)
    return found
