"""A compiled network as the text of a flat spec: its layers, and what its spec says besides."""

from __future__ import annotations

from collections.abc import Mapping, Set

from segcompile.compiler import Compiled
from segcompile.facts.pairs import PerAxis
from segcompile.language.write import mapping, prose, quoted, values, write_spec
from segcompile.language.write_data import write_data
from segcompile.language.write_training import write_training
from segcompile.network.claims import Claim
from segcompile.network.flat import flat_names, flat_parts
from segcompile.network.graph import Graph
from segcompile.network.selector import selects
from segcompile.ops import AnySize
from segcompile.show.claimed import claim_lines
from segcompile.text.source import Node, Scalar

_OF_ONE = ("kernel", "dilation", "parameters", "macs")  # claims of a layer's ops, and not of its result


def flat_spec(compiled: Compiled) -> str:
    """The text of a spec of the same network, without its parameters, defaults, blocks, bases and edits.

    With it go `about`, `cite`, `data`, `training` and the claims that hold, of layers as the flat network names them.
    """
    document, graph = compiled.document, compiled.graph
    cite, claims = document.section("cite"), _claims(compiled)
    names = flat_names(graph)
    training = write_training(
        compiled.spec.training,
        lambda selector: _selectors(selector, graph),
        lambda layer: names[graph.layer_of(graph.names[layer])] if layer in graph.names else layer,
    )
    data = _section("data", write_data(compiled.spec.data))
    head = [f"about: {prose(document.about)}"] if document.about else []
    if cite is not None and cite.entries:
        head.append(f"cite: {mapping({key: _quoted(node) for key, (_, node) in cite.entries.items()})}")
    return write_spec(graph, head, [*data, *_section("claims", claims), *_section("training", training)])


def _section(name: str, entries: Mapping[str, str]) -> list[str]:
    """A section of a line an entry, or of more where that starts on the next one; nothing for none."""
    lines = (f"  {key}: {said}".replace(": \n", ":\n", 1) for key, said in entries.items())
    return [f"{name}:", *lines] if entries else []


def _quoted(node: Node) -> str:
    return quoted(node.text) if isinstance(node, Scalar) else "{}"  # the schema lets nothing else pass


def _selectors(selector: str, graph: Graph) -> list[str]:
    """Those that mean the same layers of the flat network: one if there is such, or else the layers by their names."""
    parts = flat_parts(graph)
    every = [name for layer in graph.layers for name in parts[layer]]
    meant = [name for layer in graph.layers if selects(selector, layer) for name in parts[layer]]
    plain = selector.replace(".", "_")
    for tried in (plain, f"{plain}_*"):
        if meant == [name for name in every if selects(tried, name)]:
            return [tried]
    return meant


# --- claims ----------------------------------------------------------------------------------------------------------


def _claims(compiled: Compiled) -> dict[str, str]:
    """A flat layer, `parameters`, `weights` or `count` -> what is claimed of it and is so."""
    names, graph = flat_names(compiled.graph), compiled.graph
    in_parts = {layer for layer, parts in flat_parts(graph).items() if len(parts) > 1}
    held = [verdict.claim for verdict in compiled.verdicts if verdict.ok]
    whole = [claim for claim in held if not (in_parts and _is_of_parts(claim, graph, in_parts))]
    layers = [names[graph.layer_of(claim.result)] if claim.result is not None else "" for claim in whole]
    return claim_lines(
        ((layer, claim, _value(claim.number, graph)) for layer, claim in zip(layers, whole, strict=True)), graph
    )


def _is_of_parts(claim: Claim, graph: Graph, in_parts: Set[str]) -> bool:
    """Whether a claim speaks of what are several layers in the flat network."""
    return bool(claim.ops) or (claim.kind in _OF_ONE and graph.layer_of(claim.result or "") in in_parts)


def _value(pair: PerAxis, graph: Graph) -> str:
    """A claimed value, as a claim says it; a size that is a function of the image's is that of an input."""
    if any(isinstance(value, AnySize) for value in pair):
        return next(name for name, shape in graph.inputs.items() if shape.size == pair)
    return values(pair)
