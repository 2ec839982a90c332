"""A request -> model.onnx: the steps that the rules wrote, as a protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from segcompile.backend import BuildRequest, BuildResult
from segcompile.facts.facts import shapes_in
from segcompile.ops import AnySize, Op, Shape
from segcompile.text.errors import Findings
from segcompile.weights.parameters import Tensor, tensors
from segcompile_onnx import attention, grids, values, windows
from segcompile_onnx.initial import initial
from segcompile_onnx.program import Array, Program, Step, Steps
from segcompile_onnx.readme import readme
from segcompile_onnx.values import Rule

OPSET, IR_VERSION = 18, 8  # of ONNX 1.13 (2022); Resize and Pad of some axes alone are of that opset
_MOST_BYTES = 2**31 - 1  # of a protobuf

RULES: dict[type[Op], Rule] = {**windows.RULES, **grids.RULES, **attention.RULES, **values.RULES}


def emit(request: BuildRequest) -> BuildResult:
    """`model.onnx`, with all its weights in it, and a page that says how it is run. SC925 where these are those that
    the network starts from, SC604 where they are more than a file of ONNX holds."""
    findings, listed = Findings(), list(tensors(request.graph, request.facts))
    count = sum(tensor.parameter.count for tensor in listed)
    if 4 * count > _MOST_BYTES:
        message = f"backend `onnx` cannot emit {request.model}: it has {count:,} weights, and a file of ONNX holds 2 GB"
        findings.add("SC604", message, help="build for another backend")
        return BuildResult({}, tuple(findings.diagnostics))
    if request.weights is None and count:
        message = f"model.onnx has the weights that {request.model} starts from, untrained"
        findings.add("SC925", message, help="`--weights FILE.safetensors` puts trained ones in")
    content = model_of(request, listed).SerializeToString(deterministic=True)
    return BuildResult({"model.onnx": content, "README.md": readme(request, OPSET)}, tuple(findings.diagnostics))


def model_of(request: BuildRequest, listed: list[Tensor]) -> ModelProto:
    """The model: a node of ONNX, or some, for each of the graph, all called after it, and each tensor under its name in
    the state dict. Those are its only initialisers; what is no weight is a node of its own."""
    graph, shapes = request.graph, shapes_in(request.graph, request.facts)
    heads = list(dict.fromkeys(graph.outputs))
    program = Program({*graph.inputs, *heads, *(tensor.name for tensor in listed)})
    value = _write(request, program, listed, shapes)
    for head, node in graph.outputs.items():
        if value[node] != head:  # an input, or what another head gives
            Steps(program, head, {}).end(value[node], head)
    constants = program.constants.items()
    made = helper.make_graph(
        [
            *(helper.make_node("Constant", [], [name], name, value=_held(name, array)) for name, array in constants),
            *map(_node, program.steps),
        ],
        name=request.model,
        inputs=[_described(name, shape) for name, shape in graph.inputs.items()],
        outputs=[_described(head, shapes[node]) for head, node in graph.outputs.items()],
        initializer=[_held(tensor.name, _values(tensor, request.weights)) for tensor in listed],
        value_info=[
            _described(value[node.name], shapes[node.name]) for node in graph.nodes if value[node.name] not in heads
        ],
        doc_string=_about(request),
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="segcompile")


def _node(step: Step) -> NodeProto:
    return helper.make_node(step.kind, step.inputs, step.outputs, step.name, **step.attributes)


def _write(
    request: BuildRequest, program: Program, listed: list[Tensor], shapes: Mapping[str, Shape]
) -> dict[str, str]:
    """Let each node's rule write; input or node -> the value that is its result."""
    graph = request.graph
    weights: dict[str, dict[str, str]] = {}
    for tensor in listed:
        weights.setdefault(tensor.node.name, {})[tensor.parameter.name] = tensor.name
    pools = {node.inputs[node.op.switches] for node in graph.nodes if node.op.switches is not None}
    heads = {node: head for head, node in reversed([*graph.outputs.items()])}
    value, places = {name: name for name in graph.inputs}, dict[str, str]()
    for node in graph.nodes:
        name, head = node.name.replace(":", "."), heads.get(node.name)
        name = name if name == head else program.new(name)
        layer = Steps(program, name, weights.get(node.owner, {}), node.name in pools)
        read = [value[each] for each in node.inputs]
        if node.op.switches is not None:
            read[node.op.switches] = places[node.inputs[node.op.switches]]
        found = RULES[type(node.op)](layer, node.op, read, [shapes[each] for each in node.inputs], shapes[node.name])
        value[node.name], places[node.name] = head or name, layer.places
        layer.end(found, value[node.name])
    return value


def _described(name: str, shape: Shape) -> ValueInfoProto:
    """Batches of any number, and sizes that may be any under the letters of `segcompile check`."""
    extents = [shape.positions] if shape.tokens else [*map(_extent, shape.size)]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", shape.channels, *extents])


def _extent(size: int | AnySize) -> int | str | None:
    """Of a size that is any, its formula; nothing where its text is none."""
    if isinstance(size, int):
        return size
    return None if "≈" in str(size) else str(size).replace("⌊", "floor(").replace("⌋", ")")


def _values(tensor: Tensor, weights: Mapping[str, bytes] | None) -> Array:
    if weights is None:
        return initial(tensor)
    return np.frombuffer(weights[tensor.name], "<f4").reshape(tensor.parameter.shape)


def _held(name: str, array: Array) -> TensorProto:
    kind = TensorProto.FLOAT if array.dtype == np.float32 else TensorProto.INT64
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return TensorProto(name=name, dims=array.shape, data_type=kind, raw_data=little.tobytes())


def _about(request: BuildRequest) -> str:
    return "\n".join(_lines(request))


def _lines(request: BuildRequest) -> Iterator[str]:
    yield request.about or f"The network {request.model}."
    yield f"Generated by segcompile from {request.spec}. Edit the spec, not this file."
    if request.draft:
        yield request.draft
    if request.weights is None:
        yield "Its weights are those that it starts from, untrained."
