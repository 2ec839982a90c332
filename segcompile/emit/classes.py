"""The classes of a model. Scopes that are alike but for numbers and words share one, and these become its arguments."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from segcompile.emit.bodies import BodyWriter, turned
from segcompile.emit.body import Body, Statement
from segcompile.emit.calls import Call, Needs, Rules
from segcompile.emit.constructors import Construction, constructions
from segcompile.emit.counted import Loops
from segcompile.emit.naming import ClassNames, Unnamed
from segcompile.emit.numbers import numbers_in, with_numbers
from segcompile.emit.options import find_option, loop_of, without
from segcompile.emit.parameters import Parameter, Written, write_parameters
from segcompile.emit.sharing import alike, grouped, signature, sketched, united_results, write_alike
from segcompile.emit.slots import Instance
from segcompile.facts.facts import Facts
from segcompile.facts.module_names import ATTRIBUTES, places, scope_path
from segcompile.network.graph import Graph, Node, enclosing, layer_of
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, Item, ScopeTree, borrowers, name_of


@dataclass(frozen=True, slots=True)
class Class:
    """A class as the template prints it."""

    name: str
    titles: tuple[str, ...]  # of the blocks, specs, joins or chains that it stands for, each once
    about: str  # what a used spec says of itself
    instances: tuple[str, ...]  # the scopes that it stands for; its statements are the first one's
    parameters: tuple[Parameter, ...]  # of the constructor
    members: tuple[Construction, ...]
    arguments: tuple[str, ...]  # of forward
    statements: tuple[Statement, ...]
    returns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelView:
    """All classes, each after those it needs; the model's own is the last. `paths`: where nodes have their modules;
    `looped`: where scopes and nodes have theirs that loops make. `needs`: of the code of all classes."""

    classes: tuple[Class, ...]
    paths: Mapping[str, str]
    looped: Mapping[str, str]
    needs: Needs

    @property
    def model(self) -> Class:
        return self.classes[-1]


def view_model(
    graph: Graph,
    facts: Facts,
    class_name: str,
    inputs: Mapping[str, str],
    rules: Rules,
    apart: Collection[str] = (),
) -> ModelView:
    """The classes of a model whose graph inputs are called `inputs` (graph name -> argument of forward). Scopes that
    are `apart` are spoken of elsewhere, and in no loop."""
    unlike: set[str] = set()
    while True:
        tree = ScopeTree(graph, rules.gives_switches, twins(graph, unlike))
        view, calls = _view(tree, facts, class_name, inputs, rules, {*apart, *_lent(tree)})
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


def _lent(tree: ScopeTree) -> Iterator[str]:
    """The scopes whose modules are reached from outside them: those of weights that others share."""
    owners = (layer_of(node.weights) for node in tree.graph.nodes if node.weights is not None)
    for name in (*owners, *tree.twins.values()):
        yield from enclosing(name)


def _view(
    tree: ScopeTree,
    facts: Facts,
    class_name: str,
    inputs: Mapping[str, str],
    rules: Rules,
    apart: Collection[str],
) -> tuple[ModelView, Mapping[str, Call]]:
    """The classes, and how each scope is constructed, a twin as if it were."""
    bodies: dict[str, Body] = {}
    calls: dict[str, Call] = {}
    loops = {ROOT: Loops(apart)}
    classes: list[Class] = []
    last = turned(tree.graph, facts, rules)
    writer = BodyWriter(tree, facts, rules, inputs, bodies, calls, places(tree), loops, last)
    names = ClassNames({*rules.classes, class_name})
    for level in tree.innermost_first():
        sketches = sketched(level, writer, loops)
        groups = list[list[str]]()
        for scopes in alike(sketches, tree):
            bodies |= write_alike(scopes, sketches, writer)
            groups += grouped({name: signature(bodies[name]) for name in scopes})
        every = _with_options([_Shared(scopes, level, bodies, writer) for scopes in groups], sketches)
        bodies |= {name: body for shared in every for name, body in shared.bodies.items()}
        for name, shared in zip(names.new([each.unnamed for each in every]), every, strict=True):
            classes.append(shared.printed(name))
            calls.update(shared.instances(name))
    root = writer.write(ROOT, tree.results[ROOT], list(inputs.values()))
    members = constructions(root.members, map(str, root.slots))
    code = (root.argument_names, tuple(root.statements), root.result_names)
    classes.append(Class(class_name, (class_name,), "", (ROOT,), (), members, *code))
    written = (root, *bodies.values())
    made = (body for body in written if tree.twin_around(body.scope) is None)
    modules = {node.name for body in made for member in body.members for node in member.nodes}
    needs = set[str]().union(*(body.needs for body in written))
    where = {node: path for node, path in writer.places.items() if node in modules}
    inside = [member for body in written for member in body.members if member.inside]
    looped = {scope: scope_path(tree, scope) for member in inside for scope in member.scopes}
    looped |= {node.name: writer.places[node.name] for member in inside for node in member.nodes}
    return ModelView(tuple(classes), where, looped, needs), calls


def _with_options(every: Sequence[_Shared], sketches: Mapping[str, Body]) -> list[_Shared]:
    """The classes, one for two of one block of which the first has some layers more, which the other may leave out."""
    found = list(every)
    for more, less in itertools.permutations(every, 2):
        united = more.with_option(less, sketches) if more in found and less in found else None
        if united is not None:
            found[min(found.index(more), found.index(less))] = united
            found = [each for each in found if each is not more and each is not less]
    return found


@dataclass(frozen=True, eq=False)
class _Shared:
    """Scopes that are alike, and the class that they share; `level`: those scopes that are written with them."""

    scopes: list[str]
    level: list[str]
    bodies: Mapping[str, Body]
    writer: BodyWriter

    @property
    def first(self) -> Body:
        return self.bodies[self.scopes[0]]

    @cached_property
    def written(self) -> Written:
        """The constructor's arguments, and the slots of its members."""
        functions = {member.call.function for member in self.first.members}
        names = Names({*self.writer.rules.names, *functions, "self"})
        title = self.writer.tree.scopes[self.scopes[0]].title
        family = [name for name in self.level if self.writer.tree.scopes[name].title == title]
        return write_parameters([*map(self.instance, self.scopes)], [*map(self.instance, family)], names)

    def with_option(self, less: _Shared, sketches: Mapping[str, Body]) -> _Shared | None:
        """One class for these scopes and those of another, which have a part less; None where they are not alike."""
        tree, names, writer = self.writer.tree, [*self.scopes, *less.scopes], self.writer
        ours, theirs = (tree.scopes[each.scopes[0]] for each in (self, less))
        if ours.kind != "block" or (ours.title, ours.about) != (theirs.title, theirs.about):
            return None
        option = find_option(writer.uses(ours.name), writer.uses(theirs.name), tree)
        if option is None:
            return None
        called, results = writer.call_arguments(names), united_results({name: sketches[name] for name in names}, tree)
        loop = loop_of(option, self.first)
        full = {name: writer.write(name, results[name], called, None if loop else option) for name in self.scopes}
        first = full[ours.name]
        rest = {name: without(first, writer.write_like(first, name, results[name]), loop) for name in less.scopes}
        bodies = full | {name: body for name, body in rest.items() if body is not None}
        if len(bodies) < len(names) or len({*map(signature, bodies.values())}) > 1:
            return None
        united = _Shared(names, self.level, {**self.bodies, **bodies}, writer)
        return united if united.written.is_whole else None

    @cached_property
    def has(self) -> str:
        """The attribute that says whether a scope has what is optional; "" where nothing is."""
        flag = next((member.attribute for member in self.first.members if member.optional), "")
        return Names({*ATTRIBUTES, *self.first.attributes.values()}).new(f"has_{flag}") if flag else ""

    def instance(self, name: str) -> Instance:
        return Instance(self.writer.tree.scopes[name], self.bodies[name], self.writer.channels(name))

    @property
    def unnamed(self) -> Unnamed:
        """What its name is made of."""
        tree, scope = self.writer.tree, self.scopes[0]
        items = tree.items[scope]
        inside = [name_of(item).removeprefix(f"{scope}.") for item in items]
        words = [word for item in items for word in self.words(item)]
        return Unnamed([tree.scopes[name] for name in self.scopes], inside, words, self.written.own)

    def words(self, item: Item) -> list[str]:
        """What a layer or an inner scope computes: its ops, or its class."""
        if isinstance(item, str):
            return [self.writer.calls[item].function]
        return [node.op.title.replace(" ", "_") for node in item]

    def printed(self, called: str) -> Class:
        """The class itself."""
        kept = [Construction(attribute, word) for attribute, word in self.written.kept]
        kept += [Construction(self.has, self.written.flag)] if self.has else []
        members = (*kept, *constructions(self.first.members, self.written.slots, self.written.flag))
        scopes, first = [self.writer.tree.scopes[name] for name in self.scopes], self.first
        titles, about = tuple(dict.fromkeys(scope.title for scope in scopes)), scopes[0].about
        code = (first.argument_names, tuple(self.statements()), first.result_names)
        return Class(called, titles, about, tuple(self.scopes), self.written.parameters, members, *code)

    def statements(self) -> Iterator[Statement]:
        """Those of forward, with the numbers in which the scopes differ from `self`."""
        numbers, began = iter(self.written.numbers), False
        for statement in self.first.statements:
            texts = [next(numbers) for _ in numbers_in(statement.code)]
            if statement.optional and not began:
                began = True
                yield Statement("", f"self.{self.has}", opens=True)
            yield replace(statement, code=with_numbers(statement.code, texts))

    def instances(self, called: str) -> dict[str, Call]:
        """How each scope is constructed: what has a default is said by its name."""
        plain = [each for each in self.written.parameters if each.default is None]
        named = [each for each in self.written.parameters if each.default is not None]
        handed_on = tuple((name, name) for name, _ in self.writer.rules.handed_on)
        usual = {each.name: each.default for each in named if each.default is not None}
        return {
            scope: Call(
                called,
                tuple(each.of(index) for each in plain),
                (*((each.name, each.of(index)) for each in named), *handed_on),
                tuple(each.name for each in plain),
                usual=usual,
            )
            for index, scope in enumerate(self.scopes)
        }
