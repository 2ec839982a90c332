"""The text of a spec that derives from another one, to start one's own from: its parameters, its claims, an edit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from segcompile.checks.claims import Verdict
from segcompile.compiler import Compiled
from segcompile.facts.pairs import show
from segcompile.language.write import mapping, prose, quoted, values
from segcompile.ops import AnySize
from segcompile.text.errors import Span
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar

_PLAIN = re.compile(r"[A-Za-z0-9(](?:[A-Za-z0-9 .()+*/_-]*[A-Za-z0-9)])?")  # a value that needs no quotes inside {}


def derived_spec(model: str, base: str, variant: str | None, given: Mapping[str, int], compiled: Compiled) -> str:
    """The text of a spec of the network `compiled`, which is that of `base` with the parameters `given`.

    Claims of the base that hold stand there in the words of the base. One that does not hold would be inherited, and
    so what is so stands in its place.
    """
    lines = ["segcompile: 1", f"model: {model}", f"about: {prose(f'Derived from {compiled.model}.')}"]
    lines.append(f"base: {prose(base)}")
    if variant is not None:
        lines.append(f"variant: {variant}")
    return "\n".join([*lines, *_params(given, compiled), *_edit(compiled), *_claims(compiled)]) + "\n"


def _params(given: Mapping[str, int], compiled: Compiled) -> list[str]:
    """The parameters that are set, and those that the base sets otherwise."""
    section = compiled.document.section("params")
    kept = (
        {name: _flow(node, {}) for name, (_, node) in section.entries.items() if name not in given} if section else {}
    )
    lines = [f"params: {mapping({name: str(value) for name, value in given.items()})}"] if given else []
    return [*lines, f"# params of the base: {mapping(kept)}"] if kept else lines


def _edit(compiled: Compiled) -> list[str]:
    """The example of an edit: of a layer that there is, and by which nothing that is claimed changes."""
    layers = compiled.graph.layers
    layer = next((name for name, nodes in layers.items() if nodes[0].op.spelling == "conv"), next(iter(layers)))
    return [
        "# transform:   # edits of the base's layers, in this order: set, remove, append and others",
        f"#   - set: {{{layer}: {{act: silu}}}}",
    ]


def _claims(compiled: Compiled) -> list[str]:
    """A line for each layer of which the base claims something, and the number of parameters."""
    false = {verdict.claim.span: verdict for verdict in compiled.verdicts if not verdict.ok}
    section = compiled.document.section("claims")
    entries = {key: node for key, (_, node) in section.entries.items() if key != "parameters"} if section else {}
    said = [f"  {key}: {_flow(node, false)}{_was(node, false)}" for key, node in entries.items()]
    return ["claims:", *said, f"  parameters: {compiled.cost(compiled.graph.nodes)[0]}"]


def _flow(node: Node, false: Mapping[Span, Verdict]) -> str:
    """A value on one line; a claim that is false says what is so, unless that is not known or depends on the image."""
    computed = false[node.span].computed if node.span in false else None
    if computed is not None and not any(isinstance(value, AnySize) for value in computed):
        return values(computed)
    if isinstance(node, Scalar):
        return node.text if not node.quoted and _PLAIN.fullmatch(node.text) else quoted(node.text)
    if isinstance(node, MappingNode):
        return mapping({_flow(key, {}): _flow(value, false) for key, value in node.entries.values()})
    return f"[{', '.join(_flow(item, false) for item in node.items)}]"


def _was(node: Node, false: Mapping[Span, Verdict]) -> str:
    """What the base claims here, as the end of a line, if that is false."""
    found = [f"{false[span].what} {show(false[span].claimed)}" for span in _spans(node) if span in false]
    return f"   # the base claims {', '.join(found)}" if found else ""


def _spans(node: Node) -> list[Span]:
    if isinstance(node, MappingNode):
        return [span for _, value in node.entries.values() for span in _spans(value)]
    return [node.span]
