"""Where each pixel of each tensor lies over the input: position(p) = scale * p + shift, in input pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.ops import AXES, Shape, Undecidable, Window


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The affine map of one axis: the centre of output p's window lies over input position scale * p + shift."""

    scale: Fraction
    shift: Fraction

    def behind(self, window: Window) -> Coordinates:
        """The map after `window`; the centre is that of its taps, as in Caffe's coordinate maps."""
        centre = Fraction(window.dilation * (window.taps - 1), 2) - window.offset
        step = self.scale / window.upsample
        return Coordinates(step * window.stride, self.shift + step * centre)


LARGEST = 2**63  # a map of larger numbers is that of no image

Place = tuple[Coordinates | None, Coordinates | None]  # height and width; None where the whole image is mixed

START: Place = (Coordinates(Fraction(1), Fraction(0)), Coordinates(Fraction(1), Fraction(0)))


def place_nodes(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> dict[str, Place]:
    """Node or input name -> its coordinate maps. A join takes the map of its first input that has one; where
    another input lies elsewhere, SC311 warns."""
    places: dict[str, Place] = dict.fromkeys(graph.inputs, START)
    for node in graph.nodes:
        places[node.name] = place_node(node, shapes, places, findings)
    return places


def place_node(node: Node, shapes: Mapping[str, Shape], places: Mapping[str, Place], findings: Findings) -> Place:
    """The maps of one node, given those of its inputs. Adds SC311 where its inputs do not lie over one another."""
    first, second = (_along(node, axis, shapes, places) for axis in AXES)
    apart = [found for found in (first, second) if len(set(found)) > 1]
    if apart:
        a, b = apart[0][0], next(item for item in apart[0] if item != apart[0][0])
        if a.scale == b.scale:
            message = f"{node.layer} joins maps that lie {abs(a.shift - b.shift)} input pixels apart"
        else:
            message = f"{node.layer} joins maps of {a.scale} and {b.scale} input pixels a step"
        findings.add("SC311", message, node.origin.span, labels=node.origin.calls)
    return (first[0] if first else None, second[0] if second else None)


def _along(node: Node, axis: int, shapes: Mapping[str, Shape], places: Mapping[str, Place]) -> list[Coordinates]:
    """The maps along one axis that the node's inputs bring it to."""
    if not all(shapes[name].size for name in node.inputs):
        return []
    sizes = [shapes[name].size[axis] for name in node.inputs]
    found = []
    for index, name in enumerate(node.inputs):
        before = places[name][axis]
        try:
            window = node.op.window(axis, sizes, index)
        except Undecidable:
            window = None
        if window is not None and before is not None:
            after = before.behind(window)
            if max(abs(after.shift.numerator), after.scale.numerator, after.scale.denominator) < LARGEST:
                found.append(after)
    return found
