"""What a document says beside its layers: parameters, what enters, defaults, and the list of the layers itself.

Reading goes on behind a mistake: all that is found goes to `wrong`, and a stand-in takes the place of what could not be
read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.language.attributes import Defaults, read_defaults
from segcompile.language.derive import Document
from segcompile.language.expressions import Values, names_in
from segcompile.language.items import list_under, only
from segcompile.language.table import Table, read_table
from segcompile.language.values import read_integer, read_positive, sized
from segcompile.language.words import Meant
from segcompile.ops import AXIS_NAMES, Shape
from segcompile.text.errors import Diagnostic, Near, SourceText, Span, fail, gathering
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, describe

_STAND_IN = 64  # the value of a parameter that could not be read, so that those who use it are not blamed


@dataclass(frozen=True, slots=True, eq=False)
class Sections:
    """The sections of a document, as plain values; its layers are still as written."""

    values: dict[str, int | str]  # the parameters
    inputs: tuple[dict[str, Shape], ...]  # of the network of each step: name -> shape; a single unnamed one is `input`
    defaults: Defaults
    network: Table

    @property
    def rank(self) -> int:
        """How many axes the maps of the network have."""
        return max(len(shape.size) for shape in self.inputs[-1].values())

    @property
    def only_input(self) -> str:
        """The name of what enters; "" where that is more than one."""
        names = tuple(self.inputs[-1])
        return names[0] if len(names) == 1 else ""


def read_sections(document: Document, given: Mapping[str, int], wrong: list[Diagnostic]) -> Sections:
    """The sections of a document, its parameters overridden by `given`."""
    values = read_parameters(document.root, given, wrong)
    inputs = _inputs_of_steps(document, values, wrong)
    rank = max(len(shape.size) for shape in inputs[-1].values())
    defaults = read_defaults(document.section("defaults"), document.root.get("init"), values, rank, wrong)
    table = document.section("table")
    network = read_table(table, values, wrong) if table is not None else Table(list_under(document.root, "layers"))
    return Sections(values, inputs, defaults, network)


def read_parameters(root: MappingNode, given: Mapping[str, int], wrong: list[Diagnostic]) -> dict[str, int | str]:
    """The value of every parameter, overridden by `given`; one may read those above it."""
    values: dict[str, int | str] = {}
    section = root.get("params")
    entries = [*section.entries.values()] if isinstance(section, MappingNode) else []
    for number, (key, node) in enumerate(entries):
        value = given.get(key.text, _STAND_IN)
        if key.text not in given:
            with gathering(wrong):
                _refuse_later(key, node, {later.text for later, _ in entries[number:]} - values.keys())
                value = read_integer(node, values)
        values[key.text] = value
    return values


def _refuse_later(key: Scalar, node: Node, later: set[str]) -> None:
    """Refuse (SC101) a parameter that reads itself, or one below it."""
    read = min(later & names_in(node.text), default=None) if isinstance(node, Scalar) else None
    if read is not None and isinstance(node, Scalar):
        at = next(match.start() for match in re.finditer(r"[A-Za-z_][A-Za-z0-9_]*", node.text) if match[0] == read)
        span = node.part(at, len(read))
        message = f"`{read}` comes later: a parameter reads those above it"
        raise fail("SC101", message, span, help=f"write `{read}` above `{key.text}`" if read != key.text else None)


def check_overrides(document: Document, given: Mapping[str, Span]) -> None:
    """Refuse (SC101) a value for a parameter that the document does not have."""
    section = document.section("params")
    known = section.entries if section else {}
    for name, span in given.items():
        if name not in known:
            help = Near(name, tuple(known), f"it has {', '.join(known)}" if known else "it has none")
            raise fail("SC101", f"`{document.model}` has no parameter `{name}`", span, help=help)


def settings(overrides: Mapping[str, int]) -> dict[str, Span]:
    """Where `--set NAME=N` stands, as a text to point into."""
    return {name: Span(SourceText("--set", (f"{name}={value}",)), 1, 1, len(name)) for name, value in overrides.items()}


def _inputs_of_steps(document: Document, values: Values, wrong: list[Diagnostic]) -> tuple[dict[str, Shape], ...]:
    """What enters the network of each step: as many channels as the parameters say that hold here, and of the size
    that the step's own say, for which its weights are."""
    found: list[dict[str, Shape]] = []
    for step in document.steps:
        shapes, mistakes = _stand_ins(document.section("input")), list[Diagnostic]()
        with gathering(mistakes):
            own = values if step.root is document.root else {**values, **read_parameters(step.root, {}, mistakes)}
            read = _inputs(step.root.get("input"), document.root.span, values, own)
            for name, before in found[-1].items() if found else ():
                _check_rank(read.get(name, before), before, _size_of(step.root.get("input"), name), "its base")
            shapes = read
        found.append(shapes)
    wrong += mistakes  # those of the last step: what is wrong in a base is told where it comes through to it
    return tuple(found)


def _stand_ins(section: MappingNode | None) -> dict[str, Shape]:
    """Name -> some shape, for inputs whose shapes cannot be read."""
    named = section is not None and not {"channels", "size"} & section.entries.keys()
    return dict.fromkeys((section.entries if section is not None and named else ()) or ("input",), Shape(1, (1, 1)))


def _size_of(section: Node | None, name: str) -> Node:
    """Where the size of an input is written."""
    assert isinstance(section, MappingNode)
    own = section.get(name)
    found = own.get("size") if isinstance(own, MappingNode) else section.get("size")
    return found if found is not None else section


def _inputs(section: Node | None, at: Span, values: Values, own: Values) -> dict[str, Shape]:
    """Name -> shape of everything that enters, by the parameters in `values`, its size by its `own`; `at` is what to
    point at where there is nothing."""
    if not isinstance(section, MappingNode) or not section.entries:
        span = section.span if section is not None else at
        raise fail("SC012", "the input needs `channels` and `size`", span, help="{channels: 3, size: any}")
    named: dict[str, Node] = {name: node for name, (_, node) in section.entries.items()}
    found = {}
    for name, node in ({"input": section} if {"channels", "size"} & named.keys() else named).items():
        if not isinstance(node, MappingNode):
            message = f"input `{name}` is {{channels, size}}, not {describe(node)}"
            help = Meant("input", name, ("channels", "size"), node, otherwise=f"{{{name}: {{channels: 3, size: any}}}}")
            raise fail("SC004", message, node.span, help=help)
        only(node, ("channels", "size"), "input")
        channels, size = node.get("channels"), node.get("size")
        if channels is None or size is None:
            message = f"the input needs `{'channels' if channels is None else 'size'}`"
            raise fail("SC012", message, node.span, help="for example {channels: 3, size: any}")
        found[name] = Shape(read_positive(channels, values), sized(size, own))
        _check_rank(found[name], next(iter(found.values())), size, "the input above")
    return found


def _check_rank(shape: Shape, other: Shape, size: Node, what: str) -> None:
    """Refuse (SC004) a size of another number of axes than `what` has."""
    rank, theirs = len(shape.size), len(other.size)
    if rank != theirs:
        help = f"one number an axis: `[{', '.join(AXIS_NAMES[theirs])}]`"
        message = f"a size of {theirs} axes is due here, as {what} has, and not of {rank}"
        raise fail("SC004", message, size.span, help=help)
