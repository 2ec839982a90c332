"""What is PyTorch's own in its folder: the helpers of model.py."""

from __future__ import annotations

from segcompile.emit import Needs, Target
from segcompile_torch.initialisation import initialise
from segcompile_torch.reserved import MODELS, TEMPLATES
from segcompile_torch.rules import TORCH, TORCH_IN_STAGES

_HELPERS: dict[str, Needs] = {
    "avg_pool": {"F", "torch"},
    "center_pad": {"F"},
    "nearest": {"torch"},
    "nearest_exact": {"torch"},
    "nearest_by": {"torch"},
    "cubic": {"F"},
    "to_patches": frozenset(),
    "from_patches": frozenset(),
    "reinterpret": frozenset(),
    "identity_": {"torch"},
    "bilinear_": {"torch"},
    "he_": {"math"},
    "Affine": {"torch"},
    "Pointwise": {"F"},
    "DropPath": {"torch"},
    "attend": {"F"},
    "attend_over_pairs": {"F"},
    "attend_along": {"F", "math", "torch"},
    "softmax_positions": {"F"},
    "Position": {"F", "math", "torch"},
    "Tokens": {"torch"},
    "WindowAttention": {"F", "math"},
    "WindowAttention.relative": {"torch"},
    "WindowAttention.shift": {"torch"},
}

_IN_ROWS = frozenset({"conv", "deconv", "biased", "normed", "shares"})

FOLDER = Target(
    TEMPLATES,
    TORCH,
    initialise,
    _HELPERS,
    MODELS,
    TORCH_IN_STAGES,
    harness=("on_tile.py", "whole_image.py"),
    in_rows=_IN_ROWS,
)
