"""What the paper says, held against what is so. A false claim is an error at its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from segcompile.analysis.facts import Facts, NodeFacts
from segcompile.analysis.shapes import infer_shapes
from segcompile.errors import Diagnostic, Findings, Label, SegcompileError, Span, did_you_mean, fail
from segcompile.graph import Graph, Node
from segcompile.language.expand import Claim, Expansion
from segcompile.language.values import Values, read_integer, read_pair
from segcompile.ops import Conv, Shape, Size
from segcompile.source import Mapping as MappingNode
from segcompile.source import Node as SpecNode
from segcompile.source import Scalar

Value = Size | Fraction | None
Pair = tuple[Value, Value]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim: of which layer (None: the network), what, what was claimed and what is so.

    Both are (height, width), or twice the same number for what has no axes. `computed` is None where it cannot be
    decided; `value` is the number in the file.
    """

    layer: str | None
    what: str
    claimed: Pair
    computed: Pair | None
    value: Span

    @property
    def ok(self) -> bool:
        return self.computed == self.claimed


_CODE = {
    "receptive_field": "SC401", "stride": "SC402", "size": "SC403", "channels": "SC403", "kernel": "SC403",
    "dilation": "SC403", "margin": "SC404", "offset": "SC404", "parameters": "SC405", "weights": "SC405", "count": "SC405",
}  # fmt: skip
_OF_LAYERS = ("receptive_field", "stride", "margin", "offset", "size", "channels", "kernel", "dilation", "parameters")


def check_claims(expansion: Expansion, graph: Graph, facts: Facts, findings: Findings) -> tuple[Verdict, ...]:
    """Every claim's verdict; the false ones and the undecidable ones (SC406) are in `findings` as well.

    A claim that is off by exactly as much as one that it depends on follows from that one: it is counted, not listed.
    """
    verdicts: list[Verdict] = []
    for claim in expansion.claims:
        try:
            verdicts += _verdicts(claim, expansion, graph, facts)
        except SegcompileError as error:
            findings.diagnostics += error.diagnostics
    false = [verdict for verdict in verdicts if not verdict.ok]
    roots = [verdict for verdict in false if not any(_follows(verdict, other, expansion, graph) for other in false)]
    for verdict in roots:
        count = sum(_follows(other, verdict, expansion, graph) for other in false)
        findings.diagnostics.append(_diagnose(verdict, count, expansion, graph, facts))
    return tuple(verdicts)


def _verdicts(claim: Claim, expansion: Expansion, graph: Graph, facts: Facts) -> list[Verdict]:
    if claim.layer is None:
        return _network_verdicts(claim, expansion, graph, facts)
    if claim.what not in _OF_LAYERS:
        help = did_you_mean(claim.what, _OF_LAYERS) or f"known: {', '.join(_OF_LAYERS)}"
        raise fail("SC003", f"a layer has no `{claim.what}` to claim", claim.span, help=help)
    layer = _layer_of(claim, expansion)
    nodes = graph.layers.get(layer)
    if nodes is None:
        raise fail("SC406", f"`{claim.layer}` is not part of the network that reaches an output", claim.span)
    if claim.what == "size" and isinstance(claim.node, MappingNode):
        return [
            _size_elsewhere(claim, key, value, nodes[-1].name, graph, expansion.values) for key, value in claim.node.entries.values()
        ]
    claimed = _claimed(claim, graph, expansion.values)
    return [Verdict(claim.layer, claim.what, claimed, _computed(claim.what, nodes, facts), claim.node.span)]


def _layer_of(claim: Claim, expansion: Expansion) -> str:
    """The layer a claim speaks of; `output` is the only output, unless a layer has that name."""
    assert claim.layer is not None
    if claim.layer in expansion.results:
        return expansion.results[claim.layer]
    if len(set(expansion.outputs.values())) > 1:
        heads = ", ".join(expansion.outputs)
        raise fail("SC102", f"`output` is one of {heads}", claim.span, help="claim it of that layer")
    return next(iter(expansion.outputs.values()))


