"""The only isomorphism that there can be is found, and none where there is none."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.diff.pairing import isomorphism
from segcompile.network.graph import Graph, Node
from segcompile.ops import Scale
from segcompile.testing.strategies import graphs

SETTINGS = settings(max_examples=100)


def renamed(graph: Graph, order: st.DataObject) -> Graph:
    """Other names, and another topological order."""
    left, nodes, known = list(graph.nodes), list[Node](), set(graph.inputs)
    while left:
        ready = [node for node in left if known.issuperset({*node.inputs} | {node.weights or "input"})]
        node = order.draw(st.sampled_from(ready))
        left.remove(node)
        known.add(node.name)
        inputs = tuple(name if name in graph.inputs else f"other_{name}" for name in node.inputs)
        weights = f"other_{node.weights}" if node.weights is not None else None
        nodes.append(Node(f"other_{node.name}", node.op, inputs, f"other_{node.layer}", weights=weights))
    outputs = {head: f"other_{name}" for head, name in graph.outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=outputs).verify()


@SETTINGS
@given(graph=graphs(), data=st.data())
def test_a_graph_under_other_names_is_found_and_another_op_is_noticed(graph: Graph, data: st.DataObject) -> None:
    other = renamed(graph, data)
    names = {name: f"other_{name}" for name in graph.by_name}
    assert isomorphism(graph, other) == {"input": "input", **names}
    index = data.draw(st.integers(0, len(other.nodes) - 1))
    node = other.nodes[index]
    changed = Scale(factor=7.0) if len(node.inputs) == 1 else node.op
    inputs = node.inputs if len(node.inputs) == 1 else tuple(reversed(node.inputs))
    if (changed, inputs) != (node.op, node.inputs):
        nodes = list(other.nodes)
        nodes[index] = replace(node, op=changed, inputs=inputs)
        assert isomorphism(graph, replace(other, nodes=tuple(nodes))) is None
