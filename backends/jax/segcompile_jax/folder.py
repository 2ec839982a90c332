"""What is JAX's own in its folder: the helpers of model.py."""

from __future__ import annotations

from segcompile.emit import Needs, Target
from segcompile_jax.initialisation import initialise
from segcompile_jax.reserved import MODELS, TEMPLATES
from segcompile_jax.rules import JAX

_OF_JAX_NUMPY = (
    "Affine", "Attention", "AxialAttention", "ConvTranspose", "CrossAttention", "PReLU", "Tokens", "adaptive_avg_pool",
    "adaptive_max_pool", "attend", "attend_along", "attend_over_pairs", "avg_pool", "center_pad", "cubic_between",
    "dilated_max_pool", "flatten", "interpolate_by", "interpolate_corners", "nearest", "nearest_by", "nearest_exact",
    "reinterpret",
)  # fmt: skip
_DRAWN: Needs = {"initializer", "Callable", "np"}
_HELPERS: dict[str, Needs] = {
    **{name: {"jnp"} for name in _OF_JAX_NUMPY},
    **{name: {"cubic_between", "jnp"} for name in ("cubic", "cubic_by", "cubic_corners")},
    **dict.fromkeys(("bilinear", "identity", "normal"), _DRAWN),
    **{name: {*_DRAWN, "math"} for name in ("he", "he_transposed", "xavier")},
    "Position": {"jnp", "math"},
    "WindowAttention": {"jnp", "math"},
    "WindowAttention.relative": {"np"},
    "WindowAttention.shift": {"np"},
    "with_weights_of": {"Callable"},
}

FOLDER = Target(TEMPLATES, JAX, initialise, _HELPERS, MODELS, JAX, harness=("step.py", "on_tile.py", "whole_image.py"))
