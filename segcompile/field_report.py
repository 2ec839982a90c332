"""What `segcompile rf` answers beyond its table: one section for each layer and question, as text and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcompile.compiler import Compiled
from segcompile.errors import Findings, SegcompileError
from segcompile.field_json import coverage_json, phases_json, why_json
from segcompile.field_tables import coverage_text, layer_text, phases_text, why_text
from segcompile.fields import LayerField, Phase, ReceptiveField, receptive_field


@dataclass(frozen=True, slots=True)
class Request:
    """The questions: of which layer (None: of every output), and which."""

    layer: str | None = None
    phases: bool = False
    coverage: bool = False
    why: str | None = None
    phase: Phase | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The same as text and as data to add to the JSON report."""

    text: str
    data: dict[str, Any]


def answer(compiled: Compiled, request: Request, findings: Findings) -> Answer:
    """All that was asked. What cannot be answered is an error in `findings` (SC102, SC410); the rest is told."""
    view = receptive_field(compiled)
    sections: list[str] = []
    data: dict[str, dict[str, Any]] = {}
    for layer, key, ask in _questions(view, request):
        try:
            text, found = ask()
        except SegcompileError as error:
            findings.absorb(error)
            continue
        sections += [text] if text else []
        data.setdefault(layer.name, {})[key] = found
    return Answer("\n\n".join(sections), {"asked": data})


def _questions(view: ReceptiveField, request: Request) -> Iterator[tuple[LayerField, str, Any]]:
    """(layer, key, a function that gives text and data). Raises SegcompileError (SC102) for an unknown layer."""
    phase, at = request.phase, request.phase or (0, 0)
    names = [request.layer] if request.layer is not None else list(dict.fromkeys(view.outputs.values()))
    asked = [view[name] for name in names]
    if request.why is not None:
        why = view[request.why]
        yield why, "why", lambda: (why_text(why, phase), why_json(why, phase))
    for layer in asked:
        if request.layer is not None:
            yield layer, "op", lambda layer=layer: (layer_text(layer), layer.op)
        if request.phases:
            yield layer, "phases", lambda layer=layer: (phases_text(layer), phases_json(layer))
        if request.coverage:
            yield layer, "coverage", lambda layer=layer: (coverage_text(layer, at), coverage_json(layer, at))
    if request.plot is not None:
        yield asked[-1], "plot", lambda: _plotted(view, asked[-1], at, request.plot)


def _plotted(view: ReceptiveField, layer: LayerField, phase: Phase, file: Path | None) -> tuple[str, str]:
    from segcompile.plots import plot  # matplotlib, for those who draw

    assert file is not None
    plot(view, layer, phase, file)
    return f"drew {layer.name} into {file}", str(file)
