"""A network -> the text of a flat spec, which is read as the same network again.

Every number stands where it is used: no parameters, defaults, blocks or edits are left. What an op has by default is
not written, and a layer says `from` where it does not read the line above.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from segcompile.network.flat import flattened
from segcompile.network.graph import Graph, Node, Role
from segcompile.ops import Init, Op, Reads, Shape
from segcompile.ops.base import AxisPadding
from segcompile.ops.size import AnySize

_SCHEME = {"normal": "std", "identity": "groups", "constant": "value"}  # what `{scheme: value}` says
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 .,()+&/'_-]*[A-Za-z0-9.)])?")  # what YAML needs no quotes for in a line
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")  # may end a line, or is not seen
_MODEL = 64  # characters of a model's name


def write_spec(graph: Graph, head: Iterable[str] = (), tail: Iterable[str] = ()) -> str:
    """The text of a spec whose network is `flattened(graph)`: the same ops, inputs and names.

    `head` and `tail` are lines of other sections, before the network and behind it. A model's name has no capitals and
    at most 64 characters, which that of a variant may have.
    """
    flat = in_words(flattened(graph))
    lines = ["segcompile: 1", f"model: {flat.model.lower()[:_MODEL]}", *head]
    lines += [f"input: {inputs_text(flat.inputs)}", "layers:"]
    above = next(iter(flat.inputs))
    names = {layer: f"{layer}:" for layer in flat.layers}
    width = min(max(map(len, names.values()), default=0), 24)
    for layer, nodes in flat.layers.items():
        lines.append(f"  - {names[layer]:<{width}} {_layer(flat, nodes, above)}")
        above = nodes[-1].name
    heads = {head: flat.layer_of(name) for head, name in flat.outputs.items()}
    if flat.outputs != {"output": above}:
        lines.append(f"outputs: {mapping(heads)}")
    return "\n".join([*lines, *tail]) + "\n"


def in_words(graph: Graph) -> Graph:
    """The graph whose paddings that are causal by design say so."""
    return replace(graph, nodes=tuple(_causal(node, graph.causal) for node in graph.nodes))


def _causal(node: Node, axes: frozenset[int]) -> Node:
    pad = getattr(node.op, "pad", ())
    word = node.op.model_copy(update={"pad": ("causal",) * len(pad)}) if pad and axes else node.op
    said = tuple("causal" if a in axes and each == word.pads(a) != (0, 0) else each for a, each in enumerate(pad))
    return replace(node, op=node.op.model_copy(update={"pad": said})) if said != pad else node


def inputs_text(inputs: Mapping[str, Shape]) -> str:
    written = {name: mapping({"channels": str(shape.channels), "size": _size(shape)}) for name, shape in inputs.items()}
    return written["input"] if [*inputs] == ["input"] else mapping(written)


def _size(shape: Shape) -> str:
    sizes = tuple("any" if isinstance(size, AnySize) else str(size) for size in shape.size)
    return values(sizes) if len(sizes) == 2 else f"[{', '.join(sizes)}]"


def _layer(graph: Graph, nodes: tuple[Node, ...], above: str) -> str:
    """The body of a layer: its op, where it reads, and what it carries."""
    main, *carried = nodes
    names = [graph.layer_of(name) for name in main.inputs]
    said = written(main.op, names)
    if not main.op.joins and main.inputs[0] != above:
        said["from"] = names[0]
    if main.weights is not None:
        said["share"] = graph.layer_of(main.weights)
    for node in carried:
        said[node.role] = written(node.op, [])[node.op.spelling]
    return mapping(said)


def written(op: Op, inputs: list[str]) -> dict[str, str]:
    """What a layer says of its own op, the op's key first; `inputs` are the layers that it reads."""
    if op.joins:
        return {op.spelling: f"[{', '.join(inputs)}]", **_attributes(op)}
    if op.also_reads:
        return {op.spelling: _under(op), **dict(zip(op.also_reads, inputs[1:], strict=False)), **_attributes(op)}
    if len(inputs) > 1 and not op.remembers:
        return {op.spelling: inputs[1], **_attributes(op)}
    if op.spelling in (Role.NORM, Role.ACT):
        return {op.spelling: _word(op, "kind")}
    return {op.spelling: _under(op), **_attributes(op)}


def _under(op: Op) -> str:
    """What stands under an op's key: its main argument, or another one with its word, `{channels: 3}`."""
    for word, name in op.by_word.items():
        if getattr(op, name) is not None:
            return mapping({word: value_text(type(op).reads(name), getattr(op, name))})
    assert op.main is not None
    return value_text(type(op).reads(op.main), getattr(op, op.main))


def _word(op: Op, main: str) -> str:
    """`batch`, `{batch: {eps: 0.001}}`, or `{leaky_relu: 0.2}` for a word of one option."""
    options = _attributes(op)
    word = str(getattr(op, main))
    if not options:
        return word
    single = len(type(op).model_fields) == 2
    return mapping({word: next(iter(options.values())) if single else mapping(options)})


def _attributes(op: Op) -> dict[str, str]:
    """Every attribute beside the op's key that is not what an op has by default."""
    return {name: value_text(type(op).reads(name), getattr(op, name)) for name in type(op).beside() if op.says(name)}


def default(op: type[Op], name: str) -> str:
    """What an attribute is where nothing is said, as it is written."""
    return value_text(op.reads(name), op.model_fields[name].default)


def value_text(reads: Reads, value: Any) -> str:
    """A value as its attribute reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Init):
        return _init(value)
    if reads is Reads.NUMBER:
        return number(value)
    if reads is Reads.NUMBERS:
        return f"[{', '.join(map(number, value))}]"
    if reads is Reads.PART:
        return str([*value])
    if reads is Reads.PADDING:
        return padding(value)
    return values(value) if isinstance(value, tuple) else str(value)


def values(each: tuple[object, ...]) -> str:
    """One for all that are equal, or a list."""
    return str(each[0]) if len(set(each)) == 1 else f"[{', '.join(map(str, each))}]"


def padding(pad: tuple[AxisPadding, ...]) -> str:
    """One for all sides that are equal, or a list: of an image of all sides, else of both sides an axis."""
    sides = [side for each in pad for side in ((each,) if isinstance(each, str) else each)]
    if len(set(sides)) == 1 or len(sides) == 4:
        return values(tuple(sides))
    return f"[{', '.join(each if isinstance(each, str) else str(list(each)) for each in pad)}]"


def number(value: float) -> str:
    """The shortest decimals that are read as this number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _init(init: Init) -> str:
    option = {"std": number(init.std)} if init.std is not None else {}
    option |= {"groups": str(init.groups)} if init.groups is not None else {}
    option |= {"value": number(init.value)} if init.value is not None else {}
    if not option:
        return init.scheme
    single = [*option] == [_SCHEME.get(init.scheme)]
    return mapping({init.scheme: next(iter(option.values())) if single else mapping(option)})


def mapping(entries: Mapping[str, str]) -> str:
    """`{key: value, ...}`, of values as they are written."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"


def prose(text: str) -> str:
    """A text as a scalar of YAML, in quotes where it needs them."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """A text as a scalar of YAML in quotes."""
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(text, ensure_ascii=False))
