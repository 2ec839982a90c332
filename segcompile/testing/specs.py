"""Hypothesis strategy: whole specs as the text of a file, which a person could have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from segcompile.ops import Op
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
    """A spec of some layers on one small image, with branches, parameters, what layers carry, and a block that is
    repeated. The outputs are the layers that no other reads."""
    graph = draw(graphs(most=8, high=32))
    (height, width) = graph.inputs["input"].size
    lines = ["layers:"]
    names = {"input": "input"}
    text = HEAD.format(channels=CHANNELS, height=height, width=width)
    if draw(st.booleans()):
        text += BLOCKS
        lines.append('  - "stem{i}": {block: pair, w: 2D, d: i, repeat: 2}')
        names["input"] = "stem2"
    above = names["input"]
    for node in graph.nodes:
        attributes = _layer(node.op, [names.get(name, name) for name in node.inputs])
        if draw(st.booleans()) and attributes.get("from") == above:
            del attributes["from"]
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


def _layer(op: Op, inputs: list[str]) -> dict[str, str]:
    """Attribute -> text, the op's key first."""
    told = {name: value for name, value in op if value != type(op).model_fields[name].default}
    found: dict[str, str] = {}
    if op.joins:
        found[op.spelling] = f"[{', '.join(inputs)}]"
    elif len(inputs) > 1:
        found[op.spelling] = inputs[1]
        told.pop("pool_layer", None)
    elif op.spelling in ("norm", "act"):
        kind = op.title if op.spelling == "act" else type(op).model_fields["kind"].default
        told.pop("kind", None)
        found[op.spelling] = f"{{{kind}: {_text(told)}}}" if told else kind
        told = {}
    else:
        assert op.main is not None
        told.pop(op.main, None)
        found[op.spelling] = _text(getattr(op, op.main))
    if not op.joins:
        found["from"] = inputs[0]
    return found | {name: _text(value) for name, value in told.items()}


def _text(value: Any) -> str:
    """A value as a spec writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_text(item)}' for name, item in value.items())}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)
