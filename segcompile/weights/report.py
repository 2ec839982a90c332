"""What `segcompile weights` tells: where each parameter comes from, what starts fresh, what found no place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcompile.ops import Init
from segcompile.weights.lineage import Origin
from segcompile.weights.mapping import Assignment
from segcompile.weights.placing import Place, shown
from segcompile.weights.stored import Stored


@dataclass(frozen=True, slots=True)
class Filled:
    """A file of weights that was written: from which file, what went where, and what did not."""

    model: str
    sources: tuple[Path, ...]
    target: Path
    places: tuple[Place, ...]
    left: tuple[Stored, ...]
    notes: tuple[str, ...] = ()
    assignment: Assignment | None = None  # of an import, which looks for the places

    @property
    def text(self) -> str:
        rows = [_row(found) for found in self.places]
        taken = sum(found.stored is not None for found in self.places)
        lines = table(("parameter", "shape", f"from {', '.join(path.name for path in self.sources)}", ""), rows)
        lines += ["", *self.assignment.said] if self.assignment else []
        lines += [f"\n{note}" for note in self.notes]
        if self.left:
            lines += ["", "no place:"]
            lines += [f"  {left.name}  {shown(left.shape)}" + _aside(_stands(left)) for left in self.left]
        return "\n".join([*lines, "", f"{self.target}: {taken} of {len(self.places)} tensors of {self.model}"])

    @property
    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "model": self.model,
            "from": [str(path) for path in self.sources],
            "file": str(self.target),
            "parameters": [_json(found) for found in self.places],
            "no_place": [{"name": e.name, "shape": list(e.shape), "why": _stands(e) or None} for e in self.left],
            "notes": list(self.notes),
            **(self.assignment.data if self.assignment else {}),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each parameter of a spec comes from; `titles`: the network and the parameter there, or nothing. `left`:
    the parameters there, titled alike, that find no place."""

    model: str
    origins: tuple[Origin, ...]
    places: tuple[Place, ...]
    titles: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def text(self) -> str:
        rows = []
        for found, title in zip(self.places, self.titles, strict=True):
            name, shape, fresh, why = _row(found)
            rows.append((name, shape, title or fresh, why))
        taken = sum(map(bool, self.titles))
        head = f"{self.model} starts from {', '.join(origin.title for origin in self.origins) or 'nothing'}"
        foot = f"{taken} of {len(self.places)} tensors come from there"
        left = ["", "no place:", *(f"  {title}" for title in self.left)] if self.left else []
        return "\n".join([head, "", *table(("parameter", "shape", "from", ""), rows), *left, "", foot])

    @property
    def data(self) -> dict[str, Any]:
        """The same for programs."""
        pairs = zip(self.places, self.titles, strict=True)
        return {
            "model": self.model,
            "origins": [{"model": origin.model, "into": origin.into or None} for origin in self.origins],
            "parameters": [{**_json(found), "network": title.partition(" ")[0] or None} for found, title in pairs],
            "no_place": list(self.left),
        }


def _row(found: Place) -> tuple[str, ...]:
    shape = shown(found.tensor.shape)
    if found.stored is None:
        return found.tensor.name, shape, f"fresh: {started(found.tensor.parameter.init)}", found.why
    how = f"reshaped from {shown(found.stored.shape)}" if found.reshaped else found.why
    if found.spread:
        how = "one slope for all channels"
    if found.turned:
        how = f"{how or 'columns'}, from (height, width, channel) to (channel, height, width)"
    if found.widened:
        how = f"was {shown(found.stored.shape)}; new input channels: the mean of the others"
    return found.tensor.name, shape, found.stored.name, how


def _json(found: Place) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": found.tensor.name, "shape": list(found.tensor.shape)}
    if found.stored is None:
        return {**entry, "from": None, "fresh": started(found.tensor.parameter.init), "why": found.why}
    shape = list(found.stored.shape)
    changed = {"reshaped_from": shape if found.reshaped else None, "widened_from": shape if found.widened else None}
    return {**entry, "from": found.stored.name, **changed, **({"why": found.why} if found.why else {})}


def started(init: Init) -> str:
    """How a parameter starts, in a word: `zeros`, `normal 0.001`, `1`."""
    if init.scheme == "constant":
        return f"{init.value:g}"
    return f"{init.scheme} {init.std:g}" if init.scheme == "normal" and init.std is not None else init.scheme


def _stands(left: Stored) -> str:
    """Why a tensor finds no place, or which layer of the file it belongs to."""
    return left.unusable or (f"{left.site.role} of {left.site.layer.title}" if left.site else "")


def _aside(text: str) -> str:
    return f"  ({text})" if text else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns as wide as their widest cells, the last one as it comes."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    rule = ["─" * width for width in widths]
    lines = [
        [*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]
        for row in (head, (*rule, ""), *rows)
    ]
    return ["  ".join(line).rstrip() for line in lines]
