"""What the name of some layers means, in an edit or in a stage of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from segcompile.text.errors import Label, Span


@dataclass(frozen=True, slots=True)
class Selector:
    """The name of a layer, a block or a used spec, or a pattern with `*`, `?` or `[...]`, as written at `span`."""

    text: str
    span: Span = field(compare=False)

    def among(self, layers: Iterable[str]) -> list[str]:
        """Those of the layers that it means."""
        return [layer for layer in layers if selects(self.text, layer)]

    def removed(self, gone: Mapping[str, Span | None]) -> list[Label]:
        """Where edits removed what it means. `gone`: of a graph, name -> where that is written."""
        spans = dict.fromkeys(gone[name] for name in self.among(gone))
        return [Label(span, "removed here") for span in spans if span is not None]


def selects(selector: str, layer: str) -> bool:
    """Whether `selector` means the layer: its name, the name of a block or used spec that it is in, or a pattern with
    `*`, `?` or `[...]`."""
    if any(sign in selector for sign in "*?["):
        return fnmatchcase(layer, selector)
    return layer == selector or layer.startswith(f"{selector}.")
