"""The sections of a document that are no layers: params, input, defaults and outputs.

Each reader goes on after a mistake and adds all that it finds to `findings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from segcompile.language.attributes import Defaults
from segcompile.language.derive import Document
from segcompile.language.expressions import Values
from segcompile.language.items import list_under, only
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.table import Table, read_table
from segcompile.language.values import read_axes, read_integer, read_positive
from segcompile.language.words import Meant
from segcompile.ops import Shape
from segcompile.ops.size import AnySize, Size
from segcompile.text.errors import MAX_ERRORS, Findings, Near, SegcompileError, SourceText, Span, fail
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, describe

_STAND_IN = 64  # the value of a parameter that could not be read, so that those who use it are not blamed


@contextmanager
def collecting(findings: Findings, place: Place) -> Iterator[None]:
    """What goes wrong inside is added to `findings`, and the reader goes on behind it, up to a limit."""
    try:
        yield
    except SegcompileError as error:
        findings.diagnostics += place.explained(error)
        if len(findings.diagnostics) >= MAX_ERRORS:
            raise SegcompileError(findings.diagnostics) from None


def read_parameters(document: Document, given: Mapping[str, int], findings: Findings) -> dict[str, int | str]:
    """The value of every parameter, overridden by `given`; one may read those above it."""
    values: dict[str, int | str] = {}
    section = document.section("params")
    for key, node in section.entries.values() if section else ():
        values[key.text] = given.get(key.text, _STAND_IN)
        if key.text not in given:
            with collecting(findings, Place(document, values, Defaults())):
                above = {name: value for name, value in values.items() if name != key.text}
                values[key.text] = read_integer(node, above)
    return values


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


def read_inputs(document: Document, values: Values) -> dict[str, Shape]:
    """Name -> shape of everything that enters the network; a single unnamed one is `input`."""
    return read_input_section(document.root.get("input"), document.root.span, values)


def input_names(document: Document) -> tuple[str, ...]:
    """What enters the network, whether or not its shapes can be read."""
    section = document.section("input")
    if section is None or {"channels", "size"} & section.entries.keys():
        return ("input",)
    return (*section.entries,) or ("input",)


def read_input_section(section: Node | None, at: Span, values: Values) -> dict[str, Shape]:
    """The same of any `input`; `at` is what to point at where there is none."""
    if not isinstance(section, MappingNode) or not section.entries:
        span = section.span if section is not None else at
        raise fail("SC012", "the input needs `channels` and `size`", span, help="{channels: 3, size: any}")
    if "channels" in section.entries or "size" in section.entries:
        return {"input": _input(section, values)}
    found = {}
    for key, node in section.entries.values():
        if not isinstance(node, MappingNode):
            message = f"input `{key.text}` is {{channels, size}}, not {describe(node)}"
            example = f"{{{key.text}: {{channels: 3, size: any}}}}"
            help = Meant("input", key.text, ("channels", "size"), node, otherwise=example)
            raise fail("SC004", message, node.span, help=help)
        found[key.text] = _input(node, values)
    return found


def _input(section: MappingNode, values: Values) -> Shape:
    only(section, ("channels", "size"), "input")
    channels, size = section.get("channels"), section.get("size")
    if channels is None or size is None:
        missing = "channels" if channels is None else "size"
        raise fail("SC012", f"the input needs `{missing}`", section.span, help="for example {channels: 3, size: any}")
    count = read_positive(channels, values)
    return Shape(count, _size(size, values))


def _size(node: Node, values: Values) -> tuple[Size, Size]:
    """`500`, `500x300`, [height, width] or `any`."""

    def read(node: Node, values: Values, due: str = "a positive integer or `any`") -> int | None:
        return None if isinstance(node, Scalar) and node.text == "any" else read_positive(node, values, due)

    height, width = read_axes(node, values, read, "a positive integer, `300x500`, [height, width] or `any`")
    return AnySize("H") if height is None else height, AnySize("W") if width is None else width


def read_defaults(document: Document, values: Values) -> Defaults:
    """The document's `defaults` and `init`; what stands there means the parameters, wherever it is used.

    `check_defaults` says what is wrong with them.
    """
    section = document.section("defaults")
    by_op = (
        {key.text: node for key, node in section.entries.values() if isinstance(node, MappingNode)} if section else {}
    )
    return Defaults(by_op, document.root.get("init"), values)


def read_network(document: Document, findings: Findings) -> Table:
    """The document's layers, a table turned into layers; raises SegcompileError if there is no such list."""
    table = document.section("table")
    if table is not None:
        return read_table(table, findings)
    return Table(list_under(document.root, "layers"))


def read_outputs(section: Node | None, names: Names, place: Place, findings: Findings) -> dict[str, str]:
    """Head -> node, as an `outputs` section says; nothing where there is none."""
    found = {}
    for key, node in section.entries.values() if isinstance(section, MappingNode) else ():
        with collecting(findings, place):
            if not isinstance(node, Scalar):
                message = f"output `{key.text}` is a layer's name, not {describe(node)}"
                raise fail("SC004", message, node.span, help=f"one name: `{key.text}: {next(reversed(names.results))}`")
            name = place.spelled(node)
            result = names.find(name, place)
            if result is not None:
                found[key.text] = result
            elif not names.is_lost(name, place):
                gone = names.gone(name, place)
                help = None if gone else names.nearest(name, place)
                message = f"there is no layer `{name}` for output `{key.text}`"
                raise fail("SC102", message, node.span, labels=gone, help=help)
    return found
