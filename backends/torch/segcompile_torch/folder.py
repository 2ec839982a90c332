"""What is PyTorch's own in its folder: the helpers of model.py, and the ops that it cannot do."""

from __future__ import annotations

from segcompile.emit import Needs, Target
from segcompile.emit.arguments import symmetric
from segcompile.ops import Op, Pool, Unpool
from segcompile_torch.initialisation import initialise
from segcompile_torch.pooling import pads_itself
from segcompile_torch.reserved import MODELS, TEMPLATES
from segcompile_torch.rules import TORCH, TORCH_IN_STAGES


def refuses(op: Op) -> str | None:
    """What PyTorch cannot do of an op that has a rule."""
    if isinstance(op, Pool) and op.round == "ceil" and _starts_in_padding(op):
        unequal = "unequal padding" if not symmetric(op) else "padding of more than half the kernel"
        return f"PyTorch cannot round up over {unequal}; a pad layer before it can, with `round: floor`"
    if isinstance(op, Unpool) and not symmetric(op.pool):
        return "PyTorch cannot unpool over unequal padding; where the pool has it for odd sizes, `round: ceil` will do"
    return None


def _starts_in_padding(op: Pool) -> bool:
    """Whether a last window could start behind the image, where PyTorch would keep it and Caffe drops it."""
    reaches = (op.pads(axis)[1] + step > op.spans[axis] for axis, step in enumerate(op.steps))
    return not pads_itself(op) and any(reaches)


_HELPERS: dict[str, Needs] = {
    "avg_pool": {"F", "torch"},
    "center_pad": {"F"},
    "nearest": {"torch"},
    "to_patches": frozenset(),
    "from_patches": frozenset(),
    "identity_": {"torch"},
    "bilinear_": {"torch"},
    "he_": {"math"},
    "Affine": {"torch"},
}

FOLDER = Target(TEMPLATES, TORCH, initialise, _HELPERS, MODELS, TORCH_IN_STAGES)
