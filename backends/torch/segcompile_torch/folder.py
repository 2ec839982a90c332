"""The folder that a spec becomes: model.py, and the harness around it."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

from segcompile.analysis.sizes import Sizes
from segcompile.backend import BuildRequest, BuildResult
from segcompile.emit import WIDTH, Argument, environment, one_line, view_model
from segcompile.emit.bodies import Statement
from segcompile.emit.classes import Class, ModelView
from segcompile.emit.geometry import harness_geometry
from segcompile.emit.names import Names
from segcompile.errors import Findings
from segcompile.graph import Graph
from segcompile.ops import AXES, Conv, Crop, Deconv, Join, Linear, Op, Pool, Resize, Softmax, Unpool
from segcompile_torch import initialisation
from segcompile_torch.arguments import symmetric
from segcompile_torch.reserved import MODELS, NAMES
from segcompile_torch.rules import TORCH

_INDENT = 8  # of a statement in forward
_ALWAYS = ("files.py", "weights.py", "requirements.txt", "README.md")
_COMMANDS = ("train.py", "evaluate.py", "predict.py")
_HARNESS = (*_COMMANDS, "data.py", "batches.py", "metrics.py", "pictures.py", "run.py", "flags.py")


def refuses(op: Op) -> str | None:
    """What PyTorch cannot do of an op that has a rule."""
    if isinstance(op, Pool) and op.round == "ceil" and any(_starts_in_padding(op, axis) for axis in AXES):
        return "PyTorch cannot round up over unequal padding; a pad layer before it can, with `round: floor`"
    if isinstance(op, Unpool) and not symmetric(op.pool):
        return "PyTorch cannot unpool over unequal padding; where the pool has it for odd sizes, `round: ceil` will do"
    return None


def _starts_in_padding(op: Pool, axis: int) -> bool:
    """Whether a last window could start behind the image, where PyTorch would keep it and Caffe drops it."""
    before, after = op.pads(axis)
    return before != after and after + op.steps[axis] > op.kernel[axis]


def emit(request: BuildRequest) -> BuildResult:
    """Every file of `generated/<model>/torch/`. A network that is not from an image to maps has no harness (SC608)."""
    env = environment(files("segcompile_torch") / "templates", files("segcompile") / "harness")
    if request.class_name in MODELS:  # a model called `f` or `path`
        request = replace(request, class_name=f"{request.class_name}Net")
    view = view_model(request.graph, request.facts, request.class_name, _input_names(request.graph), TORCH)
    sizes, findings = request.sizes(), Findings()
    found = {"model.py": env.get_template("model.py.jinja").render(_model_context(request, view, sizes))}
    geometry = harness_geometry(request.graph, request.facts, sizes, findings)
    context = _harness_context(request) | {"harness": geometry is not None}
    if geometry is not None:
        context |= asdict(geometry)
    for name in (*_ALWAYS, *(_HARNESS if geometry is not None else ())):
        found[name] = env.get_template(f"{name}.jinja").render(context)
    return BuildResult(found, tuple(findings.diagnostics))


def _input_names(graph: Graph) -> dict[str, str]:
    """An only input is an image, or the feature maps of another network; several keep their names where they can."""
    if len(graph.inputs) > 1:
        names = Names({*NAMES, "x"})
        return {name: names.new(name) for name in graph.inputs}
    ((name, shape),) = graph.inputs.items()
    return {name: name if name != "input" else "image" if shape.channels <= 4 else "features"}


def _harness_context(request: BuildRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "class_name": request.class_name,
        "about": request.about or f"The network {request.model}.",
        "spec": request.spec,
        "channels": next(iter(request.graph.inputs.values())).channels,
        "heads": {head: request.facts[node].shape.channels for head, node in request.graph.outputs.items()},
        "probabilities": [
            head for head, node in request.graph.outputs.items() if _ends_in_softmax(request.graph, node)
        ],
        "training": request.training,
    }


def _ends_in_softmax(graph: Graph, name: str) -> bool:
    """Whether an output is probabilities, perhaps brought to another size."""
    node = graph.by_name.get(name)
    while node is not None and isinstance(node.op, Resize | Crop):
        node = graph.by_name.get(node.inputs[0])
    return node is not None and isinstance(node.op, Softmax)


def _model_context(request: BuildRequest, view: ModelView, sizes: Sizes) -> dict[str, Any]:
    graph = request.graph
    inits = {node.op.init.scheme for node in graph.nodes if isinstance(node.op, Conv | Deconv | Linear)}
    joins = {node.op.align for node in graph.nodes if isinstance(node.op, Join)}
    return {
        "spec": request.spec,
        "about": request.about or f"The network {request.model}.",
        "bases": " and ".join(request.bases),
        "cite": _cite(request),
        "sizes": _sizes(graph),
        "legal": ", ".join(str(axis.legal) for axis in sizes if axis is not None),
        "classes": [_print_class(found, graph, found is view.model) for found in view.classes],
        "init_lines": initialisation.statements(graph, request.facts, view.paths),
        "identity": "identity" in inits,
        "bilinear": "bilinear" in inits,
        "transposed_he": any(initialisation.transposed_he(node.op) for node in graph.nodes),
        "center_crop": "center_crop" in joins,
        "center_pad": "pad" in joins,
        "crop": any(isinstance(node.op, Crop) for node in graph.nodes),
        "nearest": _uses(view, "nearest("),
        "torch": _uses(view, "torch.") or _uses(view, "nearest("),
        "functional": _uses(view, "F."),
    }


def _uses(view: ModelView, prefix: str) -> bool:
    return any(prefix in statement.code for found in view.classes for statement in found.statements)


def _sizes(graph: Graph) -> str:
    """For which input the sizes in comments hold."""
    parts = [" x ".join(str(size) for size in shape.size) for shape in graph.inputs.values()]
    article = "an" if parts[0].startswith(("8", "11 ", "18 ", "H")) else "a"  # as one reads it aloud
    return f"{article} {parts[0]} input" if len(parts) == 1 else f"inputs of {' and '.join(parts)}"


def _cite(request: BuildRequest) -> str:
    words = {"arxiv": "arXiv {}", "doi": "doi {}", "table": "table {}", "url": "{}"}
    return ", ".join(words[key].format(value) for key, value in request.cite.items() if key in words)


def _print_class(found: Class, graph: Graph, is_model: bool) -> dict[str, Any]:
    """A class as strings: what the template loops over."""
    returns = found.returns
    if is_model and len(returns) > 1:
        pairs = ", ".join(f'"{head}": {name}' for head, name in zip(graph.outputs, returns, strict=True))
        result, annotation = f"{{{pairs}}}", "dict[str, Tensor]"
    else:
        result = ", ".join(returns)
        annotation = "Tensor" if len(returns) == 1 else f"tuple[{', '.join(['Tensor'] * len(returns))}]"
    return {
        "name": found.name,
        "about": one_line(found.about) or f"`{found.title}` of the spec.",
        "first": found.instances[0] if len(found.instances) > 1 else "",
        "parameters": "".join(f", {name}: {_annotation(value)}" for name, value in found.parameters),
        "members": [f"self.{attribute} = {code}" for attribute, code in found.members],
        "arguments": "".join(f", {name}: Tensor" for name in found.arguments),
        "statements": _aligned(found.statements),
        "aligned": any(statement.comment for statement in found.statements),
        "result": result,
        "returns": annotation,
        "is_model": is_model,
    }


def _annotation(value: Argument) -> str:
    """The type of a constructor's argument: an integer, or a (height, width) pair of them."""
    return "tuple[int, int]" if isinstance(value, tuple) else "int"


def _aligned(statements: tuple[Statement, ...]) -> list[str]:
    """`target = code  # comment`, the comments under one another; above the line where they would not fit behind it."""
    codes = [f"{s.target}{': Tensor' if s.declares else ''} = {s.code}" for s in statements]
    comments = _columns([s.comment for s in statements])
    room = WIDTH - _INDENT - 4 - max(map(len, comments), default=0)
    width = max((len(code) for code in codes if len(code) <= room), default=0)
    lines = []
    for code, comment in zip(codes, comments, strict=True):
        fits = len(code) <= room
        lines += [f"# {comment}"] if comment and not fits else []
        lines.append(f"{code:<{width}}  # {comment}" if comment and fits else code)
    return lines


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """The comments as text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    return ["   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
