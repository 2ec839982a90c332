"""What is JAX's own in its folder: the helpers of model.py."""

from __future__ import annotations

from segcompile.emit import Needs, Target
from segcompile_jax.initialisation import initialise
from segcompile_jax.reserved import MODELS, TEMPLATES
from segcompile_jax.rules import JAX

_OF_JAX_NUMPY = (
    "Affine", "ConvTranspose", "PReLU", "adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "bilinear", "center_pad",
    "cubic_between", "dilated_max_pool", "identity", "interpolate_by", "interpolate_corners", "nearest", "nearest_by",
    "nearest_exact",
)  # fmt: skip
_HELPERS: dict[str, Needs] = {name: {"jnp"} for name in _OF_JAX_NUMPY}
_HELPERS |= {name: {"cubic_between", "jnp"} for name in ("cubic", "cubic_by", "cubic_corners")}

FOLDER = Target(TEMPLATES, JAX, initialise, _HELPERS, MODELS, JAX, harness=("step.py",))
