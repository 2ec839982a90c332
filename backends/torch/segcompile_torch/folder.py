"""What is PyTorch's own in its folder: the helpers of model.py, and the ops that it cannot do."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from segcompile.backend import BuildRequest
from segcompile.emit import ModelView, Target
from segcompile.emit.arguments import symmetric
from segcompile.ops import AXES, Conv, Deconv, Linear, Op, Pool, Unpool
from segcompile_torch import initialisation
from segcompile_torch.pooling import pads_itself
from segcompile_torch.reserved import MODELS
from segcompile_torch.rules import TORCH, TORCH_IN_STAGES


def refuses(op: Op) -> str | None:
    """What PyTorch cannot do of an op that has a rule."""
    if isinstance(op, Pool) and op.round == "ceil" and any(_starts_in_padding(op, axis) for axis in AXES):
        unequal = "unequal padding" if not symmetric(op) else "padding of more than half the kernel"
        return f"PyTorch cannot round up over {unequal}; a pad layer before it can, with `round: floor`"
    if isinstance(op, Unpool) and not symmetric(op.pool):
        return "PyTorch cannot unpool over unequal padding; where the pool has it for odd sizes, `round: ceil` will do"
    return None


def _starts_in_padding(op: Pool, axis: int) -> bool:
    """Whether a last window could start behind the image, where PyTorch would keep it and Caffe drops it."""
    return not pads_itself(op) and op.pads(axis)[1] + op.steps[axis] > op.spans[axis]


def _helpers(request: BuildRequest, view: ModelView) -> dict[str, Any]:
    graph = request.graph
    inits = {node.op.init.scheme for node in graph.nodes if isinstance(node.op, Conv | Deconv | Linear)}
    return {
        "init_lines": initialisation.statements(graph, request.facts, view.paths),
        "identity": "identity" in inits,
        "bilinear": "bilinear" in inits,
        "transposed_he": any(initialisation.transposed_he(node.op) for node in graph.nodes),
        "nearest": view.uses("nearest("),
        "torch": view.uses("torch.") or view.uses("nearest("),
        "functional": view.uses("F."),
    }


FOLDER = Target(files("segcompile_torch") / "templates", TORCH, _helpers, MODELS, TORCH_IN_STAGES)
