"""Hypothesis strategy: whole specs as the text of a file, which a person could have written."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from segcompile.language.write import written
from segcompile.testing.strategies import CHANNELS, graphs

HEAD = """\
segcompile: 1
model: net
params: {{C: {channels}, D: 2}}
input: {{channels: C, size: [{height}, {width}]}}
"""
BLOCKS = """\
defaults: {conv: {kernel: 3}}
blocks:
  pair: {args: [w, d], layers: ["conv{i}": {conv: w, pad: same, dilation: d, repeat: 2, act: elu}]}
"""
_CARRIED = ("norm: batch", "act: relu", "act: {leaky_relu: 0.2}", "act: prelu", "drop: 0.5", "norm: {group: 2}")


@st.composite
def specs(draw: DrawFn) -> str:
    """A spec of some layers on one small image, with branches, parameters, what layers carry, shared weights, and a
    block that is repeated. The outputs are the layers that no other reads."""
    graph = draw(graphs(most=8, high=32))
    (height, width) = graph.inputs["input"].size
    lines = ["layers:"]
    names = {"input": "input"}
    text = HEAD.format(channels=CHANNELS, height=height, width=width)
    if draw(st.booleans()):
        text += BLOCKS
        shared = draw(st.sampled_from(["d: i", "d: i", "d: D, share: stem1", "d: i, share: stem1"]))
        lines.append(f'  - "stem{{i}}": {{block: pair, w: 2D, {shared}, repeat: 2}}')
        names["input"] = "stem2"
    above = names["input"]
    for node in graph.nodes:
        inputs = [names.get(name, name) for name in node.inputs]
        attributes = written(node.op, inputs)
        if not node.op.joins and not (draw(st.booleans()) and inputs[0] == above):
            attributes["from"] = inputs[0]
        if node.weights is not None:
            attributes["share"] = node.weights
        convolves = node.op.main == "channels"
        if convolves and attributes[node.op.spelling] == str(CHANNELS):
            attributes[node.op.spelling] = draw(st.sampled_from(["C", "2D", "D**2", str(CHANNELS)]))
        parts = [f"{name}: {value}" for name, value in attributes.items()]
        if convolves and draw(st.booleans()):
            parts.append(draw(st.sampled_from(_CARRIED)))
        lines.append(f"  - {node.name}: {{{', '.join(parts)}}}")
        above = node.name
    read = {name for node in graph.nodes for name in node.inputs}
    ends = [node.name for node in graph.nodes if node.name not in read]
    lines.append(f"outputs: {{{', '.join(f'out_{name}: {name}' for name in ends)}}}")
    return text + "\n".join(lines) + "\n"