def _claimed(claim: Claim, graph: Graph, values: Values) -> Pair:
    node = claim.node
    if claim.what == "size" and isinstance(node, Scalar) and node.text in graph.inputs:
        size = graph.inputs[node.text].size
        return size[0], size[1]
    if claim.what in ("channels", "parameters"):
        value = read_integer(node, values)
        return value, value
    if claim.what == "stride" and isinstance(node, Scalar) and "/" in node.text and "//" not in node.text:
        above, _, below = node.text.partition("/")
        ratio = Fraction(read_integer(Scalar(above, node.span), values), read_integer(Scalar(below, node.span), values) or 1)
        return ratio, ratio
    return read_pair(node, values, read_integer)


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


def _receptive_field(found: NodeFacts) -> Pair | None:
    height, width = found.receptive_field
    return None if height is None or width is None else (height, width)


def _stride(found: NodeFacts) -> Pair | None:
    height, width = (field.stride for field in found.fields)
    return None if height is None or width is None else (height, width)


def _margin(found: NodeFacts) -> Pair | None:
    """(receptive field - stride) / 2: what a side of the input loses, Yu & Koltun (2016), section 5."""
    sizes, strides = found.receptive_field, (found.fields[0].stride, found.fields[1].stride)
    if None in sizes or None in strides:
        return None
    height, width = ((size - stride) / 2 for size, stride in zip(sizes, strides, strict=True) if size is not None and stride is not None)
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


def _size_elsewhere(claim: Claim, key: Scalar, value: SpecNode, node: str, graph: Graph, values: Values) -> Verdict:
    """`size: {900: 66, 500: 16}`: the size that another input size gives."""
    height, width = read_pair(key, values)
    inputs = {name: Shape(shape.channels, (height, width)) for name, shape in graph.inputs.items()}
    shapes = infer_shapes(graph, Findings(), inputs)
    computed = shapes[node].size if node in shapes else ()
    pair = (computed[0], computed[1]) if computed else None
    return Verdict(claim.layer, f"size at {key.text}", read_pair(value, values, read_integer), pair, value.span)


def _network_verdicts(claim: Claim, expansion: Expansion, graph: Graph, facts: Facts) -> list[Verdict]:
    if claim.what == "count":
        if not isinstance(claim.node, MappingNode):
            raise fail("SC004", "`count` is {ops: number}", claim.node.span, help="count: {conv+deconv: 23}")
        found = []
        for key, node in claim.node.entries.values():
            ops = [word.strip() for word in key.text.split("+")]
            total = sum(item.op.spelling in ops and item.role == "main" for item in graph.nodes)
            value = read_integer(node, expansion.values)
            found.append(Verdict(None, f"count of {key.text}", (value, value), (total, total), node.span))
        return found
    total = sum(fact.parameter_count if claim.what == "parameters" else fact.weight_count for fact in facts.values())
    value = read_integer(claim.node, expansion.values)
    return [Verdict(None, claim.what, (value, value), (total, total), claim.node.span)]


# --- saying what is wrong ------------------------------------------------------------------------------------------


def _follows(verdict: Verdict, root: Verdict, expansion: Expansion, graph: Graph) -> bool:
    """True if the root's slip explains this one: same claim, off by as much, of a layer that depends on the root's."""
    if verdict is root or verdict.what != root.what or verdict.layer is None or root.layer is None:
        return False
    if verdict.computed is None or root.computed is None or _slip(verdict) != _slip(root):
        return False
    mine, other = (expansion.results.get(item.layer or "") for item in (verdict, root))
    if mine is None or other is None or mine == other:
        return False
    return graph.layers[other][-1].name in graph.ancestors([graph.layers[mine][-1].name])


def _slip(verdict: Verdict) -> object:
    """By how much a claim is off: strides multiply, everything else adds."""
    assert verdict.computed is not None
    slips = []
    for claimed, computed in zip(verdict.claimed, verdict.computed, strict=True):
        if not isinstance(claimed, int | Fraction) or not isinstance(computed, int | Fraction):
            return None
        slips.append(Fraction(claimed) / computed if verdict.what == "stride" and computed else Fraction(claimed) - computed)
    return tuple(slips)


