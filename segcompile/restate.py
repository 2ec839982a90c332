"""A network that came from elsewhere, stated as a spec: written where no file was, read again, and proved equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segcompile.compiler import Compiled, compile_spec
from segcompile.diff.pairing import isomorphism
from segcompile.facts.facts import Facts
from segcompile.language.readable import readable_spec
from segcompile.language.telling import NO_MODULES, Modules
from segcompile.language.write import mapping, values
from segcompile.network.flat import flattened
from segcompile.network.graph import Graph
from segcompile.text.errors import Findings, SegcompileError
from segcompile.whole_file import new_file

if TYPE_CHECKING:
    from segcompile.weights.stored import Array

ANOTHER = "another file with -o"  # where a file is there already


@dataclass(frozen=True, slots=True, eq=False)
class Restated:
    """A spec, its text, and the nodes of its network: those of the one that it states -> their names in the spec."""

    compiled: Compiled
    text: str
    nodes: Mapping[str, str]


Before = Callable[[Restated], None]


def _nothing(stated: Restated) -> None:
    pass


def readable(graph: Graph, facts: Facts, head: Sequence[str] = (), modules: Modules = NO_MODULES) -> str:
    """The text of a spec of a network: with blocks, loops and defaults, and names of its own, or of the `modules` that
    its layers were. `head`: lines of other sections, behind the model's name."""
    flat = flattened(graph)
    channels = {name: shape.channels for name, shape in flat.inputs.items()}
    for node, own in zip(graph.nodes, flat.nodes, strict=True):
        channels[own.name] = facts[node.name].shape.channels
    layers = {other.layer: node.layer for node, other in zip(graph.nodes, flat.nodes, strict=True)}
    paths = {own: modules.paths[layer] for own, layer in layers.items() if layer in modules.paths}
    return readable_spec(flat, channels, head, modules=replace(modules, paths=paths))


def restate(
    graph: Graph,
    facts: Facts,
    out: Path,
    head: Sequence[str] = (),
    *,
    modules: Modules = NO_MODULES,
    claims: bool = False,
    before: Before = _nothing,
) -> Restated:
    """Write a spec of this network into the file `out`, and compile it. `claims`: what is computed of it is claimed.
    `before` is done before the file takes its place, which it does not where that raises. `modules`: as of `readable`.

    Raises SegcompileError (SC013), with nothing written, for a file that is there already or cannot be written.
    """
    text = readable(graph, facts, head, modules)
    with new_file(out, ".yaml", ANOTHER) as aside:
        aside.write_text(text, encoding="utf-8")
        compiled = _compiled(aside, out)
        if claims:
            text += "".join(f"{line}\n" for line in _claims(compiled))
            aside.write_text(text, encoding="utf-8")
            compiled = _compiled(aside, out)
        nodes = isomorphism(graph, compiled.graph)
        if nodes is None:
            raise AssertionError(f"the spec that was written of {graph.model} is another network")
        stated = Restated(compiled, text, nodes)
        before(stated)
    return stated


def _compiled(aside: Path, out: Path) -> Compiled:
    findings = Findings()
    try:
        compiled = compile_spec(aside, findings, name=str(out))
        findings.stop_on_errors()
    except SegcompileError as error:
        raise AssertionError(f"the spec that was written is none: {error}") from error
    return compiled


def _claims(compiled: Compiled) -> Iterator[str]:
    """What is computed of each output, and of the whole, as claims."""
    graph, facts = compiled.graph, compiled.facts
    yield "claims:"
    for name in dict.fromkeys(graph.outputs.values()):
        if name in facts and facts[name].shape.size:
            found = facts[name]
            said = {"channels": str(found.shape.channels)}
            if not found.bound and not any(field.whole for field in found.fields):
                said["receptive_field"] = values(found.receptive_field)
            if all(stride is not None for stride in found.stride):
                said["stride"] = values(found.stride)
            yield f"  {graph.layer_of(name)}: {mapping(said)}"
    yield f"  parameters: {compiled.cost(graph.nodes)[0]}"


def restated_weights(stated: Restated, graph: Graph, tensors: Mapping[tuple[str, str], Array]) -> dict[str, Array]:
    """Name in the state dict of the spec's models -> its values. `tensors`: those of the `graph` that is stated, by
    node and parameter, in PyTorch's layout."""
    from segcompile.weights.parameters import tensors as wanted  # numpy

    back = {own: name for name, own in stated.nodes.items()}
    found = {}
    for tensor in wanted(stated.compiled.graph, stated.compiled.facts):
        owner = graph.by_name[back[tensor.node.name]].owner
        found[tensor.name] = tensors[owner, tensor.parameter.name]
    return found
