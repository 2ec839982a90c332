"""What an edit leaves of shared weights: who has those of a layer that went, and who shares those of another op."""

from __future__ import annotations

from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.network.splice import inherited
from segcompile.passes.edited import Edit, Edited
from segcompile.text.errors import SegcompileError, Span, fail, label_at


def with_owners(edit: Edit, span: Span, graph: Graph, base: Graph) -> Edited:
    """What an edit at `span` makes of a graph. The weights of a layer that went are those of the first that shared
    them; who shared those of a layer that is another one now shares these.

    Raises SegcompileError as the edit does, and SC503 where that is a layer of another op.
    """
    edited = edit(graph, base)
    nodes = inherited(edited.graph.nodes, graph)
    for node in nodes:
        owner = edited.graph.by_name[node.owner]
        if type(owner.op) is not type(node.op):
            before = graph.by_name.get(owner.name)
            raise _unlike(node, owner, span, before is not None and type(before.op) is type(owner.op))
    return replace(edited, graph=replace(edited.graph, nodes=nodes))


def _unlike(node: Node, owner: Node, span: Span, alone: bool) -> SegcompileError:
    """`alone`: whether the edit makes another op of the layer that shares, not of the owner."""
    at = node.origin.at("share")
    labels = label_at(at, "shared here")
    message = f"`{node.layer}` ({node.op.title}) shares the weights of `{owner.layer}`, which would be {owner.op.title}"
    if alone:
        message = (
            f"`{node.layer}` would be {node.op.title}, and shares the weights of `{owner.layer}` ({owner.op.title})"
        )
    other = owner if alone else node
    return fail(
        "SC503", message, span, labels=labels, help=f"edit `{other.layer}` with it, or `replace` `{node.layer}` before"
    )
