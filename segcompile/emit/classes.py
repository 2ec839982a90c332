"""The classes of a model. Scopes that are alike but for integers share one, and those integers become its arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from keyword import iskeyword

from segcompile.emit.bodies import Body, BodyWriter, Statement
from segcompile.emit.calls import Argument, Call, Needs, Rules
from segcompile.emit.templates import camel
from segcompile.facts.facts import Facts
from segcompile.facts.module_names import places
from segcompile.network.graph import Graph, Node, Scope, enclosing
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, ScopeTree, borrowers

Column = tuple[Argument, ...]  # one constructor argument, over all instances of a class
Parameters = tuple[tuple[str, Argument], ...]


@dataclass(frozen=True, slots=True)
class Construction:
    """One line of a constructor: `self.<attribute> = <function>(<arguments>)`."""

    attribute: str
    function: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Class:
    """A class as the template prints it."""

    name: str
    titles: tuple[str, ...]  # of the blocks, specs, joins or chains that it stands for, each once
    about: str  # what a used spec says of itself
    instances: tuple[str, ...]  # the scopes that it stands for; its statements are the first one's
    parameters: Parameters  # of the constructor: name, and a value it takes
    members: tuple[Construction, ...]
    arguments: tuple[str, ...]  # of forward
    statements: tuple[Statement, ...]
    returns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """All classes, each after those it needs; the model's own is the last. `paths`: where nodes have their modules.
    `needs`: of the code of all classes."""

    classes: tuple[Class, ...]
    paths: Mapping[str, str]
    needs: Needs

    @property
    def model(self) -> Class:
        return self.classes[-1]


def view_model(graph: Graph, facts: Facts, class_name: str, inputs: Mapping[str, str], rules: Rules) -> ModelView:
    """The classes of a model whose graph inputs are called `inputs` (graph name -> argument of forward)."""
    unlike: set[str] = set()
    while True:
        tree = ScopeTree(graph, rules.gives_switches, twins(graph, unlike))
        view, calls = _view(tree, facts, class_name, inputs, rules)
        other = {twin for twin, scope in tree.twins.items() if calls[twin] != calls[scope]}
        if not other:
            return view
        unlike |= other


def twins(graph: Graph, unlike: Collection[str]) -> dict[str, str]:
    """Scope -> the one all of whose weights it shares, and whose module may do all that it does: the outermost, none
    that is `unlike` any other."""
    borrowing, found = borrowers(graph), dict[str, str]()
    weighted: dict[str, list[Node]] = {}
    for node in graph.nodes if borrowing else ():
        for name in enclosing(node.layer) if node.op.has_weights() else ():
            weighted.setdefault(name, []).append(node)
    for scope in sorted(borrowing - {*unlike}, key=len):
        nodes = weighted[scope]
        other = nodes[0].owner.removesuffix(nodes[0].name.removeprefix(scope))
        pairs = [(node, graph.by_name.get(other + node.name.removeprefix(scope))) for node in nodes]
        alike = all(twin is not None and node.weights == twin.owner for node, twin in pairs)
        if alike and other in graph.by_scope and other not in borrowing and found.keys().isdisjoint(enclosing(scope)):
            found[scope] = other
    return found


def _view(
    tree: ScopeTree, facts: Facts, class_name: str, inputs: Mapping[str, str], rules: Rules
) -> tuple[ModelView, Mapping[str, Call]]:
    """The classes, and how each scope is constructed, a twin as if it were."""
    bodies: dict[str, Body] = {}
    calls: dict[str, Call] = {}
    classes: list[Class] = []
    writer = BodyWriter(tree, facts, rules, inputs, bodies, calls, places(tree))
    taken = {*rules.classes, class_name}
    for level in tree.innermost_first():
        for names in _alike(level, writer):
            for name, results in _united(names, tree).items():
                bodies[name] = writer.write(name, results)
            shared = _Shared(names, bodies, tree, rules, _class_name([tree.scopes[name] for name in names], taken))
            classes.append(shared.printed())
            calls.update(shared.instances())
    root = writer.write(ROOT, tree.results[ROOT])
    members = tuple(Construction(m.attribute, m.call.function, m.call.arguments()) for m in root.members)
    code = (root.argument_names, tuple(root.statements), root.result_names)
    classes.append(Class(class_name, (class_name,), "", (ROOT,), (), members, *code))
    every = (root, *bodies.values())
    made = (body for body in every if tree.twin_around(body.scope) is None)
    modules = {member.node.name for body in made for member in body.members if member.node}
    needs = set[str]().union(*(body.needs for body in every))
    where = {node: path for node, path in writer.places.items() if node in modules}
    return ModelView(tuple(classes), where, needs), calls


def _alike(level: list[str], writer: BodyWriter) -> list[list[str]]:
    """Scopes of one level in groups that can share a class: they compute the same, and say the same of themselves."""
    groups: dict[object, list[str]] = {}
    for name in level:
        groups.setdefault((writer.tree.scopes[name].about, _signature(writer.sketch(name))), []).append(name)
    return list(groups.values())


def _signature(body: Body) -> object:
    """What scopes that share a class have in common: everything but integers in constructor calls."""
    members = tuple((member.attribute, member.call.function, member.call.roles) for member in body.members)
    fixed = tuple(slot if isinstance(slot, str | bool | float) else type(slot) for slot in body.slots)
    statements = tuple((statement.target, statement.code) for statement in body.statements)
    return members, fixed, statements, body.argument_names


def _united(scopes: list[str], tree: ScopeTree) -> dict[str, list[str]]:
    """Scope -> what it hands on: all that is read of any of the scopes, which are alike, in the order of the data."""
    wanted = {value.removeprefix(f"{name}.") for name in scopes for value in tree.results[name]}
    return {name: [value for value in tree.inside(name) if value.removeprefix(f"{name}.") in wanted] for name in scopes}


@dataclass(frozen=True)
class _Shared:
    """Scopes that are alike, and the class that they share."""

    scopes: list[str]
    bodies: Mapping[str, Body]
    tree: ScopeTree
    rules: Rules
    name: str

    @property
    def first(self) -> Body:
        return self.bodies[self.scopes[0]]

    @cached_property
    def columns(self) -> list[Column]:
        """Each constructor argument of each member, over the scopes."""
        return list(zip(*(self.bodies[name].slots for name in self.scopes), strict=True))

    @cached_property
    def parameters(self) -> dict[Column, str]:
        """The arguments that differ between the scopes -> their names: the block's own, or the member's role."""
        roles = [role for member in self.first.members for role in member.call.roles]
        given = [self.tree.scopes[name].arguments for name in self.scopes]
        names = Names({*self.rules.names, *(member.call.function for member in self.first.members), "self"})
        found: dict[Column, str] = {}
        for column, role in zip(self.columns, roles, strict=True):
            if column not in found and any(value != column[0] for value in column):
                own = (key for key in given[0] if tuple(arguments.get(key) for arguments in given) == column)
                found[column] = names.new(next(own, role))
        return found

    def printed(self) -> Class:
        """The class itself."""
        slots = iter([self.parameters.get(column, str(column[0])) for column in self.columns])
        members = tuple(
            Construction(m.attribute, m.call.function, m.call.arguments([next(slots) for _ in m.call.slots]))
            for m in self.first.members
        )
        parameters = tuple((name, column[0]) for column, name in self.parameters.items())
        scopes, first = [self.tree.scopes[name] for name in self.scopes], self.first
        titles, about = tuple(dict.fromkeys(scope.title for scope in scopes)), scopes[0].about
        code = (first.argument_names, tuple(first.statements), first.result_names)
        return Class(self.name, titles, about, tuple(self.scopes), parameters, members, *code)

    def instances(self) -> dict[str, Call]:
        """How each scope is constructed."""
        names, columns = tuple(self.parameters.values()), tuple(self.parameters)
        handed_on = tuple((name, name) for name, _ in self.rules.handed_on)
        return {
            scope: Call(self.name, tuple(column[index] for column in columns), handed_on, names)
            for index, scope in enumerate(self.scopes)
        }


def _class_name(scopes: Sequence[Scope], taken: set[str]) -> str:
    """The block's or spec's name as a class, or what scopes of several names have in common before their numbers; else
    the first scope's, else with a number; it is taken from now on."""
    titles = list(dict.fromkeys(scope.title for scope in scopes))
    stems = {title.rstrip("_0123456789") for title in titles}
    block = camel(stems.pop() if len(titles) > 1 and len(stems) == 1 else titles[0]) or "Block"
    tried = (block, camel(scopes[0].name), f"{block}Block", *(f"{block}{count}" for count in range(2, len(taken) + 3)))
    name = next(name for name in tried if name.isidentifier() and not iskeyword(name) and name not in taken)
    taken.add(name)
    return name
