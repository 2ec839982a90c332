"""op -> Flax NNX: a table with one rule an op, made of those of each family of ops."""

from __future__ import annotations

from segcompile.emit import Rule, Rules
from segcompile.ops import Op
from segcompile_jax import attention, convolution, grids, pooling, values
from segcompile_jax.reserved import CLASSES, NAMES

RULES: dict[type[Op], Rule] = {
    **convolution.RULES,
    **pooling.RULES,
    **grids.RULES,
    **attention.RULES,
    **values.RULES,
}

JAX = Rules(
    RULES,
    NAMES,
    CLASSES,
    tensor="jax.Array",
    axes="B*C",
    forward="__call__",
    handed_on=(("rngs", "nnx.Rngs"),),
    typed=("jnp.", "nnx.relu", "nnx.sigmoid", "nnx.softmax"),
)
