"""A network that came from elsewhere, stated as a spec: written where no file was, read again, and proved equal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segcompile.compiler import Compiled, compile_spec
from segcompile.diff.pairing import isomorphism
from segcompile.facts.facts import Facts
from segcompile.language.readable import readable_spec
from segcompile.network.flat import flattened
from segcompile.network.graph import Graph
from segcompile.text.errors import Findings
from segcompile.whole_file import new_file


def restated(graph: Graph, facts: Facts, head: Sequence[str] = (), tail: Sequence[str] = ()) -> str:
    """The text of a spec of this network: with blocks, loops and defaults, and names of its own.

    `head` and `tail`: lines of other sections, before the network and behind it.
    """
    flat = flattened(graph)
    channels = {name: shape.channels for name, shape in flat.inputs.items()}
    for node, own in zip(graph.nodes, flat.nodes, strict=True):
        channels[own.name] = facts[node.name].shape.channels
    return readable_spec(flat, channels, head, tail)


def restate(graph: Graph, text: str, out: Path, findings: Findings) -> tuple[Compiled, dict[str, str]]:
    """Write the `text` of a spec of `graph` into the file `out`, and compile it: the spec, and each node's of `graph`
    there. Warnings go to `findings`.

    Raises SegcompileError (SC013), with nothing written, for a file that is there already or cannot be written.
    """
    with new_file(out, ".yaml", "another file with -o") as aside:
        aside.write_text(text, encoding="utf-8")
        compiled = compile_spec(aside, findings, name=str(out))
        found = isomorphism(graph, compiled.graph)
        if found is None:
            raise AssertionError(f"the spec that was written of {graph.model} is another network")
    return compiled, found