def _diagnose(verdict: Verdict, followers: int, expansion: Expansion, graph: Graph, facts: Facts) -> Diagnostic:
    subject = verdict.layer or expansion.document.model
    what = "" if verdict.what == "receptive_field" else f"{verdict.what.replace('_', ' ')} "
    notes = []
    if followers:
        are = "is" if followers == 1 else "are"
        plural = "claim follows" if followers == 1 else "claims follow"
        notes.append(f"{followers} later {plural} from this one and {are} not shown")
    if verdict.computed is None:
        message = f"{subject} claims {what}{show(verdict.claimed)}, which cannot be decided"
        return fail("SC406", message, verdict.value, notes=[*notes, _why(verdict)]).diagnostics[0]
    message = f"{subject} claims {what}{show(verdict.claimed)}, computed {show(verdict.computed)}"
    code = _CODE[verdict.what.partition(" ")[0]]
    labels: list[Label] = []
    help = None
    node = _main_node(verdict, expansion, graph)
    if node is not None:
        labels += node.origin.calls
    if node is not None and verdict.what == "receptive_field" and isinstance(node.op, Conv):
        label, help = _explain_field(node, node.op, verdict, facts)
        labels = [*label, *labels]
    elif node is not None and node.origin.at(verdict.what) not in (None, node.origin.span):
        span = node.origin.at(verdict.what)
        assert span is not None
        labels = [Label(span, show(verdict.computed)), *labels]
    elif verdict.layer is None:
        help = f"{show(verdict.computed)}, or a number in the network is not the paper's"
    return fail(code, message, verdict.value, labels=labels, help=help, notes=notes).diagnostics[0]


def _main_node(verdict: Verdict, expansion: Expansion, graph: Graph) -> Node | None:
    layer = expansion.results.get(verdict.layer or "")
    return graph.layers[layer][0] if layer in graph.layers else None


def _why(verdict: Verdict) -> str:
    if verdict.what in ("receptive_field", "stride", "margin"):
        return "a whole-image op, or branches of unequal stride, come before it"
    return "the layer has no such number"


def _explain_field(node: Node, op: Conv, verdict: Verdict, facts: Facts) -> tuple[list[Label], str | None]:
    """How a convolution's field comes about, at its dilation or kernel, and which number the claim would need."""
    before = facts.get(node.inputs[0])
    axis = 0 if verdict.claimed[0] != (verdict.computed or (None,))[0] else 1
    size = before.fields[axis].size if before is not None else 1
    stride = before.fields[axis].stride if before is not None else Fraction(1)
    claimed = verdict.claimed[axis]
    if size is None or stride is None or not isinstance(claimed, int):
        return [], None
    grown = (op.kernel[axis] - 1) * op.dilation[axis] * stride
    attribute = "dilation" if "dilation" in node.origin.attributes else "kernel"
    span = node.origin.at(attribute)
    labels = []
    if span is not None and grown and attribute in node.origin.attributes:
        steps = f"{op.kernel[axis] - 1}*{op.dilation[axis]}" + (f"*{stride}" if stride != 1 else "")
        labels = [Label(span, f"{size} + {steps} = {size + grown}")]
    return labels, _remedy(op, axis, claimed, size, stride)


def _remedy(op: Conv, axis: int, claimed: int, before: int, stride: Fraction) -> str | None:
    """The one number that would make the claim true, if a whole one does."""
    wanted = Fraction(claimed - before)
    if op.kernel[axis] > 1:
        dilation = wanted / ((op.kernel[axis] - 1) * stride)
        if dilation.denominator == 1 and dilation >= 1:
            return f"dilation {dilation} gives {claimed}"
    kernel = wanted / (op.dilation[axis] * stride) + 1
    if kernel.denominator == 1 and kernel >= 1:
        return f"kernel {kernel} gives {claimed}"
    return "no dilation or kernel here gives it: is an earlier layer wrong?"


def show(pair: Pair) -> str:
    """`67`, or `67x65` where height and width differ."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
