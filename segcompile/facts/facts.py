"""Everything the analyses found about a graph, in one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.facts.alignment import Maps, Place, place_inputs, place_nodes
from segcompile.facts.receptive_field import Fields, trace_fields
from segcompile.facts.strides import Strides, trace_strides
from segcompile.network.graph import Graph
from segcompile.ops import Parameter, Shape


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Of one node: shape, receptive fields, strides and coordinate maps along each axis, trained tensors, cost."""

    shape: Shape
    fields: Fields
    stride: Strides  # input pixels per output step
    maps: tuple[Maps, ...]
    parameters: tuple[Parameter, ...]  # its own: those that it shares are another node's
    macs: int | None
    bound: bool = False  # the values decide which part of its field an output depends on

    @property
    def parameter_count(self) -> int:
        return sum(parameter.count for parameter in self.parameters)

    @property
    def weight_count(self) -> int:
        """Parameters without biases."""
        return sum(parameter.count for parameter in self.parameters if not parameter.is_bias)

    @property
    def place(self) -> Place:
        """The coordinate map of each axis by the first path; None behind a whole-image op."""
        return tuple(maps.first for maps in self.maps)

    @property
    def receptive_field(self) -> tuple[int | None, ...]:
        """Extent in input pixels along each axis."""
        return tuple(field.size for field in self.fields)


Facts = Mapping[str, NodeFacts]  # node name -> what is true of it; inputs are not in it


def shapes_in(graph: Graph, facts: Facts) -> dict[str, Shape]:
    """Input or node name -> shape."""
    return {**graph.inputs, **{name: fact.shape for name, fact in facts.items()}}


def fields_in(facts: Facts) -> dict[str, Fields]:
    """Node name -> receptive fields."""
    return {name: fact.fields for name, fact in facts.items()}


def maps_in(graph: Graph, facts: Facts) -> dict[str, tuple[Maps, ...]]:
    """Node or input name -> coordinate maps along each axis."""
    return {**place_inputs(graph), **{name: fact.maps for name, fact in facts.items()}}


def analyse(graph: Graph, shapes: Mapping[str, Shape]) -> Facts:
    """The facts of every node of a graph whose crops are resolved and whose shapes are known."""
    fields = trace_fields(graph, shapes)
    strides, places = trace_strides(graph, shapes, fields), place_nodes(graph, shapes)
    facts: dict[str, NodeFacts] = {}
    for node in graph.nodes:
        inputs = [shapes[name] for name in node.inputs]
        shape = shapes[node.name]
        parameters = node.op.parameters(inputs) if node.weights is None else ()
        macs = node.op.macs(inputs, shape)
        bound = node.op.data_dependent or any(name in facts and facts[name].bound for name in node.read)
        name = node.name
        facts[name] = NodeFacts(shape, fields[name], strides[name], places[name], parameters, macs, bound)
    return facts
