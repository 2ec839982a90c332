"""A flat network -> lines that can be compared: what must be the same of two layers for one line of a block to write
both, and what may differ and become an argument.

A layer has a `Form`, its op and words, with a `$` for each value that may differ; a `Line` is a form with its values.
Lines that a block writes become one line, its call, whose form is the block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from segcompile.language.write import value_text, written
from segcompile.network.graph import Graph, Node, Role
from segcompile.ops import Op, Reads, Refusal

Path: TypeAlias = tuple[int, ...]  # to a layer inside a line: turn, line of the block, turn, ...; () is its result
COUNT = "repeat"  # what the first value of a line is: how many layers or calls stand one behind the other

_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_VARIES = re.compile(rf"{_NUMBER}|\d+/\d+|\[{_NUMBER}(?:, {_NUMBER})*\]")
_INNER = re.compile(rf"(?<=[ ]){_NUMBER}(?=\}}+$)")
_SIZES = (Reads.POSITIVE, Reads.NATURAL, Reads.PAIR, Reads.NATURAL_PAIR, Reads.PADDING)

_PLAIN = re.compile(r"-?\d+|-?\d+\.\d+(e-?\d+)?|\d+e-?\d+|(?!same$|causal$)[A-Za-z_][\w.]*|\d*[A-Za-z]\w*")


def is_plain(text: str | None) -> bool:
    """Whether a text can be the value of a loop's variable."""
    return text is not None and _PLAIN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Form:
    """What is the same of layers that differ in numbers alone.

    `entries`: attribute -> text, with `$` for a value that may differ and `@0` for what the layer reads; the op's own
    key comes first. `varies`: what the values are, in that order, `repeat` first.
    """

    op: type[Op]
    entries: tuple[tuple[str, str], ...]
    varies: tuple[str, ...]
    single: str = ""  # the name of a layer that is like no other, for it shares weights


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A layer, or a call of a block, or several of them one behind the other.

    `said`: a text for each value of the form, "" where that of the block holds by default; `values`: what these are,
    None where they differ from turn to turn. `reads`: layers and inputs, that which enters it first.
    """

    form: Form | Block
    said: tuple[str, ...]
    values: tuple[str | None, ...]
    reads: tuple[str, ...]
    channels: int  # that enter it
    turns: tuple[tuple[Line, ...], ...]  # of a call the lines of each; () for each layer
    where: Mapping[str, Path]  # every layer that is written by it

    @property
    def result(self) -> str:
        return list(self.where)[-1]


@dataclass(frozen=True, slots=True)
class Inside:
    """A reference to what a line of the same list makes."""

    line: int
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """A reference to one of the layers that a block is given: 0 enters it."""

    index: int


Reference: TypeAlias = Inside | Outside | str  # a text is a network's input


@dataclass(frozen=True, slots=True)
class Written:
    """A line of a list, as it is written: a text for each value of its form."""

    form: Form | Block
    texts: tuple[str, ...]
    reads: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """A number of a block that differs from call to call. `default`: what it is where a call says nothing."""

    name: str
    kind: str  # the attribute that it stands for
    default: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Lines that are written once. `layers`: how many layers it is given besides the one that enters it."""

    lines: tuple[Written, ...]
    arguments: tuple[Argument, ...]
    layers: int

    @property
    def varies(self) -> tuple[str, ...]:
        return (COUNT, *(argument.kind for argument in self.arguments))


def lines_of(flat: Graph, channels: Mapping[str, int]) -> list[Line]:
    """The layers of a flat network, a line each. `channels`: node or input -> how many it has."""
    shared = {node.weights for node in flat.nodes} | {node.name for node in flat.nodes if node.weights is not None}
    return [_line(flat, nodes, channels, {node.name for node in nodes} & shared) for nodes in flat.layers.values()]


def _line(flat: Graph, nodes: Sequence[Node], channels: Mapping[str, int], shared: set[str]) -> Line:
    main, *carried = nodes
    enters = channels[main.inputs[0]]
    reads = tuple(flat.layer_of(name) for name in main.inputs)
    said = _said(main.op, len(reads), enters)
    if main.weights is not None:
        said["share"] = f"@{len(reads)}"
        reads = (*reads, flat.layer_of(main.weights))
    for node in carried:
        said[str(node.role)] = written(node.op, [])[node.op.spelling]
    apart = {name: _taken_apart(name, text) for name, text in said.items()}
    form = Form(
        type(main.op),
        tuple((name, template) for name, (template, _) in apart.items()),
        (COUNT, *(name for name, (_, value) in apart.items() if value)),
        main.layer if shared else "",
    )
    values = ("1", *(value for _, value in apart.values() if value))
    return Line(form, values, values, reads, enters, ((),), {main.layer: ()})


def _said(op: Op, reads: int, enters: int) -> dict[str, str]:
    """All that a layer says of its op, the sizes also where they are what they are by default."""
    plain = _same(op)
    said = written(plain, [f"@{index}" for index in range(reads)])
    for name in type(op).beside() if op.spelling not in (Role.NORM, Role.ACT) else ():  # theirs stand with their word
        if op.reads(name) in _SIZES and getattr(plain, name) is not None:
            said[name] = value_text(op.reads(name), getattr(plain, name))
    if "stride" in said and said["stride"] == said["kernel"] and type(op).model_fields["stride"].default is None:
        del said["stride"]
    if said.get("groups") == said[op.spelling] == str(enters) != "1":
        said |= {"groups": "channels", op.spelling: "channels"}
    if op.main == "channels" and op.spelling == "affine":
        said[op.spelling] = "channels"
    order = [op.spelling, *type(op).also_reads, *type(op).beside()]
    return {name: said[name] for name in order if name in said}


def _same(op: Op) -> Op:
    """The op whose padding is called `same` where it is that."""
    pad = getattr(op, "pad", None)
    if not isinstance(pad, tuple) or {*pad} & {"same", "causal"}:
        return op
    same = op.model_copy(update={"pad": ("same",) * len(pad)})
    try:
        return same if same.canonical() == op.canonical() else op
    except Refusal:  # of a kernel that fills no stride
        return op


def _taken_apart(name: str, text: str) -> tuple[str, str]:
    """A text with `$` in the place of the value that may differ, and that; "" where none may."""
    if "@" in text:
        return text, ""
    if _VARIES.fullmatch(text) or (name == "pad" and "{" not in text) or (name == Role.ACT and text.isidentifier()):
        return "$", text
    inner = _INNER.search(text) if len(re.findall(_NUMBER, text)) == 1 else None
    return (f"{text[: inner.start()]}${text[inner.end() :]}", inner[0]) if inner else (text, "")
