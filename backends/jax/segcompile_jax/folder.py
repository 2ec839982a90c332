"""What is JAX's own in its folder: the helpers of model.py."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from segcompile.backend import BuildRequest
from segcompile.emit import ModelView, Target
from segcompile.emit.joins import shared_helpers
from segcompile.ops import BatchNorm, Conv, Deconv, Linear, Op, PRelu
from segcompile_jax import initialisation
from segcompile_jax.reserved import MODELS
from segcompile_jax.rules import JAX

_FUNCTIONS = (
    "avg_pool",
    "dilated_max_pool",
    "flatten",
    "interpolate",
    "interpolate_corners",
    "local_response_norm",
    "nearest",
    "pixel_shuffle",
    "space_to_depth",
    "unpool",
)
_OF_JAX_NUMPY = {"avg_pool", "dilated_max_pool", "nearest", "interpolate_corners"}


def _helpers(request: BuildRequest, view: ModelView) -> dict[str, Any]:
    """The functions, classes and initialisers that the model calls, and what those need."""
    ops = [node.op for node in request.graph.nodes]
    weighted = [op for op in ops if isinstance(op, Conv | Deconv | Linear)]
    inits = {initialisation.kernel_init(op).partition("(")[0] for op in weighted}
    called = [name for name in _FUNCTIONS if view.uses(f"{name}(")]

    def has(kind: type[Op]) -> bool:
        return any(isinstance(op, kind) for op in ops)

    arrays = (
        bool({"identity", "bilinear"} & inits or {*called} & _OF_JAX_NUMPY)
        or shared_helpers(request.graph)["center_pad"]
    )
    return {
        "inits": inits,
        "called": called,
        "deconv": has(Deconv),
        "dilated": any(isinstance(op, Deconv) and op.dilation != (1, 1) for op in ops),
        "batch_norm": has(BatchNorm),
        "prelu": has(PRelu),
        "frozen": initialisation.frozen(request.graph, view.paths),
        "jnp": arrays or has(Deconv) or has(PRelu) or view.uses("jnp."),
    }


FOLDER = Target(files("segcompile_jax") / "templates", JAX, _helpers, MODELS, JAX, harness=("step.py",))
