"""No name that a spec may choose can break a module."""

from __future__ import annotations

from segcompile_torch.reserved import NAMES

from segcompile.facts.module_names import ATTRIBUTES


def test_every_public_name_of_a_module_is_reserved() -> None:
    from torch import nn

    assert {name for name in dir(nn.Module()) if not name.startswith("_")} <= ATTRIBUTES
    assert {"F", "nn", "torch", "Tensor"} <= NAMES
