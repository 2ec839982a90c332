"""Which scopes may share a class: those that compute the same, whatever their numbers and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segcompile.emit.bodies import BodyWriter
from segcompile.emit.body import Body
from segcompile.emit.calls import Argument
from segcompile.emit.counted import Loops, counted, turns, varying
from segcompile.emit.numbers import without_numbers
from segcompile.network.graph import enclosing
from segcompile.network.scope_tree import ROOT, ScopeTree, node_of


def sketched(level: Sequence[str], writer: BodyWriter, loops: dict[str, Loops]) -> dict[str, Body]:
    """The sketches of some scopes, and what may be `loops` in them: of what the uses of a block have more or fewer,
    also a single turn, if all of them are one loop in the use with most."""
    blocks, apart = dict[str, list[str]](), loops[ROOT].apart
    for name in level:
        blocks.setdefault(writer.tree.scopes[name].title, []).append(name)
    for uses in blocks.values():
        counts = {name: counted(writer.tree.items[name]) for name in uses}
        most = {key: max(uses, key=lambda name: counts[name][key]) for key in varying([*counts.values()])}
        loops |= dict.fromkeys(uses, Loops(apart, dict.fromkeys(most, 1)))
        found = {key: turns(writer.sketch(name), key) for key, name in most.items()}
        least = {key: 1 if found[key] == counts[name][key] else 2 for key, name in most.items()}
        loops |= dict.fromkeys(uses, Loops(apart, least))
    return {name: writer.sketch(name) for name in level}


def alike(sketches: Mapping[str, Body], tree: ScopeTree) -> list[list[str]]:
    """The scopes in groups that can share a class: they compute the same, and say the same of themselves."""
    return grouped({name: (tree.scopes[name].about, signature(body)) for name, body in sketches.items()})


def write_alike(names: Sequence[str], sketches: Mapping[str, Body], writer: BodyWriter) -> dict[str, Body]:
    """The bodies of some scopes that may share a class."""
    called = writer.call_arguments(names)
    results = united_results({name: sketches[name] for name in names}, writer.tree)
    return {name: writer.write(name, results[name], called) for name in names}


def grouped(signatures: Mapping[str, object]) -> list[list[str]]:
    """The scopes of one signature together."""
    groups: dict[object, list[str]] = {}
    for name, signature in signatures.items():
        groups.setdefault(signature, []).append(name)
    return list(groups.values())


def signature(body: Body) -> object:
    """What scopes that share a class have in common: everything but numbers and words in constructor calls."""
    members = tuple((each.attribute, each.call.function, each.call.roles, each.steps) for each in body.members)
    fixed = tuple(_kind(slot) for slot in body.slots)
    statements = tuple((each.target, without_numbers(each.code), each.optional) for each in body.statements)
    return members, fixed, statements, body.argument_names


def _kind(slot: Argument) -> object:
    """What a slot has in common in scopes that share a class: all of it if it is code; a number is one an axis, too, if
    it is no list's, which has one axis."""
    if isinstance(slot, str) and not slot.startswith('"'):
        return slot
    return int if isinstance(slot, tuple) and len(slot) > 1 else type(slot)


def united_results(sketches: Mapping[str, Body], tree: ScopeTree) -> dict[str, list[str]]:
    """Scope -> what it hands on: all that is read of any of the scopes, which are alike, in the order of the data."""
    places = {
        name: {value: _place(value, body, tree) for value in tree.inside(name)} for name, body in sketches.items()
    }
    wanted = {places[name][value] for name in sketches for value in tree.results[name]}
    return {name: [value for value, place in own.items() if place in wanted] for name, own in places.items()}


def _place(value: str, body: Body, tree: ScopeTree) -> str:
    """Where a scope makes a value, the same in scopes that are alike: what the last turn of a loop makes as the loop's,
    however many turns it has."""
    layer = tree.graph.by_name[node_of(value)].layer
    for member in body.members:
        last = (member.scopes or [node.layer for node in member.nodes])[-1] if member.inside else layer
        if member.inside and last in enclosing(layer):
            return member.attribute + value.removeprefix(last)
    return value.removeprefix(f"{body.scope}.")
