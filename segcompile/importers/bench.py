"""The network as far as it is lifted: nodes of ours, and what each foreign value is of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword

import numpy as np

from segcompile.importers.amounts import Amount, Unknown
from segcompile.importers.numbers import Numbers, listed
from segcompile.importers.rearranged import rearrangement
from segcompile.importers.views import Unheld, View, on, viewed
from segcompile.network.graph import Node, Origin
from segcompile.ops import Conv, Linear, Op, Refusal, Shape, Undecidable
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Step
from segcompile.weights.stored import Array

Value = View | Numbers | None  # None: of a step that could not be lifted
Tensors = Mapping[str, Array]
_WORDS = ("input", "above", "network", "channels")
_LONGEST_NAME = 80
_MOST_CHANNELS = 2**20


@dataclass(frozen=True, slots=True)
class Made:
    """A node of ours, what it computes with, and where its step stands; `kernel` is the constant that its first tensor
    is."""

    node: Node
    shape: Shape
    tensors: Tensors
    scope: str = ""
    kernel: str = ""


class Bench:
    """What the rules work on: they read values of steps, and add nodes."""

    def __init__(self, foreign: OnnxGraph, batch: int | None) -> None:
        self.foreign = foreign
        self.batch = batch  # the number that the batch is in the file
        self.values: dict[str, Value] = {}
        self.inputs: dict[str, Shape] = {}
        self.made: dict[str, Made] = {}
        self.taken: set[str] = set()
        self.counts: dict[str, int] = {}  # of names that more than one step would have
        self.turned: dict[View, str] = {}  # what is turned already
        self.origin = Origin()  # of the step that is being lifted
        self.origins: dict[str, Origin] = {}  # of inputs

    # --- values of a step --------------------------------------------------------------------------------------------

    def view(self, step: Step, index: int = 0) -> View:
        """An input that depends on the image."""
        name = step.input(index)
        if not isinstance(self.values.get(name), View):
            raise Unheld(f"`{name}` is a constant" if name else f"it has no input {index}")
        return self.seen(name)

    def seen(self, name: str) -> View:
        """A value that depends on the image."""
        found = self.values[name]
        assert isinstance(found, View)
        shape, at = self.shape(found.node), len(found.sizes)
        if len(shape.size) + 2 > at:  # what was a vector is a map of one pixel now
            one = viewed(found.node, shape)
            found = replace(found, sizes=one.sizes, parts=(*found.parts, *one.parts[at:]))
            self.values[name] = found
        return found

    def is_view(self, step: Step, index: int) -> bool:
        """Whether an input depends on the image."""
        return isinstance(self.values.get(step.input(index)), View)

    def numbers(self, step: Step, index: int) -> Numbers | None:
        """An input that does not; None where it is left out."""
        found = self.values.get(step.input(index)) if step.input(index) else None
        if isinstance(found, View):
            raise Unheld(f"`{step.input(index)}` depends on the image, and a constant is due")
        return found

    def array(self, step: Step, index: int) -> Array | None:
        """A constant tensor; None where it is left out."""
        found = self.numbers(step, index)
        if found is not None and not found.is_fixed:
            raise Unheld(f"`{step.input(index)}` follows the size of the image, and a constant is due")
        return None if found is None else found.values

    def tensor(self, step: Step, index: int) -> Array:
        """A constant tensor that must be there."""
        found = self.array(step, index)
        if found is None:
            raise Unheld(f"it has no input {index}")
        return found

    def is_weight(self, name: str) -> bool:
        """Whether a constant is one that a file holds as a tensor of one axis, in whatever shape it is read: it was
        trained, and is no setting, even where it is one number, or changes nothing."""
        while (maker := self.foreign.makers.get(name)) is not None and maker.op in ("Unsqueeze", "Reshape"):
            name = maker.input(0)
        held = self.foreign.constants.get(name)
        return held is not None and name not in self.foreign.makers and len(held.shape) == 1

    def scalar(self, step: Step, index: int) -> float | None:
        """A constant of one entry; None where it is left out, or has more."""
        found = self.array(step, index)
        return float(found.reshape(-1)[0]) if found is not None and found.size == 1 else None

    def integers(self, step: Step, name: str, index: int) -> list[int] | None:
        """A list that older opsets have as a setting and newer ones as an input; None where it is not said."""
        given = [self.numbers(step, each) if each == index else None for each in range(index + 1)]
        try:
            return listed(step, given, name, index)
        except Unknown:
            raise Unheld(f"its `{name}` follow the size of the image") from None

    def amounts(self, step: Step, index: int) -> list[Amount] | None:
        """A list of integers that may follow the size of the input; None where it is left out."""
        found = self.numbers(step, index)
        try:
            return None if found is None else found.amounts()
        except Unknown:
            raise Unheld(f"`{step.input(index)}` is not finite") from None

    # --- nodes -------------------------------------------------------------------------------------------------------

    def shape(self, name: str) -> Shape:
        """That of an input or a node."""
        return self.inputs[name] if name in self.inputs else self.made[name].shape

    def input(self, written: str, shape: Shape) -> str:
        """Know an input, and its name here: `input` where it is the only one."""
        name = "input" if len(self.foreign.inputs) == 1 else self._free(_legal(written, "input"))
        self.inputs[name] = shape
        self.taken.add(name)
        return name

    def heads(self, written: Sequence[str]) -> list[str]:
        """Names of several results."""
        found: list[str] = []
        for each in written:
            name, count = _legal(each, "output"), 1
            while name in found:
                count += 1
                name = f"{_legal(each, 'output')}_{count}"
            found.append(name)
        return found

    def add(self, op: Op, inputs: Sequence[str], step: Step, tensors: Tensors | None = None) -> str:
        """A node that does this, and its name. Raises Unheld where the op cannot take these inputs."""
        shape = self._result(op, inputs)
        if shape.channels > _MOST_CHANNELS:
            raise Unheld(f"{shape.channels:,} channels; {_MOST_CHANNELS:,} are the most")
        name = self._named(op, step)
        kernel = step.input(0 if step.input(0) in self.foreign.constants else 1) if tensors else ""
        node = Node(name, op, tuple(inputs), name, self.origin)
        self.made[name] = Made(node, shape, tensors or {}, scope_of(step), kernel)
        return name

    def _result(self, op: Op, inputs: Sequence[str]) -> Shape:
        shapes = [self.shape(name) for name in inputs]
        try:
            op.check_form(shapes, inputs)
            if op.rank is not None and op.rank != len(shapes[0].size) and not shapes[0].tokens:
                raise Unheld(f"{op.title} of {op.rank} axes, of {shapes[0]}")
            return op.result(shapes)
        except Refusal as refusal:
            raise Unheld(refusal.message, refusal.help) from None
        except Undecidable as why:
            raise Unheld(f"the size cannot be stated for any image: {why}", "give the input a size") from None

    def _named(self, op: Op, step: Step) -> str:
        weights = (name for name in step.inputs if re.search(r"[./]weight$", name) and op.has_weights())
        written = next(weights, "").removesuffix("weight") or step.scope or step.name
        return self._free(_legal(written, op.spelling))

    def _free(self, name: str) -> str:
        found = name
        while found in self.taken:
            count = self.counts[name] = self.counts.get(name, 1) + 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return found

    def result(self, view: View, op: Op, step: Step, tensors: Tensors | None = None) -> View:
        """An op on the map of a view, whatever the order of its axes: the same view of what comes out, which differs
        from it in its channels only."""
        node = self.add(op, [view.node], step, tensors)
        return on(view, node, self.shape(node))

    def on_grid(self, view: View, op: Op, step: Step) -> View:
        """An op on a map of ours, which gives a map of another size."""
        return self.settle_node(self.add(op, [view.node], step))

    def settle_node(self, node: str) -> View:
        """A node's own map."""
        return viewed(node, self.shape(node))

    def settle(self, view: View, step: Step, rank: int | None = None) -> View:
        """The same tensor as a map or vector of ours, (batch, channels, sizes): what turned it becomes ops. `rank`: of
        how many axes the map is; a vector becomes one of one pixel."""
        if not view.is_plain:
            node = self.turned.get(view)
            if node is None:
                node = view.node
                for op in rearrangement(view):
                    node = self.add(op, [node], step)
                self.turned[view] = node
            view = viewed(node, self.shape(node))
        if rank and not self.shape(view.node).size and len(view.sizes) == 2:
            self.spread_out(view.node, rank)
        return viewed(view.node, self.shape(view.node))

    def plain(self, step: Step, index: int = 0, *, vector: bool = False) -> View:
        """An input as a map of ours; or as a vector."""
        view = self.view(step, index)
        found = self.settle(view, step, 0 if vector else max(0, len(view.axes) - 2))
        if not vector and len(found.sizes) != len(view.axes):
            raise Unheld(f"it reads {len(view.axes)} axes, where ours is {self.shape(found.node)}")
        return found

    def spread_out(self, name: str, rank: int) -> None:
        """Make a vector a map of one pixel: the fully connected layers behind a global pool become convolutions of
        kernel 1."""
        todo, found = [name], set[str]()
        while todo:
            each = todo.pop()
            if each in self.inputs and not self.inputs[each].size:
                raise Unheld(f"`{each}` is a vector, and is read as a map")
            if each not in found and not self.shape(each).size:
                found.add(each)
                todo += self.made[each].node.inputs
        for each in [each for each in self.made if each in found]:
            self._as_pixel(each, rank)

    def _as_pixel(self, name: str, rank: int) -> None:
        made = self.made[name]
        op, tensors = made.node.op, made.tensors
        if isinstance(op, Linear):
            if any(size != 1 for size in self.shape(made.node.inputs[0]).size):
                raise Unheld(f"`{name}` is a fully connected layer of a map, and what it gives is read as a map")
            op = Conv(channels=op.features, kernel=(1,) * rank, bias=op.bias)
            weight = tensors["weight"]
            tensors = {**tensors, "weight": weight.reshape(*weight.shape, *(1,) * rank)}
        shape = self._result(op, made.node.inputs)
        self.made[name] = replace(made, node=replace(made.node, op=op), shape=shape, tensors=tensors)

    def alike(self, views: Sequence[View], step: Step) -> list[View]:
        """Views of nodes with equal numbers of axes: vectors beside maps are made maps of one pixel."""
        rank = max(len(self.shape(view.node).size) for view in views)
        for view in views:
            if rank and not self.shape(view.node).size:
                self.spread_out(view.node, rank)
        return [self._widened(view) for view in views]

    def _widened(self, view: View) -> View:
        one = viewed(view.node, self.shape(view.node))
        at = len(view.sizes)
        return replace(view, sizes=one.sizes, parts=(*view.parts, *one.parts[at:]))


