"""ONNX: the weights of a model in the order in which its layers are run, each with what the file says of its layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segcompile.weights.onnx_graph import OnnxGraph, extents, onnx_graph
from segcompile.weights.onnx_head import head_said, head_steps
from segcompile.weights.onnx_layers import Found, layers_of
from segcompile.weights.onnx_shapes import known_of
from segcompile.weights.onnx_values import Constant, Step
from segcompile.weights.placing import EXAMPLES, shown
from segcompile.weights.sites import Site
from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged

MOST_BYTES = 2**31 - 1  # of a protobuf message
_SETTINGS = frozenset({"Resize", "Upsample", "Clip", "Pad", "Slice", "Tile", "Expand", "Range", "OneHot", "TopK"})
_ARITHMETIC = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Concat", "Equal", "Greater", "Less"}
)


def read_onnx(path: Path) -> Source:
    """The tensors that stand at a weight's place, then the others of more than one value, which no parameter can take.
    Raises SegcompileError (SC801)."""
    model = parsed(path)
    graph = onnx_graph(path, model)
    known = known_of(graph, {value.name: extents(value) for value in model.graph.value_info})
    layers = tuple(layers_of(graph, known))
    spent = {step for found in layers for step in found.steps}
    head = head_steps(graph, known, spent)
    others = tuple(_others(graph, {*spent, *head}))
    stored = checked(path, _tensors(layers, [other for other in others if not other.reckoned]))
    said = _constants(path.name, [other for other in others if other.reckoned])
    return Source(path, stored, Order.EXECUTED, said=(*graph.said, *head_said(path.name, graph, head), *said))


def parsed(path: Path) -> Any:
    """The model that a file holds, with nothing in it looked at. Raises SegcompileError (SC801)."""
    check_file(path, MOST_BYTES)
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise damaged(path, "that needs onnx", "pip install 'segcompile[weights]'") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise damaged(path, "it is no ONNX model, or cut short") from None
    except OSError as error:
        raise damaged(path, (error.strerror or "").lower()) from None
    return model


def _tensors(layers: Iterable[Found], others: Iterable[_Other]) -> Iterator[Stored]:
    names: set[str] = set()
    for found in layers:
        for role, constant in found.parts:
            name = constant.name if constant.name not in names else f"{constant.name} of {found.layer.name}"
            names.add(name)
            yield _stored(name, constant, Site(found.layer, role))
    for other in others:
        if other.constant.name not in names:
            names.add(other.constant.name)
            why = other.constant.unusable or f"no weight of a layer: {other.where}"
            yield _stored(other.constant.name, replace(other.constant, unusable=why), None)


@dataclass(frozen=True, slots=True)
class _Other:
    """A tensor of more than one value that stands at no weight's place, and the step that reads it."""

    constant: Constant
    step: Step | None

    @property
    def reckoned(self) -> bool:
        return self.step is not None and self.step.op in _ARITHMETIC

    @property
    def where(self) -> str:
        return f"{self.step.op} `{self.step.name}` reads it" if self.step else "no step reads it"


def _others(graph: OnnxGraph, spent: Collection[Step]) -> Iterator[_Other]:
    reads = [
        (step, name) for step in graph.steps if step not in spent and step.op not in _SETTINGS for name in step.inputs
    ]
    made = graph.constants.keys()
    reads = [(step, name) for step, name in reads if name in made and made.isdisjoint(step.outputs)]
    unread = [name for name in graph.constants if name not in graph.readers and name not in graph.results]
    for step, name in (*reads, *((None, name) for name in unread)):
        constant = graph.constants[name]
        if constant.floats and constant.count > 1:
            yield _Other(constant, step)


def _constants(file: str, others: Sequence[_Other]) -> Iterator[str]:
    """What a model reckons with: an image's mean, a table of positions."""
    found = {other.constant.name: other for other in others}
    if found:
        which = "1 constant is no weight" if len(found) == 1 else f"{len(found)} constants are no weights"
        told = [f"`{name}`, {shown(other.constant.shape)}: {other.where}" for name, other in found.items()]
        yield f"{which} in {file}: {'; '.join(told[:EXAMPLES])}"


def _stored(name: str, found: Constant, site: Site | None) -> Stored:
    return Stored(
        name, found.shape, found.read, found.unusable, found.floats, channels_last=found.channels_last, site=site
    )
