"""What the name of some layers means, in an edit or in a stage of training."""

from __future__ import annotations

from fnmatch import fnmatchcase


def selects(selector: str, layer: str) -> bool:
    """Whether `selector` means the layer: its name, the name of a block or used spec that it is in, or a pattern with
    `*`, `?` or `[...]`."""
    if any(sign in selector for sign in "*?["):
        return fnmatchcase(layer, selector)
    return layer == selector or layer.startswith(f"{selector}.")
