"""What the generated folding.py knows: which batch norm of the trained network goes into which layer."""

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
from segcompile.passes.lowerings.fold_batch_norm import fold_batch_norm

_INSIDE = 4  # spaces before an entry


def view_foldable(graph: Graph) -> dict[str, list[str]]:
    """The lines of FOLDED (layer -> Norm) of a network that is trained, and that folds its norms when it is loaded."""
    modules, sources = _modules(graph), fold_batch_norm(graph).weights.values()
    return {"folded": [line for source in sources for line in _entry(graph, source, modules)], "renamed": []}


def view_folding(trained: Trained, graph: Graph, facts: Facts) -> dict[str, list[str]]:
    """The lines of FOLDED (layer -> Norm) and of RENAMED (module of the trained network -> module of this one, where
    they differ). `graph` is the lowered one."""
    before, after = _modules(trained.graph), _modules(graph)
    folded, renamed = list[str](), list[str]()
    for node in graph.nodes:
        if not facts[node.name].parameters:
            continue
        source = trained.weights.get(node.name, Source(node.name))
        folded += _entry(trained.graph, source, before)
        if before[source.node] != after[node.name]:
            renamed.append(f'"{before[source.node]}": "{after[node.name]}",')
    return {"folded": folded, "renamed": renamed}


def _modules(graph: Graph) -> dict[str, str]:
    """Node -> where its module lies in the model."""
    return paths(ScopeTree(graph, with_switches=False))


def _entry(trained: Graph, source: Source, modules: Mapping[str, str]) -> list[str]:
    """`"conv1": Norm("conv1_norm", 1e-05),`, in a line if that has room for it; nothing where no norm is folded."""
    if source.norm is None:
        return []
    op, norm = (trained.by_name[name].op for name in (source.node, source.norm))
    assert isinstance(norm, BatchNorm)
    values = [f'"{modules[source.norm]}"', repr(norm.eps)]
    values += ["biased=False"] if op != op.biased() else []
    values += [f"groups={op.groups}"] if isinstance(op, Deconv) else []
    start, told = f'"{modules[source.node]}": Norm(', ", ".join(values)
    whole = f"{start}{told}),"
    return [whole] if _INSIDE + len(whole) <= WIDTH else [start, f"    {told}", "),"]
