"""The classes of a model. Scopes that are alike but for integers share one, and those integers become its arguments."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.analysis.facts import Facts
from segcompile.emit.bodies import Body, BodyWriter, Statement
from segcompile.emit.calls import Argument, Call, Rules
from segcompile.emit.scopes import ROOT, ScopeTree
from segcompile.emit.templates import camel
from segcompile.graph import Graph

Column = tuple[Argument, ...]  # one constructor argument, over all instances of a class


@dataclass(frozen=True, slots=True)
class Class:
    """A class as the template prints it."""

    name: str
    title: str  # the block's, spec's or join's name
    parameters: tuple[str, ...]  # integers, of the constructor
    members: tuple[tuple[str, str], ...]  # attribute, code
    arguments: tuple[str, ...]  # of forward
    statements: tuple[Statement, ...]
    returns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """All classes, each after those it needs; the model's own is the last. `paths`: node -> `context.layer1`."""

    classes: tuple[Class, ...]
    paths: Mapping[str, str]

    @property
    def model(self) -> Class:
        return self.classes[-1]


def view_model(graph: Graph, facts: Facts, class_name: str, inputs: Mapping[str, str], rules: Rules) -> ModelView:
    """The classes of a model whose graph inputs are called `inputs` (graph name -> argument of forward)."""
    tree = ScopeTree(graph)
    bodies: dict[str, Body] = {}
    calls: dict[str, Call] = {}
    classes: list[Class] = []
    writer = BodyWriter(tree, facts, rules, inputs, bodies, calls)
    times = Counter(scope.title for scope in graph.scopes)
    for level in tree.deepest_first():
        for name in level:
            bodies[name] = writer.write(name, with_sizes=times[tree.scopes[name].title] == 1)
        for names in _alike(level, bodies, tree):
            made, instances = _share(names, bodies, tree, {found.name for found in classes} | {class_name})
            classes.append(made)
            calls.update(instances)
    root = writer.write(ROOT, with_sizes=True)
    members = tuple((member.attribute, member.call.text()) for member in root.members)
    classes.append(_class(class_name, class_name, (), members, root))
    return ModelView(tuple(classes), _paths(root, bodies, ""))


def _class(name: str, title: str, parameters: tuple[str, ...], members: tuple[tuple[str, str], ...], body: Body) -> Class:
    return Class(name, title, parameters, members, body.argument_names, tuple(body.statements), body.result_names)


def _alike(level: list[str], bodies: Mapping[str, Body], tree: ScopeTree) -> list[list[str]]:
    """Scopes of one depth in groups that can share a class."""
    groups: dict[object, list[str]] = {}
    for name in level:
        groups.setdefault((tree.scopes[name].title, _signature(bodies[name])), []).append(name)
    return list(groups.values())


def _signature(body: Body) -> object:
    """What scopes that share a class have in common: everything but integers in constructor calls."""
    members = tuple(
        (member.attribute, member.call.function, member.call.roles, getattr(member.node and member.node.op, "frozen", False))
        for member in body.members
    )
    fixed = tuple(slot if isinstance(slot, str | bool | float) else type(slot) for slot in body.slots)
    statements = tuple((statement.target, statement.code) for statement in body.statements)
    return members, fixed, statements, body.argument_names, body.result_names


def _share(names: list[str], bodies: Mapping[str, Body], tree: ScopeTree, taken: set[str]) -> tuple[Class, dict[str, Call]]:
    """The class of scopes that are alike, and how each of them is constructed."""
    first = bodies[names[0]]
    columns: list[Column] = list(zip(*(bodies[name].slots for name in names), strict=True))
    parameters = _parameters(columns, names, first, tree)
    printed = iter([parameters.get(column, str(column[0])) for column in columns])
    members = tuple((member.attribute, member.call.text([next(printed) for _ in member.call.slots])) for member in first.members)
    class_name = _free(tree.scopes[names[0]].title, names[0], taken)
    order = tuple(parameters.values())
    made = _class(class_name, tree.scopes[names[0]].title, order, members, first)
    instances = {
        name: Call(class_name, tuple(column[index] for column in parameters), (), order) for index, name in enumerate(names)
    }
    return made, instances


def _parameters(columns: list[Column], names: list[str], first: Body, tree: ScopeTree) -> dict[Column, str]:
    """The arguments that differ between the instances -> their names: the block's own argument, or the member's role."""
    roles = [role for member in first.members for role in member.call.roles]
    given = [tree.scopes[name].arguments for name in names]
    found: dict[Column, str] = {}
    for column, role in zip(columns, roles, strict=True):
        if column in found or all(value == column[0] for value in column):
            continue
        own = [key for key in given[0] if tuple(arguments.get(key) for arguments in given) == column]
        name, count = (own[0] if own else role), 1
        while (name if count == 1 else f"{name}{count}") in found.values():
            count += 1
        found[column] = name if count == 1 else f"{name}{count}"
    return found


def _free(title: str, scope: str, taken: set[str]) -> str:
    """A class name: the block's or spec's, else the scope's, else with a number."""
    for name in (camel(title), camel(scope), f"{camel(title)}Block"):
        if name not in taken:
            return name
    return next(name for count in itertools.count(2) if (name := f"{camel(title)}{count}") not in taken)


def _paths(body: Body, bodies: Mapping[str, Body], prefix: str) -> dict[str, str]:
    """Node -> where its module lies in the model, for initialisation and weights."""
    found: dict[str, str] = {}
    for member in body.members:
        path = f"{prefix}{member.attribute}"
        if member.node is not None:
            found[member.node.name] = path
        elif member.scope is not None:
            found |= _paths(bodies[member.scope], bodies, f"{path}.")
    return found