def scope_of(step: Step) -> str:
    """The path of the PyTorch module that a step was part of, `layer1.0.conv1`: by the weight that it reads,
    `layer1.0.conv1.weight`, by what is said of it, or by its name, `/layer1/layer1.0/conv1/Conv`; "" where none
    tells."""
    for name in step.inputs:
        if name.endswith(".weight"):
            return name.removesuffix(".weight")
    if step.scope:
        return step.scope
    path = ""
    for part in step.name.split("/")[1:-1] if step.name.startswith("/") else ():
        path = part if part.startswith(f"{path}.") else f"{path}.{part}".lstrip(".")
    return path


def _legal(written: str, word: str) -> str:
    """A name that a layer can have, near the one that is written; `word` where there is none."""
    name = re.sub(r"\W+", "_", written, flags=re.ASCII).strip("_")[-_LONGEST_NAME:].strip("_")
    if not name or name[0].isdigit():
        name = f"{word}_{name}".strip("_")
    return f"{name}_" if iskeyword(name) or name in _WORDS else name


Rule = Callable[[Step, Bench], Value | list[Value]]


def float32(array: Array) -> Array:
    """A tensor as it is kept: float32, or the double that it was."""
    return np.asarray(array, np.float64 if array.dtype == np.float64 else np.float32)


def shortest(number: float) -> float:
    """The shortest decimal of the float32 that a setting is; of the largest one all of them, which is in its range."""
    found, exact = float(str(np.float32(number))), float(np.float32(number))
    return found if abs(found) <= float(np.finfo(np.float32).max) else exact


def is_pooled(bench: Bench, name: str) -> bool:
    """Whether a map is one pixel at every size."""
    return all(size == 1 for size in bench.shape(name).size)
