"""No name that a spec may choose can break a module."""

from __future__ import annotations

from segcompile_jax.reserved import NAMES

from segcompile.facts.module_names import ATTRIBUTES


def test_every_public_name_of_a_module_is_reserved() -> None:
    from flax import nnx

    assert {name for name in dir(nnx.Module) if not name.startswith("_")} <= ATTRIBUTES
    assert {"deterministic", "use_running_average"} <= ATTRIBUTES  # what train() and eval() set
    assert {"jax", "jnp", "nnx", "rngs"} <= NAMES
