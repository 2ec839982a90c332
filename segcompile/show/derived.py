"""The text of a spec that derives from another one, to start one's own from: its parameters, its claims, an edit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from segcompile.checks.claims import Verdict
from segcompile.compiler import Compiled
from segcompile.facts.pairs import show
from segcompile.language.loops import is_loop
from segcompile.language.write import mapping, prose, quoted, values
from segcompile.network.claims import Claim
from segcompile.network.graph import Node as GraphNode
from segcompile.network.graph import Role
from segcompile.ops import AnySize
from segcompile.show.claimed import claim_lines
from segcompile.text.errors import Span
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence

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
    kept = {name: _flow(node) for name, (_, node) in section.entries.items() if name not in given} if section else {}
    lines = [f"params: {mapping({name: str(value) for name, value in given.items()})}"] if given else []
    return [*lines, f"# params of the base: {mapping(kept)}"] if kept else lines


def _edit(compiled: Compiled) -> list[str]:
    """The example of an edit: of a layer that there is, and by which nothing that is claimed changes."""
    layers = compiled.graph.layers
    layer = next((name for name, nodes in layers.items() if _takes_an_act(nodes)), next(iter(layers)))
    return [
        "# transform:   # edits of the base's layers, in this order: set, remove, append and others",
        f"#   - set: {{{layer}: {{act: silu}}}}",
    ]


def _takes_an_act(layer: tuple[GraphNode, ...]) -> bool:
    """Whether it is a convolution whose activation, if it has one, has no weights that are counted."""
    return layer[0].op.spelling == "conv" and not any(node.role == Role.ACT and node.op.has_weights() for node in layer)


def _claims(compiled: Compiled) -> list[str]:
    """A line for each layer of which the base claims something, and the number of parameters."""
    steps = compiled.document.steps
    words = {node.span: node for step in steps if step.claims is not None for node in _outside_loops(step.claims)}
    said = [verdict for verdict in compiled.verdicts if _is_restated(verdict.claim)]
    numbers = [(verdict.layer or "", verdict.claim, _number(verdict, words)) for verdict in said]
    lines, was = claim_lines(numbers, compiled.graph), dict[str, list[str]]()
    for verdict in said:
        if not verdict.ok:
            told = f"{verdict.what} {show(verdict.claimed)}"
            was.setdefault(verdict.layer or verdict.claim.kind, []).append(told)
    notes = {name: f"   # the base claims {', '.join(told)}" for name, told in was.items()}
    listed = [f"  {name}: {line}{notes.get(name, '')}" for name, line in lines.items()]
    return ["claims:", *listed, f"  parameters: {compiled.cost(compiled.graph.nodes)[0]}"]


def _is_restated(claim: Claim) -> bool:
    """Whether a claim does not stand in a table, with which it is inherited, nor in the line of all parameters."""
    return not claim.in_table and (claim.layer is not None or claim.kind != "parameters")


def _number(verdict: Verdict, words: Mapping[Span, Node]) -> str:
    """The number of a claim in the words of the base, or what is so, where that is known and does not depend on the
    image. What stands in a loop has a number for each turn."""
    computed, claim = verdict.computed, verdict.claim
    if not verdict.ok and computed is not None and not any(isinstance(value, AnySize) for value in computed):
        return values(computed)
    return _flow(words[claim.span]) if claim.span in words else claim.input or values(claim.number)


def _outside_loops(section: Node) -> Iterator[Node]:
    """The values of claims that stand for themselves."""
    if isinstance(section, Sequence):
        for item in section.items:
            yield from _leaves(item) if not is_loop(item) else ()
    else:
        yield from _leaves(section)


def _leaves(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for _, value in node.entries.values():
            yield from _leaves(value)
    else:
        yield node


def _flow(node: Node) -> str:
    """A value on one line."""
    if isinstance(node, Scalar):
        return node.text if not node.quoted and _PLAIN.fullmatch(node.text) else quoted(node.text)
    if isinstance(node, MappingNode):
        return mapping({_flow(key): _flow(value) for key, value in node.entries.values()})
    return f"[{', '.join(map(_flow, node.items))}]"
