"""SC401 to SC406, SC411, SC412: claims that are false. Of those, the first slips, and what each of them is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from segcompile.checks.claims import Verdict, nodes_of
from segcompile.checks.subject import Subject
from segcompile.facts.facts import shapes_in
from segcompile.facts.given import Of, given_values
from segcompile.facts.pairs import show
from segcompile.facts.unknown import why_unknown
from segcompile.network.graph import Graph, Node
from segcompile.ops import MEDIUM, Conv
from segcompile.text.errors import Diagnostic, Label, Span, finding

_CODE = {
    "receptive_field": "SC401", "stride": "SC402", "size": "SC403", "channels": "SC403", "kernel": "SC411",
    "dilation": "SC411", "margin": "SC412", "offset": "SC404", "parameters": "SC405", "weights": "SC405",
    "macs": "SC405", "count": "SC405",
}  # fmt: skip

CODES_OF_CLAIMS = ("SC401", "SC402", "SC403", "SC404", "SC405", "SC406", "SC411", "SC412")


def is_of_a_claim(found: Diagnostic) -> bool:
    """Whether a claim is wrong, and nothing else."""
    return found.code.code in CODES_OF_CLAIMS


def check_claims(subject: Subject) -> Iterator[Diagnostic]:
    """What is wrong with each claim: its layer is not there, it is undecidable (SC406) or false.

    A claim that is off by exactly as much as one that it depends on follows from that one: it is counted, not listed.
    """
    for claim in subject.claims:
        if claim.layer is not None and not nodes_of(claim.result, subject.graph):
            message = f"`{claim.layer}` is not part of the network that reaches an output"
            yield finding("SC406", message, claim.word)
    for verdict, followers in _first_slips([verdict for verdict in subject.verdicts if not verdict.ok], subject):
        yield _explain_slip(verdict, followers, subject)


def _first_slips(false: Iterable[Verdict], subject: Subject) -> list[tuple[Verdict, int]]:
    """The false verdicts that follow from no other one, each with the number of those that follow from it.

    One follows from another that makes the same claim, is off by as much, and stands on the way to its layer.
    """
    listed = list(false)
    alike: dict[object, dict[str, Verdict]] = {}
    for verdict in listed:
        slip, nodes = _slip(verdict), nodes_of(verdict.claim.result, subject.graph)
        if slip is not None and nodes:
            alike.setdefault((verdict.what, slip), {}).setdefault(nodes[-1].name, verdict)
    causes: dict[Verdict, Verdict] = {}
    for verdicts in alike.values():
        if len(verdicts) > 1:
            causes |= _causes(verdicts, subject.graph)
    followers = Counter(causes.values())
    return [(verdict, followers[verdict]) for verdict in listed if verdict not in causes]


def _causes(verdicts: Mapping[str, Verdict], graph: Graph) -> dict[Verdict, Verdict]:
    """Of verdicts with one slip, by node: each that depends on another -> the first on its way."""
    found: dict[Verdict, Verdict] = {}
    reaching: dict[str, Verdict] = {}
    for node in graph.nodes:
        before = next((reaching[name] for name in node.inputs if name in reaching), None)
        own = verdicts.get(node.name)
        if own is not None and before is not None:
            found[own] = before
        first = before or own
        if first is not None:
            reaching[node.name] = first
    return found


def _slip(verdict: Verdict) -> object:
    """By how much a claim is off: strides multiply, everything else adds. None where that is not a number."""
    slips = []
    for claimed, computed in zip(verdict.claimed, verdict.computed or (None, None), strict=True):
        if not isinstance(claimed, int | Fraction) or not isinstance(computed, int | Fraction):
            return None
        difference = Fraction(claimed) - computed
        slips.append(Fraction(claimed) / computed if verdict.what == "stride" and computed else difference)
    return tuple(slips)


def _explain_slip(verdict: Verdict, followers: int, subject: Subject) -> Diagnostic:
    """The error at the number that was claimed, with what there is to know about it."""
    name = verdict.layer or subject.graph.model
    colon = ":" if " " in verdict.what else ""  # `size at 33: 30`
    what = "" if verdict.what == "receptive_field" else f"{verdict.what.replace('_', ' ')}{colon} "
    claim = f"{name} claims {what}{show(verdict.claimed)}"
    notes = [_counted(followers)] if followers else []
    if verdict.computed is None:
        message = f"{claim}, which cannot be decided"
        return finding("SC406", message, verdict.claim.span, notes=[*notes, _why(verdict, subject)])
    labels, help = _about(verdict, subject)
    message = f"{claim}, computed {show(verdict.computed)}"
    span = verdict.claim.span
    cause = _size_changed(verdict, subject) if verdict.claim.input is not None else None
    if cause is not None:  # `size: input` is a word; the number that is wrong stands elsewhere
        span, labels, help = cause, [Label(span, f"claims {show(verdict.claimed)}"), *labels], None
    labels = [*labels, *_given(verdict, subject.graph)]
    return finding(_CODE[verdict.claim.kind], message, span, labels=labels, help=help, notes=notes)


def _given(verdict: Verdict, graph: Graph) -> list[Label]:
    """Where values are given elsewhere, by `--set` or a derived spec, that make a number what it is."""
    own = nodes_of(verdict.claim.result, graph)
    if verdict.claim.kind in ("parameters", "weights", "macs", "count"):
        return given_values(graph, [node.name for node in own or graph.nodes], Of.CHANNELS | Of.SIZE)
    part = Of.CHANNELS if verdict.claim.kind == "channels" else Of.SIZE
    return given_values(graph, [node.name for node in own], part)


def _size_changed(verdict: Verdict, subject: Subject) -> Span | None:
    """Where a claimed size of an input (`size: input`) is lost: the stride, kernel or pad of that layer. Where it was
    to be reached again, the factor of the resize."""
    node = nodes_of(verdict.claim.result, subject.graph)[-1]
    if node.op.resamples:
        return node.origin.attributes.get("factor")
    while (before := node.inputs[0]) in subject.facts and subject.facts[before].shape.size != verdict.claimed:
        node = subject.graph.by_name[before]
    strided = node.op.sliding is not None and max(node.op.sliding.stride) > 1
    tried = ("stride", "kernel", "pad") if strided else ("kernel", "pad")
    return next((node.origin.attributes[name] for name in tried if name in node.origin.attributes), None)


def _counted(followers: int) -> str:
    if followers == 1:
        return "1 later claim follows from this one and is not shown"
    return f"{followers} later claims follow from this one and are not shown"


def _why(verdict: Verdict, subject: Subject) -> str:
    if verdict.what in ("receptive_field", "stride", "margin"):
        graph, facts = subject.graph, subject.facts
        node = nodes_of(verdict.claim.result, graph)[-1].name
        if any(field.whole for field in facts[node].fields):
            return f"behind a whole-image op every output sees the whole {MEDIUM[graph.rank]}"
        if all(field.sets for field in facts[node].fields):
            return "branches of unequal stride come before it"
        return f"the field {why_unknown(graph, shapes_in(graph, facts), subject.fields, node)}"
    if verdict.what == "macs":
        return f"they depend on the size of the {MEDIUM[subject.graph.rank]}"
    if verdict.claim.elsewhere is not None:
        return "the network does not take that size"
    return "the layer has no such number"


def _about(verdict: Verdict, subject: Subject) -> tuple[list[Label], str | None]:
    """The places that explain a false claim, and the remedy."""
    assert verdict.computed is not None
    nodes = nodes_of(verdict.claim.result, subject.graph)
    if not nodes:
        return [], f"{show(verdict.computed)}, or a number in the network is not the paper's"
    node = nodes[0]
    calls = list(node.origin.span.calls) if node.origin.span is not None else []
    if verdict.what == "receptive_field":
        labels, help = _explain_field(node, verdict, subject) if isinstance(node.op, Conv) else ([], None)
        return [*labels, *calls], help
    span = node.origin.attributes.get(verdict.what)
    return ([Label(span, show(verdict.computed)), *calls] if span is not None else calls), None


def _explain_field(node: Node, verdict: Verdict, subject: Subject) -> tuple[list[Label], str | None]:
    """How a convolution's field comes about, at its dilation or kernel, and which number the claim would need."""
    op, before = node.op, subject.facts.get(node.inputs[0])
    assert isinstance(op, Conv) and verdict.computed is not None
    axis = next(axis for axis, claimed in enumerate(verdict.claimed) if claimed != verdict.computed[axis])
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
