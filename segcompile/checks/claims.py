"""What the paper says, held against what is so. A false claim is an error at its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from segcompile.checks.claim_errors import explain_slip, first_slips
from segcompile.checks.verdicts import Subject, Verdict
from segcompile.facts.facts import Facts, NodeFacts
from segcompile.facts.pairs import Pair
from segcompile.language.sections import Claim
from segcompile.language.values import Values, read_axes, read_integer, read_pair, read_ratio, with_stride
from segcompile.language.words import meant
from segcompile.network.graph import Graph, Node
from segcompile.ops import SPELLINGS, Op, Pool
from segcompile.text.errors import Findings, SegcompileError, fail
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node as SpecNode
from segcompile.text.source import Scalar, describe

__all__ = ["Verdict", "check_claims"]

_OF_LAYERS = ("receptive_field", "stride", "margin", "offset", "size", "channels", "kernel", "dilation", "parameters")
_PIXELS = "an integer, `3x3` or [height, width]"


def check_claims(
    claims: tuple[Claim, ...], values: Values, graph: Graph, facts: Facts, findings: Findings
) -> tuple[Verdict, ...]:
    """Every claim's verdict; the false ones and the undecidable ones (SC406) are in `findings` as well.

    A claim that is off by exactly as much as one that it depends on follows from that one: it is counted, not listed.
    """
    subject = Subject(values, graph, facts)
    verdicts: list[Verdict] = []
    for claim in claims:
        try:
            verdicts += _verdicts(claim, subject)
        except SegcompileError as error:
            findings.diagnostics += error.diagnostics
    for verdict, followers in first_slips([verdict for verdict in verdicts if not verdict.ok], subject):
        findings.diagnostics.append(explain_slip(verdict, followers, subject))
    return tuple(verdicts)


def _verdicts(claim: Claim, subject: Subject) -> list[Verdict]:
    if claim.layer is None:
        return _network_verdicts(claim, subject)
    if claim.what not in _OF_LAYERS:
        help = meant("claim", claim.what, _OF_LAYERS, claim.node) or f"known: {', '.join(_OF_LAYERS)}"
        raise fail("SC003", f"a layer has no `{claim.what}` to claim", claim.span, help=help)
    nodes = subject.nodes_of(claim.result)
    if not nodes:
        raise fail("SC406", f"`{claim.layer}` is not part of the network that reaches an output", claim.span)
    values = _scope(nodes[0].op, subject.values)
    if claim.what == "size" and isinstance(claim.node, MappingNode):
        return [_size_elsewhere(claim, cell, nodes[-1].name, values, subject) for cell in claim.node.entries.values()]
    claimed = _claimed(claim, subject.graph, values)
    computed = _computed(claim.what, nodes, subject.facts)
    return [Verdict(claim.layer, claim.what, claimed, computed, claim.node.span, claim.result)]


def _scope(op: Op, values: Values) -> Values:
    """What names mean in the claims of a layer: `stride` is that of its own op, as in the layer itself."""
    stride = op.steps if isinstance(op, Pool) else getattr(op, "stride", None)
    return with_stride(values, stride) if stride is not None else values


def _claimed(claim: Claim, graph: Graph, values: Values) -> Pair:
    node = claim.node
    if claim.what == "size" and isinstance(node, Scalar) and node.text in graph.inputs:
        size = graph.inputs[node.text].size
        return size[0], size[1]
    if claim.what in ("channels", "parameters"):
        value = read_integer(node, values)
        return value, value
    if claim.what in ("stride", "margin"):
        return read_axes(node, values, read_ratio, "a number or [height, width]")
    return read_axes(node, values, read_integer, _PIXELS)


def _computed(what: str, nodes: tuple[Node, ...], facts: Facts) -> Pair | None:
    """What is so of a layer: its own attributes for kernel and dilation, its result for the rest."""
    found = facts[nodes[-1].name]
    if what in ("kernel", "dilation", "offset"):
        value = getattr(nodes[0].op, what, None)
        return value if isinstance(value, tuple) else None
    if what == "parameters":
        total = sum(facts[node.name].parameter_count for node in nodes)
        return total, total
    return _OF_RESULT[what](found)


def _receptive_field(found: NodeFacts) -> tuple[int, int] | None:
    height, width = found.receptive_field
    return None if height is None or width is None else (height, width)


def _stride(found: NodeFacts) -> tuple[Fraction, Fraction] | None:
    height, width = found.stride
    return None if height is None or width is None else (height, width)


def _margin(found: NodeFacts) -> Pair | None:
    """(receptive field - stride) / 2: what a side of the input loses, Yu & Koltun (2016), section 5."""
    field, stride = _receptive_field(found), _stride(found)
    if field is None or stride is None:
        return None
    height, width = (Fraction(size - step) / 2 for size, step in zip(field, stride, strict=True))
    return height, width


def _size(found: NodeFacts) -> Pair | None:
    return (found.shape.size[0], found.shape.size[1]) if found.shape.size else None


_OF_RESULT: Mapping[str, Callable[[NodeFacts], Pair | None]] = {
    "receptive_field": _receptive_field,
    "stride": _stride,
    "margin": _margin,
    "size": _size,
    "channels": lambda found: (found.shape.channels, found.shape.channels),
}


def _size_elsewhere(
    claim: Claim, cell: tuple[Scalar, SpecNode], node: str, values: Values, subject: Subject
) -> Verdict:
    """`size: {900: 66, 500: 16}`: the size that another input size gives."""
    key, value = cell
    shape = subject.shapes_at(read_pair(key, subject.values)).get(node)
    computed = (shape.size[0], shape.size[1]) if shape is not None and shape.size else None
    claimed = read_axes(value, values, read_integer, _PIXELS)
    return Verdict(claim.layer, f"size at {key.text}", claimed, computed, value.span, claim.result)


def _network_verdicts(claim: Claim, subject: Subject) -> list[Verdict]:
    values, found = subject.values, subject.facts.values()
    if claim.what == "count":
        if not isinstance(claim.node, MappingNode):
            message = f"`count` is {{ops: number}}, not {describe(claim.node)}"
            raise fail("SC004", message, claim.node.span, help="count: {conv+deconv: 23}")
        return [_count(key, node, subject) for key, node in claim.node.entries.values()]
    total = sum(fact.parameter_count if claim.what == "parameters" else fact.weight_count for fact in found)
    value = read_integer(claim.node, values)
    return [Verdict(None, claim.what, (value, value), (total, total), claim.node.span)]


def _count(key: Scalar, node: SpecNode, subject: Subject) -> Verdict:
    """`conv+deconv: 23`: so many layers of these ops."""
    ops = [word.strip() for word in key.text.split("+")]
    unknown = next((word for word in ops if word not in SPELLINGS), None)
    if unknown is not None:
        raise fail("SC109", f"there is no op `{unknown}` to count", key.span, help=meant("op", unknown, SPELLINGS))
    total = sum(item.op.spelling in ops and item.role == "main" for item in subject.graph.nodes)
    value = read_integer(node, subject.values)
    return Verdict(None, f"count of {key.text}", (value, value), (total, total), node.span)
