"""The receptive fields of a whole network: from a spec, or from a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType

from segcompile.compiler import Compiled, analyse_graph, compile_spec, find_spec
from segcompile.facts.facts import Facts, shapes_in
from segcompile.network.graph import Graph
from segcompile.notebook.html import table
from segcompile.notebook.layer import LayerField
from segcompile.notebook.net import Net
from segcompile.text.errors import Diagnostic, Findings, did_you_mean, fail
from segcompile.text.report import render_text


@dataclass(frozen=True, eq=False, repr=False)
class ReceptiveField:
    """The receptive fields of a network: `layers` by name, in order; `outputs`: head -> layer; `diagnostics`: warnings,
    and claims that are false (none of an already compiled spec, whose findings went elsewhere)."""

    model: str
    layers: Mapping[str, LayerField]
    outputs: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...] = ()

    def __getitem__(self, name: str) -> LayerField:
        """The layer, or the output head, of that name. Raises SegcompileError (SC102)."""
        if name in self.layers:
            return self.layers[name]
        if name in self.outputs:
            return self.layers[self.outputs[name]]
        help = did_you_mean(name, (*self.layers, *self.outputs)) or "`segcompile rf SPEC` lists the layers"
        raise fail("SC102", f"there is no layer `{name}` in {self.model}", help=help)

    def __repr__(self) -> str:
        heads = ", ".join(repr(self.layers[name]) for name in dict.fromkeys(self.outputs.values()))
        return f"<{self.model}, {len(self.layers)} layers: {heads}>"

    def _repr_html_(self) -> str:
        rows = [layer.row for layer in self.layers.values()]
        found = f"<pre>{escape(render_text(self.diagnostics))}</pre>" if self.diagnostics else ""
        return table(self.model, rows) + found


def receptive_field(
    spec: str | Path | Graph | Compiled, *, variant: str | None = None, overrides: Mapping[str, int] | None = None
) -> ReceptiveField:
    """The receptive fields of a spec (a path, or the name of a bundled one), of a graph, or of a compiled spec.

    `variant` and `overrides` (parameter -> integer) are for specs alone. Raises SegcompileError with everything that is
    wrong with the spec; warnings and false claims are in `diagnostics`.
    """
    if isinstance(spec, Graph | Compiled) and (variant is not None or overrides):
        message = f"{spec.model} is compiled already: it takes no variant and no overrides"
        raise fail("SC410", message, help="give the spec instead")
    findings = Findings()
    if isinstance(spec, Graph):
        return _of_graph(spec, findings)
    if not isinstance(spec, Compiled):
        spec = compile_spec(find_spec(str(spec)), findings, variant=variant, overrides=overrides)
    return field_view(spec.model, spec.graph, spec.facts, findings)


def _of_graph(graph: Graph, findings: Findings) -> ReceptiveField:
    found = analyse_graph(graph, findings)
    return field_view(graph.model, found.graph, found.facts, findings)


def field_view(model: str, graph: Graph, facts: Facts, findings: Findings) -> ReceptiveField:
    """What is true of a graph whose facts are known."""
    net = Net(graph, shapes_in(graph, facts), facts)
    layers = {name: LayerField(name, nodes[0].op.title, net, nodes[-1].name) for name, nodes in graph.layers.items()}
    outputs = {head: graph.by_name[node].layer for head, node in graph.outputs.items() if node in graph.by_name}
    return ReceptiveField(model, MappingProxyType(layers), MappingProxyType(outputs), tuple(findings.diagnostics))
