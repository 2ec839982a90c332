"""What rules write: the nodes of a model, its constants and its names, before they are a protobuf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.ops import AnySize, Shape

Array = NDArray[Any]
Extent = int | str  # a number of pixels, or the value that holds it: of one int64 that the image's size decides
Sides = Sequence[tuple[Extent, Extent]]  # (before, after) along each axis
_END = 2**63 - 1  # behind the last pixel, however many there are


@dataclass(slots=True)
class Step:
    """A node to be."""

    kind: str
    inputs: tuple[str, ...]
    outputs: list[str]
    attributes: Mapping[str, Any]
    name: str


@dataclass(slots=True)
class Program:
    """The steps and the constants so far. `taken`: the names of values, also those of inputs, heads and weights."""

    taken: set[str]
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    _known: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def new(self, name: str) -> str:
        """The name, or the first of `name_2`, `name_3`, ... that no value has."""
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return found

    def constant(self, values: Array, label: str) -> str:
        """An array that does not depend on weights; equal ones are one."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._known:
            self._known[key] = self.new(label)
            self.constants[self._known[key]] = values
        return self._known[key]


@dataclass(slots=True)
class Steps:
    """Where a rule writes: the steps of one node of the network, which are called after it. `weights`: the names of its
    tensors. `is_asked`: whether an `unpool` asks where its maxima were; then `places` is the value that says it."""

    program: Program
    name: str
    weights: Mapping[str, str]
    is_asked: bool = False
    places: str = ""
    _sizes: dict[tuple[str, int], str] = field(default_factory=dict)
    _first: int = field(init=False)  # of its steps

    def __post_init__(self) -> None:
        self._first = len(self.program.steps)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The result of one operator of ONNX; an input "" is left out."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The results of an operator that has `count` of them."""
        name = self.program.new(f"{self.name}/{kind}")
        outputs = [name, *(self.program.new(f"{name}/{index}") for index in range(1, count))]
        self.program.steps.append(Step(kind, inputs, outputs, attributes, name))
        return outputs

    def end(self, value: str, wanted: str) -> None:
        """Call what the layer gives by a name, and the step that gives it by the layer's."""
        step = next((step for step in self.program.steps[self._first :] if step.outputs[0] == value), None)
        if step is None:  # it gives what it got
            value = self.op("Identity", value)
            step = self.program.steps[-1]
        step.outputs[0], step.name = wanted, self.name
        read = {name for other in self.program.steps[self._first :] for name in other.inputs}
        unread = {*self._sizes.values()} - read
        self.program.steps[self._first :] = [
            other for other in self.program.steps[self._first :] if unread.isdisjoint(other.outputs)
        ]

    # --- constants ---

    def number(self, value: float) -> str:
        """A number, as float32."""
        return self.program.constant(np.array(value, np.float32), f"number/{value:g}")

    def numbers(self, values: Iterable[float]) -> str:
        """A list of numbers, as float32."""
        found = np.array([*values], np.float32)
        return self.program.constant(found, "numbers/" + ",".join(f"{value:g}" for value in found))

    def whole(self, values: Any) -> str:
        """An array of whole numbers."""
        found = np.array(values, np.int64)
        label = "whole/" + ",".join(map(str, found.ravel())) if found.size <= 8 else f"{self.name}/indices"
        return self.program.constant(found, label)

    # --- sizes: a number where it is one for every image ---

    def size(self, value: str, shape: Shape, axis: int) -> Extent:
        """The pixels of a map along one of its axes."""
        extent = shape.size[axis]
        if not isinstance(extent, AnySize):
            return extent
        key = (value, axis)
        if key not in self._sizes:
            self._sizes[key] = self.op("Shape", value, start=2 + axis, end=3 + axis)
        return self._sizes[key]

    def sizes(self, value: str, shape: Shape) -> list[Extent]:
        """Along all axes."""
        return [self.size(value, shape, axis) for axis in range(len(shape.size))]

    def extent(self, value: Extent) -> str:
        """The value that holds it."""
        return value if isinstance(value, str) else self.whole([value])

    def vector(self, extents: Sequence[Extent]) -> str:
        """The value that holds all of them."""
        if not any(isinstance(extent, str) for extent in extents):
            return self.whole(extents)
        asked = {name: key for key, name in self._sizes.items()}
        sizes = [asked.get(extent, ("", 0)) if isinstance(extent, str) else ("", 0) for extent in extents]
        value, first = sizes[0]
        if value and sizes == [(value, first + index) for index in range(len(sizes))]:  # axes of one map
            return self.op("Shape", value, start=2 + first, end=2 + first + len(sizes))
        return self.op("Concat", *map(self.extent, extents), axis=0)

    def plus(self, a: Extent, b: Extent) -> Extent:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        return a if b == 0 else b if a == 0 else self.op("Add", self.extent(a), self.extent(b))

    def minus(self, a: Extent, b: Extent) -> Extent:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.op("Sub", self.extent(a), self.extent(b))

    def times(self, a: Extent, b: Extent) -> Extent:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        return a if b == 1 else b if a == 1 else self.op("Mul", self.extent(a), self.extent(b))

    def over(self, a: Extent, b: Extent) -> Extent:
        """Rounded down, of what is not negative: ONNX divides whole numbers towards zero."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        return a if b == 1 else self.op("Div", self.extent(a), self.extent(b))

    def least(self, a: Extent, b: Extent) -> Extent:
        return (
            min(a, b) if isinstance(a, int) and isinstance(b, int) else self.op("Min", self.extent(a), self.extent(b))
        )

    def most(self, a: Extent, b: Extent) -> Extent:
        return (
            max(a, b) if isinstance(a, int) and isinstance(b, int) else self.op("Max", self.extent(a), self.extent(b))
        )

    def up_to(self, count: Extent) -> str:
        """0, 1, ... count - 1."""
        if isinstance(count, int):
            return self.whole(range(count))
        return self.op("Range", self.whole(0), self.op("Squeeze", count), self.whole(1))

    # --- the shape of what a value holds ---

    def reshape(self, value: str, *extents: Extent) -> str:
        """The same values as (batch, *extents)."""
        if sum(isinstance(extent, str) for extent in extents) == 1:
            extents = tuple(-1 if isinstance(extent, str) else extent for extent in extents)
        return self.op("Reshape", value, self.vector([0, *extents]))

    def columns(self, value: str, shape: Shape) -> str:
        """A map, or a list, as the matrix of each image: (batch, channels, positions)."""
        return value if shape.axes == 1 else self.reshape(value, shape.channels, -1)

    def transpose(self, value: str, *order: int) -> str:
        return self.op("Transpose", value, perm=order)

    def channelwise(self, values: str, axes: int) -> str:
        """One value a channel, to go with a tensor of so many axes beside batch and channels."""
        return self.op("Unsqueeze", values, self.whole(range(1, 1 + axes))) if axes else values

    def part(self, value: str, first: Sequence[Extent], end: Sequence[Extent | None], axes: Sequence[int]) -> str:
        """From the first to the end, which is excluded, along some axes; None: all that is there."""
        ends = [_END if extent is None else extent for extent in end]
        return self.op("Slice", value, self.vector(first), self.vector(ends), self.whole(axes))

    def padded(self, value: str, sides: Sides, mode: str = "zero", number: float = 0.0) -> str:
        """A map within its padding, by a mode of the language; `number`: what lies around where that is `zero`."""
        if all(extent == 0 for pair in sides for extent in pair):
            return value
        if mode == "circular":
            for axis, (before, after) in enumerate(sides, 2):
                parts = [self.part(value, [-before], [None], [axis])] if isinstance(before, int) and before else []
                parts += [value, *([self.part(value, [0], [after], [axis])] if after else [])]
                value = self.op("Concat", *parts, axis=axis) if len(parts) > 1 else value
            return value
        around = self.vector([*(before for before, _ in sides), *(after for _, after in sides)])
        axes = self.whole(range(2, 2 + len(sides)))
        if mode == "zero":
            return self.op("Pad", value, around, self.number(number), axes, mode="constant")
        return self.op("Pad", value, around, "", axes, mode=mode)
