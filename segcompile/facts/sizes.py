"""Which sizes of the image a network takes, along each axis: those at which all that its ops need is so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from segcompile.facts.given import Of, given_values
from segcompile.facts.size_set import SizeSet, fulfilling
from segcompile.network.graph import Graph, Node
from segcompile.ops import AnySize, Shape, Size, Undecidable
from segcompile.ops.size import difference
from segcompile.text.errors import Findings, Label


@dataclass(frozen=True, slots=True)
class Demand:
    """What a node asks of a symbolic size: slack >= 0, or slack == 0 if `equal`."""

    node: Node
    axis: int
    slack: AnySize
    equal: bool = False

    @property
    def sizes(self) -> SizeSet:
        """The sizes at which it is met. Raises Undecidable where they cannot be written down."""
        return fulfilling(self.slack, self.equal)


@dataclass(frozen=True, slots=True)
class AxisSizes:
    """`legal`: every layer exists and every join agrees. `exact`: of those, the sizes at which no stride rounds: the
    last window of each layer ends where its input ends, padding included; None where that cannot be written down."""

    legal: SizeSet
    exact: SizeSet | None


Sizes = tuple[AxisSizes | None, ...]  # along each axis; None where every input's size is a number


def find_sizes(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> Sizes:
    """The sizes of a graph, from the shapes of its inputs and nodes; a node without a shape is passed over.

    Adds SC304 where two layers have no size in common, SC310 where the sizes cannot be written down.
    """
    extents = [shapes[name].size for name in graph.inputs]
    if not any(isinstance(size, AnySize) for each in extents for size in each):
        return (None,) * graph.rank
    needs, whole = (demands(graph, shapes, ask) for ask in (needs_of, whole_strides))
    sizes: Sizes = ()
    for axis, along in enumerate(zip(*(each for each in extents if each), strict=True)):
        said = Findings() if findings.has_errors else findings  # one cause, not one an axis
        sizes = (*sizes, _axis_sizes(axis, along, needs, whole, graph, said))
    return sizes


def _axis_sizes(
    axis: int,
    extents: Sequence[Size],
    needs: Iterable[Demand],
    whole: Iterable[Demand],
    graph: Graph,
    findings: Findings,
) -> AxisSizes | None:
    symbols = [size.symbol for size in extents if isinstance(size, AnySize)]
    if not symbols:
        return None
    legal = _legal(SizeSet(symbols[0]), strictest(axis, needs), graph, findings)
    exact = legal
    try:
        for demand in strictest(axis, whole):
            exact &= demand.sizes
    except Undecidable:
        return AxisSizes(legal, None)
    return AxisSizes(legal, exact)


def strictest(axis: int, demands: Iterable[Demand]) -> list[Demand]:
    """The demands along one axis that depend on the image, without those that another one implies."""
    found: dict[object, Demand] = {}
    for demand in demands:
        slack = demand.slack
        if demand.axis == axis:
            key = (slack.step, slack.table, slack.plus if demand.equal else None)
            if key not in found or slack.plus < found[key].slack.plus:
                found[key] = demand
    return list(found.values())


def _legal(sizes: SizeSet, demands: Iterable[Demand], graph: Graph, findings: Findings) -> SizeSet:
    """The sizes that meet all demands, or those that meet the ones before the error that is added."""
    earlier: list[tuple[Node, SizeSet]] = []
    for demand in demands:
        node, own = demand.node, demand.sizes
        try:
            both = sizes & own
        except Undecidable as why:
            message = f"{node.layer}: the sizes that fit cannot be written down: {why}"
            given = given_values(graph, (node.name,), Of.SIZE)
            findings.add("SC310", message, node.origin.span, labels=given, help="give the input a size")
            return sizes
        if not both.residues:
            other, theirs = next((pair for pair in earlier if not (pair[1] & own).residues), earlier[-1])
            message = f"no size fits both {other.layer} and {node.layer}: {theirs} and {own}"
            found = [
                Label(span, str(fit)) for span, fit in ((other.origin.span, theirs), (node.origin.span, own)) if span
            ]
            help = "`align: center_crop`, `align: pad` or a crop at one of the two"
            given = given_values(graph, (node.name, other.name), Of.SIZE)
            findings.add("SC304", message, node.origin.span, labels=[*found, *given], help=help)
            return sizes
        sizes = both
        earlier.append((node, own))
    return sizes


def demands(
    graph: Graph, shapes: Mapping[str, Shape], ask: Callable[[Node, list[Shape], Shape], Iterable[Demand]]
) -> list[Demand]:
    """What all nodes that have a shape ask of symbolic sizes: `needs_of` or `whole_strides`."""
    known = ((node, [shapes[name] for name in node.inputs]) for node in graph.nodes if node.name in shapes)
    return [demand for node, inputs in known for demand in ask(node, inputs, shapes[node.name])]


def needs_of(node: Node, inputs: list[Shape], output: Shape) -> Iterator[Demand]:
    """What a node's op needs of its inputs' sizes, of `inputs` and an output of these shapes."""
    for need in node.op.needs(inputs, output):
        if isinstance(need.slack, AnySize):
            yield Demand(node, need.axis, need.slack, need.equal)


def whole_strides(node: Node, inputs: list[Shape], output: Shape) -> Iterator[Demand]:
    """The last window ends neither before the end of the padded input (floor) nor behind it (ceil)."""
    if node.op.sliding is None or node.op.sliding.transposed:
        return
    for axis, size in enumerate(inputs[0].size):
        window = node.op.window_on(axis, [size], 0)
        if window is not None and window.stride > 1 and isinstance(size, AnySize):
            reach = window.reach + 1 - window.offset - node.op.pads(axis)[1]
            rest = difference((output.size[axis] - 1) * window.stride + reach, size)
            symbolic = rest if isinstance(rest, AnySize) else AnySize(size.symbol, 0, (0,), rest)
            yield Demand(node, axis, symbolic, equal=True)
