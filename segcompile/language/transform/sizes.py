"""The shapes of a flat network, while its edits are applied."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.language.flat import Layer
from segcompile.ops import Refusal, Shape, Undecidable, Unpool


class Sizes:
    """The shapes in a network, layer by layer; where there is none, why."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self.shapes: dict[str, Shape | Refusal] = dict(inputs)
        self.entered: dict[str, Shape | Refusal] = {}  # layer -> what it reads first
        self.pooled: dict[str, str] = {}  # layer -> what it reads first, by name

    def entering(self, layer: Layer) -> Shape | Refusal:
        return self._of(layer.inputs[0])

    def _of(self, name: str) -> Shape | Refusal:
        return self.shapes.get(name) or Refusal("SC102", f"`{name}` could not be read")

    def add(self, layer: Layer) -> None:
        found = [self._of(name) for name in layer.inputs]
        if isinstance(layer.op, Unpool):  # it gives back the size that its pool read
            found = [found[0], self._of(self.pooled.get(layer.inputs[1], layer.inputs[1]))]
        self.entered[layer.name], self.pooled[layer.name] = found[0], layer.inputs[0]
        self.shapes[layer.name] = _result(layer, found)


def _result(layer: Layer, found: list[Shape | Refusal]) -> Shape | Refusal:
    shapes = [shape for shape in found if isinstance(shape, Shape)]
    if len(shapes) < len(found):
        return next(shape for shape in found if isinstance(shape, Refusal))
    if isinstance(layer.op, Unpool):
        return Shape(shapes[0].channels, shapes[1].size)
    if layer.op.spatial and any(not shape.size for shape in shapes):
        return Refusal("SC316", f"`{layer.name}` reads a vector")
    try:
        return layer.op.result(shapes)
    except (Refusal, Undecidable) as error:
        return error if isinstance(error, Refusal) else Refusal("SC310", str(error))
