"""The layers of a network in rows, as the lines that make them in the generated stream.py."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from math import inf

from segcompile.emit.calls import WIDTH, Code, Needs, Rules
from segcompile.emit.lines import call_lines
from segcompile.facts.facts import Facts, shapes_in
from segcompile.facts.module_names import paths
from segcompile.facts.streaming import Stream, Unstreamed, stream_of
from segcompile.network.graph import Graph, Node
from segcompile.network.scope_tree import ScopeTree
from segcompile.ops import Shape
from segcompile.rows import Grid, Layer, Transpose

# What the engine of a stream.py takes from schedule.py, whatever the network.
_SCHEDULED = (
    "Layer", "Layers", "Pass", "Resample", "Schedule", "Sizes", "Slide", "Transpose", "Whole",
    "passes_of", "sizes_of",
)  # fmt: skip
_INSIDE = 8  # spaces before a layer
_IMPORTED = frozenset({"F", "torch", "math", "inf", "jax", "jnp", "nnx"})  # modules, whatever their framework


@dataclass(frozen=True, slots=True)
class StreamView:
    """What the templates of stream.py and schedule.py print: the lines of `layers` and `outputs`, the schedule and
    what they need, `from_model` or of the rest of the file."""

    image: str
    layers: Sequence[str]
    outputs: Sequence[str]
    schedule: str
    gathered: Sequence[str]
    needs: Needs
    from_model: Sequence[str]
    imports: Sequence[str]  # the lines that import what stream.py takes from schedule.py


def view_stream(graph: Graph, facts: Facts, rules: Rules, helpers: Needs) -> StreamView | None:
    """The stream.py of a network, in which a backend defines `helpers`; None where it defines none, or the network
    cannot be run in rows."""
    shapes = shapes_in(graph, facts)
    stream = stream_of(graph, shapes) if helpers else None
    if stream is None or isinstance(stream, Unstreamed):
        return None
    writer = _Writer(stream, shapes, rules, paths(ScopeTree(graph, rules.gives_switches)))
    lines = [line for name in stream.layers for line in writer.lines(name)]
    heads = [f'"{head}": "{name}",' for head, name in stream.heads.items()]
    gathered = sorted({layer.gathers for layer in stream.layers.values()} - {""})
    asked = sorted(writer.needs - helpers - _IMPORTED)
    kinds = {type(grid).__name__ for layer in stream.layers.values() for grid in layer.grid}
    names = sorted({*_SCHEDULED, *kinds}, key=lambda name: (name.islower(), name))
    imports = _import_lines("schedule", names)
    needs = frozenset(writer.needs)
    return StreamView(stream.image, lines, heads, schedule_text(), gathered, needs, asked, imports)


def _import_lines(module: str, names: Sequence[str]) -> list[str]:
    """In one line, or one name a line."""
    whole = f"from {module} import {', '.join(names)}"
    if len(whole) <= WIDTH:
        return [whole]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def schedule_text() -> str:
    """What stands in every schedule.py: `segcompile/rows.py` without its docstring."""
    text = (files("segcompile") / "rows.py").read_text(encoding="utf-8")
    return text.split('"""', 2)[2].strip("\n")


class _Writer:
    """Writes the layers; `needs` gathers what their code needs."""

    def __init__(self, stream: Stream, shapes: Mapping[str, Shape], rules: Rules, modules: Mapping[str, str]) -> None:
        self.stream, self.shapes, self.rules, self.modules = stream, shapes, rules, modules
        self.needs = set[str]()

    def lines(self, name: str) -> list[str]:
        """One layer."""
        layer, (first, *others) = self.stream.layers[name], self.stream.nodes[name]
        inputs = "".join(f'"{each}", ' for each in layer.inputs)
        told = [f"({inputs.strip() if len(layer.inputs) == 1 else inputs[:-2]})", _grids(layer), str(layer.channels)]
        arguments = self._arguments(layer)
        made = self._code(first, arguments)
        if self._later(layer):
            told.append(f"lambda {', '.join(arguments)}: {made}")
            after = self._after(first, others)
            told += [f"lambda x: {after}"] if after != "x" else []
        else:
            for node in others:
                made = self._code(node, [made])
            told += [f"lambda {', '.join(arguments)}: {made}"] if made != "x" or arguments != ["x"] else []
        told += [f'gathers="{layer.gathers}"'] if layer.gathers else []
        told += [f"groups={layer.groups}"] if layer.groups != 1 else []
        lines = call_lines(f'"{name}": Layer', told, ",", _INSIDE)
        return [part for line in lines for part in _broken(line)]

    def _later(self, layer: Layer) -> bool:
        """Whether something comes between the op of its rows and what is done to each value."""
        grid = layer.grid[0]
        return isinstance(grid, Transpose) or bool(getattr(grid, "counts", ""))

    def _arguments(self, layer: Layer) -> list[str]:
        """What the function of a layer calls its inputs, and what was gathered of the whole map."""
        if layer.gathers:
            return ["x", "whole"] if layer.grid[0].reads(0) else ["whole"]
        return ["x"] if len(layer.inputs) == 1 else [f"x{index}" for index in range(len(layer.inputs))]

    def _after(self, first: Node, others: list[Node]) -> str:
        rule = self.rules.table[type(first.op)]
        shapes, output = self._around(first)
        text = "x"
        if rule.after_rows is not None:
            text = self._said(rule.after_rows(first.op, self._member(first), ["x"], shapes, output))
        for node in others:
            text = self._code(node, [text])
        return text

    def _code(self, node: Node, inputs: list[str]) -> str:
        """The expression of an op's rows."""
        if node.op.rests:
            return inputs[0]
        rule, (shapes, output) = self.rules.table[type(node.op)], self._around(node)
        apply = rule.in_rows or rule.apply
        return self._said(apply(node.op.within_rows(), self._member(node), inputs, shapes, output))

    def _said(self, code: Code) -> str:
        self.needs |= code.needs
        return code.text

    def _member(self, node: Node) -> str:
        return f"m.{self.modules[node.name]}"

    def _around(self, node: Node) -> tuple[list[Shape], Shape]:
        return [self.shapes[name] for name in node.inputs], self.shapes[node.name]


def _broken(line: str) -> list[str]:
    """A line within brackets that is too long, at its spaces; no name has one."""
    inside = len(line) - len(line.lstrip())
    return textwrap.wrap(
        line, WIDTH - _INSIDE, subsequent_indent=" " * (inside + 4), break_long_words=False, break_on_hyphens=False
    )


def _grids(layer: Layer) -> str:
    """`(Slide(3),)`, or one for each axis."""
    each = [_grid(grid) for grid in layer.grid]
    return f"({each[0]},)" if len({*each}) == 1 else f"({', '.join(each)})"


def _grid(grid: Grid) -> str:
    """The constructor: what is as usual is left out."""
    told = list[str]()
    for index, each in enumerate(fields(grid)):
        value = getattr(grid, each.name)
        if each.default is MISSING:
            told.append(_value(value))
        elif value != each.default:
            said = _value(value)
            told.append(said if index == len(told) and index < 3 else f"{each.name}={said}")
    return f"{type(grid).__name__}({', '.join(told)})"


def _value(value: object) -> str:
    if value == -inf:
        return "-inf"
    return f'"{value}"' if isinstance(value, str) else repr(value)
