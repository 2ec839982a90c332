"""ONNX: the weights of a model in the order in which its layers are run, each with what the file says of its layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from segcompile.weights.onnx_graph import FOLLOWED, Constant, OnnxGraph, Step, extents, onnx_graph
from segcompile.weights.onnx_layers import layers_of
from segcompile.weights.onnx_shapes import known_of
from segcompile.weights.sites import Site
from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged

MOST_BYTES = 2**31 - 1  # of a protobuf message
_SETTINGS = frozenset({"Resize", "Upsample", "Clip", "Pad", "Slice", "Tile", "Expand", "Range", "OneHot", "TopK"})


def read_onnx(path: Path) -> Source:
    """The tensors that stand at a weight's place, then the others of more than one value, which no parameter can take.
    Raises SegcompileError (SC801)."""
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
    graph = onnx_graph(path, model)
    return Source(path, checked(path, _tensors(graph, model)), Order.EXECUTED, said=graph.said)


def _tensors(graph: OnnxGraph, model: Any) -> Iterator[Stored]:
    known = known_of(graph, {value.name: extents(value) for value in model.graph.value_info})
    names: set[str] = set()
    spent: set[Step] = set()
    for found in layers_of(graph, known):
        spent.update(found.steps)
        for role, constant in found.parts:
            name = constant.name if constant.name not in names else f"{constant.name} of {found.layer.name}"
            names.add(name)
            yield _stored(name, constant, Site(found.layer, role))
    for constant, why in _others(graph, spent):
        if constant.name not in names and constant.floats and constant.count > 1:
            names.add(constant.name)
            yield _stored(constant.name, replace(constant, unusable=constant.unusable or why), None)


def _others(graph: OnnxGraph, spent: set[Step]) -> Iterator[tuple[Constant, str]]:
    """What stands at no weight's place and is no mere setting, and where it stands."""
    for step in graph.steps:
        if step not in spent and step.op not in _SETTINGS and step.op not in FOLLOWED:
            for name in step.inputs:
                if name in graph.constants:
                    yield graph.constants[name], f"{step.op} `{step.name}` reads it, which has no weights"
    for name, constant in graph.constants.items():
        if name not in graph.readers and name not in graph.results:
            yield constant, "no step reads it"


def _stored(name: str, found: Constant, site: Site | None) -> Stored:
    return Stored(name, found.shape, found.read, found.unusable, found.floats, site=site)
