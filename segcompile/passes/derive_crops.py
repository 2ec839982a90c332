"""Crops without an offset get the one that lays the two tensors over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from segcompile.facts.alignment import Coordinates, place_inputs, place_node
from segcompile.facts.fit import fit
from segcompile.facts.given import Of, given_values
from segcompile.facts.pairs import input_cells
from segcompile.facts.witness import Atlas
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, Crop, Refusal, Shape
from segcompile.passes.disputed_crops import Dispute, find_dispute, report_disputes
from segcompile.passes.unplaced import why_unplaced
from segcompile.passes.whole_crops import whole_offset_help
from segcompile.text.errors import Findings


def derive_crops(graph: Graph, findings: Findings) -> Graph:
    """The graph with every crop's offset filled in. Raises SegcompileError for one without shapes."""
    if not any(isinstance(node.op, Crop) and node.op.offset is None for node in graph.nodes):
        return graph
    shapes, _ = fit(graph, findings)
    return derive_offsets(graph, shapes, findings)


def derive_offsets(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> Graph:
    """The graph with its crops' offsets: one sweep from first to last, so that each sees those before it.

    An offset is proven if it lays the source's maps on the reference's along every path. Where paths disagree, that
    of the first path is taken, and SC311 shows another. Adds SC305 (no common scale), SC306 (negative) or SC307 (not
    a whole number) where no offset can do it.
    """
    places = place_inputs(graph)
    surveyor = _Surveyor(Atlas(graph, places), shapes, findings)
    nodes = []
    for node in graph.nodes:
        if isinstance(node.op, Crop) and node.op.offset is None:
            node = replace(node, op=node.op.model_copy(update={"offset": surveyor.offset(node)}))
        places[node.name] = place_node(node, shapes, places)
        nodes.append(node)
    report_disputes(surveyor.disputes, surveyor.atlas, findings)
    return replace(graph, nodes=tuple(nodes))


@dataclass(slots=True)
class _Surveyor:
    """Finds offsets, and says what is wrong with them."""

    atlas: Atlas
    shapes: Mapping[str, Shape]
    findings: Findings
    disputes: list[Dispute] = field(default_factory=list)

    def offset(self, node: Node) -> tuple[int, ...]:
        """One number an axis; what is wrong in the same way along all is said once."""
        rank = self.atlas.graph.rank
        found = [self._along(node, axis) for axis in range(rank)]
        refusals = [item for item in found if isinstance(item, Refusal)]
        alike = len({(item.code, item.message) for item in refusals}) == 1 and len(refusals) == rank
        for axis, item in enumerate(found):
            if isinstance(item, Refusal) and not (alike and axis > 0):
                along = "" if alike else f", along the {AXIS_NAMES[rank][axis]},"
                message = f"{node.layer}{along} {item.message}"
                given = given_values(self.atlas.graph, (node.name,), Of.SIZE)
                self.findings.add(item.code, message, node.origin.span, labels=given, help=item.help)
        offset = tuple(item if isinstance(item, int) else 0 for item in found)
        dispute = None if refusals else find_dispute(self.atlas, node, offset)
        self.disputes += [dispute] if dispute is not None else []
        return offset

    def _along(self, node: Node, axis: int) -> int | Refusal:
        """n such that source pixel p + n lies where reference pixel p does, along the first paths; or why not."""
        rank, names = self.atlas.graph.rank, [self.atlas.graph.layer_of(name) for name in node.inputs]
        maps = [self.atlas.places[name][axis].first for name in node.inputs]
        for tensor, name, place in zip(node.inputs, names, maps, strict=True):
            if place is None:
                why, help = why_unplaced(self.atlas, self.shapes, tensor, axis)
                return Refusal("SC305", f"cannot be aligned: `{name}` has no position, as {why}", None, help)
        source, reference = (place for place in maps if place is not None)
        if source.scale != reference.scale:
            return _unequal(rank, names, source, reference)
        offset = _offset_between(source, reference)
        message = f"would have to be cropped by {offset}"
        if offset.denominator != 1:
            help = whole_offset_help(self.atlas, self.shapes, node, axis, offset)
            return Refusal("SC307", f"{message}, which is not a whole {CELL[rank]}", None, help)
        return int(offset) if offset >= 0 else self._negative(node, axis, offset, source)

    def _negative(self, node: Node, axis: int, offset: Fraction, source: Coordinates) -> Refusal:
        one, other = self.atlas.parted((node.inputs[0], 0), (node.inputs[1], 0), axis)
        start = f"between `{self.atlas.graph.layer_of(one[0])}` and" if one[0] == other[0] else "before"
        message = (
            f"would have to be cropped by {offset}: `{self.atlas.graph.layer_of(one[-1])}` starts inside its reference"
        )
        more = f"{input_cells(-offset * source.scale, self.atlas.graph.rank)} more of padding"
        help = f"{more} {start} `{node.layer}`, or crop the reference instead"
        return Refusal("SC306", message, None, help)


def _offset_between(source: Coordinates, reference: Coordinates) -> Fraction:
    """The n for which source pixel p + n lies where reference pixel p does; their scales are equal."""
    return (reference.shift - source.shift) / source.scale


def _unequal(rank: int, names: Sequence[str], source: Coordinates, reference: Coordinates) -> Refusal:
    message = f"has {input_cells(source.scale, rank)} a step, its reference `{names[1]}` has {reference.scale}"
    ratio = reference.scale / source.scale
    if ratio.denominator == 1:
        help = f"downsample `{names[0]}` by {ratio} first, or upsample `{names[1]}`"
    elif ratio.numerator == 1:
        help = f"upsample `{names[0]}` by {1 / ratio} first, or downsample `{names[1]}`"
    else:
        help = "bring both to one stride first"
    return Refusal("SC305", message, None, help)
