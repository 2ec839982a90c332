"""What the generated folding.py knows: which batch norm of the trained network went into which layer of this one."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.backend import Trained
from segcompile.emit.calls import WIDTH
from segcompile.facts.facts import Facts
from segcompile.facts.module_names import paths
from segcompile.network.graph import Graph
from segcompile.network.scope_tree import ScopeTree
from segcompile.ops import BatchNorm, Deconv
from segcompile.passes.edited import Source

_INSIDE = 4  # spaces before an entry


def view_folding(trained: Trained, graph: Graph, facts: Facts) -> dict[str, list[str]]:
    """The lines of FOLDED (layer -> Norm) and of RENAMED (module of the trained network -> module of this one, where
    they differ). `graph` is the lowered one."""
    before, after = (paths(ScopeTree(each, with_switches=False)) for each in (trained.graph, graph))
    folded, renamed = list[str](), list[str]()
    for node in graph.nodes:
        if not facts[node.name].parameters:
            continue
        source = trained.weights.get(node.name, Source(node.name))
        if source.norm is not None:
            folded += _entry(trained.graph, source, before)
        if before[source.node] != after[node.name]:
            renamed.append(f'"{before[source.node]}": "{after[node.name]}",')
    return {"folded": folded, "renamed": renamed}


def _entry(trained: Graph, source: Source, paths: Mapping[str, str]) -> list[str]:
    """`"conv1": Norm("conv1_norm", 1e-05),`, in a line if that has room for it."""
    assert source.norm is not None
    op, norm = (trained.by_name[name].op for name in (source.node, source.norm))
    assert isinstance(norm, BatchNorm)
    values = [f'"{paths[source.norm]}"', repr(norm.eps)]
    values += ["biased=False"] if op != op.biased() else []
    values += [f"groups={op.groups}"] if isinstance(op, Deconv) else []
    start, told = f'"{paths[source.node]}": Norm(', ", ".join(values)
    whole = f"{start}{told}),"
    return [whole] if _INSIDE + len(whole) <= WIDTH else [start, f"    {told}", "),"]
